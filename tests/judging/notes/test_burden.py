r"""What may be called wrong, and what must have been read for it: pairs of a right line and its
nearest wrong one, and lines that nothing anchors."""

from __future__ import annotations

from pathlib import Path

import pytest

from symbackprop import api, errors
from symbackprop.judging.notes import page
from tests.judging.notes.test_conventions import claims, statuses

BUGS = errors.BUGS
LAYER = '[[layers]]\ntype = "dense"\n'


def network(reduction: str = "sum", bias: bool = True, loss: str = "cross_entropy") -> api.Net:
    last = "softmax" if loss == "cross_entropy" else "identity"
    return api.loads(
        f'name = "two"\ninput = 3\nloss = "{loss}"\nreduction = "{reduction}"\n'
        f'{LAYER}units = 4\nactivation = "tanh"\nbias = {str(bias).lower()}\n'
        f'{LAYER}units = 2\nactivation = "{last}"\n'
    )


ERROR = r"\delta^l = \delta^{l+1} (W^{l+1})^\top \odot (1 - h^l \odot h^l)"
ONE = (
    r"z^1 = x W^1 + b^1",
    r"h^1 = \tanh(z^1)",
    r"z^2 = h^1 W^2 + b^2",
    r"L = -\sum_{k=1}^{K} y_k \log \hat y_k",
    r"\delta^2 = \frac{\partial L}{\partial z^2} = \hat y - y",
)
BATCH = (
    r"Z^1 = X W^1 + b^1",
    r"H^1 = \tanh(Z^1)",
    r"Z^2 = H^1 W^2 + b^2",
    r"L = -\frac{1}{N} \sum_{n=1}^{N} \sum_{k=1}^{K} Y_{nk} \log \hat Y_{nk}",
    r"\delta^2 = \frac{\partial L}{\partial Z^2} = \frac{1}{N} (\hat Y - Y)",
)


def last(tmp_path: Path, net: api.Net, *lines: str) -> str:
    return statuses(tmp_path, net, *lines)[-1]


def behind(tmp_path: Path, words: str, line: str) -> str:
    """What is said of a line that stands behind those words."""
    path = tmp_path / "note.md"
    shown = "\n\n".join(f"$$\n{formula}\n$$" for formula in ONE)
    path.write_text(f"{shown}\n\n{words}\n\n$$\n{line}\n$$\n", encoding="utf-8")
    return api.verify(path, network()).claims[-1].status


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        (r"e^{2 z^1_j} = e^{z^1_j} e^{z^1_j}", r"e^{2 z^1_j} = e^{2 h^1_j}"),
        (r"(\hat y_k)^{2 y_k} = ((\hat y_k)^{y_k})^2", r"(\hat y_k)^{2 y_k} = (\hat y_k)^2"),
        (
            r"(1-\hat y)^{1-y} = e^{(1-y) \log(1-\hat y)}",
            r"(1-\hat y)^{1-y} = e^{y \log(1-\hat y)}",
        ),
        (r"\sum_{k=1}^{K} \hat y_k = 1", r"\sum_{k=1}^{K-1} \hat y_k = 1"),
        (r"\sum_{k=K}^{K} y_k = y_K", r"\sum_{k=K}^{K} y_k = 1"),
        (
            r"\sum_{l=1}^{2} \|W^l\|^2 = \|W^1\|^2 + \|W^2\|^2",
            r"\sum_{l=1}^{2} \|W^l\|^2 = 2 \|W^l\|^2",
        ),
        (r"\sum_k \sum_q \delta_{kq} \hat y_q = 1", r"\sum_k \sum_q \delta_{kq} \hat y_q = 2"),
        (
            r"\frac{\partial L}{\partial W^l} = (h^{l-1})^\top \delta^l, \quad l = 1, \dots, L",
            ERROR + r", \quad l = 1, \dots, L",
        ),
        (
            ERROR + r", \quad 1 \le l \le 1",
            ERROR + r", \quad 1 \le l \le 2",
        ),
    ],
)
def test_what_enters_a_value_decides(right: str, wrong: str, tmp_path: Path) -> None:
    assert statuses(tmp_path, network(), *ONE, right, wrong)[-2:] == ["verified", "refuted"]


@pytest.mark.parametrize("wrong", [r"\frac{1}{3}", r"\frac{1}{7}", r"\frac{2}{N(N-1)}"])
def test_sizes_of_test_points_are_no_numbers(wrong: str, tmp_path: Path) -> None:
    right = r"\frac{\partial L}{\partial b^2} = \frac{1}{N} \sum_n (\hat Y_n - Y_n)"
    line = rf"\frac{{\partial L}}{{\partial b^2}} = {wrong} \sum_n (\hat Y_n - Y_n)"
    found = statuses(tmp_path, network("mean"), *BATCH, right, line)
    assert found[-2:] == ["verified", "refuted"]


def test_a_size_ends_no_sum_over_another_axis(tmp_path: Path) -> None:
    right = r"\frac{\partial L}{\partial b^2} = \sum_{n=1}^{N} \delta^2_n"
    wrong = r"\frac{\partial L}{\partial b^2} = \sum_{k=1}^{K} \delta^2_k"
    assert statuses(tmp_path, network("mean"), *BATCH, right, wrong)[-2:] == ["verified", "refuted"]


@pytest.mark.parametrize(
    "line",
    [
        r"\sum_{k=0}^{K} y_k = 1",
        r"10^{15} + \hat y_k = 10^{15} + y_k",
        r"e^{40} + L = e^{40} + 2 L",
    ],
)
def test_what_is_not_read_whole_is_undecided(line: str, tmp_path: Path) -> None:
    assert last(tmp_path, network(), *ONE, line) == "undecided"


def test_a_bias_that_a_layer_lacks_is_no_part_of_what_holds_for_all(tmp_path: Path) -> None:
    without = network(bias=False)
    lines = (r"z^1 = x W^1", *ONE[1:])
    forward = r"z^l = h^{l-1} W^l + b^l"
    gradient = r"\frac{\partial L}{\partial b^l} = \delta^l"
    assert statuses(tmp_path, network(), *ONE, forward, gradient)[-2:] == ["verified"] * 2
    assert statuses(tmp_path, without, *lines, forward, gradient)[-2:] == ["refuted", "verified"]


# ---- what prose says


def test_a_keyword_decides_nothing(tmp_path: Path) -> None:
    off = r"\frac{\partial \hat y_i}{\partial z^2_k} = -\hat y_i \hat y_k"
    assert behind(tmp_path, "We differentiate.", off) == "refuted"
    assert behind(tmp_path, "Now for different units:", off) == "undecided"
    assert behind(tmp_path, "Off the diagonal", rf"{off} \quad (i \neq k)") == "verified"
    single = r"L = -\log \hat y_1"
    assert behind(tmp_path, "The units have different weights.", off) == "refuted"
    assert behind(tmp_path, "We make no assumption on the class.", single) == "refuted"
    assert behind(tmp_path, "Suppose that we have a sample.", single) == "refuted"
    assert behind(tmp_path, "Take the class that is true.", single) == "refuted"
    assert behind(tmp_path, "If the class is known:", single) == "undecided"
    assert behind(tmp_path, "Assume that $y_1 = 1$.", single) == "verified"


def test_what_is_only_supposed_is_not_refuted(tmp_path: Path) -> None:
    line = r"\hat y = z^2"
    assert behind(tmp_path, "If the output were linear, we would have", line) == "undecided"
    assert behind(tmp_path, "The output is linear.", line) == "refuted"


# ---- what anchors a letter


def test_letters_written_as_nowhere_else_refute_nothing(tmp_path: Path) -> None:
    first = r"z^{(1)}_{p,q,r} = x_{p,q} W^{(1)}_{p,q,r} + b^{(1)}_{p,q,r}"
    second = r"z^{(2)}_{p,q,r} = h^{(1)}_{p,q} W^{(2)}_{p,q,r} + b^{(2)}_{p,q,r}"
    found = claims(tmp_path, network(), first, second)
    assert {claim.status for claim in found} == {"undecided"}
    assert "no other line shows" in found[0].sentence
    assert "say what" in found[0].sentence


def test_what_follows_from_an_undecided_line_is_undecided(tmp_path: Path) -> None:
    lines = (
        r"q_7 = \hat y - y",
        r"q_7^{(p,1)} = y - \hat y",
        r"\frac{\partial L}{\partial b^2} = q_7",
    )
    found = statuses(tmp_path, network(), *ONE, *lines)
    assert "refuted" not in found[-3:]


def test_an_activation_may_be_called_as_its_value(tmp_path: Path) -> None:
    lines = (r"z_j^l = \sum_i w_{ij}^l a_i^{l-1} + b_j^l", r"a_i^l = a(z_i^l)")
    assert "refuted" not in statuses(tmp_path, network(loss="squared_error"), *lines)


# ---- ways of writing that a whole note has


def test_errors_may_be_counted_one_higher_than_their_layer(tmp_path: Path) -> None:
    forward = tuple(line.replace("^1", "_1").replace("^2", "_2") for line in ONE[:3])
    loss = r"L = -\sum_k y_k \log \hat y_k"
    higher = (
        r"\delta_3 = \hat y - y",
        r"\delta_2 = \delta_3 W_2^T \odot (1 - h_1 \odot h_1)",
        r"\frac{\partial L}{\partial W_2} = h_1^T \delta_3",
        r"\frac{\partial L}{\partial W_1} = x^T \delta_2",
    )
    assert set(statuses(tmp_path, network(), *forward, loss, *higher)) == {"verified"}
    wrong = (*higher[:-1], r"\frac{\partial L}{\partial W_1} = x^T \delta_3")
    assert statuses(tmp_path, network(), *forward, loss, *wrong)[-1] == "refuted"


def test_the_mean_may_be_left_to_the_parameters(tmp_path: Path) -> None:
    lines = (
        r"\frac{\partial L}{\partial Z^2} = \hat Y - Y",
        r"\frac{\partial L}{\partial W^2} = \frac{1}{N} (H^1)^T \frac{\partial L}{\partial Z^2}",
        r"\frac{\partial L}{\partial W^1} = \frac{1}{N} X^T \frac{\partial L}{\partial Z^1}",
    )
    assert "refuted" not in statuses(tmp_path, network("mean"), *BATCH[:4], *lines)
    plain = (*BATCH, r"\frac{\partial L}{\partial W^2} = (H^1)^T \delta^2", lines[0])
    assert statuses(tmp_path, network("mean"), *plain)[-1] == "refuted"


def test_factors_side_by_side_are_entrywise_where_that_is_a_habit(tmp_path: Path) -> None:
    sign = r"\delta^1 = \delta^2 (W^2)^\top \odot (1 - h^1 \odot h^1)"
    lines = (
        r"\frac{\partial h^1}{\partial z^1} = (1 - h^1) (1 + h^1)",
        r"\delta^1 = \frac{\partial L}{\partial h^1} (1 - h^1) (1 + h^1)",
    )
    assert statuses(tmp_path, network(), *ONE, sign, lines[0])[-1] == "undecided"
    found = claims(tmp_path, network(), *ONE, sign, *lines)[-2:]
    assert [claim.status for claim in found] == ["verified"] * 2
    assert "side by side" in found[0].sentence


def test_a_survey_of_functions_called_f_refutes_none(tmp_path: Path) -> None:
    survey = (r"f'(x) = 1 - f(x)^2", r"f'(x) = f(x) (1 - f(x))", r"f'(x) = f(x)")
    assert "refuted" not in statuses(tmp_path, network(loss="squared_error"), *survey)


def test_of_two_letters_for_samples_one_may_count_units(tmp_path: Path) -> None:
    lines = (
        r"z^l_j = \sum_{i=1}^{n} w^l_{ij} a^{l-1}_i + b^l_j",
        r"z^{l+1}_i = \sum_{j=1}^{m} w^{l+1}_{ji} a^l_j + b^{l+1}_i",
        r"C = \frac{1}{m} \sum_{i=1}^{m} C_i",
        r"C = \frac{1}{n} \sum_{i=1}^{n} C_i",
    )
    assert "refuted" not in statuses(tmp_path, network("mean", loss="squared_error"), *lines)


def test_a_moment_is_no_sample(tmp_path: Path) -> None:
    line = r"h^{(t)} = \tanh(W h^{(t-1)} + U x^{(t)})"
    assert "refuted" not in statuses(tmp_path, network(), *ONE, line)


def test_where_the_burden_breaks_nothing_is_refuted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def breaking(*_: object) -> None:
        raise KeyError("burden")

    monkeypatch.setattr(errors, "BUGS", BUGS)
    monkeypatch.setattr(page, "unanchored", breaking)
    found = claims(tmp_path, network(), *ONE, r"\delta^2 = y - \hat y")
    assert [claim.status for claim in found] == ["verified"] * 5 + ["undecided"]
    assert "a fault of symbackprop" in found[-1].sentence


def test_an_entrywise_product_before_a_matrix_product_is_read_where_it_fits(tmp_path: Path) -> None:
    columns = (r"z^1 = W^1 x + b^1", r"h^1 = \tanh(z^1)", r"z^2 = W^2 h^1 + b^2")
    error = r"(W^2)^T (\hat y - y) \odot \tanh'(z^1)"
    for sign in ("", r"\cdot"):
        right = rf"\frac{{\partial L}}{{\partial W^1}} = {error} {sign} x^T"
        wrong = rf"\frac{{\partial L}}{{\partial W^1}} = {error} {sign} (2 x)^T"
        found = statuses(tmp_path, network(), *columns, ONE[3], right, wrong)
        assert found[-2:] == ["verified", "refuted"]


def test_a_letter_above_the_loss_is_a_sample(tmp_path: Path) -> None:
    lines = (
        r"E = \frac{1}{N} \sum_{p=1}^{N} E^p",
        r"E^p = -\sum_k Y_{pk} \log \hat Y_{pk}",
        r"E^p = \sum_k Y_{pk} \log \hat Y_{pk}",
    )
    forward = (*BATCH[:3], BATCH[3].replace("L =", "E ="))
    found = statuses(tmp_path, network("mean"), *forward, *lines)
    assert found[-3:] == ["verified", "verified", "refuted"]


def test_a_general_activation_is_not_refuted_where_the_network_has_softmax(tmp_path: Path) -> None:
    """BP1 is right of every activation that works on each entry; softmax by name is none."""
    general = r"\delta^2 = \frac{\partial L}{\partial \hat y} \odot f'(z^2)"
    named = r"\delta^2 = \frac{\partial L}{\partial \hat y} \odot \operatorname{softmax}'(z^2)"
    found = statuses(tmp_path, network(), *ONE, r"h^l = f(z^l)", general, named)
    assert found[-2:] == ["undecided", "refuted"]
