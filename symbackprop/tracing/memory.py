"""Arrays as objects: who changes when an array is changed in place.

Owns: cells (an array that names refer to), views that read and write another cell, the loops over
samples inside which changes are watched.
Refuses: reading a cell whose content NumPy leaves open (a reshape is a view or a copy, depending
on the layout).
Would be wrong if: a view kept its old value after its owner changed. Each view remembers the
version of its owner that it has seen.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from symbackprop.tracing.arrays import ShapeClash, SymbolicArray, TraceError, widest

_OPEN = "an array that a change in place of its reshaped form may or may not have reached"


@dataclass(frozen=True)
class View:
    """How a view reads its owner, and what the owner is after the view was written.

    `certain`: False where NumPy makes a view or a copy, depending on the layout."""

    read: Callable[[SymbolicArray], SymbolicArray]
    write: Callable[[SymbolicArray, SymbolicArray], SymbolicArray] | None = None
    certain: bool = True


@dataclass(eq=False)
class Cell:
    """An array as an object. `fixed`: an argument that nothing may change. `boxed`: an array
    without axes that is an object of its own (`np.array(0.0)`), and no number."""

    current: SymbolicArray
    level: int = 0
    fixed: bool = False
    boxed: bool = False
    base: Cell | None = None
    view: View | None = None
    version: int = 0
    lost: str | None = None

    @property
    def root(self) -> Cell:
        return self if self.base is None else self.base.root

    @property
    def value(self) -> SymbolicArray:
        if self.lost is not None:
            raise TraceError(self.lost)
        if self.base is not None and self.version != self.root.version:
            assert self.view is not None
            inside = self.base.value
            if not self.view.certain:
                raise TraceError(_OPEN)
            self.current = self.view.read(inside)
            self.version = self.root.version
        return self.current

    @property
    def is_number(self) -> bool:
        """Immutable, as Python's numbers and NumPy's scalars are."""
        return self.value.ndim == 0 and not self.boxed and self.base is None

    def put(self, new: SymbolicArray) -> None:
        """Change the content; `Memory.write` checks whether that is allowed."""
        if self.base is None:
            self.current = new
            self.version += 1
            return
        assert self.view is not None
        if not self.view.certain:
            self._detach(new)
            return
        if self.view.write is None:
            raise TraceError("a change in place of a view that is only read")
        self.base.put(self.view.write(self.base.value, new))
        self.current, self.version = new, self.root.version

    def _detach(self, new: SymbolicArray) -> None:
        root = self.root
        root.version += 1
        root.lost = _OPEN
        self.base = self.view = None
        self.current, self.version = new, root.version + 1

    def restate(self, equal: SymbolicArray) -> None:
        """The same value in other terms."""
        self.current = equal


class Touched(Exception):
    """A loop over samples changes an array from outside that it does not yet watch."""

    def __init__(self, cell: Cell, frame: Frame) -> None:
        self.cell, self.frame = cell, frame


@dataclass(eq=False)
class Frame:
    """A loop over samples that is being read: arrays it watches, containers made inside it."""

    watched: list[Cell] = field(default_factory=list)
    made: dict[int, Any] = field(default_factory=dict)


@dataclass
class Memory:
    """The loops over samples that are being read, outermost first."""

    frames: list[Frame] = field(default_factory=list)

    def cell(self, array: SymbolicArray, boxed: bool = False) -> Cell:
        return Cell(array, len(self.frames), boxed=boxed)

    def view(self, owner: Cell, view: View, array: SymbolicArray) -> Cell:
        return Cell(array, len(self.frames), base=owner, view=view, version=owner.root.version)

    def made(self, container: Any) -> Any:
        """A new list, dict or iterator: a loop over samples may change what it made itself."""
        if self.frames:
            self.frames[-1].made[id(container)] = container
        return container

    def may_change(self, container: Any) -> None:
        if self.frames and id(container) not in self.frames[-1].made:
            raise TraceError("a list or dict from outside is changed in a loop over samples")

    def watch(self, root: Cell) -> None:
        for frame in self.frames[root.level :]:
            if not any(root is cell for cell in frame.watched):
                raise Touched(root, frame)

    def write(self, cell: Cell, new: SymbolicArray) -> None:
        """A change in place, of all entries: NumPy keeps the shape and the type."""
        old = cell.value
        if cell.root.fixed:
            raise TraceError("a change in place of an array that others may share")
        if new.shape != old.shape:
            raise ShapeClash("a change in place does not keep the shape")
        if widest(old.dtype, new.dtype) != old.dtype:
            raise TraceError(f"a change in place of {old.dtype} entries by {new.dtype}")
        self.watch(cell.root)
        if self.frames and cell.view is not None and not cell.view.certain:
            raise TraceError("a change in place of a reshaped array in a loop over samples")
        cell.put(SymbolicArray(new.shape, new.form, old.dtype))
