"""Matrix algebra as NumPy text.

Owns: how a matrix-form node is written with `@`, `*`, sums, broadcasting and as few parentheses
as possible.
Refuses: expressions without a matrix form.
Would be wrong if: two arrays met that NumPy broadcasts in another way than the formula; so every
text carries which of its two directions it really has.

A tensor with one axis is a 1-d array, whether the formula has it as a row or as a column.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from symbackprop.calculus.terms import Index
from symbackprop.derivation.matrixform import (
    Constant,
    Diag,
    Divide,
    Hadamard,
    Identity,
    Leaf,
    Map,
    MatMul,
    Node,
    OneHot,
    Ones,
    Power,
    Scale,
    Sum,
    transpose,
)
from symbackprop.errors import UnsupportedError
from symbackprop.writing.code.numpy_words import (
    ATOM,
    COMPARISON,
    MATRIX_PRODUCT,
    POWER,
    PRODUCT,
    SUM,
    Names,
    Text,
    call,
    number,
    scaled,
)


@dataclass(frozen=True)
class MatrixWriter:
    """`like` names a tensor of the shape of the whole, if there is one."""

    names: Names
    like: str = ""

    def finished(self, node: Node) -> Text:
        """The node as an array of its own shape, never of booleans."""
        return self._full(node, self.like)

    def _full(self, node: Node, like: str = "") -> Text:
        text = self._firm(node)
        if self._is_full(node, text):
            return text
        return self._spread(node, like)

    def _is_full(self, node: Node, text: Text) -> bool:
        return (text.rows or node.row is None) and (text.cols or node.col is None)

    def _spread(self, node: Node, like: str) -> Text:
        """A number or a vector repeated over the whole shape."""
        if isinstance(node, Scale):
            return scaled(node.coefficient, self._spread(node.inner, like), self.names)
        ones = Text(self._ones(node, like), ATOM, True, True)
        if isinstance(node, Constant):
            return scaled(node.value, ones, self.names)
        text = self._firm(node)
        if text.text == "1":
            return ones
        return Text(f"{ones.text} * {text.as_factor(first=False)}", PRODUCT, True, True)

    def _ones(self, node: Node, like: str) -> str:
        if like:
            return f"{self.names.np}ones_like({like})"
        extents = [self.names.size(i.axis.extent) for i in (node.row, node.col) if i is not None]
        shape = extents[0] if len(extents) == 1 else f"({', '.join(extents)})"
        return f"{self.names.np}ones({shape})"

    def _firm(self, node: Node) -> Text:
        """Booleans turned into numbers of the type of what they were made from."""
        text, np = self.write(node), self.names.np
        if not text.truth:
            return text
        match node:
            case Map(inner=inner):
                made = self.write(inner)
                firm = f"{np}where({text.text}, {np}ones_like({made.text}), 0)"
            case Hadamard(parts=(first, *rest)):
                made = self._firm(first)
                firm = " * ".join(
                    [made.as_factor(first=True), *(self.write(p).as_factor(False) for p in rest)]
                )
                return replace(text, text=firm, level=PRODUCT, truth=False, leads_truth=False)
            case Power(inner=inner):
                return self._firm(inner)
            case _:
                firm = f"{np}where({text.text}, 1.0, 0.0)"
        return replace(text, text=firm, level=ATOM, truth=False, leads_truth=False)

    def write(self, node: Node) -> Text:
        rows, cols = node.row is not None, node.col is not None
        match node:
            case Leaf():
                if node.labels:
                    raise UnsupportedError(f"{node.tensor} has a layer axis; NumPy code has none")
                turned = ".T" if node.transposed and rows and cols else ""
                return Text(node.tensor + turned, ATOM, rows, cols)
            case OneHot():
                return Text(self._one_hot(node), COMPARISON, rows, cols, True, True)
            case Identity():
                assert node.row is not None
                extent = self.names.size(node.row.axis.extent)
                return Text(f"{self.names.np}eye({extent})", ATOM, rows, cols)
            case Ones():
                return Text("1", ATOM, False, False)
            case Constant():
                return number(node.value, self.names)
            case Diag():
                inside = self._full(node.inner).text
                return Text(f"{self.names.np}diag({inside})", ATOM, rows, cols)
            case Map():
                return call(node.function, node.order, self.write(node.inner), self.names)
            case MatMul():
                return self._chain(node)
            case Hadamard():
                return self._turned(node) or self._entrywise(node.parts)
            case Divide():
                return self._turned(node) or self._quotient(node)
            case Power():
                inner = self._firm(node.inner)
                text = f"{inner.held(ATOM)} ** {node.exponent}"
                return replace(inner, text=text, level=POWER, column="", leads_truth=False)
            case Scale():
                return scaled(node.coefficient, self._firm(node.inner), self.names)
            case Sum():
                return self._turned(node) or self._sum(node.parts)
            case _:
                raise AssertionError(f"no NumPy text for {type(node).__name__}")

    def _one_hot(self, node: OneHot) -> str:
        both = node.row is not None and node.col is not None
        axis = (node.row if node.transposed else node.col) if both else (node.row or node.col)
        assert axis is not None
        classes = f"{self.names.np}arange({self.names.size(axis.axis.extent)})"
        if not both:
            return f"{classes} == {node.tensor}"
        if node.transposed:
            return f"{classes}[:, None] == {node.tensor}"
        return f"{classes} == {node.tensor}[:, None]"

    def _diagonal(self, node: Diag, rows: bool, cols: bool) -> Text:
        """The entries of the diagonal as one array, with the level of its own text."""
        return replace(self._full(node.inner), rows=rows, cols=cols, column="")

    def _turned(self, node: Node) -> Text | None:
        """`(a * b).T` in place of `a.T * b.T`."""
        upright, turned = _orientations(node)
        if not turned or upright:
            return None
        inner = self.write(transpose(node))
        if not (inner.rows and inner.cols) or inner.truth:
            return None
        return Text(f"{inner.held(ATOM)}.T", ATOM, inner.cols, inner.rows)

    # ---- entry by entry

    def _entrywise(self, parts: Sequence[Node]) -> Text:
        texts = sorted((self.write(part) for part in parts), key=lambda text: text.truth)
        truth = all(text.truth for text in texts)
        joined = " * ".join(t.as_factor(first=p == 0) for p, t in enumerate(texts))
        return Text(
            joined,
            PRODUCT,
            any(t.rows for t in texts),
            any(t.cols for t in texts),
            truth,
            truth or texts[0].leads_truth,
        )

    def _quotient(self, node: Divide) -> Text:
        above, below = self.write(node.numerator), self._firm(node.denominator)
        text = f"{above.as_factor(first=True)} / {below.held(POWER)}"
        return Text(
            text,
            PRODUCT,
            above.rows or below.rows,
            above.cols or below.cols,
            False,
            above.leads_truth,
        )

    def _sum(self, parts: Sequence[Node]) -> Text:
        body = ""
        rows = cols = False
        for place, part in enumerate(parts):
            sign, rest = _signed(part)
            text = self._firm(rest) if place == 0 or len(parts) == 1 else self.write(rest)
            rows, cols = rows or text.rows, cols or text.cols
            if place == 0:
                body = f"-{text.as_factor(first=True)}" if sign else text.held(SUM)
            else:
                body += f" {'-' if sign else '+'} {text.held(PRODUCT)}"
        return Text(body, SUM, rows, cols)

    # ---- matrix products

    def _chain(self, node: MatMul) -> Text:
        """A product of matrices; where it passes through a single row or column, the pieces
        meet entry by entry: `np.outer`, or broadcasting where one of them is all ones."""
        pieces = [self._segment(parts) for parts in _segments(node.parts)]
        if len(pieces) == 1:
            return pieces[0]
        left = pieces[0] if node.row is not None else None
        right = pieces[-1] if node.col is not None else None
        left = None if left is None or left.text == "1" else left
        right = None if right is None or right.text == "1" else right
        middle = pieces[node.row is not None : len(pieces) - (node.col is not None)]
        if left is not None and right is not None:
            text = f"{self.names.np}outer({left.text}, {right.text})"
            body = Text(text, ATOM, True, True)
        elif left is not None:
            text = left.column or f"{left.held(ATOM)}[:, None]"
            body = left if node.col is None else Text(text, ATOM, True, False)
        elif right is not None:
            body = right
        else:
            body = middle.pop(0) if middle else Text("1", ATOM, False, False)
        for factor in middle:
            text = f"{factor.as_factor(first=True)} * {body.as_factor(first=False)}"
            body = replace(body, text=text, level=PRODUCT, column="")
        return body

    def _segment(self, parts: Sequence[Node]) -> Text:
        """Matrices, rows and columns that meet along real axes."""
        kept = [p for p in parts if not isinstance(p, Identity)] or [parts[0]]
        if len(kept) == 1:
            (lone,) = kept
            return self._firm(lone) if isinstance(lone, Ones) else self._full(lone)
        lead, trail = isinstance(kept[0], Ones), isinstance(kept[-1], Ones)
        core = kept[lead : len(kept) - trail]
        if not core:
            extent = kept[0].col
            assert extent is not None
            return number(extent.axis.extent, self.names)
        if len(core) == 1:
            return self._summed(core[0], lead, trail)
        operands = [self._summed(core[0], lead, False), *map(self._operand, core[1:-1])]
        operands.append(self._summed(core[-1], False, trail))
        return self._multiplied(core, operands, lead, trail)

    def _operand(self, node: Node) -> Text:
        return self._diagonal(node, True, True) if isinstance(node, Diag) else self._full(node)

    def _summed(self, node: Node, over_rows: bool, over_cols: bool) -> Text:
        """The node summed over its rows, its columns, or both."""
        if isinstance(node, Diag):
            diagonal = self._diagonal(node, not over_rows, not over_cols)
            both = over_rows and over_cols
            return Text(f"{diagonal.held(ATOM)}.sum()", ATOM, False, False) if both else diagonal
        if not over_rows and not over_cols:
            return self._full(node)
        if isinstance(node, Scale):
            return scaled(
                node.coefficient, self._summed(node.inner, over_rows, over_cols), self.names
            )
        picked = self._picked(node, over_rows, over_cols)
        if picked is not None:
            return picked
        body = self._full(node).held(ATOM)
        if node.row is None or node.col is None or (over_rows and over_cols):
            return Text(f"{body}.sum()", ATOM, False, False)
        axis = 0 if over_rows else 1
        if body.endswith(".T"):
            text = f"{body.removesuffix('.T')}.sum(axis={1 - axis})"
            return Text(text, ATOM, over_cols, over_rows)
        column = f"{body}.sum(axis=1, keepdims=True)" if axis == 1 else ""
        return Text(f"{body}.sum(axis={axis})", ATOM, over_cols, over_rows, column=column)

    def _picked(self, node: Node, over_rows: bool, over_cols: bool) -> Text | None:
        """sum_k a[n,k] delta(k, y[n]) = a[n, y[n]]."""
        if not isinstance(node, Hadamard) or node.row is None or node.col is None:
            return None
        picks = [part for part in node.parts if isinstance(part, OneHot)]
        if len(picks) != 1:
            return None
        (pick,) = picks
        if not (over_rows if pick.transposed else over_cols):
            return None
        rest = self._entrywise_full([part for part in node.parts if part is not pick])
        if rest is None:
            return None
        samples = node.col if pick.transposed else node.row
        rows = f"{self.names.np}arange({self.names.size(samples.axis.extent)})"
        places = f"{pick.tensor}, {rows}" if pick.transposed else f"{rows}, {pick.tensor}"
        text = f"{rest.held(ATOM)}[{places}]"
        if over_rows and over_cols:
            return Text(f"{text}.sum()", ATOM, False, False)
        return Text(text, ATOM, over_cols, over_rows)

    def _entrywise_full(self, parts: Sequence[Node]) -> Text | None:
        text = self.write(parts[0]) if len(parts) == 1 else self._entrywise(parts)
        return text if text.rows and text.cols and not text.truth else None

    def _multiplied(
        self, core: Sequence[Node], operands: Sequence[Text], lead: bool, trail: bool
    ) -> Text:
        """Joined by `@` from the left, or from the right where a vector comes last; a diagonal
        matrix scales the rows or columns of its neighbour."""
        row = None if lead else core[0].row
        col = None if trail else core[-1].col
        picked = self._one_hot_product(core, operands, row, col)
        if picked is not None:
            return picked
        items = list(zip(core, operands, strict=True))
        if col is None and row is not None:
            text = operands[-1]
            for node, operand in reversed(items[:-1]):
                text = self._onto(node, operand, text)
            return replace(text, rows=True, cols=False, column="")
        text, before = operands[0], core[0]
        for node, operand in items[1:]:
            is_vector = isinstance(before, Diag) and text is operands[0] and not lead
            text = self._after(is_vector, text, node, operand)
            before = node
        return replace(text, rows=row is not None, cols=col is not None, column="")

    def _one_hot_product(
        self,
        core: Sequence[Node],
        operands: Sequence[Text],
        row: Index | None,
        col: Index | None,
    ) -> Text | None:
        """sum_k a[k] delta(k, y) = a[y], for one sample."""
        if row is not None or col is not None or len(core) != 2:
            return None
        for pick, other in ((core[1], operands[0]), (core[0], operands[1])):
            if isinstance(pick, OneHot) and (pick.row is None or pick.col is None):
                return Text(f"{other.held(ATOM)}[{pick.tensor}]", ATOM, False, False)
        return None

    def _onto(self, node: Node, operand: Text, vector: Text) -> Text:
        if isinstance(node, Diag):
            text = f"{operand.as_factor(first=True)} * {vector.as_factor(first=False)}"
            return replace(vector, text=text, level=PRODUCT)
        right = vector.held(POWER)
        return replace(vector, text=f"{operand.as_operand()} @ {right}", level=MATRIX_PRODUCT)

    def _after(self, is_vector: bool, text: Text, node: Node, operand: Text) -> Text:
        """The product so far times one more factor. `is_vector`: so far there is only a diagonal,
        which scales the rows of what follows."""
        if isinstance(node, Diag):
            scaled_text = f"{text.as_factor(first=True)} * {operand.as_factor(first=False)}"
            return replace(text, text=scaled_text, level=PRODUCT, column="")
        if is_vector:
            held = text.held(ATOM)
            column = f"{held}[:, None]" if node.col is not None else held
            product = f"{column} * {operand.as_factor(first=False)}"
            return replace(text, text=product, level=PRODUCT, column="")
        right = operand.held(POWER)
        return replace(text, text=f"{text.as_operand()} @ {right}", level=MATRIX_PRODUCT, column="")


def _segments(parts: Sequence[Node]) -> list[list[Node]]:
    segments: list[list[Node]] = [[]]
    for part in parts:
        segments[-1].append(part)
        if part.col is None:
            segments.append([])
    return [segment for segment in segments if segment]


def _signed(node: Node) -> tuple[bool, Node]:
    """Whether the part is subtracted, and what then stands behind the minus."""
    if isinstance(node, Scale) and node.coefficient.could_extract_minus_sign():
        rest = -node.coefficient
        return True, node.inner if rest == 1 else replace(node, coefficient=rest)
    if isinstance(node, Constant) and node.value.could_extract_minus_sign():
        return True, replace(node, value=-node.value)
    return False, node


def _orientations(node: Node) -> tuple[int, int]:
    """How many matrices stand upright and how many transposed; products count as upright."""
    match node:
        case Leaf() | OneHot():
            if node.row is None or node.col is None:
                return (1, 0)
            return (0, 1) if node.transposed else (1, 0)
        case Map(inner=inner) | Power(inner=inner) | Scale(inner=inner):
            return _orientations(inner)
        case Hadamard(parts=parts) | Sum(parts=parts):
            return _added(map(_orientations, parts))
        case Divide():
            return _added(map(_orientations, (node.numerator, node.denominator)))
        case Constant() | Ones():
            return (0, 0)
        case _:
            return (1, 0)


def _added(counts: Iterable[tuple[int, int]]) -> tuple[int, int]:
    upright = turned = 0
    for one, other in counts:
        upright, turned = upright + one, turned + other
    return upright, turned
