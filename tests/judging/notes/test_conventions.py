r"""What a letter of a note means: \sigma is one function, z is what comes before the activation."""

from __future__ import annotations

from pathlib import Path

import pytest

from symbackprop import api
from symbackprop.judging.report import Claim


def claims(folder: Path, net: api.Net, *formulas: str) -> tuple[Claim, ...]:
    """The verdicts on a note of those formulas."""
    path = folder / "note.md"
    path.write_text("\n\n".join(f"$${formula}$$" for formula in formulas), encoding="utf-8")
    return api.verify(path, net).claims


def statuses(folder: Path, net: api.Net, *formulas: str) -> list[str]:
    return [claim.status for claim in claims(folder, net, *formulas)]


FORWARD = (r"z^{1} = x W^{1} + b^{1}", r"h^{1} = \sigma(z^{1})", r"z^{2} = h^{1} W^{2} + b^{2}")
LINEAR = (*FORWARD, r"\hat{y} = z^{2}")


def network(*layers: tuple[int, str], loss: str = "squared_error") -> api.Net:
    lines = ['name = "letters"', "input = 2", f'loss = "{loss}"']
    lines += ["half = true"] if loss == "squared_error" else []
    for units, activation in layers:
        lines += ["[[layers]]", 'type = "dense"', f"units = {units}"]
        lines += [f'activation = "{activation}"']
    return api.loads("\n".join(lines))


LOGISTIC = network((3, "sigmoid"), (2, "identity"))
PAIRS = (
    (
        r"\frac{\partial L}{\partial z^{2}} = \hat{y} - y",
        r"\frac{\partial L}{\partial z^{2}} = (\hat{y} - y) \circ \sigma'(z^{2})",
    ),
    (r"\hat{y} = h^{1} W^{2} + b^{2}", r"\hat{y} = \sigma(z^{2})"),
    (
        r"\frac{\partial L}{\partial z^{1}} = (\hat{y} - y) W^{2\top} \circ \sigma'(z^{1})",
        r"\frac{\partial L}{\partial z^{1}} = (\hat{y} - y) W^{2\top} \circ \sigma'(h^{1})",
    ),
)


@pytest.mark.parametrize(("right", "wrong"), PAIRS)
def test_sigma_is_the_sigmoid_beside_a_linear_output(
    tmp_path: Path, right: str, wrong: str
) -> None:
    assert statuses(tmp_path, LOGISTIC, *LINEAR, right, wrong)[4:] == ["verified", "refuted"]


def test_the_sigma_of_all_layers_is_not_that_of_the_linear_output(tmp_path: Path) -> None:
    generic = (
        r"h^{l} = \sigma(z^{l})",
        r"\delta^{l} = \delta^{l+1} W^{l+1\top} \circ \sigma'(z^{l})",
    )
    assert statuses(tmp_path, LOGISTIC, *LINEAR, *generic) == ["verified"] * 6


def test_sigma_of_hidden_units_is_not_the_softmax(tmp_path: Path) -> None:
    net = network((4, "sigmoid"), (3, "softmax"), loss="cross_entropy")
    output = r"\hat{y}_k = \frac{e^{z^{2}_k}}{\sum_j e^{z^{2}_j}}"
    hidden, wrong = r"h^{1}_j = \sigma(z^{1}_j)", r"\hat{y}_k = \sigma(z^{2}_k)"
    found = statuses(tmp_path, net, *FORWARD, output, hidden, wrong)
    assert found[:5] == ["verified"] * 5
    assert found[5] != "verified"


def test_a_line_that_says_what_sigma_is_there_does_not_say_it_for_the_note(tmp_path: Path) -> None:
    net = network((4, "sigmoid"), (3, "softmax"), loss="cross_entropy")
    own = r"\hat{y}_k = \sigma(z^{2})_k = \frac{e^{%sz^{2}_k}}{\sum_j e^{%sz^{2}_j}}"
    hidden = (
        r"h^{1}_j = \sigma(z^{1}_j)",
        r"\frac{\partial h^{1}_j}{\partial z^{1}_j} = \sigma(z^{1}_j)(1 - \sigma(z^{1}_j))",
    )
    lines = (FORWARD[0], FORWARD[2])
    assert statuses(tmp_path, net, own % ("", ""), *lines, *hidden) == ["verified"] * 5
    wrong = statuses(tmp_path, net, own % ("-", "-"), *lines, *hidden)
    assert wrong == ["refuted", *["verified"] * 4]


def test_another_activation_by_the_letter_sigma_is_undecided_where_the_layer_has_none(
    tmp_path: Path,
) -> None:
    r"""\sigma is \tanh by the first lines; "the activation of whatever layer" may be meant."""
    net = network((3, "tanh"), (2, "identity"))
    right, wrong = PAIRS[0]
    assert statuses(tmp_path, net, *LINEAR, right, wrong)[4:] == ["verified", "undecided"]


@pytest.mark.parametrize("letter", ["f", "g", r"\phi"])
def test_other_letters_are_the_activation_of_whatever_layer(tmp_path: Path, letter: str) -> None:
    net = network((3, "tanh"), (4, "relu"), (2, "identity"))
    generic = rf"h^{{l}} = {letter}(z^{{l}})"
    slope = rf"\delta^{{l}} = \delta^{{l+1}} W^{{l+1\top}} \odot {letter}'(z^{{l}})"
    assert statuses(tmp_path, net, generic, slope) == ["verified"] * 2
    assert statuses(tmp_path, net, generic, slope.replace("'", "")) == ["verified", "refuted"]


def test_a_marked_sigma_is_that_of_its_layer(tmp_path: Path) -> None:
    net = network((3, "tanh"), (2, "identity"))
    lines = (r"h^{[1]} = \sigma^{[1]}(z^{[1]})", r"\hat{y} = \sigma^{[2]}(z^{[2]})")
    assert statuses(tmp_path, net, *lines) == ["verified"] * 2
    assert statuses(tmp_path, net, lines[0], r"\hat{y} = \sigma^{[1]}(z^{[2]})")[1] == "refuted"


SOFTPLUS = network((3, "softplus"), (1, "identity"))


def test_sigma_is_the_slope_of_softplus(tmp_path: Path) -> None:
    definition = r"\sigma(z) = \frac{1}{1 + e^{-z}}"
    right, wrong = (rf"\operatorname{{softplus}}'(z) = \sigma{p}(z)" for p in ("", "'"))
    assert statuses(tmp_path, SOFTPLUS, definition, right, wrong) == [
        "verified",
        "verified",
        "refuted",
    ]
    assert statuses(tmp_path, SOFTPLUS, right) == ["verified"]
    assert statuses(tmp_path, SOFTPLUS, definition.replace("1 +", "2 +")) == ["refuted"]


def test_sigma_is_softplus_where_the_layer_says_so(tmp_path: Path) -> None:
    back = r"\delta^{1} = \delta^{2} W^{2\top} \odot \sigma%s(z^{1})"
    assert statuses(tmp_path, SOFTPLUS, *FORWARD[:2], back % "'", back % "") == [
        *["verified"] * 3,
        "refuted",
    ]


ENTRIES = [
    rf"\frac{{\partial L}}{{\partial z^{{1}}_{{{k}}}}} = \delta^{{2}} w^{{2}}_{{{k}}}"
    for k in (1, 2)
]


def test_a_forward_equation_is_not_outvoted(tmp_path: Path) -> None:
    """Read as h^1, z^1 would make both lines about derivatives true, and the first one false."""
    net = network((2, "relu"), (1, "identity"))
    assert statuses(tmp_path, net, FORWARD[0], *ENTRIES) == ["verified", "refuted", "refuted"]
    right = [line.replace(r"\partial z", r"\partial h") for line in ENTRIES]
    assert statuses(tmp_path, net, FORWARD[0], *right) == ["verified"] * 3


def test_z_is_an_activation_only_where_something_says_so(tmp_path: Path) -> None:
    net = network((2, "relu"), (1, "identity"))
    assert statuses(tmp_path, net, *ENTRIES) == ["refuted", "refuted"]
    sums = r"a^{1} = x W^{1} + b^{1}", r"z^{1} = f(a^{1})"
    assert statuses(tmp_path, net, *sums, *ENTRIES) == ["verified"] * 4
