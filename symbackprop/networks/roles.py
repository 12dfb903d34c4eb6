"""Tensors by the part they play in a layer: weight, bias, total, output, sum.

Owns: `layers_of`, which finds the layers of a network. Would be wrong if a layer's tensors were
taken by name where the network knows them by alias (`h1` is `z1` where there is no activation).
"""

from __future__ import annotations

from dataclasses import dataclass

from symbackprop.calculus.terms import Applied, Expression, Term
from symbackprop.networks import names
from symbackprop.networks.network import Network


@dataclass(frozen=True)
class LayerNames:
    """Tensor names of one layer: source -> (weight, bias) -> total -> output.

    `function` is the scalar activation, 'softmax', or empty; without one, output is total.
    """

    number: int
    source: str
    weight: str
    bias: str
    total: str
    output: str
    function: str

    @property
    def delta(self) -> str:
        """The adjoint of `total`."""
        return names.delta(self.number)

    @property
    def sum(self) -> str:
        """What a softmax divides by."""
        return names.softmax_sum(self.number)


def layers_of(network: Network) -> tuple[LayerNames, ...]:
    """Layers from the input on."""
    found = []
    source = names.INPUT
    for number in range(1, network.depth + 1):
        total = network.resolve(names.total(number))
        output = names.OUTPUT if number == network.depth else network.resolve(names.output(number))
        weight, bias = names.weight(number), names.bias(number)
        bias = bias if bias in network.by_name else ""
        function = "" if output == total else _function(network, output)
        found.append(LayerNames(number, source, weight, bias, total, output, function))
        source = output
    return tuple(found)


def activation(network: Network, layer: int) -> str | None:
    """The scalar function of a layer, `softmax` or `identity`; None where there is none."""
    total, output = network.resolve(names.total(layer)), network.resolve(names.output(layer))
    if layer < 1 or output not in network.by_name:
        return None
    return "identity" if total == output else _function(network, output)


def functions_of(network: Network, tensor: str) -> tuple[str, ...]:
    """The scalar functions in a tensor's equation that keep a name: all but exp, log and such."""
    applied = functions_in(network.equation_of[tensor].rhs)
    return tuple(name for name in sorted(applied) if not network.functions[name].elementary)


def functions_in(whole: Expression) -> set[str]:
    """The scalar functions that stand in an expression, or a derivative of theirs."""
    factors = (factor for term in whole.terms for factor in term.factors)
    return {applied.function for factor in factors for applied in factor.atoms(Applied)}


def _function(network: Network, output: str) -> str:
    match network.equation_of[output].rhs.terms:
        case (Term(factors=(Applied(order=0) as applied,)),):
            return applied.function
        case _:
            return "softmax"
