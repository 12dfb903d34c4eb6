"""Derived gradients: equal to two witnesses, printed as the textbook has them, and repeatable."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from sympy import Symbol

from symbackprop.calculus.canonical import canonical
from symbackprop.calculus.terms import (
    Applied,
    Expression,
    Index,
    Partial,
    expression,
    product,
    text,
)
from symbackprop.derivation.evaluate import Point, evaluate, generic_sizes, random_point
from symbackprop.derivation.evaluate import jacobian as stepped_jacobian
from symbackprop.derivation.matrixform import matrix_form, to_sympy
from symbackprop.derivation.steps import Derivation, Sweep
from symbackprop.derivation.sweep import jacobian, leads_to, sweep
from symbackprop.errors import AxisMismatch, ShapeError, UnsupportedError
from symbackprop.networks.layers.activations import ACTIVATIONS
from symbackprop.networks.layers.architecture import Architecture, Layer
from symbackprop.networks.layers.multilayer import Built, build
from symbackprop.networks.network import Equation, Network, SumsToOne, Tensor
from symbackprop.notation import Notation
from symbackprop.witnesses.concrete import explicit
from symbackprop.writing.latex import Typesetting
from tests.sample_networks import CASES, Case, I, J, K, N, recurrence, sizes

Array = npt.NDArray[Any]
CASE = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)


def perceptron(
    activations: tuple[str, ...],
    loss: str,
    one_sample: bool = False,
    labels: str = "one_hot",
    reduction: str = "mean",
    half: bool = False,
    bias: bool = True,
) -> Network:
    return built(activations, loss, one_sample, labels, reduction, half, bias).network


def built(
    activations: tuple[str, ...],
    loss: str,
    one_sample: bool = False,
    labels: str = "one_hot",
    reduction: str = "mean",
    half: bool = False,
    bias: bool = True,
) -> Built:
    layers = tuple(Layer(f"d{i}", name, bias) for i, name in enumerate(activations, 1))
    return build(Architecture("net", "d0", layers, loss, reduction, half, labels), one_sample)


# --------------------------------------------------------------------------------------------
# Witnesses
# --------------------------------------------------------------------------------------------


def differentiable(network: Network) -> list[str]:
    return [t.name for t in network.tensors if t.kind not in ("label", "loss")]


def assert_equal_to_the_complex_step(
    network: Network, numbers: Mapping[Symbol, int] | None = None
) -> None:
    """Every adjoint and gradient; adjoints that a result names get their values by stepping."""
    swept = sweep(network)
    point = random_point(swept.extended, 7, numbers or generic_sizes(network))
    truth = {
        name: stepped_jacobian(point, network.loss, name, total=True)
        for name in differentiable(network)
    }
    named = point.with_values({network.adjoint_name(name): truth[name] for name in truth})
    for name, value in truth.items():
        derivation = swept[name]
        found = evaluate(derivation.result, derivation.indices, named)
        assert found.shape == value.shape, name
        assert np.max(np.abs(found - value)) <= 1e-10 * (1 + np.max(np.abs(value))), name


def assert_equal_to_explicit_sympy(network: Network, numbers: Mapping[Symbol, int]) -> None:
    """The same against `concrete`, which shares no code with the sweep or the interpreter."""
    swept, net = sweep(network), explicit(network, numbers)
    values = net.values(3)
    arrays = {
        name: np.array(array.tolist(), dtype=float)
        for name, array in net.tensor_values(values).items()
    }
    hidden = {t.name for t in network.of_kind("auxiliary")}
    truth = {
        name: np.array(net.numeric(net.gradient(name), values), dtype=float)
        for name in differentiable(network)
        if name not in hidden
    }
    adjoints = {network.adjoint_name(name): value for name, value in truth.items()}
    point = Point(swept.extended, arrays | adjoints, numbers)
    for name, value in truth.items():
        derivation = swept[name]
        found = evaluate(derivation.result, derivation.indices, point)
        np.testing.assert_allclose(found, value, rtol=1e-9, atol=1e-11, err_msg=name)


@CASE
def test_every_gradient_of_a_hand_written_network_equals_the_complex_step(case: Case) -> None:
    assert_equal_to_the_complex_step(case.network, case.sizes)


@pytest.mark.slow
@CASE
def test_every_gradient_of_a_hand_written_network_equals_explicit_sympy(case: Case) -> None:
    assert_equal_to_explicit_sympy(case.network, case.small)


LOSSES: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("softmax", "cross_entropy", {}),
    ("softmax", "cross_entropy", {"labels": "distribution", "reduction": "sum"}),
    ("softmax", "cross_entropy", {"labels": "integer", "reduction": "mean_elements"}),
    ("softmax", "cross_entropy", {"labels": "any"}),
    ("sigmoid", "binary_cross_entropy", {}),
    ("sigmoid", "binary_cross_entropy", {"labels": "any", "reduction": "mean_elements"}),
    ("identity", "squared_error", {"half": True, "reduction": "sum"}),
    ("softmax", "squared_error", {}),
    ("tanh", "squared_error", {"reduction": "mean_elements"}),
    ("softplus", "none", {}),
    ("softmax", "none", {"reduction": "sum"}),
)


@pytest.mark.parametrize("one_sample", [False, True], ids=["batch", "one"])
@pytest.mark.parametrize("loss", LOSSES, ids=str)
@pytest.mark.parametrize("hidden", sorted(ACTIVATIONS))
def test_every_gradient_of_a_perceptron_equals_the_complex_step(
    hidden: str, loss: tuple[str, str, dict[str, Any]], one_sample: bool
) -> None:
    last, name, words = loss
    assert_equal_to_the_complex_step(perceptron((hidden, last), name, one_sample, **words))


def test_a_deep_perceptron_of_mixed_layers_equals_the_complex_step() -> None:
    mixed = ("tanh", "softmax", "leaky_relu", "softplus", "identity", "softmax")
    assert_equal_to_the_complex_step(perceptron(mixed, "cross_entropy", labels="distribution"))
    assert_equal_to_the_complex_step(perceptron(mixed, "cross_entropy", bias=False))


@pytest.mark.slow
@pytest.mark.parametrize("loss", LOSSES, ids=str)
def test_every_gradient_of_a_perceptron_equals_explicit_sympy(
    loss: tuple[str, str, dict[str, Any]],
) -> None:
    last, name, words = loss
    network = perceptron(("tanh", last), name, **words)
    assert_equal_to_explicit_sympy(network, sizes(N=2, d0=1, d1=2, d2=3))


JACOBIANS = [("yhat", "z2"), ("z2", "h1"), ("z2", "W2"), ("z2", "b2"), ("h1", "z1"), ("yhat", "x")]


@pytest.mark.parametrize("last", sorted(ACTIVATIONS))
@pytest.mark.parametrize(("of", "wrt"), [*JACOBIANS, ("L", "W1"), ("yhat", "W1")])
def test_jacobians_equal_the_complex_step(last: str, of: str, wrt: str) -> None:
    network = perceptron(("sigmoid", last), "none", one_sample=True)
    point = random_point(network, 5)
    found = jacobian(network, of, wrt)
    names = (network.resolve(of), network.resolve(wrt))
    truth = stepped_jacobian(point, *names, total=True)
    value = evaluate(found.result, found.indices, point)
    np.testing.assert_allclose(value, truth, rtol=1e-10, atol=1e-12)


def test_jacobian_through_two_branches_adds_them() -> None:
    case = next(case for case in CASES if case.name == "diamond")
    point = random_point(case.network, 5, case.sizes)
    for of, wrt in (("z", "h"), ("z", "x"), ("a", "W"), ("h", "x")):
        found = jacobian(case.network, of, wrt)
        truth = stepped_jacobian(point, of, wrt, total=True)
        value = evaluate(found.result, found.indices, point)
        np.testing.assert_allclose(value, truth, rtol=1e-10, atol=1e-12)


# --------------------------------------------------------------------------------------------
# Steps
# --------------------------------------------------------------------------------------------


def exact_point(swept: Sweep, numbers: Mapping[Symbol, int]) -> Point:
    """Fractions for everything; adjoints by their own derivations, from the loss backwards."""
    point = random_point(swept.extended, 11, numbers, "exact")
    blank = {
        swept.network.adjoint_name(name): np.zeros_like(point.values[name])
        for name in swept.derivations
    }
    point = point.with_values(blank)
    for _ in range(1 + max(numbers.values()) if is_recurrent(swept.network) else 1):
        for name, derivation in swept.derivations.items():
            value = evaluate(derivation.result, derivation.indices, point)
            point = point.with_values({swept.network.adjoint_name(name): value})
    return point


def is_recurrent(network: Network) -> bool:
    return any(index.axis.role == "time" for e in network.equations for index in e.indices)


def has_derivative(whole: Expression) -> bool:
    return any(factor.has(Partial) for term in whole.terms for factor in term.factors)


def assert_steps_hold_exactly(network: Network, numbers: Mapping[Symbol, int]) -> None:
    swept = sweep(network)
    point = exact_point(swept, numbers)
    for derivation in swept.derivations.values():
        for step in derivation.steps:
            if has_derivative(step.before) or has_derivative(step.after):
                continue
            before = evaluate(step.before, derivation.indices, point)
            after = evaluate(step.after, derivation.indices, point)
            assert np.array_equal(before, after), f"{derivation.wrt}: {step.rule}"


@CASE
def test_steps_of_hand_written_networks_hold_in_exact_arithmetic(case: Case) -> None:
    assert_steps_hold_exactly(case.network, case.sizes)


@pytest.mark.parametrize("loss", LOSSES, ids=str)
def test_steps_of_perceptrons_hold_in_exact_arithmetic(
    loss: tuple[str, str, dict[str, Any]],
) -> None:
    last, name, words = loss
    network = perceptron(("tanh", last), name, **words)
    assert_steps_hold_exactly(network, generic_sizes(network))


@pytest.mark.parametrize("loss", LOSSES, ids=str)
def test_steps_with_derivatives_hold_by_the_complex_step(
    loss: tuple[str, str, dict[str, Any]],
) -> None:
    last, name, words = loss
    network = perceptron(("softplus", last), name, **words)
    swept = sweep(network)
    point = random_point(swept.extended, 2)
    adjoints = {
        network.adjoint_name(n): stepped_jacobian(point, "L", n, total=True)
        for n in swept.derivations
    }
    point = point.with_values(adjoints)
    for derivation in swept.derivations.values():
        for step in derivation.steps[:2]:
            before, after = (
                evaluate(side, derivation.indices, point) for side in (step.before, step.after)
            )
            np.testing.assert_allclose(after, before, rtol=1e-10, atol=1e-12, err_msg=step.rule)


@CASE
def test_a_derivation_is_a_chain_from_the_goal_to_the_result(case: Case) -> None:
    for derivation in sweep(case.network).derivations.values():
        (goal,) = derivation.steps[0].before.terms
        assert isinstance(goal.factors[0], Partial)
        for earlier, later in zip(derivation.steps, derivation.steps[1:], strict=False):
            assert later.before == earlier.after
        assert derivation.result == derivation.steps[-1].after
        assert not has_derivative(derivation.result)


def test_use_of_a_fact_is_a_step_of_its_own() -> None:
    rules = [s.rule for s in sweep(perceptron(("tanh", "softmax"), "cross_entropy"))["z2"].steps]
    assert "labels sum to one" in rules
    assert "name the quotient" in rules
    network = perceptron(("tanh", "softmax"), "cross_entropy", labels="any")
    assert "labels sum to one" not in [s.rule for s in sweep(network)["z2"].steps]


# --------------------------------------------------------------------------------------------
# Textbook forms (DESIGN section 4, tasks 1 to 7)
# --------------------------------------------------------------------------------------------


def shown(network: Network, derivation: Derivation, samples: str = "rows") -> tuple[str, str]:
    """The matrix form as LaTeX and as SymPy's text."""
    notation = Notation(samples="columns" if samples == "columns" else "rows")
    extended = sweep(network).extended
    node = matrix_form(derivation.result, derivation.indices, extended)
    assert node is not None
    setting = Typesetting(extended, notation)
    return setting.matrix(node, jacobian=derivation.of != "L"), str(to_sympy(node, {}))


def gradient(network: Network, name: str, samples: str = "rows") -> tuple[str, str]:
    return shown(network, sweep(network)[name], samples)


HIDDEN = ("tanh", "sigmoid", "identity")
DENSE_ONE = {
    "h1": (r"\delta^{2} W^{2\top}", "delta2*W2.T"),
    "W2": (r"h^{1\top} \delta^{2}", "h1.T*delta2"),
    "b2": (r"\delta^{2}", "delta2"),
    "x": (r"\delta^{1} W^{1\top}", "delta1*W1.T"),
    "W1": (r"x^{\top} \delta^{1}", "x.T*delta1"),
}
DENSE_BATCH = {
    "h1": (r"\delta^{2} W^{2\top}", "delta2*W2.T"),
    "W2": (r"H^{1\top} \delta^{2}", "h1.T*delta2"),
    "b2": (r"\mathbf{1}^{\top} \delta^{2}", "1*delta2"),
    "x": (r"\delta^{1} W^{1\top}", "delta1*W1.T"),
    "W1": (r"X^{\top} \delta^{1}", "x.T*delta1"),
}
DENSE_COLUMNS = {
    "h1": r"W^{2\top} \delta^{2}",
    "W2": r"\delta^{2} H^{1\top}",
    "b2": r"\delta^{2} \mathbf{1}",
    "x": r"W^{1\top} \delta^{1}",
    "W1": r"\delta^{1} X^{\top}",
    "z2": r"\left(W^{3\top} \delta^{3}\right) \circ \sigma'\left(Z^{2}\right)",
}


@pytest.mark.parametrize("name", DENSE_ONE)
def test_task_1_dense_layer_of_one_sample(name: str) -> None:
    network = perceptron(HIDDEN, "squared_error", one_sample=True)
    assert gradient(network, name) == DENSE_ONE[name]


@pytest.mark.parametrize("name", DENSE_BATCH)
def test_task_2_dense_layer_of_a_batch(name: str) -> None:
    network = perceptron(HIDDEN, "squared_error")
    assert gradient(network, name) == DENSE_BATCH[name]


def test_task_2_network_of_one_layer_needs_no_marks() -> None:
    network = perceptron(("sigmoid",), "binary_cross_entropy")
    assert gradient(network, "W1")[0] == r"X^{\top} \Delta"
    assert gradient(network, "b1")[0] == r"\mathbf{1}^{\top} \Delta"
    assert gradient(network, "x")[0] == r"\Delta W^{\top}"


@pytest.mark.parametrize("name", DENSE_COLUMNS)
def test_tasks_under_columns_put_weights_first(name: str) -> None:
    network = perceptron(HIDDEN, "squared_error")
    assert gradient(network, name, "columns")[0] == DENSE_COLUMNS[name]


PRIMED = "Lambda(_d, sigmoid_prime(_d)).(z2.T)"
JACOBIAN_FORMS = {
    ("z2", "h1"): (r"W^{2\top}", "W2.T", r"W^{2}"),
    ("z2", "b2"): ("I", "I", "I"),
    ("yhat", "yhat"): ("I", "I", "I"),
    ("h2", "z2"): (
        r"\operatorname{diag}\left(\sigma'\left(z^{2}\right)\right)",
        f"DiagMatrix({PRIMED})",
        r"\operatorname{diag}\left(\sigma'\left(z^{2}\right)\right)",
    ),
    ("yhat", "z3"): (
        r"\operatorname{diag}\left(\hat{y}\right) - \hat{y}^{\top} \hat{y}",
        "DiagMatrix(yhat.T) - yhat.T*yhat",
        r"\operatorname{diag}\left(\hat{y}\right) - \hat{y} \hat{y}^{\top}",
    ),
    ("z3", "z2"): (
        r"W^{3\top} \operatorname{diag}\left(\sigma'\left(z^{2}\right)\right)",
        f"W3.T*DiagMatrix({PRIMED})",
        r"W^{3} \operatorname{diag}\left(\sigma'\left(z^{2}\right)\right)",
    ),
}


@pytest.mark.parametrize("pair", JACOBIAN_FORMS, ids=str)
def test_tasks_1_and_3_jacobians_of_one_sample(pair: tuple[str, str]) -> None:
    network = perceptron(("tanh", "sigmoid", "softmax"), "cross_entropy", one_sample=True)
    derivation = jacobian(network, *pair)
    latex, matrix, columns = JACOBIAN_FORMS[pair]
    assert shown(network, derivation) == (latex, matrix)
    assert shown(network, derivation, "columns")[0] == columns


CROSS_ENTROPY = {
    ("one_hot", "mean"): (r"\frac{1}{N} \left(\hat{Y} - Y\right)", "1/N*(-y + yhat)"),
    ("distribution", "sum"): (r"\hat{Y} - Y", "-y + yhat"),
    ("one_hot", "mean_elements"): (
        r"\frac{1}{N d_{2}} \left(\hat{Y} - Y\right)",
        "(1/(N*d2))*(-y + yhat)",
    ),
    ("integer", "mean"): (
        r"\frac{1}{N} \left(\hat{Y} - \mathbf{1}_{y}\right)",
        "1/N*(-onehot_y + yhat)",
    ),
    ("any", "mean"): (
        r"\frac{1}{N} \left(\hat{Y} \circ \left(Y \mathbf{1}\right)\mathbf{1}^{\top} - Y\right)",
        "1/N*(HadamardProduct(y*1, yhat) - y)",
    ),
}


@pytest.mark.parametrize(("labels", "reduction"), CROSS_ENTROPY)
def test_task_4_softmax_with_cross_entropy(labels: str, reduction: str) -> None:
    network = perceptron(("tanh", "softmax"), "cross_entropy", labels=labels, reduction=reduction)
    assert gradient(network, "z2") == CROSS_ENTROPY[labels, reduction]


def test_task_4_the_fact_alone_makes_the_difference() -> None:
    network = perceptron(("tanh", "softmax"), "cross_entropy")
    assert network.tensor("y").facts == (SumsToOne(-1),)
    bare = dataclasses.replace(network.tensor("y"), facts=())
    forgetful = dataclasses.replace(
        network, tensors=tuple(bare if t.name == "y" else t for t in network.tensors)
    )
    assert gradient(forgetful, "z2") == CROSS_ENTROPY["any", "mean"]


def test_task_5_sigmoid_with_binary_cross_entropy() -> None:
    network = perceptron(("tanh", "sigmoid"), "binary_cross_entropy")
    assert gradient(network, "z2") == CROSS_ENTROPY["one_hot", "mean"]
    one = perceptron(("tanh", "sigmoid"), "binary_cross_entropy", one_sample=True)
    assert gradient(one, "z2") == (r"\hat{y} - y", "-y + yhat")


@pytest.mark.parametrize(
    ("half", "reduction", "form"),
    [
        (True, "sum", (r"\hat{Y} - Y", "-y + yhat")),
        (False, "mean", (r"\frac{2}{N} \left(\hat{Y} - Y\right)", "(2/N)*(-y + yhat)")),
        (True, "mean", (r"\frac{1}{N} \left(\hat{Y} - Y\right)", "1/N*(-y + yhat)")),
        (False, "sum", (r"2 \left(\hat{Y} - Y\right)", "-2*y + 2*yhat")),
    ],
)
def test_task_6_squared_error_by_the_output(
    half: bool, reduction: str, form: tuple[str, str]
) -> None:
    for last in ("identity", "sigmoid"):
        network = perceptron(("tanh", last), "squared_error", half=half, reduction=reduction)
        assert gradient(network, "yhat") == form


@pytest.mark.slow
@pytest.mark.parametrize("depth", [2, 3, 4, 6])
def test_task_7_every_hidden_layer_repeats_the_recursion(depth: int) -> None:
    network = perceptron(("sigmoid",) * depth, "binary_cross_entropy")
    for l in range(1, depth):
        assert gradient(network, f"z{l}")[0] == (
            rf"\left(\delta^{{{l + 1}}} W^{{{l + 1}\top}}\right) "
            rf"\circ \sigma'\left(Z^{{{l}}}\right)"
        )
        assert gradient(network, f"z{l}")[1] == (
            f"HadamardProduct(delta{l + 1}*W{l + 1}.T, Lambda(_d, sigmoid_prime(_d)).(z{l}))"
        )
        before = "X" if l == 1 else rf"H^{{{l - 1}"
        above = r"^{\top}" if l == 1 else r"\top}"
        assert gradient(network, f"W{l}")[0] == rf"{before}{above} \delta^{{{l}}}"
        assert gradient(network, f"b{l}")[0] == rf"\mathbf{{1}}^{{\top}} \delta^{{{l}}}"


# --------------------------------------------------------------------------------------------
# Repeating, renaming
# --------------------------------------------------------------------------------------------


@CASE
def test_repeating_a_derivation_gives_equal_steps(case: Case) -> None:
    first, second = sweep(case.network), sweep(case.network)
    assert dict(first.derivations) == dict(second.derivations)
    assert [str(d.result) for d in first.derivations.values()] == [
        str(d.result) for d in second.derivations.values()
    ]


def renamed_indices(network: Network) -> Network:
    """Every index letter replaced; axes, tensors and meaning stay."""

    def letter(index: Index) -> Index:
        return Index(f"q{index.name}", index.axis)

    def term_of(equation: Equation) -> Expression:
        pieces = []
        for term in equation.rhs.terms:
            found = {*term.bound, *equation.indices}
            for factor in term.factors:
                found |= factor.atoms(Index)
            moved = {index: letter(index) for index in found}
            pieces.append(
                product(
                    term.coefficient,
                    map(letter, term.bound),
                    (factor.xreplace(moved) for factor in term.factors),
                )
            )
        return expression(*pieces)

    tensors = tuple(
        dataclasses.replace(t, indices=tuple(map(letter, t.indices))) for t in network.tensors
    )
    equations = tuple(
        dataclasses.replace(e, indices=tuple(map(letter, e.indices)), rhs=term_of(e))
        for e in network.equations
    )
    return dataclasses.replace(network, tensors=tensors, equations=equations)


RENAMED = (
    *(case.network for case in CASES),
    perceptron(("tanh", "softmax"), "cross_entropy"),
    perceptron(("softmax", "sigmoid"), "binary_cross_entropy"),
)


@pytest.mark.parametrize("network", RENAMED, ids=lambda network: network.name)
def test_renaming_indices_changes_nothing_but_letters(network: Network) -> None:
    plain, other = sweep(network), sweep(renamed_indices(network))
    for name, derivation in plain.derivations.items():
        back: dict[Index, Index] = dict(zip(other[name].indices, derivation.indices, strict=True))
        returned = expression(
            *(
                product(t.coefficient, t.bound, (f.xreplace(back) for f in t.factors))
                for t in other[name].result.terms
            )
        )
        assert canonical(returned) == canonical(derivation.result)
        assert [s.rule for s in other[name].steps] == [s.rule for s in derivation.steps]


def test_renaming_tensors_renames_the_result() -> None:
    words = {"x": "m", "W": "V", "h": "u", "z": "c", "a": "e"}
    case = next(case for case in CASES if case.name == "tied")

    def changed(whole: Expression) -> Expression:
        moved = {
            element: case_tensor(words, element)
            for term in whole.terms
            for factor in term.factors
            for element in factor.atoms(type(case.network.tensors[0].entry))
        }
        return expression(
            *(
                product(t.coefficient, t.bound, (f.xreplace(moved) for f in t.factors))
                for t in whole.terms
            )
        )

    network = dataclasses.replace(
        case.network,
        tensors=tuple(
            dataclasses.replace(t, name=words.get(t.name, t.name)) for t in case.network.tensors
        ),
        equations=tuple(
            dataclasses.replace(e, target=words.get(e.target, e.target), rhs=changed(e.rhs))
            for e in case.network.equations
        ),
    )
    assert_equal_to_the_complex_step(network, case.sizes)
    plain, other = sweep(case.network), sweep(network)
    for name, derivation in plain.derivations.items():
        found = other[words.get(name, name)].result
        expected = changed(derivation.result)
        assert sorted(map(str, canonical(found).terms)) == sorted(
            map(str, canonical(expected).terms)
        )


def case_tensor(words: Mapping[str, str], element: Any) -> Any:
    name = element.tensor
    new = "d" + words.get(name[1:], name[1:]) if name.startswith("d") else words.get(name, name)
    return type(element)(new, *element.indices)


def test_text_of_a_result_does_not_depend_on_what_was_derived_before() -> None:
    network = perceptron(("tanh", "softmax"), "cross_entropy", labels="any")
    alone = [text(f) for t in sweep(network)["z2"].result.terms for f in t.factors]
    for case in CASES:
        sweep(case.network)
    again = [text(f) for t in sweep(network)["z2"].result.terms for f in t.factors]
    assert alone == again


# --------------------------------------------------------------------------------------------
# What is refused, and what has no gradient
# --------------------------------------------------------------------------------------------


def test_jacobian_of_what_does_not_depend_is_refused() -> None:
    network = perceptron(("tanh", "softmax"), "cross_entropy", one_sample=True)
    with pytest.raises(UnsupportedError, match="does not depend"):
        jacobian(network, "z1", "W2")


@pytest.mark.parametrize(("of", "wrt"), [("h", "x"), ("h", "h"), ("L", "U"), ("a", "W")])
def test_jacobian_through_a_recurrence_is_refused_rather_than_cut_short(of: str, wrt: str) -> None:
    with pytest.raises(UnsupportedError, match="recurrence"):
        jacobian(recurrence().network, of, wrt)


def test_tensor_off_the_way_to_the_loss_has_no_derivation_and_adds_no_path() -> None:
    network = recurrence().network
    k = network.tensor("h").indices
    idle = Tensor("idle", k, "intermediate")
    reading = Equation("idle", k, expression(product(1, (), (network.tensor("h").entry,))))
    extra = dataclasses.replace(
        network,
        tensors=(*network.tensors, idle),
        equations=(*network.equations, reading),
    )
    assert "idle" not in sweep(extra).derivations
    assert sweep(extra)["h"].result == sweep(network)["h"].result
    assert "idle" not in leads_to(extra, "L")


def test_network_refuses_what_does_not_fit() -> None:
    x, W = Tensor("x", (N, I), "input"), Tensor("W", (I, K), "parameter")
    z, loss = Tensor("z", (N, K), "intermediate"), Tensor("L", (), "loss")
    total = Equation("L", (), expression(product(1, (N, K), (z.entry,))))

    def with_rhs(rhs: Expression) -> Network:
        return Network("bad", (x, W, z, loss), (Equation("z", (N, K), rhs), total), "L")

    with pytest.raises(AxisMismatch):
        with_rhs(expression(product(1, (J,), (x[N, J], W[J, K]))))
    with pytest.raises(ShapeError, match="right only"):
        with_rhs(expression(product(1, (), (x.entry, W.entry))))
    with pytest.raises(ShapeError, match="summed over"):
        with_rhs(expression(product(1, (I, Index("k", I.axis)), (x.entry, W.entry))))
    with pytest.raises(ShapeError, match="not known yet"):
        with_rhs(expression(product(1, (), (z.entry,))))
    with pytest.raises(ShapeError, match="no scalar function"):
        with_rhs(expression(product(1, (I,), (x.entry, Applied("sin", 0, W.entry)))))
