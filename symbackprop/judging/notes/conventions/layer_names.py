r"""Layers that have letters for numbers: W^{(H)} and W^{(O)}, W_h and W_o.

Owns: which letters mark layers, and the formulas with numbers in their place. Refuses: letters of
which the order is not known. Would be wrong if an index h were taken for the hidden layer: only
letters that stand with a weight or a bias in that place, one for each layer, are names.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from symbackprop.judging.notes.formula.symbols import split
from symbackprop.reading.latex.syntax import (
    Node,
    Number,
    Script,
    Scripted,
    Statement,
    Symbol,
    rebuilt,
    walk,
)

INPUT = frozenset({"I", "in", "x", "input"})
HIDDEN = frozenset({"H", "h", "hid", "hidden"})
OUTPUT = frozenset({"O", "o", "out", "y", "output"})
PARAMETERS = frozenset({"W", "w", "b", r"\theta", r"\Theta"})
_CLOSING = {"(": ")", "[": "]", r"\{": r"\}"}
LAYERED = PARAMETERS | frozenset({"z", "Z", "a", "A", "h", "H", "s", "u", "o", r"\delta", "net"})


@dataclass(frozen=True)
class LayerNames:
    """The letters of layers with their numbers, and where they stand."""

    numbers: Mapping[str, int]
    frames: frozenset[tuple[str, str]]

    def in_letters(self, latex: str) -> str:
        """A formula that was put right, with the letters again where it has numbers now."""
        letters = {str(n): letter for letter, n in self.numbers.items() if n}
        for place, bracket in sorted(self.frames):
            sign = re.escape("^" if place == "above" else "_")
            opening, closing = re.escape(bracket), re.escape(_CLOSING.get(bracket, ""))
            mark = re.compile(rf"({sign}(?:\{{)?{opening})([12])(?=\}}|{closing or '(?![0-9])'})")
            latex = mark.sub(lambda m: m[1] + letters.get(m[2], m[2]), latex)
        return latex


def layer_names(statements: Sequence[Statement], depth: int) -> LayerNames | None:
    """The letters at weights and biases, if there is one for each of two layers."""
    found: dict[tuple[str, str], set[str]] = {}
    for statement in statements:
        for node in (n for side in statement.sides for n in walk(side)):
            parts = split(node) if isinstance(node, Scripted) else None
            if parts is None or parts[0].head not in PARAMETERS:
                continue
            for script in parts[1]:
                letter = _letter(script)
                if letter is not None and letter not in ("l", "L", r"\ell", "T"):
                    found.setdefault(script.frame, set()).add(letter)
    for frame, letters in sorted(found.items()):
        hidden, last = sorted(letters & HIDDEN), sorted(letters & OUTPUT)
        if depth == 2 and len(letters) == 2 and len(hidden) == len(last) == 1:
            numbers = {**dict.fromkeys(INPUT - letters, 0), hidden[0]: 1, last[0]: 2}
            return LayerNames(numbers, frozenset({frame}))
    return None


def _letter(script: Script) -> str | None:
    if script.kind != "group" or len(script.parts) != 1:
        return None
    part = script.parts[0]
    return part.head if isinstance(part, Symbol) else None


def numbered_layers(statement: Statement, names: LayerNames) -> Statement:
    """The formula with numbers for the names of layers."""

    def numbered(node: Node) -> Node:
        parts = split(node) if isinstance(node, Scripted) else None
        if parts is None or not isinstance(node, Scripted) or parts[0].head not in LAYERED:
            return node
        return replace(node, scripts=tuple(_numbered(s, names) for s in node.scripts))

    return replace(statement, sides=tuple(rebuilt(side, numbered) for side in statement.sides))


def _numbered(script: Script, names: LayerNames) -> Script:
    letter = _letter(script)
    if letter is None or letter not in names.numbers or script.frame not in names.frames:
        return script
    number = names.numbers[letter]
    return replace(script, parts=(Number(Fraction(number), str(number), script.parts[0].span),))
