"""The catalogue of slips: every right example is right, every wrong one is wrong, by numbers."""

from __future__ import annotations

import re
from typing import Any, get_args

import numpy as np
import pytest

from symbackprop.errors import UsageError
from symbackprop.judging.printing.explain import explain, overview
from symbackprop.judging.report import STATUSES, Method
from symbackprop.judging.slips import SLIPS, SLUGS, Slip, find, title_of
from tests.places import ROOT

STEP = 1e-30
N, WIDTHS = 7, (2, 3, 4, 5)


def sigmoid(z: Any) -> Any:
    return 1 / (1 + np.exp(-z))


class Witness:
    """The network of the examples, in NumPy, with derivatives of L by the complex step."""

    def __init__(self, loss: str) -> None:
        random = np.random.default_rng(1)
        self.loss = loss
        self.given: dict[str, Any] = {"x": random.normal(size=(N, WIDTHS[0]))}
        self.given["y"] = np.eye(WIDTHS[3])[random.integers(0, WIDTHS[3], N)]
        for layer in (1, 2, 3):
            self.given[f"W{layer}"] = random.normal(size=WIDTHS[layer - 1 : layer + 1])
            self.given[f"b{layer}"] = random.normal(size=WIDTHS[layer])

    def forward(self, at: str = "", step: Any = 0.0) -> dict[str, Any]:
        """Every named value, with `step` added to the one called `at`."""
        values: dict[str, Any] = {}

        def name(tensor: str, value: Any) -> Any:
            values[tensor] = value + step if tensor == at else value
            return values[tensor]

        h = name("x", self.given["x"])
        for layer in (1, 2, 3):
            W, b = (name(f"{letter}{layer}", self.given[f"{letter}{layer}"]) for letter in "Wb")
            z = name(f"z{layer}", h @ W + b)
            h = name("yhat" if layer == 3 else f"h{layer}", self._activate(layer, z))
        values["L"] = self._loss(h)
        return values

    def _activate(self, layer: int, z: Any) -> Any:
        if layer < 3:
            return sigmoid(z)
        return z if self.loss == "squares" else np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)

    def _loss(self, yhat: Any) -> Any:
        y = self.given["y"]
        if self.loss == "squares":
            return ((yhat - y) ** 2).sum()
        total = -(y * np.log(yhat)).sum()
        return total / N if self.loss == "mean" else total

    def derivative(self, name: str) -> Any:
        shape = self.forward()[name].shape
        result = np.zeros(shape)
        for place in np.ndindex(shape):
            step = np.zeros(shape, dtype=complex)
            step[place] = 1j * STEP
            result[place] = np.imag(self.forward(name, step)["L"]) / STEP
        return result

    def namespace(self) -> dict[str, Any]:
        deltas = {f"delta{layer}": self.derivative(f"z{layer}") for layer in (1, 2, 3)}
        tools = {"np": np, "N": N, "sigmoid": sigmoid, "y": self.given["y"]}
        return {**self.forward(), **deltas, **tools, "dyhat": self.derivative("yhat")}

    def truth(self, name: str) -> Any:
        if name == "dh2_1":
            return self.derivative("h2")[:, 0]
        if name == "slope":
            return np.imag(sigmoid(np.asarray(1j * STEP))) / STEP
        if name.startswith("delta"):
            return self.derivative(f"z{name.removeprefix('delta')}")
        return self.derivative(name.removeprefix("d"))


LOSSES = {"sample-count": "mean", "constant": "squares"}


def result_of(code: str, witness: Witness) -> tuple[str, Any]:
    """The name that the example assigns, and its value; None where it cannot be computed."""
    name = code.partition(" = ")[0]
    namespace = witness.namespace()
    namespace.pop(name, None)
    try:
        exec(code, namespace)
    except (ValueError, NameError):
        return name, None
    return name, namespace[name]


def agrees(code: str, witness: Witness) -> bool:
    name, value = result_of(code, witness)
    if name == "b1":
        return bool(value.shape == witness.given["b1"].shape)
    truth = witness.truth(name)
    return value is not None and np.shape(value) == truth.shape and np.allclose(value, truth)


@pytest.mark.parametrize("slip", SLIPS, ids=lambda slip: slip.slug)
def test_the_right_example_is_right_and_the_wrong_one_wrong(slip: Slip) -> None:
    witness = Witness(LOSSES.get(slip.slug, "sum"))
    assert agrees(slip.right_code, witness)
    assert not agrees(slip.wrong_code, witness)


def test_every_slug_has_one_entry_in_order() -> None:
    assert tuple(slip.slug for slip in SLIPS) == SLUGS


def _translated(latex: str) -> str:
    """The right side of an example as NumPy: a few lines that know only these formulas."""
    rows = [
        (r"\\left|\\right|\\,", ""),
        (r"\\frac\{1\}\{N\}", "1/N *"),
        (r"\\hat\{y\}", "yhat"),
        (r"\\delta\^\{(\d)\}", r"delta\1"),
        (r"([Whz])\^\{(\d)\\top\}", r"\1\2.T"),
        (r"h\^\{\\top\}", "h.T"),
        (r"([Whz])\^\{(\d)\}", r"\1\2"),
        (r"\\sigma'\s*\((.\d)\)", r"(sigmoid(\1) * (1 - sigmoid(\1)))"),
        (r"\\circ", "*"),
        (r"^2 \(", "2 * ("),
        (r"(\w|\.T|\)) (?=[(\w])", r"\1 @ "),
        (r"\* @", "*"),
    ]
    text = latex.rpartition(" = ")[2]
    for pattern, replacement in rows:
        text = re.sub(pattern, replacement, text)
    return text


SPELT_OUT = {  # index forms and literal matrices, transcribed by hand: wrong, right
    "batch-sum": ("delta3", "sum(delta3[n] for n in range(N))"),
    "softmax-elementwise": (
        "np.stack([dyhat[:, k] * yhat[:, k] * (1 - yhat[:, k]) for k in range(5)], 1)",
        "np.stack([sum(dyhat[:, j] * yhat[:, j] * ((j == k) - yhat[:, k]) for j in range(5))"
        " for k in range(5)], 1)",
    ),
    "path-missing": (
        "delta3[:, 0] * W3[0, 0]",
        "sum(delta3[:, k] * W3[0, k] for k in range(5))",
    ),
    "index": (
        "np.array([[sum(h1[n, j] * delta2[n, i] for n in range(N))"
        " for j in range(3)] for i in range(4)])",
        "np.array([[sum(h1[n, i] * delta2[n, j] for n in range(N))"
        " for j in range(4)] for i in range(3)])",
    ),
    "size": ("np.array([1, 2])", "np.array([1, 2, 3])"),
    "arithmetic": ("0.5", "0.25"),
}


@pytest.mark.parametrize("slip", SLIPS, ids=lambda slip: slip.slug)
def test_the_formulas_say_what_the_code_says(slip: Slip) -> None:
    witness = Witness(LOSSES.get(slip.slug, "sum"))
    name = slip.right_code.partition(" = ")[0]
    wrong, right = SPELT_OUT.get(slip.slug) or map(_translated, (slip.wrong, slip.right))
    assert agrees(f"{name} = {right}", witness), right
    assert not agrees(f"{name} = {wrong}", witness), wrong


@pytest.mark.parametrize("slip", SLIPS, ids=lambda slip: slip.slug)
def test_every_part_is_there_and_the_formulas_are_whole(slip: Slip) -> None:
    assert len(slip.meaning) > 100
    assert slip.title[0].islower() or slip.title[0].isdigit()
    assert not slip.title.endswith(".")
    assert slip.wrong != slip.right
    for formula in (slip.wrong, slip.right):
        assert formula.count("{") == formula.count("}")
        assert formula.count(r"\left") == formula.count(r"\right")


def test_an_unknown_slip_names_the_nearest() -> None:
    with pytest.raises(UsageError, match="did you mean `transpose`"):
        find("transposed")
    with pytest.raises(UsageError) as caught:
        find("\x1b[2J" * 100)
    assert "\x1b" not in str(caught.value)
    assert len(str(caught.value)) < 500


def test_a_slug_outside_the_list_is_its_own_title() -> None:
    assert title_of("sign") == "a sign"
    assert title_of("of-tomorrow") == "of-tomorrow"


@pytest.mark.parametrize("slip", SLIPS, ids=lambda slip: slip.slug)
def test_the_explanation_shows_both_examples_within_the_width(slip: Slip) -> None:
    text = explain(slip.slug)
    assert all(len(line) <= 100 for line in text.splitlines())
    flat = " ".join(text.split())
    for part in (slip.title, slip.meaning, slip.wrong, slip.right, slip.wrong_code):
        assert " ".join(part.split()) in flat


def test_the_overview_lists_every_slip_once() -> None:
    lines = overview().splitlines()
    assert [line.split()[0] for line in lines if line.startswith("  ")] == list(SLUGS)
    assert all(len(line) <= 100 for line in lines)


def test_the_page_for_users_lists_every_slip_and_every_method() -> None:
    page = (ROOT / "docs" / "verifying.md").read_text("utf-8")
    for slip in SLIPS:
        assert f"| `{slip.slug}` | {slip.title} |" in page
    for method in filter(None, get_args(Method)):
        assert f"| `{method}` |" in page
    for status in STATUSES:
        assert f"| `{status}` |" in page
