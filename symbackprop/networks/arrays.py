"""Arrays as a user passes them, held to a network: names, shapes, types and labels.

Owns: the reading of arrays by name, what is found once for a signature, and the looks taken at
labels every time. Refuses: derivations and code. Wrong if an array that breaks an assumption of a
formula reached the formula.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from sympy import Expr, Symbol

from symbackprop.calculus.terms import Axis
from symbackprop.errors import ArrayError, did_you_mean
from symbackprop.networks.network import CountsClasses, Kind, Network, SumsToOne, Tensor

Array: TypeAlias = npt.NDArray[Any]
Arrays: TypeAlias = Mapping[str, npt.ArrayLike]
Look: TypeAlias = Callable[[Array], Array]

_KINDS: Mapping[str, Kind] = {"params": "parameter", "x": "input", "y": "label"}


@dataclass(frozen=True)
class Looks:
    """What is left to do for arrays of one signature: parameters that are `whole` numbers become
    float64; each of `rest` is taken at one place of the inputs and labels."""

    whole: tuple[str, ...]
    rest: tuple[tuple[int, Look], ...]

    def taken(
        self, params: Mapping[str, Array], rest: Sequence[Array]
    ) -> tuple[Mapping[str, Array], list[Array]]:
        if self.whole:
            params = {**params, **{name: _as_float(params[name]) for name in self.whole}}
        looked = list(rest)
        for place, look in self.rest:
            looked[place] = look(looked[place])
        return params, looked


class ArrayReader:
    """Arrays by name, of the types and shapes of a network; `sizes` are those known beforehand.

    Raises: ArrayError naming the array, what it is, and what was expected.
    """

    def __init__(self, network: Network, sizes: Mapping[Symbol, int]) -> None:
        self.network, self.sizes = network, sizes

    def read(self, params: Any, x: Any, y: Any, assumes_sums: bool) -> dict[str, Array]:
        """All that the network is given, looked at. `assumes_sums`: the formulas use that the
        labels of a sample add up to 1."""
        given = self.named("params", params), self.rest(x, y)
        named, rest = self.looks(*given, assumes_sums).taken(*given)
        others = (*self.network.of_kind("input"), *self.network.of_kind("label"))
        return {**named, **{t.name: array for t, array in zip(others, rest, strict=True)}}

    def looks(
        self, params: Mapping[str, Array], rest: Sequence[Array], assumes_sums: bool
    ) -> Looks:
        """Types and shapes are held to the network; what is left is to be done every time."""
        return _Fitting(self.network, self.sizes, assumes_sums).looks(params, rest)

    def rest(self, x: Any, y: Any) -> list[Array]:
        """Inputs and labels in the order of the network."""
        return [*self._part("x", x), *self._part("y", y)]

    def _part(self, what: str, given: Any) -> Iterable[Array]:
        tensors = self.network.of_kind(_KINDS[what])
        if not tensors:
            return ()
        if not isinstance(given, Mapping):
            if len(tensors) > 1:
                names = ", ".join(tensor.name for tensor in tensors)
                raise ArrayError(what, "one array", f"a mapping with {names}")
            given = {} if given is None else {tensors[0].name: given}
        named = self.named(what, given)
        return [named[tensor.name] for tensor in tensors]

    def named(self, what: str, given: Any) -> dict[str, Array]:
        if not isinstance(given, Mapping):
            raise ArrayError(what, type(given).__name__, "a mapping of arrays by name")
        tensors = self.network.of_kind(_KINDS[what])
        names = [tensor.name for tensor in tensors]
        for name in given:
            if name not in names:
                hint = did_you_mean(str(name), names)
                expected = f"only {', '.join(names)} in {what}"
                raise ArrayError(str(name), f"no such {_KINDS[what]}", expected, hint)
        for tensor in tensors:
            if tensor.name not in given:
                found = f"nothing in {what}" if given or what == "params" else "nothing"
                expected = f"an array of shape {_shape(tensor, self.sizes)}"
                raise ArrayError(tensor.name, found, expected)
        return {name: _as_array(name, given[name]) for name in names}


def _as_array(name: str, given: Any) -> Array:
    try:
        return np.asarray(given)
    except ValueError:
        raise ArrayError(str(name), "rows of unequal length", "an array of numbers") from None


class _Fitting:
    """Names, types and shapes held to the network; what a symbolic size measures is learnt from the
    first array that has it."""

    def __init__(self, network: Network, sizes: Mapping[Symbol, int], assumes_sums: bool) -> None:
        self.network = network
        self.assumes_sums = assumes_sums
        self.sizes = dict(sizes)
        self.told: dict[Symbol, str] = {}

    def looks(self, params: Mapping[str, Array], rest: Sequence[Array]) -> Looks:
        others = (*self.network.of_kind("input"), *self.network.of_kind("label"))
        for tensor in self.network.of_kind("parameter"):
            self._expect(tensor, params[tensor.name])
        for tensor, array in zip(others, rest, strict=True):
            self._expect(tensor, array)
        looks: list[tuple[int, Look]] = []
        for place, (tensor, array) in enumerate(zip(others, rest, strict=True)):
            if array.dtype.kind not in "fc" and not _classes_of(tensor):
                looks.append((place, _as_float))
            if tensor.kind == "label":
                looks.append((place, self._look(tensor, array)))
        whole = tuple(name for name, array in params.items() if array.dtype.kind not in "fc")
        return Looks(whole, tuple(looks))

    def _expect(self, tensor: Tensor, array: Array) -> None:
        """Whole numbers, float and complex, also booleans for what is no parameter; of the shape
        that is known so far."""
        kinds = "fciu" if tensor.kind == "parameter" else "fciub"
        if array.dtype.kind not in kinds:
            raise ArrayError(tensor.name, f"dtype {array.dtype}", "an array of numbers")
        self._fit(tensor, array)

    def _fit(self, tensor: Tensor, array: Array) -> None:
        """Known sizes agree; a size met for the first time is what this array has."""
        if array.ndim == len(tensor.shape):
            for extent, length in zip(tensor.shape, array.shape, strict=True):
                if extent.is_Symbol and extent not in self.sizes:
                    self.sizes[extent], self.told[extent] = length, tensor.name
        expected = [_number(extent, self.sizes) for extent in tensor.shape]
        if list(array.shape) == expected and 0 not in array.shape:
            return
        found = f"shape {tuple(map(int, array.shape))}"
        hint = self._shape_hint(tensor, array, expected)
        raise ArrayError(tensor.name, found, f"shape {_shape(tensor, self.sizes)}", hint)

    def _shape_hint(self, tensor: Tensor, array: Array, expected: Sequence[Any]) -> str:
        if 0 in array.shape:
            return "there must be at least one of each"
        if array.ndim == 2 and list(array.shape[::-1]) == expected:
            return "transpose it: samples are rows, and W is (in, out)"
        if [n for n in array.shape if n != 1] == [n for n in expected if n != 1]:
            return "reshape it"
        symbols = {symbol for extent in tensor.shape for symbol in extent.free_symbols}
        return ", ".join(
            f"{symbol} = {self.sizes[symbol]} comes from {where}"
            for symbol, where in self.told.items()
            if where != tensor.name and symbol in symbols
        )

    def _look(self, tensor: Tensor, array: Array) -> Look:
        """What is done with the labels at every call."""
        for axis in _classes_of(tensor):
            if np.iscomplexobj(array):
                raise ArrayError(tensor.name, f"dtype {array.dtype}", "whole numbers")
            return _Classes(tensor.name, int(_number(axis.extent, self.sizes)))
        for fact in tensor.facts:
            if isinstance(fact, SumsToOne) and self.assumes_sums:
                return _Shares.like(tensor.name, array, fact.axis)
        return _Finite(tensor.name)


def _classes_of(tensor: Tensor) -> list[Axis]:
    """The axis in which the entries of the tensor number a place; of most tensors none."""
    return [fact.axis for fact in tensor.facts if isinstance(fact, CountsClasses)]


def _shape(tensor: Tensor, sizes: Mapping[Symbol, int]) -> str:
    extents = [str(_number(extent, sizes)) for extent in tensor.shape]
    return f"({extents[0]},)" if len(extents) == 1 else f"({', '.join(extents)})"


def _number(extent: Expr, sizes: Mapping[Symbol, int]) -> Any:
    """The extent at the sizes that are known."""
    return sizes[extent] if extent in sizes else extent.subs(sizes)


def _as_float(array: Array) -> Array:
    return array.astype(np.float64)


# --------------------------------------------------------------------------------------------
# Labels, at every call
# --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Finite:
    """Labels of which nothing else is assumed."""

    name: str

    def __call__(self, array: Array) -> Array:
        if not math.isfinite(np.vdot(array, array).real):  # or it is only large
            _expect_finite(self.name, array)
        return array


@dataclass(frozen=True)
class _Shares:
    """Labels that add up to 1 for each sample, along `axis`."""

    name: str
    axis: int
    ones: Array
    tolerance: float

    @classmethod
    def like(cls, name: str, array: Array, axis: int) -> _Shares:
        """For labels as many as in `array`, and of its type."""
        kind = array.dtype if array.dtype.kind in "fc" else np.dtype(np.float64)
        entries = array.shape[axis]
        tolerance = max(1e-6, 8 * entries * float(np.finfo(kind).eps))
        return cls(name, axis, np.ones(entries, kind), tolerance)

    def __call__(self, array: Array) -> Array:
        """Enough if the errors of all samples together are as small as that of one may be."""
        off = self._sums(array) - 1
        if not np.vdot(off, off).real <= self.tolerance**2:
            self._look_closely(array, off)
        return array

    def _sums(self, array: Array) -> Array:
        last = self.axis == array.ndim - 1
        return array.dot(self.ones) if last else array.sum(axis=self.axis)

    def _look_closely(self, array: Array, off: Array) -> None:
        _expect_finite(self.name, array)
        wrong = np.argwhere(np.abs(off) > self.tolerance)
        if not len(wrong):
            return
        total = float(np.real(np.asarray(off)[tuple(wrong[0])])) + 1
        where = f"row {int(wrong[0][0])} (from 0)" if array.ndim > 1 else "the entries"
        raise ArrayError(
            self.name,
            f"{where} adding up to {total:.8g}",
            "labels that add up to 1 for each sample",
            'the gradient uses that; labels = "any" in the network file derives one without it',
        )


@dataclass(frozen=True)
class _Classes:
    """Labels that are the number of a class."""

    name: str
    count: int

    def __call__(self, array: Array) -> Array:
        if array.min() >= 0 and array.max() < self.count:  # nan is in no range
            classes = array.astype(np.intp, copy=False)
            if array.dtype.kind != "f" or np.array_equal(classes, array):
                return classes
        _expect_finite(self.name, array)
        wrong = np.argwhere((array != np.floor(array)) | (array < 0) | (array >= self.count))
        place = tuple(map(int, wrong[0]))
        where = f" in row {place[0]} (from 0)" if place else ""
        expected = f"whole numbers from 0 to {self.count - 1}"
        raise ArrayError(self.name, f"label {float(array[place]):g}{where}", expected)


def _expect_finite(name: str, array: Array) -> None:
    bad = np.argwhere(~np.isfinite(array))
    if len(bad):
        where = f" at {tuple(map(int, bad[0]))}" if array.ndim else ""
        raise ArrayError(name, f"{array[tuple(bad[0])]}{where}", "finite labels")
