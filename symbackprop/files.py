"""The files of a user: read whole or refused, written all or none.

Owns: the one way in, which opens ordinary files of bounded size and nothing else; and the way from
finished contents to files on the disk: each is written beside its target under a temporary name,
then all are moved into place, and what was there comes back where a move fails.
Refuses: pipes, devices and sockets, text that is not UTF-8, writing over what was read, and
writing anything before every target has been looked at.
Wrong if a file that was named can be waited for without end, if a fault or an interrupt leaves a
temporary file behind, or one target new and the next old.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import signal
import stat
import threading
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path

from symbackprop.errors import InputError, OutputError, did_you_mean

Content = str | bytes

LARGEST = 20 * 10**6
NO_FILE = "no such file or directory"
_ENDING = [getattr(signal, n) for n in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, n)]
_AT_ONCE = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0) | getattr(os, "O_BINARY", 0)


# --------------------------------------------------------------------------------------------
# Reading
# --------------------------------------------------------------------------------------------


def read_text(path: str | os.PathLike[str], largest: int = LARGEST) -> str:
    """The text of an ordinary file, UTF-8 with or without a byte order mark, line ends as they are.

    Raises: InputError with the path and the reason.
    """
    return plain_text(os.fspath(path), read_bytes(path, largest))


def read_bytes(path: str | os.PathLike[str], largest: int = LARGEST) -> bytes:
    """What an ordinary file holds; `largest`: in bytes. The file is looked at before it is opened,
    and once more when it is open: no pipe is waited for, no device read.

    Raises: InputError with the path and the reason.
    """
    name = os.fspath(path)
    try:
        _expect_ordinary(name, os.stat(name), largest)
        descriptor = os.open(name, os.O_RDONLY | _AT_ONCE)
        with open(descriptor, "rb") as stream:
            _expect_ordinary(name, os.fstat(descriptor), largest)
            data = stream.read(largest + 1) or b""
    except (OSError, ValueError) as error:
        raise InputError(name, reason_of(error)) from None
    if len(data) > largest:
        raise InputError(name, _too_large(largest))
    return bytes(data)


def _expect_ordinary(name: str, facts: os.stat_result, largest: int) -> None:
    if kind := _special(facts.st_mode):
        raise InputError(name, f"{kind}, not a file")
    if facts.st_size > largest:
        raise InputError(name, _too_large(largest))


def _special(mode: int) -> str:
    """What stands there in place of an ordinary file; an empty text if that is one."""
    if stat.S_ISDIR(mode):
        return "a directory"
    if stat.S_ISFIFO(mode):
        return "a pipe"
    if stat.S_ISSOCK(mode):
        return "a socket"
    return "" if stat.S_ISREG(mode) else "a device"


def _too_large(largest: int) -> str:
    return f"larger than {largest // 10**6} MB"


def plain_text(name: str, data: bytes) -> str:
    """Bytes as UTF-8. Raises: InputError that says why they are none."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise InputError(name, "UTF-16 text; save it as UTF-8")
    if b"\0" in data:
        line = data.count(b"\n", 0, data.index(b"\0")) + 1
        raise InputError(name, f"not a text file: a NUL byte in line {line}", line)
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        reason = f"not UTF-8 text (line {line}); save it as UTF-8"
        raise InputError(name, reason, line) from None


# --------------------------------------------------------------------------------------------
# Writing
# --------------------------------------------------------------------------------------------


def write_all(
    contents: Mapping[Path, Content], create: Path | None = None, read: Collection[str] = ()
) -> None:
    """Write every file or none: temporary files first, moved into place when all are on the disk.

    `create`: a directory that may be missing; it, its parents, and directories in it are made. The
    directory of any other target has to exist. `read`: files that were read and stay as they are.
    An interrupt waits until all files are in place.
    Raises: OutputError with the path and the reason.
    """
    if create is not None:
        for directory in dict.fromkeys((create, *(path.parent for path in contents))):
            _make_directory(directory)
    foresee(contents, read=read)
    mark = secrets.token_hex(4)
    targets = {path: _Target(path, mark) for path in contents}
    with _undisturbed():
        try:
            for path, content in contents.items():
                targets[path].prepare(content)
            _replace(list(targets.values()))
        finally:
            for target in targets.values():
                target.clean()


def foresee(paths: Iterable[Path], create: Path | None = None, read: Collection[str] = ()) -> None:
    """Raise now what `write_all` would raise for certain, before the work is done in vain."""
    for path in paths:
        if create is None or create.exists():
            _look_at(path)
        _keep_inputs(path, read)


def _keep_inputs(path: Path, read: Collection[str]) -> None:
    for name in read:
        with contextlib.suppress(OSError, ValueError):
            if os.path.samefile(path, name):
                beside = f"{path.stem}.out{path.suffix}"
                reason = f"it is an input; write {beside}, or into another directory"
                raise OutputError(str(path), reason)


def _make_directory(path: Path) -> None:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        raise OutputError(f"{path}/", "a file of this name stands in the way") from None
    except (OSError, ValueError) as error:
        raise OutputError(f"{path}/", reason_of(error)) from None


def _look_at(path: Path) -> None:
    """Where a link leads counts, as it is what will be replaced."""
    try:
        real = Path(os.path.realpath(path))
        kind = _special(os.stat(path).st_mode) if os.path.lexists(real) else ""
        if kind == "a directory":
            raise OutputError(str(path), "a directory of this name stands in the way")
        if kind:  # moving a file over a device would remove it
            raise OutputError(str(path), f"{kind}, not an ordinary file")
        if not real.parent.is_dir():
            parent = real.parent if path.is_symlink() else path.parent
            raise OutputError(str(path), _no_parent(parent))
        if real.exists() and not os.access(real, os.W_OK):
            raise OutputError(str(path), "permission denied")
    except (OSError, ValueError) as error:
        raise OutputError(str(path), reason_of(error)) from None


def _no_parent(parent: Path) -> str:
    if parent.exists():
        return f"{parent} is a file, not a directory"
    try:
        siblings = [entry.name for entry in parent.parent.iterdir() if entry.is_dir()]
    except OSError:
        siblings = []
    hint = did_you_mean(parent.name, sorted(siblings)) or f"create it first: mkdir -p {parent}"
    return f"there is no directory {parent}; {hint}"


class _Target:
    """One file to write: where a link leads, and the two names beside it that are used meanwhile.
    Names are known before anything is there, so that whatever happens they can be cleaned."""

    def __init__(self, path: Path, mark: str) -> None:
        self.path = path
        self.real = os.path.realpath(path)
        folder, name = os.path.split(self.real)
        self.new, self.old = (
            os.path.join(folder, f".{name[:32]}.{mark}.{kind}") for kind in ("new", "old")
        )

    def prepare(self, content: Content) -> None:
        """The new content, beside the target."""
        data = content.encode("utf-8") if isinstance(content, str) else content
        with self._explained(), open(self.new, "xb") as stream:
            stream.write(data)
            with contextlib.suppress(FileNotFoundError):  # else what the user's mask gives
                os.chmod(self.new, stat.S_IMODE(os.stat(self.real).st_mode))

    def keep(self) -> None:
        """What is there, under a second name."""
        with self._explained(), contextlib.suppress(FileNotFoundError):
            try:
                os.link(self.real, self.old)
            except (NotImplementedError, OSError):  # no links on this disk
                shutil.copy2(self.real, self.old)

    def move(self) -> None:
        with self._explained():
            os.replace(self.new, self.real)

    def restore(self) -> None:
        with contextlib.suppress(OSError):
            if os.path.lexists(self.old):
                os.replace(self.old, self.real)
            else:
                os.unlink(self.real)

    def clean(self) -> None:
        for name in (self.new, self.old):
            with contextlib.suppress(OSError):
                os.unlink(name)

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except (OSError, ValueError) as error:
            raise OutputError(str(self.path), reason_of(error)) from None


def _replace(targets: list[_Target]) -> None:
    """Move all into place; where one cannot be moved, those before it become what they were."""
    for target in targets[:-1]:
        target.keep()
    for count, target in enumerate(targets):
        try:
            target.move()
        except OutputError:
            for earlier in reversed(targets[:count]):
                earlier.restore()
            raise


@contextlib.contextmanager
def _undisturbed() -> Iterator[None]:
    """What ends a program waits until the block is done, and then does what it always does."""
    if threading.current_thread() is not threading.main_thread():  # which alone hears of signals
        yield
        return
    waiting: list[int] = []
    usual = {n: signal.signal(n, lambda number, _: waiting.append(number)) for n in _ENDING}
    try:
        yield
    finally:
        for number, handler in usual.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
        for number in waiting:
            signal.raise_signal(number)


def reason_of(error: Exception) -> str:
    """What the system says, as the end of a sentence."""
    return (getattr(error, "strerror", None) or str(error)).lower()
