"""Every rule keeps the value, exactly, on random terms; and does what its name says."""

from __future__ import annotations

import dataclasses
import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sympy import Integer

from symbackprop.calculus.canonical import canonical
from symbackprop.calculus.scalars import FUNCTIONS
from symbackprop.calculus.terms import (
    Applied,
    Delta,
    Element,
    Expression,
    Guard,
    Index,
    Partial,
    expression,
    free_indices,
    product,
    single,
)
from symbackprop.derivation import rules
from symbackprop.derivation.evaluate import evaluate, jacobian, random_point
from symbackprop.derivation.rules import (
    CANCEL,
    CONTRACT,
    NAME_DEFINITIONS,
    TAKE_DERIVATIVES,
    THROUGH_OUTPUT,
    USE_LABEL_SUMS,
    Rule,
    cancel_pointwise,
    drop_guards,
    factor_derivative,
    local_derivative,
    merge_like_terms,
    name_definitions,
    orient_differences,
    size,
    take_derivatives,
    through_output,
    unify,
    use_label_sums,
)
from symbackprop.networks.network import Network, SumsToOne
from tests import faults
from tests import sample_networks as networks
from tests.places import ROOT
from tests.random_terms import (
    CLASSES,
    OUTPUT,
    PLACES,
    POINT,
    SAMPLES,
    SIZES,
    TAP,
    ZOO,
    Pool,
    random_sample,
)
from tests.sample_networks import CASES, Case

SEEDS = st.integers(0, 10**6)
POOLS: st.SearchStrategy[Pool] = st.sampled_from(["any", "pointwise", "summed"])
RANDOM = settings(max_examples=40, deadline=None)
TIDYING = (
    Rule("drop guards", "", drop_guards),
    Rule("orient", "", orient_differences),
    Rule("merge", "", merge_like_terms),
)
RULES = (CONTRACT, NAME_DEFINITIONS, USE_LABEL_SUMS, THROUGH_OUTPUT, CANCEL, *TIDYING)

(n, n1), (k, k1, k2), m = SAMPLES, CLASSES, PLACES[0]
z, yhat, h, y = (Element(name, n, k) for name in ("z", "yhat", "h", "y"))
s = Element("s", n)
exp_z = Applied("exp", 0, z)


def value(whole: Expression, free: tuple[Index, ...] = (n, k)) -> np.ndarray:
    return evaluate(whole, free, POINT)


def check_rule(rule: Rule, whole: Expression, free: tuple[Index, ...]) -> None:
    """The same value before and after, exactly; no index appears or is lost."""
    after = rule.rewrite(whole, ZOO)
    assert set(free_indices(after)) <= set(free)
    assert np.array_equal(evaluate(whole, free, POINT), evaluate(after, free, POINT))


def test_the_table_of_rules_is_complete() -> None:
    named = {rule for rule in vars(rules).values() if isinstance(rule, Rule)}
    assert named == {*RULES[:5], TAKE_DERIVATIVES}
    assert all(rule.name and rule.reason for rule in named)
    assert len({rule.name for rule in named}) == len(named)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
@given(seed=SEEDS, pool=POOLS)
@RANDOM
def test_rule_keeps_the_value_of_random_terms(rule: Rule, seed: int, pool: Pool) -> None:
    sample = random_sample(seed, 1 + seed % 3, pool)
    check_rule(rule, sample.whole, sample.free)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
@given(seed=SEEDS)
@RANDOM
def test_rule_keeps_the_value_of_fractions_that_cancel(rule: Rule, seed: int) -> None:
    check_rule(rule, fractions(seed), (n, k))


def fractions(seed: int) -> Expression:
    """(p/q) r + (p'/q') r' in entries at one place, with denominators that often cancel."""
    source = random.Random(seed)
    atoms = (y, yhat, h, 1 - h, 1 - yhat, h - y, yhat - 1, Applied("sigmoid", 1, z))
    pieces = []
    for _ in range(source.randint(2, 3)):
        above = [source.choice(atoms) for _ in range(source.randint(1, 3))]
        below = [source.choice((h, 1 - h)) ** -1 for _ in range(source.randint(0, 2))]
        pieces.append(product(source.choice((1, -1, 2)), (), (*above, *below)))
    return expression(*pieces)


# --- the derivative of one equation -----------------------------------------------------------


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_derivative_of_each_equation_equals_the_complex_step(case: Case) -> None:
    point = random_point(case.network, 3, case.sizes)
    for equation in case.network.equations:
        for name in sorted({t.name for t in case.network.tensors}):
            if equation not in case.network.readers[name]:
                continue
            tensor = case.network.tensor(name)
            entry = Element(name, *(Index(f"{i.name}9", i.axis) for i in tensor.indices))
            partial = expression(product(1, (), (Partial(equation.entry, entry),)))
            indices = (*equation.indices, *entry.indices)
            after = TAKE_DERIVATIVES.rewrite(partial, case.network)
            truth = jacobian(point, equation.target, name, total=False)
            for found in (after, CONTRACT.rewrite(after, case.network)):
                np.testing.assert_allclose(
                    evaluate(found, indices, point), truth, rtol=1e-12, atol=1e-12
                )


def test_derivative_reaches_every_place_that_reads_the_tensor() -> None:
    network = networks.tied().network
    equation = network.equation_of["z"]
    entry = Element("W", Index("a", networks.I.axis), Index("b", networks.K.axis))
    found = local_derivative(equation, equation.entry, entry, network)
    assert len(found.terms) == 1
    squares = network.equation_of["L"]
    z9 = Element("z", *(Index(f"{i.name}9", i.axis) for i in network.tensor("z").indices))
    (slope,) = local_derivative(squares, squares.entry, z9, network).terms
    assert slope.coefficient == 2


def test_same_index_names_on_both_sides_are_not_confused() -> None:
    """d z[n,k] / d h[n1,j]: reusing a left name would turn the delta into 1."""
    network = networks.shared().network
    equation = network.equation_of["z"]
    indices = network.tensor("h").indices
    entry = Element("h", *indices)
    taken = {i.name for i in indices}
    free = [i for i in equation.indices if i.name in taken]
    assert free
    partial = Partial(Element("z", *(Index(f"{i.name}8", i.axis) for i in equation.indices)), entry)
    after = take_derivatives(expression(product(1, (), (partial,))), network)
    (term,) = after.terms
    assert sum(isinstance(f, Delta) for f in term.factors) == 2


def test_elementary_functions_are_written_out_and_others_keep_their_prime() -> None:
    assert factor_derivative(Applied("log", 0, z), z, FUNCTIONS) == 1 / z
    assert factor_derivative(exp_z, z, FUNCTIONS) == exp_z
    assert factor_derivative(Applied("tanh", 0, z), z, FUNCTIONS) == Applied("tanh", 1, z)
    assert factor_derivative(Applied("log", 0, 1 - z), z, FUNCTIONS) == -1 / (1 - z)
    assert factor_derivative((z - y) ** 2, z, FUNCTIONS) - 2 * (z - y) == 0
    assert factor_derivative(z, z, FUNCTIONS) == 1


def test_terms_without_a_derivative_stay_as_they_are() -> None:
    entry = Element("z", n1, k1)
    mixed = expression(
        product(2, (), (Element("v", n, k),)), product(1, (), (Partial(h, entry), h))
    )
    after = take_derivatives(mixed, ZOO)
    assert after.terms[0] == mixed.terms[0]
    assert (
        after.terms[1:]
        == expression(
            product(1, (), (Applied("sigmoid", 1, z), Delta(n, n1), Delta(k, k1), h))
        ).terms
    )


# --- guards -----------------------------------------------------------------------------------


def guarded(*factors: object) -> Expression:
    return expression(product(1, (), factors))


def test_guard_is_dropped_only_beside_a_read_of_the_same_place_and_range() -> None:
    X, U = networks.size("X"), networks.size("U")
    place = m - 1
    read = Element("x", place)
    assert drop_guards(guarded(read, Guard(place, 0, X)), ZOO) == guarded(read)
    for other in (
        guarded(Element("x", m), Guard(place, 0, X)),
        guarded(read, Guard(place, 0, U)),
        guarded(read, Guard(place, 1, X)),
        guarded(Element("w", TAP), Guard(TAP, 0, X)),
        guarded(Applied("sigmoid", 0, read), Guard(place, 0, X)),
        guarded(1 - read, Guard(place, 0, X)),
    ):
        assert drop_guards(other, ZOO) == other
    squared = guarded(read**2, Guard(place, 0, X))
    assert drop_guards(squared, ZOO) == guarded(read**2)
    quotient = guarded(read**-1, Guard(place, 0, X))
    assert drop_guards(quotient, ZOO) == quotient


def test_strided_read_keeps_its_guard_where_it_counts() -> None:
    strided = networks.size("s") * OUTPUT + TAP
    whole = guarded(Element("w", TAP), Guard(strided, 0, networks.size("X")))
    assert drop_guards(whole, ZOO) == whole


# --- facts ------------------------------------------------------------------------------------


def test_quotient_gets_its_name() -> None:
    assert name_definitions(guarded(exp_z, s**-1), ZOO) == guarded(yhat)
    assert name_definitions(guarded(exp_z**2, s**-2), ZOO) == guarded(yhat**2)
    inverse = guarded(exp_z**-1, s)
    assert name_definitions(inverse, ZOO) == inverse
    assert name_definitions(guarded(exp_z**2, s**-1), ZOO) == guarded(yhat, exp_z)


def test_quotient_of_another_sample_has_no_name() -> None:
    other = guarded(exp_z, Element("s", n1) ** -1)
    assert name_definitions(other, ZOO) == other
    shifted = guarded(Applied("exp", 0, Element("z", n, k + 1)), s**-1)
    assert name_definitions(shifted, ZOO) == shifted


def test_quotient_without_the_fact_keeps_its_form() -> None:
    bare = without_facts(ZOO, "yhat")
    whole = guarded(exp_z, s**-1)
    assert name_definitions(whole, bare) == whole


def without_facts(network: Network, name: str) -> Network:
    return dataclasses.replace(
        network,
        tensors=tuple(
            dataclasses.replace(t, facts=()) if t.name == name else t for t in network.tensors
        ),
    )


def test_labels_sum_to_one_only_where_declared_and_along_their_axis() -> None:
    along = expression(product(1, (k,), (y, Element("b", k1))))
    assert use_label_sums(along, ZOO) == expression(product(1, (), (Element("b", k1),)))
    for whole, network in (
        (along, without_facts(ZOO, "y")),
        (expression(product(1, (n,), (y,))), ZOO),
        (expression(product(1, (k,), (y, h))), ZOO),
        (expression(product(1, (k,), (y**2,))), ZOO),
        (expression(product(1, (k,), (Element("v", n, k),))), ZOO),
    ):
        assert use_label_sums(whole, network) == whole
    assert ZOO.tensor("y").facts == (SumsToOne(-1),)


def test_picked_class_sums_to_one() -> None:
    picked = Delta(k, Element("t", n))
    whole = expression(product(1, (k,), (picked,)))
    assert use_label_sums(whole, ZOO) == expression(product(1, (), ()))
    bare = without_facts(ZOO, "t")
    assert use_label_sums(whole, bare) == whole
    elsewhere = expression(product(1, (m,), (Delta(m, Element("t", n)),)))
    assert use_label_sums(elsewhere, ZOO) == elsewhere


def test_slope_is_written_through_the_output_of_the_same_argument() -> None:
    slope = Applied("sigmoid", 1, z)
    assert through_output(single(slope), ZOO) == guarded(h, 1 - h)
    for other in (
        Applied("sigmoid", 1, Element("z", n, k + 1)),
        Applied("sigmoid", 1, Element("v", n, k)),
        Applied("tanh", 1, z),
        Applied("sigmoid", 2, z),
    ):
        assert through_output(single(other), ZOO) == single(other)
    assert through_output(single(Applied("sigmoid", 0, z)), ZOO) == single(h)


def test_unification_binds_each_variable_once_and_inside_its_axis() -> None:
    pattern = Element("W", k, k1)
    assert unify(pattern, Element("W", k2, k), (k, k1)) == {k: k2, k1: k}
    assert unify(Element("W", k, k), Element("W", k2, k1), (k,)) is None
    assert unify(pattern, Element("W", k2, k + 1), (k, k1)) is None
    assert unify(pattern, Element("B", k2, k), (k, k1)) is None
    assert unify(pattern, Element("W", m, k), (k, k1)) is None


# --- pointwise --------------------------------------------------------------------------------


def test_cross_entropy_of_a_sigmoid_cancels() -> None:
    whole = guarded(y, h**-1, h, 1 - h) - guarded(1 - y, (1 - h) ** -1, h, 1 - h)
    assert size(cancel_pointwise(whole, ZOO)) < size(whole)
    assert canonical(cancel_pointwise(whole, ZOO)) == canonical(guarded(y) - guarded(h))


def test_cancelling_leaves_deltas_and_sums_alone() -> None:
    jacobian_of_softmax = guarded(yhat, Delta(k, k1)) - guarded(yhat, Element("yhat", n, k1))
    assert cancel_pointwise(jacobian_of_softmax, ZOO) == jacobian_of_softmax
    summed = expression(product(1, (k,), (y,)), product(-1, (k,), (y,)))
    assert cancel_pointwise(summed, ZOO) == summed


def test_signs_follow_one_convention() -> None:
    assert orient_differences(guarded(h - 1), ZOO) == expression(product(-1, (), (1 - h,)))
    assert orient_differences(guarded(y - h), ZOO) == expression(product(-1, (), (h - y,)))
    kept = guarded(h - y, (1 - h) ** -1)
    assert orient_differences(kept, ZOO) == kept
    assert orient_differences(guarded((y - h) ** 2), ZOO) == guarded((h - y) ** 2)
    cubed = orient_differences(guarded((h - 1) ** -3), ZOO)
    assert cubed == expression(product(-1, (), ((1 - h) ** -3,)))


def test_like_terms_merge() -> None:
    assert merge_like_terms(guarded(h) + guarded(h), ZOO) == guarded(h).scaled(2)
    assert merge_like_terms(guarded(h) - guarded(h), ZOO).is_zero
    assert merge_like_terms(guarded(h) + guarded(y), ZOO) == guarded(h) + guarded(y)


def test_length_counts_letters() -> None:
    assert size(guarded(h)) == 2
    assert size(guarded(h, 1 - h)) == 4
    assert size(guarded(Applied("sigmoid", 1, z))) == 3
    assert size(Expression()) == 0
    assert size(guarded(Integer(1))) == 1


def test_every_injected_fault_still_applies_and_stands_in_the_table() -> None:
    document = faults.TABLE.read_text(encoding="utf-8")
    for fault in faults.FAULTS:
        assert faults.faulty_source(fault) != (ROOT / fault.path).read_text("utf-8")
        assert f"| {fault.what} | `" in document
    assert len(faults.FAULTS) == document.count("::test_")


def test_point_of_these_tests_has_unequal_sizes_where_it_counts() -> None:
    assert len({number for symbol, number in SIZES.items() if symbol.name in "NKXO"}) == 4
    assert value(single(z)).shape == (2, 3)
