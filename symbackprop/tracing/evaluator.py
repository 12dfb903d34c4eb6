"""Expressions of the code that is read, and their values.

Owns: names, calls, attributes, square brackets, comprehensions. Nothing is executed or looked up
in the running program.
Refuses: whatever has no row here, with a `TraceError` that names the line and the construct.
"""

from __future__ import annotations

import ast
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from symbackprop.derivation.normalform import ONE, ZERO, Atom, NoNormalForm, atom, variable
from symbackprop.tracing import arrays, containers, indexing, numpy_functions
from symbackprop.tracing.arrays import OutOfBounds, SymbolicArray, TraceError
from symbackprop.tracing.indexing import Part, Stretch
from symbackprop.tracing.machine import Machine
from symbackprop.tracing.memory import Cell, Frame, Touched
from symbackprop.tracing.operators import binary, compare, formatted, truth, unary
from symbackprop.tracing.source import construct
from symbackprop.tracing.values import (
    Bound,
    Class,
    Closure,
    Instance,
    Method,
    Module,
    Packed,
    Repeated,
    Scope,
    Unread,
    bounded,
    described,
    whole,
)

MOST_STEPS = 20_000
MOST_SECONDS = 60.0
MOST_CALLS = 16


class Returned(Exception):
    """A return statement was met: control flow, not a fault."""

    def __init__(self, value: Any, node: ast.Return) -> None:
        self.value, self.node = value, node


@dataclass
class Call:
    """A call in progress: the function's name, and the loops around the current statement."""

    name: str
    loops: list[tuple[str, Any]] = field(default_factory=list)


@dataclass
class Evaluator:
    """Values of expressions in one module."""

    machine: Machine
    functions: Mapping[str, ast.FunctionDef]
    modules: dict[str, str]
    constants: Mapping[str, Any]
    seconds: float = MOST_SECONDS
    steps: int = 0
    started: float = field(default_factory=time.monotonic)
    calls: list[Call] = field(default_factory=list)
    samples: list[Atom] = field(default_factory=list)
    _globals: dict[str, Any] = field(default_factory=dict)
    _members: dict[int, Closure] = field(default_factory=dict)
    top: Scope = field(default_factory=Scope)

    # ---- what statements do is told elsewhere ------------------------------------------------

    def block(self, body: Sequence[ast.stmt], scope: Scope) -> None:
        raise NotImplementedError

    def assign(self, target: ast.expr, value: Any, scope: Scope) -> None:
        raise NotImplementedError

    # ---- bounds ------------------------------------------------------------------------------

    def tick(self, node: ast.AST) -> None:
        self.steps += 1
        if self.steps > MOST_STEPS or time.monotonic() - self.started > self.seconds:
            raise OutOfBounds("more work than the tracer's bound", getattr(node, "lineno", None))

    def value(self, node: ast.expr, scope: Scope) -> Any:
        self.tick(node)
        self.machine.line = node.lineno
        try:
            return self._value(node, scope)
        except NoNormalForm as problem:
            raise TraceError(str(problem), node.lineno) from None
        except TraceError as fault:
            if fault.line is None:
                raise type(fault)(fault.reason, node.lineno) from None
            raise

    def _value(self, node: ast.expr, scope: Scope) -> Any:
        m = self.machine
        match node:
            case ast.Constant(value=constant):
                if isinstance(constant, (complex, bytes)):
                    raise TraceError(f"the constant {constant!r}")
                return constant
            case ast.Name(id=name):
                return self.name(name, scope)
            case ast.Tuple(elts=parts):
                return tuple(self._parts(parts, scope))
            case ast.List(elts=parts):
                return m.memory.made(self._parts(parts, scope))
            case ast.Dict(keys=keys, values=values):
                return m.memory.made(self._dictionary(keys, values, scope))
            case ast.BinOp(left=left, op=op, right=right):
                return binary(m, op, self.value(left, scope), self.value(right, scope))
            case ast.UnaryOp(op=op, operand=operand):
                return unary(m, op, self.value(operand, scope))
            case ast.Compare():
                return self._comparison(node, scope)
            case ast.BoolOp(op=op, values=values):
                return self._junction(op, values, scope)
            case ast.IfExp(test=test, body=body, orelse=orelse):
                return self.value(body if self.decided(test, scope) else orelse, scope)
            case ast.Attribute(value=owner, attr=name):
                return self.attribute(self.value(owner, scope), name)
            case ast.Subscript(value=owner, slice=index):
                return self.item(self.value(owner, scope), index, scope)
            case ast.Call():
                return self._called(node, scope)
            case ast.JoinedStr(values=parts):
                return "".join(self._formatted(part, scope) for part in parts)
            case ast.Lambda():
                return self.closure("lambda", node, scope)
            case ast.NamedExpr(target=target, value=value):
                found = self.value(value, scope)
                self.assign(target, found, scope.owner)
                return found
        return self._comprehension(node, scope)

    def _parts(self, parts: Sequence[ast.expr], scope: Scope) -> list[Any]:
        found: list[Any] = []
        for part in parts:
            if isinstance(part, ast.Starred):
                found += containers.items(self.machine, self.value(part.value, scope))
            else:
                found.append(self.value(part, scope))
        return found

    def decided(self, test: ast.expr, scope: Scope) -> bool:
        value = self.value(test, scope)
        try:
            return truth(value)
        except TraceError as fault:
            raise TraceError(fault.reason, fault.line or test.lineno) from None

    def _junction(self, op: ast.boolop, values: Sequence[ast.expr], scope: Scope) -> Any:
        *first, last = values
        for node in first:
            found = self.value(node, scope)
            if truth(found) != isinstance(op, ast.And):
                return found
        return self.value(last, scope)

    def _comparison(self, node: ast.Compare, scope: Scope) -> Any:
        left = self.value(node.left, scope)
        found: Any = True
        for op, other in zip(node.ops, node.comparators, strict=True):
            right = self.value(other, scope)
            found = compare(self.machine, op, left, right)
            if len(node.ops) > 1 and not truth(found):
                return False
            left = right
        return found

    def _formatted(self, part: ast.expr, scope: Scope) -> str:
        if not isinstance(part, ast.FormattedValue):
            return str(self.value(part, scope))
        value = self.value(part.value, scope)
        number = whole(value)
        value = value if number is None else number
        spec = "".join(
            self._formatted(piece, scope)
            for piece in (
                part.format_spec.values if isinstance(part.format_spec, ast.JoinedStr) else ()
            )
        )
        if part.conversion == ord("r"):
            value = repr(value) if isinstance(value, (str, int)) else value
        return formatted(spec, lambda: format(value, spec), [value])

    def _dictionary(
        self, keys: Sequence[ast.expr | None], values: Sequence[ast.expr], scope: Scope
    ) -> dict[Any, Any]:
        found: dict[Any, Any] = {}
        for key, value in zip(keys, values, strict=True):
            if key is None:
                other = self.value(value, scope)
                if not isinstance(other, dict):
                    raise TraceError("** of something that is no dict")
                found.update(other)
            else:
                name = self.key(key, scope)
                found[name] = self.value(value, scope)
        return found

    def key(self, node: ast.expr, scope: Scope) -> Any:
        return containers.checked_key(self.value(node, scope))

    # ---- names -------------------------------------------------------------------------------

    def name(self, name: str, scope: Scope) -> Any:
        holder = scope.found(name)
        value = self._global(name) if holder is None else holder[name]
        if isinstance(value, Unread):
            raise TraceError(value.reason, value.line)
        return value

    def _global(self, name: str) -> Any:
        if name not in self._globals:
            self._globals[name] = self._looked_up(name)
        return self._globals[name]

    def _looked_up(self, name: str) -> Any:
        if name in self.functions:
            return self.closure(name, self.functions[name], self.top)
        if name in self.modules:
            return Module(self.modules[name])
        if name in self.constants:
            found = self.constants[name]
            if isinstance(found, ast.ClassDef):
                return Class(name, found)
            if isinstance(found, ast.expr):
                self._globals[name] = Unread(f"{name} is defined by itself", None)
                frames, self.machine.memory.frames = self.machine.memory.frames, []
                try:
                    return self.value(found, self.top)
                finally:
                    self.machine.memory.frames = frames
                    del self._globals[name]
            return found
        if name in containers.BUILTINS and "*" not in self.constants:
            return Module(f"builtin {name}")
        raise TraceError(f"the name {name} is not known here")

    # ---- comprehensions ----------------------------------------------------------------------

    def _comprehension(self, node: ast.expr, scope: Scope) -> Any:
        match node:
            case ast.ListComp(elt=element, generators=[ast.comprehension(ifs=[]) as only]):
                source = containers.iterable(self.machine, self.value(only.iter, scope))
                if isinstance(source, Repeated):
                    return self._rows(element, only.target, source, scope)
                inner = self._inner_scopes(only, source, Scope(scope, transparent=True))
                return self.machine.memory.made([self.value(element, s) for s in inner])
            case ast.ListComp(elt=element, generators=generators):
                scopes = self._looped(generators, scope)
                return self.machine.memory.made([self.value(element, s) for s in scopes])
            case ast.DictComp(key=key, value=value, generators=generators):
                found: dict[Any, Any] = {}
                for inner_scope in self._looped(generators, scope):
                    name = self.key(key, inner_scope)
                    found[name] = self.value(value, inner_scope)
                return self.machine.memory.made(found)
        raise TraceError(f"{construct(node)} is not read")

    def _looped(self, generators: Sequence[ast.comprehension], scope: Scope) -> Iterator[Scope]:
        """Once for each item; all of them share one scope, as functions made there see."""
        inner = Scope(scope, transparent=True)
        return self._looped_inside(generators, scope, inner)

    def _looped_inside(
        self, generators: Sequence[ast.comprehension], scope: Scope, inner: Scope
    ) -> Iterator[Scope]:
        if not generators:
            yield inner
            return
        first, *rest = generators
        source = containers.iterable(self.machine, self.value(first.iter, scope))
        if isinstance(source, Repeated):
            raise TraceError("a comprehension over a symbolic number of items")
        for _ in self._inner_scopes(first, source, inner):
            yield from self._looped_inside(rest, inner, inner)

    def _inner_scopes(
        self, generator: ast.comprehension, source: Any, inner: Scope
    ) -> Iterator[Scope]:
        for value in bounded(source, containers.MOST_ITEMS):
            self.assign(generator.target, value, inner)
            if all(self.decided(test, inner) for test in generator.ifs):
                yield inner

    def _rows(
        self, element: ast.expr, target: ast.expr, source: Repeated, scope: Scope
    ) -> Repeated:
        """[f(i) for i in range(n)]: the entry of an array with one axis more."""
        m = self.machine
        if any(isinstance(part, ast.NamedExpr) for part in ast.walk(element)):
            raise TraceError("a name bound in a list with a symbolic number of items")
        index = m.algebra.fresh(variable("", source.extent))
        inner = Scope(scope, transparent=True)
        frame = Frame()
        m.memory.frames.append(frame)
        try:
            self.assign(target, source.item(m.memory.cell(_index_array(index))), inner)
            found = m.array(self.value(element, inner))
        except Touched as touched:
            if touched.frame is not frame:
                raise
            raise TraceError("a change in a list with a symbolic number of items") from None
        finally:
            m.memory.frames.pop()
        moved = indexing.at(
            m.algebra,
            found.form,
            [*found.axis_variables, index],
            [
                *(arrays.runner(i + 1, e) for i, e in enumerate(found.shape)),
                arrays.runner(0, source.extent),
            ],
        )
        rows = SymbolicArray((source.extent, *found.shape), moved, found.dtype)
        holder = m.memory.cell(rows)
        return Repeated(source.extent, lambda i: m.selected(holder, [i.value]), rows)

    # ---- attributes --------------------------------------------------------------------------

    def attribute(self, owner: Any, name: str) -> Any:
        if name.startswith("_") and not isinstance(owner, Instance):
            raise TraceError(f"the attribute {name}")
        if isinstance(owner, Module):
            if name == "newaxis" and owner.name == "numpy":
                return None
            return Module(f"{owner.name}.{name}")
        if isinstance(owner, Cell):
            return self._array_attribute(owner, name)
        if isinstance(owner, Instance):
            return self._field(owner, name)
        for kind, names in containers.METHODS.items():
            if isinstance(owner, kind) and name in names:
                return Method(owner, name)
        raise TraceError(f"the attribute {name} of {described(owner)}")

    def _array_attribute(self, owner: Cell, name: str) -> Any:
        m, array = self.machine, owner.value
        match name:
            case "T":
                return m.transposed(owner, tuple(reversed(range(array.ndim))))
            case "real":
                return owner
            case "shape":
                return tuple(m.number(extent) for extent in array.shape)
            case "ndim":
                return array.ndim
            case "size":
                return numpy_functions.call(m, "size", [owner], {})
            case "dtype":
                return Module("numpy.float64" if array.dtype == "float" else f"numpy.{array.dtype}")
        if name in numpy_functions.METHODS:
            return Method(owner, name)
        raise TraceError(f"the attribute {name} of an array")

    def _field(self, owner: Instance, name: str) -> Any:
        if name in owner.fields:
            found = owner.fields[name]
            if isinstance(found, Unread):
                raise TraceError(found.reason, found.line)
            return found
        member = self._member(owner, name)
        if isinstance(member, Closure):
            decorators = [
                d.id for d in getattr(member.node, "decorator_list", []) if isinstance(d, ast.Name)
            ]
            return member if decorators == ["staticmethod"] else Bound(owner, member)
        return member

    def class_of(self, owner: Instance) -> ast.ClassDef | None:
        if owner.kind is None:
            return None
        found = self.constants.get(owner.kind.name)
        node = found if isinstance(found, ast.ClassDef) else owner.kind.node
        if node.keywords or node.decorator_list or any(map(_is_foreign, node.bases)):
            raise TraceError(f"an object of the class {owner.kind.name}")
        if any(isinstance(s, ast.FunctionDef) and s.name in _HOOKS for s in node.body):
            raise TraceError(f"the attributes of the class {owner.kind.name}")
        return node

    def _member(self, owner: Instance, name: str) -> Any:
        kind = self.class_of(owner)
        for statement in reversed(kind.body if kind is not None else []):
            match statement:
                case ast.FunctionDef(name=own) if own == name:
                    if id(statement) not in self._members:
                        self._members[id(statement)] = self.closure(name, statement, self.top)
                    return self._members[id(statement)]
                case ast.Assign(targets=[ast.Name(id=own)], value=ast.Constant(value=value)) if (
                    own == name
                ):
                    return value
        raise TraceError(f"the attribute {name} of an object")

    # ---- square brackets ---------------------------------------------------------------------

    def item(self, owner: Any, index: ast.expr, scope: Scope) -> Any:
        if isinstance(owner, Module) and owner.name in ("numpy.c_", "numpy.r_"):
            parts = index.elts if isinstance(index, ast.Tuple) else [index]
            joined = (
                numpy_functions.column_joined
                if owner.name == "numpy.c_"
                else numpy_functions.row_joined
            )
            return joined(self.machine, [self.value(part, scope) for part in parts])
        if isinstance(owner, dict):
            key = self.key(index, scope)
            if key not in owner:
                raise TraceError(f"no entry {key!r}", index.lineno)
            return owner[key]
        if isinstance(owner, (tuple, list, str, range)):
            return self._list_item(owner, index, scope)
        if isinstance(owner, Repeated) and not isinstance(index, ast.Slice):
            return owner.item(
                self.machine.memory.cell(self.machine.array(self.value(index, scope)))
            )
        if not isinstance(owner, Cell):
            raise TraceError(f"an entry of {described(owner)}", index.lineno)
        return self.entry(owner, self.index_parts(index, scope))

    def _list_item(self, owner: Any, index: ast.expr, scope: Scope) -> Any:
        where = self.list_place(owner, index, scope)
        found = owner[where]
        return self.machine.memory.made(found) if isinstance(where, slice) else found

    def list_place(self, owner: Sequence[Any], index: ast.expr, scope: Scope) -> int | slice:
        if isinstance(index, ast.Slice):
            ends = [
                None if node is None else whole(self.value(node, scope))
                for node in (index.lower, index.upper, index.step)
            ]
            written = (index.lower, index.upper, index.step)
            if any(n is not None and e is None for n, e in zip(written, ends, strict=True)):
                raise TraceError("a slice whose ends are no numbers", index.lineno)
            if ends[2] == 0:
                raise TraceError("a slice with step 0", index.lineno)
            return slice(*ends)
        position = whole(self.value(index, scope))
        if position is None or not -len(owner) <= position < len(owner):
            raise TraceError("a position outside the list", index.lineno)
        return position

    def index_parts(self, index: ast.expr, scope: Scope) -> list[Any]:
        """What stands in the brackets: slices, None, an ellipsis, values."""
        if not isinstance(index, ast.Tuple):
            found = [self._index_part(index, scope)]
            return list(found[0]) if isinstance(found[0], tuple) else found
        return [self._index_part(node, scope) for node in index.elts]

    def _index_part(self, node: ast.expr, scope: Scope) -> Any:
        if not isinstance(node, ast.Slice):
            return self.value(node, scope)
        step = None if node.step is None else whole(self.value(node.step, scope))
        if node.step is not None and step not in (1, -1):
            raise TraceError("a slice with a step", node.lineno)
        ends = [None if end is None else self.value(end, scope) for end in (node.lower, node.upper)]
        lower, upper = (None if end is None else self.machine.array(end) for end in ends)
        return Stretch(lower, upper, step == -1)

    def is_mask(self, parts: list[Any]) -> bool:
        return len(parts) == 1 and isinstance(parts[0], Cell) and parts[0].value.dtype == "bool"

    def entry(self, owner: Cell, parts: list[Any]) -> Any:
        if self.is_mask(parts):
            mask = indexing.full_mask(owner.value, parts[0].value)
            return Packed(owner.value, mask)
        return self.machine.selected(owner, self.selection_parts(owner, parts))

    def selection_parts(self, owner: Cell, parts: list[Any]) -> list[Part]:
        """The parts without an ellipsis, each a slice, an array of indices, or None."""
        if any(part is Ellipsis for part in parts):
            if sum(part is Ellipsis for part in parts) > 1:
                raise TraceError("two ellipses in one index")
            used = sum(part is not None and part is not Ellipsis for part in parts)
            free = owner.value.ndim - used
            if not free and not any(isinstance(part, Stretch) or part is None for part in parts):
                raise TraceError("an ellipsis beside an index for every axis")
            where = next(i for i, part in enumerate(parts) if part is Ellipsis)
            parts = [*parts[:where], *[Stretch()] * max(free, 0), *parts[where + 1 :]]
        return [
            part if part is None or isinstance(part, Stretch) else self.machine.array(part)
            for part in parts
        ]

    # ---- calls -------------------------------------------------------------------------------

    def _called(self, node: ast.Call, scope: Scope) -> Any:
        function = self.value(node.func, scope)
        args: list[Any] = []
        for part in node.args:
            if isinstance(part, ast.Starred):
                args += containers.items(self.machine, self.value(part.value, scope))
            elif isinstance(part, ast.GeneratorExp):
                args.append(self._generated(part, function, scope))
            else:
                args.append(self.value(part, scope))
        named: dict[str, Any] = {}
        for keyword in node.keywords:
            value = self.value(keyword.value, scope)
            more = {keyword.arg: value} if keyword.arg is not None else value
            if not isinstance(more, dict) or not all(isinstance(k, str) for k in more):
                raise TraceError("** of something that is no dict of names", node.lineno)
            if set(more) & set(named):
                raise TraceError("an argument that is given twice", node.lineno)
            named |= more
        self.machine.line = node.lineno
        return self.call(function, args, named)

    def _generated(self, node: ast.GeneratorExp, function: Any, scope: Scope) -> Any:
        name = getattr(function, "name", "").removeprefix("builtin ")
        if name not in containers.CONSUMERS or isinstance(function, Closure):
            raise TraceError("a generator that is not emptied at once", node.lineno)
        same = ast.ListComp(node.elt, node.generators)
        return self.value(ast.copy_location(same, node), scope)

    def call(self, function: Any, args: Sequence[Any], named: dict[str, Any]) -> Any:
        match function:
            case Closure():
                return self._run(function, args, named)
            case Bound(owner=owner, function=inside):
                return self._run(inside, [owner, *args], named)
            case Class():
                return self._constructed(function, args, named)
            case Method(owner=Cell() as owner, name=name):
                return numpy_functions.call(self.machine, name, [owner, *args], named)
            case Method(owner=owner, name=name):
                return containers.method(self.machine, owner, name, args, named)
            case Module(name=name) if name.startswith("builtin "):
                return containers.builtin(self.machine, name.removeprefix("builtin "), args, named)
            case Module(name=name) if name.startswith("numpy."):
                return numpy_functions.call(self.machine, name.removeprefix("numpy."), args, named)
            case Module(name=name) if name.startswith("math."):
                return self._math(name.removeprefix("math."), args, named)
            case Instance() if self.class_of(function) is not None:
                return self.call(self._field(function, "__call__"), args, named)
        raise TraceError(f"a call of {described(function)}")

    def _math(self, name: str, args: Sequence[Any], named: dict[str, Any]) -> Any:
        if name not in ("exp", "log", "tanh", "cosh", "sinh", "sqrt", "fabs") or len(args) != 1:
            raise TraceError(f"math.{name} is not read")
        if self.machine.array(args[0]).ndim:
            raise TraceError(f"math.{name} of an array")
        return numpy_functions.call(self.machine, name, args, named)

    def _constructed(self, kind: Class, args: Sequence[Any], named: dict[str, Any]) -> Instance:
        made = Instance(kind)
        self.class_of(made)
        self.machine.memory.made(made)
        if any(isinstance(s, ast.FunctionDef) and s.name == "__init__" for s in kind.node.body):
            self.call(self._field(made, "__init__"), args, named)
        elif args or named:
            raise TraceError(f"arguments of {kind.name}")
        return made

    def closure(self, name: str, node: ast.FunctionDef | ast.Lambda, scope: Scope) -> Closure:
        """A function, its defaults computed where it stands."""
        spec = node.args
        names = [a.arg for a in (*spec.posonlyargs, *spec.args)]
        first = len(names) - len(spec.defaults)
        defaults = {
            n: self.value(d, scope) for n, d in zip(names[first:], spec.defaults, strict=True)
        }
        for keyword, default in zip(spec.kwonlyargs, spec.kw_defaults, strict=True):
            if default is not None:
                defaults[keyword.arg] = self.value(default, scope)
        return Closure(name, node, scope, defaults)

    def bound(self, function: Closure, args: Sequence[Any], named: dict[str, Any]) -> Scope:
        """The names of a call."""
        node, spec = function.node, function.node.args
        if isinstance(node, ast.FunctionDef) and not _has_plain_decorators(node):
            raise TraceError(f"{function.name}: decorators", node.lineno)
        positional = [a.arg for a in (*spec.posonlyargs, *spec.args)]
        scope = Scope(function.scope)
        scope.update(zip(positional, args, strict=False))
        if spec.vararg is not None:
            scope[spec.vararg.arg] = tuple(args[len(positional) :])
        elif len(args) > len(positional):
            raise TraceError(f"{function.name}: too many arguments", node.lineno)
        known = [a.arg for a in (*spec.args, *spec.kwonlyargs)]
        rest: dict[str, Any] = {}
        for name, value in named.items():
            if name in scope or (name not in known and spec.kwarg is None):
                raise TraceError(f"{function.name}: argument {name}", node.lineno)
            (scope if name in known else rest)[name] = value
        if spec.kwarg is not None:
            scope[spec.kwarg.arg] = rest
        for name in (*positional, *(a.arg for a in spec.kwonlyargs)):
            if name not in scope:
                if name not in function.defaults:
                    raise TraceError(f"{function.name}: no value for {name}", node.lineno)
                scope[name] = function.defaults[name]
        return scope

    def _run(self, function: Closure, args: Sequence[Any], named: dict[str, Any]) -> Any:
        if len(self.calls) > MOST_CALLS:
            raise OutOfBounds(f"{function.name}: calls nested too deeply", function.node.lineno)
        scope = self.bound(function, args, named)
        self.calls.append(Call(function.name))
        try:
            if isinstance(function.node, ast.Lambda):
                return self.value(function.node.body, scope)
            self.block(function.node.body, scope)
        except Returned as returned:
            return returned.value
        finally:
            self.calls.pop()
        return None


_HOOKS = ("__setattr__", "__getattr__", "__getattribute__", "__delattr__", "__new__")


def _is_foreign(base: ast.expr) -> bool:
    return not (isinstance(base, ast.Name) and base.id == "object")


def _has_plain_decorators(node: ast.FunctionDef) -> bool:
    return all(isinstance(d, ast.Name) and d.id == "staticmethod" for d in node.decorator_list)


def _index_array(index: Atom) -> SymbolicArray:
    form = ZERO if index.data[2] == ONE else atom(index)
    return SymbolicArray((), form, "int")
