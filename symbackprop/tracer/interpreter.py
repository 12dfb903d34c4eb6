"""NumPy functions read as index equations, by interpreting their syntax tree.

Owns: the subset of Python and NumPy that is read, and its meaning on symbolic arrays. Nothing is
executed, imported or looked up in the running program.
Refuses: everything else, with a `TraceError` that names the line and the construct. Undecided is
an answer; a guess is not.
Would be wrong if: an array changed in place through one name kept its old value under another.
Arrays that may share memory (views, transposes) are therefore never changed in place.
"""

from __future__ import annotations

import ast
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from symbackprop.normalform import ONE, ZERO, Algebra, Form, NoNormalForm, atom, number
from symbackprop.tracer import arrays
from symbackprop.tracer.arrays import ShapeClash, SymbolicArray, TraceError

MOST_STEPS = 20_000
MOST_CALLS = 12
MOST_SECONDS = 60.0
MOST_CHARACTERS = 1_000_000


@dataclass
class Cell:
    """An array as an object: `shared` once something else may look at the same memory."""

    value: SymbolicArray
    shared: bool = False
    argument: bool = False


@dataclass(frozen=True)
class Module:
    """A dotted name under NumPy: `np`, `np.random`, `np.float64`."""

    name: str


@dataclass(frozen=True)
class Method:
    owner: Any
    name: str


@dataclass(frozen=True)
class Traced:
    """Every named intermediate in order of assignment, and what is returned.

    Arrays are `SymbolicArray`; tuples, lists and dicts stay what they are. `lines` tells where a
    name was last assigned; `return_names` the names in the return statement, where there are.
    """

    names: Mapping[str, Any]
    lines: Mapping[str, int]
    returned: Any
    return_names: Any
    return_line: int


class _Returned(Exception):
    """A return statement was met: control flow, not a fault."""

    def __init__(self, value: Any, node: ast.Return) -> None:
        self.value, self.node = value, node


Watcher = Callable[[str, SymbolicArray, int], SymbolicArray]
Recogniser = Callable[[SymbolicArray], SymbolicArray]


@dataclass
class Interpreter:
    """One reading of one module.

    `on_assignment(name, value, line)` may put an equal value in place of an assigned one;
    `on_value` likewise for every array that is computed.
    """

    algebra: Algebra
    functions: Mapping[str, ast.FunctionDef]
    modules: Mapping[str, str]
    constants: Mapping[str, Any] = field(default_factory=dict)
    on_assignment: Watcher | None = None
    on_value: Recogniser | None = None
    steps: int = 0
    depth: int = 0
    started: float = field(default_factory=time.monotonic)
    lines: dict[str, int] = field(default_factory=dict)
    order: dict[str, Any] = field(default_factory=dict)

    # ---- functions ---------------------------------------------------------------------------

    def run(self, function: ast.FunctionDef, arguments: Mapping[str, Any]) -> Traced:
        scope = self._bound(function, (), dict(arguments), {})
        try:
            self._block(function.body, scope)
        except _Returned as returned:
            names = {name: plain(value) for name, value in self.order.items()}
            shown = _written_names(returned.node.value)
            return Traced(names, self.lines, plain(returned.value), shown, returned.node.lineno)
        raise TraceError(f"{function.name} returns nothing", function.lineno)

    def _bound(
        self,
        function: ast.FunctionDef,
        positional: Sequence[Any],
        named: dict[str, Any],
        _: Mapping[str, Any],
    ) -> dict[str, Any]:
        spec = function.args
        if spec.vararg or spec.kwarg or function.decorator_list:
            raise TraceError(f"{function.name}: * arguments or decorators", function.lineno)
        names = [a.arg for a in (*spec.posonlyargs, *spec.args)]
        defaults = dict(zip(names[len(names) - len(spec.defaults) :], spec.defaults, strict=True))
        for keyword, default in zip(spec.kwonlyargs, spec.kw_defaults, strict=True):
            names.append(keyword.arg)
            if default is not None:
                defaults[keyword.arg] = default
        if len(positional) > len(names):
            raise TraceError(f"{function.name}: too many arguments", function.lineno)
        scope = dict(zip(names, positional, strict=False))
        for name, value in named.items():
            if name not in names or name in scope:
                raise TraceError(f"{function.name}: argument {name}", function.lineno)
            scope[name] = value
        for name in names:
            if name not in scope:
                if name not in defaults:
                    raise TraceError(f"{function.name}: no value for {name}", function.lineno)
                scope[name] = self.value(defaults[name], {})
        return scope

    def _call(self, function: ast.FunctionDef, args: Sequence[Any], named: dict[str, Any]) -> Any:
        if self.depth >= MOST_CALLS:
            raise TraceError(f"{function.name}: calls nested too deeply", function.lineno)
        self.depth += 1
        try:
            self._block(function.body, self._bound(function, args, named, {}))
        except _Returned as returned:
            return returned.value
        finally:
            self.depth -= 1
        return None

    # ---- statements --------------------------------------------------------------------------

    def _block(self, body: Sequence[ast.stmt], scope: dict[str, Any]) -> None:
        for statement in body:
            self._tick(statement)
            self.algebra.work = 0
            try:
                self._statement(statement, scope)
            except TraceError as fault:
                if fault.line is None:
                    raise type(fault)(fault.reason, statement.lineno) from None
                raise
            except NoNormalForm as problem:
                raise TraceError(str(problem), statement.lineno) from None

    def _tick(self, node: ast.AST) -> None:
        self.steps += 1
        if self.steps > MOST_STEPS or time.monotonic() - self.started > MOST_SECONDS:
            raise TraceError("more work than the tracer's bound", getattr(node, "lineno", None))

    def _statement(self, statement: ast.stmt, scope: dict[str, Any]) -> None:
        match statement:
            case ast.Expr(value=ast.Constant()) | ast.Pass():
                return
            case ast.Return(value=value):
                raise _Returned(None if value is None else self.value(value, scope), statement)
            case ast.Assign(targets=targets, value=value):
                result = self.value(value, scope)
                for target in targets:
                    self._assign(target, result, scope)
            case ast.AnnAssign(target=target, value=value) if value is not None:
                self._assign(target, self.value(value, scope), scope)
            case ast.AugAssign(target=target, op=op, value=value):
                self._augment(target, op, self.value(value, scope), scope)
            case ast.If(test=test, body=body, orelse=orelse):
                self._block(body if self._decided(test, scope) else orelse, scope)
            case ast.Assert():
                return  # a passing assertion changes nothing
            case ast.With(items=items, body=body):
                for item in items:
                    self._context(item)
                self._block(body, scope)
            case _:
                raise TraceError(f"{_construct(statement)} is not read", statement.lineno)

    def _context(self, item: ast.withitem) -> None:
        call = item.context_expr
        name = self._dotted(call.func) if isinstance(call, ast.Call) else None
        if name != "errstate" or item.optional_vars is not None:
            raise TraceError("a with statement other than np.errstate", call.lineno)

    def _decided(self, test: ast.expr, scope: dict[str, Any]) -> bool:
        value = self.value(test, scope)
        if isinstance(value, Cell):
            constant = value.value.form.constant
            if value.value.ndim == 0 and constant is not None:
                return bool(constant)
            raise TraceError("an if whose outcome depends on values or sizes", test.lineno)
        return bool(value)

    def _assign(self, target: ast.expr, value: Any, scope: dict[str, Any]) -> None:
        match target:
            case ast.Name(id=name):
                self._named(name, value, scope, target.lineno)
            case ast.Tuple(elts=parts) | ast.List(elts=parts):
                pieces = self._pieces(value, target)
                if len(pieces) != len(parts) or any(isinstance(p, ast.Starred) for p in parts):
                    raise TraceError("unpacking into a different number of names", target.lineno)
                for part, piece in zip(parts, pieces, strict=True):
                    self._assign(part, piece, scope)
            case ast.Subscript(value=owner, slice=index):
                held = self.value(owner, scope)
                if isinstance(held, dict):
                    key = self._key(index, scope)
                    held[key] = value
                    if self.depth == 0 and isinstance(key, str):
                        self._note(key, value, target.lineno)
                    return
                self._store(held, index, scope, lambda old: self._array(value), target)
            case _:
                raise TraceError(f"assignment to {_construct(target)}", target.lineno)

    def _named(self, name: str, value: Any, scope: dict[str, Any], line: int) -> None:
        if self.depth == 0 and isinstance(value, Cell):
            value = self._note(name, value, line)
        elif self.depth == 0:
            self.order[name] = value
            self.lines[name] = line
        scope[name] = value

    def _note(self, name: str, value: Any, line: int) -> Any:
        """Tell whoever watches; an equal value may come back in place of the array's."""
        if isinstance(value, Cell):
            if self.on_assignment is not None:
                value.value = self.on_assignment(name, value.value, line)
            self.order.pop(name, None)
            self.order[name] = value
            self.lines[name] = line
        return value

    def _pieces(self, value: Any, node: ast.AST) -> Sequence[Any]:
        if isinstance(value, (tuple, list)):
            return value
        raise TraceError("unpacking of something that is no tuple", getattr(node, "lineno", None))

    def _augment(
        self, target: ast.expr, op: ast.operator, value: Any, scope: dict[str, Any]
    ) -> None:
        match target:
            case ast.Name(id=name):
                held = self.value(ast.copy_location(ast.Name(name, ast.Load()), target), scope)
                changed = self._binary(op, held, value)
                if isinstance(held, Cell) and held.value.ndim > 0:
                    self._in_place(held, changed.value)
                    changed = held
                self._named(name, changed, scope, target.lineno)
            case ast.Subscript(value=owner, slice=index):
                held = self.value(owner, scope)
                if isinstance(held, dict):
                    key = self._key(index, scope)
                    held[key] = self._binary(op, self._item(held, index, scope), value)
                    return
                self._store(
                    held,
                    index,
                    scope,
                    lambda old: self._binary(op, Cell(old), value).value,
                    target,
                )
                if isinstance(owner, ast.Name):
                    self._named(owner.id, held, scope, target.lineno)
            case _:
                raise TraceError(f"change of {_construct(target)}", target.lineno)

    def _in_place(self, held: Cell, changed: SymbolicArray) -> None:
        if held.shared or held.argument:
            raise TraceError("a change in place of an array that others may share")
        if changed.shape != held.value.shape:
            raise ShapeClash("a change in place does not keep the shape")
        if held.value.dtype != changed.dtype and changed.dtype == "float":
            raise TraceError("a change in place of whole numbers by decimals")
        held.value = self._seen(changed)

    def _store(
        self,
        held: Any,
        index: ast.expr,
        scope: dict[str, Any],
        update: Callable[[SymbolicArray], SymbolicArray],
        node: ast.expr,
    ) -> None:
        if not isinstance(held, Cell):
            raise TraceError("assignment into something that is no array", node.lineno)
        parts = self._index_parts(index, scope)
        if all(_is_whole(p) for p in parts) and len(parts) <= held.value.ndim:
            changed = arrays.pointwise(lambda old, new: new, held.value, update(held.value))
        else:
            arrays_ = [self._array(p) for p in self._as_indices(parts)]
            changed = arrays.scattered(self.algebra, held.value, arrays_, update)
        self._in_place(held, changed)

    # ---- expressions -------------------------------------------------------------------------

    def value(self, node: ast.expr, scope: dict[str, Any]) -> Any:
        self._tick(node)
        try:
            return self._value(node, scope)
        except NoNormalForm as problem:
            raise TraceError(str(problem), node.lineno) from None
        except TraceError as fault:
            if fault.line is None:
                raise type(fault)(fault.reason, node.lineno) from None
            raise

    def _value(self, node: ast.expr, scope: dict[str, Any]) -> Any:
        match node:
            case ast.Constant(value=constant):
                if isinstance(constant, (complex, bytes)):
                    raise TraceError(f"the constant {constant!r}")
                return constant
            case ast.Name(id=name):
                return self._name(name, scope)
            case ast.Tuple(elts=parts):
                return tuple(self.value(part, scope) for part in parts)
            case ast.List(elts=parts):
                return [self.value(part, scope) for part in parts]
            case ast.Dict(keys=keys, values=values):
                return self._dictionary(keys, values, scope)
            case ast.BinOp(left=left, op=op, right=right):
                return self._binary(op, self.value(left, scope), self.value(right, scope))
            case ast.UnaryOp(op=op, operand=operand):
                return self._unary(op, self.value(operand, scope))
            case ast.Compare(left=left, ops=[op], comparators=[right]):
                return self._compare(op, self.value(left, scope), self.value(right, scope))
            case ast.BoolOp(op=op, values=values):
                outcomes = [self._decided(value, scope) for value in values]
                return all(outcomes) if isinstance(op, ast.And) else any(outcomes)
            case ast.IfExp(test=test, body=body, orelse=orelse):
                return self.value(body if self._decided(test, scope) else orelse, scope)
            case ast.Attribute(value=owner, attr=name):
                return self._attribute(self.value(owner, scope), name)
            case ast.Subscript(value=owner, slice=index):
                return self._item(self.value(owner, scope), index, scope)
            case ast.Call():
                return self._called(node, scope)
            case ast.DictComp(key=key, value=value, generators=[generator]):
                found: dict[Any, Any] = {}
                for inner in self._looped(generator, scope):
                    found[self.value(key, inner)] = self.value(value, inner)
                return found
            case ast.ListComp(elt=element, generators=[generator]):
                return [self.value(element, inner) for inner in self._looped(generator, scope)]
            case ast.JoinedStr(values=parts):
                return "".join(self._formatted(part, scope) for part in parts)
        raise TraceError(f"{_construct(node)} is not read")

    def _formatted(self, part: ast.expr, scope: dict[str, Any]) -> str:
        value = (
            self.value(part.value, scope)
            if isinstance(part, ast.FormattedValue)
            else (self.value(part, scope))
        )
        if not isinstance(value, (str, int)):
            raise TraceError("text made from an array")
        return str(value)

    def _looped(self, generator: ast.comprehension, scope: dict[str, Any]) -> list[dict[str, Any]]:
        values = self.value(generator.iter, scope)
        if not isinstance(values, (list, tuple, dict)) or generator.ifs:
            raise TraceError("a comprehension over something that is no list")
        if len(values) > MOST_STEPS:
            raise TraceError("a comprehension over too much")
        scopes = []
        self.depth += 1  # names of a comprehension are its own
        try:
            for value in values:
                inner = dict(scope)
                self._assign(generator.target, value, inner)
                scopes.append(inner)
        finally:
            self.depth -= 1
        return scopes

    def _name(self, name: str, scope: dict[str, Any]) -> Any:
        if name in scope:
            return scope[name]
        if name in self.functions:
            return self.functions[name]
        if name in self.modules:
            return Module(self.modules[name])
        if name in self.constants:
            return self.constants[name]
        if name in _BUILTINS:
            return Module(f"builtin {name}")
        raise TraceError(f"the name {name} is not known here")

    def _dictionary(
        self, keys: Sequence[ast.expr | None], values: Sequence[ast.expr], scope: dict[str, Any]
    ) -> dict[Any, Any]:
        found: dict[Any, Any] = {}
        for key, value in zip(keys, values, strict=True):
            if key is None:
                other = self.value(value, scope)
                if not isinstance(other, dict):
                    raise TraceError("** of something that is no dict")
                found.update(other)
            else:
                found[self._key(key, scope)] = self.value(value, scope)
        return found

    def _key(self, node: ast.expr, scope: dict[str, Any]) -> str | int:
        key = self.value(node, scope)
        if not isinstance(key, (str, int)):
            raise TraceError("a key that is neither a text nor a number", node.lineno)
        return key

    # ---- operators ---------------------------------------------------------------------------

    def _array(self, value: Any) -> SymbolicArray:
        if isinstance(value, Cell):
            return value.value
        if isinstance(value, (bool, int, float, Fraction)):
            return arrays.scalar(value)
        raise TraceError(f"an array was expected, not {_kind(value)}")

    def _seen(self, array: SymbolicArray) -> SymbolicArray:
        if self.on_value is not None and array.ndim > 0:
            return self.on_value(array)
        return array

    def _cell(self, array: SymbolicArray) -> Cell:
        return Cell(self._seen(array))

    def _view(self, owner: Cell, array: SymbolicArray) -> Cell:
        owner.shared = True
        return Cell(array, shared=True)

    def _binary(self, op: ast.operator, left: Any, right: Any) -> Any:
        if not isinstance(left, Cell) and not isinstance(right, Cell):
            return self._plain_binary(op, left, right)
        one, other = self._array(left), self._array(right)
        if isinstance(op, ast.MatMult):
            return self._cell(arrays.matmul(self.algebra, one, other))
        if isinstance(op, (ast.BitAnd, ast.BitOr, ast.BitXor)):
            return self._cell(self._logical(op, one, other))
        name = _OPERATORS.get(type(op))
        if name is None:
            raise TraceError(f"the operator {type(op).__name__}")
        return self._cell(self._arithmetic(name, one, other))

    def _plain_binary(self, op: ast.operator, left: Any, right: Any) -> Any:
        if isinstance(op, ast.Add) and isinstance(left, (str, tuple, list)):
            if type(left) is not type(right):
                raise TraceError(f"{_kind(left)} + {_kind(right)}")
            if len(left) + len(right) > MOST_STEPS:
                raise TraceError("a text or list that is too long")
            joined: Any = left
            return joined + right
        if not isinstance(left, (int, float)) or not isinstance(right, (int, float)):
            raise TraceError(f"{type(op).__name__} of {_kind(left)} and {_kind(right)}")
        name = _OPERATORS.get(type(op))
        if name is None:
            raise TraceError(f"the operator {type(op).__name__}")
        one, other = self._array(left), self._array(right)
        return Cell(self._arithmetic(name, one, other))

    def _arithmetic(self, name: str, one: SymbolicArray, other: SymbolicArray) -> SymbolicArray:
        kind = arrays.arithmetic_kind(one.dtype, other.dtype)
        if name in ("add", "multiply") and one.dtype == other.dtype == "bool":
            raise TraceError("+ or * of two conditions")
        if name == "subtract" and "bool" in (one.dtype, other.dtype) == ("bool", "bool"):
            raise TraceError("- of two conditions")
        match name:
            case "add":
                return arrays.pointwise(Form.__add__, one, other, dtype=kind)
            case "subtract":
                return arrays.pointwise(Form.__sub__, one, other, dtype=kind)
            case "multiply":
                return arrays.pointwise(Form.__mul__, one, other, dtype=kind)
            case "divide":
                return arrays.pointwise(
                    lambda a, b: a * self.algebra.power(b, Fraction(-1)), one, other, dtype="float"
                )
            case "power":
                exponent = other.form.constant
                if exponent is None:
                    raise TraceError("a power whose exponent is no number")
                if kind == "int" and exponent < 0:
                    raise TraceError("a negative power of whole numbers")
                return arrays.pointwise(
                    lambda a, b: self.algebra.power(a, exponent), one, other, dtype=kind
                )
        raise TraceError(f"the operation {name}")

    def _logical(self, op: ast.operator, one: SymbolicArray, other: SymbolicArray) -> SymbolicArray:
        if one.dtype != "bool" or other.dtype != "bool":
            raise TraceError("a bit operation on numbers")
        match op:
            case ast.BitAnd():
                return arrays.pointwise(Form.__mul__, one, other, dtype="bool")
            case ast.BitOr():
                return arrays.pointwise(lambda a, b: a + b - a * b, one, other, dtype="bool")
        return arrays.pointwise(
            lambda a, b: a + b - (a * b).scaled(Fraction(2)), one, other, dtype="bool"
        )

    def _unary(self, op: ast.unaryop, operand: Any) -> Any:
        if isinstance(op, ast.Not):
            if isinstance(operand, Cell):
                raise TraceError("not of an array")
            return not operand
        if not isinstance(operand, Cell):
            if not isinstance(operand, (int, float)) or isinstance(op, ast.Invert):
                raise TraceError(f"{type(op).__name__} of {_kind(operand)}")
            return -operand if isinstance(op, ast.USub) else operand
        array = operand.value
        if isinstance(op, ast.Invert):
            if array.dtype != "bool":
                raise TraceError("~ of numbers")
            return self._cell(SymbolicArray(array.shape, ONE - array.form, "bool"))
        if array.dtype == "bool":
            raise TraceError("a sign before a condition")
        sign = Fraction(-1 if isinstance(op, ast.USub) else 1)
        return self._cell(SymbolicArray(array.shape, array.form.scaled(sign), array.dtype))

    def _compare(self, op: ast.cmpop, left: Any, right: Any) -> Any:
        if isinstance(op, (ast.Is, ast.IsNot)):
            if left is not None and right is not None:
                raise TraceError("`is` between other things than None")
            same = left is None and right is None
            return same if isinstance(op, ast.Is) else not same
        if isinstance(op, (ast.In, ast.NotIn)):
            if not isinstance(right, (tuple, list, dict)) or isinstance(left, Cell):
                raise TraceError("`in` of something that is no list")
            inside = left in list(right)
            return inside if isinstance(op, ast.In) else not inside
        if isinstance(left, str) or isinstance(right, str) or left is None or right is None:
            if isinstance(op, (ast.Eq, ast.NotEq)) and not isinstance(left, Cell):
                return (left == right) == isinstance(op, ast.Eq)
            raise TraceError("a comparison of texts")
        relation = _RELATIONS.get(type(op))
        if relation is None:
            raise TraceError(f"the comparison {type(op).__name__}")
        return self._cell(self._related(relation, self._array(left), self._array(right)))

    def _related(self, relation: str, one: SymbolicArray, other: SymbolicArray) -> SymbolicArray:
        whole = one.dtype == "int" and other.dtype == "int"

        def entry(a: Form, b: Form) -> Form:
            if whole and relation in ("==", "!="):
                same = self.algebra.delta(a - b)
                return same if relation == "==" else ONE - same
            return self.algebra.compared(a - b, relation)

        return arrays.pointwise(entry, one, other, dtype="bool")

    # ---- attributes, items -------------------------------------------------------------------

    def _dotted(self, node: ast.expr) -> str | None:
        value = None
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            value = self.modules.get(node.value.id)
            return f"{value}.{node.attr}".removeprefix("numpy.") if value else None
        return value

    def _attribute(self, owner: Any, name: str) -> Any:
        if isinstance(owner, Module):
            if name.startswith("_"):
                raise TraceError(f"the attribute {name}")
            if (owner.name, name) == ("numpy", "newaxis"):
                return None
            return Module(f"{owner.name}.{name}")
        if isinstance(owner, Cell):
            return self._array_attribute(owner, name)
        if isinstance(owner, dict) and name in ("get", "keys", "items", "values", "copy"):
            return Method(owner, name)
        if isinstance(owner, list) and name == "append":
            return Method(owner, name)
        raise TraceError(f"the attribute {name} of {_kind(owner)}")

    def _array_attribute(self, owner: Cell, name: str) -> Any:
        array = owner.value
        match name:
            case "T":
                return self._view(owner, self._seen(arrays.transposed(array)))
            case "real":
                return self._view(owner, array)
            case "shape":
                return tuple(Cell(arrays.size(extent)) for extent in array.shape)
            case "ndim":
                return array.ndim
            case "size":
                return Cell(arrays.size(_product(array.shape)))
            case "dtype":
                return Module("numpy.float64" if array.dtype == "float" else f"numpy.{array.dtype}")
        if name in _METHODS:
            return Method(owner, name)
        raise TraceError(f"the attribute {name} of an array")

    def _item(self, owner: Any, index: ast.expr, scope: dict[str, Any]) -> Any:
        if isinstance(owner, dict):
            key = self._key(index, scope)
            if key not in owner:
                raise TraceError(f"no entry {key!r}", index.lineno)
            return owner[key]
        if isinstance(owner, (tuple, list)):
            position = self.value(index, scope)
            if isinstance(position, Cell) and position.value.form.constant is not None:
                position = int(position.value.form.constant)
            if not isinstance(position, int) or not -len(owner) <= position < len(owner):
                raise TraceError("a position outside the list", index.lineno)
            return owner[position]
        if not isinstance(owner, Cell):
            raise TraceError(f"an entry of {_kind(owner)}", index.lineno)
        return self._entry(owner, self._index_parts(index, scope))

    def _index_parts(self, index: ast.expr, scope: dict[str, Any]) -> list[Any]:
        nodes = index.elts if isinstance(index, ast.Tuple) else [index]
        return [
            self._slice(node) if isinstance(node, ast.Slice) else self.value(node, scope)
            for node in nodes
        ]

    def _slice(self, node: ast.Slice) -> slice:
        if node.lower is not None or node.upper is not None or node.step is not None:
            raise TraceError("a slice other than `:`", node.lineno)
        return slice(None)

    def _entry(self, owner: Cell, parts: list[Any]) -> Any:
        array = owner.value
        if all(part is None or _is_whole(part) for part in parts):
            kept: list[int | None] = []
            used = 0
            whole = sum(1 for part in parts if isinstance(part, slice))
            for part in parts:
                if part is None:
                    kept.append(None)
                    continue
                count = array.ndim - whole if part is Ellipsis else 1
                kept += range(used, used + count)
                used += count
            if used > array.ndim:
                raise ShapeClash(f"{used} indices for {array.ndim} axes")
            kept += range(used, array.ndim)
            return self._view(owner, self._seen(arrays.with_axes(array, kept)))
        indices = [self._array(part) for part in self._as_indices(parts)]
        if len(indices) == 1 and array.ndim == 2 and indices[0].ndim == 1:
            # np.eye(K)[y]: whole rows
            columns = arrays.arange(array.shape[1])
            rows = arrays.with_axes(indices[0], (0, None))
            return self._cell(arrays.gathered(self.algebra, array, (rows, columns)))
        return self._cell(arrays.gathered(self.algebra, array, indices))

    def _as_indices(self, parts: list[Any]) -> list[Any]:
        if any(part is None or _is_whole(part) for part in parts):
            raise TraceError("slices mixed with integer indices")
        return parts

    # ---- calls -------------------------------------------------------------------------------

    def _called(self, node: ast.Call, scope: dict[str, Any]) -> Any:
        function = self.value(node.func, scope)
        args: list[Any] = []
        for part in node.args:
            if isinstance(part, ast.Starred):
                args += self._pieces(self.value(part.value, scope), part)
            else:
                args.append(self.value(part, scope))
        named: dict[str, Any] = {}
        for keyword in node.keywords:
            if keyword.arg is None:
                raise TraceError("** in a call", node.lineno)
            named[keyword.arg] = self.value(keyword.value, scope)
        match function:
            case ast.FunctionDef():
                return self._call(function, args, named)
            case Method(owner=dict() | list()):
                return self._container_method(function, args, named)
            case Method():
                return self._numpy(function.name, [function.owner, *args], named, method=True)
            case Module(name=name) if name.startswith("builtin "):
                return self._builtin(name.removeprefix("builtin "), args, named)
            case Module(name=name) if name.startswith("numpy."):
                return self._numpy(name.removeprefix("numpy."), args, named, method=False)
        raise TraceError(f"a call of {_kind(function)}")

    def _container_method(self, method: Method, args: list[Any], named: dict[str, Any]) -> Any:
        if named:
            raise TraceError(f"keywords of {method.name}")
        match method.name, args:
            case "get", [key] | [key, _]:
                return method.owner.get(key, args[1] if len(args) > 1 else None)
            case "keys", []:
                return list(method.owner)
            case "values", []:
                return list(method.owner.values())
            case "items", []:
                return list(method.owner.items())
            case "copy", []:
                return dict(method.owner)
            case "append", [value]:
                method.owner.append(value)
                return None
        raise TraceError(f"{method.name} with these arguments")

    def _builtin(self, name: str, args: list[Any], named: dict[str, Any]) -> Any:
        if named:
            raise TraceError(f"keywords of {name}")
        match name, args:
            case "len", [Cell(value=array)] if array.ndim > 0:
                return Cell(arrays.size(array.shape[0]))
            case "len", [tuple() | list() | dict() as held]:
                return len(held)
            case "float", [Cell(value=array) as cell] if array.ndim == 0:
                return Cell(SymbolicArray((), cell.value.form))
            case "float" | "int", [int() | float() as value]:
                return float(value) if name == "float" else int(value)
            case "abs", [Cell()]:
                return self._numpy("abs", args, {}, method=False)
            case "sum", [Cell(value=array)] if array.ndim == 1:
                return self._numpy("sum", args, {}, method=False)
            case "dict", [dict() as held]:
                return dict(held)
            case "list" | "tuple", [tuple() | list() | dict() as held]:
                return tuple(held) if name == "tuple" else list(held)
        raise TraceError(f"{name} with these arguments")

    def _numpy(self, name: str, args: list[Any], named: dict[str, Any], method: bool) -> Any:
        if method and name == "dot":
            name = "dot"
        result = self._reduction(name, args, named)
        if result is None:
            result = self._function(name, args, named)
        if result is None:
            result = self._construction(name, args, named)
        if result is None:
            raise TraceError(f"np.{name} is not read" if not method else f".{name}() is not read")
        return result

    def _reduction(self, name: str, args: list[Any], named: dict[str, Any]) -> Cell | None:
        how = {"sum": "sum", "mean": "mean", "max": "max", "amax": "max"}.get(name)
        if how is None:
            return None
        _only(name, named, "axis", "keepdims")
        if not 1 <= len(args) <= 2 or (len(args) == 2 and "axis" in named):
            raise TraceError(f"np.{name} with {len(args)} arguments")
        axis = args[1] if len(args) == 2 else named.get("axis")
        keepdims = named.get("keepdims", False)
        if not isinstance(keepdims, bool):
            raise TraceError(f"keepdims of np.{name}")
        axes = _axes(axis, name)
        array = self._array(args[0])
        return self._cell(arrays.reduced(self.algebra, array, how, axes, keepdims))

    def _function(self, name: str, args: list[Any], named: dict[str, Any]) -> Cell | None:
        algebra = self.algebra
        one_argument: dict[str, Callable[[Form], Form]] = {
            "exp": algebra.exp,
            "log": algebra.log,
            "log1p": lambda a: algebra.log(ONE + a),
            "expm1": lambda a: algebra.exp(a) - ONE,
            "tanh": algebra.tanh,
            "cosh": algebra.cosh,
            "sinh": algebra.sinh,
            "sqrt": lambda a: algebra.power(a, Fraction(1, 2)),
            "square": lambda a: a * a,
            "reciprocal": lambda a: algebra.power(a, Fraction(-1)),
        }
        if name in one_argument:
            _only(name, named)
            (array,) = self._arrays(name, args, 1)
            if name == "reciprocal" and array.dtype != "float":
                raise TraceError("np.reciprocal of whole numbers")
            kind = array.dtype if name == "square" else "float"
            return self._cell(arrays.pointwise(one_argument[name], array, dtype=kind))
        same_kind: dict[str, Callable[[Form], Form]] = {
            "negative": lambda a: -a,
            "abs": self._absolute,
            "absolute": self._absolute,
            "fabs": self._absolute,
            "sign": lambda a: algebra.gt(a) - algebra.gt(-a),
        }
        if name in same_kind:
            _only(name, named)
            (array,) = self._arrays(name, args, 1)
            return self._cell(arrays.pointwise(same_kind[name], array))
        if name in _BINARY:
            _only(name, named)
            one, other = self._arrays(name, args, 2)
            return self._cell(self._arithmetic(_BINARY[name], one, other))
        return self._choice(name, args, named)

    def _absolute(self, form: Form) -> Form:
        return self.algebra.where(self.algebra.gt(form), form, -form)

    def _choice(self, name: str, args: list[Any], named: dict[str, Any]) -> Cell | None:
        algebra = self.algebra
        match name:
            case "where":
                _only(name, named)
                condition, one, other = self._arrays(name, args, 3)
                if condition.dtype != "bool":
                    raise TraceError("np.where of something that is no condition")
                kind = arrays.widest(one.dtype, other.dtype)
                return self._cell(
                    arrays.pointwise(algebra.where, condition, one, other, dtype=kind)
                )
            case "maximum" | "minimum":
                _only(name, named)
                one, other = self._arrays(name, args, 2)
                sign = 1 if name == "maximum" else -1

                def larger(a: Form, b: Form) -> Form:
                    above = algebra.gt((a - b).scaled(Fraction(sign)))
                    return algebra.where(above, a, b)

                return self._cell(arrays.pointwise(larger, one, other))
            case "logaddexp":
                _only(name, named)
                one, other = self._arrays(name, args, 2)
                return self._cell(
                    arrays.pointwise(
                        lambda a, b: algebra.log(algebra.exp(a) + algebra.exp(b)),
                        one,
                        other,
                        dtype="float",
                    )
                )
            case "heaviside":
                _only(name, named)
                one, other = self._arrays(name, args, 2)
                return self._cell(
                    arrays.pointwise(
                        lambda a, b: algebra.gt(a) + algebra.zero(a) * b, one, other, dtype="float"
                    )
                )
        return self._product_function(name, args, named)

    def _product_function(self, name: str, args: list[Any], named: dict[str, Any]) -> Cell | None:
        match name:
            case "dot" | "matmul":
                _only(name, named)
                one, other = self._arrays(name, args, 2)
                if name == "dot" and 0 in (one.ndim, other.ndim):
                    return self._cell(self._arithmetic("multiply", one, other))
                return self._cell(arrays.matmul(self.algebra, one, other))
            case "outer":
                _only(name, named)
                return self._cell(arrays.outer(*self._arrays(name, args, 2)))
            case "einsum":
                _only(name, named)
                if len(args) < 2 or not isinstance(args[0], str):
                    raise TraceError("np.einsum without a text of letters")
                factors = [self._array(a) for a in args[1:]]
                return self._cell(arrays.einsum(self.algebra, args[0], factors))
        return None

    def _construction(self, name: str, args: list[Any], named: dict[str, Any]) -> Cell | None:
        match name:
            case "arange":
                _only(name, named)
                return Cell(arrays.arange(self._extent(self._one(name, args))))
            case "ones" | "zeros" | "full" | "empty_like" | "ones_like" | "zeros_like":
                return self._filled(name, args, named)
            case "eye" | "identity":
                _only(name, named)
                return Cell(arrays.eye(self.algebra, self._extent(self._one(name, args))))
            case "diag":
                _only(name, named)
                return self._cell(arrays.diag(self.algebra, self._array(self._one(name, args))))
            case "copy":
                _only(name, named)
                return Cell(self._array(self._one(name, args)))
            case "asarray" | "array" | "astype" | "float64":
                return self._converted(name, args, named)
            case "transpose":
                _only(name, named)
                cell = args[0]
                if not isinstance(cell, Cell) or len(args) > 1:
                    raise TraceError("np.transpose with an order of axes")
                return self._view(cell, self._seen(arrays.transposed(cell.value)))
            case "expand_dims":
                return self._expanded(args, named)
            case "real":
                cell = self._one(name, args)
                return self._view(cell, cell.value) if isinstance(cell, Cell) else None
            case "reshape":
                return self._reshaped(args, named)
        return None

    def _filled(self, name: str, args: list[Any], named: dict[str, Any]) -> Cell:
        _only(name, named, "dtype")
        value = number(1) if name.startswith("ones") else ZERO
        if name == "empty_like":
            raise TraceError("np.empty_like has no values")
        if name == "full":
            if len(args) != 2:
                raise TraceError("np.full without a value")
            fill = self._array(args[1])
            if fill.ndim:
                raise TraceError("np.full of an array")
            return Cell(arrays.filled(self._shape(args[0]), fill.form, fill.dtype))
        kind = _dtype(named["dtype"]) if "dtype" in named else None
        first = self._one(name, args)
        if name.endswith("_like"):
            like = self._array(first)
            return Cell(arrays.filled(like.shape, value, kind or like.dtype))
        return Cell(arrays.filled(self._shape(first), value, kind or "float"))

    def _converted(self, name: str, args: list[Any], named: dict[str, Any]) -> Cell:
        _only(name, named, "dtype")
        if not args or len(args) > 2 or (len(args) == 2 and "dtype" in named):
            raise TraceError(f"np.{name} with these arguments")
        asked = args[1] if len(args) == 2 else named.get("dtype")
        kind = None if asked is None else _dtype(asked)
        if isinstance(args[0], (list, tuple)):
            raise TraceError("an array made from a list")
        array = self._array(args[0])
        if name == "float64":
            kind = "float"
        if kind is not None and kind != array.dtype:
            if kind != "float" and not (kind == "int" and array.dtype == "bool"):
                raise TraceError(f"a conversion of {array.dtype} to {kind}")
            return Cell(SymbolicArray(array.shape, array.form, kind))
        if name == "asarray" and isinstance(args[0], Cell):
            args[0].shared = True
            return args[0]
        return Cell(array)

    def _expanded(self, args: list[Any], named: dict[str, Any]) -> Cell:
        _only("expand_dims", named, "axis")
        axis = named.get("axis", args[1] if len(args) > 1 else None)
        if not isinstance(axis, int) or not args or not isinstance(args[0], Cell):
            raise TraceError("np.expand_dims with these arguments")
        array = args[0].value
        kept: list[int | None] = list(range(array.ndim))
        kept.insert(arrays.normal_axis(axis, array.ndim + 1), None)
        return self._view(args[0], arrays.with_axes(array, kept))

    def _reshaped(self, args: list[Any], named: dict[str, Any]) -> Cell:
        """Only where an axis of size 1 comes or goes: (-1, 1), (1, -1), -1."""
        _only("reshape", named)
        if not args or not isinstance(args[0], Cell):
            raise TraceError("reshape of something that is no array")
        wanted = args[1] if len(args) == 2 and isinstance(args[1], tuple) else tuple(args[1:])
        array = args[0].value
        long = [axis for axis, extent in enumerate(array.shape) if extent != ONE]
        extents = [None if part == -1 else self._extent(part) for part in wanted]
        rest = [extent for extent in extents if extent != ONE]
        if len(rest) != len(long) or sum(extent is None for extent in rest) > 1:
            raise TraceError("a reshape that merges or splits axes")
        if any(
            extent is not None and extent != array.shape[axis]
            for extent, axis in zip(rest, long, strict=True)
        ):
            raise TraceError("a reshape to another size")
        places = iter(long)
        kept = [None if extent == ONE else next(places) for extent in extents]
        return self._view(args[0], arrays.with_axes(array, kept))

    def _one(self, name: str, args: list[Any]) -> Any:
        if len(args) != 1:
            raise TraceError(f"np.{name} with {len(args)} arguments")
        return args[0]

    def _arrays(self, name: str, args: list[Any], count: int) -> list[SymbolicArray]:
        if len(args) != count:
            raise TraceError(f"np.{name} with {len(args)} arguments")
        return [self._array(argument) for argument in args]

    def _extent(self, value: Any) -> Form:
        array = self._array(value)
        if array.ndim or array.dtype != "int":
            raise TraceError("a size that is no whole number")
        return array.form

    def _shape(self, value: Any) -> tuple[Form, ...]:
        parts = value if isinstance(value, (tuple, list)) else (value,)
        return tuple(self._extent(part) for part in parts)


# --------------------------------------------------------------------------------------------
# Helpers
# --------------------------------------------------------------------------------------------

_OPERATORS: Mapping[type[ast.operator], str] = {
    ast.Add: "add",
    ast.Sub: "subtract",
    ast.Mult: "multiply",
    ast.Div: "divide",
    ast.Pow: "power",
}
_BINARY: Mapping[str, str] = {
    "add": "add",
    "subtract": "subtract",
    "multiply": "multiply",
    "divide": "divide",
    "true_divide": "divide",
    "power": "power",
}
_RELATIONS: Mapping[type[ast.cmpop], str] = {
    ast.Gt: ">",
    ast.GtE: ">=",
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Eq: "==",
    ast.NotEq: "!=",
}
_METHODS = frozenset(("sum", "mean", "max", "dot", "copy", "astype", "transpose", "reshape"))
_BUILTINS = frozenset(("len", "float", "int", "abs", "sum", "dict", "list", "tuple", "bool"))


def _only(name: str, named: Mapping[str, Any], *known: str) -> None:
    for keyword in named:
        if keyword not in known:
            raise TraceError(f"the argument {keyword} of np.{name}")


def _axes(axis: Any, name: str) -> tuple[int, ...] | None:
    if axis is None:
        return None
    axes = axis if isinstance(axis, tuple) else (axis,)
    if not all(isinstance(one, int) and not isinstance(one, bool) for one in axes):
        raise TraceError(f"the axis of np.{name}")
    return tuple(axes)


def _dtype(value: Any) -> arrays.DType:
    name = (
        value.name.rpartition(".")[2].removeprefix("builtin ")
        if isinstance(value, Module)
        else (str(value))
    )
    if name in ("float", "float64", "double"):
        return "float"
    if name in ("int", "int64", "intp"):
        return "int"
    if name in ("bool", "bool_"):
        return "bool"
    raise TraceError(f"the dtype {name}")


def _product(shape: Sequence[Form]) -> Form:
    result = ONE
    for extent in shape:
        result = result * extent
    return result


def _is_whole(part: Any) -> bool:
    return part is Ellipsis or isinstance(part, slice)


def _construct(node: ast.AST) -> str:
    return f"the construct {type(node).__name__}"


def _kind(value: Any) -> str:
    if isinstance(value, Module):
        return value.name.replace("numpy", "np", 1)
    if isinstance(value, Method):
        return f"the method {value.name}"
    return f"a {type(value).__name__}" if value is not None else "None"


def _written_names(node: ast.expr | None) -> Any:
    """What the return statement calls its values: a name, a tuple of names, None."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, (ast.Tuple, ast.List)):
        return tuple(_written_names(part) for part in node.elts)
    return None


def plain(value: Any) -> Any:
    """Cells replaced by the arrays they hold."""
    if isinstance(value, Cell):
        return value.value
    if isinstance(value, (tuple, list)):
        return type(value)(plain(part) for part in value)
    if isinstance(value, dict):
        return {key: plain(part) for key, part in value.items()}
    return value


def cells(value: Any) -> Any:
    """Arrays given as arguments: nothing may change them in place."""
    if isinstance(value, SymbolicArray):
        return Cell(value, argument=True)
    if isinstance(value, (tuple, list)):
        return type(value)(cells(part) for part in value)
    if isinstance(value, Mapping):
        return {key: cells(part) for key, part in value.items()}
    return value


def parsed(source: str) -> tuple[dict[str, ast.FunctionDef], dict[str, str], dict[str, Any]]:
    """Functions of a module, the names under which it knows NumPy, and its constants."""
    if len(source) > MOST_CHARACTERS:
        raise TraceError(f"a file of more than {MOST_CHARACTERS} characters")
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as problem:
        line = problem.lineno if isinstance(problem, SyntaxError) else None
        raise TraceError(f"no Python: {problem}", line) from None
    functions: dict[str, ast.FunctionDef] = {}
    modules: dict[str, str] = {}
    constants: dict[str, Any] = {}
    for statement in tree.body:
        match statement:
            case ast.FunctionDef(name=name):
                functions[name] = statement
            case ast.Import(names=names):
                for imported in names:
                    if imported.name == "numpy":
                        modules[imported.asname or "numpy"] = "numpy"
            case ast.ImportFrom(module="numpy", names=names):
                for imported in names:
                    modules[imported.asname or imported.name] = f"numpy.{imported.name}"
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Constant(value=value)):
                constants[name] = value
    return functions, modules, constants


def nested_too_deeply(node: ast.AST, limit: int = 100) -> bool:
    """Whether an expression is so deep that reading it would exhaust the stack."""
    stack = [(node, 0)]
    while stack:
        current, depth = stack.pop()
        if depth > limit:
            return True
        stack += [(child, depth + 1) for child in ast.iter_child_nodes(current)]
    return False


def element_array(
    algebra: Algebra, name: str, shape: tuple[Form, ...], whole: bool
) -> SymbolicArray:
    """The array of a network's tensor."""
    indices = tuple(atom(arrays.place(i, extent)) for i, extent in enumerate(shape))
    return SymbolicArray(shape, algebra.element(name, indices), "int" if whole else "float")
