"""The worked example: numbers for a network, and every forward value as a matrix of numbers.

Owns: the numbers that a file leaves open, the rule that makes them and its words, and how a
tensor at numbers is printed.
Refuses: networks whose sizes are names that no array fixes, and numbers that overflow; the answer
is None and the sections with numbers are left out.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from sympy import Expr, Symbol

from symbackprop.calculus.terms import single
from symbackprop.derivation.evaluate import Point, forward
from symbackprop.document.blocks import Block, Display, Heading, Line, Paragraph
from symbackprop.document.desk import Desk
from symbackprop.document.formulas import Formula, Grid, Name, Number, Of, value
from symbackprop.document.scene import with_derivatives
from symbackprop.networks.layers.architecture import Architecture
from symbackprop.networks.layers.losses import LOSSES
from symbackprop.networks.layers.multilayer import SAMPLES, Built
from symbackprop.networks.network import Kind, Tensor
from symbackprop.networks.roles import LayerNames, layers_of

Array = npt.NDArray[Any]

SAMPLES_UNLESS_STATED = 3
MOST_ENTRIES = 20_000
WRITTEN_OUT = 8
DEEPEST_LISTED = 6
BEGINNING: tuple[Kind, ...] = ("input", "parameter", "label")
DIGITS = 4
LONGEST_EXACT = 6
SMALLEST, LARGEST = 1e-3, 1e6
START, FACTOR, MODULUS = 7, 11, 1009
REMAINDERS, TARGETS = 20, 9


@dataclass(frozen=True)
class Worked:
    """A batch network at the numbers of the worked example, forward pass included.

    `given`: tensors whose numbers the file states; all others are made by the rule.
    """

    architecture: Architecture
    point: Point
    given: tuple[str, ...]

    @property
    def samples(self) -> int:
        return self.point.sizes[SAMPLES]

    @property
    def is_written_out(self) -> bool:
        """Whether every matrix is small enough for a page, and there are few of them."""
        narrow = max(self.point.sizes.values()) <= WRITTEN_OUT
        return narrow and len(self.architecture.layers) <= DEEPEST_LISTED


# --------------------------------------------------------------------------------------------
# The numbers
# --------------------------------------------------------------------------------------------


def worked_point(
    architecture: Architecture, given: Mapping[str, Any], built: Built
) -> Worked | None:
    """Numbers for the batch network `built`: the arrays of the file, for the others the rule.

    None where a size is a name that no array fixes, where there are too many entries to be an
    example, or where the forward pass leaves the finite numbers.
    """
    sizes = _sizes(architecture, given, built)
    if sizes is None:
        return None
    tensors = built.network.of_kind(*BEGINNING)
    if sum(math.prod(_shape(tensor, sizes)) for tensor in tensors) > MOST_ENTRIES:
        return None
    classes = sizes[built.network.tensor("yhat").shape[-1]]
    values = _made(architecture, tensors, sizes, classes)
    for name in values:
        if name in given:
            values[name] = np.array(given[name], dtype=values[name].dtype)
    with np.errstate(all="ignore"):
        point = forward(Point(built.network, values, sizes))
    if not all(np.all(np.isfinite(array)) for array in point.values.values()):
        return None
    return Worked(architecture, point, tuple(name for name in values if name in given))


def _sizes(
    architecture: Architecture, given: Mapping[str, Any], built: Built
) -> dict[Symbol, int] | None:
    """Numbers of the file, then lengths of its arrays."""
    sizes = dict(built.sizes)
    if architecture.samples is not None:
        sizes[SAMPLES] = architecture.samples
    tensors = built.network.of_kind(*BEGINNING)
    for tensor in tensors:
        if tensor.name in given:
            lengths = np.shape(given[tensor.name])
            for extent, length in zip(tensor.shape, lengths, strict=True):
                sizes.setdefault(extent, length)
    sizes.setdefault(SAMPLES, SAMPLES_UNLESS_STATED)
    needed = {extent for tensor in tensors for extent in tensor.shape}
    return sizes if needed <= set(sizes) else None


def _shape(tensor: Tensor, sizes: Mapping[Symbol, int]) -> tuple[int, ...]:
    return tuple(sizes[extent] for extent in tensor.shape)


def _made(
    architecture: Architecture,
    tensors: Sequence[Tensor],
    sizes: Mapping[Symbol, int],
    classes: int,
) -> dict[str, Array]:
    """Every array by the rule. Numbers that the file states are drawn too, so that stating one
    array leaves the others as they were."""
    draws = _draws()
    made = {}
    for tensor in tensors:
        shape = _shape(tensor, sizes)
        if tensor.kind == "label":
            made[tensor.name] = _labels(architecture, shape, classes, draws)
        else:
            entries = [_tenths(next(draws)) for _ in range(math.prod(shape))]
            made[tensor.name] = np.array(entries, dtype=float).reshape(shape)
    return made


def _whole_numbers() -> Iterator[int]:
    """c <- 11 c mod 1009, without the start."""
    current = START
    while True:
        current = FACTOR * current % MODULUS
        yield current


def _draws() -> Iterator[int]:
    """Whole numbers from 0 to 19: the remainders by 20."""
    return (current % REMAINDERS for current in _whole_numbers())


def _tenths(draw: int) -> float:
    """-1.0, ..., -0.1, 0.1, ..., 1.0; never 0."""
    return (draw - 10 if draw < 10 else draw - 9) / 10


def _labels(
    architecture: Architecture,
    shape: tuple[int, ...],
    classes: int,
    draws: Iterator[int],
) -> Array:
    width = shape[-1]
    match LOSSES[architecture.loss].targets, architecture.labels:
        case "classes", "one_hot":
            return np.eye(width)[np.arange(shape[0]) % width]
        case "classes", "integer":
            return np.arange(shape[0]) % classes
        case "classes", "distribution":
            own = np.eye(width)[np.arange(shape[0]) % width]
            return own if width == 1 else 0.7 * own + 0.3 * np.roll(own, 1, axis=1)
        case "answers", _:
            return (1.0 + np.add.outer(np.arange(shape[0]), np.arange(width))) % 2
        case _:
            entries = [(next(draws) % TARGETS + 1) / 10 for _ in range(math.prod(shape))]
            return np.array(entries).reshape(shape)


def _target_rule(architecture: Architecture) -> str:
    match LOSSES[architecture.loss].targets, architecture.labels:
        case "none", _:
            return ""
        case "classes", "one_hot":
            return (
                " The samples belong to the classes 1, 2, and so on in turn, then 1 again; a target"
                " is 1 for the class of the sample and 0 for every other one."
            )
        case "classes", "integer":
            return " The samples belong to the classes in turn: the first, the second, and so on."
        case "classes", "distribution":
            return (
                " The targets of a sample are 0.7 for a class of its own, 0.3 for the next one and"
                " 0 for every other one; these classes take turns."
            )
        case "answers", _:
            return (
                " The targets are 1 and 0 in turn, beginning with 1 for the first output of the"
                " first sample, from output to output and from sample to sample."
            )
        case _:
            return (
                " The targets come last and go on with the same remainders from 0 to"
                f" {REMAINDERS - 1}: divide the remainder once more, by {TARGETS}; what is left,"
                f" plus 1, divided by 10, is the target, a number from 0.1 to 0.{TARGETS}."
            )


def rule_words(architecture: Architecture) -> str:
    """The rule, for whoever wants to make the numbers again."""
    first = list(itertools.islice(_whole_numbers(), 3))
    place = first[0] % REMAINDERS
    bias = " and after them its bias" if any(layer.bias for layer in architecture.layers) else ""
    return (
        f"Begin at {START}; {START} itself is not used. Each number is {FACTOR} times the one"
        f" before, modulo {MODULUS} (the remainder after division by {MODULUS}):"
        f" {', '.join(map(str, first))}, …. Then take the remainder of each number after division"
        f" by {REMAINDERS}. The remainders 0, 1, …, {REMAINDERS - 1} stand for the"
        f" {REMAINDERS} values from {_tenths(0)} to {_tenths(REMAINDERS - 1)} in steps of 0.1, with"
        f" 0 left out; {first[0]}, for example, leaves {place}, and that stands for"
        f" {_tenths(place)}. The values are handed out in this order: the input, sample by sample;"
        " then for each layer its weights (those of its first input, then those of its second, and"
        f" so on){bias}." + _target_rule(architecture)
    )


# --------------------------------------------------------------------------------------------
# A desk at the numbers
# --------------------------------------------------------------------------------------------


def desk_at(desk: Desk, worked: Worked) -> Desk:
    """The desk of the batch, where literal entries are checked at the worked numbers and sizes
    print as numbers, the number of samples too."""
    scene = with_derivatives(desk.network, worked.point)
    setting = replace(desk.setting, sizes=dict(worked.point.sizes))
    return replace(desk, setting=setting, own=(scene,))


def array_of(desk: Desk, formula: Formula) -> Array:
    """The value of a formula at the worked numbers, as a matrix."""
    return np.atleast_2d(value(formula, desk.own[0]))


# --------------------------------------------------------------------------------------------
# Printing
# --------------------------------------------------------------------------------------------


def decimals(array: Array, longest: int = DIGITS) -> int | None:
    """How many decimals every entry needs, None where that is more than `longest`."""
    bound = 1e-12 * max(1.0, float(np.max(np.abs(array), initial=0)))
    for digits in range(longest + 1):
        if np.all(np.abs(array - np.round(array, digits)) <= bound):
            return digits
    return None


def numbers(array: Array, exact: bool = False) -> tuple[Grid, str]:
    """The matrix as numbers, and the relation in which it stands to what it shows: `=` where all
    its decimals are printed."""
    found = decimals(array, LONGEST_EXACT if exact else DIGITS)
    largest = float(np.max(np.abs(array), initial=0))
    odd = _is_odd(largest)
    digits = _digits(largest) if found is None else found
    cells = tuple(
        tuple(Number(float(cell), 4, True) if odd else Number(float(cell), digits) for cell in row)
        for row in array
    )
    return Grid(cells), r"\approx" if found is None or odd else "="


def _is_odd(largest: float) -> bool:
    """Whether four decimals would be too long, or would say nothing."""
    return largest >= LARGEST or 0 < largest < SMALLEST


def _digits(largest: float) -> int:
    """Four decimals, fewer where numbers are long before the point."""
    return max(0, DIGITS - max(0, math.floor(math.log10(largest)))) if largest > 0 else DIGITS


def weaker(*relations: str) -> str:
    """One relation for a chain: rounded where any of its sides is."""
    return "=" if all(relation == "=" for relation in relations) else r"\approx"


def shown(desk: Desk, name: str, exact: bool = False) -> Display:
    """The tensor and its numbers."""
    grid, relation = numbers(array_of(desk, Name(name)), exact)
    return Display(desk.chain(Name(name), grid, relation=relation))


def size_words(desk: Desk, name: str) -> str:
    """Rows times columns of the tensor as it is printed: `3 × 4`, `N × 3`, `1 × 4`."""
    tensor = desk.tensor(name)
    extents = [_extent_words(desk, extent) for extent in tensor.shape]
    if len(extents) == 1:
        extents.insert(1 if tensor.axes[0].role == "sample" else 0, "1")
    return " × ".join(reversed(extents) if desk.setting.columns else extents)


def _extent_words(desk: Desk, extent: Expr) -> str:
    if extent == SAMPLES and extent not in desk.setting.sizes:
        letter = desk.setting.notation.symbol("N")
        return letter if letter.isalnum() else "N"
    return str(extent.subs(desk.setting.sizes))


# --------------------------------------------------------------------------------------------
# The section
# --------------------------------------------------------------------------------------------


def forward_values(desk: Desk, worked: Worked) -> Iterator[Block]:
    """The numbers that are given, then every forward value; `desk` is at the worked numbers."""
    yield Heading(2, ("A worked example in numbers",))
    yield Paragraph(
        (
            f"A batch of {_samples(worked.samples)}",
            f", one in each {line_of(desk)}. " if worked.samples > 1 else ". ",
            *_origin(desk, worked),
            *_counting(worked),
        )
    )
    yield Paragraph(
        (
            "Where four decimals are enough, a result is printed in full. Otherwise it is rounded"
            " for printing, and a wavy equals sign stands before it: to four decimals as a rule, to"
            " four or five digits in all where numbers are very large or very small. The"
            " computation itself goes on with all digits.",
        )
    )
    yield Paragraph(("The numbers to start from:",))
    network = desk.network
    for tensor in network.of_kind(*BEGINNING):
        yield shown(desk, tensor.name, exact=True)
    yield Heading(3, ("Forward, layer by layer",))
    for layer in layers_of(network):
        yield Paragraph(_layer_line(desk, layer))
        yield shown(desk, layer.total)
        if layer.output != layer.total:
            yield shown(desk, layer.output)
    yield from _loss_value(desk)


def line_of(desk: Desk) -> str:
    return "column" if desk.setting.columns else "row"


def selected(layers: Sequence[LayerNames]) -> tuple[LayerNames | None, ...]:
    """All layers; of a deep network the first two and the last, None standing for the others."""
    if len(layers) <= DEEPEST_LISTED:
        return tuple(layers)
    return (*layers[:2], None, layers[-1])


def _samples(count: int) -> str:
    return f"{count} samples" if count > 1 else "1 sample"


def _origin(desk: Desk, worked: Worked) -> Line:
    names = [t.name for t in desk.network.of_kind(*BEGINNING)]
    made = [name for name in names if name not in worked.given]
    if not made:
        return (*listed(desk, names), " are given; everything else is computed from them.")
    rule = "a fixed rule, so that anyone can make them again. " + rule_words(worked.architecture)
    if not worked.given:
        whose = "The input, the parameters and the targets come"
        if not desk.has_labels:
            whose = "The input and the parameters come"
        return (f"{whose} from {rule} Everything else is computed from them.",)
    verb = " is" if len(worked.given) == 1 else " are"
    return (
        *listed(desk, worked.given),
        f"{verb} given. ",
        *listed(desk, made),
        f" {'comes' if len(made) == 1 else 'come'} from {rule} Values that this rule has for what"
        " is given are passed over. Everything else is computed from these numbers.",
    )


def _counting(worked: Worked) -> Line:
    targets = LOSSES[worked.architecture.loss].targets
    if (targets, worked.architecture.labels) != ("classes", "integer"):
        return ()
    return (" Targets that are whole numbers count the classes from 0: 0 means the first class.",)


def listed(desk: Desk, names: Sequence[str]) -> Line:
    """The names as an enumeration: a, b and c."""
    parts: list[Any] = []
    for place, name in enumerate(names):
        if place:
            parts.append(" and " if place == len(names) - 1 else ", ")
        parts.append(desk.name(name))
    return tuple(parts)


def _layer_line(desk: Desk, layer: LayerNames) -> Line:
    total = desk.chain(Name(layer.total), desk.forward(layer.total))
    start: Line = (f"Layer {layer.number}: ", total)
    if not layer.function:
        return (*start, ":")
    if layer.function != "softmax":
        return (*start, " and ", desk.chain(Name(layer.output), desk.forward(layer.output)), ":")
    output = desk.network.tensor(layer.output)
    sums = desk.network.equation_of[layer.sum]
    return (
        *start,
        " and ",
        desk.chain(
            Of(single(output.entry), output.indices), desk.forward(layer.output, matrix=False)
        ),
        ", with the sum of the exponentials of each sample ",
        desk.chain(Of(single(sums.entry), sums.indices), Of(sums.rhs, sums.indices)),
        ":",
    )


def _loss_value(desk: Desk) -> Iterator[Block]:
    """The number at the end; its formula stands where the network is described."""
    loss = Name(desk.network.loss)
    what = "the loss of the batch" if desk.has_labels else "the one that is differentiated"
    grid, relation = numbers(array_of(desk, loss))
    yield Paragraph((f"At the end of the forward pass stands one number, {what}:",))
    yield Display(desk.chain(loss, grid.rows[0][0], relation=relation))
