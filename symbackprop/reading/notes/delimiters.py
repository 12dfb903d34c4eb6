r"""Where formulas begin and end in running Markdown text.

Owns: the delimiters people write: `$`, `$$`, `\( \)`, `\[ \]`, the same with two backslashes,
bare environments, GitHub's $`…`$, shortcodes, MathJax scripts and KaTeX annotations in HTML.
Refuses: blocks (fences, quotes and lists are taken apart before).
Would be wrong if money became a formula, if code did, or if one delimiter without its partner
turned all later ones inside out: what is not closed ends with its paragraph.

Time is linear in the text: a search that failed once is not repeated further on.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from dataclasses import dataclass

from symbackprop.reading.notes.definitions import Definitions
from symbackprop.reading.notes.gather import ENVIRONMENTS

WHOLE = frozenset("aligned alignedat split gathered".split())  # bare, and part of their formula

_TOKEN = re.compile(
    r"""
    (?P<bracket>\\\\?[\[(])
    | \\begin[ ]*\{[ ]*(?P<environment>[A-Za-z]+\*?)[ ]*\}
    | (?P<command>\\(?:(?:re)?newcommand|providecommand|DeclareMathOperator|[gex]?def|let)
      (?![A-Za-z]))
    | \\.
    | (?P<ticked>\$`(?!`))
    | (?P<ticks>`+)
    | (?P<dollars>\$\$?)
    | (?P<comment><!--)
    | (?P<tag><[/!?]?[A-Za-z])
    | \{\{[<%][ ]*(?P<shortcode>katex|math|mathjax|latex|tex)\b(?P<options>[^<>%{}\n]*)[>%]\}\}
    | \{%[ ]*(?P<liquid>katex|math|mathjax|latex)\b(?P<liquid_options>[^<>%{}\n]*)%\}
    """,
    re.VERBOSE | re.DOTALL,
)
_TAG = re.compile(
    r"""<(?:/(?P<close>[A-Za-z][A-Za-z0-9-]*)\s*+
    |(?P<open>[A-Za-z][A-Za-z0-9-]*)
     (?:\s++[A-Za-z_:@][\w:.@-]*+(?:\s*+=\s*+(?:"[^"]*+"|'[^']*+'|[^\s"'=<>`]++))?+)*+\s*+/?
    |[A-Za-z][A-Za-z0-9+.-]{1,31}:[^\s<>]*+)>""",
    re.VERBOSE,
)
_LITERAL = frozenset("script style pre code textarea".split())
_BLANK_LINE = re.compile(r"\n[ \t]*(?=\n)")
_RUN = re.compile(r"`+")
_INLINE_END = re.compile(r"\\.|\$|\{|\}", re.DOTALL)
_TEXT = re.compile(r"\\(?:text|mbox|hbox|textrm|textbf|textit|textnormal|intertext)\s*$")
_MATH_SIGN = re.compile(r"[\\^_=]")
_COMMANDED = re.compile(r"[\\^_]")
_PRICE = re.compile(r"\d[\d.,]*+[ ]++[A-Za-z]{2,}[^\\^_=]*+$")  # $10 or 6$
_MATH_TYPE = re.compile(r"type\s*=\s*[\"']?math/tex")
_TEX_ANNOTATION = re.compile(r"encoding\s*=\s*[\"']?application/x-tex")

_CLOSING = {
    "$$": r"(?<!\\)(?:\\\\)*(?P<end>\$\$)",
    "\\[": r"(?<!\\)(?:\\\\)*(?P<end>\\\])",
    "\\(": r"(?<!\\)(?:\\\\)*(?P<end>\\\))",
    "\\\\[": r"(?P<end>\\\\\])",
    "\\\\(": r"(?P<end>\\\\\))",
}


@dataclass(frozen=True)
class Found:
    """A formula from `start` to `end`, its text from `inner` to `stop`; `closing` is the pattern
    that would have closed it, "" where it is closed."""

    start: int
    inner: int
    stop: int
    end: int
    display: bool
    environment: str = ""
    closing: str = ""


@dataclass(frozen=True)
class Defined:
    """A macro definition outside every formula."""

    start: int
    end: int


def scan(text: str, *, cut: bool = False) -> list[Found | Defined]:
    """The formulas and definitions of a text in order.

    `cut`: the text may go on after its end, so a delimiter without partner is not judged yet.

    >>> [f.inner for f in scan("it costs $5 and $10, or $x$") if isinstance(f, Found)]
    [25]
    """
    return _Scanner(text, cut).found


class _Scanner:
    def __init__(self, text: str, cut: bool) -> None:
        self.text = text
        self.cut = cut
        self.found: list[Found | Defined] = []
        self._searched: dict[str, tuple[int, re.Match[str] | None]] = {}
        self._runs: dict[int, list[int]] | None = None
        self._definitions = Definitions(text)
        self._nested = True
        at = 0
        while match := _TOKEN.search(text, at):
            at = max(self._token(match), match.start() + 1)

    def _token(self, match: re.Match[str]) -> int:
        """Note what begins here; the offset after it."""
        start, inner = match.span()
        match match.lastgroup:
            case "bracket":
                return self._bracket(start, inner, match.group())
            case "environment":
                return self._environment(start, inner, match.group("environment"))
            case "command":
                return self._definition(start, inner)
            case "ticked":
                return self._ticked(start, inner)
            case "ticks":
                return self._after_code(start, inner)
            case "dollars" if match.group() == "$$":
                return self._enclosed(start, inner, "$$", display=True) or inner
            case "dollars":
                return self._dollar(start)
            case "comment":
                end = self._search("-->", inner)
                return end.end() if end else inner
            case "tag":
                return self._tag(start)
            case "options" | "shortcode" | "liquid" | "liquid_options":
                return self._shortcode(match)
            case _:
                return inner

    def _bracket(self, start: int, inner: int, sign: str) -> int:
        display = sign.endswith("[")
        end = self._search(_CLOSING[sign], inner)
        if end is None and len(sign) == 3 and not self.cut:  # a single one may close it
            return self._bracket(start, inner, sign[1:])
        if end is not None and end.end() < len(self.text) and self.text[end.end()] == "(":
            return inner  # \[text\](address)
        if end is not None and display and not self._is_display(start, end):
            return end.end()
        if end is None and not display and not self.cut and not self._is_like_math(inner):
            return inner
        return self._enclosed(start, inner, sign, display=display) or inner

    def _is_display(self, start: int, end: re.Match[str]) -> bool:
        r"""Not a footnote mark such as `\[1\]` or a box such as `\[ \]` in a sentence."""
        if _MATH_SIGN.search(self.text, start + 2, end.start("end")):
            return True
        line = self.text.rfind("\n", max(0, start - 200), start) + 1
        alone = not self.text[line:start].strip() if line or start < 200 else False
        return alone and self.text[end.end() : end.end() + 1] in ("", "\n")

    def _enclosed(self, start: int, inner: int, sign: str, *, display: bool) -> int | None:
        pattern = _CLOSING[sign]
        end = self._search(pattern, inner)
        if end is not None:
            self.found.append(Found(start, inner, end.start("end"), end.end(), display))
            return end.end()
        return self._unclosed(start, inner, pattern, display=display)

    def _ticked(self, start: int, inner: int) -> int:
        stop = self.text.find("`", inner)
        if stop < 0 or not self.text.startswith("`$", stop):
            return start + 1
        self.found.append(Found(start, inner, stop, stop + 2, False))
        return stop + 2

    def _unclosed(
        self, start: int, inner: int, closing: str, *, display: bool, environment: str = ""
    ) -> int | None:
        """A formula up to the end of its paragraph; none where a sentence goes on instead."""
        at_line = not start or self.text[start - 1] == "\n"
        if not self.cut and not at_line and not self._is_like_math(inner):
            return None
        stop = self._paragraph_end(inner)
        tag = self.text.find("</", inner, stop)
        stop = stop if tag < 0 else tag
        self.found.append(Found(start, inner, stop, stop, display, environment, closing))
        return stop

    def _environment(self, start: int, inner: int, name: str) -> int:
        bare = name.rstrip("*")
        if bare not in ENVIRONMENTS and bare not in WHOLE:
            return inner
        closing = rf"(?P<end>\\end *\{{ *{re.escape(name)} *\}})"
        end = self._search(closing, inner)
        again = self._search(rf"\\begin *\{{ *{re.escape(name)} *\}}", inner)
        if end is None or (again is not None and again.start() < end.start()):
            return self._unclosed(start, inner, closing, display=True, environment=name) or inner
        if bare in WHOLE:
            self.found.append(Found(start, start, end.end(), end.end(), True))
        else:
            display = name != "math"
            self.found.append(Found(start, inner, end.start(), end.end(), display, name))
        return end.end()

    def _dollar(self, start: int) -> int:
        text, inner = self.text, start + 1
        if text[inner : inner + 1] in ("", " ", "\t", "\n"):
            return inner
        stop = self._inline_end(inner)
        if stop is None or text[stop - 1] in " \t\n":
            return inner
        priced = text[inner].isdigit() or not _COMMANDED.search(text, inner, stop)
        if priced and (text[stop + 1 : stop + 2].isdigit() or _PRICE.match(text, inner, stop)):
            return inner
        if start and text[start - 1].isdigit() and not _MATH_SIGN.search(text, inner, stop):
            return inner
        self.found.append(Found(start, inner, stop, stop + 1, False))
        return stop + 1

    def _inline_end(self, inner: int) -> int | None:
        r"""The next dollar that is not escaped; those inside `\text{…}` belong to the formula."""
        depth = worded = 0
        inside: int | None = None
        for match in _INLINE_END.finditer(self.text, inner, self._paragraph_end(inner)):
            sign, at = match.group(), match.start()
            if sign == "$":
                if not worded or not self._nested:
                    return at
                inside = at if inside is None else inside
            elif sign == "{":
                depth += 1
                if not worded and _TEXT.search(self.text, max(inner, at - 16), at):
                    worded = depth
            elif sign == "}":
                worded = 0 if depth == worded else worded
                depth = max(depth - 1, 0)
        if inside is not None:
            self._nested = False  # a \text{ never closed: look for no more of them
        return inside

    def _after_code(self, start: int, inner: int) -> int:
        if self._runs is None:
            self._runs = {}
            for run in _RUN.finditer(self.text):
                self._runs.setdefault(len(run.group()), []).append(run.start())
        same = self._runs.get(inner - start, [])
        number = bisect_left(same, inner)
        return same[number] + inner - start if number < len(same) else inner

    def _definition(self, start: int, inner: int) -> int:
        end = self._definitions.end(start)
        if end is None:
            return inner
        self.found.append(Defined(start, end))
        return end

    def _tag(self, start: int) -> int:
        match = _TAG.match(self.text, start)
        if match is None:
            return start + 1
        name = (match.group("open") or "").lower()
        if name == "script" and _MATH_TYPE.search(match.group()):
            return self._element(match, name, display="mode=display" in match.group())
        if name == "annotation" and _TEX_ANNOTATION.search(match.group()):
            return self._element(match, name, display=False)
        if name in _LITERAL and not match.group().endswith("/>"):
            end = self._search(rf"(?i:</{name})", match.end())
            if end is not None:
                return end.start()
            return match.end() if name == "code" else len(self.text)
        return match.end()

    def _element(self, tag: re.Match[str], name: str, *, display: bool) -> int:
        end = self._search(rf"(?i:</{name})", tag.end())
        if end is None:
            return tag.end()
        self.found.append(Found(tag.start(), tag.end(), end.start(), end.start(), display))
        return end.start()

    def _shortcode(self, match: re.Match[str]) -> int:
        name = match.group("shortcode") or match.group("liquid")
        options = match.group("options") or match.group("liquid_options") or ""
        closing = (
            rf"(?P<end>\{{\{{[<%] */ *{name} *[>%]\}}\}})"
            if match.group("shortcode")
            else rf"(?P<end>\{{% *end{name} *%\}})"
        )
        start, inner = match.span()
        end = self._search(closing, inner)
        if end is None:
            return self._unclosed(start, inner, closing, display=True) or inner
        body = self.text[inner : end.start()]
        if "$" in body or "\\[" in body.replace("\\\\[", "") or "\\(" in body:
            return inner  # the formula inside has delimiters of its own
        display = "display" in options or "\n" in body
        self.found.append(Found(start, inner, end.start(), end.end(), display))
        return end.end()

    def _is_like_math(self, inner: int) -> bool:
        return _MATH_SIGN.search(self.text, inner, self._paragraph_end(inner)) is not None

    def _paragraph_end(self, at: int) -> int:
        end = self._search(_BLANK_LINE.pattern, at)
        return end.start() if end else len(self.text)

    def _search(self, pattern: str, at: int) -> re.Match[str] | None:
        """The next match from `at` on; offsets only grow, so the last answer mostly holds."""
        known = self._searched.get(pattern)
        if known is not None and known[0] <= at and (known[1] is None or known[1].start() >= at):
            return known[1]
        match = re.compile(pattern).search(self.text, at)
        self._searched[pattern] = (at, match)
        return match
