"""The concrete view: a network with whole numbers as sizes, entry by entry, in plain SymPy.

Owns: one SymPy symbol for each entry, the right-hand side of each entry, their composition, the
explicit Jacobian matrices and gradients that SymPy's own `diff` gives, and exact points with
their values to many digits.
Refuses: every function of the index calculus, of the interpreter and of the sweep. It reads the
frozen data (terms, elements, deltas, guards) with a walker of its own, so that an agreement with
a derivation means something. It also refuses extents that are not whole numbers once the sizes
are in, and derivatives by labels that are whole numbers.
Would be wrong if: the walker misread an equation in the way the index calculus does, or if two
entries had one symbol (names are kept apart in `_table`).

Two ways lead to a Jacobian, and a test compares them. *Direct*: everything between the two
tensors is put in, and `Matrix.jacobian` differentiates the whole; the most independent witness,
taken while nodes of the composed entries times columns do not exceed `DIRECT`. *Chained*: every
equation is differentiated by the symbols it reads, and these single derivatives are multiplied and
added along all paths; taken beyond that, since composed expressions grow exponentially with
depth. Its entries keep the symbols of named tensors on the way (`h1_2_1`); `numeric` knows them.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from graphlib import CycleError, TopologicalSorter
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from sympy import (
    Add,
    And,
    Expr,
    Float,
    ImmutableDenseNDimArray,
    Integer,
    KroneckerDelta,
    Matrix,
    Mul,
    Piecewise,
    Rational,
    S,
    Symbol,
)

from symbackprop.calculus.digits import Evaluator, Values, fraction, normalised
from symbackprop.calculus.entry import Entry, Position
from symbackprop.calculus.terms import (
    Applied,
    Delta,
    Element,
    Expression,
    Guard,
    Index,
    Partial,
    Term,
)
from symbackprop.errors import ShapeError, UnsupportedError, UsageError
from symbackprop.networks.network import CountsClasses, Equation, Network, SumsToOne, Tensor

Assignment: TypeAlias = Mapping[Index, int]
Steps: TypeAlias = Sequence[tuple[Symbol, Expr]]

DIRECT = 10_000
NESTED = 3


def explicit(network: Network, sizes: Mapping[Symbol, int]) -> Explicit:
    """The network at these sizes; every symbol of its extents and coefficients needs a number.

    Raises: UsageError if a size is not a whole number.
    """
    for symbol, size in sizes.items():
        if isinstance(size, bool) or int(size) != size or size < 0:
            raise UsageError(f"size {symbol}: found {size!r}, expected a whole number")
    return Explicit(network, {symbol: int(size) for symbol, size in sizes.items()})


@dataclass(frozen=True, eq=False)
class Explicit:
    """A network entry by entry. Positions count from 0 on every axis, wherever the axis starts.

    Every tensor may be called by an alias. Nothing is built before it is asked for.
    """

    network: Network
    sizes: Mapping[Symbol, int]

    # --- entries -------------------------------------------------------------------------------

    def shape(self, tensor: str) -> tuple[int, ...]:
        """The whole numbers of positions along the tensor's axes."""
        return self._shapes[self._known(tensor)]

    def symbols(self, tensor: str) -> dict[Position, Symbol]:
        """One real symbol for each entry in C order; `W3_2_1` stands at position (1, 0) of W3.

        Whole-number labels get integer symbols.
        """
        return dict(self._table[self._known(tensor)])

    def entry(self, tensor: str, position: Position) -> Expr:
        """The right-hand side of this entry's equation, in symbols of the tensors it reads.

        Scalar functions stand there by their definitions: exp, log, tanh, Piecewise.
        Raises: UsageError for a tensor that is given, or a position it does not have.
        """
        symbol = self._symbol(tensor, position)
        if symbol not in self._computed:
            raise UsageError(f"{tensor}: found a tensor that is given, expected a computed one")
        return self.right(symbol)

    def composed(self, tensor: str, position: Position, upto: frozenset[str] = frozenset()) -> Expr:
        """The entry in symbols of inputs, labels, parameters and the tensors of `upto`.

        Auxiliary tensors (the softmax sum) never remain.
        """
        return self.compose([self._symbol(tensor, position)], self._kept(upto))[0]

    # --- derivatives ---------------------------------------------------------------------------

    def jacobian(
        self,
        of: str,
        wrt: str,
        keep: frozenset[str] = frozenset(),
        direct: bool | None = None,
    ) -> Matrix:
        """d of / d wrt through every path; entries in symbols of `wrt`, of leaves and of `keep`.

        Beyond a size, or with `direct=False`, also in those of other tensors (see the module).

        Shapes: (entries of `of`, entries of `wrt`), both in C order: numerator layout.
        `keep` names tensors that stay symbols, for readers: with `h2` kept, dz3/dW3 shows h2.
        For a recurrent `wrt` each column takes its own entry as free and computes the others.
        Raises: UsageError if a kept tensor depends on `wrt`: a path would be cut.
        """
        source = self.differentiable(wrt)
        kept = self._kept(keep - {wrt, source})
        self._check_kept(kept, source)
        return self.block(self._flat(self._known(of)), self._flat(source), kept, direct)

    def gradient(self, wrt: str) -> ImmutableDenseNDimArray:
        """d loss / d wrt in the shape of `wrt`; entries as in `jacobian`."""
        row = self.jacobian(self.network.loss, wrt)
        return ImmutableDenseNDimArray(list(row), self.shape(wrt))

    # --- numbers -------------------------------------------------------------------------------

    def values(self, seed: int) -> dict[Symbol, Rational]:
        """Generic exact values of all inputs, labels and parameters; labels obey their facts."""
        source = random.Random(seed)
        found: dict[Symbol, Rational] = {}
        for tensor in self.network.of_kind("input", "label", "parameter"):
            found |= self._drawn(tensor, source)
        return found

    def numeric(
        self, entries: Matrix | ImmutableDenseNDimArray, values: Values, digits: int = 30
    ) -> list[Any]:
        """Entries at a point as Floats of that many digits, nested like `entries.tolist()`.

        Symbols of computed tensors get the values that the network gives them.
        """
        evaluator = self._evaluator(values, digits)
        self._fill(evaluator, symbols_of(_leaves(entries.tolist())))
        nested: list[Any] = _nested(entries.tolist(), evaluator.rounded)
        return nested

    def tensor_values(self, values: Values, digits: int = 30) -> dict[str, npt.NDArray[Any]]:
        """The value of every tensor at the point: object arrays of Floats, in network order."""
        evaluator = self._evaluator(values, digits)
        self._fill(evaluator, list(self._computed))
        return {
            tensor.name: self._array(tensor.name, evaluator.rounded)
            for tensor in self.network.tensors
        }

    # --- tables --------------------------------------------------------------------------------

    @cached_property
    def _shapes(self) -> dict[str, tuple[int, ...]]:
        return {
            tensor.name: tuple(self._extent(index, {}) for index in tensor.indices)
            for tensor in self.network.tensors
        }

    @cached_property
    def _table(self) -> dict[str, dict[Position, Symbol]]:
        table: dict[str, dict[Position, Symbol]] = {}
        taken: set[str] = set()
        for tensor in self.network.tensors:
            positions = list(np.ndindex(self._shapes[tensor.name]))
            # tensors `W` and `W_1` could both have an entry `W_1_2`
            stem = tensor.name
            while taken & {Entry.of(stem, position).name for position in positions}:
                stem += "_"
            whole = {"integer": True} if class_index(tensor) is not None else {"real": True}
            table[tensor.name] = {
                position: Entry.of(stem, position, **whole) for position in positions
            }
            taken |= {symbol.name for symbol in table[tensor.name].values()}
        return table

    @cached_property
    def _computed(self) -> dict[Symbol, tuple[Equation, Position]]:
        """For every entry that is computed its equation and its position."""
        return {
            symbol: (equation, position)
            for equation in self.network.equations
            for position, symbol in self._table[equation.target].items()
        }

    @cached_property
    def _owner(self) -> dict[Symbol, str]:
        return {
            symbol: name for name, entries in self._table.items() for symbol in entries.values()
        }

    @cached_property
    def _rights(self) -> dict[Symbol, Expr]:
        """Right-hand sides found so far."""
        return {}

    def right(self, symbol: Symbol) -> Expr:
        if symbol not in self._rights:
            equation, position = self._computed[symbol]
            assigned = {
                index: index.axis.start + place
                for index, place in zip(equation.indices, position, strict=True)
            }
            self._rights[symbol] = self._sum_of_terms(equation.rhs, assigned)
        return self._rights[symbol]

    def _known(self, name: str) -> str:
        resolved = self.network.aliases.get(name, name)
        if resolved not in {tensor.name for tensor in self.network.tensors}:
            names = ", ".join(tensor.name for tensor in self.network.tensors)
            raise UsageError(f"tensor: found {name!r}, expected one of {names}")
        return resolved

    def _symbol(self, tensor: str, position: Position) -> Symbol:
        entries = self._table[self._known(tensor)]
        if tuple(position) not in entries:
            raise UsageError(
                f"{tensor}: found position {position}, expected one inside {self.shape(tensor)}, "
                "counted from 0"
            )
        return entries[tuple(position)]

    def _flat(self, name: str) -> list[Symbol]:
        return list(self._table[name].values())

    def _kept(self, names: frozenset[str]) -> frozenset[Symbol]:
        """Symbols of these tensors, auxiliary ones left out."""
        auxiliary = {tensor.name for tensor in self.network.of_kind("auxiliary")}
        resolved = {self._known(name) for name in names} - auxiliary
        return frozenset(symbol for name in resolved for symbol in self._table[name].values())

    # --- the walker: one equation at one assignment of its indices -----------------------------

    def _extent(self, index: Index, assigned: Assignment) -> int:
        extent = self._scalar(index.axis.extent, assigned)
        if not extent.is_Integer or extent < 0:
            raise UnsupportedError(
                f"axis {index.axis.name}: found extent {extent}, expected a whole number"
            )
        return int(extent)

    def _sum_of_terms(self, whole: Expression, assigned: Assignment) -> Expr:
        return Add(
            *(
                self._product(term, chosen)
                for term in whole.terms
                for chosen in self._assignments(term.bound, assigned)
            )
        )

    def _assignments(
        self, bound: Sequence[Index], assigned: Assignment
    ) -> Iterator[dict[Index, int]]:
        """Every choice of the bound indices; an extent may depend on an index before it."""
        if not bound:
            yield dict(assigned)
            return
        first, *rest = bound
        for place in range(self._extent(first, assigned)):
            yield from self._assignments(rest, {**assigned, first: first.axis.start + place})

    def _product(self, term: Term, assigned: Assignment) -> Expr:
        # conditions first: where one fails the rest may be undefined (log of an outside 0)
        conditions = [f for f in term.factors if isinstance(f, (Delta, Guard))]
        allowed = Mul(*(self._scalar(factor, assigned) for factor in conditions))
        if allowed == 0:
            return S.Zero
        rest = [f for f in (term.coefficient, *term.factors) if not isinstance(f, (Delta, Guard))]
        return Mul(allowed, *(self._scalar(factor, assigned) for factor in rest))

    def _scalar(self, node: Expr, assigned: Assignment) -> Expr:
        match node:
            case Index():
                return self._index(node, assigned)
            case Symbol():
                return self._size(node)
            case Element():
                places = [self._scalar(written, assigned) for written in node.indices]
                return self._read(self._known(node.tensor), places)
            case Delta():
                left, right = (self._scalar(side, assigned) for side in node.args)
                return (
                    _one_if(left == right) if _whole(left, right) else KroneckerDelta(left, right)
                )
            case Guard():
                return _between(*(self._scalar(part, assigned) for part in node.args))
            case Applied():
                function = self.network.functions[node.function]
                return function.value(self._scalar(node.argument, assigned), node.order)
            case Partial():
                raise UnsupportedError(f"{node}: found a derivative, expected a forward equation")
        if not node.args:
            return node
        return node.func(*(self._scalar(argument, assigned) for argument in node.args))

    def _index(self, index: Index, assigned: Assignment) -> Expr:
        if index not in assigned:
            raise ShapeError(f"index {index.name} is neither summed nor on the left")
        return Integer(assigned[index])

    def _size(self, symbol: Symbol) -> Expr:
        if symbol not in self.sizes:
            given = ", ".join(sorted(size.name for size in self.sizes)) or "none"
            raise UsageError(f"sizes: found {given}, expected also {symbol.name}")
        return Integer(self.sizes[symbol])

    def _read(self, tensor: str, places: Sequence[Expr]) -> Expr:
        """The entry at these index values, 0 outside; a label as index picks among all."""
        axes = [index.axis for index in self.network.by_name[tensor].indices]
        starts = [axis.start for axis in axes]
        if _whole(*places):
            position = tuple(int(p) - start for p, start in zip(places, starts, strict=True))
            return self._table[tensor].get(position, S.Zero)
        return Add(
            *(
                Mul(
                    symbol,
                    *(
                        _one_if(place == start + at)
                        if _whole(place)
                        else KroneckerDelta(start + at, place)
                        for place, start, at in zip(places, starts, position, strict=True)
                    ),
                )
                for position, symbol in self._table[tensor].items()
            )
        )

    # --- composition and differentiation -------------------------------------------------------

    def _reads(self, symbol: Symbol) -> list[Symbol]:
        return symbols_of([self.right(symbol)])

    def order(
        self, targets: Iterable[Symbol], kept: frozenset[Symbol] = frozenset()
    ) -> list[Symbol]:
        """The computed entries that the targets rest on, short of `kept`, in order."""
        graph: dict[Symbol, list[Symbol]] = {}
        waiting = list(targets)
        while waiting:
            symbol = waiting.pop()
            if symbol in self._computed and symbol not in kept and symbol not in graph:
                graph[symbol] = self._reads(symbol)
                waiting.extend(graph[symbol])
        try:
            order = list(TopologicalSorter(graph).static_order())
        except CycleError as cycle:
            names = ", ".join(symbol.name for symbol in cycle.args[1])
            raise ShapeError(f"entries depend on each other in a circle: {names}") from None
        return [symbol for symbol in order if symbol in graph]

    def compose(
        self, targets: Sequence[Symbol], kept: frozenset[Symbol] = frozenset()
    ) -> list[Expr]:
        """The entries written out, down to leaves and `kept`."""
        built: dict[Symbol, Expr] = {}
        for symbol in self.order(targets, kept):
            built[symbol] = self.right(symbol).xreplace(
                {read: built[read] for read in self._reads(symbol) if read in built}
            )
        return [built.get(target, target) for target in targets]

    def block(
        self,
        rows: Sequence[Symbol],
        columns: Sequence[Symbol],
        kept: frozenset[Symbol] = frozenset(),
        direct: bool | None = None,
    ) -> Matrix:
        """d rows / d columns, the columns being entries of one tensor; see `jacobian`."""
        if self.is_recurrent(columns):
            return Matrix.hstack(*(self._block(rows, [one], kept, direct) for one in columns))
        return self._block(rows, columns, kept, direct)

    def is_recurrent(self, columns: Sequence[Symbol]) -> bool:
        """Whether some of these entries may rest on others of them."""
        name = self._owner[columns[0]]
        return name in self.rests_on(name)

    def _block(
        self,
        rows: Sequence[Symbol],
        columns: Sequence[Symbol],
        kept: frozenset[Symbol],
        direct: bool | None,
    ) -> Matrix:
        kept = kept | frozenset(columns)
        if direct is None:
            direct = self.composed_size(rows, kept) * len(columns) <= DIRECT
        if direct:
            return Matrix(self.compose(rows, kept)).jacobian(Matrix(list(columns)))
        pulled = [self.pullback(row, kept) for row in rows]
        return Matrix([[slopes.get(column, S.Zero) for column in columns] for slopes in pulled])

    def composed_size(self, targets: Sequence[Symbol], kept: frozenset[Symbol]) -> int:
        """Nodes of the composed entries written out, found without composing them."""
        sizes: dict[Expr, int] = {}
        for symbol in self.order(targets, kept):
            sizes[symbol] = _tree_size(self.right(symbol), sizes)
        return sum(sizes.get(target, 1) for target in targets)

    def pullback(self, of: Symbol, kept: frozenset[Symbol] = frozenset()) -> dict[Symbol, Expr]:
        """d of / d symbol for every symbol that `of` rests on, no path going through `kept`: each
        equation is differentiated once, by SymPy."""
        found: dict[Symbol, Expr] = {of: S.One}
        steps: dict[Symbol, list[tuple[Symbol, Expr]]] = {}
        for symbol in reversed(self.order([of], kept)):
            if symbol != of:
                found[symbol] = self._total(symbol, steps.pop(symbol), found)
            for read, slope in self._slopes(symbol).items():
                steps.setdefault(read, []).append((symbol, slope))
        return found | {end: self._total(end, parts, found) for end, parts in steps.items()}

    def _total(self, symbol: Symbol, steps: Steps, found: Mapping[Symbol, Expr]) -> Expr:
        """The sum over the entries that read the symbol."""
        return Add(*(found[reader] * slope for reader, slope in steps))

    def _slopes(self, symbol: Symbol) -> dict[Symbol, Expr]:
        """The derivative of the entry's right-hand side by each symbol that it reads."""
        if symbol not in self._known_slopes:
            slopes: dict[Symbol, list[Expr]] = {}
            for addend in Add.make_args(self.right(symbol)):
                for read in symbols_of([addend]):
                    slopes.setdefault(read, []).append(self._slope(addend, read))
            self._known_slopes[symbol] = {read: Add(*parts) for read, parts in slopes.items()}
        return self._known_slopes[symbol]

    def _slope(self, addend: Expr, read: Symbol) -> Expr:
        return addend.diff(read).xreplace(self._auxiliary)

    @cached_property
    def _known_slopes(self) -> dict[Symbol, dict[Symbol, Expr]]:
        return {}

    @cached_property
    def _auxiliary(self) -> dict[Symbol, Expr]:
        """Entries of auxiliary tensors in symbols of all others."""
        names = [tensor.name for tensor in self.network.of_kind("auxiliary")]
        hidden = [symbol for name in names for symbol in self._table[name].values()]
        kept = frozenset(self._owner) - frozenset(hidden)
        return dict(zip(hidden, self.compose(hidden, kept), strict=True))

    def differentiable(self, name: str) -> str:
        """The tensor's own name. Raises: UsageError for labels that are whole numbers."""
        resolved = self._known(name)
        if class_index(self.network.by_name[resolved]) is not None:
            raise UsageError(f"{name}: found whole-number labels, expected a real tensor")
        return resolved

    def _check_kept(self, kept: frozenset[Symbol], source: str) -> None:
        for name in sorted({self._owner[symbol] for symbol in kept}):
            if source in self.rests_on(name):
                raise UsageError(
                    f"keep: found {name}, which depends on {source}; kept, it would cut a path"
                )

    def rests_on(self, name: str) -> frozenset[str]:
        """Names of the tensors that this one reads, directly or not; itself in a recurrence."""
        found: set[str] = set()
        waiting = [name]
        while waiting:
            for read in self._read_names[waiting.pop()] - found:
                found.add(read)
                waiting.append(read)
        return frozenset(found)

    @cached_property
    def _read_names(self) -> dict[str, frozenset[str]]:
        return {
            name: frozenset(
                self._owner[read]
                for symbol in entries.values()
                if symbol in self._computed
                for read in self._reads(symbol)
            )
            for name, entries in self._table.items()
        }

    # --- points --------------------------------------------------------------------------------

    def _drawn(self, tensor: Tensor, source: random.Random) -> dict[Symbol, Rational]:
        symbols = self._table[tensor.name]
        classes = class_index(tensor)
        if classes is not None:
            count = self._extent(classes, {})
            start = classes.axis.start
            return {s: Integer(start + source.randrange(count)) for s in symbols.values()}
        sums = [fact.axis for fact in tensor.facts if isinstance(fact, SumsToOne)]
        positive = bool(sums) or tensor.kind == "label"
        drawn = {position: fraction(source, positive) for position in symbols}
        for axis in sums:
            drawn = normalised(drawn, axis)
        return {symbols[position]: value for position, value in drawn.items()}

    def _evaluator(self, values: Values, digits: int) -> Evaluator:
        leaves = [symbol for symbol in self._owner if symbol not in self._computed]
        missing = [symbol.name for symbol in leaves if symbol not in values]
        if missing:
            raise UsageError(f"values: found none for {missing[0]}, expected one for every leaf")
        return Evaluator({symbol: values[symbol] for symbol in leaves}, digits)

    def _fill(self, evaluator: Evaluator, symbols: Iterable[Symbol]) -> None:
        for symbol in self.order(symbols, frozenset()):
            evaluator.known[symbol] = evaluator.value(self.right(symbol))

    def _array(self, name: str, number: Callable[[Expr], Float]) -> npt.NDArray[Any]:
        array = np.empty(self._shapes[name], dtype=object)
        for position, symbol in self._table[name].items():
            array[position] = number(symbol)
        return array


# --------------------------------------------------------------------------------------------
# Single entries and conditions
# --------------------------------------------------------------------------------------------


def class_index(tensor: Tensor) -> Index | None:
    """An index over the classes that whole-number labels pick from; None for other tensors."""
    axes = [fact.axis for fact in tensor.facts if isinstance(fact, CountsClasses)]
    return Index("class", axes[0]) if axes else None


def _whole(*parts: Expr) -> bool:
    return all(part.is_Integer for part in parts)


def _one_if(holds: bool) -> Expr:
    return S.One if holds else S.Zero


def _between(argument: Expr, start: Expr, extent: Expr) -> Expr:
    if _whole(argument, start, extent):
        return _one_if(bool(start <= argument < start + extent))
    inside = And(argument >= start, argument < start + extent)
    return Piecewise((S.One, inside), (S.Zero, True))


def symbols_of(expressions: Iterable[Expr]) -> list[Symbol]:
    """All symbols of these, by name."""
    found: set[Symbol] = set().union(*(part.free_symbols for part in expressions))
    return sorted(found, key=lambda symbol: symbol.name)


def _tree_size(whole: Expr, known: Mapping[Expr, int]) -> int:
    """Nodes of the expression, where `known` parts have the size that stands there.

    A Piecewise counts `NESTED` times: SymPy unfolds one that stands in another's condition.
    """
    sizes = {node: known.get(node, 1) for node in whole.free_symbols}

    def size(node: Expr) -> int:
        if node not in sizes:
            inside = sum(map(size, node.args))
            sizes[node] = 1 + (NESTED * inside if isinstance(node, Piecewise) else inside)
        return sizes[node]

    return size(whole)


def _leaves(nested: Any) -> Iterator[Expr]:
    if isinstance(nested, list):
        yield from itertools.chain.from_iterable(map(_leaves, nested))
    else:
        yield nested


def _nested(nested: Any, change: Callable[[Expr], Float]) -> Any:
    if isinstance(nested, list):
        return [_nested(part, change) for part in nested]
    return change(nested)
