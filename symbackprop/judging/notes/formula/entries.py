"""From the indices of a symbol to entries of an array, and from axes to rows and columns.

Owns: which axis each index picks, gathering at letters, and how a whole tensor, or the slopes of
an entrywise function, stand. Refuses: indices beyond an axis, and indices whose axis is not clear.
Would be wrong if an index picked another axis than the note counts with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

import numpy as np

from symbackprop.judging.notes.formula import values as v
from symbackprop.judging.notes.formula.letters import is_whole
from symbackprop.judging.notes.formula.meaning import Meaning
from symbackprop.judging.notes.formula.settings import Settings
from symbackprop.judging.notes.formula.symbols import IllFormed, NotUnderstood, OneSample, Reference
from symbackprop.judging.notes.formula.values import Value
from symbackprop.reading.latex.syntax import Group, Node, Number, Span, Sum, Symbol
from symbackprop.witnesses.axes import SAMPLE, Array, Axes, Axis

_FIRST = Number(value=Fraction(1), text="1", span=Span(0, 0))

FARTHEST = 1_000_000  # an index beyond is none


def entries_of(meaning: Meaning, name: str, array: Array, reference: Reference) -> Value:
    """A tensor, or an array of its shape, as the note writes it: whole, or the entries that
    the indices pick."""
    axes = meaning.world.axes(name)
    kept = [p for p, a in enumerate(axes) if a.label not in meaning.world.flat]
    order = index_order(meaning, name, axes)
    whole = Value(array, (), axes, ())
    if not reference.indices and reference.sample is None:
        return oriented(meaning, name, array, axes)
    return picked(meaning, array, (), axes, reference, whole, order, kept, name)


def index_order(meaning: Meaning, name: str, axes: Axes) -> list[int]:
    """The axes in the order in which the note writes indices."""
    places = list(range(len(axes)))
    turned = (
        meaning.settings.weights == "out_in"
        if is_weight(meaning, name)
        else meaning.settings.samples == "columns"
    )
    return places[::-1] if turned and len(places) == 2 else places


def is_weight(meaning: Meaning, name: str) -> bool:
    tensor = meaning.world.network.by_name[name]
    return tensor.kind == "parameter" and len(tensor.indices) == 2


def oriented(
    meaning: Meaning, name: str, array: Array, axes: Axes, free: tuple[str, ...] = ()
) -> Value:
    """A whole tensor as rows and columns. Axes with a single place are left out."""
    single = [a.label for a in axes if a.label in meaning.world.flat and a.label != SAMPLE]
    array, axes = _without_flat(meaning, array, axes, len(free))
    found = _laid_out(meaning, name, array, axes, free)
    return replace(found, feature=single[-1]) if single else found


def _laid_out(
    meaning: Meaning, name: str, array: Array, axes: Axes, free: tuple[str, ...]
) -> Value:
    if is_weight(meaning, name):
        labels = [a.label for a in meaning.world.axes(name)]
        rows = tuple(a for a in axes if a.label == labels[0])
        cols = tuple(a for a in axes if a.label != labels[0])
        found = Value(array, free, rows, cols)
        return v.transposed(found) if meaning.settings.weights == "out_in" else found
    bias = SAMPLE not in {a.label for a in meaning.world.axes(name)}
    return _vector(meaning, array, axes, free, bias and meaning.settings.mode == "batch")


def _vector(
    meaning: Meaning, array: Array, axes: Axes, free: tuple[str, ...], batched: bool = False
) -> Value:
    rows = tuple(a for a in axes if a.label == SAMPLE)
    cols = tuple(a for a in axes if a.label != SAMPLE)
    found = Value(array, free, rows, cols)
    stands = meaning.settings.samples if rows or batched else meaning.settings.single
    if batched and not rows and meaning.settings.biases:
        stands = meaning.settings.biases
    return v.transposed(found) if stands == "columns" else found


def _without_flat(meaning: Meaning, array: Array, axes: Axes, free: int) -> tuple[Array, Axes]:
    places = [p for p, a in enumerate(axes) if a.label in meaning.world.flat]
    if not places:
        return array, axes
    squeezed = array.squeeze(axis=tuple(1 + free + p for p in places))
    return squeezed, tuple(a for p, a in enumerate(axes) if p not in places)


def picked(
    meaning: Meaning,
    array: Array,
    free: tuple[str, ...],
    axes: Axes,
    reference: Reference,
    whole: Value,
    order: Sequence[int] | None = None,
    kept: Sequence[int] | None = None,
    name: str = "",
) -> Value:
    order = list(range(len(axes))) if order is None else list(order)
    kept = list(range(len(axes))) if kept is None else list(kept)
    places = index_places(meaning, reference, axes, order, kept)
    found = gathered(meaning, array, free, axes, places)
    left = left_whole(axes, places)
    if not name:
        rows = tuple(a for a in left if a in whole.rows)
        return replace(found, rows=rows, cols=tuple(a for a in left if a not in rows))
    if not left:
        features = [
            a.label
            for a, p in zip(axes, places, strict=True)
            if p is not None and a.label != SAMPLE
        ]
        return replace(found, feature=features[-1] if features else "")
    return oriented(meaning, name, found.array, left, found.free)


def index_places(
    meaning: Meaning, reference: Reference, axes: Axes, order: list[int], kept: list[int]
) -> list[Node | None]:
    """For each axis the index written for it; None where the axis stays whole."""
    places: list[Node | None] = [None] * len(axes)
    indices = split_digits(reference.indices, (len(order), len(kept)))
    if reference.sample is not None:
        position = _sample_position(reference, axes)
        places[position] = reference.sample
        order = [p for p in order if p != position]
        kept = [p for p in kept if p != position]
    chosen = _indexed(meaning, reference, axes, order, kept, len(indices))
    for position, index in zip(chosen, indices, strict=True):
        places[position] = None if is_whole(index) else index
    for position in range(len(axes)):  # an axis with one place that no index is written for
        if places[position] is None and position not in kept and position not in chosen:
            places[position] = _FIRST
    return places


def _sample_position(reference: Reference, axes: Axes) -> int:
    labels = [a.label for a in axes]
    if SAMPLE not in labels:
        raise OneSample("a sample is marked where there is one sample", reference.span)
    return labels.index(SAMPLE)


def _indexed(
    meaning: Meaning,
    reference: Reference,
    axes: Axes,
    order: list[int],
    kept: list[int],
    count: int,
) -> list[int]:
    """The axes that so many indices pick, in the order of the indices."""
    labels = [a.label for a in axes]
    reduced = [p for p in order if p in kept]
    if count == len(order):
        return order
    if count == len(reduced):
        return reduced
    if count == 1 and SAMPLE in labels and reference.sample is None:
        return [labels.index(SAMPLE)]
    if not count:
        return []
    if count == len(order) + 1 and _lacks_samples(meaning, reference.name, labels):
        raise OneSample("an index for the sample where there is one sample", reference.span)
    if count > len(order):
        plural = "index" if len(order) == 1 else "indices"
        reason = f"{reference.name} has {len(order)} {plural}, {count} are written"
        raise IllFormed(reason, reference.span, "index")
    raise NotUnderstood("it is not clear which axis the index means", reference.span)


def _lacks_samples(meaning: Meaning, name: str, labels: Sequence[str]) -> bool:
    """Whether a quantity would have one axis more in a batch."""
    tensor = meaning.world.network.by_name.get(name)
    return SAMPLE not in labels and tensor is not None and tensor.kind != "parameter"


def written_places(meaning: Meaning, reference: Reference, axes: Axes) -> list[Node | None]:
    """`index_places` of a tensor; all axes stay whole where no index is written."""
    if not reference.indices and reference.sample is None:
        return [None] * len(axes)
    kept = [p for p, a in enumerate(axes) if a.label not in meaning.world.flat]
    order = index_order(meaning, reference.name, axes)
    return index_places(meaning, reference, axes, order, kept)


def left_whole(axes: Axes, places: Sequence[Node | None]) -> Axes:
    """The axes for which no index is written."""
    return tuple(axis for axis, place in zip(axes, places, strict=True) if place is None)


def split_digits(indices: tuple[Node, ...], counts: tuple[int, int]) -> tuple[Node, ...]:
    """_{11} is two indices where two are needed."""
    if len(indices) == 1 and isinstance(indices[0], Number):
        digits = indices[0].text
        if len(digits) == 2 and digits.isdigit() and 2 in counts:
            number = indices[0]
            return tuple(replace(number, value=type(number.value)(int(d)), text=d) for d in digits)
    return indices


def gathered(
    meaning: Meaning, array: Array, free: tuple[str, ...], axes: Axes, places: Sequence[Node | None]
) -> Value:
    """The entries at the places, letters becoming free; reads outside an axis are refused.

    One array of positions for each axis of `array`: points, letters, picked axes, whole axes.
    """
    picks = [None if p is None else places_of(meaning, p) for p in places]
    letters = _united(free, picks)
    left = left_whole(axes, places)
    rank = 1 + len(letters) + len(left)
    heads = [0, *(1 + letters.index(name) for name in free)]
    selectors = [_along(array.shape[n], head, rank) for n, head in enumerate(heads)]
    tail = 1 + len(letters)
    for axis, pick, node in zip(axes, picks, places, strict=True):
        if pick is None or node is None:
            selectors.append(_along(axis.size, tail, rank))
            tail += 1
            continue
        chosen = _positions(pick, letters, axis, node)
        selectors.append(chosen.reshape(chosen.shape + (1,) * len(left)))
    return Value(array[tuple(selectors)], tuple(letters), left, ())


def _united(free: tuple[str, ...], picks: Sequence[Value | None]) -> list[str]:
    """The letters that are free already, then those of the picks."""
    letters = list(free)
    for pick in picks:
        if pick is not None:
            letters.extend(name for name in pick.free if name not in letters)
    return letters


def _along(size: int, place: int, rank: int) -> Array:
    """0, 1, ... along one of so many directions."""
    return np.arange(size).reshape((1,) * place + (size,) + (1,) * (rank - place - 1))


def _positions(pick: Value, letters: Sequence[str], axis: Axis, node: Node) -> Array:
    chosen = v.over(pick, letters).astype(int) - 1
    if np.any(chosen < 0) or np.any(chosen >= axis.size):
        reason = f"an index goes beyond the {axis.size} places of its axis"
        raise IllFormed(reason, node.span, "index")
    return chosen


def places_of(meaning: Meaning, node: Node) -> Value:
    """The places an index means, counted from 1: a number, a letter, a letter plus one."""
    match node:
        case Symbol(head=head) if head in meaning.ranges:
            return meaning.letter(head)
        case Symbol(head=head) if meaning.settings.sizes.get(head, "") in meaning.world.sizes:
            return v.number(meaning.world.sizes[meaning.settings.sizes[head]])
        case Sum(signs=signs, terms=terms):
            total = v.number(0)
            for sign, term in zip(signs, terms, strict=True):
                total = v.entrywise(
                    total, places_of(meaning, term), np.add if sign > 0 else np.subtract
                )
            return total
        case Group(items=(one,)):
            return places_of(meaning, one)
    number = meaning.scope.whole(node)
    if abs(number) > FARTHEST:
        raise IllFormed(f"no axis has {number} places", node.span, "index")
    return v.number(number)


def slopes_of(value: Value, settings: Settings) -> Value | None:
    """The diagonal of a Jacobian whose rows and columns are one axis (or one batch), as the
    vector or batch itself; None where the array is no such Jacobian or not diagonal."""
    if not value.rows or not v.fits(value.rows, value.cols):
        return None
    count, lead = len(value.rows), 1 + len(value.free)
    shape = value.array.shape[lead : lead + count]
    if value.array.shape[lead + count :] != shape:
        return None  # a whole axis, or ones of any length, beside a single place
    size = int(np.prod(shape, dtype=int))
    square = value.array.reshape(*value.array.shape[:lead], size, size)
    diagonal = np.einsum("...ii->...i", square)
    if np.abs(square - diagonal[..., None] * np.eye(size)).max() > 1e-12:
        return None
    array = diagonal.reshape(*value.array.shape[:lead], *shape)
    rows = tuple(a for a in value.rows if a.label == SAMPLE)
    cols = tuple(a for a in value.rows if a.label != SAMPLE)
    found = Value(array, value.free, rows, cols)
    stands = settings.samples if rows else settings.single
    return v.transposed(found) if stands == "columns" else found
