"""The recursion for a symbolic layer: as the textbook prints it, and equal to counted networks."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from sympy import Symbol

from symbackprop.calculus.terms import Index, free_indices
from symbackprop.derivation.depth import DEPTH, SAMPLES
from symbackprop.derivation.evaluate import Point, evaluate, forward, jacobian, random_point
from symbackprop.errors import UnsupportedError, UsageError
from symbackprop.networks.layers.activations import ACTIVATIONS
from symbackprop.notation import Notation
from symbackprop.witnesses import reference
from symbackprop.writing.depth import DepthDerivation, Statement, derive_depth

Array = npt.NDArray[Any]
SUPPORTED = tuple(name for name in ACTIVATIONS if name != "softmax")
WIDTHS = (
    (3, 2),
    (2, 5, 3),
    (4, 1, 3, 2),
    (2, 3, 5, 4, 1),
    (3, 5, 2, 4, 1, 6),
    (2, 4, 3, 6, 1, 5, 7),
)
BATCH = 8


def padded(pieces: list[Array], shape: tuple[int, ...]) -> Array:
    """Arrays of different width one above the other; what lies outside is 0."""
    rooms = [
        np.pad(piece, [(0, most - own) for most, own in zip(shape, piece.shape, strict=True)])
        for piece in pieces
    ]
    return np.stack(rooms)


class Counted:
    """One perceptron of given widths: by hand in `reference`, and as a point of the recursion."""

    def __init__(self, recursion: DepthDerivation, widths: tuple[int, ...], loss: str) -> None:
        random = np.random.default_rng(len(widths))
        self.depth, most = len(widths) - 1, max(widths)
        model = reference.Model((recursion.activation,) * self.depth, loss, reduction="sum")
        params: dict[str, Array] = {}
        for layer, (fan_in, fan_out) in enumerate(pairwise(widths), 1):
            params[f"W{layer}"] = random.normal(size=(fan_in, fan_out))
            params[f"b{layer}"] = random.normal(size=fan_out)
        x, y = random.normal(size=(BATCH, widths[0])), random.normal(size=(BATCH, widths[-1]))
        tape = {"h0": x} | reference.forward(model, params, x)
        found = reference.gradients(model, params, x, y)
        layers = range(1, self.depth + 1)
        self.truth = {
            "z": padded([found[f"delta{l}"] for l in layers], (BATCH, most)),
            "h": padded([found["x"], *(found[f"h{l}"] for l in layers)], (BATCH, most)),
            "W": padded([found[f"W{l}"] for l in layers], (most, most)),
            "b": padded([found[f"b{l}"] for l in layers], (most,)),
        }
        sizes: dict[Symbol, int] = {DEPTH: self.depth, SAMPLES: BATCH}
        values = {
            "n": np.array(widths),
            "x": padded([x], (BATCH, most))[0],
            "g": padded([found["yhat"]], (BATCH, most))[0],
            "W": padded([params[f"W{l}"] for l in layers], (most, most)),
            "b": padded([params[f"b{l}"] for l in layers], (most,)),
        }
        self.tape = padded([tape[f"h{l}"] for l in range(self.depth + 1)], (BATCH, most))
        self.point = forward(Point(recursion.swept.extended, values, sizes))

    def adjoints(self, recursion: DepthDerivation) -> Array:
        """delta, by the recursion itself: from the boundary down, one layer in a round."""
        point, delta = self.point, np.zeros_like(self.truth["z"])
        for _ in range(self.depth):
            point = point.with_values({"dz": delta})
            delta = over(recursion.adjoints["z"], point)
            last = over(recursion.boundary["z"], point)
            delta[-1] = 0
            delta[-1, :, : last.shape[-1]] = last[-1]
        return delta


def over(statement: Statement, point: Point) -> Array:
    """The statement's value at every place of its indices, the layer among them."""
    return evaluate(statement.result, statement.indices, point)


@pytest.mark.parametrize("activation", SUPPORTED)
@pytest.mark.parametrize("widths", WIDTHS)
def test_recursion_equals_hand_written_gradients(activation: str, widths: tuple[int, ...]) -> None:
    recursion = derive_depth(activation)
    counted = Counted(recursion, widths, "squared_error")
    np.testing.assert_allclose(counted.point.values["h"], counted.tape, rtol=1e-10, atol=1e-12)
    delta = counted.adjoints(recursion)
    np.testing.assert_allclose(delta, counted.truth["z"], rtol=1e-10, atol=1e-10)
    point = counted.point.with_values({"dz": delta})
    for name in ("W", "b"):
        found = over(recursion.gradients[name], point)
        np.testing.assert_allclose(found, counted.truth[name], rtol=1e-10, atol=1e-10)
    below = over(recursion.adjoints["h"], point)[:-1]
    np.testing.assert_allclose(below, counted.truth["h"][:-1], rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("activation", ["sigmoid", "leaky_relu"])
def test_sweep_with_a_layer_axis_equals_the_complex_step(activation: str) -> None:
    swept = derive_depth(activation).swept
    point = random_point(swept.extended, seed=3)
    adjoints = {f"d{t}": jacobian(point, "L", t, total=True) for t in ("x", "W", "b", "z", "h")}
    named = point.with_values(adjoints)
    for tensor in ("x", "W", "b", "z", "h"):
        derivation = swept[tensor]
        found = evaluate(derivation.result, derivation.indices, named)
        np.testing.assert_allclose(found, adjoints[f"d{tensor}"], rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("activation", SUPPORTED)
def test_each_step_keeps_the_value_where_it_claims_to_hold(activation: str) -> None:
    recursion = derive_depth(activation)
    point = random_point(recursion.swept.extended, seed=5)
    for tensor in ("z", "h", "W", "b"):
        value = jacobian(point, "L", tensor, total=True)
        point = point.with_values({f"d{tensor}": value})
    for statement in (*recursion.adjoints.values(), *recursion.gradients.values()):
        for step in statement.steps[1:]:
            before, after = (
                evaluate(side, statement.indices, point) for side in (step.before, step.after)
            )
            if step.rule == "below the last layer":
                before, after = before[:-1], after[:-1]
            np.testing.assert_allclose(after, before, rtol=1e-10, atol=1e-12)


def test_prints_the_textbook_recursion() -> None:
    recursion = derive_depth("sigmoid")
    assert [statement.latex for statement in recursion.statements] == [
        r"\delta^{D} = G \circ \sigma'\left(Z^{D}\right)",
        r"\delta^{l} = \left(\delta^{l + 1} W^{l + 1\top}\right) \circ \sigma'\left(Z^{l}\right)",
        r"\frac{\partial L}{\partial W^{l}} = H^{l - 1\top} \delta^{l}",
        r"\frac{\partial L}{\partial b^{l}} = \mathbf{1}^{\top} \delta^{l}",
    ]
    assert [statement.holds for statement in recursion.statements] == [
        "l = D",
        "1 <= l < D",
        "1 <= l <= D",
        "1 <= l <= D",
    ]
    below = recursion.adjoints["h"]
    assert below.latex == r"\frac{\partial L}{\partial H^{l}} = \delta^{l + 1} W^{l + 1\top}"
    assert below.holds == "0 <= l < D"


def test_prints_under_columns_with_the_weights_in_front() -> None:
    recursion = derive_depth("tanh", Notation(samples="columns", layer="^[l]"))
    assert recursion.adjoints["z"].latex == (
        r"\delta^{[l]} = \left(W^{[l + 1]\top} \delta^{[l + 1]}\right) "
        r"\circ \tanh'\left(Z^{[l]}\right)"
    )
    assert recursion.gradients["W"].latex == (
        r"\frac{\partial L}{\partial W^{[l]}} = \delta^{[l]} H^{[l - 1]\top}"
    )


def test_counts_delta_from_the_output_when_asked() -> None:
    recursion = derive_depth("tanh", Notation(delta="from_output"))
    assert recursion.boundary["z"].latex.startswith(r"\delta^{1} = ")


def test_identity_has_no_slope() -> None:
    assert derive_depth("identity").adjoints["z"].latex == (
        r"\delta^{l} = \delta^{l + 1} W^{l + 1\top}"
    )


@pytest.mark.parametrize("activation", SUPPORTED)
def test_steps_are_a_chain_whose_end_is_the_result(activation: str) -> None:
    recursion = derive_depth(activation)
    for statement in (*recursion.statements, *recursion.adjoints.values()):
        for earlier, later in pairwise(statement.steps):
            assert later.before == earlier.after
        assert statement.steps[-1].after == statement.result
        assert all(step.rule and step.reason for step in statement.steps)


@pytest.mark.parametrize("activation", SUPPORTED)
def test_no_index_is_left_over(activation: str) -> None:
    recursion = derive_depth(activation)
    for statement in (
        *recursion.boundary.values(),
        *recursion.adjoints.values(),
        *recursion.gradients.values(),
    ):
        loose: set[Index] = set(free_indices(statement.result)) - set(statement.indices)
        assert not loose


def test_softmax_is_refused_with_a_reason() -> None:
    with pytest.raises(UnsupportedError, match="entry by entry"):
        derive_depth("softmax")


def test_unknown_activation_names_the_nearest() -> None:
    with pytest.raises(UsageError, match="did you mean `sigmoid`"):
        derive_depth("sigmiod")
