"""Networks as data: tensors, and shape-checked single-assignment equations between them.

Owns: `Tensor`, `Equation`, `Network`, the facts a tensor may carry, and their checks.
Refuses: an equation that reads an unknown tensor, has the wrong number of indices, joins axes of
different extent, assigns twice, or reads what has not been assigned (except through a shifted
index, which is a recurrence).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Literal

from sympy import Expr, S

from symbackprop.calculus.scalars import FUNCTIONS, ScalarFunction
from symbackprop.calculus.terms import (
    Applied,
    Axis,
    Delta,
    Element,
    Expression,
    Index,
    Term,
    elements_in,
    free_indices,
)
from symbackprop.errors import AxisMismatch, ShapeError
from symbackprop.networks import names

Kind = Literal["input", "label", "parameter", "intermediate", "auxiliary", "loss", "adjoint"]


@dataclass(frozen=True)
class SumsToOne:
    """The entries along axis number `axis` add to 1."""

    axis: int


@dataclass(frozen=True)
class CountsClasses:
    """The entries are whole numbers that pick one position of `axis`."""

    axis: Axis


@dataclass(frozen=True)
class NamesItsDefinition:
    """The right-hand side of the tensor's equation may be replaced by its name."""


Fact = SumsToOne | CountsClasses | NamesItsDefinition


@dataclass(frozen=True)
class Tensor:
    """A named array. `indices` are the letters under which its entries are usually written."""

    name: str
    indices: tuple[Index, ...]
    kind: Kind
    facts: tuple[Fact, ...] = ()
    letter: str = ""
    layer: int | None = None

    @property
    def axes(self) -> tuple[Axis, ...]:
        return tuple(index.axis for index in self.indices)

    @property
    def shape(self) -> tuple[Expr, ...]:
        return tuple(index.axis.extent for index in self.indices)

    def __getitem__(self, indices: tuple[Expr, ...] | Expr) -> Element:
        return Element(self.name, *(indices if isinstance(indices, tuple) else (indices,)))

    @property
    def entry(self) -> Element:
        """The entry under the tensor's own index letters."""
        return Element(self.name, *self.indices)


@dataclass(frozen=True)
class Equation:
    """target[indices] = rhs, for every value of the indices; `source` cites the formula."""

    target: str
    indices: tuple[Index, ...]
    rhs: Expression
    source: str = ""

    @property
    def entry(self) -> Element:
        return Element(self.target, *self.indices)

    @cached_property
    def reads(self) -> frozenset[str]:
        """Names of the tensors on the right side (labels inside a delta too)."""
        return frozenset(element.tensor for element in _all_elements(self.rhs))

    @property
    def is_recurrent(self) -> bool:
        """Whether it runs over layers or time steps, and so may read what comes later."""
        return any(index.axis.role in ("layer", "time") for index in self.indices)


@dataclass(frozen=True)
class Network:
    """Equations in an order in which they can be evaluated; the last ones lead to `loss`.

    `aliases` are further names of a tensor (`h1` for `z1` where there is no activation).
    """

    name: str
    tensors: tuple[Tensor, ...]
    equations: tuple[Equation, ...]
    loss: str
    aliases: Mapping[str, str] = field(default_factory=dict)
    functions: Mapping[str, ScalarFunction] = field(default_factory=lambda: FUNCTIONS)

    def __post_init__(self) -> None:
        for problem in _problems(self):
            raise problem

    @cached_property
    def by_name(self) -> dict[str, Tensor]:
        return {tensor.name: tensor for tensor in self.tensors}

    @cached_property
    def depth(self) -> int:
        """The number of layers: the largest that a tensor carries."""
        return max((t.layer for t in self.tensors if t.layer is not None), default=0)

    @cached_property
    def equation_of(self) -> dict[str, Equation]:
        return {equation.target: equation for equation in self.equations}

    @cached_property
    def readers(self) -> dict[str, tuple[Equation, ...]]:
        """For each tensor the equations that read it, in network order."""
        found: dict[str, list[Equation]] = {tensor.name: [] for tensor in self.tensors}
        for equation in self.equations:
            for name in sorted(reads(equation)):
                found[name].append(equation)
        return {name: tuple(equations) for name, equations in found.items()}

    @cached_property
    def naming_equations(self) -> tuple[Equation, ...]:
        """Equations whose right side may be replaced by the name on the left."""
        return tuple(
            self.equation_of[tensor.name]
            for tensor in self.tensors
            if any(isinstance(fact, NamesItsDefinition) for fact in tensor.facts)
        )

    @cached_property
    def applications(self) -> dict[tuple[str, frozenset[str]], list[Equation]]:
        """Equations h = f(z), by f and the tensors that z reads."""
        found: dict[tuple[str, frozenset[str]], list[Equation]] = {}
        for equation in self.equations:
            match equation.rhs.terms:
                case (Term(coefficient=S.One, bound=(), factors=(Applied(order=0) as applied,)),):
                    key = (applied.function, tensors_in(applied))
                    found.setdefault(key, []).append(equation)
        return found

    @cached_property
    def is_recurrent(self) -> bool:
        return any(equation.is_recurrent for equation in self.equations)

    def adjoint_name(self, name: str) -> str:
        """`delta3` for what layer 3 adds up (z3, or yhat without activation), else `dh2`."""
        layer = self.by_name[name].layer
        return names.delta(layer) if layer and self.is_total(name) else names.adjoint(name)

    def is_total(self, name: str) -> bool:
        """Whether a layer adds this up, so that its adjoint is that layer's delta."""
        layer = self.by_name[name].layer
        return layer is not None and self.resolve(names.total(layer)) == name

    @cached_property
    def with_adjoints(self) -> Network:
        """The network with a tensor beside each one that has an adjoint, of the same shape."""
        adjoints = tuple(
            Tensor(self.adjoint_name(t.name), t.indices, "adjoint", (), t.letter, t.layer)
            for t in self.tensors
            if t.kind not in ("label", "loss", "adjoint")
        )
        return replace(self, tensors=(*self.tensors, *adjoints))

    def resolve(self, name: str) -> str:
        """The tensor's own name, for a name or an alias."""
        return self.aliases.get(name, name)

    def tensor(self, name: str) -> Tensor:
        return self.by_name[self.resolve(name)]

    def of_kind(self, *kinds: Kind) -> tuple[Tensor, ...]:
        return tuple(tensor for tensor in self.tensors if tensor.kind in kinds)


def tensors_in(factor: Expr) -> frozenset[str]:
    """Names of the tensors that a factor reads."""
    return frozenset(element.tensor for element in elements_in(factor))


def reads(equation: Equation) -> frozenset[str]:
    """Names of the tensors that an equation reads as values (labels inside a delta too)."""
    return equation.reads


def _all_elements(rhs: Expression) -> Iterator[Element]:
    for term in rhs.terms:
        for factor in term.factors:
            yield from elements_in(factor)
            for delta in factor.atoms(Delta) if factor.has(Delta) else ():
                for side in delta.args:
                    yield from elements_in(side)


def _problems(network: Network) -> Iterator[Exception]:
    known = {tensor.name for tensor in network.tensors}
    if len(known) != len(network.tensors):
        yield ShapeError(f"network {network.name}: a tensor is declared twice")
    given = {t.name for t in network.tensors if t.kind in ("input", "label", "parameter")}
    assigned = set(given)
    for equation in network.equations:
        if equation.target not in known:
            yield ShapeError(f"{equation.target} is assigned but not declared")
            return
        if equation.target in assigned:
            yield ShapeError(
                f"{equation.target} is assigned twice; give the second value a new name"
            )
        yield from _equation_problems(network, equation)
        yield from _order_problems(equation, known, assigned)
        assigned.add(equation.target)
    if network.loss not in assigned or network.by_name[network.loss].indices:
        yield ShapeError(f"the loss {network.loss} must be a computed scalar")


def _order_problems(equation: Equation, known: set[str], assigned: set[str]) -> Iterator[Exception]:
    """Only an equation with a layer or time index may read what comes later: shifted."""
    if {index.axis.role for index in equation.indices} & {"layer", "time"}:
        return
    for name in sorted((reads(equation) & known) - assigned):
        yield ShapeError(
            f"equation of {equation.target} reads {name}, which is not known yet: a circle, or "
            f"an equation too early; place it after that of {name}"
        )


def _equation_problems(network: Network, equation: Equation) -> Iterator[Exception]:
    tensors = network.by_name
    where = f"equation of {equation.target}"
    if len(equation.indices) != len(tensors[equation.target].indices):
        yield ShapeError(
            f"{where}: {equation.target} has {len(tensors[equation.target].indices)} axes, "
            f"but {len(equation.indices)} indices are written"
        )
    loose = [i for i in free_indices(equation.rhs) if i not in equation.indices]
    if loose:
        yield ShapeError(
            f"{where}: index {loose[0].name} stands on the right only; sum over it, or add it left"
        )
    free = {index.name for index in equation.indices}
    for term in equation.rhs.terms:
        if free & {index.name for index in term.bound}:
            yield ShapeError(f"{where}: an index of the left side is summed over; rename the sum")
        for factor in term.factors:
            for applied in factor.atoms(Applied) if factor.args else ():
                if applied.function not in network.functions:
                    yield ShapeError(f"{where}: no scalar function is called {applied.function}")
    for element in (*_all_elements(equation.rhs), equation.entry):
        yield from _element_problems(where, tensors, element)


def _element_problems(
    where: str, tensors: Mapping[str, Tensor], element: Element
) -> Iterator[Exception]:
    tensor = tensors.get(element.tensor)
    if tensor is None:
        yield ShapeError(f"{where}: {element.tensor} is not declared")
        return
    if len(tensor.indices) != len(element.indices):
        yield ShapeError(
            f"{where}: {element} has {len(element.indices)} indices, {tensor.name} has "
            f"{len(tensor.indices)} axes"
        )
        return
    binding: dict[Expr, Expr] = dict(zip(tensor.indices, element.indices, strict=True))
    for axis, written in zip(tensor.axes, element.indices, strict=True):
        if isinstance(written, Index) and not written.axis.same_range(axis.substitute(binding)):
            yield AxisMismatch(
                f"{where}: index {written.name} of {element} runs over {written.axis.extent} "
                f"values, the axis has {axis.substitute(binding).extent}"
            )
