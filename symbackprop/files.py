"""Writing files so that none is ever half-written.

Owns: the way from finished contents to files on the disk: each is written beside its target under
a temporary name and then moved into place. Refuses: writing anything before every target has been
looked at. Wrong if a fault leaves a temporary file behind, or one target written and the next not
although that could have been foreseen.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path

from symbackprop.errors import OutputError, did_you_mean

Content = str | bytes


def write_all(contents: Mapping[Path, Content], create: Path | None = None) -> None:
    """Write every file or none: temporary files first, moved into place when all are on the disk.

    `create`: a directory that may be missing; it and its parents are made. The directory of any
    other target has to exist.
    Raises: OutputError with the path and the reason.
    """
    if create is not None:
        _make_directory(create)
    foresee(contents)
    written: dict[Path, str] = {}
    try:
        for path, content in contents.items():
            written[path] = _beside(path, content)
        for path, temporary in written.items():
            _move(temporary, path)
    finally:
        for temporary in written.values():
            with contextlib.suppress(OSError):
                os.unlink(temporary)


def foresee(paths: Iterable[Path], create: Path | None = None) -> None:
    """Raise now what `write_all` would raise for certain, before the work is done in vain."""
    for path in paths:
        if create is None or create.exists():
            _look_at(path)


def _make_directory(path: Path) -> None:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        raise OutputError(f"{path}/", "a file of this name stands in the way") from None
    except OSError as error:
        raise OutputError(f"{path}/", _reason(error)) from None


def _look_at(path: Path) -> None:
    try:
        if path.is_dir():
            raise OutputError(str(path), "a directory of this name stands in the way")
        if not path.parent.is_dir():
            raise OutputError(str(path), _no_parent(path.parent))
        if path.exists() and not path.is_file():  # moving a file over a device would remove it
            raise OutputError(str(path), "not an ordinary file")
        if path.exists() and not os.access(path, os.W_OK):
            raise OutputError(str(path), "permission denied")
    except (OSError, ValueError) as error:
        raise OutputError(str(path), _reason(error)) from None


def _no_parent(parent: Path) -> str:
    if parent.exists():
        return f"{parent} is a file, not a directory"
    try:
        siblings = [entry.name for entry in parent.parent.iterdir() if entry.is_dir()]
    except OSError:
        siblings = []
    hint = did_you_mean(parent.name, sorted(siblings)) or f"create it first: mkdir -p {parent}"
    return f"there is no directory {parent}; {hint}"


def _beside(path: Path, content: Content) -> str:
    """A temporary file in the directory of `path` with the content; its name."""
    data = content.encode("utf-8") if isinstance(content, str) else content
    try:
        handle, temporary = tempfile.mkstemp(prefix=f".{path.name[:32]}.", dir=path.parent)
    except (OSError, ValueError) as error:
        raise OutputError(str(path), _reason(error)) from None
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
        os.chmod(temporary, _mode(path))
    except OSError as error:
        os.unlink(temporary)
        raise OutputError(str(path), _reason(error)) from None
    return temporary


def _mode(path: Path) -> int:
    """What the file had, or what the user's mask gives to a new one."""
    with contextlib.suppress(OSError):
        return path.stat().st_mode & 0o777
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask


def _move(temporary: str, path: Path) -> None:
    try:
        # a link keeps pointing where it points
        os.replace(temporary, path.resolve() if path.is_symlink() else path)
    except OSError as error:
        raise OutputError(str(path), _reason(error)) from None


def _reason(error: Exception) -> str:
    return (getattr(error, "strerror", None) or str(error)).lower()
