"""The closed grammar of symbols, in pairs of right and nearly right, and layer marks."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from symbackprop import notation
from symbackprop.errors import SymbolError, UsageError
from symbackprop.notation import LAYER_MARKS, Notation, parse_symbol, scripted
from tests.render.tools import katex_errors, latex_errors, mathjax_errors

GOOD = {
    "a": "a",
    "W": "W",
    "ab": "ab",
    "h2": "h2",
    "δ": r"\delta",
    "Δ": r"\Delta",
    r"\alpha": r"\alpha",
    r"\Delta W": r"\Delta W",
    "ΔW": r"\Delta W",
    r"\hat{y}": r"\hat{y}",
    r"\hat y": r"\hat{y}",
    r"\bar\delta": r"\bar{\delta}",
    r"\mathbf{W}": r"\mathbf{W}",
    r"\mathbf{\hat{y}}": r"\mathbf{\hat{y}}",
    r"\boldsymbol\theta": r"\boldsymbol{\theta}",
    r"\mathcal{L}": r"\mathcal{L}",
    r"\mathbb{R}": r"\mathbb{R}",
    "W_1": "W_{1}",
    "W_{ij}": "W_{ij}",
    "a^{b}_c": "a_{c}^{b}",
    "x_{a_b}": "x_{a_{b}}",
    r"\widehat{ab}": r"\widehat{ab}",
}

BAD = {
    "": 1,
    " ": 1,
    "a ": 2,
    "2": 1,
    r"\input": 1,
    r"\input{/etc/passwd}": 1,
    r"\hatt{y}": 1,
    r"\hat": 5,
    r"\hat{}": 6,
    r"\hat{y": 5,
    "a}": 2,
    "{a}": 1,
    "a_": 3,
    "_a": 1,
    "a_1_2": 4,
    "a^1^2": 4,
    "a_1b": 4,
    "__import__": 1,
    "a__b": 3,
    '"a"': 1,
    "a'": 2,
    "$a$": 1,
    "a%": 2,
    "a#": 2,
    "a&b": 2,
    "a~b": 2,
    "a<b": 2,
    "a\nb": 2,
    "a\\\\b": 2,
    r"a\ b": 2,
    "é": 1,
    "А": 1,
    r"\mathcal{w}": 9,
    r"\mathbb{1}": 8,
    r"\mathfrak{\hat{a}}": 10,
    r"\write18{ls}": 1,
    r"\csname": 1,
    "a" * 65: 65,
    "_".join("a" * 2) + "_{a" * 10: 4,
}


@pytest.mark.parametrize(("text", "latex"), GOOD.items())
def test_symbol_is_read(text: str, latex: str) -> None:
    assert parse_symbol(text) == latex


@pytest.mark.parametrize(("text", "column"), BAD.items())
def test_symbol_outside_the_list_is_refused_at_its_column(text: str, column: int) -> None:
    with pytest.raises(SymbolError) as caught:
        parse_symbol(text)
    assert caught.value.column == column


def test_unknown_command_names_the_nearest() -> None:
    with pytest.raises(SymbolError, match=r"did you mean `hat`"):
        parse_symbol(r"\hatt{y}")


def test_deep_nesting_is_refused() -> None:
    with pytest.raises(SymbolError, match="nested deeper"):
        parse_symbol("a" + "^{a" * 8 + "}" * 8)
    with pytest.raises(SymbolError, match="nested deeper"):
        parse_symbol(r"\hat" * 8 + "a")


def read(text: str) -> str | SymbolError:
    try:
        return parse_symbol(text)
    except SymbolError as error:
        return error


PIECES = st.sampled_from(
    [*"aWx1δΔ_^{}{} ", r"\hat", r"\bar{", r"\mathbf{", r"\alpha", r"\mathcal{L}", "\\", "$", "\n"]
)


@given(st.lists(PIECES, max_size=14).map("".join) | st.text(max_size=20))
def test_accepted_symbols_are_inert_and_canonical(text: str) -> None:
    latex = read(text)
    if isinstance(latex, SymbolError):
        assert 1 <= latex.column <= len(text) + 1
        return
    assert re.fullmatch(r"[A-Za-z0-9\\{}_^ ]+", latex)
    assert set(re.findall(r"\\([A-Za-z]*)", latex)) <= set(notation._COMMANDS)
    assert parse_symbol(latex) == latex


@pytest.mark.parametrize("errors_of", [katex_errors, mathjax_errors])
def test_browsers_read_every_symbol_under_every_mark(
    errors_of: Callable[[list[tuple[str, bool]]], list[str]],
) -> None:
    assert errors_of([(latex, True) for latex in _marked_symbols()]) == []


def test_latex_reads_every_symbol_under_every_mark(tmp_path: Path) -> None:
    source = tmp_path / "symbols.tex"
    formulas = "\n\n".join(f"${latex}$" for latex in _marked_symbols())
    source.write_text(
        "\\documentclass{article}\n\\usepackage{amsmath,amssymb}\n"
        f"\\begin{{document}}\n{formulas}\n\\end{{document}}\n"
    )
    assert latex_errors(source) == []


@pytest.mark.parametrize(
    ("mark", "expected"),
    [("^l", "W^{3}"), ("_l", "W_{3}"), ("^(l)", "W^{(3)}"), ("^[l]", "W^{[3]}")],
)
def test_layer_mark(mark: str, expected: str) -> None:
    assert Notation(layer=mark).layered("W", 3) == expected


def test_layer_mark_takes_a_symbolic_layer() -> None:
    assert Notation(layer="^(l)").layered(r"\delta", "l+1") == r"\delta^{(l+1)}"


def test_second_script_of_a_kind_is_braced() -> None:
    assert Notation().layered("W^{a}", 3) == "{W^{a}}^{3}"
    assert Notation().layered("W_{a}", 3) == "W_{a}^{3}"
    assert scripted(r"\hat{y_{1}}", below="k") == r"\hat{y_{1}}_{k}"


def test_renamed_letter_replaces_the_usual_one() -> None:
    renamed = Notation(symbols=(("h", "a"), ("L", r"\mathcal L")))
    assert renamed.symbol("h") == "a"
    assert renamed.symbol("L", "J") == r"\mathcal{L}"
    assert renamed.symbol("yhat") == r"\hat{y}"
    assert renamed.symbol("W", "w") == "w"


def test_delta_is_counted_from_either_end() -> None:
    assert [Notation().delta_number(layer, 3) for layer in (1, 2, 3)] == [1, 2, 3]
    from_output = Notation(delta="from_output")
    assert [from_output.delta_number(layer, 3) for layer in (1, 2, 3)] == [3, 2, 1]


def test_notation_refuses_what_a_file_could_not_hold() -> None:
    with pytest.raises(SymbolError):
        Notation(symbols=(("h", r"\input{x}"),))
    with pytest.raises(UsageError, match="did you mean `yhat`"):
        Notation(symbols=(("yhta", "a"),))
    with pytest.raises(UsageError, match="did you mean `columns`"):
        Notation(samples="column")  # type: ignore[arg-type]


def test_notation_survives_replace() -> None:
    renamed = Notation(symbols=(("delta", "ΔW"),))
    assert replace(renamed, layer="_l").symbols == renamed.symbols


def _marked_symbols() -> list[str]:
    wrappers = (*notation._ACCENTS, *notation._FONTS, *notation._LETTER_FONTS)
    every = [*GOOD, *notation._GREEK_LETTERS]
    every += [f"\\{name}" for name in notation._GREEK_NAMES]
    every += [f"\\{name}{{W}}" for name in wrappers]
    notations = [Notation(layer=mark) for mark in LAYER_MARKS]
    return [n.layered(parse_symbol(text), 3) for n in notations for text in every]
