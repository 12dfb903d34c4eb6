"""Reports that documents show: `python -m tests.shown` copies them anew from output/notes.

Owns: where a document shows a piece of a report, and which piece it is: the one about the same
place of the same file. Wrong if a document showed what the tool does not say.
"""

from __future__ import annotations

import re

from tests.places import ROOT

DOCUMENTS = ("README.md", "docs/verifying.md")
_BLOCK = re.compile(r"^```\n(docs/notes/.*?)\n```$", flags=re.S | re.M)
_PLACE = re.compile(r"\S+?:\d+:\d+:")


def pieces() -> dict[str, str]:
    """The paragraphs of the committed reports, by the place with which they begin."""
    found: dict[str, str] = {}
    for path in sorted((ROOT / "output" / "notes").glob("*.report.txt")):
        for paragraph in path.read_text("utf-8").split("\n\n"):
            if place := _PLACE.match(paragraph):
                found[place[0]] = paragraph.rstrip("\n")
    return found


def places(text: str) -> list[str]:
    """The places of which a document shows what the report says."""
    return [place[0] for block in _BLOCK.findall(text) if (place := _PLACE.match(block))]


def renewed(text: str) -> str:
    """A document with what the reports say now; KeyError where they say nothing of a place."""
    found = pieces()
    return _BLOCK.sub(lambda block: f"```\n{found[_place(block[1])]}\n```", text)


def _place(block: str) -> str:
    place = _PLACE.match(block)
    assert place is not None, f"no place at the beginning of: {block}"
    return place[0]


if __name__ == "__main__":
    for name in DOCUMENTS:
        document = ROOT / name
        document.write_text(renewed(document.read_text("utf-8")), encoding="utf-8")
