"""The networks that a note may mean, and the worlds in which it is judged.

Owns: `Variant`, the network for a batch and for one sample; `worlds_of`. Refuses: notes. Would be
wrong if two sizes were equal that are not in the user's network.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

from sympy import Symbol

from symbackprop.derivation.evaluate import generic_sizes
from symbackprop.judging.notes.formula.judge import Worlds
from symbackprop.networks.layers.architecture import Architecture
from symbackprop.networks.layers.losses import LOSSES
from symbackprop.networks.layers.multilayer import Built, build
from symbackprop.networks.network import Network
from symbackprop.witnesses.truth import World, make_world, under_loss

SEED = 11
SIZES = (3, 2, 5, 4, 7, 6, 9, 8, 11, 10, 13, 12)
LARGEST_SIZE = 64  # of an axis at which single entries are judged


@dataclass(frozen=True)
class Variant:
    """The network for a batch and for one sample, under one reduction of the loss; `one_hot`
    where its labels are 1 at one class; `loss` is the name of its loss in a file."""

    batch: Built
    one: Built | None
    one_hot: bool = False
    loss: str = ""

    @property
    def modes(self) -> dict[str, Built]:
        built = {"one": self.one, "batch": self.batch}
        return {mode: each for mode, each in built.items() if each is not None}


def variants_of(architecture: Architecture) -> dict[str, Variant]:
    """The network under each reduction that notes about it may mean, its own first."""
    found = {architecture.reduction: _variant(architecture)}
    if LOSSES[architecture.loss].labelled:
        for other in ("sum", "mean"):
            if other not in found:
                found[other] = _variant(replace(architecture, reduction=other))
    return found


def _variant(architecture: Architecture) -> Variant:
    one_hot = LOSSES[architecture.loss].classes and architecture.labels == "one_hot"
    batch, one = build(architecture), build(architecture, one_sample=True)
    return Variant(batch, one, one_hot, architecture.loss)


def worlds_of(
    variants: Mapping[str, Variant], samples: int | None, taken: Collection[int] = ()
) -> dict[str, Worlds]:
    """The network under each reduction, at the same points: at generic sizes, none of them a
    number that is `taken`, and at the user's own; a batch is of `samples`, else of 3."""
    found: dict[str, Worlds] = {}
    for name, variant in variants.items():
        known = next(iter(found.values()), None)
        found[name] = _worlds(variant, samples, taken) if known is None else _under(variant, known)
    return found


def _worlds(variant: Variant, samples: int | None, taken: Collection[int]) -> Worlds:
    flat = frozenset(
        a.name
        for t in variant.batch.network.tensors
        for a in t.axes
        if variant.batch.sizes.get(a.extent) == 1
    )
    generic: dict[str, World] = {}
    real: dict[str, World] = {}
    for mode, built in variant.modes.items():
        single = {s: 1 for s, n in built.sizes.items() if n == 1}
        generic[mode] = make_world(built.network, {**_sizes(built, taken), **single}, flat, SEED)
        sizes = dict(built.sizes)
        for symbol in _count_symbols(built.network):
            sizes[symbol] = samples or 3
        if max(sizes.values(), default=1) > LARGEST_SIZE:
            real[mode] = replace(generic[mode], too_large=True)
        else:
            real[mode] = make_world(built.network, sizes, flat, SEED + 50)
    own = {size for size in variant.batch.sizes.values() if size > 1}
    if samples is not None or not own & set(taken) or max(own) > LARGEST_SIZE:
        return Worlds(generic, real)
    free = (size for size in SIZES if not {size - 1, size, size + 1} & {*taken, *own})
    if (apart := next(free, None)) is None:
        return Worlds(generic, real)
    sized = {
        mode: make_world(
            built.network,
            {**built.sizes, **dict.fromkeys(_count_symbols(built.network), apart)},
            flat,
            SEED + 90,
        )
        for mode, built in variant.modes.items()
    }
    return Worlds(generic, real, sized)


def single_units(built: Built) -> World:
    """The network with one unit in each layer, all axes without places to a reader."""
    labels = frozenset(a.name for t in built.network.tensors for a in t.axes)
    sizes = dict.fromkeys(generic_sizes(built.network), 1)
    return make_world(built.network, sizes, labels, SEED + 130)


def _sizes(built: Built, taken: Collection[int]) -> dict[Symbol, int]:
    """Sizes apart from all constants of the note: 1/3 is not 1/N by accident, nor N - 1 two."""
    symbols = generic_sizes(built.network)
    apart = (size for size in SIZES if not {size - 1, size, size + 1} & set(taken))
    free = tuple(apart) or SIZES
    return {symbol: free[place % len(free)] for place, symbol in enumerate(symbols)}


def _under(variant: Variant, worlds: Worlds) -> Worlds:
    """The worlds for another reduction of the loss."""
    generic, real, sized = (
        {mode: under_loss(known[mode], variant.modes[mode].network) for mode in known}
        for known in (worlds.generic, worlds.real, worlds.sized)
    )
    real = {m: replace(w, too_large=worlds.real[m].too_large) for m, w in real.items()}
    return Worlds(generic, real, sized)


def _count_symbols(network: Network) -> list[Any]:
    return [
        a.extent
        for t in network.of_kind("input")
        for a in t.axes
        if a.name == "n" and a.extent.is_Symbol
    ]
