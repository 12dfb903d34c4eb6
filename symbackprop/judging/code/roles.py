"""Which tensor an argument or attribute is whose name says nothing, by what the code does with it.

Owns: the walk through the forward part: what multiplies x is the first weight, what is added to
that product the first bias, what is subtracted from the output the label.
Refuses: whatever has a name that says something, and the part that goes backwards.
Would be wrong if a role were given by a product that does not start from x.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from symbackprop.judging.code.naming import Naming
from symbackprop.networks import names

MOST_CALLS = 8
Functions = Mapping[str, ast.FunctionDef]


def roles(
    function: ast.FunctionDef, methods: Functions, helpers: Functions, named: Naming
) -> dict[str, str]:
    """Meanings by name, of arguments without a default and of attributes of `self`."""
    spec = function.args
    required = [*spec.posonlyargs, *spec.args]
    required = required[: len(required) - len(spec.defaults)]
    own = required[0].arg if methods and required else ""
    walk = _Walk(named, methods, helpers, own)
    scope: dict[str, int] = {}
    for argument in (*required, *spec.kwonlyargs):
        meaning = named.meaning(argument.arg)
        if meaning == "x":
            scope[argument.arg] = 0
        elif meaning is None and argument.arg != own:
            walk.open.add(argument.arg)
    if own:
        walk.open |= {f"{own}.{name}" for name in walk.unknown_attributes(function)}
    walk.block(function.body, scope)
    return {key.rpartition(".")[2]: meaning for key, meaning in walk.found.items()}


@dataclass
class _Walk:
    """`level` of a value: of which layer it is, or is computed from; x has level 0."""

    named: Naming
    methods: Functions
    helpers: Functions
    own: str
    open: set[str] = field(default_factory=set)
    found: dict[str, str] = field(default_factory=dict)
    attributes: dict[str, int] = field(default_factory=dict)
    calls: int = 0

    def unknown_attributes(self, function: ast.FunctionDef) -> set[str]:
        """Attributes that no method but `__init__` sets first, and whose names say nothing."""
        nodes = [n for f in (function, *self.methods.values()) for n in ast.walk(f)]
        read = {
            n.attr
            for n in nodes
            if isinstance(n, ast.Attribute) and isinstance(n.ctx, ast.Load) and self._key(n)
        }
        made = {
            n.attr
            for name, method in self.methods.items()
            if name != "__init__"
            for s in ast.walk(method)
            if isinstance(s, ast.Assign)
            for t in s.targets
            for n in (t.elts if isinstance(t, ast.Tuple) else [t])
            if isinstance(n, ast.Attribute)
        }
        return {n for n in read - made - set(self.methods) if self.named.meaning(n) is None}

    def block(self, body: Sequence[ast.stmt], scope: dict[str, int]) -> int | None:
        """The level of what is returned."""
        for statement in body:
            match statement:
                case ast.Assign(targets=targets, value=value):
                    level = self.level(value, scope)
                    for target in targets:
                        self._bind(target, level, scope)
                case ast.AugAssign(target=target, op=ast.Add(), value=value):
                    level = self._added(target, value, scope)
                    self._bind(target, level, scope)
                case ast.Return(value=ast.expr() as value):
                    return self.level(value, scope)
                case ast.Expr(value=value):
                    self.level(value, scope)
                case ast.For(body=inner) | ast.With(body=inner) | ast.If(body=inner):
                    self.block(inner, scope)
        return None

    def _bind(self, target: ast.expr, level: int | None, scope: dict[str, int]) -> None:
        key = self._key(target)
        holder = self.attributes if "." in key else scope
        if key and level is not None:
            holder[key] = level
        elif isinstance(target, ast.Tuple) and level is not None:
            for part in target.elts:
                self._bind(part, level, scope)

    def _key(self, node: ast.expr) -> str:
        match node:
            case ast.Name(id=name):
                return name
            case ast.Attribute(value=ast.Name(id=owner), attr=name) if owner == self.own and owner:
                return f"{owner}.{name}"
            case ast.Attribute(value=inner, attr="T"):
                return self._key(inner)
        return ""

    def level(self, node: ast.expr, scope: dict[str, int]) -> int | None:
        key = self._key(node)
        if key:
            return self.attributes.get(key) if "." in key else scope.get(key)
        match node:
            case ast.BinOp(left=left, op=ast.MatMult(), right=right):
                return self._product(left, right, scope)
            case ast.Call(func=ast.Attribute(attr="dot" | "matmul"), args=[left, right]):
                return self._product(left, right, scope)
            case ast.Call(func=ast.Attribute(value=left, attr="dot"), args=[right]):
                return self._product(left, right, scope)
            case ast.BinOp(left=left, op=ast.Add(), right=right):
                return self._added(left, right, scope)
            case ast.BinOp(left=left, op=ast.Sub(), right=right):
                return self._subtracted(left, right, scope)
            case ast.Call():
                return self._called(node, scope)
        parts = [part for part in ast.iter_child_nodes(node) if isinstance(part, ast.expr)]
        return _highest([self.level(part, scope) for part in parts])

    def _product(self, left: ast.expr, right: ast.expr, scope: dict[str, int]) -> int | None:
        for value, factor in ((left, right), (right, left)):
            level, key = self.level(value, scope), self._key(factor)
            if level is None or not key:
                continue
            weight = names.weight(level + 1)
            if key in self.open and level < self.named.depth:
                self._give(key, weight)
            if self._meaning(key) == weight:
                return level + 1
        return _highest([self.level(left, scope), self.level(right, scope)])

    def _added(self, left: ast.expr, right: ast.expr, scope: dict[str, int]) -> int | None:
        levels = [self.level(left, scope), self.level(right, scope)]
        for level, other in ((levels[0], right), (levels[1], left)):
            key = self._key(other)
            if level and key in self.open:
                self._give(key, names.bias(level))
                return level
        return _highest(levels)

    def _subtracted(self, left: ast.expr, right: ast.expr, scope: dict[str, int]) -> int | None:
        levels = [self.level(left, scope), self.level(right, scope)]
        for level, other in ((levels[0], right), (levels[1], left)):
            key = self._key(other)
            if level == self.named.depth and key in self.open:
                self._give(key, names.LABEL)
        return _highest(levels)

    def _called(self, node: ast.Call, scope: dict[str, int]) -> int | None:
        """A method or helper of the text is gone through once; another keeps the level."""
        given = [self.level(part, scope) for part in node.args]
        key = self._key(node.func)
        method = self.methods.get(key.partition(".")[2]) if "." in key else None
        function = method or self.helpers.get(key)
        if function is None or self.calls >= MOST_CALLS:
            return _highest(given)
        spec = [a.arg for a in function.args.args][1 if method is not None else 0 :]
        inside = {
            name: level for name, level in zip(spec, given, strict=False) if level is not None
        }
        outside, self.calls = self.open, self.calls + 1
        self.open = {key for key in outside if "." in key}
        returned = self.block(function.body, inside)
        self.open = {key for key in outside if key not in self.found}
        return returned if returned is not None else _highest(given)

    def _meaning(self, key: str) -> str | None:
        return self.found.get(key) or self.named.meaning(key.rpartition(".")[2])

    def _give(self, key: str, meaning: str) -> None:
        """Each role once: a second thing that would have it has none."""
        known = {*self.found.values()}
        if meaning not in known:
            self.found[key] = meaning
        self.open.discard(key)


def _highest(levels: Sequence[int | None]) -> int | None:
    return max((level for level in levels if level is not None), default=None)
