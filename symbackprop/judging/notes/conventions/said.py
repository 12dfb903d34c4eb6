r"""What a sentence says a letter is: "the target \hat{y}".

Owns: a closed list of wordings, and the families they give. Refuses: keywords alone; a sentence
with a negation says nothing. Would be wrong if "the prediction $\hat{y}$, the target $y$" were read
crosswise.
"""

from __future__ import annotations

import re

_TARGET = r"(?:targets?|labels?|desired outputs?|true values?|ground truth|expected outputs?)"
_LINK = r"(?:\s+(?:value|values|vector|is|are|be|denoted(?: by)?|,))*\s*"
_HAT = r"\$\\hat\s*\{?\s*y\s*\}?(?:[_^][^$]{0,12})?\$"
_BEFORE = re.compile(rf"\bthe {_TARGET}{_LINK}{_HAT}", re.IGNORECASE)
_AFTER = re.compile(
    rf"{_HAT}\s+(?:is|are|denotes?|stands for|marks?)\s+(?:the\s+)?{_TARGET}\b", re.IGNORECASE
)
_NOT = re.compile(r"\b(?:not|never|unlike|instead of|rather than)\b", re.IGNORECASE)


def told(text: str) -> dict[str, str]:
    """The families of letters that the prose of a note states outright."""
    for pattern in (_BEFORE, _AFTER):
        for match in pattern.finditer(text):
            start = max(text.rfind(mark, 0, match.start()) for mark in ".!?\n")
            if _NOT.search(text, start + 1, match.end()) is None:
                return {r"\hat{y}": "y"}
    return {}
