"""Derivatives: links of a chain, their layout, and moving a variable where no link is known.

Owns: `Link`, `link_of` and how a link stands as rows and columns. Refuses: derivatives inside
derivatives, and derivatives by what is no quantity of the network.
Would be wrong if a link were laid out otherwise than the note lays out its derivatives.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from symbackprop.judging.notes.formula import values as v
from symbackprop.judging.notes.formula.entries import (
    gathered,
    is_weight,
    left_whole,
    oriented,
    written_places,
)
from symbackprop.judging.notes.formula.functions import called_loss, function_of, is_called
from symbackprop.judging.notes.formula.letters import head_or_none, plain
from symbackprop.judging.notes.formula.literals import kronecker
from symbackprop.judging.notes.formula.meaning import Meaning
from symbackprop.judging.notes.formula.symbols import (
    IllFormed,
    NotUnderstood,
    OutOfRange,
    Reference,
    activation,
    split,
)
from symbackprop.judging.notes.formula.values import Value
from symbackprop.reading.latex.syntax import (
    Apply,
    Derivative,
    Group,
    Node,
    Product,
    Scripted,
    Symbol,
    walk,
)
from symbackprop.witnesses.axes import SAMPLE, Array, Axes, Axis
from symbackprop.witnesses.truth import STEP, loss_slopes


@dataclass(frozen=True)
class Link:
    """A derivative d of / d wrt as a link of a chain: its array has the free letters, then the
    axes of `of` that no index picks, then those of `wrt`. A name with indices is one entry."""

    of: str
    wrt: str
    array: Array
    free: tuple[str, ...]
    outer: Axes
    inner: Axes


def total_derivative(meaning: Meaning, of: str, wrt: str) -> Array:
    if meaning.world.moving:
        raise NotUnderstood("a derivative inside a derivative")
    return meaning.world.total(of, wrt)


def scale_of(meaning: Meaning, scale: str) -> Value:
    factor = -1.0 if scale.startswith("-") else 1.0
    if scale.endswith("N"):
        factor *= meaning.world.sizes.get(SAMPLE, 1)
    return v.number(factor)


def derivative_value(meaning: Meaning, node: Derivative) -> Value:
    if node.of is None or (node.wrt is None and link_of(meaning, node) is None):
        raise NotUnderstood("a derivative that does not say of what by what", node.span)
    if meaning.world.moving:
        raise NotUnderstood("a derivative inside a derivative", node.span)
    link = link_of(meaning, node)
    if link is None:
        assert node.wrt is not None
        return _explicit(meaning, node)
    if node.sign == "nabla":  # a gradient stands as its variable does
        standing = replace(meaning.settings, vectors="variable")
        return link_value(replace(meaning, settings=standing), link)
    return link_value(meaning, link)


def plain_reference(meaning: Meaning, node: Node) -> Reference | None:
    """A symbol, with or without the arguments written behind it."""
    match node:
        case Group(items=(one,)) if node.bracket in ("", "("):
            return plain_reference(meaning, one)
        case Product(sign="", factors=(first, Group() as second)):
            if not is_called(meaning, first, second):
                return None
            return called_loss(meaning, first, second) or plain_reference(meaning, first)
        case Apply(function=function) if split(function) is not None:
            parts = split(function)
            assert parts is not None
            family = meaning.settings.letters.get(parts[0].head, "")
            return plain_reference(meaning, function) if family in ("L", "loss_n") else None
    parts = split(node)
    if parts is None or parts[0].head in meaning.ranges or parts[0].head in meaning.local:
        return None
    reference = meaning.scope.resolve(node)
    if reference.kind == "number" or reference.primes:
        return None
    if reference.power is not None:
        return None
    return reference


def link_of(meaning: Meaning, node: Node) -> Link | None:
    """A derivative of one named quantity by another, or an adjoint by its name, as a link."""
    match node:
        case Derivative(of=of, wrt=wrt) if of is not None and wrt is not None:
            bottom = denominator(meaning, wrt, node)
            top = _activation_of(meaning, of, bottom) or plain_reference(meaning, of)
        case Derivative(of=of, sign="nabla", span=span) if of is not None:
            top = Reference("tensor", meaning.world.network.loss, span)
            wrt, bottom = of, plain_reference(meaning, of)
            if (parts := _function_and_argument(of)) is not None:  # \nabla \sigma(z)
                function, wrt = parts
                bottom = plain_reference(meaning, wrt)
                top = _activation_of(meaning, function, bottom)
            elif not _is_gradient_by(meaning, of):
                return None
            if top is None:
                return None
        case Symbol() | Scripted():
            return _named_link(meaning, node)
        case Group(items=(one,)):
            return link_of(meaning, one)
        case _:
            return None
    if bottom is None and head_or_none(wrt) in meaning.local:
        return None
    if bottom is None:
        raise NotUnderstood("what the derivative is taken by", wrt.span)
    if bottom.kind != "tensor":
        raise NotUnderstood("a derivative by what is no quantity of the network", wrt.span)
    if top is None or top.kind not in ("tensor", "loss_n"):
        return None
    return _by_each_sample(meaning, top, bottom, _tensor_link(meaning, top, bottom))


def _function_and_argument(node: Node) -> tuple[Node, Node] | None:
    match node:
        case Apply(function=function, arguments=(one,)):
            return function, one
        case Product(sign="", factors=(function, Group(bracket="(", items=(one,)))):
            return function, one
    return None


def _is_gradient_by(meaning: Meaning, node: Node) -> bool:
    r"""\nabla W, \nabla b: the gradient of the loss by a parameter, which has none of its own."""
    try:
        found = plain_reference(meaning, node)
    except OutOfRange:
        raise
    except (NotUnderstood, IllFormed):
        return False
    network = meaning.world.network
    return (
        found is not None
        and found.kind == "tensor"
        and network.by_name[found.name].kind == "parameter"
    )


def _activation_of(meaning: Meaning, node: Node, wrt: Reference | None) -> Reference | None:
    r"""The \sigma of \frac{\partial\sigma}{\partial z^l}: what that layer makes of its z."""
    function = function_of(meaning, node)
    if function is None or function.primes or wrt is None or wrt.layer is None:
        return None
    if wrt.name != meaning.scope.node("z", wrt.layer, node.span):
        return None
    own = activation(meaning.world.network, wrt.layer)
    if own not in (function.name, own if function.name == "f" else ""):
        return None
    name = meaning.scope.node("h", wrt.layer, node.span)
    return Reference("tensor", name, node.span, layer=wrt.layer)


def _by_each_sample(meaning: Meaning, top: Reference, bottom: Reference, link: Link) -> Link:
    """d mean / d what each sample has, in a note that leaves the 1/N to the parameters."""
    world = meaning.world
    sampled = any(axis.label == SAMPLE for axis in world.axes(bottom.name))
    if not (meaning.settings.per_sample and top.name == world.network.loss and sampled):
        return link
    return replace(link, array=link.array * world.sizes[SAMPLE])


def denominator(meaning: Meaning, node: Node, whole: Derivative) -> Reference | None:
    """What is derived by; \\nabla_a C means the output where a has no mark."""
    try:
        return plain_reference(meaning, node)
    except IllFormed:
        parts = split(node)
        family = meaning.settings.letters.get(parts[0].head, "") if parts else ""
        if parts and whole.sign == "nabla" and family in ("h", "z") and not parts[1]:
            name = meaning.world.network.resolve(f"{family}{meaning.scope.layers}")
            return Reference("tensor", name, node.span)
        raise


def _named_link(meaning: Meaning, node: Node) -> Link | None:
    parts = split(node)
    if parts is None or parts[0].head in meaning.ranges or parts[0].head in meaning.local:
        return None
    if kronecker(meaning, node) is not None:
        return None
    try:
        reference = meaning.scope.resolve(node)
    except (NotUnderstood, IllFormed):
        return None
    if reference.kind != "adjoint" or reference.transposed or reference.power is not None:
        return None
    bottom = replace(reference, kind="tensor")
    top = Reference("tensor", meaning.world.network.loss, node.span)
    link = _tensor_link(meaning, top, bottom)
    scale = scale_of(meaning, reference.scale).array
    return replace(link, array=link.array * scale.reshape((-1,) + (1,) * (link.array.ndim - 1)))


def _tensor_link(meaning: Meaning, top: Reference, bottom: Reference) -> Link:
    if top.kind == "loss_n":
        return _sample_link(meaning, top, bottom)
    array = total_derivative(meaning, top.name, bottom.name)
    outer, inner = meaning.world.axes(top.name), meaning.world.axes(bottom.name)
    above, below = written_places(meaning, top, outer), written_places(meaning, bottom, inner)
    found = gathered(meaning, array, (), (*outer, *inner), [*above, *below])
    left = left_whole(outer, above), left_whole(inner, below)
    return Link(key_of(top), key_of(bottom), found.array, found.free, *left)


def _sample_link(meaning: Meaning, top: Reference, bottom: Reference) -> Link:
    """d of the loss of one sample, through the outputs of that sample."""
    if SAMPLE not in meaning.world.sizes:
        loss = Reference("tensor", meaning.world.network.loss, top.span)
        return _tensor_link(meaning, loss, bottom)
    array = loss_slopes(meaning.world, bottom.name)
    if array is None:
        raise NotUnderstood("the loss of one sample", top.span)
    inner = meaning.world.axes(bottom.name)
    places = written_places(meaning, bottom, inner)
    found = _of_samples(meaning, array, top, bottom, places)
    left = left_whole(inner, places)
    return Link(key_of(top), key_of(bottom), found.array, found.free, (), left)


def _of_samples(
    meaning: Meaning,
    array: Array,
    top: Reference,
    bottom: Reference,
    places: Sequence[Node | None],
) -> Value:
    """The entries of d loss of sample n / d variable, at the sample that either of them marks."""
    inner = meaning.world.axes(bottom.name)
    labels = [a.label for a in inner]
    place = top.sample or (top.indices[0] if top.indices else None)
    if place is None and bottom.sample is None and SAMPLE in labels:
        # each sample's own loss by its own entries: only those are not zero
        own = labels.index(SAMPLE)
        diagonal = np.moveaxis(np.diagonal(array, axis1=1, axis2=2 + own), -1, 1 + own)
        return gathered(meaning, diagonal, (), inner, places)
    place = place or bottom.sample
    if place is None:
        raise NotUnderstood("the loss of which sample", top.span)
    outer = Axis(SAMPLE, meaning.world.sizes[SAMPLE])
    return gathered(meaning, array, (), (outer, *inner), [place, *places])


def link_value(meaning: Meaning, link: Link) -> Value:
    """A derivative laid out as the note lays it out."""
    outer_count, lead = len(link.outer), 1 + len(link.free)
    array, axes = link.array, (*link.outer, *link.inner)
    flat = meaning.world.flat
    dropped = [p for p, a in enumerate(axes) if a.label in flat]
    if dropped:
        array = array.squeeze(axis=tuple(lead + p for p in dropped))
        outer_count -= sum(1 for p in dropped if p < outer_count)
        axes = tuple(a for a in axes if a.label not in flat)
    outer, inner = axes[:outer_count], axes[outer_count:]
    if not outer and not inner:
        return Value(array, link.free)
    if not outer and not _is_jacobian_of_one_unit(meaning, link, inner):
        return _by_variable(meaning, link.wrt, array, inner, link.free)
    if not inner:
        return _by_number(meaning, link.of, array, outer, link.free)
    found = Value(array, link.free, outer, inner)
    turned = meaning.settings.layout == "denominator"
    return v.transposed(found) if turned else found


def _is_jacobian_of_one_unit(meaning: Meaning, link: Link, inner: Axes) -> bool:
    """d z / d h where z has a single unit: a row (or column) of its Jacobian, not a gradient."""
    weight = is_weight(meaning, link.wrt.partition("[")[0])
    return bool(link.outer) and len(inner) == 1 and not weight


def _by_variable(
    meaning: Meaning, wrt: str, array: Array, axes: Axes, free: tuple[str, ...]
) -> Value:
    """d number / d something: in the shape of the variable, or a row."""
    name = wrt.partition("[")[0]
    found = oriented(meaning, name, array, axes, free)
    if meaning.settings.vectors == "row" and found.rows and not found.cols:
        return v.transposed(found)
    return found


def _by_number(meaning: Meaning, of: str, array: Array, axes: Axes, free: tuple[str, ...]) -> Value:
    """d something / d number: a column in numerator layout, a row in denominator layout."""
    if len(axes) > 1:
        return oriented(meaning, of.partition("[")[0], array, axes, free)
    if meaning.settings.layout == "numerator":
        return Value(array, free, axes, ())
    return Value(array, free, (), axes)


def chain_value(meaning: Meaning, nodes: Sequence[Node], count: int) -> Value | None:
    """A product of derivatives that fit together by their names: the chain rule, however
    vectors stand."""
    if len(nodes) != count or count < 2 or meaning.world.moving:
        return None
    if not any(isinstance(n, Derivative) for n in nodes):
        return None
    links: list[Link] = []
    for node in nodes:
        link = link_of(meaning, node)
        if link is None:
            return None
        links.append(link)
    if meaning.settings.chain == "up":
        links = links[::-1]
    total = links[0]
    for link in links[1:]:
        if total.wrt != link.of:
            return None
        total = _joined(total, link)
    return link_value(meaning, total)


def _explicit(meaning: Meaning, node: Derivative) -> Value:
    """d expression / d variable, by moving every entry of the variable."""
    assert node.of is not None
    assert node.wrt is not None
    reference = denominator(meaning, node.wrt, node)
    if reference is None and head_or_none(node.wrt) in meaning.local:
        return _by_local(meaning, node)
    if reference is None or reference.kind != "tensor":
        raise NotUnderstood("what the derivative is taken by", node.wrt.span)
    if any(part.span in meaning.moved for part in walk(node.of)):
        raise NotUnderstood("a derivative of rounded numbers", node.span)
    value, array = _by_moving(meaning, node.of, reference.name)
    inner = meaning.world.axes(reference.name)
    places = written_places(meaning, reference, inner)
    whole: list[Node | None] = [None] * len(value.axes)
    found = gathered(meaning, array, value.free, (*value.axes, *inner), [*whole, *places])
    left = left_whole(inner, places)
    if len(value.axes) > 1 and all(a.label in meaning.world.flat for a in left):
        array = found.array.reshape(found.array.shape[: found.array.ndim - len(left)])
        return Value(array, found.free, value.rows, value.cols)
    link = Link("expression", key_of(reference), found.array, found.free, value.axes, left)
    return link_value(meaning, link)


def _by_moving(meaning: Meaning, node: Node, name: str) -> tuple[Value, Array]:
    """The value of an expression where each entry of a tensor is moved, and its derivative: the
    axes of the expression, then those of the tensor."""
    moved = replace(meaning.world.moved(name), points=meaning.world.points)
    value = replace(meaning, world=moved).value(node)
    points, *shape = meaning.world.values[name].shape
    count = int(np.prod(shape, dtype=int))
    rest = value.array.shape[1:]
    slope = np.broadcast_to(np.imag(value.array), (points * count, *rest)) / STEP
    array = np.moveaxis(slope.reshape(points, count, *rest), 1, -1)
    return value, array.reshape(*array.shape[:-1], *shape)


def _by_local(meaning: Meaning, node: Derivative) -> Value:
    assert node.of is not None
    letter = head_or_none(node.wrt)
    assert letter is not None
    here = meaning.local[letter]
    step = replace(here, array=here.array.astype(complex) + 1j * STEP)
    value = replace(meaning, local={**meaning.local, letter: step}).value(node.of)
    return v.mapped(value, lambda a: np.imag(a) / STEP)


def key_of(reference: Reference) -> str:
    if not reference.indices and reference.sample is None:
        return reference.name
    parts = [repr(plain(p)) for p in (*reference.indices, reference.sample) if p is not None]
    return f"{reference.name}[{','.join(parts)}]"


def _joined(one: Link, other: Link) -> Link:
    """d a / d b times d b / d c."""
    count = len(one.inner)
    a = Value(one.array, one.free, one.outer, one.inner)
    b = Value(other.array, other.free, other.outer, other.inner)
    product = v.contracted(a, b, count)
    return Link(one.of, other.wrt, product.array, product.free, one.outer, other.inner)
