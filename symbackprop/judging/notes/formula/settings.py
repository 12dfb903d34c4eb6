r"""The conventions under which a note is read.

Owns: `Settings`, one record that says what a letter, a mark and a product sign mean in a note.
Refuses: finding them (`conventions` tries which reading makes the note true).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

from symbackprop.notation import LAYER_MARKS, DeltaNumbering, LayerMark, Notation, SampleLayout
from symbackprop.reading.latex.syntax import Node

UNITS = "units"  # the label of a size with a layer mark
EMPTY: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True)
class Alias:
    """A name the note gives to an expression of its own: what stands left and right of its
    definition, and the line where."""

    name: Node
    node: Node
    line: int


@dataclass(frozen=True)
class Settings:
    r"""How a note is read.

    `letters` gives each head (`\hat{y}`, `dW`) its family: a tensor letter of the network (`z`,
    `W`), one tensor (`W:2`), `L`, `loss_n` (of one sample), `N`, `depth`, `f` (the activation of
    whatever layer its argument has), the name of a function, `delta`.
    `samples` says how the samples of a batch stand, `single` how one vector alone does, `biases`
    how a bias stands beside a batch, where that is not the same.
    `nodes`, `weights`, `deltas` are added to the network's number of a layer to give the note's.
    `delta_of` is the family whose adjoint δ is; `scales` what an adjoint's letter is multiplied
    by: `1`, `N` (the gradient of one sample's loss), `-1`, `-N`.
    `delta_from` is 1 where the error of layer l is written with l + 1; `per_sample` says that the
    derivative of a mean by what each sample has is that of the sample's own loss.
    `vectors` is how a derivative of a number by a vector stands; `layout` how a derivative of a
    vector by a vector does; `chain` whether a chain of derivatives begins with the loss.
    `entrywise` are the product signs that may mean an entrywise product where they cannot be a
    product of matrices. `sampled` says that the note marks samples, `x^{(i)}`;
    `index_layers` tells the layer by the index letter, a_j and a_k being of different layers;
    `sizes` gives the label of the axis whose length a letter is, `UNITS` where its mark says of
    which layer; `kronecker` says that the error's letter with two indices, as in \delta_{jk}, is
    Kronecker's; `powers` are functions that have no layers, so that f^2 is a square; `classes`
    gives the number of the true class by the letter of the labels, where one case is judged.
    """

    mode: str = "one"  # or "batch"
    samples: SampleLayout = "rows"
    single: SampleLayout = "rows"
    biases: SampleLayout | Literal[""] = ""  # as the samples; else so
    weights: str = "in_out"  # or "out_in"
    layout: str = "numerator"  # or "denominator"
    vectors: str = "variable"  # or "row"
    chain: str = "down"  # or "up"
    mark: LayerMark = LAYER_MARKS[Notation.layer]
    letters: Mapping[str, str] = field(default_factory=lambda: EMPTY)
    nodes: int = 0
    weights_from: int = 0
    depth: int = 0
    deltas: DeltaNumbering = "by_layer"
    delta_from: int = 0  # added to the number of its layer
    delta_of: str = "z"  # or "h"
    per_sample: bool = False
    kronecker: bool = True
    scales: Mapping[str, str] = field(default_factory=lambda: EMPTY)
    entrywise: frozenset[str] = frozenset()
    aliases: Mapping[str, tuple[Alias, ...]] = field(default_factory=dict)
    sampled: bool = False
    index_layers: Mapping[str, int] = field(default_factory=dict)
    sizes: Mapping[str, str] = field(default_factory=lambda: EMPTY)
    powers: frozenset[str] = frozenset()
    classes: Mapping[str, int] = field(default_factory=dict)
