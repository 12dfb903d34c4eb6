"""Square brackets: slices, whole numbers, index arrays, masks; reading and changing entries.

Owns: where each axis of an array is read (`Selection`), NumPy's order of axes in the result, and
the array after some of its entries have changed.
Refuses: an index that is not known to stay on its axis; a change through indices that may meet an
entry twice (`np.add.at` counts each time, `a[i] += v` once).
Would be wrong if: an index from the end were taken for one from the start. A negative number
counts from the end; any other index has to be known not to be negative.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from symbackprop.derivation.normalform import ONE, ZERO, Algebra, Atom, Form, atom, renamed
from symbackprop.tracing.arrays import (
    DType,
    Shape,
    ShapeClash,
    SymbolicArray,
    TraceError,
    aligned,
    broadcast_shape,
    place,
    pointwise,
    widest,
)
from symbackprop.tracing.ranges import decided, is_at_least, is_on_axis, summed


@dataclass(frozen=True)
class Stretch:
    """A slice with its ends as they are written: numbers, sizes, or None."""

    lower: SymbolicArray | None = None
    upper: SymbolicArray | None = None
    backwards: bool = False


Part = Stretch | SymbolicArray | None
"""A slice, an index (a number or an array of them), or a new axis."""


@dataclass(frozen=True)
class Selection:
    """`shape`: of what is read. `places`: for each axis of the array, where it is read, as a form
    over the axes of the result. `is_basic`: slices and numbers alone, hence a view."""

    shape: Shape
    places: tuple[Form, ...]
    is_basic: bool


def selection(algebra: Algebra, array: SymbolicArray, parts: Sequence[Part]) -> Selection:
    """The selection of `array[parts]`; `parts` without an ellipsis, perhaps fewer than axes."""
    used = sum(part is not None for part in parts)
    if used > array.ndim:
        raise ShapeClash(f"{used} indices for {array.ndim} axes")
    full = [*parts, *[Stretch()] * (array.ndim - used)]
    arrays = [p for p in full if isinstance(p, SymbolicArray)]
    is_basic = all(p.ndim == 0 for p in arrays)
    common = broadcast_shape([p.shape for p in arrays]) if arrays else ()
    first = 0 if is_basic else _first_index(full)
    shape: list[Form] = []
    places: list[Form] = []
    axis = 0
    for position, part in enumerate(full):
        if not is_basic and position == first:
            shape += common
        if part is None:
            shape.append(ONE)
            continue
        extent = array.shape[axis]
        axis += 1
        if isinstance(part, Stretch):
            start, length = _ends(part, extent)
            here = ZERO if length == ONE else atom(place(len(shape), length))
            places.append(start + length - ONE - here if part.backwards else start + here)
            shape.append(length)
        else:
            places.append(_index(algebra, part, extent, common, 0 if is_basic else first))
    return Selection(tuple(shape), tuple(places), is_basic)


def _first_index(parts: Sequence[Part]) -> int:
    """Where the axes of index arrays go: in place of the first, if all of them are neighbours.

    A position in `parts` equals one in the result, because only slices and new axes go before."""
    found = [i for i, part in enumerate(parts) if isinstance(part, SymbolicArray)]
    if found != list(range(found[0], found[-1] + 1)):
        raise TraceError("index arrays with a slice between them")
    return found[0]


def _ends(part: Stretch, extent: Form) -> tuple[Form, Form]:
    if part.backwards and (part.lower is not None or part.upper is not None):
        raise TraceError("a backward slice of a part")
    lower = ZERO if part.lower is None else _end(part.lower, extent)
    upper = extent if part.upper is None else _end(part.upper, extent)
    if is_at_least(upper - extent, 0):
        upper = extent
    elif not is_at_least(extent - upper, 0):
        raise TraceError("a slice whose end may lie beyond the axis")
    if not is_at_least(upper - lower, 0):
        raise TraceError("a slice whose length is not known")
    return lower, upper - lower


def _end(written: SymbolicArray, extent: Form) -> Form:
    if written.ndim or written.dtype != "int":
        raise TraceError("a slice whose ends are no whole numbers")
    value = written.form
    if value.constant is not None and value.constant < 0:
        value = extent + value
    if value.variables or not is_at_least(value, 0):
        raise TraceError("a slice whose ends are not known to lie on the axis")
    return value


def _index(
    algebra: Algebra, index: SymbolicArray, extent: Form, common: Shape, offset: int
) -> Form:
    if index.dtype != "int":
        raise TraceError("an index that is no whole number")
    value = aligned(index, common)
    moved = {place(i, e): place(i + offset, e) for i, e in enumerate(common)}
    value = _renamed_apart(algebra, value, moved)
    constant = value.constant
    if constant is not None:
        value = value if constant >= 0 else extent + value
        if is_at_least(-value, 1) or is_at_least(value - extent, 0):
            raise ShapeClash("an index outside its axis")
        if is_at_least(value, 0):
            return value
    if not is_on_axis(algebra, value, extent):
        raise TraceError("an index that is not known to stay on its axis")
    return value


def _renamed_apart(algebra: Algebra, form: Form, moved: dict[Atom, Atom]) -> Form:
    inside = {old: algebra.fresh(old) for old in moved}
    return renamed(renamed(form, inside), {inside[old]: new for old, new in moved.items()})


# --------------------------------------------------------------------------------------------
# Reading and changing
# --------------------------------------------------------------------------------------------


def selected(algebra: Algebra, array: SymbolicArray, chosen: Selection) -> SymbolicArray:
    form = at(algebra, array.form, array.axis_variables, chosen.places)
    return SymbolicArray(chosen.shape, form, array.dtype)


def at(algebra: Algebra, form: Form, names: Sequence[Atom], places: Sequence[Form]) -> Form:
    """The form with index variables put at other places, all at once."""
    inside = [algebra.fresh(name) for name in names]
    moved = renamed(form, dict(zip(names, inside, strict=True)))
    return decided(algebra.substituted(moved, dict(zip(inside, places, strict=True))))


def changed(
    algebra: Algebra, array: SymbolicArray, chosen: Selection, new: SymbolicArray
) -> SymbolicArray:
    """The array after `array[chosen] = new`, each selected entry having one place only."""
    value = _fitting(new, chosen.shape)
    old = selected(algebra, array, chosen)
    origins, hit = _origins(algebra, array, chosen)
    names = [place(i, extent) for i, extent in enumerate(chosen.shape)]
    change = at(algebra, value.form - old.form, names, origins)
    return SymbolicArray(array.shape, decided(array.form + hit * change), _widened(array, value))


def _widened(array: SymbolicArray, value: SymbolicArray) -> DType:
    return widest(array.dtype, value.dtype)


def _fitting(new: SymbolicArray, shape: Shape) -> SymbolicArray:
    """`new` broadcast to a shape; axes of size 1 in front may go, as in an assignment."""
    while new.ndim > len(shape) and new.shape[0] == ONE:
        rest = {place(i + 1, e): place(i, e) for i, e in enumerate(new.shape[1:])}
        new = SymbolicArray(new.shape[1:], renamed(new.form, rest), new.dtype)
    if broadcast_shape([new.shape, shape]) != shape:
        raise ShapeClash("the value does not fit the entries that it is assigned to")
    return SymbolicArray(shape, aligned(new, shape), new.dtype)


def _origins(algebra: Algebra, array: SymbolicArray, chosen: Selection) -> tuple[list[Form], Form]:
    """For each axis of the selection its place, given the place in the array; and the condition
    that the place in the array is selected at all."""
    origins: list[Form] = []
    solved: set[int] = set()
    hit = ONE
    for position, extent in enumerate(chosen.shape):
        if extent == ONE and not any(place(position, extent) in p.variables for p in chosen.places):
            origins.append(ZERO)
            continue
        axis, origin = _origin(array, chosen.places, place(position, extent))
        solved.add(axis)
        origins.append(origin)
        if chosen.shape[position] != array.shape[axis]:
            hit = hit * algebra.guard(origin, ZERO, extent)
    names = [place(i, extent) for i, extent in enumerate(chosen.shape)]
    for axis, where in enumerate(chosen.places):
        if axis not in solved and array.shape[axis] != ONE:
            target = at(algebra, where, names, origins)
            hit = hit * algebra.delta(atom(array.axis_variables[axis]) - target)
    return origins, hit


def _origin(array: SymbolicArray, places: Sequence[Form], name: Atom) -> tuple[int, Form]:
    """The axis that runs with an axis of the selection, and the latter's place seen from there."""
    for axis, where in enumerate(places):
        here = atom(array.axis_variables[axis])
        for sign in (1, -1):
            rest = where - (atom(name) if sign == 1 else -atom(name))
            if not rest.variables:
                return axis, here - rest if sign == 1 else rest - here
    raise TraceError("an assignment to entries that may meet the same entry twice")


def added_at(
    algebra: Algebra, array: SymbolicArray, chosen: Selection, new: SymbolicArray
) -> SymbolicArray:
    """np.add.at: an entry that is met twice counts twice."""
    value = _fitting(new, chosen.shape)
    names = [place(i, extent) for i, extent in enumerate(chosen.shape)]
    bound = [algebra.fresh(name) for name in names]
    inside = [atom(b) for b in bound]
    form = at(algebra, value.form, names, inside)
    for axis, where in enumerate(chosen.places):
        target = at(algebra, where, names, inside)
        form = form * algebra.delta(atom(array.axis_variables[axis]) - target)
    change = summed(algebra, form, bound)
    return SymbolicArray(array.shape, array.form + change, _widened(array, value))


# --------------------------------------------------------------------------------------------
# Masks
# --------------------------------------------------------------------------------------------


def full_mask(array: SymbolicArray, mask: SymbolicArray) -> SymbolicArray:
    """A mask over the leading axes, as one over all of them. NumPy does not broadcast masks."""
    if mask.ndim > array.ndim or mask.shape != array.shape[: mask.ndim]:
        raise ShapeClash("a mask of another shape than the array")
    return SymbolicArray(array.shape, mask.form, "bool")


def masked(
    algebra: Algebra, array: SymbolicArray, mask: SymbolicArray, new: SymbolicArray
) -> SymbolicArray:
    """The array after `array[mask] = new`; `new` has the array's axes, or none."""
    found = pointwise(algebra.where, full_mask(array, mask), new, array, dtype=_widened(array, new))
    if found.shape != array.shape:
        raise ShapeClash("the value does not fit the entries that it is assigned to")
    return found
