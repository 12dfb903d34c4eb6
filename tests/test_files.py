"""Files of a user: what is read and what is refused, and that outputs are replaced all or none."""

from __future__ import annotations

import ast
import os
import signal
import socket
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType

import pytest

from symbackprop import cli, files
from symbackprop.errors import InputError, OutputError

NETWORK = 'input = 2\nloss = "none"\n[[layers]]\ntype = "dense"\nunits = 3\n'
NOTE = "$z^1 = h^0 W^1 + b^1$\n"
CODE = "def backward(params, x, y):\n    return {}\n"


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture(autouse=True)
def _no_waiting() -> Iterator[None]:
    """A file that is waited for fails its test."""

    def too_long(_: int, __: FrameType | None) -> None:
        raise AssertionError("waited for a file")

    before = signal.signal(signal.SIGALRM, too_long)
    signal.alarm(60)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


def run(*arguments: str) -> int:
    try:
        return cli.main(arguments)
    except SystemExit as leaving:
        return int(leaving.code or 0)


# --- reading: what is no ordinary file ---------------------------------------------------------


def _pipe(path: Path) -> None:
    os.mkfifo(path)


def _socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(path.name)


def _endless(path: Path) -> None:
    path.symlink_to("/dev/zero")


def _directory(path: Path) -> None:
    path.mkdir()


def _loop(path: Path) -> None:
    path.symlink_to(path.name)


def _nowhere(path: Path) -> None:
    path.symlink_to("missing/x")


def _huge(path: Path) -> None:
    with path.open("wb") as stream:
        stream.truncate(10**12)


def _latin(path: Path) -> None:
    path.write_bytes(b"# \xe9\n")


def _binary(path: Path) -> None:
    path.write_bytes(b"a\n\0b")


def _wide(path: Path) -> None:
    path.write_bytes(NETWORK.encode("utf-16"))


STRANGE: list[tuple[Callable[[Path], None], str]] = [
    (_pipe, "a pipe, not a file"),
    (_socket, "a socket, not a file"),
    (_endless, "a device, not a file"),
    (_directory, "a directory, not a file"),
    (_loop, "too many levels of symbolic links"),
    (_huge, "larger than"),
    (_latin, "not UTF-8 text (line 1); save it as UTF-8"),
    (_binary, "not a text file: a NUL byte in line 2"),
    (_wide, "UTF-16 text; save it as UTF-8"),
]
INPUTS = {
    "x.toml": ("check", "x.toml"),
    "y.toml": ("export", "y.toml", "-o", "g.py"),
    "z.toml": ("verify", "good.md", "--spec", "z.toml"),
    "x.md": ("verify", "x.md", "--spec", "line"),
    "x.tex": ("verify", "x.tex", "--spec", "line"),
    "x.ipynb": ("verify", "x.ipynb", "--spec", "line"),
    "x.py": ("verify", "x.py::backward", "--spec", "line"),
    "folder/x.md": ("verify", "folder", "--spec", "line"),
}


@pytest.mark.parametrize("name", INPUTS)
@pytest.mark.parametrize(("make", "reason"), STRANGE, ids=[make.__name__ for make, _ in STRANGE])
def test_what_is_no_text_in_an_ordinary_file_is_refused_at_once(
    name: str,
    make: Callable[[Path], None],
    reason: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "good.md").write_text(NOTE)
    (tmp_path / "folder").mkdir()
    monkeypatch.chdir((tmp_path / name).parent)
    make(tmp_path / name)
    monkeypatch.chdir(tmp_path)
    if make is _directory and name.endswith((".md", ".tex", ".ipynb")):
        reason = "the folder holds no .md, .tex or .ipynb file"
    assert run(*INPUTS[name]) == 2
    err = capsys.readouterr().err
    assert reason in err
    assert os.path.basename(name) in err or name.startswith("folder")
    assert "Traceback" not in err


def test_a_pipe_that_takes_the_place_of_a_file_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "file").write_text("")
    ordinary = os.stat(tmp_path / "file")
    with monkeypatch.context() as patched:
        patched.setattr(os, "stat", lambda *_: ordinary)
        with pytest.raises(InputError, match="a pipe, not a file"):
            files.read_text(tmp_path / "pipe")


def test_a_file_that_grows_while_it_is_read_stays_bounded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "x").write_text("abc")
    small = os.stat_result((stat.S_IFREG, 0, 0, 1, 0, 0, 0, 0, 0, 0))
    with monkeypatch.context() as patched:
        patched.setattr(os, "stat", lambda *_: small)
        patched.setattr(os, "fstat", lambda *_: small)
        assert files.read_text("x", 3) == "abc"
        with pytest.raises(InputError, match="larger than"):
            files.read_text("x", 2)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("x.toml", NETWORK),
        ("x.md", NOTE),
        ("x.tex", NOTE),
        ("x.ipynb", '{"cells": [{"cell_type": "markdown", "source": "$x = x$"}]}'),
        ("x.py", CODE),
    ],
)
def test_a_byte_order_mark_is_no_part_of_the_text(
    name: str, text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    reports = []
    for mark in ("", "\ufeff"):
        (tmp_path / name).write_bytes(mark.encode() + text.encode())
        command = {"x.toml": ("check", name), "x.py": ("verify", "x.py::backward")}.get(
            name, ("verify", name)
        )
        spec = () if name == "x.toml" else ("--spec", "line", "--report", "json")
        reports.append((run(*command, *spec), capsys.readouterr()))
    assert reports[0] == reports[1]


def test_every_file_of_a_user_is_opened_in_one_place() -> None:
    """A second way in would be one without the bounds."""
    allowed = {
        "cli.py: os.fdopen(os.open(os.devnull, os.O_RDWR), mode)",
        "cli.py: os.open(os.devnull, os.O_RDWR)",
        "networks/file.py: _examples().joinpath(f'{name}.toml').read_text(encoding='utf-8')",
    }
    found = set()
    package = Path(files.__file__).parent
    for path in sorted(package.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if path.name != "files.py" and isinstance(node, ast.Call) and _opens(node.func):
                found.add(f"{path.relative_to(package)}: {ast.unparse(node)}")
    assert found <= allowed


def _opens(called: ast.expr) -> bool:
    match called:
        case ast.Name(id="open"):
            return True
        case ast.Attribute(attr="open" | "fdopen" | "read_text" | "read_bytes" | "fromfile"):
            return True
        case _:
            return False


# --- writing: all or none ----------------------------------------------------------------------


def contents(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in sorted(folder.iterdir())}


@pytest.mark.parametrize("links", [True, False])
@pytest.mark.parametrize("failing", ["a", "b", "c"])
def test_where_one_file_cannot_be_replaced_all_stay_what_they_were(
    failing: str, links: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a").write_text("old a")
    (tmp_path / "c").write_text("old c")
    moved = os.replace

    def in_use(source: str, target: str) -> None:
        if os.path.basename(target) == failing and source.endswith(".new"):
            raise OSError(16, "Device or resource busy")
        moved(source, target)

    def no_links(*_: object) -> None:
        raise OSError(95, "Operation not supported")

    with monkeypatch.context() as patched:
        patched.setattr(os, "replace", in_use)
        if not links:
            patched.setattr(os, "link", no_links)
        with pytest.raises(OutputError, match=f"{failing}: device or resource busy"):
            files.write_all({tmp_path / name: f"new {name}" for name in "abc"})
    assert contents(tmp_path) == {"a": "old a", "c": "old c"}


@pytest.mark.parametrize("moment", ["prepare", "link", "replace", "chmod"])
def test_an_interrupt_waits_until_every_file_is_in_place(
    moment: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a").write_text("old a")
    owner, name = (files._Target, "prepare") if moment == "prepare" else (os, moment)
    usual = getattr(owner, name)

    def interrupted(*arguments: object) -> None:
        signal.raise_signal(signal.SIGINT)
        usual(*arguments)

    with monkeypatch.context() as patched:
        patched.setattr(owner, name, interrupted)
        with pytest.raises(KeyboardInterrupt):
            files.write_all({tmp_path / name: f"new {name}" for name in "ab"})
    assert contents(tmp_path) == {"a": "new a", "b": "new b"}
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_signal_that_ends_the_process_leaves_no_temporary_file(tmp_path: Path) -> None:
    code = (
        "import os, signal\nfrom pathlib import Path\nfrom symbackprop import files\n"
        "usual = os.replace\n"
        "def ended(*a): os.kill(os.getpid(), signal.SIGTERM); usual(*a)\n"
        "os.replace = ended\n"
        "files.write_all({Path('a'): '1', Path('b'): '2'})\nprint('still here')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (-signal.SIGTERM, "")
    assert contents(tmp_path) == {"a": "1", "b": "2"}


def test_files_may_be_written_from_any_thread(tmp_path: Path) -> None:
    writing = threading.Thread(target=files.write_all, args=({tmp_path / "a": "1"},))
    writing.start()
    writing.join()
    assert contents(tmp_path) == {"a": "1"}


def test_a_link_to_another_folder_is_written_where_it_leads(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "here").mkdir()
    (tmp_path / "here/a").symlink_to("../there/a")
    files.write_all({tmp_path / "here/a": "1"})
    assert (tmp_path / "here/a").is_symlink()
    assert contents(tmp_path / "there") == {"a": "1"}


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (_pipe, "a pipe, not an ordinary file"),
        (_endless, "a device, not an ordinary file"),
        (_loop, "too many levels of symbolic links"),
        (_nowhere, "there is no directory .*/missing"),
        (_directory, "a directory of this name stands in the way"),
    ],
)
def test_what_is_no_ordinary_file_is_not_written_over(
    make: Callable[[Path], None], reason: str, tmp_path: Path
) -> None:
    make(tmp_path / "x")
    with pytest.raises(OutputError, match=reason):
        files.write_all({tmp_path / "a": "1", tmp_path / "x": "2"})
    assert [path.name for path in tmp_path.iterdir()] == ["x"]


# --- writing: never over what was read ---------------------------------------------------------


@pytest.mark.parametrize(
    "arguments",
    [
        ("derive", "net.py", "-o", "net.py", "--format", "md"),
        ("derive", "net.py", "-o", "link", "--format", "md"),
        ("derive", "net.py", "-o", "./hard.tex"),
        ("derive", "net.py", "-o", "sub/../net.py", "--format", "md"),
        ("export", "net.py", "-o", "net.py"),
        ("export", "link", "-o", "net.py"),
        ("verify", "note.md", "--spec", "net.py", "--annotate", "net.py"),
        ("verify", "note.md", "--spec", "net.py", "--annotate", "note.md"),
        ("verify", "sub", "--spec", "net.py", "--annotate", "sub"),
        ("verify", "note.md", "code.py::backward", "--spec", "net.py", "--annotate", "code.py"),
    ],
)
def test_an_input_is_never_overwritten(
    arguments: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "net.py").write_text(NETWORK)
    (tmp_path / "link").symlink_to("net.py")
    (tmp_path / "hard.tex").hardlink_to("net.py")
    (tmp_path / "note.md").write_text(NOTE)
    (tmp_path / "code.py").write_text(CODE)
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub/note.md").write_text(NOTE)
    assert run(*arguments) == 2
    assert "it is an input; write " in capsys.readouterr().err
    assert (tmp_path / "net.py").read_text() == NETWORK
    assert (tmp_path / "note.md").read_text() == NOTE
    assert (tmp_path / "sub/note.md").read_text() == NOTE
    assert (tmp_path / "code.py").read_text() == CODE


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ("grads.txt", "found suffix .txt, expected .py; write grads.py"),
        ("net.toml", "found suffix .toml, expected .py; write net.py"),
        ("out/grads", "found no suffix, expected .py; write out/grads.py"),
    ],
)
def test_code_is_written_under_the_suffix_of_its_language(
    place: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "net.toml").write_text(NETWORK)
    assert run("export", "net.toml", "-o", place) == 2
    assert message in capsys.readouterr().err
    assert contents(tmp_path) == {"net.toml": NETWORK}


# --- streams that nobody reads -----------------------------------------------------------------

COMMANDS = {
    "--version": 0,
    "--help": 0,
    "init": 0,
    "init four-layer": 0,
    "explain": 0,
    "explain no-such-slip": 2,
    "check line": 0,
    "check no-such": 2,
    "derive line -o out/": 0,
    "export line -o g.py": 0,
    "verify note.md --spec line": 0,
    "verify wrong.md --spec line --report json": 1,
    "nonsense": 2,
}


def _gone() -> int:
    reading, writing = os.pipe()
    os.close(reading)
    return writing


@pytest.mark.slow
@pytest.mark.parametrize("command", COMMANDS)
def test_who_reads_the_streams_changes_no_exit_code(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "note.md").write_text("$$\ny = m x + c\n$$\n")
    (tmp_path / "wrong.md").write_text("$$\n\\frac{\\partial y}{\\partial m} = c\n$$\n")
    for out in (None, _gone()):
        for err in (None, _gone()):
            for name, number in (("stdout", out), ("stderr", err)):
                stream = None if number is None else os.fdopen(os.dup(number), "w")
                monkeypatch.setattr(sys, name, stream)
            assert run(*command.split()) == COMMANDS[command]
            monkeypatch.undo()
            monkeypatch.chdir(tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("ending", ["| head -n 1", ">&-", "2>&-", ">&- 2>&- <&-", "2>&1 | true"])
@pytest.mark.parametrize("command", ["init", "explain", "--help", "nonsense"])
def test_a_stream_that_is_closed_leaves_no_trace(command: str, ending: str) -> None:
    line = f'"{sys.executable}" -m symbackprop {command} {ending}; exit "${{PIPESTATUS[0]}}"'
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=False)
    assert done.returncode == COMMANDS[command]
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr


def test_a_report_that_cannot_be_written_exits_2() -> None:
    line = f'"{sys.executable}" -m symbackprop explain > /dev/full'
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    message = "symbackprop: cannot write standard output: no space left on device\n"
    assert done.stderr == message
