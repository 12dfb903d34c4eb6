"""The objects that a Python user holds: networks, derivations, gradients, functions, reports.

Owns: thin records over the rooms below, each part made when it is first asked for.
Refuses: mathematics; every formula comes from `derive`, every text from a printer. Wrong if two
names of one thing gave two answers.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

import numpy as np
from sympy import Symbol

from symbackprop.derivation.steps import Sweep
from symbackprop.derivation.sweep import jacobian as derive_jacobian
from symbackprop.derivation.sweep import sweep
from symbackprop.errors import InputError, SpecError, UnsupportedError, UsageError
from symbackprop.errors import unknown_name as _unknown
from symbackprop.networks import file as specification
from symbackprop.networks.arrays import Array
from symbackprop.networks.file import Specification
from symbackprop.networks.layers.architecture import Architecture
from symbackprop.networks.layers.losses import LOSSES
from symbackprop.networks.layers.multilayer import Built, build
from symbackprop.networks.network import Network, Tensor
from symbackprop.notation import Notation
from symbackprop.proving import crosscheck
from symbackprop.proving.crosscheck import Check, Replayer, Report
from symbackprop.results import Formula, Gradient, Step
from symbackprop.witnesses.explicit import ExplicitNet
from symbackprop.writing.code.backend import NUMPY
from symbackprop.writing.code.backends import backend_named
from symbackprop.writing.code.numpy_backend import emit
from symbackprop.writing.code.running import Function
from symbackprop.writing.latex import Typesetting

if TYPE_CHECKING:
    from symbackprop.document.blocks import Document
    from symbackprop.document.sympy_says import Said
    from symbackprop.judging.notes.conventions.variants import Variant
    from symbackprop.judging.printing.shown import Judgement
    from symbackprop.judging.report import FileReport
    from symbackprop.judging.report import Report as Findings
    from symbackprop.reading.notes.passages import Note
    from symbackprop.writing.depth import DepthDerivation


__all__ = [
    "Check",
    "Derivation",
    "ExplicitNet",
    "Formula",
    "Function",
    "Gradient",
    "Net",
    "Report",
    "Step",
    "check",
    "derive",
    "derive_depth",
    "explicit",
    "load",
    "loads",
    "render",
    "verify",
]


# --------------------------------------------------------------------------------------------
# Networks
# --------------------------------------------------------------------------------------------


def load(name_or_path: str | os.PathLike[str]) -> Net:
    """A network from a shipped example, by its name, or from a file.

    Raises: SpecError with every fault of the file.

    >>> load("four-layer")
    Net('four-layer', 2-2-4-3, cross_entropy)
    """
    if not isinstance(name_or_path, str | os.PathLike):
        found = type(name_or_path).__name__
        raise UsageError(f"load: found {found}, expected the name of an example or a path")
    return Net.of_specification(specification.load(name_or_path))


def loads(text: str) -> Net:
    """A network from the text of a network file.

    Raises: SpecError with every fault of the text, UsageError for what is no text.
    """
    if not isinstance(text, str):
        raise UsageError(f"loads: found {type(text).__name__}, expected the text of a network file")
    return Net.of_specification(specification.loads(text))


@dataclass(frozen=True, eq=False)
class Net:
    """A network to derive. `spec` and `architecture` are None for equations written by hand."""

    name: str
    notation: Notation
    architecture: Architecture | None = None
    spec: Specification | None = None
    equations: Built | None = None

    @classmethod
    def of_specification(cls, spec: Specification) -> Net:
        return cls(spec.architecture.name, spec.notation, spec.architecture, spec)

    @classmethod
    def of_equations(
        cls,
        network: Network,
        sizes: Mapping[Symbol, int] | None = None,
        notation: Notation | None = None,
    ) -> Net:
        """A network of hand-written equations; `sizes` are numbers for symbols of its extents."""
        built = Built(network, dict(sizes or {}))
        return cls(network.name, notation or Notation(), equations=built)

    def __repr__(self) -> str:
        if self.architecture is None:
            return f"Net({self.name!r})"
        widths = "-".join(map(str, self.architecture.widths))
        return f"Net({self.name!r}, {widths}, {self.architecture.loss})"

    @property
    def address(self) -> str:
        """What `load` takes for it: the name of a shipped example, else a file by its name."""
        text = self.spec.text if self.spec is not None else ""
        shipped = self.name in specification.example_names()
        is_example = shipped and text == specification.example_text(self.name)
        return self.name if is_example else f"{self.name}.toml"

    @cached_property
    def batch(self) -> Built:
        if self.equations is not None:
            return self.equations
        assert self.architecture is not None
        return build(self.architecture)

    @cached_property
    def single(self) -> Built:
        """For one sample; hand-written equations stay as they are."""
        if self.equations is not None:
            return self.equations
        assert self.architecture is not None
        return build(self.architecture, one_sample=True)

    @property
    def reduction(self) -> str:
        """How the loss is taken over samples: `sum`, `mean`, `mean_elements`."""
        return "sum" if self.architecture is None else self.architecture.reduction

    @cached_property
    def variants(self) -> dict[str, Variant]:
        """The network under each reduction that notes about it may mean, its own first."""
        from symbackprop.judging.notes.conventions.variants import Variant, variants_of

        if self.architecture is None:
            return {self.reduction: Variant(self.batch, self.single)}
        return variants_of(self.architecture)

    def parameters(self, seed: int = 0) -> dict[str, Array]:
        """Generic float64 arrays to start from: normal, weights with variance 1/fan-in.

        Raises: UsageError if a size of the network is a name.
        """
        rng = np.random.default_rng(seed)
        found = {}
        for tensor in self.batch.network.of_kind("parameter"):
            shape = _numbers(tensor, self.batch.sizes)
            scale = 1 / math.sqrt(shape[0]) if len(shape) > 1 else 0.1
            found[tensor.name] = rng.standard_normal(shape) * scale
        return found

    def sample(self, seed: int = 0) -> tuple[Array, Array | None]:
        """Generic x and y (None without labels) for as many samples as the file names, else 4."""
        if self.architecture is None:
            raise UnsupportedError(f"{self.name}: only a network from a file can make samples")
        architecture = self.architecture
        rng = np.random.default_rng((seed, 1))
        count = architecture.samples or 4
        sizes = {symbol: count for symbol in _symbols(self.batch.network) if symbol.name == "N"}
        by_name = self.batch.network.by_name
        x = rng.standard_normal(_numbers(by_name["x"], {**sizes, **self.batch.sizes}))
        if "y" not in by_name:
            return x, None
        samples, outputs = _numbers(by_name["yhat"], {**sizes, **self.batch.sizes})
        return x, _labels(architecture, rng, samples, outputs)


def _labels(
    architecture: Architecture, rng: np.random.Generator, samples: int, outputs: int
) -> Array:
    targets = LOSSES[architecture.loss].targets
    if targets == "numbers":
        return rng.standard_normal((samples, outputs))
    if targets == "answers":
        return rng.integers(0, 2, (samples, outputs)).astype(np.float64)
    classes = rng.integers(0, outputs, samples)
    positive = rng.uniform(0.2, 1.0, (samples, outputs))
    match architecture.labels:
        case "integer":
            return classes
        case "distribution":
            return np.asarray(positive / positive.sum(axis=1, keepdims=True))
        case "any":
            return positive
        case _:
            return np.eye(outputs)[classes]


def _symbols(network: Network) -> list[Symbol]:
    found = {s for t in network.tensors for extent in t.shape for s in extent.free_symbols}
    return sorted(found, key=lambda symbol: symbol.name)


def _numbers(tensor: Tensor, sizes: Mapping[Symbol, int]) -> tuple[int, ...]:
    extents = [extent.subs(dict(sizes)) for extent in tensor.shape]
    named = [str(extent) for extent in extents if not extent.is_Integer]
    if named:
        raise UsageError(
            f"{tensor.name}: found the size {named[0]}, expected a number; only a network whose "
            "sizes are all numbers has arrays"
        )
    return tuple(int(extent) for extent in extents)


# --------------------------------------------------------------------------------------------
# Derivations
# --------------------------------------------------------------------------------------------


def derive(net: Net | Network | str, samples: int | None = None) -> Derivation:
    """All gradients and adjoints of a network: for a batch, or with `samples=1` for one sample.

    `net` may also be the name or path of a network file, or a `Network` of hand-written equations.
    """
    net = _net(net, "derive")
    if samples not in (None, 1) or isinstance(samples, bool):
        raise UsageError(
            f"derive: found samples={samples!r}, expected 1 or nothing; a derivation for a batch "
            "holds for every number of samples"
        )
    return Derivation(net, samples)


def _net(net: object, caller: str) -> Net:
    """What `load` takes, equations written by hand, or a network that is one already."""
    if isinstance(net, Network):
        return Net.of_equations(net)
    if isinstance(net, str | os.PathLike):
        return load(net)
    if not isinstance(net, Net):
        raise UsageError(f"{caller}: found {type(net).__name__}, expected a network; see `load`")
    return net


def explicit(
    net: Net | Network | Derivation | str | os.PathLike[str], /, **sizes: int
) -> ExplicitNet:
    """The network entry by entry, differentiated by SymPy alone: nothing is derived here.

    `sizes` are numbers for the sizes that the file leaves open: N, the samples of a batch, and
    names. A derivation for one sample is explicit for one sample.
    Raises: UsageError for a size that is missing or unknown, UnsupportedError for sizes at which
    SymPy would take more than a minute.

    >>> e = explicit("four-layer", N=1)
    >>> e.gradient("z3")
    yhat - y = Matrix([[-y_1_1 + yhat_1_1, -y_1_2 + yhat_1_2, -y_1_3 + yhat_1_3]])
    >>> e.jacobian("z3", "h2") == e["W3"].T
    True
    """
    built = net.built if isinstance(net, Derivation) else _net(net, "explicit").batch
    return ExplicitNet.of(built.network, built.sizes, sizes)


@dataclass(frozen=True, eq=False)
class Derivation:
    """The gradients of one network, each with its steps. Nothing is worked out twice."""

    net: Net
    samples: int | None = None

    def __repr__(self) -> str:
        return f"Derivation({self.net.name!r}, gradients={list(self.gradients)})"

    @cached_property
    def built(self) -> Built:
        return self.net.batch if self.samples is None else self.net.single

    @property
    def network(self) -> Network:
        return self.built.network

    @cached_property
    def sweep(self) -> Sweep:
        return sweep(self.network)

    @cached_property
    def gradients(self) -> Mapping[str, Gradient]:
        """Parameters in order, then the inputs (`x`)."""
        names = [t.name for t in self.network.of_kind("parameter", "input")]
        ordered = sorted(names, key=lambda n: self.network.by_name[n].kind == "input")
        return _Gradients("gradients", self, {name: name for name in ordered})

    @cached_property
    def adjoints(self) -> Mapping[str, Gradient]:
        """The derivative by every named tensor (`z3`, `h2`, `yhat`), in network order."""
        names = {t.name: t.name for t in self.network.of_kind("intermediate")}
        return _Gradients("adjoints", self, {**names, **self.network.aliases})

    def jacobian(self, of: str, wrt: str) -> Gradient:
        """d of / d wrt in numerator layout, always of one sample.

        Raises: UsageError for an unknown name, UnsupportedError if `of` does not depend on `wrt`.
        """
        return self._jacobians(of, wrt)

    @cached_property
    def _jacobians(self) -> Callable[[str, str], Gradient]:
        network, setting = self.net.single.network, self._single.typesetting
        replayer = Replayer(self._single.sweep)
        known: dict[tuple[str, str], Gradient] = {}

        def found(of: str, wrt: str) -> Gradient:
            names = [t.name for t in network.tensors if t.kind != "label"]
            for name in (of, wrt):
                if name not in names and name not in network.aliases:
                    raise _unknown("jacobian", name, [*names, *network.aliases])
            if (of, wrt) not in known:
                trace = derive_jacobian(network, of, wrt)
                known[of, wrt] = Gradient(f"d{of}/d{wrt}", trace, setting, replayer)
            return known[of, wrt]

        return found

    @cached_property
    def _single(self) -> Derivation:
        return self if self.samples == 1 else Derivation(self.net, 1)

    @cached_property
    def _replayer(self) -> Replayer:
        return Replayer(self.sweep)

    def function(self) -> Function:
        """f(params, x, y) -> (loss, gradients), in NumPy."""
        return self._function

    @cached_property
    def _function(self) -> Function:
        return Function(self.net.name, self.sweep, self.built.sizes)

    def source(self, wrt: str | Sequence[str] | None = None, backend: str = NUMPY.name) -> str:
        """The text of a module with that function; it imports only its backend.

        Raises: UsageError for a backend that is not there.
        """
        wrt = (wrt,) if isinstance(wrt, str) else wrt
        return emit(self.sweep, wrt, sizes=self.built.sizes, backend=backend_named(backend))

    def document(self, detail: str = "full") -> Document:
        """The derivation as blocks, for `render`."""
        from symbackprop.document.build import document_of

        if self.net.architecture is None:
            raise UnsupportedError(f"{self.net.name}: only a network from a file has a document")
        if detail not in ("summary", "full"):
            raise UsageError(f"detail: found {detail!r}, expected summary or full")
        values = self.net.spec.values if self.net.spec is not None else {}
        blocks = document_of(
            self.net.architecture, self.net.notation, values, detail, self._sympy_says
        )
        return replace(blocks, record=self.record)

    @cached_property
    def _sympy_says(self) -> Said:
        """For the document and the record: SymPy is asked once."""
        from symbackprop.document.sympy_says import said

        return said(self.net.batch, self.net.address)

    def record(self) -> dict[str, Any]:
        """The whole derivation as plain data, every step with its check."""
        from symbackprop.document.proofs import proven
        from symbackprop.record import record

        return record(
            self.typesetting,
            self.net.architecture,
            gradients=self.gradients.values(),
            adjoints=(g for name, g in self.adjoints.items() if g.name == name),
            jacobian=self.jacobian,
            proofs=proven(self.sweep, self.built.sizes).checks,
            said=self._sympy_says,
        )

    @cached_property
    def typesetting(self) -> Typesetting:
        return Typesetting(self.sweep.extended, self.net.notation, self.built.sizes)

    def _repr_markdown_(self) -> str:
        rows = [f"**Gradients of {self.net.name}**"]
        rows += [f"$$\n{gradient.equation}\n$$" for gradient in self.gradients.values()]
        return "\n\n".join(rows)


class _Gradients(Mapping[str, "Gradient"]):
    """Gradients by name, made when first read. `tensors`: the tensor behind each key."""

    def __init__(self, what: str, owner: Derivation, tensors: Mapping[str, str]) -> None:
        self._what, self._owner, self._tensors = what, owner, tensors
        self._known: dict[str, Gradient] = {}

    def __getitem__(self, key: str) -> Gradient:
        if key not in self._tensors:
            raise _unknown(self._what, key, self._tensors)
        if key not in self._known:
            self._known[key] = self._made(key)
        return self._known[key]

    def _made(self, key: str) -> Gradient:
        owner, tensor = self._owner, self._tensors[key]
        if tensor not in owner.sweep.derivations:
            raise UnsupportedError(f"the loss of {owner.net.name} does not depend on {key}")
        return Gradient(key, owner.sweep.derivations[tensor], owner.typesetting, owner._replayer)

    def __iter__(self) -> Iterator[str]:
        return iter(self._tensors)

    def __len__(self) -> int:
        return len(self._tensors)

    def __repr__(self) -> str:
        return f"<{self._what}: {', '.join(self._tensors)}>"


# --------------------------------------------------------------------------------------------


# --------------------------------------------------------------------------------------------
# The rest
# --------------------------------------------------------------------------------------------


def derive_depth(activation: str) -> DepthDerivation:
    """The backward recursion for a symbolic layer index l, with its steps."""
    from symbackprop.writing import depth as depth_text

    return depth_text.derive_depth(activation)


def check(
    derivation: Derivation | Net | str,
    optional: bool = False,
    notify: Callable[[str], None] = lambda _: None,
    backend: str = NUMPY.name,
) -> Report:
    """Every gradient and every adjoint against every oracle.

    `optional`: also torch and JAX, where they are installed. `notify` hears of each oracle before
    it is asked. `backend`: the library whose code is run and proved.
    """
    if not isinstance(derivation, Derivation):
        derivation = derive(derivation)
    net = derivation.net
    return crosscheck.check(
        derivation.sweep,
        net.architecture,
        derivation.built.sizes,
        optional=optional,
        notify=notify,
        backend=backend_named(backend),
    )


def render(document: Document, format: str) -> str | bytes:
    """A document as text: `md`, `tex` or `json`."""
    from symbackprop.document.render import render as printed

    return printed(document, format)


def verify(
    what: str | os.PathLike[str] | Sequence[str | os.PathLike[str]] | Callable[..., Any],
    net: Net | str | None = None,
    *,
    execute: bool = False,
    argue: int | None = None,
    progress: Callable[[int, int, str], None] | None = None,
) -> Judgement:
    """Hand-written derivations held against a network: notes, code, or folders of them.

    `net` may be left out where the notes carry their network, as a block of their own or as their
    forward equations and loss. `execute` runs code that cannot be read. `argue` is a line of notes
    for which the report says how it was read, and what shows the meaning of its letters.
    `progress` hears how many of how many claims are judged, and what is next.
    """
    from symbackprop.judging.printing.shown import Judgement

    whole = load(net) if isinstance(net, str) else net
    if callable(what):
        return Judgement((_judged_function(what, _required(whole, "a function"), execute),))
    paths = [what] if isinstance(what, str | os.PathLike) else list(what)
    found: list[FileReport] = []
    for path in [os.fspath(each) for each in paths]:
        name, mark, function = path.rpartition("::")
        if mark or path.endswith(".py"):
            found.append(
                _judged_code(name if mark else path, function if mark else "", whole, execute)
            )
        else:
            found.extend(_judged_notes(path, whole, progress, argue))
    return Judgement(tuple(found))


def _required(net: Net | None, what: str) -> Net:
    if net is None:
        raise UsageError(f"verify: {what} needs a network; give a network file or an example")
    return net


def _judged_function(function: Callable[..., Any], net: Net, execute: bool) -> FileReport:
    """A Python function, by the text of its file; where there is none, by its own text."""
    from symbackprop.judging.code.judge import judge_code
    from symbackprop.judging.code.live import Live
    from symbackprop.judging.code.text import beside
    from symbackprop.tracing.numbers.modules import Beside

    live = Live.of(function)
    return judge_code(
        live.source,
        live.name,
        os.path.basename(live.path),
        net.batch,
        net.single,
        execute=execute,
        beside=Beside(beside(live.path)) if live.whole else None,
        live=live,
    )


def _judged_code(path: str, function: str, net: Net | None, execute: bool) -> FileReport:
    from symbackprop.judging.code.judge import judge_code
    from symbackprop.judging.code.text import beside, text_of
    from symbackprop.judging.report import FileReport
    from symbackprop.tracing.numbers.modules import Beside

    shown = f"{path}::{function}" if function else path
    try:
        source = text_of(path)
    except InputError as problem:
        return FileReport(shown, (), problem=f"cannot be read: {problem.reason}")
    whole = _required(net, shown)
    return judge_code(
        source,
        function,
        shown,
        whole.batch,
        whole.single,
        execute=execute,
        beside=Beside(beside(path)),
    )


def _judged_notes(
    path: str,
    net: Net | None,
    progress: Callable[[int, int, str], None] | None,
    argue: int | None,
) -> Iterator[FileReport]:
    """The notes of a file or folder, each under the network given or the one it carries."""
    from symbackprop.guard import guarded
    from symbackprop.judging.report import FileReport, lost_file
    from symbackprop.reading.notes.files import Problem, read_notes

    for note in read_notes([path]):
        if not isinstance(note, Problem):
            judged = partial(_judged_note, note, net, progress, argue)
            yield guarded(judged, partial(_lost_note, note))
        elif note.fault:
            yield lost_file(note.path, "", note.reason)
        else:
            yield FileReport(note.path, (), problem=note.reason)


def _lost_note(note: Note, bug: Exception) -> FileReport:
    from symbackprop.guard import told
    from symbackprop.judging.report import lost_file

    return lost_file(note.path, note.text, told(bug, "file"))


def _judged_note(
    note: Note,
    net: Net | None,
    progress: Callable[[int, int, str], None] | None,
    argue: int | None,
) -> FileReport:
    from symbackprop.judging.notes.own.judged import judge_by_itself
    from symbackprop.judging.notes.page import judge_note
    from symbackprop.judging.report import FileReport

    whole = net
    if whole is None and note.specification:
        try:
            whole = loads(note.specification)
        except SpecError as fault:
            return FileReport(note.path, (), text=note.text, problem=str(fault))
    if whole is None:
        return judge_by_itself(note, progress, argue)
    return judge_note(
        note,
        whole.variants,
        whole.reduction,
        samples=whole.architecture.samples if whole.architecture else None,
        fixed=_letters(whole),
        progress=progress,
        argue=argue,
    )


def _letters(net: Net) -> dict[str, str]:
    """The letters that a network file settles, by what they stand for."""
    return {latex: letter for letter, latex in net.notation.symbols if letter != "delta"}


def annotate(report: Findings) -> dict[str, str]:
    """For each file of notes in a report, by its path, a copy with a mark beside each formula; none
    for a file that the judge lost."""
    from symbackprop.guard import guarded

    found = {file.file: guarded(partial(_annotated, file), lambda _: None) for file in report.files}
    return {path: text for path, text in found.items() if text is not None}


def _annotated(file: FileReport) -> str | None:
    from symbackprop.judging.printing.annotate import annotate as marked
    from symbackprop.reading.notes.files import READERS

    reader = READERS.get(os.path.splitext(file.file)[1].lower())
    if reader is None or file.problem or not file.text:
        return None
    return marked(reader(file.file, file.text), file.claims)
