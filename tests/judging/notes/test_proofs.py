"""Proofs of formulas in notes: what is proved, and that nothing false ever is."""

from __future__ import annotations

import pytest

import symbackprop as sbp
from symbackprop.judging.notes.printed import settings_of
from symbackprop.judging.notes.proofs import prove
from symbackprop.networks.layers.multilayer import build
from symbackprop.notation import Notation
from symbackprop.reading.latex.parser import read
from symbackprop.reading.latex.syntax import Statement
from symbackprop.verdict import Equal
from symbackprop.writing.latex import Typesetting
from tests.slips import NOTES

PAIRS = [
    ("one", r"z^2 = h^1 W^2 + b^2", r"z^2 = h^2 W^2 + b^2"),
    ("one", r"\delta^3 = \hat{y} - y", r"\delta^3 = y - \hat{y}"),
    (
        "one",
        r"\delta^l = \left(\delta^{l+1} W^{l+1\top}\right) \circ f'\left(z^l\right)",
        r"\delta^l = \left(\delta^{l+1} W^{l+1\top}\right) \circ f\left(z^l\right)",
    ),
    (
        "one",
        r"\frac{\partial \hat{y}_i}{\partial z_p^3} = \hat{y}_i (\delta_{ip} - \hat{y}_p)",
        r"\frac{\partial \hat{y}_i}{\partial z_p^3} = \hat{y}_i (\delta_{ip} - \hat{y}_i)",
    ),
    (
        "batch",
        r"\frac{\partial L}{\partial W^l} = H^{l-1\top} \delta^l",
        r"\frac{\partial L}{\partial W^l} = \frac{1}{N} H^{l-1\top} \delta^l",
    ),
    (
        "batch",
        r"\frac{\partial L}{\partial b^3} = \mathbf{1}^{\top} \delta^3",
        r"\frac{\partial L}{\partial b^3} = \mathbf{1}^{\top} \delta^2",
    ),
    (
        "batch",
        r"\frac{\partial L}{\partial b_i^3} = \sum_{n=1}^{N} (\hat{y}_{ni} - y_{ni})",
        r"\frac{\partial L}{\partial b_i^3} = \sum_{n=1}^{N} (\hat{y}_{ni} + y_{ni})",
    ),
]


def proof(mode: str, latex: str) -> Equal | None:
    net = sbp.load("four-layer")
    assert net.architecture is not None
    network = build(net.architecture, one_sample=mode == "one").network
    setting = Typesetting(network.with_adjoints, Notation())
    (statement,) = read(latex)
    assert isinstance(statement, Statement)
    return prove(statement, settings_of(setting), network)


@pytest.mark.slow
@pytest.mark.parametrize(("mode", "right", "wrong"), PAIRS)
def test_a_right_formula_is_proved_and_its_nearest_wrong_one_is_not(
    mode: str, right: str, wrong: str
) -> None:
    found = proof(mode, right)
    assert found is not None
    assert found.method == "proved"
    assert proof(mode, wrong) is None


def test_the_facts_of_a_proof_are_told() -> None:
    found = proof("one", r"\frac{\partial L}{\partial z^3} = \hat{y} - y")
    assert found is not None
    assert found.facts == ("rows of y sum to 1",)
    named = proof("one", r"\frac{\partial L}{\partial b^3} = \delta^3")
    assert named is not None
    assert named.facts == ()


def test_numbers_for_entries_are_left_to_the_judge() -> None:
    assert proof("one", r"b^3 = \begin{bmatrix} b_1^3 & b_2^3 & b_3^3 \end{bmatrix}") is None


@pytest.mark.slow
@pytest.mark.parametrize("name", ["four_equations.md", "kronecker_indices.md", "deep_relu.tex"])
def test_most_formulas_of_a_right_note_are_proved(name: str) -> None:
    report = sbp.verify(NOTES / name).files[0]
    verified = [claim for claim in report.claims if claim.status == "verified"]
    proved = [claim for claim in verified if claim.method == "proved"]
    assert len(proved) >= 0.9 * len(verified)
