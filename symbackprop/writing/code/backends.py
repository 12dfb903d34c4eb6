"""The libraries that gradients are written for, one record each.

Owns: what of the emitted text differs from library to library, and how its code is run and read
back. A new library is a file with its record and a row in `BACKENDS`.
Refuses: writing a line; `numpy_backend` writes for every library from its record.
Wrong if a library were listed in which a function of a NumPy name computes something else: the
proof of the code reads it as NumPy's.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from symbackprop.errors import unknown_name


def _as_it_is(array: Any) -> Any:
    return array


@dataclass(frozen=True)
class Backend:
    """A library that has NumPy's functions under NumPy's names.

    `name`: what `--backend` takes; `title`: what reports say; `module`, `alias`: the only import;
    `suffix`: of a file of code; `assigns`: whether entries of an array can be changed in place;
    `array`: an array of NumPy as one of the library's own, to run the code with.
    """

    name: str
    title: str
    module: str
    alias: str
    suffix: str = ".py"
    assigns: bool = True
    array: Callable[[Any], Any] = _as_it_is

    @property
    def header(self) -> str:
        return f"import {self.module} as {self.alias}"

    @property
    def prefix(self) -> str:
        """What stands before the name of a function: `np.`."""
        return f"{self.alias}."


NUMPY = Backend("numpy", "NumPy", "numpy", "np")

BACKENDS: dict[str, Backend] = {backend.name: backend for backend in (NUMPY,)}


def backend_named(name: str) -> Backend:
    """Raises: UsageError naming those that are there."""
    if name not in BACKENDS:
        raise unknown_name("backend", name, BACKENDS)
    return BACKENDS[name]
