"""Exact points, and values of SymPy expressions there to many digits.

Owns: fractions without any pattern, and the evaluation of expressions, exact at the leaves, with
guard digits on the way. Refuses: a symbol without a value, and a function that mpmath does not
know by SymPy's name. Wrong if a condition of a Piecewise were decided on rounded sides that meet.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from math import prod
from typing import Any, TypeAlias

import mpmath
from sympy import (
    ITE,
    Add,
    And,
    Expr,
    Float,
    KroneckerDelta,
    Mul,
    Not,
    Or,
    Piecewise,
    Pow,
    Rational,
    S,
    Symbol,
)
from sympy.core.relational import Relational
from sympy.logic.boolalg import BooleanAtom

from symbackprop.calculus.entry import Position, without
from symbackprop.errors import UnsupportedError, UsageError

Values: TypeAlias = Mapping[Symbol, Rational]

GUARD_DIGITS = 12


def fraction(source: random.Random, positive: bool) -> Rational:
    """A fraction of two-digit size; of either sign, unless it has to be positive."""
    size = Rational(source.randint(10, 99), 67)
    return size if positive or source.random() < 0.5 else -size


def normalised(drawn: Mapping[Position, Rational], axis: int) -> dict[Position, Rational]:
    """The same entries divided by their sums along the axis."""
    totals: dict[Position, Rational] = {}
    for position, value in drawn.items():
        row = without(position, axis)
        totals[row] = totals.get(row, S.Zero) + value
    return {place: value / totals[without(place, axis)] for place, value in drawn.items()}


class Evaluator:
    """Values of expressions in mpmath numbers; every shared part is computed once.

    SymPy's `evalf` and `subs` walk a composed expression as a tree, which takes minutes.
    """

    def __init__(self, leaves: Values, digits: int) -> None:
        self.digits = digits
        self.context = mpmath.MPContext()
        self.context.dps = digits + GUARD_DIGITS
        self.known: dict[Expr, Any] = {}
        for symbol, value in leaves.items():
            self.known[symbol] = self.value(value)

    def rounded(self, node: Expr) -> Float:
        return Float(self.context.nstr(self.value(node), self.digits + 3), self.digits)

    def value(self, node: Expr) -> Any:
        if node not in self.known:
            self.known[node] = self._computed(node)
        return self.known[node]

    def _computed(self, node: Expr) -> Any:
        if node.is_Rational:
            return self.context.mpf(int(node.p)) / int(node.q)
        match node:
            case Piecewise():
                chosen = next(branch for branch in node.args if self._holds(branch.args[1]))
                return self.value(chosen.args[0])
            case KroneckerDelta():
                left, right = map(self.value, node.args[:2])
                return self.context.mpf(int(left == right))
            case Symbol():
                raise UsageError(f"values: found none for {node.name}")
        parts = [self.value(argument) for argument in node.args]
        match node:
            case Add():
                return self.context.fsum(parts)
            case Mul():
                return prod(parts, start=self.context.mpf(1))
            case Pow():
                exponent = node.exp
                return parts[0] ** (int(exponent) if exponent.is_Integer else parts[1])
        function = getattr(self.context, type(node).__name__, None)
        if function is None:
            raise UnsupportedError(f"no numeric value of {type(node).__name__}")
        return function(*parts)

    def _holds(self, condition: Any) -> bool:
        match condition:
            case BooleanAtom():
                return bool(condition)
            case And():
                return all(map(self._holds, condition.args))
            case Or():
                return any(map(self._holds, condition.args))
            case Not():
                return not self._holds(condition.args[0])
            case ITE():
                asked, then, otherwise = condition.args
                return self._holds(then if self._holds(asked) else otherwise)
        if not isinstance(condition, Relational):
            raise UnsupportedError(f"no numeric truth of {type(condition).__name__}")
        return _compared(condition, self.value(condition.lhs), self.value(condition.rhs))


def _compared(condition: Relational, left: Any, right: Any) -> bool:
    match condition.rel_op:
        case "==":
            return bool(left == right)
        case "!=":
            return bool(left != right)
        case ">":
            return bool(left > right)
        case ">=":
            return bool(left >= right)
        case "<":
            return bool(left < right)
        case _:
            return bool(left <= right)
