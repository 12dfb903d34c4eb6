"""From one sample to a batch: what stays as it was, and what changes."""

from __future__ import annotations

from collections.abc import Iterator

from sympy import Expr

from symbackprop.calculus.terms import Element, Expression, Index, expression, product
from symbackprop.document.blocks import Aside, Block, Code, Heading, Line, Maths, Paragraph, Table
from symbackprop.document.desk import Desk
from symbackprop.document.formulas import Derivative, Formula, Grid, Name, Of, Product, entry, slope
from symbackprop.document.numbers import line_of, listed, selected, size_words
from symbackprop.document.samples import mean_factor
from symbackprop.networks.layers.multilayer import SAMPLES
from symbackprop.networks.roles import LayerNames, layers_of

MOST_ADDENDS = 9  # in one row of a written-out matrix


def batch(one: Desk, many: Desk) -> Iterator[Block]:
    """The step from `one` (the network of one sample) to `many` (the network of a batch)."""
    layers = layers_of(many.network)
    last = layers[-1]
    biased = next((layer for layer in reversed(layers) if layer.bias), None)
    yield Heading(2, ("From one sample to a batch",))
    yield from _arrangement(one, many)
    yield Paragraph(_loss(many))
    yield from _differences(one, many, biased or last)
    yield from _error_terms(many, last)
    yield from _input_of_layer(many, last)
    yield from _weights(many, last)
    if biased:
        yield from _bias(one, many, biased)
    else:
        yield from _no_bias()
    yield from summary(many)


# --------------------------------------------------------------------------------------------
# What a batch is
# --------------------------------------------------------------------------------------------


def _arrangement(one: Desk, many: Desk) -> Iterator[Block]:
    first = layers_of(many.network)[0]
    columns = many.setting.columns
    line = line_of(many)
    yield Paragraph(
        (
            "A batch consists of several samples; ",
            many.maths(_number_of_samples()),
            f" is their number. Write the samples {'beside' if columns else 'below'} one another,"
            f" as the {line}s of one matrix ",
            many.name("x"),
            f". It has one {line} for each sample, and so has every matrix that is computed from"
            " it",
            *_capitals(one, many),
            ". An entry of such a matrix needs one more index, the number of its sample, which is"
            f" the {'second' if columns else 'first'} one: ",
            *_example(many),
            ". The parameters stay what they were, since all samples share them.",
        )
    )
    if many.own:
        yield Paragraph((f"Shown for {_samples(many)}, the input is",))
        yield many.display(Name("x"), many.grid("x"))
    yield Paragraph(("The forward pass keeps its formulas", *_bias_remark(many, first), ":"))
    yield many.display(Name(first.total), many.forward(first.total), defines=True)


def _number_of_samples() -> Of:
    return Of(expression(product(SAMPLES, (), ())))


def _capitals(one: Desk, many: Desk) -> Line:
    """Which letters become capitals for a batch, and which do not."""
    last = layers_of(many.network)[-1]
    candidates = dict.fromkeys((last.source, "x", "yhat", last.delta))
    changed = [c for c in candidates if one.setting.name(c) != many.setting.name(c)]
    kept = [c for c in candidates if c not in changed]
    if not changed:
        return ()
    return (
        ". A capital letter stands for such a matrix: ",
        one.name(changed[0]),
        " for one sample, ",
        many.name(changed[0]),
        " for all of them",
        *(("; ", *listed(many, kept), _keeps(kept)) if kept else ()),
    )


def _keeps(kept: list[str]) -> str:
    return " keeps its letter" if len(kept) == 1 else " keep their letters"


def _example(many: Desk) -> Line:
    """One entry, and to which sample and unit it belongs."""
    layers = layers_of(many.network)
    sources = [layer.source for layer in reversed(layers)]
    wide = [s for s in sources if not many.own or many.own[0].values[s].shape[1] > 1]
    source = (wide or sources)[0]
    sample = 1 if not many.own or many.own[0].point.sizes[SAMPLES] > 1 else 0
    unit = f" and {'input' if source == 'x' else 'unit'} 1" if wide else ""
    return (many.maths(entry(source, sample, 0)), f" belongs to sample {sample + 1}{unit}")


def _bias_remark(many: Desk, layer: LayerNames) -> Line:
    if not layer.bias:
        return ()
    ones = "row" if many.setting.columns else "column"
    return (
        ", except that the bias is added to every sample; this is written as a product with a",
        f" {ones} of ones, a bold 1",
    )


def _samples(many: Desk) -> str:
    count = many.own[0].point.sizes[SAMPLES]
    return f"{count} samples" if count > 1 else "1 sample"


def _loss(many: Desk) -> Line:
    """What the reduction does to the formulas."""
    what = "The loss" if many.has_labels else "What is differentiated"
    start: Line = (f"{what}, ", many.name(many.network.loss), ", is one number for the whole batch")
    factor = mean_factor(many)
    if factor is None:
        return (
            *start,
            ", the sum over its samples. No factor ",
            many.maths(_one_over_samples()),
            " stands in it, so none appears in any gradient.",
        )
    last = layers_of(many.network)[-1]
    over = "samples" if factor == _one_over_samples() else "entries of the output"
    return (
        *start,
        f", the mean over all {over}. The factor ",
        many.maths(factor),
        " of the mean reaches the gradients at one place only, in the error term ",
        many.name(last.delta),
        " of the last layer. From there it is handed on inside the error terms: each of them"
        " contains it, and no later formula has a factor of its own.",
    )


def _one_over_samples() -> Of:
    return Of(expression(product(1 / SAMPLES, (), ())))


# --------------------------------------------------------------------------------------------
# What changes
# --------------------------------------------------------------------------------------------


def _differences(one: Desk, many: Desk, layer: LayerNames) -> Iterator[Block]:
    """The formulas of one layer, for one sample and for a batch."""
    factor = "" if mean_factor(many) is None else ", with the factor of the mean inside"
    rows = [
        _difference(one, many, layer.total, f"one {line_of(many)} for each sample{factor}"),
        _difference(one, many, layer.source, "same formula"),
        _difference(one, many, layer.weight, "same formula; it now adds over the samples"),
    ]
    if layer.bias:
        rows.append(_difference(one, many, layer.bias, "changed: a sum over the samples"))
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
    delta = layer.delta
    line = line_of(many)
    factor = mean_factor(many)
    yield Heading(3, ("The error terms of a batch",))
    yield Paragraph(
        (
            f"Each sample has an error term of its own, and it fills one {line}. No sample enters"
            f" the forward pass of another one, so each {line} is what was found before for this"
            " sample",
            *(() if factor is None else (", times the factor ", many.maths(factor))),
            *_written_for(many, "the last matrix is "),
            ":",
        )
    )
    derivative = Derivative(many.network.loss, layer.total)
    grids = (many.grid(delta),) if many.own else ()
    yield many.display(derivative, many.result(layer.total), Name(delta), *grids)


def _written_for(many: Desk, what: str = "") -> Line:
    """For how many samples matrices are written out."""
    if not many.own or many.own[0].point.sizes[SAMPLES] == 1:
        return ()
    return (f" ({what}written out for {_samples(many)})",)


def _input_of_layer(many: Desk, layer: LayerNames) -> Iterator[Block]:
    line = line_of(many)
    yield Heading(3, ("The input of a layer: unchanged",))
    yield Paragraph(
        (
            "The formula of one sample is applied to all samples at once",
            *_written_for(many),
            ":",
        )
    )
    sides: list[Formula] = [
        Derivative(many.network.loss, layer.source),
        many.result(layer.source, shapes=True),
    ]
    if many.own:
        sides.append(Product((many.grid(layer.delta), _transposed(many.grid(layer.weight)))))
    yield many.display(*sides)
    yield Paragraph(
        (f"Each {line} of the result uses the error term of the same sample and no other.",)
    )


def _transposed(grid: Grid) -> Grid:
    return Grid(tuple(zip(*grid.rows, strict=True)))


# --------------------------------------------------------------------------------------------
# The sums over the samples
# --------------------------------------------------------------------------------------------


def _weights(many: Desk, layer: LayerNames) -> Iterator[Block]:
    derivation = many.sweep[layer.weight]
    delta = many.tensor(layer.delta)
    yield Heading(3, ("The weights: the same formula, which now adds",))
    yield Aside("Why the sum over the batch?", (_why_the_sum(many),))
    single = bool(many.own) and many.own[0].values[layer.weight].size == 1
    yield Paragraph(
        (f"{'For the weight' if single else 'For one weight'}, a sum over all samples:",)
    )
    sample = delta.indices[0]
    row, column = derivation.indices
    yield many.display(
        Of(derivation.steps[0].before, derivation.indices),
        Of(
            _added(
                (sample,), Element(layer.source, sample, row), Element(delta.name, sample, column)
            ),
            derivation.indices,
        ),
        Of(derivation.result, derivation.indices),
    )
    if many.own:
        yield from _written_out(many, layer, single)
    yield Paragraph(
        (
            "This is a matrix product. Its inner index, over which every matrix product adds, is"
            " the number of the sample, so the formula of one sample stays as it is",
            *_written_for(many),
            ":",
        )
    )
    sides: list[Formula] = [
        Derivative(many.network.loss, layer.weight),
        many.result(layer.weight, shapes=True),
    ]
    if many.own:
        sides.append(Product((_transposed(many.grid(layer.source)), many.grid(delta.name))))
    yield many.display(*sides)


def _added(bound: tuple[Index, ...], *factors: Expr) -> Expression:
    return expression(product(1, bound, factors))


def _why_the_sum(many: Desk) -> Paragraph:
    what = "loss" if many.has_labels else "sum"
    return Paragraph(
        (
            "There is one copy of each weight, and every sample uses it. A small change of the"
            f" weight therefore changes the {what} through all samples at once. Effects along"
            " different paths add, so the gradient of a weight is the sum of what the samples"
            " contribute, and each sample contributes what it puts into the layer, times its"
            " error term.",
        )
    )


def _written_out(many: Desk, layer: LayerNames, single: bool) -> Iterator[Block]:
    """The sum for the first weight, one addend for each sample."""
    derivation = many.sweep[layer.weight]
    count = many.own[0].point.sizes[SAMPLES]
    if count == 1:
        return
    parts = [_contribution(layer, sample) for sample in range(count)]
    what = "the weight" if single else "the first weight"
    yield Paragraph((f"Written out for {what} and {_samples(many)}:",))
    yield many.display(
        slope(Element(many.network.loss), Element(layer.weight, 0, 0)),
        Of(expression(*(product(1, (), part) for part in parts))),
        Of(many.at(derivation.result, derivation.indices, (0, 0))),
    )
    yield Paragraph(
        (
            "Each addend belongs to one sample. The first, ",
            many.maths(Of(expression(product(1, (), parts[0])))),
            ", is what sample 1 contributes; ",
            many.maths(Of(expression(product(1, (), parts[1])))),
            " is the part of sample 2",
            *((", and so on",) if count > 2 else ()),
            ".",
        )
    )


def _contribution(layer: LayerNames, sample: int) -> tuple[Expr, Expr]:
    return Element(layer.source, sample, 0), Element(layer.delta, sample, 0)


def _no_bias() -> Iterator[Block]:
    yield Heading(3, ("What a bias would change",))
    yield Paragraph(
        (
            "This network has no biases. With one, its gradient would be the sum of the error"
            " terms over the samples, for the same reason: all samples share the bias.",
        )
    )


def _bias(one: Desk, many: Desk, layer: LayerNames) -> Iterator[Block]:
    loss = many.network.loss
    derivation = many.sweep[layer.bias]
    delta = many.tensor(layer.delta)
    sample = delta.indices[0]
    yield Heading(3, ("The bias: the one formula that changes",))
    yield Paragraph(
        (
            "For one sample the gradient of the bias is the error term itself, ",
            one.chain(Derivative(loss, layer.bias), Name(delta.name)),
            ". All samples share the bias, so their error terms are added:",
        )
    )
    yield many.display(
        Of(derivation.steps[0].before, derivation.indices),
        Of(_added((sample,), Element(delta.name, sample, *derivation.indices)), derivation.indices),
        Of(derivation.result, derivation.indices),
    )
    if not any(factor.has(Element) for t in derivation.result.terms for factor in t.factors):
        yield Paragraph(("All error terms are the same number here, so no sum sign is left.",))
        return
    yield Paragraph(
        (
            f"This adds each {'row' if many.setting.columns else 'column'} of the matrix of error"
            " terms over all samples. As matrix algebra, a product with ones does so",
            *(_written_for(many) if _is_listed(many, layer) else ()),
            ":",
        )
    )
    sides: list[Formula] = [Derivative(loss, layer.bias), many.result(layer.bias, shapes=True)]
    if _is_listed(many, layer):
        sides.append(_sums_of(many, layer))
    yield many.display(*sides)
    yield Paragraph(
        (
            "For the weights no extra factor was needed, because the matrix product adds by"
            " itself; for the bias the ones have to be written. In NumPy, with samples as rows, it"
            " is ",
            Code(f"{layer.delta}.sum(axis=0)"),
            ".",
        )
    )


def _is_listed(many: Desk, layer: LayerNames) -> bool:
    """Whether the sums of all entries fit on a line."""
    return bool(many.own) and many.own[0].values[layer.delta].size <= MOST_ADDENDS


def _sums_of(many: Desk, layer: LayerNames) -> Grid:
    """The row of sums of error terms, written out."""
    samples = range(many.own[0].point.sizes[SAMPLES])
    cells = []
    for place in many.places(layer.bias):
        parts = (Element(layer.delta, sample, *place) for sample in samples)
        cells.append(Of(expression(*(product(1, (), (part,)) for part in parts))))
    return Grid((tuple(cells),))


# --------------------------------------------------------------------------------------------
# Summary
# --------------------------------------------------------------------------------------------


def summary(many: Desk) -> Iterator[Block]:
    """All derivatives for a batch, from the last layer to the first."""
    yield Heading(3, ("All gradients of a batch",))
    yield Paragraph(("From the last layer to the first, with the shape of each result:",))
    rows: list[tuple[Line, ...]] = []
    chosen = selected(layers_of(many.network)[::-1])
    totals = {layer.total for layer in chosen if layer}
    for layer in chosen:
        if layer is None:
            rows.append((("...",),) * 3)
            continue
        names = [layer.total, layer.weight, layer.bias]
        names += [] if layer.source in totals else [layer.source]  # no activation: listed as a sum
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
        left = (*left, ", called ", many.name(layer.delta))
    return (left, (_derived(many, name, shapes=True),), (size_words(many, name),))
