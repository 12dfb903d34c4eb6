"""Formulas found in files, and where they stand."""

from __future__ import annotations

import json
import os
import tomllib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from symbackprop.errors import InputError
from symbackprop.files import LARGEST
from symbackprop.reading.notes.files import Problem, read_note, read_notes
from symbackprop.reading.notes.markdown import read_markdown
from symbackprop.reading.notes.notebook import read_notebook
from symbackprop.reading.notes.passages import Note, Passage
from symbackprop.reading.notes.stretches import LINE_END, Stretch
from symbackprop.reading.notes.tex import read_tex
from tests.places import DATA

MAP = DATA / "four_layer_map.toml"


def found(text: str) -> list[str]:
    return [passage.latex for passage in read_markdown("x.md", text).passages]


def in_tex(text: str) -> list[str]:
    return [passage.latex for passage in read_tex("x.tex", text).passages]


def only(note: Note) -> Passage:
    (passage,) = note.passages
    return passage


def check_positions(note: Note) -> None:
    """Every character of a formula stands where `place` says."""
    rows = LINE_END.split(note.text)
    last = 0
    for passage in note.passages:
        assert passage.latex == passage.latex.strip() != ""
        for offset, character in enumerate(passage.latex):
            line, column = passage.place(offset)
            assert (rows[line - 1] + "\n")[column - 1] == character
        assert last <= passage.outer[0] < passage.outer[1] <= len(note.text)
        last = passage.outer[1]


def test_the_107_formulas_of_the_four_layer_text_stand_on_their_lines() -> None:
    formulas = tomllib.loads(MAP.read_text(encoding="utf-8"))["formula"]
    rows: list[str] = []
    following = [*(formula["line"] for formula in formulas[1:]), 10_000]
    for formula, below in zip(formulas, following, strict=True):
        source, line = formula["seed"], formula["line"]
        if len(rows) <= line - 2 and below > line + 1:
            rows += [""] * (line - 2 - len(rows)) + ["$$", *source.split("\n"), "$$"]
        else:  # a list: one formula a line
            rows += [""] * (line - 1 - len(rows)) + [f"1. ${source}$"]
    note = read_markdown("x.md", "\n".join(rows))
    assert len(note.passages) == 107
    for formula, passage in zip(formulas, note.passages, strict=True):
        assert (passage.latex, passage.place(0)[0]) == (formula["seed"], formula["line"])
    check_positions(note)


@pytest.mark.parametrize(
    ("text", "formulas"),
    [
        ("$a$ and $$b$$ and \\(c\\) and \\[d=1\\]", ["a", "b", "c", "d=1"]),
        ("\\\\[ a = b \\\\] \\\\( c \\\\)", ["a = b", "c"]),
        ("$$\na\n- b\n= c\n> d\n$$", ["a\n- b\n= c\n> d"]),
        ("text $$\n- b\n$$ and $c$", ["- b", "c"]),
        ("$$\na\n\n= b\n$$", ["a\n\n= b"]),
        ("```math\na\nb\n```", ["a\nb"]),
        ("```latex\n\\begin{align}\na\n\\end{align}\n```", ["a"]),
        ("```latex\n\\usepackage{amsmath}\n```", []),
        ("\\begin{align*}\na &= b \\\\\nc\n\\end{align*}", ["a &= b \\\\\nc"]),
        ("$$\\begin{aligned}a\\end{aligned}$$", ["\\begin{aligned}a\\end{aligned}"]),
        ("$$\\begin{align}a\\end{align}$$", ["a"]),
        ("<center>$a$</center>", ["a"]),
        ("<center>\n$a$\n</center>", ["a"]),
        ("GitHub's $`a_b`$", ["a_b"]),
        ("{{< katex >}}a{{< /katex >}}", ["a"]),
        ("{{< katex display >}}\n\\[ a \\]\n{{< /katex >}}", ["a"]),
        ("> q\n> $$\n> a > b\n> = c\n> $$", ["a > b\n= c"]),
        ("1. one\n\n   $$\n   a\n   - b\n   $$\n2. $c$", ["a\n- b", "c"]),
        ("| a | b |\n|---|---|\n| $x$ | $\\|z\\|$ `$no$` |", ["x", "\\|z\\|"]),
        ("# H $h$\n\nS $s$\n===\n", ["h", "s"]),
        ("$\\text{if $x$} a$ $b$", ["\\text{if $x$} a", "b"]),
        ("$a\\$b$", ["a\\$b"]),
        ("a 3$\\times$3 filter", ["\\times"]),
        ("---\ntitle: $x$\n---\n$y$", ["y"]),
        ("$$a % no\n+ b$$", ["a \n+ b"]),
        ("\f\n$a$\n$b$", ["a", "b"]),
        ("> \f\n> $a$\n> $b$", ["a", "b"]),
    ],
)
def test_delimiters(text: str, formulas: list[str]) -> None:
    assert found(text) == formulas
    check_positions(read_markdown("x.md", text))


@pytest.mark.parametrize(
    "text",
    [
        "costs $5 and $10",
        "from $5 to $10 or 6$",
        "\\$5\\$",
        "a `$x$` b ``$y` $z$``",
        "```\n$x$\n```",
        "~~~python\n$$x$$\n~~~",
        "    $$\n    x\n    $$",
        "<!-- $x$\n\n$y$ -->",
        "<script>\n$x$\n</script>",
        "<style>$x$</style>",
        "<code>$x$</code>",
        "see \\[1\\], \\[link\\](http://a.b), \\[ \\]",
        "I have $$ lots",
        "$$$$ $$ $$",
        "```math\n```",
        "$$\\newcommand{\\a}{b} \\def\\c#1{d}$$",
    ],
)
def test_no_formula(text: str) -> None:
    assert found(text) == []


@pytest.mark.parametrize(
    ("text", "formulas"),
    [
        ("$$\na = b\n\nThis is more prose.\n\n$$\nc\n$$", ["a = b", "c"]),
        ("$$\na=b\n\nThus:\n\n$$\nc\n$$", ["a=b", "c"]),
        ("\\[ a = b\n\n# H\n\n\\[c=d\\]", ["a = b", "c=d"]),
        ("\\begin{align}\na\n\ntext $b$", ["a", "b"]),
        ("$$ a = b\n# H\n$c$", ["a = b", "c"]),
        ("```math\na = b\n\ntext $c$", ["a = b", "c"]),
        ("```math\na = b\n\n```math\nc\n```", ["a = b", "c"]),
        ("- $$ a = b\n- $c$", ["a = b", "c"]),
    ],
)
def test_what_is_never_closed_ends_with_its_paragraph(text: str, formulas: list[str]) -> None:
    assert found(text) == formulas


def test_a_formula_pasted_twice_is_read_once() -> None:
    assert found('$b$<script type="math/tex">b</script> $c$') == ["b", "c"]
    assert found("$a$$a$") == ["a"]
    assert found("$a$ and $a$") == ["a", "a"]


def test_a_passage_begins_with_its_own_text_and_knows_its_surroundings() -> None:
    text = "# One\n\nBefore **it**:\n\n$$\n  a = b\n$$\n\nbehind\n\n## Two\n\n$c$\n"
    first, second = read_markdown("x.md", text).passages
    assert first.place(0) == (6, 3)
    assert text[slice(*first.outer)] == "$$\n  a = b\n$$"
    assert (first.display, first.section, first.heading) == (True, 1, "One")
    assert (first.before, first.after) == ("Before it:", "behind")
    assert (second.display, second.section, second.heading) == (False, 2, "Two")


def test_line_ends_of_windows_keep_positions() -> None:
    note = read_markdown("x.md", "a\r\n$$\r\nb\r\n+ c\r\n$$\r\n")
    assert only(note).latex == "b\n+ c"
    assert only(note).place(2) == (4, 1)
    assert note.text[slice(*only(note).outer)] == "$$\r\nb\r\n+ c\r\n$$"


def test_definitions_are_collected_from_prose_and_formulas() -> None:
    note = read_markdown(
        "x.md", "\\newcommand{\\W}[1]{W^{#1}}\n\n$$\\let\\x=\\y$$\n\n$$\\def\\q{x} a=\\q$$"
    )
    assert note.definitions == ("\\newcommand{\\W}[1]{W^{#1}}", "\\let\\x=\\y", "\\def\\q{x}")
    assert only(note).latex == "a=\\q"


def test_a_fence_carries_the_network() -> None:
    note = read_markdown("x.md", "t\n\n```toml symbackprop\nname = 'a'\ninput = 2\n```\n")
    assert (note.specification, note.specification_line) == ("name = 'a'\ninput = 2\n", 4)


TEX = r"""\documentclass{article}
\newcommand{\x}[1]{% one
  \mathbf{#1}}
\title{$t$}
% symbackprop: name = 'a'
% symbackprop: input = 2
\begin{document}
\section{One}
\begin{align} % c $
  a &= b \label{q}\\ % k
  c \% d
\end{align}
foo $x$ \$3 \verb|$v$| \[y\] \(q\)\\[2pt] % $no$
\begin{verbatim}$n$\end{verbatim}
\begin{subequations}\begin{alignat*}{2} z \end{alignat*}\end{subequations}
\subsection*{Two}

$ un = 3

$ok$ \begin{equation} zz

$k$\end{document} $no$
"""


def test_latex() -> None:
    note = read_tex("x.tex", TEX)
    latex = [passage.latex for passage in note.passages]
    assert latex[0] == "a &= b \\\\ \n  c \\% d"
    assert latex[1:] == ["x", "y", "q", "z", "un = 3", "ok", "zz", "k"]
    assert [passage.environment for passage in note.passages][:5] == [
        "align",
        "",
        "",
        "",
        "alignat*",
    ]
    assert note.passages[0].place(0) == (10, 3)
    assert (note.passages[0].heading, note.passages[5].heading) == ("One", "Two")
    assert note.definitions == ("\\newcommand{\\x}[1]{\\mathbf{#1}}",)
    assert (note.specification, note.specification_line) == ("name = 'a'\ninput = 2\n", 5)
    check_positions(note)


def notebook(*sources: str | list[str]) -> str:
    cells = [{"cell_type": "markdown", "source": source} for source in sources]
    return json.dumps({"cells": cells, "nbformat": 4}, indent=1)


def test_positions_in_a_notebook_are_those_of_its_json() -> None:
    raw = notebook(["text\n", "$$\n", "\\hat{y} = \u00e9x\n", "$$"], "# H\n$a$")
    note = read_notebook("x.ipynb", raw)
    first, second = note.passages
    assert first.latex == "\\hat{y} = éx"
    line, column = first.place(0)
    assert raw.split("\n")[line - 1][column - 1 :].startswith("\\\\hat{y}")
    line, column = first.place(11)
    assert raw.split("\n")[line - 1][column - 1 :].startswith('x\\n"')
    assert raw[slice(*second.outer)] == "$a$"
    assert second.section == 1


def test_code_cells_and_outputs_are_not_read() -> None:
    raw = json.dumps({"cells": [{"cell_type": "code", "source": "$a$", "outputs": ["$b$"]}]})
    assert read_notebook("x.ipynb", raw).passages == ()


@pytest.mark.parametrize(
    "raw",
    [
        "",
        "{",
        "[]",
        "3",
        '{"cells": 3}',
        "[" * 100_000,
        '{"a":' * 100_000,
        "1" * 10_000,
        '"\\ud800"',
    ],
)
def test_what_is_no_notebook_is_refused(raw: str) -> None:
    with pytest.raises(InputError, match="no notebook"):
        read_notebook("x.ipynb", raw)


@pytest.mark.parametrize(
    "raw",
    [
        '{"cells": [3, null, [], {"source": "$a$"}, {"cell_type": 3, "source": ["$a$"]}]}',
        '{"cells": [{"cell_type": "markdown", "source": {"a": "$a$"}}]}',
        '{"cells": [{"cell_type": "markdown", "source": [["$a$"], 3, null]}]}',
    ],
)
def test_wrong_types_in_a_notebook_hold_no_formula(raw: str) -> None:
    assert read_notebook("x.ipynb", raw).passages == ()


def test_a_lone_surrogate_in_a_notebook_does_no_harm() -> None:
    raw = '{"cells": [{"cell_type": "markdown", "source": "$a\\ud800\\ud83d\\ude00b$"}]}'
    assert only(read_notebook("x.ipynb", raw)).latex == "a\ufffd\U0001f600b"


def test_folders_are_read_in_order_without_hidden_ones(tmp_path: Path) -> None:
    for name in ("b/x.md", "a.tex", "c.ipynb", ".hidden/x.md", "node_modules/x.md", "z.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("$a$", encoding="utf-8")
    (tmp_path / "d.md").mkdir()
    (tmp_path / "d.md" / "loop").symlink_to(tmp_path, target_is_directory=True)
    notes = read_notes([tmp_path, tmp_path / "a.tex"])
    names = [os.path.relpath(note.path, tmp_path) for note in notes]
    assert names == ["a.tex", "b/x.md", "c.ipynb"]
    assert [type(note) for note in notes] == [Note, Note, Problem]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"a\n\0b", "a NUL byte in line 2"),
        (b"a\n\xff", "not UTF-8 text \\(line 2\\)"),
        ("a".encode("utf-16"), "UTF-16"),
        (b"a" * (LARGEST + 1), "larger than 20 MB"),
    ],
)
def test_what_is_no_text_is_refused(tmp_path: Path, data: bytes, reason: str) -> None:
    (tmp_path / "x.md").write_bytes(data)
    with pytest.raises(InputError, match=reason):
        read_note(tmp_path / "x.md")


def test_paths_that_give_no_note_say_why(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "x.txt").write_text("$a$", encoding="utf-8")
    paths: list[str | Path] = [tmp_path / "no.md", tmp_path / "empty", tmp_path / "x.txt", "a\0.md"]
    reasons = [note.reason for note in read_notes(paths) if isinstance(note, Problem)]
    assert reasons == [
        "no such file or directory",
        "the folder holds no .md, .tex or .ipynb file",
        "not a .md, .tex or .ipynb file",
        "the name holds a NUL character",
    ]


PIECES = (
    "$ $$ \\[ \\] \\( \\) \\\\[ \\\\] \\\\ \\$ ` `` ``` ```math ~~~tex <!-- --> <script> </script>"
    ' <script\ttype="math/tex"> <b> </b> <div> {{<katex>}} {{</katex>}} \\begin{align}'
    " \\end{align} \\begin{alignat}{2} \\end{alignat} \\begin{aligned} \\end{aligned} \\text{ } {"
    " \\newcommand{\\x} \\def\\q \\let\\a\\b \\label{a} % | |-|-| # = - * > 1. a b2 x=1 \\section{"
    " \\verb| \\begin{verbatim} \\end{verbatim} \\begin{document} \\end{document} --- +++ \u00e9"
    " \U0001f600 \u2028 \f [a](b) &"
).split(" ")
SPACES = ("\n", "\n", "\n\n", " ", " ", "    ", "\t", "\r\n", "\r", "\0", "\n> ", "\n  - ")
TEXTS = st.lists(st.sampled_from([*PIECES, *SPACES]), max_size=40).map("".join)


@settings(max_examples=300, deadline=None)
@given(TEXTS)
def test_every_character_keeps_its_place(text: str) -> None:
    check_positions(read_markdown("x.md", text))
    check_positions(read_tex("x.tex", text))


@settings(max_examples=100, deadline=None)
@given(st.lists(TEXTS, max_size=3))
def test_a_notebook_holds_the_formulas_of_its_cells(texts: list[str]) -> None:
    raw = notebook(*texts)
    note = read_notebook("x.ipynb", raw)
    alone = [passage.latex for text in texts for passage in read_markdown("x.md", text).passages]
    assert [passage.latex for passage in note.passages] == alone


@given(st.text("ab\r\n", max_size=30))
def test_line_ends_become_one_kind(raw: str) -> None:
    whole = Stretch.of(raw)
    assert whole.text == raw.replace("\r\n", "\n").replace("\r", "\n")
    for offset, character in enumerate(whole.text):
        assert raw[whole.origin(offset)].replace("\r", "\n") == character


@pytest.mark.parametrize(
    "unit", ["$", "$$ a\n\n", "\\[\n\n", "> ", "- ", "```math\n\n", "$\\text{", "{", '<a b="']
)
def test_repetition_ends_soon(unit: str) -> None:
    text = unit * (20_000 // len(unit))
    read_markdown("x.md", text)
    read_tex("x.tex", text)
