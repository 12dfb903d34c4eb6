"""The end of a document: the code, and an account of what was checked and how."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from symbackprop.document.blocks import (
    Aside,
    Block,
    Chain,
    Code,
    Display,
    Heading,
    Items,
    Listing,
    Paragraph,
    Table,
)
from symbackprop.document.desk import Desk
from symbackprop.document.proofs import Proven


def code(many: Desk, proof: Proven) -> Iterator[Block]:
    """The module that computes loss and gradients of a batch."""
    yield Heading(2, ("The code",))
    shown = (
        "It was read back into index equations and proved equal to the derivation for all sizes,"
        " the loss and the stable form of the forward pass included."
        if proof.is_complete
        else "Lines that could not be proved equal to the derivation are marked in the table above."
    )
    yield Paragraph(
        (
            "This module needs NumPy and nothing else. ",
            shown,
            " Its arrays have one sample in each row; parameters come in a dictionary by name, and"
            " the gradients go out the same way.",
        )
    )
    yield Listing(proof.source)


def account(blocks: Iterable[Block], proof: Proven) -> Iterator[Block]:
    """How many equations the document holds, and how each kind was checked."""
    kinds = Counter(chain.check.kind for chain in _chains(blocks))
    yield Heading(2, ("How this document was checked",))
    yield Paragraph(
        (
            "No equation is placed on the page before its sides have been compared. ",
            f"Here {kinds['numeric']} equations were compared at generic numbers, all sides within"
            " a relative distance of 1e-10: values come from the forward equations alone, and"
            " derivatives from the complex step, so that no derived formula confirms itself."
            " Formulas in letters were compared with all sizes different, literal matrices at"
            " the sizes of this network. ",
            f"{kinds['definition']} equations introduce a letter or restate the network.",
        )
    )
    yield Paragraph(
        (
            "The command ",
            Code("symbackprop check"),
            " goes further and prints a table: it replays each step of each derivation with an"
            " interpreter that knows no rules, and compares each gradient with a network that SymPy"
            " builds entry by entry and differentiates, and with a NumPy network written by hand.",
        )
    )


def _chains(blocks: Iterable[Block]) -> Iterator[Chain]:
    for block in blocks:
        match block:
            case Display():
                yield block.chain
            case Aside():
                yield from _chains(block.blocks)
            case Heading() | Paragraph():
                yield from (part for part in block.text if isinstance(part, Chain))
            case Table():
                cells = (cell for row in block.rows for cell in row)
                yield from (part for cell in cells for part in cell if isinstance(part, Chain))
            case Items():
                yield from (p for line in block.lines for p in line if isinstance(p, Chain))
            case Listing():
                pass
