"""The index calculus: nothing is captured, contraction and canonical form keep the value."""

from __future__ import annotations

import itertools
import pickle
import random
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sympy import Expr, Integer, Rational, S

from symbackprop.calculus.canonical import canonical
from symbackprop.calculus.terms import (
    Applied,
    Axis,
    Delta,
    Element,
    Expression,
    Guard,
    Index,
    Partial,
    Term,
    all_fresh,
    contract,
    contracted,
    elements_in,
    expression,
    free_indices,
    fresh,
    map_factors,
    multiply,
    product,
    rename_apart,
    replace_factor,
    single,
    solve_affine,
    substitute,
    text,
)
from symbackprop.derivation.evaluate import Point, evaluate
from symbackprop.networks.network import Equation, Network, Tensor
from tests.random_terms import POINT, Pool, random_sample, renamed
from tests.sample_networks import index, size

SEEDS = st.integers(0, 10**6)
POOLS: st.SearchStrategy[Pool] = st.sampled_from(["any", "pointwise", "summed"])
RANDOM = settings(max_examples=40, deadline=None)

i, j, k, l = (index(letter, "K") for letter in "ijkl")
n = index("n", "N", "sample")
m, u, o = index("m", "X"), index("u", "U"), index("o", "O")
a = Tensor("a", (i,), "input")
A, B = Tensor("A", (i, j), "input"), Tensor("B", (i, j), "input")


def term(coefficient: Expr | int, bound: tuple[Index, ...], *factors: Expr) -> Term:
    made = product(coefficient, bound, factors)
    assert made is not None
    return made


# --- names ------------------------------------------------------------------------------------


def test_indices_are_equal_by_name_and_axis() -> None:
    assert Index("k", Axis("K", size("K"))) == k
    assert Index("k", Axis("K", size("N"))) != k
    assert Index("k", Axis("K", size("K"), start=1)) != k
    assert pickle.loads(pickle.dumps(k)) == k


def test_fresh_names_count_up_from_the_letter() -> None:
    assert fresh(k, {"n"}) == k
    assert [fresh(k, taken).name for taken in ({"k"}, {"k", "k1"})] == ["k1", "k2"]
    assert fresh(Index("k1", k.axis), {"k1", "k2"}).name == "k3"


def test_fresh_ragged_indices_follow_the_layer_they_read() -> None:
    layer = index("l", "D", "layer", start=1)
    width = Index("q", Axis("q", Element("c", layer)))
    moved, ragged = all_fresh((layer, width), {"l"})
    assert moved.name == "l1"
    assert ragged.axis.extent == Element("c", moved)
    moved, first, ragged = all_fresh((layer, Index("l1", layer.axis), width), {"l"})
    assert (moved.name, first.name) == ("l1", "l2")
    assert ragged.axis.extent == Element("c", moved)


def test_text_is_the_same_for_equal_content_in_another_order() -> None:
    assert text(a[i] + a[j]) == text(a[j] + a[i])
    assert text(Delta(i, j)) == text(Delta(j, i))
    assert text(A[i, j]) != text(A[j, i])


# --- atoms ------------------------------------------------------------------------------------


def test_delta_of_equal_sides_is_one_and_of_different_numbers_zero() -> None:
    assert Delta(k, k) == 1
    assert Delta(2, 3) == 0
    assert Delta(k + 1, k + 1) == 1
    assert isinstance(Delta(k, j), Delta)


def test_guard_is_decided_only_where_it_must_be_so() -> None:
    assert Guard(k, 0, size("K")) == 1
    assert isinstance(Guard(k + 1, 0, size("K")), Guard)
    assert isinstance(Guard(k, 0, size("N")), Guard)
    assert isinstance(Guard(k, 1, size("K")), Guard)
    assert Guard(Integer(2), 0, Integer(3)) == 1
    assert Guard(Integer(3), 0, Integer(3)) == 0
    assert Guard(Integer(-1), 0, size("K")) == 0


def test_derivative_of_an_applied_function_is_its_next_order_times_the_inner_one() -> None:
    x = a[i]
    assert Applied("tanh", 0, 2 * x).diff(x) == 2 * Applied("tanh", 1, 2 * x)
    assert Applied("tanh", 0, a[j]).diff(x) == 0
    assert x.diff(a[j]) == 0
    assert (x**2).diff(x) == 2 * x


def test_partial_knows_whether_it_is_total() -> None:
    assert Partial(a[i], a[j], total=True).total
    assert not Partial(a[i], a[j]).total


# --- products ---------------------------------------------------------------------------------


def test_product_collects_powers_numbers_and_sizes() -> None:
    made = term(2, (), a[i], 3 * a[i] / size("N"), a[j] ** -1, a[j])
    assert made == Term(6 / size("N"), (), (a[i] ** 2,))
    assert product(1, (), (a[i], S.Zero)) is None
    assert product(0, (), (a[i],)) is None
    assert term(1, (), 2 * a[i] - 2 * a[j]) == term(2, (), a[i] - a[j])


def test_product_keeps_deltas_idempotent() -> None:
    assert term(1, (), Delta(i, j), Delta(i, j)).factors == (Delta(i, j),)


def test_index_as_a_factor_is_no_coefficient() -> None:
    assert term(1, (), k, a[k]).coefficient == 1


def test_multiplying_renames_bound_names_apart() -> None:
    left, right = term(1, (j,), A[i, j]), term(1, (j,), B[j, i])
    both = multiply(left, right)
    assert both is not None
    assert len({index.name for index in both.bound}) == 2
    assert free_indices(both) == (i,)
    squared = multiply(left, left)
    assert squared is not None
    assert squared.factors != left.factors
    assert len(squared.bound) == 2


def test_multiplying_does_not_capture_a_free_index() -> None:
    free = term(1, (), a[j])
    for made in (multiply(free, term(1, (j,), A[i, j])), multiply(term(1, (j,), A[i, j]), free)):
        assert made is not None
        assert free_indices(made) == (i, j)
        assert made.bound[0].name not in ("i", "j")


def test_substitution_does_not_capture() -> None:
    row = term(1, (j,), A[i, j], a[j])
    moved = substitute(row, {i: j})
    assert moved is not None
    assert free_indices(moved) == (j,)
    assert moved.bound[0] != j
    assert [e.indices[0] for f in moved.factors for e in elements_in(f) if e.tensor == "A"] == [j]


def test_substitution_carries_into_ragged_extents() -> None:
    layer = index("l", "D", "layer", start=1)
    width = Index("q", Axis("q", Element("c", layer)))
    row = term(1, (width,), Element("R", layer, width))
    moved = substitute(row, {layer: layer + 1})
    assert moved is not None
    assert moved.bound[0].axis.extent == Element("c", layer + 1)
    assert moved.factors[0].indices[1].axis.extent == Element("c", layer + 1)


def test_substitution_can_make_a_term_vanish() -> None:
    assert substitute(term(1, (), Delta(i, 0), a[i]), {i: Integer(1)}) is None


def test_renaming_apart_leaves_what_does_not_clash() -> None:
    row = term(1, (j,), A[i, j])
    assert rename_apart(row, {"k"}) is row
    moved = rename_apart(row, {"j", "j1"})
    assert [index.name for index in moved.bound] == ["j2"]


def test_replacing_a_factor_shares_bound_names_but_not_its_own() -> None:
    row = term(1, (j,), A[i, j], a[j])
    place = row.factors.index(a[j])
    (made,) = replace_factor(row, place, expression(term(2, (i,), B[i, j])))
    assert made.coefficient == 2
    assert free_indices(made) == (i,)
    assert len({index.name for index in (*made.bound, *free_indices(made))}) == 3


def test_expressions_add_subtract_scale_and_multiply() -> None:
    one, two = single(a[i]), single(a[j])
    assert (one - one).terms != ()
    assert canonical(one - one).is_zero
    assert canonical((one + two) * (one - two)) == canonical(one * one - two * two)
    assert canonical(-(one.scaled(3))) == canonical(one.scaled(-3))
    assert map_factors(one, lambda factor: factor * 0).is_zero


# --- contraction ------------------------------------------------------------------------------


def test_delta_and_sum_leave_one_term() -> None:
    assert contract(term(1, (j,), Delta(j, l), A[n, j])) == term(1, (), A[n, l])


def test_delta_over_another_range_leaves_a_guard() -> None:
    found = contract(term(1, (m,), Delta(m, k), Element("x", m)))
    assert found == term(1, (), Guard(k, 0, size("X")), Element("x", k))


def test_delta_of_a_shift_is_solved_with_its_sign() -> None:
    found = contract(term(1, (m,), Delta(o - m, u), Element("x", m)))
    assert found is not None
    assert Element("x", o - u) in found.factors
    assert Guard(o - u, 0, size("X")) in found.factors


def test_delta_with_a_stride_is_never_solved_for_the_strided_index() -> None:
    strided = term(1, (o,), Delta(2 * o, m), Element("z", o))
    assert contract(strided) == strided
    assert solve_affine(2 * o, m, o) is None
    assert solve_affine(size("s") * o, m, o) is None
    assert solve_affine(o * u, m, o) is None
    assert solve_affine(m, 2 * o + u, u) == m - 2 * o
    assert solve_affine(3 - u, m, u) == 3 - m


def test_free_sum_counts_its_extent() -> None:
    assert contract(term(1, (j,), a[i])) == term(size("K"), (), a[i])


def test_free_delta_stays() -> None:
    assert contract(term(1, (), Delta(i, j), a[j])) == term(1, (), Delta(i, j), a[j])


def test_delta_that_picks_a_class_stays() -> None:
    picked = term(1, (k,), Delta(k, Element("t", n)), Element("z", n, k))
    assert contract(picked) == picked


def test_contradicting_deltas_give_zero() -> None:
    assert contract(term(1, (j,), Delta(j, 0), Delta(j, 1))) is None


@given(SEEDS, POOLS)
@RANDOM
def test_contraction_keeps_the_value_exactly(seed: int, pool: Pool) -> None:
    sample = random_sample(seed, 2, pool)
    before = evaluate(sample.whole, sample.free, POINT)
    after = evaluate(contracted(sample.whole), sample.free, POINT)
    assert np.array_equal(before, after)


# --- canonical form ---------------------------------------------------------------------------


@given(SEEDS, POOLS)
@RANDOM
def test_canonical_form_keeps_the_value_exactly(seed: int, pool: Pool) -> None:
    sample = random_sample(seed, 2, pool)
    before = evaluate(sample.whole, sample.free, POINT)
    after = evaluate(canonical(sample.whole), sample.free, POINT)
    assert np.array_equal(before, after)


@given(SEEDS, POOLS)
@RANDOM
def test_canonical_form_ignores_names_and_order(seed: int, pool: Pool) -> None:
    sample, source = random_sample(seed, 3, pool), random.Random(seed)
    other = [renamed(piece, source) for piece in sample.whole.terms]
    shuffled = expression(*source.sample(other, len(other)))
    assert canonical(shuffled) == canonical(sample.whole)
    assert canonical(sample.whole - shuffled).is_zero


def test_which_index_a_delta_removes_does_not_depend_on_names() -> None:
    """Either could go: m reads s o + u, or u reads m - s o."""
    taps = [Index(letter, u.axis) for letter in "uz"]
    wholes = [
        expression(term(1, order, Delta(2 * o + tap, m)))
        for tap in taps
        for order in itertools.permutations((m, tap, o))
    ]
    assert len({canonical(whole) for whole in wholes}) == 1


@given(SEEDS, POOLS)
@RANDOM
def test_canonical_form_is_its_own(seed: int, pool: Pool) -> None:
    once = canonical(random_sample(seed, 2, pool).whole)
    assert canonical(once) == once


@given(SEEDS)
@RANDOM
def test_canonical_form_expands_products_of_sums(seed: int) -> None:
    one, two, three = (random_sample(seed + s, 1, "pointwise").whole for s in range(3))
    assert canonical((one + two) * three) == canonical(one * three + two * three)


@pytest.mark.parametrize("order", list(itertools.permutations(range(4))))
def test_ties_among_indices_do_not_depend_on_order(order: tuple[int, ...]) -> None:
    """A ring of four: every index looks the same from inside; so do two rings of two, apart."""
    names = [Index(letter, k.axis) for letter in "abcd"]
    ring = [names[place] for place in order]
    whole = term(
        1, tuple(names), *(A[x, y] for x, y in zip(ring, ring[1:] + ring[:1], strict=True))
    )
    plain = term(1, (i, j, k, l), A[i, j], A[j, k], A[k, l], A[l, i])
    assert canonical(expression(whole)) == canonical(expression(plain))
    pairs = term(1, (i, j, k, l), A[i, j], A[j, i], A[k, l], A[l, k])
    assert canonical(expression(whole)) != canonical(expression(pairs))


SYMMETRIC: dict[str, tuple[int, list[tuple[int, int]]]] = {
    "the trace of an eighth power": (8, [(m, (m + 1) % 8) for m in range(8)]),
    "three traces of a square": (6, [(0, 1), (1, 0), (2, 3), (3, 2), (4, 5), (5, 4)]),
    "twelve factors alike": (12, [(m, m) for m in range(12)]),
    "each of six with each": (6, list(itertools.permutations(range(6), 2))),
}


def graph(names: Sequence[Index], edges: Sequence[tuple[int, int]]) -> Expression:
    """The sum over all names of the product of A[x,y] over the edges."""
    return expression(term(1, tuple(names), *(A[names[x], names[y]] for x, y in edges)))


@pytest.mark.parametrize("name", SYMMETRIC)
def test_large_symmetric_terms_are_equal_under_any_names(name: str) -> None:
    count, edges = SYMMETRIC[name]
    names, source = [Index(f"a{place}", k.axis) for place in range(count)], random.Random(name)
    plain = canonical(graph(names, edges))
    assert all(canonical(graph(source.sample(names, count), edges)) == plain for _ in range(3))


def test_a_hexagon_is_not_two_triangles() -> None:
    names = [Index(letter, k.axis) for letter in "abcdef"]
    hexagon = graph(names, [(0, 1), (1, 2), (2, 3), (3, 4), (4, 5), (5, 0)])
    triangles = graph(names, [(0, 1), (1, 2), (2, 0), (3, 4), (4, 5), (5, 3)])
    assert canonical(hexagon) != canonical(triangles)


def test_canonical_form_tells_a_transpose_from_the_matrix() -> None:
    assert canonical(single(A[i, j])) != canonical(single(A[j, i]))
    gram = expression(term(1, (k,), A[i, k], A[j, k]))
    other = expression(term(1, (k,), A[k, i], A[k, j]))
    assert canonical(gram) != canonical(other)


def test_canonical_form_reads_a_free_delta_both_ways() -> None:
    left = expression(term(1, (), Delta(i, j), a[i]))
    right = expression(term(1, (), Delta(i, j), a[j]))
    assert canonical(left) == canonical(right)


def test_canonical_form_orders_denominators() -> None:
    left = expression(term(1, (), (1 - a[i]) ** -1))
    right = expression(term(-1, (), (a[i] - 1) ** -1))
    assert canonical(left) == canonical(right)


def test_canonical_form_orders_denominators_of_bound_indices() -> None:
    """1/(a_i - a_j) = -1/(a_j - a_i), whichever name comes first."""
    gap = (a[i] - a[j]) ** -1
    one = expression(term(1, (i, j), A[i, j], gap))
    assert canonical(one) == canonical(expression(term(1, (i, j), A[j, i], (a[j] - a[i]) ** -1)))
    assert canonical(one) == canonical(expression(term(-1, (i, j), A[j, i], gap)))
    assert canonical(one) != canonical(expression(term(1, (i, j), A[j, i], gap)))
    squared = expression(term(1, (i, j), A[i, j], gap**2))
    assert canonical(squared) == canonical(expression(term(1, (i, j), A[j, i], gap**2)))


@pytest.mark.parametrize("powers", [(-1, -2, 0), (-1, -1, -2), (-1, -2, -3)])
def test_denominators_alone_tell_bound_indices_apart(powers: tuple[int, ...]) -> None:
    found = set()
    for x, y, z in itertools.permutations((i, j, k)):
        gaps = zip((a[x] - a[y], a[y] - a[z], a[z] - a[x]), powers, strict=True)
        found.add(canonical(expression(term(1, (x, y, z), *(gap**e for gap, e in gaps)))))
    assert len(found) == 1


def test_canonical_denominators_are_their_own() -> None:
    for whole in (a[i] * a[j] - a[k] * a[l], 1 - a[i], a[i] - a[j], a[i] - a[j] - 1):
        once = canonical(single(whole**-1))
        assert canonical(once) == once
        assert canonical(-single((-whole) ** -1)) == once


def test_a_root_keeps_its_sign() -> None:
    """(a - 1)^(1/2) is real where a > 1; i (1 - a)^(1/2) has two values there."""
    root = single((a[i] - 1) ** Rational(1, 2))
    assert canonical(root) == root


# --- the interpreter, by hand -----------------------------------------------------------------


def small_point() -> Point:
    tensors = (
        Tensor("c", (index("l", "D", "layer"),), "label"),
        Tensor("x", (m,), "input"),
        Tensor("A", (i, j), "input"),
        Tensor("L", (), "loss"),
    )
    total = Equation("L", (), expression(term(1, (m,), Element("x", m))))
    network = Network("small", tensors, (total,), "L")
    values = {
        "c": np.array([2, 3]),
        "x": np.array([1.0, 10.0, 100.0]),
        "A": np.array([[1.0, 2.0], [3.0, 4.0]]),
    }
    return Point(network, values, {size("X"): 3, size("K"): 2, size("D"): 2, size("U"): 2})


def test_interpreter_reads_zero_outside_and_masks_ragged_rows() -> None:
    point = small_point()
    shifted = evaluate(single(Element("x", m - 1)), (m,), point)
    assert shifted.tolist() == [0.0, 1.0, 10.0]
    summed = evaluate(expression(term(1, (u,), Element("x", m + u))), (m,), point)
    assert summed.tolist() == [11.0, 110.0, 100.0]
    layer = index("l", "D", "layer")
    ragged = Index("q", Axis("q", Element("c", layer)))
    ones = evaluate(expression(term(1, (), S.One)), (layer, ragged), point)
    assert ones.tolist() == [[1.0, 1.0, 0.0], [1.0, 1.0, 1.0]]
    counted = evaluate(expression(term(1, (ragged,), Element("x", ragged))), (layer,), point)
    assert counted.tolist() == [11.0, 111.0]


def test_interpreter_multiplies_matrices() -> None:
    square = expression(term(Rational(1, 2), (k,), A[i, k], A[k, j]))
    assert evaluate(square, (i, j), small_point()).tolist() == [[3.5, 5.0], [7.5, 11.0]]
    assert evaluate(square, (j, i), small_point()).tolist() == [[3.5, 7.5], [5.0, 11.0]]
    delta = single(Delta(i, j + 1))
    assert evaluate(delta, (i, j), small_point()).tolist() == [[0.0, 0.0], [1.0, 0.0]]
    assert evaluate(Expression(), (i,), small_point()).tolist() == [0.0, 0.0]
