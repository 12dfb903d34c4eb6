"""What the syntax alone says of letters: heads, indices, the argument of a function.

Owns: questions about nodes that need no settings and no network. Refuses: values and axes.
Would be wrong if a letter that a sum binds were counted as free.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from fractions import Fraction
from typing import Any, TypeVar

from symbackprop.judging.notes.formula.settings import Settings
from symbackprop.judging.notes.formula.symbols import EULER, NotUnderstood, split
from symbackprop.reading.latex.syntax import (
    Big,
    Dots,
    Group,
    Node,
    Number,
    Script,
    Scripted,
    Sum,
    Symbol,
    children,
    heads_below,
    remembered,
)

N = TypeVar("N", bound=Node)
_ONE = Fraction(1)


def looks_kronecker(symbol: Symbol, scripts: tuple[Script, ...], settings: Settings) -> bool:
    r"""\delta_{jk}: two indices and nothing else. Where layers are marked below, \delta_{2,k} is
    the error of unit k of layer 2; where errors have no layer, \delta_{nk} that of sample n."""
    if symbol.head not in (r"\delta", "1", r"\mathbf{1}") or len(scripts) != 1:
        return False
    if scripts[0].place != "below" or len(scripts[0].parts) != 2:
        return False
    if not settings.letters.get(symbol.head, "").startswith("delta"):
        return True
    of_layer = settings.mark.looks_like_index and isinstance(scripts[0].parts[0], Number)
    return settings.kronecker and not of_layer


def exponent_of(symbol: Symbol, scripts: tuple[Script, ...], settings: Settings) -> Node | None:
    """The x of e^{x}, and the 1 of a plain e that the note uses as a number; None where e has
    another meaning, or scripts that are no exponent: e^\\top, e', e_k."""
    if symbol.head != "e" or settings.letters.get("e", EULER) != EULER:
        return None
    match scripts:
        case () if "e" in settings.letters:
            return Number(_ONE, "1", symbol.span)
        case (Script(kind="inverse", span=span),):
            return Number(-_ONE, "-1", span)
        case (Script(kind="group", place="above", bracket="", parts=(_, *_)) as script,):
            return script.whole
    return None


def may_be_power(script: Script) -> bool:
    return script.kind == "group" and script.place == "above" and not script.bracket


def names_a_norm(script: Script) -> bool:
    r"""\|A\|_F and \|a\|_2: which norm it is."""
    if script.place != "below" or len(script.parts) != 1:
        return False
    part = script.parts[0]
    return (isinstance(part, Symbol) and part.head == "F") or (
        isinstance(part, Number) and part.text == "2"
    )


def is_whole(node: Node) -> bool:
    """`:` and a dot: the whole axis."""
    return isinstance(node, Dots) or (isinstance(node, Symbol) and node.head in (":", r"\cdot"))


def head_of(node: Node) -> str:
    parts = split(node)
    if parts is None or parts[1]:
        raise NotUnderstood("the letter of a sum", node.span)
    return parts[0].head


def head_or_none(node: Node | None) -> str | None:
    match node:
        case Symbol(head=head):
            return head
        case Group(items=(one,)):
            return head_or_none(one)
        case Sum(terms=terms):
            found = [h for t in terms if (h := head_or_none(t)) is not None]
            return found[0] if len(found) == 1 else None
    return None


@remembered
def index_letters(node: Node) -> Iterable[str]:
    """Letters that stand as indices somewhere below a node, in reading order."""
    return dict.fromkeys(_index_letters(node))


def _index_letters(node: Node) -> Iterator[str]:
    if isinstance(node, Scripted):
        for script in node.scripts:
            if script.kind == "group":
                yield from (h for p in script.parts if (h := head_or_none(p)) is not None)
    for child in children(node):
        yield from index_letters(child)


def without_brackets(node: N) -> N | Scripted:
    """(x^2)_i counts what x^2_i does."""
    match node:
        case Scripted(
            base=Group(bracket="(", items=(Scripted(base=Symbol() as base, scripts=known),)),
            scripts=scripts,
        ) if not any(script.place == "below" for script in known):
            return Scripted(base, (*known, *scripts), node.span)
    return node


def argument_of(node: Node) -> tuple[Node | None, tuple[Any, ...]]:
    """The parenthesised argument of a function, and the scripts behind it."""
    match node:
        case Group(bracket=("(" | "[" | r"\{"), items=(one,)):
            return one, ()
        case Scripted(base=Group(bracket=("(" | "[" | r"\{"), items=(one,)), scripts=scripts):
            return one, scripts
    return None, ()


def plain(node: Node) -> Any:
    """A node without its positions, to compare indices as they are written."""
    match node:
        case Symbol(head=head):
            return head
        case Number(text=text):
            return text
        case Group(items=(one,)):
            return plain(one)
        case _:
            return (
                type(node).__name__,
                *(plain(c) for c in children(node)),
                getattr(node, "signs", ""),
            )


@remembered
def free_letters(node: Node) -> Iterable[str]:
    """Index letters that no sum binds."""
    return dict.fromkeys(_free_letters(node))


def _free_letters(node: Node) -> Iterator[str]:
    if isinstance(node, Big):
        bound = heads_below(*(b.variable for b in node.bounds))
        inner = [h for child in children(node) for h in free_letters(child)]
        yield from (h for h in inner if h not in bound)
        return
    if isinstance(node, Scripted):
        yield from index_letters(replace(node, base=Number(_ONE, "1", node.span)))
    for child in children(node):
        yield from free_letters(child)
