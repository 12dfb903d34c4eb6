"""The objects that a Python user holds: networks, derivations, gradients, functions, reports.

Owns: thin records over the rooms below, each part made when it is first asked for; the reading of
arrays that a user passes in. Refuses: mathematics; every formula comes from `derive`, every text
from a printer. Wrong if an array that breaks an assumption of a formula reached the formula.
"""

from __future__ import annotations

import inspect
import math
import os
import textwrap
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from sympy import Expr, Symbol

from symbackprop import crosscheck
from symbackprop import spec as specification
from symbackprop.arrays import Array, ArrayReader, Arrays
from symbackprop.codegen.numpy_backend import compile_source, emit, expression_of
from symbackprop.crosscheck import Check, Replayer, Report
from symbackprop.derive import Derivation as Trace
from symbackprop.derive import Step as Move
from symbackprop.derive import Sweep, adjoint_name, sweep
from symbackprop.derive import jacobian as derive_jacobian
from symbackprop.entrywise import ExplicitNet
from symbackprop.errors import (
    SpecError,
    SymbackpropError,
    UnsupportedError,
    UsageError,
    did_you_mean,
)
from symbackprop.latex import Typesetting
from symbackprop.layers.architecture import Architecture
from symbackprop.layers.multilayer import Built, build
from symbackprop.matrixform import Node, matrix_form
from symbackprop.matrixform import to_sympy as matrix_to_sympy
from symbackprop.network import Network, Tensor
from symbackprop.notation import Notation
from symbackprop.rules import USE_LABEL_SUMS
from symbackprop.spec import Specification
from symbackprop.sympyform import to_sympy as index_to_sympy
from symbackprop.terms import Expression

if TYPE_CHECKING:
    from symbackprop.depth import DepthDerivation
    from symbackprop.document.blocks import Document
    from symbackprop.verify.report import FileReport
    from symbackprop.verify.report import Report as Judgement
    from symbackprop.verify.variants import Variant


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


class UnknownName(UsageError, KeyError):
    """A name that a mapping does not hold; a KeyError too, so that `in` and `get` work."""

    __str__ = Exception.__str__


def _unknown(what: str, name: object, known: Iterable[str]) -> UnknownName:
    names = tuple(known)
    hint = did_you_mean(str(name), names)
    expected = f"expected one of {', '.join(names)}" + (f"; {hint}" if hint else "")
    return UnknownName(f"{what}: found {name!r}, {expected}")


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
        from symbackprop.verify.variants import Variant

        own = {self.reduction: Variant(self.batch, self.single)}
        if self.architecture is None or self.architecture.loss == "none":
            return own
        for other in ("sum", "mean"):
            changed = replace(self.architecture, reduction=other)
            own.setdefault(other, Variant(build(changed), build(changed, one_sample=True)))
        return own

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
    if architecture.loss == "squared_error":
        return rng.standard_normal((samples, outputs))
    if architecture.loss == "binary_cross_entropy":
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
        network, swept = self.net.single.network, self._single.sweep
        replayer = Replayer(swept)
        known: dict[tuple[str, str], Gradient] = {}

        def found(of: str, wrt: str) -> Gradient:
            names = [t.name for t in network.tensors if t.kind != "label"]
            for name in (of, wrt):
                if name not in names and name not in network.aliases:
                    raise _unknown("jacobian", name, [*names, *network.aliases])
            if (of, wrt) not in known:
                trace = derive_jacobian(network, of, wrt)
                known[of, wrt] = Gradient(f"d{of}/d{wrt}", trace, self._single, replayer)
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
        return Function(self)

    def source(self, wrt: str | Sequence[str] | None = None) -> str:
        """The text of a module with that function; it imports only numpy."""
        wrt = (wrt,) if isinstance(wrt, str) else wrt
        return emit(self.sweep, wrt, sizes=self.built.sizes)

    def document(self, detail: str = "full") -> Document:
        """The derivation as blocks, for `render`."""
        from symbackprop.document.build import document_of

        if self.net.architecture is None:
            raise UnsupportedError(f"{self.net.name}: only a network from a file has a document")
        if detail not in ("summary", "full"):
            raise UsageError(f"detail: found {detail!r}, expected summary or full")
        values = self.net.spec.values if self.net.spec is not None else {}
        blocks = document_of(
            self.net.architecture, self.net.notation, values, detail, self.net.address
        )
        return replace(blocks, record=self.record)

    def record(self) -> dict[str, Any]:
        """The whole derivation as plain data, every step with its check."""
        from symbackprop.document.proofs import proven
        from symbackprop.document.sympy_says import said
        from symbackprop.record import record

        proofs = proven(self.sweep, self.built.sizes).checks
        return record(self, proofs, said(self.net.batch, self.net.address))

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
        return Gradient(key, owner.sweep.derivations[tensor], owner, owner._replayer)

    def __iter__(self) -> Iterator[str]:
        return iter(self._tensors)

    def __len__(self) -> int:
        return len(self._tensors)

    def __repr__(self) -> str:
        return f"<{self._what}: {', '.join(self._tensors)}>"


# --------------------------------------------------------------------------------------------
# One gradient
# --------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Gradient:
    """One derivative: its formula in four languages, and the steps that lead to it."""

    name: str
    trace: Trace = field(repr=False)
    owner: Derivation = field(repr=False)
    replayer: Replayer = field(repr=False)

    @cached_property
    def shape(self) -> tuple[Any, ...]:
        """The extents in array layout: whole numbers where the file gives them, else symbols."""
        sizes = self.owner.built.sizes
        extents = (index.axis.extent.subs(sizes) for index in self.trace.indices)
        return tuple(int(extent) if extent.is_Integer else extent for extent in extents)

    @cached_property
    def matrix(self) -> Expr | None:
        """A SymPy matrix expression, samples as rows; None where there is no matrix form."""
        node = self._node
        return None if node is None else matrix_to_sympy(node, self.owner.built.sizes)

    @cached_property
    def index(self) -> Expr:
        """One entry as a SymPy expression of `Sum`, `Indexed` and `KroneckerDelta`, from 0."""
        functions = self.owner.network.functions
        return index_to_sympy(self.trace.result, functions, self.owner.built.sizes)

    @cached_property
    def latex(self) -> str:
        """The matrix form under the notation of the network, or else the index form."""
        setting = self.owner.typesetting
        if self._node is None:
            return setting.expression(self.trace.result)
        return setting.matrix(self._node, jacobian=self._is_jacobian)

    @cached_property
    def equation(self) -> str:
        """LaTeX of the whole statement, the derivative on its left side."""
        setting = self.owner.typesetting
        left = self.replayer.swept.network.resolve(self.trace.wrt)
        name = adjoint_name(self.owner.network, left)
        partial = setting.partial(self.trace.of, left)
        is_delta = not self._is_jacobian and name == f"delta{setting.network.tensor(left).layer}"
        sides = [setting.name(name), partial] if is_delta else [partial]
        return " = ".join([*sides, self.latex])

    @cached_property
    def index_latex(self) -> str:
        """LaTeX of one entry, every index written out."""
        return self.owner.typesetting.expression(self.trace.result)

    @cached_property
    def numpy(self) -> str | None:
        """One NumPy expression; None where there is none."""
        return expression_of(self.trace, self.owner.sweep.extended, self.owner.built.sizes)

    @cached_property
    def steps(self) -> tuple[Step, ...]:
        return tuple(Step(move, self) for move in self.trace.steps)

    @property
    def _is_jacobian(self) -> bool:
        return self.trace.of != self.owner.network.loss

    @cached_property
    def _node(self) -> Node | None:
        return matrix_form(self.trace.result, self.trace.indices, self.owner.sweep.extended)

    def _repr_latex_(self) -> str:
        return f"$\\displaystyle {self.equation}$"

    def __str__(self) -> str:
        return self.latex


@dataclass(frozen=True, eq=False)
class Formula:
    """One side of a step, as LaTeX (`str` too) and as a SymPy index expression."""

    whole: Expression = field(repr=False)
    owner: Derivation = field(repr=False)

    @cached_property
    def latex(self) -> str:
        return self.owner.typesetting.expression(self.whole)

    @cached_property
    def index(self) -> Expr:
        return index_to_sympy(self.whole, self.owner.network.functions, self.owner.built.sizes)

    def __str__(self) -> str:
        return self.latex

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Formula) and self.whole == other.whole

    def __hash__(self) -> int:
        return hash(self.whole)

    def _repr_latex_(self) -> str:
        return f"$\\displaystyle {self.latex}$"


@dataclass(frozen=True, eq=False)
class Step:
    """before = after, by `rule`, because of `reason`; `check` is done when it is first read."""

    move: Move = field(repr=False)
    gradient: Gradient = field(repr=False)

    @property
    def rule(self) -> str:
        return self.move.rule

    @cached_property
    def before(self) -> Formula:
        return Formula(self.move.before, self.gradient.owner)

    @cached_property
    def after(self) -> Formula:
        return Formula(self.move.after, self.gradient.owner)

    @property
    def reason(self) -> str:
        return self.move.reason

    @cached_property
    def check(self) -> Check:
        return self.gradient.replayer.check(self.move, self.gradient.trace.indices)

    def __repr__(self) -> str:
        return f"Step({self.rule!r}: {self.move.before} -> {self.move.after})"

    def __iter__(self) -> Iterator[Any]:
        return iter((self.rule, self.before, self.after, self.reason, self.check))

    def _repr_latex_(self) -> str:
        return f"$\\displaystyle {self.before.latex} = {self.after.latex}$"


# --------------------------------------------------------------------------------------------
# Running
# --------------------------------------------------------------------------------------------


class Function:
    """f(params, x, y=None, wrt=None) -> (loss, {name: gradient}), arrays looked at first.

    `wrt`: names to differentiate by (the parameters by default), `x` and named tensors too. The
    code for each choice is written once. Several inputs or labels are passed as a mapping.
    Raises: ArrayError naming the array, what it is, and what was expected.
    """

    def __init__(self, derivation: Derivation) -> None:
        self.derivation = derivation
        self._compiled: dict[tuple[str, ...], Callable[..., Any]] = {}

    def __repr__(self) -> str:
        return f"Function({self.derivation.net.name!r})"

    def __call__(
        self,
        params: Arrays,
        x: npt.ArrayLike | Arrays,
        y: npt.ArrayLike | Arrays | None = None,
        wrt: str | Iterable[str] | None = None,
    ) -> tuple[Any, dict[str, Array]]:
        wanted = self._wanted(wrt)
        network = self.derivation.network
        reader = ArrayReader(network, self.derivation.built.sizes, self._assumes_sums)
        arrays = reader.read(params, x, y)
        given = {t.name: arrays[t.name] for t in network.of_kind("parameter")}
        rest = [arrays[t.name] for t in (*network.of_kind("input"), *network.of_kind("label"))]
        loss, gradients = self._code(wanted)(given, *rest)
        return loss, gradients

    def _wanted(self, wrt: str | Iterable[str] | None) -> tuple[str, ...]:
        network = self.derivation.network
        if wrt is None:
            return tuple(t.name for t in network.of_kind("parameter"))
        names = (wrt,) if isinstance(wrt, str) else tuple(dict.fromkeys(wrt))
        known = [t.name for t in network.of_kind("parameter", "input", "intermediate")] + list(
            network.aliases
        )
        for name in names:
            if name not in known:
                raise _unknown("wrt", name, known)
        return names

    @cached_property
    def _assumes_sums(self) -> bool:
        return any(
            step.rule == USE_LABEL_SUMS.name
            for trace in self.derivation.sweep.derivations.values()
            for step in trace.steps
        )

    def _code(self, wanted: tuple[str, ...]) -> Callable[..., Any]:
        if wanted not in self._compiled:
            self._compiled[wanted] = compile_source(self.derivation.source(wanted))
        return self._compiled[wanted]


# --------------------------------------------------------------------------------------------
# The rest
# --------------------------------------------------------------------------------------------


def derive_depth(activation: str) -> DepthDerivation:
    """The backward recursion for a symbolic layer index l, with its steps."""
    from symbackprop import depth

    return depth.derive_depth(activation)


def check(
    derivation: Derivation | Net | str,
    optional: bool = False,
    notify: Callable[[str], None] = lambda _: None,
) -> Report:
    """Every gradient and every adjoint against every oracle.

    `optional`: also torch and JAX, where they are installed. `notify` hears of each oracle before
    it is asked.
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
    )


def render(document: Document, format: str) -> str | bytes:
    """A document as text: `md`, `tex` or `json`."""
    from symbackprop.render import render as printed

    return printed(document, format)


def verify(
    what: str | os.PathLike[str] | Sequence[str | os.PathLike[str]] | Callable[..., Any],
    net: Net | str | None = None,
    *,
    execute: bool = False,
    progress: Callable[[int, int, str], None] | None = None,
) -> Judgement:
    """Hand-written derivations held against a network: notes, code, or folders of them.

    `net` may be left out where the notes carry their network. `execute` runs code that cannot be
    read. `progress` hears how many of how many claims are judged, and what is next.
    """
    from symbackprop.verify.report import Report

    whole = load(net) if isinstance(net, str) else net
    if callable(what):
        return Report((_judged_function(what, _required(whole, "a function"), execute),))
    paths = [what] if isinstance(what, str | os.PathLike) else list(what)
    found: list[FileReport] = []
    for path in [os.fspath(each) for each in paths]:
        name, mark, function = path.rpartition("::")
        if mark:
            found.append(_judged_code(name, function, whole, execute))
        else:
            found.extend(_judged_notes(path, whole, progress))
    return Report(tuple(found))


def _required(net: Net | None, what: str) -> Net:
    if net is None:
        raise UsageError(f"verify: {what} needs a network; give a network file or an example")
    return net


def _judged_function(function: Callable[..., Any], net: Net, execute: bool) -> FileReport:
    """A Python function, by its source text."""
    from symbackprop.verify.code import judge_code

    try:
        source = textwrap.dedent(inspect.getsource(function))
    except (OSError, TypeError):
        raise UsageError(
            "verify: the source of this function is not to be had; give FILE.py::function"
        ) from None
    name = getattr(function, "__name__", "function")
    path = getattr(getattr(function, "__code__", None), "co_filename", "")
    return judge_code(source, name, os.path.basename(path), net.batch, net.single, execute=execute)


def _judged_code(path: str, function: str, net: Net | None, execute: bool) -> FileReport:
    from symbackprop.verify.code import judge_code
    from symbackprop.verify.report import FileReport

    try:
        with open(path, encoding="utf-8") as file:
            source = file.read()
    except (OSError, UnicodeDecodeError) as problem:
        reason = problem.strerror if isinstance(problem, OSError) else "it is no UTF-8 text"
        return FileReport(f"{path}::{function}", (), problem=f"cannot be read: {reason}")
    whole = _required(net, f"{path}::{function}")
    return judge_code(
        source, function, f"{path}::{function}", whole.batch, whole.single, execute=execute
    )


def _judged_notes(
    path: str, net: Net | None, progress: Callable[[int, int, str], None] | None
) -> Iterator[FileReport]:
    """The notes of a file or folder, each under the network given or the one it carries."""
    from symbackprop.reader.files import Problem, read_notes
    from symbackprop.verify.notes import judge_note
    from symbackprop.verify.report import FileReport

    for note in read_notes([path]):
        if isinstance(note, Problem):
            yield FileReport(note.path, (), problem=note.reason)
            continue
        whole = net
        if whole is None and note.specification:
            try:
                whole = loads(note.specification)
            except SpecError as fault:
                yield FileReport(note.path, (), text=note.text, problem=str(fault))
                continue
        if whole is None:
            reason = "the notes carry no network; give one with --spec, or in a fenced block"
            yield FileReport(note.path, (), text=note.text, problem=f"{reason} `toml symbackprop`")
            continue
        yield judge_note(
            note,
            whole.variants,
            whole.reduction,
            samples=whole.architecture.samples if whole.architecture else None,
            fixed=_letters(whole),
            progress=progress,
        )


def _letters(net: Net) -> dict[str, str]:
    """The letters that a network file settles, by what they stand for."""
    return {latex: letter for letter, latex in net.notation.symbols if letter != "delta"}


def annotate(report: Judgement) -> dict[str, str]:
    """For each file of notes in a report, by its path, a copy with a mark beside each formula."""
    from symbackprop.reader.files import READERS
    from symbackprop.verify.printing.annotate import annotate as marked

    notes = {}
    for file in report.files:
        reader = READERS.get(os.path.splitext(file.file)[1].lower())
        if reader is not None and not file.problem:
            notes[file.file] = marked(reader(file.file, file.text), file.claims)
    return notes


assert issubclass(UnknownName, SymbackpropError)
