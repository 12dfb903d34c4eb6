"""Sections that do not speak of the network: nothing right is refuted there, no slip escapes."""

from __future__ import annotations

from pathlib import Path

import pytest

from symbackprop.reading.notes.markdown import read_markdown
from symbackprop.reading.notes.notebook import read_notebook
from symbackprop.reading.notes.tex import read_tex
from tests.judging.notes.test_notes import ROWS, judged
from tests.reading.test_passages import notebook

NOT_THOSE = "the text says that these letters are not those of the network"
SLIP = r"\frac{\partial L}{\partial W^2} = \delta^2 (h^1)^T"
SAYS = {
    "not": "In this section $f$, $g$, $x$, $y$ stand for any functions and variables, not for "
    "those of the network.",
    "any": "Here $x$ and $y$ are arbitrary variables, $f$ and $g$ any differentiable functions.",
}


def found(folder: Path, text: str) -> list[tuple[str, str]]:
    """Status and sentence of the formulas behind the network's own."""
    own = len(judged(folder, ROWS).claims)
    return [(claim.status, claim.sentence) for claim in judged(folder, ROWS + text).claims[own:]]


def shown(*formulas: str) -> str:
    return "".join(f"\n\n$$\n{formula}\n$$\n\n" for formula in formulas)


# --- where a formula stands -----------------------------------------------------------------


def test_a_passage_knows_all_headings_above_it() -> None:
    text = "$o$\n\n# A\n$a$\n## B\n$b$\n### C\n$c$\n## D\n$d$\n\nE\n===\n$e$\n"
    passages = read_markdown("x.md", text).passages
    within = {passage.latex: passage.within for passage in passages}
    assert within == {"o": (), "a": (1,), "b": (1, 2), "c": (1, 2, 3), "d": (1, 4), "e": (5,)}
    assert [passage.section for passage in passages] == [0, 1, 2, 3, 4, 5]


def test_headings_of_latex_and_of_notebooks_have_levels() -> None:
    text = "\\section{A}\n$a$\n\\subsection*{B}\n$b$\n\\section{C}\n$c$\n"
    assert [p.within for p in read_tex("x.tex", text).passages] == [(1,), (1, 2), (3,)]
    cells = read_notebook("x.ipynb", notebook("# A\n$a$", "## B\n$b$", "# C\n$c$")).passages
    assert [p.within for p in cells] == [(1,), (1, 2), (3,)]


# --- said in prose --------------------------------------------------------------------------


@pytest.mark.parametrize("words", SAYS.values(), ids=SAYS)
def test_letters_that_are_not_those_of_the_network_are_not_judged(
    tmp_path: Path, words: str
) -> None:
    foreign = (r"f(x) = 2 x", r"f(1 + 0.001) = 2.002", "y = x^2", "y = f(g(x))")
    claims = found(tmp_path, f"## Calculus\n\n{words}\n\n### The chain rule" + shown(*foreign))
    assert claims == [("undecided", NOT_THOSE)] * 4


def test_without_the_sentence_they_are_judged(tmp_path: Path) -> None:
    assert [status for status, _ in found(tmp_path, "## Network" + shown("y = x^2"))] == ["refuted"]


def test_the_sentence_holds_from_its_place_to_the_end_of_its_section(tmp_path: Path) -> None:
    text = shown("y = x^2").join(("## A\n\nText.", f"{SAYS['not']}", "### B", "## C", ""))
    statuses = [status for status, _ in found(tmp_path, text)]
    assert statuses == ["refuted", "undecided", "undecided", "refuted"]


@pytest.mark.parametrize("words", SAYS.values(), ids=SAYS)
def test_slips_in_formulas_of_the_network_are_refuted_all_the_same(
    tmp_path: Path, words: str
) -> None:
    slips = (SLIP, r"\sigma(z) = \frac{1}{1 + e^{z}}", r"\sigma(x) = \frac{1}{1 + e^{x}}")
    statuses = [status for status, _ in found(tmp_path, f"## A\n\n{words}" + shown(*slips))]
    assert statuses == ["refuted"] * 3


def test_what_is_true_of_the_network_stays_verified(tmp_path: Path) -> None:
    words = "Here $L$ is any of these losses, not that of the network."
    right = r"\frac{\partial L}{\partial \hat{y}_k} = -\frac{y_k}{\hat{y}_k}"
    other = r"\frac{\partial L}{\partial \hat{y}_k} = 2 (\hat{y}_k - y_k)"
    claims = found(tmp_path, f"## Other losses\n\n{words}" + shown(right, other))
    assert [status for status, _ in claims] == ["verified", "undecided"]


def test_other_losses_say_nothing_of_layers(tmp_path: Path) -> None:
    words = "In this section $L$ is any of these losses."
    other = r"\frac{\partial L}{\partial \hat{y}_k} = 2 (\hat{y}_k - y_k)"
    claims = found(tmp_path, f"## Other losses\n\n{words}" + shown(other, SLIP))
    assert [status for status, _ in claims] == ["undecided", "refuted"]


@pytest.mark.parametrize(
    "words",
    [
        "Here $\\sigma$ is any differentiable activation function.",
        "Here $\\hat{y}$ is the output, not the input of the network.",
        "In this section $W^2$ is not trained, and $x$ does not appear in the network's loss.",
        "In this section $\\delta$ is Kronecker's, not that of the network.",
        "We take any function of $L$ and $\\delta$.",
        "Let $L$ be another loss.",
    ],
)
def test_words_about_the_network_excuse_nothing(tmp_path: Path, words: str) -> None:
    wrong = r"\delta^1 = \delta^2 (W^2)^T \odot \sigma'(h^1)"
    claims = found(tmp_path, f"## The network\n\n{words}" + shown(wrong, SLIP))
    assert [status for status, _ in claims] == ["refuted", "refuted"]


def test_under_the_title_of_the_whole_note_it_ends_at_the_next_heading(tmp_path: Path) -> None:
    text = ROWS.replace("\n\n$$", f"\n\n# Notes\n\n{SAYS['not']}\n\n## Network\n\n$$", 1)
    claims = judged(tmp_path, text + shown("y = x^2")).claims
    assert claims[-1].status == "refuted"


def test_foreign_formulas_do_not_bend_the_reading_of_the_note(tmp_path: Path) -> None:
    """Many right lines about other quantities, and one of the network in the opposite order."""
    lines = (rf"\frac{{dy}}{{dx}} = {n} + f(x + {n}) - f(g(x)) + {n} y" for n in range(2, 12))
    text = f"{ROWS}## Calculus\n\n{SAYS['not']}" + shown(*lines)
    assert judged(tmp_path, text).settings["letters"] == judged(tmp_path, ROWS).settings["letters"]
