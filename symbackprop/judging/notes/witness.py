r"""What a refuted formula is recomputed with: sizes, given values, quantities, and a short script.

Owns: `counterexample`, the record of a refuted claim, for anyone with NumPy and nothing of ours.
Refuses: deciding. Would be wrong if the script gave other numbers than the judge found: its texts
are checked against them when they are made, and give way to plain numbers where they differ.

Keys beside `sizes`, `values`, `entry`, `left`, `right`, `letters`, `layer`: `quantities`, by their
names in the note, first an axis for each index letter, then rows and columns, a row as [[1, 2]];
`read_as`, the network's name of those that are a tensor or derivative of it; `script`; `reason`
where there are no numbers. Entries and letters count from 1.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from symbackprop.judging.notes.formula.compare import Difference, Verdict, fitting
from symbackprop.judging.notes.formula.judge import with_function_variable
from symbackprop.judging.notes.formula.meaning import Meaning
from symbackprop.judging.notes.formula.ranges import with_ranges
from symbackprop.judging.notes.formula.settings import Settings
from symbackprop.judging.notes.formula.sums import bounded
from symbackprop.judging.notes.formula.symbols import IllFormed, NotUnderstood
from symbackprop.judging.notes.formula.valuation import Valuation
from symbackprop.judging.notes.formula.values import Clash, Value
from symbackprop.judging.notes.numpytext import Code, NoText, Quantity, Translator
from symbackprop.reading.latex.syntax import (
    Apply,
    Big,
    Comparison,
    Node,
    Product,
    Quotient,
    Span,
    Statement,
    Sum,
    children,
)
from symbackprop.witnesses.axes import Array
from symbackprop.witnesses.truth import World

Source = Callable[[Span], str]
CLOSE = 1e-8
DIGITS = ".9g"
UNREADABLE = (NotUnderstood, IllFormed, Clash, NoText)


def counterexample(
    statement: Statement, verdict: Verdict, settings: Settings, world: World, source: Source
) -> dict[str, Any]:
    """What a refutation is recomputed with. `source` gives the note's text of a span."""
    if verdict.method == "shape" and verdict.difference is None:
        return {"sizes": sizes_of(world), **_shapes(statement, verdict, settings, world, source)}
    if verdict.difference is None or verdict.method == "structure":
        reason = verdict.reason or "the formula is not well formed"
        return {"sizes": sizes_of(world), "reason": f"no values: {reason}"}
    found = _given(world, verdict.difference, verdict)
    return {**found, **_recomputed(statement, verdict, settings, world, source)}


def sizes_of(world: World) -> dict[str, int]:
    return {str(s): int(n) for s, n in world.points[0].sizes.items()}


def _given(world: World, difference: Difference, verdict: Verdict) -> dict[str, Any]:
    """Sizes, given values, the entry and both numbers there."""
    point = world.points[min(difference.point, len(world.points) - 1)]
    values = {
        t.name: np.asarray(point.values[t.name], dtype=float).tolist()
        for t in world.network.of_kind("input", "label", "parameter")
        if np.all(np.isfinite(point.values[t.name]))  # a worked example may leave some open
    }
    found: dict[str, Any] = {
        "sizes": sizes_of(world),
        "values": values,
        "entry": [n + 1 for n in difference.entry],
        "left": difference.left,
        "right": difference.right,
    }
    letters = {n: p for n, p in difference.letters.items() if not n.startswith("variable ")}
    if letters:
        found["letters"] = letters
    layers = {n: p for n, p in verdict.numbers.items() if n != "L"}
    if layers:
        found["layer"] = layers
    return found


# --------------------------------------------------------------------------------------------
# Numbers that differ
# --------------------------------------------------------------------------------------------


def _recomputed(
    statement: Statement, verdict: Verdict, settings: Settings, world: World, source: Source
) -> dict[str, Any]:
    difference = verdict.difference
    assert difference is not None
    try:
        meaning = _surroundings(statement, verdict, settings, world)
        fixed = _first_places(meaning) | dict(difference.letters)
        translator = Translator(difference.point, fixed, source)
        nodes = statement.sides[verdict.link : verdict.link + 2]
        sides = [(translator.code(node, meaning), meaning.spanned(node)) for node in nodes]
        pair = fitting(sides[0][1], sides[1][1], settings)
    except UNREADABLE as problem:
        return _only_numbers(difference, getattr(problem, "reason", "too many numbers"))
    if isinstance(pair, Verdict):
        return _only_numbers(difference, pair.reason)
    shown: list[str] = []
    stated = (difference.left, difference.right)
    for name, (code, value), fitted, number in zip(
        ("left", "right"), sides, pair[:2], stated, strict=True
    ):
        place = _place(value, fitted, difference.entry)
        computed = translator.computed(code, fixed)
        if computed is None or not _is_near(computed, place, number):
            return _only_numbers(difference, "the entry is compared in another form")
        shown.append(f"{name}{list(place)}" if place else name)
    codes = [code for code, _ in sides]
    lines = [f"{name} = {code.text}" for name, code in zip(("left", "right"), codes, strict=True)]
    numbers = f"{difference.left:.6g} and {difference.right:.6g}"
    lines.append(f"print({', '.join(shown)})  # {numbers}")
    return _with_script(codes, translator, lines, "The two sides where they differ")


def _surroundings(
    statement: Statement, verdict: Verdict, settings: Settings, world: World
) -> Meaning:
    meaning = with_ranges(statement.sides, Valuation(world, settings, verdict.numbers))
    return with_function_variable(statement, meaning)


def _first_places(meaning: Meaning) -> dict[str, int]:
    """1 for each letter of the formula, and for the variable of a function that it defines."""
    variables = [name for value in meaning.local.values() for name in value.free]
    return dict.fromkeys((*meaning.ranges, *variables), 1)


def _place(value: Value, fitted: Value, entry: Sequence[int]) -> tuple[int, ...]:
    """Where the entry of the fitted value stands in the array that the script computes."""
    if value.is_scalar or value.identity:
        return ()
    if len(value.axes) == 2 * len(fitted.axes):  # a Jacobian compared by its slopes
        order = [fitted.axes.index(axis) for axis in value.rows]
        return tuple(entry[n] for n in order) * 2
    places = tuple(min(n, axis.size - 1) for n, axis in zip(entry, value.axes, strict=False))
    if len(value.axes) == 1:
        return (*places, 0) if value.rows else (0, *places)
    return places


def _is_near(computed: Any, place: tuple[int, ...], number: float) -> bool:
    array = np.asarray(computed)
    if array.ndim != len(place):
        return False
    found = float(array[place])
    return abs(found - number) <= CLOSE * max(abs(number), 1e-6)


def _only_numbers(difference: Difference, reason: str) -> dict[str, Any]:
    """The sides as numbers, where nothing more can be said."""
    lines = [
        "import numpy as np",
        f"# The two sides as the judge has them, not translated: {reason}",
        f"left = np.array({difference.left!r})",
        f"right = np.array({difference.right!r})",
        "print(left, right)",
    ]
    quantities = {"left side": difference.left, "right side": difference.right}
    return {"quantities": quantities, "script": "\n".join(lines) + "\n"}


# --------------------------------------------------------------------------------------------
# Shapes that do not fit
# --------------------------------------------------------------------------------------------


def _shapes(
    statement: Statement, verdict: Verdict, settings: Settings, world: World, source: Source
) -> dict[str, Any]:
    try:
        meaning = _surroundings(statement, verdict, settings, world)
        found = _clashing_sides(statement, verdict, meaning, source)
    except UNREADABLE:
        found = None
    return {"reason": f"no values: {verdict.reason}"} if found is None else found


def _clashing_sides(
    statement: Statement, verdict: Verdict, meaning: Meaning, source: Source
) -> dict[str, Any] | None:
    fixed = _first_places(meaning)
    translator = Translator(0, fixed, source)
    nodes = statement.sides[verdict.link : verdict.link + 2]
    for node in nodes:
        if (pair := _clash(node, meaning, translator)) is not None:
            translator.fixed = _first_places(pair.meaning)
            codes = [translator.code(part, pair.meaning) for part in (pair.first, pair.second)]
            found = _shape_script(codes, ("first", "second"), translator, verdict.reason)
            if pair.is_matrix_product:
                found["script"] += "print(first @ second)\n"
            return found
    codes = [translator.code(node, meaning) for node in nodes]
    found = _shape_script(codes, ("left", "right"), translator, verdict.reason)
    shapes = [translator.computed(code, fixed) for code in codes]
    if all(shape is not None for shape in shapes):
        found |= {n: list(np.shape(s)) for n, s in zip(("left", "right"), shapes, strict=True)}
    return found


def _shape_script(
    codes: Sequence[Code], names: tuple[str, str], translator: Translator, reason: str
) -> dict[str, Any]:
    lines = [f"{name} = {code.text}" for name, code in zip(names, codes, strict=True)]
    lines.append(f"print(np.shape({names[0]}), np.shape({names[1]}))")
    return _with_script(codes, translator, lines, _one_line(reason))


@dataclass(frozen=True)
class _Pair:
    """Two parts of a formula that do not fit together."""

    first: Node
    second: Node
    meaning: Meaning
    is_matrix_product: bool


def _clash(node: Node, meaning: Meaning, translator: Translator) -> _Pair | None:
    """The two parts of a formula that do not fit together, where each of them has a value."""
    if _has_value(node, meaning):
        return None
    inner, parts = _parts(node, meaning, translator)
    for part in parts:
        found = _clash(part, inner, translator)
        if found is not None:
            return found
    for number in range(1, len(parts)):
        whole = _of(node, parts[: number + 1])
        if whole is not None and not _has_value(whole, inner):
            before = parts[0] if number == 1 else _of(node, parts[:number])
            assert before is not None
            entrywise = not isinstance(node, Product) or node.sign in (r"\odot", r"\circ")
            return _Pair(before, parts[number], inner, not entrywise)
    return None


def _has_value(node: Node, meaning: Meaning) -> bool:
    """Whether the shapes fit; a fault of another kind is none of shapes."""
    try:
        with np.errstate(all="ignore"):
            meaning.spanned(node)
    except Clash:
        return False
    except (NotUnderstood, IllFormed):
        return True
    return True


def _parts(node: Node, meaning: Meaning, translator: Translator) -> tuple[Meaning, list[Node]]:
    match node:
        case Product() if (parts := translator.parts(node, meaning)) and len(parts) > 1:
            return meaning, parts
        case Product(factors=factors):
            return meaning, list(factors[1:])
        case Big(bounds=bounds, body=body):
            inner = meaning
            for bound in bounds:
                inner = bounded(inner, bound, body)
            return inner, [body]
        case Sum(terms=terms):
            return meaning, list(terms)
        case Apply(arguments=arguments):
            return meaning, list(arguments)
        case Quotient(numerator=top, denominator=bottom):
            return meaning, [top, bottom]
    return meaning, list(children(node))


def _of(node: Node, parts: Sequence[Node]) -> Node | None:
    """The same operation on the first parts alone."""
    span = Span(parts[0].span.start, parts[-1].span.end)
    match node:
        case Product():
            return replace(node, factors=tuple(parts), span=span)
        case Sum(signs=signs):
            return replace(node, terms=tuple(parts), signs=signs[: len(parts)], span=span)
        case Quotient():
            return node
        case Comparison():
            return node
    return None


# --------------------------------------------------------------------------------------------
# Scripts
# --------------------------------------------------------------------------------------------


def _with_script(
    codes: Sequence[Code], translator: Translator, lines: Sequence[str], title: str
) -> dict[str, Any]:
    quantities: list[Quantity] = []
    for code in codes:
        quantities += [q for q in code.reads if q.variable not in {o.variable for o in quantities}]
    letters = {
        translator.letter(n): p
        for n, p in translator.fixed.items()
        if not n.startswith("variable ") and _uses(codes, translator.letter(n))
    }
    untranslated = [quantity.name for quantity in quantities if quantity.whole]
    text = ["import numpy as np", f"# {title}"]
    if untranslated:
        text.append(f"# as numbers, not translated: {'; '.join(map(_one_line, untranslated))}")
    if letters:
        text.append(f"{', '.join(letters)} = {', '.join(map(str, letters.values()))}")
    text += [f"{quantity.variable} = {_literal(quantity.array)}" for quantity in quantities]
    found: dict[str, Any] = {"quantities": {q.name: q.array.tolist() for q in quantities}}
    read_as = {q.name: q.read_as for q in quantities if q.read_as}
    if read_as:
        found["read_as"] = read_as
    return {**found, "script": "\n".join([*text, *lines]) + "\n"}


def _uses(codes: Sequence[Code], letter: str) -> bool:
    return any(re.search(rf"(?<!\w){re.escape(letter)}(?!\w)", code.text) for code in codes)


def _literal(array: Array) -> str:
    """An array as NumPy text; a number as it is."""
    if array.ndim == 0:
        return _figure(float(array))
    return f"np.array({_nested(array)})"


def _nested(array: Array) -> str:
    if array.ndim == 0:
        return _figure(float(array))
    return f"[{', '.join(_nested(part) for part in array)}]"


def _figure(number: float) -> str:
    if not np.isfinite(number):
        return f"float({str(number)!r})"
    return f"{number:{DIGITS}}"


def _one_line(text: str) -> str:
    return " ".join(text.split())
