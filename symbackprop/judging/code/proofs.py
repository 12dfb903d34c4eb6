"""Proofs, for all sizes, that what code computes is what was derived.

Owns: the tracer's reading of a function in its author's layout, and the comparison of each value
with the tensor that it was found to be at numbers. Refuses: refuting; what is not proved stays as
it was found at points.
Would be wrong if a value were replaced by a tensor's name before it was proved to be that tensor.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from symbackprop.derivation.equality import Definitions, attempts, cut_names, proof_that_zero
from symbackprop.derivation.normalform import Algebra, Atom, Form, NoNormalForm, number, renamed
from symbackprop.judging.code.arguments import Binder
from symbackprop.judging.code.marks import Mark, Session, leaves_of_values
from symbackprop.judging.code.truth import Factor
from symbackprop.networks import names
from symbackprop.networks.network import CountsClasses
from symbackprop.tracing.arrays import (
    ShapeClash,
    SymbolicArray,
    TraceError,
    place,
    shown,
    with_axes,
)
from symbackprop.tracing.interpreter import Interpreter, Traced, cells, element_array
from symbackprop.tracing.numbers.reading import Bundle, Instance
from symbackprop.tracing.numbers.unknown import Unknown
from symbackprop.tracing.source import names_of
from symbackprop.tracing.values import Object, Unread

MOST_WORK = 30_000
LONGEST = 16


@dataclass(frozen=True)
class Proved:
    """Names of what was proved, by line and name (line 0 for what is returned), with the facts;
    `reason` says where the tracer stopped."""

    facts: Mapping[tuple[int, str], tuple[str, ...]]
    reason: str = ""


def proofs(session: Session, stored: Sequence[Mark], returned: Sequence[Mark]) -> Proved:
    """What the tracer proves of values that are right at points."""
    layout = session.layout
    if layout.sizes != "generic" or layout.labels != "as the network says" or layout.flat_labels:
        return Proved({}, "right for some sizes or labels only")
    proof = _Proof(session, stored, returned)
    reason = ""
    try:
        proof.run()
    except RecursionError:
        reason = "nested too deeply"
    except (ShapeClash, TraceError, NoNormalForm) as problem:
        reason = str(problem)
    session.budget.check()
    return Proved(dict(proof.facts), reason)


@dataclass
class _Proof:
    session: Session
    stored: Sequence[Mark]
    returned: Sequence[Mark]
    facts: dict[tuple[int, str], tuple[str, ...]] = field(default_factory=dict)
    _locals: dict[str, tuple[tuple[Atom, ...], Form]] = field(default_factory=dict)
    _assumed: set[str] = field(default_factory=set)
    _seen: dict[tuple[int, str], int] = field(default_factory=dict)
    _worked: int = 0

    def __post_init__(self) -> None:
        subject = self.session.subject
        extended, derivations = subject.swept.extended, subject.swept.derivations
        self.definitions: Definitions = {
            subject.network.adjoint_name(n): (d.indices, d.result) for n, d in derivations.items()
        }
        self.cut = cut_names(subject.network, self.definitions)
        self.algebra = Algebra(extended, self.cut, self.definitions)
        self._later = list(attempts(extended, self.definitions, True))
        for algebra in self._later:
            algebra.locals = self._locals
        self._recognised: dict[tuple[str, str], SymbolicArray] = {}
        self._stored_at: dict[tuple[int, str], list[Mark]] = {}
        for mark in self.stored:
            if mark.event is not None:
                self._stored_at.setdefault((mark.line, mark.event.name), []).append(mark)
        for meaning, name in subject.meanings.items():
            if name in self.cut:
                with suppress(NoNormalForm):
                    self._recognise(meaning, name)

    def _recognise(self, meaning: str, name: str) -> None:
        whole = self.wanted(meaning, written_out=True)
        if whole is not None and whole.ndim and _is_worth_a_name(whole.form):
            element = self.wanted(meaning, written_out=False)
            assert element is not None
            self._recognised[(shown(whole.shape), whole.form.key)] = element

    # ---- what a value should be --------------------------------------------------------------

    def wanted(self, meaning: str, written_out: bool = True) -> SymbolicArray | None:
        """A tensor in the author's layout."""
        subject = self.session.subject
        name = subject.meanings.get(meaning)
        if name is None:
            return None
        if name in self.definitions and written_out:
            indices, rhs = self.definitions[name]
            array = self._placed(indices, self.algebra.read(rhs))
        elif name in subject.network.equation_of and (written_out or name not in self.cut):
            equation = subject.network.equation_of[name]
            array = self._placed(equation.indices, self.algebra.read(equation.rhs))
        else:
            tensor = subject.swept.extended.tensor(name)
            whole = any(isinstance(fact, CountsClasses) for fact in tensor.facts)
            shape = tuple(self.algebra.index(index).data[2] for index in tensor.indices)
            array = element_array(self.algebra, name, shape, whole)
        return with_axes(array, self.session.layout.kept(meaning, array.ndim))

    def _placed(self, indices: Any, form: Form) -> SymbolicArray:
        variables = [self.algebra.index(index) for index in indices]
        shape = tuple(v.data[2] for v in variables)
        names = {v: place(i, shape[i]) for i, v in enumerate(variables)}
        return SymbolicArray(shape, renamed(form, names))

    def _times(self, array: SymbolicArray, factor: Factor) -> SymbolicArray:
        if factor.is_one:
            return array
        subject = self.session.subject
        x, out = subject.network.tensor("x"), subject.network.tensor(names.output(subject.depth))
        classes = self.algebra.index(out.indices[-1]).data[2]
        samples = self.algebra.index(x.indices[0]).data[2] if not subject.is_one else number(1)
        form = array.form.scaled(factor.fraction)
        form = form * self.algebra.power(samples, Fraction(factor.samples))
        form = form * self.algebra.power(classes, Fraction(factor.classes))
        return SymbolicArray(array.shape, form, "float")

    # ---- the walk ----------------------------------------------------------------------------

    def run(self) -> None:
        functions: dict[str, ast.FunctionDef] = {}
        modules: dict[str, str] = {}
        others: dict[str, Any] = {}
        for module in reversed(list(self.session.module.chain)):
            assert module.block is not None
            found = names_of(module.block)
            for name in (name for holder in found for name in holder):
                functions.pop(name, None)  # what is further inside has the name
                modules.pop(name, None)
                others.pop(name, None)
            functions.update(found[0])
            modules.update(found[1])
            others.update(found[2])
        interpreter = Interpreter(
            self.algebra,
            functions,
            modules,
            others,
            on_assignment=self._assigned,
            on_value=self._value,
            seconds=self.session.budget.seconds_left,
        )
        arguments = cells(self._arguments(), fixed=False)
        traced = interpreter.run(self.session.function, arguments, must_return=False)
        self._check_returned(traced)

    def _arguments(self) -> dict[str, Any]:
        """The arguments that numbers were given for, as symbols; dicts with the keys used."""
        session = self.session
        numeric = session.used_arguments()
        subject = session.subject
        if subject.is_one:
            count: Any = 1
        else:
            x = subject.network.tensor("x")
            extent = self.algebra.index(x.indices[0]).data[2]
            count = SymbolicArray((), extent, "int")

        def make(meaning: str) -> Any:
            return self.wanted(meaning, written_out=False)

        binder = Binder(
            subject, session.layout, session.names, make, count, lambda n: n, (), session.listed
        )
        symbolic = {**binder.bound(session.function, session.methods), **session.given}
        for name in sorted(session.free):
            symbolic[name] = element_array(self.algebra, f"?{name}", (), False)
        return {
            name: _plain(value, numeric.get(name), subject.depth)
            for name, value in symbolic.items()
        }

    def _assigned(self, name: str, value: SymbolicArray, line: int) -> SymbolicArray:
        self._count()
        key = (line, name)
        number_ = self._seen.get(key, 0)
        self._seen[key] = number_ + 1
        marks = self._stored_at.get(key, ())
        mark = marks[number_] if number_ < len(marks) else None
        if mark is None or mark.found is None or mark.sample is not None:
            return value
        wanted = self._right(mark, value)
        if wanted is None or self._late:
            return value
        facts = self.proof(value, wanted)
        if facts is None:
            return value
        self.facts.setdefault((line, mark.name), facts)
        self._assumed.update(facts)
        element = self.wanted(mark.found, written_out=False)
        if element is None or self.session.subject.meanings[mark.found] not in self.cut:
            return value
        return self._times(_as_shaped(element, value.shape), mark.factor)

    def _right(self, mark: Mark, value: SymbolicArray) -> SymbolicArray | None:
        if mark.step is not None:
            return self._after_step(mark, value, Fraction(mark.step))
        whole = self.wanted(mark.found) if mark.found is not None else None
        if whole is None:
            return None
        whole = _as_shaped(whole, value.shape)
        return self._times(whole, mark.factor) if whole.shape == value.shape else None

    def _after_step(self, mark: Mark, value: SymbolicArray, rate: Fraction) -> SymbolicArray | None:
        """A parameter after its step: W - rate · dW."""
        parameter = self.wanted(str(mark.found))
        gradient = self.wanted(names.gradient(str(mark.found)))
        if parameter is None or gradient is None or parameter.shape != value.shape:
            return None
        form = parameter.form - gradient.form.scaled(rate)
        return SymbolicArray(parameter.shape, form, "float")

    def _count(self) -> None:
        """Take over what the algebra has counted; it counts anew for each statement."""
        self.session.budget.check()
        self._worked += self.algebra.work
        self.algebra.work = 0

    @property
    def _late(self) -> bool:
        return self._worked + self.algebra.work > MOST_WORK

    def _value(self, array: SymbolicArray) -> SymbolicArray:
        """The array under the name of the tensor it equals; a long one under a name of its own."""
        if self._late:
            raise TraceError("more work than is done for a proof")
        if array.dtype == "bool":
            return array
        key = (shown(array.shape), array.form.key)
        known = self._recognised.get(key)
        if known is None and len(array.form.terms) > LONGEST:
            name = f"%{len(self._locals)}"
            self._locals[name] = (array.axis_variables, array.form)
            known = element_array(self.algebra, name, array.shape, False)
            self._recognised[key] = known
        return array if known is None else known

    def _check_returned(self, traced: Traced) -> None:
        values = leaves_of_values(traced.returned, traced.return_names)
        by_name = {m.name: m for m in self.returned}
        for name, value in values:
            mark = by_name.get(name)
            if mark is None or not isinstance(value, SymbolicArray) or self._late:
                continue
            wanted = self._right(mark, value)
            facts = self.proof(value, wanted) if wanted is not None else None
            if facts is not None:
                self.facts[(0, mark.name)] = facts

    # ---- one proof ---------------------------------------------------------------------------

    def proof(self, value: SymbolicArray, wanted: SymbolicArray) -> tuple[str, ...] | None:
        if value.form == wanted.form:
            return tuple(sorted(self._assumed))
        difference = value.form - wanted.form
        found = self._attempt(self.algebra, difference)
        for algebra in self._later if found is None else ():
            if self._late:
                break
            found = self._attempt(algebra, difference, rebuilt=True)
            if found is not None:
                break
        return None if found is None else tuple(sorted({*found, *self._assumed}))

    def _attempt(
        self, algebra: Algebra, difference: Form, rebuilt: bool = False
    ) -> tuple[str, ...] | None:
        self._count()
        algebra.used.clear()
        algebra.work = 0
        try:
            form = algebra.rebuilt(difference) if rebuilt else difference
            found = proof_that_zero(algebra, form)
        except NoNormalForm:
            return None
        finally:
            self._worked += algebra.work
            algebra.work = 0
        return found.facts if found is not None else None


def _as_shaped(array: SymbolicArray, shape: tuple[Form, ...]) -> SymbolicArray:
    """The array transposed, or with axes of size 1 more or less, where that gives the shape."""
    if array.shape == shape:
        return array
    one = number(1)
    long = [axis for axis, extent in enumerate(array.shape) if extent != one]
    wide = [extent for extent in shape if extent != one]
    for order in (long, long[::-1]):
        if [array.shape[axis] for axis in order] == wide:
            places = iter(order)
            return with_axes(array, [None if e == one else next(places) for e in shape])
    return array


def _is_worth_a_name(form: Form) -> bool:
    return len(form.terms) > 1 or any(
        len(mono) != 1 or mono[0][0].kind != "el" for mono in form.terms
    )


def _plain(value: Any, numeric: Any, depth: int) -> Any:
    """A dict with the entries that were looked up, in place of one that finds them by name."""
    if isinstance(value, Unknown):
        return Unread(value.reason, value.line)
    if isinstance(value, Instance):
        held = numeric.bundle if isinstance(numeric, Instance) else {}
        own = {*numeric.written, *numeric.own} if isinstance(numeric, Instance) else set()
        given = {key: value.bundle.find(key) for key in held if key not in own}
        return Object({key: part for key, part in given.items() if part is not None})
    if isinstance(value, Bundle):
        keys = list(numeric) if isinstance(numeric, Bundle) else []
        own = {f"{letter}{l}" for letter in "Wb" for l in range(1, 1 + depth)}
        if keys and set(keys) <= own:  # such a dict may be counted: it has all of them
            keys += [k for k in sorted(own) if k not in keys and value.find(k) is not None]
            return {key: value.find(key) for key in keys}
        return {key: _plain(value.find(key), numeric[key], depth) for key in keys}
    return value
