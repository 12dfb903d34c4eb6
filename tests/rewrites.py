r"""Right equations written in another way: one formula of a note changed, its meaning kept.

Owns: `rewrites`. Refuses: reading mathematics. A formula is cut at its relations, its top-level
operators and its brackets, as text, and put together again; nothing of the reader or the judge is
used, so that neither can agree with it by construction.

A rewriting must be right whatever the letters mean, or say for which notes it is.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.slips import NOTES, Formula, formulas

COUNT = 1000
SEED = 1812

Change = tuple[str, str]  # kind, text


def rewrites(count: int = COUNT, seed: int = SEED) -> Iterator[tuple[str, str, int, str]]:
    """(name of the note, its text with one formula rewritten, that formula's line, kind); line 0
    where letters are renamed throughout."""
    random_ = random.Random(seed)
    notes = sorted(p for p in NOTES.rglob("*") if p.suffix in (".md", ".tex"))
    piles = [_taking_turns(list(_of_note(note)), random_) for note in notes]
    given = 0
    while given < count and any(piles):
        for note, pile in zip(notes, piles, strict=True):
            if pile and given < count:
                text, line, kind = pile.pop(0)
                yield str(note.relative_to(NOTES)), text, line, kind
                given += 1


def _taking_turns(
    found: list[tuple[str, int, str]], random_: random.Random
) -> list[tuple[str, int, str]]:
    kinds: dict[str, list[tuple[str, int, str]]] = {}
    for one in found:
        kinds.setdefault(one[2], []).append(one)
    for pile in kinds.values():
        random_.shuffle(pile)
    turns = max(map(len, kinds.values()))
    return [pile[t] for t in range(turns) for pile in kinds.values() if t < len(pile)]


def _of_note(note: Path) -> Iterator[tuple[str, int, str]]:
    text = note.read_text(encoding="utf-8")
    seen = {text}
    for renamed, kind in _renamings(note.stem, text):
        yield renamed, 0, kind
    for formula in formulas(text):
        for kind, changed in _changes(note.stem, text, formula):
            whole = text[: formula.start] + changed + text[formula.end :]
            if whole not in seen:
                seen.add(whole)
                yield whole, formula.line, kind


def _changes(note: str, text: str, formula: Formula) -> Iterator[Change]:
    for pattern, template, kind, where in TOKENS:
        if re.search(where, note) and not re.search(_LEFT_ALONE, formula.text):
            yield from _each(pattern, template, kind, formula.text)
    if re.search(_UNCUT, formula.text):
        return
    sides = cut(formula.text, "=")
    if len(sides) < 2:
        return
    aligned = "&=" in formula.text
    for kind, new_sides in _side_changes(note, sides):
        yield kind, _joined(new_sides, aligned)
    if len(sides) > 2:
        yield "chain split", _split(sides, aligned, text, formula)


# ---- cutting

_LEFT_ALONE = r"\\equiv|:=|a\^1 = x|&= x$|cases|\\mathbf\{y\} = "
_UNCUT = _LEFT_ALONE + r"|\\q?quad|(?<!\\)&.*&.*\\pd|&(?!=)[^=]*&=|\\text\{"
_PIECE = re.compile(
    r"\\begin\{\w+\}|\\end\{\w+\}|\\left.|\\right.|\\\\|\\[a-zA-Z]+|\\.|.", re.DOTALL
)
_OPENING = {"{", "(", "["}
_CLOSING = {"}", ")", "]"}


def cut(text: str, *marks: str) -> list[str]:
    """The text cut where one of the marks stands outside of brackets and environments; the pieces
    after the first begin with their mark, but for `=`."""
    depth, pieces, now = 0, [], ""
    for token in _PIECE.findall(text):
        if token in _OPENING or token.startswith(("\\begin", "\\left")):
            depth += 1
        elif token in _CLOSING or token.startswith(("\\end", "\\right")):
            depth -= 1
        if depth == 0 and token in marks:
            pieces.append(now)
            now = "" if token == "=" else token
        elif depth == 0 and "=" in marks and token in ("&", "\\\\", "\n"):
            now += " "
        else:
            now += token
    return [" ".join(piece.split()) for piece in [*pieces, now]]


def _joined(sides: list[str], aligned: bool) -> str:
    first, *rest = sides
    return f"{first} {'&=' if aligned else '='} " + " = ".join(rest)


def _split(sides: list[str], aligned: bool, text: str, formula: Formula) -> str:
    """a = b = c as a = b and a = c, two formulas."""
    before = text[: formula.start]
    openings = {"$$": before.rfind("$$"), "\\[": before.rfind("\\["), "`": before.rfind("```math")}
    rows = max(before.rfind("\\begin{align"), before.rfind("\\begin{equation"))
    opened = max(openings, key=lambda key: openings[key])
    if aligned and rows > -1:
        between = " \\\\\n"
    elif rows > openings[opened]:
        between = "\n\\end{equation}\n\\begin{equation}\n"
    else:
        between = {"$$": "\n$$\n\n$$\n", "\\[": "\n\\]\n\n\\[\n", "`": "\n```\n\n```math\n"}[opened]
    halves = [_joined([sides[0], side], aligned) for side in sides[1:]]
    return between.join(halves)


# ---- changes of one side of an equation

_HAD = ("\\odot", "\\circ", "\\had", "*")
_INDICES = r"kronecker|chain_of|bishop"


def _side_changes(note: str, sides: list[str]) -> Iterator[tuple[str, list[str]]]:
    if len(sides) == 2:
        yield "sides exchanged", sides[::-1]
        turned = _transposed(note, sides)
        if turned:
            yield "both sides transposed", turned
        if len(sides[1]) < 30:
            yield "brought to one side", [f"{_bracketed(sides[0])} - {_bracketed(sides[1])}", "0"]
    if any("\\|" in side for side in sides):
        return
    for number, side in enumerate(sides[1:], start=1):
        for change in SIDE_CHANGES:
            for kind, new in change(note, side):
                yield kind, [*sides[:number], new, *sides[number + 1 :]]


def _bracketed(side: str) -> str:
    plain = len(cut(side, "+", "-")) == 1 and not side.startswith(("\\sum", "-"))
    return side if plain else f"\\left( {side} \\right)"


def _hadamard(note: str, side: str) -> Iterator[Change]:
    """a ⊙ b ⊙ c as b ⊙ c ⊙ a; a product among them gets brackets."""
    if len(cut(side, "+", "-")) > 1 or side.startswith("-"):
        return
    sign = next((mark for mark in _HAD if len(cut(side, mark)) > 1), "")
    if sign and sum(len(cut(side, mark)) > 1 for mark in _HAD) == 1:
        factors = [f.removeprefix(sign).strip() for f in cut(side, sign)]
        factors = [f if re.fullmatch(_ONE, f) else f"({f})" for f in factors]
        yield "Hadamard factors reordered", f" {sign} ".join([*factors[1:], factors[0]])


_ONE = r"\\?\w+\S*|\([^()]*(?:\([^()]*\)[^()]*)*\)|\\?[\w{}\\]+'?\([^()]*\)"


def _sum(note: str, side: str) -> Iterator[Change]:
    """a + b - c as b - c + a; a sum sign would bind what follows it."""
    terms = cut(side, "+", "-")
    if len(terms) < 2 or any("\\sum" in term for term in terms) or not terms[0]:
        return
    rest = " ".join(terms[1:])
    yield "sum reordered", f"{rest.removeprefix('+').strip()} + {terms[0]}"


def _negated(note: str, side: str) -> Iterator[Change]:
    """a - b as -(b - a)."""
    terms = cut(side, "+", "-")
    if len(terms) == 2 and terms[0] and terms[1].startswith("-") and "\\sum" not in side:
        yield "difference negated twice", f"-({terms[1][1:].strip()} - {terms[0]})"


def _wrapped(note: str, side: str) -> Iterator[Change]:
    if side != "0":
        yield "parentheses", f"\\left( {side} \\right)"
        yield "parentheses", f"\\bigl[ {side} \\bigr]"


_COUNT_FIRST = re.compile(r"(-?)\\d?frac\{([12])\}\{([mNn])\} (.+)")


def _count(note: str, side: str) -> Iterator[Change]:
    r"""\frac{1}{m} a as \frac{a}{m}, a / m, m^{-1} a and with the sum in front."""
    match = _COUNT_FIRST.fullmatch(side)
    if not match or len(cut(match.group(4), "+", "-")) > 1:
        return
    sign, one, count, rest = match.groups()
    times = "" if one == "1" else "2 "
    yield "1/m moved", f"{sign}\\frac{{{times}{rest}}}{{{count}}}"
    yield "1/m moved", f"{sign}{times}{count}^{{-1}} {rest}"
    total = re.match(r"(\\sum_\{\w=1\}\^\{?\w\}?) (.+)", rest)
    if total and len(cut(total.group(2), "+", "-")) == 1:
        yield "1/m moved", f"{sign}{total.group(1)} \\frac{{{one}}}{{{count}}} {total.group(2)}"
    if not total and len(cut(rest, *_HAD)) == 1:
        yield "1/m moved", f"{sign}{rest} \\cdot \\frac{{{one}}}{{{count}}}"


_SCALAR = r"(?:\\delta|[A-Za-z])(?:\^\{?[\w+\-()]+\}?)?_(?:\{\w+\}|\w)(?:\^\{[()\w]+\})?"


def _scalars(note: str, side: str) -> Iterator[Change]:
    """a_i b_j as b_j a_i."""
    match = re.fullmatch(rf"({_SCALAR}) ({_SCALAR})", side)
    if match and not re.search(r"jacobian|deep|right_to|stacked", note):
        yield "numbers exchanged", f"{match.group(2)} {match.group(1)}"
        yield "numbers exchanged", f"{match.group(2)} \\cdot {match.group(1)}"


_SIZES = {
    "kronecker_indices": {"i": 3, "j": 4, "k": 2},
    "bishop_letters": {"i": 4, "j": 3, "k": 2},
    "logistic_regression": {"j": 3},
}


def _expanded(note: str, side: str) -> Iterator[Change]:
    """A sum over few indices, at the end of its side, as its terms."""
    match = re.fullmatch(r"(.*?)\\sum_\{?([ijk])(?:=1\}\^\{?(\d)\}?|\}?) (.+)", side)
    if not match or re.search(r"\\sum|\\neq", match.group(1) + match.group(4)):
        return
    front, index, bound, rest = match.groups()
    size = int(bound or 0) or _SIZES.get(note, {}).get(index, 0)
    summand, *others = cut(rest, "+", "-")
    if not size or front.count("(") != front.count(")") or "\\delta_k" in summand:
        return
    terms = [_instance(summand, index, number) for number in range(1, size + 1)]
    total = " + ".join(terms)
    if front.strip():
        total = f"\\left( {total} \\right)"
    yield "sum expanded", " ".join([front + total, *others])


def _instance(term: str, index: str, number: int) -> str:
    return re.sub(
        r"_(?:\{(\w+)\}|(\w))",
        lambda m: "_{" + (m.group(1) or m.group(2)).replace(index, str(number)) + "}",
        term,
    )


SIDE_CHANGES: tuple[Callable[[str, str], Iterator[Change]], ...] = (
    _hadamard,
    _sum,
    _negated,
    _wrapped,
    _count,
    _scalars,
    _expanded,
)


# ---- both sides transposed

_T = r"\^T|\^\\top|\\trans|\\tr(?![a-z])"
_FACTOR = (
    r"\\(?:Delta|delta)(?:\^\{[^{}]*\}|_\d)"
    r"|\([^()]*(?:\([^()]*\)[^()]*)*\)|[A-Z](?:_\d|\^\{[^{}]*\})?"
)


def _transposed(note: str, sides: list[str]) -> list[str] | None:
    """X = Aᵀ B as Xᵀ = Bᵀ A."""
    match = re.fullmatch(rf"({_FACTOR}|x)({_T}) ({_FACTOR})", sides[1])
    if not match or re.search(r"_\{\w\w\}|\\nabla", sides[0]):
        return None
    first, sign, second = match.groups()
    left = f"\\left( {sides[0]} \\right){sign}"
    if re.fullmatch(r"\(\w\^\{[^{}]*\}\)", first):
        first = first[1:-1]
    second = second if second.startswith("(") else f"({second})"
    return [left, f"{second}{sign} {first}"]


# ---- changes of tokens anywhere in a formula: pattern, template, kind, notes

_ELEMENT = r"(?:_\w|_\{\w\}|\^\w_\w|_i\^\{\(\d\)\}|_j\^\{\(\d\)\})"
TOKENS: tuple[tuple[str, str, str, str], ...] = (
    # σ'
    (r"\\sigma'\((z\^l_j|z\^L_j)\)", r"\\sigma(\1) (1 - \\sigma(\1))", "σ'", "four"),
    (r"(?<=odot )\\sigma'\(z\^(\w)\)", r"a^\1 \\odot (1 - a^\1)", "σ'", "four"),
    (r"(?<=odot )\\sigma'\(z\^(\w)\)", r"\\sigma(z^\1) \\odot (1 - \\sigma(z^\1))", "σ'", "four"),
    (r"f'\((z_\w\^\{\(\d\)\})\)", r"f(\1) (1 - f(\1))", "σ'", "counted"),
    (r"(?<=odot )f'\(z(\^\{\(\d\)\})\)", r"a\1 \\odot (1 - a\1)", "σ'", "counted"),
    (r"(?<=odot )\\sigma'\(Z_1\)", r"H_1 \\odot (1 - H_1)", "σ'", "right_to"),
    (r"(?<=circ )\\sigma'\(S_(\d)\)", r"H_\1 \\circ (1 - H_\1)", "σ'", "stacked"),
    (r"(?<=circ )\\sigma'\(S_(\d)\)", r"\\sigma(S_\1) \\circ (1 - \\sigma(S_\1))", "σ'", "stacked"),
    (r"g'\(a_j\)", r"(1 - z_j^2)", "tanh'", "bishop"),
    (r"g'\(a_j\)", r"(1 - \\tanh^2(a_j))", "tanh'", "bishop"),
    (r"\(1 - z_j\^2\)", r"g'(a_j)", "tanh'", "bishop"),
    (r"1 - h\^\{\(1\)\} \\circ h\^\{\(1\)\}", r"1 - \\tanh^2(z^{(1)})", "tanh'", "tanh_"),
    (r"\(1 - H\^\{\(1\)\} \\circ H\^\{\(1\)\}\)", r"\\tanh'(Z^{(1)})", "tanh'", "tanh_"),
    (r"1 - A\^\{\[1\]\} \* A\^\{\[1\]\}", r"1 - \\tanh^2(Z^{[1]})", "tanh'", "shallow"),
    (r"1 - \(a\^\{\[1\]\}\)\^2", r"1 - a^{[1]} * a^{[1]}", "tanh'", "shallow"),
    (r"\(1 - a_(\d)\^2\)", r"(1 - a_\1)(1 + a_\1)", "tanh'", "chain_of"),
    (r"\(1 - a_(\d)\^2\)", r"(1 - \\tanh^2(z_\1))", "tanh'", "chain_of"),
    (r"1 - u(\^\{\(\d\)\}) \\odot u\^\{\(\d\)\}", r"1 - \\tanh^2(z\1)", "tanh'", "jacobian"),
    (r"h\^1_(\d) \(1 - h\^1_\1\)", r"\\sigma(z^1_\1) (1 - \\sigma(z^1_\1))", "σ'", "every"),
    (r"h\^1_(\d) \(1 - h\^1_\1\)", r"\\sigma'(z^1_\1)", "σ'", "every"),
    (r"h_j \(1 - h_j\)", r"(h_j - h_j^2)", "σ'", "kron"),
    (r"h_j \(1 - h_j\)", r"\\sigma'(s_j)", "σ'", "kron"),
    (r"\\hat\{y\} \(1 - \\hat\{y\}\)", r"(\\hat{y} - \\hat{y}^2)", "σ'", "logistic"),
    (r"\\sigma\(z\) \(1 - \\sigma\(z\)\)", r"\\sigma(z) \\sigma(-z)", "σ'", "logistic"),
    # an error put in
    (r"(?<=[=( ] )\\delta\^\{\(2\)\}(?= \()", r"(p - y)", "error inserted", "tanh_"),
    (r"(?<=\)\^T )\\delta\^\{\(2\)\}", r"(p - y)", "error inserted", "tanh_"),
    (r"(?<=\)\^T |\}\^T )\\Delta\^\{\(2\)\}", r"(P - Y)", "error inserted", "tanh_"),
    (r"(?<=W_4\^T )\\delta_4", r"(\\hat{\\vect{y}} - \\vect{y})", "error inserted", "deep"),
    (r"(?<=T\} )dz\^\{\[2\]\}", r"(a^{[2]} - y)", "error inserted", "shallow"),
    (r"(?<=T\} |m\} )dZ\^\{\[2\]\}", r"(A^{[2]} - Y)", "error inserted", "shallow"),
    (r"(?<=tr )G_3(?= =|$)", r"\\frac{2}{n} (F - T)", "error inserted", "stacked"),
    # differences
    (r"(?<=\()(\\hat\{?[yY]\}?|p|q) - ([yY])(?=\))", r"-(\2 - \1)", "difference negated twice", ""),
    (
        r"(?<=\()(a\^L|o_\w|y_k|z_3|F) - ([ytT](?:_\w)?)(?=\))",
        r"-(\2 - \1)",
        "difference negated twice",
        "",
    ),
    (r"(?<=\()(\\hat\{y\}_\w) - (y_\w)(?=\))", r"-\2 + \1", "sum reordered", ""),
    (r"(?<=\()(\\hat\{?[yY]\}?|p|q|a\^L|F) - ([yYT])(?=\))", r"-\2 + \1", "sum reordered", ""),
    (
        r"\(1 - ((?:[a-zA-Z]|\\hat\{y\})(?:[^\s()]|\([^()]*\))*)\)",
        r"(-\1 + 1)",
        "sum reordered",
        "",
    ),
    # notation
    (r"\\frac\{1\}\{2\}", r"\\frac12", "notation", ""),
    (r"\\frac\{1\}\{2\}", r"0.5", "notation", ""),
    (r"\\frac\{1\}\{([mN])\}", r"\\tfrac{1}{\1}", "notation", ""),
    (r"\\frac\{1\}\{([mN])\}", r"\\frac1\1", "notation", ""),
    (r"\\frac(?=\{\\partial)", r"\\dfrac", "notation", ""),
    (
        r"^\\dfrac\{\\partial (\\?\w+)\}\{\\partial (\w+)\}(?= =)",
        r"\\partial \1 / \\partial \2",
        "notation",
        "",
    ),
    (
        r"^\\frac\{\\partial (\w+)\}\{\\partial ([^{}]*(?:\{\w*\})?)\}(?= =)",
        r"\\partial \1 / \\partial \2",
        "notation",
        "",
    ),
    (r"\^T(?!\w)", r"^\\top", "notation", ""),
    (r"\^T(?!\w)", r"^{\\mathrm{T}}", "notation", ""),
    (r"\^\\top", r"^T", "notation", ""),
    (r"\\odot", r"\\circ", "notation", "four|counted|right_to|jacobian"),
    (r"\\circ", r"\\odot", "notation", "tanh_|every|stacked"),
    (r"\\log", r"\\ln", "notation", ""),
    (r"\\exp\(([^()]*)\)", r"e^{\1}", "notation", ""),
    (r"e\^\{(z\^\{\(2\)\}_\w)\}", r"\\exp(\1)", "notation", ""),
    (r"\\operatorname\{diag\}", r"\\mathrm{diag}", "notation", ""),
    (r"\\sum_([ijkn])(?= )", r"\\sum_{\1}", "notation", ""),
    (r"\\sum_\{(\w)=1\}\^\{?([mN])\}?", r"\\sum\\limits_{\1=1}^{\2}", "notation", ""),
    # brackets, dots, spaces
    (r"(?<![a-zA-Z{}'\\\^_])\(([^()&]+ [^()&]+)\)(?!')", r"\\left(\1\\right)", "brackets", ""),
    (r"(?<![a-zA-Z{}'\\\^_])\(([^()&]+ [^()&]+)\)(?!')", r"\\big(\1\\big)", "brackets", ""),
    (r"(?<=\}\}) (?=\\d?frac\{\\partial)", r" \\cdot ", "dot", ""),
    (r"(?<=\)) (?=[wxVW\\h(])(?!\\[a-zU-Z])", r" \\cdot ", "dot", _INDICES),
    (r" = ", r" \\;=\\; ", "space", ""),
    (r" = ", "\n= ", "space", "four|tanh_|every|counted|kron"),
    (r" ([+-]) ", r"\1", "space", ""),
    (r"(?<=\)) (?=\\?\w)", r" \\, ", "space", ""),
    (r"(?<=\)) (?=\()", "", "space", ""),
)


def _each(pattern: str, template: str, kind: str, text: str) -> Iterator[Change]:
    for match in re.finditer(pattern, text):
        yield kind, text[: match.start()] + match.expand(template) + text[match.end() :]


# ---- other letters for the same things

_LETTERS: dict[str, tuple[tuple[tuple[str, str], ...], ...]] = {
    "four_equations": ((("C", "E"),), (("\\delta", "\\varepsilon"),), (("w", "W"), ("a", "h"))),
    "shallow_columns": (
        (("J", "C"),),
        (("a", "h"), ("A", "H"), ("da", "dh")),
        (("W", "M"), ("dW", "dM")),
    ),
    "logistic_regression": ((("w", "\\theta"),), (("J", "C"),), (("\\hat{y}", "p"),)),
    "tanh_softmax_rows": ((("E", "L"),), (("h", "a"), ("H", "A")), (("p", "q"), ("P", "Q"))),
    "relu_letters": ((("L", "J"),), (("V", "U"),), (("H", "Z"),), (("O", "S"),)),
    "kronecker_indices": ((("E", "C"),), (("h", "z"),), (("o", "y"),), (("W", "A"), ("V", "B"))),
    "deep_relu": ((("\\Loss", "\\mathcal{E}"),), (("\\delta", "\\epsilon"),), (("W", "A"),)),
    "softmax_regression": ((("H", "L"),), (("q", "p"),), (("s", "z"),), (("J", "E"),)),
    "counted_from_two": ((("J", "C"),), (("\\delta", "\\epsilon"),), (("W", "\\Theta"),)),
    "every_entry": ((("L", "E"),), (("h", "a"), ("\\mathbf{h}", "\\mathbf{a}"))),
    "chain_of_numbers": ((("dC", "dE"), ("C", "E")), (("a", "h"), ("da", "dh"))),
    "jacobian_products": ((("u", "h"),), (("\\ell", "L"),)),
    "right_to_left": ((("h", "a"), ("H", "A")), (("\\ell", "\\mathcal{L}"),), (("J", "C"),)),
    "bishop_letters": ((("E", "C"),), (("\\delta", "\\epsilon"),)),
    "stacked_rows": ((("G", "D"),), (("S", "Z"),), (("T", "Y"),)),
}
_MATH = re.compile(
    r"(?<!\\)\$\$.+?\$\$|(?<!\\)\$[^$]+\$|\\\[.+?\\\]|^```math.+?^```"
    r"|\\begin\{(equation|align)\*?\}.+?\\end\{\1\*?\}",
    re.DOTALL | re.MULTILINE,
)


def _renamings(note: str, text: str) -> Iterator[tuple[str, str]]:
    for pairs in _LETTERS.get(note, ()):
        yield _renamed(text, pairs), "letters"


def _renamed(text: str, pairs: tuple[tuple[str, str], ...]) -> str:
    pieces, end = [], 0
    for match in _MATH.finditer(text):
        math = match.group()
        for old, new in pairs:
            math = new.join(re.split(_whole(old), math))
        pieces += [text[end : match.start()], math]
        end = match.end()
    return "".join([*pieces, text[end:]])


def _whole(letter: str) -> str:
    """The letter where it is not part of a longer name, nor the sign of a transpose."""
    begins = r"(?<![A-Za-z\\])" if letter[0] != "\\" else ""
    ends = r"(?![A-Za-z])" if letter[-1].isalnum() else ""
    return begins + (r"(?<!\^)" if letter == "T" else "") + re.escape(letter) + ends
