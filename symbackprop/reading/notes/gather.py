r"""From what a reader of files meets, in its order, to a `Note`.

Owns: the events (formula, prose, heading, definition, network) and the way they become passages;
what of a formula's source is no formula: comments, labels, macro definitions, an environment
around the whole. Refuses: knowing any kind of file.
Would be wrong if something were dropped that has a mathematical meaning.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from symbackprop.reading.notes.definitions import Definitions, without_comments
from symbackprop.reading.notes.passages import Note, Passage
from symbackprop.reading.notes.stretches import Lines, Stretch

PROSE = 600
_PROSE_SOURCE = 4 * PROSE

ENVIRONMENTS = frozenset(
    "equation align alignat flalign gather multline eqnarray displaymath math xalignat xxalignat"
    " dmath IEEEeqnarray".split()
)
WITH_ARGUMENT = frozenset("alignat xalignat xxalignat IEEEeqnarray".split())

_BEGIN = re.compile(r"\\begin\s*\{\s*([A-Za-z]+\*?)\s*\}")
_ARGUMENT = re.compile(r"\s*(?:\[[^\]\n]{0,40}\])?\s*\{[^{}]*\}")
_COMMENT = re.compile(r"\\.|(%[^\n]*)", re.DOTALL)
_LABEL = re.compile(r"(?<!\\)(?:\\\\)*(\\label\s*\{[^{}]*\})")


@dataclass(frozen=True)
class Formula:
    """`joined` where nothing but markup parts it from the formula before."""

    body: Stretch
    outer: tuple[int, int]
    display: bool
    environment: str = ""
    joined: bool = False


@dataclass(frozen=True)
class Prose:
    text: str


@dataclass(frozen=True)
class Heading:
    """`level` is 1 for the outermost kind; only its order counts."""

    text: str
    level: int = 1


@dataclass(frozen=True)
class Definition:
    text: str


@dataclass(frozen=True)
class Specification:
    """TOML text of a network, whose first line is `line` of the file."""

    text: str
    line: int


Event = Formula | Prose | Heading | Definition | Specification


def formula(
    body: Stretch,
    outer: tuple[int, int],
    *,
    display: bool,
    environment: str = "",
    joined: bool = False,
) -> Iterator[Event]:
    """The definitions inside a formula's source, and the formula unless that was all."""
    body = body.without(match.span(1) for match in _COMMENT.finditer(body.text) if match.group(1))
    spans = Definitions(body.text).spans() if "\\" in body.text else []
    for start, end in spans:
        yield Definition(body.text[start:end])
    body = body.without(spans)
    body = body.without(match.span(1) for match in _LABEL.finditer(body.text)).stripped()
    if environment.rstrip("*") in WITH_ARGUMENT:
        body = _after_argument(body).stripped()
    while display and (inner := _unwrapped(body)) is not None:
        environment, body = inner
    if body.text:
        yield Formula(body, outer, display, environment, joined)


def note(path: str, raw: str, events: Iterable[Event], plain: Callable[[str], str]) -> Note:
    """The record of a file; `plain` takes the markup off a piece of prose."""
    lines = Lines(raw)
    found: list[tuple[Formula, tuple[int, ...], str]] = []
    gaps: list[list[str]] = [[]]
    definitions: list[str] = []
    specifications: list[Specification] = []
    headings: list[str] = []
    open_headings: list[tuple[int, int]] = []  # level and number
    for event in events:
        match event:
            case Prose(text):
                gaps[-1].append(text)
            case Heading(text, level):
                headings.append(plain(text)[:PROSE])
                while open_headings and open_headings[-1][0] >= level:
                    open_headings.pop()
                open_headings.append((level, len(headings)))
            case Definition(text):
                definitions.append(without_comments(text))
            case Specification():
                specifications.append(event)
            case Formula():
                if not (event.joined and found and _same(found[-1][0], event)):
                    within = tuple(number for _, number in open_headings)
                    found.append((event, within, headings[-1] if headings else ""))
                    gaps.append([])
    texts = ["".join(gap) for gap in gaps]
    text, line = _one_specification(specifications)
    return Note(
        path=path,
        text=raw,
        passages=tuple(
            Passage(
                latex=item.body.text,
                starts=lines.starts(item.body),
                outer=item.outer,
                display=item.display,
                environment=item.environment,
                section=within[-1] if within else 0,
                heading=title,
                before=plain(texts[i][-_PROSE_SOURCE:])[-PROSE:],
                after=plain(texts[i + 1][:_PROSE_SOURCE])[:PROSE],
                within=within,
            )
            for i, (item, within, title) in enumerate(found)
        ),
        headings=tuple(headings),
        definitions=tuple(definitions),
        specification=text,
        specification_line=line,
    )


def _unwrapped(body: Stretch) -> tuple[str, Stretch] | None:
    r"""Name and inside of a display environment that is the whole formula: `$$\begin{align}`."""
    match = _BEGIN.match(body.text)
    if match is None or match.group(1).rstrip("*") not in ENVIRONMENTS:
        return None
    name = match.group(1)
    ends = list(re.finditer(rf"\\end\s*\{{\s*{re.escape(name)}\s*\}}", body.text))
    if len(ends) != 1 or ends[0].end() != len(body.text):
        return None
    inside = body.part(match.end(), ends[0].start())
    return name, (
        _after_argument(inside) if name.rstrip("*") in WITH_ARGUMENT else inside
    ).stripped()


def _after_argument(body: Stretch) -> Stretch:
    match = _ARGUMENT.match(body.text)
    return body.part(match.end(), len(body.text)) if match else body


def _same(one: Formula, other: Formula) -> bool:
    return one.body.text.split() == other.body.text.split()


def _one_specification(parts: list[Specification]) -> tuple[str, int]:
    """The parts put together, with empty lines for what stands between, so lines stay right."""
    if not parts:
        return "", 0
    rows: list[str] = []
    for part in parts:
        rows += [""] * (part.line - parts[0].line - len(rows))
        rows += part.text.removesuffix("\n").split("\n")
    return "\n".join(rows) + "\n", parts[0].line
