"""What a judgement says: claims with their verdicts, the settings found, counts.

Owns: the records of a report, made by the judges of notes and of code and read by its printers.
Refuses: deciding, and words for people (the printers have those).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Status = Literal["verified", "refuted", "definition", "undecided"]
STATUSES: tuple[Status, ...] = ("verified", "refuted", "definition", "undecided")
Method = Literal["", "proved", "exact", "numeric", "executed", "ill-formed", "shape", "structure"]


DIGITS = 9
NETWORK = "network"  # the setting that says what network a note states itself


def rounded(value: Any) -> Any:
    """The same with numbers of nine digits: the last ones of an exponential differ from machine
    to machine. What is not finite becomes a word, for JSON has no number for it."""
    if isinstance(value, float):
        return float(f"{value:.{DIGITS}g}") if math.isfinite(value) else str(value)
    if isinstance(value, Mapping):
        return {key: rounded(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [rounded(each) for each in value]
    return value


@dataclass(frozen=True)
class Claim:
    """One formula of a note, or one gradient or intermediate of a function, judged.

    `line`, `column` count from 1; `length` is that of the claim's text on its first line.
    `latex` is the source text of a formula; `name` that of a gradient in code, then `latex` is "".
    `slip` is the slug of the likely slip, empty where none explains it; `sentence` says it, or why
    the claim is undecided. `spot` is where the slip is: line, column, length.
    `links` are the sides of a chain as text, `failing` the number of the first false link.
    `others` are further explanations, best first, as (slug, sentence, suggestion).
    `source` is the text of the false formula that a consistent one follows from, for copies of the
    notes in which lines have moved. `facts` lists the declared facts that a proof used.
    `same_as` is the line of the first claim with the same slip, `follows_from` the earlier false
    lines of the same file that a false but `consistent` one follows from.
    `counterexample` has `sizes` and `values` to recompute with, `entry` (the place in the result),
    the numbers there or, where shapes differ, the shapes as `left` and `right` (in code: what it
    gives and what is right), and `letters` and `layer` for what the formula leaves open.
    """

    file: str
    line: int
    column: int
    length: int
    status: Status
    method: Method = ""
    latex: str = ""
    name: str = ""
    derived: str = ""
    counterexample: Mapping[str, Any] | None = None
    slip: str = ""
    sentence: str = ""
    suggestion: str = ""
    consistent: bool = False
    follows_from: tuple[int, ...] = ()
    source: str = ""
    same_as: int | None = None
    spot: tuple[int, int, int] | None = None
    claimed: str = ""
    others: tuple[tuple[str, str, str], ...] = ()
    facts: tuple[str, ...] = ()
    patch: str = ""
    end_line: int = 0
    end_column: int = 0

    @property
    def cause(self) -> str:
        """The slug of the slip and a sentence, as the JSON report has it."""
        if self.slip and self.sentence:
            return f"{self.slip}: {self.sentence}"
        return self.slip or self.sentence

    def as_json(self) -> dict[str, Any]:
        named = {"name": self.name} if self.name else {"latex": self.latex}
        more = {"patch": self.patch} if self.patch else {}
        return {
            "file": self.file,
            "line": self.line,
            "column": self.column,
            **named,
            "status": self.status,
            "method": self.method,
            "derived": self.derived,
            "counterexample": rounded(self.counterexample) if self.counterexample else None,
            "cause": self.cause,
            "suggestion": self.suggestion,
            "consistent": self.consistent,
            "follows_from": list(self.follows_from),
            "others": [
                {"cause": f"{slug}: {sentence}", "suggestion": text}
                for slug, sentence, text in self.others
            ],
            **more,
        }


@dataclass(frozen=True)
class FileReport:
    """What was found in one file: its claims, its settings, and its text for quoting lines.

    `problem` says why nothing could be judged (binary, no function of that name); empty else.
    `argued` are the lines in which the verdicts of one line of the file are argued for.
    """

    file: str
    claims: tuple[Claim, ...]
    settings: Mapping[str, Any] = field(default_factory=dict)
    text: str = ""
    problem: str = ""
    argued: tuple[str, ...] = ()


def lost_file(file: str, text: str, sentence: str) -> FileReport:
    """The report on a file that the judge lost by a fault of its own: one undecided line."""
    return FileReport(file, (Claim(file, 1, 1, 1, "undecided", sentence=sentence),), text=text)


@dataclass(frozen=True)
class Report:
    """The judgement of one or more files."""

    files: tuple[FileReport, ...]

    @property
    def claims(self) -> tuple[Claim, ...]:
        return tuple(claim for file in self.files for claim in file.claims)

    @property
    def summary(self) -> dict[str, int]:
        found = [claim.status for claim in self.claims]
        return {status: found.count(status) for status in STATUSES}

    @property
    def settings(self) -> dict[str, Any]:
        """Those of the one file, or by file name where there are several."""
        if len(self.files) == 1:
            return dict(self.files[0].settings)
        return {file.file: dict(file.settings) for file in self.files}

    @property
    def ok(self) -> bool:
        """Whether nothing was refuted."""
        return not self.summary["refuted"] and any(self.claims)

    def as_json(self) -> dict[str, Any]:
        argued = [line for file in self.files for line in file.argued]
        return {
            "claims": [claim.as_json() for claim in self.claims],
            "settings": self.settings,
            "summary": self.summary,
            "problems": [
                {"file": file.file, "problem": file.problem} for file in self.files if file.problem
            ],
            **({"argued": argued} if argued else {}),
        }
