r"""The words of a formula, with their places.

Owns: cutting LaTeX (and the Unicode signs people type) into tokens in normal form, so that the
parser meets one spelling of each thing: `\lbrace` is `\{`, `\left(` is `(`, `∂` is `\partial`,
`\begin {bmatrix}` is `\begin{bmatrix}`. Spacing, sizes, labels and comments are left out.
Refuses: grammar and macros. Would be wrong if a sign that says something were taken for spacing.

Tokens that hold more than their name: `\text{words}`, `\operatorname{word}`, `\begin{name}`.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from symbackprop.calculus.scalars import spellings


class Token(NamedTuple):
    """One word; `glued` where no blank stands before it."""

    text: str
    start: int
    end: int
    glued: bool = False


# Functions of LaTeX and of arrays; those of one number have records.
NAMES = frozenset(
    "exp log ln lg tanh sinh cosh sech coth softmax Softmax max min argmax argmin diag Diag "
    "sin cos tan cot sign sgn tr Tr trace vec det".split()
)
# Bare words that nobody means as a product of letters.
WORDS = frozenset(
    "input output inputs outputs hidden target targets loss Loss cost Cost error Error net out "
    "new old pred true label MSE BCE SSE".split()
)
PROSE = frozenset(
    "if for when where with and or otherwise else since because so then thus hence therefore as "
    "is are of by let i.e. e.g. all each every any such that on in to else: otherwise: resp. "
    "wenn falls sonst und für mit wobei oder alle si sinon et pour avec où donc ou sinon:".split()
)

_GREEK = (
    "alpha beta gamma delta epsilon varepsilon zeta eta theta vartheta iota kappa lambda mu nu xi "
    "omicron pi varpi rho varrho sigma varsigma tau upsilon phi varphi chi psi omega "
    "Gamma Delta Theta Lambda Xi Pi Sigma Upsilon Phi Psi Omega"
).split()
LETTERS = frozenset(f"\\{name}" for name in (*_GREEK, "ell", "imath", "jmath", "hbar"))

_UNICODE = {
    "∂": r"\partial", "∇": r"\nabla", "⊙": r"\odot", "∘": r"\circ", "◦": r"\circ", "○": r"\circ",
    "·": r"\cdot", "⋅": r"\cdot", "∙": r"\cdot", "•": r"\cdot", "×": r"\times", "⊗": r"\otimes",
    "⊘": r"\oslash", "∗": "*", "−": "-", "–": "-", "≠": r"\neq", "≤": r"\leq", "≥": r"\geq",
    "⩽": r"\leq", "⩾": r"\geq", "≈": r"\approx", "≃": r"\approx", "≡": r"\equiv", "∝": r"\propto",
    "→": r"\to", "⟶": r"\to", "↦": r"\to", "←": r"\leftarrow", "⟵": r"\leftarrow",
    "⇒": r"\Rightarrow", "⟹": r"\Rightarrow", "⇔": r"\Leftrightarrow", "∈": r"\in", "∼": r"\sim",
    "≔": ":=", "≜": ":=", "∑": r"\sum", "Σ": r"\sum", "∏": r"\prod", "∀": r"\forall",
    "∞": r"\infty", "…": r"\dots", "⋯": r"\dots", "⋮": r"\dots", "⋱": r"\dots", "′": "'",
    "’": "'", "‖": r"\|", "∣": "|", "ℓ": r"\ell", "⊤": r"\top", "∫": r"\int",
    "±": r"\pm", "∕": "/", "⁄": "/", "÷": "/", "∴": r"\therefore", "¬": r"\neg",
}  # fmt: skip
_RAISED = dict(zip("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁽⁾ˡⁱʲᵏⁿᵐᴸᵀᵗ", "0123456789+-()lijknmLTt", strict=True))
_LOWERED = dict(zip("₀₁₂₃₄₅₆₇₈₉₊₋₍₎ₗᵢⱼₖₙₘₚₜₓₒₕ", "0123456789+-()lijknmptxoh", strict=True))
_COMBINING = {
    "\u0302": r"\hat", "\u0303": r"\tilde", "\u0304": r"\bar", "\u0305": r"\bar",
    "\u0307": r"\dot", "\u0308": r"\ddot", "\u20d7": r"\vec", "\u030c": r"\check",
    "\u0306": r"\breve", "\u0300": r"\grave", "\u0301": r"\acute", "\u0331": r"\underline",
}  # fmt: skip

# One spelling for each thing; "" is left out.
_NORMAL = {
    r"\lbrace": r"\{", r"\rbrace": r"\}", r"\lbrack": "[", r"\rbrack": "]", r"\lparen": "(",
    r"\rparen": ")", r"\vert": "|", r"\mid": "|", r"\Vert": r"\|", r"\ldots": r"\dots",
    r"\cdots": r"\dots", r"\vdots": r"\dots", r"\ddots": r"\dots", r"\dotsc": r"\dots",
    r"\dotsb": r"\dots", r"\iddots": r"\dots", r"\adots": r"\dots", "...": r"\dots",
    "..": r"\dots", r"\hdots": r"\dots", r"\dotsm": r"\dots", r"\dotso": r"\dots",
    r"\ne": r"\neq", r"\not=": r"\neq", "!=": r"\neq", r"\le": r"\leq", r"\leqslant": r"\leq",
    "<=": r"\leq", r"\ge": r"\geq", r"\geqslant": r"\geq", ">=": r"\geq", r"\lt": "<",
    r"\gt": ">", r"\coloneqq": ":=", r"\colonequals": ":=", r"\triangleq": ":=",
    r"\doteq": ":=", r"\eqqcolon": "=", "=:": "=", "==": "=", r"\simeq": r"\approx",
    r"\cong": r"\approx", r"\rightarrow": r"\to", r"\longrightarrow": r"\to", r"\mapsto": r"\to",
    "->": r"\to", r"\gets": r"\leftarrow", r"\longleftarrow": r"\leftarrow",
    r"\implies": r"\Rightarrow", r"\Longrightarrow": r"\Rightarrow", "=>": r"\Rightarrow",
    r"\iff": r"\Leftrightarrow", r"\Longleftrightarrow": r"\Leftrightarrow",
    r"\bigodot": r"\odot", r"\circledast": r"\odot", r"\circledcirc": r"\circ",
    r"\bullet": r"\cdot", r"\centerdot": r"\cdot", r"\ast": "*", ".*": r"\odot",
    r"\bigotimes": r"\otimes", r"\intercal": r"\top", r"\transpose": r"\top", r"\prime": "'",
    r"\dfrac": r"\frac", r"\tfrac": r"\frac", r"\cfrac": r"\frac", r"\nicefrac": r"\frac",
    r"\sfrac": r"\frac", r"\diff": r"\dd", r"\differential": r"\dd",
    r"\qquad": r"\quad", r"\cr": r"\\", r"\newline": r"\\", r"\tabularnewline": r"\\",
    r"\sp": "^", r"\sb": "_", r"\Sum": r"\sum", r"\lor": r"\vee", r"\land": r"\wedge",
}  # fmt: skip

_NOISE = (
    "displaystyle textstyle scriptstyle scriptscriptstyle limits nolimits nonumber notag "
    "mathstrut strut allowbreak nobreak noindent hfill hfil hline thinspace enspace enskip "
    "thickspace medspace negthinspace negmedspace negthickspace relax centering left right middle "
    "big Big bigg Bigg bigl Bigl biggl Biggl bigr Bigr biggr Biggr bigm Bigm biggm Biggm "
    "tiny scriptsize footnotesize small normalsize large Large LARGE huge Huge mathclose mathopen "
    "mathinner mathord mathbin mathpunct normalfont upshape protect smallskip medskip "
    "bigskip toprule midrule bottomrule"
)
_NOISE_WITH_ARGUMENT = (
    "label tag tag[*] hspace hspace[*] vspace vspace[*] mspace color ref eqref cite textcolor "
    "class cssId style id bbox require cline hskip kern mkern setlength arraystretch"
)
_TEXTS = "text mbox textrm textnormal textit textsf texttt textup textsc textsl hbox textbf"


def _either(words: str) -> str:
    return "|".join(sorted(words.split(), key=len, reverse=True))


_BALANCED = (
    r"\{(?:[^{}\\]|\\.|\{(?:[^{}\\]|\\.|\{(?:[^{}\\]|\\.|\{(?:[^{}\\]|\\.)*+\})*+\})*+\})*+\}"
)
_SKIPPED = (
    rf"(?:[\s~\ufeff\u200b]++|%[^\n]*+|\\[,;:!>/@\ \n\t]|\\-"
    rf"|\\(?:left|right|middle)(?![A-Za-z])(?!\s*(?:[.|]|\\[|]|\\[Vv]ert(?![A-Za-z])))"
    rf"|\\(?:{_either(_NOISE.replace(' left right middle', ''))})(?![A-Za-z])"
    rf"|\\(?:{_either(_NOISE_WITH_ARGUMENT)})\s*+(?:\[[^\[\]{{}}]*+\]\s*+)?\{{[^{{}}]*+\}}"
    rf"|\\(?:h|k|mk)skip\s*+-?[0-9.]++\s*+[a-z]{{2}})*+"
)
_PLAIN = (
    r"[A-Za-z](?![A-Za-z])"
    r"|(?<![A-Za-z])(?:%s)(?![A-Za-z])"
    r"|[0-9]++(?:\.[0-9]++)?(?:[eE][-+]?[0-9]++(?![.0-9]))?"
    r"|:\s*=|[-+=<>!]=|=[:>]|->|\.\*|\.\.\.?|#[0-9]|(?![\\%])[!-~]"
)
_SPECIAL = (
    r"(?P<begin>\\(?:begin|end)\s*+\{\s*+[A-Za-z]++\*?\s*+\})"
    rf"|(?P<text>\\(?:{_either(_TEXTS)}|intertext|shortintertext)\s*+{_BALANCED})"
    r"|(?P<side>\\(?:left|right|middle)\s*+(?:\.|\||\\\||\\[Vv]ert(?![A-Za-z])))"
    r"|(?P<operator>\\(?:operatorname\*?|mathop)\s*+\{(?:[A-Za-z0-9 ~-]|\\[,;:!\ ])*+\})"
    r"|(?P<upright>\\(?:mathrm|mathsf|mathit|rm|mathnormal|mathtt)"
    r"(?:\s*+\{\s*+(?:[dT]|Tr|tr)\s*+\}|\s++[dT](?![A-Za-z])))"
    r"|(?P<relation>\\mathrel\s*+\{\s*+[-+:]\s*+(?:\}\s*+=|=\s*+\}))"
    rf"|(?P<raised>[{re.escape(''.join(_RAISED))}]++)"
    rf"|(?P<lowered>[{re.escape(''.join(_LOWERED))}]++)"
    rf"|(?P<combining>[{''.join(_COMBINING)}])"
)
_COMMAND = r"\\\\\*?(?:\[\s*-?[0-9.]*\s*\\?[a-z]+\s*\])?|\\not\s*=|\\[A-Za-z]++|\\[^A-Za-z]"


def function_names() -> frozenset[str]:
    """Words that take an argument."""
    return NAMES | spellings()


@lru_cache(maxsize=8)
def _token(words: frozenset[str]) -> re.Pattern[str]:
    plain = _PLAIN.replace("%s", _either(" ".join(sorted(filter(str.isalnum, words)))), 1)
    return re.compile(
        rf"{_SKIPPED}(?:({plain})|{_SPECIAL}|(?P<command>{_COMMAND})|(?P<other>.)|\Z)", re.DOTALL
    )


_CONDITION = re.compile(
    r"(\s*+(?:if|for|for all|when|where|wenn|falls|für|si|pour)\s++)([^=<>≠≤≥]*[=<>≠≤≥].*)",
    re.DOTALL,
)


def tokenize(latex: str) -> list[Token]:
    """All tokens of a formula, in order."""
    tokens: list[Token] = []
    append = tokens.append
    for match in _token(function_names() | WORDS).finditer(latex):
        kind = match.lastgroup
        if kind is None:
            if (word := match[1]) is None:
                break
            start, end = match.span(1)
            append(Token(_NORMAL.get(word, word), start, end, start == match.start()))
        elif kind == "command":
            word = match["command"]
            start, end = match.span("command")
            normal = r"\\" if word[1] == "\\" else _NORMAL.get(word, word)
            append(Token(normal, start, end, start == match.start()))
        elif kind == "combining":
            start, end = match.span(kind)
            base = tokens.pop() if tokens else None
            accent = _COMBINING[match[kind]]
            tokens.append(Token(accent, base.start if base else start, end, True))
            tokens.extend((base,) if base else ())
        else:
            tokens.extend(_special(kind, match))
    return tokens


def _special(kind: str, match: re.Match[str]) -> Iterator[Token]:
    word = match[kind]
    start, end = match.span(kind)
    glued = start == match.start()
    match kind:
        case "begin":
            yield Token(re.sub(r"\s", "", word), start, end, glued)
        case "text":
            yield from _text(word, start, end)
        case "side":
            yield Token(_side(re.sub(r"\s", "", word)), start, end, glued)
        case "operator":
            yield Token(_operator(word), start, end, glued)
        case "upright":
            yield Token(_upright(word), start, end, glued)
        case "relation":
            yield Token(f"{re.sub(r'[^-+:]', '', word)}=", start, end, glued)
        case "raised":
            yield from _run("^", word, _RAISED, start)
        case "lowered":
            yield from _run("_", word, _LOWERED, start)
        case _:
            yield from _foreign(word, start, end, glued)


def _side(word: str) -> str:
    side, delimiter = (word[:5], word[5:]) if word.startswith(r"\left") else (word[:6], word[6:])
    if delimiter == ".":
        return word
    if side == r"\midd":
        return "|"
    name = "vert" if delimiter in ("|", r"\vert") else "Vert"
    return rf"\{side[1]}{name}"


def _operator(word: str) -> str:
    name = re.sub(r"\\?[,;:!~ ]", "", word[word.index("{") + 1 : -1])
    return rf"\operatorname{{{name}}}"


def _upright(word: str) -> str:
    """An upright d is a differential, an upright T a transposition (`tr` may be a trace)."""
    letters = re.sub(r"\\[a-z]+|[\s{}]", "", word)
    return {"d": r"\dd", "T": r"\top"}.get(letters, r"\operatorname{tr}")


def _text(word: str, start: int, end: int) -> Iterator[Token]:
    r"""`\text{if $z > 0$}` is words, then mathematics."""
    brace = word.index("{")
    inner = word[brace + 1 : -1]
    bare = inner.strip()
    if bare == "d":
        yield Token(r"\dd", start, end)
    elif bare == "T":
        yield Token(r"\top", start, end)
    elif "$" in inner:
        yield from _text_with_mathematics(inner, start + brace + 1)
    elif (condition := _CONDITION.fullmatch(inner)) is not None:
        offset = start + brace + 1
        yield Token(f"\\text{{{condition[1]}}}", offset, offset + len(condition[1]))
        yield from _moved(tokenize(condition[2]), offset + condition.start(2))
    else:
        if word.startswith(r"\textbf") and " " not in bare:
            yield Token(r"\mathbf", start, end)
        yield Token(f"\\text{{{inner}}}", start, end)


def _text_with_mathematics(inner: str, start: int) -> Iterator[Token]:
    at = start
    for number, piece in enumerate(inner.split("$")):
        if number % 2:
            yield from _moved(tokenize(piece), at)
        elif piece.strip():
            yield Token(f"\\text{{{piece}}}", at, at + len(piece))
        at += len(piece) + 1


def _moved(tokens: list[Token], offset: int) -> Iterator[Token]:
    for token in tokens:
        yield Token(token.text, token.start + offset, token.end + offset, token.glued)


def _run(sign: str, word: str, plain: dict[str, str], start: int) -> Iterator[Token]:
    """`⁽ˡ⁾` is one script in braces."""
    end = start + len(word)
    yield Token(sign, start, start, True)
    yield Token("{", start, start, True)
    yield from _moved(tokenize("".join(plain[character] for character in word)), start)
    yield Token("}", end, end, True)


def _foreign(character: str, start: int, end: int, glued: bool) -> Iterator[Token]:
    """What a sign outside ASCII means; several tokens for ŷ, ² and 𝐖."""
    for number, word in enumerate(_spelled(character)):
        yield Token(word, start, end, glued or number > 0)


def _spelled(character: str) -> list[str]:
    if character in _UNICODE:
        return [_UNICODE[character]]
    if (greek := _greek(character)) is not None:
        return [greek]
    parts = unicodedata.normalize("NFD", character)
    if len(parts) == 2 and parts[1] in _COMBINING:
        return [_COMBINING[parts[1]], *_spelled_letter(parts[0])]
    return _spelled_letter(character)


def _greek(character: str) -> str | None:
    name = unicodedata.name(character, "")
    match = re.fullmatch(r"GREEK (SMALL|CAPITAL) LETTER ([A-Z]+)|GREEK ([A-Z]+) SYMBOL", name)
    if match is None:
        return None
    word = (match[2] or match[3]).lower().replace("lamda", "lambda")
    word = word.capitalize() if match[1] == "CAPITAL" else word
    return f"\\{word}" if f"\\{word}" in LETTERS else None


def _spelled_letter(character: str) -> list[str]:
    """A letter of the mathematical alphabets is its plain letter with a font."""
    plain = unicodedata.normalize("NFKC", character)
    if len(plain) != 1 or plain == character:
        return [character]
    name = unicodedata.name(character, "")
    letter = [_greek(plain) or plain]
    if "BOLD" in name:
        return [r"\mathbf", *letter]
    if "SCRIPT" in name:
        return [r"\mathcal", *letter]
    return [r"\mathbb", *letter] if "DOUBLE-STRUCK" in name else letter
