"""Notes that mean harm, or nothing: no traceback, bounded time, the same report twice."""

from __future__ import annotations

import json
import random
import re
import time
from pathlib import Path
from typing import Any

import pytest

import symbackprop as sbp
from symbackprop.cli import main
from symbackprop.judging.report import Report
from tests.slips import NOTES, formulas

pytestmark = pytest.mark.slow

SLOWEST = 5.0  # CPU seconds for one formula
HUGE = 99999999999999999999

MATRIX = r"\\".join(" & ".join(f"w^1_{{{i},{j}}}" for j in range(1, 31)) for i in range(1, 31))
FORMULAS = {
    "braces that close nothing": r"\delta^2 = \hat{y} - y}}} {{{",
    "braces never closed": r"\frac{\partial H}{\partial W^2 = h^1",
    "unknown command": r"\foo{\bar}^2 = \qux \delta^2",
    "deep braces": "{" * 10_000 + "x" + "}" * 10_000 + " = y",
    "deep roots": r"\sqrt{" * 3000 + "x" + "}" * 3000 + "= y",
    "deep brackets": "(" * 5000 + "x" + ")" * 5000 + "= z^1",
    "deep exponents": "x^{" * 2000 + "2" + "}" * 2000 + "= 1",
    "deep indices": "x_{" * 2000 + "2" + "}" * 2000 + "= 1",
    "many terms": r"\delta^2 = " + " + ".join(["h^1"] * 5000),
    "long chain": r"\delta^2 = " + " = ".join([r"\hat{y} - y"] * 200),
    "a literal matrix of 900 entries": rf"W^1 = \begin{{bmatrix}}{MATRIX}\end{{bmatrix}}",
    "sizes of many digits": r"W^1 \in \mathbb{R}^{d_{100} \times d_{999}}",
    "layers that are not there": r"\delta^{999} = W^{1000} h^{-5}",
    "a layer of many digits": rf"\delta^{{{HUGE}}} = h^2",
    "a sum to a number of many digits": rf"x_i = \sum_{{k=1}}^{{{HUGE}}} x_k",
    "a tower of powers": r"H = 9^{9^{9^{9^9}}}",
    "a number of many digits": "H = " + "9" * 5000,
    "a zero divided by": r"H = \frac{1}{0}",
    "indices that are tensors": r"h_h = \sum_z z_z W_{zh}",
    "weights indexed by weights": r"W_{W} = W^W_{W_W}",
    "an array of sixteen axes": r"A_{abcdefgh} = W^1_{ab}W^1_{cd}W^1_{ef}W^1_{gh}W^2_{ij}W^2_{kl}",
    "a name made of itself": r"q = q + q",
    "no entries": r"\begin{bmatrix}\end{bmatrix} = \frac{}{}",
    "empty scripts": r"x_{} = y^{}",
    "derived by nothing": r"\frac{\partial}{\partial} = \sum",
    "Greek in Unicode": "δ² = ŷ − y",
    "a direction mark": "x \u202e = y\u0301",
}


@pytest.fixture(scope="module")
def net() -> sbp.Net:
    return sbp.load("four-layer")


def judged(path: Path, text: str | bytes, net: sbp.Net) -> Report:
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    report = sbp.verify(str(path), net)
    json.dumps(report.as_json(), allow_nan=False)
    assert isinstance(str(report), str)
    return report


@pytest.mark.parametrize("formula", FORMULAS.values(), ids=FORMULAS)
def test_a_hostile_formula_is_judged_in_bounded_time(
    formula: str, net: sbp.Net, tmp_path: Path
) -> None:
    start = time.process_time()
    report = judged(tmp_path / "note.md", f"$$\n{formula}\n$$\n", net)
    assert time.process_time() - start < SLOWEST
    assert not report.summary["verified"]


TEXTS: dict[str, tuple[str, str | bytes]] = {
    "binary": (".md", bytes(range(256)) * 100),
    "Latin-1": (".md", "$$\né = x\n$$\n".encode("latin1")),
    "recursive commands": (".md", "$\\newcommand{\\a}{\\a\\a}$\n$$\n\\a = \\delta^2\n$$\n"),
    "commands in a circle": (".tex", "\\def\\a{\\b\\b}\\def\\b{\\a\\a}\\[ \\a = x \\]"),
    "an argument that grows": (".tex", "\\newcommand{\\f}[1]{\\f{\\f{#1}}}\\[ \\f{x} = y \\]"),
    "environments never ended": (".tex", "\\begin{align} x &= \\\\ & = y \\begin{align}"),
    "HTML": (".md", "<script>alert('$$x = y$$')</script>\n\n<img src=x onerror=alert(1)>\n"),
    "empty": (".md", ""),
    "a notebook of nothing": (".ipynb", "{}"),
    "a line of megabytes": (".md", "a" * 1_000_000),
}


@pytest.mark.parametrize(("suffix", "text"), TEXTS.values(), ids=TEXTS)
def test_a_hostile_file_is_read_or_refused(
    suffix: str, text: str | bytes, net: sbp.Net, tmp_path: Path
) -> None:
    report = judged(tmp_path / f"note{suffix}", text, net)
    assert not report.summary["verified"]


def test_inline_formulas_alone_are_a_note(net: sbp.Net, tmp_path: Path) -> None:
    text = r"We have $\mathbf{h}^1 = \sigma(\mathbf{z}^1)$ and $z^2 = h^1 W^2 + b^2$."
    report = judged(tmp_path / "note.md", text, net)
    assert not report.summary["refuted"]


# ---- networks

ODD = {
    "no loss": ("none", "", (("3", "tanh"), ("2", "identity"))),
    "integer labels": ("cross_entropy", 'labels = "integer"', (("3", "relu"), ("4", "softmax"))),
    "one unit": ("squared_error", "", (("1", "identity"), ("1", "sigmoid"))),
    "identity": ("squared_error", "", (("2", "identity"), ("2", "identity"))),
    "symbols": ("cross_entropy", "", (('"d1"', "sigmoid"), ('"K"', "softmax"))),
    "deep": ("squared_error", "", (("2", "sigmoid"),) * 4),
}
SHORT = r"""
$$
z^2 = h^1 W^2 + b^2
$$
$$
\frac{\partial L}{\partial z^2} = \frac{\partial L}{\partial h^2} \odot \sigma'(z^2)
$$
$$
\frac{\partial L}{\partial W^l_{ij}} = \sum_n \delta^l_{nj} h^{l-1}_{ni}
$$
$$
h^1 = I h^1 + \delta_{ij} x
$$
"""


def _network(loss: str, top: str, layers: Any, bias: bool = True) -> sbp.Net:
    rows = [
        f'[[layers]]\ntype = "dense"\nunits = {units}\nactivation = "{name}"\n'
        f"bias = {str(bias).lower()}"
        for units, name in layers
    ]
    return sbp.loads("\n".join(['name = "odd"', "input = 2", f'loss = "{loss}"', top, *rows]))


@pytest.mark.parametrize("bias", [True, False], ids=["bias", "no bias"])
@pytest.mark.parametrize("odd", ODD.values(), ids=ODD)
def test_a_note_is_judged_under_an_odd_network(odd: Any, bias: bool, tmp_path: Path) -> None:
    start = time.process_time()
    report = judged(tmp_path / "note.md", SHORT, _network(odd[0], odd[1], odd[2], bias))
    assert len(report.claims) >= 4
    assert time.process_time() - start < 4 * SLOWEST


@pytest.mark.parametrize("example", ["line", "linear-chain", "two-three-one"])
@pytest.mark.parametrize("note", ["four_equations.md"])
def test_a_note_is_judged_under_the_network_of_another(example: str, note: str) -> None:
    report = sbp.verify(str(NOTES / note), sbp.load(example))
    assert report.claims


def test_the_loss_of_one_sample_in_a_false_line_is_no_tensor() -> None:
    assert sbp.verify(str(NOTES / "tanh_softmax_rows.md"), sbp.load("line")).claims


# ---- mutations

TOKEN = re.compile(r"\\[A-Za-z]+|\\.|\d+|.", re.DOTALL)
SPARE = [*"{}^_=-+'()[],/019TWzhijknl&xy", r"\frac", r"\partial", r"\odot", r"\sum_{i=1}^{n}"]
SPARE += [r"\delta", r"\log", r"\hat", "^{-1}", "_{ij}", "^{(i)}", r"\nabla", r"\|", r"\\"]


def mutated(text: str, source: random.Random) -> str:
    tokens = TOKEN.findall(text)
    for _ in range(source.choice([1, 1, 2, 4])):
        place = source.randrange(len(tokens))
        match source.randrange(4):
            case 0 if len(tokens) > 1:
                del tokens[place]
            case 1:
                tokens.insert(place, tokens[place])
            case 2:
                tokens[place] = source.choice(SPARE)
            case _:
                tokens.insert(place, source.choice(SPARE))
    return "".join(tokens)


@pytest.mark.parametrize("seed", range(12))
def test_a_mutated_note_is_judged_the_same_twice(seed: int, net: sbp.Net, tmp_path: Path) -> None:
    source = random.Random(seed)
    paths = sorted(p for p in NOTES.glob("*.md"))
    text = source.choice(paths).read_text(encoding="utf-8")
    chosen = source.sample(formulas(text), 4)
    note = "\n".join(f"$$\n{mutated(formula.text, source)}\n$$\n" for formula in chosen)
    start = time.process_time()
    first = judged(tmp_path / "note.md", note, net)
    assert time.process_time() - start < 4 * SLOWEST
    second = sbp.verify(str(tmp_path / "note.md"), net)
    assert json.dumps(first.as_json()) == json.dumps(second.as_json())


# ---- known faults of the judge


@pytest.mark.parametrize(
    "formula", [rf"h^1_{{{HUGE}}} = 1", "z[] = ()", r"\sigma() = 1", "x = [ ]"]
)
def test_what_is_no_index_and_no_argument_is_refused(
    formula: str, net: sbp.Net, tmp_path: Path
) -> None:
    assert judged(tmp_path / "note.md", f"$$\n{formula}\n$$\n", net).claims


# ---- the command


@pytest.mark.parametrize(
    ("text", "options", "code"),
    [
        (b"\x00\x01", (), 2),
        (b"", (), 2),
        (b"$$\n}{ = x\n$$\n", (), 0),
        (b"$$\n}{ = x\n$$\n", ("--strict",), 1),
        (b"$$\nz^2 = h^1 W^3\n$$\n", (), 1),
        (b"$$\nz^2 = h^1 W^3\n$$\n", ("--spec", "no-such-network"), 2),
    ],
)
def test_the_command_ends_with_the_code_of_what_it_found(
    text: bytes, options: tuple[str, ...], code: int, tmp_path: Path, capsys: Any
) -> None:
    (tmp_path / "note.md").write_bytes(text)
    arguments = ["verify", str(tmp_path / "note.md"), "--spec", "four-layer", *options]
    try:
        found = main(arguments)
    except SystemExit as end:
        found = int(str(end.code))
    assert found == code
    assert "Traceback" not in "".join(capsys.readouterr())
