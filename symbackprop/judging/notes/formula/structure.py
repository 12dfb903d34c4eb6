"""Structural rules: what values cannot see.

Owns: the operator's variable must be the aligned entry's; a literal matrix lists the entries of
one quantity in order. Refuses: everything that values decide. Would be wrong if an order that a
note chooses on purpose were called a slip.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from symbackprop.judging.notes.formula.compare import Verdict, compare
from symbackprop.judging.notes.formula.entries import split_digits
from symbackprop.judging.notes.formula.meaning import Meaning
from symbackprop.judging.notes.formula.symbols import IllFormed, NotUnderstood, Reference, split
from symbackprop.judging.notes.formula.values import Clash, Value
from symbackprop.reading.latex.syntax import Derivative, Matrix, Node, Scripted, walk

Place = tuple[int, ...]


def broken_rule(left: Node, right: Node, meaning: Meaning) -> Verdict | None:
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
    return None


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
    references = _of_one_head(cells, meaning)
    if references is None:
        return None
    names = [r.name for r in references]
    if len(set(names)) > 1:
        return _out_of_line("one entry is of another layer", "layer", cells[_odd_one(names)])
    places = _written_places(references, meaning)
    orders = _orders(places, len(matrix.rows), len(matrix.rows[0])) if places else []
    if not places or not orders or places in orders:
        return None
    best = min(orders, key=lambda o: sum(a != b for a, b in zip(o, places, strict=True)))
    wrong = [n for n, (a, b) in enumerate(zip(best, places, strict=True)) if a != b]
    if len(wrong) > len(cells) // 2:
        return None
    return _out_of_line("the entries are not listed in order", "index", cells[wrong[0]])


def _out_of_line(reason: str, slip: str, cell: Node) -> Verdict:
    return Verdict("false", "structure", reason, slip, span=cell.span)


def _of_one_head(cells: Sequence[Node], meaning: Meaning) -> list[Reference] | None:
    """What the cells refer to, where each is a letter with scripts, and all the same letter."""
    parts = [split(cell) if isinstance(cell, Scripted) else None for cell in cells]
    if len(cells) < 2 or any(p is None for p in parts):
        return None
    if len({p[0].head for p in parts if p is not None}) != 1:
        return None
    try:
        return [meaning.scope.resolve(cell) for cell in cells]
    except (NotUnderstood, IllFormed):
        return None


def _written_places(references: Sequence[Reference], meaning: Meaning) -> list[Place] | None:
    """The indices of each entry as numbers; None where one is no number."""
    found: list[Place] = []
    for reference in references:
        if reference.kind not in ("tensor", "adjoint"):
            return None
        double = reference.indices and len(meaning.world.axes(reference.name)) == 2
        indices = split_digits(reference.indices, (2, 2) if double else (1, 1))
        try:
            found.append(tuple(meaning.scope.whole(index) for index in indices))
        except (NotUnderstood, IllFormed):
            return None
    return found


def _orders(places: Sequence[Place], height: int, width: int) -> list[list[Place]]:
    """The orders in which entries may be listed; none where the indices follow no pattern."""
    lengths, line = {len(p) for p in places}, 1 in (height, width)
    count = range(1, len(places) + 1)
    if lengths == {1} and line:
        return [[(n,) for n in count]]
    if lengths != {2}:
        return []
    first, second = {p[0] for p in places}, {p[1] for p in places}
    if line and 1 in (len(first), len(second)):
        k = next(iter(first if len(first) == 1 else second))
        return [[(k, n) for n in count], [(n, k) for n in count]]
    rows = [(i, j) for i in range(1, height + 1) for j in range(1, width + 1)]
    return [[*rows], [(j, i) for i, j in rows]]


def _odd_one(names: Sequence[str]) -> int:
    common = max(sorted(set(names)), key=list(names).count)
    return next(n for n, name in enumerate(names) if name != common)
