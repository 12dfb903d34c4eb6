r"""The macros that notes define.

Owns: where the definitions stand in a text: `\newcommand`, `\renewcommand`, `\providecommand`,
`\DeclareMathOperator`, `\def` (with `\gdef`, `\edef`, `\xdef`), `\let`. Refuses: understanding
them; whoever expands macros parses the texts.
Would be wrong if the body of a macro were read as a formula of the author's, or if a brace that
is never closed cost more than one look at the text.
"""

from __future__ import annotations

import re

_NAME = r"\\(?:[A-Za-z@]+|[^A-Za-z@\s])"
_ARGUMENT = r"\[[^\]\n]{0,200}\]"
_WITH_BODY = re.compile(
    rf"""\\(?:(?:re)?newcommand|providecommand|DeclareMathOperator)\*?\s*
    (?:\{{\s*{_NAME}\s*\}}|{_NAME})\s*(?:{_ARGUMENT}\s*){{0,2}}\{{
    | \\[gex]?def\s*{_NAME}[^{{}}\n\\]{{0,200}}\{{""",
    re.VERBOSE,
)
_LET = re.compile(rf"\\let\s*{_NAME}\s*=?[ \t]*(?:{_NAME}|[^\s\\])")
_COMMAND = re.compile(
    r"\\(?:(?:re)?newcommand|providecommand|DeclareMathOperator|[gex]?def|let)(?![A-Za-z])"
)
_BRACE = re.compile(r"\\.|[{}]", re.DOTALL)
_BRACE_OR_COMMENT = re.compile(r"\\.|[{}]|%[^\n]*", re.DOTALL)
_COMMENT = re.compile(r"(?<!\\)((?:\\\\)*)%[^\n]*\n?[ \t]*")


class Definitions:
    """The definitions of one text; `comments` says whether `%` hides the rest of a line."""

    def __init__(self, text: str, *, comments: bool = False) -> None:
        self._text = text
        self._braces: dict[int, int] | None = None
        self._pattern = _BRACE_OR_COMMENT if comments else _BRACE

    def end(self, start: int) -> int | None:
        """Where the definition that begins at `start` ends, `None` if there is none."""
        if _COMMAND.match(self._text, start) is None:
            return None
        if match := _LET.match(self._text, start):
            return match.end()
        match = _WITH_BODY.match(self._text, start)
        return self.group_end(match.end() - 1) if match else None

    def group_end(self, start: int) -> int | None:
        """The offset after the brace that closes the one at `start`."""
        if self._braces is None:
            self._braces = self._matched()
        return self._braces.get(start)

    def spans(self) -> list[tuple[int, int]]:
        """All of them in order."""
        found: list[tuple[int, int]] = []
        for match in _COMMAND.finditer(self._text):
            if not found or match.start() >= found[-1][1]:
                end = self.end(match.start())
                if end is not None:
                    found.append((match.start(), end))
        return found

    def _matched(self) -> dict[int, int]:
        closed: dict[int, int] = {}
        opened: list[int] = []
        for match in self._pattern.finditer(self._text):
            if match.group() == "{":
                opened.append(match.start())
            elif match.group() == "}" and opened:
                closed[opened.pop()] = match.end()
        return closed


def without_comments(definition: str) -> str:
    r"""The definition as TeX sees it, for bodies often end their lines with `%`.

    >>> without_comments("\\newcommand{\\R}{% reals\n  \\mathbb{R}}")
    '\\newcommand{\\R}{\\mathbb{R}}'
    """
    return _COMMENT.sub(r"\1", definition)
