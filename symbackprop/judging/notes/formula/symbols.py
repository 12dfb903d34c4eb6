r"""What one symbol with its scripts refers to, under the settings of a note.

Owns: `resolve`: head and scripts -> `Reference`. Refuses: values, and guessing: a symbol that the
settings do not know is `NotUnderstood`, one that cannot be right is `IllFormed`.
Would be wrong if a layer mark were read as a power, or an index as a layer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from symbackprop.calculus.scalars import FUNCTIONS as SCALARS
from symbackprop.calculus.scalars import function_spelt
from symbackprop.judging.notes.formula.settings import Settings
from symbackprop.networks import roles
from symbackprop.networks.network import Network
from symbackprop.notation import delta_number
from symbackprop.reading.latex.syntax import (
    Group,
    Node,
    Number,
    Product,
    Script,
    Scripted,
    Span,
    Sum,
    Symbol,
)

EULER = "euler"  # the family of e where it is the base of the exponential
LAYERED = frozenset({"z", "h", "W", "b", "delta", "s", "input"})
SOFTMAX = ("softmax", "Softmax")


def function_called(head: str) -> str:
    """The function that a word in a note names: `ln` is log; "" where it names none."""
    return "softmax" if head in SOFTMAX else function_spelt(head)


def is_function(family: str) -> bool:
    """Whether a meaning is a function with a name of its own, so not f."""
    return family == "softmax" or family in SCALARS


_PARAMETERS = frozenset({"W", "w", "b", r"\theta", r"\Theta", "V", "U"})


class NotUnderstood(ValueError):
    """Something that is not read: the claim is undecided."""

    def __init__(self, reason: str, span: Span | None = None) -> None:
        self.reason, self.span = reason, span
        super().__init__(reason)


class OneSample(NotUnderstood):
    """Samples are spoken of where the formula is read for one sample."""


CLASS_NUMBER = "a label as the number of a class"


class IllFormed(ValueError):
    """Something that cannot be right however it is read: an index or a layer that is not there."""

    method = "ill-formed"

    def __init__(self, reason: str, span: Span | None = None, slip: str = "ill-formed") -> None:
        self.reason, self.span, self.slip = reason, span, slip
        super().__init__(reason)


class OutOfRange(IllFormed):
    """A layer that the network does not have."""

    def method_in(self, of_any_layer: bool) -> str:
        """A formula of any layer need not be meant for one at which there is no such thing."""
        if not of_any_layer:
            return IllFormed.method
        return "range" if self.method == IllFormed.method else self.method


class Missing(OutOfRange):
    """A parameter that a layer of the network does not have."""

    method = "missing"


class Unmarked(IllFormed):
    """A letter of a layer that does not say of which."""

    method = "unmarked"


Kind = Literal[
    "tensor", "adjoint", "function", "number", "identity", "ones", "letter", "alias", "loss_n"
]


@dataclass(frozen=True)
class Reference:
    """A symbol understood: which tensor (or function, or whole number), which entries of it."""

    kind: Kind
    name: str
    span: Span
    value: int = 0
    indices: tuple[Node, ...] = ()
    sample: Node | None = None
    transposed: bool = False
    power: Node | None = None
    primes: int = 0
    scale: str = "1"
    bold: bool = False
    layer: int | None = None

    def called(
        self, kind: Kind, name: str, layer: int | None = None, scale: str = "1"
    ) -> Reference:
        """The same with what it refers to."""
        return Reference(
            kind,
            name,
            self.span,
            self.value,
            self.indices,
            self.sample,
            self.transposed,
            self.power,
            self.primes,
            scale,
            self.bold,
            layer,
        )


def split(node: Node) -> tuple[Symbol, tuple[Script, ...]] | None:
    """A symbol and all its scripts, also those outside braces; None for anything else."""
    match node:
        case Symbol():
            return node, ()
        case Scripted(base=base, scripts=scripts):
            inner = split(base)
            return None if inner is None else (inner[0], (*inner[1], *scripts))
        case Group(bracket="", items=(one,)):
            return split(one)
    return None


def _is_transposed_first(scripts: Sequence[Script]) -> bool:
    """W^T_{jk} is an entry of W^T; W_{jk}^T is read as it was written."""
    kinds = [script.kind if script.kind == "transpose" else script.place for script in scripts]
    return "below" in kinds and kinds.index("transpose") < kinds.index("below")


def activation(network: Network, layer: int) -> str:
    """The scalar function of a layer, `softmax` or `identity`. Raises: OutOfRange."""
    found = roles.activation(network, layer)
    if found is None:
        raise OutOfRange(f"there is no layer {layer}", None, "layer")
    return found


def activations(network: Network) -> tuple[str, ...]:
    """Those of all layers, from the first on."""
    found = (roles.activation(network, layer) for layer in range(1, network.depth + 1))
    return tuple(name for name in found if name is not None)


def _is_number(script: Script) -> bool:
    return len(script.parts) == 1 and isinstance(script.parts[0], Number)


def counts_layers(node: Node) -> bool:
    """n_l, the number of layers where it marks the last one: a^{(n_l)}."""
    match node:
        case Scripted(base=Symbol(head=("n" | "N")), scripts=(Script(place="below") as script,)):
            part = script.parts[0] if len(script.parts) == 1 else None
            return isinstance(part, Symbol) and part.head in ("l", "L", r"\ell")
    return False


@dataclass(frozen=True)
class Scope:
    """What symbols are resolved against: the network, the settings, whole numbers by letter."""

    network: Network
    settings: Settings
    numbers: Mapping[str, int]

    @property
    def layers(self) -> int:
        return self.network.depth

    def whole(self, node: Node) -> int:
        """The whole number a layer mark or index states: `l+1`, `L-l`, `2`."""
        match node:
            case Number(value=value) if value.denominator == 1:
                return int(value)
            case Symbol(head=head, span=span):
                if head in self.numbers:
                    return self.numbers[head]
                raise NotUnderstood(f"{head} is no whole number that is known", span)
            case Scripted() if counts_layers(node):
                return self.numbers["L"]
            case Sum(signs=signs, terms=terms):
                return sum(s * self.whole(t) for s, t in zip(signs, terms, strict=True))
            case Group(items=(one,)):
                return self.whole(one)
            case Product(sign="", factors=(Number() as times, other)):
                return int(times.value) * self.whole(other)
        raise NotUnderstood("this is no whole number", node.span)

    def resolve(self, node: Node) -> Reference:
        """Raises: NotUnderstood, IllFormed."""
        parts = split(node)
        if parts is None:
            raise NotUnderstood("this is no symbol", node.span)
        symbol, scripts = parts
        family = self.family(symbol, scripts)
        if family == EULER:
            raise NotUnderstood(f"{symbol.head} with such a script", node.span)
        bare = Reference("letter", symbol.head, node.span, bold=symbol.bold)
        return self._marked(bare, family, scripts, node.span)

    def family(self, symbol: Symbol, scripts: tuple[Script, ...] = ()) -> str:
        """The family of a head; raises NotUnderstood for one that the note never explains."""
        found = self.settings.letters.get(symbol.head)
        if found is None:
            raise NotUnderstood(f"it is not known what {symbol.head} means here", symbol.span)
        return found

    def _marked(
        self, bare: Reference, family: str, scripts: tuple[Script, ...], span: Span
    ) -> Reference:
        letter, _, fixed = family.partition(":")
        adjoint = letter.startswith("d_")
        letter = letter.removeprefix("d_")
        layer = int(fixed) if fixed else None
        takes_layer = (letter in LAYERED or letter in ("f", "alias", "numbered")) and not fixed
        marked: Node | None = None
        indices: tuple[Node, ...] = ()
        sample = power = None
        transposed, primes = False, 0
        for script in scripts:
            role = self.role(script, takes_layer and marked is None, letter)
            if role == "layer" and bare.name in self.settings.powers and _is_number(script):
                role = "power"
            match role:
                case "layer":
                    marked, rest = script.parts[0], script.parts[1:]
                    indices = (*indices, *rest)
                case "index":
                    if not self._are_parameters(script):
                        indices = (*indices, *script.parts)
                case "sample":
                    sample = script.parts[0]
                case "transpose":
                    transposed = not transposed
                case "prime":
                    primes += 1
                case "power":
                    if power is not None:
                        raise NotUnderstood("two powers", script.span)
                    power = script.whole
                case "inverse":
                    power = Number(Fraction(-1), "-1", script.span)
        if transposed and len(indices) == 2 and _is_transposed_first(scripts):
            transposed, indices = False, indices[::-1]
        state = bare
        if scripts:
            state = Reference(
                bare.kind,
                bare.name,
                span,
                0,
                indices,
                sample,
                transposed,
                power,
                primes,
                bold=bare.bold,
            )
        return self._named(state, letter, adjoint, layer, marked, span)

    def _are_parameters(self, script: Script) -> bool:
        r"""h_{W,b}, f_\theta: what a quantity depends on, not which entry."""
        heads = [p.head for p in script.parts if isinstance(p, Symbol)]
        whole = len(heads) == len(script.parts) and set(heads) <= _PARAMETERS
        return whole and bool(set(heads) - {"b", "V", "U"})

    def role(self, script: Script, layer_open: bool, letter: str) -> str:
        match script.kind:
            case "transpose" | "prime" | "inverse":
                return script.kind
            case "star":
                raise NotUnderstood("a star", script.span)
        if not script.parts:
            raise NotUnderstood("an empty script", script.span)
        frame = ("below", "") if letter == "numbered" else self.settings.mark.frame
        if layer_open and script.frame == frame:
            return "layer"
        if script.place == "below":
            return "index"
        if letter in ("L", "loss_n") and self._is_free_letter(script):
            return "sample"  # E^p is the loss of sample p
        found = {"": "power", "(": "sample"}.get(script.bracket)
        if found is None:
            raise NotUnderstood("a script that is no layer mark here", script.span)
        return found

    def _is_free_letter(self, script: Script) -> bool:
        part = script.parts[0]
        return isinstance(part, Symbol) and len(script.parts) == 1 and part.head not in self.numbers

    def _named(
        self,
        state: Reference,
        letter: str,
        adjoint: bool,
        layer: int | None,
        marked: Node | None,
        span: Span,
    ) -> Reference:
        settings = self.settings
        match letter:
            case "N" if state.indices or state.sample is not None:
                raise NotUnderstood("a number of samples with a script", span)
            case "N":
                return state.called("number", "N")
            case "depth":
                return state.called("number", "depth")
            case "size":
                raise NotUnderstood("a size", span)
            case "identity" | "ones":
                return state.called(letter, state.name)
            case "loss_n":
                return state.called("loss_n", "loss_n")
            case "f":
                number = None if marked is None else self.whole(marked) - settings.nodes
                return state.called("function", "f", number)
            case _ if is_function(letter):
                return state.called("function", letter)
            case "alias" | "numbered":
                number = None if marked is None else self.whole(marked)
                return state.called("alias", state.name, number)
            case "L" if not adjoint and (state.indices or state.sample is not None):
                return state.called("loss_n", "loss_n")
            case "L" | "x" | "y" | "yhat":
                name = {"L": self.network.loss}.get(letter, letter)
                if self.network.resolve(name) not in self.network.by_name:
                    raise NotUnderstood(f"the network has no {name}", span)
                kind: Kind = "adjoint" if adjoint else "tensor"
                resolved = self.network.resolve(name)
                return state.called(kind, resolved, None, self._scale(state, adjoint))
        if letter not in LAYERED:
            raise NotUnderstood(f"the family {letter} is not read", span)
        number = layer if layer is not None else self._layer(letter, marked, state, span)
        if letter == "delta":
            name = self.node(settings.delta_of, number, span)
            return state.called("adjoint", name, number, self._scale(state, True))
        name = (
            self.node(letter, number, span)
            if letter in ("z", "h", "s", "input")
            else self._parameter(letter, number, span)
        )
        kind = "adjoint" if adjoint else "tensor"
        return state.called(kind, name, number, self._scale(state, adjoint))

    def _scale(self, state: Reference, adjoint: bool) -> str:
        return self.settings.scales.get(state.name, "1") if adjoint else "1"

    def _layer(self, letter: str, marked: Node | None, state: Reference, span: Span) -> int:
        """The network's number of the layer that is marked."""
        if marked is None:
            if self.layers == 1 and letter not in ("h", "input"):
                return 1
            told = self._by_index(letter, state.indices)
            if told is not None:
                return told
            raise Unmarked(f"{state.name} has no layer mark", span)
        written = self.whole(marked)
        settings = self.settings
        if letter == "delta" and settings.deltas == "from_output":
            return delta_number(settings.deltas, written, self.layers)
        offset = settings.weights_from if letter in ("W", "b") else settings.nodes
        return written - offset - (settings.delta_from if letter == "delta" else 0)

    def _by_index(self, letter: str, indices: tuple[Node, ...]) -> int | None:
        """The layer that the index letters tell: that of the later one for a weight."""
        known = self.settings.index_layers
        found = [known[i.head] for i in indices if isinstance(i, Symbol) and i.head in known]
        if not found:
            return None
        return max(found) if letter == "W" else found[-1]

    def node(self, letter: str, number: int, span: Span) -> str:
        """The name of z, h or the input of a layer. Raises: OutOfRange."""
        if letter == "input":
            letter, number = "h", number - 1
        if letter == "h" and number == 0:
            return "x"
        if not 1 <= number <= self.layers:
            raise OutOfRange(f"there is no layer {number} with a {letter}", span, "layer")
        return self.network.resolve(f"{letter}{number}")

    def _parameter(self, letter: str, number: int, span: Span) -> str:
        name = f"{letter}{number}"
        if name not in self.network.by_name:
            kind = Missing if 1 <= number <= self.layers else OutOfRange
            raise kind(f"there is no {name} in the network", span, "layer")
        return name
