"""What the tracer proves about the code that a document shows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from symbackprop.derivation.steps import Sweep
from symbackprop.document.blocks import Check
from symbackprop.proving.code import prove_source
from symbackprop.verdict import Equal, Verdict
from symbackprop.writing.code.numpy_backend import FUNCTION, emit


@dataclass(frozen=True)
class Proven:
    """Program text, and for each tensor of the network (`L` for the loss) what was shown of the
    line that computes its derivative."""

    source: str
    checks: Mapping[str, Check]

    @property
    def is_complete(self) -> bool:
        return all(check.kind == "proved" for check in self.checks.values())


def proven(swept: Sweep, sizes: Mapping) -> Proven:  # type: ignore[type-arg]
    """Emit the module for the parameters and prove it; the derivative by the input is proved in
    a second text, which the document does not show."""
    network = swept.network
    parameters = [tensor.name for tensor in network.of_kind("parameter")]
    shown = emit(swept, parameters, sizes=sizes)
    verdicts = dict(prove_source(shown, FUNCTION, network, swept))
    more = prove_source(emit(swept, ["x"], sizes=sizes), FUNCTION, network, swept)
    verdicts |= {name: verdict for name, verdict in more.items() if name not in verdicts}
    checks = {}
    for name in (*parameters, "x", *swept.derivations):
        found = verdicts.get(name if name in (*parameters, "x") else network.adjoint_name(name))
        if found is not None:
            checks[name] = _check(found)
    if "loss" in verdicts:
        checks[network.loss] = _check(verdicts["loss"])
    return Proven(shown, checks)


def _check(verdict: Verdict) -> Check:
    if isinstance(verdict, Equal):
        detail = "" if verdict.method == "proved" else verdict.detail
        return Check(verdict.method, detail, verdict.facts)
    return Check("none", "the line was not proved")
