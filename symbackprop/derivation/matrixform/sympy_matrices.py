"""Matrix algebra as SymPy's matrix expressions.

Refuses: simplifying; SymPy's own rules run once at each product and sum.
Would be wrong if: a product entry by entry were SymPy's product of matrices, or a 1 x 1 matrix
met a larger one entry by entry.
"""

from __future__ import annotations

from collections.abc import Mapping

from sympy import Expr, Function, Integer, MatrixSymbol, S, Symbol
from sympy import Identity as SympyIdentity
from sympy.matrices.expressions import (
    DiagMatrix,
    HadamardPower,
    HadamardProduct,
    MatAdd,
    OneMatrix,
)
from sympy.matrices.expressions import MatMul as SympyMatMul

from symbackprop.calculus.terms import Index
from symbackprop.derivation.matrixform.nodes import (
    Constant,
    Diag,
    Divide,
    Hadamard,
    Identity,
    Leaf,
    Map,
    MatMul,
    Node,
    OneHot,
    Ones,
    Power,
    Scale,
    Sum,
)


def to_sympy(node: Node, sizes: Mapping[Symbol, int]) -> Expr:
    """The form as a SymPy matrix expression over `MatrixSymbol`s named like the tensors.

    Rows of one sample are 1 x k. Sizes that the network file gives stand as numbers.
    """
    rows, cols = (_extent(index, sizes) for index in (node.row, node.col))
    match node:
        case Leaf():
            shape = (cols, rows) if node.transposed else (rows, cols)
            symbol = MatrixSymbol(_labelled(node), *shape)
            return symbol.T if node.transposed else symbol
        case OneHot():
            shape = (cols, rows) if node.transposed else (rows, cols)
            symbol = MatrixSymbol(f"onehot_{node.tensor}", *shape)
            return symbol.T if node.transposed else symbol
        case Map():
            name = node.function + "_prime" * node.order
            inner = to_sympy(node.inner, sizes)
            return inner.applyfunc(Function(name))
        case Ones():
            return OneMatrix(rows, cols)
        case Identity():
            return SympyIdentity(rows)
        case Constant():
            return node.value.subs(sizes) * OneMatrix(rows, cols)
        case Diag():
            return DiagMatrix(to_sympy(node.inner, sizes).T)
        case MatMul():
            return SympyMatMul(*(to_sympy(part, sizes) for part in node.parts)).doit(deep=False)
        case Hadamard():
            return _entrywise([to_sympy(part, sizes) for part in node.parts])
        case Divide():
            below = HadamardPower(to_sympy(node.denominator, sizes), Integer(-1))
            if isinstance(node.numerator, Constant):
                return node.numerator.value.subs(sizes) * below
            return _entrywise([to_sympy(node.numerator, sizes), below])
        case Power():
            return HadamardPower(to_sympy(node.inner, sizes), Integer(node.exponent))
        case Scale():
            return node.coefficient.subs(sizes) * to_sympy(node.inner, sizes)
        case Sum():
            return MatAdd(*(to_sympy(part, sizes) for part in node.parts)).doit(deep=False)
        case _:
            raise AssertionError(f"no SymPy form for {type(node).__name__}")


def _entrywise(parts: list[Expr]) -> Expr:
    numbers = [part for part in parts if part.shape == (1, 1)]
    others = [part for part in parts if part.shape != (1, 1)]
    if not others or not numbers:
        return HadamardProduct(*parts)
    body = others[0] if len(others) == 1 else HadamardProduct(*others)
    return SympyMatMul(*(number[0, 0] for number in numbers), body)


def _extent(index: Index | None, sizes: Mapping[Symbol, int]) -> Expr:
    return S.One if index is None else index.axis.extent.subs(sizes)


def _labelled(node: Leaf) -> str:
    return node.tensor + "".join(f"[{label}]" for label in node.labels)
