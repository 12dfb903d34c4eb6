r"""The source line of a claim, with a line of carets below the spot.

Owns: which part of a line is shown, and where the carets stand. Refuses: lines that are not there.
Wrong if the carets stood beside the spot: below tabs, wide characters, or a line that was cut.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from symbackprop.errors import printable
from symbackprop.judging.printing.layout import CUT, WIDTH, width
from symbackprop.judging.report import Claim
from symbackprop.reading.notes.stretches import LINE_END

TAB = "    "
CONTEXT = 24


@dataclass(frozen=True)
class Excerpt:
    """One source line, ready to print; `carets` is empty where the column is unknown."""

    number: int
    line: str
    carets: str


def source_lines(text: str) -> list[str]:
    """The lines of a file as editors count them."""
    return LINE_END.split(text)


def excerpt(lines: Sequence[str], claim: Claim, limit: int = WIDTH - 10) -> Excerpt | None:
    """The line of the spot, or of the claim; None where the file has no such line.

    At most `limit` columns around the spot are shown.
    """
    number, column, length = claim.spot or (claim.line, claim.column, claim.length)
    if not 1 <= number <= len(lines):
        return None
    line = lines[number - 1]
    if not 1 <= column <= len(line) + 1:
        return _whole(number, line, limit)
    return _around(number, line, column - 1, max(length, 1), limit)


def _whole(number: int, line: str, limit: int) -> Excerpt:
    cells = _cells(line[:limit])
    shown = _fitting(cells, limit - len(CUT))
    more = len(shown) < len(cells) or len(cells) < len(line)
    return Excerpt(number, ("".join(shown) + (CUT if more else "")).rstrip(), "")


def _around(number: int, line: str, start: int, length: int, limit: int) -> Excerpt:
    """Only characters that can be shown are looked at: a line may have millions."""
    room = limit - 2 * len(CUT)
    first = _first_shown(line, start, length, room)
    cells = _cells(line[first : first + room + 1])
    shown = _fitting(cells, room)
    head = CUT if first else ""
    more = len(shown) < len(cells) or first + len(cells) < len(line)
    quoted = head + "".join(shown) + (CUT if more else "")
    before = min(width(head) + width("".join(cells[: start - first])), limit - 1)
    under = width("".join(cells[start - first : start - first + length]))
    return Excerpt(number, quoted.rstrip(), " " * before + "^" * max(1, min(under, limit - before)))


def _first_shown(line: str, start: int, length: int, room: int) -> int:
    """0 where the spot's end fits, otherwise a little before the spot."""
    end = min(start + length, len(line))
    if end <= room and width("".join(_cells(line[:end]))) <= room:
        return 0
    context = _cells(line[max(0, start - CONTEXT) : start][::-1])
    return start - len(_fitting(context, min(CONTEXT, room // 3)))


def _cells(line: str) -> list[str]:
    return [TAB if character == "\t" else printable(character) for character in line]


def _fitting(cells: Sequence[str], limit: int) -> list[str]:
    """The first cells, as many as `limit` columns hold."""
    shown: list[str] = []
    for cell in cells:
        limit -= width(cell)
        if limit < 0:
            break
        shown.append(cell)
    return shown
