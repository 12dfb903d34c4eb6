"""docs/network-files.md says what a network file may hold: every key, every word, every default."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import fields

import pytest

from symbackprop.document.numbers import SAMPLES_UNLESS_STATED
from symbackprop.networks import file as spec
from symbackprop.networks.layers import architecture
from symbackprop.networks.layers.activations import ACTIVATIONS
from symbackprop.networks.layers.losses import LOSSES
from symbackprop.notation import (
    DEFAULT_SYMBOLS,
    DELTA_NUMBERINGS,
    LAYER_MARKS,
    SAMPLE_LAYOUTS,
    Notation,
)
from tests.places import ROOT

TEXT = (ROOT / "docs/network-files.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^## (.+)\n((?:(?!## ).*\n?)*)", TEXT, re.MULTILINE))
BOOLEANS = ("true", "false")


def rows(section: str) -> dict[str, list[str]]:
    """The cells of each row of a section's table, by its key."""
    lines = [line for line in SECTIONS[section].splitlines() if line.startswith("| `")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return {codes(key)[0]: rest for key, *rest in cells}


def codes(text: str) -> list[str]:
    return re.findall(r"`([^`]+)`", text)


@pytest.mark.parametrize(
    ("section", "keys"),
    [
        ("The network", spec._TOP_KEYS),
        ("Layers", spec._LAYER_KEYS),
        ("Notation", spec._NOTATION_KEYS),
    ],
)
def test_every_key_has_its_row_and_no_other_is_there(section: str, keys: tuple[str, ...]) -> None:
    assert tuple(rows(section)) == keys


def test_every_table_has_its_section() -> None:
    assert {f"{name.capitalize()}" for name in spec._TABLES} <= set(SECTIONS)


@pytest.mark.parametrize(
    ("section", "key", "words"),
    [
        ("The network", "loss", LOSSES),
        ("The network", "reduction", architecture.REDUCTIONS),
        ("The network", "half", BOOLEANS),
        ("The network", "labels", architecture.LABELS),
        ("Layers", "type", spec._LAYER_TYPES),
        ("Layers", "activation", ACTIVATIONS),
        ("Layers", "bias", BOOLEANS),
        ("Notation", "samples", SAMPLE_LAYOUTS),
        ("Notation", "layer", LAYER_MARKS),
        ("Notation", "delta", DELTA_NUMBERINGS),
    ],
)
def test_the_words_of_a_key_are_all_there(section: str, key: str, words: Iterable[str]) -> None:
    assert tuple(codes(rows(section)[key][0])) == tuple(words)


def test_defaults_are_those_of_the_records() -> None:
    records = {
        "The network": architecture.Architecture,
        "Layers": architecture.Layer,
        "Notation": Notation,
    }
    for section, record in records.items():
        known = {field.name: field.default for field in fields(record)}
        for key, cells in rows(section).items():
            stated = codes(cells[1])
            if cells[1] == f"`{''.join(stated)}`":
                default = known[key]
                wanted = str(default).lower() if isinstance(default, bool) else default
                assert stated == [wanted], (section, key)


def test_letters_bounds_and_names_are_those_of_the_code() -> None:
    sentence = SECTIONS["Notation"].partition("gives a letter to")[2].partition(". ")[0]
    assert codes(sentence) == list(DEFAULT_SYMBOLS)
    assert f"at most {spec.LONGEST_NAME}" in TEXT
    assert f"from 1 to {spec.LARGEST_SIZE:,}" in TEXT
    assert f"up to {spec.MOST_LAYERS:,}" in TEXT
    assert f"at most {spec.LARGEST_FILE // 10**6} MB" in TEXT
    assert f"nests at most {spec.DEEPEST} levels" in TEXT
    assert f"else {SAMPLES_UNLESS_STATED}" in rows("The network")["samples"][1]


@pytest.mark.parametrize("text", re.findall(r"^```toml\n(.*?)^```", TEXT, re.DOTALL | re.MULTILINE))
def test_the_files_shown_are_read(text: str) -> None:
    assert spec.loads(text).architecture.layers


def test_the_readme_leads_there() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert "(docs/network-files.md)" in readme
