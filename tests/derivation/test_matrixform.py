"""A reading as matrix algebra has the value of the index expression it reads."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import fields
from functools import reduce
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sympy import Expr, ImmutableMatrix, MatrixSymbol, Rational, S

from symbackprop.calculus.terms import (
    Applied,
    Delta,
    Element,
    Expression,
    Guard,
    Index,
    expression,
    free_indices,
    product,
)
from symbackprop.derivation import matrixform
from symbackprop.derivation.evaluate import Point, apply, evaluate, random_point
from symbackprop.derivation.matrixform import (
    Constant,
    Diag,
    Divide,
    Hadamard,
    Identity,
    Leaf,
    Map,
    MatMul,
    Node,
    OneHot,
    Ones,
    Power,
    Scale,
    Sum,
    in_columns,
    letters_turned,
    matrix_form,
    to_sympy,
    transpose,
)
from symbackprop.networks.network import CountsClasses, Equation, Network, Tensor
from tests.sample_networks import index, size

Array = npt.NDArray[Any]
RANDOM = settings(max_examples=200, deadline=None)
SEEDS = st.integers(0, 10**6)

n = index("n", "N", "sample")
n1 = Index("n1", n.axis)
i, j, k = index("i", "I"), index("j", "J"), index("k", "K")
j1, k1 = Index("j1", j.axis), Index("k1", k.axis)
l = index("l", "D", "layer")
SIZES = {size("N"): 4, size("I"): 2, size("J"): 3, size("K"): 5, size("D"): 2}


def tensors_and_loss() -> Network:
    tensors = (
        Tensor("X", (n, i), "input"),
        Tensor("H", (n, j), "input"),
        Tensor("G", (n, k), "input"),
        Tensor("A", (i, j), "parameter"),
        Tensor("B", (j, k), "parameter"),
        Tensor("Q", (j, j1), "parameter"),
        Tensor("R", (l, j, k), "parameter"),
        Tensor("T", (i, j, k), "parameter"),
        Tensor("b", (k,), "parameter"),
        Tensor("c", (j,), "parameter"),
        Tensor("s", (n,), "input"),
        Tensor("e", (), "input"),
        Tensor("t", (n,), "label", (CountsClasses(k.axis),)),
        Tensor("L", (), "loss"),
    )
    total = Equation("L", (), expression(product(1, (n, k), (Element("G", n, k),))))
    return Network("matrices", tensors, (total,), "L")


NETWORK = tensors_and_loss()
POINT = random_point(NETWORK, 4, SIZES)


# --- the value of a node, by NumPy ------------------------------------------------------------


def value(node: Node, letters: Mapping[str, Array], point: Point = POINT) -> Array:
    """A matrix of `extent(row)` by `extent(col)` entries."""
    found = np.asarray(raw(node, letters, point), dtype=float)
    shape = (extent(node.row), extent(node.col))
    assert found.shape == shape, f"{node}: {found.shape} is not {shape}"
    return found


def extent(of: Index | None) -> int:
    return 1 if of is None else SIZES[of.axis.extent]


def raw(node: Node, letters: Mapping[str, Array], point: Point) -> Array:
    def inner(part: Node) -> Array:
        return value(part, letters, point)

    match node:
        case Leaf():
            name = node.tensor + "".join(str(label) for label in node.labels)
            return letters[name].T if node.transposed else letters[name]
        case Map():
            function = NETWORK.functions[node.function]
            return np.asarray(apply(function, node.order, inner(node.inner), point))
        case OneHot():
            return letters[f"1{node.tensor}"].T if node.transposed else letters[f"1{node.tensor}"]
        case Ones():
            return np.ones((extent(node.row), extent(node.col)))
        case Identity():
            return np.eye(extent(node.row))
        case Constant():
            return np.full((extent(node.row), extent(node.col)), number(node.value))
        case Diag():
            return np.diag(inner(node.inner).ravel())
        case MatMul():
            return reduce(np.matmul, map(inner, node.parts))
        case Hadamard():
            return reduce(np.multiply, map(inner, node.parts))
        case Divide():
            return inner(node.numerator) / inner(node.denominator)
        case Power():
            return inner(node.inner) ** node.exponent
        case Scale():
            return number(node.coefficient) * inner(node.inner)
        case Sum():
            return reduce(np.add, map(inner, node.parts))
    raise AssertionError(node)


def number(expr: Expr) -> float:
    return float(expr.subs(SIZES))


def natural() -> dict[str, Array]:
    """Arrays as letters mean them: one axis is a row, or a column where it runs over samples."""
    found: dict[str, Array] = {}
    for tensor in NETWORK.tensors:
        array = np.asarray(POINT.values[tensor.name], dtype=float)
        if len(tensor.indices) == 1:
            array = array[:, None] if tensor.axes[0].role == "sample" else array[None, :]
        found[tensor.name] = array.reshape(1, 1) if array.ndim == 0 else array
    found["1t"] = np.eye(SIZES[size("K")])[POINT.values["t"]]
    for layer in range(SIZES[size("D")]):
        found[f"R{layer}"] = POINT.values["R"][layer]
    return found


LETTERS = natural()
TURNED = {name: array.T for name, array in LETTERS.items()}


def as_matrix(whole: Expression, indices: tuple[Index, ...]) -> Array:
    array = evaluate(whole, indices, POINT)
    if len(indices) == 1:
        return array[:, None] if indices[0].axis.role == "sample" else array[None, :]
    return array.reshape(1, 1) if array.ndim == 0 else array


# --- random expressions -----------------------------------------------------------------------


def atoms(source: random.Random) -> list[Expr]:
    row = source.choice((n, n, n1))
    left, right = source.choice(((j, j1), (j1, j))), source.choice((k, k, k1))
    X, H, G = Element("X", row, i), Element("H", row, left[0]), Element("G", row, right)
    B, Q = Element("B", left[0], right), Element("Q", *left)
    return [
        X,
        H,
        G,
        Element("A", i, left[0]),
        B,
        B,
        Q,
        Element("Q", left[0], left[0]),
        Element("b", right),
        Element("c", left[0]),
        Element("s", row),
        Element("e"),
        G**2,
        1 / G,
        H - 1,
        1 - 2 * H,
        Applied("sigmoid", 0, G),
        Applied("tanh", 1, H),
        Applied("tanh", 0, Element("c", left[0])),
        Element("s", row) ** -1,
        Delta(k, k1),
        Delta(j, j1),
        Delta(right, Element("t", row)),
        Element("R", S.One, left[0], right),
        G - Element("G", row, right) ** 2,
        G * Applied("sigmoid", 1, G) + G,
    ]


def sample(seed: int) -> tuple[Expression, tuple[Index, ...]]:
    source = random.Random(seed)
    free = source.choice(((n, k), (n, j), (j, k), (i, j), (n,), (k,), (k, k1), (j1, j), ()))
    terms = []
    for _ in range(source.randint(1, 3)):
        factors = [source.choice(atoms(source)) for _ in range(source.randint(1, 4))]
        used = sorted({x for f in factors for x in f.atoms(Index)} - {*free}, key=lambda x: x.name)
        scale = Rational(source.choice((1, -1, 2)), source.choice((1, 3))) / source.choice(
            (S.One, size("N"))
        )
        terms.append(product(scale, used, factors))
    return expression(*terms), free


@given(SEEDS)
@RANDOM
def test_reading_has_the_value_of_the_expression(seed: int) -> None:
    whole, free = sample(seed)
    node = matrix_form(whole, free, NETWORK)
    if node is not None:
        np.testing.assert_allclose(
            value(node, LETTERS), as_matrix(whole, free), rtol=1e-9, atol=1e-9
        )


@given(SEEDS)
@RANDOM
def test_transposing_and_columns_keep_the_value(seed: int) -> None:
    whole, free = sample(seed)
    node = matrix_form(whole, free, NETWORK)
    if node is not None:
        plain = value(node, LETTERS)
        np.testing.assert_allclose(value(transpose(node), LETTERS), plain.T)
        assert transpose(transpose(node)) == node
        np.testing.assert_allclose(value(in_columns(node), TURNED), plain.T)
        np.testing.assert_allclose(value(letters_turned(node), TURNED), plain)


@pytest.mark.slow
@given(SEEDS)
@settings(max_examples=60, deadline=None)
def test_sympy_form_has_the_shape_and_the_value(seed: int) -> None:
    whole, free = sample(seed)
    node = matrix_form(whole, free, NETWORK)
    if node is None or any(isinstance(part, Map) for part in walk(node)):
        return
    form = to_sympy(node, SIZES)
    values = {}
    for symbol in form.atoms(MatrixSymbol):
        name = symbol.name.replace("onehot_", "1").replace("[1]", "1")
        values[symbol] = ImmutableMatrix(LETTERS[name].tolist())
    explicit = form.subs(values).doit().as_explicit()
    np.testing.assert_allclose(
        np.array(explicit.tolist(), dtype=float), value(node, LETTERS), rtol=1e-9, atol=1e-9
    )


def walk(node: Node) -> Iterator[Node]:
    yield node
    for field in fields(node):
        part = getattr(node, field.name)
        for child in part if isinstance(part, tuple) else (part,):
            if isinstance(child, Node):
                yield from walk(child)


def test_random_expressions_reach_every_kind_of_node() -> None:
    seen: Counter[str] = Counter()
    unread = 0
    for seed in range(1500):
        node = matrix_form(*sample(seed), NETWORK)
        unread += node is None
        for part in walk(node) if node is not None else ():
            seen[type(part).__name__] += 1
    kinds = {kind.__name__ for kind in vars(matrixform).values() if is_node(kind)}
    assert kinds - set(seen) == set()
    assert unread < 1200


def is_node(kind: object) -> bool:
    return isinstance(kind, type) and issubclass(kind, Node) and kind is not Node


# --- forms by hand ----------------------------------------------------------------------------


def form(indices: tuple[Index, ...], *factors: Expr, bound: tuple[Index, ...] = ()) -> str:
    whole = expression(product(1, bound, factors))
    node = matrix_form(whole, indices, NETWORK)
    return "none" if node is None else str(to_sympy(node, {}))


H, G, B = Element("H", n, j), Element("G", n, k), Element("B", j, k)


@pytest.mark.parametrize(
    ("indices", "factors", "bound", "expected"),
    [
        ((n, k), (H, B), (j,), "H*B"),
        ((n, j), (G, B), (k,), "G*B.T"),
        ((j, k), (H, G), (n,), "H.T*G"),
        ((k,), (G,), (n,), "1*G"),
        ((n,), (G,), (k,), "G*1"),
        ((j, k), (Element("c", j), Element("b", k)), (), "c.T*b"),
        ((n, k), (G, Element("b", k)), (), "HadamardProduct(G, 1*b)"),
        ((n, k), (G, Element("s", n)), (), "HadamardProduct(G, s*1)"),
        ((j, k), (B, Element("c", j)), (), "DiagMatrix(c.T)*B"),
        ((n, n1), (G, Element("G", n1, k)), (k,), "G*G.T"),
        ((k, k1), (Delta(k, k1),), (), "I"),
        ((k, k1), (Delta(k, k1), Element("b", k)), (), "DiagMatrix(b.T)"),
        ((n, k), (Delta(k, Element("t", n)),), (), "onehot_t"),
        ((j, k), (H, Element("s", n), G), (n,), "H.T*DiagMatrix(s)*G"),
        ((n, k), (G**2,), (), "HadamardPower(G, 2)"),
        ((), (Element("b", k), Element("b", k)), (k,), "HadamardPower(b, 2)*1"),
        ((j, k), (Element("R", l, j, k),), (), "R[l]"),
        ((j, k), (Element("T", i, j, k),), (i,), "none"),
        ((i, j, k), (Element("T", i, j, k),), (), "none"),
        ((n, k), (Element("H", n, j + 1), B), (j,), "none"),
        ((n, j), (H, Guard(j + 1, 0, size("J"))), (), "none"),
    ],
)
def test_forms_as_one_writes_them(
    indices: tuple[Index, ...], factors: tuple[Expr, ...], bound: tuple[Index, ...], expected: str
) -> None:
    assert form(indices, *factors, bound=bound) == expected


def test_one_matrix_beside_its_transpose_is_told_apart() -> None:
    assert form((j, j1), Element("Q", j, j1)) == "Q"
    assert form((j, j1), Element("Q", j1, j)) == "Q.T"
    assert free_indices(expression(product(1, (), (Element("Q", j1, j),)))) == (j, j1)


def test_nothing_is_zero() -> None:
    node = matrix_form(Expression(), (n, k), NETWORK)
    assert isinstance(node, Constant)
    assert not value(node, LETTERS).any()
