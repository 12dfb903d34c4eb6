r"""What a note says of the sizes of its letters.

Owns: `Shape` and `shapes_of`: W \in \mathbb{R}^{4 \times 3}, and arrays that are given in numbers.
Refuses: which axis is which; that hangs on the layers.
Would be wrong if the number of samples were taken for the size of a layer.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from symbackprop.judging.notes.formula.symbols import split
from symbackprop.judging.notes.own.syntax import Key, Reader, Written, scripts_of
from symbackprop.networks.file import LARGEST_SIZE, may_name_size
from symbackprop.reading.latex.syntax import (
    Group,
    Matrix,
    Node,
    Number,
    Product,
    Script,
    Scripted,
    Symbol,
)

SPACES = frozenset({r"\mathbb{R}", "R"})


@dataclass(frozen=True)
class Shape:
    """What a letter's size is said to be, one number for each axis as written."""

    key: Key
    sizes: tuple[int | str, ...]
    written: Written


def shapes_of(written: Written, reader: Reader) -> Iterator[Shape]:
    statement = written.statement
    pairs = list(zip(statement.sides, statement.relations, statement.sides[1:], strict=False))
    pairs += [(c.left, c.relation, c.right) for c in statement.conditions]
    for left, relation, right in pairs:
        for one in left.items if isinstance(left, Group) else (left,):
            key = reader.key(one)
            if key is None or _has_index(one):
                continue
            sizes = _of_space(right) if relation == r"\in" else _of_numbers(right)
            if sizes:
                yield Shape(key, sizes, written)


def _has_index(node: Node) -> bool:
    return any(s.place == "below" and s.bracket == "" and _is_plain(s) for s in scripts_of(node))


def _is_plain(script: Script) -> bool:
    return len(script.parts) > 1 or not all(isinstance(p, Number) for p in script.parts)


def _of_space(node: Node) -> tuple[int | str, ...]:
    r"""The sizes in \mathbb{R}^{4 \times 3}."""
    parts = split(node)
    if parts is None or parts[0].head not in SPACES or len(parts[1]) != 1:
        return ()
    whole = parts[1][0].whole
    factors = whole.factors if isinstance(whole, Product) else (whole,)
    sizes = tuple(map(_size, factors))
    return sizes if any(sizes) and len(sizes) < 3 else ()


def _size(node: Node) -> int | str:
    """A whole number, or a name such as n_1; 0 for neither."""
    if isinstance(node, Number):
        is_size = node.value.denominator == 1 and 1 <= node.value <= LARGEST_SIZE
        return int(node.value) if is_size else 0
    parts = split(node)
    if parts is None:
        return 0
    heads = [parts[0].head]
    for script in parts[1]:
        if script.kind != "group" or len(script.parts) != 1:
            return 0
        part = script.parts[0]
        match part:
            case Number(text=text) | Symbol(head=text):
                heads.append(text)
            case _:
                return 0
    name = "_".join(heads).replace("\\", "")
    return name if may_name_size(name) else 0


def _of_numbers(node: Node) -> tuple[int | str, ...]:
    """The sizes of a matrix or a vector that is written in numbers."""
    match node:
        case Scripted(base=base, scripts=(script,)) if script.kind == "transpose":
            return tuple(reversed(_of_numbers(base)))
        case Matrix(rows=rows) if len(rows) * len(rows[0]) > 1:
            return (
                (len(rows), len(rows[0]))
                if 1 not in (len(rows), len(rows[0]))
                else (max(len(rows), len(rows[0])),)
            )
        case Group(items=items) if len(items) > 1 and all(isinstance(i, Number) for i in items):
            return (len(items),)
    return ()
