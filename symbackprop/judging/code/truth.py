"""What the right values are: tensors and adjoints of a network at generic points.

Owns: the sizes of the points (pairwise different; those of odd number have others, those from
`AT_SAMPLES` on so many samples as the code singles out), the values by meaning (`z1`, `d:W1`), and
the constant factors by which an author's value may differ from the true one.
Refuses: code and layouts. Values come from the interpreter, which knows no code.
Would be wrong if two axes had one size: a transposed value could then agree by accident.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from sympy import Expr, Rational, Symbol

from symbackprop.calculus.scalars import Z
from symbackprop.derivation.equality import with_definitions
from symbackprop.derivation.evaluate import Point, explicit_value, forward, generic_sizes
from symbackprop.derivation.points import Chosen, generic_point, generic_points
from symbackprop.derivation.steps import Sweep
from symbackprop.derivation.sweep import sweep
from symbackprop.networks import names
from symbackprop.networks.layers.multilayer import SAMPLES, Built
from symbackprop.networks.network import CountsClasses, Network, SumsToOne

Numbers = npt.NDArray[Any]
Sizes = Literal["generic", "ones", "file"]
Labels = Literal["as the network says", "one-hot", "integer", "integers in a column"]
AGREE = 1e-6
SEED = 5000
FIRST_POINTS = 4
AT_SAMPLES = 1000  # point 7000 is one with 7 samples


@dataclass(frozen=True)
class Truth:
    """The right values at one point, in the network's own layout (samples as rows).

    `slopes`: f'(z) by layer, entry by entry; of a softmax the diagonal of its Jacobian.
    """

    values: Mapping[str, Numbers]
    sizes: Mapping[str, int]
    samples: int
    classes: int
    slopes: Mapping[int, Numbers] = field(default_factory=dict)

    def __contains__(self, meaning: str) -> bool:
        return meaning in self.values


@dataclass(frozen=True)
class Subject:
    """A network that code is judged against: its sweep, its depth, its activations."""

    built: Built
    swept: Sweep
    depth: int
    is_one: bool
    _made: dict[Any, Truth] = field(default_factory=dict, repr=False, compare=False)
    _met: dict[Sizes, Chosen] = field(default_factory=dict, repr=False, compare=False)

    @staticmethod
    def of(built: Built) -> Subject:
        network = built.network
        depth = sum(1 for t in network.of_kind("parameter") if t.letter == "W")
        is_one = not any(axis.role == "sample" for axis in network.tensor("x").axes)
        return Subject(built, sweep(network), depth, is_one)

    @property
    def network(self) -> Network:
        return self.built.network

    @cached_property
    def meanings(self) -> dict[str, str]:
        """Meaning -> name of a tensor of the extended network."""
        layers = range(1, self.depth + 1)
        named = [names.INPUT, names.LABEL, names.LOSS]
        named += [called(l) for l in layers for called in (names.total, names.output)]
        named += [t.name for t in self.network.of_kind("parameter")]
        known = self.network.by_name
        found = {n: self.network.resolve(n) for n in named if self.network.resolve(n) in known}
        return found | {
            names.gradient(n): self.network.adjoint_name(resolved)
            for n, resolved in found.items()
            if resolved in self.swept.derivations
        }

    @cached_property
    def integer_labels(self) -> bool:
        return any(isinstance(f, CountsClasses) for f in self._label_facts)

    @cached_property
    def shares(self) -> bool:
        return any(isinstance(f, SumsToOne) for f in self._label_facts)

    @property
    def _label_facts(self) -> tuple[Any, ...]:
        y = self.network.by_name.get("y")
        return y.facts if y is not None else ()

    def activation(self, layer: int) -> str:
        """`sigmoid`, …, `softmax` or `identity` of a layer."""
        output = self.network.tensor(names.output(layer))
        equation = self.network.equation_of[output.name]
        if output.name == self.network.tensor(names.total(layer)).name:
            return "identity"
        if names.softmax_sum(layer) in self.network.by_name:
            return "softmax"
        return str(getattr(equation.rhs.terms[0].factors[0], "function", ""))

    @cached_property
    def reduction(self) -> str:
        """How the loss is taken over samples; `sum` where there is one sample only."""
        present = self.scale.free_symbols
        if not present & {SAMPLES}:
            return "sum"
        return "mean_elements" if present - {SAMPLES} else "mean"

    @cached_property
    def scale(self) -> Expr:
        """The factor before the sum of the loss, without a 1/2 or a sign."""
        coefficient = self.network.equation_of["L"].rhs.terms[0].coefficient
        number, _ = coefficient.as_coeff_Mul()
        return coefficient / number

    def extent(self, layer: int) -> Symbol:
        (symbol,) = self.network.tensor(names.weight(max(layer, 1))).shape[
            0 if layer == 0 else 1
        ].free_symbols or {None}
        return symbol

    def truth(self, number: int, sizes: Sizes, labels: Labels) -> Truth:
        key = (number, sizes, self.shares and labels != "as the network says")
        if key not in self._made:
            self._made[key] = self._truth(number, sizes, labels)
        return self._made[key]

    def numbers(self, sizes: Sizes) -> tuple[int, ...]:
        """The points beside the first at which what is right there must be right. Those of even
        number meet every branch of the network, together with the first."""
        return (*range(1, FIRST_POINTS), *range(FIRST_POINTS, 2 * len(self.met(sizes).points), 2))

    def met(self, sizes: Sizes) -> Chosen:
        """The points of even number, and which branch none of them meets."""
        if sizes not in self._met:
            chosen = self._sizes(0, sizes)
            with np.errstate(all="ignore"):
                points = generic_points(self.swept.extended, SEED, chosen, least=2)
            self._met[sizes] = points
        return self._met[sizes]

    def _point(self, number: int, sizes: Sizes) -> Point:
        known = self.met(sizes).points
        if number % 2 or number // 2 >= len(known):
            return generic_point(self.swept.extended, SEED + number, self._sizes(number, sizes))
        return known[number // 2]

    def _truth(self, number: int, sizes: Sizes, labels: Labels) -> Truth:
        with np.errstate(all="ignore"):
            point = self._point(number, sizes)
            if self.shares and labels != "as the network says":
                point = forward(point.with_values({"y": _one_hot(point.values["y"], number)}))
            definitions = {
                self.network.adjoint_name(name): (d.indices, d.result)
                for name, d in self.swept.derivations.items()
            }
            point = with_definitions(point, definitions)
        return self._held(point)

    def _held(self, point: Point) -> Truth:
        values = {m: np.asarray(point.values[name]) for m, name in self.meanings.items()}
        if self.integer_labels:
            values["y"] = values["y"].astype(int)
        elif self.shares and np.all(np.isin(values["y"], (0.0, 1.0))):
            values["y:int"] = np.argmax(values["y"], axis=-1)
        values["N"] = np.array(1 if self.is_one else values["x"].shape[0])
        sizes = {str(symbol): int(size) for symbol, size in point.sizes.items()}
        samples = 1 if self.is_one else int(values["x"].shape[0])
        classes = int(values[names.output(self.depth)].shape[-1])
        return Truth(values, sizes, samples, classes, dict(self._slopes(values)))

    def _slopes(self, values: Mapping[str, Numbers]) -> Iterator[tuple[int, Numbers]]:
        for layer in range(1, self.depth + 1):
            name, z = self.activation(layer), values[names.total(layer)]
            h = values[names.output(layer)]
            if name == "softmax":
                yield layer, h * (1 - h)
            elif name in self.network.functions:
                with np.errstate(all="ignore"):
                    slope = explicit_value(self.network.functions[name].value(Z, 1), z)
                yield layer, np.broadcast_to(slope, z.shape)

    def _sizes(self, number: int, sizes: Sizes) -> dict[Symbol, int]:
        chosen = generic_sizes(self.network)
        if number % 2:
            chosen = {symbol: size + 1 for symbol, size in chosen.items()}
        if number >= AT_SAMPLES and SAMPLES in chosen:
            chosen[SAMPLES] = number // AT_SAMPLES
        for symbol, size in self.built.sizes.items():
            if sizes == "file" or (sizes == "ones" and size == 1):
                chosen[symbol] = size
        if sizes == "file" and SAMPLES in chosen and number < AT_SAMPLES:
            taken = set(self.built.sizes.values())
            free = (n for n in (3, 4, 5, 6, 7, 8, 9) if n not in taken)
            chosen[SAMPLES] = next(itertools.islice(free, number % 2, None), 11)
        return chosen


def _one_hot(y: Numbers, number: int) -> Numbers:
    count = y.shape[-1]
    rows = int(np.prod(y.shape[:-1], dtype=int))
    picks = [(number + 2 * row + row * row) % count for row in range(rows - 1)]
    picks.append(
        count - 1
    )  # the last class occurs, as code supposes that counts classes by y.max()
    return np.eye(count)[picks].reshape(y.shape)


# --------------------------------------------------------------------------------------------
# Constant factors
# --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Factor:
    """± 2^twos N^samples K^classes: how an author's value relates to the true one."""

    sign: int = 1
    twos: int = 0
    samples: int = 0
    classes: int = 0

    def value(self, truth: Truth) -> float:
        n = float(truth.samples) ** self.samples * float(truth.classes) ** self.classes
        return self.sign * 2.0**self.twos * n

    @property
    def is_one(self) -> bool:
        return self == Factor()

    @property
    def text(self) -> str:
        """`-N`, `1/N`, `2`, …"""
        up = [name for name, e in self._powers if e > 0 for _ in range(e)]
        down = [name for name, e in self._powers if e < 0 for _ in range(-e)]
        text = "·".join(up) or "1"
        if down:
            text += "/" + ("·".join(down) if len(down) == 1 else f"({'·'.join(down)})")
        return ("-" if self.sign < 0 else "") + text

    @property
    def _powers(self) -> tuple[tuple[str, int], ...]:
        return (("2", self.twos), ("N", self.samples), ("K", self.classes))

    @property
    def fraction(self) -> Fraction:
        return Fraction(self.sign) * Fraction(2) ** self.twos

    def of(self, samples: Expr, classes: Expr) -> Expr:
        number = Rational(self.fraction.numerator, self.fraction.denominator)
        return number * samples**self.samples * classes**self.classes


EXACTLY = Factor()


def _factors() -> Iterator[Factor]:
    ranges = ((1, -1), (0, 1, -1, 2, -2), (0, 1, -1, 2, -2), (0, 1, -1))
    for sign, twos, samples, classes in itertools.product(*ranges):
        yield Factor(sign, twos, samples, classes)


FACTORS = tuple(
    sorted(
        _factors(),
        key=lambda f: (
            abs(f.twos) + abs(f.samples) + 2 * abs(f.classes) + (f.sign < 0),
            f.sign < 0,
        ),
    )
)


def same(one: Any, other: Any) -> bool:
    """Whether two arrays agree in shape and value."""
    if np.shape(one) != np.shape(other):
        return False
    return close(one, other)


def close(one: Any, other: Any) -> bool:
    left, right = np.asarray(one, dtype=float), np.asarray(other, dtype=float)
    return distance(left, right) <= AGREE


def distance(one: Any, other: Any) -> float:
    """The largest difference, relative to the largest entry; infinite where it is no number."""
    left, right = np.asarray(one, dtype=float), np.asarray(other, dtype=float)
    gap = float(np.max(np.abs(left - right), initial=0.0))
    scale = max(float(np.max(np.abs(right), initial=0.0)), 1e-6)
    return gap / scale if np.isfinite(gap) else float("inf")


def factor_between(value: Any, right: Any, truth: Truth) -> Factor | None:
    """The simplest constant c with value = c · right; None where there is none."""
    if value is None:
        return None
    left, wanted = np.asarray(value, dtype=float), np.asarray(right, dtype=float)
    if left.shape != wanted.shape or not left.size:
        return None
    place = np.unravel_index(int(np.argmax(np.abs(wanted))), wanted.shape)
    if not wanted[place]:
        return None
    ratio = float(left[place] / wanted[place])
    if not np.isfinite(ratio) or not close(left, ratio * wanted):
        return None
    for factor in FACTORS:
        if abs(factor.value(truth) - ratio) <= AGREE * abs(ratio):
            return factor
    return None
