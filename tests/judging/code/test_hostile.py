"""Code that means harm, or is only large: bounded time and memory, a place, no traceback."""

from __future__ import annotations

import re
import time
import tracemalloc
from pathlib import Path

import pytest

import symbackprop as sbp
from symbackprop.networks.layers.multilayer import Built
from tests.judging.code.test_unread import NETWORK, built, judged, source, statuses  # noqa: F401

pytestmark = pytest.mark.slow

SLOWEST = 8.0  # CPU seconds
MOST_BYTES = 300_000_000

UNUSED = [
    "sum(range(10**11))",
    "list(range(10**9))",
    "np.sum(range(10**9))",
    "np.array(range(10**8))",
    "max(range(10**11)), min(range(10**11)), len(range(10**11))",
    "sorted(range(10**9)), set(range(10**9))",
    "list(zip(range(10**10), enumerate(range(10**10))))",
    "[0] * 10**12",
    "[[0] * 10000] * 10000",
    "'a' * 10**12",
    "2**10**9",
    "9**9**9**9",
    "2**-10**9",
    "1 << 10**9",
    "np.zeros((10**6, 10**6)), np.zeros_like(x, shape=(10**6, 10**6))",
    "np.diag(np.ones(100), 10**6)",
    "np.outer(np.ones(10**5), np.ones(10**5))",
    "np.tile(np.ones(1000), 10**8), np.repeat([1], 10**10), x.repeat(10**10)",
    "np.ones(50000)[:, None] * np.ones(50000)",
    "np.einsum('a,b,c,d,e->abcde', *[np.ones(1000)] * 5)",
    "'%d' * 1000 % tuple([1] * 1000)",
    "'{:>1000000000}'.format(1), f'{1:>1000000000}'",
    "int('9' * 10000)",
    "9" * 4000,
    "[" + "1," * 50000 + "]",
    "-" * 90 + "1",
    "abs(" * 90 + "1" + ")" * 90,
    " and ".join(["True"] * 5000),
    " < ".join(map(str, range(3000))),
    "lambda: " * 80 + "1",
]


@pytest.mark.parametrize("text", UNUSED, ids=[u[:40] for u in UNUSED])
def test_what_is_too_large_is_undecided_there(text: str, built: tuple[Built, Built]) -> None:  # noqa: F811
    started = time.process_time()
    assert set(statuses(judged(source(f"q = {text}"), built)).values()) == {"verified"}
    assert time.process_time() - started < SLOWEST
    used = judged(source(f"dW1 = dW1 if ({text}) else dW1"), built)
    assert statuses(used)["W2"] == "verified"
    assert "refuted" not in statuses(used).values()


ENDLESS = [
    "while True: n = n + 1",
    "def f(a): return g(a)\ndef g(a): return f(a) + f(a)\nf(1)",
    "def f(n): return 1 if n < 2 else f(n - 1) + f(n - 2)\nf(24)",
    "q = [[[1 for a in range(1000)] for b in range(1000)] for c in range(1000)]",
    "q = [[0] * 10000 for i in range(10000)]",
    "q = ['a' * 10000 for i in range(50000)]",
    "q = []\nfor i in range(50000): q.append(np.ones(100000) + i)",
    "for i in range(50000): q = np.ones(100000)",
    "\n".join(" " * i + f"for a{i} in range(10):" for i in range(15)) + "\n" + " " * 15 + "q = 1",
]


@pytest.mark.parametrize("lines", ENDLESS, ids=[e[:30] for e in ENDLESS])
def test_what_does_not_end_is_told_with_its_line(lines: str, built: tuple[Built, Built]) -> None:  # noqa: F811
    started = time.process_time()
    tracemalloc.start()
    report = judged(source(lines), built)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert re.match(r"line [23]\d: (more steps|calls nested)", report.problem)
    assert time.process_time() - started < SLOWEST
    assert peak < MOST_BYTES


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ("q = " + "-" * 1000 + "1", "line 21: an expression is nested too deeply"),
        ("q = x" + ".T" * 2000, "line 21: an expression is nested too deeply"),
        ("q = " + " + ".join(["1"] * 3000), "line 21: an expression is nested too deeply"),
        ("q = " + "(" * 300 + "1" + ")" * 300, "line 21: this is no Python: too many nested"),
        ("q = " + "9" * 5000, "line 21: this is no Python: Exceeds the limit"),
    ],
)
def test_what_is_too_deep_is_refused_at_its_line(
    lines: str,
    said: str,
    built: tuple[Built, Built],  # noqa: F811
) -> None:
    assert said in judged(source(lines), built).problem


def test_depth_elsewhere_in_the_file_is_no_matter(built: tuple[Built, Built]) -> None:  # noqa: F811
    tail = f"def other(x):\n    return {'-' * 500}x\n"
    assert set(statuses(judged(source(tail=tail), built)).values()) == {"verified"}


ODD = [
    "q = {}\nq['q'] = q\nhelper(q)",
    "q = []\nq.append(q)\nr = np.array(q)\nhelper(q)\ns = q == q",
    "q = []\nfor i in range(3000): q = [q]\nr = q == [q]\nhelper(q)",
    "a = np.ones(10**4)\nfor i in range(100): a = a * 1e300",
    "q = max([]) if helper(x) else int('a')",
    "try: q = 1 / 0\nexcept ZeroDivisionError: q = 0",
    "q = x in [W1, W2]",
    "del q",
    "q: int",
    "import os; os.system('true'); exec('n = 0'); eval('n')",
    "q = (yield)",
    "class Q: pass\nq = Q()\nq.a = 1",
    "q = *x, *y",
    "q = [*range(3)][::-1][5:]",
    "q = x[..., None][::2, ::-1]",
    "async def q(): await q()",
    "q = __import__('os')",
    "@helper\ndef q(): pass\nq()",
    "global dW3\ndW3 = 1",
    "q = lambda *a, b=1, **k: (a, b, k)\nr = q(1, 2, c=3)",
    "if (q := n) > 0: pass",
    "for dW9[0] in [1]: pass",
    "print(dW1, file=open('f', 'w'))",
]


@pytest.mark.parametrize("lines", ODD, ids=[o.split("\n")[0][:40] for o in ODD])
def test_odd_code_ends_in_a_report(lines: str, built: tuple[Built, Built]) -> None:  # noqa: F811
    started = time.process_time()
    report = judged(source(lines), built)
    assert report.claims or report.problem
    assert time.process_time() - started < SLOWEST


def test_the_time_is_linear_in_the_number_of_statements(
    built: tuple[Built, Built],  # noqa: F811
) -> None:
    def seconds(count: int) -> float:
        lines = "\n".join(f"q{i} = {i} * x" for i in range(count))
        started = time.process_time()
        found = statuses(judged(source(f"{lines}\ndW1 = 2 * dW1"), built))
        assert found["W1"] == "refuted"
        return time.process_time() - started

    seconds(10)
    assert seconds(480) < 8 * max(seconds(120), 0.3)


# ---- the bytes of a file

TEXT = source("é = 1  # é")
FILES = {
    "a mark": "\ufeff".encode() + TEXT.encode(),
    "a cookie": b"# -*- coding: latin-1 -*-\n" + TEXT.encode("latin-1"),
    "carriage returns": TEXT.replace("\n", "\r\n").encode(),
    "old line ends": TEXT.replace("\n", "\r").encode(),
    "form feeds": TEXT.replace("\n\n", "\n\f\n").encode(),
    "separators in a text": TEXT.replace("é = 1", "q = '\x0b\x1c\u2028'").encode(),
}


@pytest.mark.parametrize("data", FILES.values(), ids=FILES)
def test_a_file_is_read_as_python_reads_it(data: bytes, tmp_path: Path) -> None:
    net = sbp.loads(NETWORK)
    path = tmp_path / "code.py"
    path.write_bytes(data)
    right = sbp.verify(f"{path}::backward", net)
    assert {c.status for c in right.claims} == {"verified"}
    path.write_bytes(data.replace(b"dW2 = h1.T @ dz2", b"dW2 = h1.T @ dz1"))
    wrong = sbp.verify(f"{path}::backward", net)
    first = next(c for c in wrong.claims if c.status == "refuted")
    assert first.suggestion == "dW2 = h1.T @ dz2"
    quoted = [
        line for line in str(wrong).splitlines() if line.strip().startswith(f"{first.line} |")
    ]
    assert "dW2 = h1.T @ dz1" in quoted[0]


NO_TEXT = {
    b"\xff\xfe\x00": "UTF-16 text; save it as UTF-8",
    b"# coding: no-such\n": "no text in the encoding that it names",
    b"\xe9 = 1\n": "not UTF-8 text (line 1); save it as UTF-8",
}


@pytest.mark.parametrize(("data", "reason"), NO_TEXT.items())
def test_what_is_no_text_is_said_to_be_none(data: bytes, reason: str, tmp_path: Path) -> None:
    path = tmp_path / "code.py"
    path.write_bytes(data)
    (report,) = sbp.verify(f"{path}::backward", sbp.loads(NETWORK)).files
    assert report.problem == f"cannot be read: {reason}"
