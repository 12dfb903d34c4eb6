"""From paths to notes.

Owns: which files are read: `.md`, `.tex`, `.ipynb`; in folders all of them, in order.
Refuses: following links to folders, `\\input`, and hidden folders.
Would be wrong if a file were left out silently that a user named, or read twice.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from symbackprop.errors import InputError
from symbackprop.files import read_text, reason_of
from symbackprop.guard import guarded, told
from symbackprop.reading.notes.markdown import read_markdown
from symbackprop.reading.notes.notebook import read_notebook
from symbackprop.reading.notes.passages import Note
from symbackprop.reading.notes.tex import read_tex

READERS = {".md": read_markdown, ".tex": read_tex, ".ipynb": read_notebook}
SKIPPED = frozenset(("node_modules", "__pycache__", "venv", "site-packages"))
_KINDS = ".md, .tex or .ipynb"


@dataclass(frozen=True)
class Problem:
    """A path from which no note came, and why; `fault` where that is ours."""

    path: str
    reason: str
    fault: bool = False


def read_note(path: str | os.PathLike[str]) -> Note:
    """The note in one file. Raises: InputError with the path and the reason."""
    name = os.fspath(path)
    reader = READERS.get(Path(name).suffix.lower())
    if reader is None:
        raise InputError(name, f"not a {_KINDS} file")
    return reader(name, read_text(name))


def read_notes(paths: Iterable[str | os.PathLike[str]]) -> tuple[Note | Problem, ...]:
    """The notes in files and folders: paths in the order given, a folder's files sorted by name;
    a file that is reached twice is read once."""
    notes: list[Note | Problem] = []
    seen: set[str] = set()
    for path in paths:
        for found in _files(os.fspath(path)):
            if isinstance(found, Problem):
                notes.append(found)
            elif (real := os.path.realpath(found)) not in seen:
                seen.add(real)
                notes.append(_note_or_problem(found))
    return tuple(notes)


def _note_or_problem(path: str) -> Note | Problem:
    try:
        return guarded(partial(read_note, path), lambda bug: Problem(path, told(bug, "file"), True))
    except InputError as error:
        return Problem(error.path, error.reason)


def _files(path: str) -> Iterator[str | Problem]:
    """The file, or those of a folder."""
    if "\0" in path or not os.path.isdir(path):
        yield path if "\0" not in path else Problem(path, "the name holds a NUL character")
        return
    empty = True
    for found in _inside(path):
        empty = False
        yield found
    if empty:
        yield Problem(path, f"the folder holds no {_KINDS} file")


def _inside(folder: str) -> Iterator[str | Problem]:
    waiting = [folder]
    while waiting:
        path = waiting.pop()
        if not os.path.isdir(path) or (os.path.islink(path) and path != folder):
            if Path(path).suffix.lower() in READERS and not os.path.isdir(path):
                yield path
            continue
        try:
            names = sorted(os.listdir(path), reverse=True)
        except OSError as error:
            yield Problem(path, reason_of(error))
            continue
        waiting += [os.path.join(path, name) for name in names if not _is_skipped(name)]


def _is_skipped(name: str) -> bool:
    return name.startswith(".") or name in SKIPPED
