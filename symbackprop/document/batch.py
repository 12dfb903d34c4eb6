"""From one sample to a batch: what stays as it was, and what changes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from symbackprop.document.blocks import (
    Aside,
    Block,
    Code,
    Heading,
    Line,
    Maths,
    Paragraph,
    Strong,
    Table,
)
from symbackprop.document.desk import Desk
from symbackprop.document.formulas import (
    Derivative,
    Formula,
    Grid,
    Name,
    Of,
    Product,
    slope,
)
from symbackprop.document.numbers import line_of, selected, size_words
from symbackprop.document.samples import is_averaged
from symbackprop.document.structure import LayerNames, layers_of
from symbackprop.layers.multilayer import SAMPLES
from symbackprop.terms import Element, expression, product

MOST_ADDENDS = 9  # in one row of a written-out matrix


def batch(one: Desk, many: Desk) -> Iterator[Block]:
    """The step from `one` (the network of one sample) to `many` (the network of a batch)."""
    layers = layers_of(many.network)
    last = layers[-1]
    yield Heading(2, ("From one sample to a batch",))
    yield from _arrangement(many)
    yield from _loss(many)
    yield from _differences(one, many, _with_bias(layers))
    yield from _error_terms(many, last)
    yield from _input_of_layer(many, last)
    yield from _weights(many, last)
    yield from _bias(one, many, _with_bias(layers))
    yield from summary(many)


def _with_bias(layers: tuple[LayerNames, ...]) -> LayerNames:
    """The last layer that has a bias; the last one where none has."""
    return next((layer for layer in reversed(layers) if layer.bias), layers[-1])


# --------------------------------------------------------------------------------------------
# What a batch is
# --------------------------------------------------------------------------------------------


def _arrangement(many: Desk) -> Iterator[Block]:
    first = layers_of(many.network)[0]
    line = line_of(many)
    place = "second" if many.setting.columns else "first"
    yield Paragraph(
        (
            f"Put the samples of a batch beside one another as the {line}s of one matrix: ",
            many.name("x"),
            f" has one {line} for each sample, and so has every matrix that is computed from it. ",
            f"The {place} index of an entry then is the number of the sample. The weights",
            " stay what they were, since all samples share them. The forward pass keeps its",
            " formulas",
            *_bias_remark(many, first),
            ":",
        )
    )
    yield many.display(Name(first.total), many.forward(first.total), defines=True)
    if many.own:
        yield Paragraph((f"With {_samples(many)} for illustration, the input is",))
        yield many.display(Name("x"), many.grid("x"))


def _bias_remark(many: Desk, layer: LayerNames) -> Line:
    if not layer.bias:
        return ()
    ones = "row" if many.setting.columns else "column"
    return (
        ", only that the bias is added to every sample, which is written as a product with a",
        f" {ones} of ones, a bold 1",
    )


def _samples(many: Desk) -> str:
    count = many.own[0].point.sizes[SAMPLES]
    return f"{count} samples" if count > 1 else "1 sample"


def _loss(many: Desk) -> Iterator[Block]:
    loss = many.network.loss
    named = (
        "The loss is one number for the whole batch:"
        if many.network.of_kind("label")
        else "What is differentiated is one number for the whole batch:"
    )
    yield Paragraph((named,))
    yield many.display(Name(loss), many.forward(loss, matrix=False), defines=True)
    yield Paragraph(_where_the_mean_enters(many))


def _where_the_mean_enters(many: Desk) -> Line:
    """What the reduction does to the formulas."""
    (coefficient,) = {term.coefficient for term in _loss_terms(many)[:1]}
    last = layers_of(many.network)[-1]
    if not coefficient.has(SAMPLES):
        return (
            "It is the sum over the samples. No factor ",
            many.maths(_one_over(SAMPLES)),
            " stands in it, so none appears in any gradient.",
        )
    divided = coefficient.as_numer_denom()[1]
    entries = divided.free_symbols - {SAMPLES}
    scale = _one_over(SAMPLES * next(iter(entries)) if entries else SAMPLES)
    return (
        "It is the mean over all entries of the output, "
        if entries
        else "It is the mean over the samples, ",
        "and here ",
        Strong("the factor "),
        many.maths(scale),
        Strong(" enters"),
        ". It reaches the gradients at one place only, in the error term ",
        many.name(f"delta{last.number}"),
        " of the last layer; from there it is handed on with the error terms, and no later formula",
        " has a factor of its own.",
    )


def _loss_terms(many: Desk) -> tuple[Any, ...]:
    return many.network.equation_of[many.network.loss].rhs.terms


def _one_over(size: Any) -> Of:
    return Of(expression(product(1 / size, (), ())))


# --------------------------------------------------------------------------------------------
# What changes
# --------------------------------------------------------------------------------------------


def _differences(one: Desk, many: Desk, layer: LayerNames) -> Iterator[Block]:
    """The formulas of one layer, for one sample and for a batch."""
    rows = [
        _difference(one, many, layer.total, f"one {line_of(many)} for each sample"),
        _difference(one, many, layer.source, "same formula"),
        _difference(one, many, layer.weight, "same formula, now a sum"),
    ]
    if layer.bias:
        rows.append(_difference(one, many, layer.bias, "changed: a sum"))
    yield Paragraph(
        (f"What becomes of the derivatives? Here is layer {layer.number} before and after:",)
    )
    yield Table((("derivative by",), ("one sample",), ("batch",), ("what changes",)), tuple(rows))


def _difference(one: Desk, many: Desk, name: str, remark: str) -> tuple[Line, ...]:
    return (
        (many.name(name),),
        (_derived(one, name),),
        (_derived(many, name),),
        (remark,),
    )


def _derived(desk: Desk, name: str, shapes: bool = False) -> Maths:
    """The formula of a derivative alone, checked as the equation that it belongs to."""
    chain = desk.chain(Derivative(desk.network.loss, name), desk.result(name, shapes))
    return desk.maths(chain.sides[1])


def _error_terms(many: Desk, layer: LayerNames) -> Iterator[Block]:
    loss = many.network.loss
    delta = f"delta{layer.number}"
    line = line_of(many)
    yield Heading(3, ("The error terms of a batch",))
    yield Paragraph(
        (
            f"Each sample has an error term of its own, and it fills one {line}. No sample enters"
            f" the forward pass of another one, so each {line} is what was found before for this"
            " sample",
            *(
                (", apart from the factor ", many.maths(_one_over(SAMPLES)))
                if is_averaged(many)
                else ()
            ),
            ":",
        )
    )
    sides: list[Formula] = [Derivative(loss, layer.total), many.result(layer.total), Name(delta)]
    if many.own:
        sides.append(many.grid(delta))
    yield many.display(*sides)


def _input_of_layer(many: Desk, layer: LayerNames) -> Iterator[Block]:
    yield Heading(3, ("The input of a layer: unchanged",))
    sides: list[Formula] = [Derivative(many.network.loss, layer.source)]
    if many.own:
        sides.append(
            Product((many.grid(f"delta{layer.number}"), _transposed(many.grid(layer.weight))))
        )
    yield many.display(*sides, many.result(layer.source, shapes=True))
    yield Paragraph(
        (
            f"Each {line_of(many)} of the result uses the error term of the same sample and no",
            " other: the formula of one sample, applied to all of them at once.",
        )
    )


def _transposed(grid: Grid) -> Grid:
    return Grid(tuple(zip(*grid.rows, strict=True)))


# --------------------------------------------------------------------------------------------
# The sums over the samples
# --------------------------------------------------------------------------------------------


def _weights(many: Desk, layer: LayerNames) -> Iterator[Block]:
    loss = many.network.loss
    derivation = many.sweep[layer.weight]
    delta = f"delta{layer.number}"
    yield Heading(3, ("The weights: the same formula, which now adds",))
    sides: list[Formula] = [Derivative(loss, layer.weight)]
    if many.own:
        sides.append(Product((_transposed(many.grid(layer.source)), many.grid(delta))))
    yield many.display(*sides, many.result(layer.weight, shapes=True))
    yield Paragraph(("One entry of this product, in index form:",))
    yield many.display(
        Of(derivation.steps[0].before, derivation.indices),
        Of(derivation.result, derivation.indices),
    )
    if many.own:
        yield Paragraph((f"and written out for the first weight and {_samples(many)}:",))
        yield many.display(
            slope(Element(loss), Element(layer.weight, 0, 0)),
            Of(many.at(derivation.result, derivation.indices, (0, 0))),
        )
        yield Paragraph(
            (
                "Each addend belongs to one sample. The first, ",
                many.maths(_addend(layer, 0)),
                ", tells how the loss changes with this weight on account of sample 1 alone",
                *_and_so_on(many, layer),
                ".",
            )
        )
    yield Aside("Why the sum over the batch?", tuple(_why_the_sum(many, layer)))


def _addend(layer: LayerNames, sample: int) -> Of:
    parts = (
        Element(layer.source, sample, 0),
        Element(f"delta{layer.number}", sample, 0),
    )
    return Of(expression(product(1, (), parts)))


def _and_so_on(many: Desk, layer: LayerNames) -> Line:
    if many.own[0].point.sizes[SAMPLES] < 2:
        return ()
    return ("; ", many.maths(_addend(layer, 1)), " does so for sample 2, and so on")


def _why_the_sum(many: Desk, layer: LayerNames) -> Iterator[Block]:
    yield Paragraph(
        (
            "There is one copy of each weight, and every sample uses it. A small change of the",
            " weight therefore changes the loss through all samples at once, and effects along",
            " different paths add. ",
            "The matrix product needs no extra sign for this: its inner index is the number of the",
            " sample, so a column times a row for one sample becomes the sum of such products",
            " for a batch.",
        )
    )


def _bias(one: Desk, many: Desk, layer: LayerNames) -> Iterator[Block]:
    yield Heading(3, ("The bias: the one formula that changes",))
    if not layer.bias:
        yield Paragraph(
            (
                "This network has no biases. With one, its gradient would be the sum of the error",
                " terms over the samples, for the same reason: all samples share the bias.",
            )
        )
        return
    loss = many.network.loss
    derivation = many.sweep[layer.bias]
    yield Paragraph(
        (
            "For one sample the gradient of the bias is the error term itself, ",
            one.chain(Derivative(loss, layer.bias), one.result(layer.bias)),
            ". The samples share one bias, so their error terms are added, index by index:",
        )
    )
    yield many.display(
        Of(derivation.steps[0].before, derivation.indices),
        Of(derivation.result, derivation.indices),
    )
    line = line_of(many)
    yield Paragraph(
        (
            f"These are the sums over the {line}s of the matrix of error terms. As matrix algebra,",
            " a product with ones takes them:",
        )
    )
    sides: list[Formula] = [Derivative(loss, layer.bias)]
    if many.own and _addends(many, layer) <= MOST_ADDENDS:
        sides.append(many.result_grid(derivation))
    yield many.display(*sides, many.result(layer.bias, shapes=True))
    yield Paragraph(
        (
            "Beside the weights nothing was needed, because there the matrix product adds; here"
            " the ones have to be written. In NumPy, with samples as rows, it is ",
            Code(f"delta{layer.number}.sum(axis=0)"),
            ".",
        )
    )


def _addends(many: Desk, layer: LayerNames) -> int:
    return len(many.places(layer.bias)) * many.own[0].point.sizes[SAMPLES]


# --------------------------------------------------------------------------------------------
# Summary
# --------------------------------------------------------------------------------------------


def summary(many: Desk) -> Iterator[Block]:
    """All derivatives for a batch, from the last layer to the first."""
    yield Heading(3, ("All gradients of a batch",))
    rows: list[tuple[Line, ...]] = []
    for layer in selected(layers_of(many.network)[::-1]):
        if layer is None:
            rows.append((("...",),) * 3)
            continue
        names = [layer.total, layer.weight, layer.bias, layer.source]
        rows += [_summary_row(many, layer, name) for name in names if name]
    header: tuple[Line, ...] = (
        ("derivative of ", many.name(many.network.loss), " by"),
        ("formula",),
        ("shape",),
    )
    yield Table(header, tuple(rows))


def _summary_row(many: Desk, layer: LayerNames, name: str) -> tuple[Line, ...]:
    left: Line = (many.name(name),)
    if name == layer.total:
        left = (*left, ", called ", many.name(f"delta{layer.number}"))
    return (left, (_derived(many, name, shapes=True),), (size_words(many, name),))
