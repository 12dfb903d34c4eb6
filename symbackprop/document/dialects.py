r"""The formats of documents: how each spells words and formulas.

Owns: escaping, the dialect of LaTeX that a format understands, and `DIALECTS`: a format is a row
there and a template, and whoever needs formats looks there when it needs them. Refuses: blocks.

The Markdown is portable: `$$` stands alone on its line with blank lines around it, and the
mathematics holds nothing that Markdown would read itself (no `*`, no `<`, no backslash before
punctuation except the row break at the end of a line, a space before each `_`).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

DATA = "json"


@dataclass(frozen=True)
class Dialect:
    """How a format writes words and formulas."""

    template: str
    words: Callable[[str], str]
    formula: Callable[[str], str]
    inline: Callable[[str], str]
    code: Callable[[str], str]
    strong: Callable[[str], str]


def formats() -> tuple[str, ...]:
    """Formats that are there, in the order in which help lists them."""
    return (*DIALECTS, DATA)


def markdown_words(text: str) -> str:
    """Words with everything escaped that Markdown would read as markup."""
    escaped = re.sub(r"([\\`*_\[\]<>|$#])", r"\\\1", text)
    return escaped.replace("&", "&amp;")


def markdown_formula(latex: str) -> str:
    r"""LaTeX that no Markdown reader touches on its way to the mathematics.

    >>> markdown_formula(r"\mathbf{1}_{\{j=k\}} \, x_i")
    '\\mathbf{1} _{\\lbrace j=k\\rbrace} \\thinspace x _i'
    """
    latex = re.sub(r"\\([{}])", lambda m: BRACES[m.group(1)] + " ", latex)
    latex = re.sub(r"(\\[lr]brace) (?=[^A-Za-z])", r"\1", latex)
    latex = re.sub(r"\\[,;:!]", r"\\thinspace ", latex).replace(r"\thinspace  ", r"\thinspace ")
    latex = latex.replace("<", r"\lt ").replace(">", r"\gt ").replace("*", r"\ast ")
    return re.sub(r"\s*_", " _", latex)


BRACES = {"{": r"\lbrace", "}": r"\rbrace"}


def markdown_code(text: str) -> str:
    return f"`{text}`"


def latex_words(text: str) -> str:
    """Words with the ten special characters of LaTeX escaped, and the few signs texts use."""
    special = {
        "\\": r"\textbackslash{}",
        "&": r"\&",
        "%": r"\%",
        "$": r"\$",
        "#": r"\#",
        "_": r"\_",
        "{": r"\{",
        "}": r"\}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        "<": r"\textless{}",
        ">": r"\textgreater{}",
        "×": r"$\times$",
        "–": "--",
        "—": "---",
        "✓": r"$\checkmark$",
        "≤": r"$\le$",
        "≈": r"$\approx$",
        "…": r"\dots{}",
        "−": "$-$",
    }
    return "".join(special.get(character, character) for character in text)


def latex_code(text: str) -> str:
    return rf"\texttt{{{latex_words(text)}}}"


DIALECTS: dict[str, Dialect] = {
    "md": Dialect(
        "document.md.j2",
        markdown_words,
        markdown_formula,
        lambda formula: f"${formula}$",
        markdown_code,
        lambda words: f"**{words}**",
    ),
    "tex": Dialect(
        "document.tex.j2",
        latex_words,
        lambda formula: formula,
        lambda formula: f"${formula}$",
        latex_code,
        lambda words: rf"\textbf{{{words}}}",
    ),
}
