"""Where a section writes: every chain that leaves the desk has been checked.

Owns: the scenes of one network (generic sizes, and its own small ones for literal matrices) and
the comparison of the sides of a chain.
Refuses: a chain whose sides differ. That is a bug, not a remark for the reader: `UncheckedEquation`
is raised and no document appears.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from sympy import Expr, Integer, Symbol

from symbackprop.calculus.terms import Element, Expression, Index, expression, product, substitute
from symbackprop.derivation.evaluate import Point, forward
from symbackprop.derivation.steps import Derivation, Sweep
from symbackprop.derivation.sweep import jacobian, sweep
from symbackprop.document.blocks import Chain, Check, Display, Maths
from symbackprop.document.formulas import (
    Cases,
    Derivative,
    Formula,
    Grid,
    Meaning,
    Name,
    Number,
    Of,
    Operator,
    Plain,
    Product,
    Scalar,
    Sign,
    Stated,
    Total,
    entry,
    show,
    slope,
    value,
)
from symbackprop.document.scene import Scene, with_derivatives
from symbackprop.errors import SymbackpropError
from symbackprop.networks.network import Network, Tensor
from symbackprop.writing.latex import Typesetting

BOUND = 1e-10


class UncheckedEquation(SymbackpropError):
    """Two sides of an equation that a document was about to print do not agree."""


@dataclass(frozen=True)
class Desk:
    """One network, how it is written, and where its equations are checked.

    `generic`: scenes at pairwise different sizes; `own`: scenes at the network's own sizes, empty
    where those are symbols or too large to write out.
    """

    network: Network
    setting: Typesetting
    generic: tuple[Scene, ...]
    own: tuple[Scene, ...]

    @cached_property
    def sweep(self) -> Sweep:
        return sweep(self.network)

    @property
    def has_labels(self) -> bool:
        return "y" in self.network.by_name

    @cached_property
    def sizes(self) -> Mapping[Symbol, int]:
        return self.own[0].point.sizes if self.own else {}

    # Chains ----------------------------------------------------------------------------------

    def chain(
        self,
        *sides: Formula,
        jacobian: bool = False,
        relation: str = "=",
        facts: tuple[str, ...] = (),
        defines: bool = False,
    ) -> Chain:
        """The equation, checked: side = side = ...

        Raises: UncheckedEquation when two sides differ at a point.
        """
        scenes = self.own if any(map(_is_literal, sides)) else self.generic
        if not scenes:
            raise UncheckedEquation("an equation with literal entries needs whole-number sizes")
        for scene in scenes:
            _compare(sides, scene, self.setting)
        check = Check("definition") if defines else Check("numeric", f"< {BOUND:.0e}", facts)
        return Chain(sides, self.setting, check, relation, jacobian)

    def display(
        self,
        *sides: Formula,
        rules: Sequence[str] = (),
        jacobian: bool = False,
        facts: tuple[str, ...] = (),
        defines: bool = False,
    ) -> Display:
        chain = self.chain(*sides, jacobian=jacobian, facts=facts, defines=defines)
        return Display(chain, tuple(rules))

    def maths(self, formula: Formula) -> Maths:
        return Maths(formula, self.setting)

    def name(self, tensor: str) -> Maths:
        return self.maths(Name(tensor))

    def sign(self, meaning: Meaning) -> Maths:
        return self.maths(Sign(meaning))

    def general(self) -> Desk:
        """The same desk, where every activation is written f."""
        return replace(self, setting=replace(self.setting, general=True))

    def assuming(self, label: str, array: Sequence[float]) -> Desk:
        """The desk where the labels of the sample have these values."""
        scenes = tuple(
            with_derivatives(
                self.network,
                forward(
                    Point(
                        self.network,
                        {
                            tensor.name: scene.values[tensor.name]
                            for tensor in self.network.of_kind("input", "parameter")
                        }
                        | {label: np.asarray(array, dtype=float)},
                        scene.point.sizes,
                    )
                ),
            )
            for scene in self.own
        )
        return replace(self, own=scenes)

    # Formulas --------------------------------------------------------------------------------

    def tensor(self, name: str) -> Tensor:
        return self.setting.network.tensor(name)

    def matrix(self, derivation: Derivation, shapes: bool = False) -> Of:
        return Of(derivation.result, derivation.indices, matrix=True, shapes=shapes)

    def result(self, name: str, shapes: bool = False) -> Of:
        """The derived adjoint or gradient of a tensor, as matrix algebra."""
        return self.matrix(self.sweep[name], shapes)

    def forward(self, name: str, matrix: bool = True) -> Of:
        """The right side of a tensor's equation."""
        equation = self.network.equation_of[self.network.resolve(name)]
        return Of(equation.rhs, equation.indices, matrix)

    def jacobian(self, of: str, wrt: str) -> Derivation:
        return jacobian(self.network, of, wrt)

    def places(self, name: str) -> list[tuple[int, ...]]:
        shape = self.own[0].values[self.network.resolve(name)].shape
        return list(itertools.product(*map(range, shape)))

    def grid(self, name: str) -> Grid:
        """The tensor as a literal matrix of its entries."""
        tensor = self.tensor(name)
        return self._table(tensor, lambda place: entry(tensor.name, *place))

    def gradient_grid(self, of: str, wrt: str) -> Grid:
        """d of / d wrt, entry by entry, in the shape of wrt (of is a number)."""
        tensor = self.tensor(wrt)
        whole = Element(self.network.resolve(of))
        return self._table(tensor, lambda place: slope(whole, Element(tensor.name, *place)))

    def result_grid(self, derivation: Derivation) -> Grid:
        """The derived formula, entry by entry, sums written out."""
        tensor = self.tensor(derivation.wrt)
        return self._table(
            tensor, lambda place: Of(self.at(derivation.result, derivation.indices, place))
        )

    def jacobian_grid(self, of: str, wrt: str, derivation: Derivation | None = None) -> Grid:
        """Rows for entries of `of`, columns for entries of `wrt`: derivatives to be found, or
        what the derivation says they are."""
        above, below = self.tensor(of).name, self.tensor(wrt).name
        return Grid(
            tuple(
                tuple(
                    slope(Element(above, *row), Element(below, *col))
                    if derivation is None
                    else Of(self.at(derivation.result, derivation.indices, (*row, *col)))
                    for col in self.places(wrt)
                )
                for row in self.places(of)
            )
        )

    def at(self, whole: Expression, indices: Sequence[Index], places: Sequence[int]) -> Expression:
        """The expression at whole-number indices, with sums written out."""
        replacement: dict[Index, Expr] = {
            index: Integer(place) for index, place in zip(indices, places, strict=True)
        }
        fixed = expression(*(substitute(term, replacement) for term in whole.terms))
        return self.spelled_out(fixed)

    def spelled_out(self, whole: Expression) -> Expression:
        """Sums over features and samples as sums of terms."""
        terms = []
        for term in whole.terms:
            ranges = [range(int(index.axis.extent.subs(self.sizes))) for index in term.bound]
            for values in itertools.product(*ranges):
                place = {i: Integer(v) for i, v in zip(term.bound, values, strict=True)}
                moved = [factor.xreplace(place) for factor in term.factors]
                terms.append(product(term.coefficient, (), moved))
        return expression(*terms)

    def _table(self, tensor: Tensor, cell: object) -> Grid:
        shape = self.own[0].values[tensor.name].shape
        make = cell  # a function of the place
        if len(shape) == 2:
            rows = [[make((i, j)) for j in range(shape[1])] for i in range(shape[0])]  # type: ignore[operator]
        elif tensor.axes[0].role == "sample":
            rows = [[make((i,))] for i in range(shape[0])]  # type: ignore[operator]
        else:
            rows = [[make((j,)) for j in range(shape[0])]]  # type: ignore[operator]
        return Grid(tuple(map(tuple, rows)))


def _compare(sides: Sequence[Formula], scene: Scene, setting: Typesetting) -> None:
    values = [np.asarray(value(side, scene)) for side in sides]
    reference = values[0]
    for place, (side, other) in enumerate(zip(sides[1:], values[1:], strict=True), start=2):
        tolerance = BOUND * (1 + float(np.max(np.abs(reference), initial=0)))
        if isinstance(side, Number):
            tolerance = 0.5000001 * 10.0**-side.digits
        same = other.size == reference.size and (other.ndim == 0 or other.shape == reference.shape)
        if not same and 1 in (other.size, reference.size):
            same = other.size == reference.size
        if not same or np.max(np.abs(other.reshape(reference.shape) - reference)) > tolerance:
            raise UncheckedEquation(
                f"side {place} of an equation differs from the first: {show(side, setting)}"
            )


def _is_literal(formula: Formula) -> bool:
    """Whether a formula lists entries, so that it holds at the network's own sizes only."""
    match formula:
        case Grid() | Number() | Operator() | Plain():
            return True
        case Of():
            return any(
                place.is_Integer
                for term in formula.whole.terms
                for factor in term.factors
                for element in factor.atoms(Element)
                for place in element.indices
            )
        case Product() | Total():
            return any(map(_is_literal, formula.parts))
        case Name() | Derivative() | Cases() | Stated() | Scalar() | Sign():
            return False
