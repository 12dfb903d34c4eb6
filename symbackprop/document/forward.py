"""The network before anything is differentiated: letters, shapes, forward equations, loss."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from symbackprop.document.blocks import Block, Heading, Line, Paragraph, Table
from symbackprop.document.desk import Desk
from symbackprop.document.formulas import Name, Of, Scalar
from symbackprop.document.structure import LayerNames, layers_of
from symbackprop.network import CountsClasses, SumsToOne, Tensor
from symbackprop.terms import single

ROWS = (
    "Samples are rows: a sample is a row, a layer computes row times matrix, and a batch is a"
    " matrix with one row for each sample."
)
COLUMNS = (
    "Samples are columns: a sample is a column, a layer computes matrix times column, and a batch"
    " is a matrix with one column for each sample. The code keeps samples as rows; its arrays are"
    " the transposed ones."
)


def forward(one: Desk, many: Desk) -> Iterator[Block]:
    """Conventions, table of letters, equations of the forward pass, the loss."""
    yield Heading(2, ("The network",))
    yield Paragraph(_conventions(one))
    yield _letters(one, many)
    yield Heading(3, ("Forward pass",))
    yield Paragraph(
        ("For one sample, layer by layer, as rows and matrices and with every index written out:",)
        if not one.setting.columns
        else ("For one sample, layer by layer, in matrix form and with every index written out:",)
    )
    for layer in layers_of(one.network):
        yield from _layer(one, layer)
    yield from _activations(one)
    yield from _loss(one, many)


def _conventions(desk: Desk) -> Line:
    layout = COLUMNS if desk.setting.columns else ROWS
    return (
        layout,
        " The derivative of the loss by a matrix has the shape of that matrix. The Jacobian of a"
        " vector by a vector has one row for each entry of what is differentiated and one column"
        " for each variable (numerator layout). Both conventions hold on every page.",
    )


def _letters(one: Desk, many: Desk) -> Table:
    """Every symbol with what it is and its shape, before it is used."""
    rows = [
        (
            (one.name(tensor.name),),
            (*_meaning(one, tensor),),
            (shape(one, tensor),),
            (shape(many, many.tensor(tensor.name)),),
        )
        for tensor in one.network.tensors
    ]
    rows += [
        (
            (one.name(f"delta{layer.number}"),),
            ("error term of layer ", str(layer.number), ": derivative of the loss by its sum"),
            (shape(one, one.tensor(layer.total)),),
            (shape(many, many.tensor(layer.total)),),
        )
        for layer in layers_of(one.network)
    ]
    header: tuple[Line, ...] = (("letter",), ("what it is",), ("one sample",), ("batch",))
    return Table(header, tuple(rows))


def shape(desk: Desk, tensor: Tensor) -> str:
    """The shape as the page shows it: (1 x k) for a row, and transposed under columns."""
    sizes = [desk.setting.size_text(axis.extent) for axis in tensor.axes]
    if not sizes:
        return "number"
    if len(sizes) == 1:
        sizes = [sizes[0], "1"] if tensor.axes[0].role == "sample" else ["1", sizes[0]]
    return " × ".join(sizes[::-1] if desk.setting.columns else sizes)


def _meaning(desk: Desk, tensor: Tensor) -> Line:
    layer = f" of layer {tensor.layer}" if tensor.layer is not None else ""
    match tensor.kind, tensor.letter:
        case "input", _:
            return ("input",)
        case "label", _:
            return ("label: what the output should be", *_label_fact(tensor))
        case "loss", _:
            return ("loss" if desk.has_labels else "what is differentiated",)
        case "auxiliary", _:
            return (f"sum of the exponentials{layer}",)
        case "parameter", "W" if desk.setting.columns:
            return (f"weights{layer}: row for the unit, column for the input",)
        case "parameter", "W":
            return (f"weights{layer}: row for the input, column for the unit",)
        case "parameter", _:
            return (f"bias{layer}",)
        case _, "z":
            return (f"sum{layer}, before the activation",)
        case _, "yhat":
            return ("output of the network",)
        case _:
            return (f"output{layer}, after the activation",)


def _label_fact(tensor: Tensor) -> Line:
    for fact in tensor.facts:
        match fact:
            case SumsToOne():
                return (", entries sum to 1",)
            case CountsClasses():
                return (", the number of the class",)
    return ()


def _layer(desk: Desk, layer: LayerNames) -> Iterator[Block]:
    total = desk.tensor(layer.total)
    if desk.own:
        yield from _entries(desk, layer)
    yield desk.display(Name(layer.total), desk.forward(layer.total, matrix=True), defines=True)
    yield desk.display(
        Of(single(total.entry), total.indices),
        desk.forward(layer.total, matrix=False),
        defines=True,
    )
    if layer.function:
        names = [f"s{layer.number}"] if layer.function == "softmax" else []
        for name in (*names, layer.output):
            made = desk.tensor(name)
            yield desk.display(
                Of(single(made.entry), made.indices), desk.forward(name, matrix=False), defines=True
            )


def _entries(desk: Desk, layer: LayerNames) -> Iterator[Block]:
    """The letters of a layer as lists of their entries."""
    for name in (layer.source, layer.weight, layer.bias):
        if name:
            yield desk.display(Name(name), desk.grid(name), defines=True)


def _activations(desk: Desk) -> Iterator[Block]:
    """Definition and derivative of each scalar activation in use."""
    names = [layer.function for layer in layers_of(desk.network)]
    for name in dict.fromkeys(n for n in names if n and n != "softmax"):
        record = desk.network.functions[name]
        yield Paragraph(("The activation and its derivative, for a number z:",))
        yield desk.display(Scalar(name, "value"), Scalar(name, "definition"), defines=True)
        part: Literal["through", "derivative"] = "through" if record.through else "derivative"
        yield desk.display(Scalar(name, "slope"), Scalar(name, part))
        if record.kink is not None:
            yield Paragraph(
                (
                    "At z = 0 the function has a kink and no derivative; the value of the second"
                    " line is used there, as everywhere in practice.",
                )
            )


def _loss(one: Desk, many: Desk) -> Iterator[Block]:
    equation = one.network.equation_of[one.network.loss]
    batch = many.network.equation_of[many.network.loss]
    yield Heading(3, ("What is differentiated",) if not one.has_labels else ("The loss",))
    yield Paragraph(("For one sample:",))
    yield one.display(Name(one.network.loss), Of(equation.rhs), defines=True)
    yield Paragraph(("For a batch:",))
    yield many.display(Name(many.network.loss), Of(batch.rhs), defines=True)
    yield Paragraph((_reduction(many),))


def _reduction(many: Desk) -> str:
    factor = str(many.network.equation_of[many.network.loss].rhs.terms[0].coefficient)
    if "N" in factor and "*" in factor.replace("1/", ""):
        return (
            "The total is divided by the number of all entries of the output. This factor enters at"
            " the very first derivative and is carried by every error term; it appears nowhere"
            " else."
        )
    if "N" in factor:
        return (
            "This is a mean over the samples: the factor one over the number of samples enters at"
            " the very first derivative and is carried by every error term; it appears nowhere"
            " else."
        )
    return "This is a sum over the samples, so no factor for their number appears anywhere."
