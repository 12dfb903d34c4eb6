"""What every operation on arrays needs: the algebra, the memory, whoever watches.

Owns: the step from values of the code to symbolic arrays and back.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from symbackprop.derivation.normalform import Algebra, Form, number
from symbackprop.tracing import arrays, indexing
from symbackprop.tracing.arrays import SymbolicArray, TraceError
from symbackprop.tracing.indexing import Selection
from symbackprop.tracing.memory import Cell, Memory, View
from symbackprop.tracing.values import Repeated, described

MOST_BITS = 4096
Recogniser = Callable[[SymbolicArray], SymbolicArray]


@dataclass
class Machine:
    """`on_value` may put an equal value in place of every array that is computed.

    `unclipped`: `np.clip` is read as changing nothing, which `assumptions` then says."""

    algebra: Algebra
    on_value: Recogniser | None = None
    unclipped: bool = False
    memory: Memory = field(default_factory=Memory)
    assumptions: dict[str, None] = field(default_factory=dict)
    line: int | None = None

    def array(self, value: Any) -> SymbolicArray:
        if isinstance(value, Cell):
            return value.value
        if isinstance(value, (bool, int, float, Fraction)):
            return arrays.scalar(value)
        if isinstance(value, Repeated) and value.rows is not None:
            return value.rows
        if isinstance(value, range) and value.start == 0 and value.step == 1 and value.stop > 0:
            return arrays.arange(number(value.stop))
        if isinstance(value, (list, tuple, range)):
            if len(value) > 64:
                raise TraceError("an array made from a long list")
            return arrays.stacked(self.algebra, [self.array(part) for part in value])
        raise TraceError(f"an array was expected, not {described(value)}")

    def seen(self, array: SymbolicArray) -> SymbolicArray:
        """Inside a loop over samples values hold its index, and nobody is asked."""
        for number_ in array.form.terms.values():
            if max(number_.numerator.bit_length(), number_.denominator.bit_length()) > MOST_BITS:
                raise TraceError("a number that is too long")
        if self.on_value is not None and array.ndim > 0 and not self.memory.frames:
            return self.on_value(array)
        return array

    def cell(self, array: SymbolicArray) -> Cell:
        return self.memory.cell(self.seen(array))

    def view(self, owner: Cell, view: View) -> Cell:
        return self.memory.view(owner, view, self.seen(view.read(owner.value)))

    def write(self, cell: Cell, new: SymbolicArray) -> None:
        self.memory.write(cell, self.seen(new))

    def number(self, form: Form) -> Any:
        """A size: a Python number where it is one."""
        constant = form.constant
        if constant is not None and constant.denominator == 1:
            return int(constant)
        return self.memory.cell(arrays.size(form))

    def selected(self, owner: Cell, parts: list[indexing.Part]) -> Cell:
        chosen = indexing.selection(self.algebra, owner.value, parts)
        if chosen.is_basic and (chosen.shape or not owner.value.ndim):
            return self.view(owner, self._window(chosen))
        return self.cell(indexing.selected(self.algebra, owner.value, chosen))

    def _window(self, chosen: Selection) -> View:
        return View(
            lambda array: indexing.selected(self.algebra, array, chosen),
            lambda array, new: indexing.changed(self.algebra, array, chosen, new),
        )

    def transposed(self, owner: Cell, order: tuple[int, ...]) -> Cell:
        back = tuple(order.index(axis) for axis in range(len(order)))
        return self.view(
            owner,
            View(
                lambda array: arrays.transposed(array, order),
                lambda _, new: arrays.transposed(new, back),
            ),
        )

    def refitted(self, owner: Cell, kept: list[int | None], certain: bool = True) -> Cell:
        """The same entries with axes of size 1 added or removed."""
        gone = [axis for axis in range(owner.value.ndim) if axis not in kept]
        back: list[int | None] = [
            None if axis in gone else kept.index(axis) for axis in range(owner.value.ndim)
        ]
        cell = self.view(
            owner,
            View(
                lambda array: arrays.with_axes(array, kept),
                lambda _, new: arrays.with_axes(new, back),
                certain,
            ),
        )
        return cell
