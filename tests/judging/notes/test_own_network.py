r"""A note as its own network: what is taken, what is asked for, and slips found under it."""

from __future__ import annotations

from pathlib import Path

import pytest

import symbackprop as sbp
from symbackprop.cli import main
from symbackprop.judging.notes.own.functions import scalar_function
from symbackprop.judging.notes.own.judged import judge_by_itself
from symbackprop.judging.notes.own.layers import network_of
from symbackprop.judging.notes.own.records import Missing, Taken
from symbackprop.judging.report import FileReport
from symbackprop.networks.layers.architecture import Architecture
from symbackprop.reading.latex.parser import read
from symbackprop.reading.latex.syntax import Statement, Symbol
from symbackprop.reading.notes.markdown import read_markdown


def lines(*formulas: str) -> str:
    return "\n".join(f"$${formula}$$" for formula in formulas)


def taken(*formulas: str) -> Taken:
    found = network_of(read_markdown("n.md", lines(*formulas)))
    assert isinstance(found, Taken), found
    return found


def first(*formulas: str) -> Architecture:
    return taken(*formulas).candidates[0].architecture


def gaps(text: str) -> list[str]:
    found = network_of(read_markdown("n.md", text))
    assert isinstance(found, Missing), found
    return [str(gap) for gap in found.gaps]


def judged(text: str) -> FileReport:
    return judge_by_itself(read_markdown("n.md", text))


def statuses(report: FileReport) -> dict[int, list[str]]:
    assert not report.problem, report.problem
    found: dict[int, list[str]] = {}
    for claim in report.claims:
        found.setdefault(claim.line, []).append(claim.status)
    return found


# --------------------------------------------------------------------------------------------
# Styles: what is taken, a note that holds, and the same with a slip
# --------------------------------------------------------------------------------------------

STYLES = {
    "rows": (
        (
            r"z^1 = x W^1 + b^1, \quad h^1 = \sigma(z^1)",
            r"z^2 = h^1 W^2 + b^2, \quad \hat y = \sigma(z^2)",
            r"L = \frac12 \|\hat y - y\|^2",
        ),
        r"\delta^1 = ((\hat y - y) \circ \sigma'(z^2)) W^{2\top} \circ \sigma'(z^1)",
        r"\delta^1 = ((\hat y - y) \circ \sigma'(z^2)) W^{2\top} \circ \sigma'(z^2)",
        (("sigmoid", "sigmoid"), "squared_error", True),
    ),
    "columns": (
        (
            r"z^{(1)} = W^{(1)} x + b^{(1)}, \quad a^{(1)} = \tanh(z^{(1)})",
            r"z^{(2)} = W^{(2)} a^{(1)} + b^{(2)}, \quad \hat y = \mathrm{softmax}(z^{(2)})",
            r"J = -\sum_k y_k \log \hat y_k",
        ),
        r"\frac{\partial J}{\partial W^{(2)}} = (\hat y - y) (a^{(1)})^T",
        r"\frac{\partial J}{\partial W^{(2)}} = (y - \hat y) (a^{(1)})^T",
        (("tanh", "softmax"), "cross_entropy", False),
    ),
    "a batch in columns": (
        (
            r"Z^{[1]} = W^{[1]} A^{[0]} + b^{[1]}, \quad A^{[1]} = \mathrm{ReLU}(Z^{[1]})",
            r"Z^{[2]} = W^{[2]} A^{[1]} + b^{[2]}, \quad A^{[2]} = \sigma(Z^{[2]})",
            r"J = -\frac{1}{m} \sum_{i=1}^m \left( y^{(i)} \log a^{[2](i)} "
            r"+ (1 - y^{(i)}) \log (1 - a^{[2](i)}) \right)",
        ),
        r"\frac{\partial J}{\partial W^{[2]}} = \frac{1}{m} (A^{[2]} - Y) A^{[1]T}",
        r"\frac{\partial J}{\partial W^{[2]}} = (A^{[2]} - Y) A^{[1]T}",
        (("relu", "sigmoid"), "binary_cross_entropy", False),
    ),
    "nested": (
        (
            r"h = \sigma(W_1 x + b_1)",
            r"\hat y = W_2 h + b_2",
            r"L = \frac12 \|\hat y - y\|^2",
        ),
        r"\frac{\partial L}{\partial W_1} = (W_2^\top (\hat y - y) \odot h \odot (1 - h)) x^\top",
        r"\frac{\partial L}{\partial W_1} = (W_2 (\hat y - y) \odot h \odot (1 - h)) x^\top",
        (("sigmoid", "identity"), "squared_error", True),
    ),
    "any layer": (
        (
            r"L = 2",
            r"z^l = W^l a^{l-1} + b^l, \quad a^l = \sigma(z^l)",
            r"C = \frac12 \sum_j (y_j - a^L_j)^2",
        ),
        r"\delta^l = ((W^{l+1})^T \delta^{l+1}) \odot \sigma'(z^l)",
        r"\delta^l = (W^{l+1} \delta^{l+1}) \odot \sigma'(z^l)",
        (("sigmoid", "sigmoid"), "squared_error", True),
    ),
    "entry by entry": (
        (
            r"z_j = \sum_i w_{ji} x_i + b_j, \quad h_j = \tanh(z_j)",
            r"s_k = \sum_j v_{kj} h_j + c_k, \quad \hat y_k = \frac{e^{s_k}}{\sum_m e^{s_m}}",
            r"E = -\sum_k y_k \ln \hat y_k",
        ),
        r"\frac{\partial E}{\partial v_{kj}} = (\hat y_k - y_k) h_j",
        r"\frac{\partial E}{\partial v_{kj}} = (\hat y_k - y_k) x_j",
        (("tanh", "softmax"), "cross_entropy", False),
    ),
    "layers told by indices": (
        (
            r"z_j = \sum_i w_{ji} x_i, \quad a_j = \sigma(z_j)",
            r"z_k = \sum_j w_{kj} a_j, \quad a_k = \sigma(z_k)",
            r"E = \frac12 \sum_k (a_k - t_k)^2",
        ),
        r"\frac{\partial E}{\partial w_{kj}} = (a_k - t_k) a_k (1 - a_k) a_j",
        r"\frac{\partial E}{\partial w_{kj}} = (a_k - t_k) a_k a_j",
        (("sigmoid", "sigmoid"), "squared_error", True),
    ),
    "a function of its own": (
        (
            r"f(z) = \max(0, z)",
            r"a_1 = f(W_1 x), \quad \hat y = W_2 a_1",
            r"L = \|\hat y - y\|^2",
        ),
        r"\frac{\partial L}{\partial W_2} = 2(\hat y - y) a_1^T",
        r"\frac{\partial L}{\partial W_2} = (\hat y - y) a_1^T",
        (("relu", "identity"), "squared_error", False),
    ),
    "letters without layers": (
        (
            r"h = \max(0, x W_1 + b_1), \quad s = h W_2 + b_2",
            r"p_k = \frac{e^{s_k}}{\sum_j e^{s_j}}",
            r"L = -\sum_k y_k \log p_k",
        ),
        r"\frac{\partial L}{\partial s} = p - y",
        r"\frac{\partial L}{\partial s} = y - p",
        (("relu", "softmax"), "cross_entropy", False),
    ),
    "numbers alone": (
        (r"z = w x + b", r"\hat y = \sigma(z)", r"L = \frac12 (\hat y - y)^2"),
        r"\frac{dL}{dw} = (\hat y - y) \hat y (1 - \hat y) x",
        r"\frac{dL}{dw} = (\hat y - y) \hat y (1 + \hat y) x",
        (("sigmoid",), "squared_error", True),
    ),
    "weights that leave their layer": (
        (
            r"z^{(2)} = \Theta^{(1)} x, \quad a^{(2)} = \sigma(z^{(2)})",
            r"z^{(3)} = \Theta^{(2)} a^{(2)}, \quad a^{(3)} = \sigma(z^{(3)})",
            r"J = \frac12 \|a^{(3)} - y\|^2",
        ),
        r"\frac{\partial J}{\partial z^{(3)}} = (a^{(3)} - y) \odot \sigma'(z^{(3)})",
        r"\frac{\partial J}{\partial z^{(3)}} = (a^{(3)} - y) \odot \sigma'(z^{(2)})",
        (("sigmoid", "sigmoid"), "squared_error", True),
    ),
}


@pytest.mark.parametrize("style", STYLES)
def test_the_network_is_taken_from_the_forward_equations(style: str) -> None:
    forward, _, _, (activations, loss, half) = STYLES[style]
    found = first(*forward)
    assert tuple(layer.activation for layer in found.layers) == activations
    assert (found.loss, found.half) == (loss, half)


@pytest.mark.parametrize("style", STYLES)
def test_right_lines_hold_under_it(style: str) -> None:
    forward, right, _, _ = STYLES[style]
    found = statuses(judged(lines(*forward, right)))
    assert found.pop(len(forward) + 1) == ["verified"]
    assert {status for line in found.values() for status in line} == {"definition"}


@pytest.mark.parametrize("style", STYLES)
def test_a_slip_is_refuted_at_its_line(style: str) -> None:
    forward, _, wrong, _ = STYLES[style]
    found = statuses(judged(lines(*forward, wrong)))
    assert [n for n, line in found.items() if "refuted" in line] == [len(forward) + 1]


# --------------------------------------------------------------------------------------------
# What is taken
# --------------------------------------------------------------------------------------------

LAYER = r"z^1 = x W^1 + b^1, \quad h^1 = \tanh(z^1), \quad \hat y = h^1 W^2"
SQUARES = r"L = \|\hat y - y\|^2"


def test_biases_are_as_written() -> None:
    assert [layer.bias for layer in first(LAYER, SQUARES).layers] == [True, False]


def test_sizes_are_taken_where_they_are_stated() -> None:
    stated = r"W^1 \in \mathbb{R}^{3 \times 4}, \quad y \in \mathbb{R}^K"
    assert first(stated, LAYER, SQUARES).widths == (3, 4, "K")
    turned = r"\hat y = W x", r"W \in \mathbb{R}^{3 \times 4}"
    assert first(*turned, SQUARES).widths == (4, 3)


def test_a_size_of_a_batch_is_not_that_of_a_layer() -> None:
    rows = r"\hat Y = X W", r"X \in \mathbb{R}^{7 \times 2}", r"L = \|\hat Y - Y\|^2"
    assert first(*rows).widths[0] == 2


def test_two_sizes_of_one_layer_are_told() -> None:
    told = gaps(lines(r"b^1 \in \mathbb{R}^5, \quad h^1 \in \mathbb{R}^4", LAYER, SQUARES))
    assert told == ["lines 1 and 1 give one size as 5 and 4"]


@pytest.mark.parametrize(
    ("formula", "name"),
    [
        (r"\frac{1}{1 + e^{-t}}", "sigmoid"),
        (r"\frac{e^t}{1 + e^t}", "sigmoid"),
        (r"\frac{e^t - e^{-t}}{e^t + e^{-t}}", "tanh"),
        (r"\max(0, t)", "relu"),
        (r"\max(0.01 t, t)", "leaky_relu"),
        (r"\begin{cases} t & t > 0 \\ 0 & \text{otherwise} \end{cases}", "relu"),
        (r"\ln(1 + e^t)", "softplus"),
        (r"t", "identity"),
        (r"\frac{1}{1 + e^{t}}", ""),
        (r"\tanh(t) + 1", ""),
    ],
)
def test_a_function_is_known_by_its_values(formula: str, name: str) -> None:
    (statement,) = read(formula)
    assert isinstance(statement, Statement)
    found = scalar_function(statement.sides[0], lambda n: isinstance(n, Symbol) and n.head == "t")
    assert found == name


def test_lines_about_any_layer_hold_in_the_range_that_is_stated() -> None:
    found = first(
        r"z^l = W^l a^{l-1} + b^l, \quad l = 1, \dots, 3",
        r"a^l = \tanh(z^l), \quad l = 1, 2",
        r"\hat y = \mathrm{softmax}(z^3), \quad L = -\sum_k y_k \log \hat y_k",
    )
    assert [layer.activation for layer in found.layers] == ["tanh", "tanh", "softmax"]


def test_the_deepest_mark_is_the_last_layer_where_none_is_stated() -> None:
    general = r"z^l = W^l a^{l-1} + b^l, \quad a^l = \sigma(z^l)", r"C = \frac12 \|a^L - y\|^2"
    assert len(first(*general, r"\frac{\partial C}{\partial b^2} = \delta^2").layers) == 2
    assert len(first(*general, r"\frac{\partial C}{\partial z^4} = \delta^4").layers) == 4


def test_what_the_note_says_of_its_network_comes_first() -> None:
    report = judged(lines(LAYER, r"L = \frac{1}{N} \sum_n \|\hat y_n - y_n\|^2"))
    said = report.settings["network"]
    assert next(iter(report.settings)) == "network"
    assert said == (
        "taken from the note: 2 layers, tanh, identity; squared error, mean over samples "
        "(lines 1, 2)"
    )


# --------------------------------------------------------------------------------------------
# What the note leaves open refutes nothing
# --------------------------------------------------------------------------------------------

BATCH = (
    r"Z = X W + b, \quad \hat Y = \operatorname{softmax}(Z)",
    r"\ell = -\sum_k y_k \log \hat y_k",
)


@pytest.mark.parametrize("factor", ["", r"\frac{1}{N} "])
def test_a_sum_and_a_mean_over_samples_are_right_where_neither_is_said(factor: str) -> None:
    gradients = (
        rf"\frac{{\partial \ell}}{{\partial Z}} = {factor}(\hat Y - Y)",
        rf"\frac{{\partial \ell}}{{\partial W}} = {factor}X^\top (\hat Y - Y)",
        rf"\frac{{\partial \ell}}{{\partial b}} = {factor}\sum_n (\hat Y_n - Y_n)",
    )
    found = judged(lines(*BATCH) + "\n\n## A batch\n\n" + lines(*gradients))
    assert "refuted" not in str(statuses(found))
    assert "sum or mean over samples not said" in found.settings["network"]


def test_no_slip_is_refuted_that_another_reduction_excuses() -> None:
    both = (
        r"\frac{\partial \ell}{\partial W} = X^\top (\hat Y - Y)",
        r"\frac{\partial \ell}{\partial b} = \frac1N \sum_n (\hat Y_n - Y_n)",
        r"\frac{\partial \ell}{\partial W} = X^\top (Y - \hat Y)",
    )
    found = statuses(judged(lines(*BATCH, *both)))
    assert "refuted" not in found[3] + found[4]
    assert found[5] == ["refuted"]


def test_a_mean_whose_factor_is_left_to_the_parameters_is_right() -> None:
    """The loss may be that of one sample, though its letters are those of a batch."""
    forward = r"Z = W X + b, \quad A = \sigma(Z)", r"J = \frac12 \|A - y\|^2"
    right = (
        r"\frac{\partial J}{\partial Z} = (A - Y) \odot \sigma'(Z)",
        r"\frac{\partial J}{\partial W} = \frac1m \frac{\partial J}{\partial Z} X^T",
        r"\frac{\partial J}{\partial b} = \frac1m \sum_i \frac{\partial J}{\partial Z^{(i)}}",
    )
    slip = r"\frac{\partial J}{\partial W} = \frac1m X^T \frac{\partial J}{\partial Z}"
    found = statuses(judged(lines(*forward, *right, slip)))
    assert [n for n, line in found.items() if "refuted" in line] == [6]


def test_sigma_may_be_another_function_than_custom_has_it() -> None:
    forward = STYLES["rows"][0]
    slope = r"\sigma'(z^1) = 1 - \sigma(z^1)^2"
    sigmoid = r"\sigma(z) = \frac{1}{1 + e^{-z}}"
    assert statuses(judged(lines(*forward, slope)))[4] == ["undecided"]
    assert statuses(judged(lines(*forward, sigmoid, slope)))[5] == ["refuted"]


def test_prose_may_take_a_slip_away() -> None:
    forward = r"h = \sigma(W_1 x), \quad \hat y = W_2 h", SQUARES
    slope = lines(*forward, r"\sigma'(z) = \frac{1}{1 + e^{-z}}")
    assert statuses(judged(slope))[3] == ["refuted"]
    assert statuses(judged("Here $\\sigma$ is the softplus.\n" + slope))[4] == ["undecided"]


def test_single_entries_hang_on_the_sizes() -> None:
    wrong = r"\hat y_1 + \hat y_2 + \hat y_3 = 1"
    forward = r"z = W x, \quad \hat y = \mathrm{softmax}(z)", r"L = -\sum_k y_k \log \hat y_k"
    assert statuses(judged(lines(*forward, wrong)))[3] == ["undecided"]
    three = r"W \in \mathbb{R}^{3 \times 2}"
    assert statuses(judged(lines(*forward, three, wrong)))[4] == ["verified"]
    four = r"W \in \mathbb{R}^{4 \times 2}"
    assert statuses(judged(lines(*forward, four, wrong)))[4] == ["refuted"]


# --------------------------------------------------------------------------------------------
# What is asked for
# --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["", "All prose, with the sigmoid in each layer.\n", "$$x$$"])
def test_without_layers_one_is_asked_for(text: str) -> None:
    (told,) = gaps(text)
    assert told.startswith("no line gives a layer; write the layers, e.g.")


def test_without_a_loss_it_is_asked_for() -> None:
    (told,) = gaps(lines(LAYER))
    assert told.startswith("no line gives the loss; write it")
    chosen = gaps(lines(LAYER, r"L = -\log \hat y_c", r"\frac{\partial L}{\partial y} = (a-b)^2"))
    assert chosen == [told]


def test_a_function_that_nobody_names_is_asked_for_at_its_line() -> None:
    told = gaps(lines(r"\hat y = f(W x)", SQUARES))
    assert told == [r"line 1: nothing says which function f is; write it, e.g. `f(z) = \tanh(z)`"]


def test_prose_names_no_function() -> None:
    assert gaps("Here f is the sigmoid.\n" + lines(r"\hat y = f(W x)", SQUARES))


def test_a_function_that_the_catalogue_lacks_is_told() -> None:
    told = gaps(lines(r"f(z) = z e^z", r"\hat y = f(W x)", SQUARES))
    assert told[0].startswith("line 1: f is none of identity, sigmoid")


def test_an_activation_that_is_left_out_is_asked_for_by_its_layer() -> None:
    told = gaps(lines(r"z^2 = W^2 h^1 + b^2, \quad \hat y = z^2", SQUARES))
    assert told == [
        r"line 1: h^{1} is read, and no line gives it; write the activation of layer 1, "
        r"e.g. `h^{1} = \sigma(z^{1})`"
    ]


def test_the_depth_is_asked_for() -> None:
    told = gaps(lines(r"z^l = W^l a^{l-1}, \quad a^l = \sigma(z^l)", r"C = \|a^L - y\|^2"))
    assert told == ["line 1: nothing says how many layers there are; write it, e.g. `L = 3`"]


def test_the_output_is_asked_for_where_the_last_line_is_no_activation() -> None:
    told = gaps(lines(r"z = x W + b", r"L = -\sum_k y_k \log \hat y_k"))
    assert told == [
        r"line 2: nothing says what the output is; write it, e.g. "
        r"`\hat y = \operatorname{softmax}(z)`"
    ]


@pytest.mark.parametrize(
    "formula",
    [
        r"h = x + \sigma(W x), \quad \hat y = V h",
        r"h_t = \tanh(W x_t + U h_{t-1}), \quad \hat y = V h",
        r"z = W x, \quad h = m \odot \sigma(z), \quad \hat y = V h",
    ],
)
def test_what_is_no_dense_layer_is_told(formula: str) -> None:
    assert gaps(lines(formula, SQUARES)) == [
        "line 1: what line 1 gives as h is not read as a layer"
    ]


def test_weights_in_two_layers_are_told() -> None:
    told = gaps(lines(r"h = \sigma(W x), \quad g = \sigma(W h), \quad \hat y = V g", SQUARES))
    assert told == ["line 1: w stands in two layers, which no network file has"]


def test_a_loss_of_one_entry_is_not_that_of_one_output() -> None:
    assert not judged(lines(LAYER, r"L = (\hat y_k - y_k)^2")).claims
    assert first(LAYER, r"L = (\hat y - y)^2").widths[-1] == 1
    assert first(LAYER, r"L_n = (\hat y_n - y_n)^2").widths[-1] == 1


def test_very_deep_notes_are_refused_at_once() -> None:
    general = r"z^l = W^l a^{l-1}, \quad a^l = \sigma(z^l), \quad C = \|a^L - y\|^2"
    assert gaps(lines(general, "L = 1000000000"))[0].startswith("the last layer is 1000000000")
    assert gaps(lines(general, r"l = 1, \dots, 999999999"))


def test_a_loss_that_does_not_fit_is_told_with_both_lines() -> None:
    told = gaps(lines(r"\hat y = \tanh(x W)", r"L = -\sum_k y_k \log \hat y_k"))
    assert told == [
        "line 2: the cross-entropy needs softmax in the last layer, and line 1 has tanh; "
        "write another"
    ]


@pytest.mark.parametrize(
    ("formulas", "told"),
    [
        ((LAYER, r"h^1 = \sigma(z^1)", SQUARES), "lines 1 and 2 give h^1 in two ways; write one"),
        (
            (r"f(z) = \tanh z", r"f(z) = \max(0, z)", r"\hat y = f(x W)", SQUARES),
            "lines 1 and 2 give f in two ways; write one",
        ),
        ((LAYER, SQUARES, r"L = \frac12 \|\hat y - y\|^2"), "lines 2 and 3 give two losses"),
        (
            (r"h = \sigma(W h)", r"\hat y = V h", SQUARES),
            "line 1: h is made from itself; mark the layers, as in z^1",
        ),
        (
            (r"\hat y = \sigma(W^1 x)", SQUARES, r"z^2 = W^2 a + b^2"),
            "line 3: W^2 is in no layer that leads to the loss; write the layer",
        ),
    ],
)
def test_contradictory_forward_passes_are_no_network(formulas: tuple[str, ...], told: str) -> None:
    assert gaps(lines(*formulas)) == [told]


def test_a_network_under_which_its_own_lines_do_not_hold_is_not_taken() -> None:
    report = judged(lines(LAYER, r"L = \frac{1}{5N} \sum_n \|\hat y_n - y_n\|^2"))
    assert not report.claims
    assert "line 2: it cannot be judged under the network that lines 1, 2" in report.problem


# --------------------------------------------------------------------------------------------
# On the command line and in Python
# --------------------------------------------------------------------------------------------


@pytest.fixture
def page(tmp_path: Path) -> Path:
    path = tmp_path / "page.md"
    path.write_text(lines(LAYER, SQUARES, r"\frac{\partial L}{\partial \hat y} = 2(\hat y - y)"))
    return path


def test_a_student_needs_nothing_but_the_page(
    page: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["verify", str(page)]) == 0
    told = " ".join(capsys.readouterr().out.split())
    assert told.startswith(f"{page}: network taken from the note: 2 layers, tanh, identity;")
    assert sbp.verify(str(page)).ok


def test_what_is_missing_exits_with_two(page: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page.write_text(lines(LAYER))
    assert main(["verify", str(page)]) == 2
    assert "no line gives the loss" in capsys.readouterr().err


def test_a_given_network_stands_above_that_of_the_note(page: Path) -> None:
    assert "network" not in sbp.verify(str(page), "four-layer").settings
