r"""One layer mark for a note that has several: z^{[l]} here, z^l there.

Owns: whether a note has more than one, which is taken, and its formulas in that one. Refuses:
numbers in another mark, which may be samples or powers. Would be wrong if a sample were taken for
a layer: only marks with the letter of layers in them are changed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from symbackprop.judging.notes.conventions.search import mark_of
from symbackprop.notation import LayerMark
from symbackprop.reading.latex.syntax import (
    Node,
    Script,
    Scripted,
    Statement,
    heads_below,
    rebuilt,
    walk,
)

LAYERS = frozenset({"l", "L", r"\ell"})


def one_mark(statements: Sequence[Statement], depth: int) -> LayerMark | None:
    """The mark of a note that writes the letter of layers above in several ways, else None."""
    frames: Counter[tuple[str, str]] = Counter()
    for node in (n for s in statements for side in s.sides for n in walk(side)):
        if isinstance(node, Scripted):
            frames.update(script.frame for script in node.scripts if _is_of_layer(script))
    if len(frames) < 2:
        return None
    mark = mark_of(statements, depth)
    return mark if mark.frame in frames else None


def _is_of_layer(script: Script) -> bool:
    if script.place != "above" or script.kind != "group" or len(script.parts) != 1:
        return False
    letters = heads_below(script.parts[0])
    return bool(letters) and letters <= LAYERS


def with_mark(statement: Statement, mark: LayerMark) -> Statement:
    """The formula with that mark wherever a letter of layers stands above."""

    def marked(node: Node) -> Node:
        if not isinstance(node, Scripted) or not any(map(_is_of_layer, node.scripts)):
            return node
        scripts = tuple(
            replace(s, bracket=mark.opening, place=mark.place) if _is_of_layer(s) else s
            for s in node.scripts
        )
        return replace(node, scripts=scripts)

    return replace(statement, sides=tuple(rebuilt(side, marked) for side in statement.sides))
