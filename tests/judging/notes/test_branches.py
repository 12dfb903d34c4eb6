"""No branch of an activation is passed over: a line that fails on one of them is not verified.

Pairs of a right formula or function and its nearest wrong one, in networks so small that few
points meet every combination of branches.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from symbackprop import api
from symbackprop.judging.code.judge import judge_code
from symbackprop.judging.report import FileReport
from symbackprop.networks.layers.multilayer import build
from tests.judging.notes.test_conventions import claims, statuses


def network(
    units: Sequence[int], activation: str, *, inputs: int = 2, bias: bool = True
) -> api.Net:
    """Hidden layers of those units, one linear output, half the squared error."""
    lines = ['name = "small"', f"input = {inputs}", 'loss = "squared_error"', "half = true"]
    for count, name in (*((n, activation) for n in units), (1, "identity")):
        lines += ["[[layers]]", 'type = "dense"', f"units = {count}", f'activation = "{name}"']
        lines += [f"bias = {str(bias).lower()}"]
    return api.loads("\n".join(lines))


FORWARD = (
    r"z^{1} = x W^{1} + b^{1}",
    r"h^{1} = f(z^{1})",
    r"z^{2} = h^{1} W^{2} + b^{2}",
    r"h^{2} = f(z^{2})",
    r"\hat{y} = h^{2} W^{3} + b^{3}",
    r"\delta^{3} = \hat{y} - y",
    r"\delta^{2} = \delta^{3} W^{3} \odot f'(z^{2})",
)
CHAIN = (
    (r"\delta^{1} = \delta^{2} W^{2} \odot f'(z^{1})", r"\delta^{1} = \delta^{2} W^{2}"),
    (
        r"\frac{\partial L}{\partial W^{2}} = h^{1} \delta^{3} W^{3} \odot f'(z^{2})",
        r"\frac{\partial L}{\partial W^{2}} = h^{1} \delta^{3} W^{3}",
    ),
)


@pytest.mark.slow
@pytest.mark.parametrize("inputs", [1, 2, 3])
@pytest.mark.parametrize("activation", ["relu", "leaky_relu"])
def test_a_forgotten_slope_shows_in_a_chain_of_single_units(
    tmp_path: Path, activation: str, inputs: int
) -> None:
    net = network((1, 1), activation, inputs=inputs)
    (right, wrong), (other_right, other_wrong) = CHAIN
    found = statuses(tmp_path, net, *FORWARD, right, other_right, wrong, other_wrong)
    assert found == ["verified"] * 9 + ["refuted"] * 2
    assert statuses(tmp_path, net, wrong) == statuses(tmp_path, net, other_wrong) == ["refuted"]


def test_a_middle_slope_shows_only_where_both_neighbours_let_through(tmp_path: Path) -> None:
    net = network((1, 1, 1), "relu")
    whole = r"\frac{\partial L}{\partial z^{1}} = (\hat{y} - y) W^{4} W^{3} W^{2}"
    slopes = [rf" \odot f'(z^{{{layer}}})" for layer in (1, 2, 3)]
    assert statuses(tmp_path, net, whole + "".join(slopes)) == ["verified"]
    for left_out in range(3):
        kept = "".join(s for number, s in enumerate(slopes) if number != left_out)
        assert statuses(tmp_path, net, whole + kept) == ["refuted"]


ENTRY = r"\frac{\partial L}{\partial z^{1}_{2}} = \delta^{2} w^{2}_{2}"


def test_a_line_about_one_unit_meets_both_sides_of_that_unit(tmp_path: Path) -> None:
    net = network((3,), "relu")
    assert statuses(tmp_path, net, FORWARD[0], ENTRY + " f'(z^{1}_{2})") == ["verified"] * 2
    assert statuses(tmp_path, net, FORWARD[0], ENTRY) == ["verified", "refuted"]
    assert statuses(tmp_path, net, FORWARD[0], ENTRY + " f'(z^{1}_{1})") == ["verified", "refuted"]


def test_what_no_point_can_meet_is_undecided_where_it_is_not_proved(tmp_path: Path) -> None:
    """Without a bias a unit that is off leaves the next one exactly at its kink."""
    forward, bounded = r"z^{2} = h^{1} W^{2}", r"\max(z^{1}, -z^{1}) = |z^{1}|"
    proved, open_ = claims(tmp_path, network((1, 1), "relu", bias=False), forward, bounded)
    assert (proved.status, proved.method) == ("verified", "proved")
    assert open_.status == "undecided"
    assert open_.sentence == "no test point was found that has z1 below 0 and z2 below 0"
    assert statuses(tmp_path, network((1, 1), "relu"), bounded) == ["verified"]


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        (r"\max(z^{1}_{1}, -z^{1}_{1}) = |z^{1}_{1}|", r"\max(z^{1}_{1}, -5) = z^{1}_{1}"),
        (
            r"\mathbb{1}[z^{1}_{1} > 0] + \mathbb{1}[z^{1}_{1} \leq 0] = 1",
            r"\mathbb{1}[z^{1}_{1} > -4] = 1",
        ),
    ],
)
def test_a_condition_of_the_formula_is_met_both_ways(
    tmp_path: Path, right: str, wrong: str
) -> None:
    net = network((3,), "tanh")
    assert statuses(tmp_path, net, FORWARD[0], right) == ["verified", "verified"]
    assert statuses(tmp_path, net, FORWARD[0], wrong) == ["verified", "undecided"]


def test_a_slope_at_the_kink_alone_is_undecided(tmp_path: Path) -> None:
    net = network((3,), "relu")
    cases = r"f'(z) = \begin{cases} 1 & z > 0 \\ %s 0 & %s \end{cases}"
    assert statuses(tmp_path, net, *FORWARD[:2], cases % ("", r"z \leq 0"))[-1] == "verified"
    assert (
        statuses(tmp_path, net, *FORWARD[:2], cases % (r"5 & z = 0 \\", "z < 0"))[-1] == "undecided"
    )


# --------------------------------------------------------------------------------------------
# Code
# --------------------------------------------------------------------------------------------

CODE = """
import numpy as np

def backward(x, y, W1, b1, W2, b2, W3, b3):
    n = x.shape[0]
    z1 = x @ W1 + b1
    h1 = np.where(z1 > 0, z1, SLOPE * z1)
    z2 = h1 @ W2 + b2
    h2 = np.where(z2 > 0, z2, SLOPE * z2)
    yhat = h2 @ W3 + b3
    dz3 = (yhat - y) / n
    dW3 = h2.T @ dz3
    db3 = dz3.sum(axis=0)
    dz2 = (dz3 @ W3.T) * np.where(z2 > 0, 1.0, SLOPE)
    dW2 = h1.T @ dz2
    db2 = dz2.sum(axis=0)
    dz1 = (dz2 @ W2.T) * np.where(z1 > 0, 1.0, SLOPE)
    dW1 = x.T @ dz1
    db1 = dz1.sum(axis=0)
    return {"W1": dW1, "b1": db1, "W2": dW2, "b2": db2, "W3": dW3, "b3": db3}
"""
FIRST = " * np.where(z1 > 0, 1.0, SLOPE)\n    dW1"
SECOND = " * np.where(z2 > 0, 1.0, SLOPE)\n    dW2"


def judged(source: str, net: api.Net, slope: str) -> FileReport:
    assert net.architecture is not None
    both = (build(net.architecture), build(net.architecture, one_sample=True))
    return judge_code(source.replace("SLOPE", slope), "backward", "notes.py", *both)


@pytest.mark.slow
@pytest.mark.parametrize(("activation", "slope"), [("relu", "0.0"), ("leaky_relu", "0.01")])
@pytest.mark.parametrize("units", [(1, 1), (3, 2)], ids=str)
def test_a_forgotten_slope_in_code_shows(activation: str, slope: str, units: Sequence[int]) -> None:
    net = network(units, activation)
    assert {c.status for c in judged(CODE, net, slope).claims} == {"verified"}
    for factor, wrong in ((FIRST, {"W1", "b1"}), (SECOND, {"W1", "b1", "W2", "b2"})):
        assert factor in CODE
        report = judged(CODE.replace(factor, factor[factor.index("\n") :]), net, slope)
        refuted = {c.name for c in report.claims if c.status == "refuted"}
        assert {f"d{name}" for name in wrong} <= {n if n[0] == "d" else f"d{n}" for n in refuted}
