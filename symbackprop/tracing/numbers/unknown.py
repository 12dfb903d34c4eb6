"""Values that nobody here knows, and what is not known because of them.

Owns: `Unknown`, the value of whatever the reader has no meaning for, with the reason and its place;
how it is found in containers, and how arrays that somebody unknown may have changed are given up.
Refuses: guessing. Would be wrong if an array kept its value in one container after it was given up
in another.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np


@dataclass(frozen=True, eq=False)
class Unknown:
    """`reason` says why, `line` and `column` where it began; `touches` are arrays and containers
    of which it may be a part, so that a change of it may change them."""

    reason: str
    line: int = 0
    column: int = 0
    touches: tuple[Any, ...] = ()

    @property
    def apart(self) -> Unknown:
        """What is computed from it: as unknown, but no part of anything."""
        return replace(self, touches=()) if self.touches else self


_HOLDERS = (Unknown, list, tuple, dict, slice)


def first_unknown(values: Any) -> Unknown | None:
    """The first unknown value in containers, slices and values."""
    return next(unknowns_in(values), None)


def unknowns_in(values: Any) -> Iterator[Unknown]:
    """Every unknown value in containers, slices and values, each place once."""
    if not isinstance(values, _HOLDERS):
        return
    seen: set[int] = set()
    waiting = [values]
    while waiting:
        value = waiting.pop()
        if isinstance(value, Unknown):
            yield value
        elif isinstance(value, _HOLDERS) and id(value) not in seen:
            seen.add(id(value))
            parts: Iterable[Any] = value if isinstance(value, (list, tuple)) else ()
            if isinstance(value, dict):
                parts = value.values()
            elif isinstance(value, slice):
                parts = (value.start, value.stop, value.step)
            waiting += reversed([part for part in parts if isinstance(part, _HOLDERS)])


def parts_of(values: Iterable[Any], named: bool = True) -> Iterator[Any]:
    """Arrays and containers among values and inside of them, each once. Of what a function sees
    around it, only what it names if `named`."""
    seen: set[int] = set()
    waiting = list(values)
    while waiting:
        value = waiting.pop()
        if id(value) not in seen:
            seen.add(id(value))
            waiting += _inside(value, named)
            if isinstance(value, (np.ndarray, list, tuple, dict)):
                yield value


def _inside(value: Any, named: bool) -> list[Any]:
    """What a container, an object or a function of the code holds."""
    if isinstance(value, dict):
        return list(value.values())
    if isinstance(value, (list, tuple)):
        return list(value)
    if isinstance(value, Unknown):
        return list(value.touches)
    if named and hasattr(value, "scope"):
        names = {node.id for node in ast.walk(value.node) if isinstance(node, ast.Name)}
        mentioned = [part for name, part in value.scope.items() if name in names]
        return [*mentioned, value.defaults, value.owner]
    names_ = ("bundle", "written", "scope", "defaults", "owner")
    return [getattr(value, name) for name in names_ if hasattr(value, name)]


def give_up(frames: Sequence[dict[str, Any]], values: Iterable[Any], unknown: Unknown) -> None:
    """Put `unknown` in place of arrays and containers that may be others now, under whatever
    name and in whatever container they stand."""
    lost = list(parts_of(values))
    arrays = [part for part in lost if isinstance(part, np.ndarray)]
    others = {id(part) for part in lost if isinstance(part, (list, dict))}

    def known(value: Any) -> Any:
        if isinstance(value, np.ndarray):
            return unknown if any(np.may_share_memory(value, a) for a in arrays) else value
        if isinstance(value, tuple):
            return tuple(map(known, value))
        return unknown if id(value) in others else value

    for holder in list(parts_of(frames, named=False)):
        if isinstance(holder, dict):
            holder.update({key: known(value) for key, value in holder.items()})
        elif isinstance(holder, list):
            holder[:] = map(known, holder)
