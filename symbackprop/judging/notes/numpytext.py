r"""A formula of a note as NumPy text, with the numbers of the quantities it names.

Owns: `Translator`: syntax to a NumPy expression, where a row is (1, k), a column (k, 1), a number
has no axes; the quantities that the expression reads. Refuses: judging, and running text.
Would be wrong if a text meant another number than the judge compared: next to its text each piece
keeps how it is computed, and a piece that gives another number than the formula's own value is
given up for that value, as a quantity of its own.
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from sympy import Expr

from symbackprop.calculus.scalars import FUNCTIONS, Z
from symbackprop.derivation.evaluate import explicit_value
from symbackprop.judging.notes.formula import values as v
from symbackprop.judging.notes.formula.derivatives import Link, link_of, link_value
from symbackprop.judging.notes.formula.entries import slopes_of
from symbackprop.judging.notes.formula.functions import function_name, function_of, is_called
from symbackprop.judging.notes.formula.letters import argument_of, exponent_of, head_of, plain
from symbackprop.judging.notes.formula.literals import kronecker
from symbackprop.judging.notes.formula.meaning import Meaning
from symbackprop.judging.notes.formula.products import times
from symbackprop.judging.notes.formula.ranges import open_letters, range_of
from symbackprop.judging.notes.formula.sums import bounded, limits_of
from symbackprop.judging.notes.formula.symbols import IllFormed, NotUnderstood, Reference, split
from symbackprop.judging.notes.formula.values import Clash, Value
from symbackprop.reading.latex.syntax import (
    Apply,
    Big,
    Cases,
    Comparison,
    Derivative,
    Group,
    Indicator,
    Matrix,
    Node,
    Norm,
    Number,
    Product,
    Quotient,
    Root,
    Scripted,
    Span,
    Sum,
    Symbol,
)
from symbackprop.witnesses.axes import ANY, SAMPLE, Array
from symbackprop.writing.code import numpy_words as levels
from symbackprop.writing.code.numpy_words import Text
from symbackprop.writing.code.scalar_text import scalar_text

Env = Mapping[str, int]
ATOM, POWER, TERM, SUM = 3, 2, 1, 0  # how tightly a text binds
LEVELS = {SUM: levels.SUM, TERM: levels.PRODUCT, POWER: levels.POWER, ATOM: levels.ATOM}
MANY, MOST = 600, 20_000  # numbers in one quantity: beyond the first only what is needed
LONGEST = 1500
FAULTS = (ArithmeticError, IndexError, TypeError, ValueError)
RESERVED = frozenset(
    ("np", "left", "right", "first", "second", "sum", "range", "print", *"ijkmnpq")
)
RELATIONS: Mapping[str, tuple[str, Callable[[Any, Any], Any]]] = {
    "=": ("==", np.equal),
    r"\neq": ("!=", np.not_equal),
    "<": ("<", np.less),
    ">": (">", np.greater),
    r"\leq": ("<=", np.less_equal),
    r"\geq": (">=", np.greater_equal),
}


class NoText(ValueError):
    """Something that is not translated: its value is a quantity."""


@dataclass(frozen=True)
class Quantity:
    """What a script reads: its variable there, its name in the note, its numbers (first an axis
    for each of its index letters), and which tensor or derivative of the network it is."""

    variable: str
    name: str
    array: Array
    read_as: str = ""
    whole: bool = False  # it is no leaf, but something that was not translated


@dataclass(frozen=True)
class Code:
    """A NumPy text and what it computes, at places for the index letters."""

    text: str
    run: Callable[[Env], Any]
    rank: int = ATOM
    reads: tuple[Quantity, ...] = ()

    def within(self, rank: int) -> str:
        return self.text if self.rank >= rank else f"({self.text})"


@dataclass
class Translator:
    """Texts under one reading of the note, at one of its points. `fixed` are the places of the
    letters that the formula leaves free; `source` gives the note's text of a node."""

    point: int
    fixed: Env
    source: Callable[[Span], str]
    _named: dict[Any, tuple[str, str]] = field(default_factory=dict)

    def code(self, node: Node, meaning: Meaning) -> Code:
        """Raises: NotUnderstood, IllFormed, Clash, NoText (too many numbers)."""
        value = meaning.spanned(node)
        try:
            made = self._made(node, value, meaning)
        except (NoText, NotUnderstood, IllFormed, Clash):
            return self.quantity(node, value)
        return made if self.is_right(made, value, meaning) else self.quantity(node, value)

    def is_right(self, made: Code, value: Value, meaning: Meaning) -> bool:
        """Whether the text gives the formula's own value at the last place of each open letter."""
        env = {n: axis.size for n, axis in meaning.ranges.items()} | dict(self.fixed)
        if len(made.text) > LONGEST:
            return False
        return same(self.computed(made, env), self.laid(value, env))

    def computed(self, made: Code, env: Env) -> Any:
        """The number or array of a text; None where NumPy refuses."""
        try:
            with np.errstate(all="ignore"):
                return made.run(env)
        except FAULTS:
            return None

    def laid(self, value: Value, env: Env) -> Array:
        """The value at the point and the letters' places, a vector as a row or column."""
        places = [_clipped(self.point, value.array.shape[0])]
        for letter, size in zip(value.free, value.array.shape[1:], strict=False):
            places.append(_clipped(env[letter] - 1, size))
        return explicit(np.asarray(value.array[tuple(places)]), value)

    # --- quantities -------------------------------------------------------------------------

    def quantity(
        self,
        node: Node,
        value: Value,
        read_as: str = "",
        extra: str = "",
        raw: bool = False,
        is_leaf: bool = False,
    ) -> Code:
        """The value of a node as numbers. Many numbers: only those at the places of the formula's
        own letters. `raw`: a single axis is neither row nor column."""
        whole = not (is_leaf or isinstance(node, (Symbol, Scripted, Derivative)))
        array = value.array[_clipped(self.point, value.array.shape[0])]
        open_ = [n for n in value.free if array.size <= MANY or n not in self.fixed]
        open_ = [n for n in open_ if not n.startswith("variable ")]
        picks: list[Any] = []
        for letter, size in zip(value.free, array.shape, strict=False):
            there = slice(None) if letter in open_ else _clipped(self.fixed[letter] - 1, size)
            picks.append(there)
        array = np.real(array[tuple(picks)])
        if array.size > MOST:
            raise NoText
        array = array if raw else explicit(array, value, len(open_))
        name, variable = self._name(node, value, extra, len(open_) < len(value.free))
        found = Quantity(variable, name, array, read_as, whole)
        sizes = array.shape[: len(open_)]
        shown = [
            f"{self.letter(n)} - 1" if s > 1 else "0" for n, s in zip(open_, sizes, strict=True)
        ]
        text = f"{variable}[{', '.join(shown)}]" if open_ else variable

        def run(env: Env) -> Any:
            return array[tuple(_clipped(env[n] - 1, s) for n, s in zip(open_, sizes, strict=True))]

        return Code(text, run, ATOM, (found,))

    def _name(self, node: Node, value: Value, extra: str, cut: bool) -> tuple[str, str]:
        """A name in the note's words and a variable, the same for the same node."""
        key = (plain(node), extra, cut, tuple(a.label for a in value.axes))
        if key not in self._named:
            name = _squeezed(self._words(node)) + extra
            taken = [n for n, _ in self._named.values()]
            number = 1 + sum(n == name or n.startswith(f"{name} (reading ") for n in taken)
            name = name if number == 1 else f"{name} (reading {number})"
            self._named[key] = name, self._variable(name)
        return self._named[key]

    def _words(self, node: Node) -> str:
        text = self._source(node)
        opened = text.count("{") - text.count("}")  # W^{[2]T} without its transposition
        return text + "}" * max(0, opened)

    def _source(self, node: Node) -> str:
        if not isinstance(node, Derivative) or node.of is None or node.wrt is None:
            return self.source(node.span)
        is_macro = node.of.span == node.wrt.span
        if node.sign != "nabla" and not is_macro:
            sign = r"\partial " if node.sign == "partial" else "d"
            return f"{sign}{self.source(node.of.span)}/{sign}{self.source(node.wrt.span)}"
        return self.source(node.span)

    def _variable(self, name: str) -> str:
        text = re.sub(
            r"\\(?:mathbf|boldsymbol|mathrm|vec|bm|text|left|right)(?![a-zA-Z])", "", name
        )
        text = text.replace(r"\partial", "d").replace("/", "_").replace(r"\hat", "hat_")
        text = re.sub(r"[^A-Za-z0-9_]", "", re.sub(r"[ ,]+(?=\w)", "", text))[:24]
        text = re.sub(r"_+", "_", text).strip("_") or "q"
        text = f"q{text}" if text[0].isdigit() else text
        taken = {variable for _, variable in self._named.values()} | set(self.fixed)
        return _fresh(text, taken)

    def letter(self, head: str) -> str:
        """An index letter as a variable."""
        text = re.sub(r"\W", "", head) or "k"
        return f"{text}_" if keyword.iskeyword(text) or text in ("np", "sum") else text

    # --- dispatch ---------------------------------------------------------------------------

    def _made(self, node: Node, value: Value, meaning: Meaning) -> Code:
        match node:
            case Number():
                return _number(value)
            case Symbol() | Scripted():
                return self._scripted(node, value, meaning)
            case Group(items=(one,)):
                return self.code(one, meaning)
            case Group(items=items):
                return self._matrix((items,), value, meaning)
            case Matrix(rows=rows):
                return self._matrix(rows, value, meaning)
            case Apply(function=function, arguments=arguments):
                return self._applied(function, arguments, meaning)
            case Product():
                return self._product(node, value, meaning)
            case Quotient(numerator=top, denominator=bottom):
                return _joined("/", self._typed(top, meaning), self._typed(bottom, meaning))
            case Sum():
                return self._sum(node, meaning)
            case Comparison():
                return self._condition(node, meaning)
            case Indicator(condition=condition):
                return self._condition(condition, meaning)
            case Big():
                return self._big(node, meaning)
            case Derivative():
                return self.quantity(node, value, self._derivative_name(node, meaning))
            case Cases(branches=branches):
                return self._cases(branches, meaning)
            case Norm(content=content):
                return self._norm(self._typed(content, meaning))
            case Root(content=content):
                return _called("np.sqrt({})", np.sqrt, self.code(content, meaning))
        raise NoText

    def _typed(self, node: Node, meaning: Meaning) -> _Typed:
        return _Typed(self.code(node, meaning), meaning.spanned(node))

    # --- symbols ----------------------------------------------------------------------------

    def _scripted(self, node: Symbol | Scripted, value: Value, meaning: Meaning) -> Code:
        parts = split(node)
        if parts is None:
            assert isinstance(node, Scripted)
            return self._outside(node, meaning)
        symbol, scripts = parts
        if symbol.head in meaning.ranges and not scripts:
            head = symbol.head
            return Code(self.letter(head), lambda env: np.asarray(float(env[head])))
        if (exponent := exponent_of(symbol, scripts, meaning.settings)) is not None:
            return _called("np.exp({})", np.exp, self.code(exponent, meaning))
        if value.identity:
            return _constant(float(np.real(value.array.reshape(-1)[0])))
        if isinstance(node, Scripted) and any(s.kind == "transpose" for s in node.scripts):
            return _turned(self.code(_untransposed(node), meaning))
        return self.quantity(node, value, self._symbol_name(node, meaning))

    def _symbol_name(self, node: Symbol | Scripted, meaning: Meaning) -> str:
        """The network's name of what a symbol is; "" where a formula of the note made it."""
        if split(node) is None or kronecker(meaning, node) is not None:
            return ""
        try:
            reference = meaning.scope.resolve(node)
        except (NotUnderstood, IllFormed):
            return ""
        if reference.power is not None or reference.primes:
            return ""
        if reference.kind == "tensor":
            return reference.name
        if reference.kind == "adjoint":
            factor = {"1": "", "N": "N * ", "-1": "-", "-N": "-N * "}.get(reference.scale)
            loss = meaning.world.network.loss
            return "" if factor is None else f"{factor}d{loss}/d{reference.name}"
        return "N" if (reference.kind, reference.name) == ("number", "N") else ""

    def _derivative_name(self, node: Derivative, meaning: Meaning) -> str:
        try:
            link = link_of(meaning, node)
        except (NotUnderstood, IllFormed):
            return ""
        return "" if link is None else self._link_name(link)

    def _link_name(self, link: Link) -> str:
        of, wrt = (name.partition("[")[0] for name in (link.of, link.wrt))
        return f"d{of}/d{wrt}"

    def _outside(self, node: Scripted, meaning: Meaning) -> Code:
        made = self._typed(node.base, meaning)
        for script in node.scripts:
            if script.kind == "transpose":
                made = _Typed(_turned(made.code), v.transposed(made.value))
            elif script.kind == "group" and script.place == "above" and not script.bracket:
                power = self.code(script.parts[0], meaning)
                made = replace(made, code=_powered(made.code, power))
            else:
                raise NoText
        return made.code

    # --- functions --------------------------------------------------------------------------

    def _applied(self, function: Node, arguments: Sequence[Node], meaning: Meaning) -> Code:
        parts = split(function)
        if parts is None:
            raise NoText
        name = parts[0].head.removeprefix("\\")
        if name in ("max", "min"):
            items = arguments
            if len(items) == 1 and isinstance(items[0], Group):
                items = items[0].items
            work = np.maximum if name == "max" else np.minimum
            return _called(
                f"np.{name}imum({{}}, {{}})", work, *(self.code(a, meaning) for a in items)
            )
        if len(arguments) != 1:
            raise NoText
        if name == "diag":
            return _called("np.diagflat({})", np.diagflat, self.code(arguments[0], meaning))
        if name == "sqrt":
            return _called("np.sqrt({})", np.sqrt, self.code(arguments[0], meaning))
        return self._application(meaning.scope.resolve(function), arguments[0], meaning)

    def _application(self, reference: Reference, argument: Node, meaning: Meaning) -> Code:
        if reference.kind != "function" or reference.indices:
            raise NoText
        inner = self._typed(argument, meaning)
        name = function_name(meaning, reference, inner.value)
        if name == "softmax":
            made = _softmax(inner)
        elif name == "identity":
            made = _constant(1.0) if reference.primes else inner.code
        else:
            made = _defined(FUNCTIONS[name].value(Z, reference.primes), inner.code)
        if reference.power is not None:
            made = _powered(made, self.code(reference.power, meaning))
        return _turned(made) if reference.transposed else made

    # --- sums and products ------------------------------------------------------------------

    def _sum(self, node: Sum, meaning: Meaning) -> Code:
        total: _Typed | None = None
        for sign, term in zip(node.signs, node.terms, strict=True):
            made = self._typed(term, meaning)
            if total is None:
                total = made if sign > 0 else replace(made, code=_negative(made.code))
                continue
            value = v.added(total.value, made.value, sign, SAMPLE)
            total = _Typed(_joined("+" if sign > 0 else "-", total, made), value)
        assert total is not None
        return total.code

    def parts(self, node: Product, meaning: Meaning) -> list[Node]:
        """The factors, a function and its argument taken together."""
        if node.sign != "":
            return list(node.factors)
        found: list[Node] = []
        factors = list(node.factors)
        while factors:
            first = factors.pop(0)
            after = factors[0] if factors else None
            called = after is not None and (
                (function_of(meaning, first) is not None and argument_of(after)[0] is not None)
                or is_called(meaning, first, after)
            )
            if called and after is not None:
                factors.pop(0)
                span = Span(first.span.start, after.span.end)
                first = Product("", (first, after), span)
            found.append(first)
        return found

    def _product(self, node: Product, value: Value, meaning: Meaning) -> Code:
        parts = self.parts(node, meaning)
        if len(parts) == 1 and len(node.factors) == 2:
            return self._call(node, meaning)
        if node.sign in (r"\odot", r"\circ"):
            return self._entrywise(parts, meaning)
        try:
            plain = self._times(node.sign, parts, meaning)
        except Clash:
            plain = None
        if plain is not None and self.is_right(plain, value, meaning):
            return plain
        return self._chain(parts, meaning)

    def _call(self, node: Product, meaning: Meaning) -> Code:
        function = function_of(meaning, node.factors[0])
        argument, scripts = argument_of(node.factors[1])
        if function is None and is_called(meaning, *node.factors):
            return self.quantity(node, meaning.spanned(node), is_leaf=True)
        if function is None or argument is None:
            raise NoText
        made = self._application(function, argument, meaning)
        for script in scripts:
            if script.kind == "transpose":
                made = _turned(made)
            elif script.place == "above" and not script.bracket and script.kind == "group":
                made = _powered(made, self.code(script.parts[0], meaning))
            else:
                raise NoText
        return made

    def _times(self, sign: str, parts: Sequence[Node], meaning: Meaning) -> Code:
        total = self._typed(parts[0], meaning)
        for part in parts[1:]:
            made = self._typed(part, meaning)
            value = times(meaning, sign, total.value, made.value)
            total = _Typed(_multiplied(total, made), value)
        return total.code

    def _entrywise(self, parts: Sequence[Node], meaning: Meaning) -> Code:
        total = self._typed(parts[0], meaning)
        for part in parts[1:]:
            made = self._typed(part, meaning)
            first, second = total.value, made.value
            total = self._as_slopes(parts[0], total, second, meaning)
            made = self._as_slopes(part, made, first, meaning)
            value = v.entrywise(total.value, made.value, np.multiply)
            total = _Typed(_joined("*", total, made), value)
        return total.code

    def _as_slopes(self, node: Node, made: _Typed, other: Value, meaning: Meaning) -> _Typed:
        slopes = slopes_of(made.value, meaning.settings)
        if slopes is None or not v.fits(slopes.rows, other.rows):
            return made
        if not v.fits(slopes.cols, other.cols):
            return made
        return _Typed(self.quantity(node, slopes, extra=", without its zeros"), slopes)

    def _chain(self, parts: Sequence[Node], meaning: Meaning) -> Code:
        """Derivatives joined by their names, as the judge joins them: sums over what one link is
        derived by and the next is of; then laid out as the note does."""
        links = [(part, link_of(meaning, part)) for part in parts]
        if meaning.settings.chain == "up":
            links.reverse()
        total: Code | None = None
        known: Link | None = None
        for part, link in links:
            if link is None:
                raise NoText
            value = Value(link.array, link.free, (*link.outer, *link.inner), ())
            raw = self.quantity(part, value, self._link_name(link), extra=" (entries)", raw=True)
            if total is None or known is None:
                total, known = raw, link
                continue
            if known.wrt != link.of:
                raise NoText
            total = _contracted(total, raw, len(link.outer))
            known = replace(link, of=known.of, outer=known.outer)
        assert total is not None
        assert known is not None
        return _laid_out(total, known, meaning)

    # --- big sums ---------------------------------------------------------------------------

    def _big(self, node: Big, meaning: Meaning) -> Code:
        if node.kind == "product":
            raise NoText
        if not node.bounds:
            return self._unbounded(node, meaning)
        inner = meaning
        for bound in node.bounds:
            inner = bounded(inner, bound, node.body)
        body = self._typed(node.body, inner)
        letters = [head_of(bound.variable) for bound in node.bounds]
        if any(n not in body.value.free and body.value.has(SAMPLE) for n in letters):
            return self._over_samples(body, letters, inner)
        loops: list[tuple[str, int, int]] = []
        conditions: list[Code] = []
        for bound, letter in zip(node.bounds, letters, strict=True):
            axis = inner.ranges[letter]
            low, high = limits_of(inner, bound, axis, node.body)
            loops.append((letter, low or 1, axis.size if high is None else high))
            conditions.extend(self._held(c, inner) for c in bound.conditions)
        return self._looped(body.code, loops, conditions)

    def _looped(
        self, body: Code, loops: Sequence[tuple[str, int, int]], conditions: Sequence[Code]
    ) -> Code:
        said = [f"for {self.letter(n)} in range({low}, {high + 1})" for n, low, high in loops]
        said += [f"if {' and '.join(c.within(TERM) for c in conditions)}"] if conditions else []

        def run(env: Env) -> Any:
            return np.asarray(sum(body.run(at) for at in _places(env, loops, conditions)))

        reads = _reads(body, *conditions)
        return Code(f"sum({body.text} {' '.join(said)})", run, ATOM, reads)

    def _over_samples(self, body: _Typed, letters: Sequence[str], meaning: Meaning) -> Code:
        """A sum over samples whose body has all samples at once."""
        if len(letters) != 1:
            raise NoText
        return _summed_axis(body, SAMPLE)

    def _unbounded(self, node: Big, meaning: Meaning) -> Code:
        if open_letters(meaning, node.body):
            inner, loops = meaning, []
            for letter in open_letters(meaning, node.body):
                axis = range_of(meaning, letter, node.body)
                inner = replace(inner, ranges={**inner.ranges, letter: axis})
                loops.append((letter, 1, axis.size))
            return self._looped(self.code(node.body, inner), loops, ())
        body = self._typed(node.body, meaning)
        if body.value.has(SAMPLE):
            return _summed_axis(body, SAMPLE)
        return _called("({}).sum()", np.sum, body.code)

    # --- the rest ---------------------------------------------------------------------------

    def _held(self, node: Comparison, meaning: Meaning) -> Code:
        """A condition as a truth value."""
        sign, work = RELATIONS[node.relation]
        one, other = self.code(node.left, meaning), self.code(node.right, meaning)
        text = f"{one.within(TERM)} {sign} {other.within(TERM)}"
        return Code(
            text, lambda env: work(one.run(env), other.run(env)), SUM - 1, _reads(one, other)
        )

    def _condition(self, node: Comparison, meaning: Meaning) -> Code:
        held = self._held(node, meaning)
        return Code(f"1.0 * ({held.text})", lambda env: 1.0 * held.run(env), TERM, held.reads)

    def _cases(self, branches: Sequence[tuple[Node, Node | None]], meaning: Meaning) -> Code:
        made = _constant(0.0)
        for content, condition in reversed(branches):
            value = self.code(content, meaning)
            if condition is None:
                made = value
                continue
            if not isinstance(condition, Comparison):
                raise NoText
            made = _called(
                "np.where({}, {}, {})", np.where, self._held(condition, meaning), value, made
            )
        return made

    def _norm(self, inner: _Typed) -> Code:
        if inner.value.is_scalar:
            return _called("np.abs({})", np.abs, inner.code)
        return _called(
            "np.sqrt((({}) ** 2).sum())", lambda a: np.sqrt((np.asarray(a) ** 2).sum()), inner.code
        )

    def _matrix(self, rows: Sequence[Sequence[Node]], value: Value, meaning: Meaning) -> Code:
        cells = [[self._typed(entry, meaning) for entry in row] for row in rows]
        flat = [cell for row in cells for cell in row]
        if len(flat) == 1:
            return flat[0].code
        codes = [cell.code for cell in flat]
        if not all(cell.value.is_scalar for cell in flat):
            side = "hstack" if len(rows) == 1 else "vstack"
            work = getattr(np, side)
            text = f"np.{side}([{', '.join(c.text for c in codes)}])"
            return Code(text, lambda env: work([c.run(env) for c in codes]), ATOM, _reads(*codes))
        shape = (len(rows), len(rows[0]))
        inside = ", ".join(f"[{', '.join(c.code.text for c in row)}]" for row in cells)

        def run(env: Env) -> Any:
            return np.array([c.run(env) for c in codes], dtype=float).reshape(shape)

        return Code(f"np.array([{inside}])", run, ATOM, _reads(*codes))


@dataclass(frozen=True)
class _Typed:
    """A text with the value that tells how it stands."""

    code: Code
    value: Value


# --------------------------------------------------------------------------------------------
# Texts
# --------------------------------------------------------------------------------------------


def _number(value: Value) -> Code:
    return _constant(float(np.real(value.array.reshape(-1)[0])))


def _constant(number: float) -> Code:
    text = str(int(number)) if number == int(number) and abs(number) < 1e15 else repr(number)
    return Code(text, lambda env: np.asarray(number), ATOM if number >= 0 else SUM)


def _called(text: str, work: Callable[..., Any], *codes: Code) -> Code:
    shown = text.format(*(c.text for c in codes))
    rank = ATOM if text.startswith(("np.", "(")) else SUM
    return Code(shown, lambda env: work(*(c.run(env) for c in codes)), rank, _reads(*codes))


def _defined(definition: Expr, made: Code) -> Code:
    """A scalar function by its definition."""
    shown = scalar_text(definition, {Z: Text(made.text, LEVELS[made.rank], True, True)})
    rank = max(rank for rank, level in LEVELS.items() if level <= shown.level)
    return Code(shown.text, lambda env: explicit_value(definition, made.run(env)), rank, made.reads)


def _negative(made: Code) -> Code:
    return Code(f"-{made.within(TERM)}", lambda env: -made.run(env), SUM, made.reads)


def _turned(made: Code) -> Code:
    return Code(f"{made.within(ATOM)}.T", lambda env: np.transpose(made.run(env)), ATOM, made.reads)


def _powered(made: Code, power: Code) -> Code:
    text = f"{made.within(ATOM)} ** {power.within(ATOM)}"
    return Code(
        text,
        lambda env: np.float_power(made.run(env), power.run(env)),
        POWER,
        _reads(made, power),
    )


def _joined(sign: str, one: _Typed, other: _Typed) -> Code:
    """Entry by entry."""
    first, second = _tamed(one, other.value), _tamed(other, one.value)
    a, b = first.run, second.run
    work: Callable[[Any, Any], Any] = {
        "+": np.add,
        "-": np.subtract,
        "*": np.multiply,
        "/": np.divide,
    }[sign]
    least = SUM if sign in "+-" else TERM
    later = least if sign in "+*" and least == SUM else least + 1
    text = f"{first.within(least)} {sign} {second.within(later)}"
    return Code(text, lambda env: work(a(env), b(env)), least, _reads(first, second))


def _tamed(made: _Typed, other: Value) -> Code:
    """The identity in the size of what it meets."""
    if not made.value.identity or other.identity or other.is_scalar:
        return made.code
    size = other.axes[0].size
    scale = made.code
    text = f"np.eye({size})" if scale.text == "1" else f"{scale.within(TERM)} * np.eye({size})"
    rank = ATOM if scale.text == "1" else TERM
    return Code(text, lambda env: scale.run(env) * np.eye(size), rank, scale.reads)


def _multiplied(one: _Typed, other: _Typed) -> Code:
    a, b = one.value, other.value
    if a.identity and one.code.text == "1":
        return other.code
    if b.identity and other.code.text == "1":
        return one.code
    if a.is_scalar or b.is_scalar or a.identity or b.identity:
        return _scaled(one.code, other.code)
    if not v.fits(a.cols, b.rows):  # a sign that may be entrywise
        return _joined("*", one, other)
    if max(len(a.rows), len(a.cols), len(b.cols)) > 1:
        return _contracted(one.code, other.code, len(a.cols))
    return _matrix_product(one, other)


def _scaled(one: Code, other: Code) -> Code:
    text = f"{one.within(TERM)} * {other.within(POWER)}"
    return Code(text, lambda env: one.run(env) * other.run(env), TERM, _reads(one, other))


def _matrix_product(one: _Typed, other: _Typed) -> Code:
    """A column of ones of any length sums over what it meets."""
    first, second = one.code, other.code
    if one.value.cols and ANY in (one.value.cols[0].label, other.value.rows[0].label):
        if one.value.cols[0].size == 1:
            second = _summed(second, 0, True)
        elif other.value.rows[0].size == 1:
            first = _summed(first, 1, True)
    text = f"{first.within(TERM)} @ {second.within(POWER)}"
    reads = _reads(first, second)
    if one.value.rows or other.value.cols:
        return Code(text, lambda env: first.run(env) @ second.run(env), TERM, reads)
    return Code(
        f"({text}).item()", lambda env: _item(first.run(env) @ second.run(env)), ATOM, reads
    )


def _item(array: Any) -> Any:
    return np.asarray(array.item())


def _summed(made: Code, axis: int, keep: bool) -> Code:
    text = f"{made.within(ATOM)}.sum(axis={axis}{', keepdims=True' if keep else ''})"
    return Code(text, lambda env: made.run(env).sum(axis=axis, keepdims=keep), ATOM, made.reads)


def _summed_axis(made: _Typed, label: str) -> Code:
    labels = [a.label for a in made.value.axes]
    if labels == [label]:
        return _called("({}).sum()", np.sum, made.code)
    if len(labels) != 2 or len(made.value.rows) != 1:
        raise NoText
    return _summed(made.code, labels.index(label), True)


def _softmax(inner: _Typed) -> Code:
    places = [p for p, a in enumerate(inner.value.axes) if a.label != SAMPLE]
    if len(places) != 1:
        raise NoText
    axis = places[0] if len(inner.value.axes) == 2 else int(not inner.value.rows)
    made = inner.code

    def run(env: Env) -> Any:
        raised = np.exp(made.run(env))
        return raised / raised.sum(axis=axis, keepdims=True)

    text = f"np.exp({made.text}) / np.exp({made.text}).sum(axis={axis}, keepdims=True)"
    return Code(text, run, TERM, made.reads)


def _contracted(one: Code, other: Code, count: int) -> Code:
    text = f"np.tensordot({one.text}, {other.text}, {count})"
    return Code(
        text,
        lambda env: np.tensordot(one.run(env), other.run(env), count),
        ATOM,
        _reads(one, other),
    )


def _laid_out(made: Code, link: Link, meaning: Meaning) -> Code:
    """The entries of a derivative in the places where the note has them."""
    sizes = tuple(a.size for a in (*link.outer, *link.inner))
    numbers = np.arange(int(np.prod(sizes, dtype=int)), dtype=float).reshape(1, *sizes)
    probe = link_value(meaning, replace(link, array=numbers, free=()))
    there = explicit(probe.array[0], probe)
    if there.size == 1:
        return Code(f"{made.text}.item()", lambda env: _item(made.run(env)), ATOM, made.reads)
    if np.array_equal(there.reshape(-1), np.arange(there.size)):
        shape = there.shape
        text = made.text if shape == sizes else f"{made.text}.reshape{shape}"
        return Code(text, lambda env: made.run(env).reshape(shape), ATOM, made.reads)
    if np.array_equal(there.T.reshape(-1), np.arange(there.size)):
        shape = there.T.shape
        text = f"{made.text}.T" if shape == sizes else f"{made.text}.reshape{shape}.T"
        return Code(text, lambda env: made.run(env).reshape(shape).T, ATOM, made.reads)
    raise NoText


# --------------------------------------------------------------------------------------------
# Helpers
# --------------------------------------------------------------------------------------------


def _untransposed(node: Scripted) -> Node:
    kept = tuple(s for s in node.scripts if s.kind != "transpose")
    if not kept:
        return node.base
    return replace(node, scripts=kept, span=Span(node.span.start, kept[-1].span.end))


def explicit(array: Array, value: Value, lead: int = 0) -> Array:
    """A row as (1, k), a column as (k, 1), behind `lead` axes of letters."""
    if len(value.rows) + len(value.cols) != 1:
        return array
    return np.expand_dims(array, lead if value.cols else lead + 1)


def same(found: Any, expected: Array) -> bool:
    if found is None or np.shape(found) != expected.shape:
        return False
    return bool(np.allclose(found, expected, rtol=1e-9, atol=1e-12))


def _places(
    env: Env, loops: Sequence[tuple[str, int, int]], conditions: Sequence[Code]
) -> list[dict[str, int]]:
    found: list[dict[str, int]] = [dict(env)]
    for letter, low, high in loops:
        found = [{**at, letter: n} for at in found for n in range(low, high + 1)]
        if len(found) > MOST:
            raise ValueError("too many places")
    return [at for at in found if all(bool(c.run(at)) for c in conditions)]


def _reads(*codes: Code) -> tuple[Quantity, ...]:
    found: list[Quantity] = []
    for code in codes:
        known = {quantity.variable for quantity in found}
        found.extend(quantity for quantity in code.reads if quantity.variable not in known)
    return tuple(found)


def _clipped(place: int, size: int) -> int:
    return max(0, min(place, size - 1))


def _fresh(text: str, taken: set[str]) -> str:
    while text in taken or text in RESERVED or keyword.iskeyword(text):
        text += "_"
    return text


def _squeezed(text: str) -> str:
    return " ".join(text.split())
