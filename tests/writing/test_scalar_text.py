"""Definitions of scalar functions: one tree, read as numbers, fractions, NumPy text and LaTeX."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from sympy import (
    Expr,
    Lambda,
    Piecewise,
    Rational,
    S,
    cosh,
    exp,
    lambdify,
    log,
    pi,
    sin,
    sqrt,
    tanh,
)

from symbackprop.calculus import scalars
from symbackprop.calculus.scalars import H, ScalarFunction, Z
from symbackprop.calculus.terms import Applied
from symbackprop.derivation.evaluate import Point, apply, explicit_value
from symbackprop.errors import UnsupportedError
from symbackprop.judging.notes.formula.through import slope_through
from symbackprop.networks.layers.architecture import Architecture, Layer
from symbackprop.networks.layers.multilayer import build
from symbackprop.writing.code.numpy_backend import compile_source
from symbackprop.writing.code.numpy_words import ATOM, SUM, Text
from symbackprop.writing.code.scalar_text import scalar_text
from symbackprop.writing.latex import Typesetting

QUARTER = Rational(1, 4)
NETWORK = build(Architecture("net", 2, (Layer(2),), "none")).network
SETTING = Typesetting(NETWORK.with_adjoints)

# each with its NumPy text and its LaTeX
WRITTEN = (
    (Z / (1 + exp(-Z)), "z / (1 + np.exp(-z))", r"\frac{z}{1 + e^{-z}}"),
    (1 - tanh(Z) ** 2, "1 - np.tanh(z) ** 2", r"1 - \left(\tanh\left(z\right)\right)^{2}"),
    (Z * (1 + exp(Z)), "z * (1 + np.exp(z))", r"z \left(1 + e^{z}\right)"),
    (-((1 + Z) ** 2), "-(1 + z) ** 2", r"-\left(1 + z\right)^{2}"),
    (exp(Z) - 1, "np.exp(z) - 1", "e^{z} - 1"),
    (-Z - QUARTER, "-z - 0.25", r"-z - \frac{1}{4}"),
    (Z / 6 + S.Half, "0.5 + z / 6", r"\frac{1}{2} + \frac{z}{6}"),
    (2 / (3 * Z), "2 / (3 * z)", r"\frac{2}{3 z}"),
    (Rational(2, 3) * Z, "2 * z / 3", r"\frac{2 z}{3}"),
    (-1 / Z, "-1 / z", r"-\frac{1}{z}"),
    (sqrt(1 + Z**2), "np.sqrt(1 + z ** 2)", r"\sqrt{1 + \left(z\right)^{2}}"),
    (log(cosh(Z)), "np.log(np.cosh(z))", r"\log\left(\cosh\left(z\right)\right)"),
    (
        Piecewise((Z, Z > QUARTER), (0, True)),
        "np.where(z.real > 0.25, z, 0)",
        "\\begin{cases}\nz & \\text{if $z > 1/4$} \\\\\n0 & \\text{otherwise}\n\\end{cases}",
    ),
    (
        Piecewise((-1, Z <= -1), (1, Z > 1), (Z, True)),
        "np.where(z.real <= -1, -1, np.where(z.real > 1, 1, z))",
        "\\begin{cases}\n-1 & \\text{if $z \\leq -1$} \\\\\n1 & \\text{if $z > 1$} \\\\\n"
        "z & \\text{otherwise}\n\\end{cases}",
    ),
    (
        Piecewise((1, Z > 0), (Rational(1, 100), True)),
        "np.where(z.real > 0, np.ones_like(z), 0.01)",
        "\\begin{cases}\n1 & \\text{if $z > 0$} \\\\\n\\frac{1}{100} & \\text{otherwise}\n"
        "\\end{cases}",
    ),
    (S.Zero, "0 * np.ones_like(z)", "0"),
)


def written(node: Expr) -> str:
    return scalar_text(node, {Z: Text("z", ATOM, True, True)}, ".real").text


@pytest.mark.parametrize(("node", "text", "latex"), WRITTEN, ids=lambda part: str(part)[:24])
def test_definitions_read_as_if_written_by_hand(node: Expr, text: str, latex: str) -> None:
    assert written(node) == text
    assert SETTING.explicit(node) == latex


@pytest.mark.parametrize("order", [0, 1, 2])
@pytest.mark.parametrize("node", [row[0] for row in WRITTEN], ids=str)
def test_numbers_and_text_are_those_of_sympy(node: Expr, order: int) -> None:
    """SymPy joins cases of equal value, `(z > 1) | (z < -1)`: in second derivatives."""
    at, definition = np.array([-2.5, -0.3, 0.4, 1.7]), node.diff(Z, order)
    with np.errstate(all="ignore"):
        expected = np.broadcast_to(lambdify(Z, definition, "numpy")(at), at.shape)
        found = np.broadcast_to(explicit_value(definition, at), at.shape)
        source = f"import numpy as np\ndef loss_and_gradients(z):\n    return {written(definition)}"
        emitted = compile_source(source)(at)
    np.testing.assert_allclose(found, expected, rtol=1e-13)
    np.testing.assert_allclose(emitted, expected, rtol=1e-13)
    assert emitted.dtype == at.dtype
    assert compile_source(source)(at.astype(np.float32)).dtype == np.float32


def test_a_text_takes_the_place_of_the_variable() -> None:
    whole = Text("x + y", SUM, True, True)
    assert scalar_text(Z / (1 + exp(-Z)), {Z: whole}).text == "(x + y) / (1 + np.exp(-(x + y)))"
    assert scalar_text(tanh(Z), {Z: whole}).text == "np.tanh(x + y)"
    assert scalar_text(Piecewise((Z, Z > 0), (0, True)), {Z: whole}).text == (
        "np.where(x + y > 0, x + y, 0)"
    )


@pytest.mark.parametrize("node", [sin(Z), Z**Z, pi * Z, Piecewise((Z, Z**2 > 1), (1, True))])
def test_what_no_definition_is_made_of_is_refused(node: Expr) -> None:
    with pytest.raises(UnsupportedError, match="expected"):
        explicit_value(node, np.ones(2))


def test_cases_are_chosen_exactly_and_their_functions_are_uninterpreted() -> None:
    """A kink and an exponential in one definition: exact arithmetic used to call np.exp."""
    bent = ScalarFunction("bent", Lambda(Z, Piecewise((2 * Z, Z > 0), (exp(Z), True))), r"\xi")
    point = Point(NETWORK, {}, {}, "exact")
    above, below = np.array([Fraction(3, 7)]), np.array([Fraction(-3, 7)])
    assert apply(bent, 0, above, point).tolist() == [Fraction(6, 7)]
    assert apply(bent, 1, above, point).tolist() == [2]
    assert apply(bent, 1, below, point).tolist() == apply(bent, 0, below, point).tolist()


@pytest.mark.parametrize(
    ("through", "text"),
    [
        (H * (1 - H), r"h \circ (1 - h)"),
        (1 - H**2, "(1 - h^2)"),
        (2 - H / 2, "(2 - 1/2 h)"),
        (-(H**3), r"(-h \circ h \circ h)"),
        (1 / H, ""),
        (Applied("sigmoid", 0, Z), ""),
        (H + Z, ""),
    ],
)
def test_a_derivative_through_the_value_is_written_in_its_letter(
    through: Expr, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    added = ScalarFunction("added", Lambda(Z, Z), "a", through=Lambda((H, Z), through))
    monkeypatch.setitem(scalars.FUNCTIONS, "added", added)
    assert slope_through("added", "h", "h^2", r"\circ") == text
