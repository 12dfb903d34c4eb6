"""What each sample of the worked example contributes to a gradient, and that the contributions add
up to it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from sympy import prod

from symbackprop.calculus.terms import expression, product
from symbackprop.document.blocks import Block, Chain, Display, Heading, Line, Paragraph, Table
from symbackprop.document.desk import Desk
from symbackprop.document.formulas import (
    Derivative,
    Formula,
    Grid,
    Name,
    Number,
    Of,
    Product,
    Total,
    entry,
)
from symbackprop.document.numbers import (
    array_of,
    line_of,
    listed,
    numbers,
    shown,
    size_words,
    weaker,
)
from symbackprop.networks.layers.multilayer import SAMPLES
from symbackprop.networks.roles import LayerNames, layers_of

Array = npt.NDArray[Any]

WIDEST_SUM = 6
WIDEST_PRODUCT = 5
LONGEST_TABLE = 24
MOST_SAMPLES = 6
ROUNDED = (
    " Numbers are added before they are rounded for printing, so that a last digit may seem off by"
    " one."
)


def samples(desk: Desk) -> Iterator[Block]:
    """All error terms, then contributions to the gradients of the last layer and of the first
    weights; `desk` is at the worked numbers."""
    layers = layers_of(desk.network)
    yield from _error_terms(desk, layers)
    chosen = [layer for layer in dict.fromkeys((layers[-1], layers[0])) if _fits(desk, layer)]
    if not chosen:
        return
    yield Heading(2, ("What each sample contributes",))
    yield Paragraph(_opening(desk))
    named: list[str] = []
    for layer in chosen:
        named.append(layer.weight)
        yield from _weight(desk, layer)
        if layer.bias and layer is layers[-1]:
            named.append(layer.bias)
            yield from _bias(desk, layer)
    yield from _left_out(desk, layers, named)


def _error_terms(desk: Desk, layers: Sequence[LayerNames]) -> Iterator[Block]:
    yield Heading(3, ("Backward, layer by layer",))
    yield Paragraph(
        (
            f"Now the error terms, from the last layer to the first. Each {line_of(desk)} belongs"
            " to one sample.",
        )
    )
    for layer in reversed(layers):
        delta = layer.delta
        start = f"Layer {layer.number}: "
        yield Paragraph((start, desk.chain(Name(delta), desk.result(layer.total)), ":"))
        yield shown(desk, delta)


def _left_out(desk: Desk, layers: Sequence[LayerNames], named: Sequence[str]) -> Iterator[Block]:
    """The parameters without a section of their own."""
    kept = [layer for layer in reversed(layers) if {layer.weight, layer.bias} - {*named, ""}]
    if not kept:
        return
    names = [n for layer in kept for n in (layer.weight, layer.bias) if n and n not in named]
    deltas = [layer.delta for layer in kept]
    yield Paragraph(
        (
            f"The {'gradients' if len(names) > 1 else 'gradient'} of ",
            *listed(desk, names),
            f" {'come' if len(names) > 1 else 'comes'} about in the same way, from ",
            *listed(desk, deltas),
            ".",
        )
    )


def _fits(desk: Desk, layer: LayerNames) -> bool:
    """Whether products for one sample fit on a line, and contributions in a table."""
    rows, cols = array_of(desk, Name(layer.weight)).shape
    across = rows if desk.setting.columns else cols
    few = desk.own[0].point.sizes[SAMPLES] <= MOST_SAMPLES
    return few and across <= WIDEST_PRODUCT and rows * cols <= LONGEST_TABLE


def mean_factor(desk: Desk) -> Of | None:
    """The factor that a mean brings into the loss, 1/N or 1/(N K); None where there is none."""
    terms = desk.network.equation_of[desk.network.loss].rhs.terms
    divided = terms[0].coefficient.as_numer_denom()[1]
    sizes = [size for size in divided.free_symbols if size != SAMPLES]
    if not divided.has(SAMPLES):
        return None
    return Of(expression(product(1 / prod([SAMPLES, *sizes]), (), ())))


def _opening(desk: Desk) -> Line:
    if _count(desk) == 1:
        return ("There is one sample, so its contribution is the whole gradient.",)
    factor = mean_factor(desk)
    if factor is None:
        what = "The loss of the batch" if desk.has_labels else "What is differentiated"
        return (
            f"{what} is a sum over its samples, so each gradient is the sum of"
            " what the samples contribute. Every contribution uses the values of one sample only."
            + ROUNDED,
        )
    return (
        "The loss of the batch is a mean. Its factor ",
        desk.maths(factor),
        " is already contained in every error term, so the contributions of the samples are"
        " simply added, without a further factor. Every contribution uses the values of one sample"
        " only." + ROUNDED,
    )


# --------------------------------------------------------------------------------------------
# One parameter
# --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Contributions:
    """One array for each sample, of the shape of the parameter; the gradient is their sum."""

    name: str
    parts: tuple[Array, ...]

    @property
    def total(self) -> Array:
        return np.asarray(np.sum(self.parts, axis=0))


def _weight(desk: Desk, layer: LayerNames) -> Iterator[Block]:
    yield Heading(3, ("The weights ", desk.name(layer.weight)))
    yield Paragraph(_rule(desk, layer))
    parts = []
    for n in range(_count(desk)):
        product_side = _outer(desk, layer, n)
        part = array_of(desk, product_side)
        grid, relation = numbers(part)
        yield Display(desk.chain(product_side, grid, relation=relation))
        parts.append(part)
    yield from _added(desk, Contributions(layer.weight, tuple(parts)))


def _count(desk: Desk) -> int:
    return int(desk.own[0].point.sizes[SAMPLES])


def _rule(desk: Desk, layer: LayerNames) -> Line:
    """What a sample contributes to the weights, and of which shape that is."""
    source: Line = ("its input to the layer, from ", desk.name(layer.source))
    error: Line = ("its error term, from ", desk.name(layer.delta))
    if array_of(desk, Name(layer.weight)).size == 1:
        return ("A sample contributes ", *source, ", times ", *error, ":")
    column, row = (error, source) if desk.setting.columns else (source, error)
    return (
        "A sample contributes a column times a row: ",
        *column,
        ", as a column; ",
        *row,
        ", as a row. Their product is a matrix of the shape of ",
        desk.name(layer.weight),
        f", {size_words(desk, layer.weight)}:",
    )


def _outer(desk: Desk, layer: LayerNames, n: int) -> Product:
    """Column of the inputs times row of the error terms of sample n."""
    width_in, width_out = array_of(desk, Name(layer.weight)).shape
    column = Grid(tuple((entry(layer.source, n, j),) for j in range(width_in)))
    row = Grid((tuple(entry(layer.delta, n, k) for k in range(width_out)),))
    return Product((column, row))


def _bias(desk: Desk, layer: LayerNames) -> Iterator[Block]:
    delta = layer.delta
    yield Heading(3, ("The bias ", desk.name(layer.bias)))
    yield Paragraph(
        (
            "The bias is added with factor 1, so a sample contributes its error term as it is: its"
            f" {line_of(desk)} of ",
            desk.name(delta),
            ", which has the shape of ",
            desk.name(layer.bias),
            f", {size_words(desk, layer.bias)}.",
        )
    )
    rows = array_of(desk, Name(delta))
    parts = tuple(rows[n : n + 1] for n in range(_count(desk)))
    yield from _added(desk, Contributions(layer.bias, parts))


# --------------------------------------------------------------------------------------------
# The sum
# --------------------------------------------------------------------------------------------


def _added(desk: Desk, found: Contributions) -> Iterator[Block]:
    """Contributions = total: in one line where that fits, else as a table, checked either way."""
    chain = _sum_chain(desk, found)
    derivative = Derivative(desk.network.loss, found.name)
    if len(found.parts) == 1:
        grid, relation = numbers(found.total)
        formula = desk.chain(derivative, desk.result(found.name, shapes=True))
        yield Paragraph(("This is the gradient, ", formula, ":"))
        yield Display(desk.chain(derivative, grid, relation=relation))
        return
    yield Paragraph(
        (
            "The sum of these contributions is the gradient, ",
            desk.chain(derivative, desk.result(found.name, shapes=True)),
            ". " + ("In numbers:" if _columns(desk, found) <= WIDEST_SUM else "Entry by entry:"),
        )
    )
    if _columns(desk, found) <= WIDEST_SUM:
        yield Display(chain)
        return
    yield _table(desk, found)
    yield Paragraph(("The last column, put back into the shape of the matrix:",))
    yield Display(desk.chain(chain.sides[0], chain.sides[-1], relation=chain.relation))


def _columns(desk: Desk, found: Contributions) -> int:
    across = found.parts[0].shape[0 if desk.setting.columns else 1]
    return int(across * len(found.parts))


def _sum_chain(desk: Desk, found: Contributions) -> Chain:
    grids, relations = zip(*map(numbers, found.parts), strict=True)
    total, relation = numbers(found.total)
    added: Formula = Total(tuple(grids))
    return desk.chain(
        Derivative(desk.network.loss, found.name),
        added,
        total,
        relation=weaker(*relations, relation),
    )


def _table(desk: Desk, found: Contributions) -> Table:
    """A row for each entry of the parameter, a column for each sample, the gradient at the end."""
    header: Sequence[Line] = (
        ("entry",),
        *((f"sample {n + 1}",) for n in range(len(found.parts))),
        ("sum",),
    )
    rows = []
    for place in desk.places(found.name):
        at = place if len(place) == 2 else (0, *place)
        figures = [float(array[at]) for array in (*found.parts, found.total)]
        rows.append(
            (
                (desk.maths(entry(found.name, *place)),),
                *((desk.maths(Number(figure)),) for figure in figures),
            )
        )
    return Table(tuple(header), tuple(rows))
