"""Replayed steps and the report of all oracles: right derivations pass, their nearest wrong ones
do not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from sympy import Symbol

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
)
from symbackprop.derivation.evaluate import generic_sizes, random_point
from symbackprop.derivation.steps import Derivation, Step, Sweep
from symbackprop.derivation.sweep import jacobian, sweep
from symbackprop.networks.file import load
from symbackprop.networks.layers.architecture import Architecture, Layer
from symbackprop.networks.layers.multilayer import build
from symbackprop.networks.network import Equation, Network, Tensor
from symbackprop.proving.crosscheck import (
    Case,
    Check,
    Replayer,
    Report,
    Row,
    _chained,
    _close_exactly,
    _composed,
    backward_network,
    check,
    close,
    is_recurrent,
    replay,
    small_sizes,
)
from symbackprop.witnesses.concrete import explicit

EXAMPLES = ("line", "linear-chain", "two-three-one", "four-layer")


def swept(name: str, one_sample: bool = False) -> Sweep:
    return sweep(build(load(name).architecture, one_sample).network)


# --- replay ------------------------------------------------------------------------------------


@pytest.mark.parametrize("one_sample", [False, True])
@pytest.mark.parametrize("name", EXAMPLES)
def test_every_step_of_every_example_holds(name: str, one_sample: bool) -> None:
    found = swept(name, one_sample)
    replayer = Replayer(found)
    for derivation in found.derivations.values():
        assert all(made.holds for made in replayer.replay(derivation))


def test_steps_without_derivatives_are_exact_and_those_with_them_numeric() -> None:
    found = swept("four-layer")
    derivation = found["z3"]
    kinds = [made.kind for made in replay(derivation, found.network)]
    assert kinds == ["numeric", "numeric", *["exact"] * (len(kinds) - 2)]


def test_an_exact_check_names_its_sizes_which_are_pairwise_different() -> None:
    made = replay(swept("four-layer")["W3"], swept("four-layer").network)[-1]
    assert made == Check("exact", "at N = 3, d0 = 2, d1 = 5, d2 = 4, d3 = 7")
    sizes = list(generic_sizes(swept("four-layer").network).values())
    assert len(set(sizes)) == len(sizes)


def test_a_numeric_check_names_its_bound_not_the_error_it_met() -> None:
    made = replay(swept("four-layer")["W3"], swept("four-layer").network)[0]
    assert made == Check("numeric", "< 1e-10")


def test_steps_name_the_facts_they_use() -> None:
    found = swept("four-layer")
    facts = {
        step.rule: made.facts
        for step, made in zip(found["z3"].steps, replay(found["z3"], found.network), strict=True)
    }
    assert facts["labels sum to one"] == ("the entries of each row of y add up to 1",)
    assert facts["name the quotient"] == ("yhat[n,i] = exp(z3[n,i]) 1/s3[n]",)
    assert facts["chain rule"] == ()


def test_a_fact_that_the_network_lacks_does_not_hold() -> None:
    """The step that uses row sums, replayed on labels of which nothing is known."""
    step = next(s for s in swept("four-layer")["z3"].steps if s.rule == "labels sum to one")
    free = replace(load("four-layer").architecture, labels="any")
    witness = Replayer(sweep(build(free).network))
    indices = witness.swept["z3"].indices
    assert not witness.check(step, indices).holds


@pytest.mark.parametrize(
    ("of", "wrt"), [("yhat", "z3"), ("z3", "h2"), ("z3", "W3"), ("yhat", "x"), ("h2", "z2")]
)
def test_steps_of_jacobians_hold(of: str, wrt: str) -> None:
    network = build(load("four-layer").architecture, one_sample=True).network
    assert all(made.holds for made in replay(jacobian(network, of, wrt), network))


def test_a_step_with_a_loose_index_does_not_hold() -> None:
    found = swept("four-layer")
    derivation = found["W3"]
    last = derivation.steps[-1]
    loose = Step(last.rule, last.before, _without_sum(last.after), last.reason)
    made = Replayer(found).check(loose, derivation.indices)
    assert not made.holds
    assert made.detail == "index n is not bound"


# --- injected faults ---------------------------------------------------------------------------


def _changed(
    whole: Expression, change: Callable[[Term], Iterator[Term | None]]
) -> list[Expression]:
    return [
        expression(*whole.terms[:place], changed, *whole.terms[place + 1 :])
        for place, term in enumerate(whole.terms)
        for changed in change(term)
    ]


def _signs(whole: Expression) -> list[Expression]:
    return _changed(whole, lambda t: iter((Term(-t.coefficient, t.bound, t.factors),)))


def _missing_factors(whole: Expression) -> list[Expression]:
    def change(term: Term) -> Iterator[Term | None]:
        for place in range(len(term.factors)):
            rest = term.factors[:place] + term.factors[place + 1 :]
            yield Term(term.coefficient, term.bound, rest)

    return _changed(whole, change)


def _missing_sums(whole: Expression) -> list[Expression]:
    def change(term: Term) -> Iterator[Term | None]:
        for index in term.bound:
            rest = tuple(other for other in term.bound if other != index)
            yield Term(term.coefficient, rest, term.factors)

    return _changed(whole, change)


def _transposes(whole: Expression) -> list[Expression]:
    def change(term: Term) -> Iterator[Term | None]:
        for place, factor in enumerate(term.factors):
            if isinstance(factor, Element) and len(factor.indices) == 2:
                turned = Element(factor.tensor, *factor.indices[::-1])
                factors = (*term.factors[:place], turned, *term.factors[place + 1 :])
                yield product(term.coefficient, term.bound, factors)

    return _changed(whole, change)


def _wrong_indices(whole: Expression) -> list[Expression]:
    """One index of one element replaced by another one that is in use.

    Beside delta(n,p) or d z[p] / d h[n] the entries y[n] and y[p] may stand for each other, which
    is no fault.
    """
    if any(f.has(Delta, Partial) for term in whole.terms for f in term.factors):
        return []

    def change(term: Term) -> Iterator[Term | None]:
        used = sorted(
            {i for f in term.factors for i in f.atoms(Index)} | set(term.bound),
            key=lambda index: index.name,
        )
        for place, factor in enumerate(term.factors):
            for position in range(len(factor.indices) if isinstance(factor, Element) else 0):
                for other in used:
                    indices = list(factor.indices)
                    if indices[position] == other:
                        continue
                    indices[position] = other
                    wrong = Element(factor.tensor, *indices)
                    factors = (*term.factors[:place], wrong, *term.factors[place + 1 :])
                    yield product(term.coefficient, term.bound, factors)

    return _changed(whole, change)


FAULTS = {
    "sign": _signs,
    "missing factor": _missing_factors,
    "missing sum": _missing_sums,
    "transpose": _transposes,
    "index": _wrong_indices,
}


def _without_sum(whole: Expression) -> Expression:
    return _missing_sums(whole)[0]


MIXED = Architecture(
    "mixed",
    3,
    (Layer(4, "tanh"), Layer(2, "softplus"), Layer(5, "softmax")),
    "cross_entropy",
)
HALF_SQUARED = Architecture(
    "half-squared", 2, (Layer(3, "relu"), Layer(4, "sigmoid")), "squared_error", half=True
)


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("architecture", [MIXED, HALF_SQUARED], ids=lambda a: a.name)
def test_replay_catches_a_fault_in_any_step(architecture: Architecture, fault: str) -> None:
    found = sweep(build(architecture).network)
    replayer = Replayer(found)
    injected = 0
    for derivation in found.derivations.values():
        for step in derivation.steps:
            for wrong in FAULTS[fault](step.after):
                changed = Step(step.rule, step.before, wrong, step.reason)
                assert not replayer.check(changed, derivation.indices).holds, (
                    f"{derivation.wrt}, {step.rule}: {step.after} read as {wrong}"
                )
                injected += 1
    assert injected > 20


def _with_fault(found: Sweep, name: str, fault: str) -> Sweep:
    """The sweep in which the last step of one derivation goes wrong."""
    derivation = found[name]
    last = derivation.steps[-1]
    wrong = Step(last.rule, last.before, FAULTS[fault](last.after)[0], last.reason)
    changed = Derivation(
        derivation.of, derivation.wrt, derivation.indices, (*derivation.steps[:-1], wrong)
    )
    return Sweep(found.network, {**found.derivations, name: changed})


@pytest.mark.slow
@pytest.mark.parametrize("fault", ["sign", "missing factor"])
def test_check_catches_a_wrong_result_by_every_oracle_that_knows_the_truth(fault: str) -> None:
    architecture = load("linear-chain").architecture
    built = build(architecture)
    report = check(_with_fault(sweep(built.network), "W2", fault), architecture, built.sizes)
    assert not report.ok
    blamed = {(row.quantity, row.oracle) for row in report.disagreements}
    expected = ("steps replayed", "explicit SymPy network", "complex step", "NumPy code")
    assert blamed == {("W2", oracle) for oracle in expected}


@pytest.mark.parametrize("fault", ["missing sum", "index", "transpose"])
def test_check_catches_a_result_that_is_no_equation(fault: str) -> None:
    architecture = load("linear-chain").architecture
    built = build(architecture)
    report = check(_with_fault(sweep(built.network), "W2", fault), architecture, built.sizes)
    assert not report.ok
    assert {(row.quantity, row.oracle) for row in report.disagreements} == {
        ("W2", "steps replayed")
    }


def test_check_catches_steps_that_do_not_join() -> None:
    architecture = load("line").architecture
    built = build(architecture)
    found = sweep(built.network)
    first, *_, last = found["W1"].steps
    torn = Derivation("L", "W1", found["W1"].indices, (first, last))
    report = check(Sweep(built.network, {**found.derivations, "W1": torn}), architecture)
    (row,) = report.disagreements
    assert row.oracle == "steps replayed"
    assert row.detail == "the steps do not join"


# --- the report --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def chain() -> Report:
    architecture = load("linear-chain").architecture
    built = build(architecture)
    return check(sweep(built.network), architecture, built.sizes)


def test_every_gradient_and_adjoint_meets_every_oracle(chain: Report) -> None:
    names = ("W1", "b1", "W2", "b2", "W3", "b3", "x", "z1", "z2", "yhat")
    assert chain.quantities == (*names, "L")
    for name in names:
        assert [row.oracle for row in chain.rows if row.quantity == name] == [
            "steps replayed",
            "explicit SymPy network",
            "complex step",
            "NumPy code",
            "proof of the code",
        ]
    assert chain.ok
    assert not chain.undecided


def test_the_report_says_of_each_row_what_was_done(chain: Report) -> None:
    done = {row.oracle: (row.kind, row.bound) for row in chain.rows}
    assert done == {
        "steps replayed": ("numeric", "< 1e-10"),
        "explicit SymPy network": ("numeric", "< 1e-25"),
        "complex step": ("numeric", "< 1e-10"),
        "NumPy code": ("numeric", "< 1e-10"),
        "proof of the code": ("proved", ""),
    }


def test_the_report_is_the_same_text_every_time(chain: Report) -> None:
    architecture = load("linear-chain").architecture
    built = build(architecture)
    again = check(sweep(built.network), architecture, built.sizes)
    assert str(again) == str(chain)
    assert again._repr_html_() == chain._repr_html_()


def test_the_report_shows_as_text_markdown_and_html(chain: Report) -> None:
    assert str(chain).splitlines()[0] == "linear-chain: every gradient against every oracle"
    assert "all 52 comparisons agree" in str(chain)
    assert "| dL/dW1 | numeric < 1e-10 |" in chain._repr_markdown_()
    assert "<td>dL/dW1</td>" in chain._repr_html_()


def test_html_of_a_report_escapes_what_it_shows() -> None:
    row = Row("<b>", "o&o", "numeric", "< 1e-10", "agrees")
    shown = Report("<script>", (row,))._repr_html_()
    assert "<script>" not in shown
    assert "&lt;b&gt;" in shown
    assert "o&amp;o" in shown


def test_a_report_with_a_quantity_that_nothing_confirmed_is_not_ok() -> None:
    good = Row("W1", "a", "exact", "", "agrees")
    unsure = Row("W2", "a", "none", "", "undecided", "no form")
    assert Report("", (good,)).ok
    assert not Report("", (good, unsure)).ok
    assert not Report("", ()).ok


def test_the_explicit_network_has_unequal_sizes_none_of_them_one() -> None:
    for name in EXAMPLES:
        sizes = list(small_sizes(swept(name).network).values())
        assert 1 not in sizes
        assert sizes[0] not in sizes[1:]
        assert all(a != b for a, b in pairwise(sizes[1:]))


def test_sizes_beyond_the_laptop_are_replaced_by_generic_ones() -> None:
    wide = Architecture("wide", 784, (Layer(10**9, "relu"), Layer(10)), "squared_error")
    built = build(wide)
    case = Case(sweep(built.network), wide, built.sizes)
    assert case.sizes == generic_sizes(built.network)


def test_symbolic_sizes_are_checked_at_generic_ones() -> None:
    symbolic = Architecture("symbolic", "d", (Layer("k"),), "squared_error")
    built = build(symbolic)
    report = check(sweep(built.network), symbolic, built.sizes)
    assert report.ok
    assert "at N = 3, d = 2, k = 5" in str(report)


@pytest.mark.slow
def test_a_long_network_is_differentiated_equation_by_equation_with_the_same_result() -> None:
    built = build(MIXED)
    case = Case(sweep(built.network), MIXED, built.sizes)
    plain = explicit(built.network, small_sizes(built.network))
    values = plain.values(1)
    whole, chained = _composed(case, plain, values), _chained(plain, values)
    assert all(_close_exactly(chained[name], whole[name]) for name in case.quantities)


@pytest.mark.slow
def test_the_cost_of_a_check_does_not_explode_with_depth() -> None:
    layers = tuple(Layer(2 + number % 3, "tanh") for number in range(12))
    deep = Architecture("deep", 3, layers, "squared_error")
    built = build(deep)
    report = check(sweep(built.network), deep, built.sizes)
    assert report.ok
    assert "differentiated equation by equation" in str(report)


# --- hand-written networks ---------------------------------------------------------------------


def bilinear() -> Network:
    """z[n,k] = sum_ij x[n,i] A[i,j,k] u[n,j], L = sum z^2 / 2."""
    n = Index("n", Axis("n", Symbol("N", integer=True, positive=True), "sample"))
    i, j, k = (
        Index(name, Axis(name, Symbol(f"d_{name}", integer=True, positive=True))) for name in "ijk"
    )
    x, u = Tensor("x", (n, i), "input"), Tensor("u", (n, j), "input")
    a = Tensor("A", (i, j, k), "parameter")
    z = Tensor("z", (n, k), "intermediate")
    loss = Tensor("L", (), "loss")
    forward = expression(product(1, (i, j), (x.entry, a.entry, u.entry)))
    total = expression(product(Symbol("c", positive=True) ** 0 / 2, (n, k), (z.entry**2,)))
    equations = (Equation("z", (n, k), forward), Equation("L", (), total))
    return Network("bilinear", (x, u, a, z, loss), equations, "L")


def test_equations_of_ones_own_are_checked_without_a_reference() -> None:
    report = check(sweep(bilinear()))
    assert report.ok
    assert report.quantities[:3] == ("A", "x", "u")
    assert "complex step: of the interpreter" in str(report)


def test_the_backward_pass_is_a_network_that_knows_nothing_of_derivations() -> None:
    found = sweep(bilinear())
    point = random_point(backward_network(found), 5)
    x, u, z = (point.values[name] for name in ("x", "u", "z"))
    assert close(point.values["dA"], np.einsum("ni,nj,nk->ijk", x, u, z))


def test_a_recurrence_is_recognised() -> None:
    t = Index("t", Axis("t", Symbol("T", integer=True, positive=True), "time"))
    h = Tensor("h", (t,), "intermediate")
    w, loss = Tensor("w", (), "parameter"), Tensor("L", (), "loss")
    step = Applied("tanh", 0, Element("w") * Element("h", t - 1))
    equations = (
        Equation("h", (t,), expression(product(1, (), (step,)))),
        Equation("L", (), expression(product(1, (t,), (h.entry,)))),
    )
    assert is_recurrent(Network("recurrent", (w, h, loss), equations, "L"))
    assert not is_recurrent(bilinear())


# --- the comparison itself ---------------------------------------------------------------------


def test_closeness_is_relative_to_the_largest_entry() -> None:
    expected = np.array([1e6, 1.0])
    assert close(expected + 5e-5, expected)
    assert not close(expected + 5e-4, expected)


def test_arrays_of_different_shape_are_never_close() -> None:
    assert not close(np.ones((2, 1)), np.ones((2,)))
    assert not close(np.ones((1, 2)), np.ones((2, 1)))


def test_nan_is_never_close() -> None:
    assert not close(np.array([np.nan]), np.array([np.nan]))
