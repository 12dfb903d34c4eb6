"""What is said of a note's own network: its layers, what it may be, or what is missing.

Owns: the records that `layers` makes and `judged` reads. Refuses: making them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from symbackprop.judging.notes.own.syntax import Key, Written
from symbackprop.networks.layers.architecture import Architecture


@dataclass(frozen=True)
class Gap:
    """What a note leaves open, at a line (0 for the whole note), and what to write."""

    line: int
    sentence: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.sentence}" if self.line else self.sentence


class Open(ValueError):
    """A chain that ends in gaps."""

    def __init__(self, *gaps: Gap) -> None:
        self.gaps = gaps
        super().__init__(*map(str, gaps))


class Circle(Open):
    """A letter that is made from itself: its lines speak of several layers."""


@dataclass(frozen=True)
class Stage:
    """A layer as the note has it; `activation` is "" where the chain goes on without one.
    `written` are the lines that it was taken from."""

    weight: Key
    bias: Key | None
    activation: str
    outputs_first: bool | None
    vector: bool
    written: tuple[Written, ...] = field(compare=False)
    letter: Key | None = None  # of the function

    @property
    def says(self) -> tuple[Key, Key | None, str]:
        """What two lines about one letter must agree in."""
        return self.weight, self.bias, self.activation or "identity"


@dataclass(frozen=True)
class Missing:
    """Why there is no network."""

    gaps: tuple[Gap, ...]


@dataclass(frozen=True)
class Candidate:
    """A network that the note may mean; `apart` is how it differs from the first of them;
    `only` its reductions where not all are tried. A `doubt` is never taken, but what is true under
    it is not called wrong."""

    architecture: Architecture
    letters: Mapping[str, str]  # that are settled
    apart: str = ""
    only: str = ""
    is_doubt: bool = False


@dataclass(frozen=True)
class Taken:
    """The networks that a note may mean, likeliest first, and the lines that they come from.
    `counted` says whether these tell how the samples are taken together."""

    candidates: tuple[Candidate, ...]
    written: tuple[Written, ...]
    losses: tuple[Written, ...]
    counted: bool
    units: Mapping[str, str]  # letters of units and weights that carry no layer

    @property
    def lines(self) -> tuple[int, ...]:
        return tuple(sorted({w.line for w in self.written}))

    @property
    def places(self) -> frozenset[tuple[int, int]]:
        return frozenset(w.place for w in self.written)
