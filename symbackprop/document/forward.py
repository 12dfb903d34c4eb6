"""The network before anything is differentiated: letters, shapes, forward equations, loss."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from sympy import Expr, Piecewise, Rational

from symbackprop.calculus.scalars import Z, cases_of
from symbackprop.calculus.terms import expression, product, single
from symbackprop.document.blocks import Block, Code, Heading, Items, Line, Paragraph, Table
from symbackprop.document.desk import Desk
from symbackprop.document.formulas import Formula, Grid, Meaning, Name, Of, Scalar
from symbackprop.networks.layers.losses import LOSSES
from symbackprop.networks.layers.multilayer import SAMPLES
from symbackprop.networks.network import CountsClasses, SumsToOne, Tensor
from symbackprop.networks.roles import LayerNames, functions_of, layers_of

ROWS = (
    "A sample is a row; a layer computes row times matrix plus row; a batch is a matrix with one"
    " sample in each row."
)
COLUMNS = (
    "A sample is a column; a layer computes matrix times column plus column; a batch is a matrix"
    " with one sample in each column. The code keeps one sample in each row; its arrays are the"
    " transposed ones."
)


def forward(one: Desk, many: Desk, loss: str, signs: frozenset[Meaning]) -> Iterator[Block]:
    """Conventions, table of letters, equations of the forward pass, the loss called `loss`;
    `signs` are those that the rest of the document uses."""
    yield Heading(2, ("The network",))
    yield Paragraph((_words(one),))
    yield Items(tuple(_conventions(one, signs)))
    yield _letters(one, many)
    yield Heading(3, ("Forward pass",))
    yield Paragraph(
        (
            "For one sample, layer by layer, in matrix form and with every index written out; a"
            " formula with an index holds for each of its values:",
        )
    )
    for layer in layers_of(one.network):
        yield from _layer(one, layer)
    yield from _activations(one)
    yield from _loss(one, many, loss)


def _words(desk: Desk) -> str:
    """The words that every later sentence uses."""
    has_activation = any(layer.function for layer in layers_of(desk.network))
    activation = (
        " A layer may then apply a further function, its activation."
        if has_activation
        else " Many networks then apply a further function, the activation; this one does not,"
        " or, as one says, its activation is the identity."
    )
    goal = (
        " The loss is one number that says how far the outputs are from the targets; training"
        " changes the parameters so that it falls."
        if desk.has_labels
        else " This network is compared with nothing: it is the output itself that is"
        " differentiated."
    )
    sample = (
        "A sample is one input together with what the output should be, its target; several"
        " samples together are a batch."
        if desk.has_labels
        else "A sample is one input; several samples together are a batch."
    )
    return (
        "A network is a formula with adjustable numbers, its parameters. It works in layers: a"
        " layer takes some numbers, multiplies them by a matrix, its weights, and adds further"
        " numbers, its bias, where it has one. Each sum that comes out belongs to one unit of the"
        f" layer.{activation} {sample}{goal} The derivatives by all entries of a weight matrix"
        " or a bias, arranged in its shape, are its gradient."
    )


def _conventions(desk: Desk, signs: frozenset[Meaning]) -> Iterator[Line]:
    yield (COLUMNS if desk.setting.columns else ROWS,)
    if desk.setting.depth > 1:
        yield (desk.setting.notation.layer_mark.sentence,)
    yield (
        "Some letters for one sample become capitals for the batch, as the table shows; ",
        desk.maths(Of(expression(product(SAMPLES, (), ())))),
        " is the number of samples.",
    )
    for meaning, words in SIGN_WORDS.items():
        if meaning in signs:
            yield (desk.sign(meaning), words)
    yield (
        "A matrix with one entry is treated as a number. A function of an array is taken entry by"
        " entry.",
    )
    yield (
        "The derivative of the loss by an array has the shape of that array. The Jacobian of"
        " one vector by another is the"
        " table of all partial derivatives, with a row for each entry of the first and a column"
        " for each entry of the second (numerator layout).",
    )


def _letters(one: Desk, many: Desk) -> Table:
    """Every symbol with what it is, its name in code and its shape, before it is used."""
    tensors = [t for t in one.network.tensors if t.name != one.network.loss or one.has_labels]
    rows: list[tuple[Line, ...]] = [
        (
            (one.name(tensor.name),),
            (many.name(tensor.name),),
            (*_meaning(one, tensor),),
            _code(tensor),
            (shape(one, tensor),),
            (shape(many, many.tensor(tensor.name)),),
        )
        for tensor in tensors
    ]
    if not one.has_labels:
        rows.append(
            (
                ("",),
                (many.name(many.network.loss),),
                ("sum of all outputs of a batch",),
                (Code("loss"),),
                ("",),
                ("number",),
            )
        )
    rows += [
        (
            (one.name(layer.delta),),
            (many.name(layer.delta),),
            ("error term: the derivative of ", *_goals(one, many), " by ", one.name(layer.total)),
            (Code(layer.delta),),
            (shape(one, one.tensor(layer.total)),),
            (shape(many, many.tensor(layer.total)),),
        )
        for layer in layers_of(one.network)
    ]
    header: tuple[Line, ...] = (
        ("letter",),
        ("batch letter",),
        ("what it is",),
        ("in code",),
        ("shape",),
        ("batch shape",),
    )
    return Table(header, tuple(rows))


def _goals(one: Desk, many: Desk) -> Line:
    """What is differentiated: for one sample, and for a batch if that has another letter."""
    first, second = one.name(one.network.loss), many.name(many.network.loss)
    same = one.setting.goal == many.setting.goal
    return (first,) if same else (first, " (for a batch, of ", second, ")")


def _code(tensor: Tensor) -> Line:
    """Its name in the emitted code; the sum inside a softmax has none."""
    if tensor.kind == "auxiliary":
        return ("",)
    return (Code("loss" if tensor.kind == "loss" else tensor.name),)


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
            return ("target: what the output should be", *_label_fact(tensor))
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
            is_last = any(n.total == n.output == tensor.name for n in layers_of(desk.network))
            return (f"sum{layer}" if is_last else f"sum{layer}, before the activation",)
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
    sides: list[Formula] = [Name(layer.total)]
    if desk.own:
        yield from _entries(desk, layer)
        sides += [desk.grid(layer.total)] * _is_row(desk, layer.total)
    yield desk.display(*sides, desk.forward(layer.total, matrix=True), defines=True)
    yield desk.display(
        Of(single(total.entry), total.indices),
        desk.forward(layer.total, matrix=False),
        defines=True,
    )
    if layer.function:
        names = [layer.sum] if layer.function == "softmax" else []
        for name in (*names, layer.output):
            made = desk.tensor(name)
            yield desk.display(
                Of(single(made.entry), made.indices), desk.forward(name, matrix=False), defines=True
            )
        if layer.function == "softmax":
            yield Paragraph((SOFTMAX + (CLASSES if layer.output == "yhat" else ""),))
        if _is_row(desk, layer.output):
            row, made_of = desk.grid(layer.output), _written_out(desk, layer.output)
            yield desk.display(Name(layer.output), row, made_of, defines=True)


def _written_out(desk: Desk, name: str) -> Grid:
    """The row of a sample, each entry by its equation."""
    equation = desk.network.equation_of[name]
    entries = (Of(desk.at(equation.rhs, equation.indices, at)) for at in desk.places(name))
    return Grid((tuple(entries),))


def _is_row(desk: Desk, name: str) -> bool:
    """Whether there is more than one entry, and entries are listed."""
    return bool(desk.own) and len(desk.places(name)) > 1


def _entries(desk: Desk, layer: LayerNames) -> Iterator[Block]:
    """The letters of a layer as lists of their entries."""
    given = layer.source if layer.number == 1 else ""
    for name in (given, layer.weight, layer.bias):
        if name:
            yield desk.display(Name(name), desk.grid(name), defines=True)


def _activations(desk: Desk) -> Iterator[Block]:
    """Definition and derivative of each scalar activation in use."""
    names = [layer.function for layer in layers_of(desk.network)]
    for name in dict.fromkeys(n for n in names if n and n != "softmax"):
        words = desk.network.functions[name].in_words
        where = [str(n.number) for n in layers_of(desk.network) if n.function == name]
        layers = f"layer {where[0]}" if len(where) == 1 else f"layers {', '.join(where)}"
        yield from _function(desk, name, f"The activation of {layers} is the {words}")


def _function(desk: Desk, name: str, start: str) -> Iterator[Block]:
    """Definition and derivative of a scalar function."""
    record = desk.network.functions[name]
    yield Paragraph((f"{start}. It and its derivative, for a number z:",))
    yield desk.display(Scalar(name, "value"), Scalar(name, "definition"), defines=True)
    sides = [Scalar(name, "slope"), Scalar(name, "derivative")]
    if record.through is not None:
        sides.append(Scalar(name, "through"))
    yield desk.display(*sides)
    if record.kink is not None:
        yield Paragraph(
            (
                f"At z = {record.kink} the function has a kink and no derivative;"
                f" {_value_at(record.kink, record.value(Z, 1))} is used there, as everywhere in"
                " practice.",
            )
        )


def _value_at(kink: Expr, slope: Expr) -> str:
    """Which line of a definition by cases is meant."""
    if not isinstance(slope, Piecewise):
        return "the value of the formula"
    rows, _ = cases_of(slope)
    held = (n for n, (c, _) in enumerate(rows) if c.compare(kink, Rational(c.bound)))
    place = next(held, len(rows))
    ordinal = dict(enumerate(("first", "second", "third"))).get(place, f"{place + 1}th")
    return f"the value of the {ordinal} line"


SIGN_WORDS: Mapping[Meaning, str] = {
    "transpose": " after a letter exchanges the rows and columns of its matrix.",
    "entrywise": " multiplies two arrays of one shape entry by entry.",
    "quotient": " divides two arrays of one shape entry by entry.",
    "ones": " without a condition is a column of ones, as long as it needs to be.",
    "indicator": " with a condition, called an indicator, is one number: 1 where the condition"
    " holds, otherwise 0.",
    "diagonal": " of some numbers is the square matrix with them on its diagonal and 0 elsewhere.",
    "identity": " is the square matrix with 1 on its diagonal and 0 elsewhere.",
}
SOFTMAX = (
    "This is the softmax. Its inputs are called scores; its outputs are positive and add up to 1."
)
CLASSES = (
    " There is one score and one output for each class, and the outputs are read as the"
    " probabilities of the classes."
)


def _loss(one: Desk, many: Desk, loss: str) -> Iterator[Block]:
    equation = one.network.equation_of[one.network.loss]
    batch = many.network.equation_of[many.network.loss]
    yield Heading(3, ("What is differentiated",) if not one.has_labels else ("The loss",))
    yield Paragraph(("For one sample:",))
    yield one.display(Name(one.network.loss), Of(equation.rhs), defines=True)
    if LOSSES[loss].says:
        yield Paragraph((LOSSES[loss].says,))
    inside = functions_of(one.network, one.network.loss)
    shown = {layer.function for layer in layers_of(one.network)}
    for name in (name for name in inside if name not in shown):
        words = one.network.functions[name].in_words
        yield from _function(one, name, f"The function in this loss is the {words}")
    yield Paragraph(("For a batch, where n is the number of a sample:",))
    yield many.display(Name(many.network.loss), Of(batch.rhs), defines=True)
    if one.has_labels and one.setting.goal != many.setting.goal:
        yield Paragraph(
            (
                one.name(one.network.loss),
                " is the loss of one sample, ",
                many.name(many.network.loss),
                " that of the batch.",
            )
        )
    yield Paragraph((_reduction(many),))


def _reduction(many: Desk) -> str:
    factor = str(many.network.equation_of[many.network.loss].rhs.terms[0].coefficient)
    if "N" in factor and "*" in factor.replace("1/", ""):
        return (
            "The total is divided by the number of all entries of the output. This factor enters"
            " once, in the first error term, and the later error terms inherit it."
        )
    if "N" in factor:
        return (
            "This is a mean over the samples. In the formulas for a batch the factor one over the"
            " number of samples enters once, in the first error term, and the later error terms"
            " inherit it."
        )
    return "This is a sum over the samples and not a mean, so nothing is divided by their number."
