"""Pieces of NumPy text: how tightly they hold together, numbers and sizes, scalar functions.

Owns: `Text`, `Names`, and the parentheses that a number or a function needs.
Refuses: matrices and index expressions, which are written in other rooms.
Would be wrong if: a text claimed directions or booleans that its array has not.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from sympy import Expr

from symbackprop.errors import UnsupportedError
from symbackprop.writing.code.backend import NUMPY

# How tightly a text holds together; `@` and `*` are kept apart, so that a reader need not know
# which of them Python does first.
COMPARISON, SUM, PRODUCT, MATRIX_PRODUCT, MINUS, POWER, ATOM = range(7)


@dataclass(frozen=True)
class Text:
    """An expression. `rows`, `cols`: whether the array really has these directions of its node,
    or relies on broadcasting. `truth`: the array holds booleans, `leads_truth`: its first operand
    does, so that a sign or a number in front would turn it into whole numbers. `column`: the
    text that keeps a summed axis."""

    text: str
    level: int
    rows: bool
    cols: bool
    truth: bool = False
    leads_truth: bool = False
    column: str = ""

    def held(self, level: int) -> str:
        return self.text if self.level >= level else f"({self.text})"

    def as_factor(self, first: bool) -> str:
        loose = self.level == MATRIX_PRODUCT or (not first and self.level < POWER)
        return f"({self.text})" if loose else self.held(PRODUCT)

    def as_operand(self) -> str:
        return self.text if self.level in (MATRIX_PRODUCT, POWER, ATOM) else f"({self.text})"


@dataclass(frozen=True)
class Names:
    """How sizes are written (those not named here appear under their own letters), and functions:
    `np` stands before each of the library."""

    sizes: Mapping[Expr, str] = field(default_factory=dict)
    np: str = NUMPY.prefix

    def size(self, extent: Expr) -> str:
        return number(extent, self).held(SUM)


# --------------------------------------------------------------------------------------------
# Numbers
# --------------------------------------------------------------------------------------------


def number(value: Expr, names: Names) -> Text:
    """A number or a size: `3`, `N`, `N * d`, `1 / N`."""
    above, below = value.as_numer_denom()
    top = _whole(above, names)
    if below == 1:
        return top
    return Text(f"{top.held(PRODUCT)} / {_whole(below, names).held(POWER)}", PRODUCT, False, False)


def _whole(value: Expr, names: Names) -> Text:
    if value in names.sizes:
        return Text(names.sizes[value], ATOM, False, False)
    if value.is_Number:
        text = str(int(value)) if value.is_Integer else repr(float(value))
        return Text(text, MINUS if value.is_negative else ATOM, False, False)
    if value.is_Symbol:
        return Text(value.name, ATOM, False, False)
    parts = sorted((_whole(part, names) for part in value.args), key=lambda part: part.text)
    if value.is_Add:
        return Text(" + ".join(part.text for part in parts), SUM, False, False)
    if value.is_Mul:
        return Text(" * ".join(part.held(MINUS) for part in parts), PRODUCT, False, False)
    if value.is_Pow and value.exp.is_Integer and value.exp > 0:
        base = _whole(value.base, names).held(ATOM)
        return Text(f"{base} ** {value.exp}", POWER, False, False)
    raise UnsupportedError(f"no NumPy text for the number {value}")


def scaled(coefficient: Expr, inner: Text, names: Names) -> Text:
    """`2 * a / N`: whole numbers in front, denominators behind."""
    above, below = coefficient.as_numer_denom()
    sign = above.could_extract_minus_sign()
    above = -above if sign else above
    held = inner
    if inner.leads_truth and (sign or above != 1):
        held = replace(inner, text=f"({inner.text})", level=ATOM)
    if above == 1 and sign:
        body = f"-{held.as_factor(first=True)}"
        level = PRODUCT if held.level == PRODUCT else MINUS
    elif above == 1:
        body, level = held.as_factor(first=True), max(held.level, PRODUCT)
    else:
        front = _whole(above, names).held(PRODUCT)
        body, level = f"{'-' if sign else ''}{front} * {_flat(held)}", PRODUCT
    if below == 1:
        return replace(inner, text=body, level=level, column="", truth=False, leads_truth=False)
    text = f"{body} / {_whole(below, names).held(POWER)}"
    return replace(inner, text=text, level=PRODUCT, column="", truth=False, leads_truth=False)


def _flat(held: Text) -> str:
    """A product behind a number: `2 * a * b`."""
    return held.text if held.level == PRODUCT else held.as_factor(first=False)


# --------------------------------------------------------------------------------------------
# Functions
# --------------------------------------------------------------------------------------------

CALLS = frozenset(("exp", "log", "tanh"))


def call(function: str, order: int, argument: Text, names: Names) -> Text:
    """A scalar function, entry by entry: of the library, or a helper of the same name."""
    if function == "relu" and order == 0:
        return replace(
            argument, text=f"{names.np}maximum({argument.text}, 0)", level=ATOM, column=""
        )
    if function == "relu" and order == 1:
        text = f"{argument.held(SUM)} > 0"
        return replace(
            argument, text=text, level=COMPARISON, column="", truth=True, leads_truth=True
        )
    name = function + "_prime" * order
    if name in CALLS:
        name = names.np + name
    return replace(argument, text=f"{name}({argument.text})", level=ATOM, column="")
