r"""Where a note does not speak of the network: letters that the text takes for something else.

Owns: the sentences that say so ("In this section $f$ and $x$ stand for any function and variable,
not for those of the network"), how far they reach, and which formulas they concern.
Refuses: judging, and any other meaning of prose. Would be wrong if a slip in a formula of the
network became undecided because its section says "any function" of an activation.

A sentence counts if it says where it holds ("in this section", "here"), names letters in formulas
of their own, and has one of three wordings, each believed as far as it goes:

    not       "not (for) those / that of the network": every formula with one of the letters
              that has no layer mark there;
    other     "other losses", "any of these losses", "whichever network": the same, but no formula
              in which another letter carries a layer mark;
    any       "any function", "arbitrary variables": formulas of such letters alone. "Here f is any
              differentiable function" is also said of an activation.

It reaches to the end of its section with the subsections; only "in this paragraph", and what
stands under the title of the whole note, ends at the next heading.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from symbackprop.judging.notes.conventions.search import candidates, heads_of
from symbackprop.judging.notes.formula.symbols import split
from symbackprop.notation import LayerMark
from symbackprop.reading.latex.macros import Macros
from symbackprop.reading.latex.parser import read
from symbackprop.reading.latex.syntax import Group, Product, Statement, Symbol, heads_below
from symbackprop.reading.notes.passages import Note, Passage

NOT_OF_NETWORK = "the text says that these letters are not those of the network"

_PLACE = re.compile(
    r"\b(?:in|throughout|within|for|for the rest of|only in) this (?P<what>(?:sub-?)*section"
    r"|chapter|part|paragraph|appendix|example|primer|outlook|recap|reminder|digression)\b"
    r"|\bhere\b",
    re.IGNORECASE,
)
_NETWORK = r"(?:the|this|our)\s+(?:\w+\s+){0,1}?(?:network|net|model)\b"
_NOT = re.compile(
    r"\bnot\s+(?:for\s+|to\s+|with\s+)?(?:those|that|the\s+(?:ones?|same(?:\s+as)?|letters?"
    rf"|functions?|variables?|symbols?|quantit(?:y|ies)|loss))\s+(?:those\s+)?(?:of|from|in)"
    rf"\s+{_NETWORK}",
    re.IGNORECASE,
)
_OTHER = re.compile(
    r"\b(?:(?:any|each|every|one)\s+of\s+(?:these|the\s+other)|other|another|whichever)\s+"
    r"(?:loss(?:es)?|costs?|networks?)\b",
    re.IGNORECASE,
)
_ANY = re.compile(
    r"\b(?:any|arbitrary|generic|unspecified)\s+"
    r"(?:(?:two|real|other|differentiable|smooth|scalar|positive|whole|different)\s+)*"
    r"(?:functions?|variables?|numbers?|quantit(?:y|ies)|curves?|expressions?)\b",
    re.IGNORECASE,
)
_SENTENCE_END = re.compile(r"(?<!\b\w)[.!?](?=\s|$)")
_PLACEHOLDER = " \N{WHITE SQUARE} "


# --------------------------------------------------------------------------------------------
# Sentences
# --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Sentence:
    """Prose up to its full stop, with the formulas in it; a square stands for each."""

    text: str
    passages: tuple[Passage, ...]

    def before(self, number: int) -> str:
        """What stands before one of the formulas."""
        return _PLACEHOLDER.join(self.text.split(_PLACEHOLDER)[: number + 1])


def sentences(note: Note) -> Iterator[Sentence]:
    """The sentences with formulas. One ends at its full stop, behind a display, at a heading."""
    text, inside = "", list[Passage]()
    for passage in note.passages:
        *ended, rest = _SENTENCE_END.split(passage.before)
        moved_on = bool(inside) and passage.section != inside[-1].section
        if inside and (ended or moved_on):
            yield Sentence(text + (ended[0] if ended else ""), tuple(inside))
        if ended or moved_on:
            text, inside = "", []
        text, inside = text + rest + _PLACEHOLDER, [*inside, passage]
        if passage.display:
            goes_on = passage.after if passage.after[:1].islower() else ""
            yield Sentence(text + _SENTENCE_END.split(goes_on)[0], tuple(inside))
            text, inside = "", []
    if inside:
        yield Sentence(text + _SENTENCE_END.split(inside[-1].after)[0], tuple(inside))


@dataclass(frozen=True)
class Reach:
    """From a place in the file to the end of a section, with its subsections or without."""

    start: int
    section: int
    whole: bool

    def holds_at(self, passage: Passage) -> bool:
        if passage.outer[0] < self.start:
            return False
        if passage.section == self.section:
            return True
        return self.whole and self.section in passage.within


def reach_of(note: Note, passage: Passage, *, whole: bool = True) -> Reach:
    """From a formula on; the title of a whole note is no section with subsections."""
    number = passage.section
    is_title = all(number in p.within for p in note.passages)
    return Reach(passage.outer[0], number, whole and not is_title)


# --------------------------------------------------------------------------------------------
# Said in prose
# --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Scope:
    """Letters that the text takes for something else, how far, and how plainly it says so."""

    letters: frozenset[str]
    reach: Reach
    wording: str  # "not", "other" or "any"


@dataclass(frozen=True)
class Scopes:
    """What a note says of its letters; `known` are all heads that may be the network's."""

    scopes: tuple[Scope, ...]
    mark: LayerMark
    known: frozenset[str] = frozenset()

    def tells(self, passage: Passage, statement: Statement) -> bool:
        """Whether the text says that a formula is not about the network."""
        held = [scope for scope in self.scopes if scope.reach.holds_at(passage)]
        if not held:
            return False
        used = heads_in(statement) - _bound_letter(statement)
        declared = frozenset[str]().union(*(scope.letters for scope in held))
        return any(
            self._concerns(scope.wording, used & scope.letters, statement, declared)
            for scope in held
        )

    def _concerns(
        self, wording: str, letters: frozenset[str], statement: Statement, declared: frozenset[str]
    ) -> bool:
        heads = heads_of([statement], self.mark)
        others_are_marked = bool(heads.marked.keys() - declared)
        bare = any(heads.seen[letter] > heads.marked[letter] for letter in letters)
        if wording == "any":
            return bool(letters) and not (heads_in(statement) & self.known) - declared
        if wording == "other" or not bare:  # x^2 looks like a layer of x
            return bool(letters) and not others_are_marked and (bare or self.mark.looks_like_power)
        return bare


def scopes_of(
    note: Note, statements: Sequence[Statement], macros: Macros, depth: int, mark: LayerMark
) -> Scopes:
    """The sentences of a note that take letters for something else than the network's."""
    found = tuple(_said(note, macros))
    if not found:
        return Scopes((), mark)
    heads = heads_of(statements, mark)
    known = frozenset(h for h in heads.seen if candidates(h, heads, depth))
    return Scopes(found, mark, known)


def _said(note: Note, macros: Macros) -> Iterator[Scope]:
    for sentence in sentences(note):
        place, wording = _PLACE.search(sentence.text), _wording(sentence.text)
        if place is None or not wording:
            continue
        letters = {head for passage in sentence.passages for head in _bare(passage, macros)}
        if letters:
            whole = (place.group("what") or "").lower() != "paragraph"
            reach = reach_of(note, sentence.passages[0], whole=whole)
            yield Scope(frozenset(letters), reach, wording)


def _wording(text: str) -> str:
    kinds = (("not", _NOT), ("other", _OTHER), ("any", _ANY))
    return next((name for name, pattern in kinds if pattern.search(text)), "")


def _bare(passage: Passage, macros: Macros) -> Iterator[str]:
    r"""The letters that an inline formula lists: `$f$`, `$f, g$`, `$\hat y_j$`, `$x \in R$`."""
    if passage.display:
        return
    for piece in passage.latex.split(","):
        for found in read(piece, macros):
            if not isinstance(found, Statement) or set(found.relations) - {r"\in"}:
                continue
            parts = split(found.sides[0])
            if parts is not None and all(s.place == "below" for s in parts[1]):
                yield parts[0].head


# --------------------------------------------------------------------------------------------
# Letters of a formula
# --------------------------------------------------------------------------------------------


def heads_in(statement: Statement) -> frozenset[str]:
    """The heads of a formula."""
    return heads_below(*statement.sides)


def defined_function(statement: Statement) -> tuple[str, frozenset[str]] | None:
    """f and its arguments where the first side is f(x): a letter before letters in brackets."""
    side = statement.sides[0]
    match side:
        case Product(sign="", factors=(Symbol(head=head), Group(bracket="(", items=items))):
            arguments = frozenset(item.head for item in items if isinstance(item, Symbol))
            return (head, arguments) if len(arguments) == len(items) else None
    return None


def _bound_letter(statement: Statement) -> frozenset[str]:
    r"""The x of \sigma(x) = 1/(1+e^{-x}): any letter would do."""
    found = defined_function(statement)
    return found[1] if found is not None and len(statement.sides) > 1 else frozenset()
