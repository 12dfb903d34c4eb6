"""How faults read, and that no input can steer the terminal through them."""

from __future__ import annotations

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from symbackprop import errors
from symbackprop.errors import ArrayError, Fault, OutputError, SpecError, SymbackpropError, nearest


def test_fault_reads_where_found_expected_hint() -> None:
    fault = Fault("layer 1: units", "0", "a whole number >= 1", "a layer has a unit")
    assert str(fault) == (
        "layer 1: units: found 0, expected a whole number >= 1; a layer has a unit"
    )


def test_fault_without_hint_ends_after_expected() -> None:
    assert str(Fault("loss", "nothing", "a word")) == "loss: found nothing, expected a word"


def test_spec_error_shows_file_line_and_caret() -> None:
    fault = Fault("units", "0", "1", line=2, column=9, width=1)
    error = SpecError([fault], "net.toml", ["name = 'a'", "units = 0"])
    assert str(error).splitlines() == [
        "net.toml:2: units: found 0, expected 1",
        "  2 | units = 0",
        "    |         ^",
    ]


def test_spec_error_names_every_fault() -> None:
    error = SpecError([Fault("a", "1", "2"), Fault("b", "3", "4")], "net.toml")
    assert str(error).splitlines() == [
        "net.toml: a: found 1, expected 2",
        "net.toml: b: found 3, expected 4",
    ]


def test_caret_stands_under_text_after_tabs() -> None:
    error = SpecError([Fault("k", "1", "2", line=1, column=3, width=2)], "f", ["\t\tab"])
    quoted, caret = str(error).splitlines()[1:]
    assert caret.index("^") == quoted.index("ab")


def test_thousands_of_faults_are_counted_not_shown() -> None:
    error = SpecError([Fault("a", "1", "2")] * 1500, "net.toml")
    assert str(error).endswith("... and 1400 more faults")
    assert len(error.faults) == 1500


@given(st.text(), st.text(), st.text(), st.integers(0, 5), st.integers(1, 300))
def test_any_text_is_rendered_without_control_characters(
    where: str, found: str, line: str, number: int, column: int
) -> None:
    fault = Fault(where, found, "x", line=number, column=column, width=3)
    for row in str(SpecError([fault], where, [line])).split("\n"):
        assert row.isprintable()


def test_array_error_names_array_found_and_expected() -> None:
    error = ArrayError("x", "shape (3, 2)", "shape (N, 5)")
    assert str(error) == "array x: found shape (3, 2), expected shape (N, 5)"
    assert isinstance(error, ValueError)


@pytest.mark.parametrize(
    "error",
    [
        SpecError([Fault("a", "1", "2", line=1)], "f", ["a = 1"]),
        ArrayError("x", "a", "b"),
        OutputError("out", "no"),
    ],
)
def test_errors_survive_pickling(error: SymbackpropError) -> None:
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


def test_every_exception_derives_from_the_family() -> None:
    found = [v for v in vars(errors).values() if isinstance(v, type) and issubclass(v, Exception)]
    assert len(found) > 5
    assert all(issubclass(cls, SymbackpropError) for cls in found)


@pytest.mark.parametrize(
    ("word", "expected"),
    [("activaton", "activation"), ("Units", "units"), ("unit", "units"), ("qqq", None), ("", None)],
)
def test_nearest_word(word: str, expected: str | None) -> None:
    assert nearest(word, ("activation", "units", "bias")) == expected
