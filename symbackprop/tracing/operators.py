"""Operators of Python on numbers, texts, lists and arrays.

Owns: arithmetic, comparison, truth. Numbers stay numbers while they are whole; decimals are the
fractions that are written. Refuses: what Python would spend much memory on.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from symbackprop.derivation.normalform import ONE, Form
from symbackprop.tracing import arrays
from symbackprop.tracing.arrays import SymbolicArray, TraceError
from symbackprop.tracing.machine import MOST_BITS, Machine
from symbackprop.tracing.memory import Cell
from symbackprop.tracing.values import Packed, described

LONGEST = 10_000
MOST_EXPONENT = 64
_ROUNDING = Fraction(1, 10**9)

_OPERATORS: Mapping[type[ast.operator], str] = {
    ast.Add: "add",
    ast.Sub: "subtract",
    ast.Mult: "multiply",
    ast.Div: "divide",
    ast.Pow: "power",
}
_RELATIONS: Mapping[type[ast.cmpop], str] = {
    ast.Gt: ">",
    ast.GtE: ">=",
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Eq: "==",
    ast.NotEq: "!=",
}


def binary(m: Machine, op: ast.operator, left: Any, right: Any) -> Any:
    if isinstance(left, Packed) or isinstance(right, Packed):
        return _packed(m, op, left, right)
    if not isinstance(left, Cell) and not isinstance(right, Cell):
        return _concrete(m, op, left, right)
    if isinstance(left, str) or isinstance(right, str):
        raise TraceError(f"{type(op).__name__} of {described(left)} and {described(right)}")
    if isinstance(op, ast.Mult) and any(isinstance(v, (list, tuple)) for v in (left, right)):
        raise TraceError("a list repeated, or multiplied by an array")
    one, other = m.array(left), m.array(right)
    if isinstance(op, ast.MatMult):
        return m.cell(arrays.matmul(m.algebra, one, other))
    if isinstance(op, (ast.BitAnd, ast.BitOr, ast.BitXor)):
        return m.cell(logical(op, one, other))
    name = _OPERATORS.get(type(op))
    if name is None:
        return _whole_division(m, op, one, other)
    return m.cell(arithmetic(m, name, one, other))


def _whole_division(m: Machine, op: ast.operator, one: SymbolicArray, other: SymbolicArray) -> Any:
    values = (one.form.constant, other.form.constant)
    if one.ndim or other.ndim or None in values or {one.dtype, other.dtype} != {"int"}:
        raise TraceError(f"the operator {type(op).__name__}")
    return _concrete(m, op, int(values[0] or 0), int(values[1] or 0))


def _concrete(m: Machine, op: ast.operator, left: Any, right: Any) -> Any:
    if isinstance(left, str) and isinstance(op, ast.Mod):
        return _percent(left, right)
    if isinstance(op, ast.Add) and isinstance(left, (str, tuple, list)):
        if type(left) is not type(right):
            raise TraceError(f"{described(left)} + {described(right)}")
        _check_length(len(left) + len(right))
        joined: Any = left
        return m.memory.made(joined + right)
    if isinstance(op, ast.Mult) and isinstance(right, (str, tuple, list)):
        left, right = right, left
    if isinstance(op, ast.Mult) and isinstance(left, (str, tuple, list)) and _is_int(right):
        _check_length(len(left) * max(right, 0))
        return m.memory.made(left * right)
    if not isinstance(left, (int, float, Fraction)) or not isinstance(
        right, (int, float, Fraction)
    ):
        raise TraceError(f"{type(op).__name__} of {described(left)} and {described(right)}")
    if isinstance(left, int) and isinstance(right, int):
        found = _whole(op, left, right)
        if found is not None:
            return found
    name = _OPERATORS.get(type(op))
    if name is None:
        raise TraceError(f"the operator {type(op).__name__}")
    return m.memory.cell(arithmetic(m, name, *map(_unit, (left, right))))


def _unit(value: Any) -> SymbolicArray:
    """A condition of Python counts as 0 or 1."""
    return arrays.scalar(int(value) if isinstance(value, bool) else value)


def _is_int(value: Any) -> bool:
    return isinstance(value, int)


def _whole(op: ast.operator, left: int, right: int) -> int | None:
    """Whole numbers, as Python computes with them; None for what is no whole number."""
    if max(left.bit_length(), right.bit_length()) > MOST_BITS:
        raise TraceError("a number that is too long")
    match op:
        case ast.Add():
            return left + right
        case ast.Sub():
            return left - right
        case ast.Mult():
            return left * right
        case ast.FloorDiv() | ast.Mod():
            if right == 0:
                raise TraceError("a division by zero")
            return left // right if isinstance(op, ast.FloorDiv) else left % right
        case ast.Pow() if right >= 0:
            if left.bit_length() * right > MOST_BITS:
                raise TraceError("a number that is too long")
            return int(left**right)
    return None


def _percent(template: str, values: Any) -> str:
    values = values if isinstance(values, tuple) else (values,)
    return formatted(template, lambda: template % values, values)


def formatted(template: str, make: Any, values: Any) -> str:
    """A text from whole numbers and texts, not wide."""
    if not all(isinstance(value, (int, str)) for value in values):
        raise TraceError("text made from an array")
    if re.search(r"\d{4}|\*", template):
        raise TraceError("a text of a given width")
    _check_length(len(template) + sum(len(str(value)) for value in values))
    try:
        return str(make())
    except (ValueError, TypeError, KeyError, IndexError, AttributeError) as problem:
        raise TraceError(f"the text {template!r}: {problem}") from None


def _check_length(length: int) -> None:
    if length > LONGEST:
        raise TraceError("a text or list that is too long")


def _packed(m: Machine, op: ast.operator, left: Any, right: Any) -> Packed:
    """Entry by entry under one mask, or with a number."""
    mask = left.mask if isinstance(left, Packed) else right.mask
    sides = []
    for side in (left, right):
        if isinstance(side, Packed):
            if side.mask != mask:
                raise TraceError("entries under two masks meet")
            sides.append(side.entries)
        else:
            sides.append(m.array(side))
            if sides[-1].ndim:
                raise TraceError("entries under a mask meet an array")
    name = _OPERATORS.get(type(op))
    if name is None:
        raise TraceError(f"{type(op).__name__} of entries under a mask")
    return Packed(arithmetic(m, name, *sides), mask)


def arithmetic(m: Machine, name: str, one: SymbolicArray, other: SymbolicArray) -> SymbolicArray:
    algebra = m.algebra
    kind = arrays.arithmetic_kind(one.dtype, other.dtype)
    if name in ("add", "subtract", "multiply") and one.dtype == other.dtype == "bool":
        raise TraceError(f"the operation {name} of two conditions")
    match name:
        case "add":
            return arrays.pointwise(Form.__add__, one, other, dtype=kind)
        case "subtract":
            return arrays.pointwise(Form.__sub__, one, other, dtype=kind)
        case "multiply":
            return arrays.pointwise(Form.__mul__, one, other, dtype=kind)
        case "divide":
            return arrays.pointwise(
                lambda a, b: a * algebra.power(b, Fraction(-1)), one, other, dtype="float"
            )
        case "power":
            exponent = other.form.constant
            if exponent is None or other.ndim:
                raise TraceError("a power whose exponent is no number")
            if abs(exponent) > MOST_EXPONENT:
                raise TraceError("a power that is too large")
            if kind == "int" and exponent < 0:
                if one.ndim:
                    raise TraceError("a negative power of whole numbers")
                kind = "float"
            return arrays.pointwise(lambda a: algebra.power(a, exponent), one, dtype=kind)
    raise TraceError(f"the operation {name}")


def logical(op: ast.operator, one: SymbolicArray, other: SymbolicArray) -> SymbolicArray:
    if one.dtype != "bool" or other.dtype != "bool":
        raise TraceError("a bit operation on numbers")
    match op:
        case ast.BitAnd():
            return arrays.pointwise(Form.__mul__, one, other, dtype="bool")
        case ast.BitOr():
            return arrays.pointwise(lambda a, b: a + b - a * b, one, other, dtype="bool")
    return arrays.pointwise(
        lambda a, b: a + b - (a * b).scaled(Fraction(2)), one, other, dtype="bool"
    )


def inverted(array: SymbolicArray) -> SymbolicArray:
    if array.dtype != "bool":
        raise TraceError("~ of numbers")
    return SymbolicArray(array.shape, ONE - array.form, "bool")


def unary(m: Machine, op: ast.unaryop, operand: Any) -> Any:
    if isinstance(op, ast.Not):
        return not truth(operand)
    if isinstance(operand, Packed):
        return binary(m, ast.Mult(), -1 if isinstance(op, ast.USub) else 1, operand)
    if not isinstance(operand, Cell):
        if not isinstance(operand, (int, float)) or isinstance(op, ast.Invert):
            raise TraceError(f"{type(op).__name__} of {described(operand)}")
        return -operand if isinstance(op, ast.USub) else +operand
    array = operand.value
    if isinstance(op, ast.Invert):
        return m.cell(inverted(array))
    if array.dtype == "bool":
        raise TraceError("a sign before a condition")
    sign = Fraction(-1 if isinstance(op, ast.USub) else 1)
    return m.cell(SymbolicArray(array.shape, array.form.scaled(sign), array.dtype))


# --------------------------------------------------------------------------------------------
# Comparison and truth
# --------------------------------------------------------------------------------------------


def truth(value: Any) -> bool:
    if isinstance(value, Cell):
        constant = value.value.form.constant
        if value.value.ndim == 0 and constant is not None:
            return bool(constant)
        raise TraceError("an if whose outcome depends on values or sizes")
    if value is None or isinstance(value, (bool, int, float, str, tuple, list, dict, range)):
        return bool(value)
    raise TraceError(f"the truth of {described(value)}")


def compare(m: Machine, op: ast.cmpop, left: Any, right: Any) -> Any:
    match op:
        case ast.Is() | ast.IsNot():
            if left is not None and right is not None and not isinstance(right, bool):
                raise TraceError("`is` between other things than None")
            if isinstance(right, bool) and isinstance(left, Cell):
                raise TraceError("`is` between an array and a condition")
            return (left is right) == isinstance(op, ast.Is)
        case ast.In() | ast.NotIn():
            return _contains(left, right) == isinstance(op, ast.In)
    relation = _RELATIONS[type(op)]
    if relation in ("==", "!=") and isinstance(left, tuple) and isinstance(right, tuple):
        same = len(left) == len(right) and all(
            truth(compare(m, ast.Eq(), a, b)) for a, b in zip(left, right, strict=True)
        )
        return same == (relation == "==")
    if not isinstance(left, Cell) and not isinstance(right, Cell):
        found = _concrete_relation(relation, left, right)
        if found is not None:
            return found
    _check_rounding(left, right)
    if any(not isinstance(v, (Cell, int, float)) for v in (left, right)):
        raise TraceError(f"a comparison of {described(left)} and {described(right)}")
    return m.cell(related(m, relation, m.array(left), m.array(right)))


def _check_rounding(left: Any, right: Any) -> None:
    """Decimals that were computed are exact here and rounded in Python."""
    sides = [v.value for v in (left, right) if isinstance(v, Cell) and not v.value.ndim]
    if not any(side.dtype == "float" for side in sides):
        return
    numbers: list[Fraction | None] = [
        v.value.form.constant if isinstance(v, Cell) else Fraction(v)
        for v in (left, right)
        if isinstance(v, (Cell, int, float))
    ]
    known = [number for number in numbers if number is not None]
    if len(known) == 2:
        most = max(Fraction(1), abs(known[0]), abs(known[1]))
        if abs(known[0] - known[1]) <= most * _ROUNDING:
            raise TraceError("a comparison that rounding may decide")


def _contains(left: Any, right: Any) -> bool:
    if isinstance(left, str) and isinstance(right, str):
        return left in right
    if not isinstance(right, (tuple, list, dict, range)) or not _is_simple(left):
        raise TraceError("`in` of something that is no list")
    if not isinstance(right, range) and not all(map(_is_simple, right)):
        raise TraceError("`in` of a list of arrays")
    return left in right


def _is_simple(value: Any) -> bool:
    if isinstance(value, tuple):
        return all(map(_is_simple, value))
    return value is None or isinstance(value, (str, int))


def _concrete_relation(relation: str, left: Any, right: Any) -> bool | None:
    """Of texts, None, whole numbers; decimals are compared as the fractions that are written."""
    if not _is_simple(left) or not _is_simple(right):
        return None
    match relation:
        case "==":
            return bool(left == right)
        case "!=":
            return bool(left != right)
    if not _is_int(left) or not _is_int(right):
        return None
    return bool(
        {"<": left < right, "<=": left <= right, ">": left > right}.get(relation, left >= right)
    )


def related(m: Machine, relation: str, one: SymbolicArray, other: SymbolicArray) -> SymbolicArray:
    whole = one.dtype == "int" and other.dtype == "int"

    def entry(a: Form, b: Form) -> Form:
        if whole and relation in ("==", "!="):
            same = m.algebra.delta(a - b)
            return same if relation == "==" else ONE - same
        return m.algebra.compared(a - b, relation)

    return arrays.pointwise(entry, one, other, dtype="bool")
