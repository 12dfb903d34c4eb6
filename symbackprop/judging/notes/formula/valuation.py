r"""The value of a formula: syntax, read under settings, at the numbers of a world.

Owns: `Valuation`: which module values which node of the syntax.
Refuses: comparing sides, and reading what is not certain: that is NotUnderstood.
"""

from __future__ import annotations

from typing import assert_never

import numpy as np

from symbackprop.judging.notes.formula import values as v
from symbackprop.judging.notes.formula.derivatives import derivative_value
from symbackprop.judging.notes.formula.functions import application_value, as_float
from symbackprop.judging.notes.formula.literals import (
    cases_value,
    condition_value,
    matrix_value,
    norm_value,
)
from symbackprop.judging.notes.formula.meaning import Meaning
from symbackprop.judging.notes.formula.products import product_value
from symbackprop.judging.notes.formula.references import symbol_value
from symbackprop.judging.notes.formula.sums import big_value, sum_value
from symbackprop.judging.notes.formula.symbols import NotUnderstood
from symbackprop.judging.notes.formula.values import Value
from symbackprop.reading.latex.syntax import (
    Apply,
    Big,
    Cases,
    Comparison,
    Derivative,
    Dots,
    Group,
    Indicator,
    Matrix,
    Node,
    Norm,
    Number,
    Product,
    Quotient,
    Root,
    Scripted,
    Sum,
    Symbol,
)


class Valuation(Meaning):
    """Surroundings in which every node has a value."""

    def value(self, node: Node) -> Value:
        match node:
            case Number(value=number, span=span):
                if span in self.moved:
                    return Value(self.moved[span], literal=True)
                return v.number(as_float(number, node))
            case Symbol() | Scripted():
                return symbol_value(self, node)
            case Group(items=items):
                if len(items) == 1:
                    return self.value(items[0])
                return matrix_value(self, (items,))
            case Apply(function=function, arguments=arguments):
                return application_value(self, function, arguments, node)
            case Product(sign=sign, factors=factors):
                return product_value(self, sign, factors)
            case Quotient(numerator=top, denominator=bottom):
                return v.entrywise(self.value(top), self.value(bottom), np.divide)
            case Sum(signs=signs, terms=terms):
                return sum_value(self, signs, terms)
            case Comparison():
                return condition_value(self, node)
            case Big():
                return big_value(self, node)
            case Derivative():
                return derivative_value(self, node)
            case Matrix(rows=rows):
                return matrix_value(self, rows)
            case Cases(branches=branches):
                return cases_value(self, branches, node)
            case Indicator(condition=condition):
                return condition_value(self, condition)
            case Norm():
                return norm_value(self, node)
            case Root(content=content):
                return v.mapped(self.value(content), v.real(np.sqrt))
            case Dots():
                raise NotUnderstood("dots stand for something left out", node.span)
            case _:
                assert_never(node)
