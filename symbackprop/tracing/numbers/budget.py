"""How much work one judgement may do, counted in steps: equal input gives equal output.

Owns: `Budget`, what was spent so far, and the one clock, which only guards. Refuses: what to
leave out where a share is used up; each search says that itself.
Would be wrong if a clock cut a search short: what is found would depend on what else is running.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field

GUARD_SECONDS = 60.0
READING = 20  # steps that a reading costs besides its own
COMPARED = 50  # steps that comparing one value with every tensor costs


class OutOfTime(Exception):
    """The guard struck: nothing is decided."""


@dataclass
class Budget:
    """Steps spent; `deadline` is when the guard strikes."""

    spent: int = 0
    deadline: float = field(default_factory=lambda: time.monotonic() + GUARD_SECONDS)

    def spend(self, steps: int) -> None:
        self.spent += steps
        self.check()

    def check(self) -> None:
        """Raises: OutOfTime once the guard's time is over."""
        if time.monotonic() > self.deadline:
            raise OutOfTime

    def share(self, steps: int) -> Share:
        return Share(self, self.spent + steps)

    @property
    def seconds_left(self) -> float:
        return max(self.deadline - time.monotonic(), 0.0)


@dataclass(frozen=True)
class Share:
    """The part of a budget that one search may use."""

    budget: Budget
    until: int

    @property
    def is_used_up(self) -> bool:
        return self.budget.spent >= self.until
