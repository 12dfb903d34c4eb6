"""Putting a document together: which sections, in which order, for one network file."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from sympy import Symbol

from symbackprop.derive import with_adjoints
from symbackprop.document.backward import backward
from symbackprop.document.blocks import Aside, Block, Display, Document
from symbackprop.document.desk import Desk
from symbackprop.document.forward import forward
from symbackprop.document.overview import overview
from symbackprop.document.pattern import pattern
from symbackprop.document.scene import scene_of
from symbackprop.evaluate import generic_sizes
from symbackprop.latex import Typesetting
from symbackprop.layers.architecture import Architecture
from symbackprop.layers.multilayer import SAMPLES, Built, build
from symbackprop.notation import Notation

WRITTEN_OUT = 5


def document_of(architecture: Architecture, notation: Notation) -> Document:
    one = desk_of(build(architecture, one_sample=True), notation)
    many = desk_of(build(architecture), notation, architecture.samples)
    blocks = [*overview(many, {}), *forward(one, many), *backward(one), *pattern(one, notation)]
    return Document(f"Backpropagation through {architecture.name}", numbered(blocks))


def desk_of(built: Built, notation: Notation, samples: int | None = None) -> Desk:
    """A desk for the network of one sample or of a batch, with scenes to check on."""
    network = built.network
    setting = Typesetting(with_adjoints(network), notation, built.sizes)
    generic = generic_sizes(network)
    own = _own_sizes(built, generic, samples)
    return Desk(
        network,
        setting,
        (scene_of(network, generic, seed=1),),
        () if own is None else (scene_of(network, own, seed=2),),
    )


def _own_sizes(
    built: Built, generic: dict[Symbol, int], samples: int | None
) -> dict[Symbol, int] | None:
    """The network's own sizes where all are numbers small enough to list entries."""
    wanted = dict(built.sizes)
    if SAMPLES in generic:
        wanted[SAMPLES] = samples or 3
    if set(generic) - set(wanted) or max(wanted.values()) > WRITTEN_OUT:
        return None
    return wanted


def numbered(blocks: list[Block]) -> tuple[Block, ...]:
    """The same blocks with displays numbered from 1, those in asides too."""
    counter = iter(range(1, 1_000_000))
    return tuple(_numbered(block, counter) for block in blocks)


def _numbered(block: Block, counter: Iterator[int]) -> Block:
    match block:
        case Display():
            return replace(block, number=next(counter))
        case Aside():
            return replace(block, blocks=tuple(_numbered(inner, counter) for inner in block.blocks))
        case _:
            return block
