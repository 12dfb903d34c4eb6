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

import itertools
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Final

import numpy as np

from symbackprop.derivation.evaluate import Point, forward, random_point
from symbackprop.judging.notes.carried import FalseLine, overrides
from symbackprop.judging.notes.formula import values as v
from symbackprop.judging.notes.formula.compare import Verdict, compare, fitting
from symbackprop.judging.notes.formula.entries import entries_of
from symbackprop.judging.notes.formula.judge import EQUALITIES, SWALLOWED, is_extreme, judge_in
from symbackprop.judging.notes.formula.layers import layer_letters
from symbackprop.judging.notes.formula.meaning import Meaning
from symbackprop.judging.notes.formula.ranges import with_ranges
from symbackprop.judging.notes.formula.settings import Settings
from symbackprop.judging.notes.formula.symbols import (
    IllFormed,
    NotUnderstood,
    Scope,
    function_called,
    is_function,
    split,
)
from symbackprop.judging.notes.formula.valuation import Valuation
from symbackprop.judging.notes.formula.values import Clash, Value
from symbackprop.judging.notes.repair import Explanation, applied
from symbackprop.networks.network import SumsToOne
from symbackprop.reading.latex.syntax import (
    Group,
    Matrix,
    Node,
    Number,
    Product,
    Scripted,
    Span,
    Statement,
    Sum,
    Symbol,
    heads_below,
    walk,
)
from symbackprop.witnesses.axes import SAMPLE, Array
from symbackprop.witnesses.truth import World

GIVEN: Final = ("input", "label", "parameter")
UNREADABLE = (NotUnderstood, IllFormed, Clash)
STEPS = frozenset({":=", r"\leftarrow", r"\gets", "-=", "+="})
NEAR = 10.0  # times the rounding of what is printed: rounding on the way may explain it
EXACT = 1e-9
MOST_TENS = 300
MOST_MOVED = 500  # numbers of one side whose rounding is followed through it
LONG = 4  # digits after the point from which a decimal is surely rounded; 0.5 may be exact
MISFIT = "the numbers do not have the shape that the network has there"
STEPPED = "a parameter may have its new value here, and its old one was computed with"
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


def is_worked(sides: Sequence[Node], settings: Settings) -> bool:
    r"""\hat y = \sigma(0): one side is computed from numbers alone, the other is a quantity of the
    network. A whole number is no such side: \sum_k \hat y_k = 1 holds for all."""
    plain = [side for side in sides if not _quantities(side, settings)]
    return len(plain) == 1 and not isinstance(plain[0], Number)


def _quantities(side: Node, settings: Settings) -> frozenset[str]:
    heads = heads_below(side) - {"e"}
    families = {head: settings.letters.get(head, "") for head in heads}
    functions = {h for h, f in families.items() if f == "f" or is_function(f) or function_called(h)}
    return heads - functions


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


def gives_numbers(statement: Statement) -> bool:
    """x_1 = 0.05, b_1 = b_2 = 0.6, w = 0.4 - 0.2 = 0.2: a name, or several, and numbers."""
    names, numbers = _names_and_numbers(statement)
    equal = all(relation in EQUALITIES for relation in statement.relations)
    return equal and bool(names) and bool(numbers) and all(map(is_plain, numbers))


def _names_and_numbers(statement: Statement) -> tuple[list[Node], list[Node]]:
    """The names that a statement begins with, and the sides behind them."""
    names = list(itertools.takewhile(lambda side: split(side) is not None, statement.sides))
    return names, list(statement.sides[len(names) :])


def _text(node: Node) -> tuple[str, ...]:
    return tuple(n.text for n in walk(node) if isinstance(n, Number))


def without_numbers(statement: Statement) -> Statement | None:
    """What a statement says before its numbers; None where that is nothing."""
    if not is_numeric(statement):
        return statement
    sides = list(itertools.takewhile(lambda side: not decimals(side), statement.sides))
    if len(sides) < 2:
        return None
    return replace(statement, sides=tuple(sides), relations=statement.relations[: len(sides) - 1])


def _digits(number: Number) -> int:
    """How many digits are printed after the point."""
    return len(number.text.partition(".")[2])


def _unit(number: Number) -> Fraction:
    """One in the last printed place: 0.01 for 3.14."""
    return Fraction(1, 10 ** _digits(number))


def _is_long(number: Number) -> bool:
    """Whether it is surely rounded: 0.0012, 6.338; 0.5 may be exact."""
    return _digits(number) >= LONG or len(number.text.replace(".", "").lstrip("0")) >= LONG


@dataclass(frozen=True)
class Printed:
    """A number as it is printed: its sign, its digits, its power of ten."""

    number: Number
    span: Span
    sign: int = 1
    power: int = 0

    @property
    def value(self) -> float:
        return float(self.sign * self.number.value * Fraction(10) ** self.power)

    @property
    def unit(self) -> float:
        """One in the last printed place."""
        return float(_unit(self.number) * Fraction(10) ** self.power)

    def text(self, value: float) -> str:
        """Another number with as many digits after the point; none beside a power of ten."""
        return "" if self.power else f"{value:.{_digits(self.number)}f}"


def printed(node: Node) -> list[Printed]:
    """The numbers of a side that is a number or an array of numbers, in reading order; empty for
    a side that has anything else in it."""
    match node:
        case Number(span=span):
            return [Printed(node, span)]
        case Sum(signs=(sign,), terms=(term,), span=span):
            found = printed(term)
            return [replace(found[0], sign=sign, span=span)] if len(found) == 1 else []
        case Product(factors=(Number() as number, Scripted() as ten), span=span):
            power = _power_of_ten(ten)
            return [] if power is None else [Printed(number, span, power=power)]
        case Matrix(rows=rows):
            return _together([printed(entry) for row in rows for entry in row])
        case Group(items=items):
            return _together([printed(item) for item in items])
    return []


def _together(cells: Sequence[list[Printed]]) -> list[Printed]:
    return [cell for (cell,) in cells] if all(len(cell) == 1 for cell in cells) else []


def _power_of_ten(node: Scripted) -> int | None:
    """10^{-5}."""
    if not isinstance(node.base, Number) or node.base.value != 10 or len(node.scripts) != 1:
        return None
    (script,) = node.scripts
    found = printed(script.parts[0]) if script.place == "above" and len(script.parts) == 1 else []
    if len(found) != 1 or found[0].unit != 1 or abs(found[0].value) > MOST_TENS:
        return None
    return int(found[0].value)


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
    if statement.continues or not gives_numbers(statement):
        return ()
    names, numbers = _names_and_numbers(statement)
    scope = Valuation(world, settings).scope
    found = [_given(node, numbers[-1], scope) for node in names]
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
    stepped: bool = False

    def take(self, statement: Statement, settings: Settings) -> Verdict | None:
        """A definition where the statement gives numbers, undecided where they do not fit."""
        new = given(statement, settings, next(iter(self.templates.values())))
        if not new:
            return None
        wrong = self._wrong_numbers(statement, settings)
        if wrong is not None:
            return wrong
        self.stepped = False
        names = {each.name for each in new if not each.entries}
        before = {key: g for key, g in self.stated.items() if g.name not in names}
        stated = {**before, **{each.key: each for each in new}}
        if not self._settled(stated, settings, new):
            self.forget({each.name for each in new}, settings)
            return Verdict("unknown", reason=MISFIT)
        return Verdict("definition", name=new[0].name)

    def _wrong_numbers(self, statement: Statement, settings: Settings) -> Verdict | None:
        """A link between numbers that is not true: w = 0.4 - 0.2 = 0.3."""
        template = next(iter(self.templates.values()))
        for link, relation in enumerate(statement.relations):
            pair = replace(statement, sides=statement.sides[link : link + 2], relations=(relation,))
            if all(map(is_plain, pair.sides)):
                found = _judge_link(pair, settings, template)
                if found is not None and found.outcome != "true":
                    return replace(found, link=link)
        return None

    def forget(self, names: Collection[str], settings: Settings) -> None:
        """What is no longer known: a parameter after its step, numbers that did not fit."""
        if any(g.name in names for g in self.stated.values()):
            stated = {key: g for key, g in self.stated.items() if g.name not in names}
            self._settled(stated, settings, ())

    def after_step(self, statement: Statement, settings: Settings) -> bool:
        """Whether the statement gives a parameter a new value, from its own old one: W := W - 0.1.
        From there on it is not known which of the two a number was computed with."""
        symbol = split(statement.sides[0])
        if symbol is None or len(statement.sides) < 2:
            return False
        later = (part for side in statement.sides[1:] for part in walk(side))
        own = any(isinstance(part, Symbol) and part.head == symbol[0].head for part in later)
        step = statement.relations[0] in STEPS or (own and statement.relations[0] == "=")
        scope = Valuation(next(iter(self.templates.values())), settings).scope
        new = _given(statement.sides[0], statement.sides[-1], scope) if step else None
        if new is None or scope.network.by_name[new.name].kind != "parameter":
            return False
        self.stepped = True
        return True

    def take_beside(self, statement: Statement, settings: Settings) -> None:
        """Numbers given within the text: "with $x_1 = 0.05$". Where they differ from those before
        it is not known how long they are meant to last: then neither counts."""
        new = given(statement, settings, next(iter(self.templates.values())))
        fresh = [each for each in new if not self._agrees(each)]
        if fresh and not any(self._is_given(each) for each in fresh):
            self._settled({**self.stated, **{each.key: each for each in fresh}}, settings, fresh)
        elif fresh:
            self.forget({each.name for each in fresh}, settings)

    def _is_given(self, new: Given) -> bool:
        """Whether there are numbers for it, or for some of its entries, already."""
        return any(
            g.name == new.name and (key == new.key or not (g.entries and new.entries))
            for key, g in self.stated.items()
        )

    def _agrees(self, new: Given) -> bool:
        old = self.stated.get(new.key)
        return old is not None and _text(old.numbers) == _text(new.numbers)

    def _settled(
        self, stated: dict[tuple[str, ...], Given], settings: Settings, new: Sequence[Given]
    ) -> bool:
        """Whether the new numbers fit somewhere; then they count from here on."""
        if any(template.too_large for template in self.templates.values()):
            return True
        found = {
            mode: _example(tuple(stated.values()), replace(settings, mode=mode), template)
            for mode, template in sorted(self.templates.items())
        }
        if new and all(set(new) & set(misfits) for _, misfits in found.values()):
            return False
        self.stated = stated
        self.worlds = {mode: world for mode, (world, _) in found.items()}
        return True

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
        if self.stepped and found[mode].outcome == "false":
            return Verdict("unknown", reason=STEPPED), mode
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
    meaning = Valuation(template, settings)
    found: list[int] = []
    for each in stated:
        if template.network.by_name[each.name].kind == "parameter":
            continue
        with suppress(*UNREADABLE), np.errstate(all="ignore"):
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
    meaning = Valuation(world, settings)
    try:
        reference = meaning.scope.resolve(each.node)
        where = entries_of(meaning, each.name, places, reference)
        where = v.transposed(where) if reference.transposed else where
        with np.errstate(all="ignore"):
            numbers = meaning.value(each.numbers)
    except UNREADABLE:
        return None
    spread = numbers.is_scalar and world.network.by_name[each.name].kind == "parameter"
    if where.free or not (spread or _sizes(where) in (_sizes(numbers), _turned(numbers))):
        return None
    if not np.all(np.isfinite(numbers.array)):
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
            name = Valuation(example, false.settings).scope.resolve(node).name
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
    if layer_letters(statement, Valuation(world, settings).scope):
        return None
    rest: Verdict | None = None
    for number, relation in enumerate(statement.relations):
        if relation not in EQUALITIES:
            rest = Verdict("unknown", reason=f"the relation {relation} is not judged", link=number)
            continue
        pair = replace(
            statement,
            sides=statement.sides[number : number + 2],
            relations=(relation,),
        )
        if has_numbers(pair):
            found = _judge_link(pair, settings, example or _first_point(world))
            if example is None and not _is_constant(pair, settings, world):
                special = is_numeric(pair) or _is_value_of_tensor(pair, settings, world)
                found = Verdict("unknown", reason=NOT_GIVEN) if special else None
        elif is_worked(pair.sides, settings):
            at = None if example is None else judge_in(pair, settings, example)
            found = at or Verdict("unknown", reason=NOT_GIVEN)
        else:
            found = judge_in(pair, settings, world)
        if found and found.outcome == "true" and any(map(is_extreme, pair.sides)):
            found = Verdict("unknown", reason=SWALLOWED)
        if found is None and not is_numeric(statement):
            return None
        if found is None or found.outcome == "unknown":
            rest = rest or replace(found or Verdict("unknown", reason=NOT_GIVEN), link=number)
        elif found.outcome != "true":
            return replace(found, link=number)
    return rest or Verdict(
        "true", "numeric", note="at the numbers of the example" if example else ""
    )


def _is_value_of_tensor(pair: Statement, settings: Settings, world: World) -> bool:
    """h = 1, E = 0: a tensor, no derivative, at one value."""
    if not is_plain(pair.sides[1]) or split(pair.sides[0]) is None:
        return False
    with suppress(NotUnderstood, IllFormed):
        return Valuation(world, settings).scope.resolve(pair.sides[0]).kind == "tensor"
    return False


def _first_point(world: World) -> World:
    values = {name: array[:1] for name, array in world.values.items()}
    return World(world.network, values, world.points[:1], world.flat)


def _is_constant(pair: Statement, settings: Settings, world: World) -> bool:
    """Whether both sides are the same at every point, so that they need no numbers."""
    try:
        meaning = with_ranges(pair.sides, Valuation(world, settings))
        with np.errstate(all="ignore"):
            arrays = [meaning.spanned(side).array for side in pair.sides]
    except UNREADABLE:
        return False
    alike = all(bool(np.all(array == array[:1])) for array in arrays)
    return alike and not meaning.one_sided


def _judge_link(pair: Statement, settings: Settings, world: World) -> Verdict | None:
    plain = all(is_plain(side) for side in pair.sides)
    if SAMPLE not in world.sizes and any(_is_part_of_loss(side, settings) for side in pair.sides):
        return Verdict("unknown", reason="a loss with an index, where there is one sample")
    try:
        meaning = with_ranges(pair.sides, Valuation(world, settings))
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
    gap = v.entrywise(left, right, lambda a, b: np.maximum(np.abs(a - b) - EXACT * np.abs(b), 0))
    if _within(gap, v.entrywise(slack.left, slack.right, lambda a, b: a.real + b.real), 1.0):
        if right.is_scalar and not np.any(right.array):
            return Verdict("unknown", reason="zero in all digits that are printed")
        return Verdict("true", "numeric")
    total = v.entrywise(slack.left, slack.right, lambda a, b: a.real + b.real + a.imag + b.imag)
    about = pair.relations[0] == r"\approx"
    if _within(gap, total, 1.0 if plain and not about else NEAR):
        return Verdict("unknown", reason=ROUNDING)
    if about and is_plain(pair.sides[1]) and not printed(pair.sides[1]):
        return Verdict("unknown", reason="about a number that is not printed as a decimal")
    span = pair.sides[1].span
    return Verdict("false", "numeric", found.reason, span=span, difference=found.difference)


def _is_part_of_loss(side: Node, settings: Settings) -> bool:
    """E_1, E_{o1}: of one output, perhaps."""
    parts = split(side)
    if parts is None or settings.letters.get(parts[0].head) not in ("L", "loss_n"):
        return False
    return any(script.place == "below" for script in parts[1])


def _within(gap: Value, allowed: Value, times: float) -> bool:
    _, a, b = v.paired(gap, allowed)
    return bool(np.all(a <= b * times * (1 + EXACT)))


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
        if cells := printed(side):
            total = _own_rounding(cells, value, about)
        else:
            numbers = [n for n in _rounded(side) if _is_long(n) or _digits(n) >= fewest]
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
    sure = np.array([1.0 if _is_long(n) else 1j for n in numbers])
    weights = sure.reshape(-1, *[1] * (change.ndim - 1))
    return np.asarray((change * weights).sum(axis=0, keepdims=True))


def _own_rounding(cells: Sequence[Printed], value: Value, about: bool) -> Array:
    """Half a unit in the last place of each printed number; of a whole number only where it
    stands after a wavy equals sign."""
    whole = about and len(cells) == 1
    steps = [cell.unit / 2 if whole or "." in cell.number.text else 0.0 for cell in cells]
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
    cells = printed(pair.sides[1])
    try:
        meaning = with_ranges(pair.sides, Valuation(example, settings))
        with np.errstate(all="ignore"):
            left, right = (meaning.spanned(side) for side in pair.sides)
    except UNREADABLE:
        return None
    if not cells or left.free or _sizes(left) not in (_sizes(right), _turned(right)):
        return None
    truth = np.real(left.array[0]).reshape(-1)
    pieces = []
    for cell, value in zip(cells, truth, strict=True):
        if abs(value - cell.value) > cell.unit / 2 + EXACT * abs(value):
            pieces.append((cell.span.start, cell.span.end, cell.text(float(value))))
    if not pieces or not all(new for _, _, new in pieces):
        return None
    start, end, new = pieces[0]
    said = f"{latex[start:end].strip()} should be {new}"
    if len(pieces) > 1:
        said += f", and {len(pieces) - 1} more"
    whole = statement.span
    moved = [(s - whole.start, e - whole.start, text) for s, e, text in pieces]
    suggestion = applied(latex[whole.start : whole.end], moved).strip()
    return Explanation("arithmetic", said, suggestion, Span(start, end), "", True, tuple(pieces))
