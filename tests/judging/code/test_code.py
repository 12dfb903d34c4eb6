"""The judge of hand-written backward passes: right ones verified, slips found at their line."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest
from sympy import Lambda, exp

from symbackprop import errors
from symbackprop.calculus.scalars import FUNCTIONS, ScalarFunction, Z
from symbackprop.judging.code import judge
from symbackprop.judging.code.judge import judge_code
from symbackprop.judging.report import Claim, FileReport
from symbackprop.networks.layers import activations
from symbackprop.networks.layers.architecture import Architecture, Layer
from symbackprop.networks.layers.multilayer import Built, build
from symbackprop.tracing.numbers import budget
from tests import backward_slips as mechanical
from tests.bench_verify_code import (
    Sample,
    at_line,
    judged,
    names,
    networks,
    refuted,
    right,
    slips,
    slugs,
)

BUGS = errors.BUGS  # as they are outside of the tests, in which every bug is an error
FAST = [s for s in slips() if s.file in ("rows_softmax", "mean_error_inside", "einsum_rows")]


def _judged(source: str, function: str = "backward", execute: bool = False) -> FileReport:
    """Against the network of `rows_softmax`."""
    built = networks(right("rows_softmax"))
    return judge_code(source, function, "notes.py", *built, execute=execute)


def _changed(old: str, new: str) -> FileReport:
    source = right("rows_softmax")
    assert old in source
    return _judged(source.replace(old, new))


def _claim(report: FileReport, name: str) -> Claim:
    return next(c for c in report.claims if c.name == name)


@pytest.mark.slow
@pytest.mark.parametrize("name", names())
def test_a_right_function_is_verified_and_nothing_in_it_refuted(name: str) -> None:
    report = judged(name, right(name))
    assert report.claims
    assert {claim.status for claim in report.claims} == {"verified"}, report


@pytest.mark.slow
@pytest.mark.parametrize("sample", FAST, ids=lambda s: f"{s.file}:{s.line}:{s.kind}")
def test_a_slip_is_refuted_at_its_line_and_named(sample: Sample) -> None:
    report = judged(sample.file, sample.source)
    claim = at_line(report, sample.line)
    assert claim is not None
    assert sample.kind in slugs(claim)[:2]


def test_gradients_are_proved_for_all_sizes() -> None:
    report = _judged(right("rows_softmax"))
    assert {claim.method for claim in report.claims} == {"proved"}
    assert report.settings["samples"] == "rows"
    assert report.settings["weights"] == "(in, out)"


def test_one_early_slip_is_one_root_and_the_rest_follows() -> None:
    report = _changed("dz2 = (yhat - y) / N", "dz2 = yhat + y")
    assert [c.name for c in refuted(report)] == ["dz2"]
    later = _claim(report, "dz1")
    assert later.consistent
    assert later.follows_from == (refuted(report)[0].line,)


def test_the_witness_can_be_recomputed_by_anyone() -> None:
    report = _changed("dz1 = dh1 * h1 * (1 - h1)", "dz1 = dh1 * h1")
    witness = refuted(report)[0].counterexample
    assert witness is not None
    space: dict[str, object] = {}
    values = {name: np.array(value) for name, value in witness["values"].items()}
    x, y, W1, b1, W2, b2 = (values[n] for n in ("x", "y", "W1", "b1", "W2", "b2"))
    h1 = 1 / (1 + np.exp(-(x @ W1 + b1)))
    e = np.exp(h1 @ W2 + b2)
    dh1 = (e / e.sum(axis=1, keepdims=True) - y) / len(x) @ W2.T
    entry = tuple(n - 1 for n in witness["entry"])
    assert (dh1 * h1)[entry] == pytest.approx(witness["left"])
    assert (dh1 * h1 * (1 - h1))[entry] == pytest.approx(witness["right"])
    assert not space


def test_the_patch_is_a_unified_diff_of_the_line() -> None:
    claim = refuted(_changed("dW2 = h1.T @ dz2", "dW2 = h1 @ dz2"))[0]
    assert claim.method == "shape"
    assert claim.suggestion == "dW2 = h1.T @ dz2"
    assert "-    dW2 = h1 @ dz2\n+    dW2 = h1.T @ dz2\n" in claim.patch


def test_a_small_constant_against_zero_is_no_slip() -> None:
    report = _changed("h1 * (1 - h1)", "h1 * (1 - h1 + 1e-8)")
    assert not refuted(report)
    assert _claim(report, "dz1").status == "undecided"


def test_a_sum_where_the_file_says_mean_is_said_to_be_that() -> None:
    claim = refuted(_changed("dz2 = (yhat - y) / N", "dz2 = yhat - y"))[0]
    assert claim.slip == "sample-count"
    assert "sum over the samples" in claim.sentence


def test_an_output_error_without_count_is_right_where_its_gradients_carry_it() -> None:
    report = judged("columns_coursera", right("columns_coursera"))
    assert "N times dL/dz2" in _claim(report, "dZ2").sentence


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("def backward(:", "line 1: this is no Python"),
        ("\0", "this is no Python"),
        ("", "no function backward"),
        ("def backward(x):\n    return backward(x)\n", "line 2: calls nested too deeply"),
        ("def backward(x):\n    while True:\n        x = x + 1\n", "line 3: more steps"),
        ("def backward(x):\n    return 3\n", "returns no gradient"),
        ("def backward(q):\n    return q\n", "line 1: the argument q"),
        ("def backward(x):\n    open('f')\n", "line 2: the name open"),
        ("def backward(x):\n    return x.__class__\n", "line 2: the attribute __class__"),
        ("def backward(x):\n    return 10**10**10\n", "line 2: a number that is too large"),
        (
            "import numpy as np\ndef backward(x):\n    return np.zeros((99999, 99999))\n",
            "too large",
        ),
    ],
)
def test_what_cannot_be_judged_is_a_problem_with_its_place(source: str, said: str) -> None:
    started = time.monotonic()
    report = _judged(source)
    assert said in report.problem
    assert not report.claims
    assert time.monotonic() - started < 10


def test_running_the_code_is_asked_for_and_said() -> None:
    report = _judged(right("rows_softmax"), execute=True)
    assert {(c.status, c.method) for c in report.claims} == {("verified", "executed")}
    assert report.settings["run"] is True
    wrong = right("rows_softmax").replace("(1 - h1)", "(1 + h1)")
    statuses = {c.name: c.status for c in _judged(wrong, execute=True).claims}
    assert statuses["W2"] == "verified"
    assert statuses["W1"] == "refuted"


def test_an_updated_parameter_that_is_used_again_is_told() -> None:
    report = _changed("    dh1 = dz2 @ W2.T", "    W2 -= 0.1 * dW2\n    dh1 = dz2 @ W2.T")
    claim = refuted(report)[0]
    assert claim.slip == "wrong-variable"
    assert "line 36 uses W2 after line 35 has changed it" in claim.sentence
    assert claim.suggestion == "dh1 = dz2 @ W2.T; W2 -= 0.1 * dW2"


def test_gradients_returned_transposed_are_a_matter_of_layout() -> None:
    claims = refuted(_changed('"W1": dW1, "b1": db1, "W2": dW2', '"W1": dW1.T, "W2": dW2.T'))
    assert {claim.slip for claim in claims} == {"layout"}


def test_the_right_expression_stands_in_the_authors_names() -> None:
    report = _changed("dW2 = h1.T @ dz2", "dW2 = z1.T @ dz2")
    assert _claim(report, "W2").derived == "h1.T @ dz2"
    coursera = judged("columns_coursera", right("columns_coursera"))
    assert _claim(coursera, "dW1").derived == "dZ1 @ X.T / m"


def test_a_line_that_is_right_under_another_loss_says_so() -> None:
    claim = refuted(_changed("(yhat - y) / N", "(yhat - y) * yhat * (1 - yhat) / N"))[0]
    assert "is right for the squared error" in claim.sentence
    source = right("one_column").replace("(a2 - t) * df(z2)", "(a2 - t)")
    claim = refuted(judged("one_column", source))[0]
    assert "yhat - y alone is right for cross-entropy" in claim.sentence


def test_a_gradient_lost_under_a_key_that_stands_twice_is_refuted() -> None:
    report = _changed('"W1": dW1, "b1": db1', '"W2": dW1, "b1": db1')
    assert "stands twice" in _claim(report, "W1").sentence


def test_the_guard_decides_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(budget, "GUARD_SECONDS", 0.0)
    claims = _judged(right("rows_softmax")).claims
    assert [claim.status for claim in claims] == ["undecided"]


@pytest.mark.slow
def test_a_mechanical_slip_is_never_verified() -> None:
    for slip in mechanical.slips(10, seed=7):
        report = judged(slip.file, slip.source)
        assert refuted(report), slip


@pytest.mark.slow
def test_a_right_function_written_otherwise_is_never_refuted() -> None:
    for rewrite in mechanical.rewrites(15, seed=7):
        report = judged(rewrite.file, rewrite.source)
        assert report.claims, rewrite
        assert "refuted" not in {claim.status for claim in report.claims}, rewrite


@pytest.mark.slow
def test_mutilated_text_ends_in_a_report() -> None:
    for name, source in mechanical.mutilated(25, seed=7):
        started = time.monotonic()
        report = judged(name, source)
        assert report.claims or report.problem
        assert time.monotonic() - started < 10, source


def test_equal_input_gives_equal_output() -> None:
    source = right("rows_softmax").replace("h1 * (1 - h1)", "h1")
    assert _judged(source) == _judged(source)


@pytest.mark.parametrize(
    ("loss", "status", "slip"),
    [
        ("np.sum((y_hat - t) ** 2) / n", "verified", ""),
        ("np.sum((y_hat - t) ** 2)", "refuted", "sample-count"),
        ("np.sum((y_hat - t) ** 2) / (2 * n)", "refuted", "constant"),
        ("-np.sum((y_hat - t) ** 2) / n", "refuted", "sign"),
        ("np.sum((y_hat - t) ** 2) / n + np.sum(W1 ** 2)", "undecided", ""),
    ],
)
def test_a_returned_loss_must_be_that_of_the_network(loss: str, status: str, slip: str) -> None:
    source = right("mean_error_inside").replace("np.sum((y_hat - t) ** 2) / n", loss)
    claims = judged("mean_error_inside", source).claims
    (claim,) = (c for c in claims if c.name == "loss")
    assert (claim.status, claim.slip, claim.line) == (status, slip, 21)
    assert {c.status for c in claims if c.name != "loss"} == {"verified"}


# ---- an activation that nothing but its record knows

SILU = """
import numpy as np
def backward(x, y, W1, b1, W2, b2):
    z1 = x @ W1 + b1
    s = 1 / (1 + np.exp(-z1))
    h1 = z1 * s
    dz2 = 2 * (h1 @ W2 + b2 - y) / x.shape[0]
    dh1 = dz2 @ W2.T
    dz1 = dh1 * (s + h1 * (1 - s))
    return {"W1": x.T @ dz1, "b1": dz1.sum(0), "W2": h1.T @ dz2, "b2": dz2.sum(0)}
"""


@pytest.fixture
def silu(monkeypatch: pytest.MonkeyPatch) -> tuple[Built, Built]:
    record = ScalarFunction("silu", Lambda(Z, Z / (1 + exp(-Z))), r"\operatorname{silu}")
    monkeypatch.setitem(FUNCTIONS, "silu", record)
    monkeypatch.setitem(
        activations.ACTIVATIONS,
        "silu",
        activations.pointwise("silu"),
    )
    layers = (Layer(3, "silu"), Layer(2))
    architecture = Architecture("silu", 4, layers, "squared_error")
    return build(architecture), build(architecture, one_sample=True)


@pytest.mark.parametrize(
    ("line", "status"),
    [("dh1 * (s + h1 * (1 - s))", "verified"), ("dh1", "refuted"), ("dh1 * s", "refuted")],
)
def test_the_slope_of_an_activation_comes_from_its_record(
    line: str, status: str, silu: tuple[Built, Built]
) -> None:
    source = SILU.replace("dh1 * (s + h1 * (1 - s))", line)
    report = judge_code(source, "backward", "notes.py", *silu)
    assert _claim(report, "dz1").status == status


# ---- a bug of the judge's own


def test_a_bug_of_the_judge_is_told_as_one_and_ends_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken(*_: object) -> None:
        raise KeyError("silu")

    monkeypatch.setattr(errors, "BUGS", BUGS)
    monkeypatch.setattr(judge, "settled", broken)
    (claim,) = _judged(right("rows_softmax")).claims
    assert claim.status == "undecided"
    assert claim.sentence.startswith("a fault of symbackprop, not of the code: KeyError at")


def test_a_bug_at_one_claim_leaves_its_neighbours_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    usual = judge._Judgement._claim

    def broken(self: Any, base: Claim, *rest: Any) -> Claim:
        assert base.name != "dz1"
        return usual(self, base, *rest)

    monkeypatch.setattr(errors, "BUGS", BUGS)
    monkeypatch.setattr(judge._Judgement, "_claim", broken)
    claims = _judged(right("rows_softmax")).claims
    assert {c.name: c.status for c in claims if c.status != "verified"} == {"dz1": "undecided"}
    assert "a fault of symbackprop" in _claim(_judged(right("rows_softmax")), "dz1").sentence
