"""The concrete view is right: against textbook matrices, the reference network and NumPy loops."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from sympy import Matrix, Rational, S, Symbol, diag, eye, log, zeros

from symbackprop.calculus.terms import (
    Applied,
    Axis,
    Element,
    Expression,
    Guard,
    Index,
    Partial,
    expression,
    product,
)
from symbackprop.errors import ShapeError, UnsupportedError, UsageError
from symbackprop.networks.layers.architecture import Architecture, Layer
from symbackprop.networks.layers.multilayer import SAMPLES, build
from symbackprop.networks.network import CountsClasses, Equation, Network, Tensor
from symbackprop.witnesses import reference
from symbackprop.witnesses.concrete import Explicit, explicit

Array = npt.NDArray[Any]


def size(name: str) -> Symbol:
    return Symbol(name, integer=True, positive=True)


def perceptron(
    activations: tuple[str, ...],
    widths: tuple[int, ...],
    loss: str,
    samples: int = 2,
    one_sample: bool = False,
    **words: Any,
) -> Explicit:
    layers = tuple(
        Layer(width, activation) for width, activation in zip(widths[1:], activations, strict=True)
    )
    built = build(Architecture("net", widths[0], layers, loss, **words), one_sample)
    return explicit(built.network, {**built.sizes, SAMPLES: samples})


@pytest.fixture(scope="module")
def four_layer() -> Explicit:
    return perceptron(
        ("sigmoid", "sigmoid", "softmax"), (2, 2, 4, 3), "cross_entropy", one_sample=True
    )


def floats(nested: Any) -> Array:
    return np.array(nested, dtype=float)


# --- the matrices of the four-layer text ------------------------------------------------------


def test_softmax_jacobian_is_diag_minus_outer_product_exactly(four_layer: Explicit) -> None:
    # exp(z_k) = 2, 3/7, 5: everything is a fraction
    point = dict(
        zip(
            four_layer.symbols("z3").values(),
            (log(2), log(Rational(3, 7)), log(5)),
            strict=True,
        )
    )
    found = four_layer.jacobian("yhat", "z3").xreplace(point)
    y = Matrix([S(2), Rational(3, 7), S(5)]) / (2 + Rational(3, 7) + 5)
    assert found == diag(*y) - y * y.T
    assert all(entry.is_Rational for entry in found)


def test_jacobian_through_weights_is_the_transposed_weight_matrix(four_layer: Explicit) -> None:
    weights = Matrix(4, 3, list(four_layer.symbols("W3").values()))
    found = four_layer.jacobian("z3", "h2")
    assert found.shape == (3, 4)
    assert found == weights.T
    assert found[0, 1].name == "W3_2_1"


def test_weight_columns_hold_one_input_and_zeros(four_layer: Explicit) -> None:
    h = list(four_layer.symbols("h2").values())
    found = four_layer.jacobian("z3", "W3", keep=frozenset({"h2"}))
    assert found.shape == (3, 12)
    for column, (i, j) in enumerate(four_layer.symbols("W3")):
        assert list(found[:, column]) == [h[i] if row == j else 0 for row in range(3)]


def test_bias_jacobian_is_the_identity(four_layer: Explicit) -> None:
    assert four_layer.jacobian("z3", "b3") == eye(3)


def test_activation_jacobian_is_diagonal(four_layer: Explicit) -> None:
    found = four_layer.jacobian("h2", "z2")
    assert found.is_diagonal()
    for row, z in enumerate(four_layer.symbols("z2").values()):
        share = four_layer.entry("h2", (row,))
        assert share.free_symbols == {z}
        assert found[row, row].xreplace({z: log(3)}) == Rational(3, 16)


def test_entry_shows_the_equation_in_symbols_of_what_it_reads(four_layer: Explicit) -> None:
    names = {symbol.name for symbol in four_layer.entry("z3", (2,)).free_symbols}
    assert names == {
        *(f"h2_{i}" for i in range(1, 5)),
        *(f"W3_{i}_3" for i in range(1, 5)),
        "b3_3",
    }


def test_auxiliary_sum_is_composed_through(four_layer: Explicit) -> None:
    assert "s3" in {symbol.name for symbol in four_layer.entry("yhat", (0,)).free_symbols}
    composed = four_layer.composed("yhat", (0,), frozenset({"z3", "s3"}))
    assert {symbol.name for symbol in composed.free_symbols} == {"z3_1", "z3_2", "z3_3"}


def test_composition_without_stops_ends_at_leaves(four_layer: Explicit) -> None:
    leaves = four_layer.values(0).keys()
    assert four_layer.composed("L", ()).free_symbols <= leaves


def test_jacobian_by_itself_is_the_identity_and_by_a_later_tensor_zero(
    four_layer: Explicit,
) -> None:
    assert four_layer.jacobian("z2", "z2") == eye(4)
    assert four_layer.jacobian("z2", "z3") == zeros(4, 3)


# --- gradients of perceptrons against the reference -------------------------------------------

NETWORKS: tuple[tuple[tuple[str, ...], tuple[int, ...], str, dict[str, Any]], ...] = (
    (("sigmoid", "softmax"), (1, 2, 3), "cross_entropy", {"samples": 1}),
    (("sigmoid", "sigmoid", "softmax"), (2, 2, 4, 3), "cross_entropy", {}),
    (("tanh", "softmax"), (2, 3, 2), "cross_entropy", {"labels": "integer"}),
    (("softplus", "softmax"), (2, 1, 3), "cross_entropy", {"labels": "any"}),
    (("softmax", "sigmoid"), (2, 3, 1), "binary_cross_entropy", {"labels": "any"}),
    (("tanh", "sigmoid"), (3, 2, 1), "binary_cross_entropy", {"reduction": "mean_elements"}),
    (("relu", "identity"), (2, 3, 2), "squared_error", {"half": True, "reduction": "sum"}),
    (("leaky_relu", "relu", "identity"), (3, 4, 3, 2), "squared_error", {"samples": 3}),
    (("identity", "tanh"), (2, 3, 1), "none", {}),
)


@pytest.mark.slow
@pytest.mark.parametrize(("activations", "widths", "loss", "words"), NETWORKS)
def test_gradients_equal_the_reference(
    activations: tuple[str, ...], widths: tuple[int, ...], loss: str, words: dict[str, Any]
) -> None:
    net = perceptron(activations, widths, loss, **words)
    values = net.values(seed=3)
    arrays = {name: floats(array) for name, array in net.tensor_values(values).items()}
    model = reference.Model(
        activations,
        loss,
        words.get("labels", "one_hot"),
        words.get("reduction", "mean"),
        words.get("half", False),
    )
    parameters = {t.name: arrays[t.name] for t in net.network.of_kind("parameter")}
    y = arrays.get("y")
    if words.get("labels") == "integer":
        assert y is not None
        y = y.astype(int)

    def loss_at(name: str) -> Callable[[Array], Any]:
        if name == "x":
            return lambda x: reference.loss(model, parameters, x, y)
        return lambda w: reference.loss(model, {**parameters, name: w}, arrays["x"], y)

    assert abs(arrays["L"] - reference.loss(model, parameters, arrays["x"], y)) < 1e-10
    by_hand = reference.gradients(model, parameters, arrays["x"], y)
    for name in (*parameters, "x"):
        found = floats(net.numeric(net.gradient(name), values))
        stepped = reference.complex_step(loss_at(name), arrays[name])
        assert np.max(np.abs(found - stepped) / (1 + np.abs(stepped))) < 1e-10
        assert np.max(np.abs(found - by_hand[name]) / (1 + np.abs(stepped))) < 1e-10
    for layer in range(1, len(widths)):
        found = floats(net.numeric(net.gradient(f"z{layer}"), values))
        assert np.allclose(found, by_hand[f"delta{layer}"], rtol=0, atol=1e-10)


@pytest.mark.slow
@pytest.mark.parametrize("activation", ["sigmoid", "tanh", "relu", "softplus"])
def test_both_ways_to_a_jacobian_agree_to_many_digits(activation: str) -> None:
    net = perceptron((activation, "softmax"), (2, 3, 2), "cross_entropy")
    values = net.values(seed=8)
    for of, wrt in (("L", "W1"), ("yhat", "z1"), ("L", "b2"), ("h1", "x")):
        direct = Matrix(net.numeric(net.jacobian(of, wrt, direct=True), values))
        chained = Matrix(net.numeric(net.jacobian(of, wrt, direct=False), values))
        assert max(map(abs, direct - chained)) < 1e-28


def test_the_chained_way_hides_auxiliary_sums_and_keeps_named_tensors() -> None:
    net = perceptron(("tanh", "softmax"), (2, 3, 2), "cross_entropy", samples=1)
    found = net.jacobian("yhat", "W1", direct=False)
    assert {symbol.name.split("_")[0] for symbol in found.free_symbols} == {"z2", "W2", "z1", "x"}


def test_smallest_networks_are_differentiated_whole() -> None:
    net = perceptron(("sigmoid", "softmax"), (1, 2, 2), "cross_entropy", samples=1)
    for name in ("W1", "b1", "W2", "b2"):
        leaves = net.values(0).keys()
        assert net.jacobian("L", name) == net.jacobian("L", name, direct=True)
        assert set(net.gradient(name).free_symbols) <= leaves


# --- equations no layer ships -----------------------------------------------------------------


def convolution() -> Network:
    """z[o] = sum_u x[s o + u - p] w[u], L = sum_o g[o] z[o]^2; x is 0 outside."""
    i, u, o = (
        Index(name, Axis(name, size(extent)))
        for name, extent in (("i", "X"), ("u", "U"), ("o", "O"))
    )
    x, w = Tensor("x", (i,), "input"), Tensor("w", (u,), "parameter")
    g, z = Tensor("g", (o,), "input"), Tensor("z", (o,), "intermediate")
    read = Element("x", size("s") * o + u - size("p"))
    return Network(
        "convolution",
        (x, w, g, z, Tensor("L", (), "loss")),
        (
            Equation("z", (o,), expression(product(1, (u,), (read, w.entry)))),
            Equation("L", (), expression(product(1, (o,), (g.entry, z.entry**2)))),
        ),
        loss="L",
    )


CONVOLUTION = {"X": 6, "U": 3, "O": 4, "s": 2, "p": 1}


def test_strided_convolution_reads_zero_outside() -> None:
    net = explicit(convolution(), {size(name): number for name, number in CONVOLUTION.items()})
    w, x = (list(net.symbols(name).values()) for name in ("w", "x"))
    assert net.entry("z", (0,)) == x[0] * w[1] + x[1] * w[2]
    assert net.entry("z", (3,)) == x[5] * w[0]
    expected = zeros(4, 6)
    for o, u in np.ndindex(4, 3):
        if 0 <= 2 * o + u - 1 < 6:
            expected[o, 2 * o + u - 1] = w[u]
    assert net.jacobian("z", "x") == expected


def test_strided_convolution_gradient_equals_the_complex_step() -> None:
    net = explicit(convolution(), {size(name): number for name, number in CONVOLUTION.items()})
    values = net.values(5)
    arrays = {name: floats(array) for name, array in net.tensor_values(values).items()}

    def loss_of(x: Array, w: Array) -> Any:
        padded = np.concatenate([[0], x, np.zeros(4)])
        z = np.array([padded[2 * o : 2 * o + 3] @ w for o in range(4)])
        return (arrays["g"] * z * z).sum()

    by_w = reference.complex_step(lambda w: loss_of(arrays["x"], w), arrays["w"])
    by_x = reference.complex_step(lambda x: loss_of(x, arrays["w"]), arrays["x"])
    assert np.allclose(floats(net.numeric(net.gradient("w"), values)), by_w, rtol=1e-10)
    assert np.allclose(floats(net.numeric(net.gradient("x"), values)), by_x, rtol=1e-10)


def recurrence() -> Network:
    """h[t,k] = tanh(sum_j h[t-1,j] W[j,k] + x[t,k]) for t = 1..T, h[0] = 0; L = sum g h^2."""
    t = Index("t", Axis("t", size("T"), "time", start=1))
    j, k = (Index(name, Axis("k", size("K"))) for name in "jk")
    x, g = Tensor("x", (t, k), "input"), Tensor("g", (t, k), "input")
    W = Tensor("W", (j, k), "parameter")
    a, h = Tensor("a", (t, k), "intermediate"), Tensor("h", (t, k), "intermediate")
    before = product(1, (j,), (Element("h", t - 1, j), W.entry))
    return Network(
        "recurrence",
        (x, g, W, a, h, Tensor("L", (), "loss")),
        (
            Equation("a", (t, k), expression(before, product(1, (), (x.entry,)))),
            Equation("h", (t, k), expression(product(1, (), (Applied("tanh", 0, a.entry),)))),
            Equation("L", (), expression(product(1, (t, k), (g.entry, h.entry**2)))),
        ),
        loss="L",
    )


def unrolled(arrays: Mapping[str, Array], W: Array, shift: Mapping[int, Array]) -> Any:
    """The loss by a loop; `shift[t]` is added to h[t], so that its derivative is h's adjoint."""
    h: Array = np.zeros(W.shape[0])
    total: Any = 0
    for t, (x, g) in enumerate(zip(arrays["x"], arrays["g"], strict=True)):
        h = np.tanh(h @ W + x) + shift.get(t, 0)
        total = total + (g * h * h).sum()
    return total


def loss_shifted_at(arrays: Mapping[str, Array], t: int, move: Array) -> Any:
    return unrolled(arrays, arrays["W"], {t: move})


@pytest.mark.parametrize("steps", [1, 2, 4])
def test_recurrence_gradient_runs_through_every_step(steps: int) -> None:
    net = explicit(recurrence(), {size("T"): steps, size("K"): 2})
    values = net.values(2)
    arrays = {name: floats(array) for name, array in net.tensor_values(values).items()}
    by_W = reference.complex_step(lambda W: unrolled(arrays, W, {}), arrays["W"])
    assert np.allclose(floats(net.numeric(net.gradient("W"), values)), by_W, rtol=1e-10)
    adjoint = floats(net.numeric(net.gradient("h"), values))
    for t in range(steps):
        moved = partial(loss_shifted_at, arrays, t)
        stepped = reference.complex_step(moved, np.zeros(2))
        assert np.allclose(adjoint[t], stepped, rtol=1e-10)


def test_recurrence_starts_from_what_is_outside() -> None:
    net = explicit(recurrence(), {size("T"): 3, size("K"): 2})
    assert net.entry("a", (0, 1)) == net.symbols("x")[0, 1]
    assert net.entry("a", (1, 0)).free_symbols == {
        net.symbols("x")[1, 0],
        net.symbols("h")[0, 0],
        net.symbols("h")[0, 1],
        net.symbols("W")[0, 0],
        net.symbols("W")[1, 0],
    }


def test_recurrent_jacobian_by_itself_is_block_triangular() -> None:
    net = explicit(recurrence(), {size("T"): 3, size("K"): 2})
    values = net.values(4)
    found = floats(net.numeric(net.jacobian("h", "h"), values))
    h, W = (floats(net.tensor_values(values)[name]) for name in ("h", "W"))
    step = {t: (1 - h[t] ** 2)[:, None] * W.T for t in (1, 2)}
    assert np.allclose(found[:2], np.eye(2, 6))
    assert np.allclose(found[2:4], np.hstack([step[1], np.eye(2), np.zeros((2, 2))]))
    assert np.allclose(found[4:], np.hstack([step[2] @ step[1], step[2], np.eye(2)]))


def scalar_network(
    tensors: tuple[Tensor, ...], equations: tuple[Equation, ...], rhs: Expression
) -> Network:
    return Network(
        "small",
        (*tensors, Tensor("L", (), "loss")),
        (*equations, Equation("L", (), rhs)),
        loss="L",
    )


def test_a_label_as_index_picks_an_entry() -> None:
    n, k = Index("n", Axis("n", size("N"), "sample")), Index("k", Axis("k", size("K")))
    a = Tensor("a", (n, k), "input")
    y = Tensor("y", (n,), "label", (CountsClasses(k.axis),))
    picked = expression(product(1, (n,), (Element("a", n, y.entry),)))
    net = explicit(scalar_network((a, y), (), picked), {size("N"): 2, size("K"): 3})
    values = {**net.values(0)}
    values |= dict(zip(net.symbols("y").values(), (S(2), S(0)), strict=True))
    expected = values[net.symbols("a")[0, 2]] + values[net.symbols("a")[1, 0]]
    assert abs(net.tensor_values(values)["L"].item() - expected) < 1e-28
    found = floats(net.numeric(net.jacobian("L", "a"), values))
    assert found.tolist() == [[0, 0, 1, 1, 0, 0]]
    with pytest.raises(UsageError, match="whole-number labels"):
        net.jacobian("L", "y")


def test_a_failed_guard_silences_what_is_undefined_outside() -> None:
    i = Index("i", Axis("i", size("I")))
    a = Tensor("a", (i,), "input")
    inside = Guard(i - 1, 0, size("I"))
    rhs = expression(product(1, (i,), (inside, Applied("log", 0, Element("a", i - 1)))))
    net = explicit(scalar_network((a,), (), rhs), {size("I"): 3})
    symbols = list(net.symbols("a").values())
    assert net.entry("L", ()) == log(symbols[0]) + log(symbols[1])


def test_entries_of_different_tensors_never_share_a_symbol() -> None:
    i, j = (Index(name, Axis(name, size(name.upper()))) for name in "ij")
    tensors = (Tensor("W", (i, j), "input"), Tensor("W_1", (j,), "input"))
    rhs = expression(product(1, (i, j), (Element("W", i, j), Element("W_1", j))))
    net = explicit(scalar_network(tensors, (), rhs), {size("I"): 1, size("J"): 2})
    assert not set(net.symbols("W").values()) & set(net.symbols("W_1").values())


# --- points and faults ------------------------------------------------------------------------


def test_points_are_deterministic_and_labels_obey_their_facts() -> None:
    net = perceptron(("softmax",), (2, 3), "cross_entropy")
    values = net.values(7)
    assert list(values.items()) == list(net.values(7).items())
    assert values != net.values(8)
    y = net.symbols("y")
    for n in range(2):
        assert sum(values[y[n, k]] for k in range(3)) == 1
    whole = perceptron(("softmax",), (2, 3), "cross_entropy", samples=5, labels="integer")
    labels = [whole.values(1)[symbol] for symbol in whole.symbols("y").values()]
    assert all(label in (0, 1, 2) for label in labels)


def test_values_have_the_digits_asked_for() -> None:
    net = perceptron(("sigmoid",), (1, 1), "none", samples=1)
    values = net.values(1)
    few, many = (net.tensor_values(values, digits)["L"].item() for digits in (30, 60))
    assert abs(few - many) < 1e-29
    assert abs(many - net.composed("L", ()).xreplace(values).evalf(60)) < 1e-58


def test_aliases_are_resolved() -> None:
    net = perceptron(("identity", "softmax"), (2, 3, 2), "cross_entropy")
    assert net.symbols("h1") == net.symbols("z1")
    assert net.symbols("h2") == net.symbols("yhat")
    assert net.jacobian("z2", "h1") == net.jacobian("z2", "z1")


def test_faults_name_what_was_found() -> None:
    net = perceptron(("tanh",), (2, 3), "none")
    with pytest.raises(UsageError, match="tensor: found 'q'"):
        net.symbols("q")
    with pytest.raises(UsageError, match="position"):
        net.entry("z1", (0, 7))
    with pytest.raises(UsageError, match="given"):
        net.entry("x", (0, 0))
    with pytest.raises(UsageError, match="cut a path"):
        net.jacobian("L", "x", keep=frozenset({"z1"}))
    with pytest.raises(UsageError, match="found none for"):
        net.tensor_values({})


def test_sizes_must_be_whole_and_complete() -> None:
    network = convolution()
    with pytest.raises(UsageError, match="whole number"):
        explicit(network, {size("X"): True})
    with pytest.raises(UsageError, match="expected also"):
        explicit(network, {size("X"): 3}).entry("z", (0,))


def test_a_circle_of_entries_and_a_derivative_are_refused() -> None:
    i = Index("i", Axis("i", size("I")))
    a = Tensor("a", (i,), "intermediate")
    circle = Equation("a", (i,), expression(product(1, (), (a.entry, 2 + a.entry))))
    total = expression(product(1, (i,), (a.entry,)))
    with pytest.raises(ShapeError, match="circle"):
        explicit(scalar_network((a,), (circle,), total), {size("I"): 1}).composed("L", ())
    b = Tensor("b", (i,), "input")
    slope = expression(product(1, (i,), (Partial(b.entry, b.entry),)))
    with pytest.raises(UnsupportedError, match="derivative"):
        explicit(scalar_network((b,), (), slope), {size("I"): 1}).entry("L", ())
