"""Which false lines are slips of their own, and which only follow from them.

Owns: the grouping of a file's claims. Refuses: judging; the claims say what follows from what.
Wrong if a refuted claim belonged to no group.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from symbackprop.judging.printing.layout import listed
from symbackprop.judging.report import Claim


@dataclass(frozen=True)
class Cause:
    """One slip: the claim where it is shown, `again` the others that have it, `followers` the
    false lines that follow correctly from it."""

    claim: Claim
    again: tuple[Claim, ...] = ()
    followers: tuple[Claim, ...] = ()

    @property
    def lines(self) -> tuple[int, ...]:
        return tuple(claim.line for claim in (self.claim, *self.again))


def causes(claims: Sequence[Claim]) -> tuple[Cause, ...]:
    """The causes among the claims of one file, in its order.

    A false line that follows from no earlier false line of the same file is a cause of its own.
    """
    homes: dict[int, list[int]] = defaultdict(list)  # line → numbers of the causes found in it
    again: dict[int, list[Claim]] = defaultdict(list)
    followers: dict[int, list[Claim]] = defaultdict(list)
    first: dict[int, Claim] = {}
    for number, claim in enumerate(claim for claim in claims if claim.status == "refuted"):
        earlier, group = _earlier(claim, homes), followers if claim.consistent else again
        for home in earlier:
            group[home].append(claim)
        if not earlier:
            first[number] = claim
        homes[claim.line] += earlier or [number]
    return tuple(
        Cause(claim, tuple(again[number]), tuple(followers[number]))
        for number, claim in first.items()
    )


def _earlier(claim: Claim, homes: dict[int, list[int]]) -> list[int]:
    """The causes that a claim belongs to, once each."""
    if claim.consistent:
        return list(dict.fromkeys(home for line in claim.follows_from for home in homes[line]))
    return [] if claim.same_as is None else homes[claim.same_as][:1]


def in_lines(claims: Sequence[Claim]) -> str:
    """Where they stand: `line 4`, or `lines 4, 9 and 12`; many are shortened."""
    lines = [str(line) for line in dict.fromkeys(claim.line for claim in claims)]
    if len(lines) == 1:
        return f"line {lines[0]}"
    if len(lines) > 24:
        return f"lines {', '.join(lines[:20])} and {len(lines) - 20} more"
    return f"lines {listed(lines)}"
