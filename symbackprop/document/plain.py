r"""Ordinary arithmetic and calculus as a tree, in the order in which a person writes it.

Owns: the tree, its LaTeX, and two ways to evaluate it: in floating point at a point of a network,
and exactly in a `Lesson`, where letters stand for numbers and functions that are chosen there.
Refuses: rearranging. What is shown is what was built; `tree_of` alone chooses an order, for
expressions that SymPy has simplified.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import reduce
from operator import add, mul
from typing import Any, assert_never

import numpy as np
import numpy.typing as npt
from sympy import Expr, Lambda, Rational, Symbol, cancel, sympify

from symbackprop.calculus.terms import Applied, Delta, Element, Index, Partial, single, text
from symbackprop.derivation.evaluate import Point, apply, evaluate
from symbackprop.networks.network import Network
from symbackprop.writing.latex import Typesetting

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Num:
    """A number as printed: `0.001`, `2`."""

    text: str


@dataclass(frozen=True)
class Var:
    """A letter of a lesson."""

    name: str


@dataclass(frozen=True)
class Atom:
    """An element of a tensor, a derivative that has a name, or an indicator."""

    entry: Expr


@dataclass(frozen=True)
class Negative:
    inner: Tree


@dataclass(frozen=True)
class Sum:
    """Addends; a `Negative` among them is subtracted."""

    parts: tuple[Tree, ...]


@dataclass(frozen=True)
class Times:
    """A product; `dot` writes the multiplication sign."""

    parts: tuple[Tree, ...]
    dot: bool = False


@dataclass(frozen=True)
class Over:
    above: Tree
    below: Tree


@dataclass(frozen=True)
class Power:
    base: Tree
    exponent: int


@dataclass(frozen=True)
class Call:
    """A function, or its derivative of this order: of the network, or of the lesson."""

    function: str
    arguments: tuple[Tree, ...]
    order: int = 0


@dataclass(frozen=True)
class Slope:
    """d of / d wrt in a lesson. `curly`: only through the definition of `of`, the rest held."""

    of: str
    wrt: str
    curly: bool = False


@dataclass(frozen=True)
class Limit:
    """What the inner formula approaches when the letter goes to 0."""

    letter: str
    inner: Tree


Tree = Num | Var | Atom | Negative | Sum | Times | Over | Power | Call | Slope | Limit


# --------------------------------------------------------------------------------------------
# Lessons
# --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Lesson:
    """What the letters stand for: functions, quantities (each in terms of those before it, or of
    free letters), and a number for every free letter. All are quotients of polynomials."""

    functions: tuple[tuple[str, Lambda], ...]
    quantities: tuple[tuple[str, Expr], ...]
    numbers: tuple[tuple[str, Rational], ...]

    @property
    def values(self) -> dict[Symbol, Rational]:
        return {Symbol(name): number for name, number in self.numbers}

    def composed(self, name: str) -> Expr:
        """The quantity in terms of free letters."""
        return self.spelled_out(Symbol(name))

    def spelled_out(self, whole: Expr) -> Expr:
        for name, definition in reversed(self.quantities):
            whole = whole.subs(Symbol(name), definition)
        return whole


def exact(tree: Tree, lesson: Lesson) -> Expr:
    """The tree in terms of the lesson's free letters; derivatives and limits are SymPy's."""
    match tree:
        case Num():
            return Rational(tree.text)
        case Var():
            return lesson.composed(tree.name)
        case Slope():
            return _exact_slope(tree, lesson)
        case Limit():
            return _exact_limit(tree, lesson)
        case Call():
            function = dict(lesson.functions)[tree.function]
            return function(*(exact(argument, lesson) for argument in tree.arguments))
        case Atom():
            raise AssertionError("a lesson has no tensors")
        case _:
            return _arithmetic(tree, lambda inner: exact(inner, lesson))


def _exact_slope(tree: Slope, lesson: Lesson) -> Expr:
    of = Symbol(tree.of)
    definition = dict(lesson.quantities)[tree.of]
    if tree.curly or tree.wrt in dict(lesson.quantities):
        return lesson.spelled_out(definition.diff(Symbol(tree.wrt)))
    return lesson.spelled_out(of).diff(Symbol(tree.wrt))


def _exact_limit(tree: Limit, lesson: Lesson) -> Expr:
    """For quotients of polynomials: cancelled, a limit that exists is the value at 0."""
    letter = Symbol(tree.letter)
    numbers = {name: number for name, number in lesson.values.items() if name != letter}
    return cancel(exact(tree.inner, lesson).subs(numbers)).subs(letter, 0)


def exact_number(tree: Tree, lesson: Lesson) -> Fraction:
    found = sympify(exact(tree, lesson)).subs(lesson.values)
    return Fraction(int(found.p), int(found.q))


# --------------------------------------------------------------------------------------------
# Numbers
# --------------------------------------------------------------------------------------------


def numeric(tree: Tree, indices: Sequence[Index], point: Point) -> Array:
    """The value at a point, a table over `indices`."""
    match tree:
        case Num():
            return np.asarray(float(Rational(tree.text)))
        case Atom():
            return evaluate(single(tree.entry), indices, point)
        case Call():
            function = point.network.functions[tree.function]
            (argument,) = tree.arguments
            return np.asarray(apply(function, tree.order, numeric(argument, indices, point), point))
        case Var() | Slope() | Limit():
            raise AssertionError("letters of a lesson have no value at a point")
        case _:
            return np.asarray(_arithmetic(tree, lambda inner: numeric(inner, indices, point)))


def _arithmetic(tree: Negative | Sum | Times | Over | Power, value: Callable[[Tree], Any]) -> Any:
    match tree:
        case Negative():
            return -value(tree.inner)
        case Sum():
            return reduce(add, map(value, tree.parts))
        case Times():
            return reduce(mul, map(value, tree.parts))
        case Over():
            return value(tree.above) / value(tree.below)
        case Power():
            return value(tree.base) ** tree.exponent
        case _:
            assert_never(tree)


# --------------------------------------------------------------------------------------------
# Trees of SymPy expressions
# --------------------------------------------------------------------------------------------


def tree_of(whole: Expr, network: Network) -> Tree:
    """An expression in elements: numbers first, then values, parameters, and derivatives last."""
    if whole.is_Rational:
        return _rational(whole)
    if whole.is_Add:
        ordered = sorted(
            whole.args, key=lambda part: (part.could_extract_minus_sign(), _numbered_text(part))
        )
        return Sum(tuple(tree_of(part, network) for part in ordered))
    if whole.could_extract_minus_sign() and whole.is_Mul:
        return Negative(tree_of(-whole, network))
    if whole.is_Mul or (whole.is_Pow and whole.exp.is_negative):
        return _quotient(whole, network)
    if whole.is_Pow:
        return Power(tree_of(whole.base, network), int(whole.exp))
    if isinstance(whole, Applied):
        return Call(whole.function, (tree_of(whole.argument, network),), whole.order)
    if whole.is_Symbol and not isinstance(whole, Index):
        return Var(whole.name)
    return Atom(whole)


def _rational(number: Rational) -> Tree:
    if number < 0:
        return Negative(_rational(-number))
    if number.q == 1:
        return Num(str(number.p))
    return Over(Num(str(number.p)), Num(str(number.q)))


def _quotient(whole: Expr, network: Network) -> Tree:
    above, below = whole.as_numer_denom()
    if below == 1:
        factors = sorted(above.args, key=lambda part: _factor_order(part, network))
        return Times(tuple(tree_of(factor, network) for factor in factors))
    return Over(tree_of(above, network), tree_of(below, network))


def _factor_order(factor: Expr, network: Network) -> tuple[int, str]:
    base = factor.base if factor.is_Pow else factor
    match base:
        case Element():
            is_parameter = network.by_name[base.tensor].kind == "parameter"
            return (2 if is_parameter else 1), _numbered_text(factor)
        case Partial():
            return 4, _numbered_text(factor)
        case _:
            return (0 if base.is_Number else 3), _numbered_text(factor)


def _numbered_text(factor: Expr) -> str:
    """Content as text that sorts node9 before node10."""
    return re.sub(r"\d+", lambda number: number.group().zfill(6), text(factor))


def size(tree: Tree) -> int:
    """How many letters and numbers the tree shows."""
    match tree:
        case Num() | Var() | Atom() | Slope():
            return 1
        case Negative() | Limit():
            return size(tree.inner)
        case Sum() | Times():
            return sum(map(size, tree.parts))
        case Over():
            return size(tree.above) + size(tree.below)
        case Power():
            return size(tree.base)
        case Call():
            return 1 + sum(map(size, tree.arguments))
        case _:
            assert_never(tree)


def replaced(tree: Tree, change: Mapping[Expr, Expr]) -> Tree:
    """The tree with elements exchanged."""
    return mapped(tree, lambda atom: Atom(atom.entry.xreplace(dict(change))))


def mapped(tree: Tree, change: Callable[[Atom], Tree]) -> Tree:
    """The tree with every atom changed."""
    match tree:
        case Atom():
            return change(tree)
        case Num() | Var() | Slope():
            return tree
        case Negative():
            return Negative(mapped(tree.inner, change))
        case Sum():
            return Sum(tuple(mapped(part, change) for part in tree.parts))
        case Times():
            return Times(tuple(mapped(part, change) for part in tree.parts), tree.dot)
        case Over():
            return Over(mapped(tree.above, change), mapped(tree.below, change))
        case Power():
            return Power(mapped(tree.base, change), tree.exponent)
        case Call():
            arguments = tuple(mapped(argument, change) for argument in tree.arguments)
            return Call(tree.function, arguments, tree.order)
        case Limit():
            return Limit(tree.letter, mapped(tree.inner, change))
        case _:
            assert_never(tree)


# --------------------------------------------------------------------------------------------
# LaTeX
# --------------------------------------------------------------------------------------------

GREEK = {"epsilon": r"\varepsilon"}
LETTER = re.compile(r"[A-Za-z]+(_\{\d+\})?")


def show_tree(tree: Tree, setting: Typesetting) -> str:
    match tree:
        case Num():
            return tree.text
        case Var():
            return GREEK.get(tree.name, tree.name)
        case Atom():
            return setting.factor(tree.entry)
        case Negative():
            return "-" + _factor(tree.inner, setting, first=True)
        case Sum():
            return " ".join(signed_parts(tree, setting))
        case Times():
            return _product(tree, setting, leading=True)
        case Over():
            return rf"\frac{{{show_tree(tree.above, setting)}}}{{{show_tree(tree.below, setting)}}}"
        case Power():
            return f"{_base(tree.base, setting)}^{{{tree.exponent}}}"
        case Call():
            inner = ", ".join(show_tree(argument, setting) for argument in tree.arguments)
            return rf"{_function(tree, setting)}\left({inner}\right)"
        case Slope():
            d = r"\partial " if tree.curly else "d"
            return rf"\frac{{{d}{tree.of}}}{{{d}{tree.wrt}}}"
        case Limit():
            inner = _factor(tree.inner, setting, first=True)
            return rf"\lim_{{{GREEK.get(tree.letter, tree.letter)} \to 0}} {inner}"
        case _:
            assert_never(tree)


def _product(tree: Times, setting: Typesetting, leading: bool) -> str:
    """`leading`: nothing stands before it, so that a minus sign needs no parentheses."""
    sign = r" \cdot " if tree.dot else " "
    return sign.join(
        _factor(part, setting, first=leading and place == 0)
        for place, part in enumerate(tree.parts)
    )


def signed_parts(tree: Sum, setting: Typesetting) -> list[str]:
    """The addends with their signs, nested sums unfolded."""
    shown: list[str] = []
    for part in _unfolded(tree):
        negative = isinstance(part, Negative)
        inner = part.inner if isinstance(part, Negative) else part
        body = _addend(inner, setting, bool(shown) or negative)
        sign = "-" if negative else "+"
        shown.append(f"{sign} {body}" if shown else ("-" if negative else "") + body)
    return shown


def _addend(part: Tree, setting: Typesetting, after_sign: bool) -> str:
    if isinstance(part, Times):
        return _product(part, setting, leading=not after_sign)
    return _factor(part, setting, first=not after_sign)


def _unfolded(tree: Sum) -> list[Tree]:
    found: list[Tree] = []
    for part in tree.parts:
        found.extend(_unfolded(part) if isinstance(part, Sum) else [part])
    return found


def _factor(part: Tree, setting: Typesetting, first: bool) -> str:
    shown = show_tree(part, setting)
    loose = isinstance(part, Sum) or (isinstance(part, Negative) and not first)
    return rf"\left({shown}\right)" if loose else shown


def _base(part: Tree, setting: Typesetting) -> str:
    shown = show_tree(part, setting)
    tight = isinstance(part, (Num, Var)) or (
        isinstance(part, Atom)
        and not isinstance(part.entry, (Partial, Delta))
        and LETTER.fullmatch(shown)
    )
    return shown if tight else rf"\left({shown}\right)"


def _function(tree: Call, setting: Typesetting) -> str:
    if tree.function in setting.network.functions:
        return setting.function(tree.function, tree.order)
    return tree.function + "'" * tree.order
