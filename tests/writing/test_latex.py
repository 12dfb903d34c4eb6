"""Equations as LaTeX: no two tensors alike, every mark, columns, renamed letters, safe braces."""

from __future__ import annotations

import itertools
import re

import pytest
from sympy import Rational, S, Symbol

from symbackprop.calculus.terms import (
    Applied,
    Delta,
    Element,
    Expression,
    Guard,
    Index,
    expression,
    product,
)
from symbackprop.derivation.matrixform import matrix_form
from symbackprop.derivation.sweep import jacobian, sweep
from symbackprop.networks.layers.architecture import Architecture, Layer
from symbackprop.networks.layers.multilayer import build
from symbackprop.networks.network import Network
from symbackprop.notation import LAYER_MARKS, Notation
from symbackprop.writing.latex import Typesetting
from tests.sample_networks import CASES, index, size


def perceptron(
    activations: tuple[str, ...] = ("tanh", "sigmoid", "softmax"),
    loss: str = "cross_entropy",
    one_sample: bool = False,
    labels: str = "one_hot",
) -> Network:
    layers = tuple(Layer(f"d{at}", name) for at, name in enumerate(activations, 1))
    return build(Architecture("net", "d0", layers, loss, labels=labels), one_sample).network


def setting(
    network: Network, notation: Notation | None = None, general: bool = False
) -> Typesetting:
    extended = sweep(network).extended
    return Typesetting(extended, notation or Notation(), general=general)


def gradient(network: Network, name: str, notation: Notation) -> tuple[str, str]:
    """The matrix and the index form of one gradient."""
    derivation, typesetting = sweep(network)[name], setting(network, notation)
    node = matrix_form(derivation.result, derivation.indices, typesetting.network)
    assert node is not None
    return typesetting.matrix(node), typesetting.expression(derivation.result)


# --- names ------------------------------------------------------------------------------------

SHAPES = [
    (("sigmoid",), "binary_cross_entropy"),
    (("tanh", "identity"), "squared_error"),
    (("softmax", "relu", "softmax"), "cross_entropy"),
    (("identity", "softplus", "leaky_relu", "sigmoid"), "none"),
]


@pytest.mark.slow
@pytest.mark.parametrize("one_sample", [False, True], ids=["batch", "one"])
@pytest.mark.parametrize("mark", LAYER_MARKS)
@pytest.mark.parametrize("samples", ["rows", "columns"])
@pytest.mark.parametrize(("activations", "loss"), SHAPES)
def test_no_two_tensors_print_alike(
    activations: tuple[str, ...], loss: str, samples: str, mark: str, one_sample: bool
) -> None:
    for delta, symbols in itertools.product(
        ("by_layer", "from_output"), ((), (("h", "a"), ("L", "C"), ("delta", r"\varepsilon")))
    ):
        notation = Notation(
            samples="columns" if samples == "columns" else "rows",
            layer=mark,
            delta="by_layer" if delta == "by_layer" else "from_output",
            symbols=symbols,
        )
        network = perceptron(activations, loss, one_sample)
        typesetting = setting(network, notation)
        names = [t.name for t in typesetting.network.tensors]
        shown = [typesetting.name(name) for name in names]
        assert len(set(shown)) == len(shown), sorted(shown)
        entries = [typesetting.entry(typesetting.network.tensor(name).entry) for name in names]
        assert len(set(entries)) == len(entries), sorted(entries)


@pytest.mark.parametrize(
    ("mark", "weight", "entry", "transposed"),
    [
        ("^l", "W^{2}", "w_{jk}^{2}", r"W^{2\top}"),
        ("_l", "W_{2}", "w_{2,jk}", r"W_{2}^{\top}"),
        ("^(l)", "W^{(2)}", "w_{jk}^{(2)}", r"W^{(2)\top}"),
        ("^[l]", "W^{[2]}", "w_{jk}^{[2]}", r"W^{[2]\top}"),
    ],
)
def test_layer_marks(mark: str, weight: str, entry: str, transposed: str) -> None:
    network = perceptron()
    typesetting = setting(network, Notation(layer=mark))
    assert typesetting.name("W2") == weight
    assert typesetting.entry(network.tensor("W2").entry) == entry
    matrix, _ = gradient(network, "h1", Notation(layer=mark))
    assert matrix.endswith(transposed)


def test_batch_is_upper_case_and_a_sample_lower() -> None:
    batch, one = setting(perceptron()), setting(perceptron(one_sample=True))
    assert [batch.name(t) for t in ("x", "h1", "yhat", "y", "b1")] == [
        "X",
        "H^{1}",
        r"\hat{Y}",
        "Y",
        "b^{1}",
    ]
    assert [one.name(t) for t in ("x", "h1", "yhat", "y")] == ["x", "h^{1}", r"\hat{y}", "y"]


def test_one_layer_carries_no_mark() -> None:
    typesetting = setting(perceptron(("sigmoid",), "binary_cross_entropy"))
    assert [typesetting.name(t) for t in ("W1", "b1", "z1", "delta1")] == ["W", "b", "Z", r"\Delta"]


def test_delta_is_numbered_from_either_end() -> None:
    network = perceptron()
    plain, turned = setting(network), setting(network, Notation(delta="from_output"))
    assert [plain.name(f"delta{l}") for l in (1, 2, 3)] == [rf"\delta^{{{l}}}" for l in (1, 2, 3)]
    assert [turned.name(f"delta{l}") for l in (1, 2, 3)] == [rf"\delta^{{{l}}}" for l in (3, 2, 1)]


def test_adjoint_of_an_activation_is_a_derivative() -> None:
    assert setting(perceptron()).name("dh1") == r"\frac{\partial L}{\partial H^{1}}"


def test_renamed_symbols_reach_every_formula() -> None:
    notation = Notation(symbols=(("h", "a"), ("W", r"\theta"), ("L", "H"), ("N", "m")))
    network = perceptron()
    matrix, entry = gradient(network, "W2", notation)
    assert matrix == r"A^{1\top} \delta^{2}"
    assert entry == r"\sum_{n=1}^{m} a_{nj}^{1} \delta_{nk}^{2}"
    assert gradient(network, "h1", notation)[0] == r"\delta^{2} \theta^{2\top}"
    assert setting(network, notation).name("dh1") == r"\frac{\partial H}{\partial A^{1}}"
    assert gradient(network, "z3", notation)[0] == r"\frac{1}{m} \left(\hat{Y} - Y\right)"


def test_letters_with_scripts_of_their_own_are_braced() -> None:
    scripted = (("W", "W_{h}"), ("h", "a^{s}"), ("delta", r"\delta_{0}"))
    network = perceptron()
    for mark in LAYER_MARKS:
        typesetting = setting(network, Notation(layer=mark, symbols=scripted))
        for tensor in typesetting.network.tensors:
            for shown in (typesetting.name(tensor.name, r"\top"), typesetting.entry(tensor.entry)):
                assert not has_double_script(shown), shown
    typesetting = setting(network, Notation(symbols=scripted))
    assert typesetting.entry(network.tensor("W2").entry) == "{W_{h}}_{jk}^{2}"


def has_double_script(latex: str) -> bool:
    """Whether one base carries two scripts of a kind, which TeX refuses."""
    return re.search(r"([_^])\{[^{}]*\}(?:[_^]\{[^{}]*\})?\1\{", latex) is not None


def test_braces_are_balanced_everywhere() -> None:
    notations = [
        Notation(samples=s, layer=m, delta=d)
        for s in ("rows", "columns")
        for m in LAYER_MARKS
        for d in ("by_layer", "from_output")
    ]
    networks = [perceptron(), perceptron(labels="any"), perceptron(labels="integer")]
    for network in [*networks, *(case.network for case in CASES)]:
        swept = sweep(network)
        for notation in notations if network in networks else notations[:1]:
            typesetting = Typesetting(swept.extended, notation)
            for derivation in swept.derivations.values():
                for step in derivation.steps:
                    for side in (step.before, step.after):
                        assert_balanced(typesetting.expression(side))


def assert_balanced(latex: str) -> None:
    assert latex.count("{") == latex.count("}"), latex
    assert latex.count(r"\left") == latex.count(r"\right"), latex
    assert not has_double_script(latex), latex


# --- columns ----------------------------------------------------------------------------------


def test_columns_turn_products_and_swap_indices() -> None:
    network, columns = perceptron(), Notation(samples="columns")
    assert gradient(network, "W2", columns)[0] == r"\delta^{2} H^{1\top}"
    assert gradient(network, "z1", columns)[0] == (
        r"\left(W^{2\top} \delta^{2}\right) \circ \tanh'\left(Z^{1}\right)"
    )
    assert gradient(network, "W2", columns)[1] == r"\sum_{n=1}^{N} h_{jn}^{1} \delta_{kn}^{2}"
    assert gradient(network, "b2", columns)[0] == r"\delta^{2} \mathbf{1}"


def test_jacobian_keeps_its_layout_under_columns() -> None:
    network = perceptron(one_sample=True)
    typesetting = setting(network, Notation(samples="columns"))
    for of, wrt, expected in (
        ("z2", "h1", r"W^{2}"),
        ("yhat", "z3", r"\operatorname{diag}\left(\hat{y}\right) - \hat{y} \hat{y}^{\top}"),
    ):
        derivation = jacobian(network, of, wrt)
        node = matrix_form(derivation.result, derivation.indices, typesetting.network)
        assert node is not None
        assert typesetting.matrix(node, jacobian=True) == expected


# --- scalars and index forms ------------------------------------------------------------------

n, j, k = index("n", "N", "sample"), index("j", "d1"), index("k", "d2")
SMALL = Typesetting(perceptron(("tanh", "softmax")))


@pytest.mark.parametrize(
    ("expr", "latex"),
    [
        (S(3), "3"),
        (Rational(-1, 2), r"-\frac{1}{2}"),
        (1 / size("N"), r"\frac{1}{N}"),
        (2 * size("N"), "2 N"),
        (size("N") + 1, "N + 1"),
        (size("d2"), "d_{2}"),
        (Index("k1", k.axis) - 1, "r - 1"),
        (2 * k + j - 3, "2 k + j - 3"),
    ],
)
def test_scalars(expr: Symbol, latex: str) -> None:
    assert SMALL.scalar(expr) == latex


def test_known_sizes_stand_as_numbers() -> None:
    typesetting = Typesetting(perceptron(("tanh", "softmax")), sizes={size("d2"): 4})
    assert typesetting.scalar(size("d2")) == "4"
    whole = expression(product(1, (k,), (Element("b2", k),)))
    assert typesetting.expression(whole) == r"\sum_{k=1}^{4} b_{k}^{2}"


def test_signs_come_before_terms_and_negative_terms_last() -> None:
    yhat, y = Element("yhat", n, k), Element("y", n, k)
    whole = expression(product(-1, (), (y,)), product(1, (), (yhat,)))
    assert SMALL.expression(whole) == r"\hat{y}_{nk} - y_{nk}"
    assert SMALL.expression(-whole) == r"y_{nk} - \hat{y}_{nk}"
    half = expression(product(Rational(-1, 2), (), (y,)))
    assert SMALL.expression(half) == r"-\frac{1}{2} y_{nk}"
    assert SMALL.expression(Expression()) == "0"


def test_sums_and_quotients() -> None:
    total = expression(product(1 / size("N"), (n, k), (Element("y", n, k),)))
    assert SMALL.expression(total) == (r"\frac{1}{N} \sum_{n=1}^{N} \sum_{k=1}^{d_{2}} y_{nk}")
    y, yhat = Element("y", n, k), Element("yhat", n, k)
    quotient = expression(product(-1, (), (y, yhat**-1)))
    assert SMALL.expression(quotient) == r"-\frac{y_{nk}}{\hat{y}_{nk}}"
    product_of_sum = expression(product(1, (), (1 - yhat, y)))
    assert r"\left(1 - \hat{y}_{nk}\right)" in SMALL.expression(product_of_sum)
    assert SMALL.expression(expression(product(2, (), (yhat - y,)))) == (
        r"2 \left(\hat{y}_{nk} - y_{nk}\right)"
    )
    assert SMALL.expression(expression(product(1, (), (yhat**2,)))) == (
        r"\left(\hat{y}_{nk}\right)^{2}"
    )


def test_functions_deltas_and_guards() -> None:
    slope = expression(product(1, (), (Applied("tanh", 1, Element("z1", n, j)),)))
    assert SMALL.expression(slope) == r"\tanh'\left(z_{nj}^{1}\right)"
    general = Typesetting(SMALL.network, general=True)
    assert general.expression(slope) == r"f'\left(z_{nj}^{1}\right)"
    exp = expression(product(1, (), (Applied("exp", 0, Element("z1", n, j)),)))
    assert general.expression(exp) == r"\exp\left(z_{nj}^{1}\right)"
    other = Index("k1", k.axis)
    delta = SMALL.expression(expression(product(1, (), (Delta(k, other),))))
    assert delta.startswith(r"\mathbf{1}_{\lbrace k=")
    guard = expression(product(1, (), (Guard(k - 1, 0, size("d2")),)))
    assert r"\le k - 1 \le" in SMALL.expression(guard)


def test_shapes_stand_below_the_factors_of_a_product() -> None:
    network = perceptron()
    typesetting = setting(network)
    derivation = sweep(network)["W2"]
    node = matrix_form(derivation.result, derivation.indices, typesetting.network)
    assert node is not None
    assert typesetting.shape(node) == r"d_{1} \times d_{2}"
    shown = typesetting.matrix(node, shapes=True)
    assert shown == (
        r"\underset{(d_{1} \times N)}{H^{1\top}} \underset{(N \times d_{2})}{\delta^{2}}"
    )
