"""Sums of terms, and big sums over index letters.

Owns: the axis, the bounds and the weights of a big sum, or product of entries. Refuses: products of
arrays, and sums that run over what their terms do not have. Would be wrong if a bound that leaves
out entries were taken for the whole axis.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import replace
from functools import partial, reduce

import numpy as np

from symbackprop.judging.notes.formula import values as v
from symbackprop.judging.notes.formula.layers import marks_in
from symbackprop.judging.notes.formula.letters import head_of, index_letters, looks_kronecker
from symbackprop.judging.notes.formula.literals import condition_value
from symbackprop.judging.notes.formula.meaning import Meaning
from symbackprop.judging.notes.formula.ranges import axis_of_uses, open_letters, range_of
from symbackprop.judging.notes.formula.symbols import IllFormed, NotUnderstood, OutOfRange, split
from symbackprop.judging.notes.formula.values import Value
from symbackprop.reading.latex.syntax import (
    Big,
    Bound,
    Comparison,
    Node,
    Number,
    Scripted,
    Sum,
    Symbol,
    heads_below,
    walk,
)
from symbackprop.witnesses.axes import SAMPLE, Axis

LONGEST = 10_000  # terms of a sum that counts for itself
LONGEST_STACK = 100  # layers that a sum runs over
Limits = tuple[int | None, int | None]


def sum_value(meaning: Meaning, signs: Sequence[int], terms: Sequence[Node]) -> Value:
    total: Value | None = None
    for sign, term in zip(signs, terms, strict=True):
        value = meaning.spanned(term)
        if total is None:
            total = value if sign > 0 else v.mapped(value, np.negative)
        else:
            total = meaning.within(term, partial(v.added, total, value, sign, SAMPLE))
    assert total is not None
    return total


def big_value(meaning: Meaning, node: Big) -> Value:
    if node.kind == "product":
        return _product(meaning, node)
    if not node.bounds:
        return _sum_without_bounds(meaning, node.body, node)
    if _runs_over_layers(meaning, node):
        return _over_layers(meaning, node)
    inner = meaning
    for bound in node.bounds:
        inner = bounded(inner, bound, node.body)
    weights = [_weight(inner, bound, node.body) for bound in node.bounds]
    value = inner.spanned(node.body)
    for bound, weight in zip(node.bounds, weights, strict=True):
        letter = head_of(bound.variable)
        if letter not in value.free:
            value = _unused(meaning, letter, value, inner.ranges[letter], weight, node)
            continue
        value = v.summed_letter(value, letter, weight)
    return replace(value, literal=False)


def _product(meaning: Meaning, node: Big) -> Value:
    """A product over entries: one bound after the other, 1 where a bound leaves one out."""
    if not node.bounds or _runs_over_layers(meaning, node):
        raise NotUnderstood("a product of layers, or over what is not said", node.span)
    inner = meaning
    for bound in node.bounds:
        inner = bounded(inner, bound, node.body)
    weights = [_weight(inner, bound, node.body) for bound in node.bounds]
    value = inner.spanned(node.body)
    for bound, weight in zip(node.bounds, weights, strict=True):
        letter = head_of(bound.variable)
        if letter not in value.free or not value.is_scalar:
            raise NotUnderstood("a product of what its letter does not count", node.span)
        if weight is not None:
            value = v.entrywise(weight, value, lambda w, a: np.where(w == 0, 1, a))
        place = 1 + value.free.index(letter)
        rest = tuple(name for name in value.free if name != letter)
        value = replace(value, array=value.array.prod(axis=place), free=rest)
    return replace(value, literal=False)


def _runs_over_layers(meaning: Meaning, node: Big) -> bool:
    """Whether its letter marks layers, also where it has a number outside of the sum."""
    letters = {head_of(bound.variable) for bound in node.bounds}
    numbers = {h: n for h, n in meaning.scope.numbers.items() if h not in letters}
    return not letters.isdisjoint(marks_in(node.body, replace(meaning.scope, numbers=numbers)))


def _over_layers(meaning: Meaning, node: Big) -> Value:
    """A sum over layers, written out."""
    bound = node.bounds[0]
    if len(node.bounds) > 1 or bound.conditions or bound.lower is None or bound.upper is None:
        raise NotUnderstood("a sum over layers without both its ends", node.span)
    letter = head_of(bound.variable)
    layers = range(meaning.scope.whole(bound.lower), meaning.scope.whole(bound.upper) + 1)
    if not 0 < len(layers) <= LONGEST_STACK:
        raise NotUnderstood("a sum over no layers, or too many", node.span)
    values = [
        replace(meaning, numbers={**meaning.numbers, letter: layer}).spanned(node.body)
        for layer in layers
    ]
    return reduce(lambda one, other: v.added(one, other, 1, SAMPLE), values)


def _unused(
    meaning: Meaning, letter: str, value: Value, axis: Axis, weight: Value | None, node: Big
) -> Value:
    """A sum whose letter the body does not use."""
    if axis.label == SAMPLE and value.has(SAMPLE):
        return v.summed(value, SAMPLE)
    if weight is not None:
        return v.summed_letter(v.entrywise(weight, value, np.multiply), letter, None)
    return v.mapped(value, lambda a: a * axis.size)


def _sum_without_bounds(meaning: Meaning, body: Node, node: Big) -> Value:
    letters = open_letters(meaning, body)
    if letters:
        inner = meaning
        for letter in letters:
            inner = replace(inner, ranges={**inner.ranges, letter: range_of(meaning, letter, body)})
        value = inner.value(body)
        for letter in letters:
            value = v.summed_letter(value, letter, None)
        return value
    value = meaning.value(body)
    if value.has(SAMPLE):
        return v.summed(value, SAMPLE)
    if value.is_scalar:
        raise NotUnderstood("a sum that does not say over what", node.span)
    return v.total(value)


def bounded(meaning: Meaning, bound: Bound, body: Node) -> Meaning:
    """The surroundings inside a sum: its letter runs over the axis of its uses."""
    letter = head_of(bound.variable)
    axis = axis_of_uses(meaning, letter, body)
    if axis is None:
        axis = (
            _axis_of_end(meaning, bound)
            or _axis_of_partner(meaning, letter, body)
            or _axis_of_bound(meaning, bound, body)
        )
        used = any(h not in meaning.scope.numbers for h in index_letters(body))
        if used and not _stands_in(letter, body) and axis.label != SAMPLE:
            raise IllFormed(
                f"the sum runs over {letter}, which its terms do not have", bound.span, "index"
            )
    return replace(meaning, ranges={**meaning.ranges, letter: axis})


def _axis_of_partner(meaning: Meaning, letter: str, body: Node) -> Axis | None:
    """The axis of the letter that a condition or Kronecker's delta compares this one with."""
    for node in walk(body):
        heads = [s.head for s in _compared(meaning, node) if isinstance(s, Symbol)]
        if letter not in heads or len(heads) != 2:
            continue
        other = heads[1 - heads.index(letter)]
        if other in meaning.ranges:
            return meaning.ranges[other]
        inside = (
            axis_of_uses(meaning, other, big.body)
            for big in walk(body)
            if isinstance(big, Big) and other in {head_of(b.variable) for b in big.bounds}
        )
        if found := next(filter(None, inside), None):
            return found
    return None


def _compared(meaning: Meaning, node: Node) -> tuple[Node, ...]:
    if isinstance(node, Comparison):
        return node.left, node.right
    parts = split(node) if isinstance(node, Scripted) else None
    if parts is not None and looks_kronecker(*parts, meaning.settings):
        return parts[1][0].parts
    return ()


def _axis_of_end(meaning: Meaning, bound: Bound) -> Axis | None:
    """The axis whose length ends a sum."""
    parts = None if bound.upper is None else split(bound.upper)
    if parts is None:
        return None
    head = parts[0].head
    is_count = meaning.settings.letters.get(head) == "N"
    label = SAMPLE if is_count else meaning.settings.sizes.get(head, "")
    size = meaning.world.sizes.get(label)
    return None if size is None else Axis(label, size)


def _axis_of_bound(meaning: Meaning, bound: Bound, body: Node) -> Axis:
    if isinstance(bound.upper, Number):
        if bound.upper.value > LONGEST:
            raise NotUnderstood("a sum too long to write out", bound.span)
        return Axis("", int(bound.upper.value))
    letter = head_of(bound.variable)
    if index_letters(body) and not _stands_in(letter, body):
        raise IllFormed(
            f"the sum runs over {letter}, which its terms do not have", bound.span, "index"
        )
    raise NotUnderstood("what the sum runs over", bound.span)


def _stands_in(letter: str, body: Node) -> bool:
    return letter in heads_below(body)


def _weight(meaning: Meaning, bound: Bound, body: Node) -> Value | None:
    """1 where the bound holds; None where it holds everywhere."""
    letter = head_of(bound.variable)
    axis = meaning.ranges[letter]
    weights: list[Value] = [condition_value(meaning, c) for c in bound.conditions]
    for limit, below in zip(limits_of(meaning, bound, axis, body), (True, False), strict=True):
        if limit is None:
            continue
        here = meaning.letter(letter)
        held = here.array >= limit if below else here.array <= limit
        weights.append(replace(here, array=held.astype(float)))
    if not weights:
        return None
    total = weights[0]
    for weight in weights[1:]:
        total = v.entrywise(total, weight, np.multiply)
    return total


def limits_of(meaning: Meaning, bound: Bound, axis: Axis, body: Node) -> Limits:
    """The numbers between which a sum runs, from 1 on; None at an end of the whole axis.

    A sum from 0 counts the places from 0: it ends one earlier, and no index in it is shifted.
    """
    low = None if bound.lower is None else _limit(meaning, bound.lower, axis, True)
    high = None if bound.upper is None else _limit(meaning, bound.upper, axis, False)
    if low == 0:
        if high != axis.size - 1 or head_of(bound.variable) in _shifted(body):
            raise NotUnderstood("a sum that begins at 0", bound.span)
        return None, None
    if low is not None and low > axis.size:
        raise IllFormed(f"the sum begins at {low} of {axis.size}", bound.span, "index")
    if high is not None and high > axis.size:
        raise IllFormed(f"the sum goes to {high}, there are {axis.size}", bound.span, "index")
    return None if low == 1 else low, high


def _limit(meaning: Meaning, end: Node, axis: Axis, below: bool) -> int | None:
    """The number that ends a sum; None where it is a letter for the length of the axis."""
    parts = split(end)
    is_size = parts is not None and bool(parts[1])  # n_L
    with contextlib.suppress(NotUnderstood, OutOfRange):
        if not is_size:
            return meaning.scope.whole(end)
    if parts is not None and not below:
        _check_size(meaning, end, axis)
        return None
    heads = heads_below(end)
    lengths = {head: _length(meaning, head, axis) for head in heads}
    return replace(meaning.scope, numbers={**lengths, **meaning.scope.numbers}).whole(end)


def _length(meaning: Meaning, head: str, axis: Axis) -> int:
    """The size that a letter in a bound stands for: that of the axis, if no other is known."""
    if meaning.settings.letters.get(head) == "N":
        return meaning.world.sizes.get(SAMPLE, 1)
    return meaning.world.sizes.get(meaning.settings.sizes.get(head, ""), axis.size)


def _shifted(body: Node) -> frozenset[str]:
    """Letters that stand in a sum within an index, as in y_{k+1}."""
    scripts = [s for node in walk(body) if isinstance(node, Scripted) for s in node.scripts]
    sums = [part for script in scripts for part in script.parts if isinstance(part, Sum)]
    return heads_below(*sums)


def _check_size(meaning: Meaning, end: Node, axis: Axis) -> None:
    """A letter as the end of a sum: the count of samples must not end a sum over units."""
    parts = split(end)
    if parts is None:
        return
    counts = [head for head, family in meaning.settings.letters.items() if family == "N"]
    if counts == [parts[0].head] and axis.label != SAMPLE:  # of several, one counts something else
        raise IllFormed(
            f"the sum runs over {v.axis_text(axis)} places, not over the samples",
            end.span,
            "index",
        )
    size = meaning.settings.sizes.get(parts[0].head, "")
    if size in meaning.world.sizes and axis.label and size != axis.label:
        there = v.axis_text(Axis(size, 0))
        raise IllFormed(
            f"{parts[0].head} is {there} elsewhere, the sum runs over {v.axis_text(axis)}",
            end.span,
            "index",
        )
