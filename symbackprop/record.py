"""The whole derivation as plain data: what `derive --format json` writes.

Owns: the names and nesting of the record. Refuses: mathematics; every string comes from the object
that it describes, and every check says what was done.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from symbackprop.document.blocks import Check as Proof
from symbackprop.document.sympy_says import Said
from symbackprop.errors import UnsupportedError
from symbackprop.networks.layers.architecture import Architecture
from symbackprop.networks.network import Network
from symbackprop.proving.crosscheck import Check
from symbackprop.results import Gradient
from symbackprop.writing.latex import Typesetting


def record(
    setting: Typesetting,
    architecture: Architecture | None,
    *,
    gradients: Iterable[Gradient],
    adjoints: Iterable[Gradient],
    jacobian: Callable[[str, str], Gradient],
    proofs: Mapping[str, Proof],
    said: Said,
) -> dict[str, Any]:
    """Network, gradients with their steps, Jacobians of one sample, checks, and what SymPy says:
    lines of Python and what each prints, or why there are none."""
    return {
        "network": _network(setting, architecture),
        "gradients": [_gradient(g) for g in gradients],
        "adjoints": [_gradient(g) for g in adjoints],
        "jacobians": [_gradient(g) for g in _jacobians(setting.network, jacobian)],
        "checks": [
            {
                "name": name,
                "of": "line of the code",
                "kind": proof.kind,
                "detail": proof.detail,
                "facts": list(proof.facts),
            }
            for name, proof in proofs.items()
        ],
        "sympy": {
            "lines": [{"code": code, "output": output} for code, output in said.lines],
            "left_out": said.reason or None,
        },
    }


def _network(setting: Typesetting, architecture: Architecture | None) -> dict[str, Any]:
    described: dict[str, Any] = {"name": setting.network.name}
    if architecture is not None:
        described |= {
            "input": architecture.input,
            "layers": [
                {"units": layer.units, "activation": layer.activation, "bias": layer.bias}
                for layer in architecture.layers
            ],
            "loss": architecture.loss,
            "reduction": architecture.reduction,
            "half": architecture.half,
            "labels": architecture.labels,
            "samples": architecture.samples,
        }
    described["samples_as"] = setting.notation.samples
    described["equations"] = [
        {
            "name": equation.target,
            "index": f"{setting.entry(equation.entry)} = {setting.expression(equation.rhs)}",
            "source": equation.source,
        }
        for equation in setting.network.equations
    ]
    return described


def _gradient(gradient: Gradient) -> dict[str, Any]:
    return {
        "name": gradient.name,
        "shape": [size if isinstance(size, int) else str(size) for size in gradient.shape],
        "matrix": gradient.latex if gradient.matrix is not None else None,
        "index": gradient.index_latex,
        "numpy": gradient.numpy,
        "steps": [
            {
                "rule": step.rule,
                "before": str(step.before),
                "after": str(step.after),
                "reason": step.reason,
                "check": _check(step.check),
            }
            for step in gradient.steps
        ],
    }


def _check(check: Check) -> dict[str, Any]:
    return {
        "kind": check.kind,
        "detail": check.detail,
        "facts": list(check.facts),
        "holds": check.holds,
    }


def _jacobians(network: Network, jacobian: Callable[[str, str], Gradient]) -> Iterator[Gradient]:
    """Each computed tensor by each tensor that its equation reads, sums of a softmax apart."""
    for tensor in network.of_kind("intermediate"):
        for other in network.of_kind("input", "parameter", "intermediate"):
            if any(equation.target == tensor.name for equation in network.readers[other.name]):
                try:
                    yield jacobian(tensor.name, other.name)
                except UnsupportedError:
                    continue
