"""The network at numbers, against which every formula of a document is checked.

Values come from the interpreter's forward pass and from its complex step: nothing that a
derivation says is used, so a wrong derivation cannot confirm itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from sympy import Symbol

from symbackprop.derivation.evaluate import Point, jacobian, random_point
from symbackprop.networks.network import Network

Array = npt.NDArray[Any]
DEEP = 20


@dataclass(frozen=True)
class Scene:
    """One network (adjoints included) at one point, with a memory of derivatives taken there."""

    network: Network
    point: Point
    known: dict[tuple[str, str], Array] = field(default_factory=dict, compare=False, repr=False)

    @property
    def values(self) -> Mapping[str, Array]:
        return self.point.values

    def jacobian(self, of: str, wrt: str) -> Array:
        """d of / d wrt along every path, by complex step; the identity for a tensor by itself."""
        if (of, wrt) not in self.known:
            self.known[of, wrt] = jacobian(self.point, of, wrt, total=True)
        return self.known[of, wrt]

    def with_value(self, tensor: str, array: Array) -> Scene:
        """The scene with one tensor replaced, everything else (later tensors too) as it was."""
        return replace(self, point=self.point.with_values({tensor: array}), known={})


def scene_of(network: Network, sizes: Mapping[Symbol, int], seed: int) -> Scene:
    """A generic point of the network at these sizes, adjoints by complex step."""
    point = random_point(network, seed, sizes)
    return with_derivatives(network, point)


def with_derivatives(network: Network, point: Point) -> Scene:
    """The point, and beside every tensor the derivative of the loss by it."""
    extended = network.with_adjoints
    names = [t.name for t in network.tensors if t.kind not in ("label", "loss")]
    if len(network.equations) > DEEP:
        taken = _accumulated(network, point)
    else:
        taken = {name: jacobian(point, network.loss, name, total=True) for name in names}
    named = {network.adjoint_name(name): taken[name] for name in names}
    full = Point(extended, {**point.values, **named}, point.sizes, point.arithmetic)
    return Scene(extended, full, {(network.loss, name): taken[name] for name in names})


def _accumulated(network: Network, point: Point) -> dict[str, Array]:
    """The same for a deep network, where a complex step of the whole network for every tensor
    would cost the square of the depth: the chain rule on numbers, with a complex step of one
    equation at a time."""
    taken = {t.name: np.zeros(np.shape(point.values[t.name])) for t in network.tensors}
    taken[network.loss] = np.ones(())
    for equation in reversed(network.equations):
        above = taken[equation.target]
        for name in sorted(equation.reads):
            if network.by_name[name].kind != "label":
                local = jacobian(point, equation.target, name, total=False)
                taken[name] = taken[name] + np.tensordot(above, local, axes=above.ndim)
    return taken
