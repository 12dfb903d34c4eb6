r"""Formulas of a document: objects that can be shown as LaTeX and evaluated at a point.

Owns: the closed set of formula nodes and their two readings, `show` and `value`. A chain
`a = b = c` is checked by comparing the values of its sides; what cannot be evaluated cannot be
printed.
Refuses: LaTeX text as input.

Layout: values are arrays with samples as rows. A tensor with one axis is a row (1 x k), over
samples a column. Under the columns notation a page shows the transposed matrix, in letters that
stand for transposed arrays; a Jacobian keeps its numerator layout, so only its letters turn.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal, assert_never

import numpy as np
import numpy.typing as npt
from sympy import sympify

from symbackprop.calculus.scalars import H, Z, fold
from symbackprop.calculus.terms import (
    Applied,
    Element,
    Expression,
    Index,
    Partial,
    expression,
    free_indices,
    product,
    single,
)
from symbackprop.derivation.evaluate import Numbers, evaluate, explicit_value
from symbackprop.derivation.matrixform import matrix_form
from symbackprop.document.plain import (
    Lesson,
    Sum,
    Tree,
    exact_number,
    numeric,
    show_tree,
    signed_parts,
)
from symbackprop.document.scene import Scene
from symbackprop.networks import names
from symbackprop.witnesses import reference
from symbackprop.writing.depth import Statement
from symbackprop.writing.latex import Typesetting

Array = npt.NDArray[Any]
VANISHING = 1e-12


@dataclass(frozen=True)
class Of:
    """An expression of the index calculus. With `indices`, a table over them: as matrix algebra
    when `matrix`, else in index form; `shapes` puts the size below each factor of a product."""

    whole: Expression
    indices: tuple[Index, ...] = ()
    matrix: bool = False
    shapes: bool = False


@dataclass(frozen=True)
class Name:
    """A whole tensor."""

    tensor: str


@dataclass(frozen=True)
class Derivative:
    """d of / d wrt of whole tensors: of the shape of `wrt` where `of` is a number, else the
    Jacobian with rows for `of` and columns for `wrt`."""

    of: str
    wrt: str


@dataclass(frozen=True)
class Operator:
    """d/d entry of a formula that is written out: the value is taken by a complex step."""

    entry: Element
    inner: Formula


@dataclass(frozen=True)
class Grid:
    """A matrix that lists its entries."""

    rows: tuple[tuple[Formula, ...], ...]


@dataclass(frozen=True)
class Product:
    """Matrix product, or with `entrywise` the Hadamard product."""

    parts: tuple[Formula, ...]
    entrywise: bool = False


@dataclass(frozen=True)
class Total:
    """Sum of formulas."""

    parts: tuple[Formula, ...]


@dataclass(frozen=True)
class Number:
    """A number as printed, with this many digits after the point, or with `significant`
    this many digits in all. A constant of the worked example may have a `letter` (LaTeX) that
    stands for it."""

    figure: float
    digits: int = 4
    significant: bool = False
    letter: str = ""


@dataclass(frozen=True)
class Cases:
    """One expression where two indices agree, another where they differ."""

    indices: tuple[Index, ...]
    pair: tuple[Index, Index]
    same: Expression
    different: Expression


@dataclass(frozen=True)
class Stated:
    """One side of a statement for a symbolic layer, its activation written f."""

    statement: Statement
    right: bool


Meaning = Literal["transpose", "entrywise", "quotient", "ones", "indicator", "diagonal", "identity"]


@dataclass(frozen=True)
class Sign:
    """A sign of the notation by itself, where a document explains it."""

    meaning: Meaning


SIGNS = {
    "transpose": r"{\cdot}^{\top}",
    "entrywise": r"\circ",
    "quotient": r"\oslash",
    "ones": r"\mathbf{1}",
    "indicator": r"\mathbf{1}_{\lbrace \ldots \rbrace}",
    "diagonal": r"\operatorname{diag}",
    "identity": "I",
}


@dataclass(frozen=True)
class Scalar:
    """A scalar function of one number z: its letter, f(z), its definition, f'(z), f'(z) written
    through f(z), or f'(z) as SymPy differentiates the definition."""

    function: str
    part: Literal["name", "value", "definition", "slope", "through", "derivative"]


@dataclass(frozen=True)
class Plain:
    """Ordinary arithmetic and calculus, in the order in which it is written: over `indices` at a
    scene, or in lessons, one exact value for each. `stacked`: one addend on a line."""

    tree: Tree
    indices: tuple[Index, ...] = ()
    lessons: tuple[Lesson, ...] = ()
    stacked: bool = False


Formula = (
    Of
    | Name
    | Derivative
    | Operator
    | Grid
    | Product
    | Total
    | Number
    | Cases
    | Stated
    | Scalar
    | Sign
    | Plain
)


# --------------------------------------------------------------------------------------------
# Building
# --------------------------------------------------------------------------------------------


def entry(tensor: str, *places: int | Index) -> Of:
    """One entry; whole numbers count from 0."""
    return Of(single(Element(tensor, *places)), _open(places))


def slope(of: Element, wrt: Element) -> Of:
    """The derivative of one entry by another, along every path."""
    return Of(single(Partial(of, wrt, total=True)), _open((*of.indices, *wrt.indices)))


def scalar(whole: Expression) -> Of:
    """An expression over its free indices, in alphabetical order."""
    return Of(whole, free_indices(whole))


def addends(*factors: tuple[Any, ...]) -> Expression:
    """A sum of products of SymPy factors, in this order."""
    return expression(*(product(1, (), map(sympify, parts)) for parts in factors))


def _open(places: Sequence[Any]) -> tuple[Index, ...]:
    return tuple(place for place in places if isinstance(place, Index))


# --------------------------------------------------------------------------------------------
# Values
# --------------------------------------------------------------------------------------------


def value(formula: Formula, scene: Scene) -> Array:
    """The value in the scene: a matrix, or for an index form a table over its indices."""
    match formula:
        case Of():
            table = evaluate(formula.whole, formula.indices, scene.point)
            return _upright(table, formula.indices) if formula.matrix else table
        case Name():
            tensor = scene.network.tensor(formula.tensor)
            return _upright(np.asarray(scene.values[tensor.name]), tensor.indices)
        case Derivative():
            return _derivative(formula, scene)
        case Operator():
            return _operated(formula, scene)
        case Grid():
            return np.array(
                [
                    [np.asarray(value(cell, scene)).reshape(()) for cell in row]
                    for row in formula.rows
                ]
            )
        case Product():
            return _multiplied([value(part, scene) for part in formula.parts], formula.entrywise)
        case Total():
            return np.asarray(sum(value(part, scene) for part in formula.parts))
        case Number():
            return np.asarray(formula.figure)
        case Cases():
            return _chosen(formula, scene)
        case Stated():
            return _stated(formula, scene)
        case Scalar():
            return _scalar_values(formula, scene)
        case Sign():
            raise ValueError("a sign by itself has no value; it cannot stand in an equation")
        case Plain():
            if formula.lessons:
                return np.array([exact_number(formula.tree, one) for one in formula.lessons])
            return numeric(formula.tree, formula.indices, scene.point)
        case _:
            assert_never(formula)


def _upright(table: Array, indices: Sequence[Index]) -> Array:
    if table.ndim == 0:
        return table.reshape(1, 1)
    if table.ndim == 1:
        return table[:, None] if indices[0].axis.role == "sample" else table[None, :]
    return table


def _derivative(formula: Derivative, scene: Scene) -> Array:
    of, wrt = scene.network.tensor(formula.of), scene.network.tensor(formula.wrt)
    table = scene.jacobian(of.name, wrt.name)
    if not of.indices:
        return _upright(table, wrt.indices)
    return table


def _operated(formula: Operator, scene: Scene) -> Array:
    step = 1e-30
    places = tuple(int(place) for place in formula.entry.indices)
    moved = np.asarray(scene.values[formula.entry.tensor], dtype=complex)
    moved = moved.copy()
    moved[places] += 1j * step
    return np.asarray(
        value(formula.inner, scene.with_value(formula.entry.tensor, moved)).imag / step
    )


def _multiplied(parts: list[Array], entrywise: bool) -> Array:
    result = parts[0]
    for part in parts[1:]:
        scalars = result.ndim == 0 or part.ndim == 0
        result = result * part if entrywise or scalars else result @ part
    return np.asarray(result)


def _chosen(formula: Cases, scene: Scene) -> Array:
    same = evaluate(formula.same, formula.indices, scene.point)
    different = evaluate(formula.different, formula.indices, scene.point)
    first, second = (formula.indices.index(index) for index in formula.pair)
    grids = np.indices(same.shape)
    return np.where(grids[first] == grids[second], same, different)


PROBES = np.array([-2.3, -0.6, 0.4, 1.7])


def _scalar_values(formula: Scalar, scene: Scene) -> Array:
    """At a few numbers on both sides of zero. f and f' are the hand-written ones of `reference`,
    or of the definition where it stands in a loss; f' by complex step. What is printed beside them
    is the definition at work here."""
    record = scene.network.functions[formula.function]
    written = reference.ACTIVATIONS.get(formula.function)
    witness = written.value if written else lambda z: explicit_value(record.value(Z), z)
    match formula.part:
        case "name":
            raise ValueError("a function by itself has no value; it cannot stand in an equation")
        case "value":
            return np.asarray(witness(PROBES))
        case "slope":
            return np.asarray(witness(PROBES + 1e-30j).imag / 1e-30)
        case "definition":
            return np.asarray(explicit_value(record.value(Z), PROBES))
        case "derivative":
            return np.asarray(explicit_value(record.value(Z, 1), PROBES))
        case "through":
            slope = record.slope(Z, H)
            assert slope is not None
            known = {Z: PROBES, H: explicit_value(record.value(Z), PROBES)}
            return np.asarray(fold(slope, Numbers(known)))
        case _:
            assert_never(formula.part)


def _stated(formula: Stated, scene: Scene) -> Array:
    """The values for the layers of which the statement speaks."""
    statement = formula.statement
    left = single(Element(names.adjoint(statement.tensor), *statement.indices))
    table = evaluate(statement.result if formula.right else left, statement.indices, scene.point)
    if statement.holds.endswith("< D"):
        return table[:-1]
    return table[-1:] if statement.holds == "l = D" else table


# --------------------------------------------------------------------------------------------
# LaTeX
# --------------------------------------------------------------------------------------------


def show(formula: Formula, setting: Typesetting, jacobian: bool = False) -> str:
    """LaTeX of the formula; `jacobian` keeps numerator layout under the columns notation."""
    return _Shower(setting).show(formula, setting.columns and not jacobian)


@dataclass(frozen=True)
class _Shower:
    """`turned`: print the transpose, in letters that stand for transposed arrays."""

    setting: Typesetting

    def show(self, formula: Formula, turned: bool) -> str:
        match formula:
            case Of():
                return self._of(formula, turned)
            case Name():
                return self._raised(self.setting.name(formula.tensor), self._needs_top(turned))
            case Derivative():
                return self._derivative(formula, turned)
            case Operator():
                inner = self.show(formula.inner, turned)
                below = self.setting.entry(formula.entry)
                return rf"\frac{{\partial}}{{\partial {below}}}\left({inner}\right)"
            case Grid():
                return self._grid(formula, turned)
            case Product():
                return self._product(formula, turned)
            case Total():
                return _added([self.show(part, turned) for part in formula.parts])
            case Number():
                return figure(formula)
            case Cases():
                return self._cases(formula)
            case Stated(statement=statement):
                return statement.right(general=True) if formula.right else statement.left()
            case Scalar():
                return self._scalar(formula)
            case Sign():
                return SIGNS[formula.meaning]
            case Plain():
                return self._plain(formula)
            case _:
                assert_never(formula)

    def _scalar(self, formula: Scalar) -> str:
        record = self.setting.network.functions[formula.function]
        match formula.part:
            case "name":
                return self.setting.function(formula.function, 0)
            case "value" | "slope":
                prime = "'" if formula.part == "slope" else ""
                return rf"{record.letter}{prime}\left(z\right)"
            case "definition":
                return self.setting.explicit(record.value(Z))
            case "derivative":
                return self.setting.explicit(record.value(Z, 1))
            case "through":
                slope = record.slope(Z, Applied(record.name, 0, Z))
                assert slope is not None
                return self.setting.pointwise(slope)
            case _:
                assert_never(formula.part)

    def _needs_top(self, turned: bool) -> bool:
        return self.setting.columns and not turned

    def _of(self, formula: Of, turned: bool) -> str:
        if formula.matrix:
            node = matrix_form(formula.whole, formula.indices, self.setting.network)
            if node is not None:
                return self.setting.matrix(node, formula.shapes, self._needs_top(turned))
        return self.setting.expression(formula.whole)

    def _derivative(self, formula: Derivative, turned: bool) -> str:
        shown = self.setting.partial(formula.of, formula.wrt)
        is_jacobian = bool(self.setting.network.tensor(formula.of).indices)
        return self._raised(shown, turned if is_jacobian else self._needs_top(turned))

    def _raised(self, shown: str, transposed: bool) -> str:
        return rf"\left({shown}\right)^{{\top}}" if transposed else shown

    def _grid(self, formula: Grid, turned: bool) -> str:
        rows = tuple(zip(*formula.rows, strict=True)) if turned else formula.rows
        if len(rows) == 1 and len(rows[0]) == 1:
            return self.show(rows[0][0], False)
        lines = [" & ".join(self.show(cell, False) for cell in row) for row in rows]
        return "\\begin{bmatrix}\n" + " \\\\\n".join(lines) + "\n\\end{bmatrix}"

    def _product(self, formula: Product, turned: bool) -> str:
        ordered = formula.parts
        if turned and not formula.entrywise:  # (a B C)^T = a C^T B^T: numbers stay in front
            matrices = [part for part in ordered if not _is_number(part)]
            ordered = (*filter(_is_number, ordered), *reversed(matrices))
        sign = r" \circ " if formula.entrywise else r" \, "
        return sign.join(self._factor(part, turned) for part in ordered)

    def _factor(self, part: Formula, turned: bool) -> str:
        shown = self.show(part, turned)
        single = _single(part)
        loose = isinstance(single, Total) or (isinstance(single, Of) and _is_sum(single, shown))
        return rf"\left({shown}\right)" if loose else shown

    def _cases(self, formula: Cases) -> str:
        first, second = (self.setting.scalar(index) for index in formula.pair)
        same, different = (
            self.setting.expression(branch) for branch in (formula.same, formula.different)
        )
        return (
            "\\begin{cases}\n"
            f"{same} & \\text{{if }} {first} = {second} \\\\\n"
            f"{different} & \\text{{if }} {first} \\ne {second}\n"
            "\\end{cases}"
        )

    def _plain(self, formula: Plain) -> str:
        if not formula.stacked or not isinstance(formula.tree, Sum):
            return show_tree(formula.tree, self.setting)
        first, *rest = signed_parts(formula.tree, self.setting)
        lines = [f"& {first}", *(rf"& \quad {part}" for part in rest)]
        return "\\begin{aligned}\n" + " \\\\\n".join(lines) + "\n\\end{aligned}"


def _is_number(part: Formula) -> bool:
    """A number or a size, which is no matrix in any layout."""
    match part:
        case Number():
            return True
        case Of():
            return all(not term.factors and not term.bound for term in part.whole.terms)
        case _:
            return False


def _single(part: Formula) -> Formula:
    """A matrix with one entry prints as that entry, and needs its parentheses."""
    match part:
        case Grid(rows=((cell,),)):
            return cell
        case _:
            return part


def _is_sum(part: Of, shown: str) -> bool:
    if part.matrix:
        return shown.startswith("-") or _adds(shown)
    return len(part.whole.terms) > 1 or shown.startswith("-") or _adds(shown)


def _adds(shown: str) -> bool:
    """Whether a sum stands outside all brackets."""
    depth = 0
    for place, character in enumerate(shown):
        depth += (character in "{(") - (character in "})")
        if depth == 0 and shown[place : place + 3] in (" + ", " - "):
            return True
    return False


def _added(parts: Sequence[str]) -> str:
    return " ".join(
        part if place == 0 else (f"- {part[1:].lstrip()}" if part.startswith("-") else f"+ {part}")
        for place, part in enumerate(parts)
    )


def figure(number: Number) -> str:
    r"""A number as printed: half to even, never -0.0000, never a tie decided by the last bit.

    >>> figure(Number(0.12345)), figure(Number(2.5e-7, 3, significant=True))
    ('0.1234', '2.50 \\cdot 10^{-7}')
    """
    if number.letter:
        return number.letter
    exact = Decimal(f"{number.figure:.12g}")  # sums that differ in the last bit print alike
    if not number.significant:
        return _fixed(exact, number.digits)
    if abs(number.figure) < VANISHING:
        return "0"
    mantissa, exponent = f"{exact:.{number.digits - 1}e}".split("e")
    if -4 <= int(exponent) < number.digits + 2:
        return _fixed(exact, max(0, number.digits - 1 - int(exponent)))
    return rf"{mantissa} \cdot 10^{{{int(exponent)}}}"


def _fixed(exact: Decimal, digits: int) -> str:
    text = f"{exact:.{digits}f}"
    return text.removeprefix("-") if Decimal(text) == 0 else text
