"""The records of a derivation: its steps, what it derives, and all derivations of a network.

Owns: `Step`, `Derivation`, `Sweep`, as data. Refuses: deriving anything. The trace is the
computation: the result of a derivation is the right side of its last step.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from symbackprop.calculus.terms import Expression, Index
from symbackprop.networks.network import Network


@dataclass(frozen=True)
class Step:
    """before = after, by `rule`, because of `reason`."""

    rule: str
    before: Expression
    after: Expression
    reason: str


@dataclass(frozen=True)
class Derivation:
    """d `of` / d `wrt` at `indices` (those of `of` first, none for the loss; then those of wrt).

    `result` is in terms of the network's tensors and of adjoints that keep a name.
    """

    of: str
    wrt: str
    indices: tuple[Index, ...]
    steps: tuple[Step, ...]

    @property
    def result(self) -> Expression:
        return self.steps[-1].after

    def then(self, step: Step | None) -> Derivation:
        if step is None:
            return self
        return Derivation(self.of, self.wrt, self.indices, (*self.steps, step))


@dataclass(frozen=True)
class Sweep:
    """All adjoints of a network: d loss / d tensor for every tensor that the loss depends on.

    `extended` is the network with one further tensor for each adjoint, so that results, which
    name adjoints, can be read, checked and evaluated.
    """

    network: Network
    derivations: Mapping[str, Derivation]

    @cached_property
    def extended(self) -> Network:
        return self.network.with_adjoints

    def __getitem__(self, name: str) -> Derivation:
        return self.derivations[self.network.resolve(name)]
