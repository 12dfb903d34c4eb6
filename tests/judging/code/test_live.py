"""Functions of the running program are judged as those of a file are: by text, never called."""

from __future__ import annotations

import functools
import importlib.util
import linecache
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import symbackprop as sbp
from symbackprop.errors import UsageError
from tests.places import ROOT

pytestmark = pytest.mark.slow

DOCS = ROOT / "docs" / "notes"
Function = Callable[..., Any]


@pytest.fixture(scope="module")
def net() -> sbp.Net:
    return sbp.load(str(DOCS / "two-layer.toml"))


def loaded(path: Path) -> Any:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def statuses(report: Any) -> dict[str, str]:
    return {claim.name: claim.status for claim in report.claims}


def gradients(report: Any) -> set[str]:
    return {v for k, v in statuses(report).items() if k.lstrip("d") in ("W1", "b1", "W2", "b2")}


@pytest.mark.parametrize("name", ["backward", "backward_wrong"])
def test_a_function_is_judged_as_the_command_judges_it(name: str, net: sbp.Net) -> None:
    function = getattr(loaded(DOCS / "backward.py"), name)
    told = [sbp.verify(what, net).claims for what in (function, f"{DOCS}/backward.py::{name}")]
    facts = [[(c.line, c.name, c.status, c.method, c.cause) for c in claims] for claims in told]
    assert facts[0] == facts[1]
    assert facts[0]


# ---- what stands inside something else


def softmax(z: Any) -> Any:
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def made(scale: float, count: int = 1) -> Function:
    half = 0.5

    def slope(h: Any) -> Any:
        return 2 * half * (1 - h**2)

    def backward(x: Any, y: Any, W1: Any, b1: Any, W2: Any, b2: Any) -> Any:
        h1 = np.tanh(x @ W1 + b1)
        dz2 = scale * (softmax(h1 @ W2 + b2) - y) / x.shape[0]
        dz1 = dz2 @ W2.T * slope(h1)
        return {"W1": x.T @ dz1, "b1": dz1.sum(0), "W2": h1.T @ dz2, "b2": dz2.sum(0) * count}

    return backward


class Passes:
    def right(self, x: Any, y: Any, W1: Any, b1: Any, W2: Any, b2: Any) -> Any:
        return self.scaled(1, x, y, W1, b1, W2, b2)

    def wrong(self, x: Any, y: Any, W1: Any, b1: Any, W2: Any, b2: Any) -> Any:
        return self.scaled(3, x, y, W1, b1, W2, b2)

    @staticmethod
    def scaled(n: int, x: Any, y: Any, W1: Any, b1: Any, W2: Any, b2: Any) -> Any:
        h1 = np.tanh(x @ W1 + b1)
        dz2 = n * (softmax(h1 @ W2 + b2) - y) / x.shape[0]
        dz1 = dz2 @ W2.T * (1 - h1**2)
        return {"W1": x.T @ dz1, "b1": dz1.sum(0), "W2": h1.T @ dz2, "b2": dz2.sum(0)}


def test_a_function_inside_another_sees_what_that_one_gave_it(net: sbp.Net) -> None:
    assert gradients(sbp.verify(made(1.0), net)) == {"verified"}
    assert gradients(sbp.verify(made(2.0), net)) == {"refuted"}
    found = statuses(sbp.verify(made(1.0, 4), net))
    assert (found["W2"], found["b2"]) == ("verified", "refuted")


def test_the_text_alone_does_not_say_what_a_function_around_was_given(net: sbp.Net) -> None:
    report = sbp.verify(f"{__file__}::made.backward", net)
    assert gradients(report) == {"undecided"}
    assert "scale is an argument of made" in str(report)


def test_methods_are_judged(net: sbp.Net) -> None:
    assert gradients(sbp.verify(Passes().right, net)) == {"verified"}
    assert gradients(sbp.verify(Passes.wrong, net)) == {"refuted"}


right = lambda x, y, W2, h1, yhat: {"W2": h1.T @ (yhat - y) / len(x)}  # noqa: E731
wrong = lambda x, y, W2, h1, yhat: {"W2": 2 * h1.T @ (yhat - y) / len(x)}  # noqa: E731
twins = (lambda h1, yhat, y: {"W2": h1.T @ (yhat - y)}, lambda h1: {"W2": h1})


def test_lambdas_are_judged(net: sbp.Net) -> None:
    assert statuses(sbp.verify(right, net))["W2"] == "verified"
    assert statuses(sbp.verify(wrong, net))["W2"] == "refuted"
    assert "several functions begin in this line" in str(sbp.verify(twins[0], net))
    assert statuses(sbp.verify(f"{__file__}::wrong", net))["W2"] == "refuted"


# ---- what stands around it


def told(function: Function) -> Function:
    @functools.wraps(function)
    def inner(*args: Any, **named: Any) -> Any:
        return function(*args, **named)

    return inner


@told
def decorated(x: Any, y: Any, W2: Any, h1: Any, yhat: Any) -> Any:
    return {"W2": h1.T @ (yhat - y) / len(x)}


@functools.lru_cache(maxsize=1)
def cached(x: Any, y: Any, W2: Any, h1: Any, yhat: Any) -> Any:
    return {"W2": h1.T @ (yhat - y) / len(x)}


@functools.lru_cache(maxsize=1)
def cached_wrong(x: Any, y: Any, W2: Any, h1: Any, yhat: Any) -> Any:
    return {"W2": 2 * h1.T @ (yhat - y) / len(x)}


def test_what_a_decorator_makes_of_a_function_is_not_guessed(net: sbp.Net) -> None:
    report = sbp.verify(decorated, net)
    assert statuses(report)["W2"] == "undecided"
    assert "what @told makes of decorated is not known" in str(report)
    around = sbp.verify(told(Passes.scaled), net)
    assert gradients(around) == {"undecided"}
    assert "something around Passes.scaled" in str(around)
    assert statuses(sbp.verify(cached, net))["W2"] == "verified"
    assert statuses(sbp.verify(cached_wrong, net))["W2"] == "refuted"


# ---- texts without a file

CELL = """
def backward(x, y, W1, b1, W2, b2):
    h1 = np.tanh(x @ W1 + b1)
    dz2 = SCALE * (helper(h1 @ W2 + b2) - y) / x.shape[0]
    dz1 = dz2 @ W2.T * (1 - h1**2)
    return {"W1": x.T @ dz1, "b1": dz1.sum(0), "W2": h1.T @ dz2, "b2": dz2.sum(0)}
"""


def cell(**names: Any) -> Function:
    """As a notebook has it: a text of its own, among names that other cells have set."""
    linecache.cache["<cell 7>"] = (len(CELL), None, CELL.splitlines(keepends=True), "<cell 7>")
    space = dict(names)
    exec(compile(CELL, "<cell 7>", "exec"), space)
    function: Function = space["backward"]
    return function


def test_a_cell_knows_what_other_cells_have_set(net: sbp.Net) -> None:
    assert gradients(sbp.verify(cell(np=np, helper=softmax, SCALE=1), net)) == {"verified"}
    assert gradients(sbp.verify(cell(np=np, helper=softmax, SCALE=2), net)) == {"refuted"}
    assert gradients(sbp.verify(cell(np=np, helper=np.tanh, SCALE=1), net)) == {"refuted"}


def test_a_name_that_no_cell_has_set_is_undecided_with_what_to_do(net: sbp.Net) -> None:
    report = sbp.verify(cell(np=np, SCALE=1), net)
    assert gradients(report) == {"undecided"}
    assert "the name helper is not known here; set or define it in the same text" in str(report)
    unread = sbp.verify(cell(np=np, helper=len, SCALE=object()), net)
    assert gradients(unread) == {"undecided"}


def test_what_has_no_text_is_refused(net: sbp.Net) -> None:
    space: dict[str, Any] = {}
    exec("def f(x):\n    return {'W1': x}\n", space)
    for function in (space["f"], len, np.exp, functools.partial(softmax, 1), Passes):
        with pytest.raises(UsageError, match="verify: "):
            sbp.verify(function, net)


def test_a_file_that_changed_is_said_to_have(net: sbp.Net, tmp_path: Path) -> None:
    path = tmp_path / "old.py"
    path.write_text("def backward(x):\n    return {'W1': x}\n")
    function = loaded(path).backward
    path.write_text("\n\ndef backward(x):\n    return {'W1': x}\n")
    assert "backward does not begin here; load it anew" in str(sbp.verify(function, net))


# ---- texts beside the file

HELPERS = """
import numpy as np
from scales import SCALE
def softmax(z):
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return SCALE * e / e.sum(axis=1, keepdims=True)
"""
USER = """
import numpy as np
{imports}
def backward(x, y, W1, b1, W2, b2):
    h1 = np.tanh(x @ W1 + b1)
    dz2 = ({name}(h1 @ W2 + b2) - y) / x.shape[0]
    dz1 = dz2 @ W2.T * (1 - h1**2)
    return {{"W1": x.T @ dz1, "b1": dz1.sum(0), "W2": h1.T @ dz2, "b2": dz2.sum(0)}}
"""


@pytest.mark.parametrize(
    ("imports", "name"),
    [
        ("from helpers import softmax", "softmax"),
        ("from helpers import softmax as soft", "soft"),
        ("from helpers import *", "softmax"),
        ("import helpers", "helpers.softmax"),
        ("import helpers as h", "h.softmax"),
        ("from .helpers import softmax", "softmax"),
    ],
)
def test_a_helper_beside_the_file_is_read(
    imports: str, name: str, net: sbp.Net, tmp_path: Path
) -> None:
    (tmp_path / "user.py").write_text(USER.format(imports=imports, name=name))
    (tmp_path / "helpers.py").write_text(HELPERS)
    for scale, status in ((1, "verified"), (2, "refuted")):
        (tmp_path / "scales.py").write_text(f"from helpers import softmax\nSCALE = {scale}\n")
        assert gradients(sbp.verify(f"{tmp_path}/user.py::backward", net)) == {status}
    (tmp_path / "scales.py").unlink()
    report = sbp.verify(f"{tmp_path}/user.py::backward", net)
    assert gradients(report) == {"undecided"}
    assert {c.line for c in report.claims if c.name == "dz2"} == {6}


def test_a_slip_in_a_helper_beside_is_told_where_it_is_called(net: sbp.Net, tmp_path: Path) -> None:
    (tmp_path / "user.py").write_text(USER.format(imports="import helpers", name="helpers.softmax"))
    (tmp_path / "helpers.py").write_text("def softmax(z):\n    return z @ z\n")
    report = sbp.verify(f"{tmp_path}/user.py::backward", net)
    assert next(c.line for c in report.claims if c.status == "refuted") == 6
