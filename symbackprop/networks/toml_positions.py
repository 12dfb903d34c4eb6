"""Where each key and value of a TOML text stands.

Owns: the map from a key path, such as `("layers", 1, "units")`, to lines and columns, which
`tomllib` does not give; and how deep a text nests, which has to be known before `tomllib` sees it:
its memory grows with the square of the parts of a key.
Refuses: judging the text; it maps only what `tomllib` has accepted, and stops quietly at anything
else. Wrong if a bracket, quote or `#` inside a string or a comment is taken for syntax.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from contextlib import suppress
from dataclasses import dataclass

Path = tuple[str | int, ...]

_BLANK = re.compile(r"(?:[ \t\n]|#[^\n]*)*")
_SPACE = re.compile(r"[ \t]*")
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_SCALAR = re.compile(r"[^,\]}#\n]*")
_STRINGS = (
    re.compile(r'"""(?:\\.|[^\\])*?"{3,5}', re.DOTALL),
    re.compile(r"'''.*?'{3,5}", re.DOTALL),
    re.compile(r'"(?:\\.|[^"\\\n])*"'),
    re.compile(r"'[^'\n]*'"),
)

# One string, comment, bracket, dot, or stretch without any of them, whatever the text holds. A
# string that is not closed reaches as far as it could, so that no text is scanned twice.
_TOKEN = re.compile(
    r'''"""(?:[^"\\]++|\\.|"(?!""))*+"{0,5}|"(?:[^"\\\n]++|\\.)*+"?'''
    r"""|'''(?:[^']++|'(?!''))*+'{0,5}|'[^'\n]*+'?"""
    r"""|\#[^\n]*+|[\[\]{}.\\]|[^"'\#\[\]{}.\\]++""",
    re.DOTALL,
)
_KEY_GOES_ON = re.compile(r"[A-Za-z0-9_\- \t]*+")


@dataclass(frozen=True)
class Span:
    """A stretch of one line; `line` and `column` count from 1."""

    line: int
    column: int
    width: int


@dataclass(frozen=True)
class Position:
    """Where a key stands, and where its value does. A table header is both."""

    key: Span
    value: Span


def line_nested_beyond(text: str, most: int) -> int | None:
    """The first line on which arrays and tables, or the parts of one key, go deeper than `most`.

    Takes time and memory in proportion to the text, which need not be TOML.

    >>> line_nested_beyond("a = [[1]]\\nb.c.d = 2", 2)
    2
    """
    depth = dots = 0
    for token in _TOKEN.finditer(text):
        match token.group()[0]:
            case "[" | "{":
                depth, dots = depth + 1, 0
            case "]" | "}":
                depth, dots = max(depth - 1, 0), 0
            case ".":
                dots += 1
            case '"' | "'":
                pass
            case _ if not _KEY_GOES_ON.fullmatch(token.group()):
                dots = 0
        if max(depth, dots + 1) > most:
            return text.count("\n", 0, token.start()) + 1
    return None


def positions(text: str) -> dict[Path, Position]:
    """The position of every key, array entry and table header of a valid TOML text.

    >>> found = positions('input = 2\\n[[layers]]\\nunits = 3 # wide\\n')
    >>> found["layers", 0, "units"].value
    Span(line=3, column=9, width=1)
    """
    scanner = _Scanner(text.replace("\r\n", "\n"))
    # The places found so far are right; a fault elsewhere is reported at the nearest of them.
    with suppress(_NotUnderstoodError, RecursionError):
        scanner.document()
    return scanner.found


class _NotUnderstoodError(Exception):
    """The text is not TOML from here on."""


class _Scanner:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.found: dict[Path, Position] = {}
        self._counts: dict[Path, int] = {}
        self._starts = [0] + [m.end() for m in re.finditer("\n", text)]

    def document(self) -> None:
        table: Path = ()
        while self._skip(_BLANK) < len(self.text):
            if self.text[self.at] == "[":
                table = self._header()
            else:
                self._pair(table)

    def _header(self) -> Path:
        start = self.at
        double = self.text.startswith("[[", self.at)
        self.at += 2 if double else 1
        parts = self._dotted_key()
        self._expect("]]" if double else "]")
        path = self._resolve(parts if not double else parts[:-1])
        if double:
            array = (*path, parts[-1])
            index = self._counts.get(array, 0)
            self._counts[array] = index + 1
            path = (*array, index)
            self._note(array, start, start)
        self._note(path, start, start)
        return path

    def _resolve(self, parts: list[str]) -> Path:
        path: Path = ()
        for part in parts:
            path = (*path, part)
            if path in self._counts:  # a header under [[name]] means its latest entry
                path = (*path, self._counts[path] - 1)
        return path

    def _pair(self, table: Path) -> None:
        start = self.at
        parts = self._dotted_key()
        end = self.at
        self._expect("=")
        self._skip(_SPACE)
        for depth in range(1, len(parts)):
            self._note((*table, *parts[:depth]), start, start, end)
        path = (*table, *parts)
        value = self.at
        self._value(path)
        self.found[path] = Position(self._span(start, end), self._span(value, self.at))

    def _dotted_key(self) -> list[str]:
        parts = []
        while True:
            self._skip(_SPACE)
            parts.append(self._key())
            self._skip(_SPACE)
            if not self.text.startswith(".", self.at):
                return parts
            self.at += 1

    def _key(self) -> str:
        start = self.at
        if self.text[start : start + 1] in ('"', "'"):
            self._string()
            return _unquoted(self.text[start : self.at])
        return self._take(_BARE_KEY)

    def _value(self, path: Path) -> None:
        match self.text[self.at : self.at + 1]:
            case "[":
                self._array(path)
            case "{":
                self._inline_table(path)
            case '"' | "'":
                self._string()
            case _:
                start = self.at
                self.at = start + len(self._take(_SCALAR).rstrip())

    def _array(self, path: Path) -> None:
        self.at += 1
        index = 0
        while not self._closes("]"):
            start = self.at
            self._value((*path, index))
            self._note((*path, index), start, start)
            self._skip(_BLANK)
            self._separator("]")
            index += 1

    def _inline_table(self, path: Path) -> None:
        self.at += 1
        while not self._closes("}"):
            self._pair(path)
            self._skip(_BLANK)
            self._separator("}")

    def _closes(self, bracket: str) -> bool:
        self._skip(_BLANK)
        if not self.text.startswith(bracket, self.at):
            return False
        self.at += 1
        return True

    def _separator(self, bracket: str) -> None:
        if not self.text.startswith(bracket, self.at):
            self._expect(",")

    def _string(self) -> None:
        for pattern in _STRINGS:
            if match := pattern.match(self.text, self.at):
                self.at = match.end()
                return
        raise _NotUnderstoodError

    def _take(self, pattern: re.Pattern[str]) -> str:
        match = pattern.match(self.text, self.at)
        if match is None or not match.group():
            raise _NotUnderstoodError
        self.at = match.end()
        return match.group()

    def _skip(self, pattern: re.Pattern[str]) -> int:
        match = pattern.match(self.text, self.at)
        assert match is not None
        self.at = match.end()
        return self.at

    def _expect(self, mark: str) -> None:
        self._skip(_SPACE)
        if not self.text.startswith(mark, self.at):
            raise _NotUnderstoodError
        self.at += len(mark)

    def _note(self, path: Path, key: int, value: int, end: int | None = None) -> None:
        stop = self.at if end is None else end
        self.found.setdefault(path, Position(self._span(key, stop), self._span(value, stop)))

    def _span(self, start: int, end: int) -> Span:
        line = bisect_right(self._starts, start)
        first = self._starts[line - 1]
        last = self._starts[line] - 1 if line < len(self._starts) else len(self.text)
        stop = min(end, last)
        return Span(line, start - first + 1, max(1, stop - start))


def _unquoted(key: str) -> str:
    if key.startswith("'"):
        return key[1:-1]
    simple = re.sub(r'\\(["\\])', r"\1", key[1:-1])
    return re.sub(
        r"\\u([0-9A-Fa-f]{4})|\\U([0-9A-Fa-f]{8})",
        lambda m: chr(int(m.group(1) or m.group(2), 16)),
        simple,
    )
