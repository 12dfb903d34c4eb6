"""Scalar functions by name: what `sigmoid`, `exp` or `log` mean, and how people speak of them.

Owns: the record of a scalar function, which is all that any room knows of it by name, and `fold`,
which reads a definition into numbers, NumPy text or LaTeX.
Refuses: derivatives written by hand. f' is SymPy's `diff` of the definition; `through` is an
identity about it that a test proves, so that sigma' can print as h(1 - h).
Would be wrong if a room kept a list of functions of its own: what is added here would be missing
there.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from operator import ge, gt, le, lt
from typing import Any, Protocol, TypeVar

from sympy import Expr, Lambda, Or, Piecewise, Rational, S, Symbol, exp, log, tanh
from sympy.core.relational import Relational

from symbackprop.calculus.terms import Applied, text
from symbackprop.errors import UnsupportedError

Z = Symbol("z", real=True)
H = Symbol("h", real=True)


@dataclass(frozen=True)
class ScalarFunction:
    """A function of one real number: what it is, and what is said of it.

    `definition`: f as a Lambda, of what `fold` reads. `letter`: its LaTeX name. `through`: f'(z) as
    Lambda((h, z)) with h = f(z), an identity; `elementary`: f' is written out at once (log -> 1/u)
    instead of being kept as a named f'. `kink`: the argument at which f is not differentiable, and
    where f' takes the value that the definition's case gives. `positive`: f(z) > 0 everywhere.
    `stable`: the body of a NumPy function of z with the same values, where the definition would
    overflow; `{np}` stands where the library is named.

    `words`: what sentences call it; `short`: the same in tables; `article`: whether "the" stands
    before the short name; `slope_words`: a sentence on f'; `spellings`: further names in notes.
    """

    name: str
    definition: Lambda
    letter: str
    through: Lambda | None = None
    elementary: bool = False
    kink: Expr | None = None
    positive: bool = False
    source: str = ""
    stable: str = ""
    words: str = ""
    short: str = ""
    article: bool = False
    slope_words: str = "Its derivative is the slope of the function."
    spellings: tuple[str, ...] = ()

    def value(self, argument: Expr, order: int = 0) -> Expr:
        """The derivative of this order as an explicit SymPy expression of the argument."""
        return _derivative(self.definition, order)(argument)

    def slope(self, argument: Expr, output: Expr) -> Expr | None:
        """f'(argument) written through `output` = f(argument); None where no identity is known."""
        return None if self.through is None else self.through(output, argument)

    @property
    def in_words(self) -> str:
        return self.words or self.name.replace("_", " ")

    @property
    def in_short(self) -> str:
        return self.short or self.name.replace("_", " ")

    @property
    def heads(self) -> tuple[str, ...]:
        r"""How notes spell it: `leaky_relu`, the `lrelu` of `\operatorname{lrelu}`, and others."""
        upright = re.fullmatch(r"\\operatorname\{(\w+)\}", self.letter)
        return (self.name, *((upright[1],) if upright else ()), *self.spellings)


@lru_cache(maxsize=1024)
def _derivative(definition: Lambda, order: int) -> Lambda:
    if order == 0:
        return definition
    (variable,) = definition.signature
    return Lambda(variable, definition.expr.diff(variable, order))


# --------------------------------------------------------------------------------------------
# Reading a definition
# --------------------------------------------------------------------------------------------

E = TypeVar("E")
ELEMENTARY = ("exp", "log", "tanh", "cosh", "sinh")  # SymPy's names, and NumPy's
RELATIONS: Mapping[str, Callable[[Any, Any], Any]] = {">": gt, "<": lt, ">=": ge, "<=": le}


@dataclass(frozen=True)
class Condition:
    """`variable relation bound`, such as z > 0; the relation is one of > < >= <=."""

    variable: Symbol
    relation: str
    bound: Fraction

    @property
    def compare(self) -> Callable[[Any, Any], Any]:
        return RELATIONS[self.relation]


class Algebra(Protocol[E]):
    """What a definition is read into."""

    def variable(self, symbol: Symbol) -> E: ...
    def total(self, parts: Sequence[tuple[bool, E]]) -> E:
        """Addends; the truth value tells those that are subtracted, which come last."""
        ...

    def product(self, coefficient: Fraction, above: Sequence[E], below: Sequence[E]) -> E:
        """coefficient * above / below; the number alone where nothing else is given."""
        ...

    def power(self, base: E, exponent: Fraction) -> E: ...
    def call(self, function: str, order: int, argument: E) -> E: ...
    def cases(self, rows: Sequence[tuple[Condition, E]], otherwise: E) -> E: ...


def fold(node: Expr, algebra: Algebra[E]) -> E:
    """The expression in the algebra, from its leaves up.

    Raises: UnsupportedError for what no definition is made of.
    """
    if node.is_Symbol:
        return algebra.variable(node)
    if isinstance(node, Applied):
        return algebra.call(node.function, node.order, fold(node.argument, algebra))
    if type(node).__name__ in ELEMENTARY:
        return algebra.call(type(node).__name__, 0, fold(node.args[0], algebra))
    if isinstance(node, Piecewise):
        rows, otherwise = cases_of(node)
        return algebra.cases([(c, fold(v, algebra)) for c, v in rows], fold(otherwise, algebra))
    if node.is_Add:
        parts = sorted(node.args, key=_place)
        return algebra.total(
            [(_is_negative(p), fold(-p if _is_negative(p) else p, algebra)) for p in parts]
        )
    coefficient, rest = node.as_coeff_Mul()
    if not coefficient.is_Rational or not (node.is_Rational or node.is_Mul or node.is_Pow):
        raise UnsupportedError(
            f"{node}: found {type(node).__name__}, expected sums, products, rational powers, cases"
            f" and {', '.join(ELEMENTARY)} in a scalar function"
        )
    above, below = _sides(rest, algebra)
    if coefficient == 1 and len(above) == 1 and not below:
        return above[0]
    return algebra.product(_fraction(coefficient), above, below)


def _place(addend: Expr) -> tuple[bool, bool, str]:
    """Numbers first among those that are added, last among those that are subtracted."""
    negative = _is_negative(addend)
    return negative, addend.is_Number == negative, text(addend)


def _sides(product: Expr, algebra: Algebra[E]) -> tuple[list[E], list[E]]:
    """The factors above and below a fraction bar."""
    sides: tuple[list[E], list[E]] = ([], [])
    factors = () if product == 1 else product.as_ordered_factors()
    for factor in sorted(factors, key=lambda factor: factor.is_Add):
        base, exponent = factor.as_base_exp() if factor.is_Pow else (factor, S.One)
        if factor.is_Pow and not exponent.is_Rational:
            raise UnsupportedError(f"{factor}: found a power of {exponent}, expected a number")
        made = fold(base, algebra)
        size = _fraction(abs(exponent))
        sides[bool(exponent < 0)].append(made if size == 1 else algebra.power(made, size))
    return sides


def cases_of(node: Piecewise) -> tuple[list[tuple[Condition, Expr]], Expr]:
    """The cases with their conditions, in order, and what holds otherwise."""
    *rows, (otherwise, last) = node.args
    if last != True:  # noqa: E712 - SymPy's true
        raise UnsupportedError(f"{node}: found no last case, expected one for all other arguments")
    return [(made, value) for value, written in rows for made in _conditions(written)], otherwise


def _conditions(written: Expr) -> Iterator[Condition]:
    """One for each part of an alternative: SymPy joins cases of equal value."""
    if isinstance(written, Or):
        for part in sorted(written.args, key=text):
            yield from _conditions(part)
        return
    turned = isinstance(written, Relational) and written.rhs.is_Symbol
    side = written.reversed if turned else written
    known = isinstance(side, Relational) and side.rel_op in RELATIONS
    if not known or not side.lhs.is_Symbol or not side.rhs.is_Rational:
        raise UnsupportedError(f"{written}: expected a condition such as z > 0")
    yield Condition(side.lhs, side.rel_op, _fraction(side.rhs))


def _is_negative(part: Expr) -> bool:
    return bool(part.as_coeff_Mul()[0].is_negative)


def _fraction(number: Rational) -> Fraction:
    return Fraction(int(number.p), int(number.q))


# --------------------------------------------------------------------------------------------
# The catalogue
# --------------------------------------------------------------------------------------------

EXP = ScalarFunction(
    "exp",
    Lambda(Z, exp(Z)),
    r"\exp",
    through=Lambda((H, Z), H),
    elementary=True,
    positive=True,
    short="exponential function",
    article=True,
    slope_words="The exponential function is its own derivative: its slope is its value.",
)
LOG = ScalarFunction(
    "log",
    Lambda(Z, log(Z)),
    r"\log",
    through=Lambda((H, Z), 1 / Z),
    elementary=True,
    short="logarithm",
    article=True,
    slope_words="The slope of the logarithm is 1 over the number it is taken of.",
    spellings=("ln",),
)
SIGMOID = ScalarFunction(
    "sigmoid",
    Lambda(Z, 1 / (1 + exp(-Z))),
    r"\sigma",
    through=Lambda((H, Z), H * (1 - H)),
    positive=True,
    source="Bishop 2006, eq. 4.59 and 4.88",
    stable="""\
e = {np}exp(-{np}where(z.real >= 0, z, -z))
return {np}where(z.real >= 0, 1, e) / (1 + e)""",
    article=True,
    slope_words="The slope of the sigmoid is its value times 1 minus its value.",
    spellings=("Sigmoid",),
)
TANH = ScalarFunction(
    "tanh",
    Lambda(Z, tanh(Z)),
    r"\tanh",
    through=Lambda((H, Z), 1 - H**2),
    source="Bishop 2006, eq. 5.59",
    words="hyperbolic tangent",
    slope_words="The slope of tanh is 1 minus the square of its value.",
    spellings=("Tanh",),
)
RELU = ScalarFunction(
    "relu",
    Lambda(Z, Piecewise((Z, Z > 0), (S.Zero, True))),
    r"\operatorname{relu}",
    kink=S.Zero,
    source="Goodfellow, Bengio and Courville 2016, section 6.3.1",
    words="rectifier (relu)",
    short="ReLU",
    slope_words="The slope of ReLU is 1 where its input is positive, and 0 elsewhere.",
    spellings=("ReLU",),
)
LEAKY_RELU = ScalarFunction(
    "leaky_relu",
    Lambda(Z, Piecewise((Z, Z > 0), (Z * Rational(1, 100), True))),
    r"\operatorname{lrelu}",
    kink=S.Zero,
    source="Goodfellow, Bengio and Courville 2016, section 6.3.1",
    words="leaky rectifier",
    short="leaky ReLU",
    slope_words="The slope of leaky ReLU is 1 where its input is positive, and 0.01 elsewhere.",
    spellings=("LeakyReLU",),
)
SOFTPLUS = ScalarFunction(
    "softplus",
    Lambda(Z, log(1 + exp(Z))),
    r"\operatorname{softplus}",
    through=Lambda((H, Z), Applied("sigmoid", 0, Z)),
    positive=True,
    source="Goodfellow, Bengio and Courville 2016, eq. 3.31 and 3.42",
    stable="""\
e = {np}exp(-{np}where(z.real >= 0, z, -z))
return {np}where(z.real >= 0, z, 0) + {np}log1p(e)""",
    slope_words="The slope of softplus is the sigmoid of its input.",
)

FUNCTIONS: Mapping[str, ScalarFunction] = {
    function.name: function for function in (EXP, LOG, SIGMOID, TANH, RELU, LEAKY_RELU, SOFTPLUS)
}
"""What equations may apply, by name."""


def function_spelt(head: str) -> str:
    """The name of the function that notes spell so; "" where there is none."""
    return next((f.name for f in FUNCTIONS.values() if head in f.heads), "")


def function_lettered(letter: str) -> str:
    r"""The name of the function whose LaTeX name is this letter (\sigma: sigmoid); "" for none."""
    return next((f.name for f in FUNCTIONS.values() if f.letter == letter), "")


def spellings() -> frozenset[str]:
    """Every word by which notes call a function."""
    return frozenset(head for function in FUNCTIONS.values() for head in function.heads)
