"""Test points: numbers at which nothing agrees by accident, and no branch stays out of sight.

Owns: how what is given is drawn (magnitudes pairwise different, none of them 0, 1/2, 1 or 2), the
bends of a network (each application of a function with kinks), and the choice of points at which
every unit of a bend is met on each side of each kink, alone and together with every unit of every
bend before or after it. Refuses: comparing anything.
Would be wrong if a side counted as met where nothing shows it: behind a layer whose slopes are all
0 no derivative tells what it is. So the other layers must let something through, unless both units
of a pair have slope 0 themselves.

What is linear in each slope, as a derivative is, and false, is then false at a point.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
from sympy import Add, Expr, Piecewise, Poly, Symbol, real_roots
from sympy.core.relational import Relational

from symbackprop.calculus.scalars import ScalarFunction, Z
from symbackprop.calculus.terms import (
    Applied,
    Element,
    Expression,
    Index,
    elements_in,
    expression,
    product,
)
from symbackprop.derivation.evaluate import Point, evaluate, explicit_value, forward, given
from symbackprop.networks.network import CountsClasses, Network, Tensor, tensors_in

LEAST_POINTS = 3
MOST_POINTS = 64
MOST_PAIRED, FIRST_PAIRED = 9, 4  # units of a layer that are paired, and of a wider one
MOST_FITTED = 2000  # combinations that one draw tries to meet
BARREN = 24  # draws one after the other that met nothing new: the rest cannot be reached
SMALLEST, LARGEST = 0.09, 0.76  # of what is drawn: no function is saturated there
DIGITS = 6
MOST_SHORT = 50_000  # numbers of so few digits that are still easily told apart
KEPT_OFF = 0.002  # the distance of a magnitude from 1/2
Numbers = npt.NDArray[Any]
Sides = npt.NDArray[np.int_]  # samples, units: the number of kinks below; -1 on a kink


@dataclass(frozen=True)
class Chosen:
    """Test points, and what none of them meets, in words; empty where they meet every branch."""

    points: tuple[Point, ...]
    unmet: str = ""


def generic_points(
    network: Network,
    seed: int,
    sizes: Mapping[Symbol, int] | None = None,
    beside: Sequence[Expression] = (),
    least: int = LEAST_POINTS,
) -> Chosen:
    """As many points as meet every branch of the network and of the expressions `beside` it, and
    `least` at least. A function of its arguments: equal networks have equal points."""
    points = [_drawn(network, seed, sizes)]
    met = _Met(network, tuple(bends_of(network, beside)), points[0])
    barren = 0
    for number in itertools.count(seed + 1):
        gaps = met.gaps
        if len(points) >= least and not gaps:
            break
        if barren == BARREN or len(points) == MOST_POINTS:
            reason = f"no test point was found that has {met.said(gaps[0])}"
            return Chosen(tuple(points), reason)
        point = _drawn(network, number, sizes, met, gaps)
        is_new = met.add(point)
        barren = 0 if is_new else barren + 1
        if is_new or len(points) < least:
            points.append(point)
    return Chosen(tuple(points))


def generic_point(network: Network, seed: int, sizes: Mapping[Symbol, int] | None = None) -> Point:
    """One point, whatever branches it meets."""
    return _drawn(network, seed, sizes)


# --------------------------------------------------------------------------------------------
# Bends
# --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Bend:
    """A function with kinks at an argument. `target` is the tensor whose equation applies it.

    `lever` is the given tensor that is added to the argument, once for each unit, and how many
    times; None where there is none.
    """

    target: str
    function: ScalarFunction
    argument: Expr
    lever: tuple[str, float] | None = None

    @cached_property
    def kinks(self) -> tuple[float, ...]:
        return kinks_of(self.function)

    @cached_property
    def indices(self) -> tuple[Index, ...]:
        """Those of samples first."""
        found = sorted(self.argument.atoms(Index), key=lambda i: (i.axis.role != "sample", i.name))
        return tuple(found)

    @property
    def units(self) -> tuple[Index, ...]:
        return tuple(i for i in self.indices if i.axis.role != "sample")

    def values(self, point: Point) -> Numbers:
        """The argument: samples, units."""
        written = self.argument.args[1:]
        if isinstance(self.argument, Element) and set(written) == set(self.indices):
            order = [written.index(index) for index in self.indices]
            array = np.transpose(point.values[self.argument.tensor], order)
        else:
            array = np.asarray(evaluate(self.whole, self.indices, point), dtype=float)
        count = len(self.indices) - len(self.units)
        samples = int(np.prod(array.shape[:count], dtype=int))
        return array.reshape(samples, -1)

    @cached_property
    def whole(self) -> Expression:
        return expression(product(1, (), (self.argument,)))

    @cached_property
    def slope(self) -> Expr:
        return self.function.value(Z, 1)

    def sides(self, values: Numbers) -> Sides:
        below = np.searchsorted(self.kinks, values, side="left")
        return np.where(np.isin(values, self.kinks), -1, below)

    def is_open(self, values: Numbers) -> npt.NDArray[np.bool_]:
        """Where the slope is not 0."""
        return np.not_equal(explicit_value(self.slope, values), 0)

    def within(self, side: int, share: float) -> float:
        """An argument on that side, 0 < share < 1 of the way through it."""
        if side == 0:
            return self.kinks[0] - 0.2 - share
        if side == len(self.kinks):
            return self.kinks[-1] + 0.2 + share
        return self.kinks[side - 1] + share * (self.kinks[side] - self.kinks[side - 1])

    @cached_property
    def open_sides(self) -> tuple[int, ...]:
        """The sides with a slope; all of them where none has one."""
        every = range(len(self.kinks) + 1)
        found = tuple(s for s in every if self.is_open(np.array(self.within(s, 0.5))))
        return found or tuple(every)

    def said(self, side: int) -> str:
        """`z1 above 0`."""
        name = self.argument.tensor if isinstance(self.argument, Element) else str(self.argument)
        bounds = [f"above {self.kinks[side - 1]:g}"] if side else []
        bounds += [f"below {self.kinks[side]:g}"] if side < len(self.kinks) else []
        return f"{name} {' and '.join(bounds)}"


@lru_cache(maxsize=256)
def kinks_of(function: ScalarFunction) -> tuple[float, ...]:
    """The arguments at which the definition goes over from one formula to another, in order."""
    found = set() if function.kink is None else {float(function.kink)}
    for relation in function.definition.expr.rewrite(Piecewise).atoms(Relational):
        found |= {float(root) for root in real_roots(Poly(relation.lhs - relation.rhs, Z))}
    return tuple(sorted(found))


def bends_of(network: Network, beside: Sequence[Expression] = ()) -> Iterator[Bend]:
    """Each function with kinks at each argument once, in the order of the equations."""
    seen: set[tuple[str, Expr]] = set()
    places = [(e.target, e.rhs) for e in network.equations] + [("", whole) for whole in beside]
    for target, whole in places:
        factors = (f for term in whole.terms for f in term.factors)
        applied = {a for f in factors for a in f.atoms(Applied)}
        for node in sorted(applied, key=str):
            function, key = network.functions[node.function], (node.function, node.argument)
            if key not in seen and kinks_of(function):
                seen.add(key)
                bend = Bend(target, function, node.argument)
                yield replace(bend, lever=_lever(network, bend))


def _lever(network: Network, bend: Bend) -> tuple[str, float] | None:
    """What is given and added to the argument with an entry for each unit: a bias, a label."""
    for coefficient, element in _addends(network, bend.argument):
        tensor = network.by_name[element.tensor]
        units = tuple(a for a in tensor.axes if a.role != "sample")
        is_free = tensor.kind in ("parameter", "label", "input") and not tensor.facts
        if is_free and units == tuple(i.axis for i in bend.units):
            return tensor.name, coefficient
    return None


def _addends(network: Network, argument: Expr) -> Iterator[tuple[float, Element]]:
    """The single entries that an argument adds up, those inside the equation of one included."""
    for part in Add.make_args(argument):
        coefficient, entry = part.as_coeff_Mul()
        if not isinstance(entry, Element):
            continue
        yield float(coefficient), entry
        equation = network.equation_of.get(entry.tensor)
        for term in equation.rhs.terms if equation is not None else ():
            if not term.bound and len(term.factors) == 1 and term.coefficient.is_Rational:
                (inner,) = term.factors
                if isinstance(inner, Element):
                    yield float(coefficient * term.coefficient), inner


# --------------------------------------------------------------------------------------------
# What was met
# --------------------------------------------------------------------------------------------


class _Met:
    """Which combinations were not met: side, side, unit, unit, the units of all bends in one row.
    A unit with itself stands for its sides alone."""

    def __init__(self, network: Network, bends: Sequence[Bend], first: Point) -> None:
        self.bends = bends
        counts = [bend.values(first).shape[1] for bend in bends]
        self.owner = np.repeat(np.arange(len(bends)), counts)
        self.starts = [0, *itertools.accumulate(counts)]
        behind = _behind(network, bends)[self.owner[:, None], self.owner]
        most = max((len(bend.kinks) for bend in bends), default=0) + 1
        exists = np.array([[a <= len(b.kinks) for b in bends] for a in range(most)], dtype=bool)
        exists = exists[:, self.owner]
        alone = np.eye(most, dtype=bool)[:, :, None, None] & np.eye(len(self.owner), dtype=bool)
        named = np.concatenate([_named(count) for count in counts] or [np.ones(0, dtype=bool)])
        behind &= named[:, None] & named
        both = exists[:, None, :, None] & exists[None, :, None, :]
        self.missing: npt.NDArray[np.bool_] = both & (behind | alone)
        self.add(first)

    @property
    def gaps(self) -> list[tuple[int, ...]]:
        """What is missing: side, side, unit, unit."""
        return [tuple(map(int, gap)) for gap in np.argwhere(self.missing)]

    def add(self, point: Point) -> bool:
        """Whether the point meets something that no point met before."""
        if not self.bends:
            return False
        values = [bend.values(point) for bend in self.bends]
        sides = _row(b.sides(v) for b, v in zip(self.bends, values, strict=True))
        is_open = [b.is_open(v) for b, v in zip(self.bends, values, strict=True)]
        shows = self._shows(is_open)
        before = np.count_nonzero(self.missing)
        for one, other in np.ndindex(*self.missing.shape[:2]):
            found = (sides == one)[:, :, None] & (sides == other)[:, None, :] & shows
            self.missing[one, other] &= ~found.any(axis=0)
        return bool(np.count_nonzero(self.missing) < before)

    def _shows(self, is_open: Sequence[npt.NDArray[np.bool_]]) -> npt.NDArray[np.bool_]:
        """Samples, units, units: whether each bend but those of the two has a unit with a slope,
        or they have none themselves."""
        closed = _row(np.logical_not(a.any(axis=1, keepdims=True)) for a in is_open).astype(int)
        pair = closed[:, :, None] + closed[:, None, :] * (1 - np.eye(len(self.bends), dtype=int))
        through = closed.sum(axis=1)[:, None, None] == pair
        shut = ~_row(is_open)
        both: npt.NDArray[np.bool_] = shut[:, :, None] & shut[:, None, :]
        return both | through[:, self.owner[:, None], self.owner]

    def said(self, gap: Sequence[int]) -> str:
        """`z1 below 0 and z2 above 0`."""
        side, next_side, unit, next_unit = gap
        parts = [self.bends[self.owner[unit]].said(side)]
        if unit != next_unit:
            parts.append(self.bends[self.owner[next_unit]].said(next_side))
        return " and ".join(parts)

    def goals(self, gaps: Sequence[Sequence[int]], source: random.Random) -> list[list[int]]:
        """A side for each unit of each bend: the first gap, where it shows (with a unit that is
        open in each other bend), then as many more gaps as fit, then sides by chance."""
        goal: dict[int, int] = {}
        first, *rest = gaps
        self._fit(goal, first)
        owners = self.owner[list(first[2:])]
        ends = zip(owners, first[:2], strict=True)
        is_shut = all(side not in self.bends[owner].open_sides for owner, side in ends)
        for number, bend in enumerate(() if is_shut else self.bends):
            if number not in owners:
                unit = source.randrange(self.starts[number], self.starts[number + 1])
                goal[unit] = source.choice(bend.open_sides)
        for gap in source.sample(rest, min(len(rest), MOST_FITTED)):
            self._fit(goal, gap)
        return [
            [goal.get(u, source.randrange(len(bend.kinks) + 1)) for u in range(*ends)]
            for bend, ends in zip(self.bends, itertools.pairwise(self.starts), strict=True)
        ]

    @staticmethod
    def _fit(goal: dict[int, int], gap: Sequence[int]) -> None:
        side, next_side, unit, next_unit = gap
        if goal.get(unit, side) == side and goal.get(next_unit, next_side) == next_side:
            goal |= {unit: side, next_unit: next_side}


def _named(count: int) -> npt.NDArray[np.bool_]:
    """The units of a layer that a formula may name; of a wide one the first ones and the last."""
    places = np.arange(count)
    return (count <= MOST_PAIRED) | (places < FIRST_PAIRED) | (places == count - 1)


def _row(arrays: Iterable[Numbers]) -> Numbers:
    """Samples, units: the units of one bend beside those of the next; one sample is as all."""
    found = list(arrays)
    samples = max(len(array) for array in found)
    whole = [np.broadcast_to(array, (samples, array.shape[1])) for array in found]
    return np.concatenate(whole, axis=1)


def _behind(network: Network, bends: Sequence[Bend]) -> npt.NDArray[np.bool_]:
    """Bends, bends: whether the argument of the second depends on what the first makes."""
    above: dict[str, frozenset[str]] = {}
    for equation in network.equations:
        reads = equation.reads
        above[equation.target] = reads.union(*(above.get(name, frozenset()) for name in reads))
    found = np.zeros((len(bends), len(bends)), dtype=bool)
    for number, bend in enumerate(bends):
        reads = frozenset(element.tensor for element in elements_in(bend.argument))
        reads = reads.union(*(above.get(name, frozenset()) for name in reads))
        found[:, number] = [other.target in reads for other in bends]
    return found


# --------------------------------------------------------------------------------------------
# Draws
# --------------------------------------------------------------------------------------------


def _drawn(
    network: Network,
    seed: int,
    sizes: Mapping[Symbol, int] | None,
    met: _Met | None = None,
    gaps: Sequence[Sequence[int]] = (),
) -> Point:
    """Generic values, the levers set so that the first gap is closed, and others with it."""
    source = random.Random(seed)
    point = given(network, source, _Entries(source), sizes)
    for tensor in network.of_kind("label"):
        if any(isinstance(fact, CountsClasses) for fact in tensor.facts):
            point = point.with_values({tensor.name: _in_turn(tensor, point, seed)})
    if met is not None and gaps and not network.is_recurrent:
        point = _directed(point, met.bends, met.goals(gaps, source), source)
        levers = {bend.lever[0] for bend in met.bends if bend.lever is not None}
        if all(len(network.readers[lever]) == 1 for lever in levers):
            return point
    return forward(point)


class _Entries:
    """Numbers of a fair sign whose magnitudes are pairwise different."""

    def __init__(self, source: random.Random) -> None:
        self.source = source
        self.taken: set[float] = set()

    @property
    def digits(self) -> int:
        return DIGITS if len(self.taken) < MOST_SHORT else 15

    def __call__(self, positive: bool) -> float:
        while True:
            size = round(self.source.uniform(SMALLEST, LARGEST), self.digits)
            if size not in self.taken and abs(size - 0.5) > KEPT_OFF:
                break
        self.taken.add(size)
        return size if positive or self.source.random() < 0.5 else -size


def _in_turn(tensor: Tensor, point: Point, seed: int) -> Numbers:
    """One class after the other, each point beginning with another."""
    (axis,) = (fact.axis for fact in tensor.facts if isinstance(fact, CountsClasses))
    shape = np.shape(point.values[tensor.name])
    places = np.arange(int(np.prod(shape, dtype=int))).reshape(shape)
    return axis.start + (places + seed) % int(axis.extent.subs(point.sizes))


def _directed(
    point: Point, bends: Sequence[Bend], goals: Sequence[Sequence[int]], source: random.Random
) -> Point:
    """The levers moved, in the order of the equations, until one sample, drawn by chance, is where
    it is to be."""
    place = source.random()
    for equation in point.network.equations:
        for bend, sides in zip(bends, goals, strict=True):
            if bend.target == equation.target and bend.lever is not None:
                point = _levelled(point, bend, sides, place, source)
        value = evaluate(equation.rhs, equation.indices, point)
        point = point.with_values({equation.target: value})
    return point


def _levelled(
    point: Point, bend: Bend, goals: Sequence[int], place: float, source: random.Random
) -> Point:
    assert bend.lever is not None
    lever, times = bend.lever
    samples = bend.values(point)
    sample = int(place * len(samples))
    values = samples[sample]
    places = [bend.within(side, source.uniform(0.1, 0.9)) for side in goals]
    off = np.array(goals) != bend.sides(values)
    shift = np.where(off, np.array(places) - values, 0.0) / times
    array = np.array(point.values[lever], dtype=float)
    axes = point.network.by_name[lever].axes
    where = tuple(sample if axis.role == "sample" else slice(None) for axis in axes)
    array[where] += shift.reshape(array[where].shape)
    point = point.with_values({lever: array})
    for name in sorted(tensors_in(bend.argument) & set(point.network.equation_of)):
        equation = point.network.equation_of[name]
        value = evaluate(equation.rhs, equation.indices, point)
        point = point.with_values({name: value})
    return point
