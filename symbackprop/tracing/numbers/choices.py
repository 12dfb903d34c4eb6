"""Conditions in the code on computed numbers and on sizes: the ways they come out.

Owns: which conditions and bounds are watched, and what would come out if one fell the other way;
`validity` says what hangs on them. Refuses: guards of arithmetic such as `np.clip(p, 1e-12, 1)`.
Would be wrong if a gradient that is cut off at 1 came out verified because none was that large.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

SMALL = 1e-4  # bounds nearer to 0 or 1 than this guard a logarithm or a quotient
FAR = 1000
LARGE = 20.0  # bounds beyond guard an exponential
BOUNDING = frozenset(("clip", "maximum", "minimum", "fmax", "fmin"))


@dataclass(frozen=True)
class Choice:
    """A condition, or a bound, and the ways it came out."""

    text: str
    name: str
    outcomes: frozenset[bool] = frozenset()

    def also(self, outcome: Any) -> Choice:
        values = np.asarray(outcome)
        seen = [
            flag for flag, is_met in ((True, values.any()), (False, not values.all())) if is_met
        ]
        return replace(self, outcomes=self.outcomes.union(seen))

    @property
    def said(self) -> str:
        """How it came out, where it did so in one way only."""
        (outcome,) = self.outcomes
        if not self.name:
            return f"{self.text} is {str(outcome).lower()}"
        if self.name == "clip":
            return f"{self.text} leaves {'all' if outcome else 'nothing'} as it is"
        return f"{self.text} takes the {'first' if outcome == ('max' in self.name) else 'second'}"


@dataclass(frozen=True)
class Sized:
    """A comparison of whole numbers, which may be sizes: the pairs that were compared."""

    text: str
    relation: Callable[[int, int], Any]
    outcomes: frozenset[bool] = frozenset()
    pairs: frozenset[tuple[int, int]] = frozenset()

    def also(self, left: int, right: int, outcome: bool) -> Sized:
        pair = (int(left), int(right))
        return replace(self, outcomes=self.outcomes | {outcome}, pairs=self.pairs | {pair})

    @property
    def gaps(self) -> frozenset[int]:
        """How far the two sides are apart; where it is the same at all sizes, no size decides."""
        return frozenset(left - right for left, right in self.pairs)

    @property
    def sides(self) -> tuple[frozenset[int], frozenset[int]]:
        left, right = zip(*self.pairs, strict=True)
        return frozenset(left), frozenset(right)

    @property
    def can_turn(self) -> bool:
        """Whether it can come out otherwise at all: a size is at least 1."""
        sides = self.sides
        fixed = [place for place in (0, 1) if len(sides[place]) == 1]
        if len(fixed) != 1:
            return True
        (number,) = sides[fixed[0]]
        others = [n for n in (1, number - 1, number, number + 1, number + FAR) if n >= 1]
        pairs = [(n, number) if fixed[0] else (number, n) for n in others]
        return any(bool(self.relation(*pair)) not in self.outcomes for pair in pairs)

    @property
    def said(self) -> str:
        (outcome,) = self.outcomes
        return f"{self.text} is {str(outcome).lower()}"


def is_count(*sides: Any) -> bool:
    """Whether all are whole numbers, not truths."""
    whole = (int, np.integer)
    return all(isinstance(s, whole) and not isinstance(s, (bool, np.bool_)) for s in sides)


def is_data(*sides: Any) -> bool:
    """Whether a comparison is one of computed numbers, not of sizes and settings."""
    return any(isinstance(s, (np.ndarray, np.floating)) and s.dtype.kind == "f" for s in sides)


def bounds_of(name: str, args: Sequence[Any], named: Mapping[str, Any]) -> tuple[Any, ...] | None:
    """What an array is held between, or the two of which one is taken; None for a guard."""
    if name == "clip" and args:
        low = args[1] if len(args) > 1 else named.get("a_min", named.get("min"))
        high = args[2] if len(args) > 2 else named.get("a_max", named.get("max"))
        between = _is_number(low) and _is_number(high) and 0 <= low <= SMALL
        is_share = between and 1 - SMALL <= high <= 1
        return None if is_share or (_guards(low) and _guards(high)) else (low, high)
    if name in BOUNDING and len(args) > 1 and not any(map(_guards, args[:2])):
        return tuple(args[:2])
    return None


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float, np.number))


def _guards(bound: Any) -> bool:
    if bound is None:
        return True
    if not _is_number(bound):
        return False
    size = abs(float(bound))
    return 0 < size <= SMALL or size >= LARGE or 0 < abs(1 - size) <= SMALL


def outcome_of(name: str, bounds: tuple[Any, ...], value: Any, found: Any) -> Any:
    """Where the first of two is taken; of bounds, where they leave a value as it is."""
    if name == "clip":
        return np.asarray(found) == np.asarray(value)
    return np.greater_equal(*bounds)


def turned_over(name: str, bounds: tuple[Any, ...], value: Any) -> Any:
    """What would come out if the choice fell the other way in every entry."""
    if name != "clip":
        return (np.minimum if "max" in name else np.maximum)(*bounds)
    low, high = bounds
    if low is None or high is None:
        return np.zeros_like(value) + (high if low is None else low)
    return np.where(np.asarray(value) > (low + high) / 2, high, low)
