"""Finding out an author's layout: the one in which the code is right, or most of it.

Owns: the order in which layouts are tried, and when a function may be one of a single sample.
Refuses: verdicts. Would be wrong if a batch function were read as one of a single sample, where
no sum over samples can be missing.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from symbackprop.judging.code.arguments import argument_names
from symbackprop.judging.code.layout import Layout, layouts, odd_layouts
from symbackprop.judging.code.marks import Reading, Session
from symbackprop.judging.code.naming import (
    ACTIVATION_LISTS,
    BIAS_LISTS,
    COUNTS,
    INPUTS,
    PARAMETERS,
    WEIGHT_LISTS,
    Naming,
    argument_lists,
)
from symbackprop.judging.code.roots import Blame, blamed
from symbackprop.judging.code.truth import Labels, Sizes, Subject
from symbackprop.tracing.numbers.budget import Budget, Share
from symbackprop.tracing.numbers.modules import Module

MOST_COMPARED = 4
MOST_STOPPED = 10  # layouts compared where reading stops in each; it does not take long
STOPPED = 10
SEARCH_STEPS = 400_000


@dataclass(frozen=True)
class Subjects:
    batch: Subject
    one: Subject


def settled(
    module: Module,
    function: ast.FunctionDef,
    methods: Mapping[str, ast.FunctionDef],
    subjects: Subjects,
    budget: Budget,
    given: Mapping[str, Any] | None = None,
) -> tuple[Session, Reading, Blame | None]:
    """The session in the best layout, and its reading at the first point: one in which all is
    right, else the one that has the fewest slips among those in which most is right; with its
    blame where that was found out."""
    share = budget.share(SEARCH_STEPS)
    tried: list[tuple[Session, Reading]] = []
    for layout in _tried(function, module, subjects):
        subject = subjects.one if layout.is_one else subjects.batch
        session = Session(
            module, function, subject, layout, methods, given=given or {}, budget=budget
        )
        reading = session.read(0)
        tried.append((session, reading))
        if reading.all_right or _is_endless(reading):
            return session, reading, None
        if share.is_used_up:
            break
    return _fewest_slips(tried, share)


def _is_endless(reading: Reading) -> bool:
    return reading.trail.fault is not None and reading.trail.fault.kind == "endless"


def _fewest_slips(
    tried: Sequence[tuple[Session, Reading]], share: Share
) -> tuple[Session, Reading, Blame | None]:
    usual = [(s, r) for s, r in tried if s.layout.is_usual]
    ranked = sorted(tried, key=lambda pair: (-pair[1].score, not pair[0].layout.is_usual))
    if usual and ranked and ranked[0][1].score <= max(r.score for _, r in usual):
        ranked = sorted(usual, key=lambda pair: -pair[1].score)
    best: tuple[Session, Reading, Blame | None] = (*ranked[0], None)
    fewest = 99
    stops = all(r.trail.fault for _, r in ranked)
    waiting = _diverse(ranked)[: MOST_STOPPED if stops else MOST_COMPARED]
    for session, reading in waiting:
        if share.is_used_up or (reading.score <= 0 and not stops):
            break
        blame = blamed(session, reading, fewest)
        count = _slips(blame)
        if count < fewest:
            best, fewest = (session, reading, blame), count
            known = [s.layout for s, _ in waiting]
            others = _with_other_biases(session, reading, tried)
            waiting += [(s, r) for s, r in others if s.layout not in known]
        if fewest <= 1:
            break
    return best


def _slips(blame: Blame) -> int:
    """How many slips a layout supposes; more where they do not explain all."""
    if any(mark.unknown is not None for mark in blame.healed.returned):
        return len(blame.roots) + STOPPED  # in another layout more of it may be known
    if blame.healed.all_right:
        return len(blame.roots)
    return len(blame.roots) + (1 if blame.healed.trail.fault is None else STOPPED)


def _with_other_biases(
    session: Session, reading: Reading, tried: Sequence[tuple[Session, Reading]]
) -> list[tuple[Session, Reading]]:
    """Layouts between which a reading that ended early could not tell."""
    if reading.trail.fault is None:
        return []
    layout = session.layout
    return [
        (s, r)
        for s, r in tried
        if s.layout != layout and replace(s.layout, biases=layout.biases) == layout
    ]


def _tried(function: ast.FunctionDef, module: Module, subjects: Subjects) -> Iterator[Layout]:
    """From the usual to the odd; each further group only differs in one respect."""
    subject = subjects.batch
    has_bias = any(t.letter == "b" for t in subject.network.of_kind("parameter"))
    single = not any(mentions_batch(f) for f in _with_helpers(function, module))
    usual = list(layouts(has_bias, single))
    if not single and _widens(function):
        usual = [layout for layout in usual if layout.samples != "vector"]
    lists = list(_list_variants(function))
    labels: tuple[Labels, ...] = ()
    if subject.shares:
        labels = ("one-hot", "integer", "integers in a column")
    elif subject.integer_labels:
        labels = ("integers in a column",)
    for change in lists:
        yield from (replace(layout, **change) for layout in usual)
    for label in labels:
        yield from (replace(layout, labels=label, **lists[0]) for layout in usual)
    yield from odd_layouts(has_bias, has_bias and not _takes_bias(function, subject.depth))
    sizes = subject.built.sizes
    if sizes:
        groups: tuple[Sizes, ...] = ("ones", "file") if 1 in sizes.values() else ("file",)
        for group in groups:
            for change in lists:
                yield from (replace(layout, sizes=group, **change) for layout in usual)
            if group == "ones":
                yield from (replace(l, sizes=group, flat_labels=True) for l in usual)
                yield from (Layout(s, sizes=group, is_flat=True) for s in ("rows", "columns"))
            for label in labels:
                yield from (replace(l, sizes=group, labels=label, **lists[0]) for l in usual)


def _takes_bias(function: ast.FunctionDef, depth: int) -> bool:
    """Whether anything in the code has the name of a bias."""
    called = Naming(depth)
    written = [n.attr for n in ast.walk(function) if isinstance(n, ast.Attribute)]
    named = [name.lower().strip("_") for name in (*argument_names(function), *written)]
    return any(n in BIAS_LISTS or (called.meaning(n) or "-")[0] == "b" for n in named)


def _widens(function: ast.FunctionDef) -> bool:
    """Whether one sample is made a batch of one first: then the code is one of a batch."""
    for node in ast.walk(function):
        match node:
            case ast.Attribute(attr="ndim" | "atleast_2d" | "expand_dims"):
                return True
            case ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr="reshape")):
                if name.lower() in INPUTS:
                    return True
    return False


def _list_variants(function: ast.FunctionDef) -> list[dict[str, Any]]:
    """How lists may count, where the function takes any."""
    names = argument_lists(function)
    found: list[dict[str, Any]] = [{}]
    if names & ACTIVATION_LISTS:
        found.append({"begins_with_x": False})
    if names:
        found.append({"first": 1})
    return found


def _diverse(ranked: Sequence[tuple[Session, Reading]]) -> list[tuple[Session, Reading]]:
    """Of layouts that differ in their biases only, the best."""
    kept: dict[tuple[str, str], tuple[Session, Reading]] = {}
    for session, reading in ranked:
        kept.setdefault((session.layout.samples, session.layout.weights), (session, reading))
    return list(kept.values())


def _with_helpers(function: ast.FunctionDef, module: Module) -> list[ast.FunctionDef]:
    """The function and the helpers that it calls, activations left out: a softmax has an axis
    whatever it is given."""
    found, helpers = [function], module.helpers
    for known in found:
        for node in ast.walk(known):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                helper = helpers.get(node.func.id)
                if helper is not None and helper not in found and len(helper.args.args) > 1:
                    found.append(helper)
    return found


def mentions_batch(function: ast.FunctionDef) -> bool:
    """Whether the code adds up over samples or counts them: then it is one of a batch."""
    for node in ast.walk(function):
        match node:
            case ast.keyword(arg="axis" | "keepdims"):
                return True
            case ast.Attribute(value=owner, attr="shape" | "mean"):
                if not _is_parameter(owner):
                    return True
            case ast.Attribute(attr="einsum"):
                return True
            case ast.Name(id=name) | ast.arg(arg=name) if name.lower() in COUNTS:
                return True
            case ast.Call(func=ast.Attribute(attr="sum"), args=[_, _]):
                return True
            case ast.Call(func=ast.Name(id="len"), args=[owner]):
                if not _is_parameter(owner):
                    return True
    return False


def _is_parameter(node: ast.expr) -> bool:
    """Whether something is a weight, a bias, or a list or dict of them, by its name."""
    name = ""
    if isinstance(node, (ast.Name, ast.Attribute)):
        name = (node.id if isinstance(node, ast.Name) else node.attr).lower()
    lists = WEIGHT_LISTS | BIAS_LISTS | PARAMETERS | ACTIVATION_LISTS - {"h", "a", "hidden"}
    return name.rstrip("0123456789_") in lists
