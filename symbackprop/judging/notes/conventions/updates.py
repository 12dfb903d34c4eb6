r"""Steps of descent: w(t+1) = w(t) - ..., W^{new} = ..., W \leftarrow ....

Owns: which formulas give a parameter a new value. Refuses: judging what is subtracted. Would be
wrong if an equation between a parameter's gradient and something were taken for a step.
"""

from __future__ import annotations

from symbackprop.judging.notes.formula.symbols import split
from symbackprop.reading.latex.syntax import (
    Group,
    Node,
    Number,
    Product,
    Script,
    Statement,
    Sum,
    Symbol,
)

PARAMETERS = frozenset({"W", "w", "b", "B", "v", "V", "U", r"\theta", r"\Theta", r"\mathbf{w}"})
STEPS = frozenset({"t", "k", "n", "i", "m"})
NEW = ("new}", "next}", "neu}", "+}")


def is_update(statement: Statement) -> bool:
    """Whether a formula says what a parameter is after a step."""
    first = statement.sides[0]
    if isinstance(first, Product) and not first.sign and len(first.factors) == 2:
        symbol, argument = first.factors
        return _is_parameter(symbol) and isinstance(argument, Group) and _counts(argument.items)
    parts = split(first)
    if parts is None:
        return False
    if parts[0].head.endswith(NEW):
        return parts[0].head[:1] in PARAMETERS
    if not _is_parameter(first):
        return False
    scripts = [s for s in parts[1] if s.place == "above" and s.kind == "group"]
    if any(s.bracket and _counts(s.parts) for s in scripts) and len(statement.sides) > 1:
        return True
    return len(statement.sides) > 1 and _begins_with(first, statement.sides[1])


def _is_parameter(node: Node) -> bool:
    parts = split(node)
    return parts is not None and parts[0].head in PARAMETERS


def _counts(items: tuple[Node, ...]) -> bool:
    """t + 1, and nothing else."""
    match items:
        case (Sum(signs=(1, 1), terms=(Symbol(head=head), Number(text="1"))),):
            return head in STEPS
    return False


def _begins_with(first: Node, other: Node) -> bool:
    """W = W - eta ...: the parameter less something."""
    if not isinstance(other, Sum) or len(other.terms) < 2:
        return False
    return _plain(first) == _plain(other.terms[0])


def _plain(node: Node) -> object:
    parts = split(node)
    if parts is None:
        return None
    marks = (script for script in parts[1] if script.kind != "prime")
    return parts[0].head, tuple(map(_script, marks))


def _script(script: Script) -> object:
    return script.place, script.bracket, tuple(str(_bare(part)) for part in script.parts)


def _bare(part: Node) -> object:
    match part:
        case Symbol(head=head):
            return head
        case Number(text=text):
            return text
        case Sum(signs=signs, terms=terms):
            return signs, tuple(_bare(term) for term in terms)
    return type(part).__name__
