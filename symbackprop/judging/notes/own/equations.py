r"""The forward equations of a note, collected: what each letter is made from, and at which line.

Owns: `Equations`, with what the note says of its letters, functions, depth and loss. Refuses:
deciding which of it is the network (`layers`).
Would be wrong if a law about free letters were collected as a layer: what does not lead to the
loss is never asked for.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any

from symbackprop.judging.notes.conventions.search import INDEX_LETTERS, LOSSES
from symbackprop.judging.notes.formula.judge import EQUALITIES
from symbackprop.judging.notes.formula.layers import stated_range
from symbackprop.judging.notes.formula.symbols import function_called, split
from symbackprop.judging.notes.own.functions import replaced, scalar_function
from symbackprop.judging.notes.own.syntax import (
    LAST,
    LAYER,
    Activated,
    Affine,
    Expression,
    Function,
    Key,
    Mark,
    Quantity,
    Reader,
    is_bias,
)
from symbackprop.reading.latex.macros import collect
from symbackprop.reading.latex.parser import read
from symbackprop.reading.latex.syntax import (
    Apply,
    Big,
    Cases,
    Derivative,
    Group,
    Indicator,
    Matrix,
    Node,
    Norm,
    Number,
    Product,
    Quotient,
    Scripted,
    Statement,
    Sum,
    Symbol,
    heads_below,
    walk,
)
from symbackprop.reading.notes.passages import Note, Passage

_TARGET = re.compile(r"\b(?:target|label|true|correct|desired|wanted|given)\w*\s*$", re.IGNORECASE)
SPACES = frozenset({r"\mathbb{R}", "R"})


@dataclass(frozen=True)
class Written:
    """A statement of the note and where it stands."""

    passage: Passage
    statement: Statement

    @property
    def place(self) -> tuple[int, int]:
        return self.passage.place(self.statement.span.start)

    @property
    def line(self) -> int:
        return self.place[0]

    def text(self, node: Node) -> str:
        return " ".join(self.passage.latex[node.span.start : node.span.end].split())


@dataclass(frozen=True)
class Given:
    """A letter and what it is made from; `name` is how the note writes the letter."""

    key: Key
    expression: Expression
    name: str
    written: Written
    layers: frozenset[int] | None = None  # of a line about any layer, where a range is stated
    general: bool = False  # one layer of a line about any


@dataclass(frozen=True)
class SaidFunction:
    """What a letter is as a function; "" for none that the catalogue has."""

    letter: Key
    name: str
    written: Written


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


@dataclass(frozen=True)
class Shape:
    """What a letter's size is said to be, one number for each axis as written."""

    key: Key
    sizes: tuple[int | str, ...]
    written: Written


@dataclass(frozen=True)
class Equations:
    """All that the lines of a note say of its forward pass."""

    written: tuple[Written, ...]
    reader: Reader

    @classmethod
    def of(cls, note: Note, by_index: bool = False) -> Equations:
        macros = collect(note.definitions)
        found = tuple(
            Written(passage, statement)
            for passage in note.passages
            for statement in read(passage.latex, macros)
            if isinstance(statement, Statement)
        )
        return cls(found, Reader([w.statement for w in found], by_index))

    # --- letters ----------------------------------------------------------------------------

    @cached_property
    def heads(self) -> frozenset[str]:
        return heads_below(*(side for w in self.written for side in w.statement.sides))

    @cached_property
    def targets(self) -> frozenset[str]:
        r"""Letters that the text calls the target: the label \hat{y}. It takes away, no more."""
        found: set[str] = set()
        for written in self.written:
            sides = written.statement.sides
            if len(sides) == 1 and _TARGET.search(written.passage.before):
                key = self.reader.key(sides[0])
                found |= {key.head} if key is not None and key.mark is None else set()
        return frozenset(found)

    @cached_property
    def has_cases(self) -> bool:
        """Whether something is said to be one thing here and another there."""
        nodes = (n for w in self.written for side in w.statement.sides for n in walk(side))
        return "max" in self.heads or any(isinstance(n, Cases | Indicator) for n in nodes)

    @cached_property
    def given(self) -> tuple[Given, ...]:
        return tuple(each for written in self.written for each in self._given(written))

    def _given(self, written: Written) -> Iterator[Given]:
        statement = written.statement
        key = self._left(statement)
        if key is None or (statement.continues and not statement.sides):
            return
        stated = stated_range(statement.remark, LAYER, self._depth_numbers)
        layers = frozenset(stated) if stated is not None else None
        for relation, side in zip(statement.relations, statement.sides[1:], strict=True):
            if relation not in EQUALITIES or any(isinstance(n, Derivative) for n in walk(side)):
                return
            found = self.reader.expression(side)
            if found is not None and not self._says_nothing(key, found):
                name = written.text(statement.sides[0])
                yield Given(key, found, name, written, layers)

    def _left(self, statement: Statement) -> Key | None:
        """The letter that a line gives: z, and f of f(x)."""
        side = statement.sides[0]
        called = self.reader.application(side)
        key = self.reader.key(side if called is None else called[0])
        if (
            key is None
            or key.head.endswith("*")
            or self.reader.is_weight(key.head)
            or is_bias(key.head)
        ):
            return None
        if function_called(key.head):
            return None
        return key

    def _says_nothing(self, key: Key, found: Expression) -> bool:
        """a = a, and the f(x) of \\hat y = f(x) = …, whose f is no activation."""
        match found:
            case Quantity(key=other):
                return other == key or self.reader.is_weight(other.head) or is_bias(other.head)
            case Activated(function=Function(name="", letter=letter), argument=Quantity(key=inner)):
                said = letter is not None and self.function(letter)
                return self.is_input(inner) and not said
        return False

    # --- functions --------------------------------------------------------------------------

    @cached_property
    def functions(self) -> tuple[SaidFunction, ...]:
        return tuple(each for written in self.written for each in self._functions(written))

    def function(self, letter: Key) -> tuple[SaidFunction, ...]:
        """What the note says of a function's letter: of this layer, else of all."""
        own = tuple(f for f in self.functions if f.letter == letter)
        return own or tuple(f for f in self.functions if f.letter == Key(letter.head))

    def _functions(self, written: Written) -> Iterator[SaidFunction]:
        statement = written.statement
        if len(statement.sides) < 2 or statement.relations[0] not in EQUALITIES:
            return
        left, right = statement.sides[:2]
        if isinstance(left, Scripted) and isinstance(left.base, Product):
            left = left.base  # \sigma(z)_i
        called = self.reader.application(left)
        if called is None:
            yield from self._named(left, right, written)
            return
        parts, argument = split(called[0]), self.reader.key(called[1])
        key = self.reader.key(called[0])
        if parts is None or key is None or argument is None or function_called(parts[0].head):
            return
        if key.head.endswith("*") or parts[0].head in heads_below(right):
            return
        if heads_below(called[1]) and not heads_below(called[1]) & heads_below(right):
            return
        for side in statement.sides[1:]:
            found = self.reader.expression(side)
            if isinstance(found, Activated) and found.argument == Quantity(argument, side.span):
                if found.function.name:
                    yield SaidFunction(Key(parts[0].head, key.mark), found.function.name, written)
                    return
        name = scalar_function(right, lambda n: self.reader.key(n) == argument)
        if any(self.reader.is_weight(k.head) for k in self.reader.quantities(right)) and not name:
            return
        yield SaidFunction(Key(parts[0].head, key.mark), name, written)

    def _named(self, left: Node, right: Node, written: Written) -> Iterator[SaidFunction]:
        """f = \\tanh."""
        parts, key = split(left), self.reader.key(left)
        name = function_called(right.head) if isinstance(right, Symbol) else ""
        if parts is not None and key is not None and name:
            yield SaidFunction(Key(parts[0].head, key.mark), name, written)

    # --- depth ------------------------------------------------------------------------------

    def is_input(self, key: Key) -> bool:
        """x without a layer, and what any letter is before the first layer."""
        return key.mark == Mark("", self.first) or (key.mark is None and key.head in INPUTS)

    @cached_property
    def first(self) -> int:
        """The number of the input: one less than that of the units of the first weights, which is
        1 unless something is numbered 0."""
        zero = any(k.mark == Mark("", 0) and k.head in self._unit_heads for k in self._keys)
        zero = zero or any(
            k.mark == Mark("", 0) and self.reader.is_weight(k.head) for k in self._keys
        )
        return 0 if zero else max(self.shift, 0)

    @cached_property
    def _keys(self) -> tuple[Key, ...]:
        """Every letter with its layer that stands anywhere in the note."""
        nodes = (n for w in self.written for side in w.statement.sides for n in walk(side))
        found = (self.reader.key(n) for n in nodes if isinstance(n, Symbol | Scripted))
        return tuple(dict.fromkeys(key for key in found if key is not None))

    @cached_property
    def depths(self) -> tuple[tuple[int, Written], ...]:
        """What the note says the number of the last layer is: L = 3, l = 1, …, 3."""
        found: list[tuple[int, Written]] = []
        for written in self.written:
            statement = written.statement
            match statement.sides:
                case (Symbol(head=head), Number(value=value)) if head in self.reader.depth_letters:
                    if statement.relations == ("=",) and value.denominator == 1 and value > 0:
                        found.append((int(value), written))
                case (Symbol(head="l" | r"\ell"), *_):
                    text = written.passage.latex
                    ends = stated_range(text, LAYER, {})
                    if ends and len(ends) > 1 and LAST not in text:
                        found.append((max(ends), written))
                    continue
            ends = stated_range(statement.remark, LAYER, {})
            if ends and len(ends) > 1:
                found.append((max(ends), written))
        return tuple(found)

    @cached_property
    def _depth_numbers(self) -> Mapping[str, int]:
        number = self.last
        return {} if number is None else dict.fromkeys(sorted(self.reader.depth_letters), number)

    @cached_property
    def last(self) -> int | None:
        """The number of the last layer: stated, else the largest that a unit's letter carries."""
        if self.depths:
            return max(number for number, _ in self.depths)
        marks: list[int] = []
        for key in (k for k in self._keys if k.mark is not None and not k.mark.letter):
            assert key.mark is not None
            if key.head in self._unit_heads:
                marks.append(key.mark.number)
            elif self.reader.is_weight(key.head) or is_bias(key.head):
                marks.append(key.mark.number + self.shift)
        deepest = max(marks, default=0)
        return deepest if deepest > 1 else None

    @cached_property
    def _unit_heads(self) -> frozenset[str]:
        """The letters that lines about any layer give."""
        heads = set()
        for written in self.written:
            key = self._left(written.statement)
            if key is not None and key.mark is not None and key.mark.letter == LAYER:
                heads.add(key.head)
        return frozenset(heads)

    @cached_property
    def shift(self) -> int:
        """By how much the number of a unit exceeds that of its weights."""
        for written in self.written:
            key = self._left(written.statement)
            if key is None or key.mark is None or key.mark.letter != LAYER:
                continue
            for side in written.statement.sides[1:]:
                found = self.reader.expression(side)
                if isinstance(found, Activated):
                    found = found.argument
                if isinstance(found, Affine) and found.weight.key.mark is not None:
                    return key.mark.number - found.weight.key.mark.number
        return 0

    # --- loss -------------------------------------------------------------------------------

    @cached_property
    def losses(self) -> tuple[Loss, ...]:
        return tuple(filter(None, map(self._loss, self.written)))

    @cached_property
    def totals(self) -> tuple[tuple[str, Written], ...]:
        """Lines that take the losses of the samples together, as a `sum` or a `mean`."""
        names = {loss.name for loss in self.losses}
        found: list[tuple[str, Written]] = []
        for written in self.written:
            left = loss_name(written.statement.sides[0])
            for side in written.statement.sides[1:] if left else ():
                sums = [n for n in walk(side) if isinstance(n, Big) and n.kind == "sum"]
                inner = {loss_name(n) for b in sums for n in walk(b.body)} & names
                if inner and len(sums) == 1 and not isinstance(side, Derivative):
                    divided = any(isinstance(n, Quotient) for n in walk(side))
                    found.append(("mean" if divided else "sum", written))
                    break
        return tuple(found)

    def _loss(self, written: Written) -> Loss | None:
        statement = written.statement
        if len(statement.sides) < 2 or statement.relations[0] not in EQUALITIES:
            return None
        name = loss_name(statement.sides[0])
        for side in statement.sides[1:] if name else ():
            nodes = walk(side)
            kind = self._loss_kind(side)
            if kind and not any(isinstance(n, Derivative) for n in nodes):
                keys = tuple(self.reader.quantities(_without_scale(side)))
                sums = [b for n in nodes if isinstance(n, Big) for b in n.bounds]
                norms = any(isinstance(n, Norm) for n in nodes)
                divided = any(_is_count(n) for n in nodes)
                joined = any(s.kind == "transpose" for n in nodes for s in _scripts(n))
                spread = len(sums) > divided or norms or joined
                counted = divided or len(sums) > 1
                half = kind == "squared_error" and any(_has_half(n) for n in nodes)
                return Loss(kind, half, keys, divided, counted, spread, written, name)
        return None

    def _loss_kind(self, side: Node) -> str:
        """Which loss a side is by its form; "" for none of the catalogue."""
        logs = [n for n in walk(side) if isinstance(n, Apply) and _is_log(n)]
        if not logs:
            return "squared_error" if any(map(_is_square, walk(side))) else ""
        products = [n for n in walk(side) if isinstance(n, Product)]
        weighed = [p for p in products if any(f in logs for f in p.factors)]
        others_of = (f for p in weighed for f in p.factors if f not in logs)
        if not any(self.reader.quantities(f) for f in others_of):
            return ""  # y log(a), not log(a)
        others = any(_is_one_minus(a) for n in logs for a in n.arguments)
        return "binary_cross_entropy" if others else "cross_entropy"

    # --- sizes ------------------------------------------------------------------------------

    @cached_property
    def shapes(self) -> tuple[Shape, ...]:
        r"""W \in \mathbb{R}^{4 \times 3}, and what is given in numbers."""
        return tuple(each for written in self.written for each in self._shapes(written))

    def _shapes(self, written: Written) -> Iterator[Shape]:
        statement = written.statement
        pairs = list(zip(statement.sides, statement.relations, statement.sides[1:], strict=False))
        pairs += [(c.left, c.relation, c.right) for c in statement.conditions]
        for left, relation, right in pairs:
            for one in left.items if isinstance(left, Group) else (left,):
                key = self.reader.key(one)
                if key is None or _has_index(one):
                    continue
                sizes = _of_space(right) if relation == r"\in" else _of_numbers(right)
                if sizes:
                    yield Shape(key, sizes, written)


INPUTS = frozenset({"x", r"\vec{x}", "input"})


def _counts(side: Node) -> bool:
    """i, 3: no quantities, in i = j and k = 3."""
    return isinstance(side, Number) or (isinstance(side, Symbol) and side.head in INDEX_LETTERS)


def loss_name(side: Node) -> str:
    r"""The letter of a loss: L, L(\hat y, y), E_n, \mathcal{L}; "" for another."""
    if isinstance(side, Product) and side.sign == "" and len(side.factors) == 2:
        if isinstance(side.factors[1], Group):
            side = side.factors[0]
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


def _scripts(node: Node) -> tuple[Any, ...]:
    return node.scripts if isinstance(node, Scripted) else ()


def _has_index(node: Node) -> bool:
    return any(s.place == "below" and s.bracket == "" and _is_plain(s) for s in _scripts(node))


def _is_plain(script: Any) -> bool:
    return len(script.parts) > 1 or not all(isinstance(p, Number) for p in script.parts)


def _of_space(node: Node) -> tuple[int | str, ...]:
    r"""The sizes in \mathbb{R}^{4 \times 3}."""
    parts = split(node)
    if parts is None or parts[0].head not in SPACES or len(parts[1]) != 1:
        return ()
    whole = parts[1][0].whole
    factors = whole.factors if isinstance(whole, Product) else (whole,)
    sizes = [_size(f) for f in factors]
    return tuple(s for s in sizes if s) if all(sizes) and len(sizes) < 3 else ()


def _size(node: Node) -> int | str:
    """A whole number, or a name such as n_1; 0 for neither."""
    if isinstance(node, Number) and node.value.denominator == 1:
        return int(node.value)
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
    return "_".join(heads).replace("\\", "")


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
