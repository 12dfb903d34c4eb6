"""A normal form in which two ways of computing the same thing meet.

Floors: `forms`; `naming` (bound names) and `factoring`; `operations`; `algebra`, which reads the
expressions of a network. A form that is zero is a proof; one that is not proves nothing.
"""

from symbackprop.derivation.normalform.algebra import Algebra
from symbackprop.derivation.normalform.forms import (
    ONE,
    ZERO,
    Atom,
    Exponent,
    Form,
    Mono,
    NoNormalForm,
    atom,
    form_is_positive,
    has_conditions,
    number,
    total,
    variable,
)
from symbackprop.derivation.normalform.naming import renamed

__all__ = [
    "ONE",
    "ZERO",
    "Algebra",
    "Atom",
    "Exponent",
    "Form",
    "Mono",
    "NoNormalForm",
    "atom",
    "form_is_positive",
    "has_conditions",
    "number",
    "renamed",
    "total",
    "variable",
]
