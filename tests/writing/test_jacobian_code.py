"""The one line of NumPy for every Jacobian, run and compared with the complex step."""

from __future__ import annotations

import numpy as np
import pytest

from symbackprop.derivation.evaluate import Point, random_point
from symbackprop.derivation.evaluate import jacobian as witness
from symbackprop.derivation.sweep import jacobian
from symbackprop.errors import UnsupportedError
from symbackprop.networks.layers.architecture import Architecture, Layer
from symbackprop.networks.layers.multilayer import build
from symbackprop.networks.network import Network
from symbackprop.writing.code.numpy_backend import expression_of

STACKS = [
    ("sigmoid", "sigmoid"),
    ("tanh", "tanh", "identity"),
    ("relu", "softmax"),
    ("softmax", "tanh", "softplus"),
    ("leaky_relu", "softplus", "sigmoid"),
    ("identity", "softmax", "relu"),
]


def sigmoid(z: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-z))


def network_of(activations: tuple[str, ...]) -> Network:
    layers = tuple(Layer(units, name) for units, name in zip((4, 2, 5), activations, strict=False))
    return build(Architecture("pairs", 3, layers, "none", "sum"), one_sample=True).network


def pairs(network: Network) -> list[tuple[str, str]]:
    computed = [t.name for t in network.of_kind("intermediate")]
    given = [t.name for t in network.of_kind("input", "parameter", "intermediate")]
    return [(of, wrt) for of in computed for wrt in given]


def names_at(point: Point) -> dict[str, object]:
    sizes = {symbol.name: size for symbol, size in point.sizes.items()}
    return {
        "np": np,
        "sigmoid": sigmoid,
        "relu_prime": lambda z: (z > 0) * 1.0,
        "leaky_relu_prime": lambda z: np.where(z > 0, 1.0, 0.01),
        **sizes,
        **point.values,
    }


@pytest.mark.parametrize("activations", STACKS, ids="-".join)
def test_every_jacobian_in_numpy_equals_the_complex_step(activations: tuple[str, ...]) -> None:
    network = network_of(activations)
    point = random_point(network, seed=4)
    seen = 0
    for of, wrt in pairs(network):
        try:
            text = expression_of(jacobian(network, of, wrt), network.with_adjoints)
        except UnsupportedError:  # no path leads from one to the other
            continue
        if text is None:
            continue
        found = np.asarray(eval(text, names_at(point)))
        expected = witness(point, of, wrt, total=True)
        assert found.shape == expected.shape, f"d{of}/d{wrt} = {text}"
        np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12, err_msg=text)
        seen += 1
    assert seen > 10


def test_known_sizes_stand_as_numbers() -> None:
    built = build(Architecture("known", 3, (Layer(4),), "none", "sum"), one_sample=True)
    text = expression_of(
        jacobian(built.network, "yhat", "b1"), built.network.with_adjoints, built.sizes
    )
    assert text == "np.eye(4)"
