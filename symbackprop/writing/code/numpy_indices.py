"""Index expressions as NumPy text: sums over any number of axes, with `einsum` where it must be.

Refuses: affine index arguments and range guards, which NumPy has no short form for.
Would be wrong if: an array met another whose axes stand in another order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

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
)
from symbackprop.derivation.matrixform import matrix_form
from symbackprop.errors import UnsupportedError
from symbackprop.networks.network import Network
from symbackprop.writing.code.numpy_matrices import MatrixWriter
from symbackprop.writing.code.numpy_words import (
    ATOM,
    PRODUCT,
    SUM,
    Names,
    Text,
    call,
    number,
    scaled,
)


@dataclass(frozen=True)
class IndexWriter:
    """Sums of products over any number of axes; `where` names the equation in errors."""

    network: Network
    names: Names
    where: str

    def whole(self, whole: Expression, indices: tuple[Index, ...]) -> str:
        if not whole.terms:
            raise self.unsupported("zero has no array to take its shape from")
        body = ""
        for place, term in enumerate(whole.terms):
            sign = term.coefficient.could_extract_minus_sign()
            scale = -term.coefficient if sign else term.coefficient
            text = self.term(Term(scale, term.bound, term.factors), indices).held(PRODUCT)
            join = ("-" if sign else "") if place == 0 else (" - " if sign else " + ")
            body += join + text
        return body

    def term(self, term: Term, indices: tuple[Index, ...]) -> Text:
        if len(indices) <= 2:
            node = matrix_form(Expression((term,)), indices, self.network)
            if node is not None:
                return MatrixWriter(self.names).finished(node)
        plain = Term(S.One, term.bound, term.factors)
        if not term.bound and all(self.axes(f) == indices for f in term.factors):
            parts = [self.pointwise(factor, indices) for factor in plain.factors]
            joined = " * ".join(p.as_factor(first=n == 0) for n, p in enumerate(parts))
            level = parts[0].level if len(parts) == 1 else PRODUCT
            return scaled(term.coefficient, Text(joined, level, True, True), self.names)
        return scaled(term.coefficient, self.einsum(plain, indices), self.names)

    def einsum(self, term: Term, indices: tuple[Index, ...]) -> Text:
        letters = _letters((*indices, *term.bound))
        operands, subscripts = [], []
        for factor in term.factors:
            axes = self.axes(factor)
            operands.append(self.operand(factor, axes))
            subscripts.append("".join(letters[index] for index in axes))
        present = {index for factor in term.factors for index in self.axes(factor)}
        for index in (*indices, *term.bound):
            if index not in present:
                operands.append(f"{self.names.np}ones({self.names.size(index.axis.extent)})")
                subscripts.append(letters[index])
        result = "".join(letters[index] for index in indices)
        recipe = f'"{",".join(subscripts)}->{result}"'
        text = f"{self.names.np}einsum({recipe}, {', '.join(operands)})"
        return Text(text, ATOM, True, True)

    def operand(self, factor: Expr, axes: tuple[Index, ...]) -> str:
        if isinstance(factor, Element):
            return factor.tensor
        if isinstance(factor, Delta):
            return f"{self.names.np}eye({self.names.size(axes[0].axis.extent)})"
        return self.pointwise(factor, axes).text

    def axes(self, factor: Expr) -> tuple[Index, ...]:
        """The indices of a factor in the order of its arrays; an element may repeat one."""
        if isinstance(factor, Guard):
            raise self.unsupported(f"{factor} is a range guard")
        if isinstance(factor, (Element, Delta)):
            written = factor.indices if isinstance(factor, Element) else factor.args
            if not all(isinstance(index, Index) for index in written):
                raise self.unsupported(f"{factor} has an index that is not a plain letter")
            if any(index.axis.role in ("layer", "time") for index in written):
                raise self.unsupported(f"{factor} runs over layers or time")
            return tuple(written)
        found: tuple[Index, ...] = ()
        for part in sorted(factor.args, key=lambda part: -len(indices_in(part))):
            if indices_in(part):
                axes = self.axes(part)
                found += tuple(index for index in axes if index not in found)
        return found

    def pointwise(self, factor: Expr, axes: tuple[Index, ...]) -> Text:
        """A factor entry by entry, as an array over `axes`."""
        if isinstance(factor, Element):
            return Text(self.placed(factor, axes), ATOM, True, True)
        if isinstance(factor, Applied):
            argument = self.pointwise(factor.argument, axes)
            return call(factor.function, factor.order, argument, self.names)
        if not indices_in(factor):
            return number(factor, self.names)
        if factor.is_Pow and factor.exp.is_Integer:
            base = self.pointwise(factor.base, axes)
            exponent = int(factor.exp)
            body = base.held(ATOM) + (f" ** {abs(exponent)}" if abs(exponent) != 1 else "")
            return Text(body if exponent > 0 else f"1 / {body}", PRODUCT, True, True)
        if factor.is_Mul or factor.is_Add:
            parts = [self.pointwise(part, axes) for part in sorted(factor.args, key=str)]
            if factor.is_Add:
                return Text(" + ".join(part.held(SUM) for part in parts), SUM, True, True)
            joined = " * ".join(p.as_factor(first=n == 0) for n, p in enumerate(parts))
            return Text(joined, PRODUCT, True, True)
        raise self.unsupported(f"{factor} has no NumPy form")

    def placed(self, element: Element, axes: tuple[Index, ...]) -> str:
        """The array with `None` where it lacks an axis."""
        own = self.axes(element)
        if own == axes or not own:
            return element.tensor
        if len(set(own)) != len(own) or own != tuple(index for index in axes if index in own):
            raise self.unsupported(f"{element} has its axes in another order than its neighbours")
        places = ", ".join(":" if index in own else "None" for index in axes)
        return f"{element.tensor}[{places}]"

    def unsupported(self, reason: str) -> UnsupportedError:
        return UnsupportedError(f"{self.where or 'expression'}: no NumPy code for it: {reason}")


def _letters(indices: Sequence[Index]) -> dict[Index, str]:
    """One letter for each index, its own where it is one."""
    free = list("abcdefghijklmnopqrstuvwxyz")
    found: dict[Index, str] = {}
    for index in indices:
        letter = index.name if index.name in free else ""
        found[index] = letter
        if letter:
            free.remove(letter)
    for index, letter in found.items():
        if not letter:
            found[index] = free.pop()
    return found
