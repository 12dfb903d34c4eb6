r"""The value of a formula: syntax, read under settings, at the numbers of a world.

Owns: `Meaning.value`, one case for each node of the syntax. Refuses: comparing sides, and reading
what is not certain: that is NotUnderstood. Would be wrong if an index letter ran over another axis
than its uses have, or if a product were taken entrywise where the note means a matrix product.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import partial
from typing import Any, assert_never

import numpy as np

from symbackprop.evaluate import apply, evaluate
from symbackprop.reader.syntax import (
    Apply,
    Big,
    Bound,
    Cases,
    Comparison,
    Derivative,
    Dots,
    Group,
    Indicator,
    Matrix,
    Node,
    Norm,
    Number,
    Product,
    Quotient,
    Root,
    Script,
    Scripted,
    Span,
    Sum,
    Symbol,
    children,
    walk,
)
from symbackprop.scalars import FUNCTIONS
from symbackprop.terms import Expression
from symbackprop.verify import values as v
from symbackprop.verify.settings import Alias, Settings
from symbackprop.verify.symbols import (
    IllFormed,
    NotUnderstood,
    OneSample,
    OutOfRange,
    Reference,
    Scope,
    split,
)
from symbackprop.verify.values import Array, Axes, Axis, Clash, Value
from symbackprop.verify.world import STEP, World

SAMPLE = "n"
LARGEST = 2_000_000  # entries of one array: beyond, a formula is not evaluated


@dataclass(frozen=True)
class Link:
    """A derivative d of / d wrt as a link of a chain: its array has the free letters, then the
    axes of `of` that no index picks, then those of `wrt`. A name with indices is one entry."""

    of: str
    wrt: str
    array: Array
    free: tuple[str, ...]
    outer: Axes
    inner: Axes


@dataclass
class Meaning:
    """A formula's surroundings. `numbers` are whole numbers by letter (the layer l); `ranges` say
    which axis an index letter runs over; `local` are the variables of a function's definition.
    """

    world: World
    settings: Settings
    numbers: Mapping[str, int] = field(default_factory=dict)
    ranges: Mapping[str, Axis] = field(default_factory=dict)
    local: Mapping[str, Value] = field(default_factory=dict)

    @property
    def scope(self) -> Scope:
        depth = max((t.layer or 0 for t in self.world.network.tensors), default=0)
        heads = [h for h, f in self.settings.letters.items() if f == "depth"]
        known = dict.fromkeys((*heads, "L"), depth + self.settings.depth)
        return Scope(self.world.network, self.settings, {**known, **self.numbers})

    # --- dispatch ---------------------------------------------------------------------------

    def value(self, node: Node) -> Value:
        """Raises: NotUnderstood, IllFormed, Clash."""
        match node:
            case Number(value=number):
                return v.number(float(number))
            case Symbol() | Scripted():
                return self._scripted(node)
            case Group(items=items):
                if len(items) == 1:
                    return self.value(items[0])
                return self._matrix((items,))
            case Apply(function=function, arguments=arguments):
                return self._applied(function, arguments, node)
            case Product(sign=sign, factors=factors):
                return self._product(sign, factors)
            case Quotient(numerator=top, denominator=bottom):
                return self._quotient(self.value(top), self.value(bottom))
            case Sum(signs=signs, terms=terms):
                return self._sum(signs, terms)
            case Comparison():
                return self._condition(node)
            case Big():
                return self._big(node)
            case Derivative():
                return self._derivative(node)
            case Matrix(rows=rows):
                return self._matrix(rows)
            case Cases(branches=branches):
                return self._cases(branches, node)
            case Indicator(condition=condition):
                return self._condition(condition)
            case Norm():
                return self._norm(node)
            case Root(content=content):
                return v.mapped(self.value(content), np.sqrt)
            case Dots():
                raise NotUnderstood("dots stand for something left out", node.span)
            case _:
                assert_never(node)

    # --- symbols ----------------------------------------------------------------------------

    def _scripted(self, node: Symbol | Scripted) -> Value:
        parts = split(node)
        if parts is None:
            assert isinstance(node, Scripted)
            return self._scripts_outside(node)
        symbol, scripts = parts
        if symbol.head in self.local and not scripts:
            return self.local[symbol.head]
        if symbol.head in self.ranges and not scripts:
            return self._letter(symbol.head)
        label = self.settings.sizes.get(symbol.head, "")
        if label in self.world.sizes and not scripts and symbol.head not in self.settings.letters:
            return v.number(self.world.sizes[label])
        if (symbol.head, len(scripts)) == ("e", 1) and "e" not in self.settings.letters:
            return v.mapped(self.value(scripts[0].parts[0]), np.exp)
        kronecker = self._kronecker(node)
        return kronecker if kronecker is not None else self.referred(self.scope.resolve(node))

    def _letter(self, name: str) -> Value:
        size = self.ranges[name].size
        return Value(np.arange(1, size + 1)[None, :], (name,))

    def _kronecker(self, node: Symbol | Scripted) -> Value | None:
        r"""\delta_{jk} and 1_{jk}, where both letters are indices and no layer is marked."""
        parts = split(node)
        if parts is None or not _looks_kronecker(*parts):
            return None
        one, other = parts[1][0].parts
        known = [self._is_letter(p) or isinstance(p, Number) for p in (one, other)]
        if not all(known):
            return None
        if self.settings.letters.get(parts[0].head) == "delta":
            if self.settings.mark == "_l" and isinstance(one, Number):
                return None  # \\delta_{2,k}: unit k of layer 2
            labels = {self.ranges[p.head].label for p in (one, other) if isinstance(p, Symbol)}
            if len(labels) > 1:
                return None  # \\delta_{nk}: unit k of sample n
        a, b = self._places(one), self._places(other)
        return v.entrywise(a, b, lambda p, q: (p == q).astype(float))

    def _is_letter(self, node: Node) -> bool:
        return isinstance(node, Symbol) and node.head in self.ranges

    def referred(self, reference: Reference) -> Value:
        """The value of what a symbol refers to, with its indices, transposition and power."""
        found = self._whole(reference)
        if reference.primes:
            raise NotUnderstood("a prime on what is no function", reference.span)
        if reference.power is not None:
            found = self._powered(found, reference.power)
        return v.transposed(found) if reference.transposed else found

    def _whole(self, reference: Reference) -> Value:
        match reference.kind:
            case "number":
                return self._count(reference)
            case "identity":
                return v.IDENTITY
            case "ones":
                return v.ones()
            case "alias":
                return self._alias(reference)
            case "loss_n":
                return self._loss_of_sample(reference)
            case "tensor":
                return self.entries(reference.name, self.world.values[reference.name], reference)
            case "adjoint":
                array = self._total(self.world.network.loss, reference.name)
                found = self.entries(reference.name, array, reference)
                return v.entrywise(self._scale(reference.scale), found, np.multiply)
            case "function" | "letter":
                raise NotUnderstood(f"{reference.name} without an argument", reference.span)
        assert_never(reference.kind)

    def _total(self, of: str, wrt: str) -> Array:
        if self.world.moving:
            raise NotUnderstood("a derivative inside a derivative")
        return self.world.total(of, wrt)

    def _scale(self, scale: str) -> Value:
        factor = -1.0 if scale.startswith("-") else 1.0
        if scale.endswith("N"):
            factor *= self.world.sizes.get(SAMPLE, 1)
        return v.number(factor)

    def _count(self, reference: Reference) -> Value:
        if reference.name == "depth":
            return v.number(self.scope.numbers["L"])
        if SAMPLE not in self.world.sizes:
            raise OneSample("a number of samples where there is one sample", reference.span)
        return v.number(self.world.sizes[SAMPLE])

    def _alias(self, reference: Reference) -> Value:
        """The value of a name that the note gave to an expression."""
        for alias in self.settings.aliases.get(reference.name, ()):
            found = self._alias_value(alias, reference)
            if found is not None:
                return found
        raise NotUnderstood(f"{reference.name} is not defined before", reference.span)

    def _alias_value(self, alias: Alias, reference: Reference) -> Value | None:
        symbol = split(alias.name)
        assert symbol is not None
        inner, letters = self, []
        for script in symbol[1]:
            role = self.scope._role(script, self._may_be_layer(script), "alias")
            if role == "layer":
                mark = _head_or_none(script.parts[0])
                if mark is not None and mark not in self.scope.numbers:
                    if reference.layer is None:
                        return None
                    inner = replace(inner, numbers={**inner.numbers, mark: reference.layer})
                elif self.scope.whole(script.parts[0]) != reference.layer:
                    return None
            elif role in ("index", "sample"):
                letters.extend(_head_or_none(p) or "" for p in script.parts)
        for letter in letters:
            axis = inner.range_of(letter, alias.node)
            inner = replace(inner, ranges={**inner.ranges, letter: axis})
        found = inner.value(alias.node)
        places = [p for p in (reference.sample, *reference.indices) if p is not None]
        if not letters:
            if not places:
                return found
            return self._picked(found.array, found.free, found.axes, reference, found)
        if len(places) != len(letters) or not set(letters) <= set(found.free):
            return None
        return self._instantiated(found, letters, places)

    def _may_be_layer(self, script: Script) -> bool:
        return script.kind == "group" and bool(script.parts)

    def _instantiated(self, found: Value, letters: Sequence[str], places: Sequence[Node]) -> Value:
        """The entries of a definition at the places at which its name is used."""
        rest = tuple(name for name in found.free if name not in letters)
        order = [1 + found.free.index(n) for n in (*rest, *letters)]
        tail = range(1 + len(found.free), found.array.ndim)
        array = found.array.transpose([0, *order, *tail])
        axes = tuple(Axis("", array.shape[1 + len(rest) + n]) for n in range(len(letters)))
        picked = self._gathered(
            array, rest, (*axes, *found.axes), [*places, *[None] * len(found.axes)]
        )
        return replace(picked, rows=found.rows, cols=found.cols)

    def _loss_of_sample(self, reference: Reference) -> Value:
        if SAMPLE not in self.world.sizes:
            return Value(self.world.values[self.world.network.loss])
        array = loss_by_sample(self.world)
        if array is None:
            raise NotUnderstood("the loss of a single sample", reference.span)
        place = reference.sample or (reference.indices[0] if reference.indices else None)
        if place is None:
            raise NotUnderstood("the loss of which sample", reference.span)
        axis = Axis(SAMPLE, array.shape[1])
        return self._gathered(array, (), (axis,), [place])

    # --- entries ----------------------------------------------------------------------------

    def entries(self, name: str, array: Array, reference: Reference) -> Value:
        """A tensor, or an array of its shape, as the note writes it: whole, or the entries that
        the indices pick."""
        axes = self.world.axes(name)
        kept = [p for p, a in enumerate(axes) if a.label not in self.world.flat]
        order = self._order(name, axes)
        whole = Value(array, (), axes, ())
        if not reference.indices and reference.sample is None:
            return self._oriented(name, array, axes)
        return self._picked(array, (), axes, reference, whole, order, kept, name)

    def _order(self, name: str, axes: Axes) -> list[int]:
        """The axes in the order in which the note writes indices."""
        places = list(range(len(axes)))
        turned = (
            self.settings.weights == "out_in"
            if self._is_weight(name)
            else self.settings.samples == "columns"
        )
        return places[::-1] if turned and len(places) == 2 else places

    def _is_weight(self, name: str) -> bool:
        tensor = self.world.network.by_name[name]
        return tensor.kind == "parameter" and len(tensor.indices) == 2

    def _oriented(self, name: str, array: Array, axes: Axes, free: tuple[str, ...] = ()) -> Value:
        """A whole tensor as rows and columns. Axes with a single place are left out."""
        single = [a.label for a in axes if a.label in self.world.flat and a.label != SAMPLE]
        array, axes = self._without_flat(array, axes, len(free))
        found = self._laid_out(name, array, axes, free)
        return replace(found, feature=single[-1]) if single else found

    def _laid_out(self, name: str, array: Array, axes: Axes, free: tuple[str, ...]) -> Value:
        if self._is_weight(name):
            labels = [a.label for a in self.world.axes(name)]
            rows = tuple(a for a in axes if a.label == labels[0])
            cols = tuple(a for a in axes if a.label != labels[0])
            found = Value(array, free, rows, cols)
            return v.transposed(found) if self.settings.weights == "out_in" else found
        bias = SAMPLE not in {a.label for a in self.world.axes(name)}
        return self._vector(array, axes, free, bias and self.settings.mode == "batch")

    def _vector(
        self, array: Array, axes: Axes, free: tuple[str, ...], batched: bool = False
    ) -> Value:
        rows = tuple(a for a in axes if a.label == SAMPLE)
        cols = tuple(a for a in axes if a.label != SAMPLE)
        found = Value(array, free, rows, cols)
        stands = self.settings.samples if rows or batched else self.settings.single
        if batched and not rows and self.settings.biases:
            stands = self.settings.biases
        return v.transposed(found) if stands == "columns" else found

    def _without_flat(self, array: Array, axes: Axes, free: int) -> tuple[Array, Axes]:
        places = [p for p, a in enumerate(axes) if a.label in self.world.flat]
        if not places:
            return array, axes
        squeezed = array.squeeze(axis=tuple(1 + free + p for p in places))
        return squeezed, tuple(a for p, a in enumerate(axes) if p not in places)

    def _picked(
        self,
        array: Array,
        free: tuple[str, ...],
        axes: Axes,
        reference: Reference,
        whole: Value,
        order: Sequence[int] | None = None,
        kept: Sequence[int] | None = None,
        name: str = "",
    ) -> Value:
        order = list(range(len(axes))) if order is None else list(order)
        kept = list(range(len(axes))) if kept is None else list(kept)
        places = self._index_places(reference, axes, order, kept)
        found = self._gathered(array, free, axes, places)
        left = tuple(a for a, p in zip(axes, places, strict=True) if p is None)
        if not name:
            rows = tuple(a for a in left if a in whole.rows)
            return replace(found, rows=rows, cols=tuple(a for a in left if a not in rows))
        if not left:
            features = [
                a.label
                for a, p in zip(axes, places, strict=True)
                if p is not None and a.label != SAMPLE
            ]
            return replace(found, feature=features[-1] if features else "")
        return self._oriented(name, found.array, left, found.free)

    def _index_places(
        self, reference: Reference, axes: Axes, order: list[int], kept: list[int]
    ) -> list[Node | None]:
        """For each axis the index written for it; None where the axis stays whole."""
        places: list[Node | None] = [None] * len(axes)
        labels = [a.label for a in axes]
        indices = self._split_digits(reference.indices, (len(order), len(kept)))
        if reference.sample is not None:
            if SAMPLE not in labels:
                raise OneSample("a sample is marked where there is one sample", reference.span)
            position = labels.index(SAMPLE)
            places[position] = reference.sample
            order = [p for p in order if p != position]
            kept = [p for p in kept if p != position]
        if len(indices) == len(order):
            chosen = order
        elif len(indices) == len([p for p in order if p in kept]):
            chosen = [p for p in order if p in kept]
        elif len(indices) == 1 and SAMPLE in labels and reference.sample is None:
            chosen = [labels.index(SAMPLE)]
        elif not indices:
            chosen = []
        elif len(indices) == len(order) + 1 and self._lacks_samples(reference.name, labels):
            raise OneSample("an index for the sample where there is one sample", reference.span)
        elif len(indices) > len(order):
            raise IllFormed(
                f"{reference.name} has {len(order)} "
                f"{'index' if len(order) == 1 else 'indices'}, {len(indices)} are written",
                reference.span,
                "index",
            )
        else:
            raise NotUnderstood("it is not clear which axis the index means", reference.span)
        for position, index in zip(chosen, indices, strict=True):
            places[position] = None if _is_whole(index) else index
        for position in range(len(axes)):  # an axis with one place that no index is written for
            if places[position] is None and position not in kept and position not in chosen:
                places[position] = _FIRST
        return places

    def _lacks_samples(self, name: str, labels: Sequence[str]) -> bool:
        """Whether a quantity would have one axis more in a batch."""
        tensor = self.world.network.by_name.get(name)
        return SAMPLE not in labels and tensor is not None and tensor.kind != "parameter"

    def _split_digits(self, indices: tuple[Node, ...], counts: tuple[int, int]) -> tuple[Node, ...]:
        """_{11} is two indices where two are needed."""
        if len(indices) == 1 and isinstance(indices[0], Number):
            digits = indices[0].text
            if len(digits) == 2 and digits.isdigit() and 2 in counts:
                number = indices[0]
                return tuple(
                    replace(number, value=type(number.value)(int(d)), text=d) for d in digits
                )
        return indices

    def _gathered(
        self, array: Array, free: tuple[str, ...], axes: Axes, places: Sequence[Node | None]
    ) -> Value:
        """The entries at the places, letters becoming free; reads outside an axis are refused."""
        picks = [None if p is None else self._places(p) for p in places]
        letters = list(free)
        for pick in picks:
            if pick is not None:
                letters.extend(name for name in pick.free if name not in letters)
        selectors: list[Any] = [np.arange(array.shape[0]).reshape(-1, *(1,) * (len(letters)))]
        rank = 1 + len(letters)
        left = [a for a, p in zip(axes, places, strict=True) if p is None]
        for position, name in enumerate(free):
            shape = [1] * rank
            shape[1 + letters.index(name)] = array.shape[1 + position]
            selectors.append(np.arange(array.shape[1 + position]).reshape(shape))
        tail = 0
        for axis, pick, node in zip(axes, picks, places, strict=True):
            if pick is None:
                tail += 1
                shape = (1,) * rank + tuple(
                    axis.size if t == tail else 1 for t in range(1, len(left) + 1)
                )
                selectors.append(np.arange(axis.size).reshape(shape))
                continue
            chosen = v._over(pick, letters).astype(int) - 1
            if np.any(chosen < 0) or np.any(chosen >= axis.size):
                assert node is not None
                raise IllFormed(
                    f"an index goes beyond the {axis.size} places of its axis", node.span, "index"
                )
            selectors.append(chosen)
        selectors = [
            s if s.ndim > rank else s.reshape(s.shape + (1,) * len(left)) for s in selectors
        ]
        return Value(array[tuple(selectors)], tuple(letters), tuple(left), ())

    def _places(self, node: Node) -> Value:
        """The places an index means, counted from 1: a number, a letter, a letter plus one."""
        match node:
            case Symbol(head=head) if head in self.ranges:
                return self._letter(head)
            case Sum(signs=signs, terms=terms):
                total = v.number(0)
                for sign, term in zip(signs, terms, strict=True):
                    total = v.entrywise(
                        total, self._places(term), np.add if sign > 0 else np.subtract
                    )
                return total
            case Group(items=(one,)):
                return self._places(one)
        return v.number(self.scope.whole(node))

    # --- functions --------------------------------------------------------------------------

    def _applied(self, function: Node, arguments: Sequence[Node], node: Node) -> Value:
        parts = split(function)
        if parts is None:
            raise NotUnderstood("what is applied here is no function", function.span)
        symbol, _ = parts
        name = symbol.head.removeprefix("\\")
        if name == "diag" and len(arguments) == 1:
            return _diagonal(self.value(arguments[0]))
        if name in ("max", "min"):
            return self._extreme(name, arguments, node)
        if name == "sqrt" and len(arguments) == 1:
            return v.mapped(self.value(arguments[0]), np.sqrt)
        if len(arguments) != 1:
            raise NotUnderstood(f"{name} of {len(arguments)} arguments", node.span)
        settings = self.settings
        if symbol.head not in settings.letters:
            raise NotUnderstood(f"it is not known what {symbol.head} means here", symbol.span)
        reference = self.scope.resolve(function)
        return self.applied(reference, arguments[0])

    def _extreme(self, name: str, arguments: Sequence[Node], node: Node) -> Value:
        items = arguments
        if len(items) == 1 and isinstance(items[0], Group):
            items = items[0].items
        if len(items) != 2:
            raise NotUnderstood(f"{name} of {len(items)} arguments", node.span)
        one, other = self.value(items[0]), self.value(items[1])

        def choose(a: Array, b: Array) -> Array:
            larger = np.real(a) >= np.real(b)
            return np.where(larger if name == "max" else ~larger, a, b)

        return v.entrywise(one, other, choose)

    def applied(self, reference: Reference, argument: Node) -> Value:
        """A function, or a derivative of it, of an argument."""
        if reference.kind != "function":
            raise NotUnderstood(f"{reference.name} is no function", reference.span)
        of_row = self._row_of_entry(argument)
        value = self.value(argument)
        name = self._function_name(reference, value)
        if name == "softmax":
            if reference.primes:
                raise IllFormed(
                    "softmax is no function of one entry: its derivative is a Jacobian",
                    reference.span,
                    "softmax-elementwise",
                )
            found = self._softmax(argument, value, of_row)
        elif name == "identity":
            found = value if not reference.primes else v.mapped(value, np.ones_like)
        else:
            order, record, point = reference.primes, FUNCTIONS[name], self.world_point
            found = v.mapped(value, lambda a: np.asarray(apply(record, order, a, point)))
            found = replace(found, literal=False)
        if reference.indices:
            found = self._picked(found.array, found.free, found.axes, reference, found)
        if reference.power is not None:
            found = self._powered(found, reference.power)
        return v.transposed(found) if reference.transposed else found

    @property
    def world_point(self) -> Any:
        return self.world.points[0]

    def _function_name(self, reference: Reference, argument: Value) -> str:
        if reference.name != "f":
            return reference.name
        if reference.layer is not None:
            return activation(self.world, reference.layer)
        labels = {a.label for a in argument.axes if a.label.startswith("units")}
        labels = labels or ({argument.feature} if argument.feature else set())
        if len(labels) == 1:
            return activation(self.world, int(labels.pop()[5:]))
        known = {activation(self.world, n) for n in range(1, self.scope.layers + 1)} - {
            "softmax",
            "identity",
        }
        if len(known) == 1:
            return known.pop()
        raise NotUnderstood(f"which activation {reference.name} is here", reference.span)

    def _row_of_entry(self, argument: Node) -> Node | None:
        """The whole vector of an argument z_k, for softmax(z_k)."""
        inner = (
            argument.items[0]
            if isinstance(argument, Group) and len(argument.items) == 1
            else argument
        )
        parts = split(inner)
        if parts is None or not isinstance(inner, Scripted):
            return None
        scripts = tuple(s for s in inner.scripts if s.place == "above" or self._is_mark(inner, s))
        return replace(inner, scripts=scripts) if scripts else inner.base

    def _is_mark(self, node: Scripted, script: object) -> bool:
        return self.settings.mark == "_l" and node.scripts[0] is script

    def _softmax(self, argument: Node, value: Value, of_row: Node | None) -> Value:
        if value.is_scalar:
            if of_row is None:
                raise NotUnderstood("softmax of a single number", argument.span)
            inner = argument.items[0] if isinstance(argument, Group) else argument
            reference = self.scope.resolve(inner)
            whole = self._softmax(of_row, self.value(of_row), None)
            turned = bool(whole.rows) and (not whole.cols or whole.rows[0].label != SAMPLE)
            array = v.transposed(whole).array if turned else whole.array
            return self.entries(reference.name, array, reference)
        places = [p for p, a in enumerate(value.axes) if a.label != SAMPLE]
        if len(places) != 1:
            raise Clash(f"softmax of {v.shape_text(value)}")
        axis = 1 + len(value.free) + places[0]
        raised = np.exp(value.array)
        return replace(value, array=raised / raised.sum(axis=axis, keepdims=True))

    def _powered(self, value: Value, exponent: Node) -> Value:
        match exponent:
            case Number(value=number):
                power = float(number)
            case Product(sign=r"\circ", factors=(Number(value=number),)):
                power = float(number)
            case Symbol(head=("T" | "t" | "\\top" | "\\intercal")):
                return v.transposed(value)
            case Sum() | Group() | Quotient():
                power = float(np.real(self.value(exponent).array.reshape(-1)[0]))
            case _:
                raise NotUnderstood("a power that is no number", exponent.span)
        if power == -1 and not value.is_scalar:
            raise NotUnderstood("an inverse", exponent.span)
        return v.mapped(value, lambda a: a**power)

    # --- sums and products ------------------------------------------------------------------

    def _sum(self, signs: Sequence[int], terms: Sequence[Node]) -> Value:
        total: Value | None = None
        for sign, term in zip(signs, terms, strict=True):
            value = self._spanned(term)
            if total is None:
                total = value if sign > 0 else v.mapped(value, np.negative)
            else:
                total = self._within(
                    term, lambda t=total, x=value, s=sign: v.added(t, x, s, SAMPLE)
                )
        assert total is not None
        return total

    def _spanned(self, node: Node) -> Value:
        return self._within(node, lambda: self.value(node))

    def _within(self, node: Node, work: Any) -> Value:
        """A clash gets the place where it happened."""
        try:
            return work()  # type: ignore[no-any-return]
        except Clash as clash:
            if not hasattr(clash, "span"):
                clash.span = node.span  # type: ignore[attr-defined]
            raise

    def _quotient(self, top: Value, bottom: Value) -> Value:
        return v.entrywise(top, bottom, np.divide)

    def factors(self, factors: Sequence[Node]) -> list[tuple[Node, Any]]:
        """Juxtaposed factors, a function and its argument taken together: pairs of the node and
        either None or the work that makes its value."""
        found: list[tuple[Node, Any]] = []
        position = 0
        while position < len(factors):
            node = factors[position]
            function = self._function(node)
            after = factors[position + 1] if position + 1 < len(factors) else None
            if function is not None and after is not None:
                group, scripts = _argument(after)
                if group is not None:
                    found.append((node, self._application(function, group, scripts)))
                    position += 2
                    continue
            if after is not None and self._is_called(node, after):
                assert isinstance(after, Group)
                sampled = self._called_loss(node, after) or self._called_node(node, after)
                work = None if sampled is None else partial(self.referred, sampled)
                found.append((node, work))
                position += 2
                continue
            found.append((node, None))
            position += 1
        return found

    def _is_called(self, node: Node, after: Node) -> bool:
        r"""H(\hat y, y), z(x), \hat{y}(z): a quantity written with what it depends on."""
        if not isinstance(after, Group) or after.bracket != "(":
            return False
        parts = split(node)
        if parts is None:
            return False
        letter = self.settings.letters.get(parts[0].head, "")
        if letter in ("L", "loss_n"):
            return True
        if len(after.items) > 1 and bool(letter):
            return True
        return letter in ("yhat", "h", "z") and self._is_argument(after.items[0])

    def _is_argument(self, node: Node) -> bool:
        """What a quantity may be said to depend on: the input, the weights."""
        parts = split(node)
        family = self.settings.letters.get(parts[0].head, "") if parts else ""
        return family.partition(":")[0] in ("x", "W", "z")

    def _called_loss(self, node: Node, after: Group) -> Reference | None:
        """The loss of the sample that its arguments mark: H(\\hat y^{(i)}, y^{(i)})."""
        parts = split(node)
        if parts is None or SAMPLE not in self.world.sizes:
            return None
        if self.settings.letters.get(parts[0].head, "") not in ("L", "loss_n"):
            return None
        for item in after.items:
            inner = split(item)
            for script in inner[1] if inner else ():
                try:
                    role = self.scope._role(script, False, "x")
                except NotUnderstood:
                    continue
                if role == "sample":
                    return Reference("loss_n", "loss_n", node.span, sample=script.parts[0])
            if self.settings.sampled and inner is not None and inner[0].head in ("x", "y"):
                raise OneSample("the loss of one sample", node.span)
        return None

    def _called_node(self, node: Node, after: Group) -> Reference | None:
        """A quantity of the sample that its arguments mark: h_W(x^{(i)})."""
        for item in after.items:
            inner = split(item)
            for script in inner[1] if inner else ():
                if script.bracket == "(" and script.place == "above" and script.parts:
                    reference = self.scope.resolve(node)
                    if reference.kind == "tensor" and reference.sample is None:
                        return replace(reference, sample=script.parts[0])
        return None

    def _function(self, node: Node) -> Reference | None:
        parts = split(node)
        if parts is None or parts[0].head in self.ranges:
            return None
        family = self.settings.letters.get(parts[0].head, "")
        if family != "f" and family not in ("softmax", *FUNCTIONS):
            return None
        return self.scope.resolve(node)

    def _application(self, function: Reference, group: Node, scripts: Any) -> Any:
        def work() -> Value:
            inner = function
            for script in scripts:
                role = self.scope._role(script, False, "z")
                if role == "index":
                    inner = replace(inner, indices=(*inner.indices, *script.parts))
                elif role == "transpose":
                    inner = replace(inner, transposed=not inner.transposed)
                elif role == "power":
                    inner = replace(inner, power=script.parts[0])
                else:
                    raise NotUnderstood("a script behind an argument", script.span)
            return self.applied(inner, group)

        return work

    def _product(self, sign: str, factors: Sequence[Node]) -> Value:
        if sign in (r"\odot", r"\circ"):
            return self._entrywise_product(factors)
        if sign == r"\oslash":
            one, *rest = (self._spanned(f) for f in factors)
            for other in rest:
                one = v.entrywise(one, other, np.divide)
            return one
        if sign == r"\otimes":
            raise NotUnderstood(r"\otimes", factors[0].span)
        parts = self.factors(factors) if sign == "" else [(node, None) for node in factors]
        chained = self._chain([node for node, work in parts if work is None], len(parts))
        if chained is not None:
            return chained
        total: Value | None = None
        for node, work in parts:
            value = self._within(node, work) if work is not None else self._spanned(node)
            if total is None:
                total = value
                continue
            total = self._within(node, lambda t=total, x=value: self._times(sign, t, x))
        assert total is not None
        if total.array.size > LARGEST:
            raise NotUnderstood("an array too large to write out", factors[0].span)
        return total

    def _times(self, sign: str, one: Value, other: Value) -> Value:
        try:
            return v.product(one, other)
        except Clash:
            if sign in self.settings.entrywise:
                return v.entrywise(one, other, np.multiply)
            raise

    def _entrywise_product(self, factors: Sequence[Node]) -> Value:
        total: Value | None = None
        for node in factors:
            value = self._spanned(node)
            if total is not None:
                one, other = self._as_slopes(total, value), self._as_slopes(value, total)
                total = self._within(node, lambda a=one, b=other: v.entrywise(a, b, np.multiply))
            else:
                total = value
        assert total is not None
        return total

    def _as_slopes(self, value: Value, other: Value) -> Value:
        """The slopes of an entrywise function where its Jacobian stands in an entrywise product."""
        slopes = slopes_of(value, self.settings)
        if (
            slopes is not None
            and v.fits(slopes.rows, other.rows)
            and v.fits(slopes.cols, other.cols)
        ):
            return slopes
        return value

    # --- big sums ---------------------------------------------------------------------------

    def _big(self, node: Big) -> Value:
        if node.kind == "product":
            raise NotUnderstood("a product over an index", node.span)
        if not node.bounds:
            return self._sum_without_bounds(node.body, node)
        inner = self
        for bound in node.bounds:
            inner = inner.bound(bound, node.body)
        weights = [inner._weight(bound) for bound in node.bounds]
        value = inner._spanned(node.body)
        for bound, weight in zip(node.bounds, weights, strict=True):
            letter = _head(bound.variable)
            if letter not in value.free:
                value = self._unused(letter, value, inner.ranges[letter], weight, node)
                continue
            value = v.summed_letter(value, letter, weight)
        return replace(value, literal=False)

    def _unused(
        self, letter: str, value: Value, axis: Axis, weight: Value | None, node: Big
    ) -> Value:
        """A sum whose letter the body does not use."""
        if axis.label == SAMPLE and value.has(SAMPLE):
            return v.summed(value, SAMPLE)
        if weight is not None:
            return v.summed_letter(v.entrywise(weight, value, np.multiply), letter, None)
        return v.mapped(value, lambda a: a * axis.size)

    def _sum_without_bounds(self, body: Node, node: Big) -> Value:
        letters = self.open_letters(body)
        if letters:
            inner = self
            for letter in letters:
                inner = replace(inner, ranges={**inner.ranges, letter: self.range_of(letter, body)})
            value = inner.value(body)
            for letter in letters:
                value = v.summed_letter(value, letter, None)
            return value
        value = self.value(body)
        if value.has(SAMPLE):
            return v.summed(value, SAMPLE)
        if value.is_scalar:
            raise NotUnderstood("a sum that does not say over what", node.span)
        for axis in value.axes:
            value = v.summed(value, axis.label)
        return value

    def open_letters(self, body: Node) -> list[str]:
        """Index letters of a body that have no range yet."""
        found: list[str] = []
        for node in index_letters(body):
            if node not in self.ranges and node not in found:
                try:
                    self.range_of(node, body)
                except NotUnderstood:
                    continue
                found.append(node)
        return found

    def bound(self, bound: Bound, body: Node) -> Meaning:
        """The surroundings inside a sum: its letter runs over the axis of its uses."""
        letter = _head(bound.variable)
        axis = self._axis_of_uses(letter, body) or self._axis_of_partner(letter, body)
        if axis is None:
            axis = self._axis_of_bound(bound, body)
            used = [h for h in index_letters(body) if h not in self.scope.numbers]
            if used and axis.label != SAMPLE:
                raise IllFormed(
                    f"the sum runs over {letter}, which its terms do not have", bound.span, "index"
                )
        return replace(self, ranges={**self.ranges, letter: axis})

    def _axis_of_partner(self, letter: str, body: Node) -> Axis | None:
        """The axis of the letter that a condition compares this one with."""
        for node in walk(body):
            if not isinstance(node, Comparison):
                continue
            heads = [s.head if isinstance(s, Symbol) else "" for s in (node.left, node.right)]
            if letter in heads:
                other = heads[1 - heads.index(letter)]
                if other in self.ranges:
                    return self.ranges[other]
        return None

    def _axis_of_bound(self, bound: Bound, body: Node) -> Axis:
        if bound.upper is not None:
            parts = split(bound.upper)
            family = self.settings.letters.get(parts[0].head) if parts else None
            if family == "N" and SAMPLE in self.world.sizes:
                return Axis(SAMPLE, self.world.sizes[SAMPLE])
            label = self.settings.sizes.get(parts[0].head, "") if parts else ""
            if label in self.world.sizes:
                return Axis(label, self.world.sizes[label])
            if isinstance(bound.upper, Number):
                return Axis("", int(bound.upper.value))
        if index_letters(body):
            letter = _head(bound.variable)
            raise IllFormed(
                f"the sum runs over {letter}, which its terms do not have", bound.span, "index"
            )
        raise NotUnderstood("what the sum runs over", bound.span)

    def _weight(self, bound: Bound) -> Value | None:
        """1 where the bound holds; None where it holds everywhere."""
        letter = _head(bound.variable)
        axis = self.ranges[letter]
        weights: list[Value] = [self._condition(c) for c in bound.conditions]
        for end, below in ((bound.lower, True), (bound.upper, False)):
            limit = None if end is None else self._limit(end, axis, below)
            if limit is None:
                continue
            here = self._letter(letter)
            held = here.array >= limit if below else here.array <= limit
            weights.append(replace(here, array=held.astype(float)))
        if not weights:
            return None
        total = weights[0]
        for weight in weights[1:]:
            total = v.entrywise(total, weight, np.multiply)
        return total

    def _limit(self, end: Node, axis: Axis, below: bool) -> int | None:
        """The number that ends a sum; None where it is the whole axis."""
        try:
            number = self.scope.whole(end)
        except (NotUnderstood, OutOfRange):
            self._check_size(end, axis, below)
            return None
        if below:
            if number not in (0, 1) and number > axis.size:
                raise IllFormed(f"the sum begins at {number} of {axis.size}", end.span, "index")
            return number if number > 1 else None
        if number > axis.size:
            raise IllFormed(f"the sum goes to {number}, there are {axis.size}", end.span, "index")
        return number

    def _check_size(self, end: Node, axis: Axis, below: bool) -> None:
        """A letter as the end of a sum: the count of samples must not end a sum over units."""
        parts = split(end)
        if parts is None or below:
            return
        family = self.settings.letters.get(parts[0].head, "")
        if family == "N" and axis.label != SAMPLE:
            raise IllFormed(
                f"the sum runs over {v.axis_text(axis)} places, not over the samples",
                end.span,
                "index",
            )
        size = self.settings.sizes.get(parts[0].head, "")
        if size and axis.label and size != axis.label:
            there = v.axis_text(Axis(size, 0))
            raise IllFormed(
                f"{parts[0].head} is {there} elsewhere, the sum runs over {v.axis_text(axis)}",
                end.span,
                "index",
            )

    # --- ranges -----------------------------------------------------------------------------

    def range_of(self, letter: str, *nodes: Node) -> Axis:
        """The axis that the uses of a letter have; raises IllFormed where they differ."""
        for node in nodes:
            axis = self._axis_of_uses(letter, node)
            if axis is not None:
                return axis
        raise NotUnderstood(f"what {letter} counts")

    def _axis_of_uses(self, letter: str, *nodes: Node) -> Axis | None:
        found: list[Axis] = []
        for node in nodes:
            for axis in self._uses(letter, node):
                if axis not in found:
                    found.append(axis)
        if not found:
            return None
        if len({a.label for a in found}) > 1:
            raise IllFormed(
                f"{letter} counts {v.axis_text(found[0])} and {v.axis_text(found[1])}",
                nodes[0].span,
                "index",
            )
        return found[0]

    def _uses(self, letter: str, node: Node) -> list[Axis]:
        if isinstance(node, Big) and letter in {_head(b.variable) for b in node.bounds}:
            return []
        found: list[Axis] = []
        if isinstance(node, (Scripted, Symbol)):
            found.extend(self._uses_in_symbol(letter, node))
        if isinstance(node, Product) and node.sign == "":
            found.extend(self._uses_behind_function(letter, node))
        for child in children(node):
            found.extend(self._uses(letter, child))
        return found

    def _uses_in_symbol(self, letter: str, node: Scripted | Symbol) -> list[Axis]:
        parts = split(node)
        if parts is None or not parts[1] or _looks_kronecker(*parts):
            return []
        try:
            reference = self.scope.resolve(node)
        except (OneSample, OutOfRange):
            raise
        except (NotUnderstood, IllFormed):
            return []
        if reference.kind == "loss_n":
            places = [reference.sample, *reference.indices]
            if any(_head_or_none(p) == letter for p in places if p is not None):
                return [Axis(SAMPLE, self.world.sizes.get(SAMPLE, 1))]
            return []
        if reference.kind not in ("tensor", "adjoint"):
            return []
        axes = self.world.axes(reference.name)
        kept = [p for p, a in enumerate(axes) if a.label not in self.world.flat]
        try:
            places = list(
                self._index_places(reference, axes, self._order(reference.name, axes), kept)
            )
        except OneSample:
            raise
        except (NotUnderstood, IllFormed):
            return []
        return [a for a, p in zip(axes, places, strict=True) if _head_or_none(p) == letter]

    def _uses_behind_function(self, letter: str, node: Product) -> list[Axis]:
        r"""The k of \sigma(z)_k: over the axis of the argument."""
        found = []
        for one, other in zip(node.factors, node.factors[1:], strict=False):
            function = self._function(one)
            group, scripts = _argument(other)
            if function is None or group is None:
                continue
            for script in scripts:
                if script.place == "below" and any(
                    _head_or_none(p) == letter for p in script.parts
                ):
                    try:
                        axes = [a for a in self.value(group).axes if a.label != SAMPLE]
                    except (NotUnderstood, IllFormed, Clash):
                        continue
                    found.extend(axes[:1])
        return found

    def sums(self, node: Node) -> Iterator[tuple[str, str]]:
        """The letters that end sums below a node, with the label of the axis summed over."""
        for big in walk(node):
            if not isinstance(big, Big):
                continue
            for bound in big.bounds:
                parts = None if bound.upper is None else split(bound.upper)
                letter = _head_or_none(bound.variable)
                if parts is None or parts[1] or letter is None:
                    continue
                try:
                    axis = self._axis_of_uses(letter, big.body)
                except (NotUnderstood, IllFormed):
                    continue
                if axis is not None and axis.label:
                    yield parts[0].head, axis.label

    # --- conditions, matrices, the rest -----------------------------------------------------

    def _condition(self, node: Comparison) -> Value:
        one, other = self.value(node.left), self.value(node.right)
        relations: dict[str, Any] = {
            "=": np.equal,
            r"\neq": np.not_equal,
            "<": np.less,
            ">": np.greater,
            r"\leq": np.less_equal,
            r"\geq": np.greater_equal,
        }
        if node.relation not in relations:
            raise NotUnderstood(f"the condition {node.relation}", node.span)
        relation = relations[node.relation]
        found = v.entrywise(one, other, lambda a, b: relation(np.real(a), np.real(b)).astype(float))
        return replace(found, literal=False)

    def _cases(self, branches: Sequence[tuple[Node, Node | None]], node: Node) -> Value:
        total: Value | None = None
        left = v.number(1.0)
        for content, condition in branches:
            value = self.value(content)
            held = left
            if condition is not None:
                if not isinstance(condition, Comparison):
                    raise NotUnderstood("the condition of a case", condition.span)
                true = self._condition(condition)
                held = v.entrywise(left, true, np.multiply)
                left = v.entrywise(left, v.mapped(true, lambda a: 1 - a), np.multiply)
            part = v.entrywise(held, value, np.multiply)
            total = part if total is None else v.entrywise(total, part, np.add)
        assert total is not None
        return replace(total, literal=False)

    def _norm(self, node: Norm) -> Value:
        value = self.value(node.content)
        if value.is_scalar:
            return v.mapped(value, lambda a: np.where(np.real(a) < 0, -a, a))
        if node.single:
            raise NotUnderstood("bars around a vector", node.span)
        square = v.mapped(value, np.square)
        for axis in square.axes:
            square = v.summed(square, axis.label)
        return v.mapped(square, np.sqrt)

    def _matrix(self, rows: Sequence[Sequence[Node]]) -> Value:
        """A literal matrix: of numbers, or of rows or columns set together."""
        cells = [[self._spanned(entry) for entry in row] for row in rows]
        flat = [cell for row in cells for cell in row]
        if len(flat) == 1:
            return flat[0]
        free, arrays = v.aligned(flat)
        lead = 1 + len(free)
        head = np.broadcast_shapes(*(a.shape[:lead] for a in arrays))
        if all(cell.is_scalar for cell in flat):
            stacked = np.stack([np.broadcast_to(a, head) for a in arrays], axis=-1)
            height, width = len(cells), len(cells[0])
            features = {c.feature for c in flat}
            label = features.pop() if len(features) == 1 else ""
            if height == 1:
                return Value(stacked, free, (), (_labelled(label, width, self.world),))
            if width == 1:
                return Value(stacked, free, (_labelled(label, height, self.world),), ())
            shape = (*stacked.shape[:-1], height, width)
            return Value(stacked.reshape(shape), free, (Axis("", height),), (Axis("", width),))
        return _set_together(cells, arrays, free, head)

    # --- derivatives ------------------------------------------------------------------------

    def _derivative(self, node: Derivative) -> Value:
        if node.of is None or node.wrt is None:
            raise NotUnderstood("a derivative that does not say of what by what", node.span)
        if self.world.moving:
            raise NotUnderstood("a derivative inside a derivative", node.span)
        link = self.link(node)
        if link is None:
            return self._explicit(node)
        if node.sign == "nabla":  # a gradient stands as its variable does
            return replace(self, settings=replace(self.settings, vectors="variable"))._from_link(
                link
            )
        return self._from_link(link)

    def _plain_reference(self, node: Node) -> Reference | None:
        """A symbol, with or without the arguments written behind it."""
        match node:
            case Group(items=(one,)) if node.bracket in ("", "("):
                return self._plain_reference(one)
            case Product(sign="", factors=(first, Group() as second)):
                if not self._is_called(first, second):
                    return None
                return self._called_loss(first, second) or self._plain_reference(first)
            case Apply(function=function) if split(function) is not None:
                parts = split(function)
                assert parts is not None
                family = self.settings.letters.get(parts[0].head, "")
                return self._plain_reference(function) if family in ("L", "loss_n") else None
        parts = split(node)
        if parts is None or parts[0].head in self.ranges or parts[0].head in self.local:
            return None
        reference = self.scope.resolve(node)
        if reference.kind == "number" or reference.primes:
            return None
        if reference.power is not None:
            return None
        return reference

    def link(self, node: Node) -> Link | None:
        """A derivative of one named quantity by another, or an adjoint by its name, as a link."""
        match node:
            case Derivative(of=of, wrt=wrt) if of is not None and wrt is not None:
                top, bottom = self._plain_reference(of), self._denominator(wrt, node)
            case Symbol() | Scripted():
                return self._named_link(node)
            case Group(items=(one,)):
                return self.link(one)
            case _:
                return None
        if bottom is None and _head_or_none(wrt) in self.local:
            return None
        if bottom is None:
            raise NotUnderstood("what the derivative is taken by", wrt.span)
        if bottom.kind != "tensor":
            raise NotUnderstood("a derivative by what is no quantity of the network", wrt.span)
        if top is None or top.kind not in ("tensor", "loss_n"):
            return None
        return self._tensor_link(top, bottom)

    def _denominator(self, node: Node, whole: Derivative) -> Reference | None:
        """What is derived by; \\nabla_a C means the output where a has no mark."""
        try:
            return self._plain_reference(node)
        except IllFormed:
            parts = split(node)
            family = self.settings.letters.get(parts[0].head, "") if parts else ""
            if whole.sign == "nabla" and family in ("h", "z") and not parts[1]:  # type: ignore[index]
                name = self.world.network.resolve(f"{family}{self.scope.layers}")
                return Reference("tensor", name, node.span)
            raise

    def _named_link(self, node: Node) -> Link | None:
        parts = split(node)
        if parts is None or parts[0].head in self.ranges or parts[0].head in self.local:
            return None
        if self._kronecker(node) is not None:  # type: ignore[arg-type]
            return None
        try:
            reference = self.scope.resolve(node)
        except (NotUnderstood, IllFormed):
            return None
        if reference.kind != "adjoint" or reference.transposed or reference.power is not None:
            return None
        bottom = replace(reference, kind="tensor")
        top = Reference("tensor", self.world.network.loss, node.span)
        link = self._tensor_link(top, bottom)
        scale = self._scale(reference.scale).array
        return replace(link, array=link.array * scale.reshape((-1,) + (1,) * (link.array.ndim - 1)))

    def _tensor_link(self, top: Reference, bottom: Reference) -> Link:
        if top.kind == "loss_n":
            return self._sample_link(top, bottom)
        array = self._total(top.name, bottom.name)
        outer, inner = self.world.axes(top.name), self.world.axes(bottom.name)
        places: list[Node | None] = []
        for reference, axes in ((top, outer), (bottom, inner)):
            kept = [p for p, a in enumerate(axes) if a.label not in self.world.flat]
            order = self._order(reference.name, axes) if axes else []
            if not reference.indices and reference.sample is None:
                places.extend([None] * len(axes))
            else:
                places.extend(self._index_places(reference, axes, order, kept))
        found = self._gathered(array, (), (*outer, *inner), places)
        left_outer = tuple(a for a, p in zip(outer, places, strict=False) if p is None)
        left_inner = tuple(a for a, p in zip(inner, places[len(outer) :], strict=True) if p is None)
        return Link(_key(top), _key(bottom), found.array, found.free, left_outer, left_inner)

    def _sample_link(self, top: Reference, bottom: Reference) -> Link:
        """d of the loss of one sample, through the outputs of that sample."""
        if SAMPLE not in self.world.sizes:
            return self._tensor_link(Reference("tensor", self.world.network.loss, top.span), bottom)
        place = top.sample or (top.indices[0] if top.indices else None)
        array = loss_slopes(self.world, bottom.name)
        if array is None:
            raise NotUnderstood("the loss of one sample", top.span)
        inner = self.world.axes(bottom.name)
        places: list[Node | None] = [None] * len(inner)
        if bottom.indices or bottom.sample is not None:
            kept = [p for p, a in enumerate(inner) if a.label not in self.world.flat]
            order = self._order(bottom.name, inner)
            places = list(self._index_places(bottom, inner, order, kept))
        outer = Axis(SAMPLE, self.world.sizes[SAMPLE])
        if place is None and bottom.sample is None and SAMPLE in {a.label for a in inner}:
            # each sample's own loss by its own entries: only those are not zero
            own = [a.label for a in inner].index(SAMPLE)
            diagonal = np.moveaxis(np.diagonal(array, axis1=1, axis2=2 + own), -1, 1 + own)
            found = self._gathered(diagonal, (), inner, places)
        else:
            place = place or bottom.sample
            if place is None:
                raise NotUnderstood("the loss of which sample", top.span)
            found = self._gathered(array, (), (outer, *inner), [place, *places])
        left = tuple(a for a, p in zip(inner, places, strict=True) if p is None)
        return Link(_key(top), _key(bottom), found.array, found.free, (), left)

    def _from_link(self, link: Link) -> Value:
        """A derivative laid out as the note lays it out."""
        outer_count, lead = len(link.outer), 1 + len(link.free)
        array, axes = link.array, (*link.outer, *link.inner)
        flat = self.world.flat
        dropped = [p for p, a in enumerate(axes) if a.label in flat]
        if dropped:
            array = array.squeeze(axis=tuple(lead + p for p in dropped))
            outer_count -= sum(1 for p in dropped if p < outer_count)
            axes = tuple(a for a in axes if a.label not in flat)
        outer, inner = axes[:outer_count], axes[outer_count:]
        if not outer and not inner:
            return Value(array, link.free)
        if not outer:
            return self._by_variable(link.wrt, array, inner, link.free)
        if not inner:
            return self._by_number(link.of, array, outer, link.free)
        found = Value(array, link.free, outer, inner)
        turned = self.settings.layout == "denominator"
        return v.transposed(found) if turned else found

    def _by_variable(self, wrt: str, array: Array, axes: Axes, free: tuple[str, ...]) -> Value:
        """d number / d something: in the shape of the variable, or a row."""
        name = wrt.partition("[")[0]
        found = self._oriented(name, array, axes, free)
        if self.settings.vectors == "row" and found.rows and not found.cols:
            return v.transposed(found)
        return found

    def _by_number(self, of: str, array: Array, axes: Axes, free: tuple[str, ...]) -> Value:
        """d something / d number: a column in numerator layout, a row in denominator layout."""
        if len(axes) > 1:
            return self._oriented(of.partition("[")[0], array, axes, free)
        if self.settings.layout == "numerator":
            return Value(array, free, axes, ())
        return Value(array, free, (), axes)

    def _chain(self, nodes: Sequence[Node], count: int) -> Value | None:
        """A product of derivatives that fit together by their names: the chain rule, however
        vectors stand."""
        if len(nodes) != count or count < 2 or self.world.moving:
            return None
        if not any(isinstance(n, Derivative) for n in nodes):
            return None
        links: list[Link] = []
        for node in nodes:
            link = self.link(node)
            if link is None or (isinstance(node, Derivative) and node.operator and link is None):
                return None
            links.append(link)
        if self.settings.chain == "up":
            links = links[::-1]
        total = links[0]
        for link in links[1:]:
            if total.wrt != link.of:
                return None
            total = _joined(total, link)
        return self._from_link(total)

    def _explicit(self, node: Derivative) -> Value:
        """d expression / d variable, by moving every entry of the variable."""
        assert node.of is not None
        assert node.wrt is not None
        reference = self._denominator(node.wrt, node)
        if reference is None and _head_or_none(node.wrt) in self.local:
            return self._by_local(node)
        if reference is None or reference.kind != "tensor":
            raise NotUnderstood("what the derivative is taken by", node.wrt.span)
        name = reference.name
        inner = self.world.axes(name)
        moved = replace(self, world=replace(self.world.moved(name), points=self.world.points))
        value = moved.value(node.of)
        shape = tuple(a.size for a in inner)
        points = self.world.values[name].shape[0]
        count = int(np.prod(shape, dtype=int))
        imag = (
            np.broadcast_to(np.imag(value.array), (points * count, *value.array.shape[1:])) / STEP
        )
        array = np.moveaxis(imag.reshape(points, count, *imag.shape[1:]), 1, -1)
        array = array.reshape(*array.shape[:-1], *shape)
        kept = [p for p, a in enumerate(inner) if a.label not in self.world.flat]
        places: list[Node | None] = [None] * len(inner)
        if reference.indices or reference.sample is not None:
            places = self._index_places(reference, inner, self._order(name, inner), kept)
        found = self._gathered(
            array, value.free, (*value.axes, *inner), [None] * len(value.axes) + places
        )
        left = tuple(a for a, p in zip(inner, places, strict=True) if p is None)
        link = Link("expression", _key(reference), found.array, found.free, value.axes, left)
        if not left and len(value.axes) > 1:
            return Value(found.array, found.free, value.rows, value.cols)
        return self._from_link(link)

    def _by_local(self, node: Derivative) -> Value:
        assert node.of is not None
        letter = _head_or_none(node.wrt)
        assert letter is not None
        here = self.local[letter]
        step = replace(here, array=here.array.astype(complex) + 1j * STEP)
        value = replace(self, local={**self.local, letter: step}).value(node.of)
        return v.mapped(value, lambda a: np.imag(a) / STEP)

    def _scripts_outside(self, node: Scripted) -> Value:
        r"""Scripts on a group: (W^3)^T, (a - y)^2, (z)_k, \left(\cdot\right)^{-1}."""
        value = self.value(node.base)
        for script in node.scripts:
            if isinstance(node.base, Norm) and _names_a_norm(script):
                continue
            match script.kind:
                case "transpose":
                    value = v.transposed(value)
                case "group" if script.place == "above" and not script.bracket:
                    value = self._powered(value, script.parts[0])
                case "group" if script.place == "below":
                    reference = Reference("letter", "", node.span, indices=script.parts)
                    value = self._picked(value.array, value.free, value.axes, reference, value)
                case "group" if script.bracket == "(":
                    reference = Reference("letter", "", node.span, sample=script.parts[0])
                    value = self._picked(value.array, value.free, value.axes, reference, value)
                case "inverse" if value.is_scalar:
                    value = v.mapped(value, lambda a: 1 / a)
                case _:
                    raise NotUnderstood("a script on this expression", script.span)
        return value


# --------------------------------------------------------------------------------------------
# Helpers
# --------------------------------------------------------------------------------------------

_FIRST = Number(value=Fraction(1), text="1", span=Span(0, 0))


def _looks_kronecker(symbol: Symbol, scripts: tuple[Script, ...]) -> bool:
    r"""\delta_{jk}: two indices and nothing else."""
    if symbol.head not in (r"\delta", "1", r"\mathbf{1}") or len(scripts) != 1:
        return False
    return scripts[0].place == "below" and len(scripts[0].parts) == 2


def _names_a_norm(script: Script) -> bool:
    r"""\|A\|_F and \|a\|_2: which norm it is."""
    if script.place != "below" or len(script.parts) != 1:
        return False
    part = script.parts[0]
    return (isinstance(part, Symbol) and part.head == "F") or (
        isinstance(part, Number) and part.text == "2"
    )


def _is_whole(node: Node) -> bool:
    """`:` and a dot: the whole axis."""
    return isinstance(node, Dots) or (isinstance(node, Symbol) and node.head in (":", r"\cdot"))


def _head(node: Node) -> str:
    parts = split(node)
    if parts is None or parts[1]:
        raise NotUnderstood("the letter of a sum", node.span)
    return parts[0].head


def _head_or_none(node: Node | None) -> str | None:
    match node:
        case Symbol(head=head):
            return head
        case Group(items=(one,)):
            return _head_or_none(one)
        case Sum(terms=terms):
            found = [h for t in terms if (h := _head_or_none(t)) is not None]
            return found[0] if len(found) == 1 else None
    return None


def index_letters(node: Node) -> tuple[str, ...]:
    """Letters that stand as indices somewhere below a node, in reading order."""
    kept = node.__dict__.get("_index_letters")
    if kept is None:
        kept = tuple(dict.fromkeys(_index_letters(node)))
        object.__setattr__(node, "_index_letters", kept)
    return kept  # type: ignore[no-any-return]


def _index_letters(node: Node) -> Iterator[str]:
    if isinstance(node, Scripted):
        for script in node.scripts:
            if script.kind == "group":
                yield from (h for p in script.parts if (h := _head_or_none(p)) is not None)
    for child in children(node):
        yield from index_letters(child)


def _argument(node: Node) -> tuple[Node | None, tuple[Any, ...]]:
    """The parenthesised argument of a function, and the scripts behind it."""
    match node:
        case Group(bracket=("(" | "[" | "{"), items=(one,)):
            return one, ()
        case Scripted(base=Group(bracket=("(" | "[" | "{"), items=(one,)), scripts=scripts):
            return one, scripts
    return None, ()


def _key(reference: Reference) -> str:
    if not reference.indices and reference.sample is None:
        return reference.name
    parts = [repr(_plain(p)) for p in (*reference.indices, reference.sample) if p is not None]
    return f"{reference.name}[{','.join(parts)}]"


def _plain(node: Node) -> Any:
    """A node without its positions, to compare indices as they are written."""
    match node:
        case Symbol(head=head):
            return head
        case Number(text=text):
            return text
        case Group(items=(one,)):
            return _plain(one)
        case _:
            return (
                type(node).__name__,
                *(_plain(c) for c in children(node)),
                getattr(node, "signs", ""),
            )


def _joined(one: Link, other: Link) -> Link:
    """d a / d b times d b / d c."""
    count = len(one.inner)
    a = Value(one.array, one.free, one.outer, one.inner)
    b = Value(other.array, other.free, other.outer, other.inner)
    product = v.contracted(a, b, count)
    return Link(one.of, other.wrt, product.array, product.free, one.outer, other.inner)


def _labelled(label: str, size: int, world: World) -> Axis:
    return Axis(label if world.sizes.get(label) == size else "", size)


def _set_together(
    cells: Sequence[Sequence[Value]], arrays: Sequence[Array], free: tuple[str, ...], head: Any
) -> Value:
    flat = [cell for row in cells for cell in row]
    first = flat[0]
    if not all(v.fits(c.rows, first.rows) and v.fits(c.cols, first.cols) for c in flat):
        raise Clash("the entries of a matrix have different shapes")
    tail = arrays[0].shape[len(head) :]
    full = [np.broadcast_to(a, (*head, *tail)) for a in arrays]
    if len(cells) == 1 and not first.cols and len(first.rows) == 1:
        return Value(np.stack(full, axis=-1), free, first.rows, (Axis("", len(flat)),))
    if len(cells[0]) == 1 and not first.rows and len(first.cols) == 1:
        return Value(np.stack(full, axis=-2), free, (Axis("", len(flat)),), first.cols)
    raise Clash("the entries of a matrix are not numbers, nor columns side by side, nor rows")


def _diagonal(value: Value) -> Value:
    if len(value.axes) != 1:
        raise Clash(f"diag of {v.shape_text(value)}")
    axis = value.axes[0]
    array = value.array[..., None] * np.eye(axis.size)
    return Value(array, value.free, (axis,), (axis,))


def slopes_of(value: Value, settings: Settings) -> Value | None:
    """The diagonal of a Jacobian whose rows and columns are one axis (or one batch), as the
    vector or batch itself; None where the array is no such Jacobian or not diagonal."""
    if not value.rows or not v.fits(value.rows, value.cols):
        return None
    count, lead = len(value.rows), 1 + len(value.free)
    shape = value.array.shape[lead : lead + count]
    size = int(np.prod(shape, dtype=int))
    square = value.array.reshape(*value.array.shape[:lead], size, size)
    diagonal = np.einsum("...ii->...i", square)
    if np.abs(square - diagonal[..., None] * np.eye(size)).max() > 1e-12:
        return None
    array = diagonal.reshape(*value.array.shape[:lead], *shape)
    rows = tuple(a for a in value.rows if a.label == SAMPLE)
    cols = tuple(a for a in value.rows if a.label != SAMPLE)
    found = Value(array, value.free, rows, cols)
    stands = settings.samples if rows else settings.single
    return v.transposed(found) if stands == "columns" else found


def activation(world: World, layer: int) -> str:
    """The name of the scalar function of a layer, `softmax` or `identity`."""
    network = world.network
    pre, post = network.resolve(f"z{layer}"), network.resolve(f"h{layer}")
    if post not in network.by_name:
        raise OutOfRange(f"there is no layer {layer}", None, "layer")
    if pre == post or pre not in network.by_name:
        return "identity"
    equation = network.equation_of[post]
    functions = {
        a.function
        for t in equation.rhs.terms
        for f in t.factors
        for a in f.atoms() | {f}
        if hasattr(a, "function")
    }
    if len(functions) == 1 and len(equation.reads) == 1:
        return str(functions.pop())
    return "softmax"


def loss_share(world: World) -> float:
    """The loss over the sum of the losses of single samples, times the number of samples: 1 for
    a mean, N for a sum."""
    array = loss_by_sample(world)
    if array is None:
        return 1.0
    total = world.values[world.network.loss] / array.sum(axis=1)
    return float(np.real(total[0])) * array.shape[1]


def loss_slopes(world: World, wrt: str) -> Array | None:
    """d loss of sample n / d `wrt`: points, samples, then the axes of `wrt`."""
    losses = loss_by_sample(world)
    if losses is None:
        return None
    network = world.network
    outputs = [
        name
        for name in sorted(network.equation_of[network.loss].reads)
        if network.by_name[name].kind == "intermediate" and SAMPLE in world_labels(world, name)
    ]
    if len(outputs) != 1:
        return None
    output = outputs[0]
    slope = world.total(network.loss, output) * (losses.shape[1] / loss_share(world))
    inner = world.total(output, wrt)
    axes = world.values[output].ndim - 2
    extra = inner.ndim - 2 - axes
    units = list(range(2, 2 + axes))
    tail = list(range(10, 10 + extra))
    return np.asarray(np.einsum(slope, [0, 1, *units], inner, [0, 1, *units, *tail], [0, 1, *tail]))


def world_labels(world: World, name: str) -> list[str]:
    return [a.label for a in world.axes(name)]


def loss_by_sample(world: World) -> Array | None:
    """The loss of each sample alone, points first; None for one sample, or where samples mix."""
    network = world.network
    equation = network.equation_of.get(network.loss)
    if equation is None or SAMPLE not in world.sizes or world.moving:
        return None
    terms = []
    index = None
    for term in equation.rhs.terms:
        bound = [i for i in term.bound if i.axis.name == SAMPLE]
        if len(bound) != 1:
            return None
        index = index or bound[0]
        if bound[0] != index:
            return None
        rest = tuple(i for i in term.bound if i is not bound[0])
        coefficient = term.coefficient.xreplace({index.axis.extent: 1})
        terms.append(replace(term, bound=rest, coefficient=coefficient))
    if index is None:
        return None
    whole = Expression(tuple(terms))
    return np.stack([np.asarray(evaluate(whole, (index,), p), dtype=float) for p in world.points])
