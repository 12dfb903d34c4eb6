"""Directions of an array that know what they are: the units of a layer, the samples, or nothing.

Owns: `Axis`, and when two of them fit. Would be wrong if two axes of one size were taken for one
another: only an axis of a literal matrix, which has no label, fits by its size.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy.typing as npt

Array = npt.NDArray[Any]
ANY = "*"
SAMPLE = "n"


@dataclass(frozen=True)
class Axis:
    """A direction: its label, "" where it comes from a literal, `*` for ones of any length."""

    label: str
    size: int

    def fits(self, other: Axis) -> bool:
        if ANY in (self.label, other.label):
            return True
        return self.size == other.size and (
            self.label == other.label or not self.label or not other.label
        )


Axes = tuple[Axis, ...]
