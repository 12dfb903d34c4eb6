"""How the tensors of a perceptron are called.

Owns: the names of a layer's tensors (`W3`, `b3`, `z3`, `h3`, `s3`, `delta3`), of the axis of its
units, and of what a gradient is kept under. Refuses: being spelled elsewhere: a name that another
room builds from a string is a fault.
"""

from __future__ import annotations

INPUT, LABEL, OUTPUT, LOSS = "x", "y", "yhat", "L"
_UNITS, _GRADIENT = "units", "d:"


def weight(layer: int) -> str:
    """W, shape (units of the layer before, units of this one)."""
    return f"W{layer}"


def bias(layer: int) -> str:
    """b, shape (units,)."""
    return f"b{layer}"


def total(layer: int) -> str:
    """z = hW + b, before the activation."""
    return f"z{layer}"


def output(layer: int) -> str:
    """h = f(z); layer 0 is the input."""
    return f"h{layer}" if layer else INPUT


def softmax_sum(layer: int) -> str:
    """s, the sum that a softmax divides by."""
    return f"s{layer}"


def delta(layer: int) -> str:
    """The adjoint of what the layer adds up."""
    return f"delta{layer}"


def adjoint(name: str) -> str:
    """The adjoint of any other tensor."""
    return f"d{name}"


def units(layer: int) -> str:
    """The axis of the units of a layer; layer 0 is the input."""
    return f"{_UNITS}{layer}"


def layer_of_units(axis: str) -> int | None:
    """The layer whose units an axis counts; None for another axis.

    >>> layer_of_units(units(3)), layer_of_units("n")
    (3, None)
    """
    return int(axis.removeprefix(_UNITS)) if axis.startswith(_UNITS) else None


def gradient(name: str) -> str:
    """What the derivative of the loss by this tensor is kept under."""
    return _GRADIENT + name


def of_gradient(meaning: str | None) -> str | None:
    """The tensor whose gradient this is; None for what is no gradient.

    >>> of_gradient(gradient("W1")), of_gradient("W1"), of_gradient(None)
    ('W1', None, None)
    """
    if meaning is None or not meaning.startswith(_GRADIENT):
        return None
    return meaning.removeprefix(_GRADIENT)
