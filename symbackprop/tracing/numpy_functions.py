"""The table of NumPy functions that are read, each with its parameters.

Owns: what a function of NumPy (or SciPy's `special`, or `math`) means on symbolic arrays.
Refuses: parameters that are not in the table (`out`, `where`, `dtype` of a sum), and functions
that are not.
Would be wrong if: a row read a parameter otherwise than NumPy, or took a view for a copy. Each
row is compared with NumPy on numbers in the tests.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from symbackprop.derivation.normalform import ONE, ZERO, Algebra, Form, number
from symbackprop.tracing import arrays, indexing, operators, ranges
from symbackprop.tracing.arrays import SymbolicArray, TraceError
from symbackprop.tracing.machine import Machine
from symbackprop.tracing.memory import Cell, View
from symbackprop.tracing.values import Module, Repeated, described, whole

_REQUIRED = object()


@dataclass(frozen=True)
class Row:
    """`parameters`: names with defaults; a name that starts with `*` takes all that are left.
    `positional`: how many may be given by place."""

    parameters: Mapping[str, Any]
    read: Callable[..., Any]
    positional: int

    def called(self, m: Machine, name: str, args: Sequence[Any], named: Mapping[str, Any]) -> Any:
        given = dict(self.parameters)
        free = list(self.parameters)
        rest = free.pop() if free and free[-1].startswith("*") else None
        if rest is not None:
            given[rest] = tuple(args[len(free) :])
            args = args[: len(free)]
        if len(args) > self.positional:
            raise TraceError(f"np.{name} with {len(args)} arguments")
        given.update(zip(free, args, strict=False))
        for keyword, value in named.items():
            if keyword not in free or keyword in free[: len(args)]:
                raise TraceError(f"the argument {keyword} of np.{name}")
            given[keyword] = value
        if any(value is _REQUIRED for value in given.values()):
            raise TraceError(f"np.{name} with {len(args)} arguments")
        return self.read(m, *given.values())


TABLE: dict[str, Row] = {}


def reads(names: str, parameters: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Enter a function in the table: its names, and its parameters as NumPy writes them."""

    def enter(function: Callable[..., Any]) -> Callable[..., Any]:
        found: dict[str, Any] = {}
        by_place, _, by_name = parameters.partition(", *, ")
        for part in [*by_place.split(", "), *by_name.split(", ")]:
            name, equals, default = part.partition("=")
            if name:
                found[name] = ast.literal_eval(default) if equals else _REQUIRED
        positional = len([part for part in by_place.split(", ") if not part.startswith("*")])
        for name in names.split():
            TABLE[name] = Row(found, function, positional)
        return function

    return enter


def call(m: Machine, name: str, args: Sequence[Any], named: Mapping[str, Any]) -> Any:
    """The value of `np.name(*args, **named)`."""
    if name not in TABLE:
        raise TraceError(f"np.{name} is not read")
    return TABLE[name].called(m, name, args, named)


# --------------------------------------------------------------------------------------------
# Entry by entry
# --------------------------------------------------------------------------------------------

Entry = Callable[[Algebra, Form], Form]


def _absolute(algebra: Algebra, form: Form) -> Form:
    return algebra.where(algebra.gt(form), form, -form)


def _logistic(algebra: Algebra, form: Form) -> Form:
    return algebra.power(ONE + algebra.exp(-form), Fraction(-1))


_TO_DECIMALS: Mapping[str, Entry] = {
    "exp": Algebra.exp,
    "log": Algebra.log,
    "log1p": lambda algebra, a: algebra.log(ONE + a),
    "expm1": lambda algebra, a: algebra.exp(a) - ONE,
    "tanh": Algebra.tanh,
    "cosh": Algebra.cosh,
    "sinh": Algebra.sinh,
    "sqrt": lambda algebra, a: algebra.power(a, Fraction(1, 2)),
    "special.expit": _logistic,
}
_SAME_KIND: Mapping[str, Entry] = {
    "negative": lambda _, a: -a,
    "positive": lambda _, a: a,
    "square": lambda _, a: a * a,
    "reciprocal": lambda algebra, a: algebra.power(a, Fraction(-1)),
    "abs": _absolute,
    "absolute": _absolute,
    "fabs": _absolute,
    "sign": lambda algebra, a: algebra.gt(a) - algebra.gt(-a),
}
_ARITHMETIC: Mapping[str, str] = {
    "add": "add",
    "subtract": "subtract",
    "multiply": "multiply",
    "divide": "divide",
    "true_divide": "divide",
    "power": "power",
    "float_power": "power",
}
_RELATIONS: Mapping[str, str] = {
    "greater": ">",
    "greater_equal": ">=",
    "less": "<",
    "less_equal": "<=",
    "equal": "==",
    "not_equal": "!=",
}
_LOGICAL: Mapping[str, ast.operator] = {
    "logical_and": ast.BitAnd(),
    "logical_or": ast.BitOr(),
    "logical_xor": ast.BitXor(),
    "bitwise_and": ast.BitAnd(),
    "bitwise_or": ast.BitOr(),
}


def _enter_entrywise() -> None:
    for name, entry in _TO_DECIMALS.items():
        reads(name, "x")(_to_decimals(entry))
    for name, entry in _SAME_KIND.items():
        reads(name, "x")(_of_same_kind(name, entry))
    for name, operation in _ARITHMETIC.items():
        reads(name, "x1, x2")(_arithmetic(name, operation))
    for name, relation in _RELATIONS.items():
        reads(name, "x1, x2")(_relation(relation))
    for name, operator in _LOGICAL.items():
        reads(name, "x1, x2")(_logical(operator))


def _to_decimals(entry: Entry) -> Callable[[Machine, Any], Cell]:
    def read(m: Machine, x: Any) -> Cell:
        array = m.array(x)
        return m.cell(arrays.pointwise(lambda a: entry(m.algebra, a), array, dtype="float"))

    return read


def _of_same_kind(name: str, entry: Entry) -> Callable[[Machine, Any], Cell]:
    def read(m: Machine, x: Any) -> Cell:
        array = m.array(x)
        if array.dtype == "bool" or (name == "reciprocal" and array.dtype != "float"):
            raise TraceError(f"np.{name} of {array.dtype} entries")
        kind: arrays.DType = "float" if name == "fabs" else array.dtype
        return m.cell(arrays.pointwise(lambda a: entry(m.algebra, a), array, dtype=kind))

    return read


def _arithmetic(name: str, operation: str) -> Callable[[Machine, Any, Any], Cell]:
    def read(m: Machine, x1: Any, x2: Any) -> Cell:
        found = operators.arithmetic(m, operation, m.array(x1), m.array(x2))
        if name == "float_power":
            found = SymbolicArray(found.shape, found.form)
        return m.cell(found)

    return read


def _relation(relation: str) -> Callable[[Machine, Any, Any], Cell]:
    return lambda m, x1, x2: m.cell(operators.related(m, relation, m.array(x1), m.array(x2)))


def _logical(operator: ast.operator) -> Callable[[Machine, Any, Any], Cell]:
    return lambda m, x1, x2: m.cell(operators.logical(operator, m.array(x1), m.array(x2)))


_enter_entrywise()


@reads("logical_not invert", "x")
def _not(m: Machine, x: Any) -> Cell:
    return m.cell(operators.inverted(m.array(x)))


@reads("where", "condition, x, y")
def _where(m: Machine, condition: Any, x: Any, y: Any) -> Cell:
    test, one, other = m.array(condition), m.array(x), m.array(y)
    if test.dtype != "bool":
        raise TraceError("np.where of something that is no condition")
    kind = arrays.widest(one.dtype, other.dtype)
    return m.cell(arrays.pointwise(m.algebra.where, test, one, other, dtype=kind))


def _larger(m: Machine, one: SymbolicArray, other: SymbolicArray, sign: int) -> SymbolicArray:
    def entry(a: Form, b: Form) -> Form:
        above = m.algebra.gt((a - b).scaled(Fraction(sign)))
        return m.algebra.where(above, a, b)

    return arrays.pointwise(entry, one, other)


@reads("maximum fmax", "x1, x2")
def _maximum(m: Machine, x1: Any, x2: Any) -> Cell:
    return m.cell(_larger(m, m.array(x1), m.array(x2), 1))


@reads("minimum fmin", "x1, x2")
def _minimum(m: Machine, x1: Any, x2: Any) -> Cell:
    return m.cell(_larger(m, m.array(x1), m.array(x2), -1))


@reads("clip", "a, a_min=None, a_max=None")
def _clip(m: Machine, a: Any, low: Any, high: Any) -> Cell:
    """minimum(high, maximum(low, a)), which is not a; by leave of the reader, a itself."""
    array = m.array(a)
    if m.unclipped:
        m.assumptions[f"line {m.line}: np.clip changes nothing"] = None
        return m.cell(array)
    if low is not None:
        array = _larger(m, array, m.array(low), 1)
    return m.cell(array if high is None else _larger(m, array, m.array(high), -1))


@reads("logaddexp", "x1, x2")
def _logaddexp(m: Machine, x1: Any, x2: Any) -> Cell:
    algebra = m.algebra
    return m.cell(
        arrays.pointwise(
            lambda a, b: algebra.log(algebra.exp(a) + algebra.exp(b)),
            m.array(x1),
            m.array(x2),
            dtype="float",
        )
    )


@reads("heaviside", "x1, x2")
def _heaviside(m: Machine, x1: Any, x2: Any) -> Cell:
    algebra = m.algebra
    return m.cell(
        arrays.pointwise(
            lambda a, b: algebra.gt(a) + algebra.zero(a) * b,
            m.array(x1),
            m.array(x2),
            dtype="float",
        )
    )


# --------------------------------------------------------------------------------------------
# Reductions
# --------------------------------------------------------------------------------------------


def _axes(axis: Any, name: str) -> tuple[int, ...] | None:
    if axis is None:
        return None
    axes = axis if isinstance(axis, tuple) else (axis,)
    found = [None if isinstance(one, bool) else whole(one) for one in axes]
    if any(one is None for one in found):
        raise TraceError(f"the axis of np.{name}")
    return tuple(one for one in found if one is not None)


def _reduced(m: Machine, how: str, a: Any, axis: Any, keepdims: Any) -> SymbolicArray:
    if not isinstance(keepdims, (bool, int)):
        raise TraceError(f"keepdims of np.{how}")
    array = m.array(a)
    return arrays.reduced(m.algebra, array, how, _axes(axis, how), bool(keepdims))


@reads("sum", "a, axis=None, *, keepdims=False")
def _sum(m: Machine, a: Any, axis: Any, keepdims: Any) -> Cell:
    return m.cell(_reduced(m, "sum", a, axis, keepdims))


@reads("mean average", "a, axis=None, *, keepdims=False")
def _mean(m: Machine, a: Any, axis: Any, keepdims: Any) -> Cell:
    return m.cell(_reduced(m, "mean", a, axis, keepdims))


@reads("max amax", "a, axis=None, *, keepdims=False")
def _max(m: Machine, a: Any, axis: Any, keepdims: Any) -> Cell:
    return m.cell(_reduced(m, "max", a, axis, keepdims))


@reads("min amin", "a, axis=None, *, keepdims=False")
def _min(m: Machine, a: Any, axis: Any, keepdims: Any) -> Cell:
    return m.cell(_negative(_reduced(m, "max", m.cell(_negative(m.array(a))), axis, keepdims)))


def _negative(array: SymbolicArray) -> SymbolicArray:
    return SymbolicArray(array.shape, -array.form, array.dtype)


@reads("var", "a, axis=None, *, keepdims=False")
def _variance(m: Machine, a: Any, axis: Any, keepdims: Any) -> Cell:
    centre = _reduced(m, "mean", a, axis, True)
    away = operators.arithmetic(m, "subtract", m.array(a), centre)
    square = arrays.pointwise(lambda x: x * x, away)
    return m.cell(_reduced(m, "mean", m.memory.cell(square), axis, keepdims))


def _exponentials(m: Machine, x: Any, axis: Any) -> tuple[SymbolicArray, SymbolicArray]:
    entries = arrays.pointwise(m.algebra.exp, m.array(x), dtype="float")
    return entries, _reduced(m, "sum", m.memory.cell(entries), axis, True)


@reads("special.softmax", "x, axis=None")
def _softmax(m: Machine, x: Any, axis: Any) -> Cell:
    return m.cell(operators.arithmetic(m, "divide", *_exponentials(m, x, axis)))


@reads("special.log_softmax", "x, axis=None")
def _log_softmax(m: Machine, x: Any, axis: Any) -> Cell:
    _, total = _exponentials(m, x, axis)
    logarithm = arrays.pointwise(m.algebra.log, total, dtype="float")
    return m.cell(operators.arithmetic(m, "subtract", m.array(x), logarithm))


@reads("special.logsumexp", "a, axis=None, b=None, keepdims=False")
def _logsumexp(m: Machine, a: Any, axis: Any, b: Any, keepdims: Any) -> Cell:
    if b is not None:
        raise TraceError("logsumexp with weights")
    entries = arrays.pointwise(m.algebra.exp, m.array(a), dtype="float")
    total = _reduced(m, "sum", m.memory.cell(entries), axis, keepdims)
    return m.cell(arrays.pointwise(m.algebra.log, total, dtype="float"))


# --------------------------------------------------------------------------------------------
# Products
# --------------------------------------------------------------------------------------------


@reads("dot", "a, b")
def _dot(m: Machine, a: Any, b: Any) -> Cell:
    one, other = m.array(a), m.array(b)
    if 0 in (one.ndim, other.ndim):
        return m.cell(operators.arithmetic(m, "multiply", one, other))
    return m.cell(arrays.matmul(m.algebra, one, other))


@reads("matmul", "x1, x2")
def _matmul(m: Machine, a: Any, b: Any) -> Cell:
    return m.cell(arrays.matmul(m.algebra, m.array(a), m.array(b)))


@reads("inner", "a, b")
def _inner(m: Machine, a: Any, b: Any) -> Cell:
    one, other = m.array(a), m.array(b)
    if 0 in (one.ndim, other.ndim):
        return m.cell(operators.arithmetic(m, "multiply", one, other))
    return m.cell(arrays.matmul(m.algebra, one, arrays.transposed(other)))


@reads("outer", "a, b")
def _outer(m: Machine, a: Any, b: Any) -> Cell:
    """Ravels its arguments: axes of size 1 go."""
    return m.cell(arrays.outer(*(_vector(m.array(side)) for side in (a, b))))


def _vector(array: SymbolicArray) -> SymbolicArray:
    long = [axis for axis, extent in enumerate(array.shape) if extent != ONE]
    if len(long) > 1:
        raise TraceError("np.outer of arrays that are no vectors")
    return arrays.with_axes(array, long or [None])


@reads("einsum", "subscripts, *operands")
def _einsum(m: Machine, subscripts: Any, operands: Any) -> Cell:
    if not isinstance(subscripts, str) or not operands:
        raise TraceError("np.einsum without a text of letters")
    return m.cell(arrays.einsum(m.algebra, subscripts, [m.array(a) for a in operands]))


@reads("tensordot", "a, b, axes=2")
def _tensordot(m: Machine, a: Any, b: Any, axes: Any) -> Cell:
    one, other = m.array(a), m.array(b)
    count = whole(axes)
    if count is not None:
        if not 0 <= count <= min(one.ndim, other.ndim):
            raise TraceError("np.tensordot over more axes than there are")
        pair = list(range(one.ndim - count, one.ndim)), list(range(count))
    elif isinstance(axes, (list, tuple)) and len(axes) == 2:
        sides = [side if isinstance(side, (list, tuple)) else [side] for side in axes]
        found = [list(_axes(tuple(side), "tensordot") or ()) for side in sides]
        pair = found[0], found[1]
    else:
        raise TraceError("the axes of np.tensordot")
    return m.cell(arrays.tensordot(m.algebra, one, other, pair))


# --------------------------------------------------------------------------------------------
# New arrays
# --------------------------------------------------------------------------------------------


def extent(m: Machine, value: Any) -> Form:
    array = m.array(value)
    if array.ndim or array.dtype != "int":
        raise TraceError("a size that is no whole number")
    constant = array.form.constant
    if not ranges.is_size(array.form) or (constant is not None and constant < 1):
        raise TraceError("a size that is not known to be positive")
    return array.form


def _shape(m: Machine, value: Any) -> tuple[Form, ...]:
    parts = value if isinstance(value, (tuple, list)) else (value,)
    return tuple(extent(m, part) for part in parts)


def dtype_of(value: Any) -> arrays.DType:
    """The kind of entries; how many bits a decimal has is not modelled."""
    name = value.name.rpartition(".")[2] if isinstance(value, Module) else str(value)
    match name.removeprefix("builtin "):
        case "float" | "float64" | "float32" | "float_" | "double" | "d" | "f":
            return "float"
        case "int" | "int64" | "int32" | "intp" | "int_" | "i":
            return "int"
        case "bool" | "bool_":
            return "bool"
    raise TraceError(f"the dtype {name if isinstance(value, (str, Module)) else described(value)}")


def _kind(dtype: Any, default: arrays.DType) -> arrays.DType:
    return default if dtype is None else dtype_of(dtype)


def _filled(m: Machine, shape: tuple[Form, ...], value: Form, kind: arrays.DType) -> Cell:
    return m.memory.cell(arrays.filled(shape, value, kind), boxed=not shape)


@reads("zeros", "shape, dtype=None")
def _zeros(m: Machine, shape: Any, dtype: Any) -> Cell:
    return _filled(m, _shape(m, shape), ZERO, _kind(dtype, "float"))


@reads("ones", "shape, dtype=None")
def _ones(m: Machine, shape: Any, dtype: Any) -> Cell:
    return _filled(m, _shape(m, shape), ONE, _kind(dtype, "float"))


@reads("zeros_like", "a, dtype=None")
def _zeros_like(m: Machine, a: Any, dtype: Any) -> Cell:
    like = m.array(a)
    return _filled(m, like.shape, ZERO, _kind(dtype, like.dtype))


@reads("ones_like", "a, dtype=None")
def _ones_like(m: Machine, a: Any, dtype: Any) -> Cell:
    like = m.array(a)
    return _filled(m, like.shape, ONE, _kind(dtype, like.dtype))


def _fill_value(m: Machine, value: Any, dtype: Any) -> tuple[Form, arrays.DType]:
    fill = m.array(value)
    kind = _kind(dtype, fill.dtype)
    if fill.ndim or arrays.widest(kind, fill.dtype) != kind:
        raise TraceError("np.full of such a value")
    return fill.form, kind


@reads("full", "shape, fill_value, dtype=None")
def _full(m: Machine, shape: Any, value: Any, dtype: Any) -> Cell:
    return _filled(m, _shape(m, shape), *_fill_value(m, value, dtype))


@reads("full_like", "a, fill_value, dtype=None")
def _full_like(m: Machine, a: Any, value: Any, dtype: Any) -> Cell:
    like = m.array(a)
    form, kind = _fill_value(m, value, like.dtype if dtype is None else dtype)
    return _filled(m, like.shape, form, kind)


@reads("empty_like empty", "a, dtype=None")
def _empty(m: Machine, a: Any, dtype: Any) -> Cell:
    raise TraceError("np.empty has no values")


@reads("arange", "stop")
def _arange(m: Machine, stop: Any) -> Cell:
    return m.memory.cell(arrays.arange(extent(m, stop)))


@reads("eye identity", "N, *, dtype=None")
def _eye(m: Machine, size: Any, dtype: Any) -> Cell:
    found = arrays.eye(m.algebra, extent(m, size))
    return m.memory.cell(SymbolicArray(found.shape, found.form, _kind(dtype, "float")))


@reads("copy", "a")
def _copy(m: Machine, a: Any) -> Cell:
    return m.memory.cell(m.array(a), boxed=isinstance(a, Cell) and a.boxed)


def _converted(array: SymbolicArray, dtype: Any) -> SymbolicArray:
    kind = _kind(dtype, array.dtype)
    if arrays.widest(kind, array.dtype) != kind:
        raise TraceError(f"a conversion of {array.dtype} to {kind}")
    return SymbolicArray(array.shape, array.form, kind)


@reads("astype", "a, dtype, *, copy=True")
def _astype(m: Machine, a: Any, dtype: Any, copy: Any) -> Cell:
    if copy is not True:
        raise TraceError("astype that may not copy")
    return m.memory.cell(_converted(m.array(a), dtype), boxed=isinstance(a, Cell) and a.boxed)


@reads("array", "a, dtype=None, *, copy=True, ndmin=0")
def _array(m: Machine, a: Any, dtype: Any, copy: Any, ndmin: Any) -> Cell:
    if copy is not True or ndmin != 0:
        raise TraceError("np.array with these arguments")
    found = _converted(m.array(a), dtype)
    return m.memory.cell(found, boxed=not found.ndim)


@reads("asarray asanyarray", "a, dtype=None")
def _asarray(m: Machine, a: Any, dtype: Any) -> Cell:
    """The same array where its type is the one asked for."""
    if not isinstance(a, Cell) or a.is_number:
        return _array(m, a, dtype, True, 0)
    if dtype is None:
        return a
    found = _converted(a.value, dtype)
    if found.dtype != a.value.dtype:
        return m.memory.cell(found)
    return m.refitted(a, list(range(found.ndim)), False)  # float32 of float64 is a copy


@reads("float64 float32 double float_", "x")
def _float64(m: Machine, x: Any) -> Cell:
    return m.memory.cell(_converted(m.array(x), "float"))


@reads("stack", "arrays, axis=0")
def _stack(m: Machine, parts: Any, axis: Any) -> Cell:
    return m.cell(arrays.stacked(m.algebra, _parts(m, parts), _axis(axis)))


@reads("concatenate concat", "arrays, axis=0")
def _concatenate(m: Machine, parts: Any, axis: Any) -> Cell:
    return m.cell(arrays.joined(m.algebra, _parts(m, parts), _axis(axis)))


@reads("vstack row_stack", "tup")
def _vstack(m: Machine, parts: Any) -> Cell:
    rows = [_wider(part, True) for part in _parts(m, parts)]
    return m.cell(arrays.joined(m.algebra, rows, 0))


@reads("hstack", "tup")
def _hstack(m: Machine, parts: Any) -> Cell:
    found = [arrays.with_axes(p, [None]) if not p.ndim else p for p in _parts(m, parts)]
    return m.cell(arrays.joined(m.algebra, found, 0 if found[0].ndim == 1 else 1))


@reads("column_stack", "tup")
def _column_stack(m: Machine, parts: Any) -> Cell:
    columns = [_wider(part, False) for part in _parts(m, parts)]
    return m.cell(arrays.joined(m.algebra, columns, 1))


@reads("append", "arr, values, axis=None")
def _append(m: Machine, array: Any, values: Any, axis: Any) -> Cell:
    parts = [m.array(array), m.array(values)]
    if axis is None and any(part.ndim != 1 for part in parts):
        raise TraceError("np.append of arrays that are no vectors, without an axis")
    return m.cell(arrays.joined(m.algebra, parts, 0 if axis is None else _axis(axis)))


def column_joined(m: Machine, parts: Sequence[Any]) -> Cell:
    """np.c_[…]: vectors are columns."""
    return _column_stack(m, list(parts))


def row_joined(m: Machine, parts: Sequence[Any]) -> Cell:
    """np.r_[…]: along the first axis."""
    found = [m.array(part) for part in parts]
    found = [arrays.with_axes(p, [None]) if not p.ndim else p for p in found]
    return m.cell(arrays.joined(m.algebra, found, 0))


def _parts(m: Machine, parts: Any) -> list[SymbolicArray]:
    if not isinstance(parts, (list, tuple)) or not 1 <= len(parts) <= 64:
        raise TraceError("arrays that are joined have to stand in a short list")
    return [m.array(part) for part in parts]


def _axis(axis: Any) -> int:
    found = whole(axis)
    if found is None:
        raise TraceError("an axis that is no number")
    return found


def _wider(array: SymbolicArray, as_row: bool) -> SymbolicArray:
    if array.ndim == 0:
        return arrays.with_axes(array, [None, None])
    if array.ndim == 1:
        return arrays.with_axes(array, [None, 0] if as_row else [0, None])
    return array


# --------------------------------------------------------------------------------------------
# The same entries in another order or shape
# --------------------------------------------------------------------------------------------


def _cell(m: Machine, a: Any) -> Cell:
    return a if isinstance(a, Cell) else m.memory.cell(m.array(a))


@reads("diag diagonal", "a")
def _diag(m: Machine, a: Any) -> Cell:
    owner = _cell(m, a)
    if owner.value.ndim == 2:
        return m.view(owner, View(lambda array: arrays.diag(m.algebra, array)))
    return m.cell(arrays.diag(m.algebra, owner.value))


@reads("diagflat", "v")
def _diagflat(m: Machine, v: Any) -> Cell:
    return m.cell(arrays.diag(m.algebra, _vector(m.array(v))))


@reads("trace", "a")
def _trace(m: Machine, a: Any) -> Cell:
    if m.array(a).ndim != 2:
        raise TraceError("np.trace of an array that is no matrix")
    return _sum(m, m.memory.cell(arrays.diag(m.algebra, m.array(a))), None, False)


@reads("transpose", "a, *axes")
def _transpose(m: Machine, a: Any, axes: Any) -> Cell:
    owner = _cell(m, a)
    if len(axes) == 1 and (axes[0] is None or isinstance(axes[0], (tuple, list))):
        axes = axes[0]
    ndim = owner.value.ndim
    order = _axes(tuple(axes), "transpose") if axes else tuple(reversed(range(ndim)))
    assert order is not None
    normal = tuple(arrays.normal_axis(axis, ndim) for axis in order)
    arrays.transposed(owner.value, normal)  # refuses what is no order
    return m.transposed(owner, normal)


@reads("swapaxes", "a, axis1, axis2")
def _swapaxes(m: Machine, a: Any, axis1: Any, axis2: Any) -> Cell:
    owner = _cell(m, a)
    order = list(range(owner.value.ndim))
    one, other = (arrays.normal_axis(_axis(x), len(order)) for x in (axis1, axis2))
    order[one], order[other] = order[other], order[one]
    return m.transposed(owner, tuple(order))


@reads("expand_dims", "a, axis")
def _expand_dims(m: Machine, a: Any, axis: Any) -> Cell:
    owner = _cell(m, a)
    kept: list[int | None] = list(range(owner.value.ndim))
    kept.insert(arrays.normal_axis(_axis(axis), len(kept) + 1), None)
    return m.refitted(owner, kept)


@reads("squeeze", "a, axis=None")
def _squeeze(m: Machine, a: Any, axis: Any) -> Cell:
    """A size that is a symbol is not 1."""
    owner = _cell(m, a)
    shape = owner.value.shape
    chosen = _axes(axis, "squeeze")
    if chosen is None:
        gone = {place for place, size in enumerate(shape) if size == ONE}
    else:
        gone = {arrays.normal_axis(one, len(shape)) for one in chosen}
        if any(shape[place] != ONE for place in gone):
            raise arrays.ShapeClash("np.squeeze of an axis that is not of size 1")
    return m.refitted(owner, [place for place in range(len(shape)) if place not in gone])


@reads("atleast_2d", "a")
def _atleast_2d(m: Machine, a: Any) -> Cell:
    owner = _cell(m, a)
    kept: list[int | None] = list(range(owner.value.ndim))
    missing: list[int | None] = [None] * max(0, 2 - len(kept))
    return m.refitted(owner, [*missing, *kept]) if missing else owner


@reads("ravel", "a")
def _ravel(m: Machine, a: Any) -> Cell:
    return _reshape(m, a, (-1,))


@reads("flatten", "a")
def _flatten(m: Machine, a: Any) -> Cell:
    return _copy(m, _reshape(m, a, (-1,)))


@reads("reshape", "a, *shape")
def _reshape(m: Machine, a: Any, shape: Any) -> Cell:
    """Only where an axis of size 1 comes or goes: (-1, 1), (1, -1), -1."""
    owner = _cell(m, a)
    if len(shape) == 1 and isinstance(shape[0], (tuple, list)):
        shape = shape[0]
    long = [axis for axis, size in enumerate(owner.value.shape) if size != ONE]
    extents = [None if whole(part) == -1 else extent(m, part) for part in shape]
    if extents.count(None) > 1:
        raise TraceError("a reshape with two open sizes")
    if None in extents and sum(size != ONE for size in extents) == len(long) + 1:
        extents = [ONE if size is None else size for size in extents]
    rest = [size for size in extents if size != ONE]
    if len(rest) != len(long):
        raise TraceError("a reshape that merges or splits axes")
    for size, axis in zip(rest, long, strict=True):
        if size is not None and size != owner.value.shape[axis]:
            raise TraceError("a reshape to another size")
    places = iter(long)
    return m.refitted(owner, [None if s == ONE else next(places) for s in extents], False)


@reads("real", "a")
def _real(m: Machine, a: Any) -> Cell:
    return _cell(m, a)


@reads("broadcast_to", "array, shape")
def _broadcast_to(m: Machine, array: Any, shape: Any) -> Cell:
    target = _shape(m, shape)

    def read(inside: SymbolicArray) -> SymbolicArray:
        if arrays.broadcast_shape([inside.shape, target]) != target:
            raise arrays.ShapeClash("np.broadcast_to of another shape")
        return SymbolicArray(target, arrays.aligned(inside, target), inside.dtype)

    return m.view(_cell(m, array), View(read))


@reads("tile repeat kron", "a, reps, axis=None")
def _tile(m: Machine, a: Any, reps: Any, axis: Any) -> Cell:
    raise TraceError("np.tile, np.repeat and np.kron are not read")


@reads("shape", "a")
def _shape_of(m: Machine, a: Any) -> Any:
    return tuple(m.number(size) for size in m.array(a).shape)


@reads("ndim", "a")
def _ndim(m: Machine, a: Any) -> int:
    return m.array(a).ndim


@reads("size", "a, axis=None")
def _size(m: Machine, a: Any, axis: Any) -> Any:
    shape = m.array(a).shape
    if axis is not None:
        shape = (shape[arrays.normal_axis(_axis(axis), len(shape))],)
    result = number(1)
    for one in shape:
        result = result * one
    return m.number(result)


# --------------------------------------------------------------------------------------------
# Changes in place
# --------------------------------------------------------------------------------------------


@reads("add.at", "a, indices, b")
def _add_at(m: Machine, a: Any, indices: Any, b: Any) -> None:
    _added_at(m, a, indices, m.array(b))


@reads("subtract.at", "a, indices, b")
def _subtract_at(m: Machine, a: Any, indices: Any, b: Any) -> None:
    _added_at(m, a, indices, _negative(m.array(b)))


def _added_at(m: Machine, a: Any, indices: Any, value: SymbolicArray) -> None:
    if not isinstance(a, Cell) or a.is_number:
        raise TraceError("np.add.at of something that is no array")
    parts = [m.array(p) for p in (indices if isinstance(indices, tuple) else (indices,))]
    if any(part.dtype != "int" for part in parts):
        raise TraceError("np.add.at with indices that are no whole numbers")
    chosen = indexing.selection(m.algebra, a.value, parts)
    m.write(a, indexing.added_at(m.algebra, a.value, chosen, value))


@reads("copyto", "dst, src")
def _copyto(m: Machine, dst: Any, src: Any) -> None:
    if not isinstance(dst, Cell):
        raise TraceError("np.copyto of something that is no array")
    m.write(dst, arrays.pointwise(lambda _, new: new, dst.value, m.array(src)))


@reads("fill", "a, value")
def _fill(m: Machine, a: Cell, value: Any) -> None:
    _copyto(m, a, value)


@reads("random.seed", "seed=None")
def _seed(m: Machine, seed: Any) -> None:
    return None


def rows_of(m: Machine, owner: Cell) -> Any:
    """What a loop over an array meets: a list of rows, or a symbolic number of them."""
    if not owner.value.ndim:
        raise TraceError("a loop over a number")
    count = owner.value.shape[0].constant
    if count is None:
        return Repeated(owner.value.shape[0], lambda index: m.selected(owner, [index.value]))
    return [m.selected(owner, [arrays.scalar(row)]) for row in range(int(count))]


METHODS = frozenset(
    """sum mean max min var dot copy astype transpose reshape ravel flatten squeeze swapaxes clip
    fill diagonal trace""".split()
)
