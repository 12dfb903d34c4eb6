"""Losses as forward equations: what is added up over samples and features, and how it is scaled.

Labels are facts about y: rows that sum to one, whole numbers that pick a class, or nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sympy import Expr, Mul, Rational, S

from symbackprop.layers.pieces import Piece
from symbackprop.network import CountsClasses, Equation, Fact, SumsToOne, Tensor
from symbackprop.terms import Applied, Delta, Expression, Index, expression, product

LABELS: Mapping[str, tuple[Fact, ...]] = {
    "one_hot": (SumsToOne(-1),),
    "distribution": (SumsToOne(-1),),
    "integer": (),
    "any": (),
}


@dataclass(frozen=True)
class Loss:
    """`summand(yhat, y)` is what one entry adds; `source` cites it; `needs` is the activation
    that must come last; `labelled` tells whether there is a y, `classes` whether the kind of
    labels means anything for it (elsewhere nothing is assumed of y)."""

    summand: Callable[[Expr, Expr], Expression]
    source: str
    needs: str | None = None
    labelled: bool = True
    classes: bool = False


def cross_entropy(yhat: Expr, y: Expr) -> Expression:
    """-y log(yhat). Bishop 2006, eq. 4.108."""
    return expression(product(-1, (), (y, Applied("log", 0, yhat))))


def binary_cross_entropy(yhat: Expr, y: Expr) -> Expression:
    """-y log(yhat) - (1 - y) log(1 - yhat). Bishop 2006, eq. 4.90."""
    return expression(
        product(-1, (), (y, Applied("log", 0, yhat))),
        product(-1, (), (1 - y, Applied("log", 0, 1 - yhat))),
    )


def squared_error(yhat: Expr, y: Expr) -> Expression:
    """(yhat - y)^2. Bishop 2006, eq. 5.11 (there with the factor 1/2)."""
    return expression(product(1, (), ((yhat - y) ** 2,)))


def output_itself(yhat: Expr, y: Expr) -> Expression:
    """No loss: the objective is the output, added up where it has several entries."""
    return expression(product(1, (), (yhat,)))


LOSSES: Mapping[str, Loss] = {
    "cross_entropy": Loss(cross_entropy, "Bishop 2006, eq. 4.108", needs="softmax", classes=True),
    "binary_cross_entropy": Loss(binary_cross_entropy, "Bishop 2006, eq. 4.90", needs="sigmoid"),
    "squared_error": Loss(squared_error, "Bishop 2006, eq. 5.11"),
    "none": Loss(output_itself, "", labelled=False),
}


def labels(yhat: Tensor, kind: str) -> Tensor:
    """The tensor y beside this output: the same shape, or whole numbers without the last axis."""
    *leading, feature = yhat.indices
    if kind == "integer":
        return Tensor("y", tuple(leading), "label", (CountsClasses(feature.axis),), letter="y")
    return Tensor("y", yhat.indices, "label", LABELS[kind], letter="y")


def loss(yhat: Tensor, kind: str, label: str, reduction: str, half: bool) -> Piece:
    """L = scale * sum over samples and features of the summand.

    scale: 1 (`sum`), 1/samples (`mean`), 1/entries of yhat (`mean_elements`); times 1/2 if `half`.
    """
    record = LOSSES[kind]
    y = labels(yhat, label if record.classes else "any") if record.labelled else None
    entry = _label_entry(y, yhat.indices[-1]) if y is not None else S.Zero
    scale = _scale(yhat, reduction) * (Rational(1, 2) if half else 1)
    total = Tensor("L", (), "loss", letter="L")
    summed = expression(
        *(
            product(term.coefficient * scale, (*yhat.indices, *term.bound), term.factors)
            for term in record.summand(yhat.entry, entry).terms
        )
    )
    equation = Equation("L", (), summed, record.source)
    return Piece((y, total) if y is not None else (total,), (equation,))


def _label_entry(y: Tensor, feature: Index) -> Expr:
    if y.facts and isinstance(y.facts[0], CountsClasses):
        return Delta(feature, y.entry)
    return y.entry


def _scale(yhat: Tensor, reduction: str) -> Expr:
    samples = Mul(*(axis.extent for axis in yhat.axes if axis.role == "sample"))
    match reduction:
        case "sum":
            return S.One
        case "mean":
            return 1 / samples
        case "mean_elements":
            return 1 / Mul(*yhat.shape)
        case _:
            raise ValueError(f"unknown reduction {reduction!r}")
