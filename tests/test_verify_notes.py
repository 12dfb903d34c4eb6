"""The judge of notes: right formulas verified, wrong ones refuted with the reason, in pairs.

A right formula and its nearest wrong one stand side by side. The corpora of the benchmark are
sampled here; `make bench-verify` judges all of them.
"""

from __future__ import annotations

import random
import tomllib
from pathlib import Path

import pytest

import symbackprop as sbp
from symbackprop.verify.report import Claim, FileReport, Report
from tests.bench_verify import MAP, WRONG, seed_text
from tests.carried import derivations
from tests.rewrites import rewrites
from tests.slips import NOTES, chosen, slipped_text

KNOWN = sorted([*NOTES.glob("*.md"), *NOTES.glob("*.tex")])

ROWS = """```toml symbackprop
name = "rows"
input = 2
loss = "cross_entropy"
reduction = "sum"
[[layers]]
type = "dense"
units = 5
activation = "sigmoid"
[[layers]]
type = "dense"
units = 3
activation = "softmax"
```

$$z^1 = x W^1 + b^1$$

$$h^1 = \\sigma(z^1)$$

$$z^2 = h^1 W^2 + b^2$$

$$\\hat{y} = softmax(z^2)$$

$$L = -\\sum_k y_k \\log \\hat{y}_k$$

$$\\delta^2 = \\frac{\\partial L}{\\partial z^2} = \\hat{y} - y$$

"""


def judged(folder: Path, text: str, suffix: str = ".md", net: str | None = None) -> Report:
    path = folder / f"note{suffix}"
    path.write_text(text, encoding="utf-8")
    return sbp.verify(path, net)


def last(folder: Path, formula: str, before: str = "") -> Claim:
    """The verdict on one more formula of the note."""
    report = judged(folder, f"{ROWS}{before}\n\n$$\n{formula}\n$$\n")
    return report.claims[-1]


PAIRS = [
    (
        r"\frac{\partial L}{\partial h^1} = \delta^2 (W^2)^T",
        r"\frac{\partial L}{\partial h^1} = \delta^2 W^2",
        "transpose",
    ),
    (
        r"\frac{\partial L}{\partial W^2} = (h^1)^T \delta^2",
        r"\frac{\partial L}{\partial W^2} = \delta^2 (h^1)^T",
        "order",
    ),
    (
        r"\frac{\partial L}{\partial W^1} = x^T \frac{\partial L}{\partial z^1}",
        r"\frac{\partial L}{\partial W^1} = x^T \frac{\partial L}{\partial z^2}",
        "layer",
    ),
    (
        r"\delta^1 = \delta^2 (W^2)^T \odot \sigma'(z^1)",
        r"\delta^1 = \delta^2 (W^2)^T",
        "derivative-missing",
    ),
    (
        r"\delta^1 = \delta^2 (W^2)^T \odot \sigma'(z^1)",
        r"\delta^1 = \delta^2 (W^2)^T \odot \sigma'(h^1)",
        "derivative-argument",
    ),
    (
        r"\delta^1 = \delta^2 (W^2)^T \odot h^1 \odot (1 - h^1)",
        r"\delta^1 = \delta^2 (W^2)^T \odot h^1 \odot (1 + h^1)",
        "sign",
    ),
    (
        r"\frac{\partial \hat{y}_i}{\partial z^2_j} = \hat{y}_i (\delta_{ij} - \hat{y}_j)",
        r"\frac{\partial \hat{y}_i}{\partial z^2_j} = \hat{y}_i (\delta_{ij} - \hat{y}_i)",
        "index",
    ),
    (
        r"\frac{\partial L}{\partial h^1_j} = \sum_k \delta^2_k w^2_{jk}",
        r"\frac{\partial L}{\partial h^1_j} = \sum_k \delta^2_k w^2_{kj}",
        "index",
    ),
    (
        r"\frac{\partial L}{\partial b^2} = \delta^2",
        r"\frac{\partial L}{\partial b^2} = 2 \delta^2",
        "constant",
    ),
    (
        r"\frac{\partial L}{\partial z^1} = "
        r"\frac{\partial L}{\partial h^1} \frac{\partial h^1}{\partial z^1}",
        r"\frac{\partial L}{\partial z^1} = "
        r"\frac{\partial h^1}{\partial z^1} \frac{\partial L}{\partial h^1}",
        "order",
    ),
]


@pytest.mark.parametrize(("right", "wrong", "slip"), PAIRS)
def test_a_right_formula_is_verified_and_its_nearest_wrong_one_explained(
    tmp_path: Path, right: str, wrong: str, slip: str
) -> None:
    assert last(tmp_path, right).status == "verified"
    found = last(tmp_path, wrong)
    assert found.status == "refuted"
    offered = [found.slip, *(other[0] for other in found.others[:1])]
    assert slip in offered
    assert last(tmp_path, found.suggestion).status == "verified"


@pytest.mark.parametrize(
    "formula",
    [
        r"\frac{\partial L}{\partial z^2_k} = \sum_{i \neq k} y_i \hat{y}_k - y_k (1 - \hat{y}_k)",
        r"\sigma'(z) = \sigma(z) (1 - \sigma(z))",
        r"\frac{\partial h^1}{\partial z^1} = \sigma'(z^1)",
        r"\frac{\partial z^2}{\partial h^1} = (W^2)^T",
        r"\frac{\partial z^2}{\partial b^2} = I",
        r"\frac{\partial L}{\partial W^2_{jk}} = h^1_j \delta^2_k",
        r"x \odot (1 - x) = x - x \odot x",
    ],
)
def test_forms_that_people_took_for_errors_are_not_refuted(tmp_path: Path, formula: str) -> None:
    assert last(tmp_path, formula).status in ("verified", "undecided")


def test_a_formula_that_is_not_understood_is_undecided_with_its_reason(tmp_path: Path) -> None:
    found = last(tmp_path, r"\frac{\partial L}{\partial \Omega^7} = \aleph")
    assert found.status == "undecided"
    assert found.cause


def test_a_missing_layer_mark_is_ill_formed_and_completed(tmp_path: Path) -> None:
    found = last(tmp_path, r"\frac{\partial L}{\partial W^2} = (h)^T \delta^2")
    assert (found.status, found.method, found.slip) == ("refuted", "ill-formed", "ill-formed")
    assert "h^1" in found.suggestion


def test_values_cannot_see_the_operators_variable_but_structure_does(tmp_path: Path) -> None:
    operators = (
        r"\frac{\partial h^1}{\partial z^1_1} = \begin{bmatrix} "
        r"\frac{\partial}{\partial z^1_1} \sigma(z^1_1) \\ "
        r"\frac{\partial}{\partial z^1_%s} \sigma(z^1_%s) \\ "
        r"\frac{\partial}{\partial z^1_1} \sigma(z^1_3) \\ "
        r"\frac{\partial}{\partial z^1_1} \sigma(z^1_4) \\ "
        r"\frac{\partial}{\partial z^1_1} \sigma(z^1_5) \end{bmatrix}"
    )
    assert last(tmp_path, operators % (1, 2)).status == "verified"
    found = last(tmp_path, operators % (2, 1))
    assert (found.status, found.method) == ("refuted", "structure")


def test_a_line_that_follows_from_a_false_line_is_consistent(tmp_path: Path) -> None:
    text = ROWS + (
        "$$\n\\delta^1 = \\delta^2 (W^2)^T\n$$\n\n"
        "$$\n\\frac{\\partial L}{\\partial W^1} = x^T (\\delta^2 (W^2)^T)\n$$\n"
    )
    report = judged(tmp_path, text)
    cause, follower = report.claims[-2:]
    assert (cause.status, cause.consistent) == ("refuted", False)
    assert (follower.status, follower.consistent) == ("refuted", True)
    assert follower.follows_from == (cause.line,)


def test_a_statement_for_all_layers_is_refuted_with_the_layers_where_it_fails(
    tmp_path: Path,
) -> None:
    right = r"\frac{\partial L}{\partial W^l} = (h^{l-1})^T \delta^l"
    assert last(tmp_path, right).status == "verified"
    assert (
        last(tmp_path, r"\frac{\partial L}{\partial W^l} = (h^{l})^T \delta^l").status == "refuted"
    )
    ranged = r"h^l = \sigma(z^l), \quad l = 1, 2"
    found = last(tmp_path, ranged)
    assert found.status in ("verified", "undecided")


def test_proofs_hold_for_all_sizes_and_name_their_facts(tmp_path: Path) -> None:
    found = last(tmp_path, r"\frac{\partial L}{\partial z^2} = \hat{y} - y")
    assert (found.status, found.method) == ("verified", "proved")
    assert found.facts == ("rows of y sum to 1",)


def test_notes_without_a_network_say_what_to_do(tmp_path: Path) -> None:
    report = judged(tmp_path, "$$a = b$$\n")
    assert "--spec" in report.files[0].problem


# --------------------------------------------------------------------------------------------
# Corpora
# --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", KNOWN, ids=lambda p: p.name)
def test_no_equation_of_a_right_note_is_refuted(path: Path) -> None:
    report = sbp.verify(path)
    assert [c.latex for c in report.claims if c.status == "refuted"] == []
    labels = tomllib.loads(path.with_suffix(".labels.toml").read_text(encoding="utf-8"))
    lines = {claim.line for claim in report.claims}
    assert {formula["line"] for formula in labels["formula"]} <= lines


def test_the_seed_is_judged_as_it_was_labelled(tmp_path: Path) -> None:
    report = judged(tmp_path, seed_text(), net="four-layer")
    entries = tomllib.loads(MAP.read_text(encoding="utf-8"))["formula"]
    places = {entry["line"]: entry["ordinal"] for entry in entries}
    assert {places[c.line] for c in report.claims if c.status == "refuted"} == WRONG
    assert all(c.slip for c in report.claims if c.status == "refuted")
    assert not [c for c in report.claims if c.status == "undecided"]


def test_slips_of_the_corpus_are_refuted(tmp_path: Path) -> None:
    slips = random.Random(5).sample(list(chosen()), 16)
    missed = []
    for slip in slips:
        rows = range(slip.line, slip.line + slip.slipped.count("\n") + 1)
        report = judged(tmp_path, slipped_text(slip), Path(slip.note).suffix)
        if not any(c.line in rows and c.status == "refuted" for c in report.claims):
            missed.append((slip.note, slip.line, slip.slipped))
    assert missed == []


def test_equivalent_rewrites_are_not_refuted(tmp_path: Path) -> None:
    cases = random.Random(6).sample(list(rewrites()), 16)
    wrong = []
    for note, text, line, kind in cases:
        report = judged(tmp_path, text, Path(note).suffix)
        wrong += [(note, kind, c.latex) for c in report.claims if c.status == "refuted"]
        del line
    assert wrong == []


@pytest.mark.parametrize("kind", ["1/m moved", "letters", "sides exchanged", "σ'"])
def test_a_reading_survives_a_rewrite_of_one_line(kind: str, tmp_path: Path) -> None:
    cases = [case for case in rewrites() if case[3] == kind]
    for note, text, _, _ in random.Random(8).sample(cases, min(3, len(cases))):
        report = judged(tmp_path, text, Path(note).suffix)
        assert [c.latex for c in report.claims if c.status == "refuted"] == []


def test_one_early_slip_is_one_root_cause(tmp_path: Path) -> None:
    for derivation in random.Random(7).sample(list(derivations()), 5):
        report = judged(tmp_path, derivation.text)
        roots = [c.line for c in report.claims if c.status == "refuted" and not c.consistent]
        assert roots == [derivation.slip]


def test_the_same_note_gives_the_same_report(tmp_path: Path) -> None:
    slip = next(iter(chosen()))
    text = slipped_text(slip)
    first = judged(tmp_path, text, Path(slip.note).suffix).as_json()
    assert judged(tmp_path, text, Path(slip.note).suffix).as_json() == first


def test_files_and_reports_keep_their_texts(tmp_path: Path) -> None:
    report = judged(tmp_path, ROWS)
    assert isinstance(report.files[0], FileReport)
    assert report.ok
    assert report.settings["samples"] == "rows"
