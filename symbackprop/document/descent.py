"""Gradient descent on the worked numbers, repeated until it settles.

Owns: the choice of a step size, the run, and its table. The gradients come from the emitted code,
whose first result is compared with the reference implementation.
Refuses: objectives without targets; there is nothing to learn.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from symbackprop.document.blocks import (
    Block,
    Chain,
    Check,
    Display,
    Heading,
    Line,
    Paragraph,
    Table,
)
from symbackprop.document.desk import BOUND, Desk, UncheckedEquation
from symbackprop.document.formulas import (
    VANISHING,
    Derivative,
    Formula,
    Name,
    Number,
    Product,
    Total,
)
from symbackprop.document.numbers import Worked, numbers, weaker
from symbackprop.networks.layers.architecture import Architecture
from symbackprop.networks.layers.losses import LOSSES
from symbackprop.networks.roles import layers_of
from symbackprop.notation import DEFAULT_SYMBOLS
from symbackprop.witnesses import reference
from symbackprop.writing.code.numpy_backend import compile_source, emit

Array = npt.NDArray[Any]
Arrays = Mapping[str, Array]
Gradients = Callable[..., tuple[Any, dict[str, Array]]]

LISTED = (0, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000)
STEP_SIZES = (1.0, 0.5, 0.2, 0.1, 0.05, 0.02, 0.01, 0.001, 1e-4)
MOST_LAYER_STEPS = 12_000
SETTLED = 1e-3
WIDEST_STEP = 3
RATE_LETTERS = (r"\alpha", r"\eta", r"\varepsilon", r"\lambda", r"\rho")


@dataclass(frozen=True)
class Moment:
    """The loss and the length of the gradient after so many steps."""

    step: int
    loss: float
    norm: float


@dataclass(frozen=True)
class Run:
    """A descent with steps of one size. `rose`: it was given up because the loss rose or left the
    finite numbers; `settled`: the gradient has become small before the end."""

    size: float
    moments: tuple[Moment, ...]
    rose: bool
    settled: bool


def descent(desk: Desk, worked: Worked, explained: bool = False) -> Iterator[Block]:
    """The update rule and its repetition; `desk` is at the worked numbers, `explained` tells that
    the document has the rule already. Nothing where there is no loss, or where no step size goes
    down."""
    if not LOSSES[worked.architecture.loss].labelled:
        return
    function = compile_source(emit(desk.sweep))
    _check_first(function, worked)
    run = found_run(function, worked)
    if run is None:
        return
    yield Heading(2, ("Gradient descent",))
    yield from _rule_again(desk, run.size) if explained else _rule(desk, run.size)
    if worked.is_written_out and _width(desk) <= WIDEST_STEP:
        yield from _first_step(desk, run.size)
    yield from _table(desk, run)


# --------------------------------------------------------------------------------------------
# The run
# --------------------------------------------------------------------------------------------


def found_run(function: Gradients, worked: Worked) -> Run | None:
    """The run with the largest step size for which the loss never rises; None where the gradient
    is zero from the start, or no such size was found in time."""
    left = MOST_LAYER_STEPS // len(worked.architecture.layers)
    for size in STEP_SIZES:
        run = _run(function, worked, size, min(LISTED[-1], left))
        left -= run.moments[-1].step
        if not run.rose:
            return run if run.moments[0].norm > VANISHING else None
    return None


def _run(function: Gradients, worked: Worked, size: float, most: int) -> Run:
    current, x, y = _arguments(worked)
    moments: list[Moment] = []
    small, before = 0.0, np.inf
    with np.errstate(all="ignore"):
        for step in range(most + 1):
            loss, gradients = function(current, x, y)
            now = Moment(step, float(loss), _norm(gradients))
            if step == 0:
                small = SETTLED * now.norm
            rose = not now.loss <= before * (1 + 1e-9) + VANISHING or not np.isfinite(now.norm)
            settled = not rose and now.norm <= small
            if step in LISTED or step == most or rose or settled:
                moments.append(now)
            if rose or settled:
                return Run(size, tuple(moments), rose, settled)
            before = now.loss
            current = {name: array - size * gradients[name] for name, array in current.items()}
    return Run(size, tuple(moments), False, False)


def _norm(gradients: Arrays) -> float:
    return float(np.sqrt(sum(float(np.vdot(array, array)) for array in gradients.values())))


def _arguments(worked: Worked) -> tuple[dict[str, Array], Array, Array]:
    values = worked.point.values
    parameters = {t.name: values[t.name] for t in worked.point.network.of_kind("parameter")}
    return parameters, values["x"], values["y"]


def _check_first(function: Gradients, worked: Worked) -> None:
    """The first loss and gradients, against the reference implementation."""
    parameters, x, y = _arguments(worked)
    model = _model(worked.architecture)
    loss, gradients = function(parameters, x, y)
    expected: dict[str, Any] = dict(reference.gradients(model, parameters, x, y))
    pairs = [(loss, reference.loss(model, parameters, x, y))]
    pairs += [(gradients[name], expected[name]) for name in parameters]
    for found, wanted in pairs:
        if np.max(np.abs(found - wanted)) > BOUND * (1 + np.max(np.abs(wanted))):
            raise UncheckedEquation("the gradients of the descent differ from the reference")


def _model(architecture: Architecture) -> reference.Model:
    return reference.Model(
        tuple(layer.activation for layer in architecture.layers),
        architecture.loss,
        architecture.labels,
        architecture.reduction,
        architecture.half,
    )


# --------------------------------------------------------------------------------------------
# The section
# --------------------------------------------------------------------------------------------


def rate_letter(desk: Desk) -> str:
    """The letter of the step size: one that stands for nothing else in the network."""
    taken = {desk.setting.notation.symbol(letter) for letter in DEFAULT_SYMBOLS}
    return next(letter for letter in RATE_LETTERS if letter not in taken)


def _step_size(desk: Desk, size: float, sign: str = "") -> Number:
    """The step size by its letter; with the sign, its negative."""
    return Number(-size if sign else size, letter=sign + rate_letter(desk))


def _rule(desk: Desk, size: float) -> Iterator[Block]:
    """Each parameter moves against its gradient."""
    loss = desk.name(desk.network.loss)
    layers = layers_of(desk.network)
    yield Paragraph(
        (
            "Take one entry of one parameter. Where the derivative of ",
            loss,
            " by it is positive, a larger entry makes ",
            loss,
            " larger; where it is negative, a larger entry makes ",
            loss,
            " smaller. Either way, ",
            loss,
            " becomes smaller when a small positive multiple of the derivative is subtracted from"
            " the entry. The factor ",
            desk.maths(_step_size(desk, size)),
            " of this multiple is the step size (or learning rate), a positive number that is"
            " chosen by hand. The arrow puts a new value in place of the old one:",
        )
    )
    for name in filter(None, (layers[-1].weight, layers[-1].bias)):
        yield Display(_assignment(desk, name, size))
    others = "The parameters of every other layer change likewise. " if len(layers) > 1 else ""
    yield Paragraph(
        (
            others + "All gradients are computed before any parameter is changed. Then the forward"
            " pass, the backward pass and the step are repeated with the new values.",
        )
    )


def _rule_again(desk: Desk, size: float) -> Iterator[Block]:
    """The rule of an earlier section, in a sentence."""
    yield Paragraph(
        (
            "The step downhill that was described before is now done with numbers: all gradients"
            " are computed, then ",
            desk.maths(_step_size(desk, size)),
            " times its gradient is subtracted from each parameter, and everything is repeated with"
            " the new values.",
        )
    )


def _assignment(desk: Desk, name: str, size: float) -> Chain:
    """A definition: nothing is claimed to be equal."""
    step = Product((_step_size(desk, size, "-"), Derivative(desk.network.loss, name)))
    after = Total((Name(name), step))
    return Chain((Name(name), after), desk.setting, Check("definition"), r"\leftarrow")


def _width(desk: Desk) -> int:
    rows, cols = desk.own[0].values[layers_of(desk.network)[-1].weight].shape
    return int(rows if desk.setting.columns else cols)


def _first_step(desk: Desk, size: float) -> Iterator[Block]:
    """The last weights after one step, in numbers."""
    name = layers_of(desk.network)[-1].weight
    scene = desk.own[0]
    before, slope = scene.values[name], scene.jacobian(desk.network.loss, name)
    (old, first), (gradient, second) = numbers(before, exact=True), numbers(slope)
    new, third = numbers(before - size * slope)
    yield Paragraph(
        (
            "With ",
            desk.chain(_step_size(desk, size), Number(size, _decimals(size))),
            " the first step takes the weights ",
            desk.name(name),
            " to",
        )
    )
    change: Formula = Product((Number(-size, _decimals(size)), gradient))
    if slope.size == 1:  # two numbers side by side would read as one
        change, second = numbers(-size * slope)
    moved = Total((old, change))
    yield Display(
        desk.chain(
            Total(
                (
                    Name(name),
                    Product((_step_size(desk, size, "-"), Derivative(desk.network.loss, name))),
                )
            ),
            moved,
            new,
            relation=weaker(first, second, third),
        )
    )


def _decimals(size: float) -> int:
    return len(f"{size:.10f}".rstrip("0").split(".")[1])


def _table(desk: Desk, run: Run) -> Iterator[Block]:
    yield Paragraph(
        (
            "The step is now repeated with ",
            desk.chain(_step_size(desk, run.size), Number(run.size, _decimals(run.size))),
            *_choice_of_size(run.size),
            ", on the same samples each time. The table lists some of the steps, rounded to four"
            " digits. Its last column says how steep the place is that has been reached: the length"
            " of the gradient is the square root of the sum of the squares of all its entries,"
            " over all"
            " parameters.",
        )
    )
    header: tuple[Line, ...] = (
        ("steps",),
        (desk.name(desk.network.loss),),
        ("length of the gradient",),
    )
    rows = tuple(
        ((str(moment.step),), _figure(desk, moment.loss), _figure(desk, moment.norm))
        for moment in run.moments
    )
    yield Table(header, rows)
    yield Paragraph(_ending(desk, run))


def _choice_of_size(size: float) -> Line:
    if size == STEP_SIZES[0]:
        return ()
    return (
        f", the first of the sizes {', '.join(f'{s:g}' for s in STEP_SIZES[:4])}, ... with which"
        " the loss never rises",
    )


def _figure(desk: Desk, number: float) -> Line:
    return (desk.maths(Number(number, 4, significant=True)),)


def _ending(desk: Desk, run: Run) -> Line:
    last = run.moments[-1]
    loss = desk.name(desk.network.loss)
    if not run.settled:
        return (
            f"After {last.step} steps, where the table stops, the length of the gradient is still"
            " more than a thousandth of its first value, and ",
            loss,
            " can still be made smaller." + _growing(run),
        )
    return (
        "We stop at the first step at which the length of the gradient has fallen to a thousandth"
        f" of its first value or less; here this is step {last.step}. ",
        loss,
        " may still fall slowly from there on. A short gradient says only that the place is nearly"
        " flat, not that there is no better one." + _growing(run),
    )


def _growing(run: Run) -> str:
    """Where the length of the gradient rises on the way: one sentence on why."""
    norms = [moment.norm for moment in run.moments]
    if all(after <= before for before, after in itertools.pairwise(norms)):
        return ""
    return (
        " The length of the gradient does not have to shrink all the time, and here it grows for a"
        " while: the way down may lead over a gentle slope first and come to a steeper one later."
    )
