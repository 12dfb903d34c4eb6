r"""A copy of the notes with a mark beside each formula.

Owns: where marks stand in Markdown, LaTeX and notebooks. Refuses: changing anything else: without
its marks the copy is the original, byte for byte but for blank lines below a mark. Marks of an
earlier run are replaced. Wrong if a copy read differently from its original.

Markdown: a quoted line below a displayed formula, a sign behind one within a line. LaTeX: comment
lines below the line where the formula ends, for those compile everywhere. Notebooks: as Markdown,
within the cells; the rest of the file stays as it is.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePath

from symbackprop.judging.printing import marks
from symbackprop.judging.printing.cells import Sheet, markdown_cells
from symbackprop.judging.report import Claim
from symbackprop.reading.notes.passages import Note, Passage
from symbackprop.reading.notes.stretches import LINE_END

_QUOTE = re.compile(r"(?:[ \t]*>)*[ \t]*")
_ITEM = re.compile(r"(?:[-*+]|\d{1,9}[.)])[ \t]+")
_BEFORE = re.compile(r"^(?:[ \t]|>|[-*+][ \t]|\d{1,9}[.)][ \t])*$")
_CODE = re.compile(r"[ >]*(?: {4}|\t)[ \t]*[^ \t\r\n]")
_FENCE = re.compile(
    r"^(?:[ \t]|>|[-*+][ \t]|\d{1,9}[.)][ \t])*(?P<mark>`{3,}|~{3,})(?P<info>[^\r\n`]*)$",
    re.MULTILINE,
)


@dataclass(frozen=True)
class Edit:
    """Put `text` in place of the characters from `start` up to `end`."""

    start: int
    end: int
    text: str


def annotate(note: Note, claims: Sequence[Claim]) -> str:
    """The text of the notes with marks for `claims`, those of this file.

    A claim without a position in one of the formulas has no place for a mark and is left out.
    """
    groups = _by_passage(note.passages, claims)
    suffix = PurePath(note.path).suffix.lower()
    if suffix in (".tex", ".ltx", ".latex"):
        edits = list(_latex_edits(note.text, groups))
    elif suffix == ".ipynb":
        edits = list(_notebook_edits(note.text, groups))
    else:
        edits = list(_markdown_edits(Sheet.of_text(note.text), groups))
    return _edited(note.text, edits)


def _edited(text: str, edits: Sequence[Edit]) -> str:
    parts, position = [], 0
    for edit in sorted(edits, key=lambda edit: (edit.start, edit.end)):
        if edit.start >= position:  # formulas within formulas have one mark
            parts += [text[position : edit.start], edit.text]
            position = edit.end
    return "".join([*parts, text[position:]])


# --------------------------------------------------------------------------------------------
# Which claims belong to which formula
# --------------------------------------------------------------------------------------------

Group = tuple[Passage, list[Claim]]


def _by_passage(passages: Sequence[Passage], claims: Sequence[Claim]) -> list[Group]:
    """Every passage in order, with its claims; those without any too, for their old marks."""
    ordered = sorted(passages, key=lambda passage: passage.outer)
    begins = [passage.place(0) for passage in ordered]
    found: list[list[Claim]] = [[] for _ in ordered]
    for claim in sorted(claims, key=lambda claim: (claim.line, claim.column)):
        place = (claim.line, claim.column)
        number = bisect_right(begins, place) - 1
        if number >= 0 and place <= ordered[number].place(len(ordered[number].latex)):
            found[number].append(claim)
    return _outermost(zip(ordered, found, strict=True))


def _outermost(groups: Iterable[Group]) -> list[Group]:
    """A formula within another one has no mark of its own: the mark would be in the formula."""
    kept: list[Group] = []
    for passage, claims in groups:
        if kept and passage.outer[1] <= kept[-1][0].outer[1]:
            kept[-1][1].extend(claims)
        else:
            kept.append((passage, claims))
    return kept


# --------------------------------------------------------------------------------------------
# LaTeX
# --------------------------------------------------------------------------------------------


def _latex_edits(text: str, groups: Sequence[Group]) -> Iterator[Edit]:
    """One edit for each source line in which formulas end."""
    by_line: dict[int, list[Claim]] = {}
    for passage, claims in groups:
        by_line.setdefault(_line_end(text, passage.outer[1]), []).extend(claims)
    newline = _newline(text)
    for end, claims in by_line.items():
        lines = marks.comments(claims)
        yield Edit(end, _after_marks(text, end, marks.COMMENT_LINE),
                   "".join(newline + line for line in lines))  # fmt: skip


def _line_end(text: str, position: int) -> int:
    """Where the line ends that holds the character before `position`."""
    while position and text[position - 1] in "\r\n":  # a block whose end includes its line's end
        position -= 1
    found = LINE_END.search(text, position)
    return found.start() if found else len(text)


def _line_start(text: str, position: int) -> int:
    return max(text.rfind("\n", 0, position), text.rfind("\r", 0, position)) + 1


def _newline(text: str) -> str:
    found = LINE_END.search(text)
    return found.group() if found else "\n"


def _after_marks(text: str, end: int, mark: re.Pattern[str]) -> int:
    """Behind the mark lines of an earlier run that follow a line's end, or that end itself."""
    while (line := LINE_END.match(text, end)) and (found := mark.match(text, line.end())):
        end = found.end()
    return end


# --------------------------------------------------------------------------------------------
# Markdown
# --------------------------------------------------------------------------------------------


def _markdown_edits(sheet: Sheet, groups: Sequence[Group]) -> Iterator[Edit]:
    blocks: dict[int, list[Claim]] = {}  # by the end of the line below which the mark stands
    fences, unclosed = _fences(sheet.text)
    for passage, claims in groups:
        start, end = (sheet.position(offset) for offset in passage.outer)
        if _is_open(sheet.text[start:end], passage) or start >= unclosed:
            continue  # whatever is put behind it becomes part of the formula
        if (line_end := _block_end(sheet.text, start, end, passage.display, fences)) is not None:
            blocks.setdefault(line_end, []).extend(claims)
        else:
            yield _in_file(sheet, _inline_edit(sheet.text, end, claims))
    for line_end, claims in blocks.items():
        yield _in_file(sheet, _block_edit(sheet.text, line_end, claims))


def _block_end(
    text: str, start: int, end: int, display: bool, fences: Sequence[tuple[int, int]]
) -> int | None:
    """The end of the last line of the block that the formula is; None for one within a line."""
    for first, last in fences:
        if first <= start < last:  # a mark within a fence would be part of the formula
            return last
    line_end = _line_end(text, end)
    before = text[_line_start(text, start) : start]
    is_alone = not _BEFORE.sub("", before) and not text[end:line_end].strip()
    return line_end if display and is_alone and not _is_carried_on(text, line_end) else None


def _is_carried_on(text: str, end: int) -> bool:
    """Whether the line below is so far indented that only standing right below makes it text:
    below a mark of its own it would be code."""
    below = LINE_END.match(text, _after_marks(text, end, marks.BLOCK_LINE))
    return below is not None and _CODE.match(text, below.end()) is not None


def _is_open(block: str, passage: Passage) -> bool:
    """Whether nothing closes the formula: the block ends as the formula does."""
    last = passage.latex.rpartition("\n")[2].strip()
    return bool(last) and block.rstrip().endswith(last)


def _fences(text: str) -> tuple[list[tuple[int, int]], int]:
    """Start and end of each fenced block of code, the lines of the fence included; and where one
    begins that is never closed, or the end of the text."""
    fences: list[tuple[int, int]] = []
    opened: re.Match[str] | None = None
    for found in _FENCE.finditer(text):
        if opened is None:
            opened = found
        elif found["mark"].startswith(opened["mark"]) and not found["info"].strip():
            fences.append((opened.start(), found.end()))
            opened = None
    return fences, opened.start() if opened else len(text)


def _in_file(sheet: Sheet, edit: Edit) -> Edit:
    return Edit(sheet.offsets[edit.start], sheet.offsets[edit.end], edit.text)


def _inline_edit(text: str, position: int, claims: Sequence[Claim]) -> Edit:
    old = marks.INLINE.match(text, position)
    line = text[_line_start(text, position) : position]
    new = marks.inline(claims, line.lstrip(" >").startswith("|")) if claims else ""
    return Edit(position, old.end() if old else position, new)


def _block_edit(text: str, end: int, claims: Sequence[Claim]) -> Edit:
    newline, prefix = _newline(text), _prefix(text, end)
    after = _after_marks(text, end, marks.BLOCK_LINE)
    if not claims:
        return Edit(end, after, "")
    lines = "".join(f"{newline}{prefix}> {line}" for line in marks.block_lines(claims))
    # a line that follows at once would become part of the quotation
    apart = "" if _is_blank_below(text, after) else newline + prefix.rstrip()
    return Edit(end, after, lines + apart)


def _prefix(text: str, end: int) -> str:
    """What opens the line that ends there: quotation marks and the room of a list item."""
    line = text[_line_start(text, end) : end]
    quote = _QUOTE.match(line)
    opening = quote.group() if quote else ""
    item = _ITEM.match(line, len(opening))
    return opening + (" " * len(item.group()) if item else "")


def _is_blank_below(text: str, end: int) -> bool:
    line = LINE_END.match(text, end)
    if line is None:
        return True
    below = LINE_END.search(text, line.end())
    return not text[line.end() : below.start() if below else len(text)].strip(" \t>")


# --------------------------------------------------------------------------------------------
# Notebooks
# --------------------------------------------------------------------------------------------


def _notebook_edits(text: str, groups: Sequence[Group]) -> Iterator[Edit]:
    for sheet in markdown_cells(text):
        first, last = sheet.offsets[0], sheet.offsets[-1]
        inside = [group for group in groups if first <= group[0].outer[0] < last]
        for edit in _markdown_edits(sheet, inside):
            yield Edit(edit.start, edit.end, json.dumps(edit.text, ensure_ascii=False)[1:-1])
