r"""A report for people: causes first, each with its line, what is right, and why.

Owns: the layout of the text report. Refuses: listing what is fine, unless asked.
Wrong if a line were wider than 100 columns (a path alone may be), or a refuted claim were not
mentioned.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from symbackprop.errors import printable
from symbackprop.judging.printing import words
from symbackprop.judging.printing.causes import Cause, causes, in_lines
from symbackprop.judging.printing.layout import (
    BOLD,
    DIM,
    GREEN,
    RED,
    WIDTH,
    YELLOW,
    Colour,
    Paint,
    counted,
    flat,
    shortened,
    width,
    wrapped,
)
from symbackprop.judging.printing.source import Excerpt, excerpt, source_lines
from symbackprop.judging.report import NETWORK, Claim, FileReport, Report, Status
from symbackprop.judging.slips import SLUGS

LABEL = 11
COLOURS: dict[Status, Colour] = {
    "verified": GREEN, "refuted": RED, "definition": DIM, "undecided": YELLOW,
}  # fmt: skip


def as_text(report: Report, *, colour: bool = False, verbose: bool = False) -> str:
    """The whole report; ends without a newline.

    `verbose` lists every claim with its method, also the verified ones.
    """
    printer = _Printer(Paint(colour), verbose)
    roots = [causes(file.claims) for file in report.files]
    files = zip(report.files, roots, strict=True)
    blocks = [block for file, found in files for block in printer.file(file, found)]
    blocks += printer.settings(report)
    blocks.append(printer.summary(report, sum(map(len, roots))))
    return "\n\n".join("\n".join(block) for block in blocks)


@dataclass(frozen=True)
class _Printer:
    paint: Paint
    verbose: bool

    # --- one file --------------------------------------------------------------------------

    def file(self, file: FileReport, roots: Sequence[Cause]) -> Iterator[list[str]]:
        if file.problem:
            head = f"{printable(file.file)}: "
            yield [self.paint(head, BOLD) + words.sentence(file.problem)]
        if network := words.network(file):
            yield list(wrapped(f"{printable(file.file)}: {network}", WIDTH, indent="  "))
        lines = source_lines(file.text)
        for cause in roots:
            yield list(self.cause(cause, lines))
        if undecided := [claim for claim in file.claims if claim.status == "undecided"]:
            yield list(self.undecided(undecided))
        if self.verbose and file.claims:
            yield list(self.everything(file))
        if file.argued:
            yield ["How it was read", *(shortened(line, WIDTH) for line in file.argued)]

    def cause(self, cause: Cause, lines: Sequence[str]) -> Iterator[str]:
        claim = cause.claim
        yield self.heading(claim)
        shown = excerpt(lines, claim)
        if shown:
            yield from self.quoted(shown)
        if not shown or words.claimed(claim) not in shown.line:
            yield from self.part("claimed", words.claimed(claim), RED)
        for label, content, *colours in self.parts(cause):
            yield from self.part(label, content, *colours)

    def heading(self, claim: Claim) -> str:
        place = f"{_place(claim)}: "
        slug = f" [{words.slug(claim)}]" if claim.slip else ""
        room = WIDTH - width(place) - width("refuted: ") - width(slug)
        title = words.title(claim)
        if width(title) > room:  # on a line of its own, for the path is long
            title, slug = shortened(title, WIDTH - 2), slug.strip()
            return f"{self.paint(place, BOLD)}{self.paint('refuted', RED, BOLD)} {slug}\n  {title}"
        return self.paint(place, BOLD) + self.paint("refuted", RED, BOLD) + f": {title}{slug}"

    def quoted(self, shown: Excerpt) -> Iterator[str]:
        gutter = f"{shown.number:>6} | "
        yield f"{self.paint(gutter, DIM)}{shown.line}".rstrip()
        if shown.carets:
            blank, _, carets = shown.carets.rpartition(" ")
            room = blank + " " if shown.carets.startswith(" ") else ""
            yield f"{self.paint('       | ', DIM)}{room}{self.paint(carets, RED)}"

    def parts(self, cause: Cause) -> Iterator[tuple[str, ...]]:
        """Label, content and colour of what stands below a quoted formula, in order."""
        claim = cause.claim
        yield "right", words.right(claim), GREEN
        yield "cause", words.sentence(claim.sentence)
        yield "write", words.formula(claim.suggestion), GREEN
        yield "differs", words.difference(claim)
        for other in words.further(claim):
            yield "or", other
        if claim.consistent:
            lines = ", ".join(map(str, claim.follows_from))
            yield "follows", f"correctly from line {lines}, which is false"
        if cause.again:
            yield "again", f"the same slip in {in_lines(cause.again)}"
        if cause.followers:
            verb = "follows" if len(cause.followers) == 1 else "follow"
            yield "then", f"{in_lines(cause.followers)} {verb} correctly from it"

    def part(self, label: str, content: str, *colours: Colour) -> Iterator[str]:
        if not content:
            return
        indent = " " * (LABEL + 2)
        first, *rest = wrapped(content, WIDTH - len(indent))
        yield f"  {self.paint(label.ljust(LABEL), DIM)}{self.paint(first, *colours)}"
        for line in rest:
            yield indent + self.paint(line, *colours)

    # --- the others ------------------------------------------------------------------------

    def undecided(self, claims: Sequence[Claim]) -> Iterator[str]:
        by_reason: dict[str, list[Claim]] = defaultdict(list)
        for claim in claims:
            reason = words.sentence(claim.sentence) or "no reason given"
            by_reason[reason].append(claim)
        yield self.paint(f"{printable(claims[0].file)}: undecided", YELLOW)
        for reason, found in by_reason.items():
            yield from wrapped(f"{in_lines(found)}: {reason}", WIDTH, first="  ", indent="    ")

    def everything(self, file: FileReport) -> Iterator[str]:
        yield self.paint(f"{printable(file.file)}: {counted(len(file.claims), 'claim')}", BOLD)
        places = [f"{claim.line}:{claim.column}" for claim in file.claims]
        room = max(map(len, places))
        for place, claim in zip(places, file.claims, strict=True):
            yield self.row(place.rjust(room), claim)

    def row(self, place: str, claim: Claim) -> str:
        mark = words.MARKS[claim.status]
        head = f"  {place} {mark} {claim.status:<10} {claim.method:<10} "
        facts = f"  (uses {', '.join(map(flat, claim.facts))})" if claim.facts else ""
        note = f"  ({flat(claim.sentence)})" if claim.sentence and claim.status != "refuted" else ""
        rest = shortened(flat(claim.latex or claim.name) + facts + note, WIDTH - width(head))
        return (self.paint(head, COLOURS[claim.status]) + rest).rstrip()

    # --- the end ---------------------------------------------------------------------------

    def settings(self, report: Report) -> Iterator[list[str]]:
        several = len(report.files) > 1
        for file in report.files:
            if file.settings:
                name = f" of {printable(file.file)}" if several else ""
                found = {key: file.settings[key] for key in file.settings if key != NETWORK}
                yield [self.paint(f"settings found{name}", BOLD), *_table(found)]

    def summary(self, report: Report, roots: int) -> list[str]:
        colour = RED if report.summary["refuted"] else GREEN
        lines = [self.paint(words.counts(report, roots), BOLD, colour)]
        if slips := words.slips_counted(report.claims):
            found = ", ".join(f"{slug} {count}" for slug, count in slips.items())
            lines += wrapped(f"slips: {found}", WIDTH, indent="  ")
            if known := [slug for slug in slips if slug in SLUGS]:
                lines.append(f"`symbackprop explain {known[0]}` says more")
        return lines


def _place(claim: Claim) -> str:
    file = printable(claim.file)
    if claim.line < 1:
        return file
    return f"{file}:{claim.line}:{claim.column}" if claim.column > 0 else f"{file}:{claim.line}"


def _table(settings: Mapping[str, Any]) -> Iterator[str]:
    names = [shortened(flat(str(name)).replace("_", " "), 24) for name in settings]
    room = max(map(width, names))
    for name, value in zip(names, settings.values(), strict=True):
        label = "  " + name + " " * (room - width(name) + 2)
        text = shortened(words.setting(value), words.LONGEST)
        yield from wrapped(text, WIDTH, first=label, indent=" " * len(label))
