r"""The recursion of backpropagation as statements that can be read: one line a tensor.

Owns: where each line holds, how it is printed, and which activations it is there for.
Refuses: deriving; the recursion is that of `depth`. Would be wrong if δ were numbered from
another end than the notation says.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

from sympy import Expr

from symbackprop.calculus.terms import Element, Expression, Index, map_factors
from symbackprop.derivation.depth import DEPTH, Recursion, recursion
from symbackprop.derivation.matrixform import matrix_form
from symbackprop.derivation.steps import Derivation, Step, Sweep
from symbackprop.errors import UnsupportedError, UsageError, did_you_mean
from symbackprop.networks.layers.activations import ACTIVATIONS
from symbackprop.networks.network import Network
from symbackprop.notation import Notation
from symbackprop.writing.latex import Typesetting


@dataclass(frozen=True)
class Statement:
    """One line of the recursion: d loss / d `tensor`, for the layers of `holds`."""

    tensor: str
    derivation: Derivation
    holds: str
    network: Network
    notation: Notation

    @property
    def result(self) -> Expression:
        return self.derivation.result

    @property
    def steps(self) -> tuple[Step, ...]:
        return self.derivation.steps

    @property
    def indices(self) -> tuple[Index, ...]:
        return self.derivation.indices

    @property
    def latex(self) -> str:
        r"""The matrix form: `\delta^{l} = (\delta^{l+1} W^{l+1\top}) \circ \sigma'(Z^{l})`."""
        return f"{self.left()} = {self.right()}"

    @property
    def index_latex(self) -> str:
        """The right side entry by entry."""
        return self._setting(False).expression(_numbered(self.result, self.notation))

    def left(self) -> str:
        """What is stated: an error term, or the derivative by a parameter of layer l."""
        setting = self._setting(False)
        layer = self.derivation.indices[0]
        place = DEPTH if self.holds == "l = D" else layer
        if self.tensor == "z":
            return setting.name("dz", labels=[self.notation.delta_number(place, DEPTH)])
        return setting.partial(setting.goal, setting.name(self.tensor, labels=[place]))

    def right(self, general: bool = False) -> str:
        """The matrix form of the result; `general` writes the activation as f."""
        shown = _numbered(self.result, self.notation)
        node = matrix_form(shown, self.indices, self.network)
        assert node is not None  # a product of matrices under every activation that is supported
        return self._setting(general).matrix(node)

    def _setting(self, general: bool) -> Typesetting:
        return Typesetting(_printed(self.network), self.notation, general=general)


@dataclass(frozen=True)
class DepthDerivation:
    """The recursion over the layers 1 to D of a perceptron with one activation.

    `adjoints` ("z", "h"): below the last layer; `boundary`: the same at l = D, where the loss is
    read; `gradients` ("W", "b"): every layer.
    """

    activation: str
    recursion: Recursion
    notation: Notation = field(default_factory=Notation)

    def __repr__(self) -> str:
        return f"DepthDerivation({self.activation!r})"

    def _repr_markdown_(self) -> str:
        lines = [f"$$\n{line.latex}\n$$\n\nfor {line.holds}" for line in self.statements]
        return "\n\n".join([self.where + ".", *lines])

    @property
    def swept(self) -> Sweep:
        return self.recursion.swept

    @property
    def network(self) -> Network:
        return self.swept.network

    @cached_property
    def adjoints(self) -> Mapping[str, Statement]:
        below = self.recursion.below
        return {
            "z": self._statement(below["z"], "1 <= l < D"),
            "h": self._statement(below["h"], "0 <= l < D"),
        }

    @cached_property
    def boundary(self) -> Mapping[str, Statement]:
        return {n: self._statement(d, "l = D") for n, d in self.recursion.last.items()}

    @cached_property
    def gradients(self) -> Mapping[str, Statement]:
        found = self.recursion.gradients
        return {name: self._statement(d, "1 <= l <= D") for name, d in found.items()}

    @property
    def statements(self) -> tuple[Statement, ...]:
        """All lines, in the order in which they are computed."""
        return (self.boundary["z"], self.adjoints["z"], *self.gradients.values())

    @property
    def where(self) -> str:
        """What the letters mean, in words."""
        return (
            "h^0 = x, the widths are n[0] to n[D], and G is the gradient of the loss with respect "
            "to the output h^D, whatever the loss"
        )

    def _statement(self, derivation: Derivation, holds: str) -> Statement:
        return Statement(derivation.wrt, derivation, holds, self.swept.extended, self.notation)


def derive_depth(activation: str, notation: Notation | None = None) -> DepthDerivation:
    """The recursion for a symbolic layer index l, by the same sweep as every network.

    Raises: UsageError for an unknown activation, UnsupportedError for softmax.
    """
    if activation not in ACTIVATIONS:
        hint = did_you_mean(activation, ACTIVATIONS)
        raise UsageError(
            f"activation: found {activation!r}, expected one of {', '.join(ACTIVATIONS)}"
            + (f"; {hint}" if hint else "")
        )
    if activation == "softmax":
        raise UnsupportedError(
            "softmax does not work entry by entry, so that delta^l has no factor f'(z^l); "
            "ask for a network with softmax at the end, whose layers are then counted"
        )
    return DepthDerivation(activation, recursion(activation), notation or Notation())


def _printed(network: Network) -> Network:
    r"""The network with \delta for the adjoint of z, which is marked by its label l."""
    tensors = tuple(
        replace(tensor, kind="intermediate", letter="delta") if tensor.name == "dz" else tensor
        for tensor in network.tensors
    )
    return replace(network, tensors=tensors)


def _numbered(whole: Expression, notation: Notation) -> Expression:
    """The labels of delta as the notation counts them: from the input, or from the output."""

    def change(factor: Expr) -> Expr:
        if isinstance(factor, Element) and factor.tensor == "dz":
            layer, *places = factor.indices
            return Element("dz", notation.delta_number(layer, DEPTH), *places)
        return factor

    return map_factors(whole, change)
