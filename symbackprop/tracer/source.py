"""The text of a module: functions, classes, imports, constants; nothing is imported.

Owns: what a name at the top of a module means, where that is certain: it is bound once, and
nothing at the top of the module changes it.
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from symbackprop.codegen.backends import BACKENDS
from symbackprop.tracer.arrays import TraceError
from symbackprop.tracer.values import Unread

MOST_CHARACTERS = 1_000_000
_LIBRARIES = ("numpy", "scipy", "scipy.special", "math")
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
_PURE_BUILTINS = frozenset(
    "len float int str bool abs sum max min round range zip enumerate sorted list tuple".split()
)


def parsed(source: str) -> tuple[dict[str, ast.FunctionDef], dict[str, str], dict[str, Any]]:
    """Functions of a module, the names under which it knows NumPy, and its other names: constants
    as expressions, classes, and what is `Unread`."""
    tree = _tree(source)
    functions: dict[str, ast.FunctionDef] = {}
    modules: dict[str, str] = {}
    others: dict[str, Any] = {}
    bound = _bound_names(tree)
    for statement in tree.body:
        match statement:
            case ast.FunctionDef(name=name):
                functions[name] = statement
            case ast.ClassDef(name=name):
                others[name] = statement
            case ast.Import() | ast.ImportFrom():
                modules |= dict(_imported(statement))
            case (
                ast.Assign(targets=[ast.Name(id=name)], value=value)
                | ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value)
            ):
                others[name] = value
    for name, count in bound.items():
        if count > 1 and (name not in functions or not _only_defined(tree, name)):
            functions.pop(name, None)
            modules.pop(name, None)
            others[name] = Unread(f"the name {name} is bound more than once", None)
    for name in _changeable(tree, others):
        others[name] = Unread(f"{name} may be changed before the function is called", None)
    return functions, modules, others


def _tree(source: str) -> ast.Module:
    if len(source) > MOST_CHARACTERS:
        raise TraceError(f"a file of more than {MOST_CHARACTERS} characters")
    try:
        return ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as problem:
        line = problem.lineno if isinstance(problem, SyntaxError) else None
        raise TraceError(f"no Python: {problem}", line) from None


def _imported(statement: ast.Import | ast.ImportFrom) -> Iterator[tuple[str, str]]:
    libraries = {*_LIBRARIES, *_numpy_likes()}
    for imported in statement.names:
        if imported.name == "*":
            raise TraceError("import *", statement.lineno)
        if isinstance(statement, ast.Import):
            if imported.name in libraries:
                if imported.asname:
                    yield imported.asname, _canonical(imported.name)
                else:
                    top = imported.name.partition(".")[0]
                    yield top, _canonical(top)
        elif statement.module in libraries and not statement.level:
            name = f"{statement.module}.{imported.name}"
            yield imported.asname or imported.name, _canonical(name)


def _canonical(name: str) -> str:
    """SciPy's special functions and `math` are rows of the same table; so are those of libraries
    that code is written for."""
    for module in _numpy_likes():
        if name == module or name.startswith(f"{module}."):
            return f"numpy{name.removeprefix(module)}"
    top, dot, rest = name.partition(".")
    return f"numpy{dot}{rest}" if top == "scipy" else name


def _numpy_likes() -> set[str]:
    return {backend.module for backend in BACKENDS.values()}


def _top_nodes(tree: ast.Module) -> Iterator[ast.AST]:
    """Everything at the top of the module, the insides of functions and classes left out."""
    stack: list[ast.AST] = list(reversed(tree.body))
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
    return isinstance(node, ast.If) and ast.unparse(node.test).startswith("__name__ == ")


def _bound_names(tree: ast.Module) -> Counter[str]:
    found: Counter[str] = Counter()
    for node in _top_nodes(tree):
        match node:
            case ast.Name(id=name, ctx=ast.Store() | ast.Del()):
                found[name] += 1
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name) | ast.AsyncFunctionDef(name):
                found[name] += 1
            case ast.alias(name=name, asname=asname):
                found[asname or name.partition(".")[0]] += 1
    for node in ast.walk(tree):
        if isinstance(node, ast.Global):
            found.update(dict.fromkeys(node.names, 2))
    return found


def _only_defined(tree: ast.Module, name: str) -> bool:
    """Whether a name is bound by `def` at the top alone: the last one counts."""
    definitions = sum(isinstance(s, ast.FunctionDef) and s.name == name for s in tree.body)
    return definitions == _bound_names(tree)[name]


def _changeable(tree: ast.Module, others: dict[str, Any]) -> Iterator[str]:
    """Names of something that can change in place, and that the module's top mentions again."""
    top = list(_top_nodes(tree))
    own = {s.name for s in tree.body if isinstance(s, (ast.FunctionDef, ast.ClassDef))}
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
    if name is not None:
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
