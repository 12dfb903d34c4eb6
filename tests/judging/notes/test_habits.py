r"""How people write: each habit with a line that is right in it, and its nearest wrong one."""

from __future__ import annotations

from pathlib import Path

import pytest

from symbackprop import api
from symbackprop.judging.notes.conventions.models import others
from symbackprop.networks.layers.losses import LOSSES
from symbackprop.reading.notes.markdown import read_markdown
from tests.judging.notes.test_burden import BATCH, ONE, network
from tests.judging.notes.test_conventions import claims, statuses

LAYER = '[[layers]]\ntype = "dense"\n'
INDEXED = (
    r"z_j^l = \sum_k w_{jk}^l h_k^{l-1} + b_j^l",
    r"\frac{\partial L}{\partial w_{jk}^l} = \delta_j^l h_k^{l-1}",
)
SIZED = (
    r"z^{(1)}_{1x4} = x_{1 \times 3} W^{(1)}_{3 \times 4} + b^{(1)}_{1x4}",
    r"h^{(1)}_{1x4} = \tanh(z^{(1)}_{1x4})",
)


def tanh(reduction: str = "sum", units: int = 5) -> api.Net:
    """Two layers of tanh and the squared error."""
    half = "half = true\n" if reduction == "sum" else ""
    layers = "".join(f'{LAYER}units = {n}\nactivation = "tanh"\n' for n in (4, units))
    about = f'name = "two"\ninput = 3\nloss = "squared_error"\nreduction = "{reduction}"\n{half}'
    return api.loads(about + layers)


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        # a condition in front, and both letters of a pair
        (
            r"\forall i \neq k, \frac{\partial \hat y_i}{\partial z^2_k} = -\hat y_i \hat y_k",
            r"\forall i \neq k, \frac{\partial \hat y_i}{\partial z^2_k} = \hat y_i \hat y_k",
        ),
        (
            r"\sum_{i<j} \hat y_i \hat y_j = \frac{1 - \sum_k (\hat y_k)^2}{2}",
            r"\sum_{i<j} \hat y_i \hat y_j = 1 - \sum_k (\hat y_k)^2",
        ),
        (
            r"\sum_{i \neq j} \hat y_i \hat y_j = 1 - \sum_k (\hat y_k)^2",
            r"\sum_{i \neq j} \hat y_i \hat y_j = 1",
        ),
        # products of entries
        (r"\prod_k (\hat y_k)^{y_k} = e^{-L}", r"\prod_k (\hat y_k)^{y_k} = e^{L}"),
        # labels that are 1 at one class, and the number of that class
        (r"y_i y_j = \delta_{ij} y_i", r"y_i y_j = y_i"),
        (r"L = -\log \sum_k y_k \hat y_k", r"L = -\sum_k \log(y_k \hat y_k)"),
        (r"L = -\log \hat y_y", r"L = \log \hat y_y"),
        (
            r"\frac{\partial L}{\partial z^2_k} = \hat y_k - \mathbf{1}_{k = y}",
            r"\frac{\partial L}{\partial z^2_k} = \hat y_k + \mathbf{1}_{k = y}",
        ),
        # gradients without the loss
        (r"\nabla W^2 = (h^1)^T \delta^2", r"\nabla W^2 = -(h^1)^T \delta^2"),
        (r"\nabla b^2 = \delta^2", r"\nabla b^2 = 2 \delta^2"),
        (r"\operatorname{grad}_{b^2} L = \delta^2", r"\operatorname{grad}_{b^2} L = \delta^1"),
        # numbers that are large or small throughout
        (
            r"\frac{\hat y_k}{10^{15}} = 10^{-15} \hat y_k",
            r"\frac{\hat y_k}{10^{15}} = \frac{y_k}{10^{15}}",
        ),
        (
            r"(y_k \hat y_k)^{20} = ((y_k \hat y_k)^{10})^2",
            r"(y_k \hat y_k)^{20} = 0",
        ),
        # an escaped sign
        (r"h\_j^1 = \tanh(z\_j^1)", r"h\_j^1 = \tanh(h\_j^1)"),
    ],
)
def test_one_sample(right: str, wrong: str, tmp_path: Path) -> None:
    assert statuses(tmp_path, network(), *ONE, right, wrong)[-2:] == ["verified", "refuted"]


def test_labels_of_a_distribution_are_not_taken_for_one_hot(tmp_path: Path) -> None:
    given = api.loads(
        'name = "two"\ninput = 3\nloss = "cross_entropy"\nreduction = "sum"\n'
        f'labels = "distribution"\n{LAYER}units = 4\nactivation = "tanh"\n'
        f'{LAYER}units = 2\nactivation = "softmax"\n'
    )
    assert statuses(tmp_path, given, *ONE, r"y_i y_j = \delta_{ij} y_i")[-1] == "refuted"


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        (r"\nabla w^l = \delta^l (h^{l-1})^T", r"\nabla w^l = \delta^l (h^{l})^T"),
        (
            r"(\nabla w^l)_{jk} = \delta_j^l h_k^{l-1}",
            r"(\nabla w^l)_{jk} = \delta_k^l h_j^{l-1}",
        ),
        (
            r"\delta^2 = (h^2 - y) \odot \frac{\partial \tanh}{\partial z^2}",
            r"\delta^2 = (h^2 + y) \odot \frac{\partial \tanh}{\partial z^2}",
        ),
        (
            r"\delta^1 = (w^2)^T \cdot \delta^2 \odot \frac{\partial \tanh}{\partial z^1}",
            r"\delta^1 = (w^2)^T \cdot \delta^2 \odot \frac{\partial \tanh}{\partial z^2}",
        ),
        (
            r"\delta^1 = \nabla \tanh(z^1) (w^2)^T \delta^2",
            r"\delta^1 = \nabla \tanh(z^1) (w^1)^T \delta^2",
        ),
        # squares beside marks of layers
        (
            r"L = \frac12 \sum_k (h_k^2)^2 - \sum_k h_k^2 y_k + \frac12 \sum_k y_k^2",
            r"L = \frac12 \sum_k (h_k^2)^2 + \sum_k h_k^2 y_k + \frac12 \sum_k y_k^2",
        ),
    ],
)
def test_columns(right: str, wrong: str, tmp_path: Path) -> None:
    loss = r"L = \frac12 \sum_k (h_k^2 - y_k)^2"
    found = statuses(tmp_path, tanh(), *INDEXED, loss, right, wrong)
    assert found[-2:] == ["verified", "refuted"]


def test_sizes_below_are_no_indices(tmp_path: Path) -> None:
    right = r"z^{(2)}_{1x5} = h^{(1)}_{1x4} W^{(2)}_{4x5} + b^{(2)}_{1x5}"
    wrong = r"z^{(2)}_{1x5} = h^{(1)}_{1x4} W^{(2)}_{4x5} + b^{(1)}_{1x5}"
    assert statuses(tmp_path, tanh(), *SIZED, right, wrong)[-2:] == ["verified", "refuted"]


def test_the_number_of_units_of_a_layer(tmp_path: Path) -> None:
    lines = (
        *INDEXED,
        r"L = \frac{1}{n_2} \sum_{j=1}^{n_2} (h_j^2 - y_j)^2",
        r"\frac{\partial L}{\partial h_j^2} = \frac{2}{n_2} (h_j^2 - y_j)",
        r"\frac{\partial L}{\partial h_j^2} = \frac{2}{n_1} (h_j^2 - y_j)",
    )
    found = statuses(tmp_path, tanh("mean_elements"), *lines)
    assert found[-3:] == ["verified", "verified", "refuted"]


def test_the_number_of_layers_marks_the_last(tmp_path: Path) -> None:
    lines = (
        r"z^{(l+1)} = W^{(l)} a^{(l)} + b^{(l)}",
        r"a^{(l)} = f(z^{(l)})",
        r"\frac{\partial J}{\partial a_i^{(n_l)}} = a_i^{(n_l)} - y_i",
        r"\frac{\partial J}{\partial a_i^{(n_l)}} = a_i^{(n_l)} + y_i",
    )
    assert statuses(tmp_path, tanh(), *lines)[-2:] == ["verified", "refuted"]


def test_a_function_of_a_layer_below(tmp_path: Path) -> None:
    lines = (
        r"z_l = A_l a_{l-1} + b_l",
        r"a_l = \sigma_l(z_l)",
        r"\varepsilon_l = A_{l+1}^{\top} \varepsilon_{l+1} \odot \sigma_l'(z_l)",
        r"\frac{\partial L}{\partial A_l} = \varepsilon_l a_{l-1}^{\top}",
    )
    assert statuses(tmp_path, tanh(), *lines) == ["verified"] * 4
    wrong = lines[2].replace("(z_l)", "(z_{l+1})")
    assert statuses(tmp_path, tanh(), *lines[:2], wrong, *lines[2:])[2] == "refuted"


def test_x_before_and_y_behind_the_activation(tmp_path: Path) -> None:
    lines = (
        r"x_i^l = \sum_j W_{ij}^l y_j^{l-1} + b_i^l",
        r"y_i^l = f(x_i^l)",
        r"e = \frac{1}{2} \sum_i (y_i^* - y_i^2)^2",
        r"\frac{\partial e}{\partial W_{ij}^l} = \frac{\partial e}{\partial x_i^l} y_j^{l-1}",
        r"\frac{\partial e}{\partial x_i^2} = (y_i^2 - y_i^*) f'(x_i^2)",
    )
    assert statuses(tmp_path, tanh(), *lines) == ["verified"] * 5
    assert (
        "verified"
        not in statuses(
            tmp_path, tanh(), *lines, r"\frac{\partial e}{\partial W_{ij}^l} = y_j^{l-1}"
        )[-1]
    )


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (r"The prediction $y$ is compared with the target $\hat{y}$.", ["verified", "refuted"]),
        (r"Here $\hat{y}$ denotes the desired output.", ["verified", "refuted"]),
        (r"The prediction $\hat{y}$ is compared with the target $y$.", ["refuted", "verified"]),
        (r"This is not the target $\hat{y}$.", ["refuted", "verified"]),
    ],
)
def test_a_sentence_may_say_that_the_hat_marks_the_target(
    words: str, wanted: list[str], tmp_path: Path
) -> None:
    forward = (r"z^1 = x W^1 + b^1", r"a^1 = \tanh(z^1)", r"z^2 = a^1 W^2 + b^2")
    lines = (
        r"\delta^2 = (y - \hat{y}) \circ (1 - y^2)",
        r"\delta^2 = (\hat{y} - y) \circ (1 - \hat{y}^2)",
    )
    shown = "\n\n".join(f"$$\n{line}\n$$" for line in (*forward, *lines))
    path = tmp_path / "note.md"
    path.write_text(f"{words}\n\n{shown}\n", encoding="utf-8")
    assert [c.status for c in api.verify(path, tanh()).claims][-2:] == wanted


def test_a_size_of_the_network_may_stand_as_a_number(tmp_path: Path) -> None:
    lines = (
        r"Z^1 = X W^1 + b^1",
        r"\hat Y = \tanh(Z^2)",
        r"L = \frac{1}{5N} \sum_n \sum_k (\hat Y_{nk} - Y_{nk})^2",
        r"\frac{\partial L}{\partial \hat Y} = \frac{2}{5N} (\hat Y - Y)",
        r"\frac{\partial L}{\partial \hat Y} = \frac{1}{2N} (\hat Y - Y)",
    )
    found = statuses(tmp_path, tanh("mean_elements"), *lines)
    assert found[-3:] == ["verified", "verified", "refuted"]


def test_the_loss_of_one_output_in_the_letters_of_all(tmp_path: Path) -> None:
    loss = r"L = \frac12 (h^2 - y)^2"
    assert statuses(tmp_path, tanh(), *INDEXED, loss)[-1] == "undecided"


# ---- another model


def note(heading: str, sentence: str) -> str:
    shown = "\n\n".join(f"$$\n{line}\n$$" for line in BATCH)
    line = r"\delta^2 = \frac{2}{N} (\hat Y - Y)"
    return f"# A network\n\n{shown}\n\n## {heading}\n\n{sentence}\n\n$$\n{line}\n$$\n"


@pytest.mark.parametrize(
    ("heading", "sentence", "wanted"),
    [
        ("The error", "It is this:", "refuted"),
        ("The squared error", "It is this:", "undecided"),
        (
            "The error",
            "With the mean squared error behind a linear output it is instead:",
            "undecided",
        ),
        ("Cross-entropy and not the squared error", "It is this:", "refuted"),
        ("Regularisation", "It is this:", "undecided"),
    ],
)
def test_words_for_another_model_take_away(
    heading: str, sentence: str, wanted: str, tmp_path: Path
) -> None:
    path = tmp_path / "note.md"
    path.write_text(note(heading, sentence), encoding="utf-8")
    assert api.verify(path, network("mean")).claims[-1].status == wanted


def test_every_loss_is_known_by_its_words() -> None:
    for name, record in LOSSES.items():
        if record.labelled:
            text = f"# A title\n\n$$\na = b\n$$\n\n## The {record.words}\n\n$$\na = b\n$$\n"
            assert not others(read_markdown("n.md", text), name, ())
            assert others(read_markdown("n.md", text), "none", ())


# ---- layers with letters, and how a line was read

NAMED = (r"z_h = W_h x + b_h", r"a_h = \tanh(z_h)", r"\hat y = \tanh(W_o a_h + b_o)")


def test_layers_with_letters_are_read_and_kept(tmp_path: Path) -> None:
    right = r"\delta_h = W_o^T \delta_o \odot (1 - a_h \odot a_h)"
    wrong = right.replace("W_o", "W_h")
    found = claims(
        tmp_path, tanh(), *NAMED, r"\frac{\partial L}{\partial b_o} = \delta_o", right, wrong
    )
    assert [claim.status for claim in found[-2:]] == ["verified", "refuted"]
    assert found[-1].suggestion == right


def test_an_index_is_no_name_of_a_layer(tmp_path: Path) -> None:
    lines = (r"z^1_h = \sum_i x_i W^1_{ih} + b^1_h", r"a^1_h = \tanh(z^1_h)")
    assert statuses(tmp_path, tanh(), *lines) == ["verified", "verified"]


def test_how_a_line_was_read_is_told(tmp_path: Path) -> None:
    path = tmp_path / "note.md"
    path.write_text("\n\n".join(f"$${line}$$" for line in ONE), encoding="utf-8")
    report = api.verify(path, network(), argue=9)
    told = report.as_json()["argued"]
    assert told[0].startswith("line 9: ")
    assert any(r"\hat{y} is the output (line 7)" in line for line in told)
    assert sum(line.startswith("-> one sample") for line in told) == 1
    assert told[-1] in str(report)
    assert api.verify(path, network(), argue=2).files[0].argued == (
        "line 2: there is no formula in it",
    )
    assert "argued" not in api.verify(path, network()).as_json()


def test_products_as_for_numbers_are_a_habit_of_notes_without_transpositions(
    tmp_path: Path,
) -> None:
    forward = (r"z^1 = x W^1 + b^1", r"h^1 = \tanh(z^1)", r"z^2 = h^1 W^2 + b^2")
    loose = r"\frac{\partial L}{\partial W^2} = h^1 \frac{\partial L}{\partial z^2}"
    wrong = r"\frac{\partial L}{\partial W^2} = h^2 \frac{\partial L}{\partial z^2}"
    turned = r"\frac{\partial L}{\partial h^1} = \frac{\partial L}{\partial z^2} (W^2)^T"
    first = (
        loose.replace("h^1", "x").replace("2}", "1}").replace("W^2", "W^1").replace("z^2", "z^1")
    )
    assert statuses(tmp_path, tanh(), *forward, first, loose)[-2:] == ["undecided"] * 2
    assert statuses(tmp_path, tanh(), *forward, loose)[-1] == "refuted"
    assert statuses(tmp_path, tanh(), *forward, wrong)[-1] == "refuted"
    assert statuses(tmp_path, tanh(), *forward, turned, loose)[-2:] == ["verified", "refuted"]
