"""The command `symbackprop`.

Owns: arguments, exit codes (0 fine, 1 something disagrees, 2 bad usage or bad input, or nothing to
judge), and where text goes: reports to stdout alone, progress and errors to stderr. Whether
anybody reads them changes neither what is done nor the exit code.
Refuses: mathematics, and a traceback for anything a user can cause. Imports what a command needs
when it runs, so that `--help` and `init` do without SymPy.
"""

from __future__ import annotations

import argparse
import os
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, TextIO

from symbackprop.document.dialects import formats
from symbackprop.errors import OutputError, SymbackpropError, UsageError, did_you_mean, printable
from symbackprop.guard import guarded, told
from symbackprop.notation import LAYER_MARKS, SAMPLE_LAYOUTS
from symbackprop.writing.code.backend import NUMPY
from symbackprop.writing.code.backends import BACKENDS

if TYPE_CHECKING:
    from symbackprop.api import Net
    from symbackprop.judging.report import Report

FINE, DISAGREES, BAD_INPUT, INTERRUPTED = 0, 1, 2, 130

DEFAULT_FORMATS = ("md", "tex", "json")
DETAILS = ("summary", "full")
REPORTS = ("text", "json", "github")
PATIENCE = 1.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the exit code."""
    _open_streams()
    try:
        asked = _parser().parse_args(arguments)
        code: int = asked.run(asked)
        return code
    except SymbackpropError as error:
        _complain(str(error))
        return BAD_INPUT
    except OSError as error:
        path = f"{error.filename}: " if error.filename else ""
        _complain(printable(f"{path}{(error.strerror or str(error)).lower()}"))
        return BAD_INPUT
    except KeyboardInterrupt:
        _complain("interrupted")
        return INTERRUPTED


# --------------------------------------------------------------------------------------------
# What is said
# --------------------------------------------------------------------------------------------


def _open_streams() -> None:
    """A stream that was closed (`>&-`) is one that nobody reads. Left closed, its number would go
    to the next file that is opened."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_RDWR), mode))


def _say(text: str, end: str = "\n") -> None:
    """On stdout, also where its encoding lacks a character, or where `| head` has read enough.

    Raises: OutputError if what was asked for cannot be written, as on a full disk.
    """
    encoding = sys.stdout.encoding or "utf-8"
    try:
        sys.stdout.write((text + end).encode(encoding, "backslashreplace").decode(encoding))
        sys.stdout.flush()
    except OSError as error:
        _silence(sys.stdout)
        if not isinstance(error, BrokenPipeError):
            raise OutputError("standard output", (error.strerror or str(error)).lower()) from None


def _tell(text: str, end: str = "\n") -> None:
    """On stderr, if it can be written."""
    try:
        sys.stderr.write(text + end)
        sys.stderr.flush()
    except OSError:
        _silence(sys.stderr)


def _silence(stream: TextIO) -> None:
    """Let nothing more fail in a stream: what is left in its buffer is written when Python ends."""
    with suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_RDWR), stream.fileno())


def _complain(message: str) -> None:
    _tell(f"symbackprop: {message}")


# --------------------------------------------------------------------------------------------
# Arguments
# --------------------------------------------------------------------------------------------


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        self.exit(BAD_INPUT, f"{self.prog}: {printable(message)}\n")

    def _print_message(self, message: str, file: object = None) -> None:
        (_say if file is sys.stdout else _tell)(message, end="")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="symbackprop",
        description="From one network file: a checked derivation of its gradients, and code "
        "that is proven equal to it.",
        epilog="SPEC is a network file, or the name of an example; `symbackprop init` lists them.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="print the version")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    _add_derive(commands)
    _add_export(commands)
    _add_check(commands)
    _add_verify(commands)
    _add_explain(commands)
    _add_init(commands)
    return parser


class _Version(argparse.Action):
    """Looked up only when it is asked for."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        import symbackprop

        _say(f"symbackprop {symbackprop.__version__}")
        parser.exit(FINE)


if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[_Parser]


def _command(
    commands: Commands,
    name: str,
    run: Callable[[argparse.Namespace], int],
    text: str,
) -> _Parser:
    parser = commands.add_parser(name, help=text, description=text, allow_abbrev=False)
    parser.set_defaults(run=run)
    return parser


def _add_derive(commands: Commands) -> None:
    parser = _command(commands, "derive", _derive, "write the derivation as documents")
    parser.add_argument("spec", metavar="SPEC")
    parser.add_argument(
        "-o",
        dest="output",
        metavar="PATH",
        help="a directory (existing, or ending in /), or a file whose suffix chooses the format; "
        "default output/",
    )
    parser.add_argument(
        "--format",
        metavar="LIST",
        help=f"of {','.join(formats())} (default: {','.join(DEFAULT_FORMATS)})",
    )
    parser.add_argument("--samples-as", choices=SAMPLE_LAYOUTS, help="what one sample is")
    parser.add_argument("--layer", choices=list(LAYER_MARKS), help="how layers are marked")
    parser.add_argument("--detail", choices=DETAILS, default="full")


def _add_export(commands: Commands) -> None:
    parser = _command(commands, "export", _export, "write the gradients as code that stands alone")
    parser.add_argument("spec", metavar="SPEC")
    parser.add_argument("-o", dest="output", metavar="FILE.py", required=True)
    parser.add_argument(
        "--backend",
        choices=tuple(BACKENDS),
        default=NUMPY.name,
        help=f"the library that the code uses (default: {NUMPY.name})",
    )


def _add_check(commands: Commands) -> None:
    parser = _command(commands, "check", _check, "compare every gradient with every oracle")
    parser.add_argument("spec", metavar="SPEC")
    parser.add_argument(
        "--optional", action="store_true", help="also ask torch and JAX, where installed"
    )


def _add_verify(commands: Commands) -> None:
    parser = _command(commands, "verify", _verify, "judge derivations and code written by hand")
    parser.add_argument(
        "paths",
        metavar="PATH",
        nargs="+",
        help="notes (.md, .tex, .ipynb) or a folder of them, FILE.py::FUNCTION, FILE.py (a script)",
    )
    parser.add_argument(
        "--spec",
        metavar="SPEC",
        help="the network; may be left out where the notes carry theirs, or state it by their "
        "forward equations and their loss",
    )
    parser.add_argument(
        "--report", choices=REPORTS, default="text", help="what to print (default: text)"
    )
    parser.add_argument("--strict", action="store_true", help="also exit 1 for what is undecided")
    parser.add_argument(
        "--annotate",
        metavar="OUT",
        help="also write a copy of the notes with a mark beside each formula: a file, or a "
        "directory (existing, or ending in /)",
    )
    parser.add_argument(
        "--explain",
        metavar="LINE",
        type=_line,
        help="also say how the formulas in this line of the notes were read, and why",
    )
    parser.add_argument(
        "--execute", action="store_true", help="run code that cannot be read; only code you trust"
    )
    parser.add_argument("-v", "--verbose", action="store_true", help="list every claim")


def _line(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 0 < len(text) < 8 or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no line; lines are counted from 1")
    return int(text)


def _add_explain(commands: Commands) -> None:
    parser = _command(commands, "explain", _explain, "say what a slip is, with an example")
    parser.add_argument("slip", metavar="SLIP", nargs="?", help="without a name: list all")


def _add_init(commands: Commands) -> None:
    parser = _command(commands, "init", _init, "print a network file to start from")
    parser.add_argument("example", metavar="EXAMPLE", nargs="?")


# --------------------------------------------------------------------------------------------
# Commands
# --------------------------------------------------------------------------------------------


def _derive(asked: argparse.Namespace) -> int:
    from symbackprop import api, files

    net = _with_notation(api.load(asked.spec), asked)
    targets, create = _targets(asked.output, asked.format, net.name, formats())
    read = _read_for(asked.spec)
    files.foresee(targets.values(), create, read)
    with _progress(f"deriving {net.name}") as notify:
        document = api.derive(net).document(asked.detail)
        contents = {}
        for format, path in targets.items():
            notify(f"writing {net.name} as {format}")
            contents[path] = api.render(document, format)
    files.write_all(contents, create, read)
    _tell_written(targets.values())
    return FINE


def _read_for(spec: str | None) -> list[str]:
    """The file behind a SPEC; none behind the name of an example."""
    from symbackprop.networks.file import example_names

    return [] if spec is None or spec in example_names() else [spec]


def _with_notation(net: Net, asked: argparse.Namespace) -> Net:
    notation = net.notation
    if asked.samples_as:
        notation = replace(notation, samples=asked.samples_as)
    if asked.layer:
        notation = replace(notation, layer=asked.layer)
    return replace(net, notation=notation)


def _export(asked: argparse.Namespace) -> int:
    from symbackprop import api, files

    net = api.load(asked.spec)
    path = _code_file(asked.output, BACKENDS[asked.backend].suffix)
    read = _read_for(asked.spec)
    files.foresee([path], read=read)
    with _progress(f"deriving {net.name}"):
        source = api.derive(net).source(backend=asked.backend)
    files.write_all({path: source}, read=read)
    _tell_written([path])
    return FINE


def _check(asked: argparse.Namespace) -> int:
    from symbackprop import api

    net = api.load(asked.spec)
    with _progress(f"deriving {net.name}") as notify:
        report = api.check(
            net, asked.optional, notify=lambda oracle: notify(f"checking {net.name}: {oracle}")
        )
    _say(str(report))
    return FINE if report.ok else DISAGREES


def _verify(asked: argparse.Namespace) -> int:
    from symbackprop import api, files

    read = [*_read_for(asked.spec), *(path.rpartition("::")[0] or path for path in asked.paths)]
    if asked.annotate is not None and not _is_directory(asked.annotate):
        files.foresee([_file(asked.annotate)], read=read)
    net = None if asked.spec is None else api.load(asked.spec)
    with _progress("reading") as notify:
        report = api.verify(
            asked.paths,
            net,
            execute=asked.execute,
            argue=asked.explain,
            progress=_paced(notify, sys.stderr.isatty()),
        )
    _say(guarded(partial(_printed, report, asked), partial(_in_short, report)))
    if asked.annotate is not None:
        _write_annotated(api.annotate(report), asked.annotate, read)
    return _verdict(report, asked.strict)


def _printed(report: Report, asked: argparse.Namespace) -> str:
    if asked.report == "json":
        from symbackprop.judging.printing.json import as_json

        return as_json(report)
    if asked.report == "github":
        from symbackprop.judging.printing.github import as_github

        return as_github(report, strict=asked.strict)
    from symbackprop.judging.printing.text import as_text

    return as_text(report, colour=_wants_colour(), verbose=asked.verbose)


def _in_short(report: Report, bug: Exception) -> str:
    """The verdicts alone, where the printing of a report breaks."""
    verdicts = [f"{printable(c.file)}:{c.line}: {c.status}" for c in report.claims]
    return "\n".join([*verdicts, told(bug, "file")])


def _wants_colour() -> bool:
    """As no-color.org and force-color.org say; otherwise where somebody looks."""
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR", "0") not in ("", "0"):
        return True
    return sys.stdout.isatty() and os.environ.get("TERM") != "dumb"


def _verdict(report: Report, strict: bool) -> int:
    """The exit code; what is missing is said on stderr, for the report may go to a program."""
    problems = [file for file in report.files if file.problem]
    for file in problems:
        _complain(printable(f"{file.file}: {file.problem}"))
    if not problems and not report.claims:
        _complain(_nothing_judged(report))
    if problems or not report.claims:
        return BAD_INPUT
    found = report.summary
    return DISAGREES if found["refuted"] or (strict and found["undecided"]) else FINE


def _nothing_judged(report: Report) -> str:
    names = [printable(file.file) for file in report.files]
    where = names[0] if len(names) == 1 else f"{len(names)} files"
    return (
        f"{where}: found no formula to judge, expected equations between $…$, $$…$$, \\(…\\), "
        "\\[…\\], in a fenced `math` block or an equation environment"
    )


def _explain(asked: argparse.Namespace) -> int:
    from symbackprop.judging.printing.explain import explain, overview

    _say(overview() if asked.slip is None else explain(asked.slip))
    return FINE


def _init(asked: argparse.Namespace) -> int:
    from symbackprop.networks.file import example_names, example_text

    if asked.example is not None:
        _say(example_text(asked.example), end="")
        return FINE
    names = example_names()
    width = max(map(len, names))
    _say("Examples (`symbackprop init NAME` prints one):\n")
    for name in names:
        _say(f"  {name:<{width}}  {_first_comment(example_text(name))}")
    return FINE


def _first_comment(text: str) -> str:
    """The sentence that an example opens with."""
    lines = []
    for line in text.splitlines():
        if not line.startswith("#"):
            break
        lines.append(line.lstrip("# ").strip())
    sentence = " ".join(lines).partition(". ")[0].rstrip(".")
    return sentence.partition(": ")[0] if len(sentence) > 80 else sentence


# --------------------------------------------------------------------------------------------
# Where documents go
# --------------------------------------------------------------------------------------------


def _targets(
    output: str | None, wanted: str | None, name: str, available: Sequence[str]
) -> tuple[dict[str, Path], Path | None]:
    """The file for each format, and the directory that may have to be made."""
    chosen = _formats(wanted, available)
    place = "output/" if output is None else output
    if _is_directory(place):
        directory = _file(place)
        create = directory if place.endswith(("/", os.sep)) else None
        return {f: directory / f"{name}.{f}" for f in chosen or DEFAULT_FORMATS}, create
    path = _file(place)
    return {_format_of(path, chosen, available): path}, None


def _is_directory(place: str) -> bool:
    return place.endswith(("/", os.sep)) or os.path.isdir(_file(place))


def _file(place: str) -> Path:
    if not place or "\0" in place:
        raise OutputError(place, "not a path")
    return Path(place)


def _code_file(place: str, suffix: str) -> Path:
    path = _file(place)
    if path.suffix != suffix and not path.is_dir():
        found = f"suffix {printable(path.suffix)}" if path.suffix else "no suffix"
        instead = printable(str(path.with_suffix(suffix)))
        raise UsageError(f"-o: found {found}, expected {suffix}; write {instead}")
    return path


def _formats(wanted: str | None, available: Sequence[str]) -> list[str]:
    """The formats of `--format`, in order and once each."""
    if wanted is None:
        return []
    found = list(dict.fromkeys(word.strip() for word in wanted.split(",")))
    for format in found:
        if format not in available:
            hint = did_you_mean(format, available)
            raise UsageError(
                f"--format: found {format!r}, expected some of {', '.join(available)}"
                + (f"; {hint}" if hint else "")
            )
    return found


def _format_of(path: Path, chosen: Sequence[str], available: Sequence[str]) -> str:
    suffix = path.suffix.removeprefix(".")
    if len(chosen) > 1:
        raise UsageError(
            f"-o: found the file {printable(str(path))} for {len(chosen)} formats, expected a "
            f"directory; write {printable(str(path))}/"
        )
    if suffix in available and chosen and chosen[0] != suffix:
        raise UsageError(f"-o: found suffix .{suffix}, expected .{chosen[0]}, as --format says")
    if chosen:
        return chosen[0]
    if suffix not in available:
        endings = ", ".join(f".{format}" for format in available)
        found = f"suffix {printable(path.suffix)}" if suffix else "no suffix"
        raise UsageError(
            f"-o: found {found}, expected one of {endings}; for a directory write "
            f"{printable(str(path))}/"
        )
    return suffix


def _write_annotated(notes: dict[str, str], place: str, read: Sequence[str]) -> None:
    """The copies into a directory, placed as the notes are; or the only one into a file."""
    from symbackprop import files

    targets = _copies(list(notes), place)
    contents = {path: notes[name] for name, path in targets.items()}
    create = _file(place) if _is_directory(place) else None
    files.write_all(contents, create, (*read, *notes))
    _tell_written(targets.values())


def _copies(names: Sequence[str], place: str) -> dict[str, Path]:
    if not names:
        raise UsageError("--annotate: found no notes, expected .md, .tex or .ipynb")
    if _is_directory(place):
        common = os.path.commonpath([os.path.dirname(os.path.abspath(name)) for name in names])
        return {name: _file(place) / os.path.relpath(name, common) for name in names}
    if len(names) > 1:
        raise UsageError(
            f"--annotate: found the file {printable(place)} for {len(names)} notes, expected a "
            f"directory; write {printable(place)}/"
        )
    return {names[0]: _file(place)}


def _tell_written(paths: Iterable[Path]) -> None:
    for path in paths:
        _tell(f"wrote {printable(str(path))}")


# --------------------------------------------------------------------------------------------
# Progress
# --------------------------------------------------------------------------------------------


@contextmanager
def _progress(stage: str) -> Iterator[Callable[[str], None]]:
    """Say on stderr what is being done, once it has taken a second; later stages at once."""
    shown = _Progress(stage)
    try:
        yield shown.begin
    finally:
        shown.end()


def _paced(notify: Callable[[str], None], terminal: bool) -> Callable[[int, int, str], None]:
    """What `verify` tells of its progress, rarely enough to be read."""
    last, pause = 0.0, 0.1 if terminal else 10.0

    def hear(done: int, total: int, what: str) -> None:
        nonlocal last
        if (now := time.monotonic()) - last >= pause:
            last = now
            notify(f"judging {printable(what[:50])[:60]} ({done} of {total})")

    return hear


class _Progress:
    """Plain lines where stderr is no terminal, otherwise one line that is overwritten."""

    def __init__(self, stage: str) -> None:
        self.stage = stage
        self.visible = False
        self.terminal = sys.stderr.isatty()
        self.lock = threading.Lock()
        self.timer = threading.Timer(PATIENCE, self._show)
        self.timer.daemon = True
        self.timer.start()

    def begin(self, stage: str) -> None:
        with self.lock:
            self.stage = stage
            if self.visible:
                self._write()

    def end(self) -> None:
        self.timer.cancel()
        with self.lock:
            if self.visible and self.terminal:
                _tell("\r\x1b[K", end="")

    def _show(self) -> None:
        with self.lock:
            self.visible = True
            self._write()

    def _write(self) -> None:
        line = f"symbackprop: {self.stage} ..."
        _tell(f"\r\x1b[K{line}" if self.terminal else f"{line}\n", end="")


if __name__ == "__main__":
    sys.exit(main())
