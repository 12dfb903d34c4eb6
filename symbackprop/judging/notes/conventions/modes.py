"""One sample or a batch: which of the two each formula of a note speaks of.

Owns: `cheapest`, the way through a note that costs least, and what the prose says of it. Refuses:
judging. Would be wrong if the mode followed each line to please it: a missing sum over the samples
is a slip, so a switch costs more than one false line, unless a heading or the prose announces it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from symbackprop.reading.notes.passages import Passage

SWITCH, AT_HEADING, TOLD = 2.0, 0.6, 0.3


def cheapest(costs: Sequence[Mapping[str, float]], passages: Sequence[Passage]) -> list[str]:
    """The mode of each formula. `costs` has for each the cost of each mode, at least one formula;
    `passages` say where a switch is cheap."""
    total = dict(costs[0])
    back: list[dict[str, str]] = []
    for number in range(1, len(costs)):
        step: dict[str, str] = {}
        after: dict[str, float] = {}
        for mode, cost in costs[number].items():
            switch = _switch(mode, passages[number - 1], passages[number])
            best = min(total, key=lambda m: total[m] + (0 if m == mode else switch))
            step[mode] = best
            after[mode] = total[best] + (0 if best == mode else switch) + cost
        total = after
        back.append(step)
    modes = [min(total, key=lambda m: total[m])]
    for step in reversed(back):
        modes.append(step[modes[-1]])
    return modes[::-1]


def _switch(mode: str, before: Passage, passage: Passage) -> float:
    """What it costs to go over to a mode here."""
    if mode == told_mode(passage.before):
        return TOLD
    return AT_HEADING if passage.section != before.section else SWITCH


_ONE_SAMPLE = (
    r"\b(?:for (?:only |just )?(?:one|a|a single)|(?:of|with) (?:one|a single)) (?:training )?"
    r"(?:sample|example|observation|data ?point)\b"
)
_MANY_SAMPLES = (
    r"\b(?:a|the|this|whole|full|mini-?) ?batch\b"
    r"|\b(?:all|several|many) (?:of )?(?:the )?(?:training )?(?:samples|examples|observations)\b"
)


def told_mode(prose: str) -> str:
    """What the prose before a formula says last of one sample or several; "" for nothing."""
    places = {
        mode: max((m.start() for m in re.finditer(words, prose, re.IGNORECASE)), default=-1)
        for mode, words in (("one", _ONE_SAMPLE), ("batch", _MANY_SAMPLES))
    }
    best = max(places, key=lambda m: places[m])
    return best if places[best] >= 0 else ""
