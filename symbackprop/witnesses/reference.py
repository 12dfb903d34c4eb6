"""Multilayer perceptrons by hand, in NumPy: the witness for derived gradients.

Owns the forward pass, the losses and a backpropagation written by hand, with its sources, and two
ways to differentiate by number (complex step, central differences).

Refuses to know anything of the rest of the package: it imports NumPy and the standard library, so
that an agreement with a derivation means something. No formula here may be taken from a
derivation.

What would make it wrong: an operation that is not real-analytic on its branch (`np.abs`, a
comparison of complex numbers), for then the complex step is silently zero or half the truth.
Therefore everything below accepts complex arrays and branches on real parts only.

Rows are samples. Tensors are called x, z1, h1, ..., z<L>, h<L>; yhat is another name of h<L>.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

Array: TypeAlias = npt.NDArray[Any]
Parameters: TypeAlias = Mapping[str, Array]

LABELS = ("one_hot", "distribution", "integer", "any")
REDUCTIONS = ("sum", "mean", "mean_elements")
LEAKY_SLOPE = 0.01


@dataclass(frozen=True)
class Model:
    """What a perceptron computes, without its sizes; those stand in the parameters.

    Raises: ValueError for an unknown word, or for a loss that does not fit the last activation.
    """

    activations: tuple[str, ...]
    loss: str
    labels: str = "one_hot"
    reduction: str = "mean"
    half: bool = False

    def __post_init__(self) -> None:
        if not self.activations:
            raise ValueError("activations: found none, expected one for each layer")
        for layer, activation in enumerate(self.activations, 1):
            _require_member(f"activation of layer {layer}", activation, tuple(ACTIVATIONS))
        _require_member("loss", self.loss, tuple(LOSSES))
        _require_member("labels", self.labels, LABELS)
        _require_member("reduction", self.reduction, REDUCTIONS)
        needed = LOSSES[self.loss].last_activation
        if needed is not None:
            _require_member(f"last activation before {self.loss}", self.activations[-1], (needed,))
        if self.half and not LOSSES[self.loss].halves:
            halves = ", ".join(name for name, rule in LOSSES.items() if rule.halves)
            raise ValueError(f"half: found with loss {self.loss}, expected only {halves}")

    @property
    def depth(self) -> int:
        return len(self.activations)


# --- what a user calls -------------------------------------------------------------------------


def forward(model: Model, params: Parameters, x: Array) -> dict[str, Array]:
    """Every intermediate by name, in the order of computation, and `yhat`.

    z_l = h_{l-1} W_l + b_l, h_l = f_l(z_l), h_0 = x (Goodfellow, Bengio, Courville 2016,
    Algorithm 6.3, there with samples as columns).
    """
    tape = _run(model, params, "x", x)
    del tape["x"]
    return tape | {"yhat": tape[f"h{model.depth}"]}


def loss(model: Model, params: Parameters, x: Array, y: Array | None) -> Any:
    """The objective, a NumPy scalar; stable, since it is taken from the logits where it can be.

    `y` is (N, K) like `yhat`; (N,) whole numbers for integer labels; unused for loss `none`.
    """
    return loss_from(model, params, y, "x", x)


def loss_from(model: Model, params: Parameters, y: Array | None, tensor: str, value: Array) -> Any:
    """The objective when `tensor` is replaced by `value` and the pass goes on from there.

    Its derivative with respect to `value` is the adjoint of `tensor`. From `yhat` on the logits
    are unknown, so that the plain logarithms are taken there: infinite where `yhat` is saturated.
    """
    tape = _run(model, params, tensor, value)
    yhat = tape[f"h{model.depth}"]
    targets = _targets(model, y, yhat)
    rule = LOSSES[model.loss]
    logits = tape.get(f"z{model.depth}")
    if rule.from_logits is None or logits is None:
        total = rule.from_yhat(yhat, targets)
    else:
        total = rule.from_logits(logits, targets)
    return total * _scale(model, yhat)


def intermediate_from(
    model: Model, params: Parameters, tensor: str, value: Array, of: str
) -> Array:
    """The tensor `of` when the earlier `tensor` is replaced by `value`: for Jacobians.

    A single sample may be given as a vector; the Jacobian then is a matrix, numerator layout.
    """
    if _place(model, of) < _place(model, tensor):
        raise ValueError(f"{of} does not depend on {tensor}: it is computed before it")
    return _run(model, params, tensor, value)[_canonical(model, of)]


def gradients(model: Model, params: Parameters, x: Array, y: Array | None) -> dict[str, Array]:
    """Hand-written backpropagation: parameters in order, `x`, then every adjoint.

    The adjoint of z_l is called `delta<l>`, that of h_l `h<l>`; `yhat` is the same as `h<L>`.
    The order of work is Goodfellow, Bengio, Courville 2016, Algorithm 6.4.
    """
    tape = _run(model, params, "x", x)
    depth = model.depth
    yhat = tape[f"h{depth}"]
    targets = _targets(model, y, yhat)
    adjoints = {"yhat": LOSSES[model.loss].adjoint(yhat, targets) * _scale(model, yhat)}
    adjoints[f"h{depth}"] = adjoints["yhat"]
    for layer in range(depth, 0, -1):
        delta = _delta(model, tape, adjoints, targets, layer)
        adjoints[f"delta{layer}"] = delta
        # Nielsen 2015, BP2, the factor before f'; Bishop 2006, (5.56), the sum. W is (in, out).
        adjoints[_hidden(layer - 1)] = delta @ params[f"W{layer}"].T
    result: dict[str, Array] = {}
    for layer in range(1, depth + 1):
        result |= _parameter_gradients(params, tape, adjoints[f"delta{layer}"], layer)
    order = [name for layer in range(1, depth + 1) for name in (f"delta{layer}", f"h{layer}")]
    return result | {name: adjoints[name] for name in ["x", *order, "yhat"]}


def complex_step(
    function: Callable[[Array], Any], array: npt.ArrayLike, step: float = 1e-30
) -> Array:
    """Derivative of a scalar real-analytic function with respect to every entry.

    Im f(x + ih) / h: no difference is taken, hence nothing cancels (Squire and Trapp 1998, SIAM
    Review 40(1), pp. 110-112).

    Raises: TypeError if `array` is complex, or if `function` drops the imaginary part: its
    derivative would come out as zero.
    """
    jacobian = jacobian_complex_step(function, array, step)
    if jacobian.shape != np.shape(array):
        raise ValueError(
            f"complex_step: found a derivative of shape {jacobian.shape}, expected a scalar "
            f"function and {np.shape(array)}; use jacobian_complex_step"
        )
    return jacobian


def jacobian_complex_step(
    function: Callable[[Array], Any], array: npt.ArrayLike, step: float = 1e-30
) -> Array:
    """Derivative of an array-valued function; shape: out.shape + in.shape."""
    if np.iscomplexobj(array):
        raise TypeError("complex step: found a complex array, expected a real point")
    point = np.array(array, dtype=np.complex128)
    jacobian = np.empty(np.shape(function(point.copy())) + point.shape)
    for index in np.ndindex(point.shape):
        moved = point.copy()
        moved[index] += 1j * step
        value = np.asarray(function(moved))
        if not np.iscomplexobj(value):
            raise TypeError(f"complex step: found a {value.dtype} result, expected a complex one")
        jacobian[(..., *index)] = value.imag / step
    return jacobian


def central_difference(
    function: Callable[[Array], Any], array: npt.ArrayLike, step: float = 1e-6
) -> Array:
    """(f(x + h) - f(x - h)) / 2h for every entry; error O(h^2) (Squire and Trapp 1998, (1))."""
    point = np.array(array, dtype=np.float64)
    derivative = np.empty(point.shape)
    for index in np.ndindex(point.shape):
        above, below = point.copy(), point.copy()
        above[index] += step
        below[index] -= step
        derivative[index] = (function(above) - function(below)) / (2 * step)
    return derivative


# --- the chain of tensors ----------------------------------------------------------------------


def _run(model: Model, params: Parameters, tensor: str, value: Array) -> dict[str, Array]:
    """The forward pass from `tensor` on, which is set to `value`; earlier tensors are absent."""
    current = np.asarray(value)
    tape = {_canonical(model, tensor): current}
    for place in range(_place(model, tensor) + 1, 2 * model.depth + 1):
        layer = (place + 1) // 2
        if place % 2 == 1:
            current = tape[f"z{layer}"] = _affine(params, current, layer)
        else:
            activation = ACTIVATIONS[model.activations[layer - 1]]
            current = tape[f"h{layer}"] = activation.value(current)
    return tape


def _affine(params: Parameters, h: Array, layer: int) -> Array:
    product: Array = h @ params[f"W{layer}"]
    bias = params.get(f"b{layer}")
    return product if bias is None else product + bias


def _place(model: Model, tensor: str) -> int:
    """Where a tensor stands in x, z1, h1, z2, h2, ...: 0, 1, 2, 3, 4, ..."""
    found = re.fullmatch(r"([zh])([1-9][0-9]*)", _canonical(model, tensor))
    if tensor == "x":
        return 0
    if found is None or int(found[2]) > model.depth:
        raise ValueError(
            f"tensor: found {tensor!r}, expected x, yhat, z<l> or h<l> with l from 1 to "
            f"{model.depth}"
        )
    return 2 * int(found[2]) - (found[1] == "z")


def _canonical(model: Model, tensor: str) -> str:
    return f"h{model.depth}" if tensor == "yhat" else tensor


def _hidden(layer: int) -> str:
    return f"h{layer}" if layer else "x"


# --- backpropagation, one layer at a time ------------------------------------------------------


def _delta(
    model: Model, tape: dict[str, Array], adjoints: dict[str, Array], targets: Array, layer: int
) -> Array:
    """The adjoint of z_l: by hand at the output where the logits are known, else from h_l."""
    z, h = tape[f"z{layer}"], tape[f"h{layer}"]
    at_logits = LOSSES[model.loss].delta
    if layer == model.depth and at_logits is not None:
        # not through dL/dyhat, which is infinite at a saturated yhat
        return at_logits(h, targets) * _scale(model, h)
    return ACTIVATIONS[model.activations[layer - 1]].pullback(z, h, adjoints[f"h{layer}"])


def _parameter_gradients(
    params: Parameters, tape: dict[str, Array], delta: Array, layer: int
) -> dict[str, Array]:
    # Bishop 2006, (5.53): dE_n/dw_ji = delta_j z_i, here summed over the samples n as in (5.57);
    # Nielsen 2015, BP4.
    found = {f"W{layer}": tape[_hidden(layer - 1)].T @ delta}
    if f"b{layer}" in params:
        # Nielsen 2015, BP3, summed over the samples
        found[f"b{layer}"] = delta.sum(axis=0)
    return found


# --- activations -------------------------------------------------------------------------------


@dataclass(frozen=True)
class Activation:
    """`pullback(z, h, g)` gives the adjoint of z from h = value(z) and the adjoint g of h."""

    value: Callable[[Array], Array]
    pullback: Callable[[Array, Array, Array], Array]


def _identity(z: Array) -> Array:
    return z


def _decay(z: Array) -> Array:
    """exp(-|z|), continued analytically from either side; never overflows."""
    return np.exp(np.where(z.real > 0, -z, z))


def _sigmoid(z: Array) -> Array:
    e = _decay(z)
    sigma: Array = np.where(z.real > 0, 1, e) / (1 + e)
    return sigma


def _softplus(z: Array) -> Array:
    return np.where(z.real > 0, z, 0) + np.log1p(_decay(z))


def _tanh(z: Array) -> Array:
    return np.tanh(z)


def _relu(z: Array) -> Array:
    return np.where(z.real > 0, z, 0)


def _leaky_relu(z: Array) -> Array:
    return np.where(z.real > 0, z, LEAKY_SLOPE * z)


def _log_softmax(z: Array) -> Array:
    # a common shift changes nothing (Goodfellow, Bengio, Courville 2016, section 4.1)
    shifted: Array = z - z.real.max(axis=-1, keepdims=True)
    log_sum: Array = np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return shifted - log_sum


def _softmax(z: Array) -> Array:
    e = np.exp(z - z.real.max(axis=-1, keepdims=True))
    yhat: Array = e / e.sum(axis=-1, keepdims=True)
    return yhat


def _pull_identity(z: Array, h: Array, g: Array) -> Array:
    return g


def _pull_sigmoid(z: Array, h: Array, g: Array) -> Array:
    # Bishop 2006, (4.88): sigma' = sigma (1 - sigma); by (4.60) 1 - sigma(z) = sigma(-z), which
    # does not cancel
    return g * h * _sigmoid(-z)


def _pull_tanh(z: Array, h: Array, g: Array) -> Array:
    # Bishop 2006, (5.59)
    slope: Array = 1 - h * h
    return g * slope


def _pull_relu(z: Array, h: Array, g: Array) -> Array:
    # 0 at the kink: the left derivative (Goodfellow, Bengio, Courville 2016, section 6.3)
    return np.where(z.real > 0, g, 0)


def _pull_leaky_relu(z: Array, h: Array, g: Array) -> Array:
    return np.where(z.real > 0, g, LEAKY_SLOPE * g)


def _pull_softplus(z: Array, h: Array, g: Array) -> Array:
    # softplus' = sigma (Goodfellow, Bengio, Courville 2016, section 3.10)
    return g * _sigmoid(z)


def _pull_softmax(z: Array, h: Array, g: Array) -> Array:
    # Bishop 2006, (4.106): dh_k/dz_j = h_k (I_kj - h_j), so that
    # sum_k g_k dh_k/dz_j = h_j (g_j - sum_k g_k h_k); all outputs share each logit
    common: Array = (g * h).sum(axis=-1, keepdims=True)
    centred: Array = g - common
    return h * centred


ACTIVATIONS: Mapping[str, Activation] = {
    "identity": Activation(_identity, _pull_identity),
    "sigmoid": Activation(_sigmoid, _pull_sigmoid),
    "tanh": Activation(_tanh, _pull_tanh),
    "relu": Activation(_relu, _pull_relu),
    "leaky_relu": Activation(_leaky_relu, _pull_leaky_relu),
    "softplus": Activation(_softplus, _pull_softplus),
    "softmax": Activation(_softmax, _pull_softmax),
}


# --- losses ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Loss:
    """A total over samples and outputs, before the reduction; `delta` is its adjoint of z_L.

    `from_logits` and `delta` stand where the loss is fused with `last_activation`; `halves` tells
    whether the factor 1/2 is usual.
    """

    from_yhat: Callable[[Array, Array], Any]
    adjoint: Callable[[Array, Array], Array]
    last_activation: str | None = None
    from_logits: Callable[[Array, Array], Any] | None = None
    delta: Callable[[Array, Array], Array] | None = None
    halves: bool = False


def _times_log(y: Array, yhat: Array) -> Array:
    """y log yhat with 0 log 0 = 0; minus infinity where a wanted yhat is 0."""
    with np.errstate(divide="ignore"):
        return y * np.log(np.where(y == 0, 1, yhat))


def _ratio(y: Array, yhat: Array) -> Array:
    """y / yhat with 0 / 0 = 0, the derivative of `_times_log`."""
    with np.errstate(divide="ignore", over="ignore"):
        return y / np.where(y == 0, 1, yhat)


def _cross_entropy(yhat: Array, y: Array) -> Any:
    # Bishop 2006, (4.108)
    return -_times_log(y, yhat).sum()


def _cross_entropy_logits(z: Array, y: Array) -> Any:
    return -(y * _log_softmax(z)).sum()


def _cross_entropy_adjoint(yhat: Array, y: Array) -> Array:
    # d/dyhat of (4.108)
    return -_ratio(y, yhat)


def _cross_entropy_delta(yhat: Array, y: Array) -> Array:
    # Bishop 2006, (4.109) has yhat - y, from (4.106), (4.108) and sum_k y_k = 1; without that
    # last fact: sum_k (-y_k / yhat_k) yhat_k (I_kj - yhat_j) = yhat_j sum_k y_k - y_j
    mass: Array = y.sum(axis=-1, keepdims=True)
    return yhat * mass - y


def _binary_cross_entropy(yhat: Array, y: Array) -> Any:
    # Bishop 2006, (4.90)
    return -(_times_log(y, yhat) + _times_log(1 - y, 1 - yhat)).sum()


def _binary_cross_entropy_logits(z: Array, y: Array) -> Any:
    # -log sigma(z) = softplus(-z), -log(1 - sigma(z)) = softplus(z)
    return (y * _softplus(-z) + (1 - y) * _softplus(z)).sum()


def _binary_cross_entropy_adjoint(yhat: Array, y: Array) -> Array:
    # d/dyhat of (4.90)
    return _ratio(1 - y, 1 - yhat) - _ratio(y, yhat)


def _binary_cross_entropy_delta(yhat: Array, y: Array) -> Array:
    # Bishop 2006, (4.91)
    return yhat - y


def _squared_error(yhat: Array, y: Array) -> Any:
    return ((yhat - y) * (yhat - y)).sum()


def _squared_error_adjoint(yhat: Array, y: Array) -> Array:
    # Nielsen 2015, chapter 2, has yhat - y for half the square; the half stands in `_scale`
    return 2 * (yhat - y)


def _total(yhat: Array, y: Array) -> Any:
    return yhat.sum()


def _total_adjoint(yhat: Array, y: Array) -> Array:
    return np.ones_like(yhat)


LOSSES: Mapping[str, Loss] = {
    "cross_entropy": Loss(
        _cross_entropy,
        _cross_entropy_adjoint,
        "softmax",
        _cross_entropy_logits,
        _cross_entropy_delta,
    ),
    "binary_cross_entropy": Loss(
        _binary_cross_entropy,
        _binary_cross_entropy_adjoint,
        "sigmoid",
        _binary_cross_entropy_logits,
        _binary_cross_entropy_delta,
    ),
    "squared_error": Loss(_squared_error, _squared_error_adjoint, halves=True),
    "none": Loss(_total, _total_adjoint),
}


def _scale(model: Model, yhat: Array) -> float:
    """What the total is multiplied by: the reduction and the half."""
    divisor = {"sum": 1, "mean": len(yhat), "mean_elements": yhat.size}[model.reduction]
    return (0.5 if model.half else 1.0) / divisor


def _targets(model: Model, y: Array | None, yhat: Array) -> Array:
    """The labels as an array like `yhat`; whole numbers become one-hot rows.

    Raises: ValueError if there is no batch, or if the labels do not fit it: broadcasting would
    give an answer to another question.
    """
    if yhat.ndim != 2:
        raise ValueError(f"yhat: found shape {yhat.shape}, expected (samples, outputs)")
    if model.loss == "none":
        return np.zeros_like(yhat)
    if y is None:
        raise ValueError(f"y: found None, expected labels for {model.loss}")
    labels = np.asarray(y)
    if model.loss == "cross_entropy" and model.labels == "integer":
        return _one_hot(labels, *yhat.shape)
    if labels.shape != yhat.shape:
        raise ValueError(f"y: found shape {labels.shape}, expected {yhat.shape}, that of yhat")
    return labels


def _one_hot(labels: Array, samples: int, classes: int) -> Array:
    if labels.shape != (samples,) or not np.issubdtype(labels.dtype, np.integer):
        raise ValueError(
            f"y: found {labels.dtype} of shape {labels.shape}, expected {samples} whole numbers"
        )
    if labels.size and (labels.min() < 0 or labels.max() >= classes):
        raise ValueError(f"y: found labels outside 0 to {classes - 1}")
    return np.asarray(labels[:, np.newaxis] == np.arange(classes), dtype=np.float64)


def _require_member(what: str, found: str, expected: tuple[str, ...]) -> None:
    if found not in expected:
        raise ValueError(f"{what}: found {found!r}, expected one of {', '.join(expected)}")
