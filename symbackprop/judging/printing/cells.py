r"""The Markdown cells of a notebook, each character with its place in the file.

Owns: the way from a file of JSON to the texts of its cells and back. Refuses: what the reader of
notebooks refuses. Wrong if an edit of a cell, made at its place in the file, gave other JSON than
the edited cell.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from json.decoder import JSONDecoder, scanstring  # type: ignore[attr-defined]
from json.scanner import py_make_scanner  # type: ignore[attr-defined]
from typing import Any

_CHARACTER = re.compile(r"\\u[dD][89abAB]..\\u[dD][c-fC-F]..|\\u....|\\.|.", re.DOTALL)


@dataclass(frozen=True)
class Sheet:
    """A text, and for each of its positions, the end included, the place in the file."""

    text: str
    offsets: Sequence[int]

    @classmethod
    def of_text(cls, text: str) -> Sheet:
        return cls(text, range(len(text) + 1))

    def position(self, offset: int) -> int:
        """The position whose place in the file is `offset`, or the next one."""
        return min(bisect_left(self.offsets, offset), len(self.text))


class _Literal(str):
    """A text of a JSON file that knows where it stands, without its quotation marks."""

    __slots__ = ("end", "start")
    start: int
    end: int


class _Decoder(JSONDecoder):
    """Decodes texts to `_Literal`; in Python, for the decoder in C has no place to ask."""

    def __init__(self) -> None:
        super().__init__()
        self.parse_string = _literal
        self.scan_once = py_make_scanner(self)


def _literal(source: str, start: int, strict: bool = True) -> tuple[_Literal, int]:
    value, behind = scanstring(source, start, strict)
    literal = _Literal(value)
    literal.start, literal.end = start, behind - 1
    return literal, behind


def markdown_cells(source: str) -> list[Sheet]:
    """The Markdown cells of a notebook's text, in order; none where it is no notebook."""
    try:
        notebook = _Decoder().decode(source.replace("\ufeff", " ", 1))
    except ValueError:
        return []
    return [_sheet(source, literals) for literals in _sources(notebook) if literals]


def _sources(notebook: Any) -> Iterator[list[_Literal]]:
    for cell in _cells(notebook):
        if isinstance(cell, dict) and cell.get("cell_type") == "markdown":
            lines = cell.get("source", [])
            yield [
                line
                for line in (lines if isinstance(lines, list) else [lines])
                if isinstance(line, _Literal)
            ]


def _cells(notebook: Any) -> Iterator[Any]:
    """Those of a notebook; before version 4 of the format they stood in worksheets."""
    if not isinstance(notebook, dict):
        return
    for holder in (notebook, *notebook.get("worksheets", ())):
        cells = holder.get("cells") if isinstance(holder, dict) else None
        yield from cells if isinstance(cells, list) else ()


def _sheet(source: str, literals: Sequence[_Literal]) -> Sheet:
    characters, offsets = [], []
    for literal in literals:
        for found in _CHARACTER.finditer(source, literal.start, literal.end):
            written = found.group()
            text = json.loads(f'"{written}"', strict=False) if written[0] == "\\" else written
            characters.append(text)
            offsets.append(found.start())
    return Sheet("".join(characters), [*offsets, literals[-1].end])
