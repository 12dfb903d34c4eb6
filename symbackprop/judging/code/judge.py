"""The judge of hand-written backward passes: a source text in, a report of claims out.

Owns: the order of the judgement (find the function, settle its layout, mark its values, blame,
prove, explain) and the claims. Refuses: running anything, unless `execute` asks for it.
Would be wrong if a claim were refuted without numbers that anyone can recompute.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np

from symbackprop.guard import guarded, told
from symbackprop.judging.code.derived import Deriver
from symbackprop.judging.code.diagnosis import Diagnoser, Finding
from symbackprop.judging.code.execute import executed
from symbackprop.judging.code.live import Live
from symbackprop.judging.code.marks import Mark, Reading, Session, arrangement, same_finding
from symbackprop.judging.code.prepared import prepared, script_of
from symbackprop.judging.code.proofs import Proved, proofs
from symbackprop.judging.code.roots import Blame, Root, blamed, depends_on
from symbackprop.judging.code.search import Subjects, settled
from symbackprop.judging.code.text import with_plain_ends
from symbackprop.judging.code.truth import Factor, Subject, distance, factor_between
from symbackprop.judging.code.validity import Defaults, Untried, open_arguments, singled
from symbackprop.judging.report import Claim, FileReport, Method
from symbackprop.networks import names
from symbackprop.networks.layers.multilayer import Built
from symbackprop.tracing.interpreter import nested_too_deeply
from symbackprop.tracing.numbers.budget import GUARD_SECONDS, Budget, OutOfTime
from symbackprop.tracing.numbers.modules import (
    Beside,
    Methods,
    Module,
    chosen,
    definitions,
    parsed_tree,
)
from symbackprop.tracing.numbers.reading import SCRIPT, Fault
from symbackprop.tracing.numbers.unknown import Unknown, first_unknown, unknowns_in

DIAGNOSIS_STEPS = 400_000
STRICT = 1e-9
STEPS_AGREE = 1e-6
DEEPEST = 150


def judge_code(
    source: str,
    function: str,
    path: str,
    batch: Built,
    one: Built,
    *,
    execute: bool = False,
    beside: Beside | None = None,
    live: Live | None = None,
) -> FileReport:
    """The claims of `function` in `source`: each named intermediate and returned gradient.

    `batch` and `one` are the network for N samples and for a single one. `path` is only quoted.
    `beside`: the files from which it may import; `live`: what the running program knows of it.
    """
    source = with_plain_ends(source)
    subjects = Subjects(Subject.of(batch), Subject.of(one))
    found = _function(source, function, beside, live, subjects.batch.depth)
    if isinstance(found, str):
        return FileReport(path, (), {}, source, found)
    module, node, methods = found
    if node.name == SCRIPT:
        function = SCRIPT
    if execute:
        return executed(source, function, path, module, node, methods, subjects)

    def undecided(reason: str) -> FileReport:
        claim = Claim(path, node.lineno, 1, 1, "undecided", name=function, sentence=reason)
        return FileReport(path, (claim,), {}, source)

    try:
        with np.errstate(all="ignore"):  # values of the code may be of any size
            judged = partial(_judged, source, path, module, node, methods, subjects)
            return guarded(judged, lambda bug: undecided(told(bug, "function", "code")))
    except OutOfTime:
        return undecided(f"not judged: it took more than {GUARD_SECONDS:g} seconds")


def _judged(
    source: str,
    path: str,
    module: Module,
    node: ast.FunctionDef,
    methods: Mapping[str, ast.FunctionDef],
    subjects: Subjects,
) -> FileReport:
    budget = Budget()
    session, reading, blame = settled(module, node, methods, subjects, budget)
    off = {n: 0 for n, v in open_arguments(session).items() if not isinstance(v, bool)}
    if off and not reading.all_right:
        without = settled(module, node, methods, subjects, budget, off)
        is_read = without[1].trail.fault is None and bool(without[1].returned)
        if is_read and len(without[1].wrong) < len(reading.wrong):
            session, reading, blame = without
    numbers = (0, *session.numbers) if reading.trail.fault is None else (0,)
    readings = [reading, *(session.read(number) for number in numbers[1:])]
    if reading.trail.fault is None and not session.layout.is_one:
        session = replace(session, singled=singled(session, readings))
        readings += [session.read(number) for number in session.singled]
        numbers = (*numbers, *session.singled)
    worst = max(range(len(readings)), key=lambda place: len(readings[place].wrong))
    if worst:
        session, reading, blame = replace(session, point=numbers[worst]), readings[worst], None
    return _Judgement(source, path, session, reading, blame, tuple(readings)).report()


def _function(
    source: str,
    function: str,
    beside: Beside | None = None,
    live: Live | None = None,
    depth: int = 0,
) -> tuple[Module, ast.FunctionDef, Methods] | str:
    """The function and what it sees, or why there is nothing to judge."""
    tree = parsed_tree(source)
    if isinstance(tree, str):
        return tree
    if not function:
        script = script_of(tree, depth)
        if script is None:
            return (
                "it sets no data or parameters at its top, such as X, y, W1; give FILE.py::function"
            )
        return Module.of(tree, beside=beside), prepared(script, {}), {}
    found = chosen(definitions(tree), function, live.line if live is not None else 0)
    if isinstance(found, str):
        return found
    for node in ast.walk(found.node):
        for part in ast.iter_child_nodes(node) if isinstance(node, ast.stmt) else ():
            if isinstance(part, ast.expr) and nested_too_deeply(part, DEEPEST):
                return f"line {part.lineno}: an expression is nested too deeply to be read"
    values = live.values if live is not None else {}
    module = Module.of(tree, None, values, beside).again(tree, found.around)
    written = {ast.unparse(d) for d in found.node.decorator_list} - {"staticmethod", "classmethod"}
    if live is not None and live.wrapped and not written:
        reason = f"what was given is something around {function}, which is not read"
        module = replace(module, unknown={**module.unknown, found.node.name: reason})
    return module, prepared(found.node, found.methods), found.methods


def _positioned(fault: Fault | Unknown) -> str:
    return f"line {fault.line}: {fault.reason}" if fault.line else fault.reason


@dataclass
class _Judgement:
    """One judgement in progress."""

    source: str
    path: str
    session: Session
    reading: Reading
    blame: Blame | None
    everywhere: tuple[Reading, ...]  # at all points
    proved: Proved = field(default_factory=lambda: Proved({}))
    explained: dict[Any, list[Finding]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.defaults = Defaults.of(self.session, self.reading)
        self.untried = Untried(self.session, self.reading)
        self.session = replace(self.session, free=self.defaults.free)
        share = self.session.budget.share(DIAGNOSIS_STEPS)
        self.diagnoser = Diagnoser(self.source, self.path, self.session, share)

    def report(self) -> FileReport:
        reading = self.reading
        problem = self._problem()
        if problem:
            return FileReport(self.path, (), {}, self.source, problem)
        blame = Blame((), reading)
        if not reading.all_right:
            blame = self.blame or blamed(self.session, reading)
        claims = self._claims(blame)
        return FileReport(self.path, tuple(claims), self._settings(), self.source)

    def _problem(self) -> str:
        """Why nothing could be judged; empty where something was."""
        reading = self.reading
        fault = reading.trail.fault
        if fault is not None and fault.kind == "endless":
            return _positioned(fault)
        if fault is not None and not reading.stored:
            return _positioned(fault) if fault.kind != "shape" else ""
        if fault is None and not reading.returned:
            return self._nothing_returned()
        return ""

    def _nothing_returned(self) -> str:
        """What is said where nothing returned has the name of a gradient; empty where there are
        other claims, and what is returned is not known."""
        name, line = self.session.function.name, self.session.function.lineno
        unknown = first_unknown(self.reading.trail.returned)
        if unknown is not None:
            is_known = any(mark.found is not None for mark in self.reading.stored)
            return "" if is_known else _positioned(unknown)
        unread = "".join(f"; {_positioned(u)}" for u in self.reading.trail.unknowns[:1])
        return (
            f"line {line}: {name} returns no gradient that is known by its name; return a "
            f'dict such as {{"W1": …}} or a tuple of names such as dW1, db1{unread}'
        )

    def _settings(self) -> dict[str, Any]:
        found = self.session.names.roles.items()
        return {
            **self.session.layout.settings,
            "reduction": self.session.subject.reduction,
            **({"roles": ", ".join(f"{n} is {m}" for n, m in found)} if found else {}),
        }

    # ---- claims ------------------------------------------------------------------------------

    def _claims(self, blame: Blame) -> list[Claim]:
        chosen = _claimed(self.reading, blame)
        self.proved = proofs(self.session, self.reading.stored, self.reading.returned)
        healed = _by_site(blame.healed)
        deriver = Deriver(self.session, blame.fills, frozenset(m.line for m in chosen))
        made = [self._guarded_claim(mark, blame, healed, deriver) for mark in chosen]
        made += self._not_reached(blame, {c.name for c in made})
        made += [self.defaults.judged(claim, mark) for claim, mark in self._loss()]
        return [*made, *self._steps(), *self._missing()]

    def _loss(self) -> Iterator[tuple[Claim, Mark]]:
        """The claim that the returned loss is that of the network. No gradient depends on it, so
        it is no cause of anything; but the gradients must be those of this loss."""
        mark = self.reading.loss
        if mark is None:
            return
        base = Claim(self.path, mark.line, mark.column + 1, mark.length, "verified", name=mark.name)
        if mark.unknown is not None:
            yield self._unknown(base, mark.unknown), mark
        elif mark.state == "right":
            yield self._verified(base, mark), mark
        elif mark.state == "scaled":
            counted = mark.factor.samples or mark.factor.classes
            slip = "sample-count" if counted else "sign" if abs(mark.factor.fraction) == 1 else ""
            wanted = self.session.layout.of("L", self.reading.truth)
            said = f"{mark.name} is {mark.factor.text} times the loss of the network"
            refuted = replace(
                base,
                status="refuted",
                method="numeric",
                slip=slip or "constant",
                sentence=f"{said}; the gradients of it would be as many times those of the network",
                counterexample=self.witness(mark.value, wanted),
            )
            yield refuted, mark
        else:
            reason = f"{mark.name} is not the loss of the network, nor a multiple of it"
            yield replace(base, status="undecided", sentence=reason), mark

    def _steps(self) -> Iterator[Claim]:
        """Of parameters that are changed beside their gradients: whether a positive multiple of
        the gradient is subtracted. What is right needs no claim of its own."""
        truth, layout = self.reading.truth, self.session.layout
        named = {m.meaning: m for m in self.reading.returned if m.ok}
        last = {m.meaning: m for m in self.reading.stored if m.event and not m.event.depth}
        for name in self.session.parameters:
            mark, gradient = last.get(name), named.get(names.gradient(name))
            before, slope = layout.of(name, truth), layout.of(names.gradient(name), truth)
            if mark is None or gradient is None or gradient.name == mark.name or mark.ok:
                continue
            if before is None or slope is None or np.shape(mark.value) != before.shape:
                continue
            step = before - mark.value
            size = float(np.sum(step * slope) / np.sum(slope * slope))
            is_multiple = distance(step, size * slope) <= STEPS_AGREE
            base = Claim(self.path, mark.line, mark.column + 1, mark.length, "undecided")
            base = replace(base, name=mark.name, method="")
            if not is_multiple:
                reason = f"what is subtracted from {mark.name} is no multiple of its gradient"
                yield replace(base, sentence=reason)
            elif size < 0:
                shown = self.witness(mark.value, before + size * slope)
                said = "the gradient is added, so the loss grows"
                refuted = replace(base, status="refuted", method="numeric", slip="sign")
                yield replace(refuted, sentence=said, counterexample=shown)

    def _missing(self) -> Iterator[Claim]:
        """A claim for each parameter whose gradient is not among what is returned."""
        if self.reading.trail.fault is not None:
            return
        told = [mark.unknown for mark in self.reading.returned]
        unknown = next((u for u in unknowns_in(self.reading.trail.returned) if u not in told), None)
        why = f"; not all of it is known: {_positioned(unknown)}" if unknown is not None else ""
        node = self.reading.trail.return_node or self.session.function
        for meaning in self.reading.missing:
            name = names.bare(meaning)
            reason = f"nothing that is returned is known as the gradient of {name}{why}"
            place = (node.lineno, node.col_offset + 1, len("return"))
            claim = Claim(self.path, *place, "undecided", name=name, sentence=reason)
            yield self._twice(claim) or claim

    def _twice(self, claim: Claim) -> Claim | None:
        """The claim refuted where a key stands twice in what is returned, and one is lost."""
        node = self.reading.trail.return_node
        value = node.value if node is not None else None
        if not isinstance(value, ast.Dict):
            return None
        keys = [k for k in value.keys if isinstance(k, ast.Constant)]
        for number, key in enumerate(keys):
            if any(key.value == other.value for other in keys[number + 1 :]):
                said = f"the key {key.value!r} stands twice, so the first of the two is lost"
                return replace(
                    claim,
                    line=key.lineno,
                    column=key.col_offset + 1,
                    status="refuted",
                    method="structure",
                    slip="layer",
                    sentence=f"{said}; {claim.sentence}",
                    counterexample=self.witness(None, None),
                )
        return None

    def _guarded_claim(
        self, mark: Mark, blame: Blame, healed: Mapping[Any, Mark], deriver: Deriver
    ) -> Claim:
        base = Claim(self.path, mark.line, mark.column + 1, mark.length, "verified", name=mark.name)

        def judged() -> Claim:
            claim = self.defaults.judged(self._claim(base, mark, blame, healed), mark)
            return self._with_derived(claim, mark, blame, deriver)

        def undecided(bug: Exception) -> Claim:
            return replace(base, status="undecided", sentence=told(bug, "line", "code"))

        return guarded(judged, undecided)

    def _with_derived(self, claim: Claim, mark: Mark, blame: Blame, deriver: Deriver) -> Claim:
        """The claim with the right expression in the author's names, where there is one."""
        roots = {r.site: r.meaning for r in blame.roots}
        own = mark.found if claim.status == "verified" else mark.meaning
        meaning = roots.get(mark.site) or own or mark.meaning
        text = deriver.text(meaning, mark.line) if meaning is not None else ""
        return replace(claim, derived=text)

    def _claim(self, base: Claim, mark: Mark, blame: Blame, healed: Mapping[Any, Mark]) -> Claim:
        if mark.unknown is not None:
            return self._unknown(base, mark.unknown)
        root = next((r for r in blame.roots if r.site == mark.site), None)
        if root is not None and not (mark.returned and mark.ok and mark.factor.is_one):
            return self._explained(self._refuted(base, mark, root), root, blame)
        after = healed.get((mark.site, mark.name))
        if mark.returned:
            after = next((m for m in blame.healed.returned if m.meaning == mark.meaning), None)
        unchanged = after is not None and same_finding(mark, after)
        if mark.ok and (mark.returned or unchanged or not blame.roots):
            said = "" if mark.factor.is_one else _convention(mark)
            return self._verified(base, mark, said)
        if unchanged and mark.state in ("scaled", "other"):
            return self._verified(base, mark, _convention(mark))
        if not mark.returned and ((mark.state == "bad" and unchanged) or not blame.roots):
            reason = f"{mark.name} is no multiple of {_said(mark.meaning)}, but nothing "
            reason += "returned shows it wrong: the name may mean something else"
            return replace(base, status="undecided", sentence=reason)
        lines = depends_on(self.session, blame, mark.name) if blame.roots else ()
        refuted = self._refuted(base, mark, None)
        if after is not None and after.state in ("right", "scaled", "other"):
            return replace(
                refuted,
                consistent=True,
                follows_from=lines,
                sentence=f"follows correctly from line {_listed(lines)}",
            )
        return refuted

    def _unknown(self, base: Claim, unknown: Unknown) -> Claim:
        """A value of which nothing can be said, and where that comes from."""
        reason = unknown.reason
        if unknown.line and unknown.line != base.line:
            reason = f"it depends on line {unknown.line}: {reason}"
        return replace(base, status="undecided", sentence=reason)

    def _verified(self, base: Claim, mark: Mark, sentence: str = "") -> Claim:
        """Proved for all sizes where the tracer could; else right at points."""
        proved = self.proved.facts
        facts = proved.get((mark.line, mark.name))
        if mark.returned:
            facts = proved.get((0, mark.name), facts)
        trusted = self._trusted(mark)
        if facts is None:
            gap = self._gap(mark)
            if gap > STRICT:
                reason = f"{mark.name} differs from {_said(mark.found)} by {gap:.0e}: too little "
                reason += "to tell a slip from rounding or from a small constant such as 1e-8"
                return replace(base, status="undecided", sentence=reason)
            if reason := self.untried.behind(mark) or self._untried(mark):
                return replace(base, status="undecided", sentence=reason)
            return replace(base, method="numeric", facts=trusted, sentence=sentence)
        if self.reading.trail.asks_turn and (reason := self.untried.behind(mark)):
            return replace(base, status="undecided", sentence=reason)
        return replace(base, method="proved", facts=(*facts, *trusted), sentence=sentence)

    def _trusted(self, mark: Mark) -> tuple[str, ...]:
        """What is taken for granted of functions that are not read, and were called before."""
        calls = self.reading.trail.trusted.items()
        return tuple(
            f"that {name} in line {line} changes none of its arguments"
            for name, line in calls
            if mark.returned or line < mark.line
        )

    def _untried(self, mark: Mark) -> str:
        """Where a value that is right at one point may be wrong; empty where it is right at all,
        and these meet every branch of the network."""
        own = _twins(self.reading, mark)
        for other in self.everywhere:
            pairs = zip(own[-1:], _twins(other, mark)[-1:], strict=False)  # what a loop leaves
            if any((m.state, m.found) != (o.state, o.found) for m, o in pairs):
                return f"{mark.name} is {_said(mark.found)} at some points and at others it is not"
        return self.session.unmet

    def _gap(self, mark: Mark) -> float:
        """The relative distance of a value from what it was found to be."""
        wanted = self.session.layout.of(mark.found or "", self.reading.truth)
        if wanted is None or mark.sample is not None or mark.step is not None:
            return 0.0
        right = wanted * mark.factor.value(self.reading.truth)
        right = arrangement(right, np.shape(mark.value))
        if np.shape(right) != np.shape(mark.value):
            return 0.0
        return distance(mark.value, right)

    def _refuted(self, base: Claim, mark: Mark, root: Root | None) -> Claim:
        meaning = mark.meaning or (root.meaning if root is not None else None)
        wanted = None
        if meaning is not None:
            factor = Factor()
            if root is not None and root.fills:
                factor = next(iter(root.fills.values())).factor
            wanted = self.session.layout.of(meaning, self.reading.truth)
            if wanted is not None:
                wanted = wanted * factor.value(self.reading.truth)
        method: Method = "numeric"
        if wanted is not None and np.shape(wanted) != np.shape(mark.value):
            method = "shape"
        return replace(
            base,
            status="refuted",
            method=method,
            counterexample=self.witness(mark.value, wanted),
            sentence="wrong, no single slip explains it",
        )

    def _explained(self, claim: Claim, root: Root, blame: Blame) -> Claim:
        """The claim with its slip, the corrected line and the patch."""
        if root.site not in self.explained:
            others = {
                place: fill
                for other in blame.roots
                if other.site != root.site
                for place, fill in other.fills.items()
            }
            stuck = {str(r.meaning) for r in blame.roots if not r.fills and r.fault is None}
            self.diagnoser.ignored = frozenset(stuck - {str(root.meaning)})
            self.explained[root.site] = self.diagnoser.explain(root, others)
        found = self.explained[root.site]
        if not found:
            return claim
        if root.mark is not None and self._all_turned(root.mark):
            found = [_as_layout(found[0]), *found]
        best = found[0]
        return replace(
            claim,
            slip=best.edit.slug,
            sentence=best.edit.sentence + self._hint(root),
            suggestion=best.suggestion,
            spot=(best.line, best.column + 1, best.length),
            patch=self.diagnoser.patch(best),
            others=tuple((f.edit.slug, f.edit.sentence, f.suggestion) for f in found[1:4]),
        )

    def _all_turned(self, mark: Mark) -> bool:
        """Whether each gradient of a weight matrix is returned transposed, and nothing else."""
        weights = [m for m in self.reading.returned if names.is_gradient(str(m.meaning), "W")]
        turned = [m for m in weights if m.found == m.meaning and m.factor.is_one and not m.ok]
        own = any(m.meaning == mark.meaning for m in turned)
        return own and len(weights) == len(turned) > 1

    def _hint(self, root: Root) -> str:
        """Under which other loss or reduction the code would be right."""
        subject, truth = self.session.subject, self.reading.truth
        factors = {m.factor for m in self.reading.returned if m.found == m.meaning}
        if len(factors) == 1 and not any(m.ok for m in self.reading.returned):
            factor = next(iter(factors))
            if factor == Factor(samples=1) and subject.reduction == "mean":
                return (
                    ": it is right where the loss is the sum over the samples, here it is the mean"
                )
            if factor == Factor(samples=-1) and subject.reduction == "sum":
                return (
                    ": it is right where the loss is the mean over the samples, here it is the sum"
                )
        last = names.total(subject.depth)
        if root.mark is None or root.meaning != names.gradient(last) or "y" not in truth:
            return ""
        if truth.values["y"].shape != truth.values[last].shape:
            return ""
        plain = truth.values[names.output(subject.depth)] - truth.values["y"]
        wanted = arrangement(plain, np.shape(root.mark.value))
        plain_found = root.mark.found in (None, names.gradient(names.output(subject.depth)))
        if factor_between(root.mark.value, wanted, truth) in _COMMON and plain_found:
            return "; yhat - y alone is right for cross-entropy behind softmax or sigmoid"
        slope = self.session.slope(subject.depth, truth)
        if slope is None or root.mark.found is not None:
            return ""
        output = self.session.layout.of(last.replace("z", "h"), truth)
        label = self.session.layout.of("y", truth)
        if output is None or label is None or len({output.shape, label.shape, slope.shape}) > 1:
            return ""
        squared = arrangement((output - label) * slope, np.shape(root.mark.value))
        if factor_between(root.mark.value, squared, truth) in _COMMON:
            return "; (yhat - y) * f'(z) is right for the squared error"
        return ""

    def witness(self, value: Any, wanted: Any) -> dict[str, Any]:
        """Sizes, the arrays to call the function with, the entry, the code's value, the right."""
        shown: dict[str, Any] = {
            "sizes": dict(self.reading.truth.sizes),
            "values": self.given(),
        }
        if wanted is None:
            return shown
        if np.shape(value) != np.shape(wanted):
            return shown | {
                "entry": [],
                "left": list(np.shape(value)),
                "right": list(np.shape(wanted)),
            }
        gap = np.abs(np.asarray(value, dtype=float) - np.asarray(wanted, dtype=float))
        entry = np.unravel_index(int(np.argmax(np.nan_to_num(gap, nan=np.inf))), gap.shape)
        return shown | {
            "entry": [int(i) + 1 for i in entry],
            "left": float(np.asarray(value)[entry]),
            "right": float(np.asarray(wanted)[entry]),
        }

    def given(self) -> dict[str, Any]:
        """What was given, in the author's layout, under the network's names."""
        truth, layout = self.reading.truth, self.session.layout
        names = [
            t.name for t in self.session.subject.network.of_kind("input", "label", "parameter")
        ]
        found = {}
        for name in names:
            value = layout.of(name, truth)
            if value is not None:
                found[name] = value.tolist()
        return {**found, **self.session.given}

    def _not_reached(self, blame: Blame, present: set[str]) -> list[Claim]:
        """Claims for a fault, and for what stands behind it."""
        fault = self.reading.trail.fault
        if fault is None:
            return []
        name = next((r.name for r in blame.roots if r.fault is not None), "")
        claim = Claim(
            self.path,
            fault.line or self.session.function.lineno,
            fault.column + 1,
            1,
            "refuted" if fault.kind != "unread" else "undecided",
            "shape" if fault.kind == "shape" else "",
            name=name or self.session.function.name,
            counterexample=self.witness(None, None) if fault.kind != "unread" else None,
            sentence=fault.reason,
        )
        root = next((r for r in blame.roots if r.fault is not None), None)
        if root is not None:
            claim = self._explained(claim, root, blame)
            if claim.slip:
                claim = replace(claim, sentence=f"{claim.sentence} ({fault.reason})")
        elif blame.healed.trail.fault is None:
            lines = tuple(sorted({r.line for r in blame.roots}))
            said = f"follows from line {_listed(lines)}: {fault.reason}"
            claim = replace(claim, consistent=True, follows_from=lines, sentence=said)
        made = [claim]
        for mark in blame.healed.returned:
            if mark.name not in present and mark.site not in {r.site for r in blame.roots}:
                made.append(
                    Claim(
                        self.path,
                        mark.line,
                        mark.column + 1,
                        mark.length,
                        "undecided",
                        name=mark.name,
                        sentence=f"not reached: line {claim.line} fails"
                        + ("; right once that line is put right" if mark.ok else ""),
                        consistent=mark.ok,
                        follows_from=(claim.line,),
                    )
                )
        return made


def _as_layout(finding: Finding) -> Finding:
    sentence = "each gradient of a weight matrix is returned transposed: right in the other layout,"
    sentence += " but a gradient has the shape of its parameter"
    return replace(finding, edit=replace(finding.edit, slug="layout", sentence=sentence))


_COMMON = (Factor(), Factor(samples=-1), Factor(1, 1), Factor(1, 1, -1))


def _claimed(reading: Reading, blame: Blame) -> list[Mark]:
    """One mark for each claim, in execution order: the last of each name and line."""
    chosen: dict[tuple[Any, ...], Mark] = {}
    roots = {root.site for root in blame.roots}
    drafts = _drafts(reading)
    for number, mark in enumerate(reading.stored):
        if mark.event is None or (mark.event.depth and mark.site not in roots):
            continue
        if number in drafts and mark.site not in roots:
            continue
        is_adjoint = mark.found is not None and names.is_gradient(mark.found)
        if mark.meaning is None and mark.site not in roots and not is_adjoint:
            continue
        if mark.meaning is not None and names.bare(mark.meaning)[0] in "xyL":
            continue
        if mark.meaning is not None and mark.meaning[0] in "WbN" and mark.site not in roots:
            continue
        key = (mark.site, mark.name)
        old = chosen.get(key)
        if old is None or _RANK[old.state] <= _RANK[mark.state] or old.sample is None:
            chosen.pop(key, None)
            chosen[key] = mark
    made = list(chosen.values())
    for mark in reading.returned:
        position = next((i for i, m in enumerate(made) if _is_twin(m, mark)), None)
        if position is not None:
            twin = made[position]
            made[position] = replace(mark, line=twin.line, column=twin.column, length=twin.length)
        else:
            made.append(mark)
    return made


_RANK = {"right": 0, "scaled": 1, "other": 2, "silent": 3, "bad": 4, "unknown": 5}


def _is_twin(stored: Mark, returned: Mark) -> bool:
    """Whether a returned value is the one that was stored, under the name it has there."""
    same_name = stored.name == returned.name or stored.meaning == returned.meaning
    if isinstance(stored.value, Unknown) or isinstance(returned.value, Unknown):
        return same_name and stored.value is returned.value
    return (
        same_name
        and stored.event is not None
        and np.shape(stored.value) == np.shape(returned.value)
        and bool(np.array_equal(stored.value, returned.value))
    )


def _drafts(reading: Reading) -> set[int]:
    """Stored values that a change in place overtakes: `dz[z <= 0] = 0` follows."""
    found: set[int] = set()
    last: dict[tuple[str, int | None, str], int] = {}
    for number, mark in enumerate(reading.stored):
        event = mark.event
        assert event is not None
        key = (event.name, event.index, event.function)
        is_change = event.how == "change" or _adds_to_itself(event.statement)
        if (is_change and key in last) or (
            key in last and mark.state == "right" and reading.stored[last[key]].state == "bad"
        ):
            found.add(last[key])
        last[key] = number
    return found


def _adds_to_itself(statement: ast.stmt) -> bool:
    """`db = db + …`, which is `db += …` written out."""
    match statement:
        case ast.Assign(
            targets=[ast.Name(id=name)], value=ast.BinOp(op=ast.Add() | ast.Sub()) as sum_
        ):
            sides = (sum_.left, sum_.right)
            return any(isinstance(side, ast.Name) and side.id == name for side in sides)
    return False


def _by_site(reading: Reading) -> dict[Any, Mark]:
    found: dict[Any, Mark] = {}
    for mark in (*reading.stored, *reading.returned):
        found[(mark.site, mark.name)] = mark
    return found


def _twins(reading: Reading, mark: Mark) -> list[Mark]:
    """What that gradient is in a reading; of a stored value each time that it is stored there."""
    if mark.returned:
        return [m for m in reading.returned if m.meaning == mark.meaning]
    return [m for m in reading.stored if (m.site, m.name) == (mark.site, mark.name)]


def _convention(mark: Mark) -> str:
    """How a value that is not the named tensor itself relates to the right one."""
    said = _said(mark.found)
    if mark.factor.is_one:
        return f"{mark.name} is {said}"
    return f"{mark.name} is {mark.factor.text} times {said}; the gradients built from it are right"


def _said(meaning: str | None) -> str:
    if meaning is None:
        return "a tensor of the network"
    if names.is_gradient(meaning):
        return f"dL/d{names.bare(meaning)}"
    return f"f'(z{meaning[2:]})" if meaning.startswith("f'") else meaning


def _listed(lines: Sequence[int]) -> str:
    return ", ".join(str(line) for line in lines)
