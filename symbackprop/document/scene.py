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

from symbackprop.derive import with_adjoints
from symbackprop.evaluate import Point, jacobian, random_point
from symbackprop.network import Network

Array = npt.NDArray[Any]


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
    extended = with_adjoints(network)
    taken = {
        adjoint.name: jacobian(point, network.loss, _owner(adjoint.name, network), total=True)
        for adjoint in extended.of_kind("adjoint")
    }
    full = Point(extended, {**point.values, **taken}, point.sizes, point.arithmetic)
    known = {
        (network.loss, _owner(name, network)): np.asarray(array) for name, array in taken.items()
    }
    return Scene(extended, full, known)


def _owner(adjoint: str, network: Network) -> str:
    from symbackprop.derive import adjoint_name

    return next(
        tensor.name
        for tensor in network.tensors
        if tensor.kind not in ("label", "loss") and adjoint_name(network, tensor.name) == adjoint
    )
