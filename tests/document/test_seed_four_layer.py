"""Every formula of the text that the example four-layer comes from has its place in our document.

`data/four_layer_map.toml` holds the 107 formulas with what is wrong with some of them, and for each
the equations of our document that state the same, right. Here the document is made afresh, with
error terms numbered from the output as in that text, and every mapped equation has to stand in it,
checked; where that text is wrong, ours has to say something else, in letters and in value.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from symbackprop.document.blocks import (
    Aside,
    Block,
    Chain,
    Display,
    Document,
    Heading,
    Items,
    Line,
    Paragraph,
    Table,
)
from symbackprop.document.build import desk_of, document_of
from symbackprop.document.desk import Desk
from symbackprop.document.formulas import Formula, show, value
from symbackprop.document.render import chain_latex, display_latex, render
from symbackprop.networks import file as spec
from symbackprop.networks.layers.multilayer import build
from tests.places import DATA

Array = npt.NDArray[Any]

FORMULAS = 107
COUNTS = {"right": 82, "wrong": 12, "bare": 10, "range": 3}
CHECKED = ("numeric", "exact", "proved", "definition")


@dataclass(frozen=True)
class Mapped:
    """One formula of the text, and the equations of ours, each as the sides that say it."""

    ordinal: int
    line: int
    seed: str
    verdict: str
    equations: tuple[tuple[str, ...], ...]
    note: str = ""
    wrong: tuple[str, ...] = ()
    right: tuple[str, ...] = ()


def read() -> tuple[Mapped, ...]:
    table = tomllib.loads((DATA / "four_layer_map.toml").read_text(encoding="utf-8"))
    return tuple(
        Mapped(
            **{
                **entry,
                "equations": tuple(map(tuple, entry["equations"])),
                "wrong": tuple(entry.get("wrong", ())),
                "right": tuple(entry.get("right", ())),
            }
        )
        for entry in table["formula"]
    )


MAP = read()
WRONG = tuple(one for one in MAP if one.verdict == "wrong")
BY_ORDINAL = {one.ordinal: one for one in MAP}


# --------------------------------------------------------------------------------------------
# Our document
# --------------------------------------------------------------------------------------------


@cache
def numbered_from_output() -> spec.Specification:
    loaded = spec.load("four-layer")
    return replace(loaded, notation=replace(loaded.notation, delta="from_output"))


@cache
def document() -> Document:
    given = numbered_from_output()
    return document_of(given.architecture, given.notation, given.values)


@cache
def text() -> str:
    return plain(render(document(), "tex"))


def plain(latex: str) -> str:
    return re.sub(r"\s+", " ", latex).strip()


@dataclass(frozen=True)
class Placed:
    """A chain of the document, its sides as they read, and the whole as printed."""

    chain: Chain
    sides: tuple[str, ...]
    printed: str

    def says(self, sides: Iterable[str]) -> bool:
        return set(sides) <= set(self.sides)


@cache
def chains() -> tuple[Placed, ...]:
    return tuple(_chains(document().blocks))


def _chains(blocks: Iterable[Block]) -> Iterator[Placed]:
    for block in blocks:
        match block:
            case Display():
                yield _placed(block.chain, display_latex(block))
            case Aside():
                yield from _chains(block.blocks)
            case _:
                for part in (part for line in _lines(block) for part in line):
                    if isinstance(part, Chain):
                        yield _placed(part, chain_latex(part))


def _lines(block: Block) -> Iterator[Line]:
    match block:
        case Paragraph() | Heading():
            yield block.text
        case Items():
            yield from block.lines
        case Table():
            yield from block.header
            yield from (cell for row in block.rows for cell in row)


def _placed(chain: Chain, printed: str) -> Placed:
    return Placed(chain, tuple(plain(shown(chain, side)) for side in chain.sides), plain(printed))


def shown(chain: Chain, side: Formula) -> str:
    return show(side, chain.setting, chain.jacobian)


def found(sides: tuple[str, ...]) -> list[Placed]:
    """The chains of the document that say all of this."""
    return [placed for placed in chains() if placed.says(sides)]


# --------------------------------------------------------------------------------------------
# The map
# --------------------------------------------------------------------------------------------


def test_every_formula_is_mapped() -> None:
    assert [one.ordinal for one in MAP] == list(range(1, FORMULAS + 1))
    assert all(one.equations for one in MAP)
    assert all(len(sides) > 1 for one in MAP for sides in one.equations)
    lines = [one.line for one in MAP]
    assert lines == sorted(set(lines))


def test_every_formula_has_a_verdict() -> None:
    counts = dict.fromkeys(COUNTS, 0)
    for one in MAP:
        counts[one.verdict] += 1
        assert bool(one.wrong) == bool(one.right) == (one.verdict == "wrong"), one.ordinal
        assert one.note or one.verdict in ("right", "bare"), one.ordinal
        assert ("=" in one.seed) == (one.verdict != "bare") or one.ordinal == 13
    assert counts == COUNTS


@pytest.mark.parametrize("one", MAP, ids=lambda one: f"{one.ordinal}")
def test_the_document_states_it(one: Mapped) -> None:
    for sides in one.equations:
        placed = found(sides)
        assert placed, f"formula {one.ordinal}: no equation says {' = '.join(sides)}"
        assert all(side in text() for side in sides)
        assert any(candidate.printed in text() for candidate in placed)
        assert all(candidate.chain.check.kind in CHECKED for candidate in placed)


def test_a_statement_that_is_not_there_is_noticed() -> None:
    (sides, *_) = BY_ORDINAL[31].equations
    assert not found((*sides, "w_{1,1}^{2}"))
    assert not found((sides[0], "w_{2,1}^{3}"))


# --------------------------------------------------------------------------------------------
# Where the text is wrong
# --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("one", WRONG, ids=lambda one: f"{one.ordinal}")
def test_ours_reads_differently_where_the_text_is_wrong(one: Mapped) -> None:
    ours = " ; ".join(side for sides in one.equations for side in sides)
    assert [part for part in one.wrong if part in ours] == []
    assert [part for part in one.right if part not in ours] == []


@cache
def desk(samples: int | None = None) -> Desk:
    given = numbered_from_output()
    built = build(given.architecture, one_sample=samples is None)
    return desk_of(built, given.notation, samples)


def quantities(samples: int | None = None) -> dict[str, Array]:
    return {name: np.asarray(array) for name, array in desk(samples).own[0].values.items()}


def ours(ordinal: int, side: int = -1, samples: int | None = None) -> Array:
    """The value of a side of the first equation that states the formula."""
    (sides, *_) = BY_ORDINAL[ordinal].equations
    chain = found(sides)[0].chain
    wanted = next(one for one in chain.sides if plain(shown(chain, one)) == sides[side])
    return value(wanted, desk(samples).own[0])


def entry_of_second_layer(row: int, column: int) -> Callable[[], Array]:
    return lambda: quantities()["W2"][row, column]


def first_slope_mixed() -> Array:
    """diag(sigma') with sigma(z_1) (1 - sigma(z_2)) as its first entry."""
    h = quantities()["h2"]
    return np.diag([h[0] * (1 - h[1]), *(h[1:] * (1 - h[1:]))])


def equal_rows() -> Array:
    """The first feature of every sample in all rows, times the error terms."""
    batch = quantities(3)
    return np.tile(batch["h2"][:, 0], (4, 1)) @ batch["delta3"]


CLAIMS: dict[int, tuple[Callable[[], Array], int | None]] = {
    31: (entry_of_second_layer(0, 0), None),
    32: (entry_of_second_layer(1, 0), None),
    35: (entry_of_second_layer(0, 1), None),
    61: (first_slope_mixed, None),
    104: (equal_rows, 3),
}


@pytest.mark.parametrize("ordinal", CLAIMS)
def test_ours_has_another_value_where_the_text_is_wrong(ordinal: int) -> None:
    claim, samples = CLAIMS[ordinal]
    claimed = claim()
    stated = ours(ordinal, samples=samples)
    assert np.shape(stated) == np.shape(claimed)
    assert np.max(np.abs(stated - claimed)) > 1e-3
    np.testing.assert_allclose(stated, ours(ordinal, side=0, samples=samples), rtol=1e-10)


def test_what_the_text_names_is_not_there() -> None:
    """Layer 2 has no third row of weights, and no matrix of the shape of W3 transposed; layer 1
    has neither three columns nor three biases."""
    values = quantities()
    assert values["W2"].shape == (2, 4)  # 33, 34 and 36 want rows 3 and 4
    assert ours(36).shape == (3, 4)
    assert ours(79).shape == values["W1"].shape == (2, 2)
    assert ours(80).shape == (1, 2)
    assert values["h1"].shape == (2,)


def test_the_misplaced_operators_are_right_in_value() -> None:
    """Formula 60 differentiates the wrong entries: a slip that values alone do not show."""
    h = quantities()["h2"]
    assert ours(60).shape == (4, 1)
    np.testing.assert_allclose(ours(60)[:, 0], [h[0] * (1 - h[0]), 0, 0, 0], rtol=1e-10)


def test_the_numbers_of_the_error_terms_agree() -> None:
    """delta^(L - l) with L layers of nodes is our delta^(D + 1 - l) with D layers of weights."""
    notation, depth = (
        numbered_from_output().notation,
        len(numbered_from_output().architecture.layers),
    )
    nodes = depth + 1
    for l in range(1, depth + 1):
        assert notation.delta_number(l, depth) == nodes - l
