r"""Functions of an argument: activations, softmax, powers, and what is only written like one.

Owns: `applied`, which activation `f` is where it stands, and `is_called`: H(\hat y, y) is a
quantity with what it depends on. Refuses: functions that the settings do not know.
Would be wrong if an activation were taken from another layer, or softmax along the samples.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction

import numpy as np

from symbackprop.calculus.scalars import FUNCTIONS
from symbackprop.derivation.evaluate import apply
from symbackprop.judging.notes.formula import values as v
from symbackprop.judging.notes.formula.entries import entries_of, picked
from symbackprop.judging.notes.formula.meaning import Meaning
from symbackprop.judging.notes.formula.symbols import (
    IllFormed,
    NotUnderstood,
    OneSample,
    Reference,
    activation,
    is_function,
    split,
)
from symbackprop.judging.notes.formula.values import Clash, Value
from symbackprop.networks import names
from symbackprop.reading.latex.syntax import (
    Group,
    Node,
    Number,
    Product,
    Quotient,
    Script,
    Scripted,
    Sum,
    Symbol,
)
from symbackprop.witnesses.axes import SAMPLE, Array

LARGEST_NUMBER = 10**300  # that is read


def application_value(
    meaning: Meaning, function: Node, arguments: Sequence[Node], node: Node
) -> Value:
    parts = split(function)
    if parts is None:
        raise NotUnderstood("what is applied here is no function", function.span)
    symbol, _ = parts
    name = symbol.head.removeprefix("\\")
    if name == "diag" and len(arguments) == 1:
        return _diagonal(meaning.value(arguments[0]))
    if name in ("max", "min"):
        return _extreme(meaning, name, arguments, node)
    if name == "sqrt" and len(arguments) == 1:
        return v.mapped(meaning.value(arguments[0]), v.real(np.sqrt))
    if len(arguments) != 1:
        raise NotUnderstood(f"{name} of {len(arguments)} arguments", node.span)
    settings = meaning.settings
    if symbol.head not in settings.letters:
        raise NotUnderstood(f"it is not known what {symbol.head} means here", symbol.span)
    reference = meaning.scope.resolve(function)
    return applied(meaning, reference, arguments[0])


def _extreme(meaning: Meaning, name: str, arguments: Sequence[Node], node: Node) -> Value:
    items = arguments
    if len(items) == 1 and isinstance(items[0], Group):
        items = items[0].items
    if len(items) != 2:
        raise NotUnderstood(f"{name} of {len(items)} arguments", node.span)
    one, other = meaning.value(items[0]), meaning.value(items[1])

    def choose(a: Array, b: Array) -> Array:
        larger = meaning.decided(np.real(a) >= np.real(b), node)
        return np.where(larger if name == "max" else ~larger, a, b)

    return v.entrywise(one, other, choose)


def applied(meaning: Meaning, reference: Reference, argument: Node) -> Value:
    """A function, or a derivative of it, of an argument."""
    if reference.kind != "function":
        raise NotUnderstood(f"{reference.name} is no function", reference.span)
    value = meaning.value(argument)
    name = function_name(meaning, reference, value)
    if name == "softmax":
        if reference.primes and reference.name == "f":
            raise NotUnderstood(
                "a function of each entry alone, where the network has softmax; as one it may hold",
                reference.span,
            )
        if reference.primes:
            raise IllFormed(
                "softmax is no function of one entry: its derivative is a Jacobian",
                reference.span,
                "softmax-elementwise",
            )
        found = _softmax_of_entry(meaning, argument) if value.is_scalar else _softmax(value)
    elif name == "identity":
        found = value if not reference.primes else v.mapped(value, np.ones_like)
    else:
        order, record, point = reference.primes, FUNCTIONS[name], meaning.world.points[0]
        found = v.mapped(value, v.real(lambda a: np.asarray(apply(record, order, a, point))))
        found = replace(found, literal=False)
    if reference.indices:
        found = picked(meaning, found.array, found.free, found.axes, reference, found)
    if reference.power is not None:
        found = powered(meaning, found, reference.power)
    return v.transposed(found) if reference.transposed else found


def function_name(meaning: Meaning, reference: Reference, argument: Value) -> str:
    if reference.name != "f":
        return reference.name
    if reference.layer is not None:
        return activation(meaning.world.network, reference.layer)
    labels = {a.label for a in argument.axes if names.layer_of_units(a.label) is not None}
    labels = labels or ({argument.feature} if argument.feature else set())
    layer = names.layer_of_units(labels.pop()) if len(labels) == 1 else None
    if layer is not None:
        return activation(meaning.world.network, layer)
    known = {activation(meaning.world.network, n) for n in range(1, meaning.scope.layers + 1)} - {
        "softmax",
        "identity",
    }
    if len(known) == 1:
        return known.pop()
    raise NotUnderstood(f"which activation {reference.name} is here", reference.span)


def entry_of_units(meaning: Meaning, argument: Node) -> Reference:
    """The z_k of softmax(z_k), which means an entry of the softmax of z. Raises: NotUnderstood for
    any other single number."""
    inner = (
        argument.items[0] if isinstance(argument, Group) and len(argument.items) == 1 else argument
    )
    if isinstance(inner, Scripted) and split(inner) is not None:
        found = meaning.scope.resolve(inner)
        if found.kind == "tensor" and found.power is None and not found.primes:
            return found
    raise NotUnderstood("softmax of a single number", argument.span)


def _softmax_of_entry(meaning: Meaning, argument: Node) -> Value:
    reference = entry_of_units(meaning, argument)
    array, axes = meaning.world.values[reference.name], meaning.world.axes(reference.name)
    return entries_of(meaning, reference.name, _softmax(Value(array, cols=axes)).array, reference)


def _softmax(value: Value) -> Value:
    places = [p for p, a in enumerate(value.axes) if a.label != SAMPLE]
    if len(places) != 1:
        raise Clash(f"softmax of {v.shape_text(value)}")
    axis = 1 + len(value.free) + places[0]
    raised = np.exp(value.array)
    return replace(value, array=raised / raised.sum(axis=axis, keepdims=True))


def as_float(number: Fraction, node: Node) -> float:
    """Raises: NotUnderstood for a number that no float holds."""
    if abs(number) > LARGEST_NUMBER:
        raise NotUnderstood("a number of this size", node.span)
    return float(number)


def powered(meaning: Meaning, value: Value, exponent: Node) -> Value:
    match exponent:
        case Number(value=number):
            power = as_float(number, exponent)
        case Product(sign=r"\circ", factors=(Number(value=number),)):
            power = as_float(number, exponent)
        case Symbol(head=("T" | "t" | "\\top" | "\\intercal")):
            return v.transposed(value)
        case _:
            return v.entrywise(value, meaning.value(exponent), _raised)
    if power == -1 and not value.is_scalar:
        raise NotUnderstood("an inverse", exponent.span)
    return v.mapped(value, v.real(lambda a: a**power))


def _raised(base: Array, exponent: Array) -> Array:
    """Without a value where the base is negative, whatever the step."""
    with np.errstate(all="ignore"):
        found = np.power(base, exponent)
        known = np.power(np.real(base), np.real(exponent))
    return np.where(np.isnan(known), np.nan, found)


def is_called(meaning: Meaning, node: Node, after: Node) -> bool:
    r"""H(\hat y, y), z(x), \hat{y}(z): a quantity written with what it depends on."""
    if not isinstance(after, Group) or after.bracket != "(":
        return False
    parts = split(node)
    if parts is None:
        return False
    letter = meaning.settings.letters.get(parts[0].head, "")
    if letter in ("L", "loss_n"):
        return True
    if len(after.items) > 1 and bool(letter):
        return True
    inner = after.items[0] if after.items else None
    return letter in ("yhat", "h", "z") and inner is not None and _is_argument(meaning, inner)


def called_entry(meaning: Meaning, node: Node, after: Node) -> Scripted | None:
    r"""The f_k of f(x)_k: an entry of a quantity written with what it depends on."""
    if not isinstance(after, Scripted) or split(node) is None:
        return None
    return (
        Scripted(node, after.scripts, node.span) if is_called(meaning, node, after.base) else None
    )


def refuse_elsewhere(meaning: Meaning, node: Node, after: Group) -> None:
    r"""L(W + \epsilon), E(0.4): the loss at another point than that of the note, which has no value
    here. Of several arguments, L(\hat y, y), it is the loss that is meant."""
    parts = split(node)
    letter = meaning.settings.letters.get(parts[0].head, "") if parts else ""
    if letter not in ("L", "loss_n") or len(after.items) != 1:
        return
    inner = after.items[0]
    scaled = isinstance(inner, Product) and any(isinstance(f, Number) for f in inner.factors)
    if scaled or isinstance(inner, (Sum, Quotient, Number)):
        raise NotUnderstood("the loss at another point", after.span)


def _is_argument(meaning: Meaning, node: Node) -> bool:
    """What a quantity may be said to depend on: the input, the weights."""
    parts = split(node)
    family = meaning.settings.letters.get(parts[0].head, "") if parts else ""
    return family.partition(":")[0] in ("x", "W", "z")


def called_loss(meaning: Meaning, node: Node, after: Group) -> Reference | None:
    """The loss of the sample that its arguments mark: H(\\hat y^{(i)}, y^{(i)})."""
    parts = split(node)
    if parts is None or meaning.settings.letters.get(parts[0].head, "") not in ("L", "loss_n"):
        return None
    for item in after.items:
        _refuse_other_layer(meaning, item)
    if SAMPLE not in meaning.world.sizes:
        return None
    for item in after.items:
        inner = split(item)
        for script in inner[1] if inner else ():
            try:
                role = meaning.scope.role(script, False, "x")
            except NotUnderstood:
                continue
            if role == "sample":
                return Reference("loss_n", "loss_n", node.span, sample=script.parts[0])
        if meaning.settings.sampled and inner is not None and inner[0].head in ("x", "y"):
            raise OneSample("the loss of one sample", node.span)
    return None


def _refuse_other_layer(meaning: Meaning, argument: Node) -> None:
    """L(a^l, y) with another layer than the last is not the loss of the network."""
    if not isinstance(argument, Scripted) or split(argument) is None:
        return
    try:
        found = meaning.scope.resolve(argument)
    except (NotUnderstood, IllFormed):
        return
    is_node = found.kind == "tensor" and found.name[:1] in ("h", "z")
    if is_node and found.layer not in (None, meaning.scope.layers):
        raise NotUnderstood("the loss of another layer than the last", argument.span)


def called_node(meaning: Meaning, node: Node, after: Group) -> Reference | None:
    """A quantity of the sample that its arguments mark: h_W(x^{(i)})."""
    for item in after.items:
        inner = split(item)
        for script in inner[1] if inner else ():
            if script.bracket == "(" and script.place == "above" and script.parts:
                reference = meaning.scope.resolve(node)
                if reference.kind == "tensor" and reference.sample is None:
                    return replace(reference, sample=script.parts[0])
    return None


def function_of(meaning: Meaning, node: Node) -> Reference | None:
    parts = split(node)
    if parts is None or parts[0].head in meaning.ranges:
        return None
    family = meaning.settings.letters.get(parts[0].head, "")
    if family != "f" and not is_function(family):
        return None
    return meaning.scope.resolve(node)


def called_as_value(meaning: Meaning, node: Node, argument: Node) -> Reference | None:
    r"""The activation by the letter of its values, without a mark of its own: a_i^l = a(z_i^l)."""
    parts, inner = split(node), split(argument)
    if parts is None or inner is None or any(script.kind != "prime" for script in parts[1]):
        return None
    letters = meaning.settings.letters
    if letters.get(parts[0].head) != "h" or letters.get(inner[0].head) != "z":
        return None
    return Reference("function", "f", node.span, primes=len(parts[1]))


def application(
    meaning: Meaning, function: Reference, group: Node, scripts: Sequence[Script]
) -> Callable[[], Value]:
    def work() -> Value:
        inner = function
        for script in scripts:
            role = meaning.scope.role(script, False, "z")
            if role == "index":
                inner = replace(inner, indices=(*inner.indices, *script.parts))
            elif role == "transpose":
                inner = replace(inner, transposed=not inner.transposed)
            elif role == "power":
                inner = replace(inner, power=script.parts[0])
            else:
                raise NotUnderstood("a script behind an argument", script.span)
        return applied(meaning, inner, group)

    return work


def _diagonal(value: Value) -> Value:
    if len(value.axes) != 1:
        raise Clash(f"diag of {v.shape_text(value)}")
    axis = value.axes[0]
    array = value.array[..., None] * np.eye(axis.size)
    return Value(array, value.free, (axis,), (axis,))
