"""A layer mark is one record: one that is added here, and nowhere else, is typed, printed, read."""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

import symbackprop as sbp
from symbackprop.cli import main
from symbackprop.judging.notes.conventions.search import mark_of
from symbackprop.notation import LAYER_MARKS, SAMPLE_LAYOUTS, LayerMark, Notation, SampleLayout
from symbackprop.reading.latex.parser import read
from symbackprop.reading.latex.syntax import Statement
from tests.judging.notes.test_round_trip import Page, _architecture
from tests.places import ROOT

ANGLES = LayerMark(
    "^<l>",
    "above",
    "A number in angle brackets above a letter is the number of its layer.",
    r"\langle",
    r"\rangle",
)
BELOW = LayerMark(
    "_[l]",
    "below",
    "A number in square brackets below a letter is the number of its layer.",
    *"[]",
)
FLOOR = LayerMark(
    "_/l/", "below", "The number below a letter is that of its layer.", r"\lfloor", r"\rfloor"
)
NETWORK = """
name = "marked"
input = 3
loss = "squared_error"
half = true
reduction = "sum"
[[layers]]
type = "dense"
units = 4
activation = "tanh"
[[layers]]
type = "dense"
units = 2
"""
PRINTED = {"^<l>": r"W^{\langle2\rangle}", "_[l]": "W_{[2]}", "_/l/": r"W_{\lfloor2\rfloor}"}


@pytest.fixture(params=(ANGLES, BELOW, FLOOR), ids=lambda mark: str(mark.word))
def mark(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> LayerMark:
    found: LayerMark = request.param
    monkeypatch.setitem(LAYER_MARKS, found.word, found)
    return found


def _network_text(word: str) -> str:
    return f'{NETWORK}\n[notation]\nlayer = "{word}"\n'


def _network_file(folder: Path, mark: LayerMark) -> Path:
    path = folder / "marked.toml"
    path.write_text(_network_text(mark.word))
    return path


def test_documents_are_written_in_an_invented_mark(mark: LayerMark, tmp_path: Path) -> None:
    path = _network_file(tmp_path, mark)
    assert main(["derive", str(path), "-o", f"{tmp_path}/", "--format", "md,tex"]) == 0
    for page in (tmp_path / "marked.md", tmp_path / "marked.tex"):
        text = page.read_text(encoding="utf-8")
        assert PRINTED[mark.word] in text.replace(" _", "_")
        assert mark.sentence.replace("[", r"\[") in text or mark.sentence in text


@pytest.mark.slow
def test_the_command_line_takes_an_invented_mark(
    mark: LayerMark, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(["derive", "--help"])
    assert mark.word in capsys.readouterr().out
    options = ("--layer", mark.word, "--format", "tex")
    assert main(["derive", "linear-chain", *options, "-o", f"{tmp_path}/"]) == 0
    assert PRINTED[mark.word].lower() in (tmp_path / "linear-chain.tex").read_text("utf-8")


def test_a_network_in_an_invented_mark_is_exported_and_checked(
    mark: LayerMark, tmp_path: Path
) -> None:
    path = _network_file(tmp_path, mark)
    assert main(["export", str(path), "-o", str(tmp_path / "grads.py")]) == 0
    assert main(["check", str(path)]) == 0
    assert (tmp_path / "grads.py").read_text() == sbp.derive(sbp.loads(NETWORK)).source()


def test_a_word_near_an_invented_mark_is_named(mark: LayerMark) -> None:
    with pytest.raises(sbp.SymbackpropError, match="did you mean") as caught:
        sbp.loads(_network_text(f"{mark.word}l"))
    assert f"`{mark.word}`" in str(caught.value)


@pytest.mark.parametrize("samples", SAMPLE_LAYOUTS)
def test_formulas_in_an_invented_mark_read_back(mark: LayerMark, samples: SampleLayout) -> None:
    notation = Notation(samples, mark.word)
    page = Page.of(_architecture("two-three-one"), notation, one=samples == "rows", sized=False)
    for written in page.written():
        assert page.reads_back(written), written.latex


@pytest.mark.slow
def test_a_document_in_an_invented_mark_is_judged_with_nothing_said_of_it(
    mark: LayerMark, tmp_path: Path
) -> None:
    net = replace(sbp.load("two-three-one"), notation=Notation(layer=mark.word))
    text = sbp.render(sbp.derive(net).document(), "md")
    assert isinstance(text, str)
    path = tmp_path / "note.md"
    path.write_text(text, encoding="utf-8")
    report = sbp.verify(path, net)
    found = Counter(claim.status for claim in report.claims)
    assert report.settings["layer"] == mark.word
    assert not found["refuted"]
    assert found["verified"] >= 0.9 * len(report.claims)


NOTE = r"""
$$Z{1} = X W{1} + b{1}$$

$$H{1} = \tanh(Z{1})$$

$$\hat{Y} = H{1} W{2} + b{2}$$

$$\frac{\partial L}{\partial W{2}} = {H{1}}^\top \delta{2}$$

$$\delta{1} = \delta{2} {W{2}}^\top \circ \tanh'(Z{1})$$

$$\delta{1} = \delta{2} {W{2}}^\top$$

$$\frac{\partial L}{\partial w{1jk}} = \sum_n x_{nj} \delta{1nk}$$

$$\frac{\partial L}{\partial w{1jk}} = \sum_n x_{nj} \delta{2nk}$$
"""


def _written(mark: LayerMark) -> str:
    text = NOTE
    for number in "12":
        for indices in ("jk", "nk"):
            shown = f"{mark.around(number)},{indices}" if mark.place == "below" else indices
            above = f"^{{{mark.around(number)}}}" if mark.place == "above" else ""
            text = text.replace(f"{{{number}{indices}}}", f"{above}_{{{shown}}}")
        text = text.replace(f"{{{number}}}", f"{mark.sign}{{{mark.around(number)}}}")
    return text


def test_a_note_in_an_invented_mark_is_judged(mark: LayerMark, tmp_path: Path) -> None:
    path = tmp_path / "note.md"
    path.write_text(_written(mark), encoding="utf-8")
    claims = sbp.verify(path, sbp.loads(NETWORK)).claims
    right, wrong = [*claims[:5], claims[6]], (claims[5], claims[7])
    assert [claim.status for claim in right] == ["verified"] * 6
    assert [claim.status for claim in wrong] == ["refuted"] * 2
    assert [claim.slip for claim in wrong] == ["derivative-missing", "layer"]
    assert f"H{mark.sign}{{{mark.around(1)}}}" in wrong[0].suggestion
    assert wrong[1].suggestion.replace(" ", "") == claims[6].latex.replace(" ", "")


SLIPS = ROOT / "docs" / "notes" / "two-layer-slips.md"


def _remarked(text: str, mark: LayerMark) -> str:
    r"""`z^2_k` and `W^{2\top}` of a note with the number alone above, in another mark."""

    def marked(found: re.Match[str]) -> str:
        number = mark.around(found["short"] or found["long"])
        if mark.place == "above":
            return f"^{{{number}{found['top'] or ''}}}{found['index'] or ''}"
        index = (found["index"] or "").removeprefix("_").strip("{}")
        turned = f"^{found['top']}" if found["top"] else ""
        return f"_{{{','.join(filter(None, (number, index)))}}}{turned}"

    pattern = (
        r"\^(?:(?P<short>[12])|\{(?P<long>[12])(?P<top>\\top)?\})(?P<index>_(?:[a-z]|\{[a-z]+\}))?"
    )
    return re.sub(pattern, marked, text)


@pytest.mark.slow
def test_slips_are_found_in_an_invented_mark_as_in_any(mark: LayerMark, tmp_path: Path) -> None:
    path = tmp_path / "note.md"
    path.write_text(_remarked(SLIPS.read_text("utf-8"), mark), encoding="utf-8")
    plain, marked = sbp.verify(SLIPS), sbp.verify(path)
    assert marked.settings["layer"] == mark.word
    for one, other in zip(plain.claims, marked.claims, strict=True):
        found = (other.line, other.status, other.slip, other.follows_from)
        assert found == (one.line, one.status, one.slip, one.follows_from)
    for suggestion in filter(None, (claim.suggestion for claim in marked.claims)):
        assert mark.place == "above" or f"{mark.closing}}}_" not in suggestion
        assert all(isinstance(found, Statement) for found in read(suggestion))


def test_an_unknown_bracket_is_no_mark() -> None:
    (found,) = read(r"z = W^{\lfloor 2\rfloor}")
    assert not isinstance(found, Statement)


def test_angle_brackets_outside_of_scripts_stay_unread(mark: LayerMark) -> None:
    (found,) = read(r"dL = \langle G, dW\rangle")
    assert not isinstance(found, Statement)


@pytest.mark.parametrize("word", LAYER_MARKS)
def test_each_mark_is_found_out_from_what_it_prints(word: str) -> None:
    notation = Notation(layer=word)
    first, next_, here = (notation.layered("z", layer) for layer in (1, "l+1", "l"))
    lines = (f"{first} = x {notation.layered('W', 1)}", f"{next_} = {here}")
    statements = [s for line in lines for s in read(line) if isinstance(s, Statement)]
    assert mark_of(statements, depth=2) == LAYER_MARKS[word]


@pytest.mark.slow
def test_the_record_of_a_document_in_an_invented_mark_is_data(mark: LayerMark) -> None:
    net = replace(sbp.load("linear-chain"), notation=Notation(layer=mark.word))
    text = sbp.render(sbp.derive(net).document(), "json")
    assert mark.around(2) in json.dumps(json.loads(text)["gradients"]).replace("\\\\", "\\")
