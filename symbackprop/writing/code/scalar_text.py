"""Definitions of scalar functions as NumPy expressions.

Owns: how a definition is written with as few parentheses as arithmetic needs.
Refuses: any function by name; what stands in a definition is all that is known here.
Would be wrong if a decimal were not the number of the definition: a fraction without decimals is
written as a quotient.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from sympy import Expr, Symbol

from symbackprop.calculus.scalars import ELEMENTARY, Condition, fold
from symbackprop.writing.code.backend import NUMPY
from symbackprop.writing.code.numpy_words import ATOM, MINUS, POWER, PRODUCT, SUM, Text


def scalar_text(
    node: Expr, known: Mapping[Symbol, Text], part: str = "", np: str = NUMPY.prefix
) -> Text:
    """The definition, its variables written as in `known`.

    The result has the shape and the type of the first of them. `part` follows a variable in a
    condition: `.real` where the code may be given complex numbers. `np` stands before each function
    of the library.

    >>> from sympy import exp
    >>> from symbackprop.calculus.scalars import Z
    >>> scalar_text(Z / (1 + exp(-Z)), {Z: Text("z", ATOM, True, True)}).text
    'z / (1 + np.exp(-z))'
    """
    writer = _Writer(known, part, np)
    return writer.spread(fold(node, writer))


@dataclass(frozen=True)
class _Writer:
    """`rows` of a text tells whether it has a variable, and so the shape of one."""

    known: Mapping[Symbol, Text]
    part: str
    np: str

    def variable(self, symbol: Symbol) -> Text:
        return self.known[symbol]

    def total(self, parts: Sequence[tuple[bool, Text]]) -> Text:
        (negative, first), *rest = parts
        shown = f"-{first.held(POWER)}" if negative else first.text
        shown += "".join(f" {'-' if less else '+'} {part.held(PRODUCT)}" for less, part in rest)
        return _text(shown, SUM, *(part for _, part in parts))

    def product(self, coefficient: Fraction, above: Sequence[Text], below: Sequence[Text]) -> Text:
        size, under = _number(abs(coefficient))
        over = _times([*([] if size.text == "1" and above else [size]), *above])
        divisors = [*under, *below]
        if divisors:
            bar = _times(divisors)
            over = _text(f"{over.held(PRODUCT)} / {bar.held(POWER)}", PRODUCT, over, bar)
        if coefficient < 0:
            over = _text(f"-{over.held(PRODUCT)}", min(over.level, MINUS), over)
        return over

    def power(self, base: Text, exponent: Fraction) -> Text:
        if exponent == Fraction(1, 2):
            return _text(f"{self.np}sqrt({base.text})", ATOM, base)
        size, under = _number(exponent)
        written = f"({size.text} / {under[0].text})" if under else size.text
        return _text(f"{base.held(ATOM)} ** {written}", POWER, base)

    def call(self, function: str, order: int, argument: Text) -> Text:
        name = f"{self.np}{function}" if function in ELEMENTARY and order == 0 else function
        return _text(f"{name}{'_prime' * order}({argument.text})", ATOM, argument)

    def cases(self, rows: Sequence[tuple[Condition, Text]], otherwise: Text) -> Text:
        values = [value for _, value in rows]
        if not otherwise.rows:
            values[-1] = self.spread(values[-1])
        shown = otherwise.text
        for (condition, _), value in zip(reversed(rows), reversed(values), strict=True):
            shown = f"{self.np}where({self._held(condition)}, {value.text}, {shown})"
        return _text(shown, ATOM, *values, otherwise)

    def _held(self, condition: Condition) -> str:
        side = self.known[condition.variable].held(ATOM if self.part else SUM)
        return (
            f"{side}{self.part} {condition.relation} {self.product(condition.bound, (), ()).text}"
        )

    def spread(self, made: Text) -> Text:
        """A number in the shape and type of the variable, so that float32 stays float32."""
        if made.rows:
            return made
        ones = f"{self.np}ones_like({next(iter(self.known.values())).text})"
        shown = ones if made.text == "1" else f"{made.held(PRODUCT)} * {ones}"
        return Text(shown, ATOM if shown == ones else PRODUCT, True, True)


def _number(value: Fraction) -> tuple[Text, list[Text]]:
    """The number, and below a fraction bar what no decimal can say."""
    if value.denominator == 1:
        return _text(str(value.numerator), ATOM if value >= 0 else MINUS), []
    decimal = repr(float(value))
    if Fraction(decimal) == value:
        return _text(decimal, ATOM if value >= 0 else MINUS), []
    return _text(str(value.numerator), ATOM), [_text(str(value.denominator), ATOM)]


def _times(parts: Sequence[Text]) -> Text:
    if len(parts) == 1:
        return parts[0]
    factors = (part.as_factor(first=place == 0) for place, part in enumerate(parts))
    return _text(" * ".join(factors), PRODUCT, *parts)


def _text(shown: str, level: int, *parts: Text) -> Text:
    full = any(part.rows for part in parts)
    return Text(shown, level, full, full)
