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


def is_gradient(meaning: str, letter: str = "") -> bool:
    """Whether it is a gradient, of a tensor of this letter where one is given.

    >>> is_gradient(gradient("z2"), "z"), is_gradient(gradient("z2"), "W"), is_gradient("z2")
    (True, False, False)
    """
    return meaning.startswith(_GRADIENT + letter)


def bare(meaning: str) -> str:
    """The tensor that is spoken of, itself or by its gradient."""
    return meaning.removeprefix(_GRADIENT)


def layer_of(name: str) -> int:
    """The layer of `W3`, `b3`, `z3` or `h3`."""
    return int(name[1:])


def of_letter(letter: str, layer: int) -> str:
    """The tensor of a letter in a layer, or its gradient.

    >>> of_letter("W", 3), of_letter(gradient("W"), 3)
    ('W3', 'd:W3')
    """
    return f"{letter}{layer}"


def letter_and_layer(meaning: str) -> tuple[str, int | None]:
    """What `of_letter` joined; no layer for a tensor that has none.

    >>> letter_and_layer("d:W3"), letter_and_layer("yhat")
    (('d:W', 3), ('yhat', None))
    """
    letter = meaning.rstrip("0123456789")
    return letter, int(meaning[len(letter) :]) if letter != meaning else None
