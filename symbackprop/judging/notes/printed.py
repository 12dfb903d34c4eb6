r"""What the project prints, as settings under which it reads back.

Owns: `settings_of`, the inverse of a `Typesetting`: the meaning of each letter that it writes.
Refuses: reading. Would be wrong if two tensors shared a letter: then no reading could be right.
"""

from __future__ import annotations

from collections.abc import Iterator

from symbackprop.errors import UsageError
from symbackprop.judging.notes.formula.settings import Settings
from symbackprop.judging.notes.formula.symbols import split
from symbackprop.notation import DEFAULT_SYMBOLS, LAYER_MARKS
from symbackprop.reading.latex.parser import read
from symbackprop.reading.latex.syntax import Statement
from symbackprop.writing.latex import Typesetting, _upper


def settings_of(setting: Typesetting) -> Settings:
    """The settings under which formulas of this typesetting read back.

    Raises: UsageError where a letter cannot be told from its scripts (`h` printed as `W_{h}`).
    """
    stands = setting.notation.samples
    word = setting.notation.layer if setting.depth > 1 else "^(l)"  # one layer has no marks
    return Settings(
        mode="batch" if setting.is_batch else "one",
        samples=stands,
        single=stands,
        weights="out_in" if setting.columns else "in_out",
        mark=LAYER_MARKS[word],
        letters=dict(_letters(setting)),
        deltas=setting.notation.delta,
    )


def _letters(setting: Typesetting) -> Iterator[tuple[str, str]]:
    """Heads with their families. A capital for a matrix gives way to a letter that is written so
    itself, and the usual name to one that is given away."""
    yield from _usual(setting)
    names = {letter: setting.notation.symbol(letter) for letter in DEFAULT_SYMBOLS}
    order = sorted(names, key=lambda each: names[each] != DEFAULT_SYMBOLS[each])
    for letter in order:
        latex = names[letter]
        yield _head(_upper(latex)), letter
        yield _head(latex.lower() if len(latex) == 1 else latex), letter
    for letter in order:
        yield _head(names[letter]), letter


def _usual(setting: Typesetting) -> Iterator[tuple[str, str]]:
    """Signs that every document shares, and the functions of the network."""
    yield from (("I", "identity"), ("1", "ones"), ("s", "s"), ("S", "s"), ("f", "f"))
    yield from ((r"\phi", "f"), (r"\Delta", "delta"), ("softmax", "softmax"))
    for name, record in sorted(setting.network.functions.items()):
        yield _head(record.letter), name


def _head(latex: str) -> str:
    """The head under which the parser knows a symbol."""
    match read(latex):
        case [Statement(sides=(node,))]:
            parts = split(node)
            if parts is not None and not parts[1]:
                return parts[0].head
    raise UsageError(f"{latex} has scripts of its own: it is not read back as one letter")
