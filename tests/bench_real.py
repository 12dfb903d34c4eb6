"""How the judge fares on notes that nobody of the project wrote: `python -m tests.bench_real`.

The notes are public and not in the repository: tests/data/public has of each the address, the hash
of the text (SHA-256), a network file, and its lines with what is true in them, labelled by reading
before the judge saw it. `--texts DIR` is a folder with copies, under any names; they are known by
their hash. The texts whose hash is a multiple of 3 are the unopened third: nothing is mended by
looking at them.

A label counts equations by the line where each begins: `right`, `wrong`, `other` (another model, a
general law, a step of descent), `open`.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
import tomllib
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import symbackprop as sbp
from symbackprop.judging.report import Claim

HERE = Path(__file__).parent / "data" / "public"
SUFFIXES = (".md", ".tex")
LARGEST = 4_000_000  # bytes of a text
TRUTHS = ("right", "wrong", "other", "open")
# What a line counts as, where several claims begin in it.
WORST = {
    "wrong": ("verified", "refuted", "definition", "undecided"),
    "right": ("refuted", "undecided", "definition", "verified"),
}


@dataclass(frozen=True)
class Text:
    """One public note: where it is, what its lines say, and the network they are about."""

    name: str
    source: str
    sha256: str
    network: str
    labels: dict[int, str]

    @property
    def is_unopened(self) -> bool:
        return int(self.sha256, 16) % 3 == 0


def texts() -> list[Text]:
    found = []
    for path in sorted(HERE.glob("*.toml")):
        entry = tomllib.loads(path.read_text(encoding="utf-8"))
        labels = {n: truth for truth in TRUTHS for n in entry["labels"].get(truth, ())}
        about = f"{entry['source']} at {entry['commit']}"
        found.append(Text(path.stem, about, entry["sha256"], entry["network"], labels))
    return found


def copies(folder: Path) -> dict[str, Path]:
    """The files of a folder by the hash of their bytes."""
    files = (p for p in sorted(folder.rglob("*")) if p.suffix in SUFFIXES and p.is_file())
    small = (p for p in files if p.stat().st_size <= LARGEST)
    return {hashlib.sha256(p.read_bytes()).hexdigest(): p for p in small}


def judged(text: Text, path: Path) -> Counter[tuple[str, str]]:
    """How many lines of each truth came out as what."""
    report = sbp.verify(str(path), sbp.loads(text.network))
    by_line: defaultdict[int, list[Claim]] = defaultdict(list)
    for claim in report.claims:
        by_line[claim.line].append(claim)
    return Counter((truth, _status(by_line[n], truth)) for n, truth in text.labels.items())


def _status(claims: Sequence[Claim], truth: str) -> str:
    found = {claim.status for claim in claims}
    order = WORST["wrong" if truth == "wrong" else "right"]
    return next((status for status in order if status in found), "absent")


def table(title: str, counts: Sequence[Counter[tuple[str, str]]]) -> Iterator[str]:
    total: Counter[tuple[str, str]] = sum(counts, Counter())
    of = {truth: sum(n for (t, _), n in total.items() if t == truth) for truth in TRUTHS}
    false = [n[("right", "refuted")] + n[("other", "refuted")] for n in counts]
    true = total[("wrong", "refuted")]
    held = total[("right", "verified")] + total[("right", "definition")]
    yield f"{title}: {len(counts)} texts"
    yield f"  texts without a false refutation  {false.count(0)} of {len(counts)}  (goal: 90 %)"
    yield f"  refutations that are true         {true} of {true + sum(false)}  (goal: 97 %)"
    yield f"  wrong lines refuted               {true} of {of['wrong']}  (goal: 80 %)"
    yield f"  wrong lines verified              {total[('wrong', 'verified')]}  (goal: 0)"
    yield f"  right lines judged                {held} of {of['right']}  (goal: 85 %)"


def main() -> int:
    parser = argparse.ArgumentParser(description="How the judge fares on public notes.")
    parser.add_argument("--texts", type=Path, help="a folder with copies of the texts")
    parser.add_argument("--third", choices=("opened", "unopened"), help="one part alone")
    parser.add_argument("--verbose", action="store_true", help="count text by text")
    asked = parser.parse_args()
    known = copies(asked.texts) if asked.texts is not None else {}
    parts: dict[str, list[Counter[tuple[str, str]]]] = {"opened": [], "unopened": []}
    missing = []
    for text in texts():
        part = "unopened" if text.is_unopened else "opened"
        if asked.third not in (None, part):
            continue
        if text.sha256 not in known:
            missing.append(text)
            continue
        counts = judged(text, known[text.sha256])
        parts[part].append(counts)
        if asked.verbose:
            told = ", ".join(f"{t} {s} {n}" for (t, s), n in sorted(counts.items()))
            print(f"{text.name}: {told}")
    for part, found in parts.items():
        if found:
            print(*table(f"{part} texts", found), sep="\n")
    if missing:
        print(f"{len(missing)} texts are not there; --texts DIR is a folder with copies of")
        print(*(f"  {text.source}" for text in missing), sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
