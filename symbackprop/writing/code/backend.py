"""What of the emitted text, and of running it, differs from library to library.

Owns: the record of a library, and NumPy's own. Refuses: which libraries there are (`backends`) and
writing a line: `numpy_backend` writes for every library from its record.
Wrong if a library were written in which a function of a NumPy name computes something else: the
proof of the code reads it as NumPy's.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


def _as_it_is(array: Any) -> Any:
    return array


@dataclass(frozen=True)
class Backend:
    """A library that has NumPy's functions under NumPy's names.

    `name`: what `--backend` takes; `title`: what reports say; `module`, `alias`: the only import;
    `suffix`: of a file of code; `assigns`: whether entries of an array can be changed in place;
    `array`: an array of NumPy as one of the library's own, to run the code with; `numbers`: one of
    the library's as NumPy's.
    """

    name: str
    title: str
    module: str
    alias: str
    suffix: str = ".py"
    assigns: bool = True
    array: Callable[[Any], Any] = _as_it_is
    numbers: Callable[[Any], Any] = _as_it_is

    @property
    def header(self) -> str:
        return f"import {self.module} as {self.alias}"

    @property
    def prefix(self) -> str:
        """What stands before the name of a function: `np.`."""
        return f"{self.alias}."


NUMPY = Backend("numpy", "NumPy", "numpy", "np")
