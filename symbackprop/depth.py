r"""The recursion of backpropagation for a layer that is itself an index.

Owns: the multilayer perceptron of symbolic depth as one network, in which l is an axis and the
widths are n[l]; the statements that the reverse sweep gives for it, split where the last layer
differs from the others.
Refuses: another derivation than that of `derive.sweep`; softmax inside, whose sum over the
features would need a name in every layer. The loss is arbitrary: it enters through its gradient
with respect to the output, G = dL/dH^D, that is as L = sum g[n,k] h[D,n,k] with g held fixed.
Would be wrong if: a layer index left its axis unnoticed. Reads outside are 0, so W[D+1] vanishes
by itself and the case l = D needs no rule of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

from sympy import Expr, Integer, Symbol

from symbackprop.derive import Derivation, Step, Sweep, sweep, written_out
from symbackprop.errors import UnsupportedError, UsageError, did_you_mean
from symbackprop.latex import Typesetting
from symbackprop.layers.activations import ACTIVATIONS
from symbackprop.matrixform import matrix_form
from symbackprop.network import CountsClasses, Equation, Network, Tensor
from symbackprop.notation import Notation
from symbackprop.terms import (
    Applied,
    Axis,
    Delta,
    Element,
    Expression,
    Index,
    Term,
    expression,
    map_factors,
    product,
    substitute,
)

DEPTH = Symbol("D", integer=True, positive=True)
SAMPLES = Symbol("N", integer=True, positive=True)
WIDEST = Integer(5)
SOURCE = "Goodfellow, Bengio and Courville 2016, Algorithm 6.3"


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
            return setting.name("dz", labels=[_delta_label(place, self.notation)])
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
    swept: Sweep
    notation: Notation = field(default_factory=Notation)

    def __repr__(self) -> str:
        return f"DepthDerivation({self.activation!r})"

    def _repr_markdown_(self) -> str:
        lines = [f"$$\n{line.latex}\n$$\n\nfor {line.holds}" for line in self.statements]
        return "\n\n".join([self.where + ".", *lines])

    @property
    def network(self) -> Network:
        return self.swept.network

    @cached_property
    def adjoints(self) -> Mapping[str, Statement]:
        return {
            "z": self._statement(_below_the_last(self._of_z), "1 <= l < D"),
            "h": self._statement(_below_the_last(self.swept["h"]), "0 <= l < D"),
        }

    @cached_property
    def boundary(self) -> Mapping[str, Statement]:
        return {
            "z": self._statement(_at_the_last(self._of_z, self.swept.extended), "l = D"),
            "h": self._statement(_at_the_last(self.swept["h"], self.swept.extended), "l = D"),
        }

    @cached_property
    def gradients(self) -> Mapping[str, Statement]:
        return {name: self._statement(self.swept[name], "1 <= l <= D") for name in ("W", "b")}

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

    @cached_property
    def _of_z(self) -> Derivation:
        return written_out(self.swept, "z", "h")

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
    swept = sweep(perceptron(activation))
    return DepthDerivation(activation, swept, notation if notation is not None else Notation())


def perceptron(activation: str) -> Network:
    """z[l,n,k] = sum_j h[l-1,n,j] W[l,j,k] + b[l,k] and h[l,n,k] = f(z[l,n,k]), h[0] = x.

    Shapes: layer l from 1 to D (h from 0), sample n, units j of layer l - 1 and k of layer l.
    """
    l = Index("l", Axis("layer", DEPTH, "layer", start=1))
    wide = Index("l", Axis("layer", DEPTH + 1, "layer"))
    n = Index("n", Axis("n", SAMPLES, "sample"))
    # whole numbers that nothing is differentiated by: of the engine's kinds, that is a label
    widths = Tensor("n", (wide,), "label", (CountsClasses(Axis("width", WIDEST, start=1)),))
    j, k, i = _unit("j", l - 1), _unit("k", l), _unit("i", Integer(0))
    unit, last = _unit("k", wide), _unit("k", DEPTH)
    x = Tensor("x", (n, i), "input", letter="x")
    g = Tensor("g", (n, last), "label", letter="g")
    W = Tensor("W", (l, j, k), "parameter", letter="W")
    b = Tensor("b", (l, k), "parameter", letter="b")
    z = Tensor("z", (l, n, k), "intermediate", letter="z")
    h = Tensor("h", (wide, n, unit), "intermediate", letter="h")
    affine = expression(
        product(1, (j,), (Element("h", l - 1, n, j), W.entry)), product(1, (), (b.entry,))
    )
    # h^0 = x, and h^l = f(z^l) from l = 1: each axis is met by a delta where the other one ends
    m = Index("m", l.axis)
    u = _unit("u", m)
    start = product(1, (i,), (Delta(wide, 0), Delta(i, unit), x.entry))
    applied = _applied(activation, Element("z", m, n, u))
    layer = product(1, (m, u), (Delta(m, wide), Delta(u, unit), applied))
    total = product(1, (n, last), (g.entry, Element("h", DEPTH, n, last)))
    return Network(
        f"{activation} layers",
        (widths, x, g, W, b, z, h, Tensor("L", (), "loss", letter="L")),
        (
            Equation("z", z.indices, affine, SOURCE),
            Equation("h", h.indices, expression(start, layer), SOURCE),
            Equation("L", (), expression(total)),
        ),
        loss="L",
    )


def _unit(name: str, layer: Expr) -> Index:
    return Index(name, Axis("unit", Element("n", layer)))


def _applied(activation: str, argument: Expr) -> Expr:
    return argument if activation == "identity" else Applied(activation, 0, argument)


# --------------------------------------------------------------------------------------------
# The last layer and the others
# --------------------------------------------------------------------------------------------


def _below_the_last(derivation: Derivation) -> Derivation:
    """l < D: the loss does not read this layer."""
    kept = [t for t in derivation.result.terms if not any(_picks_the_last(f) for f in t.factors)]
    return derivation.then(
        Step(
            "below the last layer",
            derivation.result,
            Expression(tuple(kept)),
            "only the last layer is read by the loss itself; here l < D",
        )
    )


def _picks_the_last(factor: Expr) -> bool:
    return isinstance(factor, Delta) and DEPTH in factor.args


def _at_the_last(derivation: Derivation, network: Network) -> Derivation:
    """l = D: what belongs to layer D + 1 is not there, and counts as 0."""
    layer, *others = derivation.indices
    placed = [substitute(term, {layer: DEPTH}) for term in derivation.result.terms]
    present = [t for t in placed if t is not None and not _reads_beyond(t, network)]
    indices = (layer, *(Index(i.name, i.axis.substitute({layer: DEPTH})) for i in others))
    renamed = {
        Index(i.name, i.axis): new for i, new in zip(others, indices[1:], strict=True) if i != new
    }
    after = expression(*(substitute(term, renamed) for term in present))
    step = Step(
        "at the last layer",
        derivation.result,
        after,
        "l = D: there is no layer D + 1, and the loss reads this one",
    )
    return Derivation(derivation.of, derivation.wrt, indices, (*derivation.steps, step))


def _reads_beyond(term: Term, network: Network) -> bool:
    beyond = DEPTH + 1
    return any(
        isinstance(factor, Element) and beyond in factor.indices and _is_layered(factor, network)
        for factor in term.factors
    )


def _is_layered(element: Element, network: Network) -> bool:
    return network.by_name[element.tensor].axes[0].role == "layer"


# --------------------------------------------------------------------------------------------
# Printing
# --------------------------------------------------------------------------------------------


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
            return Element("dz", _delta_label(layer, notation), *places)
        return factor

    return map_factors(whole, change)


def _delta_label(layer: Expr, notation: Notation) -> Expr:
    return layer if notation.delta == "by_layer" else DEPTH + 1 - layer
