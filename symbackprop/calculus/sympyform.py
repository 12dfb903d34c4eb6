"""Index expressions as plain SymPy: `Sum`, `Indexed` and `KroneckerDelta`.

Owns: the way from our expressions to SymPy's, for users who go on computing there.
Refuses: the way back, and any simplification. Positions count from 0, so that the result reads
arrays as NumPy does. Scalar functions and their derivatives stand by their definitions
(sigma' as exp(-z)/(1 + exp(-z))^2), so that `doit` and `lambdify` need nothing of ours.
Would be wrong if: a bound name met a free one; terms keep theirs apart.
"""

from __future__ import annotations

from collections.abc import Mapping

from sympy import (
    Add,
    And,
    Derivative,
    Expr,
    IndexedBase,
    KroneckerDelta,
    Mul,
    Piecewise,
    S,
    Sum,
    Symbol,
)

from symbackprop.calculus.scalars import ScalarFunction
from symbackprop.calculus.terms import (
    Applied,
    Delta,
    Element,
    Expression,
    Guard,
    Index,
    Partial,
    Term,
)


def to_sympy(
    whole: Expression, functions: Mapping[str, ScalarFunction], sizes: Mapping[Symbol, int]
) -> Expr:
    """The expression with known sizes as numbers; tensors are `IndexedBase`s of the same name."""
    return Add(*(_term(term, functions, sizes) for term in whole.terms))


def _term(term: Term, functions: Mapping[str, ScalarFunction], sizes: Mapping[Symbol, int]) -> Expr:
    body = Mul(*(_scalar(part, functions, sizes) for part in (term.coefficient, *term.factors)))
    if not term.bound:
        return body
    return Sum(body, *(_limits(index, sizes) for index in term.bound[::-1]))


def _limits(index: Index, sizes: Mapping[Symbol, int]) -> tuple[Expr, Expr, Expr]:
    last = _scalar(index.axis.extent, {}, sizes) + index.axis.start - 1
    return _plain(index), S(index.axis.start), last


def _plain(index: Index) -> Symbol:
    return Symbol(index.name, integer=True)


def _scalar(
    node: Expr, functions: Mapping[str, ScalarFunction], sizes: Mapping[Symbol, int]
) -> Expr:
    match node:
        case Index():
            return _plain(node)
        case Symbol():
            return S(sizes[node]) if node in sizes else node
        case Element():
            written = [_scalar(index, functions, sizes) for index in node.indices]
            if not written:
                return Symbol(node.tensor, real=True)
            return IndexedBase(node.tensor)[tuple(written)]
        case Delta():
            return KroneckerDelta(*(_scalar(side, functions, sizes) for side in node.args))
        case Guard():
            argument, start, extent = (_scalar(part, functions, sizes) for part in node.args)
            inside = And(argument >= start, argument < start + extent)
            return Piecewise((S.One, inside), (S.Zero, True))
        case Applied():
            argument = _scalar(node.argument, functions, sizes)
            return functions[node.function].value(argument, node.order)
        case Partial():
            above, below = (_scalar(part, functions, sizes) for part in node.args[:2])
            return Derivative(above, below, evaluate=False)
    if not node.args:
        return node
    return node.func(*(_scalar(argument, functions, sizes) for argument in node.args))
