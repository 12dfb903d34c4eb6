"""Arrays whose sizes are symbols and whose entries are forms; the NumPy operations on them.

Owns: shapes, broadcasting, reductions, products, indexing. Refuses: anything whose result could
depend on sizes in a way that is not known (two different symbolic sizes never unify, a size is
never taken to be 1 unless it is written as 1).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from symbackprop.derivation.normalform import (
    ONE,
    ZERO,
    Algebra,
    Atom,
    Form,
    atom,
    number,
    renamed,
    total,
    variable,
)
from symbackprop.errors import SymbackpropError
from symbackprop.tracing.ranges import summed

DType = Literal["float", "int", "bool"]
Shape = tuple[Form, ...]


class TraceError(SymbackpropError):
    """Code that the tracer does not read: the line, the construct, and why."""

    def __init__(self, reason: str, line: int | None = None) -> None:
        self.reason, self.line = reason, line
        super().__init__(reason, line)

    def __str__(self) -> str:
        return f"line {self.line}: {self.reason}" if self.line is not None else self.reason


class OutOfBounds(TraceError):
    """Code whose reading takes more time or space than is allowed."""


class ShapeClash(TraceError):
    """An operation that NumPy would refuse at these shapes."""


@dataclass(frozen=True)
class SymbolicArray:
    """An array: `shape`, and the entry as a form over `axis_variables`, in that order."""

    shape: Shape
    form: Form
    dtype: DType = "float"

    @property
    def axis_variables(self) -> tuple[Atom, ...]:
        return tuple(place(i, extent) for i, extent in enumerate(self.shape))

    @property
    def ndim(self) -> int:
        return len(self.shape)


def place(axis: int, extent: Form) -> Atom:
    return variable(f"@{axis}", extent)


def shown(shape: Shape) -> str:
    inside = ", ".join(repr(extent).replace("1*", "") for extent in shape)
    return f"({inside},)" if len(shape) == 1 else f"({inside})"


def scalar(value: int | Fraction | float | bool) -> SymbolicArray:
    """A Python number. A decimal means the fraction that is written: 0.01 is 1/100."""
    if isinstance(value, bool):
        return SymbolicArray((), number(int(value)), "bool")
    if isinstance(value, int):
        return SymbolicArray((), number(value), "int")
    if isinstance(value, float):
        if value != value or value in (float("inf"), float("-inf")):
            raise TraceError("a value that is not finite")
        return SymbolicArray((), number(Fraction(repr(value))))
    return SymbolicArray((), number(value))


def size(extent: Form) -> SymbolicArray:
    return SymbolicArray((), extent, "int")


# --------------------------------------------------------------------------------------------
# Entry by entry
# --------------------------------------------------------------------------------------------


def broadcast_shape(shapes: Sequence[Shape]) -> Shape:
    """NumPy's rule; a size is 1 only where it is the number 1."""
    length = max((len(shape) for shape in shapes), default=0)
    result: list[Form] = []
    for axis in range(length):
        extents = [s[axis - length + len(s)] for s in shapes if axis - length + len(s) >= 0]
        wide = [extent for extent in extents if extent != ONE]
        if any(extent != wide[0] for extent in wide):
            texts = " and ".join(shown(shape) for shape in shapes)
            raise ShapeClash(f"shapes {texts} do not broadcast")
        result.append(wide[0] if wide else ONE)
    return tuple(result)


def aligned(array: SymbolicArray, shape: Shape) -> Form:
    """The entry of the array broadcast to `shape`."""
    offset = len(shape) - array.ndim
    return renamed(
        array.form,
        {
            old: place(axis + offset, extent)
            for axis, (old, extent) in enumerate(
                zip(array.axis_variables, array.shape, strict=True)
            )
        },
    )


def pointwise(
    function: Callable[..., Form], *arrays: SymbolicArray, dtype: DType | None = None
) -> SymbolicArray:
    shape = broadcast_shape([array.shape for array in arrays])
    kind = dtype if dtype is not None else widest(*(array.dtype for array in arrays))
    return SymbolicArray(shape, function(*(aligned(array, shape) for array in arrays)), kind)


def widest(*kinds: DType) -> DType:
    return "float" if "float" in kinds else "int" if "int" in kinds else "bool"


def arithmetic_kind(*kinds: DType) -> DType:
    return "float" if "float" in kinds else "int"


# --------------------------------------------------------------------------------------------
# Axes
# --------------------------------------------------------------------------------------------


def transposed(array: SymbolicArray, order: Sequence[int] | None = None) -> SymbolicArray:
    order = tuple(reversed(range(array.ndim))) if order is None else tuple(order)
    if sorted(order) != list(range(array.ndim)):
        raise ShapeClash(f"axes {order} are no order of {array.ndim} axes")
    shape = tuple(array.shape[axis] for axis in order)
    old = array.axis_variables
    moved = {old[axis]: place(new, array.shape[axis]) for new, axis in enumerate(order)}
    return SymbolicArray(shape, renamed(array.form, moved), array.dtype)


def with_axes(array: SymbolicArray, kept: Sequence[int | None]) -> SymbolicArray:
    """`[:, None]`: old axes in order, None for a new axis of size 1."""
    shape = tuple(ONE if axis is None else array.shape[axis] for axis in kept)
    old = array.axis_variables
    moved = {
        old[axis]: place(new, array.shape[axis])
        for new, axis in enumerate(kept)
        if axis is not None
    }
    return SymbolicArray(shape, renamed(array.form, moved), array.dtype)


def normal_axis(axis: int, ndim: int) -> int:
    if not -ndim <= axis < ndim:
        raise ShapeClash(f"axis {axis} of an array with {ndim} axes")
    return axis % ndim


def reduced(
    algebra: Algebra,
    array: SymbolicArray,
    how: str,
    axes: Sequence[int] | None,
    keepdims: bool,
) -> SymbolicArray:
    """sum, mean or max over axes (all of them for None)."""
    chosen = (
        tuple(range(array.ndim))
        if axes is None
        else tuple(normal_axis(axis, array.ndim) for axis in axes)
    )
    if len(set(chosen)) != len(chosen):
        raise ShapeClash("an axis is named twice")
    variables = array.axis_variables
    over = [variables[axis] for axis in chosen]
    form = array.form
    if how == "max":
        for name in reversed(over):
            form = algebra.maximum_over(form, name)
    else:
        form = summed(algebra, form, over)
        if how == "mean":
            for axis in chosen:
                form = form * algebra.power(array.shape[axis], Fraction(-1))
    kind: DType = "float" if how == "mean" else arithmetic_kind(array.dtype)
    kept = [None if axis in chosen else axis for axis in range(array.ndim)]
    if not keepdims:
        kept = [axis for axis in kept if axis is not None]
    return with_axes(SymbolicArray(array.shape, form, kind), kept)


def matmul(algebra: Algebra, left: SymbolicArray, right: SymbolicArray) -> SymbolicArray:
    """`@` for vectors and matrices."""
    if not (1 <= left.ndim <= 2 and 1 <= right.ndim <= 2):
        raise TraceError(f"@ of arrays with {left.ndim} and {right.ndim} axes")
    inner = left.shape[-1]
    if inner != right.shape[0]:
        raise ShapeClash(f"{shown(left.shape)} @ {shown(right.shape)}: the inner sizes differ")
    shape = (*left.shape[:-1], *right.shape[1:])
    bound = algebra.fresh(variable("", inner))
    one = renamed(left.form, {left.axis_variables[-1]: bound})
    names = {right.axis_variables[0]: bound}
    if right.ndim == 2:
        names[right.axis_variables[1]] = place(len(shape) - 1, right.shape[1])
    other = renamed(right.form, names)
    form = summed(algebra, one * other, [bound])
    return SymbolicArray(shape, form, arithmetic_kind(left.dtype, right.dtype))


def outer(left: SymbolicArray, right: SymbolicArray) -> SymbolicArray:
    if left.ndim != 1 or right.ndim != 1:
        raise TraceError("np.outer of arrays that are no vectors")
    return pointwise(Form.__mul__, with_axes(left, (0, None)), right)


def einsum(algebra: Algebra, spec: str, arrays: Sequence[SymbolicArray]) -> SymbolicArray:
    inputs, arrow, output = spec.replace(" ", "").partition("->")
    groups = inputs.split(",")
    if not arrow:  # the letters that occur once, in the order of the alphabet
        named = inputs.replace(",", "")
        output = "".join(sorted(c for c in set(named) if named.count(c) == 1))
    if len(groups) != len(arrays) or not (inputs.replace(",", "") + output).isalpha():
        raise TraceError(f"einsum of {spec!r}: letters and commas are read")
    extents: dict[str, Form] = {}
    names: dict[str, Atom] = {}
    for group, array in zip(groups, arrays, strict=True):
        if len(group) != array.ndim or len(set(group)) != len(group):
            raise TraceError(f"einsum of {spec!r}: {group} does not name {array.ndim} axes once")
        for letter, extent in zip(group, array.shape, strict=True):
            if extents.setdefault(letter, extent) != extent:
                raise ShapeClash(f"einsum of {spec!r}: two sizes of {letter}")
    if len(set(output)) != len(output) or set(output) - set(extents):
        raise TraceError(f"einsum of {spec!r}: the letters of the result")
    for letter, extent in extents.items():
        names[letter] = algebra.fresh(variable("", extent))
    form = ONE
    for group, array in zip(groups, arrays, strict=True):
        letters = dict(zip(array.axis_variables, (names[c] for c in group), strict=True))
        form = form * renamed(array.form, letters)
    form = summed(algebra, form, [names[c] for c in extents if c not in output])
    final = {names[c]: place(i, extents[c]) for i, c in enumerate(output)}
    shape = tuple(extents[c] for c in output)
    return SymbolicArray(shape, renamed(form, final), arithmetic_kind(*(a.dtype for a in arrays)))


# --------------------------------------------------------------------------------------------
# Entries
# --------------------------------------------------------------------------------------------


def filled(shape: Shape, value: Form, dtype: DType = "float") -> SymbolicArray:
    return SymbolicArray(shape, value, dtype)


def arange(extent: Form) -> SymbolicArray:
    return SymbolicArray((extent,), runner(0, extent), "int")


def runner(axis: int, extent: Form) -> Form:
    """The place on an axis. On an axis of size 1 it is 0: such an axis never has a variable, so
    that it broadcasts."""
    return ZERO if extent == ONE else atom(place(axis, extent))


def eye(algebra: Algebra, extent: Form) -> SymbolicArray:
    shape = (extent, extent)
    return SymbolicArray(shape, algebra.delta(runner(0, extent) - runner(1, extent)))


def diag(algebra: Algebra, array: SymbolicArray) -> SymbolicArray:
    if array.ndim == 1:
        identity = eye(algebra, array.shape[0])
        return pointwise(Form.__mul__, identity, with_axes(array, (0, None)))
    if array.ndim != 2 or array.shape[0] != array.shape[1]:
        raise TraceError("np.diag of an array that is neither a vector nor square")
    rows, columns = array.axis_variables
    return SymbolicArray(
        array.shape[:1], algebra.substituted(array.form, {columns: atom(rows)}), array.dtype
    )


def stacked(algebra: Algebra, parts: Sequence[SymbolicArray], axis: int = 0) -> SymbolicArray:
    """np.stack, and np.array of a list: a new axis with one place for each part."""
    if not parts:
        raise TraceError("an array made from nothing")
    if any(part.shape != parts[0].shape for part in parts):
        raise ShapeClash("parts of different shapes are stacked")
    axis = normal_axis(axis, parts[0].ndim + 1)
    wider = []
    for part in parts:
        kept: list[int | None] = list(range(part.ndim))
        kept.insert(axis, None)
        wider.append(with_axes(part, kept))
    return joined(algebra, wider, axis)


def joined(algebra: Algebra, parts: Sequence[SymbolicArray], axis: int) -> SymbolicArray:
    """np.concatenate: each part where its stretch of the axis is."""
    if not parts:
        raise TraceError("an array made from nothing")
    axis = normal_axis(axis, parts[0].ndim)
    for part in parts:
        if part.ndim != parts[0].ndim or _without(part.shape, axis) != _without(
            parts[0].shape, axis
        ):
            raise ShapeClash("parts that are joined differ in another axis")
    if len(parts) == 1:
        return parts[0]
    extent = total(part.shape[axis] for part in parts)
    shape = (*parts[0].shape[:axis], extent, *parts[0].shape[axis + 1 :])
    here = atom(place(axis, extent))
    form = start = ZERO
    for part in parts:
        length = part.shape[axis]
        old = part.axis_variables[axis]
        inside = here - start
        hit = algebra.delta(inside) if length == ONE else algebra.guard(inside, ZERO, length)
        form = form + hit * algebra.substituted(part.form, {old: inside})
        start = start + length
    return SymbolicArray(shape, form, widest(*(part.dtype for part in parts)))


def _without(shape: Shape, axis: int) -> Shape:
    return (*shape[:axis], *shape[axis + 1 :])


def tensordot(
    algebra: Algebra, left: SymbolicArray, right: SymbolicArray, axes: tuple[list[int], list[int]]
) -> SymbolicArray:
    """Axes of one array against axes of the other; the rest in order."""
    one = [normal_axis(axis, left.ndim) for axis in axes[0]]
    other = [normal_axis(axis, right.ndim) for axis in axes[1]]
    if len(one) != len(other) or len(set(one)) != len(one) or len(set(other)) != len(other):
        raise ShapeClash("the axes of a tensor product do not pair up")
    letters = [chr(ord("a") + i) for i in range(left.ndim + right.ndim)]
    first, second = letters[: left.ndim], letters[left.ndim :]
    for a, b in zip(one, other, strict=True):
        second[b] = first[a]
    output = [c for i, c in enumerate(first) if i not in one]
    output += [c for i, c in enumerate(second) if i not in other]
    spec = f"{''.join(first)},{''.join(second)}->{''.join(output)}"
    return einsum(algebra, spec, [left, right])
