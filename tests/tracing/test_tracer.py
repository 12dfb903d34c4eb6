"""Reading NumPy code, and proving that it computes what was derived."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from symbackprop.derivation.normalform import Algebra, Atom, Form, atom
from symbackprop.derivation.steps import Sweep
from symbackprop.derivation.sweep import sweep
from symbackprop.networks.layers.architecture import Architecture, Layer
from symbackprop.networks.layers.multilayer import build
from symbackprop.networks.network import Network
from symbackprop.proving.code import prove_source
from symbackprop.proving.formvalue import value_of
from symbackprop.tracing.arrays import ShapeClash, SymbolicArray, TraceError, place
from symbackprop.tracing.trace import trace
from symbackprop.tracing.values import Traced
from symbackprop.verdict import Equal, Undecided, Unequal, Verdict
from symbackprop.writing.code.numpy_backend import emit

HELPERS = """
import numpy as np

def sigmoid(z):
    e = np.exp(-np.where(z.real >= 0, z, -z))
    return np.where(z.real >= 0, 1, e) / (1 + e)

def softplus(z):
    a = np.where(z.real > 0, z, -z)
    return np.where(z.real > 0, z, 0) + np.log1p(np.exp(-a))

def relu(z):
    return np.where(z.real > 0, z, 0)
"""

CLASSIFIER = (
    HELPERS
    + '''
def loss_and_gradients(params, x, y):
    """Sigmoid, tanh, softmax with cross-entropy."""
    W1, b1, W2, b2 = params["W1"], params["b1"], params["W2"], params["b2"]
    W3, b3 = params["W3"], params["b3"]
    N = x.shape[0]
    z1 = x @ W1 + b1
    h1 = sigmoid(z1)
    z2 = h1 @ W2 + b2
    h2 = np.tanh(z2)
    z3 = h2 @ W3 + b3
    shifted = z3 - z3.real.max(axis=1, keepdims=True)
    log_yhat = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    yhat = np.exp(log_yhat)
    loss = -(y * log_yhat).sum() / N
    delta3 = (yhat - y) / N
    dW3 = h2.T @ delta3
    db3 = delta3.sum(axis=0)
    delta2 = (delta3 @ W3.T) * (1 - h2 ** 2)
    dW2 = h1.T @ delta2
    db2 = delta2.sum(axis=0)
    delta1 = (delta2 @ W2.T) * h1 * (1 - h1)
    dW1 = x.T @ delta1
    db1 = delta1.sum(axis=0)
    return loss, {"W1": dW1, "b1": db1, "W2": dW2, "b2": db2, "W3": dW3, "b3": db3}
'''
)

INTEGER = CLASSIFIER.replace(
    "-(y * log_yhat).sum() / N", "-log_yhat[np.arange(N), y].sum() / N"
).replace(
    "delta3 = (yhat - y) / N",
    "delta3 = yhat.copy()\n    delta3[np.arange(N), y] -= 1\n    delta3 = delta3 / N",
)

BINARY = (
    HELPERS
    + """
def loss_and_gradients(params, x, y):
    W1, b1, W2, b2 = params["W1"], params["b1"], params["W2"], params["b2"]
    N = len(x)
    z1 = x @ W1 + b1
    h1 = relu(z1)
    z2 = h1 @ W2 + b2
    yhat = sigmoid(z2)
    loss = (softplus(z2) - y * z2).sum() / N
    delta2 = (yhat - y) / N
    dW2 = h1.T @ delta2
    db2 = delta2.sum(axis=0)
    delta1 = (delta2 @ W2.T) * (z1 > 0)
    dW1 = x.T @ delta1
    db1 = delta1.sum(axis=0)
    return loss, {"W1": dW1, "b1": db1, "W2": dW2, "b2": db2}
"""
)


def network(activations: str, loss: str, labels: str = "one_hot", one: bool = False) -> Network:
    layers = tuple(Layer(3 + place, name) for place, name in enumerate(activations.split()))
    return build(Architecture("t", 2, layers, loss, "mean", False, labels), one).network


def proved(net: Network, source: str, swept: Sweep | None = None) -> dict[str, Verdict]:
    return prove_source(source, "loss_and_gradients", net, swept or sweep(net))


def is_proved(verdict: Verdict) -> bool:
    return isinstance(verdict, Equal) and verdict.method == "proved"


CLASSIFIER_NET = network("sigmoid tanh softmax", "cross_entropy")
INTEGER_NET = network("sigmoid tanh softmax", "cross_entropy", "integer")
BINARY_NET = network("relu sigmoid", "binary_cross_entropy", "any")
SWEEPS = {id(net): sweep(net) for net in (CLASSIFIER_NET, INTEGER_NET, BINARY_NET)}


@pytest.mark.parametrize(
    ("net", "source"),
    [(CLASSIFIER_NET, CLASSIFIER), (INTEGER_NET, INTEGER), (BINARY_NET, BINARY)],
    ids=["classifier", "integer", "binary"],
)
def test_every_name_and_gradient_of_right_code_is_proved(net: Network, source: str) -> None:
    verdicts = proved(net, source)
    assert {t.name for t in net.of_kind("parameter")} | {"loss", "z1", "delta1"} <= set(verdicts)
    assert {name for name, verdict in verdicts.items() if not is_proved(verdict)} == set()


WRONG = [
    (CLASSIFIER_NET, CLASSIFIER, "delta3 = (yhat - y) / N", "delta3 = (y - yhat) / N", "W3"),
    (CLASSIFIER_NET, CLASSIFIER, "delta3 = (yhat - y) / N", "delta3 = yhat - y", "W1"),
    (CLASSIFIER_NET, CLASSIFIER, "dW2 = h1.T @ delta2", "dW2 = (h1.T @ delta2).T", "W2"),
    (CLASSIFIER_NET, CLASSIFIER, "h1.T @ delta2", "-(h1.T @ delta2)", "W2"),
    (CLASSIFIER_NET, CLASSIFIER, "db2 = delta2.sum(axis=0)", "db2 = delta2.sum(axis=1)", "b2"),
    (CLASSIFIER_NET, CLASSIFIER, "db2 = delta2.sum(axis=0)", "db2 = delta2.mean(axis=0)", "b2"),
    (CLASSIFIER_NET, CLASSIFIER, "* (1 - h2 ** 2)", "* (1 - z2 ** 2)", "W2"),
    (CLASSIFIER_NET, CLASSIFIER, "* (1 - h2 ** 2)", "* (1 - h2)", "b1"),
    (CLASSIFIER_NET, CLASSIFIER, "* h1 * (1 - h1)", "* z1 * (1 - z1)", "W1"),
    (CLASSIFIER_NET, CLASSIFIER, "* h1 * (1 - h1)", "* h1", "W1"),
    (CLASSIFIER_NET, CLASSIFIER, "delta3 @ W3.T", "delta3 @ W3", "W1"),
    (CLASSIFIER_NET, CLASSIFIER, "delta2 @ W2.T", "delta3 @ W3.T", "W1"),
    (CLASSIFIER_NET, CLASSIFIER, "-(y * log_yhat)", "(y * log_yhat)", "loss"),
    (CLASSIFIER_NET, CLASSIFIER, ".sum() / N\n    delta3", ".mean()\n    delta3", "loss"),
    (CLASSIFIER_NET, CLASSIFIER, "np.exp(shifted).sum(axis=1", "np.exp(shifted).sum(axis=0", "W3"),
    (CLASSIFIER_NET, CLASSIFIER, "h1 = sigmoid(z1)", "h1 = np.tanh(z1)", "W2"),
    (CLASSIFIER_NET, CLASSIFIER, "z1 = x @ W1 + b1", "z1 = x @ W1", "W1"),
    (CLASSIFIER_NET, CLASSIFIER, '"W1": dW1', '"W1": dW2', "W1"),
    (INTEGER_NET, INTEGER, "y] -= 1", "y] += 1", "W1"),
    (INTEGER_NET, INTEGER, "y] -= 1", "y] -= 2", "b3"),
    (INTEGER_NET, INTEGER, "    delta3[np.arange(N), y] -= 1\n", "", "W3"),
    (BINARY_NET, BINARY, "* (z1 > 0)", "* (z2 > 0)", "W1"),
    (BINARY_NET, BINARY, "* (z1 > 0)", "* (z1 < 0)", "W1"),
    (BINARY_NET, BINARY, "- y * z2", "+ y * z2", "loss"),
]


@pytest.mark.parametrize(
    ("net", "source", "right", "wrong", "key"), WRONG, ids=[f"{w[3]}".strip() for w in WRONG]
)
def test_the_nearest_wrong_code_is_refuted(
    net: Network, source: str, right: str, wrong: str, key: str
) -> None:
    assert source.count(right) == 1
    verdict = proved(net, source.replace(right, wrong), SWEEPS[id(net)])[key]
    assert isinstance(verdict, Unequal), verdict
    assert verdict.witness.sizes
    assert len(set(verdict.witness.sizes.values())) == len(verdict.witness.sizes)


def test_a_wrong_line_leaves_earlier_gradients_proved() -> None:
    verdicts = proved(CLASSIFIER_NET, CLASSIFIER.replace("* h1 * (1 - h1)", "* h1"))
    assert all(is_proved(verdicts[name]) for name in ("loss", "W3", "b3", "W2", "b2"))
    assert isinstance(verdicts["delta1"], Unequal)


def test_other_names_and_no_named_adjoints_are_proved_too() -> None:
    source = """
import numpy as np
def backward(x, y, W1, b1, W2, b2, W3, b3):
    a = 1 / (1 + np.exp(-(x @ W1 + b1)))
    t = np.tanh(np.dot(a, W2) + b2)
    scores = t.dot(W3) + b3
    e = np.exp(scores)
    p = e / np.sum(e, axis=1)[:, None]
    g = p - y
    g /= x.shape[0]
    gt = np.matmul(g, W3.T) / np.cosh(np.dot(a, W2) + b2) ** 2
    ga = np.einsum("nk,jk->nj", gt, W2) * (a - a * a)
    return {"W3": t.T @ g, "b3": np.sum(g, 0), "W2": a.T @ gt, "b2": gt.sum(0),
            "W1": np.einsum("ni,nj->ij", x, ga), "b1": ga.sum(axis=0)}
"""
    verdicts = prove_source(source, "backward", CLASSIFIER_NET, SWEEPS[id(CLASSIFIER_NET)])
    parameters = [t.name for t in CLASSIFIER_NET.of_kind("parameter")]
    assert {name for name in parameters if not is_proved(verdicts[name])} == set()


def test_relu_slope_at_the_kink_is_a_stated_assumption() -> None:
    verdict = proved(BINARY_NET, BINARY.replace("(z1 > 0)", "(z1 >= 0)"))["W1"]
    assert isinstance(verdict, Equal)
    assert any("nowhere exactly 0" in fact for fact in verdict.facts)
    assert proved(BINARY_NET, BINARY)["W1"] == Equal("proved", (), "normal form")


@pytest.mark.parametrize("forward", ["np.maximum(z1, 0)", "z1 * (z1 >= 0)", "np.maximum(0.0, z1)"])
def test_relu_forward_is_the_same_whichever_way_the_tie_falls(forward: str) -> None:
    verdicts = proved(BINARY_NET, BINARY.replace("relu(z1)", forward))
    assert all(is_proved(v) and isinstance(v, Equal) and not v.facts for v in verdicts.values())


def test_a_fact_that_a_proof_needs_is_named() -> None:
    source = CLASSIFIER.replace("(yhat - y) / N", "(yhat * y.sum(axis=1, keepdims=True) - y) / N")
    verdicts = proved(CLASSIFIER_NET, source)
    for name in ("delta3", "W3", "W1"):
        assert verdicts[name] == Equal("proved", ("rows of y sum to 1",), "normal form")
    free = network("sigmoid tanh softmax", "cross_entropy", "any")
    assert proved(free, source)["W3"] == Equal("proved", (), "normal form")
    assert isinstance(proved(free, CLASSIFIER)["W3"], Unequal)


def test_one_sample_is_proved_with_vectors() -> None:
    net = network("sigmoid tanh softmax", "cross_entropy", "one_hot", one=True)
    source = (
        CLASSIFIER.replace(" / N", "")
        .replace("axis=1, keepdims", "axis=-1, keepdims")
        .replace(".sum(axis=0)", "")
    )
    for left in ("h2", "h1", "x"):
        number = {"h2": 3, "h1": 2, "x": 1}[left]
        source = source.replace(f"{left}.T @ delta{number}", f"np.outer({left}, delta{number})")
    assert {k for k, v in proved(net, source).items() if not is_proved(v)} == set()


# --------------------------------------------------------------------------------------------
# The tracer alone
# --------------------------------------------------------------------------------------------


def read(body: str, **arguments: SymbolicArray) -> Traced:
    names = ", ".join(arguments)
    lines = "".join(f"    {line}\n" for line in body.splitlines())
    source = f"import numpy as np\ndef f({names}):\n{lines}"
    return trace(source, "f", arguments, Algebra(BINARY_NET))


def given(name: str, *letters: str) -> SymbolicArray:
    shape = tuple(atom(Atom("dim", letter)) for letter in letters)
    entry = Atom("el", name, tuple(atom(place(i, extent)) for i, extent in enumerate(shape)))
    return SymbolicArray(shape, atom(entry))


SIZES = {"n": 2, "k": 3, "m": 5}
A, B, V = given("a", "n", "k"), given("b", "k", "m"), given("v", "k")

EXPRESSIONS = [
    "a @ b",
    "a.T",
    "(a @ b).T",
    "a.sum(axis=0)",
    "a.mean(axis=1, keepdims=True) + a",
    "np.mean(a)",
    "a.max(axis=1, keepdims=True) - a",
    "a * v + v[None, :]",
    "a - a.sum(axis=1)[:, None] / a.shape[1]",
    "np.outer(v, v) * 2",
    "np.diag(v) @ b",
    "np.diag(np.outer(v, v))",
    "np.eye(len(v)) - np.outer(v, v)",
    "np.einsum('nk,km->mn', a, b)",
    "np.where(a > 0, a, 0.01 * a)",
    "np.maximum(a, v) - np.minimum(a, v)",
    "abs(v) + np.sign(v) + np.square(v) ** 2",
    "np.logaddexp(v, 0) * np.expm1(v) / np.cosh(v)",
    "np.log1p(np.exp(v)) + np.tanh(v) - np.sinh(v)",
    "np.ones((len(a), 1)) @ v[None, :] + np.zeros_like(a)",
    "np.exp(v - v.max()) / np.exp(v - v.max()).sum()",
    "v.reshape(-1, 1) * v.reshape(1, -1)",
    "v @ b",
    "v @ v",
    "(a[:, np.newaxis, :] * v).sum(axis=(0, 1))",
    "np.sqrt(1 + np.exp(v)) * np.reciprocal(v)",
]


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_what_is_read_has_the_value_that_numpy_computes(expression: str) -> None:
    source = np.random.default_rng(7)
    values = {
        "a": source.normal(size=(2, 3)),
        "b": source.normal(size=(3, 5)),
        "v": source.normal(size=3),
    }
    traced = read(f"return {expression}", a=A, b=B, v=V).returned
    sizes = [int(value_of(extent, [], {}, SIZES)) for extent in traced.shape]
    expected = np.asarray(eval(expression, {"np": np, **values}))
    assert tuple(sizes) == expected.shape
    axes = [place(i, extent) for i, extent in enumerate(traced.shape)]
    np.testing.assert_allclose(value_of(traced.form, axes, values, SIZES), expected, rtol=1e-12)


@pytest.mark.parametrize(
    ("body", "line", "what"),
    [
        ("for k in a:\n    break\nreturn a", 4, "Break"),
        ("for k in 3 * v:\n    w = k\nreturn w", 5, "a loop over samples"),
        ("c = a\nwhile True:\n    pass", 4, "2000 repetitions"),
        ("return np.linalg.inv(a)", 3, "linalg.inv"),
        ("return a[0:2]", 3, "slice"),
        ("return open('x')", 3, "open"),
        ("return __import__('os')", 3, "__import__"),
        ("return a.__class__", 3, "__class__"),
        ("return (lambda q: undefined)(a)", 3, "undefined"),
        ("c = a.sum(0).reshape(-1, 1)\nd = c\nd -= 1\nreturn a.reshape(-1)", 6, "reshape"),
        ("c = np.ones(3)\nd = c.reshape(-1, 1)\nd -= 1\nreturn c", 6, "may or may not"),
        ("if a > 0:\n    return a\nreturn -a", 3, "depends on values"),
        ("return np.exp(a, out=a)", 3, "out"),
        ("return a.reshape(-1)", 3, "reshape"),
        ("return a ** a", 3, "exponent"),
        ("b = 1", 2, "returns nothing"),
        ("return undefined", 3, "undefined"),
        ("return f(a, v)", 2, "nested too deeply"),
    ],
)
def test_what_is_not_read_is_named_with_its_line(body: str, line: int, what: str) -> None:
    with pytest.raises(TraceError, match=what) as caught:
        read(body, a=A, v=V)
    assert caught.value.line == line


def test_two_symbolic_sizes_never_unify() -> None:
    with pytest.raises(ShapeClash, match="inner sizes"):
        read("return a @ a", a=A)
    with pytest.raises(ShapeClash, match="broadcast"):
        read("return a + b", a=A, b=B)


def test_a_change_in_place_shows_under_every_name_of_the_array() -> None:
    traced = read("c = v + 0.5\nd = c\nd -= 0.5\nreturn c", v=V)
    assert traced.returned.form == V.form


def test_decimals_mean_what_is_written() -> None:
    form: Form = read("return 0.01 * v", v=V).returned.form
    assert set(form.terms.values()) == {Fraction(1, 100)}


def test_names_stay_in_order_and_an_if_on_none_is_decided() -> None:
    traced = read("s = np.exp(v)\nif s is None:\n    s = v\nt = s.sum()\nreturn t, {'s': s}", v=V)
    assert list(traced.names) == ["s", "t"]
    assert traced.return_names[0] == "t"


def test_code_that_cannot_be_read_is_undecided_never_wrong() -> None:
    source = CLASSIFIER.replace("dW1 = x.T @ delta1", "dW1 = magic(x, delta1)")
    verdicts = proved(CLASSIFIER_NET, source)
    assert isinstance(verdicts["W1"], Undecided)
    assert "magic" in verdicts["W1"].reason
    assert is_proved(verdicts["delta1"])
    assert isinstance(proved(CLASSIFIER_NET, "def (")["W1"], Undecided)
    assert isinstance(proved(CLASSIFIER_NET, "x = 1")["W1"], Undecided)


def test_a_gradient_that_is_not_returned_is_undecided() -> None:
    verdicts = proved(CLASSIFIER_NET, CLASSIFIER.replace('"W1": dW1, ', ""))
    assert isinstance(verdicts["W1"], Undecided)
    assert is_proved(verdicts["dW1"])


def test_a_condition_that_equals_a_derivative_stays_a_condition() -> None:
    """Without a loss, the error term of a last relu layer is the condition z > 0 itself."""
    architecture = Architecture("clipped", 3, (Layer(1, "relu", bias=False),), "none", "sum")
    built = build(architecture)
    swept = sweep(built.network)
    verdicts = prove_source(emit(swept), "loss_and_gradients", built.network, swept)
    assert isinstance(verdicts["W1"], Equal)
    assert verdicts["W1"].method == "proved"


LOOPED = """
import numpy as np

def activate(z, kind):
    if kind == "sigmoid":
        return 1 / (1 + np.exp(-z))
    return np.tanh(z)

def slope(h, kind):
    return h * (1 - h) if kind == "sigmoid" else 1 - h ** 2

def loss_and_gradients(params, x, y):
    kinds = ["sigmoid", "tanh"]
    L = len(params) // 2
    hs, grads, m = [x], {}, x.shape[0]
    for l in range(1, L):
        z = hs[-1] @ params[f"W{l}"] + params["b" + str(l)]
        hs.append(activate(z, kinds[l - 1]))
    e = np.exp(hs[-1].dot(params["W%d" % L]) + params["b%d" % L])
    d = e / e.sum(axis=1, keepdims=True) - y
    for l in reversed(range(1, L + 1)):
        grads["W{}".format(l)] = np.zeros_like(params[f"W{l}"])
        for i in range(m):
            grads[f"W{l}"] += np.outer(hs[l - 1][i], d[i]) / m
        grads[f"b{l}"] = d.mean(axis=0)
        if l > 1:
            d = d @ params[f"W{l}"].T * slope(hs[l - 1], kinds[l - 2])
    return grads
"""


def test_loops_over_layers_and_samples_are_proved() -> None:
    verdicts = prove_source(
        LOOPED, "loss_and_gradients", CLASSIFIER_NET, SWEEPS[id(CLASSIFIER_NET)]
    )
    parameters = [t.name for t in CLASSIFIER_NET.of_kind("parameter")]
    assert {name for name in parameters if not is_proved(verdicts[name])} == set()
    wrong = LOOPED.replace("d @ params[f", "2 * d @ params[f")
    verdicts = prove_source(wrong, "loss_and_gradients", CLASSIFIER_NET, SWEEPS[id(CLASSIFIER_NET)])
    assert is_proved(verdicts["W3"])
    assert isinstance(verdicts["W2"], Unequal)
