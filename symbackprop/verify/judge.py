r"""One formula under given settings: true, false with a witness, a definition, or not decided.

Owns: which sides are compared, over which layers and entries, at which sizes, and the structural
rules that values cannot see. Refuses: settings (`conventions` finds them) and diagnosis.
Would be wrong if two sides that agree in value at every point were called different, or a
difference were passed over because it was multiplied by zero.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any, Literal

import numpy as np

from symbackprop.reader.syntax import (
    Apply,
    Big,
    Comparison,
    Derivative,
    Group,
    Matrix,
    Node,
    Number,
    Scripted,
    Span,
    Statement,
    Symbol,
    children,
    walk,
)
from symbackprop.verify import values as v
from symbackprop.verify.meaning import Meaning, _argument, activation, index_letters, slopes_of
from symbackprop.verify.settings import Settings
from symbackprop.verify.symbols import (
    LAYERED,
    IllFormed,
    NotUnderstood,
    OneSample,
    OutOfRange,
    Scope,
    split,
)
from symbackprop.verify.values import Axis, Clash, Value
from symbackprop.verify.world import World

AGREE = 1e-9
DIFFER = 1e-6
EQUALITIES = frozenset({"=", ":=", r"\equiv", r"\approx", r"\triangleq"})
Outcome = Literal["true", "false", "definition", "unknown"]


@dataclass(frozen=True)
class Difference:
    """Where two sides differ: point, entry and the numbers there; free letters by name."""

    left: float
    right: float
    entry: tuple[int, ...]
    letters: Mapping[str, int]
    point: int
    ratio: float | None = None


@dataclass(frozen=True)
class Verdict:
    """What was found of one formula. `link` counts from 0: sides[link] and sides[link + 1].

    `layers` are the values of the layer letter that were tried, `failing` those that failed.
    """

    outcome: Outcome
    method: str = ""
    reason: str = ""
    slip: str = ""
    link: int = 0
    span: Span | None = None
    difference: Difference | None = None
    layers: tuple[int, ...] = ()
    failing: tuple[int, ...] = ()
    numbers: Mapping[str, int] = field(default_factory=dict)
    name: str = ""
    note: str = ""
    world: World | None = None


@dataclass(frozen=True)
class Worlds:
    """The same network at pairwise different sizes and at the user's own, for one sample and for
    a batch, and with the reductions that a note may mean."""

    generic: Mapping[str, World]
    real: Mapping[str, World]

    def world(self, mode: str, literal: bool) -> World:
        return (self.real if literal else self.generic)[mode]


def judge(statement: Statement, settings: Settings, worlds: Worlds) -> Verdict:
    """The verdict on one statement."""
    world = worlds.world(settings.mode, is_literal(statement))
    return judge_in(statement, settings, world)


def judge_in(
    statement: Statement,
    settings: Settings,
    world: World,
    conditions: Sequence[Comparison] = (),
) -> Verdict:
    """The verdict on one statement in one world; `conditions` on its index letters, such as
    i \\neq j, may be stated beside it."""
    if conditions:
        statement = replace(statement, conditions=(*statement.conditions, *conditions))
    meaning = Meaning(world, settings)
    letters = layer_letters(statement, meaning.scope)
    with np.errstate(all="ignore"):
        if not letters:
            return _settled(statement, meaning)
        return _for_all_layers(statement, meaning, letters)


# --------------------------------------------------------------------------------------------
# Layers
# --------------------------------------------------------------------------------------------


def layer_letters(statement: Statement, scope: Scope) -> list[str]:
    """Letters that stand in a layer mark and are no known number."""
    found: list[str] = []
    for side in statement.sides:
        for node in walk(side):
            for head in _mark_letters(node, scope):
                if head not in found:
                    found.append(head)
    return found


def _mark_letters(node: Node, scope: Scope) -> Iterator[str]:
    parts = split(node) if isinstance(node, Scripted) else None
    if parts is None:
        return
    family = scope.settings.letters.get(parts[0].head, "").removeprefix("d_")
    if family not in LAYERED and family not in ("f", "alias"):
        return
    opened = True
    for script in parts[1]:
        try:
            role = scope._role(script, opened, family)
        except NotUnderstood:
            continue
        if role == "layer":
            opened = False
            for part in walk(script.parts[0]):
                if isinstance(part, Symbol) and part.head not in scope.numbers:
                    yield part.head


def _for_all_layers(statement: Statement, meaning: Meaning, letters: Sequence[str]) -> Verdict:
    if len(letters) > 1:
        return Verdict("unknown", reason=f"two letters of layers: {', '.join(letters)}")
    letter, depth = letters[0], meaning.scope.layers
    tried: list[tuple[int, Verdict]] = []
    outside: Verdict | None = None
    stated = stated_range(statement.remark, letter, meaning.scope.numbers)
    for number in range(-1, depth + 3):
        if stated is not None and number not in stated:
            continue
        if not _within_conditions(statement.conditions, letter, number, meaning):
            continue
        found = _settled(statement, replace(meaning, numbers={**meaning.numbers, letter: number}))
        if found.method == "range":
            outside = outside or found
            continue
        tried.append((number, replace(found, numbers={letter: number})))
    if not tried:
        return outside or Verdict("unknown", reason=f"no layer {letter} fits the formula")
    layers = tuple(number for number, _ in tried)
    false = [(n, f) for n, f in tried if f.outcome == "false"]
    unknown = [f for _, f in tried if f.outcome == "unknown"]
    true = [(n, f) for n, f in tried if f.outcome == "true"]
    if false and true and stated is None:
        return _in_part(true, false, layers, letter, meaning)
    if false:
        failing = tuple(n for n, _ in false)
        return replace(false[0][1], layers=layers, failing=failing)
    if unknown:
        return replace(unknown[0], layers=layers)
    return replace(tried[0][1], layers=layers)


def _in_part(
    true: Sequence[tuple[int, Verdict]],
    false: Sequence[tuple[int, Verdict]],
    layers: tuple[int, ...],
    letter: str,
    meaning: Meaning,
) -> Verdict:
    """True for some layers and false for others, where the formula does not say for which it is
    meant. The last layer with an activation of its own is not meant by "a layer"."""
    held, failed = [n for n, _ in true], [n for n, _ in false]
    last = meaning.scope.layers + meaning.settings.nodes
    names = {activation(meaning.world, n) for n in range(1, meaning.scope.layers)}
    own = activation(meaning.world, meaning.scope.layers) not in names
    told = f"for {letter} = {', '.join(map(str, held))}"
    if own and all(n >= last - 1 for n in failed) and len(failed) == 1:
        note = f"{told}; not for {letter} = {failed[0]}, where the activation is another"
        return replace(true[0][1], layers=layers, note=note)
    reason = f"true {told}, false for {', '.join(map(str, failed))}: its range hangs on the text"
    return Verdict("unknown", reason=reason, layers=layers, failing=tuple(failed))


def stated_range(remark: str, letter: str, numbers: Mapping[str, int]) -> set[int] | None:
    r"""The layers that a remark names: `l = 1, 2`, `l = 2, \dots, L-1`; None where it does not."""
    found = re.search(rf"(?<![A-Za-z\\]){re.escape(letter)}\s*(?:=|\\in)\s*(.*)", remark)
    if found is None:
        return None
    text = re.sub(r"\\(?:ldots|dots|cdots|dotsc)|…|\.\.\.?", " ... ", found.group(1))
    text = re.sub(r"\\[a-zA-Z{}]+|[{}$]", " ", text)
    known: list[int | None] = []
    for part in re.split(r"[,;\s]+", re.sub(r"\s*([+-])\s*", r"\1", text)):
        if part == "...":
            known.append(None)
        elif match := re.fullmatch(r"(\d+|[A-Za-z])([+-]\d+)?", part):
            base = match.group(1)
            if not base.isdigit() and base not in numbers:
                break
            start = int(base) if base.isdigit() else numbers[base]
            known.append(start + int(match.group(2) or 0))
        elif part not in ("", "and"):
            break
    if not known or known[0] is None or known[-1] is None:
        return None
    if None in known:
        before, after = known[known.index(None) - 1], known[known.index(None) + 1]
        if before is None or after is None:
            return None
        step = -1 if after < before else 1
        return {n for n in known if n is not None} | set(range(before, after + step, step))
    return {n for n in known if n is not None}


def _within_conditions(
    conditions: Sequence[Comparison], letter: str, number: int, meaning: Meaning
) -> bool:
    scope = replace(meaning.scope, numbers={**meaning.scope.numbers, letter: number})
    for condition in conditions:
        if letter not in {n.head for n in walk(condition) if isinstance(n, Symbol)}:
            continue
        try:
            left, right = scope.whole(condition.left), scope.whole(condition.right)
        except (NotUnderstood, IllFormed):
            continue
        held = {
            "<": left < right,
            ">": left > right,
            r"\leq": left <= right,
            r"\geq": left >= right,
            r"\neq": left != right,
            "=": left == right,
        }
        if not held.get(condition.relation, True):
            return False
    return True


# --------------------------------------------------------------------------------------------
# One statement, layers known
# --------------------------------------------------------------------------------------------


def _settled(statement: Statement, meaning: Meaning) -> Verdict:
    if len(statement.sides) == 1:
        return _single(statement, meaning)
    try:
        meaning = with_ranges(statement.sides, meaning)
        meaning = _with_function_variable(statement, meaning)
    except OutOfRange as problem:
        method = "range" if meaning.numbers else "ill-formed"
        return Verdict("false", method, problem.reason, problem.slip, span=problem.span)
    except IllFormed as problem:
        return Verdict("false", "ill-formed", problem.reason, problem.slip, span=problem.span)
    except NotUnderstood as problem:
        method = "mode" if isinstance(problem, OneSample) else ""
        return Verdict("unknown", method, problem.reason, span=problem.span)
    notes: list[str] = []
    mask = _mask(statement.conditions, meaning)
    for number, relation in enumerate(statement.relations):
        left, right = statement.sides[number], statement.sides[number + 1]
        if relation not in EQUALITIES:
            return Verdict("unknown", reason=f"the relation {relation} is not judged", link=number)
        found = _link(left, right, meaning, mask)
        if found.outcome != "true":
            return replace(found, link=number, world=meaning.world)
        if found.note and found.note not in notes:
            notes.append(found.note)
    return Verdict("true", "numeric", note="; ".join(notes))


def _single(statement: Statement, meaning: Meaning) -> Verdict:
    """A formula without a relation states nothing, but may be ill-formed."""
    try:
        with_ranges(statement.sides, meaning).value(statement.sides[0])
    except (NotUnderstood, IllFormed, Clash):
        return Verdict("definition")
    return Verdict("definition")


def with_ranges(sides: Sequence[Node], meaning: Meaning) -> Meaning:
    """The meaning with an axis for each index letter that is free in the formula."""
    ranges = dict(meaning.ranges)
    letters: list[str] = []
    for side in sides:
        letters.extend(h for h in free_letters(side) if h not in letters)
    for letter in letters:
        if letter in ranges or letter in meaning.scope.numbers:
            continue
        axis = None
        for side in sides:
            axis = axis or meaning._axis_of_uses(letter, side)
        if axis is not None:
            ranges[letter] = axis
            _check_same(letter, sides, meaning)
    return replace(meaning, ranges=ranges)


def _check_same(letter: str, sides: Sequence[Node], meaning: Meaning) -> None:
    found: list[Axis] = []
    for side in sides:
        axis = meaning._axis_of_uses(letter, side)
        if axis is not None:
            found.append(axis)
    if len({a.label for a in found}) > 1:
        raise IllFormed(
            f"{letter} counts {v.axis_text(found[0])} on one side and {v.axis_text(found[-1])} "
            "on the other",
            sides[-1].span,
            "index",
        )


def free_letters(node: Node) -> tuple[str, ...]:
    """Index letters that no sum binds."""
    kept = node.__dict__.get("_free_letters")
    if kept is None:
        kept = tuple(dict.fromkeys(_free_letters(node)))
        object.__setattr__(node, "_free_letters", kept)
    return kept  # type: ignore[no-any-return]


def _free_letters(node: Node) -> Iterator[str]:
    if isinstance(node, Big):
        bound = {s.head for b in node.bounds for s in walk(b.variable) if isinstance(s, Symbol)}
        inner = [h for child in children(node) for h in free_letters(child)]
        yield from (h for h in inner if h not in bound)
        return
    if isinstance(node, Scripted):
        yield from index_letters(replace(node, base=Number(_ONE, "1", node.span)))
    for child in children(node):
        yield from free_letters(child)


def _with_function_variable(statement: Statement, meaning: Meaning) -> Meaning:
    r"""\sigma(z) = 1/(1+e^{-z}): the definition of a function of any number."""
    variable = function_variable(statement, meaning)
    if variable is None:
        return meaning
    points = meaning.world.values[meaning.world.network.loss].shape[0]
    source = np.random.default_rng(7)
    array = source.uniform(-2, 2, size=(points, 7))
    local = Value(array, ("variable " + variable,))
    return replace(meaning, local={**meaning.local, variable: local})


def function_variable(statement: Statement, meaning: Meaning) -> str | None:
    """The letter of which a statement defines a function: unmarked, in the first side's
    argument, and nowhere with a script."""
    side = statement.sides[0]
    while isinstance(side, Derivative) and side.of is not None:
        side = side.of
    if isinstance(side, Apply):
        factors: tuple[Node, ...] = (side.function, *side.arguments)
    else:
        factors = getattr(side, "factors", ())
    if len(factors) != 2 or meaning._function(factors[0]) is None:
        return None
    argument, scripts = _argument(factors[1])
    if argument is None and isinstance(side, Apply):
        argument = factors[1]
    if scripts or not isinstance(argument, Symbol):
        return None
    head = argument.head
    for other in statement.sides:
        for node in walk(other):
            parts = split(node) if isinstance(node, Scripted) else None
            if parts is not None and parts[0].head == head:
                return None
    family = meaning.settings.letters.get(head, "")
    if family.partition(":")[0] in LAYERED and ":" not in family and meaning.scope.layers > 1:
        return head
    return head if family in ("", "x", "identity") or family not in meaning.world.values else None


# --------------------------------------------------------------------------------------------
# One link
# --------------------------------------------------------------------------------------------


def _mask(conditions: Sequence[Comparison], meaning: Meaning) -> Value | None:
    """1 where the conditions on index letters hold; None where there are none."""
    total: Value | None = None
    for condition in conditions:
        letters = {n.head for n in walk(condition) if isinstance(n, Symbol)}
        if not letters or not letters <= set(meaning.ranges):
            continue
        if not all(
            isinstance(side, (Symbol, Number)) for side in (condition.left, condition.right)
        ):
            continue
        try:
            held = meaning._condition(condition)
        except (NotUnderstood, IllFormed, Clash):
            continue
        total = held if total is None else v.entrywise(total, held, np.multiply)
    return total


def _link(left: Node, right: Node, meaning: Meaning, mask: Value | None = None) -> Verdict:
    values = []
    for side in (left, right):
        try:
            values.append(meaning._spanned(side))
        except Clash as clash:
            span = getattr(clash, "span", side.span)
            return Verdict("false", "shape", clash.reason, span=span)
        except OutOfRange as problem:
            method = "range" if meaning.numbers else "ill-formed"
            span = problem.span or side.span
            return Verdict("false", method, problem.reason, problem.slip, span=span)
        except IllFormed as problem:
            span = problem.span or side.span
            return Verdict("false", "ill-formed", problem.reason, problem.slip, span=span)
        except NotUnderstood as problem:
            method = "mode" if isinstance(problem, OneSample) else ""
            span = problem.span or side.span
            return Verdict("unknown", method, problem.reason, span=span)
    structure = _structure(left, right, meaning)
    found = compare(values[0], values[1], meaning.settings, mask)
    if found.outcome == "true" and structure is not None:
        return structure
    if found.outcome == "true":
        return found
    return replace(found, span=found.span or right.span)


def compare(one: Value, other: Value, settings: Settings, mask: Value | None = None) -> Verdict:
    """Whether two values agree in shape and number, where the mask is 1."""
    fitted = fitting(one, other, settings)
    if isinstance(fitted, Verdict):
        return fitted
    one, other, note = fitted
    if mask is not None and set(mask.free) <= {*one.free, *other.free}:
        one, other = (v.entrywise(mask, side, np.multiply) for side in (one, other))
    free, (a, b) = v.aligned((one, other))
    a, b = np.broadcast_arrays(a, b)
    with np.errstate(all="ignore"):
        gap = np.abs(a - b)
    if not np.all(np.isfinite(gap)):
        return Verdict("unknown", reason="a value is not finite at the points that were tried")
    axes = tuple(range(1, a.ndim))
    scale = np.maximum(np.maximum(np.abs(a).max(axis=axes), np.abs(b).max(axis=axes)), 1e-3)
    relative = gap.max(axis=axes) / scale
    if np.all(relative <= AGREE):
        return Verdict("true", "numeric", note=note)
    if np.all(relative < DIFFER):
        return Verdict("unknown", reason="the sides differ too little to tell from rounding")
    point = int(np.argmax(relative))
    place = np.unravel_index(int(np.argmax(gap[point])), gap[point].shape)
    letters = {name: int(p) + 1 for name, p in zip(free, place, strict=False)}
    entry = tuple(int(p) for p in place[len(free) :])
    left, right = float(np.real(a[point][place])), float(np.real(b[point][place]))
    difference = Difference(left, right, entry, letters, point, _constant_ratio(a, b))
    return Verdict("false", "numeric", f"{left:.6g} is not {right:.6g}", difference=difference)


def fitting(one: Value, other: Value, settings: Settings) -> tuple[Value, Value, str] | Verdict:
    """Both values in one shape, with a note where the reading is a usual abbreviation."""
    if one.identity or other.identity:
        try:
            return v._tamed(one, other), v._tamed(other, one), ""
        except Clash as clash:
            return Verdict("false", "shape", clash.reason)
    if v.fits(one.rows, other.rows) and v.fits(one.cols, other.cols):
        return one, other, ""
    for first, second, turned in ((one, other, False), (other, one, True)):
        zero = second.is_scalar and second.literal and not np.any(second.array)
        if zero and not first.is_scalar:
            return one, other, "0 for an array of zeros"
        slopes = slopes_of(first, settings) if first.axes else None
        if slopes is None:
            continue
        note = "an entrywise function's derivative, written without its zeros"
        fits = v.fits(slopes.rows, second.rows) and v.fits(slopes.cols, second.cols)
        if fits or (second.is_scalar and second.literal):
            pair = (second, slopes) if turned else (slopes, second)
            return *pair, note
    if v.fits(one.rows, other.cols) and v.fits(one.cols, other.rows):
        left, right = v.shape_text(one), v.shape_text(other)
        return Verdict("false", "shape", f"the left side is {left}, the right side {right}", "")
    if max(len(one.axes), len(other.axes)) > 2:
        return Verdict(
            "unknown", reason="a derivative with three indices is compared with something shorter"
        )
    return Verdict(
        "false",
        "shape",
        f"the left side is {v.shape_text(one)}, the right side {v.shape_text(other)}",
    )


def _constant_ratio(a: Any, b: Any) -> float | None:
    """b / a where it is one number everywhere."""
    with np.errstate(all="ignore"):
        large = np.abs(a) > 1e-9
        if not np.any(large) or np.any(np.abs(b[~large]) > 1e-9):
            return None
        ratio = np.real(b[large] / a[large])
    return float(ratio.flat[0]) if np.allclose(ratio, ratio.flat[0], rtol=1e-7) else None


# --------------------------------------------------------------------------------------------
# Structure: what values cannot see
# --------------------------------------------------------------------------------------------


def _structure(left: Node, right: Node, meaning: Meaning) -> Verdict | None:
    """The operator's variable must be the aligned entry's; a literal row lists its elements in
    order."""
    for one, other in ((left, right), (right, left)):
        found = _operators(one, other, meaning)
        if found is not None:
            return found
    for side in (left, right):
        for node in walk(side):
            if isinstance(node, Matrix):
                found = _elements_in_order(node, meaning)
                if found is not None:
                    return found
    return None


def _operators(one: Node, other: Node, meaning: Meaning) -> Verdict | None:
    """d A / d B against an operator d/dB' (E), or against a column of those."""
    if isinstance(one, Matrix) and isinstance(other, Matrix):
        if len(one.rows) == len(other.rows) and len(one.rows[0]) == len(other.rows[0]):
            for first, second in zip(one.rows, other.rows, strict=True):
                for a, b in zip(first, second, strict=True):
                    found = _operators(a, b, meaning)
                    if found is not None:
                        return found
        return None
    if not isinstance(one, Derivative) or one.operator or one.of is None or one.wrt is None:
        return None
    if isinstance(other, Matrix) and len(other.rows[0]) == 1:
        return _column_of_operators(one, [row[0] for row in other.rows], meaning)
    if not isinstance(other, Derivative) or not other.operator:
        return None
    return _operator(one.of, one.wrt, None, other, meaning)


def _column_of_operators(
    whole: Derivative, entries: Sequence[Node], meaning: Meaning
) -> Verdict | None:
    assert whole.of is not None
    assert whole.wrt is not None
    for number, entry in enumerate(entries, start=1):
        if isinstance(entry, Derivative) and entry.operator:
            found = _operator(whole.of, whole.wrt, number, entry, meaning)
            if found is not None:
                return found
    return None


def _operator(
    of: Node, wrt: Node, entry: int | None, operator: Derivative, meaning: Meaning
) -> Verdict | None:
    if operator.wrt is None or operator.of is None:
        return None
    try:
        if not _same_value(wrt, operator.wrt, meaning):
            return Verdict(
                "false",
                "structure",
                "the operator takes the derivative by another variable than the left side",
                "index",
                span=operator.wrt.span,
            )
        top, inner = meaning.value(of), meaning.value(operator.of)
        if entry is not None and len(top.axes) == 1 and inner.is_scalar:
            axis = 1 + len(top.free)
            if entry > top.axes[0].size:
                return None
            top = Value(top.array.take(entry - 1, axis=axis), top.free)
        found = compare(top, inner, meaning.settings)
    except (NotUnderstood, IllFormed, Clash):
        return None
    if found.outcome != "false":
        return None
    reason = "what stands behind the operator is not what the left side derives"
    return replace(found, method="structure", reason=reason, slip="index", span=operator.of.span)


def _same_value(one: Node, other: Node, meaning: Meaning) -> bool:
    a, b = meaning.value(one), meaning.value(other)
    return compare(a, b, meaning.settings).outcome == "true"


def _elements_in_order(matrix: Matrix, meaning: Meaning) -> Verdict | None:
    """A literal matrix that lists the entries of one quantity lists them in order."""
    cells = [cell for row in matrix.rows for cell in row]
    parts = [split(cell) if isinstance(cell, Scripted) else None for cell in cells]
    if len(cells) < 2 or any(p is None for p in parts):
        return None
    heads = {p[0].head for p in parts if p is not None}
    if len(heads) != 1:
        return None
    try:
        references = [meaning.scope.resolve(cell) for cell in cells]
    except (NotUnderstood, IllFormed):
        return None
    names = {r.name for r in references}
    if len(names) > 1:
        odd = _odd_one([r.name for r in references])
        return Verdict(
            "false", "structure", "one entry is of another layer", "layer", span=cells[odd].span
        )
    try:
        places = [
            tuple(
                meaning.scope.whole(p)
                for p in meaning._split_digits(
                    r.indices,
                    (2, 2) if r.indices and len(meaning.world.axes(r.name)) == 2 else (1, 1),
                )
            )
            for r in references
        ]
    except (NotUnderstood, IllFormed):
        return None
    height, width = len(matrix.rows), len(matrix.rows[0])
    if {len(p) for p in places} == {1} and 1 in (height, width):
        expected = [(n,) for n in range(1, len(cells) + 1)]
        orders = [expected]
    elif {len(p) for p in places} == {2}:
        rows = [(i, j) for i in range(1, height + 1) for j in range(1, width + 1)]
        orders = [rows, [(j, i) for i, j in rows]]
        if 1 in (height, width):
            fixed = {p[0] for p in places}, {p[1] for p in places}
            if len(fixed[0]) == 1 or len(fixed[1]) == 1:
                k = next(iter(fixed[0] if len(fixed[0]) == 1 else fixed[1]))
                count = range(1, len(cells) + 1)
                orders = [[(k, n) for n in count], [(n, k) for n in count]]
    else:
        return None
    if places in orders:
        return None
    best = min(orders, key=lambda o: sum(a != b for a, b in zip(o, places, strict=True)))
    wrong = [n for n, (a, b) in enumerate(zip(best, places, strict=True)) if a != b]
    if len(wrong) > len(cells) // 2:
        return None
    return Verdict(
        "false",
        "structure",
        "the entries are not listed in order",
        "index",
        span=cells[wrong[0]].span,
    )


def _odd_one(names: Sequence[str]) -> int:
    common = max(sorted(set(names)), key=list(names).count)
    return next(n for n, name in enumerate(names) if name != common)


# --------------------------------------------------------------------------------------------


def is_literal(statement: Statement) -> bool:
    """Whether the formula names entries or sizes by number, so that only the user's own sizes
    make sense."""
    return any(_is_literal(node) for side in statement.sides for node in walk(side))


def _is_literal(node: Node) -> bool:
    match node:
        case Matrix(rows=rows):
            return len(rows) * len(rows[0]) > 1
        case Group(items=items):
            return len(items) > 1 and not isinstance(items[0], Comparison) and node.bracket == "["
        case Big(bounds=bounds):
            ends = [e for b in bounds for e in (b.lower, b.upper) if e is not None]
            numbers = [e for e in ends if isinstance(e, Number) and e.value > 1]
            return bool(numbers) or any(
                isinstance(c.right, Number) for b in bounds for c in b.conditions
            )
        case Scripted(scripts=scripts):
            below = [p for s in scripts if s.place == "below" for p in s.parts]
            return any(isinstance(p, Number) for p in below)
    return False


_ONE = Fraction(1)
