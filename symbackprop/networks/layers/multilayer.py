"""The multilayer perceptron of a network file, as equations at symbolic sizes.

Widths are symbols even where the file gives numbers: what is derived holds for every width, and
two layers of equal width cannot be confused. The numbers come back when something is printed.
"""

from __future__ import annotations

from dataclasses import dataclass

from sympy import Integer, Symbol

from symbackprop.calculus.terms import Axis, Index
from symbackprop.networks import names
from symbackprop.networks.layers.activations import ACTIVATIONS
from symbackprop.networks.layers.architecture import Architecture
from symbackprop.networks.layers.dense import dense
from symbackprop.networks.layers.losses import loss
from symbackprop.networks.layers.pieces import Piece
from symbackprop.networks.network import Equation, Network, Tensor

LETTERS = "ijk"
SAMPLES = Symbol("N", integer=True, positive=True)


@dataclass(frozen=True)
class Built:
    """A network and the numbers behind its symbolic sizes (only those the file gives)."""

    network: Network
    sizes: dict[Symbol, int]


def build(architecture: Architecture, one_sample: bool = False) -> Built:
    """Forward equations of the architecture, for a batch of N samples or for one sample.

    Shapes: x (N, d0), W<l> (d<l-1>, d<l>), b<l> (d<l>,), yhat (N, d<depth>); without N for one.
    """
    extents = _extents(architecture)
    units = [_unit(number, extent) for number, extent in enumerate(extents)]
    leading = () if one_sample else (Index("n", Axis("n", SAMPLES, "sample")),)
    x = Tensor(names.INPUT, (*leading, units[0]), "input", letter=names.INPUT)
    pieces = [Piece((x,), ())]
    aliases: dict[str, str] = {}
    depth = len(architecture.layers)
    for number, layer in enumerate(architecture.layers, start=1):
        last = number == depth
        builder = ACTIVATIONS[layer.activation]
        name = names.OUTPUT if last and builder is None else names.total(number)
        pieces.append(dense(pieces[-1].output, name, number, units[number], layer.bias))
        if builder is not None:
            name = names.OUTPUT if last else names.output(number)
            pieces.append(builder(pieces[-1].output, name, number))
        further = [names.output(number), *([names.total(number)] if builder is None else [])]
        aliases |= {alias: name for alias in further if alias != name}
    pieces.append(
        loss(
            pieces[-1].output,
            architecture.loss,
            architecture.labels,
            architecture.reduction,
            architecture.half,
        )
    )
    network = Network(
        architecture.name, _tensors(pieces), _equations(pieces), loss=names.LOSS, aliases=aliases
    )
    return Built(network, _numbers(architecture, extents))


def _tensors(pieces: list[Piece]) -> tuple[Tensor, ...]:
    return tuple(tensor for piece in pieces for tensor in piece.tensors)


def _equations(pieces: list[Piece]) -> tuple[Equation, ...]:
    return tuple(equation for piece in pieces for equation in piece.equations)


def _unit(number: int, extent: Symbol) -> Index:
    return Index(LETTERS[number % len(LETTERS)], Axis(names.units(number), extent))


def _extents(architecture: Architecture) -> list[Symbol]:
    """One symbol a layer: the name the file gives, else `d<layer>`, never one that is taken."""
    written = [architecture.input, *(layer.units for layer in architecture.layers)]
    taken = {name for name in written if isinstance(name, str)} | {SAMPLES.name}
    extents = []
    for number, size in enumerate(written):
        name = size if isinstance(size, str) else f"d{number}"
        while not isinstance(size, str) and name in taken:
            name += "_"
        extents.append(Symbol(name, integer=True, positive=True))
    return extents


def _numbers(architecture: Architecture, extents: list[Symbol]) -> dict[Symbol, int]:
    written = [architecture.input, *(layer.units for layer in architecture.layers)]
    return {
        extent: int(Integer(size))
        for extent, size in zip(extents, written, strict=True)
        if isinstance(size, int)
    }
