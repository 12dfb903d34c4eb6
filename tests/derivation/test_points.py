"""Test points: what is drawn agrees with nothing by accident, and every branch is met."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from sympy import Abs, Lambda, Piecewise, S

from symbackprop import api
from symbackprop.calculus.scalars import FUNCTIONS, RELU, Z
from symbackprop.calculus.terms import Applied, expression, product
from symbackprop.derivation.equality import with_definitions
from symbackprop.derivation.evaluate import Point, apply, generic_sizes
from symbackprop.derivation.points import Chosen, bends_of, generic_points, kinks_of
from symbackprop.derivation.sweep import sweep
from symbackprop.networks.layers.multilayer import Built, build
from symbackprop.networks.network import Network
from tests.fuzz import spec_text

Array = npt.NDArray[Any]
NEAR = 1e-9


def built(units: Sequence[int], activation: str, *, one: bool, bias: bool = True) -> Built:
    """Hidden layers of those units, a linear output, squared error, two inputs."""
    lines = ['name = "bent"', "input = 2", 'loss = "squared_error"']
    for count, name in (*((n, activation) for n in units), (1, "identity")):
        lines += ["[[layers]]", 'type = "dense"', f"units = {count}", f'activation = "{name}"']
        lines += [f"bias = {str(bias).lower()}"]
    net = api.loads("\n".join(lines))
    assert net.architecture is not None
    return build(net.architecture, one_sample=one)


def chosen_for(found: Built, seed: int = 11) -> Chosen:
    """Points at generic sizes, layers of one unit staying so."""
    single = {s: 1 for s, n in found.sizes.items() if n == 1}
    return generic_points(found.network, seed, {**generic_sizes(found.network), **single})


# --------------------------------------------------------------------------------------------
# Branches
# --------------------------------------------------------------------------------------------

SHAPES = ((1,), (4,), (1, 1), (4, 3), (1, 1, 1), (3, 1, 2), (2, 2, 2, 2))


@pytest.mark.parametrize("one", [True, False])
@pytest.mark.parametrize("units", SHAPES, ids=str)
@pytest.mark.parametrize("activation", ["relu", "leaky_relu"])
def test_pairs_of_units_are_met_on_all_sides(
    activation: str, units: Sequence[int], one: bool
) -> None:
    chosen = chosen_for(built(units, activation, one=one))
    assert chosen.unmet == ""
    signs = [_signs(chosen, layer) for layer in range(1, len(units) + 1)]
    for layer in signs:
        for unit in layer.T:
            assert {True, False} <= set(unit.tolist())
    for before, after in itertools.combinations(signs, 2):
        for unit, later in itertools.product(before.T, after.T):
            met = set(zip(unit.tolist(), later.tolist(), strict=True))
            assert met == set(itertools.product((True, False), repeat=2))


def _signs(chosen: Chosen, layer: int) -> Array:
    """Points and samples, units: whether z is above its kink."""
    arrays = [np.atleast_2d(p.values[f"z{layer}"]) for p in chosen.points]
    return np.concatenate(arrays) > 0


@pytest.mark.parametrize("one", [True, False])
@pytest.mark.parametrize("units", [(1, 1, 1), (3, 1, 2), (1, 1, 1, 1, 1)], ids=str)
def test_each_forgotten_slope_of_a_chain_shows(units: Sequence[int], one: bool) -> None:
    """A unit that is off shows that its slope was left out only where all others let through."""
    chosen = chosen_for(built(units, "relu", one=one))
    on = [_signs(chosen, layer) for layer in range(1, len(units) + 1)]
    for number, layer in enumerate(on):
        others = [o.any(axis=1) for place, o in enumerate(on) if place != number]
        through = np.logical_and.reduce(others)
        assert all((through & ~unit).any() for unit in layer.T)


def test_a_combination_out_of_reach_is_said() -> None:
    """Without a bias a single unit that is off leaves the next one exactly at its kink."""
    chosen = chosen_for(built((1, 1), "relu", one=True, bias=False))
    assert chosen.unmet == "no test point was found that has z1 below 0 and z2 below 0"
    assert not chosen_for(built((1, 1), "leaky_relu", one=True, bias=False)).unmet


def test_without_kinks_three_points_are_enough() -> None:
    chosen = chosen_for(built((4, 3), "tanh", one=True))
    assert len(chosen.points) == 3
    assert not list(bends_of(chosen.points[0].network))


def test_equal_networks_have_equal_points() -> None:
    one, other = (chosen_for(built((4, 3), "relu", one=False)) for _ in range(2))
    assert len(one.points) == len(other.points)
    for p, q in zip(one.points, other.points, strict=True):
        assert all(np.array_equal(p.values[name], q.values[name]) for name in p.values)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_kinks_are_where_the_definition_changes(name: str) -> None:
    record = FUNCTIONS[name]
    assert bool(kinks_of(record)) == record.definition.expr.has(Piecewise)
    assert record.kink is None or float(record.kink) in kinks_of(record)


def test_a_function_of_any_shape_has_its_kinks_found() -> None:
    """Clipping to [-1, 1], and |z - 2|: nothing here knows them by name."""
    clip = Piecewise((S.NegativeOne, Z < -1), (Z, Z < 1), (S.One, True))
    assert kinks_of(replace(RELU, definition=Lambda(Z, clip), kink=None)) == (-1.0, 1.0)
    assert kinks_of(replace(RELU, definition=Lambda(Z, Abs(Z - 2)), kink=None)) == (2.0,)


@pytest.mark.parametrize("one", [True, False])
def test_a_loss_with_a_kink_is_met_on_both_sides(one: bool) -> None:
    """The labels move where no bias is: relu(yhat - y) added up."""
    network = built((3,), "tanh", one=one, bias=False).network
    yhat, y, loss = network.tensor("z2").entry, network.tensor("y").entry, network.equation_of["L"]
    bent = expression(product(1, network.tensor("y").indices, (Applied("relu", 0, yhat - y),)))
    equations = (*network.equations[:-1], replace(loss, rhs=bent))
    chosen = generic_points(replace(network, equations=equations), 3)
    assert not chosen.unmet
    errors = [np.atleast_2d(p.values["yhat"] - p.values["y"]) > 0 for p in chosen.points]
    assert all({True, False} == set(unit.tolist()) for unit in np.concatenate(errors).T)


# --------------------------------------------------------------------------------------------
# Numbers
# --------------------------------------------------------------------------------------------

NETWORKS = range(60)


@pytest.mark.slow
@pytest.mark.parametrize("seed", NETWORKS)
def test_entries_agree_with_nothing_by_accident(seed: int) -> None:
    """Within one tensor pairwise different, none of them a small number, none the same at all
    points, but for what the network makes so: with a loss that adds up the output, counts; where
    a layer of a sample is off, what comes behind it."""
    net = api.loads(spec_text(seed))
    assert net.architecture is not None
    for one in (True, False):
        network = build(net.architecture, one_sample=one).network
        chosen = generic_points(network, 11)
        _check_given(network, chosen.points)
        if not one and list(bends_of(network)):
            continue
        points, clear = chosen.points, [_lets_through(network, p) for p in chosen.points]
        named = {**_values(network, points), **_slopes(network, points)}
        if net.architecture.loss != "none" and not any(t.facts for t in network.of_kind("label")):
            named |= _adjoints(network, points)
        for name, arrays in named.items():
            if name != network.loss or net.architecture.loss != "none":
                _check_entries(name, np.array([np.ravel(a) for a in arrays]), clear)


def _lets_through(network: Network, point: Point) -> bool:
    """Whether no layer is off as a whole."""
    bends = list(bends_of(network))
    return all(bend.is_open(bend.values(point)).any(axis=1).all() for bend in bends)


def _values(network: Network, points: Sequence[Point]) -> dict[str, list[Array]]:
    computed = [e.target for e in network.equations]
    return {name: [np.asarray(p.values[name], dtype=float) for p in points] for name in computed}


def _slopes(network: Network, points: Sequence[Point]) -> dict[str, list[Array]]:
    """f'(z) of each layer."""
    found = {}
    for equation in network.equations:
        for applied in equation.rhs.terms[0].factors if equation.indices else ():
            if isinstance(applied, Applied) and applied.function not in ("exp", "log"):
                record, z = network.functions[applied.function], applied.argument.tensor
                found[f"slope at {z}"] = [apply(record, 1, p.values[z], p) for p in points]
    return found


def _adjoints(network: Network, points: Sequence[Point]) -> dict[str, list[Array]]:
    swept = sweep(network)
    rules = {network.adjoint_name(n): (d.indices, d.result) for n, d in swept.derivations.items()}
    full = [with_definitions(Point(swept.extended, p.values, p.sizes), rules) for p in points]
    return {name: [np.asarray(p.values[name], dtype=float) for p in full] for name in rules}


def _check_entries(name: str, arrays: Array, clear: Sequence[bool]) -> None:
    """`arrays`: points, entries. Functions with kinks make zeros, and slopes of pieces; behind a
    layer that is off as a whole entries may be alike."""
    scale = float(np.max(np.abs(arrays)))
    assert scale > 0, f"{name} is 0 at all points"
    assert np.all(np.ptp(arrays, axis=0) > NEAR * scale), f"{name} has an entry that is constant"
    for values in arrays[np.array(clear)]:
        made = (0.0, 1.0, 0.01) if name.startswith("slope") else (0.0,)
        own = np.sort(values[~np.isin(values, made)])
        assert np.all(np.diff(own) > NEAR * scale), f"{name} has two equal entries"
        assert not np.any(np.isclose(np.abs(own), 0, atol=NEAR * scale)), f"{name} is almost 0"
        for number in (0.5, 1.0, 2.0):
            assert not np.any(np.isclose(np.abs(own), number, rtol=1e-12, atol=0)), (
                f"{name} has {number}"
            )


def _check_given(network: Network, points: Sequence[Point]) -> None:
    """Magnitudes pairwise different throughout; classes not all the same."""
    for point in points:
        free = [t for t in network.of_kind("input", "parameter", "label") if not t.facts]
        sizes = np.concatenate([np.abs(np.ravel(point.values[t.name])) for t in free])
        assert len(set(sizes.tolist())) == sizes.size
    for tensor in network.of_kind("label"):
        if tensor.facts:
            arrays = np.array([np.ravel(p.values[tensor.name]) for p in points])
            assert np.all(np.ptp(arrays, axis=0) > 0)
            assert len(set(arrays[0].tolist())) > 1 or arrays.shape[1] == 1
