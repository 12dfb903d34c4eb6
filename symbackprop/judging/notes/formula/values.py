"""Arrays whose axes know what they are: the arithmetic of a formula at numbers.

Owns: `Value` and its operations, as matrix algebra writes them. Refuses: broadcasting by chance.
Would be wrong if two axes of one size were taken for one another: every axis carries its label
(`units2`, `n`), and only an axis of a literal matrix, which has none, fits by its size.

An array has first the axis of the points (several at once), then one axis for each index letter
that is free, then the rows, then the columns. A row vector has no rows, a column vector no
columns, a number neither.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest

import numpy as np

from symbackprop.judging.notes.formula.symbols import NotUnderstood
from symbackprop.networks import names
from symbackprop.reading.latex.syntax import Span
from symbackprop.witnesses.axes import ANY, Array, Axes, Axis

LARGEST = 2_000_000  # entries of one array: beyond, a formula is not evaluated


class Clash(ValueError):
    """An operation whose shapes do not fit; `reason` is for the author of the formula,
    `span` the place where it happened, once it is known."""

    def __init__(self, reason: str, span: Span | None = None) -> None:
        self.reason, self.span = reason, span
        super().__init__(reason)


@dataclass(frozen=True)
class Value:
    """A number, vector or matrix at several points.

    `feature` remembers of which axis a single entry was taken, so that `f(z_j)` knows its layer;
    `literal` marks a plain number, which goes with every entry; `identity` the matrix I, whose
    size follows from what it meets.
    """

    array: Array
    free: tuple[str, ...] = ()
    rows: Axes = ()
    cols: Axes = ()
    feature: str = ""
    literal: bool = False
    identity: bool = False

    @property
    def is_scalar(self) -> bool:
        return not self.rows and not self.cols and not self.identity

    @property
    def axes(self) -> Axes:
        return (*self.rows, *self.cols)

    def has(self, label: str) -> bool:
        return any(axis.label == label for axis in self.axes)


def number(value: complex | Array) -> Value:
    """The same number at every point."""
    return Value(np.asarray(value).reshape(1), literal=True)


def ones() -> Value:
    """A column of ones of whatever length it meets."""
    return Value(np.ones((1, 1)), rows=(Axis(ANY, 1),))


IDENTITY = Value(np.ones(1), identity=True)


def fits(one: Axes, other: Axes) -> bool:
    return len(one) == len(other) and all(a.fits(b) for a, b in zip(one, other, strict=True))


def merged(one: Axes, other: Axes) -> Axes:
    """The axes with what either of them knows."""
    return tuple(
        a if a.label not in ("", ANY) or b.label == ANY else b
        for a, b in zip(one, other, strict=True)
    )


def aligned(values: Sequence[Value]) -> tuple[tuple[str, ...], list[Array]]:
    """All arrays over the union of their free letters, with axes of length 1 where one lacks a
    letter; rows and columns stay behind."""
    union: list[str] = []
    for value in values:
        union.extend(name for name in value.free if name not in union)
    return tuple(union), [over(value, union) for value in values]


def paired(one: Value, other: Value) -> tuple[tuple[str, ...], Array, Array]:
    """Both arrays over the union of their free letters; a single number has an axis of length 1
    for each row and column of the other."""
    free, (a, b) = aligned((one, other))
    a = a.reshape(a.shape + (1,) * len(other.axes)) if one.is_scalar else a
    b = b.reshape(b.shape + (1,) * len(one.axes)) if other.is_scalar else b
    return free, a, b


def over(value: Value, union: Sequence[str]) -> Array:
    if value.free == tuple(union):
        return value.array
    count = len(value.free)
    source = [1 + value.free.index(name) for name in union if name in value.free]
    array = value.array.transpose([0, *source, *range(1 + count, value.array.ndim)])
    lengths = iter(array.shape[1 : 1 + count])
    middle = [next(lengths) if name in value.free else 1 for name in union]
    return array.reshape((array.shape[0], *middle, *array.shape[1 + count :]))


def _operated(operation: Callable[[Array, Array], Array], a: Array, b: Array) -> Array:
    """Raises: NotUnderstood where the result has more entries than are written out."""
    _check_size(max(p, q) for p, q in zip_longest(a.shape, b.shape, fillvalue=1))
    return operation(a, b)


def _check_size(lengths: Iterable[int]) -> None:
    if math.prod(lengths) > LARGEST:
        raise NotUnderstood("an array too large to write out")


def _feature(*values: Value) -> str:
    found = {v.feature for v in values if v.feature}
    return found.pop() if len(found) == 1 else ""


def tamed(value: Value, other: Value) -> Value:
    """An identity in the shape of what it meets."""
    if not value.identity:
        return value
    if other.identity or len(other.rows) != 1 or len(other.cols) != 1:
        raise Clash(f"the identity matrix meets {shape_text(other)}")
    row, col = other.rows[0], other.cols[0]
    if row.size != col.size:
        raise Clash(f"the identity matrix meets {shape_text(other)}, which is not square")
    return Value(np.eye(row.size) * value.array[..., None, None], value.free, (row,), (col,))


def _factor(identity: Value) -> Value:
    """The number before an identity matrix."""
    return Value(identity.array, identity.free)


def entrywise(one: Value, other: Value, operation: Callable[[Array, Array], Array]) -> Value:
    """Entry by entry; a single number goes with every entry.

    Raises: Clash where the shapes differ.
    """
    if one.identity or other.identity:
        if one.identity and other.is_scalar:
            return replace(entrywise(_factor(one), other, operation), identity=True)
        one, other = tamed(one, other), tamed(other, one)
    free, a, b = paired(one, other)
    if one.is_scalar or other.is_scalar:
        wide = other if one.is_scalar else one
        literal = one.literal and other.literal
        return Value(
            _operated(operation, a, b),
            free,
            wide.rows,
            wide.cols,
            _feature(one, other),
            literal=literal,
        )
    if not (fits(one.rows, other.rows) and fits(one.cols, other.cols)):
        raise Clash(f"{shape_text(one)} and {shape_text(other)} do not have one shape")
    rows, cols = merged(one.rows, other.rows), merged(one.cols, other.cols)
    return Value(_operated(operation, a, b), free, rows, cols, _feature(one, other))


def added(one: Value, other: Value, sign: int, sample: str) -> Value:
    """A sum. A vector without the sample axis is added to every sample of a batch; only a plain
    number is added to every entry."""
    for alone, rest in ((one, other), (other, one)):
        samples_only = all(axis.label == sample for axis in rest.axes)
        if alone.is_scalar and not rest.is_scalar and not alone.literal and not samples_only:
            raise Clash(f"a single number and {shape_text(rest)} are added")
    one, other = _with_samples(one, other, sample), _with_samples(other, one, sample)
    return entrywise(one, other, np.add if sign > 0 else np.subtract)


def _with_samples(value: Value, other: Value, sample: str) -> Value:
    if value.has(sample) or value.is_scalar or not other.has(sample):
        return value
    if not value.rows and other.rows and other.rows[0].label == sample:
        array = np.expand_dims(value.array, 1 + len(value.free))
        return replace(value, array=array, rows=(Axis(ANY, 1),))
    if not value.cols and other.cols and other.cols[-1].label == sample:
        return replace(value, array=value.array[..., None], cols=(Axis(ANY, 1),))
    return value


def product(one: Value, other: Value) -> Value:
    """The product of matrix algebra; a number scales.

    Raises: Clash where the columns of the left are not the rows of the right.
    """
    if one.identity or other.identity:
        kept = other if one.identity else one
        scale = one if one.identity else other
        if one.identity and other.identity:
            return replace(entrywise(_factor(one), _factor(other), np.multiply), identity=True)
        if kept.is_scalar:
            return replace(entrywise(_factor(scale), kept, np.multiply), identity=True)
        return entrywise(_factor(scale), kept, np.multiply)
    if one.is_scalar or other.is_scalar:
        return entrywise(one, other, np.multiply)
    if not fits(one.cols, other.rows):
        raise Clash(f"{shape_text(one)} times {shape_text(other)} does not fit")
    return contracted(one, other, len(one.cols))


def contracted(one: Value, other: Value, count: int) -> Value:
    """Sums over the last `count` axes of one and the first `count` of the other."""
    free, (a, b) = aligned((one, other))
    start = 1 + len(free)
    a, b = _stretched(a, b, start + len(one.axes) - count, start, count)
    left = list(range(start + len(one.axes)))
    shared = left[len(left) - count :]
    right = [*left[:start], *shared, *range(len(left), len(left) + len(other.axes) - count)]
    result = [*left[: len(left) - count], *right[start + count :]]
    lengths = dict(zip(left, a.shape, strict=True))
    for place, length in zip(right, b.shape, strict=True):
        lengths[place] = max(length, lengths.get(place, 1))
    _check_size(lengths[place] for place in result)
    array = np.einsum(a, left, b, right, result)
    return Value(array, free, one.rows, other.cols)


def _stretched(a: Array, b: Array, first: int, second: int, count: int) -> tuple[Array, Array]:
    """Ones of any length take the length of what they meet."""
    for number_ in range(count):
        p, q = first + number_, second + number_
        if a.shape[p] != b.shape[q]:
            a = np.repeat(a, b.shape[q], axis=p) if a.shape[p] == 1 else a
            b = np.repeat(b, a.shape[p], axis=q) if b.shape[q] == 1 else b
    return a, b


def transposed(value: Value) -> Value:
    order = list(range(1 + len(value.free)))
    first, rows = len(order), len(value.rows)
    places = range(first, first + len(value.axes))
    array = value.array.transpose([*order, *places[rows:], *places[:rows]])
    return replace(value, array=array, rows=value.cols, cols=value.rows)


def mapped(value: Value, function: Callable[[Array], Array]) -> Value:
    """A function of each entry."""
    return replace(value, array=function(value.array))


def real(function: Callable[[Array], Array]) -> Callable[[Array], Array]:
    """A function of real numbers where they have an imaginary step: no number where it has no
    real value, for the logarithm of a negative number would step by pi."""

    def at(array: Array) -> Array:
        found = function(array)
        if not np.iscomplexobj(array):
            return found
        return np.where(np.isnan(function(np.real(array))), complex(np.nan, np.nan), found)

    return at


def summed(value: Value, label: str) -> Value:
    """The sum over the axis of that label.

    Raises: NotUnderstood where there are two, as in a Jacobian.
    """
    labels = [axis.label for axis in value.axes]
    if labels.count(label) != 1:
        raise NotUnderstood(f"a sum over one of two axes of {axis_text(Axis(label, 0))}")
    array = value.array.sum(axis=1 + len(value.free) + labels.index(label))
    rows = tuple(a for a in value.rows if a.label != label)
    cols = tuple(a for a in value.cols if a.label != label)
    return replace(value, array=array, rows=rows, cols=cols)


def total(value: Value) -> Value:
    """The sum of all entries."""
    if value.identity:
        raise NotUnderstood("the sum of the entries of an identity matrix of no known size")
    axes = tuple(range(1 + len(value.free), value.array.ndim))
    return replace(value, array=value.array.sum(axis=axes), rows=(), cols=())


def summed_letter(value: Value, letter: str, weight: Value | None) -> Value:
    """The sum over a free letter, where `weight` is 1."""
    if weight is not None:
        value = entrywise(weight, value, np.multiply)
    place = 1 + value.free.index(letter)
    rest = tuple(name for name in value.free if name != letter)
    return replace(value, array=value.array.sum(axis=place), free=rest)


def shape_text(value: Value) -> str:
    """A shape for people: `a number`, `a row (d3)`, `a matrix (d2, d3)`."""
    if value.identity:
        return "the identity"
    if value.is_scalar:
        return "a number"
    inside = ", ".join(axis_text(axis) for axis in value.axes)
    if not value.rows and len(value.cols) == 1:
        return f"a row of {inside}"
    if not value.cols and len(value.rows) == 1:
        return f"a column of {inside}"
    if len(value.rows) == 1 and len(value.cols) == 1:
        return f"a matrix ({inside})"
    return f"an array ({inside})"


def axis_text(axis: Axis) -> str:
    """`d3` for the units of layer 3, `N` for the samples, the number for a literal."""
    layer = names.layer_of_units(axis.label)
    if layer is not None:
        return f"d{layer}"
    return {"n": "N", "": str(axis.size), ANY: "any"}.get(axis.label, axis.label)
