"""Random programs of array statements: where the tracer reads one, it agrees with NumPy.

Programs mix aliases, views, changes in place, masks, containers and loops over samples. A program
may be refused (`TraceError`), never read otherwise than it runs.
"""

from __future__ import annotations

import random

import pytest

from symbackprop.tracing.arrays import ShapeClash, TraceError
from tests.tracing.test_tracer_idioms import SHAPES, agree, executed, numbers, read

PROGRAMS = 60
GIVEN = ("x", "h", "g", "W", "b", "s", "S", "p", "y")
Shape = tuple[str, ...]


class Program:
    """Statements, and the shapes of the names so far: letters, "1" for an axis of size 1."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.shapes: dict[str, Shape] = {n: SHAPES[n] for n in GIVEN if n != "y"}
        self.lines: list[str] = ["D = {}", "Q = []", "y = y"]
        for name in list(self.shapes):
            self.lines.append(f"{name} = {name}")

    def new(self, shape: Shape, text: str) -> None:
        name = f"v{len(self.lines)}"
        self.lines.append(f"{name} = {text}")
        self.shapes[name] = shape

    def any(self, ndim: int | None = None, shape: Shape | None = None) -> str:
        names = [
            n
            for n, s in self.shapes.items()
            if (ndim is None or len(s) == ndim) and (shape is None or s == shape)
        ]
        return self.random.choice(names)

    def grow(self, count: int) -> str:
        makers = [getattr(self, name) for name in sorted(dir(Program)) if name.startswith("add_")]
        for _ in range(count):
            self.random.choice(makers)()
        names = ", ".join(f"'{n}': {n}" for n in self.shapes)
        return "\n".join([*self.lines, f"return {{{names}}}, D, Q"])

    # ---- new values --------------------------------------------------------------------------

    def add_sum_of_two(self) -> None:
        name = self.any()
        shape = self.shapes[name]
        op = self.random.choice("+-*")
        self.new(shape, f"{name} {op} {self.any(shape=shape)}")

    def add_broadcast(self) -> None:
        name = self.any(2)
        rows, columns = self.shapes[name]
        vectors = [n for n, s in self.shapes.items() if len(s) == 1]
        fits = [f"{n}[:, None]" for n in vectors if self.shapes[n] == (rows,)]
        fits += [n for n in vectors if self.shapes[n] == (columns,)]
        if fits:
            self.new(self.shapes[name], f"{name} * {self.random.choice(fits)}")

    def add_product(self) -> None:
        one = self.any(2)
        other = self.any(2)
        (a, k), (m, n) = self.shapes[one], self.shapes[other]
        if k == m:
            self.new((a, n), f"{one} @ {other}")
        elif a == m:
            self.new((k, n), f"np.dot({one}.T, {other})")
        elif k == n:
            self.new((a, m), f"{one}.dot({other}.T)")

    def add_reduction(self) -> None:
        name = self.any(2)
        axis = self.random.randrange(2)
        kind = self.random.choice(["sum", "mean", "max"])
        shape = tuple(s for i, s in enumerate(self.shapes[name]) if i != axis)
        self.new(shape, f"{name}.{kind}(axis={axis})")

    def add_function(self) -> None:
        name = self.any()
        text = self.random.choice(
            ["np.tanh({})", "np.maximum(0, {})", "1.0 * ({} > 0)", "-{}", "{}.copy()", "0.5 * {}",
             "np.where({0} > 0.1, {0}, 0.2)", "np.array({})", "np.zeros_like({})", "np.square({})"]
        )  # fmt: skip
        self.new(self.shapes[name], text.format(name))

    def add_alias_or_view(self) -> None:
        name = self.any()
        shape = self.shapes[name]
        choices: list[tuple[Shape, str]] = [(shape, name), (tuple(reversed(shape)), f"{name}.T")]
        if len(shape) == 2 and "1" not in shape:
            choices += [(shape[1:], f"{name}[0]"), (shape[:1], f"{name}[:, -1]")]
            choices += [(shape, f"{name}[:, ::-1]"), (shape, f"np.asarray({name})")]
        if len(shape) == 1:
            choices += [(shape, f"{name}[::-1]"), (shape, f"{name}[:, None].ravel()")]
            choices += [(shape, f"{name}[None, :][0]"), (shape, f"np.squeeze({name}[:, None])")]
        self.new(*self.random.choice(choices))

    def add_gathered(self) -> None:
        name = self.random.choice(["p", "p * 2", "S[:1].T @ b[None, :1] @ p[:1]"])
        if name != "S[:1].T @ b[None, :1] @ p[:1]":
            self.new(("N",), f"({name})[range(len(y)), y]")

    def add_joined(self) -> None:
        name = self.any(2)
        shape = self.shapes[name]
        if "1" not in shape:
            text = f"np.hstack([np.ones((len({name}), 1)), {name}])"
            cut = self.random.choice(["[:, 1:]", "[:, :-1]"])
            self.new(shape, f"{text}{cut}")

    # ---- changes -----------------------------------------------------------------------------

    def add_change(self) -> None:
        name = self.any()
        other = self.random.choice([self.any(shape=self.shapes[name]), "0.5", "2"])
        self.lines.append(f"{name} {self.random.choice('+-*')}= {other}")

    def add_masked_change(self) -> None:
        name = self.any()
        other = self.any(shape=self.shapes[name])
        what = self.random.choice(["= 0", "*= 0.1", "-= 1", f"= {other}[{other} < 0]", "= 0.3"])
        self.lines.append(f"{name}[{other} < 0] {what}")

    def add_row_change(self) -> None:
        name = self.any(2)
        rows, columns = self.shapes[name]
        if columns == "1" or rows == "1":
            return
        place, shape = self.random.choice(
            [("[0]", (columns,)), ("[-1]", (columns,)), ("[:, 0]", (rows,)), ("[0, :]", (columns,))]
        )
        fits = [n for n, s in self.shapes.items() if s == shape]
        value = self.random.choice([*fits, "0.7"])
        self.lines.append(f"{name}{place} {self.random.choice(['', '+', '-', '*'])}= {value}")

    def add_label_change(self) -> None:
        fits = [n for n, s in self.shapes.items() if s == ("N", "d2")]
        name = self.random.choice(fits)
        sign = self.random.choice(["-", "+", "*"])
        rows = self.random.choice([f"range(len({name}))", "np.arange(len(y))"])
        self.lines.append(
            f"{name}[{rows}, y] {sign}= {self.random.choice(['2', self.any(1, ('N',))])}"
        )

    def add_container_change(self) -> None:
        name = self.any()
        key = self.random.choice(["'a'", "'b'"])
        text = self.random.choice(
            [f"D[{key}] = {name}", f"Q.append({name})", f"Q.insert(0, {name})",
             "for k in D:\n    D[k] *= 2", "for q in Q:\n    q -= 1", "Q = Q[::-1]",
             "Q = [q * 2 for q in Q]", "for k, q in D.items():\n    q[q > 0] = 0"]
        )  # fmt: skip
        self.lines.append(text)

    # ---- loops over samples ------------------------------------------------------------------

    def add_loop(self) -> None:
        rows = [n for n, s in self.shapes.items() if len(s) == 2 and s[0] == "N"]
        one, other = self.random.choice(rows), self.random.choice(rows)
        a, b = self.shapes[one][1], self.shapes[other][1]
        sums = [n for n, s in self.shapes.items() if s == (a, b)]
        into = self.random.choice([n for n in rows if self.shapes[n] == ("N", a)])
        body = self.random.choice(
            [f"{into}[i] = {one}[i] * 2", f"{into}[i] += {one}[i]",
             f"{into}[i] *= {into}[i]", f"{into}[i] = {one}[0] + 1",
             f"t = {into}\n    t[i] += {one}[i]", f"s = s + {one}[i].sum()", f"s += {one}[i, 0]",
             f"{into}[i] = {into}[i] - {one}[i].sum()", f"t = {one}[i] * 3\n    {into}[i] -= t",
             *(f"{name} += np.outer({one}[i], {other}[i])" for name in sums[-2:]),
             *(f"{name} = {name} + np.outer({one}[i], {other}[i])" for name in sums[-2:])]
        )  # fmt: skip
        self.lines.append(f"for i in range(len({one})):\n    {body}")


def test_random_programs_are_read_as_they_run_or_not_at_all() -> None:
    done = 0
    for seed in range(PROGRAMS):
        done += check_program(seed)
    assert done > PROGRAMS // 2


def check_program(seed: int, length: int = 12) -> bool:
    """Whether the program was read."""
    body = Program(seed).grow(length)
    try:
        traced = read(body)
    except ShapeClash:
        with pytest.raises((ValueError, IndexError)):
            executed(body)
        return True
    except TraceError:
        return False
    expected, given = executed(body)
    try:
        agree(numbers(traced.returned), expected)
        agree(numbers(dict(traced.arguments)), given)
    except AssertionError as fault:
        raise AssertionError(f"seed {seed}:\n{body}\n{fault}") from None
    return True
