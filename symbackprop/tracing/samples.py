"""Loops over a symbolic number of samples: the body is read once, at a symbolic index.

Owns: what may change in such a loop. Each array that the body changes is an unknown while it is
read. What it adds to the unknown, if that does not depend on unknowns, is summed over the loop.
Where it changes the unknown in the row of its own index alone, and reads no other row, each row is
what its own pass made of it.
Refuses: every other dependence between passes, break, return, lists that grow.
Would be wrong if: a pass read what another pass had written. Unknowns show that they were read.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from symbackprop.derivation.normalform import ONE, ZERO, Atom, Exponent, Form, atom, variable
from symbackprop.tracing import indexing, ranges
from symbackprop.tracing.arrays import (
    DType,
    Shape,
    SymbolicArray,
    TraceError,
    aligned,
    place,
    widest,
)
from symbackprop.tracing.evaluator import Evaluator
from symbackprop.tracing.memory import Cell, Frame, Touched
from symbackprop.tracing.values import Repeated, Scope, Unread, element_array

MOST_WATCHED = 64
_CARRIED = "a name that a loop over samples carries from pass to pass"
_AFTER = "a name that a loop over samples leaves with the value of its last pass"


@dataclass(frozen=True)
class _Slot:
    """An unknown: `name` in forms, and the value before the loop."""

    name: str
    before: SymbolicArray
    unknown: SymbolicArray


@dataclass(frozen=True)
class _Pass:
    """What one pass leaves: new values of watched arrays, of numbers, of other names; and the
    arrays that names had before the pass gave them another."""

    index: Atom
    slots: Sequence[_Slot]
    cells: Sequence[tuple[Cell, _Slot, SymbolicArray]]
    names: dict[str, tuple[_Slot | None, Any]]
    held: dict[str, Cell]


def read_once(reader: Evaluator, loop: ast.For, source: Repeated, scope: Scope) -> None:
    """Read the loop, and leave arrays and names as the whole loop leaves them."""
    names = _assigned_names(loop)
    watched = _roots([scope[name] for name in sorted(names) if name in scope])
    for _ in range(MOST_WATCHED):
        try:
            found = _one_pass(reader, loop, source, scope, watched, names)
        except Touched as touched:
            if touched.frame not in reader.machine.memory.frames and _is_ours(touched, watched):
                watched.append(touched.cell)
                continue
            raise
        _finish(reader, found, scope)
        return
    raise TraceError("a loop over samples that changes too many arrays", loop.lineno)


def _is_ours(touched: Touched, watched: Sequence[Cell]) -> bool:
    return all(touched.cell is not cell for cell in watched)


def _assigned_names(loop: ast.For) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(loop):
        match node:
            case ast.Name(id=name, ctx=ast.Store() | ast.Del()) | ast.FunctionDef(name=name):
                found.add(name)
    return found


def _roots(values: Sequence[Any]) -> list[Cell]:
    found: list[Cell] = []
    for value in values:
        is_array = isinstance(value, Cell) and value.lost is None and not value.is_number
        if is_array and all(value.root is not cell for cell in found):
            found.append(value.root)
    return found


# --------------------------------------------------------------------------------------------
# One pass
# --------------------------------------------------------------------------------------------


def _one_pass(
    reader: Evaluator,
    loop: ast.For,
    source: Repeated,
    scope: Scope,
    watched: Sequence[Cell],
    names: set[str],
) -> _Pass:
    m = reader.machine
    index = m.algebra.fresh(variable("", source.extent))
    kept, before = dict(scope), [cell.value for cell in watched]
    for cell in watched:
        m.memory.watch(cell)
    slots = [_slot(reader, array) for array in before]
    numbers = {n: _slot(reader, m.array(scope[n])) for n in sorted(names) if _counts(scope, n)}
    carried = {n: Unread(_CARRIED, loop.lineno) for n in names if _is_carried(scope, n)}
    m.memory.frames.append(Frame(list(watched)))
    reader.samples.append(index)
    depth = len(reader.calls[-1].loops)
    try:
        for cell, slot in zip(watched, slots, strict=True):
            cell.put(slot.unknown)
        for name, slot in numbers.items():
            scope[name] = m.memory.cell(slot.unknown)
        scope.update(carried)
        reader.assign(loop.target, source.item(m.memory.cell(_whole(index))), scope)
        _body(reader, loop, scope)
        after = [(c, s, c.value) for c, s in zip(watched, slots, strict=True)]
        left = {
            name: (numbers.get(name), value)
            for name, value in scope.items()
            if name in names and value is not carried.get(name, kept.get(name, index))
        }
    finally:
        del reader.calls[-1].loops[depth:]
        reader.samples.pop()
        m.memory.frames.pop()
        scope.clear()
        scope.update(kept)
        for cell, array in zip(watched, before, strict=True):
            cell.put(array)
    held = {name: kept[name] for name in left if isinstance(kept.get(name), Cell)}
    return _Pass(index, [*slots, *numbers.values()], after, left, held)


def _body(reader: Evaluator, loop: ast.For, scope: Scope) -> None:
    for node in ast.walk(loop):
        if isinstance(node, (ast.Break, ast.Continue, ast.Return)) and _belongs(loop, node):
            raise TraceError(f"{type(node).__name__} in a loop over samples", node.lineno)
    reader.block(loop.body, scope)


def _belongs(loop: ast.For, wanted: ast.stmt) -> bool:
    """Whether a break ends this loop, and not one inside it."""
    stack: list[ast.AST] = list(loop.body)
    while stack:
        node = stack.pop()
        if node is wanted:
            return True
        if isinstance(node, (ast.FunctionDef, ast.Lambda)):
            continue
        inner = isinstance(node, (ast.For, ast.While)) and not isinstance(wanted, ast.Return)
        if not inner:
            stack += ast.iter_child_nodes(node)
    return False


def _whole(index: Atom) -> SymbolicArray:
    return SymbolicArray((), atom(index), "int")


def _counts(scope: Scope, name: str) -> bool:
    value = scope.get(name)
    if isinstance(value, Cell):
        return value.lost is None and value.is_number
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _is_carried(scope: Scope, name: str) -> bool:
    """Whether a name holds what is neither a number nor an array: a pass that reads it before it
    assigns it reads what the last pass left."""
    value = scope.get(name)
    return name in scope and not _counts(scope, name) and not isinstance(value, Cell)


def _slot(reader: Evaluator, before: SymbolicArray) -> _Slot:
    algebra = reader.machine.algebra
    name = f"%loop{algebra.fresh(variable('', before.form)).data[0]}"
    unknown = element_array(algebra, name, before.shape, False)
    return _Slot(name, before, SymbolicArray(before.shape, unknown.form, before.dtype))


# --------------------------------------------------------------------------------------------
# The whole loop
# --------------------------------------------------------------------------------------------


def _finish(reader: Evaluator, found: _Pass, scope: Scope) -> None:
    whole = _Whole(reader, found)
    results = [(cell, whole.after(cell, slot, new)) for cell, slot, new in found.cells]
    bound = {name: whole.bound(name, slot, value) for name, (slot, value) in found.names.items()}
    for cell, array in results:
        if array is not None:
            reader.machine.memory.write(cell, array)
    scope.update(bound)


class _Whole:
    """From what one pass adds to what all of them leave."""

    def __init__(self, reader: Evaluator, found: _Pass) -> None:
        self.m, self.found = reader.machine, found
        self.level = len(self.m.memory.frames)
        self.names = {slot.name for slot in found.slots}
        self.rows = {
            slot.name: axis
            for _, slot, new in found.cells
            if (axis := self._own_row(slot, new)) is not None
        }
        self.before = {slot.name: slot.before for slot in found.slots}

    def _own_row(self, slot: _Slot, new: SymbolicArray) -> int | None:
        """The axis along which a pass changes its own place alone."""
        change = new.form - slot.unknown.form
        for axis, extent in enumerate(new.shape):
            if extent != self.found.index.data[2]:
                continue
            hit = self._hit(axis, extent)
            if change.terms and all(dict(mono).get(hit) for mono in change.terms):
                return axis
        return None

    def _hit(self, axis: int, extent: Form) -> Atom:
        difference = atom(place(axis, extent)) - atom(self.found.index)
        ((mono, _),) = self.m.algebra.delta(difference).terms.items()
        return mono[0][0]

    def after(self, root: Cell, slot: _Slot, new: SymbolicArray) -> SymbolicArray | None:
        """The array after the loop; None if it stays what it was."""
        change = new.form - slot.unknown.form
        if change.is_zero:
            return None
        if any(cell.root is root for cell in self.found.held.values()):
            raise TraceError("a loop over samples changes an array and gives its name to another")
        axis = self.rows.get(slot.name)
        if axis is None:
            return self._summed(slot.before, change, new.shape, slot.before.dtype)
        here = place(axis, new.shape[axis])
        moved = self.m.algebra.substituted(change, {self.found.index: atom(here)})
        form = self._written(slot.unknown.form + moved, here)
        return SymbolicArray(new.shape, ranges.decided(form), slot.before.dtype)

    def _summed(
        self, before: SymbolicArray, change: Form, shape: Shape, kind: DType
    ) -> SymbolicArray:
        algebra = self.m.algebra
        added = self._written(change, self.found.index)
        form = aligned(before, shape) + ranges.summed(algebra, added, [self.found.index])
        return SymbolicArray(shape, form, kind)

    def _written(self, form: Form, here: Atom) -> Form:
        """Unknowns replaced by what was there before the loop, which is right in the own row."""
        read = _unknowns(form, self.names)
        if not read:
            return form
        for what in read:
            axis = self.rows.get(what.data[0])
            if axis is None or what.data[1][axis] != atom(here):
                raise TraceError("a loop over samples in which a pass depends on others")
        return self._put(form)

    def _put(self, form: Form) -> Form:
        """`Algebra.rebuilt` would do, but remembers an outer unknown as what stays."""
        result = ZERO
        for mono, coefficient in form.terms.items():
            product = ONE
            for what, exponent in mono:
                product = product * self._put_power(what, exponent)
            result = result + product.scaled(coefficient)
        return result

    def _put_power(self, what: Atom, exponent: Exponent) -> Form:
        algebra = self.m.algebra
        if not _unknowns(atom(what), self.names):
            return Form({((what, exponent),): Fraction(1)})
        if what.kind != "el":
            inside = algebra.built(what, self._put)
        else:
            before = self.before[what.data[0]]
            inside = indexing.at(algebra, before.form, before.axis_variables, what.data[1])
        return algebra.power(inside, Fraction(exponent))

    def bound(self, name: str, slot: _Slot | None, value: Any) -> Any:
        """What a name is bound to after the loop: a sum, or nothing that can be used."""
        origin = slot or self._origin(name)
        is_made = isinstance(value, Cell) and value.base is None and value.level > self.level
        if origin is None or not (is_made or isinstance(value, (int, float))):
            return Unread(_AFTER, None)
        array = self.m.array(value)
        if not any(a.data[0] == origin.name for a in _unknowns(array.form, {origin.name})):
            return Unread(_AFTER, None)
        kind = widest(origin.before.dtype, array.dtype)
        change = array.form - aligned(origin.unknown, array.shape)
        return self.m.memory.cell(self._summed(origin.before, change, array.shape, kind))

    def _origin(self, name: str) -> _Slot | None:
        """The unknown that `d = d + …` may add to: what the name was bound to before."""
        held = self.found.held.get(name)
        for cell, slot, _ in self.found.cells:
            if held is cell:
                return slot
        return None


def _unknowns(form: Form, names: set[str]) -> set[Atom]:
    found: set[Atom] = set()
    stack: list[Any] = [form]
    seen: set[int] = set()
    while stack:
        part = stack.pop()
        if isinstance(part, Form):
            stack += part.terms
        elif isinstance(part, Atom):
            if id(part) in seen:
                continue
            seen.add(id(part))
            if part.kind == "el" and part.data[0] in names:
                found.add(part)
            stack += part.data
        elif isinstance(part, tuple):
            stack += part
    return found
