"""NumPy functions read on numbers, statement by statement, by walking their syntax tree.

Owns: the Python that is read, its meaning on small float arrays, and the trail of what was
assigned where. NumPy's own arrays stand for arrays, so views, broadcasting and changes in place
are NumPy's.
Refuses: everything else, with a `Fault` that names the line and the construct; nothing is
compiled, imported or looked up in the running program. Steps, sizes and time are bounded.
Would be wrong if a value could be reached that is not listed here or in `numpy_subset`.

For proofs there is the tracer; numbers are for finding the layout, for witnesses, and for trying
what an edited line would give.
"""

from __future__ import annotations

import ast
import operator
import re
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from symbackprop.verify.code import numpy_subset as subset
from symbackprop.verify.code.budget import READING, Budget

MOST_STEPS = 60_000
MOST_CALLS = 25
ENTRIES_A_STEP = 500  # entries that NumPy goes through in the time of a step
MOST_BITS = 4096
MOST_TEXT = 10_000
MOST_EVENTS = 4_000

Kind = Literal["shape", "unread", "wrong", "endless"]
Place = tuple[int, int, int]  # line, column, how often it was reached before


class Fault(Exception):
    """Where reading stopped: `shape` is a clash NumPy would report too, `wrong` another error of
    the code itself, `unread` a construct that is not read here."""

    def __init__(self, reason: str, kind: Kind = "unread", line: int = 0, column: int = 0) -> None:
        super().__init__(reason)
        self.reason, self.kind, self.line, self.column = reason, kind, line, column
        self.names: tuple[str, ...] = ()


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
    """What a reading left: events in order, what was returned, or the fault that ended it."""

    events: list[Event] = field(default_factory=list)
    returned: Any = None
    return_node: ast.Return | None = None
    fault: Fault | None = None
    seen: dict[int, dict[str, Any]] = field(default_factory=dict)
    owner: Any = None


class Bundle(dict[Any, Any]):
    """A dict (or object) of arrays that the code was given: entries are found by their names."""

    def __init__(self, find: Callable[[Any], Any], known: Mapping[str, Any]) -> None:
        super().__init__(known)
        self.find = find

    def entry(self, key: Any) -> Any:
        if key not in self:
            found = self.find(key)
            if found is None:
                raise Fault(f"no entry {key!r} is known", "unread")
            self[key] = found
        return self[key]


class Instance:
    """`self`: attributes that are found by name, or were set."""

    def __init__(self, bundle: Bundle, methods: Mapping[str, ast.FunctionDef]) -> None:
        self.bundle, self.methods = bundle, methods
        self.written: dict[str, Any] = {}


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


@dataclass(frozen=True)
class Closure:
    node: ast.FunctionDef | ast.Lambda
    scope: Mapping[str, Any] = field(default_factory=dict)
    owner: Any = None


class _Return(Exception):
    def __init__(self, value: Any, node: ast.Return) -> None:
        self.value, self.node = value, node


class _Break(Exception):
    pass


class _Continue(Exception):
    pass


@dataclass(frozen=True)
class Module:
    """A parsed file: its functions, classes, what it calls NumPy, and what it assigns."""

    functions: Mapping[str, ast.FunctionDef]
    classes: Mapping[str, Mapping[str, ast.FunctionDef]]
    imports: Mapping[str, str]
    assigned: Mapping[str, ast.expr]

    @staticmethod
    def of(tree: ast.Module) -> Module:
        functions, classes = {}, {}
        imports: dict[str, str] = {}
        assigned: dict[str, ast.expr] = {}
        for statement in tree.body:
            match statement:
                case ast.FunctionDef(name=name):
                    functions[name] = statement
                case ast.ClassDef(name=name, body=body):
                    classes[name] = {m.name: m for m in body if isinstance(m, ast.FunctionDef)}
                case ast.Import(names=names):
                    for one in names:
                        if one.name.partition(".")[0] in ("numpy", "math", "scipy"):
                            imports[one.asname or one.name] = "numpy"
                case ast.ImportFrom(module=str() as module, names=names):
                    if module.partition(".")[0] in ("numpy", "math", "scipy"):
                        for one in names:
                            imports[one.asname or one.name] = f"numpy.{one.name}"
                case ast.Assign(targets=[ast.Name(id=name)], value=value):
                    assigned[name] = value
        return Module(functions, classes, imports, assigned)


@dataclass
class Reader:
    """One reading. `overrides` puts values in place of what is stored at a place; `probe` keeps
    the scope at the statements that begin on these lines."""

    module: Module
    overrides: Mapping[Place, Any] = field(default_factory=dict)
    probe: frozenset[int] = frozenset()
    exact: frozenset[Place] = frozenset()
    budget: Budget = field(default_factory=Budget)
    trail: Trail = field(default_factory=Trail)
    steps: int = 0
    depth: int = 0
    counts: dict[tuple[int, int], int] = field(default_factory=dict)
    functions_: list[str] = field(default_factory=list)
    statement: ast.stmt | None = None

    def run(self, function: ast.FunctionDef, arguments: Mapping[str, Any]) -> Trail:
        self.functions_ = [function.name]
        scope = dict(arguments)
        try:
            with np.errstate(all="ignore"), warnings.catch_warnings():
                warnings.simplefilter("ignore")  # NumPy's mean of nothing warns otherwise
                self._fill_defaults(function.args, scope, function)
                self._block(function.body, scope)
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

    # ---- statements --------------------------------------------------------------------------

    def _block(self, body: Sequence[ast.stmt], scope: dict[str, Any]) -> None:
        for statement in body:
            self._tick(statement)
            self.statement = statement
            if statement.lineno in self.probe and statement.lineno not in self.trail.seen:
                self.trail.seen[statement.lineno] = {n: _kept(v) for n, v in scope.items()}
            with _located(statement):
                self._statement(statement, scope)

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
                for item in items:
                    if "errstate" not in ast.unparse(item.context_expr):
                        raise Fault("a with statement other than np.errstate")
                self._block(body, scope)
            case ast.FunctionDef(name=name):
                scope[name] = Closure(statement, scope)
            case ast.Delete(targets=targets):
                for target in targets:
                    if isinstance(target, ast.Name):
                        scope.pop(target.id, None)
            case ast.Break():
                raise _Break
            case ast.Continue():
                raise _Continue
            case ast.Assert() | ast.Pass() | ast.Global() | ast.Nonlocal():
                return
            case _:
                raise Fault(f"the statement {type(statement).__name__} is not read")

    def _value_or_override(
        self, targets: Sequence[ast.expr], value: ast.expr, scope: dict[str, Any]
    ) -> Any:
        try:
            return self.value(value, scope)
        except Fault:
            target = targets[0]
            place = (target.lineno, target.col_offset)
            given = self.overrides.get((*place, self.counts.get(place, 0)))
            if given is None:
                raise
            return given

    def _expression_statement(
        self, value: ast.expr, scope: dict[str, Any], statement: ast.stmt
    ) -> None:
        self.value(value, scope)
        match value:
            case ast.Call(func=ast.Attribute(attr="at"), args=[ast.Name(id=name), *_]):
                scope[name] = self._note(name, scope[name], value, "change", statement)

    def _for(self, statement: ast.For, scope: dict[str, Any]) -> None:
        for item in self._iterated(self.value(statement.iter, scope)):
            self._tick(statement)
            self._assign(statement.target, item, scope, None)
            try:
                self._block(statement.body, scope)
            except _Break:
                return
            except _Continue:
                continue
        self._block(statement.orelse, scope)

    def _while(self, test: ast.expr, body: Sequence[ast.stmt], scope: dict[str, Any]) -> None:
        while self._truth(test, scope):
            self._tick(test)
            try:
                self._block(body, scope)
            except _Break:
                return
            except _Continue:
                continue

    def _iterated(self, value: Any) -> Iterator[Any]:
        if isinstance(value, Bundle):
            return iter(list(value))
        if isinstance(value, np.ndarray) and value.ndim == 0:
            raise Fault("a loop over a number", "wrong")
        if isinstance(value, (list, tuple, range, str, np.ndarray, dict, set)):
            return iter(value if isinstance(value, (range, np.ndarray)) else list(value))
        raise Fault(f"a loop over {_kind(value)}")

    def _truth(self, test: ast.expr, scope: dict[str, Any]) -> bool:
        return self._as_truth(self.value(test, scope))

    def _as_truth(self, value: Any) -> bool:
        if isinstance(value, np.ndarray) and value.size != 1:
            raise Fault("the truth of an array with several entries", "wrong")
        return bool(value)

    # ---- storing -----------------------------------------------------------------------------

    def _assign(
        self, target: ast.expr, value: Any, scope: dict[str, Any], statement: ast.stmt | None
    ) -> None:
        match target:
            case ast.Name(id=name):
                if statement is not None:
                    value = self._note(name, value, target, "bind", statement)
                scope[name] = value
            case ast.Tuple(elts=parts) | ast.List(elts=parts):
                self._unpack(parts, value, scope, statement)
            case ast.Subscript(value=owner, slice=index):
                self._store(owner, index, value, scope, target, statement)
            case ast.Attribute(value=owner, attr=name):
                held = self.value(owner, scope)
                if not isinstance(held, Instance):
                    raise Fault(f"assignment to an attribute of {_kind(held)}")
                if statement is not None:
                    value = self._note(name, value, target, "bind", statement)
                held.bundle[name] = held.written[name] = value
                self.trail.owner = held
            case _:
                raise Fault(f"assignment to {type(target).__name__}")

    def _unpack(
        self,
        parts: Sequence[ast.expr],
        value: Any,
        scope: dict[str, Any],
        statement: ast.stmt | None,
    ) -> None:
        if isinstance(value, Bundle):
            for part in parts:
                self._assign(part, self._bundled(value, part), scope, None)
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
        if isinstance(held, dict):
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
        except Fault:
            place = (target.lineno, target.col_offset)
            given = self.overrides.get((*place, self.counts.get(place, 0)))
            if given is None:
                raise
            changed = given
        match target:
            case ast.Name(id=name):
                scope[name] = self._note(name, changed, target, "change", statement)
            case ast.Subscript(value=owner, slice=index):
                container = self.value(owner, scope)
                where = self._index(index, scope)
                if isinstance(container, np.ndarray):
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
                    raise Fault("a change of an attribute")
                changed = self._note(name, changed, target, "change", statement)
                instance.bundle[name] = instance.written[name] = changed

    def _changed(self, op: ast.operator, held: Any, other: Any) -> Any:
        """`held op= other`: an array keeps its memory."""
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
        spot = (node.lineno, node.col_offset)
        occurrence = self.counts.get(spot, 0)
        self.counts[spot] = occurrence + 1
        given = self.overrides.get((*spot, occurrence))
        if given is not None:
            value = _overridden(value, given, how, (*spot, occurrence) in self.exact)
        if not isinstance(value, (np.ndarray, np.number, float, int)) or isinstance(value, bool):
            return value
        if len(self.trail.events) >= MOST_EVENTS:
            return value
        end = node.end_col_offset if node.end_lineno == node.lineno else None
        self.trail.events.append(
            Event(
                name,
                np.array(value),
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
        with _located(node):
            return self._value(node, scope)

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
                return self._item(self.value(owner, scope), self._index(index, scope))
            case ast.Call():
                return self._call_node(node, scope)
            case ast.Lambda():
                return Closure(node, scope)
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
                            raise Fault("** of something that is no dict", "wrong")
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
            spot = (node.lineno, node.col_offset)
            given = self.overrides.get((*spot, self.counts.get(spot, 0)))
            if given is None:
                raise
            held = given
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
        if not isinstance(value, (str, int, float, np.integer)):
            return "…"
        return str(value)

    def _name(self, name: str, scope: dict[str, Any]) -> Any:
        if name in scope:
            return scope[name]
        if name in self.module.functions:
            return Closure(self.module.functions[name])
        if name in self.module.imports:
            return Numpy(self.module.imports[name])
        if name in self.module.assigned:
            return self.value(self.module.assigned[name], {})
        if name in _BUILTINS:
            return Builtin(name)
        raise Fault(f"the name {name} is not known here", "wrong")

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
                raise Fault(f"arithmetic with {_kind(side)}", "wrong")
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
        if isinstance(op, ast.Mod) and isinstance(left, str):
            values = right if isinstance(right, tuple) else (right,)
            plain = all(isinstance(v, (int, str, np.integer)) for v in values)
            if plain and re.fullmatch(r"(?:[^%]|%[ds])*", left) and len(left) < 200:
                made: str = self._numpy_step(lambda: left % values)
                return made
        raise Fault("arithmetic with a text", "wrong")

    def _list_binary(self, op: ast.operator, left: Any, right: Any) -> Any:
        if isinstance(op, ast.Add) and type(left) is type(right):
            if len(left) + len(right) > MOST_TEXT:
                raise Fault("a list that is too long")
            return left + right
        if isinstance(op, ast.Mult) and isinstance(right, int):
            if len(left) * max(right, 0) > MOST_TEXT:
                raise Fault("a list that is too long")
            return left * right
        raise Fault(f"{type(op).__name__} of {_kind(left)} and {_kind(right)}", "wrong")

    def _unary(self, op: ast.unaryop, operand: Any) -> Any:
        if isinstance(op, ast.Not):
            return not self._as_truth(operand)
        if not isinstance(operand, (np.ndarray, np.generic, int, float)):
            raise Fault(f"a sign before {_kind(operand)}", "wrong")
        if isinstance(op, ast.Invert):
            return self._numpy_step(lambda: np.invert(operand))
        return self._numpy_step(lambda: _SIGNED[type(op)](operand))

    def _compare(self, node: ast.Compare, scope: dict[str, Any]) -> Any:
        left = self.value(node.left, scope)
        result: Any = True
        for op, comparator in zip(node.ops, node.comparators, strict=True):
            right = self.value(comparator, scope)
            result = self._related(op, left, right)
            if len(node.ops) > 1 and not self._as_truth(result):
                return result
            left = right
        return result

    def _related(self, op: ast.cmpop, left: Any, right: Any) -> Any:
        if isinstance(op, (ast.Is, ast.IsNot)):
            return (left is right) == isinstance(op, ast.Is)
        if isinstance(op, (ast.In, ast.NotIn)):
            if isinstance(right, Bundle):
                inside = left in right or right.find(left) is not None
            elif isinstance(right, (dict, list, tuple, str, range, set)):
                inside = left in right
            else:
                raise Fault(f"`in` of {_kind(right)}")
            return inside == isinstance(op, ast.In)
        function = _RELATIONS[type(op)]
        return self._numpy_step(lambda: function(left, right), left, right)

    def _numpy_step(self, step: Callable[[], Any], *operands: Any) -> Any:
        """A step that NumPy takes, its complaints turned into faults."""
        try:
            self.steps += subset.check_work(operands) // ENTRIES_A_STEP
            return subset.bounded(step())
        except subset.TooLarge as problem:
            raise Fault(str(problem)) from None
        except (ValueError, IndexError) as problem:
            raise Fault(_one_line(problem), "shape") from None
        except (TypeError, KeyError, ZeroDivisionError, OverflowError, AttributeError) as problem:
            raise Fault(_one_line(problem), "wrong") from None
        except MemoryError:
            raise Fault("too much memory") from None

    # ---- attributes, items -------------------------------------------------------------------

    def _attribute(self, owner: Any, name: str) -> Any:
        if isinstance(owner, Numpy):
            dotted = f"{owner.name}.{name}".removeprefix("numpy.")
            if dotted in subset.CONSTANTS:
                return subset.CONSTANTS[dotted]
            return Numpy(f"numpy.{dotted}")
        if isinstance(owner, (np.ndarray, np.generic)):
            if name in subset.ARRAY_ATTRIBUTES:
                return getattr(owner, name)
            if name in subset.ARRAY_METHODS:
                return Method(owner, name)
        if isinstance(owner, Instance):
            if name in owner.methods:
                return Closure(owner.methods[name], {}, owner)
            return owner.bundle.entry(name)
        if isinstance(owner, Bundle) and name not in _DICT_METHODS:
            return owner.entry(name)
        if isinstance(owner, dict) and name in _DICT_METHODS:
            return Method(owner, name)
        if isinstance(owner, list) and name in _LIST_METHODS:
            return Method(owner, name)
        if isinstance(owner, str) and name in _TEXT_METHODS:
            return Method(owner, name)
        if isinstance(owner, tuple) and name in ("index", "count"):
            return Method(owner, name)
        raise Fault(f"the attribute {name} of {_kind(owner)}", "wrong")

    def _item(self, owner: Any, where: Any) -> Any:
        if isinstance(owner, Bundle):
            return owner.entry(self._hashable(where))
        if isinstance(owner, dict):
            if self._hashable(where) not in owner:
                raise Fault(f"no entry {where!r}", "wrong")
            return owner[where]
        if isinstance(owner, (list, tuple, range, str)):
            if isinstance(where, (int, np.integer, slice)):
                return self._numpy_step(lambda: owner[where])
            raise Fault(f"{_kind(owner)} at {_kind(where)}", "wrong")
        if isinstance(owner, (np.ndarray, np.generic)):
            return self._numpy_step(lambda: np.asarray(owner)[where], owner)
        if owner is _SHORTHAND_COLUMNS:
            parts = where if isinstance(where, tuple) else (where,)
            return self._numpy_step(lambda: np.c_[parts])
        raise Fault(f"an entry of {_kind(owner)}", "wrong")

    def _hashable(self, key: Any) -> Any:
        if isinstance(key, (str, int, np.integer, bool)) or key is None:
            return key
        if isinstance(key, tuple) and all(isinstance(k, (str, int)) for k in key):
            return key
        raise Fault("a key that is neither a text nor a number", "wrong")

    # ---- calls -------------------------------------------------------------------------------

    def _call_node(self, node: ast.Call, scope: dict[str, Any]) -> Any:
        function = self.value(node.func, scope)
        args = self._elements(node.args, scope)
        named: dict[str, Any] = {}
        for keyword in node.keywords:
            given = self.value(keyword.value, scope)
            if keyword.arg is None:
                if not isinstance(given, dict):
                    raise Fault("** of something that is no dict", "wrong")
                named.update({str(key): value for key, value in given.items()})
            else:
                named[keyword.arg] = given
        return self._called(function, args, named)

    def _called(self, function: Any, args: list[Any], named: dict[str, Any]) -> Any:
        match function:
            case Closure():
                return self._call(function, args, named)
            case Numpy(name=name):
                return self._numpy(name.removeprefix("numpy."), args, named)
            case Builtin(name=name):
                return self._builtin(name, args, named)
            case Method(owner=np.ndarray() | np.generic()):
                return self._array_method(function, args, named)
            case Method():
                return self._container_method(function, args, named)
        if function is np.float64 or function is np.int64:
            return self._numpy_step(lambda: function(*args))
        raise Fault(f"a call of {_kind(function)}", "wrong")

    def _call(self, closure: Closure, args: list[Any], named: dict[str, Any]) -> Any:
        if self.depth >= MOST_CALLS:
            raise Fault("calls nested too deeply: it may call itself for ever", "endless")
        node = closure.node
        spec = node.args
        if closure.owner is not None:
            static = any("static" in ast.unparse(d) for d in getattr(node, "decorator_list", ()))
            args = args if static else [closure.owner, *args]
        scope = self._bound(spec, args, named, closure)
        name = node.name if isinstance(node, ast.FunctionDef) else "lambda"
        self.depth += 1
        self.functions_.append(name)
        try:
            if isinstance(node, ast.Lambda):
                return self.value(node.body, scope)
            self._block(node.body, scope)
        except _Return as returned:
            return returned.value
        finally:
            self.depth -= 1
            self.functions_.pop()
        return None

    def _bound(
        self, spec: ast.arguments, args: list[Any], named: dict[str, Any], closure: Closure
    ) -> dict[str, Any]:
        names = [a.arg for a in (*spec.posonlyargs, *spec.args)]
        every = [*names, *(a.arg for a in spec.kwonlyargs)]
        scope = dict(closure.scope)
        own = dict(zip(names, args, strict=False))
        if len(args) > len(names):
            if spec.vararg is None:
                raise Fault("too many arguments in a call", "wrong")
            own[spec.vararg.arg] = tuple(args[len(names) :])
        elif spec.vararg is not None:
            own[spec.vararg.arg] = ()
        for name, value in named.items():
            if name not in every or name in own:
                raise Fault(f"the argument {name} in a call", "wrong")
            own[name] = value
        for name in every:
            if name not in own:
                scope.pop(name, None)
        scope.update(own)
        self._fill_defaults(spec, scope, closure.node, only=set(every) - set(own))
        return scope

    def _fill_defaults(
        self,
        spec: ast.arguments,
        scope: dict[str, Any],
        node: ast.AST,
        only: set[str] | None = None,
    ) -> None:
        names = [a.arg for a in (*spec.posonlyargs, *spec.args)]
        count = len(spec.defaults)
        defaults: dict[str, ast.expr] = dict(
            zip(names[len(names) - count :], spec.defaults, strict=True)
        )
        for argument, default in zip(spec.kwonlyargs, spec.kw_defaults, strict=True):
            names.append(argument.arg)
            if default is not None:
                defaults[argument.arg] = default
        for name in names:
            if (name in scope) if only is None else (name not in only):
                continue
            if name not in defaults:
                raise Fault(f"no value for the argument {name}", "wrong", _line(node))
            scope[name] = self.value(defaults[name], {})

    def _numpy(self, name: str, args: list[Any], named: dict[str, Any]) -> Any:
        if name in ("errstate", "seterr", "set_printoptions"):
            return None
        if name not in subset.FUNCTIONS:
            raise Fault(f"np.{name} is not read")
        if any(isinstance(a, (Closure, Numpy, Bundle, Instance, Method)) for a in args):
            raise Fault(f"np.{name} of something that is no array", "wrong")
        if "dtype" in named:
            named["dtype"] = _dtype(named["dtype"])
        args = [_dtype(a) if isinstance(a, (Builtin, Numpy)) else a for a in args]
        try:
            work = subset.check_work([*args, *named.values()])
            self.steps += work // ENTRIES_A_STEP
            return subset.checked_call(name, subset.FUNCTIONS[name], args, named)
        except subset.TooLarge as problem:
            raise Fault(str(problem)) from None
        except (ValueError, IndexError) as problem:
            raise Fault(_one_line(problem), "shape") from None
        except (TypeError, KeyError, ZeroDivisionError, OverflowError, AttributeError) as problem:
            raise Fault(f"np.{name}: {_one_line(problem)}", "wrong") from None
        except MemoryError:
            raise Fault("too much memory") from None

    def _array_method(self, method: Method, args: list[Any], named: dict[str, Any]) -> Any:
        args = [_dtype(a) if isinstance(a, (Builtin, Numpy)) else a for a in args]
        if "dtype" in named:
            named["dtype"] = _dtype(named["dtype"])
        if method.name == "repeat" and subset.count_of(args) * method.owner.size > MOST_TEXT:
            raise Fault("an array that is too large")
        bound = getattr(np.asarray(method.owner), method.name)
        return self._numpy_step(lambda: bound(*args, **named), method.owner, *args)

    def _container_method(self, method: Method, args: list[Any], named: dict[str, Any]) -> Any:
        owner, name = method.owner, method.name
        if isinstance(owner, Bundle) and name == "get" and args:
            found = owner[args[0]] if args[0] in owner else owner.find(args[0])
            return found if found is not None else (args[1] if len(args) > 1 else None)
        if isinstance(owner, Bundle) and name == "copy":
            return Bundle(owner.find, owner)
        if isinstance(owner, dict) and name in ("keys", "values", "items"):
            return list(getattr(owner, name)())
        if isinstance(owner, str) and name == "format":
            if re.search(r"\{[^}]*[:!.\[]", owner) or len(owner) > 200:
                raise Fault("a text with a format")
            if not all(isinstance(a, (int, str, np.integer)) for a in args):
                raise Fault("a text made from an array")
        if isinstance(owner, list) and len(owner) > MOST_TEXT:
            raise Fault("a list that is too long")
        bound = getattr(owner, name)
        return self._numpy_step(lambda: bound(*args, **named))

    def _builtin(self, name: str, args: list[Any], named: dict[str, Any]) -> Any:
        match name, args:
            case "len", [Bundle() as bundle]:
                return bundle.find("len()") if bundle.find("len()") is not None else len(bundle)
            case "range", _:
                return self._numpy_step(lambda: range(*(int(operator.index(a)) for a in args)))
            case "reversed", [value]:
                return list(self._listed(value))[::-1]
            case "enumerate", [value, *start]:
                first = start[0] if start else named.get("start", 0)
                return [(first + i, v) for i, v in enumerate(self._listed(value))]
            case "zip", _:
                return list(zip(*(self._listed(a) for a in args), strict=False))
            case "list" | "tuple" | "sorted" | "set", []:
                return _BUILTINS[name]()
            case "list" | "tuple" | "sorted" | "set", [value]:
                return _BUILTINS[name](self._listed(value))
            case "map", [function, *lists]:
                rows = zip(*(self._listed(a) for a in lists), strict=False)
                return [self._called(function, list(row), {}) for row in rows]
            case "sum", [value, *start] if isinstance(value, (list, tuple)):
                total: Any = start[0] if start else 0
                for part in value:
                    total = self._binary(ast.Add(), total, part)
                return total
            case "dict", _:
                base = args[0] if args else {}
                if isinstance(base, Bundle):
                    return Bundle(base.find, {**base, **named})
                return self._numpy_step(lambda: {**dict(base), **named})
            case "isinstance" | "print" | "hasattr", _:
                return name != "print"
            case "str", [int() | str() | np.integer() as value]:
                return str(value)
        if name in ("len", "abs", "min", "max", "sum", "float", "int", "bool", "round", "divmod"):
            return self._numpy_step(lambda: _BUILTINS[name](*args, **named), *args)
        raise Fault(f"{name} with these arguments")

    def _listed(self, value: Any) -> list[Any]:
        if isinstance(value, range) and len(value) > MOST_STEPS:
            raise Fault("a range that is too long")
        return list(self._iterated(value))


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
    "hasattr": hasattr,
    "print": print,
    "map": map,
}
_DICT_METHODS = frozenset("get keys values items copy update pop setdefault".split())
_LIST_METHODS = frozenset("append insert extend pop reverse copy index count".split())
_TEXT_METHODS = frozenset("format lower upper startswith endswith strip".split())
_SHORTHAND_COLUMNS = Numpy("numpy.c_")


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


def _kind(value: Any) -> str:
    if isinstance(value, Numpy):
        return value.name.replace("numpy", "np", 1)
    if isinstance(value, (Builtin, Method)):
        return value.name
    if isinstance(value, (Bundle, Instance)):
        return "what the code was given"
    if isinstance(value, Closure):
        return "a function"
    return "None" if value is None else f"a {type(value).__name__}"
