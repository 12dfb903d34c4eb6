"""Random terms over one network that has everything a rule could trip over.

Shifted and strided positions, range guards, deltas of every kind, ragged extents, labels with
facts, a softmax with its named sum, scalar functions and their slopes, quotients and differences.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

import numpy as np
from sympy import Expr, Integer, Rational, S, Symbol

from symbackprop.evaluate import Point, random_point
from symbackprop.network import (
    CountsClasses,
    Equation,
    NamesItsDefinition,
    Network,
    SumsToOne,
    Tensor,
)
from symbackprop.terms import (
    Applied,
    Axis,
    Delta,
    Element,
    Expression,
    Guard,
    Index,
    Term,
    expression,
    free_indices,
    fresh,
    product,
)
from tests.networks import index, size

SAMPLES = [index(letter, "N", "sample") for letter in ("n", "n1")]
CLASSES = [index(letter, "K") for letter in ("k", "k1", "k2")]
PLACES = [index("m", "X"), index("m1", "X")]
TAP, OUTPUT = index("u", "U"), index("o", "O")
LAYERS = [index(letter, "D", "layer", start=1) for letter in ("l", "l1")]
RAGGED = [Index(f"q{layer.name}", Axis("q", Element("c", layer))) for layer in LAYERS]
ORDER = [*SAMPLES, *CLASSES, *PLACES, TAP, OUTPUT, *LAYERS, *RAGGED]
NUMBERS = {"N": 2, "K": 3, "X": 5, "U": 3, "O": 4, "D": 3, "s": 2, "p": 1}
SIZES = {size(name): number for name, number in NUMBERS.items()}


def zoo() -> Network:
    """Inputs of all shapes, and the equations that rules may look up."""
    (n, *_), (k, other, *_) = SAMPLES, CLASSES
    layer, width = LAYERS[0], RAGGED[0]
    counts = Axis("width", Integer(4), start=1)
    z = Tensor("z", (n, k), "input")
    s = Tensor("s", (n,), "auxiliary")
    yhat = Tensor("yhat", (n, k), "intermediate", (NamesItsDefinition(),))
    h = Tensor("h", (n, k), "intermediate")
    inside = Applied("exp", 0, Element("z", n, other))
    tensors = (
        Tensor("c", (layer,), "label", (CountsClasses(counts),)),
        z,
        Tensor("W", (k, other), "parameter"),
        Tensor("b", (k,), "parameter"),
        Tensor("x", (PLACES[0],), "input"),
        Tensor("w", (TAP,), "parameter"),
        Tensor("R", (layer, width), "parameter"),
        Tensor("y", (n, k), "label", (SumsToOne(-1),)),
        Tensor("v", (n, k), "label"),
        Tensor("t", (n,), "label", (CountsClasses(k.axis),)),
        Tensor("dz", (n, k), "adjoint"),
        s,
        yhat,
        h,
        Tensor("L", (), "loss"),
    )
    equations = (
        Equation("s", (n,), expression(product(1, (other,), (inside,)))),
        Equation(
            "yhat",
            (n, k),
            expression(product(1, (), (Applied("exp", 0, z.entry), s.entry**-1))),
        ),
        Equation("h", (n, k), expression(product(1, (), (Applied("sigmoid", 0, z.entry),)))),
        Equation("L", (), expression(product(1, (n, k), (yhat.entry, h.entry)))),
    )
    return Network("zoo", tensors, equations, loss="L")


ZOO = zoo()


def exact_point(seed: int = 1) -> Point:
    point = random_point(ZOO, seed, SIZES, "exact")
    source = random.Random(seed)
    values = np.empty((NUMBERS["N"], NUMBERS["K"]), dtype=object)
    for place in np.ndindex(values.shape):
        values[place] = point.values["z"][place] + source.randint(1, 9)
    return point.with_values({"dz": values})


POINT = exact_point()


@dataclass(frozen=True)
class Sample:
    """An expression and its free indices."""

    whole: Expression
    free: tuple[Index, ...]


def factor(source: random.Random) -> Expr:
    """One random factor; reads that may leave their tensor are never divided by."""
    n, n1 = source.sample(SAMPLES, 2)
    k, k1 = source.sample(CLASSES, 2)
    m, m1 = source.sample(PLACES, 2)
    (layer, l1), stride, shift = source.sample(LAYERS, 2), size("s"), size("p")
    width, other = (Index(f"q{i.name}", Axis("q", Element("c", i))) for i in (layer, l1))
    z, y, yhat, h = (Element(name, n, k) for name in ("z", "y", "yhat", "h"))
    choices = (
        lambda: z,
        lambda: Element("W", k, k1),
        lambda: Element("W", k, k),
        lambda: Element("b", k) ** source.choice((1, 2, -1)),
        lambda: Element("dz", n, k),
        lambda: y,
        lambda: Element("v", n, k),
        lambda: yhat ** source.choice((1, 2, -1)),
        lambda: Element("s", n) ** source.choice((-2, -1, -1, 1)),
        lambda: Applied("exp", 0, z) ** source.choice((-1, 1, 1, 2)),
        lambda: Applied("sigmoid", source.choice((0, 1, 1)), z),
        lambda: Applied("sigmoid", 1, Element("z", n + 1, k)),
        lambda: Applied("tanh", 1, z),
        lambda: (1 - h) ** source.choice((1, -1)),
        lambda: h - 1,
        lambda: 2 * y - 2 * yhat,
        lambda: h ** source.choice((1, -1)),
        lambda: Element("x", m),
        lambda: Element("x", m - 1),
        lambda: Element("x", stride * OUTPUT + TAP - shift),
        lambda: Element("w", TAP),
        lambda: Delta(n, n1),
        lambda: Delta(k, k1),
        lambda: Delta(k, k1 + 1),
        lambda: Delta(m, m1),
        lambda: Delta(m, stride * OUTPUT + TAP - shift),
        lambda: Delta(stride * OUTPUT, m),
        lambda: Delta(m1, 4 - m),
        lambda: Delta(k, Element("t", n)),
        lambda: Guard(m + TAP - 1, 0, size("X")),
        lambda: Guard(m - 1, 0, size("X")),
        lambda: Guard(k + 1, 0, size("K")),
        lambda: Element("R", layer, width),
        lambda: Element("R", l1 + 1, width),
        lambda: Delta(layer, l1 + 1),
        lambda: Delta(layer, l1),
        lambda: Delta(width, other),
    )
    return source.choice(choices)()


def random_term(source: random.Random, free: tuple[Index, ...] | None = None) -> Term | None:
    """A term; where `free` is given all other indices are bound."""
    factors = [factor(source) for _ in range(source.randint(1, 5))]
    factors = [f for f in factors if f != 0]
    used = with_layers({i for f in factors for i in f.atoms(Index)})
    loose = free if free is not None else choose_free(source, used)
    idle = [CLASSES[2]] if source.random() < 0.1 and CLASSES[2] not in used | {*loose} else []
    bound = [i for i in ORDER if i in used and i not in loose] + idle
    scale = Rational(source.choice((1, 1, 2, -1, -3)), source.choice((1, 1, 2)))
    return product(scale / source.choice((S.One, size("N"))), bound, factors)


def with_layers(used: set[Index]) -> set[Index]:
    """A ragged index needs the layer that its extent reads."""
    return used | {layer for layer, width in zip(LAYERS, RAGGED, strict=True) if width in used}


def choose_free(source: random.Random, used: set[Index]) -> tuple[Index, ...]:
    """Some of the indices; a ragged one only together with its layer."""
    chosen = [i for i in ORDER if i in used and source.random() < 0.4]
    kept = [
        i
        for i in chosen
        if i not in RAGGED or LAYERS[RAGGED.index(i)] in chosen
    ]
    return tuple(kept)


def random_sample(seed: int, terms: int = 1) -> Sample:
    """A sum of `terms` terms over the same free indices."""
    source = random.Random(seed)
    first = random_term(source)
    while first is None:
        first = random_term(source)
    present = with_layers(set(free_indices(first)))
    free = tuple(i for i in ORDER if i in present)
    rest = [random_term(source, free) for _ in range(terms - 1)]
    return Sample(expression(first, *rest), free)


def renamed(term: Term, source: random.Random) -> Term:
    """The same term under other bound names, with everything in another order."""
    taken = {i.name for i in ORDER} | {"_0", "_1", "_2", "_3"}
    moved: dict[Expr, Expr] = {}
    for i in source.sample(term.bound, len(term.bound)):
        new = fresh(Index(source.choice("abef"), i.axis), taken)
        taken.add(new.name)
        moved[i] = new
    bound = [Index(moved[i].name, i.axis.substitute(moved)) for i in term.bound]
    full = dict(zip(term.bound, bound, strict=True))
    factors = [f.xreplace(full) for f in term.factors]
    changed = product(
        term.coefficient,
        sorted(bound, key=lambda i: (bool(i.axis.extent.args), i.name)),
        source.sample(factors, len(factors)),
    )
    assert changed is not None
    return changed


def symbol_sizes() -> dict[Symbol, int]:
    return dict(SIZES)
