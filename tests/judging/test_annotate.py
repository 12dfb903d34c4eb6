"""Annotated notes: marks where they belong, formulas as they were, twice the same as once."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from symbackprop import api
from symbackprop.judging.printing.annotate import annotate
from symbackprop.judging.report import Claim, FileReport, Report, Status
from symbackprop.reading.notes.files import READERS
from symbackprop.reading.notes.passages import Note
from tests.places import DATA

Judge = Callable[[int], dict[str, object]]


def read(text: str, path: str) -> Note:
    return READERS[Path(path).suffix](path, text)


def fine(_: int) -> dict[str, object]:
    return {"status": "verified", "method": "proved"}


def false(_: int) -> dict[str, object]:
    return {
        "status": "refuted",
        "slip": "sign",
        "sentence": r"the sign of \delta is wrong.",
        "suggestion": r"\delta = \hat{y} - y",
    }


def in_turn(number: int) -> dict[str, object]:
    statuses: tuple[Status, ...] = ("refuted", "undecided", "definition", "verified")
    return {**false(number), "status": statuses[number % 4]}


def judged(note: Note, judge: Judge) -> list[Claim]:
    """A claim at the beginning of each formula."""
    claims = []
    for number, passage in enumerate(note.passages):
        line, column = passage.place(0)
        claims.append(
            Claim(note.path, line, column, 3, latex=passage.latex, **judge(number))  # type: ignore[arg-type]
        )
    return claims


def marked(text: str, judge: Judge = fine, path: str = "n.md") -> str:
    note = read(text, path)
    return annotate(note, judged(note, judge))


def formulas(text: str, path: str) -> list[tuple[str, bool, str]]:
    return [(p.latex, p.display, p.environment) for p in read(text, path).passages]


# --- Markdown ----------------------------------------------------------------------------------

BLOCK = r"> ✗ **refuted**: a sign; the sign of `\delta` is wrong; write `\delta = \hat{y} - y`"


def test_a_displayed_formula_has_its_mark_in_a_quotation_below() -> None:
    assert marked("$$\na = b\n$$\n") == "$$\na = b\n$$\n> ✓ verified (proved)\n"
    assert marked("$$\na = b\n$$\n\nso\n", false) == f"$$\na = b\n$$\n{BLOCK}\n\nso\n"


def test_text_that_follows_at_once_stays_out_of_the_quotation() -> None:
    assert marked("$$a = b$$\nwhere b\n") == "$$a = b$$\n> ✓ verified (proved)\n\nwhere b\n"


def test_a_formula_within_a_line_has_its_mark_right_behind() -> None:
    assert marked("so $a = b$, and $c = d$.") == "so $a = b$ ✓, and $c = d$ ✓."
    assert marked("$a = b$", false) == (
        r"$a = b$ ✗ ⟦refuted: a sign, write `\delta = \hat{y} - y`⟧"
    )
    assert marked("$a = b$ or $c = d$", lambda n: {**in_turn(n + 1)}) == "$a = b$ (?) or $c = d$ ≔"


def test_marks_stay_in_the_quote_the_list_and_the_table_of_their_formula() -> None:
    assert marked("> $$a = b$$\n> so\n") == "> $$a = b$$\n> > ✓ verified (proved)\n>\n> so\n"
    assert marked("- $$a = b$$\n- x\n") == "- $$a = b$$\n  > ✓ verified (proved)\n\n- x\n"
    table = "| a | b |\n| - | - |\n| x | $$a = b$$ |\n"
    assert marked(table) == table.replace("$$ |", "$$ ✓ |")
    wrong = marked(table, lambda n: {**false(n), "suggestion": "|a|"})
    assert r"write `\|a\|`⟧ |" in wrong


def test_a_mark_for_a_fence_stands_below_the_fence() -> None:
    fence = "```math\na = b\n```\n"
    assert marked(fence) == fence + "> ✓ verified (proved)\n"
    inner = "~~~latex\n\\begin{align}\na &= b\n\\end{align}\n$$c = d$$\n~~~\n"
    assert marked(inner, in_turn).startswith(inner + "> - ✗ **refuted** (1 of 2): a sign")
    assert "\n> - ? undecided (2 of 2): " in marked(inner, in_turn)


def test_the_rows_of_one_block_have_a_line_each_unless_all_are_fine() -> None:
    text = "$$\n\\begin{align}\na &= b \\\\\nc &= d\n\\end{align}\n$$\n"
    note = read(text, "n.md")
    (first,) = judged(note, fine)
    second = replace(first, line=first.line + 1, column=1)
    assert annotate(note, [second, first]) == f"{text}> ✓ verified (2 formulas)\n"
    second = replace(second, status="refuted", consistent=True, follows_from=(1,))
    assert annotate(note, [second, first]) == (
        f"{text}> - ✓ verified (1 of 2) (proved)\n"
        "> - ✗ **refuted** (2 of 2): follows correctly from line 1, which is false\n"
    )


def test_windows_line_ends_stay() -> None:
    assert marked("$$\r\na = b\r\n$$\r\nso\r\n") == (
        "$$\r\na = b\r\n$$\r\n> ✓ verified (proved)\r\n\r\nso\r\n"
    )


def test_formulas_in_code_and_claims_without_a_place_get_no_mark() -> None:
    text = "`$a = b$`\n\n```python\nx = '$a = b$'\n```\n"
    assert marked(text) == text
    note = read("$a = b$\n", "n.md")
    lost = [Claim("n.md", line, column, 1, "refuted") for line, column in ((0, 0), (9, 1), (1, 90))]
    assert annotate(note, lost) == "$a = b$\n"


# --- LaTeX -------------------------------------------------------------------------------------

TEX = r"""\documentclass{article}
\begin{document}
So $a = b$ and $c = d$, %
no blank.
\begin{align}
  a &= b
\end{align}
and \[ e = f \] goes on.\footnote{Here $g = h$
too.}

\begin{equation}
  i = j % $k = l$
\end{equation}
\end{document}
"""


def test_latex_has_comment_lines_below_the_line_where_a_formula_ends() -> None:
    lines = marked(TEX, in_turn, "n.tex").split("\n")
    assert [line for line in lines if not line.startswith("% ")] == TEX.split("\n")
    assert lines[3] == (
        r"% ✗ refuted (a = b): a sign; the sign of \delta is wrong; write \delta = \hat{y} - y"
    )
    assert lines[4].startswith("% ? undecided (c = d): ")
    assert lines[9] == "% ≔ definition"


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="needs pdflatex")
def test_annotated_latex_compiles_to_the_same_page(tmp_path: Path) -> None:
    for name, text in (("old", TEX), ("new", marked(TEX, in_turn, "n.tex"))):
        (tmp_path / f"{name}.tex").write_text(
            text.replace(r"\begin{document}", r"\usepackage{amsmath}\showoutput\begin{document}")
        )
        done = subprocess.run(
            ["pdflatex", "-interaction=nonstopmode", f"{name}.tex"],
            cwd=tmp_path, capture_output=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout.decode(errors="replace")[-2000:]
    boxes = [
        [line for line in (tmp_path / f"{name}.log").read_text("latin-1").split("\n")
         if line.startswith(".")]
        for name in ("old", "new")
    ]  # fmt: skip
    assert boxes[0] == boxes[1]


# --- notebooks ---------------------------------------------------------------------------------


def notebook(*cells: object) -> str:
    listed = [
        {"cell_type": "markdown", "metadata": {}, "source": source}
        if isinstance(source, str | list)
        else source
        for source in cells
    ]
    return json.dumps(
        {"cells": listed, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}, indent=1
    )


def cells_of(text: str) -> list[str]:
    return ["".join(cell["source"]) for cell in json.loads(text)["cells"]]


def test_a_cell_is_annotated_like_markdown_and_the_rest_stays_byte_for_byte() -> None:
    code = {"cell_type": "code", "source": ["x = '$a = b$'\n"], "outputs": [{"text": "é\t$a=b$"}]}
    sources = [
        'so $a = \\hat{b}$ "é"',
        "$$\n\\delta = \\frac{1}{2}\n$$\nwhere",
        "> $$a=b$$\n\nend $x = y$",
    ]
    as_lists = [source.splitlines(keepends=True) for source in sources]
    text = notebook(code, *sources, *as_lists)
    result = marked(text, false, "n.ipynb")
    assert cells_of(result)[1:] == [marked(source, false) for source in sources] * 2
    assert result.split('"code"')[1].split("]")[0] == text.split('"code"')[1].split("]")[0]
    assert json.loads(result)["cells"][0] == code


def test_a_notebook_annotated_twice_through_an_editor_is_annotated_once() -> None:
    text = notebook(["$$\n", "a = b\n", "$$\n", "so $c = d$ is\n"], "$$e = f$$")
    once = marked(text, in_turn, "n.ipynb")
    saved = json.loads(once)
    for cell in saved["cells"]:
        cell["source"] = "".join(cell["source"]).splitlines(keepends=True)
    again = marked(json.dumps(saved), in_turn, "n.ipynb")
    assert cells_of(again) == cells_of(once)


# --- whatever the notes are --------------------------------------------------------------------

NOTES = {
    "n.md": "# T $a = b$\n\n$$a = b$$\n$$\nc = d\n$$\ntext $e$ and $f = g$ x\n\n"
    "> - $$\n>   h = i\n>   $$\n> - k\n\n| $l = m$ | $$n = o$$ |\n|--|--|\n| $p = q$ | r |\n\n"
    "```math\ns = t\n```\n<center>$$u = v$$</center>\n\\begin{align}\nw &= x\\\\\ny &= z\n"
    "\\end{align}\n1. a\n\n   $$\n   b = c\n   $$\n   d\nwhere $$e = f$$\n\\[ g = h \\]",
    "n.tex": TEX,
    "n.ipynb": notebook("$$a = b$$\nx $c = \\sigma$", ["$$\n", "d = e\n", "$$"], []),
}
SEEDS = sorted(DATA.rglob("*.md"))[:20]


@pytest.mark.parametrize("judge", [fine, false, in_turn])
@pytest.mark.parametrize("path", sorted(NOTES))
def test_an_annotated_copy_has_the_same_formulas_and_annotating_it_changes_nothing(
    path: str, judge: Judge
) -> None:
    once = marked(NOTES[path], judge, path)
    assert once != NOTES[path]
    assert formulas(once, path) == formulas(NOTES[path], path)
    assert marked(once, judge, path) == once


@pytest.mark.parametrize("path", sorted(NOTES))
def test_new_marks_replace_old_ones_and_no_claims_leave_no_marks(path: str) -> None:
    text = NOTES[path]
    assert marked(marked(text, false, path), in_turn, path) == marked(text, in_turn, path)
    bare = annotate(read(marked(text, false, path), path), [])
    for mark in "✗✓≔⟦":
        assert mark not in bare
    assert formulas(bare, path) == formulas(text, path)


@pytest.mark.parametrize("path", SEEDS, ids=lambda path: path.name)
def test_real_notes_keep_their_formulas(path: Path) -> None:
    text = path.read_text("utf-8")
    once = marked(text, in_turn)
    assert formulas(once, "n.md") == formulas(text, "n.md")
    assert marked(once, in_turn) == once


HOSTILE = (
    "\x1b[2J", "a\n\n$$x=y$$\n% \\end{document}\n\\input{/etc/passwd}", "<script>x</script>",
    "`` $x = y$ `", "⟧ $x=y$", "\u2028$x=y$\x85", "\\(x = y\\) \\[z\\]", "\ud800", "|" * 9,
    "\\begin{align} x &= y \\end{align}", "$", "```\n$$x=y$$", '"}], "cells": [', "",
)  # fmt: skip


@pytest.mark.parametrize("path", sorted(NOTES))
@pytest.mark.parametrize("text", HOSTILE)
def test_no_claim_adds_a_formula_or_breaks_the_file(text: str, path: str) -> None:
    def judge(number: int) -> dict[str, object]:
        words = {"slip": text, "sentence": f"the {text}", "suggestion": text, "derived": text}
        return {**in_turn(number), **words}

    once = marked(NOTES[path], judge, path)
    assert formulas(once, path) == formulas(NOTES[path], path)
    assert once.encode("utf-8")
    assert "\x1b" not in once
    if path == "n.ipynb":
        assert len(cells_of(once)) == 3


PIECES = (
    " $a = b$ ", " $$c = d$$ ", "$$c = d$$\n", "$$\ne = f\n$$", "\n", "\n\n", "> ", "- ", "  ",
    "text", "| ", " |",
    "```math\n", "```", "\\[ g = h \\]", "# ", "1. ", "`", "✓", "\r\n",
)  # fmt: skip


def _joined(pieces: Sequence[str]) -> str:
    """No formula twice: the reader takes a repetition at once for a copy that a browser made."""
    return "".join(piece.replace("=", f"= {number}") for number, piece in enumerate(pieces))


@settings(max_examples=300)
@example("$$c = 0 d$$\n     $a = 3 b$ ")
@example("> $$c = 0 d$$\n>\t $a = 3 b$ ")
@given(st.lists(st.sampled_from(PIECES), max_size=14).map(_joined))
def test_annotating_twice_is_annotating_once_whatever_the_markdown(text: str) -> None:
    once = marked(text)
    assert formulas(once, "n.md") == formulas(text, "n.md")
    assert marked(once) == once


def test_the_report_of_several_files_is_annotated_by_file() -> None:
    note = read("$a = b$\n", "n.md")
    files: Sequence[FileReport] = (
        FileReport("n.md", tuple(judged(note, fine)), {}, "$a = b$\n"),
        FileReport("g.py::backward", (), {}, "def backward(): ..."),
        FileReport("bad.md", (), {}, "", "no text"),
    )
    assert api.annotate(Report(tuple(files))) == {"n.md": "$a = b$ ✓\n"}
