"""Every refutation is recomputed from its report: by its own script, and from the given values."""

from __future__ import annotations

import contextlib
import io
import random
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import symbackprop as sbp
from symbackprop.judging.report import Claim
from symbackprop.reading.notes.files import READERS
from symbackprop.witnesses import reference
from tests.bench_verify import judged, seed_text
from tests.slips import Slip, chosen, slipped_text

pytestmark = pytest.mark.slow

COUNT, SEED = 20, 5
CLOSE = 1e-6


@pytest.fixture(scope="module")
def seed_claims() -> tuple[Claim, ...]:
    return _refuted(judged(seed_text(), net="four-layer").claims)


@cache
def _of_slip(slip: Slip) -> tuple[Claim, ...]:
    return _refuted(judged(slipped_text(slip), Path(slip.note).suffix).claims)


def _refuted(claims: Any) -> tuple[Claim, ...]:
    return tuple(claim for claim in claims if claim.status == "refuted")


def _sample() -> list[Slip]:
    return random.Random(SEED).sample(list(chosen()), COUNT)


def _name(slip: Slip) -> str:
    return f"{Path(slip.note).stem}-{slip.line}"


def _printed(script: str) -> str:
    """What a script prints; the refusal of NumPy where shapes do not fit."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out), np.errstate(all="ignore"):
        try:
            exec(script, {})
        except ValueError as problem:
            return f"ValueError: {problem}"
    return out.getvalue()


def check_script(claim: Claim) -> None:
    """The script shows the difference that the claim states."""
    point = claim.counterexample
    assert point is not None
    if "script" not in point:
        assert claim.method in ("ill-formed", "structure", "shape")
        assert point["reason"]
        return
    said = _printed(point["script"])
    if claim.method == "shape":
        shapes = re.findall(r"\(([\d, ]*)\)", said)
        assert said.startswith("ValueError") or shapes[0] != shapes[1], point["script"]
        return
    left, right = map(float, said.split())
    assert left == pytest.approx(point["left"], rel=CLOSE)
    assert right == pytest.approx(point["right"], rel=CLOSE)
    assert abs(left - right) > 1e-7 * max(abs(left), abs(right), 1e-3)


# ---- the quantities, from nothing but the values


class Recomputed:
    """The tensors and derivatives of a network of the report, by the hand-written reference."""

    def __init__(self, net: sbp.Net, point: Mapping[str, Any]) -> None:
        architecture = net.architecture
        assert architecture is not None
        self.model = reference.Model(
            tuple(layer.activation for layer in architecture.layers),
            architecture.loss,
            architecture.labels,
            architecture.reduction,
            architecture.half,
        )
        values = {name: np.array(value) for name, value in point["values"].items()}
        self.x, self.y = (np.atleast_2d(values.pop(name)) for name in "xy")
        self.params = values
        self.depth = len(architecture.layers)
        self.tape = {"x": self.x, "y": self.y, **self.params}
        self.tape |= reference.forward(self.model, self.params, self.x)
        self.tape["L"] = reference.loss(self.model, self.params, self.x, self.y)
        self.tape["loss_n"] = self._loss_of_each(self.params)
        self.tape["N"] = np.array(float(len(self.x)))

    def _loss_of_each(self, params: Mapping[str, Any]) -> Any:
        """(N,): the loss of a batch of one sample, for each sample."""
        pairs = [(self.x[n : n + 1], self.y[n : n + 1]) for n in range(len(self.x))]
        return np.array([float(reference.loss(self.model, params, x, y)) for x, y in pairs])

    def quantity(self, name: str) -> Any:
        """h2, dL/dz3, N * dL/dz3, dz3/dh2."""
        factor, _, name = name.rpartition(" * ")
        scale = {"": 1, "N": len(self.x), "-N": -len(self.x)}[factor]
        if "/" not in name:
            return scale * self.tape[name]
        scale *= -1 if name.startswith("-") else 1
        of, wrt = re.fullmatch(r"-?d(\w+)/d(\w+)", name).groups()  # type: ignore[union-attr]
        return scale * self._derivative(of, wrt)

    def _derivative(self, of: str, wrt: str) -> Any:
        """By central differences of the forward pass."""
        start = self.tape[wrt]
        found = np.zeros((*np.shape(self.tape[of]), *np.shape(start)))
        for place in np.ndindex(np.shape(start)):
            step = np.zeros(np.shape(start))
            step[place] = 1e-6
            change = self._value(of, wrt, start + step) - self._value(of, wrt, start - step)
            found[(..., *place)] = change / 2e-6
        return found

    def _value(self, of: str, wrt: str, value: Any) -> Any:
        params = {**self.params, wrt: value} if wrt in self.params else self.params
        if of == "loss_n":
            if wrt in self.params:
                return self._loss_of_each(params)
            rows = [(self.y[n : n + 1], value[n : n + 1]) for n in range(len(self.x))]
            each = [reference.loss_from(self.model, params, y, wrt, row) for y, row in rows]
            return np.array(each, dtype=float)
        if wrt in self.params:
            tape = reference.forward(self.model, params, self.x)
            whole = reference.loss(self.model, params, self.x, self.y)
            return whole if of == "L" else tape[of]
        if of == "L":
            return reference.loss_from(self.model, params, self.y, wrt, value)
        return reference.intermediate_from(self.model, params, wrt, value, of)


def check_quantities(claim: Claim, net: sbp.Net) -> int:
    """Each quantity that is one of the network's: its numbers are those recomputed. The note may
    turn an array or take entries of it; the number of the quantities compared."""
    point = claim.counterexample or {}
    if "values" not in point or "read_as" not in point:
        return 0
    truth = Recomputed(net, point)
    for name, of in point["read_as"].items():
        found, whole = np.array(point["quantities"][name]), truth.quantity(of)
        assert _is_part(found, np.asarray(whole)), (claim.latex, name, of, found, whole)
    return len(point["read_as"])


def _is_part(found: Any, whole: Any) -> bool:
    """The same array, perhaps transposed or without axes of length 1; or entries of it."""
    a, b = np.squeeze(found), np.squeeze(whole)
    for turned in (b, b.T):
        if a.shape == turned.shape and np.allclose(a, turned, rtol=1e-5, atol=1e-7):
            return True
    if a.size >= b.size and a.ndim == b.ndim:
        return False
    near = np.isclose(a.reshape(-1, 1), b.reshape(1, -1), rtol=1e-5, atol=1e-7)
    return bool(near.any(axis=1).all())


def _network(slip: Slip) -> sbp.Net:
    suffix = Path(slip.note).suffix
    return sbp.loads(READERS[suffix](slip.note, slipped_text(slip)).specification)


# ---- tests


@pytest.mark.parametrize("slip", _sample(), ids=_name)
def test_the_script_of_a_slip_shows_the_difference(slip: Slip) -> None:
    claims = _of_slip(slip)
    assert claims
    for claim in claims:
        check_script(claim)


@pytest.mark.parametrize("slip", _sample(), ids=_name)
def test_the_quantities_of_a_slip_follow_from_its_values(slip: Slip) -> None:
    for claim in _of_slip(slip):
        check_quantities(claim, _network(slip))


def test_the_scripts_of_the_seed_note_show_the_differences(seed_claims: tuple[Claim, ...]) -> None:
    assert len(seed_claims) >= 10
    for claim in seed_claims:
        check_script(claim)


def test_the_quantities_of_the_seed_note_follow(seed_claims: tuple[Claim, ...]) -> None:
    net = sbp.load("four-layer")
    assert sum(check_quantities(claim, net) for claim in seed_claims) >= 5


def test_most_quantities_are_the_networks_own() -> None:
    named = [q for _, q in _numbers()]
    assert sum(named) >= 0.8 * len(named)


def test_a_wrong_sign_in_a_quantity_is_seen() -> None:
    claim, slip = next(
        (c, s)
        for s in _sample()
        for c in _of_slip(s)
        if "read_as" in (c.counterexample or {}) and "values" in (c.counterexample or {})
    )
    point = dict(claim.counterexample or {})
    name = next(iter(point["read_as"]))
    wrong = (-np.array(point["quantities"][name])).tolist()
    point["quantities"] = {**point["quantities"], name: wrong}
    with pytest.raises(AssertionError):
        check_quantities(_with(claim, point), _network(slip))


def test_a_wrong_sign_in_a_script_is_seen() -> None:
    claim = next(c for s in _sample() for c in _of_slip(s) if "values" in (c.counterexample or {}))
    point = dict(claim.counterexample or {})
    point["script"] = point["script"].replace("right = ", "right = -1 * ", 1)
    with pytest.raises(AssertionError):
        check_script(_with(claim, point))


def _with(claim: Claim, point: Mapping[str, Any]) -> Claim:
    return replace(claim, counterexample=point)


def _numbers() -> Iterator[tuple[str, bool]]:
    """The quantities of numeric refutations, and whether each is one of the network's."""
    for slip in _sample():
        for claim in _of_slip(slip):
            point = claim.counterexample or {}
            if "values" in point:
                for name in point["quantities"]:
                    yield name, name in point.get("read_as", {})
