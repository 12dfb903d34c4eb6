"""A network as its file states it: names and sizes, before any equation.

Owns: the records `Layer` and `Architecture`, and the words for labels and reductions; those for
activations and losses are the names of their records.
Refuses: validation, which needs the lines of the file and so belongs to `spec`. Wrong if a
default here differs from the documented default of the file format.
"""

from __future__ import annotations

from dataclasses import dataclass

Size = int | str

REDUCTIONS = ("mean", "sum", "mean_elements")
LABELS = ("one_hot", "distribution", "integer", "any")


@dataclass(frozen=True)
class Layer:
    """A dense layer z = hW + b and its activation; a name as `units` is a symbolic size."""

    units: Size
    activation: str = "identity"
    bias: bool = True


@dataclass(frozen=True)
class Architecture:
    """Dense layers in order, the loss at their end, and how the loss is taken over samples."""

    name: str
    input: Size
    layers: tuple[Layer, ...]
    loss: str
    reduction: str = "mean"
    half: bool = False
    labels: str = "one_hot"
    samples: int | None = None

    @property
    def widths(self) -> tuple[Size, ...]:
        """The number of features before the first layer and after each one."""
        return (self.input, *(layer.units for layer in self.layers))
