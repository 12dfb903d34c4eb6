r"""The surroundings in which a formula is read.

Owns: `Meaning`: world, settings, letters with their ranges and values. Refuses: reading; which
module values which node is told in `valuation`, above those modules. Would be wrong if a part of a
formula were read in other surroundings than its own.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from symbackprop.judging.notes.formula.settings import Settings
from symbackprop.judging.notes.formula.symbols import NotUnderstood, Reference, Scope
from symbackprop.judging.notes.formula.values import Clash, Value
from symbackprop.reading.latex.syntax import Node, Span, Symbol
from symbackprop.witnesses.axes import Array, Axis
from symbackprop.witnesses.truth import World

DEEPEST = 30  # definitions, one behind the other, that a name may go back through
MOST_OPENED = 1000  # in one formula


@dataclass
class Opened:
    """The definitions that a formula goes back to: how often, and the value of each."""

    count: int = 0
    values: list[tuple[Node, Meaning, Value]] = field(default_factory=list)


@dataclass
class Meaning(ABC):
    """A formula's surroundings, in which `value` reads any part of it. `numbers` are whole numbers
    by letter (the layer l); `ranges` say which axis an index letter runs over; `local` are the
    variables of a function's definition; `moved` are numbers of the text that are not the same at
    every point, by their place.
    `one_sided` are the conditions so far that came out alike at all test points.
    `depth` says behind how many names the formula is read, `opened` what was found there.
    """

    world: World
    settings: Settings
    numbers: Mapping[str, int] = field(default_factory=dict)
    ranges: Mapping[str, Axis] = field(default_factory=dict)
    local: Mapping[str, Value] = field(default_factory=dict)
    moved: Mapping[Span, Array] = field(default_factory=dict)
    one_sided: list[Span] = field(default_factory=list)
    depth: int = 0
    opened: Opened = field(default_factory=Opened)

    @cached_property
    def scope(self) -> Scope:
        depth = self.world.network.depth
        heads = [h for h, f in self.settings.letters.items() if f == "depth"]
        known = dict.fromkeys((*heads, "L"), depth + self.settings.depth)
        numbers = {**known, **self.settings.classes, **self.numbers}
        return Scope(self.world.network, self.settings, numbers)

    @abstractmethod
    def value(self, node: Node) -> Value:
        """Raises: NotUnderstood, IllFormed, Clash."""

    def decided(self, held: Array, node: Node) -> Array:
        """A condition on values, as it is; noted where it holds at every test point or at none. A
        single point is an example, whose numbers are its own."""
        if len(self.world.points) > 1 and (np.all(held) or not np.any(held)):
            self.one_sided.append(node.span)
        return held

    def behind(self, name: Reference) -> Meaning:
        """The surroundings of a definition. Raises: NotUnderstood where it is one of too many, as
        where a name is defined by itself."""
        self.opened.count += 1
        if self.depth == DEEPEST or self.opened.count > MOST_OPENED:
            reason = f"{name.name} goes back through more than {DEEPEST} definitions"
            raise NotUnderstood(reason, name.span)
        return replace(self, depth=self.depth + 1)

    def defined(self, node: Node) -> Value:
        """The value of a definition, which may be asked for many times in one formula."""
        for known, there, value in self.opened.values:
            if known is node and self._is_like(there):
                return value
        value = self.value(node)
        self.opened.values.append((node, self, value))
        return value

    def _is_like(self, other: Meaning) -> bool:
        """Whether a definition has the same value here as there."""
        same = (self.world is other.world, self.settings is other.settings)
        return (
            all((*same, self.local is other.local, self.moved is other.moved))
            and self.numbers == other.numbers
            and self.ranges == other.ranges
        )

    def letter(self, name: str) -> Value:
        size = self.ranges[name].size
        return Value(np.arange(1, size + 1)[None, :], (name,))

    def is_letter(self, node: Node) -> bool:
        return isinstance(node, Symbol) and node.head in self.ranges

    def spanned(self, node: Node) -> Value:
        return self.within(node, lambda: self.value(node))

    def within(self, node: Node, work: Callable[[], Value]) -> Value:
        """A clash gets the place where it happened."""
        try:
            return work()
        except Clash as clash:
            clash.span = clash.span or node.span
            raise
