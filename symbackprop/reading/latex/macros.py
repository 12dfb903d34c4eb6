r"""The author's own commands.

Owns: reading `\newcommand`, `\renewcommand`, `\providecommand`, `\def`, `\let`,
`\DeclareMathOperator` and putting their bodies in place. Refuses: anything TeX can do beyond that
(delimited parameters, conditionals): such a command is known and said not to be read. Would be
wrong if an expansion could run forever: it ends at a number of tokens and a depth.

Every token of an expansion stands at the place of the call.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from symbackprop.reading.latex.lexer import Token, tokenize

MOST_TOKENS = 20_000
DEEPEST = 50
LONGEST_BODY = 5_000


@dataclass(frozen=True)
class Macro:
    """`body` with `#1` to `#9`; `refused` says why a definition is not read; a `final` body is
    not looked at again (`\\let` keeps the old meaning)."""

    name: str
    arity: int
    body: tuple[Token, ...]
    default: tuple[Token, ...] | None = None
    final: bool = False
    refused: str = ""


@dataclass(frozen=True)
class Macros:
    definitions: Mapping[str, Macro] = field(default_factory=dict)


NO_MACROS = Macros()


class BadMacro(ValueError):
    """Inside the reader only: a call that cannot be expanded."""

    def __init__(self, at: int, reason: str) -> None:
        super().__init__(at, reason)
        self.at = at
        self.reason = reason


_DEFINING = re.compile(
    r"\\(?P<kind>(?:re)?newcommand|providecommand|DeclareRobustCommand|DeclareMathOperator"
    r"|[gex]?def|let)(?![A-Za-z])\*?"
)
_NAME = re.compile(r"\s*(?:\{\s*(\\(?:[A-Za-z]+|.))\s*\}|(\\(?:[A-Za-z]+|.)))", re.DOTALL)
_ARITY = re.compile(r"\s*\[\s*([0-9])\s*\]")
_DEFAULT = re.compile(r"\s*\[([^\]]{0,1000}+)\]")
_PARAMETERS = re.compile(r"([^{}]{0,200}+)")
_SIMPLE = re.compile(r"\s*(?:#[1-9]\s*)*")
_LET = re.compile(r"\s*=?\s*(\\[A-Za-z]+|\\.|\S)", re.DOTALL)


def collect(definitions: Iterable[str]) -> Macros:
    """The macros that these texts define, later ones replacing earlier ones."""
    found: dict[str, Macro] = {}
    for text in definitions:
        for macro, provided, _, _ in _definitions(text, found):
            if not (provided and macro.name in found):
                found[macro.name] = macro
    return Macros(found)


def without_definitions(latex: str, macros: Macros) -> tuple[str, Macros]:
    """The formula with blanks in place of its own definitions, and the macros it knows then."""
    if _DEFINING.search(latex) is None:
        return latex, macros
    found = dict(macros.definitions)
    for macro, provided, start, end in _definitions(latex, found):
        if not (provided and macro.name in found):
            found[macro.name] = macro
        latex = latex[:start] + " " * (end - start) + latex[end:]
    return latex, Macros(found)


def _definitions(text: str, known: Mapping[str, Macro]) -> Iterator[tuple[Macro, bool, int, int]]:
    """Each definition with whether it only provides, and where it stands."""
    position = 0
    while (match := _DEFINING.search(text, position)) is not None:
        read = _definition(text, match, known)
        position = match.end() if read is None else read[1]
        if read is not None:
            yield read[0], match["kind"] == "providecommand", match.start(), read[1]


def _definition(
    text: str, match: re.Match[str], known: Mapping[str, Macro]
) -> tuple[Macro, int] | None:
    name = _NAME.match(text, match.end())
    if name is None:
        return None
    word = name[1] or name[2]
    match match["kind"]:
        case "let":
            return _let(text, word, name.end(), known)
        case "def" | "gdef" | "edef" | "xdef":
            return _def(text, word, name.end())
        case "DeclareMathOperator":
            return _operator(text, word, name.end())
        case _:
            return _newcommand(text, word, name.end())


def _newcommand(text: str, word: str, at: int) -> tuple[Macro, int] | None:
    arity, default = 0, None
    if (count := _ARITY.match(text, at)) is not None:
        arity, at = int(count[1]), count.end()
        if (given := _DEFAULT.match(text, at)) is not None:
            default, at = tuple(tokenize(given[1])), given.end()
    body = _body(text, at)
    return None if body is None else (Macro(word, arity, _boxed(body[0]), default), body[1])


def _boxed(body: tuple[Token, ...]) -> tuple[Token, ...]:
    r"""What a box shows: a command of formulas with one formula between dollars, and every
    parameter in it, sets that formula in a box (`\fbox{$#1$}`), framed, scaled or measured."""
    dollars = [at for at, token in enumerate(body) if token.text == "$"]
    if len(dollars) != 2:
        return body
    inner = body[dollars[0] + 1 : dollars[1]]
    outer = (*body[: dollars[0]], *body[dollars[1] :])
    return body if any("#" in token.text for token in outer) else inner


def _def(text: str, word: str, at: int) -> tuple[Macro, int] | None:
    parameters = _PARAMETERS.match(text, at)
    if parameters is None or (body := _body(text, parameters.end())) is None:
        return None
    written = parameters[1]
    if _SIMPLE.fullmatch(written) is None:
        reason = f"`{word}` is defined with text between its parameters, which is not read"
        return Macro(word, 0, (), refused=reason), body[1]
    return Macro(word, written.count("#"), _boxed(body[0])), body[1]


def _let(text: str, word: str, at: int, known: Mapping[str, Macro]) -> tuple[Macro, int] | None:
    target = _LET.match(text, at)
    if target is None:
        return None
    if (old := known.get(target[1])) is not None:
        return replace(old, name=word), target.end()
    return Macro(word, 0, tuple(tokenize(target[1])), final=True), target.end()


def _operator(text: str, word: str, at: int) -> tuple[Macro, int] | None:
    end = _closing(text, at)
    if end is None:
        return None
    body = tokenize(rf"\operatorname{text[text.index('{', at) : end]}")
    return Macro(word, 0, tuple(body)), end


def _body(text: str, at: int) -> tuple[tuple[Token, ...], int] | None:
    end = _closing(text, at)
    if end is None:
        return None
    return tuple(tokenize(text[text.index("{", at) + 1 : end - 1])), end


_BRACE = re.compile(r"\\.|[{}]", re.DOTALL)


def _closing(text: str, at: int) -> int | None:
    """Where the group that begins here (after blanks) ends."""
    at += len(text[at : at + 200]) - len(text[at : at + 200].lstrip())
    if text[at : at + 1] != "{":
        return None
    depth = 0
    for match in _BRACE.finditer(text, at, at + LONGEST_BODY):
        depth += (match[0] == "{") - (match[0] == "}")
        if depth == 0:
            return match.end()
    return None


# Expansion ---------------------------------------------------------------------------------------


def expand(tokens: list[Token], macros: Macros) -> list[Token]:
    """All calls replaced, outermost first."""
    known = macros.definitions
    if not known or known.keys().isdisjoint([token[0] for token in tokens]):
        return tokens
    return _Expansion(tokens, known).result()


class _Expansion:
    """A stack of tokens still to be read, the next one last, each with its depth."""

    def __init__(self, tokens: Sequence[Token], known: Mapping[str, Macro]) -> None:
        self.known = known
        self.waiting = [(token, 0) for token in reversed(tokens)]
        self.made = 0

    def result(self) -> list[Token]:
        done: list[Token] = []
        while self.waiting:
            token, depth = self.waiting.pop()
            macro = self.known.get(token.text) if depth >= 0 else None
            if macro is None:
                done.append(token)
            else:
                self.call(macro, token, depth)
        return done

    def call(self, macro: Macro, token: Token, depth: int) -> None:
        if macro.refused:
            raise BadMacro(token.start, macro.refused)
        if depth >= DEEPEST:
            raise BadMacro(token.start, f"the macro `{token.text}` calls itself without end")
        arguments, end = self.arguments(macro, token)
        body = list(_filled(macro.body, arguments, token.start, max(end, token.end)))
        self.made += len(body)
        if self.made > MOST_TOKENS:
            reason = f"the macros of this formula expand to more than {MOST_TOKENS} words"
            raise BadMacro(token.start, reason)
        level = -1 if macro.final else depth + 1
        self.waiting.extend((part, level) for part in reversed(body))

    def arguments(self, macro: Macro, token: Token) -> tuple[list[list[Token]], int]:
        found: list[list[Token]] = []
        end = token.end
        if macro.default is not None:
            optional = self.optional()
            found.append(list(macro.default) if optional is None else optional[:-1])
            end = optional[-1].end if optional else end
        while len(found) < macro.arity:
            argument, last = self.argument(token)
            found.append(argument)
            end = max(end, last)
        return found, end

    def optional(self) -> list[Token] | None:
        """What stands in brackets, with the closing bracket."""
        if not self.waiting or self.waiting[-1][0].text != "[":
            return None
        found: list[Token] = []
        self.waiting.pop()
        while self.waiting:
            found.append(self.waiting.pop()[0])
            if found[-1].text == "]":
                return found
        raise BadMacro(found[-1].start if found else 0, "this `[` is never closed")

    def argument(self, call: Token) -> tuple[list[Token], int]:
        if not self.waiting:
            raise BadMacro(call.start, f"the macro `{call.text}` lacks an argument")
        first = self.waiting.pop()[0]
        if first.text != "{":
            return [first], first.end
        depth = 1
        inside: list[Token] = []
        while self.waiting:
            token = self.waiting.pop()[0]
            depth += (token.text == "{") - (token.text == "}")
            if depth == 0:
                return inside, token.end
            inside.append(token)
        raise BadMacro(first.start, "this `{` is never closed")


def _filled(
    body: Sequence[Token], arguments: Sequence[Sequence[Token]], start: int, end: int
) -> Iterator[Token]:
    """The body with its parameters, all at the place of the call."""
    for token in body:
        word = token.text
        if word[:1] == "#" and word[1:].isdigit():
            number = int(word[1:])
            for part in arguments[number - 1] if 0 < number <= len(arguments) else ():
                yield Token(part.text, start, end, part.glued)
        elif "#" in word:
            yield Token(_worded(word, arguments), start, end, token.glued)
        else:
            yield Token(word, start, end, token.glued)


def _worded(word: str, arguments: Sequence[Sequence[Token]]) -> str:
    r"""`\text{#1}` with the letters of its argument."""
    for number, argument in enumerate(arguments, 1):
        word = word.replace(f"#{number}", "".join(token.text for token in argument))
    return word
