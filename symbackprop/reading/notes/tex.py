r"""The formulas of a LaTeX text.

Owns: where LaTeX's formulas begin and end, its comments, verbatim text, sections and macro
definitions, and the lines `% symbackprop:` that carry a network. Refuses: `\input` and packages
of one's own; nothing is expanded here.
Would be wrong if a comment hid nothing, if verbatim text were read, or if one delimiter without
its partner turned all later ones inside out: what is not closed ends with its paragraph.
"""

from __future__ import annotations

import re

from symbackprop.reading.notes.definitions import Definitions
from symbackprop.reading.notes.gather import (
    ENVIRONMENTS,
    Definition,
    Event,
    Heading,
    Prose,
    Specification,
    formula,
    note,
)
from symbackprop.reading.notes.passages import Note
from symbackprop.reading.notes.stretches import Lines, Stretch

VERBATIM = frozenset("verbatim Verbatim lstlisting minted alltt comment filecontents".split())
LEVELS = ("chapter", "section", "subsection", "subsubsection")

_TOKEN = re.compile(
    r"""
    \\begin\s{0,9}\{\s{0,9}(?P<environment>[A-Za-z]+\*?)\s{0,9}\}
    | (?P<stop>\\end\s{0,9}\{document\})
    | (?P<command>\\(?:(?:re)?newcommand|providecommand|DeclareMathOperator|[gex]?def|let)
      (?![A-Za-z]))
    | (?P<heading>\\(?P<kind>chapter|(?:sub){0,2}section)\*?\s{0,9}(?:\[[^\[\]\n]*\])?\s{0,9}\{)
    | (?P<verb>\\(?:verb|lstinline)\*?(?P<mark>[^\sA-Za-z*])(?:(?!(?P=mark))[^\n])*(?P=mark))
    | (?P<bracket>\\[\[(])
    | \\.
    | (?P<dollars>\$\$?)
    | %[ \t]*+(?P<network>symbackprop:[^\n]*)
    | (?P<comment>%[^\n]*)
    """,
    re.VERBOSE | re.DOTALL,
)
_BLANK_LINE = re.compile(r"\n[ \t]*(?=\n)")
_IN_MATH = re.compile(r"\\.|%[^\n]*|[${}]", re.DOTALL)
_IN_ENVIRONMENT = re.compile(
    r"\\(?P<which>begin|end)\s{0,9}\{\s{0,9}(?P<name>[A-Za-z]+\*?)\s{0,9}\}|\\.|%[^\n]*",
    re.DOTALL,
)
_CLOSING = {"\\[": "\\]", "\\(": "\\)", "$": "$", "$$": "$$"}
_TEXT = re.compile(r"\\(?:text|mbox|hbox|textrm|textbf|textit|textnormal|intertext)\s*$")
_DOCUMENT = re.compile(
    r"\\(?:documentclass|usepackage|section|begin\s*\{document\}|begin\s*\{(?:figure|tikz))"
)
_STRIPPED = re.compile(
    r"\\(?:begin|end)\s*\{[A-Za-z*]+\}|\\(?:label|c?ref|eqref|cite[a-z]*|vspace|hspace)\*?"
    r"(?:\[[^\]\n]*\])?\{[^{}]*\}|\\(?:emph|textbf|textit|texttt|text|item|noindent|footnote|par)"
    r"(?![A-Za-z])|[{}]"
)


def read_tex(path: str, raw: str) -> Note:
    """The note in a LaTeX file's text; never raises, whatever the text is."""
    return note(path, raw, events(Stretch.of(raw), Lines(raw)), plain)


def events(source: Stretch, lines: Lines) -> list[Event]:
    """What a LaTeX text holds, in order; of a preamble only definitions and the network."""
    return _Scanner(source, lines).events


def is_document(text: str) -> bool:
    """Whether a text is more than one formula: it asks for packages, or has sections."""
    return _DOCUMENT.search(text) is not None


def plain(prose: str) -> str:
    r"""Prose without commands that mean nothing, on one line.

    >>> plain("the \\emph{output}~layer, see~\\cite{a}:\n")
    'the output layer, see :'
    """
    return " ".join(_STRIPPED.sub("", prose).replace("~", " ").split())


class _Scanner:
    def __init__(self, source: Stretch, lines: Lines) -> None:
        self.source = source
        self.text = source.text
        self.lines = lines
        self.events: list[Event] = []
        self._definitions = Definitions(self.text, comments=True)
        self._missing: set[str] = set()
        self._paragraph = (0, -1)
        self._nested = True
        self._prose = at = 0
        while at >= 0 and (match := _TOKEN.search(self.text, at)):
            at = self._token(match)
        if at >= 0:
            self._note(len(self.text), len(self.text))

    def _token(self, match: re.Match[str]) -> int:
        """Note what begins here; the offset after it, -1 at the end of the document."""
        start, inner = match.span()
        match match.lastgroup:
            case "environment":
                return self._environment(start, inner, match.group("environment"))
            case "bracket" | "dollars":
                return self._enclosed(start, inner, match.group())
            case "command":
                end = self._definitions.end(start)
                if end is None:
                    return inner
                return self._note(start, end, Definition(self.text[start:end]))
            case "heading":
                end = self._definitions.group_end(inner - 1) or inner
                title = self.text[inner : end - 1]
                bare = "$" not in title and "\\(" not in title
                level = LEVELS.index(match.group("kind")) + 1
                return self._note(start, end if bare else inner, Heading(title, level))
            case "verb" | "comment":
                return self._note(start, inner)
            case "network":
                line, _ = self.lines.place(self.source.origin(start))
                row = match.group("network").removeprefix("symbackprop:").removeprefix(" ")
                return self._note(start, inner, Specification(row, line))
            case "stop":
                self._note(start, inner)
                return -1
            case _:
                return inner

    def _note(self, start: int, end: int, *events: Event) -> int:
        self.events += [Prose(self.text[self._prose : start]), *events]
        self._prose = end
        return end

    def _formula(self, start: int, inner: int, stop: int, end: int, name: str, show: bool) -> int:
        found = formula(
            self.source.part(inner, stop),
            self.source.outer(start, end),
            display=show,
            environment=name,
        )
        return self._note(start, end, *found)

    def _enclosed(self, start: int, inner: int, sign: str) -> int:
        display = sign in ("$$", "\\[")
        stop = self._closing(inner, _CLOSING[sign])
        if stop is not None:
            return self._formula(start, inner, stop, stop + len(sign), "", display)
        stop = self._paragraph_end(inner)
        return self._formula(start, inner, stop, stop, "", display)

    def _closing(self, inner: int, closing: str) -> int | None:
        r"""Where the formula is closed in its paragraph; dollars inside `\text{…}` belong to it."""
        text, depth, worded = self.text, 0, 0
        inside: int | None = None
        for match in _IN_MATH.finditer(text, inner, self._paragraph_end(inner)):
            sign, at = match.group(), match.start()
            if sign == "{":
                depth += 1
                if not worded and _TEXT.search(text, max(inner, at - 16), at):
                    worded = depth
            elif sign == "}":
                worded = 0 if depth == worded else worded
                depth = max(depth - 1, 0)
            elif sign == closing or (closing == "$$" and text.startswith(closing, at)):
                if not worded or closing != "$" or not self._nested:
                    return at
                inside = at if inside is None else inside
        if inside is not None:
            self._nested = False  # a \text{ never closed: look for no more of them
        return inside

    def _environment(self, start: int, inner: int, name: str) -> int:
        bare = name.rstrip("*")
        if name == "document":
            kept = (Definition, Specification)
            self.events = [event for event in self.events if isinstance(event, kept)]
            self._prose = inner
            return inner
        if bare in VERBATIM:
            return self._note(start, self._after_verbatim(inner, name))
        if bare not in ENVIRONMENTS:
            return inner
        closing = None if name in self._missing else self._end_of(inner, name)
        if closing is None:
            stop = self._paragraph_end(inner)
            return self._formula(start, inner, stop, stop, name, True)
        return self._formula(start, inner, closing.start(), closing.end(), name, bare != "math")

    def _end_of(self, inner: int, name: str) -> re.Match[str] | None:
        for match in _IN_ENVIRONMENT.finditer(self.text, inner):
            if match.group("name") == name:
                return match if match.group("which") == "end" else None
        self._missing.add(name)
        return None

    def _after_verbatim(self, inner: int, name: str) -> int:
        sign = f"\\end{{{name}}}"
        end = -1 if name in self._missing else self.text.find(sign, inner)
        if end < 0:
            self._missing.add(name)
            return inner
        return end + len(sign)

    def _paragraph_end(self, at: int) -> int:
        """The empty line after the first text from `at` on."""
        while at < len(self.text) and self.text[at].isspace():
            at += 1
        known_from, end = self._paragraph
        if not known_from <= at <= end:
            match = _BLANK_LINE.search(self.text, at)
            end = match.start() if match else len(self.text)
            self._paragraph = (at, end)
        return end
