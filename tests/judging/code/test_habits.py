"""Backward passes in the habits of those who write them: each right one beside its nearest wrong
one, which is refuted at the line that was changed."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import pytest

from symbackprop.judging.code.judge import judge_code
from symbackprop.judging.report import FileReport
from symbackprop.networks import file as spec
from symbackprop.networks.layers.multilayer import Built, build

LOGISTIC = ("binary_cross_entropy", "mean", "2 sigmoid")
SOFTMAX = ("cross_entropy", "mean", "3 softmax")
ONE_UNIT = ("binary_cross_entropy", "mean", "1 sigmoid")
LINE = ("squared_error", "sum", "2 identity")
TWO = ("squared_error", "sum", "5 tanh", "2 identity")
RELUS = ("binary_cross_entropy", "mean", "5 relu", "1 sigmoid")
HEAD = "import numpy as np\n"


@lru_cache(maxsize=20)
def network(parts: tuple[str, ...]) -> tuple[Built, Built]:
    loss, reduction, *layers = parts
    half = "half = true\n" if loss == "squared_error" else ""
    text = f'name = "n"\ninput = 4\nloss = "{loss}"\nreduction = "{reduction}"\n{half}'
    for units, activation in (layer.split() for layer in layers):
        text += f'[[layers]]\ntype = "dense"\nunits = {units}\nactivation = "{activation}"\n'
    architecture = spec.loads(text, "network.toml").architecture
    return build(architecture), build(architecture, one_sample=True)


@dataclass(frozen=True)
class Pair:
    """A right text, and the change that makes it wrong; `said`: what the right one leaves open."""

    name: str
    net: tuple[str, ...]
    function: str
    text: str
    old: str
    new: str
    status: str = "verified"

    @property
    def line(self) -> int:
        return self.right[: self.right.index(self.old)].count("\n") + 1

    @property
    def right(self) -> str:
        return HEAD + self.text.strip("\n") + "\n"

    @property
    def wrong(self) -> str:
        return self.right.replace(self.old, self.new, 1)

    def judged(self, text: str) -> FileReport:
        return judge_code(text, self.function, "backward.py", *network(self.net))


PAIRS = [
    Pair(
        "biases first among the weights",
        LOGISTIC,
        "f",
        """
def f(X, y, theta):
    Xb = np.c_[np.ones(len(X)), X]
    p = 1 / (1 + np.exp(-Xb @ theta))
    return Xb.T @ (p - y) / len(X)
""",
        "@ (p - y)",
        "@ (y - p)",
    ),
    Pair(
        "biases last, hidden unit of ones",
        TWO,
        "f",
        """
def f(X, y, W1, W2):
    X1 = np.vstack([X, np.ones((1, X.shape[1]))])
    H = np.tanh(W1 @ X1)
    H1 = np.vstack([H, np.ones((1, X.shape[1]))])
    E = W2 @ H1 - y
    dW1 = (W2[:, :-1].T @ E * (1 - H ** 2)) @ X1.T
    return dW1, E @ H1.T
""",
        "W2[:, :-1].T",
        "W2[:, 1:].T",
    ),
    Pair(
        "one bias with keepdims, one without",
        TWO,
        "f",
        """
def f(x, y, W1, b1, W2, b2):
    h = np.tanh(x @ W1 + b1)
    r = h @ W2 + b2 - y
    db2 = r.sum(axis=0, keepdims=True)
    d = r @ W2.T * (1 - h * h)
    db1 = d.sum(axis=0)
    return x.T @ d, db1, h.T @ r, db2
""",
        "r.sum(axis=0, keepdims=True)",
        "r.sum(keepdims=True)",
    ),
    Pair(
        "bias of one unit as a number",
        ONE_UNIT,
        "f",
        """
def f(w, b, X, Y):
    m = X.shape[1]
    A = 1 / (1 + np.exp(-(np.dot(w.T, X) + b)))
    dw = np.dot(X, (A - Y).T) / m
    db = np.sum(A - Y) / m
    return {"dw": dw, "db": db}
""",
        "db = np.sum(A - Y) / m",
        "db = np.sum(A - Y)",
    ),
    Pair(
        "one unit without an axis",
        ONE_UNIT,
        "f",
        """
def f(X, y, w, b):
    m, n = X.shape
    dw = np.zeros((n,))
    db = 0.0
    for i in range(m):
        err = 1 / (1 + np.exp(-(np.dot(X[i], w) + b))) - y[i]
        for j in range(n):
            dw[j] = dw[j] + err * X[i, j]
        db = db + err
    return db / m, dw / m
""",
        "err * X[i, j]",
        "err * X[i, j] / 2",
    ),
    Pair(
        "whole numbers as labels in a column",
        SOFTMAX,
        "f",
        """
def f(x, y, W1, b1):
    e = np.exp(x @ W1 + b1)
    g = e / e.sum(axis=1, keepdims=True)
    for i in range(len(x)):
        g[i, y[i, 0]] -= 1
    g /= len(x)
    return x.T @ g, g.sum(axis=0)
""",
        "g[i, y[i, 0]] -= 1",
        "g[i, y[i, 0]] += 1",
    ),
    Pair(
        "labels to columns of one class each",
        SOFTMAX,
        "f",
        """
def one_hot(y):
    t = np.zeros((y.size, y.max() + 1))
    t[np.arange(y.size), y] = 1
    return t
def f(x, y, W1, b1):
    e = np.exp(x @ W1 + b1)
    p = e / e.sum(axis=1, keepdims=True)
    g = (p - one_hot(y)) / y.size
    return x.T @ g, g.sum(axis=0)
""",
        "(p - one_hot(y)) / y.size",
        "(p - one_hot(y))",
    ),
    Pair(
        "data in rows, the rest in columns",
        TWO,
        "f",
        """
def f(X, Y, Z1, A1, A2, W1, W2, b1, b2):
    dZ2 = A2 - Y.T
    dZ1 = W2.T @ dZ2 * (1 - A1 ** 2)
    db1 = dZ1.sum(axis=1, keepdims=True)
    return dZ1 @ X, db1, dZ2 @ A1.T, dZ2.sum(axis=1, keepdims=True)
""",
        "(1 - A1 ** 2)",
        "(1 - A1)",
    ),
    Pair(
        "attributes that forward sets",
        TWO,
        "Net.backward",
        """
class Net:
    def forward(self, inp):
        self.inp = inp
        self.a1 = inp @ self.W1 + self.b1
        self.squashed = np.tanh(self.a1)
        self.guess = self.squashed @ self.W2 + self.b2
    def backward(self, goal):
        g2 = self.guess - goal
        g1 = g2 @ self.W2.T * (1 - np.tanh(self.a1) ** 2)
        return {"W1": self.inp.T @ g1, "b1": g1.sum(0), "W2": self.squashed.T @ g2, "b2": g2.sum(0)}
""",
        "np.tanh(self.a1)",
        "np.sin(self.a1)",
    ),
    Pair(
        "depth and cost kept by __init__, steps in place",
        LOGISTIC,
        "Net.fit",
        """
class Square:
    @staticmethod
    def delta(a, t):
        return (a - t) * a * (1 - a)
class Log:
    @staticmethod
    def delta(a, t):
        return a - t
class Net:
    def __init__(self, sizes, cost=Log, eta=0.1, turns=50):
        self.depth = len(sizes)
        self.cost = cost
        self.eta = eta
        self.turns = turns
    def fit(self, X, y):
        for _ in range(self.turns):
            p = 1 / (1 + np.exp(-(X @ self.W1 + self.b1)))
            g = self.cost.delta(p, y) / len(X)
            self.W1 -= self.eta * X.T @ g
            self.b1 -= self.eta * g.sum(axis=0)
""",
        "self.W1 -= self.eta",
        "self.W1 -= 3 * self.eta",
    ),
    Pair(
        "one sample as a column, lists of gradients",
        LINE,
        "Net.backprop",
        """
class Net:
    def __init__(self, sizes):
        self.depth = len(sizes)
    def backprop(self, x, y):
        nabla_b = [np.zeros(b.shape) for b in self.biases]
        nabla_w = [np.zeros(w.shape) for w in self.weights]
        out = x
        for k in range(self.depth - 1):
            out = self.weights[k] @ out + self.biases[k]
        err = out - y
        nabla_b[-1] = err
        nabla_w[-1] = np.dot(err, x.transpose())
        return nabla_b, nabla_w
""",
        "err = out - y",
        "err = y - out",
    ),
    Pair(
        "lists filled from the front",
        TWO,
        "Net.backward",
        """
class Net:
    def forward(self, X):
        self.values = [X]
        for i in range(len(self.weights)):
            z = self.values[-1] @ self.weights[i] + self.biases[i]
            self.values.append(np.tanh(z) if i < len(self.weights) - 1 else z)
    def backward(self, X, y):
        weight_grads, bias_grads = [], []
        d = self.values[-1] - y
        for i in reversed(range(len(self.weights))):
            weight_grads.insert(0, self.values[i].T @ d)
            bias_grads.insert(0, d.sum(axis=0))
            if i > 0:
                d = (d @ self.weights[i].T) * (1 - self.values[i] ** 2)
        return weight_grads, bias_grads
""",
        "* (1 - self.values[i] ** 2)",
        "* self.values[i]",
    ),
    Pair(
        "names of words",
        TWO,
        "f",
        """
def f(inputs, targets, weights_input_hidden, bias_hidden, weights_hidden_output, bias_output):
    hidden = np.tanh(inputs @ weights_input_hidden + bias_hidden)
    wrong = hidden @ weights_hidden_output + bias_output - targets
    inner = wrong @ weights_hidden_output.T * (1 - hidden ** 2)
    return inputs.T @ inner, inner.sum(0), hidden.T @ wrong, wrong.sum(0)
""",
        "(1 - hidden ** 2)",
        "(1 - hidden)",
    ),
    Pair(
        "names that say nothing",
        TWO,
        "f",
        """
def f(x, goal, alpha_mat, p0, beta_mat, p1):
    u = np.tanh(x @ alpha_mat + p0)
    r = u @ beta_mat + p1 - goal
    q = r @ beta_mat.T * (1 - u ** 2)
    return x.T @ q, q.sum(0), u.T @ r, r.sum(0)
""",
        "(1 - u ** 2)",
        "(1 - u)",
    ),
    Pair(
        "synapses counted from 0, a step that is added",
        LINE,
        "f",
        """
def f(X, y, syn0, b0):
    l1 = np.dot(X, syn0) + b0
    l1_err = y - l1
    syn0 += np.dot(X.T, l1_err)
    b0 += l1_err.sum(axis=0)
    return syn0, b0
""",
        "l1_err = y - l1",
        "l1_err = l1 - y",
    ),
    Pair(
        "what each layer kept, nested",
        RELUS,
        "f",
        """
def inside(grad, kept, kind):
    linear, Z = kept
    s = 1 / (1 + np.exp(-Z))
    dZ = grad * (Z > 0) if kind == "relu" else grad * s * (1 - s)
    below, W, b = linear
    m = below.shape[1]
    return W.T @ dZ, dZ @ below.T / m, dZ.sum(axis=1, keepdims=True) / m
def f(AL, Y, caches):
    grads = {}
    L = len(caches)
    dA = (1 - Y) / (1 - AL) - Y / AL
    for l in reversed(range(L)):
        kind = "sigmoid" if l == L - 1 else "relu"
        dA, grads["dW" + str(l + 1)], grads["db" + str(l + 1)] = inside(dA, caches[l], kind)
    return grads
""",
        "dA = (1 - Y) / (1 - AL) - Y / AL",
        "dA = (1 - Y) / (1 - AL) + Y / AL",
    ),
    Pair(
        "parts of what a layer kept by their numbers",
        TWO,
        "f",
        """
def f(AL, Y, caches):
    d2 = AL - Y
    A1, W2, b2 = caches[1][0]
    X, W1, b1 = caches[0][0]
    Z1 = caches[0][1]
    d1 = d2 @ W2.T * (1 - np.tanh(Z1) ** 2)
    return {"W1": X.T @ d1, "b1": d1.sum(0), "W2": A1.T @ d2, "b2": d2.sum(0)}
""",
        "np.tanh(Z1)",
        "np.sin(Z1)",
    ),
    Pair(
        "a training loop with a penalty of the module",
        LINE,
        "fit",
        """
rate = 0.01
decay = 0.02
def fit(X, y, model, turns=20000):
    W1, b1 = model["W1"], model["b1"]
    for turn in range(turns):
        gap = X.dot(W1) + b1 - y
        dW1 = X.T.dot(gap)
        dW1 += decay * W1
        W1 += -rate * dW1
        b1 += -rate * gap.sum(axis=0)
        model = {"W1": W1, "b1": b1}
    return model
""",
        "gap = X.dot(W1) + b1 - y",
        "gap = y - X.dot(W1) - b1",
        "undecided",
    ),
    Pair(
        "a script without a function",
        LOGISTIC,
        "",
        """
np.random.seed(7)
X = np.random.rand(6, 4)
y = (X[:, :2] > 0.5).astype(float)
W1, b1 = np.random.randn(4, 2), np.zeros(2)
def squash(t):
    return 1 / (1 + np.exp(-t))
def forward(X):
    return squash(X @ W1 + b1)
for turn in range(2000):
    d = (forward(X) - y) / len(X)
    dW1 = X.T @ d
    db1 = d.sum(axis=0)
    W1 -= 0.5 * dW1
    b1 -= 0.5 * db1
    if turn % 100 == 0:
        print(f"{turn}: {d.mean():.3f}")
""",
        "d = (forward(X) - y) / len(X)",
        "d = (forward(X) - y) / 6",
    ),
    Pair(
        "a list of layers",
        TWO,
        "Net.backward",
        """
class Dense:
    def __init__(self, n_in, n_out):
        self.W = np.random.randn(n_in, n_out)
        self.b = np.zeros(n_out)
    def forward(self, x):
        self.x = x
        return x @ self.W + self.b
    def backward(self, grad):
        self.dW = self.x.T @ grad
        self.db = grad.sum(axis=0)
        return grad @ self.W.T
class Tanh:
    def forward(self, x):
        self.out = np.tanh(x)
        return self.out
    def backward(self, grad):
        return grad * (1 - self.out ** 2)
class Net:
    def __init__(self):
        self.layers = [Dense(4, 5), Tanh(), Dense(5, 2)]
    def forward(self, x):
        for layer in self.layers:
            x = layer.forward(x)
        self.guess = x
    def backward(self, y):
        grad = self.guess - y
        for layer in reversed(self.layers):
            grad = layer.backward(grad)
""",
        "(1 - self.out ** 2)",
        "(1 - self.out)",
    ),
    Pair(
        "Python 2 elsewhere",
        LINE,
        "f",
        """
def f(x, y, W1, b1):
    r = x @ W1 + b1 - y
    return x.T @ r, r.sum(axis=0)
if __name__ == "__main__":
    print "now %d" % 3
""",
        "r = x @ W1 + b1 - y",
        "r = x @ W1 - b1 - y",
    ),
    Pair(
        "returned in the order of the parameters, under other names",
        LINE,
        "f",
        """
def f(X, y, W1, b1):
    P = X @ W1 + b1 - y
    return X.T @ P, P.sum(axis=0)
""",
        "P = X @ W1 + b1 - y",
        "P = y - X @ W1 - b1",
    ),
]


@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: pair.name)
def test_what_is_right_is_not_refuted(pair: Pair) -> None:
    report = pair.judged(pair.right)
    found = {claim.status for claim in report.claims}
    assert not report.problem
    assert found <= {"verified", pair.status}, report
    assert pair.status in found, report


@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: pair.name)
def test_its_nearest_slip_is_refuted_at_its_line(pair: Pair) -> None:
    claims = pair.judged(pair.wrong).claims
    roots = {claim.line for claim in claims if claim.status == "refuted" and not claim.follows_from}
    assert pair.line in roots, (pair.line, claims)


LOOP = """
def f(X, y, W1, b1, turns=500):
    for turn in range(turns):
        gap = X.dot(W1) + b1 - y
        dW1 = X.T.dot(gap)
        db1 = gap.sum(axis=0)
        {line}
        W1 -= 0.1 * dW1
        b1 -= 0.1 * db1
"""


@pytest.mark.parametrize(
    ("line", "old", "new", "status"),
    [
        ("pass", "", "", "verified"),
        ("pass", "W1 -= 0.1", "W1 -= 0.3", "verified"),
        ("pass", "W1 -= 0.1", "W1 += 0.1", "refuted"),
        ("pass", "0.1 * dW1", "0.1 * (dW1 + W1)", "undecided"),
        ("if turn % 100 == 0: print(gap)", "", "", "verified"),
        ("if turn == 0: dW1 = 2 * dW1", "", "", "undecided"),
    ],
)
def test_what_a_loop_does_to_its_parameters_is_a_claim(
    line: str, old: str, new: str, status: str
) -> None:
    text = HEAD + LOOP.format(line=line).replace(old, new, 1 if old else 0)
    found = {c.status for c in judge_code(text, "f", "backward.py", *network(LINE)).claims}
    worst = next(s for s in ("refuted", "undecided", "verified") if s in found)
    assert worst == status
