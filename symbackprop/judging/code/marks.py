"""One reading of somebody's function at one point, and what its values are.

Owns: `Session` (a function in a layout), the marks: which stored or returned value is the tensor
its name says, a constant multiple of it, another tensor, or none. Refuses: blame, which `roots`
puts, and proofs.
Would be wrong if a value counted as right by its name alone.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import Any, Literal

import numpy as np

from symbackprop.judging.code.arguments import (
    RATE,
    Binder,
    argument_names,
    listed_attributes,
)
from symbackprop.judging.code.layout import Layout, arranged
from symbackprop.judging.code.naming import ACTIVATION_LISTS, Naming, offset_of
from symbackprop.judging.code.roles import roles
from symbackprop.judging.code.truth import (
    EXACTLY,
    Factor,
    Numbers,
    Subject,
    Truth,
    factor_between,
    same,
)
from symbackprop.networks import names
from symbackprop.tracing.numbers.budget import COMPARED, Budget
from symbackprop.tracing.numbers.modules import Module
from symbackprop.tracing.numbers.reading import (
    LAYERS,
    Bundle,
    Event,
    Fault,
    Instance,
    Place,
    Reader,
    Trail,
)
from symbackprop.tracing.numbers.unknown import Unknown

MOST_INSIDE = 12
State = Literal["right", "scaled", "other", "bad", "silent", "unknown"]
Site = tuple[int, int]  # line and column of what is stored to


@dataclass(frozen=True)
class Fill:
    """What is put in place of a stored value: a tensor, times a factor."""

    meaning: str
    factor: Factor = EXACTLY
    sample: int | None = None


@dataclass(frozen=True, eq=False)
class Mark:
    """A stored value (`event`) or a returned one, judged.

    `meaning` is what its name says; `found` what its value is, `factor` times; `unknown` why that
    cannot be said.
    """

    name: str
    value: Any
    line: int
    column: int
    length: int
    meaning: str | None
    state: State
    found: str | None = None
    factor: Factor = EXACTLY
    event: Event | None = None
    sample: int | None = None
    step: float | None = None
    fits: bool = True
    unknown: Unknown | None = None

    @property
    def site(self) -> Site:
        return (self.line, self.column)

    @property
    def returned(self) -> bool:
        return self.event is None

    @property
    def ok(self) -> bool:
        return self.state == "right"


@dataclass(frozen=True)
class Reading:
    """Marks in execution order; the returned gradients; what is missing; the fault; the loss,
    where it is returned too."""

    trail: Trail
    truth: Truth
    stored: tuple[Mark, ...]
    returned: tuple[Mark, ...]
    missing: tuple[str, ...]
    loss: Mark | None = None

    @property
    def wrong(self) -> tuple[str, ...]:
        """Gradients that are not right: wrong, or not reached."""
        bad = tuple(m.name for m in self.returned if not m.ok and m.unknown is None)
        fault = self.trail.fault
        return bad + (self.missing if fault is not None and fault.kind != "unread" else ())

    @property
    def all_right(self) -> bool:
        """Whether what is returned and known is right."""
        known = [m for m in self.returned if m.unknown is None]
        return self.trail.fault is None and bool(known) and all(m.ok for m in known)

    @property
    def score(self) -> int:
        sites = {(m.site, m.name) for m in self.stored if m.state == "right" and m.meaning}
        loose = {m.site for m in self.stored if m.state in ("scaled", "other")}
        good = sum(1 for m in self.returned if m.ok)
        near = sum(1 for m in self.returned if not m.ok and m.fits)
        near += sum(1 for m in self.returned if not m.ok and m.found == m.meaning)
        fault = 3 if self.trail.fault else 0
        return 6 * good + 2 * near + 3 * len(sites) + len(loose) - fault


@dataclass(frozen=True)
class Session:
    """A function of a module, in a layout, against a subject (a batch or one sample).

    `given`: values of arguments in place of their defaults; `free`: arguments for any value of
    which what is found holds; `singled`: points with a number of samples that the code singles
    out; `moved`: steps that parameters are off their values."""

    module: Module
    function: ast.FunctionDef
    subject: Subject
    layout: Layout
    methods: Mapping[str, ast.FunctionDef] = field(default_factory=dict)
    point: int = 0
    given: Mapping[str, Any] = field(default_factory=dict)
    free: frozenset[str] = frozenset()
    singled: tuple[int, ...] = ()
    naming: Naming | None = field(default=None, compare=False)
    moved: Mapping[str, Numbers] = field(default_factory=dict)
    budget: Budget = field(default_factory=Budget, compare=False)

    @cached_property
    def listed(self) -> frozenset[str]:
        return listed_attributes((self.function, *self.methods.values()))

    @cached_property
    def names(self) -> Naming:
        if self.naming is not None:
            return self.naming
        names = argument_names(self.function)
        named = Naming(self.subject.depth, offset_of(names, self.subject.depth))
        return replace(named, roles=self.roles(named))

    def roles(self, named: Naming) -> dict[str, str]:
        return roles(self.function, self.methods, self.module.helpers, named)

    @property
    def parameters(self) -> list[str]:
        """Names of the parameters, without the biases where the weights hold them."""
        found = [t.name for t in self.subject.network.of_kind("parameter")]
        return [name for name in found if not (self.layout.folded and name[0] == "b")]

    def truth(self, number: int) -> Truth:
        return self.subject.truth(number, self.layout.sizes, self.layout.labels)

    @property
    def numbers(self) -> tuple[int, ...]:
        """The points beside the first at which what is right there must be right."""
        return (*self.subject.numbers(self.layout.sizes), *self.singled)

    @property
    def unmet(self) -> str:
        """The branch of an activation that none of the points meets; empty where they meet all."""
        return self.subject.met(self.layout.sizes).unmet

    def arguments(self, number: int) -> dict[str, Any]:
        return {**self._binder(number).bound(self.function, self.methods), **self.given}

    def scope(self, number: int) -> dict[str, Any]:
        """The arguments, and what the code may make layers from."""
        return {LAYERS: self._binder(number).layers(), **self.arguments(number)}

    def _binder(self, number: int) -> Binder:
        truth = self.truth(number)

        def make(meaning: str) -> Any:
            value = self.layout.of(meaning, truth)
            if value is not None and meaning in self.moved:
                value = value + self.moved[meaning]
            return None if value is None else np.array(value)

        tensors = [names.INPUT, *map(names.output, range(1, self.subject.depth + 1))]
        widths = tuple(truth.values[name].shape[-1] for name in tensors)
        count = truth.samples
        return Binder(
            self.subject, self.layout, self.names, make, count, lambda n: n, widths, self.listed
        )

    def read(
        self,
        number: int,
        fills: Mapping[Place, Fill] | None = None,
        module: Module | None = None,
        function: ast.FunctionDef | None = None,
        probe: frozenset[int] = frozenset(),
        brief: bool = False,
        turned: frozenset[Site] = frozenset(),
    ) -> Reading:
        """The function read at a point, with what `fills` says put in place of stored values."""
        truth = self.truth(number)
        overrides = {place: self.filled(fill, truth) for place, fill in (fills or {}).items()}
        exact = _exact(fills or {})
        reader = Reader(module or self.module, overrides, probe, exact, turned, self.budget)
        node = function or self.function
        try:
            arguments = self.scope(number)
        except Fault as fault:
            trail = Trail(fault=fault)
        else:
            trail = reader.run(node, arguments)
        return self.marked(trail, truth, brief)

    def returns_right(
        self, number: int, fills: Mapping[Place, Fill], ignored: frozenset[str]
    ) -> bool:
        """Whether every returned gradient is right but for some that are known to be wrong by
        themselves, some stored values being put right."""
        truth = self.truth(number)
        overrides = {place: self.filled(fill, truth) for place, fill in fills.items()}
        try:
            arguments = self.scope(number)
        except Fault:
            return False
        reader = Reader(self.module, overrides, exact=_exact(fills), budget=self.budget)
        trail = reader.run(self.function, arguments)
        if trail.fault is not None:
            return False
        marks = [m for m in self._returned(trail, truth) if m.meaning not in ignored]
        wanted = [names.gradient(name) for name in self.parameters]
        judged = {m.meaning for m in marks} & set(wanted)
        return bool(judged) and all(m.ok for m in marks)

    def used_arguments(self) -> dict[str, Any]:
        """The arguments after a reading: their dicts hold what was looked up."""
        arguments = self.arguments(self.point)
        given = dict(arguments)
        Reader(self.module, budget=self.budget).run(self.function, arguments)
        return given

    def filled(self, fill: Fill, truth: Truth) -> Numbers:
        value = self._whole(fill.meaning, truth)
        assert value is not None
        if fill.sample is not None:
            value = self.one_sample(value, fill.sample, fill.meaning)
        return value if fill.factor.is_one else value * fill.factor.value(truth)

    def _whole(self, meaning: str, truth: Truth) -> Numbers | None:
        if meaning.startswith("f'"):
            return self.slope(int(meaning[2:]), truth)
        return self.layout.of(meaning, truth)

    def slope(self, layer: int, truth: Truth) -> Numbers | None:
        """f'(z) of a layer, in this layout; None where it has no activation."""
        value = truth.slopes.get(layer)
        if value is None:
            return None
        return arranged(value, self.layout.kept(names.total(layer), value.ndim))

    def one_sample(self, value: Numbers, number: int, meaning: str) -> Numbers:
        is_row = self.layout.data_in_rows and names.bare(meaning) in ("x", "y")
        is_column = self.layout.samples == "columns" and not is_row
        return value[:, number] if is_column else value[number]

    # ---- marking -----------------------------------------------------------------------------

    def marked(self, trail: Trail, truth: Truth, brief: bool = False) -> Reading:
        """`brief`: what is returned only."""
        events = () if brief else trail.events
        self.budget.spend(COMPARED * len(events))
        stored = tuple(self._stored(event, truth) for event in events)
        returned: list[Mark] = []
        if trail.fault is None:
            returned = list(self._returned(trail, truth))
        wanted = [names.gradient(name) for name in self.parameters]
        present = {m.meaning for m in returned}
        missing = tuple(m for m in wanted if m not in present)
        loss = None if brief or trail.fault is not None else self._returned_loss(trail, truth)
        return Reading(trail, truth, stored, tuple(returned), missing, loss)

    def meaning_of(self, event: Event) -> str | None:
        if event.index is not None:
            return self._of_item(event.name, event.index, event.length)
        return self.names.meaning(event.name)

    def _of_item(self, name: str, index: int, length: int | None) -> str | None:
        """`nabla_w[1]`, `deltas[2]`, `grads_W[l]`: lists count from 0, dicts as they are."""
        depth = self.subject.depth
        layer = index + 1 if length == depth else index
        if length is None and 0 <= index < depth and self.layout.first == 0:
            layer = index + 1
        numbered = self.names.meaning(f"{name}{layer}") if 1 <= layer <= depth else None
        if numbered is None and name.endswith("s"):
            numbered = self.names.meaning(f"{name[:-1]}{layer}")
        letter = self.names.list_letter(name)
        if numbered is None and letter and length == depth:
            numbered = names.gradient(names.of_letter(letter, layer))
        if numbered and length is not None and name.lower() in ACTIVATION_LISTS:
            numbered = "x" if length > depth and index == 0 else names.output(layer)
        return numbered

    def _stored(self, event: Event, truth: Truth) -> Mark:
        meaning = self.meaning_of(event) if event.depth == 0 else None
        if meaning is not None and (
            meaning not in truth or (truth.values[meaning].ndim and _is_whole_number(event.value))
        ):
            meaning = None
        unknown = event.value if isinstance(event.value, Unknown) else None
        state: State = "unknown"
        found, factor, sample = None, EXACTLY, None
        if unknown is None:
            compared = self.compared(event.value, meaning, truth, event.occurrence)
            state, found, factor, sample = compared
        name = event.name if event.index is None else f"{event.name}[{event.index}]"
        length = max(event.end_column - event.column, 1)
        return Mark(
            name,
            event.value,
            event.line,
            event.column,
            length,
            meaning,
            state,
            found,
            factor,
            event,
            sample,
            unknown=unknown,
        )

    def compared(
        self, value: Any, meaning: str | None, truth: Truth, occurrence: int = 0
    ) -> tuple[State, str | None, Factor, int | None]:
        if meaning is not None:
            known = self._against(value, meaning, truth, occurrence)
            if known is not None:
                factor, sample = known
                whole = self._whole(meaning, truth)
                if (
                    whole is not None
                    and meaning[2:3] in ("W", "b")
                    and np.shape(value) != whole.shape
                ):
                    return "other", meaning, factor, sample  # turned: only its entries are right
                return ("right" if factor.is_one else "scaled"), meaning, factor, sample
        found = self._recognised(value, truth, occurrence)
        if found is not None:
            return "other", *found
        return ("silent" if meaning is None else "bad"), None, Factor(), None

    def _against(
        self, value: Any, meaning: str, truth: Truth, occurrence: int
    ) -> tuple[Factor, int | None] | None:
        whole = self._whole(meaning, truth)
        if whole is None:
            return None
        array = np.asarray(value)
        for arrangement in self._whole_arrangements(whole, meaning, array.shape):
            factor = factor_between(array, arrangement, truth)
            if factor is not None:
                return factor, None
            if not arrangement.any() and same(array, arrangement):
                return EXACTLY, None  # a dead layer; other points say more
        is_sampled = names.bare(meaning)[0] in "xyzhf" and truth.samples > 1
        if is_sampled and not self.layout.is_one and whole.ndim == 2:
            number = occurrence % truth.samples
            row = self.one_sample(whole, number, meaning)
            for arrangement in _arrangements(row, array.shape):
                factor = factor_between(array, arrangement, truth)
                if factor is not None:
                    return factor, number
        return None

    def _whole_arrangements(
        self, whole: Numbers, meaning: str, shape: tuple[int, ...]
    ) -> Iterator[Numbers]:
        """An array as the code may have it; with a one for the bias, where weights hold it."""
        yield from _arrangements(whole, shape)
        if self.layout.folded and meaning[0] in "xh" and whole.ndim == 2:
            axis = 0 if self.layout.samples == "columns" else 1
            at = 0 if self.layout.folded == "first" else whole.shape[axis]
            yield from _arrangements(np.insert(whole, at, 1, axis=axis), shape)

    def _recognised(
        self, value: Any, truth: Truth, occurrence: int
    ) -> tuple[str, Factor, int | None] | None:
        array = np.asarray(value)
        if array.ndim == 0 or array.size < 2:
            return None
        slopes = [f"f'{layer}" for layer in range(1, self.subject.depth + 1)]
        for meaning in (*truth.values, *slopes):
            if meaning in ("y:int", "N"):
                continue
            known = self._against(value, meaning, truth, occurrence)
            if known is not None:
                return meaning, *known
        return None

    # ---- what is returned --------------------------------------------------------------------

    def _returned(self, trail: Trail, truth: Truth) -> Iterator[Mark]:
        seen: set[str] = set()
        found = list(_leaves(trail))
        told = [self._returned_meaning(name, index, length) for name, _, _, index, length in found]
        if not any(meaning is not None and _is_gradient(meaning, truth) for meaning in told):
            found += self._named(trail) if not self._by_position(found) else []
        unnamed = self._by_position(found)
        meanings = [
            unnamed.get(place) or self._returned_meaning(name, index, length)
            for place, (name, _, _, index, length) in enumerate(found)
        ]
        meanings = self._completed(meanings, [value for _, value, *_ in found])
        for meaning, (name, value, node, index, _) in zip(meanings, found, strict=True):
            if meaning is None or meaning in seen or not _is_gradient(meaning, truth):
                continue
            seen.add(meaning)
            name = name or names.bare(meaning)
            mark = self._returned_mark(name, value, node, meaning, truth, index)
            unknown = _unknown_of(value, mark.state, trail)
            yield mark if unknown is None else replace(mark, state="unknown", unknown=unknown)

    def _named(self, trail: Trail) -> list[tuple[str, Any, ast.expr, None, None]]:
        """What a function that returns no gradient, or a script, calls a gradient of a parameter;
        else the parameter that it changes."""
        last = {e.name: e for e in trail.events if e.depth == 0 and e.index is None}
        known: dict[str, Event] = {}
        for is_own in (False, True):
            for name, event in last.items():
                found = self.names.meaning(name)
                meaning = names.gradient(found) if found and is_own else found
                if meaning and names.bare(meaning)[0] in "Wb" and names.is_gradient(meaning):
                    known.setdefault(meaning, event)
        return [(e.name, e.value, _at(e), None, None) for e in known.values()]

    def _returned_loss(self, trail: Trail, truth: Truth) -> Mark | None:
        """A number that is returned under a name of the loss, or without one before the
        gradients, at the line that computes it."""
        for place, (name, value, node, index, _) in enumerate(_leaves(trail)):
            is_named = self.names.meaning(name) == "L" or name == "L"
            is_first = not name and not place and isinstance(trail.returned, tuple)
            is_count = _is_whole_number(np.asarray(value))
            if index is not None or np.ndim(value) or is_count or not (is_named or is_first):
                continue
            same_name = [e for e in trail.events if e.name == name and not e.depth]
            event = same_name[-1] if same_name else None
            where = node if event is None else _at(event)
            unknown = _unknown_of(value, "bad", trail)
            known = None if unknown is not None else self._against(value, "L", truth, 0)
            factor = known[0] if known is not None else Factor()
            state: State = "bad" if known is None else "right" if factor.is_one else "scaled"
            found = None if known is None else "L"
            end = where.end_col_offset or 0
            length = max(end - where.col_offset, 1)
            line, column = where.lineno, where.col_offset
            state = "unknown" if unknown is not None else state
            mark = Mark(name or "loss", value, line, column, length, "L", state, found, factor)
            return replace(mark, unknown=unknown or _unknown_of(value, state, trail))
        return None

    def _returned_meaning(self, name: str, index: int | None, length: int | None) -> str | None:
        if not name:
            return None
        if index is not None:
            meaning = self._of_item(name, index, length)
            return names.gradient(meaning) if meaning and meaning[0] in "Wb" else meaning
        return self.names.gradient(name)

    def _is_named(self, name: str, node: ast.expr, index: int | None, length: int | None) -> bool:
        """Whether a name says what is returned; `P` in `P.sum(axis=0)` is that of something else,
        unless it is one of a gradient."""
        meaning = self._returned_meaning(name, index, length)
        is_computed = isinstance(node, (ast.Call, ast.BinOp, ast.UnaryOp))
        return meaning is not None and not (is_computed and not names.is_gradient(meaning))

    def _by_position(self, found: Sequence[Any]) -> dict[int, str]:
        """Meanings of returned values without a name: gradients in a usual order, by shape."""
        loose = [
            i
            for i, (name, value, node, index, length) in enumerate(found)
            if np.ndim(value) and not self._is_named(name, node, index, length)
        ]
        parameters = self.parameters
        for order in self._orders:
            if len(order) == len(loose):
                truth = self.truth(0)
                wanted = [self.layout.of(n, truth) for n in order]
                shapes = [() if value is None else value.shape for value in wanted]
                if shapes == [np.shape(found[i][1]) for i in loose]:
                    return {i: names.gradient(n) for i, n in zip(loose, order, strict=True)}
        if len(loose) == len(parameters):
            return {i: names.gradient(n) for i, n in zip(loose, parameters, strict=True)}
        return {}

    @property
    def _orders(self) -> list[list[str]]:
        """The orders in which parameters are usually listed."""
        parameters = self.parameters
        weights = [n for n in parameters if n[0] == "W"]
        return [
            parameters,
            parameters[::-1],
            [*weights, *(n for n in parameters if n[0] == "b")],
            [
                n
                for w in weights[::-1]
                for n in (w, names.bias(names.layer_of(w)))
                if n in parameters
            ],
        ]

    def _completed(self, meanings: Sequence[str | None], values: Sequence[Any]) -> list[str | None]:
        """Meanings where names leave some open, by the places of the others: `dW1, delta1`."""
        of = partial(self.layout.of, truth=self.truth(0))
        for order in self._orders:
            whole = [names.gradient(n) for n in order]
            if len(whole) == len(meanings) and set(whole) & set(meanings):
                sizes = [0 if v is None else v.size for v in map(of, whole)]
                places = zip(meanings, whole, values, sizes, strict=True)
                if all(_may_be(m, w, value, size) for m, w, value, size in places):
                    return list(whole)
        return list(meanings)

    def _returned_mark(
        self, name: str, value: Any, node: ast.expr, meaning: str, truth: Truth, index: int | None
    ) -> Mark:
        wanted = self.layout.of(meaning, truth)
        state: State = "bad"
        found, factor, step = None, Factor(), None
        if isinstance(value, Unknown):
            pass
        elif wanted is not None and (
            same(value, wanted) or self._is_spread(value, wanted, meaning)
        ):
            state, found = "right", meaning
        elif wanted is not None and self.adds_steps and same(value, -wanted):
            state, found, factor = "right", meaning, Factor(-1)
        elif (step := self._step(value, meaning, truth)) is not None:
            state, found = "right", names.bare(meaning)
        elif isinstance(value, (np.ndarray, np.number, float, int)):
            compared, found, factor, _ = self.compared(value, meaning, truth)
            if compared in ("right", "scaled") and meaning[2] not in "Wb":
                state = "right"  # of an intermediate that is handed back, a multiple is as good
        shown = name if index is None else f"{name}[{index}]"
        end = node.end_col_offset or 0
        length = max(end - node.col_offset, 1) if node.end_lineno == node.lineno else 1
        return Mark(
            shown,
            value,
            node.lineno,
            node.col_offset,
            length,
            meaning,
            state,
            found,
            factor,
            step=step,
            fits=wanted is not None and np.shape(value) == wanted.shape,
        )

    def _is_spread(self, value: Any, wanted: Numbers, meaning: str) -> bool:
        """Whether a bias gradient has all entries, in a shape that NumPy spreads to that of the
        parameter: (k,) for (1, k), a number for (1,)."""
        shape = np.shape(value)
        is_number = isinstance(value, (np.ndarray, float, np.number))
        is_bias = names.is_gradient(meaning, "b") and is_number and np.size(value) == wanted.size
        if not is_bias or len(shape) >= wanted.ndim:
            return False
        fits = not shape or (self.layout.samples != "columns" and wanted.shape[-1:] == shape)
        return fits and same(np.reshape(value, wanted.shape), wanted)

    def _step(self, value: Any, meaning: str, truth: Truth) -> float | None:
        """The rate where a parameter after its step is returned: W - rate · dW."""
        parameter = self.layout.of(names.bare(meaning), truth)
        gradient = self.layout.of(meaning, truth)
        if parameter is None or gradient is None or meaning[2] not in "Wb":
            return None
        for rate in self.rates:
            if same(value, parameter - rate * gradient):
                return rate
        return None

    @cached_property
    def constants(self) -> dict[str, float]:
        """Numbers that the module names, and the function reads."""
        read = {n.id for n in ast.walk(self.function) if isinstance(n, ast.Name)}
        return {
            name: node.value
            for module in self.module.chain
            for name, node in module.assigned.items()
            if name in read
            and isinstance(node, ast.Constant)
            and isinstance(node.value, (int, float))
            and not isinstance(node.value, bool)
        }

    @cached_property
    def rates(self) -> tuple[float, ...]:
        """Step sizes that the code may use: the one it is given, 1, and its own constants."""
        written = [n.value for n in ast.walk(self.function) if isinstance(n, ast.Constant)]
        numbers = [float(n) for n in written if isinstance(n, (int, float)) and 0 < n <= 1]
        numbers += [float(v) for v in self.constants.values() if 0 < v <= 1]
        numbers += [float(v) for v in self.given.values() if type(v) in (int, float)]
        return (RATE, 1.0, *sorted({number for number in numbers if number > 0}))

    @cached_property
    def adds_steps(self) -> bool:
        """Whether parameters are changed by `W += …`: then what it adds is minus a gradient."""
        for node in ast.walk(self.function):
            is_added = isinstance(node, ast.AugAssign) and isinstance(node.op, ast.Add)
            if is_added and not _is_negated(node.value):  # type: ignore[attr-defined]
                assert isinstance(node, ast.AugAssign)
                target = node.target
                name = target.id if isinstance(target, ast.Name) else ""
                if isinstance(target, ast.Subscript) and isinstance(target.slice, ast.Constant):
                    name = str(target.slice.value)
                if (self.names.meaning(name) or "-")[0] in "Wb":
                    return True
        return False


def _is_negated(node: ast.expr) -> bool:
    """Whether a minus stands in front: `W += -rate * dW` subtracts."""
    while isinstance(node, ast.BinOp) and isinstance(node.op, (ast.Mult, ast.Div)):
        node = node.left
    return isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub)


def _is_whole_number(value: Any) -> bool:
    """A count or a switch, whatever it is called: no tensor of a network."""
    return isinstance(value, np.ndarray) and not value.ndim and value.dtype.kind in "iub"


def _unknown_of(value: Any, state: State, trail: Trail) -> Unknown | None:
    """Why it cannot be said whether a returned value is right: it is not known, another function
    may be called, or the call ends before."""
    if isinstance(value, Unknown):
        return value
    return trail.doubt or (trail.stops if state == "right" else None)


def _may_be(meaning: str | None, wanted: str, value: Any, size: int) -> bool:
    """Whether what a name says leaves room for the gradient that its place says."""
    if meaning is None:
        return size > 0 and (isinstance(value, Unknown) or np.size(value) == size)
    return meaning == wanted or (names.is_gradient(meaning, "z") and names.is_gradient(wanted, "b"))


def _exact(fills: Mapping[Place, Fill]) -> frozenset[Place]:
    """Where a gradient of a parameter is put: it has its parameter's shape."""
    return frozenset(
        p
        for p, fill in fills.items()
        if names.is_gradient(fill.meaning, "W") or names.is_gradient(fill.meaning, "b")
    )


def twin(reading: Reading, mark: Mark) -> Mark | None:
    """The mark of another reading at the same place, or of the same returned gradient."""
    if mark.meaning == "L" and mark.returned:
        return reading.loss
    if mark.event is None:
        return next((m for m in reading.returned if m.meaning == mark.meaning), None)
    place = mark.event.place
    return next((m for m in reading.stored if m.event and m.event.place == place), None)


def same_finding(one: Mark, other: Mark) -> bool:
    """Whether two values are the same tensor, times the same factor."""
    return (one.state, one.found, one.factor) == (other.state, other.found, other.factor)


def _is_gradient(meaning: str, truth: Truth) -> bool:
    return names.is_gradient(meaning) and meaning in truth


def _arrangements(value: Numbers, shape: tuple[int, ...]) -> Iterator[Numbers]:
    """The array, transposed, or with axes of size 1 more or less, where the shape is this one."""
    if value.shape == shape:
        yield value
    if value.ndim == 2 and value.shape[::-1] == shape and shape != value.shape:
        yield value.T
    long = tuple(n for n in value.shape if n != 1)
    wide = tuple(n for n in shape if n != 1)
    if long == wide and shape not in (value.shape, value.shape[::-1]):
        yield value.reshape(shape)
    elif long == wide[::-1] and len(wide) == 2 and shape not in (value.shape, value.shape[::-1]):
        yield value.T.reshape(shape)


def arrangement(value: Numbers, shape: tuple[int, ...]) -> Numbers:
    """The array in the arrangement of this shape, where there is one; else as it is."""
    return next(_arrangements(value, shape), value)


def _leaves(trail: Trail) -> Iterator[tuple[str, Any, ast.expr, int | None, int | None]]:
    """(name, value, node, index, length) of everything a function returns."""
    node = trail.return_node.value if trail.return_node is not None else None
    if (trail.returned is None or node is None) and trail.layers:
        lines = {e.name: e for e in trail.events}
        for number, layer in enumerate(trail.layers, 1):
            for name, value in layer.written.items():
                if name in lines:
                    yield f"{name}{number}", value, _at(lines[name]), None, None
        return
    if trail.returned is None or node is None:
        if isinstance(trail.owner, Instance):
            lines = {e.name: e for e in trail.events}
            for name, value in trail.owner.written.items():
                if name in lines:
                    yield name, value, _at(lines[name]), None, None
        return
    yield from _inside(trail.returned, node, "", trail, MOST_INSIDE)


def _at(event: Event) -> ast.expr:
    return ast.Name(
        event.name,
        ast.Load(),
        lineno=event.line,
        col_offset=event.column,
        end_lineno=event.line,
        end_col_offset=event.end_column,
    )


def _inside(
    value: Any, node: ast.expr, name: str, trail: Trail, depth: int
) -> Iterator[tuple[str, Any, ast.expr, int | None, int | None]]:
    name = name or _name_of(node)
    if isinstance(value, Bundle) or not depth:
        return
    if isinstance(value, dict):
        nodes = _dict_nodes(node)
        for key, part in value.items():
            where = nodes.get(key, _last(trail, key, node))
            if isinstance(key, str):
                yield from _inside(part, where, key, trail, depth - 1)
            elif isinstance(part, (np.ndarray, np.number)) and isinstance(key, int):
                yield name, part, where, key, None
            elif isinstance(part, dict):
                for inner, deep in part.items():
                    yield f"{inner}{key}", deep, where, None, None
    elif isinstance(value, tuple) or (isinstance(value, list) and isinstance(node, ast.List)):
        nodes_ = node.elts if isinstance(node, (ast.Tuple, ast.List)) else [node] * len(value)
        for part, inner_node in zip(value, nodes_, strict=False):
            inner = "" if inner_node is node else _name_of(inner_node)
            yield from _inside(part, inner_node, inner, trail, depth - 1)
    elif isinstance(value, list):
        for i, part in enumerate(value):
            if isinstance(part, (np.ndarray, np.number)):
                yield name, part, node, i, len(value)
            elif isinstance(part, (tuple, dict)):
                held = part if isinstance(part, dict) else dict(zip("Wb", part, strict=False))
                for key, deep in held.items():
                    yield f"{key}{i + 1}", deep, node, None, None
    else:
        yield name, value, node, None, None


def _name_of(node: ast.expr) -> str:
    match node:
        case ast.Name(id=name) | ast.Attribute(value=ast.Name(id="self"), attr=name):
            return name
        case ast.Subscript(slice=ast.Constant(value=str() as name)):
            return name
        case ast.Subscript(value=ast.Name(id=name), slice=ast.Constant(value=int() as number)):
            return f"{name}{number}"
        case (
            ast.BinOp(op=ast.MatMult()) | ast.Call(func=ast.Attribute(attr="sum" | "mean" | "dot"))
        ):
            return ""
        case ast.UnaryOp(operand=inner) | ast.BinOp(left=inner) if isinstance(inner, ast.Name):
            return _name_of(inner)
        case ast.Attribute(value=inner, attr="T"):
            return _name_of(inner)
        case ast.Call(func=ast.Attribute(value=inner), args=_) if isinstance(inner, ast.Name):
            return _name_of(inner) if inner.id not in ("np", "numpy") else ""
    return ""


def _dict_nodes(node: ast.expr) -> dict[Any, ast.expr]:
    match node:
        case ast.Dict(keys=keys, values=values):
            return {
                key.value: value
                for key, value in zip(keys, values, strict=True)
                if isinstance(key, ast.Constant)
            }
        case ast.Call(func=ast.Name(id="dict"), keywords=keywords):
            return {keyword.arg: keyword.value for keyword in keywords if keyword.arg}
    return {}


def _last(trail: Trail, key: Any, node: ast.expr) -> ast.expr:
    """Where an entry was stored last; the return statement where it was not stored by name."""
    for event in reversed(trail.events):
        if event.name == key or (event.index is not None and event.index == key):
            return _at(event)
    return node


def leaves_of_values(returned: Any, written: Any) -> Iterator[tuple[str, Any]]:
    """Returned values under the names of a dict, or those that the return statement gives."""
    if isinstance(returned, dict):
        for key, part in returned.items():
            yield from leaves_of_values(part, str(key))
    elif isinstance(returned, list) and isinstance(written, str):
        for number, part in enumerate(returned):
            yield f"{written}[{number}]", part
    elif isinstance(returned, (tuple, list)):
        names = written if isinstance(written, tuple) else (None,) * len(returned)
        for name, part in zip(names, returned, strict=False):
            yield from leaves_of_values(part, name)
    elif isinstance(written, str):
        yield written, returned
