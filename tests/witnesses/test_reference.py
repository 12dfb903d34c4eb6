"""The hand-written network is right: against scalar loops, the complex step and differences."""

from __future__ import annotations

import ast
import inspect
import math
import sys
import warnings
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from symbackprop.witnesses import reference
from symbackprop.witnesses.reference import (
    Model,
    central_difference,
    complex_step,
    forward,
    gradients,
    intermediate_from,
    jacobian_complex_step,
    loss,
    loss_from,
)

Array = npt.NDArray[Any]
Case = tuple[Model, dict[str, Array], Array, Array | None]

SAMPLES = 5
ELEMENTWISE = ("identity", "sigmoid", "tanh", "relu", "leaky_relu", "softplus")
ACTIVATIONS = (*ELEMENTWISE, "softmax")
REDUCTIONS = ("sum", "mean", "mean_elements")


def case(model: Model, widths: tuple[int, ...] = (2, 4, 3), seed: int = 0) -> Case:
    """Generic parameters and labels; the last layer but one has no bias when there are three."""
    rng = np.random.default_rng(seed)
    params: dict[str, Array] = {}
    for layer, (fan_in, fan_out) in enumerate(pairwise(widths), 1):
        params[f"W{layer}"] = rng.normal(size=(fan_in, fan_out))
        if layer != 2 or model.depth < 3:
            params[f"b{layer}"] = rng.normal(size=fan_out)
    x = rng.normal(size=(SAMPLES, widths[0]))
    return model, params, x, labels_for(model, rng, widths[-1])


def labels_for(model: Model, rng: np.random.Generator, width: int) -> Array | None:
    if model.loss == "none":
        return None
    if model.loss == "squared_error":
        return rng.normal(size=(SAMPLES, width))
    if model.loss == "binary_cross_entropy":
        return np.asarray(rng.integers(0, 2, size=(SAMPLES, width)), dtype=float)
    positive = rng.uniform(0.2, 2.0, size=(SAMPLES, width))
    integers = rng.integers(0, width, size=SAMPLES)
    kinds: dict[str, Array] = {
        "one_hot": np.eye(width)[integers],
        "distribution": positive / positive.sum(axis=1, keepdims=True),
        "integer": integers,
        "any": positive,
    }
    return kinds[model.labels]


def models() -> list[Model]:
    """Every activation before every loss, every label kind, every reduction."""
    heads = [
        *(Model(("softmax",), "cross_entropy", labels=labels) for labels in reference.LABELS),
        Model(("sigmoid",), "binary_cross_entropy"),
        *(Model((last,), "squared_error") for last in ACTIVATIONS),
        Model(("tanh",), "squared_error", half=True),
        *(Model((last,), "none") for last in ("identity", "sigmoid", "softmax")),
    ]
    return [
        replace(head, activations=(hidden, *head.activations), reduction=reduction)
        for head in heads
        for hidden in ACTIVATIONS
        for reduction in REDUCTIONS
    ]


def name_of(model: Model) -> str:
    words = ["-".join(model.activations), model.loss, model.labels, model.reduction]
    return ",".join(words + ["half"] * model.half)


def agree(found: Array, expected: Array, tolerance: float) -> bool:
    if found.shape != expected.shape:
        return False
    bound = tolerance * (1 + np.abs(expected).max(initial=0))
    return bool(np.abs(found - expected).max(initial=0) <= bound)


def objective(model: Model, params: dict[str, Array], x: Array, y: Array | None, name: str) -> Any:
    """The loss as a function of one gradient's own variable."""
    if name == "x":
        return lambda value: loss(model, params, value, y)
    if name in params:
        return lambda value: loss(model, params | {name: value}, x, y)
    tensor = name.replace("delta", "z")
    return lambda value: loss_from(model, params, y, tensor, value)


def point(params: dict[str, Array], tape: dict[str, Array], x: Array, name: str) -> Array:
    return (params | tape | {"x": x})[name.replace("delta", "z")]


def disagreements(
    found: dict[str, Array],
    of: Case,
    differentiate: Callable[[Callable[[Array], Any], Array], Array],
    tolerance: float,
) -> list[str]:
    model, params, x, y = of
    tape = forward(model, params, x)
    return [
        name
        for name, gradient in found.items()
        if not agree(
            gradient,
            differentiate(objective(model, params, x, y, name), point(params, tape, x, name)),
            tolerance,
        )
    ]


@pytest.mark.parametrize("model", models(), ids=name_of)
def test_gradients_and_adjoints_equal_the_complex_step(model: Model) -> None:
    of = case(model)
    assert disagreements(gradients(*of), of, complex_step, 1e-10) == []


@pytest.mark.slow
@pytest.mark.parametrize("model", models(), ids=name_of)
def test_gradients_and_adjoints_equal_central_differences(model: Model) -> None:
    of = case(model)
    assert disagreements(gradients(*of), of, central_difference, 1e-6) == []


@pytest.mark.parametrize(
    ("activations", "widths"),
    [
        (("softmax",), (4, 3)),
        (("tanh", "softmax", "softmax"), (2, 5, 4, 3)),
        (("relu", "softplus", "leaky_relu", "softmax"), (3, 2, 5, 4, 6)),
    ],
)
def test_any_depth_and_missing_biases(
    activations: tuple[str, ...], widths: tuple[int, ...]
) -> None:
    of = case(Model(activations, "cross_entropy"), widths)
    found = gradients(*of)
    assert disagreements(found, of, complex_step, 1e-10) == []
    assert ("b2" in found) == ("b2" in of[1])


def test_gradients_come_parameters_first_then_x_then_adjoints() -> None:
    found = gradients(*case(Model(("tanh", "softmax"), "cross_entropy")))
    names = ["W1", "b1", "W2", "b2", "x", "delta1", "h1", "delta2", "h2", "yhat"]
    assert list(found) == names


# --- values, against scalar loops that share nothing --------------------------------------------

SCALARS: dict[str, Callable[[float], float]] = {
    "identity": lambda z: z,
    "sigmoid": lambda z: 1 / (1 + math.exp(-z)),
    "tanh": math.tanh,
    "relu": lambda z: max(0.0, z),
    "leaky_relu": lambda z: z if z > 0 else 0.01 * z,
    "softplus": lambda z: math.log(1 + math.exp(z)),
}


def activate(name: str, row: list[float]) -> list[float]:
    if name == "softmax":
        return [math.exp(z) / sum(math.exp(other) for other in row) for z in row]
    return [SCALARS[name](z) for z in row]


def predict(model: Model, params: dict[str, Array], row: list[float]) -> list[float]:
    for layer, activation in enumerate(model.activations, 1):
        W, b = params[f"W{layer}"], params.get(f"b{layer}", np.zeros(params[f"W{layer}"].shape[1]))
        z = [
            float(b[k]) + sum(row[j] * float(W[j, k]) for j in range(len(row)))
            for k in range(W.shape[1])
        ]
        row = activate(activation, z)
    return row


def cost(model: Model, y: float, p: float) -> float:
    match model.loss:
        case "none":
            return p
        case "squared_error":
            return (p - y) ** 2 * (0.5 if model.half else 1)
        case "cross_entropy":
            return -y * math.log(p)
        case _:
            return -y * math.log(p) - (1 - y) * math.log(1 - p)


@pytest.mark.parametrize("model", models(), ids=name_of)
def test_loss_equals_the_textbook_sum_written_as_loops(model: Model) -> None:
    _, params, x, y = case(model)
    rows = [predict(model, params, [float(v) for v in row]) for row in x]
    width = len(rows[0])
    if y is None:
        y = np.zeros((SAMPLES, width))
    elif y.ndim == 1:
        y = np.array([[float(k == t) for k in range(width)] for t in y])
    total = sum(
        cost(model, float(y[n, k]), rows[n][k]) for n in range(SAMPLES) for k in range(width)
    )
    expected = (
        total / {"sum": 1, "mean": SAMPLES, "mean_elements": SAMPLES * width}[model.reduction]
    )
    np.testing.assert_allclose(forward(model, params, x)["yhat"], rows, rtol=1e-12)
    assert loss(*case(model)) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("model", models(), ids=name_of)
def test_restarting_anywhere_gives_the_same_loss(model: Model) -> None:
    _, params, x, y = case(model)
    expected = loss(model, params, x, y)
    for tensor, value in forward(model, params, x).items():
        assert loss_from(model, params, y, tensor, value) == pytest.approx(expected, rel=1e-12)


# --- the textbook forms of DESIGN.md, section 4 ---------------------------------------------------


def test_softmax_jacobian_is_the_diagonal_minus_the_outer_product() -> None:
    model = Model(("softmax",), "none")
    z = np.array([0.3, -1.2, 0.7])
    h = forward(model, {"W1": np.eye(3)}, z)["h1"]
    found = jacobian_complex_step(lambda v: intermediate_from(model, {}, "z1", v, "h1"), z)
    np.testing.assert_allclose(found, np.diag(h) - np.outer(h, h), atol=1e-14)


def test_dense_jacobian_is_the_transposed_weight() -> None:
    model, params, x, _ = case(Model(("tanh", "identity"), "none"))
    h1 = forward(model, params, x)["h1"][0]
    found = jacobian_complex_step(lambda v: intermediate_from(model, params, "h1", v, "z2"), h1)
    assert found.shape == (3, 4)
    np.testing.assert_allclose(found, params["W2"].T, atol=1e-14)


def test_without_sum_to_one_the_labels_weigh_the_prediction() -> None:
    model, params, x, y = case(Model(("softmax",), "cross_entropy", labels="any"), (4, 3))
    assert y is not None
    yhat = forward(model, params, x)["yhat"]
    expected = (yhat * y.sum(axis=1, keepdims=True) - y) / SAMPLES
    np.testing.assert_allclose(gradients(model, params, x, y)["delta1"], expected, atol=1e-14)


def test_logistic_hessian_from_the_complex_step_of_the_gradient() -> None:
    model = Model(("sigmoid",), "binary_cross_entropy")
    _, params, x, y = case(model, (3, 1))
    p = forward(model, params, x)["yhat"]
    found = jacobian_complex_step(
        lambda W: gradients(model, params | {"W1": W}, x, y)["W1"], params["W1"]
    )
    np.testing.assert_allclose(found[:, 0, :, 0], x.T @ (p * (1 - p) * x) / SAMPLES, atol=1e-14)


@pytest.mark.parametrize(("activation", "slope"), [("relu", 0.0), ("leaky_relu", 0.01)])
def test_kink_takes_the_left_derivative(activation: str, slope: float) -> None:
    model = Model((activation,), "none", reduction="sum")
    params, x = {"W1": np.eye(2)}, np.zeros((1, 2))
    assert gradients(model, params, x, None)["delta1"].tolist() == [[slope, slope]]
    assert complex_step(lambda v: loss(model, params, v, None), x).tolist() == [[slope, slope]]


# --- stability --------------------------------------------------------------------------------

EXTREME = np.array([[1000.0, -1000.0, 0.0], [-1000.0, -1000.0, 1000.0]])


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("dtype", [float, complex])
def test_activations_are_finite_and_silent_at_a_thousand(activation: str, dtype: type) -> None:
    model = Model((activation,), "squared_error")
    y = np.zeros((2, 3))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = gradients(model, {"W1": np.eye(3)}, EXTREME.astype(dtype), y)
        value = loss(model, {"W1": np.eye(3)}, EXTREME.astype(dtype), y)
    assert np.isfinite(value)
    assert all(np.isfinite(gradient).all() for gradient in found.values())


@pytest.mark.parametrize(
    ("model", "y", "total"),
    [
        (Model(("softmax",), "cross_entropy"), [[0, 0, 1], [0, 0, 1]], 1000),
        (
            Model(("sigmoid",), "binary_cross_entropy"),
            [[0, 1, 0], [1, 0, 1]],
            3000 + math.log(2),
        ),
    ],
)
def test_saturated_losses_are_exact_and_silent(
    model: Model, y: list[list[int]], total: float
) -> None:
    params, labels = {"W1": np.eye(3)}, np.array(y)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        value = loss(model, params, EXTREME, labels)
        found = gradients(model, params, EXTREME, labels)
        steps = complex_step(lambda x: loss(model, params, x, labels), EXTREME)
    assert value == pytest.approx(total / 2, rel=1e-15)
    assert agree(found["delta1"], steps, 1e-12)


def test_an_unwanted_prediction_of_zero_costs_nothing_and_a_wanted_one_everything() -> None:
    model, yhat = Model(("softmax",), "cross_entropy"), np.array([[0.0, 1.0, 0.0]])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert loss_from(model, {}, np.array([[0.0, 1.0, 0.0]]), "yhat", yhat) == 0
        assert loss_from(model, {}, np.array([[1.0, 0.0, 0.0]]), "yhat", yhat) == np.inf


def test_adjoint_of_a_saturated_prediction_is_infinite_and_not_a_guess() -> None:
    model = Model(("softmax",), "cross_entropy")
    y = np.array([[0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    found = gradients(model, {"W1": np.eye(3)}, EXTREME, y)["yhat"]
    assert found[0, 1] == -np.inf
    assert found[1].tolist() == [0.0, 0.0, -0.5]


# --- faults are seen --------------------------------------------------------------------------


def faults() -> dict[str, Callable[[Case], dict[str, Array]]]:
    """Slips people make, each as the gradients it would give; W2 is square on purpose."""

    def slip(name: str, wrong: Callable[[dict[str, Array], Case], Array]) -> Any:
        def apply(of: Case) -> dict[str, Array]:
            return {name: wrong(gradients(*of), of)}

        return apply

    return {
        "transposed weight": slip("h1", lambda g, of: g["delta2"] @ of[1]["W2"]),
        "transposed gradient": slip("W2", lambda g, of: g["W2"].T),
        "dropped 1/N": slip("W1", lambda g, of: g["W1"] * SAMPLES),
        "1/N twice": slip("b2", lambda g, of: g["b2"] / SAMPLES),
        "wrong sign": slip("b1", lambda g, of: -g["b1"]),
        "missing f'": slip("delta1", lambda g, of: g["h1"]),
        "sigmoid for tanh": slip(
            "delta1", lambda g, of: g["h1"] * (h := forward(*of[:3])["h1"]) * (1 - h)
        ),
        "softmax as a diagonal": slip(
            "delta2", lambda g, of: g["h2"] * (h := forward(*of[:3])["h2"]) * (1 - h)
        ),
        "z for h": slip("W2", lambda g, of: forward(*of[:3])["z1"].T @ g["delta2"]),
        "bias from one sample": slip("b1", lambda g, of: g["delta1"][0]),
    }


@pytest.mark.parametrize("fault", faults())
@pytest.mark.parametrize("differentiate", [complex_step, central_difference])
def test_injected_fault_is_seen(fault: str, differentiate: Any) -> None:
    of = case(Model(("tanh", "softmax", "softmax"), "cross_entropy"), (2, 4, 4, 3))
    of[1]["b2"] = np.array([0.3, -0.1, 0.7, 0.2])
    wrong = faults()[fault](of)
    right = {name: gradients(*of)[name] for name in wrong}
    assert disagreements(wrong, of, differentiate, 1e-4) == list(wrong)
    assert disagreements(right, of, differentiate, 1e-6) == []


# --- what is refused --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (((), "none"), "expected one for each layer"),
        ((("gelu",), "none"), "layer 1: found 'gelu'"),
        ((("tanh",), "hinge"), "loss: found 'hinge'"),
        ((("tanh",), "cross_entropy"), "expected one of softmax"),
        ((("softmax",), "binary_cross_entropy"), "expected one of sigmoid"),
        ((("softmax",), "cross_entropy", "soft"), "labels: found 'soft'"),
        ((("softmax",), "cross_entropy", "any", "max"), "reduction: found 'max'"),
        ((("softmax",), "cross_entropy", "any", "sum", True), "only squared_error"),
    ],
)
def test_model_refuses_what_it_does_not_know(arguments: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Model(*arguments)


def test_labels_that_would_broadcast_are_refused() -> None:
    model, params, x, _ = case(Model(("identity",), "squared_error"), (2, 1))
    with pytest.raises(ValueError, match=r"found shape \(5,\), expected \(5, 1\)"):
        loss(model, params, x, np.zeros(SAMPLES))


@pytest.mark.parametrize("labels", [[0, 1, 2, 0, 3], [0, 1, 2, 0, -1], [0.0] * 5, [0, 1]])
def test_integer_labels_outside_the_classes_are_refused(labels: list[float]) -> None:
    model, params, x, _ = case(Model(("softmax",), "cross_entropy", labels="integer"), (2, 3))
    with pytest.raises(ValueError, match="y: found"):
        loss(model, params, x, np.array(labels))


@pytest.mark.parametrize("tensor", ["z3", "h0", "W1", "z01", "delta1", ""])
def test_unknown_tensors_are_refused(tensor: str) -> None:
    model, params, x, y = case(Model(("tanh", "softmax"), "cross_entropy"))
    with pytest.raises(ValueError, match="tensor: found"):
        loss_from(model, params, y, tensor, x)


def test_earlier_tensors_do_not_depend_on_later_ones() -> None:
    model, params, x, _ = case(Model(("tanh", "softmax"), "cross_entropy"))
    with pytest.raises(ValueError, match="z1 does not depend on h1"):
        intermediate_from(model, params, "h1", x, "z1")


def test_complex_step_refuses_what_would_come_out_as_zero() -> None:
    with pytest.raises(TypeError, match="expected a complex one"):
        complex_step(lambda v: np.abs(v).sum(), np.ones(3))
    with pytest.raises(TypeError, match="expected a real point"):
        complex_step(np.sum, np.ones(3, dtype=complex))
    with pytest.raises(ValueError, match="use jacobian_complex_step"):
        complex_step(lambda v: v, np.ones(3))


def test_numeric_derivatives_take_any_shape_and_integers() -> None:
    assert complex_step(lambda v: v**3, 2) == pytest.approx(12)
    assert central_difference(lambda v: v**3, 2) == pytest.approx(12)
    assert jacobian_complex_step(lambda v: v @ np.ones((3, 4)), np.ones((2, 3))).shape == (
        2,
        4,
        2,
        3,
    )


def test_reference_imports_only_numpy_and_the_standard_library() -> None:
    tree = ast.parse(inspect.getsource(reference))
    imported = {
        alias.name.split(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import)
        for alias in node.names
    } | {
        (node.module or "symbackprop").split(".")[0] if node.level == 0 else "symbackprop"
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
    }
    assert imported - {"numpy"} <= sys.stdlib_module_names
