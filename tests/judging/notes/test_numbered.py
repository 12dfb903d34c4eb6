"""The numbered nodes of a computation graph are names of the note, and no units or layers."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.judging.notes.test_notes import judged

NET = """```toml symbackprop
name = "graph"
input = 1
loss = "squared_error"
reduction = "sum"
half = true
[[layers]]
type = "dense"
units = 1
activation = "sigmoid"
[[layers]]
type = "dense"
units = 1
activation = "identity"
```

"""
LAYERS = {
    "^l": (r"z^1 = w^1 x + b^1", r"h^1 = \sigma(z^1)", r"\hat{y} = w^2 h^1 + b^2"),
    "_l": (r"z_1 = w_1 x + b_1", r"h_1 = \sigma(z_1)", r"\hat{y} = w_2 h_1 + b_2"),
}
NODES = {
    "^l": ("w^1 x", "q_1 + b^1", r"\sigma(q_2)", "w^2 q_3", "q_4 + b^2", "q_5 - y"),
    "_l": ("w_1 x", "q_1 + b_1", r"\sigma(q_2)", "w_2 q_3", "q_4 + b_2", "q_5 - y"),
}


def claims(folder: Path, mark: str, *formulas: str, letter: str = "q") -> dict[str, str]:
    nodes = [f"{letter}_{n} = {f}" for n, f in enumerate(NODES[mark], start=1)]
    rows = [*LAYERS[mark], *nodes, *formulas]
    text = NET + "".join(f"\n$$\n{row.replace('q', letter)}\n$$\n" for row in rows)
    return {claim.latex: claim.status for claim in judged(folder, text).claims}


@pytest.mark.parametrize("mark", NODES)
@pytest.mark.parametrize("letter", ["q", "u", "v"])
def test_nodes_are_definitions_and_have_values(tmp_path: Path, mark: str, letter: str) -> None:
    right = r"\frac{\partial L}{\partial %s} = q_6"
    right = right % ("b^2" if mark == "^l" else "b_2")
    right = right.replace("q", letter)
    wrong = right.replace("= ", "= 2 ")
    found = claims(tmp_path, mark, "L = \\frac{1}{2} q_6^2", right, wrong, letter=letter)
    assert [found.pop(key) for key in (right, wrong)] == ["verified", "refuted"]
    nodes = [status for latex, status in found.items() if latex.startswith(f"{letter}_")]
    assert nodes == ["definition"] * 6
    assert "refuted" not in found.values()


def test_a_node_written_differently_later_is_refuted(tmp_path: Path) -> None:
    found = claims(tmp_path, "^l", "q_2 = q_1 - b^1", "q_6 = q_5 - y")
    assert found["q_2 = q_1 - b^1"] == "refuted"


def test_derivatives_by_nodes_are_undecided(tmp_path: Path) -> None:
    right = r"\frac{\partial L}{\partial q_5} = \frac{\partial q_6}{\partial q_5} \cdot q_6"
    assert claims(tmp_path, "^l", right)[right] == "undecided"


def test_layers_are_no_names_of_the_note(tmp_path: Path) -> None:
    """z_1, z_2, … of a network with linear layers go back to each other as well."""
    layer = '[[layers]]\ntype = "dense"\nunits = 2\nactivation = "identity"\n'
    head = NET.partition("[[layers]]")[0] + layer * 4 + "```\n\n"
    rows = ["z_1 = x W_1 + b_1", *(f"z_{n} = z_{n - 1} W_{n} + b_{n}" for n in (2, 3, 4))]
    rows[2] = rows[2].replace("+", "-")
    text = head + "".join(f"\n$$\n{row}\n$$\n" for row in rows)
    statuses = [claim.status for claim in judged(tmp_path, text).claims]
    assert statuses == ["verified", "verified", "refuted", "verified"]


def test_units_are_no_names_of_the_note(tmp_path: Path) -> None:
    head = NET.replace("units = 1", "units = 6", 1)
    rows = [rf"z^1_{n} = x w^1_{{1,{n}}} + b^1_{n}" for n in range(1, 7)]
    rows[3] = rows[3].replace("+", "-")
    text = head + "".join(f"\n$$\n{row}\n$$\n" for row in rows)
    statuses = [claim.status for claim in judged(tmp_path, text).claims]
    assert statuses == ["verified"] * 3 + ["refuted"] + ["verified"] * 2
