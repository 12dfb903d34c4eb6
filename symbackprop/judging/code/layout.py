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
Folded = Literal["", "first", "last"]


@dataclass(frozen=True)
class Layout:
    """`begins_with_x`: whether activations in a list do; `first`: the number of the first layer.
    `is_flat`: whether one unit has no axis, so that its weights are a vector, its bias a number.
    `data_in_rows`: whether x and y have samples as rows where all else has them as columns;
    `folded`: where a weight matrix holds the biases, along the axis of its inputs."""

    samples: Samples = "rows"
    weights: Weights = "(in, out)"
    biases: Biases = "(k,)"
    labels: Labels = "as the network says"
    sizes: Sizes = "generic"
    begins_with_x: bool = True
    first: int = 0
    flat_labels: bool = False
    is_flat: bool = False
    data_in_rows: bool = False
    folded: Folded = ""

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
        match "rows" if self.data_in_rows and base in ("x", "y") else self.samples:
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
        if meaning == "y" and self.labels in ("integer", "integers in a column"):
            return self._integers(truth)
        value = truth.values.get(meaning)
        if value is None or (self.folded and names.bare(meaning)[0] == "b"):
            return None
        if self.is_flat and names.bare(meaning)[0] in "Wbzhy" and value.shape[-1:] == (1,):
            return value[..., 0]
        if self.folded and names.bare(meaning)[0] == "W":
            value = self._with_bias(meaning, value, truth)
        if meaning == "y" and self.flat_labels:
            return value.reshape(-1)
        return arranged(value, self.kept(meaning, value.ndim))

    def _integers(self, truth: Truth) -> Numbers | None:
        """The number of each sample's class; in a column, along the axis of the samples."""
        numbers = truth.values.get("y:int", truth.values.get("y"))
        if numbers is None or self.labels == "integer":
            return numbers
        return numbers.reshape((1, -1) if self.samples == "columns" else (-1, 1))

    def _with_bias(self, meaning: str, value: Numbers, truth: Truth) -> Numbers:
        """A weight matrix, or its gradient, with the biases as its first or last row."""
        bias = truth.values.get(meaning.replace("W", "b"))
        if bias is None:
            return value
        rows = [bias[None, :], value]
        return np.vstack(rows if self.folded == "first" else rows[::-1])

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
        if self.is_flat:
            shown["one unit"] = "(n,)"
        if self.data_in_rows:
            shown["data"] = "rows"
        if self.folded:
            shown["biases"] = f"{self.folded} among the weights"
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


def odd_layouts(has_bias: bool, is_folded: bool) -> Iterator[Layout]:
    """Layouts that few have: data in rows beside columns; biases among the weights."""
    orders: tuple[Weights, ...] = ("(in, out)", "(out, in)")
    biases: tuple[Biases, ...] = ("(k, 1)", "(k,)") if has_bias else ("(k,)",)
    for weights in orders:
        for bias in biases:
            yield Layout("columns", weights, bias, data_in_rows=True)
    sides: tuple[Folded, ...] = ("first", "last") if is_folded else ()
    batches: tuple[Samples, ...] = ("rows", "columns")
    for folded in sides:
        for samples in batches:
            for weights in orders:
                yield Layout(samples, weights, folded=folded)
