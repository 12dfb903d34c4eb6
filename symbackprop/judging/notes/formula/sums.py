"""Sums of terms, and big sums over index letters.

Owns: the axis, the bounds and the weights of a big sum. Refuses: products over an index, and sums
that run over what their terms do not have. Would be wrong if a bound that leaves out entries were
taken for the whole axis.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from symbackprop.judging.notes.formula import values as v
from symbackprop.judging.notes.formula.letters import head_of, index_letters
from symbackprop.judging.notes.formula.literals import condition_value
from symbackprop.judging.notes.formula.meaning import Meaning
from symbackprop.judging.notes.formula.ranges import axis_of_uses, open_letters, range_of
from symbackprop.judging.notes.formula.symbols import IllFormed, NotUnderstood, OutOfRange, split
from symbackprop.judging.notes.formula.values import Value
from symbackprop.reading.latex.syntax import Big, Bound, Comparison, Node, Number, Symbol, walk
from symbackprop.witnesses.axes import SAMPLE, Axis

LONGEST = 10_000  # terms of a sum that counts for itself


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
        raise NotUnderstood("a product over an index", node.span)
    if not node.bounds:
        return _sum_without_bounds(meaning, node.body, node)
    inner = meaning
    for bound in node.bounds:
        inner = bounded(inner, bound, node.body)
    weights = [_weight(inner, bound) for bound in node.bounds]
    value = inner.spanned(node.body)
    for bound, weight in zip(node.bounds, weights, strict=True):
        letter = head_of(bound.variable)
        if letter not in value.free:
            value = _unused(meaning, letter, value, inner.ranges[letter], weight, node)
            continue
        value = v.summed_letter(value, letter, weight)
    return replace(value, literal=False)


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
    axis = axis_of_uses(meaning, letter, body) or _axis_of_partner(meaning, letter, body)
    if axis is None:
        axis = _axis_of_bound(meaning, bound, body)
        used = [h for h in index_letters(body) if h not in meaning.scope.numbers]
        if used and axis.label != SAMPLE:
            raise IllFormed(
                f"the sum runs over {letter}, which its terms do not have", bound.span, "index"
            )
    return replace(meaning, ranges={**meaning.ranges, letter: axis})


def _axis_of_partner(meaning: Meaning, letter: str, body: Node) -> Axis | None:
    """The axis of the letter that a condition compares this one with."""
    for node in walk(body):
        if not isinstance(node, Comparison):
            continue
        heads = [s.head if isinstance(s, Symbol) else "" for s in (node.left, node.right)]
        if letter in heads:
            other = heads[1 - heads.index(letter)]
            if other in meaning.ranges:
                return meaning.ranges[other]
    return None


def _axis_of_bound(meaning: Meaning, bound: Bound, body: Node) -> Axis:
    if bound.upper is not None:
        parts = split(bound.upper)
        family = meaning.settings.letters.get(parts[0].head) if parts else None
        if family == "N" and SAMPLE in meaning.world.sizes:
            return Axis(SAMPLE, meaning.world.sizes[SAMPLE])
        label = meaning.settings.sizes.get(parts[0].head, "") if parts else ""
        if label in meaning.world.sizes:
            return Axis(label, meaning.world.sizes[label])
        if isinstance(bound.upper, Number):
            if bound.upper.value > LONGEST:
                raise NotUnderstood("a sum too long to write out", bound.span)
            return Axis("", int(bound.upper.value))
    if index_letters(body):
        letter = head_of(bound.variable)
        raise IllFormed(
            f"the sum runs over {letter}, which its terms do not have", bound.span, "index"
        )
    raise NotUnderstood("what the sum runs over", bound.span)


def _weight(meaning: Meaning, bound: Bound) -> Value | None:
    """1 where the bound holds; None where it holds everywhere."""
    letter = head_of(bound.variable)
    axis = meaning.ranges[letter]
    weights: list[Value] = [condition_value(meaning, c) for c in bound.conditions]
    for end, below in ((bound.lower, True), (bound.upper, False)):
        limit = None if end is None else limit_of(meaning, end, axis, below)
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


def limit_of(meaning: Meaning, end: Node, axis: Axis, below: bool) -> int | None:
    """The number that ends a sum; None where it is the whole axis."""
    try:
        number = meaning.scope.whole(end)
    except (NotUnderstood, OutOfRange):
        _check_size(meaning, end, axis, below)
        return None
    if below:
        if number not in (0, 1) and number > axis.size:
            raise IllFormed(f"the sum begins at {number} of {axis.size}", end.span, "index")
        return number if number > 1 else None
    if number > axis.size:
        raise IllFormed(f"the sum goes to {number}, there are {axis.size}", end.span, "index")
    return number


def _check_size(meaning: Meaning, end: Node, axis: Axis, below: bool) -> None:
    """A letter as the end of a sum: the count of samples must not end a sum over units."""
    parts = split(end)
    if parts is None or below:
        return
    family = meaning.settings.letters.get(parts[0].head, "")
    if family == "N" and axis.label != SAMPLE:
        raise IllFormed(
            f"the sum runs over {v.axis_text(axis)} places, not over the samples",
            end.span,
            "index",
        )
    size = meaning.settings.sizes.get(parts[0].head, "")
    if size and axis.label and size != axis.label:
        there = v.axis_text(Axis(size, 0))
        raise IllFormed(
            f"{parts[0].head} is {there} elsewhere, the sum runs over {v.axis_text(axis)}",
            end.span,
            "index",
        )
