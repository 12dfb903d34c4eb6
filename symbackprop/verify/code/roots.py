"""Which line went wrong first: roots, and what only follows from them.

Owns: the search for the fewest stored values that, put right, make every returned gradient right.
Refuses: saying why a line is wrong (that is `diagnosis`).
Would be wrong if a value that differs by convention (no 1/N yet, negated, per sample) were blamed
while what is built from it is right: such a value is a root only where putting it right mends
everything.
"""

from __future__ import annotations

import ast
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from symbackprop.verify.code.marks import Fill, Mark, Reading, Session, Site
from symbackprop.verify.code.reading import Fault, Place
from symbackprop.verify.code.truth import Factor, Truth

MOST_ROOTS = 8
MOST_SECONDS = 6.0
KINDS = ("d:z", "d:h", "z", "h", "f'", "d:W", "d:b", "W", "b")


@dataclass(frozen=True)
class Root:
    """A place whose value is wrong by itself. `fills` put it right; without them it is a returned
    expression. `name` is what is stored there."""

    line: int
    column: int
    length: int
    name: str
    meaning: str | None
    fills: Mapping[Place, Fill] = field(default_factory=dict)
    mark: Mark | None = None
    fault: Fault | None = None

    @property
    def site(self) -> Site:
        return (self.line, self.column)


@dataclass(frozen=True)
class Blame:
    """The roots in execution order, and the reading with all of them put right."""

    roots: tuple[Root, ...]
    healed: Reading

    @property
    def fills(self) -> dict[Place, Fill]:
        return {place: fill for root in self.roots for place, fill in root.fills.items()}


def blamed(session: Session, reading: Reading) -> Blame:
    """Roots of what is wrong, by one change at a time, then one by one."""
    fills: dict[Place, Fill] = {}
    roots: list[Root] = []
    deadline = time.monotonic() + MOST_SECONDS
    current = reading
    given_up: set[str] = set()
    while set(current.wrong) - given_up and len(roots) < MOST_ROOTS:
        found = _next(session, current, fills, given_up, deadline)
        if found is None:
            stuck = _returned_root(current, given_up)
            if stuck is None:
                break
            roots.append(stuck)
            given_up.add(stuck.name)
            continue
        roots.append(found)
        fills |= found.fills
        current = session.read(session.point, fills)
    order = {site: i for i, site in enumerate(_execution_order(current))}
    last = len(order)
    roots.sort(key=lambda root: (order.get(root.site, last), root.line))
    return Blame(tuple(roots), current)


def _execution_order(reading: Reading) -> list[Site]:
    found: dict[Site, None] = {}
    for mark in (*reading.stored, *reading.returned):
        found.setdefault(mark.site)
    return list(found)


def _returned_root(reading: Reading, given_up: set[str]) -> Root | None:
    """A returned value that nothing stored explains: its own expression is wrong."""
    for mark in reading.returned:
        if not mark.ok and mark.name not in given_up:
            return Root(
                mark.line, mark.column, mark.length, mark.name, mark.meaning, mark=mark
            )
    fault = reading.trail.fault
    if fault is not None and "" not in given_up:
        return None
    return None


def _next(
    session: Session,
    reading: Reading,
    fills: Mapping[Place, Fill],
    given_up: set[str],
    deadline: float,
) -> Root | None:
    """The earliest site that mends everything; else the one that mends most."""
    wrong_before = len(set(reading.wrong) - given_up)
    best: tuple[int, Root] | None = None
    for root in _candidates(session, reading, fills):
        if time.monotonic() > deadline:
            break
        after = session.read(session.point, {**fills, **root.fills})
        left = len(set(after.wrong) - given_up)
        if after.trail.fault is not None and reading.trail.fault is not None:
            if after.trail.fault.line == reading.trail.fault.line:
                continue
            left += 1
        if left == 0:
            return root
        if left < wrong_before and (best is None or left < best[0]):
            best = (left, root)
    if best is not None:
        return best[1]
    return None


def _candidates(
    session: Session, reading: Reading, fills: Mapping[Place, Fill]
) -> Iterator[Root]:
    """Ways to put one site right, in execution order."""
    sites: dict[Site, list[Mark]] = {}
    for mark in reading.stored:
        sites.setdefault(mark.site, []).append(mark)
    factors = _factors(reading)
    for marks in sites.values():
        if all(m.event is None or m.event.place in fills for m in marks):
            continue
        if all(m.state == "right" for m in marks):
            continue
        yield from _site_roots(session, marks, factors, reading.truth)
    if reading.trail.fault is not None:
        yield from _fault_roots(session, reading, factors)


def _factors(reading: Reading) -> list[Factor]:
    """1, and the factors by which the author's other values differ from the true ones."""
    found: dict[Factor, None] = {Factor(): None}
    for mark in reading.stored:
        if mark.state in ("scaled", "other"):
            found.setdefault(mark.factor)
    return list(found)[:6]


def _site_roots(
    session: Session, marks: Sequence[Mark], factors: Sequence[Factor], truth: Truth
) -> Iterator[Root]:
    first = marks[0]
    for meanings in _meanings(session, marks, truth):
        for factor in factors:
            fills = {}
            for mark, (meaning, sample) in zip(marks, meanings, strict=True):
                assert mark.event is not None
                fills[mark.event.place] = Fill(meaning, factor, sample)
            if all(
                m.found == fill.meaning and m.factor == fill.factor and m.state != "silent"
                for m, fill in zip(marks, fills.values(), strict=True)
            ):
                continue  # that is what it is already
            yield Root(
                first.line,
                first.column,
                first.length,
                first.name,
                meanings[0][0],
                fills,
                next((m for m in marks if m.state != "right"), first),
            )


def _meanings(
    session: Session, marks: Sequence[Mark], truth: Truth
) -> Iterator[list[tuple[str, int | None]]]:
    """What the values of a site may be meant to be: by name, else one kind of tensor by shape."""
    named = [m.meaning for m in marks]
    if all(named):
        yield [_placed(session, m, str(m.meaning), truth) for m in marks]
    for kind in KINDS:
        chosen: list[tuple[str, int | None]] = []
        for mark in marks:
            fitting = _fitting(session, mark, kind, truth)
            if fitting is None:
                break
            chosen.append(fitting)
        else:
            if [meaning for meaning, _ in chosen] != named:
                yield chosen


def _placed(session: Session, mark: Mark, meaning: str, truth: Truth) -> tuple[str, int | None]:
    """Whole, or the sample's own part where the shape shows a loop over samples."""
    whole = session.layout.of(meaning, truth)
    if whole is None or session.layout.is_one or meaning.removeprefix("d:")[0] in "Wb":
        return meaning, None
    ndim, size = np.ndim(mark.value), np.size(mark.value)
    if size * truth.samples == whole.size and (ndim < whole.ndim or size < whole.size):
        assert mark.event is not None
        return meaning, mark.event.occurrence % truth.samples
    return meaning, None


def _fitting(
    session: Session, mark: Mark, kind: str, truth: Truth
) -> tuple[str, int | None] | None:
    shape = np.shape(mark.value)
    for layer in range(session.subject.depth, 0, -1):
        meaning = f"{kind}{layer}"
        base = f"z{layer}" if kind == "f'" else meaning
        if base not in truth or (kind == "f'" and session.subject.activation(layer) == "identity"):
            continue
        wanted = session.layout.of(base, truth)
        if wanted is None:
            continue
        if sorted(wanted.shape) == sorted(shape) or wanted.squeeze().shape == shape:
            return meaning, None
    return None


def _fault_roots(
    session: Session, reading: Reading, factors: Sequence[Factor]
) -> Iterator[Root]:
    """The statement that could not be read, its target put right without it."""
    fault = reading.trail.fault
    assert fault is not None
    for target in _targets_at(session, fault.line):
        site = (target.lineno, target.col_offset)
        occurrence = sum(
            1 for m in reading.stored if m.event is not None and m.event.place[:2] == site
        )
        name, meanings = _target_meanings(session, target)
        length = (target.end_col_offset or target.col_offset + 1) - target.col_offset
        for meaning in meanings:
            if meaning not in reading.truth:
                continue
            for factor in factors:
                fills = {(*site, occurrence): Fill(meaning, factor)}
                yield Root(*site, length, name, meaning, fills, None, fault)


def _target_meanings(session: Session, target: ast.expr) -> tuple[str, list[str]]:
    name = _target_name(target)
    meaning = session.names.meaning(name)
    if meaning is not None:
        return name, [meaning]
    layers = range(session.subject.depth, 0, -1)
    return name, [f"{kind}{layer}" for kind in KINDS if kind != "f'" for layer in layers]


def _target_name(target: ast.expr) -> str:
    match target:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
        case ast.Subscript(slice=ast.Constant(value=str() as key)):
            return key
        case ast.Subscript(value=ast.Name(id=name)):
            return name
    return ""


def _targets_at(session: Session, line: int) -> list[ast.expr]:
    """What the statement around a line stores to, when it is an assignment to one place."""
    nodes = [session.function, *session.module.functions.values(), *session.methods.values()]
    for function in nodes:
        for node in ast.walk(function):
            if isinstance(node, (ast.Assign, ast.AugAssign, ast.AnnAssign)):
                if node.lineno <= line <= (node.end_lineno or node.lineno):
                    target = node.targets[0] if isinstance(node, ast.Assign) else node.target
                    if not isinstance(target, ast.Tuple):
                        return [target]
    return []


def depends_on(session: Session, blame: Blame, name: str) -> tuple[int, ...]:
    """Lines of the roots that a value's fault follows from: without which it stays wrong."""
    lines = []
    for root in blame.roots:
        fills = {
            place: fill
            for other in blame.roots
            if other is not root
            for place, fill in other.fills.items()
        }
        after = session.read(session.point, fills)
        marks = {m.name: m for m in (*after.stored, *after.returned)}
        mark = marks.get(name)
        if root.fills and (mark is None or not mark.ok):
            lines.append(root.line)
    return tuple(lines) or tuple(root.line for root in blame.roots[:1])


def shifted(root: Root, line: int) -> Root:
    return replace(root, line=line)
