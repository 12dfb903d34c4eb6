"""The report that a user holds: it shows itself.

Owns: `Judgement`, a report with its texts. Refuses: making them (`text`, `markdown`).
"""

from __future__ import annotations

from dataclasses import dataclass

from symbackprop.judging.printing.markdown import as_markdown
from symbackprop.judging.printing.text import as_text
from symbackprop.judging.report import Report


@dataclass(frozen=True)
class Judgement(Report):
    """A report that prints as text and shows as Markdown in Jupyter."""

    def __str__(self) -> str:
        return as_text(self)

    def _repr_markdown_(self) -> str:
        return as_markdown(self)
