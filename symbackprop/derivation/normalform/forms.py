"""Forms: polynomials over atoms, in which two ways of computing the same thing meet.

Owns: `Atom`, `Form` and their monomials. Atoms are tensor elements, sizes, index variables,
exponentials of one monomial, logarithms, hyperbolic tangents, indicators (`z > 0`, deltas, guards:
idempotent), sums and maxima over bound names, and the sums of several terms that something is
divided by. A monomial keeps its denominators in partial fractions.
Refuses: what functions and tensors mean (`operations`, `algebra`); how names are bound (`naming`).
Would be wrong if: two atoms with one key meant different things, or a form changed once built.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fractions import Fraction
from hashlib import blake2b
from math import gcd, lcm
from typing import Any

from symbackprop.errors import SymbackpropError

MOST_TERMS = 4000

INDICATORS = frozenset(("gt", "zero", "delta", "guard"))

Exponent = int | Fraction


class NoNormalForm(SymbackpropError):
    """Something that the normal form cannot hold, or that grew beyond its bound."""


# --------------------------------------------------------------------------------------------
# Atoms and forms
# --------------------------------------------------------------------------------------------


class Atom:
    """What a form counts as a variable. Equal when kind and content are equal.

    `variables`: index variables that are free in it. `depth`: how deeply sums are nested.
    """

    __slots__ = ("_hash", "data", "depth", "key", "kind", "positive", "variables")

    def __init__(self, kind: str, *data: Any) -> None:
        self.kind = kind
        self.data = data
        self.key = _digest(f"{kind}({','.join(key_of(part) for part in data)})")
        self._hash = hash(self.key)
        self.variables = self._free()
        self.depth = max((depth_of(part) for part in data), default=0)
        if kind in ("sum", "max"):
            self.depth += 1
        self.positive = _is_positive(self)

    def _free(self) -> frozenset[Atom]:
        if self.kind == "var":
            return frozenset((self,)) | variables_of(self.data[2])
        inside = frozenset[Atom]().union(*(variables_of(part) for part in self.data))
        return inside - frozenset(self.data[0]) if self.kind in ("sum", "max") else inside

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Atom) and self.key == other.key

    def __hash__(self) -> int:
        return self._hash

    def __repr__(self) -> str:
        return shown(self)


Mono = tuple[tuple[Atom, Exponent], ...]


class Form:
    """A sum of monomials with rational coefficients; never changed once built."""

    __slots__ = ("_key", "_variables", "terms")

    def __init__(self, terms: Mapping[Mono, Fraction] | None = None) -> None:
        self.terms: Mapping[Mono, Fraction] = {} if terms is None else terms
        self._key: str | None = None
        self._variables: frozenset[Atom] | None = None

    @property
    def key(self) -> str:
        if self._key is None:
            parts = sorted(f"{key_of(mono)}:{c}" for mono, c in self.terms.items())
            self._key = _digest("+".join(parts))
        return self._key

    @property
    def variables(self) -> frozenset[Atom]:
        if self._variables is None:
            self._variables = frozenset[Atom]().union(*(variables_of(m) for m in self.terms))
        return self._variables

    @property
    def is_zero(self) -> bool:
        return not self.terms

    @property
    def constant(self) -> Fraction | None:
        """The number that this form is, or None."""
        if not self.terms:
            return Fraction(0)
        if len(self.terms) == 1 and () in self.terms:
            return self.terms[()]
        return None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Form) and self.terms == other.terms

    def __hash__(self) -> int:
        return hash(self.key)

    def __repr__(self) -> str:
        return shown(self)

    def __add__(self, other: Form) -> Form:
        if not other.terms:
            return self
        terms = dict(self.terms)
        for mono, coefficient in other.terms.items():
            total = terms.get(mono, Fraction(0)) + coefficient
            if total:
                terms[mono] = total
            else:
                del terms[mono]
        return bounded(terms)

    def __neg__(self) -> Form:
        return self.scaled(Fraction(-1))

    def __sub__(self, other: Form) -> Form:
        return self + (-other)

    def scaled(self, factor: Fraction) -> Form:
        if not factor:
            return ZERO
        return Form({mono: c * factor for mono, c in self.terms.items()})

    def __mul__(self, other: Form) -> Form:
        if len(self.terms) * len(other.terms) > 4 * MOST_TERMS:
            raise NoNormalForm("the expression grew too large to be compared term by term")
        total: dict[Mono, Fraction] = {}
        for left, c in self.terms.items():
            for right, d in other.terms.items():
                add_into(total, reduced(merged(left, right)), c * d)
        return bounded(total)

    def leading(self) -> tuple[Mono, Fraction]:
        return min(self.terms.items(), key=lambda item: mono_order(item[0]))


def bounded(terms: dict[Mono, Fraction]) -> Form:
    if len(terms) > MOST_TERMS:
        raise NoNormalForm("the expression grew too large to be compared term by term")
    return Form(terms)


def add_into(total: dict[Mono, Fraction], form: Form, scale: Fraction) -> None:
    for mono, coefficient in form.terms.items():
        new = total.get(mono, Fraction(0)) + coefficient * scale
        if new:
            total[mono] = new
        else:
            total.pop(mono, None)


def number(value: int | Fraction) -> Form:
    return Form({(): Fraction(value)}) if value else Form()


def atom(what: Atom, exponent: Exponent = 1) -> Form:
    return Form({((what, exponent),): Fraction(1)})


def total(forms: Iterable[Form]) -> Form:
    return sum(forms, start=ZERO)


def variable(name: str, extent: Form, start: int = 0) -> Atom:
    return Atom("var", name, start, extent)


ZERO = Form()
ONE = number(1)


def _digest(content: str) -> str:
    if len(content) <= 72:
        return content
    return blake2b(content.encode(), digest_size=16).hexdigest()


def key_of(part: Any) -> str:
    if isinstance(part, (Atom, Form)):
        return part.key
    if isinstance(part, tuple):
        return "[" + ";".join(key_of(piece) for piece in part) + "]"
    return str(part)


def mono_order(mono: Mono) -> tuple[Any, ...]:
    return (sum(e for _, e in mono), tuple((a.key, e) for a, e in mono))


def variables_of(part: Any) -> frozenset[Atom]:
    if isinstance(part, (Atom, Form)):
        return part.variables
    if isinstance(part, tuple):
        return frozenset[Atom]().union(*(variables_of(piece) for piece in part))
    return frozenset()


def depth_of(part: Any) -> int:
    if isinstance(part, Atom):
        return part.depth
    if isinstance(part, Form):
        return max((depth_of(mono) for mono in part.terms), default=0)
    if isinstance(part, tuple):
        return max((depth_of(piece) for piece in part), default=0)
    return 0


def shown(part: Any) -> str:
    """A short text for people; nothing is decided by it."""
    if isinstance(part, Form):
        return " + ".join(f"{c}*{shown(m)}" if m else str(c) for m, c in part.terms.items()) or "0"
    if isinstance(part, Atom):
        if part.kind in ("var", "dim"):
            return str(part.data[0])
        if part.kind == "el":
            return f"{part.data[0]}[{','.join(map(shown, part.data[1]))}]"
        return f"{part.kind}({','.join(map(shown, part.data))})"
    if isinstance(part, tuple) and part and isinstance(part[0], tuple):
        return "*".join(shown(a) if e == 1 else f"{shown(a)}^{e}" for a, e in part)
    if isinstance(part, tuple):
        return " ".join(map(shown, part))
    return str(part)


def _is_positive(what: Atom) -> bool:
    match what.kind:
        case "exp" | "dim":
            return True
        case "sum":
            return all(a.positive for a, _ in what.data[1])
        case "poly":
            return form_is_positive(what.data[0])
    return False


def form_is_positive(form: Form) -> bool:
    return bool(form.terms) and all(
        c > 0 and all(a.positive for a, _ in mono) for mono, c in form.terms.items()
    )


# --------------------------------------------------------------------------------------------
# Monomials
# --------------------------------------------------------------------------------------------


def merged(left: Mono, right: Mono) -> Mono:
    if not left:
        return right
    if not right:
        return left
    powers: dict[Atom, Exponent] = dict(left)
    for what, exponent in right:
        new = powers.get(what, 0) + exponent
        if what.kind in INDICATORS:
            powers[what] = 1
        elif new:
            powers[what] = new
        else:
            del powers[what]
    return sorted_mono(powers)


def sorted_mono(powers: Mapping[Atom, Exponent]) -> Mono:
    return tuple(sorted(powers.items(), key=lambda item: item[0].key))


def reduced(mono: Mono) -> Form:
    """The monomial with denominators in partial fractions, and impossible cases dropped.

    With P = 1 + E: E/P = 1 - 1/P, and 1/(E P) = 1/E - 1/P, so that equal quotients look equal.
    """
    kinds = {a.kind for a, _ in mono}
    if "zero" in kinds and _is_impossible(mono):
        return ZERO
    if "poly" not in kinds:
        return Form({mono: Fraction(1)})
    for position, (what, exponent) in enumerate(mono):
        if what.kind != "poly":
            continue
        if exponent >= 1:
            rest = (
                reduced(sorted_mono({**dict(mono), what: exponent - 1}))
                if exponent > 1
                else (reduced(mono[:position] + mono[position + 1 :]))
            )
            return rest * what.data[0]
        if exponent.denominator == 1:
            replaced = _divided(mono, what)
            if replaced is not None:
                return replaced
    return Form({mono: Fraction(1)})


def _is_impossible(mono: Mono) -> bool:
    present = dict(mono)
    for what, _ in mono:
        if what.kind == "zero":
            inside: Form = what.data[0]
            if Atom("gt", inside) in present:
                return True
            if len(inside.terms) == 1:
                ((only, _),) = inside.terms.items()
                if len(only) == 1 and present.get(only[0][0], 0) > 0:
                    return True
    return False


def _divided(mono: Mono, what: Atom) -> Form | None:
    """One step of partial fractions at the denominator `what`; None where nothing divides."""
    powers = dict(mono)
    form: Form = what.data[0]
    head, scale = max(form.terms.items(), key=lambda item: mono_order(item[0]))
    if head and all(e > 0 and powers.get(a, 0) >= e for a, e in head):
        return _exchanged(mono, what, head, scale)
    last = form.terms.get(())
    atoms = {a for other in form.terms for a, _ in other}
    if last is not None and len(atoms) == 1 and powers.get(next(iter(atoms)), 0) < 0:
        return _exchanged(mono, what, (), last)
    return None


def _exchanged(mono: Mono, what: Atom, head: Mono, scale: Fraction) -> Form:
    """head -> (P - rest) / scale in a monomial that holds a negative power of P."""
    inverse: Mono = tuple((a, -e) for a, e in head)
    base = merged(mono, inverse)
    form: Form = what.data[0]
    result: dict[Mono, Fraction] = {}
    add_into(result, reduced(merged(base, ((what, 1),))), 1 / scale)
    for other, coefficient in form.terms.items():
        if other != head:
            add_into(result, reduced(merged(base, other)), -coefficient / scale)
    return bounded(result)


# --------------------------------------------------------------------------------------------
# Looking inside
# --------------------------------------------------------------------------------------------


def only_atom(form: Form) -> Atom | None:
    if len(form.terms) != 1:
        return None
    ((mono, coefficient),) = form.terms.items()
    if coefficient == 1 and len(mono) == 1 and mono[0][1] == 1:
        return mono[0][0]
    return None


def oriented(form: Form) -> tuple[Form, int]:
    """The form scaled so that its leading coefficient is 1, and the sign that this took."""
    _, coefficient = form.leading()
    return form.scaled(1 / coefficient), 1 if coefficient > 0 else -1


def whole_numbered(form: Form) -> Form:
    """The form scaled by a positive number, so that its coefficients are whole and coprime."""
    below = lcm(*(c.denominator for c in form.terms.values()))
    above = gcd(*(int(c * below) for c in form.terms.values()))
    return form.scaled(Fraction(below, above))


def has_conditions(part: Any) -> bool:
    """Whether values of entries decide what is computed, anywhere inside."""
    if isinstance(part, Form):
        return any(has_conditions(mono) for mono in part.terms)
    if isinstance(part, Atom):
        return part.kind in ("gt", "zero", "max") or any(map(has_conditions, part.data))
    return isinstance(part, tuple) and any(map(has_conditions, part))
