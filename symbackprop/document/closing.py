"""The end of a document: the code, and an account of what was checked and how."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from symbackprop.document.blocks import (
    Aside,
    Block,
    Chain,
    Code,
    Display,
    Heading,
    Inline,
    Items,
    Listing,
    Maths,
    Paragraph,
    Table,
)
from symbackprop.document.desk import Desk
from symbackprop.document.proofs import Proven


def code(many: Desk, proof: Proven) -> Iterator[Block]:
    """The module that computes loss and gradients of a batch."""
    yield Heading(2, ("The code",))
    shown = (
        " Every line that computes a derivative, and the loss, was proved equal to the formulas"
        " above for all sizes: a program read each line and turned it into a formula with indices;"
        " that formula and the one above, written in one standard form, are identical. The"
        " code for the derivative by the input stands in the first table only; it was proved in"
        " the same way."
        if proof.is_complete
        else " Lines that could not be proved equal to the formulas are marked in the first table."
    )
    yield Paragraph(
        (
            "This module needs NumPy and nothing else, a library of the language Python for"
            " computing with arrays. Its arrays have one sample in each row; parameters come in a"
            " dictionary by name, and the gradients go out the same way. A bias and its gradient"
            " are plain lists of numbers there, which NumPy adds to every row of a matrix. In the"
            " code, ",
            Code("N"),
            " is the number of samples, ",
            Code("@"),
            " the matrix product, ",
            Code("*"),
            " the product entry by entry, ",
            Code(".T"),
            " exchanges rows and columns, ",
            Code(".sum(axis=0)"),
            " adds the entries of each column.",
            shown,
        )
    )
    stable = [words for helper, words in STABLE.items() if f"def {helper}(" in proof.source]
    if stable:
        yield Paragraph(
            (
                "Some lines are written so that large numbers do no harm. ",
                *stable,
                "In both, ",
                Code(".real"),
                " changes nothing for ordinary numbers; it lets the code run with complex ones,"
                " which some checks need.",
            )
            if len(stable) > 1
            else (
                "One function is written so that large numbers do no harm. ",
                *stable,
                "There ",
                Code(".real"),
                " changes nothing for ordinary numbers; it lets the code run with complex ones,"
                " which some checks need.",
            )
        )
    yield Listing(proof.source)


STABLE = {
    "log_softmax": "In the logarithm of the softmax, the largest score is subtracted from all:"
    " that changes no quotient, because numerator and denominator gain the same factor, and no"
    " exponential is too large; the loss uses the logarithm, since an output can round to 0. ",
    "softmax": "In the softmax, the largest score is subtracted from all: that changes no quotient,"
    " because numerator and denominator gain the same factor, and no exponential is too large."
    " ",
    "sigmoid": "In the sigmoid, no exponential of a positive number is taken: for negative z,"
    " numerator"
    " and denominator are multiplied by the exponential of z. ",
    "softplus": "In the softplus, no exponential of a positive number is taken. ",
}


def account(blocks: Sequence[Block]) -> Iterator[Block]:
    """How many equations the document holds, and how they were checked."""
    shown = [chain.check.kind for chain in chains(blocks, displayed=True)]
    inside = [chain.check.kind for chain in chains(blocks, displayed=False)]
    defining = shown.count("definition")
    yield Heading(2, ("How this document was checked",))
    yield Paragraph(
        (
            f"This section is about the program that made the document. Of its {len(shown)}"
            f" numbered equations, {defining} introduce a letter or restate the network; the"
            f" other {len(shown) - defining}, and {len(inside)} equations inside sentences and"
            " tables, were compared before they were placed on the page. Rounded numbers (≈) had"
            " to agree to the digits printed; a section on calculus, where there is one, says"
            " itself how its lines were checked. In all other equations the sides were evaluated"
            " at numbers without any pattern and had to agree to ten digits: the values come from"
            " the equations of the forward pass alone, and derivatives from adding a"
            " tiny imaginary number to a variable and reading off the imaginary part of the"
            " result (the complex step), so no formula of the backward pass confirms itself."
            " Formulas that hold for any size were compared at sizes that all differ.",
        )
    )
    yield Paragraph(
        (
            "The command ",
            Code("symbackprop check"),
            " goes further and prints a table: it repeats every step of every derivation in"
            " numbers, and compares each gradient with a network that the algebra system SymPy"
            " builds entry by entry and differentiates, and with a network written by hand.",
        )
    )


def chains(blocks: Iterable[Block], displayed: bool) -> Iterator[Chain]:
    """Displayed equations, or those inside sentences and tables."""
    for block in blocks:
        match block:
            case Display():
                yield from [block.chain] if displayed else []
            case Aside():
                yield from chains(block.blocks, displayed)
            case Listing():
                pass
            case _:
                if not displayed:
                    yield from (part for part in _inline(block) if isinstance(part, Chain))


def formulas_in(blocks: Iterable[Block]) -> Iterator[Maths]:
    """Formulas inside sentences and tables that claim nothing."""
    for block in blocks:
        match block:
            case Display() | Listing():
                pass
            case Aside():
                yield from formulas_in(block.blocks)
            case _:
                yield from (part for part in _inline(block) if isinstance(part, Maths))


def _inline(block: Heading | Paragraph | Table | Items) -> Iterator[Inline]:
    match block:
        case Heading() | Paragraph():
            yield from block.text
        case Table():
            yield from (part for row in block.rows for cell in row for part in cell)
        case Items():
            yield from (part for line in block.lines for part in line)
