r"""Forward equations as they are written: which letter of which layer is made from which.

Owns: `Key`, a letter with its layer, without its indices; the expressions of a forward pass
(`Quantity`, `Affine`, `Activated`); and `Reader`, from syntax to these. Refuses: what a letter is
worth, how layers hang together, and anything that is not of that shape: it is `None`.
Would be wrong if an index were taken for a layer, so that two letters became one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from symbackprop.judging.notes.conventions.search import (
    INDEX_LETTERS,
    SIGMA,
    depth_letters,
    lower,
    mark_of,
)
from symbackprop.judging.notes.formula.symbols import function_called, split
from symbackprop.judging.notes.own.functions import scalar_function
from symbackprop.notation import LayerMark
from symbackprop.reading.latex.syntax import (
    Apply,
    Big,
    Cases,
    Derivative,
    Group,
    Matrix,
    Node,
    Number,
    Product,
    Quotient,
    Script,
    Scripted,
    Span,
    Statement,
    Sum,
    Symbol,
    children,
    walk,
)
from symbackprop.reading.notes.passages import Passage

WEIGHTS = frozenset({"w", r"\theta", r"\omega"})
WEIGHTS_OR_UNITS = frozenset({"u", "v", "m", r"\beta"})  # units where a line says what they are
BIASES = frozenset({"b", "c", r"\beta", r"\theta", r"\gamma"})
FACTORS = frozenset({"", r"\cdot", "*", r"\times"})
DEEPEST_MARK = 99
MOST_PARTS = 80  # of a function that is written out
LAYER = "l"  # any layer
LAST = "L"  # the last


@dataclass(frozen=True, order=True)
class Mark:
    """A layer: its number; or a number more than `l` or `L`; or a name, as in z_h."""

    letter: str = ""
    number: int = 0


@dataclass(frozen=True, order=True)
class Key:
    """A letter, small also where a batch has a capital, and its layer; `index` where its index
    letter tells the layer."""

    head: str
    mark: Mark | None = None
    index: str = ""


@dataclass(frozen=True)
class Quantity:
    key: Key
    span: Span = field(compare=False)


@dataclass(frozen=True)
class Affine:
    """weight times source, and a bias; `outputs_first` says of the weight that its rows are the
    units, None where nothing shows it; a `vector` leads to one unit."""

    weight: Quantity
    source: Expression
    bias: Quantity | None
    outputs_first: bool | None
    vector: bool


@dataclass(frozen=True)
class Function:
    """An activation by its name, or a letter that something else has to say of."""

    name: str
    letter: Key | None = None


@dataclass(frozen=True)
class Activated:
    function: Function
    argument: Expression
    span: Span = field(compare=False)


Expression = Quantity | Affine | Activated


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


def small(head: str) -> str:
    r"""The letter of one sample for that of a batch: z for Z, \hat{y} for \hat{Y}."""
    accent, brace, inner = head.partition("{")
    if brace:
        return accent + brace + small(inner[:-1]) + "}"
    return lower(head)


def is_bias(head: str) -> bool:
    return small(head) in BIASES or (small(head[:1]) in BIASES and head[1:].isdigit())


@dataclass(frozen=True)
class Reader:
    """Reads the formulas of one note. `by_index` takes a_j and a_k for letters of two layers."""

    statements: Sequence[Statement]
    by_index: bool = False

    @cached_property
    def mark(self) -> LayerMark:
        return mark_of(self.statements, DEEPEST_MARK)

    @cached_property
    def depth_letters(self) -> frozenset[str]:
        return frozenset({LAST, *depth_letters(self.statements, self.mark)})

    @cached_property
    def indices(self) -> frozenset[str]:
        """Letters that count entries: customary ones, those of sums, and those of pairs below."""
        found = set(INDEX_LETTERS - {"l", r"\ell", "C", "J", "K", "c"})
        for node in (n for s in self.statements for side in s.sides for n in walk(side)):
            if isinstance(node, Big):
                found |= {b.variable.head for b in node.bounds if isinstance(b.variable, Symbol)}
            if isinstance(node, Scripted):
                pairs = (s for s in node.scripts if s.place == "below" and len(s.parts) > 1)
                found |= {p.head for s in pairs for p in s.parts if isinstance(p, Symbol)}
        return frozenset(found - {"l", r"\ell"})

    @cached_property
    def _units(self) -> frozenset[str]:
        """Letters that a line gives by other letters."""
        found: set[str] = set()
        for statement in self.statements:
            parts = split(statement.sides[0])
            beyond = [n for side in statement.sides[1:] for n in walk(side)]
            if parts is not None and not any(isinstance(n, Derivative | Matrix) for n in beyond):
                found |= {small(parts[0].head)} if any(map(self._is_made, beyond)) else set()
        return frozenset(found)

    def _is_made(self, node: Node) -> bool:
        return isinstance(node, Product | Apply)

    def is_weight(self, head: str) -> bool:
        """W, \\theta; W1 with its number glued to it."""
        first = small(head[:1]) if head[1:].isdigit() else small(head)
        return first in WEIGHTS or (first in WEIGHTS_OR_UNITS and first not in self._units)

    # --- letters ----------------------------------------------------------------------------

    def key(self, node: Node) -> Key | None:
        """The letter and layer of a symbol; None for what is no plain quantity."""
        parts = split(node)
        if parts is None or parts[0].head == "e":
            return None
        head, mark, index = small(parts[0].head), None, ""
        for script in parts[1]:
            if script.kind in ("prime", "star"):
                head += "*"
            elif script.kind == "inverse":
                return None
            elif script.kind == "group":
                found = self._script(script)
                if isinstance(found, Mark):
                    if mark is not None:
                        return None
                    mark = found
                elif found is None:
                    return None
                else:
                    index += found
        return Key(head, mark, "".join(sorted(index)) if self.by_index else "")

    def _script(self, script: Script) -> Mark | str | None:
        """The layer that a script names, the index letters that it holds, or None for a power."""
        is_marked = script.frame == self.mark.frame and len(script.parts) == 1
        if is_marked and (mark := self._layer(script.parts[0])) is not None:
            return mark
        heads = [p.head for p in script.parts if isinstance(p, Symbol)]
        numbers = [p for p in script.parts if isinstance(p, Number)]
        if len(heads) + len(numbers) < len(script.parts):
            return None
        if script.place == "above" and not script.bracket and numbers:
            return None
        if set(heads) <= self.indices:
            return "".join(heads) if script.place == "below" else ""
        return Mark(heads[0]) if len(script.parts) == 1 else None

    def _layer(self, part: Node) -> Mark | None:
        match part:
            case Number(value=value) if value.denominator == 1:
                return Mark("", int(value))
            case Symbol(head="l" | r"\ell"):
                return Mark(LAYER)
            case Symbol(head=head) if head in self.depth_letters:
                return Mark(LAST)
            case Sum(signs=(1, sign), terms=(first, Number(value=value))):
                found = self._layer(first)
                if found is not None and found.letter:
                    return Mark(found.letter, sign * int(value))
        return None

    # --- expressions ------------------------------------------------------------------------

    def expression(self, node: Node) -> Expression | None:
        """What a side of a forward equation says; None where it is none."""
        match node:
            case Group(items=(one,)):
                return self.expression(one)
            case Symbol() | Scripted() if split(node) is not None:
                key = self.key(node)
                return None if key is None else Quantity(key, node.span)
            case Scripted(base=base, scripts=scripts):
                named = all(s.kind == "group" and isinstance(self._script(s), str) for s in scripts)
                return self.expression(base) if named else self._entrywise(node)
            case Apply(function=function, arguments=(argument,)):
                found = split(function)
                name = function_called(found[0].head) if found is not None else ""
                if name and name not in ("exp", "log") and not (found and found[1]):
                    return self._activated(Function(name), argument, node.span)
            case Product() if (called := self.application(node)) is not None:
                return self._called(*called, node.span)
        return self._affine_at(node) or self._softmax(node) or self._entrywise(node)

    def application(self, node: Node) -> tuple[Symbol | Scripted, Node] | None:
        """f and z of f(z), where f is a letter that may be a function."""
        match node:
            case Product(sign="", factors=(Symbol() | Scripted() as function, Group() as group)):
                found = split(function)
                if found is None or group.bracket != "(" or len(group.items) != 1:
                    return None
                head = found[0].head
                if self.is_weight(head) or is_bias(head) or head == "e":
                    return None
                if any(map(self._is_entry, found[1])) and not self.mark.looks_like_index:
                    return None
                return function, group.items[0]
        return None

    def _is_entry(self, script: Script) -> bool:
        """h_j is an entry, and no function; h_\\theta may be one."""
        heads = {part.head for part in script.parts if isinstance(part, Symbol)}
        return script.place == "below" and script.kind == "group" and heads <= self.indices

    def _called(self, function: Node, argument: Node, span: Span) -> Expression | None:
        found = split(function)
        key = self.key(function)
        if found is None or key is None or any(s.kind == "prime" for s in found[1]):
            return None
        name = function_called(found[0].head)
        if name:
            return self._activated(Function(name), argument, span)
        return self._activated(Function("", Key(found[0].head, key.mark)), argument, span)

    def _activated(self, function: Function, argument: Node, span: Span) -> Expression | None:
        inner = self.expression(argument)
        return None if inner is None else Activated(function, inner, span)

    def _softmax(self, node: Node) -> Expression | None:
        """e^{z_k} over the sum of all e^{z_j}."""
        if not isinstance(node, Quotient) or not isinstance(node.denominator, Big):
            return None
        above, below = exponent(node.numerator), exponent(node.denominator.body)
        if above is None or below is None or node.denominator.kind != "sum":
            return None
        one, other = self.expression(above), self.expression(below)
        plain = Reader(self.statements)  # z_k and z_j are of one layer here
        if one is None or plain.expression(above) != plain.expression(below) or other is None:
            return None
        return Activated(Function("softmax"), one, node.span)

    def _entrywise(self, node: Node) -> Expression | None:
        """A function written out: max(0, z), 1 / (1 + e^{-z})."""
        if not isinstance(node, Quotient | Apply | Cases | Sum) or len(walk(node)) > MOST_PARTS:
            return None
        inside = list(self._quantities(node))
        keys = {self.key(n) for n in inside}
        if None in keys:
            return None
        if len(keys) == 1:
            inner: Expression | None = self.expression(inside[0])
        else:
            inner = next(filter(None, map(self._affine_at, walk(node))), None)
        if inner is None or (isinstance(inner, Quantity) and self.is_weight(inner.key.head)):
            return None
        name = scalar_function(node, lambda n: self._is(n, inner))
        return Activated(Function(name), inner, node.span) if name else None

    def _is(self, node: Node, wanted: Expression) -> bool:
        if isinstance(wanted, Quantity):
            return split(node) is not None and self.key(node) == wanted.key
        return self._affine_at(node) == wanted

    def _quantities(self, node: Node) -> Iterator[Node]:
        """The symbols of a side, those in indices left out."""
        parts = split(node)
        if parts is None:
            for child in (node.body,) if isinstance(node, Big) else children(node):
                yield from self._quantities(child)
        elif parts[0].head == "e":
            for script in parts[1]:
                for part in script.parts:
                    yield from self._quantities(part)
        elif not function_called(parts[0].head) and parts[0].head not in ("max", "min"):
            yield node

    def quantities(self, node: Node) -> list[Key]:
        """The letters of a side, in order."""
        found = (self.key(n) for n in self._quantities(node))
        return list(dict.fromkeys(key for key in found if key is not None))

    # --- layers -----------------------------------------------------------------------------

    def _affine_at(self, node: Node) -> Affine | None:
        match node:
            case Sum(signs=signs, terms=terms) if set(signs) == {1}:
                return self._affine(terms)
            case Product() | Big():
                return self._affine((node,))
        return None

    def _affine(self, terms: Iterable[Node]) -> Affine | None:
        products: list[Affine] = []
        biases: list[Quantity] = []
        for term in terms:
            if (found := self._product(term)) is not None:
                products.append(found)
                continue
            own = _of_each_sample(term)
            one = self.expression(own) if split(own) is not None else None
            if not isinstance(one, Quantity) or not is_bias(one.key.head):
                return None
            biases.append(one)
        if len(products) != 1 or len(biases) > 1:
            return None
        only = products[0]
        bias = biases[0] if biases else None
        return Affine(only.weight, only.source, bias, only.outputs_first, only.vector)

    def _product(self, node: Node) -> Affine | None:
        summed = ""
        if isinstance(node, Group) and len(node.items) == 1:
            node = node.items[0]
        if isinstance(node, Big):
            if node.kind != "sum" or len(node.bounds) != 1:
                return None
            variable = node.bounds[0].variable
            summed = variable.head if isinstance(variable, Symbol) else ""
            node = node.body
            if not summed:
                return None
        if not isinstance(node, Product) or node.sign not in FACTORS:
            return None
        factors = self._glued(node)
        if len(factors) != 2:
            return None
        weights = [n for n in factors if (p := split(n)) is not None and self.is_weight(p[0].head)]
        if len(weights) != 1:
            return None
        weight = weights[0]
        other = factors[1] if factors[0] is weight else factors[0]
        source, own = self.expression(other), self.expression(weight)
        if source is None or not isinstance(own, Quantity):
            return None
        first, vector = self._orientation(weight, factors[0] is weight, summed)
        return Affine(own, source, None, first, vector)

    def _glued(self, node: Product) -> list[Node]:
        r"""The factors, \sigma(z) being one."""
        found: list[Node] = []
        for factor in node.factors:
            if found and node.sign == "" and isinstance(factor, Group):
                pair = Product("", (found[-1], factor), found[-1].span.to(factor.span))
                if self.application(pair) is not None:
                    found[-1] = pair
                    continue
            found.append(factor)
        return found

    def _orientation(self, weight: Node, first: bool, summed: str) -> tuple[bool | None, bool]:
        """Whether the rows of the weight are units, and whether it has one unit alone."""
        parts = split(weight)
        assert parts is not None
        below = [s.parts for s in parts[1] if s.place == "below" and s.kind == "group"]
        pair = next((p for p in below if len(p) == 2), ())
        turned = any(s.kind == "transpose" for s in parts[1])
        if summed:
            heads = [p.head if isinstance(p, Symbol) else "" for p in pair]
            if not pair:
                return None, True
            if summed not in heads:
                return None, False
            return (heads.index(summed) == 1) != turned, False
        if pair:
            return None, False
        vector = turned and parts[0].head.islower() and parts[0].head not in self._matrices
        return first != turned, vector

    @cached_property
    def _matrices(self) -> frozenset[str]:
        """Letters that stand with a pair of indices somewhere."""
        found: set[str] = set()
        for node in (n for s in self.statements for side in s.sides for n in walk(side)):
            parts = split(node) if isinstance(node, Scripted) else None
            if parts and any(s.place == "below" and len(s.parts) == 2 for s in parts[1]):
                found |= {parts[0].head, parts[0].head.upper(), parts[0].head.lower()}
        return frozenset(found)


def _of_each_sample(term: Node) -> Node:
    """The b of 1 b, a row for each sample."""
    match term:
        case Product(factors=(Symbol(head="1") | Scripted(base=Symbol(head="1")), bias)):
            return bias
        case Product(factors=(bias, Symbol(head="1") | Scripted(base=Symbol(head="1")))):
            return bias
    return term


def scripts_of(node: Node) -> tuple[Script, ...]:
    return node.scripts if isinstance(node, Scripted) else ()


def exponent(node: Node) -> Node | None:
    """The x of e^x and exp(x)."""
    match node:
        case Group(items=(one,)):
            return exponent(one)
        case Apply(function=Symbol(head="exp"), arguments=(argument,)):
            return argument
        case Scripted(base=Symbol(head="e"), scripts=(script,)) if script.place == "above":
            return script.whole
    return None


def conventional(letter: Key) -> str:
    r"""What custom takes a function for that nothing is said of: \sigma is the sigmoid."""
    return "sigmoid" if letter.head == SIGMA else ""
