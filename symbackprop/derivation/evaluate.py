"""The interpreter: the value of an index expression at numbers. It knows no rules.

Owns: points (values for every tensor and size), evaluation in floating point, complex numbers
and exact fractions, and derivatives by complex step.
Refuses: simplification of any kind, so that it can be a witness for those who simplify.

In exact arithmetic a transcendental function is uninterpreted: `sigmoid(3/7)` is some fraction
that depends on the name and the argument alone. What holds for such functions holds for the real
ones; the identities a function declares (sigma' = h(1 - h)) hold there by construction.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import lru_cache
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from sympy import Expr, Piecewise, Symbol

from symbackprop.calculus.scalars import (
    ELEMENTARY,
    FUNCTIONS,
    Condition,
    H,
    ScalarFunction,
    Z,
    fold,
)
from symbackprop.calculus.terms import (
    Applied,
    Delta,
    Element,
    Expression,
    Guard,
    Index,
    Partial,
    Term,
    indices_in,
)
from symbackprop.networks.network import CountsClasses, Equation, Network, SumsToOne, Tensor

Array = npt.NDArray[Any]
Arithmetic = Literal["float", "exact"]
STEP = 1e-30


@dataclass(frozen=True)
class Point:
    """Numbers for every tensor and size. `sizes` maps the symbols of extents to whole numbers."""

    network: Network
    values: Mapping[str, Array]
    sizes: Mapping[Symbol, int]
    arithmetic: Arithmetic = "float"

    def with_values(self, values: Mapping[str, Array]) -> Point:
        return replace(self, values={**self.values, **values})


# --------------------------------------------------------------------------------------------
# Expressions
# --------------------------------------------------------------------------------------------


def evaluate(whole: Expression, indices: Sequence[Index], point: Point) -> Array:
    """The array of values over `indices`, in that order.

    Shapes: one axis for each index, of its extent at the point. Reads outside a tensor are 0.
    """
    grids = _Grids(indices, point)
    total = grids.zeros()
    for term in whole.terms:
        total = total + _term(term, indices, point)
    return np.asarray(total * grids.mask())


def _term(term: Term, indices: Sequence[Index], point: Point) -> Array:
    grids = _Grids((*indices, *term.bound), point)
    result = grids.value(term.coefficient) * grids.mask()
    for factor in term.factors:
        result = result * grids.value(factor)
    result = np.broadcast_to(result, np.broadcast_shapes(np.shape(result), grids.shape))
    summed = tuple(range(-len(term.bound), 0))
    return np.asarray(result.sum(axis=summed)) if summed else np.asarray(result)


class _Grids:
    """Index values laid out along one array axis each, so that NumPy broadcasts the rest."""

    def __init__(self, indices: Sequence[Index], point: Point) -> None:
        self.point = point
        self.indices = tuple(indices)
        self.place = {index.name: position for position, index in enumerate(indices)}
        self.grid: dict[str, Array] = {}
        lengths = []
        for position, index in enumerate(indices):
            length = self._longest(index)
            lengths.append(length)
            shape = [1] * len(self.indices)
            shape[position] = length
            self.grid[index.name] = (np.arange(length) + index.axis.start).reshape(shape)
        self.shape = tuple(lengths)

    def _longest(self, index: Index) -> int:
        extent = index.axis.extent
        if not indices_in(extent) and not extent.has(Element):
            return int(np.max(np.asarray(self.value(extent)).astype(int)))
        return max(int(v) for e in extent.atoms(Element) for v in self.point.values[e.tensor].flat)

    def mask(self) -> Array:
        """1 inside every axis; only a ragged axis (`n[l]`) has an outside."""
        result = np.ones((1,) * len(self.indices), dtype=int)
        for index in self.indices:
            extent = index.axis.extent
            if extent.has(Element):
                inside = self.grid[index.name] < index.axis.start + self.value(extent)
                result = result * inside.astype(int)
        return result

    def zeros(self) -> Array:
        if self.point.arithmetic == "exact":
            return np.full(self.shape, Fraction(0), dtype=object)
        return np.zeros(self.shape)

    def value(self, node: Expr) -> Any:
        match node:
            case Index():
                return self.grid[node.name]
            case Element():
                return self._gather(self.point.values[node.tensor], node.tensor, node.indices)
            case Delta():
                left, right = (self.value(side) for side in node.args)
                return np.equal(left, right).astype(int)
            case Guard():
                argument, start, extent = (self.value(part) for part in node.args)
                return np.logical_and(argument >= start, argument < start + extent).astype(int)
            case Applied():
                function = self.point.network.functions[node.function]
                return apply(function, node.order, self.value(node.argument), self.point)
            case Partial():
                return self._partial(node)
        return _scalar(node, self.value, self.point)

    def _gather(self, array: Array, tensor: str, written: Sequence[Expr]) -> Array:
        axes = self.point.network.tensor(tensor).axes
        return self._read(array, [axis.start for axis in axes], written)

    def _read(self, array: Array, starts: Sequence[int], written: Sequence[Expr]) -> Array:
        """Entries at the written places, 0 outside. An array with one axis more than its tensor
        holds many versions of it, first axis first; so does the result."""
        versions = array.ndim - len(written)
        if not written:
            return np.asarray(array).reshape(array.shape + (1,) * (versions and len(self.indices)))
        places = [
            np.asarray(self.value(expr)) - start
            for start, expr in zip(starts, written, strict=True)
        ]
        inside = np.ones((), dtype=bool)
        clipped = []
        for place, length in zip(places, array.shape[versions:], strict=True):
            place = place.astype(int)
            inside = np.logical_and(inside, np.logical_and(place >= 0, place < length))
            clipped.append(np.clip(place, 0, length - 1))
        chosen = (*(slice(None),) * versions, *clipped)
        return np.asarray(array[chosen] * inside.astype(int))

    def _partial(self, node: Partial) -> Array:
        numerator, denominator = node.args[0], node.args[1]
        table = jacobian(self.point, numerator.tensor, denominator.tensor, node.total)
        network = self.point.network
        starts = [
            axis.start
            for name in (numerator.tensor, denominator.tensor)
            for axis in network.tensor(name).axes
        ]
        return self._read(table, starts, (*numerator.indices, *denominator.indices))


def _scalar(node: Expr, value: Any, point: Point) -> Any:
    """Arithmetic nodes of SymPy, by recursion."""
    if isinstance(node, Symbol):
        size = point.sizes[node]
        return Fraction(size) if point.arithmetic == "exact" else size
    if node.is_Rational:
        exact = Fraction(int(node.p), int(node.q))
        return exact if point.arithmetic == "exact" else float(exact)
    if node.is_Number:
        return float(node)
    parts = [value(argument) for argument in node.args]
    if node.is_Add:
        return sum(parts[1:], parts[0])
    if node.is_Mul:
        return math.prod(parts[1:], start=parts[0])
    if node.is_Pow and node.exp.is_Integer:
        return _power(parts[0], int(node.exp))
    raise NotImplementedError(f"the interpreter does not know {type(node).__name__}")


def _power(base: Any, exponent: int) -> Any:
    if exponent >= 0:
        return base**exponent
    return 1 / (np.asarray(base) ** -exponent if isinstance(base, np.ndarray) else base**-exponent)


# --------------------------------------------------------------------------------------------
# Scalar functions
# --------------------------------------------------------------------------------------------


def apply(function: ScalarFunction, order: int, argument: Any, point: Point) -> Any:
    """The function, or its derivative of this order, entry by entry."""
    if point.arithmetic == "float":
        return explicit_value(_written(function, order), np.asarray(argument))
    return np.vectorize(lambda entry: _exact_value(function, order, entry, point), otypes=[object])(
        argument
    )


@lru_cache(maxsize=256)
def _written(function: ScalarFunction, order: int) -> Expr:
    return function.value(Z, order)


def _exact_value(function: ScalarFunction, order: int, entry: Fraction, point: Point) -> Fraction:
    if function.definition.expr.has(Piecewise):
        return fold(_written(function, order), _Exact({Z: entry}))
    if order == 1 and function.through is not None:
        output = uninterpreted(function.name, entry)
        return fold(function.through.expr, _Exact({Z: entry, H: output}))
    return uninterpreted(f"{function.name}{chr(39) * order}", entry)


def uninterpreted(name: str, argument: Fraction) -> Fraction:
    """A fraction that depends on the name and the argument alone; never 0 or 1."""
    source = random.Random(f"{name}({argument})")
    return Fraction(source.randint(101, 997), source.randint(1009, 1999))


def explicit_value(node: Expr, z: Any) -> Any:
    """A definition in SymPy's own functions at a float or complex array."""
    return fold(node, Numbers({Z: z}))


@dataclass(frozen=True)
class Numbers:
    """Definitions at arrays of NumPy, or of a `module` that has the same functions.

    The real part decides between cases, so that a complex step does not change them.
    """

    known: Mapping[Symbol, Any]
    module: Any = np

    def variable(self, symbol: Symbol) -> Any:
        return self.known[symbol]

    def total(self, parts: Sequence[tuple[bool, Any]]) -> Any:
        return sum(-part if negative else part for negative, part in parts)

    def product(self, coefficient: Fraction, above: Sequence[Any], below: Sequence[Any]) -> Any:
        over = math.prod(above, start=self.number(coefficient))
        return over / math.prod(below) if below else over

    def power(self, base: Any, exponent: Fraction) -> Any:
        return base ** (int(exponent) if exponent.denominator == 1 else float(exponent))

    def call(self, function: str, order: int, argument: Any) -> Any:
        if function in ELEMENTARY and order == 0:
            return getattr(self.module, function)(argument)
        return fold(FUNCTIONS[function].value(Z, order), replace(self, known={Z: argument}))

    def cases(self, rows: Sequence[tuple[Condition, Any]], otherwise: Any) -> Any:
        found = otherwise
        for condition, value in reversed(rows):
            argument = self.module.real(self.known[condition.variable])
            holds = condition.compare(argument, float(condition.bound))
            found = self.module.where(holds, value, found)
        return found

    def number(self, value: Fraction) -> Any:
        return float(value)


class _Exact(Numbers):
    """Definitions at fractions, where exp, log and the like are uninterpreted."""

    def power(self, base: Fraction, exponent: Fraction) -> Fraction:
        if exponent.denominator != 1:
            raise NotImplementedError("a root is no fraction")
        return Fraction(base**exponent)

    def call(self, function: str, order: int, argument: Fraction) -> Fraction:
        return uninterpreted(f"{function}{chr(39) * order}", argument)

    def cases(self, rows: Sequence[tuple[Condition, Fraction]], otherwise: Fraction) -> Fraction:
        for condition, value in rows:
            if condition.compare(self.known[condition.variable], condition.bound):
                return value
        return otherwise

    def number(self, value: Fraction) -> Fraction:
        return value


# --------------------------------------------------------------------------------------------
# Networks
# --------------------------------------------------------------------------------------------


def forward(point: Point, held: Collection[str] = ()) -> Point:
    """The point with every equation evaluated, in network order; `held` tensors keep their values.

    A network with a recurrence (an equation that reads itself through a shifted index) is swept
    until every position has been reached.
    """
    for equation in point.network.equations:
        if equation.target not in point.values:
            point = point.with_values({equation.target: _blank(equation, point)})
    for _ in range(_rounds(point)):
        for equation in point.network.equations:
            if equation.target not in held:
                point = point.with_values({equation.target: _assigned(equation, point)})
    return point


def _rounds(point: Point) -> int:
    """How often the equations must be swept: once, or past the longest recurrence."""
    steps = [
        _Grids((index,), point).shape[0]
        for equation in point.network.equations
        for index in equation.indices
        if index.axis.role in ("layer", "time")
    ]
    return 1 + max(steps, default=0)


def _blank(equation: Equation, point: Point) -> Array:
    return _Grids(equation.indices, point).zeros()


def _assigned(equation: Equation, point: Point) -> Array:
    return evaluate(equation.rhs, equation.indices, point)


def jacobian(point: Point, of: str, wrt: str, total: bool) -> Array:
    """d of / d wrt by complex step; `total` follows every path, else only of's own equation.

    Shapes: axes of `of`, then axes of `wrt`. Source: Squire and Trapp 1998, SIAM Review 40(1).
    """
    base = np.asarray(point.values[wrt], dtype=complex)
    target = np.asarray(point.values[of])
    steps = 1j * STEP * np.eye(base.size).reshape(base.size, *base.shape)
    value = _moved(point, of, wrt, base + steps, total)
    slopes = np.broadcast_to(np.imag(value) / STEP, (base.size, *target.shape))
    return np.moveaxis(slopes, 0, -1).reshape(target.shape + base.shape)


def _moved(point: Point, of: str, wrt: str, moved: Array, total: bool) -> Array:
    """`of` when something is added to `wrt`, for many versions at once; in a recurrence the later
    entries of `wrt` follow."""
    if not total:
        if of == wrt:
            return moved
        return _assigned(point.network.equation_of[of], point.with_values({wrt: moved}))
    if point.network.is_recurrent:
        return _moved_in_circles(point, of, wrt, moved)
    values, changed = dict(point.values), {wrt}
    values[wrt] = moved
    for equation in point.network.equations:
        if of in changed:
            break
        if equation.reads & changed:
            values[equation.target] = _assigned(equation, replace(point, values=values))
            changed.add(equation.target)
    return values[of]


def _moved_in_circles(point: Point, of: str, wrt: str, moved: Array) -> Array:
    added = moved - point.values[wrt]
    current = point.with_values({wrt: moved})
    for _ in range(_rounds(point)):
        for equation in point.network.equations:
            value = _assigned(equation, current)
            value = value + added if equation.target == wrt else value
            current = current.with_values({equation.target: value})
    return current.values[of]


def generic_sizes(network: Network) -> dict[Symbol, int]:
    """Pairwise different small sizes for the symbols of the network's extents.

    Beyond eight symbols sizes repeat, but never among eight neighbours.
    """
    symbols: list[Symbol] = []
    for tensor in network.tensors:
        for extent in tensor.shape:
            for symbol in sorted(extent.free_symbols, key=lambda s: s.name):
                if not isinstance(symbol, Index) and symbol not in symbols:
                    symbols.append(symbol)
    order = (3, 2, 5, 4, 7, 6, 9, 8)
    return {symbol: order[place % len(order)] for place, symbol in enumerate(symbols)}


def random_point(
    network: Network,
    seed: int,
    sizes: Mapping[Symbol, int] | None = None,
    arithmetic: Arithmetic = "float",
) -> Point:
    """Random values for whatever is given (labels obey their facts), and the forward pass."""
    source = random.Random(seed)

    def entry(positive: bool) -> Fraction:
        size = Fraction(source.randint(11, 97), 64)
        return size if positive or source.random() < 0.5 else -size

    return forward(given(network, source, entry, sizes, arithmetic))


def given(
    network: Network,
    source: random.Random,
    entry: Callable[[bool], Fraction | float],
    sizes: Mapping[Symbol, int] | None = None,
    arithmetic: Arithmetic = "float",
) -> Point:
    """Values for what a network is given and none for what it computes; `entry` draws one number,
    a positive one where that is asked for. Labels obey their facts."""
    sizes = generic_sizes(network) if sizes is None else sizes
    point = Point(network, {}, sizes, arithmetic)
    for tensor in network.of_kind("input", "parameter", "label"):
        point = point.with_values({tensor.name: _given(tensor, point, source, entry)})
    return point


def _given(
    tensor: Tensor,
    point: Point,
    source: random.Random,
    entry: Callable[[bool], Fraction | float],
) -> Array:
    shape = _Grids(tensor.indices, point).shape
    classes = [fact.axis for fact in tensor.facts if isinstance(fact, CountsClasses)]
    if classes:
        count = _Grids((Index("c", classes[0]),), point).shape[0]
        picks = [classes[0].start + source.randrange(count) for _ in range(math.prod(shape))]
        return np.array(picks).reshape(shape)
    entries = np.empty(math.prod(shape), dtype=object)
    entries[:] = [entry(tensor.kind == "label") for _ in entries]
    array = entries.reshape(shape)
    if any(isinstance(fact, SumsToOne) for fact in tensor.facts):
        array = array / array.sum(axis=-1, keepdims=True)
    array = array * _Grids(tensor.indices, point).mask()
    return array if point.arithmetic == "exact" else np.asarray(array, dtype=float)
