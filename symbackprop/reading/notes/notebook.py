"""The formulas of a Jupyter notebook.

Owns: where the text of Markdown cells stands in the JSON, so that a position is one in the file
that an editor opens. Refuses: code cells and outputs, and anything that is no notebook.
Would be wrong if an escape moved the characters behind it: a backslash is two in the file.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from symbackprop.errors import InputError
from symbackprop.reading.notes import markdown
from symbackprop.reading.notes.gather import Event, note
from symbackprop.reading.notes.passages import Note
from symbackprop.reading.notes.stretches import Lines, Stretch, joined

_PART = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"|[\[\]{},]|[^\s\[\]{},":]++', re.DOTALL)
_PIECE = re.compile(
    r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\u[0-9a-fA-F]{4}|\\.|[^\\]+",
    re.DOTALL,
)
_ROOTS = (("cells",), ("worksheets", 0, "cells"))

Key = str | int


@dataclass
class _Cell:
    kind: str = ""
    pieces: list[tuple[int, int]] = field(default_factory=list)


def read_notebook(path: str, raw: str) -> Note:
    """The note in a notebook's JSON text. Raises: InputError where it is no notebook."""
    _look_at(path, raw)
    return note(path, raw, _events(raw), markdown.plain)


def _look_at(path: str, raw: str) -> None:
    try:
        value = json.loads(raw)
    except json.JSONDecodeError as error:
        reason = f"no notebook: line {error.lineno}, column {error.colno}: {error.msg.lower()}"
        raise InputError(path, reason) from None
    except (RecursionError, ValueError):
        raise InputError(path, "no notebook: nested too deep, or a number too long") from None
    sheets = value.get("worksheets") if isinstance(value, dict) else None
    first = sheets[0] if isinstance(sheets, list) and sheets else None
    holder = first if isinstance(first, dict) else value
    if not isinstance(holder, dict) or not isinstance(holder.get("cells"), list):
        raise InputError(path, "no notebook: it has no list of cells")


def _events(raw: str) -> Iterator[Event]:
    lines = Lines(raw)
    for cell in _cells(raw):
        if cell.kind == "markdown" and cell.pieces:
            source = joined(_decoded(raw, start, end) for start, end in cell.pieces)
            yield from markdown.events(_with_one_line_end(source), lines)


def _cells(raw: str) -> list[_Cell]:
    """The cells with the places of their source strings; `raw` is valid JSON."""
    cells: dict[int, _Cell] = {}
    for path, start, end in _strings(raw):
        for root in _ROOTS:
            inside = path[len(root) :]
            if path[: len(root)] == root and len(inside) >= 2 and isinstance(inside[0], int):
                cell = cells.setdefault(inside[0], _Cell())
                if inside[1:] == ("cell_type",):
                    cell.kind = raw[start + 1 : end - 1]
                elif inside[1] == "source" and (not inside[2:] or _is_row(inside[2:])):
                    cell.pieces.append((start, end))
    return list(cells.values())


def _is_row(inside: tuple[Key, ...]) -> bool:
    return len(inside) == 1 and isinstance(inside[0], int)


def _strings(raw: str) -> Iterator[tuple[tuple[Key, ...], int, int]]:
    """Every string that is a value up to five levels deep: path, start, end with the quotes."""
    path: list[Key] = []
    lists: list[bool] = []
    named = True  # the next string is a value
    for match in _PART.finditer(raw):
        sign = match.group()
        if sign in "[{":
            lists.append(sign == "[")
            path.append(0 if sign == "[" else "")
            named = sign == "["
        elif sign in "]}":
            lists.pop()
            path.pop()
        elif sign == ",":
            last = path[-1]
            if isinstance(last, int):
                path[-1] = last + 1
            named = lists[-1]
        elif not sign.startswith('"'):
            continue
        elif named:
            if len(path) <= 5:
                yield tuple(path), *match.span()
        else:
            path[-1] = sign[1:-1] if len(sign) < 40 else ""
            named = True


def _decoded(raw: str, start: int, end: int) -> Stretch:
    """The text of a JSON string; every escape is one character of it."""
    texts: list[str] = []
    starts: list[int] = []
    origins: list[int] = []
    length = 0
    for match in _PIECE.finditer(raw, start + 1, end - 1):
        sign = match.group()
        text = _character(sign) if sign[0] == "\\" else sign
        texts.append(text)
        starts.append(length)
        origins.append(match.start())
        length += len(text)
    return Stretch("".join(texts), tuple(starts) or (0,), tuple(origins) or (start + 1,))


def _with_one_line_end(source: Stretch) -> Stretch:
    source = source.without(match.span() for match in re.finditer(r"\r(?=\n)", source.text))
    return replace(source, text=source.text.replace("\r", "\n"))


def _character(escape: str) -> str:
    text = str(json.loads(f'"{escape}"'))
    return "\ufffd" if "\ud800" <= text <= "\udfff" else text
