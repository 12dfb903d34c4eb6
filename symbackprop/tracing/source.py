"""The text of a module: functions, classes, imports, constants; nothing is imported.

Owns: what a name at the top of a module means, where that is certain: it is bound once, and
nothing at the top of the module changes it.
"""

from __future__ import annotations

import ast
import sys
import types
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from symbackprop.tracing.arrays import TraceError
from symbackprop.tracing.values import Imported, Unread
from symbackprop.writing.code.backends import BACKENDS

MOST_CHARACTERS = 1_000_000
_LIBRARIES = ("numpy", "scipy", "scipy.special", "math", "functools")
_MUTATORS = frozenset(
    """add.at subtract.at multiply.at put place copyto putmask fill_diagonal put_along_axis
    random.shuffle""".split()
)
_PURE_METHODS = frozenset(
    """sum mean max min std var argmax argmin all any round astype copy reshape dot ravel flatten
    squeeze transpose swapaxes item tolist clip cumsum prod nonzero argsort format join lower
    upper trace diagonal repeat take conj""".split()
)
_TWO_ARGUMENTS = frozenset("argmax argmin all any isclose allclose array_equal round".split())
Exported = Callable[[str], frozenset[str] | None]
_PURE_BUILTINS = frozenset(
    "len float int str bool abs sum max min round range zip enumerate sorted list tuple".split()
)


def parsed(source: str) -> tuple[dict[str, ast.FunctionDef], dict[str, str], dict[str, Any]]:
    """Functions of a module, the names under which it knows NumPy, and its other names: constants
    as expressions, classes, and what is `Unread`."""
    return names_of(_tree(source))


def names_of(
    block: ast.Module | ast.FunctionDef, exported: Exported = lambda _: None
) -> tuple[dict[str, ast.FunctionDef], dict[str, str], dict[str, Any]]:
    """The same of a parsed module, or of the body of a function around another.

    `*` stands for what `import *` brings: under its library's name, or `Unread`. `exported`: the
    names that it brings from a module, where that is known.
    """
    functions: dict[str, ast.FunctionDef] = {}
    modules: dict[str, str] = {}
    others: dict[str, Any] = {}
    top, every = list(_top_nodes(block)), list(ast.walk(block))
    bound = _bound_names(top, every)
    for name, node in bound.items():
        reason = f"{name} is set in line {node.line} in a way that is not followed"
        others[name] = Unread(reason, node.line)
    for name in _argument_names(block):
        others[name] = Unread(f"{name} is an argument of {block.name}, not known here", None)  # type: ignore[union-attr]
    for statement in block.body:
        match statement:
            case ast.FunctionDef(name=name):
                functions[name] = statement
            case ast.ClassDef(name=name):
                others[name] = statement
            case ast.Import() | ast.ImportFrom():
                _import(statement, functions, modules, others, exported)
            case (
                ast.Assign(targets=[ast.Name(id=name)], value=value)
                | ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value)
            ):
                others[name] = value
    for name, node in bound.items():
        if node.count > 1 and (name not in functions or not _only_defined(block, name, node)):
            functions.pop(name, None)
            modules.pop(name, None)
            others[name] = Unread(f"the name {name} is bound more than once", None)
    for name, line in _changed_modules(every, modules):
        del modules[name]
        others[name] = Unread(f"{name} is changed in line {line}", None)
    for name in _changeable(block, top, others):
        others[name] = Unread(f"{name} may be changed before the function is called", None)
    for name in set(functions) | set(modules):
        others.pop(name, None)
    return functions, modules, others


def _tree(source: str) -> ast.Module:
    if len(source) > MOST_CHARACTERS:
        raise TraceError(f"a file of more than {MOST_CHARACTERS} characters")
    try:
        return ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as problem:
        line = problem.lineno if isinstance(problem, SyntaxError) else None
        raise TraceError(f"no Python: {problem}", line) from None


def _argument_names(block: ast.Module | ast.FunctionDef) -> list[str]:
    spec = getattr(block, "args", None)
    return [node.arg for node in ast.walk(spec) if isinstance(node, ast.arg)] if spec else []


def _import(
    statement: ast.Import | ast.ImportFrom,
    functions: dict[str, ast.FunctionDef],
    modules: dict[str, str],
    others: dict[str, Any],
    exported: Exported,
) -> None:
    """What an import binds; `import *` may put something else under every name bound before,
    but for NumPy's, whose names nobody uses for something else."""
    library = getattr(statement, "module", None) or "."
    is_known = _is_read(library) and not getattr(statement, "level", 0)
    for imported in statement.names:
        if imported.name == "*":
            brought = frozenset() if is_known else exported(library)
            for name in (*functions, *modules, *others):
                if brought is None or name in brought:
                    reason = f"{name} may be replaced by the import * after it"
                    others[name] = Imported(reason, None, library, name)
                    functions.pop(name, None)
                    modules.pop(name, None)
            reason = f"it may come from {library} (line {statement.lineno}), which is not read"
            others["*"] = _canonical(library) if is_known else Imported(reason, None, library)
            continue
        if isinstance(statement, ast.Import):
            top = imported.name.partition(".")[0]
            bound, library, name = imported.asname or top, imported.name, ""
            is_known, found = _is_read(library), library if imported.asname else top
        else:
            name = imported.name
            bound, found = imported.asname or name, f"{library}.{name}"
        if is_known:
            modules[bound] = _canonical(found)
        else:
            reason = f"{bound} comes from {library} (line {statement.lineno}), which is not read"
            others[bound] = Imported(reason, None, library, name)


def library_name(value: Any) -> str | None:
    """What a module, or a function of one, is called in the libraries that are known."""
    if isinstance(value, types.ModuleType):
        return _canonical(value.__name__) if _is_read(value.__name__) else None
    name = getattr(value, "__name__", "")
    for library in _LIBRARIES:
        module = sys.modules.get(library)
        if name and module is not None and getattr(module, name, None) is value:
            return _canonical(f"{library}.{name}")
    return None


def _canonical(name: str) -> str:
    """SciPy's special functions and `math` are rows of the same table; so are those of libraries
    that code is written for."""
    for module in (backend.module for backend in BACKENDS.values()):
        if name == module or name.startswith(f"{module}."):
            return f"numpy{name.removeprefix(module)}"
    top, dot, rest = name.partition(".")
    return f"numpy{dot}{rest}" if top == "scipy" else name


def _is_read(library: str) -> bool:
    return library in _LIBRARIES or any(library == b.module for b in BACKENDS.values())


def _top_nodes(block: ast.Module | ast.FunctionDef) -> Iterator[ast.AST]:
    """Everything in the block itself, the insides of functions and classes in it left out."""
    stack: list[ast.AST] = list(reversed(block.body))
    while stack:
        node = stack.pop()
        yield node
        is_inside = isinstance(
            node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)
        )
        if not is_inside and not _is_main(node):
            stack += reversed(list(ast.iter_child_nodes(node)))


def _is_main(node: ast.AST) -> bool:
    """`if __name__ == "__main__":`, which importing the module does not run."""
    match node:
        case ast.If(test=ast.Compare(left=ast.Name(id="__name__"), ops=[ast.Eq()])):
            return True
    return False


@dataclass
class _Binding:
    """How often a name is bound, and the first line that does it."""

    line: int
    count: int = 0


def _bound_names(top: Sequence[ast.AST], every: Sequence[ast.AST]) -> dict[str, _Binding]:
    found: dict[str, _Binding] = {}

    def bind(name: str, node: Any, count: int = 1) -> None:
        found.setdefault(name, _Binding(node.lineno)).count += count

    for node in top:
        match node:
            case ast.Name(id=name, ctx=ast.Store() | ast.Del()):
                bind(name, node)
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name) | ast.AsyncFunctionDef(name):
                bind(name, node)
            case ast.alias(name=name, asname=asname) if name != "*":
                bind(asname or name.partition(".")[0], node)
            case ast.ExceptHandler(name=str() as name):
                bind(name, node)
    for node in every:
        if isinstance(node, (ast.Global, ast.Nonlocal)):
            for name in node.names:
                bind(name, node, 2)
    return found


def _only_defined(block: ast.Module | ast.FunctionDef, name: str, binding: _Binding) -> bool:
    """Whether a name is bound by `def` in the block itself alone: the last one counts."""
    definitions = sum(isinstance(s, ast.FunctionDef) and s.name == name for s in block.body)
    return definitions == binding.count


def _changed_modules(
    every: Sequence[ast.AST], modules: Mapping[str, str]
) -> Iterator[tuple[str, int]]:
    """Names of libraries something of which the text replaces: `np.tanh = np.sin`."""
    seen = set()
    for node in every:
        if not isinstance(node, (ast.Attribute, ast.Call)):
            continue
        match node:
            case ast.Attribute(value=ast.Name(id=name), ctx=ast.Store() | ast.Del()):
                pass
            case ast.Call(func=ast.Name(id="setattr" | "delattr"), args=[ast.Name(id=name), *_]):
                pass
            case _:
                continue
        if name in modules and name not in seen:
            seen.add(name)
            yield name, node.lineno


def _changeable(
    block: ast.Module | ast.FunctionDef, top: Sequence[ast.AST], others: dict[str, Any]
) -> Iterator[str]:
    """Names of something that can change in place, and that the block mentions again."""
    own = {s.name for s in block.body if isinstance(s, (ast.FunctionDef, ast.ClassDef))}
    called = any(isinstance(n, ast.Call) and _calls(n, own) for n in top)
    mentioned = {n.id for n in top if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)}
    for name, value in others.items():
        if isinstance(value, ast.expr) and not _is_fixed(value) and (called or name in mentioned):
            yield name


def _calls(node: ast.Call, own: set[str]) -> bool:
    return any(isinstance(part, ast.Name) and part.id in own for part in ast.walk(node.func))


def _is_fixed(node: ast.expr) -> bool:
    """Whether an expression makes numbers and texts alone."""
    kinds = (ast.Constant, ast.Tuple, ast.BinOp, ast.UnaryOp, ast.operator, ast.unaryop)
    return all(isinstance(part, (*kinds, ast.expr_context)) for part in ast.walk(node))


def nested_too_deeply(node: ast.AST, limit: int = 100) -> bool:
    """Whether an expression is so deep that reading it would exhaust the stack."""
    stack = [(node, 0)]
    while stack:
        current, depth = stack.pop()
        if depth > limit:
            return True
        stack += [(child, depth + 1) for child in ast.iter_child_nodes(current)]
    return False


def is_pure(
    node: ast.expr, modules: dict[str, str], own: frozenset[str], positional: Mapping[str, int]
) -> bool:
    """Whether evaluating the expression changes nothing, as far as its text tells. `own`: names
    of functions and methods of the code itself, of which that is not known. `positional`: how many
    arguments a function of NumPy takes by place before the one that it writes to."""
    for part in ast.walk(node):
        if isinstance(part, (ast.NamedExpr, ast.Await, ast.Yield, ast.YieldFrom)):
            return False
        if isinstance(part, ast.Call) and not _is_pure_call(part, modules, own, positional):
            return False
    return True


def _is_pure_call(
    node: ast.Call, modules: dict[str, str], own: frozenset[str], positional: Mapping[str, int]
) -> bool:
    if any(keyword.arg in ("out", None) for keyword in node.keywords):
        return False
    name = dotted(node.func, modules)
    if name is not None and not name.startswith("functools"):
        bare = name.partition(".")[2]
        most = positional.get(bare, 2 if bare in _TWO_ARGUMENTS else 1)
        is_writer = bare in _MUTATORS or bare.startswith("random")
        return not is_writer and len(node.args) <= most
    match node.func:
        case ast.Attribute(attr=attr):
            most = {"reshape": 9, "transpose": 9, "format": 99, "clip": 2, "swapaxes": 2}.get(
                attr, 1
            )
            return attr in _PURE_METHODS and attr not in own and len(node.args) <= most
        case ast.Name(id=bare):
            return bare in _PURE_BUILTINS and bare not in own
    return False


def dotted(node: ast.expr, modules: dict[str, str]) -> str | None:
    """`numpy.add.at` of `np.add.at`."""
    if isinstance(node, ast.Name):
        return modules.get(node.id)
    if isinstance(node, ast.Attribute):
        inside = dotted(node.value, modules)
        return None if inside is None else f"{inside}.{node.attr}"
    return None


def construct(node: ast.AST) -> str:
    return f"the construct {type(node).__name__}"


def written_names(node: ast.expr | None) -> Any:
    """What the return statement calls its values: a name, a tuple of names, None."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, (ast.Tuple, ast.List)):
        return tuple(written_names(part) for part in node.elts)
    return None
