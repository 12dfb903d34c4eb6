"""How an author lays out arrays: samples as rows or columns, weights, biases, lists.

Owns: the closed list of layouts, and how a tensor of the network looks in each.
Refuses: choosing one; the judge tries them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from symbackprop.judging.code.truth import Labels, Numbers, Sizes, Truth
from symbackprop.networks import names

Samples = Literal["rows", "columns", "vector", "one row", "one column"]
Weights = Literal["(in, out)", "(out, in)"]
Biases = Literal["(k,)", "(1, k)", "(k, 1)"]
Kept = tuple[int | None, ...]


@dataclass(frozen=True)
class Layout:
    """`lists`: whether activations in a list begin with x, and the number of the first layer."""

    samples: Samples = "rows"
    weights: Weights = "(in, out)"
    biases: Biases = "(k,)"
    labels: Labels = "as the network says"
    sizes: Sizes = "generic"
    begins_with_x: bool = True
    first: int = 0
    flat_labels: bool = False

    @property
    def is_one(self) -> bool:
        """Whether the code takes one sample, not a batch."""
        return self.samples in ("vector", "one row", "one column")

    @property
    def is_usual(self) -> bool:
        """Whether it supposes nothing special of sizes or labels."""
        return self.sizes == "generic" and self.labels == "as the network says"

    def kept(self, meaning: str, ndim: int) -> Kept:
        """The axes of the network's array in the order in which this layout has them; None for an
        axis of size 1."""
        base = names.bare(meaning)
        if base[0] == "W":
            return (0, 1) if self.weights == "(in, out)" else (1, 0)
        if base[0] == "b":
            return {"(k,)": (0,), "(1, k)": (None, 0), "(k, 1)": (0, None)}[self.biases]
        if ndim == 0:
            return ()
        if base == "y" and (self.labels == "integer" or ndim == (0 if self.is_one else 1)):
            return (0,)
        match self.samples:
            case "rows":
                return (0, 1)
            case "columns":
                return (1, 0)
            case "vector":
                return (0,)
            case "one row":
                return (None, 0)
            case "one column":
                return (0, None)

    def of(self, meaning: str, truth: Truth) -> Numbers | None:
        """The array of a meaning as this author has it."""
        if meaning == "y" and self.labels == "integer":
            return truth.values.get("y:int", truth.values.get("y"))
        value = truth.values.get(meaning)
        if value is None:
            return None
        if meaning == "y" and self.flat_labels:
            return value.reshape(-1)
        return arranged(value, self.kept(meaning, value.ndim))

    @property
    def settings(self) -> dict[str, Any]:
        one = {"vector": "one sample, (k,)", "one row": "one sample, (1, k)"}
        one["one column"] = "one sample, (k, 1)"
        shown: dict[str, Any] = {
            "samples": one.get(self.samples, self.samples),
            "weights": self.weights,
            "biases": self.biases,
        }
        if self.labels != "as the network says":
            shown["labels"] = self.labels
        return shown


def arranged(value: Numbers, kept: Kept) -> Numbers:
    order = [axis for axis in kept if axis is not None]
    moved = np.transpose(value, order)
    return moved[tuple(None if axis is None else slice(None) for axis in kept)]


def layouts(has_bias: bool, single: bool) -> Iterator[Layout]:
    """The usual layouts, most usual first; those of one sample only if `single`."""
    biases: tuple[Biases, ...] = ("(k,)", "(1, k)", "(k, 1)") if has_bias else ("(k,)",)
    orders: tuple[Weights, ...] = ("(in, out)", "(out, in)")
    batches: tuple[Samples, ...] = ("rows", "columns")
    for samples in batches:
        for weights in orders:
            for bias in biases if samples == "rows" else biases[::-1]:
                yield Layout(samples, weights, bias)
    for weights in orders:
        yield Layout("vector", weights, "(k,)")
    if single:
        singles: tuple[Samples, ...] = ("one row", "one column")
        for samples in singles:
            for weights in orders:
                for bias in biases:
                    yield Layout(samples, weights, bias)
