"""The shipped notes and code are judged as the documents show it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import symbackprop as sbp
from symbackprop.api import annotate
from symbackprop.judging.printing.json import as_json
from symbackprop.judging.printing.text import as_text
from symbackprop.reading.notes.files import read_note
from tests.places import ROOT
from tests.shown import DOCUMENTS, places, renewed

BACKWARD = [f"docs/notes/backward.py::{name}" for name in ("backward", "backward_wrong")]
NET = "docs/notes/two-layer.toml"
RUNS = {
    "two-layer": (["docs/notes/two-layer.md"], None),
    "two-layer-slips": (["docs/notes/two-layer-slips.md"], None),
    "backward": (BACKWARD, NET),
}
OUTPUT = ROOT / "output" / "notes"
REFRESH = "renew it: make derive && python -m tests.shown"


def commands(path: str) -> Iterator[list[str]]:
    """What a document tells the reader to judge of the shipped notes."""
    text = (ROOT / path).read_text("utf-8")
    for line in re.findall(r"^symbackprop verify (docs/notes/.*)$", text, flags=re.M):
        yield line.split()


@pytest.mark.slow
@pytest.mark.parametrize("name", RUNS)
def test_committed_reports_are_what_the_tool_says(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    paths, net = RUNS[name]
    report = sbp.verify(paths, net)
    written = {f"{name}.report.txt": as_text(report), f"{name}.report.json": as_json(report)}
    for file, text in written.items():
        assert (OUTPUT / file).read_text("utf-8") == text + "\n", REFRESH
    for path, copy in annotate(report).items():
        assert (OUTPUT / Path(path).name).read_text("utf-8") == copy, REFRESH


@pytest.mark.parametrize("path", DOCUMENTS)
def test_reports_shown_in_documents_are_real(path: str) -> None:
    text = (ROOT / path).read_text("utf-8")
    assert places(text)
    assert renewed(text) == text, REFRESH


@pytest.mark.parametrize("path", DOCUMENTS)
def test_commands_shown_for_the_shipped_notes_are_those_that_are_run(path: str) -> None:
    found = list(commands(path))
    assert found
    for paths in found:
        known = [[*judged, "--spec", net] if net else judged for judged, net in RUNS.values()]
        assert any(set(paths) <= set(arguments) for arguments in known), paths


def test_the_slips_are_five_and_one_is_carried_on_twice() -> None:
    claims = sbp.verify(str(ROOT / "docs/notes/two-layer-slips.md")).claims
    refuted = [claim for claim in claims if claim.status == "refuted"]
    causes = [claim.slip for claim in refuted if not claim.consistent]
    assert causes == ["sign", "transpose", "derivative-missing", "layer", "batch-sum"]
    slip = next(claim.line for claim in refuted if claim.slip == "derivative-missing")
    assert [c.follows_from for c in refuted if c.consistent] == [(slip,), (slip,)]


def test_the_network_beside_the_notes_is_the_one_they_carry() -> None:
    beside = sbp.load(str(ROOT / "docs/notes/two-layer.toml"))
    for name in ("two-layer", "two-layer-slips"):
        path = ROOT / "docs" / "notes" / f"{name}.md"
        carried = read_note(str(path)).specification
        assert carried
        assert sbp.loads(carried).architecture == beside.architecture


def test_a_marked_copy_holds_its_notes_line_by_line() -> None:
    for name in ("two-layer", "two-layer-slips"):
        notes = (ROOT / "docs" / "notes" / f"{name}.md").read_text("utf-8").splitlines()
        copy = (ROOT / "output" / "notes" / f"{name}.md").read_text("utf-8").splitlines()
        assert [line for line in copy if not line.startswith("> ")] == notes
