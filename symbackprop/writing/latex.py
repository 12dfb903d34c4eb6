r"""Equations as LaTeX.

Owns: the one place where a tensor, an index expression or a matrix form becomes LaTeX, under a
`Notation`. Refuses: SymPy's printer (it turns sigma' into 1/(4 cosh^2(z/2))) and any choice of
what to say; documents choose. Wrong if two tensors could print alike.

Letters: an entry is lower case (`w^{3}_{jk}`), one sample is a row in lower case (`h^{2}`), a batch
is a matrix in upper case (`H^{2}`); an adjoint is `\delta^{3}`, or `\Delta` for the batch of a
network with one layer, which needs no layer marks.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property

from sympy import Expr, Integer, Symbol, fraction
from sympy.core.symbol import Str

from symbackprop.calculus.scalars import ELEMENTARY, Condition, fold
from symbackprop.calculus.terms import (
    Applied,
    Delta,
    Element,
    Expression,
    Guard,
    Index,
    Partial,
    Term,
    elements_in,
    text,
)
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
    in_columns,
    letters_turned,
    matmul,
    scaled,
)
from symbackprop.networks import names
from symbackprop.networks.network import Network, Tensor, reads
from symbackprop.notation import Notation, scripted


@dataclass(frozen=True)
class Typesetting:
    """How one network is written: its tensors (adjoints included), sizes and notation.

    `general` writes every activation as f, so that f' can be shown before it is specialised.
    """

    network: Network
    notation: Notation = field(default_factory=Notation)
    sizes: Mapping[Symbol, int] = field(default_factory=dict)
    general: bool = False

    @property
    def depth(self) -> int:
        return self.network.depth

    @property
    def is_batch(self) -> bool:
        return any(axis.role == "sample" for t in self.network.tensors for axis in t.axes)

    @property
    def columns(self) -> bool:
        return self.notation.samples == "columns"

    # Names -----------------------------------------------------------------------------------

    def name(self, tensor: str, above: str = "", labels: Sequence[Expr] = ()) -> str:
        """A tensor as a matrix, row or number; `above` joins the layer mark (a transposition)."""
        record = self.network.tensor(tensor)
        if record.kind == "adjoint" and not self._is_delta(record):
            partial = self.partial(self.goal, self._owner(record))
            return scripted(rf"\left({partial}\right)", above=above) if above else partial
        return self._marked(self._matrix_letter(record), record, "", above, labels)

    def entry(self, element: Element) -> str:
        """One entry: `w^{3}_{jk}`."""
        record = self.network.tensor(element.tensor)
        labels, places = self._split(record, element)
        if record.kind == "adjoint" and not self._is_delta(record):
            owner = self._owner(record)
            return self.partial(self.goal, self.entry(Element(owner, *element.indices)))
        below = self._indices(self._needed(record, places)[:: -1 if self.columns else 1])
        return self._marked(self._entry_letter(record), record, below, "", labels)

    def _needed(self, record: Tensor, places: list[Expr]) -> list[Expr]:
        """A tensor with a single feature needs no index for it: x instead of x_1."""
        roles = [axis.role for axis in record.axes if axis.role != "layer"]
        features = [axis for axis in record.axes if axis.role == "feature"]
        if any(self.sizes.get(axis.extent) != 1 for axis in features):
            return [Integer(1) if self._is_single(place) else place for place in places]
        return [place for place, role in zip(places, roles, strict=True) if role != "feature"]

    @property
    def goal(self) -> str:
        return self.notation.symbol("L")

    def partial(self, numerator: str, denominator: str) -> str:
        top = self.name(numerator) if numerator in self.network.by_name else numerator
        below = self.name(denominator) if denominator in self.network.by_name else denominator
        return rf"\frac{{\partial {top}}}{{\partial {below}}}"

    def _is_delta(self, record: Tensor) -> bool:
        return record.layer is not None and record.name == names.delta(record.layer)

    def _owner(self, record: Tensor) -> str:
        return record.name.removeprefix("d")

    def _split(self, record: Tensor, element: Element) -> tuple[list[Expr], list[Expr]]:
        labels: list[Expr] = []
        places: list[Expr] = []
        for axis, written in zip(record.axes, element.indices, strict=True):
            counted = written + 1 if written.is_Integer and axis.start == 0 else written
            (labels if axis.role == "layer" else places).append(counted)
        return labels, places

    def _marked(
        self, letter: str, record: Tensor, below: str, above: str, labels: Sequence[Expr] = ()
    ) -> str:
        layer = self._layer_mark(record, labels)
        if layer is None:
            return scripted(letter, below=below, above=above)
        if self.notation.layer_mark.place == "above":
            return scripted(letter, below=below, above=layer + above)
        return scripted(letter, below=",".join(filter(None, (layer, below))), above=above)

    def _layer_mark(self, record: Tensor, labels: Sequence[Expr]) -> str | None:
        if labels:
            shown = ",".join(self.scalar(label) for label in labels)
            return self.notation.layer_mark.around(shown)
        if record.layer is None or (record.letter in ("yhat",) and not self._is_delta(record)):
            return None
        if self.depth <= 1:
            return None
        layer = record.layer
        if record.kind == "adjoint":
            layer = self.notation.delta_number(layer, self.depth)
        return self.notation.layer_mark.around(layer)

    def _letter(self, record: Tensor) -> str:
        if record.kind == "adjoint" and (self._is_delta(record) or not record.letter):
            return self.notation.symbol("delta")
        renamed = dict(self.notation.symbols)
        if record.letter == "z" and "h" in renamed and "z" not in renamed and self._is_both(record):
            return self.notation.symbol("h")
        return self.notation.symbol(record.letter or record.name)

    def _is_both(self, record: Tensor) -> bool:
        """Whether a layer's total is its output too, for want of an activation."""
        layer = record.layer
        return layer is not None and self.network.resolve(names.output(layer)) == record.name

    def _matrix_letter(self, record: Tensor) -> str:
        letter = self._letter(record)
        roles = [axis.role for axis in record.axes if axis.role != "layer"]
        if record.kind == "adjoint":
            plain = "sample" in roles and self.depth <= 1 and letter == r"\delta"
            return r"\Delta" if plain else letter
        if "sample" not in roles or len(roles) < 2:
            return letter
        return letter if _upper(letter) in self._taken else _upper(letter)

    @property
    def _taken(self) -> set[str]:
        """Symbols that the notation gives away: no capital may meet one of them."""
        return set(dict(self.notation.symbols).values())

    def _entry_letter(self, record: Tensor) -> str:
        letter = self._letter(record)
        return letter.lower() if len(letter) == 1 and record.axes else letter

    # Scalars ---------------------------------------------------------------------------------

    def scalar(self, expr: Expr) -> str:
        """Indices, sizes and numbers."""
        if isinstance(expr, Index):
            return self._index(expr.name)
        if isinstance(expr, Symbol):
            return self.size(expr)
        if isinstance(expr, Element):
            return self.entry(expr)
        if expr.is_Integer:
            return str(expr)
        if expr.is_Rational or expr.is_Mul or expr.is_Pow:
            return self._fraction(expr)
        if expr.is_Add:
            parts = sorted(expr.args, key=_affine_order)
            return _signed(
                [(p.could_extract_minus_sign(), self.scalar(_positive(p))) for p in parts]
            )
        raise AssertionError(f"no LaTeX for {type(expr).__name__}")

    def _index(self, name: str) -> str:
        """The letter of an index; a second letter that the notation gives away becomes a prime."""
        letter = _index_name(name)
        return letter if letter == name or letter not in self._taken else _primed(name)

    def size(self, symbol: Symbol) -> str:
        if symbol in self.sizes:
            return str(self.sizes[symbol])
        if symbol.name == "N":
            return self.notation.symbol("N")
        match = re.fullmatch(r"([A-Za-z])_?(\d+)_*", symbol.name)
        if match:
            return f"{match.group(1)}_{{{match.group(2)}}}"
        if len(symbol.name) == 1 and symbol.name not in INDEX_LETTERS:
            return str(symbol.name)
        if "_" in symbol.name:
            return rf"\text{{{symbol.name.replace('_', '-')}}}"
        return rf"\mathrm{{{symbol.name}}}"

    def size_text(self, extent: Expr) -> str:
        """A size in words: the number where it is known, else its letter."""
        return (
            str(extent.subs(self.sizes))
            if extent != Symbol("N", integer=True, positive=True)
            else self.notation.symbol("N")
        )

    def _fraction(self, expr: Expr) -> str:
        expr = expr.subs(self.sizes) if self.sizes else expr
        sign = "-" if expr.could_extract_minus_sign() else ""
        above, below = fraction(_positive(expr))
        top = self._product(above)
        return f"{sign}{top}" if below == 1 else rf"{sign}\frac{{{top}}}{{{self._product(below)}}}"

    def _product(self, expr: Expr) -> str:
        if expr.is_Mul:
            parts = [self.scalar(part) for part in sorted(expr.args, key=_size_order)]
            return (
                r" \cdot ".join(parts)
                if any(p[0].isdigit() for p in parts[1:])
                else " ".join(parts)
            )
        if expr.is_Pow and expr.exp.is_Integer and expr.exp > 0:
            return f"{self.scalar(expr.base)}^{{{expr.exp}}}"
        if expr.is_Pow:
            return self._fraction(expr)
        return self.scalar(expr)

    def _indices(self, places: Sequence[Expr]) -> str:
        written = [self.scalar(place) for place in places]
        return (
            "" if all(len(w.rstrip("'")) == 1 and w[0].isalpha() for w in written) else ","
        ).join(written)

    # Index form ------------------------------------------------------------------------------

    def expression(self, whole: Expression) -> str:
        if not whole.terms:
            return "0"
        ordered = sorted(whole.terms, key=lambda t: t.coefficient.could_extract_minus_sign())
        return _signed([self._term(term) for term in ordered])

    def _term(self, term: Term) -> tuple[bool, str]:
        term = self._without_single_sums(term)
        negative = term.coefficient.could_extract_minus_sign()
        above = [f for f in term.factors if not _is_below(f)]
        below = [_turned(f) for f in term.factors if _is_below(f)]
        lonely = len(above) == 1 and (bool(below) or not term.bound)
        body = self._factors(above, alone=lonely)
        scale = _positive(term.coefficient.xreplace(dict(self.sizes)))
        if below:
            body = rf"\frac{{{body or '1'}}}{{{self._factors(below, len(below) == 1)}}}"
        sums = "".join(self._sum_sign(index, term) for index in term.bound)
        if not body:
            inner = self.scalar(scale)
        elif scale == 1:
            inner = body
        else:
            if not below and not sums and len(above) == 1:
                body = self._factors(above, alone=False)
            inner = self.scalar(scale) + (r" \," if sums else " ") + sums + body
            return negative, inner.replace(r" \,\sum", r" \sum")
        return negative, sums + inner

    def _without_single_sums(self, term: Term) -> Term:
        """A sum over an axis that is known to have one position is that one term."""
        lone = {i: Integer(i.axis.start) for i in term.bound if self._is_single(i)}
        factors = [f for f in term.factors if not (isinstance(f, Delta) and self._always(f))]
        if not lone and len(factors) == len(term.factors):
            return term
        bound = tuple(index for index in term.bound if index not in lone)
        return Term(term.coefficient, bound, tuple(f.xreplace(lone) for f in factors))

    def _is_single(self, index: Expr) -> bool:
        return isinstance(index, Index) and self.sizes.get(index.axis.extent) == 1

    def _always(self, delta: Delta) -> bool:
        """Indices of an axis with one position are equal."""
        return all(map(self._is_single, delta.args))

    def _sum_sign(self, index: Index, term: Term) -> str:
        name = self._index(index.name)
        read = [i for f in term.factors for e in elements_in(f) for i in e.indices]
        if any(written != index and written.has(index) for written in read):
            return rf"\sum_{{{name}}} "
        start = index.axis.start or 1
        return rf"\sum_{{{name}={start}}}^{{{self.scalar(index.axis.extent)}}} "

    def _factors(self, factors: Sequence[Expr], alone: bool) -> str:
        ordered = sorted(factors, key=self._factor_order)
        return " ".join(self.factor(factor, alone) for factor in ordered)

    def _factor_order(self, factor: Expr) -> tuple[int, str]:
        base = factor.base if factor.is_Pow else factor
        if isinstance(base, Element):
            record = self.network.by_name.get(base.tensor)
            kind = record.kind if record is not None else "intermediate"
            rank = {"label": 0, "adjoint": 2, "parameter": 3}.get(kind, 1)
        elif isinstance(base, (Delta, Guard)):
            rank = 6
        elif isinstance(base, Applied):
            rank = 5
        else:
            constant = base.is_Add and any(addend.is_Number for addend in base.args)
            rank = 3 if constant else 0
        if isinstance(base, Partial):
            rank = 2 if base.total else 4
        return rank, text(factor)

    def factor(self, factor: Expr, alone: bool = False) -> str:
        match factor:
            case Element():
                return self.entry(factor)
            case Applied():
                return self.function(factor.function, factor.order) + _parenthesised(
                    self.pointwise(factor.argument)
                )
            case Delta():
                left, right = sorted(
                    factor.args, key=lambda side: (isinstance(side, Element), text(side))
                )
                return rf"\mathbf{{1}}_{{\lbrace {self.scalar(left)}={self.scalar(right)}\rbrace}}"
            case Guard():
                argument, start, extent = factor.args
                low, high = self.scalar(start), self.scalar(start + extent - 1)
                return (
                    rf"\mathbf{{1}}_{{\lbrace {low} \le {self.scalar(argument)} \le {high}\rbrace}}"
                )
            case Partial():
                shown = self.partial(self.factor(factor.args[0]), self.factor(factor.args[1]))
                held = self._held(factor)
                return rf"\left. {shown} \right|_{{{held}}}" if held else shown
        if factor.is_Pow:
            base = self.factor(factor.base)
            if isinstance(factor.base, Element):
                return self._powered(factor.base, int(factor.exp))
            if isinstance(factor.base, Applied):
                return rf"{_parenthesised(base)}^{{{factor.exp}}}"
            return f"{base}^{{{factor.exp}}}"
        inner = self.pointwise(factor)
        return inner if alone or not factor.is_Add else _parenthesised(inner)

    def _held(self, partial: Partial) -> str:
        """What is held fixed in a derivative within one equation, where that is not plain: a sum
        with a name of its own that depends on the same variable."""
        if partial.total or partial.args[0].tensor not in self.network.equation_of:
            return ""
        names = sorted(reads(self.network.equation_of[partial.args[0].tensor]))
        held = [
            name
            for name in names
            if self.network.by_name[name].kind == "auxiliary"
            and partial.args[1].tensor in reads(self.network.equation_of[name])
        ]
        return ",".join(self.name(name) for name in held)

    def _powered(self, element: Element, exponent: int) -> str:
        return rf"\left({self.entry(element)}\right)^{{{exponent}}}"

    def pointwise(self, expr: Expr) -> str:
        """A scalar expression in elements, as it stands inside parentheses."""
        if expr.is_Add:
            parts = sorted(expr.args, key=lambda p: (p.could_extract_minus_sign(), text(p)))
            return _signed(
                [(p.could_extract_minus_sign(), self.pointwise(_positive(p))) for p in parts]
            )
        if expr.is_Mul:
            number, rest = expr.as_coeff_Mul()
            body = self._factors(rest.args if rest.is_Mul else (rest,), alone=False)
            return body if number == 1 else f"{self.scalar(number)} {body}"
        if isinstance(expr, (Symbol, Str)) or expr.is_Number:
            return self.scalar(expr)
        return self.factor(expr, alone=True)

    def function(self, name: str, order: int) -> str:
        record = self.network.functions[name]
        is_open = self.general and not record.elementary and name not in self._of_loss
        return (self._general if is_open else record.letter) + "'" * order

    @cached_property
    def _of_loss(self) -> frozenset[str]:
        """Functions that stand in the loss, and so are no activations."""
        equation = self.network.equation_of.get(self.network.loss)
        factors = (f for term in equation.rhs.terms for f in term.factors) if equation else ()
        return frozenset(atom.function for factor in factors for atom in factor.atoms(Applied))

    def explicit(self, expr: Expr) -> str:
        """A definition in elementary functions of z: 1/(1 + e^{-z}), cases and all."""
        return fold(expr, _Definition(self)).text

    @property
    def _general(self) -> str:
        """The letter of any activation: f, unless the network calls something else so."""
        return r"\phi" if "f" in dict(self.notation.symbols).values() else "f"

    # Matrix form -----------------------------------------------------------------------------

    def matrix(self, node: Node, shapes: bool = False, jacobian: bool = False) -> str:
        """A matrix form; with `shapes`, the size stands below each factor of a product.

        Under the columns notation the transposed matrix is shown; a Jacobian keeps its layout.
        """
        if self.columns:
            node = letters_turned(node) if jacobian else in_columns(node)
        return _MatrixPrinter(self, shapes).show(self._with_ones(node))

    def _with_ones(self, node: Node) -> Node:
        """A matrix that is the same number everywhere is that number times a matrix of ones."""
        if not isinstance(node, Constant) or node.value == 0:
            return node
        before = [] if self._is_lone(node.row) else [Ones(node.row, None)]
        after = [] if self._is_lone(node.col) else [Ones(None, node.col)]
        return scaled(node.value, matmul([*before, *after])) if before or after else node

    def _is_lone(self, index: Index | None) -> bool:
        return index is None or self._is_single(index)

    def shape(self, node: Node) -> str:
        rows, cols = (self._extent(index) for index in (node.row, node.col))
        return rf"{rows} \times {cols}"

    def _extent(self, index: Index | None) -> str:
        return "1" if index is None else self.scalar(index.axis.extent)


@dataclass(frozen=True)
class _MatrixPrinter:
    typesetting: Typesetting
    shapes: bool

    def show(self, node: Node) -> str:
        setting = self.typesetting
        match node:
            case Leaf():
                return setting.name(node.tensor, r"\top" if node.transposed else "", node.labels)
            case OneHot():
                shown = rf"\mathbf{{1}}_{{{setting.name(node.tensor)}}}"
                return f"{shown}^{{\\top}}" if node.transposed else shown
            case Map():
                return setting.function(node.function, node.order) + _parenthesised(
                    self.show(node.inner)
                )
            case Ones():
                return r"\mathbf{1}" if node.col is None else r"\mathbf{1}^{\top}"
            case Identity():
                return "1" if setting._is_lone(node.row) else "I"
            case Constant():
                return setting.scalar(node.value)
            case Diag() if setting._is_lone(node.row):
                return self.show(node.inner)
            case Diag():
                return rf"\operatorname{{diag}}{_parenthesised(self.show(node.inner))}"
            case MatMul():
                return self._matmul(node)
            case Hadamard():
                return self._hadamard(node)
            case Divide():
                return (
                    f"{self._inside_hadamard(node.numerator)} \\oslash "
                    f"{self._tight(node.denominator)}"
                )
            case Power():
                inner = _parenthesised(self.show(node.inner))
                return f"{inner}^{{\\circ {node.exponent}}}"
            case Scale():
                return self._scale(node)
            case Sum():
                return _signed(self._addend(part) for part in node.parts)
            case _:
                raise AssertionError(f"no LaTeX for {type(node).__name__}")

    def _hadamard(self, node: Hadamard) -> str:
        """Entry by entry; a number among the parts stands in front, as a factor."""
        lone = [p for p in node.parts if _is_scalar(p, self.typesetting)]
        wide = [p for p in node.parts if not _is_scalar(p, self.typesetting)]
        numbers = [
            _parenthesised(self.show(p)) if isinstance(p, (MatMul, Sum)) else self._tight(p)
            for p in lone
        ]
        if not wide:
            return " ".join(numbers)
        body = r" \circ ".join(self._inside_hadamard(part) for part in wide)
        if numbers and len(wide) > 1:
            body = _parenthesised(body)
        return " ".join([*numbers, body])

    def _matmul(self, node: MatMul) -> str:
        setting = self.typesetting
        needed = [p for p in node.parts if not (_is_ones(p) and _is_scalar(p, setting))]
        if len(needed) < len(node.parts):
            return self.show(matmul(needed)) if needed else "1"
        shown = [self._under(part, self._tight(part)) for part in node.parts]
        match node.parts:
            case (Leaf(), Ones(), Ones()):  # (Y 1) 1^T: a row sum, then repeated
                return _parenthesised(" ".join(shown[:2])) + shown[2]
        return " ".join(shown)

    def _under(self, node: Node, shown: str) -> str:
        if not self.shapes:
            return shown
        size = self.typesetting.shape(node)
        return rf"\underset{{({size})}}{{{shown}}}"

    def _scale(self, node: Scale) -> str:
        scale = node.coefficient
        sign = "-" if scale.could_extract_minus_sign() else ""
        number = _positive(scale)
        inner = node.inner
        shown = self.show(inner)
        if isinstance(inner, Sum) or (isinstance(inner, (Hadamard, Divide)) and number != 1):
            shown = _parenthesised(shown)
        return sign + (shown if number == 1 else f"{self.typesetting.scalar(number)} {shown}")

    def _addend(self, node: Node) -> tuple[bool, str]:
        if isinstance(node, Scale) and node.coefficient.could_extract_minus_sign():
            positive = Scale(node.row, node.col, _positive(node.coefficient), node.inner)
            return True, self.show(node.inner if positive.coefficient == 1 else positive)
        return False, self.show(node)

    def _tight(self, node: Node) -> str:
        """Parentheses around what binds looser than a product."""
        shown = self.show(node)
        return _parenthesised(shown) if isinstance(node, (Sum, Hadamard, Divide, Scale)) else shown

    def _inside_hadamard(self, node: Node) -> str:
        shown = self.show(node)
        loose = isinstance(node, (Sum, Scale, Divide))
        ends_in_ones = isinstance(node, MatMul) and _is_ones(node.parts[-1])
        product = isinstance(node, MatMul) and not ends_in_ones
        return _parenthesised(shown) if loose or product else shown


def _is_ones(node: Node) -> bool:
    return isinstance(node, Ones)


def _is_scalar(node: Node, setting: Typesetting) -> bool:
    return all(setting._is_lone(index) for index in (node.row, node.col))


def _is_below(factor: Expr) -> bool:
    return bool(factor.is_Pow and factor.exp.is_negative)


def _turned(factor: Expr) -> Expr:
    return factor.base if factor.exp == -1 else factor.base ** (-factor.exp)


def _positive(expr: Expr) -> Expr:
    return -expr if expr.could_extract_minus_sign() else expr


def _signed(parts: Iterable[tuple[bool, str]]) -> str:
    """Join signed addends: a - b + c."""
    result = ""
    for negative, shown in parts:
        if not result:
            result = f"-{shown}" if negative else shown
        else:
            result += f" {'-' if negative else '+'} {shown}"
    return result


def _parenthesised(inner: str) -> str:
    return rf"\left({inner}\right)"


SECOND_LETTERS = {"i1": "p", "i2": "u", "j1": "q", "j2": "v", "k1": "r", "k2": "t"}
INDEX_LETTERS = frozenset("ijknl") | frozenset(SECOND_LETTERS.values())


def _index_name(name: str) -> str:
    """Further indices of one axis have letters of their own (i, p, u), then primes."""
    return SECOND_LETTERS.get(name, _primed(name))


def _primed(name: str) -> str:
    match = re.fullmatch(r"([A-Za-z]+)(\d+)", name)
    return name if match is None else match.group(1) + "'" * int(match.group(2))


@dataclass(frozen=True)
class _Shown:
    """LaTeX, and whether it needs parentheses as a factor."""

    text: str
    is_sum: bool = False

    @property
    def as_factor(self) -> str:
        return _parenthesised(self.text) if self.is_sum else self.text


@dataclass(frozen=True)
class _Definition:
    """LaTeX of a scalar function's definition."""

    setting: Typesetting

    def variable(self, symbol: Symbol) -> _Shown:
        return _Shown(str(symbol))

    def total(self, parts: Sequence[tuple[bool, _Shown]]) -> _Shown:
        return _Shown(_signed([(negative, part.text) for negative, part in parts]), is_sum=True)

    def product(
        self, coefficient: Fraction, above: Sequence[_Shown], below: Sequence[_Shown]
    ) -> _Shown:
        size = abs(coefficient)
        over, under = _multiplied(size.numerator, above), _multiplied(size.denominator, below)
        shown = over.as_factor if under.text == "1" else rf"\frac{{{over.text}}}{{{under.text}}}"
        return _Shown(f"-{shown}", is_sum=True) if coefficient < 0 else _Shown(shown)

    def power(self, base: _Shown, exponent: Fraction) -> _Shown:
        if exponent == Fraction(1, 2):
            return _Shown(rf"\sqrt{{{base.text}}}")
        return _Shown(f"{_parenthesised(base.text)}^{{{exponent}}}")  # z^2 is z of layer 2

    def call(self, function: str, order: int, argument: _Shown) -> _Shown:
        if (function, order) == ("exp", 0):
            return _Shown(f"e^{{{argument.text}}}")
        name = f"\\{function}" if function in ELEMENTARY else self.setting.function(function, order)
        return _Shown(name + _parenthesised(argument.text))

    def cases(self, rows: Sequence[tuple[Condition, _Shown]], otherwise: _Shown) -> _Shown:
        lines = [rf"{value.text} & \text{{{_condition(c)}}}" for c, value in rows]
        lines.append(rf"{otherwise.text} & \text{{otherwise}}")
        return _Shown("\\begin{cases}\n" + " \\\\\n".join(lines) + "\n\\end{cases}")


def _multiplied(number: int, factors: Sequence[_Shown]) -> _Shown:
    shown = ([_Shown(str(number))] if number != 1 or not factors else []) + [*factors]
    return shown[0] if len(shown) == 1 else _Shown(" ".join(part.as_factor for part in shown))


_RELATIONS = {">=": r"\geq", "<=": r"\leq"}


def _condition(condition: Condition) -> str:
    relation = _RELATIONS.get(condition.relation, condition.relation)
    return f"if ${condition.variable} {relation} {condition.bound}$"


def _affine_order(part: Expr) -> tuple[bool, bool, str]:
    return (part.could_extract_minus_sign(), part.is_Number, text(part))


def _size_order(part: Expr) -> tuple[bool, str]:
    return (not part.is_Number, text(part))


def _upper(letter: str) -> str:
    r"""The letter of a batch: h -> H, \hat{y} -> \hat{Y}; anything longer stays."""
    if re.fullmatch(r"[a-z]", letter):
        return letter.upper()
    match = re.fullmatch(r"(\\[a-z]+\{)([a-z])(\})", letter)
    return letter if match is None else match.group(1) + match.group(2).upper() + match.group(3)
