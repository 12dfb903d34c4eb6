"""What the forward pass must do differently from its formulas so that nothing overflows.

Owns: the recognition, from equations alone, of a softmax (a quotient of exp by its own sum), of
the logarithm of a softmax, and of log(p), log(1 - p) behind a sigmoid.
Refuses: anything about losses by name, and anything backward: a rewrite here is an identity of
values, and derivations are never made from the rewritten equations.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from sympy import Add, Expr, S, expand

from symbackprop.calculus.terms import (
    Applied,
    Delta,
    Element,
    Expression,
    Index,
    Term,
    as_scalar,
    product,
)
from symbackprop.networks.network import Equation, Network, reads


@dataclass(frozen=True)
class Assignment:
    """A line of the forward pass: an equation, or what the function `call` makes of the one array
    that the line `reads`."""

    target: str
    equation: Equation
    call: str
    reads: frozenset[str]


@dataclass(frozen=True)
class ForwardPass:
    """Lines in order. `network` also knows the logarithms that got a name of their own."""

    network: Network
    lines: tuple[Assignment, ...]
    logs: Mapping[str, str] = field(default_factory=dict)

    def stabilised(self, whole: Expression) -> Expression:
        """The same value with every logarithm of an output in its stable form."""
        changed = _without_logs_of_sigmoids(whole, self.network)
        return _with_named_logs(changed, self.logs)


def forward_pass(network: Network, extended: Network) -> ForwardPass:
    """The equations of `network`, stable; `extended` is the one that also has its adjoints."""
    scores = _softmaxes(network)
    logs = _log_names(network, extended, scores)
    named = tuple(
        replace(extended.by_name[target], name=log, facts=()) for target, log in logs.items()
    )
    known = replace(extended, tensors=(*extended.tensors, *named)) if named else extended
    plain = ForwardPass(known, (), logs)
    lines: list[Assignment] = []
    for equation in network.equations:
        lines.extend(_lines(equation, scores, logs, plain))
    return replace(plain, lines=tuple(lines))


def _lines(
    equation: Equation, scores: Mapping[str, str], logs: Mapping[str, str], plain: ForwardPass
) -> Iterable[Assignment]:
    target = equation.target
    if target not in scores:
        stable = replace(equation, rhs=plain.stabilised(equation.rhs))
        yield Assignment(target, stable, "", reads(stable))
    elif target in logs:
        source = frozenset((scores[target],))
        log = replace(equation, target=logs[target])
        yield Assignment(log.target, log, "log_softmax", source)
        yield Assignment(target, equation, "exp", frozenset((log.target,)))
    else:
        source = frozenset((scores[target],))
        yield Assignment(target, equation, "softmax", source)


# --------------------------------------------------------------------------------------------
# Softmax
# --------------------------------------------------------------------------------------------


def _softmaxes(network: Network) -> dict[str, str]:
    """For each softmax the tensor of its scores: h[.., k] = exp(z[.., k]) / sum_k exp(z[.., k])."""
    found: dict[str, str] = {}
    for equation in network.equations:
        source = _scores(equation, network)
        if source is not None:
            found[equation.target] = source
    return found


def _scores(equation: Equation, network: Network) -> str | None:
    match equation.rhs.terms:
        case (Term(coefficient=S.One, bound=(), factors=(one, other)),):
            above, below = (one, other) if isinstance(one, Applied) else (other, one)
        case _:
            return None
    if not (isinstance(above, Applied) and below.is_Pow and below.exp == -1):
        return None
    total, inside = below.base, above.argument
    if not (isinstance(total, Element) and isinstance(inside, Element) and equation.indices):
        return None
    if (above.function, above.order) != ("exp", 0) or inside.indices != equation.indices:
        return None
    if total.indices != equation.indices[:-1] or total.tensor not in network.equation_of:
        return None
    sums = network.equation_of[total.tensor]
    return inside.tensor if _is_sum_of_exp(sums, inside.tensor) else None


def _is_sum_of_exp(sums: Equation, scores: str) -> bool:
    """s[..] = sum_k exp(z[.., k]), the sum over the last axis."""
    match sums.rhs.terms:
        case (Term(coefficient=S.One, bound=(index,), factors=(Applied() as inside,)),):
            wanted = Applied("exp", 0, Element(scores, *sums.indices, index))
            return bool(inside == wanted)
        case _:
            return False


def _log_names(network: Network, extended: Network, scores: Mapping[str, str]) -> dict[str, str]:
    """A free name for the logarithm of each softmax that some equation takes the logarithm of."""
    found: dict[str, str] = {}
    for equation in network.equations:
        for atom in _logarithms(equation.rhs):
            inside = atom.argument
            if isinstance(inside, Element) and inside.tensor in scores:
                name = f"log_{inside.tensor}"
                while name in extended.by_name:
                    name += "_"
                found[inside.tensor] = name
    return found


def _logarithms(whole: Expression) -> list[Applied]:
    atoms = {a for t in whole.terms for f in t.factors for a in f.atoms(Applied)}
    return sorted((a for a in atoms if (a.function, a.order) == ("log", 0)), key=str)


def _with_named_logs(whole: Expression, logs: Mapping[str, str]) -> Expression:
    replacement = {
        atom: Element(logs[atom.argument.tensor], *atom.argument.indices)
        for atom in _logarithms(whole)
        if isinstance(atom.argument, Element) and atom.argument.tensor in logs
    }
    return _replaced(whole, replacement) if replacement else whole


# --------------------------------------------------------------------------------------------
# Sigmoid
# --------------------------------------------------------------------------------------------


def _without_logs_of_sigmoids(whole: Expression, network: Network) -> Expression:
    """log(p) = z - softplus(z) and log(1 - p) = -softplus(z) where p = sigmoid(z)."""
    replacement: dict[Expr, Expr] = {}
    for atom in _logarithms(whole):
        for inside, sign in ((atom.argument, 1), (1 - atom.argument, 0)):
            score = _behind_sigmoid(inside, network)
            if score is not None:
                replacement[atom] = sign * score - Applied("softplus", 0, score)
    if not replacement:
        return whole
    return _gathered(_replaced(whole, replacement))


def _behind_sigmoid(entry: Expr, network: Network) -> Expr | None:
    """z[..] where `entry` is p[..] and p = sigmoid(z) is an equation."""
    if not isinstance(entry, Element) or entry.tensor not in network.equation_of:
        return None
    equation = network.equation_of[entry.tensor]
    match equation.rhs.terms:
        case (Term(coefficient=S.One, bound=(), factors=(Applied() as applied,)),):
            if (applied.function, applied.order) != ("sigmoid", 0):
                return None
            return applied.argument.xreplace(
                dict(zip(equation.indices, entry.indices, strict=True))
            )
        case _:
            return None


def _replaced(whole: Expression, replacement: Mapping[Expr, Expr]) -> Expression:
    terms = (
        product(t.coefficient, t.bound, (f.xreplace(dict(replacement)) for f in t.factors))
        for t in whole.terms
    )
    return Expression(tuple(term for term in terms if term is not None))


def _gathered(whole: Expression) -> Expression:
    """Terms summed over the same indices under one sum, multiplied out: y z may cancel there."""
    groups: dict[tuple[Index, ...], list[Term]] = {}
    for term in whole.terms:
        groups.setdefault(term.bound, []).append(term)
    terms: list[Term] = []
    for bound, members in groups.items():
        terms.extend(_under_one_sum(bound, members))
    return Expression(tuple(terms))


def _under_one_sum(bound: tuple[Index, ...], members: Sequence[Term]) -> list[Term]:
    if not bound or any(f.has(Delta) for term in members for f in term.factors):
        return list(members)
    scale = members[0].coefficient
    scale = -scale if scale.could_extract_minus_sign() else scale
    total = expand(Add(*(as_scalar(term) / scale for term in members)))
    gathered = product(scale, bound, (total,))
    return [] if gathered is None else [gathered]
