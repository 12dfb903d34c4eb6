"""Index calculus: sums of products of tensor elements.

Owns: axes, indices, elements such as `W[j,k]`, Kronecker deltas, range guards, sums with bound
indices, substitution without capture, and contraction of deltas.
Refuses: anything about networks, layers or derivatives of a network; those stand above.
Would be wrong if: a bound name were ever captured (every product renames apart), or a delta were
eliminated through an index whose coefficient is not +1 or -1 (parity would be lost).

The scalars inside are SymPy's: an `Element` is a SymPy expression, so SymPy differentiates,
cancels and prints what is pointwise. Sums, deltas and names are ours.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from sympy import Expr, Mul, Pow, S, Symbol, expand, sympify
from sympy.core.symbol import Str

# --------------------------------------------------------------------------------------------
# Names and atoms
# --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Axis:
    """One direction of a tensor: `extent` positions counted from `start`.

    `extent` is a SymPy integer, symbol, or an expression in other indices (`n[l]`).
    `role` is 'sample', 'feature' or 'layer'; only readers and printers look at it.
    """

    name: str
    extent: Expr
    role: str = "feature"
    start: int = 0

    def substitute(self, replacement: Mapping[Expr, Expr]) -> Axis:
        extent = self.extent.xreplace(dict(replacement))
        return self if extent == self.extent else Axis(self.name, extent, self.role, self.start)

    def same_range(self, other: Axis) -> bool:
        return self.start == other.start and self.extent == other.extent

    def holds(self, place: Expr) -> bool:
        """Whether the place is on the axis at all sizes and values of its indices."""
        return _always_inside(place, self.start, self.extent)


class Index(Symbol):
    """An integer variable that runs over an axis. Equal when name and axis are equal."""

    __slots__ = ("axis",)
    axis: Axis

    def __new__(cls, name: str, axis: Axis) -> Index:
        return _index(name, axis)

    def _hashable_content(self) -> tuple[object, ...]:
        return (self.name, self.axis.name, self.axis.extent, self.axis.start, self.axis.role)

    def __getnewargs_ex__(self) -> tuple[tuple[object, ...], dict[str, object]]:
        return (self.name, self.axis), {}


@lru_cache(maxsize=65536)
def _index(name: str, axis: Axis) -> Index:
    index: Index = Symbol.__xnew__(Index, name, integer=True)
    index.axis = axis
    return index


class Element(Expr):
    """One entry of a tensor, `W[j,k]`; an atom to SymPy's calculus."""

    is_commutative = True
    is_real = True
    _diff_wrt = True

    def __new__(cls, tensor: str | Str, *indices: Expr | int) -> Element:
        name = tensor if isinstance(tensor, Str) else Str(tensor)
        element: Element = Expr.__new__(cls, name, *map(sympify, indices))
        return element

    @property
    def tensor(self) -> str:
        return str(self.args[0].name)

    @property
    def indices(self) -> tuple[Expr, ...]:
        return tuple(self.args[1:])

    def _eval_derivative(self, symbol: Expr) -> Expr:
        return S.One if self == symbol else S.Zero

    def _sympystr(self, printer: object) -> str:
        return f"{self.tensor}[{','.join(map(str, self.indices))}]" if self.indices else self.tensor

    _latex = _sympystr


class Delta(Expr):
    """Kronecker's delta: 1 where both sides are equal, otherwise 0."""

    is_commutative = True
    is_real = True

    def __new__(cls, left: Expr | int, right: Expr | int) -> Expr:
        left, right = sympify(left), sympify(right)
        if left == right:
            return S.One
        if left.is_Number and right.is_Number:
            return S.Zero
        if text(right) < text(left):
            left, right = right, left
        return Expr.__new__(cls, left, right)

    def _sympystr(self, printer: object) -> str:
        return f"delta({self.args[0]},{self.args[1]})"


class Guard(Expr):
    """1 where start <= argument < start + extent, otherwise 0."""

    is_commutative = True
    is_real = True

    def __new__(cls, argument: Expr, start: Expr | int, extent: Expr | int) -> Expr:
        argument, start, extent = sympify(argument), sympify(start), sympify(extent)
        if _always_inside(argument, start, extent):
            return S.One
        if _never_inside(argument, start, extent):
            return S.Zero
        return Expr.__new__(cls, argument, start, extent)

    def _sympystr(self, printer: object) -> str:
        return f"guard({self.args[1]}<={self.args[0]}<{self.args[1] + self.args[2]})"


def _always_inside(argument: Expr, start: Expr, extent: Expr) -> bool:
    if isinstance(argument, Index):
        return bool(argument.axis.start == start and argument.axis.extent == extent)
    below, above = argument - start, start + extent - 1 - argument
    return below.is_nonnegative is True and above.is_nonnegative is True


def _never_inside(argument: Expr, start: Expr, extent: Expr) -> bool:
    below, above = argument - start, start + extent - 1 - argument
    return below.is_negative is True or above.is_negative is True


class Applied(Expr):
    """A named scalar function, or one of its derivatives, at an argument: `sigmoid'(z[n,k])`.

    Kept closed on purpose: what a function means stands in its record (`scalars`), so that
    nothing here can rewrite `tanh'` into something a reader does not recognise.
    """

    is_commutative = True
    is_real = True

    def __new__(cls, function: str | Str, order: int | Expr, argument: Expr) -> Applied:
        name = function if isinstance(function, Str) else Str(function)
        applied: Applied = Expr.__new__(cls, name, sympify(order), sympify(argument))
        return applied

    @property
    def function(self) -> str:
        return str(self.args[0].name)

    @property
    def order(self) -> int:
        return int(self.args[1])

    @property
    def argument(self) -> Expr:
        return self.args[2]

    def _eval_derivative(self, symbol: Expr) -> Expr:
        inner = self.argument.diff(symbol)
        return (
            S.Zero if inner == 0 else Applied(self.function, self.order + 1, self.argument) * inner
        )

    def _sympystr(self, printer: object) -> str:
        return f"{self.function}{chr(39) * self.order}({self.argument})"


class Partial(Expr):
    """A derivative that has not been taken yet: d `numerator` / d `denominator`.

    `total` tells the derivative through every path from the one within a single equation.
    """

    is_commutative = True
    is_real = True

    def __new__(cls, numerator: Expr, denominator: Expr, total: bool | Expr = False) -> Partial:
        partial: Partial = Expr.__new__(cls, numerator, denominator, sympify(int(bool(total))))
        return partial

    @property
    def total(self) -> bool:
        return bool(self.args[2] == 1)

    def _sympystr(self, printer: object) -> str:
        return f"d({self.args[0]})/d({self.args[1]})"


@lru_cache(maxsize=262144)
def text(expression: Expr) -> str:
    """A string that depends on content alone; the order of everything here rests on it."""
    if isinstance(expression, (Index, Str)):
        return str(expression.name)
    if not expression.args:
        return str(expression)
    parts = [text(argument) for argument in expression.args]
    if commutes(expression):
        parts.sort()
    return f"{type(expression).__name__}({','.join(parts)})"


def commutes(expression: Expr) -> bool:
    """Whether the order of the arguments says nothing."""
    return bool(expression.is_Add or expression.is_Mul or isinstance(expression, Delta))


# --------------------------------------------------------------------------------------------
# Terms and expressions
# --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Term:
    """coefficient * sum over `bound` of the product of `factors`.

    `coefficient` holds numbers and dimensions (`1/N`); `factors` are SymPy expressions in
    elements, sorted by content. Build one with `product`, which keeps that order.
    """

    coefficient: Expr
    bound: tuple[Index, ...]
    factors: tuple[Expr, ...]

    def __str__(self) -> str:
        body = " ".join(str(factor) for factor in self.factors) or "1"
        sums = f"sum_{{{','.join(index.name for index in self.bound)}}} " if self.bound else ""
        scale = "" if self.coefficient == 1 else f"{self.coefficient} "
        return f"{scale}{sums}{body}"


@dataclass(frozen=True)
class Expression:
    """A sum of terms. Equality is of content, not of meaning: compare canonical forms for that."""

    terms: tuple[Term, ...] = ()

    def __str__(self) -> str:
        return " + ".join(map(str, self.terms)) or "0"

    def __add__(self, other: Expression) -> Expression:
        return Expression(self.terms + other.terms)

    def __mul__(self, other: Expression) -> Expression:
        return Expression(
            tuple(
                piece
                for left, right in itertools.product(self.terms, other.terms)
                if (piece := multiply(left, right)) is not None
            )
        )

    def scaled(self, factor: Expr | int) -> Expression:
        if factor == 1:
            return self
        return Expression(
            tuple(Term(term.coefficient * factor, term.bound, term.factors) for term in self.terms)
        )

    def __neg__(self) -> Expression:
        return self.scaled(-1)

    def __sub__(self, other: Expression) -> Expression:
        return self + (-other)

    @property
    def is_zero(self) -> bool:
        return not self.terms


ZERO = Expression()


def product(
    coefficient: Expr | int, bound: Iterable[Index], factors: Iterable[Expr]
) -> Term | None:
    """The term with these parts, flattened and sorted; None where a factor is zero."""
    scale = sympify(coefficient)
    powers: dict[Expr, Expr] = {}
    for factor in _flatten(factors):
        base, exponent = as_power(factor)
        if base.is_Number or (base.is_Symbol and not isinstance(base, Index)):
            scale = scale * base**exponent
        elif isinstance(base, (Delta, Guard)):
            powers[base] = S.One
        else:
            powers[base] = powers.get(base, S.Zero) + exponent
    if scale == 0:
        return None
    kept = [base if e == 1 else Pow(base, e) for base, e in powers.items() if e != 0]
    return Term(scale, tuple(bound), tuple(sorted(kept, key=text)))


def _flatten(factors: Iterable[Expr]) -> Iterator[Expr]:
    for factor in factors:
        if factor.is_Mul:
            yield from _flatten(factor.args)
        elif factor.is_Pow and factor.base.is_Mul and factor.exp.is_Integer:
            yield from (Pow(part, factor.exp) for part in factor.base.args)
        else:
            yield from _without_content(factor)


def _without_content(factor: Expr) -> Iterator[Expr]:
    """2a - 2b -> 2, a - b: numbers stand in front, where they can meet others."""
    base, exponent = as_power(factor)
    content, primitive = base.primitive() if base.is_Add else (S.One, base)
    if content == 1:
        yield factor
    else:
        yield from (Pow(content, exponent), Pow(primitive, exponent))


def as_power(factor: Expr) -> tuple[Expr, Expr]:
    if factor.is_Pow and factor.exp.is_Integer:
        return factor.base, factor.exp
    return factor, S.One


def expression(*terms: Term | None) -> Expression:
    return Expression(tuple(term for term in terms if term is not None))


def single(factor: Expr) -> Expression:
    """The expression that is just this scalar."""
    return expression(product(1, (), (factor,)))


def free_indices(part: Expression | Term) -> tuple[Index, ...]:
    """Indices that are not bound, by name. Extents of bound axes count too (`n[l]`)."""
    if isinstance(part, Expression):
        found = {index for term in part.terms for index in free_indices(term)}
    else:
        found = _indices_of(part.factors) | _indices_of(index.axis.extent for index in part.bound)
        found |= _indices_of((part.coefficient,))
        found -= set(part.bound)
    return tuple(sorted(found, key=lambda index: index.name))


def _indices_of(parts: Iterable[Expr]) -> set[Index]:
    return set().union(*(indices_in(part) for part in parts))


@lru_cache(maxsize=65536)
def indices_in(part: Expr) -> frozenset[Index]:
    if isinstance(part, Index):
        return frozenset((part,))
    if not part.args:
        return frozenset()
    return frozenset().union(*(indices_in(argument) for argument in part.args))


@lru_cache(maxsize=65536)
def elements_in(part: Expr) -> tuple[Element, ...]:
    """Elements read by a factor, by content; those inside index arguments are not meant."""
    if isinstance(part, Element):
        return (part,)
    found = {element for argument in part.args for element in elements_in(argument)}
    if isinstance(part, (Delta, Guard)):
        return ()
    return tuple(sorted(found, key=text))


def fresh(index: Index, taken: Iterable[str]) -> Index:
    """An index on the same axis whose name is not taken: `j`, then `j1`, `j2`, …"""
    names = set(taken)
    if index.name not in names:
        return index
    stem = index.name.rstrip("0123456789") or index.name
    number = next(n for n in itertools.count(1) if f"{stem}{n}" not in names)
    return Index(f"{stem}{number}", index.axis)


def all_fresh(indices: Sequence[Index], taken: Iterable[str]) -> tuple[Index, ...]:
    """The indices under names that are not taken; an extent may read an index before it
    (`n[l]`), and follows."""
    used = set(taken)
    moved: dict[Expr, Expr] = {}
    for index in indices:
        renamed = fresh(Index(index.name, index.axis.substitute(moved)), used)
        used.add(renamed.name)
        moved[index] = renamed
    return tuple(moved.values())


def _names(parts: Iterable[Expr]) -> set[str]:
    return {index.name for index in _indices_of(parts)}


def rename_apart(term: Term, taken: Iterable[str]) -> Term:
    """The same term with bound names outside `taken`; nothing is captured."""
    forbidden = set(taken)
    clashing = [index for index in term.bound if index.name in forbidden]
    if not clashing:
        return term
    used = forbidden | _names(term.factors) | {index.name for index in term.bound}
    replacement: dict[Expr, Expr] = {}
    for index in clashing:
        replacement[index] = fresh(index, used)
        used.add(replacement[index].name)
    return replace_indices(term, replacement)


def replace_indices(term: Term, replacement: dict[Expr, Expr]) -> Term:
    """Replace indices without looking for capture; extents of bound axes follow along."""
    full = dict(replacement)
    bound = []
    for index in term.bound:
        target = full.get(index, index)
        axis = target.axis.substitute(full)
        if axis != target.axis:
            target = Index(target.name, axis)
            full[index] = target
        bound.append(target)
    changed = product(
        term.coefficient.xreplace(full), bound, (factor.xreplace(full) for factor in term.factors)
    )
    return changed if changed is not None else Term(S.Zero, (), ())


def substitute(term: Term, replacement: Mapping[Index, Expr]) -> Term | None:
    """Replace free indices by affine expressions; bound names step aside. None where zero."""
    incoming = _names(replacement.values())
    apart = rename_apart(term, incoming)
    changed = replace_indices(apart, dict(replacement))
    return changed if changed.coefficient != 0 else None


def multiply(left: Term, right: Term, bound: Sequence[Index] = ()) -> Term | None:
    """Product of two terms, bound names renamed apart; `bound` are summed over the product."""
    taken = _names(left.factors) | {index.name for index in left.bound}
    apart = rename_apart(right, taken | {index.name for index in bound})
    left = rename_apart(
        left, _names(apart.factors) | {index.name for index in (*apart.bound, *bound)}
    )
    return product(
        left.coefficient * apart.coefficient,
        (*bound, *left.bound, *apart.bound),
        (*left.factors, *apart.factors),
    )


def replace_factor(term: Term, position: int, replacement: Expression) -> tuple[Term, ...]:
    """The term with factor `position` (to its power 1) replaced by an expression.

    Free indices of the replacement may be bound in the term: they mean the same index. Only the
    replacement's own bound names step aside.
    """
    rest = term.factors[:position] + term.factors[position + 1 :]
    taken = _names(term.factors) | {index.name for index in term.bound}
    pieces = []
    for piece in replacement.terms:
        apart = rename_apart(piece, taken)
        pieces.append(
            product(
                term.coefficient * apart.coefficient,
                (*term.bound, *apart.bound),
                (*rest, *apart.factors),
            )
        )
    return tuple(piece for piece in pieces if piece is not None)


# --------------------------------------------------------------------------------------------
# Contraction
# --------------------------------------------------------------------------------------------


def contract(term: Term) -> Term | None:
    """Remove each Kronecker delta that meets a summed index: sum_j delta(j,l) X[n,j] = X[n,l].

    The index is eliminated only through a coefficient +1 or -1; where the solution may leave the
    axis of the index, a `Guard` stays behind. A sum over an index that no factor reads becomes
    its extent. None where the term is zero.
    Source: substitution property of the delta; compare GEM, optimise.delta_elimination.
    """
    current: Term | None = term
    while current is not None:
        solved = _first_solution(current)
        if solved is None:
            return _count_free_sums(current)
        position, index, value = solved
        current = _eliminate(current, position, index, value)
    return None


def _first_solution(term: Term) -> tuple[int, Index, Expr] | None:
    for position, factor in enumerate(term.factors):
        if isinstance(factor, Delta):
            for index in reversed(term.bound):
                value = solve_affine(factor.args[0], factor.args[1], index)
                if value is not None and not value.has(Element):
                    return position, index, value
    return None


def solve_affine(left: Expr, right: Expr, index: Index) -> Expr | None:
    """The value of `index` at which left = right; None unless its coefficient is +1 or -1."""
    if left == index and not right.has(index):
        return right
    if right == index and not left.has(index):
        return left
    difference = expand(left - right)
    coefficient = difference.coeff(index, 1)
    rest = difference - coefficient * index
    if coefficient not in (S.One, S.NegativeOne) or expand(rest).has(index):
        return None
    return expand(-rest * coefficient)


def _eliminate(term: Term, position: int, index: Index, value: Expr) -> Term | None:
    guard = Guard(value, index.axis.start, index.axis.extent)
    rest = Term(
        term.coefficient,
        tuple(bound for bound in term.bound if bound != index),
        term.factors[:position] + term.factors[position + 1 :],
    )
    replaced = replace_indices(rest, {index: value})
    if replaced.coefficient == 0:
        return None
    return product(replaced.coefficient, replaced.bound, (*replaced.factors, guard))


def _count_free_sums(term: Term) -> Term | None:
    read = _indices_of(term.factors) | _indices_of(index.axis.extent for index in term.bound)
    idle = [i for i in term.bound if i not in read and not indices_in(i.axis.extent)]
    if not idle:
        return term
    scale = Mul(term.coefficient, *(index.axis.extent for index in idle))
    return product(scale, (index for index in term.bound if index not in idle), term.factors)


def contracted(whole: Expression) -> Expression:
    return expression(*(contract(term) for term in whole.terms))


# --------------------------------------------------------------------------------------------
# Walking
# --------------------------------------------------------------------------------------------


def map_factors(whole: Expression, change: Callable[[Expr], Expr]) -> Expression:
    """Apply a pointwise change to every factor; zero terms disappear."""
    return expression(
        *(product(t.coefficient, t.bound, (change(f) for f in t.factors)) for t in whole.terms)
    )


def as_scalar(term: Term) -> Expr:
    """Coefficient times factors as one SymPy product, for terms without bound indices."""
    return Mul(term.coefficient, *term.factors)
