r"""From the equations of a note to its network, or to what is missing.

Owns: `network_of`: the chain of layers that leads to the loss, with sizes where they are stated,
or the gaps, each with its line and what to write. Refuses: judging; whether the lines hold under
what was taken is asked afterwards (`judged`).
Would be wrong if it guessed: two lines that differ, a function that nobody names, a depth that
stands nowhere are gaps.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from symbackprop.judging.notes.formula.symbols import split
from symbackprop.judging.notes.own.equations import Equations, Given
from symbackprop.judging.notes.own.losses import Loss
from symbackprop.judging.notes.own.records import (
    Candidate,
    Circle,
    Gap,
    Missing,
    Open,
    Stage,
    Taken,
)
from symbackprop.judging.notes.own.syntax import (
    LAST,
    LAYER,
    Activated,
    Affine,
    Expression,
    Function,
    Key,
    Mark,
    Quantity,
    Written,
    conventional,
    small,
)
from symbackprop.judging.notes.page import DEEPEST
from symbackprop.networks.layers.activations import ACTIVATIONS
from symbackprop.networks.layers.architecture import Architecture, Layer, Size
from symbackprop.networks.layers.losses import LOSSES
from symbackprop.reading.latex.syntax import Big, Matrix, Node, Norm, Scripted, walk
from symbackprop.reading.notes.passages import Note

TARGETS = frozenset({"y", "t", "d"})  # by custom; what a line gives them are numbers


def network_of(note: Note) -> Taken | Missing:
    """The network of a note. Where one letter is given in two ways, its index letters may tell
    the layers: that is tried, where nothing else marks them."""
    equations = Equations.of(note)
    found = _network_of(equations)
    if isinstance(found, Missing):
        by_index = _network_of(equations.by_index)
        return by_index if isinstance(by_index, Taken) else found
    return found


def _network_of(equations: Equations) -> Taken | Missing:
    if not equations.given or not any(map(_has_layer, equations.given)):
        example = r"write the layers, e.g. `z^1 = x W^1 + b^1`, `h^1 = \sigma(z^1)`"
        return Missing((Gap(0, f"no line gives a layer; {example}"),))
    if not equations.losses:
        example = r"e.g. `L = \frac12 \|\hat y - y\|^2` or `L = -\sum_k y_k \log \hat y_k`"
        gaps = [Gap(0, f"no line gives the loss; write it, {example}")]
        general = [g for g in equations.given if _is_general(g)]
        if general and equations.last is None:
            gaps.insert(0, _no_depth(general[0].written))
        return Missing(tuple(gaps))
    try:
        return _Chain(equations).taken()
    except Open as found:
        return Missing(found.gaps)


def _has_layer(given: Given) -> bool:
    return any(isinstance(e, Affine) for e in _inside(given.expression))


def _inside(expression: Expression) -> Iterator[Expression]:
    yield expression
    if isinstance(expression, Activated):
        yield from _inside(expression.argument)
    elif isinstance(expression, Affine):
        yield from _inside(expression.source)


def _mapped(expression: Expression, key: Callable[[Key], Key]) -> Expression:
    match expression:
        case Quantity(key=own):
            return replace(expression, key=key(own))
        case Affine(weight=weight, source=source, bias=bias):
            return replace(
                expression,
                weight=replace(weight, key=key(weight.key)),
                source=_mapped(source, key),
                bias=None if bias is None else replace(bias, key=key(bias.key)),
            )
        case Activated(function=function, argument=argument):
            letter = None if function.letter is None else key(function.letter)
            return replace(
                expression,
                function=replace(function, letter=letter),
                argument=_mapped(argument, key),
            )


@dataclass
class _Chain:
    """A walk from the loss down to the input; `known` are the letters that were followed."""

    equations: Equations
    known: dict[Key, tuple[Stage, ...] | Open] = field(default_factory=dict)

    def taken(self) -> Taken:
        losses = self.equations.losses
        loss = losses[0]
        stages, output = self._stages(loss)
        for other in losses[1:]:
            if other.kind != loss.kind or other.half != loss.half:
                lines = f"lines {loss.written.line} and {other.written.line}"
                raise Open(Gap(0, f"{lines} give two losses"))
        self._all_used(stages)
        self._fits(stages, loss)
        written = [w for stage in stages for w in stage.written]
        written += [loss.written, *(w for _, w in self.equations.totals)]
        written += [loss.written for loss in losses[1:] if loss.name != losses[0].name]
        written += self._said_functions(stages)
        counted = any(each.counted for each in losses) or bool(self.equations.totals)
        letters = self._letters(loss, output) | self._function_letters(stages)
        candidates = tuple(self._candidates(stages, loss, letters))
        stated = tuple(each.written for each in losses)
        return Taken(candidates, tuple(written), stated, counted, self._units_and_weights(stages))

    def _function_letters(self, stages: Sequence[Stage]) -> dict[str, str]:
        """What the letters of the activations are, where one is the same in all layers."""
        found: dict[str, str] = {}
        for stage in stages:
            if stage.letter is not None and stage.letter.mark is None:
                found[stage.letter.head] = stage.activation
        return found

    def _letters(self, loss: Loss, output: Key | None) -> dict[str, str]:
        """What the loss says of its letters: the target, the output, and itself."""
        meant: dict[str, str] = {}
        targets = [k for k in loss.of if k not in self.table and k.mark is None]
        if output is not None and len(targets) == 1:
            meant[targets[0].head] = "y"
        if output is not None and output in _plain([output]) and output.head not in ("z", "a", "h"):
            meant[output.head] = "yhat"
        found = self._in_all_cases(meant)
        plain = len({each.name for each in self.equations.losses}) == 1
        if plain and loss.is_plain and not self.equations.totals and not self.equations.depths:
            found[loss.name] = "L"
        return found

    def _in_all_cases(self, meant: Mapping[str, str]) -> dict[str, str]:
        """The same for the capital of a letter."""
        heads = sorted(self.equations.heads)
        return {head: meant[small(head)] for head in heads if small(head) in meant}

    def _units_and_weights(self, stages: Sequence[Stage]) -> dict[str, str]:
        """What those letters are that carry no layer anywhere."""
        marked = {key.head for key in self.equations.keys if key.mark is not None}
        found: dict[str, str] = {}
        for number, stage in enumerate(stages, start=1):
            found |= {key.head: f"W:{number}" for key in _plain([stage.weight])}
            found |= {key.head: f"b:{number}" for key in _plain([stage.bias])}
        for key in _plain(self.table):
            place = self._units(key, stages)
            if place:
                made = self._of(key, self.table[key][0].written)[-1]
                found[key.head] = f"{'h' if made.activation else 'z'}:{place}"
        return self._in_all_cases({h: f for h, f in found.items() if h not in marked})

    # --- layers -----------------------------------------------------------------------------

    @cached_property
    def table(self) -> Mapping[Key, tuple[Given, ...]]:
        """What gives each letter, lines about any layer once for each layer."""
        found: dict[Key, list[Given]] = {}
        for given in self.equations.given:
            for each in self._instances(given):
                found.setdefault(each.key, []).append(each)
        return {key: tuple(self._without_general(own)) for key, own in found.items()}

    def _without_general(self, own: Sequence[Given]) -> Sequence[Given]:
        """What a line about one layer makes the input is no layer of the lines about any."""
        is_input = self.equations.is_input
        sources = [g.expression.key for g in own if isinstance(g.expression, Quantity)]
        return [g for g in own if not g.general] if any(map(is_input, sources)) else own

    def _instances(self, given: Given) -> Iterator[Given]:
        keys = [given.key, *_keys(given.expression)]
        letters = {k.mark.letter for k in keys if k.mark is not None}
        first, last = self.equations.first, self.equations.last
        if not letters & {LAYER, LAST}:
            yield given
        elif last is None:
            return
        elif LAYER not in letters:
            yield self._at(given, 0, last)
        else:
            for layer in range(0, last + 2):
                if given.layers is None or layer in given.layers:
                    one = self._at(given, layer, last)
                    if one.key.mark is None or first < one.key.mark.number <= last:
                        yield replace(one, general=True)

    def _at(self, given: Given, layer: int, last: int) -> Given:
        def number(key: Key) -> Key:
            return _numbered(key, layer, last)

        return replace(given, key=number(given.key), expression=_mapped(given.expression, number))

    def _stages(self, loss: Loss) -> tuple[tuple[Stage, ...], Key | None]:
        """The layers that lead to the loss, and the letter in it that they make."""
        last = self.equations.last
        general = [g for g in self.equations.given if _is_general(g)]
        keys = [k if last is None else _numbered(k, 0, last) for k in loss.of]
        if last is not None and last > DEEPEST:
            said = f"the last layer is {last}; notes are judged up to {DEEPEST} layers"
            raise Open(Gap(0, said))
        if last is None and (general or any(_is_general_key(k) for k in keys)):
            raise Open(_no_depth(general[0].written if general else loss.written))
        chains = {key: self._of(key, loss.written) for key in keys if key in self.table}
        output = max(chains, key=lambda key: len(chains[key]), default=None)
        if output is not None and chains[output]:
            return chains[output], output
        for key in keys:
            if key.head not in TARGETS and (line := self._unread(key)):
                name = _text(key, self.equations)
                said = f"what line {line} gives as {name} is not read as a layer"
                raise Open(Gap(loss.written.line, said))
        return self._unlinked(loss), None

    def _unread(self, key: Key) -> int:
        """The line that gives a letter in a way that is not read; 0 for none."""
        found = (w for w in self.equations.written if self.equations.left(w.statement) == key)
        return next((w.line for w in found if len(w.statement.sides) > 1), 0)

    def _unlinked(self, loss: Loss) -> tuple[Stage, ...]:
        r"""Where no line says what \hat y is: what the last layer gives, if by an activation."""
        used = {k for own in self.table.values() for g in own for k in _keys(g.expression)}
        ends = [
            key
            for key in self.table
            if key not in used and not self.equations.reader.is_weight(key.head)
        ]
        chains = {key: self._of(key, self.table[key][0].written) for key in ends}
        longest = max(map(len, chains.values()), default=0)
        best = [key for key in ends if len(chains[key]) == longest and longest]
        if not best:
            raise Open(Gap(loss.written.line, "nothing says what the output is made from"))
        same = {tuple(s.says for s in chains[key]) for key in best}
        if len(same) > 1:
            lines = " and ".join(str(self.table[key][0].written.line) for key in best)
            raise Open(Gap(0, f"lines {lines} give two last layers"))
        chain = chains[best[0]]
        if not chain[-1].activation and not best[0].head.startswith(r"\hat"):
            name = self.table[best[0]][0].name
            needs = LOSSES[loss.kind].needs
            example = rf"\operatorname{{{needs}}}({name})" if needs else name
            said = f"nothing says what the output is; write it, e.g. `\\hat y = {example}`"
            raise Open(Gap(loss.written.line, said))
        return chain

    def _of(self, key: Key, reader: Written, above: tuple[Key, ...] = ()) -> tuple[Stage, ...]:
        """The layers that a letter is made of; each letter is followed once.
        Raises: Open where it is not given, or in two ways."""
        if key in above:
            said = f"{_text(key, self.equations)} is made from itself"
            raise Circle(Gap(reader.line, f"{said}; mark the layers, as in z^1"))
        if key not in self.known:
            try:
                self.known[key] = self._followed(key, reader, above)
            except Open as problem:
                self.known[key] = problem
        known = self.known[key]
        if isinstance(known, Open):
            raise known
        return known

    def _followed(self, key: Key, reader: Written, above: tuple[Key, ...]) -> tuple[Stage, ...]:
        if key not in self.table:
            if self.equations.is_input(key):
                return ()
            raise Open(self._ungiven(key, reader))
        found: list[tuple[Given, tuple[Stage, ...]]] = []
        gaps: list[Gap] = []
        for given in self.table[key]:
            try:
                found.append((given, self._made(given.expression, given.written, (*above, key))))
            except Circle:
                raise
            except Open as problem:
                gaps += problem.gaps
        if not found:
            raise Open(*dict.fromkeys(gaps))
        (first, stages), *others = found
        for other, differing in others:
            if [s.says for s in differing] != [s.says for s in stages]:
                lines = f"lines {first.written.line} and {other.written.line}"
                raise Open(Gap(0, f"{lines} give {first.name} in two ways; write one"))
        return stages

    def _ungiven(self, key: Key, reader: Written) -> Gap:
        name = _text(key, self.equations)
        if line := self._unread(key):
            return Gap(reader.line, f"what line {line} gives as {name} is not read as a layer")
        if key.mark is not None and not key.mark.letter and key.head in ("a", "h"):
            number = key.mark.number
            again = rf"e.g. `{name} = \sigma({_text(Key('z', key.mark), self.equations)})`"
            said = f"write the activation of layer {number}, {again}"
        else:
            said = f"write what {name} is made from"
        return Gap(reader.line, f"{name} is read, and no line gives it; {said}")

    def _made(
        self, expression: Expression, written: Written, above: tuple[Key, ...]
    ) -> tuple[Stage, ...]:
        match expression:
            case Quantity(key=key):
                stages = self._of(key, written, above)
                last = [replace(s, written=(*s.written, written)) for s in stages[-1:]]
                return (*stages[:-1], *last)
            case Affine(weight=weight, source=source, bias=bias):
                before = self._made_below(source, written, above)
                own = None if bias is None else bias.key
                first, vector = expression.outputs_first, expression.vector
                return (*before, Stage(weight.key, own, "", first, vector, (written,)))
            case Activated(function=function, argument=argument):
                before = self._made_below(argument, written, above)
                if not before or before[-1].activation:
                    said = "a function that is applied to no layer"
                    raise Open(Gap(written.line, said))
                name, lines = self._function(function, written), (*before[-1].written, written)
                final = replace(before[-1], activation=name, written=lines, letter=function.letter)
                return (*before[:-1], final)

    def _made_below(
        self, expression: Expression, written: Written, above: tuple[Key, ...]
    ) -> tuple[Stage, ...]:
        """The layers of what a line builds on: those are told by other lines."""
        if isinstance(expression, Quantity):
            return self._of(expression.key, written, above)
        return self._made(expression, written, above)

    def _function(self, function: Function, written: Written) -> str:
        """The activation that a function is: as the note says, else as custom has it."""
        if function.letter is None:
            return function.name
        said = self.equations.function(function.letter)
        letter = function.letter.head
        names = list(dict.fromkeys(each.name for each in said))
        if not names and conventional(function.letter):
            return conventional(function.letter)
        if len(names) > 1:
            lines = " and ".join(str(each.written.line) for each in said)
            raise Open(Gap(0, f"lines {lines} give {letter} in two ways; write one"))
        if not names:
            example = rf"write it, e.g. `{letter}(z) = \tanh(z)`"
            raise Open(Gap(written.line, f"nothing says which function {letter} is; {example}"))
        if not names[0]:
            known = ", ".join(ACTIVATIONS)
            raise Open(Gap(said[0].written.line, f"{letter} is none of {known}"))
        return names[0]

    def _said_functions(self, stages: Sequence[Stage]) -> list[Written]:
        """The lines that say what the functions of the layers are."""
        letters = dict.fromkeys(stage.letter for stage in stages if stage.letter is not None)
        said = [self.equations.function(letter)[:1] for letter in letters]
        return [each.written for found in said for each in found]

    def _all_used(self, stages: Sequence[Stage]) -> None:
        """A network without a layer that the note has weights of is not its own."""
        reader = self.equations.reader
        used = _weights_of(stages)
        twice = [stage for n, stage in enumerate(stages) if stage.weight in _weights_of(stages[:n])]
        if twice:
            name = _text(twice[0].weight, self.equations)
            said = f"{name} stands in two layers, which no network file has"
            raise Open(Gap(twice[0].written[0].line, said))
        heads = {g.key.head for g in self.equations.given if _weights(g) & used}
        for given in self.equations.given:
            other = _weights(given) - used
            if other and given.key.head in heads and not any(map(_is_general_key, other)):
                said = f"{given.name} is given in another layer, which does not lead to the loss"
                raise Open(Gap(given.written.line, said))
        for written in self.equations.written:
            nodes = (n for side in written.statement.sides for n in walk(side))
            for node in (n for n in nodes if isinstance(n, Scripted)):
                key = reader.key(node)
                if key is None or key.mark is None or key in used or not reader.is_weight(key.head):
                    continue
                if not _is_general_key(key) and key.head in {k.head for k in used if k.mark}:
                    said = f"{written.text(node)} is in no layer that leads to the loss"
                    raise Open(Gap(written.line, f"{said}; write the layer"))

    def _fits(self, stages: Sequence[Stage], loss: Loss) -> None:
        record, final = LOSSES[loss.kind], stages[-1]
        if record.needs is None or record.needs == final.activation:
            return
        has = final.activation or "no activation"
        line = final.written[-1].line
        said = (
            f"the {record.words} needs {record.needs} in the last layer, and line {line} has {has}"
        )
        raise Open(Gap(loss.written.line, f"{said}; write another"))

    # --- sizes ------------------------------------------------------------------------------

    def _sizes(self, stages: Sequence[Stage], loss: Loss) -> dict[int, Size]:
        """The sizes that are stated, by the number of layers before them."""
        found: dict[int, tuple[Size, int]] = {}
        for shape in self.equations.shapes:
            line = shape.written.line
            for place, size in self._placed(shape.key, shape.sizes, stages, loss):
                if not size:
                    continue
                known = found.get(place)
                if known is None or (isinstance(known[0], str) and isinstance(size, int)):
                    found[place] = (size, line)
                elif isinstance(size, int) and size != known[0]:
                    lines = f"lines {known[1]} and {line}"
                    raise Open(Gap(0, f"{lines} give one size as {known[0]} and {size}"))
        return {place: size for place, (size, _) in found.items()}

    def _placed(
        self, key: Key, sizes: Sequence[Size], stages: Sequence[Stage], loss: Loss
    ) -> Iterator[tuple[int, Size]]:
        for number, stage in enumerate(stages, start=1):
            if key == stage.weight and len(sizes) == 2 and stage.outputs_first is not None:
                outer, inner = sizes if stage.outputs_first else reversed(sizes)
                yield from ((number, outer), (number - 1, inner))
            if key == stage.bias and (one := _only(sizes, stages[0])):
                yield number, one
        units = self._units(key, stages)
        if units is None and (key in loss.of or self.equations.is_input(key)):
            units = len(stages) if key in loss.of else 0
        if units is not None and (one := _only(sizes, stages[0])):
            yield units, one

    def _units(self, key: Key, stages: Sequence[Stage]) -> int | None:
        """The number of the layer of a letter that a line gives; None for another."""
        if key not in self.table:
            return None
        try:
            chain = self._of(key, self.table[key][0].written)
        except Open:
            return None
        own = [s.weight for s in chain]
        return len(chain) if own == [s.weight for s in stages[: len(own)]] else None

    # --- candidates -------------------------------------------------------------------------

    def _candidates(
        self, stages: Sequence[Stage], loss: Loss, letters: Mapping[str, str]
    ) -> Iterator[Candidate]:
        stated = self._sizes(stages, loss)
        for number, stage in enumerate(stages, start=1):
            if stage.vector:
                stated.setdefault(number, 1)
        single = dict(stated)
        if not loss.spread and loss.kind != "cross_entropy":
            single.setdefault(len(stages), 1)
        if self._is_scalar(stages):
            single = {n: single.get(n, 1) for n in range(len(stages) + 1)}
        first = self._architecture(stages, loss, single)
        yield Candidate(first, letters)
        counted = any(each.counted for each in self.equations.losses) or self.equations.totals
        if not counted:
            for reduction in ("sum", "mean"):
                said = f"the loss is a {reduction} over the samples"
                other = replace(first, reduction=reduction)
                yield Candidate(other, letters, said, reduction)
        if loss.divided:
            said = "the loss is a mean over the outputs too"
            some = self._architecture(stages, loss, stated)
            yield Candidate(replace(some, reduction="mean_elements"), letters, said)
        if single != stated:
            some = self._architecture(stages, loss, stated)
            yield Candidate(some, letters, "layers have several units")
        yield from self._doubts(stages, loss, letters, single)

    def _doubts(
        self,
        stages: Sequence[Stage],
        loss: Loss,
        letters: Mapping[str, str],
        sizes: Mapping[int, Size],
    ) -> Iterator[Candidate]:
        """What custom alone settles may be meant otherwise."""
        customary = [s.letter for s in stages if s.letter and not self.equations.function(s.letter)]
        for letter in dict.fromkeys(customary):
            others = {s.activation for s in stages}
            for name in (n for n in self.equations.other_functions if n not in others):
                changed = [replace(s, activation=name) if s.letter == letter else s for s in stages]
                if LOSSES[loss.kind].needs in (None, changed[-1].activation):
                    other = self._architecture(changed, loss, sizes)
                    meant = {**letters, letter.head: name}
                    yield Candidate(other, meant, f"{letter.head} is {name}", is_doubt=True)
        for target in self.equations.targets & {k.head for k in loss.of}:
            outputs = {k.head: "yhat" for k in loss.of if k.head != target}
            meant = {**letters, **outputs, target: "y"}
            first = self._architecture(stages, loss, sizes)
            yield Candidate(first, meant, f"{target} is the target", is_doubt=True)

    def _architecture(
        self, stages: Sequence[Stage], loss: Loss, sizes: Mapping[int, Size]
    ) -> Architecture:
        widths = [sizes.get(number, unstated(number)) for number in range(len(stages) + 1)]
        layers = tuple(
            Layer(width, stage.activation or "identity", stage.bias is not None)
            for stage, width in zip(stages, widths[1:], strict=True)
        )
        totals = [kind for kind, _ in self.equations.totals]
        divided = totals[0] == "mean" if totals else loss.divided or not loss.counted
        reduction = "mean" if divided else "sum"
        return Architecture("note", widths[0], layers, loss.kind, reduction, loss.half)

    def _is_scalar(self, stages: Sequence[Stage]) -> bool:
        """Whether the note speaks of numbers alone: small letters, and nothing turned, summed or
        written as an array."""
        nodes = [
            n for w in self.equations.written for side in w.statement.sides for n in walk(side)
        ]
        is_weight = self.equations.reader.is_weight
        return not any(_shows_arrays(n, is_weight) for n in nodes) and all(
            stage.activation != "softmax" for stage in stages
        )


def _shows_arrays(node: Node, is_weight: Callable[[str], bool]) -> bool:
    if isinstance(node, Big | Norm | Matrix):
        return True
    if isinstance(node, Scripted) and any(
        s.kind == "transpose" or len(s.parts) > 1 for s in node.scripts
    ):
        return True
    parts = split(node)
    if parts is None or not is_weight(parts[0].head):
        return False
    return parts[0].bold or parts[0].head != small(parts[0].head)


def unstated(number: int) -> str:
    """The name of a size that the note does not state."""
    return f"d{number}"


def _only(sizes: Sequence[Size], first: Stage) -> Size:
    """The size of a vector, or of one sample in a batch; 0 where that is not shown."""
    if len(sizes) == 2 and 1 in sizes:
        sizes = [size for size in sizes if size != 1] or [1]
    if len(sizes) == 1:
        return sizes[0]
    if first.outputs_first is None:
        return 0
    return sizes[0] if first.outputs_first else sizes[1]


def _no_depth(written: Written) -> Gap:
    said = "nothing says how many layers there are; write it, e.g. `L = 3`"
    return Gap(written.line, said)


def _keys(expression: Expression) -> list[Key]:
    found: list[Key] = []
    for each in _inside(expression):
        match each:
            case Quantity(key=key):
                found.append(key)
            case Affine(weight=weight, bias=bias):
                found += [weight.key] if bias is None else [weight.key, bias.key]
            case Activated(function=Function(letter=letter)) if letter is not None:
                found.append(letter)
    return found


def _plain(keys: Iterable[Key | None]) -> list[Key]:
    """Those that are told by their letter alone."""
    return [key for key in keys if key is not None and key.mark is None and not key.index]


def _weights_of(stages: Sequence[Stage]) -> set[Key]:
    return {stage.weight for stage in stages}


def _weights(given: Given) -> set[Key]:
    return {e.weight.key for e in _inside(given.expression) if isinstance(e, Affine)}


def _is_general(given: Given) -> bool:
    return any(map(_is_general_key, (given.key, *_keys(given.expression))))


def _is_general_key(key: Key) -> bool:
    return key.mark is not None and key.mark.letter in (LAYER, LAST)


def _numbered(key: Key, layer: int, last: int) -> Key:
    if key.mark is None or key.mark.letter not in (LAYER, LAST):
        return key
    start = layer if key.mark.letter == LAYER else last
    return replace(key, mark=Mark("", start + key.mark.number))


def _text(key: Key, equations: Equations) -> str:
    """A letter in the note's way of marking layers."""
    if key.mark is None:
        return key.head
    number = key.mark.letter or str(key.mark.number)
    mark = equations.reader.mark
    return f"{key.head}{mark.sign}{{{mark.around(number)}}}"
