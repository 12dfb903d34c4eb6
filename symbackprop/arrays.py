"""The arrays that a user passes in, looked at before a formula meets them.

Owns: which array stands for which tensor, sizes that arrays settle, and what each refusal says.
Refuses: shapes, types and labels that a formula does not hold for. Wrong if an array that breaks
an assumption got through.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from sympy import Symbol

from symbackprop.errors import ArrayError, did_you_mean
from symbackprop.network import CountsClasses, Kind, Network, SumsToOne, Tensor

Array: TypeAlias = npt.NDArray[Any]
Arrays: TypeAlias = Mapping[str, npt.ArrayLike]


class ArrayReader:
    """Arrays as a user passes them -> arrays that the formulas may be used with.

    `assumes_sums`: the formulas use that the labels of a sample add up to 1.
    """

    def __init__(self, network: Network, sizes: Mapping[Symbol, int], assumes_sums: bool) -> None:
        self.network = network
        self.assumes_sums = assumes_sums
        self.sizes: dict[Symbol, tuple[int, str]] = {
            symbol: (number, "") for symbol, number in sizes.items()
        }

    def read(
        self, params: Arrays, x: npt.ArrayLike | Arrays, y: npt.ArrayLike | Arrays | None
    ) -> dict[str, Array]:
        given = {
            **self._named("params", "parameter", params),
            **self._inputs("x", "input", x),
            **self._inputs("y", "label", y),
        }
        arrays = {}
        kinds: tuple[Kind, ...] = ("parameter", "input", "label")
        for kind in kinds:
            for tensor in self.network.of_kind(kind):
                array = _as_numbers(tensor, given[tensor.name])
                self._fit(tensor, array)
                if kind == "label":
                    array = self._as_labels(tensor, array)
                arrays[tensor.name] = array
        return arrays

    def _named(self, what: str, kind: Kind, given: Any) -> dict[str, Any]:
        if not isinstance(given, Mapping):
            raise ArrayError(what, type(given).__name__, "a mapping of arrays by name")
        names = [tensor.name for tensor in self.network.of_kind(kind)]
        for name in given:
            if name not in names:
                hint = did_you_mean(str(name), names)
                raise ArrayError(
                    str(name), "no such parameter", f"only {', '.join(names)} in {what}", hint
                )
        for name in names:
            if name not in given:
                raise ArrayError(name, f"nothing in {what}", self._expected(name))
        return {name: given[name] for name in names}

    def _inputs(self, what: str, kind: Kind, given: Any) -> dict[str, Any]:
        tensors = self.network.of_kind(kind)
        if not tensors:
            return {}
        if isinstance(given, Mapping):
            return self._named(what, kind, given)
        if len(tensors) > 1:
            names = ", ".join(tensor.name for tensor in tensors)
            raise ArrayError(what, "one array", f"a mapping with {names}")
        if given is None:
            raise ArrayError(tensors[0].name, "nothing", self._expected(tensors[0].name))
        return {tensors[0].name: given}

    # shapes

    def _expected(self, name: str) -> str:
        return f"an array of shape {self._shape_text(self.network.by_name[name])}"

    def _shape_text(self, tensor: Tensor) -> str:
        extents = [str(extent.subs(self._numbers())) for extent in tensor.shape]
        return f"({extents[0]},)" if len(extents) == 1 else f"({', '.join(extents)})"

    def _numbers(self) -> dict[Symbol, int]:
        return {symbol: number for symbol, (number, _) in self.sizes.items()}

    def _fit(self, tensor: Tensor, array: Array) -> None:
        """Known sizes agree; a size met for the first time is what this array has."""
        for extent, length in zip(tensor.shape, array.shape, strict=False):
            if array.ndim == len(tensor.shape) and extent.is_Symbol and extent not in self.sizes:
                self.sizes[extent] = (length, tensor.name)
        expected = [extent.subs(self._numbers()) for extent in tensor.shape]
        if list(array.shape) == expected and 0 not in array.shape:
            return
        hint = self._shape_hint(tensor, array, expected)
        found = f"shape {tuple(map(int, array.shape))}"
        raise ArrayError(tensor.name, found, f"shape {self._shape_text(tensor)}", hint)

    def _shape_hint(self, tensor: Tensor, array: Array, expected: Sequence[Any]) -> str:
        if 0 in array.shape:
            return "there must be at least one of each"
        if array.ndim == 2 and list(array.shape[::-1]) == expected:
            return "transpose it: samples are rows, and W is (in, out)"
        if [n for n in array.shape if n != 1] == [n for n in expected if n != 1]:
            return "reshape it"
        told = [
            f"{symbol} = {number} comes from {where}"
            for symbol, (number, where) in self.sizes.items()
            if where not in ("", tensor.name) and symbol in _symbols_of(tensor)
        ]
        return ", ".join(told)

    # labels

    def _as_labels(self, tensor: Tensor, array: Array) -> Array:
        bad = np.argwhere(~np.isfinite(array))
        if len(bad):
            where = f" at {tuple(map(int, bad[0]))}" if array.ndim else ""
            raise ArrayError(tensor.name, f"{array[tuple(bad[0])]}{where}", "finite labels")
        for fact in tensor.facts:
            if isinstance(fact, CountsClasses):
                return self._as_classes(tensor, array, fact)
            if isinstance(fact, SumsToOne) and self.assumes_sums:
                self._sums_to_one(tensor, array, fact.axis)
        return array

    def _as_classes(self, tensor: Tensor, array: Array, fact: CountsClasses) -> Array:
        count = int(fact.axis.extent.subs(self._numbers()))
        if np.iscomplexobj(array):
            raise ArrayError(tensor.name, f"dtype {array.dtype}", "whole numbers")
        wrong = np.argwhere((array != np.floor(array)) | (array < 0) | (array >= count))
        if len(wrong):
            place = tuple(map(int, wrong[0]))
            where = f" in row {place[0]} (from 0)" if place else ""
            raise ArrayError(
                tensor.name,
                f"label {array[place]:g}{where}",
                f"whole numbers from 0 to {count - 1}",
            )
        return array.astype(np.intp)

    def _sums_to_one(self, tensor: Tensor, array: Array, axis: int) -> None:
        sums = np.atleast_1d(array.sum(axis=axis))
        entries = array.shape[axis]
        tolerance = max(1e-6, 8 * entries * float(np.finfo(array.dtype).eps))
        wrong = np.argwhere(np.abs(sums - 1) > tolerance)
        if not len(wrong):
            return
        row, total = int(wrong[0][0]), np.real(sums[tuple(wrong[0])])
        where = f"row {row} (from 0)" if array.ndim > 1 else "the entries"
        raise ArrayError(
            tensor.name,
            f"{where} adding up to {total:.6g}",
            "labels that add up to 1 for each sample",
            'the gradient uses that; labels = "any" in the network file derives one without it',
        )


def _symbols_of(tensor: Tensor) -> set[Symbol]:
    return {symbol for extent in tensor.shape for symbol in extent.free_symbols}


def _as_numbers(tensor: Tensor, given: Any) -> Array:
    """Whole numbers as float64; float32 and complex as they are; anything else is refused."""
    expected = "an array of numbers"
    try:
        array = np.asarray(given)
    except ValueError:
        raise ArrayError(tensor.name, "rows of unequal length", expected) from None
    if array.dtype.kind in "fc":
        return array
    if array.dtype.kind in "iu" or (array.dtype.kind == "b" and tensor.kind != "parameter"):
        return array.astype(np.float64)
    raise ArrayError(tensor.name, f"dtype {array.dtype}", expected)
