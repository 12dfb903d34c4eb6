"""Which line went wrong first: roots, and what only follows from them.

Owns: the search for the fewest stored values that, put right, make every returned gradient right.
Refuses: saying why a line is wrong (that is `diagnosis`).
Would be wrong if a value that differs by convention (no 1/N yet, negated, per sample) were blamed
while what is built from it is right: such a value is a root only where putting it right mends
everything.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from symbackprop.judging.code.marks import Fill, Mark, Reading, Session, Site
from symbackprop.judging.code.truth import Factor, Truth
from symbackprop.networks import names
from symbackprop.tracing.numbers.budget import Share
from symbackprop.tracing.numbers.reading import Fault, Place

MOST_ROOTS = 8
BLAME_STEPS = 150_000
KINDS = (
    *(names.gradient(letter) for letter in "zh"),
    *("z", "h", "f'"),
    *(names.gradient(letter) for letter in "Wb"),
    *("W", "b"),
)


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


def blamed(session: Session, reading: Reading, most: int = MOST_ROOTS) -> Blame:
    """Roots of what is wrong, by one change at a time, then one by one."""
    fills: dict[Place, Fill] = {}
    roots: list[Root] = []
    share = session.budget.share(BLAME_STEPS)
    current = reading
    given_up: set[str] = set()
    while set(current.wrong) - given_up and len(roots) < min(most, MOST_ROOTS):
        found = _next(session, current, fills, given_up, share)
        if found is None:
            stuck = _returned_root(current, given_up)
            if stuck is None:
                roots += _stopped(session, current)
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
            return Root(mark.line, mark.column, mark.length, mark.name, mark.meaning, mark=mark)
    return None


def _stopped(session: Session, reading: Reading) -> list[Root]:
    """The statement at which reading ended, where nothing in its place lets it go on."""
    fault = reading.trail.fault
    if fault is None:
        return []
    for target in _targets_at(session, fault.line):
        name = _target_name(target)
        meaning = session.names.meaning(name)
        return [Root(target.lineno, target.col_offset, 1, name, meaning, {}, None, fault)]
    return [Root(fault.line, fault.column, 1, "", None, {}, None, fault)]


def _next(
    session: Session,
    reading: Reading,
    fills: Mapping[Place, Fill],
    given_up: set[str],
    share: Share,
) -> Root | None:
    """The earliest site that mends everything; else the one that mends most."""
    wrong_before = len(set(reading.wrong) - given_up)
    best: tuple[int, Root] | None = None
    for root in _usual_first(session, _candidates(session, reading, fills)):
        if share.is_used_up:
            break
        after = session.read(session.point, {**fills, **root.fills}, brief=True)
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


def _candidates(session: Session, reading: Reading, fills: Mapping[Place, Fill]) -> Iterator[Root]:
    """Ways to put one site right, in execution order."""
    sites: dict[Site, list[Mark]] = {}
    for mark in reading.stored:
        sites.setdefault(mark.site, []).append(mark)
    factors = _factors(session, reading)
    own_first = sorted(sites.values(), key=lambda marks: _depth(marks[0]) > 0)
    for marks in own_first:
        if all(m.event is None or m.event.place in fills for m in marks):
            continue
        if all(m.state == "right" for m in marks) and not session.adds_steps:
            continue
        if any(m.unknown is not None or _is_of_shape(m) for m in marks):
            continue
        if all(_is_a_start(session, m, reading.truth) for m in marks):
            continue
        yield from _site_roots(session, marks, factors, reading)
    for factor in factors:
        yield from _several(session, own_first, fills, reading.truth, factor)
    if reading.trail.fault is not None:
        yield from _fault_roots(session, reading, factors)


def _is_of_shape(mark: Mark) -> bool:
    """Whether a value is one of `m, n = X.shape`, which is what it is."""
    statement = mark.event.statement if mark.event is not None else None
    match statement:
        case ast.Assign(targets=[ast.Tuple()], value=ast.Attribute(attr="shape")):
            return True
    return False


def _is_a_start(session: Session, mark: Mark, truth: Truth) -> bool:
    """Whether a value is the zeros to which a gradient is added up, in the right shape."""
    statement = mark.event.statement if mark.event is not None else None
    value = statement.value if isinstance(statement, ast.Assign) else None
    if not isinstance(value, ast.Call) or mark.meaning is None or np.any(mark.value):
        return False
    wanted = session.layout.of(mark.meaning, truth)
    return wanted is not None and np.shape(wanted) == np.shape(mark.value)


def _usual_first(session: Session, roots: Iterator[Root]) -> list[Root]:
    """Values put right as their names and the sign of this code say before others: a wrong sign
    can be mended at many a place, and is where a value has not the sign that its name says."""
    usual = -1 if session.adds_steps else 1

    def oddity(root: Root) -> tuple[bool, bool]:
        signs = {fill.factor.sign for fill in root.fills.values()}
        return signs != {usual}, _contradicts(root)

    return sorted(roots, key=oddity)


def _contradicts(root: Root) -> bool:
    """Whether a value that is what its name says would be put to something else."""
    mark = root.mark
    if mark is None or mark.meaning is None or mark.state not in ("right", "scaled"):
        return False
    return root.meaning != mark.meaning


def _depth(mark: Mark) -> int:
    return mark.event.depth if mark.event is not None else 0


def _factors(session: Session, reading: Reading) -> list[Factor]:
    """1, and the factors by which the author's other values differ from the true ones."""
    found: dict[Factor, None] = {Factor(): None}
    if session.adds_steps:
        found[Factor(-1)] = None
    if not session.layout.is_one:
        found[Factor(samples=1)] = None
    for mark in reading.stored:
        if mark.state in ("scaled", "other"):
            found.setdefault(mark.factor)
            found.setdefault(replace(mark.factor, sign=-mark.factor.sign))
    return list(found)[:8]


def _site_roots(
    session: Session, marks: Sequence[Mark], factors: Sequence[Factor], reading: Reading
) -> Iterator[Root]:
    first, truth = marks[0], reading.truth
    for meanings in _meanings(session, marks, truth):
        for factor in factors:
            fills = {}
            for mark, (meaning, sample) in zip(marks, meanings, strict=True):
                assert mark.event is not None
                fills[mark.event.place] = Fill(meaning, factor, sample)
            if reading.trail.fault is not None and len(meanings) == len(marks):
                fills |= _continued(reading, marks, meanings, factor)
            if all(
                m.found == fill.meaning
                and m.factor == fill.factor
                and m.state != "silent"
                and not _is_turned(m)
                for m, fill in zip(marks, fills.values(), strict=False)
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


def _is_turned(mark: Mark) -> bool:
    """Whether a gradient has the right entries in another shape."""
    return mark.state == "other" and mark.found == mark.meaning


def _continued(
    reading: Reading,
    marks: Sequence[Mark],
    meanings: Sequence[tuple[str, int | None]],
    factor: Factor,
) -> dict[Place, Fill]:
    """What a loop stores at a place after the reading ended: the layers in front, downwards."""
    letters = meanings[-1][0].rstrip("0123456789")
    digits = meanings[-1][0][len(letters) :]
    event = marks[-1].event
    if not digits or event is None or len(marks) > 3:
        return {}
    below = f"{letters}{int(digits) - 1}"
    if below not in reading.truth:
        return {}
    return _from_layer(reading, event.place[:2], event.occurrence + 1, below, factor, -1)


def _several(
    session: Session,
    sites: Sequence[Sequence[Mark]],
    fills: Mapping[Place, Fill],
    truth: Truth,
    usual: Factor,
) -> Iterator[Root]:
    """Statements that store several values at once, all of them put right by name."""
    statements: dict[int, list[Mark]] = {}
    for marks in sites:
        for mark in marks:
            if mark.event is not None and mark.meaning and mark.event.place not in fills:
                statements.setdefault(id(mark.event.statement), []).append(mark)
    for marks in statements.values():
        if len({m.site for m in marks}) > 1 and not all(m.ok for m in marks):
            found = {}
            for mark in marks:
                assert mark.event is not None
                meaning, sample = _placed(session, mark, str(mark.meaning), truth)
                is_parameter = meaning[2:3] in ("W", "b")
                factor = mark.factor if mark.state == "scaled" else usual
                factor = Factor() if is_parameter and mark.state != "scaled" else factor
                found[mark.event.place] = Fill(meaning, factor, sample)
            first = next(m for m in marks if not m.ok)
            yield Root(
                first.line,
                first.column,
                first.length,
                first.name,
                first.meaning,
                found,
                first,
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
    for step in (-1, 1):
        moved = [_moved(m, step) for m in marks]
        if all(meaning in truth for meaning in moved):
            yield [(meaning, None) for meaning in moved]


def _moved(mark: Mark, step: int) -> str:
    """The same kind of tensor, one layer before or behind the one that a value is."""
    found = mark.found or ""
    letters = found.rstrip("0123456789")
    digits = found[len(letters) :]
    return f"{letters}{int(digits) + step}" if digits else ""


def _placed(session: Session, mark: Mark, meaning: str, truth: Truth) -> tuple[str, int | None]:
    """Whole, or the sample's own part where the shape shows a loop over samples."""
    whole = session.layout.of(meaning, truth)
    if whole is None or session.layout.is_one or names.bare(meaning)[0] in "Wb":
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
        base = names.total(layer) if kind == "f'" else meaning
        if base not in truth or (kind == "f'" and session.subject.activation(layer) == "identity"):
            continue
        wanted = session.layout.of(base, truth)
        if wanted is None:
            continue
        if sorted(wanted.shape) == sorted(shape) or wanted.squeeze().shape == shape:
            return meaning, None
    return None


def _fault_roots(session: Session, reading: Reading, factors: Sequence[Factor]) -> Iterator[Root]:
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
                for step in (-1, 1):
                    fills = _from_layer(reading, site, occurrence, meaning, factor, step)
                    yield Root(*site, length, name, meaning, fills, None, fault)


def _from_layer(
    reading: Reading, site: Site, occurrence: int, meaning: str, factor: Factor, step: int
) -> dict[Place, Fill]:
    """What a statement stores from here on: this layer, then the next ones, as a loop goes."""
    letter, layer = names.letter_and_layer(meaning)
    if layer is None:
        return {(*site, occurrence): Fill(meaning, factor)}
    fills = {}
    while names.of_letter(letter, layer) in reading.truth:
        fills[(*site, occurrence)] = Fill(names.of_letter(letter, layer), factor)
        occurrence, layer = occurrence + 1, layer + step
    return fills


def _target_meanings(session: Session, target: ast.expr) -> tuple[str, list[str]]:
    name = _target_name(target)
    meaning = session.names.meaning(name)
    if meaning is not None:
        return name, [meaning]
    layers = range(session.subject.depth, 0, -1)
    return name, [
        names.of_letter(kind, layer) for kind in KINDS if kind != "f'" for layer in layers
    ]


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
    nodes = [session.function, *session.module.helpers.values(), *session.methods.values()]
    for function in nodes:
        for node in ast.walk(function):
            if not isinstance(node, (ast.Assign, ast.AugAssign, ast.AnnAssign)):
                continue
            target = node.targets[0] if isinstance(node, ast.Assign) else node.target
            is_there = node.lineno <= line <= (node.end_lineno or node.lineno)
            if is_there and not isinstance(target, ast.Tuple):
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
