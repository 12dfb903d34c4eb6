"""Forms: names of bound variables change nothing, and are never captured."""

from __future__ import annotations

import itertools
import random
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sympy import Expr

from symbackprop.calculus import order
from symbackprop.calculus.terms import (
    Applied,
    Axis,
    Delta,
    Element,
    Expression,
    Guard,
    Index,
    Term,
    expression,
    free_indices,
    product,
)
from symbackprop.derivation.equality import attempts, equal
from symbackprop.derivation.normalform import (
    Algebra,
    Atom,
    Form,
    NoNormalForm,
    atom,
    number,
    renamed,
    variable,
)
from symbackprop.networks.network import Equation, Network, Tensor
from symbackprop.verdict import Unequal
from tests.random_terms import CLASSES, ORDER, SAMPLES, ZOO, Pool, random_sample
from tests.random_terms import renamed as shuffled
from tests.sample_networks import index, size

SEEDS = st.integers(0, 10**6)
POOLS: st.SearchStrategy[Pool] = st.sampled_from(["any", "pointwise", "summed"])
RANDOM = settings(max_examples=40, deadline=None)

NAMES = [index(f"a{place}", "K") for place in range(8)]
A = Tensor("A", (NAMES[0], NAMES[1]), "input")
PAIRS = Network(
    "pairs",
    (A, Tensor("L", (), "loss")),
    (Equation("L", (), expression(product(1, A.indices, (A.entry,)))),),
    "L",
)
layer = index("l", "D", "layer", start=1)
other = index("l1", "D", "layer", start=1)


def term(coefficient: Expr | int, bound: tuple[Index, ...], *factors: Expr) -> Expression:
    return expression(product(coefficient, bound, factors))


def differences(source: random.Random) -> tuple[Expr, ...]:
    """Factors whose sign, or whose denominator, rests on which of two names comes first."""
    n, n1 = source.sample(SAMPLES, 2)
    k, k1 = source.sample(CLASSES, 2)
    z, b = Element("z", n, k), Element("b", k)
    gap = source.choice((b - Element("b", k1), z - Element("z", n, k1), z - Element("z", n1, k)))
    return (
        Applied("tanh", 0, gap),
        Applied(source.choice(("relu", "sigmoid", "softplus")), source.choice((0, 1)), gap),
        gap**-2,
        (1 + gap) ** -1,
        (b + Element("b", k1)) ** -1,
        (1 + Applied("exp", 0, gap)) ** -1,
        Element("W", k, k1),
        Element("dz", n, k),
        b,
    )


def term_of_differences(source: random.Random) -> Term:
    factors = [source.choice(differences(source)) for _ in range(source.randint(1, 3))]
    used = {i for factor in factors for i in factor.atoms(Index)}
    kept = source.choice((used, used - {SAMPLES[0]}))
    made = product(1, [i for i in ORDER if i in kept], factors)
    assert made is not None
    return made


def forms(one: Expression, two: Expression) -> list[tuple[Form, Form]]:
    found = []
    for algebra in attempts(ZOO, {}, use_facts=True):
        try:
            found.append((algebra.read(one), algebra.read(two)))
        except NoNormalForm:
            continue
    return found


@given(SEEDS, POOLS)
@RANDOM
def test_reading_ignores_names_and_order(seed: int, pool: Pool) -> None:
    whole, source = random_sample(seed, 2, pool).whole, random.Random(seed)
    pieces = [shuffled(piece, source) for piece in whole.terms]
    for one, two in forms(whole, expression(*source.sample(pieces, len(pieces)))):
        assert one == two


@given(SEEDS)
@RANDOM
def test_reading_differences_ignores_names(seed: int) -> None:
    source = random.Random(seed)
    whole = term_of_differences(source)
    for one, two in forms(expression(whole), expression(shuffled(whole, source))):
        assert one == two


def ring(names: list[Index]) -> Expression:
    pairs = zip(names, names[1:] + names[:1], strict=True)
    return term(1, tuple(names), *(Element("A", x, y) for x, y in pairs))


def test_sums_of_many_indices_that_look_alike_are_equal_under_any_names() -> None:
    algebra, source = Algebra(PAIRS), random.Random(1)
    plain = algebra.read(ring(NAMES))
    assert all(algebra.read(ring(source.sample(NAMES, 8))) == plain for _ in range(5))
    assert algebra.read(ring(NAMES[:4]) * ring(NAMES[4:])) != plain


def test_what_looks_too_much_alike_is_undecided(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(order, "MOST_VISITS", 1)
    with pytest.raises(NoNormalForm, match="too much alike"):
        Algebra(PAIRS).read(ring(NAMES))
    back = ring([*NAMES[1::-1], *NAMES[2:]])
    assert not isinstance(equal(ring(NAMES), back, (), PAIRS), Unequal)


def entry(*places: Atom) -> Form:
    return atom(Atom("el", "A", tuple(map(atom, places))))


def inner_sum(algebra: Algebra, one: Atom, other: Atom) -> Form:
    """Its two indices look alike, but for what stands beside them."""
    c, d = (variable(letter, one.data[2]) for letter in "cd")
    product = entry(one, c) * entry(other, d) * entry(c, d) * entry(d, c)
    return algebra.summed(product, [c, d])


def letters(text: str) -> list[Atom]:
    return [variable(letter, atom(Atom("dim", "K"))) for letter in text]


def test_a_sum_inside_keeps_its_names_canonical_when_a_free_one_is_renamed() -> None:
    algebra = Algebra(PAIRS)
    a, b = letters("ab")
    for names in itertools.permutations(letters("abxy"), 2):
        whole = renamed(inner_sum(algebra, a, b), dict(zip((a, b), names, strict=True)))
        assert whole == inner_sum(algebra, *names)


def test_sums_of_reciprocals_of_sums_ignore_outer_names() -> None:
    algebra = Algebra(PAIRS)
    a, b = letters("ab")

    def whole(row: Atom, column: Atom, one: Atom, other: Atom) -> Form:
        below = algebra.power(inner_sum(algebra, one, other) + number(1), Fraction(-1))
        return algebra.summed(entry(row, column) * below, [a, b])

    assert whole(a, b, a, b) == whole(b, a, b, a)
    assert whole(a, b, a, b) != whole(a, b, a, a)


def test_which_index_a_delta_removes_does_not_depend_on_names() -> None:
    """Of two ranges either index could go, and a guard tells which."""
    algebra = Algebra(PAIRS)
    found = set()
    for names in itertools.permutations("abc"):
        one, two, far = (
            variable(name, atom(Atom("dim", extent)))
            for name, extent in zip(names, "KNX", strict=True)
        )
        distance = atom(one) + atom(two) - atom(far)
        for bound in itertools.permutations((one, two, far)):
            found.add(algebra.summed(algebra.delta(distance), bound))
    assert len(found) == 1


def ragged(of: Expr, name: str = "q") -> Index:
    return Index(name, Axis("q", Element("c", of)))


def row(of: Expr) -> Expression:
    """The sum of the row of a ragged tensor that an index names."""
    return term(1, (ragged(of),), Element("R", of, ragged(of)))


def test_a_ragged_range_follows_when_a_delta_removes_its_layer() -> None:
    algebra = Algebra(ZOO)
    picked = term(
        1, (layer, ragged(layer)), Delta(layer, other), Element("R", layer, ragged(layer))
    )
    assert algebra.read(picked) == algebra.read(row(other))
    shifted = term(
        1, (layer, ragged(layer)), Delta(layer, other + 1), Element("R", layer, ragged(layer))
    )
    inside = term(1, (), Guard(other + 1, 1, size("D")))
    assert algebra.read(shifted) == algebra.read(inside) * algebra.read(row(other + 1))
    assert algebra.read(shifted) != algebra.read(inside) * algebra.read(row(other))


def test_a_ragged_range_is_moved_once() -> None:
    algebra = Algebra(ZOO)
    (free,) = free_indices(row(layer))
    moved = algebra.substituted(
        algebra.read(row(layer)), {algebra.index(free): algebra.scalar(free + 1)}
    )
    assert moved == algebra.read(row(layer + 1))
    assert moved != algebra.read(row(layer + 2))


def test_a_ragged_range_follows_when_sums_are_joined() -> None:
    """Both orders of the layer and its range say the same."""
    read = Algebra(ZOO).read
    weighed = Element("R", layer, ragged(layer)) * Element("x", layer)
    both = (layer, ragged(layer))
    assert not read(term(1, both, weighed)).variables
    assert read(term(1, both, weighed)) == read(term(1, both[::-1], weighed))
    again = (other, ragged(other, "p"))
    copy = Element("R", other, again[1]) * Element("x", other)
    assert read(term(1, both, weighed)) == read(term(1, again, copy))
