r"""The surroundings in which a formula is read.

Owns: `Meaning`: world, settings, letters with their ranges and values. Refuses: reading; which
module values which node is told in `valuation`, above those modules. Would be wrong if a part of a
formula were read in other surroundings than its own.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from symbackprop.judging.notes.formula.settings import Settings
from symbackprop.judging.notes.formula.symbols import Scope
from symbackprop.judging.notes.formula.values import Clash, Value
from symbackprop.reading.latex.syntax import Node, Span, Symbol
from symbackprop.witnesses.axes import Array, Axis
from symbackprop.witnesses.truth import World


@dataclass
class Meaning(ABC):
    """A formula's surroundings, in which `value` reads any part of it. `numbers` are whole numbers
    by letter (the layer l); `ranges` say which axis an index letter runs over; `local` are the
    variables of a function's definition; `moved` are numbers of the text that are not the same at
    every point, by their place.
    `one_sided` are the conditions so far that came out alike at all test points.
    """

    world: World
    settings: Settings
    numbers: Mapping[str, int] = field(default_factory=dict)
    ranges: Mapping[str, Axis] = field(default_factory=dict)
    local: Mapping[str, Value] = field(default_factory=dict)
    moved: Mapping[Span, Array] = field(default_factory=dict)
    one_sided: list[Span] = field(default_factory=list)

    @cached_property
    def scope(self) -> Scope:
        depth = self.world.network.depth
        heads = [h for h, f in self.settings.letters.items() if f == "depth"]
        known = dict.fromkeys((*heads, "L"), depth + self.settings.depth)
        return Scope(self.world.network, self.settings, {**known, **self.numbers})

    @abstractmethod
    def value(self, node: Node) -> Value:
        """Raises: NotUnderstood, IllFormed, Clash."""

    def decided(self, held: Array, node: Node) -> Array:
        """A condition on values, as it is; noted where it holds at every test point or at none. A
        single point is an example, whose numbers are its own."""
        if len(self.world.points) > 1 and (np.all(held) or not np.any(held)):
            self.one_sided.append(node.span)
        return held

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
