"""What is printed reads back: `read(write(e)) == e`, for every notation and both forms.

An expression is written by `Typesetting`, read by the parser and by the index calculus of
`proofs` under the settings of that typesetting, and compared with the one that was written.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

import symbackprop as sbp
from symbackprop.calculus.terms import Expression, Index, Partial, Term
from symbackprop.derivation.matrixform import matrix_form
from symbackprop.derivation.steps import Sweep
from symbackprop.derivation.sweep import jacobian, sweep
from symbackprop.judging.notes.printed import settings_of
from symbackprop.judging.notes.proofs import Array, coincide, interpreted, lone_place, moved
from symbackprop.networks.layers.architecture import Architecture
from symbackprop.networks.layers.multilayer import Built, build
from symbackprop.notation import DELTA_NUMBERINGS, LAYER_MARKS, SAMPLE_LAYOUTS, Notation
from symbackprop.reading.latex.parser import read
from symbackprop.reading.latex.syntax import Statement
from symbackprop.writing.latex import Typesetting
from tests.fuzz import spec_text

pytestmark = pytest.mark.slow

EXAMPLES = ("line", "two-three-one", "linear-chain", "four-layer")
SYMBOLS = ((), (("h", "a"), ("L", "C"), ("N", "m"), ("delta", r"\varepsilon")))
NOTATIONS = [
    Notation(samples=samples, layer=mark, delta=delta, symbols=symbols)
    for samples, mark, delta, symbols in itertools.product(
        SAMPLE_LAYOUTS, LAYER_MARKS, DELTA_NUMBERINGS, SYMBOLS
    )
]
RANDOM = 12


@dataclass(frozen=True)
class Written:
    """An expression with its free indices and its LaTeX; `form` is index, matrix or jacobian."""

    whole: Expression
    indices: tuple[Index, ...]
    latex: str
    form: str


@dataclass(frozen=True)
class Page:
    """One network under one notation."""

    built: Built
    swept: Sweep
    setting: Typesetting

    @classmethod
    def of(cls, architecture: Architecture, notation: Notation, one: bool, sized: bool) -> Page:
        built = build(architecture, one_sample=one)
        swept = sweep(built.network)
        return cls(
            built, swept, Typesetting(swept.extended, notation, built.sizes if sized else {})
        )

    @property
    def sizes(self) -> dict[str, int]:
        known = self.setting.sizes
        axes = [axis for tensor in self.built.network.tensors for axis in tensor.axes]
        return {axis.name: known[axis.extent] for axis in axes if axis.extent in known}

    @property
    def flat(self) -> frozenset[str]:
        return frozenset(name for name, size in self.sizes.items() if size == 1)

    def written(self) -> Iterator[Written]:
        network = self.built.network
        for equation in network.equations:
            yield from self._forms(equation.rhs, equation.indices)
        for derivation in self.swept.derivations.values():
            for step in derivation.steps:
                if not _is_open(step.after):
                    shown = self.setting.expression(step.after)
                    yield Written(step.after, derivation.indices, shown, "index")
            yield from self._forms(derivation.result, derivation.indices)
        for equation in network.equations:
            for name in sorted(equation.reads):
                if network.by_name[name].kind != "label" and equation.target != network.loss:
                    found = jacobian(network, equation.target, name)
                    yield from self._forms(found.result, found.indices, jacobian=True)

    def _forms(
        self, whole: Expression, indices: tuple[Index, ...], jacobian: bool = False
    ) -> Iterator[Written]:
        yield Written(whole, indices, self.setting.expression(whole), "index")
        node = matrix_form(whole, indices, self.setting.network)
        if node is not None:
            form = "jacobian" if jacobian else "matrix"
            yield Written(whole, indices, self.setting.matrix(node, jacobian=jacobian), form)

    def reads_back(self, written: Written) -> bool:
        (statement,) = read(written.latex)
        assert isinstance(statement, Statement), written.latex
        settings, network = settings_of(self.setting), self.built.network
        letters = {self.setting._index(i.name): i.axis.name for i in written.indices}
        (node,) = statement.sides
        found = interpreted(node, settings, network, self.flat, self.sizes, letters)
        return coincide(found, self.meant(written), settings, network, self.flat)

    def meant(self, written: Written) -> Array:
        """What was written, under the printed letters, with numbers for the sizes in front."""
        places = {
            i: lone_place(i.axis)
            if i.axis.name in self.flat
            else Index(self.setting._index(i.name), i.axis)
            for i in written.indices
        }
        whole = moved(written.whole, list(places), list(places.values()))
        sizes = dict(self.setting.sizes)
        terms = (Term(t.coefficient.xreplace(sizes), t.bound, t.factors) for t in whole.terms)
        whole = Expression(tuple(terms))
        if written.form == "index":
            return Array(whole)
        down, across = _laid_out(written.indices)
        rows, cols = (
            tuple(places[i] for i in side if i.axis.name not in self.flat)
            for side in (down, across)
        )
        found = Array(whole, rows, cols)
        turned = self.setting.columns and written.form == "matrix"
        return found.transposed if turned else found


def _laid_out(indices: tuple[Index, ...]) -> tuple[tuple[Index, ...], tuple[Index, ...]]:
    """Rows, then columns; one vector is a row, unless it runs over samples."""
    if len(indices) == 2:
        return indices[:1], indices[1:]
    is_column = len(indices) == 1 and indices[0].axis.role == "sample"
    return (indices, ()) if is_column else ((), indices)


def _is_open(whole: Expression) -> bool:
    """Whether a derivative has not been taken yet."""
    return any(factor.has(Partial) for term in whole.terms for factor in term.factors)


def _architecture(name: str) -> Architecture:
    net = sbp.load(name) if name in EXAMPLES else sbp.loads(spec_text(int(name)))
    assert net.architecture is not None
    return net.architecture


def _pages(name: str, turn: int) -> Iterator[Page]:
    """One sample and a batch, without sizes and with them, each under another notation."""
    for number, (one, sized) in enumerate(itertools.product((False, True), repeat=2)):
        notation = NOTATIONS[(7 * turn + 11 * number) % len(NOTATIONS)]
        yield Page.of(_architecture(name), notation, one, sized)


@pytest.mark.parametrize("turn", [0, 1])
@pytest.mark.parametrize("name", EXAMPLES)
def test_formulas_of_the_examples_read_back(name: str, turn: int) -> None:
    for page in _pages(name, turn + 2 * EXAMPLES.index(name)):
        for written in page.written():
            assert page.reads_back(written), (page.setting.notation, written.latex)


@pytest.mark.parametrize("seed", range(RANDOM))
def test_formulas_of_random_networks_read_back(seed: int) -> None:
    page = next(itertools.islice(_pages(str(seed), seed), seed % 4, None))
    for written in page.written():
        assert page.reads_back(written), (page.setting.notation, written.latex)


def test_a_wrong_reading_is_seen() -> None:
    page = Page.of(_architecture("four-layer"), Notation(), one=False, sized=False)
    right = next(w for w in page.written() if w.form == "matrix")
    wrong = Written(right.whole, right.indices, right.latex.replace("+", "-"), right.form)
    assert page.reads_back(right)
    assert not page.reads_back(wrong)
