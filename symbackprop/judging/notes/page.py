r"""The judgement of a note: every formula, under one reading of the whole.

Owns: `judge_note`: reading passages, finding the settings, one sample or batch by section, names
the note introduces, hypotheses, errors carried forward, explanations, and the claims of the report.
Refuses: files (`reader`) and printing. Would be wrong if the reading changed from line to line to
please each line: only the switch between one sample and a batch may, and that costs.
"""

from __future__ import annotations

import contextlib
import itertools
import re
from collections import Counter
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np

from symbackprop.guard import FAULT, guarded, told
from symbackprop.judging.notes.argument import letters, readings
from symbackprop.judging.notes.burden import (
    CUSTOM,
    READ,
    UNMARKED,
    Anchors,
    Use,
    is_marked_elsewhere,
    unanchored,
    uses,
)
from symbackprop.judging.notes.carried import FalseLine, overrides
from symbackprop.judging.notes.conventions.layer_names import (
    LayerNames,
    layer_names,
    numbered_layers,
)
from symbackprop.judging.notes.conventions.marks import one_mark, with_mark
from symbackprop.judging.notes.conventions.models import others
from symbackprop.judging.notes.conventions.modes import cheapest
from symbackprop.judging.notes.conventions.numbered import numbered_names
from symbackprop.judging.notes.conventions.said import told as told_of
from symbackprop.judging.notes.conventions.scopes import (
    NOT_OF_NETWORK,
    Sentence,
    scopes_of,
    sentences,
)
from symbackprop.judging.notes.conventions.search import (
    INDEX_LETTERS,
    SIGMA,
    Finder,
    gives_layer,
    layouts,
    mark_of,
    says_what_sigma_is,
)
from symbackprop.judging.notes.conventions.sectional import Definitions
from symbackprop.judging.notes.conventions.updates import is_update
from symbackprop.judging.notes.conventions.variants import Variant, single_units, worlds_of
from symbackprop.judging.notes.conventions.worded import worded
from symbackprop.judging.notes.derived import right_side
from symbackprop.judging.notes.examples import (
    NOT_GIVEN,
    Examples,
    as_claimed,
    computed,
    decimals,
    gives_numbers,
    has_numbers,
    is_worked,
    judge_example,
    without_numbers,
)
from symbackprop.judging.notes.formula.compare import Verdict
from symbackprop.judging.notes.formula.judge import (
    EQUALITIES,
    Worlds,
    at_own_sizes,
    broken,
    constants,
    is_literal,
    judge_in,
)
from symbackprop.judging.notes.formula.layers import layers_in
from symbackprop.judging.notes.formula.letters import (
    free_letters,
    head_or_none,
    without_brackets,
)
from symbackprop.judging.notes.formula.meaning import Meaning
from symbackprop.judging.notes.formula.ranges import ends_of_sums, with_ranges
from symbackprop.judging.notes.formula.settings import UNITS, Alias, Settings
from symbackprop.judging.notes.formula.symbols import (
    CLASS_NUMBER,
    EULER,
    IllFormed,
    NotUnderstood,
    activations,
    is_function,
    split,
)
from symbackprop.judging.notes.formula.valuation import Valuation
from symbackprop.judging.notes.proofs import prove
from symbackprop.judging.notes.repair import Explanation, Names, Repair, applied
from symbackprop.judging.notes.witness import counterexample, sizes_of
from symbackprop.judging.report import Claim, FileReport, Method
from symbackprop.notation import LayerMark
from symbackprop.reading.latex.macros import Macros, collect
from symbackprop.reading.latex.parser import read
from symbackprop.reading.latex.syntax import (
    Apply,
    Big,
    Comparison,
    Derivative,
    Dots,
    Group,
    Matrix,
    Node,
    Number,
    Product,
    Scripted,
    Span,
    Statement,
    Sum,
    Symbol,
    Unread,
    children,
    heads_below,
    size_of,
    walk,
)
from symbackprop.reading.notes.passages import Note, Passage
from symbackprop.witnesses.truth import World, one_hot_worlds

Progress = Callable[[int, int, str], None]
RATES = frozenset({r"\eta", r"\alpha", r"\lambda", r"\gamma", r"\mu", r"\epsilon", r"\varepsilon"})


@dataclass
class Item:
    """One formula of the note, and what has been found out about it."""

    passage: Passage
    statement: Statement
    number: int
    line: int
    column: int
    mode: str = "one"
    elsewhere: bool = False  # the text says that it is not about the network
    verdict: Verdict | None = None
    explanations: tuple[Explanation, ...] = ()
    consistent: bool = False
    follows: tuple[int, ...] = ()
    example: World | None = None
    aside: bool = False

    @property
    def latex(self) -> str:
        span = self.statement.span
        return self.passage.latex[span.start : span.end]


@dataclass(frozen=True)
class Lost:
    """A formula that was not understood."""

    passage: Passage
    unread: Unread
    line: int
    column: int


def judge_note(
    note: Note,
    variants: Mapping[str, Variant],
    reduction: str,
    samples: int | None = None,
    fixed: Mapping[str, str] | None = None,
    progress: Progress | None = None,
    explain: bool = True,
    argue: int | None = None,
) -> FileReport:
    """The report on one note. `variants` are the network under each reduction that a note may
    mean; `reduction` is that of the network file; `fixed` are letters that the user settled;
    `argue` is a line whose verdicts are to be argued for."""
    judgement = _Judgement(
        note, variants, reduction, samples, fixed or {}, progress, explain, argue
    )
    with np.errstate(all="ignore"):  # what is not finite is asked where it matters
        return judgement.report()


@dataclass
class _Judgement:
    note: Note
    variants: Mapping[str, Variant]
    reduction: str
    samples: int | None
    fixed: Mapping[str, str]
    progress: Progress | None
    explain: bool
    argue: int | None = None
    settings: Settings = field(default_factory=Settings)
    worlds: dict[str, Worlds] = field(default_factory=dict)
    names: dict[str, tuple[Alias, ...]] = field(default_factory=dict)  # numbered
    sectional: Definitions | None = None
    false: list[FalseLine] = field(default_factory=list)
    conditions: list[tuple[Passage, Statement]] = field(default_factory=list)
    assumed: Item | None = None
    rows: dict[int, tuple[Item, Item]] = field(default_factory=dict)
    examples: Examples = field(default_factory=lambda: Examples({}))
    indices: set[str] = field(default_factory=set)
    layers: LayerNames | None = None
    mark: LayerMark | None = None  # where a note has several
    others: dict[tuple[int, int], str] = field(default_factory=dict)  # models, by passage
    used: dict[int, frozenset[Use]] = field(default_factory=dict)
    anchors: Anchors = field(default_factory=Anchors)
    sentences: tuple[Sentence, ...] = ()
    faults: dict[int, Verdict] = field(default_factory=dict)  # of formulas that broke the reading

    def report(self) -> FileReport:
        if self._layers() > DEEPEST:
            problem = f"the network has {self._layers()} layers; notes are judged up to {DEEPEST}"
            return FileReport(self.note.path, (), text=self.note.text, problem=problem)
        macros = collect(self.note.definitions)
        read_on, lost = self._items(macros)
        self.layers = layer_names([item.statement for item in read_on], self._layers())
        for item in read_on:
            item.statement = self._respelled(item.statement)
        self.mark = one_mark([item.statement for item in read_on], self._layers())
        for item in read_on if self.mark is not None else ():
            item.statement = self._respelled(item.statement)
        sides = [side for item in read_on for side in item.statement.sides]
        taken = {number for side in sides for number in constants(side)}
        self.worlds = worlds_of(self.variants, self.samples, taken)
        self.sentences = tuple(sentences(self.note))
        variant = self.variants[self.reduction]
        said = others(self.note, variant.loss, activations(variant.batch.network))
        self.others = {self.note.passages[place].outer: words for place, words in said.items()}
        items = [item for item in read_on if not item.aside]
        self._settle(items, macros)
        self.examples = Examples(self.current.real)
        for number, item in enumerate(read_on):
            if self.progress is not None:
                self.progress(number, len(read_on), self.note.path)
            if item.aside:
                guarded(partial(self._told, item), _nothing)
            elif item.verdict is None:
                self._judge(item, macros)
        guarded(partial(self._burden, items), partial(_unsure, items))
        same = _same_slips(items)
        claims = [
            replace(
                guarded(partial(self._claim, item), partial(self._broken_claim, item)),
                same_as=same.get(item.number),
            )
            for item in items
            if self._is_claim(item)
        ]
        claims += [self._lost(each) for each in lost]
        claims.sort(key=lambda c: (c.line, c.column))
        texts = {claim.line: claim.latex for claim in reversed(claims)}
        claims = [
            replace(c, source=texts.get(c.follows_from[0], "")) if c.follows_from else c
            for c in claims
        ]
        sound = [item for item in items if item.number not in self.faults]
        argued = tuple(line for item in items for line in self._argued(item))
        if self.argue is not None and not argued:
            argued = (f"line {self.argue}: there is no formula in it",)
        found = self._found(sound)
        return FileReport(self.note.path, tuple(claims), found, self.note.text, argued=argued)

    def _argued(self, item: Item) -> Iterator[str]:
        """How the formulas of the line that was asked for are read, and what shows letters."""
        last = item.passage.place(item.statement.span.end)[0]
        if self.argue is None or not item.line <= self.argue <= last or item.verdict is None:
            return
        settings = replace(self.settings, mode=item.mode)
        words = {head: _family_text(family) for head, family in settings.letters.items()}
        yield f"line {item.line}: {' '.join(item.latex.split())}"
        used = self.used.get(item.number, frozenset())
        yield from letters(used, self.anchors, item.line, words)
        tried = readings(item.statement, settings, self.worlds, self.reduction)
        yield from map(str, tried)

    def _burden(self, items: Sequence[Item]) -> None:
        """Take back what is called false where nothing but the line itself gives its letters the
        meaning that makes it so; and what follows from such a line."""
        used = {item.number: guarded(partial(self._uses, item), _no_uses) for item in items}
        self.used = used
        for item in items:
            if _outcome(item) != "false" or item.verdict is None:
                continue
            is_unfit = item.verdict.method == "shape" and self._is_of_outputs(item)
            if item.verdict.method in READ or is_unfit or not self._says_mode(item, items):
                self._in_another_mode(item)
        for item in _told_in_several_ways(items):
            first = _side_text(item, 0)
            item.verdict = Verdict(
                "unknown", reason=f"{first} is given in several ways in this note"
            )
            item.consistent = False
        true = [(item.line, used[item.number]) for item in items if _outcome(item) == "true"]
        anchors = self.anchors = Anchors.of(true, frozenset(self.fixed))
        false = [item for item in items if _outcome(item) == "false"]
        for item in false:
            assert item.verdict is not None
            if item.example is None and not item.consistent:
                letters = unanchored(used[item.number], item.verdict, anchors, item.line)
                if item.verdict.method == UNMARKED:
                    item.verdict = _left_out(item, used[item.number])
                elif item.verdict.method in READ and _has_dots(item.statement):
                    item.verdict = Verdict("unknown", reason="dots stand for what is left out")
                elif letters:
                    item.verdict = Verdict("unknown", reason=self._unshown(letters))
        self._side_by_side([item for item in false if _outcome(item) == "false"])
        for item in false:
            if _outcome(item) == "false" and item.verdict and item.verdict.method == "shape":
                self._of_each_output(item)
        self._against_definitions(items)
        self._of_another_scale(items)
        self._laid_out_otherwise(items)
        self._as_for_numbers(items)
        self._hardly_read(items)
        standing = {item.line for item in false if _outcome(item) == "false"}
        for item in false:
            if item.consistent and not standing & set(item.follows):
                lines = " and ".join(map(str, item.follows))
                item.verdict = Verdict("unknown", reason=f"it follows from line {lines}, undecided")

    def _in_another_mode(self, item: Item) -> None:
        """A formula that cannot be read of a batch, and is true of one sample, is of one sample."""
        for mode in self.current.generic:
            if mode != item.mode and item.example is None:
                settings = replace(self.settings, mode=mode)
                found = judge_in(item.statement, settings, self._world(item, mode))
                if found.outcome == "true":
                    item.verdict, item.mode = found, mode
                    item.consistent, item.follows = False, ()

    def _says_mode(self, item: Item, items: Sequence[Item]) -> bool:
        """Whether a line of its section is true as its own mode has it, and not in the other."""
        other = "one" if item.mode == "batch" else "batch"
        if other not in self.current.generic:
            return True
        settings = replace(self.settings, mode=other)
        alike = (
            i
            for i in items
            if i.passage.section == item.passage.section and i.mode == item.mode and i is not item
        )
        return any(
            _outcome(i) == "true"
            and judge_in(i.statement, settings, self._world(i, other)).outcome != "true"
            for i in alike
        )

    def _is_of_outputs(self, item: Item) -> bool:
        """Whether a formula has neither parameters nor errors: it may be of one sample anywhere."""
        heads = {h for side in item.statement.sides for h in heads_below(side)}
        families = {self.settings.letters.get(head, "").removeprefix("d_") for head in heads}
        return not any(f.startswith(("W", "b", "delta", "alias", "N")) for f in families)

    def _side_by_side(self, false: Sequence[Item]) -> None:
        """Factors that no matrix product joins are multiplied entry by entry, where that is a
        habit of the note: one such line is a slip, several are a way of writing."""
        signs = self.settings.entrywise | {"", r"\cdot"}
        found: list[tuple[Item, Verdict]] = []
        for item in false:
            settings = replace(self.settings, mode=item.mode, entrywise=signs)
            verdict = judge_in(item.statement, settings, self._world(item, item.mode))
            if verdict.outcome == "true":
                found.append((item, verdict))
        for item, verdict in found:
            note = "factors side by side are multiplied entry by entry"
            changed = replace(verdict, note=note)
            if len(found) == 1:  # a slip, or a habit met once
                changed = Verdict("unknown", reason=f"true if {note}")
            item.verdict, item.consistent, item.follows = changed, False, ()

    def _against_definitions(self, items: Sequence[Item]) -> None:
        """A letter that has its meaning from the search alone, and a forward equation of its own
        that is false with it, means something else."""
        for item in items:
            if _outcome(item) != "false" or not gives_layer(item.statement, self.settings):
                continue
            parts = split(without_brackets(item.statement.sides[0]))
            assert parts is not None
            head = parts[0].head
            family = self.settings.letters[head].partition(":")[0]
            if head in self.fixed or head in CUSTOM.get(family, ()):
                continue
            for other in items:
                heads = {h for side in other.statement.sides for h in heads_below(side)}
                if head in heads and _outcome(other) == "false" and other.example is None:
                    meant = _family_text(self.settings.letters[head])
                    reason = f"{head} as {meant} is not what line {item.line} says it is"
                    other.verdict = Verdict("unknown", reason=reason)

    def _of_another_scale(self, items: Sequence[Item]) -> None:
        """Lines that are all too large by one factor are of a loss that is so much larger."""
        by_factor: dict[float, list[Item]] = {}
        for item in items:
            found = item.verdict.difference if item.verdict is not None else None
            if _outcome(item) != "false" or item.consistent or item.example is not None:
                continue
            counts = {2, *self._world(item, item.mode).sizes.values()} - {1}
            factors = {float(f"{f:.6g}") for count in counts for f in (count, 1 / count)}
            if found is not None and float(f"{found.ratio or 0:.6g}") in factors:
                by_factor.setdefault(float(f"{found.ratio or 0:.6g}"), []).append(item)
        for factor, group in by_factor.items():
            for item in group if len(group) > 1 else ():
                reason = f"true of a loss {factor:g} times as large, as other lines of the note are"
                item.verdict = Verdict("unknown", reason=reason)

    def _laid_out_otherwise(self, items: Sequence[Item]) -> None:
        """A line that is true of vectors, weights or derivatives that stand otherwise is undecided
        where as many lines are true of that."""
        shown = [item for item in items if item.example is None and not item.elsewhere]
        for item in shown:
            if _outcome(item) != "false" or item.consistent or not item.verdict:
                continue
            is_unfit = item.verdict.method in (*READ, "shape")
            for settings in layouts(self.settings) if is_unfit else ():
                if self._judged_as(item, settings) == "true" and self._as_true(shown, settings):
                    reason = "true where vectors or weights stand otherwise, and that fits as well"
                    item.verdict = Verdict("unknown", reason=reason)
                    break

    def _judged_as(self, item: Item, settings: Settings) -> str:
        changed = replace(settings, mode=item.mode)
        return judge_in(item.statement, changed, self._world(item, item.mode)).outcome

    def _as_true(self, items: Sequence[Item], settings: Settings) -> bool:
        """Whether as many lines are true under other settings, and as many forward equations."""
        change, forward = 0, 0
        for item in items:
            now = _outcome(item)
            if now not in ("true", "false") or item.consistent:
                continue
            turned = (self._judged_as(item, settings) == "true") - (now == "true")
            change += turned
            forward += turned * gives_layer(item.statement, self.settings)
            if change < -MANY or forward < -MANY:
                return False
        return change >= 0 and forward >= 0

    def _as_for_numbers(self, items: Sequence[Item]) -> None:
        """A note without a single transposition writes products as for numbers: what is true of
        layers of one unit is undecided for vectors."""
        variant = self.variants[self.reduction]
        if any(map(_transposes, items)) or "softmax" in activations(variant.batch.network):
            return  # softmax of one unit is 1, whatever the line says
        unfit = [i for i in items if _outcome(i) == "false" and i.verdict and not i.consistent]
        unfit = [i for i in unfit if i.verdict is not None and i.verdict.method == "shape"]
        world = single_units(variant.one or variant.batch) if unfit else None
        loose = []
        for item in unfit:
            assert world is not None
            settings = replace(self.settings, mode="one")
            if judge_in(item.statement, settings, world).outcome == "true":
                loose.append(item)
        for item in loose if len(loose) > 1 else ():  # one is a slip
            reason = "true of layers of one unit; for vectors order and transposes are left out"
            item.verdict = Verdict("unknown", reason=reason)

    def _hardly_read(self, items: Sequence[Item]) -> None:
        """Where most lines of a note come out false, it is the reading that is wrong."""
        false = [i for i in items if _outcome(i) == "false" and not i.consistent and not i.example]
        true = sum(_outcome(item) == "true" for item in items)
        unread = sum(_outcome(item) == "unknown" for item in items if item.passage.display)
        is_poor = len(false) + true >= MANY or unread > true + len(false)
        few = is_poor and 2 * len(false) > true
        if few or (len(false) >= SEVERAL and true < len(false)):
            for item in false:
                reason = f"only {true} lines hold as this note was read, too few to be sure of it"
                item.verdict = Verdict("unknown", reason=reason)

    def _of_each_output(self, item: Item) -> None:
        """The loss written for one output, where its letters are those of all."""
        first, *rest = item.statement.sides
        parts = split(first)
        if parts is None or self.settings.letters.get(parts[0].head) not in ("L", "loss_n"):
            return
        whole = tuple(Big("sum", (), side, side.span) for side in rest)
        summed = replace(item.statement, sides=(first, *whole))
        signs = self.settings.entrywise | {"", r"\cdot"}
        settings = replace(self.settings, mode=item.mode, entrywise=signs)
        if judge_in(summed, settings, self._world(item, item.mode)).outcome == "true":
            reason = "true of a single output, or with a sum over all: say which is meant"
            item.verdict = Verdict("unknown", reason=reason)

    def _uses(self, item: Item) -> frozenset[Use]:
        settings = replace(self.settings, mode=item.mode)
        return uses(item.statement, Valuation(self._world(item, item.mode), settings).scope)

    def _unshown(self, letters: Sequence[str]) -> str:
        meant = [f"{head} as {_family_text(self.settings.letters[head])}" for head in letters]
        return (
            f"false if one reads {' and '.join(meant)}, which no other line shows: "
            f"say what {' and '.join(letters)} {'is' if len(letters) == 1 else 'are'}"
        )

    def _layers(self) -> int:
        return next(iter(self.variants.values())).batch.network.depth

    # --- reading ----------------------------------------------------------------------------

    def _items(self, macros: Macros) -> tuple[list[Item], list[Lost]]:
        items: list[Item] = []
        lost: list[Lost] = []
        for passage in self.note.passages:
            for found in guarded(partial(read, passage.latex, macros), partial(_unread, passage)):
                place = passage.place(found.span.start)
                if isinstance(found, Statement) and (parts := size_of(found)) > MOST_PARTS:
                    reason = f"the formula has {parts} parts; up to {MOST_PARTS} are judged"
                    found = Unread(found.span, found.span.start, reason)
                if isinstance(found, Unread):
                    if passage.display or "=" in passage.latex:
                        lost.append(Lost(passage, found, *place))
                    continue
                is_aside = guarded(partial(self._is_aside, passage, found), lambda _: False)
                if is_aside is not None:
                    items.append(Item(passage, found, len(items), *place, aside=is_aside))
        return items, lost

    def _is_aside(self, passage: Passage, statement: Statement) -> bool | None:
        """Whether a formula of the running text tells a number and is no claim; None for one that
        says nothing of its own. A condition on indices is kept for the formulas after it."""
        if passage.display:
            return False
        if _is_condition(statement):
            self.conditions.append((passage, statement))
            return (gives_numbers(statement) and heads_below(*statement.sides) <= RATES) or None
        if _states(statement):
            return False
        return gives_numbers(statement) or None

    # --- settings ---------------------------------------------------------------------------

    def _settle(self, items: Sequence[Item], macros: Macros) -> None:
        """Find out how the note is read, as if the formulas on which that breaks inside were not
        there; those have their verdicts with that."""
        reduction, known = self.reduction, -1
        while len(self.faults) > known:
            known = len(self.faults)
            self.reduction = reduction
            sound = [item for item in items if item.number not in self.faults]
            guarded(
                partial(self._read_together, sound, macros),
                partial(self._breaking_alone, sound, macros),
            )
        for item in items:
            item.verdict = self.faults.get(item.number)

    def _breaking_alone(self, items: Sequence[Item], macros: Macros, bug: Exception) -> None:
        """Find the formulas on which the reading of all together breaks: with each it does alone.
        Raises: the bug, where there is none."""
        known = len(self.faults)
        for item in items:
            guarded(
                partial(self._read_together, [item], macros), partial(self._breaks, item.number)
            )
        if len(self.faults) == known:
            raise bug

    def _breaks(self, number: int, bug: Exception) -> None:
        self.faults[number] = broken(bug)

    def _read_together(self, items: Sequence[Item], macros: Macros) -> None:
        """What is found out from all formulas of the note."""
        self.settings = Settings()
        statements = [item.statement for item in items]
        self.indices = {h for s in statements for side in s.sides for h in _indices(side)}
        self.names = numbered_names(statements, self._layers())
        mark = mark_of(statements, self._layers(), self.names)
        scopes = scopes_of(self.note, statements, macros, self._layers(), mark)
        for item in items:
            item.elsewhere = scopes.tells(item.passage, item.statement)
        about_network = [item for item in items if not item.elsewhere]
        self._find(
            [
                replace(item, statement=rest)
                for item in about_network
                if item.passage.outer not in self.others
                if (rest := without_numbers(item.statement)) is not None
            ]
        )
        self._modes(about_network)
        self._modes([item for item in items if item.elsewhere])
        formulas = [(item.passage, item.statement) for item in items]
        self.sectional = Definitions(self.note, formulas)

    def _find(self, items: Sequence[Item]) -> None:
        depth = self._layers()
        shown = [item.statement for item in items if self._is_shown(item.passage)]
        heads = {h for s in shown for h in heads_below(*s.sides)}
        items = [
            item
            for item in items
            if self._is_shown(item.passage)
            or len(heads_below(*item.statement.sides) - heads - {"l", "L"}) <= 1
            if size_of(item.statement) <= DECIDING_PARTS
        ]
        statements = [item.statement for item in items]
        said = told_of(self.note.text)
        fixed = {**dict.fromkeys(self.names, "numbered"), **said, **self.fixed}
        counts = sizes = dict.fromkeys(_counts_of_units(statements), UNITS)
        for _ in range(2):  # once more where a size stands as a number, which has to be known
            finder = Finder(statements, self.worlds, depth, self.reduction, fixed, sizes)
            found, reduction = finder.find()
            self.settings = replace(found, aliases={**found.aliases, **self.names})
            known, sizes = sizes, {**counts, **self._sizes(statements)}
            if known != counts or not any(_counts_with(s, sizes) for s in statements):
                break
        self.reduction = reduction
        for statement, verdict in finder.broken:
            self.faults |= {i.number: verdict for i in items if i.statement is statement}
        self.settings = replace(self.settings, sizes=sizes)

    def _sizes(self, statements: Sequence[Statement]) -> dict[str, str]:
        """Letters that end sums, each with the axis that most of its sums run over, first of all
        in what is no derivative: a size is not what wrong lines make it."""
        forward = [s for s in statements if not any(map(_derives, s.sides))]
        return self._ends(statements) | self._ends(forward)

    def _ends(self, statements: Sequence[Statement]) -> dict[str, str]:
        """In a vector of one sample before a batch, whose rows are samples too."""
        counted: dict[str, Counter[str]] = {}
        meanings = [
            Valuation(world, replace(self.settings, mode=mode))
            for mode, world in sorted(self.current.generic.items())
        ]
        for side in (side for statement in statements for side in statement.sides):
            found: dict[str, str] = {}
            for meaning in meanings:
                found |= dict(ends_of_sums(meaning, side))
            for head, label in found.items():
                counted.setdefault(head, Counter())[label] += 1
        return {
            head: labels.most_common(1)[0][0]
            for head, labels in counted.items()
            if self.settings.letters.get(head) not in ("N", "depth") and head != "L"
            if labels.most_common(1)[0][1] > sum(labels.values()) / 2
        }

    @property
    def current(self) -> Worlds:
        return self.worlds[self.reduction]

    def _world(self, item: Item, mode: str) -> World:
        literal = is_literal(item.statement, self.settings.aliases)
        return self.current.world(mode, literal)

    def _modes(self, items: Sequence[Item]) -> None:
        """One sample or a batch, formula by formula: the cheapest way through the note, where
        a switch costs more than one false line."""
        modes = [m for m in ("one", "batch") if m in self.current.generic]
        if len(modes) == 1 or not items:
            for item in items:
                item.mode = modes[0]
            return
        costs = [{m: self._cost(item, m) for m in modes} for item in items]
        passages = [item.passage for item in items]
        for item, mode in zip(items, cheapest(costs, passages), strict=True):
            item.mode = mode
        for item, cost in zip(items, costs, strict=True):
            if item.mode == "one" and cost["one"] and not cost["batch"] and self._counts(item):
                item.mode = "batch"

    def _counts(self, item: Item) -> bool:
        """Whether the number of samples is in a formula: it is of a batch, wherever it stands."""
        return any(self.settings.letters.get(h) == "N" for h in heads_below(*item.statement.sides))

    def _cost(self, item: Item, mode: str) -> float:
        statement = without_numbers(item.statement)
        if statement is None:
            return 0.0
        settings = replace(self.settings, mode=mode)
        found = judge_in(statement, settings, self._world(item, mode))
        if found.method == FAULT:
            self.faults[item.number] = found
        if found.outcome == "false" and found.method == "shape":
            return 1.2
        if found.method == "mode":
            return 2.5
        return {"true": 0.0, "definition": 0.0, "unknown": 0.7, "false": 1.0}[found.outcome]

    # --- one formula ------------------------------------------------------------------------

    def _judge(self, item: Item, macros: Macros) -> None:
        settings = replace(self.settings, mode=item.mode)
        world = self._world(item, item.mode)
        item.verdict = guarded(partial(self._verdict, item, settings, world), broken)
        if item.elsewhere or item.verdict.method == FAULT:
            return
        if item.verdict.outcome != "false":
            above = self.rows.get(id(item.statement.sides[0]))
            self.rows[id(item.statement.sides[-1])] = (item, above[1] if above else item)
            return
        guarded(partial(self._carried, item, settings, world), _nothing)
        if self.explain and not item.consistent:
            explained = partial(self._explained, item, item.verdict, settings, world, macros)
            item.explanations = guarded(explained, lambda _: ())
        self.false.append(
            FalseLine(item.statement, item.verdict.link, item.verdict.numbers, settings, item.line)
        )

    def _verdict(self, item: Item, settings: Settings, world: World) -> Verdict:
        """The verdict, with all that the text around the formula says of it."""
        verdict = judge_in(item.statement, settings, world)
        if verdict.method == FAULT:
            return verdict
        if item.elsewhere:
            return _of_others(verdict)
        if verdict.outcome == "unknown":
            verdict = self._named(item, verdict) or verdict
        if verdict.outcome == "false":
            verdict = _of_each_layer(item.statement, settings, world) or verdict
        if verdict.outcome in ("false", "unknown"):
            verdict = self._in_numbers(item, settings, world) or verdict
        if verdict.outcome == "false":
            verdict = at_own_sizes(item.statement, settings, self.current) or verdict
        if verdict.outcome == "false" and item.example is None:
            verdict = self._at_sizes_of_example(item, settings) or verdict
        if verdict.outcome == "false" and item.example is None:
            verdict = self._under_conditions(item, settings, world) or verdict
        if verdict.outcome == "false" and item.example is None:
            verdict = self._under_hypothesis(item, settings, world, verdict)
        if verdict.outcome == "false" and item.example is None:
            verdict = self._of_one_hot(item, settings, world) or verdict
        if verdict.outcome == "unknown" and verdict.reason == CLASS_NUMBER:
            verdict = self._of_class(item, settings, world) or verdict
        if verdict.outcome == "false":
            verdict = self._of_another_depth(item, settings) or verdict
        if verdict.outcome == "false" and item.statement.remark:
            verdict = self._with_remark(item, settings) or verdict
        if verdict.outcome == "false" and item.example is None:
            verdict = self._of_true_class(item, settings, world) or verdict
        is_unfit = verdict.outcome == "false" and verdict.method in (*READ, "shape")
        if is_unfit and _is_law(item.statement, settings):
            verdict = Verdict("unknown", reason="a law on functions of any x, not of the network")
        if verdict.outcome == "false" and (words := _names_a_change(item.statement)):
            verdict = Verdict("unknown", reason=f"it is not known what {words} means here")
        if verdict.outcome == "false" and (
            verdict.method == "shape" and (letter := _indexed_on_one_side(item.statement, settings))
        ):
            verdict = Verdict("unknown", reason=f"the index {letter} stands on one side alone")
        if verdict.outcome == "false" and _reaches_far(item.statement):
            verdict = Verdict("unknown", reason="how far the derivative in a bracket reaches")
        if verdict.outcome == "false" and is_update(item.statement):
            verdict = Verdict("unknown", reason="a new value of a parameter")
        if verdict.outcome == "false" and (
            verdict.method == "shape" and (letter := _summed_and_fixed(item.statement))
        ):
            reason = f"{letter} is summed over and stands for one place as well"
            verdict = Verdict("unknown", reason=reason)
        if verdict.outcome == "false" and (other := self.others.get(item.passage.outer)):
            verdict = Verdict("unknown", reason=f"the text here speaks of {other}: {NOT_THIS}")
        if verdict.outcome == "false" and _SUPPOSING.search(self._said_before(item.passage)):
            verdict = Verdict("unknown", reason="it is said of a case that is only supposed")
        if verdict.outcome == "false" and item.example is None:
            sides = item.statement.sides[verdict.link : verdict.link + 2]
            if is_worked(sides, settings):
                verdict = Verdict("unknown", reason=NOT_GIVEN)
        if verdict.outcome == "true" and _defines(item.statement, settings):
            verdict = Verdict("definition", name="alias")
        if verdict.outcome != "true":
            verdict = self._of_section(item, settings, verdict)
        return verdict

    def _told(self, item: Item) -> None:
        """A number that the text gives: of the network, or of a letter that has no meaning yet.
        It is no claim."""
        first = item.statement.sides[0]
        if not isinstance(first, Symbol) or first.head in self.settings.letters:
            self.examples.take_beside(item.statement, self.settings)
        elif first.head in self.indices:
            return
        elif first.head in RATES or decimals(item.statement.sides[-1]):
            self._named(item, Verdict("unknown"))

    def _in_numbers(self, item: Item, settings: Settings, world: World) -> Verdict | None:
        """Numbers that are given, or a formula at the numbers that were given before."""
        stepped = self.examples.after_step(item.statement, settings)
        if not has_numbers(item.statement):
            return None
        taken = self.examples.take(item.statement, settings)
        if taken is not None:
            if _is_assumption(item.statement, settings):
                self.assumed = item
            return taken
        if stepped:
            return Verdict("unknown", reason="a new value of a parameter")
        worlds = {mode: self._world(item, mode) for mode in self.current.generic}
        found = self.examples.judge(item.statement, settings, worlds)
        if found is None:
            return None
        verdict, mode = found
        item.example = self.examples.worlds.get(mode)
        item.mode = mode
        return verdict

    def _at_sizes_of_example(self, item: Item, settings: Settings) -> Verdict | None:
        """A formula in which a size of the example stands as a number: 1/3 for 1/N."""
        numbers = {number for side in item.statement.sides for number in constants(side)}
        for mode, world in self.examples.worlds.items():
            if numbers & set(world.sizes.values()):
                found = judge_in(item.statement, replace(settings, mode=mode), world)
                if found.outcome == "true":
                    item.example, item.mode = world, mode
                    return replace(found, note="at the sizes of the example")
        return None

    def _named(self, item: Item, verdict: Verdict) -> Verdict | None:
        """A formula that gives a name of its own to something: a definition."""
        statement = item.statement
        if len(statement.sides) < 2 or statement.relations[0] not in EQUALITIES:
            return None
        symbol = statement.sides[0]
        if not isinstance(symbol, Symbol) or symbol.head in self.settings.letters:
            return None
        letters = {**self.settings.letters, symbol.head: "alias"}
        alias = Alias(symbol, statement.sides[1], item.line)
        aliases = {**self.settings.aliases, symbol.head: (alias,)}
        self.settings = replace(self.settings, letters=letters, aliases=aliases)
        return Verdict("definition", name=symbol.head)

    def _of_section(self, item: Item, settings: Settings, verdict: Verdict) -> Verdict:
        """A formula that is not true of the network may define something for its section, or
        speak of what is defined there."""
        assert self.sectional is not None
        place = item.passage, item.statement, settings
        definition = self.sectional.add(*place, item.line)
        reason = definition.reason if definition else self.sectional.reason(*place)
        if verdict.outcome != "false" or not reason:
            return verdict
        if definition is not None and len(item.statement.sides) == 2:
            return Verdict("definition", name=definition.letter)
        return Verdict("unknown", reason=reason)

    def _under_conditions(self, item: Item, settings: Settings, world: World) -> Verdict | None:
        """What the prose says of the indices: "for i \\neq j"."""
        stated = self._stated_before(item)
        if stated:
            found = judge_in(item.statement, settings, world, stated)
            if found.outcome == "true":
                return replace(found, note="under the condition in the text before it")
        if not re.search(_DIFFERENT, item.passage.before, re.IGNORECASE):
            return None
        letters = _index_pairs(item.statement)
        for one, other in letters:
            condition = Comparison(r"\neq", one, other, one.span)
            found = judge_in(item.statement, settings, world, (condition,))
            if found.outcome == "true":
                told = f"{one.head} \\neq {other.head}"
                return Verdict("unknown", reason=f"true where {told}: say so beside the formula")
        return None

    def _stated_before(self, item: Item) -> tuple[Comparison, ...]:
        """Conditions in the inline formulas between the display before and this one."""
        found: list[Comparison] = []
        for passage, statement in reversed(self.conditions):
            if passage.outer[0] > item.passage.outer[0]:
                continue
            if self._display_between(passage, item.passage):
                break
            for one, relation, other in zip(
                statement.sides, statement.relations, statement.sides[1:], strict=False
            ):
                found.append(Comparison(relation, one, other, statement.span))
        return tuple(found)

    def _display_between(self, first: Passage, second: Passage) -> bool:
        return any(
            p.display and first.outer[1] <= p.outer[0] and p.outer[1] <= second.outer[0]
            for p in self.note.passages
        )

    def _under_hypothesis(
        self, item: Item, settings: Settings, world: World, verdict: Verdict
    ) -> Verdict:
        """`y = [1 0 0]` states an assumption; and what follows may hold only for such labels."""
        if _is_assumption(item.statement, settings):
            self.assumed = item
            return Verdict("definition", name="y")
        text = f"{item.passage.before} {item.passage.heading}"
        told = re.search(_ASSUMING, text, re.IGNORECASE) is not None
        told = told and re.search(_OF_LABELS, text, re.IGNORECASE) is not None
        told = told and re.search(_NOTHING_ASSUMED, text, re.IGNORECASE) is None
        stated = re.search(r"\by_\{?(\d+)\}? *= *1\b", self._text_before(item))
        if not told and stated is None and not self._is_assumed(item):
            return verdict
        for place, other in enumerate(one_hot_worlds(world), start=1):
            found = judge_in(item.statement, settings, other)
            is_stated = stated is not None and int(stated[1]) == place
            if found.outcome == "true" and (is_stated or self._is_assumed(item)):
                return replace(found, note=f"where class {place} is the true one")
            if found.outcome == "true":
                reason = f"true where class {place} is the true one: say so, as y = (1, 0, …)"
                return Verdict("unknown", reason=reason)
        return verdict

    def _of_one_hot(self, item: Item, settings: Settings, world: World) -> Verdict | None:
        """A formula that is true of labels that are 1 at one class, as those of the network are."""
        if not self.variants[self.reduction].one_hot:
            return None
        found = None
        for other in one_hot_worlds(world):
            found = judge_in(item.statement, settings, other)
            if found.outcome != "true":
                return None
        return found and replace(found, note="for labels that are 1 at one class")

    def _of_class(self, item: Item, settings: Settings, world: World) -> Verdict | None:
        r"""A formula with the number of the true class as an index: \hat y_y, in each case."""
        if not self.variants[self.reduction].one_hot or item.mode != "one":
            return None
        heads = [h for h, f in settings.letters.items() if f == "y"]
        found = None
        for place, other in enumerate(one_hot_worlds(world), start=1):
            classes = dict.fromkeys(heads, place)
            found = judge_in(item.statement, replace(settings, classes=classes), other)
            if found.outcome != "true":
                return found if found.method == "numeric" else None
        return found

    def _of_another_depth(self, item: Item, settings: Settings) -> Verdict | None:
        """What gives the output of a network with fewer layers is about that one."""
        parts = split(item.statement.sides[0])
        if parts is None or settings.letters.get(parts[0].head) != "yhat":
            return None
        scope = Valuation(self._world(item, item.mode), settings).scope
        layers = list(layers_in(item.statement.sides[1:], scope))
        if not layers or max(layers) >= self._layers():
            return None
        return Verdict("unknown", reason=f"a network of {max(layers)} layers")

    def _with_remark(self, item: Item, settings: Settings) -> Verdict | None:
        """A comma within a formula parts it: what stands behind was not read with it."""
        found = read(item.statement.remark, Macros())
        if len(found) != 1 or not isinstance(found[0], Statement) or found[0].relations:
            return None
        if not heads_below(*found[0].sides) & set(settings.letters):
            return None
        return Verdict("unknown", reason=f"what {item.statement.remark} behind it is for")

    def _of_true_class(self, item: Item, settings: Settings, world: World) -> Verdict | None:
        """A formula in which a letter that stands on one side alone may be the true class."""
        if not self.variants[self.reduction].one_hot or item.mode != "one":
            return None
        free = [set[str](free_letters(side)) for side in item.statement.sides]
        once = set[str]().union(*free) - set(free[0]).intersection(*free) - {*settings.letters}
        for letter in sorted(once & CLASS_LETTERS):
            for place, other in enumerate(one_hot_worlds(world), start=1):
                changed = replace(settings, classes={letter: place})
                if judge_in(item.statement, changed, other).outcome != "true":
                    break
            else:
                reason = f"true where {letter} is the number of the true class: say so"
                return Verdict("unknown", reason=reason)
        return None

    def _said_before(self, passage: Passage) -> str:
        """The sentence that a formula stands in, up to it."""
        for sentence in self.sentences:
            for number, inside in enumerate(sentence.passages):
                if inside is passage:
                    return sentence.before(number)
        return passage.before

    def _text_before(self, item: Item) -> str:
        """All that stands between the display before and this formula."""
        start = item.passage.outer[0]
        ends = [p.outer[1] for p in self.note.passages if p.display and p.outer[1] <= start]
        return self.note.text[max(ends, default=0) : start]

    def _is_assumed(self, item: Item) -> bool:
        """Whether an assumption on the labels still holds: to the end of its section, or for a
        few formulas where a note has no headings."""
        if self.assumed is None or self.assumed.passage.section != item.passage.section:
            return False
        return item.passage.section > 0 or item.number - self.assumed.number <= 3

    def _assumed_world(self, world: World) -> World | None:
        """The world with the labels that were assumed."""
        assert self.assumed is not None
        stated = self.assumed.statement.sides[1]
        entries = [n.value for n in walk(stated) if isinstance(n, Number)]
        if sum(e == 1 for e in entries) != 1:
            return None
        worlds = list(one_hot_worlds(world))
        place = entries.index(1)  # type: ignore[arg-type]
        return worlds[place] if len(worlds) == len(entries) else None

    def _carried(self, item: Item, settings: Settings, world: World) -> None:
        """Whether the formula is true with what earlier false lines claim."""
        if self._goes_on_from_false(item, settings, world):
            return
        if item.example is not None:
            self._carried_in_numbers(item, settings, world, item.example)
            return
        for chosen in self._earlier():
            merged: dict[tuple[str, str], Any] = {}
            base = world
            for false in chosen:
                found = overrides(false, base)
                if found is None:
                    break
                merged.update(found)
                base = world.overridden(merged)
            else:
                verdict = judge_in(item.statement, settings, base)
                if verdict.outcome == "true":
                    item.consistent = True
                    item.follows = tuple(f.line for f in chosen)
                    return

    def _carried_in_numbers(
        self, item: Item, settings: Settings, world: World, example: World
    ) -> None:
        """Whether the numbers follow from those of one earlier false line."""
        for false in reversed(self.false[-12:]):
            changed = as_claimed(false, example)
            if changed is None:
                continue
            numbers = replace(settings, mode=item.mode)
            verdict = judge_example(item.statement, numbers, world, changed)
            if verdict is not None and verdict.outcome == "true":
                item.consistent, item.follows = True, (false.line,)
                return

    def _goes_on_from_false(self, item: Item, settings: Settings, world: World) -> bool:
        """A row `= b` below a false row: false against what stands above, though b itself is
        what the chain began with."""
        before = self.rows.get(id(item.statement.sides[0]))
        self.rows[id(item.statement.sides[-1])] = (item, before[1] if before else item)
        if not item.statement.continues or before is None:
            return False
        above, first = before
        if above.verdict is None or above.verdict.outcome != "false":
            return False
        whole = replace(item.statement, sides=(first.statement.sides[0], *item.statement.sides[1:]))
        if judge_in(whole, settings, world).outcome != "true":
            return False
        item.consistent, item.follows = True, (above.line,)
        return True

    def _earlier(self) -> Iterator[tuple[FalseLine, ...]]:
        """Earlier false lines, the last one first; then all of them in order."""
        recent = self.false[-12:]
        for false in reversed(recent):
            yield (false,)
        if len(recent) > 1:
            yield tuple(recent)

    def _explained(
        self, item: Item, verdict: Verdict, settings: Settings, world: World, macros: Macros
    ) -> tuple[Explanation, ...]:
        """What makes the formula true; where one slip hides another, both together."""
        latex, statement = item.passage.latex, item.statement
        if item.example is not None:
            numbers = replace(settings, mode=item.mode)
            one = computed(latex, statement, verdict, numbers, item.example)
            return () if one is None else (one,)
        if self._is_assumed(item):
            world = self._assumed_world(world) or world
        found = self._repaired(latex, statement, verdict, settings, world, macros)
        for _ in range(MORE_SLIPS):
            if not found or found[0].whole:
                break
            first = found[0]
            changed = applied(latex, first.pieces)
            again = [s for s in self._read(changed, macros) if isinstance(s, Statement)]
            if len(again) != 1:
                break
            latex, statement = changed, again[0]
            verdict = judge_in(statement, settings, world)
            more = self._repaired(latex, statement, verdict, settings, world, macros)
            if verdict.outcome != "false" or not more:
                break
            found = [_both(first, more[0]), *found[1:]]
        return tuple(found)

    def _repaired(
        self,
        latex: str,
        statement: Statement,
        verdict: Verdict,
        settings: Settings,
        world: World,
        macros: Macros,
    ) -> list[Explanation]:
        meaning: Meaning = Valuation(world, settings, verdict.numbers)
        ranged = False
        with contextlib.suppress(NotUnderstood, IllFormed):
            meaning, ranged = with_ranges(statement.sides, meaning), True
        return Repair(
            latex,
            statement,
            verdict,
            meaning,
            lambda s: judge_in(s, settings, world),
            lambda text: self._read(text, macros),
            self._names(settings),
            ranged=ranged,
        ).explanations()

    def _read(self, latex: str, macros: Macros) -> tuple[Statement | Unread, ...]:
        """A formula that was edited, read as those of the note are."""
        return tuple(
            self._respelled(found) if isinstance(found, Statement) else found
            for found in read(latex, macros)
        )

    def _respelled(self, statement: Statement) -> Statement:
        """With numbers for layers that have letters, and letters for what a word marks."""
        if self.layers is not None:
            statement = numbered_layers(statement, self.layers)
        statement = worded(statement)
        return with_mark(statement, self.mark) if self.mark is not None else statement

    def _names(self, settings: Settings) -> Names:
        depth = Valuation(self.current.generic["batch"], settings).scope.layers
        counts = [h for h, f in sorted(settings.letters.items()) if f == "N"]
        functions = [h for h, f in sorted(settings.letters.items()) if f == "f" or h == SIGMA]
        text = self.note.text
        hadamard = r"\circ" if r"\circ" in text and r"\odot" not in text else r"\odot"
        transpose = r"\top" if r"\top" in text else "T"
        return Names(
            settings,
            min(settings.nodes, settings.weights_from),
            depth + max(settings.nodes, settings.weights_from),
            counts[0] if counts else "",
            hadamard,
            transpose,
            functions[0] if functions else "",
        )

    # --- claims -----------------------------------------------------------------------------

    def _is_shown(self, passage: Passage) -> bool:
        """Whether a formula stands for itself: in a display, or in a note that has none."""
        return passage.display or not any(p.display for p in self.note.passages)

    def _is_claim(self, item: Item) -> bool:
        if item.passage.display or (self._is_shown(item.passage) and _derives_or_sets(item)):
            return True
        assert item.verdict is not None
        return item.verdict.outcome in ("true", "false") or item.verdict.method == FAULT

    def _claim(self, item: Item) -> Claim:
        verdict = item.verdict
        assert verdict is not None
        status = {"true": "verified", "false": "refuted", "definition": "definition"}.get(
            verdict.outcome, "undecided"
        )
        end = item.passage.place(item.statement.span.end)
        best = item.explanations[0] if item.explanations else None
        length = len(item.latex.splitlines()[0]) if item.latex else 1
        common: dict[str, Any] = {
            "file": self.note.path,
            "line": item.line,
            "column": item.column,
            "length": length,
            "latex": item.latex,
            "end_line": end[0],
            "end_column": end[1],
        }
        if status != "refuted":
            sentence = verdict.reason if status == "undecided" else verdict.note
            method = _method(verdict)
            proof = partial(self._proof, item)
            if status == "verified" and (facts := guarded(proof, _nothing)) is not None:
                return Claim(
                    **common, status="verified", method="proved", sentence=sentence, facts=facts
                )
            if status == "verified" and (unmet := self._unmet(item)):
                status, method, sentence = "undecided", "", unmet
            return Claim(**common, status=status, method=method, sentence=sentence)  # type: ignore[arg-type]
        sentence = self._sentence(item, best)
        span = best.span if best is not None else verdict.span
        return Claim(
            **common,
            status="refuted",
            method=_method(verdict),
            counterexample=guarded(partial(self._witness, item), partial(self._no_witness, item)),
            slip=best.slip if best is not None else verdict.slip,
            sentence=sentence,
            suggestion=self._in_letters(best.suggestion) if best is not None else "",
            consistent=item.consistent,
            follows_from=item.follows,
            spot=self._spot(item, span),
            claimed=_side_text(item, verdict.link + 1),
            derived=guarded(partial(self._derived, item), lambda _: ""),
            others=tuple(
                (e.slip, e.sentence, self._in_letters(e.suggestion)) for e in item.explanations[1:]
            ),
        )

    def _in_letters(self, suggestion: str) -> str:
        return self.layers.in_letters(suggestion) if self.layers is not None else suggestion

    def _broken_claim(self, item: Item, bug: Exception) -> Claim:
        """Undecided, where even what is to be said of a formula breaks."""
        length = len(item.latex.splitlines()[0]) if item.latex else 1
        return Claim(
            self.note.path,
            item.line,
            item.column,
            length,
            "undecided",
            latex=item.latex,
            sentence=told(bug),
        )

    def _derived(self, item: Item) -> str:
        """What the derivative on the false link's left, or at the chain's head, is equal to."""
        verdict = item.verdict
        assert verdict is not None
        settings, world = replace(self.settings, mode=item.mode), self._world(item, item.mode)
        meaning = Valuation(world, settings, verdict.numbers)
        for number in (verdict.link, 0):
            if found := right_side(item.statement.sides[number], meaning):
                return found
        return ""

    def _proof(self, item: Item) -> tuple[str, ...] | None:
        """The facts that a proof for all sizes uses; None where there is no proof."""
        settings, world = replace(self.settings, mode=item.mode), self._world(item, item.mode)
        sizes = self.current.real[item.mode].sizes
        if self._layers() > DEEPEST_PROOF:
            return None
        found = prove(item.statement, settings, world.network, (), world.flat, sizes)
        return None if found is None else found.facts

    def _unmet(self, item: Item) -> str:
        """The branch of an activation at which a formula that is true at the points was not
        tried. The numbers of an example are on the branches that they are on."""
        return "" if item.example is not None else self._world(item, item.mode).unmet

    def _sentence(self, item: Item, best: Explanation | None) -> str:
        verdict = item.verdict
        assert verdict is not None
        if item.consistent:
            lines = " and ".join(str(n) for n in item.follows)
            return f"false, but it follows correctly from the false line {lines}"
        where = ""
        if len(item.statement.relations) > 1:
            where = f"the {_ordinal(verdict.link + 1)} `=`: "
        layers = ""
        if verdict.failing and len(verdict.failing) < len(verdict.layers):
            letter = next((n for n in verdict.numbers if n != "L"), "l")
            layers = f" (false for {letter} = {', '.join(map(str, verdict.failing))})"
        if best is not None:
            return f"{where}{best.sentence}{layers}"
        reason = verdict.reason or "the sides differ"
        return f"{where}{reason}{layers}"

    def _spot(self, item: Item, span: Any) -> tuple[int, int, int] | None:
        if span is None:
            return None
        line, column = item.passage.place(span.start)
        return line, column, max(1, span.end - span.start)

    def _witness(self, item: Item) -> dict[str, Any]:
        assert item.verdict is not None
        settings = replace(self.settings, mode=item.mode)
        world = item.example or self._world(item, item.mode)
        latex = item.passage.latex
        return counterexample(
            item.statement, item.verdict, settings, world, lambda s: latex[s.start : s.end]
        )

    def _no_witness(self, item: Item, bug: Exception) -> dict[str, Any]:
        return {"sizes": sizes_of(self._world(item, item.mode)), "reason": told(bug)}

    def _lost(self, lost: Lost) -> Claim:
        """A formula without a reading: undecided, or refuted where none is possible."""
        unread, span = lost.unread, lost.unread.span
        line, column = lost.passage.place(span.start)
        end = lost.passage.place(span.end)
        latex = lost.passage.latex[span.start : span.end]
        bad = unread.ill_formed
        return Claim(
            self.note.path,
            line,
            column,
            max(1, len(latex.splitlines()[0]) if latex else 1),
            "refuted" if bad else "undecided",
            "ill-formed" if bad else "",
            latex=latex,
            slip="size" if bad else "",
            sentence=unread.reason if bad else f"not read: {unread.reason}",
            spot=(*lost.passage.place(unread.at), 1),
            end_line=end[0],
            end_column=end[1],
        )

    def _found(self, items: Sequence[Item]) -> dict[str, Any]:
        """The settings as the report lists them."""
        settings = self.settings
        modes = {item.mode for item in items}
        switches = [
            item.line for before, item in itertools.pairwise(items) if before.mode != item.mode
        ]
        used: dict[str, str] = {}
        for head, family in sorted(settings.letters.items()):
            used[head] = _family_text(family)
        found: dict[str, Any] = {
            "samples": settings.samples,
            "weights": "(in, out)" if settings.weights == "in_out" else "(out, in)",
            "layout": settings.layout,
            "reduction": self.reduction,
            "mode": modes.pop() if len(modes) == 1 else "one sample, then a batch",
            "layer": settings.mark.word,
            "layers_from": {"units": settings.nodes, "weights": settings.weights_from},
            "L": self._depth(),
            "delta": settings.deltas,
            "letters": used,
        }
        if switches:
            found["mode_changes_at_lines"] = switches
        scales = {h: s for h, s in sorted(settings.scales.items()) if s != "1"}
        if scales:
            found["scales"] = scales
        if settings.entrywise:
            found["entrywise_signs"] = sorted(s or "juxtaposition" for s in settings.entrywise)
        return found

    def _depth(self) -> int:
        world = next(iter(self.current.generic.values()))
        return Valuation(world, self.settings).scope.numbers["L"]


# --------------------------------------------------------------------------------------------
# Formulas
# --------------------------------------------------------------------------------------------


DEEPEST = 24  # layers of a network that notes are judged for
MOST_PARTS = 2000  # of a formula that is judged
DECIDING_PARTS = 500  # of one that helps to find out how the note is read
DEEPEST_PROOF = 6  # layers up to which a proof for all sizes is tried
MANY = 12  # lines from which on a note is expected to be right for the most part
CLASS_LETTERS = frozenset({"c", "t"})  # that mark the true class
SEVERAL = 4  # false lines that are not outweighed by as many true ones
SURVEY = 3  # ways in which a function is given that is not always the same
MORE_SLIPS = 2  # after the first, in one formula


def _both(first: Explanation, second: Explanation) -> Explanation:
    """Two slips of one formula."""
    return replace(
        second,
        slip=first.slip,
        sentence=f"{first.sentence}; and {second.sentence}",
        span=first.span,
        key=f"{first.key}|{second.key}",
        pieces=first.pieces,
    )


NOT_THIS = "of the network given it is false"
_SUPPOSING = re.compile(
    r"(?:\b(?:if|were|would|had|wenn|falls|si|se|jeśli|gdyby|если|если бы)\b"
    r"|若|如果|假设|假設|もし|仮に|만약)[^.!?;:。]*$",
    re.IGNORECASE,
)
_ASSUMING = r"assum|suppos|if the|when the|case|true class|correct class|one.?hot|say |let "


_OF_LABELS = r"class|label|target|one.?hot|\btrue\b|correct|\$y|\bis 1\b|= *1\b"
_NOTHING_ASSUMED = (
    r"\b(?:no|without|any) (?:further )?(?:assum|suppos)|\b(?:any|every|each|all|both) "
    r"(?:\w+ )?(?:cases?|labels?|classe?s?|targets?)\b|\bin general\b"
)


def _is_assumption(statement: Statement, settings: Settings) -> bool:
    """y = [1 0 0]: the labels, in numbers."""
    if len(statement.sides) != 2:
        return False
    parts = split(statement.sides[0])
    if parts is None or settings.letters.get(parts[0].head) not in ("y", "x"):
        return False
    other = statement.sides[1]
    return isinstance(other, (Matrix, Group, Number, Scripted)) and not any(
        isinstance(n, Symbol) and n.head not in ("T", r"\top") for n in walk(other)
    )


_DIFFERENT = (
    r"\b(?:differ|distinct|other than|otherwise|off.?diagonal|not equal|unequal"
    r"|different (?:ind(?:ices|exes)|entries|components|units|classes|places))\b"
)


def _is_condition(statement: Statement) -> bool:
    """i \\neq j, k = i: about index letters alone."""
    return len(statement.sides) > 1 and all(
        isinstance(s, Number) or (isinstance(s, Symbol) and s.head in INDEX_LETTERS)
        for s in statement.sides
    )


def _counts_of_units(statements: Sequence[Statement]) -> Iterator[str]:
    r"""Letters with a mark that end sums: the n of \sum_{j=1}^{n_L}."""
    sides = (side for statement in statements for side in statement.sides)
    for big in (node for side in sides for node in walk(side) if isinstance(node, Big)):
        for bound in big.bounds:
            parts = split(bound.upper) if bound.upper is not None else None
            if parts is not None and len(parts[1]) == 1:
                yield parts[0].head


def _counts_with(statement: Statement, sizes: Container[str]) -> bool:
    """Whether a size is a number in a formula, not only the end of a sum."""
    return any(_is_number_in(side, sizes) for side in statement.sides)


def _is_number_in(node: Node, sizes: Container[str]) -> bool:
    if isinstance(node, Symbol):
        return node.head in sizes
    if isinstance(node, Big):
        return _is_number_in(node.body, sizes)
    inner = (node.base,) if isinstance(node, Scripted) else children(node)
    return any(_is_number_in(child, sizes) for child in inner)


def _derives_or_sets(item: Item) -> bool:
    """Whether an inline formula says more than a name: a side that is not a bare letter."""
    return len(item.statement.sides) > 1 and any(
        not isinstance(side, (Symbol, Number)) for side in item.statement.sides[1:]
    )


def _derives(node: Node) -> bool:
    return any(isinstance(part, Derivative) for part in walk(node))


def _indices(node: Node) -> Iterator[str]:
    """Letters that stand in a script."""
    for part in walk(node):
        if isinstance(part, Scripted):
            for script in part.scripts:
                yield from heads_below(*script.parts)


def _index_pairs(statement: Statement) -> list[tuple[Symbol, Symbol]]:
    letters: dict[str, Symbol] = {}
    for side in statement.sides:
        for node in walk(side):
            if isinstance(node, Scripted):
                for script in node.scripts:
                    for part in script.parts:
                        if isinstance(part, Symbol) and part.head in INDEX_LETTERS:
                            letters.setdefault(part.head, part)
    found = list(letters.values())
    return [(a, b) for n, a in enumerate(found) for b in found[n + 1 :]]


def _is_law(statement: Statement, settings: Settings) -> bool:
    r"""\sigma'(x) = \sigma(x) (1 - \sigma(x)): what a function makes of any x, for no layer takes
    its activation of the input; and nothing of a layer is in it."""
    heads = {head for side in statement.sides for head in heads_below(side)}
    families = {settings.letters.get(head, "") for head in heads}
    if any(f not in ("", "x", "f", EULER) and not is_function(f) for f in families):
        return False
    return any(
        settings.letters.get(argument.head) == "x" and _is_function(function, settings)
        for side in statement.sides
        for function, argument in _applications(side)
    )


def _is_function(node: Node, settings: Settings) -> bool:
    parts = split(node)
    family = settings.letters.get(parts[0].head, parts[0].head) if parts else ""
    return family == "f" or is_function(family)


def _applications(side: Node) -> Iterator[tuple[Node, Symbol]]:
    """Functions with the bare letters that they are applied to."""
    for node in walk(side):
        factors: tuple[Node, ...] = ()
        if isinstance(node, Apply):
            factors = (node.function, *node.arguments)
        elif isinstance(node, Product) and not node.sign:
            factors = node.factors
        for function, after in itertools.pairwise(factors):
            inner = after.base if isinstance(after, Scripted) else after
            while isinstance(inner, Group) and len(inner.items) == 1:
                inner = inner.items[0]
            if isinstance(inner, Symbol):
                yield function, inner


def _transposes(item: Item) -> bool:
    return any(
        isinstance(node, Scripted) and any(script.kind == "transpose" for script in node.scripts)
        for side in item.statement.sides
        for node in walk(side)
    )


def _reaches_far(statement: Statement) -> bool:
    r"""[\frac{\partial}{\partial w} \sum_i w_i x_i + b]: of the sum, or of all in the bracket."""
    groups = (n for side in statement.sides for n in walk(side) if isinstance(n, Group))
    sums = (item for group in groups for item in group.items if isinstance(item, Sum))
    return any(isinstance(each.terms[0], Derivative) and each.terms[0].operator for each in sums)


def _names_a_change(statement: Statement) -> str:
    r"""\delta z = ...: a name of two letters, whatever it means."""
    match statement.sides[0]:
        case Product(sign="", factors=(Symbol(head=(r"\delta" | r"\Delta") as head), other)):
            parts = split(other)
            return f"{head} {parts[0].head}" if parts is not None else ""
    return ""


def _indexed_on_one_side(statement: Statement, settings: Settings) -> str:
    r"""\delta^l = \frac{\partial L}{\partial z^l_i}: the index that the other side leaves out."""
    if len(statement.sides) != 2:
        return ""
    known = {*settings.letters, *settings.sizes, "l", "L", "T"}
    one, other = (set[str](free_letters(side)) - known for side in statement.sides)
    left = sorted((one | other) - (one & other)) if not one or not other else []
    return left[0] if len(left) == 1 else ""


def _summed_and_fixed(statement: Statement) -> str:
    r"""A letter that a sum of one side runs over, and that stands for one place on another:
    a_j = \sum_j w_{ij} x_j."""
    bound = [
        {head_or_none(b.variable) for n in walk(side) if isinstance(n, Big) for b in n.bounds}
        for side in statement.sides
    ]
    free = [set(free_letters(side)) for side in statement.sides]
    for place, inside in enumerate(bound):
        beyond = set().union(*(f for n, f in enumerate(free) if n != place))
        if both := sorted(head for head in inside & beyond if head):
            return both[0]
    return ""


def _of_each_layer(statement: Statement, settings: Settings, world: World) -> Verdict | None:
    r"""\sigma(z^2), where \sigma is the activation of another layer in the rest of the note: it may
    be meant as that of whatever layer it meets, and is where the formula itself says what it is. As
    the sigmoid it is not meant to be no function at all."""
    family = settings.letters.get(SIGMA, "f")
    may_be_none = "identity" in activations(world.network)
    if not is_function(family) or (family == "sigmoid" and may_be_none):
        return None
    for other in ("f", "softmax"):
        letters = {**settings.letters, SIGMA: other}
        found = judge_in(statement, replace(settings, letters=letters), world)
        if found.outcome == "true":
            break
    else:
        return None
    if not may_be_none and says_what_sigma_is(statement):
        return found
    reason = rf"\sigma is {family} in this note, and another function here"
    return Verdict("unknown", reason=reason)


def _defines(statement: Statement, settings: Settings) -> bool:
    """Whether the first side is a name that the note gives to the second."""
    parts = split(statement.sides[0]) if len(statement.sides) == 2 else None
    return parts is not None and settings.letters.get(parts[0].head) in ("alias", "numbered")


def _states(statement: Statement) -> bool:
    """Whether an inline formula states something about the network."""
    if len(statement.sides) < 2 or any(r not in EQUALITIES for r in statement.relations):
        return False
    first = statement.sides[0]
    if isinstance(first, Symbol) and (
        first.head in INDEX_LETTERS or first.head in ("L", "l", "N", "m")
    ):
        return False
    return not all(isinstance(s, (Number, Symbol)) for s in statement.sides[1:])


# --------------------------------------------------------------------------------------------
# Words
# --------------------------------------------------------------------------------------------


def _of_others(verdict: Verdict) -> Verdict:
    """The verdict on a formula whose letters the text takes for something else: what is true
    with the network's is true, of anything else nothing is known."""
    known = verdict.outcome in ("true", "definition")
    return verdict if known else Verdict("unknown", reason=NOT_OF_NETWORK)


def _method(verdict: Verdict) -> Method:
    found = {"range": "ill-formed", UNMARKED: "ill-formed", FAULT: ""}.get(
        verdict.method, verdict.method
    )
    return found  # type: ignore[return-value]


def _outcome(item: Item) -> str:
    return "" if item.verdict is None else item.verdict.outcome


def _told_in_several_ways(items: Sequence[Item]) -> Iterator[Item]:
    """False lines on what a function of a letter is, where the note has others on the same: a
    survey of functions, each called f."""
    by_left: dict[str, list[Item]] = {}
    for item in items:
        parts = _applied(item.statement.sides[0])
        if parts and len(item.statement.sides) > 1:
            by_left.setdefault(_side_text(item, 0), []).append(item)
    for left, group in by_left.items():
        of_f = by_left.get(left.replace("'", ""), [])
        is_settled = len(of_f) == 1 and _outcome(of_f[0]) == "true"
        if not is_settled and len({_side_text(item, 1) for item in group}) >= SURVEY:
            yield from (item for item in group if _outcome(item) == "false")


def _has_dots(statement: Statement) -> bool:
    return any(isinstance(node, Dots) for side in statement.sides for node in walk(side))


def _applied(side: Node) -> bool:
    r"""f(x), f'(x): a function of a letter that has no marks."""
    factors = (side.function, *side.arguments) if isinstance(side, Apply) else ()
    if isinstance(side, Product) and not side.sign:
        factors = side.factors
    inner = factors[-1] if len(factors) == 2 else None
    while isinstance(inner, Group) and len(inner.items) == 1:
        inner = inner.items[0]
    return isinstance(inner, Symbol)


def _left_out(item: Item, found: frozenset[Use]) -> Verdict:
    """What is said of a formula in which a letter has no layer mark: loosely written, where one
    mark makes it true; a slip, where that letter has its mark elsewhere in it."""
    verdict = item.verdict
    assert verdict is not None
    whole = next((e for e in item.explanations if e.slip == "ill-formed"), None)
    if whole is None:
        return Verdict("unknown", reason=f"{verdict.reason}, and none makes it true")
    if is_marked_elsewhere(found):
        return verdict
    return Verdict(
        "true", "numeric", note=f"the layer mark is left out: read as {whole.suggestion}"
    )


def _unsure(items: Sequence[Item], bug: Exception) -> None:
    """Nothing is called false where it cannot be said whether it may be."""
    for item in items:
        if _outcome(item) == "false":
            item.verdict = broken(bug)


def _no_uses(_: Exception) -> frozenset[Use]:
    return frozenset()


def _nothing(_: Exception) -> None:
    """What breaks without a verdict in it is left out."""


def _unread(passage: Passage, bug: Exception) -> tuple[Unread]:
    return (Unread(Span(0, len(passage.latex)), 0, told(bug)),)


def _side_text(item: Item, number: int) -> str:
    if number >= len(item.statement.sides):
        return ""
    span = item.statement.sides[number].span
    return " ".join(item.passage.latex[span.start : span.end].split())


def _ordinal(number: int) -> str:
    words = ("first", "second", "third", "fourth", "fifth", "sixth")
    return words[number - 1] if number <= len(words) else f"{number}th"


def _family_text(family: str) -> str:
    if family.startswith("d_"):
        return f"gradient of {_family_text(family[2:])}"
    name, _, layer = family.partition(":")
    words = {
        "z": "pre-activation",
        "h": "activation",
        "W": "weights",
        "b": "bias",
        "x": "input",
        "y": "label",
        "yhat": "output",
        "L": "loss",
        "loss_n": "loss of one sample",
        "N": "number of samples",
        "delta": "error",
        "f": "activation function",
        EULER: "Euler's number",
        "depth": "number of layers",
        "alias": "a name of the note",
        "numbered": "names of the note",
    }
    text = words.get(name, name)
    return f"{text} {layer}" if layer else text


def _same_slips(items: Sequence[Item]) -> dict[int, int]:
    """For an item with a slip that an earlier one has too: the line of that one."""
    first: dict[str, int] = {}
    found: dict[int, int] = {}
    for item in items:
        if not item.explanations or item.consistent or not item.explanations[0].key:
            continue
        best = item.explanations[0]
        keys = best.key.split("|")
        if all(key in first for key in keys):
            found[item.number] = first[keys[0]]
        for key in keys:
            first.setdefault(key, item.line)
    return found
