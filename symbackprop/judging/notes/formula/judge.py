r"""One formula under given settings: true, false with a witness, a definition, or not decided.

Owns: which sides are compared, at which sizes and entries, and what an exception on the way means
for the verdict. Refuses: settings (`conventions` finds them) and diagnosis. Would be wrong if two
sides that agree in value at every point were called different.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from types import MappingProxyType

import numpy as np

from symbackprop.derivation.points import kinks_of
from symbackprop.guard import FAULT, guarded, told
from symbackprop.judging.notes.formula import values as v
from symbackprop.judging.notes.formula.compare import Verdict, compare
from symbackprop.judging.notes.formula.functions import function_of
from symbackprop.judging.notes.formula.layers import for_all_layers, layer_letters
from symbackprop.judging.notes.formula.letters import argument_of, head_or_none, index_letters
from symbackprop.judging.notes.formula.literals import condition_value
from symbackprop.judging.notes.formula.meaning import Meaning
from symbackprop.judging.notes.formula.ranges import with_ranges
from symbackprop.judging.notes.formula.settings import Alias, Settings
from symbackprop.judging.notes.formula.structure import broken_rule
from symbackprop.judging.notes.formula.symbols import (
    LAYERED,
    IllFormed,
    NotUnderstood,
    OneSample,
    OutOfRange,
    split,
)
from symbackprop.judging.notes.formula.valuation import Valuation
from symbackprop.judging.notes.formula.values import Clash, Value
from symbackprop.reading.latex.syntax import (
    Apply,
    Big,
    Bound,
    Comparison,
    Derivative,
    Group,
    Matrix,
    Node,
    Number,
    Scripted,
    Statement,
    Sum,
    Symbol,
    children,
    heads_below,
    rebuilt,
    walk,
)
from symbackprop.witnesses.axes import SAMPLE
from symbackprop.witnesses.truth import World

NO_ALIASES: Mapping[str, Sequence[Alias]] = MappingProxyType({})
DOMAINS = ((-2.0, 2.0), (0.1, 2.0), (0.1, 0.9))  # where the variable of a function is tried
LARGE, HIGH = 10**6, 10  # of a number, and of a power
THREE_INDICES = "an array ("  # as `shape_text` has it
SWALLOWED = "numbers so large or small swallow what differs"
EQUALITIES = frozenset({"=", ":=", r"\equiv", r"\approx", r"\triangleq"})


@dataclass(frozen=True)
class Worlds:
    """The same network at pairwise different sizes and at the user's own, for one sample and for
    a batch, and with the reductions that a note may mean. `sized` are the user's own with another
    number of samples, where a note has one of those sizes as a number."""

    generic: Mapping[str, World]
    real: Mapping[str, World]
    sized: Mapping[str, World] = field(default_factory=dict)

    def world(self, mode: str, literal: bool) -> World:
        return (self.real if literal else self.generic)[mode]


def judge(statement: Statement, settings: Settings, worlds: Worlds) -> Verdict:
    """The verdict on one statement."""
    world = worlds.world(settings.mode, is_literal(statement, settings.aliases))
    found = judge_in(statement, settings, world)
    return at_own_sizes(statement, settings, worlds) or found if found.outcome == "false" else found


def at_own_sizes(statement: Statement, settings: Settings, worlds: Worlds) -> Verdict | None:
    """The verdict on a formula that is true where one of its numbers is a size of the network, as
    the user gave it: 1/5 for five outputs."""
    world = worlds.sized.get(settings.mode)
    if world is None:
        return None
    numbers = {number for side in statement.sides for number in constants(side)}
    own = {axis.size for t in world.network.tensors for axis in world.axes(t.name)}
    if not numbers & (own - {world.sizes.get(SAMPLE)}):
        return None
    found = judge_in(statement, settings, world)
    return replace(found, note="at the sizes of the network") if found.outcome == "true" else None


def constants(node: Node) -> Iterator[int]:
    """Whole numbers from 2 on that are factors or terms, or in such, but no marks or indices."""
    if isinstance(node, Number):
        yield from (n for n in (abs(node.value.numerator), node.value.denominator) if n > 1)
    for child in (node.base,) if isinstance(node, Scripted) else children(node):
        yield from constants(child)


def judge_in(
    statement: Statement,
    settings: Settings,
    world: World,
    conditions: Sequence[Comparison] = (),
) -> Verdict:
    """The verdict on one statement in one world; `conditions` on its index letters, such as
    i \\neq j, may be stated beside it. Where the judge breaks inside, that is not decided."""
    return guarded(partial(_judged, statement, settings, world, conditions), broken)


def broken(bug: Exception) -> Verdict:
    return Verdict("unknown", FAULT, told(bug))


def _judged(
    statement: Statement, settings: Settings, world: World, conditions: Sequence[Comparison]
) -> Verdict:
    if conditions:
        statement = replace(statement, conditions=(*statement.conditions, *conditions))
    if world.too_large:
        return Verdict("unknown", reason="the network is too large to judge single entries")
    meaning = Valuation(world, settings)
    if SAMPLE not in world.sizes and _has_two_losses(statement, meaning):
        reason = "the loss of a sample and that of all, where there is one sample"
        return Verdict("unknown", "mode", reason)
    if len(used := _counts_of_samples(statement, settings)) > 1:
        reason = f"two letters for the number of samples: {' and '.join(used)}"
        return Verdict("unknown", reason=reason)
    letters = layer_letters(statement, meaning.scope)
    with np.errstate(all="ignore"):
        if not letters:
            return _settled(statement, meaning)
        return for_all_layers(statement, meaning, letters, _settled)


def _counts_of_samples(statement: Statement, settings: Settings) -> list[str]:
    """The letters for the number of samples, but those that are indices."""
    nodes = [node for side in statement.sides for node in walk(side)]
    bounds = (bound for node in nodes if isinstance(node, Big) for bound in node.bounds)
    indices = {head_or_none(bound.variable) for bound in bounds}
    indices |= {head for side in statement.sides for head in index_letters(side)}
    heads = heads_below(*statement.sides) - indices
    return sorted(head for head in heads if settings.letters.get(head) == "N")


def _has_two_losses(statement: Statement, meaning: Meaning) -> bool:
    """E and E_n in one formula: then n is one of several."""
    losses = {h for h, f in meaning.settings.letters.items() if f in ("L", "loss_n")}
    nodes = [node for side in statement.sides for node in walk(side)]
    symbols = sum(isinstance(n, Symbol) and n.head in losses for n in nodes)
    indexed = sum(
        isinstance(n, Scripted) and isinstance(n.base, Symbol) and n.base.head in losses
        for n in nodes
    )
    return 0 < indexed < symbols


def _settled(statement: Statement, meaning: Meaning) -> Verdict:
    if len(statement.sides) == 1:
        return _single(statement, meaning)
    statement = _with_pairs(statement)
    try:
        meaning = with_ranges(statement.sides, meaning)
        meaning = with_function_variable(statement, meaning)
    except OutOfRange as problem:
        method = problem.method_in(bool(meaning.numbers))
        return Verdict("false", method, problem.reason, problem.slip, span=problem.span)
    except IllFormed as problem:
        return Verdict("false", problem.method, problem.reason, problem.slip, span=problem.span)
    except NotUnderstood as problem:
        method = "mode" if isinstance(problem, OneSample) else ""
        return Verdict("unknown", method, problem.reason, span=problem.span)
    notes: list[str] = []
    mask = _mask(statement.conditions, meaning)
    if mask is not None and not np.any(mask.array):
        return Verdict("unknown", reason="no index meets the condition")
    for number, relation in enumerate(statement.relations):
        left, right = statement.sides[number], statement.sides[number + 1]
        if relation not in EQUALITIES:
            return Verdict("unknown", reason=f"the relation {relation} is not judged", link=number)
        found = _link(left, right, meaning, mask)
        if found.outcome != "true":
            return replace(found, link=number, world=meaning.world)
        if any(map(swallows, (left, right))):
            return Verdict("unknown", reason=SWALLOWED, link=number)
        if found.note and found.note not in notes:
            notes.append(found.note)
    return Verdict("true", "numeric", note="; ".join(notes))


def swallows(side: Node) -> bool:
    """Whether a sum in it has terms so large or small that they swallow others, or are."""
    return any(isinstance(node, (Sum, Big)) and is_extreme(node) for node in walk(side))


def is_extreme(side: Node) -> bool:
    """Whether a number in it is so large, or a power of a number or a bracket so high, that
    rounding is as large as what else stands there."""
    for node in walk(side):
        if isinstance(node, Number) and node.value >= LARGE:
            return True
        if isinstance(node, Scripted) and (
            not isinstance(node.base, Symbol) or node.base.head == "e"
        ):
            powers = (p for s in node.scripts if s.place == "above" for p in s.parts)
            if any(isinstance(n, Number) and abs(n.value) >= HIGH for p in powers for n in walk(p)):
                return True
    return False


def _with_pairs(statement: Statement) -> Statement:
    r"""\sum_{i<j} over both letters, where the formula has the second in such sums only."""
    sides = statement.sides
    sums = [node for side in sides for node in walk(side) if isinstance(node, Big)]
    if not any(bound.conditions for big in sums for bound in big.bounds):
        return statement

    def is_inside(head: str) -> bool:
        inside = sum(_count(head, big) for big in sums if head in _heads_of_bounds(big))
        return inside == sum(_count(head, side) for side in sides)

    def paired(node: Node) -> Node:
        if not isinstance(node, Big):
            return node
        own = {head_or_none(bound.variable) for bound in node.bounds}
        others = {
            part.head: part
            for bound in node.bounds
            for condition in bound.conditions
            for part in walk(condition)
            if isinstance(part, Symbol) and part.head not in own and is_inside(part.head)
        }
        further = (Bound(other, None, None, (), other.span) for other in others.values())
        return replace(node, bounds=(*node.bounds, *further))

    return replace(statement, sides=tuple(rebuilt(side, paired) for side in sides))


def _heads_of_bounds(big: Big) -> frozenset[str]:
    return heads_below(*(c for bound in big.bounds for c in bound.conditions))


def _count(head: str, node: Node) -> int:
    return sum(isinstance(n, Symbol) and n.head == head for n in walk(node))


def _single(statement: Statement, meaning: Meaning) -> Verdict:
    """A formula without a relation states nothing, but may be ill-formed."""
    try:
        with_ranges(statement.sides, meaning).value(statement.sides[0])
    except (NotUnderstood, IllFormed, Clash):
        return Verdict("definition")
    return Verdict("definition")


def with_function_variable(statement: Statement, meaning: Meaning) -> Meaning:
    r"""\sigma(z) = 1/(1+e^{-z}): the definition of a function of any number."""
    variable = function_variable(statement, meaning)
    if variable is None:
        return meaning
    network = meaning.world.network
    points = meaning.world.values[network.loss].shape[0]
    kinks = (abs(kink) for function in network.functions.values() for kink in kinks_of(function))
    beyond = max(kinks, default=0)
    ends = ((low - beyond * (low < 0), high + beyond) for low, high in DOMAINS)
    found = [_with_numbers(meaning, variable, points, *pair) for pair in ends]
    return next((m for m in found if all(_has_numbers(s, m) for s in statement.sides)), found[0])


def _with_numbers(meaning: Meaning, letter: str, points: int, low: float, high: float) -> Meaning:
    array = np.random.default_rng(7).uniform(low, high, size=(points, 7))
    local = Value(array, ("variable " + letter,))
    return replace(meaning, local={**meaning.local, letter: local})


def _has_numbers(side: Node, meaning: Meaning) -> bool:
    """Whether a side has a number everywhere; what it has otherwise is not asked here."""
    try:
        with np.errstate(all="ignore"):
            return bool(np.all(np.isfinite(meaning.value(side).array)))
    except (NotUnderstood, IllFormed, Clash):
        return True


def function_variable(statement: Statement, meaning: Meaning) -> str | None:
    """The letter of which a statement defines a function: unmarked, in the first side's
    argument, and nowhere with a script."""
    side = statement.sides[0]
    while isinstance(side, Derivative) and side.of is not None:
        side = side.of
    if isinstance(side, Apply):
        factors: tuple[Node, ...] = (side.function, *side.arguments)
    else:
        factors = getattr(side, "factors", ())
    if len(factors) != 2 or function_of(meaning, factors[0]) is None:
        return None
    argument, scripts = argument_of(factors[1])
    if argument is None and isinstance(side, Apply):
        argument = factors[1]
    if scripts or not isinstance(argument, Symbol):
        return None
    head = argument.head
    beyond = heads_below(*statement.sides[1:])
    if head not in beyond and beyond:
        return None  # \\sigma(z) = \\hat y is about this z
    for other in statement.sides:
        for node in walk(other):
            parts = split(node) if isinstance(node, Scripted) else None
            if parts is not None and parts[0].head == head:
                return None
    family = meaning.settings.letters.get(head, "")
    if family.partition(":")[0] in LAYERED and ":" not in family and meaning.scope.layers > 1:
        return head
    return head if family in ("", "x", "identity") or family not in meaning.world.values else None


def _mask(conditions: Sequence[Comparison], meaning: Meaning) -> Value | None:
    """1 where the conditions on index letters hold; None where there are none."""
    total: Value | None = None
    for condition in conditions:
        letters = heads_below(condition)
        if not letters or not letters <= set(meaning.ranges):
            continue
        if not all(
            isinstance(side, (Symbol, Number)) for side in (condition.left, condition.right)
        ):
            continue
        try:
            held = condition_value(meaning, condition)
        except (NotUnderstood, IllFormed, Clash):
            continue
        total = held if total is None else v.entrywise(total, held, np.multiply)
    return total


def _link(left: Node, right: Node, meaning: Meaning, mask: Value | None = None) -> Verdict:
    values = []
    for side in (left, right):
        try:
            values.append(meaning.spanned(side))
        except Clash as clash:
            span = clash.span or side.span
            if THREE_INDICES in clash.reason:  # which index meets which is a matter of layout
                reason = "a derivative with three indices in a product"
                return Verdict("unknown", reason=reason, span=span)
            return Verdict("false", "shape", clash.reason, span=span)
        except OutOfRange as problem:
            method = problem.method_in(bool(meaning.numbers))
            span = problem.span or side.span
            return Verdict("false", method, problem.reason, problem.slip, span=span)
        except IllFormed as problem:
            span = problem.span or side.span
            return Verdict("false", problem.method, problem.reason, problem.slip, span=span)
        except NotUnderstood as problem:
            method = "mode" if isinstance(problem, OneSample) else ""
            span = problem.span or side.span
            return Verdict("unknown", method, problem.reason, span=span)
    broken = broken_rule(left, right, meaning)
    each = any(map(is_extreme, (left, right)))
    found = compare(values[0], values[1], meaning.settings, mask, each=each)
    if found.outcome == "true" and broken is not None:
        return broken
    if found.outcome == "true" and meaning.one_sided:
        reason = "a condition in it holds at all test points, or at none"
        return Verdict("unknown", reason=reason, span=meaning.one_sided[0])
    if found.outcome == "true":
        return found
    return replace(found, span=found.span or right.span)


def is_literal(statement: Statement, aliases: Mapping[str, Sequence[Alias]] = NO_ALIASES) -> bool:
    """Whether the formula, or what a name in it was given to, names entries or sizes by number,
    so that only the user's own sizes make sense."""
    nodes = [node for side in statement.sides for node in walk(side)]
    named = {n.head for n in nodes if isinstance(n, Symbol)} & set(aliases)
    opened = [n for head in named for alias in aliases[head] for n in walk(alias.node)]
    return any(_is_literal(node) for node in (*nodes, *opened))


def _is_literal(node: Node) -> bool:
    match node:
        case Matrix(rows=rows):
            return len(rows) * len(rows[0]) > 1
        case Group(items=items):
            return len(items) > 1 and not isinstance(items[0], Comparison) and node.bracket == "["
        case Big(bounds=bounds):
            ends = [e for b in bounds for e in (b.lower, b.upper) if e is not None]
            numbers = [e for e in ends if isinstance(e, Number) and e.value > 1]
            return bool(numbers) or any(
                isinstance(c.right, Number) for b in bounds for c in b.conditions
            )
        case Scripted(scripts=scripts):
            below = [p for s in scripts if s.place == "below" for p in s.parts]
            return any(isinstance(p, Number) for p in below)
    return False
