r"""Whether a false line may be called wrong: the burden of proof.

A line that is false under the reading that was found is somebody's mistake only if that reading is
sure. Owns: what anchors a letter, and which letters of a false line nothing anchors. A letter is
anchored by another line that is true under its meaning, by the note's own definition of it, or by
custom: W is the weights and z what they add up to, wherever nothing else is said. Where a formula
could not be read, how its letters are written has to be anchored too: by another line, or by the
custom of a layer, a sample and an index for each axis. Else it is the reader's failure.
Refuses: judging. Would be wrong if a line anchored the letters that make it false.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from symbackprop.judging.notes.formula.compare import Verdict
from symbackprop.judging.notes.formula.symbols import LAYERED, NotUnderstood, Scope, Unmarked, split
from symbackprop.reading.latex.syntax import (
    Apply,
    Group,
    Node,
    Number,
    Product,
    Script,
    Scripted,
    Statement,
    Sum,
    Symbol,
    children,
)

CUSTOM: Mapping[str, frozenset[str]] = {
    family: frozenset(letters.split())
    for family, letters in {
        "W": r"W w",
        "b": r"b",
        "z": r"z Z a A s",
        "h": r"a A h H",
        "x": r"x X",
        "y": r"y Y t T",
        "yhat": r"\hat{y} \hat{Y} y p a h",
        "delta": r"\delta",
        "N": r"N",
        "L": r"L J C E \mathcal{L} \ell",
        "identity": r"I \mathbb{I} \mathbf{I}",
        "f": r"f g h \sigma \phi \varphi",
    }.items()
}
SURE = frozenset({"alias", "numbered", "depth", "ones", "size"})
PARAMETERS = ("W", "b")
UNMARKED = Unmarked.method
READ = ("ill-formed", "range")  # what is said of a formula that could not be read


@dataclass(frozen=True)
class Use:
    """A letter as it stands in a formula: with what meaning, how written, of what argument."""

    head: str
    family: str
    form: tuple[str, ...] = ()
    argument: str = ""


def uses(statement: Statement, scope: Scope) -> frozenset[Use]:
    """The letters of a formula that have a meaning in the network."""
    return frozenset(use for side in statement.sides for use in _uses(side, scope))


def _uses(node: Node, scope: Scope) -> Iterator[Use]:
    parts = split(node) if isinstance(node, (Symbol, Scripted)) else None
    if parts is not None:
        family = scope.settings.letters.get(parts[0].head, "")
        if family and family not in SURE:
            yield Use(parts[0].head, family, _form(parts[1], family, scope))
        return
    if isinstance(node, Apply):
        yield from _applied(node.function, node.arguments, scope)
    elif isinstance(node, Product) and not node.sign:
        for one, other in zip(node.factors, node.factors[1:], strict=False):
            if isinstance(other, Group) and other.bracket and len(other.items) == 1:
                yield from _applied(one, other.items, scope)
    for child in children(node):
        yield from _uses(child, scope)


def _applied(function: Node, arguments: Sequence[Node], scope: Scope) -> Iterator[Use]:
    """f(z) is a use of f on what the letter z means."""
    parts = split(function)
    family = scope.settings.letters.get(parts[0].head, "") if parts is not None else ""
    if parts is None or family != "f":
        return
    for argument in arguments:
        inner = split(argument)
        if inner is not None:
            meant = scope.settings.letters.get(inner[0].head, "?").partition(":")[0]
            yield Use(parts[0].head, family, (), meant)


def _form(scripts: Sequence[Script], family: str, scope: Scope) -> tuple[str, ...]:
    found: list[str] = []
    layered = ":" not in family
    for script in scripts:
        try:
            role = scope.role(script, layered and "layer" not in found, family.removeprefix("d_"))
        except NotUnderstood:
            role = "unread"
        if role in ("transpose", "prime", "inverse"):
            continue
        if role == "power" and isinstance(script.parts[0], Number):
            continue
        if role == "sample" and isinstance(script.parts[0], Sum):
            role = "moment"  # h^{(t-1)} is no sample
        found.append(role)
        found += ["index"] * (len(script.parts) - 1)
    if layered and scope.layers == 1 and "layer" not in found and family in LAYERED:
        found.append("layer")  # the only one
    return tuple(sorted(found))


def is_marked_elsewhere(found: frozenset[Use]) -> bool:
    """Whether a letter stands with its layer and without in one formula."""
    marked = {use.head for use in found if "layer" in use.form}
    return any(
        use.head in marked and "layer" not in use.form and use.family.rpartition("_")[2] in LAYERED
        for use in found
    )


@dataclass(frozen=True)
class Anchors:
    """What the true lines of a note show, each use with the lines."""

    lines: Mapping[Use, frozenset[int]] = field(default_factory=dict)
    settled: frozenset[str] = frozenset()

    @classmethod
    def of(
        cls, true: Iterable[tuple[int, frozenset[Use]]], settled: frozenset[str] = frozenset()
    ) -> Anchors:
        """`true` are the lines with their uses, `settled` the letters that the user gave."""
        found: dict[Use, set[int]] = {}
        for line, seen in true:
            for use in seen:
                found.setdefault(use, set()).add(line)
        return cls({use: frozenset(lines) for use, lines in found.items()}, settled)

    def holds(self, use: Use, line: int, exact: bool) -> bool:
        """Whether another line shows this use, or with `exact` unset the letter in any form."""
        loosely = bool(use.argument) or not exact
        return any(
            lines - {line}
            for other, lines in self.lines.items()
            if other == use
            or (loosely and other.head == use.head and bool(other.argument) == bool(use.argument))
        )


def unanchored(
    found: frozenset[Use], verdict: Verdict, anchors: Anchors, line: int
) -> tuple[str, ...]:
    """The letters of a false line that nothing else in the note gives the meaning that makes it
    false, in order."""
    exact = verdict.method in READ
    open_ = {
        use
        for use in found
        if not _is_usual(use, exact, anchors.settled) and not anchors.holds(use, line, exact)
    }
    if verdict.method == "shape":
        open_ |= {
            use for use in found if _may_be_a_sample(use) and not anchors.holds(use, line, True)
        }
    marked = {use.head for use in found - open_ if "layer" in use.form}
    return tuple(
        sorted({use.head for use in open_ if "layer" in use.form or use.head not in marked})
    )


def _may_be_a_sample(use: Use) -> bool:
    """x_i is the i-th entry of one sample, or the i-th sample."""
    return use.family in ("x", "y") and use.form == ("index",)


def _is_usual(use: Use, exact: bool, settled: frozenset[str]) -> bool:
    """Whether a letter has its usual meaning, or that which the user settled, and, where that is
    asked, is written as usual: with its layer, its sample, and an index for each axis at most."""
    if use.argument:
        return use.argument in ("z", "delta")
    family = use.family.removeprefix("d_").partition(":")[0]
    is_known = use.head in settled or use.head in CUSTOM.get(family, (use.head,))
    return is_known and (not exact or _is_written_as_usual(use.form, family, ":" in use.family))


def _is_written_as_usual(form: tuple[str, ...], family: str, fixed: bool) -> bool:
    if family not in CUSTOM or family in ("L", "N", "f", "identity"):
        return True
    samples = 0 if family in PARAMETERS else 1
    axes = samples + (2 if family == "W" else 1)
    return (
        set(form) <= {"layer", "index", "sample"}
        and form.count("layer") == (family in LAYERED and not fixed)
        and form.count("sample") <= samples
        and form.count("index") + form.count("sample") <= axes
    )
