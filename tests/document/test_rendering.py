"""Every formula of every document parses where readers read it: KaTeX, MathJax, LaTeX."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

from symbackprop.document.blocks import Document
from symbackprop.document.build import document_of
from symbackprop.document.render import render
from symbackprop.networks import file as spec
from symbackprop.networks.file import Specification
from symbackprop.networks.layers.architecture import Architecture, Layer
from symbackprop.notation import Notation
from tests.render.tools import Formula, katex_errors, latex_errors, mathjax_errors

pytestmark = pytest.mark.slow

EXAMPLES = spec.example_names()

OTHERS = {
    "every-activation": Architecture(
        "every-activation",
        3,
        (
            Layer(2, "tanh"),
            Layer(4, "leaky_relu", bias=False),
            Layer(3, "softplus"),
            Layer(2, "relu"),
            Layer(4, "softmax"),
            Layer(3, "sigmoid"),
        ),
        "binary_cross_entropy",
        "mean_elements",
    ),
    "integer-labels": Architecture(
        "integer-labels",
        2,
        (Layer(3, "tanh"), Layer(4, "softmax")),
        "cross_entropy",
        labels="integer",
    ),
    "any-labels": Architecture(
        "any-labels", 2, (Layer(3, "softmax"),), "cross_entropy", "sum", labels="any"
    ),
    "symbolic": Architecture(
        "symbolic",
        "d",
        (Layer("hidden_units", "tanh"), Layer("k", "softmax")),
        "cross_entropy",
        labels="distribution",
    ),
    "wide": Architecture("wide", 300, (Layer(500, "relu"), Layer(10, "softmax")), "cross_entropy"),
}
NOTATIONS = {
    "rows": Notation(),
    "columns": Notation("columns", "^[l]"),
    "subscripts": Notation("rows", "_l", "from_output", (("h", "a"), ("L", r"\mathcal{L}"))),
    "parentheses": Notation("columns", "^(l)", "by_layer", (("W", r"\Theta"), ("yhat", "p"))),
}


@cache
def specification(name: str, notation: str) -> Specification:
    if name in OTHERS:
        return replace(
            spec.load("four-layer"),
            architecture=OTHERS[name],
            notation=NOTATIONS[notation],
            values={},
        )
    loaded = spec.load(name)
    if notation == "rows":
        return loaded
    style = NOTATIONS[notation]
    return replace(loaded, notation=replace(style, symbols=loaded.notation.symbols))


@cache
def document(name: str, notation: str) -> Document:
    return made(specification(name, notation))


def made(given: Specification) -> Document:
    return document_of(given.architecture, given.notation, given.values)


# Examples in every notation, the others in two each, so that each notation meets them by turns.
CASES = [(name, notation) for name in EXAMPLES for notation in NOTATIONS] + [
    (name, tuple(NOTATIONS)[(number + turn) % len(NOTATIONS)])
    for number, name in enumerate(OTHERS)
    for turn in (0, 2)
]


def formulas(markdown: str) -> list[Formula]:
    """What stands between dollars, as a Markdown reader sees it."""
    prose = re.sub(r"^```.*?^```", "", markdown, flags=re.S | re.M)
    displayed = re.findall(r"^\$\$\n(.*?)\n\$\$$", prose, flags=re.S | re.M)
    rest = re.sub(r"^\$\$\n.*?\n\$\$$", "", prose, flags=re.S | re.M)
    inline = re.findall(r"(?<!\\)\$(.+?)(?<!\\)\$", rest)
    return [(tex, True) for tex in displayed] + [(tex, False) for tex in inline]


def test_every_formula_parses_in_the_browser() -> None:
    found = {formula for case in CASES for formula in formulas(render(document(*case), "md"))}
    assert len(found) > 1000
    assert katex_errors(sorted(found)) == []
    assert mathjax_errors(sorted(found)) == []


# By case, not by test: each document is made once in a process.
@pytest.fixture(scope="module", params=CASES, ids="-".join)
def case(request: pytest.FixtureRequest) -> tuple[str, str]:
    found: tuple[str, str] = request.param
    return found


def test_latex_compiles_without_overfull_formulas(case: tuple[str, str], tmp_path: Path) -> None:
    path = tmp_path / f"{case[0]}.tex"
    path.write_text(render(document(*case), "tex"), encoding="utf-8")
    assert latex_errors(path) == []


def test_markdown_is_portable(case: tuple[str, str]) -> None:
    markdown = render(document(*case), "md")
    for tex, displayed in formulas(markdown):
        assert "*" not in tex
        assert "<" not in tex
        assert not re.search(r"\S_", tex), f"no space before _ in {tex}"
        without_breaks = re.sub(r"\\\\$", "", tex, flags=re.M)
        assert not re.search(r"\\[^A-Za-z]", without_breaks), tex
        if not displayed:
            assert "\n" not in tex
    lines = markdown.split("\n")
    for place, line in enumerate(lines):
        if "$$" in line:
            assert line == "$$"
            around = (lines[place - 1], lines[place + 1])
            assert "" in around


def test_documents_are_the_same_bytes_every_time(case: tuple[str, str]) -> None:
    again = made(specification(*case))
    for format in ("md", "tex"):
        assert render(again, format) == render(document(*case), format)
