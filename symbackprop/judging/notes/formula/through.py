"""The derivative of an activation in terms of its value, as people write it: h (1 - h).

Owns: its text in the letters of a note. Refuses: derivatives that need more than the value.
Would be wrong if its identity were; `scalars` has it, and a test proves it there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from sympy import Symbol

from symbackprop.calculus.scalars import FUNCTIONS, Condition, H, Z, fold
from symbackprop.calculus.terms import Applied
from symbackprop.errors import UnsupportedError


def slope_through(function: str, value: str, square: str, times: str) -> str:
    """Its text, where f(z) is written `value`; "" where it is no polynomial in f(z)."""
    record = FUNCTIONS.get(function)
    slope = None if record is None else record.slope(Z, H)
    if slope is None or slope.atoms(Symbol, Applied) != {H} or not slope.is_polynomial(H):
        return ""
    return fold(slope, _Letters(value, square, times))


@dataclass(frozen=True)
class _Letters:
    value: str
    square: str
    times: str

    def variable(self, symbol: Symbol) -> str:
        return self.value

    def total(self, parts: Sequence[tuple[bool, str]]) -> str:
        signed = "".join(f" {'-' if negative else '+'} {part}" for negative, part in parts)
        return f"({signed.removeprefix(' + ').removeprefix(' ')})"

    def product(self, coefficient: Fraction, above: Sequence[str], below: Sequence[str]) -> str:
        size = abs(coefficient)
        number = [] if size == 1 and above else [str(size)]
        factors = [" ".join([*number, *above[:1]]), *above[1:]]
        text = f" {self.times} ".join(factors)
        return f"(-{text})" if coefficient < 0 else text

    def power(self, base: str, exponent: Fraction) -> str:
        if base == self.value and exponent == 2:
            return self.square
        return f" {self.times} ".join([base] * int(exponent))

    def call(self, function: str, order: int, argument: str) -> str:
        raise UnsupportedError(f"{function}: found a function, expected a polynomial")

    def cases(self, rows: Sequence[tuple[Condition, str]], otherwise: str) -> str:
        raise UnsupportedError("found cases, expected a polynomial")
