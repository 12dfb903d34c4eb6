"""Tokens are one spelling of each thing, with their places; what is invisible leaves none."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from symbackprop.reading.latex.lexer import tokenize


def words(latex: str) -> str:
    return " ".join(token.text for token in tokenize(latex))


@pytest.mark.parametrize(
    ("latex", "expected"),
    [
        (r"\begin {bmatrix} a \end{ bmatrix }", r"\begin{bmatrix} a \end{bmatrix}"),
        (r"\left( x \right)", "( x )"),
        (r"\bigl[ x \Bigr]", "[ x ]"),
        (r"\left| x \right|", r"\lvert x \rvert"),
        (r"\left\| x \right\|", r"\lVert x \rVert"),
        (r"\left\lbrace x \right.", r"\{ x \right."),
        (r"\lbrace x \rbrace", r"\{ x \}"),
        (r"a\,b\;c\!d~e\ f", "a b c d e f"),
        (r"a \label{eq:1} \tag{2} \nonumber \notag", "a"),
        (r"\textcolor{red}{x} \color{blue} y", "{ x } y"),
        (r"a \\[4pt] b \\ [a]", r"a \\ b \\ [ a ]"),
        ("a % b = c\nd", "a d"),
        (r"\dfrac12", r"\frac 12"),
        (r"0.5 1e-3 2x", "0.5 1e-3 2 x"),
        (r"a := b += c != d <= e", r"a := b += c \neq d \leq e"),
        (r"\coloneqq \triangleq \le \ne \implies", r":= := \leq \neq \Rightarrow"),
        ("exp(z) xlogy log", "exp ( z ) x l o g y log"),
        ("softmax ReLU MSE XW", "softmax ReLU MSE X W"),
        (r"\text{if $z > 0$}", r"\text{if } z > 0"),
        (r"\text{if z > 0}", r"\text{if } z > 0"),
        (r"\mathrm{d}W \text{d} x \mathsf T", r"\dd W \dd x \top"),
        (r"\operatorname*{arg\,max}", r"\operatorname{argmax}"),
        ("∂L/∂W ⊙ σ′", r"\partial L / \partial W \odot \sigma '"),
        ("ŷ y\u0302 𝐖 ℓ", r"\hat y \hat y \mathbf W \ell"),
        ("x₁₂ W⁽ˡ⁾ Aᵀ", "x _ { 12 } W ^ { ( l ) } A ^ { T }"),
        (r"\cdots \ldots \vdots ...", r"\dots \dots \dots \dots"),
        (r"\mathrel{+}= \mathrel{:=}", "+= :="),
        (r"\bigodot \circledcirc \ast", r"\odot \circ *"),
        (r"\text{a {b} c}", r"\text{a {b} c}"),
    ],
)
def test_spellings_become_one(latex: str, expected: str) -> None:
    assert words(latex) == expected


def test_places_are_those_of_the_source() -> None:
    latex = r"\hat{y}_1 = \left(z\right)"
    assert [latex[t.start : t.end] for t in tokenize(latex)] == [
        r"\hat", "{", "y", "}", "_", "1", "=", "(", "z", ")",
    ]  # fmt: skip


def test_a_d_is_glued_to_its_letter_only_without_a_blank() -> None:
    assert [token.glued for token in tokenize("dW d W")][1::2] == [True, False]


def test_mathematics_within_words_keeps_its_place() -> None:
    latex = r"x \text{if $z > 0$}"
    assert [latex[t.start : t.end] for t in tokenize(latex)[2:]] == ["z", ">", "0"]


@given(st.text(max_size=80))
def test_tokens_of_any_text_are_in_order_and_inside(latex: str) -> None:
    places = [(token.start, token.end) for token in tokenize(latex)]
    assert all(0 <= start <= end <= len(latex) for start, end in places)
    assert places == sorted(places, key=lambda place: place[0])
