"""Two values side by side: equal, different with a witness, or too close to tell.

Owns: `Verdict`, `compare` and `fitting`, the shape in which two values are compared. Refuses:
values that are not finite. Would be wrong if a difference were passed over because it was
multiplied by zero, or rounding were called a difference.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from symbackprop.judging.notes.formula import values as v
from symbackprop.judging.notes.formula.entries import slopes_of
from symbackprop.judging.notes.formula.settings import Settings
from symbackprop.judging.notes.formula.values import Clash, Value
from symbackprop.reading.latex.syntax import Span
from symbackprop.witnesses.truth import World

AGREE = 1e-9
DIFFER = 1e-6
SMALLEST = 1e-290  # below it numbers have fewer digits
Outcome = Literal["true", "false", "definition", "unknown"]


@dataclass(frozen=True)
class Difference:
    """Where two sides differ: point, entry and the numbers there; free letters by name."""

    left: float
    right: float
    entry: tuple[int, ...]
    letters: Mapping[str, int]
    point: int
    ratio: float | None = None


@dataclass(frozen=True)
class Verdict:
    """What was found of one formula. `link` counts from 0: sides[link] and sides[link + 1].

    `layers` are the values of the layer letter that were tried, `failing` those that failed.
    """

    outcome: Outcome
    method: str = ""
    reason: str = ""
    slip: str = ""
    link: int = 0
    span: Span | None = None
    difference: Difference | None = None
    layers: tuple[int, ...] = ()
    failing: tuple[int, ...] = ()
    numbers: Mapping[str, int] = field(default_factory=dict)
    name: str = ""
    note: str = ""
    world: World | None = None


def compare(
    one: Value, other: Value, settings: Settings, mask: Value | None = None, each: bool = False
) -> Verdict:
    """Whether two values agree in shape and number, where the mask is 1: to so many digits of the
    largest entry, or with `each` of every entry."""
    fitted = fitting(one, other, settings)
    if isinstance(fitted, Verdict):
        return fitted
    one, other, note = fitted
    if mask is not None and set(mask.free) <= {*one.free, *other.free}:
        one, other = (v.entrywise(mask, side, np.multiply) for side in (one, other))
    free, *arrays = v.paired(one, other)
    a, b = np.broadcast_arrays(*arrays)
    with np.errstate(all="ignore"):
        gap = np.abs(a - b)
    if not np.all(np.isfinite(gap)):
        return Verdict("unknown", reason="a value is not finite at the points that were tried")
    if mask is None and not (one.literal or other.literal or np.any(a) or np.any(b)):
        return Verdict("unknown", reason="both sides are 0 at all points that were tried")
    axes = tuple(range(1, a.ndim))
    relative = _relative(a, b, gap, axes, each)
    if np.all(relative <= AGREE):
        return Verdict("true", "numeric", note=note)
    if np.all(relative < DIFFER):
        return Verdict("unknown", reason="the sides differ too little to tell from rounding")
    point = int(np.argmax(relative))
    place = np.unravel_index(int(np.argmax(gap[point])), gap[point].shape)
    letters = {name: int(p) + 1 for name, p in zip(free, place, strict=False)}
    entry = tuple(int(p) for p in place[len(free) :])
    left, right = float(np.real(a[point][place])), float(np.real(b[point][place]))
    difference = Difference(left, right, entry, letters, point, _constant_ratio(a, b))
    return Verdict("false", "numeric", f"{left:.6g} is not {right:.6g}", difference=difference)


def _relative(a: Any, b: Any, gap: Any, axes: tuple[int, ...], each: bool) -> Any:
    """How much two arrays differ at each point."""
    larger = np.maximum(np.abs(a), np.abs(b))
    if each:
        return (gap / np.maximum(larger, SMALLEST)).max(axis=axes)
    return gap.max(axis=axes) / np.maximum(larger.max(axis=axes), 1e-3)


def fitting(one: Value, other: Value, settings: Settings) -> tuple[Value, Value, str] | Verdict:
    """Both values in one shape, with a note where the reading is a usual abbreviation."""
    if one.identity or other.identity:
        try:
            return v.tamed(one, other), v.tamed(other, one), ""
        except Clash as clash:
            return Verdict("false", "shape", clash.reason)
    if v.fits(one.rows, other.rows) and v.fits(one.cols, other.cols):
        return one, other, ""
    for first, second, turned in ((one, other, False), (other, one, True)):
        zero = second.is_scalar and second.literal and not np.any(second.array)
        if zero and not first.is_scalar:
            return one, other, "0 for an array of zeros"
        is_one = second.is_scalar and second.literal and bool(np.all(second.array == 1))
        if is_one and not first.is_scalar and bool(np.all(first.array == 1)):
            return one, other, "1 for an array of ones"
        slopes = slopes_of(first, settings) if first.axes else None
        if slopes is None:
            continue
        note = "an entrywise function's derivative, written without its zeros"
        fits = v.fits(slopes.rows, second.rows) and v.fits(slopes.cols, second.cols)
        if fits or (second.is_scalar and second.literal):
            pair = (second, slopes) if turned else (slopes, second)
            return *pair, note
    if v.fits(one.rows, other.cols) and v.fits(one.cols, other.rows):
        left, right = v.shape_text(one), v.shape_text(other)
        return Verdict("false", "shape", f"the left side is {left}, the right side {right}", "")
    if max(len(one.axes), len(other.axes)) > 2:
        return Verdict(
            "unknown", reason="a derivative with three indices is compared with something shorter"
        )
    return Verdict(
        "false",
        "shape",
        f"the left side is {v.shape_text(one)}, the right side {v.shape_text(other)}",
    )


def _constant_ratio(a: Any, b: Any) -> float | None:
    """b / a where it is one number everywhere."""
    with np.errstate(all="ignore"):
        large = np.abs(a) > 1e-9
        if not np.any(large) or np.any(np.abs(b[~large]) > 1e-9):
            return None
        ratio = np.real(b[large] / a[large])
    return float(ratio.flat[0]) if np.allclose(ratio, ratio.flat[0], rtol=1e-7) else None
