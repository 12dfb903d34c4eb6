r"""A note judged against the network that it states itself.

Owns: trying the networks that its equations leave, and what is said of the one that was taken.
A network is taken only if the lines that it comes from hold under it. Where several remain, a line
is called wrong only if it is wrong under each.
Refuses: reading (`layers`) and judging one network (`page`). Would be wrong if right work were
refuted because of what the note does not say: a size, a reduction, what a letter of custom is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from symbackprop.judging.notes.conventions.variants import variants_of
from symbackprop.judging.notes.own.layers import network_of, unstated
from symbackprop.judging.notes.own.records import Candidate, Gap, Missing, Taken
from symbackprop.judging.notes.page import Progress, judge_note
from symbackprop.judging.report import NETWORK, Claim, FileReport
from symbackprop.networks.layers.architecture import Architecture, Size
from symbackprop.networks.layers.losses import LOSSES
from symbackprop.notation import LAYER_MARKS
from symbackprop.reading.latex.macros import collect
from symbackprop.reading.latex.parser import read
from symbackprop.reading.latex.syntax import (
    Big,
    Matrix,
    Node,
    Number,
    Scripted,
    Statement,
    heads_below,
    walk,
)
from symbackprop.reading.notes.passages import Note


@dataclass(frozen=True)
class Trial:
    """One network tried; a `doubt` is never taken, but may excuse."""

    candidate: Candidate
    report: FileReport
    is_doubt: bool

    @property
    def refuted(self) -> dict[tuple[int, int], Claim]:
        return {(c.line, c.column): c for c in self.report.claims if c.status == "refuted"}

    def excuses(self, place: tuple[int, int]) -> str:
        """Why what is wrong elsewhere may be right here; "" where it is not."""
        known = {(c.line, c.column): c.status for c in self.report.claims}
        status = known.get(place, "undecided")
        if status == "refuted" or (status == "undecided" and self.is_doubt):
            return ""
        verb = "true" if status == "verified" else "not decided"
        apart = self.candidate.apart or "the layers have the sizes first tried"
        return f"{verb} if {apart}, of which the note says nothing"


def judge_by_itself(
    note: Note, progress: Progress | None = None, argue: int | None = None
) -> FileReport:
    """The report on a note under its own network, or why it has none; `argue` is a line whose
    verdicts are to be argued for. The layers of letters that carry none are left to the judge, and
    settled where the note cannot be read without."""
    taken = network_of(note)
    if isinstance(taken, Missing):
        return FileReport(note.path, (), text=note.text, problem=_problem(taken.gaps))
    trying = _Trying(note, taken, {}, progress, argue)
    found, unheld = trying.trials()
    if unheld is not None and taken.units:
        trying = replace(trying, units=taken.units)
        found, again = trying.trials()
        unheld = unheld if again else None
    if unheld is not None:
        problem = _problem([_unheld(unheld, taken)])
        return FileReport(note.path, (), text=note.text, problem=problem)
    return trying.report(found)


@dataclass(frozen=True)
class _Trying:
    """The networks that a note may mean, with the letters of units that are settled for it."""

    note: Note
    taken: Taken
    units: Mapping[str, str]
    progress: Progress | None
    argue: int | None

    def trials(self) -> tuple[list[Trial], Claim | None]:
        """The networks under which the lines that they come from hold; where there is none, a line
        that does not."""
        found: list[Trial] = []
        unheld: list[Claim] = []
        doubts = [c for c in self.taken.candidates if c.is_doubt]
        for candidate in (c for c in self.taken.candidates if not c.is_doubt):
            trial, broken = self._trial(candidate)
            unheld += broken
            if not all(map(self._is_loss, broken)):
                break  # sizes and reductions change the loss alone
            found += [trial] if trial is not None else []
            if trial is not None and not trial.is_doubt and not trial.refuted:
                return found, None
        if all(trial.is_doubt for trial in found):
            return [], unheld[0]
        tried = (self._trial(candidate)[0] for candidate in doubts)
        return [*found, *(trial for trial in tried if trial is not None)], None

    def _trial(self, candidate: Candidate) -> tuple[Trial | None, list[Claim]]:
        """A network tried, if the lines that it comes from hold; and those that do not. A loss that
        does not tell its reduction may be that of one sample: it need not hold to excuse."""
        report = self._judged(candidate, explain=candidate is self.taken.candidates[0])
        broken = [claim for claim in report.claims if self._is_unheld(claim)]
        if broken and not (candidate.only and all(map(self._is_loss, broken))):
            return None, broken
        return Trial(candidate, report, candidate.is_doubt or bool(broken)), broken

    def _is_unheld(self, claim: Claim) -> bool:
        is_own = (claim.line, claim.column) in self.taken.places
        return is_own and claim.status != "verified"

    def _is_loss(self, claim: Claim) -> bool:
        return any(loss.place == (claim.line, claim.column) for loss in self.taken.losses)

    def _judged(self, candidate: Candidate, *, explain: bool) -> FileReport:
        variants = variants_of(candidate.architecture)
        if candidate.only:
            variants = {candidate.only: variants[candidate.only]}
        return judge_note(
            self.note,
            variants,
            candidate.architecture.reduction,
            fixed={**self.units, **candidate.letters},
            progress=self.progress,
            explain=explain,
            argue=self.argue,
        )

    def report(self, trials: Sequence[Trial]) -> FileReport:
        may_be = [trial for trial in trials if not trial.is_doubt]
        best = min(may_be, key=lambda trial: len(trial.refuted))
        others = [trial for trial in trials if trial is not best]
        if best.refuted and best.candidate is not self.taken.candidates[0]:
            best = replace(best, report=self._judged(best.candidate, explain=True))
        claims = [_settled(c, best, others, self.taken, self.note) for c in best.report.claims]
        standing = {c.line for c in claims if c.status == "refuted"}
        claims = [_without_cause(claim, standing) for claim in claims]
        settings = {NETWORK: _said(best, self.taken), **best.report.settings}
        return replace(best.report, claims=tuple(claims), settings=settings)


def _unheld(claim: Claim, taken: Taken) -> Gap:
    lines = ", ".join(map(str, taken.lines))
    verb = "is not true" if claim.status == "refuted" else "cannot be judged"
    why = f" ({claim.sentence})" if claim.sentence else ""
    return Gap(claim.line, f"it {verb} under the network that lines {lines} describe{why}")


def _problem(gaps: Sequence[Gap]) -> str:
    told = "; ".join(map(str, gaps))
    return (
        f"the note does not determine its network: {told}. "
        "A network can be given with --spec, or in a fenced block `toml symbackprop`"
    )


# --- the report -----------------------------------------------------------------------------


def _settled(claim: Claim, best: Trial, others: Sequence[Trial], taken: Taken, note: Note) -> Claim:
    place = (claim.line, claim.column)
    if claim.status == "verified" and place in taken.places:
        return replace(claim, status="definition", method="", sentence="", facts=())
    if claim.status != "refuted":
        return claim
    for other in others:
        if told := other.excuses(place):
            return _open(claim, told)
    if _has_symbolic_size(best.candidate.architecture) and _counts_entries(
        claim, note, str(best.report.settings["layer"])
    ):
        said = r"it speaks of single entries, and the note does not say how many there are; write"
        return _open(claim, rf"{said} the sizes, e.g. W^1 \in \mathbb{{R}}^{{2 \times 3}}")
    return claim


def _open(claim: Claim, reason: str) -> Claim:
    """The claim undecided, without what was said of it as false."""
    bare = Claim(claim.file, claim.line, claim.column, claim.length, "undecided")
    ends = {"end_line": claim.end_line, "end_column": claim.end_column}
    return replace(bare, latex=claim.latex, sentence=reason, **ends)  # type: ignore[arg-type]


def _without_cause(claim: Claim, standing: set[int]) -> Claim:
    if claim.status == "refuted" and claim.consistent and not standing & set(claim.follows_from):
        lines = " and ".join(map(str, claim.follows_from))
        return _open(claim, f"it follows from line {lines}, undecided")
    return claim


def _has_symbolic_size(architecture: Architecture) -> bool:
    return any(isinstance(size, str) for size in architecture.widths)


def _counts_entries(claim: Claim, note: Note, mark: str) -> bool:
    """Whether a formula hangs on how many entries there are: it ends a sum at a number, has an
    array written out, or names several entries (one, where it does not fit)."""
    least = 1 if claim.method in ("shape", "ill-formed") else 2
    macros = collect(note.definitions)
    for statement in read(claim.latex, macros):
        if isinstance(statement, Statement):
            nodes = [n for side in statement.sides for n in walk(side)]
            if any(map(_has_size, nodes)) or len(set(_entries(nodes, mark))) >= least:
                return True
    return False


def _has_size(node: Node) -> bool:
    match node:
        case Matrix(rows=rows):
            return len(rows) * len(rows[0]) > 1
        case Big(bounds=bounds, body=body):
            own = heads_below(*(b.variable for b in bounds))
            if own <= {"l", r"\ell"}:  # layers, whose number is known
                return False
            ends = [b.upper for b in bounds] + [c.right for b in bounds for c in b.conditions]
            return any(isinstance(end, Number) for end in ends) and bool(heads_below(body) - own)
    return False


def _entries(nodes: Sequence[Node], mark: str) -> Iterator[str]:
    """The numbers of single entries."""
    is_layer = LAYER_MARKS[mark].looks_like_index
    for node in nodes:
        for script in node.scripts if isinstance(node, Scripted) else ():
            if script.place == "below" and not (is_layer and len(script.parts) == 1):
                yield from (p.text for p in script.parts if isinstance(p, Number))


def _said(trial: Trial, taken: Taken) -> str:
    """2 layers, tanh, softmax; cross-entropy, mean over samples (lines 3, 5)."""
    architecture = trial.candidate.architecture
    count = len(architecture.layers)
    functions = ", ".join(layer.activation for layer in architecture.layers)
    stated = [_size(n, width) for n, width in enumerate(architecture.widths)]
    sizes = f" of sizes {'-'.join(stated)}" if set(stated) - {"?"} else ""
    loss = LOSSES[architecture.loss].words
    half = ", halved" if architecture.half else ""
    words = {
        "sum": "sum over samples",
        "mean": "mean over samples",
        "mean_elements": "mean over samples and outputs",
    }
    reduction = words[str(trial.report.settings.get("reduction", architecture.reduction))]
    if not taken.counted:
        reduction = "sum or mean over samples not said"
    lines = ", ".join(map(str, taken.lines))
    noun, at = ("layer" if count == 1 else "layers"), ("line" if len(taken.lines) == 1 else "lines")
    return (
        f"taken from the note: {count} {noun}{sizes}, {functions}; {loss}{half}, {reduction} "
        f"({at} {lines})"
    )


def _size(number: int, width: Size) -> str:
    return "?" if width == unstated(number) else str(width)
