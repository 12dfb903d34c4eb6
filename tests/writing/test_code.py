"""Emitted NumPy code: what it says, and that it is right, stable, typed and fast."""

from __future__ import annotations

import ast
import random
import warnings
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from sympy import Integer, Lambda, Symbol, sin

from symbackprop.calculus.scalars import FUNCTIONS, ScalarFunction, Z
from symbackprop.calculus.terms import Applied, Axis, Element, Index, expression, product
from symbackprop.derivation.evaluate import jacobian as numeric_jacobian
from symbackprop.derivation.evaluate import random_point
from symbackprop.derivation.steps import Sweep
from symbackprop.derivation.sweep import jacobian, sweep
from symbackprop.errors import UnsupportedError
from symbackprop.networks.layers.architecture import Architecture, Layer
from symbackprop.networks.layers.multilayer import Built, build
from symbackprop.networks.network import Equation, NamesItsDefinition, Network, SumsToOne, Tensor
from symbackprop.witnesses import reference
from symbackprop.writing.code.numpy_backend import compile_source, emit, expression_of

Array = npt.NDArray[Any]

ACTIVATIONS = ("identity", "sigmoid", "tanh", "relu", "leaky_relu", "softplus", "softmax")
LAST = {"cross_entropy": "softmax", "binary_cross_entropy": "sigmoid"}
TOLERANCE = 1e-10


def architecture(
    widths: tuple[int | str, ...],
    activations: tuple[str, ...],
    loss: str,
    reduction: str = "mean",
    half: bool = False,
    labels: str = "one_hot",
    bias: bool = True,
) -> Architecture:
    layers = tuple(
        Layer(units, name, bias) for units, name in zip(widths[1:], activations, strict=True)
    )
    return Architecture("net", widths[0], layers, loss, reduction, half, labels)


@lru_cache(maxsize=64)
def derived(spec: Architecture, one_sample: bool = False) -> tuple[Built, Sweep]:
    built = build(spec, one_sample)
    return built, sweep(built.network)


def emitted(spec: Architecture, one_sample: bool = False, *wanted: str) -> str:
    built, swept = derived(spec, one_sample)
    return emit(swept, wanted or None, sizes=built.sizes)


def function_of(spec: Architecture, one_sample: bool = False, *wanted: str) -> Callable[..., Any]:
    return compile_source(emitted(spec, one_sample, *wanted))


FOUR = architecture((2, 2, 4, 3), ("sigmoid", "sigmoid", "softmax"), "cross_entropy", "sum")
TWO_THREE_ONE = architecture(
    (2, 3, 1), ("sigmoid", "sigmoid"), "squared_error", "sum", half=True, bias=False
)
LINE = architecture((1, 1), ("identity",), "none", "sum")
CHAIN = architecture((1, 1, 2, 1), ("identity",) * 3, "squared_error")


def lines(source: str) -> list[str]:
    """The function's statements without comments and without what is around them."""
    body = source.split("# forward\n")[1]
    return [text for row in body.splitlines() if (text := row.split("#")[0].strip())]


# --- what it says ------------------------------------------------------------------------------


def test_four_layer_reads_as_written_by_hand() -> None:
    assert lines(emitted(FOUR)) == [
        'W1, b1 = params["W1"], params["b1"]',
        'W2, b2 = params["W2"], params["b2"]',
        'W3, b3 = params["W3"], params["b3"]',
        "z1 = x @ W1 + b1",
        "h1 = sigmoid(z1)",
        "z2 = h1 @ W2 + b2",
        "h2 = sigmoid(z2)",
        "z3 = h2 @ W3 + b3",
        "log_yhat = log_softmax(z3)",
        "yhat = np.exp(log_yhat)",
        "loss = -(log_yhat * y).sum()",
        "delta3 = yhat - y",
        "dW3 = h2.T @ delta3",
        "db3 = delta3.sum(axis=0)",
        "delta2 = (delta3 @ W3.T) * h2 * (1 - h2)",
        "dW2 = h1.T @ delta2",
        "db2 = delta2.sum(axis=0)",
        "delta1 = (delta2 @ W2.T) * h1 * (1 - h1)",
        "dW1 = x.T @ delta1",
        "db1 = delta1.sum(axis=0)",
        'return loss, {"W1": dW1, "b1": db1, "W2": dW2, "b2": db2, "W3": dW3, "b3": db3}',
    ]


def test_two_three_one_has_no_biases_and_half_the_square() -> None:
    assert lines(emitted(TWO_THREE_ONE))[2:] == [
        "z1 = x @ W1",
        "h1 = sigmoid(z1)",
        "z2 = h1 @ W2",
        "yhat = sigmoid(z2)",
        "loss = ((yhat - y) ** 2).sum() / 2",
        "delta2 = (yhat - y) * yhat * (1 - yhat)",
        "dW2 = h1.T @ delta2",
        "delta1 = (delta2 @ W2.T) * h1 * (1 - h1)",
        "dW1 = x.T @ delta1",
        'return loss, {"W1": dW1, "W2": dW2}',
    ]


def test_line_takes_no_labels() -> None:
    source = emitted(LINE)
    assert "def loss_and_gradients(params, x, y=None):" in source
    params = {"W1": np.array([[2.0]]), "b1": np.array([1.0])}
    loss, grads = compile_source(source)(params, np.array([[3.0], [4.0]]), None)
    assert loss == 16.0
    assert grads["W1"].tolist() == [[7.0]]
    assert grads["b1"].tolist() == [2.0]


def test_linear_chain_is_the_mean_of_squares() -> None:
    text = lines(emitted(CHAIN))
    assert "loss = ((yhat - y) ** 2).sum() / N" in text
    assert "delta3 = 2 * (yhat - y) / N" in text
    assert "delta2 = delta3 @ W3.T" in text
    assert "dW2 = z1.T @ delta2" in text


def test_one_sample_is_one_dimensional() -> None:
    text = lines(emitted(FOUR, True))
    assert "loss = -(log_yhat @ y)" in text
    assert "dW3 = np.outer(h2, delta3)" in text
    assert "delta2 = (delta3 @ W3.T) * h2 * (1 - h2)" in text


def test_integer_labels_subtract_one_at_their_places() -> None:
    spec = architecture((2, 4, 3), ("tanh", "softmax"), "cross_entropy", labels="integer")
    text = lines(emitted(spec))
    assert "loss = -log_yhat[np.arange(N), y].sum() / N" in text
    place = text.index("delta2 = yhat.copy()")
    assert text[place + 1 : place + 3] == ["delta2[np.arange(N), y] -= 1", "delta2 = delta2 / N"]


def test_labels_without_assumption_keep_their_sum() -> None:
    spec = architecture((2, 3), ("softmax",), "cross_entropy", labels="any")
    assert "delta1 = (yhat * y.sum(axis=1, keepdims=True) - y) / N" in lines(emitted(spec))


def test_binary_cross_entropy_is_taken_from_the_logits() -> None:
    spec = architecture((2, 3, 1), ("tanh", "sigmoid"), "binary_cross_entropy")
    text = lines(emitted(spec))
    assert "loss = (softplus(z2) - y * z2).sum() / N" in text
    assert "delta2 = (yhat - y) / N" in text
    assert "delta1 = (delta2 @ W2.T) * (1 - h1 ** 2)" in text


def test_comments_show_shapes() -> None:
    source = emitted(FOUR)
    assert "dW3 = h2.T @ delta3                       # (4, N) @ (N, 3) -> (4, 3)\n" in source
    assert "h2 = sigmoid(z2)                          # (N, 4)\n" in source


def test_only_the_wanted_gradients_are_computed() -> None:
    text = lines(emitted(FOUR, False, "x"))
    assert text[-1] == 'return loss, {"x": dx}'
    assert text[-2] == "dx = delta1 @ W1.T"
    assert not any(line.startswith(("dW", "db")) for line in text)
    for source in (emitted(FOUR), emitted(FOUR, False, "W3")):
        assert "dx" not in source
        assert "dyhat" not in source
    assert "delta2" not in emitted(FOUR, False, "W3")


def test_no_gradient_wanted_leaves_the_loss() -> None:
    _, swept = derived(FOUR)
    source = emit(swept, ())
    assert "# backward" not in source
    assert not any(line.startswith("yhat") for line in lines(source))
    assert lines(source)[-1] == "return loss, {}"


def test_expressions_of_gradients() -> None:
    _, swept = derived(FOUR)
    texts = {name: expression_of(d, swept.extended) for name, d in swept.derivations.items()}
    assert texts["W3"] == "h2.T @ delta3"
    assert texts["b3"] == "delta3.sum(axis=0)"
    assert texts["z2"] == "(delta3 @ W3.T) * h2 * (1 - h2)"
    assert texts["x"] == "delta1 @ W1.T"
    _, mean = derived(architecture((2, 3), ("softmax",), "cross_entropy"))
    assert expression_of(mean["z1"], mean.extended) == "(yhat - y) / N"


def test_expressions_of_jacobians() -> None:
    built, swept = derived(FOUR, True)
    found = {
        (u, v): expression_of(jacobian(built.network, u, v), swept.extended)
        for u, v in [("yhat", "z3"), ("z3", "h2"), ("z3", "b3"), ("h2", "z2"), ("z3", "z2")]
    }
    assert found["yhat", "z3"] == "np.diag(yhat) - np.outer(yhat, yhat)"
    assert found["z3", "h2"] == "W3.T"
    assert found["z3", "b3"] == "np.eye(d3)"
    assert found["h2", "z2"] == "np.diag(h2 * (1 - h2))"
    assert found["z3", "z2"] == "W3.T * (h2 * (1 - h2))"


def test_the_text_is_the_same_every_time() -> None:
    built = build(FOUR)
    first = emit(sweep(built.network), sizes=built.sizes)
    again = build(FOUR)
    assert first == emit(sweep(again.network), sizes=again.sizes)


def test_unknown_names_are_refused() -> None:
    _, swept = derived(FOUR)
    with pytest.raises(UnsupportedError, match="no gradient with respect to W9"):
        emit(swept, ("W9",))
    with pytest.raises(UnsupportedError, match="not the text of an emitted module"):
        compile_source("import os\n")


def test_titles_cannot_leave_the_docstring() -> None:
    _, swept = derived(LINE)
    source = emit(swept, title='"""\nimport os\n"""\\', notes=('ends in "',))
    assert [type(node).__name__ for node in ast.parse(source).body] == [
        "Expr",
        "Import",
        "FunctionDef",
    ]


@pytest.mark.parametrize("name", ["lambda", "np", "x", "params", "W1", "loss", "h1", "sigmoid"])
def test_symbolic_sizes_never_hide_an_array(name: str) -> None:
    spec = architecture((name, 4, "K"), ("sigmoid", "identity"), "squared_error", "mean_elements")
    swap = architecture(("K", 4, name), ("sigmoid", "identity"), "squared_error", "mean_elements")
    for each in (spec, swap):
        rng = np.random.default_rng(1)
        params = {"W1": rng.normal(size=(2, 4)), "b1": rng.normal(size=4)}
        params |= {"W2": rng.normal(size=(4, 3)), "b2": rng.normal(size=3)}
        x, y = rng.normal(size=(5, 2)), rng.normal(size=(5, 3))
        loss, _ = function_of(each)(params, x, y)
        model = reference.Model(("sigmoid", "identity"), "squared_error", reduction="mean_elements")
        assert_close(loss, reference.loss(model, params, x, y))


# --- that it is right --------------------------------------------------------------------------


def assert_close(found: Any, expected: Any, tolerance: float = TOLERANCE) -> None:
    found, expected = np.asarray(found), np.asarray(expected)
    assert found.shape == expected.shape
    bound = tolerance * (1 + np.max(np.abs(expected), initial=0))
    assert np.max(np.abs(found - expected), initial=0) <= bound


def random_architecture(source: random.Random) -> Architecture:
    depth = source.randint(1, 4)
    widths = tuple(source.sample(range(1, 8), depth + 1))
    loss = source.choice(("cross_entropy", "binary_cross_entropy", "squared_error", "none"))
    names = [source.choice(ACTIVATIONS) for _ in range(depth)]
    names[-1] = LAST.get(loss, names[-1])
    return architecture(
        widths,
        tuple(names),
        loss,
        source.choice(("sum", "mean", "mean_elements")),
        loss == "squared_error" and source.random() < 0.5,
        source.choice(("one_hot", "distribution", "integer", "any"))
        if loss == "cross_entropy"
        else "one_hot",
        source.random() < 0.7,
    )


def random_arrays(
    spec: Architecture, samples: int, seed: int
) -> tuple[dict[str, Array], Array, Any]:
    rng = np.random.default_rng(seed)
    params: dict[str, Array] = {}
    widths = [int(w) for w in spec.widths]
    for number, layer in enumerate(spec.layers, 1):
        params[f"W{number}"] = rng.normal(size=(widths[number - 1], widths[number]))
        if layer.bias:
            params[f"b{number}"] = rng.normal(size=widths[number])
    x = rng.normal(size=(samples, widths[0]))
    return params, x, random_labels(spec, samples, rng)


def random_labels(spec: Architecture, samples: int, rng: np.random.Generator) -> Any:
    width = int(spec.widths[-1])
    if spec.loss == "none":
        return None
    if spec.loss == "squared_error":
        return rng.normal(size=(samples, width))
    if spec.loss == "binary_cross_entropy":
        return rng.integers(0, 2, size=(samples, width)).astype(float)
    picked = rng.integers(0, width, size=samples)
    mass = rng.uniform(0.2, 2.0, size=(samples, width))
    return {
        "integer": picked,
        "one_hot": np.eye(width)[picked],
        "distribution": mass / mass.sum(axis=1, keepdims=True),
        "any": mass,
    }[spec.labels]


def model_of(spec: Architecture) -> reference.Model:
    names = tuple(layer.activation for layer in spec.layers)
    return reference.Model(names, spec.loss, spec.labels, spec.reduction, spec.half)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(120))
def test_random_networks_agree_with_the_reference(seed: int) -> None:
    source = random.Random(seed)
    spec = random_architecture(source)
    one_sample = seed % 3 == 0
    samples = 1 if one_sample else source.randint(1, 5)
    params, x, y = random_arrays(spec, samples, seed)
    text = emitted(spec, one_sample, *params, "x")
    assert "einsum" not in text
    function = compile_source(text)
    given = (x[0], y if y is None else y[0]) if one_sample else (x, y)
    loss, grads = function(params, *given)
    model = model_of(spec)
    by_hand = reference.gradients(model, params, x, y)
    assert_close(loss, reference.loss(model, params, x, y))
    assert list(grads) == [*params, "x"]
    for name, value in {**params, "x": given[0]}.items():
        assert_close(grads[name].reshape(by_hand[name].shape), by_hand[name])
        assert grads[name].shape == value.shape

        def own_loss(moved: Array, name: str = name) -> Any:
            if name == "x":
                return function(params, moved, given[1])[0]
            return function({**params, name: moved}, *given)[0]

        def reference_loss(moved: Array, name: str = name) -> Any:
            at = {**params, name: moved} if name != "x" else params
            batch = moved.reshape(x.shape) if name == "x" else x
            return reference.loss(model, at, batch, y)

        assert_close(grads[name], reference.complex_step(own_loss, value))
        assert_close(grads[name], reference.complex_step(reference_loss, value))


@pytest.mark.parametrize("seed", range(40))
def test_every_named_adjoint_can_be_asked_for(seed: int) -> None:
    spec = random_architecture(random.Random(1000 + seed))
    params, x, y = random_arrays(spec, 3, seed)
    _, swept = derived(spec)
    named = [name for name in swept.derivations if not name.startswith("s")]
    _, grads = function_of(spec, False, *named)(params, x, y)
    expected = reference.gradients(model_of(spec), params, x, y)
    for name in named:
        key = name if name in expected else f"delta{name[1:]}"
        if name == "yhat" and spec.loss in LAST:
            continue  # unbounded near a saturated output; its own formula is tested by derivation
        assert_close(grads[name], expected[key])


def test_imports_only_numpy_and_is_typed_like_its_input() -> None:
    for seed in range(60):
        spec = random_architecture(random.Random(seed))
        params, x, y = random_arrays(spec, 3, seed)
        source = emitted(spec, False, *params, "x")
        imports = [
            n for n in ast.walk(ast.parse(source)) if isinstance(n, (ast.Import, ast.ImportFrom))
        ]
        assert [ast.unparse(node) for node in imports] == ["import numpy as np"]
        narrow = {name: value.astype(np.float32) for name, value in params.items()}
        labels = y.astype(np.float32) if y is not None and y.dtype == np.float64 else y
        loss, grads = compile_source(source)(narrow, x.astype(np.float32), labels)
        assert {np.asarray(loss).dtype, *(g.dtype for g in grads.values())} == {np.dtype("f4")}
        wide = {name: value.astype(complex) for name, value in params.items()}
        loss, grads = compile_source(source)(wide, x, y)
        assert np.iscomplexobj(loss)


# --- that it is stable -------------------------------------------------------------------------

SCORES = np.array([[1000.0, -1000.0, 0.0], [-1000.0, -1000.0, -1000.0], [3.0, 1000.0, 1000.0]])


@pytest.mark.parametrize("labels", ["one_hot", "distribution", "any", "integer"])
def test_softmax_cross_entropy_at_a_thousand(labels: str) -> None:
    spec = architecture((3, 3), ("softmax",), "cross_entropy", labels=labels)
    params = {"W1": np.eye(3), "b1": np.zeros(3)}
    y: Array = np.array([1, 0, 2]) if labels == "integer" else np.eye(3)[[1, 0, 2]]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        loss, grads = function_of(spec, False, "x")(params, SCORES, y)
    assert_close(loss, (2000 + np.log(3) + np.log(2)) / 3)
    expected = np.array([[1, -1, 0], [-2 / 3, 1 / 3, 1 / 3], [0, 0.5, -0.5]]) / 3
    assert_close(grads["x"], expected)


def test_sigmoid_cross_entropy_at_a_thousand() -> None:
    spec = architecture((3, 3), ("sigmoid",), "binary_cross_entropy", "sum")
    params = {"W1": np.eye(3), "b1": np.zeros(3)}
    y = np.array([[1.0, 1, 1], [0, 1, 0], [0, 0, 1]])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        loss, grads = function_of(spec, False, "x")(params, SCORES, y)
    assert_close(loss, 1000 + np.log(2) + 1000 + np.log1p(np.exp(-3)) + 3 + 1000)
    sigma = np.array([[1, 0, 0.5], [0, 0, 0], [1 / (1 + np.exp(-3)), 1, 1]])
    assert_close(grads["x"], sigma - y)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_activations_at_a_thousand(activation: str) -> None:
    spec = architecture((3, 3), (activation,), "squared_error")
    params = {"W1": np.eye(3), "b1": np.zeros(3)}
    y = np.zeros((3, 3))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        loss, grads = function_of(spec, False, "x")(params, SCORES, y)
        moved = function_of(spec)(params, SCORES + 1e-30j, y)
    model = model_of(spec)
    assert_close(loss, reference.loss(model, params, SCORES, y))
    assert_close(grads["x"], reference.gradients(model, params, SCORES, y)["x"])
    assert np.isfinite(moved[0])


# --- networks that no layer ships --------------------------------------------------------------


def axis(name: str, extent: str, role: str = "feature") -> Index:
    return Index(name, Axis(name, Symbol(extent, integer=True, positive=True), role))


N_, I, J, K = axis("n", "N", "sample"), axis("i", "I"), axis("j", "J"), axis("k", "K")


def squared(target: Tensor, indices: tuple[Index, ...]) -> Equation:
    return Equation("L", (), expression(product(1, indices, (target[indices] ** 2,))))


def bilinear() -> Network:
    x = Tensor("x", (N_, I), "input")
    u = Tensor("u", (N_, J), "input")
    A = Tensor("A", (I, J, K), "parameter")
    z = Tensor("z", (N_, K), "intermediate")
    h = Tensor("h", (N_, K), "intermediate")
    rhs = expression(product(1, (I, J), (x.entry, A.entry, u.entry)))
    act = expression(product(1, (), (Applied("tanh", 0, z.entry),)))
    tensors = (x, u, A, z, h, Tensor("L", (), "loss"))
    return Network(
        "bilinear",
        tensors,
        (Equation("z", z.indices, rhs), Equation("h", h.indices, act), squared(h, (N_, K))),
        "L",
    )


def tied() -> Network:
    """An autoencoder: h = tanh(xW), r = hWᵀ."""
    x = Tensor("x", (N_, I), "input")
    W = Tensor("W", (I, J), "parameter")
    z, h = Tensor("z", (N_, J), "intermediate"), Tensor("h", (N_, J), "intermediate")
    r = Tensor("r", (N_, I), "intermediate")
    equations = (
        Equation("z", (N_, J), expression(product(1, (I,), (x.entry, W.entry)))),
        Equation("h", (N_, J), expression(product(1, (), (Applied("tanh", 0, z.entry),)))),
        Equation("r", (N_, I), expression(product(1, (J,), (h.entry, W.entry)))),
        Equation("L", (), expression(product(1, (N_, I), ((r.entry - x.entry) ** 2,)))),
    )
    return Network("tied", (x, W, z, h, r, Tensor("L", (), "loss")), equations, "L")


def diamond() -> Network:
    """z feeds a sigmoid and a softplus, which meet in a product."""
    x = Tensor("x", (N_, I), "input")
    W = Tensor("W", (I, J), "parameter")
    z, a, b, m = (Tensor(name, (N_, J), "intermediate") for name in "zabm")
    equations = (
        Equation("z", (N_, J), expression(product(1, (I,), (x.entry, W.entry)))),
        Equation("a", (N_, J), expression(product(1, (), (Applied("sigmoid", 0, z.entry),)))),
        Equation("b", (N_, J), expression(product(1, (), (Applied("softplus", 0, z.entry),)))),
        Equation("m", (N_, J), expression(product(1, (), (a.entry, b.entry)))),
        squared(m, (N_, J)),
    )
    return Network("diamond", (x, W, z, a, b, m, Tensor("L", (), "loss")), equations, "L")


def rank_three() -> Network:
    """Tensors with three axes, entry by entry and contracted."""
    x = Tensor("x", (N_, I, J), "input")
    w = Tensor("w", (J,), "parameter")
    h = Tensor("h", (N_, I, J), "intermediate")
    m = Tensor("m", (N_, I), "intermediate")
    equations = (
        Equation("h", (N_, I, J), expression(product(1, (), (Applied("tanh", 0, x.entry),)))),
        Equation("m", (N_, I), expression(product(1, (J,), (h.entry, w.entry)))),
        squared(m, (N_, I)),
    )
    return Network("rank", (x, w, h, m, Tensor("L", (), "loss")), equations, "L")


def entropy() -> Network:
    """sum_k p log p of a softmax, and log(1 - s) of a sigmoid, neither of which is a loss."""
    x = Tensor("x", (N_, K), "input")
    s = Tensor("s", (N_,), "auxiliary")
    p = Tensor("p", (N_, K), "intermediate", (NamesItsDefinition(),))
    g = Tensor("g", (N_, K), "intermediate")
    other = Index("k1", K.axis)
    inside = Applied("exp", 0, Element("x", N_, other))
    share = product(1, (), (Applied("exp", 0, x.entry), s.entry**-1))
    equations = (
        Equation("s", (N_,), expression(product(1, (other,), (inside,)))),
        Equation("p", (N_, K), expression(share)),
        Equation("g", (N_, K), expression(product(1, (), (Applied("sigmoid", 0, x.entry),)))),
        Equation(
            "L",
            (),
            expression(
                product(1, (N_, K), (p.entry, Applied("log", 0, p.entry))),
                product(-3, (N_, K), (p.entry, Applied("log", 0, 1 - g.entry))),
            ),
        ),
    )
    return Network("entropy", (x, s, p, g, Tensor("L", (), "loss")), equations, "L")


@pytest.mark.parametrize("make", [bilinear, tied, diamond, rank_three, entropy])
def test_hand_written_networks(make: Callable[[], Network]) -> None:
    network = make()
    wanted = [t.name for t in network.of_kind("parameter", "input")]
    function = compile_source(emit(sweep(network), wanted))
    for seed in range(3):
        point = random_point(network, seed)
        params = {t.name: point.values[t.name] for t in network.of_kind("parameter")}
        inputs = [point.values[t.name] for t in network.of_kind("input")]
        loss, grads = function(params, *inputs)
        assert_close(loss, point.values["L"])
        for name in wanted:
            assert_close(grads[name], numeric_jacobian(point, "L", name, True))


def test_bilinear_form_needs_einsum_and_nothing_else_does() -> None:
    source = emit(sweep(bilinear()))
    assert 'z = np.einsum("ni,ijk,nj->nk", x, A, u)' in lines(source) or "np.einsum" in source
    assert "h = np.tanh(z)" in lines(source)
    assert "einsum" not in emit(sweep(tied()))
    assert "einsum" not in emit(sweep(diamond()))


def test_logarithms_are_stable_wherever_they_stand() -> None:
    function = compile_source(emit(sweep(entropy()), ("x",)))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        loss, grads = function({}, SCORES)
    assert np.isfinite(loss)
    assert np.isfinite(grads["x"]).all()


def test_a_function_of_ones_own_becomes_a_helper() -> None:
    functions = {**FUNCTIONS, "sine": ScalarFunction("sine", Lambda(Z, sin(Z)), "sin")}
    cube = {**FUNCTIONS, "cube": ScalarFunction("cube", Lambda(Z, Z**3 + Z), "c")}
    for name, table in (("sine", functions), ("cube", cube)):
        x = Tensor("x", (N_, I), "input")
        h = Tensor("h", (N_, I), "intermediate")
        act = Equation("h", (N_, I), expression(product(1, (), (Applied(name, 0, x.entry),))))
        network = Network(
            "own", (x, h, Tensor("L", (), "loss")), (act, squared(h, (N_, I))), "L", {}, table
        )
        if name == "sine":
            with pytest.raises(UnsupportedError, match="sin"):
                emit(sweep(network), ("x",))
            continue
        value = np.array([[0.3, -1.2]])
        loss, grads = compile_source(emit(sweep(network), ("x",)))({}, value)
        assert_close(loss, ((value**3 + value) ** 2).sum())
        assert_close(grads["x"], 2 * (value**3 + value) * (3 * value**2 + 1))


def test_unused_parameters_have_zero_gradients() -> None:
    base = diamond()
    idle = Tensor("V", (I, K), "parameter")
    network = Network("idle", (*base.tensors, idle), base.equations, "L")
    point = random_point(network, 0)
    params = {name: point.values[name] for name in ("W", "V")}
    _, grads = compile_source(emit(sweep(network)))(params, point.values["x"])
    assert_close(grads["V"], np.zeros_like(params["V"]))


def test_strided_reads_are_refused_by_name() -> None:
    x = Tensor("x", (axis("t", "T"),), "input")
    w = Tensor("w", (axis("u", "U"),), "parameter")
    p, u = axis("p", "P"), axis("u", "U")
    z = Tensor("z", (p,), "intermediate")
    rhs = expression(product(1, (u,), (Element("x", 2 * p + u), Element("w", u))))
    network = Network(
        "conv",
        (x, w, z, Tensor("L", (), "loss")),
        (Equation("z", (p,), rhs), squared(z, (p,))),
        "L",
    )
    with pytest.raises(UnsupportedError, match=r"^(equation of z|gradient by)"):
        emit(sweep(network))


@pytest.mark.parametrize("name", ["np", "params", "lambda", "sigmoid"])
def test_arrays_with_names_that_code_needs_are_refused(name: str) -> None:
    x = Tensor("x", (N_, I), "input")
    h = Tensor(name, (N_, I), "intermediate")
    act = Equation(name, (N_, I), expression(product(1, (), (Applied("sigmoid", 0, x.entry),))))
    network = Network("bad", (x, h, Tensor("L", (), "loss")), (act, squared(h, (N_, I))), "L")
    with pytest.raises(UnsupportedError, match="rename it"):
        emit(sweep(network), ("x",))


def test_facts_about_labels_survive() -> None:
    """A distribution over classes is subtracted as it is."""
    spec = architecture((2, 3), ("softmax",), "cross_entropy", "sum", labels="distribution")
    built, _ = derived(spec)
    assert SumsToOne(-1) in built.network.by_name["y"].facts
    assert "delta1 = yhat - y" in lines(emitted(spec))


def test_sizes_may_be_expressions() -> None:
    wide = Index("c", Axis("c", 2 * Symbol("I", integer=True, positive=True) + Integer(0)))
    x = Tensor("x", (N_, I), "input")
    W = Tensor("W", (I, wide), "parameter")
    z = Tensor("z", (N_, wide), "intermediate")
    rhs = expression(product(1, (I,), (x.entry, W.entry)))
    network = Network(
        "wide",
        (x, W, z, Tensor("L", (), "loss")),
        (Equation("z", (N_, wide), rhs), squared(z, (N_, wide))),
        "L",
    )
    source = emit(sweep(network))
    assert "# (N, I) @ (I, 2 * I) -> (N, 2 * I)" in source
