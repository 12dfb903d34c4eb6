"""Equations and adjoints as a NumPy module that reads as if written by hand, or as a module of any
other library that has NumPy's functions (`backends`).

Owns: which lines are needed and in what order, names and shapes in comments, the helper
functions a module carries along, and running our own text.
Refuses: inventing a gradient. Each backward line is the result of a derivation, written through
the outputs that the forward pass has kept; only the forward pass is rewritten for stability.
Would be wrong if: a line read an array before it is assigned; lines are placed after whatever
they read.
"""

from __future__ import annotations

import ast
import keyword
import re
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from textwrap import indent
from typing import Any, Protocol

from sympy import Expr, Symbol

from symbackprop.calculus.scalars import FUNCTIONS, ScalarFunction, Z
from symbackprop.calculus.terms import Applied, Delta, Element, Expression, Index, elements_in
from symbackprop.derivation.matrixform import (
    Constant,
    Divide,
    Hadamard,
    Leaf,
    MatMul,
    Node,
    OneHot,
    Ones,
    Scale,
    Sum,
)
from symbackprop.derivation.rules import through_output
from symbackprop.errors import UnsupportedError, printable
from symbackprop.networks.network import Equation, Network, Tensor
from symbackprop.writing.code.backend import NUMPY, Backend
from symbackprop.writing.code.numpy_text import expression_text, numpy_expression, readable_form
from symbackprop.writing.code.numpy_words import ATOM, Names, Text, call, scaled
from symbackprop.writing.code.scalar_text import scalar_text
from symbackprop.writing.code.stable_forward import Assignment, ForwardPass, forward_pass

__all__ = [
    "Line",
    "Program",
    "compile_source",
    "emit",
    "expression_of",
    "numpy_expression",
    "program",
    "source_of",
]

FUNCTION = "loss_and_gradients"
WIDEST_CODE = 60


class Derived(Protocol):
    """What is read of a derivation."""

    @property
    def of(self) -> str: ...
    @property
    def wrt(self) -> str: ...
    @property
    def indices(self) -> tuple[Index, ...]: ...
    @property
    def result(self) -> Expression: ...


class Swept(Protocol):
    """What is read of a sweep: its derivations by tensor name, and the network with adjoints."""

    @property
    def network(self) -> Network: ...
    @property
    def extended(self) -> Network: ...
    @property
    def derivations(self) -> Mapping[str, Derived]: ...


@dataclass(frozen=True)
class Line:
    """`code`, with shapes in the comment at its right."""

    code: str
    comment: str = ""


@dataclass(frozen=True)
class Program:
    """A module with one function. `header` is its import; `arguments` come after `params`; `shapes`
    of all arrays given."""

    title: str
    header: str
    notes: tuple[str, ...]
    helpers: tuple[str, ...]
    arguments: tuple[str, ...]
    shapes: tuple[str, ...]
    forward: tuple[Line, ...]
    loss: tuple[Line, ...]
    backward: tuple[Line, ...]
    returned: str


def emit(
    swept: Swept,
    wanted: Sequence[str] | None = None,
    title: str = "",
    sizes: Mapping[Symbol, int] | None = None,
    notes: Sequence[str] = (),
    backend: Backend = NUMPY,
) -> str:
    """The text of a module with `loss_and_gradients(params, x, y)` -> (loss, {"W1": dW1, ...}).

    `wanted`: tensors to differentiate by (the parameters by default). `sizes`: numbers for the
    comments; the code itself holds for every size.
    Raises: UnsupportedError for a name that is not there, or an equation that has no NumPy form.
    """
    return source_of(program(swept, wanted, title, sizes, notes, backend))


def expression_of(
    derivation: Derived, network: Network, sizes: Mapping[Symbol, int] | None = None
) -> str | None:
    """One NumPy expression for a gradient, `h2.T @ delta3`; None where there is none.

    `network` is the one with adjoints (`Sweep.extended`); `sizes` stand as numbers, `np.eye(3)`.
    """
    try:
        whole = through_output(derivation.result, network)
        of_loss = derivation.of == network.loss
        like = derivation.wrt if of_loss else ""
        names = Names({symbol: str(size) for symbol, size in (sizes or {}).items()})
        return expression_text(whole, derivation.indices, network, names, like)
    except UnsupportedError:
        return None


def compile_source(source: str, backend: Backend = NUMPY) -> Callable[..., Any]:
    """The function of a module that `emit` has written: our own text, with names it has checked."""
    modules = [backend.module]
    for statement in ast.parse(source).body:
        if isinstance(statement, ast.Import) and [a.name for a in statement.names] == modules:
            continue
        if isinstance(statement, ast.FunctionDef) or _is_docstring(statement):
            continue
        raise UnsupportedError(f"line {statement.lineno}: not the text of an emitted module")
    namespace: dict[str, Any] = {}
    exec(compile(source, "<symbackprop>", "exec"), namespace)
    function: Callable[..., Any] = namespace[FUNCTION]
    return function


def _is_docstring(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


# --------------------------------------------------------------------------------------------
# Text of a program
# --------------------------------------------------------------------------------------------


def source_of(made: Program) -> str:
    """The module: docstring, import, helpers, the function."""
    lines = ['"""' + "\n\n".join([_quoted(made.title), *map(_quoted, made.notes)])]
    lines[0] += '\n"""' if made.notes else '"""'
    lines += ["", made.header, ""]
    for helper in made.helpers:
        lines += ["", helper, ""]
    lines += ["", f"def {FUNCTION}({', '.join(('params', *made.arguments))}):"]
    lines += ['    """The loss and its gradients.', ""]
    lines += [f"    {row}" for row in _shape_rows(made.shapes)]
    lines += ['    """']
    body = [*made.forward, Line(""), *made.loss]
    body += [Line(""), *made.backward] if made.backward else []
    lines += _aligned([*body, Line(""), Line(f"return {made.returned}")])
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    return printable(text).replace("\\", "\\\\").replace('"', "'")


def _shape_rows(shapes: Sequence[str]) -> list[str]:
    rows, current = [], "Shapes: "
    for place, shape in enumerate(shapes):
        piece = shape + (", " if place < len(shapes) - 1 else ".")
        if len(current) + len(piece) > 88:
            rows.append(current.rstrip())
            current = "    "
        current += piece
    return [*rows, current.rstrip()]


def _aligned(lines: Sequence[Line]) -> Iterator[str]:
    widths = [len(line.code) for line in lines if line.comment and len(line.code) <= WIDEST_CODE]
    width = max(widths, default=0)
    for line in lines:
        text = f"    {line.code:<{width}}  # {line.comment}" if line.comment else f"    {line.code}"
        yield text.rstrip()


# --------------------------------------------------------------------------------------------
# Which lines, in what order
# --------------------------------------------------------------------------------------------


def program(
    swept: Swept,
    wanted: Sequence[str] | None = None,
    title: str = "",
    sizes: Mapping[Symbol, int] | None = None,
    notes: Sequence[str] = (),
    backend: Backend = NUMPY,
) -> Program:
    """The lines that the loss and the wanted gradients need, and no others."""
    network = swept.network
    asked = tuple(t.name for t in network.of_kind("parameter")) if wanted is None else tuple(wanted)
    writing = _Writing.of(swept, asked, sizes or {}, backend)
    backward = writing.backward(asked)
    forward, loss = writing.forward(backward)
    code = [line.code for line in (*forward, *loss, *backward.lines)]
    helpers = _helpers(code, network, writing.names)
    _refuse_names(network, {*helpers, *_reserved(backend)})
    arguments = [t.name for t in (*network.of_kind("input"), *network.of_kind("label"))]
    if not network.of_kind("label") and "y" not in network.by_name:
        arguments.append("y=None")
    return Program(
        title or f"Loss and gradients of the network {network.name}.",
        backend.header,
        tuple(notes),
        tuple(helpers.values()),
        tuple(arguments),
        tuple(
            f"{t.name} {writing.shape(t)}" for t in network.of_kind("input", "label", "parameter")
        ),
        (Line("# forward"), *writing.unpacked(asked, code), *writing.counted(code), *forward),
        (Line("# loss"), *loss),
        (Line("# backward"), *backward.lines) if backward.lines else (),
        writing.returned(asked),
    )


@dataclass(frozen=True)
class _Backward:
    """Backward lines, and the tensors of the forward pass that they read."""

    lines: tuple[Line, ...]
    reads: frozenset[str]


@dataclass(frozen=True)
class _Writing:
    """One emission: the forward pass in its stable form, and every name that is used."""

    swept: Swept
    pass_: ForwardPass
    results: Mapping[str, Expression]
    adjoints: Mapping[str, str]
    names: Names
    sizes: Mapping[Symbol, int]
    loss_name: str
    backend: Backend

    @classmethod
    def of(
        cls, swept: Swept, asked: Sequence[str], sizes: Mapping[Symbol, int], backend: Backend
    ) -> _Writing:
        pass_ = forward_pass(swept.network, swept.extended)
        adjoints = _adjoint_names(swept)
        for name in asked:
            if swept.network.resolve(name) not in adjoints:
                raise UnsupportedError(
                    f"no gradient with respect to {printable(name)}; there is one for "
                    + ", ".join(adjoints)
                )
        results = _needed_results(swept, pass_, adjoints, asked)
        taken = {tensor.name for tensor in pass_.network.tensors} | _reserved(backend)
        loss_name = "loss" if "loss" not in pass_.network.by_name else swept.network.loss
        return cls(
            swept,
            pass_,
            results,
            adjoints,
            Names(_size_names(swept.network, taken | {loss_name}), backend.prefix),
            sizes,
            loss_name,
            backend,
        )

    # ---- forward

    def forward(self, backward: _Backward) -> tuple[list[Line], list[Line]]:
        """The lines before the loss and the loss itself."""
        goal = self.swept.network.loss
        needed = set(backward.reads) | {goal}
        lines: list[Line] = []
        loss: list[Line] = []
        for line in reversed(self.pass_.lines):
            if line.target in needed:
                needed |= line.reads
                (loss if line.target == goal else lines).append(self._assignment(line))
        return lines[::-1], loss

    def _assignment(self, line: Assignment) -> Line:
        tensor = self.pass_.network.by_name[line.target]
        if line.call:
            (read,) = line.reads
            text = call(line.call, 0, Text(read, 6, True, True), self.names).text
            return Line(f"{tensor.name} = {text}", self.shape(tensor))
        equation = line.equation
        _refuse_recurrence(equation, line.reads)
        name = self.loss_name if tensor.name == self.swept.network.loss else tensor.name
        (written,) = self._written(
            name, equation.rhs, equation.indices, tensor, f"equation of {tensor.name}", ""
        )
        return written

    # ---- backward

    def backward(self, asked: Sequence[str]) -> _Backward:
        """Adjoints from the loss backwards, each gradient as soon as all that it reads is there."""
        network = self.swept.network
        order = [name for name in self.swept.derivations if name in self.results]
        inner = [name for name in order if network.by_name[name].kind not in _GIVEN]
        place = {self.adjoints[name]: number for number, name in enumerate(inner, 1)}
        read = {name: _tensors_in(whole) for name, whole in self.results.items()}
        ready: dict[int, list[str]] = {}
        for name in dict.fromkeys(map(network.resolve, asked)):
            if self.adjoints[name] not in place:
                last = max((place.get(r, 0) for r in read.get(name, ())), default=0)
                ready.setdefault(last, []).append(name)
        sequence = list(ready.get(0, []))
        for number, name in enumerate(inner, 1):
            sequence += [name, *ready.get(number, [])]
        lines = [line for name in sequence for line in self._adjoint(name)]
        needed = set().union(*read.values()) - set(self.adjoints.values())
        likes = {n for line in lines for n in re.findall(r"\bones_like\((\w+)\)", line.code)}
        return _Backward(tuple(lines), frozenset(needed | likes))

    def _adjoint(self, name: str) -> list[Line]:
        tensor = self.swept.network.by_name[name]
        target = self.adjoints[name]
        whole = self.results.get(name)
        if whole is None or whole.is_zero:
            return [Line(f"{target} = {self.names.np}zeros_like({name})", self.shape(tensor))]
        indices = self.swept.derivations[name].indices
        return self._written(target, whole, indices, tensor, f"gradient by {name}", name)

    # ---- one line

    def _written(
        self,
        target: str,
        whole: Expression,
        indices: tuple[Index, ...],
        tensor: Tensor,
        where: str,
        like: str,
    ) -> list[Line]:
        network = self.pass_.network
        node = readable_form(whole, indices, network)
        if node is None:
            text = expression_text(whole, indices, network, self.names, like, where)
            return [Line(f"{target} = {text}", self.shape(tensor))]
        idiom = self._less_one_hot(target, node)
        if idiom:
            return [Line(idiom[0], self.shape(tensor)), *map(Line, idiom[1:])]
        text = numpy_expression(node, self.names, like)
        return [Line(f"{target} = {text}", self._comment(node, tensor))]

    def _less_one_hot(self, target: str, node: Node) -> list[str]:
        """(yhat - onehot(y)) / N without the matrix of ones and zeros: subtract at its places."""
        if not self.backend.assigns:
            return []
        scale, body = (node.coefficient, node.inner) if isinstance(node, Scale) else (None, node)
        if not isinstance(body, Sum) or len(body.parts) != 2:
            return []
        first, second = body.parts
        match second:
            case Scale(inner=OneHot() as pick) if second.coefficient == -1:
                pass
            case _:
                return []
        if not isinstance(first, Leaf) or first.transposed or pick.transposed:
            return []
        both = pick.row is not None and pick.col is not None
        rows = ""
        if both:
            assert pick.row is not None
            rows = f"{self.names.np}arange({self.names.size(pick.row.axis.extent)}), "
        lines = [f"{target} = {first.tensor}.copy()", f"{target}[{rows}{pick.tensor}] -= 1"]
        if scale is not None:
            text = scaled(scale, Text(target, 6, True, True), self.names).text
            lines.append(f"{target} = {text}")
        return lines

    # ---- shapes

    def shape(self, tensor: Tensor) -> str:
        return _shape(self._extent(extent) for extent in tensor.shape)

    def _extent(self, extent: Expr) -> str:
        if extent in self.sizes:
            return str(self.sizes[extent])
        return self.names.size(extent)

    def _comment(self, node: Node, tensor: Tensor) -> str:
        """`(4, N) @ (N, 3) -> (4, 3)` where the line is one product of two arrays."""
        found = list(_products(node))
        if not tensor.indices:
            return ""
        if len(found) != 1:
            return self.shape(tensor)
        left, right = (self._shape_of(part) for part in found[0])
        return f"{left} @ {right} -> {self.shape(tensor)}"

    def _shape_of(self, node: Node) -> str:
        present = (index for index in (node.row, node.col) if index is not None)
        return _shape(self._extent(index.axis.extent) for index in present)

    # ---- around

    def unpacked(self, asked: Sequence[str], code: Sequence[str]) -> list[Line]:
        """`W1, b1 = params["W1"], params["b1"]`, one line a layer."""
        network = self.swept.network
        words = _words(code) | _words(self.counted(code), key=lambda line: line.code)
        groups: dict[object, list[str]] = {}
        for tensor in network.of_kind("parameter"):
            if tensor.name in words:
                groups.setdefault(tensor.layer or tensor.name, []).append(tensor.name)
        return [Line(f"{', '.join(names)} = {_looked_up(names)}") for names in groups.values()]

    def counted(self, code: Sequence[str]) -> list[Line]:
        """`N = x.shape[0]` for every size that the code uses."""
        words = _words(code)
        lines = []
        for symbol, name in self.names.sizes.items():
            if name in words:
                lines.append(Line(f"{name} = {self._measured(symbol)}"))
        return lines

    def _measured(self, symbol: Expr) -> str:
        network = self.swept.network
        for tensor in (
            *network.of_kind("input"),
            *network.of_kind("parameter"),
            *network.of_kind("label"),
        ):
            for axis, extent in enumerate(tensor.shape):
                if extent == symbol:
                    return f"{tensor.name}.shape[{axis}]"
        raise UnsupportedError(f"no array of the network tells the size {symbol}")

    def returned(self, asked: Sequence[str]) -> str:
        resolve = self.swept.network.resolve
        entries = [f'"{name}": {self.adjoints[resolve(name)]}' for name in asked]
        flat = f"{self.loss_name}, {{{', '.join(entries)}}}"
        if len(flat) <= 80:
            return flat
        rows = "".join(f"        {entry},\n" for entry in entries)
        return f"{self.loss_name}, {{\n{rows}    }}"


def _looked_up(names: Sequence[str]) -> str:
    return ", ".join(f'params["{name}"]' for name in names)


_GIVEN = ("input", "parameter", "label")


def _adjoint_names(swept: Swept) -> dict[str, str]:
    """Tensor -> name of its adjoint; `extended` holds adjoints in the order of the tensors."""
    primal = [t.name for t in swept.network.tensors if t.kind not in ("label", "loss")]
    adjoint = [t.name for t in swept.extended.tensors if t.kind == "adjoint"]
    return dict(zip(primal, adjoint, strict=True))


def _needed_results(
    swept: Swept, pass_: ForwardPass, adjoints: Mapping[str, str], asked: Sequence[str]
) -> dict[str, Expression]:
    """The derivations that the wanted ones rest on, written through outputs that are kept."""
    owner = {adjoint: name for name, adjoint in adjoints.items()}
    found: dict[str, Expression] = {}
    waiting = [swept.network.resolve(name) for name in asked]
    while waiting:
        name = waiting.pop()
        if name in found or name not in swept.derivations:
            continue
        result = through_output(swept.derivations[name].result, swept.network)
        found[name] = pass_.stabilised(result)
        waiting += [owner[read] for read in sorted(_tensors_in(found[name])) if read in owner]
    return found


def _tensors_in(whole: Expression) -> set[str]:
    found: set[str] = set()
    for term in whole.terms:
        for factor in term.factors:
            found |= {element.tensor for element in elements_in(factor)}
            if factor.has(Delta):
                found |= {element.tensor for element in factor.atoms(Element)}
    return found


def _products(node: Node) -> Iterator[tuple[Node, Node]]:
    """Matrix products of two arrays within a line that is otherwise pointwise."""
    match node:
        case MatMul(parts=(left, right)):
            inner = left.col is not None
            if inner and not isinstance(left, Ones) and not isinstance(right, Ones):
                yield left, right
        case Scale(inner=inner_node):
            yield from _products(inner_node)
        case Hadamard(parts=parts) | Sum(parts=parts):
            for part in parts:
                yield from _products(part)
        case Divide(numerator=above, denominator=below):
            yield from _products(above)
            yield from _products(below)
        case Constant():
            return
        case _:
            return


def _shape(extents: Iterable[str]) -> str:
    texts = list(extents)
    return f"({texts[0]},)" if len(texts) == 1 else f"({', '.join(texts)})"


def _refuse_recurrence(equation: Equation, reads: frozenset[str]) -> None:
    if equation.target in reads:
        raise UnsupportedError(
            f"equation of {equation.target}: it reads itself at another position; NumPy code for "
            "recurrences is not supported"
        )


# --------------------------------------------------------------------------------------------
# Names
# --------------------------------------------------------------------------------------------


def _reserved(backend: Backend) -> frozenset[str]:
    module = backend.module.partition(".")[0]
    return frozenset({backend.alias, module, "params", FUNCTION, "None", "True", "False"})


def _words(code: Iterable[Any], key: Callable[[Any], str] = str) -> set[str]:
    return {word for text in code for word in re.findall(r"[^\W\d]\w*", key(text))}


def _size_names(network: Network, taken: Iterable[str]) -> dict[Expr, str]:
    """An identifier for each size that no array and no word of Python uses already."""
    primes = {f"{name}_prime" for name in FUNCTIONS}
    used = set(taken) | set(FUNCTIONS) | primes | set(STABLE_HELPERS)
    names: dict[Expr, str] = {}
    symbols = {s for t in network.tensors for extent in t.shape for s in extent.free_symbols}
    for symbol in sorted(symbols, key=lambda symbol: symbol.name):
        if isinstance(symbol, Index):
            continue
        name = symbol.name if symbol.name.isidentifier() else "size"
        while name in used or keyword.iskeyword(name):
            name += "_"
        used.add(name)
        names[symbol] = name
    return names


def _refuse_names(network: Network, taken: Container[str]) -> None:
    for tensor in network.tensors:
        name = tensor.name
        bad = not name.isidentifier() or not name.isascii() or keyword.iskeyword(name)
        if bad or name in taken:
            raise UnsupportedError(
                f"tensor {printable(name)!r}: no array in the code can have this name; rename it"
            )


# --------------------------------------------------------------------------------------------
# Helper functions
# --------------------------------------------------------------------------------------------

STABLE_HELPERS: Mapping[str, str] = {
    "softmax": """\
def softmax(z):
    e = {np}exp(z - z.real.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)""",
    "log_softmax": """\
def log_softmax(z):
    shifted = z - z.real.max(axis=-1, keepdims=True)
    return shifted - {np}log({np}exp(shifted).sum(axis=-1, keepdims=True))""",
}


def _helpers(code: Iterable[str], network: Network, names: Names) -> dict[str, str]:
    """The helper functions that the code calls, and those that they call; by name."""
    called = {name for text in code for name in re.findall(r"(?<![\w.])(\w+)\(", text)}
    found: dict[str, str] = {}
    for name in sorted(called):
        text = _helper(name, network, names)
        if text:
            found |= _helpers(text.splitlines()[1:], network, names)
            found[name] = text
    return found


def _helper(name: str, network: Network, names: Names) -> str:
    if name in STABLE_HELPERS:
        return STABLE_HELPERS[name].format(np=names.np)
    stem = name
    order = 0
    while stem.endswith("_prime") and stem not in network.functions:
        stem, order = stem.removesuffix("_prime"), order + 1
    if stem not in network.functions:
        return ""
    return f"def {name}(z):\n{indent(_body(network.functions[stem], order, names), ' ' * 4)}"


def _body(function: ScalarFunction, order: int, names: Names) -> str:
    """f, f' or f'' at `z`: stable where that is declared, f' through f where that is known."""
    if order == 0 and function.stable:
        return function.stable.format(np=names.np)
    through = function.slope(Z, Applied(function.name, 0, Z)) if order == 1 else None
    definition = function.value(Z, order) if through is None else through
    known = {Z: Text("z", ATOM, True, True)}
    return f"return {scalar_text(definition, known, '.real', names.np).text}"
