"""The catalogue of slips for people: `symbackprop explain`.

Owns: the layout of one slip and of the list. Refuses: the words (`slips` has them).
"""

from __future__ import annotations

from symbackprop.judging.printing.layout import WIDTH, wrapped
from symbackprop.judging.slips import SLIPS, find


def explain(slug: str) -> str:
    """One slip with its examples.

    Raises: UsageError for a name that is not in the list.
    """
    slip = find(slug)
    lines = [f"{slip.slug}: {slip.title}", "", *wrapped(slip.meaning, WIDTH), ""]
    for label, formula, code in (
        ("wrong", slip.wrong, slip.wrong_code),
        ("right", slip.right, slip.right_code),
    ):
        lines += wrapped(formula, WIDTH, first=f"  {label}   ", indent=" " * 12)
        lines += [f"{'':10}{code}"] if code else []
    return "\n".join(lines)


def overview() -> str:
    """Every slip on a line."""
    room = max(len(slip.slug) for slip in SLIPS)
    rows = [f"  {slip.slug:<{room}}  {slip.title}" for slip in SLIPS]
    return "\n".join(["Slips (`symbackprop explain NAME` shows one):", "", *rows])
