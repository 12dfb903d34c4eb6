"""The gradient function that a user calls: arrays looked at, then the emitted code run.

Owns: the reading of arrays by name, and what is checked when. Names, shapes and types are checked
once for each signature, as the next call with the same ones could find nothing else; what stands
in the labels is checked at every call.
Refuses: mathematics; the code that is run is the emitted text.
Wrong if an array that breaks an assumption of a formula reached the formula.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from sympy import Expr, Symbol

from symbackprop.codegen.numpy_backend import compile_source, emit
from symbackprop.errors import ArrayError, did_you_mean, unknown_name
from symbackprop.network import CountsClasses, Kind, SumsToOne, Tensor
from symbackprop.rules import USE_LABEL_SUMS
from symbackprop.steps import Sweep
from symbackprop.terms import Axis

Array: TypeAlias = npt.NDArray[Any]
Arrays: TypeAlias = Mapping[str, npt.ArrayLike]
Look: TypeAlias = Callable[[Array], Array]
Shape: TypeAlias = tuple[int, ...]

MOST_SIGNATURES = 64
_KINDS: Mapping[str, Kind] = {"params": "parameter", "x": "input", "y": "label"}


class Function:
    """f(params, x, y=None, wrt=None) -> (loss, {name: gradient}), arrays looked at first.

    `wrt`: names to differentiate by (the parameters by default), `x` and named tensors too. The
    code for each choice is written once. Several inputs or labels are passed as a mapping.
    Raises: ArrayError naming the array, what it is, and what was expected.
    """

    def __init__(self, name: str, swept: Sweep, sizes: Mapping[Symbol, int]) -> None:
        self.name, self.swept, self.sizes = name, swept, sizes
        self._compiled: dict[tuple[str, ...], Callable[..., Any]] = {}
        self._known: list[_Ready] = []
        inputs, labels = (len(swept.network.of_kind(kind)) for kind in ("input", "label"))
        self._are_two = inputs == 1 and labels <= 1  # x and y are arrays, not mappings

    def __repr__(self) -> str:
        return f"Function({self.name!r})"

    def __call__(
        self,
        params: Arrays,
        x: npt.ArrayLike | Arrays,
        y: npt.ArrayLike | Arrays | None = None,
        wrt: str | Iterable[str] | None = None,
    ) -> tuple[Any, dict[str, Array]]:
        if wrt is not None:
            wrt = (wrt,) if isinstance(wrt, str) else tuple(map(str, wrt))
        if self._are_two:
            rest = (x,) if y is None else (x, y)
            for ready in self._known:
                if ready.fits(params, rest, wrt):
                    return ready.run(params, rest)
        return self._read(self._named("params", params), self._rest(x, y), wrt)

    def _read(
        self, params: dict[str, Array], rest: Sequence[Array], wrt: tuple[str, ...] | None
    ) -> tuple[Any, dict[str, Array]]:
        known = (ready for ready in self._known if ready.fits(params, rest, wrt))
        return (next(known, None) or self._learnt(params, rest, wrt)).run(params, rest)

    def _learnt(
        self, params: dict[str, Array], rest: Sequence[Array], wrt: tuple[str, ...] | None
    ) -> _Ready:
        code = self._code(self._wanted(wrt))
        reader = _Reader(self.swept, self.sizes, self._uses_label_sums)
        ready = reader.ready(params, rest, code, wrt)
        self._known = [ready, *self._known[: MOST_SIGNATURES - 1]]
        return ready

    def _rest(self, x: Any, y: Any) -> list[Array]:
        """Inputs and labels in the order of the network."""
        return [*self._part("x", x), *self._part("y", y)]

    def _part(self, what: str, given: Any) -> Iterable[Array]:
        tensors = self.swept.network.of_kind(_KINDS[what])
        if not tensors:
            return ()
        if not isinstance(given, Mapping):
            if len(tensors) > 1:
                names = ", ".join(tensor.name for tensor in tensors)
                raise ArrayError(what, "one array", f"a mapping with {names}")
            given = {} if given is None else {tensors[0].name: given}
        named = self._named(what, given)
        return [named[tensor.name] for tensor in tensors]

    def _named(self, what: str, given: Any) -> dict[str, Array]:
        if not isinstance(given, Mapping):
            raise ArrayError(what, type(given).__name__, "a mapping of arrays by name")
        tensors = self.swept.network.of_kind(_KINDS[what])
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

    def _wanted(self, wrt: tuple[str, ...] | None) -> tuple[str, ...]:
        network = self.swept.network
        if wrt is None:
            return tuple(tensor.name for tensor in network.of_kind("parameter"))
        known = [t.name for t in network.of_kind("parameter", "input", "intermediate")] + list(
            network.aliases
        )
        for name in wrt:
            if name not in known:
                raise unknown_name("wrt", name, known)
        return tuple(dict.fromkeys(wrt))

    def _code(self, wanted: tuple[str, ...]) -> Callable[..., Any]:
        if wanted not in self._compiled:
            source = emit(self.swept, wanted, sizes=self.sizes)
            self._compiled[wanted] = compile_source(source)
        return self._compiled[wanted]

    @cached_property
    def _uses_label_sums(self) -> bool:
        return any(
            step.rule == USE_LABEL_SUMS.name
            for trace in self.swept.derivations.values()
            for step in trace.steps
        )


def _as_array(name: str, given: Any) -> Array:
    try:
        return np.asarray(given)
    except ValueError:
        raise ArrayError(str(name), "rows of unequal length", "an array of numbers") from None


@dataclass(frozen=True)
class _Ready:
    """What is known of arrays of one signature, and left to do for them: parameters that are
    `whole` numbers become float64; each of `looks` is taken at one place of `rest`."""

    wrt: tuple[str, ...] | None
    params: tuple[tuple[str, Shape, np.dtype[Any]], ...]
    rest: tuple[tuple[int, Shape, np.dtype[Any]], ...]
    whole: tuple[str, ...]
    looks: tuple[tuple[int, Look], ...]
    code: Callable[..., Any]

    def fits(self, params: Any, rest: Sequence[Any], wrt: Any) -> bool:
        """Whether what was looked at once would be found again; what varies most comes first."""
        if wrt != self.wrt or type(params) is not dict:
            return False
        if len(rest) != len(self.rest) or len(params) != len(self.params):
            return False
        for place, shape, dtype in self.rest:
            array = rest[place]
            if type(array) is not np.ndarray or array.shape != shape or array.dtype != dtype:
                return False
        for name, shape, dtype in self.params:
            array = params.get(name)
            if type(array) is not np.ndarray or array.shape != shape or array.dtype != dtype:
                return False
        return True

    def run(self, params: Any, rest: Sequence[Any]) -> tuple[Any, dict[str, Array]]:
        if self.whole:
            params = {**params, **{name: _as_float(params[name]) for name in self.whole}}
        rest = list(rest)
        for place, look in self.looks:
            rest[place] = look(rest[place])
        loss, gradients = self.code(params, *rest)
        return loss, gradients


# --------------------------------------------------------------------------------------------
# Once for each signature
# --------------------------------------------------------------------------------------------


class _Reader:
    """Names, types and shapes held to the network; what a symbolic size measures is learnt from the
    first array that has it."""

    def __init__(self, swept: Sweep, sizes: Mapping[Symbol, int], uses_label_sums: bool) -> None:
        self.network = swept.network
        self.uses_label_sums = uses_label_sums
        self.sizes = dict(sizes)
        self.told: dict[Symbol, str] = {}

    def ready(
        self,
        params: dict[str, Array],
        rest: Sequence[Array],
        code: Callable[..., Any],
        wrt: tuple[str, ...] | None,
    ) -> _Ready:
        tensors = self.network.of_kind("parameter")
        others = (*self.network.of_kind("input"), *self.network.of_kind("label"))
        for tensor in tensors:
            self._expect(tensor, params[tensor.name])
        for tensor, array in zip(others, rest, strict=True):
            self._expect(tensor, array)
        looks: list[tuple[int, Look]] = []
        for place, (tensor, array) in enumerate(zip(others, rest, strict=True)):
            if array.dtype.kind not in "fc" and not _classes_of(tensor):
                looks.append((place, _as_float))
            if tensor.kind == "label":
                looks.append((place, self._look(tensor, array)))
        return _Ready(
            wrt,
            tuple((name, array.shape, array.dtype) for name, array in params.items()),
            tuple((place, array.shape, array.dtype) for place, array in enumerate(rest)),
            tuple(name for name, array in params.items() if array.dtype.kind not in "fc"),
            tuple(looks),
            code,
        )

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
            if isinstance(fact, SumsToOne) and self.uses_label_sums:
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
