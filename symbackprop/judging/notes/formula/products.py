"""Products: of matrix algebra, entry by entry, and of links of a chain.

Owns: `product_value` and the grouping of juxtaposed factors into applications. Refuses: tensor
products, and arrays too large to write out. Would be wrong if a product were taken entrywise
where the note means a matrix product.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np

from symbackprop.judging.notes.formula import values as v
from symbackprop.judging.notes.formula.derivatives import chain_value
from symbackprop.judging.notes.formula.entries import slopes_of
from symbackprop.judging.notes.formula.functions import (
    application,
    called_as_value,
    called_entry,
    called_loss,
    called_node,
    function_of,
    is_called,
    refuse_elsewhere,
)
from symbackprop.judging.notes.formula.letters import argument_of
from symbackprop.judging.notes.formula.meaning import Meaning
from symbackprop.judging.notes.formula.references import referred
from symbackprop.judging.notes.formula.symbols import NotUnderstood
from symbackprop.judging.notes.formula.values import Clash, Value
from symbackprop.reading.latex.syntax import Apply, Group, Node, Product

Work = Callable[[], Value]


def _taken_together(meaning: Meaning, factors: Sequence[Node]) -> list[tuple[Node, Work | None]]:
    """Juxtaposed factors, a function and its argument taken together: pairs of the node and
    either None or the work that makes its value."""
    found: list[tuple[Node, Work | None]] = []
    position = 0
    while position < len(factors):
        node, after = factors[position], (*factors[position + 1 :], None)[0]
        both = _as_one(meaning, node, after)
        found.append((node, both[0] if both else None))
        position += 2 if both else 1
    return found


def _as_one(meaning: Meaning, node: Node, after: Node | None) -> tuple[Work | None] | None:
    """The work of a function and its argument, or of a quantity and what it depends on, where
    that marks a sample; None where the two are factors."""
    function = function_of(meaning, node)
    if after is None:
        return None
    group, scripts = argument_of(after)
    if function is None and group is not None:
        function = called_as_value(meaning, node, group)
    if function is not None and group is not None:
        return (application(meaning, function, group, scripts),)
    if (entry := called_entry(meaning, node, after)) is not None:
        return (partial(meaning.value, entry),)
    if not is_called(meaning, node, after):
        return None
    assert isinstance(after, Group)
    refuse_elsewhere(meaning, node, after)
    sampled = called_loss(meaning, node, after) or called_node(meaning, node, after)
    return (None if sampled is None else partial(referred, meaning, sampled),)


def product_value(meaning: Meaning, sign: str, factors: Sequence[Node]) -> Value:
    if sign in (r"\odot", r"\circ"):
        return _entrywise_or_from_left(meaning, factors)
    if sign == r"\oslash":
        return _entrywise_quotient(meaning, factors)
    if sign == r"\otimes":
        raise NotUnderstood(r"\otimes", factors[0].span)
    parts = _taken_together(meaning, factors) if sign == "" else [(node, None) for node in factors]
    chained = chain_value(meaning, [node for node, work in parts if work is None], len(parts))
    if chained is not None:
        return chained
    total = _multiplied(meaning, sign, parts)
    if total.array.size > v.LARGEST:
        raise NotUnderstood("an array too large to write out", factors[0].span)
    return total


def _multiplied(meaning: Meaning, sign: str, parts: Sequence[tuple[Node, Work | None]]) -> Value:
    total: Value | None = None
    for node, work in parts:
        value = _part(meaning, node, work)
        if total is None:
            total = value
            continue
        total = meaning.within(node, partial(times, meaning, sign, total, value))
    assert total is not None
    return total


def _entrywise_quotient(meaning: Meaning, factors: Sequence[Node]) -> Value:
    one, *rest = (meaning.spanned(factor) for factor in factors)
    for other in rest:
        one = v.entrywise(one, other, np.divide)
    return one


def times(meaning: Meaning, sign: str, one: Value, other: Value) -> Value:
    try:
        return v.product(one, other)
    except Clash:
        if sign in meaning.settings.entrywise:
            return v.entrywise(one, other, np.multiply)
        if max(len(one.axes), len(other.axes)) > 2:
            raise NotUnderstood("a product with a derivative of three indices") from None
        raise


def _entrywise_or_from_left(meaning: Meaning, factors: Sequence[Node]) -> Value:
    r"""A \odot B C is A \odot (B C), or (A \odot B) C where only that fits."""
    try:
        return _entrywise_product(meaning, factors)
    except Clash as clash:
        if not any(_is_matrix_product(factor) for factor in factors[1:]):
            raise
        try:
            return _from_left(meaning, factors)
        except Clash:
            raise clash from None


def _is_matrix_product(node: Node) -> bool:
    """Factors without brackets around them."""
    return isinstance(node, Product) and node.sign in ("", r"\cdot", "*", r"\times")


def _from_left(meaning: Meaning, factors: Sequence[Node]) -> Value:
    total = meaning.spanned(factors[0])
    for factor in factors[1:]:
        if not (isinstance(factor, Product) and _is_matrix_product(factor)):
            total = _by_entry(meaning, total, meaning.spanned(factor))
            continue
        together = factor.sign == ""
        parts = _taken_together(meaning, factor.factors) if together else None
        first, *rest = parts or [(node, None) for node in factor.factors]
        total = _by_entry(meaning, total, _part(meaning, *first))
        for part in rest:
            total = times(meaning, factor.sign, total, _part(meaning, *part))
    return total


def _part(meaning: Meaning, node: Node, work: Work | None) -> Value:
    return meaning.spanned(node) if work is None else meaning.within(node, work)


def _entrywise_product(meaning: Meaning, factors: Sequence[Node]) -> Value:
    total: Value | None = None
    if any(_is_diagonal(node) for node in factors):
        raise Clash("a diagonal matrix in an entrywise product")
    for node in factors:
        value = meaning.spanned(node)
        if total is not None:
            total = meaning.within(node, partial(_by_entry, meaning, total, value))
        else:
            total = value
    assert total is not None
    return total


def _is_diagonal(node: Node) -> bool:
    return isinstance(node, Apply) and getattr(node.function, "head", "") in ("diag", "Diag")


def _by_entry(meaning: Meaning, total: Value, value: Value) -> Value:
    one, other = _as_slopes(meaning, total, value), _as_slopes(meaning, value, total)
    return v.entrywise(one, other, np.multiply)


def _as_slopes(meaning: Meaning, value: Value, other: Value) -> Value:
    """The slopes of an entrywise function where its Jacobian stands in an entrywise product."""
    slopes = slopes_of(value, meaning.settings)
    if slopes is not None and v.fits(slopes.rows, other.rows) and v.fits(slopes.cols, other.cols):
        return slopes
    return value
