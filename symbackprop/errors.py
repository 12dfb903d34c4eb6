"""The family of faults a user can cause, and how each one reads.

Owns: the exceptions and `Fault`, the record of one mistake (where, what was found, what was
expected, what to try). Refuses: deciding what is a fault; that is the work of the room that
reads the input. Wrong if a message leaves out one of the four parts, or passes a control
character of a hostile file on to the terminal.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

SHOWN_FAULTS = 100
SHOWN_COLUMNS = 160
# What a bug of ours may raise: a judge tells it as a fault of its own and goes on.
BUGS = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    NotImplementedError,
    RecursionError,
    TypeError,
    ValueError,
)


class SymbackpropError(Exception):
    """Whatever a user can cause; `except SymbackpropError` catches nothing that is a bug."""


@dataclass(frozen=True)
class Fault:
    """One mistake in one place; `line` and `column` count from 1.

    >>> print(Fault("layer 2: units", "0", "a whole number >= 1", "a layer has a unit", line=7))
    layer 2: units: found 0, expected a whole number >= 1; a layer has a unit
    """

    where: str
    found: str
    expected: str
    hint: str = ""
    line: int | None = None
    column: int | None = None
    width: int = 1

    def __str__(self) -> str:
        hint = f"; {self.hint}" if self.hint else ""
        return printable(f"{self.where}: found {self.found}, expected {self.expected}{hint}")


class SpecError(SymbackpropError):
    """A network file with faults: all of them, each under the line that holds it."""

    def __init__(
        self, faults: Iterable[Fault], source: str = "<string>", lines: Sequence[str] = ()
    ) -> None:
        self.faults = tuple(faults)
        self.source = source
        self.lines = tuple(lines)
        super().__init__(self.faults, self.source, self.lines)

    def __str__(self) -> str:
        shown = [self._paragraph(fault) for fault in self.faults[:SHOWN_FAULTS]]
        if hidden := len(self.faults) - len(shown):
            shown.append(f"... and {hidden} more faults")
        return "\n".join(shown)

    def _paragraph(self, fault: Fault) -> str:
        if fault.line is None:
            return f"{printable(self.source)}: {fault}"
        head = f"{printable(self.source)}:{fault.line}: {fault}"
        if not 1 <= fault.line <= len(self.lines):
            return head
        return f"{head}\n{quoted_line(self.lines[fault.line - 1], fault)}"


class AxisMismatch(SymbackpropError):
    """Two indices were joined that run over different axes."""


class ShapeError(SymbackpropError):
    """The shapes of a network's tensors do not fit each other."""


class UnsupportedError(SymbackpropError):
    """The request is well formed, but this version does not know how to answer it."""


class ArrayError(SymbackpropError, ValueError):
    """An array whose shape, dtype or labels are not what the formula needs.

    >>> print(ArrayError("W1", "shape (3, 2)", "shape (2, 3)", "transpose it"))
    array W1: found shape (3, 2), expected shape (2, 3); transpose it
    """

    def __init__(self, name: str, found: str, expected: str, hint: str = "") -> None:
        self.name, self.found, self.expected, self.hint = name, found, expected, hint
        super().__init__(name, found, expected, hint)

    def __str__(self) -> str:
        return str(Fault(f"array {self.name}", self.found, self.expected, self.hint))


class OutputError(SymbackpropError):
    """A file that could not be written; nothing was left half-written.

    >>> print(OutputError("out/a.md", "permission denied"))
    cannot write out/a.md: permission denied
    """

    def __init__(self, path: str, reason: str) -> None:
        self.path, self.reason = path, reason
        super().__init__(path, reason)

    def __str__(self) -> str:
        return printable(f"cannot write {self.path}: {self.reason}")


class InputError(SymbackpropError):
    """A file that could not be read, or is not what its name says.

    >>> print(InputError("notes.md", "no such file or directory"))
    cannot read notes.md: no such file or directory
    """

    def __init__(self, path: str, reason: str, line: int | None = None) -> None:
        self.path, self.reason, self.line = path, reason, line
        super().__init__(path, reason, line)

    def __str__(self) -> str:
        return printable(f"cannot read {self.path}: {self.reason}")


class UsageError(SymbackpropError):
    """A call or a command line that asks for something that does not exist."""


class UnknownName(UsageError, KeyError):
    """A name that a mapping does not hold; a KeyError too, so that `in` and `get` work."""

    __str__ = Exception.__str__


class SymbolError(SymbackpropError, ValueError):
    """A mathematical symbol outside the closed list; `column` counts from 1.

    >>> print(SymbolError(5, "a brace is never closed"))
    column 5: a brace is never closed
    """

    def __init__(self, column: int, reason: str) -> None:
        self.column, self.reason = column, reason
        super().__init__(column, reason)

    def __str__(self) -> str:
        return printable(f"column {self.column}: {self.reason}")


def nearest(word: str, words: Iterable[str]) -> str | None:
    """The word most like `word`, whatever its case; `None` when nothing is close.

    >>> nearest("activaton", ("units", "activation"))
    'activation'
    >>> nearest("ReLU", ("relu", "tanh"))
    'relu'
    """
    by_folded = {known.casefold(): known for known in words}
    matches = get_close_matches(word[:64].casefold(), by_folded, n=1, cutoff=0.6)
    return by_folded[matches[0]] if matches else None


def did_you_mean(word: str, words: Iterable[str]) -> str:
    """The hint that names the nearest valid word, or an empty text."""
    found = nearest(word, words)
    return f"did you mean `{found}`?" if found else ""


def unknown_name(what: str, name: object, known: Iterable[str]) -> UnknownName:
    """The error for a name that is not among those known, with the nearest of them."""
    names = tuple(known)
    hint = did_you_mean(str(name), names)
    expected = f"expected one of {', '.join(names)}" + (f"; {hint}" if hint else "")
    return UnknownName(f"{what}: found {name!r}, {expected}")


def printable(text: str) -> str:
    r"""`text` on one line, control characters escaped, so that no file can steer a terminal.

    >>> printable("a\x1b[2Jb")
    'a\\x1b[2Jb'
    """
    return "".join(c if c.isprintable() else _escaped(c) for c in text)


def quoted_line(line: str, fault: Fault) -> str:
    """The source line with its number and, where the column is known, a caret line below."""
    cells = ["  " if c == "\t" else printable(c) for c in line[:SHOWN_COLUMNS]]
    gutter = f"{fault.line} | "
    quoted = f"  {gutter}{''.join(cells)}{'...' if len(line) > SHOWN_COLUMNS else ''}".rstrip()
    if fault.column is None or fault.column > len(cells) + 1:
        return quoted
    start = fault.column - 1
    before = len("".join(cells[:start]))
    under = max(1, len("".join(cells[start : start + fault.width])))
    return f"{quoted}\n  {'| '.rjust(len(gutter))}{' ' * before}{'^' * under}"


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")
