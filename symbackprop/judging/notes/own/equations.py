r"""The forward equations of a note, collected: what each letter is made from, and at which line.

Owns: `Equations`, with what the note says of its letters, functions, depth and loss. Refuses:
deciding which of it is the network (`layers`).
Would be wrong if a law about free letters were collected as a layer: what does not lead to the
loss is never asked for.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

from symbackprop.calculus.scalars import FUNCTIONS
from symbackprop.judging.notes.conventions.search import INDEX_LETTERS
from symbackprop.judging.notes.formula.judge import EQUALITIES
from symbackprop.judging.notes.formula.layers import stated_range
from symbackprop.judging.notes.formula.symbols import function_called, split
from symbackprop.judging.notes.own.functions import scalar_function
from symbackprop.judging.notes.own.losses import Loss, loss_name, loss_of
from symbackprop.judging.notes.own.sizes import Shape, shapes_of
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
    Written,
    is_bias,
)
from symbackprop.networks.layers.activations import ACTIVATIONS
from symbackprop.reading.latex.macros import collect
from symbackprop.reading.latex.parser import read
from symbackprop.reading.latex.syntax import (
    Big,
    Cases,
    Derivative,
    Indicator,
    Node,
    Number,
    Product,
    Quotient,
    Scripted,
    Statement,
    Symbol,
    heads_below,
    walk,
)
from symbackprop.reading.notes.passages import Note

INPUTS = frozenset({"x", r"\vec{x}", "input"})
MOST = 1000  # layers
_TARGET = re.compile(r"\b(?:target|label|true|correct|desired|wanted|given)\w*\s*$", re.IGNORECASE)


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
class Equations:
    """All that the lines of a note say of its forward pass."""

    written: tuple[Written, ...]
    reader: Reader

    @classmethod
    def of(cls, note: Note) -> Equations:
        macros = collect(note.definitions)
        found = tuple(
            Written(passage, statement)
            for passage in note.passages
            for statement in read(passage.latex, macros)
            if isinstance(statement, Statement)
        )
        return cls(found, Reader([w.statement for w in found]))

    @property
    def by_index(self) -> Equations:
        """The same, read as if index letters told the layers."""
        return Equations(self.written, replace(self.reader, by_index=True))

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
    def other_functions(self) -> tuple[str, ...]:
        r"""What a \sigma may be that nothing defines: tanh, relu where something is said to be one
        thing here and another there, and what the prose names. It takes away, no more."""
        nodes = (n for w in self.written for side in w.statement.sides for n in walk(side))
        cases = "max" in self.heads or any(isinstance(n, Cases | Indicator) for n in nodes)
        passages = (w.passage for w in self.written)
        prose = " ".join(f"{p.before} {p.after} {p.heading}" for p in passages).lower()
        return tuple(
            name
            for name in ACTIVATIONS
            if name in FUNCTIONS
            and (name == "tanh" or (cases and name == "relu") or _is_named(name, prose))
        )

    @cached_property
    def given(self) -> tuple[Given, ...]:
        return tuple(each for written in self.written for each in self._given(written))

    def _given(self, written: Written) -> Iterator[Given]:
        statement = written.statement
        key = self.left(statement)
        if key is None or (statement.continues and not statement.sides):
            return
        stated = _range(statement.remark, self._depth_numbers)
        layers = frozenset(stated) if stated is not None else None
        for relation, side in zip(statement.relations, statement.sides[1:], strict=True):
            if relation not in EQUALITIES or any(isinstance(n, Derivative) for n in walk(side)):
                return
            found = self.reader.expression(side)
            if found is not None and not self._says_nothing(key, found):
                name = written.text(statement.sides[0])
                yield Given(key, found, name, written, layers)

    def left(self, statement: Statement) -> Key | None:
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
        parts, key = split(called[0]), self.reader.key(called[0])
        variable = self.reader.key(called[1])
        if parts is None or key is None or variable is None or key.head.endswith("*"):
            return
        head = parts[0].head
        beyond = heads_below(right)
        if function_called(head) or head in beyond or not heads_below(called[1]) & beyond:
            return
        name = self._function_of(variable, right)
        letters = self.reader.quantities(right)
        if name or not any(self.reader.is_weight(letter.head) for letter in letters):
            yield SaidFunction(Key(head, key.mark), name, written)

    def _function_of(self, variable: Key, side: Node) -> str:
        """The activation of its variable that a side is; "" for none of the catalogue."""
        match self.reader.expression(side):
            case Activated(function=Function(name=name), argument=Quantity(key=key)) if name:
                return name if key == variable else ""
        return scalar_function(side, lambda node: self.reader.key(node) == variable)

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
        zero = any(k.mark == Mark("", 0) and k.head in self._unit_heads for k in self.keys)
        zero = zero or any(
            k.mark == Mark("", 0) and self.reader.is_weight(k.head) for k in self.keys
        )
        return 0 if zero else max(self.shift, 0)

    @cached_property
    def keys(self) -> tuple[Key, ...]:
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
                    ends = _range(text, {})
                    if ends and len(ends) > 1 and LAST not in text:
                        found.append((max(ends), written))
                    continue
            ends = _range(statement.remark, {})
            if ends and len(ends) > 1:
                found.append((max(ends), written))
        return tuple(found)

    @cached_property
    def _depth_numbers(self) -> Mapping[str, int]:
        number = self.last
        return (
            {}
            if number is None or number > MOST
            else dict.fromkeys(sorted(self.reader.depth_letters), number)
        )

    @cached_property
    def last(self) -> int | None:
        """The number of the last layer: stated, else the largest that a unit's letter carries."""
        if self.depths:
            return max(number for number, _ in self.depths)
        marks: list[int] = []
        for key in (k for k in self.keys if k.mark is not None and not k.mark.letter):
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
            key = self.left(written.statement)
            if key is not None and key.mark is not None and key.mark.letter == LAYER:
                heads.add(key.head)
        return frozenset(heads)

    @cached_property
    def shift(self) -> int:
        """By how much the number of a unit exceeds that of its weights."""
        for written in self.written:
            key = self.left(written.statement)
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
        found = (loss_of(written, self.reader) for written in self.written)
        return tuple(filter(None, found))

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

    # --- sizes ------------------------------------------------------------------------------

    @cached_property
    def shapes(self) -> tuple[Shape, ...]:
        r"""W \in \mathbb{R}^{4 \times 3}, and what is given in numbers."""
        return tuple(each for written in self.written for each in shapes_of(written, self.reader))


def _range(remark: str, numbers: Mapping[str, int]) -> set[int] | None:
    """The layers that a remark names, if they are not too many for a network."""
    if any(int(digits) > MOST for digits in re.findall(r"[0-9]{1,9}", remark)):
        return None
    return stated_range(remark, LAYER, numbers)


def _is_named(name: str, prose: str) -> bool:
    record = FUNCTIONS[name]
    words = (name, record.words, record.short, *record.spellings)
    return any(word.lower() in prose for word in words if word)


def _counts(side: Node) -> bool:
    """i, 3: no quantities, in i = j and k = 3."""
    return isinstance(side, Number) or (isinstance(side, Symbol) and side.head in INDEX_LETTERS)
