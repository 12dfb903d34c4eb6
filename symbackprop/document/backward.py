"""The backward pass for one sample, layer by layer: every derivative as entries, as a matrix, and
as the product that uses it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sympy import Integer

from symbackprop.calculus.canonical import canonical
from symbackprop.calculus.terms import (
    Applied,
    Element,
    Expression,
    Index,
    Partial,
    contracted,
    elements_in,
    expression,
    map_factors,
    multiply,
    product,
    single,
    substitute,
)
from symbackprop.derivation.rules import USE_LABEL_SUMS, orient_differences, through_output
from symbackprop.derivation.steps import Derivation, Step
from symbackprop.document.blocks import (
    Aside,
    Block,
    Chain,
    Display,
    Heading,
    Line,
    Paragraph,
    Table,
)
from symbackprop.document.desk import Desk
from symbackprop.document.formulas import (
    Cases,
    Derivative,
    Formula,
    Grid,
    Name,
    Of,
    Operator,
    Product,
    addends,
    entry,
    slope,
)
from symbackprop.document.numbers import selected
from symbackprop.networks.network import SumsToOne
from symbackprop.networks.roles import LayerNames, layers_of

RULES = {
    "chain rule": "chain rule",
    "differentiate each equation": "derivative of each term",
    "contract the deltas": "only equal indices remain",
    "name the quotient": "the quotient is the softmax again",
    "insert": "insert the known derivative",
    "labels sum to one": "the entries of a target sum to 1",
    "cancel": "common factor",
    "derivative through the output": "the derivative through its own output",
    "tidy": "reorder",
}


def backward(desk: Desk) -> Iterator[Block]:
    """One sample: from the loss to the input."""
    loss = desk.name(desk.network.loss)
    layers = layers_of(desk.network)
    yield Heading(2, ("The backward pass for one sample",))
    yield Paragraph(
        (
            "We start at the end and ask, of every quantity in turn, how ",
            loss,
            " changes when that quantity changes. Each answer is built from answers found before:",
            " that is all that backpropagation is.",
        )
    )
    yield from output(desk, layers[-1])
    for layer in reversed(layers):
        yield from _layer(desk, layer, detailed=layer is layers[-1])
    yield from _summary(desk)


# --------------------------------------------------------------------------------------------
# From the loss to the output layer's sum
# --------------------------------------------------------------------------------------------


def output(desk: Desk, layer: LayerNames) -> Iterator[Block]:
    """dL/dyhat, the activation's Jacobian, and their product."""
    yield Heading(3, ("Output layer: from the loss to ", desk.name(layer.total)))
    yield from _loss_by_output(desk, layer)
    if layer.function == "softmax":
        yield from _paths(desk, layer)
        yield from _softmax_jacobian(desk, layer)
    elif layer.function:
        yield from _pointwise_jacobian(desk, layer)
    if layer.function:
        yield from _joined(desk, layer)
    yield from _error_term(desk, layer)


def _loss_by_output(desk: Desk, layer: LayerNames) -> Iterator[Block]:
    loss = desk.network.loss
    yield Paragraph(
        (
            "The loss is written in terms of ",
            desk.name(layer.output),
            ", so its derivative by the output comes first, one entry at a time:",
        )
    )
    derivation = desk.sweep[layer.output]
    yield _steps(desk, derivation)
    if desk.own:
        yield Paragraph(("All entries side by side:",))
        yield desk.display(
            Derivative(loss, layer.output),
            desk.gradient_grid(loss, layer.output),
            desk.result_grid(derivation),
        )


def _paths(desk: Desk, layer: LayerNames) -> Iterator[Block]:
    """The sum over all outputs that one score influences."""
    loss = Element(desk.network.loss)
    total, out = desk.tensor(layer.total), desk.tensor(layer.output)
    yield Paragraph(
        (
            "Each score influences every output, because all scores meet in the denominator of",
            " the softmax. A change of one score therefore reaches the loss along several paths,",
            " and the effects of all paths add:",
        )
    )
    if not desk.own:
        yield _first_step(desk, desk.jacobian(desk.network.loss, layer.total))
        return
    width = len(desk.places(layer.output))
    for k in range(width):
        paths = addends(
            *(
                (
                    Partial(loss, Element(out.name, i), total=True),
                    Partial(Element(out.name, i), Element(total.name, k), total=True),
                )
                for i in range(width)
            )
        )
        yield desk.display(slope(loss, Element(total.name, k)), Of(paths))
    yield Paragraph(
        (
            "These ",
            _count(width),
            " sums are one matrix product. "
            + (
                "A row of the transposed Jacobian holds all derivatives by one score:"
                if desk.setting.columns
                else "A column of the Jacobian holds all derivatives by one score:"
            ),
        )
    )
    yield desk.display(
        Derivative(desk.network.loss, layer.total),
        desk.gradient_grid(desk.network.loss, layer.total),
        Product(
            (
                desk.gradient_grid(desk.network.loss, layer.output),
                desk.jacobian_grid(layer.output, layer.total),
            )
        ),
    )


def _softmax_jacobian(desk: Desk, layer: LayerNames) -> Iterator[Block]:
    """Case distinction, collected form, literal matrix, matrix form."""
    derivation = desk.jacobian(layer.output, layer.total)
    first, second = derivation.indices
    out = desk.tensor(layer.output)
    whole = desk.forward(layer.output, matrix=False)
    yield Heading(4, ("The Jacobian of the softmax",))
    yield Paragraph(("Write the sum of all exponentials as one quantity:",))
    sums = desk.network.equation_of[layer.sum]
    yield desk.display(Of(single(sums.entry)), Of(sums.rhs), defines=True)
    yield desk.display(Of(single(out.entry), out.indices), whole, defines=True)
    yield Paragraph(
        (
            "The score ",
            desk.maths(entry(layer.total, second)),
            " stands in the denominator always, and in the numerator only when it is the score of",
            " the same class. The quotient rule therefore gives two cases. If the indices agree,",
            " both numerator and denominator change; if they differ, only the denominator does:",
        )
    )
    exp_first, exp_second, total = _quotient_parts(desk, layer, first, second)
    yield Display(
        desk.chain(
            slope(Element(out.name, first), Element(layer.total, second)),
            Cases(
                derivation.indices,
                (first, second),
                addends((exp_first, total, total**-2), (-1, exp_first, exp_second, total**-2)),
                addends((-1, exp_first, exp_second, total**-2)),
            ),
            Cases(
                derivation.indices,
                (first, second),
                addends((Element(out.name, first), 1 - Element(out.name, first))),
                addends((-1, Element(out.name, first), Element(out.name, second))),
            ),
            jacobian=True,
        ),
        ("quotient rule", "each exponential over the sum is an output again"),
    )
    yield Paragraph(
        (
            "With an indicator both cases are one formula: for equal indices both terms stand, for"
            " different ones the first is gone.",
        )
    )
    yield desk.display(
        slope(Element(out.name, first), Element(layer.total, second)),
        Of(derivation.result, derivation.indices),
        jacobian=True,
    )
    if desk.own:
        yield Paragraph(("Written out, and as matrix algebra:",))
        yield desk.display(
            Derivative(layer.output, layer.total),
            desk.jacobian_grid(layer.output, layer.total),
            _jacobian_entries(desk, layer),
            desk.matrix(derivation),
            jacobian=True,
        )
    else:
        yield desk.display(
            Derivative(layer.output, layer.total), desk.matrix(derivation), jacobian=True
        )


def _jacobian_entries(desk: Desk, layer: LayerNames) -> Grid:
    """The activation's Jacobian entry by entry, the softmax with its factors kept."""
    if layer.function != "softmax":
        derivation = desk.jacobian(layer.output, layer.total)
        return desk.jacobian_grid(layer.output, layer.total, derivation)
    return Grid(
        tuple(
            tuple(_softmax_entry(layer.output, i, k) for (k,) in desk.places(layer.total))
            for (i,) in desk.places(layer.output)
        )
    )


def _softmax_entry(output: str, i: int, k: int) -> Of:
    left, right = Element(output, i), Element(output, k)
    return Of(addends((left, 1 - left)) if i == k else addends((-1, left, right)))


def _quotient_parts(
    desk: Desk, layer: LayerNames, first: Index, second: Index
) -> tuple[Element, Element, Element]:
    total = desk.network.equation_of[layer.sum].entry
    return (
        Applied("exp", 0, Element(layer.total, first)),
        Applied("exp", 0, Element(layer.total, second)),
        total,
    )


def _pointwise_jacobian(desk: Desk, layer: LayerNames, detailed: bool = False) -> Iterator[Block]:
    """The diagonal Jacobian of an activation that works entry by entry."""
    derivation = desk.jacobian(layer.output, layer.total)
    first, second = derivation.indices
    out = desk.tensor(layer.output)
    yield Paragraph(
        (
            "Each entry of ",
            desk.name(layer.output),
            " depends on the entry of ",
            desk.name(layer.total),
            " with the same index and on no other, so the Jacobian is diagonal:",
        )
    )
    yield desk.display(
        slope(Element(out.name, first), Element(layer.total, second)),
        Of(derivation.result, derivation.indices),
        jacobian=True,
    )
    if desk.own:
        if detailed and len(desk.places(layer.total)) > 1:
            yield Paragraph(
                (
                    "First the derivatives by the first entry, as an example; then the whole"
                    " Jacobian:",
                )
            )
            yield _column_by(desk, derivation, (0,), written=True)
        yield desk.display(
            Derivative(layer.output, layer.total),
            desk.jacobian_grid(layer.output, layer.total, derivation),
            desk.matrix(derivation),
            jacobian=True,
        )
    yield from _slope_through_output(desk, layer)


def _slope_through_output(desk: Desk, layer: LayerNames) -> Iterator[Block]:
    """f' written with what the forward pass has kept."""
    derivation = desk.jacobian(layer.output, layer.total)
    (term,) = derivation.result.terms
    slopes = [factor for factor in term.factors if isinstance(factor, Applied)]
    if not slopes:
        return
    before = single(slopes[0])
    after = orient_differences(through_output(before, desk.network), desk.network)
    if after == before:
        return
    out = desk.tensor(layer.output).name
    known = any(e.tensor == out for t in after.terms for f in t.factors for e in elements_in(f))
    yield Paragraph(
        (
            "The derivative of the activation can be computed from its output:"
            if known
            else "The derivative of the activation is a function that has a name of its own:",
        )
    )
    index = derivation.indices[0]
    yield desk.display(Of(before, (index,)), Of(after, (index,)))
    if desk.own and len(desk.places(layer.total)) > 1:
        entries = (Of(desk.at(after, (index,), place)) for place in desk.places(layer.total))
        yield desk.display(Of(before, (index,), matrix=True), Grid((tuple(entries),)))


def _joined(desk: Desk, layer: LayerNames) -> Iterator[Block]:
    """Row times Jacobian, entry by entry, and the derived result."""
    loss = desk.network.loss
    derivation = desk.sweep[layer.total]
    yield Paragraph(("Now put the two together. In index form, every entry at once:",))
    yield _chain_rule(desk, layer.output, layer.total)
    if desk.own:
        row, table = desk.result_grid(desk.sweep[layer.output]), _jacobian_entries(desk, layer)
        factors = (Derivative(loss, layer.output), Derivative(layer.output, layer.total))
        sides: list[Formula] = [Derivative(loss, layer.total), Product(factors)]
        sides.append(Product((row, table)))
        if layer.function == "softmax":
            sides.append(_multiplied_out(row, table))
        yield Paragraph(("Entry by entry, the same product reads:",))
        yield desk.display(*sides, desk.result_grid(derivation))
    if layer.function == "softmax" and _labels_are_one_hot(desk):
        yield from _one_hot(desk, layer)


def _multiplied_out(row: Grid, table: Grid) -> Grid:
    """Row times matrix with every sum written out."""
    (cells,) = row.rows
    columns = zip(*table.rows, strict=True)
    return Grid((tuple(Of(_dot(cells, column)) for column in columns),))


def _dot(left: tuple[Formula, ...], right: tuple[Formula, ...]) -> Expression:
    total = Expression()
    for one, other in zip(left, right, strict=True):
        assert isinstance(one, Of)
        assert isinstance(other, Of)
        total = total + one.whole * other.whole
    return total


def _labels_are_one_hot(desk: Desk) -> bool:
    label = desk.network.by_name.get("y")
    return bool(
        desk.own and label is not None and any(isinstance(f, SumsToOne) for f in label.facts)
    )


def _one_hot(desk: Desk, layer: LayerNames) -> Iterator[Block]:
    """What the result says when one class is the right one."""
    classes = len(desk.places(layer.output))
    derivation = desk.sweep[layer.total]
    yield Paragraph(
        (
            "In the last step the entries of the target add up to 1; each entry of the derivative",
            " is then an output minus a target. For targets that are 1 for the right class and 0"
            " for all others this gives, first the target, then the derivative:",
        )
    )
    for right in range(classes):
        label = [1.0 if k == right else 0.0 for k in range(classes)]
        assumed = desk.assuming("y", label)
        given = {Element("y", k): Integer(int(label[k])) for k in range(classes)}
        row = tuple(
            Of(
                map_factors(
                    desk.at(derivation.result, derivation.indices, (k,)),
                    lambda factor, given=given: factor.xreplace(given),  # type: ignore[misc]
                )
            )
            for k in range(classes)
        )
        numbers = Grid((tuple(Of(addends((int(v),))) for v in label),))
        yield assumed.display(Name("y"), numbers, defines=True)
        yield assumed.display(Derivative(desk.network.loss, layer.total), Grid((row,)))
    yield Paragraph(
        (
            "The entry of the right class is negative, all others are positive. A small step of",
            " the scores against this derivative raises the score of the right class and lowers",
            " all others, each in proportion to how far its probability is off.",
        )
    )


def _error_term(desk: Desk, layer: LayerNames) -> Iterator[Block]:
    loss = desk.network.loss
    delta = layer.delta
    sides: list[Formula] = [Derivative(loss, layer.total), desk.result(layer.total), Name(delta)]
    if desk.own and len(desk.places(layer.total)) > 1:
        sides.append(desk.grid(delta))
    yield desk.display(*sides)
    yield Aside(
        "Why a name of its own?",
        (
            Paragraph(
                (
                    "Every derivative further back contains this one as a factor. With a name"
                    " it is",
                    " computed once and reused; without one, each formula would carry along all",
                    " the formulas before it. It sits at ",
                    desk.name(layer.total),
                    ", the sum before the activation, because from that place weights, bias and",
                    " inputs of the layer are all one step away.",
                )
            ),
        ),
    )


# --------------------------------------------------------------------------------------------
# One layer
# --------------------------------------------------------------------------------------------


def _layer(desk: Desk, layer: LayerNames, detailed: bool) -> Iterator[Block]:
    """Through z = hW + b to source, weight and bias; then through the activation before it."""
    yield Heading(3, (f"Layer {layer.number}: ", _equation(desk, layer)))
    yield Paragraph(
        (
            "Known so far: ",
            desk.chain(Derivative(desk.network.loss, layer.total), Name(layer.delta)),
            ". The sum ",
            desk.name(layer.total),
            " is reached from the input of the layer",
            ", from its weights and from its bias." if layer.bias else " and from its weights.",
        )
    )
    yield from _by_source(desk, layer, detailed)
    yield from _by_weight(desk, layer, detailed)
    if layer.bias:
        yield from _by_bias(desk, layer, detailed)
    yield from _through_activation(desk, layer, detailed)


def _equation(desk: Desk, layer: LayerNames) -> Chain:
    return desk.chain(Name(layer.total), desk.forward(layer.total), defines=True)


def _by_source(desk: Desk, layer: LayerNames, detailed: bool) -> Iterator[Block]:
    loss = desk.network.loss
    derivation = desk.jacobian(layer.total, layer.source)
    first, second = derivation.indices
    yield Heading(4, ("The input of the layer, ", desk.name(layer.source)))
    if desk.own and detailed:
        yield from _single_entries(desk, layer)
        yield from _columns_by_source(desk, layer)
    yield Paragraph(
        (
            "Each entry of the sum contains each entry of the input once, with one weight as its",
            " factor:",
        )
    )
    yield desk.display(
        slope(Element(layer.total, first), Element(layer.source, second)),
        Of(derivation.result, derivation.indices),
        jacobian=True,
    )
    shape = "the weight matrix itself" if desk.setting.columns else "the transposed weight matrix"
    yield Paragraph((f"Together they form the Jacobian, {shape}:",))
    sides: list[Formula] = [Derivative(layer.total, layer.source)]
    if desk.own:
        if detailed:
            sides.append(desk.jacobian_grid(layer.total, layer.source))
        sides.append(desk.jacobian_grid(layer.total, layer.source, derivation))
    yield desk.display(*sides, desk.matrix(derivation), jacobian=True)
    yield Paragraph(
        (
            f"The chain rule multiplies {_factors(desk)}: each entry of the product is a sum over"
            " all paths; each addend is the derivative found so far times the derivative of one"
            " more step. In matrix products the order of the factors matters. ",
            *_not_updated(desk, layer),
        )
    )
    yield desk.display(
        Derivative(loss, layer.source),
        Product((Derivative(loss, layer.total), Derivative(layer.total, layer.source))),
        *_with_error_term(layer, Derivative(layer.total, layer.source), detailed),
        desk.result(layer.source, shapes=True),
    )
    if detailed:
        yield Aside(
            "Why the transpose?",
            (
                Paragraph(
                    (
                        "Look at one entry. The layer has one unit, so the entry is the error term"
                        " times the weight on the way from this input to that unit:"
                        if _is_single(desk, layer)
                        else "Look at one entry. It adds, over all entries of the error term, that"
                        " entry times the weight on the way from this input to that sum:",
                    )
                ),
                _index_form(desk, layer.source),
                Paragraph(
                    (
                        f"With more units, such products are added over the {_summed_index(desk)}"
                        " index of the weight, so the weights"
                        if _is_single(desk, layer)
                        else f"The sum runs over the {_summed_index(desk)} index of the weight, so"
                        " the weights",
                        " stand with rows and columns exchanged. The transpose follows",
                        " from where the index sits; it is no trick to make shapes fit.",
                    )
                ),
            ),
        )


def _factors(desk: Desk) -> str:
    if desk.setting.columns:
        return "the derivative so far, a column, by the transposed Jacobian"
    return "the derivative so far, a row, by the Jacobian"


def _summed_index(desk: Desk) -> str:
    return "first" if desk.setting.columns else "second"


def _not_updated(desk: Desk, layer: LayerNames) -> Line:
    if layer.number == 1:
        return (
            "Nobody changes the input ",
            desk.name("x"),
            ", so training does not need this derivative; it is what a layer before ",
            "this one would ask for:",
        )
    return (
        desk.name(layer.source),
        " is no parameter and is never updated: its derivative is only passed on, to the layer",
        " before:",
    )


def _with_error_term(layer: LayerNames, local: Formula, detailed: bool) -> tuple[Formula, ...]:
    """The chain rule once more, with the name of what is known."""
    return (Product((Name(layer.delta), local)),) if detailed else ()


def _columns_by_source(desk: Desk, layer: LayerNames) -> Iterator[Block]:
    """The Jacobian in columns, one for each entry of the input."""
    if len(desk.places(layer.total)) < 2:
        return
    yield Paragraph(
        (
            "All derivatives by one entry of ",
            desk.name(layer.source),
            " form a column. It says how strongly the entries of ",
            desk.name(layer.total),
            " react to this one entry:",
        )
    )
    derivation = desk.jacobian(layer.total, layer.source)
    for place in desk.places(layer.source):
        yield _column_by(desk, derivation, place)


def _column_by(
    desk: Desk, derivation: Derivation, place: tuple[int, ...], written: bool = False
) -> Display:
    """The derivatives of all entries by one entry, as a column; `written` shows what is
    differentiated."""
    above, below = desk.tensor(derivation.of).name, desk.tensor(derivation.wrt).name
    variable = Element(below, *place)
    rows = desk.places(above)
    equation = desk.network.equation_of[above]
    sides = [Grid(tuple((slope(Element(above, *row), variable),) for row in rows))]
    if written:
        inner = [Of(desk.at(equation.rhs, equation.indices, row)) for row in rows]
        sides.append(Grid(tuple((Operator(variable, one),) for one in inner)))
    found = [desk.at(derivation.result, derivation.indices, (*row, *place)) for row in rows]
    sides.append(Grid(tuple((Of(one),) for one in found)))
    return desk.display(*sides, jacobian=True)


def _single_entries(desk: Desk, layer: LayerNames) -> Iterator[Block]:
    """The first entries of the Jacobian, each by differentiating the written-out sum."""
    yield Paragraph(
        ("Take the entries one by one. Each is the derivative of one written-out sum:",)
    )
    totals, sources = desk.places(layer.total), desk.places(layer.source)
    pairs = [(totals[0], place) for place in sources] + [
        (place, sources[0]) for place in totals[1:2]
    ]
    derivation = desk.jacobian(layer.total, layer.source)
    for (k,), (j,) in pairs:
        yield desk.display(
            slope(Element(layer.total, k), Element(layer.source, j)),
            Operator(Element(layer.source, j), _written_sum(desk, layer, k)),
            Of(desk.at(derivation.result, derivation.indices, (k, j))),
            jacobian=True,
        )


def _written_sum(desk: Desk, layer: LayerNames, k: int) -> Of:
    """z_k = h_1 w_1k + h_2 w_2k + ... + b_k."""
    equation = desk.network.equation_of[layer.total]
    return Of(desk.at(equation.rhs, equation.indices, (k,)))


def _by_weight(desk: Desk, layer: LayerNames, detailed: bool) -> Iterator[Block]:
    loss = desk.network.loss
    derivation = desk.jacobian(layer.total, layer.weight)
    total, row, col = derivation.indices
    yield Heading(4, ("The weights ", desk.name(layer.weight)))
    if desk.own and detailed:
        yield from _weight_columns(desk, layer)
    yield Paragraph(
        (
            "A weight takes part in one sum only, the one with the number of its unit:"
            if _is_single(desk, layer)
            else "A weight takes part in one sum only, the one with the number of its unit; an"
            " indicator says which:",
        )
    )
    yield desk.display(
        slope(Element(layer.total, total), Element(layer.weight, row, col)),
        Of(derivation.result, derivation.indices),
        jacobian=True,
    )
    yield Paragraph(
        (
            "The chain rule:"
            if _is_single(desk, layer)
            else "The chain rule adds over all sums, and the indicator leaves one of them:",
        )
    )
    yield _chain_rule(desk, layer.total, layer.weight)
    if desk.own and detailed:
        yield from _weight_samples(desk, layer)
    yield Paragraph(("All entries together are a column times a row:",))
    sides: list[Formula] = [Derivative(loss, layer.weight)]
    if desk.own:
        sides.append(desk.result_grid(desk.sweep[layer.weight]))
        if detailed:
            sides.append(Product((_column(desk, layer.source), desk.grid(layer.delta))))
    yield desk.display(*sides, desk.result(layer.weight, shapes=True))


def _is_single(desk: Desk, layer: LayerNames) -> bool:
    """Whether the layer is known to have one unit."""
    return desk.setting.sizes.get(desk.tensor(layer.total).axes[-1].extent) == 1


def _column(desk: Desk, tensor: str) -> Grid:
    return Grid(tuple((entry(tensor, *place),) for place in desk.places(tensor)))


def _weight_columns(desk: Desk, layer: LayerNames) -> Iterator[Block]:
    """d z / d w for three single weights: a column with one entry that is not zero."""
    derivation = desk.jacobian(layer.total, layer.weight)
    yield Paragraph(("Again one entry at a time. For single weights:",))
    for place in _single_places(desk.places(layer.weight)):
        yield _column_by(desk, derivation, place, written=True)


def _weight_samples(desk: Desk, layer: LayerNames) -> Iterator[Block]:
    """dL/dw for the same single weights: row times column."""
    loss = Element(desk.network.loss)
    derivation = desk.jacobian(layer.total, layer.weight)
    result = desk.sweep[layer.weight]
    yield Paragraph(("For the single weights from above:",))
    for place in _single_places(desk.places(layer.weight)):
        column = Grid(
            tuple(
                (Of(desk.at(derivation.result, derivation.indices, (k, *place))),)
                for (k,) in desk.places(layer.total)
            )
        )
        yield desk.display(
            slope(loss, Element(layer.weight, *place)),
            Product((desk.grid(layer.delta), column)),
            Of(desk.at(result.result, result.indices, place)),
        )


def _single_places(places: list[tuple[int, ...]]) -> list[tuple[int, ...]]:
    """Up to three places with different rows, in different columns where there are enough; rows
    and columns do not grow together where that can be had."""
    rows = max(place[0] for place in places) + 1
    cols = max(place[1] for place in places) + 1
    middle = rows // 2
    other = 1 if middle > 1 else rows - 1
    wanted = [(0, 0), (middle, 1 % cols), (other, cols - 1)]
    return list(dict.fromkeys(wanted))


def _by_bias(desk: Desk, layer: LayerNames, detailed: bool) -> Iterator[Block]:
    loss = desk.network.loss
    derivation = desk.jacobian(layer.total, layer.bias)
    first, second = derivation.indices
    yield Heading(4, ("The bias ", desk.name(layer.bias)))
    if desk.own and detailed and len(desk.places(layer.total)) > 1:
        yield Paragraph(("Column by column, as before:",))
        for place in desk.places(layer.bias):
            yield _column_by(desk, derivation, place, written=place == (0,))
    yield Paragraph(
        (
            "Each entry of the bias is added to one sum, with factor 1. The Jacobian is the",
            " identity matrix:",
        )
    )
    yield desk.display(
        slope(Element(layer.total, first), Element(layer.bias, second)),
        Of(derivation.result, derivation.indices),
        jacobian=True,
    )
    sides: list[Formula] = [Derivative(layer.total, layer.bias)]
    if desk.own and detailed:
        sides.append(desk.jacobian_grid(layer.total, layer.bias, derivation))
    yield desk.display(*sides, desk.matrix(derivation), jacobian=True)
    yield desk.display(
        Derivative(loss, layer.bias),
        Product((Derivative(loss, layer.total), Derivative(layer.total, layer.bias))),
        *_with_error_term(layer, desk.matrix(derivation), detailed),
        desk.result(layer.bias),
    )


def _through_activation(desk: Desk, layer: LayerNames, detailed: bool) -> Iterator[Block]:
    """From the input of this layer back through the activation that made it."""
    before = next((b for b in layers_of(desk.network) if b.number == layer.number - 1), None)
    if before is None:
        return
    loss = desk.network.loss
    delta = Name(before.delta)
    if not before.function:
        yield Paragraph(
            (
                "The input of this layer is the sum of the layer before, so its derivative is",
                " already the next error term:",
            )
        )
        yield desk.display(Derivative(loss, before.total), desk.result(before.total), delta)
        return
    yield Heading(4, ("Back through the activation, to ", desk.name(before.total)))
    if before.function == "softmax":
        yield from _softmax_jacobian(desk, before)
    else:
        yield from _pointwise_jacobian(desk, before, detailed)
    yield Paragraph(("The chain rule once more:",))
    local = Derivative(before.output, before.total)
    sides: list[Formula] = [
        Derivative(loss, before.total),
        Product((Derivative(loss, before.output), local)),
    ]
    known = desk.result(before.output)
    if detailed:
        sides.append(Product((known, local)))
    sides.append(Product((known, desk.matrix(desk.jacobian(before.output, before.total)))))
    yield desk.display(*sides, desk.result(before.total), delta)
    if before.function != "softmax":
        yield Aside(
            "Why the entrywise product?",
            (
                Paragraph(
                    (
                        "A diagonal matrix multiplies each entry of what it meets by the entry",
                        " in the same place of the diagonal. That is the entrywise product,",
                        " written with a small circle; the diagonal matrix need not be built.",
                    )
                ),
            ),
        )


# --------------------------------------------------------------------------------------------
# Summary
# --------------------------------------------------------------------------------------------


def _summary(desk: Desk) -> Iterator[Block]:
    """What was found, a line for each layer."""
    yield Heading(3, ("Summary for one sample",))
    yield Paragraph(("In the order in which they are computed, from the output to the input:",))
    header: tuple[Line, ...] = (
        ("layer",),
        ("error term",),
        ("weights",),
        ("bias",),
        ("input of the layer",),
    )
    rows: list[tuple[Line, ...]] = []
    for layer in selected(layers_of(desk.network)[::-1]):
        if layer is None:
            rows.append((("...",),) * len(header))
            continue
        error = desk.chain(
            Derivative(desk.network.loss, layer.total),
            desk.result(layer.total),
            Name(layer.delta),
        )
        bias: Line = (_found(desk, layer.bias),) if layer.bias else ("–",)
        rows.append(
            (
                (str(layer.number),),
                (error,),
                (_found(desk, layer.weight),),
                bias,
                (_found(desk, layer.source),),
            )
        )
    yield Table(header, tuple(rows))


def _found(desk: Desk, name: str) -> Chain:
    return desk.chain(Derivative(desk.network.loss, name), desk.result(name))


# --------------------------------------------------------------------------------------------
# Steps of a derivation
# --------------------------------------------------------------------------------------------


def _chain_rule(desk: Desk, middle: str, wrt: str) -> Display:
    """d loss / d wrt through one tensor: the sum over its entries, both derivatives inserted,
    equal indices kept, and the result."""
    table = desk.jacobian(middle, wrt)
    between = table.indices[: len(desk.tensor(middle).indices)]
    outer = table.indices[len(between) :]
    loss = Element(desk.network.loss)
    through, end = Element(table.of, *between), Element(table.wrt, *outer)
    paths = product(
        1, between, (Partial(loss, through, total=True), Partial(through, end, total=True))
    )
    inserted = _inserted(desk, middle, between, table.result)
    kept = contracted(inserted)
    result = desk.sweep[wrt]
    renaming = dict(zip(result.indices, outer, strict=True))
    final = expression(*(substitute(term, renaming) for term in result.result.terms))
    summed = any(step.rule == USE_LABEL_SUMS.name for step in result.steps)
    last = "the entries of a target sum to 1" if summed else "the same, shorter"
    sides = [expression(paths), inserted, kept]
    if canonical(kept) != canonical(final):
        sides.append(final)
    return desk.display(
        slope(loss, end),
        *(Of(side, outer) for side in sides),
        rules=("chain rule", "insert both derivatives", "only equal indices remain", last),
    )


def _inserted(desk: Desk, middle: str, between: Sequence[Index], table: Expression) -> Expression:
    """The derivative by the middle tensor, by name where it has one, times the Jacobian."""
    known = desk.sweep[middle]
    adjoint = desk.network.adjoint_name(known.wrt)
    if desk.network.is_total(known.wrt):
        first = single(Element(adjoint, *between))
    else:
        renaming = dict(zip(known.indices, between, strict=True))
        first = expression(*(substitute(term, renaming) for term in known.result.terms))
    return expression(
        *(multiply(left, right, between) for left in first.terms for right in table.terms)
    )


def _steps(desk: Desk, derivation: Derivation) -> Display:
    """The derivation as one chain: goal = ... = result, with the rule of each step."""
    shown = [step for step in derivation.steps if _is_visible(desk, step)]
    sides = [Of(derivation.steps[0].before, derivation.indices)]
    sides += [Of(step.after, derivation.indices) for step in shown]
    rules = tuple(RULES.get(step.rule, step.rule) for step in shown)
    is_jacobian = bool(desk.tensor(derivation.of).indices)
    return desk.display(*sides, rules=rules, jacobian=is_jacobian)


def _is_visible(desk: Desk, step: Step) -> bool:
    """A step that changes nothing a reader can see is left to the record."""
    return desk.setting.expression(step.before) != desk.setting.expression(step.after)


def _first_step(desk: Desk, derivation: Derivation) -> Display:
    step = derivation.steps[0]
    return desk.display(Of(step.before, derivation.indices), Of(step.after, derivation.indices))


def _index_form(desk: Desk, tensor: str) -> Display:
    derivation = desk.sweep[tensor]
    return desk.display(
        Of(derivation.steps[0].before, derivation.indices),
        Of(derivation.result, derivation.indices),
    )


def _count(number: int) -> str:
    words = ("no", "one", "two", "three", "four", "five", "six")
    return words[number] if number < len(words) else str(number)
