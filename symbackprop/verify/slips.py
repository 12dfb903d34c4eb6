"""The slips people make in a derivation, each with a name, a sentence and an example.

Owns: the closed list of slips, as `symbackprop explain SLIP` shows it. Refuses: finding them.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Slip:
    """`slug` is its name in reports, `title` a few words, `meaning` what it is and how it comes
    about, `wrong` and `right` a LaTeX example, `wrong_code` and `right_code` one in NumPy."""

    slug: str
    title: str
    meaning: str
    wrong: str
    right: str
    wrong_code: str = ""
    right_code: str = ""


SLUGS = (
    "transpose",  # 1 a transpose missing or too much
    "order",  # 1 factors in the wrong order
    "layer",  # 2 the layer next to it
    "derivative-missing",  # 3 f where f' is meant, or no f' at all
    "derivative-argument",  # 4 f' at the wrong argument
    "derivative-twice",  # 5
    "sample-count",  # 6 1/N missing or doubled
    "batch-sum",  # 7 a bias gradient not summed over the samples
    "sign",  # 8
    "softmax-elementwise",  # 9
    "upstream-missing",  # 10
    "path-missing",  # 11
    "wrong-variable",  # 12
    "index",  # 13 an element's or dummy index, or a bound
    "layout",  # 14
    "constant",  # 15 a factor 2, 1/2 …
    "operator",  # 15 a matrix product for an entrywise one, or back
    "size",  # a literal matrix, row or column of the wrong size or with a wrong entry
    "ill-formed",  # an index or a mark is missing
)
