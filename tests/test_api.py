"""What a Python user holds: networks, derivations, gradients, steps, functions, reports."""

from __future__ import annotations

import subprocess
import sys
import warnings
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import sympy

import symbackprop as sbp
from symbackprop.api import Function
from symbackprop.proving.crosscheck import Check, close, model_of
from symbackprop.witnesses import reference
from symbackprop.writing.code.running import MOST_SIGNATURES
from tests.proving.test_crosscheck import bilinear

Array = npt.NDArray[Any]


def spec(activation: str = "tanh", loss: str = "squared_error", more: str = "") -> str:
    return f"""
input = 2
loss = "{loss}"
{more}
[[layers]]
type = "dense"
units = 4
activation = "{activation}"
[[layers]]
type = "dense"
units = 3
activation = "{"softmax" if loss == "cross_entropy" else "identity"}"
"""


@pytest.fixture(scope="module")
def net() -> sbp.Net:
    return sbp.load("four-layer")


@pytest.fixture(scope="module")
def four(net: sbp.Net) -> sbp.Derivation:
    return sbp.derive(net)


@pytest.fixture(scope="module")
def arrays(net: sbp.Net) -> tuple[dict[str, Array], Array, Array]:
    x, y = net.sample(seed=3)
    assert y is not None
    return net.parameters(seed=3), x, y


@pytest.fixture(scope="module")
def f(four: sbp.Derivation) -> Function:
    return four.function()


# --- the package -------------------------------------------------------------------------------


def test_importing_the_package_reads_neither_sympy_nor_numpy() -> None:
    code = "import symbackprop, sys; print([m for m in ('sympy', 'numpy') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_functions_are_not_hidden_by_the_modules_of_their_name() -> None:
    from symbackprop.derivation.sweep import sweep
    from symbackprop.judging.report import Report

    assert Report.__module__ == "symbackprop.judging.report"
    assert callable(sbp.derive)
    assert callable(sbp.render)
    assert callable(sbp.verify)
    assert sweep.__module__ == "symbackprop.derivation.sweep"


def test_public_names_are_there() -> None:
    assert all(getattr(sbp, name) is not None for name in sbp.__all__)
    assert sbp.__version__[0].isdigit()
    assert set(sbp.__all__) <= set(dir(sbp))


# --- networks ----------------------------------------------------------------------------------


def test_a_network_knows_its_name_and_file(net: sbp.Net) -> None:
    assert net.name == "four-layer"
    assert net.architecture is not None
    assert net.architecture.widths == (2, 2, 4, 3)
    assert net.spec is not None
    assert net.spec.source == "four-layer.toml"
    assert repr(net) == "Net('four-layer', 2-2-4-3, cross_entropy)"


def test_parameters_are_float64_in_order_and_the_same_for_one_seed(net: sbp.Net) -> None:
    params = net.parameters(seed=7)
    assert list(params) == ["W1", "b1", "W2", "b2", "W3", "b3"]
    assert {name: array.shape for name, array in params.items()} == {
        "W1": (2, 2), "b1": (2,), "W2": (2, 4), "b2": (4,), "W3": (4, 3), "b3": (3,),
    }  # fmt: skip
    assert all(array.dtype == np.float64 for array in params.values())
    again, other = net.parameters(seed=7), net.parameters(seed=8)
    assert all(np.array_equal(params[name], again[name]) for name in params)
    assert not np.array_equal(params["W1"], other["W1"])


def test_parameters_of_a_symbolic_size_are_refused_by_name() -> None:
    symbolic = sbp.loads(spec().replace("units = 4", 'units = "k"'))
    with pytest.raises(sbp.UsageError, match="W1: found the size k, expected a number"):
        symbolic.parameters()


@pytest.mark.parametrize("labels", ["one_hot", "distribution", "integer", "any"])
def test_samples_fit_the_network(labels: str) -> None:
    made = sbp.loads(spec(loss="cross_entropy", more=f'labels = "{labels}"\nsamples = 6'))
    x, y = made.sample()
    assert y is not None
    assert x.shape == (6, 2)
    assert y.shape == ((6,) if labels == "integer" else (6, 3))
    loss, _ = sbp.derive(made).function()(made.parameters(), x, y)
    assert np.isfinite(loss)


def test_a_network_without_labels_has_no_y() -> None:
    assert sbp.load("line").sample()[1] is None


# --- derivations -------------------------------------------------------------------------------


def test_gradients_are_the_parameters_in_order_then_x(four: sbp.Derivation) -> None:
    assert list(four.gradients) == ["W1", "b1", "W2", "b2", "W3", "b3", "x"]


def test_every_named_tensor_has_an_adjoint_under_its_aliases_too(four: sbp.Derivation) -> None:
    assert list(four.adjoints) == ["z1", "h1", "z2", "h2", "z3", "yhat", "h3"]
    assert four.adjoints["h3"].numpy == four.adjoints["yhat"].numpy
    chain = sbp.derive(sbp.load("linear-chain"))
    assert chain.adjoints["h1"].latex == chain.adjoints["z1"].latex


def test_an_unknown_gradient_names_the_nearest(four: sbp.Derivation) -> None:
    with pytest.raises(sbp.UsageError, match=r"found 'w3', expected one of W1, .* mean `W3`"):
        four.gradients["w3"]
    assert "w3" not in four.gradients
    assert four.gradients.get("w3") is None


def test_a_gradient_in_four_languages(four: sbp.Derivation) -> None:
    gradient = four.gradients["W3"]
    n, i, k = sympy.symbols("n i k", integer=True)
    size = sympy.Symbol("N", integer=True, positive=True)
    delta, h = sympy.IndexedBase("delta3"), sympy.IndexedBase("h2")
    assert gradient.name == "W3"
    assert gradient.shape == (4, 3)
    assert str(gradient.matrix) == "h2.T*delta3"
    assert gradient.index == sympy.Sum(delta[n, i] * h[n, k], (n, 0, size - 1))
    assert gradient.latex == r"h^{2\top} \delta^{3}"
    assert gradient.numpy == "h2.T @ delta3"
    assert gradient._repr_latex_() == (
        r"$\displaystyle \frac{\partial H}{\partial W^{3}} = h^{2\top} \delta^{3}$"
    )


def test_the_derivation_of_one_sample_has_no_sample_axis() -> None:
    one = sbp.derive(sbp.load("four-layer"), samples=1)
    assert one.gradients["b3"].latex == r"\delta^{3}"
    assert one.gradients["x"].shape == (2,)
    assert one.gradients["W3"].numpy == "np.outer(h2, delta3)"


@pytest.mark.parametrize("samples", [0, 2, True, "1"])
def test_other_numbers_of_samples_are_refused(net: sbp.Net, samples: Any) -> None:
    with pytest.raises(sbp.UsageError, match="expected 1 or nothing"):
        sbp.derive(net, samples=samples)


def test_deriving_something_else_is_refused() -> None:
    with pytest.raises(sbp.UsageError, match="found int, expected a network"):
        sbp.derive(3)  # type: ignore[arg-type]


def test_index_expressions_give_the_numbers_of_the_function() -> None:
    """The SymPy form is evaluated entry by entry, sigma' and all."""
    two = sbp.derive(sbp.load("two-three-one"))
    params, (x, y) = two.net.parameters(), two.net.sample()
    _, grads = two.function()(params, x, y, wrt=("z1", "z2"))
    tape = reference.forward(model_of(two.net.architecture), params, x)  # type: ignore[arg-type]
    formula = two.adjoints["z1"].index
    n, j = sympy.symbols("n j", integer=True)
    values = {**params, **tape, "delta2": grads["z2"]}
    entry = formula.doit().subs({n: 3, j: 1})
    numbers = {
        e: values[str(e.base)][tuple(map(int, e.indices))] for e in entry.atoms(sympy.Indexed)
    }
    assert float(entry.subs(numbers)) == pytest.approx(float(grads["z1"][3, 1]), rel=1e-12)


def test_a_tensor_that_the_loss_does_not_reach_has_no_gradient() -> None:
    from dataclasses import replace as changed

    from symbackprop.api import Net
    from symbackprop.networks.network import Tensor

    network = bilinear()
    idle = changed(network, tensors=(Tensor("idle", (), "parameter"), *network.tensors))
    derivation = sbp.derive(Net.of_equations(idle))
    with pytest.raises(sbp.UnsupportedError, match="does not depend on idle"):
        derivation.gradients["idle"]


# --- steps -------------------------------------------------------------------------------------


def test_steps_lead_from_the_goal_to_the_result(four: sbp.Derivation) -> None:
    steps = four.gradients["W3"].steps
    assert [step.rule for step in steps] == [
        "chain rule", "differentiate each equation", "contract the deltas",
    ]  # fmt: skip
    assert str(steps[0].before) == r"\frac{\partial H}{\partial w_{ki}^{3}}"
    assert all(a.after == b.before for a, b in pairwise(steps))
    assert steps[-1].after.latex == r"\sum_{n=1}^{N} h_{nk}^{2} \delta_{ni}^{3}"
    assert steps[-1].after.index == four.gradients["W3"].index
    assert "z3" in steps[0].reason


def test_a_step_unpacks_and_carries_its_check(four: sbp.Derivation) -> None:
    rule, before, after, reason, made = four.gradients["b3"].steps[-1]
    assert rule == "contract the deltas"
    assert before.latex != after.latex
    assert reason
    assert made == Check("exact", "at N = 3, d0 = 2, d1 = 5, d2 = 4, d3 = 7")


# --- Jacobians ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("of", "wrt", "latex", "shape"),
    [
        ("yhat", "z3", r"\operatorname{diag}\left(\hat{y}\right) - \hat{y}^{\top} \hat{y}", (3, 3)),
        ("z3", "h2", r"W^{3\top}", (3, 4)),
        ("z3", "b3", "I", (3, 3)),
        ("h2", "z2", r"\operatorname{diag}\left(\sigma'\left(z^{2}\right)\right)", (4, 4)),
    ],
)
def test_jacobians_are_of_one_sample_in_numerator_layout(
    four: sbp.Derivation, of: str, wrt: str, latex: str, shape: tuple[int, ...]
) -> None:
    jacobian = four.jacobian(of, wrt)
    assert jacobian.latex == latex
    assert jacobian.shape == shape
    assert all(step.check.holds for step in jacobian.steps)
    assert four.jacobian(of, wrt) is jacobian


def test_a_jacobian_against_the_order_of_computation_is_refused(four: sbp.Derivation) -> None:
    with pytest.raises(sbp.UnsupportedError, match="h1 does not depend on z2"):
        four.jacobian("h1", "z2")


def test_an_unknown_tensor_in_a_jacobian_is_named_with_the_nearest(four: sbp.Derivation) -> None:
    with pytest.raises(sbp.UsageError, match=r"found 'yhta', .* did you mean `yhat`"):
        four.jacobian("yhta", "z3")


# --- the function ------------------------------------------------------------------------------


def test_the_function_gives_the_loss_and_the_gradients_by_name(
    f: Function, arrays: tuple[dict[str, Array], Array, Array], net: sbp.Net
) -> None:
    params, x, y = arrays
    loss, grads = f(params, x, y)
    model = model_of(net.architecture)  # type: ignore[arg-type]
    expected = reference.gradients(model, params, x, y)
    assert list(grads) == list(params)
    assert close(loss, reference.loss(model, params, x, y))
    assert all(close(grads[name], expected[name]) for name in grads)


def test_wrt_chooses_what_comes_back(
    f: Function, arrays: tuple[dict[str, Array], Array, Array]
) -> None:
    params, x, y = arrays
    assert list(f(params, x, y, wrt=("x", "W1"))[1]) == ["x", "W1"]
    assert list(f(params, x, y, wrt="b2")[1]) == ["b2"]
    assert f(params, x, y, wrt=("yhat",))[1]["yhat"].shape == (3, 3)
    with pytest.raises(sbp.UsageError, match=r"wrt: found 'W9', expected one of"):
        f(params, x, y, wrt=("W9",))


def test_code_for_one_choice_is_compiled_once(
    f: Function, arrays: tuple[dict[str, Array], Array, Array]
) -> None:
    f(*arrays, wrt=("x", "b1"))
    compiled = f._code(("x", "b1"))
    f(*arrays, wrt=("x", "b1"))
    assert f._code(("x", "b1")) is compiled


def test_a_second_call_with_the_same_shapes_looks_at_labels_alone(
    f: Function, arrays: tuple[dict[str, Array], Array, Array]
) -> None:
    params, x, y = arrays
    f(params, x, y)
    called: list[str] = []

    def hear(frame: Any, event: str, _: Any) -> None:
        if event == "call":
            called.append(frame.f_code.co_filename)

    sys.setprofile(hear)
    f(params, x, y)
    sys.setprofile(None)
    assert not any("sympy" in name for name in called)
    assert sum(name.endswith("running.py") for name in called) < 20
    with pytest.raises(sbp.ArrayError, match="adding up to"):
        f(params, x, 2 * y)


def test_what_differs_from_the_last_call_is_looked_at(
    f: Function, arrays: tuple[dict[str, Array], Array, Array]
) -> None:
    params, x, y = arrays
    f(params, x, y)
    first, *rest = params
    renamed = {"V1": params[first], **{name: params[name] for name in rest}}
    with pytest.raises(sbp.ArrayError, match="array V1: found no such parameter"):
        f(renamed, x, y)
    with pytest.raises(sbp.ArrayError, match="array W1: found dtype <U3"):
        f({**params, "W1": params["W1"].astype(int).astype("<U3")}, x, y)
    with pytest.raises(sbp.ArrayError, match="array x: found no such parameter"):
        f({**params, "x": x}, x, y)
    with pytest.raises(sbp.ArrayError, match="array z: found no such input"):
        f(params, {"z": x}, y)
    with pytest.raises(sbp.ArrayError, match=r"array b1: found shape \(2, 1\)"):
        f({**params, "b1": params["b1"][:, None]}, x, y)
    assert close(f(params, {"x": x}, {"y": y})[0], f(params, x.tolist(), y.tolist())[0])
    assert close(f(params, x[:2], y[:2])[0], f(params, x[:2].copy(), np.asarray(y[:2]))[0])


def test_batches_of_any_size_leave_a_bounded_memory(
    f: Function, arrays: tuple[dict[str, Array], Array, Array]
) -> None:
    params, _, _ = arrays
    for count in range(1, MOST_SIGNATURES + 9):
        f(params, np.ones((count, 2)), np.eye(3)[np.arange(count) % 3])
    assert len(f._known) <= MOST_SIGNATURES


def test_whole_numbers_become_float64_and_float32_and_complex_stay(
    f: Function, arrays: tuple[dict[str, Array], Array, Array]
) -> None:
    params, x, y = arrays
    whole = {name: np.ones(array.shape, dtype=int) for name, array in params.items()}
    assert f(whole, np.ones(x.shape, dtype=int), y.astype(int))[1]["W1"].dtype == np.float64
    single = {name: array.astype(np.float32) for name, array in params.items()}
    loss, grads = f(single, x.astype(np.float32), y.astype(np.float32))
    assert {loss.dtype, *(g.dtype for g in grads.values())} == {np.dtype(np.float32)}
    moved = params["W1"].astype(complex)
    moved[0, 1] += 1e-30j
    loss, grads = f({**params, "W1": moved}, x, y)
    assert loss.imag / 1e-30 == pytest.approx(f(params, x, y)[1]["W1"][0, 1], rel=1e-10)
    assert grads["W1"].dtype == np.complex128


def test_arrays_of_the_user_are_not_changed(
    f: Function, arrays: tuple[dict[str, Array], Array, Array]
) -> None:
    params, x, y = arrays
    kept = {name: array.copy() for name, array in {**params, "x": x, "y": y}.items()}
    f(params, x, y, wrt=("x", "W2"))
    assert all(np.array_equal(kept[name], {**params, "x": x, "y": y}[name]) for name in kept)


def test_extreme_scores_give_finite_gradients_without_a_warning(
    f: Function, arrays: tuple[dict[str, Array], Array, Array]
) -> None:
    params, x, y = arrays
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        loss, grads = f({**params, "b3": np.array([1000.0, -1000.0, 0.0])}, x, y)
    assert np.isfinite(loss)
    assert all(np.isfinite(gradient).all() for gradient in grads.values())


def test_a_loss_without_labels_needs_no_y() -> None:
    line = sbp.load("line")
    x, _ = line.sample()
    _, grads = sbp.derive(line).function()(line.parameters(), x)
    assert grads["W1"] == pytest.approx(x.sum())


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (
            {"W2": np.ones((4, 2))},
            r"array W2: found shape \(4, 2\), expected shape \(2, 4\); trans",
        ),
        ({"W1": np.ones((3, 2))}, r"array W1: found shape \(3, 2\), expected shape \(2, 2\)"),
        ({"b1": np.ones((1, 2))}, r"array b1: found shape \(1, 2\), .* \(2,\); reshape it"),
        ({"b1": 1.0}, r"array b1: found shape \(\), expected shape \(2,\)"),
        ({"x": np.ones(2)}, r"array x: found shape \(2,\), expected shape \(N, 2\)"),
        ({"x": np.ones((0, 2))}, r"array x: found shape \(0, 2\)"),
        ({"y": np.ones((5, 3)) / 3}, r"array y: found shape \(5, 3\), .* \(3, 3\); N = 3 comes fr"),
        ({"W1": np.array([["a", "b"], ["c", "d"]])}, r"array W1: found dtype <U1, expected an arr"),
        ({"W1": np.array([[None, 1], [1, 1]])}, r"array W1: found dtype object"),
        ({"W1": np.ones((2, 2), dtype=bool)}, r"array W1: found dtype bool"),
        ({"W1": [[1, 2], [3]]}, r"array W1: found rows of unequal length"),
        ({"w3": np.ones(2)}, r"array w3: found no such parameter, expected only W1, .* mean `W3`"),
        ({"y": None}, r"array y: found nothing, expected an array of shape \(N, 3\)"),
    ],
)
def test_wrong_arrays_are_named_with_what_they_are_and_should_be(
    f: Function,
    arrays: tuple[dict[str, Array], Array, Array],
    changed: dict[str, Any],
    message: str,
) -> None:
    params, x, y = arrays
    given: dict[str, Any] = {**params, "x": x, "y": y, **changed}
    x, y = given.pop("x"), given.pop("y")
    with pytest.raises(sbp.ArrayError, match=message):
        f(given, x, y)


def test_a_missing_parameter_is_named(
    f: Function, arrays: tuple[dict[str, Array], Array, Array]
) -> None:
    params, x, y = arrays
    rest = {name: array for name, array in params.items() if name != "b2"}
    with pytest.raises(sbp.ArrayError, match=r"array b2: found nothing in params, .* \(4,\)"):
        f(rest, x, y)
    with pytest.raises(sbp.ArrayError, match="array params: found list, expected a mapping"):
        f(list(params.values()), x, y)  # type: ignore[arg-type]


def test_symbolic_sizes_have_to_agree_across_arrays() -> None:
    text = spec().replace("units = 4", 'units = "k"').replace("input = 2", 'input = "d"')
    f = sbp.derive(sbp.loads(text)).function()
    params = {"W1": np.ones((6, 5)), "b1": np.ones(5), "W2": np.ones((5, 3)), "b2": np.ones(3)}
    x, y = np.ones((4, 6)), np.ones((4, 3))
    assert f(params, x, y)[1]["W1"].shape == (6, 5)
    with pytest.raises(
        sbp.ArrayError, match=r"array W2: found shape \(7, 3\).*k = 5 comes from W1"
    ):
        f({**params, "W2": np.ones((7, 3))}, x, y)
    with pytest.raises(sbp.ArrayError, match=r"array x: .* d = 6 comes from W1"):
        f(params, np.ones((4, 7)), y)


# --- labels ------------------------------------------------------------------------------------


def test_rows_that_do_not_add_up_to_one_are_refused(
    f: Function, arrays: tuple[dict[str, Array], Array, Array]
) -> None:
    params, x, y = arrays
    with pytest.raises(sbp.ArrayError, match=r"array y: found row 1 .* adding up to 1.2, expected"):
        f(params, x, y * np.array([[1.0], [1.2], [1.0]]))


def test_rows_that_add_up_within_rounding_are_accepted(
    f: Function, arrays: tuple[dict[str, Array], Array, Array]
) -> None:
    params, x, y = arrays
    thirds = np.full((3, 3), 1 / 3, dtype=np.float32)
    f(params, x, thirds)
    f(params, x, thirds.astype(np.float64))
    f(params, x, y + 1e-30j)


def test_rounding_in_many_samples_is_accepted_and_one_wrong_sample_is_not(
    f: Function, arrays: tuple[dict[str, Array], Array, Array]
) -> None:
    params, _, _ = arrays
    y = np.full((5000, 3), (1 + 3e-7) / 3)
    f(params, np.ones((5000, 2)), y)
    y[4321] *= 1 + 2e-6
    with pytest.raises(sbp.ArrayError, match=r"row 4321 \(from 0\) adding up to 1\.0000023"):
        f(params, np.ones((5000, 2)), y)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, complex(0, np.inf)])
def test_large_targets_are_accepted_and_infinite_ones_are_not(bad: complex) -> None:
    net = sbp.loads(spec())
    f, params, (x, y) = sbp.derive(net).function(), net.parameters(), net.sample()
    assert y is not None
    with np.errstate(over="ignore"):
        f(params, x, y * 1e200)
    y = y.astype(complex)
    y[1, 2] = bad
    with pytest.raises(sbp.ArrayError, match=r"at \(1, 2\), expected finite labels"):
        f(params, x, y)


def test_labels_of_which_nothing_is_assumed_may_add_up_to_anything() -> None:
    free = sbp.loads(spec(loss="cross_entropy", more='labels = "any"'))
    params, (x, y) = free.parameters(), free.sample()
    assert y is not None
    _, grads = sbp.derive(free).function()(params, x, 3 * y)
    expected = reference.gradients(model_of(free.architecture), params, x, 3 * y)  # type: ignore[arg-type]
    assert all(close(grads[name], expected[name]) for name in grads)


def test_targets_of_a_squared_error_need_not_add_up_to_one() -> None:
    net = sbp.loads(spec("softmax"))
    x, y = net.sample()
    sbp.derive(net).function()(net.parameters(), x, y)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([0, 1, 3], r"label 3 in row 2 \(from 0\), expected whole numbers from 0 to 2"),
        ([0, -1, 2], r"label -1 in row 1"),
        ([0, 1.5, 2], r"label 1.5 in row 1"),
        ([0, np.nan, 2], r"found nan at \(1,\), expected finite labels"),
        ([[0], [1], [2]], r"found shape \(3, 1\), expected shape \(3,\); reshape it"),
        ([0, 1 + 1j, 2], r"dtype complex128, expected whole numbers"),
    ],
)
def test_whole_number_labels_have_to_name_a_class(labels: Any, message: str) -> None:
    net = sbp.loads(spec(loss="cross_entropy", more='labels = "integer"\nsamples = 3'))
    f = sbp.derive(net).function()
    params, (x, _) = net.parameters(), net.sample()
    f(params, x, [0, 1, 2])
    f(params, x, np.array([0.0, 1.0, 2.0]))
    with pytest.raises(sbp.ArrayError, match=message):
        f(params, x, labels)


def test_nan_in_labels_is_refused(
    f: Function, arrays: tuple[dict[str, Array], Array, Array]
) -> None:
    params, x, y = arrays
    bad = y.copy()
    bad[2, 0] = np.nan
    with pytest.raises(sbp.ArrayError, match=r"array y: found nan at \(2, 0\)"):
        f(params, x, bad)


# --- the function of one sample, and of equations ----------------------------------------------


def test_the_function_of_one_sample_takes_vectors() -> None:
    net = sbp.load("four-layer")
    batch, one = sbp.derive(net).function(), sbp.derive(net, samples=1).function()
    params, (x, y) = net.parameters(), net.sample()
    assert y is not None
    total = sum(one(params, x[n], y[n])[1]["W2"] for n in range(len(x)))
    assert close(batch(params, x, y)[1]["W2"], np.asarray(total))
    with pytest.raises(
        sbp.ArrayError, match=r"array x: found shape \(3, 2\), expected shape \(2,\)"
    ):
        one(params, x, y)


def test_equations_of_ones_own_derive_and_run() -> None:
    derivation = sbp.derive(bilinear())
    rng = np.random.default_rng(0)
    x, a, u = rng.normal(size=(4, 2)), rng.normal(size=(2, 3, 5)), rng.normal(size=(4, 3))
    f = derivation.function()
    loss, grads = f({"A": a}, {"u": u, "x": x})
    z = np.einsum("ni,ijk,nj->nk", x, a, u)
    assert loss == pytest.approx((z**2).sum() / 2)
    assert close(grads["A"], np.einsum("ni,nj,nk->ijk", x, u, z))
    with pytest.raises(sbp.ArrayError, match="array x: found one array, expected a mapping with"):
        f({"A": a}, x, u)  # shapes as known from before, but names are not
    with pytest.raises(sbp.ArrayError, match="expected a mapping with x, u"):
        derivation.function()({"A": a}, x)
    with pytest.raises(sbp.UnsupportedError, match="only a network from a file has a document"):
        derivation.document()


# --- source, documents, reports ----------------------------------------------------------------


def test_the_source_stands_alone(four: sbp.Derivation) -> None:
    source = four.source()
    imports = [line for line in source.splitlines() if "import" in line.split()]
    assert imports == ["import numpy as np"]
    assert "delta3 = yhat - y" in source
    assert "(4, N) @ (N, 3) -> (4, 3)" in source


@pytest.mark.slow
def test_a_document_renders(four: sbp.Derivation) -> None:
    text = sbp.render(four.document(), "md")
    assert isinstance(text, str)
    assert "$$" in text
    with pytest.raises(sbp.UsageError, match="found 'htm', expected one of"):
        sbp.render(four.document(), "htm")
    with pytest.raises(sbp.UsageError, match="expected summary or full"):
        four.document(detail="tiny")


def test_a_derivation_shows_its_gradients_in_a_notebook(four: sbp.Derivation) -> None:
    shown = four._repr_markdown_()
    assert r"\frac{\partial H}{\partial W^{3}} = h^{2\top} \delta^{3}" in shown


def test_check_accepts_a_derivation_a_network_or_a_name() -> None:
    report = sbp.check(sbp.derive(sbp.load("line")))
    assert report.ok
    assert str(report) == str(sbp.check(sbp.load("line"))) == str(sbp.check("line"))


def test_the_notation_of_the_file_reaches_every_formula() -> None:
    turned = sbp.loads(spec(more="") + '[notation]\nsamples = "columns"\nlayer = "^[l]"\n')
    derivation = sbp.derive(turned)
    assert derivation.gradients["W2"].latex == r"\delta^{[2]} H^{[1]\top}"
    assert derivation.gradients["W2"].numpy == "h1.T @ delta2"
    assert derivation.jacobian("yhat", "h1").latex == "W^{[2]}"
