"""The three outcomes of a comparison: equal, unequal, undecided.

Owns: the records. Refuses: deciding anything. Wrong if an exception, or a failure to find a
proof, were ever recorded as `Unequal`: that outcome needs a witness.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Method = Literal["proved", "exact", "numeric"]


@dataclass(frozen=True)
class Witness:
    """Where two sides differ, enough to recompute: sizes, given values, the entry, both sides.

    `values` holds nested lists of floats by tensor name. For a clash of shapes `left` and `right`
    are the shapes at these sizes, and `entry` is empty.
    """

    sizes: Mapping[str, int]
    values: Mapping[str, Any] = field(default_factory=dict)
    entry: tuple[int, ...] = ()
    left: Any = None
    right: Any = None


@dataclass(frozen=True)
class Equal:
    """Equal: `proved` for all sizes, `exact` at stated sizes, or `numeric` with a bound.

    `facts` are the declared facts that the proof used; `detail` gives sizes or the bound.
    """

    method: Method
    facts: tuple[str, ...] = ()
    detail: str = ""


@dataclass(frozen=True)
class Unequal:
    """Different, shown by a witness."""

    witness: Witness
    reason: str


@dataclass(frozen=True)
class Undecided:
    """Neither shown; `reason` says why."""

    reason: str


Verdict = Equal | Unequal | Undecided
