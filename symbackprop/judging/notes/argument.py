r"""Why a formula was judged as it was.

Owns: the words of `verify --explain LINE`: what the letters of a formula mean and what shows it,
and how the formula comes out under each way of reading it. Refuses: deciding. Would be wrong if it
judged with other settings than the page does.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from symbackprop.judging.notes.burden import CUSTOM, Anchors, Use
from symbackprop.judging.notes.formula.compare import Verdict
from symbackprop.judging.notes.formula.judge import Worlds, judge
from symbackprop.judging.notes.formula.settings import Settings
from symbackprop.notation import SampleLayout
from symbackprop.reading.latex.syntax import Statement

WORDS = {
    "true": "holds",
    "false": "does not hold",
    "unknown": "not decided",
    "definition": "defines",
}
MODES = {"one": "one sample", "batch": "a batch"}


@dataclass(frozen=True)
class Reading:
    """A way to read a formula, and what comes out; `own` is the one that was taken."""

    words: str
    outcome: str
    reason: str
    own: bool

    def __str__(self) -> str:
        mark = "->" if self.own else "  "
        said = f": {self.reason}" if self.reason else ""
        return f"{mark} {self.words}: {self.outcome}{said}"


def letters(
    uses: frozenset[Use], anchors: Anchors, line: int, words: Mapping[str, str]
) -> Iterator[str]:
    """Each letter of a formula with its meaning, and the lines that show it."""
    by_head: dict[str, set[Use]] = {}
    for use in uses:
        by_head.setdefault(use.head, set()).add(use)
    for head in sorted(by_head):
        family = min(use.family for use in by_head[head])
        alike = (n for use, n in anchors.lines.items() if (use.head, use.family) == (head, family))
        shown = sorted({number for numbers in alike for number in numbers} - {line})
        is_usual = head in CUSTOM.get(family.removeprefix("d_").partition(":")[0], ())
        anchor = _shown(shown, head in anchors.settled, is_usual)
        yield f"   {head} is the {words.get(head, family)} ({anchor})"


def _shown(lines: list[int], settled: bool, usual: bool) -> str:
    if settled:
        return "the network file"
    if lines:
        several = "lines" if len(lines) > 1 else "line"
        more = ", ..." if len(lines) > MOST_LINES else ""
        return f"{several} {', '.join(map(str, lines[:MOST_LINES]))}{more}"
    return "by custom" if usual else "nothing else shows it"


MOST_LINES = 6


def readings(
    statement: Statement, settings: Settings, worlds: Mapping[str, Worlds], reduction: str
) -> Iterator[Reading]:
    """The formula for one sample and for a batch, under each reduction, with vectors as rows and
    as columns and the other layout of derivatives, and with factors taken entry by entry."""
    seen: set[tuple[str, str]] = set()
    for name, there in worlds.items():
        for mode in there.generic:
            for words, changed in _layouts(replace(settings, mode=mode)):
                found = judge(statement, changed, there)
                own = name == reduction and changed == settings
                told = f"{MODES[mode]}, loss by {name.replace('_', ' ')}, {words}"
                key = (found.outcome, found.reason if found.outcome != "true" else "")
                if own or key not in seen:
                    seen.add(key)
                    yield Reading(told, WORDS[found.outcome], _reason(found), own)


def _layouts(settings: Settings) -> Iterator[tuple[str, Settings]]:
    yield f"vectors as {settings.samples}", settings
    other: SampleLayout = "columns" if settings.samples == "rows" else "rows"
    yield f"vectors as {other}", replace(settings, samples=other, single=other)
    layout = "denominator" if settings.layout == "numerator" else "numerator"
    yield f"derivatives in {layout} layout", replace(settings, layout=layout)
    signs = settings.entrywise | {"", r"\cdot"}
    yield "factors side by side entry by entry", replace(settings, entrywise=signs)


def _reason(verdict: Verdict) -> str:
    return verdict.note if verdict.outcome == "true" else verdict.reason
