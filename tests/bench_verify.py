"""How well hand derivations are judged: `make bench-verify`.

Owns: the figures with their goals: slips refuted and explained, rewritings and right notes not
refuted, carried slips told apart from their cause, what stays undecided, and time.
Uses the public interface only. `--sample K` judges K drawn cases of each kind, `--jobs J` works in
J processes. The draw depends on nothing but K.
"""

from __future__ import annotations

import argparse
import random
import re
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import symbackprop as sbp
from symbackprop.judging.report import Claim, Report
from tests.bench_verify_code import measure
from tests.carried import Derivation, derivations
from tests.places import DATA
from tests.rewrites import rewrites
from tests.slips import NOTES, SLUGS, Slip, chosen, slipped_text

MAP = DATA / "four_layer_map.toml"
WRONG = {31, 32, 33, 34, 35, 36, 60, 61, 79, 80, 103, 104}
Case = TypeVar("Case")
Result = TypeVar("Result")


def main() -> None:
    parser = argparse.ArgumentParser(description="How well hand derivations are judged.")
    parser.add_argument("--sample", type=int, default=0, help="cases of each kind; all by default")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--only", default="", help="names of parts, with commas between")
    parser.add_argument("--verbose", action="store_true", help="print each case that fails")
    options = parser.parse_args()
    bench = Bench(options.sample, options.jobs, options.verbose)
    parts: dict[str, Callable[[Bench], None]] = {
        "notes": right_notes,
        "slips": slips,
        "rewrites": equivalents,
        "carried": carried,
        "seed": seed,
        "length": length,
        "code": code,
    }
    for name, part in parts.items():
        if not options.only or name in options.only.split(","):
            part(bench)


@dataclass(frozen=True)
class Bench:
    sample: int
    jobs: int
    verbose: bool

    def run(self, judge: Callable[[Case], Result], cases: Sequence[Case]) -> list[Result]:
        """Each case judged, in their order, or a sample of them."""
        if 0 < self.sample < len(cases):
            drawn = random.Random(self.sample).sample(range(len(cases)), self.sample)
            cases = [cases[number] for number in sorted(drawn)]
        if self.jobs == 1:
            return [judge(case) for case in cases]
        with ProcessPoolExecutor(self.jobs) as pool:
            return list(pool.map(judge, cases, chunksize=4))

    def failed(self, results: Sequence[Outcome]) -> None:
        """Prints what fell short; of unseen notes only how often, so that they stay unseen."""
        troubled = [result for result in results if result.trouble]
        if self.verbose:
            for result in troubled:
                if not result.unseen:
                    print(f"    {result.trouble}")
            print(f"    and in unseen notes: {sum(result.unseen for result in troubled)}")


@dataclass(frozen=True)
class Outcome:
    """What one case gave: `good` and `better` as its figure defines them, counts, and a note."""

    good: bool
    better: bool = False
    claims: int = 0
    undecided: int = 0
    unseen: bool = False
    trouble: str = ""


def shown(what: str, found: float, goal: float, unit: str, at_least: bool = True) -> None:
    holds = found >= goal if at_least else found <= goal
    relation = "at least" if at_least else "at most"
    verdict = "holds" if holds else "falls short"
    print(f"  {what:52} {found:8.2f} {unit:5} (goal: {relation} {goal:g})  {verdict}", flush=True)


def percent(part: int, whole: int) -> float:
    return 100 * part / whole if whole else 0.0


def judged(text: str, suffix: str = ".md", net: str | None = None) -> Report:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"note{suffix}"
        path.write_text(text, encoding="utf-8")
        return sbp.verify(str(path), sbp.load(net) if net else None)


def at_line(claims: Sequence[Claim], line: int) -> list[Claim]:
    """The claims that begin in this line, or else the nearest before it within the same one."""
    here = [claim for claim in claims if claim.line == line]
    return here or [c for c in claims if c.line <= line <= max(c.end_line, c.line)]


# ---- right notes


def right_notes(bench: Bench) -> None:
    print("right notes")
    paths = sorted(p for p in NOTES.rglob("*") if p.suffix in (".md", ".tex"))
    results = [_right_note(path) for path in paths]
    refuted = sum(not result.good for result in results)
    shown("notes with a refuted equation", refuted, 0, "", at_least=False)
    for unseen, goal in ((False, 5.0), (True, 20.0)):
        those = [result for result in results if result.unseen is unseen]
        part = percent(sum(r.undecided for r in those), sum(r.claims for r in those))
        shown(f"undecided, {'unseen' if unseen else 'known'} styles", part, goal, "%", False)
    bench.failed(results)


def _right_note(path: Path) -> Outcome:
    with path.with_suffix(".labels.toml").open("rb") as file:
        labels = tomllib.load(file)["formula"]
    claims = sbp.verify(str(path)).claims
    refuted = [claim for claim in claims if claim.status == "refuted"]
    open_ = [
        label["line"]
        for label in labels
        if all(c.status == "undecided" for c in at_line(claims, label["line"]))
        or any(c.status == "undecided" for c in claims if c.line == label["line"])
    ]
    trouble = [f"{c.line} refuted {c.cause}" for c in refuted]
    trouble += [f"{line} undecided" for line in open_]
    return Outcome(
        not refuted,
        claims=len(labels),
        undecided=len(open_),
        unseen=path.parent.name == "unseen",
        trouble=f"{path.name}: {'; '.join(trouble)}" if trouble else "",
    )


# ---- slips


def slips(bench: Bench) -> None:
    print("slips, one in each note")
    results = bench.run(_slip, chosen())
    refuted = sum(result.good for result in results)
    shown("refuted", percent(refuted, len(results)), 99, "%")
    shown(
        "the slip among the first two suggestions", percent(_better(results), len(results)), 85, "%"
    )
    bench.failed(results)


def _better(results: Sequence[Outcome]) -> int:
    return sum(result.better for result in results)


def _slip(slip: Slip) -> Outcome:
    claims = judged(slipped_text(slip), Path(slip.note).suffix).claims
    rows = range(slip.line, slip.line + slip.slipped.count("\n") + 1)  # of an alignment
    here = [claim for claim in claims if claim.line in rows]
    found = [claim for claim in here if claim.status == "refuted"]
    explained = any(_explained(slip, claim) for claim in found)
    statuses = ", ".join(f"{claim.status} {claim.cause}" for claim in here) or "no claim"
    said = "; ".join(f"{claim.cause} [{claim.suggestion}]" for claim in found)
    where = f"{slip.note}:{slip.line} {slip.kind}: {slip.slipped!r}"
    trouble = "" if found and explained else f"{where}: {said or statuses}"
    return Outcome(bool(found), explained, unseen=_is_unseen(slip.note), trouble=trouble)


def _is_unseen(note: str) -> bool:
    return note.startswith("unseen/")


def _explained(slip: Slip, claim: Claim) -> bool:
    """Whether one of the first two explanations names this kind or restores the formula."""
    offered = [(claim.slip, claim.suggestion)]
    offered += [(slug, suggestion) for slug, _, suggestion in claim.others[:1]]
    return any(
        slug in SLUGS[slip.kind] or _restores(suggestion, slip.original)
        for slug, suggestion in offered
    )


def _restores(suggestion: str, original: str) -> bool:
    return bool(suggestion) and _plain(suggestion) == _plain(original)


def _plain(latex: str) -> str:
    """Without spaces, sizes of brackets, alignment and braces around one sign."""
    latex = re.sub(r"\\(?:left|right|big[lrg]?|,|;|!|quad|qquad)(?![a-zA-Z])|&|\\\\|\s", "", latex)
    latex = re.sub(r"\{(\\?\w)\}", r"\1", latex)
    return latex.rstrip(".,")


# ---- rewritings


def equivalents(bench: Bench) -> None:
    print("right equations, rewritten")
    results = bench.run(_rewrite, list(rewrites()))
    shown("notes refuted", sum(not result.good for result in results), 0, "", at_least=False)
    undecided = sum(result.undecided for result in results)
    print(f"  rewritten formulas left undecided: {undecided} of {len(results)}")
    bench.failed(results)


def _rewrite(case: tuple[str, str, int, str]) -> Outcome:
    note, text, line, kind = case
    claims = judged(text, Path(note).suffix).claims
    refuted = [claim for claim in claims if claim.status == "refuted"]
    open_ = any(claim.status == "undecided" for claim in at_line(claims, line))
    said = "; ".join(f"{claim.line} {claim.cause} [{claim.latex}]" for claim in refuted)
    undecided = "undecided " + "".join(claim.latex for claim in at_line(claims, line))
    trouble = f"{note}:{line} {kind}: {said or undecided}" if refuted or open_ else ""
    unseen = _is_unseen(note)
    return Outcome(not refuted, undecided=int(open_), unseen=unseen, trouble=trouble)


# ---- slips carried on


def carried(bench: Bench) -> None:
    print("derivations with one early slip carried on")
    results = bench.run(_carried, list(derivations()))
    good = sum(result.good for result in results)
    shown("one cause, the rest consistent", percent(good, len(results)), 95, "%")
    bench.failed(results)


def _carried(derivation: Derivation) -> Outcome:
    claims = judged(derivation.text).claims
    roots = [c.line for c in claims if c.status == "refuted" and not c.consistent]
    followers = {c.line for c in claims if c.status == "refuted" and c.consistent}
    good = roots == [derivation.slip] and followers == set(derivation.carried)
    trouble = f"{derivation.name}: slip {derivation.slip}, carried {derivation.carried}"
    trouble += f"; found causes {roots}, consistent {sorted(followers)}"
    return Outcome(good, trouble="" if good else trouble)


# ---- the text that four-layer comes from

_SAID = {
    16: "Let the second class be the true one.",
    17: "For any one-hot vector of labels:",
    102: "## Three samples at once",
}


def seed_text() -> str:
    """Its formulas at their lines, blank lines between; formulas of lists are inline there."""
    with MAP.open("rb") as file:
        entries = tomllib.load(file)["formula"]
    taken = {entry["line"] for entry in entries}
    lines = [""] * (max(taken) + 1)
    for entry in entries:
        number = entry["line"] - 1
        if {entry["line"] - 1, entry["line"] + 1} & taken:
            lines[number] = f"- ${entry['seed']}$"
        else:
            lines[number - 1 : number + 2] = ["$$", entry["seed"], "$$"]
        if entry["ordinal"] in _SAID:
            lines[number - 3] = _SAID[entry["ordinal"]]
    return "\n".join(lines) + "\n"


def seed(bench: Bench) -> None:
    print("the text that the example four-layer comes from")
    with MAP.open("rb") as file:
        entries = tomllib.load(file)["formula"]
    claims = judged(seed_text(), net="four-layer").claims
    right = [entry for entry in entries if entry["verdict"] == "right"]
    wrong = [entry for entry in entries if entry["ordinal"] in WRONG]
    state = {entry["ordinal"]: at_line(claims, entry["line"]) for entry in entries}
    unread = [n for n, found in state.items() if any(c.status == "undecided" for c in found)]
    blamed = [
        e["ordinal"] for e in right if any(c.status == "refuted" for c in state[e["ordinal"]])
    ]
    missed = [
        e["ordinal"] for e in wrong if all(c.status != "refuted" for c in state[e["ordinal"]])
    ]
    absent = [e["ordinal"] for e in [*right, *wrong] if not state[e["ordinal"]]]
    shown("formulas without a verdict", len({*unread, *absent}), 0, "", at_least=False)
    shown("right formulas refuted", len(blamed), 0, "", at_least=False)
    shown("wrong formulas not refuted", len(missed), 0, "", at_least=False)
    if bench.verbose:
        print(f"    undecided {unread}, absent {absent}, blamed {blamed}, missed {missed}")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "note.md"
        path.write_text(seed_text(), encoding="utf-8")
        shown("judged, cold", _cold("verify", str(path), "--spec", "four-layer"), 10, "s", False)
        read = (
            "from symbackprop.reading.notes.files import READERS as r; import sys; p = sys.argv[1]"
        )
        shown(
            "read, cold", _python(f"{read}; r['.md'](p, open(p).read())", str(path)), 1, "s", False
        )


def _cold(*arguments: str) -> float:
    return _seconds([sys.executable, "-m", "symbackprop", *arguments])


def _python(source: str, *arguments: str) -> float:
    return _seconds([sys.executable, "-c", source, *arguments])


def _seconds(command: list[str]) -> float:
    start = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode not in (0, 1):
        raise RuntimeError(done.stderr)
    return time.perf_counter() - start


# ---- length


def length(bench: Bench) -> None:
    print("long notes")
    runs = [{size: _cpu(_long_note(size)) for size in (500, 2000)} for _ in range(2)]
    seconds = {size: min(run[size] for run in runs) for size in (500, 2000)}  # in turn
    ratio = seconds[2000] / seconds[500]
    print(f"  500 equations: {seconds[500]:.1f} s; 2000 equations: {seconds[2000]:.1f} s")
    shown("2000 equations, times 500 (linear: 4)", ratio, 4.8, "", at_least=False)


def _cpu(text: str) -> float:
    start = time.process_time()
    judged(text)
    return time.process_time() - start


def _long_note(size: int) -> str:
    """Equations of one note over and over, each time with another bracket or order."""
    text = (NOTES / "tanh_softmax_rows.md").read_text(encoding="utf-8")
    head = text[: text.index("## Derivative of the softmax")]
    kept = [
        r"\delta^{(2)} = p - y",
        r"\frac{\partial E}{\partial W^{(2)}} = (h^{(1)})^T \delta^{(2)}",
        r"\frac{\partial E}{\partial b^{(2)}} = \delta^{(2)}",
        r"\frac{\partial E}{\partial h^{(1)}} = \delta^{(2)} (W^{(2)})^T",
        r"\delta^{(1)} = \delta^{(2)} (W^{(2)})^T \circ (1 - h^{(1)} \circ h^{(1)})",
        r"\frac{\partial E}{\partial W^{(1)}} = x^T \delta^{(1)}",
        r"\frac{\partial E}{\partial x} = \delta^{(1)} (W^{(1)})^T",
    ]
    equations = [_numbered(kept[number % len(kept)], number) for number in range(size - 5)]
    return head + "".join(f"\n$$\n{equation}\n$$\n" for equation in equations)


def _numbered(equation: str, number: int) -> str:
    """A true equation that no other line has: n times both sides."""
    left, right = equation.split(" = ", 1)
    return f"{number + 2} \\left( {left} \\right) = {number + 2} \\left( {right} \\right)"


# ---- backward code


def code(bench: Bench) -> None:
    print("backward code")
    found = measure()
    shown("right variants verified", found["verified"], 30, f"of {found['right']}")
    shown("right variants proved in every claim", found["proved"], 25, f"of {found['right']}")
    shown("wrong refutations", found["wrong refutations"], 0, "", at_least=False)
    slips, edits = found["slips"], found["mechanical"]
    shown("slips refuted at the right line", percent(found["right line"], slips), 100, "%")
    shown("the slip among the first two", percent(found["slip in two"], slips), 85, "%")
    shown("mechanical edits refuted", percent(found["of these refuted"], edits), 100, "%")
    shown("mechanical edits verified", found["wholly verified"], 0, "", at_least=False)
    shown("rewrites refuted", found["rewrites refuted"], 0, "", at_least=False)
    print(f"  {slips} slips, {edits} mechanical edits of which {found['at the line']} at the line;")
    print(
        f"  seconds: a right variant {found['slowest right']}, a slip {found['mean slip']} on the"
    )
    print(f"  mean and {found['slowest slip']} at most")
    if bench.verbose:
        for line in found["short"]:
            print(f"    {line}")


if __name__ == "__main__":
    main()
