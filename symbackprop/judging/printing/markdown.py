r"""A report as Markdown, as a notebook shows it.

Owns: the layout for Jupyter. Refuses: everything the text report leaves out too.
Wrong if a note's text became HTML, a link or a command of the formula renderer: what a note says
is shown as code; only what was derived is set as a formula, and only where that is safe.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from symbackprop.judging.printing import words
from symbackprop.judging.printing.causes import Cause, causes, in_lines
from symbackprop.judging.printing.layout import flat
from symbackprop.judging.printing.marks import code, prose
from symbackprop.judging.report import NETWORK, Report

_UNSAFE = re.compile(
    r"[$<>`\n]|\\(?:href|url|class|cssId|style|data|require|unicode|def|let|newcommand|renewcommand"
    r"|includegraphics|html\w*)(?![A-Za-z])"
)


def as_markdown(report: Report) -> str:
    """Counts, causes, what is undecided, and the settings found."""
    roots = [cause for file in report.files for cause in causes(file.claims)]
    lines = [f"**{words.counts(report, len(roots))}**", ""]
    for file in report.files:
        if file.problem:
            lines.append(f"- {code(flat(file.file))}: {prose(words.sentence(file.problem))}")
        if network := words.network(file):
            lines.append(f"- {code(flat(file.file))}: {prose(network)}")
    lines += [line for cause in roots for line in _cause(cause)]
    lines += _undecided(report)
    lines += _settings(report)
    return "\n".join(lines).rstrip()


def _cause(cause: Cause) -> Iterator[str]:
    claim = cause.claim
    place = code(flat(f"{claim.file}:{claim.line}"))
    yield f"- ✗ {place} **{prose(words.title(claim))}**"
    right = claim.suggestion or claim.derived
    for label, content in (
        ("", prose(words.sentence(claim.sentence))),
        ("claimed ", code(words.claimed(claim))),
        ("right ", formula(right)),
        ("differs at ", prose(words.difference(claim))),
        ("the same slip in ", in_lines(cause.again) if cause.again else ""),
        ("following correctly from it: ", in_lines(cause.followers) if cause.followers else ""),
    ):
        if content:
            yield f"  - {label}{content}"


def _undecided(report: Report) -> Iterator[str]:
    for claim in report.claims:
        if claim.status == "undecided":
            place = code(flat(f"{claim.file}:{claim.line}"))
            reason = prose(words.sentence(claim.sentence))
            yield f"- ? {place} undecided" + (f": {reason}" if reason else "")


def _settings(report: Report) -> Iterator[str]:
    for file in report.files:
        if not file.settings:
            continue
        name = f" of {code(flat(file.file))}" if len(report.files) > 1 else ""
        yield from ("", f"Settings found{name}", "", "| setting | value |", "| --- | --- |")
        for key, value in ((k, v) for k, v in file.settings.items() if k != NETWORK):
            cells = (flat(str(key)).replace("_", " "), words.formula(words.setting(value)))
            yield "| " + " | ".join(prose(cell).replace("|", "\\|") for cell in cells) + " |"


def formula(latex: str) -> str:
    r"""Set by the browser where nothing in it could be more than a formula, otherwise as code.

    >>> print(formula(r"h^{1\top} \delta^{2}"), formula(r"\href{javascript:x}{y}"))
    $h^{1\top} \delta^{2}$ `\href{javascript:x}{y}`
    """
    text = words.formula(latex)
    if not text or text.endswith("…") or text.endswith("\\") or _UNSAFE.search(latex):
        return code(text)
    return f"${text}$"
