"""The recursion for layer l: what every layer has in common, derived with l as an index."""

from __future__ import annotations

from collections.abc import Iterator

from symbackprop.calculus.terms import Applied
from symbackprop.derivation.depth import DEPTH, SAMPLES
from symbackprop.derivation.evaluate import random_point
from symbackprop.document.blocks import Block, Display, Heading, Maths, Paragraph
from symbackprop.document.desk import Desk
from symbackprop.document.formulas import Derivative, Name, Scalar, Stated
from symbackprop.document.scene import with_derivatives
from symbackprop.networks.roles import layers_of
from symbackprop.notation import Notation
from symbackprop.writing.depth import DepthDerivation, Statement, derive_depth
from symbackprop.writing.latex import Typesetting

DEPTH_OF_CHECK = 4
SAMPLES_OF_CHECK = 3
SPECIAL = ("", "softmax")


def pattern(many: Desk, notation: Notation) -> Iterator[Block]:
    """Error terms, weights and biases for a symbolic l, and the range of l of each line."""
    layers = layers_of(many.network)
    if any(layer.function == "softmax" for layer in layers[:-1]):
        return  # a softmax inside does not work entry by entry: there is no one line for all layers
    pointwise = [layer.function for layer in layers if layer.function not in SPECIAL]
    hidden = [layer.function for layer in layers[:-1] if layer.function not in SPECIAL]
    found = derive_depth((hidden or pointwise or ["identity"])[0], notation)
    table = _desk(found, notation)
    below, last = found.adjoints["z"], found.boundary["z"]
    has_bias = any(layer.bias for layer in layers)
    factor = ", then multiplies by the slope of its own activation" if hidden else ""
    yield Heading(2, ("The pattern for layer l",))
    yield Paragraph(
        (
            "Nothing above depended on how many layers there are. Let the layers be numbered from"
            f" 1 at the input to D at the output; here D is {len(layers)}. What would be the output"
            " of layer 0 means the input of the network.",
            *((" The activation is written ", _letter(table), ".") if hidden else ()),
            " The same derivation, with the number of the layer as an index, gives the following"
            " lines for a batch.",
        )
    )
    if layers[-1].function == "softmax":
        yield Paragraph(
            ("The error term of the last layer was found from the loss and the softmax together:",)
        )
        yield many.display(
            Name(layers[-1].delta),
            Derivative(many.network.loss, layers[-1].total),
            many.result(layers[-1].total),
        )
    else:
        yield Paragraph(
            (
                "The error term of the last layer starts from G, the derivative of the loss by the"
                " output of the network; here ",
                many.chain(Derivative(many.network.loss, "yhat"), many.result("yhat")),
                ":",
            )
        )
        yield _line(table, last)
    yield Paragraph(
        (
            "Every other layer, from l = D − 1 down to l = 1, takes the error term of the layer"
            f" after it and sends it back through that layer's weights to its own output{factor}:",
        )
    )
    yield _line(table, found.adjoints["h"])
    yield _line(table, below)
    everywhere = all(layer.bias for layer in layers)
    words = "weights and bias are" if everywhere else "the weights are"
    yield Paragraph((f"In every layer, from l = 1 to l = D, {words} then one step away:",))
    yield _line(table, found.gradients["W"])
    if has_bias and not everywhere:
        yield Paragraph(("and in a layer with a bias also",))
    if has_bias:
        yield _line(table, found.gradients["b"])
    if notation.delta == "from_output":
        yield Paragraph(
            (
                "The error terms are counted from the output here: layer l has number D + 1 − l,"
                " so that the numbers of layer and error term add up to D + 1 everywhere.",
            )
        )


def _letter(desk: Desk) -> Maths:
    return desk.maths(Scalar(_activation(desk), "name"))


def _activation(desk: Desk) -> str:
    """The name of the function in the network for a symbolic layer."""
    names = {
        applied.function
        for equation in desk.network.equations
        for term in equation.rhs.terms
        for factor in term.factors
        for applied in factor.atoms(Applied)
    }
    return min(names)


def _desk(found: DepthDerivation, notation: Notation) -> Desk:
    """Checked with layers of different widths."""
    sizes = {DEPTH: DEPTH_OF_CHECK, SAMPLES: SAMPLES_OF_CHECK}
    scene = with_derivatives(found.network, random_point(found.network, 3, sizes))
    setting = Typesetting(found.swept.extended, notation, general=True)
    return Desk(found.network, setting, (scene,), ())


def _line(desk: Desk, statement: Statement) -> Display:
    return desk.display(Stated(statement, right=False), Stated(statement, right=True))
