"""The parts of a page. Printers place them; they hold objects, not markup."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from symbackprop.document.formulas import Formula
from symbackprop.latex import Typesetting

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


Inline = str | Maths | Chain
Line = tuple[Inline, ...]


@dataclass(frozen=True)
class Heading:
    level: int
    text: Line
    anchor: str = ""


@dataclass(frozen=True)
class Paragraph:
    text: Line


@dataclass(frozen=True)
class Display:
    """A chain on lines of its own, with the rule that leads to it and a number to refer to."""

    chain: Chain
    rule: str = ""
    number: int = 0


@dataclass(frozen=True)
class Table:
    """Cells are lines; `code` names the columns that hold code."""

    header: tuple[Line, ...]
    rows: tuple[tuple[Line, ...], ...]
    code: tuple[int, ...] = ()


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
    title: str
    blocks: tuple[Block, ...]
