r"""Slips made in the text of right notes: one edit of one formula each, with a name for its kind.

Owns: finding display formulas in a note, `RULES`, `candidates`, and the choice of 400 of them that
`tests/data/slips.toml` keeps (`python -m tests.slips` writes it again, byte for byte).
Refuses: reading mathematics. An edit is made by regular expressions on LaTeX, and nothing of the
reader or the judge is used here, so that neither can agree with it by construction.

An edit could leave an equation true: (y − a)² = (a − y)², relu′(z) = relu′(relu(z)), δ_ja h_j =
δ_ja h_a, the order of numbers. Rules carry what excludes them; the chosen ones were read one by
one, and `STILL_TRUE` names those that were found to change nothing.
"""

from __future__ import annotations

import random
import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tests.places import DATA

NOTES = DATA / "notes"
CHOSEN = DATA / "slips.toml"
COUNT = 400
SEED = 1847


@dataclass(frozen=True)
class Formula:
    """A claim as it stands in a file: its first line, from 1, its text, its offsets there."""

    line: int
    text: str
    start: int
    end: int


@dataclass(frozen=True)
class Slip:
    """`original` at `line` of `note` (its path below the notes) became `slipped`."""

    note: str
    line: int
    original: str
    slipped: str
    kind: str


@dataclass(frozen=True)
class Rule:
    """Each match of `pattern` gives one edit of `kind`; none in formulas that match `unless`.

    `replacement` is a template of `Match.expand`. `notes` restricts to those whose name matches.
    """

    kind: str
    pattern: str
    replacement: str
    unless: str = ""
    notes: str = ""


# The judge's names that fit a kind of edit.
SLUGS: dict[str, tuple[str, ...]] = {
    "transpose dropped": ("transpose",),
    "transpose added": ("transpose",),
    "factors swapped": ("order",),
    "layer": ("layer",),
    "prime dropped": ("derivative-missing",),
    "derivative dropped": ("derivative-missing",),
    "derivative doubled": ("derivative-twice",),
    "argument of f'": ("derivative-argument",),
    "sign": ("sign",),
    "1/m dropped": ("sample-count",),
    "1/m doubled": ("sample-count",),
    "sum over samples dropped": ("batch-sum",),
    "sum dropped": ("index",),
    "sum's index": ("index",),
    "bound": ("index",),
    "index": ("index",),
    "factor dropped": ("upstream-missing",),
    "term dropped": ("path-missing",),
    "letter": ("wrong-variable",),
    "hat dropped": ("wrong-variable",),
    "matrix product for Hadamard": ("operator",),
    "Hadamard for matrix product": ("operator",),
    "constant": ("constant",),
    "power dropped": ("constant",),
    "entries swapped": ("size", "index"),
}


# ---- finding formulas


def formulas(text: str) -> list[Formula]:
    """The display formulas of a note in order; a row of an alignment is one, together with the
    rows that continue it."""
    found: list[Formula] = []
    for match in _BLOCK.finditer(text):
        group = next((g for g in ("dollars", "brackets", "math", "body") if match.group(g)), "")
        if not group:
            continue
        start, end = match.span(group)
        inner = _INNER.fullmatch(text, start, end)
        if inner:
            start, end = inner.span("rows")
        found.extend(_rows(text, start, end))
    return found


_BLOCK = re.compile(
    r"^```math\n(?P<math>.+?)^```"
    r"|^```.*?^```"
    r"|^%[^\n]*"
    r"|\$\$(?P<dollars>.+?)\$\$"
    r"|(?<!\\)\\\[(?P<brackets>.+?)\\\]"
    r"|\\begin\{(?P<name>equation|align|gather)(?P<star>\*?)\}(?P<body>.+?)\\end\{(?P=name)\*?\}",
    re.DOTALL | re.MULTILINE,
)
_INNER = re.compile(
    r"\s*\\begin\{(aligned|align|gathered)\}(?P<rows>.*)\\end\{\1\}\s*[.,;]?\s*", re.DOTALL
)
_BREAK = re.compile(r"\\begin\b|\\end\b|\\\\(?:\[[^\]]*\])?")


def _rows(text: str, start: int, end: int) -> list[Formula]:
    spans: list[tuple[int, int]] = []
    for low, high in _row_spans(text, start, end):
        before_relation = text[low:high].split("=", 1)[0].strip(" \t\n&")
        if spans and not before_relation:
            spans[-1] = (spans[-1][0], high)
        elif text[low:high].strip():
            spans.append((low, high))
    return [_trimmed(text, low, high) for low, high in spans]


def _row_spans(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    depth, low = 0, start
    for token in _BREAK.finditer(text, start, end):
        if token.group() in ("\\begin", "\\end"):
            depth += 1 if token.group() == "\\begin" else -1
        elif depth == 0:
            yield low, token.start()
            low = token.end()
    yield low, end


def _trimmed(text: str, low: int, high: int) -> Formula:
    while text[low].isspace() or text[low] == "&":
        low += 1
    while text[high - 1].isspace() or text[high - 1] in ".,":
        high -= 1
    return Formula(text.count("\n", 0, low) + 1, text[low:high], low, high)


# ---- edits by rule

_T = r"(?:\^T|\^\\top|\\trans|\\tr(?![a-z])|\^\{\(T\)\})"
_PAREN = r"\([^()]*(?:\([^()]*\)[^()]*)*\)"
_MARK = r"(?:[_^](?:\{[^{}]*\}|\w))*"
_ATOM = rf"(?:\\(?:delta|Delta|vect\{{\w\}}|mathbf\{{\w\}})|[A-Za-z]){_MARK}"
_HAD = r"(?:\\odot|\\circ|\\had|\*)"
_ONE_SAMPLE = r"shallow|chain_of"

RULES: tuple[Rule, ...] = (
    # transposes
    Rule("transpose dropped", _T, "", unless=r"\\Loss = -|\\ell = \\tfrac"),
    Rule("transpose dropped", r"(\[\d\](?:\(i\))?)T\}", r"\1}"),
    Rule("transpose added", r"\b(W\^\{(?:\(\d\)|\[\d\])\})(?= [xXah\\(A])", r"(\1)^T"),
    Rule("transpose added", r"(?<=[= ])W(?= [xX])|(?<=H )V(?= \+)", r"\g<0>^T"),
    Rule("transpose added", r"\b(W_[1-4])(?= (?:\\vect|[HXhx]))", r"\1^T"),
    Rule("transpose added", r"(\\delta\^\{\(\d\)\}|\\Delta\^\{\(\d\)\}|G_\d)$", r"(\1)^T"),
    Rule("transpose added", r"(w\^l|W\^1)(?= (?:a|\\mathbf\{x\}))", r"(\1)^T"),
    # order
    Rule(
        "factors swapped",
        rf"((?:{_ATOM}|{_PAREN}){_T}) (\\delta{_MARK}|\\Delta{_MARK}|{_PAREN}|G_\d)(?=$| \+)",
        r"\2 \1",
        notes=r"^(?!shallow)",
        unless=r"\\Loss = -|\\ell = \\tfrac|\\log",
    ),
    Rule("factors swapped", r"(\\delta_\d|dZ\^\{\[\d\]\}|\(q - y\)) (\S+T\}?)$", r"\2 \1"),
    Rule("factors swapped", r"(?<=[= ])(W\^\{(?:\(\d\)|\[\d\])\}) (\w\^\S+|X|x) \+", r"\2 \1 +"),
    Rule("factors swapped", r"(?<== )(\w\^\{\(\d\)\}|X|x) (W\^\{\(\d\)\}) \+", r"\2 \1 +"),
    Rule("factors swapped", r"([XH]_?\d?) ([WV]_?\d?) \+", r"\2 \1 +", notes="relu_l|stacked"),
    Rule("factors swapped", r"(W_\d) (\\vect\{\w\}_?\d?|[HhXx]_?\d?) \+", r"\2 \1 +"),
    Rule(
        "factors swapped",
        r"(W\^\{\(\d\)\}) (\\operatorname\{diag\}\\left\(.*?\\right\))",
        r"\2 \1",
    ),
    Rule("factors swapped", r"(D_\d) (W_\d\^T)", r"\2 \1"),
    Rule("factors swapped", r"(\\J\{\\hat y\}\{u\^\{\(2\)\}\}) (\\J\{u\^\S+)", r"\2 \1"),
    # the derivative of the activation
    Rule("prime dropped", r"(\\sigma|\b[fg]|\\tanh|ReLU\})'", r"\1"),
    Rule("argument of f'", r"\\sigma'\(z", r"\\sigma'(a", notes="four"),
    Rule("argument of f'", r"\\sigma'\(Z_1", r"\\sigma'(H_1", notes="right_to"),
    Rule("argument of f'", r"\\sigma'\(S", r"\\sigma'(H", notes="stacked"),
    Rule("argument of f'", r"f'\(z", r"f'(a", notes="counted"),
    Rule("argument of f'", r"g'\(a_j\)", r"g'(z_j)", notes="bishop"),
    Rule("argument of f'", r"\\tanh\^2\(z", r"\\tanh^2(a", notes="shallow|chain_of"),
    Rule("argument of f'", r"\\tanh\^2\(z", r"\\tanh^2(h", notes="tanh_"),
    Rule("derivative dropped", rf" {_HAD} \(1 - [^()]*(?:\([^()]*\)[^()]*)*\)", "", "diag"),
    Rule("derivative dropped", rf" {_HAD} (?:\\sigma|\\mathrm\{{ReLU\}})'\([^()]*\)", ""),
    Rule("derivative dropped", r" \\odot (?:\\mathbb\{1\}\[A > 0\]|\\mathbf\{1\}\(Z_2 > 0\))", ""),
    Rule("derivative dropped", r" \\(?:odot|cdot) f'\((?:[^()]|\(\d\))*\)", ""),
    Rule("derivative dropped", r" \\sigma'\(z\^l_j\)$| f'\(z_i\^\{\(2\)\}\)$", ""),
    Rule("derivative dropped", r" \(1 - a_[12]\^2\)", ""),
    Rule("derivative dropped", r" h\^1_[13] \(1 - h\^1_[13]\)(?! *=)", "", unless="partial h"),
    Rule("derivative dropped", r"(?<== )h_j \(1 - h_j\) (?=\\)", "", unless="delta"),
    Rule("derivative dropped", r" a\^\{\[2\]\} \(1 - a\^\{\[2\]\}\)(?= =|$)", ""),
    Rule("derivative dropped", r"(?<== )D_1 |(?<== )\\operatorname\{diag\}\(\\sigma.*?\)\) ", ""),
    Rule("derivative doubled", rf" {_HAD} \\sigma'\([^()]*\)", r"\g<0>\g<0>"),
    Rule("derivative doubled", r" \\odot f'\((?:[^()]|\(\d\))*\)", r"\g<0>\g<0>"),
    Rule("derivative doubled", r" g'\(a_j\)", r"\g<0>\g<0>", notes="bishop"),
    Rule("derivative doubled", r" \(1 - a_[12]\^2\)", r"\g<0>\g<0>"),
    Rule("derivative doubled", rf" {_HAD} \(1 - (\w\S*) {_HAD} \1\)$", r"\g<0>\g<0>"),
    # signs
    Rule("sign", r"(?<=\()(\\hat\{?\\?[yY]\}?|p|q|\\sigma) - ([yY])\)", r"\2 - \1)"),
    Rule("sign", r"(?<=\()(\\hat\{?[yY]\}?_\{?\w+\}?) - ([yY]_\{?\w+\}?)\)", r"\2 - \1)"),
    Rule("sign", r"(?<=\()(a\^[L3]|F|o_\w|y_k|z_3) - ([ytT](?:_\w)?)\)(?!\^)", r"\2 - \1)", r"\|"),
    Rule("sign", r"= (\S+) - ([yY](?:_j)?)(?=$| \\\\)", r"= \2 - \1", notes="^(?!every)"),
    Rule("sign", r"1 - (?=\\tanh|\(?[hHaA]\b)", "1 + "),
    Rule("sign", r"= -(?=\\frac|\(y|y_|p_|\\sum|\\hat|\\log)", "= "),
    Rule("sign", r"= (?=\\delta|W|\(W|X\^|x\^|H\^|\\sum_k w|w\^|h\^1_|D_|G_|X\\tr)", "= -"),
    Rule("sign", r" \+ (?=\\frac\{1 - y|\(1 - y|\\frac\{y_2|y_2)", " - "),
    Rule("sign", r"\\sigma\(-z\)", r"\\sigma(z)"),
    Rule("sign", r"(?<=\})\s-\s(?=q q|q_j|p_j)", " + "),
    # the number of samples
    Rule("1/m dropped", r"\\d?frac\{1\}\{[mN]\} ?", "", unless=r"^J|^L =|^Loss|\\log|\\ln"),
    Rule("1/m dropped", r"\\frac\{2\}\{n\}", "2"),
    Rule("1/m doubled", r"\\(d?)frac\{1\}\{([mN])\}", r"\\\1frac{1}{\2^2}", unless=r"^J|^L ="),
    Rule("1/m doubled", r"\\frac\{2\}\{n\}", r"\\frac{2}{n^2}"),
    Rule(
        "1/m doubled",
        r"= (?=H\^\\top|\\sum_\{n=1\}|X\^\\top \\frac|(?:W_2\^T )?\\dfrac\{\\partial J)",
        r"= \\frac{1}{N} ",
        notes="relu_l|right_to",
    ),
    Rule(
        "1/m doubled", r"= (?=H_1\\tr G|X\\tr|G_\d\\tr|G_1 W)", r"= \\frac{1}{n} ", notes="stacked"
    ),
    Rule("sum over samples dropped", r"\\sum_\{[inr]=1\}\^\{?[mN]\}? ?", "", unless=r"^[JL]|^E ="),
    Rule("sum over samples dropped", r"\\mathbf\{1\}\^T (?=\\Delta)| \\mathbf\{1\}$| \\ones$", ""),
    Rule("sum over samples dropped", r"(?<== )\\sum_n ", ""),
    # sums
    Rule(
        "sum dropped",
        r"\\sum_(?:[ijk]|\{[ik]\}|\{[jk]=1\}\^\{?[K23]\}?) ",
        "",
        unless="delta_.[ja]",
    ),
    Rule("bound", r"\\sum_\{j=1\}\^\{3\}", r"\\sum_{j=1}^{2}"),
    Rule("bound", r"\\sum_\{j=1\}\^\{2\}", r"\\sum_{j=2}^{2}"),
    Rule("bound", r"\\sum_\{([jk])=1\}\^K", r"\\sum_{\1=2}^K"),
    Rule("bound", r"\\sum_\{([in])=1\}\^\{?([mN])\}?", r"\\sum_{\1=2}^{\2}", unless="^[JL]|^E ="),
    Rule("bound", r"\\sum_\{i \\neq j\}", r"\\sum_i"),
    # factors and terms
    Rule("factor dropped", r" (?:\\delta|\\Delta)(?:\^\{[^{}]*\}|_\{l\+1\}|_\d)(?=\$|\Z)", ""),
    Rule("factor dropped", r" (?:\\delta\^\{l\+1\}_k|\\delta_k|\\delta\^l_j|\\delta\^2_j)", ""),
    Rule("factor dropped", r"\\(?:d?frac)\{\\partial [LJE]\}\{\\partial [A-Z]\w?\} (?=[VW])", ""),
    Rule("factor dropped", r"(?<== )\\delta\^\{\(2\)\} |(?<== )\\Delta\^\{\(2\)\} ", ""),
    Rule("factor dropped", r"(?<== )\\frac\{dC\}\{dz_\d\} (?:\\cdot )?", ""),
    Rule("factor dropped", r" W_[234]\^T(?= D| \\delta| \(\\hat)| W\^\{\([23]\)\}(?= \\op)", ""),
    Rule("factor dropped", r"(?<= )w_[23] (?=\(1)|(?<= )x_[bj2]$|(?<=\)) a_1$", ""),
    Rule("factor dropped", r" V\^\\top| \(W\^\{\(2\)\}\)\^T(?= \\circ)| W_2\\tr", ""),
    Rule("factor dropped", r" \\frac\{\\partial z\^l_j\}\{\\partial w\^l_\{jk\}\}", ""),
    Rule("factor dropped", r" V_\{kj\}(?= \\delta|$)| W_\{ji\}$| \(\\hat\{y\} - y\)$", ""),
    Rule("factor dropped", r"(?<=\)) h\^1_\d(?=$| &)|(?<=\)) \(\\mathbf\{h\}\^1\)\^T", ""),
    Rule("term dropped", r" \+ b(?:\^\{?[^{} ]*\}?|_\w)*(?=$|,| =| \\r| \\e)", ""),
    Rule("term dropped", r" \+ \\vect\{b\}_\d| \+ \\ones b_\d\\tr| \+ \\(?:beta|gamma)_\w", ""),
    Rule("term dropped", r" \+ \\frac\{1 - y\}\{1 - \S+\}| \+ \(1 - y\) \S+(?= =)", ""),
    Rule("term dropped", r" \+ \\frac\{\\partial L\}\{\\partial \\hat\{y\}_2\} \\frac.*$", ""),
    Rule("term dropped", r" \+ \(\\hat\{y\}_2 - y_2\) w\^2_\{2\d\}| \+ y_2 \\hat\{y\}_1", ""),
    Rule("term dropped", r" - q q\^T| \+ p_j \\sum_\{i \\neq j\} y_i| - 2 y w_3 a_1", ""),
    Rule("term dropped", r" \+ w_3 x_3| \+ W_\{13\}\^\{\(1\)\} x_3| \+ w\^2_\{\d3\} h\^1_3", ""),
    # constants and powers
    Rule("constant", r"(?<== )2 ", "", notes="chain_of"),
    Rule("constant", r"(?<== )2 (?=\()", "4 ", notes="chain_of"),
    Rule("constant", r"\\frac\{2\}\{n\}", r"\\frac{1}{n}"),
    Rule("constant", r"(?<== )(?=\(a\^L - y|a\^L_j - y|o_[ka] - t|\(o_a|y_k - t)", "2 "),
    Rule(
        "constant",
        r"(?<== )(?=\(\\hat y - y\)\\trans W|\(\\hat y - y\) \(u|\\delta_3 \\vect)",
        "2 ",
    ),
    Rule(
        "constant",
        r"(?<== )(?=x\^T \\del|\\delta\^\{\(l\+1\)\} \(|h\^\{\(1\)\}_i)",
        r"\\frac{1}{2} ",
    ),
    Rule("constant", r"(?<== )(?=\(p|p - y$|a\^\{\[2\]\} - y$|q - y$)", "2 "),
    Rule("power dropped", r"(?<=[az]_[12j])\^2(?=[ )]|$)|(?<=\(h\^\{\(1\)\}_i\))\^2", ""),
    Rule("power dropped", r"\\tanh\^2", r"\\tanh"),
    Rule("power dropped", r"(?<=\(1 \+ e\^\{-z\}\))\^2|(?<=\\right\))\^2", ""),
    # products
    Rule(
        "matrix product for Hadamard", rf" {_HAD} (?=\\sigma'|\(1 - |\\math|f'|H_\d)", " ", "diag"
    ),
    Rule(  # an outer product of a column and a row is left out: broadcasting makes it the same
        "Hadamard for matrix product",
        rf"({_T}) (?=\\delta|\\Delta|\\frac|\(\\hat|G_)",
        r"\1 \\odot ",
        unless=r"x\^T \\|\(h\^\{\(1\)\}\)\^T|\\ell = ",
    ),
    Rule("Hadamard for matrix product", r"(dZ\^\{\[\d\]\}) (?=A|X)", r"\1 \\odot "),
    Rule("Hadamard for matrix product", r"(\\Delta\^\{\(2\)\}|G_[23]) (?=\(W|W)", r"\1 \\circ "),
    # letters
    Rule("hat dropped", r"\\hat\{?\\?([yY])\}?", r"\1", unless=r"^\\hat|softmax"),
    Rule("hat dropped", r"\\hat\{\\(vect|mathbf)\{y\}\}", r"\\\1{y}", unless="softmax"),
    Rule("letter", r"(?<== )a\^\{l-1\}_k", "z^{l-1}_k"),
    Rule("letter", r"\(a\^\{l-1\}\)|\(a\^\{\(l\)\}\)", "(z^{l-1})", notes="four"),
    Rule("letter", r"(?<== )a(?=_j\^\{\(l\)\} )|(?<=\()a(?=\^\{\(2\)\(i\))", "z", notes="counted"),
    Rule(
        "letter",
        r"\\frac\{\\partial C\}\{\\partial a\^L_j\}",
        r"\\frac{\\partial C}{\\partial z^L_j}",
    ),
    Rule("letter", r"a\^\{\[1\](?=T|\(i\)T)", r"z^{[1]", notes="shallow"),
    Rule("letter", r"A(?=\^\{\[1\]T\})", "Z", notes="shallow"),
    Rule("letter", r"\(a\^\{\[1\]\}\)\^2", "(z^{[1]})^2", notes="shallow"),
    Rule("letter", r"da\^\{\[1\]\}(?= \*)", "dz^{[1]}", notes="shallow"),
    Rule("letter", r"x_j(?=$|,| \\)", "w_j", notes="logistic"),
    Rule("letter", r"\\hat\{y\} \(1 - \\hat\{y\}\)$", r"z (1 - z)", notes="logistic"),
    Rule(
        "letter",
        r"\\partial \\mathcal\{L\}\}\{\\partial \\hat\{y\}\}",
        r"\\partial \\mathcal{L}}{\\partial z}",
        notes="logistic",
    ),
    Rule("letter", r"(?<=\()h(?=\^\{\(1\)\}\)\^T)|(?<=circ )h(?=\^)", "z", notes="tanh_"),
    Rule("letter", r"\(H\^\{\(1\)\}\)\^T", r"(Z^{(1)})^T", notes="tanh_"),
    Rule("letter", r"(?<== )H\^\\top", r"A^\\top", notes="relu_l"),
    Rule("letter", r"(?<== )X\^\\top", r"H^\\top", notes="relu_l"),
    Rule("letter", r"H V \+", "A V +", notes="relu_l"),
    Rule("letter", r" V\^\\top", r" W^\\top", notes="relu_l"),
    Rule("letter", r"H_\{nj\} (?=\\frac)", "A_{nj} ", notes="relu_l"),
    Rule("letter", r"\bh(?=_b$)|(?<=delta_\{jb\} )h(?=_j)", "s", notes="kron"),
    Rule("letter", r"(?<=partial )s_j(?=\} W_)", "h_j", notes="kron"),
    Rule("letter", r"\\vect\{a\}_(\d)\^T", r"\\vect{z}_\1^T", notes="deep"),
    Rule("letter", r"\\vect\{a\}_(\d)(?= \+)", r"\\vect{z}_\1", notes="deep"),
    Rule("letter", r"h_(\d)\^T", r"z_\1^T", notes="right_to"),
    Rule("letter", r"(?<=1 - )h_1", "z_1", notes="right_to"),
    Rule("letter", r"H_(\d)(?=\^T|\\tr)", r"Z_\1", notes="right_to"),
    Rule("letter", r"H_(\d)(?=\\tr)", r"S_\1", notes="stacked"),
    Rule("letter", r"\bz_j(?=$|\^2)", "a_j", notes="bishop"),
    Rule("letter", r"z_\{nj\}", "a_{nj}", notes="bishop"),
    Rule("letter", r" a_(\d)$", r" z_\1", notes="chain_of"),
    Rule("letter", r"(?<=1 - )a_(\d)\^2", r"z_\1^2", notes="chain_of"),
    Rule("letter", r" h\^1_(\d)(?=$| &| \\\\)", r" z^1_\1", notes="every"),
    Rule("letter", r"\(\\mathbf\{h\}\^1\)\^T", r"(\\mathbf{z}^1)^T", notes="every"),
    Rule("letter", r"u(?=\^\{\((\d)\)\}\)\\trans)", "z", notes="jacobian"),
    Rule("letter", r"(?<=1 - )u(?=\^)", "z", notes="jacobian"),
)


# ---- edits of marks and indices

_LAYERS: dict[str, tuple[str, int]] = {
    "four_equations": (r"(?<=[a-zL])\^(\d|l|\{l[+-]1\})", 3),
    "shallow_columns": (r"(?<=\[)(\d)(?=\])", 2),
    "tanh_softmax_rows": (r"(?<=\^\{\()(\d)(?=\)\})", 2),
    "counted_from_two": (r"(?<=\^\{\()(\d|l|l\+1)(?=\))", 3),
    "every_entry": (r"(?<=[a-zW}])\^(\d)", 2),
    "chain_of_numbers": (r"(?<=[abwz])_(\d)", 3),
    "deep_relu": (r"(?<=[a-zA-Z}])_(\d|l|\{l\+1\})", 4),
    "jacobian_products": (r"(?<=\^\{\()(\d)(?=\)\})", 3),
    "right_to_left": (r"(?<=[a-zA-Z])_(\d)", 3),
    "bishop_letters": (r"(?<=\^\{\()(\d)(?=\)\})", 2),
    "stacked_rows": (r"(?<=[A-Zb])_(\d)", 3),
}
_NEXT = {"l": "{l+1}", "{l+1}": "l", "{l-1}": "l", "l+1": "l"}


def _layer_edits(note: str, text: str) -> Iterator[tuple[str, str]]:
    if note not in _LAYERS:
        return
    pattern, top = _LAYERS[note]
    for match in re.finditer(pattern, text):
        mark = match.group(1)
        if mark.isdigit():
            others = [str(n) for n in (int(mark) - 1, int(mark) + 1) if 1 <= n <= top]
        else:
            others = [_NEXT[mark] if match.start(1) == match.start() + 1 else _bare(mark)]
        for other in others:
            yield "layer", text[: match.start(1)] + other + text[match.end(1) :]


def _bare(mark: str) -> str:
    return _NEXT[mark].strip("{}")


_INDEXED = "four|tanh_|relu_l|logistic|softmax_r|counted|bishop|kron"
_SUBSCRIPT = re.compile(r"(?<!\\sum)_(?:\{([a-z]{1,2})\}|([a-z])(?![a-z]))")
_COLLAPSING = re.compile(r"\\delta_\{[jk][ab]\}|\\sum_k \\frac\{\\partial C\}\{\\partial a\^L_k")


def _index_edits(note: str, text: str) -> Iterator[tuple[str, str]]:
    if not re.match(_INDEXED, note) or _COLLAPSING.search(text):
        return
    found = "".join(m.group(1) or m.group(2) for m in _SUBSCRIPT.finditer(text))
    letters = sorted(set(found) - {"n"})
    for match in _SUBSCRIPT.finditer(text):
        index = match.group(1) or match.group(2)
        head = text[: match.start()]
        if head.endswith((r"\delta", "l", "W,b")) and len(index) == 2:
            continue
        others = [index[::-1]] if len(index) == 2 else [c for c in letters if c not in index]
        for other in others:
            yield "index", f"{head}_{{{other}}}{text[match.end() :]}"


_ENTRY = re.compile(r"(?<=[}hzwbxy\d])_(?:\{(\d\d)\}|(\d))")


def _entry_edits(note: str, text: str) -> Iterator[tuple[str, str]]:
    if note != "every_entry":
        return
    for match in _ENTRY.finditer(text):
        index = match.group(1) or match.group(2)
        if len(index) == 2 and index[0] != index[1]:
            other = "{" + index[::-1] + "}"
        elif len(index) == 1:
            other = {"1": "2", "2": "1", "3": "2"}[index]
        else:
            continue
        yield "index", text[: match.start()] + f"_{other}" + text[match.end() :]


def _sum_edits(note: str, text: str) -> Iterator[tuple[str, str]]:
    if _COLLAPSING.search(text):
        return
    for match in re.finditer(r"(?<=\\sum_)([ijk])(?= )", text):
        found = "".join(m.group(1) or m.group(2) for m in _SUBSCRIPT.finditer(text))
        others = [c for c in "ijk" if c != match.group() and c in found]
        for other in others[:1]:
            yield "sum's index", text[: match.start()] + other + text[match.end() :]


def _matrix_edits(note: str, text: str) -> Iterator[tuple[str, str]]:
    if note != "every_entry":
        return
    for match in re.finditer(r"([^\s&{}][^&{}]*(?:\{\w+\}[^&{}]*)?) & ([^&\\]+?)(?= &| \\)", text):
        if "_" in match.group(1) and match.group(1).strip() != match.group(2).strip():
            swapped = f"{match.group(2).strip()} & {match.group(1).strip()}"
            yield "entries swapped", text[: match.start()] + swapped + text[match.end() :]


# ---- choosing


def candidates(note: Path) -> list[Slip]:
    """Every edit that the rules make in the right formulas of a note, each text once."""
    text = note.read_text(encoding="utf-8")
    found: dict[tuple[int, str], Slip] = {}
    for formula in formulas(text):
        if re.match(_ASSUMED, formula.text):
            continue
        for kind, slipped in _edits(note.stem, formula.text):
            if not _DANGLING.search(slipped) and _squeezed(slipped) != _squeezed(formula.text):
                name = str(note.relative_to(NOTES))
                slip = Slip(name, formula.line, formula.text, slipped, kind)
                found.setdefault((formula.line, slipped), slip)
    return [
        slip for slip in found.values() if (slip.note, slip.line, slip.slipped) not in STILL_TRUE
    ]


_DANGLING = re.compile(r"=\s*(?:$|,|&|\\\\|=)|[})]\^\{?[mN]\}?\s*$")
_ASSUMED = (
    r"a\^1 = x|a\^\{\(1\)\} &= x|\\delta\^l_j \\equiv|\\delta_l :="
    r"|\\mathbf\{y\} = |\\mathbf\{x\} = "
)


def _edits(note: str, text: str) -> Iterator[tuple[str, str]]:
    for rule in RULES:
        if not re.search(rule.notes, note) or (rule.unless and re.search(rule.unless, text)):
            continue
        for match in re.finditer(rule.pattern, text):
            edited = text[: match.start()] + match.expand(rule.replacement) + text[match.end() :]
            yield rule.kind, edited
    for edits in (_layer_edits, _index_edits, _entry_edits, _sum_edits, _matrix_edits):
        yield from edits(note, text)


def _squeezed(text: str) -> str:
    return re.sub(r"\s+", "", text)


_COMMON = ("derivative dropped", "index", "layer", "letter")

# Read and found to change nothing, or nothing that can be called wrong.
STILL_TRUE: frozenset[tuple[str, int, str]] = frozenset()


def choose(count: int = COUNT, seed: int = SEED) -> list[Slip]:
    """`count` of the candidates: from each note alike, and in a note from each kind alike."""
    random_ = random.Random(seed)
    piles = [_by_kind(candidates(note), random_) for note in _notes()]
    chosen: list[Slip] = []
    while len(chosen) < count:
        for pile in piles:
            if pile and len(chosen) < count:
                chosen.append(pile.pop(0))
    return sorted(chosen, key=lambda slip: (slip.note, slip.line, slip.slipped))


def _notes() -> list[Path]:
    return sorted(p for p in NOTES.rglob("*") if p.suffix in (".md", ".tex"))


def _by_kind(slips: list[Slip], random_: random.Random) -> list[Slip]:
    """All of them, shuffled, the kinds taking turns."""
    kinds: dict[str, list[Slip]] = {}
    for slip in slips:
        kinds.setdefault(slip.kind, []).append(slip)
    for pile in kinds.values():
        random_.shuffle(pile)
    order = sorted(kinds, key=lambda kind: (kind not in _COMMON, len(kinds[kind]), kind))
    return [
        kinds[kind][turn]
        for turn in range(max(map(len, kinds.values()), default=0))
        for kind in order
        if turn < len(kinds[kind])
    ]


def write() -> None:
    """The chosen slips as a file; a human reads them there."""
    parts = [
        f"# {COUNT} slips: `original` at `line` of a note under notes/ became `slipped`.",
        "# Written by `python -m tests.slips`, then read one by one: each makes its formula wrong.",
    ]
    for slip in choose():
        parts.append(
            f"\n[[slip]]\nnote = '{slip.note}'\nline = {slip.line}\nkind = \"{slip.kind}\"\n"
            f"original = '''{slip.original}'''\nslipped = '''{slip.slipped}'''"
        )
    CHOSEN.write_text("\n".join(parts) + "\n", encoding="utf-8")


@cache
def chosen() -> tuple[Slip, ...]:
    """The slips of the committed file."""
    with CHOSEN.open("rb") as file:
        return tuple(Slip(**entry) for entry in tomllib.load(file)["slip"])


def slipped_text(slip: Slip) -> str:
    """The whole note with that one slip in it."""
    text = (NOTES / slip.note).read_text(encoding="utf-8")
    formula = next(f for f in formulas(text) if (f.line, f.text) == (slip.line, slip.original))
    return text[: formula.start] + slip.slipped + text[formula.end :]


if __name__ == "__main__":
    write()
