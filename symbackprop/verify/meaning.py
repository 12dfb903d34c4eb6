r"""The value of a formula: syntax, read under settings, at the numbers of a world.

Owns: `Meaning`: the surroundings of a formula, and which module values which node of the syntax.
Refuses: comparing sides, and reading what is not certain: that is NotUnderstood. Would be wrong
if a part of a formula were read in other surroundings than its own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import assert_never

import numpy as np

from symbackprop.reader.syntax import (
    Apply,
    Big,
    Cases,
    Comparison,
    Derivative,
    Dots,
    Group,
    Indicator,
    Matrix,
    Node,
    Norm,
    Number,
    Product,
    Quotient,
    Root,
    Scripted,
    Span,
    Sum,
    Symbol,
)
from symbackprop.verify import values as v
from symbackprop.verify.derivatives import derivative_value
from symbackprop.verify.functions import application_value, as_float
from symbackprop.verify.literals import cases_value, condition_value, matrix_value, norm_value
from symbackprop.verify.products import product_value
from symbackprop.verify.references import symbol_value
from symbackprop.verify.settings import Settings
from symbackprop.verify.sums import big_value, sum_value
from symbackprop.verify.symbols import NotUnderstood, Reference, Scope
from symbackprop.verify.values import Array, Axis, Clash, Value
from symbackprop.verify.world import World

DEEPEST = 30  # definitions, one behind the other, that a name may go back through
MOST_OPENED = 1000  # in one formula


@dataclass
class Opened:
    """The definitions that a formula goes back to: how often, and the value of each."""

    count: int = 0
    values: list[tuple[Node, Meaning, Value]] = field(default_factory=list)


@dataclass
class Meaning:
    """A formula's surroundings. `numbers` are whole numbers by letter (the layer l); `ranges` say
    which axis an index letter runs over; `local` are the variables of a function's definition;
    `moved` are numbers of the text that are not the same at every point, by their place.
    `depth` says behind how many names the formula is read, `opened` what was found there.
    """

    world: World
    settings: Settings
    numbers: Mapping[str, int] = field(default_factory=dict)
    ranges: Mapping[str, Axis] = field(default_factory=dict)
    local: Mapping[str, Value] = field(default_factory=dict)
    moved: Mapping[Span, Array] = field(default_factory=dict)
    depth: int = 0
    opened: Opened = field(default_factory=Opened)

    @cached_property
    def scope(self) -> Scope:
        depth = self.world.network.depth
        heads = [h for h, f in self.settings.letters.items() if f == "depth"]
        known = dict.fromkeys((*heads, "L"), depth + self.settings.depth)
        return Scope(self.world.network, self.settings, {**known, **self.numbers})

    def value(self, node: Node) -> Value:
        """Raises: NotUnderstood, IllFormed, Clash."""
        match node:
            case Number(value=number, span=span):
                if span in self.moved:
                    return Value(self.moved[span], literal=True)
                return v.number(as_float(number, node))
            case Symbol() | Scripted():
                return symbol_value(self, node)
            case Group(items=items):
                if len(items) == 1:
                    return self.value(items[0])
                return matrix_value(self, (items,))
            case Apply(function=function, arguments=arguments):
                return application_value(self, function, arguments, node)
            case Product(sign=sign, factors=factors):
                return product_value(self, sign, factors)
            case Quotient(numerator=top, denominator=bottom):
                return v.entrywise(self.value(top), self.value(bottom), np.divide)
            case Sum(signs=signs, terms=terms):
                return sum_value(self, signs, terms)
            case Comparison():
                return condition_value(self, node)
            case Big():
                return big_value(self, node)
            case Derivative():
                return derivative_value(self, node)
            case Matrix(rows=rows):
                return matrix_value(self, rows)
            case Cases(branches=branches):
                return cases_value(self, branches, node)
            case Indicator(condition=condition):
                return condition_value(self, condition)
            case Norm():
                return norm_value(self, node)
            case Root(content=content):
                return v.mapped(self.value(content), v.real(np.sqrt))
            case Dots():
                raise NotUnderstood("dots stand for something left out", node.span)
            case _:
                assert_never(node)

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
