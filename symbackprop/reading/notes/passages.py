"""Formulas as they stand in a file, before anybody reads them.

Owns: the records `Passage` and `Note`. Refuses: finding passages (one module a kind of file) and
reading mathematics.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass


@dataclass(frozen=True)
class Passage:
    r"""The source of one formula, display or inline, without its delimiters.

    `latex` is the text between the delimiters, or the body of an environment (rows and `&` kept).
    `starts` says where its pieces stand in the file: (offset in `latex`, line, column), from 1,
    one entry at least for each source line, for prefixes such as `> ` are not part of `latex`.
    `outer` are the offsets in the file's text of the whole block with its delimiters.
    `section` counts the headings before it, `heading` is the last one, `before` the prose since
    the formula before, `after` what follows up to the next formula. `within` are the numbers of
    the headings that it stands under, the outermost first: a subsection is part of its section.
    """

    latex: str
    starts: tuple[tuple[int, int, int], ...]
    outer: tuple[int, int]
    display: bool
    environment: str = ""
    section: int = 0
    heading: str = ""
    before: str = ""
    after: str = ""
    within: tuple[int, ...] = ()

    def place(self, offset: int) -> tuple[int, int]:
        """Line and column in the file, from 1, of a position in `latex`."""
        number = bisect_right([start for start, _, _ in self.starts], offset) - 1
        start, line, column = self.starts[max(number, 0)]
        return line, column + offset - start


@dataclass(frozen=True)
class Note:
    """One file of notes: its formulas in order, its macros' source, the networks it carries, and
    its headings, that of section 1 first.

    `text` is the file's text; `definitions` the text of its macro definitions (`\\newcommand`,
    `\\def`, …) in order; `specification` the network file that the notes carry, "" for none, and
    `specification_line` the line where it begins.
    """

    path: str
    text: str
    passages: tuple[Passage, ...]
    headings: tuple[str, ...] = ()
    definitions: tuple[str, ...] = ()
    specification: str = ""
    specification_line: int = 0
