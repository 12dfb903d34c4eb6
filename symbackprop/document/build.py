"""Putting a document together: which sections, in which order, for one network file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from sympy import Symbol

from symbackprop.derivation.evaluate import generic_sizes
from symbackprop.document.backward import backward
from symbackprop.document.batch import batch, summary
from symbackprop.document.blocks import Aside, Block, Chain, Display, Document, Paragraph
from symbackprop.document.closing import account, chains, code, formulas_in
from symbackprop.document.descent import descent
from symbackprop.document.desk import Desk
from symbackprop.document.formulas import Meaning, show
from symbackprop.document.forward import forward
from symbackprop.document.graph import graph
from symbackprop.document.losses import losses
from symbackprop.document.needs import activation, needs
from symbackprop.document.numbers import Worked, desk_at, forward_values, worked_point
from symbackprop.document.operators import operations_of
from symbackprop.document.overview import overview
from symbackprop.document.pattern import pattern
from symbackprop.document.primer import primer
from symbackprop.document.proofs import proven
from symbackprop.document.samples import samples
from symbackprop.document.scene import scene_of
from symbackprop.document.sympy_says import Said, said, sympy_says
from symbackprop.networks.layers.architecture import Architecture
from symbackprop.networks.layers.losses import LOSSES
from symbackprop.networks.layers.multilayer import SAMPLES, Built, build
from symbackprop.notation import Notation
from symbackprop.writing.latex import Typesetting

WRITTEN_OUT = 5
FOLLOWED = 16


def document_of(
    architecture: Architecture,
    notation: Notation,
    values: Mapping[str, Any] | None = None,
    detail: str = "full",
    says: Said | None = None,
) -> Document:
    """The document for one network file; `values` are the file's numbers, `detail` is 'full' or
    'summary' (results and forward pass, without the steps), `says` what SymPy says of it."""
    built = build(architecture)
    one = desk_of(build(architecture, one_sample=True), _of_one_sample(architecture, notation))
    many = desk_of(built, notation, architecture.samples)
    proof = proven(many.sweep, many.setting.sizes)
    rest: list[Block] = []
    if detail == "full":
        rest += _derivation(one, many, architecture, notation)
        rest += _numbers(many, worked_point(architecture, values or {}, built), is_small(one))
    else:
        rest += [*summary(many)]
    results = [*overview(many, proof.checks, is_small(one))]
    signs = signs_in([*results, *rest])
    blocks = [*results, *forward(one, many, architecture.loss, signs), *rest]
    blocks += [*code(many, proof)]
    placed = numbered(blocks)
    title = f"Backpropagation through the network {architecture.name}"
    says = says or said(built, f"{architecture.name}.toml")
    return Document(title, (*placed, *account(placed), *sympy_says(built, says)))


def _derivation(
    one: Desk, many: Desk, architecture: Architecture, notation: Notation
) -> Iterator[Block]:
    """From the loss to every parameter: one sample, a batch, any layer."""
    if is_small(one):
        yield from primer()
        yield from graph(one, many)
    if not is_scalar(one):
        yield from backward(one)
    yield from batch(one, many)
    if is_scalar(one):
        return
    if len(architecture.layers) > 1:
        yield from pattern(many, notation)
    yield from needs(many)
    yield from activation(many)
    yield from losses(many, architecture)


def is_small(desk: Desk) -> bool:
    """Whether every operation can be followed one by one, for a reader who starts here."""
    operations = operations_of(desk)
    return operations is not None and len(operations.operations) <= FOLLOWED


def is_scalar(desk: Desk) -> bool:
    """Whether every quantity is one number, so that there is no matrix to speak of."""
    return bool(desk.own) and all(
        scene_value.size == 1 for scene_value in desk.own[0].values.values()
    )


def _numbers(many: Desk, worked: Worked | None, explained: bool) -> Iterator[Block]:
    """The same with numbers, where the file's sizes are numbers."""
    if worked is None:
        return
    at = desk_at(many, worked)
    if worked.is_written_out:
        yield from forward_values(at, worked)
        yield from samples(at)
    yield from descent(at, worked, explained)


def _of_one_sample(architecture: Architecture, notation: Notation) -> Notation:
    """The loss of one sample is L where the mean over samples has another letter; without a loss,
    what is differentiated is the output itself, if it is one number."""
    symbols = dict(notation.symbols)
    if not LOSSES[architecture.loss].labelled and architecture.layers[-1].units == 1:
        symbols["L"] = notation.symbol("yhat")
    elif architecture.reduction != "sum" and "L" in symbols and "L" not in symbols.values():
        symbols["L"] = "L"
    return replace(notation, symbols=tuple(symbols.items()))


def desk_of(built: Built, notation: Notation, samples: int | None = None) -> Desk:
    """A desk for the network of one sample or of a batch, with scenes to check on."""
    network = built.network
    setting = Typesetting(network.with_adjoints, notation, built.sizes)
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
    """The blocks with displays numbered from 1, those in asides too; what would print the same
    side twice, or the same equation twice in a row, is said once."""
    counter = iter(range(1, 1_000_000))
    return tuple(_numbered(block, counter) for block in _without_repetition(blocks))


def _without_repetition(blocks: list[Block]) -> list[Block]:
    kept: list[Block] = []
    last = ""
    for block in blocks:
        if isinstance(block, Display):
            block = _without_equal_sides(block)
            printed = chain_text(block.chain)
            if len(block.chain.sides) < 2 or printed == last:
                if kept and _announces(kept[-1]):
                    kept.pop()
                continue
            last = printed
        kept.append(block)
    return kept


def _announces(block: Block) -> bool:
    """A paragraph that ends in a colon promises a display."""
    match block:
        case Paragraph(text=(*_, str() as end)):
            return end.endswith(":")
        case _:
            return False


def _without_equal_sides(display: Display) -> Display:
    """Single entries make matrices, rows and entries look alike."""
    chain = display.chain
    shown = [show(side, chain.setting, chain.jacobian) for side in chain.sides]
    rules = (*display.rules, *[""] * (len(shown) - 1 - len(display.rules)))
    kept = [0, *(k for k in range(1, len(shown)) if shown[k] != shown[k - 1])]
    sides = tuple(chain.sides[k] for k in kept)
    return Display(replace(chain, sides=sides), tuple(rules[k - 1] for k in kept[1:]))


MARKS: Mapping[Meaning, str] = {
    "transpose": r"\top",
    "entrywise": r" \circ ",
    "quotient": r"\oslash",
    "ones": r"\mathbf{1}",
    "indicator": r"\mathbf{1}_{\lbrace",
    "diagonal": r"\operatorname{diag}",
}


def signs_in(blocks: list[Block]) -> frozenset[Meaning]:
    """The signs of the notation that these blocks use and a reader has to know."""
    texts = [chain_text(chain) for chain in (*chains(blocks, True), *chains(blocks, False))]
    texts += [show(part.formula, part.setting) for part in formulas_in(blocks)]
    found = {m for m, mark in MARKS.items() if any(mark in text for text in texts)}
    if not any(r"\mathbf{1}" in text.replace(MARKS["indicator"], "") for text in texts):
        found.discard("ones")
    if any(text.endswith("=I") or "= I" in text for text in texts):
        found.add("identity")
    return frozenset(found)


def chain_text(chain: Chain) -> str:
    return chain.relation.join(show(side, chain.setting, chain.jacobian) for side in chain.sides)


def _numbered(block: Block, counter: Iterator[int]) -> Block:
    match block:
        case Display():
            return replace(block, number=next(counter))
        case Aside():
            inner = _without_repetition(list(block.blocks))
            return replace(block, blocks=tuple(_numbered(part, counter) for part in inner))
        case _:
            return block
