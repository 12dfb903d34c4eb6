"""How much work a network of explicit entries is for SymPy, found by counting alone.

Owns: the number of products in the equations and of paths from the loss to what is given, at given
sizes, and the bounds beyond which `explicit` refuses. Refuses: a clock; equal sizes are refused on
every machine. Would be wrong if: SymPy's time did not grow with these numbers.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import prod

from sympy import Integer, Symbol

from symbackprop.calculus.terms import Index, Term, elements_in
from symbackprop.errors import UnsupportedError
from symbackprop.networks.network import Network

PRODUCTS = 10_000
PATHS = 1_000_000
WRITTEN = 150_000
COUNTED = 10**12

Sizes = Mapping[Symbol, int]


@dataclass(frozen=True)
class Effort:
    """`products`: reads of an entry by an equation of an entry, each differentiated once.
    `paths`: from the loss to all given entries, which is how long the gradients print."""

    products: int
    paths: int

    @property
    def is_bearable(self) -> bool:
        return self.products <= PRODUCTS and self.paths <= PATHS

    def __str__(self) -> str:
        return f"about {_about(self.products)} products and {_about(self.paths)} paths"


def effort(network: Network, sizes: Sizes) -> Effort:
    """Sizes that depend on an index count with their largest value."""
    products, paths = 0, 0
    for equation in network.equations:
        for term in equation.rhs.terms:
            count = _positions((*equation.indices, *term.bound), sizes)
            products += count * max(1, len(_read(term)))
    given = {t.name for t in network.of_kind("input", "parameter", "label")}
    front = Counter({network.loss: 1})
    for _ in range(_longest(network, sizes)):
        front = _one_step_back(network, sizes, front)
        paths += sum(count for name, count in front.items() if name in given)
        if not front or paths > COUNTED:
            break
    return Effort(products, paths)


def _one_step_back(network: Network, sizes: Sizes, front: Counter[str]) -> Counter[str]:
    """Paths to the tensors that these read; there are as many as choices of what is summed."""
    found: Counter[str] = Counter()
    for name, count in front.items():
        equation = network.equation_of.get(name)
        for term in equation.rhs.terms if equation is not None else ():
            for read in _read(term):
                found[read] += count * _positions(term.bound, sizes)
    return found


def _longest(network: Network, sizes: Sizes) -> int:
    """No path has more steps: one for each equation, in a recurrence for each of its places."""
    return sum(
        _positions([i for i in equation.indices if i.axis.role in ("layer", "time")], sizes)
        for equation in network.equations
    )


def _read(term: Term) -> list[str]:
    return [element.tensor for factor in term.factors for element in elements_in(factor)]


def _positions(indices: Sequence[Index], sizes: Sizes) -> int:
    return prod(_extent(index, sizes) for index in indices)


def _extent(index: Index, sizes: Sizes) -> int:
    extent = index.axis.extent.xreplace({s: Integer(size) for s, size in sizes.items()})
    last = {i: i.axis.start + _extent(i, sizes) - 1 for i in extent.atoms(Index)}
    return max(0, int(extent.xreplace(last)))


def refuse_large(network: Network, sizes: Sizes, chosen: Sequence[Symbol]) -> None:
    """Raises: UnsupportedError naming the largest sizes that are not refused."""
    found = effort(network, sizes)
    if found.is_bearable:
        return
    given = ", ".join(f"{symbol.name} = {sizes[symbol]}" for symbol in chosen)
    smaller = next(_smaller(network, sizes, chosen), "a smaller network")
    what = f"explicit: {network.name}" + (f" with {given}" if given else "")
    raise too_large(what, str(found), f"use {smaller}, or derive(...).function(), for any sizes")


def _smaller(network: Network, sizes: Sizes, chosen: Sequence[Symbol]) -> Iterator[str]:
    """For each size the largest with which the others may stay."""
    for symbol in chosen:
        low, high = 0, sizes[symbol]
        while high - low > 1:
            middle = (low + high) // 2
            bearable = effort(network, {**sizes, symbol: middle}).is_bearable
            low, high = (middle, high) if bearable else (low, middle)
        if low:
            yield f"{symbol.name} <= {low}"


def too_large(what: str, size: str, way: str) -> UnsupportedError:
    return UnsupportedError(f"{what}: {size}, which would take SymPy minutes; {way}")


def _about(count: int) -> str:
    return f"{int(float(f'{count:.1e}')):,}"
