"""A function as it is judged: what ran before it stands in front, a training loop turns once.

Owns: the call of the class's forward method in front of a method that uses what it sets; the one
turn of a loop that changes parameters; a script as a function of its data and parameters.
Refuses: values, and a call where the function makes it itself.
Would be wrong if a method were put in front that does not run before: a forward method is one by
its name.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping, Sequence

from symbackprop.judging.code.naming import PARAMETERS, WEIGHT_WORDS, Naming, width_of
from symbackprop.tracing.numbers.reading import SCRIPT

TURN = 7  # the number of the one turn: neither the first, nor one after which something is printed
Methods = Mapping[str, ast.FunctionDef]
_FORWARD = re.compile(r"_*(feed_?forward|forward|predict|fprop)|.*_forward|forward_.*|__call__")


def prepared(function: ast.FunctionDef, methods: Methods) -> ast.FunctionDef:
    """The function behind a call of the forward method that sets what it reads of `self`; its
    training loops turn once."""
    function = _turning_once(function)
    forward = _forward_of(function, methods)
    if forward is None:
        return function
    names, extra = [], []
    own = {a.arg for a in _arguments(function)}
    for place, argument in enumerate(_required(forward)[1:]):
        meaning = Naming(1).meaning(argument)
        name = "x" if not place and meaning not in ("x", "y") else argument
        names.append(name)
        if name not in own:
            extra.append(ast.copy_location(ast.arg(name), function))
    spec = function.args
    made = ast.arguments(
        posonlyargs=spec.posonlyargs,
        args=spec.args,
        vararg=spec.vararg,
        kwonlyargs=[*spec.kwonlyargs, *extra],
        kw_defaults=[*spec.kw_defaults, *(None for _ in extra)],
        kwarg=spec.kwarg,
        defaults=spec.defaults,
    )
    body = [_call(forward.name, spec.args[0].arg, names, function), *function.body]
    whole = ast.FunctionDef(function.name, made, body, function.decorator_list)
    return ast.copy_location(whole, function)


def script_of(tree: ast.Module, depth: int) -> ast.FunctionDef | None:
    """The statements at the top of a file as a function of x, y and the parameters, in place of
    the data and the first values that the file makes; None where it has none of them."""
    body = list(_run(tree.body))
    named = Naming(depth)
    data: dict[str, ast.stmt] = {}
    kept: list[ast.stmt] = []
    for number, statement in enumerate(body):
        targets = _targets(statement)
        is_given = bool(targets) and all(_is_given(name, named, statement) for name in targets)
        if is_given and not _has_begun(body[:number], data):
            data |= dict.fromkeys(targets, statement)
        else:
            kept.append(statement)
    if not data or not kept:
        return None
    arguments = [ast.copy_location(ast.arg(name), place) for name, place in data.items()]
    spec = ast.arguments([], arguments, None, [], [], None, [])
    return ast.copy_location(ast.FunctionDef(SCRIPT, spec, kept, []), kept[0])


def _run(body: Sequence[ast.stmt]) -> Iterator[ast.stmt]:
    """What running a file does, definitions and imports left out."""
    for statement in body:
        match statement:
            case ast.If(test=ast.Compare(left=ast.Name(id="__name__"))):
                yield from _run(statement.body)
            case ast.FunctionDef() | ast.ClassDef() | ast.Import() | ast.ImportFrom():
                continue
            case _:
                yield statement


def _targets(statement: ast.stmt) -> list[str]:
    """Names that a plain assignment binds; none where it does anything else."""
    if not isinstance(statement, ast.Assign):
        return []
    found = [n for t in statement.targets for n in (t.elts if isinstance(t, ast.Tuple) else [t])]
    names = [n.id for n in found if isinstance(n, ast.Name)]
    return names if len(names) == len(found) else []


def _is_given(name: str, named: Naming, statement: ast.stmt) -> bool:
    """Whether a name is that of the data or of a parameter, or of a size that is written out."""
    meaning = named.meaning(name) or "-"
    if meaning in ("x", "y") or meaning[0] in "Wb":
        return True
    is_number = isinstance(statement, ast.Assign) and isinstance(statement.value, ast.Constant)
    return is_number and (meaning == "N" or width_of(name, (1,) * (named.depth + 1)) is not None)


def _has_begun(body: Sequence[ast.stmt], data: Mapping[str, ast.stmt]) -> bool:
    """Whether a statement computes something from several of the data and parameters."""
    for statement in body:
        if statement not in data.values():
            read = {n.id for n in ast.walk(statement) if isinstance(n, ast.Name)} & set(data)
            if len(read) > 1:
                return True
    return False


def _turning_once(function: ast.FunctionDef) -> ast.FunctionDef:
    body = [_once(statement) for statement in function.body]
    if all(new is old for new, old in zip(body, function.body, strict=True)):
        return function
    made = ast.FunctionDef(function.name, function.args, body, function.decorator_list)
    return ast.copy_location(made, function)


def _once(statement: ast.stmt) -> ast.stmt:
    """A loop that goes on changing parameters, as one turn of it."""
    match statement:
        case ast.For(target=ast.Name(id=name) as target, orelse=[]) if _counts(
            statement.iter
        ) and not _picks(statement.body, name):
            found: ast.expr = target
        case ast.While(orelse=[]):
            found = ast.Name("_", ast.Store())
        case _:
            return statement
    if not _trains(statement.body):
        return statement
    ends: list[ast.expr] = [ast.Constant(TURN), ast.Constant(TURN + 1)]
    turns = ast.Call(ast.Name("range", ast.Load()), ends, [])
    made = ast.For(found, turns, [_once(inner) for inner in statement.body], [])
    made.is_one_turn = True  # type: ignore[attr-defined]
    for node in (made, *ast.walk(turns), found):
        if not hasattr(node, "lineno"):
            ast.copy_location(node, statement)
    return made


def _counts(node: ast.expr) -> bool:
    """`range(…)`, or something around it, as a bar that shows progress."""
    match node:
        case ast.Call(func=ast.Name(id="range" | "xrange"), args=[_]):
            return True
        case ast.Call(func=ast.Name(id="tqdm" | "trange") | ast.Attribute(attr="tqdm" | "trange")):
            return True
    return False


def _picks(body: Sequence[ast.stmt], name: str) -> bool:
    """Whether the number of the turn picks something, as a sample or a layer."""
    nodes = (n for statement in body for n in ast.walk(statement))
    picked = (n for node in nodes if isinstance(node, ast.Subscript) for n in ast.walk(node.slice))
    return any(isinstance(n, ast.Name) and n.id == name for n in picked)


def _trains(body: Sequence[ast.stmt]) -> bool:
    """Whether parameters are changed, by what they are called."""
    targets: list[ast.expr]
    for node in (n for statement in body for n in ast.walk(statement)):
        match node:
            case ast.AugAssign(target=target, op=ast.Sub() | ast.Add()):
                targets = [target]
            case ast.Assign(targets=targets, value=ast.BinOp(left=left)):
                targets = [t for t in targets if ast.unparse(t) == ast.unparse(left)]
            case _:
                continue
        if any(_is_parameter(target) for target in targets):
            return True
    return False


def _is_parameter(node: ast.expr) -> bool:
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            words = set(re.split(r"[_\d]+", name.lower()))
            known = WEIGHT_WORDS | PARAMETERS | {"syn"}
            return bool(words & known) and not words & {"grad", "d", "delta"}
        case ast.Subscript(slice=ast.Constant(value=str() as name)):
            return _is_parameter(ast.Name(name, ast.Load()))
        case ast.Subscript(slice=ast.JoinedStr(values=[ast.Constant(value=str() as name), *_])):
            return _is_parameter(ast.Name(name, ast.Load()))
        case ast.Subscript(slice=ast.BinOp(left=ast.Constant(value=str() as name))):
            return _is_parameter(ast.Name(name, ast.Load()))
        case ast.Subscript(value=inner):
            return _is_parameter(inner)
    return False


def _call(method: str, owner: str, names: list[str], place: ast.AST) -> ast.stmt:
    """`self.forward(X)` as a statement at the first word of a function."""
    attribute = ast.Attribute(ast.Name(owner, ast.Load()), method, ast.Load())
    call = ast.Call(attribute, [ast.Name(name, ast.Load()) for name in names], [])
    made = ast.Expr(call)
    for node in ast.walk(made):
        ast.copy_location(node, place)
        if isinstance(node, (ast.expr, ast.stmt)):
            node.end_lineno, node.end_col_offset = node.lineno, node.col_offset + len("def")
    return made


def _forward_of(function: ast.FunctionDef, methods: Methods) -> ast.FunctionDef | None:
    """The forward method that sets what the function reads before it sets it; of several, the
    one that sets most of it."""
    if not methods or not function.args.args or function.name not in methods:
        return None
    called = set(_called(function, methods, {function.name}))
    wanted = _read(function) | {n for m in called for n in _read(methods[m])}
    best, most = None, 0
    for name, method in methods.items():
        is_own = name == function.name or not _FORWARD.fullmatch(name)
        if is_own or not method.args.args or function.name in set(_called(method, methods, {name})):
            continue
        inside = {name, *_called(method, methods, {name})}
        if name in called:
            return None
        found = len(wanted & {n for m in inside for n in _set(methods[m])})
        if found > most:
            best, most = method, found
    return best


def _called(function: ast.FunctionDef, methods: Methods, seen: set[str]) -> Iterator[str]:
    """Methods of the same object that a method calls, and those that they call."""
    for name in _attributes(function, ast.Load):
        if name in methods and name not in seen:
            seen.add(name)
            yield name
            yield from _called(methods[name], methods, seen)


def _read(function: ast.FunctionDef) -> set[str]:
    return set(_attributes(function, ast.Load))


def _set(function: ast.FunctionDef) -> set[str]:
    return set(_attributes(function, ast.Store))


def _attributes(function: ast.FunctionDef, how: type[ast.expr_context]) -> Iterator[str]:
    """Names of attributes of `self` that a method reads, or sets."""
    owner = function.args.args[0].arg if function.args.args else ""
    for node in ast.walk(function):
        match node:
            case ast.Attribute(value=ast.Name(id=held), attr=name, ctx=context) if (
                held == owner and isinstance(context, how)
            ):
                yield name


def _arguments(function: ast.FunctionDef) -> list[ast.arg]:
    spec = function.args
    return [*spec.posonlyargs, *spec.args, *spec.kwonlyargs]


def _required(function: ast.FunctionDef) -> list[str]:
    """Arguments that a call has to give by their places."""
    names = [a.arg for a in (*function.args.posonlyargs, *function.args.args)]
    return names[: len(names) - len(function.args.defaults)]
