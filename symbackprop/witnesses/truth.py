"""The network at numbers: every tensor and every derivative, at several generic points at once.

Owns: `World`, worlds with labels that are 1 at one class, losses of single samples. Values come
from the forward equations alone and derivatives from a complex step through them, so a judgement
does not rest on the derivations that it is compared with. Refuses: rules, notation, symbols. Would
be wrong if a local derivative of an equation were accumulated along the wrong path.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from sympy import Symbol

from symbackprop.calculus.terms import Expression
from symbackprop.derivation.evaluate import Point, evaluate, forward, generic_sizes, jacobian
from symbackprop.derivation.points import generic_points
from symbackprop.networks.network import Network, SumsToOne
from symbackprop.witnesses.axes import SAMPLE, Array, Axis

STEP = 1e-30


@dataclass
class World:
    """One network at several generic points. Arrays have the points as their first axis.

    `flat` are the labels of axes with a single place in the user's network: no axes to a reader.
    `too_large` says that the user's own sizes are too large to write entries out, and others stand
    in their place. `unmet` says which branch of the network none of the points meets. `overrides`
    are total derivatives (of, wrt) that an earlier line claims; they count for every path.
    `moving` is set where the values are perturbed: there, derivatives are not known.
    """

    network: Network
    values: Mapping[str, Array]
    points: tuple[Point, ...] = ()
    flat: frozenset[str] = frozenset()
    overrides: Mapping[tuple[str, str], Array] = field(default_factory=dict)
    moving: bool = False
    too_large: bool = False
    unmet: str = ""
    _local: dict[tuple[str, str], Array] = field(default_factory=dict)
    _total: dict[tuple[str, str], Array] = field(default_factory=dict)
    _axes: dict[str, tuple[Axis, ...]] = field(default_factory=dict)

    def axes(self, name: str) -> tuple[Axis, ...]:
        """The axes of a tensor with the sizes they have here."""
        found = self._axes.get(name)
        if found is None:
            axes, shape = self.network.by_name[name].axes, self.values[name].shape[1:]
            found = tuple(Axis(a.name, n) for a, n in zip(axes, shape, strict=True))
            self._axes[name] = found
        return found

    @cached_property
    def sizes(self) -> dict[str, int]:
        """The number of places of each axis, by label."""
        return {a.label: a.size for t in self.network.tensors for a in self.axes(t.name)}

    def local(self, of: str, wrt: str) -> Array:
        """d of / d wrt within the equation of `of`: axes of of, then of wrt."""
        key = (of, wrt)
        if key in self.overrides:
            return self.overrides[key]
        if key not in self._local:
            found = [jacobian(p, of, wrt, total=False) for p in self.points]
            self._local[key] = np.stack(found)
        return self._local[key]

    def total(self, of: str, wrt: str) -> Array:
        """d of / d wrt through every path; zero where there is none."""
        key = (of, wrt)
        if key in self.overrides:
            return self.overrides[key]
        if key not in self._total:
            self._total[key] = self._accumulated(of, wrt)
        return self._total[key]

    def _accumulated(self, of: str, wrt: str) -> Array:
        outer, inner = self.values[of].shape[1:], self.values[wrt].shape
        if of == wrt:
            count = int(np.prod(outer, dtype=int))
            eye = np.eye(count).reshape(outer + outer)
            return np.broadcast_to(eye, (inner[0], *eye.shape))
        whole = np.zeros((inner[0], *outer, *inner[1:]))
        if not outer:  # of a number: adjoints, each from the ones before it
            for equation in self.network.readers[wrt]:
                target = equation.target
                if target == of or self.depends(of, target):
                    whole = whole + self._chained(of, target, wrt, self.local(target, wrt))
            return whole
        for name in sorted(self.network.equation_of[of].reads if self.depends(of, wrt) else ()):
            if name == wrt or self.depends(name, wrt):
                whole = whole + self._chained(of, name, wrt, self.total(name, wrt))
        return whole

    def _chained(self, of: str, middle: str, wrt: str, inner: Array) -> Array:
        if of == middle:
            return inner
        outer = self.total(of, middle) if not self.values[of].shape[1:] else self.local(of, middle)
        count = self.values[middle].ndim - 1
        kept = list(range(1, outer.ndim - count))
        shared = list(range(20, 20 + count))
        tail = list(range(10, 10 + inner.ndim - 1 - count))
        places = [0, *kept, *tail]
        return np.asarray(np.einsum(outer, [0, *kept, *shared], inner, [0, *shared, *tail], places))

    @cached_property
    def _upstream(self) -> dict[str, frozenset[str]]:
        found: dict[str, frozenset[str]] = {}
        for equation in self.network.equations:
            reads = equation.reads
            found[equation.target] = reads.union(*(found.get(name, frozenset()) for name in reads))
        return found

    def depends(self, of: str, wrt: str) -> bool:
        """Whether `wrt` is somewhere above `of`."""
        return wrt in self._upstream.get(of, frozenset())

    def overridden(self, overrides: Mapping[tuple[str, str], Array]) -> World:
        """The world in which those derivatives are what somebody wrote."""
        return replace(
            self, overrides={**self.overrides, **overrides}, _total={}, _local=self._local
        )

    def moved(self, wrt: str) -> World:
        """Each entry of `wrt` moved by an imaginary step, one after the other: as many times the
        points as it has entries, the entries running fastest."""
        count = int(np.prod(self.values[wrt].shape[1:], dtype=int))
        moved: dict[str, Array] = {}
        for name, value in self.values.items():
            base = np.repeat(value.astype(complex), count, axis=0)
            if name == wrt or self.depends(name, wrt):
                slope = self.total(name, wrt).reshape(*value.shape, count)
                base = base + 1j * STEP * np.moveaxis(slope, -1, 1).reshape(base.shape)
            moved[name] = base
        return World(self.network, moved, (), self.flat, moving=True)


def make_world(
    network: Network, sizes: Mapping[Symbol, int] | None, flat: frozenset[str], seed: int
) -> World:
    """The network at generic points that meet every branch of it."""
    chosen = generic_points(network, seed, {**generic_sizes(network), **(sizes or {})})
    return world_at(network, chosen.points, flat, chosen.unmet)


def world_at(
    network: Network, points: Sequence[Point], flat: frozenset[str], unmet: str = ""
) -> World:
    """The network at those points."""
    values = {
        t.name: np.stack([np.asarray(p.values[t.name], dtype=float) for p in points])
        for t in network.tensors
    }
    return World(network, values, tuple(points), flat, unmet=unmet)


def under_loss(world: World, network: Network) -> World:
    """The same points in a network that differs in its loss alone."""
    given = [t.name for t in network.of_kind("input", "parameter", "label")]
    points = [
        forward(Point(network, {name: p.values[name] for name in given}, p.sizes))
        for p in world.points
    ]
    return world_at(network, points, world.flat, world.unmet)


def one_hot_worlds(world: World) -> Iterator[World]:
    """The world with labels that are 1 at one class, for each class; none where labels are no
    shares of classes."""
    network = world.network
    labels = [t for t in network.of_kind("label") if any(isinstance(f, SumsToOne) for f in t.facts)]
    if len(labels) != 1:
        return
    name = labels[0].name
    count = world.values[name].shape[-1]
    for place in range(count):
        points = []
        for point in world.points:
            label = np.zeros_like(np.asarray(point.values[name], dtype=float))
            label[..., place] = 1.0
            points.append(forward(point.with_values({name: label})))
        yield world_at(network, points, world.flat, world.unmet)


def loss_share(world: World) -> float:
    """The loss over the sum of the losses of single samples, times the number of samples: 1 for
    a mean, N for a sum."""
    array = loss_by_sample(world)
    if array is None:
        return 1.0
    total = world.values[world.network.loss] / array.sum(axis=1)
    return float(np.real(total[0])) * array.shape[1]


def loss_slopes(world: World, wrt: str) -> Array | None:
    """d loss of sample n / d `wrt`: points, samples, then the axes of `wrt`."""
    losses = loss_by_sample(world)
    if losses is None:
        return None
    network = world.network
    outputs = [
        name
        for name in sorted(network.equation_of[network.loss].reads)
        if network.by_name[name].kind == "intermediate" and SAMPLE in _labels(world, name)
    ]
    if len(outputs) != 1:
        return None
    output = outputs[0]
    slope = world.total(network.loss, output) * (losses.shape[1] / loss_share(world))
    inner = world.total(output, wrt)
    axes = world.values[output].ndim - 2
    extra = inner.ndim - 2 - axes
    units = list(range(2, 2 + axes))
    tail = list(range(10, 10 + extra))
    return np.asarray(np.einsum(slope, [0, 1, *units], inner, [0, 1, *units, *tail], [0, 1, *tail]))


def _labels(world: World, name: str) -> list[str]:
    return [a.label for a in world.axes(name)]


def loss_by_sample(world: World) -> Array | None:
    """The loss of each sample alone, points first; None for one sample, or where samples mix."""
    network = world.network
    equation = network.equation_of.get(network.loss)
    if equation is None or SAMPLE not in world.sizes or world.moving:
        return None
    terms = []
    index = None
    for term in equation.rhs.terms:
        bound = [i for i in term.bound if i.axis.name == SAMPLE]
        if len(bound) != 1:
            return None
        index = index or bound[0]
        if bound[0] != index:
            return None
        rest = tuple(i for i in term.bound if i is not bound[0])
        coefficient = term.coefficient.xreplace({index.axis.extent: 1})
        terms.append(replace(term, bound=rest, coefficient=coefficient))
    if index is None:
        return None
    whole = Expression(tuple(terms))
    return np.stack([np.asarray(evaluate(whole, (index,), p), dtype=float) for p in world.points])
