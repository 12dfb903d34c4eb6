r"""Derivations with one early slip that the rest carries on, computed from templates.

Owns: `derivations`. Refuses: reading mathematics. A line is written from the right-hand side of the
line that it continues; putting the slip into one of them therefore changes exactly the lines
written from it, and those are known without looking at the mathematics.

The shapes: rows, columns, single units and indices; one sample or a batch; two to four layers.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from tests.slips import formulas

COUNT = 100
SEED = 1969


@dataclass(frozen=True)
class Derivation:
    """`text` is a note; `slip` the line of the slip, `carried` the lines that follow from it,
    `right` those that hold all the same."""

    name: str
    text: str
    slip: int
    carried: tuple[int, ...]
    right: tuple[int, ...]


@dataclass(frozen=True)
class Style:
    """How a writer writes: `mark` makes the layer's mark, `h` is the letter of an activation."""

    name: str
    shape: str  # rows, columns, units, indices
    sizes: tuple[int, ...]
    activation: str
    loss: str
    mark: Callable[[int], str]
    h: str = "h"
    L: str = "L"
    hadamard: str = r"\odot"
    transpose: str = "^T"
    batch: bool = False
    d: str = r"\partial "


@dataclass
class Page:
    """Lines of a derivation; each has a number of the line that it was written from, or None."""

    lines: list[str] = field(default_factory=list)
    sources: list[int | None] = field(default_factory=list)

    def add(self, line: str, source: int | None = None) -> int:
        self.lines.append(line)
        self.sources.append(source)
        return len(self.lines) - 1


def _caret(layer: int) -> str:
    return f"^{layer}"


def _low(layer: int) -> str:
    return f"_{layer}"


def _round(layer: int) -> str:
    return f"^{{({layer})}}"


def _square(layer: int) -> str:
    return f"^{{[{layer}]}}"


_CROSS, _SQUARED = "cross_entropy", "squared_error"
STYLES: tuple[Style, ...] = (
    Style("rows-caret", "rows", (4, 5, 3), "sigmoid", _CROSS, _caret),
    Style("rows-round", "rows", (3, 4, 5, 2), "tanh", _CROSS, _round, "a", "J"),
    Style("rows-low", "rows", (2, 5, 3), "tanh", _SQUARED, _low, "h", "E", r"\circ"),
    Style("columns-square", "columns", (3, 4, 2), "sigmoid", _CROSS, _square, "a", "J"),
    Style(
        "columns-round", "columns", (4, 3, 5, 2), "sigmoid", _SQUARED, _round, "a", "C", r"\circ"
    ),
    Style("columns-low", "columns", (3, 5, 4, 6, 2), "tanh", _CROSS, _low, "h", r"\mathcal{L}"),
    Style(
        "batch-rows", "rows", (4, 5, 3), "tanh", _CROSS, _round, "H", transpose=r"^\top", batch=True
    ),
    Style("batch-columns", "columns", (3, 4, 2), "sigmoid", _CROSS, _low, "A", "J", batch=True),
    Style("units-partial", "units", (1, 1, 1, 1), "tanh", _SQUARED, _low, "a", "C"),
    Style("units-d", "units", (1, 1, 1, 1), "sigmoid", _SQUARED, _low, "h", "E", d="d"),
    Style("indices-caret", "indices", (3, 4, 2), "sigmoid", _SQUARED, _caret, "h", "E"),
    Style("indices-round", "indices", (4, 3, 5), "tanh", _CROSS, _round, "a", "L"),
)

# A slip: where it can happen, and what becomes of (upstream text, factor of the activation).
SLIPS: tuple[tuple[str, str], ...] = (
    ("output", "sign"),
    ("output", "constant"),
    ("output", "plus"),
    ("weights", "sign"),
    ("weights", "constant"),
    ("activation", "prime dropped"),
    ("activation", "factor dropped"),
    ("activation", "factor doubled"),
    ("activation", "argument"),
)


def derivations(count: int = COUNT, seed: int = SEED) -> Iterator[Derivation]:
    """`count` derivations, styles and slips taking turns, the layer of the slip drawn."""
    random_ = random.Random(seed)
    seen: set[str] = set()
    turn = 0
    while len(seen) < count:
        style = STYLES[turn % len(STYLES)]
        place, kind = SLIPS[(turn // len(STYLES) + turn) % len(SLIPS)]
        layer = random_.randint(1, len(style.sizes) - 2)
        turn += 1
        derivation = _derivation(style, place, kind, layer)
        if derivation.text not in seen:
            seen.add(derivation.text)
            yield derivation
        elif turn > 50 * count:
            raise ValueError(f"only {len(seen)} different derivations")


def _derivation(style: Style, place: str, kind: str, layer: int) -> Derivation:
    right, wrong = _page(style, "", "", 0), _page(style, place, kind, layer)
    text = _note(style, wrong)
    lines = [formula.line for formula in formulas(text)]
    assert len(lines) == len(wrong.lines) == len(right.lines)
    changed = [n for n, (a, b) in enumerate(zip(right.lines, wrong.lines, strict=True)) if a != b]
    first, *rest = changed
    assert all(_comes_from(wrong, n, first) for n in rest)
    return Derivation(
        f"{style.name}, {place}: {kind}, layer {layer}",
        text,
        lines[first],
        tuple(lines[n] for n in rest),
        tuple(line for n, line in enumerate(lines) if n not in changed),
    )


def _comes_from(page: Page, line: int, first: int) -> bool:
    source = page.sources[line]
    return source is not None and (source == first or _comes_from(page, source, first))


# ---- writing a page


def _page(style: Style, place: str, kind: str, layer: int) -> Page:
    page = Page()
    if style.shape == "indices":
        _indices(page, style, place, kind)
    else:
        _forward(page, style)
        _backward(page, style, place, kind, layer)
    return page


def _derivative(style: Style, of: str, by: str) -> str:
    return f"\\frac{{{style.d}{of}}}{{{style.d}{by}}}"


def _name(style: Style, letter: str, layer: int) -> str:
    big = {"z": "Z", "W": "W"} if style.batch else {}
    small = {"W": "w"} if style.shape == "units" else {}
    return big.get(letter, small.get(letter, letter)) + style.mark(layer)


def _activated(style: Style, layer: int) -> str:
    last = len(style.sizes) - 1
    if layer == 0:
        return "X" if style.batch else "x"
    if layer == last:
        return r"\hat{Y}" if style.batch else r"\hat{y}"
    return _name(style, style.h, layer)


def _product(style: Style, before: str, weights: str) -> str:
    """What a layer makes of what the layer before gives."""
    if style.shape == "rows":
        return f"{before} {weights}"
    return f"{weights} {before}"


_FUNCTION = {"sigmoid": r"\sigma", "tanh": r"\tanh"}


def _forward(page: Page, style: Style) -> None:
    last = len(style.sizes) - 1
    for layer in range(1, last + 1):
        z, W, b = (_name(style, letter, layer) for letter in "zWb")
        product = _product(style, _activated(style, layer - 1), W)
        linear_last = layer == last and style.loss == "squared_error"
        page.add(f"{_activated(style, layer) if linear_last else z} = {product} + {b}")
        if not linear_last:
            f = r"\text{softmax}" if layer == last else _FUNCTION[style.activation]
            page.add(f"{_activated(style, layer)} = {f}({z})")
    page.add(_loss(style))


def _loss(style: Style) -> str:
    if style.shape == "units":
        return f"{style.L} = \\frac{{1}}{{2}} (\\hat{{y}} - y)^2"
    if style.batch:
        entry = "nk" if style.shape == "rows" else "kn"
        total = f"\\sum_{{n=1}}^{{N}} \\sum_k Y_{{{entry}}} \\log \\hat{{Y}}_{{{entry}}}"
        return f"{style.L} = -\\frac{{1}}{{N}} {total}"
    if style.loss == "squared_error":
        return f"{style.L} = \\frac{{1}}{{2}} \\sum_k (\\hat{{y}}_k - y_k)^2"
    return f"{style.L} = -\\sum_k y_k \\log \\hat{{y}}_k"


def _output(style: Style, place: str, kind: str, index: str = "") -> str:
    """The derivative by what enters the loss' own layer, right or with the slip."""
    hat, y = (r"\hat{Y}", "Y") if style.batch else (r"\hat{y}" + index, "y" + index)
    front = "\\frac{1}{N} " if style.batch else ""
    slip = kind if place == "output" else ""
    if slip == "constant":
        return f"{front}(2 {hat} - 2 {y})"
    inner = {"sign": f"{y} - {hat}", "plus": f"{hat} + {y}"}.get(slip, f"{hat} - {y}")
    return f"{front}({inner})"


def _backward(page: Page, style: Style, place: str, kind: str, layer: int) -> None:
    """From the last layer to the first, each line with the one before written out in it."""
    last = len(style.sizes) - 1
    entered = r"\hat{y}" if style.loss == "squared_error" else _name(style, "z", last)
    error = _output(style, place, kind)
    source = page.add(f"{_derivative(style, style.L, entered)} = {error}")
    for now in range(last, 0, -1):
        _parameters(page, style, now, error, source)
        by = _activated(style, now - 1)
        error = _through_weights(style, now, error, place == "weights" and layer == now - 1, kind)
        source = page.add(f"{_derivative(style, style.L, by)} = {error}", source)
        if now > 1:
            slip = kind if place == "activation" and layer == now - 1 else ""
            error = _through_activation(style, now - 1, error, slip)
            z = _name(style, "z", now - 1)
            source = page.add(f"{_derivative(style, style.L, z)} = {error}", source)


def _closed(error: str) -> str:
    plain = error.startswith("(") and error.endswith(")") and error.count("(") == 1
    return error if plain else f"\\left( {error} \\right)"


def _turned(style: Style, letter: str) -> str:
    return f"{letter}{style.transpose}" if letter in ("x", "X") else f"({letter}){style.transpose}"


def _parameters(page: Page, style: Style, layer: int, error: str, source: int) -> None:
    W, b, before = _name(style, "W", layer), _name(style, "b", layer), _activated(style, layer - 1)
    weights = {
        "rows": f"{_turned(style, before)} {_closed(error)}",
        "columns": f"{_closed(error)} {_turned(style, before)}",
        "units": f"{error} {before}",
    }[style.shape]
    page.add(f"{_derivative(style, style.L, W)} = {weights}", source)
    bias = error
    if style.batch and style.shape == "rows":
        bias = f"\\mathbf{{1}}{style.transpose} {_closed(error)}"
    elif style.batch:
        bias = f"{_closed(error)} \\mathbf{{1}}"
    page.add(f"{_derivative(style, style.L, b)} = {bias}", source)


def _through_weights(style: Style, layer: int, error: str, slip: bool, kind: str) -> str:
    W = _name(style, "W", layer)
    made = {
        "rows": f"{_closed(error)} {_turned(style, W)}",
        "columns": f"{_turned(style, W)} {_closed(error)}",
        "units": f"{error} {W}",
    }[style.shape]
    return {"sign": "-", "constant": "2 "}.get(kind, "") * slip + made


def _through_activation(style: Style, layer: int, error: str, slip: str) -> str:
    if slip == "factor dropped":
        return error
    z, h = _name(style, "z", layer), _activated(style, layer)
    factor = _slope(style, h if slip == "argument" else z, h, slip)
    if style.shape == "units":
        return f"{error} {factor}" + (f" {factor}" if slip == "factor doubled" else "")
    sign = style.hadamard
    doubled = f" {sign} {factor}" if slip == "factor doubled" else ""
    return f"{_closed(error)} {sign} {factor}{doubled}"


def _slope(style: Style, argument: str, h: str, slip: str) -> str:
    f = _FUNCTION[style.activation]
    if style.activation == "tanh":
        power = "" if slip == "prime dropped" else "^2"
        return f"(1 - \\tanh{power}({argument}))"
    return f"{f}({argument})" if slip == "prime dropped" else f"{f}'({argument})"


# ---- two layers in indices


def _indices(page: Page, style: Style, place: str, kind: str) -> None:
    """W_ij from unit i to unit j; i, j, k run over inputs, hidden units and outputs."""
    one, two, h, L = style.mark(1), style.mark(2), style.h, style.L
    f = _FUNCTION[style.activation]
    linear = style.loss == "squared_error"
    page.add(f"z{one}_j = \\sum_i x_i W{one}_{{ij}} + b{one}_j")
    page.add(f"{h}{one}_j = {f}(z{one}_j)")
    total = f"\\sum_j {h}{one}_j W{two}_{{jk}} + b{two}_k"
    entered = r"\hat{y}_k" if linear else f"z{two}_k"
    page.add(f"{entered} = {total}")
    if not linear:
        page.add(f"\\hat{{y}}_k = \\frac{{e^{{z{two}_k}}}}{{\\sum_m e^{{z{two}_m}}}}")
    page.add(_loss(style))
    error = _output(style, place, kind, "_k")
    top = page.add(f"{_derivative(style, L, entered)} = {error}")
    page.add(f"{_derivative(style, L, f'W{two}_{{jk}}')} = {h}{one}_j {error}", top)
    page.add(f"{_derivative(style, L, f'b{two}_k')} = {error}", top)
    sign = {"sign": "-", "constant": "2 "}.get(kind, "") if place == "weights" else ""
    back = f"{sign}\\sum_k {error} W{two}_{{jk}}"
    hidden = page.add(f"{_derivative(style, L, f'{h}{one}_j')} = {back}", top)
    slip = kind if place == "activation" else ""
    argument = f"{h}{one}_j" if slip == "argument" else f"z{one}_j"
    slope = _slope(style, argument, f"{h}{one}_j", slip)
    factors = {"factor dropped": "", "factor doubled": f"{slope} {slope} "}.get(slip, f"{slope} ")
    inner = f"{sign}{factors}\\sum_k {error} W{two}_{{jk}}"
    bottom = page.add(f"{_derivative(style, L, f'z{one}_j')} = {inner}", hidden)
    plain = inner.removeprefix(sign)
    page.add(f"{_derivative(style, L, f'W{one}_{{ij}}')} = {sign}x_i {plain}", bottom)
    page.add(f"{_derivative(style, L, f'b{one}_j')} = {inner}", bottom)
    page.add(f"{_derivative(style, L, 'x_i')} = {sign}\\sum_j W{one}_{{ij}} {plain}", bottom)


# ---- the note around it


def _note(style: Style, page: Page) -> str:
    return "\n".join([*_head(style), *(f"\n$$\n{line}\n$$" for line in page.lines)]) + "\n"


def _head(style: Style) -> Iterator[str]:
    yield f'# A derivation\n\n```toml symbackprop\nname = "{style.name}"\ninput = {style.sizes[0]}'
    yield f'loss = "{style.loss}"\nreduction = "{"mean" if style.batch else "sum"}"'
    if style.loss == "squared_error":
        yield "half = true"
    for number, units in enumerate(style.sizes[1:], start=1):
        last = number == len(style.sizes) - 1
        final = "softmax" if style.loss == "cross_entropy" else "identity"
        activation = final if last else style.activation
        yield f'\n[[layers]]\ntype = "dense"\nunits = {units}\nactivation = "{activation}"'
    yield "```\n"
    yield {
        ("rows", False): "One sample; vectors are rows.",
        ("rows", True): "A batch of $N$ samples, which are the rows of $X$.",
        ("columns", False): "One sample; vectors are columns.",
        ("columns", True): "A batch of $N$ samples, which are the columns of $X$.",
        ("units", False): "All layers have one unit; everything is a number.",
        ("indices", False): "One sample, in indices.",
    }[style.shape, style.batch]
