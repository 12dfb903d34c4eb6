r"""From tokens to the tree of one expression: recursive descent, never a guess.

Owns: precedence (juxtaposition, then `\cdot * \times \otimes /`, then `\odot \circ`, then `+ -`),
brackets, scripts, fractions, derivatives, sums, matrices and cases. Refuses: rows, relations
between sides and remarks (`parser`), and what letters mean. Whatever it cannot read raises
`NotRead` with the place; nothing is skipped. Would be wrong if a tree said other than the
typeset formula does: `{a+b}c` shows no brackets and is refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Literal

from symbackprop.calculus.scalars import function_lettered, function_spelt, spellings
from symbackprop.errors import did_you_mean
from symbackprop.notation import LAYER_MARKS
from symbackprop.reading.latex.lexer import LETTERS, NAMES, PROSE, WORDS, Token, function_names
from symbackprop.reading.latex.syntax import (
    Apply,
    Big,
    Bound,
    Cases,
    Comparison,
    Derivative,
    Dots,
    Group,
    Indicator,
    Matrix,
    Node,
    Norm,
    Number,
    Product,
    Quotient,
    Root,
    Script,
    Scripted,
    Span,
    Sum,
    Symbol,
)

DEEPEST = 60
LONGEST_NUMBER = 40
MOST_BOUNDS = 20
_DIGITS = "0123456789"
_VALUES_OF = frozenset(_DIGITS)
_VALUES = tuple(Fraction(digit) for digit in _DIGITS)

RELATIONS = frozenset(
    r"= := \equiv \approx \propto \to \leftarrow += -= \in \neq < > \leq \geq \sim".split()
)
SIGNS = {"+": 1, "-": -1}
LOOSE = frozenset((r"\odot", r"\circ", r"\oslash"))
TIGHT = {
    r"\cdot": r"\cdot",
    ".": r"\cdot",
    "*": "*",
    r"\times": r"\times",
    r"\otimes": r"\otimes",
    "/": "/",
    r"\div": "/",
}
_CLOSERS = frozenset((")", "]", "}", r"\}", r"\rvert", r"\rVert", r"\right.", ""))
_STOPS = (
    RELATIONS
    | LOOSE
    | _CLOSERS
    | frozenset(TIGHT)
    | frozenset(SIGNS)
    | frozenset((",", ";", ":", "&", r"\\", r"\top", r"\over", "^", "_", "'", "!", r"\quad"))
    | frozenset((r"\Rightarrow", r"\Leftrightarrow", r"\forall", r"\therefore"))
)
_PARTNERS = {"(": ")", "[": "]", "{": "}", r"\{": r"\}", r"\lvert": r"\rvert", r"\lVert": r"\rVert"}
_ENDS = frozenset(_PARTNERS.values())

BOLD = frozenset(
    r"\mathbf \boldsymbol \bm \pmb \mathbfit \boldmath \vec \underline \bf \symbf \bold".split()
)
_UPRIGHT = frozenset(
    r"\mathrm \mathit \mathsf \mathtt \rm \it \mathnormal \textrm \sf \tt \symup".split()
)
_SCRIPT_FONTS = {
    r"\mathcal": r"\mathcal", r"\mathscr": r"\mathcal", r"\cal": r"\mathcal",
    r"\mathfrak": r"\mathfrak", r"\mathbb": r"\mathbb", r"\mathds": r"\mathbb",
    r"\mathbbm": r"\mathbb", r"\Bbb": r"\mathbb",
}  # fmt: skip
_ACCENTS = {
    r"\hat": r"\hat", r"\widehat": r"\hat", r"\tilde": r"\tilde", r"\widetilde": r"\tilde",
    r"\bar": r"\bar", r"\overline": r"\bar", r"\dot": r"\dot", r"\ddot": r"\ddot",
    r"\check": r"\check", r"\breve": r"\breve", r"\acute": r"\acute", r"\grave": r"\grave",
    r"\mathring": r"\mathring", r"\overrightarrow": r"\vec",
}  # fmt: skip
_FUNCTION_COMMANDS = frozenset(f"\\{name}" for name in NAMES if name not in ("det", "vec")) | {
    r"\arg", r"\det", r"\sup", r"\inf",
}  # fmt: skip
_NEEDS_GROUP = frozenset("max min argmax argmin sign sgn tr Tr vec det diag Diag trace".split())
_APPLIED_LETTERS = frozenset(r"\sigma \phi \varphi \psi \Phi \Psi f g p q P softmax".split())
_TRANSPOSED = frozenset(("T", "Tr", "tr", r"\operatorname{tr}", r"\operatorname{Tr}"))
_OTHERWISE = PROSE | frozenset("other cases elsewhere case sonst".split())
_UNWRAPPED = frozenset(
    r"\boxed \cancel \bcancel \xcancel \fbox \ensuremath \smash \mathop \mathit".split()
)
_MATRICES = frozenset(
    "matrix pmatrix bmatrix Bmatrix vmatrix Vmatrix smallmatrix psmallmatrix bsmallmatrix array "
    "matrix* pmatrix* bmatrix*".split()
)
_BARE_MATRICES = frozenset(("matrix", "smallmatrix", "array", "matrix*"))
_CASES = frozenset(("cases", "dcases", "cases*", "dcases*", "rcases"))
_REFUSED = {
    r"\infty": "infinity is not read",
    r"\pm": r"`\pm` says two things at once; write two equations",
    r"\mp": r"`\mp` says two things at once; write two equations",
    r"\int": "integrals are not read",
    r"\oint": "integrals are not read",
    r"\binom": "binomial coefficients are not read",
    "!": "factorials are not read",
    r"\left.": r"a value inserted after a bar (`\left. ... \right|`) is not read",
    r"\exists": r"`\exists` is not read",
    r"\langle": "angle brackets are not read",
}
KNOWN = frozenset(
    word[1:]
    for word in (
        *_STOPS, *LETTERS, *BOLD, *_UPRIGHT, *_SCRIPT_FONTS, *_ACCENTS, *_FUNCTION_COMMANDS,
        *_UNWRAPPED, *_REFUSED, r"\frac", r"\sqrt", r"\sum", r"\prod", r"\partial", r"\nabla",
        r"\operatorname", r"\text", r"\dots", r"\underbrace", r"\overbrace", r"\underset",
        r"\overset", r"\stackrel", r"\lim", r"\dfrac", r"\tfrac", r"\cdots", r"\vdots", r"\ldots",
        r"\quad", r"\qquad", r"\left", r"\right", r"\begin", r"\end",
    )
    if word.startswith("\\") and word[1:2].isalpha()
)  # fmt: skip

Place = Literal["above", "below"]
Handler = Callable[["Expressions"], Node]


class NotRead(ValueError):
    """Inside the reader only: the formula is not understood from `at` on."""

    def __init__(self, at: int, reason: str, ill_formed: bool = False) -> None:
        super().__init__(at, reason)
        self.at = at
        self.reason = reason
        self.ill_formed = ill_formed


class Expressions:
    """A cursor over the tokens of one piece of a row."""

    __slots__ = (
        "at", "bar", "bold", "depth", "end", "has_over", "in_script", "marks", "partners", "stops",
        "tokens", "words",
    )  # fmt: skip

    def __init__(self, tokens: Sequence[Token]) -> None:
        self.tokens = list(tokens)
        self.words = [token[0] for token in tokens]
        self.words.extend(("", "", "", ""))  # so that looking ahead needs no bounds
        self.stops = [
            w in _STOPS or (w[:5] in ("\\end{", "\\text") and _ends(w)) for w in self.words
        ]
        self.partners = partners(self.words)
        self.marks = {mark.frame: mark.closing for mark in LAYER_MARKS.values()}
        self.has_over = r"\over" in self.words
        self.at = 0
        self.depth = 0
        self.bold = False
        self.in_script = False
        self.bar = "|never"

    # Places --------------------------------------------------------------------------------------

    def span(self, start: int) -> Span:
        """From the token `start` to the one before the cursor."""
        return Span(self.tokens[start][1], self.tokens[max(self.at - 1, start)][2])

    def refuse(self, reason: str, at: int | None = None) -> NotRead:
        index = self.at if at is None else at
        if index < len(self.tokens):
            return NotRead(self.tokens[index].start, reason)
        return NotRead(self.tokens[-1].end if self.tokens else 0, reason)

    def unexpected(self, expected: str) -> NotRead:
        word = self.words[self.at]
        if not word:
            return self.refuse(f"the formula ends where {expected} is expected")
        if word in _REFUSED:
            return self.refuse(_REFUSED[word])
        return self.refuse(f"found `{word}` where {expected} is expected")

    # Sums and products ---------------------------------------------------------------------------

    def item(self) -> Node:
        """An expression or a comparison; `0 < i < n` compares a comparison."""
        start = self.at
        if self.words[start] == r"\forall":
            self.at += 1
        left = self.expression()
        while (relation := self.words[self.at]) in RELATIONS:
            self.at += 1
            right = self.expression()
            left = Comparison(relation, left, right, self.span(start))
        return left

    def expression(self) -> Node:
        start = self.at
        words = self.words
        sign = SIGNS.get(words[start])
        if sign is None:
            first = self.term()
            if words[self.at] not in SIGNS:
                return first
            sign = 1
        else:
            self.at += 1
            first = self.term()
            if sign == 1 and words[self.at] not in SIGNS:
                return first
        signs, terms = [sign], [first]
        while (sign := SIGNS.get(words[self.at])) is not None:
            self.at += 1
            signs.append(sign)
            terms.append(self.term())
        return Sum(tuple(signs), tuple(terms), self.span(start))

    def term(self) -> Node:
        r"""Products with `\odot` and `\circ`, the loosest signs of a product."""
        start = self.at
        left = self.tight()
        while (sign := self.words[self.at]) in LOOSE:
            factors = [left]
            while self.words[self.at] == sign:
                self.at += 1
                factors.append(self.signed(self.tight))
            left = Product(sign, tuple(factors), self.span(start))
        return left

    def tight(self) -> Node:
        start = self.at
        left = self.chain()
        while (sign := TIGHT.get(self.words[self.at])) is not None:
            if (self.in_script or self.words[self.at] == ".") and self.is_last_sign():
                break
            left = self.signed_product(left, sign, start)
        return left

    def is_last_sign(self) -> bool:
        """A sign with nothing behind it: a full stop, or the place of any index (`i*`)."""
        after = self.words[self.at + 1]
        return after in _CLOSERS or after in (",", ";", "&", r"\\") or after[:5] == r"\end{"

    def signed_product(self, left: Node, sign: str, start: int) -> Node:
        if sign == "/":
            self.at += 1
            return self.divided(left, start)
        if sign == r"\cdot" and self.words[self.at + 1] == "*":
            self.at += 1  # `\cdot*` is how MATLAB's `.*` is typed
            sign = r"\odot"
        factors = [left]
        while TIGHT.get(self.words[self.at]) == sign or len(factors) == 1:
            self.at += 1
            factors.append(self.signed(self.chain))
            if sign == r"\odot":
                break
        return Product(sign, tuple(factors), self.span(start))

    def divided(self, left: Node, start: int) -> Node:
        """`ab/cd` is (ab)/(cd), but `1/2 x` and `1/N \\sum` are a number times the rest."""
        if not isinstance(left, Number):
            right = self.signed(self.chain)
            return Quotient(left, right, self.span(start))
        first = self.factor()
        below = [first]
        while not self.stopped() and self.is_glued_letter():
            below.append(self.factor())
        right = juxtaposed(below, self.span(start))
        ratio = Quotient(left, right, self.span(start))
        if self.stopped():
            return ratio
        rest = self.chain()
        factors = rest.factors if isinstance(rest, Product) and rest.sign == "" else (rest,)
        return Product("", (ratio, *factors), self.span(start))

    def is_glued_letter(self) -> bool:
        word = self.words[self.at]
        return self.tokens[self.at].glued and (len(word) == 1 and word.isalpha())

    def signed(self, operand: Callable[[], Node]) -> Node:
        start = self.at
        sign = SIGNS.get(self.words[start])
        if sign is None:
            return operand()
        self.at += 1
        inner = operand()
        return inner if sign == 1 else Sum((-1,), (inner,), self.span(start))

    def stopped(self) -> bool:
        return self.stops[self.at] or self.words[self.at] == self.bar

    def chain(self) -> Node:
        """Factors side by side."""
        start = self.at
        first = self.factor()
        if self.stops[self.at] or self.words[self.at] == self.bar:
            return first if not isinstance(first, Group) else iverson(first)
        factors = [first]
        bare = self.words[start] == "{" and isinstance(first, Sum)
        while not (self.stops[self.at] or self.words[self.at] == self.bar):
            here = self.at
            factor = self.factor()
            if bare or (self.words[here] == "{" and isinstance(factor, Sum)):
                raise self.refuse("braces do not show; write parentheses around the sum", here)
            if isinstance(factor, Number) and self.is_stray(here, factors[-1]):
                hint = "a number right behind a script or letter; write `x_{12}`, `x^{12}` or `12x`"
                raise self.refuse(hint, here)
            if not indicates(factors, factor, self.span(start)):
                if isinstance(factor, Product) and factor.sign == "" and self.words[here] == "{":
                    factors.extend(factor.factors)
                else:
                    factors.append(factor)
        if isinstance(factors[0], Group):
            factors[0] = iverson(factors[0])
        return factors[0] if len(factors) == 1 else Product("", tuple(factors), self.span(start))

    def is_stray(self, at: int, before: Node) -> bool:
        r"""TeX reads `x^12` as x^1 times 2; its author did not."""
        return (
            self.tokens[at].glued and not self.in_script and isinstance(before, (Symbol, Scripted))
        )

    # Factors -------------------------------------------------------------------------------------

    def factor(self) -> Node:
        start = self.at
        base = self.primary()
        word = self.words[self.at]
        if word not in ("^", "_", "'") and not self.is_hidden_script():
            return base
        self.depth += 1  # a script's own script nests as a bracket does
        scripts = self.scripts()
        self.depth -= 1
        if not scripts:
            return base
        if isinstance(base, Scripted) and self.words[start] != "{" and not doubled(base, scripts):
            scripts = [*base.scripts, *scripts]
            base = base.base
        return scripted(base, scripts, self.span(start))

    def primary(self) -> Node:
        self.depth += 1
        if self.depth > DEEPEST:
            raise self.refuse(f"the formula is nested deeper than {DEEPEST} levels")
        word = self.words[self.at]
        handler = _HANDLERS.get(word)
        node = handler(self) if handler is not None else self.named(word)
        self.depth -= 1
        return node

    def named(self, word: str) -> Node:
        """What is known by its form rather than by its name."""
        first = word[:1]
        if first.isalpha():
            return self.bare_word(word) if len(word) > 1 else self.letter()
        if first in _VALUES_OF:
            return self.number()
        if first == "\\" and word[1:] in spellings():
            return self.function()
        if word.startswith(r"\text{"):
            return self.text(word)
        if word == r"\operatorname{grad}":
            return self.nabla()
        if word.startswith(r"\operatorname{"):
            self.at += 1
            return self.applied(Symbol(word[14:-1], self.span(self.at - 1)), self.at - 1)
        if word.startswith(r"\begin{"):
            return self.environment(word[7:-1])
        if self.in_script and word in (":", r"\cdot", "*", r"\circ", r"\top"):
            return self.placeholder()
        if word in (r"\cdot", r"\circ") and self.words[self.at + 1] in _CLOSERS | {","}:
            return self.placeholder()
        if word == r"\top" and self.stops[self.at + 1]:
            self.at += 1
            return Symbol("T", self.span(self.at - 1))
        raise self.unknown(word)

    def unknown(self, word: str) -> NotRead:
        if word in _REFUSED or not re.fullmatch(r"\\[A-Za-z]+", word) or word in _STOPS:
            return self.unexpected("a letter, a number or a bracket")
        hint = did_you_mean(word[1:], sorted(KNOWN | spellings())).replace("`", "`\\", 1)
        return self.refuse(f"unknown command `{word}`" + (f"; {hint}" if hint else ""))

    def placeholder(self) -> Node:
        self.at += 1
        return Symbol(self.words[self.at - 1], self.span(self.at - 1))

    def letter(self) -> Node:
        at = self.at
        word = self.words[at]
        if word == "d" and not self.in_script and self.is_differential(at):
            return self.differential()
        self.at = at + 1
        token = self.tokens[at]
        digits = self.words[at + 1]
        if digits[:1] in _VALUES_OF and not self.in_script and self.tokens[at + 1].glued:
            return self.numbered(word + digits, at)
        return Symbol(word, Span(token[1], token[2]), self.bold)

    def numbered(self, name: str, at: int) -> Symbol:
        """`W1`, as programs have it, is a name: nobody means W times 1."""
        if not name[1:].isdigit():
            raise self.refuse("a number right behind a letter", at + 1)
        self.at = at + 2
        return Symbol(name, self.span(at), self.bold)

    def number(self) -> Node:
        token = self.tokens[self.at]
        if len(token.text) > LONGEST_NUMBER or len(token.text.lower().partition("e")[2]) > 3:
            raise self.refuse("a number of this size is not read")
        self.at += 1
        text = token.text
        value = _VALUES[int(text)] if len(text) == 1 else Fraction(text)
        return Number(value, text, Span(token.start, token.end))

    def bare_word(self, word: str) -> Node:
        start = self.at
        self.at += 1
        symbol = Symbol(word, self.span(start), self.bold)
        lonely = word in _NEEDS_GROUP or self.in_script
        if word in WORDS or (lonely and self.words[self.at] not in ("(", r"\{", "[", "_")):
            return symbol
        return self.applied(symbol, start)

    def dots(self) -> Node:
        self.at += 1
        return Dots(self.span(self.at - 1))

    # Names, fonts, accents -----------------------------------------------------------------------

    def text(self, word: str) -> Node:
        start = self.at
        inner = " ".join(re.sub(r"\\?[~ ]", " ", word[word.index("{") + 1 : -1]).split())
        if not inner or inner.lower() in PROSE:
            raise self.refuse("words where a letter, a number or a bracket is expected")
        self.at += 1
        symbol = Symbol(inner, self.span(start), self.bold)
        return self.applied(symbol, start) if inner in function_names() else symbol

    def bold_font(self) -> Node:
        before, self.bold = self.bold, True
        node = self.font(self.words[self.at])
        self.bold = before
        return node

    def font(self, font: str) -> Node:
        start = self.at
        self.at += 1
        if self.words[self.at] != "{":
            node = self.single_argument()
            return self.digits_as_symbol(node, start)
        close = self.closing(self.at)
        inside = self.words[self.at + 1 : close]
        if all(word.isalnum() for word in inside) and inside:
            return self.name("".join(inside), font, close, start)
        if font in _UPRIGHT and "." in inside:
            raise self.refuse("program text is not read", start)
        return self.digits_as_symbol(self.argument(), start)

    def name(self, name: str, font: str, close: int, start: int) -> Node:
        """The letters inside a font command: one letter, a word, or letters side by side."""
        words = font in _UPRIGHT or self.words[self.at + 1] in WORDS | function_names()
        lower = font in BOLD and len(name) > 2 and name.islower()
        if len(name) > 1 and not (words or lower or name.isdigit()):
            return self.argument()
        self.at = close + 1
        symbol = Symbol(name, self.span(start), self.bold)
        return self.applied(symbol, start) if name in function_names() else symbol

    def digits_as_symbol(self, node: Node, start: int) -> Node:
        return Symbol(node.text, self.span(start), self.bold) if isinstance(node, Number) else node

    def upright_font(self) -> Node:
        return self.font(self.words[self.at])

    def script_font(self) -> Node:
        r"""`\mathcal{L}` stays apart from `L`: many texts use both."""
        start = self.at
        font = _SCRIPT_FONTS[self.words[start]]
        self.at += 1
        argument = self.argument()
        scripts = argument.scripts if isinstance(argument, Scripted) else ()
        name = letters_of(argument.base if isinstance(argument, Scripted) else argument)
        if not name:
            raise self.refuse(f"`{font}` around something that is no letter", start)
        plain = font == r"\mathbb" and name in ("1", "I", "0")
        head = name if plain else f"{font}{{{name}}}"
        if head == r"\mathbb{E}" and self.words[self.at] in ("[", "(", "_", r"\{"):
            raise self.refuse("expectations are not read", start)
        symbol = Symbol(head, self.span(start), plain or self.bold)
        return Scripted(symbol, scripts, self.span(start)) if scripts else symbol

    def accent(self) -> Node:
        start = self.at
        name = _ACCENTS[self.words[start]]
        self.at += 1
        node = self.argument()
        span = self.span(start)
        match node:
            case Symbol():
                return Symbol(f"{name}{{{node.head}}}", span, node.bold)
            case Number():
                return Symbol(f"{name}{{{node.text}}}", span, self.bold)
            case Scripted(base=Symbol() as base):
                head = Symbol(f"{name}{{{base.head}}}", span, base.bold)
                return Scripted(head, node.scripts, span)
        raise self.refuse(f"`{self.words[start]}` stands over more than one letter", start)

    # Arguments and brackets ----------------------------------------------------------------------

    def closing(self, opening: int) -> int:
        close = self.partners[opening]
        if close < 0:
            raise self.refuse(f"this `{self.words[opening]}` is never closed", opening)
        return close

    def argument(self) -> Node:
        """The argument of a command: a group in braces or one token."""
        if self.words[self.at] != "{":
            return self.single_argument()
        close = self.closing(self.at)
        before, self.bar = self.bar, "|never"
        self.at += 1
        node = self.expression()
        self.close_at(close)
        self.bar = before
        return node

    def close_at(self, close: int) -> None:
        if self.at != close:
            raise self.unexpected(f"`{self.words[close]}`")
        self.at = close + 1

    def single_argument(self) -> Node:
        r"""One token, as TeX takes it: `\frac12` is a half."""
        at = self.at
        word = self.words[at]
        token = self.tokens[at] if word else None
        if token is None or (self.stops[at] and word != r"\top"):
            raise self.unexpected("an argument")
        if word.isdigit() and word.isascii():
            return self.single_digit(token)
        if len(word) == 1 and word.isalpha():
            self.at += 1
            return Symbol(word, Span(token.start, token.end), self.bold)
        return self.primary()

    def single_digit(self, token: Token) -> Node:
        """The first digit; the others stay, unless a macro made them."""
        digit, rest = token.text[0], token.text[1:]
        if rest and token.end - token.start == len(token.text):
            self.words[self.at] = rest
            self.tokens[self.at] = Token(rest, token.start + 1, token.end, True)
            return Number(_VALUES[int(digit)], digit, Span(token.start, token.start + 1))
        return self.number()

    def brace(self) -> Node:
        """Braces show nothing: they hold together what scripts belong to."""
        start = self.at
        close = self.closing(start)
        if self.has_over and (over := self.over(start, close)):
            node = self.ratio(start + 1, over, over + 1, close, start)
            return node
        if close == start + 1:
            self.at = close + 1
            if self.stopped():
                raise self.refuse("there is nothing between these braces", start)
            return self.primary()
        font = self.words[start + 1]
        if font in (r"\bf", r"\rm", r"\it", r"\cal", r"\sf", r"\tt", r"\boldmath"):
            return self.switched(font, close)
        node = self.argument()
        if isinstance(node, Sum) and self.words[self.at] in ("^", "_", "'"):
            raise self.refuse("braces do not show; write parentheses around the sum", start)
        return node

    def switched(self, font: str, close: int) -> Node:
        r"""`{\bf x}`, the old spelling: the font holds up to the brace."""
        start = self.at
        inside = self.words[start + 2 : close]
        before, self.bold = self.bold, self.bold or font in BOLD
        self.at = start + 1
        if font != r"\cal" and inside and all(word.isalnum() for word in inside):
            node = self.name("".join(inside), font, close, start)
        else:
            self.at = start + 2
            node = self.expression()
            self.close_at(close)
        self.bold = before
        return node

    def over(self, start: int, close: int) -> int:
        level = 0
        for index in range(start + 1, close):
            word = self.words[index]
            level += (word == "{") - (word == "}")
            if word == r"\over" and level == 0:
                return index
        return 0

    def items(self, close: str) -> tuple[Node, ...]:
        """Items between commas up to and with `close`; the cursor stands behind the opening."""
        before, self.bar = self.bar, "|never"
        found: list[Node] = []
        while self.words[self.at] != close:
            found.append(self.item())
            if self.words[self.at] in (",", ";"):
                self.at += 1
            elif self.words[self.at] != close:
                raise self.unexpected(f"`{close}`")
        self.at += 1
        self.bar = before
        return tuple(found)

    def group(self) -> Node:
        start = self.at
        word = self.words[start]
        close = _PARTNERS[word]
        if word == r"\{" and self.is_open_cases(start):
            return self.open_cases()
        self.at += 1
        opened = self.words[self.at]
        found = self.items(close)
        only = found[0] if len(found) == 1 else None
        if isinstance(only, Matrix) and opened[7:-1] in _BARE_MATRICES:
            return Matrix(only.rows, self.span(start))
        return Group(word, found, self.span(start))

    def norm(self) -> Node:
        start = self.at
        word = self.words[start]
        close = _PARTNERS.get(word, word)
        if word == "|" and self.words[start + 1] in ("_", "^"):
            raise self.refuse("a value inserted after a bar is not read")
        before, self.bar = self.bar, close
        self.at += 1
        content = self.expression()
        if self.words[self.at] != close:
            raise self.refuse("the bars of this norm do not close", start)
        self.at += 1
        self.bar = before
        return Norm(content, word in ("|", r"\lvert"), self.span(start))

    # Scripts -------------------------------------------------------------------------------------

    def scripts(self) -> list[Script]:
        found: list[Script] = []
        while True:
            word = self.words[self.at]
            if word == "'":
                self.at += 1
                found.append(Script("above", "prime", (), "", self.span(self.at - 1)))
            elif word == "^":
                found.extend(self.script("above"))
            elif word == "_":
                found.extend(self.script("below"))
            elif self.is_hidden_script() and self.words[self.at + 1] == "'":
                self.at += 3
                found.append(Script("above", "prime", (), "", self.span(self.at - 3)))
            elif self.is_hidden_script():
                self.at += 2
            else:
                return found

    def is_hidden_script(self) -> bool:
        """`g{'}`, and `W^l{}^T`: braces that keep two scripts apart."""
        words, at = self.words, self.at
        if words[at] != "{":
            return False
        first, second = words[at + 1], words[at + 2]
        return (first == "'" and second == "}") or (first == "}" and second in ("^", "_", "'"))

    def script(self, place: Place) -> list[Script]:
        start = self.at
        self.at += 1
        before = (self.bold, self.bar, self.in_script)
        self.bold, self.bar, self.in_script = False, "|never", True
        if self.words[self.at] == "{":
            found = self.braced_script(place, start)
        else:
            found = [self.short_script(place, start)]
        self.bold, self.bar, self.in_script = before
        return found

    def short_script(self, place: Place, start: int) -> Script:
        word = self.words[self.at]
        if place == "above" and word in ("T", r"\top"):
            return self.mark("transpose", start)
        if place == "above" and word == "'":
            return self.mark("prime", start)
        if word in ("*", r"\star"):
            return self.mark("star", start, place)
        if word in ("(", "["):
            return self.bracketed(place, start)
        if word == "-" and self.words[self.at + 1] == "1" and place == "above":
            self.at += 1
            return self.mark("inverse", start)
        part = self.placeholder() if word in (":", r"\cdot") else self.single_argument()
        return Script(place, "group", (part,), "", self.span(start))

    def mark(
        self,
        kind: Literal["transpose", "prime", "star", "inverse"],
        start: int,
        place: Place = "above",
    ) -> Script:
        self.at += 1
        return Script(place, kind, (), "", self.span(start))

    def braced_script(self, place: Place, start: int) -> list[Script]:
        close = self.closing(self.at)
        self.at += 1
        if place == "above":
            self.transpose_at_end(close)
        found: list[Script] = []
        while self.at < close:
            found.extend(self.script_part(place, close))
        self.close_at(close)
        if len(found) == 1:
            only = found[0]
            return [Script(only.place, only.kind, only.parts, only.bracket, self.span(start))]
        return found

    def transpose_at_end(self, close: int) -> None:
        """A capital T that ends what stands above is a transposition: `^{[1]T}`, `^{2T}`."""
        last = close - 1
        before = self.words[last - 1]
        if self.words[last] not in _TRANSPOSED or last < self.at:
            return
        closers = (")", "]", r"\}", "}", "'", "^", ",", *self.marks.values())
        if last == self.at or before.isalnum() or before in closers:
            self.words[last] = r"\top"
            self.stops[last] = True
            if last > self.at and before == ",":
                self.words[last] = "T"
                self.stops[last] = False

    def script_part(self, place: Place, close: int) -> list[Script]:
        start = self.at
        word = self.words[start]
        if word == "'":
            return [self.mark("prime", start, place)]
        if place == "above" and (
            word == r"\top" or (word == "T" and self.opens(place, self.words[start + 1]))
        ):
            return [self.mark("transpose", start)]
        if word in ("*", r"\star") and start + 1 == close:
            return [self.mark("star", start, place)]
        if word == "-" and self.words[start + 1] == "1" and start + 2 == close and place == "above":
            self.at += 1
            return [self.mark("inverse", start)]
        if word == "^" and place == "above":
            return self.script("above")
        if self.opens(place, word) and self.stands_alone(place, start, close):
            found = self.bracketed(place, start)
            self.at += self.words[self.at] == ","
            return [found]
        if word in LOOSE and start + 1 < close:
            self.at += 1
            inner = self.expression()
            part: Node = Product(word, (inner,), self.span(start))
            return [Script(place, "group", (part,), "", self.span(start))]
        return self.plain_script(place, close)

    def opens(self, place: Place, word: str) -> bool:
        """Whether a word opens something in a script: a bracket, or a sign of a layer mark."""
        return word in ("(", "[", r"\{") or bool(self.marks.get((place, word)))

    def end_in_script(self, place: Place, start: int, close: int) -> int:
        """Where what opens ends, or -1; a sign that only layer marks have is no bracket elsewhere,
        so its end is made one here."""
        word = self.words[start]
        closing = self.marks.get((place, word))
        if word not in _PARTNERS and closing in self.words[start:close]:
            end = self.words.index(closing, start)
            self.partners[start], self.stops[end] = end, True
        return self.partners[start]

    def stands_alone(self, place: Place, start: int, close: int) -> bool:
        """Whether a bracket is a mark of its own and not a factor: `(l)T`, but not `(a+b)c`. That
        of a layer below may have indices behind it: `[2],jk`."""
        end = self.end_in_script(place, start, close)
        if end < 0 or end > close:
            return False
        after = self.words[end + 1]
        if after == "^":
            return self.words[end + 2] in ("T", r"\top", "'") or (
                self.words[end + 2] == "{" and self.words[end + 3] in ("T", r"\top", "'")
            )
        if after == ",":
            return place == "below" and (place, self.words[start]) in self.marks
        return end + 1 == close or after in (r"\top", "'") or self.opens(place, after)

    def bracketed(self, place: Place, start: int) -> Script:
        word = self.words[self.at]
        self.at += 1
        parts = self.items(_PARTNERS.get(word) or self.marks[place, word])
        return Script(place, "group", parts, word, self.span(start))

    def plain_script(self, place: Place, close: int) -> list[Script]:
        start = self.at
        parts: list[Node] = []
        while self.at < close:
            parts.extend(index_parts(self.item()))
            word = self.words[self.at]
            if word in (",", ";"):
                self.at += 1
            elif not (word in (r"\cdot", ":", "*") and self.at < close):
                break
        if self.at == start:
            raise self.unexpected("an index")
        return lifted(Script(place, "group", tuple(parts), "", self.span(start)))

    # Functions -----------------------------------------------------------------------------------

    def function(self) -> Node:
        start = self.at
        word = self.words[start]
        self.at += 1
        name = word[1:]
        if word == r"\arg" and self.words[self.at] in (r"\max", r"\min"):
            name += self.words[self.at][1:]
            self.at += 1
        return self.applied(Symbol(name, self.span(start), self.bold), start)

    def applied(self, symbol: Symbol, start: int) -> Node:
        """The function with its scripts and, where one follows, its argument."""
        function: Node = symbol
        if self.words[self.at] in ("^", "_", "'"):
            scripts = tuple(self.scripts())
            function = Scripted(symbol, scripts, self.span(start)) if scripts else symbol
        word = self.words[self.at]
        if word in ("(", "[", r"\{"):
            self.at += 1
            return Apply(function, self.items(_PARTNERS[word]), self.span(start))
        if self.stopped():
            return function
        argument = self.bare_argument()
        braced = word == "{" and isinstance(argument, Group) and argument.bracket == "("
        arguments = argument.items if braced and isinstance(argument, Group) else (argument,)
        return Apply(function, arguments, self.span(start))

    def bare_argument(self) -> Node:
        r"""`\log \hat y_i` takes one scripted factor, `\log \sigma(z)` the letter with its own."""
        start = self.at
        factor = self.factor()
        if self.words[self.at] in ("(", "[") and is_applied_letter(factor):
            return Product("", (factor, self.factor()), self.span(start))
        if isinstance(factor, Number) and not self.stopped() and self.is_glued_letter():
            return Product("", (factor, self.factor()), self.span(start))
        return factor

    def limit(self) -> Node:
        start = self.at
        self.at += 1
        function: Node = Symbol(r"\lim", self.span(start))
        scripts = tuple(self.scripts())
        if scripts:
            function = Scripted(function, scripts, self.span(start))
        return Apply(function, (self.signed(self.term),), self.span(start))

    def root(self) -> Node:
        start = self.at
        self.at += 1
        if self.words[self.at] == "[":
            raise self.refuse("only square roots are read")
        return Root(self.argument(), self.span(start))

    # Fractions and derivatives -------------------------------------------------------------------

    def fraction(self) -> Node:
        start = self.at
        above = start + 1
        if self.words[above] == "{":
            close = self.closing(above)
            below = close + 1
            if self.words[below] == "{":
                return self.ratio(above + 1, close, below + 1, self.closing(below), start)
        elif self.words[above] in (r"\partial", r"\dd", "d") and self.words[above + 1] == "{":
            return self.ratio(above, above + 1, above + 2, self.closing(above + 1), start)
        self.at += 1
        numerator = self.argument()
        denominator = self.argument()
        return Quotient(numerator, denominator, self.span(start))

    def ratio(self, above: int, middle: int, below: int, close: int, start: int) -> Node:
        """Numerator tokens from `above` up to `middle`, denominator from `below` up to `close`."""
        sign = self.derivative_sign(above, middle, below, close)
        if sign is not None:
            return self.derivative(sign, above, middle, below, close, start)
        before, self.bar = self.bar, "|never"
        self.at = above
        numerator = self.expression()
        self.reach(middle)
        self.at = below
        denominator = self.expression()
        self.close_at(close)
        self.bar = before
        return Quotient(numerator, denominator, self.span(start))

    def reach(self, index: int) -> None:
        if self.at != index:
            raise self.unexpected("the end of the numerator")

    def derivative_sign(
        self, above: int, middle: int, below: int, close: int
    ) -> Literal["partial", "d"] | None:
        top, bottom = self.words[above], self.words[below]
        if bottom not in (r"\partial", r"\dd", "d") or top not in (r"\partial", r"\dd", "d"):
            return None
        if below + 1 >= close or self.words[below + 1] in ("_", "^") or self.stops[below + 1]:
            return None
        if above + 1 < middle and self.words[above + 1] == "_":
            return None
        return "d" if top != r"\partial" and bottom != r"\partial" else "partial"

    def derivative(
        self,
        sign: Literal["partial", "d"],
        above: int,
        middle: int,
        below: int,
        close: int,
        start: int,
    ) -> Node:
        for first, last in ((above, middle), (below, close)):
            self.refuse_second(first, last)
        before, self.bar = self.bar, "|never"
        self.at = above + 1
        of = self.expression() if self.at < middle else None
        self.reach(middle)
        self.at = below + 1
        wrt = self.expression()
        self.close_at(close)
        self.bar = before
        if of is not None:
            return Derivative(of, wrt, False, sign, self.span(start))
        return Derivative(self.operand(), wrt, True, sign, self.span(start))

    def refuse_second(self, first: int, last: int) -> None:
        if first + 1 < last and self.words[first + 1] == "^":
            raise self.refuse("second derivatives are not read", first)
        for index in range(first + 1, last):
            if self.words[index] in (r"\partial", r"\dd") and self.words[index - 1] != "{":
                raise self.refuse("two derivatives in one fraction are not read", index)

    def operand(self) -> Node | None:
        """What stands behind an operator: a group, or the factors up to + or - or `\\odot`."""
        if self.stopped():
            return None
        return self.factor() if self.words[self.at] in ("(", "[", r"\{") else self.tight()

    def is_differential(self, at: int) -> bool:
        """Whether a d (or ∂) stands directly before the letter it belongs to."""
        word = self.words[at]
        if word in (r"\partial", r"\dd"):
            return True
        if word != "d" or at + 1 >= len(self.tokens) or not self.tokens[at + 1].glued:
            return False
        before = self.words[at - 1] if at and self.tokens[at].glued else ""
        if len(before) == 1 and before.isalpha():
            return False
        after = self.words[at + 1]
        return (
            after[0].isalpha()
            or after in LETTERS
            or after in _ACCENTS
            or after in BOLD | (_UPRIGHT)
            or after in _SCRIPT_FONTS
        )

    def differential(self) -> Node:
        r"""`dW`, `\partial W`, and `\partial A / \partial B` written on the line."""
        start = self.at
        sign: Literal["partial", "d"] = "partial" if self.words[start] == r"\partial" else "d"
        self.at += 1
        if self.words[self.at] == "^":
            raise self.refuse("second derivatives are not read", start)
        if self.words[self.at] == "_" and sign == "partial":
            return self.subscripted(start, "partial")
        if self.is_over_differential(self.at):
            self.at += 2
            wrt = self.factor()
            return Derivative(self.operand(), wrt, True, sign, self.span(start))
        if self.stopped():
            raise self.unexpected("what is derived")
        operand = self.differential_operand()
        if self.is_over_differential(self.at):
            self.at += 2
            return Derivative(operand, self.factor(), False, sign, self.span(start))
        return self.prefixed(operand, r"\partial " if sign == "partial" else "d", start)

    def is_over_differential(self, at: int) -> bool:
        return (
            self.words[at] == "/"
            and (self.is_differential(at + 1) or self.words[at + 1] == "d" != self.words[at + 2])
            and not self.stops[at + 2]
        )

    def differential_operand(self) -> Node:
        start = self.at
        factor = self.factor()
        if self.words[self.at] == "(" and self.is_over_differential(self.partners[self.at] + 1):
            return Product("", (factor, self.factor()), self.span(start))
        return factor

    def prefixed(self, operand: Node, prefix: str, start: int) -> Node:
        span = self.span(start)
        match operand:
            case Symbol():
                return Symbol(prefix + operand.head, span, operand.bold)
            case Scripted(base=Symbol() as base):
                head = Symbol(prefix + base.head, Span(span.start, base.span.end), base.bold)
                return Scripted(head, operand.scripts, span)
        raise self.refuse("a differential of something that is no letter is not read", start)

    def nabla(self) -> Node:
        start = self.at
        self.at += 1
        if self.words[self.at] == "^":
            raise self.refuse("second derivatives are not read", start)
        if self.words[self.at] == "_":
            return self.subscripted(start, "nabla")
        return Derivative(self.gradient_operand(), None, False, "nabla", self.span(start))

    def subscripted(self, start: int, sign: Literal["partial", "nabla"]) -> Node:
        self.at += 1
        before, self.in_script = self.in_script, True
        wrt = self.argument()
        self.in_script = before
        if self.words[self.at] == "^":
            raise self.refuse("second derivatives are not read", start)
        return Derivative(self.gradient_operand(), wrt, False, sign, self.span(start))

    def gradient_operand(self) -> Node | None:
        start = self.at
        if self.stopped():
            return None
        factor = self.factor()
        is_letter = isinstance(factor, (Symbol, Scripted))
        if is_letter and self.words[self.at] == "(" and self.tokens[self.at].glued:
            return Product("", (factor, self.factor()), self.span(start))
        return factor

    # Sums ----------------------------------------------------------------------------------------

    def big(self) -> Node:
        start = self.at
        kind: Literal["sum", "product"] = "sum" if self.words[start] == r"\sum" else "product"
        self.at += 1
        below: list[Node] = []
        upper: Node | None = None
        limits = self.at
        while self.words[self.at] in ("_", "^"):
            if self.words[self.at] == "_":
                self.at += 1
                below.extend(self.limit_items())
            else:
                self.at += 1
                upper = self.upper_limit()
        span = self.span(limits if self.at > limits else start)
        if upper is not None and not below:
            raise self.refuse("an upper bound without the variable that runs to it", limits)
        if len(below) > MOST_BOUNDS:
            raise self.refuse(f"more than {MOST_BOUNDS} summed variables", limits)
        bounds = tuple(bounds_of(below, upper, span))
        if self.stopped() and self.words[self.at] not in SIGNS:
            raise self.unexpected("what is added up")
        return Big(kind, bounds, self.signed(self.term), self.span(start))

    def limit_items(self) -> Sequence[Node]:
        before, self.in_script = self.in_script, True
        found: list[Node] = []
        if self.words[self.at] != "{":
            found.append(self.single_argument())
        else:
            close = self.closing(self.at)
            self.at += 1
            while self.at < close:
                found.append(self.item())
                if self.words[self.at] in (",", ";", ":", r"\\"):
                    self.at += 1
                elif self.at != close:
                    raise self.unexpected("`}`")
            self.at = close + 1
        self.in_script = before
        return found

    def upper_limit(self) -> Node:
        before, self.in_script = self.in_script, True
        node = self.argument()
        self.in_script = before
        return node

    # Matrices and cases --------------------------------------------------------------------------

    def environment(self, name: str) -> Node:
        if name in _MATRICES:
            return self.matrix(name)
        if name in _CASES:
            return self.cases(name)
        hint = did_you_mean(name, sorted(_MATRICES | _CASES))
        raise self.refuse(f"unknown environment `{name}`" + (f"; {hint}" if hint else ""))

    def column_specification(self) -> None:
        for opening in ("[", "{"):
            if self.words[self.at] == opening:
                self.at = self.closing(self.at) + 1

    def matrix(self, name: str) -> Node:
        start = self.at
        self.at += 1
        if name == "array" or name.endswith("*"):
            self.column_specification()
        before, self.bar = self.bar, "|never"
        rows: list[tuple[Node, ...]] = []
        places: list[int] = []
        while not self.at_end(name, start):
            places.append(self.at)
            row = self.matrix_row()
            if len(row) > 1 or not isinstance(row[0], Number) or row[0].text:
                rows.append(row)
            else:
                places.pop()
        self.at += 1
        self.bar = before
        if not rows:
            raise self.refuse("a matrix without entries", start)
        self.refuse_ragged(rows, places)
        return Matrix(tuple(rows), self.span(start))

    def refuse_ragged(self, rows: Sequence[tuple[Node, ...]], places: Sequence[int]) -> None:
        width = len(rows[0])
        if width > 1 and any(len(row) == 1 and isinstance(row[0], Dots) for row in rows[1:]):
            raise self.refuse("dots stand for rows that are left out", places[0])
        for number, (row, place) in enumerate(zip(rows, places, strict=True), 1):
            if len(row) != width:
                first = f"the first row has {width}"
                reason = f"row {number} of the matrix has {len(row)} entries, {first}"
                raise NotRead(self.refuse(reason, place).at, reason, ill_formed=True)

    def at_end(self, name: str, start: int) -> bool:
        word = self.words[self.at]
        if not word:
            raise self.refuse(f"`\\begin{{{name}}}` is never closed", start)
        if word.startswith(r"\end{") and word != rf"\end{{{name}}}":
            raise self.refuse(f"`\\begin{{{name}}}` is closed by `{word}`")
        return word.startswith(r"\end{")

    def matrix_row(self) -> tuple[Node, ...]:
        row = [self.entry()]
        while self.words[self.at] == "&":
            self.at += 1
            row.append(self.entry())
        word = self.words[self.at]
        if word == r"\\":
            self.at += 1
        elif not word.startswith(r"\end{"):
            raise self.unexpected("`&`, `\\\\` or the end of the matrix")
        return tuple(row)

    def entry(self) -> Node:
        """One entry; an empty one is a 0 without text."""
        word = self.words[self.at]
        if word in ("&", r"\\") or word.startswith(r"\end{"):
            place = self.tokens[self.at].start if word else 0
            return Number(Fraction(0), "", Span(place, place))
        node = self.item()
        if self.words[self.at] in (",", ".", ";"):
            self.at += 1
        return node

    def is_open_cases(self, start: int) -> bool:
        r"""`\left\{ \begin{array}{l} ... \end{array} \right.`: cases without their name."""
        opened = self.words[start + 1]
        if opened not in (r"\begin{array}", r"\begin{matrix}", r"\begin{aligned}"):
            return False
        close = self.partners[start + 1]
        return close > 0 and self.words[close + 1] == r"\right."

    def open_cases(self) -> Node:
        start = self.at
        self.at += 1
        name = self.words[self.at][7:-1]
        node = self.cases(name)
        self.at += 1
        return Cases(node.branches, self.span(start))

    def cases(self, name: str) -> Cases:
        start = self.at
        self.at += 1
        if name == "array":
            self.column_specification()
        before, self.bar = self.bar, "|never"
        branches: list[tuple[Node, Node | None]] = []
        while not self.at_end(name, start):
            branches.append(self.branch())
        self.at += 1
        self.bar = before
        if not branches:
            raise self.refuse("cases without a branch", start)
        return Cases(tuple(branches), self.span(start))

    def branch(self) -> tuple[Node, Node | None]:
        value = self.expression()
        start = self.at
        conditions = self.said()
        while not (self.words[self.at] == r"\\" or self.words[self.at].startswith(r"\end{")):
            conditions.append(self.item())
            conditions.extend(self.said())
        condition = conditions[0] if conditions else None
        if len(conditions) > 1:
            condition = Group("", tuple(conditions), self.span(start))
        if self.words[self.at] == r"\\":
            self.at += 1
        return value, condition

    def said(self) -> list[Node]:
        """Commas and "if" say nothing of their own; other words are a condition in words."""
        found: list[Node] = []
        while (word := self.words[self.at]) in ("&", ",", ";", ".", ":", r"\quad", r"\forall") or (
            word.startswith(r"\text{")
        ):
            self.at += 1
            inner = word[word.index("{") + 1 : -1].split() if "{" in word else []
            said = " ".join(inner).strip(" .,;:()")
            if any(part.strip(" .,;:()").lower() not in _OTHERWISE for part in inner if said):
                found.append(Symbol(said, self.span(self.at - 1)))
        return found

    # Wrappers ------------------------------------------------------------------------------------

    def wrapped(self) -> Node:
        self.at += 1
        return self.argument()

    def braced_note(self) -> Node:
        r"""`\underbrace{x}_{note}`: the note is dropped."""
        self.at += 1
        node = self.argument()
        if self.words[self.at] in ("_", "^"):
            self.at += 1
            self.skip_argument()
        return node

    def noted(self) -> Node:
        r"""`\underset{note}{x}`: the note is dropped."""
        self.at += 1
        self.skip_argument()
        return self.argument()

    def skip_argument(self) -> None:
        if not self.words[self.at]:
            raise self.unexpected("an argument")
        self.at = self.closing(self.at) + 1 if self.words[self.at] == "{" else self.at + 1

    def greek(self) -> Node:
        token = self.tokens[self.at]
        self.at += 1
        return Symbol(token[0], Span(token[1], token[2]), self.bold)


_HANDLERS: dict[str, Handler] = {
    **dict.fromkeys(LETTERS, Expressions.greek),
    **dict.fromkeys("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ", Expressions.letter),
    **dict.fromkeys(_FUNCTION_COMMANDS, Expressions.function),
    **dict.fromkeys(_UNWRAPPED, Expressions.wrapped),
    **dict.fromkeys(BOLD, Expressions.bold_font),
    **dict.fromkeys(_UPRIGHT, Expressions.upright_font),
    **dict.fromkeys(_SCRIPT_FONTS, Expressions.script_font),
    **dict.fromkeys(_ACCENTS, Expressions.accent),
    **dict.fromkeys((r"\underbrace", r"\overbrace"), Expressions.braced_note),
    **dict.fromkeys((r"\underset", r"\overset", r"\stackrel"), Expressions.noted),
    **dict.fromkeys(("(", "[", r"\{"), Expressions.group),
    **dict.fromkeys(("|", r"\|", r"\lvert", r"\lVert"), Expressions.norm),
    **dict.fromkeys((r"\sum", r"\prod"), Expressions.big),
    **dict.fromkeys((r"\partial", r"\dd"), Expressions.differential),
    "{": Expressions.brace,
    r"\frac": Expressions.fraction,
    r"\sqrt": Expressions.root,
    r"\dots": Expressions.dots,
    r"\nabla": Expressions.nabla,
    r"\lim": Expressions.limit,
}


def _ends(word: str) -> bool:
    """Whether a token ends a chain of factors: an environment's end, or words of prose."""
    if word.startswith(r"\end{"):
        return True
    inner = word[word.index("{") + 1 : -1] if "{" in word else ""
    return not re.fullmatch(r"[^\W_][\w.-]*", inner) or inner.lower() in PROSE


def partners(words: Sequence[str]) -> list[int]:
    """For every opening bracket, brace or environment the index of its end, or -1."""
    found = [-1] * len(words)
    stack: list[tuple[str, int]] = []
    for index, word in enumerate(words):
        if word in _PARTNERS:
            stack.append((_PARTNERS[word], index))
        elif word in _ENDS:
            _close(word, index, stack, found)
        elif word[:5] == "\\begi":
            stack.append((r"\end{" + word[7:], index))
        elif word[:5] == "\\end{":
            _close(word, index, stack, found)
    return found


def _close(word: str, index: int, stack: list[tuple[str, int]], found: list[int]) -> None:
    """A brace or an end closes what is open inside it; other brackets only meet their own."""
    hard = word == "}" or word.startswith(r"\end{")
    while stack:
        expected, opening = stack[-1]
        if expected == word:
            stack.pop()
            found[opening] = index
            return
        if not hard or expected.startswith(r"\end{") or expected == "}":
            return
        stack.pop()


def juxtaposed(factors: Sequence[Node], span: Span) -> Node:
    return factors[0] if len(factors) == 1 else Product("", tuple(factors), span)


def doubled(base: Scripted, scripts: Sequence[Script]) -> bool:
    r"""`\mathbf{h^2}^2` has two exponents: the outer one belongs to the whole."""
    places = {script.place for script in base.scripts if script.kind != "prime"}
    return any(script.place in places for script in scripts if script.kind != "prime")


def index_parts(node: Node) -> tuple[Node, ...]:
    """`ij` in a script is two indices."""
    if isinstance(node, Product) and node.sign == "" and all(map(_is_index, node.factors)):
        return node.factors
    return (node,)


def _is_index(node: Node) -> bool:
    return isinstance(node, (Symbol, Number, Dots)) or (
        isinstance(node, Scripted) and isinstance(node.base, Symbol)
    )


def lifted(script: Script) -> list[Script]:
    r"""`^{l^T}` is a mark and a transposition."""
    if script.place == "below" or len(script.parts) != 1:
        return [script]
    part = script.parts[0]
    if not isinstance(part, Scripted) or part.scripts[-1].kind != "transpose":
        return [script]
    rest = part.scripts[:-1]
    inner = Scripted(part.base, rest, part.span) if rest else part.base
    return [Script("above", "group", (inner,), "", script.span), part.scripts[-1]]


def is_applied_letter(node: Node) -> bool:
    """A letter that takes the parentheses behind it: sigma, f, or anything with a prime."""
    if isinstance(node, Scripted):
        primed = any(script.kind == "prime" for script in node.scripts)
        return primed or is_applied_letter(node.base)
    head = node.head if isinstance(node, Symbol) else ""
    return head in _APPLIED_LETTERS or bool(function_spelt(head) or function_lettered(head))


def letters_of(node: Node) -> str:
    """The letters of a name, or nothing where it is no name."""
    match node:
        case Symbol():
            return node.head
        case Number():
            return node.text
        case Product(sign=""):
            parts = [letters_of(factor) for factor in node.factors]
            return "".join(parts) if all(parts) else ""
    return ""


def is_one(node: Node) -> bool:
    if isinstance(node, Number):
        return node.text == "1"
    return isinstance(node, Symbol) and node.head in ("1", "I", r"\mathbb{1}", r"\mathbb{I}")


def iverson(group: Group) -> Node:
    """`[z > 0]` is an indicator by itself."""
    if group.bracket == "[" and len(group.items) == 1 and isinstance(group.items[0], Comparison):
        return Indicator(group.items[0], group.span)
    return group


def indicates(factors: list[Node], factor: Node, span: Span) -> bool:
    r"""Join `\mathbb{1}` and `\{z > 0\}` to an indicator, in place."""
    if not isinstance(factor, Group) or len(factor.items) != 1:
        return False
    condition = factor.items[0]
    if not isinstance(condition, Comparison):
        return False
    if is_one(factors[-1]):
        whole = factors[-1].span.to(factor.span)
        factors[-1] = Indicator(condition, whole)
    elif factor.bracket == "[":
        factors.append(Indicator(condition, factor.span))
    else:
        return False
    return True


def scripted(base: Node, scripts: Sequence[Script], span: Span) -> Node:
    r"""The base with its scripts: `\mathbf{1}_{(j=1)}` is an indicator, `y^*` a letter of its own,
    and `W_{2 \times 3}` says of what size W is, not which entry is meant."""
    scripts = [script for script in scripts if not _is_size(script)]
    if isinstance(base, Symbol) and any(_is_star(script) for script in scripts):
        base = Symbol(f"{base.head}^*", base.span, base.bold)
        scripts = [script for script in scripts if not _is_star(script)]
    return with_condition(base, scripts, span) if scripts else base


def _is_star(script: Script) -> bool:
    return script.kind == "star" and script.place == "above"


def _is_size(script: Script) -> bool:
    r"""`_{2 \times 3}`, `_{2x3}`, `_{n \times m}`."""
    if script.place != "below" or script.kind != "group":
        return False
    match script.parts:
        case (Product(sign=r"\times", factors=(_, _, *_) as factors),):
            return all(isinstance(f, (Number, Symbol, Scripted)) for f in factors)
        case (Number(), Symbol(head="x"), Number()):
            return True
    return False


def with_condition(base: Node, scripts: Sequence[Script], span: Span) -> Node:
    r"""`\mathbf{1}_{(j=1)}` is an indicator; anything else keeps its scripts."""
    if is_one(base):
        for place, script in enumerate(scripts):
            if script.place == "below" and len(script.parts) == 1:
                condition = _condition(script.parts[0])
                if condition is not None:
                    rest = (*scripts[:place], *scripts[place + 1 :])
                    indicator = Indicator(condition, span)
                    return Scripted(indicator, rest, span) if rest else indicator
    return Scripted(base, tuple(scripts), span)


def _condition(part: Node) -> Comparison | None:
    if isinstance(part, Group) and len(part.items) == 1:
        return _condition(part.items[0])
    return part if isinstance(part, Comparison) else None


def bounds_of(items: Sequence[Node], upper: Node | None, span: Span) -> list[Bound]:
    """What is written below and above a sum; a condition on a known variable joins it."""
    found: list[Bound] = []
    for item in _spread(items):
        bound = _bound(item, upper, span)
        known = next((b for b in found if b.variable == bound.variable), None)
        if known is None and isinstance(item, Comparison):
            known = next((b for b in found if _same(b.variable, bound.variable)), None)
        if known is None:
            found.append(bound)
        else:
            joined = (*known.conditions, *_as_conditions(item))
            place = found.index(known)
            found[place] = Bound(known.variable, known.lower, known.upper, joined, span)
    return _shared_ends(found)


def _spread(items: Sequence[Node]) -> list[Node]:
    """`\\sum_{ij}` has two variables."""
    return [part for item in items for part in index_parts(item)]


def _same(left: Node, right: Node) -> bool:
    return isinstance(left, Symbol) and isinstance(right, Symbol) and left.head == right.head


def _as_conditions(item: Node) -> tuple[Comparison, ...]:
    return (item,) if isinstance(item, Comparison) else ()


def _bound(item: Node, upper: Node | None, span: Span) -> Bound:
    if not isinstance(item, Comparison):
        return Bound(item, None, upper, (), span)
    if isinstance(item.left, Comparison) and item.relation in (r"\leq", "<"):
        return _between(item, item.left, upper, span)
    if item.relation == "=":
        return Bound(item.left, item.right, upper, (), span)
    return Bound(item.left, None, upper, (item,), span)


def _between(item: Comparison, left: Comparison, upper: Node | None, span: Span) -> Bound:
    r"""`1 \leq i \leq n`."""
    if left.relation == item.relation == r"\leq" and upper is None:
        return Bound(left.right, left.left, item.right, (), span)
    right = Comparison(item.relation, left.right, item.right, item.span)
    return Bound(left.right, None, upper, (left, right), span)


def _shared_ends(bounds: list[Bound]) -> list[Bound]:
    r"""`\sum_{i,j=1}^n`: the lower end at the last variable holds for those before it."""
    last = bounds[-1] if bounds else None
    if last is None or last.lower is None or last.upper is None:
        return bounds
    return [
        Bound(b.variable, last.lower, b.upper, b.conditions, b.span)
        if b.lower is None and not b.conditions
        else b
        for b in bounds
    ]
