"""Mechanical changes of the right backward passes, told apart by running them.

Owns: edits of one line by regular expressions (they know no syntax tree and share nothing with the
judge), seeded; `slips`, those after which the function returns other numbers or stops at a clash of
shapes; `rewrites`, those after which it returns the same. Running decides, so that neither list
depends on what the judge believes. The files are our own, under `data/backward/right`.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np

from symbackprop.judging.code.judge import _function
from symbackprop.judging.code.marks import Session
from symbackprop.judging.code.search import Subjects, settled
from symbackprop.judging.code.truth import Subject
from symbackprop.tracing.numbers.budget import Budget
from symbackprop.tracing.numbers.reading import Bundle, Instance
from tests.bench_verify_code import names, networks, right

TOKEN = r"[A-Za-z_]\w*(?:\[[^\[\]]*\])?(?:\.T)?"
FACTOR = rf"(?:{TOKEN}\([^()]*\)|\([^()]*\)|{TOKEN})"
AXES = {"0": "1", "1": "0"}
LETTERS = {"z": "ah", "h": "z", "a": "z", "Z": "A", "A": "Z"}
AGREE = 1e-9


@dataclass(frozen=True)
class Mechanical:
    """A changed file: `line` is where; `edit` is what was done, `slugs` what it may be called."""

    file: str
    line: int
    edit: str
    new: str
    source: str
    slugs: frozenset[str]


# ---- edits of a line ---------------------------------------------------------------------------

Edits = Callable[[str], Iterator[str]]


def _each(pattern: str, made: Callable[[re.Match[str]], Sequence[str]]) -> Edits:
    """A pattern replaced at each of its places in turn."""

    def edits(line: str) -> Iterator[str]:
        for found in re.finditer(pattern, line):
            for text in made(found):
                yield line[: found.start()] + text + line[found.end() :]

    return edits


def _stepped(found: re.Match[str]) -> list[str]:
    digit = int(found[2])
    return [f"{found[1]}{digit + 1}{found[3]}", f"{found[1]}{max(digit - 1, 0)}{found[3]}"]


def _lettered(found: re.Match[str]) -> list[str]:
    return [f"{letter}{found[2]}" for letter in LETTERS[found[1]]]


EDITS: dict[str, tuple[Edits, str]] = {
    "drop .T": (_each(r"\.T\b|\.transpose\(\)", lambda m: [""]), "transpose order layout"),
    "swap @": (
        _each(rf"({FACTOR}) @ ({FACTOR})", lambda m: [f"{m[2]} @ {m[1]}"]),
        "order transpose layout",
    ),
    "drop factor": (
        _each(rf" \* {FACTOR}|(?<![@/] ){FACTOR} \* |\b2 \* ", lambda m: [""]),
        "derivative-missing upstream-missing sample-count constant",
    ),
    "axis": (
        _each(r"(axis=|sum\(|mean\()([01])\b", lambda m: [m[1] + AXES[m[2]]]),
        "batch-sum size",
    ),
    "layer": (
        _each(r"\b(d?[A-Za-z]{1,5}_?)(\d)\b()", _stepped),
        "layer wrong-variable derivative-argument",
    ),
    "drop 1/m": (
        _each(r" / (?:N|n|m|x\.shape\[0\]|len\(X\))(?!\w)|\(1 / m\) \* ", lambda m: [""]),
        "sample-count",
    ),
    "sign": (_each(r" [-+] ", lambda m: [" + " if "-" in m[0] else " - "]), "sign"),
    "minus": (_each(r"^( +\w+ = )", lambda m: [f"{m[1]}-"]), "sign"),
    "product": (_each(r" [*@] ", lambda m: [" @ " if "*" in m[0] else " * "]), "operator"),
    "z for a": (
        _each(r"\b([zhaZA])(\d)\b", _lettered),
        "wrong-variable derivative-argument derivative-missing layer",
    ),
}


def _split(line: str) -> Iterator[str]:
    """The first factor of a product under a name of its own."""
    found = re.fullmatch(rf"( +)(\w+) = ({FACTOR}) (\*|@) (.*)", line)
    if found:
        yield f"{found[1]}part = {found[3]}\n{found[1]}{found[2]} = part {found[4]} {found[5]}"


def _kept_apart(line: str) -> Iterator[str]:
    """The whole right side under a name of its own first."""
    found = re.fullmatch(r"( +)(\w+) = (.*[^([{,])", line)
    if found:
        yield f"{found[1]}whole = {found[3]}\n{found[1]}{found[2]} = whole"


REWRITES: dict[str, Edits] = {
    "commute": _each(rf"({FACTOR}) \* ({FACTOR})", lambda m: [f"{m[2]} * {m[1]}"]),
    "np.dot": _each(rf"({FACTOR}) @ ({FACTOR})", lambda m: [f"np.dot({m[1]}, {m[2]})"]),
    "np.multiply": _each(rf"({FACTOR}) \* ({FACTOR})", lambda m: [f"np.multiply({m[1]}, {m[2]})"]),
    "split": _split,
    "apart": _kept_apart,
    "comment": _each(r"$", lambda m: ["  # dz = W @ x, note: ∂L/∂z"]),
}


# ---- running -----------------------------------------------------------------------------------


def _session(name: str) -> Session:
    source = right(name)
    found = _function(source, "backward")
    assert not isinstance(found, str)
    subjects = Subjects(*(Subject.of(built) for built in networks(source)))
    return settled(*found, subjects, Budget())[0]


def _given(session: Session, number: int) -> dict[str, Any]:
    """Arguments in plain containers; a dict has what the right function looked up."""
    used = session.used_arguments()
    return {n: _plain(v, used.get(n)) for n, v in session.arguments(number).items()}


def _plain(value: Any, used: Any) -> Any:
    if isinstance(value, Instance):
        read = [k for k in used.bundle if k not in used.written]
        return SimpleNamespace(**{k: np.array(value.bundle.find(k)) for k in read})
    if isinstance(value, Bundle):
        keys = list(used)
        if set(keys) <= {f"{c}{i}" for c in "Wb" for i in range(9)}:
            keys += [f"{c}{i}" for c in "Wb" for i in range(9) if value.find(f"{c}{i}") is not None]
        return {k: _plain(value.find(k), used.get(k)) for k in keys}
    return value


def returned(source: str, session: Session, number: int) -> Any:
    """What `backward` returns, as nested lists of arrays; the type of its error where it fails."""
    space: dict[str, Any] = {}
    given = _given(session, number)
    try:
        with np.errstate(all="ignore"):
            exec(compile(source, "<right>", "exec"), space)
            owner = next((v for v in space.values() if hasattr(v, "backward")), None)
            found = (owner.backward if owner else space["backward"])(**given)
    except Exception as problem:
        return type(problem)
    return _leaves(found if found is not None else vars(given["self"]))


def _leaves(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return [leaf for part in value.values() for leaf in _leaves(part)]
    if isinstance(value, (list, tuple)):
        return [leaf for part in value for leaf in _leaves(part)]
    return [np.squeeze(np.asarray(value, dtype=float))]


def differs(one: Any, other: Any) -> bool | None:
    """Whether two runs gave other numbers; None where one failed for a reason other than shapes."""
    for side in (one, other):
        if isinstance(side, type):
            return True if side is ValueError else None
    if len(one) != len(other) or any(a.shape != b.shape for a, b in zip(one, other, strict=True)):
        return True
    scale = [float(np.max(np.abs(a), initial=1e-6)) for a in one]
    gaps = [float(np.max(np.abs(a - b), initial=0)) for a, b in zip(one, other, strict=True)]
    return any(not gap <= AGREE * s for gap, s in zip(gaps, scale, strict=True))


def changed(source: str, name: str, session: Session) -> bool | None:
    found = [
        differs(returned(right(name), session, n), returned(source, session, n)) for n in (0, 2)
    ]
    return None if None in found else any(found)


# ---- the two lists -----------------------------------------------------------------------------


def _body(name: str) -> list[int]:
    """Numbers of the lines that may be changed."""
    lines = right(name).splitlines()
    barred = ("#", "import", "def ", "class ", "for ", "if ", "else")
    return [i for i, l in enumerate(lines) if l.strip() and not l.strip().startswith(barred)]


def _edited(name: str, place: int, new: str) -> str:
    lines = right(name).splitlines()
    lines[place] = new
    return "\n".join(lines) + "\n"


def slips(count: int, seed: int = 0) -> list[Mechanical]:
    """Wrong functions, the same ones for the same seed, spread over files and kinds of edit."""
    dice = random.Random(seed)
    made: dict[str, Mechanical] = {}
    sessions = {name: _session(name) for name in names()}
    for _ in range(60 * count):
        if len(made) == count:
            break
        edit, name = dice.choice(list(EDITS)), dice.choice(names())
        edits, slugs = EDITS[edit]
        place = dice.choice(_body(name))
        options = list(edits(right(name).splitlines()[place]))
        if not options:
            continue
        new = dice.choice(options)
        source = _edited(name, place, new)
        if source not in made and source != right(name) and changed(source, name, sessions[name]):
            made[source] = Mechanical(
                name, place + 1, edit, new.strip(), source, frozenset(slugs.split())
            )
    return list(made.values())


def rewrites(count: int, seed: int = 0) -> list[Mechanical]:
    """Right functions written otherwise."""
    dice = random.Random(seed)
    made: dict[str, Mechanical] = {}
    sessions = {name: _session(name) for name in names()}
    for _ in range(60 * count):
        if len(made) == count:
            break
        name = dice.choice(names())
        edit = dice.choice([*REWRITES, "rename"])
        place = dice.choice(_body(name))
        if edit == "rename":
            source, new = _renamed(name, place), "renamed"
        else:
            options = list(REWRITES[edit](right(name).splitlines()[place]))
            new = dice.choice(options) if options else ""
            source = _edited(name, place, new) if new else ""
        if source and source not in made and changed(source, name, sessions[name]) is False:
            made[source] = Mechanical(name, place + 1, edit, new.strip(), source, frozenset())
    return list(made.values())


def _renamed(name: str, place: int) -> str:
    """A local under a name that says nothing, wherever it stands as a word of its own."""
    found = re.match(r" +([A-Za-z]\w*) = ", right(name).splitlines()[place])
    if not found:
        return ""
    return re.sub(rf"(?<![\"'.\w]){found[1]}(?![\"'\w]|=)", "quantity", right(name))


def mutilated(count: int, seed: int = 0) -> Iterator[tuple[str, str]]:
    """(file, text) with a few tokens taken out, doubled, exchanged or replaced."""
    dice = random.Random(seed)
    for _ in range(count):
        name = dice.choice(names())
        head, _, body = right(name).partition("import numpy as np")
        tokens = re.findall(r"\w+|\s+|[^\w\s]", f"import numpy as np{body}")
        for _ in range(dice.randint(1, 4)):
            _mutilate(tokens, dice)
        yield name, head + "".join(tokens)


def _mutilate(tokens: list[str], dice: random.Random) -> None:
    i, j = dice.randrange(len(tokens)), dice.randrange(len(tokens))
    match dice.randrange(6):
        case 0 | 1:
            tokens[i] = ""
        case 2:
            tokens[i], tokens[j] = tokens[j], tokens[i]
        case 3:
            tokens[i] += tokens[i]
        case 4:
            tokens[i] = tokens[j]
        case _:
            tokens[i] = dice.choice(["0", "-1", "99999999", "None", "x", "@", "[", "*", "**", "L"])


if __name__ == "__main__":
    for slip in slips(40):
        print(f"{slip.file}:{slip.line} {slip.edit}: {slip.new}")
