r"""Which line of a note is its loss, and which loss it is by its form.

Owns: `Loss` and `loss_of`. Refuses: losses that the catalogue does not have, and whether the line
holds: its constants are judged afterwards like any line's.
Would be wrong if the derivative or the chosen entry of a loss, -\log \hat y_c, were taken for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from symbackprop.judging.notes.conventions.search import INDEX_LETTERS, LOSSES
from symbackprop.judging.notes.formula.judge import EQUALITIES
from symbackprop.judging.notes.formula.symbols import function_called, split
from symbackprop.judging.notes.own.functions import replaced
from symbackprop.judging.notes.own.syntax import Key, Reader, Written, scripts_of
from symbackprop.reading.latex.syntax import (
    Apply,
    Big,
    Derivative,
    Group,
    Node,
    Norm,
    Number,
    Product,
    Quotient,
    Scripted,
    Sum,
    Symbol,
    heads_below,
    walk,
)


@dataclass(frozen=True)
class Loss:
    """A line that says what the loss is. `of` are the letters in it; `counted` where it says how
    the samples are taken together, by a second sum, a division or a loss of each sample;
    `spread` where it adds up over the units of the output."""

    kind: str
    half: bool
    of: tuple[Key, ...]
    divided: bool
    counted: bool
    spread: bool
    written: Written
    name: str

    @property
    def is_plain(self) -> bool:
        """Whether its letter stands alone on the left."""
        return isinstance(self.written.statement.sides[0], Symbol)


def loss_of(written: Written, reader: Reader) -> Loss | None:
    statement = written.statement
    if len(statement.sides) < 2 or statement.relations[0] not in EQUALITIES:
        return None
    name = loss_name(statement.sides[0])
    for side in statement.sides[1:] if name else ():
        nodes = walk(side)
        kind = _kind(side, reader)
        if kind and not any(isinstance(n, Derivative) for n in nodes):
            keys = tuple(reader.quantities(_without_scale(side)))
            sums = sum(len(n.bounds) for n in nodes if isinstance(n, Big))
            divided = any(_is_count(n) for n in nodes)
            half = kind == "squared_error" and any(_has_half(n) for n in nodes)
            counted, spread = divided or sums > 1, _is_spread(statement.sides[0], nodes, divided)
            return Loss(kind, half, keys, divided, counted, spread, written, name)
    return None


def _is_spread(left: Node, nodes: Sequence[Node], divided: bool) -> bool:
    """Whether a loss is of several outputs: by a norm, a product of vectors, a sum beside that over
    samples, or an entry that no sum runs over."""
    bounds = [b for n in nodes if isinstance(n, Big) for b in n.bounds]
    turned = any(s.kind == "transpose" for n in nodes for s in scripts_of(n))
    below = [p for n in nodes for s in scripts_of(n) if s.place == "below" for p in s.parts]
    own = heads_below(left, *(b.variable for b in bounds))
    entries = {p.head for p in below if isinstance(p, Symbol) and p.head in INDEX_LETTERS} - own
    norms = any(isinstance(n, Norm) for n in nodes)
    return len(bounds) > divided or turned or norms or bool(entries)


def _kind(side: Node, reader: Reader) -> str:
    """Which loss a side is by its form; "" for none of the catalogue."""
    logs = [n for n in walk(side) if isinstance(n, Apply) and _is_log(n)]
    if not logs:
        return "squared_error" if any(map(_is_square, walk(side))) else ""
    products = [n for n in walk(side) if isinstance(n, Product)]
    weighed = [p for p in products if any(f in logs for f in p.factors)]
    others_of = (f for p in weighed for f in p.factors if f not in logs)
    if not any(reader.quantities(f) for f in others_of):
        return ""  # y log(a), not log(a)
    others = any(_is_one_minus(a) for n in logs for a in n.arguments)
    return "binary_cross_entropy" if others else "cross_entropy"


def loss_name(side: Node) -> str:
    r"""The letter of a loss: L, L(\hat y, y), E_n, \mathcal{L}; "" for another."""
    match side:
        case Product(sign="", factors=(letter, Group())):
            side = letter
    if isinstance(side, Apply):
        side = side.function
    parts = split(side)
    if parts is None or any(s.kind != "group" for s in parts[1]):
        return ""
    head = parts[0].head
    return head if head in LOSSES or head == "e" or head.startswith(r"\mathcal{") else ""


def _is_log(node: Apply) -> bool:
    return isinstance(node.function, Symbol) and function_called(node.function.head) == "log"


def _is_one_minus(node: Node) -> bool:
    match node:
        case Group(items=(one,)):
            return _is_one_minus(one)
        case Sum(signs=(1, -1), terms=(Number(text="1"), _)):
            return True
    return False


def _is_square(node: Node) -> bool:
    r"""(y - a)^2, \|y - a\|^2, (y - a)^\top (y - a)."""
    if isinstance(node, Product):
        return len({_difference(f) for f in node.factors if _difference(f)}) == 1 and (
            sum(bool(_difference(f)) for f in node.factors) == 2
        )
    if not isinstance(node, Scripted) or not _difference(node.base):
        return False
    powers = [p for s in node.scripts if s.place == "above" for p in s.parts]
    return any(isinstance(p, Number) and p.text == "2" for p in powers)


def _difference(node: Node) -> frozenset[str]:
    """The letters of a difference of two quantities in brackets or bars."""
    match node:
        case Norm(content=Sum(signs=signs)) if sorted(signs) == [-1, 1]:
            return heads_below(node.content)
        case Group(items=(Sum(signs=signs) as inner,)) if sorted(signs) == [-1, 1]:
            return heads_below(inner) if all(split(t) for t in inner.terms) else frozenset()
        case Scripted(base=base, scripts=scripts) if scripts[0].kind == "transpose":
            return _difference(base)
    return frozenset()


def _without_scale(side: Node) -> Node:
    """Without divisions of a number: 1/N says nothing of the letters of a loss."""
    nodes = (n for n in walk(side) if isinstance(n, Quotient))
    scales = [n for n in nodes if isinstance(n.numerator, Number)]
    one = Number(Fraction(1), "1", side.span)
    return replaced(side, lambda n: n in scales, one) if scales else side


def _is_count(node: Node) -> bool:
    """1/N: a division by a letter."""
    return isinstance(node, Quotient) and bool(heads_below(node.denominator))


def _has_half(node: Node) -> bool:
    if not isinstance(node, Quotient):
        return False
    numbers = [n for n in walk(node.denominator) if isinstance(n, Number)]
    return any(n.value == Fraction(2) for n in numbers)
