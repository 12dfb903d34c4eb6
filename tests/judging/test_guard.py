"""A bug of the judge costs one formula: told as ours, the others judged as if it were not there."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import pytest

import symbackprop as sbp
from symbackprop import cli, errors
from symbackprop.cli import main
from symbackprop.guard import guarded, told
from symbackprop.judging.notes import page as notes
from symbackprop.judging.notes.conventions import search as conventions
from symbackprop.judging.notes.formula import judge
from symbackprop.judging.notes.proofs import prove
from symbackprop.judging.report import Claim, Report
from symbackprop.reading.latex.syntax import Node, Statement, walk
from symbackprop.reading.notes import files
from tests.judging.notes.test_hostile import mutated
from tests.judging.notes.test_notes import ROWS
from tests.slips import NOTES, formulas

pytestmark = pytest.mark.slow

BUGS = errors.BUGS
TRUE = r"\frac{\partial L}{\partial h^1} = \delta^2 (W^2)^T"
FALSE = r"\delta^1 = \frac{\partial L}{\partial z^1} = \delta^2 (W^2)^T"
ODD = r"b^2 = 23 x"  # the formula on which something breaks
ODD_TRUE = r"23 b^2 = 21 b^2 + 2 b^2"


@pytest.fixture
def outlived(monkeypatch: pytest.MonkeyPatch, bugs_are_loud: None) -> None:
    """Bugs are outlived, as they are for a user."""
    monkeypatch.setattr(errors, "BUGS", BUGS)


def note(*displays: str) -> str:
    return ROWS + "".join(f"$$\n{display}\n$$\n\n" for display in displays)


def judged(folder: Path, text: str) -> Report:
    path = folder / "note.md"
    path.write_text(text, encoding="utf-8")
    return sbp.verify(path)


def one(report: Report, latex: str) -> Claim:
    (found,) = (claim for claim in report.claims if claim.latex.strip() == latex)
    return found


def is_odd(given: Any) -> bool:
    """Whether a text, node, statement, or what holds one, has a 23 in it."""
    if isinstance(given, str):
        return "23" in given
    if isinstance(given, get_args(Node)):
        return any(getattr(node, "text", "") == "23" for node in walk(given))
    if isinstance(given, Statement):
        return any(map(is_odd, given.sides))
    if isinstance(given, list | tuple):
        return any(map(is_odd, given))
    return isinstance(given, notes.Item) and is_odd(given.statement)


def breaking(work: Callable[..., Any]) -> Callable[..., Any]:
    def broken(*given: Any, **named: Any) -> Any:
        if is_odd(given):
            raise KeyError("expression")
        return work(*given, **named)

    return broken


# ---- one formula

JUDGEMENT = notes._Judgement
VERDICT = [
    (notes, "read"),
    (notes, "_indices"),
    (notes, "numbered_names"),
    (notes, "without_numbers"),
    (conventions, "heads_of"),
    (judge, "is_literal"),
    (judge, "with_ranges"),
    (judge, "_link"),
    (JUDGEMENT, "_in_numbers"),
    (JUDGEMENT, "_of_section"),
    (JUDGEMENT, "_claim"),
]


@pytest.mark.parametrize(("room", "name"), VERDICT, ids=[name for _, name in VERDICT])
def test_what_breaks_is_one_undecided_formula_and_the_others_are_judged_without_it(
    room: Any, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, outlived: None
) -> None:
    without = judged(tmp_path, note(TRUE, FALSE))
    monkeypatch.setattr(room, name, breaking(getattr(room, name)))
    report = judged(tmp_path, note(TRUE, FALSE, ODD))
    claim = one(report, ODD)
    assert claim.status == "undecided"
    assert "a fault of symbackprop, not of the text: KeyError at" in claim.sentence
    assert "please report this formula" in claim.sentence
    assert [c for c in report.claims if c is not claim] == list(without.claims)
    assert report.settings == without.settings


def test_a_formula_that_breaks_in_one_reading_has_no_say_in_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, outlived: None
) -> None:
    """It is noticed while the readings are tried, and they are tried again without it."""
    work = judge._link

    def broken(left: Any, right: Any, meaning: Any, *rest: Any) -> Any:
        if is_odd(left) and meaning.settings.samples == "columns":
            raise AssertionError
        return work(left, right, meaning, *rest)

    monkeypatch.setattr(judge, "_link", broken)
    claim = one(judged(tmp_path, note(TRUE, r"23 x = z^1 W^1")), r"23 x = z^1 W^1")
    assert claim.status == "undecided"
    assert "AssertionError" in claim.sentence


@pytest.mark.parametrize("name", ["_explained", "_carried", "_derived", "_witness"])
def test_a_refutation_stands_without_what_breaks_beside_it(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, outlived: None
) -> None:
    whole = one(judged(tmp_path, note(ODD)), ODD)
    monkeypatch.setattr(JUDGEMENT, name, breaking(getattr(JUDGEMENT, name)))
    claim = one(judged(tmp_path, note(ODD)), ODD)
    assert whole.status == claim.status == "refuted"
    assert claim.counterexample is not None
    assert claim.counterexample["sizes"] == (whole.counterexample or {})["sizes"]


def test_what_is_true_stays_verified_where_its_proof_breaks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, outlived: None
) -> None:
    assert one(judged(tmp_path, note(ODD_TRUE)), ODD_TRUE).method == "proved"
    monkeypatch.setattr(notes, "prove", breaking(prove))
    claim = one(judged(tmp_path, note(ODD_TRUE)), ODD_TRUE)
    assert (claim.status, claim.method) == ("verified", "numeric")


def test_an_error_that_a_user_can_mend_is_no_bug(outlived: None) -> None:
    def work() -> None:
        raise errors.ArrayError("W1", "shape (3, 2)", "shape (2, 3)", "transpose it")

    with pytest.raises(errors.ArrayError):
        guarded(work, told)


def test_a_bug_is_loud_in_tests() -> None:
    def work() -> None:
        raise KeyError("expression")

    with pytest.raises(KeyError):
        guarded(work, told)


# ---- a file


@pytest.mark.parametrize("place", ["reading", "judging"])
def test_a_file_that_is_lost_is_one_undecided_line_and_the_others_are_judged(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any, outlived: None
) -> None:
    (tmp_path / "a.md").write_text(note(TRUE))
    (tmp_path / "b.md").write_text(note(TRUE))
    read, report = files.READERS[".md"], JUDGEMENT.report

    def broken_reader(path: str, text: str) -> Any:
        if path.endswith("a.md"):
            raise TypeError
        return read(path, text)

    def broken_report(judgement: Any) -> Any:
        if judgement.note.path.endswith("a.md"):
            raise TypeError
        return report(judgement)

    if place == "reading":
        monkeypatch.setitem(files.READERS, ".md", broken_reader)
    else:
        monkeypatch.setattr(JUDGEMENT, "report", broken_report)
    lost, kept = sbp.verify(tmp_path).files
    (claim,) = lost.claims
    assert (claim.status, claim.line) == ("undecided", 1)
    assert claim.sentence.startswith("a fault of symbackprop, not of the text: TypeError")
    assert claim.sentence.endswith("please report this file")
    assert len(kept.claims) == 7
    assert {c.status for c in kept.claims} == {"verified"}
    assert main(["verify", str(tmp_path)]) == 0
    assert main(["verify", str(tmp_path), "--strict"]) == 1
    assert main(["verify", str(tmp_path), "--annotate", str(tmp_path / "out") + "/"]) == 0
    assert "Traceback" not in "".join(capsys.readouterr())


def test_the_verdicts_are_told_where_the_printing_breaks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any, outlived: None
) -> None:
    (tmp_path / "a.md").write_text(note(FALSE))
    monkeypatch.setattr(cli, "_wants_colour", lambda: len(5))  # type: ignore[arg-type]
    assert main(["verify", str(tmp_path / "a.md")]) == 1
    said = capsys.readouterr().out.splitlines()
    assert said[0] == f"{tmp_path / 'a.md'}:16: verified"
    assert said[-2] == f"{tmp_path / 'a.md'}:29: refuted"
    assert said[-1].startswith("a fault of symbackprop, not of the text: TypeError at cli.py:")


# ---- none is left


@pytest.mark.parametrize("name", ["four_equations.md", "tanh_softmax_rows.md", "deep_relu.tex"])
def test_no_mutant_of_a_note_breaks_anything(name: str, tmp_path: Path) -> None:
    source = random.Random(name)
    text = (NOTES / name).read_text(encoding="utf-8")
    found = [f.text for f in formulas(text) if len(f.text) < 300]
    displays = [mutated(source.choice(found), source) for _ in range(45)]
    body = "".join(f"\\[\n{display}\n\\]\n\n" for display in displays)
    path = tmp_path / name
    path.write_text(text.replace(r"\end{document}", "") + "\n" + body, encoding="utf-8")
    report = sbp.verify(path)
    assert len(report.claims) > 45
    str(report)


# ---- what broke once

NETS = {
    "classes": ("cross_entropy", "mean", (("4", "tanh"), ("3", "softmax"))),
    "one unit": ("squared_error", "sum", (("3", "tanh"), ("1", "identity"))),
    "probability": ("binary_cross_entropy", "sum", (('"h"', "sigmoid"), ("1", "sigmoid"))),
}
PAIRS = {  # network, right, its nearest wrong one
    "quotients in a row": (
        "one unit",
        r"h^1 \oslash z^1 \oslash z^1 = h^1 \oslash (z^1 \odot z^1)",
        r"h^1 \oslash z^1 \oslash z^1 = h^1 \oslash z^1 \odot z^1",
    ),
    "a rule of calculus": (
        "one unit",
        r"\frac{d}{du} \log u = \frac{1}{u}",
        r"\frac{d}{du} \log u = \frac{2}{u}",
    ),
    "the slope of another loss": (
        "probability",
        r"\frac{\partial}{\partial h^2} \frac{1}{2} (h^2 - y)^2 = h^2 - y",
        r"\frac{\partial L}{\partial h^2} = \frac{\partial}{\partial h^2} \frac{1}{2} (h^2 - y)^2",
    ),
    "an array by a number": (
        "one unit",
        r"\frac{\partial}{\partial b^2} b^2 x^T x = x^T x",
        r"\frac{\partial}{\partial b^2} b^2 x^T x = x^T x + x^T x",
    ),
    "e to minus one": (
        "classes",
        r"\hat{y}_k = e^{-1} \frac{e^{z^2_k + 1}}{\sum_j e^{z^2_j}}",
        r"\hat{y}_k = e^{-1} \frac{e^{z^2_k}}{\sum_j e^{z^2_j}}",
    ),
    "e alone": (
        "classes",
        r"e e^{-1} h^1 = h^1",
        r"e e^{-2} h^1 = h^1",
    ),
    "a condition on a letter of one side": (
        "classes",
        r"1 - y_k = 1 - y_k \quad \text{for } k > 1",
        r"\delta^2_k = 0 \quad \text{for } k > 1",
    ),
    "the norm of a Jacobian": (
        "classes",
        r"\left\| \frac{\partial h^1}{\partial z^1} \right\|^2 = \sum_j (1 - (h^1_j)^2)^2",
        r"\left\| \frac{\partial h^1}{\partial z^1} \right\|^2 = \sum_j (1 - (h^1_j)^2)",
    ),
    "ones set beside a column": (
        "classes",
        r"\begin{bmatrix} \mathbf{1} & x^T \end{bmatrix} + \begin{bmatrix} \mathbf{1} & x^T "
        r"\end{bmatrix} = \begin{bmatrix} 2 \mathbf{1} & 2 x^T \end{bmatrix}",
        r"\begin{bmatrix} \mathbf{1} & x^T \end{bmatrix} = \begin{bmatrix} \mathbf{1} & 2 x^T "
        r"\end{bmatrix}",
    ),
}
FORWARD = r"$$z^1 = x W^1 + b^1$$ $$h^1 = \tanh(z^1)$$ $$z^2 = h^1 W^2 + b^2$$"


def network(name: str) -> sbp.Net:
    loss, reduction, layers = NETS[name]
    rows = [f'[[layers]]\ntype = "dense"\nunits = {u}\nactivation = "{a}"' for u, a in layers]
    half = "half = true" if loss == "squared_error" else ""
    top = ['name = "n"', "input = 2", f'loss = "{loss}"', f'reduction = "{reduction}"', half]
    return sbp.loads("\n".join([*top, *rows]))


def last(folder: Path, name: str, formula: str, *before: str) -> Claim:
    path = folder / "note.md"
    forward = FORWARD.replace(r"\tanh", r"\sigma") if name == "probability" else FORWARD
    displays = "".join(f"\n\n$$\n{each}\n$$" for each in (*before, formula))
    path.write_text(f"{forward}{displays}\n", encoding="utf-8")
    return sbp.verify(path, network(name)).claims[-1]


@pytest.mark.parametrize(("name", "right", "wrong"), PAIRS.values(), ids=PAIRS)
def test_what_broke_once_is_judged(name: str, right: str, wrong: str, tmp_path: Path) -> None:
    assert last(tmp_path, name, right).status == "verified"
    assert last(tmp_path, name, wrong).status == "refuted"


@pytest.mark.parametrize("formula", ["e^T", "e'", "e^*", "e_k", "e^{(1)}"])
def test_an_e_with_scripts_that_are_no_exponent_is_not_known(formula: str, tmp_path: Path) -> None:
    claim = last(tmp_path, "classes", rf"h^1_1 = {formula}", r"\hat{y}_k = \frac{e^{z^2_k}}{2}")
    assert claim.status == "undecided"


def test_a_letter_e_that_the_note_defines_is_not_the_number(tmp_path: Path) -> None:
    before = r"\sigma(u) = \frac{1}{1 + e^{-u}}", r"e = \hat{y} - y"
    assert last(tmp_path, "classes", r"\frac{\partial L}{\partial z^2} = e", *before).status in (
        "verified",
        "undecided",
    )


@pytest.mark.parametrize(
    "text",
    [
        r"Take $x=[x_1,x_2]^\top=(0.2,0.4)^\top$ as the input. Once more, $x = [0.2, 0.4]^\top$.",
        r"$$J = -\frac1n \sum (Y \cdot \log \hat Y)$$ $$J = -\frac1n \sum Y \odot \log \hat Y$$",
        r"$$h^1 \oslash z^1 \oslash x \oslash 1 = 1$$ $$A \oslash B \oslash C$$",
    ],
    ids=["a vector given twice", "a loss of all samples", "quotients that do not fit"],
)
def test_what_broke_once_breaks_no_more(text: str, tmp_path: Path) -> None:
    (tmp_path / "note.md").write_text(text)
    for name in NETS:
        assert not sbp.verify(tmp_path / "note.md", network(name)).summary["verified"]


def test_a_condition_that_no_index_meets_says_nothing(tmp_path: Path) -> None:
    claim = last(tmp_path, "classes", r"\delta^2_k = 0 \quad \text{for } k > 10")
    assert (claim.status, claim.sentence) == ("undecided", "no index meets the condition")


@pytest.mark.parametrize("before", [r"\Xi = \Xi + \Xi", r"\Xi = (\Xi_1, \Xi_2)"])
def test_a_name_defined_by_itself_means_nothing(before: str, tmp_path: Path) -> None:
    claim = last(tmp_path, "classes", r"z^1 = \Xi + 1", before)
    assert claim.status == "undecided"
    assert claim.sentence == r"\Xi goes back through more than 30 definitions"


def test_names_that_go_back_to_each_other_twice_are_found_once_each(tmp_path: Path) -> None:
    chain = ["q_1 = x_1", *(f"q_{{{n + 1}}} = q_{{{n}}} + q_{{{n}}}" for n in range(1, 25))]
    for factor, status in ((2**24, "verified"), (2**23, "refuted")):
        assert last(tmp_path, "classes", f"{factor} x_1 = q_{{25}}", *chain).status == status


# ---- bounds

ONES = r" \\ ".join([" & ".join("1" * 99)] * 99)
LARGE = {
    "a sum": (r"h^1 = " + " + ".join([r"h^1"] * 3000), "parts; up to"),
    "a sum of products": (r"L = " + " + ".join([r"x_1 y_2"] * 3000), "words"),
    "factors": (r"h^1 = " + " ".join([r"h^1"] * 3000), "parts; up to"),
    "a chain": (" = ".join([r"h^1"] * 3000), "parts; up to"),
    "brackets": ("(" * 3000 + "h^1" + ")" * 3000 + " = h^1", "nested deeper"),
    "fractions": (r"\frac{1}{" * 3000 + "h^1" + "}" * 3000 + " = h^1", "nested deeper"),
    "fonts": (r"\mathbf{" * 3000 + "h^1" + "}" * 3000 + " = h^1", "nested deeper"),
    "a matrix": (rf"W^1 = \begin{{bmatrix}}{ONES}\end{{bmatrix}}", "parts; up to"),
    "a sum that is judged": (r"h^1 = " + " + ".join([r"h^1"] * 400), ""),
    "factors that are judged": (r"x_i y_j = " + " ".join([r"x_i y_j"] * 30), ""),
}


@pytest.mark.parametrize(("formula", "bound"), LARGE.values(), ids=LARGE)
def test_a_large_formula_is_judged_in_bounded_time(
    formula: str, bound: str, tmp_path: Path
) -> None:
    start = time.process_time()
    claim = last(tmp_path, "classes", formula)
    assert time.process_time() - start < 5
    assert bound in claim.sentence
    assert claim.status == ("undecided" if bound else "refuted")


def test_a_note_of_many_formulas_takes_time_in_proportion(tmp_path: Path) -> None:
    taken = {}
    for count in (90, 360):
        start = time.process_time()
        displays = [r"z^1 = x W^1 + b^1", r"h^1 = \tanh(z^1)", r"L = L + \sum_k 1"] * (count // 3)
        last(tmp_path, "classes", displays[-1], *displays[:-1])
        taken[count] = time.process_time() - start
    assert taken[360] < 8 * taken[90]
