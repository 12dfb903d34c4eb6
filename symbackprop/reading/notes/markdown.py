r"""The formulas of a Markdown text.

Owns: Markdown's blocks as far as formulas depend on them: paragraphs, headings, lists, quotes,
tables, fences, HTML. markdown-it-py finds the blocks; a rule of ours keeps a display together
over lines that look like a list, a heading or a quote (`- b`, `=`). Refuses: inline Markdown,
beyond what hides a dollar (`delimiters`), and rendering.
Would be wrong if a formula were read from code, or a quote's `>` became an inequality.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from markdown_it import MarkdownIt
from markdown_it.ruler import RuleOptionsType
from markdown_it.rules_block import StateBlock
from markdown_it.token import Token

from symbackprop.reading.notes import tex
from symbackprop.reading.notes.delimiters import Defined, Found, scan
from symbackprop.reading.notes.gather import (
    Definition,
    Event,
    Formula,
    Heading,
    Prose,
    Specification,
    formula,
    note,
)
from symbackprop.reading.notes.passages import Note
from symbackprop.reading.notes.stretches import Lines, Stretch, joined

DEPTH = 60
MATH_FENCES = ("math", "latex", "tex", "katex")

_CONTAINERS = frozenset("list_item_open list_item_close blockquote_open blockquote_close".split())
_TABLE_CELLS = frozenset(("th_open", "td_open"))
_DISPLAY_SIGN = re.compile(r"\$\$|\\\[|\\\(|\\begin|\{\{[<%]|\{%")
_STOP = re.compile(r"#{1,6}(?:[ \t]|$)|```|~~~")
_ITEM = re.compile(r"(?:[-+*]|\d{1,9}[.)])[ \t]")
_OTHER_BLOCK = re.compile(rf"{_ITEM.pattern}|[>#<]")
_FENCE = re.compile(r"(`{3,}|~{3,})[ \t]*\{?[ \t]*([A-Za-z]+)")
_MATH_SIGN = re.compile(r"[\\^_=&+]")
_WORDS = re.compile(r"[A-Za-z]{2,}[,;:]?[ \t]+[A-Za-z]{2,}[,;:]?[ \t]+[A-Za-z]{2,}")
_COMMAND = re.compile(r"\\(?:text|mbox|hbox|textrm|operatorname)\*?\s*\{[^{}]*\}|\\[A-Za-z]+")
_SINGLE_DOLLAR = re.compile(r"(?<![\\$])\$(?!\$)")
_QUOTE = re.compile(r"[\s>]*")
_OPTION = re.compile(r"[ \t]*:[\w-]+:[^\n]*\n")
_FRONT = re.compile(r"(---|\+\+\+)[ \t]*$")
_MARKUP = re.compile(r"<!--.*?-->|</?[A-Za-z][^<>]*>|\*\*|`", re.DOTALL)
_STRIPPED = "".join(chr(code) for code in range(0x3001) if chr(code).isspace()) + ">"
_LINK = re.compile(r"!?\[([^\[\]]*)\]\([^()\s]*\)")


def read_markdown(path: str, raw: str) -> Note:
    """The note in a Markdown file's text; never raises, whatever the text is."""
    return note(path, raw, events(Stretch.of(raw), Lines(raw)), plain)


def events(source: Stretch, lines: Lines) -> Iterator[Event]:
    """What one Markdown text holds, in order; a notebook has one in every cell."""
    yield from _Blocks(source, lines).events()


def plain(prose: str) -> str:
    """Prose without markup that means nothing, on one line.

    >>> plain("the **output** is\\n[here](http://x.y), <b>one</b> `yhat`")
    'the output is here, one yhat'
    """
    return " ".join(_MARKUP.sub("", _LINK.sub(r"\1", prose)).split())


class _Blocks:
    """The walk over the blocks; regions that belong together wait in `_pending`."""

    def __init__(self, source: Stretch, lines: Lines) -> None:
        self.source = source
        self.lines = lines
        self._starts = [0, *(match.end() for match in re.finditer("\n", source.text))]
        self._pending: list[tuple[int, int]] = []
        self._until = -1
        self._displayed = False

    def events(self) -> Iterator[Event]:
        heading, level, table = False, 1, False
        for token in _parser().parse(self.source.text.replace("\0", "\ufffd")):
            if token.type in _CONTAINERS:
                yield from self._flush()
            elif token.type in ("heading_open", "heading_close"):
                yield from self._flush()
                heading, level = token.nesting > 0, int(token.tag.removeprefix("h"))
            elif token.type in ("table_open", "table_close"):
                yield from self._flush()
                table = token.nesting > 0
            elif token.type == "tr_open" and token.map:
                first = token.map[0]
                start, end = self._line(first)
                prefix = _QUOTE.match(self.source.text, start, end)
                yield from self._region([(prefix.end() if prefix else start, end)])
            elif token.type == "fence":
                yield from self._flush()
                yield from self._fence(token)
            elif token.type == "html_block" or (token.type == "inline" and not table):
                spans = self._spans(token)
                if heading:
                    yield Heading(token.content, level)
                    held = self._region(spans)
                    yield from (event for event in held if not isinstance(event, Prose))
                else:
                    yield from self._wait(token, spans, display=False)
            elif token.type == "display_lines":
                yield from self._wait(token, token.meta["spans"], display=True)
        yield from self._flush()

    def _wait(
        self, token: Token, spans: list[tuple[int, int]], *, display: bool
    ) -> Iterator[Event]:
        """Put lines aside; a paragraph and a display without an empty line between are one."""
        first, last = token.map or [0, 0]
        if first != self._until or not (display or self._displayed):
            yield from self._flush()
        self._pending += spans
        self._until = last
        self._displayed = display

    def _flush(self) -> Iterator[Event]:
        pending, self._pending = self._pending, []
        self._until = -1
        if pending:
            yield from self._region(pending)

    def _region(self, spans: list[tuple[int, int]]) -> Iterator[Event]:
        size = len(self.source.text)
        whole = joined(self.source.part(start, min(end + 1, size)) for start, end in spans)
        yield from _running(whole)
        yield Prose("\n")

    def _fence(self, token: Token) -> Iterator[Event]:
        words = re.findall(r"[\w-]+", token.info.lower())
        first, last = token.map or [0, 0]
        if words[:1] == ["toml"] and "symbackprop" in words:
            at, _ = self.lines.place(self.source.origin(self._line(first)[0]))
            yield Specification(token.content, at + 1)
            return
        if not words or words[0] not in MATH_FENCES:
            return
        spans = self._spans(token, first + 1)
        size = len(self.source.text)
        body = joined(self.source.part(start, min(end + 1, size)) for start, end in spans)
        while match := _OPTION.match(body.text):
            body = body.part(match.end(), len(body.text))
        outer = self.source.outer(self._line(first)[0], self._line(last - 1)[1])
        found = tex.events(body, self.lines)
        if any(isinstance(event, Formula) for event in found):
            yield from found
        elif words[0] == "math" or not tex.is_document(body.text):
            yield from formula(body, outer, display=True)

    def _line(self, number: int) -> tuple[int, int]:
        """Start and end of a line, counted from 0, without its line end."""
        if number >= len(self._starts):
            return len(self.source.text), len(self.source.text)
        start = self._starts[number]
        if number + 1 < len(self._starts):
            return start, self._starts[number + 1] - 1
        return start, len(self.source.text)

    def _spans(self, token: Token, first: int | None = None) -> list[tuple[int, int]]:
        """Where the lines of a token's content stand: prefixes are gone, ends are the same."""
        number = first if first is not None else (token.map or [0, 0])[0]
        spans = []
        rows = token.content.removesuffix("\n").split("\n")
        while token.type == "inline" and number + len(rows) < (token.map or [0, 0])[1]:
            start, end = self._line(number)
            if self.source.text[start:end].strip(_STRIPPED):
                break
            number += 1  # a form feed alone: no empty line for Markdown, but stripped
        for row in rows:
            start, end = self._line(number)
            words = row.strip()
            line = self.source.text[start:end].rstrip()
            at = len(line) - len(words)
            if not line.replace("\0", "\ufffd").endswith(words):
                at = max(line.find(words), 0)  # a heading with signs behind it
                end = start + at + len(words)
            spans.append((start + at, end))
            number += 1
        return spans


def _running(stretch: Stretch) -> Iterator[Event]:
    """The formulas, definitions and prose of running text."""
    at = 0
    joins = False
    for found in scan(stretch.text):
        between = stretch.text[at : found.start]
        joins = joins and not plain(between)
        yield Prose(between)
        at = found.end
        if isinstance(found, Defined):
            yield Definition(stretch.text[found.start : found.end])
        else:
            yield from _formula(stretch, found, joins)
            joins = True
    yield Prose(stretch.text[at:])


def _formula(stretch: Stretch, found: Found, joins: bool) -> Iterator[Event]:
    yield from formula(
        stretch.part(found.inner, found.stop),
        stretch.outer(found.start, found.end),
        display=found.display,
        environment=found.environment,
        joined=joins,
    )


def _parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"maxNesting": DEPTH}).enable("table").disable("reference")
    parser.core.ruler.enableOnly(["normalize", "block"])
    everywhere: RuleOptionsType = {"alt": ["paragraph", "reference", "blockquote", "list"]}
    parser.block.ruler.before("table", "display_lines", _display_lines, everywhere)
    parser.block.ruler.before("table", "front_matter", _front_matter, {"alt": []})
    return parser


def _front_matter(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    """Settings between two lines `---` or `+++` at the top of the text."""
    if start or state.level or silent:
        return False
    sign = _FRONT.match(_text(state, 0))
    if sign is None or end < 2 or (":" not in _text(state, 1) and "=" not in _text(state, 1)):
        return False
    for number in range(1, end):
        if _text(state, number).rstrip() in (sign.group(1), "..."):
            state.line = number + 1
            return True
    return False


def _display_lines(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    """Lines that hold a display begun on the first of them and not ended there, or the start of
    a fence of mathematics that is never closed."""
    if state.is_code_block(start):
        return False
    text = _text(state, start)
    if _OTHER_BLOCK.match(text):
        return False
    if text.startswith(("```", "~~~")):
        last = _open_fence(state, text, start, end)
        if last is not None and not silent:
            _push(state, start, last, fence=True)
        return last is not None
    closing = _open(text)
    if closing is None:
        return False
    if silent:
        return True
    last = start + 1
    while closing is not None:
        number, closed = _closing_line(state, closing, last, end)
        if closed is None:
            last = number
            break
        last = number + 1
        closing = _open(_text(state, number)[closed:])
    _push(state, start, last)
    return True


def _push(state: StateBlock, start: int, last: int, *, fence: bool = False) -> None:
    spans = [
        (min(state.bMarks[i] + state.tShift[i], state.eMarks[i]), state.eMarks[i])
        for i in range(start, last)
    ]
    token = state.push("fence" if fence else "display_lines", "", 0)
    token.map = [start, last]
    token.meta = {"spans": spans}
    if fence:
        token.info = state.src[slice(*spans[0])].strip("`~ \t")
        token.content = "".join(state.src[slice(*span)] + "\n" for span in spans[1:])
    state.line = last


def _open(text: str) -> str | None:
    """The pattern that closes the display left open at the end of a line."""
    if not _DISPLAY_SIGN.search(text):
        return None
    found = [part for part in scan(text, cut=True) if isinstance(part, Found)]
    return (found[-1].closing or None) if found else None


def _closing_line(state: StateBlock, closing: str, first: int, end: int) -> tuple[int, int | None]:
    """The line that closes a display and the offset in it; else the line after its paragraph."""
    pattern = re.compile(closing)
    paragraph_end: int | None = None
    chunk: list[str] = []
    for number in range(first, end):
        text = _text(state, number)
        if not text.strip():
            if paragraph_end is None:
                paragraph_end = number
            elif chunk and not _goes_on(chunk):
                return paragraph_end, None
            chunk = []
            continue
        outside = state.sCount[number] < state.blkIndent
        left = outside and (paragraph_end is not None or _ITEM.match(text))
        if left or _STOP.match(text):
            return number if paragraph_end is None else paragraph_end, None
        if match := pattern.search(text):
            chunk.append(text[: match.start("end")])
            if paragraph_end is not None and not _goes_on(chunk):
                return paragraph_end, None
            return number, match.end()
        chunk.append(text)
    return end if paragraph_end is None else paragraph_end, None


def _goes_on(chunk: list[str]) -> bool:
    """Whether lines after an empty one still look like the formula before it."""
    text = "\n".join(chunk)
    if not text.strip():
        return True
    if _SINGLE_DOLLAR.search(text) or "\\begin{align" in text or "\\[" in text:
        return False
    return bool(_MATH_SIGN.search(text)) and not _WORDS.search(_COMMAND.sub(" 1 ", text))


def _open_fence(state: StateBlock, text: str, start: int, end: int) -> int | None:
    """The line after the first paragraph of a fence of mathematics that is never closed."""
    match = _FENCE.match(text)
    if match is None or match.group(2).lower() not in MATH_FENCES:
        return None
    mark = match.group(1)
    paragraph_end: int | None = None
    for number in range(start + 1, end):
        row = _text(state, number).rstrip()
        if len(row) >= len(mark) and not row.strip(mark[0]):
            return None
        if _FENCE.match(row):
            return number if paragraph_end is None else paragraph_end
        if not row and paragraph_end is None:
            paragraph_end = number
    return end if paragraph_end is None else paragraph_end


def _text(state: StateBlock, number: int) -> str:
    return state.src[state.bMarks[number] + state.tShift[number] : state.eMarks[number]]
