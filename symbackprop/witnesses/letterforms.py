"""SymPy matrices that know what they are in the letters of a network: `W3.T`, `yhat - y`.

Owns: the few forms that a reader knows, looked for among letters and compared entry by entry.
Refuses: a form that is not the matrix; where none is found there is none.
Would be wrong if: two letters had the same entries; entries of different tensors never do.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sympy import Eq, Matrix, Rational, diag, eye, latex, ones, sstr

from symbackprop.calculus.entry import Entry


@dataclass(frozen=True, eq=False)
class Form:
    """A matrix as text (Python with SymPy's functions) and as LaTeX, and its entries."""

    text: str
    latex: str
    matrix: Matrix

    @classmethod
    def of_letter(cls, name: str, matrix: Matrix) -> Form:
        return cls(name, latex(Entry(name)), matrix)

    @property
    def turned(self) -> Form:
        return Form(f"{self.text}.T", rf"{{{self.latex}}}^{{\top}}", self.matrix.T)

    def times(self, other: Form) -> Form:
        text, shown = f"{self.text}*{other.text}", f"{self.latex} {other.latex}"
        return Form(text, shown, self.matrix * other.matrix)

    def minus(self, other: Form) -> Form:
        text, shown = f"{self.text} - {other.text}", f"{self.latex} - {other.latex}"
        return Form(text, shown, self.matrix - other.matrix)

    def behind(self, number: Rational) -> Form:
        """The same entries, with the number that is in them written in front."""
        if number == 1:
            return self
        above = self.text if number.p == 1 else f"{number.p}*{self.text}"
        text = above if number.q == 1 else f"{above}/{number.q}"
        return Form(text, f"{latex(number)} {self.latex}", self.matrix)


@dataclass(frozen=True, eq=False)
class Error:
    """c (A - B), c a positive number: what backward passes begin with."""

    number: Rational
    left: Form
    right: Form

    @property
    def form(self) -> Form:
        whole = self.left.minus(self.right)
        return whole if self.number == 1 else self.factor.behind(self.number)

    @property
    def factor(self) -> Form:
        """A - B in parentheses; c is in its entries, and still to be written."""
        whole = self.left.minus(self.right)
        shown = rf"\left({whole.latex}\right)"
        return Form(f"({whole.text})", shown, self.number * whole.matrix)


class LetterMatrix(Matrix):
    """A SymPy matrix, printed with its form in front where it has one: `W3.T = Matrix([...])`.

    `facts`: what its entries hold under, besides the equations. What SymPy makes of it (a sum, a
    transpose) is a matrix like any other.
    """

    letters: Sequence[Form] = ()
    errors: Sequence[Error] = ()
    facts: tuple[Eq, ...] = ()

    @property
    def form(self) -> str:
        """The matrix in letters, as Python: `diag(*yhat) - yhat.T*yhat`; empty if none is found."""
        found = self._form
        return "" if found is None else found.text

    @property
    def _form(self) -> Form | None:
        forms = candidates(self, self.letters, self.errors)
        return next((form for form in forms if form.matrix == self), None)

    def _sympystr(self, printer: Any) -> str:
        entries = self._format_str(printer)
        return f"{self.form} = {entries}" if self.form else entries

    def __str__(self) -> str:
        return sstr(self)

    def _repr_latex_(self) -> str:
        found = self._form
        left = "" if found is None else f"{found.latex} = "
        return rf"$\displaystyle {left}{latex(self)}$"


def candidates(
    matrix: Matrix, letters: Sequence[Form], errors: Sequence[Error] = ()
) -> Iterator[Form]:
    """Forms to compare with; `errors` may be factors of products."""
    for letter in letters:
        yield from (letter, letter.turned)
    rows, columns = matrix.shape
    if letters and rows == columns > 1:
        yield Form(f"eye({rows})", "I", eye(rows))
        yield from (_softmax(row) for row in letters if row.matrix.shape == (1, columns))
    yield from (error.form for error in errors_like(matrix, letters))
    for error in errors:
        for product in _products(matrix.shape, letters, error.factor):
            yield product.behind(error.number)


def errors_like(matrix: Matrix, letters: Sequence[Form]) -> Iterator[Error]:
    """Those of this shape whose first entry may be that of the matrix."""
    first = matrix[0, 0]
    fitting = [
        letter
        for letter in letters
        if letter.matrix.shape == matrix.shape and first.has(letter.matrix[0, 0])
    ]
    for left in fitting:
        number = first.coeff(left.matrix[0, 0])
        if number.is_Rational and number > 0:
            yield from (Error(number, left, right) for right in fitting if right is not left)


def _products(shape: tuple[int, int], letters: Sequence[Form], error: Form) -> Iterator[Form]:
    """A^T D and D A^T, and the sum of the rows of D."""
    samples, units = error.matrix.shape
    for letter in letters:
        rows, columns = letter.matrix.shape
        if rows == samples and shape == (columns, units):
            yield letter.turned.times(error)
        if columns == units and shape == (samples, rows):
            yield error.times(letter.turned)
    if shape == (1, units):
        yield Form(f"ones(1, {samples})", r"\mathbf{1}^{\top}", ones(1, samples)).times(error)


def _softmax(row: Form) -> Form:
    """diag(a) - a^T a."""
    outer = row.turned.times(row)
    shown = rf"\operatorname{{diag}}\left({row.latex}\right) - {outer.latex}"
    return Form(f"diag(*{row.text}) - {outer.text}", shown, diag(*row.matrix) - outer.matrix)
