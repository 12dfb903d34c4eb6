"""What the judge of code does not read: undecided there and in what depends on it, nowhere else.

Each piece stands in a right function and beside its nearest wrong one: where all of it is read the
one is verified and the other refuted, where it is not, neither is refuted for what is not read.
"""

from __future__ import annotations

import pytest

from symbackprop.judging.code.judge import judge_code
from symbackprop.judging.report import Claim, FileReport
from symbackprop.networks import file as spec
from symbackprop.networks.layers.multilayer import Built, build

NETWORK = """
name = "unread"
input = 2
loss = "cross_entropy"
[[layers]]
type = "dense"
units = "H"
activation = "tanh"
[[layers]]
type = "dense"
units = "K"
activation = "softmax"
"""
HEAD = """
import numpy as np
{imports}

def softmax(z):
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)

{decorator}
def backward(x, y, W1, b1, W2, b2):
    n = x.shape[0]
    z1 = x @ W1 + b1
    h1 = np.tanh(z1)
    yhat = softmax(h1 @ W2 + b2)
    dz2 = (yhat - y) / n
    dW2 = h1.T @ dz2
    db2 = dz2.sum(axis=0)
    dz1 = (dz2 @ W2.T) * (1 - h1**2)
    dW1 = x.T @ dz1
    db1 = dz1.sum(axis=0)
{lines}
    return {{"W1": dW1, "b1": db1, "W2": dW2, "b2": db2}}
{tail}
"""


@pytest.fixture(scope="module")
def built() -> tuple[Built, Built]:
    architecture = spec.loads(NETWORK, "network.toml").architecture
    return build(architecture), build(architecture, one_sample=True)


def source(lines: str = "", imports: str = "", decorator: str = "", tail: str = "") -> str:
    inside = "\n".join(f"    {line}" for line in lines.split("\n"))
    return HEAD.format(lines=inside, imports=imports, decorator=decorator, tail=tail)


def judged(text: str, built: tuple[Built, Built]) -> FileReport:
    return judge_code(text, "backward", "notes.py", *built)


def statuses(report: FileReport) -> dict[str, str]:
    return {claim.name: claim.status for claim in report.claims}


def claim(report: FileReport, name: str) -> Claim:
    return next(c for c in report.claims if c.name == name)


READ = [
    ("q = id(x)", "db1 = dz1.mean(axis=0)"),
    ('s = "-" * 3', "dW2 = -dW2"),
    ("q = hash('x'), callable(x), type(x)", "dW2 = 2 * dW2"),
    ("f = lambda a, b=dz1: a.T @ b\ndW1 = f(x)", "f = lambda a, b=dz1 * n: a.T @ b\ndW1 = f(x)"),
    (
        'def g(**k): return k["c"]\ndW1 = dW1 * g(**{"c": 1})',
        'def g(**k): return k["c"]\ndW1 = dW1 * g(**{"c": 2})',
    ),
    (
        "i, db1 = 0, 0\nwhile i < n:\n    db1 = db1 + dz1[i]\n    i += 1",
        "i, db1 = 0, 0 * b1\nwhile i < n - 1:\n    db1 = db1 + dz1[i]\n    i += 1",
    ),
    (
        "dW1 = functools.reduce(lambda a, b: a + b, [np.outer(x[i], dz1[i]) for i in range(n)])",
        "dW1 = functools.reduce(lambda a, b: a - b, [np.outer(x[i], dz1[i]) for i in range(n)])",
    ),
    ("assert dW1.shape == W1.shape", "dW2 = dW2 + dW2"),
    ("try:\n    dW1 = x.T @ dz1\nexcept ValueError:\n    dW1 = None", "dW2 = 0.5 * dW2"),
    ("import time as clock\nstart = clock.time()", "db2 = -db2"),
    ("with open('log') as file:\n    dW1 = x.T @ dz1", "dW1 = x.T @ dz1 * n"),
    ("if isinstance(x, np.ndarray): dW1 = x.T @ dz1", "dW1 = h1.T @ dz2 @ W2.T"),
    ("names = {f'{n:d} samples'}\nprint('loss %.3f' % dW1.sum())", "db1 = db1 / n"),
    ("logging.info('%s', dW1)", "dW1 = -dW1"),
    ("norm = torch.tensor(dW1).norm()", "dW1 = -dW1"),
]


@pytest.mark.slow
@pytest.mark.parametrize(("right", "wrong"), READ, ids=[r.split("\n")[0][:40] for r, _ in READ])
def test_what_does_not_enter_a_gradient_leaves_it_judged(
    right: str, wrong: str, built: tuple[Built, Built]
) -> None:
    imports = "import functools, logging, torch"
    report = judged(source(right, imports), built)
    assert set(statuses(report).values()) == {"verified"}, report
    lines = f"{right}\n{wrong}" if "\n" not in wrong and "lambda" not in wrong else wrong
    assert "refuted" in statuses(judged(source(lines, imports), built)).values()


UNREAD = [
    "dW1 = helper(x, dz1)",
    "dW1 = helpers.outer(x, dz1)",
    "dW1 = np.fft.fft(dW1)",
    "dW1 = x.T @ dz1 * factor",
    "dW1 = optimiser.step(dW1)",
    "dW1 = (lambda: torch.matmul(x.T, dz1))()",
    "clip(dW1)",
    "dW1.sort()",
    "np.random.shuffle(dW1)",
    "parts = [dW1]\nclip(parts)",
    "view = dW1[0]\nclip(view)",
    "view = helper(dW1)\nview[0] = 0",
    "if helper(x): dW1 = 2 * dW1",
    "if helper(x): dW1 *= 2",
    "for k in helper(x): dW1 = dW1 + k",
    "for k in range(n):\n    if helper(k): break\n    dW1 = dW1 + 0",
    "while helper(x): dW1 = dW1 * 2",
    "dW1 += helper(x)",
    "dW1[0] = helper(x)",
    "dW1[helper(x)] = 0",
    "dW1 = np.stack([helper(r) for r in dW1])",
    "dW1 = sum([helper(x), dW1])",
    "dW1 = max(helper(x), 1) * dW1",
    "dW1 = {'a': helper(x)}['a']",
    "match n:\n    case 1: dW1 = 2 * dW1",
    "def scaled(a):\n    if helper(a): return a\n    return 2 * a\ndW1 = scaled(dW1)",
    "def double(a):\n    if helper(a): return\n    a *= 2\ndouble(dW1)",
    "dW1 = f'{helper(x)}' and dW1",
    "(dW1, r) = helper(x)",
    "dW1 = yield_from(helper for helper in [dW1])",
]


@pytest.mark.slow
@pytest.mark.parametrize("lines", UNREAD, ids=[u.split("\n")[-1][:40] for u in UNREAD])
def test_what_is_not_read_is_undecided_where_it_enters(
    lines: str, built: tuple[Built, Built]
) -> None:
    imports = (
        "import torch, helpers\nfrom helpers import helper, clip, factor, optimiser, yield_from"
    )
    found = statuses(judged(source(lines, imports), built))
    assert found.pop("W1") == "undecided"
    assert {found.pop("b1"), found.pop("W2"), found.pop("b2")} == {"verified"}
    assert "refuted" not in found.values()
    wrong = judged(source(f"dW2 = 2 * dW2\n{lines}", imports), built)
    assert claim(wrong, "W2").status == "refuted"
    assert statuses(wrong)["W1"] == "undecided"


def test_the_reason_names_what_is_not_read_and_its_line(built: tuple[Built, Built]) -> None:
    report = judged(source("dW1 = helper(x, dz1)", "from helpers import helper"), built)
    said = claim(report, "W1").sentence
    assert "helper comes from helpers (line 3), which is not read" in said
    unknown = judged(source("dW1 = helper(x, dz1)"), built)
    assert "the name helper is not known here" in claim(unknown, "W1").sentence


def test_what_a_function_that_is_not_read_leaves_alone_is_said(built: tuple[Built, Built]) -> None:
    report = judged(source("loss = cost(yhat, y)", "from helpers import cost"), built)
    assert statuses(report)["W1"] == "verified"
    assert claim(report, "W1").facts == ("that cost in line 21 changes none of its arguments",)


def test_the_rest_of_a_file_may_hold_anything(built: tuple[Built, Built]) -> None:
    tail = "class Model(torch.nn.Module):\n    pass\n\nwith open('f') as f:\n    data = [*f]\n"
    report = judged(source(imports="import torch", tail=tail), built)
    assert set(statuses(report).values()) == {"verified"}


# ---- what is called under a name

KEPT = [
    {"decorator": "@kept", "imports": "def kept(f):\n    return f"},
    {"decorator": "@functools.lru_cache(maxsize=None)", "imports": "import functools"},
    {"decorator": "@njit", "imports": "from numba import njit"},
    {"imports": "from math import *"},
    {"imports": "try:\n    import cupy\nexcept ImportError:\n    cupy = None"},
    {"tail": "if __name__ == '__main__':\n    def softmax(z): return z\n"},
]
REPLACED = [
    {"decorator": "@nothing", "imports": "def nothing(f):\n    return lambda *a: {}"},
    {"decorator": "@helpers.timed", "imports": "import helpers"},
    {"decorator": "@helper(3)"},
    {"tail": "if True:\n    def softmax(z): return z\n"},
    {"tail": "softmax = helper(softmax)\n"},
    {"tail": "backward = helper(backward)\n"},
    {"tail": "def other():\n    global softmax\n    softmax = abs\n"},
    {"tail": "np.tanh = np.sin\n"},
    {"tail": "def other():\n    np.tanh = np.sin\n"},
    {"tail": "setattr(np, 'tanh', np.sin)\n"},
    {"tail": "from helpers import *\n"},
    {"imports": "from helpers import *\nimport helpers as np"},
    {"lines": "assert False"},
    {"lines": "assert n > 1000"},
    {"lines": "if helper(x): return None"},
    {"lines": "raise NotImplementedError"},
]


@pytest.mark.parametrize("parts", KEPT, ids=[" ".join(k.values())[:40] for k in KEPT])
def test_a_name_that_keeps_its_meaning_is_read(
    parts: dict[str, str], built: tuple[Built, Built]
) -> None:
    assert set(statuses(judged(source(**parts), built)).values()) == {"verified"}
    wrong = source(**{**parts, "lines": "dW1 = 2 * dW1"})
    assert statuses(judged(wrong, built))["W1"] == "refuted"


@pytest.mark.parametrize("parts", REPLACED, ids=[" ".join(r.values())[:40] for r in REPLACED])
def test_nothing_returned_is_verified_where_another_function_may_be_called(
    parts: dict[str, str], built: tuple[Built, Built]
) -> None:
    found = statuses(judged(source(**parts), built))
    assert {found.get(name, "undecided") for name in ("W1", "W2", "b1", "b2")} == {"undecided"}
    assert "refuted" not in found.values()


def test_the_exponential_of_math_takes_no_array(built: tuple[Built, Built]) -> None:
    right = source("import math\ndW1 = dW1 * math.exp(0.0)")
    assert statuses(judged(right, built))["W1"] == "verified"
    wrong = source().replace("import numpy as np\n", "import math as np\n")
    assert statuses(judged(wrong, built)).get("W1") != "verified"


def test_a_name_that_is_set_later_is_an_error_of_the_code(built: tuple[Built, Built]) -> None:
    text = (
        source()
        .replace("    dW1 = x.T @ dz1\n", "")
        .replace("    dz1 = (dz2", "    dW1 = x.T @ dz1\n    dz1 = (dz2")
    )
    assert "refuted" in statuses(judged(text, built)).values()


@pytest.mark.parametrize(
    ("value", "status"),
    [
        ("L", "verified"),
        ("-np.sum(y * np.log(yhat)) / n", "verified"),
        ("0.0", "undecided"),
        ("2 * L", "refuted"),
        ("cost(yhat, y)", "undecided"),
    ],
)
def test_the_number_before_the_gradients_is_the_loss(
    value: str, status: str, built: tuple[Built, Built]
) -> None:
    text = source("L = -np.sum(y * np.log(yhat)) / n").replace("return {", f"return {value}, {{")
    report = judged(text, built)
    assert statuses(report)["W1"] == "verified"
    assert [c.status for c in report.claims if c.name in ("L", "loss")] == [status]
