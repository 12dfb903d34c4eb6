r"""The recursion of backpropagation for a layer that is itself an index.

Owns: the multilayer perceptron of symbolic depth as one network, in which l is an axis and the
widths are n[l]; the derivations that the reverse sweep gives for it, split where the last layer
differs from the others.
Refuses: another derivation than that of `derive.sweep`; softmax inside, whose sum over the
features would need a name in every layer. The loss is arbitrary: it enters through its gradient
with respect to the output, G = dL/dH^D, that is as L = sum g[n,k] h[D,n,k] with g held fixed.
Would be wrong if: a layer index left its axis unnoticed. Reads outside are 0, so W[D+1] vanishes
by itself and the case l = D needs no rule of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from sympy import Expr, Integer, Symbol

from symbackprop.calculus.terms import (
    Applied,
    Axis,
    Delta,
    Element,
    Expression,
    Index,
    Term,
    expression,
    product,
    substitute,
)
from symbackprop.derivation.steps import Derivation, Step, Sweep
from symbackprop.derivation.sweep import sweep, written_out
from symbackprop.networks.network import CountsClasses, Equation, Network, Tensor

DEPTH = Symbol("D", integer=True, positive=True)
SAMPLES = Symbol("N", integer=True, positive=True)
WIDEST = Integer(5)
SOURCE = "Goodfellow, Bengio and Courville 2016, Algorithm 6.3"


@dataclass(frozen=True)
class Recursion:
    """The derivations of the layers 1 to D of a perceptron with one activation, by tensor.

    `below`: "z" and "h" under the last layer; `last`: the same at l = D, where the loss is read;
    `gradients`: "W" and "b" of every layer.
    """

    swept: Sweep

    @cached_property
    def below(self) -> dict[str, Derivation]:
        return {"z": _below_the_last(self._of_z), "h": _below_the_last(self.swept["h"])}

    @cached_property
    def last(self) -> dict[str, Derivation]:
        extended = self.swept.extended
        return {
            "z": _at_the_last(self._of_z, extended),
            "h": _at_the_last(self.swept["h"], extended),
        }

    @cached_property
    def gradients(self) -> dict[str, Derivation]:
        return {name: self.swept[name] for name in ("W", "b")}

    @cached_property
    def _of_z(self) -> Derivation:
        return written_out(self.swept, "z", "h")


def recursion(activation: str) -> Recursion:
    """The recursion for a symbolic layer index l, by the same sweep as every network."""
    return Recursion(sweep(perceptron(activation)))


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
