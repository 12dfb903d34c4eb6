"""Random terms over one network that has everything a rule could trip over.

Shifted and strided positions, range guards, deltas of every kind, ragged extents, labels with
facts, a softmax with its named sum, scalar functions and their slopes, quotients and differences.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from math import prod
from typing import Literal

import numpy as np
from sympy import Expr, Integer, Rational, S

from symbackprop.calculus.terms import (
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
from symbackprop.derivation.evaluate import Point, random_point
from symbackprop.networks.network import (
    CountsClasses,
    Equation,
    NamesItsDefinition,
    Network,
    SumsToOne,
    Tensor,
)
from tests.sample_networks import index, size

SAMPLES = [index(letter, "N", "sample") for letter in ("n", "n1")]
CLASSES = [index(letter, "K") for letter in ("k", "k1", "k2")]
PLACES = [index("m", "X"), index("m1", "X")]
TAP, OUTPUT = index("u", "U"), index("o", "O")
LAYERS = [index(letter, "D", "layer", start=1) for letter in ("l", "l1")]
RAGGED = [Index(f"q{layer.name}", Axis("q", Element("c", layer))) for layer in LAYERS]
ORDER = [*SAMPLES, *CLASSES, *PLACES, TAP, OUTPUT, *LAYERS, *RAGGED]
NUMBERS = {"N": 2, "K": 3, "X": 5, "U": 3, "O": 4, "D": 3, "s": 2, "p": 1}
LARGEST = 300
Pool = Literal["any", "pointwise", "summed"]
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


def pointwise_factors(source: random.Random) -> tuple[Expr, ...]:
    """Factors that read entries at n and k only: what cancels, and what has a name."""
    n = SAMPLES[source.random() < 0.2]
    k = CLASSES[source.random() < 0.2]
    z, y, yhat, h = (Element(name, n, k) for name in ("z", "y", "yhat", "h"))
    s, e = Element("s", n), Applied("exp", 0, z)
    return (
        z,
        y,
        Element("v", n, k),
        yhat ** source.choice((1, 2, -1)),
        s ** source.choice((-2, -1, -1, 1)),
        e ** source.choice((-1, 1, 1, 2)),
        e / s,
        s / e,
        e**2 / s**2,
        Applied("sigmoid", source.choice((0, 1, 1)), z),
        Applied("tanh", 1, z),
        (1 - h) ** source.choice((1, -1)),
        h - 1,
        2 * y - 2 * yhat,
        h ** source.choice((1, -1)),
    )


def summed_factors(source: random.Random) -> tuple[Expr, ...]:
    """Factors that meet in sums: matrices, shifted reads, deltas, guards, ragged rows."""
    n, n1 = source.sample(SAMPLES, 2)
    k, k1 = source.sample(CLASSES, 2)
    m, m1 = source.sample(PLACES, 2)
    (layer, l1), stride, shift = source.sample(LAYERS, 2), size("s"), size("p")
    width, other = (Index(f"q{i.name}", Axis("q", Element("c", i))) for i in (layer, l1))
    strided = stride * OUTPUT + TAP - shift
    return (
        Element("W", k, k1),
        Element("W", k, k),
        Element("b", k) ** source.choice((1, 2, -1)),
        Element("dz", n, k),
        Element("y", n, k),
        Applied("sigmoid", 1, Element("z", n + 1, k)),
        Applied("sigmoid", 0, Element("z", n + 1, k)),
        Element("x", m),
        Element("x", m - 1),
        Element("x", strided),
        Element("x", m - 1) * Guard(m - 1, 0, size("X")),
        Element("x", strided) * Guard(strided, 0, size("X")),
        Element("w", TAP) * Guard(TAP, 0, size("X")),
        Element("w", TAP),
        Delta(n, n1),
        Delta(k, k1),
        Delta(k, k1 + 1),
        Delta(m, m1),
        Delta(m, strided),
        Delta(stride * OUTPUT, m),
        Delta(m1, 4 - m),
        Delta(k, Element("t", n)),
        Guard(m + TAP - 1, 0, size("X")),
        Guard(m - 1, 0, size("X")),
        Guard(k + 1, 0, size("K")),
        Element("R", layer, width),
        Element("R", l1 + 1, width),
        Delta(layer, l1 + 1),
        Delta(layer, l1),
        Delta(width, other),
    )


def factor(source: random.Random, pool: Pool) -> Expr:
    """One random factor; reads that may leave their tensor are never divided by."""
    lists = {"pointwise": (pointwise_factors,), "summed": (summed_factors,)}
    made = source.choice(lists.get(pool, (pointwise_factors, summed_factors)))
    return source.choice(made(source))


def random_term(
    source: random.Random, free: tuple[Index, ...] | None = None, pool: Pool = "any"
) -> Term | None:
    """A term; where `free` is given all other indices are bound."""
    factors = [f for f in (factor(source, pool) for _ in range(source.randint(1, 5))) if f != 0]
    while has_pole(factors) or room(factors) > LARGEST:
        factors.pop()
    used = with_layers({i for f in factors for i in f.atoms(Index)})
    loose = free if free is not None else choose_free(source, used, pool)
    idle = [CLASSES[2]] if source.random() < 0.1 and CLASSES[2] not in used | {*loose} else []
    bound = [i for i in ORDER if i in used and i not in loose] + idle
    scale = Rational(source.choice((1, 1, 2, -1, -3)), source.choice((1, 1, 2)))
    return product(scale / source.choice((S.One, size("N"))), bound, factors)


def has_pole(factors: list[Expr]) -> bool:
    """Whether contraction may move a divisor out of its tensor, where it is 0."""
    divides = any(f.is_Pow and f.exp.is_negative for f in factors)
    return divides and any(f.has(Delta) and f.has(Integer) for f in factors)


def room(factors: list[Expr]) -> int:
    """How many places the indices have together."""
    used = with_layers({i for f in factors for i in f.atoms(Index)})
    return prod(NUMBERS.get(str(i.axis.extent), NUMBERS["D"]) for i in used)


def with_layers(used: set[Index]) -> set[Index]:
    """A ragged index needs the layer that its extent reads."""
    return used | {layer for layer, width in zip(LAYERS, RAGGED, strict=True) if width in used}


def choose_free(source: random.Random, used: set[Index], pool: Pool) -> tuple[Index, ...]:
    """Some of the indices; a ragged one only together with its layer."""
    chosen = [i for i in ORDER if i in used and source.random() < (0.4 if pool == "any" else 0.8)]
    kept = [i for i in chosen if i not in RAGGED or LAYERS[RAGGED.index(i)] in chosen]
    return tuple(kept)


def random_sample(seed: int, terms: int = 1, pool: Pool = "any") -> Sample:
    """A sum of `terms` terms over the same free indices."""
    source = random.Random(seed)
    first = random_term(source, None, pool)
    while first is None:
        first = random_term(source, None, pool)
    present = with_layers(set(free_indices(first)))
    free = tuple(i for i in ORDER if i in present)
    rest = [random_term(source, free, pool) for _ in range(terms - 1)]
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
