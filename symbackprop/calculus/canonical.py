"""The canonical form of index expressions.

Owns: `canonical`, the form in which equality up to renaming, reordering, expanding and contracting
is equality of content; `named_by_place`, the names of bound indices that structure decides.
Refuses: what a tensor or a function means; equality that needs it is found elsewhere.
Would be wrong if: a rewrite changed a value. A denominator may change its sign, a root may not.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache

from sympy import Add, Expr, Mul, Pow, expand

from symbackprop.calculus.order import Tree, arranged
from symbackprop.calculus.terms import (
    Applied,
    Axis,
    Delta,
    Element,
    Expression,
    Index,
    Term,
    as_power,
    commutes,
    contract,
    free_indices,
    indices_in,
    product,
    replace_indices,
    text,
)


def canonical(whole: Expression) -> Expression:
    """The form that two expressions share when renaming, reordering, expanding and contracting
    make them equal: products expanded, deltas contracted, bound indices named by their place
    (`order`). Where the search for that place was given up, forms may differ that need not: a
    difference decides nothing. So it is with what is its own negative, the sum of 1/(a_i - a_j),
    which has no value.
    """
    collected: dict[tuple[Expr, ...], list[Expr]] = {}
    bounds: dict[tuple[Expr, ...], tuple[Index, ...]] = {}
    for monomial in _expanded(whole):
        deltas = any(isinstance(factor, Delta) for factor in monomial.factors)
        # either index of a delta may go: which one, structure decides
        term = contract(named_by_place(monomial) if deltas else monomial)
        if term is None:
            continue
        named = named_by_place(_free_deltas_oriented(term))
        collected.setdefault(named.factors, []).append(named.coefficient)
        bounds[named.factors] = named.bound
    terms = []
    for factors, coefficients in collected.items():
        scale = expand(Add(*coefficients))
        if scale != 0:
            terms.append(Term(scale, bounds[factors], factors))
    return Expression(tuple(sorted(terms, key=lambda term: tuple(map(text, term.factors)))))


def _free_deltas_oriented(term: Term) -> Term:
    """A delta of two free indices lets every other factor read the smaller name."""
    for factor in term.factors:
        if isinstance(factor, Delta):
            small, large = sorted(factor.args, key=text)
            if isinstance(large, Index) and not isinstance(small, Element) and not small.has(large):
                if isinstance(small, Index) and not small.axis.same_range(large.axis):
                    continue
                if not isinstance(small, Index):
                    continue
                others = (f.xreplace({large: small}) for f in term.factors if f != factor)
                changed = product(term.coefficient, term.bound, (*others, factor))
                if changed is not None and changed != term:
                    return _free_deltas_oriented(changed)
    return term


def _expanded(whole: Expression) -> Iterator[Term]:
    for term in whole.terms:
        yield from _expand_term(term)


def _expand_term(term: Term) -> Iterator[Term]:
    sums = [f for f in term.factors if _is_sum(f)]
    if not sums:
        yield _with_expanded_atoms(term)
        return
    others = [f for f in term.factors if not _is_sum(f)]
    for addend in Add.make_args(expand(Mul(*sums, evaluate=True))):
        piece = product(term.coefficient, term.bound, (*others, addend))
        if piece is not None:
            if any(_is_sum(f) for f in piece.factors):
                yield from _expand_term(piece)
            else:
                yield _with_expanded_atoms(piece)


def _is_sum(factor: Expr) -> bool:
    base, exponent = as_power(factor)
    return bool(base.is_Add and exponent.is_positive)


def _with_expanded_atoms(term: Term) -> Term:
    """Denominators and function arguments in expanded form, with their content pulled out."""
    factors = tuple(map(_normal_atom, term.factors))
    if factors == term.factors:
        return term
    changed = product(term.coefficient, term.bound, factors)
    assert changed is not None
    return changed


@lru_cache(maxsize=65536)
def _normal_atom(factor: Expr) -> Expr:
    if isinstance(factor, Applied):
        return Applied(factor.function, factor.order, expand(factor.argument))
    if factor.is_Pow and factor.base.is_Add:
        content, primitive = expand(factor.base).as_content_primitive()
        if factor.exp.is_Integer and _leading_coefficient(primitive).is_negative:
            content, primitive = -content, expand(-primitive)
        return Pow(content, factor.exp) * Pow(primitive, factor.exp)
    return factor


def _leading_coefficient(whole: Expr) -> Expr:
    parts = (part.as_coeff_Mul() for part in Add.make_args(whole))
    return min(parts, key=lambda part: text(part[1]))[0]


def named_by_place(term: Term) -> Term:
    """Rename bound indices to `_0`, `_1`, … in an order that depends on structure alone."""
    if not term.bound:
        return _with_expanded_atoms(term)
    order = arranged(len(term.bound), _trees(term)).order
    stem = "_"
    while any(index.name.startswith(stem) for index in free_indices(term)):
        stem += "_"
    names: dict[Expr, Expr] = {
        term.bound[member]: Index(f"{stem}{place}", _blank(term.bound[member].axis))
        for place, member in enumerate(order)
    }
    renamed = _with_expanded_atoms(replace_indices(term, names))
    bound = sorted(renamed.bound, key=lambda index: (len(index.name), index.name))
    return Term(renamed.coefficient, tuple(bound), renamed.factors)


def _blank(axis: Axis) -> Axis:
    return Axis("", axis.extent, "", axis.start)


def _trees(term: Term) -> Iterator[Tree]:
    """What the factors, and the ranges, look like to the bound indices."""
    places = {index: place for place, index in enumerate(term.bound)}
    for factor in term.factors:
        yield _factor_tree(factor, places)
    for index, place in places.items():
        extent = _tree(index.axis.extent, places)
        yield Tree("range", (place, extent, Tree(str(index.axis.start))))


def _factor_tree(factor: Expr, places: Mapping[Index, int]) -> Tree:
    """A power of a sum looks the same with the opposite sign: which it has depends on names."""
    base, exponent = as_power(factor)
    if not base.is_Add:
        return Tree("factor", (_tree(factor, places),))
    either = (_tree(base, places), _tree(expand(-base), places))
    return Tree("sum to a power", (Tree("±", either, commutes=True), Tree(text(exponent))))


def _tree(part: Expr, places: Mapping[Index, int]) -> Tree | int:
    if indices_in(part).isdisjoint(places):
        return Tree(text(part))
    if isinstance(part, Index):
        return places[part]
    parts = tuple(_tree(argument, places) for argument in part.args)
    return Tree(type(part).__name__, parts, commutes(part))
