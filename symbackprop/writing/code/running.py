"""The gradient function that a user calls: arrays looked at, then the emitted code run.

Owns: what is checked when. Names, shapes and types are checked once for each signature, as the
next call with the same ones could find nothing else; what stands in the labels is checked at
every call. Refuses: mathematics; the code that is run is the emitted text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from sympy import Symbol

from symbackprop.derivation.rules import USE_LABEL_SUMS
from symbackprop.derivation.steps import Sweep
from symbackprop.errors import unknown_name
from symbackprop.networks.arrays import Array, ArrayReader, Arrays, Looks
from symbackprop.writing.code.numpy_backend import compile_source, emit

Shape: TypeAlias = tuple[int, ...]

MOST_SIGNATURES = 64


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
        self._reader = ArrayReader(swept.network, sizes)
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
        return self._read(self._reader.named("params", params), self._reader.rest(x, y), wrt)

    def _read(
        self, params: dict[str, Array], rest: Sequence[Array], wrt: tuple[str, ...] | None
    ) -> tuple[Any, dict[str, Array]]:
        known = (ready for ready in self._known if ready.fits(params, rest, wrt))
        return (next(known, None) or self._learnt(params, rest, wrt)).run(params, rest)

    def _learnt(
        self, params: dict[str, Array], rest: Sequence[Array], wrt: tuple[str, ...] | None
    ) -> _Ready:
        code = self._code(self._wanted(wrt))
        looks = self._reader.looks(params, rest, self._uses_label_sums)
        ready = _Ready.of(params, rest, wrt, looks, code)
        self._known = [ready, *self._known[: MOST_SIGNATURES - 1]]
        return ready

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


@dataclass(frozen=True)
class _Ready:
    """What is known of arrays of one signature, and left to do for them."""

    wrt: tuple[str, ...] | None
    params: tuple[tuple[str, Shape, np.dtype[Any]], ...]
    rest: tuple[tuple[int, Shape, np.dtype[Any]], ...]
    looks: Looks
    code: Callable[..., Any]

    @classmethod
    def of(
        cls,
        params: Mapping[str, Array],
        rest: Sequence[Array],
        wrt: tuple[str, ...] | None,
        looks: Looks,
        code: Callable[..., Any],
    ) -> _Ready:
        return cls(
            wrt,
            tuple((name, array.shape, array.dtype) for name, array in params.items()),
            tuple((place, array.shape, array.dtype) for place, array in enumerate(rest)),
            looks,
            code,
        )

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
        params, rest = self.looks.taken(params, rest)
        loss, gradients = self.code(params, *rest)
        return loss, gradients
