"""Activations: h = f(z) entry by entry, and the softmax over the features.

What the scalar functions are stands in `scalars`; this is the catalogue that network files choose
from, in the order in which their faults list it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from symbackprop.calculus.scalars import FUNCTIONS
from symbackprop.calculus.terms import Applied, Element, expression, fresh, product
from symbackprop.networks import names
from symbackprop.networks.layers.pieces import Piece
from symbackprop.networks.network import Equation, NamesItsDefinition, Tensor

Builder = Callable[[Tensor, str, int], Piece]


def pointwise(function: str) -> Builder:
    """h[n,k] = f(z[n,k])."""

    def build(source: Tensor, name: str, layer: int) -> Piece:
        output = _output(source, name, layer)
        rhs = expression(product(1, (), (Applied(function, 0, source.entry),)))
        equation = Equation(name, output.indices, rhs, FUNCTIONS[function].source)
        return Piece((output,), (equation,))

    return build


def softmax(source: Tensor, name: str, layer: int) -> Piece:
    """h[n,k] = exp(z[n,k]) / s[n] with s[n] = sum_k exp(z[n,k]).

    The sum has a name of its own, so that a quotient can be recognised as an entry of h.
    Source: Bishop 2006, eq. 4.62 and 4.104.
    """
    *leading, feature = source.indices
    other = fresh(feature, {index.name for index in source.indices})
    total = Tensor(names.softmax_sum(layer), tuple(leading), "auxiliary", letter="s", layer=layer)
    output = _output(source, name, layer)
    output = Tensor(
        name, output.indices, "intermediate", (NamesItsDefinition(),), output.letter, layer
    )
    inside = Applied("exp", 0, Element(source.name, *leading, other))
    sums = Equation(
        total.name,
        total.indices,
        expression(product(1, (other,), (inside,))),
        "Bishop 2006, eq. 4.104",
    )
    quotient = product(1, (), (Applied("exp", 0, source.entry), total.entry**-1))
    shares = Equation(name, output.indices, expression(quotient), "Bishop 2006, eq. 4.104")
    return Piece((total, output), (sums, shares))


def _output(source: Tensor, name: str, layer: int) -> Tensor:
    letter = name if name == names.OUTPUT else "h"
    return Tensor(name, source.indices, "intermediate", letter=letter, layer=layer)


ACTIVATIONS: Mapping[str, Builder | None] = {
    "identity": None,
    "sigmoid": pointwise("sigmoid"),
    "tanh": pointwise("tanh"),
    "relu": pointwise("relu"),
    "leaky_relu": pointwise("leaky_relu"),
    "softplus": pointwise("softplus"),
    "softmax": softmax,
}
