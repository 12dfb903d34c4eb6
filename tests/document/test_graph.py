"""The primer and the computation graph: what is printed was checked, and reads well."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest
from sympy import Expr

from symbackprop.document import graph as graph_module
from symbackprop.document import operators
from symbackprop.document.blocks import (
    Aside,
    Block,
    Chain,
    Display,
    Document,
    Heading,
    Items,
    Paragraph,
    Table,
)
from symbackprop.document.build import desk_of, numbered
from symbackprop.document.desk import Desk, UncheckedEquation
from symbackprop.document.formulas import Plain, value
from symbackprop.document.graph import graph, has_graph
from symbackprop.document.operators import local_derivative, operations_of
from symbackprop.document.plain import Num, Slope, Sum, Times, Var, numeric
from symbackprop.document.primer import (
    ANY,
    DOUBLE,
    SETTING,
    TITLE,
    TWO_PATHS,
    equal,
    nearly,
    primer,
)
from symbackprop.document.render import render
from symbackprop.document.scene import scene_of
from symbackprop.networks import file as spec
from symbackprop.networks.layers.multilayer import build
from tests.render import tools


def _network(widths: str, last: str, loss: str, hidden: str = "tanh", more: str = "") -> str:
    first, *units = widths.split("-")
    activations = [hidden] * (len(units) - 1) + [last]
    layers = "".join(
        f'[[layers]]\ntype = "dense"\nunits = {unit}\nactivation = "{activation}"\n'
        for unit, activation in zip(units, activations, strict=True)
    )
    return f'name = "n"\ninput = {first}\nloss = "{loss}"\n{more}\n{layers}'


NETWORKS = {
    "line": spec.example_text("line"),
    "linear-chain": spec.example_text("linear-chain"),
    "tanh-2-2-1": _network("2-2-1", "identity", "squared_error"),
    "softmax-1-2-2": _network("1-2-2", "softmax", "cross_entropy", "softplus"),
}
MORE = {
    "two-three-one": spec.example_text("two-three-one"),
    "classes": _network("1-2", "softmax", "cross_entropy", more='labels = "integer"'),
    "binary": _network("2-1-1", "sigmoid", "binary_cross_entropy", "relu"),
    "half": _network("1-1-2", "leaky_relu", "squared_error", "sigmoid", "half = true"),
    "elements": _network("1-2", "tanh", "squared_error", more='reduction = "mean_elements"'),
    "outputs": _network("2-2", "identity", "none", more='reduction = "sum"'),
    "columns": spec.example_text("linear-chain").replace(
        "[notation]", '[notation]\nsamples = "columns"'
    ),
    "many-samples": _network("1-1", "identity", "squared_error", more="samples = 40"),
}


@lru_cache(maxsize=32)
def _desks(text: str) -> tuple[Desk, Desk]:
    found = spec.loads(text)
    one = desk_of(build(found.architecture, one_sample=True), found.notation)
    return one, desk_of(build(found.architecture), found.notation, found.architecture.samples)


@lru_cache(maxsize=32)
def _document(text: str) -> Document:
    return Document("Graph", numbered([*primer(), *graph(*_desks(text))]))


def _chains(blocks: tuple[Block, ...]) -> Iterator[Chain]:
    for block in blocks:
        match block:
            case Display():
                yield block.chain
            case Paragraph() | Heading():
                yield from (part for part in block.text if isinstance(part, Chain))
            case Table():
                cells = [cell for row in block.rows for cell in row]
                yield from (part for cell in cells for part in cell if isinstance(part, Chain))
            case Items():
                lines = block.lines
                yield from (part for line in lines for part in line if isinstance(part, Chain))
            case Aside():
                yield from _chains(block.blocks)
            case _:
                pass


def _text(blocks: tuple[Block, ...]) -> str:
    return render(Document("t", blocks), "md")


# --------------------------------------------------------------------------------------------
# The primer
# --------------------------------------------------------------------------------------------


def test_primer_holds_what_a_beginner_needs() -> None:
    shown = _text(tuple(primer()))
    for formula in (
        r"f\left(1 + 0.001\right) = 2 \cdot 1.001 = 2.002",
        r"\frac{0.002}{0.001} = 2",
        r"\lim _{\varepsilon \to 0} \frac{f\left(x + \varepsilon\right) - f\left(x\right)}",
        r"3 \cdot 2",
        r"4 \cdot 2",
        r"\frac{dg}{dx} \cdot \frac{\partial f}{\partial g}"
        r" + \frac{dh}{dx} \cdot \frac{\partial f}{\partial h}",
        r"= 9 x^{2}",
    ):
        assert formula in shown
    assert f"## {TITLE}" in shown
    assert f"### {TWO_PATHS}" in shown


def test_every_line_of_the_primer_is_exact_and_says_on_what_it_was_tried() -> None:
    chains = list(_chains(tuple(primer())))
    assert len(chains) > 40
    for chain in chains:
        assert chain.check.kind == "exact"
        assert chain.check.detail.startswith("for ")
        sides = [side for side in chain.sides if isinstance(side, Plain) and side.lessons]
        assert len(sides) == len(chain.sides)


def test_lines_of_the_primer_have_values_at_any_scene() -> None:
    one, _ = _desks(NETWORKS["line"])
    for chain in _chains(tuple(primer())):
        if chain.relation == "=":
            values = [value(side, one.own[0]) for side in chain.sides]
            assert all(np.array_equal(values[0], other) for other in values)


def test_a_wrong_line_of_the_primer_is_refused() -> None:
    equal(DOUBLE, Slope("y", "x"), Num("2"))
    with pytest.raises(UncheckedEquation):
        equal(DOUBLE, Slope("y", "x"), Num("2.002"))
    with pytest.raises(UncheckedEquation):
        equal(ANY, Slope("y", "x"), Times((Num("2"), Var("x"))))


def test_an_approximation_that_is_wrong_to_first_order_is_refused() -> None:
    step = Var("epsilon")
    nearly(ANY, Sum((step, Times((step, step)))), step)
    with pytest.raises(UncheckedEquation):
        nearly(ANY, Times((Num("2"), step)), step)


def test_letters_of_a_lesson_have_no_value_in_a_network() -> None:
    one, _ = _desks(NETWORKS["line"])
    with pytest.raises(AssertionError):
        numeric(Var("x"), (), one.own[0].point)
    assert SETTING.network.name == "calculus"


# --------------------------------------------------------------------------------------------
# Nodes
# --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "count"),
    # 2-2-1 tanh: 4 + 2 products, 4 + 2 sums, 2 tanh, difference, square.
    # 1-2-2 softmax: 2 + 4 products, 2 + 4 sums, 2 softplus; 2 exp, sum, 2 quotients;
    # 2 log, 2 products, sum, change of sign.
    [("line", 2), ("linear-chain", 12), ("tanh-2-2-1", 16), ("softmax-1-2-2", 25)],
)
def test_each_scalar_operation_is_one_node(name: str, count: int) -> None:
    one, _ = _desks(NETWORKS[name])
    found = operations_of(one)
    assert found is not None
    assert len(found.operations) == count
    assert all(len(operation.inputs) <= 2 for operation in found.operations)


def test_nodes_use_only_what_was_computed_before() -> None:
    found = operations_of(_desks(NETWORKS["softmax-1-2-2"])[0])
    assert found is not None
    done: set[Expr] = set()
    names = {operation.element for operation in found.operations}
    for operation in found.operations:
        assert {part for part in operation.inputs if part in names} <= done
        done.add(operation.element)


@pytest.mark.parametrize("name", [*NETWORKS, *MORE])
def test_letters_of_nodes_are_different_and_are_no_letters_of_the_network(name: str) -> None:
    one, _ = _desks({**NETWORKS, **MORE}[name])
    found = operations_of(one)
    assert found is not None
    letters = graph_module._letters(one, len(found.operations))
    taken = {one.setting.notation.symbol(s) for s in ("x", "y", "W", "b", "z", "h", "yhat", "L")}
    assert len(set(letters)) == len(found.operations)
    assert not taken & {letter.split("_")[0] for letter in letters}


def test_line_is_called_by_what_its_nodes_compute() -> None:
    shown = _text(tuple(graph(*_desks(NETWORKS["line"]))))
    for formula in (
        "| $m x$ | product |",
        "| $m x + c$ | sum |",
        r"\frac{\partial y}{\partial \left(m x + c\right)} = 1",
        r"\frac{\partial y}{\partial c} &= \frac{\partial \left(m x + c\right)}{\partial c} \cdot"
        r" \frac{\partial y}{\partial \left(m x + c\right)}",
        r"&= x \cdot 1",
        r"m \leftarrow m - \alpha \frac{\partial y}{\partial m}",
        "nothing needs it",
        "In this graph that does not happen.",
    ):
        assert formula in shown
    assert "loss" not in shown
    assert "matri" not in shown
    assert "From one sample to all" not in shown


def test_linear_chain_is_one_formula_of_nine_parameters_and_has_one_step_of_two_paths() -> None:
    shown = _text(tuple(graph(*_desks(NETWORKS["linear-chain"]))))
    assert "nine parameters" in shown
    first = r"\left(w^{[1]} x + b^{[1]}\right) + b _{1}^{[2]}\right)"
    assert rf"w _{{1,1}}^{{[3]}} \left(w _{{1,1}}^{{[2]}} {first}" in shown
    assert shown.count(f"section “{TWO_PATHS}”") == 2  # before the steps, and at the one step
    assert "That happens in step 18." in shown
    assert r"J = \left(f - y\right)^{2}" in shown
    assert r"\left(f - y\right)^{2} = \left(y - f\right)^{2}" in shown
    assert r"\frac{\partial J}{\partial q _{11}} &=" in shown
    assert r"&= 2 q _{11} && \text{simplify}" in shown
    assert "a product, a sum or a difference of two numbers, or the square of one number" in shown
    assert "explained below" in shown
    assert r"J = \frac{1}{m} \sum _{n=1}^{m} {L} _{n}" in shown
    assert len(re.findall(r"\*\*Step \d+:\*\*", shown)) == 12 + 9 + 1  # nodes, parameters, x


# --------------------------------------------------------------------------------------------
# Checks
# --------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("name", [*NETWORKS, *MORE])
def test_every_equation_is_checked_and_only_updates_are_definitions(name: str) -> None:
    chains = list(_chains(_document({**NETWORKS, **MORE}[name]).blocks))
    for chain in chains:
        is_update = chain.relation == r"\leftarrow"
        assert (chain.check.kind == "definition") == is_update
        assert chain.check.kind in ("numeric", "exact", "definition")
    assert any(chain.relation == r"\leftarrow" for chain in chains)


@pytest.mark.parametrize("name", NETWORKS)
def test_a_wrong_local_derivative_is_found(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    desks = _desks(NETWORKS[name])
    found = operations_of(desks[0])
    assert found is not None
    every = max(1, len(found.operations) // 6)
    for wrong in found.operations[::every]:

        def broken(operation: operators.Operation, wrt: Expr, at: str = wrong.name) -> Expr:
            right = local_derivative(operation, wrt)
            return 2 * right if operation.name == at else right

        monkeypatch.setattr(graph_module, "local_derivative", broken)
        with pytest.raises(UncheckedEquation):
            list(graph(*desks))


def test_a_forgotten_path_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    desks = _desks(NETWORKS["linear-chain"])
    whole = operators.OperationGraph.uses
    monkeypatch.setattr(operators.OperationGraph, "uses", lambda self, q: whole(self, q)[:1])
    with pytest.raises(UncheckedEquation):
        list(graph(*desks))


@pytest.mark.parametrize("name", NETWORKS)
def test_a_node_that_computes_something_else_is_found(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    desks = _desks(NETWORKS[name])
    meant = vars(operators.Operation)["expression"].fget
    monkeypatch.setattr(operators.Operation, "expression", property(lambda self: meant(self) + 1))
    with pytest.raises(UncheckedEquation):
        list(graph(*desks))


def test_the_loss_of_each_sample_is_that_of_the_network_of_one_sample() -> None:
    one, _ = _desks(NETWORKS["linear-chain"])
    _, other = _desks(
        NETWORKS["linear-chain"].replace('squared_error"', 'squared_error"\nhalf = true')
    )
    with pytest.raises(UncheckedEquation):
        list(graph(one, other))


# --------------------------------------------------------------------------------------------
# Where there is no graph
# --------------------------------------------------------------------------------------------


def test_a_large_network_says_so_instead() -> None:
    one, many = _desks(spec.example_text("four-layer"))
    assert not has_graph(one)
    assert "too many to follow" in _text(tuple(graph(one, many)))


def test_a_network_of_symbolic_sizes_has_no_graph() -> None:
    one, many = _desks(NETWORKS["tanh-2-2-1"].replace("input = 2", 'input = "d"'))
    assert not has_graph(one)
    assert list(graph(one, many)) == []


def test_same_input_gives_the_same_bytes() -> None:
    text = NETWORKS["softmax-1-2-2"]
    again = Document("Graph", numbered([*primer(), *graph(*_desks(text))]))
    assert render(_document(text), "md") == render(again, "md")


def test_the_graph_does_not_depend_on_the_point() -> None:
    one, many = _desks(NETWORKS["tanh-2-2-1"])
    scene = scene_of(one.network, one.sizes, seed=77)
    elsewhere = Desk(one.network, one.setting, one.generic, (scene,))
    assert _text(tuple(graph(one, many))) == _text(tuple(graph(elsewhere, many)))


# --------------------------------------------------------------------------------------------
# Pages
# --------------------------------------------------------------------------------------------


def _formulas(markdown: str) -> list[tools.Formula]:
    displays = re.findall(r"^\$\$\n(.*?)\n\n?\$\$$", markdown, re.DOTALL | re.MULTILINE)
    rest = re.sub(r"^\$\$\n.*?\n\n?\$\$$", "", markdown, flags=re.DOTALL | re.MULTILINE)
    inline = re.findall(r"\$([^$\n]+)\$", rest)
    return [(tex, True) for tex in displays] + [(tex, False) for tex in inline]


@pytest.mark.slow
@pytest.mark.parametrize("name", [*NETWORKS, *MORE])
def test_markdown_is_portable(name: str) -> None:
    markdown = render(_document({**NETWORKS, **MORE}[name]), "md")
    lines = markdown.split("\n")
    fences = [place for place, line in enumerate(lines) if "$$" in line]
    for start, end in zip(fences[::2], fences[1::2], strict=True):
        assert lines[start] == lines[end] == "$$"
        assert lines[start - 1] == ""
        assert end + 1 == len(lines) or lines[end + 1] == ""
        assert any(line.strip() for line in lines[start + 1 : end])
    for tex, _ in _formulas(markdown):
        assert not re.search(r"[*<>|]", tex)
        assert not re.search(r"(?<=\S)_", tex)
        assert not re.search(r"\\[^A-Za-z]", tex.replace("\\\\\n", "\n"))
        assert all(line.endswith(r"\\") for line in tex.split("\n") if r"\\" in line)


@pytest.mark.parametrize("name", NETWORKS)
def test_formulas_parse_in_the_browser(name: str) -> None:
    formulas = _formulas(render(_document(NETWORKS[name]), "md"))
    assert len(formulas) > 80
    assert tools.katex_errors(formulas) == []
    assert tools.mathjax_errors(formulas) == []


@pytest.mark.slow
@pytest.mark.parametrize("name", [*NETWORKS, "two-three-one"])
def test_latex_compiles_without_overfull_lines(name: str, tmp_path: Path) -> None:
    path = tmp_path / "graph.tex"
    path.write_text(render(_document({**NETWORKS, **MORE}[name]), "tex"), encoding="utf-8")
    assert tools.latex_errors(path) == []
