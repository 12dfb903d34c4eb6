"""Where an affine index can be: guards and deltas that sizes alone decide.

Owns: bounds of affine forms over index variables; sums over a stretch of an axis.
Refuses: anything else; what is not decided stays as it is. Every size is at least 1.
Would be wrong if: a bound held for some sizes only. A bound counts when it holds for all of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from symbackprop.derivation.normalform import (
    ONE,
    ZERO,
    Algebra,
    Atom,
    Form,
    Mono,
    atom,
    number,
    variable,
)


def is_at_least(form: Form, value: int) -> bool:
    """Whether a form of sizes is known to be >= value; False says nothing."""
    bound = Fraction(0)
    for mono, coefficient in form.terms.items():
        sizes = all(a.kind == "dim" and isinstance(e, int) and e > 0 for a, e in mono)
        if not sizes or (mono and coefficient < 0):
            return False
        bound += coefficient
    return bound >= value


def is_size(form: Form) -> bool:
    """Whether a form is made of sizes and numbers alone."""
    return all(a.kind == "dim" for mono in form.terms for a, _ in mono)


def extremes(form: Form) -> tuple[Form, Form] | None:
    """The least and the greatest value of an affine form of index variables, as forms of sizes."""
    low = high = ZERO
    for mono, coefficient in form.terms.items():
        term = Form({mono: coefficient})
        if not term.variables:
            low, high = low + term, high + term
            continue
        if len(mono) != 1 or mono[0][0].kind != "var" or mono[0][1] != 1:
            return None
        _, start, extent = mono[0][0].data
        first, last = number(start), extent + number(start - 1)
        if first.variables or last.variables:
            return None
        ends = (first, last) if coefficient > 0 else (last, first)
        low, high = low + ends[0].scaled(coefficient), high + ends[1].scaled(coefficient)
    return low, high


def is_on_axis(algebra: Algebra, value: Form, extent: Form) -> bool:
    """Whether 0 <= value < extent is known."""
    if algebra.guard(value, ZERO, extent) == ONE:
        return True
    ends = extremes(value)
    return ends is not None and is_at_least(ends[0], 0) and is_at_least(extent - ends[1], 1)


def decided(form: Form) -> Form:
    """The form without the guards and deltas that the sizes decide."""
    if not any(a.kind in ("guard", "delta") for mono in form.terms for a, _ in mono):
        return form
    terms: dict[Mono, Fraction] = {}
    for mono, coefficient in form.terms.items():
        kept = _decided_mono(mono)
        if kept is not None:
            terms[kept] = terms.get(kept, Fraction(0)) + coefficient
    return Form({mono: c for mono, c in terms.items() if c})


def _decided_mono(mono: Mono) -> Mono | None:
    kept = []
    for what, exponent in mono:
        outcome = _outcome(what)
        if outcome is False:
            return None
        if outcome is None:
            kept.append((what, exponent))
    return tuple(kept)


def _outcome(what: Atom) -> bool | None:
    if what.kind not in ("guard", "delta"):
        return None
    ends = extremes(what.data[0])
    if ends is None:
        return None
    low, high = ends
    if what.kind == "delta":
        return False if is_at_least(low, 1) or is_at_least(-high, 1) else None
    start, extent = what.data[1], what.data[2]
    if is_at_least(low - start, 0) and is_at_least(start + extent - high, 1):
        return True
    if is_at_least(start - high, 1) or is_at_least(low - start - extent, 0):
        return False
    return None


def summed(algebra: Algebra, form: Form, binders: Sequence[Atom]) -> Form:
    """The sum over index variables; a guard on one of them shortens its range instead."""
    if not binders:
        return form
    form = decided(form)
    if not any(a.kind == "guard" for mono in form.terms for a, _ in mono):
        return decided(algebra.summed(form, binders))
    result = ZERO
    for mono, coefficient in form.terms.items():
        result = result + _summed_mono(algebra, mono, tuple(binders)).scaled(coefficient)
    return decided(result)


def _summed_mono(algebra: Algebra, mono: Mono, binders: tuple[Atom, ...]) -> Form:
    for position, (what, _) in enumerate(mono):
        found = _stretch(what, binders)
        if found is None:
            continue
        binder, start = found
        shorter = algebra.fresh(variable("", what.data[2]))
        rest = Form({mono[:position] + mono[position + 1 :]: Fraction(1)})
        moved = algebra.substituted(rest, {binder: atom(shorter) + start})
        others = tuple(shorter if b == binder else b for b in binders)
        return summed(algebra, moved, others)
    return algebra.summed(Form({mono: Fraction(1)}), binders)


def _stretch(what: Atom, binders: tuple[Atom, ...]) -> tuple[Atom, Form] | None:
    """Of guard(b - start, 0, extent) inside the range of the bound index b: b and start."""
    if what.kind != "guard" or not what.data[1].is_zero:
        return None
    for binder in binders:
        start = atom(binder) - what.data[0]
        if start.variables or binder.data[1] != 0:
            continue
        room = binder.data[2] - start - what.data[2]
        if is_at_least(start, 0) and is_at_least(room, 0):
            return binder, start
    return None
