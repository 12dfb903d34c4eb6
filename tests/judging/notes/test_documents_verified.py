"""Every document that the project writes reads back as true mathematics.

The Markdown is read as a note, and each formula judged under the settings of its typesetting. Only
the sections on the network itself: others speak of other functions, or of given numbers. At the
end whole documents are judged as a user's note is, with nothing known of their notation.
"""

from __future__ import annotations

import random
import re
from collections import Counter
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import pytest

import symbackprop as sbp
from symbackprop.document.build import _of_one_sample, document_of
from symbackprop.judging.notes.conventions.variants import Variant, worlds_of
from symbackprop.judging.notes.formula.judge import is_literal, judge_in
from symbackprop.judging.notes.formula.settings import Settings
from symbackprop.judging.notes.printed import settings_of
from symbackprop.judging.report import Claim
from symbackprop.networks.layers.multilayer import Built, build
from symbackprop.notation import LAYER_MARKS, DeltaNumbering, Notation, SampleLayout
from symbackprop.reading.latex.macros import Macros
from symbackprop.reading.latex.parser import read
from symbackprop.reading.latex.syntax import Statement
from symbackprop.reading.notes.files import read_note
from symbackprop.writing.latex import Typesetting

pytestmark = pytest.mark.slow

OTHER = (
    "A little calculus",
    "The computation graph",
    "Backpropagation, node by node",
    "What the parameters have collected",
    "One step downhill",
    "The pattern for layer l",
    "Outlook: which loss?",
    "A worked example in numbers",
    "What each sample contributes",
    "Gradient descent",
    "The code",
    "How this document was checked",
)
CASES = [
    ("line", Notation()),
    ("two-three-one", Notation(samples="columns", layer="^[l]")),
    ("two-three-one", Notation(layer="^(l)", delta="from_output")),
    ("linear-chain", Notation(layer="_l")),
    ("linear-chain", Notation(samples="columns", delta="from_output")),
    ("four-layer", Notation()),
    ("four-layer", Notation(samples="columns", layer="^(l)")),
]
LEAST = 0.8


@dataclass(frozen=True)
class Page:
    """One document with the settings of its formulas, for one sample and for a batch."""

    text: str
    settings: dict[str, Settings]
    variant: Variant
    samples: int | None

    @classmethod
    def of(cls, name: str, notation: Notation) -> Page:
        net = sbp.load(name)
        assert net.architecture is not None
        notation = replace(notation, symbols=net.notation.symbols)
        one, many = build(net.architecture, one_sample=True), build(net.architecture)
        text = sbp.render(document_of(net.architecture, notation), "md")
        assert isinstance(text, str)
        settings = {
            "one": settings_of(_setting(one, _of_one_sample(net.architecture, notation))),
            "batch": settings_of(_setting(many, notation)),
        }
        samples = net.architecture.samples
        return cls(_on_the_network(text), settings, Variant(many, one), samples)


def _setting(built: Built, notation: Notation) -> Typesetting:
    return Typesetting(built.network.with_adjoints, notation, built.sizes)


def _on_the_network(text: str) -> str:
    parts = re.split(r"(?m)^(?=## )", text)
    return "".join(p for p in parts if p.partition("\n")[0].removeprefix("## ") not in OTHER)


def _assumes(latex: str) -> bool:
    return latex.strip().startswith(r"y = \begin{bmatrix}")


@cache
def judged(number: int, folder: Path) -> tuple[tuple[str, str], ...]:
    """Each display formula with its outcome: true if it is true of one sample or of a batch."""
    page = Page.of(*CASES[number])
    path = folder / f"page{number}.md"
    path.write_text(page.text, encoding="utf-8")
    worlds = worlds_of({"own": page.variant}, page.samples)["own"]
    found = []
    assumed = False
    for passage in read_note(str(path)).passages:
        if passage.display and (assumed or _assumes(passage.latex)):
            assumed = not assumed  # labels in numbers, and what follows for them
            continue
        for statement in read(passage.latex, Macros({})) if passage.display else ():
            assert isinstance(statement, Statement), passage.latex
            outcomes = {
                judge_in(statement, settings, worlds.world(mode, is_literal(statement))).outcome
                for mode, settings in page.settings.items()
            }
            order = ("true", "definition", "unknown", "false")
            found.append((next(o for o in order if o in outcomes), passage.latex))
    return tuple(found)


@pytest.mark.parametrize("number", range(len(CASES)))
def test_no_formula_of_a_document_is_refuted(
    number: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    found = judged(number, tmp_path_factory.getbasetemp())
    assert [latex for outcome, latex in found if outcome == "false"] == []


@pytest.mark.parametrize("number", range(len(CASES)))
def test_most_formulas_of_a_document_are_verified(
    number: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    found = judged(number, tmp_path_factory.getbasetemp())
    counts = Counter(outcome for outcome, _ in found)
    assert counts["true"] >= LEAST * len(found), counts


# --------------------------------------------------------------------------------------------
# Whole documents, with nothing said of their notation
# --------------------------------------------------------------------------------------------

WHOLE = [
    ("line", Notation(layer="^(l)")),
    ("linear-chain", Notation(samples="columns", layer="_l")),
    ("two-three-one", Notation(layer="^[l]", delta="from_output")),
    ("four-layer", Notation(samples="columns", layer="_l")),
    ("four-layer", Notation()),
]
SHARE = {"line": 0.4, "linear-chain": 0.6, "two-three-one": 0.9, "four-layer": 0.9}
DRAWN, SEED = 8, 3
LAST = {"cross_entropy": ("softmax",), "binary_cross_entropy": ("sigmoid",)}
ACTIVATIONS = ("sigmoid", "tanh", "relu", "leaky_relu", "softplus", "identity")


def drawn(seed: int) -> tuple[str, Notation]:
    """A network file and a notation that nobody chose."""
    source = random.Random(seed)
    loss = source.choice(("squared_error", "cross_entropy", "binary_cross_entropy"))
    depth = source.choice((1, 2, 3))
    reduction = source.choice(("sum", "mean"))
    lines = [f'name = "drawn"\ninput = {source.randint(1, 4)}']
    lines.append(f'loss = "{loss}"\nreduction = "{reduction}"')
    for layer in range(1, depth + 1):
        last = LAST.get(loss, ACTIVATIONS) if layer == depth else ACTIVATIONS
        units = source.randint(2 if layer == depth else 1, 4)
        lines.append(f'[[layers]]\ntype = "dense"\nunits = {units}')
        lines.append(f'activation = "{source.choice(last)}"')
        lines.append(f"bias = {str(source.random() < 0.8).lower()}")
    samples: SampleLayout = source.choice(("rows", "columns"))
    delta: DeltaNumbering = source.choice(("by_layer", "from_output"))
    notation = Notation(samples=samples, layer=source.choice(tuple(LAYER_MARKS)), delta=delta)
    return "\n".join(lines), notation


def _claims(net: sbp.Net, notation: Notation, folder: Path) -> tuple[Claim, ...]:
    assert net.architecture is not None
    notation = replace(notation, symbols=net.notation.symbols)
    text = sbp.render(document_of(net.architecture, notation), "md")
    assert isinstance(text, str)
    path = folder / "whole.md"
    path.write_text(text, encoding="utf-8")
    return sbp.verify(path, net).claims


@pytest.mark.parametrize(("name", "notation"), WHOLE)
def test_nothing_in_a_whole_document_is_refuted(
    name: str, notation: Notation, tmp_path: Path
) -> None:
    claims = _claims(sbp.load(name), notation, tmp_path)
    assert [c.latex for c in claims if c.status == "refuted"] == []
    verified = sum(c.status == "verified" for c in claims)
    assert verified >= SHARE[name] * len(claims)


@pytest.mark.parametrize("seed", range(SEED, SEED + DRAWN))
def test_nothing_in_the_document_of_a_network_drawn_at_random_is_refuted(
    seed: int, tmp_path: Path
) -> None:
    specification, notation = drawn(seed)
    claims = _claims(sbp.loads(specification), notation, tmp_path)
    assert [c.latex for c in claims if c.status == "refuted"] == []


def test_a_document_in_latex_reads_as_the_same_in_markdown(tmp_path: Path) -> None:
    derivation = sbp.derive("two-three-one")
    counts = []
    for format in ("md", "tex"):
        path = tmp_path / f"page.{format}"
        path.write_text(str(sbp.render(derivation.document(), format)), encoding="utf-8")
        counts.append(Counter(c.status for c in sbp.verify(str(path), derivation.net).claims))
    markdown, latex = counts
    assert markdown["refuted"] == latex["refuted"] == 0
    assert latex["verified"] >= LEAST * markdown["verified"]
