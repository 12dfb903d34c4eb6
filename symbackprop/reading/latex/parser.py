r"""From a passage to its statements.

Owns: rows, the relations between the sides of a chain, several statements in one text, and the
remarks beside them ("for all l"). Refuses: the grammar of one side (`expressions`) and meaning.
Would be wrong if it raised, or lost a row: what is not understood is an `Unread` of its own.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from symbackprop.reading.latex.expressions import (
    BOLD,
    LOOSE,
    RELATIONS,
    SIGNS,
    Expressions,
    NotRead,
    partners,
)
from symbackprop.reading.latex.lexer import PROSE, Token, tokenize
from symbackprop.reading.latex.macros import (
    MOST_TOKENS,
    NO_MACROS,
    BadMacro,
    Macros,
    expand,
    without_definitions,
)
from symbackprop.reading.latex.syntax import Comparison, Group, Node, Span, Statement, Unread

LONGEST = 100_000
DEEPEST_WRAPPING = 8

_TRANSPARENT = frozenset(
    "aligned align align* split gathered gather gather* equation equation* eqnarray eqnarray* "
    "multline multline* alignedat alignat alignat* flalign flalign* displaymath math subequations "
    "dmath dmath* multlined lgathered rgathered center".split()
)
_WRAPPERS = frozenset(("array", "matrix", "cases", "dcases", "rcases"))
_DROPPED = frozenset((r"\phantom", r"\hphantom", r"\vphantom", r"\arraystretch"))
_OPENED = frozenset((r"\substack", r"\mathop"))  # their braces say nothing
_STACKED = frozenset((r"\stackrel", r"\overset", r"\underset"))
_IMPLIES = frozenset((r"\Rightarrow", r"\Leftrightarrow", r"\therefore"))
_BOXES = frozenset((r"\boxed", r"\fbox", r"\ensuremath", r"\cancel"))
_BEFORE_BOX = (
    RELATIONS | _IMPLIES | frozenset(("", "&", ",", ";", r"\quad", r"\\", r"\begin{aligned}"))
)
_OPENING = frozenset(("(", "[", r"\{"))
_CLOSING = frozenset((")", "]", r"\}"))
_EDGE = frozenset((",", ";", ".", ":", "&", r"\quad"))
_JOINING = LOOSE | {r"\cdot", r"\times", "*", r"\otimes", "/"}
_INDEX_WORDS = frozenset((r"\dots", r"\ell", r"\{", r"\}"))
_INDEX = frozenset("ijklmnpqrst") | {r"\ell"}
_FURTHER = frozenset(
    "where with mit wobei avec où so then thus hence therefore since because".split()
)
_ESCAPED = {r"\_": "_", r"\*": "*", r"\^": "^"}
_AND = frozenset(("and", "und", "et", "or", "oder", "i.e.", "&"))


def read(latex: str, macros: Macros = NO_MACROS) -> tuple[Statement | Unread, ...]:
    """All statements of a passage in order; never raises."""
    whole = Span(0, len(latex))
    if len(latex) > LONGEST:
        reason = f"the formula is longer than {LONGEST} characters"
        return (Unread(whole, LONGEST, reason),)
    try:
        rows = list(rows_of(prepared(latex, macros)))
    except (NotRead, BadMacro) as found:
        return (Unread(whole, found.at, found.reason),)
    return Passage(latex).read(rows)


# Tokens ------------------------------------------------------------------------------------------


def prepared(latex: str, macros: Macros) -> list[Token]:
    latex, macros = without_definitions(latex, macros)
    tokens = tokenize(latex)
    if len(tokens) > MOST_TOKENS:
        raise NotRead(tokens[MOST_TOKENS].start, f"the formula has more than {MOST_TOKENS} words")
    return cleaned(expand(tokens, macros))


def cleaned(tokens: list[Token]) -> list[Token]:
    """Without what is invisible, and with relations that carry a note as plain relations."""
    tokens = unescaped(tokens)
    tokens = double_bars(tokens)
    words = {token[0] for token in tokens}
    if words & BOLD:
        tokens = unfolded_fonts(tokens)
    if words & (_DROPPED | _STACKED | _OPENED):
        tokens = list(_without_invisible(tokens))
    return without_boxes(tokens) if "{" in words else tokens


def unescaped(tokens: list[Token]) -> list[Token]:
    r"""`z\_i`, as some Markdown wants the sign of an index, and `$\[ a = b \]$` without the inner
    delimiters."""
    if tokens and tokens[0][0] == r"\[" and tokens[-1][0] == r"\]":
        tokens = tokens[1:-1]
    return [
        token._replace(text=_ESCAPED[token[0]]) if token[0] in _ESCAPED else token
        for token in tokens
    ]


def double_bars(tokens: list[Token]) -> list[Token]:
    """`||a||` is a norm, as with one sign for both bars."""
    found: list[Token] = []
    for token in tokens:
        if token[0] == "|" and found and found[-1][0] == "|" and token.glued:
            found[-1] = found[-1]._replace(text=r"\|", end=token.end)
        else:
            found.append(token)
    return found


def unfolded_fonts(tokens: list[Token]) -> list[Token]:
    r"""`\mathbf{H(y, \hat{y}})` means `\mathbf{H(y, \hat{y})}`: the brace moves out."""
    words = [token[0] for token in tokens]
    ends = partners(words)
    opened = [0, *itertools.accumulate((word == "(") - (word == ")") for word in words)]
    for index, word in enumerate(words[:-1]):
        if word in BOLD and words[index + 1] == "{" and (close := ends[index + 1]) > 0:
            missing = opened[close] - opened[index + 2]
            if missing == 1 and words[close + 1 : close + 2] == [")"]:
                tokens[close], tokens[close + 1] = tokens[close + 1], tokens[close]
    return tokens


def without_boxes(tokens: list[Token]) -> list[Token]:
    r"""Without braces around whole equations: `\boxed{a = b}`, `{\color{red} = b}`."""
    boxes: list[tuple[int, str]] = []
    dropped: set[int] = set()
    held = {0: False}
    before = ""
    for index, token in enumerate(tokens):
        word = token[0]
        if word == "{":
            boxes.append((index, before))
            held[index] = False
        elif word == "}" and boxes:
            opening, outside = boxes.pop()
            starts = tokens[opening + 1][0] in RELATIONS
            if held[opening] and (starts or outside in _BOXES or outside in _BEFORE_BOX):
                dropped.update((opening, index))
                if outside in _BOXES:
                    dropped.add(opening - 1)
        elif word in _OPENING or word[:7] == r"\begin{":
            boxes.append((-1, ""))
            held[-1] = False
        elif (word in _CLOSING or word[:5] == r"\end{") and boxes and boxes[-1][0] < 0:
            boxes.pop()
        elif word in RELATIONS and boxes:
            held[boxes[-1][0]] = True
        before = word
    if not dropped:
        return tokens
    return [token for index, token in enumerate(tokens) if index not in dropped]


def _without_invisible(tokens: list[Token]) -> Iterator[Token]:
    words = [token[0] for token in tokens]
    ends = partners(words)
    skipped: set[int] = set()
    for index, word in enumerate(words):
        after = index + 1
        has_argument = after < len(words) and words[after] == "{" and ends[after] > 0
        if word in _DROPPED and has_argument:
            skipped.update(range(index, ends[after] + 1))
        elif word in _OPENED and has_argument:
            skipped.update((index, after, ends[after]))
        elif word in _STACKED and has_argument:
            second = ends[after] + 1
            braced = words[second : second + 1] == ["{"]
            relation = second + braced
            if relation < len(words) and words[relation] in RELATIONS:
                skipped.update(range(index, relation))
                skipped.update((relation + 1,) if braced else ())
                if _DEFINED.search(" ".join(words[after:second])):
                    tokens[relation] = tokens[relation]._replace(text=":=")
    return (token for index, token in enumerate(tokens) if index not in skipped)


_DEFINED = re.compile(r"\bd ?e ?f\b|\\triangle|\\Delta")


# Rows --------------------------------------------------------------------------------------------


def rows_of(tokens: list[Token]) -> Iterator[list[Token]]:
    r"""Parts between `\\` outside braces and matrices; environments of rows leave no trace."""
    tokens = unwrapped(tokens)
    depth = 0
    row: list[Token] = []
    skip = 0
    for index, token in enumerate(tokens):
        word = token[0]
        if index < skip:
            continue
        if word == "{":
            depth += 1
        elif word == "}":
            depth -= 1
            if depth < 0:
                raise NotRead(token.start, "this `}` closes nothing")
        elif word[:7] == r"\begin{":
            if word[7:-1] in _TRANSPARENT:
                skip = _arguments(tokens, index)
                continue
            depth += 1
        elif word[:5] == r"\end{":
            if word[5:-1] in _TRANSPARENT:
                continue
            depth -= 1
        elif depth == 0 and word == r"\\":
            yield row
            row = []
            continue
        if depth == 0 or word != r"\quad":
            row.append(token)
    yield row


def _arguments(tokens: Sequence[Token], index: int) -> int:
    r"""Behind `\begin{alignat}{2}` and `\begin{aligned}[t]`."""
    after = index + 1
    rest = [token.text for token in tokens[after : after + 3]]
    if tokens[index].text.startswith((r"\begin{alignat", r"\begin{alignedat")) and rest[:1] == [
        "{"
    ]:
        return after + 3
    return after + 3 if rest[:1] == ["["] and rest[2:] == ["]"] and rest[1] in "tbc" else after


def unwrapped(tokens: list[Token]) -> list[Token]:
    """Without an array, cases or brace around everything that only holds rows of equations."""
    for _ in range(DEEPEST_WRAPPING):
        if len(tokens) < 3:
            break
        words = [token[0] for token in tokens]
        last = len(words) - 1
        while last > 0 and words[last] in _EDGE:
            last -= 1
        if words[0] == r"\{" and words[last] == r"\right." and words[1].startswith(r"\begin{"):
            inner = tokens[1:last]
            if not _is_system(inner):
                return tokens
            tokens = inner
            continue
        if not (words[0] == "{" or words[0][7:-1] in _WRAPPERS) or partners(words)[0] != last:
            return tokens
        inner = tokens[1:last]
        if words[0] == "{" and not _holds_rows(words[1:last]):
            return tokens
        if words[0] != "{" and not _is_system(tokens[: last + 1]):
            return tokens
        if words[0] == r"\begin{array}" and words[1] == "{":
            inner = tokens[partners(words)[1] + 1 : last]
        tokens = inner
    return tokens


def _holds_rows(words: Sequence[str]) -> bool:
    ends = partners(words)
    index = 0
    while index < len(words):
        if words[index] in RELATIONS or words[index] == r"\\":
            return True
        index = max(ends[index], index) + 1
    return False


def _is_system(tokens: Sequence[Token]) -> bool:
    """Whether the environment holds equations: a relation = outside everything within it."""
    words = [token[0] for token in tokens]
    if words[0][7:-1] in _TRANSPARENT:
        return True
    ends = partners(words)
    index = 1
    columns = 0
    while index < len(words) - 1:
        word = words[index]
        if word == "=" and columns <= 1 and not (columns == 1 and words[index - 1] != "&"):
            return True
        columns = 0 if word == r"\\" else columns + (word == "&")
        index = max(ends[index], index) + 1
    return False


def joined(rows: Sequence[list[Token]]) -> list[list[Token]]:
    """Rows that begin with a sign, or end with one, are one statement."""
    found: list[list[Token]] = []
    depth = 0
    for row in rows:
        front = _stripped_front(row)
        if found and front and _goes_on(found[-1], row, front, depth):
            while found[-1] and found[-1][-1].text in ("&", r"\quad"):
                found[-1].pop()
            found[-1].extend(front)
            depth += _open_brackets(front)
        elif front:
            found.append(row)
            depth = _open_brackets(front)
    return found


def _stripped_front(row: list[Token]) -> list[Token]:
    start = 0
    while start < len(row) and row[start].text in ("&", r"\quad"):
        start += 1
    return row[start:]


def _goes_on(
    above: Sequence[Token], row: Sequence[Token], front: Sequence[Token], depth: int
) -> bool:
    last = next((t[0] for t in reversed(above) if t[0] not in ("&", r"\quad")), "")
    first = front[0].text
    if last in SIGNS or last in _JOINING or last in RELATIONS or depth > 0:
        return True
    if first == "+" or first in _JOINING:
        return True
    aligned = row[0].text == "&"
    return first == "-" and (aligned or not any(t[0] in RELATIONS for t in front))


def _open_brackets(tokens: Sequence[Token]) -> int:
    words = [token[0] for token in tokens]
    return sum(w in _OPENING for w in words) - sum(w in _CLOSING for w in words)


# Pieces ------------------------------------------------------------------------------------------


@dataclass
class Piece:
    """What stands between two commas, blanks or words of a row; `lead` is what parted them."""

    lead: str
    tokens: list[Token] = field(default_factory=list)
    relations: int = 0

    @property
    def first(self) -> str:
        return self.tokens[0].text if self.tokens else ""


def pieces_of(row: Sequence[Token]) -> list[Piece]:
    words = [token[0] for token in row]
    if not any(word in _SPLITTING or word[:6] == r"\text{" for word in words):
        relations = _relations(words)
        return [Piece("", list(row), relations)]
    return _Splitter(row, words).pieces()


_SPLITTING = frozenset((",", ";", r"\quad", "&", ":", r"\forall")) | _IMPLIES


def _relations(words: Sequence[str]) -> int:
    ends = partners(words)
    index = count = 0
    while index < len(words):
        count += words[index] in RELATIONS
        index = max(ends[index], index) + 1
    return count


class _Splitter:
    """Walks over one row; brackets are jumped over."""

    def __init__(self, row: Sequence[Token], words: Sequence[str]) -> None:
        self.row = row
        self.words = words
        self.found = [Piece("")]
        self.columns = 0

    def pieces(self) -> list[Piece]:
        ends = partners(self.words)
        index = 0
        while index < len(self.words):
            stop = max(ends[index], index) + 1
            self.step(index, stop)
            index = stop
        return [piece for piece in self.found if piece.tokens]

    def step(self, index: int, stop: int) -> None:
        word = self.words[index]
        if word == "&":
            self.columns += 1
            if self.parts_columns(index):
                self.found.append(Piece("&"))
        elif word in (",", ";", ":", r"\quad") or word in _IMPLIES:
            self.part(index, word)
        elif word == r"\forall":
            self.found.append(Piece("forall", [self.row[index]]))
        elif word[:6] == r"\text{" and self.is_prose(index):
            self.found.append(Piece("text", [self.row[index]]))
        else:
            self.found[-1].tokens.extend(self.within(index, stop))
            self.found[-1].relations += word in RELATIONS

    def within(self, index: int, stop: int) -> Sequence[Token]:
        """A bracket with what it holds; `&` says nothing there but in a matrix."""
        if stop == index + 1:
            return self.row[index:stop]
        inside = self.words[index:stop]
        noise = {r"\quad"} if any(w.startswith(r"\begin{") for w in inside) else {r"\quad", "&"}
        return [token for token in self.row[index:stop] if token[0] not in noise]

    def part(self, index: int, word: str) -> None:
        if word == "," and self.is_decimal(index):
            raise NotRead(self.row[index].start, "a comma between digits; write 0.5 for a half")
        if word == ":" and not any(piece.lead in ("text", "forall") for piece in self.found):
            raise NotRead(self.row[index].start, "what a colon says is not read")
        lead = "=>" if word in _IMPLIES else word
        if self.found[-1].tokens or lead == "=>":
            self.found.append(Piece(lead))
        elif lead != r"\quad" and self.found[-1].lead not in ("=>", "&"):
            self.found[-1].lead = lead

    def is_decimal(self, index: int) -> bool:
        around = self.row[index : index + 2]
        return (
            index > 0
            and len(around) == 2
            and self.words[index - 1].isdigit()
            and self.words[index + 1].isdigit()
            and all(token.glued for token in around)
        )

    def parts_columns(self, index: int) -> bool:
        """An even `&` of an align parts two equations, unless a sign stands beside it."""
        before = self.words[index - 1] if index else "&"
        after = self.words[index + 1] if index + 1 < len(self.words) else "&"
        if before == "&" or after == "&":
            return before == "&" and index > 1
        beside = RELATIONS | _JOINING | set(SIGNS)
        return self.columns % 2 == 0 and before not in beside and after not in beside

    def is_prose(self, index: int) -> bool:
        r"""`\text{softmax}` between signs is a name; words beside a formula are prose."""
        word = self.words[index]
        raw = word[word.index("{") + 1 : -1]
        inner = raw.strip()
        before = self.words[index - 1] if index else ""
        after = self.words[index + 1] if index + 1 < len(self.words) else ""
        if not re.search(r"\w", inner) or inner.lower().split()[0].rstrip(":,") in PROSE:
            return True
        if before in RELATIONS | _JOINING | set(SIGNS):
            return False
        if after in RELATIONS | _JOINING | {"^", "_", "'"}:
            return before not in ("", ",", ";", r"\quad", "&") and inner != raw
        if before in ("", ",", ";", r"\quad", "&"):
            return " " in inner or not after or after in _EDGE
        return " " in raw or not re.fullmatch(r"[\w.-]+", inner)


# Statements --------------------------------------------------------------------------------------


class Passage:
    """Gathers statements row by row; a row that leaves out its first side takes it from above."""

    def __init__(self, latex: str) -> None:
        self.latex = latex
        self.found: list[Statement | Unread] = []
        self.above: dict[int, Node | None] = {}
        self.row: dict[int, Node | None] = {}
        self.column = 0
        self.pending: list[Token] = []
        self.remark: list[Token] = []
        self.open = False
        self.in_remark = False

    def read(self, rows: Sequence[list[Token]]) -> tuple[Statement | Unread, ...]:
        for row in joined(rows):
            try:
                pieces = pieces_of(row)
            except NotRead as refused:
                self.unread(row, refused)
                continue
            self.read_row(pieces)
        if not self.found:
            self.found.append(self.nothing())
        return tuple(self.found)

    def nothing(self) -> Unread:
        what = "only words" if self.latex.strip() else "an empty formula"
        return Unread(Span(0, len(self.latex)), 0, f"{what}: there is no formula to read")

    def read_row(self, pieces: Sequence[Piece]) -> None:
        self.row, self.column, self.open, self.in_remark = {}, 0, False, False
        for number, piece in enumerate(pieces):
            following = pieces[number + 1] if number + 1 < len(pieces) else None
            self.column += piece.lead == "&"
            self.take(piece, following)
        self.close()
        self.above = self.row or self.above

    def take(self, piece: Piece, following: Piece | None) -> None:
        kind = self.kind(piece)
        if kind == "statement":
            self.close()
            self.statement(piece)
        elif kind == "remark":
            self.add_remark(piece, following)
        elif not (piece.lead == "text" and len(piece.tokens) == 1 and is_and(piece.tokens[0])):
            self.pending.extend(piece.tokens)

    def kind(self, piece: Piece) -> str:
        """Whether a piece is a statement, a remark on the one before, or on the one to come."""
        if piece.lead in ("text", "forall"):
            return self.kind_of_words(piece)
        if self.in_remark and piece.lead != "&" and not (piece.lead == "=>" and piece.relations):
            return "remark" if self.open else self.after_pending(piece)
        if not self.open or piece.lead in ("=>", "&"):
            return "statement"
        if piece.first in RELATIONS:
            return "statement"
        has_relation = isinstance(self.found[-1], Unread) or bool(self.found[-1].relations)
        if not piece.relations:
            return "remark" if has_relation or self.remark else "statement"
        return "remark" if is_range(piece) else "statement"

    def after_pending(self, piece: Piece) -> str:
        """`\\forall l, a = b`: the words come first."""
        if piece.relations and piece.lead in (":", ",", r"\quad") and not is_range(piece):
            self.in_remark = False
            return "statement"
        return "pending"

    def kind_of_words(self, piece: Piece) -> str:
        word = piece.first
        inner = word[word.index("{") + 1 : -1].strip(" ,:") if "{" in word else ""
        opening = inner.lower().split()[0] if inner else ""
        rest = len(piece.tokens) > 1
        further = rest and piece.relations and not is_range(Piece("", piece.tokens[1:], 1))
        if opening in _AND and rest:
            return self.kind(Piece(",", piece.tokens[1:], piece.relations))
        if further and (opening in _FURTHER or opening not in PROSE) and piece.lead == "text":
            return "statement"
        self.in_remark = bool(rest) or piece.lead == "forall" or opening in PROSE
        return "remark" if self.open else "pending"

    def add_remark(self, piece: Piece, following: Piece | None) -> None:
        self.remark.extend(piece.tokens)
        enumerated = following is not None and following.lead == "," and not following.relations
        last = self.found[-1]
        if enumerated or not isinstance(last, Statement):
            return
        condition = condition_of(piece.tokens)
        if condition is not None:
            self.found[-1] = replace(last, conditions=(*last.conditions, condition))

    def statement(self, piece: Piece) -> None:
        tokens = piece.tokens
        while tokens and (tokens[0].text in _EDGE or is_words(tokens[0], piece)):
            if tokens[0].text not in _EDGE and not is_and(tokens[0]):
                self.pending.append(tokens[0])
            tokens = tokens[1:]
        while tokens and tokens[-1].text in _EDGE:
            tokens = tokens[:-1]
        if not tokens:
            return
        self.open = True
        try:
            statement, rest = self.sides(tokens)
        except NotRead as refused:
            self.unread(tokens, refused)
            return
        self.remark.extend(rest)
        self.found.append(statement)
        self.row[self.column] = statement.sides[-1]

    def sides(self, tokens: list[Token]) -> tuple[Statement, list[Token]]:
        reader = Expressions(tokens)
        words = reader.words
        sides: list[Node] = []
        relations: list[str] = []
        continues = words[0] in RELATIONS
        if continues:
            first = self.side_above()
            if first is not None:
                sides.append(first)
                relations.append(words[0])
            reader.at = 1
        sides.append(reader.expression())
        while (word := words[reader.at]) in RELATIONS:
            if word in (r"\in", r"\sim") and relations:
                break
            relations.append(word)
            reader.at += 1
            sides.append(reader.expression())
        at = reader.at
        if words[at] and words[at] not in (r"\in", r"\sim"):
            raise reader.unexpected("a sign or the end of the formula")
        span = reader.span(0)
        statement = Statement(tuple(sides), tuple(relations), span, continues=continues)
        return statement, tokens[at:]

    def side_above(self) -> Node | None:
        if self.row:
            return self.row.get(self.column, next(reversed(self.row.values())))
        if self.above:
            return self.above.get(self.column, next(reversed(self.above.values())))
        return None

    def close(self) -> None:
        """Give the statement just read its remark."""
        if self.open and isinstance(last := self.found[-1], Statement):
            said = [text for part in (self.pending, self.remark) if (text := self.source(part))]
            condition = condition_of(self.pending)
            before = () if condition is None else (condition,)
            conditions = (*before, *last.conditions)
            self.found[-1] = replace(last, remark="; ".join(said), conditions=conditions)
            self.pending = []
        self.remark = []

    def source(self, tokens: Sequence[Token]) -> str:
        if not tokens:
            return ""
        text = self.latex[tokens[0].start : max(token.end for token in tokens)]
        text = re.sub(r"\\[a-z]*(?:text|mbox)[a-z]*\s*\{([^{}]*)\}", r"\1", text)
        return " ".join(re.sub(r"\\q?quad\b|&", " ", text).split()).strip(" ,;")

    def unread(self, tokens: Sequence[Token], refused: NotRead) -> None:
        span = Span(tokens[0].start, max(tokens[-1].end, tokens[0].end))
        self.found.append(Unread(span, refused.at, refused.reason, refused.ill_formed))
        self.row[self.column] = None
        self.open = True


def is_words(token: Token, piece: Piece) -> bool:
    return piece.lead == "text" and token is piece.tokens[0] and token.text[:6] == r"\text{"


def is_and(token: Token) -> bool:
    return token.text[token.text.index("{") + 1 : -1].strip(" ,:").lower() in _AND


def is_range(piece: Piece) -> bool:
    r"""`l = 1`, `i < n`, `j \neq k`, `l \in \{1, 2\}`: which values a letter runs through."""
    words = [token[0] for token in piece.tokens]
    if not words or r"\dots" in words[:1]:
        return bool(words)
    relation = next((word for word in words if word in RELATIONS), None)
    if relation in ("=", ":="):
        written, values = words[0] in _INDEX and words[1] == relation, words[2:]
        if any(a.isalpha() and b.isalpha() for a, b in itertools.pairwise(values)):
            return False  # s = h W: a product is no value of an index
        return written and all(len(w) == 1 or w in _INDEX_WORDS or w.isdigit() for w in values)
    return relation in ("<", ">", r"\leq", r"\geq", r"\neq", r"\in", r"\sim")


def condition_of(tokens: Sequence[Token]) -> Comparison | None:
    """A remark as a comparison, where it is one and nothing else."""
    inner = [t for t in tokens if t.text[:6] != r"\text{" and t.text != r"\forall"]
    while inner and inner[-1].text in _EDGE:
        inner = inner[:-1]
    if not inner or not any(token.text in RELATIONS for token in inner):
        return None
    reader = Expressions(inner)
    try:
        node = reader.item()
    except NotRead:
        return None
    while isinstance(node, Group) and node.bracket == "(" and len(node.items) == 1:
        node = node.items[0]
    complete = reader.at == len(inner) and not any(t.text == r"\dots" for t in inner)
    return node if complete and isinstance(node, Comparison) else None
