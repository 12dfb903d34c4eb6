r"""Which activation a written-out function is.

Owns: `scalar_function`: \frac{1}{1 + e^{-z}} is the sigmoid, by its values. Refuses: functions of
the catalogue that it does not have.
Would be wrong if two functions that differ somewhere were called one: both branches are tried.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, is_dataclass, replace
from functools import cache
from typing import Any

from symbackprop.judging.notes.conventions.variants import Variant, worlds_of
from symbackprop.judging.notes.formula.judge import judge_in
from symbackprop.judging.notes.formula.settings import Settings
from symbackprop.judging.notes.formula.symbols import function_called
from symbackprop.networks.layers.activations import ACTIVATIONS
from symbackprop.networks.layers.architecture import Architecture, Layer
from symbackprop.networks.layers.multilayer import build
from symbackprop.reading.latex.syntax import (
    Group,
    Node,
    Product,
    Span,
    Statement,
    Symbol,
    heads_below,
)
from symbackprop.witnesses.truth import World

_FUNCTION, _VARIABLE = "F", "t"
_NOWHERE = Span(0, 0)


def scalar_function(node: Node, is_argument: Callable[[Node], bool]) -> str:
    """The activation that the expression is of its argument; "" for none of the catalogue."""
    function, variable = Symbol(_FUNCTION, _NOWHERE), Symbol(_VARIABLE, _NOWHERE)
    written = replaced(node, is_argument, variable)
    if written == variable:
        return "identity"
    if written == node:
        return ""
    left = Product("", (function, Group("(", (variable,), _NOWHERE)), _NOWHERE)
    words = {head: function_called(head) for head in sorted(heads_below(written))}
    words = {head: name for head, name in words.items() if name}
    claim = Statement((left, written), ("=",), _NOWHERE)
    for name in (name for name in ACTIVATIONS if name not in ("identity", "softmax")):
        settings = Settings(letters={**words, _FUNCTION: name})
        if judge_in(claim, settings, _world()).outcome == "true":
            return name
    return ""


@cache
def _world() -> World:
    """Any network: a function is a function in all."""
    built = build(Architecture("any", "d", (Layer("k"),), "squared_error"))
    return worlds_of({"sum": Variant(built, None)}, None)["sum"].generic["batch"]


def replaced(value: Any, is_old: Callable[[Node], bool], new: Node) -> Any:
    """The syntax with another node in each place where an old one stands."""
    if isinstance(value, tuple):
        return tuple(replaced(each, is_old, new) for each in value)
    if not is_dataclass(value) or isinstance(value, Span):
        return value
    if isinstance(value, Node) and is_old(value):
        return new
    changed = {f.name: replaced(getattr(value, f.name), is_old, new) for f in fields(value)}
    return replace(value, **changed)  # type: ignore[type-var]
