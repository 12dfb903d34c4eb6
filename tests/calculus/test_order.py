"""The canonical order: structure alone decides, symmetry costs little, giving up is said."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterable, Sequence

import pytest

from symbackprop.calculus import order
from symbackprop.calculus.order import MOST_VISITS, Arrangement, Tree, arranged

Problem = tuple[int, tuple[Tree, ...]]
Pair = tuple[int, int]
CELLS = list(itertools.product(range(4), repeat=2))


def placed(part: Tree | int, places: Sequence[int]) -> Tree | int:
    """The tree with members moved to `places`, and what commutes sorted."""
    if isinstance(part, int):
        return places[part]
    parts = [placed(each, places) for each in part.parts]
    return part._replace(parts=tuple(sorted(parts, key=repr) if part.commutes else parts))


def moved(problem: Problem, places: Sequence[int]) -> tuple[str, ...]:
    return tuple(sorted(repr(placed(tree, places)) for tree in problem[1]))


def inverse(order: Sequence[int]) -> list[int]:
    return [order.index(member) for member in range(len(order))]


def named(problem: Problem) -> tuple[str, ...]:
    """The trees with every member named by its place."""
    found = arranged(*problem)
    assert found.settled
    return moved(problem, inverse(found.order))


def shuffled(problem: Problem, source: random.Random) -> Problem:
    """The same trees with members renamed and everything that commutes in another order."""
    count, trees = problem
    names = source.sample(range(count), count)

    def mixed(part: Tree | int) -> Tree | int:
        if isinstance(part, int):
            return names[part]
        parts = [mixed(each) for each in part.parts]
        if part.commutes:
            source.shuffle(parts)
        return part._replace(parts=tuple(parts))

    changed = [mixed(tree) for tree in trees]
    source.shuffle(changed)
    return count, tuple(tree for tree in changed if isinstance(tree, Tree))


def graph(count: int, edges: Iterable[Pair], directed: bool = False) -> Problem:
    return count, tuple(Tree("A", edge, not directed) for edge in edges)


def ring(*members: int) -> list[Pair]:
    return list(zip(members, (*members[1:], members[0]), strict=True))


def random_problem(source: random.Random, most: int) -> Problem:
    count = source.randint(1, most)

    def tree(depth: int) -> Tree | int:
        if not depth or source.random() < 0.3:
            return source.randrange(count)
        parts = tuple(tree(depth - 1) for _ in range(source.randint(1, 3)))
        return Tree(source.choice("ABC"), parts, source.random() < 0.5)

    return count, tuple(
        Tree(source.choice("AB"), (tree(2), tree(1)), source.random() < 0.5)
        for _ in range(source.randint(1, 6))
    )


def rook() -> Problem:
    """Cells of a 4 by 4 board that share a row or a column."""
    near = (p for p in itertools.combinations(range(16), 2) if p[0] // 4 == p[1] // 4)
    above = (p for p in itertools.combinations(range(16), 2) if p[0] % 4 == p[1] % 4)
    return graph(16, [*near, *above])


def shrikhande() -> Problem:
    """Cells of a 4 by 4 torus that differ by (1, 0), (0, 1) or (1, 1)."""
    steps = ((1, 0), (0, 1), (1, 1))
    return graph(
        16,
        [
            (CELLS.index((a, b)), CELLS.index(((a + x) % 4, (b + y) % 4)))
            for a, b in CELLS
            for x, y in steps
        ],
    )


def at_one_corner(*problems: Problem) -> Problem:
    """Graphs side by side, and one more member that is tied to all of theirs."""
    total = 0
    trees: list[Tree] = []
    for count, held in problems:
        places = range(total, total + count)
        trees += [t for t in (placed(tree, places) for tree in held) if isinstance(t, Tree)]
        total += count
    return total + 1, (*trees, *(Tree("A", (total, member), True) for member in range(total)))


def cubic(source: random.Random) -> Problem:
    """A random graph in which every member has three neighbours: none can be told from inside."""
    count = source.choice((6, 8, 10))
    while True:
        ends = source.sample([*range(count)] * 3, 3 * count)
        edges = {frozenset(pair) for pair in zip(ends[::2], ends[1::2], strict=True)}
        if len(edges) == 3 * count // 2 and all(len(edge) == 2 for edge in edges):
            return graph(count, [(min(edge), max(edge)) for edge in edges])


HEXAGON = graph(6, ring(*range(6)))
TRIANGLES = graph(6, ring(0, 1, 2) + ring(3, 4, 5))


def generated(found: Arrangement) -> set[tuple[int, ...]]:
    """All permutations that the symmetries generate."""
    group = {tuple(range(len(found.order)))}
    waiting = list(group)
    while waiting:
        one = waiting.pop()
        for symmetry in found.symmetries:
            product = tuple(symmetry[member] for member in one)
            if product not in group:
                group.add(product)
                waiting.append(product)
    return group


@pytest.mark.parametrize("seed", range(200))
def test_names_and_order_change_nothing(seed: int) -> None:
    source = random.Random(seed)
    problem = random_problem(source, 7)
    for _ in range(3):
        assert named(shuffled(problem, source)) == named(problem)


@pytest.mark.parametrize("seed", range(40))
def test_graphs_without_marks_are_named_by_structure(seed: int) -> None:
    source = random.Random(seed)
    problem = cubic(source)
    for _ in range(3):
        assert named(shuffled(problem, source)) == named(problem)


@pytest.mark.parametrize("seed", range(100))
def test_symmetries_are_exactly_what_maps_the_trees_onto_themselves(seed: int) -> None:
    problem = random_problem(random.Random(seed), 5)
    count, _ = problem
    here = moved(problem, range(count))
    every = {p for p in itertools.permutations(range(count)) if moved(problem, p) == here}
    assert generated(arranged(*problem)) == every


SYMMETRIC = {
    "twelve factors alike": ((12, tuple(Tree("b", (m,)) for m in range(12))), 12),
    "the trace of an eighth power": (graph(8, ring(*range(8)), directed=True), 8),
    "a ring of twelve": (graph(12, ring(*range(12))), 12),
    "four rings of three": (
        graph(12, [e for m in range(0, 12, 3) for e in ring(m, m + 1, m + 2)], directed=True),
        16,
    ),
    "each of twelve with each": (graph(12, itertools.combinations(range(12), 2)), 12),
    "each of six with each of six others": (
        graph(12, [(a, b) for a in range(6) for b in range(6, 12)]),
        30,
    ),
    "a star of thirty": (graph(31, [(0, leaf) for leaf in range(1, 31)]), 30),
    "eight triangles at one corner": (
        graph(17, [e for m in range(1, 17, 2) for e in ring(0, m, m + 1)]),
        60,
    ),
    "a cube in five dimensions": (
        graph(32, [(m, m ^ bit) for m in range(32) for bit in (1, 2, 4, 8, 16) if m < m ^ bit]),
        60,
    ),
    "a board of rooks": (rook(), 50),
    "a torus of Shrikhande": (shrikhande(), 50),
    "a hexagon and two triangles at one corner": (at_one_corner(HEXAGON, TRIANGLES), 40),
    "rooks and Shrikhande at one corner": (at_one_corner(rook(), shrikhande()), 80),
}


@pytest.mark.parametrize("name", SYMMETRIC)
def test_large_symmetry_takes_few_visits(name: str) -> None:
    problem, most = SYMMETRIC[name]
    source = random.Random(1)
    for _ in range(3):
        other = shuffled(problem, source)
        found, here = arranged(*other), moved(other, range(other[0]))
        assert found.visits <= most
        assert all(moved(other, symmetry) == here for symmetry in found.symmetries)
        assert named(other) == named(problem)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (HEXAGON, TRIANGLES),
        (rook(), shrikhande()),
        (graph(4, ring(0, 1, 2, 3), True), graph(4, ring(0, 1) + ring(2, 3), True)),
        (graph(2, [(0, 1), (0, 0)], True), graph(2, [(1, 0), (0, 0)], True)),
    ],
    ids=["hexagon and two triangles", "rooks and Shrikhande", "directed rings", "edge and back"],
)
def test_what_looks_alike_from_inside_is_told_apart(one: Problem, other: Problem) -> None:
    assert named(one) != named(other)


def test_parts_commute_only_where_they_say_so() -> None:
    sides = (Tree("x", (0,)), Tree("y", (1,)))
    assert named((2, (Tree("+", sides, True),))) == named((2, (Tree("+", sides[::-1], True),)))
    assert named((2, (Tree("-", sides),))) != named((2, (Tree("-", sides[::-1]),)))


def test_a_member_that_nothing_reads_has_a_place() -> None:
    found = arranged(3, (Tree("x", (1,)), Tree("one")))
    assert sorted(found.order) == [0, 1, 2]
    assert arranged(0, ()).order == ()


def test_a_search_that_is_cut_off_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """The order is then a possible one; names by it keep their meaning, and decide nothing."""
    assert arranged(*rook()).visits < MOST_VISITS
    monkeypatch.setattr(order, "MOST_VISITS", 5)
    found = arranged(*rook())
    assert not found.settled
    assert sorted(found.order) == list(range(16))
    here = moved(rook(), range(16))
    assert all(moved(rook(), symmetry) == here for symmetry in found.symmetries)
