"""The value of a form at numbers, in floating point: for witnesses, never for proofs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from symbackprop.derivation.evaluate import Array
from symbackprop.derivation.normalform import Atom, Form, Mono, NoNormalForm


def value_of(
    form: Form, axes: Sequence[Atom], values: Mapping[str, Array], sizes: Mapping[str, int]
) -> Array:
    """The array of values over `axes`. Reads outside a tensor are 0."""
    grid = _Grid({}, 0, values, sizes).extended(axes)
    with np.errstate(all="ignore"):  # what is not finite is seen by the caller
        return np.array(np.broadcast_to(np.asarray(grid.form(form), dtype=float), grid.shape))


class _Grid:
    def __init__(
        self,
        places: Mapping[Atom, Array],
        ndim: int,
        values: Mapping[str, Array],
        sizes: Mapping[str, int],
        shape: tuple[int, ...] = (),
    ) -> None:
        self.places, self.ndim, self.values, self.sizes = places, ndim, values, sizes
        self.shape = shape
        self.known: dict[Atom, Any] = {}

    def extended(self, axes: Sequence[Atom]) -> _Grid:
        """The grid with further array axes at the end, one for each index."""
        extents = tuple(int(np.asarray(self.form(axis.data[2]))) for axis in axes)
        count = self.ndim + len(axes)
        places: dict[Atom, Array] = {
            name: array.reshape(array.shape + (1,) * len(axes))
            for name, array in self.places.items()
        }
        for position, (axis, extent) in enumerate(zip(axes, extents, strict=True)):
            shape = [1] * count
            shape[self.ndim + position] = extent
            places[axis] = (np.arange(extent) + axis.data[1]).reshape(shape)
        return _Grid(places, count, self.values, self.sizes, self.shape + extents)

    def form(self, form: Form) -> Any:
        total: Any = 0.0
        for mono, coefficient in form.terms.items():
            total = total + float(coefficient) * self.mono(mono)
        return total

    def mono(self, mono: Mono) -> Any:
        result: Any = 1.0
        for what, exponent in mono:
            value = np.asarray(self.atom(what), dtype=float)
            result = result * value ** (exponent if isinstance(exponent, int) else float(exponent))
        return result

    def atom(self, what: Atom) -> Any:
        if what not in self.known:
            self.known[what] = self._atom(what)
        return self.known[what]

    def _atom(self, what: Atom) -> Any:
        match what.kind:
            case "dim":
                return float(self.sizes[what.data[0]])
            case "var":
                return self.places[what]
            case "el":
                return self._read(self.values[what.data[0]], what.data[1])
            case "exp":
                return np.exp(self.mono(what.data[0]))
            case "log":
                return np.log(self.form(what.data[0]))
            case "tanh":
                return np.tanh(self.form(what.data[0]))
            case "poly":
                return self.form(what.data[0])
            case "gt":
                return np.greater(self.form(what.data[0]), 0).astype(float)
            case "zero" | "delta":
                return np.equal(self.form(what.data[0]), 0).astype(float)
            case "guard":
                inside, start, extent = map(self.form, what.data)
                return np.logical_and(inside >= start, inside < start + extent).astype(float)
            case "sum":
                return self._over(what, lambda inner: inner.mono(what.data[1]), np.sum)
            case "max":
                return self._over(what, lambda inner: inner.form(what.data[1]), np.max)
        raise NoNormalForm(f"no value of {what.kind}")

    def _over(self, what: Atom, body: Any, reduction: Any) -> Any:
        inner = self.extended(what.data[0])
        full = np.broadcast_to(body(inner), inner.shape)
        return reduction(full, axis=tuple(range(self.ndim, inner.ndim)))

    def _read(self, array: Array, written: Sequence[Form]) -> Any:
        if not written:
            return np.asarray(array, dtype=float)
        places = [np.asarray(self.form(index)).astype(int) for index in written]
        inside: Any = True
        clipped = []
        for position, length in zip(places, array.shape, strict=True):
            inside = np.logical_and(inside, np.logical_and(position >= 0, position < length))
            clipped.append(np.clip(position, 0, length - 1))
        return np.asarray(array[tuple(clipped)], dtype=float) * np.asarray(inside, dtype=float)
