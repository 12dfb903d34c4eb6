"""Explicit derivatives in the letters of the network: h(1 - h) where SymPy writes exponentials.

Owns: how the derivative of a single entry is written (`yhat_1_3` for a quotient of exponentials),
what cancels between two of them, and where labels that add up to 1 are used.
Refuses: rules of differentiation; every derivative is SymPy's own of one explicit right-hand side,
and the sum over paths is that of `concrete`.
Would be wrong if: a letter were put where its tensor has another value. Each is solved for from
the equation of its entry, and a test compares with SymPy's derivative of the whole.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from sympy import (
    Add,
    Dummy,
    Eq,
    Expr,
    KroneckerDelta,
    Pow,
    S,
    Symbol,
    cancel,
    exp,
    expand_mul,
    fraction,
    gcd_terms,
    together,
)

from symbackprop.calculus.entry import Position, without
from symbackprop.networks.network import SumsToOne, Tensor
from symbackprop.witnesses.concrete import Explicit, Steps, class_index


@dataclass(frozen=True)
class LabelSum:
    """The labels of one sample; `is_one`: they are known to add up to 1."""

    labels: tuple[Expr, ...]
    is_one: bool

    @property
    def fact(self) -> Eq:
        return Eq(Add(*self.labels), S.One)


@dataclass(frozen=True, eq=False)
class Named(Explicit):
    """The network with derivatives in symbols of its tensors, auxiliary ones left out.

    `uses_facts`: a sum of labels that is known to be 1 is written as 1.
    """

    uses_facts: bool = True

    def gradient_by(self, columns: Sequence[Symbol]) -> list[Expr]:
        """d loss / d entry, for each of these entries."""
        return [self._shown(self._adjoints.get(column, S.Zero)) for column in columns]

    def rows_by(self, rows: Sequence[Symbol], columns: Sequence[Symbol]) -> list[Expr]:
        """d rows / d columns, row after row; the columns are entries of one tensor."""
        return [self._shown(slope) for slope in self.block(rows, columns, direct=False)]

    def products_between(self, rows: Sequence[Symbol], columns: Sequence[Symbol]) -> int:
        """How many single derivatives `rows_by` multiplies."""
        turns = len(columns) if self.is_recurrent(columns) else 1
        passed = (one for row in rows for one in self.order([row], frozenset(columns)))
        return turns * sum(len(self._reads(one)) for one in passed)

    def facts_behind(self, tensor: str) -> tuple[Eq, ...]:
        """The facts about labels that the loss's derivatives by this tensor use."""
        adjoints = self._adjoints  # which note in `_used` what they use
        used = [total for name, total in self._used if tensor in {name} | self.rests_on(name)]
        known = [total for total in dict.fromkeys(used) if total.is_one and self.uses_facts]
        return tuple(total.fact for total in known) if adjoints else ()

    @cached_property
    def label_sums(self) -> tuple[LabelSum, ...]:
        """The labels of each sample."""
        labels = self.network.of_kind("label")
        return tuple(total for tensor in labels for total in self._sums_of(tensor))

    def _sums_of(self, tensor: Tensor) -> Iterator[LabelSum]:
        symbols, classes = self.symbols(tensor.name), class_index(tensor)
        if classes is not None:
            places = range(classes.axis.start, classes.axis.start + self._extent(classes, {}))
            for symbol in symbols.values():
                yield LabelSum(tuple(KroneckerDelta(place, symbol) for place in places), True)
            return
        axes = [fact.axis for fact in tensor.facts if isinstance(fact, SumsToOne)]
        for axis in axes or [-1]:
            lines: dict[Position, list[Symbol]] = {}
            for position, symbol in symbols.items():
                lines.setdefault(without(position, axis), []).append(symbol)
            for line in lines.values():
                yield LabelSum(tuple(line), bool(axes))

    # --- one derivative ------------------------------------------------------------------------

    def _slope(self, addend: Expr, read: Symbol) -> Expr:
        slope = addend.diff(read)
        named = slope.xreplace(self._letters)
        return slope if named == slope else gcd_terms(cancel(named))

    @cached_property
    def _letters(self) -> dict[Expr, Expr]:
        """Right-hand sides, and exponentials in them, in symbols of the entries that they make."""
        letters: dict[Expr, Expr] = {}
        for symbol in self._computed:
            right = self.right(symbol)
            if right.args:  # a copy of an entry, or 0, keeps its own name
                letters.setdefault(right, symbol)
            for kernel, letter in _solved(right, symbol):
                letters.setdefault(kernel, letter)
        return letters

    # --- what they add up to -------------------------------------------------------------------

    @cached_property
    def _adjoints(self) -> Mapping[Symbol, Expr]:
        (loss,) = self.symbols(self.network.loss).values()
        return self.pullback(loss)

    @cached_property
    def _used(self) -> list[tuple[str, LabelSum]]:
        """Where a sum of labels came up: under which tensor, and which."""
        return []

    def _total(self, symbol: Symbol, steps: Steps, found: Mapping[Symbol, Expr]) -> Expr:
        readers = frozenset(reader for reader, _ in steps)
        total = super()._total(symbol, steps, found)
        if not _divides(total, readers):
            return total
        cancelled = _multiplied_out(steps, found, readers, self._labels)
        if _divides(cancelled, readers):
            return total
        for labels in self.label_sums:
            if cancelled.has(labels.labels[0]):
                cancelled = self._grouped(symbol, cancelled, labels)
        return cancelled

    def _grouped(self, symbol: Symbol, whole: Expr, sum_of: LabelSum) -> Expr:
        """q (y_1 + ... + y_K) + rest, with the largest q that is in the factor of each label."""
        first, *others = (Add.make_args(whole.coeff(label)) for label in sum_of.labels)
        shared = [part for part in first if part != 0 and all(part in each for each in others)]
        if not shared:
            return whole
        self._used.append((self._owner[symbol], sum_of))
        known = sum_of.is_one and self.uses_facts
        rest = Add(whole, *(-part * label for part in shared for label in sum_of.labels))
        return rest + Add(*shared) * (S.One if known else Add(*sum_of.labels))

    @cached_property
    def _labels(self) -> frozenset[Symbol]:
        labels = self.network.of_kind("label")
        return frozenset(symbol for t in labels for symbol in self.symbols(t.name).values())

    def _shown(self, slope: Expr) -> Expr:
        return slope.xreplace(self._auxiliary)


def _solved(right: Expr, symbol: Symbol) -> Iterator[tuple[Expr, Expr]]:
    """The one exponential in symbol = right, solved for where the equation is linear in it."""
    kernels = right.atoms(exp)
    if len(kernels) == 1:
        (kernel,) = kernels
        unknown = Dummy()
        equation = fraction(together(right.xreplace({kernel: unknown}) - symbol))[0]
        linear = equation.as_poly(unknown)
        if linear is not None and linear.degree() == 1:
            slope, constant = linear.all_coeffs()
            yield kernel, -constant / slope


def _divides(total: Expr, readers: frozenset[Symbol]) -> bool:
    """Whether it divides by entries through which it came, as the derivative of a logarithm."""
    powers = (power for power in total.atoms(Pow) if power.exp.is_negative)
    met = ((power.base, power.base.free_symbols & readers) for power in powers)
    return any(symbols and base.is_polynomial(*symbols) for base, symbols in met)


def _multiplied_out(
    steps: Steps,
    found: Mapping[Symbol, Expr],
    readers: frozenset[Symbol],
    labels: frozenset[Symbol],
) -> Expr:
    """The sum over paths, term by term so that SymPy cancels; what is not made of readers and
    labels stays closed."""
    closed: dict[Expr, Dummy] = {}

    def opened(part: Expr) -> Expr:
        if not part.args or part.free_symbols <= readers | labels:
            return part
        if not part.free_symbols & readers:
            return closed.setdefault(part, Dummy(real=True))
        return part.func(*map(opened, part.args))

    products = (
        opened(term) * opened(slope)
        for reader, slope in steps
        for term in Add.make_args(found[reader])
    )
    whole = expand_mul(Add(*products))
    return whole.xreplace({dummy: part for part, dummy in closed.items()})
