"""Lists, dicts, texts and the functions of Python that are read.

Owns: builtins and the methods of containers. Lists, dicts and iterators of the code are real ones,
so that what changes while a loop runs, changes as in Python.
Refuses: comparing arrays as objects; anything unbounded.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Mapping, Sequence
from string import Formatter
from typing import Any

from symbackprop.tracing import arrays, operators, ranges
from symbackprop.tracing.arrays import SymbolicArray, TraceError
from symbackprop.tracing.machine import Machine
from symbackprop.tracing.memory import Cell
from symbackprop.tracing.numpy_functions import call, rows_of
from symbackprop.tracing.operators import binary, formatted, truth
from symbackprop.tracing.values import Module, Repeated, bounded, described, whole

MOST_ITEMS = 2000
_SIMPLE = (str, int, type(None))


def iterable(m: Machine, value: Any) -> Any:
    """An iterable of Python, or a symbolic number of items."""
    if isinstance(value, Cell):
        return rows_of(m, value)
    if isinstance(value, (list, tuple, dict, range, str, Repeated)):
        return value
    if isinstance(value, Iterator) or type(value) in _VIEWS:
        if isinstance(value, Iterator):
            m.memory.may_change(value)
        return value
    raise TraceError(f"a loop over {described(value)}")


_VIEWS: tuple[type, ...] = (type({}.keys()), type({}.values()), type({}.items()))


def items(m: Machine, value: Any) -> list[Any]:
    found = iterable(m, value)
    if isinstance(found, Repeated):
        raise TraceError("a list with a symbolic number of items")
    return list(bounded(found, MOST_ITEMS))


# --------------------------------------------------------------------------------------------
# Builtins
# --------------------------------------------------------------------------------------------


def _len(m: Machine, value: Any) -> Any:
    if isinstance(value, Cell) and value.value.ndim:
        return m.number(value.value.shape[0])
    if isinstance(value, Repeated):
        return m.number(value.extent)
    if isinstance(value, (tuple, list, dict, str, range)) or type(value) in _VIEWS:
        return len(value)
    raise TraceError(f"len of {described(value)}")


def _range(m: Machine, *ends: Any) -> Any:
    numbers = [whole(end) for end in ends]
    if all(number is not None for number in numbers) and 1 <= len(numbers) <= 3:
        if len(numbers) == 3 and numbers[2] == 0:
            raise TraceError("range with step 0")
        return range(*(number for number in numbers if number is not None))
    last = ends[-1] if len(ends) == 1 or (len(ends) == 2 and numbers[0] == 0) else None
    if isinstance(last, Cell) and last.value.ndim == 0 and ranges.is_size(last.value.form):
        return Repeated(last.value.form, lambda index: index, arrays.arange(last.value.form))
    raise TraceError("range with ends that are not known")


def _enumerate(m: Machine, values: Any, start: Any = 0) -> Any:
    first, found = whole(start), iterable(m, values)
    if first is None:
        raise TraceError("enumerate from something that is no number")
    if not isinstance(found, Repeated):
        return m.memory.made(enumerate(found, first))
    return Repeated(
        found.extent, lambda index: (binary(m, ast.Add(), index, first), found.item(index))
    )


def _zip(m: Machine, *sides: Any) -> Any:
    found = [iterable(m, side) for side in sides]
    if not any(isinstance(side, Repeated) for side in found):
        return m.memory.made(zip(*found, strict=False))
    if not all(isinstance(s, Repeated) and s.extent == found[0].extent for s in found):
        raise TraceError("zip of different numbers of items")
    return Repeated(found[0].extent, lambda index: tuple(side.item(index) for side in found))


def _reversed(m: Machine, values: Any) -> Any:
    found = iterable(m, values)
    if isinstance(found, Repeated):
        raise TraceError("reversed of a symbolic number of items")
    if not isinstance(found, (list, tuple, range, dict, str)):
        raise TraceError(f"reversed of {described(values)}")
    return m.memory.made(reversed(found))


def _sum(m: Machine, values: Any, start: Any = 0) -> Any:
    if isinstance(values, Repeated):
        values = m.memory.cell(m.array(values))
    if isinstance(values, Cell):
        return binary(m, ast.Add(), start, call(m, "sum", [values, 0], {}))
    total = start
    for value in items(m, values):
        total = binary(m, ast.Add(), total, value)
    return total


def _list(m: Machine, *values: Any) -> Any:
    if values and isinstance(values[0], Repeated):
        return values[0]
    return m.memory.made(items(m, values[0]) if values else [])


def _dict(m: Machine, *values: Any, **named: Any) -> Any:
    found: dict[Any, Any] = {}
    if values and isinstance(values[0], dict):
        found.update(values[0])
    elif values:
        for pair in items(m, values[0]):
            key, value = items(m, pair)
            found[checked_key(key)] = value
    found.update(named)
    return m.memory.made(found)


def _float(m: Machine, value: Any) -> Any:
    if isinstance(value, Cell) and value.value.ndim == 0:
        return m.memory.cell(SymbolicArray((), value.value.form))
    if isinstance(value, (int, float)):
        return float(value) if abs(value) < 2**53 else _refuse("a large number")
    return _refuse(f"float of {described(value)}")


def _refuse(reason: str) -> Any:
    raise TraceError(reason)


def _int(m: Machine, value: Any) -> Any:
    if isinstance(value, (int, float)):
        return int(value)
    if isinstance(value, Cell) and value.value.ndim == 0 and value.value.dtype == "int":
        return value if whole(value) is None else whole(value)
    return _refuse(f"int of {described(value)}")


def _str(m: Machine, value: Any) -> str:
    number = whole(value)
    if isinstance(value, str) or value is None or isinstance(value, bool):
        return str(value)
    if number is None:
        raise TraceError("text made from an array")
    return str(number)


def _extreme(function: Callable[[list[int]], int], name: str) -> Callable[..., Any]:
    def read(m: Machine, *values: Any) -> Any:
        found = items(m, values[0]) if len(values) == 1 else list(values)
        numbers = [whole(value) for value in found]
        if found and all(number is not None for number in numbers):
            return function([number for number in numbers if number is not None])
        raise TraceError(f"{name} of these values")

    return read


def _sorted(m: Machine, values: Any, reverse: Any = False) -> Any:
    found = items(m, values)
    same = all(isinstance(v, str) for v in found) or all(isinstance(v, int) for v in found)
    if not same:
        raise TraceError("sorted of other things than texts or whole numbers")
    return m.memory.made(sorted(found, reverse=truth(reverse)))


def _isinstance(m: Machine, value: Any, kinds: Any) -> bool:
    names = kinds if isinstance(kinds, tuple) else (kinds,)
    return any(_is_of(value, kind) for kind in names)


_KINDS: Mapping[str, type] = {
    "builtin list": list,
    "builtin tuple": tuple,
    "builtin dict": dict,
    "builtin str": str,
}


def _is_of(value: Any, kind: Any) -> bool:
    name = kind.name if isinstance(kind, Module) else ""
    if name in _KINDS:
        return isinstance(value, _KINDS[name])
    if isinstance(value, (str, list, tuple, dict, type(None))):
        return False
    if name == "numpy.ndarray" and isinstance(value, Cell):
        if value.value.ndim:
            return True
    elif name == "numpy.ndarray" and isinstance(value, (int, float)):
        return False
    elif name in ("builtin int", "builtin float") and isinstance(value, (bool, int, float)):
        return isinstance(value, int if name == "builtin int" else float)
    elif name in ("builtin int", "builtin float") and isinstance(value, Cell) and value.value.ndim:
        return False
    raise TraceError(f"isinstance of {described(value)} and {described(kind)}")


def _round(m: Machine, value: Any) -> int:
    number = whole(value)
    return number if number is not None else _refuse("round of a decimal")


def _abs(m: Machine, value: Any) -> Any:
    return abs(value) if isinstance(value, int) else call(m, "abs", [value], {})


_BUILTINS: Mapping[str, Callable[..., Any]] = {
    "len": _len,
    "range": _range,
    "enumerate": _enumerate,
    "zip": _zip,
    "reversed": _reversed,
    "sum": _sum,
    "list": _list,
    "tuple": lambda m, *values: tuple(items(m, values[0]) if values else ()),
    "dict": _dict,
    "float": _float,
    "int": _int,
    "str": _str,
    "bool": lambda m, value: truth(value),
    "abs": _abs,
    "min": _extreme(min, "min"),
    "max": _extreme(max, "max"),
    "any": lambda m, values: any(truth(value) for value in items(m, values)),
    "all": lambda m, values: all(truth(value) for value in items(m, values)),
    "sorted": _sorted,
    "isinstance": _isinstance,
    "round": _round,
    "print": lambda m, *values, **named: None,
}
BUILTINS = frozenset(_BUILTINS)
CONSUMERS = frozenset("sum list tuple dict any all min max sorted join".split())
"""What takes a generator and empties it at once."""
_NAMED = {"enumerate": {"start"}, "sum": {"start"}, "sorted": {"reverse"}}
_COUNTS = {"len": 1, "sum": 2, "bool": 1, "float": 1, "int": 1, "str": 1, "abs": 1, "isinstance": 2}


def builtin(m: Machine, name: str, args: Sequence[Any], named: Mapping[str, Any]) -> Any:
    extra = set(named) - _NAMED.get(name, set())
    if extra and name not in ("dict", "print"):
        raise TraceError(f"keywords of {name}")
    try:
        return _BUILTINS[name](m, *args, **named)
    except TypeError:  # the number of arguments is another
        raise TraceError(f"{name} with these arguments") from None


# --------------------------------------------------------------------------------------------
# Methods
# --------------------------------------------------------------------------------------------

METHODS: Mapping[type, frozenset[str]] = {
    dict: frozenset("get keys items values copy update pop setdefault".split()),
    list: frozenset("append insert pop extend reverse copy clear index".split()),
    tuple: frozenset(("index",)),
    str: frozenset(
        "lower upper strip startswith endswith format join replace split capitalize title".split()
    ),
}


def method(m: Machine, owner: Any, name: str, args: Sequence[Any], named: dict[str, Any]) -> Any:
    if isinstance(owner, str):
        return _text_method(owner, name, args, named)
    if named and not (isinstance(owner, dict) and name == "update"):
        raise TraceError(f"keywords of {name}")
    if isinstance(owner, dict):
        return _dict_method(m, owner, name, args, named)
    return _list_method(m, owner, name, args)


def checked_key(key: Any) -> Any:
    number = whole(key)
    if number is not None and not isinstance(key, bool):
        return number
    if isinstance(key, tuple):
        return tuple(map(checked_key, key))
    if not isinstance(key, (str, int)):
        raise TraceError("a key that is neither a text nor a number")
    return key


def _dict_method(
    m: Machine, owner: dict[Any, Any], name: str, args: Sequence[Any], named: Mapping[str, Any]
) -> Any:
    match name, args:
        case "get", [key] | [key, _]:
            return owner.get(checked_key(key), args[1] if len(args) > 1 else None)
        case "keys", []:
            return owner.keys()
        case "values", []:
            return owner.values()
        case "items", []:
            return owner.items()
        case "copy", []:
            return m.memory.made(dict(owner))
        case "update", [] | [_]:
            m.memory.may_change(owner)
            owner.update(_dict(m, *args, **named))
            return None
        case "setdefault", [key, value]:
            if checked_key(key) not in owner:
                m.memory.may_change(owner)
            return owner.setdefault(checked_key(key), value)
        case "pop", [key] | [key, _]:
            m.memory.may_change(owner)
            if checked_key(key) not in owner and len(args) == 1:
                raise TraceError(f"no entry {key!r}")
            return owner.pop(checked_key(key), *args[1:])
    raise TraceError(f"{name} with these arguments")


def _list_method(m: Machine, owner: Any, name: str, args: Sequence[Any]) -> Any:
    if name == "index":
        return _position(owner, args)
    if name == "copy" and not args:
        return m.memory.made(list(owner))
    m.memory.may_change(owner)
    match name, args:
        case "append", [value]:
            owner.append(value)
        case "insert", [where, value] if whole(where) is not None:
            owner.insert(whole(where), value)
        case "extend", [values]:
            owner.extend(items(m, values))
        case "reverse", []:
            owner.reverse()
        case "clear", []:
            owner.clear()
        case "pop", [] | [_] if owner:
            where = whole(args[0]) if args else -1
            if where is None or not -len(owner) <= where < len(owner):
                raise TraceError("a position outside the list")
            return owner.pop(where)
        case _:
            raise TraceError(f"{name} with these arguments")
    if len(owner) > operators.LONGEST:
        raise TraceError("a text or list that is too long")
    return None


def _position(owner: Sequence[Any], args: Sequence[Any]) -> int:
    if len(args) != 1 or not all(isinstance(v, _SIMPLE) for v in (*owner, *args)):
        raise TraceError("index in a list of arrays")
    if args[0] not in owner:
        raise TraceError(f"no item {args[0]!r}")
    return list(owner).index(args[0])


def _text_method(owner: str, name: str, args: Sequence[Any], named: Mapping[str, Any]) -> Any:
    if name == "format":
        return _format(owner, args, named)
    if named or not all(isinstance(arg, (str, int, list, tuple)) for arg in args):
        raise TraceError(f"{name} with these arguments")
    if name == "join":
        if len(args) != 1 or not all(isinstance(part, str) for part in args[0]):
            raise TraceError("join of other things than texts")
        return owner.join(args[0])
    if sum(len(a) for a in args if isinstance(a, str)) * (len(owner) + 1) > 100 * operators.LONGEST:
        raise TraceError("a text or list that is too long")
    try:
        return getattr(owner, name)(*args)
    except (TypeError, ValueError):
        raise TraceError(f"{name} with these arguments") from None


def _format(template: str, args: Sequence[Any], named: Mapping[str, Any]) -> str:
    try:
        fields = [name for _, name, _, _ in Formatter().parse(template) if name is not None]
    except ValueError as problem:
        raise TraceError(f"the text {template!r}: {problem}") from None
    if any("." in name or "[" in name for name in fields):
        raise TraceError("a text with attributes in it")
    values = [_text_value(arg) for arg in args]
    texts = {key: _text_value(value) for key, value in named.items()}
    return formatted(
        template, lambda: template.format(*values, **texts), [*values, *texts.values()]
    )


def _text_value(value: Any) -> Any:
    number = whole(value)
    return value if number is None else number
