"""Verdicts: what is proved, what is refuted with a witness, what stays open."""

from __future__ import annotations

import random
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sympy import Expr, Integer, Symbol

from symbackprop.calculus.terms import (
    Applied,
    Axis,
    Delta,
    Element,
    Expression,
    Index,
    Partial,
    Term,
    expression,
    product,
    rename_apart,
)
from symbackprop.derivation.equality import Definitions, equal
from symbackprop.derivation.evaluate import evaluate, random_point
from symbackprop.derivation.normalform import Algebra
from symbackprop.derivation.steps import Sweep
from symbackprop.derivation.sweep import sweep
from symbackprop.networks.layers.architecture import Architecture, Layer
from symbackprop.networks.layers.multilayer import build
from symbackprop.networks.network import Network
from symbackprop.proving.formvalue import value_of
from symbackprop.verdict import Equal, Undecided, Unequal, Verdict


def network(activations: str, loss: str = "squared_error", labels: str = "one_hot") -> Network:
    layers = tuple(Layer(3 + place, name) for place, name in enumerate(activations.split()))
    return build(Architecture("t", 2, layers, loss, "mean", False, labels)).network


NET = network("sigmoid tanh softmax", "cross_entropy")
N_AXIS, D0, D1, D3 = (
    NET.tensor("x").axes[0],
    NET.tensor("x").axes[1],
    NET.tensor("z1").axes[1],
    NET.tensor("y").axes[1],
)
n, i, j, k, q = (
    Index("n", N_AXIS),
    Index("i", D0),
    Index("j", D1),
    Index("k", D3),
    Index("q", D3),
)
X, Z1, H1, Z3, P, Y = (
    Element("x", n, i),
    Element("z1", n, j),
    Element("h1", n, j),
    Element("z3", n, k),
    Element("yhat", n, k),
    Element("y", n, k),
)


def f(name: str, argument: Expr, order: int = 0) -> Expr:
    return Applied(name, order, argument)


def one(*factors: Expr | int, over: tuple[Index, ...] = ()) -> Expression:
    coefficient = Integer(1)
    kept: list[Expr] = []
    for factor in factors:
        if isinstance(factor, int):
            coefficient = coefficient * factor
        else:
            kept.append(factor)
    return expression(product(coefficient, over, kept))


def is_proved(verdict: Verdict) -> bool:
    return isinstance(verdict, Equal) and verdict.method == "proved"


RIGHT_AND_WRONG: list[tuple[str, Expression, Expression, Expression]] = [
    (
        "slope of the sigmoid",
        one(f("sigmoid", Z1, 1)),
        one(f("sigmoid", Z1), 1 - f("sigmoid", Z1)),
        one(f("sigmoid", Z1), 1 + f("sigmoid", Z1)),
    ),
    ("sigmoid by its name", one(f("sigmoid", Z1, 1)), one(H1, 1 - H1), one(Z1, 1 - Z1)),
    (
        "slope of tanh",
        one(f("tanh", Z1, 1)),
        one(1) - one(f("tanh", Z1) ** 2),
        one(1) + one(f("tanh", Z1) ** 2),
    ),
    (
        "sech squared in exponentials",
        one(4, (f("exp", Z1) + f("exp", -Z1)) ** -2),
        one(1) - one(f("tanh", Z1) ** 2),
        one(2, (f("exp", Z1) + f("exp", -Z1)) ** -2),
    ),
    (
        "slope of softplus",
        one(f("softplus", Z1, 1)),
        one(f("sigmoid", Z1)),
        one(f("sigmoid", -Z1)),
    ),
    ("logarithm of softmax", one(f("log", P)), one(Z3) - one(f("log", Element("s3", n))), one(Z3)),
    ("softmax sums to one", one(P, over=(k,)), one(1), one(P)),
    (
        "rows of labels sum to one",
        one(P, Y.xreplace({k: q}), over=(q,)),
        one(P),
        one(P, Y),
    ),
    ("relu of itself", one(f("relu", Z1) ** 2), one(f("relu", Z1), Z1), one(Z1, Z1)),
    (
        "both ends of relu",
        one(f("relu", Z1)) - one(f("relu", -Z1)),
        one(Z1),
        one(f("relu", Z1)) + one(f("relu", -Z1)),
    ),
    ("softplus both ways", one(f("softplus", Z1)) - one(f("softplus", -Z1)), one(Z1), one(-1, Z1)),
    (
        "a delta of free indices",
        one(Delta(k, q), P),
        one(Delta(k, q), P.xreplace({k: q})),
        one(P.xreplace({k: q})),
    ),
    (
        "1 - sigmoid",
        one(1 - f("sigmoid", Z1)),
        one(f("sigmoid", -Z1)),
        one(f("sigmoid", Z1)),
    ),
    (
        "through the layer",
        one(X, Element("W1", i, j), over=(i,)) + one(Element("b1", j)),
        one(Z1),
        one(X, Element("W1", i, j), over=(i,)),
    ),
]


@pytest.mark.parametrize(
    ("left", "right", "wrong"),
    [case[1:] for case in RIGHT_AND_WRONG],
    ids=[case[0] for case in RIGHT_AND_WRONG],
)
def test_an_identity_is_proved_and_its_nearest_wrong_one_refuted(
    left: Expression, right: Expression, wrong: Expression
) -> None:
    indices = (n, i, j, k, q)
    assert is_proved(equal(left, right, indices, NET))
    refuted = equal(left, wrong, indices, NET)
    assert isinstance(refuted, Unequal)
    assert refuted.witness.left != refuted.witness.right


def test_a_fact_that_was_used_is_named_and_can_be_withheld() -> None:
    left, right = one(P, Y.xreplace({k: q}), over=(q,)), one(P)
    verdict = equal(left, right, (n, k), NET)
    assert verdict == Equal("proved", ("rows of y sum to 1",), "normal form")
    assert not is_proved(equal(left, right, (n, k), NET, use_facts=False))
    free = network("sigmoid tanh softmax", "cross_entropy", "any")
    assert isinstance(equal(left, right, (n, k), free), Unequal)


def test_slope_of_relu_from_either_side() -> None:
    left = one(f("relu", Z1, 1))
    assert is_proved(equal(left, one(f("relu", Z1, 1) ** 2), (n, j), NET))
    assert isinstance(equal(left, one(1) - left, (n, j), NET), Unequal)
    flipped = one(1) - one(f("relu", -Z1, 1))
    verdict = equal(left, flipped, (n, j), NET)
    assert isinstance(verdict, Equal)
    assert verdict.facts == () or "nowhere exactly 0" in verdict.facts[0]
    assert verdict.facts


def test_an_identity_without_a_proof_is_never_unequal() -> None:
    left = one(f("tanh", 2 * Z1), 1 + f("tanh", Z1) ** 2)
    verdict = equal(left, one(2, f("tanh", Z1)), (n, j), NET)
    assert isinstance(verdict, Equal)


def test_an_index_that_stands_on_one_side_only_is_undecided() -> None:
    assert isinstance(equal(one(P), one(1), (n,), NET), Undecided)


def test_what_cannot_be_evaluated_is_undecided() -> None:
    gone = expression(Term(Integer(1), (), (Symbol("unknown") ** Symbol("n"), Z1)))
    assert not isinstance(equal(gone, one(Z1), (n, j), NET), Unequal)


def definitions(swept: Sweep) -> Definitions:
    return {
        swept.network.adjoint_name(name): (d.indices, d.result)
        for name, d in swept.derivations.items()
    }


@pytest.mark.slow
@pytest.mark.parametrize(
    ("activations", "loss", "labels"),
    [
        ("sigmoid tanh softmax", "cross_entropy", "one_hot"),
        ("relu softplus softmax", "cross_entropy", "integer"),
        ("leaky_relu sigmoid", "binary_cross_entropy", "any"),
        ("softmax tanh identity", "squared_error", "any"),
    ],
)
def test_every_step_of_a_sweep_is_proved_and_never_with_a_sign_more(
    activations: str, loss: str, labels: str
) -> None:
    swept = sweep(network(activations, loss, labels))
    known = definitions(swept)
    for derivation in swept.derivations.values():
        for step in derivation.steps:
            if any(f.has(Partial) for t in step.before.terms for f in t.factors):
                continue
            arguments = (derivation.indices, swept.extended, known)
            assert is_proved(equal(step.before, step.after, *arguments)), step
            if step is derivation.steps[-1]:
                assert not isinstance(equal(step.before, -step.after, *arguments), Equal)


# --------------------------------------------------------------------------------------------
# Random expressions
# --------------------------------------------------------------------------------------------

FACTORS: tuple[Expr, ...] = (
    X,
    Z1,
    H1,
    P,
    Y,
    1 - H1,
    Element("W1", i, j),
    f("exp", Z1),
    f("tanh", Z1),
    f("relu", X),
    (1 + f("exp", Z1)) ** -1,
    Element("s3", n) ** -1,
    f("log", P),
    Delta(k, q),
    Element("yhat", n, q),
)

terms = st.builds(
    lambda scale, factors, bound: product(scale, bound, factors),
    st.integers(1, 5),
    st.lists(st.sampled_from(FACTORS), min_size=1, max_size=4),
    st.sets(st.sampled_from((i, j, k, q))).map(lambda s: tuple(sorted(s, key=lambda x: x.name))),
)
expressions = st.lists(terms, min_size=1, max_size=3).map(lambda t: expression(*t))


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(expressions, st.integers(0, 999))
def test_renaming_and_reordering_stay_proved(whole: Expression, seed: int) -> None:
    source = random.Random(seed)
    changed = []
    for term in whole.terms:
        renamed = rename_apart(term, {index.name for index in term.bound})
        bound, factors = list(renamed.bound), list(renamed.factors)
        source.shuffle(bound)
        source.shuffle(factors)
        changed.append(replace(renamed, bound=tuple(bound), factors=tuple(factors)))
    source.shuffle(changed)
    algebra = Algebra(NET, {"z1", "z2", "z3"})
    assert algebra.read(Expression(tuple(changed))) == algebra.read(whole)
    assert is_proved(equal(whole, Expression(tuple(changed)), (n, i, j, k, q), NET))


@settings(max_examples=60, deadline=None)
@given(expressions)
def test_the_normal_form_has_the_value_of_the_expression(whole: Expression) -> None:
    point = random_point(NET, 5)
    indices = (n, i, j, k, q)
    algebra = Algebra(NET, {"z1", "z2", "z3"}, facts=True)
    form = algebra.read(whole)
    sizes = {symbol.name: size for symbol, size in point.sizes.items()}
    found = value_of(form, [algebra.index(index) for index in indices], point.values, sizes)
    np.testing.assert_allclose(found, evaluate(whole, indices, point), rtol=1e-9, atol=1e-9)


def test_strided_reads_compare_by_position() -> None:
    axis, wide = Axis("u", Symbol("U", integer=True, positive=True)), Axis("p", Integer(7))
    u, p = Index("u", axis), Index("p", wide)
    algebra = Algebra(NET)
    one_way = expression(product(1, (u,), (Delta(2 * u, p), Element("x", u, p))))
    other = expression(product(1, (u,), (Delta(p, 2 * u), Element("x", u, p))))
    assert algebra.read(one_way) == algebra.read(other)
    halved = expression(product(1, (), (Element("x", p / 2, p),)))
    assert algebra.read(one_way) != algebra.read(halved)
