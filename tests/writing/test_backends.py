"""A library that gradients are written for is one record: code, proof and check follow from it."""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import symbackprop as sbp
from symbackprop import cli
from symbackprop.errors import UnsupportedError
from symbackprop.proving.code import prove_source
from symbackprop.verdict import Equal
from symbackprop.writing import code as codegen
from symbackprop.writing.code.backend import NUMPY, Backend
from symbackprop.writing.code.backends import BACKENDS
from symbackprop.writing.code.numpy_backend import FUNCTION, compile_source, emit

LIKE = Backend("like", "Like", "like.arrays", "la", assigns=False)
ELSE = Backend("other", "Other", "like.arrays", "loss", suffix=".txt")

# It has NumPy's functions, and its arrays have no items that can be set.
MODULE = """\
import numpy

def __getattr__(name):
    function = getattr(numpy, name)
    if not callable(function):
        return function

    def fixed(*args, **named):
        made = function(*args, **named)
        if isinstance(made, numpy.ndarray):
            made.flags.writeable = False
        return made

    return fixed
"""

INTEGER = """
input = 3
loss = "cross_entropy"
labels = "integer"
[[layers]]
type = "dense"
units = "hidden"
activation = "softplus"
[[layers]]
type = "dense"
units = 4
activation = "softmax"
"""
BINARY = """
input = "d"
loss = "binary_cross_entropy"
reduction = "mean_elements"
[[layers]]
type = "dense"
units = 2
activation = "leaky_relu"
[[layers]]
type = "dense"
units = 3
activation = "sigmoid"
"""


@pytest.fixture
def like(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Backend:
    (tmp_path / "like").mkdir()
    (tmp_path / "like/arrays.py").write_text(MODULE)
    monkeypatch.syspath_prepend(str(tmp_path))
    importlib.invalidate_caches()
    monkeypatch.setitem(BACKENDS, LIKE.name, LIKE)
    monkeypatch.chdir(tmp_path)
    return LIKE


@pytest.mark.slow
@pytest.mark.parametrize("spec", ["four-layer", "line", INTEGER, BINARY])
def test_an_invented_backend_is_written_run_and_proved(spec: str, like: Backend) -> None:
    net = sbp.loads(spec) if "\n" in spec else sbp.load(spec)
    derivation = sbp.derive(net)
    source = derivation.source(backend=like.name)
    assert "import like.arrays as la\n" in source
    assert "np." not in source
    assert "-= 1" not in source
    report = sbp.check(derivation, backend=like.name)
    assert report.ok, str(report)
    assert "Like code" in report.oracles
    proof = [row for row in report.rows if row.oracle == "proof of the code"]
    assert {row.kind for row in proof} == {"proved"}


def test_exported_code_of_an_invented_backend_gives_the_gradients(
    like: Backend, tmp_path: Path
) -> None:
    assert cli.main(["export", "four-layer", "-o", "grads.py", "--backend", like.name]) == 0
    derivation = sbp.derive("four-layer")
    params, (x, y) = derivation.net.parameters(), derivation.net.sample()
    _, expected = derivation.function()(params, x, y)
    _, found = compile_source((tmp_path / "grads.py").read_text(), like)(params, x, y)
    assert all(np.allclose(found[name], expected[name], rtol=1e-12) for name in expected)
    code = (
        "import sys, grads\n"
        "assert not any(m.startswith(('symbackprop', 'sympy')) for m in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_wrong_code_of_an_invented_backend_is_not_proved(like: Backend) -> None:
    """The same text with one factor lost: that it is read is not that it passes."""
    derivation = sbp.derive("four-layer")
    source = derivation.source(backend=like.name)
    wrong = source.replace("* h2 * (1 - h2)", "* h2", 1)
    assert wrong != source
    network, swept = derivation.network, derivation.sweep
    right = prove_source(source, FUNCTION, network, swept)
    assert all(isinstance(verdict, Equal) for verdict in right.values())
    assert not isinstance(prove_source(wrong, FUNCTION, network, swept)["W1"], Equal)


def test_code_of_a_library_that_is_not_registered_is_not_read(like: Backend) -> None:
    derivation = sbp.derive("four-layer")
    source = derivation.source(backend=like.name).replace("like.arrays", "unlike.arrays")
    found = prove_source(source, FUNCTION, derivation.network, derivation.sweep)
    assert not any(isinstance(found[name], Equal) for name in ("loss", "W1", "b3"))


def test_the_suffix_is_that_of_the_backend(
    like: Backend, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(BACKENDS, ELSE.name, ELSE)
    arguments = ["export", "line", "--backend", ELSE.name, "-o"]
    assert cli.main([*arguments, "grads.py"]) == 2
    assert "found suffix .py, expected .txt; write grads.txt" in capsys.readouterr().err
    assert cli.main([*arguments, "grads.txt"]) == 0


@pytest.mark.parametrize("alias", ["y", "z1", "W1"])
def test_no_array_has_the_name_under_which_the_library_is_known(alias: str) -> None:
    backend = Backend("x", "X", "like.arrays", alias)
    with pytest.raises(UnsupportedError, match=f"tensor '{alias}'"):
        emit(sbp.derive("four-layer").sweep, backend=backend)


def test_an_unknown_backend_is_refused_with_those_that_are_there(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(sbp.UsageError, match=r"backend: found 'nunpy', .* did you mean `numpy`"):
        sbp.derive("line").source(backend="nunpy")
    with pytest.raises(sbp.UsageError, match="backend: found 'jax', expected one of numpy"):
        sbp.check("line", backend="jax")
    with pytest.raises(SystemExit, match="2"):
        cli.main(["export", "line", "-o", "g.py", "--backend", "torch"])
    assert "invalid choice: 'torch' (choose from" in capsys.readouterr().err


def test_help_names_every_backend(like: Backend, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        cli.main(["export", "--help"])
    out = capsys.readouterr().out
    assert all(name in out for name in BACKENDS)


def test_no_text_of_code_spells_a_library() -> None:
    """Its name, import and prefix stand in its record alone."""
    for path in sorted(Path(codegen.__file__).parent.glob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        prose = {id(s.value) for s in ast.walk(tree) if isinstance(s, ast.Expr)}
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                spelled = f"{NUMPY.alias}." in node.value or NUMPY.header in node.value
                assert not spelled or id(node) in prose, f"{path.name}:{node.lineno}"
