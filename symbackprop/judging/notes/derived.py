"""The right formula, as the derivation has it, in a writer's notation.

Owns: `right_side`: for a derivative that a formula claims, what the project derives, printed with
the letters and layer marks of the note. Refuses: derivatives of single entries, for which the
explanation's own suggestion is nearer to the text. Would be wrong if a letter of the note were used
for another quantity: only letters that the settings hold are.
"""

from __future__ import annotations

from symbackprop.derivation.matrixform import matrix_form
from symbackprop.derivation.sweep import jacobian, sweep
from symbackprop.errors import SymbackpropError
from symbackprop.judging.notes.formula.derivatives import link_of
from symbackprop.judging.notes.formula.meaning import Meaning
from symbackprop.judging.notes.formula.settings import Settings
from symbackprop.judging.notes.formula.symbols import IllFormed, NotUnderstood
from symbackprop.networks.network import Network
from symbackprop.notation import Notation
from symbackprop.reading.latex.syntax import Node
from symbackprop.writing.latex import Typesetting

FAMILIES = {"z": "z", "h": "h", "W": "W", "b": "b", "x": "x", "y": "y", "yhat": "yhat", "L": "L"}


def right_side(side: Node, meaning: Meaning) -> str:
    """LaTeX of what the derivative on a side is equal to; "" where there is no plain form."""
    if not _counts_like_us(meaning.settings):
        return ""
    try:
        link = link_of(meaning, side)
    except (NotUnderstood, IllFormed):
        return ""
    if link is None or "[" in link.of + link.wrt or link.of == "expression":
        return ""
    network = meaning.world.network
    if not {link.of, link.wrt} <= set(network.by_name):
        return ""  # the loss of one sample is no tensor
    try:
        return _printed(network, link.of, link.wrt, notation_of(meaning.settings))
    except (SymbackpropError, NotImplementedError):
        return ""


def _counts_like_us(settings: Settings) -> bool:
    """Layers counted as the network counts them, and no scaled adjoints: else our letters would
    mean something else than the writer's."""
    scaled = any(scale != "1" for scale in settings.scales.values())
    return not (settings.nodes or settings.weights_from or scaled or settings.index_layers)


def notation_of(settings: Settings) -> Notation:
    """The project's own notation that is nearest to a note's."""
    symbols: dict[str, str] = {}
    for head, family in sorted(settings.letters.items()):
        letter = "delta" if family == "delta" else FAMILIES.get(family)
        if letter is not None and not head.startswith("d") and letter not in symbols:
            symbols[letter] = head
    counts = sorted(h for h, f in settings.letters.items() if f == "N")
    if counts:
        symbols["N"] = counts[0]
    return Notation(
        samples=settings.samples,
        layer=settings.mark.word,
        delta=settings.deltas,
        symbols=tuple(sorted(symbols.items())),
    )


def _printed(network: Network, of: str, wrt: str, notation: Notation) -> str:
    swept = sweep(network)
    derivation = swept[wrt] if of == network.loss else jacobian(network, of, wrt)
    setting = Typesetting(swept.extended, notation)
    node = matrix_form(derivation.result, derivation.indices, swept.extended)
    if node is None:
        return setting.expression(derivation.result)
    return setting.matrix(node, jacobian=of != network.loss)
