"""One canonical order for what is known by its place alone: bound indices.

Owns: `Tree`, what a factor looks like to the members (the bound indices) that it reads; `arranged`,
an order of members that depends on structure alone: lists of trees that are equal up to the names
of members and the order of what commutes look equal, member by member, in their orders.
Refuses: tensors, SymPy, forms. Whoever names indices makes trees of factors, and takes the order.
Would be wrong if: a choice rested on the order in which members or trees are given, or members
were taken for each other without a permutation that maps all trees onto themselves.

Members are told apart by what they stand beside, again and again (refinement). Where some still
look alike, each of them is marked in turn, and the smallest picture wins; permutations that
equal pictures betray spare the branches that they map onto earlier ones.
Source: McKay and Piperno, Practical graph isomorphism II, J. Symbolic Comput. 60 (2014), section 2.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

MOST_VISITS = 500


class Tree(NamedTuple):
    """A head over parts, each a tree or a member; where it `commutes`, their order says nothing.

    Heads are not empty. What reads no member is a head alone.
    """

    head: str
    parts: tuple[Tree | int, ...] = ()
    commutes: bool = False


Permutation = tuple[int, ...]
Picture = tuple[Any, ...]
Colours = Sequence[int]
_Read = tuple[Tree, frozenset[int]]


@dataclass(frozen=True)
class Arrangement:
    """Members from first to last, and the permutations that map the trees onto themselves.

    symmetries: generators of all of them; member v goes to `symmetry[v]`. settled: whether the
    search came to its end. If not, the order is a possible one, but equal structures may be given
    different ones: what then looks different is undecided. visits: nodes of the search.
    """

    order: tuple[int, ...]
    symmetries: tuple[Permutation, ...]
    settled: bool
    visits: int


def arranged(count: int, trees: Iterable[Tree]) -> Arrangement:
    """The canonical order of the members 0, …, count - 1 of these trees."""
    read = [(tree, members) for tree in trees if (members := frozenset(_members(tree)))]
    searches = [_Search(count, members, held) for members, held in _components(count, read)]
    for search in searches:
        search.run()
    searches.sort(key=lambda search: search.picture)
    symmetries = [symmetry for search in searches for symmetry in search.symmetries]
    for one, other in itertools.pairwise(searches):
        if one.picture == other.picture:
            symmetries.append(_exchange(count, zip(one.order, other.order, strict=True)))
    return Arrangement(
        tuple(member for search in searches for member in search.order),
        tuple(symmetries),
        all(search.settled for search in searches),
        sum(search.visits for search in searches),
    )


def _components(count: int, read: Sequence[_Read]) -> Iterator[tuple[list[int], list[_Read]]]:
    """Members that trees tie together, with these trees."""
    roots = list(range(count))
    for _, members in read:
        joined = {roots[member] for member in members}
        if len(joined) > 1:
            roots = [min(joined) if root in joined else root for root in roots]
    groups: dict[int, tuple[list[int], list[_Read]]] = {root: ([], []) for root in roots}
    for member, root in enumerate(roots):
        groups[root][0].append(member)
    for tree, members in read:
        groups[roots[min(members)]][1].append((tree, members))
    yield from groups.values()


def _members(part: Tree | int) -> Iterator[int]:
    if isinstance(part, int):
        yield part
    else:
        for inner in part.parts:
            yield from _members(inner)


def _exchange(count: int, pairs: Iterable[tuple[int, int]]) -> Permutation:
    moved = list(range(count))
    for one, other in pairs:
        moved[one], moved[other] = other, one
    return tuple(moved)


# --------------------------------------------------------------------------------------------
# Pictures
# --------------------------------------------------------------------------------------------


def _pictures(trees: Iterable[Tree], colours: Colours, marked: int = -1) -> Picture:
    """What the trees look like when only the colours of members can be seen, and which is marked.

    Two lists of trees have one picture exactly when colours, and reordering what commutes, map
    them onto each other.
    """
    return tuple(sorted(_picture(tree, colours, marked) for tree in trees))


def _picture(part: Tree | int, colours: Colours, marked: int) -> Picture:
    if isinstance(part, int):
        return ("", colours[part], part == marked)
    inner = [_picture(each, colours, marked) for each in part.parts]
    if part.commutes:
        inner.sort()
    return (part.head, *inner)


# --------------------------------------------------------------------------------------------
# Search
# --------------------------------------------------------------------------------------------


class _Search:
    """The order of one component.

    A node of its tree is a path of marked members; `trace` has the pictures along the path to the
    best leaf, and a node whose picture is greater than the one there is left. `leaves` has the
    path and the colours of every leaf by its picture: a second one with that picture is the first
    under a permutation, which maps the whole branch onto one that was searched before.
    """

    def __init__(self, count: int, members: Sequence[int], read: Sequence[_Read]) -> None:
        self.members = members
        self.read = read
        self.trees = [tree for tree, _ in read]
        self.beside = {m: [tree for tree, members in read if m in members] for m in members}
        self.symmetries: list[Permutation] = []
        self.settled = True
        self.visits = 0
        self.trace: list[Picture] = []
        self.leaves: dict[Picture, tuple[tuple[int, ...], Colours]] = {}
        self.count = count

    def run(self) -> None:
        self.visit((), self.refined([0] * self.count))

    @property
    def picture(self) -> Picture:
        return self.trace[-1]

    @property
    def order(self) -> tuple[int, ...]:
        _, colours = self.leaves[self.picture]
        return tuple(sorted(self.members, key=lambda member: colours[member]))

    def visit(self, path: tuple[int, ...], colours: Colours) -> int:
        """Search below a node; the length of the path at which the search goes on."""
        self.visits += 1
        here, tied = _pictures(self.trees, colours), self.tied(colours)
        if not tied:
            if here in self.leaves:
                return self.repeated(path, colours, here)
            self.leaves[here] = path, colours
        if not self.leads(len(path), here):
            return len(path) - 1
        tried: list[int] = []
        for member in tied:
            if self.visits >= MOST_VISITS and self.picture in self.leaves:
                self.settled = False
                break
            if self.is_spared(member, tried, path):
                continue
            tried.append(member)
            back = self.visit((*path, member), self.refined(self.marked(colours, member)))
            if back < len(path):
                return back
        return len(path) - 1

    def leads(self, depth: int, here: Picture) -> bool:
        """Whether the node is on the way to the best leaf known, or to a better one."""
        if depth < len(self.trace):
            if here > self.trace[depth]:
                return False
            if here < self.trace[depth]:
                del self.trace[depth:]
        if depth == len(self.trace):
            self.trace.append(here)
        return True

    def repeated(self, path: tuple[int, ...], colours: Colours, here: Picture) -> int:
        """Note what maps the earlier leaf onto this one; go on where their paths part."""
        earlier, known = self.leaves[here]
        places = {colours[member]: member for member in self.members}
        moved = list(range(self.count))
        for member in self.members:
            moved[member] = places[known[member]]
        self.symmetries.append(tuple(moved))
        return next(d for d, (a, b) in enumerate(zip(earlier, path, strict=False)) if a != b)

    def is_spared(self, member: int, tried: Sequence[int], path: tuple[int, ...]) -> bool:
        """Whether a permutation that fixes the path maps a member that was tried onto this one."""
        fixing = [s for s in self.symmetries if all(s[fixed] == fixed for fixed in path)]
        reached = list(tried)
        for one in reached:
            reached += {symmetry[one] for symmetry in fixing}.difference(reached)
        if member in reached:
            return True
        for other in tried:
            if self.are_twins(member, other):
                self.symmetries.append(_exchange(self.count, [(member, other)]))
                return True
        return False

    def are_twins(self, one: int, other: int) -> bool:
        """Whether exchanging two members maps the trees onto themselves."""
        names = range(self.count)
        trees = [tree for tree, members in self.read if one in members or other in members]
        exchanged = _exchange(self.count, [(one, other)])
        return _pictures(trees, names) == _pictures(trees, exchanged)

    # ---- colours -----------------------------------------------------------------------------

    def refined(self, colours: Colours) -> Colours:
        """Members that differ in what they stand beside get different colours, until none does;
        the order of colours is kept."""
        current = list(colours)
        known = 0
        while known < len(self.members):
            views = {m: (current[m], _pictures(self.beside[m], current, m)) for m in self.members}
            ranks = {view: rank for rank, view in enumerate(sorted(set(views.values())))}
            for member in self.members:
                current[member] = ranks[views[member]]
            if len(ranks) == known:
                break
            known = len(ranks)
        return current

    def marked(self, colours: Colours, member: int) -> Colours:
        return [2 * colour + (place != member) for place, colour in enumerate(colours)]

    def tied(self, colours: Colours) -> list[int]:
        """The first of the smallest groups of members that share a colour."""
        groups: dict[int, list[int]] = {}
        for member in self.members:
            groups.setdefault(colours[member], []).append(member)
        several = [(len(g), colour) for colour, g in groups.items() if len(g) > 1]
        return groups[min(several)[1]] if several else []
