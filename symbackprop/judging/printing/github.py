r"""A report as annotations of GitHub Actions: `::error file=…,line=…::message`.

Owns: the escaping of workflow commands. Refuses: anything else on a line of its own that a note
could have written. Wrong if a formula could end its line and begin a command.
GitHub shows ten annotations of a kind for each step, so causes come first.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from symbackprop.errors import printable
from symbackprop.judging.printing import words
from symbackprop.judging.printing.causes import Cause, causes, in_lines
from symbackprop.judging.report import Claim, FileReport, Report

Level = Literal["error", "warning", "notice"]


def as_github(report: Report, *, strict: bool = False) -> str:
    """One command a line, and a last line with the counts.

    Refuted: an error. Following correctly from an earlier false line: a notice. Undecided: a
    warning where `strict` makes it fail, otherwise a notice.
    """
    roots = [cause for file in report.files for cause in causes(file.claims)]
    lines = [*_problems(report)]
    lines += [_command("error", cause.claim, _message(cause)) for cause in roots]
    lines += [line for cause in roots for line in _again(cause)]
    lines += [line for file in report.files for line in _undecided(file, strict)]
    lines += [line for cause in roots for line in _followers(cause)]
    return "\n".join([*dict.fromkeys(lines), words.counts(report, len(roots))])


def _problems(report: Report) -> Iterator[str]:
    for file in report.files:
        if file.problem:
            where = f"file={_property(_path(file.file))},title=not judged"
            yield f"::error {where}::{_data(words.sentence(file.problem))}"


def _again(cause: Cause) -> Iterator[str]:
    for claim in cause.again:
        suggestion = f"write {words.formula(claim.suggestion)}" if claim.suggestion else ""
        yield _command("error", claim, [f"the same slip as in line {cause.claim.line}", suggestion])


def _followers(cause: Cause) -> Iterator[str]:
    for claim in cause.followers:
        lines = ", ".join(map(str, claim.follows_from))
        yield _command("notice", claim, [f"false, but follows correctly from line {lines}"])


def _undecided(file: FileReport, strict: bool) -> Iterator[str]:
    level: Level = "warning" if strict else "notice"
    for claim in file.claims:
        if claim.status == "undecided":
            yield _command(level, claim, [words.sentence(claim.sentence) or "no reason given"])


def _message(cause: Cause) -> list[str]:
    claim = cause.claim
    labelled = {
        "": words.sentence(claim.sentence),
        "claimed: ": words.claimed(claim),
        "right: ": words.right(claim),
        "write: ": words.formula(claim.suggestion),
        "differs: ": words.difference(claim),
        "following correctly from it: ": in_lines(cause.followers) if cause.followers else "",
    }
    return [label + text for label, text in labelled.items() if text]


def _command(level: Level, claim: Claim, message: list[str]) -> str:
    title = words.title(claim) if claim.status == "refuted" else claim.status
    properties = {"file": _path(claim.file), **_position(claim), "title": title}
    written = ",".join(f"{key}={_property(value)}" for key, value in properties.items())
    return f"::{level} {written}::{_data(*filter(None, message))}"


def _path(file: str) -> str:
    """Without the function that `FILE.py::FUNCTION` names."""
    return file.partition("::")[0]


def _position(claim: Claim) -> dict[str, str]:
    line, column, length = claim.spot or (claim.line, claim.column, claim.length)
    if line < 1:
        return {}
    if column < 1:
        return {"line": str(line)}
    end = {"endColumn": str(column + length)} if length > 0 else {}
    return {"line": str(line), "col": str(column), **end}


def _data(*lines: str) -> str:
    r"""The text after `::`; it ends with its line.

    >>> _data("100%", "::error::no")
    '100%25%0A::error::no'
    """
    return "%0A".join(printable(line).replace("%", "%25") for line in lines)


def _property(text: str) -> str:
    r"""A value among the properties, which end at `,` and `:`.

    >>> _property("a,b::c\n")
    'a%2Cb%3A%3Ac\\n'
    """
    return _data(text).replace(":", "%3A").replace(",", "%2C")
