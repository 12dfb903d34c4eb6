"""Bound names: variables renamed, and sums whose names depend on their structure alone.

Owns: `renamed`, `followed` (new names for bound variables, extents included), `components`,
`sum_atom`.
Refuses: what a sum is worth; it is only named here.
Would be wrong if: a variable were captured. Whoever renames takes names that do not occur; a sum's
own names tell how deeply it is nested, so those of an inner one never meet those of an outer one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from symbackprop.calculus.order import Tree, arranged
from symbackprop.derivation.normalform.forms import (
    Atom,
    Exponent,
    Form,
    Mono,
    NoNormalForm,
    depth_of,
    key_of,
    only_atom,
    oriented,
    sorted_mono,
    variable,
    variables_of,
    whole_numbered,
)

# --------------------------------------------------------------------------------------------
# Renaming
# --------------------------------------------------------------------------------------------


def renamed(form: Form, renaming: Mapping[Atom, Atom]) -> Form:
    """Index variables renamed one to one, to names that do not occur."""
    if not form.variables & set(renaming):
        return form
    return Form({renamed_mono(mono, renaming): c for mono, c in form.terms.items()})


def renamed_mono(mono: Mono, renaming: Mapping[Atom, Atom]) -> Mono:
    return sorted_mono({_renamed_atom(a, renaming): e for a, e in mono})


def _renamed_atom(what: Atom, renaming: Mapping[Atom, Atom]) -> Atom:
    if not what.variables & set(renaming):
        return what
    if what in renaming:
        return renaming[what]
    data = [_renamed_part(part, renaming) for part in what.data]
    match what.kind:
        case "delta" | "zero":
            return Atom(what.kind, oriented(data[0])[0])
        case "sum" if len(what.data[0]) > 1:
            return sum_atom(data[1], data[0])
    return Atom(what.kind, *data)


def _renamed_part(part: Any, renaming: Mapping[Atom, Atom]) -> Any:
    if isinstance(part, Form):
        return renamed(part, renaming)
    if isinstance(part, Atom):
        return _renamed_atom(part, renaming)
    if isinstance(part, tuple) and part and isinstance(part[0], tuple):
        return renamed_mono(part, renaming)
    if isinstance(part, tuple):
        return tuple(_renamed_part(piece, renaming) for piece in part)
    return part


def followed(names: Mapping[Atom, str]) -> dict[Atom, Atom]:
    """Variables under new names; an extent that reads another one of them (`n[l]`) follows."""
    found: dict[Atom, Atom] = {}

    def follow(what: Atom) -> None:
        for other in names:
            if other in what.data[2].variables and other not in found:
                follow(other)
        found[what] = variable(names[what], renamed(what.data[2], found), what.data[1])

    for what in names:
        if what not in found:
            follow(what)
    return found


# --------------------------------------------------------------------------------------------
# Sums
# --------------------------------------------------------------------------------------------


def components(mono: Mono, binders: tuple[Atom, ...]) -> Iterator[tuple[tuple[Atom, ...], Mono]]:
    """Groups of bound indices that some factor, or an extent, ties together."""
    groups = [{binder} | (binder.variables & set(binders)) for binder in binders]
    groups += [set(p[0].variables & set(binders)) for p in mono]
    joined: list[set[Atom]] = []
    for group in groups:
        if not group:
            continue
        touching = [other for other in joined if other & group]
        joined = [other for other in joined if not other & group]
        joined.append(group.union(*touching))
    for group in sorted(joined, key=lambda g: min(binders.index(b) for b in g)):
        names = tuple(b for b in binders if b in group)
        yield names, tuple(p for p in mono if p[0].variables & group)


def sum_atom(factors: Mono, binders: Sequence[Atom]) -> Atom:
    """The sum with bound names that depend on its structure alone."""
    names = names_by_place(factors, binders)
    return Atom("sum", tuple(names.values()), renamed_mono(factors, names))


def names_by_place(factors: Mono, binders: Sequence[Atom]) -> dict[Atom, Atom]:
    """The bound names that these factors give their indices, from first to last."""
    depth = 1 + depth_of(factors)
    order = _ordered(factors, binders)
    names = followed({binder: f"#{depth}_{place}" for place, binder in enumerate(order)})
    return {binder: names[binder] for binder in order}


def named_key(what: Atom, names: Mapping[Atom, Atom]) -> str:
    return _renamed_atom(what, names).key


def _ordered(factors: Mono, binders: Sequence[Atom]) -> Sequence[Atom]:
    if len(binders) == 1:
        return binders
    trees = _Trees()
    places = trees.placed(binders)
    content = [trees.power(what, exponent, places) for what, exponent in factors]
    found = arranged(trees.count, [*content, *trees.ranges(binders, places)])
    if not found.settled:
        raise NoNormalForm("indices that look too much alike to be put in order")
    return [binders[member] for member in found.order if member < len(binders)]


class _Trees:
    """What forms look like to bound variables, each under its number.

    The names in a sum of several indices are members too, others wherever it stands: their order
    rests on names outside.
    """

    def __init__(self) -> None:
        self.count = 0

    def placed(self, binders: Sequence[Atom]) -> dict[Atom, int]:
        first, self.count = self.count, self.count + len(binders)
        return {binder: first + place for place, binder in enumerate(binders)}

    def ranges(self, binders: Sequence[Atom], places: Mapping[Atom, int]) -> Iterator[Tree]:
        for binder in binders:
            extent = self.part(binder.data[2], places)
            yield Tree("range", (places[binder], extent, Tree(str(binder.data[1]))))

    def power(self, what: Atom, exponent: Exponent, places: Mapping[Atom, int]) -> Tree:
        return Tree(f"^{exponent}", (self.part(what, places),))

    def part(self, part: Any, places: Mapping[Atom, int]) -> Tree | int:
        if variables_of(part).isdisjoint(places):
            return Tree(f"={key_of(part)}")
        if isinstance(part, Atom):
            return self.atom(part, places)
        if isinstance(part, Form):
            only = only_atom(part)
            return self.form(part, places) if only is None else self.atom(only, places)
        if isinstance(part[0], tuple):
            return self.product(part, places)
        return Tree(";", tuple(self.part(piece, places) for piece in part))

    def form(self, form: Form, places: Mapping[Atom, int]) -> Tree:
        terms = (Tree(str(c), (self.part(m, places),)) for m, c in form.terms.items())
        return Tree("+", tuple(terms), commutes=True)

    def product(self, mono: Mono, places: Mapping[Atom, int]) -> Tree:
        return Tree("*", tuple(self.power(*power, places) for power in mono), commutes=True)

    def atom(self, what: Atom, places: Mapping[Atom, int]) -> Tree | int:
        if what in places:
            return places[what]
        match what.kind:
            case "delta" | "zero":
                form = whole_numbered(what.data[0])
                either = (self.form(form, places), self.form(-form, places))
                return Tree(what.kind, either, commutes=True)
            case "sum" if len(what.data[0]) > 1:
                within = {**places, **self.placed(what.data[0])}
                ranges = self.ranges(what.data[0], within)
                return Tree("sum", (self.product(what.data[1], within), *ranges), commutes=True)
        return Tree(what.kind, tuple(self.part(part, places) for part in what.data))
