r"""Definitions that hold for a section: "Let $g = x^2$", "For a curve, $y = x^2$".

Owns: which formula is one, and which later formulas of its section are about nothing else. Only
formulas that are not true of the network are asked about. Refuses: judging them with it.
Would be wrong if a slip in a formula of the network became undecided because "let" stands before
it: what may be a fact of the network is none, and in doubt nothing is.

It is `letter = expression` or `letter(letter) = expression` behind "let", "take", "consider" and
the like, in a sentence without words such as "loss", "activation" or "layer", which say that it is
about the network. On its right stand only free letters: the input, letters of which the network
has nothing, those that such definitions gave before in the section, and the arguments on its left.
So nothing with weights, units, errors, targets or the loss on its right is one. On its left:

    the input, the target, a name      any such expression, also f(g(x)): the network says nothing
    of the note                        of how these come about;
    a unit, the output, a parameter    sums, products and powers with a number in it: a layer
                                       without a parameter is none;
    the activation, the loss           the same, as f(x) = 2x: with its argument, which stands alone
                                       on the right and is no unit, where the section has no layer
                                       marks; so \sigma(x) = 1/(1+e^x) stays a slip;
    an error, a gradient               nothing.

A later formula belongs to it if it has the letter and, besides, free letters alone.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

from symbackprop.judging.notes.conventions.scopes import (
    Reach,
    defined_function,
    heads_in,
    reach_of,
    sentences,
)
from symbackprop.judging.notes.conventions.search import heads_of
from symbackprop.judging.notes.formula.judge import EQUALITIES
from symbackprop.judging.notes.formula.settings import Settings
from symbackprop.judging.notes.formula.symbols import LAYERED, is_function
from symbackprop.reading.latex.syntax import (
    Apply,
    Group,
    Node,
    Number,
    Product,
    Quotient,
    Root,
    Scripted,
    Statement,
    Sum,
    Symbol,
)
from symbackprop.reading.notes.passages import Note, Passage

_INTRODUCES = re.compile(
    r"\b(?:let|take|consider|suppose|imagine|assume|say|for example|for instance|e\.g\.?"
    r"|for an? (?:\w+ )?(?:curve|function|parabola|line)|the (?:functions?|curves?))\b"
    r"|\b(?:for|with)\s*$",
    re.IGNORECASE,
)
_OF_NETWORK = re.compile(
    r"\b(?:loss|cost|error|activat|sigmoid|logistic|relu|tanh|softmax|layer|neuron|units?\b"
    r"|network|weight|bias|label|target|predict)",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Definition:
    """What a section takes a letter for; `letters` are all that it speaks of, with functions."""

    letter: str
    letters: frozenset[str]
    reach: Reach
    text: str
    line: int

    @property
    def reason(self) -> str:
        return f"in this section {self.letter} is {self.text} (line {self.line})"


@dataclass(frozen=True)
class Expression:
    """The letters of a side and those applied to something; `numbered` where it has a number,
    `plain` where sums, products and powers with numbers make it up."""

    letters: frozenset[str] = frozenset()
    functions: frozenset[str] = frozenset()
    numbered: bool = False
    plain: bool = True

    def __or__(self, other: Expression) -> Expression:
        return Expression(
            self.letters | other.letters,
            self.functions | other.functions,
            self.numbered or other.numbered,
            self.plain and other.plain,
        )


@dataclass
class Definitions:
    """The definitions of a note met so far; `formulas` are all formulas of the note."""

    note: Note
    formulas: Sequence[tuple[Passage, Statement]]
    found: list[Definition] = field(default_factory=list)

    def reason(self, passage: Passage, statement: Statement, settings: Settings) -> str:
        """The definition that a formula goes back to, in words; "" where there is none."""
        held = [d for d in self.found if d.reach.holds_at(passage)]
        local = frozenset[str]().union(*(d.letters for d in held))
        heads = heads_in(statement)
        mine = [d for d in held if d.letter in heads]
        if not mine or any(h not in local and not _is_free(h, settings) for h in heads):
            return ""
        return mine[-1].reason

    def add(
        self, passage: Passage, statement: Statement, settings: Settings, line: int
    ) -> Definition | None:
        """The definition that a formula is, if it is one; from here on it holds."""
        before, sentence = self._words.get(passage.outer[0], ("", ""))
        if _INTRODUCES.search(before) is None or _OF_NETWORK.search(sentence):
            return None
        named, sides = _named(statement), [_expression(side) for side in statement.sides[1:]]
        if named is None or not sides:
            return None
        whole = Expression()
        for side in sides:
            if side is None:
                return None
            whole |= side
        letter, arguments = named
        if not self._may_mean(letter, arguments, whole, passage, settings):
            return None
        span = statement.sides[1].span
        text = " ".join(passage.latex[span.start : span.end].split())
        letters = whole.letters | whole.functions | arguments | {letter}
        self.found.append(Definition(letter, letters, reach_of(self.note, passage), text, line))
        return self.found[-1]

    @cached_property
    def _words(self) -> dict[int, tuple[str, str]]:
        """The sentence of each formula: up to it, and whole."""
        return {
            passage.outer[0]: (sentence.before(number), sentence.text)
            for sentence in sentences(self.note)
            for number, passage in enumerate(sentence.passages)
        }

    def _may_mean(
        self,
        letter: str,
        arguments: frozenset[str],
        whole: Expression,
        passage: Passage,
        settings: Settings,
    ) -> bool:
        held = [d for d in self.found if d.reach.holds_at(passage)]
        local = frozenset[str]().union(*(d.letters for d in held)) | arguments
        functions = {h for h in whole.functions if settings.letters.get(h) != "x"}  # x (1 + x)
        letters = whole.letters - functions
        if not letters or letter in letters:
            return False
        if any(h not in local and not _is_free(h, settings) for h in letters):
            return False
        family = settings.letters.get(letter, "").partition(":")[0]
        if family in ("", "alias", "x", "y"):
            families = {settings.letters.get(h, "f").partition(":")[0] for h in functions - local}
            return all(f in ("f", "h", "alias") or is_function(f) for f in families)
        if functions or not whole.numbered or not whole.plain:
            return False
        if family in ("f", "softmax", "L", "loss_n"):
            units = {settings.letters.get(a, "").partition(":")[0] for a in arguments}
            alone = letters == arguments and not units & {*LAYERED, "yhat", "y"} - {"W"}
            return alone and not self._has_layers(passage, settings, {letter, *arguments})
        return family in ("z", "h", "yhat", "W", "b")

    def _has_layers(self, passage: Passage, settings: Settings, defined: set[str]) -> bool:
        """Whether the section of a formula speaks of layers; w^2 may be a square of what is
        defined."""
        inside = [
            statement
            for other, statement in self.formulas
            if passage.section in (other.section, *other.within)
        ]
        marked = heads_of(inside, settings.mark).marked
        return any(settings.letters.get(head, "") in LAYERED for head in marked.keys() - defined)


def _is_free(head: str, settings: Settings) -> bool:
    """Whether a letter is the input, or nothing of the network."""
    return settings.letters.get(head, "x") in ("x", "identity")


def _named(statement: Statement) -> tuple[str, frozenset[str]] | None:
    """The letter that a formula defines, with its arguments."""
    if statement.continues or set(statement.relations) - EQUALITIES:
        return None
    side = statement.sides[0]
    if isinstance(side, Symbol):
        return side.head, frozenset()
    return defined_function(statement)


def _expression(node: Node) -> Expression | None:
    """What numbers, letters, sums, products, quotients, powers and functions make up; None for
    anything with scripts, sums over an index, derivatives or matrices."""
    match node:
        case Number():
            return Expression(numbered=True)
        case Symbol(head=head):
            return Expression(frozenset((head,)))
        case Scripted(base=base, scripts=(script,)):
            if script.place != "above" or script.kind != "group" or script.bracket:
                return None
            plain = all(isinstance(part, Number) for part in script.parts)
            return _all((base, *script.parts), Expression(numbered=plain, plain=plain))
        case Apply(function=Symbol(head=head), arguments=arguments):
            return _all(arguments, Expression(functions=frozenset((head,)), plain=False))
        case Product(sign="", factors=factors):
            return _juxtaposed(factors)
        case Product(factors=parts) | Sum(terms=parts) | Group(items=(_,) as parts):
            return _all(parts)
        case Quotient(numerator=above, denominator=below):
            return _all((above, below))
        case Root(content=content):
            return _all((content,), Expression(numbered=True))
    return None


def _juxtaposed(factors: Sequence[Node]) -> Expression | None:
    """A letter before brackets is a function of what is in them; of several things it must be."""
    whole = Expression()
    for place, factor in enumerate(factors):
        before = factors[place - 1] if place else None
        items = factor.items if isinstance(factor, Group) else (factor,)
        found = _all(items)
        if found is None or (len(items) > 1 and not isinstance(before, Symbol)):
            return None
        if isinstance(before, Symbol) and isinstance(factor, Group) and factor.bracket == "(":
            found |= Expression(functions=frozenset((before.head,)))
        whole |= found
    return whole


def _all(nodes: Sequence[Node], whole: Expression = Expression()) -> Expression | None:
    for node in nodes:
        found = _expression(node)
        if found is None:
            return None
        whole |= found
    return whole
