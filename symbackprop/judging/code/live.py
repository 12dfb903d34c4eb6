"""A function of the running program as a text that can be judged: it is looked at, never called.

Owns: where its text is to be had and where in it the function begins; what is known of names that
the text leaves open (numbers, arrays, libraries, other functions): those that a function inside
another took along and, where the text is no whole file, those of its module.
Refuses: everything callable that is no function written in Python.
Would be wrong if a function were judged under the text of another one.
"""

from __future__ import annotations

import functools
import inspect
import linecache
import os
import types
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from symbackprop.errors import UsageError
from symbackprop.judging.code.text import text_if_any
from symbackprop.tracing.numbers.modules import Foreign, Module, chosen, definitions, parsed_tree
from symbackprop.tracing.numbers.reading import of_library
from symbackprop.tracing.source import library_name

MOST_FUNCTIONS = 50
MOST_ENTRIES = 10_000
DEEPEST = 5


@dataclass(frozen=True)
class Live:
    """`name` is qualified, `line` the one at which Python says that it begins; `whole`: whether
    the text is that of the whole module, in the file of this path; `wrapped`: whether what was
    given is something around the function."""

    source: str
    path: str
    name: str
    line: int
    values: Mapping[str, Any]
    whole: bool
    wrapped: bool

    @staticmethod
    def of(function: Callable[..., Any]) -> Live:
        """Raises: UsageError where there is no text."""
        plain = _plain(function)
        if plain is None:
            what = type(function).__name__
            raise UsageError(f"verify: found {what}, expected a function written in Python")
        found = _Search().live(plain)
        if found is None:
            raise UsageError(
                "verify: the source of this function is not to be had; give FILE.py::function"
            )
        given = getattr(function, "__func__", function)
        source, whole, values = found
        code = plain.__code__
        name = plain.__qualname__.replace("<locals>.", "")
        is_kept = given is plain or isinstance(given, functools._lru_cache_wrapper)
        return Live(source, code.co_filename, name, code.co_firstlineno, values, whole, not is_kept)


def _plain(function: Any) -> types.FunctionType | None:
    """The function itself: of a method, or behind decorators that say what they wrap."""
    try:
        found = inspect.unwrap(getattr(function, "__func__", function))
    except ValueError:  # wrapped in a circle
        return None
    return found if isinstance(found, types.FunctionType) else None


@dataclass
class _Search:
    """Functions met so far, for those that call each other."""

    met: dict[types.CodeType, Any] = field(default_factory=dict)

    def live(self, function: types.FunctionType) -> tuple[str, bool, dict[str, Any]] | None:
        """The text, whether it is a whole file, and what is known besides."""
        file = function.__code__.co_filename
        whole = os.path.isfile(file)
        source = text_if_any(file) if whole else None
        if source is None:
            source = "".join(linecache.getlines(file, function.__globals__))
        if not source.strip():
            return None
        return source, whole, dict(self._values(function, whole))

    def _values(self, function: types.FunctionType, whole: bool) -> Iterator[tuple[str, Any]]:
        cells = zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)
        for name, cell in cells:
            try:
                yield from self._known(name, cell.cell_contents)
            except ValueError:  # not set yet
                continue
        names = () if whole else _names_of(function.__code__)
        for name in names:
            if name in function.__globals__:
                yield from self._known(name, function.__globals__[name])

    def _known(self, name: str, value: Any) -> Iterator[tuple[str, Any]]:
        """The value as the reader has it; nothing where it has none."""
        found = self._value(value, 0)
        if found is not NotImplemented:
            yield name, found

    def _value(self, value: Any, depth: int) -> Any:
        if value is None or isinstance(value, (bool, int, float, str, np.number)):
            return value
        if isinstance(value, np.ndarray):
            is_small = value.size <= MOST_ENTRIES and value.dtype.kind in "biuf"
            return np.array(value) if is_small else NotImplemented
        if isinstance(value, (list, tuple, dict)) and depth < DEEPEST and len(value) <= 100:
            return self._container(value, depth + 1)
        library = library_name(value)
        if library is not None:
            return of_library(library)
        plain = _plain(value) if isinstance(value, types.FunctionType) else None
        return NotImplemented if plain is not value or plain is None else self._function(plain)

    def _container(self, value: Any, depth: int) -> Any:
        keys = list(value) if isinstance(value, dict) else range(len(value))
        parts = [self._value(value[key], depth) for key in keys]
        if any(part is NotImplemented for part in parts):
            return NotImplemented
        if not isinstance(value, dict):
            return type(value)(parts) if type(value) in (list, tuple) else NotImplemented
        is_plain = all(isinstance(key, (str, int)) for key in keys)
        return dict(zip(keys, parts, strict=True)) if is_plain else NotImplemented

    def _function(self, function: types.FunctionType) -> Any:
        """A helper of another text, with what is known of the names in it."""
        code = function.__code__
        if code not in self.met and len(self.met) < MOST_FUNCTIONS:
            self.met[code] = NotImplemented  # for one that calls itself
            found = self.live(function)
            tree = parsed_tree(found[0]) if found is not None else ""
            if found is not None and not isinstance(tree, str):
                name = function.__qualname__.replace("<locals>.", "")
                place = chosen(definitions(tree), name, code.co_firstlineno)
                if not isinstance(place, str):
                    module = Module.of(tree, values=found[2], foreign=True)
                    module = module.again(tree, place.around)
                    self.met[code] = Foreign(module, place.node)
        return self.met.get(code, NotImplemented)


def _names_of(code: types.CodeType) -> list[str]:
    """Names that a function looks up in its module, those of functions inside it too."""
    found = dict.fromkeys(code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            found |= dict.fromkeys(_names_of(constant))
    return list(found)
