r"""Conventions of writing, as one record that every printer obeys.

Owns: `Notation` (what a sample is, how a layer is marked, how δ is numbered, which letter
stands for which tensor), the marks of layers, and the closed grammar of symbols. Refuses: printing
equations. Wrong if `parse_symbol` lets through anything that LaTeX or HTML could run or mistake:

    symbol = atom+ script*            scripts at most once each
    atom   = letter | digit | Greek | accent argument | font argument
    script = ("_" | "^") argument
    argument = atom | "{" symbol "}"
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal, get_args

from symbackprop.errors import SymbolError, UsageError, did_you_mean

SampleLayout = Literal["rows", "columns"]
DeltaNumbering = Literal["by_layer", "from_output"]

SAMPLE_LAYOUTS: tuple[SampleLayout, ...] = get_args(SampleLayout)
DELTA_NUMBERINGS: tuple[DeltaNumbering, ...] = get_args(DeltaNumbering)


@dataclass(frozen=True)
class LayerMark:
    r"""A way to mark a layer: all that printing, reading, typing and naming it need.

    `word` is what files and the command line say, l standing for the layer. The number is printed
    at `place`, between `opening` and `closing`; a script found there, between the same signs, is
    read as a layer. The signs are two commands or characters that mean nothing else there (not
    `<`), as the reader spells them (`[`, not `\lbrack`), or both empty. `sentence` tells the reader
    of a document what the mark is.
    """

    word: str
    place: Literal["above", "below"]
    sentence: str
    opening: str = ""
    closing: str = ""

    def around(self, layer: str | int) -> str:
        """What stands inside the script: 3, (3) or [3]."""
        return _joined(_joined(self.opening, f"{layer}"), self.closing)

    @property
    def sign(self) -> str:
        return "^" if self.place == "above" else "_"

    @property
    def frame(self) -> tuple[str, str]:
        """Where it stands and what opens it: by this a script is known as a mark."""
        return self.place, self.opening

    @property
    def looks_like_power(self) -> bool:
        return self.frame == ("above", "")

    @property
    def looks_like_index(self) -> bool:
        return self.frame == ("below", "")

    @property
    def looks_like_sample(self) -> bool:
        return self.opening == "("


# Whoever needs marks looks here when it needs them, so a mark that is added is known everywhere.
LAYER_MARKS: dict[str, LayerMark] = {
    mark.word: mark
    for mark in (
        LayerMark(
            "^l", "above", "A number above a letter is the number of its layer, not a power."
        ),
        LayerMark("_l", "below", "The first number below a letter is the number of its layer."),
        LayerMark(
            "^(l)",
            "above",
            "A number in parentheses above a letter is the number of its layer, not a power.",
            *"()",
        ),
        LayerMark(
            "^[l]",
            "above",
            "A number in square brackets above a letter is the number of its layer, not a power.",
            *"[]",
        ),
    )
}

DEFAULT_SYMBOLS: Mapping[str, str] = MappingProxyType(
    {
        "x": "x",
        "y": "y",
        "W": "W",
        "b": "b",
        "z": "z",
        "h": "h",
        "yhat": r"\hat{y}",
        "L": "L",
        "delta": r"\delta",
        "N": "N",
    }
)


@dataclass(frozen=True)
class Notation:
    """How a document writes a network; `symbols` pairs a tensor letter with its LaTeX.

    Raises: UsageError for a word outside its closed list, SymbolError for a bad symbol.

    >>> Notation(symbols=(("h", "a"),), layer="^[l]").layered("a", 2)
    'a^{[2]}'
    """

    samples: SampleLayout = "rows"
    layer: str = "^l"  # a word of LAYER_MARKS
    delta: DeltaNumbering = "by_layer"
    symbols: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        _require_word("samples", self.samples, SAMPLE_LAYOUTS)
        _require_word("layer", self.layer, tuple(LAYER_MARKS))
        _require_word("delta", self.delta, DELTA_NUMBERINGS)
        for letter, _ in self.symbols:
            _require_word("symbols", letter, tuple(DEFAULT_SYMBOLS))
        parsed = tuple((letter, parse_symbol(text)) for letter, text in self.symbols)
        object.__setattr__(self, "symbols", parsed)

    @property
    def layer_mark(self) -> LayerMark:
        return LAYER_MARKS[self.layer]

    def symbol(self, letter: str, default: str | None = None) -> str:
        """The LaTeX of a tensor letter: as renamed, else `default`, else the usual letter."""
        usual = DEFAULT_SYMBOLS.get(letter, letter) if default is None else default
        return dict(self.symbols).get(letter, usual)

    def layered(self, letter_latex: str, layer: str | int) -> str:
        """A symbol with its layer mark: W^{3}, W_{3}, W^{(3)} or W^{[3]}."""
        return scripted(letter_latex, **{self.layer_mark.place: self.layer_mark.around(layer)})

    def delta_number(self, layer: Any, depth: Any) -> Any:
        """The number δ carries at `layer` of `depth` layers, both counted from 1."""
        return delta_number(self.delta, layer, depth)


def delta_number(numbering: DeltaNumbering, layer: Any, depth: Any) -> Any:
    """The number of δ at a layer, or the layer of a δ with that number; whole numbers or symbols.

    >>> [delta_number("from_output", layer, 3) for layer in (1, 2, 3)]
    [3, 2, 1]
    """
    return layer if numbering == "by_layer" else depth + 1 - layer


def scripted(base: str, *, below: str = "", above: str = "") -> str:
    """`base` with scripts; braces keep LaTeX from meeting two scripts of one kind.

    >>> scripted("W", below="ij", above="3")
    'W_{ij}^{3}'
    >>> scripted("W_{h}", below="ij")
    '{W_{h}}_{ij}'
    """
    has_below, has_above = _outer_scripts(base)
    if (below and has_below) or (above and has_above):
        base = f"{{{base}}}"
    return base + (f"_{{{below}}}" if below else "") + (f"^{{{above}}}" if above else "")


_LATIN = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")
_DIGITS = frozenset("0123456789")
_GREEK_NAMES = tuple(
    "alpha beta gamma delta epsilon varepsilon zeta eta theta vartheta iota kappa lambda mu nu "
    "xi pi varpi rho varrho sigma varsigma tau upsilon phi varphi chi psi omega "
    "Gamma Delta Theta Lambda Xi Pi Sigma Upsilon Phi Psi Omega ell".split()
)
_GREEK_LETTERS = dict(
    zip(
        "αβγδεζηθικλμνξπρστυφχψωΓΔΘΛΞΠΣΥΦΨΩςϵϑϕµ",
        (
            "alpha beta gamma delta varepsilon zeta eta theta iota kappa lambda mu nu xi pi rho "
            "sigma tau upsilon varphi chi psi omega Gamma Delta Theta Lambda Xi Pi Sigma Upsilon "
            "Phi Psi Omega varsigma epsilon vartheta phi mu"
        ).split(),
        strict=True,
    )
)
_ACCENTS = (
    "hat widehat tilde widetilde bar overline underline dot ddot vec check breve acute grave"
).split()
_FONTS = "mathbf mathrm mathit mathsf mathtt boldsymbol".split()
# These fonts lack accents, digits or lower case: LaTeX prints a wrong glyph without an error.
_LETTER_FONTS = {"mathfrak": "Latin letters", "mathcal": "capitals", "mathbb": "capitals"}
_COMMANDS = (*_GREEK_NAMES, *_ACCENTS, *_FONTS, *_LETTER_FONTS)

_LONGEST_SYMBOL = 64
_DEEPEST_SYMBOL = 6


def parse_symbol(text: str) -> str:
    r"""Read one symbol of the closed list and return it as canonical LaTeX.

    Raises: SymbolError (a ValueError) with the column, counted from 1, and the reason.

    >>> parse_symbol(r"\hat y_1"), parse_symbol("δ")
    ('\\hat{y}_{1}', '\\delta')
    """
    if not text:
        raise SymbolError(1, "the symbol is empty")
    if len(text) > _LONGEST_SYMBOL:
        raise SymbolError(_LONGEST_SYMBOL + 1, f"longer than {_LONGEST_SYMBOL} characters")
    if text[0] in _DIGITS:
        raise SymbolError(1, "a symbol begins with a letter, or it would read as a number")
    parser = _SymbolParser(text)
    latex = parser.symbol(depth=0)
    if parser.at < len(text):
        raise parser.unexpected()
    if len(latex) > _LONGEST_SYMBOL:  # so that reading the result again succeeds
        raise SymbolError(1, f"longer than {_LONGEST_SYMBOL} characters as LaTeX")
    return latex


class _SymbolParser:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0

    def symbol(self, depth: int) -> str:
        if depth > _DEEPEST_SYMBOL:
            raise SymbolError(self.at + 1, f"nested deeper than {_DEEPEST_SYMBOL} levels")
        latex = self.atom(depth)
        while self._starts_atom():
            latex = _joined(latex, self.atom(depth))
        return latex + self.scripts(depth)

    def scripts(self, depth: int) -> str:
        found: dict[str, str] = {}
        while (mark := self._peek()) in ("_", "^"):
            if mark in found:
                raise SymbolError(self.at + 1, f"a second `{mark}`")
            self.at += 1
            found[mark] = self.argument(depth)
        return "".join(f"{mark}{{{found[mark]}}}" for mark in "_^" if mark in found)

    def atom(self, depth: int) -> str:
        character = self._peek()
        if character in _LATIN or character in _DIGITS:
            self.at += 1
            return character
        if character in _GREEK_LETTERS:
            self.at += 1
            return f"\\{_GREEK_LETTERS[character]}"
        if character == "\\":
            return self.command(depth)
        raise self.unexpected()

    def command(self, depth: int) -> str:
        start = self.at
        match = re.compile(r"\\([A-Za-z]*)").match(self.text, start)
        assert match is not None
        name = match.group(1)
        if name not in _COMMANDS:
            hint = did_you_mean(name, _COMMANDS)
            reason = f"`\\{name}` is not in the list of symbols"
            raise SymbolError(start + 1, f"{reason}; {hint}" if hint else reason)
        self.at = match.end()
        while self._peek() == " ":
            self.at += 1
        if name in _GREEK_NAMES:
            return f"\\{name}"
        begins = self.at
        argument = self.argument(depth)
        if name in _LETTER_FONTS and not _suits(name, argument):
            raise SymbolError(begins + 1, f"`\\{name}` holds {_LETTER_FONTS[name]} only")
        return f"\\{name}{{{argument}}}"

    def argument(self, depth: int) -> str:
        if self._peek() != "{":
            if depth >= _DEEPEST_SYMBOL:
                raise SymbolError(self.at + 1, f"nested deeper than {_DEEPEST_SYMBOL} levels")
            return self.atom(depth + 1)
        opened = self.at
        self.at += 1
        latex = self.symbol(depth + 1)
        if self._peek() != "}":
            raise (
                self.unexpected()
                if self._peek()
                else SymbolError(opened + 1, "a brace is never closed")
            )
        self.at += 1
        return latex

    def unexpected(self) -> SymbolError:
        character = self._peek()
        if not character:
            return SymbolError(self.at + 1, "the symbol ends too early")
        return SymbolError(
            self.at + 1,
            f"{character!r} is not in the list of symbols (letters, digits, Greek, accents, "
            "fonts, scripts)",
        )

    def _peek(self) -> str:
        return self.text[self.at : self.at + 1]

    def _starts_atom(self) -> bool:
        character = self._peek()
        return bool(character) and (
            character == "\\"
            or character in _LATIN
            or character in _DIGITS
            or character in _GREEK_LETTERS
        )


def _joined(left: str, right: str) -> str:
    space = " " if re.search(r"\\[A-Za-z]+$", left) and right[:1] in _LATIN else ""
    return f"{left}{space}{right}"


def _suits(font: str, argument: str) -> bool:
    letters = frozenset(argument)
    return letters <= _LATIN and (font == "mathfrak" or argument.isupper())


def _outer_scripts(latex: str) -> tuple[bool, bool]:
    depth, outer = 0, ""
    for character in latex:
        depth += (character == "{") - (character == "}")
        outer += character if depth == 0 else ""
    return "_" in outer, "^" in outer


def _require_word(field: str, word: str, words: tuple[str, ...]) -> None:
    if word not in words:
        hint = did_you_mean(str(word), words)
        raise UsageError(
            f"notation: {field}: found {word!r}, expected one of {', '.join(words)}"
            + (f"; {hint}" if hint else "")
        )
