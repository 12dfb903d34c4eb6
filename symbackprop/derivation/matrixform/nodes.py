"""The nodes of matrix algebra, each of which knows the index along its rows and its columns.

Owns: the nodes, their products and sums, and transposition.
Refuses: index expressions (`reading`); any way of printing.
Would be wrong if: two parts with different indices were ever laid on each other entry by entry;
every constructor takes row and column from its parts.

A tensor with one axis is a row (1 x k), unless the axis is that of the samples: then a column.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sympy import Expr, S

from symbackprop.calculus.terms import Index


@dataclass(frozen=True)
class Node:
    """A matrix: `row` runs down, `col` runs across; None where there is one row or one column."""

    row: Index | None
    col: Index | None


@dataclass(frozen=True)
class Leaf(Node):
    """A tensor of the network. `labels` are layer indices, which are no matrix axes."""

    tensor: str
    transposed: bool
    labels: tuple[Expr, ...] = ()


@dataclass(frozen=True)
class Map(Node):
    """A scalar function, or its derivative, entry by entry."""

    function: str
    order: int
    inner: Node


@dataclass(frozen=True)
class OneHot(Node):
    """1 where the column is the class that the label picks."""

    tensor: str
    transposed: bool


@dataclass(frozen=True)
class Ones(Node):
    """A column or a row of ones."""


@dataclass(frozen=True)
class Identity(Node):
    """The identity matrix."""


@dataclass(frozen=True)
class Constant(Node):
    """A number in every entry."""

    value: Expr


@dataclass(frozen=True)
class Diag(Node):
    """The square matrix with the entries of a row `inner` on its diagonal."""

    inner: Node


@dataclass(frozen=True)
class MatMul(Node):
    """Matrix product; inner indices agree."""

    parts: tuple[Node, ...]


@dataclass(frozen=True)
class Hadamard(Node):
    """Product entry by entry."""

    parts: tuple[Node, ...]


@dataclass(frozen=True)
class Divide(Node):
    """Quotient entry by entry."""

    numerator: Node
    denominator: Node


@dataclass(frozen=True)
class Power(Node):
    """Whole power entry by entry."""

    inner: Node
    exponent: int


@dataclass(frozen=True)
class Scale(Node):
    """A number or a size times a matrix."""

    coefficient: Expr
    inner: Node


@dataclass(frozen=True)
class Sum(Node):
    """Sum of matrices of one shape."""

    parts: tuple[Node, ...]


def tensor_is_column(index: Index) -> bool:
    return index.axis.role == "sample"


# --------------------------------------------------------------------------------------------
# Transposition
# --------------------------------------------------------------------------------------------


def transpose(node: Node) -> Node:
    """The transposed matrix, with the transposition carried down to the letters."""
    turned = replace(node, row=node.col, col=node.row)
    match turned:
        case Leaf() | OneHot():
            return replace(turned, transposed=not turned.transposed)
        case Map() | Power() | Scale():
            return replace(turned, inner=transpose(turned.inner))
        case MatMul():
            return replace(turned, parts=tuple(transpose(part) for part in turned.parts[::-1]))
        case Hadamard() | Sum():
            return replace(turned, parts=tuple(map(transpose, turned.parts)))
        case Divide():
            return replace(
                turned,
                numerator=transpose(turned.numerator),
                denominator=transpose(turned.denominator),
            )
        case _:
            return turned


def in_columns(node: Node) -> Node:
    """The same matrix as texts with samples as columns write it: transposed as a whole, where
    every letter stands for the transposed array (z = Wh + b instead of z = hW + b)."""
    return letters_turned(transpose(node))


def letters_turned(node: Node) -> Node:
    """The same matrix in letters that stand for transposed arrays."""
    match node:
        case Leaf() | OneHot():
            return replace(node, transposed=not node.transposed)
        case Map() | Power() | Scale():
            return replace(node, inner=letters_turned(node.inner))
        case Diag():
            return replace(node, inner=letters_turned(transpose(node.inner)))
        case MatMul() | Hadamard() | Sum():
            return replace(node, parts=tuple(map(letters_turned, node.parts)))
        case Divide():
            return replace(
                node,
                numerator=letters_turned(node.numerator),
                denominator=letters_turned(node.denominator),
            )
        case _:
            return node


# --------------------------------------------------------------------------------------------
# Products and sums
# --------------------------------------------------------------------------------------------


def matmul(parts: Sequence[Node]) -> Node:
    flat = [p for part in parts for p in (part.parts if isinstance(part, MatMul) else (part,))]
    return flat[0] if len(flat) == 1 else MatMul(flat[0].row, flat[-1].col, tuple(flat))


def hadamard(parts: Sequence[Node]) -> Node:
    """Entry by entry product, numerators together; products and sums lead, f' comes last."""
    flat: list[Node] = []
    below: list[Node] = []
    for part in parts:
        for piece in part.parts if isinstance(part, Hadamard) else (part,):
            if isinstance(piece, Divide):
                below.append(piece.denominator)
                if not isinstance(piece.numerator, Constant):
                    flat.append(piece.numerator)
            else:
                flat.append(piece)
    flat.sort(key=_rank)
    row, col = parts[0].row, parts[0].col
    above = _joined(flat, row, col)
    return Divide(row, col, above, _joined(below, row, col)) if below else above


def _joined(parts: list[Node], row: Index | None, col: Index | None) -> Node:
    if not parts:
        return Constant(row, col, S.One)
    return parts[0] if len(parts) == 1 else Hadamard(row, col, tuple(parts))


def _rank(node: Node) -> int:
    match node:
        case MatMul(parts=parts) if not any(isinstance(part, Ones) for part in parts):
            return 0
        case Sum() if not any(isinstance(part, Constant) for part in node.parts):
            return 1
        case Leaf() | OneHot():
            return 2
        case MatMul():
            return 3
        case Map(order=0):
            return 4
        case _:
            return 5


def summed(parts: Sequence[Node]) -> Node:
    return parts[0] if len(parts) == 1 else Sum(parts[0].row, parts[0].col, tuple(parts))


def scaled(coefficient: Expr, inner: Node) -> Node:
    if coefficient == 1:
        return inner
    if isinstance(inner, Constant):
        return replace(inner, value=inner.value * coefficient)
    return Scale(inner.row, inner.col, coefficient, inner)
