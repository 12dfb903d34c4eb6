"""Definitions that hold for a section: formulas about them are not refuted, real slips are."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.judging.notes.test_notes import judged
from tests.judging.notes.test_scopes import SLIP, found, shown

pytestmark = pytest.mark.slow

MARKED = r"In a network, \(z^2 = h^1 W^2 + b^2\)."


def statuses(folder: Path, text: str) -> list[str]:
    return [status for status, _ in found(folder, text)]


@pytest.mark.parametrize(
    ("words", "formula", "later"),
    [
        ("For a curve,", "y = x^2", r"\frac{dy}{dx} = 2 x"),
        ("Let", "y = f(g(x))", r"\frac{dy}{dx} = f'(g(x)) g'(x)"),
        ("Take the function", "f(x) = 2 x", "f(1 + 0.001) = 2.002"),
        ("Suppose", "y = 3 x (1 + x)", "y = 3 x + 3 x^2"),
        ("Let", "h = 3 x", r"\frac{dh}{dx} = 3"),
        ("Consider", "y = e^{2 x}", r"\frac{dy}{dx} = 2 y"),
        ("Take for example", "L(w) = w^2", r"\frac{dL}{dw} = 2 w"),
    ],
)
def test_a_definition_for_a_section_and_what_follows_from_it(
    tmp_path: Path, words: str, formula: str, later: str
) -> None:
    text = f"## Calculus\n\n{words}" + shown(formula) + "So:" + shown(later)
    assert "refuted" not in statuses(tmp_path, text)
    inline = f"## Calculus\n\n{words} ${formula}$. So:" + shown(later)
    assert "refuted" not in statuses(tmp_path, inline)


def test_the_reason_names_the_line_of_the_definition(tmp_path: Path) -> None:
    text = "## Calculus\n\nFor a curve, $y = x^{2}$, we have" + shown(r"\frac{dy}{dx} = 2 x")
    (claim,) = found(tmp_path, text)
    assert claim[0] == "undecided"
    assert claim[1].startswith("in this section y is x^{2} (line ")


def test_a_definition_holds_until_the_next_one_and_in_its_section(tmp_path: Path) -> None:
    text = "## A\n\nLet $y = x^2$." + shown("y = x x") + "Now let $y = 3 x$." + shown("y = 2 x + x")
    text += "## B" + shown("y = x x")
    first, second, third = found(tmp_path, text)
    assert "is x^2" in first[1]
    assert "is 3 x" in second[1]
    assert third[0] == "refuted"


def test_without_such_words_it_is_judged(tmp_path: Path) -> None:
    assert statuses(tmp_path, "## A\n\nNow we see:" + shown("y = x^2")) == ["refuted"]


def test_a_number_above_that_may_be_that_of_a_layer_is_undecided(tmp_path: Path) -> None:
    assert statuses(tmp_path, "## A\n\nLet" + shown(r"\sigma(z) = z^2")) == ["undecided"]


@pytest.mark.parametrize(
    ("words", "slip"),
    [
        ("Let", r"\sigma(z) = \frac{1}{1 + e^{z}}"),
        ("Let", r"\sigma(x) = \frac{1}{1 + e^{x}}"),
        ("Consider the function", r"\sigma(z) = \frac{1}{1 - e^{-z}}"),
        ("Take the activation", r"\sigma(x) = x^2"),
        ("Let", r"z^2 = h^1 W^2 - b^2"),
        ("Let", r"h^1 = \sigma(h^1)"),
        ("The loss is, say,", r"L = \sum_k y_k \log \hat{y}_k"),
        ("Let", r"L = \sum_k y_k \log \hat{y}_k"),
        ("Let", r"L = \sum_k (\hat{y}_k - y_k)^2"),
        ("Suppose", r"\delta^2 = y - \hat{y}"),
        ("Suppose", r"\hat{y} = softmax(z^1)"),
        ("For example", r"\frac{\partial L}{\partial b^2} = 2 \delta^2"),
        ("Consider", r"\delta^1 = \delta^2 (W^2)^T"),
    ],
)
def test_slips_behind_such_words_are_refuted(tmp_path: Path, words: str, slip: str) -> None:
    assert statuses(tmp_path, f"## A\n\n{words}" + shown(slip)) == ["refuted"]
    if not slip.startswith("L"):  # an inline one states nothing
        inline = f"## A\n\n{MARKED} {words} ${slip}$."
        assert statuses(tmp_path, inline) == ["verified", "refuted"]


def test_a_definition_excuses_no_formula_of_the_network_in_its_section(tmp_path: Path) -> None:
    wrong = r"\delta^2 = y - \hat{y}"
    text = "## A\n\nLet $y = x^2$, $h = 3 x$." + shown(wrong, SLIP, r"\sigma(x) = 1 + e^{x}")
    assert statuses(tmp_path, text) == ["refuted"] * 3


def test_where_the_section_has_layers_the_activation_and_the_loss_are_those_of_the_network(
    tmp_path: Path,
) -> None:
    for formula in ("\\sigma(x) = 2 x", "L(w) = w^2"):
        text = f"## A\n\n{MARKED} Take" + shown(formula)
        assert statuses(tmp_path, text) == ["verified", "refuted"]


ONE = """```toml symbackprop
name = "one"
input = 2
loss = "squared_error"
reduction = "sum"
half = true
[[layers]]
type = "dense"
units = 1
activation = "sigmoid"
```

$$z = x w + b$$

$$a = \\sigma(z)$$

$$L = \\frac{1}{2} (a - y)^2$$

## Backward

"""


@pytest.mark.parametrize(
    "slip",
    [
        "a = 1 - \\sigma(z)",
        "z = x w",
        "z = x w - b",
        "a = \\sigma(z)^2",
        "L = \\frac{1}{2} (a + y)^2",
        "\\delta = a + y",
        "\\sigma(z) = \\frac{1}{1 + e^{z}}",
        "L(y) = y^2",
    ],
)
def test_slips_are_refuted_where_a_network_has_no_layer_marks(tmp_path: Path, slip: str) -> None:
    before = "$$\\delta = (a - y) a (1 - a)$$\n\n" if "delta" in slip else ""
    assert judged(tmp_path, f"{ONE}{before}Let\n\n$$\n{slip}\n$$\n").claims[-1].status == "refuted"
