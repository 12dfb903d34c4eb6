"""The catalogue: equations equal the reference, identities are proved, no derivative by hand."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sympy import Expr, Rational, S, Symbol, exp, simplify

import symbackprop.networks.layers
from symbackprop.calculus import scalars
from symbackprop.calculus.scalars import FUNCTIONS, H, ScalarFunction, Z
from symbackprop.calculus.terms import Applied
from symbackprop.derivation.evaluate import Point, forward
from symbackprop.networks.layers import activations, architecture
from symbackprop.networks.layers.activations import ACTIVATIONS
from symbackprop.networks.layers.architecture import Architecture, Layer
from symbackprop.networks.layers.losses import LABELS, LOSSES
from symbackprop.networks.layers.multilayer import SAMPLES, Built, build
from symbackprop.networks.network import CountsClasses, SumsToOne
from symbackprop.witnesses import reference

# --- scalar functions -------------------------------------------------------------------------


def explicit(expr: Expr) -> Expr:
    """Named functions by their definitions."""
    named = expr.atoms(Applied)
    return expr.xreplace({a: FUNCTIONS[a.function].value(a.argument, a.order) for a in named})


@pytest.mark.parametrize("function", FUNCTIONS.values(), ids=lambda f: f.name)
def test_slope_through_the_output_is_the_derivative_of_the_definition(
    function: ScalarFunction,
) -> None:
    if function.through is None:
        return
    written = explicit(function.through(function.definition(Z), Z))
    taken = function.definition(Z).diff(Z)
    difference = (written - taken).rewrite(exp)
    assert simplify(difference.subs(exp(Z), Symbol("e", positive=True))) == 0


@pytest.mark.parametrize("function", FUNCTIONS.values(), ids=lambda f: f.name)
def test_derivative_is_that_of_sympy(function: ScalarFunction) -> None:
    for order in (0, 1, 2):
        assert function.value(Z, order) == function.definition(Z).diff(Z, order)


@pytest.mark.parametrize("name", ["relu", "leaky_relu"])
def test_kink_takes_the_left_branch(name: str) -> None:
    function = FUNCTIONS[name]
    assert function.kink == 0
    assert function.value(Z, 1).subs(Z, 0) == {"relu": S.Zero, "leaky_relu": Rational(1, 100)}[name]
    assert function.value(Z, 1).subs(Z, 2) == 1
    assert function.value(Z, 0).subs(Z, 2) == 2


@pytest.mark.parametrize("function", FUNCTIONS.values(), ids=lambda f: f.name)
def test_positive_functions_are_positive(function: ScalarFunction) -> None:
    if function.positive:
        assert all(function.value(Z).subs(Z, at).evalf() > 0 for at in (-9, -1, 0, 3))


def test_letters_are_distinct() -> None:
    assert len({function.letter for function in FUNCTIONS.values()}) == len(FUNCTIONS)
    assert all(name == function.name for name, function in FUNCTIONS.items())


# --- the lists agree --------------------------------------------------------------------------


def test_every_word_of_a_network_file_has_a_record() -> None:
    assert tuple(LABELS) == architecture.LABELS
    assert set(architecture.REDUCTIONS) == set(reference.REDUCTIONS)
    assert set(ACTIVATIONS) == set(reference.ACTIVATIONS)
    assert set(LOSSES) == set(reference.LOSSES)


# --- equations against the reference ----------------------------------------------------------

WIDTHS = (3, 2, 4)
BATCH = 5


def numbers(built: Built, labels: str) -> tuple[dict[str, Any], Any, Any]:
    random = np.random.default_rng(8)
    params = {
        "W1": random.normal(size=WIDTHS[:2]),
        "b1": random.normal(size=WIDTHS[1]),
        "W2": random.normal(size=WIDTHS[1:]),
        "b2": random.normal(size=WIDTHS[2]),
    }
    y: Any = random.uniform(0.1, 1, size=(BATCH, WIDTHS[2]))
    if labels == "integer":
        y = random.integers(WIDTHS[2], size=BATCH)
    return params, random.normal(size=(BATCH, WIDTHS[0])), y


CASES = [
    (first, last, loss, labels, reduction, half)
    for first in ACTIVATIONS
    for last, loss, labels, half in (
        ("softmax", "cross_entropy", "any", False),
        ("softmax", "cross_entropy", "integer", False),
        ("sigmoid", "binary_cross_entropy", "any", False),
        ("tanh", "squared_error", "any", True),
        ("softplus", "squared_error", "any", False),
        ("leaky_relu", "none", "any", False),
    )
    for reduction in architecture.REDUCTIONS
]


@pytest.mark.parametrize(("first", "last", "loss", "labels", "reduction", "half"), CASES)
def test_equations_compute_what_the_reference_computes(
    first: str, last: str, loss: str, labels: str, reduction: str, half: bool
) -> None:
    layers = (Layer(WIDTHS[1], first), Layer(WIDTHS[2], last))
    built = build(Architecture("net", WIDTHS[0], layers, loss, reduction, half, labels))
    params, x, y = numbers(built, labels)
    given = {**params, "x": x} | ({} if loss == "none" else {"y": y})
    point = forward(Point(built.network, given, {**built.sizes, SAMPLES: BATCH}))
    model = reference.Model((first, last), loss, labels, reduction, half)
    expected = reference.forward(model, params, x)
    for name, value in expected.items():
        found = point.values[built.network.resolve(name)]
        np.testing.assert_allclose(found, value, rtol=1e-12, err_msg=name)
    total = reference.loss(model, params, x, None if loss == "none" else y)
    np.testing.assert_allclose(point.values["L"], total, rtol=1e-12)


def test_a_layer_without_bias_has_no_bias() -> None:
    layers = (Layer(2, "tanh", bias=False), Layer(3, "identity"))
    network = build(Architecture("net", 4, layers, "squared_error")).network
    assert [t.name for t in network.of_kind("parameter")] == ["W1", "W2", "b2"]
    assert len(network.equation_of["z1"].rhs.terms) == 1


def test_labels_carry_exactly_the_facts_of_their_kind() -> None:
    def facts(labels: str) -> tuple[type, ...]:
        layers = (Layer(3, "softmax"),)
        net = build(Architecture("net", 2, layers, "cross_entropy", labels=labels)).network
        return tuple(type(fact) for fact in net.tensor("y").facts)

    assert facts("one_hot") == facts("distribution") == (SumsToOne,)
    assert facts("integer") == (CountsClasses,)
    assert facts("any") == ()


def test_one_sample_has_no_sample_axis() -> None:
    layers = (Layer(3, "softmax"),)
    network = build(Architecture("net", 2, layers, "cross_entropy"), one_sample=True).network
    assert not any(axis.role == "sample" for t in network.tensors for axis in t.axes)


def test_names_follow_the_contract() -> None:
    layers = (Layer(2, "tanh"), Layer(3), Layer(4, "softmax"))
    network = build(Architecture("net", 5, layers, "cross_entropy")).network
    assert network.resolve("h2") == "z2"
    assert network.resolve("h3") == "yhat"
    last = build(Architecture("net", 5, (Layer(2), Layer(3)), "squared_error")).network
    assert last.resolve("z2") == last.resolve("h2") == "yhat"


def test_sizes_of_the_file_come_back_and_equal_names_are_one_size() -> None:
    built = build(Architecture("net", 2, (Layer("d0"), Layer(2), Layer("d0")), "none"))
    assert sorted(built.sizes.values()) == [2, 2]
    assert len({symbol.name for symbol in built.sizes} | {"d0"}) == 3
    shapes = {t.name: t.shape for t in built.network.tensors}
    assert shapes["W1"][1] == shapes["W3"][1]
    assert shapes["W1"][0] != shapes["W3"][0]


# --- no derivative by hand --------------------------------------------------------------------

FORBIDDEN = re.compile(
    r"^_*(d?diff|deriv\w*|derive\w*|backward\w*|backprop\w*|grad\w*|gradients?|adjoint\w*"
    r"|pullback\w*|cotangent\w*|jacobian\w*|vjp|jvp|delta\d*|d[WbzhxL]\d*|partial|slope\w*)$"
)
CATALOGUE = sorted(Path(symbackprop.networks.layers.__file__).parent.glob("*.py"))


def names_in(tree: ast.AST) -> set[str]:
    """Every name that is defined, read, imported, or given as a word."""
    found: set[str] = set()
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
                found.add(name)
            case ast.Name(id=name) | ast.Attribute(attr=name) | ast.arg(arg=name):
                found.add(name)
            case ast.keyword(arg=str(name)) | ast.alias(name=name):
                found.add(name)
            case ast.Constant(value=str(words)) if words.isidentifier():
                found.add(words)
    return found


@pytest.mark.parametrize("path", CATALOGUE, ids=lambda path: path.name)
def test_no_layer_holds_a_derivative(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert sorted(name for name in names_in(tree) if FORBIDDEN.match(name)) == []
    orders = [
        call.args[1].value
        for call in ast.walk(tree)
        if isinstance(call, ast.Call)
        and isinstance(call.func, ast.Name)
        and call.func.id == "Applied"
        and isinstance(call.args[1], ast.Constant)
    ]
    assert set(orders) <= {0}, "an equation applies f, never f'"


def test_the_scan_sees_what_it_is_for() -> None:
    for guilty in (
        "def backward(z): ...",
        "from sympy import diff",
        "record.adjoint = 1",
        "f(pullback=g)",
        "table = {'gradient': 1}",
        "dW = x.T @ delta",
    ):
        assert [name for name in names_in(ast.parse(guilty)) if FORBIDDEN.match(name)], guilty


def test_equations_apply_functions_and_never_their_derivatives() -> None:
    for first in ACTIVATIONS:
        for loss, last in (("cross_entropy", "softmax"), ("binary_cross_entropy", "sigmoid")):
            layers = (Layer(2, first), Layer(3, last))
            network = build(Architecture("net", 2, layers, loss)).network
            for equation in network.equations:
                for term in equation.rhs.terms:
                    for factor in term.factors:
                        assert all(a.order == 0 for a in factor.atoms(Applied))


def test_scalars_take_derivatives_from_sympy_alone() -> None:
    """`through` is an identity that the first test proves; f' itself is SymPy's diff."""
    tree = ast.parse(Path(scalars.__file__).read_text(encoding="utf-8"))
    records = [
        call
        for call in ast.walk(tree)
        if isinstance(call, ast.Call)
        and isinstance(call.func, ast.Name)
        and call.func.id == "ScalarFunction"
    ]
    fields = {word.arg for record in records for word in record.keywords}
    said = {"stable", "words", "short", "article", "slope_words", "spellings"}
    assert fields <= {"through", "elementary", "kink", "positive", "source", *said}
    assert H != Z


def test_sources_are_cited() -> None:
    for activation, builder in ACTIVATIONS.items():
        if builder is None or activation == "softmax":
            continue
        assert re.search(r"\d{4}, (eq|section)", FUNCTIONS[activation].source)
    assert "Source:" in (activations.softmax.__doc__ or "")
    for name, record in LOSSES.items():
        assert name == "none" or re.search(r"\d{4}, eq", record.source)
