"""For which layers a formula is meant, and what it is where it holds for some of them only.

Owns: the letters of layers, the ranges that remarks state, and the verdict over all layers.
Refuses: two letters of layers, and formulas whose range hangs on the text.
Would be wrong if a layer that a remark leaves out were counted against the formula.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace

from symbackprop.judging.notes.formula.compare import Verdict
from symbackprop.judging.notes.formula.letters import head_or_none
from symbackprop.judging.notes.formula.meaning import Meaning
from symbackprop.judging.notes.formula.symbols import (
    LAYERED,
    IllFormed,
    Missing,
    NotUnderstood,
    Scope,
    activation,
    counts_layers,
    split,
)
from symbackprop.reading.latex.syntax import (
    Big,
    Comparison,
    Node,
    Scripted,
    Statement,
    Symbol,
    children,
    heads_below,
    walk,
)

AT_MOST = r"\\(?:le|leq|leqslant)(?![A-Za-z])"


def layer_letters(statement: Statement, scope: Scope) -> list[str]:
    """Letters that stand in a layer mark and are no known number."""
    found = (head for side in statement.sides for head in marks_in(side, scope))
    return list(dict.fromkeys(found))


def marks_in(node: Node, scope: Scope) -> Iterator[str]:
    """Letters of layers below a node, those left out that a sum in it runs over."""
    bound = {head_or_none(b.variable) for b in node.bounds} if isinstance(node, Big) else set()
    yield from _mark_letters(node, scope)
    for child in children(node):
        yield from (head for head in marks_in(child, scope) if head not in bound)


def layers_in(nodes: Sequence[Node], scope: Scope) -> Iterator[int]:
    """The numbers of the layers whose parameters stand below some nodes, where they have any."""
    for node in (part for side in nodes for part in walk(side)):
        parts = split(node) if isinstance(node, Scripted) else None
        if parts is None:
            continue
        family = scope.settings.letters.get(parts[0].head, "")
        if family.partition(":")[0] in ("W", "b"):
            with suppress(NotUnderstood, IllFormed):
                layer = scope.resolve(node).layer
                if layer is not None:
                    yield layer


def _mark_letters(node: Node, scope: Scope) -> Iterator[str]:
    parts = split(node) if isinstance(node, Scripted) else None
    if parts is None:
        return
    family = scope.settings.letters.get(parts[0].head, "").removeprefix("d_")
    if family not in LAYERED and family not in ("f", "alias"):
        return
    opened = True
    for script in parts[1]:
        try:
            role = scope.role(script, opened, family)
        except NotUnderstood:
            continue
        if role == "layer":
            opened = False
            for part in () if counts_layers(script.parts[0]) else walk(script.parts[0]):
                if isinstance(part, Symbol) and part.head not in scope.numbers:
                    yield part.head


def for_all_layers(
    statement: Statement,
    meaning: Meaning,
    letters: Sequence[str],
    settled: Callable[[Statement, Meaning], Verdict],
) -> Verdict:
    """The verdict over all layers for which the formula is meant; `settled` judges it at one."""
    if len(letters) > 1:
        return Verdict("unknown", reason=f"two letters of layers: {', '.join(letters)}")
    letter = letters[0]
    stated = stated_range(statement.remark, letter, meaning.scope.numbers)
    if stated is None:
        stated = _stated_by_conditions(statement, letter, meaning)
    tried: list[tuple[int, Verdict]] = []
    outside: Verdict | None = None
    for number in _meant(statement, letter, stated, meaning):
        found = settled(statement, replace(meaning, numbers={**meaning.numbers, letter: number}))
        if found.method == Missing.method and _is_unshifted(statement, letter, found):
            found = replace(found, method=IllFormed.method)
        if found.method in ("range", Missing.method) and not (
            stated is not None and number in stated
        ):
            outside = outside or replace(found, method="range")
            continue
        tried.append((number, replace(found, numbers={letter: number})))
    if not tried:
        return outside or Verdict("unknown", reason=f"no layer {letter} fits the formula")
    return _together(tried, letter, stated is not None, meaning)


def _stated_by_conditions(statement: Statement, letter: str, meaning: Meaning) -> set[int] | None:
    """The layers between two bounds: 1 <= l <= 3."""
    numbers = range(-1, meaning.scope.layers + 3)
    held = {
        number
        for number in numbers
        if within_conditions(statement.conditions, letter, number, meaning)
    }
    return held if held and not held & {numbers[0], numbers[-1]} else None


def _is_unshifted(statement: Statement, letter: str, found: Verdict) -> bool:
    """Whether the mark of what is missing is the letter itself: where b^{l+1} ends, l ends, but
    z^l = h^{l-1} W^l + b^l claims a bias for every l. What has b^l on its left is about those l
    that have one."""
    for side in statement.sides[1:]:
        for node in walk(side):
            if isinstance(node, Scripted) and node.span == found.span:
                marks = [p for s in node.scripts for p in s.parts]
                return any(isinstance(p, Symbol) and p.head == letter for p in marks)
    return False


def _meant(
    statement: Statement, letter: str, stated: set[int] | None, meaning: Meaning
) -> Iterator[int]:
    """Numbers of layers that neither a remark nor a condition leaves out."""
    for number in range(-1, meaning.scope.layers + 3):
        if stated is not None and number not in stated:
            continue
        if within_conditions(statement.conditions, letter, number, meaning):
            yield number


def _together(
    tried: Sequence[tuple[int, Verdict]], letter: str, stated: bool, meaning: Meaning
) -> Verdict:
    layers = tuple(number for number, _ in tried)
    false = [(n, f) for n, f in tried if f.outcome == "false"]
    unknown = [f for _, f in tried if f.outcome == "unknown"]
    true = [(n, f) for n, f in tried if f.outcome == "true"]
    if false and true and not stated and all(f.method != IllFormed.method for _, f in false):
        return _in_part(true, false, layers, letter, meaning)
    if false:
        failing = tuple(n for n, _ in false)
        return replace(false[0][1], layers=layers, failing=failing)
    return replace(unknown[0] if unknown else tried[0][1], layers=layers)


def _in_part(
    true: Sequence[tuple[int, Verdict]],
    false: Sequence[tuple[int, Verdict]],
    layers: tuple[int, ...],
    letter: str,
    meaning: Meaning,
) -> Verdict:
    """True for some layers and false for others, where the formula does not say for which it is
    meant. The last layer with an activation of its own is not meant by "a layer"."""
    held, failed = [n for n, _ in true], [n for n, _ in false]
    last = meaning.scope.layers + meaning.settings.nodes
    names = {activation(meaning.world.network, n) for n in range(1, meaning.scope.layers)}
    own = activation(meaning.world.network, meaning.scope.layers) not in names
    told = f"for {letter} = {', '.join(map(str, held))}"
    if own and all(n >= last - 1 for n in failed) and len(failed) == 1:
        note = f"{told}; not for {letter} = {failed[0]}, where the activation is another"
        return replace(true[0][1], layers=layers, note=note)
    reason = f"true {told}, false for {', '.join(map(str, failed))}: its range hangs on the text"
    return Verdict("unknown", reason=reason, layers=layers, failing=tuple(failed))


def stated_range(remark: str, letter: str, numbers: Mapping[str, int]) -> set[int] | None:
    r"""The layers that a remark names: `l = 1, 2`, `l = 2, \dots, L-1`, `1 \le l \le L`; None where
    it does not."""
    between = re.search(
        rf"(\w+)\s*{AT_MOST}\s*{re.escape(letter)}\s*{AT_MOST}\s*(\w+)(?:\s*-\s*(\d+))?", remark
    )
    if between is not None:
        low, high = (
            int(end) if end.isdigit() else numbers.get(end) for end in (between[1], between[2])
        )
        if low is not None and high is not None:
            return set(range(low, high - int(between[3] or 0) + 1))
    found = re.search(rf"(?<![A-Za-z\\]){re.escape(letter)}\s*(?:=|\\in)\s*(.*)", remark)
    if found is None:
        return None
    text = re.sub(r"\\(?:ldots|dots|cdots|dotsc)|…|\.\.\.?", " ... ", found.group(1))
    text = re.sub(r"\\[a-zA-Z{}]+|[{}$]", " ", text)
    known: list[int | None] = []
    for part in re.split(r"[,;\s]+", re.sub(r"\s*([+-])\s*", r"\1", text)):
        if part == "...":
            known.append(None)
        elif match := re.fullmatch(r"(\d+|[A-Za-z])([+-]\d+)?", part):
            base = match.group(1)
            if not base.isdigit() and base not in numbers:
                break
            start = int(base) if base.isdigit() else numbers[base]
            known.append(start + int(match.group(2) or 0))
        elif part not in ("", "and"):
            break
    if not known or known[0] is None or known[-1] is None:
        return None
    if None in known:
        before, after = known[known.index(None) - 1], known[known.index(None) + 1]
        if before is None or after is None:
            return None
        step = -1 if after < before else 1
        return {n for n in known if n is not None} | set(range(before, after + step, step))
    return {n for n in known if n is not None}


def within_conditions(
    conditions: Sequence[Comparison], letter: str, number: int, meaning: Meaning
) -> bool:
    scope = replace(meaning.scope, numbers={**meaning.scope.numbers, letter: number})
    for condition in conditions:
        if letter not in heads_below(condition):
            continue
        try:
            left, right = scope.whole(condition.left), scope.whole(condition.right)
        except (NotUnderstood, IllFormed):
            continue
        held = {
            "<": left < right,
            ">": left > right,
            r"\leq": left <= right,
            r"\geq": left >= right,
            r"\neq": left != right,
            "=": left == right,
        }
        if not held.get(condition.relation, True):
            return False
    return True
