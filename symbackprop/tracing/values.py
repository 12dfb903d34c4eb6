"""What a name can hold besides numbers, texts and containers of Python, and how it is told.

Owns: functions, modules, objects of the code that is read, loops over a symbolic number of
samples, what could not be read and is an error only when it is used; the record of assignments.
"""

from __future__ import annotations

import ast
import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from symbackprop.derivation.normalform import Algebra, Atom, Form
from symbackprop.tracing.arrays import OutOfBounds, SymbolicArray, TraceError, runner
from symbackprop.tracing.memory import Cell

Function = ast.FunctionDef | ast.Lambda
MOST_PARTS = 20_000


class Scope(dict[str, Any]):
    """Names of one call, inside those of the function around it."""

    def __init__(self, parent: Scope | None = None, transparent: bool = False) -> None:
        super().__init__()
        self.parent = parent
        self.transparent = transparent

    def found(self, name: str) -> Scope | None:
        scope: Scope | None = self
        while scope is not None and name not in scope:
            scope = scope.parent
        return scope

    @property
    def owner(self) -> Scope:
        """Where `:=` binds: a comprehension has no names of its own but its targets."""
        return self.parent.owner if self.transparent and self.parent is not None else self


@dataclass(frozen=True)
class Module:
    """A dotted name of a library or of Python: `numpy`, `numpy.float64`, `builtin len`."""

    name: str


@dataclass(frozen=True, eq=False)
class Method:
    """A method of an array, a container, a text."""

    owner: Any
    name: str


@dataclass(frozen=True, eq=False)
class Closure:
    """A function of the code that is read; `defaults` were computed where it was defined."""

    name: str
    node: Function
    scope: Scope
    defaults: Mapping[str, Any]


@dataclass(frozen=True, eq=False)
class Bound:
    """A method of an object."""

    owner: Instance
    function: Closure


@dataclass(frozen=True, eq=False)
class Class:
    name: str
    node: ast.ClassDef


@dataclass(eq=False)
class Instance:
    kind: Class | None
    fields: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Object:
    """An object as an argument: its attributes, and the class in the source that it is of."""

    fields: Mapping[str, Any]
    kind: str | None = None


@dataclass(frozen=True, eq=False)
class Repeated:
    """Something with a symbolic number of items: `range(n)`, the rows of an array. `rows`: all
    of them as one array, where they are numbers or arrays."""

    extent: Form
    item: Callable[[Cell], Any]
    rows: SymbolicArray | None = None


@dataclass(frozen=True)
class Unread:
    """The value of an expression that is not read: an error, once it is used."""

    reason: str
    line: int | None


@dataclass(frozen=True)
class Imported(Unread):
    """What comes from another text: the module, and its name there (empty for all of it)."""

    module: str = ""
    name: str = ""


@dataclass(frozen=True, eq=False)
class Packed:
    """`a[mask]`: entries under a mask, in a row whose length nobody knows."""

    entries: SymbolicArray
    mask: SymbolicArray


@dataclass(frozen=True)
class Assignment:
    """One value that got a name, when it got it.

    `name` is the target with its keys filled in: `dW`, `grads["dW2"]`, `deltas[0]`, `self.b1`;
    `label` the name or key alone: `dW`, `dW2`. `loops`: targets and items of the loops around, in
    this function. `samples`: index variables of the loops over samples around; the value holds
    them. `function` is the innermost; `depth` 0 is the function that was asked for.
    `changed`: an existing array that was changed in place.
    """

    name: str
    label: str
    value: Any
    line: int
    column: int
    end_line: int
    end_column: int
    function: str
    depth: int
    loops: tuple[tuple[str, Any], ...] = ()
    samples: tuple[Atom, ...] = ()
    changed: bool = False


@dataclass(frozen=True)
class Traced:
    """Every named intermediate in order of assignment, and what is returned.

    Arrays are `SymbolicArray`; tuples, lists and dicts stay what they are. `lines` tells where a
    name was last assigned; `return_names` the names in the return statement, where there are.
    `assignments` has every single one, helpers and repetitions too. `arguments` are the
    arguments as the function leaves them. `assumptions` hold for the reading, if any were allowed.
    """

    names: Mapping[str, Any]
    lines: Mapping[str, int]
    returned: Any
    return_names: Any
    return_line: int
    assignments: tuple[Assignment, ...] = ()
    arguments: Mapping[str, Any] = field(default_factory=dict)
    assumptions: tuple[str, ...] = ()


def described(value: Any) -> str:
    match value:
        case Module(name=name):
            return name.replace("numpy", "np", 1)
        case Method(name=name):
            return f"the method {name}"
        case Cell():
            return "an array"
        case None:
            return "None"
    return f"a {type(value).__name__}"


def plain(value: Any) -> Any:
    """Cells replaced by the arrays they hold."""
    return _plain(value, 0, itertools.count())


def _plain(value: Any, depth: int, count: Iterator[int]) -> Any:
    if depth > 20 or next(count) > MOST_PARTS:
        raise TraceError("containers nested too deeply, or with too much in them")
    match value:
        case Cell():
            return value.value
        case Unread(reason=reason, line=line):
            raise TraceError(reason, line)
        case tuple() | list():
            return type(value)(_plain(part, depth + 1, count) for part in value)
        case dict():
            return {key: _plain(part, depth + 1, count) for key, part in value.items()}
        case Instance(kind=kind, fields=fields):
            return Object(_plain(fields, depth + 1, count), kind.name if kind else None)
    return value


def readable(value: Any) -> tuple[bool, Any]:
    """Whether the value is known, and the value."""
    try:
        return True, plain(value)
    except TraceError:
        return False, None


def cells(value: Any, fixed: bool = True) -> Any:
    """Arrays given as arguments. `fixed`: nothing may change them in place."""
    return _cells(value, fixed, {})


def _cells(value: Any, fixed: bool, seen: dict[int, Cell]) -> Any:
    if isinstance(value, SymbolicArray):
        return _argument(value, fixed, seen)
    if isinstance(value, (tuple, list)):
        return type(value)(_cells(part, fixed, seen) for part in value)
    if isinstance(value, Mapping):
        return {key: _cells(part, fixed, seen) for key, part in value.items()}
    if isinstance(value, Object):
        kind = Class(value.kind, _EMPTY) if value.kind else None
        return Instance(kind, _cells(dict(value.fields), fixed, seen))
    return value


_EMPTY = ast.ClassDef("", [], [], [], [])


def _argument(value: SymbolicArray, fixed: bool, seen: dict[int, Cell]) -> Cell:
    """One that is given twice may be one array or two: nothing may change it."""
    cell = Cell(value, fixed=fixed)
    if value.ndim and id(value) in seen:
        cell.fixed = seen[id(value)].fixed = True
    seen[id(value)] = cell
    return cell


def element_array(
    algebra: Algebra, name: str, shape: tuple[Form, ...], whole: bool
) -> SymbolicArray:
    """The array of a network's tensor."""
    indices = tuple(runner(i, extent) for i, extent in enumerate(shape))
    return SymbolicArray(shape, algebra.element(name, indices), "int" if whole else "float")


def whole(value: Any) -> int | None:
    """The whole number that a value is, if it is one."""
    if isinstance(value, int):
        return int(value)
    if isinstance(value, Cell) and value.value.ndim == 0 and value.value.dtype == "int":
        constant = value.value.form.constant
        if constant is not None and constant.denominator == 1:
            return int(constant)
    return None


def is_number(value: Any) -> bool:
    return isinstance(value, (int, float, Fraction))


def bounded(values: Any, limit: int) -> Iterator[Any]:
    """The items of an iterable of Python, but not too many."""
    iterator = iter(values)
    for _ in range(limit):
        try:
            value = next(iterator)
        except StopIteration:
            return
        except RuntimeError as problem:  # a dict that changes while it is gone through
            raise TraceError(str(problem)) from None
        yield value
    if next(iterator, _END) is not _END:
        raise OutOfBounds(f"more than {limit} repetitions")


_END = object()
