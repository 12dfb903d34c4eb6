"""The parts of a page. Printers place them; they hold objects, not markup."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from symbackprop.document.formulas import Formula
from symbackprop.writing.latex import Typesetting

Kind = Literal["proved", "exact", "numeric", "definition", "none"]


@dataclass(frozen=True)
class Check:
    """What was done to an equation: its kind, under which bound or sizes, by which facts."""

    kind: Kind
    detail: str = ""
    facts: tuple[str, ...] = ()


@dataclass(frozen=True)
class Chain:
    """side = side = ...; `relation` stands between them. `jacobian`: numerator layout."""

    sides: tuple[Formula, ...]
    setting: Typesetting
    check: Check
    relation: str = "="
    jacobian: bool = False


@dataclass(frozen=True)
class Maths:
    """A formula inside a sentence, without a claim."""

    formula: Formula
    setting: Typesetting


@dataclass(frozen=True)
class Code:
    """A piece of program text inside a sentence."""

    text: str


@dataclass(frozen=True)
class Strong:
    """Words that a reader looks for."""

    text: str


Inline = str | Maths | Chain | Code | Strong
Line = tuple[Inline, ...]


@dataclass(frozen=True)
class Heading:
    level: int
    text: Line


@dataclass(frozen=True)
class Paragraph:
    text: Line


@dataclass(frozen=True)
class Display:
    """A chain on lines of its own. `rules` name what leads to each side after the first; `number`
    is given when the document is put together."""

    chain: Chain
    rules: tuple[str, ...] = ()
    number: int = 0


@dataclass(frozen=True)
class Table:
    """Rows of cells; every cell is a line."""

    header: tuple[Line, ...]
    rows: tuple[tuple[Line, ...], ...]


@dataclass(frozen=True)
class Listing:
    """Program text."""

    text: str
    language: str = "python"


@dataclass(frozen=True)
class Items:
    lines: tuple[Line, ...]
    numbered: bool = False


@dataclass(frozen=True)
class Aside:
    """A box that answers one question: why the transpose, why the sum."""

    title: str
    blocks: tuple[Block, ...]


Block = Heading | Paragraph | Display | Table | Listing | Items | Aside


@dataclass(frozen=True)
class Document:
    """A page. `record` gives the same derivation as plain data, for formats that hold data."""

    title: str
    blocks: tuple[Block, ...]
    record: Callable[[], dict[str, Any]] | None = None
