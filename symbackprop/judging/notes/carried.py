r"""Errors carried forward: what a false line makes of the lines after it.

Owns: turning a false line into derivatives "as its author has them", and asking whether a later
false line is true with those. Refuses: judging.
Would be wrong if a line were excused by an earlier one that it does not use: the world changes in
the one derivative that the earlier line claims, and in what follows from it by the chain rule.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from symbackprop.judging.notes.formula import values as v
from symbackprop.judging.notes.formula.derivatives import (
    Link,
    denominator,
    link_of,
    link_value,
    plain_reference,
    scale_of,
)
from symbackprop.judging.notes.formula.entries import index_order, index_places
from symbackprop.judging.notes.formula.meaning import Meaning
from symbackprop.judging.notes.formula.ranges import with_ranges
from symbackprop.judging.notes.formula.settings import Settings
from symbackprop.judging.notes.formula.symbols import IllFormed, NotUnderstood, Reference
from symbackprop.judging.notes.formula.valuation import Valuation
from symbackprop.judging.notes.formula.values import Clash, Value
from symbackprop.reading.latex.syntax import Derivative, Node, Scripted, Statement, Symbol
from symbackprop.witnesses.axes import Array, Axes
from symbackprop.witnesses.truth import World

Overrides = Mapping[tuple[str, str], Array]


@dataclass(frozen=True)
class FalseLine:
    """A line that was found false: its statement, the false link, the layer at which."""

    statement: Statement
    link: int
    numbers: Mapping[str, int]
    settings: Settings
    line: int


def overrides(false: FalseLine, world: World) -> Overrides | None:
    """The derivative that the line claims, in a world; None where it claims none that later
    lines could use."""
    surroundings = Valuation(world, false.settings, false.numbers)
    try:
        meaning = with_ranges(false.statement.sides, surroundings)
        claimed = meaning.value(false.statement.sides[false.link + 1])
    except (NotUnderstood, IllFormed, Clash):
        return None
    for side in false.statement.sides[: false.link + 1]:
        found = _overridden(side, claimed, meaning)
        if found is not None:
            return found
    return None


def _overridden(side: Node, claimed: Value, meaning: Meaning) -> Overrides | None:
    if not isinstance(side, (Derivative, Symbol, Scripted)):
        return None
    try:
        link = link_of(meaning, side)
        if link is None or link.of == "expression":
            return None
        shape = link_value(meaning, link)
    except (NotUnderstood, IllFormed, Clash):
        return None
    if v.fits(shape.rows, claimed.cols) and v.fits(shape.cols, claimed.rows):
        if not v.fits(shape.rows, claimed.rows):
            claimed = v.transposed(claimed)
    elif not (v.fits(shape.rows, claimed.rows) and v.fits(shape.cols, claimed.cols)):
        return None
    array = _canonical(claimed, shape, link, meaning)
    if array is None:
        return None
    of, wrt = link.of.partition("[")[0], link.wrt.partition("[")[0]
    if not {of, wrt} <= set(meaning.world.values):
        return None  # the loss of one sample is no tensor
    scale = _scale(side, meaning)
    whole = meaning.world.total(of, wrt).copy()
    return _placed(whole, array / scale, link, side, meaning, (of, wrt))


def _scale(side: Node, meaning: Meaning) -> float:
    if isinstance(side, Derivative):
        return 1.0
    reference = meaning.scope.resolve(side)
    return float(np.real(scale_of(meaning, reference.scale).array[0]))


def _canonical(claimed: Value, shape: Value, link: Link, meaning: Meaning) -> Array | None:
    """The claimed value over the link's own axes: its letters, those of `of`, those of `wrt`."""
    if set(claimed.free) - set(link.free):
        return None
    full = np.broadcast_shapes(claimed.array.shape[:1], shape.array.shape[:1])
    array = v.over(claimed, link.free)
    lead = 1 + len(link.free)
    target = (*full, *shape.array.shape[1:lead], *(a.size for a in shape.axes))
    try:
        array = np.broadcast_to(array, target)
    except ValueError:
        return None
    probe = np.arange(int(np.prod([a.size for a in (*link.outer, *link.inner)], dtype=int)))
    numbered = replace(
        link,
        array=probe.reshape(
            1, *(1,) * len(link.free), *(a.size for a in (*link.outer, *link.inner))
        ),
    )
    order = link_value(meaning, numbered).array.reshape(-1)
    flat = array.reshape(*target[:lead], -1)
    result = np.empty_like(flat)
    result[..., order] = flat
    return result.reshape(*target[:lead], *(a.size for a in (*link.outer, *link.inner)))


def _placed(
    whole: Array, part: Array, link: Link, side: Node, meaning: Meaning, key: tuple[str, str]
) -> Overrides | None:
    """The whole derivative with the entries that the line claims."""
    if part.shape == whole.shape:
        return {key: part}
    axes = (*meaning.world.axes(key[0]), *meaning.world.axes(key[1]))
    places = _places(side, meaning, key)
    if places is None or len(places) != len(axes):
        return None
    selectors: list[Any] = [slice(None)]
    order: list[int] = [0]
    remaining = 1 + len(link.free)
    for place in places:
        if place is None:
            selectors.append(slice(None))
            order.append(remaining)
            remaining += 1
        elif isinstance(place, int):
            selectors.append(place - 1)
        elif place in link.free:
            selectors.append(slice(None))
            order.append(1 + link.free.index(place))
        else:
            return None
    if len(set(order)) != len(order) or len(order) != part.ndim:
        return None
    target = whole[tuple(selectors)]
    try:
        target[...] = part.transpose(order)
    except ValueError:
        return None
    return {key: whole}


def _places(side: Node, meaning: Meaning, key: tuple[str, str]) -> list[str | int | None] | None:
    if isinstance(side, Derivative):
        assert side.of is not None
        assert side.wrt is not None
        top = plain_reference(meaning, side.of)
        bottom = denominator(meaning, side.wrt, side)
    else:
        bottom = meaning.scope.resolve(side)
        top = Reference("tensor", meaning.world.network.loss, side.span)
    if top is None or bottom is None:
        return None
    found: list[str | int | None] = []
    for reference, name in ((top, key[0]), (bottom, key[1])):
        axes: Axes = meaning.world.axes(name)
        if not reference.indices and reference.sample is None:
            found.extend([None] * len(axes))
            continue
        kept = [p for p, a in enumerate(axes) if a.label not in meaning.world.flat]
        for place in index_places(meaning, reference, axes, index_order(meaning, name, axes), kept):
            if place is None:
                found.append(None)
            elif isinstance(place, Symbol) and place.head in meaning.ranges:
                found.append(place.head)
            else:
                found.append(meaning.scope.whole(place))
    return found
