"""The value of a symbol: a tensor, an adjoint, a count, a name that the note gave.

Owns: `symbol_value` and `referred`: from a `Reference` to a `Value`, and scripts on a group.
Refuses: what a symbol refers to (`symbols` says it), and functions without an argument.
Would be wrong if a definition of the note were read with the letters of the place of its use.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import assert_never

import numpy as np

from symbackprop.judging.notes.formula import values as v
from symbackprop.judging.notes.formula.derivatives import scale_of, total_derivative
from symbackprop.judging.notes.formula.entries import entries_of, gathered, picked
from symbackprop.judging.notes.formula.functions import powered
from symbackprop.judging.notes.formula.letters import (
    exponent_of,
    head_or_none,
    may_be_power,
    names_a_norm,
)
from symbackprop.judging.notes.formula.literals import kronecker
from symbackprop.judging.notes.formula.meaning import Meaning
from symbackprop.judging.notes.formula.ranges import range_of
from symbackprop.judging.notes.formula.settings import UNITS, Alias
from symbackprop.judging.notes.formula.symbols import NotUnderstood, OneSample, Reference, split
from symbackprop.judging.notes.formula.values import Value
from symbackprop.reading.latex.syntax import Node, Norm, Script, Scripted, Symbol
from symbackprop.witnesses.axes import SAMPLE, Axis
from symbackprop.witnesses.truth import loss_by_sample


def symbol_value(meaning: Meaning, node: Symbol | Scripted) -> Value:
    parts = split(node)
    if parts is None:
        assert isinstance(node, Scripted)
        return _scripts_outside(meaning, node)
    symbol, scripts = parts
    if symbol.head in meaning.local and not scripts:
        return meaning.local[symbol.head]
    if symbol.head in meaning.ranges and not scripts:
        return meaning.letter(symbol.head)
    if symbol.head in meaning.ranges and len(scripts) == 1 and may_be_power(scripts[0]):
        return powered(meaning, meaning.letter(symbol.head), scripts[0].whole)
    label = meaning.settings.sizes.get(symbol.head, "")
    if label in meaning.world.sizes and not scripts and symbol.head not in meaning.settings.letters:
        return v.number(meaning.world.sizes[label])
    if label == UNITS and len(scripts) == 1 and symbol.head not in meaning.settings.letters:
        return v.number(meaning.world.sizes[_units(meaning, scripts[0])])
    if (exponent := exponent_of(symbol, scripts, meaning.settings)) is not None:
        return v.mapped(meaning.value(exponent), np.exp)
    delta = kronecker(meaning, node)
    return delta if delta is not None else referred(meaning, meaning.scope.resolve(node))


def _units(meaning: Meaning, script: Script) -> str:
    """The axis of the units of the layer that is marked: n_L."""
    if script.kind != "group" or len(script.parts) != 1:
        raise NotUnderstood("the number of units of what", script.span)
    layer = meaning.scope.whole(script.parts[0]) - meaning.settings.nodes
    name = meaning.scope.node("h", layer, script.span)
    return meaning.world.axes(name)[-1].label


def referred(meaning: Meaning, reference: Reference) -> Value:
    """The value of what a symbol refers to, with its indices, transposition and power."""
    found = _base_value(meaning, reference)
    if reference.primes:
        raise NotUnderstood("a prime on what is no function", reference.span)
    if reference.power is not None:
        found = powered(meaning, found, reference.power)
    return v.transposed(found) if reference.transposed else found


def _base_value(meaning: Meaning, reference: Reference) -> Value:
    match reference.kind:
        case "number":
            return _count(meaning, reference)
        case "identity":
            return v.IDENTITY
        case "ones":
            return v.ones()
        case "alias":
            return _alias(meaning, reference)
        case "loss_n":
            return _loss_of_sample(meaning, reference)
        case "tensor":
            return entries_of(
                meaning, reference.name, meaning.world.values[reference.name], reference
            )
        case "adjoint":
            array = total_derivative(meaning, meaning.world.network.loss, reference.name)
            found = entries_of(meaning, reference.name, array, reference)
            return v.entrywise(scale_of(meaning, reference.scale), found, np.multiply)
        case "function" | "letter":
            raise NotUnderstood(f"{reference.name} without an argument", reference.span)
    assert_never(reference.kind)


def _count(meaning: Meaning, reference: Reference) -> Value:
    if reference.name == "depth":
        return v.number(meaning.scope.numbers["L"])
    if SAMPLE not in meaning.world.sizes:
        raise OneSample("a number of samples where there is one sample", reference.span)
    return v.number(meaning.world.sizes[SAMPLE])


def _alias(meaning: Meaning, reference: Reference) -> Value:
    """The value of a name that the note gave to an expression: s_n by the definition of s_n, if
    there is one, before that of s."""
    places = len(reference.indices) + (reference.sample is not None)
    aliases = meaning.settings.aliases.get(reference.name, ())
    opened = [(alias, _opened(meaning, alias, reference)) for alias in aliases]
    for alias, surroundings in sorted(
        ((a, s) for a, s in opened if s is not None), key=lambda pair: len(pair[1][1]) != places
    ):
        found = _alias_value(meaning, alias, reference, *surroundings)
        if found is not None:
            return found
    raise NotUnderstood(f"{reference.name} is not defined before", reference.span)


def _alias_value(
    meaning: Meaning, alias: Alias, reference: Reference, inner: Meaning, letters: Sequence[str]
) -> Value | None:
    inner = inner.behind(reference)
    for letter in letters:
        axis = range_of(inner, letter, alias.node)
        inner = replace(inner, ranges={**inner.ranges, letter: axis})
    found = inner.defined(alias.node)
    places = [p for p in (reference.sample, *reference.indices) if p is not None]
    if not letters:
        if not places:
            return found
        return picked(meaning, found.array, found.free, found.axes, reference, found)
    if len(places) != len(letters) or not set(letters) <= set(found.free):
        return None
    return _instantiated(meaning, found, letters, places)


def _opened(
    meaning: Meaning, alias: Alias, reference: Reference
) -> tuple[Meaning, list[str]] | None:
    """The surroundings of a definition at the layer at which its name is used, and the letters
    of its indices; None where it defines another layer."""
    symbol = split(alias.name)
    assert symbol is not None
    family = meaning.settings.letters.get(reference.name, "alias")
    inner = meaning
    letters: list[str] = []
    for script in symbol[1]:
        role = meaning.scope.role(script, _may_be_layer(script), family)
        if role == "layer":
            mark = head_or_none(script.parts[0])
            if mark is not None and mark not in meaning.scope.numbers:
                if reference.layer is None:
                    return None
                inner = replace(inner, numbers={**inner.numbers, mark: reference.layer})
            elif meaning.scope.whole(script.parts[0]) != reference.layer:
                return None
            letters.extend(head_or_none(p) or "" for p in script.parts[1:])
        elif role in ("index", "sample"):
            letters.extend(head_or_none(p) or "" for p in script.parts)
    return inner, letters


def _may_be_layer(script: Script) -> bool:
    return script.kind == "group" and bool(script.parts)


def _instantiated(
    meaning: Meaning, found: Value, letters: Sequence[str], places: Sequence[Node]
) -> Value:
    """The entries of a definition at the places at which its name is used."""
    rest = tuple(name for name in found.free if name not in letters)
    order = [1 + found.free.index(n) for n in (*rest, *letters)]
    tail = range(1 + len(found.free), found.array.ndim)
    array = found.array.transpose([0, *order, *tail])
    axes = tuple(Axis("", array.shape[1 + len(rest) + n]) for n in range(len(letters)))
    chosen = gathered(
        meaning, array, rest, (*axes, *found.axes), [*places, *[None] * len(found.axes)]
    )
    return replace(chosen, rows=found.rows, cols=found.cols)


def _loss_of_sample(meaning: Meaning, reference: Reference) -> Value:
    if SAMPLE not in meaning.world.sizes:
        return Value(meaning.world.values[meaning.world.network.loss])
    array = loss_by_sample(meaning.world)
    if array is None:
        raise NotUnderstood("the loss of a single sample", reference.span)
    place = reference.sample or (reference.indices[0] if reference.indices else None)
    if place is None:
        raise NotUnderstood("the loss of which sample", reference.span)
    axis = Axis(SAMPLE, array.shape[1])
    return gathered(meaning, array, (), (axis,), [place])


def _scripts_outside(meaning: Meaning, node: Scripted) -> Value:
    r"""Scripts on a group: (W^3)^T, (a - y)^2, (z)_k, \left(\cdot\right)^{-1}."""
    value = meaning.value(node.base)
    for script in node.scripts:
        if isinstance(node.base, Norm) and names_a_norm(script):
            continue
        match script.kind:
            case "transpose":
                value = v.transposed(value)
            case "group" if script.place == "above" and not script.bracket:
                value = powered(meaning, value, script.whole)
            case "group" if script.place == "below":
                reference = Reference("letter", "", node.span, indices=script.parts)
                value = picked(meaning, value.array, value.free, value.axes, reference, value)
            case "group" if script.bracket == "(":
                reference = Reference("letter", "", node.span, sample=script.parts[0])
                value = picked(meaning, value.array, value.free, value.axes, reference, value)
            case "inverse" if value.is_scalar:
                value = v.mapped(value, lambda a: 1 / a)
            case _:
                raise NotUnderstood("a script on this expression", script.span)
    return value
