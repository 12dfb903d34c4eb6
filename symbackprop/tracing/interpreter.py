"""NumPy functions read as index equations, by interpreting their syntax tree.

Owns: statements (assignment, branches, loops, calls of helpers) and the record of what was
assigned. Nothing is executed, imported or looked up in the running program. Expressions are in
`evaluator`, loops over samples in `samples`, the functions of NumPy in `numpy_functions`.
Refuses: everything else, with a `TraceError` that names the line and the construct. Undecided is
an answer; a guess is not.
Would be wrong if: an array changed in place through one name kept its old value under another.
Names refer to cells, and views to the cell whose memory they show.
"""

from __future__ import annotations

import ast
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from symbackprop.derivation.normalform import Algebra, NoNormalForm
from symbackprop.tracing import containers, indexing, numpy_functions
from symbackprop.tracing.arrays import OutOfBounds, ShapeClash, SymbolicArray, TraceError
from symbackprop.tracing.evaluator import MOST_SECONDS, Call, Evaluator, Returned
from symbackprop.tracing.machine import Machine, Recogniser
from symbackprop.tracing.memory import Cell
from symbackprop.tracing.operators import binary
from symbackprop.tracing.samples import read_once
from symbackprop.tracing.source import (
    construct,
    dotted,
    is_pure,
    nested_too_deeply,
    parsed,
    written_names,
)
from symbackprop.tracing.values import (
    Assignment,
    Instance,
    Packed,
    Repeated,
    Scope,
    Traced,
    Unread,
    bounded,
    cells,
    described,
    element_array,
    plain,
    readable,
)

__all__ = [
    "Interpreter",
    "Traced",
    "cells",
    "element_array",
    "nested_too_deeply",
    "parsed",
    "plain",
]

MOST_REPETITIONS = 2000

Watcher = Callable[[str, SymbolicArray, int], SymbolicArray]


class _Broken(Exception):
    """A break statement was met."""


class _Continued(Exception):
    """A continue statement was met."""


@dataclass(frozen=True)
class _Place:
    """What an assignment changes, for the record: `grads["dW2"]`, and `dW2`."""

    name: str
    label: str


@dataclass
class Interpreter:
    """One reading of one module.

    `on_assignment(name, value, line)` may put an equal value in place of one that is assigned in
    the function itself; `on_value` likewise for every array that is computed.
    """

    algebra: Algebra
    functions: Mapping[str, ast.FunctionDef]
    modules: dict[str, str]
    constants: Mapping[str, Any] = field(default_factory=dict)
    on_assignment: Watcher | None = None
    on_value: Recogniser | None = None
    seconds: float = MOST_SECONDS
    unclipped: bool = False
    started: float = field(default_factory=time.monotonic)

    def run(
        self,
        function: ast.FunctionDef,
        arguments: Mapping[str, Any],
        must_return: bool = True,
    ) -> Traced:
        """Read one call. `arguments` as `cells` makes them."""
        machine = Machine(self.algebra, self.on_value, self.unclipped)
        reader = Reader(
            machine,
            self.functions,
            self.modules,
            self.constants,
            self.seconds,
            started=self.started,
            on_assignment=self.on_assignment,
        )
        return reader.run(function, arguments, must_return)


@dataclass
class Reader(Evaluator):
    """Statements, on top of expressions."""

    on_assignment: Watcher | None = None
    lines: dict[str, int] = field(default_factory=dict)
    order: dict[str, Any] = field(default_factory=dict)
    assignments: list[Assignment] = field(default_factory=list)
    statement: ast.stmt | None = None

    def run(
        self, function: ast.FunctionDef, arguments: Mapping[str, Any], must_return: bool
    ) -> Traced:
        closure = self.closure(function.name, function, self.top)
        scope = self.bound(closure, (), dict(arguments))
        given = dict(scope)
        self.calls.append(Call(function.name))
        try:
            self.block(function.body, scope)
        except Returned as returned:
            line, shown = returned.node.lineno, written_names(returned.node.value)
            return self._traced(_told(returned.value, line), shown, line, given)
        except RecursionError:
            raise TraceError("nested too deeply", function.lineno) from None
        if must_return:
            raise TraceError(f"{function.name} returns nothing", function.lineno)
        return self._traced(None, None, function.end_lineno or function.lineno, given)

    def _traced(self, returned: Any, shown: Any, line: int, given: dict[str, Any]) -> Traced:
        names = {name: readable(value) for name, value in self.order.items()}
        left = {name: readable(value) for name, value in given.items()}
        return Traced(
            {name: value for name, (known, value) in names.items() if known},
            self.lines,
            returned,
            shown,
            line,
            tuple(self.assignments),
            {name: value for name, (known, value) in left.items() if known},
            tuple(self.machine.assumptions),
        )

    # ---- statements --------------------------------------------------------------------------

    def block(self, body: Sequence[ast.stmt], scope: Scope) -> None:
        for statement in body:
            self.tick(statement)
            self.machine.algebra.work = 0
            self.machine.line = statement.lineno
            before, self.statement = self.statement, statement
            try:
                self._statement(statement, scope)
            except TraceError as fault:
                if fault.line is None:
                    raise type(fault)(fault.reason, statement.lineno) from None
                raise
            except NoNormalForm as problem:
                raise TraceError(str(problem), statement.lineno) from None
            finally:
                self.statement = before

    def _statement(self, statement: ast.stmt, scope: Scope) -> None:
        match statement:
            case ast.Expr(value=value):
                self._expression(value, scope)
            case ast.Pass() | ast.Import() | ast.ImportFrom():
                self._import(statement, scope)
            case ast.Return(value=value):
                raise Returned(None if value is None else self.value(value, scope), statement)
            case ast.Assign(targets=targets, value=value):
                result = self._assigned_value(targets, value, scope)
                for target in targets:
                    self.assign(target, result, scope)
            case ast.AnnAssign(target=target, value=value):
                if value is not None:
                    result = self._assigned_value([target], value, scope)
                    self.assign(target, result, scope)
            case ast.AugAssign(target=target, op=op, value=value):
                self._augment(target, op, value, scope)
            case ast.If(test=test, body=body, orelse=orelse):
                self.block(body if self.decided(test, scope) else orelse, scope)
            case ast.For():
                self._for(statement, scope)
            case ast.While():
                self._while(statement, scope)
            case ast.Break():
                raise _Broken
            case ast.Continue():
                raise _Continued
            case ast.FunctionDef(name=name):
                self._bind(name, self.closure(name, statement, scope), scope)
            case ast.Delete(targets=targets):
                for target in targets:
                    self._delete(target, scope)
            case ast.Assert(test=test):
                self._assertion(test, scope)
            case ast.With(items=items, body=body):
                for item in items:
                    self._context(item)
                self.block(body, scope)
            case _:
                raise TraceError(f"{construct(statement)} is not read", statement.lineno)

    def _import(self, statement: ast.stmt, scope: Scope) -> None:
        if not isinstance(statement, ast.Pass):
            raise TraceError("an import inside a function", statement.lineno)

    def _expression(self, node: ast.expr, scope: Scope) -> None:
        """A value that nobody keeps: `print(…)`, `x.reshape(…)`, a docstring."""
        if isinstance(node, ast.Constant):
            return
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            arguments = [*node.args, *(k.value for k in node.keywords)]
            plain_print = node.func.id == "print" and scope.found("print") is None
            if plain_print and all(self._is_pure(part, scope) for part in arguments):
                return
        try:
            self.value(node, scope)
        except (ShapeClash, OutOfBounds):
            raise
        except TraceError:
            if not self._is_pure(node, scope):
                raise

    def _assertion(self, test: ast.expr, scope: Scope) -> None:
        """A passing assertion changes nothing, unless its test does."""
        if not self._is_pure(test, scope):
            self.value(test, scope)

    def _is_pure(self, node: ast.expr, scope: Scope) -> bool:
        own = set(self.functions) | {
            s.name
            for kind in self.constants.values()
            if isinstance(kind, ast.ClassDef)
            for s in kind.body
            if isinstance(s, ast.FunctionDef)
        }
        inner: Scope | None = scope
        while inner is not None:
            own |= set(inner)
            inner = inner.parent
        modules = {k: v for k, v in self.modules.items() if scope.found(k) is None}
        positional = {name: row.positional for name, row in numpy_functions.TABLE.items()}
        return is_pure(node, modules, frozenset(own), positional)

    def _assigned_value(self, targets: Sequence[ast.expr], node: ast.expr, scope: Scope) -> Any:
        """The value; where it is not read, a name may still have it until it is used."""
        try:
            return self.value(node, scope)
        except (ShapeClash, OutOfBounds):
            raise
        except TraceError as fault:
            named = all(isinstance(target, ast.Name) for target in targets)
            if not named or not self._is_pure(node, scope):
                raise
            return Unread(fault.reason, fault.line)

    def _context(self, item: ast.withitem) -> None:
        call = item.context_expr
        name = dotted(call.func, self.modules) if isinstance(call, ast.Call) else None
        if name != "numpy.errstate" or item.optional_vars is not None:
            raise TraceError("a with statement other than np.errstate", call.lineno)

    def _delete(self, target: ast.expr, scope: Scope) -> None:
        if isinstance(target, ast.Name) and target.id in scope:
            del scope[target.id]
            return
        if isinstance(target, ast.Subscript):
            held = self.value(target.value, scope)
            if isinstance(held, dict) and self.key(target.slice, scope) in held:
                self.machine.memory.may_change(held)
                del held[self.key(target.slice, scope)]
                return
        raise TraceError("del of this", target.lineno)

    # ---- loops -------------------------------------------------------------------------------

    def _for(self, loop: ast.For, scope: Scope) -> None:
        values = containers.iterable(self.machine, self.value(loop.iter, scope))
        if isinstance(values, Repeated):
            if loop.orelse:
                raise TraceError("else of a loop over samples", loop.lineno)
            read_once(self, loop, values, scope)
            return
        loops = self.calls[-1].loops
        shown = ast.unparse(loop.target)
        for value in bounded(values, MOST_REPETITIONS):
            self.tick(loop)
            loops.append((shown, readable(value)[1]))
            try:
                self.assign(loop.target, value, scope)
                self.block(loop.body, scope)
            except _Continued:
                continue
            except _Broken:
                return
            finally:
                loops.pop()
        self.block(loop.orelse, scope)

    def _while(self, loop: ast.While, scope: Scope) -> None:
        loops = self.calls[-1].loops
        for turn in range(MOST_REPETITIONS):
            self.tick(loop)
            if not self.decided(loop.test, scope):
                self.block(loop.orelse, scope)
                return
            loops.append(("while", turn))
            try:
                self.block(loop.body, scope)
            except _Continued:
                continue
            except _Broken:
                return
            finally:
                loops.pop()
        raise OutOfBounds(f"more than {MOST_REPETITIONS} repetitions", loop.lineno)

    # ---- assignment --------------------------------------------------------------------------

    def assign(self, target: ast.expr, value: Any, scope: Scope) -> None:
        match target:
            case ast.Name(id=name):
                self._bind(name, value, scope)
            case ast.Tuple(elts=parts) | ast.List(elts=parts):
                self._unpack(parts, value, scope, target)
            case ast.Subscript(value=owner, slice=index):
                self._assign_item(self.value(owner, scope), target, index, value, scope)
            case ast.Attribute(value=owner, attr=name):
                self._assign_field(self.value(owner, scope), target, name, value)
            case _:
                raise TraceError(f"assignment to {construct(target)}", target.lineno)

    def _unpack(
        self, parts: Sequence[ast.expr], value: Any, scope: Scope, target: ast.expr
    ) -> None:
        if isinstance(value, Unread):
            raise TraceError(value.reason, value.line)
        pieces = containers.items(self.machine, value)
        stars = [i for i, part in enumerate(parts) if isinstance(part, ast.Starred)]
        if len(stars) == 1 and len(pieces) >= len(parts) - 1:
            first, after = stars[0], len(parts) - stars[0] - 1
            last = len(pieces) - after
            middle = self.machine.memory.made(pieces[first:last])
            pieces = [*pieces[:first], middle, *pieces[last:]]
        elif len(pieces) != len(parts) or stars:
            raise TraceError("unpacking into a different number of names", target.lineno)
        for part, piece in zip(parts, pieces, strict=True):
            self.assign(part.value if isinstance(part, ast.Starred) else part, piece, scope)

    def _bind(self, name: str, value: Any, scope: Scope, changed: bool = False) -> None:
        scope[name] = value
        if not scope.transparent and not isinstance(value, Unread):
            self._note(_Place(name, name), value, changed)

    def _assign_item(
        self, held: Any, target: ast.Subscript, index: ast.expr, value: Any, scope: Scope
    ) -> None:
        if isinstance(held, dict):
            key = self.key(index, scope)
            self._put(held, key, value)
            self._note(_keyed(target, key), value)
        elif isinstance(held, list):
            where = self.list_place(held, index, scope)
            if isinstance(where, slice):
                raise TraceError("assignment to a part of a list", target.lineno)
            where %= len(held)
            self._put(held, where, value)
            self._note(_keyed(target, where), value)
        elif isinstance(held, Cell):
            self._store(held, self.index_parts(index, scope), value)
            self._note_owner(target.value, held)
        else:
            raise TraceError("assignment into something that is no array", target.lineno)

    def _put(self, held: Any, key: Any, value: Any) -> None:
        same = (key in held if isinstance(held, dict) else True) and held[key] is value
        if not same:
            self.machine.memory.may_change(held)
            held[key] = value

    def _assign_field(self, held: Any, target: ast.Attribute, name: str, value: Any) -> None:
        if not isinstance(held, Instance):
            raise TraceError(f"assignment to an attribute of {described(held)}", target.lineno)
        kind = self.class_of(held)
        if kind and any(isinstance(s, ast.FunctionDef) and s.name == name for s in kind.body):
            raise TraceError(f"assignment to the method {name}", target.lineno)
        if held.fields.get(name, self) is not value:
            self.machine.memory.may_change(held)
            held.fields[name] = value
        self._note(_Place(ast.unparse(target), name), value)

    def _store(self, held: Cell, parts: list[Any], value: Any) -> None:
        """a[parts] = value"""
        algebra = self.machine.algebra
        if held.is_number:
            raise TraceError("assignment into a number")
        old = held.value
        if self.is_mask(parts):
            mask = parts[0].value
            entries = self._under_mask(value, indexing.full_mask(old, mask))
            self.machine.write(held, indexing.masked(algebra, old, mask, entries))
            return
        if isinstance(value, Packed):
            raise TraceError("entries under a mask are assigned to other entries")
        chosen = indexing.selection(algebra, old, self.selection_parts(held, parts))
        new = self.machine.array(value)
        self.machine.write(held, indexing.changed(algebra, old, chosen, new))

    def _under_mask(self, value: Any, mask: SymbolicArray) -> SymbolicArray:
        if isinstance(value, Packed):
            if value.mask != mask:
                raise TraceError("entries under two masks meet")
            return value.entries
        array = self.machine.array(value)
        if array.ndim:
            raise TraceError("an array is assigned to the entries under a mask")
        return array

    def _augment(self, target: ast.expr, op: ast.operator, node: ast.expr, scope: Scope) -> None:
        """target op= node. The target is read before the value, as Python does."""
        match target:
            case ast.Name(id=name):
                held = self.name(name, scope)
                if name not in scope:
                    raise TraceError(f"{name} is changed before it is assigned", target.lineno)
                result = self._in_place(op, held, self.value(node, scope))
                self._bind(name, result, scope, changed=result is held)
            case ast.Subscript(value=owner_node, slice=index):
                owner = self.value(owner_node, scope)
                if isinstance(owner, Cell):
                    parts = self.index_parts(index, scope)
                    held = self.entry(owner, parts)
                    result = binary(self.machine, op, held, self.value(node, scope))
                    self._store_same_shape(owner, parts, held, result)
                    self._note_owner(owner_node, owner)
                    return
                held = self.item(owner, index, scope)
                result = self._in_place(op, held, self.value(node, scope))
                self._assign_item(owner, target, index, result, scope)
            case ast.Attribute(value=owner_node, attr=name):
                owner = self.value(owner_node, scope)
                held = self.attribute(owner, name)
                result = self._in_place(op, held, self.value(node, scope))
                self._assign_field(owner, target, name, result)
            case _:
                raise TraceError(f"change of {construct(target)}", target.lineno)

    def _store_same_shape(self, owner: Cell, parts: list[Any], held: Any, result: Any) -> None:
        if isinstance(held, Cell) and result.value.shape != held.value.shape:
            raise ShapeClash("a change in place does not keep the shape")
        self._store(owner, parts, result)

    def _in_place(self, op: ast.operator, held: Any, value: Any) -> Any:
        """The object after `held op= value`: arrays and lists stay the same object."""
        if isinstance(held, list) and isinstance(op, ast.Add):
            self.machine.memory.may_change(held)
            held += containers.items(self.machine, value)
            return held
        result = binary(self.machine, op, held, value)
        if not isinstance(held, Cell) or held.is_number:
            return result
        self.machine.write(held, result.value)
        return held

    # ---- the record --------------------------------------------------------------------------

    def _note(self, place: _Place, value: Any, changed: bool = False) -> None:
        """Tell whoever watches; an equal value may come back in place of the array's."""
        statement = self.statement
        assert statement is not None
        if len(self.calls) == 1:
            self._watched(place, value, statement.lineno)
        known, content = readable(value)
        if known:
            self.assignments.append(
                Assignment(
                    place.name,
                    place.label,
                    content,
                    statement.lineno,
                    statement.col_offset,
                    _end_line(statement),
                    _end_column(statement),
                    self.calls[-1].name,
                    len(self.calls) - 1,
                    tuple(loop for call in self.calls for loop in call.loops),
                    tuple(self.samples),
                    changed,
                )
            )

    def _watched(self, place: _Place, value: Any, line: int) -> None:
        if self.machine.memory.frames:
            return
        if isinstance(value, Cell) and self.on_assignment is not None:
            value.restate(self.on_assignment(place.label, value.value, line))
        self.order.pop(place.label, None)
        self.order[place.label] = value
        self.lines[place.label] = line

    def _note_owner(self, node: ast.expr, held: Cell) -> None:
        """An array some of whose entries have changed."""
        match node:
            case ast.Name(id=name):
                self._note(_Place(name, name), held, True)
            case ast.Attribute(attr=name):
                self._note(_Place(ast.unparse(node), name), held, True)
            case ast.Subscript(slice=ast.Constant(value=str() as key)):
                self._note(_Place(ast.unparse(node), key), held, True)


def _told(value: Any, line: int) -> Any:
    try:
        return plain(value)
    except TraceError as fault:
        raise TraceError(fault.reason, fault.line or line) from None


def _keyed(target: ast.Subscript, key: Any) -> _Place:
    text = f'"{key}"' if isinstance(key, str) else repr(key)
    return _Place(f"{ast.unparse(target.value)}[{text}]", str(key))


def _end_line(statement: ast.stmt) -> int:
    """Of a loop, the line of its head."""
    if isinstance(statement, (ast.For, ast.While)):
        return statement.lineno
    return statement.end_lineno or statement.lineno


def _end_column(statement: ast.stmt) -> int:
    if isinstance(statement, (ast.For, ast.While)):
        return statement.col_offset
    return statement.end_col_offset or statement.col_offset
