r"""Text taken out of a file that still knows where each of its characters stood.

Owns: `Stretch`, text with the file offsets of its runs, and `Lines`, from offsets to lines and
columns. Refuses: knowing what the text means.
Would be wrong if a character were given the place of another: everything a report points at, and
every edit an editor makes after it, goes through here.

A line ends where editors end it: at `\n`, `\r\n` or `\r`, never at a form feed or U+2028.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from dataclasses import dataclass

LINE_END = re.compile(r"\r\n?|\n")


@dataclass(frozen=True)
class Stretch:
    """`text` in runs: run i begins at `starts[i]` of it and stands at `origins[i]` of the file.

    >>> whole = Stretch.of("a % b\\nc")
    >>> rest = whole.without([(1, 5)])
    >>> rest.text, rest.origin(2)
    ('a\\nc', 6)
    """

    text: str
    starts: tuple[int, ...]
    origins: tuple[int, ...]

    @staticmethod
    def of(raw: str) -> Stretch:
        r"""The whole of a file's text; every line end becomes one `\n`."""
        if "\r" not in raw:
            return Stretch(raw, (0,), (0,))
        starts, origins, pieces, at = [0], [0], [], 0
        for end in LINE_END.finditer(raw):
            pieces += [raw[at : end.start()], "\n"]
            at = end.end()
            starts.append(starts[-1] + len(pieces[-2]) + 1)
            origins.append(at)
        return Stretch("".join([*pieces, raw[at:]]), tuple(starts), tuple(origins))

    def origin(self, offset: int) -> int:
        """Where a character of the text stands in the file."""
        run = max(bisect_right(self.starts, offset) - 1, 0)
        return self.origins[run] + offset - self.starts[run]

    def outer(self, start: int, end: int) -> tuple[int, int]:
        """The part of the file from the character at `start` to the one before `end`."""
        first = self.origin(start)
        return first, self.origin(end - 1) + 1 if end > start else first

    def part(self, start: int, end: int) -> Stretch:
        low, high = bisect_right(self.starts, start), bisect_left(self.starts, end)
        return Stretch(
            self.text[start:end],
            (0, *(at - start for at in self.starts[low:high])),
            (self.origin(start), *self.origins[low:high]),
        )

    def without(self, spans: Iterable[tuple[int, int]]) -> Stretch:
        """The text with some spans left out; they are in order and do not overlap."""
        kept, at = [], 0
        for start, end in spans:
            kept.append(self.part(at, start))
            at = end
        return joined([*kept, self.part(at, len(self.text))]) if kept else self

    def stripped(self) -> Stretch:
        text = self.text
        start = len(text) - len(text.lstrip())
        return self.part(start, max(start, len(text.rstrip())))


def joined(parts: Iterable[Stretch]) -> Stretch:
    texts: list[str] = []
    starts: list[int] = []
    origins: list[int] = []
    length = 0
    for part in parts:
        if part.text:
            texts.append(part.text)
            starts += [length + at for at in part.starts]
            origins += part.origins
            length += len(part.text)
    return Stretch("".join(texts), tuple(starts) or (0,), tuple(origins) or (0,))


class Lines:
    """The lines of a file's text."""

    def __init__(self, raw: str) -> None:
        self._starts = [0, *(end.end() for end in LINE_END.finditer(raw))]

    def place(self, offset: int) -> tuple[int, int]:
        """Line and column, from 1."""
        line = bisect_right(self._starts, offset)
        return line, offset - self._starts[line - 1] + 1

    def starts(self, stretch: Stretch) -> tuple[tuple[int, int, int], ...]:
        """What `Passage.starts` holds: every run and every line of the stretch, with its place."""
        begins = {match.end() for match in re.finditer("\n", stretch.text)}
        offsets = sorted(begins.union(stretch.starts))
        return tuple((at, *self.place(stretch.origin(at))) for at in offsets)
