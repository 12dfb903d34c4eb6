r"""A formula of a note as index calculus, and its proof for all sizes.

Owns: `prove`, and a second interpreter of the syntax trees: each side becomes an index expression
with the indices along its rows and columns, so that a matrix product is a sum over a shared index
and a transposition an exchange. What stands where (which tensor a symbol is, which axis an index
letter runs over) is read as `valuation` reads it; its arithmetic of arrays is not used.
Refuses: verdicts. What it cannot read (literal matrices, sums that end before their axis does)
and what it cannot prove is None, which says nothing: numbers have decided before.
Would be wrong if two indices of different axes were ever identified, or if a name were captured:
indices along rows and columns have names of their own, and `terms` renames what is bound.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass, replace
from functools import cached_property, lru_cache, reduce
from types import MappingProxyType
from typing import Any, assert_never, get_args

from sympy import Add, Expr, Integer, Pow, Rational, S

from symbackprop.calculus.canonical import canonical
from symbackprop.calculus.terms import (
    Applied,
    Axis,
    Delta,
    Element,
    Expression,
    Index,
    Term,
    as_scalar,
    elements_in,
    expression,
    free_indices,
    product,
    rename_apart,
    single,
    substitute,
)
from symbackprop.derivation import equality
from symbackprop.derivation.evaluate import generic_sizes
from symbackprop.derivation.normalform import Algebra, NoNormalForm
from symbackprop.derivation.points import generic_point
from symbackprop.derivation.rules import USE_LABEL_SUMS
from symbackprop.derivation.steps import Sweep
from symbackprop.derivation.sweep import jacobian, leads_to, sweep
from symbackprop.errors import SymbackpropError
from symbackprop.judging.notes.formula.derivatives import denominator, key_of, plain_reference
from symbackprop.judging.notes.formula.entries import index_order, index_places, is_weight
from symbackprop.judging.notes.formula.functions import (
    called_loss,
    called_node,
    entry_of_units,
    function_of,
    is_called,
    refuse_elsewhere,
)
from symbackprop.judging.notes.formula.judge import EQUALITIES, function_variable
from symbackprop.judging.notes.formula.layers import layer_letters, stated_range, within_conditions
from symbackprop.judging.notes.formula.letters import (
    argument_of,
    exponent_of,
    head_of,
    names_a_norm,
)
from symbackprop.judging.notes.formula.literals import kronecker
from symbackprop.judging.notes.formula.meaning import Meaning
from symbackprop.judging.notes.formula.ranges import (
    axis_of_uses,
    open_letters,
    range_of,
    with_ranges,
)
from symbackprop.judging.notes.formula.settings import Alias, Settings
from symbackprop.judging.notes.formula.sums import bounded, limits_of
from symbackprop.judging.notes.formula.symbols import (
    IllFormed,
    NotUnderstood,
    OutOfRange,
    Reference,
    activation,
    split,
)
from symbackprop.judging.notes.formula.valuation import Valuation
from symbackprop.judging.notes.formula.values import Clash
from symbackprop.networks import names
from symbackprop.networks.network import CountsClasses, Network, SumsToOne, Tensor
from symbackprop.reading.latex import syntax
from symbackprop.reading.latex.syntax import (
    Apply,
    Big,
    Cases,
    Comparison,
    Derivative,
    Dots,
    Group,
    Indicator,
    Matrix,
    Node,
    Norm,
    Number,
    Product,
    Quotient,
    Root,
    Scripted,
    Statement,
    Sum,
)
from symbackprop.verdict import Equal
from symbackprop.witnesses.axes import SAMPLE
from symbackprop.witnesses.axes import Axis as Labelled
from symbackprop.witnesses.truth import World, world_at

TIME_LIMIT = 8.0  # seconds; a safety only: the outcome must not depend on the clock
MOST_TERMS = 60
MOST_OPENED = 40  # definitions written out in one formula
Definitions = Mapping[str, tuple[tuple[Index, ...], Expression]]
EMPTY_SIZES: Mapping[str, int] = MappingProxyType({})
EMPTY_LETTERS: Mapping[str, str] = MappingProxyType({})
Side = tuple[Index | None, ...]  # None: ones of whatever length they meet


class Unproved(ValueError):
    """The formula has no reading here, or no proof was found; says nothing about its truth."""


@dataclass(frozen=True)
class Array:
    """A number, vector or matrix: its entry, and the indices along its rows and columns.

    Index letters of the formula are free in `whole` under their own names. `feature` is the axis
    from which a single entry was taken; `literal` a plain number; `identity` a multiple `whole`
    of the matrix I, whose indices follow from what it meets.
    """

    whole: Expression
    rows: Side = ()
    cols: Side = ()
    feature: str = ""
    literal: bool = False
    identity: bool = False

    @property
    def is_scalar(self) -> bool:
        return not self.rows and not self.cols and not self.identity

    @property
    def axes(self) -> Side:
        return (*self.rows, *self.cols)

    def place_of(self, label: str) -> Index | None:
        """The index that runs over the axis of that name."""
        return next((i for i in self.axes if i is not None and i.axis.name == label), None)

    @property
    def transposed(self) -> Array:
        return replace(self, rows=self.cols, cols=self.rows)

    def with_entry(self, whole: Expression) -> Array:
        return replace(self, whole=whole, literal=False)


@dataclass(frozen=True)
class Link:
    """d of / d wrt as a link of a chain: the indices of `of`, then those of `wrt`, that are not
    picked by an index of the formula."""

    of: str
    wrt: str
    whole: Expression
    outer: tuple[Index, ...]
    inner: tuple[Index, ...]


def prove(
    statement: Statement,
    settings: Settings,
    network: Network,
    conditions: Sequence[Comparison] = (),
    flat: frozenset[str] = frozenset(),
    sizes: Mapping[str, int] = EMPTY_SIZES,
) -> Equal | None:
    """A proof that every link of the statement holds for all sizes; None where there is none.

    `flat` are the names of axes with a single place, which the formula writes no index for;
    `sizes` the numbers that stand for whole axes where a sum ends at a number.
    """
    if len(statement.sides) < 2 or any(r not in EQUALITIES for r in statement.relations):
        return None
    if conditions:
        statement = replace(statement, conditions=(*statement.conditions, *conditions))
    statement = replace(statement, sides=tuple(map(with_primed_letters, statement.sides)))
    deadline = time.monotonic() + TIME_LIMIT
    task = _Task(statement, settings, _home(network, flat), sizes, deadline)
    try:
        facts = task.facts()
    except (Unproved, NotUnderstood, IllFormed, Clash, NoNormalForm):
        return None
    return Equal("proved", tuple(sorted(facts)), "index calculus")


def interpreted(
    node: Node,
    settings: Settings,
    network: Network,
    flat: frozenset[str] = frozenset(),
    sizes: Mapping[str, int] = EMPTY_SIZES,
    letters: Mapping[str, str] = EMPTY_LETTERS,
) -> Array:
    """One side of a formula as index calculus; `letters` are index letters whose axis is known.

    Raises: Unproved, NotUnderstood, IllFormed or Clash where it has no reading.
    """
    home = _home(network, flat)
    node = with_primed_letters(node)
    ranges = {letter: home.labelled(axis) for letter, axis in letters.items()}
    grammar = with_ranges((node,), Valuation(home.world, settings, ranges=ranges))
    found = Reading(home, grammar, _Book(), sizes=sizes).value(node)
    return replace(found, whole=home.flattened(found.whole))


def coincide(
    one: Array,
    other: Array,
    settings: Settings,
    network: Network,
    flat: frozenset[str] = frozenset(),
) -> bool:
    """Whether two arrays have one shape and are equal at all sizes, by a proof."""
    home = _home(network, flat)
    reading = Reading(home, Valuation(home.world, settings), _Book())
    try:
        left, right = reading.fitted(one, other)
    except Unproved:
        return False
    left, right = home.flattened(left), home.flattened(right)
    if not canonical(left - right).terms:
        return True
    found = equality.proved(left, right, network.with_adjoints, home.definitions)
    return found is not None


# --------------------------------------------------------------------------------------------
# One network
# --------------------------------------------------------------------------------------------


@dataclass
class _Home:
    """A network as proofs need it, with everything that is derived from it only once."""

    network: Network
    flat: frozenset[str]
    _derivatives: dict[tuple[str, str], tuple[tuple[Index, ...], Expression]] = field(
        default_factory=dict
    )

    @cached_property
    def world(self) -> World:
        """Axes and sizes, for the reading of symbols."""
        single_sizes = {
            axis.extent: 1
            for t in self.network.tensors
            for axis in t.axes
            if axis.name in self.flat
        }
        sizes = {**generic_sizes(self.network), **single_sizes}
        return world_at(self.network, (generic_point(self.network, 5, sizes),), self.flat)

    def labelled(self, name: str) -> Labelled:
        """An axis as `meaning` knows it."""
        return Labelled(name, self.world.sizes[name])

    @cached_property
    def axes(self) -> dict[str, Axis]:
        return {axis.name: axis for t in self.network.tensors for axis in t.axes}

    @cached_property
    def classes(self) -> dict[str, Axis]:
        """The axis of the classes that a label counts."""
        return {
            tensor.name: fact.axis
            for tensor in self.network.tensors
            for fact in tensor.facts
            if isinstance(fact, CountsClasses)
        }

    @cached_property
    def sweep(self) -> Sweep:
        return sweep(self.network)

    @cached_property
    def definitions(self) -> Definitions:
        """Adjoints, and the equations where axes with one place change them."""
        found = {
            self.network.adjoint_name(name): (d.indices, self.flattened(d.result))
            for name, d in self.sweep.derivations.items()
        }
        if self.flat:
            found |= {target: (indices, rhs) for target, indices, rhs in self.equations}
        return found

    @cached_property
    def equations(self) -> tuple[tuple[str, tuple[Index, ...], Expression], ...]:
        equations = self.network.equations
        return tuple((e.target, e.indices, self.flattened(e.rhs)) for e in equations)

    @cached_property
    def algebras(self) -> tuple[Algebra, ...]:
        return tuple(equality.attempts(self.network.with_adjoints, self.definitions, True))

    def facts_behind(self, names: Iterable[str], cut: frozenset[str]) -> set[str]:
        """Facts on which the derivations of those adjoints rest, and of the ones they name."""
        found: set[str] = set()
        waiting, seen = list(names), set(cut)
        owners = {self.network.adjoint_name(name): name for name in self.sweep.derivations}
        while waiting:
            name = waiting.pop()
            if name in seen or name not in owners:
                continue
            seen.add(name)
            derivation = self.sweep.derivations[owners[name]]
            if any(step.rule == USE_LABEL_SUMS.name for step in derivation.steps):
                found |= {f"rows of {t.name} sum to 1" for t in self._shares()}
            waiting.extend(_read_in(derivation.result))
        return found

    def _shares(self) -> list[Tensor]:
        """Labels whose rows sum to 1."""
        return [t for t in self.network.tensors if any(isinstance(f, SumsToOne) for f in t.facts)]

    def flattened(self, whole: Expression) -> Expression:
        """The expression with the only place for every index of an axis that has one place."""
        if not self.flat:
            return whole
        return expression(*(self._flattened(term) for term in whole.terms))

    def _flattened(self, term: Term) -> Term | None:
        lone = {i: lone_place(i.axis) for i in term.bound if i.axis.name in self.flat}
        sizes = {a.extent: S.One for n, a in self.axes.items() if n in self.flat}
        bound = tuple(i for i in term.bound if i not in lone)
        factors = (f.xreplace(lone) for f in term.factors)
        return product(term.coefficient.xreplace(sizes), bound, factors)

    def derivative(self, of: str, wrt: str) -> tuple[tuple[Index, ...], Expression]:
        """d of / d wrt with its indices: those of `of`, then those of `wrt`."""
        key = (of, wrt)
        if key not in self._derivatives:
            indices, whole = self._derived(of, wrt)
            self._derivatives[key] = indices, self.flattened(whole)
        return self._derivatives[key]

    def _derived(self, of: str, wrt: str) -> tuple[tuple[Index, ...], Expression]:
        tensor = self.network.by_name[wrt]
        if of == self.network.loss and wrt in self.sweep.derivations:
            return tensor.indices, single(Element(self.network.adjoint_name(wrt), *tensor.indices))
        if wrt not in leads_to(self.network, of):
            renamed = tuple(Index(f"w{p}", i.axis) for p, i in enumerate(tensor.indices))
            return (*self.network.by_name[of].indices, *renamed), Expression()
        try:
            found = jacobian(self.network, of, wrt)
        except (SymbackpropError, KeyError) as problem:
            raise Unproved from problem
        return found.indices, found.result

    def equations_over(
        self, axes: Sequence[str]
    ) -> Iterator[tuple[str, tuple[Index, ...], Expression]]:
        """Equations of tensors whose axes have those names, each once; flat ones do not count."""
        for equation in self.equations:
            names = [i.axis.name for i in equation[1] if i.axis.name not in self.flat]
            if sorted(names) == sorted(axes):
                yield equation


def _home(network: Network, flat: frozenset[str]) -> _Home:
    return _home_of(_Same(network), flat)


@dataclass(frozen=True, eq=False)
class _Same:
    """A network compared by identity: its content is not hashable."""

    network: Network

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and self.network is other.network

    def __hash__(self) -> int:
        return id(self.network)


@lru_cache(maxsize=32)
def _home_of(same: _Same, flat: frozenset[str]) -> _Home:
    return _Home(same.network, flat)


# --------------------------------------------------------------------------------------------
# One statement
# --------------------------------------------------------------------------------------------


@dataclass
class _Book:
    """What one statement introduces: fresh names, and sums that a function is taken of."""

    count: Iterator[int] = field(default_factory=itertools.count)
    tensors: list[Tensor] = field(default_factory=list)
    definitions: dict[str, tuple[tuple[Index, ...], Expression]] = field(default_factory=dict)
    opened: int = 0

    def write_out(self) -> None:
        """A definition of the note is written out. Raises: Unproved where there are too many."""
        self.opened += 1
        if self.opened > MOST_OPENED:
            raise Unproved

    def index(self, axis: Axis) -> Index:
        return Index(f"ax{next(self.count)}", axis)

    def free_number(self) -> Element:
        """An arbitrary number: the variable of a function."""
        name = f"variable{next(self.count)}"
        self.tensors.append(Tensor(name, (), "input"))
        return Element(name)

    def defined(self, indices: tuple[Index, ...], whole: Expression) -> Element:
        for name, (known, rhs) in self.definitions.items():
            if known == indices and not canonical(rhs - whole).terms:
                return Element(name, *indices)
        name = f"part{next(self.count)}"
        self.tensors.append(Tensor(name, indices, "auxiliary"))
        self.definitions[name] = (indices, whole)
        return Element(name, *indices)


@dataclass(frozen=True)
class _Task:
    statement: Statement
    settings: Settings
    home: _Home
    sizes: Mapping[str, int]
    deadline: float

    def facts(self) -> set[str]:
        """Facts that the proofs of all layers use. Raises: Unproved and what reading raises."""
        grammar = Valuation(self.home.world, self.settings)
        letters = layer_letters(self.statement, grammar.scope)
        if not letters:
            return self._settled(grammar)
        if len(letters) > 1:
            raise Unproved
        found: list[set[str]] = []
        stated = stated_range(self.statement.remark, letters[0], grammar.scope.numbers)
        for number in range(-1, grammar.scope.layers + 3):
            if stated is not None and number not in stated:
                continue
            if within_conditions(self.statement.conditions, letters[0], number, grammar):
                numbers = {**grammar.numbers, letters[0]: number}
                try:
                    found.append(self._settled(replace(grammar, numbers=numbers)))
                except OutOfRange:
                    continue
        if not found:
            raise Unproved
        return set().union(*found)

    def _settled(self, grammar: Meaning) -> set[str]:
        sides = self.statement.sides
        grammar = with_ranges(sides, grammar)
        book, local = _Book(), {}
        variable = function_variable(self.statement, grammar)
        if variable is not None:
            local[variable] = Array(single(book.free_number()))
        reading = Reading(self.home, grammar, book, local, self.sizes)
        mask = self._mask(reading)
        arrays = [reading.value(side) for side in sides]
        facts: set[str] = set()
        for left, right in itertools.pairwise(arrays):
            one, other = reading.fitted(left, right)
            facts |= self._link(one * mask, other * mask, book)
        return facts

    def _mask(self, reading: Reading) -> Expression:
        """1 where the conditions on index letters hold."""
        mask = ONE
        for condition in self.statement.conditions:
            heads = syntax.heads_below(condition)
            if heads and heads <= set(reading.grammar.ranges):
                mask = mask * reading.held(condition)
        return mask

    def _link(self, left: Expression, right: Expression, book: _Book) -> set[str]:
        left, right = self.home.flattened(left), self.home.flattened(right)
        if len(left.terms) + len(right.terms) > MOST_TERMS:
            raise Unproved
        if not canonical(left - right).terms:
            return set()
        for algebra in itertools.chain(self._by_name(left, right), self._algebras(book)):
            if time.monotonic() > self.deadline:
                break
            algebra.work = 0
            try:
                difference = algebra.read(left) - algebra.read(right)
                found = equality.proof_that_zero(algebra, difference)
            except NoNormalForm:
                continue
            if found is not None:
                written = _read_in(left, right) - algebra.cut
                return {*found.facts, *self.home.facts_behind(written, algebra.cut)}
        raise Unproved

    def _by_name(self, *sides: Expression) -> Iterator[Algebra]:
        """Where a side is one entry of a tensor, only that tensor is written out at first."""
        names = [e.tensor for side in sides for e in _lone_entry(side)]
        everything = {target for target, *_ in self.home.equations} | set(self.home.definitions)
        for name in names:
            if name in everything:
                network = self.home.network.with_adjoints
                yield Algebra(network, everything - {name}, self.home.definitions)

    def _algebras(self, book: _Book) -> Iterator[Algebra]:
        """Those of the network are kept, unless facts are recorded in them."""
        if book.tensors:
            network = self.home.network.with_adjoints
            network = replace(network, tensors=(*network.tensors, *book.tensors))
            yield from equality.attempts(
                network, {**self.home.definitions, **book.definitions}, True
            )
            return
        for kept in self.home.algebras:
            if not kept.facts:
                yield kept
                continue
            definitions = self.home.definitions
            yield Algebra(kept.network, kept.cut, definitions, True, kept.hyperbolic)


# --------------------------------------------------------------------------------------------
# Reading
# --------------------------------------------------------------------------------------------

ONE = expression(product(1, (), ()))


def number(value: Expr | int) -> Expression:
    return expression(product(value, (), ()))


@dataclass(frozen=True)
class Reading:
    """The surroundings of a formula: `grammar` says what stands where, `local` are the variables
    of a function's definition."""

    home: _Home
    grammar: Meaning
    book: _Book
    local: Mapping[str, Array] = field(default_factory=dict)
    sizes: Mapping[str, int] = field(default_factory=dict)

    @property
    def settings(self) -> Settings:
        return self.grammar.settings

    # --- dispatch ---------------------------------------------------------------------------

    def value(self, node: Node) -> Array:
        """Raises: Unproved, NotUnderstood, IllFormed, Clash."""
        match node:
            case Number(value=value):
                return Array(number(Rational(value.numerator, value.denominator)), literal=True)
            case syntax.Symbol() | Scripted():
                return self._scripted(node)
            case Group(items=(one,)):
                return self.value(one)
            case Group() | Matrix() | Dots():
                raise Unproved
            case Apply(function=function, arguments=arguments):
                return self._applied(function, arguments)
            case Product(sign=sign, factors=factors):
                return self._product(sign, factors)
            case Quotient(numerator=top, denominator=bottom):
                return self._divided(self.value(top), self.value(bottom))
            case Sum(signs=signs, terms=terms):
                return self._sum(signs, terms)
            case Comparison():
                return self.condition(node)
            case Big():
                return self._big(node)
            case Derivative():
                return self._derivative(node)
            case Cases(branches=branches):
                return self._cases(branches)
            case Indicator(condition=condition):
                return self.condition(condition)
            case Norm():
                return self._norm(node)
            case Root(content=content):
                return self.mapped(self.value(content), lambda e: Pow(e, Rational(1, 2)))
            case _:
                assert_never(node)

    # --- symbols ----------------------------------------------------------------------------

    def _scripted(self, node: syntax.Symbol | Scripted) -> Array:
        parts = split(node)
        if parts is None:
            assert isinstance(node, Scripted)
            return self._scripts_outside(node)
        symbol, scripts = parts
        if symbol.head in self.local and not scripts:
            return self.local[symbol.head]
        if (exponent := exponent_of(symbol, scripts, self.settings)) is not None:
            return self._mapped_by("exp", 0, self.value(exponent))
        if self._is_kronecker(node):
            one, other = (self.place(p) for p in scripts[0].parts)
            return Array(self._delta(one, other))
        made = self._one_hot(symbol, scripts) or self._size(symbol, scripts)
        return made or self.referred(self.grammar.scope.resolve(node))

    def _size(self, symbol: syntax.Symbol, scripts: tuple[syntax.Script, ...]) -> Array | None:
        """d_2, the size of an axis, where the note gives the letter no other meaning."""
        if symbol.head in self.settings.letters or len(scripts) != 1 or not scripts[0].parts:
            return None
        written = scripts[0].parts[0]
        name = f"{symbol.head}{written.text}" if isinstance(written, Number) else ""
        for axis in self.home.axes.values():
            if axis.extent.is_Symbol and axis.extent.name == name:
                return Array(number(axis.extent), literal=True)
        return None

    def _one_hot(self, symbol: syntax.Symbol, scripts: tuple[syntax.Script, ...]) -> Array | None:
        r"""\mathbf{1}_{Y}: 1 where the column is the class that the label names."""
        if symbol.head != "1" or not scripts or len(scripts[0].parts) != 1:
            return None
        reference = self.grammar.scope.resolve(scripts[0].parts[0])
        axis = self.home.classes.get(reference.name)
        if axis is None or reference.indices or reference.sample is not None:
            return None
        samples = tuple(self.book.index(a) for a in self.home.network.by_name[reference.name].axes)
        unit = self.book.index(axis)
        whole = self._delta(unit, Element(reference.name, *samples))
        found = Array(whole, samples, (unit,))
        stands = self.settings.samples if samples else self.settings.single
        turned = sum(script.kind == "transpose" for script in scripts) + (stands == "columns")
        return found.transposed if turned % 2 else found

    def _is_kronecker(self, node: syntax.Symbol | Scripted) -> bool:
        r"""\delta_{jk} of two indices of one axis; \delta_{nk} of different ones is an adjoint, and
        so is \delta_{2,k} where layers are marked below."""
        if kronecker(self.grammar, node) is None:
            return False
        parts = split(node)
        assert parts is not None
        ranges, places = self.grammar.ranges, parts[1][0].parts
        is_adjoint = self.settings.letters.get(parts[0].head) == "delta"
        if is_adjoint and self.settings.mark.looks_like_index and isinstance(places[0], Number):
            return False
        heads = [p.head for p in places if isinstance(p, syntax.Symbol)]
        return len({ranges[head].label for head in heads if head in ranges}) == 1

    def place(self, node: Node) -> Expr:
        """The place an index means, counted from 0."""
        match node:
            case syntax.Symbol(head=head) if head in self.grammar.ranges:
                return self._letter(head)
            case Group(items=(one,)):
                return self.place(one)
        return Integer(self.grammar.scope.whole(node) - 1)

    def _letter(self, head: str) -> Index:
        label = self.grammar.ranges[head].label
        if label not in self.home.axes:
            raise Unproved
        axis = self.home.axes[label]
        return lone_place(axis) if label in self.home.flat else Index(head, axis)

    def referred(self, reference: Reference) -> Array:
        found = self._whole(reference)
        if reference.primes:
            raise Unproved
        if reference.power is not None:
            found = self._powered(found, reference.power)
        return found.transposed if reference.transposed else found

    def _whole(self, reference: Reference) -> Array:
        match reference.kind:
            case "number":
                return self._count(reference)
            case "identity":
                return Array(ONE, identity=True)
            case "ones":
                return Array(ONE, rows=(None,))
            case "alias":
                return self._alias(reference)
            case "loss_n":
                return self._loss_of_sample(reference)
            case "tensor":
                return self.entries(reference.name, reference.name, reference)
            case "adjoint":
                name = self.home.network.adjoint_name(reference.name)
                if reference.name not in self.home.sweep.derivations:
                    raise Unproved
                found = self.entries(reference.name, name, reference)
                return replace(found, whole=found.whole.scaled(self._scale(reference.scale)))
            case "function" | "letter":
                raise Unproved
        assert_never(reference.kind)

    def _scale(self, scale: str) -> Expr:
        factor = S.NegativeOne if scale.startswith("-") else S.One
        return factor * self._samples if scale.endswith("N") and self._batch else factor

    @property
    def _batch(self) -> bool:
        return SAMPLE in self.home.axes

    @property
    def _samples(self) -> Expr:
        return self.home.axes[SAMPLE].extent

    def _count(self, reference: Reference) -> Array:
        if reference.name == "depth":
            return Array(number(self.grammar.scope.numbers["L"]), literal=True)
        if not self._batch:
            raise Unproved
        return Array(number(self._samples), literal=True)

    def _alias(self, reference: Reference) -> Array:
        self.book.write_out()
        for alias in self.settings.aliases.get(reference.name, ()):
            found = self._alias_value(alias, reference)
            if found is not None:
                return found
        raise Unproved

    def _alias_value(self, alias: Alias, reference: Reference) -> Array | None:
        """A definition of the note at the layer and the entries at which its name is used."""
        symbol = split(alias.name)
        assert symbol is not None
        grammar, letters = self.grammar, list[str]()
        family = self.settings.letters.get(reference.name, "alias")
        for script in symbol[1]:
            role = grammar.scope.role(script, script.kind == "group", family)
            if role == "layer":
                mark = script.parts[0]
                if isinstance(mark, syntax.Symbol) and mark.head not in grammar.scope.numbers:
                    if reference.layer is None:
                        return None
                    numbers = {**grammar.numbers, mark.head: reference.layer}
                    grammar = replace(grammar, numbers=numbers)
                elif grammar.scope.whole(mark) != reference.layer:
                    return None
            elif role in ("index", "sample"):
                letters.extend(head_of(part) for part in script.parts)
        for letter in letters:
            axis = range_of(grammar, letter, alias.node)
            grammar = replace(grammar, ranges={**grammar.ranges, letter: axis})
        inner = replace(self, grammar=grammar)
        found = inner.value(alias.node)
        places = [p for p in (reference.sample, *reference.indices) if p is not None]
        if not letters:
            return found if not places else self._picked(found, reference)
        if len(places) != len(letters):
            return None
        values = [inner._letter(letter) for letter in letters]
        return replace(found, whole=moved(found.whole, values, [self.place(p) for p in places]))

    # --- entries ----------------------------------------------------------------------------

    def entries(self, name: str, tensor: str, reference: Reference) -> Array:
        """A tensor shaped like `name`, whole or at the entries that the indices pick."""
        places, left = self._places(name, reference)
        whole = single(Element(tensor, *places))
        labels = [axis.label for axis in self.grammar.world.axes(name)]
        written = bool(reference.indices) or reference.sample is not None
        units = [n for n, p in zip(labels, places, strict=True) if p not in left and n != SAMPLE]
        if left or not written:
            alone = [n for n in labels if n in self.home.flat and n != SAMPLE]
            found = self.oriented(name, whole, left)
            return replace(found, feature=alone[-1]) if alone and not written else found
        return Array(whole, feature=units[-1] if units else "")

    def _places(self, name: str, reference: Reference) -> tuple[list[Expr], tuple[Index, ...]]:
        """For each axis the place that is picked, or a fresh index; and those fresh ones."""
        axes = self.grammar.world.axes(name)
        nodes: list[Node | None] = [None] * len(axes)
        if reference.indices or reference.sample is not None:
            kept = [p for p, a in enumerate(axes) if a.label not in self.home.flat]
            order = index_order(self.grammar, name, axes)
            nodes = list(index_places(self.grammar, reference, axes, order, kept))
        places: list[Expr] = []
        left: list[Index] = []
        for axis, node in zip(axes, nodes, strict=True):
            if axis.label in self.home.flat:
                places.append(lone_place(self.home.axes[axis.label]))
            elif node is None:
                left.append(self.book.index(self.home.axes[axis.label]))
                places.append(left[-1])
            else:
                places.append(self.place(node))
        return places, tuple(left)

    def oriented(self, name: str, whole: Expression, left: Sequence[Index]) -> Array:
        """Indices of a tensor along rows and columns, as the note lays it out."""
        if is_weight(self.grammar, name):
            first = self.home.network.by_name[name].axes[0].name
            rows = tuple(i for i in left if i.axis.name == first)
            cols = tuple(i for i in left if i.axis.name != first)
            turned = self.settings.weights == "out_in"
        else:
            labels = {axis.name for axis in self.home.network.by_name[name].axes}
            rows = tuple(i for i in left if i.axis.name == SAMPLE)
            cols = tuple(i for i in left if i.axis.name != SAMPLE)
            bias = SAMPLE not in labels and self.settings.mode == "batch"
            stands = self.settings.samples if rows or bias else self.settings.single
            if bias and not rows and self.settings.biases:
                stands = self.settings.biases
            turned = stands == "columns"
        found = Array(whole, rows, cols)
        return found.transposed if turned else found

    def _picked(self, found: Array, reference: Reference) -> Array:
        """Entries of an array that is no tensor: one index for each of its axes, or a sample."""
        places = [p for p in (reference.sample, *reference.indices) if p is not None]
        units = [i for i in found.axes if i is not None and i.axis.name != SAMPLE]
        samples = [i for i in found.axes if i is not None and i.axis.name == SAMPLE]
        if None in found.axes:
            raise Unproved
        if reference.sample is not None:
            chosen = [*samples, *units][: len(places)] if samples else []
        elif len(places) == len(found.axes):
            chosen = [i for i in found.axes if i is not None]
        elif len(places) == 1 and samples:
            chosen = samples
        else:
            raise Unproved
        if len(chosen) != len(places):
            raise Unproved
        values = [self.place(p) for p in places]
        for index, value in zip(chosen, values, strict=True):
            if isinstance(value, Index) and value.axis != index.axis:
                raise Unproved
        whole = moved(found.whole, chosen, values)
        rows = tuple(i for i in found.rows if i not in chosen)
        cols = tuple(i for i in found.cols if i not in chosen)
        feature = "" if rows or cols or not units else units[-1].axis.name
        return Array(whole, rows, cols, feature)

    def _loss_of_sample(self, reference: Reference) -> Array:
        place = reference.sample or (reference.indices[0] if reference.indices else None)
        if place is None:
            raise Unproved
        index, whole, _ = self._losses()
        return Array(moved(whole, [index], [self.place(place)]))

    def _losses(self) -> tuple[Index, Expression, Expr]:
        """The loss of sample n, with n, and what it is divided by in the whole loss."""
        network = self.home.network
        equation = network.equation_of[network.loss]
        terms: list[Term] = []
        index: Index | None = None
        scales: set[Expr] = set()
        for term in equation.rhs.terms:
            samples = [i for i in term.bound if i.axis.name == SAMPLE]
            index = index or (samples[0] if samples else None)
            if len(samples) != 1 or samples[0] != index:
                raise Unproved
            coefficient = term.coefficient.xreplace({index.axis.extent: S.One})
            scales.add(coefficient / term.coefficient)
            rest = tuple(i for i in term.bound if i != index)
            terms.append(Term(coefficient, rest, term.factors))
        if index is None or len(scales) != 1:
            raise Unproved
        return index, Expression(tuple(terms)), scales.pop()

    # --- functions --------------------------------------------------------------------------

    def scalar(self, whole: Expression) -> Expr:
        """An entry as one factor: sums in it get a name, that of the network where there is one."""
        if all(not term.bound for term in whole.terms):
            return Add(*map(as_scalar, whole.terms))
        whole = self.home.flattened(whole)
        free = tuple(i for i in free_indices(whole) if i.axis.name not in self.home.flat)
        names = [i.axis.name for i in free]
        if len(set(names)) == len(names):
            by_axis = {i.axis.name: i for i in free}
            for target, indices, rhs in self.home.equations_over(names):
                values = [by_axis.get(i.axis.name, lone_place(i.axis)) for i in indices]
                if not canonical(moved(rhs, indices, values) - whole).terms:
                    return Element(target, *values)
        return self.book.defined(free, whole)

    def mapped(self, array: Array, function: Callable[[Expr], Expr]) -> Array:
        if array.identity:
            raise Unproved
        found = function(self.scalar(array.whole))
        if isinstance(found, Element) and found.tensor in self.book.definitions:
            return replace(array, whole=self.book.definitions[found.tensor][1])
        return replace(array, whole=single(found))

    def _mapped_by(self, name: str, order: int, array: Array) -> Array:
        found = self.mapped(array, lambda e: Applied(name, order, e))
        return replace(found, literal=False)

    def _applied(self, function: Node, arguments: Sequence[Node]) -> Array:
        parts = split(function)
        if parts is None:
            raise Unproved
        name = parts[0].head.removeprefix("\\")
        if name == "diag" and len(arguments) == 1:
            return self._diagonal(self.value(arguments[0]))
        if name in ("max", "min"):
            return self._extreme(name, arguments)
        if name == "sqrt" and len(arguments) == 1:
            return self.mapped(self.value(arguments[0]), lambda e: Pow(e, Rational(1, 2)))
        if len(arguments) != 1 or parts[0].head not in self.settings.letters:
            raise Unproved
        return self.applied(self.grammar.scope.resolve(function), arguments[0])

    def _extreme(self, name: str, arguments: Sequence[Node]) -> Array:
        """max(a, b) = b + relu(a - b), and min(a, b) = a - relu(a - b)."""
        items = arguments
        if len(items) == 1 and isinstance(items[0], Group):
            items = items[0].items
        if len(items) != 2:
            raise Unproved
        one, other = self.value(items[0]), self.value(items[1])
        gap = self.added(one, other, -1, loose=True)
        relu = self._mapped_by("relu", 0, gap)
        kept, sign = (other, 1) if name == "max" else (one, -1)
        return self.added(kept, relu, sign, loose=True)

    def applied(self, reference: Reference, argument: Node) -> Array:
        if reference.kind != "function":
            raise Unproved
        array = self.value(argument)
        name = self._function_name(reference, array)
        if name == "softmax":
            if reference.primes:
                raise Unproved
            found = self._softmax(argument, array)
        elif name == "identity":
            found = replace(array, whole=ONE) if reference.primes else array
        else:
            found = self._mapped_by(name, reference.primes, array)
        if reference.indices:
            found = self._picked(found, reference)
        if reference.power is not None:
            found = self._powered(found, reference.power)
        return found.transposed if reference.transposed else found

    def _function_name(self, reference: Reference, array: Array) -> str:
        world = self.grammar.world
        if reference.name != "f":
            return reference.name
        if reference.layer is not None:
            return activation(world.network, reference.layer)
        labels = {i.axis.name for i in array.axes if i is not None and i.axis.name != SAMPLE}
        labels = labels or ({array.feature} if array.feature else set())
        layer = names.layer_of_units(labels.pop()) if len(labels) == 1 else None
        if layer is not None:
            return activation(world.network, layer)
        layers = range(1, self.grammar.scope.layers + 1)
        known = {activation(world.network, n) for n in layers} - {"softmax", "identity"}
        if len(known) != 1:
            raise Unproved
        return known.pop()

    def _softmax(self, argument: Node, array: Array) -> Array:
        if array.is_scalar:
            return self._softmax_entry(argument)
        units = [i for i in array.axes if i is not None and i.axis.name != SAMPLE]
        if len(units) != 1:
            raise Unproved
        return replace(array, whole=self._shares(array.whole, units[0]))

    def _shares(self, whole: Expression, unit: Index) -> Expression:
        """exp(z_k) over its sum."""
        raised = single(Applied("exp", 0, self.scalar(whole)))
        other = self.book.index(unit.axis)
        below = self.scalar(summed(moved(raised, [unit], [other]), other))
        return raised * single(Pow(below, -1))

    def _softmax_entry(self, argument: Node) -> Array:
        """softmax(z_k) for an entry: that entry of the softmax of its vector."""
        reference = entry_of_units(self.grammar, argument)
        places, _ = self._places(reference.name, reference)
        tensor = self.home.network.by_name[reference.name]
        whole = single(tensor.entry)
        shares = self._shares(whole, tensor.indices[-1])
        if tensor.axes[-1].name in self.home.flat or any(p.is_Integer for p in places):
            raise Unproved
        picked = moved(shares, tensor.indices, places)
        return Array(picked, feature=tensor.axes[-1].name)

    def _powered(self, array: Array, exponent: Node) -> Array:
        match exponent:
            case syntax.Symbol(head=("T" | "t" | "\\top" | "\\intercal")):
                return array.transposed
            case Product(sign=r"\circ", factors=(Number() as number_,)):
                power = self._number(self.value(number_))
                return self.mapped(array, lambda e: Pow(e, power))
            case Number() | Sum() | Group() | Quotient():
                power = self._number(self.value(exponent))
            case _:
                raise Unproved
        if power == -1 and not array.is_scalar:
            raise Unproved
        return self.mapped(array, lambda e: Pow(e, power))

    def _number(self, array: Array) -> Expr:
        if not array.is_scalar or any(t.factors or t.bound for t in array.whole.terms):
            raise Unproved
        value = Add(*(t.coefficient for t in array.whole.terms))
        if not value.is_Rational:
            raise Unproved
        return value

    def _diagonal(self, array: Array) -> Array:
        if len(array.axes) != 1 or array.axes[0] is None:
            raise Unproved
        index = array.axes[0]
        other = self.book.index(index.axis)
        return Array(array.whole * single(Delta(index, other)), (index,), (other,))

    # --- arithmetic -------------------------------------------------------------------------

    def aligned(self, one: Array, other: Array) -> tuple[Array, Array]:
        """Both arrays over the same indices. Raises: Unproved where the shapes differ."""
        if one.identity or other.identity:
            one, other = self._tamed(one, other), self._tamed(other, one)
        if not (fits(one.rows, other.rows) and fits(one.cols, other.cols)):
            raise Unproved
        pairs = list(zip(one.axes, other.axes, strict=True))
        old = [b for a, b in pairs if a is not None and b is not None]
        new = [a for a, b in pairs if a is not None and b is not None]
        rows = tuple(a or b for a, b in zip(one.rows, other.rows, strict=True))
        cols = tuple(a or b for a, b in zip(one.cols, other.cols, strict=True))
        turned = moved(other.whole, old, new)
        return replace(one, rows=rows, cols=cols), Array(turned, rows, cols)

    def _tamed(self, array: Array, other: Array) -> Array:
        """An identity with the indices of what it meets."""
        if not array.identity:
            return array
        if other.identity or len(other.rows) != 1 or len(other.cols) != 1:
            raise Unproved
        row, col = other.rows[0], other.cols[0]
        if row is None or col is None or row.axis != col.axis:
            raise Unproved
        one, two = self.book.index(row.axis), self.book.index(col.axis)
        return Array(array.whole * single(Delta(one, two)), (one,), (two,))

    def entrywise(self, one: Array, other: Array) -> Array:
        """The product entry by entry; a single number goes with every entry."""
        if one.is_scalar or other.is_scalar:
            wide = other if one.is_scalar else one
            literal = one.literal and other.literal
            return replace(wide, whole=one.whole * other.whole, literal=literal)
        one, other = self.aligned(one, other)
        return replace(one, whole=one.whole * other.whole, literal=False)

    def _divided(self, one: Array, other: Array) -> Array:
        return self.entrywise(one, self.mapped(other, lambda e: Pow(e, -1)))

    def added(self, one: Array, other: Array, sign: int, loose: bool = False) -> Array:
        """A sum. A vector without the sample axis is added to every sample of a batch."""
        for alone, rest in ((one, other), (other, one)):
            samples_only = all(i is not None and i.axis.name == SAMPLE for i in rest.axes)
            allowed = not rest.identity and (alone.literal or samples_only or loose)
            if alone.is_scalar and not rest.is_scalar and not allowed:
                raise Unproved
        second = other.whole.scaled(sign)
        if one.is_scalar or other.is_scalar:
            wide = other if one.is_scalar else one
            literal = one.literal and other.literal
            return replace(wide, whole=one.whole + second, literal=literal)
        one, other = self.aligned(_with_samples(one, other), _with_samples(other, one))
        return replace(one, whole=one.whole + other.whole.scaled(sign), literal=False)

    def multiplied(self, one: Array, other: Array) -> Array:
        """The product of matrix algebra; a number scales."""
        if one.identity and other.identity:
            return replace(one, whole=one.whole * other.whole)
        if one.identity or other.identity:
            kept = other if one.identity else one
            identity = kept.is_scalar
            return replace(kept, whole=one.whole * other.whole, identity=identity)
        if one.is_scalar or other.is_scalar:
            return self.entrywise(one, other)
        if not fits(one.cols, other.rows):
            raise Unproved
        whole = self._contracted(one.whole, one.cols, other.whole, other.rows)
        return Array(whole, one.rows, other.cols)

    def _contracted(
        self, one: Expression, last: Side, other: Expression, first: Side
    ) -> Expression:
        pairs = list(zip(last, first, strict=True))
        if any(a is None and b is None for a, b in pairs):
            raise Unproved
        old = [b for a, b in pairs if a is not None and b is not None]
        new = [a for a, b in pairs if a is not None and b is not None]
        whole = one * moved(other, old, new)
        for a, b in pairs:
            index = a or b
            assert index is not None
            whole = summed(whole, index)
        return whole

    def _sum(self, signs: Sequence[int], terms: Sequence[Node]) -> Array:
        total: Array | None = None
        for sign, term in zip(signs, terms, strict=True):
            array = self.value(term)
            if total is None:
                total = replace(array, whole=array.whole.scaled(sign))
            else:
                total = self.added(total, array, sign)
        assert total is not None
        return total

    def _product(self, sign: str, factors: Sequence[Node]) -> Array:
        if sign in (r"\odot", r"\circ"):
            return self._entrywise_product(factors)
        if sign == r"\oslash":
            one, *rest = (self.value(factor) for factor in factors)
            return reduce(self._divided, rest, one)
        if sign == r"\otimes":
            raise Unproved
        parts = self._factors(factors) if sign == "" else [(node, None) for node in factors]
        chained = self._chain([node for node, array in parts if array is None], len(parts))
        if chained is not None:
            return chained
        total: Array | None = None
        for node, made in parts:
            array = made if made is not None else self.value(node)
            total = array if total is None else self._times(sign, total, array)
        assert total is not None
        return total

    def _times(self, sign: str, one: Array, other: Array) -> Array:
        scaling = one.is_scalar or other.is_scalar or one.identity or other.identity
        if not scaling and not fits(one.cols, other.rows) and sign in self.settings.entrywise:
            return self.entrywise(one, other)
        return self.multiplied(one, other)

    def _factors(self, factors: Sequence[Node]) -> list[tuple[Node, Array | None]]:
        """Juxtaposed factors; a function and its argument become one array."""
        found: list[tuple[Node, Array | None]] = []
        position = 0
        while position < len(factors):
            node = factors[position]
            after = factors[position + 1] if position + 1 < len(factors) else None
            made = None if after is None else self._called(node, after)
            found.append((node, made[0] if made is not None else None))
            position += 1 if made is None else 2
        return found

    def _called(self, node: Node, after: Node) -> tuple[Array | None] | None:
        """What a symbol and the group behind it mean together; None where they are two factors."""
        function = function_of(self.grammar, node)
        if function is not None:
            group, scripts = argument_of(after)
            if group is not None:
                return (self._application(function, group, scripts),)
        if not is_called(self.grammar, node, after):
            return None
        assert isinstance(after, Group)
        refuse_elsewhere(self.grammar, node, after)
        reference = called_loss(self.grammar, node, after) or called_node(self.grammar, node, after)
        return (None if reference is None else self.referred(reference),)

    def _application(
        self, function: Reference, group: Node, scripts: tuple[syntax.Script, ...]
    ) -> Array:
        inner = function
        for script in scripts:
            match self.grammar.scope.role(script, False, "z"):
                case "index":
                    inner = replace(inner, indices=(*inner.indices, *script.parts))
                case "transpose":
                    inner = replace(inner, transposed=not inner.transposed)
                case "power":
                    inner = replace(inner, power=script.parts[0])
                case _:
                    raise Unproved
        return self.applied(inner, group)

    def _entrywise_product(self, factors: Sequence[Node]) -> Array:
        total: Array | None = None
        for node in factors:
            array = self.value(node)
            if total is None:
                total = array
                continue
            total = self.entrywise(self._as_slopes(total, array), self._as_slopes(array, total))
        assert total is not None
        return total

    def _as_slopes(self, array: Array, other: Array) -> Array:
        slopes = self._slopes(array)
        if slopes and fits(slopes.rows, other.rows) and fits(slopes.cols, other.cols):
            return slopes
        return array

    def _slopes(self, array: Array) -> Array | None:
        """The diagonal of a Jacobian that is zero elsewhere, laid out as a vector or batch."""
        if array.identity or not array.rows or not fits(array.rows, array.cols):
            return None
        rows = [i for i in array.rows if i is not None]
        cols = [i for i in array.cols if i is not None]
        if len(rows) != len(cols) or len(rows) != len(array.rows):
            return None
        diagonal = moved(array.whole, cols, rows)
        deltas = expression(product(1, (), map(Delta, rows, cols)))
        if canonical(array.whole - diagonal * deltas).terms:
            return None
        samples = tuple(i for i in rows if i.axis.name == SAMPLE)
        units = tuple(i for i in rows if i.axis.name != SAMPLE)
        stands = self.settings.samples if samples else self.settings.single
        found = Array(diagonal, samples, units)
        return found.transposed if stands == "columns" else found

    # --- big sums ---------------------------------------------------------------------------

    def _big(self, node: Big) -> Array:
        if node.kind == "product":
            raise Unproved
        if not node.bounds:
            return self._sum_without_bounds(node.body)
        grammar = self.grammar
        for bound in node.bounds:
            grammar = self._bounded(grammar, bound, node.body)
        inner = replace(self, grammar=grammar)
        weight = ONE
        for bound in node.bounds:
            weight = weight * inner._weight(bound, node.body)
        array = inner.value(node.body)
        if array.identity:
            raise Unproved
        for bound in node.bounds:
            array = inner._summed_letter(head_of(bound.variable), array, weight)
            weight = ONE
        return replace(array, literal=False)

    def _bounded(self, grammar: Meaning, bound: syntax.Bound, body: Node) -> Meaning:
        """The grammar inside a sum; a letter that only meets another in a condition shares its
        axis."""
        letter = head_of(bound.variable)
        axis = axis_of_uses(grammar, letter, body) or self._axis_of_partner(grammar, letter, body)
        if axis is None:
            return bounded(grammar, bound, body)
        return replace(grammar, ranges={**grammar.ranges, letter: axis})

    def _axis_of_partner(self, grammar: Meaning, letter: str, body: Node) -> Labelled | None:
        for node in syntax.walk(body):
            if not isinstance(node, Comparison):
                continue
            sides = (node.left, node.right)
            heads = [side.head if isinstance(side, syntax.Symbol) else "" for side in sides]
            if letter not in heads:
                continue
            other = sides[1 - heads.index(letter)]
            if isinstance(other, syntax.Symbol) and other.head in grammar.ranges:
                return grammar.ranges[other.head]
            label = replace(self, grammar=grammar)._label_read(other)
            if label is not None:
                return self.home.labelled(self.home.classes[label.name].name)
        return None

    def _weight(self, bound: syntax.Bound, body: Node) -> Expression:
        """1 where the conditions of a bound hold; sums that end before their axis have no
        reading."""
        axis = self.grammar.ranges[head_of(bound.variable)]
        end = bound.upper
        if isinstance(end, Number) and end.value == self.sizes.get(axis.label):
            bound = replace(bound, upper=None)
        if limits_of(self.grammar, bound, axis, body) != (None, None):
            raise Unproved
        weight = ONE
        for condition in bound.conditions:
            weight = weight * self.held(condition)
        return weight

    def _summed_letter(self, head: str, array: Array, weight: Expression) -> Array:
        index = self._letter(head)
        whole = array.whole * weight
        if index.axis.name in self.home.flat:
            return replace(array, whole=whole)
        if index.axis.name == SAMPLE and index not in free_indices(whole):
            samples = array.place_of(SAMPLE)
            if samples is not None:
                return _summed_over(array, samples)
        return replace(array, whole=summed(whole, index))

    def _sum_without_bounds(self, body: Node) -> Array:
        letters = open_letters(self.grammar, body)
        grammar = self.grammar
        for letter in letters:
            axis = range_of(grammar, letter, body)
            grammar = replace(grammar, ranges={**grammar.ranges, letter: axis})
        inner = replace(self, grammar=grammar)
        array = inner.value(body)
        if letters:
            for letter in letters:
                array = inner._summed_letter(letter, array, ONE)
            return array
        samples = array.place_of(SAMPLE)
        if samples is not None:
            return _summed_over(array, samples)
        if array.is_scalar or None in array.axes:
            raise Unproved
        for index in array.axes:
            assert index is not None
            array = _summed_over(array, index)
        return array

    # --- conditions -------------------------------------------------------------------------

    def held(self, node: Comparison) -> Expression:
        """1 where the condition on single entries holds, else 0."""
        found = self.condition(node)
        if not found.is_scalar:
            raise Unproved
        return found.whole

    def condition(self, node: Comparison) -> Array:
        """1 where the condition holds, else 0, entry by entry."""
        one, other = self._as_letter(node.left), self._as_letter(node.right)
        if one is not None and other is not None:
            equal = self._delta(one, other)
            match node.relation:
                case "=":
                    return Array(equal)
                case r"\neq":
                    return Array(ONE - equal)
            raise Unproved
        left, right = self.value(node.left), self.value(node.right)
        above, below = (self.added(a, b, -1, True) for a, b in ((left, right), (right, left)))
        match node.relation:
            case ">":
                return self._mapped_by("relu", 1, above)  # [u > 0], as `scalars` defines relu
            case "<":
                return self._mapped_by("relu", 1, below)
            case r"\leq":
                return self._not(self._mapped_by("relu", 1, above))
            case r"\geq":
                return self._not(self._mapped_by("relu", 1, below))
        raise Unproved

    def _not(self, array: Array) -> Array:
        return replace(array, whole=ONE - array.whole)

    def _delta(self, one: Expr, other: Expr) -> Expression:
        return expression(product(1, (), (Delta(one, other),)))

    def _as_letter(self, node: Node) -> Expr | None:
        """What an index can be compared with: an index, or a label that names a class."""
        match node:
            case Group(items=(one,)):
                return self._as_letter(one)
            case syntax.Symbol(head=head) if head in self.grammar.ranges:
                return self._letter(head)
            case _:
                return self._as_label(node)

    def _as_label(self, node: Node) -> Expr | None:
        """The class that a label names, which counts as an index letter does."""
        reference = self._label_read(node)
        if reference is None:
            return None
        places, left = self._places(reference.name, reference)
        return None if left else Element(reference.name, *places)

    def _label_read(self, node: Node) -> Reference | None:
        if not self.home.classes or split(node) is None:
            return None
        try:
            reference = self.grammar.scope.resolve(node)
        except (NotUnderstood, IllFormed):
            return None
        return reference if reference.name in self.home.classes else None

    def _cases(self, branches: Sequence[tuple[Node, Node | None]]) -> Array:
        total: Array | None = None
        left = ONE
        for content, condition in branches:
            array, held = self.value(content), left
            if condition is not None:
                if not isinstance(condition, Comparison):
                    raise Unproved
                true = self.held(condition)
                held, left = left * true, left * (ONE - true)
            part = replace(array, whole=held * array.whole, literal=False)
            total = part if total is None else self.added(total, part, 1, loose=True)
        assert total is not None
        return total

    def _norm(self, node: Norm) -> Array:
        array = self.value(node.content)
        if array.is_scalar or array.identity or node.single or None in array.axes:
            raise Unproved
        square = self.mapped(array, lambda e: Pow(e, 2))
        for index in array.axes:
            assert index is not None
            square = _summed_over(square, index)
        return self.mapped(square, lambda e: Pow(e, Rational(1, 2)))

    # --- derivatives ------------------------------------------------------------------------

    def _derivative(self, node: Derivative) -> Array:
        if node.of is None or node.wrt is None:
            raise Unproved
        link = self.link(node)
        if link is None:
            return self._explicit(node)
        if node.sign == "nabla":
            grammar = replace(self.grammar, settings=replace(self.settings, vectors="variable"))
            return replace(self, grammar=grammar)._from_link(link)
        return self._from_link(link)

    def link(self, node: Node) -> Link | None:
        """A derivative of one named quantity by another, or an adjoint by its name."""
        match node:
            case Derivative(of=of, wrt=wrt) if of is not None and wrt is not None:
                if isinstance(wrt, syntax.Symbol) and wrt.head in self.local:
                    return None
                top = plain_reference(self.grammar, of)
                bottom = denominator(self.grammar, wrt, node)
            case syntax.Symbol() | Scripted():
                return self._named_link(node)
            case Group(items=(one,)):
                return self.link(one)
            case _:
                return None
        if bottom is None or bottom.kind != "tensor":
            raise Unproved
        if top is None or top.kind not in ("tensor", "loss_n"):
            return None
        return self._tensor_link(top, bottom)

    def _named_link(self, node: syntax.Symbol | Scripted) -> Link | None:
        parts = split(node)
        if parts is None or parts[0].head in self.grammar.ranges or parts[0].head in self.local:
            return None
        if self._is_kronecker(node):
            return None
        try:
            reference = self.grammar.scope.resolve(node)
        except (NotUnderstood, IllFormed):
            return None
        if reference.kind != "adjoint" or reference.transposed or reference.power is not None:
            return None
        top = Reference("tensor", self.home.network.loss, node.span)
        link = self._tensor_link(top, replace(reference, kind="tensor"))
        return replace(link, whole=link.whole.scaled(self._scale(reference.scale)))

    def _tensor_link(self, top: Reference, bottom: Reference) -> Link:
        if top.kind == "loss_n":
            return self._sample_link(top, bottom)
        indices, whole = self.home.derivative(top.name, bottom.name)
        outer, left_outer = self._places(top.name, top)
        inner, left_inner = self._places(bottom.name, bottom)
        whole = moved(whole, indices, [*outer, *inner])
        return Link(key_of(top), key_of(bottom), whole, left_outer, left_inner)

    def _sample_link(self, top: Reference, bottom: Reference) -> Link:
        """d of the loss of one sample: N times (or once) the way through that sample's output."""
        network = self.home.network
        reads = sorted(network.equation_of[network.loss].reads)
        outputs = [n for n in reads if network.by_name[n].kind == "intermediate"]
        if len(outputs) != 1:
            raise Unproved
        _, _, share = self._losses()
        output = network.by_name[outputs[0]]
        place = top.sample or (top.indices[0] if top.indices else None) or bottom.sample
        inner, left = self._places(bottom.name, bottom)
        labels = [a.name for a in network.by_name[bottom.name].axes]
        if place is None and SAMPLE in labels:
            sample: Expr = inner[labels.index(SAMPLE)]  # each sample's own loss
        elif place is not None:
            sample = self.place(place)
        else:
            raise Unproved
        units = [self.book.index(axis) for axis in output.axes[1:]]
        slope = single(Element(network.adjoint_name(output.name), sample, *units)).scaled(share)
        indices, whole = self.home.derivative(output.name, bottom.name)
        whole = slope * moved(whole, indices, [sample, *units, *inner])
        for unit in units:
            whole = summed(whole, unit)
        return Link(key_of(top), key_of(bottom), self.home.flattened(whole), (), left)

    def _from_link(self, link: Link) -> Array:
        """A derivative as the note lays it out."""
        if not link.outer and not link.inner:
            return Array(link.whole)
        if not link.outer:
            found = self.oriented(link.wrt.partition("[")[0], link.whole, link.inner)
            row = self.settings.vectors == "row" and found.rows and not found.cols
            return found.transposed if row else found
        if not link.inner:
            if len(link.outer) > 1:
                return self.oriented(link.of.partition("[")[0], link.whole, link.outer)
            found = Array(link.whole, link.outer, ())
            return found if self.settings.layout == "numerator" else found.transposed
        found = Array(link.whole, link.outer, link.inner)
        return found.transposed if self.settings.layout == "denominator" else found

    def _chain(self, nodes: Sequence[Node], count: int) -> Array | None:
        """A product of derivatives that fit together by their names, however vectors stand."""
        if len(nodes) != count or count < 2 or not any(isinstance(n, Derivative) for n in nodes):
            return None
        links: list[Link] = []
        for node in nodes:
            link = self.link(node)
            if link is None:
                return None
            links.append(link)
        if self.settings.chain == "up":
            links = links[::-1]
        total = links[0]
        for link in links[1:]:
            if total.wrt != link.of:
                return None
            whole = self._contracted(total.whole, total.inner, link.whole, link.outer)
            total = Link(total.of, link.wrt, whole, total.outer, link.inner)
        return self._from_link(total)

    def _explicit(self, node: Derivative) -> Array:
        """d expression / d variable: through each entry that the expression reads."""
        assert node.of is not None
        assert node.wrt is not None
        if isinstance(node.wrt, syntax.Symbol) and node.wrt.head in self.local:
            (term,) = self.local[node.wrt.head].whole.terms
            array = self.value(node.of)
            return array.with_entry(expression(*_by_entry(array.whole, term.factors[0])))
        reference = denominator(self.grammar, node.wrt, node)
        if reference is None or reference.kind != "tensor":
            raise Unproved
        array = self.value(node.of)
        if None in array.axes or array.identity:
            raise Unproved
        places, left = self._places(reference.name, reference)
        whole = expression(*self._through_entries(array.whole, reference.name, places))
        if not left and len(array.axes) > 1:
            return array.with_entry(whole)
        outer = tuple(i for i in array.axes if i is not None)
        return self._from_link(Link("expression", key_of(reference), whole, outer, left))

    def _through_entries(
        self, whole: Expression, wrt: str, places: Sequence[Expr]
    ) -> Iterator[Term | None]:
        """d whole / d wrt[places], the sum over the entries read."""
        taken = {i.name for i in places if isinstance(i, Index)}
        whole = Expression(tuple(rename_apart(term, taken) for term in whole.terms))
        for element in dict.fromkeys(
            e for t in whole.terms for f in t.factors for e in elements_in(f)
        ):
            if element.tensor not in self.home.network.by_name:
                raise Unproved
            indices, slope = self.home.derivative(element.tensor, wrt)
            slope = moved(slope, indices, [*element.indices, *places])
            for term in whole.terms:
                for position, factor in enumerate(term.factors):
                    change = factor.diff(element)
                    if change != 0:
                        rest = term.factors[:position] + term.factors[position + 1 :]
                        part = product(term.coefficient, (), (*rest, change))
                        inner = expression(part) * slope
                        for index in term.bound:
                            inner = summed(inner, index)
                        yield from inner.terms

    def _scripts_outside(self, node: Scripted) -> Array:
        r"""Scripts on a group: (W^3)^T, (a - y)^2, (z)_k."""
        array = self.value(node.base)
        for script in node.scripts:
            match script.kind:
                case "transpose":
                    array = array.transposed
                case "group" if script.place == "above" and not script.bracket:
                    array = self._powered(array, script.parts[0])
                case "group" if isinstance(node.base, Norm) and names_a_norm(script):
                    continue
                case "group" if script.place == "below":
                    reference = Reference("letter", "", node.span, indices=script.parts)
                    array = self._picked(array, reference)
                case "group" if script.bracket == "(":
                    reference = Reference("letter", "", node.span, sample=script.parts[0])
                    array = self._picked(array, reference)
                case "inverse" if array.is_scalar:
                    array = self.mapped(array, lambda e: Pow(e, -1))
                case _:
                    raise Unproved
        return array

    # --- two sides --------------------------------------------------------------------------

    def fitted(self, one: Array, other: Array) -> tuple[Expression, Expression]:
        """The entries of both sides over the same indices."""
        if one.is_scalar and other.is_scalar:
            return one.whole, other.whole
        if one.identity or other.identity:
            one, other = self.aligned(one, other)
            return one.whole, other.whole
        if fits(one.rows, other.rows) and fits(one.cols, other.cols):
            one, other = self.aligned(one, other)
            return one.whole, other.whole
        for first, second in ((one, other), (other, one)):
            if second.is_scalar and second.literal and not canonical(second.whole).terms:
                return first.whole, second.whole
            slopes = self._slopes(first)
            if slopes is None:
                continue
            if second.is_scalar and second.literal:
                return slopes.whole, second.whole
            if fits(slopes.rows, second.rows) and fits(slopes.cols, second.cols):
                first, second = self.aligned(slopes, second)
                return first.whole, second.whole
        raise Unproved


# --------------------------------------------------------------------------------------------
# Indices
# --------------------------------------------------------------------------------------------


def fits(one: Side, other: Side) -> bool:
    return len(one) == len(other) and all(
        a is None or b is None or a.axis.name == b.axis.name
        for a, b in zip(one, other, strict=True)
    )


def lone_place(axis: Axis) -> Index:
    """The place of an axis that has only one: an index that nothing sums over."""
    return Index("only " + axis.name, axis)


def moved(whole: Expression, old: Sequence[Expr], new: Sequence[Expr]) -> Expression:
    """The expression with other places for free indices, all at once; bound names step aside."""
    places = {a: b for a, b in zip(old, new, strict=True) if a != b and isinstance(a, Index)}
    if not places:
        return whole
    return expression(*(substitute(term, places) for term in whole.terms))


def summed(whole: Expression, index: Index) -> Expression:
    """The sum over an index that is free, or that no term reads: then its extent times."""
    terms = (rename_apart(term, (index.name,)) for term in whole.terms)
    return expression(*(product(t.coefficient, (index, *t.bound), t.factors) for t in terms))


def with_primed_letters(node: Node) -> Node:
    """The tree in which j' is a letter of its own where it is an index."""
    primed = {p for n in syntax.walk(node) for p in _indices_in(n) if _primed(p) is not None}
    return _with_letters(node, primed) if primed else node


def _indices_in(node: Node) -> Iterator[Node]:
    match node:
        case Scripted(scripts=scripts):
            yield from (
                part for script in scripts if script.place == "below" for part in script.parts
            )
        case Big(bounds=bounds):
            yield from (bound.variable for bound in bounds)
        case Comparison(left=left, right=right):
            yield from (left, right)


def _primed(node: Node) -> str | None:
    """The letter j' that a symbol with primes alone is."""
    match node:
        case Scripted(base=syntax.Symbol(head=head), scripts=scripts):
            if all(script.kind == "prime" for script in scripts):
                return head + "'" * len(scripts)
    return None


def _with_letters(part: Any, primed: set[Node]) -> Any:
    if isinstance(part, tuple):
        return tuple(_with_letters(each, primed) for each in part)
    if isinstance(part, Scripted) and part in primed:
        head = _primed(part)
        assert head is not None
        return syntax.Symbol(head, part.span)
    if not isinstance(part, (*get_args(Node), syntax.Script, syntax.Bound)):
        return part
    assert is_dataclass(part)
    assert not isinstance(part, type)
    names = [f.name for f in fields(part)]
    return replace(part, **{name: _with_letters(getattr(part, name), primed) for name in names})


def _read_in(*sides: Expression) -> set[str]:
    """Names of the tensors that the sides read."""
    factors = [factor for side in sides for term in side.terms for factor in term.factors]
    return {element.tensor for factor in factors for element in elements_in(factor)}


def _lone_entry(whole: Expression) -> tuple[Element, ...]:
    """The entry that an expression is, up to a number."""
    match whole.terms:
        case (Term(bound=(), factors=(Element() as element,)),):
            return (element,)
    return ()


def _summed_over(array: Array, index: Index) -> Array:
    rows = tuple(i for i in array.rows if i != index)
    cols = tuple(i for i in array.cols if i != index)
    return replace(array, whole=summed(array.whole, index), rows=rows, cols=cols)


def _with_samples(array: Array, other: Array) -> Array:
    """A vector that is added to every sample stands in each row, or column, of the batch."""
    if array.is_scalar or array.identity or array.place_of(SAMPLE) is not None:
        return array
    if other.place_of(SAMPLE) is None:
        return array
    first = other.rows[0] if other.rows else None
    last = other.cols[-1] if other.cols else None
    if not array.rows and first is not None and first.axis.name == SAMPLE:
        return replace(array, rows=(None,))
    if not array.cols and last is not None and last.axis.name == SAMPLE:
        return replace(array, cols=(None,))
    return array


def _by_entry(whole: Expression, entry: Expr) -> Iterator[Term | None]:
    """The derivative by one number that no index moves."""
    for term in whole.terms:
        for position, factor in enumerate(term.factors):
            rest = term.factors[:position] + term.factors[position + 1 :]
            yield product(term.coefficient, term.bound, (*rest, factor.diff(entry)))
