"""The parts of a claim in words: what was claimed, where it differs, what is right.

Owns: the sentences that every printer shares. Refuses: layout and escaping.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from symbackprop.judging.printing.layout import flat, shortened
from symbackprop.judging.report import NETWORK, Claim, FileReport, Report, Status
from symbackprop.judging.slips import SLUGS, title_of

MARKS: dict[Status, str] = {"verified": "✓", "refuted": "✗", "definition": "≔", "undecided": "?"}
LONGEST = 400


def title(claim: Claim) -> str:
    """What is wrong, in a few words.

    >>> title(Claim("n.md", 1, 1, 3, "refuted", slip="sign"))
    'a sign'
    """
    if claim.consistent:
        return "follows from an earlier line that is false"
    if claim.slip:
        return title_of(claim.slip) if claim.slip in SLUGS else slug(claim)
    if claim.method == "shape":
        return "the shapes do not fit"
    if claim.method == "ill-formed":
        return "not well-formed"
    return "no known slip explains it"


def network(file: FileReport) -> str:
    """The network that a note states itself; "" where it was given."""
    said = file.settings.get(NETWORK)
    return f"network {said}" if said else ""


def formula(text: str) -> str:
    """A formula on one line, cut where it is very long."""
    return shortened(flat(text[: 4 * LONGEST]), LONGEST)


def slug(claim: Claim) -> str:
    return shortened(flat(claim.slip[:80]), 40)


def right(claim: Claim) -> str:
    """What is derived, unless the suggestion says it."""
    derived = formula(claim.derived)
    return "" if derived in formula(claim.suggestion) else derived


def sentence(text: str) -> str:
    return shortened(flat(text[: 16 * LONGEST]), 4 * LONGEST)


def claimed(claim: Claim) -> str:
    return formula(claim.claimed or claim.latex or claim.name)


def difference(claim: Claim) -> str:
    """Where the two sides differ: entry, values and sizes; the whole point is in the JSON report.

    >>> point = {"entry": [1, 2], "left": 0.25, "right": -0.25, "layer": {"l": 2}}
    >>> point["sizes"] = {"N": 3}
    >>> difference(Claim("n.md", 1, 1, 3, "refuted", counterexample=point))
    'entry (1, 2): left 0.25, right -0.25, where l = 2, N = 3'
    >>> difference(Claim("g.py", 1, 1, 3, "refuted", name="dW1", counterexample=point))
    'entry (1, 2): found 0.25, right -0.25, where l = 2, N = 3'
    """
    point = dict(claim.counterexample or {})
    names = ("found", "right") if claim.name else ("left", "right")
    sides = [point.get(side) for side in ("left", "right")]
    if any(side is None for side in sides):
        return ""
    is_shape = any(isinstance(side, list | tuple) for side in sides)
    told = ", ".join(
        f"{name} {'shape ' if is_shape else ''}{number(side)}"
        for name, side in zip(names, sides, strict=True)
    )
    entry = point.get("entry")
    where = f"entry {number(entry)}: " if isinstance(entry, list | tuple) and entry else ""
    letters = [point.get(key) for key in ("layer", "letters", "sizes")]
    at = ", ".join(pairs(found) for found in letters if isinstance(found, Mapping) and found)
    return shortened(where + told + (f", where {at}" if at else ""), LONGEST)


def number(value: Any) -> str:
    """
    >>> number(0.1 + 0.2), number((1, 2)), number(1e-9)
    ('0.3', '(1, 2)', '1e-09')
    """
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float | complex):
        return f"{value:.6g}"
    if isinstance(value, tuple | list):
        return f"({', '.join(map(number, value))})"
    return flat(str(value))


def pairs(values: Mapping[Any, Any]) -> str:
    """
    >>> pairs({"N": 3, "d0": 2})
    'N = 3, d0 = 2'
    """
    return ", ".join(f"{flat(str(key))} = {setting(value)}" for key, value in values.items())


def setting(value: Any) -> str:
    """One setting of a document as people read it.

    >>> setting({"h": "activation", "N": "samples"})
    'h = activation, N = samples'
    >>> setting(["a", "b"]), setting(True), setting(None)
    ('a, b', 'yes', 'not said')
    """
    if value is None or value == "":
        return "not said"
    if isinstance(value, Mapping):
        return pairs(value) or "none"
    if isinstance(value, list | tuple | set | frozenset):
        parts = sorted(map(str, value)) if isinstance(value, set | frozenset) else list(value)
        return ", ".join(map(setting, parts)) or "none"
    return number(value)


def further(claim: Claim) -> Iterator[str]:
    """The other explanations, each as one sentence."""
    for name, text, suggestion in claim.others:
        written = f"; write {formula(suggestion)}" if suggestion else ""
        yield f"{shortened(flat(name[:80]), 40)}: {sentence(text)}{written}"


def slips_counted(claims: Sequence[Claim]) -> dict[str, int]:
    """How often each slip was made, the most frequent first; followers of a false line left out."""
    found = [slug(claim) or "unexplained" for claim in claims if _is_slip(claim)]
    slugs = sorted(set(found), key=lambda name: (-found.count(name), name))
    return {name: found.count(name) for name in slugs}


def _is_slip(claim: Claim) -> bool:
    return claim.status == "refuted" and not claim.consistent


def counts(report: Report, roots: int) -> str:
    """
    >>> counts(Report(()), 0)
    '0 verified, 0 refuted, 0 definitions, 0 undecided'
    """
    found = report.summary
    causes = ""
    if roots != found["refuted"]:
        causes = f" ({roots} root {'cause' if roots == 1 else 'causes'})"
    definitions = "definition" if found["definition"] == 1 else "definitions"
    return (
        f"{found['verified']} verified, {found['refuted']} refuted{causes}, "
        f"{found['definition']} {definitions}, {found['undecided']} undecided"
    )
