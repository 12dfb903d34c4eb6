"""How well the judge of code judges: 30 right functions and single slips of them.

Owns: `measure`, which counts. Each slip of `data/backward/slips.toml` changes one place of a right
function; it is found where a claim is refuted at its line (or its `spot` is there), and named where
its kind is among the first two explanations. A right claim of a right function that is refuted is a
wrong refutation, as is one of a slip's that stands before the slip and does not lead to it.
"""

from __future__ import annotations

import time
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from symbackprop.judging.code.judge import judge_code
from symbackprop.judging.report import Claim, FileReport
from symbackprop.networks import file as spec
from symbackprop.networks.layers.multilayer import Built, build
from tests.places import DATA

BACKWARD = DATA / "backward"


@dataclass(frozen=True)
class Sample:
    """One slip: `line` is where it is in the changed text."""

    file: str
    line: int
    old: str
    new: str
    kind: str

    @property
    def source(self) -> str:
        return right(self.file).replace(self.old, self.new, 1)


def right(name: str) -> str:
    return (BACKWARD / "right" / f"{name}.py").read_text()


def names() -> list[str]:
    return sorted(path.stem for path in (BACKWARD / "right").glob("*.py"))


def slips() -> list[Sample]:
    with (BACKWARD / "slips.toml").open("rb") as stream:
        return [Sample(**entry) for entry in tomllib.load(stream)["slip"]]


def networks(source: str) -> tuple[Built, Built]:
    """The network in the `#:` comments of a file, for a batch and for one sample."""
    text = "\n".join(line[2:] for line in source.splitlines() if line.startswith("#:"))
    architecture = spec.loads(text, "network.toml").architecture
    return build(architecture), build(architecture, one_sample=True)


def judged(name: str, source: str) -> FileReport:
    return judge_code(source, "backward", f"{name}.py", *networks(source))


def refuted(report: FileReport) -> list[Claim]:
    return [c for c in report.claims if c.status == "refuted" and not c.consistent]


def at_line(report: FileReport, line: int) -> Claim | None:
    """The root that is blamed on this line."""
    for claim in refuted(report):
        if claim.line == line or (claim.spot is not None and claim.spot[0] == line):
            return claim
    return None


def slugs(claim: Claim) -> list[str]:
    return [claim.slip, *(slug for slug, _, _ in claim.others)]


def mended(claim: Claim, sample: Sample) -> bool:
    """Whether the suggestion is the text before the slip."""
    lines = right(sample.file).splitlines()
    return claim.suggestion == lines[sample.line - 1].strip()


def measure() -> dict[str, Any]:
    """Counts, seconds, and what falls short as texts."""
    short: list[str] = []
    found: dict[str, Any] = {"right": 0, "verified": 0, "proved": 0, "wrong refutations": 0}
    times: list[float] = []
    for name, report, seconds in _judged_right():
        times.append(seconds)
        found["right"] += 1
        states = {claim.status for claim in report.claims}
        methods = {claim.method for claim in report.claims}
        found["verified"] += states == {"verified"}
        found["proved"] += states == {"verified"} and methods == {"proved"}
        found["wrong refutations"] += sum(c.status == "refuted" for c in report.claims)
        if states != {"verified"} or methods != {"proved"}:
            short.append(f"{name}: {sorted(states)} {sorted(methods)} {report.problem}")
    found["slowest right"] = round(max(times), 2)
    found |= _measured_slips(short) | _measured_mechanical(short)
    return found | {"short": short}


def _judged_right() -> Iterator[tuple[str, FileReport, float]]:
    for name in names():
        started = time.perf_counter()
        report = judged(name, right(name))
        yield name, report, time.perf_counter() - started


def _measured_slips(short: list[str]) -> dict[str, Any]:
    counts = {"slips": 0, "right line": 0, "one root": 0, "slip first": 0, "slip in two": 0}
    counts |= {"explained": 0, "as it was": 0}
    times: list[float] = []
    for sample in slips():
        started = time.perf_counter()
        report = judged(sample.file, sample.source)
        times.append(time.perf_counter() - started)
        claim = at_line(report, sample.line)
        counts["slips"] += 1
        said = f"{sample.file}:{sample.line} {sample.kind}: {sample.new}"
        if claim is None:
            lines = [(c.line, c.name, c.slip) for c in refuted(report)]
            short.append(f"{said}: not refuted there, but {lines} {report.problem}")
            continue
        counts["right line"] += 1
        counts["one root"] += len({c.line for c in refuted(report)}) == 1
        counts["explained"] += bool(claim.slip)
        counts["slip first"] += claim.slip == sample.kind
        counts["slip in two"] += sample.kind in slugs(claim)[:2]
        counts["as it was"] += mended(claim, sample)
        if sample.kind not in slugs(claim)[:2]:
            short.append(f"{said}: called {slugs(claim)[:3]}, {claim.suggestion!r}")
    return counts | {
        "slowest slip": round(max(times), 2),
        "mean slip": round(sum(times) / len(times), 2),
    }


def _measured_mechanical(short: list[str], count: int = 40, seed: int = 2) -> dict[str, int]:
    """Edits whose ground truth is a run of the changed file, not the corpus."""
    from tests import backward_slips as mechanical

    counts = dict.fromkeys(
        ("mechanical", "of these refuted", "at the line", "in two", "wholly verified"), 0
    )
    for slip in mechanical.slips(count, seed):
        report = judged(slip.file, slip.source)
        claim = at_line(report, slip.line)
        named = claim is not None and bool(set(slugs(claim)[:2]) & slip.slugs)
        counts["mechanical"] += 1
        counts["of these refuted"] += bool(refuted(report))
        counts["at the line"] += claim is not None
        counts["in two"] += named
        counts["wholly verified"] += {c.status for c in report.claims} == {"verified"}
        if not named:
            called = slugs(claim)[:3] if claim is not None else "nothing there"
            short.append(f"{slip.file}:{slip.line} {slip.edit}: {slip.new}: called {called}")
    counts |= {"rewrites": 0, "rewrites refuted": 0, "rewrites wholly verified": 0}
    for rewrite in mechanical.rewrites(count, seed):
        states = {c.status for c in judged(rewrite.file, rewrite.source).claims}
        counts["rewrites"] += 1
        counts["rewrites refuted"] += "refuted" in states
        counts["rewrites wholly verified"] += states == {"verified"}
    return counts


if __name__ == "__main__":
    for key, value in measure().items():
        print(f"{key}: {value}" if key != "short" else "\n".join(["falls short:", *value]))
