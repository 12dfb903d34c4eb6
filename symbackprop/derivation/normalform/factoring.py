"""Forms taken apart into factors: common denominators, contents, and what SymPy factors.

Owns: `together`, `factors_of`, roots of numbers. Refuses: bound names; functions other than powers.
Would be wrong if: the product of the factors were not the form, sign and scale included.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from math import isqrt

from sympy import Add, Dummy, Expr, factor_list

from symbackprop.derivation.normalform.forms import (
    Atom,
    Exponent,
    Form,
    Mono,
    add_into,
    atom,
    bounded,
    merged,
    number,
    oriented,
    reduced,
    sorted_mono,
)

MOST_FACTORED_TERMS = 24
MOST_DEGREE = 8


def factors_of(form: Form) -> list[tuple[Form, Exponent]]:
    """Factors with multiplicities; each is a number, one atom, or a sum in normal position."""
    numerator, denominator = together(form)
    content = content_of(numerator)
    inverse: Mono = tuple((a, -e) for a, e in content)
    primitive = Form({merged(m, inverse): c for m, c in numerator.terms.items()})
    found: list[tuple[Form, Exponent]] = [(atom(a), e) for a, e in content]
    found += [(a.data[0], -e) for a, e in denominator]
    return found + _factored(primitive)


def denominators_are_positive(form: Form) -> bool:
    return all(a.positive for mono in form.terms for a, _ in mono if a.kind == "poly")


def together(form: Form) -> tuple[Form, Mono]:
    """numerator, denominator: the form over one common denominator of sums."""
    lowest: dict[Atom, Exponent] = {}
    for mono in form.terms:
        for what, exponent in mono:
            if what.kind == "poly" and exponent < 0:
                lowest[what] = min(lowest.get(what, 0), exponent)
    if not lowest:
        return form, ()
    denominator: Mono = sorted_mono({what: -exponent for what, exponent in lowest.items()})
    numerator: dict[Mono, Fraction] = {}
    for mono, coefficient in form.terms.items():
        add_into(numerator, reduced(merged(mono, denominator)), coefficient)
    return bounded(numerator), denominator


def content_of(form: Form) -> Mono:
    """The largest monomial that divides every term; powers may be negative."""
    monos = [dict(mono) for mono in form.terms]
    atoms = {a for mono in monos for a in mono}
    lowest = {a: min(mono.get(a, 0) for mono in monos) for a in atoms}
    return sorted_mono({a: e for a, e in lowest.items() if e})


def _factored(form: Form) -> list[tuple[Form, Exponent]]:
    """Factors of a form without monomial content, scaled so that leading coefficients are 1."""
    bare, _ = oriented(form)
    scale = number(form.leading()[1])
    powers = [e for mono in bare.terms for _, e in mono]
    simple = len(bare.terms) < 3 and all(e == 1 for e in powers)
    whole = all(isinstance(e, int) and 0 < e <= MOST_DEGREE for e in powers)
    if len(bare.terms) == 1 or simple or not whole or len(bare.terms) > MOST_FACTORED_TERMS:
        return [(scale, 1), (bare, 1)]
    return [(scale, 1), *_through_sympy(bare)]


def _through_sympy(form: Form) -> list[tuple[Form, Exponent]]:
    atoms = sorted({a for mono in form.terms for a, _ in mono}, key=lambda a: a.key)
    names = {a: Dummy(f"a{place:03d}") for place, a in enumerate(atoms)}
    back = {name: a for a, name in names.items()}
    whole = Add(
        *(
            Add(int(c.numerator)) / int(c.denominator) * _power_product(mono, names)
            for mono, c in form.terms.items()
        )
    )
    constant, factors = factor_list(whole, *back)
    found: list[tuple[Form, Exponent]] = []
    scale = Fraction(int(constant.p), int(constant.q))
    for factor, multiplicity in factors:
        terms = {
            sorted_mono(
                {back[name]: int(e) for name, e in zip(back, powers, strict=True) if e}
            ): Fraction(int(c.p), int(c.q))
            for powers, c in factor.as_poly(*back).terms()
        }
        leading = Form(terms).leading()[1]
        scale *= leading ** int(multiplicity)
        found.append((Form(terms).scaled(1 / leading), int(multiplicity)))
    return [(number(scale), 1), *sorted(found, key=lambda pair: pair[0].key)]


def _power_product(mono: Mono, names: Mapping[Atom, Expr]) -> Expr:
    result: Expr = Add(1)
    for what, exponent in mono:
        result = result * names[what] ** exponent
    return result


def square_root(value: Fraction) -> Fraction | None:
    """The root of a square of a fraction; None for any other number."""
    if value < 0:
        return None
    root = Fraction(isqrt(value.numerator), isqrt(value.denominator))
    return root if root * root == value else None
