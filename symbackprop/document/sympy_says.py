"""The end of a document: lines of Python with which SymPy says the same, and what they print.

Owns: the choice of the lines, from the last layer, and their output, which is computed when the
document is. Refuses: networks that take SymPy more than a moment; a comparison that comes out
False is not shown. Wrong if a line printed something else for a reader; a test runs them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

from sympy import Symbol

from symbackprop.document.blocks import Block, Code, Heading, Inline, Listing, Paragraph
from symbackprop.networks.layers.multilayer import SAMPLES, Built
from symbackprop.networks.roles import LayerNames, layers_of
from symbackprop.witnesses.effort import Effort, effort
from symbackprop.witnesses.explicit import ExplicitNet, sizes_of
from symbackprop.witnesses.letterforms import LetterMatrix

MOMENT = Effort(2_000, 50_000)
WIDEST = 90
FUNCTIONS = ("diag", "eye", "ones")
SMALL = (2, 3, 4)

Printed = tuple[str, str]


@dataclass(frozen=True)
class Said:
    """Lines of Python, each with what it prints; where there are none, `reason` says why.
    `address` is what `load` takes for the network."""

    lines: tuple[Printed, ...] = ()
    reason: str = ""
    address: str = ""

    @property
    def text(self) -> str:
        """The lines, each output as comments below, then an empty line."""
        rows: list[str] = []
        for code, output in self.lines:
            comments = [f"# {row}" for row in output.splitlines()]
            rows += [code, *comments, ""] if comments else [code]
        return "\n".join(rows).rstrip()


def said(built: Built, address: str) -> Said:
    """What SymPy says of this network; `address` is what `load` takes for it."""
    layers = layers_of(built.network)
    if not layers:
        return Said(reason="equations written by hand")
    asked = _small_sizes(built)
    sizes = {**built.sizes, **asked}
    work = effort(built.network, sizes)
    if work.products > MOMENT.products or work.paths > MOMENT.paths:
        return Said(reason=str(work))
    words = {symbol.name: size for symbol, size in asked.items()}
    net = ExplicitNet.of(built.network, built.sizes, words)
    call = ", ".join((json.dumps(address), *(f"{name}={size}" for name, size in words.items())))
    printed = tuple(line for line in _prints(net, layers[-1]) if _fits(*line))
    used = [name for name in FUNCTIONS if any(f"{name}(" in code for code, _ in printed)]
    imports = ["import symbackprop as sbp", *(f"from sympy import {name}" for name in used)]
    start = ((line, "") for line in (*imports, "", f"e = sbp.explicit({call})", ""))
    return Said((*start, *printed), address=address)


def _small_sizes(built: Built) -> dict[Symbol, int]:
    """One sample; for sizes that are names small numbers, neighbours being different."""
    names = [symbol for symbol in sizes_of(built.network) if symbol not in built.sizes]
    others = [symbol for symbol in names if symbol != SAMPLES]
    small = {symbol: SMALL[place % len(SMALL)] for place, symbol in enumerate(others)}
    return {symbol: small.get(symbol, 1) for symbol in names}


def _prints(net: ExplicitNet, layer: LayerNames) -> Iterator[Printed]:
    """The forms of the textbooks in the last layer, each shown and compared."""
    source, total = layer.source, layer.total
    yield from _asked(f'e.jacobian("{total}", "{source}")', net.jacobian(total, source))
    if layer.output != total:
        yield from _asked(
            f'e.jacobian("{layer.output}", "{total}")', net.jacobian(layer.output, total)
        )
    error = net.gradient(total)
    yield from _asked(f'e.gradient("{total}")', error)
    if error.facts:
        honest = net.gradient(total, facts=False)
        yield f'print(e.gradient("{total}", facts=False)[0, 0])', str(honest[0, 0])
    for name, code, expected in (
        (layer.weight, f'e["{source}"].T * e.gradient("{total}")', net[source].T * error),
        (source, f'e.gradient("{total}") * e["{layer.weight}"].T', error * net[layer.weight].T),
    ):
        if net.gradient(name) == expected:
            yield f'print(e.gradient("{name}") == {code})', "True"


def _asked(call: str, found: LetterMatrix) -> Iterator[Printed]:
    """What a call prints, or its first entry where that is too wide, and whether it is its form."""
    whole = (f"print({call})", str(found))
    yield whole if _fits(*whole) else (f"print({call}[0, 0])", str(found[0, 0]))
    if found.form:
        yield f"print({call} == {_spelled(found.form)})", "True"


def _fits(code: str, output: str) -> bool:
    return all(len(row) <= WIDEST for row in (code, *output.splitlines()))


def _spelled(form: str) -> str:
    """The form with a tensor in place of each letter: `yhat.T` as `e["yhat"].T`."""
    spelled = re.sub(r"(?<![\w.])([A-Za-z]\w*)(?![\w(])", r'e["\1"]', form)
    return re.sub(r"(?<=\S)\*(?=\S)", " * ", spelled).replace("( * ", "(*")


def sympy_says(built: Built, found: Said) -> Iterator[Block]:
    """The section, or why there are no lines to show."""
    yield Heading(2, ("SymPy says the same",))
    if found.reason:
        yield Paragraph(
            (
                "SymPy can differentiate a network entry by entry. For this one that would take"
                f" {found.reason}, too many for this page; a smaller network of the same kind can"
                " be asked with ",
                Code("sbp.explicit"),
                ".",
            )
        )
        return
    letter = layers_of(built.network)[-1].weight
    goal = "loss" if "y" in built.network.by_name else "output"
    yield Paragraph(
        (
            "SymPy is a library for algebra in Python. Here it is told the equations of the forward"
            " pass, entry by entry, and none of the formulas above. It differentiates each of them,"
            " and the products along all paths are added. The names are those of the code: ",
            Code(f'e["{letter}"]'),
            " is the matrix with the entries ",
            Code(f"{letter}_1_1"),
            " and so on. There is one sample; ",
            Code("jacobian"),
            " has a row for each output, ",
            Code("gradient"),
            f" is the derivative of the {goal}. Each comment is what the line above it prints.",
            *_remarks(built, found),
        )
    )
    yield Listing(found.text)


def _remarks(built: Built, found: Said) -> Iterator[Inline]:
    if any("facts=False" in code for code, _ in found.lines):
        yield " With "
        yield Code("facts=False")
        yield " it is not used that the labels of a sample add up to 1."
    if len(_small_sizes(built)) > 1:
        yield " Sizes that are letters have small numbers."
    if found.address.endswith(".toml"):
        yield " The lines read the network from the file "
        yield Code(found.address)
        yield " in the folder where they run."
