"""The losses side by side: formula, derivative at the last sum, and when each fits.

Each row is derived anew from a network of one layer, so that it is checked like any other
equation.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from sympy import Expr

from symbackprop.calculus.scalars import FUNCTIONS
from symbackprop.calculus.terms import (
    Element,
    Expression,
    Index,
    Partial,
    expression,
    product,
    single,
    substitute,
)
from symbackprop.derivation.evaluate import generic_sizes
from symbackprop.derivation.steps import Derivation
from symbackprop.document.blocks import Block, Heading, Items, Line, Maths, Paragraph, Strong, Table
from symbackprop.document.desk import Desk
from symbackprop.document.formulas import Derivative, Formula, Name, Of, Scalar, Total, show
from symbackprop.document.scene import scene_of
from symbackprop.networks.layers.activations import ACTIVATIONS
from symbackprop.networks.layers.architecture import Architecture, Layer
from symbackprop.networks.layers.losses import LOSSES, Loss
from symbackprop.networks.layers.multilayer import build
from symbackprop.networks.roles import functions_in, functions_of, layers_of
from symbackprop.notation import Notation
from symbackprop.writing.latex import Typesetting

CANCEL, INSERT, SUM_TO_ONE = "cancel", "insert", "labels sum to one"
INPUTS, OUTPUTS = "d", "K"
TARGETS = {"one_hot": "", "integer": " (number of the class)", "any": " (targets of any sum)"}


@dataclass(frozen=True)
class Choice:
    """A loss with an activation before it, for a kind of target."""

    loss: str
    activation: str
    half: bool = False
    labels: str = "one_hot"

    @property
    def record(self) -> Loss:
        return LOSSES[self.loss]

    @property
    def words(self) -> str:
        words = self.record.words or self.loss.replace("_", " ")
        return f"half {words}" if self.half else words


def losses(desk: Desk, architecture: Architecture) -> Iterator[Block]:
    """All losses with the one of this document marked; `desk` gives the letters. Nothing where
    there is no loss, or where one letter would stand for two things."""
    notation = _of_one_sample(desk.setting.notation, architecture)
    letters = [notation.symbol(letter) for letter in ("y", "yhat", "z", "L")]
    if not LOSSES[architecture.loss].labelled or len(set(letters)) < len(letters):
        return
    choices = _choices(architecture)
    made = [_desk(choice, notation) for choice in choices]
    yield Heading(2, ("Outlook: which loss?",))
    yield Paragraph(
        (
            "Nothing that follows needs this section. The backward pass is the same for every loss"
            " once the first error term is known, the derivative of the loss by the last sum,"
            " here called ",
            _last_sum(made),
            ". These are the usual losses, each after the activation named with it, for one sample"
            " with ",
            made[0].maths(Of(expression(product(_outputs(made[0]), (), ())))),
            f" outputs. The loss of this document is in bold; for a batch it is "
            f"{_taken(architecture)}. In this section ",
            made[0].name(made[0].network.loss),
            ", ",
            made[0].name("yhat"),
            " and ",
            _last_sum(made),
            " are those of whichever network is spoken of, not those of the network of this"
            " document. What the words in the table mean:",
        )
    )
    yield Items(tuple(_words(choices, made)))
    rows = [
        _row(choice, one, _is_used(choice, architecture))
        for choice, one in zip(choices, made, strict=True)
    ]
    yield Table((("loss, activation",), ("formula",), ("error term",)), tuple(rows))
    yield Paragraph(("How the error terms come about, entry by entry:",))
    for choice, one in zip(choices, made, strict=True):
        if choice.record.labelled:
            yield from _origin(choice, one)
    yield Paragraph(("When each loss fits:",))
    fits = {choice.loss: choice.record.fits for choice in choices if choice.record.fits}
    yield Items(tuple((Strong(_title(loss)), f" {words}") for loss, words in fits.items()))
    yield Paragraph(
        (
            "Identity with half the squared error, sigmoid with binary cross-entropy, softmax with"
            " cross-entropy: each pair leaves the plain difference of output and target. Squared"
            " error after a sigmoid keeps the slope of the sigmoid as a factor, and where that"
            " slope is small, learning is slow.",
        )
    )


def _of_one_sample(notation: Notation, architecture: Architecture) -> Notation:
    """The loss of one sample is L, where the mean over samples has a letter of its own."""
    symbols = {letter: latex for letter, latex in notation.symbols if letter != "L"}
    if architecture.reduction == "sum" or "L" in symbols.values():
        return notation
    return replace(notation, symbols=tuple(symbols.items()))


def _taken(architecture: Architecture) -> str:
    return {
        "sum": "summed over the samples",
        "mean": "averaged over the samples",
        "mean_elements": "averaged over all entries of the outputs of all samples",
    }[architecture.reduction]


def _last_sum(made: list[Desk]) -> Maths:
    """Its letter, where an activation follows; with the identity it has no letter of its own."""
    return next(one.name("z1") for one in made if one.network.resolve("z1") != "yhat")


def _words(choices: tuple[Choice, ...], made: list[Desk]) -> Iterator[Line]:
    """What the activations and the logarithm are."""
    seen: set[str] = set()
    for choice, one in zip(choices, made, strict=True):
        name = choice.activation
        if name in seen:
            continue
        seen.add(name)
        if name == "identity":
            output = one.name("yhat")
            yield ("identity: the output ", output, " is the last sum itself, unchanged;")
        elif name == "softmax":
            yield from _softmax_words(one)
        else:
            chain = one.chain(Scalar(name, "value"), Scalar(name, "definition"), defines=True)
            yield (f"{name.replace('_', ' ')}: ", chain, " for each sum z;")
    for one in made:
        for name in functions_of(one.network, one.network.loss):
            if name not in seen:
                seen.add(name)
                chain = one.chain(Scalar(name, "value"), Scalar(name, "definition"), defines=True)
                yield (f"{FUNCTIONS[name].in_words}: ", chain, " for each number z;")
    yield (
        "log: the natural logarithm, the inverse function of exp; exp(z) is another way to write"
        " the power of e with exponent z; a stroke after the letter of a function means its"
        " derivative.",
    )


def _softmax_words(one: Desk) -> Iterator[Line]:
    output, sums = one.tensor("yhat"), one.network.equation_of["s1"]
    yield (
        "softmax: ",
        one.chain(Of(single(output.entry), output.indices), one.forward("yhat", matrix=False)),
        " with ",
        one.chain(Of(single(Element("s1"))), Of(sums.rhs)),
        "; all outputs are positive, and they add up to 1;",
    )


def _origin(choice: Choice, one: Desk) -> Iterator[Block]:
    """By the output first, then through the activation to the last sum."""
    by_output = one.sweep["yhat"]
    first = one.chain(_of(by_output, by_output.steps[0].before), _of(by_output, _plain(by_output)))
    start: Line = (f"{_name(choice).capitalize()}: ", first)
    if choice.activation == "identity":
        yield Paragraph((*start, ", and the output is the last sum."))
        return
    if choice.activation == "softmax":
        yield Paragraph((*start, *_all_paths(choice, one)))
    elif _is_inserted(one):
        slope = Scalar(choice.activation, "slope"), Scalar(choice.activation, "through")
        words = ". By the quotient rule, the slope of the activation is "
        yield Paragraph((*start, words, one.chain(*slope), ":"))
    else:
        yield Paragraph((*start, ". The activation adds its slope as a factor:"))
    yield one.display(*_distinct(one, _through(one)))


def _all_paths(choice: Choice, one: Desk) -> Line:
    local = one.jacobian("yhat", "z1")
    slope = one.chain(_of(local, local.steps[0].before), _of(local, local.result), jacobian=True)
    sums = "the targets of a sample add up to 1"
    if choice.labels == "integer":
        sums = "each sample has exactly one class"
    facts = any(step.rule == SUM_TO_ONE for step in one.sweep["z1"].steps)
    return (
        ". Every output depends on every sum, ",
        slope,
        " by the quotient rule, so the effects of all outputs are added.",
        *((" The last step uses that ", sums, ":") if facts else (" Together:",)),
    )


def _is_inserted(one: Desk) -> bool:
    """Whether the result has the slope of the activation written through the output."""
    return _function(one) not in functions_in(one.sweep["z1"].result)


def _plain(by_output: Derivation) -> Expression:
    """The derivative by the output as it stands before fractions are put together."""
    before = [step.before for step in by_output.steps if step.rule == CANCEL]
    return before[0] if before else by_output.result


def _of(derivation: Derivation, whole: Expression) -> Of:
    return Of(whole, derivation.indices)


def _through(one: Desk) -> list[Formula]:
    """By the last sum: the chain rule, with the derivatives inserted, and the result."""
    derivation, by_output = one.sweep["z1"], one.sweep["yhat"]
    loss, total, output = one.network.loss, one.tensor("z1"), one.tensor("yhat")
    (index,) = derivation.indices
    last = Element(total.name, index)
    sides: list[Formula] = [_of(derivation, derivation.steps[0].before)]
    if "s1" in one.network.by_name:
        path = Index("q", index.axis)
        through = Element(output.name, path)
        parts = Partial(Element(loss), through, total=True), Partial(through, last, total=True)
        sides.append(_of(derivation, expression(product(1, (path,), parts))))
        inserted = [step.after for step in derivation.steps if step.rule == INSERT]
        sides += [_sums_last(derivation, w) for w in inserted[-1:] if _is_of_network(one, w)]
    else:
        (old,) = by_output.indices
        local = Partial(Element(output.name, index), last, total=True)
        by = Partial(Element(loss), Element(output.name, index), total=True)
        sides.append(_of(derivation, expression(product(1, (), (by, local)))))
        slope = one.network.functions[_function(one)].slope(last, Element(output.name, index))
        if slope is not None and _is_inserted(one):
            plain = [substitute(term, {old: index}) for term in _plain(by_output).terms]
            times = (product(t.coefficient, t.bound, (*t.factors, slope)) for t in plain if t)
            sides.append(_of(derivation, expression(*times)))
    return [*sides, _of(derivation, derivation.result)]


def _is_of_network(one: Desk, whole: Expression) -> bool:
    """Whether no derivative is left in it by name."""
    elements = (e for t in whole.terms for f in t.factors for e in f.atoms(Element))
    return all(element.tensor in one.network.by_name for element in elements)


def _sums_last(derivation: Derivation, whole: Expression) -> Formula:
    """No term stands after a sum sign that does not belong to it."""
    ordered = sorted(whole.terms, key=lambda term: bool(term.bound))
    parts = tuple(_of(derivation, Expression((term,))) for term in ordered)
    return Total(parts) if len(parts) > 1 else parts[0]


def _function(one: Desk) -> str:
    return layers_of(one.network)[-1].function


def _distinct(one: Desk, sides: list[Formula]) -> list[Formula]:
    """Without a side that prints as the one before it."""
    shown = [show(side, one.setting) for side in sides]
    return [side for k, side in enumerate(sides) if k == 0 or shown[k] != shown[k - 1]]


def usual() -> tuple[Choice, ...]:
    """Each loss as it is usually met."""
    order = sorted(LOSSES, key=_place)
    return tuple(Choice(loss, *chosen) for loss in order for chosen in LOSSES[loss].usual)


def _choices(architecture: Architecture) -> tuple[Choice, ...]:
    """The usual ones, and the combination of this network where it is another."""
    choices = usual()
    if any(_is_used(choice, architecture) for choice in choices):
        return choices
    last, labels = architecture.layers[-1].activation, _kind(architecture.labels)
    own = Choice(architecture.loss, last, architecture.half, labels)
    like = [c for c in choices if (c.loss, c.half) == (own.loss, own.half)][:1]
    before = like or [c for c in choices if _place(c.loss) <= _place(own.loss)]
    place = choices.index(before[-1]) + 1 if before else 0
    return (*choices[:place], own, *choices[place:])


def _place(loss: str) -> tuple[bool, int]:
    """Losses of any output first, then those that need an activation; last what has no target."""
    record = LOSSES[loss]
    return not record.labelled, [None, *ACTIVATIONS].index(record.needs)


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
    setting = Typesetting(network.with_adjoints, notation)
    return Desk(network, setting, (scene_of(network, generic_sizes(network), seed=3),), ())


def _row(choice: Choice, one: Desk, used: bool) -> tuple[Line, ...]:
    loss = one.network.loss
    formula = one.chain(Name(loss), one.forward(loss, matrix=False))
    slope = one.chain(Derivative(loss, "z1"), one.result("z1"))
    words = _name(choice)
    return (
        (Strong(words) if used else words,),
        (one.maths(formula.sides[1]),),
        (one.maths(slope.sides[1]), *_of_ones(choice, one)),
    )


def _of_ones(choice: Choice, one: Desk) -> Line:
    if choice.record.labelled:
        return ()
    count = one.maths(Of(expression(product(_outputs(one), (), ()))))
    return (
        (", a row of ", count, " ones")
        if not one.setting.columns
        else (", a column of ", count, " ones")
    )


def _title(loss: str) -> str:
    return Choice(loss, "").words.capitalize()


def _name(choice: Choice) -> str:
    return f"{choice.words}{TARGETS[choice.labels]}, {choice.activation.replace('_', ' ')}"


def _outputs(one: Desk) -> Expr:
    (extent,) = one.tensor("yhat").shape
    return extent
