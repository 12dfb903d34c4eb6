"""Which axis an index letter runs over.

Owns: `range_of`: the axis that the uses of a letter have; all uses must have the same one.
Refuses: letters that no use explains. Would be wrong if a letter ran over another axis than one
of its uses has.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from symbackprop.judging.notes.formula import values as v
from symbackprop.judging.notes.formula.entries import index_order, index_places
from symbackprop.judging.notes.formula.functions import called_entry, function_of
from symbackprop.judging.notes.formula.letters import (
    argument_of,
    free_letters,
    head_of,
    head_or_none,
    index_letters,
    looks_kronecker,
    without_brackets,
)
from symbackprop.judging.notes.formula.meaning import Meaning
from symbackprop.judging.notes.formula.symbols import (
    CLASS_NUMBER,
    IllFormed,
    NotUnderstood,
    OneSample,
    OutOfRange,
    split,
)
from symbackprop.judging.notes.formula.values import Clash
from symbackprop.networks.network import CountsClasses
from symbackprop.reading.latex.syntax import (
    Big,
    Node,
    Product,
    Scripted,
    Symbol,
    children,
    heads_below,
    walk,
)
from symbackprop.witnesses.axes import SAMPLE, Axis


def open_letters(meaning: Meaning, body: Node) -> list[str]:
    """Index letters of a body that have no range yet."""
    found: list[str] = []
    for node in index_letters(body):
        if node not in meaning.ranges and node not in found:
            try:
                range_of(meaning, node, body)
            except NotUnderstood:
                continue
            found.append(node)
    return found


def range_of(meaning: Meaning, letter: str, *nodes: Node) -> Axis:
    """The axis that the uses of a letter have; raises IllFormed where they differ."""
    for node in nodes:
        axis = axis_of_uses(meaning, letter, node)
        if axis is not None:
            return axis
    raise NotUnderstood(f"what {letter} counts")


def axis_of_uses(meaning: Meaning, letter: str, *nodes: Node) -> Axis | None:
    found: list[Axis] = []
    for node in nodes:
        for axis in _uses(meaning, letter, node):
            if axis not in found:
                found.append(axis)
    if not found:
        return None
    if len({a.label for a in found}) > 1:
        raise IllFormed(
            f"{letter} counts {v.axis_text(found[0])} and {v.axis_text(found[1])}",
            nodes[0].span,
            "index",
        )
    return found[0]


def _uses(meaning: Meaning, letter: str, node: Node) -> list[Axis]:
    if isinstance(node, Big) and letter in {head_of(b.variable) for b in node.bounds}:
        return []
    found: list[Axis] = []
    if isinstance(node, (Scripted, Symbol)):
        found.extend(_uses_in_symbol(meaning, letter, without_brackets(node)))
    if isinstance(node, Product) and node.sign == "":
        found.extend(_uses_behind_function(meaning, letter, node))
    for child in children(node):
        found.extend(_uses(meaning, letter, child))
    return found


def _uses_in_symbol(meaning: Meaning, letter: str, node: Scripted | Symbol) -> list[Axis]:
    parts = split(node)
    if parts is None or not parts[1] or looks_kronecker(*parts, meaning.settings):
        return []
    try:
        reference = meaning.scope.resolve(node)
    except (OneSample, OutOfRange):
        raise
    except (NotUnderstood, IllFormed):
        return []
    if reference.kind == "loss_n":
        places = [reference.sample, *reference.indices]
        if any(head_or_none(p) == letter for p in places if p is not None):
            return [Axis(SAMPLE, meaning.world.sizes.get(SAMPLE, 1))]
        return []
    if reference.kind not in ("tensor", "adjoint"):
        return []
    axes = meaning.world.axes(reference.name)
    kept = [p for p, a in enumerate(axes) if a.label not in meaning.world.flat]
    try:
        places = list(
            index_places(meaning, reference, axes, index_order(meaning, reference.name, axes), kept)
        )
    except OneSample:
        raise
    except (NotUnderstood, IllFormed):
        return []
    return [a for a, p in zip(axes, places, strict=True) if head_or_none(p) == letter]


def _uses_behind_function(meaning: Meaning, letter: str, node: Product) -> list[Axis]:
    r"""The k of \sigma(z)_k: over the axis of the argument."""
    found = []
    for one, other in zip(node.factors, node.factors[1:], strict=False):
        if (entry := called_entry(meaning, one, other)) is not None:
            found.extend(_uses_in_symbol(meaning, letter, entry))
        function = function_of(meaning, one)
        group, scripts = argument_of(other)
        if function is None or group is None:
            continue
        for script in scripts:
            if script.place == "below" and any(head_or_none(p) == letter for p in script.parts):
                try:
                    axes = [a for a in meaning.value(group).axes if a.label != SAMPLE]
                except (NotUnderstood, IllFormed, Clash):
                    continue
                found.extend(axes[:1])
    return found


def ends_of_sums(meaning: Meaning, node: Node) -> Iterator[tuple[str, str]]:
    """The letters that end sums below a node, with the label of the axis summed over."""
    for big in walk(node):
        if not isinstance(big, Big):
            continue
        for bound in big.bounds:
            parts = None if bound.upper is None else split(bound.upper)
            if bound.upper is None or (parts is not None and parts[1]):
                continue  # n_L is the length of another axis at another layer
            ends = heads_below(bound.upper)
            letter = head_or_none(bound.variable)
            if len(ends) != 1 or letter is None:
                continue
            try:
                axis = axis_of_uses(meaning, letter, big.body)
            except (NotUnderstood, IllFormed):
                continue
            if axis is not None and axis.label:
                yield from ((end, axis.label) for end in ends)


def with_ranges(sides: Sequence[Node], meaning: Meaning) -> Meaning:
    """The meaning with an axis for each index letter that is free in the formula."""
    ranges = dict(meaning.ranges)
    letters: list[str] = []
    for side in sides:
        letters.extend(h for h in free_letters(side) if h not in letters)
    for letter in letters:
        if letter in ranges or letter in meaning.scope.numbers:
            continue
        if letter in meaning.settings.sizes:
            continue  # the last place
        is_label = meaning.settings.letters.get(letter) == "y"
        if is_label and _stands_below(letter, sides) and not _counts_classes(meaning):
            raise NotUnderstood(CLASS_NUMBER)
        axis = None
        for side in sides:
            axis = axis or axis_of_uses(meaning, letter, side)
        if axis is not None:
            ranges[letter] = axis
            _check_same(letter, sides, meaning)
    return replace(meaning, ranges=ranges)


def _stands_below(letter: str, sides: Sequence[Node]) -> bool:
    nodes = (node for side in sides for node in walk(side))
    scripts = (script for node in nodes if isinstance(node, Scripted) for script in node.scripts)
    below = (part for script in scripts if script.place == "below" for part in script.parts)
    return any(head_or_none(part) == letter for part in below)


def _counts_classes(meaning: Meaning) -> bool:
    labels = meaning.world.network.of_kind("label")
    return any(isinstance(fact, CountsClasses) for label in labels for fact in label.facts)


def _check_same(letter: str, sides: Sequence[Node], meaning: Meaning) -> None:
    found: list[Axis] = []
    for side in sides:
        axis = axis_of_uses(meaning, letter, side)
        if axis is not None:
            found.append(axis)
    if len({a.label for a in found}) > 1:
        raise IllFormed(
            f"{letter} counts {v.axis_text(found[0])} on one side and {v.axis_text(found[-1])} "
            "on the other",
            sides[-1].span,
            "index",
        )
