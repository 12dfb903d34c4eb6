r"""Why a formula is false: the edits of its text that make it true.

Owns: the edits for each kind of slip, their order, and the sentence for each. An edit is a piece of
source text replaced by another, so that what it suggests is in the writer's own notation; it counts
only if the formula, read again, is true. Refuses: judging, and edits of more than one kind at once.
Would be wrong if an edit were offered that was not tried.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from symbackprop.judging.notes.formula.compare import Verdict, compare
from symbackprop.judging.notes.formula.functions import function_of, is_called
from symbackprop.judging.notes.formula.letters import free_letters, index_letters
from symbackprop.judging.notes.formula.meaning import Meaning
from symbackprop.judging.notes.formula.references import referred
from symbackprop.judging.notes.formula.settings import Settings
from symbackprop.judging.notes.formula.symbols import (
    LAYERED,
    IllFormed,
    NotUnderstood,
    Reference,
    activation,
    is_function,
    split,
)
from symbackprop.judging.notes.formula.through import slope_through
from symbackprop.judging.notes.formula.values import Clash, Value
from symbackprop.reading.latex.syntax import (
    Big,
    Derivative,
    Group,
    Matrix,
    Node,
    Norm,
    Number,
    Product,
    Quotient,
    Script,
    Scripted,
    Span,
    Statement,
    Sum,
    Symbol,
    Unread,
    children,
    walk,
)
from symbackprop.witnesses.axes import Array

WORK = 160_000  # characters read again in trying edits, for one formula
AFTER = 12_000  # of these, once an explanation is found
SECONDS = 4.5  # a safety only: what is found must not depend on the clock
WINDOW = 0.45  # how much less likely a further explanation may be than the first
ENOUGH = 4


@dataclass(frozen=True)
class Edit:
    """Source characters from `start` to `end` become `text`; `rank` orders, small first.
    `key` is the same for edits that are one slip made in several places."""

    start: int
    end: int
    text: str
    slip: str
    sentence: str
    rank: float = 1.0
    key: str = ""
    more: tuple[tuple[int, int, str], ...] = ()

    @property
    def pieces(self) -> tuple[tuple[int, int, str], ...]:
        return ((self.start, self.end, self.text), *self.more)


@dataclass(frozen=True)
class Explanation:
    """An edit that makes the formula true, and the formula it makes."""

    slip: str
    sentence: str
    suggestion: str
    span: Span
    key: str
    whole: bool = True
    pieces: tuple[tuple[int, int, str], ...] = ()


Judge = Callable[[Statement], Verdict]
Read = Callable[[str], Sequence[Statement | Unread]]


@dataclass
class Repair:
    """One false formula being explained. `latex` is the passage, `names` prints a tensor as the
    writer does."""

    latex: str
    statement: Statement
    verdict: Verdict
    meaning: Meaning
    judge: Judge
    read: Read
    names: Names
    mask: Value | None = None
    ranged: bool = True
    deadline: float = field(default_factory=lambda: time.monotonic() + SECONDS)
    _values: dict[int, tuple[Node, Value]] = field(default_factory=dict)

    def explanations(self) -> list[Explanation]:
        """Those found, best first; empty where no single slip explains the formula."""
        found: list[tuple[float, Explanation]] = []
        seen: set[str] = set()
        edits = sorted(self._edits(), key=lambda e: (e.rank, e.start, e.text))
        first: float | None = None
        work, limit = 0, WORK
        right = self._right_cells()
        for edit in edits:
            if any(s <= edit.start and edit.end <= e for s, e in right) and not edit.more:
                continue
            if work > limit or len(found) >= ENOUGH or time.monotonic() > self.deadline:
                break
            if first is not None and edit.rank > first + WINDOW:
                break
            text = applied(self.latex, edit.pieces)
            if text in seen:
                continue
            seen.add(text)
            work += 60 + len(self.statement.sides) * len(text)
            whole = self._holds(edit)
            if whole is None:
                continue
            span = Span(edit.start, max(edit.end, edit.start + 1))
            suggestion = self._suggested(edit)
            explanation = Explanation(
                edit.slip, edit.sentence, suggestion, span, edit.key, whole, edit.pieces
            )
            found.append((edit.rank + (0.0 if whole else 1.0), explanation))
            if first is None:
                first, limit = edit.rank, min(limit, work + AFTER)
        return [e for _, e in sorted(found, key=lambda pair: pair[0])]

    def _right_cells(self) -> list[tuple[int, int]]:
        """The cells of a literal matrix that are right already: no edit has to touch them."""
        link = self.verdict.link
        for number in (link + 1, link):
            if number >= len(self.statement.sides):
                continue
            side = self.statement.sides[number]
            other = self.statement.sides[2 * link + 1 - number]
            if not isinstance(side, Matrix):
                continue
            with np.errstate(all="ignore"):
                try:
                    one, target = self.meaning.value(side), self.meaning.value(other)
                except (NotUnderstood, IllFormed, Clash):
                    continue
            shape = (len(side.rows), len(side.rows[0]))
            lead = one.array.ndim - len(one.axes)
            if one.array.shape != target.array.shape or one.array[0].size != shape[0] * shape[1]:
                continue
            same = np.asarray(np.isclose(one.array, target.array, rtol=1e-9, atol=1e-12))
            cells = same.reshape(*same.shape[:lead], *shape)
            right: Array = np.asarray(np.all(cells, axis=tuple(range(lead))))
            return [
                (cell.span.start, cell.span.end)
                for i, row in enumerate(side.rows)
                for j, cell in enumerate(row)
                if right[i, j]
            ]
        return []

    def _suggested(self, edit: Edit) -> str:
        span = self.statement.span
        shift = [(s - span.start, e - span.start, t) for s, e, t in edit.pieces]
        return applied(self.latex[span.start : span.end], shift).strip()

    def _holds(self, edit: Edit) -> bool | None:
        """True where the whole formula holds after the edit, False where at least the link that
        was false does, None otherwise."""
        sides = list(self.statement.sides)
        touched: list[int] = []
        for number, side in enumerate(sides):
            span = side.span
            inside = [p for p in edit.pieces if span.start <= p[0] and p[1] <= span.end]
            if not inside or (number == 0 and self.statement.continues):
                continue
            text = applied(
                self.latex[span.start : span.end],
                [(s - span.start, e - span.start, t) for s, e, t in inside],
            )
            found = self.read(text)
            if len(found) != 1 or isinstance(found[0], Unread) or len(found[0].sides) != 1:
                return None
            sides[number] = found[0].sides[0]
            touched.append(number)
        if not touched or self._is_false_at_once(sides, touched):
            return None
        changed = replace(self.statement, sides=tuple(sides))
        verdict = self.judge(changed)
        if verdict.outcome == "true":
            return True
        if verdict.outcome == "false" and verdict.link > self.verdict.link:
            return False
        return None

    def _is_false_at_once(self, sides: Sequence[Node], touched: Sequence[int]) -> bool:
        """Whether the link that was false still is, seen at the values alone: most edits."""
        link = self.verdict.link
        if touched not in ([link], [link + 1]) or self.verdict.method == "structure":
            return False
        if not self.ranged:
            return False
        letters = {h for s in self.statement.sides for h in free_letters(s)}
        if not set(free_letters(sides[touched[0]])) <= letters:
            return False
        with np.errstate(all="ignore"):
            try:
                one, other = self._side_value(sides[link]), self._side_value(sides[link + 1])
            except (NotUnderstood, IllFormed, Clash):
                return True
            found = compare(one, other, self.meaning.settings, self.mask)
        return found.outcome != "true"

    def _side_value(self, side: Node) -> Value:
        kept = self._values.get(id(side))
        if kept is None or kept[0] is not side:
            kept = (side, self.meaning.value(side))
            if any(side is s for s in self.statement.sides):
                self._values[id(side)] = kept
        return kept[1]

    def _is_number(self, node: Node) -> bool:
        """Whether a node is a single number, for which order and transposition do not matter."""
        try:
            return self.meaning.value(node).is_scalar
        except (NotUnderstood, IllFormed, Clash):
            return False

    # --- the edits --------------------------------------------------------------------------

    def _edits(self) -> Iterator[Edit]:
        link = self.verdict.link
        order = [link + 1, link] if link or len(self.statement.sides) > 1 else [0]
        for place, number in enumerate(n for n in order if n < len(self.statement.sides)):
            side = self.statement.sides[number]
            if number == 0 and self.statement.continues:
                continue
            penalty = 0.0 if place == 0 else 0.6 if number else 1.6
            if number == 0 and isinstance(side, Symbol):
                continue
            for edit in self._side_edits(side, number == 0):
                yield replace(edit, rank=edit.rank + penalty)

    def _side_edits(self, side: Node, first: bool) -> Iterator[Edit]:
        yield from self._symbol_edits(side)
        yield from self._uniform_layers(side)
        yield from self._uniform_letters(side)
        yield from self._power_edits(side)
        yield from self._sign_edits(side, first)
        yield from self._product_edits(side)
        yield from self._big_edits(side)
        if not first:
            yield from self._whole_edits(side)
        yield from self._matrix_edits(side)

    def text(self, node: Node | Script) -> str:
        return self.latex[node.span.start : node.span.end]

    def _symbols(self, node: Node) -> Iterator[Node]:
        """Symbols with their scripts, not those inside scripts."""
        if isinstance(node, (Symbol, Scripted)) and split(node) is not None:
            yield node
            return
        for child in children(node):
            yield from self._symbols(child)

    def _reference(self, node: Node) -> Reference | None:
        try:
            return self.meaning.scope.resolve(node)
        except (NotUnderstood, IllFormed):
            return None

    def _symbol_edits(self, side: Node) -> Iterator[Edit]:
        for node in self._symbols(side):
            parts = split(node)
            assert parts is not None
            symbol, scripts = parts
            reference = self._reference(node)
            family = self.meaning.settings.letters.get(symbol.head, "")
            if family == "f" or is_function(family):
                yield from self._prime_edits(node, symbol, scripts)
            yield from self._transpose_edits(node, scripts, reference)
            yield from self._layer_edits(node, symbol, scripts, family)
            yield from self._index_edits(node, scripts)
            yield from self._variable_edits(node, symbol, scripts, reference, family)
            if reference is None:
                yield from self._missing_mark(node, symbol, scripts, family)
        for node in walk(side):
            if isinstance(node, Number) and not isinstance(node, Scripted):
                yield from self._number_edits(node)
            if isinstance(node, Scripted) and split(node) is None:
                yield from self._group_transposes(node)

    def _missing_mark(
        self, node: Node, symbol: Symbol, scripts: Sequence[Script], family: str
    ) -> Iterator[Edit]:
        if family.removeprefix("d_") not in LAYERED:
            return
        for number in range(self.names.first, self.names.last + 1):
            mark = self.names.script(number)
            text = f"{self.text(node)}{mark}"
            sentence = f"{symbol.head} has no layer mark; {symbol.head}{mark} is the one that fits"
            span = node.span
            yield Edit(span.start, span.end, text, "ill-formed", sentence, 0.2, f"mark {text}")

    def _prime_edits(self, node: Node, symbol: Symbol, scripts: Sequence[Script]) -> Iterator[Edit]:
        name = self.latex[symbol.span.start : symbol.span.end]
        primes = [s for s in scripts if s.kind == "prime"]
        end = symbol.span.end
        if primes:
            span = primes[-1].span
            yield Edit(
                span.start,
                span.end,
                "",
                "derivative-twice",
                f"{name} itself is meant, not its derivative",
                1.0,
                "prime-",
            )
        else:
            sentence = f"the derivative {name}' is meant, not {name} itself"
            yield Edit(end, end, "'", "derivative-missing", sentence, 0.8, "prime+")

    def _transpose_edits(
        self, node: Node, scripts: Sequence[Script], reference: Reference | None
    ) -> Iterator[Edit]:
        span = node.span
        name = self.text(node)
        for script in scripts:
            if script.kind == "transpose":
                rest = self._without(node, script)
                sentence = f"the transpose of {rest} is too much"
                yield Edit(span.start, span.end, rest, "transpose", sentence, 0.7, f"T- {rest}")
                return
        if reference is None or reference.kind not in ("tensor", "adjoint", "alias"):
            return
        if reference.indices and self._is_number(node):
            return
        text = f"({name})^{self.names.transpose}" if scripts else f"{name}^{self.names.transpose}"
        sentence = f"the transpose of {name} is missing"
        yield Edit(span.start, span.end, text, "transpose", sentence, 0.7, f"T+ {name}")

    def _without(self, node: Node, script: Script) -> str:
        """The text of a node without one script; a brace group that held nothing else goes too."""
        start, end = script.span.start - node.span.start, script.span.end - node.span.start
        text = self.text(node)
        rest = text[:start] + text[end:]
        return rest.replace("^{}", "").replace("^{ }", "").rstrip("^")

    def _group_transposes(self, node: Scripted) -> Iterator[Edit]:
        for script in node.scripts:
            if script.kind == "transpose":
                rest = self._without(node, script)
                inner = node.base.items[0] if isinstance(node.base, Group) else node.base
                sentence = f"the transpose of {self.text(inner)} is too much"
                yield Edit(
                    node.span.start,
                    node.span.end,
                    rest,
                    "transpose",
                    sentence,
                    0.7,
                    f"T- {self.text(inner)}",
                )

    def _layer_edits(
        self, node: Node, symbol: Symbol, scripts: Sequence[Script], family: str
    ) -> Iterator[Edit]:
        part = self._mark_part(symbol, scripts, family)
        if part is None:
            return
        for text, step in self._neighbours(part):
            sentence = f"the layer of {self.text(node)} is off by {abs(step)}: {text} is meant"
            key = f"layer {symbol.head} {self.text(part)}->{text}"
            yield Edit(
                part.span.start,
                part.span.end,
                text,
                "layer",
                sentence,
                0.9 + 0.3 * (abs(step) - 1),
                key,
            )

    def _mark_part(self, symbol: Symbol, scripts: Sequence[Script], family: str) -> Node | None:
        letter = family.partition(":")[0].removeprefix("d_")
        if ":" in family or (letter not in LAYERED and letter != "f"):
            return None
        opened = True
        for script in scripts:
            try:
                role = self.meaning.scope.role(script, opened, letter)
            except NotUnderstood:
                continue
            if role == "layer":
                return script.parts[0]
        return None

    def _neighbours(self, part: Node) -> Iterator[tuple[str, int]]:
        text = self.text(part)
        if isinstance(part, Number):
            number = int(part.value)
            for step in (1, -1, 2, -2):
                if number + step >= 0:
                    yield str(number + step), step
            return
        if isinstance(part, Symbol):
            yield f"{text}-1", -1
            yield f"{text}+1", 1
            return
        if isinstance(part, Sum) and len(part.terms) == 2 and isinstance(part.terms[1], Number):
            base, number = self.text(part.terms[0]), int(part.terms[1].value) * part.signs[1]
            for step in (1, -1, 2, -2):
                total = number + step
                yield base if not total else f"{base}{total:+d}", step

    def _uniform_layers(self, side: Node) -> Iterator[Edit]:
        """The same wrong layer at every use of a letter."""
        places: dict[tuple[str, str], list[Node]] = {}
        for node in self._symbols(side):
            parts = split(node)
            assert parts is not None
            family = self.meaning.settings.letters.get(parts[0].head, "")
            part = self._mark_part(*parts, family)
            if part is not None:
                places.setdefault((parts[0].head, self.text(part)), []).append(part)
        for (head, mark), parts_ in sorted(places.items(), key=lambda p: p[1][0].span.start):
            if len(parts_) < 2:
                continue
            for text, step in self._neighbours(parts_[0]):
                pieces = tuple((p.span.start, p.span.end, text) for p in parts_)
                sentence = (
                    f"{head} has layer {mark} in {len(parts_)} places; it is the {head} of "
                    f"layer {text}"
                )
                key = f"layer {head} {mark}->{text}"
                rank = 0.85 + 0.3 * (abs(step) - 1)
                yield Edit(*pieces[0], "layer", sentence, rank, key, pieces[1:])

    def _uniform_letters(self, side: Node) -> Iterator[Edit]:
        """Another letter at every place of one."""
        places: dict[str, list[Symbol]] = {}
        for node in self._symbols(side):
            parts = split(node)
            assert parts is not None
            places.setdefault(parts[0].head, []).append(parts[0])
        for head, symbols in sorted(places.items(), key=lambda p: p[1][0].span.start):
            family = self.meaning.settings.letters.get(head, "")
            if len(symbols) < 2 or family in _NO_VALUES or is_function(family):
                continue
            for other, found in self.names.letters():
                if other == head or found in (*_NO_VALUES, *_NAMES) or is_function(found):
                    continue
                pieces = [(x.span.start, x.span.end, other) for x in symbols]
                sentence = f"{other} is meant where {head} stands, in {len(pieces)} places"
                key = f"{head}->{other}"
                yield Edit(*pieces[0], "wrong-variable", sentence, 1.15, key, tuple(pieces[1:]))

    def _power_edits(self, side: Node) -> Iterator[Edit]:
        """A square that was left out, or one too many."""
        for node in walk(side):
            bare = isinstance(node, (Group, Norm)) and getattr(node, "bracket", "|") != ""
            if bare:
                end = node.span.end
                sentence = f"the square of {self.text(node)} is meant"
                yield Edit(end, end, "^2", "constant", sentence, 1.25, "square")
            if isinstance(node, Scripted) and not isinstance(node.base, Symbol):
                for script in node.scripts:
                    if script.place == "above" and script.kind == "group":
                        sentence = f"the power of {self.text(node)} is too much"
                        text = self._without(node, script)
                        span = node.span
                        yield Edit(span.start, span.end, text, "constant", sentence, 1.3, "square")

    def _index_edits(self, node: Node, scripts: Sequence[Script]) -> Iterator[Edit]:
        known = [*self.meaning.ranges, *self._bound_letters]
        indices = [
            (script, part)
            for script in scripts
            if script.kind == "group" and self._is_index(script)
            for part in script.parts
        ]
        inside = self._is_index_of(node)
        for script, part in indices:
            del script
            for text in self._other_indices(part, known):
                sentence = f"the index {self.text(part)} of {self.text(node)} should be {text}"
                yield Edit(
                    part.span.start, part.span.end, text, "index", sentence, 1.1, f"index {inside}"
                )
        if len(indices) == 2:
            (_, one), (_, other) = indices
            a, b = self.text(one), self.text(other)
            if a != b and one.span.end <= other.span.start:
                middle = self.latex[one.span.end : other.span.start]
                sentence = f"the indices of {self.text(node)} are exchanged"
                yield Edit(
                    one.span.start,
                    other.span.end,
                    f"{b}{middle}{a}",
                    "index",
                    sentence,
                    1.0,
                    "swap",
                )

    def _is_index_of(self, node: Node) -> str:
        parts = split(node)
        return parts[0].head if parts else ""

    def _is_index(self, script: Script) -> bool:
        if script.place == "below":
            return True
        return script.bracket == "(" and script.frame != self.meaning.settings.mark.frame

    @cached_property
    def _bound_letters(self) -> list[str]:
        found: list[str] = []
        for side in self.statement.sides:
            for node in walk(side):
                if isinstance(node, Big):
                    for bound in node.bounds:
                        if isinstance(bound.variable, Symbol) and bound.variable.head not in found:
                            found.append(bound.variable.head)
        return found

    def _other_indices(self, part: Node, known: Sequence[str]) -> Iterator[str]:
        if isinstance(part, Number):
            largest = max(self.meaning.world.sizes.values(), default=1)
            for number in range(1, min(largest, 9) + 1):
                if number != part.value:
                    yield str(number)
        elif isinstance(part, Symbol):
            for letter in known:
                if letter != part.head:
                    yield letter

    def _variable_edits(
        self,
        node: Node,
        symbol: Symbol,
        scripts: Sequence[Script],
        reference: Reference | None,
        family: str,
    ) -> Iterator[Edit]:
        if family in _NO_VALUES or is_function(family):
            return
        scripted = bool(scripts)
        for head, other in self.names.letters():
            if head == symbol.head or other in ("f", "depth", *_NAMES) or is_function(other):
                continue
            if (other == "N") != (family == "N"):
                continue
            if _takes_mark(other) != _takes_mark(family) and scripted:
                continue
            slip = "wrong-variable"
            sentence = f"{head} is meant where {symbol.head} stands"
            if self._inside_derivative(node):
                slip = "derivative-argument"
                sentence = f"the derivative is taken at {symbol.head}, it belongs at {head}"
            yield Edit(
                symbol.span.start,
                symbol.span.end,
                head + (" " if head[-1].isalpha() and head.startswith("\\") else ""),
                slip,
                sentence,
                1.2,
                f"{symbol.head}->{head}",
            )
        for name in self.names.others(reference):
            slip = "derivative-argument" if self._inside_derivative(node) else "wrong-variable"
            sentence = f"{name} is meant where {self.text(node)} stands"
            yield Edit(node.span.start, node.span.end, name, slip, sentence, 1.4, f"->{name}")

    def _inside_derivative(self, node: Node) -> bool:
        """Whether a symbol is the argument of a primed function."""
        return any(
            span.start <= node.span.start and node.span.end <= span.end
            for span in self._behind_primes
        )

    @cached_property
    def _behind_primes(self) -> list[Span]:
        found: list[Span] = []
        for product in (node for side in self.statement.sides for node in walk(side)):
            if isinstance(product, Product):
                for one, other in zip(product.factors, product.factors[1:], strict=False):
                    parts = split(one)
                    if parts is not None and any(s.kind == "prime" for s in parts[1]):
                        found.append(other.span)
        return found

    def _number_edits(self, node: Number) -> Iterator[Edit]:
        if node.text == "1" and len(self.meaning.ranges) == 2:
            letters = "".join(self.meaning.ranges)
            sentence = "softmax is not elementwise: each output depends on every input"
            delta = rf"\delta_{{{letters}}}"
            span = node.span
            yield Edit(span.start, span.end, delta, "softmax-elementwise", sentence, 0.9)
        for text in ("1", "2", "0", "3", "4", r"\frac{1}{2}"):
            if text != node.text:
                sentence = f"the number {node.text} is wrong: {text}"
                yield Edit(
                    node.span.start, node.span.end, text, "constant", sentence, 1.3, "number"
                )

    def _sign_edits(self, side: Node, first: bool) -> Iterator[Edit]:
        for node in walk(side):
            if not isinstance(node, Sum):
                continue
            for number, term in enumerate(node.terms):
                before = node.terms[number - 1].span.end if number else node.span.start
                between = self.latex[before : term.span.start]
                for one, other in (("-", "+"), ("+", "-"), ("−", "+")):
                    if one in between:
                        place = before + between.rindex(one)
                        sentence = f"the sign before {self.text(term)} is wrong"
                        text = other if number else ""
                        yield Edit(place, place + 1, text, "sign", sentence, 0.75, "sign")
                        break
                if number == 0 and node.signs[0] > 0:
                    start = term.span.start
                    sentence = f"the sign before {self.text(term)} is wrong"
                    yield Edit(start, start, "-", "sign", sentence, 0.8, "sign")
                yield from self._dropped_term(node, number)
            yield from self._added_terms(node)
        if not first:
            text = self.text(side)
            start = side.span.start
            whole = f"-({text})" if isinstance(side, Sum) else f"-{text}"
            yield Edit(start, side.span.end, whole, "sign", "the sign is wrong", 0.7, "sign")

    def _dropped_term(self, node: Sum, number: int) -> Iterator[Edit]:
        if len(node.terms) < 2:
            return
        term = node.terms[number]
        start = node.terms[number - 1].span.end if number else node.span.start
        end = term.span.end
        if number == 0:
            end = node.terms[1].span.start
            if node.signs[1] < 0:
                end = term.span.end
        sentence = f"the term {self.text(term)} does not belong here"
        yield Edit(start, end, "", "path-missing", sentence, 1.5, "term-")

    def _added_terms(self, node: Sum) -> Iterator[Edit]:
        """A term like its neighbours, with the next index."""
        if len(node.terms) < 2:
            return
        for number, term in enumerate(node.terms):
            for old in range(1, 9):
                text = self.text(term)
                if str(old) not in text:
                    continue
                for new in range(1, 9):
                    if new == old:
                        continue
                    changed = self._renumbered(term, old, new)
                    if changed is None or changed == text:
                        continue
                    sign = "+" if node.signs[number] > 0 else "-"
                    sentence = f"the path through {changed} is missing"
                    end = node.span.end
                    yield Edit(
                        end, end, f" {sign} {changed}", "path-missing", sentence, 1.0, "term+"
                    )
            if number >= 1:
                break

    def _renumbered(self, term: Node, old: int, new: int) -> str | None:
        """A term with one index number changed everywhere in it."""
        pieces = []
        for node in self._symbols(term):
            parts = split(node)
            assert parts is not None
            for script in parts[1]:
                if script.place == "below":
                    pieces += [
                        (p.span.start - term.span.start, p.span.end - term.span.start, str(new))
                        for p in script.parts
                        if isinstance(p, Number) and p.text == str(old)
                    ]
        return applied(self.text(term), pieces) if pieces else None

    def _product_edits(self, side: Node) -> Iterator[Edit]:
        for node in walk(side):
            if isinstance(node, Product):
                yield from self._factors(node)
            if isinstance(node, Quotient):
                yield from self._quotient_edits(node)

    def _quotient_edits(self, node: Quotient) -> Iterator[Edit]:
        top, bottom = self.text(node.numerator), self.text(node.denominator)
        sentence = f"the fraction {self.text(node)} is upside down"
        yield Edit(
            node.span.start,
            node.span.end,
            rf"\frac{{{bottom}}}{{{top}}}",
            "constant",
            sentence,
            1.6,
        )

    def _groups(self, node: Product) -> list[tuple[int, int]]:
        """Factors as spans of numbers, a function together with its argument."""
        if node.sign != "":
            return [(n, n) for n in range(len(node.factors))]
        found = []
        number = 0
        while number < len(node.factors):
            one = node.factors[number]
            after = node.factors[number + 1] if number + 1 < len(node.factors) else None
            takes = after is not None and (
                function_of(self.meaning, one) is not None or is_called(self.meaning, one, after)
            )
            found.append((number, number + 1 if takes else number))
            number += 2 if takes else 1
        return found

    def _factors(self, node: Product) -> Iterator[Edit]:
        groups = self._groups(node)
        spans = [(node.factors[a].span.start, node.factors[b].span.end) for a, b in groups]
        scalar = self._is_number(node) and all(
            self._is_number(f) for f in node.factors if not isinstance(f, Symbol)
        )
        for (a, b), (c, d) in itertools.pairwise(spans) if not scalar else ():
            one, middle, other = self.latex[a:b], self.latex[b:c], self.latex[c:d]
            sentence = f"the factors {one} and {other} stand in the wrong order"
            if node.sign not in (r"\odot", r"\circ"):
                text = f"{other}{middle or ' '}{one}"
                yield Edit(a, d, text, "order", sentence, 0.75, "order")
                text = f"{one} {self.names.hadamard} {other}"
                sentence = f"{one} and {other} are multiplied entry by entry, not as matrices"
                yield Edit(a, d, text, "operator", sentence, 0.95, "operator")
            else:
                sentence = f"{one} and {other} are multiplied as matrices, not entry by entry"
                yield Edit(a, d, f"{one} {other}", "operator", sentence, 0.95, "operator")
                yield Edit(a, d, f"{other} {one}", "operator", sentence, 1.05, "operator")
        if len(spans) > 2 and not scalar:
            texts = [self.latex[a:b] for a, b in spans]
            if node.sign == "":
                text = " ".join(reversed(texts))
                yield Edit(
                    spans[0][0], spans[-1][1], text, "order", "the factors stand in reverse", 1.0
                )
        for number, (a, b) in enumerate(spans):
            yield from self._dropped_factor(node, number, spans, self.latex[a:b])

    def _dropped_factor(
        self, node: Product, number: int, spans: Sequence[tuple[int, int]], text: str
    ) -> Iterator[Edit]:
        a, b = spans[number]
        if number + 1 < len(spans):
            start, end = a, spans[number + 1][0]
        else:
            start, end = spans[number - 1][1], b
        slip, why = self._kind_of_factor(text)
        yield Edit(start, end, "", slip, f"the factor {text} is too much{why}", 1.0, "factor-")

    def _kind_of_factor(self, text: str) -> tuple[str, str]:
        heads = [h for h, f in self.names.letters() if f == "N"]
        if any(f"{{{h}}}" in text or text.strip() in (h, f"1/{h}") for h in heads):
            return "sample-count", ": it is counted already"
        if "'" in text or "prime" in text or text.startswith(("(1", "(1-", "\\left(1")):
            return "derivative-twice", ": the derivative is in what stands before"
        if text.strip("()").replace(".", "").isdigit() or text in (r"\frac{1}{2}", r"\frac12"):
            return "constant", ""
        return "extra-factor", ""

    def _big_edits(self, side: Node) -> Iterator[Edit]:
        for node in walk(side):
            if not isinstance(node, Big):
                continue
            sentence = f"the sum over {self._summed(node)} does not belong here"
            start = node.body.span.start
            yield Edit(node.span.start, start, "", "batch-sum", sentence, 1.1, "sum-")
            for bound in node.bounds:
                if isinstance(bound.variable, Symbol):
                    for letter in [*self.meaning.ranges, *self._body_letters(node)]:
                        if letter != bound.variable.head:
                            span = bound.variable.span
                            sentence = f"the sum runs over {letter}, not {bound.variable.head}"
                            yield Edit(span.start, span.end, letter, "index", sentence, 1.0, "sum")
                for end in (bound.lower, bound.upper):
                    if isinstance(end, Number):
                        for step in (1, -1, 2, -2):
                            text = str(int(end.value) + step)
                            sentence = f"the sum's bound {end.text} is wrong: {text}"
                            yield Edit(
                                end.span.start, end.span.end, text, "index", sentence, 1.1, "bound"
                            )
                if isinstance(bound.upper, Symbol):
                    for head, family in self.names.letters():
                        if head != bound.upper.head and (
                            family == "N" or family.startswith("size")
                        ):
                            span = bound.upper.span
                            sentence = f"the sum goes to {head}, not {bound.upper.head}"
                            yield Edit(span.start, span.end, head, "index", sentence, 1.0, "bound")

    def _summed(self, node: Big) -> str:
        return ", ".join(self.text(b.variable) for b in node.bounds) or "everything"

    def _body_letters(self, node: Big) -> list[str]:
        return [h for h in index_letters(node.body) if h not in self.meaning.scope.numbers]

    def _whole_edits(self, side: Node) -> Iterator[Edit]:
        start, end = side.span.start, side.span.end
        text = self.text(side)
        tight = f"({text})" if isinstance(side, Sum) else text
        count = self.names.count
        if count:
            sentence = f"the factor 1/{count} is missing"
            yield Edit(start, end, rf"\frac{{1}}{{{count}}} {tight}", "sample-count", sentence, 0.7)
            sentence = f"the factor 1/{count} is too much: it is counted already"
            yield Edit(start, end, f"{count} {tight}", "sample-count", sentence, 0.9)
        if self.meaning.settings.mode == "batch" and not any(
            isinstance(n, Big) for n in walk(side)
        ):
            sentence = "the samples are not summed"
            letter = "i" if count == "n" else "n"
            held = text if isinstance(side, (Symbol, Scripted)) else f"({text})"
            whole = rf"\sum_{letter} {held}_{letter}"
            if self.meaning.settings.mark.place == "above":
                yield Edit(start, end, whole, "batch-sum", sentence, 0.65)
            whole = rf"\sum_{{{letter}=1}}^{{{count or 'N'}}} {tight}"
            yield Edit(start, end, whole, "batch-sum", sentence, 0.7)
        for letter, sentence in self._free_sums():
            yield Edit(start, end, rf"\sum_{{{letter}}} {tight}", "index", sentence, 0.9)
            for term in side.terms if isinstance(side, Sum) else ():
                if letter in free_letters(term):
                    at = term.span.start
                    yield Edit(at, at, rf"\sum_{{{letter}}} ", "index", sentence, 0.85)
        yield from self._dropped_addends(side)
        yield from self._indexed_factors(side, tight)
        for factor in ("2", r"\frac{1}{2}", "4", r"\frac{1}{4}"):
            sentence = f"the factor {factor} is missing"
            yield Edit(start, end, f"{factor} {tight}", "constant", sentence, 0.95, "constant")
        sentence = "the layout is the other one: the whole side has to be transposed"
        yield Edit(
            start, end, f"({text})^{self.names.transpose}", "layout", sentence, 0.8, "layout"
        )
        for factor, slip, sentence in self.names.factors(self.meaning):
            yield Edit(start, end, f"{tight} {self.names.hadamard} {factor}", slip, sentence, 1.0)
            yield Edit(start, end, f"{tight} {factor}", slip, sentence, 1.05)
            yield Edit(start, end, f"{factor} {tight}", slip, sentence, 1.1)
        for node in walk(side):  # the same for a part of a product
            if isinstance(node, Group) and node.bracket and node is not side:
                inner = self.text(node)
                for factor, slip, sentence in self.names.factors(self.meaning):
                    if slip == "derivative-missing":
                        whole = f"({inner} {self.names.hadamard} {factor})"
                        yield Edit(node.span.start, node.span.end, whole, slip, sentence, 1.3)

    def _dropped_addends(self, side: Node) -> Iterator[Edit]:
        """A bias, or a neighbour of the sum, that was left out."""
        inner = [n for n in walk(side) if isinstance(n, Sum) and n is not side]
        for number, place in enumerate([side, *inner[:12]]):
            end = place.span.end
            for layer in self.names.layers(self.meaning):
                for name in self._with_letters("b", layer):
                    sentence = f"the term {name} is missing"
                    rank = 0.85 if not number else 1.2
                    text = f" + {name}"
                    yield Edit(end, end, text, "path-missing", sentence, rank, f"+ {name}")

    def _indexed_factors(self, side: Node, tight: str) -> Iterator[Edit]:
        """A factor with indices that was left out of a formula about entries."""
        start, end = side.span.start, side.span.end
        if not self.meaning.ranges and not self._numbers():
            return
        for layer in self.names.layers(self.meaning):
            for name in self._with_letters("h", layer):
                for text in self.names.slopes(name, layer, self.meaning):
                    sentence = f"the factor {text} is missing"
                    slip = "derivative-missing"
                    yield Edit(start, end, f"{tight} {text}", slip, sentence, 1.05, "slope+")
        for layer in self.names.layers(self.meaning):
            for family in ("x", "h", "W", "delta", "z", "y", "yhat"):
                for name in self._with_letters(family, layer):
                    sentence = f"the factor {name} is missing"
                    yield Edit(
                        start, end, f"{tight} {name}", "upstream-missing", sentence, 1.15, "factor+"
                    )
                    if isinstance(side, Big):
                        inside = f" {name}"
                        body = side.body.span.end
                        yield Edit(body, body, inside, "upstream-missing", sentence, 1.2, "factor+")

    def _with_letters(self, family: str, layer: int | str) -> Iterator[str]:
        """The writer's quantity, with the index letters of the formula where it needs them."""
        name = self.names.name(family, layer)
        if family in ("x", "y", "yhat"):
            name = next((h for h, f in self.names.letters() if f == family), None)
        if name is None:
            return
        letters = [*self.meaning.ranges, *self._bound_letters, *self._numbers()]
        if not letters:
            yield name
            return
        count = 2 if family == "W" else 1
        for pick in itertools.permutations(dict.fromkeys(letters), count):
            digits = any(p.isdigit() for p in pick)
            inside = "".join(pick) if not digits else ",".join(pick)
            yield f"{{{name}}}_{{{inside}}}" if "_" in name else f"{name}_{{{inside}}}"
        if count == 1 and len(letters) >= 1:
            yield name

    def _numbers(self) -> list[str]:
        """The numbers that stand as indices in the formula."""
        found: list[str] = []
        for side in self.statement.sides:
            for node in self._symbols(side):
                parts = split(node)
                for script in parts[1] if parts else ():
                    if script.place == "below" and script.kind == "group":
                        digits = [p.text for p in script.parts if isinstance(p, Number)]
                        split_up = [d for text in digits for d in text]
                        found.extend(d for d in split_up if d not in found)
        return found if len(found) <= 4 else []

    def _free_sums(self) -> Iterator[tuple[str, str]]:
        """A letter on this side only: perhaps a sum over it is missing."""
        link = self.verdict.link
        left = free_letters(self.statement.sides[link])
        for letter in free_letters(self.statement.sides[link + 1]):
            if letter not in left:
                yield letter, f"the sum over {letter} is missing: every path counts"

    def _operator_edits(self, side: Node) -> Iterator[Edit]:
        """A column of operators whose variable and operand are exchanged."""
        first = self.statement.sides[self.verdict.link]
        if not isinstance(first, Derivative) or first.wrt is None:
            return
        if isinstance(side, Derivative) and side.operator and side.wrt is not None:
            meant, span = self.text(first.wrt), side.wrt.span
            sentence = f"the derivative is taken by {self.text(side.wrt)} where {meant} is meant"
            yield Edit(span.start, span.end, meant, "index", sentence, 0.4, "operator by")
        if not isinstance(side, Matrix):
            return
        wanted = self.text(first.wrt)
        pieces: list[tuple[int, int, str]] = []
        for row in side.rows:
            for cell in row:
                if not isinstance(cell, Derivative) or not cell.operator:
                    return
                if cell.wrt is None or cell.of is None:
                    return
                here = self.text(cell.wrt)
                if here == wanted:
                    continue
                pieces.append((cell.wrt.span.start, cell.wrt.span.end, wanted))
                for node in self._symbols(cell.of):
                    if self.text(node) == wanted:
                        pieces.append((node.span.start, node.span.end, here))
        if pieces:
            sentence = (
                f"each entry is to be derived by {wanted}, the variable on the left; here the "
                "variable runs through the entries and the function stays the same"
            )
            yield Edit(*pieces[0], "index", sentence, 0.5, "operator", tuple(pieces[1:]))

    def _uniform_marks(self, side: Node) -> Iterator[Edit]:
        """All symbols of one letter that lack their layer mark."""
        places: dict[str, list[Node]] = {}
        for node in self._symbols(side):
            parts = split(node)
            assert parts is not None
            family = self.meaning.settings.letters.get(parts[0].head, "").removeprefix("d_")
            lacks = family in LAYERED and self._reference(node) is None
            if lacks and self._mark_part(*parts, family) is None:
                places.setdefault(parts[0].head, []).append(node)
        for head, nodes in sorted(places.items()):
            if len(nodes) < 2:
                continue
            for number in range(self.names.first, self.names.last + 1):
                mark = self.names.script(number)
                pieces = [(n.span.end, n.span.end, mark) for n in nodes]
                sentence = (
                    f"{len(nodes)} of the {head} have no layer mark; {mark} is the one that fits"
                )
                yield Edit(*pieces[0], "ill-formed", sentence, 0.15, "marks", tuple(pieces[1:]))

    def _size_edits(self, side: Node) -> Iterator[Edit]:
        """A literal matrix with rows or columns that the quantity does not have."""
        other = self.statement.sides[self.verdict.link]
        reference = self._reference(other)
        if reference is None or not isinstance(side, Matrix) or reference.indices:
            return
        try:
            shape = self.meaning.value(other)
        except (NotUnderstood, IllFormed, Clash):
            return
        height = shape.rows[0].size if shape.rows else 1
        width = shape.cols[0].size if shape.cols else 1
        have = (len(side.rows), len(side.rows[0]))
        if have == (height, width) or have[0] < height or have[1] < width:
            return
        rows = [row[:width] for row in side.rows[:height]]
        start, end = side.rows[0][0].span.start, side.rows[-1][-1].span.end
        sentence = (
            f"{self.text(other)} has {height} x {width} entries in this network, "
            f"{have[0]} x {have[1]} are written"
        )
        texts = [[self.text(c) for c in row] for row in rows]
        body = r" \\ ".join(" & ".join(row) for row in texts)
        yield Edit(start, end, body, "size", sentence, 0.3, "size")
        marked = [
            [self._with_mark(c, text) for c, text in zip(row, words, strict=True)]
            for row, words in zip(rows, texts, strict=True)
        ]
        if marked != texts:
            body = r" \\ ".join(" & ".join(row) for row in marked)
            sentence += ", and a layer mark is missing"
            yield Edit(start, end, body, "size", sentence, 0.4, "size")

    def _with_mark(self, node: Node, text: str) -> str:
        """An entry with the layer mark of the matrix, where it has none."""
        parts = split(node)
        if parts is None or self._reference(node) is not None:
            return text
        family = self.meaning.settings.letters.get(parts[0].head, "")
        if family not in LAYERED or self._mark_part(*parts, family) is not None:
            return text
        other = self._reference(self.statement.sides[self.verdict.link])
        if other is None or other.layer is None:
            return text
        settings = self.meaning.settings
        offset = settings.weights_from if family in ("W", "b") else settings.nodes
        return text + self.names.script(other.layer + offset)

    def _entry_edits(self, side: Node) -> Iterator[Edit]:
        """A literal matrix of one quantity's entries, each with the indices that its true value
        has."""
        for matrix, target in self._aligned_matrices(side):
            pieces = self._renumbered_entries(matrix, target)
            if pieces:
                cell = next(c for row in matrix.rows for c in row if c.span.end >= pieces[0][1])
                sentence = (
                    f"{len(pieces)} of the indices in the matrix are wrong, the first in "
                    f"{self.text(cell)}"
                )
                yield Edit(*pieces[0], "index", sentence, 0.6, "entries", tuple(pieces[1:]))

    def _aligned_matrices(self, side: Node) -> Iterator[tuple[Matrix, Value]]:
        """Literal matrices with the value that they should have."""
        other = self.statement.sides[self.verdict.link]
        pairs: list[tuple[Node, Node]] = [(side, other)]
        both = isinstance(side, Product) and isinstance(other, Product)
        if both and len(side.factors) == len(other.factors):  # type: ignore[union-attr]
            pairs = list(zip(side.factors, other.factors, strict=True))  # type: ignore[union-attr]
        for matrix, node in pairs:
            if isinstance(matrix, Matrix):
                try:
                    yield matrix, self.meaning.value(node)
                except (NotUnderstood, IllFormed, Clash):
                    continue

    def _renumbered_entries(self, matrix: Matrix, target: Value) -> list[tuple[int, int, str]]:
        height, width = len(matrix.rows), len(matrix.rows[0])
        shape = (*target.array.shape[:1], *(a.size for a in target.axes))
        if target.free or (height, width) != (
            target.rows[0].size if target.rows else 1,
            target.cols[0].size if target.cols else 1,
        ):
            return []
        values = target.array.reshape(shape[0], height, width)
        pieces: list[tuple[int, int, str]] = []
        for i, row in enumerate(matrix.rows):
            for j, cell in enumerate(row):
                if not isinstance(cell, Scripted):
                    return []
                found = self._right_indices(cell, values[:, i, j])
                if found is None:
                    return []
                pieces.extend(found)
        return pieces

    def _right_indices(self, cell: Scripted, value: Any) -> list[tuple[int, int, str]] | None:
        parts = [
            p for s in cell.scripts if s.place == "below" for p in s.parts if isinstance(p, Number)
        ]
        if not 1 <= len(parts) <= 2:
            return None
        reference = self._reference(cell)
        if reference is None or reference.kind not in ("tensor", "adjoint"):
            return None
        if len(parts) == 1 and len(parts[0].text) == 2:
            return self._right_digits(parts[0], reference, value)
        sizes = [a.size for a in self.meaning.world.axes(reference.name)]
        written = tuple(int(p.value) for p in parts)
        options = itertools.product(*(range(1, max(sizes) + 1) for _ in parts))
        for option in sorted(options, key=lambda o: (o != written, o)):
            numbers = [
                replace(p, value=type(p.value)(n), text=str(n))
                for p, n in zip(parts, option, strict=True)
            ]
            try:
                indexed = replace(reference, indices=tuple(numbers))
                held = referred(self.meaning, indexed)
            except (NotUnderstood, IllFormed, Clash):
                continue
            if held.is_scalar and np.allclose(held.array, value, rtol=1e-9, atol=1e-12):
                return [
                    (p.span.start, p.span.end, str(n))
                    for p, n in zip(parts, option, strict=True)
                    if int(p.value) != n
                ]
        return None

    def _right_digits(
        self, part: Number, reference: Reference, value: Any
    ) -> list[tuple[int, int, str]] | None:
        """The same for `_{12}`, two indices without a comma."""
        options = [f"{i}{j}" for i in range(1, 10) for j in range(1, 10)]
        for text in sorted(options, key=lambda o: (o != part.text, o)):
            number = replace(part, value=type(part.value)(int(text)), text=text)
            try:
                held = referred(self.meaning, replace(reference, indices=(number,)))
            except (NotUnderstood, IllFormed, Clash):
                continue
            if held.is_scalar and np.allclose(held.array, value, rtol=1e-9, atol=1e-12):
                return [] if text == part.text else [(part.span.start, part.span.end, text)]
        return None

    def _matrix_edits(self, side: Node) -> Iterator[Edit]:
        """What is particular to literal matrices."""
        yield from self._operator_edits(side)
        yield from self._uniform_marks(side)
        yield from self._size_edits(side)
        yield from self._entry_edits(side)
        for node in walk(side):
            if not isinstance(node, Matrix) or len(node.rows) * len(node.rows[0]) < 2:
                continue
            columns = list(zip(*node.rows, strict=True))
            start, end = node.rows[0][0].span.start, node.rows[-1][-1].span.end
            text = r" \\ ".join(" & ".join(self.text(c) for c in column) for column in columns)
            sentence = "the matrix has to be transposed"
            yield Edit(start, end, text, "transpose", sentence, 0.9, "matrix")


@dataclass(frozen=True)
class Names:
    """How the writer of a note writes the network's quantities."""

    settings: Settings
    first: int
    last: int
    count: str
    hadamard: str
    transpose: str
    function: str

    def letters(self) -> list[tuple[str, str]]:
        """Heads and what they mean; capitals first where a batch is spoken of."""
        batch = self.settings.mode == "batch"
        return sorted(self.settings.letters.items(), key=lambda p: (p[0].islower() == batch, p[0]))

    def script(self, number: int | str) -> str:
        mark = self.settings.mark
        text = mark.around(number)
        return f"{mark.sign}{text}" if len(text) == 1 else f"{mark.sign}{{{text}}}"

    def name(self, family: str, layer: int | str) -> str | None:
        """The text of a layered quantity, as the writer would put it; `layer` as the writer
        counts, or the network's own number for a letter that belongs to one layer."""
        for head, found in self.letters():
            if found == family:
                return f"{head}{self.script(layer)}"
        if isinstance(layer, int):
            offset = self.settings.weights_from if family in ("W", "b") else self.settings.nodes
            for head, found in self.letters():
                if found == f"{family}:{layer - offset}":
                    return head
        return None

    def layers(self, meaning: Meaning) -> list[int | str]:
        letter = [n for n in meaning.numbers if n != "L"]
        if letter:
            return [letter[0], f"{letter[0]}+1", f"{letter[0]}-1"]
        return list(range(self.first, self.last + 1))

    def factors(self, meaning: Meaning) -> Iterator[tuple[str, str, str]]:
        """What may have been forgotten: a derivative of an activation, an error from above."""
        for layer in self.layers(meaning):
            pre = self.name("z", layer)
            if pre and self.function:
                text = rf"{self.function}'({pre})"
                yield text, "derivative-missing", f"the factor {text} is missing"
            post = None if pre and self.function else self.name("h", layer)
            texts = self.slopes(post, layer, meaning) if post else []
            if not self.function and not texts:
                texts = self.named_slopes(pre, layer, meaning)
            for text in texts:
                yield text, "derivative-missing", f"the factor {text} is missing"
        for layer in self.layers(meaning):
            above = self.name("delta", layer) or self.name("d_z", layer)
            if above:
                sentence = f"what comes from above is missing: {above}"
                yield above, "upstream-missing", sentence
        for layer in self.layers(meaning):
            for family in ("W", "h"):
                name = self.name(family, layer)
                if name:
                    sentence = f"the factor {name} is missing"
                    yield name, "upstream-missing", sentence
                    if family == "W":
                        yield f"({name})^{self.transpose}", "upstream-missing", sentence
        for head, family in self.letters():
            for layer in self.layers(meaning) if family == "alias" else ():
                name = f"{head}{self.script(layer)}"
                yield name, "upstream-missing", f"the factor {name} is missing"
            if family in ("x", "y", "yhat") and head not in ("dx", "dy"):
                yield head, "upstream-missing", f"the factor {head} is missing"

    def slopes(self, post: str, layer: int | str, meaning: Meaning) -> list[str]:
        """The derivative of an activation in terms of the activation, as people write it."""
        name = self._activation(layer, meaning)
        square = f"({post})^2" if "^" in post else f"{post}^2"
        if "_" not in post or self.settings.mark.place == "below":
            square = f"{post} {self.hadamard} {post}"
        text = slope_through(name, post, square, self.hadamard)
        return [text] if text else []

    def named_slopes(self, pre: str | None, layer: int | str, meaning: Meaning) -> list[str]:
        """The derivative of an activation that the note calls by its own name."""
        name = self._activation(layer, meaning)
        heads = [head for head, family in self.letters() if family == name and is_function(name)]
        names = [head if head.startswith("\\") else rf"\operatorname{{{head}}}" for head in heads]
        return [f"{names[0]}'({pre})"] if pre and names else []

    def _activation(self, layer: int | str, meaning: Meaning) -> str:
        try:
            number = layer if isinstance(layer, int) else _plus(meaning.scope.numbers, layer)
            return activation(meaning.world.network, number - self.settings.nodes)
        except (NotUnderstood, IllFormed):
            return ""

    def others(self, reference: Reference | None) -> Iterator[str]:
        """Other quantities that may stand where one stands, without indices."""
        if reference is None or reference.indices or reference.kind != "tensor":
            return
        if reference.layer is None or reference.power is not None or reference.transposed:
            for head, family in self.letters():
                if family in ("x", "yhat", "y") and head != reference.name:
                    yield head
            return
        for family in ("z", "h"):
            offset = self.settings.nodes
            for step in (0, -1, 1):
                name = self.name(family, reference.layer + offset + step)
                if name:
                    yield name
        for head, family in self.letters():
            if family in ("x", "yhat", "y"):
                yield head


def _plus(numbers: Mapping[str, int], text: str) -> int:
    """The value of `l`, `l+1` or `l-1`."""
    head, sign, rest = text.partition("+") if "+" in text else text.partition("-")
    step = int(rest) if sign else 0
    return numbers[head] + (step if sign == "+" else -step)


_NO_VALUES = ("f", "N", "depth")
_NAMES = ("alias", "numbered")


def _takes_mark(family: str) -> bool:
    letter = family.removeprefix("d_")
    return letter in LAYERED and ":" not in letter


def applied(text: str, pieces: Sequence[tuple[int, int, str]]) -> str:
    """The text with pieces replaced."""
    for start, end, new in sorted(pieces, reverse=True):
        text = text[:start] + new + text[end:]
    return text
