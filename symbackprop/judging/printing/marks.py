r"""What stands beside a formula in annotated notes.

Owns: the words of a mark in Markdown and in LaTeX, and how a mark of an earlier run is known.
Refuses: places. Wrong if a mark were read as a formula, as HTML, or as the notes' own words.
Formulas in a mark are code, so that nobody, reader or browser, takes them for the writer's.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from symbackprop.judging.printing import words
from symbackprop.judging.printing.layout import flat, shortened
from symbackprop.judging.report import Claim, Status

_STATUS = r"(?:✓ verified|✗ (?:\*\*)?refuted|≔ definition|\? undecided)"
BLOCK_LINE = re.compile(rf"[ \t>]*> (?:- )?{_STATUS}[^\r\n]*")
COMMENT_LINE = re.compile(rf"[ \t]*% {_STATUS}[^\r\n]*")
INLINE = re.compile(r" (?:✓|≔|\(\?\)|✗ ⟦[^⟧\r\n]*⟧)")
_SPECIAL = re.compile(r"[\\`*_\[\]<>$|#~&{}^⟦⟧]|://|^(?:[-+]|\d+[.)])$")
_WORST: tuple[Status, ...] = ("refuted", "undecided", "definition", "verified")


def block_lines(claims: Sequence[Claim]) -> list[str]:
    """The lines below a displayed formula in Markdown, without `> `: one, or one for each row."""
    status = claims[0].status
    if len(claims) == 1:
        return [_block(claims[0], "")]
    if status in ("verified", "definition") and all(claim.status == status for claim in claims):
        return [f"{words.MARKS[status]} {status} ({len(claims)} formulas)"]
    return [
        f"- {_block(claim, f' ({number} of {len(claims)})')}"
        for number, claim in enumerate(claims, 1)
    ]


def _block(claim: Claim, which: str) -> str:
    mark = words.MARKS[claim.status]
    match claim.status:
        case "refuted":
            parts = _reasons(claim)
            return f"{mark} **refuted**{which}: {'; '.join(parts)}"
        case "undecided":
            reason = prose(words.sentence(claim.sentence))
            return f"{mark} undecided{which}" + (f": {reason}" if reason else "")
        case _:
            method = f" ({claim.method})" if claim.method else ""
            note = f": {prose(words.sentence(claim.sentence))}" if claim.sentence else ""
            return f"{mark} {claim.status}{which}{method}{note}"


def _reasons(claim: Claim) -> list[str]:
    if claim.consistent:
        return [_followed(claim, code(words.formula(claim.source)))]
    right = claim.suggestion or claim.derived
    parts = [prose(words.title(claim)), prose(words.sentence(claim.sentence)).removesuffix(".")]
    return [*filter(None, parts), *([f"write {code(words.formula(right))}"] if right else [])]


def _followed(claim: Claim, source: str) -> str:
    """From what a false formula follows: the formula itself, for marks move the lines."""
    lines = ", ".join(map(str, claim.follows_from))
    return f"follows correctly from {source or f'line {lines}'}, which is false"


def inline(claims: Sequence[Claim], in_table: bool) -> str:
    """Right behind a formula within a line of Markdown; the worst of its claims."""
    status = next(status for status in _WORST if any(c.status == status for c in claims))
    if status == "undecided":
        return " (?)"
    if status != "refuted":
        return f" {words.MARKS[status]}"
    false = [claim for claim in claims if claim.status == "refuted"]
    text = "; ".join(map(_inline, false)).replace("⟦", "[").replace("⟧", "]")
    return f" ✗ ⟦refuted: {text.replace('|', chr(92) + '|') if in_table else text}⟧"


def _inline(claim: Claim) -> str:
    right = claim.suggestion or claim.derived
    if claim.consistent:
        return _followed(claim, code(words.formula(claim.source)))
    title = prose(words.title(claim))
    return f"{title}, write {code(words.formula(right))}" if right else title


def comments(claims: Sequence[Claim]) -> list[str]:
    """The comment lines below a line of LaTeX; they compile whatever is loaded."""
    return [f"% {_comment(claim, len(claims) > 1)}" for claim in claims]


def _comment(claim: Claim, several: bool) -> str:
    which = f" ({shortened(flat(claim.latex), 60)})" if several and claim.latex else ""
    parts = []
    if claim.status == "refuted":
        right = claim.suggestion or claim.derived
        if claim.consistent:
            parts = [_followed(claim, words.formula(claim.source))]
        else:
            parts = [words.title(claim), words.sentence(claim.sentence).removesuffix(".")]
            parts.append(f"write {words.formula(right)}" if right else "")
    elif claim.status == "undecided":
        parts = [words.sentence(claim.sentence)]
    text = "; ".join(filter(None, parts))
    method = f" ({claim.method})" if claim.status == "verified" and claim.method else ""
    head = f"{words.MARKS[claim.status]} {claim.status}{method}{which}"
    return f"{head}: {text}" if text else head


def code(text: str) -> str:
    r"""A code span, whatever the text holds.

    >>> print(code("a`b"))
    `` a`b ``
    """
    if not text:
        return ""
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * (longest + 1)
    return f"{fence} {text} {fence}" if "`" in text else f"{fence}{text}{fence}"


def prose(text: str) -> str:
    r"""Plain words as they are; what Markdown could take for more becomes code.

    >>> print(prose(r"the factor \sigma'(z^2) is missing <b>"))
    the factor `\sigma'(z^2)` is missing `<b>`
    """
    written: list[str] = []
    special: list[str] = []
    for word in [*flat(text).split(" "), ""]:
        if word and _SPECIAL.search(word):
            special.append(word)
            continue
        if special:
            written.append(code(" ".join(special)))
            special = []
        written.append(word)
    return " ".join(written).rstrip()
