"""The material that the judge of notes is measured with: complete, repeatable, well-formed."""

from __future__ import annotations

import tomllib
from collections import Counter
from pathlib import Path

import pytest

from tests.bench_verify import MAP, seed_text
from tests.carried import derivations
from tests.rewrites import rewrites
from tests.slips import NOTES, SLUGS, choose, chosen, formulas, slipped_text

PATHS = sorted(p for p in NOTES.rglob("*") if p.suffix in (".md", ".tex"))


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_each_formula_of_a_note_is_labelled(path: Path) -> None:
    with path.with_suffix(".labels.toml").open("rb") as file:
        labels = tomllib.load(file)["formula"]
    found = [formula.line for formula in formulas(path.read_text(encoding="utf-8"))]
    assert [label["line"] for label in labels] == found
    assert {label["status"] for label in labels} <= {"right", "definition"}
    assert 12 <= len(found) <= 40


def test_the_committed_slips_are_those_that_the_rules_choose() -> None:
    assert list(chosen()) == choose()
    assert len(chosen()) == 400
    assert len({slip.note for slip in chosen()}) >= 5
    assert any(slip.note.startswith("unseen/") for slip in chosen())


def test_each_slip_has_a_kind_and_changes_one_formula() -> None:
    assert {slip.kind for slip in chosen()} <= set(SLUGS)
    for slip in chosen():
        before = formulas((NOTES / slip.note).read_text(encoding="utf-8"))
        after = formulas(slipped_text(slip))
        changed = [a.line for a, b in zip(before, after, strict=True) if a.text != b.text]
        assert changed == [slip.line]


def test_a_thousand_rewritings_are_different_and_repeatable() -> None:
    made = list(rewrites())
    assert made == list(rewrites())
    assert len({(note, text) for note, text, _, _ in made}) == 1000
    assert min(Counter(kind for *_, kind in made).values()) >= 10


def test_rewritings_keep_brackets_balanced() -> None:
    for note, text, line, kind in rewrites():
        for formula in formulas(text):
            for one, other in ("()", "{}"):
                assert formula.text.count(one) == formula.text.count(other), (note, line, kind)


def test_a_hundred_derivations_carry_a_slip_over_three_lines_at_least() -> None:
    made = list(derivations())
    assert len({derivation.text for derivation in made}) == 100
    for derivation in made:
        lines = [formula.line for formula in formulas(derivation.text)]
        assert len(lines) >= 8
        assert len(derivation.carried) >= 3
        assert derivation.slip < min(derivation.carried)
        assert sorted([derivation.slip, *derivation.carried, *derivation.right]) == lines


def test_the_rebuilt_text_has_its_formulas_at_their_lines() -> None:
    with MAP.open("rb") as file:
        entries = tomllib.load(file)["formula"]
    lines = seed_text().split("\n")
    assert all(entry["seed"] in lines[entry["line"] - 1] for entry in entries)
