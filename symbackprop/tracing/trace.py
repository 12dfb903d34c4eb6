"""Reading one function of a module over symbolic arrays.

Owns: `trace`: which function is meant, and what it is called with. Refuses: running the code.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from typing import Any

from symbackprop.derivation.normalform import Algebra
from symbackprop.tracing.arrays import TraceError
from symbackprop.tracing.evaluator import MOST_SECONDS
from symbackprop.tracing.interpreter import Interpreter, Traced, cells, nested_too_deeply, parsed


def trace(
    source: str,
    function: str,
    arguments: Mapping[str, Any],
    algebra: Algebra,
    must_return: bool = True,
    unclipped: bool = False,
    seconds: float = MOST_SECONDS,
) -> Traced:
    """Read one function of a module, or a method: `Network.backward`.

    `arguments`: a `SymbolicArray`, or lists, tuples and dicts of them, or an `Object`, or
    constants, for each parameter without a default. They may be changed in place, as long as no
    array is given twice; `Traced.arguments` has what is left of them. `must_return`: whether a
    function without a return statement is an error. `unclipped`: `np.clip` is taken to change
    nothing, which `Traced.assumptions` says then.

    Raises: TraceError, with the line, for whatever is not read.
    """
    definition = function_of(source, function)
    reader = Interpreter(algebra, *parsed(source), seconds=seconds, unclipped=unclipped)
    return reader.run(definition, cells(arguments, fixed=False), must_return)


def function_of(source: str, function: str) -> ast.FunctionDef:
    """The definition of a function, or a method as `Class.method`. Raises: TraceError."""
    functions, _, others = parsed(source)
    kind, dot, name = function.rpartition(".")
    if dot:
        owner = others.get(kind)
        body = owner.body if isinstance(owner, ast.ClassDef) else []
        functions = functions | {s.name: s for s in body if isinstance(s, ast.FunctionDef)}
    if name not in functions:
        raise TraceError(f"there is no function {function}")
    found = functions[name]
    if any(nested_too_deeply(part) for part in (*functions.values(), *_nodes(others))):
        raise TraceError("an expression nested too deeply", found.lineno)
    return found


def _nodes(others: Mapping[str, Any]) -> list[ast.AST]:
    return [value for value in others.values() if isinstance(value, ast.AST)]
