"""The networks that a note may mean, and the worlds in which it is judged.

Owns: `Variant`, the network for a batch and for one sample; `worlds_of`; worlds with labels that
are 1 at one class. Refuses: notes. Would be wrong if two sizes were equal that are not in the
user's network.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from symbackprop.evaluate import forward
from symbackprop.layers.multilayer import Built
from symbackprop.network import Network, SumsToOne
from symbackprop.verify.judge import Worlds
from symbackprop.verify.world import World, make_world

SEED = 11
LARGEST_SIZE = 64  # of an axis at which single entries are judged


@dataclass(frozen=True)
class Variant:
    """The network for a batch and for one sample, under one reduction of the loss."""

    batch: Built
    one: Built | None


def worlds_of(variant: Variant, samples: int | None) -> Worlds:
    """The network at generic sizes and at the user's own; a batch is of `samples`, else of 3."""
    flat = frozenset(
        a.name
        for t in variant.batch.network.tensors
        for a in t.axes
        if variant.batch.sizes.get(a.extent) == 1
    )
    generic: dict[str, World] = {}
    real: dict[str, World] = {}
    for mode, built in (("one", variant.one), ("batch", variant.batch)):
        if built is None:
            continue
        single = {s: 1 for s, n in built.sizes.items() if n == 1}
        generic[mode] = make_world(built.network, single, flat, SEED)
        sizes = dict(built.sizes)
        for symbol in _count_symbols(built.network):
            sizes[symbol] = samples or 3
        if max(sizes.values(), default=1) > LARGEST_SIZE:
            real[mode] = replace(generic[mode], too_large=True)
        else:
            real[mode] = make_world(built.network, sizes, flat, SEED + 50)
    return Worlds(generic, real)


def _count_symbols(network: Network) -> list[Any]:
    return [
        a.extent
        for t in network.of_kind("input")
        for a in t.axes
        if a.name == "n" and a.extent.is_Symbol
    ]


def one_hot_worlds(world: World) -> Iterator[World]:
    """The world with labels that are 1 at one class, for each class."""
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
        values = {
            t.name: np.stack([np.asarray(p.values[t.name], dtype=float) for p in points])
            for t in network.tensors
        }
        yield World(network, values, tuple(points), world.flat)
