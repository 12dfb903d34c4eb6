"""Scalar functions by name: what `sigmoid`, `exp` or `log` mean.

Owns: the record of a scalar function (its definition as a SymPy `Lambda`, its letter, and, where
one exists, how its derivative reads through its own value).
Refuses: derivatives written by hand. f' is SymPy's `diff` of the definition; `through` is an
identity about it that a test proves, so that sigma' can print as h(1 - h).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from sympy import Expr, Lambda, Piecewise, Rational, S, Symbol, exp, log, tanh

from symbackprop.terms import Applied

Z = Symbol("z", real=True)
H = Symbol("h", real=True)


@dataclass(frozen=True)
class ScalarFunction:
    """A function of one real number.

    `definition`: f as a Lambda. `letter`: its LaTeX name. `through`: f'(z) as Lambda((h, z)) with
    h = f(z), an identity; `elementary`: f' is written out at once (log -> 1/u) instead of being
    kept as a named f'. `kink`: the argument at which f is not differentiable, and where f' takes
    the value that the definition's branch gives. `positive`: f(z) > 0 everywhere.
    """

    name: str
    definition: Lambda
    letter: str
    through: Lambda | None = None
    elementary: bool = False
    kink: Expr | None = None
    positive: bool = False
    source: str = ""

    def value(self, argument: Expr, order: int = 0) -> Expr:
        """The derivative of this order as an explicit SymPy expression of the argument."""
        return _derivative(self.definition, order)(argument)

    def slope(self, argument: Expr, output: Expr) -> Expr | None:
        """f'(argument) written through `output` = f(argument); None where no identity is known."""
        return None if self.through is None else self.through(output, argument)


@lru_cache(maxsize=1024)
def _derivative(definition: Lambda, order: int) -> Lambda:
    if order == 0:
        return definition
    (variable,) = definition.signature
    return Lambda(variable, definition.expr.diff(variable, order))


EXP = ScalarFunction(
    "exp", Lambda(Z, exp(Z)), r"\exp", through=Lambda((H, Z), H), elementary=True, positive=True
)
LOG = ScalarFunction(
    "log", Lambda(Z, log(Z)), r"\log", through=Lambda((H, Z), 1 / Z), elementary=True
)
SIGMOID = ScalarFunction(
    "sigmoid",
    Lambda(Z, 1 / (1 + exp(-Z))),
    r"\sigma",
    through=Lambda((H, Z), H * (1 - H)),
    positive=True,
    source="Bishop 2006, eq. 4.59 and 4.88",
)
TANH = ScalarFunction(
    "tanh",
    Lambda(Z, tanh(Z)),
    r"\tanh",
    through=Lambda((H, Z), 1 - H**2),
    source="Bishop 2006, eq. 5.59",
)
RELU = ScalarFunction(
    "relu",
    Lambda(Z, Piecewise((Z, Z > 0), (S.Zero, True))),
    r"\operatorname{relu}",
    kink=S.Zero,
    source="Goodfellow, Bengio and Courville 2016, section 6.3.1",
)
LEAKY_RELU = ScalarFunction(
    "leaky_relu",
    Lambda(Z, Piecewise((Z, Z > 0), (Z * Rational(1, 100), True))),
    r"\operatorname{lrelu}",
    kink=S.Zero,
    source="Goodfellow, Bengio and Courville 2016, section 6.3.1",
)
SOFTPLUS = ScalarFunction(
    "softplus",
    Lambda(Z, log(1 + exp(Z))),
    r"\operatorname{softplus}",
    through=Lambda((H, Z), Applied("sigmoid", 0, Z)),
    positive=True,
    source="Goodfellow, Bengio and Courville 2016, eq. 3.31 and 3.42",
)

FUNCTIONS: Mapping[str, ScalarFunction] = {
    function.name: function for function in (EXP, LOG, SIGMOID, TANH, RELU, LEAKY_RELU, SOFTPLUS)
}
