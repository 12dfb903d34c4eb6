"""NumPy functions read on numbers, statement by statement, by walking their syntax tree.

Owns: the Python that is read, its meaning on small float arrays, and the trail of what was
assigned where. NumPy's own arrays stand for arrays, so views, broadcasting and changes in place
are NumPy's.
Refuses: guessing. What it does not read is `Unknown` there, with the line and the construct, and
so is what is computed from it, or may be changed by it; the rest is read on. A `Fault` is what
Python or NumPy would report themselves, or a turn in the code that nobody can follow. Nothing is
compiled, imported or looked up in the running program. Steps, sizes and time are bounded.
Would be wrong if a value could be reached that is not listed here or in `numpy_subset`, or if a
fault were called one of the code that comes from what is not read.

For proofs there is the tracer; numbers are for finding the layout, for witnesses, and for trying
what an edited line would give.
"""

from __future__ import annotations

import ast
import builtins
import operator
import re
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any, Literal

import numpy as np

from symbackprop.tracing.numbers import numpy_subset as subset
from symbackprop.tracing.numbers.budget import READING, Budget
from symbackprop.tracing.numbers.choices import (
    BOUNDING,
    Choice,
    Sized,
    bounds_of,
    is_count,
    is_data,
    outcome_of,
    turned_over,
)
from symbackprop.tracing.numbers.modules import Foreign, Function, Module
from symbackprop.tracing.numbers.unknown import Unknown, first_unknown, give_up, parts_of

LAYERS = "<layers>"  # where a scope has the layers of the network, for those that the code makes
SCRIPT = "<script>"  # the function that the statements at the top of a file make
MOST_STEPS = 60_000
MOST_CALLS = 25
ENTRIES_A_STEP = 500  # entries that NumPy goes through in the time of a step
ITEMS_A_STEP = 50  # items of a list
MOST_BITS = 4096
MOST_TEXT = 10_000
MOST_EVENTS = 4_000
MOST_CHOICES = 64
MOST_NESTED = 120
MOST_HELD = 1_000_000  # entries of arrays that a trail holds
MOST_SEEN = 60_000  # names that a trail holds, of scopes at lines

Kind = Literal["shape", "unread", "wrong", "endless"]
Place = tuple[int, int, int]  # line, column, how often it was reached before


class Fault(Exception):
    """Where reading stopped: `shape` is a clash NumPy would report too, `wrong` another error that
    Python is certain to raise, `unread` what is not read here. `leaves`: it is not known whether
    the `loop` or the `function` goes on from here."""

    def __init__(
        self,
        reason: str,
        kind: Kind = "unread",
        line: int = 0,
        column: int = 0,
        leaves: Literal["", "loop", "function"] = "",
    ) -> None:
        super().__init__(reason)
        self.reason, self.kind, self.line, self.column = reason, kind, line, column
        self.leaves = leaves

    @staticmethod
    def of(unknown: Unknown) -> Fault:
        return Fault(unknown.reason, "unread", unknown.line, unknown.column)


@dataclass(frozen=True)
class Event:
    """A value that was stored: under which name, where, and how."""

    name: str
    value: Any
    line: int
    column: int
    end_column: int
    occurrence: int
    depth: int
    how: Literal["bind", "change", "return"]
    statement: ast.stmt
    function: str
    index: int | None = None
    length: int | None = None

    @property
    def place(self) -> Place:
        return (self.line, self.column, self.occurrence)


@dataclass
class Trail:
    """What a reading left: events in order, what was returned, or the fault that ended it.

    `unknowns`: what was not read, in order. `doubt`: why what is called may be another function.
    `stops`: what ends the call before anything is returned. `trusted`: functions that are not read,
    by the line that calls them, and that are taken to change nothing of what they are given.
    `choices`: the ways that conditions on computed numbers came out, by their place; `sized`: those
    on whole numbers. `layers`: objects with weights that the code made, from the data on;
    `asks_turn`: whether a condition asks for the number of a turn of which one is read.
    """

    events: list[Event] = field(default_factory=list)
    returned: Any = None
    return_node: ast.Return | None = None
    fault: Fault | None = None
    seen: dict[int, dict[str, Any]] = field(default_factory=dict)
    owner: Any = None
    unknowns: list[Unknown] = field(default_factory=list)
    doubt: Unknown | None = None
    stops: Unknown | None = None
    trusted: dict[str, int] = field(default_factory=dict)
    choices: dict[tuple[int, int], Choice] = field(default_factory=dict)
    sized: dict[tuple[int, int], Sized] = field(default_factory=dict)
    layers: list[Instance] = field(default_factory=list)
    asks_turn: bool = False


class Bundle(dict[Any, Any]):
    """A dict (or object) of arrays that the code was given: entries are found by their names.

    `all_keys`: all it has, in the usual order, where that is known; `is_layer`: whether it is what
    one layer kept, or a part of that, which the name says that it is given."""

    def __init__(
        self,
        find: Callable[[Any], Any],
        known: Mapping[str, Any],
        all_keys: Sequence[str] = (),
        is_layer: bool = False,
    ) -> None:
        super().__init__(known)
        self.find, self.all_keys, self.is_layer = find, tuple(all_keys), is_layer

    def entry(self, key: Any) -> Any:
        if key not in self:
            found = self.find(key)
            if found is None:
                raise Fault(f"no entry {key!r} is known", "unread")
            self[key] = found
        return self[key]


class Values(list[Any]):
    """`params.values()`: names that it is unpacked into say more than an order."""

    def __init__(self, bundle: Bundle) -> None:
        super().__init__(bundle.entry(key) for key in bundle.all_keys)
        self.bundle = bundle


class Instance:
    """`self`: attributes that are found by name, or were set.

    `widths`: the sizes of the layers, from the data on, where they are known; `initial`: what
    `__init__` sets, once it was read; `own`: the attributes that were taken from there."""

    def __init__(
        self, bundle: Bundle, methods: Mapping[str, ast.FunctionDef], widths: Sequence[int] = ()
    ) -> None:
        self.bundle, self.methods, self.widths = bundle, methods, tuple(widths)
        self.written: dict[str, Any] = {}
        self.initial: dict[str, Any] | None = None
        self.own: set[str] = set()


@dataclass(frozen=True)
class Numpy:
    name: str


@dataclass(frozen=True)
class Builtin:
    name: str


@dataclass(frozen=True)
class Method:
    owner: Any
    name: str


@dataclass(frozen=True, eq=False)
class Closure:
    """A function of the code: where it stands, its defaults (computed there), its object."""

    node: ast.FunctionDef | ast.Lambda
    module: Module
    scope: Mapping[str, Any] = field(default_factory=dict)
    defaults: Mapping[str, Any] = field(default_factory=dict)
    owner: Any = None


@dataclass(frozen=True)
class Class:
    """A class of the code: its methods may be called by its name."""

    name: str
    methods: Mapping[str, ast.FunctionDef]
    module: Module


class _Return(Exception):
    def __init__(self, value: Any, node: ast.Return) -> None:
        self.value, self.node = value, node


class _Break(Exception):
    pass


class _Continue(Exception):
    pass


@dataclass
class Reader:
    """One reading. `overrides` puts values in place of what is stored at a place; `probe` keeps
    the scope at the statements that begin on these lines; `turned` conditions come out the other
    way. `away`: where the text that is judged was left for another, whose lines say nothing."""

    module: Module
    overrides: Mapping[Place, Any] = field(default_factory=dict)
    probe: frozenset[int] = frozenset()
    exact: frozenset[Place] = frozenset()
    turned: frozenset[tuple[int, int]] = frozenset()
    budget: Budget = field(default_factory=Budget)
    trail: Trail = field(default_factory=Trail)
    steps: int = 0
    depth: int = 0
    counts: dict[tuple[int, int], int] = field(default_factory=dict)
    functions_: list[str] = field(default_factory=list)
    statement: ast.stmt | None = None
    within: Function | None = None
    away: ast.AST | None = None
    nested: int = 0
    held: int = 0
    seen: int = 0
    frames: list[dict[str, Any]] = field(default_factory=list)
    globals_: dict[tuple[int, str], Any] = field(default_factory=dict)
    discarded: ast.expr | None = None
    reached: ast.expr | None = None
    turns: set[str] = field(default_factory=set)

    def run(self, function: ast.FunctionDef, arguments: Mapping[str, Any]) -> Trail:
        self.functions_ = [function.name]
        scope = dict(arguments)
        self.trail.unknowns += [v for v in scope.values() if isinstance(v, Unknown)]
        try:
            with np.errstate(all="ignore"), warnings.catch_warnings():
                warnings.simplefilter("ignore")  # NumPy's mean of nothing warns otherwise
                self._run(function, scope)
        except _Return as returned:
            self.trail.returned, self.trail.return_node = returned.value, returned.node
        except Fault as fault:
            self.trail.fault = fault
        except (_Break, _Continue):
            self.trail.fault = Fault("break or continue outside a loop", "wrong", function.lineno)
        except RecursionError:
            self.trail.fault = Fault("nested too deeply", "unread", function.lineno)
        self.budget.spend(self.steps + READING)
        return self.trail

    def run_body(self, function: ast.FunctionDef, scope: dict[str, Any]) -> None:
        """The statements of a function, as far as they can be read."""
        self.functions_ = [function.name]
        ends = suppress(Fault, _Return, _Break, _Continue, RecursionError)
        with ends, np.errstate(all="ignore"):
            self._block(function.body, scope)
        self.budget.spend(self.steps + READING)

    def closure_of(self, function: ast.FunctionDef) -> Closure:
        """A function with the values of its defaults; none where one of them is an error."""
        try:
            return self._closure(function, {})
        except Fault:
            return Closure(function, self.module)

    def _run(self, function: ast.FunctionDef, scope: dict[str, Any]) -> None:
        closure = self._closure(function, {})
        self._doubt_name(function, self._decorated(closure, {}))
        for argument in (
            *function.args.posonlyargs,
            *function.args.args,
            *function.args.kwonlyargs,
        ):
            if argument.arg not in scope and argument.arg not in closure.defaults:
                raise Fault(f"no value for the argument {argument.arg}", "unread", function.lineno)
        scope.update({name: v for name, v in closure.defaults.items() if name not in scope})
        for rest, empty in ((function.args.vararg, ()), (function.args.kwarg, {})):
            if rest is not None:
                scope.setdefault(rest.arg, empty)
        self.within = function
        self.frames.append(scope)
        self._block(function.body, scope)

    def _doubt_name(self, function: ast.FunctionDef, decorated: Any) -> None:
        """Whether what is called under the function's name is this function."""
        reason = self.module.unknown.get(function.name)
        if reason is not None:
            self._doubt(Unknown(f"{reason}, so another may be called", function.lineno))
        if not isinstance(decorated, Closure) or decorated.node is not function:
            names = ", ".join(f"@{ast.unparse(d)[:60]}" for d in function.decorator_list)
            reason = f"what {names} makes of {function.name} is not known"
            self._doubt(Unknown(reason, function.decorator_list[0].lineno))

    def _doubt(self, unknown: Unknown) -> None:
        self.trail.doubt = self.trail.doubt or unknown

    # ---- statements --------------------------------------------------------------------------

    def _block(self, body: Sequence[ast.stmt], scope: dict[str, Any]) -> None:
        for statement in body:
            self._tick(statement)
            self.statement = statement
            line = statement.lineno if self.away is None else 0
            if line in self.probe and line not in self.trail.seen and self.seen < MOST_SEEN:
                self.seen += len(scope)
                self.trail.seen[line] = {n: _kept(v) for n, v in scope.items()}
            try:
                with _located(self.away or statement):
                    self._statement(statement, scope)
            except Fault as fault:
                if fault.kind != "unread" or fault.leaves:
                    raise
                self._skip(statement, scope, fault)

    def _tick(self, node: ast.AST) -> None:
        self.steps += 1
        if self.steps % 256 == 0:
            self.budget.check()
        if self.steps > MOST_STEPS:
            raise Fault(
                "more steps than are read: it does not end, or goes through too much",
                "endless",
                getattr(node, "lineno", 0),
            )

    def _statement(self, statement: ast.stmt, scope: dict[str, Any]) -> None:
        match statement:
            case ast.Assign(targets=targets, value=value):
                result = self._value_or_override(targets, value, scope)
                for target in targets:
                    self._assign(target, result, scope, statement)
            case ast.AnnAssign(target=target, value=value):
                if value is not None:
                    result = self._value_or_override([target], value, scope)
                    self._assign(target, result, scope, statement)
            case ast.AugAssign():
                self._augment(statement, scope)
            case ast.Return(value=value):
                result = None if value is None else self.value(value, scope)
                raise _Return(self._returned(result, statement), statement)
            case ast.Expr(value=value):
                if not isinstance(value, ast.Constant):
                    self._expression_statement(value, scope, statement)
            case ast.If(test=test, body=body, orelse=orelse):
                self._block(body if self._truth(test, scope) else orelse, scope)
            case ast.For():
                self._for(statement, scope)
            case ast.While(test=test, body=body, orelse=[]):
                self._while(test, body, scope)
            case ast.With(items=items, body=body):
                self._with(items, scope)
                self._block(body, scope)
            case ast.Try():
                self._try(statement, scope)
            case ast.FunctionDef(name=name):
                scope[name] = self._decorated(self._closure(statement, scope), scope)
            case ast.Import() | ast.ImportFrom():
                self._import(statement, scope)
            case ast.Delete(targets=targets):
                for target in targets:
                    if isinstance(target, ast.Name):
                        scope.pop(target.id, None)
            case ast.Assert(test=test):
                self._assert(test, scope)
            case ast.Raise():
                raise Fault("the code raises an error for these inputs", leaves="function")
            case ast.Break():
                raise _Break
            case ast.Continue():
                raise _Continue
            case ast.Pass() | ast.Global() | ast.Nonlocal():
                return
            case _:
                raise Fault(f"the statement {type(statement).__name__} is not read")

    def _value_or_override(
        self, targets: Sequence[ast.expr], value: ast.expr, scope: dict[str, Any]
    ) -> Any:
        try:
            return self.value(value, scope)
        except Fault:
            given = self._put_at(targets[0])
            if given is None:
                raise
            return given

    def _put_at(self, node: ast.expr) -> Any:
        """What is put in place of what the node stores next; None where nothing is."""
        spot = (node.lineno, node.col_offset)
        return None if self.away else self.overrides.get((*spot, self.counts.get(spot, 0)))

    def _expression_statement(
        self, value: ast.expr, scope: dict[str, Any], statement: ast.stmt
    ) -> None:
        self.discarded = value
        self.value(value, scope)
        match value:
            case ast.Call(func=ast.Attribute(attr="at"), args=[ast.Name(id=name), *_]):
                scope[name] = self._note(name, scope[name], value, "change", statement)

    def _for(self, statement: ast.For, scope: dict[str, Any]) -> None:
        if getattr(statement, "is_one_turn", False) and isinstance(statement.target, ast.Name):
            self.turns.add(statement.target.id)
        for item in self._iterated(self.value(statement.iter, scope)):
            self._tick(statement)
            self._assign(statement.target, item, scope, None)
            try:
                self._block(statement.body, scope)
            except _Break:
                return
            except _Continue:
                continue
            except Fault as fault:
                raise _outside(fault) from None
        self._block(statement.orelse, scope)

    def _while(self, test: ast.expr, body: Sequence[ast.stmt], scope: dict[str, Any]) -> None:
        own = {(n.lineno, n.col_offset) for n in ast.walk(test) if isinstance(n, ast.expr)}
        while self._truth(test, scope):
            self._tick(test)
            self.turned -= own  # once: else it would not end
            try:
                self._block(body, scope)
            except _Break:
                return
            except _Continue:
                continue
            except Fault as fault:
                raise _outside(fault) from None

    def _with(self, items: Sequence[ast.withitem], scope: dict[str, Any]) -> None:
        """A context is entered once, whatever it is; what it hands over is not known."""
        for item in items:
            context = self.value(item.context_expr, scope)
            if item.optional_vars is not None:
                handed = context if isinstance(context, Unknown) else Unknown("a context")
                self._assign(item.optional_vars, handed, scope, None)

    def _try(self, statement: ast.Try, scope: dict[str, Any]) -> None:
        """What nothing goes wrong in; an error inside may be caught."""
        try:
            self._block([*statement.body, *statement.orelse], scope)
        except Fault as fault:
            if fault.kind in ("shape", "wrong"):
                raise Fault(f"an error that may be caught: {fault.reason}") from None
            raise
        self._block(statement.finalbody, scope)

    def _import(self, statement: ast.stmt, scope: dict[str, Any]) -> None:
        """An import inside a function binds as one at the top does."""
        found = Module.of(ast.Module([statement], []))
        for name, library in found.imports.items():
            scope[name] = of_library(library)
        for name, reason in found.unknown.items():
            scope[name] = self._unknown(Unknown(reason, statement.lineno, statement.col_offset))

    def _assert(self, test: ast.expr, scope: dict[str, Any]) -> None:
        held = self.value(test, scope)
        is_known = not isinstance(held, Unknown) and np.size(held) == 1
        if is_known and not self._as_truth(held):
            reason = "this assertion does not hold for these inputs, so nothing is returned"
            self.trail.stops = self.trail.stops or Unknown(reason, test.lineno, test.col_offset)

    # ---- what is not read --------------------------------------------------------------------

    def _unknown(self, unknown: Unknown) -> Unknown:
        """Told to the trail, once for each place."""
        if self.away is not None:
            unknown = replace(unknown, line=_line(self.away), column=_column(self.away))
        told = [(u.line, u.column, u.reason) for u in self.trail.unknowns[-1:]]
        is_new = (unknown.line, unknown.column, unknown.reason) not in told
        if is_new and len(self.trail.unknowns) < MOST_EVENTS:
            self.trail.unknowns.append(unknown)
        return unknown

    def _give_up(self, values: Sequence[Any], unknown: Unknown) -> None:
        """What somebody unknown may have changed is not known any more."""
        give_up(self.frames, values, unknown.apart)

    def _skip(self, statement: ast.stmt, scope: dict[str, Any], fault: Fault) -> None:
        """A statement that is not read: whatever it may set or change is unknown."""
        unknown = self._unknown(Unknown(fault.reason, fault.line, fault.column))
        leaves = _leaves_by(statement)
        if leaves:
            raise Fault(fault.reason, "unread", fault.line, fault.column, leaves)
        for node in _own_nodes(statement):
            match node:
                case ast.Name(id=name, ctx=ast.Store()):
                    scope[name] = self._note(name, unknown, node, "bind", statement)
                case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
                    scope[name] = unknown
                case ast.Attribute(value=ast.Name(id=owner), attr=name, ctx=ast.Store()) if (
                    isinstance(scope.get(owner), Instance)
                ):
                    scope[owner].bundle[name] = scope[owner].written[name] = unknown
                case ast.Attribute(ctx=ast.Store()) | ast.Subscript(ctx=ast.Store()):
                    self._give_up([scope.get(_root(node))], unknown)
                case ast.AugAssign(target=ast.Name(id=name)):
                    self._give_up([scope.get(name)], unknown)
                case ast.Expr(value=ast.Call() as call):
                    named = [n.id for n in ast.walk(call) if isinstance(n, ast.Name)]
                    self._give_up([scope.get(name) for name in named], unknown)

    def _unread_call(
        self, node: ast.Call | None, function: Any, reason: Unknown, values: Sequence[Any]
    ) -> Unknown:
        """The value of a call that is not read. What is called for its effect alone may change
        all that it is given; of one whose value is used we take it that it does not, and say so."""
        unknown = self._unknown(replace(reason, touches=tuple(parts_of([*values, function]))))
        root = _root_of(node.func) if node is not None else _kind(function)
        is_harmless = root in _HARMLESS or root in _LEFT_ALONE
        if isinstance(function, Closure):
            changes, is_harmless = _changes(function.node), True
        else:
            changes = node is not None and node is self.discarded and not is_harmless
        if changes:
            self._give_up(unknown.touches, unknown)
        elif unknown.touches and not is_harmless and not isinstance(function, Numpy):
            name = ast.unparse(node.func)[:60] if node is not None else root
            self.trail.trusted.setdefault(name, _line(node) if node is not None else 0)
        return unknown

    def _iterated(self, value: Any) -> Iterator[Any]:
        if isinstance(value, Unknown):
            raise Fault.of(value)
        if isinstance(value, Bundle):
            if not value.all_keys:
                raise Fault("a loop over what the code was given")
            return iter(value.all_keys)
        if isinstance(value, np.ndarray) and value.ndim == 0:
            raise Fault("a loop over a number", "wrong")
        if isinstance(value, range) and len(value) > MOST_STEPS:
            raise Fault("a range that is too long")
        if isinstance(value, (list, tuple, range, str, np.ndarray, dict, set)):
            return iter(value if isinstance(value, (range, np.ndarray)) else list(value))
        raise Fault(f"a loop over {_kind(value)}", "wrong" if value is None else "unread")

    def _truth(self, test: ast.expr, scope: dict[str, Any]) -> bool:
        return self._as_truth(self.value(test, scope))

    def _as_truth(self, value: Any) -> bool:
        if isinstance(value, Unknown):
            raise Fault.of(value)
        if isinstance(value, np.ndarray) and value.size != 1:
            raise Fault("the truth of an array with several entries", "wrong")
        if isinstance(value, (Bundle, Instance)):
            raise Fault("the truth of what the code was given")
        return bool(value)

    # ---- storing -----------------------------------------------------------------------------

    def _assign(
        self, target: ast.expr, value: Any, scope: dict[str, Any], statement: ast.stmt | None
    ) -> None:
        match target:
            case ast.Name(id=name):
                value = _as_named(value, name)
                if statement is not None:
                    value = self._note(name, value, target, "bind", statement)
                self._holder(name, scope)[name] = value
            case ast.Tuple(elts=parts) | ast.List(elts=parts):
                self._unpack(parts, value, scope, statement)
            case ast.Subscript(value=owner, slice=index):
                self._store(owner, index, value, scope, target, statement)
            case ast.Attribute(value=owner, attr=name):
                held = self.value(owner, scope)
                if isinstance(held, Unknown):
                    self._give_up(held.touches, held)
                    return
                if not isinstance(held, Instance):
                    raise Fault(f"assignment to an attribute of {_kind(held)}")
                if statement is not None:
                    value = self._note(name, value, target, "bind", statement)
                held.bundle[name] = held.written[name] = value
                self.trail.owner = held
            case _:
                raise Fault(f"assignment to {type(target).__name__}")

    def _holder(self, name: str, scope: dict[str, Any]) -> dict[str, Any]:
        """Where a name is bound: at the top of the file where a function says `global`."""
        if self.within is None or name not in _names_global(self.within):
            return scope
        return self.frames[0] if self.functions_[:1] == [SCRIPT] else scope

    def _unpack(
        self,
        parts: Sequence[ast.expr],
        value: Any,
        scope: dict[str, Any],
        statement: ast.stmt | None,
    ) -> None:
        if isinstance(value, Values) and len(value) == len(parts):
            value = value.bundle
        if isinstance(value, Bundle):
            below = _below_of(value, parts)
            for part in parts:
                is_below = below is not None and _name_in(part) == _name_in(below)
                found = value.find("a_prev") if is_below else self._bundled(value, part)
                self._assign(part, found, scope, None)
            return
        if isinstance(value, Unknown):
            for part in parts:
                inner = part.value if isinstance(part, ast.Starred) else part
                self._assign(inner, value, scope, statement)
            return
        items = list(self._iterated(value))
        starred = [i for i, part in enumerate(parts) if isinstance(part, ast.Starred)]
        if starred:
            first, rest = starred[0], len(parts) - starred[0] - 1
            end = len(items) - rest
            items = [*items[:first], items[first:end], *items[end:]]
        if len(items) != len(parts):
            raise Fault(f"unpacking of {len(items)} values into {len(parts)} names", "wrong")
        for part, item in zip(parts, items, strict=True):
            inner = part.value if isinstance(part, ast.Starred) else part
            self._assign(inner, item, scope, statement)

    def _bundled(self, bundle: Bundle, part: ast.expr) -> Any:
        """What a tuple that was given holds, by the name it is unpacked into."""
        if isinstance(part, ast.Name):
            found = bundle.find(part.id)
            return bundle if found is None else found
        return bundle

    def _store(
        self,
        owner: ast.expr,
        index: ast.expr,
        value: Any,
        scope: dict[str, Any],
        target: ast.expr,
        statement: ast.stmt | None,
    ) -> None:
        held = self.value(owner, scope)
        where = self._index(index, scope)
        name = _written(owner)
        unknown = first_unknown([held, where, value if isinstance(held, np.ndarray) else None])
        if unknown is not None:
            self._give_up([held], unknown)
        elif isinstance(held, dict):
            self._hashable(where)
            if statement is not None:
                value = self._note_item(name, where, None, value, target, statement)
            held[where] = value
        elif isinstance(held, list):
            spot = _position(where, len(held))
            if statement is not None:
                value = self._note_item(name, spot, len(held), value, target, statement)
            held[spot] = value
        elif isinstance(held, np.ndarray):
            self._numpy_step(lambda: held.__setitem__(where, value))
            if statement is not None:
                self._noted_change(owner, held, scope, statement)
        else:
            raise Fault(f"assignment into {_kind(held)}")

    def _noted_change(
        self, owner: ast.expr, held: Any, scope: dict[str, Any], statement: ast.stmt
    ) -> None:
        """An array changed in place: told under its own name."""
        if isinstance(owner, ast.Name):
            scope[owner.id] = self._note(owner.id, held, owner, "change", statement)
        elif isinstance(owner, ast.Subscript):
            container = self.value(owner.value, scope)
            where = self._index(owner.slice, scope)
            if isinstance(container, (dict, list)):
                length = len(container) if isinstance(container, list) else None
                if length is not None:
                    where = _position(where, length)
                name = _written(owner.value)
                container[where] = self._note_item(
                    name, where, length, held, owner, statement, "change"
                )

    def _augment(self, statement: ast.AugAssign, scope: dict[str, Any]) -> None:
        target = statement.target
        held = self.value(_loaded(target), scope)
        try:
            other = self.value(statement.value, scope)
            changed = self._changed(statement.op, held, other)
            if isinstance(changed, Unknown):
                self._give_up([held], changed)
        except Fault:
            changed = self._put_at(target)
            if changed is None:
                raise
        match target:
            case ast.Name(id=name):
                changed = self._note(name, changed, target, "change", statement)
                self._holder(name, scope)[name] = changed
            case ast.Subscript(value=owner, slice=index):
                container = self.value(owner, scope)
                where = self._index(index, scope)
                unknown = first_unknown([container, where])
                if unknown is not None:
                    self._give_up([container], unknown)
                elif isinstance(container, np.ndarray) and isinstance(changed, Unknown):
                    self._give_up([container], changed)
                elif isinstance(container, np.ndarray):
                    self._numpy_step(lambda: container.__setitem__(where, changed))
                    self._noted_change(owner, container, scope, statement)
                else:
                    length = len(container) if isinstance(container, list) else None
                    if length is not None:
                        where = _position(where, length)
                    container[where] = self._note_item(
                        _written(owner), where, length, changed, target, statement, "change"
                    )
            case ast.Attribute(value=owner, attr=name):
                instance = self.value(owner, scope)
                if not isinstance(instance, Instance):
                    raise Fault("a change of an attribute of something that is not known")
                changed = self._note(name, changed, target, "change", statement)
                instance.bundle[name] = instance.written[name] = changed

    def _changed(self, op: ast.operator, held: Any, other: Any) -> Any:
        """`held op= other`: an array keeps its memory."""
        unknown = first_unknown([held, other])
        if unknown is not None:
            return unknown.apart
        if not isinstance(held, np.ndarray) or held.ndim == 0:
            if isinstance(held, list) and isinstance(op, ast.Add):
                held += list(self._iterated(other))
                return held
            return self._binary(op, held, other)
        result = self._binary(op, held, other)
        if np.shape(result) != held.shape:
            raise Fault(
                f"a change in place of shape {held.shape} by shape {np.shape(other)}", "shape"
            )
        self._numpy_step(lambda: np.copyto(held, result, casting="same_kind"))
        return held

    def _note(
        self,
        name: str,
        value: Any,
        node: ast.expr,
        how: Literal["bind", "change", "return"],
        statement: ast.stmt,
        index: int | None = None,
        length: int | None = None,
    ) -> Any:
        """Tell the trail of a stored value; what overrides it comes back."""
        if self.away is not None:
            return value
        spot, given = (node.lineno, node.col_offset), self._put_at(node)
        occurrence = self.counts.get(spot, 0)
        self.counts[spot] = occurrence + 1
        if given is not None:
            value = _overridden(value, given, how, (*spot, occurrence) in self.exact)
        is_told = isinstance(value, (np.ndarray, np.number, float, int, Unknown))
        if not is_told or isinstance(value, bool) or len(self.trail.events) >= MOST_EVENTS:
            return value
        self.held += np.size(value)
        if self.held > MOST_HELD:
            return value
        end = node.end_col_offset if node.end_lineno == node.lineno else None
        self.trail.events.append(
            Event(
                name,
                value if isinstance(value, Unknown) else np.array(value),
                *spot,
                end if end is not None else node.col_offset + 1,
                occurrence,
                self.depth,
                how,
                statement,
                self.functions_[-1],
                index,
                length,
            )
        )
        return value

    def _note_item(
        self,
        owner: str,
        where: Any,
        length: int | None,
        value: Any,
        node: ast.expr,
        statement: ast.stmt,
        how: Literal["bind", "change"] = "bind",
    ) -> Any:
        if isinstance(where, str):
            return self._note(where, value, node, how, statement)
        number = int(where) if isinstance(where, (int, np.integer)) else None
        return self._note(owner, value, node, how, statement, number, length)

    def _returned(self, value: Any, statement: ast.Return) -> Any:
        """What a helper returns may be overridden too."""
        if self.depth == 0 or statement.value is None or not isinstance(value, np.ndarray):
            return value
        return self._note("", value, statement.value, "return", statement)

    # ---- expressions -------------------------------------------------------------------------

    def value(self, node: ast.expr, scope: dict[str, Any]) -> Any:
        self._tick(node)
        self.nested += 1
        try:
            with _located(self.away or node):
                if self.nested > MOST_NESTED:
                    raise Fault("an expression that is nested too deeply")
                return self._value(node, scope)
        except Fault as fault:
            if fault.kind != "unread" or fault.leaves:
                raise
            return self._unread(node, scope, fault)
        finally:
            self.nested -= 1

    def _unread(self, node: ast.expr, scope: dict[str, Any], fault: Fault) -> Unknown:
        """An expression that is not read; calls inside it that were not reached might change what
        they name."""
        unknown = self._unknown(Unknown(fault.reason, fault.line, fault.column))
        for part in () if isinstance(node, _REACHED) else ast.walk(node):
            if isinstance(part, ast.Call):
                named = [n.id for n in ast.walk(part) if isinstance(n, ast.Name)]
                self._give_up([scope.get(name) for name in named], unknown)
        return unknown

    def _value(self, node: ast.expr, scope: dict[str, Any]) -> Any:
        match node:
            case ast.Constant(value=constant):
                if isinstance(constant, (complex, bytes)):
                    raise Fault(f"the constant {constant!r}")
                return constant
            case ast.Name(id=name):
                return self._name(name, scope)
            case ast.BinOp(left=left, op=op, right=right):
                return self._binary(op, self.value(left, scope), self.value(right, scope))
            case ast.UnaryOp(op=op, operand=operand):
                return self._unary(op, self.value(operand, scope))
            case ast.Compare():
                return self._compare(node, scope)
            case ast.BoolOp(op=op, values=values):
                result: Any = None
                for part in values:
                    result = self.value(part, scope)
                    if self._as_truth(result) != isinstance(op, ast.And):
                        return result
                return result
            case ast.IfExp(test=test, body=body, orelse=orelse):
                return self.value(body if self._truth(test, scope) else orelse, scope)
            case ast.Attribute(value=owner, attr=name):
                return self._attribute(self.value(owner, scope), name)
            case ast.Subscript(value=owner, slice=index):
                held, where = self.value(owner, scope), self._index(index, scope)
                self.reached = node
                return self._item(held, where)
            case ast.Call():
                return self._call_node(node, scope)
            case ast.Lambda():
                return self._closure(node, scope)
            case ast.NamedExpr(target=target, value=value):
                scope[target.id] = self.value(value, scope)
                return scope[target.id]
        return self._container(node, scope)

    def _container(self, node: ast.expr, scope: dict[str, Any]) -> Any:
        match node:
            case ast.Tuple(elts=parts):
                return tuple(self._elements(parts, scope))
            case ast.List(elts=parts):
                return self._elements(parts, scope)
            case ast.Dict(keys=keys, values=values):
                made: dict[Any, Any] = {}
                for key, value in zip(keys, values, strict=True):
                    held = self._entry_value(key, value, scope)
                    if key is None:
                        if not isinstance(held, dict):
                            raise Fault("** of something that is not known as a dict")
                        made.update(held)
                    else:
                        made[self._hashable(self.value(key, scope))] = held
                return made
            case ast.ListComp(elt=element) | ast.GeneratorExp(elt=element):
                return [self.value(element, s) for s in self._scopes(node.generators, scope)]
            case ast.DictComp(key=key, value=value):
                return {
                    self._hashable(self.value(key, s)): self.value(value, s)
                    for s in self._scopes(node.generators, scope)
                }
            case ast.Set(elts=parts):
                return {self._hashable(part) for part in self._elements(parts, scope)}
            case ast.SetComp(elt=element):
                scopes = self._scopes(node.generators, scope)
                return {self._hashable(self.value(element, s)) for s in scopes}
            case ast.JoinedStr(values=parts):
                return "".join(self._formatted(part, scope) for part in parts)
        raise Fault(f"the construct {type(node).__name__} is not read")

    def _entry_value(self, key: ast.expr | None, node: ast.expr, scope: dict[str, Any]) -> Any:
        """The value of an entry of a dict that is written out: it is stored under its key."""
        if not isinstance(key, ast.Constant) or not isinstance(key.value, str):
            return self.value(node, scope)
        try:
            held = self.value(node, scope)
        except Fault:
            held = self._put_at(node)
            if held is None:
                raise
        if self.statement is None or isinstance(node, ast.Name):
            return held
        return self._note(key.value, held, node, "bind", self.statement)

    def _elements(self, parts: Sequence[ast.expr], scope: dict[str, Any]) -> list[Any]:
        found: list[Any] = []
        for part in parts:
            if isinstance(part, ast.Starred):
                found += list(self._iterated(self.value(part.value, scope)))
            else:
                found.append(self.value(part, scope))
        return found

    def _scopes(
        self, generators: Sequence[ast.comprehension], scope: dict[str, Any]
    ) -> Iterator[dict[str, Any]]:
        if not generators:
            yield scope
            return
        first, *rest = generators
        for item in self._iterated(self.value(first.iter, scope)):
            self._tick(first.iter)
            inner = dict(scope)
            self._assign(first.target, item, inner, None)
            if all(self._truth(test, inner) for test in first.ifs):
                yield from self._scopes(rest, inner)

    def _formatted(self, part: ast.expr, scope: dict[str, Any]) -> str:
        if isinstance(part, ast.Constant):
            return str(part.value)
        if not isinstance(part, ast.FormattedValue) or part.format_spec is not None:
            raise Fault("a text with a format")
        value = self.value(part.value, scope)
        if isinstance(value, Unknown):
            raise Fault.of(value)
        if not isinstance(value, (str, int, float, np.integer)):
            raise Fault(f"a text made from {_kind(value)}")
        return str(value)

    def _name(self, name: str, scope: dict[str, Any]) -> Any:
        if name in scope:
            return scope[name]
        if name in self._bound_here:
            raise Fault(f"{name} is used before it is set", "wrong")
        if self.functions_[:1] == [SCRIPT] and self.depth and name in self.frames[0]:
            return self.frames[0][name]  # what is set at the top of the file is seen everywhere
        for module in self.module.chain:
            if (id(module), name) in self.globals_:
                return self.globals_[id(module), name]
            found = self._global(name, module)
            if found is not None:
                self.globals_[id(module), name] = found[0]
                return found[0]
        if name in _BUILTINS:
            return Builtin(name)
        if hasattr(builtins, name):
            raise Fault(f"the name {name} is one of Python's that is not followed here")
        raise Fault(f"the name {name} is not known here; set or define it in the same text")

    def _global(self, name: str, module: Module) -> tuple[Any] | None:
        """What a name means in a module, if anything."""
        if name in module.functions:
            closure = self._inside(module, lambda: self._closure(module.functions[name], {}))
            return (self._inside(module, lambda: self._decorated(closure, {})),)
        if name in module.imports:
            return (of_library(module.imports[name]),)
        if name in module.assigned:
            return (self._inside(module, lambda: self.value(module.assigned[name], {})),)
        if name in module.classes:
            return (Class(name, module.classes[name], module),)
        if name in module.values:
            return (self._from_elsewhere(module.values[name]),)
        if name in module.unknown:
            raise Fault(module.unknown[name])
        if module.star is not None and name in module.star.exported:
            return (self._from_elsewhere(Foreign(module.star, name)),)
        if f"{module.imports.get('*')}.{name}" in subset.NAMES:
            return (of_library(f"{module.imports['*']}.{name}"),)
        if "*" in module.unknown and not hasattr(builtins, name):
            raise Fault(f"the name {name} is not known here: {module.unknown['*']}")
        return None

    def _from_elsewhere(self, value: Any) -> Any:
        """A value that is known from elsewhere, or is what a name means in another text."""
        if not isinstance(value, Foreign) or not value.what:
            return value
        module, what = value.module, value.what
        if isinstance(what, str):
            return self._inside(module, lambda: self._name(what, {}))
        closure = self._inside(module, lambda: self._closure(what, {}))
        return self._inside(module, lambda: self._decorated(closure, {}))

    def _inside(self, module: Module, step: Callable[[], Any]) -> Any:
        """A step taken at the top of a module."""
        held = (self.module, self.within, self.statement, self.away)
        if module.foreign and self.away is None:
            self.away = self.statement
        self.module, self.within, self.statement = module, None, None
        try:
            return step()
        finally:
            self.module, self.within, self.statement, self.away = held

    @property
    def _bound_here(self) -> frozenset[str]:
        """The names that the function in which we are sets itself."""
        return frozenset() if self.within is None else _names_set(self.within)

    def _index(self, node: ast.expr, scope: dict[str, Any]) -> Any:
        if isinstance(node, ast.Slice):
            parts = [
                None if part is None else self.value(part, scope)
                for part in (node.lower, node.upper, node.step)
            ]
            return slice(*parts)
        if isinstance(node, ast.Tuple):
            return tuple(self._index(part, scope) for part in node.elts)
        return self.value(node, scope)

    # ---- operators ---------------------------------------------------------------------------

    def _binary(self, op: ast.operator, left: Any, right: Any) -> Any:
        if isinstance(left, Unknown) or isinstance(right, Unknown):
            return (left if isinstance(left, Unknown) else right).apart
        if isinstance(left, str) or isinstance(right, str):
            return self._text_binary(op, left, right)
        if isinstance(left, (list, tuple)) and not isinstance(right, np.ndarray):
            return self._list_binary(op, left, right)
        if isinstance(right, list) and isinstance(left, int):
            return self._list_binary(op, right, left)
        function = _OPERATORS.get(type(op))
        if function is None:
            raise Fault(f"the operator {type(op).__name__}")
        for side in (left, right):
            if not isinstance(side, (np.ndarray, np.generic, int, float, list, tuple)):
                raise Fault(f"arithmetic with {_kind(side)}", _certainly(side))
        if isinstance(left, int) and isinstance(right, int):
            self._bound_integers(op, left, right)
        try:
            return self._numpy_step(lambda: function(left, right), left, right)
        except Fault as fault:
            if fault.kind == "shape" and not isinstance(left, list | tuple) | isinstance(
                right, list | tuple
            ):
                sign = _SIGNS.get(type(op), "?")
                shapes = f"{np.shape(left)} {sign} {np.shape(right)}"
                raise Fault(f"the shapes {shapes} do not fit", "shape") from None
            raise

    def _bound_integers(self, op: ast.operator, left: int, right: int) -> None:
        bits = int(left).bit_length() + int(right).bit_length()
        if isinstance(op, ast.Pow):
            bits = int(left).bit_length() * abs(int(right))
        if bits > MOST_BITS:
            raise Fault("a number that is too large")

    def _text_binary(self, op: ast.operator, left: Any, right: Any) -> str:
        if isinstance(op, ast.Add) and isinstance(left, str) and isinstance(right, str):
            if len(left) + len(right) > MOST_TEXT:
                raise Fault("a text that is too long")
            return left + right
        if isinstance(op, ast.Mult):
            text, count = (left, right) if isinstance(left, str) else (right, left)
            if isinstance(count, (int, np.integer)):
                if len(text) * max(int(count), 0) > MOST_TEXT:
                    raise Fault("a text that is too long")
                repeated: str = text * int(count)
                return repeated
        if isinstance(op, ast.Mod) and isinstance(left, str):
            values = right if isinstance(right, tuple) else (right,)
            plain = all(isinstance(v, (int, str, np.integer)) for v in values)
            if plain and re.fullmatch(r"(?:[^%]|%[ds])*", left) and len(left) < 200:
                made: str = self._numpy_step(lambda: left % values)
                return made
        raise Fault("arithmetic with a text")

    def _list_binary(self, op: ast.operator, left: Any, right: Any) -> Any:
        length = 0
        if isinstance(op, ast.Add) and type(left) is type(right):
            length = len(left) + len(right)
        elif isinstance(op, ast.Mult) and isinstance(right, int):
            length = len(left) * max(right, 0)
        if length > MOST_TEXT:
            raise Fault("a list that is too long")
        self.steps += length // ITEMS_A_STEP
        if isinstance(op, ast.Add) and type(left) is type(right):
            return left + right
        if isinstance(op, ast.Mult) and isinstance(right, int):
            return left * right
        raise Fault(f"{type(op).__name__} of {_kind(left)} and {_kind(right)}")

    def _unary(self, op: ast.unaryop, operand: Any) -> Any:
        if isinstance(operand, Unknown):
            return operand.apart
        if isinstance(op, ast.Not):
            return not self._as_truth(operand)
        if not isinstance(operand, (np.ndarray, np.generic, int, float)):
            raise Fault(f"a sign before {_kind(operand)}", _certainly(operand))
        if isinstance(op, ast.Invert):
            return self._numpy_step(lambda: np.invert(operand))
        return self._numpy_step(lambda: _SIGNED[type(op)](operand))

    def _compare(self, node: ast.Compare, scope: dict[str, Any]) -> Any:
        left = self.value(node.left, scope)
        result: Any = True
        of_turn = bool(self.turns) and self._is_of_turn(node)
        for op, comparator in zip(node.ops, node.comparators, strict=True):
            right = self.value(comparator, scope)
            result = self._related(op, left, right)
            if is_data(left, right) and not isinstance(result, Unknown):
                result = np.logical_not(result) if self._chosen(node, result) else result
            elif is_count(left, right) and of_turn:
                result = bool(result) != self._chosen(node, bool(result))
            elif is_count(left, right) and not isinstance(op, (ast.Is, ast.IsNot)):
                relation = _RELATIONS.get(type(op), operator.eq)
                result = bool(result) != self._sized(node, (left, right), relation)
            if len(node.ops) > 1 and not self._as_truth(result):
                return result
            left = right
        return result

    def _chosen(self, node: ast.expr, outcome: Any, name: str = "") -> bool:
        """Told to the trail; whether it is to be turned over."""
        place = (node.lineno if self.away is None else -node.lineno, node.col_offset)
        choices = self.trail.choices
        if place in choices or len(choices) < MOST_CHOICES:
            known = choices.get(place) or Choice(ast.unparse(node)[:60], name)
            choices[place] = known.also(outcome)
        return place in self.turned

    def _is_of_turn(self, node: ast.Compare) -> bool:
        """Whether a comparison asks for the number of a turn that is read alone."""
        found = any(isinstance(n, ast.Name) and n.id in self.turns for n in ast.walk(node))
        self.trail.asks_turn |= found
        return found

    def _sized(
        self, node: ast.expr, pair: tuple[Any, Any], relation: Callable[[Any, Any], Any]
    ) -> bool:
        """The same of whole numbers."""
        place = (node.lineno if self.away is None else -node.lineno, node.col_offset)
        sized = self.trail.sized
        if place in sized or len(sized) < MOST_CHOICES:
            known = sized.get(place) or Sized(ast.unparse(node)[:60], relation)
            sized[place] = known.also(*pair, bool(relation(*pair)))
        return place in self.turned

    def _related(self, op: ast.cmpop, left: Any, right: Any) -> Any:
        unknown = first_unknown([left, right])
        if unknown is not None:
            return unknown.apart
        if isinstance(op, (ast.Is, ast.IsNot)):
            same = left is right or (isinstance(left, str) and left == right)
            return same == isinstance(op, ast.Is)
        if isinstance(op, (ast.In, ast.NotIn)):
            return self._contained(left, right) == isinstance(op, ast.In)
        for side in (left, right):
            if isinstance(side, _NO_ARRAYS):
                raise Fault(f"a comparison of {_kind(side)}")
        function = _RELATIONS[type(op)]
        return self._numpy_step(lambda: function(left, right), left, right)

    def _contained(self, left: Any, right: Any) -> bool:
        if isinstance(right, Bundle):
            return left in right.all_keys if right.all_keys else right.find(left) is not None
        is_container = isinstance(right, (dict, list, tuple, str, range, set))
        if is_container and isinstance(left, _SIMPLE):
            return bool(self._numpy_step(lambda: left in right))
        raise Fault(f"whether {_kind(left)} is in {_kind(right)}")

    def _numpy_step(self, step: Callable[[], Any], *operands: Any) -> Any:
        """A step that NumPy takes, its complaints turned into faults."""
        unknown = first_unknown(operands) if self.trail.unknowns else None
        if unknown is not None:
            return unknown.apart
        try:
            self.steps += subset.check_work(operands) // ENTRIES_A_STEP
            found = subset.bounded(step())
        except subset.TooLarge as problem:
            raise Fault(str(problem)) from None
        except (ValueError, IndexError) as problem:
            raise Fault(_one_line(problem), "shape") from None
        except (TypeError, KeyError, ArithmeticError, AttributeError) as problem:
            raise Fault(_one_line(problem), "wrong") from None
        except MemoryError:
            raise Fault("too much memory") from None
        self.steps += subset.size_of(found) // ENTRIES_A_STEP
        return found

    # ---- attributes, items -------------------------------------------------------------------

    def _attribute(self, owner: Any, name: str) -> Any:
        if isinstance(owner, Unknown):
            return owner
        if isinstance(owner, Numpy):
            return of_library(f"{owner.name}.{name}")
        if isinstance(owner, (np.ndarray, np.generic)) and name in subset.ARRAY_ATTRIBUTES:
            return getattr(owner, name)
        if isinstance(owner, Instance):
            if name in owner.methods:
                return Closure(owner.methods[name], self.module, owner=owner)
            return self._of_instance(owner, name)
        if isinstance(owner, Foreign):
            return self._from_elsewhere(Foreign(owner.module, name))
        if isinstance(owner, Class) and name in owner.methods:
            return Closure(owner.methods[name], owner.module)
        if isinstance(owner, Bundle) and name not in _DICT_METHODS:
            return owner.entry(name)
        for kind in (np.ndarray, np.generic, dict, list, tuple, str):
            if isinstance(owner, kind) and callable(getattr(kind, name, None)) and name[0] != "_":
                return Method(owner, name)
        raise Fault(f"the attribute {name} of {_kind(owner)}")

    def _of_instance(self, owner: Instance, name: str) -> Any:
        """An attribute: what was set; what `__init__` sets, where that is no number of its own;
        what the name says."""
        if name in owner.bundle:
            return owner.bundle[name]
        if owner.initial is None:
            owner.initial = self._initial(owner)
        value = owner.initial.get(name)
        is_plain = isinstance(value, (Class, Closure, Instance, str, bool)) or type(value) is int
        is_plain |= isinstance(value, list) and any(isinstance(v, Instance) for v in value)
        if is_plain or (value is not None and owner.bundle.find(name) is None):
            if isinstance(value, Unknown):
                raise Fault(value.reason)
            owner.bundle[name] = value
            owner.own.add(name)
        return owner.bundle.entry(name)

    def _initial(self, owner: Instance) -> dict[str, Any]:
        """What `__init__` sets: of its arguments, only widths and defaults that are no numbers
        are known."""
        init = owner.methods.get("__init__")
        if init is None or not init.args.args:
            return {}
        made = Instance(Bundle(lambda _: None, {}), owner.methods)
        made.initial = {}
        reader = Reader(self.module, budget=self.budget, frames=self.frames[:1])
        reader.trail.layers = self.trail.layers
        defaults = reader.closure_of(init).defaults
        scope: dict[str, Any] = {init.args.args[0].arg: made}
        for argument in (*init.args.posonlyargs, *init.args.args[1:], *init.args.kwonlyargs):
            scope[argument.arg] = _initial_argument(argument, init, owner, defaults)
        for rest in (init.args.vararg, init.args.kwarg):
            if rest is not None:
                scope[rest.arg] = Unknown(f"what __init__ is given as {rest.arg}", init.lineno)
        reader.run_body(init, scope)
        return dict(made.bundle)

    def _item(self, owner: Any, where: Any) -> Any:
        unknown = first_unknown([owner if isinstance(owner, Unknown) else None, where])
        if unknown is not None:
            return replace(unknown, touches=(*unknown.touches, owner))
        if isinstance(owner, Bundle):
            return owner.entry(self._hashable(where))
        if isinstance(owner, dict):
            if self._hashable(where) not in owner:
                raise Fault(f"no entry {where!r}", "wrong")
            return owner[where]
        if isinstance(owner, (list, tuple, range, str)):
            if isinstance(where, (int, np.integer, slice)):
                return self._numpy_step(lambda: owner[where])
            raise Fault(f"{_kind(owner)} at {_kind(where)}", _certainly(where))
        if isinstance(owner, (np.ndarray, np.generic)):
            self._cut(owner, where)
            return self._numpy_step(lambda: np.asarray(owner)[where], owner)
        if owner == _SHORTHAND_COLUMNS:
            parts = where if isinstance(where, tuple) else (where,)
            return self._numpy_step(lambda: np.c_[parts])
        raise Fault(f"an entry of {_kind(owner)}", _certainly(owner))

    def _cut(self, owner: Any, where: Any) -> None:
        """A bound on an axis, which cuts off what a larger one has more."""
        if self.reached is None:
            return
        parts = where if isinstance(where, tuple) else (where,)
        for part, size in zip(parts, np.shape(owner), strict=False):
            if not isinstance(part, slice):
                return
            if is_count(part.stop) and part.stop > 0:
                self._sized(self.reached, (size, part.stop), operator.le)

    def _hashable(self, key: Any) -> Any:
        if isinstance(key, (str, int, np.integer, bool)) or key is None:
            return key
        if isinstance(key, tuple) and all(isinstance(k, (str, int)) for k in key):
            return key
        if isinstance(key, Unknown):
            raise Fault.of(key)
        raise Fault("a key that is neither a text nor a number")

    # ---- calls -------------------------------------------------------------------------------

    def _call_node(self, node: ast.Call, scope: dict[str, Any]) -> Any:
        function = self.value(node.func, scope)
        args = self._elements(node.args, scope)
        named: dict[str, Any] = {}
        for keyword in node.keywords:
            given = self.value(keyword.value, scope)
            if keyword.arg is not None:
                named[keyword.arg] = given
            elif isinstance(given, dict) and not isinstance(given, Bundle):
                named.update({str(key): value for key, value in given.items()})
            else:
                raise Fault("** of something that is not known as a dict")
        return self._called(function, args, named, node)

    def _called(
        self, function: Any, args: list[Any], named: dict[str, Any], node: ast.Call | None = None
    ) -> Any:
        values = [*args, *named.values()]
        try:
            match function:
                case Unknown():
                    return self._unread_call(node, function, function, values)
                case Closure():
                    return self._call(function, args, named, node)
                case Numpy(name=name):
                    found = self._numpy(name, args, named)
                    return self._bounded(name.removeprefix("numpy."), args, named, found, node)
                case Builtin(name="min" | "max" as name) if len(args) == 2 and is_count(*args):
                    return self._of_two(name, args[0], args[1], node)
                case Builtin(name=name):
                    return self._builtin(name, args, named)
                case Method(owner=np.ndarray() | np.generic() as owner, name=name):
                    found = self._array_method(function, args, named)
                    return self._bounded(name, [owner, *args], named, found, node)
                case Method():
                    return self._container_method(function, args, named)
                case Class():
                    return self._object(function, args, named, node)
                case Instance() if "__call__" in function.methods:
                    method = Closure(function.methods["__call__"], self.module, owner=function)
                    return self._call(method, args, named, node)
            if function is np.float64 or function is np.int64:
                return self._numpy_step(lambda: function(*args))
            raise Fault(f"a call of {_kind(function)}", _certainly(function))
        except Fault as fault:
            if fault.kind != "unread" or not _may_change(function):
                raise
            reason = Unknown(fault.reason, fault.line, fault.column)
            return self._unread_call(node, function, reason, values)

    def _call(
        self, closure: Closure, args: list[Any], named: dict[str, Any], call: ast.Call | None
    ) -> Any:
        if self.depth >= MOST_CALLS:
            raise Fault("calls nested too deeply: it may call itself for ever", "endless")
        node = closure.node
        if closure.owner is not None:
            args = args if _is_static(node) else [closure.owner, *args]
        scope = self._bound(node.args, args, named, closure)
        name = node.name if isinstance(node, ast.FunctionDef) else "lambda"
        held = (self.module, self.within, self.statement, self.discarded, self.away)
        if closure.module.foreign and self.away is None:
            self.away = call or self.statement
        self.module, self.within = closure.module, node
        self.depth += 1
        self.functions_.append(name)
        self.frames.append(scope)
        try:
            if isinstance(node, ast.Lambda):
                return self.value(node.body, scope)
            self._block(node.body, scope)
        except _Return as returned:
            return returned.value
        finally:
            self.depth -= 1
            self.functions_.pop()
            self.frames.pop()
            self.module, self.within, self.statement, self.discarded, self.away = held
        return None

    def _object(
        self, made: Class, args: list[Any], named: dict[str, Any], node: ast.Call | None
    ) -> Instance:
        """An object of a class of the code; the next layer of the network if it has weights."""
        given = self.frames[0].get(LAYERS) if self.frames else None
        is_layer = isinstance(given, Bundle) and _has_weights(made.methods)
        number = len(self.trail.layers) + 1
        found = given.find((number,)) if isinstance(given, Bundle) and is_layer else None
        layer = Bundle(found.find if isinstance(found, Bundle) else lambda _: None, {})
        instance = Instance(layer, made.methods)
        instance.initial = {}
        if is_layer:
            self.trail.layers.append(instance)
        if "__init__" in made.methods:
            init = Closure(made.methods["__init__"], made.module, owner=instance)
            self._call(init, args, named, node)
        for name in list(layer):
            own = layer.find(name) if name.lower() in _OF_A_LAYER else None
            if own is not None:
                layer[name] = own
        instance.written.clear()
        return instance

    def _closure(self, node: ast.FunctionDef | ast.Lambda, scope: dict[str, Any]) -> Closure:
        """A function, its defaults computed where it stands."""
        spec = node.args
        names = [a.arg for a in (*spec.posonlyargs, *spec.args)]
        given = dict(zip(names[len(names) - len(spec.defaults) :], spec.defaults, strict=True))
        pairs = zip(spec.kwonlyargs, spec.kw_defaults, strict=True)
        given |= {argument.arg: default for argument, default in pairs if default is not None}
        defaults = {name: self.value(default, scope) for name, default in given.items()}
        return Closure(node, self.module, scope, defaults)

    def _decorated(self, closure: Closure, scope: dict[str, Any]) -> Any:
        """What decorators make of a function; itself, where they are known to leave it."""
        found: Any = closure
        for decorator in reversed(getattr(closure.node, "decorator_list", [])):
            if not self._is_plain(decorator):
                found = self._called(self.value(decorator, scope), [found], {})
        return found

    def _is_plain(self, decorator: ast.expr) -> bool:
        """Whether a decorator leaves what a function computes as it is."""
        node = decorator.func if isinstance(decorator, ast.Call) else decorator
        own = isinstance(node, ast.Name) and node.id in self.module.helpers
        return not own and ast.unparse(node).rpartition(".")[2] in _PLAIN

    def _bound(
        self, spec: ast.arguments, args: list[Any], named: dict[str, Any], closure: Closure
    ) -> dict[str, Any]:
        names = [a.arg for a in (*spec.posonlyargs, *spec.args)]
        every = [*names, *(a.arg for a in spec.kwonlyargs)]
        own = dict(zip(names, args, strict=False))
        if len(args) > len(names) and spec.vararg is None:
            raise Fault("too many arguments in a call", "wrong")
        if spec.vararg is not None:
            own[spec.vararg.arg] = tuple(args[len(names) :])
        rest: dict[str, Any] = {}
        for name, value in named.items():
            if (name not in every and spec.kwarg is None) or name in own:
                raise Fault(f"the argument {name} in a call", "wrong")
            (own if name in every else rest)[name] = value
        if spec.kwarg is not None:
            own[spec.kwarg.arg] = rest
        for name in every:
            if name not in own:
                if name not in closure.defaults:
                    line = _line(closure.node)
                    raise Fault(f"no value for the argument {name}", "wrong", line)
                own[name] = closure.defaults[name]
        return {**closure.scope, **{name: _as_named(value, name) for name, value in own.items()}}

    def _numpy(self, dotted: str, args: list[Any], named: dict[str, Any]) -> Any:
        name = dotted.removeprefix("numpy.")
        values = [*args, *named.values()]
        if name in ("errstate", "seterr", "set_printoptions"):
            return None
        if dotted.startswith("math."):
            return self._math(name.removeprefix("math."), values)
        if dotted == "functools.reduce" and len(args) > 1 and not named:
            return self._reduced(*args)
        if name not in subset.FUNCTIONS:
            raise Fault(f"{_kind(Numpy(dotted))} is not read")
        unknown = first_unknown(values) if self.trail.unknowns else None
        if unknown is not None:
            if "." in name or "out" in named:
                self._give_up([*args[:1], named.get("out")], unknown)
            return unknown.apart
        if any(isinstance(a, _NO_ARRAYS) for a in args if not isinstance(a, (Builtin, Numpy))):
            raise Fault(f"np.{name} of something that is not known as an array")
        if "dtype" in named:
            named["dtype"] = _dtype(named["dtype"])
        args = [_dtype(a) if isinstance(a, (Builtin, Numpy)) else a for a in args]
        function = subset.FUNCTIONS[name]
        try:
            return self._numpy_step(
                lambda: subset.checked_call(name, function, args, named), *args, *named.values()
            )
        except Fault as fault:
            if fault.kind == "wrong":
                raise Fault(f"np.{name}: {fault.reason}", "wrong") from None
            raise

    def _reduced(self, function: Any, values: Any, *start: Any) -> Any:
        found = [*start[:1], *self._listed(values)]
        if not found:
            raise Fault("reduce of nothing", "wrong")
        total = found[0]
        for value in found[1:]:
            total = self._called(function, [total, value], {})
        return total

    def _bounded(
        self, name: str, args: list[Any], named: dict[str, Any], found: Any, node: ast.Call | None
    ) -> Any:
        """A value that may have been cut off, or the larger of two."""
        if node is None or name not in BOUNDING or isinstance(found, Unknown):
            return found
        bounds = bounds_of(name, args, named)
        if bounds is None or not is_data(found):
            return found
        if self._chosen(node, outcome_of(name, bounds, args[0], found), name):
            return self._numpy_step(lambda: turned_over(name, bounds, args[0]), found)
        return found

    def _math(self, name: str, values: list[Any]) -> Any:
        """A function of `math`, which takes numbers alone."""
        if name not in subset.MATH:
            raise Fault(f"math.{name} is not read")
        return self._numpy_step(lambda: subset.MATH[name](*values), *values)

    def _array_method(self, method: Method, args: list[Any], named: dict[str, Any]) -> Any:
        if method.name not in subset.ARRAY_METHODS:
            raise Fault(f"the method {method.name} of an array is not read")
        if method.name == "fill" and first_unknown(args) is not None:
            raise Fault("what an array is filled with is not known")
        if first_unknown([*args, *named.values()]) is None:
            args = [_dtype(a) if isinstance(a, (Builtin, Numpy)) else a for a in args]
            if "dtype" in named:
                named["dtype"] = _dtype(named["dtype"])
        if method.name == "repeat" and subset.count_of(args) * method.owner.size > MOST_TEXT:
            raise Fault("an array that is too large")
        bound = getattr(np.asarray(method.owner), method.name)
        return self._numpy_step(lambda: bound(*args, **named), method.owner, *args, *named.values())

    def _container_method(self, method: Method, args: list[Any], named: dict[str, Any]) -> Any:
        owner, name = method.owner, method.name
        if not any(isinstance(owner, kind) and name in names for kind, names in _METHODS.items()):
            raise Fault(f"the method {name} of {_kind(owner)} is not read")
        if isinstance(owner, Bundle):
            return self._bundle_method(owner, name, args)
        if isinstance(owner, dict) and name in ("keys", "values", "items"):
            return list(getattr(owner, name)())
        if isinstance(owner, str) and name == "format":
            if re.search(r"\{[^}]*[:!.\[]", owner) or len(owner) > 200:
                raise Fault("a text with a format")
            if not all(isinstance(a, (int, str, np.integer)) for a in args):
                raise Fault("a text made from an array")
        if isinstance(owner, list) and len(owner) > MOST_TEXT:
            raise Fault("a list that is too long")
        if name in ("get", "pop", "setdefault", "insert") and args:
            unknown = first_unknown(args[:1])
            if unknown is not None:
                raise Fault.of(unknown)
        if name in ("index", "count") and not all(isinstance(v, _SIMPLE) for v in (*owner, *args)):
            raise Fault(f"{name} among values that are compared as arrays")
        if name in ("update", "extend") and args and not isinstance(args[0], (dict, list, tuple)):
            args = [self._listed(args[0])]
        bound = getattr(owner, name)
        return self._numpy_step(lambda: bound(*args, **named))

    def _bundle_method(self, owner: Bundle, name: str, args: list[Any]) -> Any:
        match name, args:
            case "get", [key] | [key, _]:
                found = owner[key] if key in owner else owner.find(key)
                return found if found is not None else (args[1] if len(args) > 1 else None)
            case "copy", []:
                return Bundle(owner.find, owner, owner.all_keys)
            case "keys", [] if owner.all_keys:
                return list(owner.all_keys)
            case "values", [] if owner.all_keys:
                return Values(owner)
            case "items", [] if owner.all_keys:
                return [(key, owner.entry(key)) for key in owner.all_keys]
        raise Fault(f"{name} of what the code was given")

    def _of_two(self, name: str, left: Any, right: Any, node: ast.Call | None) -> Any:
        """The smaller or the larger of two whole numbers, which may be sizes."""
        relation = operator.le if name == "min" else operator.ge
        is_first = bool(relation(left, right))
        if node is not None and self._sized(node, (left, right), relation):
            is_first = not is_first
        return left if is_first else right

    def _builtin(self, name: str, args: list[Any], named: dict[str, Any]) -> Any:
        match name, args:
            case "print", _:
                return None
            case "len", [Bundle() as bundle]:
                count = bundle.find("len()")
                if count is None:
                    raise Fault("the length of what the code was given")
                return count
            case "isinstance", [value, kinds]:
                return self._is_of(value, kinds)
            case "range", _ if first_unknown(args) is None:
                return self._numpy_step(lambda: range(*(int(operator.index(a)) for a in args)))
            case "reversed", [value]:
                return list(self._listed(value))[::-1]
            case "enumerate", [value, *start]:
                first = start[0] if start else named.get("start", 0)
                if not isinstance(first, (int, np.integer)):
                    raise Fault("enumerate from something that is no number")
                return [(first + i, v) for i, v in enumerate(self._listed(value))]
            case "zip", _:
                return list(zip(*(self._listed(a) for a in args), strict=False))
            case "list" | "tuple" | "set" | "sorted", []:
                return _BUILTINS[name]()
            case "list" | "tuple", [value]:
                return _BUILTINS[name](self._listed(value))
            case "map", [function, *lists]:
                rows = zip(*(self._listed(a) for a in lists), strict=False)
                return [self._called(function, list(row), {}) for row in rows]
            case "sum", [value, *start] if isinstance(value, (list, tuple, range)):
                total: Any = start[0] if start else 0
                for part in self._listed(value):
                    total = self._binary(ast.Add(), total, part)
                return total
            case "dict", _:
                return self._dict(args, named)
        unknown = first_unknown([*args, *named.values()])
        if unknown is not None:
            return unknown.apart
        match name, args:
            case "sorted" | "set", [value]:
                return self._numpy_step(lambda: _BUILTINS[name](self._listed(value), **named))
            case "str", [int() | str() | np.integer() as value]:
                return str(value)
            case "min" | "max", [range() as value] if value:
                return self._numpy_step(lambda: _BUILTINS[name](value[0], value[-1]))
        if name in ("len", "abs", "min", "max", "sum", "float", "int", "bool", "round", "divmod"):
            if not all(isinstance(a, (np.ndarray, np.generic, *_SIZED)) for a in args):
                raise Fault(f"{name} of {', '.join(map(_kind, args))}")
            try:
                return self._numpy_step(lambda: _BUILTINS[name](*args, **named), *args)
            except Fault as fault:
                kind: Kind = "unread" if fault.kind == "shape" else fault.kind
                raise Fault(fault.reason, kind) from None
        raise Fault(f"{name} with these arguments")

    def _dict(self, args: list[Any], named: dict[str, Any]) -> Any:
        base = args[0] if args else {}
        if isinstance(base, Bundle):
            return Bundle(base.find, {**base, **named}, (*base.all_keys, *named))
        if isinstance(base, dict):
            return {**base, **named}
        pairs = [tuple(self._listed(pair)) for pair in self._listed(base)]
        if not all(len(pair) == 2 for pair in pairs):
            raise Fault("a dict of something that is not known as pairs")
        return {**{self._hashable(key): value for key, value in pairs}, **named}

    def _is_of(self, value: Any, kinds: Any) -> bool:
        """isinstance, where both sides are known."""
        for kind in kinds if isinstance(kinds, tuple) else (kinds,):
            if kind == Numpy("numpy.ndarray"):
                found = isinstance(value, np.ndarray)
            elif isinstance(kind, Builtin) and kind.name in _KINDS:
                found = isinstance(value, _KINDS[kind.name])
            else:
                raise Fault(f"isinstance of {_kind(value)} and {_kind(kind)}")
            if isinstance(value, (Unknown, Bundle, Instance, Closure)):
                raise Fault(f"isinstance of {_kind(value)}")
            if found:
                return True
        return False

    def _listed(self, value: Any) -> list[Any]:
        found = list(self._iterated(value))
        self.steps += len(found) // ITEMS_A_STEP
        return found


# --------------------------------------------------------------------------------------------
# Helpers
# --------------------------------------------------------------------------------------------

_OPERATORS: Mapping[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: operator.pow,
    ast.MatMult: operator.matmul,
    ast.BitAnd: operator.and_,
    ast.BitOr: operator.or_,
}
_SIGNED: Mapping[type[ast.unaryop], Callable[[Any], Any]] = {
    ast.USub: operator.neg,
    ast.UAdd: operator.pos,
}
_SIGNS: Mapping[type[ast.operator], str] = {
    ast.Add: "+",
    ast.Sub: "-",
    ast.Mult: "*",
    ast.Div: "/",
    ast.Pow: "**",
    ast.MatMult: "@",
}
_RELATIONS: Mapping[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}
_BUILTINS: Mapping[str, Any] = {
    "len": len,
    "range": range,
    "reversed": reversed,
    "enumerate": enumerate,
    "zip": zip,
    "list": list,
    "tuple": tuple,
    "set": set,
    "sorted": sorted,
    "dict": dict,
    "sum": sum,
    "abs": abs,
    "min": min,
    "max": max,
    "float": float,
    "int": int,
    "bool": bool,
    "str": str,
    "round": round,
    "divmod": divmod,
    "isinstance": isinstance,
    "print": print,
    "map": map,
}
_DICT_METHODS = frozenset("get keys values items copy update pop setdefault".split())
_LIST_METHODS = frozenset("append insert extend pop reverse copy index count".split())
_TEXT_METHODS = frozenset("format lower upper startswith endswith strip".split())
_METHODS: Mapping[type, frozenset[str]] = {
    dict: _DICT_METHODS,
    list: _LIST_METHODS,
    str: _TEXT_METHODS,
    tuple: frozenset(("index", "count")),
}
_KINDS: Mapping[str, Any] = {
    "list": list,
    "tuple": tuple,
    "dict": dict,
    "str": str,
    "bool": bool,
    "int": int,
    "float": float,
}
_OF_A_LAYER = frozenset("w b weight weights bias".split())
_SIMPLE = (str, int, float, np.integer, type(None))
_SIZED = (int, float, str, list, tuple, dict, set, range, type(None))
_REACHED = (ast.BinOp, ast.UnaryOp, ast.Call, ast.Attribute, ast.Subscript, ast.Name, ast.JoinedStr)
_NO_ARRAYS = (Closure, Numpy, Builtin, Bundle, Instance, Method, Class, Foreign)
_SHORTHAND_COLUMNS = Numpy("numpy.c_")
# Decorators that leave what a function computes as it is, and what takes arrays to look at only.
_LEFT_ALONE = frozenset(
    "id type repr hash callable hasattr getattr all any iter ascii bin chr complex filter format "
    "frozenset hex issubclass oct ord pow bytes input open".split()
)
_PLAIN = frozenset(
    "staticmethod classmethod abstractmethod override final wraps cache lru_cache jit njit "
    "no_type_check typechecked jaxtyped beartype".split()
)
_HARMLESS = frozenset("logging logger log warnings time sys os plt pprint tqdm".split())


class _located:
    """Faults inside get the place of this node, unless they have one."""

    def __init__(self, node: ast.AST) -> None:
        self.node = node

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, fault: Any, trace: Any) -> Literal[False]:
        if isinstance(fault, Fault) and not fault.line:
            fault.line = getattr(self.node, "lineno", 0)
            fault.column = getattr(self.node, "col_offset", 0)
        return False


def _certainly(value: Any) -> Kind:
    """`wrong` where Python is certain to refuse a value; of others we do not know enough."""
    is_plain = isinstance(value, (np.ndarray, np.generic, int, float, str, list, tuple, dict, set))
    is_given = isinstance(value, Bundle)
    return "wrong" if (is_plain and not is_given) or value is None else "unread"


def of_library(dotted: str) -> Any:
    """What a name of NumPy or `math` stands for: a number, or something to call."""
    short = dotted.partition(".")[2]
    return subset.CONSTANTS[short] if short in subset.CONSTANTS else Numpy(dotted)


def _initial_argument(
    argument: ast.arg, init: ast.FunctionDef, owner: Instance, defaults: Mapping[str, Any]
) -> Any:
    """The value of an argument of `__init__`: the sizes of all layers where it is a list of them,
    or a default that is no number."""
    name = argument.arg
    if owner.widths and name not in defaults and name not in _counted_by(init):
        reason = f"what __init__ is given as {name} is not known"
        return Unknown(reason, argument.lineno, argument.col_offset)
    if owner.widths and name not in defaults:
        return list(owner.widths)
    value = defaults.get(name)
    if value is None or type(value) in (int, float):
        reason = f"what __init__ is given as {name} is not known"
        return Unknown(reason, argument.lineno, argument.col_offset)
    return value


def _counted_by(function: ast.FunctionDef) -> set[str]:
    """Arguments that a function counts, goes through or cuts: lists."""
    found: set[str] = set()
    for node in ast.walk(function):
        match node:
            case ast.Call(func=ast.Name(id="len" | "enumerate"), args=[ast.Name(id=name)]):
                found.add(name)
            case ast.Subscript(value=ast.Name(id=name), slice=ast.Slice()):
                found.add(name)
    return found


def _as_named(value: Any, name: str) -> Any:
    """What a layer kept, or a part of it, as the tensor that a name says it is."""
    if not isinstance(value, Bundle) or not value.is_layer:
        return value
    found = value.find(name)
    return value if found is None else found


def _below_of(bundle: Bundle, parts: Sequence[ast.expr]) -> ast.expr | None:
    """Of three names beside W and b the third, which is what comes in from the layer below."""
    if not bundle.is_layer or len(parts) != 3:
        return None
    others = [part for part in parts if _name_in(part).strip("_0123456789") not in _OF_A_LAYER]
    is_score = bool(others) and _name_in(others[0]) in ("z", "s")
    return others[0] if len(others) == 1 and not is_score else None


def _name_in(node: ast.expr) -> str:
    return node.id.lower() if isinstance(node, ast.Name) else ""


def _has_weights(methods: Mapping[str, ast.FunctionDef]) -> bool:
    """Whether objects of a class set a weight matrix of their own."""
    nodes = (node for method in methods.values() for node in ast.walk(method))
    stored = (n for n in nodes if isinstance(n, ast.Attribute) and isinstance(n.ctx, ast.Store))
    return any(n.attr.lower() in ("w", "weight", "weights") for n in stored)


def _may_change(function: Any) -> bool:
    """Whether a call that is not read may change what it is given."""
    match function:
        case Method(owner=str() | tuple()) | Builtin():
            return False
        case Method(owner=Bundle(), name="get" | "keys" | "values" | "items" | "copy"):
            return False
        case Method() | Numpy() | Closure() | Class():
            return True
    return False


def _changes(function: ast.FunctionDef | ast.Lambda) -> bool:
    """Whether the text of a function changes something in place, as far as one can see."""
    for node in ast.walk(function):
        match node:
            case ast.AugAssign() | ast.Expr(value=ast.Call()):
                return True
            case ast.Subscript(ctx=ast.Store()) | ast.Attribute(ctx=ast.Store()):
                return True
    return False


def _is_static(node: ast.AST) -> bool:
    return any("static" in ast.unparse(d) for d in getattr(node, "decorator_list", ()))


def _own_nodes(node: ast.AST) -> Iterator[ast.AST]:
    """A node and what stands in it, the insides of functions and classes left out."""
    waiting = [node]
    while waiting:
        found = waiting.pop()
        yield found
        if not isinstance(found, (ast.FunctionDef, ast.ClassDef, ast.Lambda)):
            waiting += ast.iter_child_nodes(found)


def _leaves_by(statement: ast.stmt) -> Literal["", "loop", "function"]:
    """What a statement that is not read may leave, by return, or by break and continue."""
    nodes = list(_own_nodes(statement))
    if any(isinstance(node, (ast.Return, ast.Yield, ast.YieldFrom)) for node in nodes):
        return "function"
    if isinstance(statement, (ast.For, ast.While)):
        return ""
    is_loop = any(isinstance(node, (ast.Break, ast.Continue)) for node in nodes)
    return "loop" if is_loop else ""


def _outside(fault: Fault) -> Fault:
    """A fault of a loop's body, as one of the loop where it may end it."""
    if fault.leaves == "loop":
        return Fault(fault.reason, fault.kind, fault.line, fault.column)
    return fault


@lru_cache(maxsize=256)
def _names_set(function: Function) -> frozenset[str]:
    """Names that a function sets itself; those of a comprehension are its own."""
    if isinstance(function, ast.Lambda):
        return frozenset()
    waiting: list[ast.AST] = list(function.body)
    elsewhere: set[str] = set()
    found: list[str] = []
    comprehensions = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp, ast.Lambda)
    while waiting:
        node = waiting.pop()
        match node:
            case ast.Name(id=name, ctx=ast.Store()):
                found.append(name)
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
                found.append(name)
                continue
            case ast.Global(names=names) | ast.Nonlocal(names=names):
                elsewhere.update(names)
        if not isinstance(node, comprehensions):
            waiting += ast.iter_child_nodes(node)
    return frozenset(found) - elsewhere


@lru_cache(maxsize=256)
def _names_global(function: Function) -> frozenset[str]:
    nodes = (node for node in ast.walk(function) if isinstance(node, ast.Global))
    return frozenset(name for node in nodes for name in node.names)


def _root(node: ast.expr) -> str:
    """The name in front of attributes and square brackets."""
    while isinstance(node, (ast.Attribute, ast.Subscript)):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""


def _kept(value: Any) -> Any:
    return value.copy() if isinstance(value, np.ndarray) else value


def _overridden(value: Any, given: Any, how: str, is_exact: bool) -> Any:
    """What is put in place of a value, in the value's own arrangement where it has one."""
    if not is_exact and isinstance(value, (np.ndarray, np.number)):
        given = _arranged_like(given, np.shape(value))
    is_array = isinstance(value, np.ndarray) and value.shape == np.shape(given)
    if how == "change" and is_array and value.dtype == float and value.flags.writeable:
        np.copyto(value, given)
        return value
    return np.array(given)


def _arranged_like(given: Any, shape: tuple[int, ...]) -> Any:
    if given.shape == shape or given.size != int(np.prod(shape, dtype=int)):
        return given
    if given.ndim == 2 and given.shape[::-1] == shape:
        return given.T
    long, wide = (tuple(n for n in s if n != 1) for s in (given.shape, shape))
    if long == wide:
        return given.reshape(shape)
    return given.T.reshape(shape) if long == wide[::-1] else given


def _loaded(target: ast.expr) -> ast.expr:
    """The target of an augmented assignment, to be read."""
    match target:
        case ast.Name(id=name):
            return ast.copy_location(ast.Name(name, ast.Load()), target)
        case ast.Subscript(value=owner, slice=index):
            return ast.copy_location(ast.Subscript(owner, index, ast.Load()), target)
        case ast.Attribute(value=owner, attr=name):
            return ast.copy_location(ast.Attribute(owner, name, ast.Load()), target)
    return target


def _written(owner: ast.expr) -> str:
    match owner:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
        case ast.Subscript(slice=ast.Constant(value=str() as name)):
            return name
        case ast.Subscript(value=inner):
            return _written(inner)
    return ""


def _position(where: Any, length: int) -> int:
    if isinstance(where, (int, np.integer)) and -length <= where < length:
        return int(where) % length
    raise Fault("a position outside the list", "wrong")


def _dtype(value: Any) -> Any:
    if isinstance(value, Builtin) and value.name in ("float", "int", "bool"):
        return _BUILTINS[value.name]
    if isinstance(value, Numpy):
        name = value.name.removeprefix("numpy.")
        if name in subset.FUNCTIONS and isinstance(subset.FUNCTIONS[name], type):
            return subset.FUNCTIONS[name]
    if isinstance(value, (np.dtype, str)) and str(value) in (
        "float64",
        "float32",
        "int64",
        "int32",
        "bool",
        "float",
        "int",
    ):
        return value
    if value is np.float64 or value is np.int64:
        return value
    raise Fault(f"the dtype {_kind(value)}")


def _one_line(problem: Exception) -> str:
    return " ".join(str(problem).split())[:200]


def _line(node: ast.AST) -> int:
    return int(getattr(node, "lineno", 0))


def _column(node: ast.AST) -> int:
    return int(getattr(node, "col_offset", 0))


def _root_of(node: ast.expr) -> str:
    """The first name of a dotted one; of anything else its text up to the first dot."""
    while isinstance(node, ast.Attribute):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ast.unparse(node)[:60].partition(".")[0]


def _kind(value: Any) -> str:
    if isinstance(value, Numpy):
        return value.name.replace("numpy", "np", 1)
    if isinstance(value, (Builtin, Method)):
        return value.name
    if isinstance(value, (Bundle, Instance)):
        return "what the code was given"
    if isinstance(value, Class):
        return f"the class {value.name}"
    if isinstance(value, Foreign):
        return "a module"
    if isinstance(value, Unknown):
        return "something that is not known"
    if isinstance(value, Closure):
        return "a function"
    return "None" if value is None else f"a {type(value).__name__}"
