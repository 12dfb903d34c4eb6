"""The first screen: the results, each with its shape, its line of code and its check."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from symbackprop.document.blocks import Block, Check, Code, Heading, Line, Paragraph, Table
from symbackprop.document.desk import Desk
from symbackprop.document.formulas import Derivative, Formula, Name
from symbackprop.document.forward import shape
from symbackprop.networks.roles import layers_of
from symbackprop.writing.code.numpy_backend import expression_of

WORDS = {
    "proved": "proved for all sizes",
    "exact": "exact",
    "numeric": "compared in numbers",
    "definition": "definition",
    "none": "not checked",
}


def overview(many: Desk, proofs: Mapping[str, Check], primed: bool) -> Iterator[Block]:
    """The table of results for a batch. `proofs` says of each line of code what was shown;
    `primed` tells that the document explains derivatives from the start."""
    yield Heading(2, ("Results first",))
    if primed:
        yield Paragraph(
            (
                "This table collects what the document derives; nobody needs to understand it yet."
                " Whoever is new to derivatives or to networks reads the next section for the"
                " letters, then starts with the section on calculus, where everything is explained"
                " from the beginning.",
            )
        )
    yield Paragraph(
        (
            "The derivatives for a batch. Once the error term of a layer is known, the gradient of"
            " each of its parameters takes one more product or sum. The next section explains the"
            " letters, the section on the code what the last column means.",
        )
    )
    header: tuple[Line, ...] = (("derivative",), ("shape",), ("NumPy",), ("check",))
    rows = [_row(many, name, proofs) for name in _order(many)]
    yield Table(header, tuple(rows))


def _order(many: Desk) -> list[str]:
    names = []
    for layer in reversed(layers_of(many.network)):
        names += [layer.total, layer.weight, *([layer.bias] if layer.bias else [])]
    return [*names, "x"]


def _row(many: Desk, name: str, proofs: Mapping[str, Check]) -> tuple[Line, ...]:
    derivation = many.sweep[name]
    sides: list[Formula] = [Derivative(many.network.loss, name), many.result(name)]
    own = many.network.resolve(name)
    if many.network.is_total(own):
        sides.append(Name(many.network.adjoint_name(own)))
    formula = many.chain(*sides)
    code = expression_of(derivation, many.setting.network, many.setting.sizes)
    check = proofs.get(name, formula.check)
    return (
        (formula,),
        (shape(many, many.tensor(name)),),
        (Code(code) if code is not None else "see the code below",),
        (_words(check),),
    )


def _words(check: Check) -> str:
    detail = f", {check.detail}" if check.detail and check.kind == "exact" else ""
    return f"{WORDS[check.kind]}{detail}"
