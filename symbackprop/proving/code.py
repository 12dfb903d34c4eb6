"""The proof that a function computes what was derived, for all sizes.

Owns: which name or returned value is compared with which equation, and the comparison.
Refuses: running the code. What cannot be read is `Undecided`, with its line.
Would be wrong if: a name were taken for a tensor without proof. Later code is read in terms of a
tensor only after its value was shown to be that tensor.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from symbackprop.calculus.terms import Expression, Index
from symbackprop.derivation.equality import (
    AGREE,
    Definitions,
    attempts,
    compared,
    cut_names,
    given_values,
    proof_that_zero,
    sizes_of,
    with_definitions,
)
from symbackprop.derivation.evaluate import Array, Point
from symbackprop.derivation.normalform import (
    Algebra,
    Atom,
    Form,
    NoNormalForm,
    has_conditions,
    renamed,
)
from symbackprop.derivation.points import generic_point
from symbackprop.errors import SymbackpropError
from symbackprop.networks.network import CountsClasses, Network, Tensor
from symbackprop.proving.formvalue import value_of
from symbackprop.tracing.arrays import ShapeClash, SymbolicArray, TraceError, place, shown
from symbackprop.tracing.interpreter import Interpreter, Traced, cells, element_array, parsed
from symbackprop.tracing.trace import function_of
from symbackprop.verdict import Equal, Undecided, Unequal, Verdict, Witness

POINTS = 2
MORE_POINTS = 16
LONGEST = 16


class Derived(Protocol):
    """What is read of a derivation."""

    @property
    def indices(self) -> tuple[Index, ...]: ...
    @property
    def result(self) -> Expression: ...


class Swept(Protocol):
    """What is read of a sweep."""

    @property
    def extended(self) -> Network: ...
    @property
    def derivations(self) -> Mapping[str, Derived]: ...


# --------------------------------------------------------------------------------------------
# Proof
# --------------------------------------------------------------------------------------------


def prove_source(
    source: str,
    function: str,
    network: Network,
    sweep: Swept,
    wanted: tuple[str, ...] | None = None,
) -> dict[str, Verdict]:
    """A verdict for each local name that a tensor or gradient has, then for what is returned.

    Keys: `z1`, `h1`, `delta2`, `dW1`, … for local names; `loss`, and the name of the tensor
    (`W1`, `x`) for a returned gradient. Every parameter has a key unless `wanted` says otherwise:
    a gradient that is not returned is undecided.
    """
    proof = _Proof(network, sweep)
    expected = (
        wanted if wanted is not None else ("loss", *(t.name for t in network.of_kind("parameter")))
    )
    try:
        found = proof.of(source, function)
    except ShapeClash as clash:
        witness = Witness({s.name: n for s, n in proof.point(0).sizes.items()})
        found = {**proof.verdicts, **dict.fromkeys(expected, Unequal(witness, str(clash)))}
    except RecursionError:
        reason = Undecided(f"{function} is nested too deeply")
        found = {**proof.verdicts, **dict.fromkeys(expected, reason)}
    except (TraceError, NoNormalForm) as problem:
        found = {**proof.verdicts, **dict.fromkeys(expected, Undecided(str(problem)))}
    for name in expected:
        found.setdefault(name, Undecided(f"{function} returns nothing under the name {name}"))
    return found


@dataclass
class _Proof:
    """One proof in progress: the names shown so far, and points at which to look for witnesses."""

    network: Network
    sweep: Swept
    verdicts: dict[str, Verdict] = field(default_factory=dict)
    _points: dict[int, Point] = field(default_factory=dict)
    _last_lines: dict[str, int] = field(default_factory=dict)
    _values: dict[int, dict[str, Array]] = field(default_factory=dict)
    _locals: dict[str, tuple[tuple[Atom, ...], Form]] = field(default_factory=dict)
    _assumed: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.extended = self.sweep.extended
        self.adjoints = _adjoint_names(self.extended)
        self.definitions: Definitions = {
            self.adjoints[name]: (d.indices, d.result) for name, d in self.sweep.derivations.items()
        }
        self.cut = cut_names(self.network, self.definitions)
        self.algebra = Algebra(self.extended, self.cut, self.definitions)
        self._recognised = dict(self._namable())
        self._later = list(attempts(self.extended, self.definitions, True))
        for algebra in self._later:
            algebra.locals = self._locals

    def point(self, number: int) -> Point:
        if number not in self._points:
            base = generic_point(self.extended, 3000 + number)
            self._points[number] = with_definitions(base, self.definitions)
        return self._points[number]

    # ---- what a value should be --------------------------------------------------------------

    def expected(self, name: str) -> tuple[tuple[Form, ...], Form] | None:
        """Shape and entry (over `@0`, `@1`) of a tensor, adjoint or gradient."""
        if name in self.definitions:
            indices, rhs = self.definitions[name]
        elif name in self.network.equation_of:
            equation = self.network.equation_of[name]
            indices, rhs = equation.indices, equation.rhs
        else:
            return None
        return self._placed(indices, self.algebra.read(rhs))

    def _placed(self, indices: tuple[Index, ...], form: Form) -> tuple[tuple[Form, ...], Form]:
        variables = [self.algebra.index(index) for index in indices]
        shape = tuple(v.data[2] for v in variables)
        names = {v: place(i, shape[i]) for i, v in enumerate(variables)}
        return shape, renamed(form, names)

    def _namable(self) -> Iterator[tuple[tuple[str, str], str]]:
        """Values that later code is read in terms of, by shape and content."""
        for name in sorted(self.cut):
            found = None
            with suppress(NoNormalForm):
                found = self.expected(name)
            if found is not None and found[0] and _is_worth_a_name(found[1]):
                shape, form = found
                yield (shown(shape), form.key), name

    def recognised(self, array: SymbolicArray) -> SymbolicArray:
        """The array under the name of the tensor it equals. A condition stays what it is, though
        as 0 and 1 it may equal a derivative: `np.where` has to see it."""
        if array.dtype == "bool":
            return array
        name = self._recognised.get((shown(array.shape), array.form.key))
        if name is not None:
            return self._element(name, array.shape)
        return self._opaque(array) if len(array.form.terms) > LONGEST else array

    def _opaque(self, array: SymbolicArray) -> SymbolicArray:
        """A long value, or a wrong one, under a name of its own, so that what is computed from it
        stays short. Proofs that need its inside write it out again."""
        key = (shown(array.shape), array.form.key)
        if key not in self._recognised:
            name = f"%{len(self._locals)}"
            self._locals[name] = (array.axis_variables, array.form)
            self._recognised[key] = name
        return self._element(self._recognised[key], array.shape)

    def _element(self, name: str, shape: tuple[Form, ...]) -> SymbolicArray:
        return element_array(self.algebra, name, shape, False)

    # ---- the walk ----------------------------------------------------------------------------

    def of(self, source: str, function: str) -> dict[str, Verdict]:
        definition = function_of(source, function)
        interpreter = Interpreter(
            self.algebra,
            *parsed(source),
            on_assignment=self._assigned,
            on_value=self.recognised,
        )
        self._last_lines = _last_lines(definition)
        traced = interpreter.run(definition, cells(self._arguments(definition)))
        self._returned(traced)
        return self.verdicts

    def _arguments(self, definition: ast.FunctionDef) -> dict[str, Any]:
        """`params`, and any tensor by its name; the rest needs a default."""
        given = self.network.of_kind("input", "label", "parameter")
        tensors = {t.name: self._given(t) for t in given}
        parameters = {t.name: tensors[t.name] for t in self.network.of_kind("parameter")}
        spec = definition.args
        names = [a.arg for a in (*spec.posonlyargs, *spec.args, *spec.kwonlyargs)]
        return {
            name: tensors.get(name, parameters)
            for name in names
            if name in tensors or name in ("params", "parameters")
        }

    def _given(self, tensor: Tensor) -> SymbolicArray:
        whole = any(isinstance(fact, CountsClasses) for fact in tensor.facts)
        shape = tuple(self.algebra.index(index).data[2] for index in tensor.indices)
        return element_array(self.algebra, tensor.name, shape, whole)

    def _assigned(self, name: str, value: SymbolicArray, line: int) -> SymbolicArray:
        tensor = self._tensor_of(name)
        if tensor is None or line < self._last_lines.get(name, 0):
            return value  # it is still being made: `delta3[rows, y] -= 1` follows
        verdict = self.compared(tensor, value)
        self.verdicts[name] = verdict
        if isinstance(verdict, Equal) and verdict.method == "proved" and tensor in self.cut:
            self._assumed.update(verdict.facts)  # what reads this name rests on them too
            return self._element(tensor, value.shape)
        if isinstance(verdict, Unequal) and value.ndim and _is_worth_a_name(value.form):
            return self._opaque(value)
        return value

    def _tensor_of(self, name: str) -> str | None:
        """The tensor or adjoint that a local name names; None for any other name."""
        if name in ("loss", self.network.loss):
            return self.network.loss
        if name in self.definitions:
            return name
        resolved = self.network.resolve(name)
        if resolved in self.network.equation_of:
            return resolved
        if name.startswith("d") and self.network.resolve(name[1:]) in self.adjoints:
            adjoint = self.adjoints[self.network.resolve(name[1:])]
            return adjoint if adjoint in self.definitions else None
        return None

    def _returned(self, traced: Traced) -> None:
        for name, value in _by_name(traced.returned, traced.return_names):
            key, tensor = self._returned_tensor(name)
            if tensor is None or not isinstance(value, SymbolicArray):
                continue
            self.verdicts[key] = self.compared(tensor, value)

    def _returned_tensor(self, name: str) -> tuple[str, str | None]:
        """Key of the verdict, and what is compared: `W1` and `dW1` both mean d loss / d W1."""
        if name in ("loss", self.network.loss):
            return "loss", self.network.loss
        for bare in (name, name[1:] if name.startswith("d") else name):
            tensor = self.network.resolve(bare)
            if tensor in self.adjoints and self.adjoints[tensor] in self.definitions:
                return tensor, self.adjoints[tensor]
        return name, self._tensor_of(name)

    # ---- one comparison ----------------------------------------------------------------------

    def compared(self, tensor: str, value: SymbolicArray) -> Verdict:
        wanted = self.expected(tensor)
        assert wanted is not None
        shape, form = wanted
        if shape != value.shape:
            return self._shapes(tensor, value.shape, shape)
        if tensor in self.cut and value.form == self._element(tensor, shape).form:
            return Equal("proved", tuple(sorted(self._assumed)), "normal form")
        proof = self._first_proof(value.form, form)
        seen = self._at_points(value, form, range(POINTS)) if proof is None else None
        if isinstance(seen, Unequal):
            return seen  # a witness ends the search for a proof
        proof = proof or self._later_proof(value.form, form)
        if proof is not None:
            return replace(proof, facts=tuple(sorted({*proof.facts, *self._assumed})))
        assert seen is not None
        if isinstance(seen, Undecided):
            return seen
        return self._at_points(value, form, range(POINTS, POINTS + MORE_POINTS))

    def _first_proof(self, value: Form, form: Form) -> Equal | None:
        self.algebra.used.clear()
        self.algebra.work = 0
        try:
            return proof_that_zero(self.algebra, value - form)
        except NoNormalForm:
            return None

    def _later_proof(self, value: Form, form: Form) -> Equal | None:
        """With facts, and with more names written out."""
        for algebra in self._later:
            algebra.used.clear()
            algebra.work = 0
            try:
                found = proof_that_zero(algebra, algebra.rebuilt(value - form))
            except NoNormalForm:
                continue
            if found is not None:
                return found
        return None

    def _at_points(self, value: SymbolicArray, form: Form, numbers: range) -> Verdict:
        try:
            for number in numbers:
                one, other = (self._value(f, value.shape, number) for f in (value.form, form))
                found = compared(one, other, self.point(number))
                if not isinstance(found, float):
                    return found
        except (SymbackpropError, NotImplementedError) as problem:
            return Undecided(f"neither proved nor evaluated: {problem}")
        if has_conditions(value.form - form):
            return Undecided(
                f"agrees at {numbers.stop} points, but a condition may hold at none of them"
            )
        return Equal("numeric", detail=f"< {AGREE:g} at {numbers.stop} points")

    def _value(self, form: Form, shape: tuple[Form, ...], number: int) -> Array:
        point = self.point(number)
        sizes = sizes_of(point)
        values = self._values.setdefault(number, dict(point.values))
        for name, (variables, inside) in self._locals.items():
            if name not in values:
                values[name] = value_of(inside, variables, values, sizes)
        axes = [place(i, extent) for i, extent in enumerate(shape)]
        return value_of(form, axes, values, sizes)

    def _shapes(self, tensor: str, found: tuple[Form, ...], wanted: tuple[Form, ...]) -> Unequal:
        point = self.point(0)
        sizes = sizes_of(point)
        sides = [
            tuple(int(value_of(extent, [], {}, sizes)) for extent in shape)
            for shape in (found, wanted)
        ]
        reason = f"{tensor} has shape {shown(found)}, expected {shown(wanted)}"
        return Unequal(Witness(sizes_of(point), given_values(point), (), *sides), reason)


def _last_lines(definition: ast.FunctionDef) -> dict[str, int]:
    """The line that assigns or changes a name last."""
    found: dict[str, int] = {}
    for node in ast.walk(definition):
        target = node.value if isinstance(node, ast.Subscript) else node
        stored = isinstance(node, (ast.Name, ast.Subscript)) and isinstance(node.ctx, ast.Store)
        if stored and isinstance(target, ast.Name):
            found[target.id] = max(found.get(target.id, 0), target.lineno)
    return found


def _adjoint_names(extended: Network) -> dict[str, str]:
    """Tensor -> its adjoint: `extended` lists them in the order of the tensors they belong to."""
    owners = [t for t in extended.tensors if t.kind not in ("label", "loss", "adjoint")]
    adjoints = [t for t in extended.tensors if t.kind == "adjoint"]
    return {owner.name: a.name for owner, a in zip(owners, adjoints, strict=True)}


def _is_worth_a_name(form: Form) -> bool:
    """More than one entry of one tensor: otherwise a name would hide that tensor."""
    return len(form.terms) > 1 or any(
        len(mono) != 1 or mono[0][0].kind != "el" for mono in form.terms
    )


def _by_name(value: Any, written: Any) -> Iterator[tuple[str, Any]]:
    """Returned arrays under the names of a dict, or those that the return statement gives."""
    if isinstance(value, dict):
        for key, part in value.items():
            yield str(key), part
    elif isinstance(value, (tuple, list)):
        names = written if isinstance(written, tuple) else (None,) * len(value)
        for place_, part in enumerate(value):
            name = names[place_]
            if name is None and isinstance(part, SymbolicArray) and not part.ndim and place_ == 0:
                name = "loss"
            yield from _by_name(part, name)
    elif isinstance(written, str):
        yield written, value
