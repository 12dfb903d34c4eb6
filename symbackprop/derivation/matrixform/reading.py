"""Reading an index expression as matrix algebra: `sum_k d[n,k] W[j,k]` -> d W^T.

Owns: `matrix_form`: which factors become matrices, and in which order their sums are taken.
Refuses: expressions with no such reading (three free indices, three matrices that meet in one
sum): the answer is None and the index form stands.
Would be wrong if: a sum were read over an index that another part still needs; a test evaluates
readings of random expressions against the interpreter.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sympy import Expr, S

from symbackprop.calculus.terms import (
    Applied,
    Delta,
    Element,
    Expression,
    Guard,
    Index,
    Term,
    indices_in,
    product,
    text,
)
from symbackprop.derivation.matrixform.nodes import (
    Constant,
    Diag,
    Divide,
    Hadamard,
    Identity,
    Leaf,
    Map,
    Node,
    OneHot,
    Ones,
    Power,
    Scale,
    Sum,
    hadamard,
    matmul,
    scaled,
    summed,
    tensor_is_column,
    transpose,
)
from symbackprop.networks.network import Network


def matrix_form(whole: Expression, indices: Sequence[Index], network: Network) -> Node | None:
    """The expression, with free `indices`, as matrix algebra; None where there is no such form.

    Two indices: rows, then columns. One: a row, or a column where it runs over samples. None: a
    1 x 1 matrix. Indices over layers are labels and do not count.
    """
    axes = [index for index in indices if index.axis.role != "layer"]
    if len(axes) > 2:
        return None
    row, col = _oriented(axes)
    return _Reader(network).whole(whole, row, col)


def _oriented(axes: Sequence[Index]) -> tuple[Index | None, Index | None]:
    if len(axes) == 2:
        return axes[0], axes[1]
    if len(axes) == 1:
        return (axes[0], None) if axes[0].axis.role == "sample" else (None, axes[0])
    return None, None


@dataclass(frozen=True)
class _Reader:
    network: Network

    def whole(self, whole: Expression, row: Index | None, col: Index | None) -> Node | None:
        if not whole.terms:
            return Constant(row, col, S.Zero)
        scale = _common_scale(whole)
        common, rest = _common_factors(whole)
        parts: list[Node] = []
        for term in rest.terms:
            inner = self.term(Term(S.One, term.bound, term.factors), row, col)
            if inner is None:
                return None
            parts.append(scaled(term.coefficient / scale, inner))
        parts.sort(key=_leads_negative)
        body = parts[0] if len(parts) == 1 else Sum(row, col, tuple(parts))
        if common:
            shared = self.term(Term(S.One, (), common), row, col)
            if shared is None:
                return None
            body = hadamard((body, shared) if _is_slope(shared) else (shared, body))
        return scaled(scale, body)

    def term(self, term: Term, row: Index | None, col: Index | None) -> Node | None:
        graph = _Graph.of(term, self, row, col)
        return None if graph is None else graph.reduced(term.bound)

    def factor(self, factor: Expr) -> Node | None:
        """One factor as a matrix, a row, or a number; None with three indices or a guard."""
        axes = self._axes(factor)
        if axes is None or len(axes) > 2:
            return None
        row, col = (None, axes[0]) if len(axes) == 1 else _pair(axes)
        return self.pointwise(factor, row, col)

    def _axes(self, factor: Expr) -> list[Index] | None:
        """Indices of a factor that are matrix axes, as the first element reads them."""
        found: list[Index] = []
        for index in _reading_order(factor):
            if index.axis.role != "layer" and index not in found:
                found.append(index)
        return found

    def pointwise(self, factor: Expr, row: Index | None, col: Index | None) -> Node | None:
        match factor:
            case Element():
                return self.element(factor, row, col)
            case Applied():
                inner = self.pointwise(factor.argument, row, col)
                return inner and Map(row, col, factor.function, factor.order, inner)
            case Delta():
                return self.delta(factor, row, col)
            case Guard():
                return None
        if factor.is_Number or (factor.is_Symbol and not isinstance(factor, Index)):
            return Constant(row, col, factor)
        if factor.is_Pow and factor.exp.is_Integer:
            return self.power(factor, row, col)
        scale, rest = factor.as_coeff_Mul()
        if factor.is_Mul and scale != 1:
            inner = self.pointwise(rest, row, col)
            return inner and scaled(scale, inner)
        if factor.is_Add or factor.is_Mul:
            parts = [self.pointwise(part, row, col) for part in _reading(factor)]
            if any(part is None for part in parts):
                return None
            known = tuple(part for part in parts if part is not None)
            return summed(known) if factor.is_Add else hadamard(known)
        return None

    def power(self, factor: Expr, row: Index | None, col: Index | None) -> Node | None:
        inner = self.pointwise(factor.base, row, col)
        if inner is None:
            return None
        exponent = int(factor.exp)
        body = inner if abs(exponent) == 1 else Power(row, col, inner, abs(exponent))
        return body if exponent > 0 else Divide(row, col, Constant(row, col, S.One), body)

    def element(self, element: Element, row: Index | None, col: Index | None) -> Node | None:
        tensor = self.network.by_name[element.tensor]
        labels: list[Expr] = []
        places: list[Expr] = []
        for axis, written in zip(tensor.axes, element.indices, strict=True):
            (labels if axis.role == "layer" else places).append(written)
        if any(not isinstance(place, Index) for place in places):
            return None
        present = tuple(places)
        name, marks = element.tensor, tuple(labels)
        if present == tuple(index for index in (row, col) if index is not None):
            column = len(present) == 1 and tensor_is_column(present[0])
            return Leaf(row, col, name, column and row is None, marks)
        if len(present) == 2 and present == (col, row):
            return Leaf(row, col, name, True, marks)
        if not present:
            return Leaf(None, None, name, False, marks)
        return None

    def delta(self, delta: Delta, row: Index | None, col: Index | None) -> Node | None:
        sides = list(delta.args)
        picks = [side for side in sides if isinstance(side, Element)]
        if len(picks) == 1:
            rest = sides[0] if sides[1] is picks[0] else sides[1]
            if {*picks[0].indices, rest} == {index for index in (row, col) if index is not None}:
                return OneHot(row, col, picks[0].tensor, row == rest and col is not None)
            return None
        if set(sides) == {row, col}:
            return Identity(row, col)
        return None


def _reading_order(factor: Expr) -> list[Index]:
    if isinstance(factor, Element):
        return [
            index for written in factor.indices for index in sorted(indices_in(written), key=text)
        ]
    if isinstance(factor, Delta):
        return sorted(indices_in(factor), key=text)
    found: list[Index] = []
    for part in factor.args:
        found.extend(index for index in _reading_order(part) if index not in found)
    if isinstance(factor, Index):
        found.append(factor)
    return found


def _pair(axes: Sequence[Index]) -> tuple[Index | None, Index | None]:
    return (axes[0], axes[1]) if axes else (None, None)


def _reading(factor: Expr) -> list[Expr]:
    """Addends and factors as a reader writes them: 1 - h, yhat - y."""
    return sorted(factor.args, key=lambda part: (part.could_extract_minus_sign(), text(part)))


def _is_slope(node: Node) -> bool:
    return isinstance(node, Map) and node.order > 0


def _common_scale(whole: Expression) -> Expr:
    """The scale that all terms share up to sign and whole numbers."""
    first = whole.terms[0].coefficient
    for term in whole.terms[1:]:
        if term.coefficient not in (first, -first):
            return S.One
    if len(whole.terms) == 1:
        return first
    positive = next((t for t in whole.terms if not t.coefficient.could_extract_minus_sign()), None)
    return positive.coefficient if positive is not None else first


def _leads_negative(node: Node) -> bool:
    return isinstance(node, Scale) and node.coefficient.could_extract_minus_sign()


def _common_factors(whole: Expression) -> tuple[tuple[Expr, ...], Expression]:
    """Factors that all of several terms share, none of them summed over; not across deltas."""
    if len(whole.terms) < 2 or any(f.has(Delta) for t in whole.terms for f in t.factors):
        return (), whole
    shared = set(whole.terms[0].factors)
    for term in whole.terms:
        loose = {f for f in term.factors if not indices_in(f) & set(term.bound)}
        shared &= loose
    if not shared:
        return (), whole
    rest = []
    for term in whole.terms:
        kept = product(term.coefficient, term.bound, (f for f in term.factors if f not in shared))
        assert kept is not None
        rest.append(kept)
    return tuple(sorted(shared, key=text)), Expression(tuple(rest))


# --------------------------------------------------------------------------------------------
# Reduction of one product
# --------------------------------------------------------------------------------------------


@dataclass
class _Graph:
    """Indices are vertices; matrices are edges, rows are weights on a vertex."""

    row: Index | None
    col: Index | None
    matrices: list[Node]
    vectors: list[Node]
    numbers: list[Node]

    @classmethod
    def of(cls, term: Term, reader: _Reader, row: Index | None, col: Index | None) -> _Graph | None:
        graph = cls(row, col, [], [], [])
        for factor in term.factors:
            node = reader.factor(factor)
            if node is None:
                return None
            count = (node.row is not None) + (node.col is not None)
            (graph.numbers, graph.vectors, graph.matrices)[count].append(node)
        return graph

    def reduced(self, bound: Sequence[Index]) -> Node | None:
        waiting = list(bound)
        while waiting:
            self._merge_parallel()
            index = min(waiting, key=lambda i: len(self._touching(i)[0]))
            if len(self._touching(index)[0]) > 2:
                return None
            self._sum_over(index)
            waiting.remove(index)
        self._merge_parallel()
        return self._assembled()

    def _merge_parallel(self) -> None:
        merged: list[Node] = []
        for node in self.matrices:
            for place, other in enumerate(merged):
                if {node.row, node.col} == {other.row, other.col}:
                    aligned = node if node.row == other.row else transpose(node)
                    merged[place] = hadamard((other, aligned))
                    break
            else:
                merged.append(node)
        self.matrices = merged

    def _touching(self, index: Index) -> tuple[list[Node], list[Node]]:
        edges = [m for m in self.matrices if index in (m.row, m.col)]
        weights = [v for v in self.vectors if v.col == index]
        return edges, weights

    def _sum_over(self, index: Index) -> None:
        edges, weights = self._touching(index)
        self.matrices = [m for m in self.matrices if m not in edges]
        self.vectors = [v for v in self.vectors if v not in weights]
        match edges:
            case [one, two]:
                left = one if one.col == index else transpose(one)
                right = two if two.row == index else transpose(two)
                middle = (Diag(index, index, hadamard(weights)),) if weights else ()
                self.matrices.append(matmul((left, *middle, right)))
            case [one]:
                right = one if one.row == index else transpose(one)
                left = hadamard(weights) if weights else Ones(None, index)
                self.vectors.append(matmul((left, right)))
            case _:
                first = weights[0] if weights else Ones(None, index)
                rest = hadamard(weights[1:]) if weights[1:] else Ones(None, index)
                self.numbers.append(matmul((first, transpose(rest))))

    def _assembled(self) -> Node | None:
        row, col = self.row, self.col
        diagonal = [m for m in self.matrices if isinstance(m, Identity)]
        matrices = [m for m in self.matrices if not isinstance(m, Identity)]
        on_row = [v for v in self.vectors if v.col == row]
        on_col = [v for v in self.vectors if v.col == col and v.col != row]
        if len(matrices) > 1 or len(on_row) + len(on_col) != len(self.vectors):
            return None
        if diagonal:
            return self._on_diagonal(diagonal[0], matrices, on_row + on_col)
        body = self._body(matrices, on_row, on_col)
        if not self.numbers:
            return Constant(row, col, S.One) if body is None else body
        number = hadamard(self.numbers)
        return _spread(number, row, col) if body is None else _times_number(number, body)

    def _on_diagonal(self, unit: Node, matrices: list[Node], vectors: list[Node]) -> Node | None:
        if matrices or self.numbers:
            return None
        if not vectors:
            return Identity(self.row, self.col)
        return Diag(self.row, self.col, hadamard([_relabelled(v, self.col) for v in vectors]))

    def _body(self, matrices: list[Node], on_row: list[Node], on_col: list[Node]) -> Node | None:
        row, col = self.row, self.col
        if row is None or col is None:
            lone = on_row + on_col
            if not lone:
                return None
            joined = hadamard(lone)
            return transpose(joined) if row is not None else joined
        if not matrices and not on_row and not on_col:
            return None
        if not matrices:
            left = transpose(hadamard(on_row)) if on_row else Ones(row, None)
            right = hadamard(on_col) if on_col else Ones(None, col)
            return matmul((left, right))
        (matrix,) = matrices
        upright = matrix if matrix.row == row else transpose(matrix)
        if not (tensor_is_column(row) or tensor_is_column(col)):
            return _between_diagonals(on_row, upright, on_col)
        parts = [upright]
        if on_row:
            parts.append(matmul((transpose(hadamard(on_row)), Ones(None, col))))
        if on_col:
            parts.append(matmul((Ones(row, None), hadamard(on_col))))
        return hadamard(parts)


def _between_diagonals(on_row: list[Node], matrix: Node, on_col: list[Node]) -> Node:
    """Weights on the rows or columns of a Jacobian: diag(u) M diag(v)."""
    before = [Diag(matrix.row, matrix.row, hadamard(on_row))] if on_row else []
    after = [Diag(matrix.col, matrix.col, hadamard(on_col))] if on_col else []
    return matmul((*before, matrix, *after))


def _spread(number: Node, row: Index | None, col: Index | None) -> Node:
    """A 1 x 1 matrix repeated along rows and columns."""
    before = (Ones(row, None),) if row is not None else ()
    after = (Ones(None, col),) if col is not None else ()
    return matmul((*before, number, *after))


def _relabelled(vector: Node, index: Index | None) -> Node:
    return replace(vector, col=index)


def _times_number(number: Node, body: Node) -> Node:
    """A 1 x 1 matrix times a matrix, entry by entry."""
    return Hadamard(body.row, body.col, (number, body))
