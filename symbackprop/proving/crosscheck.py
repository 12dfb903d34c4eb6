"""Every oracle against every derivation.

Owns: the replay of a derivation's steps by the interpreter, the comparison of its result with
witnesses that share no code with the sweep, and the report of both.
Refuses: deriving anything, and printing an error that was measured: a row states the bound it met,
so that a report is the same on every machine.
Would be wrong if: the sizes in use were equal (a transposed result would pass), or if a witness
took its numbers from the derivation it is to judge. Adjoints that a step names get their values
from elsewhere: in floating point from the complex step, in exact arithmetic from their own
derivations, each of which is judged by itself.
"""

from __future__ import annotations

import html
import importlib
import importlib.util
import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal, TypeAlias, assert_never

import numpy as np
import numpy.typing as npt
from sympy import Expr, Matrix, Rational, Symbol

from symbackprop.calculus.scalars import FUNCTIONS, Z, fold
from symbackprop.calculus.terms import (
    Applied,
    Element,
    Expression,
    Index,
    Partial,
    as_scalar,
    free_indices,
    single,
)
from symbackprop.derivation.evaluate import (
    Numbers,
    Point,
    evaluate,
    generic_sizes,
    jacobian,
    random_point,
)
from symbackprop.derivation.rules import NAME_DEFINITIONS, THROUGH_OUTPUT, USE_LABEL_SUMS
from symbackprop.derivation.steps import Derivation, Step, Sweep
from symbackprop.derivation.sweep import sweep
from symbackprop.errors import AxisMismatch, ShapeError, UnsupportedError
from symbackprop.networks import names
from symbackprop.networks.layers.architecture import Architecture
from symbackprop.networks.layers.losses import LOSSES
from symbackprop.networks.network import (
    CountsClasses,
    Equation,
    NamesItsDefinition,
    Network,
    SumsToOne,
)
from symbackprop.proving.code import prove_source
from symbackprop.verdict import Equal, Undecided, Unequal
from symbackprop.witnesses import reference
from symbackprop.witnesses.concrete import Explicit, explicit
from symbackprop.writing.code.backend import NUMPY, Backend
from symbackprop.writing.code.numpy_backend import FUNCTION, compile_source, emit

Array: TypeAlias = npt.NDArray[Any]
Digits: TypeAlias = list[Rational]
Kind = Literal["proved", "exact", "numeric", "none"]
Verdict = Literal["agrees", "disagrees", "undecided"]

TOLERANCE = 1e-10
BOUND = "< 1e-10"
DIGITS = 30
EXACT_BOUND = "< 1e-25"
LARGEST = 400
COMPOSED = 8


@dataclass(frozen=True)
class Check:
    """What was done to confirm one statement, and whether it held.

    `proved`: for all sizes; `exact`: in exact arithmetic, at the sizes of `detail`; `numeric`: in
    floating point, within the bound of `detail`; `none`: not done, for the reason of `detail`.
    """

    kind: Kind
    detail: str
    facts: tuple[str, ...] = ()
    holds: bool = True

    def __str__(self) -> str:
        return f"{self.kind} {self.detail}" if self.holds else f"does not hold ({self.detail})"


# --------------------------------------------------------------------------------------------
# Replaying steps
# --------------------------------------------------------------------------------------------


def replay(derivation: Derivation, network: Network, seed: int = 0) -> tuple[Check, ...]:
    """One check for each step: `before` and `after` evaluated at random points.

    Exactly where neither side has a derivative still to be taken; otherwise in floating point,
    with the complex step for the derivatives.
    """
    return Replayer(sweep(network), seed).replay(derivation)


@dataclass(frozen=True)
class Replayer:
    """Random points of one network, of pairwise different sizes, made when first needed."""

    swept: Sweep
    seed: int = 0

    def replay(self, derivation: Derivation) -> tuple[Check, ...]:
        return tuple(self.check(step, derivation.indices) for step in derivation.steps)

    def check(self, step: Step, indices: Sequence[Index]) -> Check:
        facts = facts_of(step, self.swept.network)
        for side in (step.before, step.after):
            problem = ill_formed(side, indices, self.swept.extended)
            if problem:
                return Check("exact", problem, facts, holds=False)
        if _has_partial(step.before) or _has_partial(step.after):
            return self._numeric(step, indices, facts)
        return self._exact(step, indices, facts)

    def _exact(self, step: Step, indices: Sequence[Index], facts: tuple[str, ...]) -> Check:
        try:
            before, after = (self._exact_value(s, indices) for s in (step.before, step.after))
        except (NotImplementedError, ZeroDivisionError, ShapeError, AxisMismatch):
            # no exact value here, or another derivation is no equation: numbers must do
            return self._numeric(step, indices, facts)
        holds = bool(np.array_equal(before, after))
        return Check("exact", sizes_text(self._exact_point.sizes), facts, holds)

    def _numeric(self, step: Step, indices: Sequence[Index], facts: tuple[str, ...]) -> Check:
        if is_recurrent(self.swept.network):
            return Check("none", "the interpreter cannot differentiate a recurrence", facts)
        before, after = (self._float_value(s, indices) for s in (step.before, step.after))
        return Check("numeric", BOUND, facts, close(after, before))

    def _exact_value(self, whole: Expression, indices: Sequence[Index]) -> Array:
        return self._kept("exact", whole, indices, lambda: self._exact_point)

    def _float_value(self, whole: Expression, indices: Sequence[Index]) -> Array:
        return self._kept("float", whole, indices, lambda: self._with_adjoints(whole))

    def _kept(
        self, way: str, whole: Expression, indices: Sequence[Index], point: Callable[[], Point]
    ) -> Array:
        """What one step ends with the next begins with: the value is computed once."""
        key = (way, whole, tuple(indices))
        if key not in self._values:
            self._values[key] = evaluate(whole, indices, point())
        return self._values[key]

    @cached_property
    def _values(self) -> dict[tuple[str, Expression, tuple[Index, ...]], Array]:
        return {}

    def _with_adjoints(self, whole: Expression) -> Point:
        """The float point with the adjoints that the expression names, by complex step."""
        point, network, named = self._float_point, self.swept.network, tensors_of(whole)
        for name in self.swept.derivations:
            adjoint = network.adjoint_name(name)
            if adjoint in named:
                goal = Partial(network.tensor(network.loss).entry, network.tensor(name).entry, True)
                indices = network.tensor(name).indices
                point = point.with_values({adjoint: self._float_value(single(goal), indices)})
        return point

    @cached_property
    def _float_point(self) -> Point:
        return random_point(self.swept.extended, self.seed)

    @cached_property
    def _exact_point(self) -> Point:
        return random_point(backward_network(self.swept), self.seed, arithmetic="exact")


def backward_network(swept: Sweep) -> Network:
    """The network with one more equation for each adjoint and gradient: its derived result.

    What evaluates a network then evaluates derivations, knowing nothing of them.
    """
    network = swept.network
    equations = tuple(
        Equation(network.adjoint_name(name), derivation.indices, derivation.result)
        for name, derivation in swept.derivations.items()
    )
    kept = {network.loss, *(equation.target for equation in equations)}
    tensors = tuple(t for t in swept.extended.tensors if t.kind != "adjoint" or t.name in kept)
    return replace(swept.extended, tensors=tensors, equations=(*network.equations, *equations))


def ill_formed(whole: Expression, indices: Sequence[Index], network: Network) -> str:
    """Why the expression has no value for these indices; an empty text if it has."""
    loose = sorted({i.name for i in free_indices(whole) if i not in indices})
    if loose:
        return f"index {loose[0]} is not bound"
    factors = (factor for term in whole.terms for factor in term.factors)
    for element in (e for factor in factors for e in sorted(factor.atoms(Element), key=str)):
        tensor = network.tensor(element.tensor)
        binding = dict(zip(tensor.indices, element.indices, strict=True))
        for axis, written in zip(tensor.axes, element.indices, strict=True):
            if isinstance(written, Index) and not written.axis.same_range(axis.substitute(binding)):
                return f"index {written.name} of {element} runs over another axis"
    return ""


def is_recurrent(network: Network) -> bool:
    """Whether an equation reads its own tensor, or one that is computed later."""
    later: set[str] = {equation.target for equation in network.equations}
    for equation in network.equations:
        if tensors_of(equation.rhs) & later:
            return True
        later.discard(equation.target)
    return False


def tensors_of(whole: Expression) -> set[str]:
    """Names of all tensors that stand in the expression, wherever that is."""
    return {
        element.tensor
        for term in whole.terms
        for factor in term.factors
        for element in factor.atoms(Element)
    }


def _has_partial(whole: Expression) -> bool:
    return any(factor.has(Partial) for term in whole.terms for factor in term.factors)


def facts_of(step: Step, network: Network) -> tuple[str, ...]:
    """What the step takes for granted beyond algebra, in words."""
    if step.rule == USE_LABEL_SUMS.name:
        return tuple(_label_facts(network))
    if step.rule == NAME_DEFINITIONS.name:
        named = sorted(tensors_of(step.after) & set(_defined(network)))
        return tuple(str_of(network.equation_of[name]) for name in named)
    if step.rule == THROUGH_OUTPUT.name:
        return tuple(_slopes(step, network))
    return ()


def _label_facts(network: Network) -> Iterator[str]:
    for tensor in network.of_kind("label"):
        for fact in tensor.facts:
            if isinstance(fact, SumsToOne):
                yield f"the entries of each row of {tensor.name} add up to 1"
            if isinstance(fact, CountsClasses):
                yield f"each entry of {tensor.name} is the number of one class"


def _defined(network: Network) -> list[str]:
    return [
        tensor.name
        for tensor in network.tensors
        if any(isinstance(fact, NamesItsDefinition) for fact in tensor.facts)
    ]


def str_of(equation: Equation) -> str:
    return f"{equation.entry} = {equation.rhs}"


def _slopes(step: Step, network: Network) -> Iterator[str]:
    applied = {
        atom.function
        for term in step.before.terms
        for factor in term.factors
        for atom in factor.atoms(Applied)
        if atom.order == 1
    }
    for name in sorted(applied):
        function = network.functions[name]
        if function.through is not None:
            output, argument = function.through.signature
            slope = f"{name}'({argument}) = {function.through.expr}"
            yield f"{slope} with {output} = {name}({argument})"


def close(found: Array, expected: Array, tolerance: float = TOLERANCE) -> bool:
    """max |a - b| <= tolerance (1 + max |b|), and the same shape."""
    found, expected = np.asarray(found), np.asarray(expected)
    if found.shape != expected.shape:
        return False
    if not found.size:
        return True
    error = np.max(np.abs(found - expected))
    return bool(error <= tolerance * (1 + np.max(np.abs(expected))))


def sizes_text(sizes: Mapping[Symbol, int]) -> str:
    return "at " + ", ".join(f"{symbol.name} = {size}" for symbol, size in sizes.items())


# --------------------------------------------------------------------------------------------
# The report
# --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Row:
    """One quantity against one oracle. `quantity` is a tensor's name, or `L` for the loss itself;
    `bound` is what a numeric check met; `detail` says why something is not confirmed."""

    quantity: str
    oracle: str
    kind: Kind
    bound: str
    verdict: Verdict
    detail: str = ""
    facts: tuple[str, ...] = ()

    @property
    def cell(self) -> str:
        match self.verdict:
            case "disagrees":
                return "DISAGREES"
            case "undecided":
                return "undecided"
            case "agrees":
                return f"{self.kind} {self.bound}" if self.kind == "numeric" else self.kind


@dataclass(frozen=True)
class Report:
    """All rows, quantity by quantity; the same on every machine."""

    title: str
    rows: tuple[Row, ...]
    notes: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Nothing disagrees, and every quantity was confirmed by at least one oracle."""
        confirmed = {row.quantity for row in self.rows if row.verdict == "agrees"}
        return bool(self.rows) and not self.disagreements and confirmed >= set(self.quantities)

    @property
    def disagreements(self) -> tuple[Row, ...]:
        return tuple(row for row in self.rows if row.verdict == "disagrees")

    @property
    def undecided(self) -> tuple[Row, ...]:
        return tuple(row for row in self.rows if row.verdict == "undecided")

    @property
    def quantities(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(row.quantity for row in self.rows))

    @property
    def oracles(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(row.oracle for row in self.rows))

    @property
    def summary(self) -> str:
        if self.disagreements:
            return f"{len(self.disagreements)} of {len(self.rows)} comparisons disagree"
        agreeing = len(self.rows) - len(self.undecided)
        rest = f", {len(self.undecided)} undecided" if self.undecided else ""
        return f"all {agreeing} comparisons agree{rest}"

    @property
    def facts(self) -> tuple[str, ...]:
        """What the confirmations take for granted, each with the oracles that do."""
        users: dict[str, list[str]] = {}
        for row in self.rows:
            for fact in row.facts:
                users.setdefault(fact, []).append(row.oracle)
        return tuple(
            f"{fact} ({', '.join(dict.fromkeys(oracles))})" for fact, oracles in users.items()
        )

    @property
    def remarks(self) -> tuple[str, ...]:
        """Why something disagrees or is undecided."""
        return tuple(
            f"{self._label(row.quantity)}, {row.oracle}: {row.verdict}"
            + (f" ({row.detail})" if row.detail else "")
            for row in self.rows
            if row.verdict != "agrees"
        )

    def table(self) -> list[list[str]]:
        """Header and one line a quantity; an empty cell where an oracle does not know it."""
        cells = {(row.quantity, row.oracle): row.cell for row in self.rows}
        body = [
            [self._label(quantity), *(cells.get((quantity, o), "-") for o in self.oracles)]
            for quantity in self.quantities
        ]
        return [["quantity", *self.oracles], *body]

    def _label(self, quantity: str) -> str:
        return self.labels.get(quantity, quantity)

    def __str__(self) -> str:
        table = self.table()
        widths = [max(map(len, column)) for column in zip(*table, strict=True)]
        lines = [
            "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
            for line in table
        ]
        lines.insert(1, "  ".join("-" * width for width in widths))
        notes = ["", *self._footnotes] if self._footnotes else []
        return "\n".join([self.title, "", *lines, *notes, "", *self.remarks, self.summary])

    @property
    def _footnotes(self) -> tuple[str, ...]:
        return (*self.notes, *(f"fact used: {fact}" for fact in self.facts))

    def _repr_markdown_(self) -> str:
        head, *body = self.table()
        lines = [head, ["---"] * len(head), *body]
        rows = ["| " + " | ".join(line) + " |" for line in lines]
        notes = [f"- {note}" for note in (*self._footnotes, *self.remarks)]
        return "\n".join([f"**{self.title}**", "", *rows, "", *notes, "", f"{self.summary}."])

    def _repr_html_(self) -> str:
        head, *body = self.table()
        rows = [_html_row(head, "th"), *(_html_row(line, "td") for line in body)]
        notes = "".join(f"<li>{html.escape(n)}</li>" for n in (*self._footnotes, *self.remarks))
        return (
            f"<p><strong>{html.escape(self.title)}</strong></p>"
            f"<table>{''.join(rows)}</table><ul>{notes}</ul><p>{html.escape(self.summary)}.</p>"
        )


def _html_row(cells: Sequence[str], tag: str) -> str:
    return "<tr>" + "".join(f"<{tag}>{html.escape(cell)}</{tag}>" for cell in cells) + "</tr>"


# --------------------------------------------------------------------------------------------
# Asking the oracles
# --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Case:
    """What is judged. `numbers`: the sizes that the network file gives; `backend`: the library of
    the code."""

    swept: Sweep
    architecture: Architecture | None = None
    numbers: Mapping[Symbol, int] = field(default_factory=dict)
    seed: int = 0
    backend: Backend = NUMPY

    @property
    def network(self) -> Network:
        return self.swept.network

    @cached_property
    def quantities(self) -> tuple[str, ...]:
        """Parameters in order, the inputs, then every named tensor with an adjoint."""
        of_kind = self.network.of_kind
        ordered = (
            *of_kind("parameter"),
            *of_kind("input"),
            *of_kind("intermediate"),
            *of_kind("auxiliary"),
        )
        return tuple(t.name for t in ordered if t.name in self.swept.derivations)

    @cached_property
    def backward(self) -> Network:
        return backward_network(self.swept)

    def adjoint(self, name: str) -> str:
        return self.network.adjoint_name(name)

    @cached_property
    def sizes(self) -> dict[Symbol, int]:
        """The network's own sizes where they are given and small, otherwise generic ones."""
        generic = generic_sizes(self.network)
        own = {**generic, **{s: n for s, n in self.numbers.items() if s in generic}}
        if self.architecture is not None and self.architecture.samples is not None:
            own |= {s: self.architecture.samples for s in generic if s.name == "N"}
        entries = [tensor.shape for tensor in self.network.tensors]
        largest = max(math.prod(int(e.subs(own)) for e in shape) for shape in entries)
        return own if largest <= LARGEST else generic

    @cached_property
    def point(self) -> Point:
        """Random arrays, and every derived gradient at them by the interpreter."""
        return random_point(self.backward, self.seed, self.sizes)

    def derived(self, name: str) -> Array:
        return self.point.values[self.adjoint(name)]

    def expected(self, name: str) -> Array | None:
        """The gradient by an oracle that differentiates numbers, see `expected_gradient`."""
        if name not in self._expected:
            self._expected[name] = expected_gradient(self, name)
        return self._expected[name]

    @cached_property
    def _expected(self) -> dict[str, Array | None]:
        return {}


Oracle: TypeAlias = Callable[[Case], Iterator[Row]]


def check(
    swept: Sweep,
    architecture: Architecture | None = None,
    numbers: Mapping[Symbol, int] | None = None,
    seed: int = 0,
    optional: bool = False,
    notify: Callable[[str], None] = lambda _: None,
    backend: Backend = NUMPY,
) -> Report:
    """Every gradient and every adjoint against every oracle.

    `architecture`: where the network comes from a file, so that `reference` can compute it too.
    `optional`: also ask torch and JAX where they are installed. `notify` hears of each oracle
    before it is asked. `backend`: the library whose code is run and proved.
    """
    case = Case(swept, architecture, dict(numbers or {}), seed, backend)
    rows: list[Row] = []
    oracles = list(_oracles(case, optional))
    try:
        assert case.backward
    except (ShapeError, AxisMismatch):  # a result is no equation: its steps say which, and why
        oracles = [("steps replayed", _steps)]
    for name, oracle in oracles:
        notify(name)
        rows.extend(oracle(case))
    order = {quantity: place for place, quantity in enumerate((*case.quantities, "L"))}
    rows.sort(key=lambda row: order[row.quantity])
    return Report(
        f"{swept.network.name}: every gradient against every oracle",
        tuple(rows),
        tuple(_notes(case)),
        {name: f"dL/d{name}" for name in case.quantities},
    )


def _oracles(case: Case, optional: bool) -> Iterator[tuple[str, Oracle]]:
    yield "steps replayed", _steps
    yield "explicit SymPy network", _explicit
    yield "complex step", _complex_step
    yield _name_of_code(case), _emitted
    yield "proof of the code", _proof
    if optional:
        for module in ("torch", "jax"):
            if case.architecture is not None and importlib.util.find_spec(module) is not None:
                yield module, _Framework(module)


def _notes(case: Case) -> Iterator[str]:
    yield f"steps: {sizes_text(generic_sizes(case.network))}"
    way = "as a whole" if _is_short(case.network) else "equation by equation"
    sizes = sizes_text(small_sizes(case.network))
    yield f"explicit SymPy network: differentiated {way} {sizes}, {DIGITS} digits"
    witness = "the hand-written network" if case.architecture is not None else "the interpreter"
    yield f"complex step: of {witness}, {sizes_text(case.sizes)}"


def _row(
    case: Case, name: str, oracle: str, kind: Kind, bound: str, holds: bool, detail: str = ""
) -> Row:
    return Row(name, oracle, kind, bound, "agrees" if holds else "disagrees", detail)


# (a) the steps


def _steps(case: Case) -> Iterator[Row]:
    witness = Replayer(case.swept, case.seed)
    for name in case.quantities:
        derivation = case.swept.derivations[name]
        yield _row_of_steps(name, derivation, witness.replay(derivation))


def _row_of_steps(name: str, derivation: Derivation, checks: Sequence[Check]) -> Row:
    """The weakest kind among the steps is the kind of the whole."""
    failed = [step for step, made in zip(derivation.steps, checks, strict=True) if not made.holds]
    joined = all(
        first.after == second.before for first, second in itertools.pairwise(derivation.steps)
    )
    if failed or not joined:
        why = f"step {failed[0].rule!r}" if failed else "the steps do not join"
        return Row(name, "steps replayed", "none", "", "disagrees", why)
    kinds = {made.kind for made in checks}
    if "none" in kinds:
        why = next(made.detail for made in checks if made.kind == "none")
        return Row(name, "steps replayed", "none", "", "undecided", why)
    kind: Kind = "numeric" if "numeric" in kinds else "exact"
    facts = tuple(dict.fromkeys(fact for made in checks for fact in made.facts))
    return Row(
        name, "steps replayed", kind, BOUND if kind == "numeric" else "", "agrees", "", facts
    )


# (b) SymPy, entry by entry


def small_sizes(network: Network) -> dict[Symbol, int]:
    """Sizes for the explicit network: small and unequal, whatever the network's own are.

    The first (the samples of a batch) differs from all others, and any three neighbours differ. No
    size is 1, at which sums and transpositions hide.
    """
    first, *rest = generic_sizes(network)
    order = (3, 4, 5)
    return {first: 2, **{symbol: order[place % 3] for place, symbol in enumerate(rest)}}


def _explicit(case: Case) -> Iterator[Row]:
    oracle = "explicit SymPy network"
    sizes = small_sizes(case.network)
    plain, derived = explicit(case.network, sizes), explicit(case.backward, sizes)
    values = plain.values(case.seed)
    found = derived.tensor_values(values, DIGITS)
    expected = (
        _composed(case, plain, values) if _is_short(case.network) else _chained(plain, values)
    )
    for name in case.quantities:
        holds = _close_exactly(_digits(found[case.adjoint(name)].tolist()), expected[name])
        yield _row(case, name, oracle, "numeric", EXACT_BOUND, holds)


def _is_short(network: Network) -> bool:
    """Whether SymPy can differentiate the network as a whole in reasonable time."""
    return len(network.equations) <= COMPOSED or is_recurrent(network)


def _composed(case: Case, plain: Explicit, values: Mapping[Symbol, Rational]) -> dict[str, Digits]:
    """SymPy differentiates the loss as one expression in the entries of each tensor."""
    gradients = {name: plain.jacobian(case.network.loss, name) for name in case.quantities}
    return {
        name: _digits(plain.numeric(gradient, values, DIGITS))
        for name, gradient in gradients.items()
    }


def _chained(plain: Explicit, values: Mapping[Symbol, Rational]) -> dict[str, Digits]:
    """SymPy differentiates every entry by the entries it reads; the numbers are multiplied and
    added from the loss backwards, one by one. Linear in the number of equations."""
    network = plain.network
    tables = {t.name: plain.symbols(t.name) for t in network.tensors if t.kind != "label"}
    known = {symbol for table in tables.values() for symbol in table.values()}
    reads: list[tuple[Symbol, Symbol]] = []
    slopes: list[Expr] = []
    for equation in reversed(network.equations):
        for position, target in tables[equation.target].items():
            right = plain.entry(equation.target, position)
            for read in sorted(right.free_symbols & known, key=str):
                reads.append((target, read))
                slopes.append(right.diff(read))
    totals = dict.fromkeys(known, Rational(0)) | dict.fromkeys(
        tables[network.loss].values(), Rational(1)
    )
    numbers = plain.numeric(Matrix([slopes]), values, DIGITS + 10)[0]
    for (target, read), slope in zip(reads, numbers, strict=True):
        totals[read] += totals[target] * slope
    return {name: [Rational(totals[s]) for s in table.values()] for name, table in tables.items()}


def _digits(nested: Any) -> Digits:
    if isinstance(nested, (list, tuple)):
        return [digit for part in nested for digit in _digits(part)]
    return [Rational(nested)]


def _close_exactly(found: Sequence[Rational], expected: Sequence[Rational]) -> bool:
    if len(found) != len(expected):
        return False
    largest = max((abs(e) for e in expected), default=Rational(0))
    bound = Rational(1, 10**25) * (1 + largest)
    return all(abs(f - e) <= bound for f, e in zip(found, expected, strict=True))


# (c) the complex step of a network that a person wrote


def _complex_step(case: Case) -> Iterator[Row]:
    for name in case.quantities:
        expected = case.expected(name)
        if expected is not None:
            holds = close(case.derived(name), expected)
            yield _row(case, name, "complex step", "numeric", BOUND, holds)


def expected_gradient(case: Case, name: str) -> Array | None:
    """d loss / d tensor by complex step; None for a tensor that the hand-written network has not.

    Without an architecture the interpreter takes the place of the hand-written network.
    """
    if case.architecture is None:
        if is_recurrent(case.network):
            return None
        return jacobian(case.point, case.network.loss, name, True)
    if case.network.by_name[name].kind == "auxiliary":
        return None
    arrays = reference_arrays(case)
    return reference_gradient(model_of(case.architecture), arrays, name)


@dataclass(frozen=True)
class Arrays:
    """The arrays of one point as a batch; `single` where the network has no sample axis."""

    params: Mapping[str, Array]
    x: Array
    y: Array | None
    tape: Mapping[str, Array]
    single: bool


def reference_arrays(case: Case) -> Arrays:
    """The point's arrays, with a sample axis of length 1 where the network has none."""
    values = case.point.values
    params = {t.name: values[t.name] for t in case.network.of_kind("parameter")}
    single = not any(a.role == "sample" for t in case.network.tensors for a in t.axes)
    batch = {
        name: np.expand_dims(value, 0) if single and name not in params else value
        for name, value in values.items()
    }
    return Arrays(params, batch["x"], batch.get("y"), batch, single)


def reference_gradient(model: reference.Model, arrays: Arrays, name: str) -> Array:
    params, x, y = arrays.params, arrays.x, arrays.y
    if name in params:
        return reference.complex_step(
            lambda moved: reference.loss(model, {**params, name: moved}, x, y), params[name]
        )
    whole = reference.complex_step(
        lambda moved: reference.loss_from(model, params, y, name, moved), arrays.tape[name]
    )
    return np.asarray(whole[0]) if arrays.single else whole


def model_of(architecture: Architecture) -> reference.Model:
    """The hand-written network of the same description."""
    return reference.Model(
        tuple(layer.activation for layer in architecture.layers),
        architecture.loss,
        architecture.labels,
        architecture.reduction,
        architecture.half,
    )


# (d) the emitted code, run


def _name_of_code(case: Case) -> str:
    return f"{case.backend.title} code"


def _written(case: Case, names: Sequence[str] | None = None) -> str:
    return emit(case.swept, names, backend=case.backend)


def _emitted(case: Case) -> Iterator[Row]:
    oracle = _name_of_code(case)
    try:
        function = compile_source(_written(case, _emitted_names(case)), case.backend)
    except (UnsupportedError, ModuleNotFoundError) as problem:
        yield from _undecided(case, oracle, str(problem))
        return
    values = {name: case.backend.array(value) for name, value in case.point.values.items()}
    params = {t.name: values[t.name] for t in case.network.of_kind("parameter")}
    others = (*case.network.of_kind("input"), *case.network.of_kind("label"))
    loss, gradients = function(params, *(values[tensor.name] for tensor in others))
    back = case.backend.numbers
    for name in _emitted_names(case):
        expected = case.expected(name)
        if expected is not None:
            yield _row(case, name, oracle, "numeric", BOUND, close(back(gradients[name]), expected))
    yield _row(case, "L", oracle, "numeric", BOUND, close(back(loss), expected_loss(case)))


def expected_loss(case: Case) -> Array:
    if case.architecture is None:
        return case.point.values[case.network.loss]
    arrays = reference_arrays(case)
    model = model_of(case.architecture)
    return np.asarray(reference.loss(model, arrays.params, arrays.x, arrays.y))


def _emitted_names(case: Case) -> tuple[str, ...]:
    """All but the auxiliary tensors, which code need not have."""
    by_name = case.network.by_name
    return tuple(name for name in case.quantities if by_name[name].kind != "auxiliary")


def _undecided(case: Case, oracle: str, reason: str) -> Iterator[Row]:
    for name in (*_emitted_names(case), "L"):
        yield Row(name, oracle, "none", "", "undecided", reason)


# (e) the emitted code, read


def _proof(case: Case) -> Iterator[Row]:
    """The module that users get, and one that returns every adjoint too, read back and proved."""
    oracle, names = "proof of the code", _emitted_names(case)
    try:
        sources = (_written(case), _written(case, names))
    except UnsupportedError as problem:
        yield from _undecided(case, oracle, str(problem))
        return
    found = [prove_source(s, FUNCTION, case.network, case.swept) for s in sources]
    for name in (*names, "L"):
        key = "loss" if name == "L" else name
        yield _row_of_proof(name, [verdicts[key] for verdicts in found if key in verdicts])


def _row_of_proof(name: str, verdicts: Sequence[Equal | Unequal | Undecided]) -> Row:
    oracle = "proof of the code"
    for verdict in verdicts:
        match verdict:
            case Unequal():
                return Row(name, oracle, "none", "", "disagrees", verdict.reason)
            case Undecided():
                return Row(name, oracle, "none", "", "undecided", verdict.reason)
            case Equal():
                continue
            case _:
                assert_never(verdict)
    equal = [verdict for verdict in verdicts if isinstance(verdict, Equal)]
    if not equal:
        return Row(name, oracle, "none", "", "undecided", "the code does not return it")
    weakest = max(equal, key=lambda v: ("proved", "exact", "numeric").index(v.method))
    facts = tuple(dict.fromkeys(fact for verdict in equal for fact in verdict.facts))
    bound = BOUND if weakest.method == "numeric" else ""
    return Row(name, oracle, weakest.method, bound, "agrees", facts=facts)


# (f) frameworks, where somebody has installed them


@dataclass(frozen=True)
class _Framework:
    """Gradients of parameters and inputs by automatic differentiation in `torch` or `jax`.

    They are told the definitions of the catalogue; that these are right is what the loss says,
    which must be the one of the hand-written network.
    """

    module: str

    def __call__(self, case: Case) -> Iterator[Row]:
        assert case.architecture is not None
        arrays = reference_arrays(case)
        if np.issubdtype(np.asarray(arrays.y).dtype, np.integer) and arrays.y is not None:
            classes = case.point.values["yhat"].shape[-1]
            arrays = replace(arrays, y=np.eye(classes)[arrays.y])
        given = {**arrays.params, "x": arrays.x}
        differentiate = _by_torch if self.module == "torch" else _by_jax
        loss, found = differentiate(case.architecture, given, arrays.y)
        yield _row(case, "L", self.module, "numeric", BOUND, close(loss, expected_loss(case)))
        for name, gradient in found.items():
            if name in case.swept.derivations:
                single = arrays.single and name == "x"
                holds = close(case.derived(name), gradient[0] if single else gradient)
                yield _row(case, name, self.module, "numeric", BOUND, holds)


def _by_torch(
    architecture: Architecture, given: Mapping[str, Array], y: Array | None
) -> tuple[Array, dict[str, Array]]:
    torch = importlib.import_module("torch")
    tensors = {name: torch.tensor(a, requires_grad=True) for name, a in given.items()}
    labels = None if y is None else torch.tensor(y, dtype=torch.float64)
    loss = _objective(torch, architecture, tensors, labels)
    loss.backward()
    return loss.detach().numpy(), {name: tensor.grad.numpy() for name, tensor in tensors.items()}


def _by_jax(
    architecture: Architecture, given: Mapping[str, Array], y: Array | None
) -> tuple[Array, dict[str, Array]]:
    jax = importlib.import_module("jax")
    numpy = importlib.import_module("jax.numpy")
    with jax.enable_x64(True):
        labels = None if y is None else numpy.asarray(y)
        both = jax.value_and_grad(lambda arrays: _objective(numpy, architecture, arrays, labels))
        loss, found = both({name: numpy.asarray(array) for name, array in given.items()})
        return np.asarray(loss), {name: np.asarray(array) for name, array in found.items()}


def _objective(xp: Any, architecture: Architecture, arrays: Mapping[str, Any], y: Any) -> Any:
    """The loss by the definitions of the catalogue, for whoever has automatic differentiation."""
    h = arrays["x"]
    for number, layer in enumerate(architecture.layers, start=1):
        z = h @ arrays[names.weight(number)] + (arrays[names.bias(number)] if layer.bias else 0)
        h = _activated(xp, layer.activation, z)
    yhat, target = Symbol("yhat"), Symbol("y")
    at = Numbers({yhat: h, target: y}, xp)
    summand = LOSSES[architecture.loss].summand(yhat, target)
    total = sum(fold(as_scalar(term), at).sum() for term in summand.terms)
    divisors = {"sum": 1, "mean": h.shape[0], "mean_elements": h.shape[0] * h.shape[1]}
    return total / divisors[architecture.reduction] / (2 if architecture.half else 1)


def _activated(xp: Any, activation: str, z: Any) -> Any:
    match activation:
        case "identity":
            return z
        case "softmax":
            return xp.exp(z) / xp.exp(z).sum(-1)[..., None]
        case _:
            return fold(FUNCTIONS[activation].value(Z), Numbers({Z: z}, xp))
