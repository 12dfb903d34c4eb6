"""A normal form in which two ways of computing the same thing meet.

Owns: `Form`, a polynomial over atoms; the `Algebra` that builds forms (exponentials, logarithms,
quotients, cases, sums, substitution); the reading of index expressions as forms; the test for
zero. Atoms are tensor elements, sizes, exponentials of one monomial, logarithms, indicators
(`z > 0`, deltas, guards: idempotent), sums with canonical bound names, and the sums of several
terms that something is divided by.
Refuses: verdicts. A form that is zero is a proof; a form that is not zero proves nothing.
Would be wrong if: a rewrite were applied outside its condition. Logarithms split only at positive
factors; an element is written out only where its index stays on its axis; facts are used only
when asked for, and are recorded.

Cases are linear: where(c, a, b) = [c] a + (1 - [c]) b, and a nonlinear function of it is taken
case by case.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from fractions import Fraction
from hashlib import blake2b
from math import isqrt
from typing import Any

from sympy import Add, Dummy, Expr, Piecewise, Symbol, cosh, exp, factor_list, log, sinh, tanh
from sympy.core.numbers import Exp1

from symbackprop.errors import SymbackpropError
from symbackprop.network import CountsClasses, Network, SumsToOne
from symbackprop.scalars import Z, cases_of
from symbackprop.terms import Applied, Delta, Element, Expression, Guard, Index

MOST_TERMS = 4000
MOST_FACTORED_TERMS = 24
MOST_ORDERS = 720
MOST_BITS = 4096
MOST_WORK = 20_000
MOST_DEGREE = 8
INDICATORS = frozenset(("gt", "zero", "delta", "guard"))
_POINTWISE = frozenset(("exp", "log", "tanh", "poly", "gt"))

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
        self.key = _digest(f"{kind}({','.join(_key(part) for part in data)})")
        self._hash = hash(self.key)
        self.variables = self._free()
        self.depth = max((_depth(part) for part in data), default=0)
        if kind in ("sum", "max"):
            self.depth += 1
        self.positive = _is_positive(self)

    def _free(self) -> frozenset[Atom]:
        if self.kind == "var":
            return frozenset((self,)) | _variables(self.data[2])
        inside = frozenset[Atom]().union(*(_variables(part) for part in self.data))
        return inside - frozenset(self.data[0]) if self.kind in ("sum", "max") else inside

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Atom) and self.key == other.key

    def __hash__(self) -> int:
        return self._hash

    def __repr__(self) -> str:
        return _shown(self)


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
            parts = sorted(f"{_key(mono)}:{c}" for mono, c in self.terms.items())
            self._key = _digest("+".join(parts))
        return self._key

    @property
    def variables(self) -> frozenset[Atom]:
        if self._variables is None:
            self._variables = frozenset[Atom]().union(*(_variables(m) for m in self.terms))
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
        return _shown(self)

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
        return _bounded(terms)

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
                _add_into(total, _reduced(_merged(left, right)), c * d)
        return _bounded(total)

    def leading(self) -> tuple[Mono, Fraction]:
        return min(self.terms.items(), key=lambda item: _order(item[0]))


def _bounded(terms: dict[Mono, Fraction]) -> Form:
    if len(terms) > MOST_TERMS:
        raise NoNormalForm("the expression grew too large to be compared term by term")
    return Form(terms)


def _add_into(total: dict[Mono, Fraction], form: Form, scale: Fraction) -> None:
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


def _key(part: Any) -> str:
    if isinstance(part, (Atom, Form)):
        return part.key
    if isinstance(part, tuple):
        return "[" + ";".join(_key(piece) for piece in part) + "]"
    return str(part)


def _order(mono: Mono) -> tuple[Any, ...]:
    return (sum(e for _, e in mono), tuple((a.key, e) for a, e in mono))


def _variables(part: Any) -> frozenset[Atom]:
    if isinstance(part, (Atom, Form)):
        return part.variables
    if isinstance(part, tuple):
        return frozenset[Atom]().union(*(_variables(piece) for piece in part))
    return frozenset()


def _depth(part: Any) -> int:
    if isinstance(part, Atom):
        return part.depth
    if isinstance(part, Form):
        return max((_depth(mono) for mono in part.terms), default=0)
    if isinstance(part, tuple):
        return max((_depth(piece) for piece in part), default=0)
    return 0


def _shown(part: Any) -> str:
    """A short text for people; nothing is decided by it."""
    if isinstance(part, Form):
        return " + ".join(f"{c}*{_shown(m)}" if m else str(c) for m, c in part.terms.items()) or "0"
    if isinstance(part, Atom):
        if part.kind in ("var", "dim"):
            return str(part.data[0])
        if part.kind == "el":
            return f"{part.data[0]}[{','.join(map(_shown, part.data[1]))}]"
        return f"{part.kind}({','.join(map(_shown, part.data))})"
    if isinstance(part, tuple) and part and isinstance(part[0], tuple):
        return "*".join(_shown(a) if e == 1 else f"{_shown(a)}^{e}" for a, e in part)
    if isinstance(part, tuple):
        return " ".join(map(_shown, part))
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


def _merged(left: Mono, right: Mono) -> Mono:
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
    return _sorted(powers)


def _sorted(powers: Mapping[Atom, Exponent]) -> Mono:
    return tuple(sorted(powers.items(), key=lambda item: item[0].key))


def _reduced(mono: Mono) -> Form:
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
                _reduced(_sorted({**dict(mono), what: exponent - 1}))
                if exponent > 1
                else (_reduced(mono[:position] + mono[position + 1 :]))
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
    head, scale = max(form.terms.items(), key=lambda item: _order(item[0]))
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
    base = _merged(mono, inverse)
    form: Form = what.data[0]
    result: dict[Mono, Fraction] = {}
    _add_into(result, _reduced(_merged(base, ((what, 1),))), 1 / scale)
    for other, coefficient in form.terms.items():
        if other != head:
            _add_into(result, _reduced(_merged(base, other)), -coefficient / scale)
    return _bounded(result)


# --------------------------------------------------------------------------------------------
# The algebra
# --------------------------------------------------------------------------------------------


class Algebra:
    """Builds forms over one network.

    `cut`: tensors that stay elements; every other one with an equation (or an entry in
    `definitions`) is written out. `facts`: whether label rows may be taken to sum to 1; the facts
    that were used are in `used`. `hyperbolic`: tanh is written through exp.
    """

    def __init__(
        self,
        network: Network,
        cut: Iterable[str] = (),
        definitions: Mapping[str, tuple[tuple[Index, ...], Expression]] | None = None,
        facts: bool = False,
        hyperbolic: bool = False,
    ) -> None:
        self.network = network
        self.cut = frozenset(cut)
        self.facts = facts
        self.hyperbolic = hyperbolic
        self.used: set[str] = set()
        self.locals: dict[str, tuple[tuple[Atom, ...], Form]] = {}
        self.work = 0
        self._written = {e.target: (e.indices, e.rhs) for e in network.equations}
        self._written.update(definitions or {})
        self._known: dict[str, Form] = {}
        self._open: set[str] = set()
        self._fresh = itertools.count()
        self._moved: dict[tuple[str, tuple[tuple[str, str], ...]], Form] = {}
        self._inverses: dict[str, Form] = {}
        self._rebuilt: dict[str, Form] = {}
        self._classes = {
            t.name: fact.axis
            for t in network.tensors
            for fact in t.facts
            if isinstance(fact, CountsClasses)
        }
        self._shares = {
            t.name: fact.axis % len(t.indices)
            for t in network.tensors
            for fact in t.facts
            if isinstance(fact, SumsToOne)
        }

    # ---- reading index expressions -----------------------------------------------------------

    def read(self, whole: Expression) -> Form:
        return total(
            self.summed(
                self._product(term.coefficient, *term.factors),
                [self.index(index) for index in term.bound],
            )
            for term in whole.terms
        )

    def _product(self, *factors: Expr) -> Form:
        result = ONE
        for factor in factors:
            result = result * self.scalar(factor)
        return result

    def index(self, index: Index) -> Atom:
        return variable(index.name, self.scalar(index.axis.extent), index.axis.start)

    def scalar(self, node: Expr, argument: Form | None = None) -> Form:
        """A SymPy scalar as a form; `argument` stands for the variable of a definition."""
        match node:
            case Index():
                return atom(self.index(node))
            case Element():
                return self.element(node.tensor, tuple(map(self.scalar, node.indices)))
            case Delta():
                return self.delta(self.scalar(node.args[0]) - self.scalar(node.args[1]))
            case Guard():
                inside, start, extent = map(self.scalar, node.args)
                return self.guard(inside, start, extent)
            case Applied():
                return self.applied(node.function, node.order, self.scalar(node.argument))
        if argument is not None and node == Z:
            return argument
        if isinstance(node, Symbol):
            return atom(Atom("dim", node.name))
        if node.is_Rational:
            return number(Fraction(int(node.p), int(node.q)))
        if node.is_Add:
            return total(self.scalar(part, argument) for part in node.args)
        if node.is_Mul:
            result = ONE
            for part in node.args:
                result = result * self.scalar(part, argument)
            return result
        return self._function_node(node, argument)

    def _function_node(self, node: Expr, argument: Form | None) -> Form:
        if node.is_Pow and not isinstance(node.base, Exp1) and node.exp.is_Rational:
            base = self.scalar(node.base, argument)
            return self.power(base, Fraction(int(node.exp.p), int(node.exp.q)))
        if isinstance(node, Piecewise):
            return self._piecewise(node, argument)
        known = {exp: self.exp, log: self.log, tanh: self.tanh, cosh: self.cosh, sinh: self.sinh}
        for kind, build in known.items():
            if isinstance(node, kind):
                return build(self.scalar(node.args[0], argument))
        raise NoNormalForm(f"the normal form does not know {type(node).__name__}")

    def _piecewise(self, node: Piecewise, argument: Form | None) -> Form:
        rows, otherwise = cases_of(node)
        found = self.scalar(otherwise, argument)
        for condition, value in reversed(rows):
            side = self.scalar(condition.variable, argument) - number(condition.bound)
            holds = self.compared(side, condition.relation)
            found = self.where(holds, self.scalar(value, argument), found)
        return found

    def applied(self, name: str, order: int, argument: Form) -> Form:
        definition = self.network.functions[name].value(Z, order)
        return self.cases(argument, lambda form: self.scalar(definition, form))

    # ---- elements ----------------------------------------------------------------------------

    def element(self, tensor: str, arguments: tuple[Form, ...]) -> Form:
        """An entry, written out where the tensor is not cut and the index stays on its axis."""
        if tensor in self.locals:
            return self._local(tensor, arguments)
        plain = atom(Atom("el", tensor, arguments))
        if tensor in self.cut or tensor not in self._written or tensor in self._open:
            return plain
        indices, _ = self._written[tensor]
        variables = [self.index(index) for index in indices]
        if not all(self._stays(a, v) for a, v in zip(arguments, variables, strict=True)):
            return plain
        return self.substituted(
            self.definition(tensor), dict(zip(variables, arguments, strict=True))
        )

    def _local(self, name: str, arguments: tuple[Form, ...]) -> Form:
        variables, form = self.locals[name]
        if name not in self._known:
            self._known[name] = self.rebuilt(form)
        renaming = {v: self.fresh(v) for v in variables}
        values = dict(zip(renaming.values(), arguments, strict=True))
        return self.substituted(renamed(self._known[name], renaming), values)

    def _worked(self) -> None:
        self.work += 1
        if self.work > MOST_WORK:
            raise NoNormalForm("more work than the bound of a comparison")

    def definition(self, tensor: str) -> Form:
        """The right side of a tensor's equation, under that equation's own indices."""
        if tensor not in self._known:
            self._open.add(tensor)  # a recurrence reads itself; it stays an element
            try:
                self._known[tensor] = self.read(self._written[tensor][1])
            finally:
                self._open.discard(tensor)
        return self._known[tensor]

    def _stays(self, argument: Form, axis: Atom) -> bool:
        only = _only_atom(argument)
        if only is None:
            return False
        if only.kind == "var":
            return bool(only.data[1:] == axis.data[1:])
        if only.kind == "el" and only.data[0] in self._classes:
            extent = self.scalar(self._classes[only.data[0]].extent)
            return bool(extent == axis.data[2] and axis.data[1] == 0)
        return False

    # ---- indicators and cases ----------------------------------------------------------------

    def delta(self, difference: Form) -> Form:
        value = difference.constant
        if value is not None:
            return ZERO if value else ONE
        return atom(Atom("delta", _oriented(difference)[0]))

    def guard(self, argument: Form, start: Form, extent: Form) -> Form:
        only = _only_atom(argument)
        if only is not None and start.constant is not None:
            axis = variable("", extent, int(start.constant))
            if self._stays(argument, axis):
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
        bare, sign = _oriented(self._without_positive(form))
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
        return atom(Atom("zero", _oriented(self._without_positive(form))[0]))

    def _without_positive(self, form: Form) -> Form:
        """The form divided by a positive factor of it: the sign does not change."""
        numerator, _ = _together(form) if _denominators_are_positive(form) else (form, ())
        content = _content(numerator)
        positive: Mono = tuple((a, -e) for a, e in content if a.positive)
        return Form({_merged(m, positive): c for m, c in numerator.terms.items()})

    def where(self, condition: Form, one: Form, other: Form) -> Form:
        return self._at_ties(condition * one + (ONE - condition) * other)

    def _at_ties(self, form: Form) -> Form:
        """Where [u = 0] holds for an entry u, everything beside it is taken at u = 0."""
        result: dict[Mono, Fraction] = {}
        for mono, coefficient in form.terms.items():
            _add_into(result, self._at_tie(mono), coefficient)
        return _bounded(result)

    def _at_tie(self, mono: Mono) -> Form:
        for what, _ in mono:
            entry = _only_atom(what.data[0]) if what.kind == "zero" else None
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
        one = self.cases(_decided(form, first, True), function)
        other = self.cases(_decided(form, first, False), function)
        return self.where(atom(first), one, other) if one != other else one

    # ---- functions ---------------------------------------------------------------------------

    def exp(self, form: Form) -> Form:
        return self.cases(form, self._exp)

    def _exp(self, form: Form) -> Form:
        result = ONE
        for mono, coefficient in sorted(form.terms.items(), key=lambda item: _order(item[0])):
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
        for factor, exponent in self._factors(form):
            only = _only_atom(factor)
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
        for factor, multiplicity in self._factors(form):
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
            root = _square_root(value) if exponent.denominator == 2 else None
            if root is not None:
                return number(root**exponent.numerator)
            return ONE if value == 1 else atom(Atom("poly", factor), exponent)
        only = _only_atom(factor)
        if only is not None:
            return atom(only, _plain(exponent))
        return _reduced(((Atom("poly", factor), _plain(exponent)),))

    def _factors(self, form: Form) -> list[tuple[Form, Exponent]]:
        """Factors with multiplicities; each is a number, one atom, or a sum in normal position."""
        numerator, denominator = _together(form)
        content = _content(numerator)
        inverse: Mono = tuple((a, -e) for a, e in content)
        primitive = Form({_merged(m, inverse): c for m, c in numerator.terms.items()})
        found: list[tuple[Form, Exponent]] = [(atom(a), e) for a, e in content]
        found += [(a.data[0], -e) for a, e in denominator]
        return found + _factored(primitive)

    # ---- sums --------------------------------------------------------------------------------

    def summed(self, form: Form, variables: Sequence[Atom]) -> Form:
        if not variables:
            return form
        result: dict[Mono, Fraction] = {}
        for mono, coefficient in form.terms.items():
            _add_into(result, self._summed_mono(mono, tuple(variables)), coefficient)
        return _bounded(result)

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
                inside = inside * _reduced(((what, exponent),))
        result: dict[Mono, Fraction] = {}
        for piece, coefficient in inside.terms.items():
            _add_into(result, self._contracted(piece, (*binders, *opened)), coefficient)
        return _bounded(result)

    def _opened(self, what: Atom) -> tuple[list[Atom], Mono]:
        renaming = {b: self.fresh(b) for b in what.data[0]}
        return list(renaming.values()), _renamed_mono(what.data[1], renaming)

    def fresh(self, like: Atom) -> Atom:
        return variable(f"${next(self._fresh)}", like.data[2], like.data[1])

    def _contracted(self, mono: Mono, binders: tuple[Atom, ...]) -> Form:
        for position, (what, _) in enumerate(mono):
            if what.kind != "delta":
                continue
            for binder in reversed(binders):
                value = _solved(what.data[0], binder)
                if value is not None:
                    rest = Form({mono[:position] + mono[position + 1 :]: Fraction(1)})
                    guard = self.guard(value, number(binder.data[1]), binder.data[2])
                    moved = self.substituted(rest, {binder: value}) * guard
                    return self.summed(moved, [b for b in binders if b != binder])
        return self._closed(mono, binders)

    def _closed(self, mono: Mono, binders: tuple[Atom, ...]) -> Form:
        mono, binders = self._with_facts(mono, binders)
        result = Form({tuple(p for p in mono if not p[0].variables & set(binders)): Fraction(1)})
        for names, factors in _components(mono, binders):
            if not factors and len(names) == 1:
                result = result * names[0].data[2]
            else:
                result = result * self._component(factors, names)
        return result

    def _with_facts(self, mono: Mono, binders: tuple[Atom, ...]) -> tuple[Mono, tuple[Atom, ...]]:
        if not self.facts:
            return mono, binders
        for binder in binders:
            holders = [p for p in mono if binder in p[0].variables]
            if len(holders) == 1 and self._is_share(holders[0], binder):
                self.used.add(f"rows of {holders[0][0].data[0]} sum to 1")
                rest = tuple(p for p in mono if p != holders[0])
                return self._with_facts(rest, tuple(b for b in binders if b != binder))
        return mono, binders

    def _is_share(self, part: tuple[Atom, Exponent], binder: Atom) -> bool:
        what, exponent = part
        if what.kind != "el" or exponent != 1 or what.data[0] not in self._shares:
            return False
        place = self._shares[what.data[0]]
        return all(
            (_only_atom(argument) == binder) == (position == place)
            and (position == place or binder not in argument.variables)
            for position, argument in enumerate(what.data[1])
        )

    def _component(self, factors: Mono, binders: tuple[Atom, ...]) -> Form:
        if len(binders) > 1:
            for binder in binders:
                cancelled = self._cancelled(factors, binder)
                if cancelled is not None:
                    return self.summed(cancelled, [b for b in binders if b != binder])
        return atom(_sum_atom(factors, binders))

    def _cancelled(self, factors: Mono, binder: Atom) -> Form | None:
        """sum_k exp(z[n,k]) next to its own reciprocal, inside a sum over n."""
        inner = tuple(p for p in factors if binder in p[0].variables)
        name = _sum_atom(inner, (binder,))
        rest = tuple(p for p in factors if binder not in p[0].variables)
        if dict(rest).get(name, 0) < 0:
            return _reduced(_merged(rest, ((name, 1),)))
        return None

    def maximum_over(self, form: Form, binder: Atom) -> Form:
        """max over one index: an opaque entry, named by its content."""
        name = variable(f"#{_depth(form) + 1}_0", binder.data[2], binder.data[1])
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
            _add_into(result, product, coefficient)
        return _bounded(result)

    def _moved_power(self, what: Atom, exponent: Exponent, values: Mapping[Atom, Form]) -> Form:
        if not what.variables & set(values):
            return _reduced(((what, exponent),))
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
        return self._built(what, move)

    def replaced(self, form: Form, entry: Atom, value: Form) -> Form:
        """One entry replaced by a value wherever it stands outside sums over its indices."""
        result: dict[Mono, Fraction] = {}
        for mono, coefficient in form.terms.items():
            product = ONE
            for what, exponent in mono:
                product = product * self._replaced_power(what, exponent, entry, value)
            _add_into(result, product, coefficient)
        return _bounded(result)

    def _replaced_power(self, what: Atom, exponent: Exponent, entry: Atom, value: Form) -> Form:
        if what == entry:
            return self.power(value, Fraction(exponent))
        if what.kind not in _POINTWISE or not what.variables >= entry.variables:
            return _reduced(((what, exponent),))
        moved = self._built(what, lambda form: self.replaced(form, entry, value))
        return self.power(moved, Fraction(exponent))

    def rebuilt(self, form: Form) -> Form:
        """A form of another algebra (with fewer names written out) in terms of this one."""
        result: dict[Mono, Fraction] = {}
        for mono, coefficient in form.terms.items():
            product = ONE
            for what, exponent in mono:
                if what.key not in self._rebuilt:
                    self._rebuilt[what.key] = self._built(what, self.rebuilt)
                product = product * self.power(self._rebuilt[what.key], Fraction(exponent))
            _add_into(result, product, coefficient)
        return _bounded(result)

    def _built(self, what: Atom, move: Callable[[Form], Form]) -> Form:
        """The same kind of atom with its parts moved, simplified anew."""
        match what.kind:
            case "dim":
                return atom(what)
            case "var":
                return atom(variable(what.data[0], move(what.data[2]), what.data[1]))
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
                (binder,) = what.data[0]
                name = self.fresh(variable("", move(binder.data[2]), binder.data[1]))
                return self.maximum_over(move(renamed(what.data[1], {binder: name})), name)
            case "sum":
                names = {
                    b: self.fresh(variable("", move(b.data[2]), b.data[1])) for b in what.data[0]
                }
                content = Form({_renamed_mono(what.data[1], names): Fraction(1)})
                return self.summed(move(content), list(names.values()))
        raise NoNormalForm(f"an index cannot be put into {what.kind}")

    # ---- zero --------------------------------------------------------------------------------

    def vanishes(self, form: Form) -> bool:
        """True is a proof that the form is zero everywhere; False says nothing."""
        if form.is_zero:
            return True
        aligned = self._at_ties(self._aligned(form))
        if aligned.is_zero:
            return True
        numerator, _ = _together(aligned)
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
                value = _solved(what.data[0], name)
                others = tuple(p for p in mono if p[0] != what)
                if value is None:
                    continue
                if name not in _variables(others):
                    break  # the other name stays: replaced too, the two would change places forever
                moved = self.substituted(Form({others: Fraction(1)}), {name: value})
                return self._aligned(moved * atom(what)) if moved.variables else moved * atom(what)
        return Form({mono: Fraction(1)})

    def without_ties(self, form: Form) -> tuple[Form, tuple[str, ...]]:
        """The form where no condition is met exactly, and what that assumes."""
        ties = {a for mono in form.terms for a, _ in mono if a.kind == "zero"}
        for tie in ties:
            form = _decided(form, tie, False)
        return form, tuple(sorted(f"{_shown(tie.data[0])} is nowhere exactly 0" for tie in ties))


# --------------------------------------------------------------------------------------------
# Helpers
# --------------------------------------------------------------------------------------------


def _only_atom(form: Form) -> Atom | None:
    if len(form.terms) != 1:
        return None
    ((mono, coefficient),) = form.terms.items()
    if coefficient == 1 and len(mono) == 1 and mono[0][1] == 1:
        return mono[0][0]
    return None


def _plain(value: Fraction) -> Exponent:
    return int(value) if value.denominator == 1 else value


def _square_root(value: Fraction) -> Fraction | None:
    """The root of a square of a fraction; None for any other number."""
    if value < 0:
        return None
    root = Fraction(isqrt(value.numerator), isqrt(value.denominator))
    return root if root * root == value else None


def _small(exponent: int) -> int:
    if exponent > 64:
        raise NoNormalForm(f"a power of {exponent} is not expanded")
    return exponent


def _check_numbers(form: Form) -> None:
    for coefficient in form.terms.values():
        if max(abs(coefficient.numerator), coefficient.denominator).bit_length() > MOST_BITS:
            raise NoNormalForm(f"a number of more than {MOST_BITS} bits")


def _oriented(form: Form) -> tuple[Form, int]:
    """The form scaled so that its leading coefficient is 1, and the sign that this took."""
    _, coefficient = form.leading()
    return form.scaled(1 / coefficient), 1 if coefficient > 0 else -1


def _decided(form: Form, condition: Atom, holds: bool) -> Form:
    """The form where an indicator is known; where u > 0 holds, u = 0 does not."""
    known = {condition: holds}
    if holds and condition.kind in ("gt", "zero"):
        known[Atom("zero" if condition.kind == "gt" else "gt", condition.data[0])] = False
    result: dict[Mono, Fraction] = {}
    for mono, coefficient in form.terms.items():
        if any(not known.get(a, True) for a, _ in mono):
            continue
        kept = tuple(p for p in mono if p[0] not in known)
        _add_into(result, Form({kept: Fraction(1)}), coefficient)
    return Form(result)


def _denominators_are_positive(form: Form) -> bool:
    return all(a.positive for mono in form.terms for a, _ in mono if a.kind == "poly")


def _together(form: Form) -> tuple[Form, Mono]:
    """numerator, denominator: the form over one common denominator of sums."""
    lowest: dict[Atom, Exponent] = {}
    for mono in form.terms:
        for what, exponent in mono:
            if what.kind == "poly" and exponent < 0:
                lowest[what] = min(lowest.get(what, 0), exponent)
    if not lowest:
        return form, ()
    denominator: Mono = _sorted({what: -exponent for what, exponent in lowest.items()})
    numerator: dict[Mono, Fraction] = {}
    for mono, coefficient in form.terms.items():
        _add_into(numerator, _reduced(_merged(mono, denominator)), coefficient)
    return _bounded(numerator), denominator


def _content(form: Form) -> Mono:
    """The largest monomial that divides every term; powers may be negative."""
    monos = [dict(mono) for mono in form.terms]
    atoms = {a for mono in monos for a in mono}
    lowest = {a: min(mono.get(a, 0) for mono in monos) for a in atoms}
    return _sorted({a: e for a, e in lowest.items() if e})


def _factored(form: Form) -> list[tuple[Form, Exponent]]:
    """Factors of a form without monomial content, scaled so that leading coefficients are 1."""
    bare, _ = _oriented(form)
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
            _sorted(
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


def _solved(difference: Form, name: Atom) -> Form | None:
    """The value of an index at which the difference is 0; None unless its coefficient is +-1."""
    coefficient = difference.terms.get(((name, 1),))
    if coefficient not in (1, -1):
        return None
    rest = difference - atom(name).scaled(coefficient)
    return None if name in rest.variables else rest.scaled(-1 / coefficient)


def has_conditions(part: Any) -> bool:
    """Whether values of entries decide what is computed, anywhere inside."""
    if isinstance(part, Form):
        return any(has_conditions(mono) for mono in part.terms)
    if isinstance(part, Atom):
        return part.kind in ("gt", "zero", "max") or any(map(has_conditions, part.data))
    return isinstance(part, tuple) and any(map(has_conditions, part))


def renamed(form: Form, renaming: Mapping[Atom, Atom]) -> Form:
    """Index variables renamed one to one, to names that do not occur."""
    if not form.variables & set(renaming):
        return form
    return Form({_renamed_mono(mono, renaming): c for mono, c in form.terms.items()})


def _renamed_mono(mono: Mono, renaming: Mapping[Atom, Atom]) -> Mono:
    return _sorted({_renamed_atom(a, renaming): e for a, e in mono})


def _renamed_atom(what: Atom, renaming: Mapping[Atom, Atom]) -> Atom:
    if not what.variables & set(renaming):
        return what
    if what in renaming:
        return renaming[what]
    data = [_renamed_part(part, renaming) for part in what.data]
    if what.kind == "delta":
        data = [_oriented(data[0])[0]]
    return Atom(what.kind, *data)


def _renamed_part(part: Any, renaming: Mapping[Atom, Atom]) -> Any:
    if isinstance(part, Form):
        return renamed(part, renaming)
    if isinstance(part, Atom):
        return _renamed_atom(part, renaming)
    if isinstance(part, tuple) and part and isinstance(part[0], tuple):
        return _renamed_mono(part, renaming)
    if isinstance(part, tuple):
        return tuple(_renamed_part(piece, renaming) for piece in part)
    return part


def _components(mono: Mono, binders: tuple[Atom, ...]) -> Iterator[tuple[tuple[Atom, ...], Mono]]:
    """Groups of bound indices that some factor, or an extent, ties together."""
    groups = [{binder} | (binder.variables & set(binders)) for binder in binders]
    groups += [set(p[0].variables & set(binders)) for p in mono]
    merged: list[set[Atom]] = []
    for group in groups:
        if not group:
            continue
        touching = [other for other in merged if other & group]
        merged = [other for other in merged if not other & group]
        merged.append(group.union(*touching))
    for group in sorted(merged, key=lambda g: min(binders.index(b) for b in g)):
        names = tuple(b for b in binders if b in group)
        yield names, tuple(p for p in mono if p[0].variables & group)


def _sum_atom(factors: Mono, binders: tuple[Atom, ...]) -> Atom:
    """The sum with bound names that depend on its structure alone."""
    depth = 1 + _depth(factors)
    best: Atom | None = None
    for order in _orders(factors, binders):
        names: dict[Atom, Atom] = {}
        for place, binder in enumerate(order):
            extent = renamed(binder.data[2], names)
            names[binder] = variable(f"#{depth}_{place}", extent, binder.data[1])
        candidate = Atom("sum", tuple(names.values()), _renamed_mono(factors, names))
        if best is None or candidate.key < best.key:
            best = candidate
    assert best is not None
    return best


def _orders(factors: Mono, binders: tuple[Atom, ...]) -> Iterator[tuple[Atom, ...]]:
    """Orders of the bound indices that their surroundings leave open."""
    if len(binders) == 1:
        yield binders
        return
    colours = {b: f"{b.data[1]}:{len(b.data[2].variables)}" for b in binders}
    for _ in binders:
        colours = {b: _digest(colours[b] + _view(factors, b, colours)) for b in binders}
    groups: dict[str, list[Atom]] = {}
    for binder in binders:
        groups.setdefault(colours[binder], []).append(binder)
    choices = [itertools.permutations(groups[colour]) for colour in sorted(groups)]
    for order in itertools.islice(itertools.product(*choices), MOST_ORDERS):
        yield tuple(itertools.chain.from_iterable(order))


def _view(factors: Mono, binder: Atom, colours: Mapping[Atom, str]) -> str:
    marks = {
        b: variable(f"*{colour}" if b == binder else f"?{colour}", ONE, 0)
        for b, colour in colours.items()
    }
    seen = [f"{_blurred(a, marks).key}^{e}" for a, e in factors if binder in a.variables]
    return "|".join(sorted(seen)) + _blurred(binder.data[2], marks).key


def _blurred(part: Any, marks: Mapping[Atom, Atom]) -> Any:
    return _renamed_part(part, marks)
