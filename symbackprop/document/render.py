r"""Documents as text: one printer a format, over the same blocks, through a template each.

Owns: what each block is in a format, and the templates' data. Refuses: computing, and how a format
spells words and formulas (`dialects`). A printer turns each block into strings; the template
places them.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any, assert_never

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from symbackprop.document.blocks import (
    Aside,
    Block,
    Chain,
    Code,
    Display,
    Document,
    Heading,
    Inline,
    Items,
    Line,
    Listing,
    Maths,
    Paragraph,
    Strong,
    Table,
)
from symbackprop.document.dialects import DATA, DIALECTS, Dialect, formats
from symbackprop.document.formulas import show
from symbackprop.errors import UsageError, did_you_mean

View = dict[str, Any]


def render(document: Document, format: str) -> str:
    """The document in one of `formats()`.

    Raises: UsageError for a format that is not there.
    """
    if format not in formats():
        hint = did_you_mean(format, formats())
        raise UsageError(
            f"format: found {format!r}, expected one of {', '.join(formats())}"
            + (f"; {hint}" if hint else "")
        )
    if format == DATA:
        return _data(document)
    dialect = DIALECTS[format]
    printer = _Printer(dialect)
    template = _environment(dialect.template).get_template(dialect.template)
    text = template.render(
        title=dialect.words(document.title), blocks=[printer.block(b) for b in document.blocks]
    )
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"


def _data(document: Document) -> str:
    if document.record is None:
        raise UsageError("format: json holds a derivation; this document was made without one")
    return json.dumps(document.record(), indent=1, ensure_ascii=False) + "\n"


def _environment(template: str) -> Environment:
    options: dict[str, Any] = {}
    if template.endswith(".tex.j2"):
        options = {
            "block_start_string": "((*",
            "block_end_string": "*))",
            "variable_start_string": "(((",
            "variable_end_string": ")))",
            "comment_start_string": "((=",
            "comment_end_string": "=))",
        }
    return Environment(
        loader=FileSystemLoader(_template_folders()),
        undefined=StrictUndefined,
        autoescape=False,  # each dialect escapes its own words
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        **options,
    )


def _template_folders() -> list[str]:
    """Beside the source in a checkout, inside the package in a wheel."""
    checkout = Path(__file__).resolve().parents[2] / "templates"
    packed = Path(str(files("symbackprop"))) / "_templates"
    return [str(folder) for folder in (checkout, packed) if folder.is_dir()]


# --------------------------------------------------------------------------------------------
# Blocks
# --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Printer:
    dialect: Dialect

    def block(self, block: Block) -> View:
        match block:
            case Heading():
                return {"kind": "heading", "level": block.level, "text": self.line(block.text)}
            case Paragraph():
                return {"kind": "paragraph", "text": self.line(block.text)}
            case Display():
                return {
                    "kind": "display",
                    "maths": self.dialect.formula(display_latex(block)),
                    "number": block.number,
                    "wide": _is_wide(block),
                }
            case Table():
                return {
                    "kind": "table",
                    "header": [self.line(cell) for cell in block.header],
                    "rows": [[self.line(cell) for cell in row] for row in block.rows],
                }
            case Listing():
                return {"kind": "listing", "text": block.text.rstrip(), "language": block.language}
            case Items():
                return {
                    "kind": "items",
                    "numbered": block.numbered,
                    "lines": [self.line(line) for line in block.lines],
                }
            case Aside():
                return {
                    "kind": "aside",
                    "title": self.dialect.words(block.title),
                    "blocks": [self.block(inner) for inner in block.blocks],
                }
            case _:
                assert_never(block)

    def line(self, line: Line) -> str:
        return "".join(self.inline(part) for part in line)

    def inline(self, part: Inline) -> str:
        match part:
            case str():
                return self.dialect.words(part)
            case Maths():
                return self.dialect.inline(self.dialect.formula(show(part.formula, part.setting)))
            case Chain():
                return self.dialect.inline(self.dialect.formula(chain_latex(part)))
            case Code():
                return self.dialect.code(part.text)
            case Strong():
                return self.dialect.strong(self.dialect.words(part.text))
            case _:
                assert_never(part)


def chain_latex(chain: Chain) -> str:
    """side = side = ... on one line."""
    return f" {chain.relation} ".join(_sides(chain))


def display_latex(display: Display) -> str:
    """One line where it fits, else one side a line, with the rules at the right."""
    sides = _sides(display.chain)
    relation = display.chain.relation
    rules = (*display.rules, *[""] * (len(sides) - 1 - len(display.rules)))
    fits = sum(map(_width, sides)) + 3 * len(sides) <= ONE_LINE
    if not any(rules) and (len(sides) == 2 or fits):
        return f" {relation} ".join(sides)
    lines = []
    for place, (side, rule) in enumerate(zip(sides[1:], rules, strict=True)):
        left = sides[0] if place == 0 else ""
        note = rf" && \text{{{rule}}}" if rule else ""
        lines.append(f"{left} &{relation} {side}{note}".strip())
    body = " \\\\\n".join(lines)
    return f"\\begin{{aligned}}\n{body}\n\\end{{aligned}}"


def _sides(chain: Chain) -> list[str]:
    return [show(side, chain.setting, chain.jacobian) for side in chain.sides]


def _is_wide(display: Display) -> bool:
    """Whether a line of the display needs smaller type on paper."""
    sides = _sides(display.chain)
    notes = max((len(rule) // 2 for rule in display.rules), default=0)
    one_line = sum(map(_width, sides)) + 3 * len(sides) <= ONE_LINE
    widest = sum(map(_width, sides)) if one_line else _width(sides[0]) + max(map(_width, sides[1:]))
    return widest + notes > PAPER


ONE_LINE = 52
PAPER = 62


def _width(latex: str) -> int:
    """Roughly how many letters wide the formula prints; of fractions and matrices the widest
    line counts."""
    outside = latex
    total = 0
    for grid in re.findall(
        r"\\begin\{(?:bmatrix|cases)\}.*?\\end\{(?:bmatrix|cases)\}", latex, re.S
    ):
        outside = outside.replace(grid, "", 1)
        inner = re.sub(r"\\(begin|end)\{[a-z]+\}", "", grid)
        total += 2 + max(_line_width(line) + 2 * line.count("&") for line in inner.split(r"\\"))
    return total + _line_width(outside)


def _line_width(line: str) -> int:
    line = re.sub(r"\\(left|right|mathbf|text|operatorname|underset)", "", line)
    line = re.sub(r"\\frac\{\\partial", r"\\frac{", line)
    line = re.sub(r"\\partial", "d", line)
    line = _fractions_halved(line)
    line = re.sub(r"\\[A-Za-z]+", "x", line)
    return len(re.sub(r"[{}^_&\s\\.]", "", line))


def _fractions_halved(line: str) -> str:
    """Numerator and denominator stand above each other: only one of them counts."""
    while (start := line.find(r"\frac{")) >= 0:
        above, end = _group(line, start + 5)
        below, end = _group(line, end)
        line = line[:start] + max((above, below), key=len) + line[end:]
    return line


def _group(line: str, start: int) -> tuple[str, int]:
    """The text of the braces that open at `start`, and where they end."""
    depth = 0
    for place in range(start, len(line)):
        depth += (line[place] == "{") - (line[place] == "}")
        if depth == 0:
            return line[start + 1 : place], place + 1
    return line[start + 1 :], len(line)
