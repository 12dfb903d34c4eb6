r"""What a formula says before anybody knows what its letters mean.

Owns: the syntax tree of hand-written mathematics, with positions in the source. Refuses: meaning.
`x^2` is a base with a script here, whether the script will turn out a layer, a power or a sample;
`f(z)` is a juxtaposition, whether it will turn out an application or a product.
Would be wrong if something the author wrote were dropped: what is not understood is `Unread`.

A position is an offset into the source text of the passage. A node that comes from a macro has
the span of the macro's call.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, fields, replace
from fractions import Fraction
from functools import wraps
from typing import Literal, TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class Span:
    """Source characters from `start` up to, not including, `end`."""

    start: int
    end: int

    def to(self, other: Span) -> Span:
        return Span(self.start, other.end)


@dataclass(frozen=True)
class Number:
    """3, 0.5; `text` keeps the digits, for `_{11}` may be two indices."""

    value: Fraction
    text: str
    span: Span


@dataclass(frozen=True)
class Symbol:
    r"""A letter or word without its scripts.

    `head` is normal: Greek as `\delta`, accents around the letter as `\hat{y}`, font commands
    removed (`\mathbf{z}` is `z` with `bold`), words as they are (`softmax`, `input`), a
    differential glued to its letter (`dW`). Digits with a font are symbols too: a bold `1`.
    """

    head: str
    span: Span
    bold: bool = False


@dataclass(frozen=True)
class Script:
    r"""One thing written above or below: `^{[l]}` has bracket `[` and the part l; `_{1,j}` two
    parts; `_{ij}` two parts; `^{l+1}` one; a transposition and a prime are marks of their own.
    A group that mixes them, `^{[1]T}`, is several scripts in reading order. The bracket is the
    sign that opens it, in normal form: `(`, `[`, `\{`, that of a layer mark, or none."""

    place: Literal["above", "below"]
    kind: Literal["group", "transpose", "prime", "star", "inverse"]
    parts: tuple[Node, ...]
    bracket: str
    span: Span

    @property
    def whole(self) -> Node:
        """The parts as one expression: an exponent has no indices, and 2z is 2 times z."""
        return self.parts[0] if len(self.parts) == 1 else Product("", self.parts, self.span)

    @property
    def frame(self) -> tuple[str, str]:
        """Where it stands and what opens it, as for a `LayerMark`."""
        return self.place, self.bracket


@dataclass(frozen=True)
class Scripted:
    """A base with scripts, in reading order: first what is written first."""

    base: Node
    scripts: tuple[Script, ...]
    span: Span


@dataclass(frozen=True)
class Group:
    r"""Something between `(`, `[`, `\{` and their partners, or none; several items where commas
    part them."""

    bracket: str
    items: tuple[Node, ...]
    span: Span


@dataclass(frozen=True)
class Apply:
    r"""A named operator with its argument: `\log p`, `\exp(z)`, `\operatorname{diag}(h)`.

    `function` is a Symbol or a Scripted one (`\tanh^2`). Letters that may be functions
    (`\sigma(z)`, `f'(z)`) are a Product with sign "" of the letter and a Group instead.
    """

    function: Node
    arguments: tuple[Node, ...]
    span: Span


@dataclass(frozen=True)
class Product:
    r"""Factors with one sign between them: "" for juxtaposition, else the sign as written in
    normal form: `\cdot`, `*`, `\times`, `\odot`, `\circ`, `\otimes`."""

    sign: str
    factors: tuple[Node, ...]
    span: Span


@dataclass(frozen=True)
class Quotient:
    r"""`\frac{a}{b}`, `a/b`."""

    numerator: Node
    denominator: Node
    span: Span


@dataclass(frozen=True)
class Sum:
    """Terms with their signs, +1 or -1; a leading minus is a sum of one term."""

    signs: tuple[int, ...]
    terms: tuple[Node, ...]
    span: Span


@dataclass(frozen=True)
class Comparison:
    r"""A condition: `i \neq k`, `z > 0`, `j = 1`. `relation` in normal form: `=`, `\neq`, `<`,
    `>`, `\leq`, `\geq`, `\in`."""

    relation: str
    left: Node
    right: Node
    span: Span


@dataclass(frozen=True)
class Bound:
    r"""One summed variable. `\sum_{i=1}^{n}` has both ends; `\sum_i` none; `\sum_{i \neq k}` a
    condition; `\sum_{i,j}` two bounds; `\sum_{i \neq 1}^{3}` a condition and an upper end."""

    variable: Node
    lower: Node | None
    upper: Node | None
    conditions: tuple[Comparison, ...]
    span: Span


@dataclass(frozen=True)
class Big:
    r"""`\sum` or `\prod` over bounds; an empty tuple of bounds where none are written."""

    kind: Literal["sum", "product"]
    bounds: tuple[Bound, ...]
    body: Node
    span: Span


@dataclass(frozen=True)
class Derivative:
    r"""`\frac{\partial A}{\partial B}`, `\partial A / \partial B`, `\frac{dA}{dB}`, `\nabla_B A`.

    `operator` where the thing derived stands behind: `\frac{\partial}{\partial B}(A)`.
    `of` is None for a bare operator with nothing behind it.
    `sign` tells which was written: "partial", "d" or "nabla".
    """

    of: Node | None
    wrt: Node | None
    operator: bool
    sign: Literal["partial", "d", "nabla"]
    span: Span


@dataclass(frozen=True)
class Matrix:
    """A literal matrix; every row has the same number of entries."""

    rows: tuple[tuple[Node, ...], ...]
    span: Span


@dataclass(frozen=True)
class Cases:
    """Value and condition; the condition is None for "otherwise"."""

    branches: tuple[tuple[Node, Node | None], ...]
    span: Span


@dataclass(frozen=True)
class Indicator:
    r"""`\mathbf{1}_{(j=1)}`, `\mathbb{1}[z > 0]`, `1_{z>0}`, `[z > 0]`."""

    condition: Comparison
    span: Span


@dataclass(frozen=True)
class Norm:
    r"""`\|a\|` and `\lVert a \rVert`, or `|a|` with `single`."""

    content: Node
    single: bool
    span: Span


@dataclass(frozen=True)
class Root:
    content: Node
    span: Span


@dataclass(frozen=True)
class Dots:
    r"""`\dots`, `\cdots`, `...`."""

    span: Span


Node = (
    Number
    | Symbol
    | Scripted
    | Group
    | Apply
    | Product
    | Quotient
    | Sum
    | Comparison
    | Big
    | Derivative
    | Matrix
    | Cases
    | Indicator
    | Norm
    | Root
    | Dots
)


@dataclass(frozen=True)
class Statement:
    r"""One formula: sides with relations between them, `a = b = c`.

    `relations` are normal: `=`, `:=`, `\equiv`, `\approx`, `\propto`, `\to`, `\leftarrow`,
    `+=`, `-=`, `\in`, `\neq`, `<`, … ; empty for a formula without one.
    `remark` is what was said beside it, as text: "for all l", "l = 1, \dots, L".
    `conditions` are the remarks that could be read: comparisons.
    `continues` where the first side was left out (`= b` in the second row of an align).
    """

    sides: tuple[Node, ...]
    relations: tuple[str, ...]
    span: Span
    remark: str = ""
    conditions: tuple[Comparison, ...] = ()
    continues: bool = False


@dataclass(frozen=True)
class Unread:
    """A formula that was not understood: from where, and why, in words for its author.

    `ill_formed` where nobody could read it: rows of different length are no matrix.
    """

    span: Span
    at: int
    reason: str
    ill_formed: bool = False


def remembered(function: Callable[[Node], Iterable[T]]) -> Callable[[Node], tuple[T, ...]]:
    """What a function finds in a node, kept with the node: a node never changes."""
    key = f"_{function.__name__}"

    @wraps(function)
    def found(node: Node) -> tuple[T, ...]:
        kept: tuple[T, ...] | None = node.__dict__.get(key)
        if kept is None:
            kept = tuple(function(node))
            object.__setattr__(node, key, kept)
        return kept

    return found


@remembered
def children(node: Node) -> Iterator[Node]:
    """The nodes directly under a node, in source order."""
    for field in fields(node):
        yield from _nodes(getattr(node, field.name))


def _nodes(value: object) -> Iterator[Node]:
    if isinstance(value, tuple):
        for part in value:
            yield from _nodes(part)
    elif isinstance(value, (Script, Bound)):
        for field in fields(value):
            yield from _nodes(getattr(value, field.name))
    elif isinstance(value, Node):
        yield value


@remembered
def walk(node: Node) -> Iterator[Node]:
    """The node and everything under it, itself first."""
    yield node
    for child in children(node):
        yield from walk(child)


def rebuilt(node: Node, change: Callable[[Node], Node]) -> Node:
    """The tree with each node changed, the inner ones first."""
    return change(_with_parts(node, change))


def _with_parts(value: T, change: Callable[[Node], Node]) -> T:
    changed: dict[str, object] = {}
    for field in fields(value):  # type: ignore[arg-type]
        old = getattr(value, field.name)
        new = _rebuilt_part(old, change)
        if new is not old:
            changed[field.name] = new
    return replace(value, **changed) if changed else value  # type: ignore[type-var]


def _rebuilt_part(part: object, change: Callable[[Node], Node]) -> object:
    if isinstance(part, tuple):
        inner = tuple(_rebuilt_part(each, change) for each in part)
        is_same = all(new is old for new, old in zip(inner, part, strict=True))
        return part if is_same else inner
    if isinstance(part, (Script, Bound)):
        return _with_parts(part, change)
    return rebuilt(part, change) if isinstance(part, Node) else part


def heads_below(*nodes: Node) -> frozenset[str]:
    """The letters and words in them."""
    return frozenset(n.head for node in nodes for n in walk(node) if isinstance(n, Symbol))


def size_of(statement: Statement) -> int:
    """The number of nodes."""
    return sum(len(walk(side)) for side in statement.sides)
