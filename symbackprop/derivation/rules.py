"""The named rewrites: each takes an expression to an equal one, or leaves it alone.

Owns: the derivative of one equation, the use of facts (rows that sum to one, quotients that have
a name, f' through f), cancelling of pointwise scalars, dropping of range guards.
Refuses: choosing among them; the order and the choice belong to `derive`.
Would be wrong if: a fact were used that the network does not declare. Every rule is run on random
terms against the interpreter.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from sympy import Add, Dummy, Expr, Pow, S, factor_terms, fraction, together
from sympy import cancel as sympy_cancel
from sympy import factor as sympy_factor

from symbackprop.calculus.scalars import ScalarFunction
from symbackprop.calculus.terms import (
    Applied,
    Delta,
    Element,
    Expression,
    Guard,
    Index,
    Partial,
    Term,
    as_scalar,
    contracted,
    elements_in,
    expression,
    product,
    rename_apart,
    replace_factor,
    substitute,
    text,
)
from symbackprop.networks.network import CountsClasses, Equation, Network, SumsToOne, tensors_in


@dataclass(frozen=True)
class Rule:
    """A rewrite with the name and the reason that a step shows."""

    name: str
    reason: str
    rewrite: Callable[[Expression, Network], Expression]


# --------------------------------------------------------------------------------------------
# The derivative of one equation
# --------------------------------------------------------------------------------------------


def local_derivative(
    equation: Equation, written: Element, entry: Element, network: Network
) -> Expression:
    """d written / d entry within one equation, other tensors held fixed.

    `written` is the left side under the index names in use; `entry` an element of a tensor that
    the right side reads, under index names of its own. Each place that reads the tensor adds
    the derivative of its factor times a delta for each index: a product and chain rule.
    """
    taken = {index.name for side in (written, entry) for index in side.indices}
    renaming = dict(zip(equation.indices, written.indices, strict=True))
    pieces: list[Term] = []
    for term in equation.rhs.terms:
        placed = substitute(rename_apart(term, taken), renaming)
        if placed is None:
            continue
        for position, factor in enumerate(placed.factors):
            for element in elements_in(factor):
                if element.tensor == entry.tensor:
                    slope = factor_derivative(factor, element, network.functions)
                    deltas = [
                        Delta(left, right)
                        for left, right in zip(element.indices, entry.indices, strict=True)
                    ]
                    whole = expression(product(1, (), (slope, *deltas)))
                    pieces.extend(replace_factor(placed, position, whole))
    return Expression(tuple(pieces))


@lru_cache(maxsize=65536)
def _slot() -> Dummy:
    return Dummy("u", real=True)


def factor_derivative(
    factor: Expr, element: Element, functions: Mapping[str, ScalarFunction]
) -> Expr:
    """d factor / d element by SymPy's `diff`; named functions become f', elementary ones the
    expression that `diff` gives for their definition."""
    if factor == element:
        return S.One
    slot = _slot()
    slope = factor.xreplace({element: slot}).diff(slot).xreplace({slot: element})
    return _elementary_slopes(slope, functions)


def _elementary_slopes(slope: Expr, functions: Mapping[str, ScalarFunction]) -> Expr:
    """log'(u) -> 1/u and exp'(u) -> exp(u)."""
    replacement = {}
    for applied in slope.atoms(Applied):
        function = functions[applied.function]
        if applied.order == 1 and function.elementary:
            output = Applied(applied.function, 0, applied.argument)
            replacement[applied] = function.slope(applied.argument, output)
    return slope.xreplace(replacement) if replacement else slope


def take_derivatives(whole: Expression, network: Network) -> Expression:
    """Replace each derivative within an equation by its value: a step of the chain rule."""
    pieces: list[Term] = []
    for term in whole.terms:
        position = _position(term, lambda f: isinstance(f, Partial) and not f.total)
        if position is None:
            pieces.append(term)
            continue
        partial = term.factors[position]
        equation = network.equation_of[partial.args[0].tensor]
        value = local_derivative(equation, partial.args[0], partial.args[1], network)
        pieces.extend(replace_factor(term, position, value))
    return Expression(tuple(pieces))


def _position(term: Term, wanted: Callable[[Expr], bool]) -> int | None:
    return next((place for place, factor in enumerate(term.factors) if wanted(factor)), None)


def contract_deltas(whole: Expression, network: Network) -> Expression:
    """Deltas that meet a summed index, then guards that some factor makes superfluous."""
    return drop_guards(contracted(whole), network)


# --------------------------------------------------------------------------------------------
# Guards
# --------------------------------------------------------------------------------------------


def drop_guards(whole: Expression, network: Network) -> Expression:
    """A guard is superfluous where a factor reads the same place of an axis of the same range:
    reads outside a tensor are 0."""
    return expression(*(_without_guards(term, network) for term in whole.terms))


def _without_guards(term: Term, network: Network) -> Term | None:
    if not any(isinstance(factor, Guard) for factor in term.factors):
        return term
    kept = [f for f in term.factors if not (isinstance(f, Guard) and _is_read(f, term, network))]
    return product(term.coefficient, term.bound, kept)


def _is_read(guard: Guard, term: Term, network: Network) -> bool:
    argument, start, extent = guard.args
    for factor in term.factors:
        element = factor.base if factor.is_Pow and factor.exp.is_positive else factor
        if isinstance(element, Element) and element.tensor in network.by_name:
            tensor = network.by_name[element.tensor]
            binding = dict(zip(tensor.indices, element.indices, strict=True))
            for axis, written in zip(tensor.axes, element.indices, strict=True):
                ranged = axis.substitute(binding)
                if written == argument and ranged.start == start and ranged.extent == extent:
                    return True
    return False


# --------------------------------------------------------------------------------------------
# Facts
# --------------------------------------------------------------------------------------------


def name_definitions(whole: Expression, network: Network) -> Expression:
    """exp(z[n,k]) / s[n] -> yhat[n,k]: right sides that have a name, oriented toward the name."""
    for equation in network.naming_equations:
        whole = expression(*(_named(term, equation) for term in whole.terms))
    return whole


def _named(term: Term, equation: Equation) -> Term:
    (pattern,) = equation.rhs.terms
    leader = max(pattern.factors, key=lambda factor: (len(factor.atoms(Index)), text(factor)))
    for factor in term.factors:
        binding = unify(leader, _base(factor), equation.indices)
        if binding is None:
            continue
        wanted = [part.xreplace(binding) for part in pattern.factors]
        powers = dict(_power(part) for part in term.factors)
        if all(_covers(powers, *_power(part)) for part in wanted):
            rest = (Pow(part, -1) for part in wanted)
            named = product(
                term.coefficient / pattern.coefficient,
                term.bound,
                (*term.factors, *rest, equation.entry.xreplace(binding)),
            )
            assert named is not None
            return _named(named, equation)
    return term


def _base(factor: Expr) -> Expr:
    return _power(factor)[0]


def _power(factor: Expr) -> tuple[Expr, Expr]:
    if factor.is_Pow and factor.exp.is_Integer:
        return factor.base, factor.exp
    return factor, S.One


def _covers(powers: Mapping[Expr, Expr], base: Expr, exponent: Expr) -> bool:
    """Whether a product with these powers contains base**exponent with nothing left against it."""
    present = powers.get(base, S.Zero)
    return bool(present * exponent > 0 and abs(present) >= abs(exponent))


def unify(pattern: Expr, written: Expr, variables: tuple[Index, ...]) -> dict[Expr, Expr] | None:
    """Values of the variables, none outside its axis, that turn the pattern into what is written.

    Outside both sides may differ: the named sigma(z[n+1]) would be 0, the written one 1/2.
    """
    binding: dict[Expr, Expr] = {}
    return binding if _unify(pattern, written, variables, binding) else None


def _unify(
    pattern: Expr, written: Expr, variables: tuple[Index, ...], binding: dict[Expr, Expr]
) -> bool:
    if pattern in variables:
        return pattern.axis.substitute(binding).holds(written) and bool(
            binding.setdefault(pattern, written) == written
        )
    if not pattern.args or type(pattern) is not type(written):
        return bool(pattern == written)
    if len(pattern.args) != len(written.args):
        return False
    return all(
        _unify(left, right, variables, binding)
        for left, right in zip(pattern.args, written.args, strict=True)
    )


def use_label_sums(whole: Expression, network: Network) -> Expression:
    """sum_k y[n,k] = 1, and sum_k delta(k, y[n]) = 1 for whole-number labels."""
    return expression(*(_label_sum(term, network) for term in whole.terms))


def _label_sum(term: Term, network: Network) -> Term:
    for index in term.bound:
        holders = [factor for factor in term.factors if factor.has(index)]
        if len(holders) == 1 and _sums_to_one(holders[0], index, network):
            rest = product(
                term.coefficient,
                (other for other in term.bound if other != index),
                (factor for factor in term.factors if factor != holders[0]),
            )
            assert rest is not None
            return _label_sum(rest, network)
    return term


def _sums_to_one(factor: Expr, index: Index, network: Network) -> bool:
    if isinstance(factor, Element) and factor.tensor in network.by_name:
        tensor = network.by_name[factor.tensor]
        return any(
            isinstance(fact, SumsToOne) and factor.indices[fact.axis] == index
            for fact in tensor.facts
        )
    if isinstance(factor, Delta):
        sides = [side for side in factor.args if isinstance(side, Element)]
        if len(sides) == 1 and index in factor.args and not sides[0].has(index):
            tensor = network.by_name[sides[0].tensor]
            return any(
                isinstance(fact, CountsClasses) and fact.axis.same_range(index.axis)
                for fact in tensor.facts
            )
    return False


def through_output(whole: Expression, network: Network) -> Expression:
    """sigma'(z[n,k]) -> h[n,k] (1 - h[n,k]) where h = sigma(z) is an equation of the network;
    and sigma(z[n,k]) -> h[n,k]."""
    applied = sorted(
        {a for term in whole.terms for f in term.factors for a in f.atoms(Applied)}, key=text
    )
    replacement: dict[Expr, Expr] = {}
    for atom in applied:
        value = _through(atom, network)
        if value is not None:
            replacement[atom] = value
    if not replacement:
        return whole
    return expression(
        *(
            product(t.coefficient, t.bound, (f.xreplace(replacement) for f in t.factors))
            for t in whole.terms
        )
    )


def _through(atom: Applied, network: Network) -> Expr | None:
    output = _output_named(atom, network)
    if atom.order == 0:
        return output
    function = network.functions[atom.function]
    if atom.order != 1:
        return None
    value = function.slope(atom.argument, output if output is not None else _nothing())
    return None if value is None or value.has(_nothing()) else value


@lru_cache(maxsize=1)
def _nothing() -> Dummy:
    return Dummy("unnamed")


def _output_named(atom: Applied, network: Network) -> Element | None:
    """The tensor entry that is defined as f(argument)."""
    wanted = Applied(atom.function, 0, atom.argument)
    for equation in network.applications.get((atom.function, tensors_in(atom)), ()):
        (term,) = equation.rhs.terms
        binding = unify(term.factors[0], wanted, equation.indices)
        if binding is not None:
            named: Element = equation.entry.xreplace(binding)
            return named
    return None


# --------------------------------------------------------------------------------------------
# Pointwise scalars
# --------------------------------------------------------------------------------------------


def cancel_pointwise(whole: Expression, network: Network) -> Expression:
    """Combine the terms without sums and deltas into one fraction, cancelled and factored once.

    Everything that is not a sum, a product or a power counts as a variable, so that nothing is
    expanded into exp; deltas stay apart (diag(y) - y'y must not become (I - y) y).
    """
    plain = [term for term in whole.terms if _is_pointwise(term, network)]
    others = [term for term in whole.terms if not _is_pointwise(term, network)]
    if len(plain) < 2:
        return whole
    total = Add(*(as_scalar(term) for term in plain))
    combined = _tidy_fraction(total)
    changed = expression(combined, *others)
    return changed if size(changed) < size(whole) else whole


def _is_pointwise(term: Term, network: Network) -> bool:
    """No sum, no delta, and no adjoint: an adjoint enters linearly and is still to be replaced."""
    return not term.bound and not any(
        f.has(Delta, Guard, Partial) or any(_is_adjoint(e, network) for e in elements_in(f))
        for f in term.factors
    )


def _is_adjoint(element: Element, network: Network) -> bool:
    tensor = network.by_name.get(element.tensor)
    return tensor is not None and tensor.kind == "adjoint"


def _tidy_fraction(total: Expr) -> Term | None:
    numerator, denominator = fraction(together(sympy_cancel(total)))
    return product(1, (), (factor_terms(sympy_factor(numerator)), 1 / sympy_factor(denominator)))


def orient_differences(whole: Expression, network: Network) -> Expression:
    """One sign convention for sums inside products: 1 - h and yhat - y, never h - 1 or y - yhat."""
    labels = {tensor.name for tensor in network.of_kind("label")}
    return expression(
        *(
            product(
                t.coefficient, t.bound, (part for f in t.factors for part in _orient(f, labels))
            )
            for t in whole.terms
        )
    )


def _orient(factor: Expr, labels: set[str]) -> tuple[Expr, ...]:
    """Sign and sum apart: SymPy would multiply -1 back into the sum."""
    base, exponent = _power(factor)
    if not base.is_Add:
        return (factor,)
    signed = [addend.as_coeff_Mul() for addend in base.args]
    leader = min(signed, key=lambda pair: _rank(pair[1], labels))
    if not leader[0].is_negative:
        return (factor,)
    return (S.NegativeOne**exponent, Pow(Add(*(-addend for addend in base.args)), exponent))


def _rank(rest: Expr, labels: set[str]) -> tuple[int, str]:
    """Numbers lead, then values of the network, then labels."""
    if rest == 1:
        return (0, "")
    is_label = any(element.tensor in labels for element in elements_in(rest))
    return (2 if is_label else 1, text(rest))


def merge_like_terms(whole: Expression, network: Network) -> Expression:
    """Add coefficients of terms that are written alike."""
    sums: dict[tuple[tuple[Index, ...], tuple[Expr, ...]], Expr] = {}
    for term in whole.terms:
        key = (term.bound, term.factors)
        sums[key] = sums.get(key, S.Zero) + term.coefficient
    return expression(*(Term(scale, *key) for key, scale in sums.items() if scale.expand() != 0))


def size(whole: Expression) -> int:
    """How long the expression is to a reader: letters and numbers, plus one for each term."""
    return sum(1 + sum(_length(factor) for factor in term.factors) for term in whole.terms)


@lru_cache(maxsize=65536)
def _length(factor: Expr) -> int:
    if isinstance(factor, (Element, Delta, Guard)):
        return 1
    if isinstance(factor, Applied):
        return 1 + _length(factor.argument)
    if not factor.args:
        return 0 if factor == -1 else 1
    return sum(_length(argument) for argument in factor.args)


NAME_DEFINITIONS = Rule(
    "name the quotient", "exp(z) divided by its sum is the softmax itself", name_definitions
)
USE_LABEL_SUMS = Rule("labels sum to one", "the labels of a sample add up to 1", use_label_sums)
THROUGH_OUTPUT = Rule(
    "derivative through the output",
    "f'(z) is written through f(z), which the forward pass has kept",
    through_output,
)
CANCEL = Rule("cancel", "combine into one fraction and cancel common factors", cancel_pointwise)
CONTRACT = Rule(
    "contract the deltas",
    "a sum against a Kronecker delta keeps the one term where its indices agree",
    contract_deltas,
)
TAKE_DERIVATIVES = Rule(
    "differentiate each equation",
    "the derivative of every forward equation with respect to this entry",
    take_derivatives,
)
