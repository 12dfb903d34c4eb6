"""What can be done with forms: functions, cases, sums, substitution, and the test for zero.

Owns: `Operations`, everything that holds whatever the tensors mean.
Refuses: what an entry is, and which facts hold of it: `Algebra` says that, over a network.
Would be wrong if: a rewrite were applied outside its condition. Logarithms split only at positive
factors.

Cases are linear: where(c, a, b) = [c] a + (1 - [c]) b, and a nonlinear function of it is taken
case by case.
"""

from __future__ import annotations

import itertools
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from fractions import Fraction

from symbackprop.derivation.normalform.factoring import (
    content_of,
    denominators_are_positive,
    factors_of,
    square_root,
    together,
)
from symbackprop.derivation.normalform.forms import (
    INDICATORS,
    ONE,
    ZERO,
    Atom,
    Exponent,
    Form,
    Mono,
    NoNormalForm,
    add_into,
    atom,
    bounded,
    depth_of,
    form_is_positive,
    merged,
    mono_order,
    number,
    only_atom,
    oriented,
    reduced,
    shown,
    variable,
    variables_of,
)
from symbackprop.derivation.normalform.naming import (
    components,
    followed,
    named_key,
    names_by_place,
    renamed,
    renamed_mono,
    sum_atom,
)

MOST_BITS = 4096
MOST_WORK = 20_000
_POINTWISE = frozenset(("exp", "log", "tanh", "poly", "gt"))


_Choice = tuple[Atom, Atom, Form]


class Operations(ABC):
    """Builds forms from forms. `hyperbolic`: tanh is written through exp. `work`: what was done
    so far, towards the bound of a comparison."""

    def __init__(self, hyperbolic: bool = False) -> None:
        self.hyperbolic = hyperbolic
        self.work = 0
        self._fresh = itertools.count()
        self._moved: dict[tuple[str, tuple[tuple[str, str], ...]], Form] = {}
        self._inverses: dict[str, Form] = {}
        self._rebuilt: dict[str, Form] = {}

    @abstractmethod
    def element(self, tensor: str, arguments: tuple[Form, ...]) -> Form:
        """An entry of a tensor."""

    @abstractmethod
    def stays(self, argument: Form, axis: Atom) -> bool:
        """Whether a place is certain to be on an axis."""

    @abstractmethod
    def with_facts(self, mono: Mono, binders: tuple[Atom, ...]) -> tuple[Mono, tuple[Atom, ...]]:
        """A product under a sum, shortened by facts about its entries."""

    def _worked(self) -> None:
        self.work += 1
        if self.work > MOST_WORK:
            raise NoNormalForm("more work than the bound of a comparison")

    # ---- indicators and cases ----------------------------------------------------------------

    def delta(self, difference: Form) -> Form:
        value = difference.constant
        if value is not None:
            return ZERO if value else ONE
        return atom(Atom("delta", oriented(difference)[0]))

    def guard(self, argument: Form, start: Form, extent: Form) -> Form:
        only = only_atom(argument)
        if only is not None and start.constant is not None:
            axis = variable("", extent, int(start.constant))
            if self.stays(argument, axis):
                return ONE
        return atom(Atom("guard", argument, start, extent))

    def compared(self, difference: Form, relation: str) -> Form:
        """The indicator of `difference relation 0`."""
        match relation:
            case ">":
                return self.gt(difference)
            case "<":
                return self.gt(-difference)
            case ">=":
                return ONE - self.gt(-difference)
            case "<=":
                return ONE - self.gt(difference)
            case "==":
                return self.zero(difference)
            case "!=":
                return ONE - self.zero(difference)
        raise NoNormalForm(f"the comparison {relation} is not known")

    def gt(self, form: Form) -> Form:
        """[form > 0]."""
        return self.cases(form, self._gt)

    def _gt(self, form: Form) -> Form:
        if form.is_zero or form_is_positive(-form):
            return ZERO
        if form_is_positive(form):
            return ONE
        bare, sign = oriented(self._without_positive(form))
        if sign > 0:
            return atom(Atom("gt", bare))
        return ONE - atom(Atom("gt", bare)) - atom(Atom("zero", bare))

    def zero(self, form: Form) -> Form:
        """[form = 0]."""
        return self.cases(form, self._zero)

    def _zero(self, form: Form) -> Form:
        if form.is_zero:
            return ONE
        if form_is_positive(form) or form_is_positive(-form):
            return ZERO
        return atom(Atom("zero", oriented(self._without_positive(form))[0]))

    def _without_positive(self, form: Form) -> Form:
        """The form divided by a positive factor of it: the sign does not change."""
        numerator, _ = together(form) if denominators_are_positive(form) else (form, ())
        content = content_of(numerator)
        positive: Mono = tuple((a, -e) for a, e in content if a.positive)
        return Form({merged(m, positive): c for m, c in numerator.terms.items()})

    def where(self, condition: Form, one: Form, other: Form) -> Form:
        return self._at_ties(condition * one + (ONE - condition) * other)

    def _at_ties(self, form: Form) -> Form:
        """Where [u = 0] holds for an entry u, everything beside it is taken at u = 0."""
        result: dict[Mono, Fraction] = {}
        for mono, coefficient in form.terms.items():
            add_into(result, self._at_tie(mono), coefficient)
        return bounded(result)

    def _at_tie(self, mono: Mono) -> Form:
        for what, _ in mono:
            entry = only_atom(what.data[0]) if what.kind == "zero" else None
            if entry is None:
                continue
            others = Form({tuple(p for p in mono if p[0] != what): Fraction(1)})
            moved = self.replaced(others, entry, ZERO)
            if moved != others:
                return self._at_ties(moved * atom(what))
        return Form({mono: Fraction(1)})

    def cases(self, form: Form, function: Callable[[Form], Form]) -> Form:
        """function(form), taken apart at each indicator that the form holds."""
        found = sorted(
            {a for mono in form.terms for a, _ in mono if a.kind in INDICATORS},
            key=lambda a: (a.kind != "gt", a.key),
        )
        if not found:
            return function(form)
        if len(found) > 8:
            raise NoNormalForm("more than eight conditions meet in one function")
        first = found[0]
        one = self.cases(decided(form, first, True), function)
        other = self.cases(decided(form, first, False), function)
        return self.where(atom(first), one, other) if one != other else one

    # ---- functions ---------------------------------------------------------------------------

    def exp(self, form: Form) -> Form:
        return self.cases(form, self._exp)

    def _exp(self, form: Form) -> Form:
        result = ONE
        for mono, coefficient in sorted(form.terms.items(), key=lambda item: mono_order(item[0])):
            exponent = _plain(coefficient)
            if len(mono) == 1 and mono[0][0].kind == "log" and mono[0][1] == 1:
                result = result * self.power(mono[0][0].data[0], Fraction(exponent))
            else:
                result = result * atom(Atom("exp", mono), exponent)
        return result

    def log(self, form: Form) -> Form:
        return self.cases(form, self._log)

    def _log(self, form: Form) -> Form:
        if form.is_zero:
            raise NoNormalForm("the logarithm of zero")
        result, rest = ZERO, ONE
        for factor, exponent in factors_of(form):
            only = only_atom(factor)
            if only is not None and only.kind == "exp":
                result = result + Form({only.data[0]: Fraction(exponent)})
            elif factor == ONE:
                continue
            elif form_is_positive(factor):
                result = result + atom(Atom("log", factor)).scaled(Fraction(exponent))
            else:
                rest = rest * self.power(factor, Fraction(exponent))
        return result if rest == ONE else result + atom(Atom("log", rest))

    def tanh(self, form: Form) -> Form:
        return self.cases(form, self._tanh)

    def _tanh(self, form: Form) -> Form:
        if self.hyperbolic:
            twice = self.exp(form.scaled(Fraction(2)))
            return (twice - ONE) * self.power(twice + ONE, Fraction(-1))
        if form.is_zero:
            return ZERO
        sign = 1 if form.leading()[1] > 0 else -1
        return atom(Atom("tanh", form.scaled(Fraction(sign)))).scaled(Fraction(sign))

    def cosh(self, form: Form) -> Form:
        """(1 - tanh^2)^(-1/2), so that 1/cosh^2 and 1 - tanh^2 look equal."""
        if self.hyperbolic:
            return (self.exp(form) + self.exp(-form)).scaled(Fraction(1, 2))
        return self.cases(form, self._cosh)

    def _cosh(self, form: Form) -> Form:
        slope = self._tanh(form)
        square = ONE - slope * slope
        return ONE if square == ONE else atom(Atom("poly", square), Fraction(-1, 2))

    def sinh(self, form: Form) -> Form:
        if self.hyperbolic:
            return (self.exp(form) - self.exp(-form)).scaled(Fraction(1, 2))
        return self.tanh(form) * self.cosh(form)

    def power(self, form: Form, exponent: Fraction) -> Form:
        self._worked()
        if exponent.denominator == 1 and exponent >= 0:
            result = ONE
            for _ in range(_small(int(exponent))):
                result = result * form
                _check_numbers(result)
            return result
        if exponent == -1:
            if form.key not in self._inverses:
                self._inverses[form.key] = self.cases(form, lambda f: self._power(f, exponent))
            return self._inverses[form.key]
        return self.cases(form, lambda f: self._power(f, exponent))

    def _power(self, form: Form, exponent: Fraction) -> Form:
        if form.is_zero:
            raise NoNormalForm("a division by zero")
        result = ONE
        for factor, multiplicity in factors_of(form):
            if exponent.denominator != 1 and not form_is_positive(factor):
                factor, multiplicity = self._whole(factor, multiplicity), 1
            result = result * self._factor_power(factor, exponent * multiplicity)
        return result

    def _whole(self, factor: Form, multiplicity: Exponent) -> Form:
        raise NoNormalForm("a root of something that is not known to be positive")

    def _factor_power(self, factor: Form, exponent: Fraction) -> Form:
        value = factor.constant
        if value is not None:
            if exponent.denominator == 1:
                return number(value ** int(exponent))
            root = square_root(value) if exponent.denominator == 2 else None
            if root is not None:
                return number(root**exponent.numerator)
            return ONE if value == 1 else atom(Atom("poly", factor), exponent)
        only = only_atom(factor)
        if only is not None:
            return atom(only, _plain(exponent))
        return reduced(((Atom("poly", factor), _plain(exponent)),))

    # ---- sums --------------------------------------------------------------------------------

    def summed(self, form: Form, variables: Sequence[Atom]) -> Form:
        if not variables:
            return form
        result: dict[Mono, Fraction] = {}
        for mono, coefficient in form.terms.items():
            add_into(result, self._summed_mono(mono, tuple(variables)), coefficient)
        return bounded(result)

    def _summed_mono(self, mono: Mono, binders: tuple[Atom, ...]) -> Form:
        """Sums that read a bound index join the outer one; deltas are contracted."""
        self._worked()
        inside = ONE
        opened: list[Atom] = []
        for what, exponent in mono:
            if what.kind == "sum" and exponent >= 1 and what.variables & set(binders):
                for _ in range(_small(int(exponent))):
                    names, content = self._opened(what)
                    opened += names
                    inside = inside * Form({content: Fraction(1)})
            else:
                inside = inside * reduced(((what, exponent),))
        result: dict[Mono, Fraction] = {}
        for piece, coefficient in inside.terms.items():
            add_into(result, self._contracted(piece, (*binders, *opened)), coefficient)
        return bounded(result)

    def _opened(self, what: Atom) -> tuple[list[Atom], Mono]:
        renaming = self.all_fresh(what.data[0])
        return list(renaming.values()), renamed_mono(what.data[1], renaming)

    def fresh(self, like: Atom) -> Atom:
        return variable(f"${next(self._fresh):06d}", like.data[2], like.data[1])

    def all_fresh(self, binders: Iterable[Atom]) -> dict[Atom, Atom]:
        return followed({binder: f"${next(self._fresh):06d}" for binder in binders})

    def _contracted(self, mono: Mono, binders: tuple[Atom, ...]) -> Form:
        choices = [
            (what, binder, value)
            for what, _ in mono
            if what.kind == "delta"
            for binder in reversed(binders)
            if (value := solved(what.data[0], binder)) is not None
        ]
        if not choices:
            return self._closed(mono, binders)
        what, binder, value = self._chosen(choices, mono, binders)
        rest = Form({tuple(p for p in mono if p[0] != what): Fraction(1)})
        guard = self.guard(value, number(binder.data[1]), binder.data[2])
        put = {binder: value}
        left = [
            variable(b.data[0], self.substituted(b.data[2], put), b.data[1])
            for b in binders
            if b != binder
        ]
        return self.summed(self.substituted(rest, put) * guard, left)

    def _chosen(self, choices: list[_Choice], mono: Mono, binders: tuple[Atom, ...]) -> _Choice:
        """Of two indices of one range either may go; of others a guard tells which did, so that
        the canonical order decides."""
        even = next((choice for choice in choices if self.stays(choice[2], choice[1])), None)
        if even is not None or len(choices) == 1:
            return even or choices[0]
        names = names_by_place(mono, binders)
        return min(choices, key=lambda choice: [named_key(part, names) for part in choice[:2]])

    def _closed(self, mono: Mono, binders: tuple[Atom, ...]) -> Form:
        mono, binders = self.with_facts(mono, binders)
        result = Form({tuple(p for p in mono if not p[0].variables & set(binders)): Fraction(1)})
        for names, factors in components(mono, binders):
            if not factors and len(names) == 1:
                result = result * names[0].data[2]
            else:
                result = result * self._component(factors, names)
        return result

    def _component(self, factors: Mono, binders: tuple[Atom, ...]) -> Form:
        if len(binders) > 1:
            for binder in binders:
                cancelled = self._cancelled(factors, binder)
                if cancelled is not None:
                    return self.summed(cancelled, [b for b in binders if b != binder])
        return atom(sum_atom(factors, binders))

    def _cancelled(self, factors: Mono, binder: Atom) -> Form | None:
        """sum_k exp(z[n,k]) next to its own reciprocal, inside a sum over n."""
        inner = tuple(p for p in factors if binder in p[0].variables)
        name = sum_atom(inner, (binder,))
        rest = tuple(p for p in factors if binder not in p[0].variables)
        if dict(rest).get(name, 0) < 0:
            return reduced(merged(rest, ((name, 1),)))
        return None

    def maximum_over(self, form: Form, binder: Atom) -> Form:
        """max over one index: an opaque entry, named by its content."""
        name = variable(f"#{depth_of(form) + 1}_0", binder.data[2], binder.data[1])
        return atom(Atom("max", (name,), renamed(form, {binder: name})))

    # ---- substitution ------------------------------------------------------------------------

    def substituted(self, form: Form, values: Mapping[Atom, Form]) -> Form:
        """Index variables replaced by integer-valued forms; nothing is captured, because bound
        names are canonical and what is put in never holds one."""
        moved = {v: value for v, value in values.items() if value != atom(v)}
        if not moved or not form.variables & set(moved):
            return form
        result: dict[Mono, Fraction] = {}
        for mono, coefficient in form.terms.items():
            product = ONE
            for what, exponent in mono:
                product = product * self._moved_power(what, exponent, moved)
            add_into(result, product, coefficient)
        return bounded(result)

    def _moved_power(self, what: Atom, exponent: Exponent, values: Mapping[Atom, Form]) -> Form:
        if not what.variables & set(values):
            return reduced(((what, exponent),))
        self._worked()
        chosen = {v: f for v, f in values.items() if v in what.variables}
        key = (what.key, tuple(sorted((v.key, f.key) for v, f in chosen.items())))
        if key not in self._moved:
            self._moved[key] = self._moved_atom(what, chosen)
        return self.power(self._moved[key], Fraction(exponent))

    def _moved_atom(self, what: Atom, values: Mapping[Atom, Form]) -> Form:
        def move(form: Form) -> Form:
            return self.substituted(form, values)

        if what in values:
            return values[what]
        if what.kind == "el":
            return atom(Atom("el", what.data[0], tuple(map(move, what.data[1]))))
        return self.built(what, move)

    def replaced(self, form: Form, entry: Atom, value: Form) -> Form:
        """One entry replaced by a value wherever it stands outside sums over its indices."""
        result: dict[Mono, Fraction] = {}
        for mono, coefficient in form.terms.items():
            product = ONE
            for what, exponent in mono:
                product = product * self._replaced_power(what, exponent, entry, value)
            add_into(result, product, coefficient)
        return bounded(result)

    def _replaced_power(self, what: Atom, exponent: Exponent, entry: Atom, value: Form) -> Form:
        if what == entry:
            return self.power(value, Fraction(exponent))
        if what.kind not in _POINTWISE or not what.variables >= entry.variables:
            return reduced(((what, exponent),))
        moved = self.built(what, lambda form: self.replaced(form, entry, value))
        return self.power(moved, Fraction(exponent))

    def rebuilt(self, form: Form) -> Form:
        """A form of another algebra (with fewer names written out) in terms of this one."""
        result: dict[Mono, Fraction] = {}
        for mono, coefficient in form.terms.items():
            product = ONE
            for what, exponent in mono:
                if what.key not in self._rebuilt:
                    self._rebuilt[what.key] = self.built(what, self.rebuilt)
                product = product * self.power(self._rebuilt[what.key], Fraction(exponent))
            add_into(result, product, coefficient)
        return bounded(result)

    def built(self, what: Atom, move: Callable[[Form], Form]) -> Form:
        """The same kind of atom with its parts moved, simplified anew."""

        def moved(name: Atom) -> Atom:
            return variable(name.data[0], move(name.data[2]), name.data[1])

        match what.kind:
            case "dim":
                return atom(what)
            case "var":
                return atom(moved(what))
            case "el":
                return self.element(what.data[0], tuple(map(move, what.data[1])))
            case "exp":
                return self.exp(move(Form({what.data[0]: Fraction(1)})))
            case "log":
                return self.log(move(what.data[0]))
            case "tanh":
                return self.tanh(move(what.data[0]))
            case "gt":
                return self.gt(move(what.data[0]))
            case "zero":
                return self.zero(move(what.data[0]))
            case "delta":
                return self.delta(move(what.data[0]))
            case "guard":
                return self.guard(*map(move, what.data))
            case "poly":
                return move(what.data[0])
            case "max":
                ((binder, name),) = self.all_fresh(what.data[0]).items()
                return self.maximum_over(move(renamed(what.data[1], {binder: name})), moved(name))
            case "sum":
                names, content = self._opened(what)
                return self.summed(move(Form({content: Fraction(1)})), list(map(moved, names)))
        raise NoNormalForm(f"an index cannot be put into {what.kind}")

    # ---- zero --------------------------------------------------------------------------------

    def vanishes(self, form: Form) -> bool:
        """True is a proof that the form is zero everywhere; False says nothing."""
        if form.is_zero:
            return True
        aligned = self._at_ties(self._aligned(form))
        if aligned.is_zero:
            return True
        numerator, _ = together(aligned)
        return numerator.is_zero

    def _aligned(self, form: Form) -> Form:
        """A delta of free indices lets every other factor read the other side."""
        result = ZERO
        for mono, coefficient in form.terms.items():
            result = result + self._aligned_mono(mono).scaled(coefficient)
        return result

    def _aligned_mono(self, mono: Mono) -> Form:
        for what, _ in mono:
            if what.kind != "delta":
                continue
            for name in sorted(what.data[0].variables, key=lambda v: v.key, reverse=True):
                value = solved(what.data[0], name)
                others = tuple(p for p in mono if p[0] != what)
                if value is None:
                    continue
                if name not in variables_of(others):
                    break  # the other name stays: replaced too, the two would change places forever
                moved = self.substituted(Form({others: Fraction(1)}), {name: value})
                return self._aligned(moved * atom(what)) if moved.variables else moved * atom(what)
        return Form({mono: Fraction(1)})

    def without_ties(self, form: Form) -> tuple[Form, tuple[str, ...]]:
        """The form where no condition is met exactly, and what that assumes."""
        ties = {a for mono in form.terms for a, _ in mono if a.kind == "zero"}
        for tie in ties:
            form = decided(form, tie, False)
        return form, tuple(sorted(f"{shown(tie.data[0])} is nowhere exactly 0" for tie in ties))


# --------------------------------------------------------------------------------------------
# Helpers
# --------------------------------------------------------------------------------------------


def _plain(value: Fraction) -> Exponent:
    return int(value) if value.denominator == 1 else value


def _small(exponent: int) -> int:
    if exponent > 64:
        raise NoNormalForm(f"a power of {exponent} is not expanded")
    return exponent


def _check_numbers(form: Form) -> None:
    for coefficient in form.terms.values():
        if max(abs(coefficient.numerator), coefficient.denominator).bit_length() > MOST_BITS:
            raise NoNormalForm(f"a number of more than {MOST_BITS} bits")


def decided(form: Form, condition: Atom, holds: bool) -> Form:
    """The form where an indicator is known; where u > 0 holds, u = 0 does not."""
    known = {condition: holds}
    if holds and condition.kind in ("gt", "zero"):
        known[Atom("zero" if condition.kind == "gt" else "gt", condition.data[0])] = False
    result: dict[Mono, Fraction] = {}
    for mono, coefficient in form.terms.items():
        if any(not known.get(a, True) for a, _ in mono):
            continue
        kept = tuple(p for p in mono if p[0] not in known)
        add_into(result, Form({kept: Fraction(1)}), coefficient)
    return Form(result)


def solved(difference: Form, name: Atom) -> Form | None:
    """The value of an index at which the difference is 0; None unless its coefficient is +-1."""
    coefficient = difference.terms.get(((name, 1),))
    if coefficient not in (1, -1):
        return None
    rest = difference - atom(name).scaled(coefficient)
    return None if name in rest.variables else rest.scaled(-1 / coefficient)
