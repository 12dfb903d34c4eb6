"""The text around a function: what names mean there, and where each function of a file stands.

Owns: `Module`, the names of a file or of a function around others, and `Definition`, a function
with what it sees. Refuses: values; `tracer.source` says what a name means, where that is certain.
Would be wrong if a function were found by its name alone where two have it.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from symbackprop.tracing.source import names_of
from symbackprop.tracing.values import Unread

Methods = Mapping[str, ast.FunctionDef]
Function = ast.FunctionDef | ast.Lambda
_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)


@dataclass(frozen=True)
class Module:
    """A parsed file, or the body of a function around another (`parent` is what that one sees).

    `imports`: the names of NumPy, SciPy and `math`; `assigned`: constants as expressions;
    `unknown`: names of which the text does not tell the meaning, with the reason; `values`: names
    whose value is known from elsewhere.
    """

    functions: Mapping[str, ast.FunctionDef]
    classes: Mapping[str, Methods]
    imports: Mapping[str, str]
    assigned: Mapping[str, ast.expr]
    unknown: Mapping[str, str]
    values: Mapping[str, Any] = field(default_factory=dict)
    parent: Module | None = None

    @staticmethod
    def of(
        block: ast.Module | ast.FunctionDef,
        parent: Module | None = None,
        values: Mapping[str, Any] | None = None,
    ) -> Module:
        functions, imports, others = names_of(block)
        classes: dict[str, Methods] = {}
        assigned: dict[str, ast.expr] = {}
        unknown: dict[str, str] = {}
        for name, found in others.items():
            match found:
                case ast.ClassDef():
                    classes[name] = methods_of(found)
                case ast.expr():
                    assigned[name] = found
                case Unread(reason=reason):
                    unknown[name] = reason
                case str():
                    imports[name] = found
        return Module(functions, classes, imports, assigned, unknown, values or {}, parent)

    @property
    def chain(self) -> Iterator[Module]:
        """This one, and what stands around it."""
        found: Module | None = self
        while found is not None:
            yield found
            found = found.parent

    @property
    def helpers(self) -> dict[str, ast.FunctionDef]:
        """Every function that is seen from here by its name."""
        found: dict[str, ast.FunctionDef] = {}
        for module in self.chain:
            found = {**module.functions, **found}
        return found

    @property
    def numpy(self) -> str:
        """What the text calls NumPy."""
        names = (name for m in self.chain for name, of in m.imports.items() if of == "numpy")
        return next(names, "np")


def methods_of(node: ast.ClassDef) -> Methods:
    return {s.name: s for s in node.body if isinstance(s, ast.FunctionDef)}


@dataclass(frozen=True)
class Definition:
    """A function of a file: the number it has among all, its name with those of what stands
    around it (`Net.backward`, `make.backward`), and the line at which Python says it begins."""

    number: int
    path: str
    node: ast.FunctionDef
    around: tuple[ast.FunctionDef, ...]
    methods: Methods
    line: int

    def module(self, tree: ast.Module, values: Mapping[str, Any] | None = None) -> Module:
        """What the function sees. `values`: those of names outside, where they are known."""
        found = Module.of(tree, values=values)
        for function in self.around:
            found = Module.of(function, found, values)
        return found


def definitions(tree: ast.Module) -> list[Definition]:
    """Every function of a file, methods, functions inside others and lambdas too; each after what
    stands around it, in the order of the text."""
    found: list[Definition] = []
    waiting: list[tuple[ast.AST, str, tuple[ast.FunctionDef, ...], Methods, str]]
    waiting = [(tree, "", (), {}, "")]
    while waiting:
        node, path, around, methods, name = waiting.pop()
        if isinstance(node, (ast.FunctionDef, ast.Lambda)):
            function = _as_function(node, name)
            path = f"{path}.{function.name}".lstrip(".")
            found.append(Definition(len(found), path, function, around, methods, _first(node)))
            around, methods = (*around, function), {}
        elif isinstance(node, ast.ClassDef):
            path = f"{path}.{node.name}".lstrip(".")
            methods = methods_of(node)
        elif not isinstance(node, (ast.Module, ast.If, ast.Try, ast.With, ast.For, ast.While)):
            methods = {} if isinstance(node, ast.stmt) else methods
        inner = [
            (child, path, around, methods, _given(node)) for child in ast.iter_child_nodes(node)
        ]
        waiting += reversed(inner)
    return found


def _given(node: ast.AST) -> str:
    """The name that a lambda gets from the statement it stands in."""
    match node:
        case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
            return name
    return ""


def _first(node: Function) -> int:
    decorators = getattr(node, "decorator_list", [])
    return min([node.lineno, *(d.lineno for d in decorators)])


def _as_function(node: Function, name: str) -> ast.FunctionDef:
    """A lambda as a function that returns its body."""
    if isinstance(node, ast.FunctionDef):
        return node
    body = ast.copy_location(ast.Return(node.body), node.body)
    made = ast.FunctionDef(name or "<lambda>", node.args, [body], [])
    return ast.copy_location(made, node)
