"""Network files: TOML text to a `Specification`, or every fault of the text at once.

Owns: the keys, words and sizes a file may hold, and how its values must fit the network.
Refuses: running or evaluating any of it; a file is data from a stranger. Wrong if a faulty
file passes, if a fault is named without its line, or if anything but `SpecError` is raised.
"""

from __future__ import annotations

import keyword
import math
import os
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib.resources import files
from importlib.resources.abc import Traversable
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from symbackprop.errors import Fault, InputError, SpecError, SymbolError, did_you_mean
from symbackprop.files import NO_FILE, read_text
from symbackprop.networks import names
from symbackprop.networks.layers.architecture import LABELS, REDUCTIONS, Architecture, Layer, Size
from symbackprop.networks.toml_positions import Path, Position, Span, line_nested_beyond, positions
from symbackprop.notation import (
    DEFAULT_SYMBOLS,
    DELTA_NUMBERINGS,
    LAYER_MARKS,
    SAMPLE_LAYOUTS,
    DeltaNumbering,
    Notation,
    SampleLayout,
    parse_symbol,
)

if TYPE_CHECKING:
    from symbackprop.calculus.scalars import ScalarFunction
    from symbackprop.networks.layers.losses import Loss

Nested: TypeAlias = "float | tuple[Nested, ...]"

LARGEST_FILE = 1_000_000
MOST_LAYERS = 1_000
LARGEST_SIZE = 10**9
LONGEST_NAME = 64
DEEPEST = 16

_TOP_KEYS = ("name", "input", "loss", "reduction", "half", "labels", "samples")
_TABLES = ("layers", "notation", "values")
_LAYER_KEYS = ("type", "units", "activation", "bias")
_NOTATION_KEYS = ("samples", "layer", "delta", "symbols")
_LAYER_TYPES = ("dense",)

_UNKNOWN = ""  # stands in for a faulty size, which must not cause faults elsewhere

_NAME = re.compile(r"[A-Za-z0-9_-]+")
_SIZE_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_TENSOR_NAME = re.compile(r"(?:W|b|z|h|delta)[0-9]+|x|y|yhat|L|N")


@dataclass(frozen=True)
class Specification:
    """What a network file says; `values` maps tensor names to nested tuples of floats."""

    architecture: Architecture
    notation: Notation
    values: Mapping[str, Nested]
    text: str
    source: str


def load(name_or_path: str | os.PathLike[str]) -> Specification:
    """Read a shipped example by its name, or a file by its path.

    Raises: SpecError, also for a missing file, a directory, or bytes that are not UTF-8.
    """
    name = os.fspath(name_or_path)
    if name in example_names():
        return loads(example_text(name), f"{name}.toml")
    try:
        return loads(read_text(name, LARGEST_FILE), name)
    except InputError as error:
        raise SpecError([_file_fault(error)], name) from None


def loads(text: str, source: str = "<string>") -> Specification:
    """Read the text of a network file.

    Raises: SpecError with every fault of the text, each with its line.

    >>> spec = loads('input = 2\\nloss = "none"\\n[[layers]]\\ntype = "dense"\\nunits = "d"')
    >>> spec.architecture.widths
    (2, 'd')
    """
    text = text.removeprefix("\ufeff").replace("\r\n", "\n")
    lines = text.split("\n")
    if len(text) > LARGEST_FILE:
        fault = Fault("file", f"{len(text)} characters", f"at most {LARGEST_FILE}")
        raise SpecError([fault], source)
    if deep := line_nested_beyond(text, DEEPEST):
        found, expected = "keys or arrays nested too deeply", f"at most {DEEPEST} levels"
        raise SpecError([Fault("file", found, expected, "", deep)], source, lines)
    try:
        data = tomllib.loads(text)
    except ValueError as error:
        raise SpecError([_syntax_fault(error, lines)], source, lines) from None
    reader = _Reader(data, text)
    architecture = reader.architecture(_stem(source))
    notation = reader.notation(architecture)
    values, count = reader.values(architecture)
    if reader.faults:
        in_order = sorted(reader.faults, key=lambda f: (f.line or 0, f.column or 0))
        raise SpecError(in_order, source, lines)
    return Specification(
        _with_samples(architecture, count), notation, MappingProxyType(values), text, source
    )


def may_name_size(name: str) -> bool:
    """Whether a file may call a size so."""
    fits = _SIZE_NAME.fullmatch(name) is not None and len(name) <= LONGEST_NAME
    return fits and not _TENSOR_NAME.fullmatch(name) and not keyword.iskeyword(name)


def example_names() -> tuple[str, ...]:
    """The names of the shipped examples, simplest network first."""
    found = {
        entry.name.removesuffix(".toml")
        for entry in _examples().iterdir()
        if entry.name.endswith(".toml")
    }
    usual = ("line", "linear-chain", "two-three-one", "four-layer")
    return (*(name for name in usual if name in found), *sorted(found.difference(usual)))


def example_text(name: str) -> str:
    """The text of a shipped example.

    Raises: SpecError naming the nearest example when there is none of this name.
    """
    if name not in example_names():
        raise SpecError([_no_such_file(name)], name)
    return _examples().joinpath(f"{name}.toml").read_text(encoding="utf-8")


def _examples() -> Traversable:
    return files("symbackprop").joinpath("examples")


# The catalogue: it brings SymPy, and so comes in when a file is read


def _losses() -> Mapping[str, Loss]:
    from symbackprop.networks.layers.losses import LOSSES

    return LOSSES


def _activations() -> tuple[str, ...]:
    from symbackprop.networks.layers.activations import ACTIVATIONS

    return tuple(ACTIVATIONS)


def _functions() -> Mapping[str, ScalarFunction]:
    from symbackprop.calculus.scalars import FUNCTIONS

    return FUNCTIONS


def _loss_after(activation: str) -> str:
    """A loss that fits this last activation, one that needs it if there is one."""
    fitting = [name for name, record in _losses().items() if record.needs == activation]
    return (fitting + [name for name, record in _losses().items() if record.needs is None])[0]


# Reading a file


def _file_fault(error: InputError) -> Fault:
    if error.reason == NO_FILE:
        return _no_such_file(error.path)
    expected = f"a network file, which has at most {LARGEST_FILE // 10**6} MB"
    hint = "name the .toml file in it" if os.path.isdir(error.path) else ""
    return Fault("file", error.reason, expected, hint, error.line)


def _no_such_file(path: str) -> Fault:
    names = example_names()
    stem = os.path.basename(path).removesuffix(".toml")
    expected = f"a network file, or one of the examples {', '.join(names)}"
    return Fault("file", "no such file", expected, did_you_mean(stem, names))


def _syntax_fault(error: Exception, lines: Sequence[str]) -> Fault:
    message = str(error)
    match = re.search(r"\(at line (\d+), column (\d+)\)", message)
    line, column = (int(match[1]), int(match[2])) if match else (len(lines), None)
    reason = re.sub(r" *\(at [^)]*\)$", "", message)[:200]
    if "integer string conversion" in reason:
        return Fault("file", "a number with thousands of digits", "a network file in TOML")
    hint = ""
    if "\\" in reason:
        hint = r"write LaTeX in single quotes: '\hat{y}'"
    return Fault("file", f"text that is not TOML ({reason})", "valid TOML", hint, line, column)


def _stem(source: str) -> str:
    stem = os.path.basename(source).removesuffix(".toml")
    return stem if _NAME.fullmatch(stem) else "network"


def _with_samples(architecture: Architecture, count: int | None) -> Architecture:
    if architecture.samples is not None or count is None:
        return architecture
    return replace(architecture, samples=count)


# Reading the tables


@dataclass
class _Reader:
    """The parsed data, the places of its keys, and the faults met so far.

    A faulty entry is reported and then read as a stand-in, so that reading goes on.
    """

    data: dict[str, Any]
    text: str
    faults: list[Fault] = field(default_factory=list)
    _positions: dict[Path, Position] | None = None

    def architecture(self, default_name: str) -> Architecture:
        self._unknown_keys((), self.data, (*_TOP_KEYS, *_TABLES))
        loss = self._word(("loss",), tuple(_losses()), required=True)
        layers = self._layers()
        self._loss_fits(loss, layers)
        return Architecture(
            name=self._name(default_name),
            input=self._size(("input",), "features of one sample"),
            layers=layers,
            loss=loss,
            reduction=self._word(("reduction",), REDUCTIONS, "mean"),
            half=self._half(loss),
            labels=self._labels(loss),
            samples=self._samples(),
        )

    def notation(self, architecture: Architecture) -> Notation:
        path: Path = ("notation",)
        table = self._table(path)
        self._unknown_keys(path, table, _NOTATION_KEYS)
        symbols = self._symbols((*path, "symbols"), architecture)
        usual = Notation()
        return Notation(
            cast(SampleLayout, self._word((*path, "samples"), SAMPLE_LAYOUTS, usual.samples)),
            self._word((*path, "layer"), tuple(LAYER_MARKS), usual.layer),
            cast(DeltaNumbering, self._word((*path, "delta"), DELTA_NUMBERINGS, usual.delta)),
            symbols,
        )

    def values(self, architecture: Architecture) -> tuple[dict[str, Nested], int | None]:
        """The arrays by name and the number of samples they agree on."""
        path: Path = ("values",)
        table = self._table(path)
        if not architecture.layers:
            return {}, None
        shapes = _shapes(architecture)
        self._unknown_keys(path, table, tuple(shapes))
        sizes = _KnownSizes(architecture)
        found = {}
        for name in (name for name in shapes if name in table):
            before = len(self.faults)
            array = self._array((*path, name), table[name], name, shapes[name], sizes)
            if len(self.faults) == before:
                self._labels_hold(name, array, architecture)
                found[name] = array
        return found, sizes.known.get("N", (None, ""))[0]

    # Single entries

    def _name(self, default: str) -> str:
        name = self.data.get("name", default)
        if isinstance(name, str) and _NAME.fullmatch(name) and len(name) <= LONGEST_NAME:
            return name
        expected = f"letters, digits, - and _, at most {LONGEST_NAME}"
        self._fault(("name",), describe(name), expected)
        return default

    def _size(self, path: Path, meaning: str) -> Size:
        value = self._get(path)
        expected = f"a whole number >= 1 or a name ({meaning})"
        if value is None:
            self._missing(path, expected)
        elif isinstance(value, str):
            return self._size_name(path, value)
        elif not _is_whole(value) or not 1 <= value <= LARGEST_SIZE:
            hint = "write it without quotes or a point" if isinstance(value, float) else ""
            if _is_whole(value) and value > LARGEST_SIZE:
                hint = f"sizes go up to {LARGEST_SIZE}; a name is any size"
            self._fault(path, describe(value), expected, hint)
        else:
            return int(value)
        return _UNKNOWN

    def _size_name(self, path: Path, name: str) -> Size:
        if not _SIZE_NAME.fullmatch(name) or len(name) > LONGEST_NAME:
            hint = "write numbers without quotes" if name.strip().isdecimal() else ""
            self._fault(path, describe(name), "a letter, then letters, digits or _", hint)
        elif _TENSOR_NAME.fullmatch(name):
            self._fault(path, describe(name), "a name that no tensor has", "try `d` or `n_hidden`")
        elif keyword.iskeyword(name):
            self._fault(path, describe(name), "a name that is no Python keyword")
        return name

    def _samples(self) -> int | None:
        value = self.data.get("samples")
        if value is None:
            return None
        if _is_whole(value) and 1 <= value <= LARGEST_SIZE:
            return int(value)
        self._fault(
            ("samples",),
            describe(value),
            "a whole number >= 1",
            "derivations stay symbolic in N anyway" if isinstance(value, str) else "",
        )
        return None

    def _half(self, loss: str) -> bool:
        half = self._boolean(("half",), False)
        record = _losses().get(loss)
        if half and record and not record.halves:
            self._fault(("half",), "true", "no `half`", f"{loss} has no factor 1/2")
        return half

    def _labels(self, loss: str) -> str:
        labels = self._word(("labels",), LABELS, "one_hot")
        record = _losses().get(loss)
        if "labels" in self.data and record and not record.classes:
            owners = " and ".join(name for name, record in _losses().items() if record.classes)
            hint = f"`labels` belongs to {owners}, and the loss is {loss}"
            self._fault(("labels",), describe(self.data["labels"]), "no `labels`", hint)
        return labels

    def _word(
        self, path: Path, words: Sequence[str], default: str = "", *, required: bool = False
    ) -> str:
        value = self._get(path)
        expected = f"one of {', '.join(words)}" if len(words) > 1 else describe(words[0])
        if value is None:
            if required:
                self._missing(path, expected)
            return default
        if isinstance(value, str) and value in words:
            return value
        hint = did_you_mean(value, words) if isinstance(value, str) and self._hints() else ""
        self._fault(path, describe(value), expected, hint)
        return default

    def _boolean(self, path: Path, default: bool) -> bool:
        value = self._get(path)
        if isinstance(value, bool):
            return value
        if value is not None:
            self._fault(path, describe(value), "true or false, without quotes")
        return default

    # Layers and the loss at their end

    def _layers(self) -> tuple[Layer, ...]:
        entries = self.data.get("layers")
        if entries is None or entries == []:
            self._missing(("layers",), "at least one [[layers]] table")
            return ()
        if not isinstance(entries, list):
            hint = "write [[layers]], with two brackets" if isinstance(entries, dict) else ""
            self._fault(("layers",), describe(entries), "[[layers]] tables", hint)
            return ()
        if len(entries) > MOST_LAYERS:
            path: Path = ("layers", MOST_LAYERS)
            self._fault(path, f"{len(entries)} layers", f"at most {MOST_LAYERS}")
        return tuple(self._layer(i, entry) for i, entry in enumerate(entries[:MOST_LAYERS]))

    def _layer(self, index: int, entry: object) -> Layer:
        path: Path = ("layers", index)
        if not isinstance(entry, dict):
            self._fault(path, describe(entry), "a table with type and units")
            return Layer(_UNKNOWN)
        self._unknown_keys(path, entry, _LAYER_KEYS)
        self._word((*path, "type"), _LAYER_TYPES, required=True)
        return Layer(
            self._size((*path, "units"), "units of the layer"),
            self._word((*path, "activation"), _activations(), "identity"),
            self._boolean((*path, "bias"), True),
        )

    def _loss_fits(self, loss: str, layers: tuple[Layer, ...]) -> None:
        record = _losses().get(loss)
        needed = record.needs if record else None
        if needed is None or not layers or layers[-1].activation == needed:
            return
        if len(self.data["layers"]) > len(layers):
            return  # the last layer was not read
        path: Path = ("layers", len(layers) - 1, "activation")
        stated = self._get(path)
        if stated is not None and stated not in _activations():
            return  # reported already, with the nearest word
        found = describe(layers[-1].activation)
        instead = _loss_after(layers[-1].activation)
        hint = f"loss = {describe(loss)} needs it last; with {found} use {instead}"
        self._fault(path if stated is not None else path[:-1], found, describe(needed), hint, path)

    # Symbols

    def _symbols(self, path: Path, architecture: Architecture) -> tuple[tuple[str, str], ...]:
        table = self._table(path)
        self._unknown_keys(path, table, tuple(DEFAULT_SYMBOLS), "one of the letters")
        symbols = {}
        for letter in (letter for letter in DEFAULT_SYMBOLS if letter in table):
            symbol = self._symbol((*path, letter), table[letter])
            if symbol is not None:
                symbols[letter] = symbol
        self._symbols_differ(path, symbols, architecture)
        return tuple(symbols.items())

    def _symbol(self, path: Path, value: object) -> str | None:
        if not isinstance(value, str):
            self._fault(path, describe(value), "a symbol in quotes")
            return None
        try:
            return parse_symbol(value)
        except SymbolError as error:
            hint = str(error)
            if any(ord(c) < 32 for c in value):
                hint = r"write LaTeX in single quotes: '\beta'"
            expected = "a symbol of letters, digits, Greek, accents, fonts and scripts"
            self._fault(path, describe(value), expected, hint, offset=error.column)
            return None

    def _symbols_differ(
        self, path: Path, symbols: Mapping[str, str], architecture: Architecture
    ) -> None:
        record = _losses().get(architecture.loss)
        unused = ("y", "L") if record and not record.labelled else ()
        owners = {
            latex: letter
            for letter, latex in DEFAULT_SYMBOLS.items()
            if letter not in symbols and letter not in unused
        }
        bare = ("x", "y", "yhat", "L", "N")
        meant = dict.fromkeys("ijkln", "an index")
        meant |= {"I": "the identity matrix", "D": "the number of layers", "G": "a derivative"}
        activations = {layer.activation for layer in architecture.layers}
        records = (_functions()[name] for name in sorted(activations & set(_functions())))
        meant |= {record.letter: f"the {record.in_words}" for record in records}
        if "softmax" in activations:
            meant["s"] = "the sum inside a softmax"
        sizes = {size for size in architecture.widths if isinstance(size, str)}
        for letter, latex in symbols.items():
            owner = owners.setdefault(latex, letter)
            if owner != letter:
                self._fault((*path, letter), describe(latex), f"a symbol that `{owner}` lacks")
            elif latex in meant:
                expected = f"another symbol; documents write {meant[latex]} so"
                self._fault((*path, letter), describe(latex), expected)
            elif letter in bare and latex in sizes:
                self._fault((*path, letter), describe(latex), "a symbol that is no size's name")

    # Values

    def _array(
        self, path: Path, value: object, name: str, axes: tuple[Size, ...], sizes: _KnownSizes
    ) -> Nested:
        if not axes:
            return self._number(path, value, name)
        meaning = f"a list of {axes[0] or 'some'} " + ("rows" if len(axes) > 1 else "numbers")
        if not isinstance(value, list):
            self._fault(path, describe(value), meaning, f"{name} has {_shape_text(name, axes)}")
            return ()
        wanted = sizes.extent(axes[0], len(value), name)
        if not value or (wanted is not None and wanted[0] != len(value)):
            expected = f"{wanted[0]} ({wanted[1]})" if wanted else "at least one entry"
            entries = "1 entry" if len(value) == 1 else f"{len(value)} entries"
            self._fault(path, entries, expected)
        return tuple(
            self._array((*path, i), entry, name, axes[1:], sizes) for i, entry in enumerate(value)
        )

    def _number(self, path: Path, value: object, name: str) -> float:
        if not isinstance(value, bool) and isinstance(value, (int, float)):
            try:
                number = float(value)
            except OverflowError:
                number = math.inf
            if math.isfinite(number):
                return number
        self._fault(path, describe(value), "a finite number", f"in the list of {name}")
        return 0.0

    def _labels_hold(self, name: str, array: Nested, architecture: Architecture) -> None:
        record = _losses().get(architecture.loss)
        if name != "y" or not (record and record.classes) or not isinstance(array, tuple):
            return
        for row, label in enumerate(array):
            expected = _label_fault(label, architecture)
            if expected:
                found = "these labels" if isinstance(label, tuple) else f"label {label:g}"
                self._fault(("values", "y", row), found, expected, "or state another `labels`")

    # Tables, places, faults

    def _get(self, path: Path) -> Any:
        here: Any = self.data
        for part in path:
            if isinstance(here, dict):
                here = here.get(cast(str, part))
            elif isinstance(here, list) and isinstance(part, int):
                here = here[part]
            else:
                return None
        return here

    def _table(self, path: Path) -> dict[str, Any]:
        value = self._get(path)
        if isinstance(value, dict):
            return value
        if value is not None:
            self._fault(path, describe(value), f"a table [{'.'.join(map(str, path))}]")
        return {}

    def _unknown_keys(
        self, path: Path, table: Mapping[str, Any], known: Sequence[str], kind: str = "one of"
    ) -> None:
        all_known = frozenset(known)
        for key in (key for key in table if key not in all_known):
            hint = did_you_mean(key, known) if self._hints() else ""
            if path and key in _TOP_KEYS and path[0] == "layers":
                hint = f"move `{key}` above the first [[layers]]"
            words = [*known[:16], "..."] if len(known) > 16 else known
            self._fault(
                (*path, key),
                "an unknown key",
                f"{kind} {', '.join(words)}" if words else "no key here",
                hint,
                at_key=True,
            )

    def _hints(self) -> bool:
        return len(self.faults) < 100  # a nearest word costs a search; nobody reads the 101st

    def _missing(self, path: Path, expected: str) -> None:
        self._fault(path[:-1], "nothing", expected, "", path)

    def _fault(
        self,
        path: Path,
        found: str,
        expected: str,
        hint: str = "",
        named: Path | None = None,
        *,
        at_key: bool = False,
        offset: int | None = None,
    ) -> None:
        span = self._span(path, at_key)
        if span is None:
            line, column, width = 1, None, 1
        elif offset is not None and (inner := self._inside(span, offset)):
            line, column, width = span.line, inner, 1
        else:
            line, column, width = span.line, span.column, span.width
        where = _where(named if named is not None else path)
        self.faults.append(Fault(where, found, expected, hint, line, column, width))

    def _span(self, path: Path, at_key: bool) -> Span | None:
        if self._positions is None:
            self._positions = positions(self.text)
        place = self._positions.get(path)
        if place is None:
            return self._span(path[:-1], at_key) if path else None
        return place.key if at_key else place.value

    def _inside(self, span: Span, offset: int) -> int | None:
        """The column of a character of a one-line string without escapes."""
        written = self.text.split("\n")[span.line - 1][span.column - 1 :][: span.width]
        if written[:3] in ("'''", '"""') or (written.startswith('"') and "\\" in written):
            return None
        return span.column + min(offset, span.width - 1)


# Shapes of values


@dataclass
class _KnownSizes:
    """The numbers behind the names of sizes, and who fixed them first."""

    architecture: Architecture
    known: dict[str, tuple[int, str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.architecture.samples is not None:
            self.known["N"] = (self.architecture.samples, "samples")

    def extent(self, axis: Size, length: int, name: str) -> tuple[int, str] | None:
        """What an axis must measure and why; a symbolic axis is fixed by the first array."""
        if isinstance(axis, int):
            return axis, f"{name} has a side of {axis}"
        if axis == _UNKNOWN or length == 0:
            return None
        number, owner = self.known.setdefault(axis, (length, name))
        return number, f"{axis} is {number} by {owner}"


def _shapes(architecture: Architecture) -> dict[str, tuple[Size, ...]]:
    """The axes of every tensor that `[values]` may give."""
    widths = architecture.widths
    shapes: dict[str, tuple[Size, ...]] = {"x": ("N", widths[0])}
    record = _losses().get(architecture.loss)
    if record is None or record.labelled:
        whole = record is not None and record.classes and architecture.labels == "integer"
        shapes["y"] = ("N",) if whole else ("N", widths[-1])
    for number, layer in enumerate(architecture.layers, 1):
        shapes[names.weight(number)] = (widths[number - 1], layer.units)
        if layer.bias:
            shapes[names.bias(number)] = (layer.units,)
    return shapes


def _label_fault(label: Nested, architecture: Architecture) -> str:
    """What a row of labels had to be, or nothing when it is."""
    classes = architecture.widths[-1]
    if not isinstance(label, tuple):
        last = classes - 1 if isinstance(classes, int) else math.inf
        whole = label == int(label) and 0 <= label <= last
        return "" if whole else f"a class: a whole number from 0 to {classes} - 1"
    row = [entry for entry in label if isinstance(entry, float)]
    match architecture.labels:
        case "one_hot":
            return "" if sorted(row) == [0.0] * (len(row) - 1) + [1.0] else "one 1 among zeros"
        case "distribution":
            holds = min(row) >= 0 and math.isclose(sum(row), 1, abs_tol=1e-9)
            return "" if holds else "entries >= 0 that sum to 1"
        case _:
            return ""


def _shape_text(name: str, axes: tuple[Size, ...]) -> str:
    return "shape (" + ", ".join(str(axis) or "?" for axis in axes) + ("," * (len(axes) == 1)) + ")"


# Words


def describe(value: object) -> str:
    """What stands in a file, short enough for one line whatever it is.

    >>> describe("tanh"), describe(True), describe([1, 2]), describe(2.5)
    ('"tanh"', 'true', 'a list of 2', '2.5')
    """
    match value:
        case bool():
            return "true" if value else "false"
        case int() if abs(value) >= 10**18:
            return "a whole number of more than 18 digits"
        case int() | float():
            return repr(value)
        case str():
            return f'"{value}"' if len(value) <= 60 else f'"{value[:57]}..."'
        case list():
            return f"a list of {len(value)}"
        case dict():
            return "a table"
        case _:
            return f"a {type(value).__name__}"


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _where(path: Path) -> str:
    return ": ".join(_where_parts(path)) or "file"


def _where_parts(path: Path) -> Iterator[str]:
    match path:
        case ("layers", int(index), *rest):
            yield f"layer {index + 1}"
            yield from (_short(part) for part in rest)
        case ("values", name, *rest):
            yield f"values: {_short(name)}" + "".join(
                f"[{int(part) + 1}]" if isinstance(part, int) else f".{part}" for part in rest
            )
        case _:
            yield from (_short(part) for part in path)


def _short(part: object) -> str:
    text = str(part)
    return text if len(text) <= LONGEST_NAME else f"{text[: LONGEST_NAME - 3]}..."
