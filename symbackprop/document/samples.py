"""What each sample of the worked example contributes to a gradient, and that the contributions add
up to it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

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
from symbackprop.document.numbers import array_of, line_of, numbers, shown, size_words, weaker
from symbackprop.document.structure import LayerNames, layers_of
from symbackprop.layers.multilayer import SAMPLES
from symbackprop.terms import expression, product

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
    """Contributions to the gradients of the last layer and of the first weights; `desk` is at
    the worked numbers."""
    layers = layers_of(desk.network)
    shown_layers = [layer for layer in dict.fromkeys((layers[-1], layers[0])) if _fits(desk, layer)]
    if not shown_layers:
        return
    yield Heading(2, ("What each sample contributes",))
    yield Paragraph(_opening(desk))
    for layer in shown_layers:
        yield from _weight(desk, layer)
        if layer.bias and layer is layers[-1]:
            yield from _bias(desk, layer)


def _fits(desk: Desk, layer: LayerNames) -> bool:
    """Whether products for one sample fit on a line, and contributions in a table."""
    rows, cols = array_of(desk, Name(layer.weight)).shape
    across = rows if desk.setting.columns else cols
    few = desk.own[0].point.sizes[SAMPLES] <= MOST_SAMPLES
    return few and across <= WIDEST_PRODUCT and rows * cols <= LONGEST_TABLE


def is_averaged(desk: Desk) -> bool:
    """Whether the loss divides by the number of samples."""
    terms = desk.network.equation_of[desk.network.loss].rhs.terms
    return any(term.coefficient.has(SAMPLES) for term in terms)


def _opening(desk: Desk) -> Line:
    if is_averaged(desk):
        return (
            "The loss of the batch is a mean over its samples, so its gradient is the mean of the"
            " gradients that the samples would have alone. The error term of the batch already"
            " contains the factor ",
            desk.maths(_share()),
            "; multiplied by the number of samples it is the error term of each sample alone."
            + ROUNDED,
        )
    return (
        "The loss of the batch is a sum over its samples, so its gradient is the sum of what each"
        " sample contributes. Every contribution uses the values of that sample only." + ROUNDED,
    )


def _share(inverse: bool = True) -> Of:
    """1/N, or N."""
    return Of(expression(product(1 / SAMPLES if inverse else SAMPLES, (), ())))


# --------------------------------------------------------------------------------------------
# One parameter
# --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Contributions:
    """One array for each sample, of the shape of the parameter. With `mean`, the gradient is
    their mean, otherwise their sum."""

    name: str
    parts: tuple[Array, ...]
    mean: bool

    @property
    def total(self) -> Array:
        whole = np.sum(self.parts, axis=0)
        return np.asarray(whole / len(self.parts) if self.mean else whole)


def _weight(desk: Desk, layer: LayerNames) -> Iterator[Block]:
    delta = f"delta{layer.number}"
    yield Heading(3, ("The weights ", desk.name(layer.weight)))
    yield Paragraph(
        (
            "Error terms ",
            desk.name(delta),
            ", from ",
            desk.chain(Name(delta), desk.result(layer.total)),
            ":",
        )
    )
    yield shown(desk, delta)
    yield Paragraph(
        (
            "A sample contributes its input of the layer times its own error term, a matrix of the"
            f" shape of the weights, {size_words(desk, layer.weight)}:",
        )
    )
    parts = []
    for n in range(desk.own[0].point.sizes[SAMPLES]):
        product_side = _outer(desk, layer, n)
        part = array_of(desk, product_side)
        grid, relation = numbers(part)
        yield Display(desk.chain(product_side, grid, relation=relation))
        parts.append(part)
    yield from _added(desk, Contributions(layer.weight, tuple(parts), is_averaged(desk)))


def _outer(desk: Desk, layer: LayerNames, n: int) -> Product:
    """Column of the inputs times row of the error terms of sample n; times N for a mean."""
    width_in, width_out = array_of(desk, Name(layer.weight)).shape
    column = Grid(tuple((entry(layer.source, n, j),) for j in range(width_in)))
    row = Grid((tuple(entry(f"delta{layer.number}", n, k) for k in range(width_out)),))
    return _times_samples(desk, (column, row))


def _times_samples(desk: Desk, parts: tuple[Formula, ...]) -> Product:
    return Product((_share(inverse=False), *parts) if is_averaged(desk) else parts)


def _bias(desk: Desk, layer: LayerNames) -> Iterator[Block]:
    yield Heading(3, ("The bias ", desk.name(layer.bias)))
    yield Paragraph(
        (
            "The bias is added with factor 1, so a sample contributes its error term as it is, ",
            _error_row(desk),
            f" of the matrix above, of the shape of the bias, {size_words(desk, layer.bias)}.",
        )
    )
    count = desk.own[0].point.sizes[SAMPLES]
    scale = count if is_averaged(desk) else 1
    rows = scale * array_of(desk, Name(f"delta{layer.number}"))
    parts = tuple(rows[n : n + 1] for n in range(count))
    yield from _added(desk, Contributions(layer.bias, parts, is_averaged(desk)))


def _error_row(desk: Desk) -> str:
    times = " (times the number of samples)" if is_averaged(desk) else ""
    return f"one {line_of(desk)}{times}"


# --------------------------------------------------------------------------------------------
# The sum
# --------------------------------------------------------------------------------------------


def _added(desk: Desk, found: Contributions) -> Iterator[Block]:
    """Contributions = total: in one line where that fits, else as a table, checked either way."""
    chain = _sum_chain(desk, found)
    yield Paragraph(
        ("The gradient is their mean:" if found.mean else "The gradient is their sum:",)
    )
    yield desk.display(
        Derivative(desk.network.loss, found.name), desk.result(found.name, shapes=True)
    )
    if _columns(desk, found) <= WIDEST_SUM:
        yield Display(chain)
        return
    yield Paragraph(("In numbers, with a line for each entry of ", desk.name(found.name), ":"))
    yield _table(desk, found)
    yield Paragraph(("The last column, put back into the shape of the matrix:",))
    yield Display(desk.chain(chain.sides[0], chain.sides[-1], relation=chain.relation))


def _columns(desk: Desk, found: Contributions) -> int:
    across = found.parts[0].shape[0 if desk.setting.columns else 1]
    return across * len(found.parts)


def _sum_chain(desk: Desk, found: Contributions) -> Chain:
    grids, relations = zip(*map(numbers, found.parts), strict=True)
    total, relation = numbers(found.total)
    added: Formula = Total(tuple(grids))
    if found.mean:
        added = Product((_share(), added))
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
        ("mean" if found.mean else "sum",),
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
