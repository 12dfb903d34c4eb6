"""The part of NumPy that may be called on numbers while somebody's code is read.

Owns: the list of functions, methods and attributes, and the bounds on what they may make.
Refuses: everything that is not listed, random numbers, files, and arrays that would be large.
Would be wrong if a listed function could run code, write a file, or outgrow the bound.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

MOST_ENTRIES = 100_000
MOST_WORK = 10_000_000
MOST_DEEP = 32

_PLAIN = (
    "exp exp2 expm1 log log1p log2 log10 tanh sinh cosh sin cos arctan sqrt square cbrt abs "
    "absolute fabs sign maximum minimum fmax fmin where clip sum mean max amax min amin prod dot "
    "matmul outer inner multiply add subtract divide true_divide floor_divide mod negative "
    "positive power float_power reciprocal einsum transpose reshape ravel squeeze expand_dims "
    "concatenate vstack hstack stack column_stack append zeros ones full empty zeros_like "
    "ones_like full_like empty_like eye identity diag diagonal diagflat arange array asarray "
    "asanyarray ascontiguousarray copy argmax argmin atleast_1d atleast_2d swapaxes moveaxis "
    "greater greater_equal less less_equal equal not_equal logical_and logical_or logical_not "
    "logical_xor heaviside ndim shape size tile repeat broadcast_to isclose allclose array_equal "
    "tensordot insert delete take take_along_axis average std var cumsum flip flipud fliplr "
    "nan_to_num any all linspace trace kron isnan isfinite flatnonzero nonzero count_nonzero "
    "logaddexp nansum nanmean rollaxis split dtype sort argsort round"
)
_TYPES = ("float64", "float32", "int64", "int32", "int8", "intp", "bool_", "double")


def _expit(x: Any) -> Any:
    return 1 / (1 + np.exp(-np.asarray(x, dtype=float)))


def _logsumexp(a: Any, axis: Any = None, keepdims: Any = False) -> Any:
    top = np.max(a, axis=axis, keepdims=True)
    found = np.log(np.sum(np.exp(a - top), axis=axis, keepdims=True)) + top
    return found if keepdims else np.squeeze(found, axis=axis)


def _log_softmax(x: Any, axis: Any = None) -> Any:
    return x - _logsumexp(x, axis, True)


FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    **{name: getattr(np, name) for name in (*_PLAIN.split(), *_TYPES)},
    "add.at": np.add.at,
    "subtract.at": np.subtract.at,
    "multiply.at": np.multiply.at,
    "linalg.norm": np.linalg.norm,
    "special.expit": _expit,
    "special.logsumexp": _logsumexp,
    "special.log_softmax": _log_softmax,
    "special.softmax": lambda x, axis=None: np.exp(_log_softmax(x, axis)),
}
_MATH = (
    "exp exp2 expm1 log log1p log2 log10 sqrt pow fabs tanh sinh cosh sin cos tan atan hypot "
    "floor ceil erf isnan isinf isfinite"
)
MATH: Mapping[str, Callable[..., Any]] = {
    name: getattr(math, name) for name in _MATH.split() if hasattr(math, name)
}
CONSTANTS: Mapping[str, Any] = {
    "newaxis": None,
    "e": np.e,
    "pi": np.pi,
    "inf": np.inf,
    "float": np.float64,
    "int": np.int64,
}
NAMES = frozenset(
    [f"numpy.{name}" for name in (*FUNCTIONS, *CONSTANTS)]
    + [f"math.{name}" for name in (*MATH, "pi", "e", "inf")]
)
ARRAY_METHODS = frozenset(
    "sum mean max min prod dot copy astype transpose reshape ravel flatten squeeze clip argmax "
    "argmin item fill std var any all repeat take diagonal cumsum tolist swapaxes round conj "
    "nonzero trace".split()
)
ARRAY_ATTRIBUTES = frozenset(("T", "shape", "size", "ndim", "dtype", "real"))
_MAKERS = frozenset(
    "zeros ones full empty eye identity diag diagflat arange linspace tile repeat".split()
)
_MAKERS_TO_SHAPE = frozenset(("broadcast_to",))
_FORBIDDEN_KEYWORDS = frozenset(("out", "like", "order", "casting", "sig", "signature", "subok"))


class TooLarge(ValueError):
    """Something would be larger than the bound."""


def checked_call(name: str, function: Callable[..., Any], args: Sequence[Any], named: Any) -> Any:
    """The call, unless what it makes could be large."""
    refused = _FORBIDDEN_KEYWORDS & set(named) - {"out"}
    if refused:
        raise TypeError(f"the argument {min(refused)}")
    if name in _MAKERS:
        _check_making(name, args, named)
    is_large = name in _MAKERS_TO_SHAPE and count_of(args[1:]) > MOST_ENTRIES
    if is_large or count_of(named.get("shape")) > MOST_ENTRIES:
        raise TooLarge("an array that is too large")
    return bounded(function(*args, **named))


def check_work(values: Sequence[Any]) -> int:
    """A bound on the entries that an operation goes through."""
    work = 1
    for value in values:
        if isinstance(value, np.ndarray):
            work *= max(value.size, 1)
        elif isinstance(value, (list, tuple, range)):
            work *= max(_entries(value), 1)
    if work > MOST_WORK:
        raise TooLarge("an operation that is too large")
    return work


def _entries(values: Any) -> int:
    """How many entries a nested list has; counting ends where they are too many, or too deep."""
    total, waiting = 0, [(values, 0)]
    while waiting:
        inside, depth = waiting.pop()
        if isinstance(inside, range):
            total += len(inside)
        elif isinstance(inside, (list, tuple)):
            total += len(inside)
            waiting += [(part, depth + 1) for part in inside if isinstance(part, _HOLDERS)]
        else:
            total += inside.size
        if total > MOST_ENTRIES or depth > MOST_DEEP:
            raise TooLarge("a list that is too long, or nested too deeply")
    return total


_HOLDERS = (list, tuple, range, np.ndarray)


def size_of(value: Any) -> int:
    """How many entries a value holds in memory."""
    if isinstance(value, np.ndarray):
        return value.size
    return len(value) if isinstance(value, (list, tuple, str, set)) else 1


def bounded(value: Any) -> Any:
    if isinstance(value, np.ndarray) and value.size > MOST_ENTRIES:
        raise TooLarge("an array that is too large")
    if isinstance(value, np.ndarray) and value.dtype == object:
        raise TypeError("an array of objects")
    return value


def _check_making(name: str, args: Sequence[Any], named: Mapping[str, Any]) -> None:
    values = [*args, *named.values()]
    if name in ("arange", "linspace"):
        numbers = [float(v) for v in values if isinstance(v, (int, float, np.number))]
        span = max((abs(n) for n in numbers), default=0.0)
        step = abs(numbers[2]) if name == "arange" and len(numbers) > 2 else 1.0
        if not span <= MOST_ENTRIES * max(step, 1e-300):
            raise TooLarge("an array that is too large")
        return
    if name in ("diag", "diagflat"):
        count = sum(count_of(value) for value in values) ** 2
    elif name in ("eye", "identity"):
        size = max((int(v) for v in values if isinstance(v, (int, np.integer))), default=0)
        count = size * size
    else:
        count = count_of(values)
    if count > MOST_ENTRIES:
        raise TooLarge("an array that is too large")


def count_of(values: Any) -> int:
    """The product of all sizes and whole numbers in arguments: a bound on what they make."""
    if isinstance(values, (bool, np.bool_)) or values is None:
        return 1
    if isinstance(values, (int, np.integer)):
        return max(abs(int(values)), 1)
    if isinstance(values, np.ndarray):
        return max(values.size, 1)
    total = 1
    if isinstance(values, (tuple, list)):
        for value in values:
            total *= count_of(value)
    return total
