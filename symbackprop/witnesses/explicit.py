"""SymPy's own objects: a network with whole numbers as sizes, as matrices of SymPy expressions.

Owns: what `explicit` returns, and the estimate of what SymPy can do in time. Refuses: sizes at
which SymPy would take more than a minute; it counts before anything is built.
Would be wrong if: it took a derivative from the derivation that it is a witness for. No module of
that is imported; SymPy differentiates the right-hand side of every entry.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from graphlib import TopologicalSorter
from itertools import islice
from numbers import Integral
from typing import Any, TypeAlias

import mpmath
import numpy as np
from sympy import (
    Eq,
    Expr,
    ImmutableDenseNDimArray,
    Matrix,
    Symbol,
    cse,
    lambdify,
    numbered_symbols,
)

from symbackprop.calculus.entry import without
from symbackprop.calculus.terms import Index
from symbackprop.errors import UsageError, did_you_mean
from symbackprop.networks.arrays import Array, ArrayReader, Arrays
from symbackprop.networks.network import Network, Tensor
from symbackprop.witnesses.concrete import symbols_of
from symbackprop.witnesses.effort import PRODUCTS, WRITTEN, refuse_large, too_large
from symbackprop.witnesses.letterforms import Error, Form, LetterMatrix, errors_like
from symbackprop.witnesses.named import Named

Gradients: TypeAlias = Callable[..., dict[str, Array]]
Entries: TypeAlias = LetterMatrix | ImmutableDenseNDimArray

MODULES = ("numpy", "math", "mpmath")


@dataclass(frozen=True, eq=False)
class ExplicitNet:
    """A network entry by entry, differentiated by SymPy alone; `explicit` makes one.

    Every tensor is a matrix of symbols, samples as rows: `W3_2_1` stands in row 2, column 1 of
    `e["W3"]`. A derivative is written in these symbols, those of computed tensors too (`h2_1_3`,
    `yhat_1_2`): SymPy differentiates each equation, and the products are added along all paths.
    With `written_out=True` everything is put in first, and SymPy differentiates the whole; only
    entries of inputs, labels and parameters are left. To go on differentiating, take that: to
    SymPy a named entry is a symbol that depends on nothing.
    """

    network: Network
    sizes: Mapping[Symbol, int]
    asked: Mapping[str, int]

    @classmethod
    def of(
        cls, network: Network, known: Mapping[Symbol, int], asked: Mapping[str, int]
    ) -> ExplicitNet:
        """The network with the sizes that its file gives, and those asked for by name.

        Raises: UsageError for a size that is missing, unknown or no whole number above 0;
        UnsupportedError where SymPy would take too long.
        """
        sizes = {**known, **_chosen(network, known, asked)}
        refuse_large(network, sizes, [symbol for symbol in sizes if symbol not in known])
        return cls(network, sizes, asked)

    def __repr__(self) -> str:
        sizes = "".join(f", {name}={size}" for name, size in self.asked.items())
        return f"ExplicitNet({self.network.name!r}{sizes})"

    # --- entries -------------------------------------------------------------------------------

    def __getitem__(self, name: str) -> Entries:
        """The tensor's entries as symbols; a list of numbers is a row, a number 1 x 1.

        Raises: UsageError for an unknown name.
        """
        return self._arranged(name, list(self._named.symbols(name).values()))

    def definition(self, name: str) -> Entries:
        """The right-hand side of each entry's equation, in symbols of the tensors it reads.

        Raises: UsageError for a tensor that is given.
        """
        places = self._named.symbols(name)
        return self._arranged(name, [self._named.entry(name, place) for place in places])

    @cached_property
    def loss(self) -> Expr:
        """The loss in entries of inputs, labels and parameters.

        Raises: UnsupportedError where it is too long to be written out.
        """
        return self.written_out(self._loss)

    def written_out(self, whole: Any) -> Any:
        """The expression or matrix with the right-hand sides put in for computed entries.

        Raises: UnsupportedError where they are too long.
        """
        named = symbols_of([whole])
        self._refuse_long(named, frozenset(), 1)
        return whole.xreplace(dict(zip(named, self._named.compose(named), strict=True)))

    @property
    def facts(self) -> tuple[Eq, ...]:
        """What is known of the labels: those of a sample add up to 1. `gradient` uses it."""
        return tuple(total.fact for total in self._named.label_sums if total.is_one)

    # --- derivatives ---------------------------------------------------------------------------

    def gradient(self, name: str, *, facts: bool = True, written_out: bool = False) -> Entries:
        """d loss / d tensor, in the shape of `e[name]`.

        `facts=False` does without the facts about labels; `facts` of the result are those used.
        Raises: UsageError for an unknown name, UnsupportedError where `written_out` is too long.
        """
        columns = self._of_sample(self._named.differentiable(name), None)
        if written_out:
            return self._arranged(name, list(self._whole([self._loss], columns)))
        named = self._named if facts else self._without_facts
        found = self._arranged(name, named.gradient_by(columns))
        if isinstance(found, LetterMatrix):
            found.errors, found.facts = self._errors, named.facts_behind(name)
        return found

    def jacobian(
        self, of: str, wrt: str, *, sample: int | None = 1, written_out: bool = False
    ) -> LetterMatrix:
        """d of / d wrt in numerator layout: one row for each entry of `of`.

        Of one sample, counted from 1; `sample=None` takes the entries of all samples. Facts about
        labels are not used.
        Raises: UsageError for an unknown name or sample, UnsupportedError where it is too long.
        """
        rows = self._of_sample(of, sample)
        columns = self._of_sample(self._named.differentiable(wrt), sample)
        if written_out:
            return LetterMatrix(self._whole(rows, columns))
        products = self._named.products_between(rows, columns)
        if products > 10 * PRODUCTS:
            raise too_large(f"d{of}/d{wrt}", f"{products:,} products", "take smaller sizes")
        found = LetterMatrix(len(rows), len(columns), self._without_facts.rows_by(rows, columns))
        found.letters = self._letters(sample)
        return found

    def _whole(self, rows: Sequence[Symbol], columns: Sequence[Symbol]) -> Matrix:
        """By one derivative of what is written out down to the columns."""
        self._refuse_long(rows, frozenset(columns), len(columns))
        return self.written_out(self._named.block(rows, columns, direct=True))

    def _refuse_long(self, rows: Sequence[Symbol], kept: frozenset[Symbol], times: int) -> None:
        size = self._named.composed_size(rows, kept) * times
        if size > WRITTEN:
            way = "leave out written_out, or take smaller sizes"
            raise too_large("written out", f"{size:,} operations", way)

    # --- numbers -------------------------------------------------------------------------------

    def lambdify(self, modules: str = "numpy", wrt: str | Iterable[str] | None = None) -> Gradients:
        """f(params, x, y=None) -> {name: gradient}, by `sympy.lambdify`, common parts shared.

        `modules`: numpy, math or mpmath, whose functions compute every entry. `wrt`: names to
        differentiate by, the parameters by default. The arrays are those of `derive`'s function;
        several inputs or labels are passed as a mapping. No fact about the labels is used.
        Raises: UsageError for an unknown word; f raises ArrayError for an array that does not fit.
        """
        if modules not in MODULES:
            hint = did_you_mean(str(modules), MODULES)
            raise UsageError(
                f"modules: found {modules!r}, expected one of {', '.join(MODULES)}"
                + (f"; {hint}" if hint else "")
            )
        names = [t.name for t in self.network.of_kind("parameter")] if wrt is None else wrt
        wanted = [names] if isinstance(names, str) else list(dict.fromkeys(names))
        columns = {name: self._of_sample(self._named.differentiable(name), None) for name in wanted}
        given = self.network.of_kind("parameter", "input", "label")
        compute = lambdify(
            [symbol for tensor in given for symbol in self._of_sample(tensor.name, None)],
            self._without_facts.gradient_by([s for entries in columns.values() for s in entries]),
            modules=modules,
            cse=self._with_forward,
        )
        reader = ArrayReader(self.network, self.sizes)
        exact = modules == "mpmath"

        def gradients(params: Arrays, x: Any, y: Any = None) -> dict[str, Array]:
            arrays = reader.read(params, x, y, assumes_sums=False)
            numbers = [number for t in given for number in arrays[t.name].ravel().tolist()]
            found = iter(compute(*(map(mpmath.mpmathify, numbers) if exact else numbers)))
            flat = {name: [*islice(found, len(entries))] for name, entries in columns.items()}
            return {
                name: _as_array(values, exact).reshape(self._named.shape(name))
                for name, values in flat.items()
            }

        return gradients

    def _with_forward(self, wanted: Sequence[Expr]) -> tuple[list[tuple[Symbol, Expr]], list[Expr]]:
        """What SymPy's `cse` finds in the forward pass and what is wanted, in order."""
        needed = self._named.order(symbols_of(wanted))
        whole = [*(self._named.right(symbol) for symbol in needed), *wanted]
        shared, reduced = cse(whole, symbols=numbered_symbols("_t"), list=False)
        parts = {**dict(shared), **dict(zip(needed, reduced, strict=False))}
        reads = {symbol: symbols_of([part]) for symbol, part in parts.items()}
        order = [symbol for symbol in TopologicalSorter(reads).static_order() if symbol in parts]
        return [(symbol, parts[symbol]) for symbol in order], reduced[len(needed) :]

    # --- tables --------------------------------------------------------------------------------

    @cached_property
    def _named(self) -> Named:
        return Named(self.network, self.sizes)

    @cached_property
    def _without_facts(self) -> Named:
        return Named(self.network, self.sizes, uses_facts=False)

    @property
    def _loss(self) -> Symbol:
        (loss,) = self._named.symbols(self.network.loss).values()
        return loss

    def _of_sample(self, name: str, sample: int | None) -> list[Symbol]:
        """The entries that belong to the sample, counted from 1, or to all."""
        entries = self._named.symbols(name)
        axis = _sample_axis(self.network.tensor(name))
        if axis is None or sample is None:
            return list(entries.values())
        count = self._named.shape(name)[axis]
        if sample not in range(1, count + 1):
            raise UsageError(f"sample: found {sample!r}, expected 1 to {count}, or None for all")
        return [symbol for place, symbol in entries.items() if place[axis] == sample - 1]

    def _arranged(self, name: str, entries: Sequence[Expr]) -> Entries:
        shape = self._named.shape(name)
        if len(shape) > 2:
            return ImmutableDenseNDimArray(entries, shape)
        found = LetterMatrix(*_as_rows(shape), entries)
        found.letters = self._letters(None)
        return found

    def _letters(self, sample: int | None) -> list[Form]:
        """The tensors as matrices; of one sample their rows, `yhat_2` for the second of several."""
        found = []
        for tensor in self.network.of_kind("input", "parameter", "intermediate", "label"):
            shape, axis, name = self._named.shape(tensor.name), _sample_axis(tensor), tensor.name
            if sample is not None and axis is not None:
                name += f"_{sample}" if shape[axis] > 1 else ""
                shape = without(shape, axis)
            if len(shape) <= 2:
                entries = self._of_sample(tensor.name, sample)
                found.append(Form.of_letter(name, Matrix(*_as_rows(shape), entries)))
        return found

    @cached_property
    def _errors(self) -> list[Error]:
        """The differences of two tensors that are derivatives of the loss: `yhat - y`."""
        found = []
        for tensor in self.network.of_kind("intermediate"):
            columns = self._of_sample(tensor.name, None)
            matrix = self._arranged(tensor.name, self._named.gradient_by(columns))
            if isinstance(matrix, LetterMatrix):
                errors = errors_like(matrix, matrix.letters)
                found += [error for error in errors if error.form.matrix == matrix][:1]
        return found


def _as_array(numbers: Sequence[Any], exact: bool) -> Array:
    """Numbers of mpmath as they are; others as floats, or complex."""
    if exact:
        return np.array([*map(mpmath.mpmathify, numbers)], object)
    found = np.array(numbers)
    return found.astype(np.result_type(found, np.float64))


def _sample_axis(tensor: Tensor) -> int | None:
    roles = [axis.role for axis in tensor.axes]
    return roles.index("sample") if "sample" in roles else None


def _as_rows(shape: tuple[int, ...]) -> tuple[int, int]:
    rows, columns = (1, 1, *shape)[-2:]
    return rows, columns


def sizes_of(network: Network) -> list[Symbol]:
    """Symbols of extents, then those of the equations (a stride), in network order."""
    terms = [term for equation in network.equations for term in equation.rhs.terms]
    axes = [axis for tensor in network.tensors for axis in tensor.axes]
    axes += [index.axis for term in terms for index in term.bound]
    parts = [part for term in terms for part in (term.coefficient, *term.factors)]
    found = (s for part in (*(a.extent for a in axes), *parts) for s in symbols_of([part]))
    return [symbol for symbol in dict.fromkeys(found) if not isinstance(symbol, Index)]


def _chosen(
    network: Network, known: Mapping[Symbol, int], asked: Mapping[str, int]
) -> dict[Symbol, int]:
    """The numbers for the sizes that the file leaves open."""
    named = {symbol.name: symbol for symbol in sizes_of(network) if symbol not in known}
    for name, size in asked.items():
        if name not in named:
            expected = ", ".join(f"{other}=..." for other in named) or "no size"
            raise UsageError(f"explicit: found {name}={size!r}, expected {expected}")
        if isinstance(size, bool) or not isinstance(size, Integral) or size < 1:
            raise UsageError(f"explicit: {name}: found {size!r}, expected a whole number from 1")
    missing = [name for name in named if name not in asked]
    if missing:
        keywords = ", ".join(f"{name}=2" for name in missing)
        raise UsageError(
            f"explicit: no number for the size {missing[0]} of {network.name}; give one as a "
            f"keyword: explicit(..., {keywords})"
        )
    return {named[name]: int(size) for name, size in asked.items()}
