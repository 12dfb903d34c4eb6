"""What breaks inside the judge: told as a fault of ours, never as one of the text.

Owns: `guarded`, the only way in which a judge outlives a bug, and the sentence that is
said of it. Refuses: deciding what a formula is worth without the part that broke: who asks says it.
Would be wrong if a bug became a verdict, or an error that a user can mend were called a bug.
"""

from __future__ import annotations

import os
import traceback
from collections.abc import Callable
from typing import TypeVar

from symbackprop import errors

T = TypeVar("T")
U = TypeVar("U")
FAULT = "fault"  # the method of a verdict that the judge could not reach


def guarded(work: Callable[[], T], instead: Callable[[Exception], U]) -> T | U:
    """What `work` gives; where it breaks inside, what `instead` makes of the bug."""
    try:
        return work()
    except errors.SymbackpropError:
        raise
    except errors.BUGS as bug:
        return instead(bug)


def told(bug: Exception, what: str = "formula", of: str = "text") -> str:
    """The sentence for a report on a `what` `of` somebody: the same on every run, so without what
    the exception says."""
    ours = os.path.dirname(__file__)
    frames = [f for f in traceback.extract_tb(bug.__traceback__) if f.filename.startswith(ours)]
    place = f" at {os.path.basename(frames[-1].filename)}:{frames[-1].lineno}" if frames else ""
    return (
        f"a fault of symbackprop, not of the {of}: {type(bug).__name__}{place}; "
        f"please report this {what}"
    )
