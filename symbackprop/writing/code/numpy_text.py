"""Formulas as NumPy expressions: by their matrix form, or else by their indices."""

from __future__ import annotations

from collections.abc import Sequence

from symbackprop.calculus.terms import Expression, Index
from symbackprop.derivation.matrixform import Node, matrix_form
from symbackprop.networks.network import Network
from symbackprop.writing.code.numpy_indices import IndexWriter
from symbackprop.writing.code.numpy_matrices import MatrixWriter
from symbackprop.writing.code.numpy_words import Names


def numpy_expression(node: Node, names: Names | None = None, like: str = "") -> str:
    """The node as one NumPy expression; `like` names a tensor of the same shape, if there is one.

    Without it a constant matrix reads `np.ones((N, K))`, with it `np.ones_like(z)`.
    """
    return MatrixWriter(names or Names(), like).finished(node).text


def expression_text(
    whole: Expression,
    indices: Sequence[Index],
    network: Network,
    names: Names,
    like: str = "",
    where: str = "",
) -> str:
    """An index expression as one NumPy expression, by its matrix form or else by `einsum`.

    Raises: UnsupportedError naming `where` if it has neither.
    """
    node = readable_form(whole, indices, network)
    if node is not None:
        return numpy_expression(node, names, like)
    return IndexWriter(network, names, where).whole(whole, tuple(indices))


def readable_form(whole: Expression, indices: Sequence[Index], network: Network) -> Node | None:
    """The matrix form, unless it speaks of layers, which arrays here do not have."""
    if any(index.axis.role in ("layer", "time") for index in indices):
        return None
    return matrix_form(whole, indices, network)
