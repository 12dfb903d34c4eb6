"""What a function is given: each argument as the tensor, dict, list or number its name means.

Owns: the binding of arguments by name. Refuses: guessing the meaning of a name that says nothing;
the judge reports it with its line.
"""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from symbackprop.judging.code import naming
from symbackprop.judging.code.layout import Layout
from symbackprop.judging.code.naming import Naming
from symbackprop.judging.code.truth import Subject
from symbackprop.networks import names
from symbackprop.tracing.numbers.reading import Bundle, Instance
from symbackprop.tracing.numbers.unknown import Unknown

RATE = 0.0625
TURNS = 1
MOST_KEPT = 256
Make = Callable[[str], Any]


@dataclass(frozen=True)
class Binder:
    """`make(meaning)` gives a fresh array of a tensor, in the author's layout, or None."""

    subject: Subject
    layout: Layout
    names: Naming
    make: Make
    count: Any
    length: Callable[[int], Any]
    widths: tuple[int, ...] = ()
    listed: frozenset[str] = frozenset()

    def bound(self, function: ast.FunctionDef, methods: Any) -> dict[str, Any]:
        """Values of the arguments by name; those with a default and no meaning keep it, others
        without a meaning are unknown."""
        spec = function.args
        names = [*spec.posonlyargs, *spec.args]
        optional = {a.arg for a in names[len(names) - len(spec.defaults) :]}
        pairs = zip(spec.kwonlyargs, spec.kw_defaults, strict=True)
        optional |= {a.arg for a, default in pairs if default is not None}
        found: dict[str, Any] = {}
        for position, argument in enumerate([*names, *spec.kwonlyargs]):
            if position == 0 and argument.arg == "self":
                found["self"] = Instance(self._bundle(), methods, self.widths)
                continue
            value = self.value(argument.arg, function)
            if value is not None:
                found[argument.arg] = value
            elif argument.arg not in optional:
                reason = (
                    f"the argument {argument.arg} of {function.name} means no tensor of the "
                    "network; call it x, y, W1, b1, z1, a1, …, params or cache, or give it a "
                    "default"
                )
                place = (argument.lineno, argument.col_offset)
                found[argument.arg] = Unknown(reason, *place)
        return found

    def layers(self) -> Bundle:
        """The layers of the network, for those that the code makes."""
        return self._bundle()

    def value(self, name: str, function: ast.FunctionDef) -> Any:
        low = name.lower().strip("_")
        wanted = _used_as(name, function)
        if wanted == "list":
            listed = self._list(low)
            if listed is not None:
                return listed
        if wanted in ("dict", "tuple") and self.names.meaning(name) not in ("x", "y"):
            return self._bundle(None, low)
        meaning = self.names.meaning(name)
        if meaning == "N":
            return self.count
        single = self.make(meaning) if meaning is not None else None
        if single is not None:
            return single
        if low in naming.COUNTS:
            return self.count
        if low in naming.RATES:
            return RATE
        if low in naming.DEPTHS:
            return self.subject.depth
        if low in naming.TURNS:
            return TURNS
        if low in naming.PARAMETERS | naming.CACHES:
            return self._bundle(None, low)
        width = naming.width_of(name, self.widths) if self.widths else None
        return width if width is not None else self._list(low)

    def _list(self, low: str) -> list[Any] | None:
        depth = self.subject.depth
        layers = range(1, depth + 1)
        if low in naming.WEIGHT_LISTS:
            letters = "W"
        elif low in naming.BIAS_LISTS:
            letters = "b"
        elif low in naming.SCORE_LISTS:
            letters = "z"
        elif low in naming.ACTIVATION_LISTS:
            letters = "h"
        else:
            return None
        made = [self.make(f"{letters}{layer}") for layer in layers]
        if letters == "h" and self.layout.begins_with_x:
            return [self.make("x"), *made]
        return [None] * self.layout.first + made

    # ---- dicts -------------------------------------------------------------------------------

    def _bundle(self, layer: int | None = None, name: str = "") -> Bundle:
        """`name`: what the code calls it; parameters have all of them, in the usual order."""

        def find(key: Any) -> Any:
            return self._entry(key, layer, name)

        parameters = [t.name for t in self.subject.network.of_kind("parameter")]
        keys = parameters if name in naming.PARAMETERS else ()
        return Bundle(find, {}, keys, layer is not None)

    def _entry(self, key: Any, layer: int | None, name: str) -> Any:
        depth = self.subject.depth
        if key == "len()":
            parameters = len(self.subject.network.of_kind("parameter"))
            counts = {**dict.fromkeys(naming.PARAMETERS, parameters), "caches": depth}
            return counts.get(name) if layer is None else None
        if isinstance(key, tuple):  # a layer that the code makes itself, by its number
            return self._bundle(key[0]) if key[0] <= depth else None
        if isinstance(key, (int, np.integer)) and layer is not None:
            return self._bundle(layer)
        if isinstance(key, (int, np.integer)):
            number = int(key) + 1 - self.layout.first
            number = number + depth if key < 0 else number
            return self._bundle(number) if 1 <= number <= depth else None
        if not isinstance(key, str):
            return None
        if layer is not None:
            return self._of_layer(key, layer)
        found = self.value_of_key(key)
        return found

    def value_of_key(self, key: str) -> Any:
        low = key.lower().strip("_")
        meaning = self.names.meaning(key)
        listed = self._list(low) if low not in ("h", "a", "z", "w", "b") else None
        if listed is not None and key in self.listed:
            return listed
        if meaning is not None and meaning != "N":
            return self.make(meaning)
        if low in naming.COUNTS:
            return self.count
        if low in naming.RATES:
            return RATE
        if listed is not None:
            return listed
        if low in naming.PARAMETERS | naming.CACHES:
            return self._bundle()
        return naming.width_of(key, self.widths) if self.widths else None

    def _of_layer(self, key: str, layer: int) -> Any:
        low = key.lower().strip("_")
        before = names.output(layer - 1)
        numbered = self.names.meaning(key) if re.search(r"\d$", low) else None
        if numbered is not None:
            return self.make(numbered)
        if re.fullmatch(r"(a|h)?_?prev|x|inp|inputs?|(a|h)_?in|prev_?(a|h)", low):
            return self.make(before)
        if low in ("w", "weight", "weights"):
            return self.make(names.weight(layer))
        if low in ("b", "bias"):
            return self.make(names.bias(layer))
        if low in ("z", "s"):
            return self.make(names.total(layer))
        if low in ("a", "h", "out", "output"):
            return self.make(names.output(layer))
        return None


def _used_as(name: str, function: ast.FunctionDef) -> str:
    """`list`, `dict` or `tuple` where the body shows that an argument is one; else empty."""
    found = _uses(function).get(name, set())
    for kind in ("dict", "tuple"):
        if kind in found:
            return kind
    low = name.lower().strip("_")
    lists = naming.WEIGHT_LISTS | naming.BIAS_LISTS | naming.SCORE_LISTS | naming.ACTIVATION_LISTS
    if low in lists and found & {"number", "zipped"}:
        return "list"
    return ""


@lru_cache(maxsize=MOST_KEPT)
def _uses(function: ast.FunctionDef) -> Mapping[str, set[str]]:
    """What the body does with names: looks something up in them, goes through them, unpacks."""
    found: defaultdict[str, set[str]] = defaultdict(set)
    for node in ast.walk(function):
        match node:
            case ast.Subscript(value=ast.Name(id=owner), slice=index):
                found[owner].add(_subscripted(index))
            case ast.Call(func=ast.Name(id="len" | "zip" | "enumerate" | "reversed"), args=args):
                for name in (a.id for a in args if isinstance(a, ast.Name)):
                    found[name].add("zipped")
            case ast.Assign(targets=[ast.Tuple(elts=[_, *_])], value=ast.Name(id=owner)):
                found[owner].add("tuple")
            case ast.Attribute(value=ast.Name(id=owner), attr="items" | "keys" | "get" | "values"):
                found[owner].add("dict")
    return found


@lru_cache(maxsize=MOST_KEPT)
def listed_attributes(functions: tuple[ast.FunctionDef, ...]) -> frozenset[str]:
    """Attributes that the code goes through, counts or picks from by a number: lists."""
    found: set[str] = set()
    for node in (n for function in functions for n in ast.walk(function)):
        match node:
            case ast.Call(func=ast.Name(id="len" | "zip" | "enumerate" | "reversed"), args=args):
                found |= {a.attr for a in args if isinstance(a, ast.Attribute)}
            case ast.For(iter=ast.Attribute(attr=name)):
                found.add(name)
            case ast.comprehension(iter=ast.Attribute(attr=name)):
                found.add(name)
            case ast.Subscript(value=ast.Attribute(attr=name), slice=index):
                found |= {name} if _subscripted(index) == "number" else set()
    return frozenset(found)


def _subscripted(index: ast.expr) -> str:
    match index:
        case ast.Constant(value=str()) | ast.JoinedStr():
            return "dict"
        case ast.BinOp(op=ast.Add() | ast.Mod(), left=left) if _is_text(left):
            return "dict"
        case ast.Tuple() | ast.Slice() | ast.Compare():
            return "array"
    return "number"


def _is_text(node: ast.expr) -> bool:
    match node:
        case ast.Constant(value=str()):
            return True
        case ast.BinOp(left=left):
            return _is_text(left)
    return False


@lru_cache(maxsize=MOST_KEPT)
def argument_names(function: ast.FunctionDef) -> Sequence[str]:
    """Names of arguments, and the texts by which the body looks things up."""
    spec = function.args
    names = [a.arg for a in (*spec.posonlyargs, *spec.args, *spec.kwonlyargs)]
    for node in ast.walk(function):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and len(node.value) < 20:
            names.append(node.value)
    return names
