r"""Worked examples: the numbers that a note gives to the network, and what it computes from them.

Owns: `Examples`, the numbers given so far and the network at them; `judge_example`, a statement
with numbers in it; `as_claimed`, the network as a false number has it. Refuses: statements without
numbers, for they must hold for all. Would be wrong if a number were called false that rounding
explains, or if a formula passed for true because it happens to hold at the numbers of an example:
a link without numbers is judged as anywhere.

What a note does not give is not a number (NaN) here, and so is whatever depends on it: then nothing
is decided. A printed decimal stands for every number that is rounded to it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Final

import numpy as np

from symbackprop.evaluate import Point, forward, random_point
from symbackprop.network import SumsToOne
from symbackprop.reader.syntax import (
    Group,
    Matrix,
    Node,
    Number,
    Product,
    Span,
    Statement,
    Sum,
    Symbol,
    walk,
)
from symbackprop.verify import values as v
from symbackprop.verify.carried import FalseLine, overrides
from symbackprop.verify.compare import Verdict, compare, fitting
from symbackprop.verify.entries import entries_of
from symbackprop.verify.judge import EQUALITIES, judge_in
from symbackprop.verify.layers import layer_letters
from symbackprop.verify.meaning import Meaning
from symbackprop.verify.ranges import with_ranges
from symbackprop.verify.repair import Explanation, applied
from symbackprop.verify.settings import Settings
from symbackprop.verify.symbols import IllFormed, NotUnderstood, Scope, split
from symbackprop.verify.values import SAMPLE, Array, Clash, Value
from symbackprop.verify.world import World

GIVEN: Final = ("input", "label", "parameter")
UNREADABLE = (NotUnderstood, IllFormed, Clash)
NEAR = 10.0  # times the rounding of what is printed: rounding on the way may explain it
EXACT = 1e-9
MOST_MOVED = 500  # numbers of one side whose rounding is followed through it
LONG = 4  # digits after the point from which a decimal is surely rounded; 0.5 may be exact
MISFIT = "the numbers do not have the shape that the network has there"
NOT_GIVEN = "the numbers that this needs are not given before"
ROUNDING = "the last digits differ, by no more than rounding on the way may explain"


# --------------------------------------------------------------------------------------------
# Numbers in a statement
# --------------------------------------------------------------------------------------------


def is_plain(node: Node) -> bool:
    """Whether a side is made of numbers alone."""
    return not any(isinstance(part, Symbol) for part in walk(node)) and any(
        isinstance(part, Number) for part in walk(node)
    )


def decimals(node: Node) -> tuple[Number, ...]:
    """The numbers of a side that are printed with a point."""
    return tuple(n for n in walk(node) if isinstance(n, Number) and "." in n.text)


def has_numbers(statement: Statement) -> bool:
    """Whether some side is a number or an array of numbers, or a decimal stands in one."""
    return any(is_plain(side) or decimals(side) for side in statement.sides)


def is_numeric(statement: Statement) -> bool:
    """Whether a side is made of numbers, with a decimal among them: such a statement can be true
    in an example only, and says nothing of the letters of a note."""
    return any(is_plain(side) and decimals(side) for side in statement.sides)


def _digits(number: Number) -> int:
    """How many digits are printed after the point."""
    return len(number.text.partition(".")[2])


def _unit(number: Number) -> Fraction:
    """One in the last printed place: 0.01 for 3.14."""
    return Fraction(1, 10 ** _digits(number))


def _is_alone(node: Node) -> bool:
    """One printed number, perhaps with a sign, or an array of such numbers."""
    match node:
        case Number():
            return True
        case Sum(terms=(one,)):
            return isinstance(one, Number)
        case Matrix(rows=rows):
            return all(_is_alone(entry) for row in rows for entry in row)
        case Group(items=items):
            return all(_is_alone(item) for item in items)
        case Product(factors=(one,)):
            return _is_alone(one)
    return False


# --------------------------------------------------------------------------------------------
# What is given
# --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Given:
    """A statement that gives numbers to an input, a label or a parameter, or to entries of it."""

    name: str
    node: Node
    numbers: Node

    entries: tuple[str, ...] = ()

    @property
    def key(self) -> tuple[str, ...]:
        """The same for two statements about the same entries."""
        return (self.name, *self.entries)


def given(statement: Statement, settings: Settings, world: World) -> tuple[Given, ...]:
    """What W^1 = [0.5, -0.8] gives, or b_1 = b_2 = 0.6; empty where it gives nothing."""
    *names, numbers = statement.sides
    if statement.continues or not names or not is_plain(numbers):
        return ()
    if any(relation not in EQUALITIES for relation in statement.relations):
        return ()
    scope = Meaning(world, settings).scope
    found = [_given(node, numbers, scope) for node in names]
    return tuple(each for each in found if each is not None) if None not in found else ()


def _given(node: Node, numbers: Node, scope: Scope) -> Given | None:
    if split(node) is None:
        return None
    try:
        reference = scope.resolve(node)
    except (NotUnderstood, IllFormed):
        return None
    if reference.kind != "tensor" or reference.power is not None or reference.primes:
        return None
    if scope.network.by_name[reference.name].kind not in GIVEN:
        return None
    places = [p for p in (*reference.indices, reference.sample) if p is not None]
    entries = tuple(p.text if isinstance(p, Number) else repr(p) for p in places)
    return Given(reference.name, node, numbers, entries)


@dataclass
class Examples:
    """What a note has given in numbers up to some line, newer numbers in place of older ones.

    `templates` are the network at the user's sizes, for one sample and for a batch.
    """

    templates: Mapping[str, World]
    stated: dict[tuple[str, ...], Given] = field(default_factory=dict)
    worlds: dict[str, World] = field(default_factory=dict)

    def take(self, statement: Statement, settings: Settings) -> Verdict | None:
        """A definition where the statement gives numbers, undecided where they do not fit."""
        new = given(statement, settings, next(iter(self.templates.values())))
        if not new:
            return None
        names = {each.name for each in new if not each.entries}
        before = {key: g for key, g in self.stated.items() if g.name not in names}
        stated = {**before, **{each.key: each for each in new}}
        if any(template.too_large for template in self.templates.values()):
            return Verdict("definition", name=new[0].name)
        found = {
            mode: _example(tuple(stated.values()), replace(settings, mode=mode), template)
            for mode, template in sorted(self.templates.items())
        }
        if all(set(new) & set(misfits) for _, misfits in found.values()):
            return Verdict("unknown", reason=MISFIT)
        self.stated = stated
        self.worlds = {mode: world for mode, (world, _) in found.items()}
        return Verdict("definition", name=new[0].name)

    def judge(
        self, statement: Statement, settings: Settings, worlds: Mapping[str, World]
    ) -> tuple[Verdict, str] | None:
        """The verdict on a statement with numbers, and whether it is about one sample or a batch;
        `worlds` are the generic points. False of the one kind counts for nothing where all
        numbers are known for the other kind only."""
        found: dict[str, Verdict] = {}
        for mode in sorted(worlds, key=lambda mode: (mode != settings.mode, mode)):
            verdict = judge_example(
                statement, replace(settings, mode=mode), worlds[mode], self.worlds.get(mode)
            )
            if verdict is not None and verdict.outcome == "true":
                return verdict, mode
            if verdict is not None:
                found[mode] = verdict
        if not found:
            return None
        whole = [mode for mode in found if mode in self.worlds and _is_whole(self.worlds[mode])]
        mode = (whole or list(found))[0]
        return found[mode], mode


def _is_whole(world: World) -> bool:
    """Whether every number is given."""
    names = [t.name for t in world.network.of_kind(*GIVEN)]
    return all(bool(np.all(np.isfinite(world.values[name]))) for name in names)


def _example(
    stated: Sequence[Given], settings: Settings, template: World
) -> tuple[World, tuple[Given, ...]]:
    """The network with those numbers, for as many samples as they are for, and what does not fit.
    `template` is the network at the user's sizes."""
    found = [
        _filled(stated, settings, _blank(template, count))
        for count in _counts(stated, settings, template)
    ]
    return min(found, key=lambda pair: len(pair[1]))


def _counts(stated: Sequence[Given], settings: Settings, template: World) -> list[int]:
    """How many samples there may be: a side of an array that is given for each sample."""
    if SAMPLE not in template.sizes:
        return [1]
    meaning = Meaning(template, settings)
    found: list[int] = []
    for each in stated:
        if template.network.by_name[each.name].kind == "parameter":
            continue
        with suppress(*UNREADABLE):
            axes = meaning.value(each.numbers).axes
            found += [a.size for a in axes if a.size not in found]
    return found or [template.sizes[SAMPLE]]


def _blank(template: World, samples: int) -> World:
    """The network with nothing given."""
    network = template.network
    sizes = dict(template.points[0].sizes)
    for tensor in network.of_kind("input"):
        sizes |= {a.extent: samples for a in tensor.axes if a.name == SAMPLE and a.extent in sizes}
    point = random_point(network, 0, sizes)
    blank = {t.name: np.full(np.shape(point.values[t.name]), np.nan) for t in network.tensors}
    return _world(point.with_values(blank), template)


def _world(point: Point, like: World) -> World:
    values = {n: np.asarray(a, dtype=float)[None] for n, a in point.values.items()}
    return World(like.network, values, (point,), like.flat)


def _filled(
    stated: Sequence[Given], settings: Settings, blank: World
) -> tuple[World, tuple[Given, ...]]:
    point = blank.points[0]
    misfits = []
    for each in stated:
        filled = _with_numbers(point.values[each.name], each, settings, blank)
        if filled is None:
            misfits.append(each)
        else:
            point = point.with_values({each.name: filled})
    for tensor in blank.network.of_kind("label"):
        label = np.asarray(point.values[tensor.name])
        sums = label.sum(axis=-1) if label.ndim else label
        if any(isinstance(f, SumsToOne) for f in tensor.facts) and np.any(abs(sums - 1) > EXACT):
            point = point.with_values({tensor.name: np.full(label.shape, np.nan)})
    with np.errstate(all="ignore"):
        return _world(forward(point), blank), tuple(misfits)


def _with_numbers(target: Array, each: Given, settings: Settings, world: World) -> Array | None:
    """The array with the numbers where the statement says; None where they do not fit."""
    target = np.array(target, dtype=float)
    places = np.arange(target.size, dtype=float).reshape(1, *target.shape)
    meaning = Meaning(world, settings)
    try:
        reference = meaning.scope.resolve(each.node)
        where = entries_of(meaning, each.name, places, reference)
        where = v.transposed(where) if reference.transposed else where
        numbers = meaning.value(each.numbers)
    except UNREADABLE:
        return None
    if where.free or _sizes(where) not in (_sizes(numbers), _turned(numbers)):
        return None
    chosen = where.array[0].astype(int).reshape(-1)
    target.reshape(-1)[chosen] = np.real(numbers.array[0]).reshape(-1)
    return target


def _sizes(value: Value) -> tuple[tuple[int, ...], tuple[int, ...]]:
    return tuple(a.size for a in value.rows), tuple(a.size for a in value.cols)


def _turned(value: Value) -> tuple[tuple[int, ...], tuple[int, ...]] | None:
    """The sizes with rows for columns, for a vector may be printed as a row or as a column."""
    rows, cols = _sizes(value)
    return (cols, rows) if len(value.axes) == 1 else None


def as_claimed(false: FalseLine, example: World) -> World | None:
    """The example as a false line has it: the tensor or the derivative on its left has the
    numbers on its right. None where the line gives no such numbers."""
    found = overrides(false, example)
    if found is not None:
        return example.overridden(found)
    numbers = false.statement.sides[false.link + 1]
    for node in false.statement.sides[: false.link + 1]:
        with suppress(*UNREADABLE):
            if split(node) is None or not is_plain(numbers):
                continue
            name = Meaning(example, false.settings).scope.resolve(node).name
            claim = Given(name, node, numbers)
            if name not in example.values:
                continue
            point = example.points[0]
            filled = _with_numbers(point.values[name], claim, false.settings, example)
            if filled is not None:
                return _world(forward(point.with_values({name: filled}), held=(name,)), example)
    return None


# --------------------------------------------------------------------------------------------
# Judging
# --------------------------------------------------------------------------------------------


def judge_example(
    statement: Statement, settings: Settings, world: World, example: World | None
) -> Verdict | None:
    """The verdict on a statement with numbers in it: links with numbers at those of the example,
    the others in the `world` of generic points. None where nothing is known of it."""
    if layer_letters(statement, Meaning(world, settings).scope):
        return None
    for number, relation in enumerate(statement.relations):
        if relation not in EQUALITIES:
            return None
        pair = replace(
            statement,
            sides=statement.sides[number : number + 2],
            relations=(relation,),
        )
        if has_numbers(pair):
            found = _judge_link(pair, settings, example or _first_point(world))
            if example is None and not _is_constant(pair, settings, world):
                found = Verdict("unknown", reason=NOT_GIVEN) if is_numeric(pair) else None
        else:
            found = judge_in(pair, settings, world)
        if found is None:
            return None
        if found.outcome != "true":
            return replace(found, link=number)
    return Verdict("true", "numeric", note="at the numbers of the example" if example else "")


def _first_point(world: World) -> World:
    values = {name: array[:1] for name, array in world.values.items()}
    return World(world.network, values, world.points[:1], world.flat)


def _is_constant(pair: Statement, settings: Settings, world: World) -> bool:
    """Whether both sides are the same at every point, so that they need no numbers."""
    try:
        meaning = with_ranges(pair.sides, Meaning(world, settings))
        with np.errstate(all="ignore"):
            arrays = [meaning.spanned(side).array for side in pair.sides]
    except UNREADABLE:
        return False
    return all(bool(np.all(array == array[:1])) for array in arrays)


def _judge_link(pair: Statement, settings: Settings, world: World) -> Verdict | None:
    plain = all(is_plain(side) for side in pair.sides)
    try:
        meaning = with_ranges(pair.sides, Meaning(world, settings))
        with np.errstate(all="ignore"):
            left, right = (meaning.spanned(side) for side in pair.sides)
            slack = _slack(pair, meaning, left, right)
    except UNREADABLE:
        return None
    if slack is None:
        return Verdict("unknown", reason="too many numbers to say how far rounding goes")
    fitted = fitting(left, right, settings)
    if isinstance(fitted, Verdict) and len(left.axes) == len(right.axes) == 1:
        right, slack = v.transposed(right), replace(slack, right=v.transposed(slack.right))
        fitted = fitting(left, right, settings)
    if isinstance(fitted, Verdict):
        return fitted if plain else None
    found = compare(left, right, settings)
    if found.outcome == "true":
        return found
    if not (np.all(np.isfinite(left.array)) and np.all(np.isfinite(right.array))):
        return Verdict("unknown", reason=NOT_GIVEN) if is_numeric(pair) else None
    gap = v.entrywise(left, right, lambda a, b: np.abs(a - b))
    if _within(gap, v.entrywise(slack.left, slack.right, lambda a, b: a.real + b.real), 1.0):
        return Verdict("true", "numeric")
    total = v.entrywise(slack.left, slack.right, lambda a, b: a.real + b.real + a.imag + b.imag)
    if _within(gap, total, 1.0 if plain else NEAR):
        return Verdict("unknown", reason=ROUNDING)
    span = pair.sides[1].span
    return Verdict("false", "numeric", found.reason, span=span, difference=found.difference)


def _within(gap: Value, allowed: Value, times: float) -> bool:
    _, (a, b) = v.aligned((gap, allowed))
    return bool(np.all(a <= b * times * (1 + EXACT) + EXACT))


@dataclass(frozen=True)
class _Slack:
    """How much each side may be off because its numbers are rounded, entry by entry: the real part
    for those that surely are, the imaginary part for those that may be."""

    left: Value
    right: Value


def _slack(pair: Statement, meaning: Meaning, left: Value, right: Value) -> _Slack | None:
    """None where there are too many numbers to move each of them."""
    fewest = max((_digits(n) for n in decimals(pair.sides[1])), default=0) - 1
    about = pair.relations[0] == r"\approx"
    found = []
    for side, value in zip(pair.sides, (left, right), strict=True):
        if _is_alone(side):
            total = _own_rounding(side, value, about)
        else:
            numbers = [n for n in _rounded(side) if _digits(n) >= min(fewest, LONG)]
            if len(numbers) > MOST_MOVED:
                return None
            total = _through(side, numbers, meaning, value)
        found.append(replace(value, array=total, literal=False))
    return _Slack(*found)


def _through(side: Node, numbers: Sequence[Number], meaning: Meaning, value: Value) -> Array:
    """What half a unit in the last place of each number does to the side, added up. The numbers
    are moved one after the other, each at a point of its own."""
    steps = {n.span: np.full(len(numbers), float(n.value)) for n in numbers}
    for place, number in enumerate(numbers):
        steps[number.span][place] += float(_unit(number) / 2)
    with np.errstate(all="ignore"):
        moved = replace(meaning, moved=steps).spanned(side)
    change = np.abs(moved.array - value.array)
    sure = np.array([1.0 if _digits(n) >= LONG else 1j for n in numbers])
    weights = sure.reshape(-1, *[1] * (change.ndim - 1))
    return np.asarray((change * weights).sum(axis=0, keepdims=True))


def _own_rounding(side: Node, value: Value, about: bool) -> Array:
    """Half a unit in the last place of each printed number; of a whole number only where it
    stands after a wavy equals sign."""
    printed = [cell.number for cell in _printed(side)]
    whole = about and len(printed) == 1
    steps = [float(_unit(n) / 2) if whole or "." in n.text else 0.0 for n in printed]
    return np.array(steps, dtype=complex).reshape(np.shape(value.array))


def _rounded(side: Node) -> Iterator[Number]:
    """The decimals of a side, each place of the text once."""
    seen: set[Span] = set()
    for number in decimals(side):
        if number.span not in seen:
            seen.add(number.span)
            yield number


# --------------------------------------------------------------------------------------------
# What it should be
# --------------------------------------------------------------------------------------------


def computed(
    latex: str, statement: Statement, verdict: Verdict, settings: Settings, example: World
) -> Explanation | None:
    """The numbers that belong where the false link ends in a number or an array of numbers, with
    as many digits as are printed. `latex` is the passage."""
    pair = replace(
        statement,
        sides=statement.sides[verdict.link : verdict.link + 2],
        relations=(statement.relations[verdict.link],),
    )
    printed = _printed(pair.sides[1])
    try:
        meaning = with_ranges(pair.sides, Meaning(example, settings))
        with np.errstate(all="ignore"):
            left, right = (meaning.spanned(side) for side in pair.sides)
    except UNREADABLE:
        return None
    if not printed or left.free or _sizes(left) not in (_sizes(right), _turned(right)):
        return None
    truth = np.real(left.array[0]).reshape(-1)
    pieces = []
    for cell, value in zip(printed, truth, strict=True):
        new = f"{value:.{_digits(cell.number)}f}"
        if abs(value - cell.value) > float(_unit(cell.number)) * 0.5 + EXACT:
            pieces.append((cell.span.start, cell.span.end, new))
    if not pieces:
        return None
    start, end, new = pieces[0]
    said = f"{latex[start:end].strip()} should be {new}"
    if len(pieces) > 1:
        said += f", and {len(pieces) - 1} more"
    whole = statement.span
    moved = [(s - whole.start, e - whole.start, text) for s, e, text in pieces]
    suggestion = applied(latex[whole.start : whole.end], moved).strip()
    return Explanation("arithmetic", said, suggestion, Span(start, end), "", True, tuple(pieces))


@dataclass(frozen=True)
class _Printed:
    """A number as it is printed, with its sign."""

    number: Number
    span: Span
    value: float


def _printed(node: Node) -> list[_Printed]:
    """The printed numbers of a side that is one of them, or an array of them, in reading order."""
    match node:
        case Number(value=value, span=span):
            return [_Printed(node, span, float(value))]
        case Sum(signs=(sign,), terms=(Number() as number,), span=span):
            return [_Printed(number, span, sign * float(number.value))]
        case Matrix(rows=rows) if _is_alone(node):
            return [cell for row in rows for entry in row for cell in _printed(entry)]
        case Group(items=items) if _is_alone(node):
            return [cell for item in items for cell in _printed(item)]
    return []
