r"""Words in scripts: y_{pred}, E_{total}, out_{o1} are letters of their own, not entries. Two marks
in one: x^{(p,2)} is of a sample and a layer.

Owns: which scripts spell a word, the heads of such symbols, and what known words make of them.
Refuses: guessing what an unknown word means. Would be wrong if an index were taken for a word:
single letters are words only where together they spell one that is known.
"""

from __future__ import annotations

from dataclasses import replace

from symbackprop.reading.latex.syntax import (
    Node,
    Number,
    Script,
    Scripted,
    Statement,
    Sum,
    Symbol,
    rebuilt,
)

PREDICTED = frozenset("pred predicted prediction out output hat model est".split())
TARGET = frozenset("true target label labels gt real actual data ref".split())
LOSS = frozenset("total tot CE BCE MSE SSE NLL loss cost data train".split())
OTHERS = frozenset("new old next prev hidden hid in input avg mean max min test val reg".split())
SPELT = PREDICTED | TARGET | LOSS | OTHERS
NODES = frozenset({"out", "net", "target", "in", "E", r"\delta", "output", "input"})
_SIGNS = {"below": "_", "above": "^"}


def worded(statement: Statement) -> Statement:
    """The formula with a letter of its own for each symbol that a word marks."""

    def changed(node: Node) -> Node:
        return _worded(_apart(node))

    return replace(statement, sides=tuple(rebuilt(side, changed) for side in statement.sides))


def _apart(node: Node) -> Node:
    """x^{(p,2)}: the layer, and the sample."""
    if not isinstance(node, Scripted):
        return node
    scripts: list[Script] = []
    for script in node.scripts:
        match script:
            case Script(place="above", bracket="(", parts=(Symbol(head=head) as sample, layer)) if (
                head not in ("l", "L") and isinstance(layer, (Number, Symbol, Sum))
            ):
                scripts += [replace(script, parts=(layer,)), replace(script, parts=(sample,))]
            case _:
                scripts.append(script)
    return replace(node, scripts=tuple(scripts)) if len(scripts) > len(node.scripts) else node


def family_of(head: str) -> str:
    """What a worded letter is by its word: `yhat`, `y`, `L`; "" where the word tells nothing."""
    letter, _, rest = head.partition("{") if head[1:2] in "_^" else ("", "", "")
    word, base = rest.removesuffix("}"), letter[:1]
    if base in ("y", "Y", "p", "o") and word in PREDICTED:
        return "yhat"
    if base in ("y", "Y", "t") and word in TARGET:
        return "y"
    return "L" if base in ("L", "C", "J", "E") and word in LOSS else ""


def _worded(node: Node) -> Node:
    if not isinstance(node, Scripted) or not isinstance(node.base, Symbol):
        return node
    for place, script in enumerate(node.scripts):
        word, count = _word_of(script, node.base.head)
        if not word:
            continue
        head = f"{node.base.head}{_SIGNS[script.place]}{{{word}}}"
        base = Symbol(head, node.base.span, node.base.bold)
        left = script.parts[count:]
        kept = (replace(script, parts=left),) if left else ()
        scripts = (*node.scripts[:place], *kept, *node.scripts[place + 1 :])
        return Scripted(base, scripts, node.span) if scripts else replace(base, span=node.span)
    return node


def _word_of(script: Script, head: str) -> tuple[str, int]:
    """The word that a script begins with, and how many of its parts spell it."""
    if script.kind != "group" or not script.parts:
        return "", 0
    first = script.parts[0]
    if isinstance(first, Symbol) and len(first.head) > 1 and first.head.isalpha():
        return first.head, 1
    match script.parts:
        case (Symbol(head=("h" | "o") as layer), Number(text=text)) if head in NODES:
            return f"{layer}{text}", 2
    letters = [part.head for part in script.parts if isinstance(part, Symbol)]
    spelt = "".join(letters)
    whole = len(letters) == len(script.parts) and all(len(letter) == 1 for letter in letters)
    return (spelt, len(letters)) if whole and spelt in SPELT else ("", 0)
