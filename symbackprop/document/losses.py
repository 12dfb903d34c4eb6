"""The losses side by side: formula, derivative at the last sum, and when each fits.

Each row is derived anew from a network of one layer, so that it is checked like any other
equation.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from sympy import Expr

from symbackprop.derive import with_adjoints
from symbackprop.document.blocks import Block, Heading, Items, Line, Paragraph, Strong, Table
from symbackprop.document.desk import Desk
from symbackprop.document.formulas import Derivative, Name, Of
from symbackprop.document.scene import scene_of
from symbackprop.evaluate import generic_sizes
from symbackprop.latex import Typesetting
from symbackprop.layers.architecture import Architecture, Layer
from symbackprop.layers.multilayer import build
from symbackprop.notation import Notation
from symbackprop.terms import expression, product

INPUTS, OUTPUTS = "d", "K"
LABELS = {"one_hot": "", "integer": " (integer)", "any": " (any y)"}


@dataclass(frozen=True)
class Choice:
    """A loss as it is usually met: with an activation before it, for a kind of target."""

    words: str
    loss: str
    activation: str
    half: bool = False
    labels: str = "one_hot"


CHOICES = (
    Choice("squared error", "squared_error", "identity"),
    Choice("half squared error", "squared_error", "identity", half=True),
    Choice("binary cross-entropy", "binary_cross_entropy", "sigmoid"),
    Choice("cross-entropy", "cross_entropy", "softmax"),
    Choice("no loss", "none", "identity"),
)

FITS = (
    (
        "Squared error",
        " fits where the targets are numbers, such as lengths or prices (regression). A distance"
        " counts with its square, so a few outputs that are far off outweigh many that are nearly"
        " right. The factor one half does no more than remove the 2 from the derivative.",
    ),
    (
        "Binary cross-entropy",
        " fits where each output answers a question with yes or no: the output is the probability"
        " of yes, the target is 1 for yes and 0 for no. Several outputs are several questions.",
    ),
    (
        "Cross-entropy",
        " fits where a sample belongs to one of several classes: the outputs are the probabilities"
        " of the classes, and the targets of a sample add up to 1.",
    ),
    (
        "No loss",
        " fits where the output itself is to be differentiated. There are no targets, so there is"
        " nothing to learn from.",
    ),
)


def losses(desk: Desk, architecture: Architecture) -> Iterator[Block]:
    """All losses with the one of this document marked; `desk` gives the letters."""
    choices = _choices(architecture)
    made = [_desk(choice, desk.setting.notation) for choice in choices]
    yield Heading(2, ("Which loss?",))
    yield Paragraph(
        (
            "The backward pass is the same for every loss once the first error term is known: the",
            " derivative of the loss by the sum before the last activation. These are the losses,",
            " each after the activation named with it, for one sample with ",
            made[0].maths(Of(expression(product(_outputs(made[0]), (), ())))),
            " outputs. The one of this document is in bold; its batch takes the ",
            "sum" if architecture.reduction == "sum" else "mean",
            " of it.",
        )
    )
    rows = [
        _row(choice, one, _is_used(choice, architecture))
        for choice, one in zip(choices, made, strict=True)
    ]
    yield Table((("loss, activation",), ("formula",), ("error term",)), tuple(rows))
    yield Items(tuple((Strong(name), words) for name, words in FITS))
    yield Paragraph(
        (
            "Identity with half the squared error, sigmoid with binary cross-entropy, softmax with",
            " cross-entropy: each pair leaves the plain difference of output and target. Squared",
            " error after a sigmoid keeps the slope of the sigmoid as a factor, and where that",
            " slope is small, learning is slow.",
        )
    )


def _choices(architecture: Architecture) -> tuple[Choice, ...]:
    """The usual ones, and the combination of this network where it is another."""
    if any(_is_used(choice, architecture) for choice in CHOICES):
        return CHOICES
    like = next(
        choice
        for choice in CHOICES
        if choice.loss == architecture.loss and choice.half == architecture.half
    )
    own = replace(
        like, activation=architecture.layers[-1].activation, labels=_kind(architecture.labels)
    )
    place = CHOICES.index(like) + 1
    return (*CHOICES[:place], own, *CHOICES[place:])


def _kind(labels: str) -> str:
    """Labels of one kind give one formula: what counts is that they add up to 1."""
    return "one_hot" if labels == "distribution" else labels


def _is_used(choice: Choice, architecture: Architecture) -> bool:
    return choice == replace(
        choice,
        loss=architecture.loss,
        activation=architecture.layers[-1].activation,
        half=architecture.half,
        labels=_kind(architecture.labels),
    )


def _desk(choice: Choice, notation: Notation) -> Desk:
    """A network of one layer without bias, for one sample."""
    layer = Layer(OUTPUTS, choice.activation, bias=False)
    architecture = Architecture(
        "loss", INPUTS, (layer,), choice.loss, "sum", choice.half, choice.labels
    )
    network = build(architecture, one_sample=True).network
    setting = Typesetting(with_adjoints(network), notation)
    return Desk(network, setting, (scene_of(network, generic_sizes(network), seed=3),), ())


def _row(choice: Choice, one: Desk, used: bool) -> tuple[Line, ...]:
    loss = one.network.loss
    formula = one.chain(Name(loss), one.forward(loss, matrix=False))
    slope = one.chain(Derivative(loss, "z1"), one.result("z1"))
    words = f"{choice.words}{LABELS[choice.labels]}, {choice.activation.replace('_', ' ')}"
    return (
        (Strong(words) if used else words,),
        (one.maths(formula.sides[1]),),
        (one.maths(slope.sides[1]),),
    )


def _outputs(one: Desk) -> Expr:
    (extent,) = one.tensor("yhat").shape
    return extent
