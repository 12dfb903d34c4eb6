"""Small changes of one line of code, each an explanation if it makes the line right.

Owns: the changes that are tried (transposes, order, layer, f', 1/N, sums, signs, operators,
constants, variables), as replacements of a stretch of the author's text.
Refuses: trying them, and any change of more than one idea.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from symbackprop.judging.code.naming import Naming
from symbackprop.judging.code.truth import Truth
from symbackprop.networks import names

Span = tuple[int, int, int, int]  # first line, byte, last line, byte


@dataclass(frozen=True)
class Edit:
    """Replacements of stretches of text. A low `cost` is the more likely slip."""

    slug: str
    sentence: str
    changes: tuple[tuple[Span, str], ...]
    cost: float


@dataclass(frozen=True)
class Known:
    """A text in the author's names and the value it has at the line in question."""

    text: str
    value: Any
    meaning: str | None = None
    factor: float = 1.0


@dataclass(frozen=True)
class Context:
    """What the edits of one line draw on: values of texts there, and f' in the author's names."""

    segment: Callable[[ast.expr], str]
    value: Callable[[ast.expr], Any]
    atoms: Sequence[Known]
    slopes: Sequence[Known]
    upstream: Sequence[Known]
    functions: Sequence[str]
    derivatives: frozenset[str]
    counts: Sequence[str]
    names: Naming
    truth: Truth
    target: str | None
    softmax: bool
    numpy: str
    loose: bool = False


def edits(root: ast.expr, context: Context) -> Iterator[Edit]:
    """Changes of an expression, by what they change."""
    for node in _nodes(root):
        yield from _of_node(node, context)
    yield from _uniform(root, context)
    yield from _of_whole(root, context)


def _nodes(root: ast.expr) -> Iterator[ast.expr]:
    """All parts of an expression; not what stands inside a text, whose places are not known."""
    waiting: list[ast.AST] = [root]
    while waiting:
        node = waiting.pop(0)
        if isinstance(node, ast.expr):
            yield node
        if not isinstance(node, ast.JoinedStr):
            waiting += ast.iter_child_nodes(node)


def span(node: ast.expr) -> Span:
    return (
        node.lineno,
        node.col_offset,
        node.end_lineno or node.lineno,
        node.end_col_offset or node.col_offset,
    )


def _edit(slug: str, sentence: str, node: ast.expr, text: str, cost: float) -> Edit:
    return Edit(slug, sentence, ((span(node), text),), cost)


def held(node: ast.expr, text: str, tight: bool = True) -> str:
    """The text, in parentheses where it would not hold together as a factor."""
    loose = isinstance(node, (ast.BinOp, ast.UnaryOp, ast.Compare, ast.IfExp, ast.BoolOp))
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow):
        loose = tight
    return f"({text})" if loose and not _is_wrapped(text) else text


def _is_wrapped(text: str) -> bool:
    if not (text.startswith("(") and text.endswith(")")):
        return False
    depth = 0
    for place, letter in enumerate(text):
        depth += (letter == "(") - (letter == ")")
        if depth == 0 and place < len(text) - 1:
            return False
    return True


# ---- one node ---------------------------------------------------------------------------------


def _of_node(node: ast.expr, context: Context) -> Iterator[Edit]:
    match node:
        case ast.BinOp(op=ast.MatMult()):
            yield from _products(node, node.left, node.right, context)
        case ast.Call() if _is_dot(node):
            first, second = _dot_operands(node)
            yield from _products(node, first, second, context)
    match node:
        case ast.BinOp():
            yield from _operators(node, context)
            yield from _dropped(node, context)
            yield from _regrouped(node, context)
        case ast.UnaryOp(op=ast.USub(), operand=inner):
            yield _edit("sign", "the sign is wrong", node, context.segment(inner), 1.0)
        case ast.Call():
            yield from _calls(node, context)
        case ast.Compare(left=left, ops=[op], comparators=[right]):
            yield from _comparisons(node, left, op, right, context)
        case ast.Constant(value=int() | float() as value) if not isinstance(value, bool):
            yield from _constants(node, value)
            for count in context.counts:
                sentence = "the factor 1/N is missing"
                yield _edit("sample-count", sentence, node, f"{value} / {count}", 1.5)
        case ast.Subscript():
            yield from _subscripts(node, context)
    if _is_atom(node):
        yield from _atoms(node, context)
    yield from _transposed(node, context)
    yield from _derivatives(node, context)
    yield from _signs(node, context)


def _is_atom(node: ast.expr) -> bool:
    if isinstance(node, ast.Attribute):
        return isinstance(node.value, ast.Name) and node.value.id == "self"
    return isinstance(node, (ast.Name, ast.Subscript))


def _is_dot(node: ast.Call) -> bool:
    name = node.func.attr if isinstance(node.func, ast.Attribute) else ""
    return name in ("dot", "matmul") and len(node.args) in (1, 2)


def _dot_operands(node: ast.Call) -> tuple[ast.expr, ast.expr]:
    if len(node.args) == 2:
        return node.args[0], node.args[1]
    assert isinstance(node.func, ast.Attribute)
    return node.func.value, node.args[0]


def _product_text(node: ast.expr, left: str, right: str) -> str:
    """A matrix product in the way the author writes it."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        if len(node.args) == 1:
            return f"{left}.{node.func.attr}({right})"
        return f"{_dotted(node.func)}({left}, {right})"
    return f"{left} @ {right}"


def _dotted(node: ast.expr) -> str:
    return ast.unparse(node)


def turned(node: ast.expr, context: Context) -> str:
    """The transpose of a node: `.T` added or taken away."""
    match node:
        case ast.Attribute(value=inner, attr="T"):
            return context.segment(inner)
        case ast.Call(func=ast.Attribute(attr="transpose"), args=[inner]):
            return context.segment(inner)
    return f"{held(node, context.segment(node))}.T"


def _products(node: ast.expr, left: ast.expr, right: ast.expr, context: Context) -> Iterator[Edit]:
    one, other = (_factor(side, context) for side in (left, right))
    one_t, other_t = (_turned_factor(side, context) for side in (left, right))
    if np.ndim(context.value(left)) == 1 or np.ndim(context.value(right)) == 1:
        text = _product_text(node, other, one)
        yield _edit("order", "the factors stand in the wrong order", node, text, 0.97)
    for first, second in ((one_t, other), (one, other_t), (one_t, other_t)):
        text = _product_text(node, first, second)
        yield _edit("transpose", _TRANSPOSE, node, text, 1.0 if first == one_t else 1.01)
    for first, second in ((other, one), (other_t, one), (other, one_t), (other_t, one_t)):
        text = _product_text(node, first, second)
        turned_ones = (first == other_t) + (second == one_t)
        cost = {0: 1.2, 1: 1.6, 2: 0.97}[turned_ones]  # two: the whole product transposed
        yield _edit("order", "the factors stand in the wrong order", node, text, cost)
    product = f"{held(left, one)} * {held(right, other)}"
    yield _edit(
        "operator", "an entrywise product `*` is meant, not a matrix product", node, product, 1.3
    )
    if np.ndim(context.value(left)) == 1 and np.ndim(context.value(right)) == 1:
        for first, second in ((one, other), (other, one)):
            text = f"{context.numpy}.outer({first}, {second})"
            yield _edit("operator", "the outer product is meant", node, text, 1.2)


_TRANSPOSE = "a transpose is missing or too much"


def _factor(node: ast.expr, context: Context) -> str:
    return held(node, context.segment(node))


def _turned_factor(node: ast.expr, context: Context) -> str:
    return turned(node, context)


def _operators(node: ast.BinOp, context: Context) -> Iterator[Edit]:
    left, right = context.segment(node.left), context.segment(node.right)
    one, other = held(node.left, left), held(node.right, right)
    match node.op:
        case ast.Mult():
            for first, second, cost in (
                (one, other, 1.2),
                (turned(node.left, context), other, 1.5),
                (one, turned(node.right, context), 1.5),
                (other, one, 1.6),
                (other, turned(node.left, context), 1.8),
            ):
                text = f"{first} @ {second}"
                sentence = "a matrix product `@` is meant, not an entrywise one"
                yield _edit("operator", sentence, node, text, cost)
            yield _edit("operator", "a sum is meant, not a product", node, f"{one} + {other}", 1.6)
            if _is_count(node.right, context):
                yield _edit("sample-count", "1/N, not N", node, f"{one} / {other}", 1.2)
            else:
                yield _edit("constant", "a quotient is meant", node, f"{one} / {other}", 1.9)
        case ast.Div():
            slug = "sample-count" if _is_count(node.right, context) else "constant"
            yield _edit(slug, "a product is meant, not a quotient", node, f"{one} * {other}", 1.4)
        case ast.Sub():
            swapped = f"{held(node.right, right)} - {held(node.left, left)}"
            yield _edit("sign", _SIGN, node, swapped, 0.9)
            yield _edit("sign", _SIGN, node, f"{left} + {right}", 1.0)
        case ast.Add():
            yield _edit("sign", _SIGN, node, f"{left} - {right}", 1.0)
            yield _edit("operator", "a product is meant, not a sum", node, f"{one} * {other}", 1.5)
        case ast.Pow():
            yield _edit("constant", "the power is too much", node, left, 1.3)


_SIGN = "the sign is wrong"


def _is_count(node: ast.expr, context: Context) -> bool:
    value = context.value(node)
    return (
        np.ndim(value) == 0
        and isinstance(value, (int, np.integer))
        and not isinstance(node, ast.Constant)
    )


def _regrouped(node: ast.BinOp, context: Context) -> Iterator[Edit]:
    """Parentheses that are missing: `a - y / N` for `(a - y) / N`."""
    signs = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.MatMult: "@"}
    outer = signs.get(type(node.op))
    if outer is None:
        return
    for inner, first in ((node.right, True), (node.left, False)):
        if not isinstance(inner, ast.BinOp) or type(inner.op) not in signs:
            continue
        sign = signs[type(inner.op)]
        if first:
            a, b, c = node.left, inner.left, inner.right
            text = f"({context.segment(a)} {outer} {context.segment(b)}) {sign} "
            text += held(c, context.segment(c))
        else:
            a, b, c = inner.left, inner.right, node.right
            text = f"{held(a, context.segment(a))} {sign} "
            text += f"({context.segment(b)} {outer} {context.segment(c)})"
        slug = "sample-count" if _is_count(c, context) and sign == "/" else "operator"
        yield _edit(slug, "parentheses are missing", node, text, 1.3)


def _dropped(node: ast.BinOp, context: Context) -> Iterator[Edit]:
    """One operand, or the last two factors, left out."""
    left, right = context.segment(node.left), context.segment(node.right)
    parts = [(node.right, left)]
    if not isinstance(node.op, (ast.Div, ast.Pow)):
        parts.append(
            (node.left, f"-{held(node.right, right)}" if isinstance(node.op, ast.Sub) else right)
        )
    for lost, text in parts:
        slug, sentence = _lost(lost, node, context)
        yield _edit(slug, sentence, node, text, 1.4)
    if isinstance(node.op, ast.Mult) and isinstance(node.left, ast.BinOp):
        inner = node.left
        if isinstance(inner.op, ast.Mult):
            pair = f"{context.segment(inner.right)} * {right}"
            slug = "softmax-elementwise" if context.softmax else "derivative-twice"
            sentence = (
                f"the factor {pair} is not the derivative of the softmax: each score moves all "
                "its outputs"
                if context.softmax
                else f"the factor {pair} is too much"
            )
            yield _edit(slug, sentence, node, context.segment(inner.left), 1.4)


WORDS = re.compile(r"[A-Za-z_]\w*")


def _lost(lost: ast.expr, node: ast.BinOp, context: Context) -> tuple[str, str]:
    text = context.segment(lost)
    value = context.value(lost)
    if isinstance(node.op, (ast.Add, ast.Sub)):
        return "wrong-variable", f"the part {text} does not belong here"
    if np.ndim(value) == 0 and value is not None:
        if _is_count(lost, context) or (isinstance(node.op, ast.Div)):
            return "sample-count", f"{text} is one factor of N too much"
        return "constant", f"the constant {text} does not belong here"
    if context.softmax:
        return "softmax-elementwise", f"{text} is not the derivative of the softmax"
    return "derivative-twice", f"the factor {text} is too much"


def _calls(node: ast.Call, context: Context) -> Iterator[Edit]:
    name = _call_name(node)
    if (
        len(node.args) == 1
        and not node.keywords
        and (name in context.functions or name in ("tanh", "exp", "log1p", "sqrt", "abs"))
    ):
        inner = context.segment(node.args[0])
        for other in context.functions:
            if other == name:
                continue
            slug = "derivative-missing" if other in context.derivatives else "derivative-twice"
            if (name in context.derivatives) == (other in context.derivatives):
                slug = "wrong-variable"
            sentence = f"{other} is meant, not {name}"
            yield _edit(slug, sentence, node, f"{_prefixed(node, other, context)}({inner})", 1.1)
        slug = "derivative-twice" if name in context.derivatives else "wrong-variable"
        yield _edit(slug, f"{name} is applied once too often", node, held(node.args[0], inner), 1.4)
    if name in ("sum", "mean", "average"):
        yield from _sums(node, name, context)
    if name in ("multiply", "dot", "matmul", "outer") and len(node.args) == 2:
        one, other = (context.segment(part) for part in node.args)
        swaps = {"multiply": ("dot", "operator"), "outer": ("dot", "operator")}
        func = ast.unparse(node.func)
        if name == "outer":
            yield _edit(
                "order",
                "the factors stand in the wrong order",
                node,
                f"{func}({other}, {one})",
                1.0,
            )
            product = f"{held(node.args[0], one)} * {held(node.args[1], other)}"
            yield _edit("operator", "an entrywise product is meant", node, product, 1.3)
        else:
            to = swaps.get(name, ("multiply", "operator"))[0]
            for first, second in (
                (one, other),
                (turned(node.args[0], context), other),
                (one, turned(node.args[1], context)),
            ):
                text = f"{func.rpartition('.')[0] or context.numpy}.{to}({first}, {second})"
                yield _edit("operator", f"np.{to} is meant, not np.{name}", node, text, 1.2)
        if name == "multiply":
            slug, sentence = "derivative-twice", f"the factor {other} is too much"
            yield _edit(slug, sentence, node, one, 1.5)
            yield _edit("derivative-twice", f"the factor {one} is too much", node, other, 1.6)


def _prefixed(node: ast.Call, name: str, context: Context) -> str:
    if isinstance(node.func, ast.Attribute) and not _is_numpy(node.func.value, context):
        return f"{ast.unparse(node.func.value)}.{name}"
    return name


def _call_name(node: ast.Call) -> str:
    match node.func:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
    return ""


def _sums(node: ast.Call, name: str, context: Context) -> Iterator[Edit]:
    """The axis, keepdims, sum against mean, the sum itself."""
    method = not node.args or (
        isinstance(node.func, ast.Attribute) and not _is_numpy(node.func.value, context)
    )
    func = ast.unparse(node.func)
    inner = "" if method else context.segment(node.args[0])
    given = {k.arg: ast.unparse(k.value) for k in node.keywords if k.arg}
    positional = node.args[0 if method else 1 :]
    if positional:
        given["axis"] = ast.unparse(positional[0])
    axis, keep = given.get("axis"), given.get("keepdims") == "True"
    wanted = [(a, k) for a in ("0", "1", None) for k in (False, True)]
    for new, keeps in wanted:
        if (new, keeps) == (axis, keep) or (new is None and keeps):
            continue
        rest = [inner] if inner else []
        rest += [f"axis={new}"] if new is not None else []
        rest += ["keepdims=True"] if keeps else []
        text = f"{func}({', '.join(rest)})"
        if new == axis:
            slug, sentence = "size", "keepdims decides the shape of the sum"
        elif axis is None:
            slug, sentence = "batch-sum", "the sum runs over the samples only"
        else:
            slug, sentence = "batch-sum", f"axis {axis} does not run over the samples"
        yield _edit(slug, sentence, node, text, 1.0 + 0.2 * (keeps != keep))
    other = "mean" if name == "sum" else "sum"
    text = context.segment(node)
    head = func.rpartition(name)[0] + other
    yield _edit(
        "sample-count",
        f"the {other} over the samples is meant, not the {name}",
        node,
        head + text[len(func) :],
        1.1,
    )
    bare = inner if not method else ast.unparse(getattr(node.func, "value", node))
    yield _edit("batch-sum", "no sum belongs here", node, bare, 1.5)


def _is_numpy(node: ast.expr, context: Context) -> bool:
    return isinstance(node, ast.Name) and node.id == context.numpy


def _comparisons(
    node: ast.Compare, left: ast.expr, op: ast.cmpop, right: ast.expr, context: Context
) -> Iterator[Edit]:
    signs = {ast.Gt: "<=", ast.GtE: "<", ast.Lt: ">", ast.LtE: ">"}
    if type(op) in signs:
        text = f"{context.segment(left)} {signs[type(op)]} {context.segment(right)}"
        yield _edit("sign", "the comparison is the wrong way round", node, text, 1.0)


def _constants(node: ast.Constant, value: float) -> Iterator[Edit]:
    for other in (1, 2, 0, 0.5, -1):
        if other != value:
            sentence = f"the constant {other} is meant, not {value}"
            slug = "constant"
            yield _edit(slug, sentence, node, str(other), 1.3 + 0.1 * (other in (0, -1)))


def _subscripts(node: ast.Subscript, context: Context) -> Iterator[Edit]:
    """`W[l]` for `W[l + 1]`, `shape[0]` for `shape[1]`, `"W2"` for `"W1"`."""
    index = node.slice
    owner = context.segment(node.value)
    shape = owner.endswith(".shape")
    slug = "sample-count" if shape else "layer"
    for text in _stepped(index, context):
        sentence = f"{owner}[{text}] is meant"
        yield _edit(slug, sentence, node, f"{owner}[{text}]", 0.95)


def _stepped(index: ast.expr, context: Context) -> Iterator[str]:
    """An index one more, one less."""
    match index:
        case ast.Constant(value=int(number)) if not isinstance(number, bool):
            yield from (str(number + 1), str(number - 1))
        case ast.Constant(value=str(text)) if text[-1:].isdigit():
            quote = context.segment(index)[0]
            for step in (1, -1):
                digit = int(text[-1]) + step
                if digit >= 0:
                    yield f"{quote}{text[:-1]}{digit}{quote}"
        case ast.Name(id=name):
            yield from (f"{name} + 1", f"{name} - 1")
        case ast.BinOp(left=ast.Name(id=name), op=ast.Add(), right=ast.Constant(value=1)):
            yield from (name, f"{name} + 2", f"{name} - 1")
        case ast.BinOp(left=ast.Name(id=name), op=ast.Sub(), right=ast.Constant(value=1)):
            yield from (name, f"{name} - 2", f"{name} + 1")
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int(number))):
            yield from (f"-{number + 1}", f"-{number - 1}" if number > 1 else "0")
        case ast.UnaryOp(op=ast.USub(), operand=ast.Name(id=name)):
            yield from (f"-{name} + 1", f"-{name} - 1")
        case ast.BinOp(left=left, op=ast.Add() | ast.Sub() as op, right=ast.Constant(value=1)):
            yield ast.unparse(left)
            sign = "-" if isinstance(op, ast.Add) else "+"
            yield f"{ast.unparse(left)} {sign} 1"
        case ast.BinOp(left=left, op=ast.Add(), right=ast.Call(func=ast.Name(id="str"), args=[a])):
            for text in _stepped(a, context):
                yield f"{context.segment(left)} + str({text})"
        case ast.JoinedStr(values=values):
            whole = context.segment(index)
            for part in values:
                if isinstance(part, ast.FormattedValue):
                    old = ast.unparse(part.value)
                    written = re.search(
                        r"\{\s*" + r"\s*".join(map(re.escape, old.split())) + r"\s*\}", whole
                    )
                    for text in _stepped(part.value, context) if written else ():
                        start, end = written.span() if written else (0, 0)
                        yield whole[:start] + "{" + text + "}" + whole[end:]


def _atoms(node: ast.expr, context: Context) -> Iterator[Edit]:
    text = context.segment(node)
    value = context.value(node)
    for known in context.atoms:
        if known.text == text or (value is None and not _is_next(text, known.text)):
            continue
        is_same_shape = np.shape(known.value) == np.shape(value)
        if context.loose and value is not None and np.ndim(value) == np.ndim(known.value) > 0:
            is_same_shape = True
        if not is_same_shape and not _is_next(text, known.text):
            continue
        if np.ndim(known.value) == 0 and not isinstance(value, (int, float, np.number)):
            continue
        slug, sentence = _swap(node, text, known, context)
        cost = 1.0 if slug == "layer" else 1.15
        yield _edit(slug, sentence, node, known.text, cost)


def _swap(node: ast.expr, text: str, known: Known, context: Context) -> tuple[str, str]:
    sentence = f"{known.text} is meant, not {text}"
    if _is_next(text, known.text):
        return "layer", f"{sentence}: the layer is one off"
    old = meaning_of(text, context)
    pair = {m for m in (old, known.meaning) if m}
    is_slope = any(names.is_gradient(context.target or "", letter) for letter in "zh")
    if is_slope and len(pair) == 2 and {m[0] for m in pair} == {"z", "h"}:
        layers = {m[1:] for m in pair}
        if len(layers) == 1:
            return "derivative-argument", f"f' is taken at {text}; {known.text} is meant"
    if np.ndim(known.value) == 0 and isinstance(known.value, (int, np.integer)):
        return "sample-count", sentence
    return "wrong-variable", sentence


def meaning_of(text: str, context: Context) -> str | None:
    for known in context.atoms:
        if known.text == text:
            return known.meaning
    return None


def _is_next(one: str, other: str) -> bool:
    """Whether two names differ in a number only: `W2`, `W1`; `params["W2"]`, `params["W1"]`."""
    strip = str.maketrans("", "", "0123456789")
    return (
        one != other
        and one.translate(strip) == other.translate(strip)
        and any(c.isdigit() for c in one + other)
    )


def _transposed(node: ast.expr, context: Context) -> Iterator[Edit]:
    """Any array the other way round, not only in a product."""
    value = context.value(node)
    if isinstance(node, ast.Attribute) and node.attr == "T":
        yield _edit("transpose", _TRANSPOSE, node, context.segment(node.value), 1.05)
    elif np.ndim(value) == 2 and not isinstance(node, ast.Constant):
        yield _edit("transpose", _TRANSPOSE, node, turned(node, context), 1.1)


def _derivatives(node: ast.expr, context: Context) -> Iterator[Edit]:
    """f' for what stands here, or as a further factor."""
    value = context.value(node)
    if np.ndim(value) == 0 and value is not None:
        return
    text = context.segment(node)
    written = (
        any(name + "(" in text for name in context.derivatives) or "1 -" in text or ("1-" in text)
    )
    for slope in context.slopes:
        if value is not None and np.shape(slope.value) != np.shape(value):
            continue
        if text == slope.text:
            continue
        is_same_argument = bool(
            set(WORDS.findall(text)) & set(WORDS.findall(slope.text)) - set(context.functions)
        )
        slug = "derivative-argument" if written and not is_same_argument else "derivative-missing"
        sentence = f"f' is meant here: {slope.text}"
        yield _edit(slug, sentence, node, held_slope(slope.text), 1.6)
    if isinstance(node, (ast.BinOp, ast.Name, ast.Subscript, ast.Call)):
        yield from _more_factors(node, text, value, context)


def held_slope(text: str) -> str:
    simple = text.replace("_", "").replace(".", "")
    return text if simple.partition("(")[0].isalnum() and text.endswith(")") else f"({text})"


def _more_factors(node: ast.expr, text: str, value: Any, context: Context) -> Iterator[Edit]:
    body = _as_factor(node, text)
    for slope in context.slopes:
        if value is None or np.shape(slope.value) == np.shape(value):
            sentence = f"the factor f' is missing: {slope.text}"
            yield _edit(
                "derivative-missing", sentence, node, f"{body} * {held_slope(slope.text)}", 1.2
            )
    for known in context.upstream:
        if value is None or _is_broadcast(known.value, value):
            sentence = f"the gradient from the layer behind is missing: {known.text}"
            yield _edit("upstream-missing", sentence, node, f"{known.text} * {body}", 1.35)


def _is_broadcast(one: Any, other: Any) -> bool:
    """Whether an entrywise product of two arrays has a shape."""
    sizes = zip(np.shape(one)[::-1], np.shape(other)[::-1], strict=False)
    return np.ndim(one) == np.ndim(other) and all(m == n or 1 in (m, n) for m, n in sizes)


def _as_factor(node: ast.expr, text: str) -> str:
    if isinstance(node, ast.BinOp) and isinstance(node.op, (ast.Mult, ast.Pow)):
        return text
    return held(node, text)


def _signs(node: ast.expr, context: Context) -> Iterator[Edit]:
    if isinstance(node, (ast.Call, ast.Name)) and np.ndim(context.value(node)) > 0:
        return
    if isinstance(node, ast.BinOp) and np.ndim(context.value(node)) > 0:
        text = f"-{held(node, context.segment(node))}"
        yield _edit("sign", _SIGN, node, text, 1.25)


# ---- the whole line ---------------------------------------------------------------------------


def _uniform(root: ast.expr, context: Context) -> Iterator[Edit]:
    """One name for another wherever it stands."""
    places: dict[str, list[ast.expr]] = {}
    for node in _nodes(root):
        if _is_atom(node):
            places.setdefault(context.segment(node), []).append(node)
    for text, nodes in places.items():
        if len(nodes) < 2:
            continue
        for known in context.atoms:
            fits = np.shape(known.value) == np.shape(context.value(nodes[0]))
            if known.text == text or not (fits or _is_next(text, known.text)):
                continue
            slug, sentence = _swap(nodes[0], text, known, context)
            changes = tuple((span(node), known.text) for node in nodes)
            yield Edit(slug, sentence, changes, 1.05)


def _of_whole(root: ast.expr, context: Context) -> Iterator[Edit]:
    text = context.segment(root)
    body = held(root, text)
    yield _edit("sign", _SIGN, root, f"-{body}", 1.2)
    flat = _as_factor(root, text)
    loose = isinstance(root, ast.BinOp) and isinstance(root.op, (ast.Mult, ast.Div, ast.MatMult))
    over = text if loose else body
    for count in context.counts:
        yield _edit("sample-count", "the factor 1/N is missing", root, f"{over} / {count}", 1.2)
        yield _edit("sample-count", "1/N is one too much", root, f"{flat} * {count}", 1.5)
    for number in ("2", "0.5"):
        yield _edit(
            "constant",
            f"the factor {number} is missing",
            root,
            f"{number} * {_as_factor(root, text)}",
            1.4,
        )
    if isinstance(root, (ast.Name, ast.Subscript)) and np.ndim(context.value(root)):
        sentence = f"both names mean one array, and changing one changes {text}: copy it"
        yield _edit("wrong-variable", sentence, root, f"{text}.copy()", 1.0)
    yield from _summed(root, text, context)
    yield from _softmax_backward(root, context)


def _softmax_backward(root: ast.expr, context: Context) -> Iterator[Edit]:
    """dL/dz through the whole Jacobian of the softmax."""
    target = names.bare(context.target or "")
    if not context.softmax or not target[1:].isdigit():
        return
    layer = names.layer_of(target)
    outputs = [k.text for k in context.atoms if k.meaning == names.output(layer)]
    for known in context.atoms:
        if known.meaning == names.gradient(names.output(layer)):
            for p in outputs:
                for axis in ("1", "0", "-1"):
                    g = known.text
                    text = f"{p} * ({g} - ({g} * {p}).sum(axis={axis}, keepdims=True))"
                    sentence = "the softmax is no entrywise function: each score moves all outputs"
                    yield _edit("softmax-elementwise", sentence, root, text, 1.5)


def _summed(root: ast.expr, text: str, context: Context) -> Iterator[Edit]:
    value = context.value(root)
    if np.ndim(value) != 2 and value is not None:
        return
    for axis in ("0", "1"):
        for keep in ("", ", keepdims=True"):
            for name, extra in (("sum", 0.0), ("mean", 0.2)):
                whole = f"{context.numpy}.{name}({text}, axis={axis}{keep})"
                sentence = "the gradient is not summed over the samples"
                yield _edit("batch-sum", sentence, root, whole, 1.1 + extra)


def of_statement(statement: ast.stmt, spans: Mapping[str, Span]) -> Iterator[Edit]:
    """`=` for `+=`, and the like; `spans["op"]` is where the sign stands."""
    if "op" not in spans:
        return
    if isinstance(statement, ast.AugAssign):
        for sign in ("+=", "-=", "*=", "/=", "="):
            slug = "sample-count" if isinstance(statement.op, (ast.Mult, ast.Div)) else "sign"
            yield Edit(slug, f"{sign} is meant", ((spans["op"], sign),), 1.3)
    else:
        sentence = "what the samples give has to be added up: +="
        yield Edit("batch-sum", sentence, ((spans["op"], "+="),), 1.1)


def cheaper(edit: Edit, cost: float) -> Edit:
    return replace(edit, cost=cost)
