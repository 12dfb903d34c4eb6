"""The dense layer: z = hW + b.

Source: Bishop 2006, Pattern Recognition and Machine Learning, eq. 5.2 and 5.48.
"""

from __future__ import annotations

from symbackprop.calculus.terms import Index, expression, product
from symbackprop.networks import names
from symbackprop.networks.layers.pieces import Piece
from symbackprop.networks.network import Equation, Tensor


def dense(source: Tensor, name: str, layer: int, unit: Index, bias: bool) -> Piece:
    """z[n,k] = sum_j h[n,j] W[j,k] + b[k]; without sample axis z[k] = sum_j h[j] W[j,k] + b[k].

    Shapes: source (..., in), W (in, out), b (out,), result (..., out).
    """
    *leading, feature = source.indices
    weight = Tensor(names.weight(layer), (feature, unit), "parameter", letter="W", layer=layer)
    offset = Tensor(names.bias(layer), (unit,), "parameter", letter="b", layer=layer)
    letter = name if name == names.OUTPUT else "z"
    output = Tensor(name, (*leading, unit), "intermediate", letter=letter, layer=layer)
    terms = [product(1, (feature,), (source.entry, weight.entry))]
    if bias:
        terms.append(product(1, (), (offset.entry,)))
    equation = Equation(
        name, output.indices, expression(*terms), source="Bishop 2006, eq. 5.2 and 5.48"
    )
    parameters = (weight, offset) if bias else (weight,)
    return Piece((*parameters, output), (equation,))
