"""Gradient descent on the worked numbers, repeated until it settles.

Owns: the choice of a step size, the run, and its table. The gradients come from the emitted code,
whose first result is compared with the reference implementation.
Refuses: objectives without targets; there is nothing to learn.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from symbackprop import reference
from symbackprop.codegen.numpy_backend import compile_source, emit
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
from symbackprop.document.formulas import VANISHING, Derivative, Name, Number, Product, Total
from symbackprop.document.numbers import Worked, numbers, weaker
from symbackprop.document.structure import layers_of
from symbackprop.layers.architecture import Architecture

Array = npt.NDArray[Any]
Arrays = Mapping[str, Array]
Gradients = Callable[..., tuple[Any, dict[str, Array]]]

LISTED = (0, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000)
STEP_SIZES = (1.0, 0.5, 0.2, 0.1, 0.05, 0.02, 0.01, 0.001, 1e-4)
MOST_LAYER_STEPS = 12_000
SETTLED = 1e-3
WIDEST_STEP = 3


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


def descent(desk: Desk, worked: Worked) -> Iterator[Block]:
    """The update rule and its repetition; `desk` is at the worked numbers. Nothing where there is
    no loss, or where no step size goes down."""
    if worked.architecture.loss == "none":
        return
    function = compile_source(emit(desk.sweep))
    _check_first(function, worked)
    run = found_run(function, worked)
    if run is None:
        return
    yield Heading(2, ("Gradient descent",))
    yield from _rule(desk, run.size)
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


def _step_size(size: float, sign: str = "") -> Number:
    r"""The step size by its letter; with the sign, its negative."""
    return Number(-size if sign else size, letter=rf"{sign}\eta")


def _rule(desk: Desk, size: float) -> Iterator[Block]:
    """Each parameter moves against its gradient."""
    loss = desk.name(desk.network.loss)
    last = layers_of(desk.network)[-1]
    yield Paragraph(
        (
            "The gradient of a parameter points where ",
            loss,
            " grows fastest, so a small step the other way makes it smaller. A positive number, the"
            " step size ",
            desk.maths(_step_size(size)),
            ", says how far to go. The arrow puts a new value in place of the old one:",
        )
    )
    for name in filter(None, (last.weight, last.bias)):
        yield Display(_assignment(desk, name, size))
    yield Paragraph(
        (
            "and likewise for every other layer. All gradients are taken before any parameter is",
            " changed. Then the forward pass, the backward pass and the step are repeated with the",
            " new values.",
        )
    )


def _assignment(desk: Desk, name: str, size: float) -> Chain:
    """A definition: nothing is claimed to be equal."""
    step = Product((_step_size(size, "-"), Derivative(desk.network.loss, name)))
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
            desk.chain(_step_size(size), Number(size, _decimals(size))),
            " the first step takes the weights ",
            desk.name(name),
            " to",
        )
    )
    moved = Total((old, Product((Number(-size, _decimals(size)), gradient))))
    yield Display(
        desk.chain(
            Total(
                (Name(name), Product((_step_size(size, "-"), Derivative(desk.network.loss, name))))
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
            "Repeated with ",
            desk.chain(_step_size(run.size), Number(run.size, _decimals(run.size))),
            *_choice_of_size(run.size),
            ", on the same samples each time. The length of the gradient is the root of the sum of",
            " the squares of all its entries, over all parameters:",
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
        f", the first of the sizes {', '.join(f'{s:g}' for s in STEP_SIZES[:4])}, ... with which no"
        " step goes up",
    )


def _figure(desk: Desk, number: float) -> Line:
    return (desk.maths(Number(number, 4, significant=True)),)


def _ending(desk: Desk, run: Run) -> Line:
    last = run.moments[-1]
    loss = desk.name(desk.network.loss)
    if run.settled:
        return (
            f"After {last.step} steps the gradient is less than a thousandth of what it was at"
            " the start, and ",
            loss,
            " hardly changes any more: the descent has settled. This says that the place is flat,"
            " not that no better one exists elsewhere.",
        )
    return (
        f"After {last.step} steps the gradient is still more than a thousandth of what it was at"
        " the start. ",
        loss,
        " goes on falling, slowly.",
    )
