"""Networks written by hand as index equations, which no layer ships.

Each has extents that are symbols, and sizes for them that are pairwise different, so that a
transposed or wrongly summed gradient cannot agree by accident. Losses are not linear in the
tensors of interest: a factor that is lost shows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sympy import Symbol

from symbackprop.calculus.terms import (
    Applied,
    Axis,
    Element,
    Expression,
    Index,
    expression,
    product,
)
from symbackprop.networks.network import Equation, Network, Tensor


@dataclass(frozen=True)
class Case:
    """A network and the sizes at which it is evaluated; `small` ones are for explicit SymPy."""

    network: Network
    sizes: Mapping[Symbol, int]
    small: Mapping[Symbol, int]

    @property
    def name(self) -> str:
        return self.network.name


def size(name: str) -> Symbol:
    return Symbol(name, integer=True, positive=True)


def index(name: str, extent: str, role: str = "feature", start: int = 0) -> Index:
    return Index(name, Axis(extent, size(extent), role, start))


def sizes(**numbers: int) -> dict[Symbol, int]:
    return {size(name): number for name, number in numbers.items()}


def weighed_squares(output: Tensor) -> tuple[Tensor, tuple[Tensor, Equation]]:
    """L = sum g z^2 over the entries of z, with weights g that are given."""
    g = Tensor("g", output.indices, "input", letter="g")
    total = product(1, output.indices, (g.entry, output.entry**2))
    return g, (Tensor("L", (), "loss", letter="L"), Equation("L", (), expression(total)))


def network(
    name: str,
    given: tuple[Tensor, ...],
    computed: tuple[tuple[Tensor, Expression], ...],
    output: Tensor,
) -> Network:
    """Given tensors, then computed ones with their right sides, then the loss of `output`."""
    g, (loss, total) = weighed_squares(output)
    tensors = (*given, g, *(tensor for tensor, _ in computed), loss)
    equations = tuple(Equation(tensor.name, tensor.indices, rhs) for tensor, rhs in computed)
    return Network(name, tensors, (*equations, total), loss="L")


def applied(function: str, tensor: Tensor) -> Expression:
    return expression(product(1, (), (Applied(function, 0, tensor.entry),)))


N = index("n", "N", "sample")
I, J, K = (index(letter, letter.upper()) for letter in "ijk")


def convolution() -> Case:
    """z[n,i] = sum_u x[n, s i + u - p] w[u]: stride s, padding p, zero outside."""
    position, u, i = index("m", "X"), index("u", "U"), index("i", "O")
    x = Tensor("x", (N, position), "input")
    w = Tensor("w", (u,), "parameter")
    z = Tensor("z", (N, i), "intermediate")
    read = Element("x", N, size("s") * i + u - size("p"))
    rhs = expression(product(1, (u,), (read, w.entry)))
    return Case(
        network("convolution", (x, w), ((z, rhs),), z),
        sizes(N=2, X=7, U=3, O=4, s=2, p=1),
        sizes(N=1, X=5, U=3, O=2, s=2, p=1),
    )


def recurrence() -> Case:
    """h[t,k] = tanh(sum_j h[t-1,j] U[j,k] + sum_i x[t,i] W[i,k] + b[k]), h[0] = 0."""
    t = index("t", "T", "time", start=1)
    j = Index("j", K.axis)
    x, W = Tensor("x", (t, I), "input"), Tensor("W", (I, K), "parameter")
    U, b = Tensor("U", (j, K), "parameter"), Tensor("b", (K,), "parameter")
    a, h = Tensor("a", (t, K), "intermediate"), Tensor("h", (t, K), "intermediate")
    rhs = expression(
        product(1, (j,), (Element("h", t - 1, j), U.entry)),
        product(1, (I,), (x.entry, W.entry)),
        product(1, (), (b.entry,)),
    )
    return Case(
        network("recurrence", (x, W, U, b), ((a, rhs), (h, applied("tanh", a))), h),
        sizes(T=5, I=2, K=3),
        sizes(T=3, I=1, K=2),
    )


def bilinear() -> Case:
    """z[n,k] = sum_ij x[n,i] A[i,j,k] u[n,j]."""
    x, u = Tensor("x", (N, I), "input"), Tensor("u", (N, J), "input")
    A, z = Tensor("A", (I, J, K), "parameter"), Tensor("z", (N, K), "intermediate")
    rhs = expression(product(1, (I, J), (x.entry, A.entry, u.entry)))
    return Case(
        network("bilinear", (x, u, A), ((z, rhs),), z),
        sizes(N=5, I=2, J=3, K=4),
        sizes(N=1, I=2, J=3, K=2),
    )


def tied() -> Case:
    """An autoencoder whose decoder is the transposed encoder: h = tanh(x W), z = h W^T."""
    other = Index("r", I.axis)
    x, W = Tensor("x", (N, I), "input"), Tensor("W", (I, K), "parameter")
    a, h = Tensor("a", (N, K), "intermediate"), Tensor("h", (N, K), "intermediate")
    z = Tensor("z", (N, other), "intermediate")
    encoded = expression(product(1, (I,), (x.entry, W.entry)))
    decoded = expression(product(1, (K,), (h.entry, Element("W", other, K))))
    return Case(
        network("tied", (x, W), ((a, encoded), (h, applied("tanh", a)), (z, decoded)), z),
        sizes(N=5, I=3, K=2),
        sizes(N=1, I=3, K=2),
    )


def diamond() -> Case:
    """h is read twice, by sigmoid(h A) and by tanh(h B), and the branches are added."""
    x, W = Tensor("x", (N, I), "input"), Tensor("W", (I, J), "parameter")
    A, B = Tensor("A", (J, K), "parameter"), Tensor("B", (J, K), "parameter")
    h = Tensor("h", (N, J), "intermediate")
    a, b = Tensor("a", (N, K), "intermediate"), Tensor("b", (N, K), "intermediate")
    left, right = Tensor("left", (N, K), "intermediate"), Tensor("right", (N, K), "intermediate")
    z = Tensor("z", (N, K), "intermediate")
    return Case(
        network(
            "diamond",
            (x, W, A, B),
            (
                (h, expression(product(1, (I,), (x.entry, W.entry)))),
                (a, expression(product(1, (J,), (h.entry, A.entry)))),
                (b, expression(product(1, (J,), (h.entry, B.entry)))),
                (left, applied("sigmoid", a)),
                (right, applied("tanh", b)),
                (z, expression(product(1, (), (left.entry,)), product(1, (), (right.entry,)))),
            ),
            z,
        ),
        sizes(N=5, I=2, J=3, K=4),
        sizes(N=1, I=2, J=3, K=2),
    )


def shared() -> Case:
    """One square weight W in two layers: z = tanh(x W) W + b, with b in both."""
    k, r = Index("k", J.axis), Index("r", J.axis)
    x, W = Tensor("x", (N, J), "input"), Tensor("W", (J, k), "parameter")
    b = Tensor("b", (k,), "parameter")
    a, h = Tensor("a", (N, k), "intermediate"), Tensor("h", (N, k), "intermediate")
    z = Tensor("z", (N, r), "intermediate")
    first = expression(product(1, (J,), (x.entry, W.entry)), product(1, (), (b.entry,)))
    second = expression(
        product(1, (k,), (h.entry, Element("W", k, r))), product(1, (), (Element("b", r),))
    )
    return Case(
        network("shared", (x, W, b), ((a, first), (h, applied("tanh", a)), (z, second)), z),
        sizes(N=5, J=3),
        sizes(N=1, J=2),
    )


def gate() -> Case:
    """z = sigmoid(x A) times softplus(x B), entry by entry."""
    x = Tensor("x", (N, I), "input")
    A, B = Tensor("A", (I, K), "parameter"), Tensor("B", (I, K), "parameter")
    a, b = Tensor("a", (N, K), "intermediate"), Tensor("b", (N, K), "intermediate")
    opened, value = Tensor("s", (N, K), "intermediate"), Tensor("v", (N, K), "intermediate")
    z = Tensor("z", (N, K), "intermediate")
    return Case(
        network(
            "gate",
            (x, A, B),
            (
                (a, expression(product(1, (I,), (x.entry, A.entry)))),
                (b, expression(product(1, (I,), (x.entry, B.entry)))),
                (opened, applied("sigmoid", a)),
                (value, applied("softplus", b)),
                (z, expression(product(1, (), (opened.entry, value.entry)))),
            ),
            z,
        ),
        sizes(N=5, I=2, K=3),
        sizes(N=1, I=2, K=3),
    )


CASES = (
    convolution(),
    recurrence(),
    bilinear(),
    tied(),
    diamond(),
    shared(),
    gate(),
)
