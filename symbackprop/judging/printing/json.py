"""A report as JSON, as other programs read it.

Owns: what a value outside JSON becomes. Refuses: choosing what is in a report (`Report.as_json`).
Wrong if a strict JSON parser refused the text, or equal reports gave different text.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from symbackprop.judging.report import Report

DEEPEST = 60


def as_json(report: Report) -> str:
    """ASCII alone, keys in the record's order, no NaN: those become words."""
    return json.dumps(plain(report.as_json()), indent=2, ensure_ascii=True, allow_nan=False)


def plain(value: Any, depth: int = 0) -> Any:
    """Dicts, lists, texts and finite numbers; everything else as text.

    >>> plain({"a": (1, float("nan")), 2: 1j, "c": {"y", "x"}})
    {'a': [1, 'nan'], '2': '1j', 'c': ['x', 'y']}
    """
    if depth > DEEPEST:
        return "..."
    match value:
        case None | bool() | int() | str():
            return value
        case float():
            return float(value) if math.isfinite(value) else str(float(value))
        case Mapping():
            return {str(key): plain(item, depth + 1) for key, item in value.items()}
        case set() | frozenset():
            return sorted(str(plain(item, depth + 1)) for item in value)
        case list() | tuple():
            return [plain(item, depth + 1) for item in value]
    as_list = getattr(value, "tolist", None)  # arrays and numbers of NumPy
    return plain(as_list(), depth + 1) if callable(as_list) else str(value)
