r"""Finding out how a note is to be read.

Owns: the candidates for each letter and convention, and the search for the reading under which the
note's forward equations hold and most of its lines are true. Refuses: judging.
Would be wrong if a convention were bent to excuse a single false line: a reading is preferred only
where it makes more lines true than it makes false, and never where it makes a forward equation
false that is true under another.
"""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, TypeVar

from symbackprop.calculus.scalars import function_lettered
from symbackprop.guard import FAULT
from symbackprop.judging.notes.conventions.worded import family_of
from symbackprop.judging.notes.formula.compare import Verdict
from symbackprop.judging.notes.formula.judge import EQUALITIES, Worlds, judge
from symbackprop.judging.notes.formula.letters import may_be_power, without_brackets
from symbackprop.judging.notes.formula.settings import Alias, Settings
from symbackprop.judging.notes.formula.symbols import (
    EULER,
    activations,
    function_called,
    is_function,
    split,
)
from symbackprop.notation import DELTA_NUMBERINGS, LAYER_MARKS, SAMPLE_LAYOUTS, LayerMark
from symbackprop.reading.latex.syntax import (
    Apply,
    Big,
    Comparison,
    Derivative,
    Group,
    Indicator,
    Node,
    Number,
    Product,
    Script,
    Scripted,
    Statement,
    Sum,
    Symbol,
    children,
    heads_below,
    size_of,
    walk,
)

T = TypeVar("T")

INDEX_LETTERS = frozenset("ijklmnpqrstuvc") | {r"\ell", r"\alpha", r"\beta", "K", "C", "J"}
CUSTOMARY = frozenset({"W", "w", "b", "x", "y", "z", "a", "h", r"\delta", r"\hat{y}"})
LEAST_TRUE = 0.25  # of the lines with a letter, for what it was taken for to stand
TWO_LINES = 2.9  # the gain of two false lines made true
ROUNDS = 14  # changes of convention, one after the other
ADJOINTS = ("d_", "delta")
PROBE = 10  # open lines on which a reading is tried before all of them
MOST_WORK = 300_000  # parts of formulas judged in one search; a long note takes a fifth of it
ENOUGH = 80  # statements that decide about a convention; more would only cost time


@dataclass(frozen=True)
class Heads:
    """What was seen of each head of a note."""

    seen: Counter[str]
    marked: Counter[str]
    applied: Counter[str]
    called: Counter[str]
    plain: Counter[str]
    bounds: Counter[str]
    derived: Counter[str]
    scripts: Counter[str]
    two_below: Counter[str]
    indexed: Counter[str]
    entries: Counter[str] = field(default_factory=Counter)
    arguments: dict[str, set[str]] = field(default_factory=dict, kw_only=True)


def heads_of(statements: Iterable[Statement], mark: LayerMark) -> Heads:
    """How often each head stands with a layer mark, as a function, alone, and so on. Data that
    also stand without one have no layers: beside y, y_1 is an entry and y_k^2 a square."""
    heads = Heads(*(Counter() for _ in range(10)))
    for statement in statements:
        for side in statement.sides:
            _look(side, mark, heads, False)
    data = [h for h in heads.marked if lower(h) in _DATA]
    if mark.looks_like_index:
        return replace(heads, entries=Counter(h for h in data if heads.plain[h]))
    if mark.looks_like_power:
        return replace(heads, entries=Counter(h for h in data if heads.marked[h] < heads.seen[h]))
    return heads


def _look(node: Node, mark: LayerMark, heads: Heads, inside_script: bool) -> None:
    parts = split(node) if isinstance(node, (Symbol, Scripted)) else None
    if parts is not None:
        head = parts[0].head
        if inside_script:
            heads.scripts[head] += 1
        else:
            heads.seen[head] += 1
            if any(_is_mark(s, mark) for s in parts[1]):
                heads.marked[head] += 1
            elif not parts[1]:
                heads.plain[head] += 1
            if any(s.place == "below" for s in parts[1]):
                heads.indexed[head] += 1
            if any(s.place == "below" and len(s.parts) == 2 for s in parts[1]):
                heads.two_below[head] += 1
        for script in parts[1]:
            for part in script.parts:
                _look(part, mark, heads, True)
        return
    if isinstance(node, Product) and node.sign == "":
        for one, other in zip(node.factors, node.factors[1:], strict=False):
            base = other.base if isinstance(other, Scripted) else other
            found = split(one)
            if found is not None and isinstance(base, Group) and base.bracket:
                if len(base.items) > 1:
                    heads.called[found[0].head] += 1
                elif base.items and _may_apply(found, base.items[0], mark):
                    heads.applied[found[0].head] += 1
                    argument = split(base.items[0])
                    if argument is not None and not argument[1]:
                        arguments = heads.arguments.setdefault(found[0].head, set())
                        arguments.add(argument[0].head)
    if isinstance(node, Apply):
        found = split(node.function)
        if found is not None:
            heads.applied[found[0].head] += 1
    if isinstance(node, Derivative) and node.of is not None:
        top = node.of.factors[0] if isinstance(node.of, Product) else node.of
        found = split(top)
        if found is not None:
            heads.derived[found[0].head] += 1
    if isinstance(node, Big):
        for bound in node.bounds:
            if bound.upper is not None:
                found = split(bound.upper)
                if found is not None:
                    heads.bounds[found[0].head] += 1
        _look(node.body, mark, heads, inside_script)
        return
    if isinstance(node, (Comparison, Indicator)):
        inside_script = inside_script or _compares_indices(node)
    for child in children(node):
        _look(child, mark, heads, inside_script)


def _may_apply(symbol: tuple[Symbol, tuple[Any, ...]], argument: Node, mark: LayerMark) -> bool:
    r"""f(z), \sigma_l(z_l), not the product h_j (1 - h_j)."""
    below = [s for s in symbol[1] if s.place == "below" and s.kind == "group"]
    of_layer = mark.looks_like_index and symbol[0].head in ACTIVATIONS and split(argument)
    if any(not (of_layer and _is_mark(s, mark)) for s in below):
        return False
    inside = heads_below(argument)
    begins_with_one = isinstance(argument, Sum) and isinstance(argument.terms[0], Number)
    return symbol[0].head not in inside and not begins_with_one


def _compares_indices(node: Node) -> bool:
    """j = 1, i \\neq k: letters that count, not quantities."""
    symbols = [n for n in walk(node) if isinstance(n, Symbol)]
    return all(n.head in INDEX_LETTERS for n in symbols)


def _is_mark(script: Script, mark: LayerMark) -> bool:
    if script.kind != "group" or not script.parts or script.frame != mark.frame:
        return False
    return _looks_like_layer(script.parts[0], bare=mark.looks_like_power)


def _looks_like_layer(part: Node, bare: bool) -> bool:
    letters = heads_below(part)
    if letters:
        return letters <= {"l", "L", r"\ell"}
    return isinstance(part, Number) or not bare


def mark_of(
    statements: Sequence[Statement], depth: int, names: Container[str] = frozenset()
) -> LayerMark:
    """Where the layer stands, from the scripts that are there, but for those of `names`. A note
    in which nothing but squares stands above, and nothing but indices below, marks no layers:
    there any number is a power."""
    marks = sorted(
        LAYER_MARKS.values(),
        key=lambda m: (m.looks_like_index, m.looks_like_power, m.looks_like_sample),
    )
    framed = {mark.frame: mark for mark in marks}
    counts: Counter[LayerMark] = Counter()
    above: set[str] = set()
    below: set[float] = set()
    counted = False  # l + 1 below: a layer, however far the indices of other letters go
    for head, script in _scripts_in(statements):
        mark = framed.get(script.frame)
        if head in names or mark is None:
            continue
        part = script.parts[0]
        letters = heads_below(part)
        layered = letters <= {"l", "L", r"\ell"}
        if mark.opening and (layered or not mark.looks_like_sample):
            counts[mark] += 4 if mark.looks_like_sample else 12
        elif mark.looks_like_power and layered:
            above.add("l" if letters else getattr(part, "text", "l"))
            counts[mark] += 4 if letters or head in _WEIGHTS else 1
        elif mark.looks_like_index and layered and len(script.parts) == 1:
            counted = counted or (bool(letters) and isinstance(part, Sum))
            if letters or depth > 1:
                counts[mark] += 4 if letters else 2 if head in _WEIGHTS else 0
            if isinstance(part, Number) and not letters:
                below.add(float(part.value))
    if above <= {"2"}:
        marks = [m for m in marks if not m.looks_like_power]
    if not counted and any(number > depth + 1 for number in below):
        marks = [m for m in marks if not m.looks_like_index]
    return max(marks, key=lambda m: counts[m])


def depth_letters(statements: Sequence[Statement], mark: LayerMark) -> tuple[str, ...]:
    """Capitals alone in the place where their symbols elsewhere have l: the number of layers."""
    scripts = [(h, s) for h, s in _scripts_in(statements) if s.frame == mark.frame]
    layered = {h for h, s in scripts if _letters_of(s) & {"l", r"\ell"}}
    found = {
        s.parts[0].head
        for h, s in scripts
        if h in layered and isinstance(s.parts[0], Symbol) and s.parts[0].head.isupper()
    }
    return tuple(sorted(found - {"L", "T"}))


def _letters_of(script: Script) -> frozenset[str]:
    return heads_below(script.parts[0])


def _scripts_in(statements: Iterable[Statement]) -> Iterator[tuple[str, Script]]:
    """Each group above or below a head, outside other scripts."""
    for statement in statements:
        for side in statement.sides:
            for node in walk(side):
                parts = split(node) if isinstance(node, Scripted) else None
                for script in parts[1] if parts is not None else ():
                    if script.kind == "group" and script.parts:
                        assert parts is not None
                        yield parts[0].head, script


_DATA = frozenset({"x", "y", "t", r"\hat{y}", r"\hat{Y}"})
_WEIGHTS = frozenset({"W", "w", r"\theta", r"\Theta", "b", "z", "a", "h", r"\delta", "Z", "A", "H"})


# --------------------------------------------------------------------------------------------
# Candidates
# --------------------------------------------------------------------------------------------

SIGMA = r"\sigma"
NODES = {
    "z": ("z", "h"),
    "a": ("h", "z"),
    "h": ("h",),
    "o": ("h", "z"),
    "s": ("z", "h"),
    "u": ("z", "h"),
    "v": ("z", "h"),
    "q": ("z", "h"),
    "g": ("h",),
    "net": ("z",),
    "y": ("h",),
    "x": ("h", "z"),
    "f": ("h",),
    "r": ("h", "z"),
    "p": ("h", "z"),
    r"\alpha": ("h",),
    r"\phi": ("h",),
    r"\xi": ("z",),
    r"\nu": ("z",),
    r"\hat{y}": ("h",),
    "i": ("z",),
    "in": ("z",),
    "out": ("h",),
    "input": ("input",),
}
WEIGHTS = ("w", r"\theta", r"\omega", "u", "v", "k", "m", r"\beta")
BIASES = ("b", "c", r"\beta", r"\theta")
ERRORS = (r"\delta", r"\Delta", r"\epsilon", r"\varepsilon", "e", r"\zeta", "g", "D", "r", r"\eta")
LOSSES = (
    "L",
    "C",
    "J",
    "E",
    "H",
    r"\ell",
    "l",
    "S",
    "R",
    "loss",
    "cost",
    "Loss",
    "Cost",
    "CE",
    "MSE",
    r"\mathcal{L}",
)
COUNTS = ("N", "m", "M", "n", "B", "S", "P")
ACTIVATIONS = (
    r"\sigma",
    "f",
    "g",
    r"\phi",
    r"\varphi",
    r"\psi",
    r"\rho",
    r"\Phi",
    "F",
    "h",
    "s",
    r"\theta",
    "S",
    "act",
)
OUTPUTS = (
    r"\hat{y}",
    r"\hat{Y}",
    "p",
    "q",
    "o",
    "a",
    "s",
    "y",
    "P",
    "O",
    "A",
    "Y",
    "f",
    "h",
    r"\pi",
    r"\tilde{y}",
    r"\hat{p}",
    r"\bar{y}",
    "out",
    r"\mu",
    "r",
    r"\sigma",
)
LABELS = (
    "y",
    "t",
    "Y",
    "T",
    "d",
    r"\tau",
    "l",
    r"\hat{y}",
    "r",
    "target",
    r"\bar{y}",
    r"\tilde{y}",
    r"y^*",
)


def _sigma(functions: Sequence[str], marked: bool) -> tuple[str, ...]:
    r"""What an applied \sigma may be: where the layers differ, one function in the whole note; with
    a layer's mark the activation of that layer; the sigmoid also where no layer has it."""
    if marked or len(set(functions)) <= 1:
        return ("f", "softmax", "sigmoid")
    names = [f for f in functions if f not in ("identity", "softmax")]
    known = dict.fromkeys((*names, "sigmoid", "softmax"))
    return tuple(sorted(known, key=lambda f: (f not in names, f != "sigmoid")))


def _free_families(head: str) -> tuple[str, ...]:
    """The families of a letter whose layer its index tells."""
    small = lower(head)
    if small in ("x", "y", "t"):
        return ()
    found = [f for f in NODES.get(small, ()) if f in ("z", "h")]
    if small in WEIGHTS and small in ("w", r"\theta"):
        found.insert(0, "W")
    if small in BIASES and small in ("b", r"\theta"):
        found.insert(0, "b")
    if head in ERRORS:
        found.insert(0, "delta")
    return tuple(found)


def _is_euler(statements: Sequence[Statement]) -> bool:
    """Whether e alone is the number e: the note has it with exponents that are no layer mark, with
    no index, derives nothing by it or of it, and gives it no other value."""
    exponents = 0
    for statement in statements:
        for node in (n for side in statement.sides for n in walk(side)):
            if isinstance(node, Derivative) and "e" in (_head(node.of), _head(node.wrt)):
                return False
            if isinstance(node, Scripted) and _head(node) == "e":
                if not all(s.kind == "inverse" or may_be_power(s) for s in node.scripts):
                    return False
                exponents += not any(_is_mark(s, LAYER_MARKS["^l"]) for s in node.scripts)
        first, beyond = statement.sides[0], heads_below(*statement.sides[1:])
        if isinstance(first, Symbol) and first.head == "e" and beyond - {"e"}:
            return False
    return exponents > 0


def _head(node: Node | None) -> str:
    parts = None if node is None else split(node)
    return "" if parts is None else parts[0].head


def lower(head: str) -> str:
    if len(head) == 1:
        return head.lower()
    return re.sub(r"^\\([A-Z])", lambda m: "\\" + m.group(1).lower(), head)


def candidates(
    head: str, heads: Heads, depth: int, functions: Sequence[str] = ()
) -> tuple[str, ...]:
    """The families a head may stand for, likeliest first; `functions` are the activations of the
    network, layer by layer."""
    if function_called(head):
        return (function_called(head),)
    if "_{" in head or "^{" in head:
        return (family_of(head),) if family_of(head) else ()
    if heads.entries[head]:
        layered = replace(heads, entries=Counter())
        bare = replace(layered, marked=Counter({head: 0}))
        both = (candidates(head, each, depth, functions) for each in (bare, layered))
        return tuple(dict.fromkeys(itertools.chain(*both)))
    found: list[str] = []
    if head == "e" and not heads.plain[head]:
        return ()  # the base of the exponential
    small = lower(head)
    marked = heads.marked[head] > 0
    applied = heads.applied[head] > 0
    if head.startswith("d") and len(head) > 1 and head not in ("diag", "d"):
        return tuple("d_" + f for f in candidates(head[1:], heads, depth) if not f.startswith("d_"))
    if head.startswith(r"\partial "):
        inner = head.removeprefix(r"\partial ")
        return tuple("d_" + f for f in candidates(inner, heads, depth))
    if head in ("N", "m", "M", "n") and (heads.bounds[head] or heads.plain[head]):
        found.append("N")
    if applied and head == SIGMA:
        found.extend(_sigma(functions, marked))
    elif applied and (head in ACTIVATIONS or function_lettered(head)):
        found.append("f")
        if head in ("S", "s", "f"):
            found.append("softmax")
        if function_lettered(head):
            found.append(function_lettered(head))  # where the network has another function
    if head in ("I", r"\mathbb{I}", r"\mathbf{I}", "E") and heads.plain[head] and not marked:
        found.append("identity")
    if head in ("1", r"\mathbf{1}", r"\mathbb{1}", r"\vec{1}"):
        found.append("ones")
    if head.startswith((r"\mathcal", r"\mathscr")) and not heads.applied[head]:
        return ("L", "loss_n")
    if marked:
        found.extend(NODES.get(small, ()))
        if small in WEIGHTS and (head.lower() == "w" or small not in NODES):
            found.insert(0, "W")
        elif small in WEIGHTS:
            found.append("W")
        if small in BIASES:
            found.append("b")
        if head in ERRORS or small in ERRORS:
            found.append("delta")
        if not found:
            found.extend(("h", "z", "delta", "W", "b"))
        elif head.isupper() and head not in ("X", "Y", "H", "Z"):
            found.append("W")  # any capital may be a matrix
        if small in ("w",):
            found = ["W"]
        if small == "b":
            found = ["b"]
        if head in (r"\delta",):
            found = ["delta"]
        if head in LOSSES and heads.derived[head]:
            found.append("L")
        if head in (r"\hat{y}", r"\hat{Y}"):
            found.append("yhat")
        if head in ("x", "X"):
            found.append("x")
        return tuple(dict.fromkeys(found))
    if head in LOSSES or (head == "e" and heads.derived[head]):
        found.extend(("L", "loss_n"))
    if head in ("x", "X"):
        found.append("x")
    if head in LABELS or small in LABELS:
        found.append("y")
    several = len(heads.arguments.get(head, ())) > 1  # of one thing it may be said to depend on it
    if (head in OUTPUTS or small in OUTPUTS) and not (applied and several):
        found.append("yhat")
    if head in COUNTS:
        found.append("N")
    found.extend(_unmarked(head, small, heads, depth))
    indexed = heads.indexed[head] > 0
    if indexed:
        loss = [f for f in found if f == "L" and heads.derived[head]]  # E_n is E of a sample
        found = loss + [f for f in found if f not in ("L", "N", "loss_n", "identity")]
        nodes = [f for f in found if f[0] in "zhWb"]
        found = nodes + [f for f in found if f not in nodes]
    if indexed and heads.two_below[head] and depth > 1 and head.isupper():
        found += [f"W:{n}" for n in range(1, depth + 1) if f"W:{n}" not in found]
    if not found and not indexed and heads.derived[head] > 1 and head not in INDEX_LETTERS:
        found = ["L"]  # what is only ever derived
    if accented := re.fullmatch(r"\\(?:hat|tilde|bar)\{([a-zA-Z])\}", head):
        found += [f for f in ("yhat", "y") if accented[1] in "aoptzh" and f not in found]
    if not found and indexed and not heads.bounds[head]:
        families = ("W",) if heads.two_below[head] else ("b", "z", "h")
        found = [f"{f}:{n}" for f in families for n in range(1, depth + 1)]
    if head == r"\delta":
        found = [f for f in found if f.startswith("delta")]
    if head in (r"\hat{y}", r"\hat{Y}"):
        found = ["yhat", "y"]
    return tuple(dict.fromkeys(found))


def _unmarked(head: str, small: str, heads: Heads, depth: int) -> Iterator[str]:
    """A letter without a mark, in a note whose layers have letters of their own."""
    if small in ("x", "y", "t", r"\hat{y}") or heads.bounds[head]:
        return  # what ends a sum is a size
    layers = range(1, depth + 1)
    if head in INDEX_LETTERS and heads.scripts[head] and not heads.indexed[head]:
        return
    if depth == 1:
        if small in NODES and "z" in NODES[small]:
            yield "z:1"
        if small in WEIGHTS:
            yield "W:1"
        if small in BIASES:
            yield "b:1"
        if head in ERRORS:
            yield "delta:1"
        if small in NODES and "h" in NODES[small]:
            yield "h:1"
        return
    if small in WEIGHTS:
        yield from (f"W:{n}" for n in layers)
    if small in BIASES:
        yield from (f"b:{n}" for n in layers)
    for family in NODES.get(small, ()):
        if family in ("z", "h"):
            yield from (f"{family}:{n}" for n in layers)
    if head in ERRORS:
        yield from (f"delta:{n}" for n in reversed(layers))
    if small == "g":  # the gradient with which a backward pass begins
        yield "d_yhat"


# --------------------------------------------------------------------------------------------
# The search
# --------------------------------------------------------------------------------------------


@dataclass
class Finder:
    """A search in progress over readings of a note."""

    statements: Sequence[Statement]
    worlds: Mapping[str, Worlds]
    depth: int
    reduction: str
    fixed: Mapping[str, str] = field(default_factory=dict)
    sizes: Mapping[str, str] = field(default_factory=dict)
    broken: list[tuple[Statement, Verdict]] = field(default_factory=list)
    work: int = 0
    unfit: set[int] = field(default_factory=set)  # of which the shapes did not fit, by identity
    _known: dict[tuple[int, str], list[tuple[Statement, Settings, str]]] = field(
        default_factory=dict
    )

    def find(self) -> tuple[Settings, str]:
        """The settings and the reduction under which the note is read."""
        names = [head for head, family in self.fixed.items() if family == "numbered"]
        mark = mark_of(self.statements, self.depth, names)
        heads = heads_of(self.statements, mark)
        world = next(iter(self.worlds[self.reduction].generic.values()))
        functions = activations(world.network)
        choices = {
            head: found
            for head in [*heads.seen, *heads.bounds]
            if (found := candidates(head, heads, self.depth, functions))
        }
        seen = {*heads.seen, *heads.bounds}
        choices.update(
            {h: ("depth",) for h in depth_letters(self.statements, mark) if h not in seen}
        )
        if heads.plain["e"] and _is_euler(self.statements):
            choices["e"] = (EULER,)
        choices.update({h: (f,) for h, f in self.fixed.items()})
        letters = {head: found[0] for head, found in choices.items()}
        sampled = any(
            s.bracket == "(" and s.place == "above" and not _is_mark(s, mark)
            for statement in self.statements
            for side in statement.sides
            for node in walk(side)
            if isinstance(node, Scripted)
            for s in node.scripts
        )
        letters = self._distinct(letters, choices)
        powers = frozenset(
            h for h, f in letters.items() if f == "f" and heads.marked[h] < heads.seen[h]
        )
        settings = Settings(
            mark=mark, letters=letters, sampled=sampled, sizes=self.sizes, powers=powers
        )
        if self.reduction.startswith("mean"):
            settings = replace(settings, scales=dict.fromkeys(self._sampled_errors(settings), "N"))
        forward = [s for s in self.statements if self._is_forward(s, choices)]
        settings, choices = self._with_letters_of_layers(settings, forward, choices, heads)
        settings, reduction = self._backward(settings, choices)
        guessed = {h for h in choices if heads.indexed[h] and len(choices[h]) > 1}
        guessed |= {h for h, f in settings.letters.items() if ":" in f and h not in self.fixed}
        return self._without_guesses(settings, reduction, guessed - CUSTOMARY), reduction

    def _without_guesses(self, settings: Settings, reduction: str, open_: set[str]) -> Settings:
        """A letter with indices that no custom settles, or one that was taken for a single tensor,
        stays unknown where hardly a line with it is true: a line is not false because of what a
        letter was taken for."""
        guessed = {
            head
            for head, family in settings.letters.items()
            if head in open_ and family.partition(":")[0] in ("z", "h", "W", "b", "delta")
        }
        lines, true = Counter[str](), Counter[str]()
        for statement in self.statements:
            inside = guessed & set(_heads_in(statement))
            if inside and len(statement.sides) > 1:
                lines.update(inside)
                if self._outcome(statement, settings, reduction) == "true":
                    true.update(inside)
        kept = {h: f for h, f in settings.letters.items() if true[h] >= lines[h] * LEAST_TRUE}
        return replace(settings, letters=kept)

    def _sampled_errors(self, settings: Settings) -> list[str]:
        """Errors written for one sample, \\delta^{(i)}: those of that sample's own loss."""
        found: list[str] = []
        for statement in self.statements:
            for side in statement.sides:
                for node in walk(side):
                    parts = split(node) if isinstance(node, Scripted) else None
                    family = settings.letters.get(parts[0].head, "") if parts else ""
                    if parts is None or not family.startswith(("delta", "d_z", "d_h")):
                        continue
                    sampled = any(
                        s.bracket == "(" and s.place == "above" and not _is_mark(s, settings.mark)
                        for s in parts[1]
                    )
                    if sampled and parts[0].head not in found:
                        found.append(parts[0].head)
        return found

    @cached_property
    def settable(self) -> dict[str, tuple[Alias, ...]]:
        """Heads that the note defines by an expression, with all their definitions."""
        found: dict[str, tuple[Alias, ...]] = {}
        for statement in self.statements:
            if len(statement.sides) < 2 or statement.relations[0] not in EQUALITIES:
                continue
            parts = split(statement.sides[0])
            if parts is None or len(parts[0].head) > 12:
                continue
            if parts[0].head in heads_below(statement.sides[1]):
                continue
            alias = Alias(statement.sides[0], statement.sides[1], statement.span.start)
            found[parts[0].head] = (*found.get(parts[0].head, ()), alias)
        return {h: a for h, a in found.items() if h not in CUSTOMARY}

    def _distinct(
        self, letters: dict[str, str], choices: Mapping[str, tuple[str, ...]]
    ) -> dict[str, str]:
        """Not two small letters for one tensor where another choice is there: y and t, ŷ and y."""
        taken: dict[str, str] = {}
        for head in sorted(letters, key=lambda h: len(choices[h])):
            for family in choices[head]:
                key = f"{family}|{lower(head) if len(head) == 1 else head}"
                several = family == "f" or is_function(family)  # may have more letters than one
                clash = None if several else taken.get(family)
                if clash is None or lower(clash) == lower(head) or key in taken:
                    letters[head] = family
                    taken.setdefault(family, head)
                    break
        return letters

    def _is_forward(self, statement: Statement, choices: Mapping[str, tuple[str, ...]]) -> bool:
        if len(statement.sides) < 2:
            return False
        for side in statement.sides:
            for node in walk(side):
                if isinstance(node, Derivative):
                    return False
                parts = split(node) if isinstance(node, (Symbol, Scripted)) else None
                if parts is not None:
                    first = choices.get(parts[0].head, ("",))[0]
                    if first.startswith(("d_", "delta")):
                        return False
        return True

    def outcome(
        self,
        statement: Statement,
        settings: Settings,
        reduction: str,
        modes: tuple[str, ...] = ("one", "batch"),
    ) -> str:
        """The better outcome of the modes; unknown once the search has taken too long."""
        self.work += len(modes) * size_of(statement)
        if self.work > MOST_WORK:
            return "unknown"
        return self._outcome(statement, settings, reduction, modes)

    def _outcome(
        self,
        statement: Statement,
        settings: Settings,
        reduction: str,
        modes: tuple[str, ...] = ("one", "batch"),
    ) -> str:
        found = set()
        for mode in modes:
            if mode not in self.worlds[reduction].generic:
                continue
            outcome = self._outcome_in(statement, replace(settings, mode=mode), reduction)
            if outcome == "true":
                return "true"
            found.add(outcome)
        return "false" if "false" in found else min(found, default="unknown")

    def _outcome_in(self, statement: Statement, settings: Settings, reduction: str) -> str:
        """The outcome in the mode of the settings; what was judged before is not judged again."""
        known = self._known.setdefault((id(statement), reduction), [])
        for _, before, outcome in known:
            if before == settings:
                return outcome
        verdict = judge(statement, settings, self.worlds[reduction])
        if verdict.method == FAULT:
            self.broken.append((statement, verdict))
        if verdict.outcome == "false" and verdict.method == "shape":
            self.unfit.add(id(statement))
        known.append((statement, settings, verdict.outcome))
        return verdict.outcome

    def score(self, statements: Sequence[Statement], settings: Settings, reduction: str) -> float:
        """True lines count for a reading, false ones against it."""
        points = {"true": 1.0, "false": -0.5, "unknown": -0.1, "definition": 0.0}
        return sum(points[self.outcome(s, settings, reduction)] for s in statements)

    def _with_letters_of_layers(
        self,
        settings: Settings,
        forward: Sequence[Statement],
        choices: dict[str, tuple[str, ...]],
        heads: Heads,
    ) -> tuple[Settings, dict[str, tuple[str, ...]]]:
        """The forward equations, once with a letter for each quantity, once with a_j and a_k in
        different layers for their indices are."""
        best = self._forward(settings, forward, choices)
        top = self.score(forward, best, self.reduction)
        kept = choices
        marked, bare = sum(heads.marked.values()), sum(heads.indexed.values())
        if self.depth < 2 or top >= len(forward) - 1e-9 or marked > bare / 2:
            return best, kept
        free = {
            head: tuple(dict.fromkeys((*_free_families(head), *found)))
            for head, found in choices.items()
            if heads.indexed[head] and not heads.marked[head] and _free_families(head)
        }
        for names in self._index_schemes(heads) if free else ():
            scheme = {name: number for number, name in enumerate(names)}
            other = {**choices, **free}
            letters = {**settings.letters, **{h: f[0] for h, f in free.items()}}
            trial = replace(settings, letters=letters, index_layers=scheme)
            found = self._forward(trial, forward, other)
            score = self.score(forward, found, self.reduction)
            if score > top + 0.5:
                best, top, kept = found, score, other
        return best, kept

    def _index_schemes(self, heads: Heads) -> Iterator[tuple[str, ...]]:
        """Index letters for the input, the first layer, and so on."""
        for start in ("ijklmn", "kjihgf", "dijkl", "ihjkl", "lkji", "nmlkj", "dhkc", "ihok"):
            names = tuple(start[: self.depth + 1])
            if len(names) == self.depth + 1 and all(heads.scripts[n] for n in names[1:]):
                yield names

    # --- forward equations ------------------------------------------------------------------

    def _forward(
        self,
        settings: Settings,
        statements: Sequence[Statement],
        choices: Mapping[str, tuple[str, ...]],
    ) -> Settings:
        statements = list(statements)[:ENOUGH]
        if not statements:
            return settings
        best, top = settings, float("-inf")
        for trial in self._orientations(settings):
            found = self.score(statements, trial, self.reduction)
            if found > top + 1e-9:
                best, top = trial, found
            if top >= len(statements) - 1e-9:
                return best
        if any("b" in _heads_in(s) for s in statements):
            for stands in SAMPLE_LAYOUTS:
                trial = replace(best, biases=stands)
                found = self.score(statements, trial, self.reduction)
                if stands != best.samples and found > top + 1e-9:
                    best, top = trial, found
        return self._letters(best, statements, choices, self.reduction)

    def _orientations(self, settings: Settings) -> Iterator[Settings]:
        """Rows or columns, W either way round, layers counted from where."""
        for samples, weights, nodes, start in itertools.product(
            SAMPLE_LAYOUTS, ("in_out", "out_in"), (0, 1), (0, 1)
        ):
            yield replace(
                settings,
                biases="",
                samples=samples,
                single=samples,
                weights=weights,
                nodes=nodes,
                weights_from=start,
                depth=nodes,
            )

    def _letters(
        self,
        settings: Settings,
        statements: Sequence[Statement],
        choices: Mapping[str, tuple[str, ...]],
        reduction: str,
    ) -> Settings:
        """Statement by statement: the assignment of its ambiguous letters that makes it true."""
        decided: set[str] = set()
        weights = {h for h, found in choices.items() if any(f[0] == "W" for f in found)}
        nothing_true = not any(  # that could tell how vectors and weights stand
            weights & set(_heads_in(s)) and self.outcome(s, settings, reduction) == "true"
            for s in statements
        )
        for statement in statements:
            inside = [h for h in _heads_in(statement) if len(choices.get(h, ())) > 1]
            if self.outcome(statement, settings, reduction) == "true":
                decided.update(inside)
                continue
            open_ = [h for h in inside if h not in decided]
            anew = not decided and nothing_true
            found = self._assignment(statement, settings, open_, choices, reduction, anew)
            if found is not None:
                settings = found
                decided.update(inside)
        return settings

    def _assignment(
        self,
        statement: Statement,
        settings: Settings,
        open_: Sequence[str],
        choices: Mapping[str, tuple[str, ...]],
        reduction: str,
        anew: bool,
    ) -> Settings | None:
        orientations = [(settings.samples, settings.weights)]
        if open_ and (anew or all(":" in f for h in open_ for f in choices[h][:1])):
            orientations += [(s, w) for s in SAMPLE_LAYOUTS for w in ("in_out", "out_in")]
        tried = 0
        for samples, weights in orientations:
            for picks in itertools.product(*(choices[h] for h in open_)):
                tried += 1
                if tried > 600:
                    return None
                letters = {**settings.letters, **dict(zip(open_, picks, strict=True))}
                trial = replace(
                    settings, letters=letters, samples=samples, single=samples, weights=weights
                )
                if self.outcome(statement, trial, reduction) == "true":
                    return trial
        return None

    # --- the rest ---------------------------------------------------------------------------

    def _backward(
        self, settings: Settings, choices: Mapping[str, tuple[str, ...]]
    ) -> tuple[Settings, str]:
        statements = self._deciding({h for h, found in choices.items() if len(found) > 1})
        reduction = self.reduction
        outcomes = [self.outcome(s, settings, reduction) for s in statements]
        for _ in range(ROUNDS):
            better = self._first_better(statements, outcomes, settings, reduction, choices)
            if better is None:
                break
            settings, reduction, outcomes = better
        return settings, reduction

    def _deciding(self, open_: set[str]) -> list[Statement]:
        """Statements from all over the note, and the first with each ambiguous letter that none
        of them has."""
        statements = [s for s in self.statements if len(s.sides) > 1]
        if len(statements) <= ENOUGH:
            return statements
        step = len(statements) / ENOUGH
        kept = {int(n * step) for n in range(ENOUGH)}
        met = {h for n in kept for h in _heads_in(statements[n])}
        for number, statement in enumerate(statements):
            if unmet := (open_ & set(_heads_in(statement))) - met:
                met |= unmet
                kept.add(number)
        return [statements[n] for n in sorted(kept)]

    def _first_better(
        self,
        statements: Sequence[Statement],
        outcomes: Sequence[str],
        settings: Settings,
        reduction: str,
        choices: Mapping[str, tuple[str, ...]],
    ) -> tuple[Settings, str, list[str]] | None:
        """The first change of one convention that makes the note truer."""
        if all(outcome in ("true", "definition") for outcome in outcomes):
            return None
        open_ = [s for s, o in zip(statements, outcomes, strict=True) if o == "false"]
        unfit = any(id(statement) in self.unfit for statement in open_)
        stood = ((trial, reduction) for trial in (layouts(settings) if unfit else ()))
        trials = self._trials(settings, reduction, choices)
        for trial, other in itertools.chain(trials, stood):
            if not self._matters(statements, outcomes, settings, trial, other == reduction):
                continue
            found = self._better(statements, outcomes, settings, trial, other)
            if found is not None:
                return trial, other, found
        return None

    def _matters(
        self,
        statements: Sequence[Statement],
        outcomes: Sequence[str],
        settings: Settings,
        trial: Settings,
        same: bool,
    ) -> bool:
        """Whether a line that is not true yet has one of the letters that the trial changes."""
        if not same:
            return True
        changed = self._changed(settings, trial)
        if trial.scales != settings.scales and not changed:
            return False
        if not changed:
            return trial != settings
        return any(
            outcome != "true" and changed & set(_heads_in(statement))
            for statement, outcome in zip(statements, outcomes, strict=True)
        )

    def _changed(self, settings: Settings, trial: Settings) -> set[str]:
        changed = {h for h, f in trial.letters.items() if settings.letters.get(h) != f}
        if settings.kronecker != trial.kronecker:
            changed |= {h for h, f in trial.letters.items() if f.startswith("delta")}
        return changed | {h for h, f in trial.scales.items() if settings.scales.get(h, "1") != f}

    def _better(
        self,
        statements: Sequence[Statement],
        outcomes: Sequence[str],
        settings: Settings,
        trial: Settings,
        reduction: str,
    ) -> list[str] | None:
        """The outcomes under another reading if it is better by one line at least."""
        open_ = [n for n, o in enumerate(outcomes) if o not in ("true", "definition")]
        changed = self._changed(settings, trial)
        if changed:
            open_ = [n for n in open_ if changed & set(_heads_in(statements[n]))]
        sample = open_ if len(open_) <= PROBE else open_[:: -(-len(open_) // PROBE)]
        if not any(self.outcome(statements[n], trial, reduction) == "true" for n in sample):
            return None
        gained = {n: self.outcome(statements[n], trial, reduction) for n in open_}
        points = {"true": 1.0, "false": -0.5, "unknown": -0.1, "definition": 0.0}
        gain = sum(points[o] - points[outcomes[n]] for n, o in gained.items())
        negated = {h for h, f in trial.scales.items() if f.startswith("-")} & changed
        hat = r"\hat{y}"
        turned = trial.letters.get(hat) == "y" and settings.letters.get(hat) == "yhat"
        own = trial.per_sample and not settings.per_sample
        least = TWO_LINES if negated or turned or own else 0.3
        if gain < least:
            return None
        found = list(outcomes)
        for n, outcome in gained.items():
            found[n] = outcome
        if trial.single != settings.single and self._costs_one_sample(
            [statements[n] for n, o in enumerate(outcomes) if o == "true"],
            settings,
            trial,
            reduction,
        ):
            return None
        for n, outcome in enumerate(outcomes):
            if outcome == "true":
                found[n] = self.outcome(statements[n], trial, reduction)
                gain += points[found[n]] - 1.0
                if gain < least:
                    return None
        is_kept = self._keeps_forward(statements, outcomes, found, settings, trial)
        return found if is_kept else None

    def _keeps_forward(
        self,
        statements: Sequence[Statement],
        outcomes: Sequence[str],
        found: Sequence[str],
        settings: Settings,
        trial: Settings,
    ) -> bool:
        """Whether no forward equation that was true is so no longer, whatever else is gained."""
        turned = [
            (was, now)
            for statement, was, now in zip(statements, outcomes, found, strict=True)
            if was != now and gives_layer(statement, settings)
        ]
        if any(was == "true" for was, _ in turned):
            return False
        is_supported = any(now == "true" for _, now in turned)
        return is_supported or not _takes_sum_for_unit(settings, trial)

    def _costs_one_sample(
        self, true: Sequence[Statement], settings: Settings, trial: Settings, reduction: str
    ) -> bool:
        """Whether a line that is true of one sample would be true of a batch only. Lines with a
        capital for the data speak of a batch."""
        one, data = ("one",), ("x", "y", "yhat", "z", "h")
        batch = {h for h, f in settings.letters.items() if h.isupper() and f.startswith(data)}
        return any(
            not batch & set(_heads_in(s))
            and self.outcome(s, settings, reduction, one) == "true"
            and self.outcome(s, trial, reduction, one) == "false"
            for s in true
        )

    def _trials(
        self, settings: Settings, reduction: str, choices: Mapping[str, tuple[str, ...]]
    ) -> Iterator[tuple[Settings, str]]:
        for family in ("loss_n", "L"):
            for head, found in choices.items():
                if family in found and settings.letters[head] != family:
                    letters = {**settings.letters, head: family}
                    yield replace(settings, letters=letters), reduction
        for other in self.worlds:
            if other != reduction:
                yield settings, other
        errors = [h for h, f in settings.letters.items() if f.startswith("delta")]
        if errors:
            yield replace(settings, deltas=_other(settings.deltas, *DELTA_NUMBERINGS)), reduction
            trial = replace(settings, deltas="by_layer", delta_from=1 - settings.delta_from)
            yield trial, reduction
            yield replace(settings, delta_of="h"), reduction
            yield replace(settings, kronecker=not settings.kronecker), reduction
        if any("N" in found for found in choices.values()):
            yield replace(settings, per_sample=not settings.per_sample), reduction
        adjoints = [h for h, f in settings.letters.items() if f.startswith(("delta", "d_"))]
        for scale in ("N", "-1", "-N", "1"):
            for group in _adjoint_groups(adjoints):
                scales = {**settings.scales, **dict.fromkeys(group, scale)}
                yield replace(settings, scales=scales), reduction
        for signs in self._entrywise_signs():
            if not set(signs) <= settings.entrywise:
                yield replace(settings, entrywise=settings.entrywise | set(signs)), reduction
        yield (
            replace(settings, layout=_other(settings.layout, "numerator", "denominator")),
            reduction,
        )
        if settings.single == "columns":  # a row meets its Jacobian from the left only
            yield replace(settings, chain=_other(settings.chain, "down", "up")), reduction
        yield replace(settings, vectors=_other(settings.vectors, "variable", "row")), reduction
        if settings.samples == "columns":
            both = replace(settings, vectors="row", layout="numerator", chain="down")
            yield both, reduction
            yield replace(settings, vectors="variable", layout="denominator", chain="up"), reduction
        yield replace(settings, depth=1 - settings.depth), reduction
        if settings.samples == "rows":
            yield replace(settings, single=_other(settings.single, *SAMPLE_LAYOUTS)), reduction
        for head in [h for h, f in settings.letters.items() if f == "N"]:
            letters = {h: f for h, f in settings.letters.items() if h != head}
            yield replace(settings, letters=letters), reduction  # the length of another axis
        for head in self.settable:
            if settings.letters.get(head) != "alias":
                letters = {**settings.letters, head: "alias"}
                aliases = {**settings.aliases, head: self.settable[head]}
                yield replace(settings, letters=letters, aliases=aliases), reduction
        turned = _other(settings.samples, *SAMPLE_LAYOUTS)
        yield replace(settings, samples=turned, single=turned), reduction
        if turned == "rows":
            yield replace(settings, samples=turned), reduction
        yield replace(settings, weights=_other(settings.weights, "in_out", "out_in")), reduction
        for nodes, start in ((0, 0), (1, 0), (1, 1), (0, 1)):
            trial = replace(settings, nodes=nodes, weights_from=start, depth=nodes)
            yield trial, reduction
        for head, found in choices.items():
            for family in found:
                if family != settings.letters.get(head):
                    yield replace(settings, letters={**settings.letters, head: family}), reduction

    def _entrywise_signs(self) -> Iterator[tuple[str, ...]]:
        """Signs that may mean an entrywise product. A note that has a sign of its own for it
        means nothing entrywise by juxtaposition."""
        used = {
            node.sign
            for statement in self.statements
            for side in statement.sides
            for node in walk(side)
            if isinstance(node, Product)
        }
        if used & {r"\odot", r"\circ"}:
            return
        for sign in (r"\times", "*", r"\cdot"):
            if sign in used:
                yield (sign,)
        if not used & {r"\times", "*"}:
            yield ("",)
            yield ("", r"\cdot")


def gives_layer(statement: Statement, settings: Settings) -> bool:
    """Whether it is a forward equation: that of a layer, the output or the loss."""
    if says_what_sigma_is(statement):
        return False  # but to the rest of the note it does not
    parts = split(without_brackets(statement.sides[0]))
    family = settings.letters.get(parts[0].head, "") if parts is not None else ""
    return family.partition(":")[0] in ("z", "h", "yhat", "L", "loss_n") and not any(
        isinstance(node, Derivative)
        or (isinstance(node, Symbol) and settings.letters.get(node.head, "").startswith(ADJOINTS))
        for side in statement.sides
        for node in walk(side)
    )


def says_what_sigma_is(statement: Statement) -> bool:
    r"""\hat y = \sigma(z) = e^z / \sum_j e^{z_j}: two sides without \sigma are equal to it."""
    without = [
        side
        for side in statement.sides
        if not any(isinstance(node, Symbol) and node.head == SIGMA for node in walk(side))
    ]
    return 1 < len(without) < len(statement.sides)


def _takes_sum_for_unit(settings: Settings, trial: Settings) -> bool:
    """Whether z, the sum in front of an activation, is to be what comes behind it, while no other
    letter is the sum: only a forward equation says so."""
    moved = any(
        lower(head) == "z" and family[:1] == "h" and settings.letters.get(head, "")[:1] == "z"
        for head, family in trial.letters.items()
    )
    return moved and not any(family[:1] == "z" for family in trial.letters.values())


def layouts(settings: Settings) -> Iterator[Settings]:
    """Every way in which vectors, weights and derivatives may stand together. A row meets its
    Jacobian from the left only."""
    for samples, weights, vectors, layout, chain in itertools.product(
        SAMPLE_LAYOUTS,
        ("in_out", "out_in"),
        ("variable", "row"),
        ("numerator", "denominator"),
        ("down", "up"),
    ):
        if samples == "rows" and chain == "up":
            continue
        yield replace(
            settings,
            samples=samples,
            single=samples,
            weights=weights,
            vectors=vectors,
            layout=layout,
            chain=chain,
        )


def _other(value: T, one: T, other: T) -> T:
    return other if value == one else one


def _adjoint_groups(heads: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """All together; those of nodes; each kind alone."""
    parameters = tuple(
        h
        for h in heads
        if lower(h.removeprefix("d").removeprefix(r"\partial ")) in ("w", "b", r"\theta")
    )
    nodes = tuple(h for h in heads if h not in parameters)
    for group in (nodes, parameters, tuple(heads)):
        if group:
            yield group
    for head in heads:
        yield (head,)


def _heads_in(statement: Statement) -> list[str]:
    found: list[str] = []
    for side in statement.sides:
        for node in walk(side):
            if isinstance(node, Symbol) and node.head not in found:
                found.append(node.head)
    return found
