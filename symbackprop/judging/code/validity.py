"""For which arguments and inputs a claim holds that came out right, or wrong, at the points.

Owns: the values at which arguments with a default are tried, numbers and switches; the conditions
that came out one way at every point; what is said of a claim that hangs on either.
Refuses: arguments whose meaning the network gives, and those without a default.
Would be wrong if a claim were called verified that holds at a default of 0 or 1 only, or refuted
where the loss of the network says nothing of a term that an argument switches off.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from symbackprop.judging.code.marks import Mark, Reading, Session, Site, same_finding, twin
from symbackprop.judging.code.naming import RATES, is_penalty
from symbackprop.judging.code.truth import AT_SAMPLES
from symbackprop.judging.report import Claim
from symbackprop.networks import names
from symbackprop.tracing.numbers.choices import Choice, Sized
from symbackprop.tracing.numbers.reading import MOST_CHOICES, Reader

MOST = 8
MOST_SAMPLES = 40
PROBE = 7 * AT_SAMPLES  # where the number of samples is another, and no other size
STEP = 1e-5
NEAR = 1e-4  # how far a difference quotient may be off
SMALL = 1e-4  # a default below is a guard, such as 1e-8 in log(p + eps), and stays small
Values = Mapping[str, Any]


def open_arguments(session: Session) -> dict[str, Any]:
    """Arguments that keep a default, numbers and switches, by name; constants of the module that
    are called as the strength of a penalty."""
    closure = Reader(session.module, budget=session.budget).closure_of(session.function)
    given = set(replace(session, given={}).arguments(0))
    rates = {name for name in given if name.lower().strip("_") in RATES}
    found = {n: v for n, v in closure.defaults.items() if n not in given - rates}
    found |= {n: v for n, v in session.constants.items() if is_penalty(n) and n not in given}
    return {n: v for n, v in list(found.items())[:MOST] if isinstance(v, (bool, int, float))}


def _is_switch(value: Any) -> bool:
    return isinstance(value, bool)


def generic(session: Session, defaults: Values) -> dict[str, Any]:
    """A value for each number that is nobody's own; none where the code takes no other."""
    found: dict[str, Any] = {}
    for place, (name, default) in enumerate(defaults.items()):
        if _is_switch(default):
            continue
        for value in _others(default, 0.37 + 0.11 * place):
            reading = replace(session, given={**session.given, name: value}).read(session.point)
            if reading.trail.fault is None:
                found[name] = value
                break
    return found


def _others(default: Any, number: float) -> Iterator[Any]:
    yield default * 2.75 if 0 < abs(default) < SMALL else number
    if isinstance(default, int):
        yield default + 2


@dataclass(frozen=True)
class Defaults:
    """What a function's marks are at other values of its arguments than those of `session`.

    `numbers`: the generic ones; `switches`: those turned over."""

    session: Session
    defaults: Values
    numbers: Values
    base: Reading

    @staticmethod
    def of(session: Session, base: Reading) -> Defaults:
        defaults = open_arguments(session)
        return Defaults(session, defaults, generic(session, defaults), base)

    @property
    def here(self) -> Values:
        """The values that the judgement stands on."""
        given = self.session.arguments(0)
        return {name: given.get(name, default) for name, default in self.defaults.items()}

    @property
    def free(self) -> frozenset[str]:
        """Numbers of which a proof may leave the value open; a rate is one that it knows."""
        return frozenset(self.numbers) - set(replace(self.session, given={}).arguments(0))

    def _at(self, values: Values) -> Reading:
        return replace(self.session, given={**self.session.given, **values}).read(
            self.session.point
        )

    @cached_property
    def _generic(self) -> Reading:
        return self._at(self.numbers)

    @cached_property
    def _single(self) -> dict[str, Reading]:
        """Each alone at another value."""
        switches = {n: not v for n, v in self.here.items() if _is_switch(v)}
        return {n: self._at({n: v}) for n, v in {**self.numbers, **switches}.items()}

    @cached_property
    def _special(self) -> list[tuple[Values, Reading]]:
        """Values at which a term may vanish, or a factor."""
        tried = [dict.fromkeys(self.numbers, number) for number in (0, 1)]
        tried.append({name: self.defaults[name] for name in self.numbers})
        return [(values, self._at(values)) for values in tried]

    def judged(self, claim: Claim, mark: Mark) -> Claim:
        """The claim, or for which values of the arguments it holds."""
        if not self.defaults:
            return claim
        if claim.status == "verified":
            return self._held(claim, mark)
        if claim.status == "refuted" and self.numbers and not _is_right(self._generic, mark):
            for values, reading in self._special:
                if _is_right(reading, mark):
                    names = self._deciding(mark, reading)
                    said = f"holds for {_shown(values, names)}, not for {_shown(self.here, names)}"
                    return _undecided(claim, f"{said}; the loss of the network decides neither")
        return claim

    def _held(self, claim: Claim, mark: Mark) -> Claim:
        names = self._deciding(mark, self.base)
        numbers = [name for name in names if name in self.numbers]
        if not _is_same(self._generic, mark):
            names_ = numbers or list(self.numbers)
            said = f"holds for {_shown(self.here, names_)}, not for {_shown(self.numbers, names_)}"
            own = self._against_own_loss(mark)
            if own is not None:
                said += "; there it is not the gradient of the loss that is returned, either"
                shown = {"sizes": dict(self.base.truth.sizes), "entry": [], **own}
                refuted = replace(_undecided(claim, said), status="refuted", method="numeric")
                return replace(refuted, counterexample=shown)
            return _undecided(claim, said)
        if not names:
            return claim
        said = f"for {_shown(self.here, names)}"
        return replace(claim, sentence=f"{claim.sentence}; {said}" if claim.sentence else said)

    def _against_own_loss(self, mark: Mark) -> dict[str, float] | None:
        """How the returned loss changes along one direction of a parameter, and how a gradient
        says that it does, at generic numbers; None where they agree, or that cannot be told.

        Of use where the loss has a penalty that the network does not have: then the gradient has
        to be that of the loss which is returned."""
        is_gradient = mark.returned and names.bare(mark.meaning or "-")[0] in "Wb"
        there = twin(self._generic, mark) if is_gradient else None
        if there is None or there.unknown is not None or not self._has_own_loss or not there.fits:
            return None
        way = np.cos(np.arange(np.size(there.value))).reshape(np.shape(there.value))
        ends = []
        for step in (STEP, -STEP):
            moved = {names.bare(str(mark.meaning)): step * way}
            reading = replace(self, session=replace(self.session, moved=moved))._at(self.numbers)
            if reading.loss is None or reading.loss.unknown is not None:
                return None
            ends.append(float(reading.loss.value))
        right, left = (ends[0] - ends[1]) / (2 * STEP), float(np.sum(there.value * way))
        is_near = abs(left - right) <= NEAR * max(abs(left), abs(right), NEAR)
        return None if is_near else {"left": left, "right": right}

    @property
    def _has_own_loss(self) -> bool:
        """Whether the loss of the network is returned, and another one at generic numbers."""
        here, there = self.base.loss, self._generic.loss
        is_known = here is not None and there is not None and here.ok and there.unknown is None
        return is_known and not same_finding(here, there)  # type: ignore[arg-type]

    def _deciding(self, mark: Mark, base: Reading) -> list[str]:
        """The arguments on which it hangs whether a mark is what it is."""
        own = twin(base, mark)
        if own is None:
            return list(self.numbers)
        return [name for name, reading in self._single.items() if not _is_same(reading, own)]


@dataclass(frozen=True)
class Untried:
    """Conditions that came out one way at each of so many points, and what hangs on them: what
    comes out otherwise where one is turned over."""

    session: Session
    base: Reading

    @cached_property
    def _turned(self) -> list[tuple[Choice, Reading]]:
        found = dict(self.base.trail.choices)
        if all(len(choice.outcomes) > 1 for choice in found.values()):
            return []
        for number in (0, *self.session.numbers):
            for site, choice in self.session.read(number, brief=True).trail.choices.items():
                known = found.get(site, choice)
                found[site] = replace(known, outcomes=known.outcomes | choice.outcomes)
        return [
            (choice, self.session.read(self.session.point, turned=frozenset((site,))))
            for site, choice in found.items()
            if len(choice.outcomes) == 1
        ]

    @cached_property
    def _sized(self) -> list[tuple[Sized, Reading]]:
        if all(len(known.outcomes) > 1 for known in self.base.trail.sized.values()):
            return []
        numbers = (self.session.point, 0, *self.session.numbers, PROBE)
        readings = [self.session.read(n, brief=True) for n in dict.fromkeys(numbers)]
        return [
            (known, self.session.read(self.session.point, turned=frozenset((site,))))
            for site, known in sized(readings).items()
        ]

    def behind(self, mark: Mark) -> str:
        """Why a value that is right at points may not be so elsewhere; empty where it is."""
        if len(self.base.trail.choices) >= MOST_CHOICES:
            return f"more than {MOST_CHOICES} conditions, of which not all were tried"
        for choice, reading in self._turned:
            other = twin(reading, mark)
            if other is None or other.unknown is not None or same_finding(other, mark):
                continue
            return f"{choice.said} at every point that was tried, and this hangs on it"
        for known, reading in self._sized:
            other = twin(reading, mark)
            if other is None or other.unknown is not None or not same_finding(other, mark):
                return f"{known.said} at all sizes that were tried, and this hangs on it"
        return ""


def sized(readings: Sequence[Reading]) -> dict[Site, Sized]:
    """Comparisons of sizes that came out one way at all these points, by their place: those whose
    sides are not always equally far apart."""
    found: dict[Site, list[Sized]] = {}
    for reading in readings:
        for site, known in reading.trail.sized.items():
            found.setdefault(site, []).append(known)
    made: dict[Site, Sized] = {}
    for site, all_ in found.items():
        outcomes = frozenset().union(*(known.outcomes for known in all_))
        if len(outcomes) == 1 and len({known.gaps for known in all_}) > 1:
            pairs = frozenset().union(*(known.pairs for known in all_))
            known = Sized(all_[0].text, all_[0].relation, outcomes, pairs)
            made |= {site: known} if known.can_turn else {}
    return made


def singled(session: Session, readings: Sequence[Reading]) -> tuple[int, ...]:
    """Points with so many samples that a comparison of sizes comes out the other way."""
    found: dict[int, None] = {}
    if not any(len(known.outcomes) == 1 for r in readings for known in r.trail.sized.values()):
        return ()
    probed = [*readings, session.read(PROBE, brief=True)]
    for site, known in list(sized(probed).items())[:MOST]:
        for count in _counts(known):
            number = count * AT_SAMPLES
            there = session.read(number, brief=True).trail.sized.get(site)
            if there is not None and there.outcomes - known.outcomes:
                found[number] = None
                break
    return tuple(found)


def _counts(known: Sized) -> list[int]:
    """Numbers of samples at which the two sides may be equal, or just not."""
    fixed = [values for values in known.sides if len(values) == 1] or known.sides
    near = [n + step for values in fixed for step in (0, 1, -1) for n in sorted(values)]
    return [n for n in dict.fromkeys(near) if 1 <= n <= MOST_SAMPLES][:MOST]


def _undecided(claim: Claim, said: str) -> Claim:
    return replace(
        claim,
        status="undecided",
        method="",
        facts=(),
        counterexample=None,
        slip="",
        suggestion="",
        patch="",
        others=(),
        sentence=said,
    )


def _shown(values: Values, names: list[str]) -> str:
    return " and ".join(
        f"{name} = {values[name]:g}" if not _is_switch(values[name]) else f"{name} = {values[name]}"
        for name in names
    )


def _is_same(reading: Reading, mark: Mark) -> bool:
    other = twin(reading, mark)
    return other is not None and same_finding(other, mark)


def _is_right(reading: Reading, mark: Mark) -> bool:
    other = twin(reading, mark)
    return other is not None and other.ok
