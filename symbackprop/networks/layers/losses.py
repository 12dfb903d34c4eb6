"""Losses as forward equations: what is added up over samples and features, and how it is scaled.

Owns: the record of a loss, which is all that any room knows of it by name.
Refuses: gradients; they are derived. Labels are facts about y: rows that sum to one, whole numbers
that pick a class, or nothing. Would be wrong if a loss needed an activation that its record
does not name: then a logarithm could be taken of a negative number.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from sympy import Expr, Mul, Rational, S

from symbackprop.calculus.terms import Applied, Delta, Expression, Index, expression, product
from symbackprop.networks.layers.pieces import Piece
from symbackprop.networks.network import CountsClasses, Equation, Fact, SumsToOne, Tensor

LABELS: Mapping[str, tuple[Fact, ...]] = {
    "one_hot": (SumsToOne(-1),),
    "distribution": (SumsToOne(-1),),
    "integer": (),
    "any": (),
}


Targets = Literal["numbers", "answers", "classes", "none"]


@dataclass(frozen=True)
class Loss:
    """What one entry of the output adds to the loss, and what is said of it.

    `summand(yhat, y)`: an expression of the two; functions in it that are not elementary stand in
    `scalars`. `source` cites it. `needs`: the activation that must come last. `targets`: what y
    holds, any numbers, answers (1 for yes, 0 for no) or classes, as the kind of labels says;
    elsewhere nothing is assumed of y. `halves`: whether a file may ask for the factor 1/2.
    `words`: its name in sentences; `says`: sentences beside its formula; `fits`: how a sentence
    that begins with its name goes on; `usual`: activations it is often met with, whether halved.
    """

    summand: Callable[[Expr, Expr], Expression]
    source: str
    needs: str | None = None
    targets: Targets = "numbers"
    halves: bool = False
    words: str = ""
    says: str = ""
    fits: str = ""
    usual: tuple[tuple[str, bool], ...] = ()

    @property
    def labelled(self) -> bool:
        """Whether there is a y."""
        return self.targets != "none"

    @property
    def classes(self) -> bool:
        """Whether the kind of labels means anything."""
        return self.targets == "classes"


def cross_entropy(yhat: Expr, y: Expr) -> Expression:
    """-y log(yhat). Bishop 2006, eq. 4.108."""
    return expression(product(-1, (), (y, Applied("log", 0, yhat))))


def binary_cross_entropy(yhat: Expr, y: Expr) -> Expression:
    """-y log(yhat) - (1 - y) log(1 - yhat). Bishop 2006, eq. 4.90."""
    return expression(
        product(-1, (), (y, Applied("log", 0, yhat))),
        product(-1, (), (1 - y, Applied("log", 0, 1 - yhat))),
    )


def squared_error(yhat: Expr, y: Expr) -> Expression:
    """(yhat - y)^2. Bishop 2006, eq. 5.11 (there with the factor 1/2)."""
    return expression(product(1, (), ((yhat - y) ** 2,)))


def output_itself(yhat: Expr, y: Expr) -> Expression:
    """No loss: the objective is the output, added up where it has several entries."""
    return expression(product(1, (), (yhat,)))


LOSSES: Mapping[str, Loss] = {
    "cross_entropy": Loss(
        cross_entropy,
        "Bishop 2006, eq. 4.108",
        needs="softmax",
        targets="classes",
        words="cross-entropy",
        says="This is the cross-entropy, with the natural logarithm. If the target is 1 for the"
        " right class and 0 for all others, it is 0 when the right class has probability 1, and it"
        " grows as that probability shrinks.",
        fits="fits where a sample belongs to one of several classes: the outputs are the"
        " probabilities of the classes, and the targets of a sample add up to 1.",
        usual=(("softmax", False),),
    ),
    "binary_cross_entropy": Loss(
        binary_cross_entropy,
        "Bishop 2006, eq. 4.90",
        needs="sigmoid",
        targets="answers",
        words="binary cross-entropy",
        says="This is the binary cross-entropy, with the natural logarithm: each output is the"
        " probability of a yes, each target says how often yes is right.",
        fits="fits where each output answers a question with yes or no: the output is the"
        " probability of yes, the target is 1 for yes and 0 for no. Several outputs are several"
        " questions.",
        usual=(("sigmoid", False),),
    ),
    "squared_error": Loss(
        squared_error,
        "Bishop 2006, eq. 5.11",
        halves=True,
        words="squared error",
        says="This is zero if every output equals its target, and positive otherwise.",
        fits="fits where the targets are numbers, such as lengths or prices (regression). A"
        " distance counts with its square, so a few outputs that are far off outweigh many that are"
        " nearly right. The factor one half does no more than remove the 2 from the derivative.",
        usual=(("identity", False), ("identity", True), ("sigmoid", True)),
    ),
    "none": Loss(
        output_itself,
        "",
        targets="none",
        words="no loss",
        fits="means that the sum of the outputs takes the place of the loss: with one output, the"
        " output itself is differentiated. There are no targets, so there is nothing to learn.",
        usual=(("identity", False),),
    ),
}


def labels(yhat: Tensor, kind: str) -> Tensor:
    """The tensor y beside this output: the same shape, or whole numbers without the last axis."""
    *leading, feature = yhat.indices
    if kind == "integer":
        return Tensor("y", tuple(leading), "label", (CountsClasses(feature.axis),), letter="y")
    return Tensor("y", yhat.indices, "label", LABELS[kind], letter="y")


def loss(yhat: Tensor, kind: str, label: str, reduction: str, half: bool) -> Piece:
    """L = scale * sum over samples and features of the summand.

    scale: 1 (`sum`), 1/samples (`mean`), 1/entries of yhat (`mean_elements`); times 1/2 if `half`.
    """
    record = LOSSES[kind]
    y = labels(yhat, label if record.classes else "any") if record.labelled else None
    entry = _label_entry(y, yhat.indices[-1]) if y is not None else S.Zero
    scale = _scale(yhat, reduction) * (Rational(1, 2) if half else 1)
    total = Tensor("L", (), "loss", letter="L")
    summed = expression(
        *(
            product(term.coefficient * scale, (*yhat.indices, *term.bound), term.factors)
            for term in record.summand(yhat.entry, entry).terms
        )
    )
    equation = Equation("L", (), summed, record.source)
    return Piece((y, total) if y is not None else (total,), (equation,))


def _label_entry(y: Tensor, feature: Index) -> Expr:
    if y.facts and isinstance(y.facts[0], CountsClasses):
        return Delta(feature, y.entry)
    return y.entry


def _scale(yhat: Tensor, reduction: str) -> Expr:
    samples = Mul(*(axis.extent for axis in yhat.axes if axis.role == "sample"))
    match reduction:
        case "sum":
            return S.One
        case "mean":
            return 1 / samples
        case "mean_elements":
            return 1 / Mul(*yhat.shape)
        case _:
            raise ValueError(f"unknown reduction {reduction!r}")
