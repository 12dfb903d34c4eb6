"""The command `symbackprop`.

Owns: arguments, exit codes (0 fine, 1 something disagrees, 2 bad usage or bad input), and where
text goes: reports to stdout alone, progress and errors to stderr.
Refuses: mathematics, and a traceback for anything a user can cause. Imports what a command needs
when it runs, so that `--help` and `init` do without SymPy.
"""

from __future__ import annotations

import argparse
import os
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from symbackprop.errors import OutputError, SymbackpropError, UsageError, did_you_mean, printable
from symbackprop.notation import LAYER_MARKS, SAMPLE_LAYOUTS

if TYPE_CHECKING:
    from symbackprop.api import Net

FINE, DISAGREES, BAD_INPUT, INTERRUPTED = 0, 1, 2, 130

DEFAULT_FORMATS = ("md", "tex", "json")
DETAILS = ("summary", "full")
BACKENDS = ("numpy",)
PATIENCE = 1.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the exit code."""
    try:
        asked = _parser().parse_args(arguments)
        code: int = asked.run(asked)
        sys.stdout.flush()
        return code
    except SymbackpropError as error:
        _complain(str(error))
        return BAD_INPUT
    except BrokenPipeError:  # `symbackprop check … | head` has read enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FINE
    except OSError as error:
        path = f"{error.filename}: " if error.filename else ""
        _complain(printable(f"{path}{(error.strerror or str(error)).lower()}"))
        return BAD_INPUT
    except KeyboardInterrupt:
        _complain("interrupted")
        return INTERRUPTED


def _complain(message: str) -> None:
    print(f"symbackprop: {message}", file=sys.stderr)


# --------------------------------------------------------------------------------------------
# Arguments
# --------------------------------------------------------------------------------------------


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        self.exit(BAD_INPUT, f"{self.prog}: {printable(message)}\n")


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
    _add_init(commands)
    return parser


class _Version(argparse.Action):
    """Looked up only when it is asked for."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        import symbackprop

        print(f"symbackprop {symbackprop.__version__}")
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
        "--format", metavar="LIST", help=f"of {','.join(DEFAULT_FORMATS)} (default: all)"
    )
    parser.add_argument("--samples-as", choices=SAMPLE_LAYOUTS, help="what one sample is")
    parser.add_argument("--layer", choices=LAYER_MARKS, help="how layers are marked")
    parser.add_argument("--detail", choices=DETAILS, default="full")


def _add_export(commands: Commands) -> None:
    parser = _command(commands, "export", _export, "write the gradients as code that stands alone")
    parser.add_argument("spec", metavar="SPEC")
    parser.add_argument("-o", dest="output", metavar="FILE.py", required=True)
    parser.add_argument("--backend", choices=BACKENDS, default="numpy")


def _add_check(commands: Commands) -> None:
    parser = _command(commands, "check", _check, "compare every gradient with every oracle")
    parser.add_argument("spec", metavar="SPEC")
    parser.add_argument(
        "--optional", action="store_true", help="also ask torch and JAX, where installed"
    )


def _add_init(commands: Commands) -> None:
    parser = _command(commands, "init", _init, "print a network file to start from")
    parser.add_argument("example", metavar="EXAMPLE", nargs="?")


# --------------------------------------------------------------------------------------------
# Commands
# --------------------------------------------------------------------------------------------


def _derive(asked: argparse.Namespace) -> int:
    from symbackprop import api, files
    from symbackprop.render import formats

    net = _with_notation(api.load(asked.spec), asked)
    targets, create = _targets(asked.output, asked.format, net.name, formats())
    files.foresee(targets.values(), create)
    with _progress(f"deriving {net.name}") as notify:
        document = api.derive(net).document(asked.detail)
        contents = {}
        for format, path in targets.items():
            notify(f"writing {net.name} as {format}")
            contents[path] = api.render(document, format)
    files.write_all(contents, create)
    _tell_written(targets.values())
    return FINE


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
    path = _file(asked.output)
    files.foresee([path])
    with _progress(f"deriving {net.name}"):
        source = api.derive(net).source()
    files.write_all({path: source})
    _tell_written([path])
    return FINE


def _check(asked: argparse.Namespace) -> int:
    from symbackprop import api

    net = api.load(asked.spec)
    with _progress(f"deriving {net.name}") as notify:
        report = api.check(
            net, asked.optional, notify=lambda oracle: notify(f"checking {net.name}: {oracle}")
        )
    print(report)
    return FINE if report.ok else DISAGREES


def _init(asked: argparse.Namespace) -> int:
    from symbackprop.spec import example_names, example_text

    if asked.example is not None:
        sys.stdout.write(example_text(asked.example))
        return FINE
    names = example_names()
    width = max(map(len, names))
    print("Examples (`symbackprop init NAME` prints one):\n")
    for name in names:
        print(f"  {name:<{width}}  {_first_comment(example_text(name))}")
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
    if place.endswith(("/", os.sep)) or os.path.isdir(_file(place)):
        directory = _file(place)
        formats = chosen or [f for f in DEFAULT_FORMATS if f in available]
        create = directory if place.endswith(("/", os.sep)) else None
        return {format: directory / f"{name}.{format}" for format in formats}, create
    path = _file(place)
    return {_format_of(path, chosen, available): path}, None


def _file(place: str) -> Path:
    if not place or "\0" in place:
        raise OutputError(place, "not a path")
    return Path(place)


def _formats(wanted: str | None, available: Sequence[str]) -> list[str]:
    """The formats of `--format`, in order and once each."""
    if wanted is None:
        return []
    formats = list(dict.fromkeys(word.strip() for word in wanted.split(",")))
    for format in formats:
        if format not in available:
            hint = did_you_mean(format, available)
            raise UsageError(
                f"--format: found {format!r}, expected some of {', '.join(available)}"
                + (f"; {hint}" if hint else "")
            )
    return formats


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


def _tell_written(paths: Iterable[Path]) -> None:
    for path in paths:
        print(f"wrote {printable(str(path))}", file=sys.stderr)


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
                sys.stderr.write("\r\x1b[K")
                sys.stderr.flush()

    def _show(self) -> None:
        with self.lock:
            self.visible = True
            self._write()

    def _write(self) -> None:
        line = f"symbackprop: {self.stage} ..."
        sys.stderr.write(f"\r\x1b[K{line}" if self.terminal else f"{line}\n")
        sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main())
