"""Batch, numbers, contributions, needs, losses and descent: the sections about many samples."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import pytest

from symbackprop.derivation.evaluate import evaluate
from symbackprop.derivation.rules import through_output
from symbackprop.document.batch import batch
from symbackprop.document.blocks import Aside, Block, Display, Document, Table
from symbackprop.document.build import desk_of, numbered
from symbackprop.document.descent import (
    MOST_LAYER_STEPS,
    STEP_SIZES,
    descent,
    found_run,
    rate_letter,
)
from symbackprop.document.desk import Desk, UncheckedEquation
from symbackprop.document.formulas import (
    Derivative,
    Grid,
    Name,
    Number,
    Product,
    Total,
    figure,
    show,
)
from symbackprop.document.losses import losses, usual
from symbackprop.document.needs import activation, inlined, needs, reads_of, slopes
from symbackprop.document.numbers import (
    Worked,
    array_of,
    decimals,
    desk_at,
    forward_values,
    numbers,
    rule_words,
    worked_point,
)
from symbackprop.document.render import render
from symbackprop.document.samples import samples
from symbackprop.networks import file as spec
from symbackprop.networks.file import Specification
from symbackprop.networks.layers.multilayer import SAMPLES, build
from symbackprop.notation import Notation
from symbackprop.witnesses import reference
from symbackprop.writing.code.numpy_backend import compile_source, emit

Array = npt.NDArray[np.float64]

LAYER = '[[layers]]\ntype = "dense"\nunits = {units}\nactivation = "{activation}"\n'


def network_file(
    input: str, loss: str, *layers: tuple[str, str], head: str = "", tail: str = ""
) -> Specification:
    body = "".join(LAYER.format(units=units, activation=name) for units, name in layers)
    return spec.loads(f'name = "net"\ninput = {input}\nloss = "{loss}"\n{head}\n{body}{tail}')


SOFTMAX_MEAN = network_file("3", "cross_entropy", ("2", "softmax"))
SYMBOLIC = network_file(
    '"d"', "squared_error", ('"hidden"', "sigmoid"), ('"K"', "relu"), head='reduction = "sum"'
)
INTEGER_COLUMNS = network_file(
    "2",
    "cross_entropy",
    ("4", "leaky_relu"),
    ("3", "softmax"),
    head='labels = "integer"\nsamples = 4',
    tail='[notation]\nsamples = "columns"\nlayer = "_l"\n',
)
BINARY_ENTRIES = network_file(
    "2",
    "binary_cross_entropy",
    ("3", "sigmoid"),
    ("2", "sigmoid"),
    head='reduction = "mean_elements"\nsamples = 2',
)
SPECIFICATIONS = {
    "two-three-one": spec.load("two-three-one"),
    "four-layer": spec.load("four-layer"),
    "linear-chain": spec.load("linear-chain"),
    "line": spec.load("line"),
    "softmax-mean": SOFTMAX_MEAN,
    "symbolic": SYMBOLIC,
    "integer-columns": INTEGER_COLUMNS,
    "binary-entries": BINARY_ENTRIES,
}
WITH_NUMBERS = [name for name in SPECIFICATIONS if name != "symbolic"]


@lru_cache(maxsize=32)
def many(name: str) -> Desk:
    stated = SPECIFICATIONS[name]
    return desk_of(build(stated.architecture), stated.notation, stated.architecture.samples)


@lru_cache(maxsize=32)
def one(name: str) -> Desk:
    stated = SPECIFICATIONS[name]
    return desk_of(build(stated.architecture, one_sample=True), stated.notation)


@lru_cache(maxsize=32)
def worked(name: str) -> Worked | None:
    stated = SPECIFICATIONS[name]
    return worked_point(stated.architecture, stated.values, build(stated.architecture))


def at_numbers(name: str) -> tuple[Desk, Worked]:
    found = worked(name)
    assert found is not None
    return desk_at(many(name), found), found


@lru_cache(maxsize=32)
def sections(name: str) -> tuple[Block, ...]:
    """All sections of this file for one network, as a document would place them."""
    architecture = SPECIFICATIONS[name].architecture
    blocks: list[Block] = [*batch(one(name), many(name))]
    blocks += [*needs(many(name)), *activation(many(name))]
    blocks += losses(many(name), architecture)
    found = worked(name)
    if found is not None:
        desk = desk_at(many(name), found)
        blocks += [*forward_values(desk, found), *samples(desk), *descent(desk, found)]
    return numbered(blocks)


def document(name: str, format: str) -> str:
    return render(Document("Sections", sections(name)), format)


def displays(blocks: Sequence[Block]) -> Iterator[Display]:
    for block in blocks:
        if isinstance(block, Display):
            yield block
        elif isinstance(block, Aside):
            yield from displays(block.blocks)


# --------------------------------------------------------------------------------------------
# All sections
# --------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("name", SPECIFICATIONS)
@pytest.mark.parametrize("format", ["md", "tex"])
def test_sections_render(name: str, format: str) -> None:
    text = document(name, format)
    assert "From one sample to a batch" in text
    assert ("Outlook: which loss?" in text) == (name != "line")
    assert ("A worked example in numbers" in text) == (name != "symbolic")


@pytest.mark.slow
@pytest.mark.parametrize("name", SPECIFICATIONS)
def test_rendering_twice_gives_the_same_bytes(name: str) -> None:
    first = document(name, "md")
    for cached in (sections, many, worked):
        cached.cache_clear()
    assert document(name, "md") == first


@pytest.mark.parametrize("name", SPECIFICATIONS)
def test_words_stay_within_what_the_latex_template_knows(name: str) -> None:
    assert document(name, "tex").isascii()


# --------------------------------------------------------------------------------------------
# Batch
# --------------------------------------------------------------------------------------------


def latex_of(name: str) -> str:
    return document(name, "tex")


def test_one_weight_gradient_is_the_written_out_sum_over_samples() -> None:
    expected = (
        r"\frac{\partial H}{\partial w_{1,1}^{3}} = h_{1,1}^{2} \delta_{1,1}^{3}"
        r" + h_{2,1}^{2} \delta_{2,1}^{3} + h_{3,1}^{2} \delta_{3,1}^{3}"
    )
    assert expected in latex_of("four-layer")


def test_bias_gradient_sums_over_samples_in_index_and_matrix_form() -> None:
    text = latex_of("four-layer")
    assert r"\frac{\partial H}{\partial b_{i}^{3}} = \sum_{n=1}^{N} \delta_{ni}^{3}" in text
    assert r"\underset{(1 \times N)}{\mathbf{1}^{\top}} \underset{(N \times 3)}{\delta^{3}}" in text
    assert r"\delta_{1,1}^{3} + \delta_{2,1}^{3} + \delta_{3,1}^{3}" in text


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("four-layer", "so none appears in any gradient"),
        ("softmax-mean", "the mean over all samples"),
        ("binary-entries", "the mean over all entries of the output"),
    ],
)
def test_says_where_the_mean_enters(name: str, words: str) -> None:
    assert words in document(name, "md")


def test_a_network_without_biases_says_so() -> None:
    text = document("two-three-one", "md")
    assert "This network has no biases" in text
    assert "The bias:" not in text
    assert "The bias: the one formula that changes" in document("four-layer", "md")


@pytest.mark.parametrize("name", SPECIFICATIONS)
def test_each_tensor_has_one_row_in_the_summary(name: str) -> None:
    table = [block for block in batch(one(name), many(name)) if isinstance(block, Table)][-1]
    shown = [show(row[0][0].formula, row[0][0].setting) for row in table.rows]  # type: ignore[union-attr]
    assert len(shown) == len(set(shown))


def test_an_example_of_the_index_of_the_sample() -> None:
    assert "h _{2,1}^{2}$ belongs to sample 2 and unit 1" in document("four-layer", "md")
    assert "x _{2}$ belongs to sample 2." in document("line", "md")


@pytest.mark.parametrize("name", SPECIFICATIONS)
def test_strong_words_hold_no_formula(name: str) -> None:
    text = document(name, "md")
    assert "**$" not in text
    assert "$**" not in text


# --------------------------------------------------------------------------------------------
# Numbers
# --------------------------------------------------------------------------------------------


def test_numbers_of_the_file_are_used() -> None:
    _, found = at_numbers("two-three-one")
    stated = SPECIFICATIONS["two-three-one"]
    assert found.given == ("x", "W1", "W2", "y")
    for name in found.given:
        np.testing.assert_array_equal(found.point.values[name], np.array(stated.values[name]))


def test_made_numbers_follow_the_rule_that_is_stated() -> None:
    _, found = at_numbers("four-layer")
    current, draws = 7, []
    for _ in range(6):
        current = 11 * current % 1009
        draws.append(current % 20)
    listed = [*(-k / 10 for k in range(10, 0, -1)), *(k / 10 for k in range(1, 11))]
    expected = np.array([listed[draw] for draw in draws]).reshape(3, 2)
    np.testing.assert_array_equal(found.point.values["x"], expected)
    np.testing.assert_array_equal(found.point.values["y"], np.eye(3))


def test_the_example_in_the_rule_is_right() -> None:
    text = rule_words(SPECIFICATIONS["two-three-one"].architecture)
    assert "77, 847, 236, …" in text
    assert "from -1.0 to 1.0 in steps of 0.1, with 0 left out" in text
    assert "77, for example, leaves 17, and that stands for 0.8" in text
    _, found = at_numbers("four-layer")
    assert found.point.values["x"][0, 0] == 0.8


def test_given_numbers_are_named() -> None:
    text = document("two-three-one", "md")
    assert "$X$, $W^{1}$, $W^{2}$ and $Y$ are given; everything else is computed" in text
    assert "network file" not in text


@pytest.mark.parametrize("name", WITH_NUMBERS)
def test_made_numbers_are_short_and_never_zero(name: str) -> None:
    _, found = at_numbers(name)
    for tensor in found.point.network.of_kind("input", "parameter"):
        array = found.point.values[tensor.name]
        assert decimals(array, 1) is not None
        if tensor.name not in found.given:
            assert np.all(array != 0)
            assert np.max(np.abs(array)) <= 1


def test_stating_one_array_leaves_the_made_ones_as_they_were() -> None:
    stated = SPECIFICATIONS["softmax-mean"]
    built = build(stated.architecture)
    free = worked_point(stated.architecture, {}, built)
    fixed = worked_point(stated.architecture, {"x": ((1.0, 2.0, 3.0),) * 3}, built)
    assert free is not None
    assert fixed is not None
    assert fixed.given == ("x",)
    np.testing.assert_array_equal(fixed.point.values["W1"], free.point.values["W1"])


def test_labels_obey_their_fact() -> None:
    for labels in ("one_hot", "distribution", "integer", "any"):
        architecture = replace(SOFTMAX_MEAN.architecture, labels=labels, samples=4)
        found = worked_point(architecture, {}, build(architecture))
        assert found is not None
        y = found.point.values["y"]
        if labels == "integer":
            assert y.tolist() == [0, 1, 0, 1]
            assert np.issubdtype(y.dtype, np.integer)
        elif labels == "any":
            assert not np.allclose(y.sum(axis=1), 1)
        else:
            np.testing.assert_allclose(y.sum(axis=1), 1, rtol=0, atol=1e-15)


def test_arrays_of_the_file_fix_symbolic_sizes() -> None:
    architecture = network_file('"d"', "squared_error", ('"K"', "identity")).architecture
    built = build(architecture)
    assert worked_point(architecture, {}, built) is None
    given = {"x": ((1.0, 2.0),) * 3, "W1": ((0.5,), (0.25,))}
    found = worked_point(architecture, given, built)
    assert found is not None
    assert found.samples == 3
    assert found.point.values["yhat"].shape == (3, 1)


def test_numbers_that_overflow_are_left_out() -> None:
    stated = SPECIFICATIONS["softmax-mean"]
    given = {"x": ((1e300, 1e300, 1e300),) * 3}
    assert worked_point(stated.architecture, given, build(stated.architecture)) is None


@pytest.mark.parametrize("name", WITH_NUMBERS)
def test_forward_values_agree_with_the_reference(name: str) -> None:
    _, found = at_numbers(name)
    architecture, values = found.architecture, found.point.values
    model = reference.Model(
        tuple(layer.activation for layer in architecture.layers),
        architecture.loss,
        architecture.labels,
        architecture.reduction,
        architecture.half,
    )
    parameters = {t.name: values[t.name] for t in found.point.network.of_kind("parameter")}
    for tensor, array in reference.forward(model, parameters, values["x"]).items():
        np.testing.assert_allclose(values[found.point.network.resolve(tensor)], array, atol=1e-12)
    loss = reference.loss(model, parameters, values["x"], values.get("y"))
    np.testing.assert_allclose(values["L"], loss, atol=1e-12)


def test_the_relation_tells_rounded_from_exact() -> None:
    exact, equals = numbers(np.array([[0.5, -1.25]]))
    rounded, about = numbers(np.array([[1 / 3, 0.5]]))
    assert (equals, about) == ("=", r"\approx")
    assert [figure(cell) for cell in exact.rows[0] if isinstance(cell, Number)] == ["0.50", "-1.25"]
    assert [figure(cell) for cell in rounded.rows[0] if isinstance(cell, Number)] == [
        "0.3333",
        "0.5000",
    ]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.12345, "0.1234"),  # a tie, however the last bit falls
        (0.12345 * (1 + 2e-16), "0.1234"),
        (0.1234500001, "0.1235"),
        (-0.00001, "0.0000"),
        (12.0, "12.0000"),
    ],
)
def test_figures_do_not_hang_on_the_last_bit(value: float, text: str) -> None:
    assert figure(Number(value)) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.29241853, "0.2924"),
        (123.456, "123.5"),
        (5.4968e-6, r"5.497 \cdot 10^{-6}"),
        (1.0e9, r"1.000 \cdot 10^{9}"),
        (3e-15, "0"),
    ],
)
def test_significant_figures(value: float, text: str) -> None:
    assert figure(Number(value, 4, significant=True)) == text


# --------------------------------------------------------------------------------------------
# A wrong number never leaves the desk
# --------------------------------------------------------------------------------------------


def test_a_wrong_number_is_detected() -> None:
    desk, _ = at_numbers("two-three-one")
    right, _ = numbers(array_of(desk, Name("h1")))
    desk.chain(Name("h1"), right, relation=r"\approx")
    cell = right.rows[1][2]
    assert isinstance(cell, Number)
    row = (*right.rows[1][:2], replace(cell, figure=cell.figure + 1e-7))
    wrong = Grid((right.rows[0], row, *right.rows[2:]))
    with pytest.raises(UncheckedEquation):
        desk.chain(Name("h1"), wrong, relation=r"\approx")


def test_a_wrong_contribution_is_detected(monkeypatch: pytest.MonkeyPatch) -> None:
    desk, _ = at_numbers("two-three-one")

    def slipped(desk: Desk, formula: object) -> Array:
        array = array_of(desk, formula)  # type: ignore[arg-type]
        return array * 1.001 if isinstance(formula, Product) else array

    monkeypatch.setattr("symbackprop.document.samples.array_of", slipped)
    with pytest.raises(UncheckedEquation):
        list(samples(desk))


def test_a_wrong_first_gradient_is_detected(monkeypatch: pytest.MonkeyPatch) -> None:
    desk, found = at_numbers("two-three-one")
    monkeypatch.setattr(
        "symbackprop.document.descent.emit", lambda swept: emit(swept).replace("h1.T", "-h1.T")
    )
    with pytest.raises(UncheckedEquation):
        list(descent(desk, found))


# --------------------------------------------------------------------------------------------
# Contributions
# --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["two-three-one", "softmax-mean", "binary-entries"])
def test_contributions_add_up_to_the_gradient(name: str) -> None:
    desk, found = at_numbers(name)
    last = len(found.architecture.layers)
    sums = [
        display.chain
        for display in displays(tuple(samples(desk)))
        if display.chain.sides[0] == Derivative("L", f"W{last}") and len(display.chain.sides) == 3
    ]
    (chain,) = sums
    shown = chain.sides[1]
    assert isinstance(shown, Total)
    assert len(shown.parts) == found.samples
    added = np.sum([array_of(desk, part) for part in shown.parts], axis=0)
    source = found.point.values[desk.network.resolve(f"h{last - 1}") if last > 1 else "x"]
    delta = desk.own[0].values[f"delta{last}"]
    np.testing.assert_allclose(added, source.T @ delta, atol=1e-12)


def test_five_columns_add_up_to_the_gradient_of_the_seed_network() -> None:
    text = latex_of("two-three-one")
    assert "a matrix of the shape of $W^{2}$, 3 $\\times$ 1" in text
    assert "a matrix of the shape of $W^{1}$, 2 $\\times$ 3" in text
    assert re.search(r"\\partial W\^\{2\}\} &?\\approx (\\begin{bmatrix}[^+]*\+ ){4}", text)


def test_a_wide_gradient_is_a_table_with_a_line_for_each_entry() -> None:
    desk, _ = at_numbers("two-three-one")
    (table,) = [block for block in samples(desk) if isinstance(block, Table)]
    assert len(table.rows) == 6
    assert len(table.header) == 7


def test_the_factor_of_a_mean_is_inside_the_error_terms_only() -> None:
    text = document("softmax-mean", "md").split("## What each sample contributes")[1]
    text = text.split("## Gradient descent")[0]
    assert r"Its factor $\frac{1}{3}$ is already contained in every error term" in text
    assert text.count(r"\frac{1}{3}") == 1
    assert "3 \\thinspace" not in text


@pytest.mark.parametrize("name", WITH_NUMBERS)
def test_every_layer_has_its_error_terms_in_numbers(name: str) -> None:
    desk, found = at_numbers(name)
    shown = [
        display.chain.sides[0]
        for display in displays(tuple(samples(desk)))
        if isinstance(display.chain.sides[1], Grid)
    ]
    for number in range(1, len(found.architecture.layers) + 1):
        assert Name(f"delta{number}") in shown


def test_parameters_without_a_section_are_named() -> None:
    text = document("four-layer", "md")
    assert "The gradients of $W^{2}$, $b^{2}$ and $b^{1}$ come about in the same way" in text
    assert "come about in the same way" not in document("two-three-one", "md")


def test_numbers_stay_in_front_of_products_in_columns_notation() -> None:
    desk, _ = at_numbers("integer-columns")
    product_side = Product((Number(4.0, 0), desk.grid("x"), desk.grid("W1")))
    assert show(product_side, desk.setting).startswith(r"4 \, \begin{bmatrix}")


# --------------------------------------------------------------------------------------------
# Needs
# --------------------------------------------------------------------------------------------


def test_what_the_gradients_of_the_seed_network_need() -> None:
    desk = many("two-three-one")
    assert reads_of(desk, "W2") == ("h1", "yhat", "y")
    assert reads_of(desk, "W1") == ("x", "h1", "W2", "yhat", "y")


def test_integer_labels_are_read() -> None:
    assert "y" in reads_of(many("integer-columns"), "W1")


def test_a_slope_without_identity_reads_the_sum() -> None:
    assert "z1" in reads_of(many("integer-columns"), "W1")


@pytest.mark.parametrize("name", SPECIFICATIONS)
def test_stated_needs_are_enough_and_none_is_idle(name: str) -> None:
    """A change of anything else leaves the written-out gradient alone; a change of a need shows."""
    desk = many(name)
    scene = desk.generic[0]
    source = np.random.default_rng(2)
    for parameter in desk.network.of_kind("parameter"):
        derivation = desk.sweep[parameter.name]
        whole = through_output(inlined(desk, derivation.result), desk.network)
        base = evaluate(whole, derivation.indices, scene.point)
        stated = reads_of(desk, parameter.name)
        for tensor in desk.network.tensors:
            if tensor.kind in ("loss", "auxiliary") or tensor.name not in scene.values:
                continue
            array = scene.values[tensor.name]
            whole_numbers = np.issubdtype(array.dtype, np.integer)
            shift = 1 if whole_numbers else source.uniform(0.2, 0.5, array.shape)
            moved = scene.point.with_values({tensor.name: (array - shift)})
            after = evaluate(whole, derivation.indices, moved)
            if tensor.name not in stated:
                np.testing.assert_array_equal(after, base)
            elif "relu" not in " ".join(desk.network.functions[f].name for f in slopes(desk)):
                assert not np.allclose(after, base), (parameter.name, tensor.name)


def test_the_lesson_says_what_holds_in_this_network() -> None:
    assert "With the same input, other parameters" in document("two-three-one", "md")
    text = document("line", "md")
    assert "With the same input, other parameters" not in text
    assert "no parameter stands in any gradient" in text


def test_gradients_with_f_left_open_then_with_the_sigmoid() -> None:
    text = latex_of("two-three-one")
    assert r"H^{1\top} \left(\left(\hat{Y} - Y\right) \circ f'\left(Z^{2}\right)\right)" in text
    assert (
        r"H^{1\top} \left(\left(\hat{Y} - Y\right) \circ \hat{Y} \circ \left(1 - \hat{Y}\right)"
        in text
    )


def test_a_fixed_output_activation_is_named() -> None:
    assert "Only the softmax of the output is fixed" in document("four-layer", "md")
    assert "Only the sigmoid of the output is fixed" in document("binary-entries", "md")
    assert "is fixed" not in document("two-three-one", "md")


def test_f_stands_for_one_function() -> None:
    """The slope of the softplus is a sigmoid, which must not be written f as well."""
    made = network_file("2", "binary_cross_entropy", ("2", "softplus"), ("1", "sigmoid"))
    desk = desk_of(build(made.architecture), Notation())
    text = render(Document("f", numbered([*activation(desk)])), "md")
    assert r"f'\left(Z^{1}\right)" in text
    assert r"f\left(Z^{1}\right)" not in text


def test_one_sample_is_no_sum() -> None:
    made = network_file("1", "squared_error", ("1", "tanh"), head="samples = 1")
    built = build(made.architecture)
    found = worked_point(made.architecture, {}, built)
    assert found is not None
    desk = desk_at(desk_of(built, Notation(), 1), found)
    blocks = [*forward_values(desk, found), *samples(desk), *descent(desk, found)]
    text = render(Document("one", numbered(blocks)), "md")
    assert "A batch of 1 sample. " in text
    assert "its contribution is the whole gradient" in text
    assert not re.search(r"\d \\thinspace -?\d", text)  # no numbers side by side


def test_no_section_about_an_activation_that_is_not_there() -> None:
    assert slopes(many("linear-chain")) == ()
    assert not list(activation(many("linear-chain")))


# --------------------------------------------------------------------------------------------
# Losses
# --------------------------------------------------------------------------------------------


def test_no_table_of_losses_without_a_loss_or_with_one_letter_for_two_things() -> None:
    assert not list(losses(many("line"), SPECIFICATIONS["line"].architecture))
    stated = SPECIFICATIONS["two-three-one"]
    same = replace(stated.notation, symbols=(("yhat", "y"),))
    desk = desk_of(build(stated.architecture), same)
    assert not list(losses(desk, stated.architecture))


def test_error_terms_are_derived() -> None:
    text = latex_of("four-layer")
    assert (
        r"= \hat{y}_{j} \left(1 - y_{j}\right) - y_{j} \left(1 - \hat{y}_{j}\right)"
        r" = \hat{y}_{j} - y_{j}"
    ) in text
    assert r"= -y_{j} + \sum_{q=1}^{K} y_{q} \hat{y}_{j} = \hat{y}_{j} - y_{j}" in text


@pytest.mark.parametrize("name", [name for name in SPECIFICATIONS if name != "line"])
def test_one_loss_is_marked(name: str) -> None:
    stated = SPECIFICATIONS[name]
    (table,) = [b for b in losses(many(name), stated.architecture) if isinstance(b, Table)]
    marked = [row for row in table.rows if not isinstance(row[0][0], str)]
    assert len(marked) == 1
    assert len(table.rows) - len(usual()) in (0, 1)


def test_losses_and_their_error_terms() -> None:
    lines = document("two-three-one", "md").splitlines()
    ends = [line.rsplit("|", 2)[1].strip() for line in lines if "| $" in line and "y _{j}" in line]
    assert ends[:5] == [
        r"$2 \left(\hat{y} - y\right)$",
        r"$\hat{y} - y$",
        r"$\left(\hat{y} - y\right) \circ \sigma'\left(z\right)$",
        r"$\hat{y} - y$",
        r"$\hat{y} - y$",
    ]


# --------------------------------------------------------------------------------------------
# Descent
# --------------------------------------------------------------------------------------------


def test_descent_settles_on_the_numbers_of_the_seed_network() -> None:
    rows = re.findall(
        r"^\| (\d+) \| \$(.*?)\$ \| \$(.*?)\$ \|$", document("two-three-one", "md"), re.M
    )
    assert rows[0] == ("0", "0.2924", "0.3030")
    assert [int(step) for step, _, _ in rows[:-1]] == [0, 1, 2, 5, 10, 20, 50, 100, 200, 500]
    assert int(rows[-1][0]) < 1000
    text = document("two-three-one", "md")
    assert f"here this is step {rows[-1][0]}." in text
    assert "does not have to shrink all the time" in text
    assert "does not have to shrink all the time" not in document("linear-chain", "md")


def test_a_rule_that_is_known_is_not_explained_again() -> None:
    desk, found = at_numbers("linear-chain")
    long, short = (numbered([*descent(desk, found, explained)]) for explained in (False, True))
    assert len(short) == len(long) - 3
    assert [block for block in short if isinstance(block, Table)] == [
        block for block in long if isinstance(block, Table)
    ]


def test_the_step_size_takes_a_letter_that_is_free() -> None:
    assert rate_letter(many("two-three-one")) == r"\alpha"
    stated = SPECIFICATIONS["two-three-one"]
    taken = replace(stated.notation, symbols=(("W", r"\alpha"),))
    assert rate_letter(desk_of(build(stated.architecture), taken)) == r"\eta"


def test_descent_never_climbs() -> None:
    for name in ("two-three-one", "four-layer", "linear-chain", "softmax-mean"):
        text = document(name, "md")
        rows = re.findall(r"^\| \d+ \| \$(\S+)( .*?)?\$ \|.*\|$", text, re.M)
        figures = [
            float(head) * (float(f"1e{tail.split('{')[1][:-1]}") if tail else 1)
            for head, tail in rows
        ]
        assert len(figures) > 5
        assert figures == sorted(figures, reverse=True)


def test_descent_needs_a_loss() -> None:
    desk, found = at_numbers("line")
    assert not list(descent(desk, found))


def test_descent_gives_up_within_its_budget() -> None:
    _, found = at_numbers("two-three-one")
    calls = 0

    def climbing(params: dict[str, Array], x: object, y: object) -> tuple[float, dict[str, Array]]:
        nonlocal calls
        calls += 1
        return float(sum(np.sum(array) for array in params.values())), {
            name: -np.ones_like(array) for name, array in params.items()
        }

    assert found_run(climbing, found) is None
    assert calls == 2 * len(STEP_SIZES) < MOST_LAYER_STEPS


def test_a_gradient_that_is_zero_from_the_start_has_no_descent() -> None:
    _, found = at_numbers("two-three-one")

    def flat(params: dict[str, Array], x: object, y: object) -> tuple[float, dict[str, Array]]:
        return 1.0, {name: np.zeros_like(array) for name, array in params.items()}

    assert found_run(flat, found) is None


def test_last_bits_do_not_change_the_table() -> None:
    """What another machine computes differs in the last bits: far too little to be printed."""
    desk, found = at_numbers("two-three-one")
    function = compile_source(emit(desk.sweep))
    source = np.random.default_rng(1)

    def elsewhere(params: object, x: object, y: object) -> tuple[float, dict[str, Array]]:
        loss, gradients = function(params, x, y)
        noisy = {k: v * (1 + 1e-12 * source.standard_normal(v.shape)) for k, v in gradients.items()}
        return loss * (1 + 1e-12 * source.standard_normal()), noisy

    here, there = found_run(function, found), found_run(elsewhere, found)
    assert here is not None
    assert there is not None
    for left, right in zip(here.moments, there.moments, strict=True):
        assert left.step == right.step
        for one, other in ((left.loss, right.loss), (left.norm, right.norm)):
            assert figure(Number(one, 4, True)) == figure(Number(other, 4, True))


# --------------------------------------------------------------------------------------------
# Sizes of a page
# --------------------------------------------------------------------------------------------


def test_a_deep_network_is_listed_in_part() -> None:
    layers = tuple((str(2 + number % 3), "tanh") for number in range(12))
    deep = network_file("2", "squared_error", *layers)
    built = build(deep.architecture)
    desk = desk_of(built, Notation())
    (table,) = [block for block in needs(desk) if isinstance(block, Table)]
    assert len(table.rows) == 7  # three layers with a weight and a bias, and the dots
    found = worked_point(deep.architecture, {}, built)
    assert found is not None
    assert not found.is_written_out


def test_the_number_of_samples_is_that_of_the_file() -> None:
    _, found = at_numbers("integer-columns")
    assert found.point.sizes[SAMPLES] == 4
