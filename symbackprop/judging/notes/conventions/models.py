r"""Where a note speaks of another model: words that name a loss, an activation or a kind of network
that the given one is not.

Owns: those words, and which formulas stand under them. Refuses: judging. Words may only take away:
what is false of the network becomes undecided under them, and nothing becomes true. Would be wrong
if a section that names the network's own loss beside another one were taken for one about that.

A heading speaks for its section with the subsections, the sentence in front of a display for that
display, and for those that follow with hardly a word between.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence

from symbackprop.calculus.scalars import FUNCTIONS
from symbackprop.networks.layers.losses import LOSSES
from symbackprop.reading.notes.passages import Note

_ENTROPY = r"cross[- ]?entropy|log(?:istic|arithmic)?[- ]loss|log[- ]likelihood|\bNLL\b|\bBCE\b"
_LOSSES = {
    "cross_entropy": _ENTROPY,
    "binary_cross_entropy": _ENTROPY,
    "squared_error": r"squared?[- ]errors?|mean[- ]squared?|\bMSE\b|\bSSE\b|quadratic (?:cost|loss)"
    r"|least[- ]squares|euclidean (?:loss|distance)",
}
_OTHER_LOSSES = (
    r"\bhinge\b|\bhuber\b|absolute[- ]errors?|\bMAE\b|kullback|\bKL\b|contrastive|triplet"
)
_FUNCTIONS = {
    "sigmoid": r"sigmoids?\b|logistic function",
    "tanh": r"\btanh\b|hyperbolic tangent",
    "relu": r"\bReLUs?\b|rectif\w+",
    "leaky_relu": r"leaky",
    "softplus": r"softplus",
    "softmax": r"softmax",
}
_KINDS = (
    r"\brecurrent\b|\bRNNs?\b|\bLSTMs?\b|\bGRUs?\b|\bconvolution\w*|\bCNNs?\b|\bSVMs?\b"
    r"|support vector|batch[- ]norm\w*|layer[- ]norm\w*|\battention\b|\btransformers?\b|\bdropout\b"
    r"|regulari[sz]\w+|weight decay|\bmomentum\b|\bAdam\b|RMSprop|Adagrad|auto-?encoders?"
    r"|convolu[ct]\w+|faltung\w*|recurren\w+|св[её]ртк?\w*|рекуррентн\w+"
    r"|正则|卷积|循环神经|池化|畳み込み|합성곱|순환 신경"
)
_SINGLE = (  # models of one layer, where the network has more
    r"(?:logistic|linear|softmax|logistische\w*|lineare\w*) regression|régression (?:logist|lin)\w+"
    r"|regres\w+ (?:log[ií]st|lin)\w+|логистическ\w+ регресс\w+|逻辑回归|线性回归"
)
_SENTENCE_END = re.compile(r"(?<!\b\w)[.!?](?=\s|$)")
HARDLY_A_WORD = 24  # characters of prose between displays of one thought


def others(note: Note, loss: str, functions: Collection[str]) -> dict[int, str]:
    """What is named over a formula that the network is not, by the place of its passage; `loss` is
    that of the network file, `functions` are the network's activations."""
    passages = note.passages
    titles = dict(enumerate(note.headings, start=1))
    above = [{*passage.within, passage.section} for passage in passages]
    for whole in set[int]().union(*above).intersection(*above):
        titles[whole] = ""  # the title of a whole note is no section
    found: dict[int, str] = {}
    before = ""
    for number, passage in enumerate(passages):
        headings = [titles.get(section, "") for section in sorted(above[number])]
        named = [_other(text, loss, functions) for text in headings]
        if passage.display:
            *_, sentence = _SENTENCE_END.split(passage.before)
            if len(passage.before.strip()) > HARDLY_A_WORD:
                before = _other(sentence, loss, functions)
            named.append(before)
        if said := next(filter(None, named), ""):
            found[number] = said
    return found


def _other(text: str, loss: str, functions: Collection[str]) -> str:
    """The first word for what the network is not, where its own has none."""
    own = [_FUNCTIONS.get(name, re.escape(name)) for name in functions]
    losses = _words_of(loss)
    found = _named(text, [*_patterns(_LOSSES, LOSSES, loss), _OTHER_LOSSES])
    if found and not _named(text, [losses]):
        return found
    found = _named(text, _patterns(_FUNCTIONS, FUNCTIONS, *functions))
    if found and not _named(text, [*own, losses]):
        return found
    return _named(text, [_KINDS, _SINGLE] if len(functions) > 1 else [_KINDS])


def _patterns(known: dict[str, str], names: Collection[str], *own: str) -> list[str]:
    return [known[name] for name in names if name in known and name not in own]


def _words_of(loss: str) -> str:
    words = LOSSES[loss].words if loss in LOSSES else ""
    return _LOSSES.get(loss, re.escape(words) or r"(?!)")


def _named(text: str, patterns: Sequence[str]) -> str:
    found: Iterator[re.Match[str] | None]
    found = (re.search(pattern, text, re.IGNORECASE) for pattern in patterns)
    return next((match[0] for match in found if match is not None), "")
