"""Worked examples in numbers: what is given, what follows, what rounding explains."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

import symbackprop as sbp
from symbackprop.document.build import document_of
from symbackprop.judging.report import Claim, FileReport
from symbackprop.notation import Notation, SampleLayout
from tests.judging.notes.test_witness import check_script

Judge = Callable[[str], FileReport]

NETWORK = """name = "numbers"
input = 2
loss = "squared_error"
half = true
reduction = "sum"

[[layers]]
type = "dense"
units = 2
activation = "sigmoid"

[[layers]]
type = "dense"
units = 2
activation = "sigmoid"
"""
FORMULAS = r"""# In numbers

$$ z^1 = W^1 x + b^1 $$
$$ h^1 = \sigma(z^1) $$
$$ z^2 = W^2 h^1 + b^2 $$
$$ \hat y = \sigma(z^2) $$
$$ E = \frac12 \sum_k (\hat y_k - y_k)^2 $$
$$ \delta^2 = (\hat y - y) \odot \hat y \odot (1 - \hat y) $$
"""
GIVEN = r"""
$$ x_1 = 0.05, \quad x_2 = 0.10, \quad y_1 = 0.01, \quad y_2 = 0.99 $$
$$ W^1 = \begin{bmatrix} 0.15 & 0.20 \\ 0.25 & 0.30 \end{bmatrix} $$
$$ b^1 = \begin{bmatrix} 0.35 \\ 0.35 \end{bmatrix} $$
$$ W^2_{11} = 0.40, \quad W^2_{12} = 0.45, \quad W^2_{21} = 0.50, \quad W^2_{22} = 0.55 $$
$$ b^2_1 = b^2_2 = 0.60 $$
"""
# by NumPy, with all digits, and rounded for printing
RESULTS = (
    r"z^1_1 = W^1_{11} x_1 + W^1_{12} x_2 + b^1_1 = 0.15 \cdot 0.05 + 0.02 + 0.35 = 0.3775",
    r"h^1_1 = \frac{1}{1 + e^{-z^1_1}} = \frac{1}{1 + e^{-0.3775}} = 0.593269992",
    r"h^1_2 = 0.596884378",
    r"z^2_1 = 0.4 \cdot 0.593269992 + 0.45 \cdot 0.596884378 + 0.6 = 1.105905967",
    r"\hat y_1 = 0.75136507",
    r"\hat y = \begin{bmatrix} 0.7514 \\ 0.7729 \end{bmatrix}",
    r"E = \frac12 (0.01 - 0.75136507)^2 + \frac12 (0.99 - 0.772928465)^2 = 0.298371109",
    r"\delta^2_1 = (0.75136507 - 0.01) \cdot 0.75136507 \cdot (1 - 0.75136507) = 0.138498562",
    r"\frac{\partial E}{\partial W^2_{11}} = \delta^2_1 h^1_1 = 0.082167041",
    r"\frac{\partial E}{\partial \hat y_1} = \hat y_1 - y_1 \approx 0.741",
    r"\frac{\partial E}{\partial W^1_{11}} = 0.000438568",
)


def note(*results: str, given: str = GIVEN) -> str:
    return FORMULAS + given + "".join(f"$$ {result} $$\n" for result in results)


@pytest.fixture
def judged(tmp_path: Path) -> Judge:
    def judge(text: str) -> FileReport:
        path = tmp_path / "note.md"
        path.write_text(text, encoding="utf-8")
        (report,) = sbp.verify(path, sbp.loads(NETWORK)).files
        return report

    return judge


def results_of(report: FileReport) -> list[Claim]:
    start = 1 + next(c.line for c in report.claims if r"b^2_1 = b^2_2" in c.latex)
    return [claim for claim in report.claims if claim.line >= start]


def with_wrong_digit(result: str) -> str:
    """The second digit that counts in the last number, raised by three."""
    found = list(re.finditer(r"\d\.0*\d(\d)\d*", result))[-1]
    place = found.start(1)
    return result[:place] + str((int(result[place]) + 3) % 10) + result[place + 1 :]


def test_what_follows_from_the_given_numbers_is_verified(judged: Judge) -> None:
    report = judged(note(*RESULTS))
    assert [c.status for c in results_of(report)] == ["verified"] * len(RESULTS)
    before = [c.status for c in report.claims if c not in results_of(report)]
    assert before == ["verified"] * 6 + ["definition"] * 11


@pytest.mark.slow
@pytest.mark.parametrize("number", range(len(RESULTS)))
def test_a_wrong_digit_is_refuted_where_it_stands_and_put_right(judged: Judge, number: int) -> None:
    results = list(RESULTS)
    results[number] = with_wrong_digit(results[number])
    claims = results_of(judged(note(*results)))
    assert [c.status == "refuted" for c in claims] == [n == number for n in range(len(RESULTS))]
    wrong = claims[number]
    assert wrong.slip == "arithmetic"
    assert wrong.suggestion == RESULTS[number]
    check_script(wrong)


def test_what_follows_from_a_wrong_number_is_consistent_with_it(judged: Judge) -> None:
    # h^1_2 = 0.7 instead of 0.5969: what follows was computed by NumPy from that
    claims = results_of(judged(note(r"h^1_2 = 0.7000", r"z^2_1 = 1.1523", r"\hat y_1 = 0.7599")))
    assert [c.status for c in claims] == ["refuted"] * 3
    assert [c.consistent for c in claims] == [False, True, True]


def test_the_last_digit_may_differ_by_rounding_on_the_way(judged: Judge) -> None:
    near, far = r"h^1_1 = 0.5934", r"h^1_1 = 0.5953"
    assert results_of(judged(note(near)))[0].status == "undecided"
    assert results_of(judged(note(far)))[0].status == "refuted"


def test_a_sum_of_short_decimals_must_come_out(judged: Judge) -> None:
    claims = results_of(judged(note(r"0.8 - 0.3 + 0.7 = 1.2", r"0.8 - 0.3 + 0.7 = 1.5")))
    assert [c.status for c in claims] == ["verified", "refuted"]


def test_a_power_of_ten_counts_its_own_digits(judged: Judge) -> None:
    states = [
        (r"\frac{\partial E}{\partial W^1_{11}} = 4.386 \cdot 10^{-4}", "verified"),
        (r"\frac{\partial E}{\partial W^1_{11}} = 4.387 \cdot 10^{-4}", "undecided"),
        (r"\frac{\partial E}{\partial W^1_{11}} = 4.836 \cdot 10^{-4}", "refuted"),
        (r"\frac{\partial E}{\partial W^1_{11}} = 4.386 \cdot 10^{-14}", "refuted"),
    ]
    claims = results_of(judged(note(*(formula for formula, _ in states))))
    assert [c.status for c in claims] == [status for _, status in states]


def test_nothing_is_decided_without_the_numbers_that_it_needs(judged: Judge) -> None:
    given = GIVEN.replace(r"$$ b^1 = \begin{bmatrix} 0.35 \\ 0.35 \end{bmatrix} $$", "")
    claims = results_of(judged(note(r"z^1_1 = 0.3775", r"z^1_1 = 0.9", given=given)))
    assert [c.status for c in claims] == ["undecided"] * 2
    assert "not given" in claims[0].sentence


def test_numbers_without_any_given_are_undecided_and_constants_are_not(judged: Judge) -> None:
    text = FORMULAS + r"$$ h^1_1 = 0.25 $$ $$ \frac{\partial z^2_1}{\partial b^2_1} = 2 $$"
    claims = judged(text).claims[-2:]
    assert [c.status for c in claims] == ["undecided", "refuted"]
    assert judged(FORMULAS + r"$$ \hat y_1 = \frac12 $$").claims[-1].status == "undecided"
    assert judged(FORMULAS + r"$$ E = 0 $$").claims[-1].status == "undecided"


def test_a_formula_without_numbers_must_hold_for_all(judged: Judge) -> None:
    # b^1 has two equal entries, so this holds in the example and nowhere else
    claims = results_of(judged(note(r"z^1_1 = W^1_{11} x_1 + W^1_{12} x_2 + b^1_2 = 0.3775")))
    assert claims[0].status == "refuted"
    claims = results_of(judged(note(r"z^1_1 = W^1_{11} x_1 + W^1_{12} x_2 + b^1_2")))
    assert claims[0].status == "refuted"


def test_numbers_of_another_shape_are_not_put_anywhere(judged: Judge) -> None:
    given = GIVEN.replace(r"0.25 & 0.30 \end", r"0.25 & 0.30 \\ 0.1 & 0.2 \end")
    report = judged(note(r"z^1_1 = 0.3775", given=given))
    (matrix,) = (c for c in report.claims if c.latex.startswith("W^1 ="))
    assert matrix.status == "undecided"
    assert "shape" in matrix.sentence
    assert results_of(report)[0].status == "undecided"


def test_numbers_within_the_text_count_and_are_no_claims(judged: Judge) -> None:
    given = "With $x_1 = 0.05$, $x_2 = 0.10$, $y_1 = 0.01$, $y_2 = 0.99$:\n" + "\n".join(
        GIVEN.splitlines()[2:]
    )
    claims = judged(note(RESULTS[0], RESULTS[-1], given=given)).claims
    assert [c.status for c in claims[-2:]] == ["verified"] * 2
    assert not [c for c in claims if c.latex.startswith(("x_1", "y_1"))]


@pytest.mark.parametrize(
    "before",
    [
        "If $x_1 = 1$, it is another.",  # perhaps for this sentence, perhaps from here on
        "Now $x_1 = 1$ and $x_2 = 0.25$ instead.",
        r"$$ b^1 = \begin{bmatrix} 1 \\ 2 \\ 3 \end{bmatrix} $$",
        r"$$ W^1 \leftarrow W^1 - 0.5 \frac{\partial E}{\partial W^1} $$",
        r"$$ W^1_{11} := 0.4 - 0.5 \cdot W^1_{11} = 0.325 $$",
    ],
)
def test_what_may_have_changed_refutes_nothing(judged: Judge, before: str) -> None:
    text = note() + f"\n{before}\n\n$$ z^1_1 = 0.55 $$\n"
    assert judged(text).claims[-1].status == "undecided"


def test_a_new_number_may_be_computed_where_it_is_given(judged: Judge) -> None:
    right, wrong = (rf"W^2_{{11}} = 0.4 - 0.5 \cdot 0.0822 = {n}" for n in ("0.3589", "0.3859"))
    claims = results_of(judged(note(right, r"z^2_1 = 1.0815")))
    assert [c.status for c in claims] == ["definition", "verified"]
    assert results_of(judged(note(wrong)))[0].status == "refuted"


def test_one_number_for_a_bias_is_for_all_units(judged: Judge) -> None:
    given = GIVEN.replace(
        r"$$ b^1 = \begin{bmatrix} 0.35 \\ 0.35 \end{bmatrix} $$", "$$ b^1 = 0.35 $$"
    )
    claims = results_of(judged(note(*RESULTS[:2], given=given)))
    assert [c.status for c in claims] == ["verified"] * 2


@pytest.mark.slow
@pytest.mark.parametrize(
    ("formula", "status"),
    [
        (r"\hat y_1 = 0.7514 > 0.5", "undecided"),
        (r"\hat y_1 = 0.7154 > 0.5", "refuted"),
        (r"z^1_1 = 0.3775 \neq 0", "undecided"),
        (r"E_1 = 0.2748", "undecided"),  # of the first output
        (r"E \approx \frac{3}{10}", "undecided"),
        (r"\frac{2}{3} \approx 0.66", "undecided"),
        (r"\frac{\partial E}{\partial W^1_{11}} = 0.00", "undecided"),
        (r"E(W^2_{11} + 0.5) = 0.2984", "undecided"),  # at another point
        (r"\frac{E(W^2_{11} + 0.001) - E(W^2_{11} - 0.001)}{2 \cdot 0.001} = 0.0822", "undecided"),
        (r"E(W^2 + b^2) = E", "undecided"),
        ("z^1_1 = 1" + "0" * 400, "undecided"),
        (r"x_1 = \frac{1}{0}", "undecided"),
    ],
)
def test_what_a_number_alone_does_not_say(judged: Judge, formula: str, status: str) -> None:
    assert results_of(judged(note(formula)))[0].status == status


def test_a_step_with_a_rate_from_the_text(judged: Judge) -> None:
    text = note() + "\nWith $\\eta = 0.5$:\n\n"
    step = r"W^2_{11} - \eta \frac{\partial E}{\partial W^2_{11}} = "
    claims = judged(text + f"$$ {step} 0.3589 $$\n\n$$ {step} 0.4411 $$\n").claims[-2:]
    assert [c.status for c in claims] == ["verified", "refuted"]


def test_an_error_that_only_numbers_follow_is_understood(judged: Judge) -> None:
    formulas = FORMULAS.replace(FORMULAS.splitlines()[-1], "")
    chain = r"\delta^2 = (\hat y - y) \odot \hat y \odot (1 - \hat y) = (0.1385, -0.0381)"
    claims = judged(formulas + GIVEN + f"$$ {chain} $$\n").claims
    assert claims[-1].status == "verified"


def test_numbers_given_again_take_the_place_of_the_first(judged: Judge) -> None:
    claims = results_of(judged(note(r"z^1_1 = 0.3775", r"b^1_1 = 0.45", r"z^1_1 = 0.4775")))
    assert [c.status for c in claims] == ["verified", "definition", "verified"]


def test_the_value_of_a_function_needs_no_network(judged: Judge) -> None:
    right, wrong = r"\sigma(0.3775) = 0.5933", r"\sigma'(0) = 0.5 (1 - 0.5) = 0.5"
    claims = judged(FORMULAS + f"$$ {right} $$\n$$ {wrong} $$\n").claims[-2:]
    assert [c.status for c in claims] == ["verified", "refuted"]


@pytest.mark.slow
@pytest.mark.parametrize("samples", ["rows", "columns"])
def test_the_numbers_of_a_document_are_verified(tmp_path: Path, samples: SampleLayout) -> None:
    net = sbp.load("two-three-one")
    assert net.architecture is not None
    notation = replace(Notation(samples=samples), symbols=net.notation.symbols)
    path = tmp_path / "two-three-one.md"
    text = sbp.render(document_of(net.architecture, notation), "md")
    assert isinstance(text, str)
    path.write_text(text, encoding="utf-8")
    (report,) = sbp.verify(path, net).files
    first = text[: text.index("## A worked example in numbers")].count("\n")
    last = text[: text.index("## Gradient descent")].count("\n")
    claims = [c for c in report.claims if first < c.line < last and "0." in c.latex]
    assert len(claims) > 20
    assert {c.status for c in claims} == {"verified", "definition"}
    wrong = text.replace("0.5842", "0.5482", 1)
    path.write_text(wrong, encoding="utf-8")
    (report,) = sbp.verify(path, net).files
    refuted = [c for c in report.claims if c.status == "refuted" and c.slip == "arithmetic"]
    assert len(refuted) == 1
