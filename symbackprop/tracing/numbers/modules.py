"""The text around a function: what names mean there, and where each function of a file stands.

Owns: `Module`, the names of a file or of a function around others, `Beside`, the files from which
it imports, and `Definition`, a function with what it sees.
Refuses: values; `tracer.source` says what a name means, where that is certain.
Would be wrong if a function were found by its name alone where two have it.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from symbackprop.tracing.source import names_of
from symbackprop.tracing.values import Imported, Unread

Methods = Mapping[str, ast.FunctionDef]
Function = ast.FunctionDef | ast.Lambda
MOST_CHARACTERS = 300_000
MOST_TEXTS = 20
_PRINT = re.compile(r"(?m)(^[ \t]*|[:;][ \t]*)print\b[ \t]*(?![ \t(=.\[,])[^\n]*")


@dataclass(frozen=True)
class Module:
    """A parsed file, or the body of a function around another (`parent` is what that one sees).

    `imports`: the names of NumPy, SciPy and `math`; `assigned`: constants as expressions;
    `unknown`: names of which the text does not tell the meaning, with the reason; `values`: what
    is known from elsewhere of names that the text leaves open; `star`: where names come from that
    are not bound here; `foreign`: not the text that is judged; `block`: what it was made from.
    """

    functions: Mapping[str, ast.FunctionDef]
    classes: Mapping[str, Methods]
    imports: Mapping[str, str]
    assigned: Mapping[str, ast.expr]
    unknown: Mapping[str, str]
    values: Mapping[str, Any] = field(default_factory=dict)
    parent: Module | None = None
    star: Module | None = None
    beside: Beside | None = None
    foreign: bool = False
    block: ast.Module | ast.FunctionDef | None = None

    @staticmethod
    def of(
        block: ast.Module | ast.FunctionDef,
        parent: Module | None = None,
        values: Mapping[str, Any] | None = None,
        beside: Beside | None = None,
        foreign: bool = False,
    ) -> Module:
        exported = beside.exported if beside is not None else lambda _: None
        functions, imports, others = names_of(block, exported)
        classes: dict[str, Methods] = {}
        assigned: dict[str, ast.expr] = {}
        unknown: dict[str, str] = {}
        known = dict(values or {})
        star = None
        for name, found in others.items():
            text = None
            if isinstance(found, Imported) and beside is not None:
                text = beside.module(found.module)
            match found:
                case Imported() if text is not None and name == "*":
                    star = text
                case Imported(name=inside) if text is not None:
                    known[name] = Foreign(text, inside)
                case ast.ClassDef():
                    classes[name] = methods_of(found)
                case ast.expr():
                    assigned[name] = found
                case Unread(reason=reason):
                    unknown[name] = reason
                case str():
                    imports[name] = found
        made = (functions, classes, imports, assigned, unknown)
        return Module(*made, known, parent, star, beside, foreign, block)

    def again(self, tree: ast.Module, around: Sequence[ast.FunctionDef]) -> Module:
        """What the same function sees in a text that differs in a few places."""
        found = Module.of(tree, None, self.values, self.beside, self.foreign)
        for function in around:
            found = Module.of(function, found, self.values, self.beside, self.foreign)
        return found

    @property
    def chain(self) -> Iterator[Module]:
        """This one, and what stands around it."""
        found: Module | None = self
        while found is not None:
            yield found
            found = found.parent

    @property
    def helpers(self) -> dict[str, ast.FunctionDef]:
        """Every function of this text that is seen from here by its name."""
        found: dict[str, ast.FunctionDef] = {}
        for module in self.chain:
            found = {**module.functions, **found}
        return found

    @property
    def numpy(self) -> str:
        """What the text calls NumPy."""
        names = (name for m in self.chain for name, of in m.imports.items() if of == "numpy")
        return next(names, "np")

    @property
    def exported(self) -> frozenset[str]:
        """What `import *` brings from here."""
        match self.assigned.get("__all__"):
            case ast.List(elts=names) | ast.Tuple(elts=names):
                return frozenset(str(n.value) for n in names if isinstance(n, ast.Constant))
        holders = (self.functions, self.imports, self.assigned, self.classes, self.values)
        found = {name for holder in (*holders, self.unknown) for name in holder}
        found |= self.star.exported if self.star is not None else frozenset()
        return frozenset(name for name in found if name[0] != "_")


@dataclass(frozen=True, eq=False)
class Foreign:
    """Something of another text: a name in it, a function, or all of it where `what` is empty."""

    module: Module
    what: str | ast.FunctionDef


@dataclass
class Beside:
    """Texts beside the one that is judged, by the names under which it imports them."""

    read: Callable[[str], str | None]
    modules: dict[str, Module | None] = field(default_factory=dict)

    def exported(self, name: str) -> frozenset[str] | None:
        found = self.module(name)
        return None if found is None else found.exported

    def module(self, name: str) -> Module | None:
        if name not in self.modules and len(self.modules) < MOST_TEXTS:
            self.modules[name] = None  # for one that imports itself
            text = self.read(name)
            tree = None if text is None else parsed_tree(text)
            if isinstance(tree, ast.Module):
                self.modules[name] = Module.of(tree, beside=self, foreign=True)
        return self.modules.get(name)


def parsed_tree(source: str) -> ast.Module | str:
    """The syntax tree of a file, or why there is none."""
    if len(source) > MOST_CHARACTERS:
        return f"a file of more than {MOST_CHARACTERS} characters"
    try:
        return syntax_tree(source)
    except SyntaxError as problem:
        where = f"line {problem.lineno}: " if problem.lineno else ""
        return f"{where}this is no Python: {problem.msg}"
    except (RecursionError, MemoryError):
        return f"{_longest_line(source)}an expression is nested too deeply to be read"
    except ValueError as problem:
        return f"this is no Python: {problem}"


def syntax_tree(source: str) -> ast.Module:
    """The tree of a file; `print "…"` of Python 2 does nothing. Raises: what Python raises."""
    try:
        return ast.parse(source)
    except SyntaxError as problem:
        if "print" not in (problem.msg or ""):
            raise
        return ast.parse(_PRINT.sub(r"\1pass", source))


def _longest_line(source: str) -> str:
    """Where the statement with the most signs in it begins."""
    counts: dict[int, int] = {}
    first = 0
    try:
        for token in tokenize.generate_tokens(io.StringIO(source).readline):
            if token.type == tokenize.NEWLINE:
                first = 0
            elif token.type == tokenize.OP:
                first = first or token.start[0]
                counts[first] = counts.get(first, 0) + 1
    except (tokenize.TokenError, SyntaxError):
        return ""
    return f"line {max(counts, key=lambda line: counts[line])}: " if counts else ""


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
    is_lambda: bool = False


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
            is_lambda = isinstance(node, ast.Lambda)
            made = (len(found), path, function, around, methods, _first(node), is_lambda)
            found.append(Definition(*made))
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


def chosen(found: Sequence[Definition], name: str, line: int = 0) -> Definition | str:
    """The function of a name, `backward`, `Net.backward` or `make.backward`, or why there is none.

    `line`: where it begins, if that is known; then lambdas are found too.
    """
    bare = name.rpartition(".")[2]
    if line:
        here = [d for d in found if d.line == line and bare in (d.node.name, "<lambda>")]
        if bare == "<lambda>":
            here = [d for d in here if d.is_lambda]
        if len(here) > 1:
            return f"line {line}: several functions begin in this line; give each its own"
        return here[0] if here else f"line {line}: {name} does not begin here; load it anew"
    exact = [d for d in found if d.path == name]
    methods = [d for d in found if d.methods and d.path.endswith(f".{name}")]
    inner = [d for d in found if d.path.endswith(f".{name}")]
    if exact:
        return exact[-1]
    if methods or len(inner) == 1:
        return (methods or inner)[0]
    if inner:
        return f"there are several functions {name}: {', '.join(d.path for d in inner[:8])}"
    present = [d.path for d in found if not d.is_lambda or "<" not in d.path]
    listed = f"; it has {', '.join(present[:8])}" if present else "; it has none at all"
    return f"there is no function {name} in this file{listed}"


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
