"""One derivative, as a Python user holds it: formulas in four languages, and the steps to them.

Owns: `Gradient`, `Step`, `Formula`, each part made when it is first asked for. Refuses:
mathematics; every formula comes from `derive`, every text from a printer.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from sympy import Expr

from symbackprop.calculus.sympyform import to_sympy as index_to_sympy
from symbackprop.calculus.terms import Expression
from symbackprop.derivation.matrixform import Node, matrix_form
from symbackprop.derivation.matrixform import to_sympy as matrix_to_sympy
from symbackprop.derivation.steps import Derivation as Trace
from symbackprop.derivation.steps import Step as Move
from symbackprop.proving.crosscheck import Check, Replayer
from symbackprop.writing.code.numpy_backend import expression_of
from symbackprop.writing.latex import Typesetting


@dataclass(frozen=True, eq=False)
class Gradient:
    """One derivative: its formula in four languages, and the steps that lead to it."""

    name: str
    trace: Trace = field(repr=False)
    setting: Typesetting = field(repr=False)
    replayer: Replayer = field(repr=False)

    @cached_property
    def shape(self) -> tuple[Any, ...]:
        """The extents in array layout: whole numbers where the file gives them, else symbols."""
        extents = (index.axis.extent.subs(self.setting.sizes) for index in self.trace.indices)
        return tuple(int(extent) if extent.is_Integer else extent for extent in extents)

    @cached_property
    def matrix(self) -> Expr | None:
        """A SymPy matrix expression, samples as rows; None where there is no matrix form."""
        node = self._node
        return None if node is None else matrix_to_sympy(node, self.setting.sizes)

    @cached_property
    def index(self) -> Expr:
        """One entry as a SymPy expression of `Sum`, `Indexed` and `KroneckerDelta`, from 0."""
        return Formula(self.trace.result, self.setting).index

    @cached_property
    def latex(self) -> str:
        """The matrix form under the notation of the network, or else the index form."""
        if self._node is None:
            return self.index_latex
        return self.setting.matrix(self._node, jacobian=self._is_jacobian)

    @cached_property
    def equation(self) -> str:
        """LaTeX of the whole statement, the derivative on its left side."""
        setting, network = self.setting, self.replayer.swept.network
        left = network.resolve(self.trace.wrt)
        partial = setting.partial(self.trace.of, left)
        is_delta = not self._is_jacobian and network.is_total(left)
        sides = [setting.name(network.adjoint_name(left)), partial] if is_delta else [partial]
        return " = ".join([*sides, self.latex])

    @cached_property
    def index_latex(self) -> str:
        """LaTeX of one entry, every index written out."""
        return self.setting.expression(self.trace.result)

    @cached_property
    def numpy(self) -> str | None:
        """One NumPy expression; None where there is none."""
        return expression_of(self.trace, self.setting.network, self.setting.sizes)

    @cached_property
    def steps(self) -> tuple[Step, ...]:
        return tuple(Step(move, self) for move in self.trace.steps)

    @property
    def _is_jacobian(self) -> bool:
        return self.trace.of != self.setting.network.loss

    @cached_property
    def _node(self) -> Node | None:
        return matrix_form(self.trace.result, self.trace.indices, self.setting.network)

    def _repr_latex_(self) -> str:
        return f"$\\displaystyle {self.equation}$"

    def __str__(self) -> str:
        return self.latex


@dataclass(frozen=True, eq=False)
class Formula:
    """One side of a step, as LaTeX (`str` too) and as a SymPy index expression."""

    whole: Expression = field(repr=False)
    setting: Typesetting = field(repr=False)

    @cached_property
    def latex(self) -> str:
        return self.setting.expression(self.whole)

    @cached_property
    def index(self) -> Expr:
        return index_to_sympy(self.whole, self.setting.network.functions, self.setting.sizes)

    def __str__(self) -> str:
        return self.latex

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Formula) and self.whole == other.whole

    def __hash__(self) -> int:
        return hash(self.whole)

    def _repr_latex_(self) -> str:
        return f"$\\displaystyle {self.latex}$"


@dataclass(frozen=True, eq=False)
class Step:
    """before = after, by `rule`, because of `reason`; `check` is done when it is first read."""

    move: Move = field(repr=False)
    gradient: Gradient = field(repr=False)

    @property
    def rule(self) -> str:
        return self.move.rule

    @cached_property
    def before(self) -> Formula:
        return Formula(self.move.before, self.gradient.setting)

    @cached_property
    def after(self) -> Formula:
        return Formula(self.move.after, self.gradient.setting)

    @property
    def reason(self) -> str:
        return self.move.reason

    @cached_property
    def check(self) -> Check:
        return self.gradient.replayer.check(self.move, self.gradient.trace.indices)

    def __repr__(self) -> str:
        return f"Step({self.rule!r}: {self.move.before} -> {self.move.after})"

    def __iter__(self) -> Iterator[Any]:
        return iter((self.rule, self.before, self.after, self.reason, self.check))

    def _repr_latex_(self) -> str:
        return f"$\\displaystyle {self.before.latex} = {self.after.latex}$"
