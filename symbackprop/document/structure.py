"""What a section needs to know of a multilayer network: its layers by name."""

from __future__ import annotations

from dataclasses import dataclass

from symbackprop.network import Network
from symbackprop.terms import Applied, Expression, Term


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


def layers_of(network: Network) -> tuple[LayerNames, ...]:
    """Layers from the input on."""
    depth = max((tensor.layer or 0 for tensor in network.tensors), default=0)
    found = []
    source = "x"
    for number in range(1, depth + 1):
        total = network.resolve(f"z{number}")
        output = "yhat" if number == depth else network.resolve(f"h{number}")
        bias = f"b{number}" if f"b{number}" in network.by_name else ""
        function = "" if output == total else _function(network, output)
        found.append(LayerNames(number, source, f"W{number}", bias, total, output, function))
        source = output
    return tuple(found)


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
