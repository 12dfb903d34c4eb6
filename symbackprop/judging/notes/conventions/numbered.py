r"""Names that a note numbers itself: the nodes q_1, q_2, … of a computation graph.

Owns: `numbered_names`, which letters are such names, with the definition of each number.
Refuses: layers and units, which a number below a letter may be as well.
Would be wrong if the units or layers of the network passed for such names: a slip in their
formulas would then define something instead of being one.

A letter is a row of names where the note defines it for 1, 2, … n, each time by one number below
the letter, nothing else; where n is more than the layers of the network, and most of the
definitions go back to earlier names and none to later ones. Layers are fewer, and units of one
layer do not depend on each other.
"""

from __future__ import annotations

from collections.abc import Iterable

from symbackprop.judging.notes.formula.judge import EQUALITIES
from symbackprop.judging.notes.formula.settings import Alias
from symbackprop.reading.latex.syntax import Node, Number, Scripted, Statement, Symbol, walk

FEWEST = 3


def numbered_names(statements: Iterable[Statement], depth: int) -> dict[str, tuple[Alias, ...]]:
    """The letters that are rows of names, with their definitions in order."""
    found: dict[str, dict[int, Alias]] = {}
    for statement in statements:
        if len(statement.sides) < 2 or statement.relations[0] not in EQUALITIES:
            continue
        name, node = statement.sides[:2]
        named = _numbered(name)
        if named is not None and not statement.continues:
            letter, number = named
            alias = Alias(name, node, statement.span.start)
            found.setdefault(letter, {}).setdefault(number, alias)
    return {
        letter: tuple(defined[number] for number in sorted(defined))
        for letter, defined in found.items()
        if _is_row(letter, defined, depth)
    }


def _is_row(letter: str, defined: dict[int, Alias], depth: int) -> bool:
    last = len(defined)
    if sorted(defined) != list(range(1, last + 1)) or last <= max(depth + 1, FEWEST - 1):
        return False
    used = {number: _uses(letter, alias.node) for number, alias in defined.items()}
    if any(numbers is None or max(numbers, default=0) >= n for n, numbers in used.items()):
        return False
    return 2 * sum(bool(numbers) for numbers in used.values()) > last


def _uses(letter: str, node: Node) -> set[int] | None:
    """The numbers under which a letter stands in a formula; None if it also stands otherwise."""
    alone = sum(isinstance(n, Symbol) and n.head == letter for n in walk(node))
    numbers = [named[1] for n in walk(node) if (named := _numbered(n)) and named[0] == letter]
    return set(numbers) if len(numbers) == alone else None


def _numbered(node: Node) -> tuple[str, int] | None:
    """q and 3 for q_3, whatever power stands above it."""
    if not (isinstance(node, Scripted) and isinstance(node.base, Symbol)):
        return None
    below = [s for s in node.scripts if s.place == "below"]
    above = [s for s in node.scripts if s.place != "below"]
    if len(below) != 1 or below[0].bracket or len(below[0].parts) != 1:
        return None
    number = below[0].parts[0]
    if not isinstance(number, Number) or number.value.denominator != 1:
        return None
    powers = all(not s.bracket and isinstance(s.parts[0], Number) for s in above if s.parts)
    return (node.base.head, int(number.value)) if powers else None
