"""What a gradient reads: from the forward pass, from the weights, from the targets.

Owns: the reading of derivations down to tensors that are known before the backward pass, and the
gradients with every error term written out, the activation first left open and then named.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sympy import Expr, Symbol

from symbackprop.calculus.scalars import FUNCTIONS
from symbackprop.calculus.terms import (
    Delta,
    Element,
    Expression,
    Index,
    expression,
    rename_apart,
    replace_factor,
    substitute,
)
from symbackprop.derivation.rules import orient_differences, through_output
from symbackprop.document.blocks import Block, Display, Heading, Line, Paragraph, Table
from symbackprop.document.desk import Desk
from symbackprop.document.formulas import Derivative, Formula, Name, Of, Scalar
from symbackprop.document.numbers import selected
from symbackprop.networks.network import tensors_in
from symbackprop.networks.roles import functions_in, functions_of, layers_of

DEEPEST_WRITTEN_OUT = 3
MOST_NAMES = 5


# --------------------------------------------------------------------------------------------
# Reads
# --------------------------------------------------------------------------------------------


def reads_of(desk: Desk, name: str) -> tuple[str, ...]:
    """Tensors that the gradient of `name` reads once every error term is written out, in the
    order of the network. Derivatives of activations read outputs where these suffice."""
    owners = _owners(desk)
    found: set[str] = set()
    seen: set[str] = set()
    waiting = [desk.network.resolve(name)]
    while waiting:
        current = waiting.pop()
        if current in seen:
            continue
        seen.add(current)
        for tensor in _direct_reads(desk, current):
            if tensor in owners:
                waiting.append(owners[tensor])
            else:
                found.add(tensor)
    return tuple(tensor.name for tensor in desk.network.tensors if tensor.name in found)


def _owners(desk: Desk) -> dict[str, str]:
    return {desk.network.adjoint_name(name): name for name in desk.sweep.derivations}


def _direct_reads(desk: Desk, name: str) -> set[str]:
    whole = through_output(desk.sweep[name].result, desk.network)
    return {
        tensor for term in whole.terms for factor in term.factors for tensor in _tensors(factor)
    }


def _tensors(factor: Expr) -> set[str]:
    """Tensors in a factor; a class that is compared with an index is read too."""
    inside = {element.tensor for delta in factor.atoms(Delta) for element in delta.atoms(Element)}
    return set(tensors_in(factor)) | inside


def needs(desk: Desk) -> Iterator[Block]:
    """A table of gradients and what each reads."""
    kinds = ("input", "label", "parameter", "kept")
    rows: list[tuple[Line, ...]] = []
    for layer in selected(layers_of(desk.network)[::-1]):
        if layer is None:
            rows.append((("...",),) * 5)
            continue
        for name in filter(None, (layer.weight, layer.bias)):
            groups = _by_kind(desk, reads_of(desk, name))
            cells = tuple(_cell(desk, groups[kind]) for kind in kinds)
            rows.append(((desk.name(name),), *cells))
    loss = desk.name(desk.network.loss)
    yield Heading(2, ("What each gradient needs",))
    yield Paragraph(
        (
            "A gradient contains an error term, and that one contains the error term of the layer"
            " after it. Put in for each error term what it stands for, again and again until none"
            " is left. What remains is known before the backward pass begins",
            *_slopes_read(desk),
            ":",
        )
    )
    header: tuple[Line, ...] = (
        ("derivative of ", loss, " by"),
        ("input",),
        ("targets",),
        ("parameters",),
        ("kept from the forward pass",),
    )
    yield Table(header, tuple(rows))
    yield Paragraph(_lesson(desk))


def _by_kind(desk: Desk, names: Sequence[str]) -> dict[str, list[str]]:
    groups: dict[str, list[str]] = {kind: [] for kind in ("input", "label", "parameter", "kept")}
    for name in names:
        kind = desk.tensor(name).kind
        groups[kind if kind in groups else "kept"].append(name)
    return groups


def _cell(desk: Desk, names: Sequence[str]) -> Line:
    """Names in a row; of many the first one and the last two."""
    written: list[Line] = [(desk.name(name),) for name in names]
    if len(written) > MOST_NAMES:
        written[1:-2] = [("...",)]
    parts = [(", " if place else "", *line) for place, line in enumerate(written)]
    return tuple(piece for part in parts for piece in part) or ("–",)


def _slopes_read(desk: Desk) -> Line:
    """From which kept values the derivatives of activations are taken."""
    parts: list[Line] = []
    for function in slopes(desk):
        words = _called(function)
        if _is_through_output(desk, function):
            chain = desk.chain(Scalar(function, "slope"), Scalar(function, "through"))
            parts.append((f" The slope of the {words} is known from its output, ", chain, "."))
        else:
            parts.append((f" The slope of the {words} is taken at the kept sums.",))
    if _of_loss(desk):
        at = "the output and the targets" if desk.has_labels else "the output"
        parts.append((f" The slope of the {_of_loss(desk)} in the loss is taken at {at}.",))
    return (
        (".", *(piece for part in parts for piece in part), " The table lists what is read")
        if parts
        else ()
    )


def _lesson(desk: Desk) -> Line:
    """Why input data alone do not determine a gradient, as far as it is so in this network."""
    kinds = {
        desk.tensor(name).kind
        for parameter in desk.network.of_kind("parameter")
        for name in reads_of(desk, parameter.name)
    }
    through = "parameter" in kinds
    kept = bool(kinds - {"input", "label", "parameter"})
    start = "A dash means that nothing of this kind stands in the formula."
    if not through and not kept and "label" not in kinds:
        return (
            start + " In this network no parameter stands in any gradient: what is differentiated"
            " changes at the same rate, whatever the parameters are. In most networks this is"
            " different.",
        )
    if kept:
        start += (
            " What is missing may still have an influence, because the kept values were themselves"
            " computed from the input and the parameters."
        )
    left_out = [("the parameters", through or kept), ("the targets", "label" in kinds)]
    named = [words for words, read in left_out if read]
    start += (
        " One sometimes reads that a gradient depends on the input data only. That leaves out"
        f" {'two things, ' if len(named) > 1 else ''}{' and '.join(named)}."
    )
    if kept:
        start += (
            " With the same input, other parameters in general give other gradients, since"
            " they change the kept values."
        )
    if through:
        start += (
            " The parameters of later layers enter"
            + (" once more" if kept else "")
            + " where the error terms pass through them on the way back."
        )
    if "label" in kinds:
        start += (
            " In general other targets give other gradients, too, since every error term begins"
            " at the loss."
        )
    return (start,)


# --------------------------------------------------------------------------------------------
# Gradients written out
# --------------------------------------------------------------------------------------------


def slopes(desk: Desk) -> tuple[str, ...]:
    """The activations whose derivative stands in some error term."""
    layers = layers_of(desk.network)
    found = set[str]().union(*(functions_in(desk.sweep[n.total].result) for n in layers))
    return tuple(sorted(found & {layer.function for layer in layers}))


def _of_loss(desk: Desk) -> str:
    """The functions in the loss whose derivatives stand in the last error term, in words."""
    inside = functions_of(desk.network, desk.network.loss)
    found = functions_in(desk.sweep[layers_of(desk.network)[-1].total].result)
    return " and of the ".join(_called(name) for name in inside if name in found)


def activation(desk: Desk) -> Iterator[Block]:
    """The gradients of all weights with f' left open, then with the activation's own derivative;
    nothing where no derivative of an activation is left in them."""
    functions = slopes(desk)
    if not functions:
        return
    layers = layers_of(desk.network)
    deep = len(layers) > DEEPEST_WRITTEN_OUT
    one = len(functions) == 1
    open_ = "The gradients with the activation left open" if one else "The gradients written out"
    yield Heading(2, (open_,))
    yield Paragraph(_opening(desk, functions, deep))
    at = desk.general() if one else desk
    for layer in filter(None, selected(layers[::-1])):
        if deep:
            yield _two_forms(at, layer.total, Name(layer.delta))
        by_weight = Derivative(desk.network.loss, layer.weight)
        yield _two_forms(at, layer.weight, by_weight, written_out=not deep)
    yield Paragraph(_closing(desk, functions))


def _opening(desk: Desk, functions: Sequence[str], deep: bool) -> Line:
    named = "with error terms by name" if deep else "with every error term written out"
    if len(functions) > 1:
        return (f"Here are the gradients of the weights, {named}.", *_last_side(desk, functions))
    return (
        "Of an activation the backward pass uses nothing but the derivative. Write f for the"
        f" activation, here the {_called(functions[0])}. Here are the gradients of the weights,"
        f" {named}. As long as f'"
        " stands in them, they hold for any differentiable function f that works entry by entry.",
        *_output_keeps(desk, functions[0]),
        *_last_side(desk, functions),
    )


def _last_side(desk: Desk, functions: Sequence[str]) -> Line:
    """What the step to the last side of an equation rests on."""
    through = [function for function in functions if _is_through_output(desk, function)]
    if not through:
        return ()
    whose = " and of the ".join(map(_called, through))
    what = "the derivative" if len(functions) == 1 else f"the derivative of the {whose}"
    only = f" and so holds for the {whose} only" if len(functions) == 1 else ""
    sides = "Where f' occurs, the last side" if len(functions) == 1 else "A last side"
    return (
        f" {sides} has {what} written through the output{only};"
        " a number minus a matrix is meant entry by entry.",
    )


def _output_keeps(desk: Desk, function: str) -> Line:
    """The last error term may rest on the output activation itself."""
    last = layers_of(desk.network)[-1]
    if not last.function or last.function in functions_in(desk.sweep[last.total].result):
        return ()
    return (
        f" Only the {_called(last.function)} of the output is fixed: the error term of the last"
        " layer, ",
        desk.maths(desk.result(last.total)),
        ", was simplified with it.",
    )


def _called(function: str) -> str:
    return FUNCTIONS[function].in_words if function in FUNCTIONS else function


def _closing(desk: Desk, functions: Sequence[str]) -> Line:
    through = [function for function in functions if _is_through_output(desk, function)]
    if len(through) == len(functions) and _of_loss(desk):
        return (f"On the last sides only the slope of the {_of_loss(desk)} has to be computed.",)
    if len(through) == len(functions):
        return (
            "On the last sides no new function has to be computed: whatever stands there was given"
            " or kept from the forward pass.",
        )
    rest = " and of the ".join(_called(f) for f in functions if f not in through)
    return (f"The slope of the {rest} is taken at the sums that the forward pass has kept.",)


def _is_through_output(desk: Desk, function: str) -> bool:
    """Whether f' needs nothing but the output."""
    output, argument = Symbol("output"), Symbol("argument")
    slope = desk.network.functions[function].slope(argument, output)
    return slope is not None and not slope.has(argument)


def _two_forms(desk: Desk, name: str, left: Formula, written_out: bool = False) -> Display:
    """left = with f' = with the derivative through the output."""
    derivation = desk.sweep[name]
    whole = inlined(desk, derivation.result) if written_out else derivation.result
    through = orient_differences(through_output(whole, desk.network), desk.network)
    sides: list[Formula] = [left, Of(whole, derivation.indices, matrix=True)]
    other = functions_in(through).difference(functions_of(desk.network, desk.network.loss))
    if through != whole and not (other and desk.setting.general):  # f is one function, not two
        sides.append(Of(through, derivation.indices, matrix=True))
    return desk.display(*sides)


def inlined(desk: Desk, whole: Expression) -> Expression:
    """The expression with every error term replaced by what it stands for, again and again."""
    owners = _owners(desk)
    while any(_adjoint_at(term.factors, owners) is not None for term in whole.terms):
        pieces = []
        for term in whole.terms:
            place = _adjoint_at(term.factors, owners)
            if place is None:
                pieces.append(term)
                continue
            element = term.factors[place]
            value = _placed(desk, owners[element.tensor], element.indices)
            pieces.extend(replace_factor(term, place, value))
        whole = expression(*pieces)
    return whole


def _adjoint_at(factors: Sequence[Expr], owners: dict[str, str]) -> int | None:
    for place, factor in enumerate(factors):
        if isinstance(factor, Element) and factor.tensor in owners:
            return place
    return None


def _placed(desk: Desk, name: str, indices: Sequence[Expr]) -> Expression:
    """The derived adjoint under the indices of the place where it is inserted."""
    derivation = desk.sweep[name]
    taken = {index.name for index in derivation.indices}
    replacement: dict[Index, Expr] = dict(zip(derivation.indices, indices, strict=True))
    terms = (rename_apart(term, taken) for term in derivation.result.terms)
    return expression(*(substitute(term, replacement) for term in terms))
