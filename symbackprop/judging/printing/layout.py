r"""Text that fits into columns and cannot steer a terminal.

Owns: how wide a character is, wrapping, cutting, colour. Refuses: knowing what is printed.
Wrong if a line came out wider than asked for, or an escape sequence came through.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from symbackprop.errors import printable

WIDTH = 100
CUT = "…"

Colour = str
RED, GREEN, YELLOW, BOLD, DIM = "31", "32", "33", "1", "2"


@dataclass(frozen=True)
class Paint:
    r"""Colours text where that was asked for.

    >>> Paint(True)("no", RED)
    '\x1b[31mno\x1b[0m'
    >>> Paint(False)("no", RED)
    'no'
    """

    colour: bool = False

    def __call__(self, text: str, *colours: Colour) -> str:
        if not (self.colour and colours and text):
            return text
        return f"\x1b[{';'.join(colours)}m{text}\x1b[0m"


def flat(text: str) -> str:
    r"""On one line, blanks and line ends as one blank, everything else printable.

    >>> flat("a\n  b\x1b[2J")
    'a b\\x1b[2J'
    """
    return printable(" ".join(text.split()))


def width(text: str) -> int:
    """Columns of a terminal.

    >>> width("h²"), width("層"), width("e\u0301")
    (2, 2, 1)
    """
    return len(text) if text.isascii() else sum(map(_columns, text))


def _columns(character: str) -> int:
    if unicodedata.combining(character) or unicodedata.category(character) == "Me":
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def shortened(text: str, limit: int) -> str:
    """The text, or its beginning and a mark that more follows.

    >>> shortened("a long formula", 8)
    'a long …'
    """
    if width(text) <= limit:
        return text
    head, _ = _split(text, limit - 1)
    return head + CUT


def wrapped(text: str, limit: int = WIDTH, first: str = "", indent: str = "") -> list[str]:
    """Lines of at most `limit` columns; `first` opens the first, `indent` the others.

    >>> wrapped("one two three", 9, first="- ", indent="  ")
    ['- one two', '  three']
    """
    lines, line = [], ""
    opening = first
    for word in _pieces(text.split(" "), limit - max(width(first), width(indent))):
        candidate = f"{line} {word}" if line else word
        if line and width(opening) + width(candidate) > limit:
            lines.append(opening + line)
            opening, line = indent, word
        else:
            line = candidate
    return [*lines, (opening + line).rstrip()]


def _pieces(words: Iterable[str], limit: int) -> Iterator[str]:
    """The words, those that are too long in pieces."""
    for word in words:
        while width(word) > limit:
            piece, word = _split(word, limit)
            yield piece
        yield word


def _split(text: str, limit: int) -> tuple[str, str]:
    """The longest beginning of at most `limit` columns, one character at least, and the rest."""
    used = 0
    for number, character in enumerate(text):
        used += _columns(character)
        if used > limit and number:
            return text[:number], text[number:]
    return text, ""


def listed(parts: Sequence[str]) -> str:
    """As in a sentence.

    >>> listed(["1", "2", "3"])
    '1, 2 and 3'
    """
    if len(parts) < 2:
        return "".join(parts)
    return f"{', '.join(parts[:-1])} and {parts[-1]}"


def counted(number: int, noun: str, nouns: str = "") -> str:
    """
    >>> counted(1, "line"), counted(2, "line")
    ('1 line', '2 lines')
    """
    return f"{number} {noun if number == 1 else nouns or noun + 's'}"
