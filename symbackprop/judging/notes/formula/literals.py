"""What is written out: matrices, cases, conditions, Kronecker deltas, norms.

Owns: the value of each of these nodes. Refuses: bars around a vector, and entries that do not fit
together. Would be wrong if rows were set side by side, or a later case taken where an earlier
one holds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from symbackprop.judging.notes.formula import values as v
from symbackprop.judging.notes.formula.entries import places_of
from symbackprop.judging.notes.formula.letters import looks_kronecker
from symbackprop.judging.notes.formula.meaning import Meaning
from symbackprop.judging.notes.formula.symbols import CLASS_NUMBER, NotUnderstood, split
from symbackprop.judging.notes.formula.values import Clash, Value
from symbackprop.reading.latex.syntax import Comparison, Node, Norm, Number, Symbol
from symbackprop.witnesses.axes import Array, Axis
from symbackprop.witnesses.truth import World


def kronecker(meaning: Meaning, node: Node) -> Value | None:
    r"""\delta_{jk} and 1_{jk}, where both letters are indices and no layer is marked."""
    parts = split(node)
    if parts is None or not looks_kronecker(*parts, meaning.settings):
        return None
    one, other = parts[1][0].parts
    if not all(_counts(meaning, part) for part in (one, other)):
        return None
    if meaning.settings.letters.get(parts[0].head) == "delta":
        letters = (p for p in (one, other) if isinstance(p, Symbol) and p.head in meaning.ranges)
        labels = {meaning.ranges[letter.head].label for letter in letters}
        if len(labels) > 1:
            return None  # \\delta_{nk}: unit k of sample n
    a, b = places_of(meaning, one), places_of(meaning, other)
    return v.entrywise(a, b, lambda p, q: (p == q).astype(float))


def _counts(meaning: Meaning, node: Node) -> bool:
    """Whether a node is a place on an axis: an index letter, a number, the true class."""
    is_class = isinstance(node, Symbol) and node.head in meaning.settings.classes
    return is_class or meaning.is_letter(node) or isinstance(node, Number)


def refuse_class_numbers(meaning: Meaning, one: Node, other: Node) -> None:
    """i = y, where labels are no whole numbers: y stands for the number of the true class."""
    for index, label in ((one, other), (other, one)):
        parts = split(label)
        family = meaning.settings.letters.get(parts[0].head) if parts else None
        if meaning.is_letter(index) and family == "y" and parts is not None and not parts[1]:
            raise NotUnderstood(CLASS_NUMBER, label.span)


def _compared(meaning: Meaning, node: Node, other: Node) -> Value:
    if isinstance(node, Symbol) and meaning.is_letter(other):
        number = meaning.settings.classes.get(node.head)
        if number is not None:
            return v.number(number)
    return meaning.value(node)


def condition_value(meaning: Meaning, node: Comparison) -> Value:
    if not meaning.settings.classes:
        refuse_class_numbers(meaning, node.left, node.right)
    one = _compared(meaning, node.left, node.right)
    other = _compared(meaning, node.right, node.left)
    relations: dict[str, Any] = {
        "=": np.equal,
        r"\neq": np.not_equal,
        "<": np.less,
        ">": np.greater,
        r"\leq": np.less_equal,
        r"\geq": np.greater_equal,
    }
    if node.relation not in relations:
        raise NotUnderstood(f"the condition {node.relation}", node.span)
    relation = relations[node.relation]
    counts = all(_counts(meaning, side) for side in (node.left, node.right))

    def hold(a: Array, b: Array) -> Array:
        held = relation(np.real(a), np.real(b))
        return np.asarray(held if counts else meaning.decided(held, node)).astype(float)

    return replace(v.entrywise(one, other, hold), literal=False)


def cases_value(
    meaning: Meaning, branches: Sequence[tuple[Node, Node | None]], node: Node
) -> Value:
    total: Value | None = None
    left = v.number(1.0)
    for content, condition in branches:
        value = meaning.value(content)
        held = left
        if condition is not None:
            if not isinstance(condition, Comparison):
                raise NotUnderstood("the condition of a case", condition.span)
            true = condition_value(meaning, condition)
            held = v.entrywise(left, true, np.multiply)
            left = v.entrywise(left, v.mapped(true, lambda a: 1 - a), np.multiply)
        part = v.entrywise(held, value, np.multiply)
        total = part if total is None else v.entrywise(total, part, np.add)
    assert total is not None
    return replace(total, literal=False)


def norm_value(meaning: Meaning, node: Norm) -> Value:
    value = meaning.value(node.content)
    if value.is_scalar:
        below = meaning.decided(np.real(value.array) < 0, node)
        return v.mapped(value, lambda a: np.where(below, -a, a))
    if node.single:
        raise NotUnderstood("bars around a vector", node.span)
    return v.mapped(v.total(v.mapped(value, np.square)), np.sqrt)


def matrix_value(meaning: Meaning, rows: Sequence[Sequence[Node]]) -> Value:
    """A literal matrix: of numbers, or of rows or columns set together."""
    cells = [[meaning.spanned(entry) for entry in row] for row in rows]
    flat = [cell for row in cells for cell in row]
    if not flat:
        raise NotUnderstood("brackets with nothing in them")
    if len(flat) == 1:
        return flat[0]
    free, arrays = v.aligned(flat)
    head = np.broadcast_shapes(*(a.shape[: 1 + len(free)] for a in arrays))
    if not all(cell.is_scalar for cell in flat):
        return _set_together(cells, arrays, free, head)
    stacked = np.stack([np.broadcast_to(a, head) for a in arrays], axis=-1)
    features = {c.feature for c in flat}
    label = features.pop() if len(features) == 1 else ""
    return _of_numbers(stacked, free, (len(cells), len(cells[0])), label, meaning.world)


def _of_numbers(
    stacked: Array, free: tuple[str, ...], shape: tuple[int, int], label: str, world: World
) -> Value:
    """A row, a column or a matrix of numbers that lie along the last axis."""
    height, width = shape
    if height == 1:
        return Value(stacked, free, (), (_labelled(label, width, world),))
    if width == 1:
        return Value(stacked, free, (_labelled(label, height, world),), ())
    array = stacked.reshape(*stacked.shape[:-1], height, width)
    return Value(array, free, (Axis("", height),), (Axis("", width),))


def _labelled(label: str, size: int, world: World) -> Axis:
    return Axis(label if world.sizes.get(label) == size else "", size)


def _set_together(
    cells: Sequence[Sequence[Value]], arrays: Sequence[Array], free: tuple[str, ...], head: Any
) -> Value:
    flat = [cell for row in cells for cell in row]
    rows, cols = flat[0].rows, flat[0].cols
    for cell in flat:
        if not (v.fits(cell.rows, rows) and v.fits(cell.cols, cols)):
            raise Clash("the entries of a matrix have different shapes")
        rows, cols = v.merged(rows, cell.rows), v.merged(cols, cell.cols)
    tail = tuple(axis.size for axis in (*rows, *cols))
    full = [np.broadcast_to(a, (*head, *tail)) for a in arrays]
    if len(cells) == 1 and not cols and len(rows) == 1:
        return Value(np.stack(full, axis=-1), free, rows, (Axis("", len(flat)),))
    if len(cells[0]) == 1 and not rows and len(cols) == 1:
        return Value(np.stack(full, axis=-2), free, (Axis("", len(flat)),), cols)
    raise Clash("the entries of a matrix are not numbers, nor columns side by side, nor rows")
