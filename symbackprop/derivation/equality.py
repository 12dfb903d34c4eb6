"""Equality of index expressions, with three outcomes.

Owns: `equal`, in three stages: the difference's normal form is zero (proved, for all sizes);
exact arithmetic agrees at points of pairwise different sizes (exact); floating point at several
points (numeric, or unequal with a witness), which have met every branch.
Refuses: calling two expressions different without real numbers at which they differ. Exact
arithmetic leaves transcendental functions uninterpreted, so disagreement there refutes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from symbackprop.calculus.canonical import canonical
from symbackprop.calculus.terms import (
    Applied,
    Element,
    Expression,
    Index,
    Partial,
    elements_in,
    free_indices,
)
from symbackprop.derivation.evaluate import Array, Point, evaluate, random_point
from symbackprop.derivation.normalform import Algebra, Form, NoNormalForm
from symbackprop.derivation.points import generic_points
from symbackprop.errors import SymbackpropError
from symbackprop.networks.network import CountsClasses, Network, SumsToOne
from symbackprop.verdict import Equal, Undecided, Unequal, Verdict, Witness

EXACT_POINTS = 2
SEED = 1000
AGREE = 1e-10
DIFFER = 1e-6
SMALLEST = 1e-6
Definitions = Mapping[str, tuple[tuple[Index, ...], Expression]]


def equal(
    left: Expression,
    right: Expression,
    indices: Sequence[Index],
    network: Network,
    definitions: Definitions | None = None,
    use_facts: bool = True,
) -> Verdict:
    """Whether two expressions over the same free indices have the same value everywhere.

    `definitions` gives tensors without an equation of their own (adjoints) their right side;
    without one they are free variables.
    """
    loose = {i for side in (left, right) for i in free_indices(side)} - set(indices)
    if loose:
        names = ", ".join(sorted(index.name for index in loose))
        return Undecided(f"index {names} is neither summed nor on the left side")
    unknown = _unknown((left, right), network)
    if unknown:
        return Undecided(f"{unknown} is not part of the network")
    if not canonical(left - right).terms:
        return Equal("proved", detail="canonical form")
    try:
        seen = _at_points(left, right, indices, network, definitions or {})
    except (SymbackpropError, NotImplementedError) as problem:
        seen = Undecided(f"cannot be evaluated: {problem}")
    if isinstance(seen, Unequal):
        return seen  # a witness ends the search for a proof
    return proved(left, right, network, definitions or {}, use_facts) or seen


def _unknown(sides: Iterable[Expression], network: Network) -> str:
    """The first tensor, size or function that the network does not declare."""
    sizes = {s for tensor in network.tensors for e in tensor.shape for s in e.free_symbols}
    for side in sides:
        for part in (p for term in side.terms for p in (term.coefficient, *term.factors)):
            tensors = {e.tensor for e in part.atoms(Element)} - set(network.by_name)
            functions = {a.function for a in part.atoms(Applied)} - set(network.functions)
            loose = {
                s.name for s in part.free_symbols if not isinstance(s, Index) and s not in sizes
            }
            if found := sorted(tensors | functions | loose):
                return str(found[0])
    return ""


def proved(
    left: Expression,
    right: Expression,
    network: Network,
    definitions: Definitions | None = None,
    use_facts: bool = True,
) -> Equal | None:
    """A proof for all sizes, or None, which says nothing."""
    if not canonical(left - right).terms:
        return Equal("proved", detail="canonical form")
    for algebra in attempts(network, definitions or {}, use_facts):
        try:
            difference = algebra.read(left) - algebra.read(right)
            found = proof_that_zero(algebra, difference)
        except NoNormalForm:
            continue
        if found is not None:
            return found
    return None


def attempts(network: Network, definitions: Definitions, use_facts: bool) -> Iterator[Algebra]:
    """From few names written out to all of them; facts only where it does not go without."""
    names = {equation.target for equation in network.equations} | set(definitions)
    linear = named_sums(network)
    cuts = [names, linear | set(definitions), linear, set[str]()]
    tried: list[set[str]] = []
    for cut in cuts:
        if cut in tried:
            continue
        tried.append(cut)
        for facts in (False, True) if use_facts and has_facts(network) else (False,):
            yield Algebra(network, cut, definitions, facts)
    yield Algebra(network, linear, definitions, use_facts, hyperbolic=True)


def proof_that_zero(algebra: Algebra, difference: Form) -> Equal | None:
    if algebra.vanishes(difference):
        return Equal("proved", tuple(sorted(algebra.used)), "normal form")
    untied, assumed = algebra.without_ties(difference)
    if assumed and algebra.vanishes(untied):
        return Equal("proved", (*sorted(algebra.used), *assumed), "normal form")
    return None


def named_sums(network: Network) -> set[str]:
    """Tensors that add up products of entries (z = hW + b): proofs stop at their names.

    What is pointwise, and the sums inside a softmax, is written out.
    """
    return {
        equation.target
        for equation in network.equations
        if equation.indices
        and any(
            len(term.factors) > 1 and all(isinstance(f, Element) for f in term.factors)
            for term in equation.rhs.terms
            if term.bound
        )
    }


def cut_names(network: Network, definitions: Definitions) -> set[str]:
    """The names at which a proof stops: named sums, and the defined tensors that others use."""
    used = {
        element.tensor
        for _, rhs in definitions.values()
        for term in rhs.terms
        for factor in term.factors
        for element in elements_in(factor)
    }
    return named_sums(network) | (used & set(definitions))


def has_facts(network: Network) -> bool:
    return any(isinstance(f, SumsToOne) for tensor in network.tensors for f in tensor.facts)


# --------------------------------------------------------------------------------------------
# Points
# --------------------------------------------------------------------------------------------


def _at_points(
    left: Expression,
    right: Expression,
    indices: Sequence[Index],
    network: Network,
    definitions: Definitions,
) -> Verdict:
    sides = (left, right)
    exact = _agree_exactly(left, right, indices, network, definitions)
    written = (*sides, *(rhs for _, rhs in definitions.values()))
    with np.errstate(all="ignore"):
        chosen = generic_points(network, SEED, beside=written)
    for given in chosen.points:
        with np.errstate(all="ignore"):
            point = with_definitions(given, definitions, sides)
            one, other = (np.asarray(evaluate(side, indices, point)) for side in sides)
        found = compared(one, other, point)
        if isinstance(found, (Unequal, Undecided)):
            return found
    if chosen.unmet:
        return Undecided(chosen.unmet)
    if exact is not None:
        return Equal("exact", detail=exact)
    return Equal("numeric", detail=f"< {AGREE:g} at {len(chosen.points)} points")


def _agree_exactly(
    left: Expression,
    right: Expression,
    indices: Sequence[Index],
    network: Network,
    definitions: Definitions,
) -> str | None:
    """The sizes at which both sides agree in exact arithmetic; None where they do not, or where
    it cannot tell: its functions are uninterpreted, so that this is no refutation."""
    if any(_has_partial(side) for side in (left, right)):
        return None
    point: Point | None = None
    try:
        for seed in range(EXACT_POINTS):
            point = random_point(network, 2000 + seed, arithmetic="exact")
            point = with_definitions(point, definitions, (left, right))
            one, other = (evaluate(side, indices, point) for side in (left, right))
            if not np.array_equal(np.asarray(one), np.asarray(other)):
                return None
    except (NotImplementedError, ZeroDivisionError):
        return None
    assert point is not None
    return "sizes " + ", ".join(f"{symbol}={size}" for symbol, size in point.sizes.items())


def _has_partial(side: Expression) -> bool:
    return any(factor.has(Partial) for term in side.terms for factor in term.factors)


def with_definitions(
    point: Point, definitions: Definitions, used: Iterable[Expression] = ()
) -> Point:
    """The point with defined tensors evaluated in order, and free ones given generic values."""
    for name, (indices, rhs) in definitions.items():
        point = point.with_values({name: evaluate(rhs, indices, point)})
    for side in used:
        for term in side.terms:
            for factor in term.factors:
                for element in elements_in(factor):
                    if element.tensor not in point.values:
                        point = point.with_values({element.tensor: _generic(element, point)})
    return point


def _generic(element: Element, point: Point) -> Array:
    """Values of a tensor that is free: those of any tensor of its shape would do."""
    tensor = point.network.tensor(element.tensor)
    shape = tuple(int(extent.subs(point.sizes)) for extent in tensor.shape)
    count = int(np.prod(shape, dtype=int))
    source = np.random.default_rng([len(element.tensor), *map(ord, element.tensor), *shape])
    entries = np.empty(count, dtype=object)
    entries[:] = [
        Fraction(int(n), 64) for n in source.integers(11, 97, count) * source.choice([-1, 1], count)
    ]
    array = entries.reshape(shape)
    return array if point.arithmetic == "exact" else np.asarray(array, dtype=float)


def compared(one: Array, other: Array, point: Point) -> float | Unequal | Undecided:
    """The relative distance where the sides agree; a witness where they differ for certain."""
    scale = max(SMALLEST, _largest(one), _largest(other))
    gap = np.abs(np.asarray(one, dtype=float) - np.asarray(other, dtype=float))
    if not np.all(np.isfinite(gap)):
        return Undecided("a value is not finite at the points that were tried")
    distance = float(np.max(gap, initial=0.0)) / scale
    if distance <= AGREE:
        return distance
    if distance < DIFFER:
        return Undecided(f"the sides differ by {distance:.1g}, too little to tell from rounding")
    place = tuple(int(i) for i in np.unravel_index(int(np.argmax(gap)), gap.shape))
    left, right = float(np.asarray(one)[place]), float(np.asarray(other)[place])
    witness = Witness(sizes_of(point), given_values(point), place, left, right)
    return Unequal(witness, f"{left:.6g} is not {right:.6g} at entry {place}")


def _largest(values: Array) -> float:
    return float(np.max(np.abs(np.asarray(values, dtype=float)), initial=0.0))


def sizes_of(point: Point) -> dict[str, int]:
    return {symbol.name: size for symbol, size in point.sizes.items()}


def given_values(point: Point) -> dict[str, Any]:
    """What was given, not what was computed: enough to recompute both sides."""
    given = point.network.of_kind("input", "label", "parameter")
    labels = {t.name for t in given if any(isinstance(f, CountsClasses) for f in t.facts)}
    return {
        t.name: np.asarray(point.values[t.name], dtype=int if t.name in labels else float).tolist()
        for t in given
    }
