"""The reverse sweep: from a network to derivations of its gradients, adjoints and Jacobians.

Owns: the order of the sweep and the choice of what keeps a name and what is written out.
Refuses: knowing any layer. An equation is differentiated by `rules`; nothing here mentions dense,
softmax or cross-entropy.
Would be wrong if: an adjoint were written out before all its contributions have arrived. So there
are two phases: every adjoint is first the sum over all equations that read the tensor, in terms
of the *names* of their adjoints; only then are names replaced by what they stand for.

The trace is the computation: a derivation is its steps, and its result is the last one's right
side.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from symbackprop.calculus.terms import (
    Delta,
    Element,
    Expression,
    Index,
    Partial,
    Term,
    all_fresh,
    elements_in,
    expression,
    product,
    rename_apart,
    replace_factor,
    substitute,
)
from symbackprop.derivation.rules import (
    CANCEL,
    CONTRACT,
    NAME_DEFINITIONS,
    TAKE_DERIVATIVES,
    THROUGH_OUTPUT,
    USE_LABEL_SUMS,
    Rule,
    merge_like_terms,
    orient_differences,
    size,
)
from symbackprop.derivation.steps import Derivation, Step, Sweep
from symbackprop.errors import UnsupportedError
from symbackprop.networks.network import Equation, Network, Tensor, reads

# --------------------------------------------------------------------------------------------
# The sweep
# --------------------------------------------------------------------------------------------


def sweep(network: Network) -> Sweep:
    """Derive d loss / d tensor for every tensor, from the loss back to the inputs.

    Cost: linear in the number of equations; independent of every extent.
    """
    state = _State.of(network, leads_to(network, network.loss))
    for tensor in _backward_order(network):
        derivation = _adjoint(state, tensor)
        if derivation is not None:
            state = state.knowing(tensor.name, derivation)
    return Sweep(network, state.derivations)


def jacobian(network: Network, of: str, wrt: str) -> Derivation:
    """d of / d wrt with everything between them written out, numerator layout.

    Raises: UnsupportedError when `of` does not depend on `wrt`, or only through a recurrence.
    """
    root, leaf = network.tensor(of), network.tensor(wrt)
    above = leads_to(network, root.name)
    between = above & _follows_from(network, leaf.name)
    computed = [name for name in sorted(between) if name in network.equation_of]
    if network.is_recurrent and any(_in_a_circle(network, name) for name in computed):
        raise UnsupportedError(
            f"{of} depends on {wrt} through a recurrence: its Jacobian is a product over steps, "
            "which has no closed form here; ask for the adjoints instead"
        )
    if root.name == leaf.name:
        return _identity(root)
    if leaf.name not in above:
        raise UnsupportedError(f"{of} does not depend on {wrt}: there is no derivative to print")
    state = _State.of(network, frozenset(between), root)
    for tensor in _backward_order(network):
        if tensor.name in between and tensor.name != root.name:
            derivation = _adjoint(state, tensor)
            if derivation is not None:
                state = state.knowing(tensor.name, derivation)
    return state.derivations[leaf.name]


def written_out(swept: Sweep, wrt: str, known: str) -> Derivation:
    """The derivation for `wrt`, continued: the adjoint of `known` is replaced by its result."""
    state = _State.of(swept.network, frozenset())
    continued = _inlined(swept[wrt], swept[known], state)
    return _simplified(continued, state.network)


@dataclass(frozen=True)
class _State:
    """What the sweep knows so far. `above`: tensors that the goal depends on, and itself. `root`:
    the tensor that is differentiated, None for the loss."""

    network: Network
    derivations: dict[str, Derivation]
    above: frozenset[str]
    root: Tensor | None = None
    owners: Mapping[str, str] = field(default_factory=dict)

    @staticmethod
    def of(network: Network, above: frozenset[str], root: Tensor | None = None) -> _State:
        extended = network.with_adjoints
        return _State(extended, {}, above, root, _adjoint_owners(extended))

    def knowing(self, name: str, derivation: Derivation) -> _State:
        return _State(
            self.network,
            {**self.derivations, name: derivation},
            self.above,
            self.root,
            self.owners,
        )

    @property
    def goal(self) -> Tensor:
        return self.root if self.root is not None else self.network.by_name[self.network.loss]


def leads_to(network: Network, goal: str) -> frozenset[str]:
    """Tensors that `goal` depends on through any path, and `goal` itself."""
    found = {goal}
    waiting = [goal]
    while waiting:
        equation = network.equation_of.get(waiting.pop())
        new = reads(equation) - found if equation is not None else frozenset()
        found |= new
        waiting.extend(new)
    return frozenset(found)


def _follows_from(network: Network, start: str) -> frozenset[str]:
    """Tensors that depend on `start` through any path, and `start` itself."""
    found = {start}
    waiting = [start]
    while waiting:
        new = {equation.target for equation in network.readers[waiting.pop()]} - found
        found |= new
        waiting.extend(sorted(new))
    return frozenset(found)


def _in_a_circle(network: Network, name: str) -> bool:
    """Whether a tensor depends on itself, which only a shifted index allows."""
    return any(name in leads_to(network, read) for read in reads(network.equation_of[name]))


def _backward_order(network: Network) -> list[Tensor]:
    """Tensors with an adjoint, later ones first; inputs and parameters when all else is known."""
    assigned = [network.by_name[equation.target] for equation in reversed(network.equations)]
    given = [t for t in network.tensors if t.kind in ("input", "parameter")]
    return [t for t in assigned if t.name != network.loss] + given[::-1]


def _identity(root: Tensor) -> Derivation:
    outer, entry = _outer(root, root)
    deltas = [Delta(a, b) for a, b in zip(outer.indices, entry.indices, strict=True)]
    goal = expression(product(1, (), (Partial(outer, entry, total=True),)))
    step = Step("identity", goal, expression(product(1, (), deltas)), "a variable by itself")
    return Derivation(root.name, root.name, (*outer.indices, *entry.indices), (step,))


def _outer(root: Tensor, tensor: Tensor) -> tuple[Element, Element]:
    """Entries of both under names that do not meet: the root keeps its letters."""
    taken = {index.name for index in root.indices}
    return root.entry, Element(tensor.name, *all_fresh(tensor.indices, taken))


def _adjoint(state: _State, tensor: Tensor) -> Derivation | None:
    """The derivation for one tensor; None when the goal does not depend on it."""
    outer, entry = _outer(state.goal, tensor)
    readers = [
        equation
        for equation in state.network.readers[tensor.name]
        if equation.target in state.above
    ]
    if not readers:
        return None
    goal = expression(product(1, (), (Partial(outer, entry, total=True),)))
    paths = expression(*(_path(state, equation, outer, entry) for equation in readers))
    indices = (*outer.indices, *entry.indices)
    chain = Step("chain rule", goal, paths, _paths_reason(readers))
    derivation = Derivation(state.goal.name, tensor.name, indices, (chain,))
    derivation = _apply(derivation, TAKE_DERIVATIVES, state.network)
    derivation = _apply(derivation, CONTRACT, state.network)
    derivation = _simplified(derivation, state.network)
    return _written_out(derivation, state, tensor)


def _paths_reason(readers: Sequence[Equation]) -> str:
    names = " and ".join(equation.target for equation in readers)
    if len(readers) == 1:
        return f"the only way to the loss leads through {names}"
    return f"paths lead through {names}; their contributions add"


def _path(state: _State, equation: Equation, outer: Element, entry: Element) -> Term | None:
    """sum over the entries of one reader: its adjoint times its derivative by this entry."""
    if equation.target == state.goal.name:
        return product(1, (), (Partial(outer, entry),))
    taken = {index.name for index in (*outer.indices, *entry.indices)}
    renamed = all_fresh(equation.indices, taken)
    partial = Partial(Element(equation.target, *renamed), entry)
    return product(1, renamed, (_adjoint_entry(state, equation.target, renamed, outer), partial))


def _adjoint_entry(
    state: _State, name: str, indices: Sequence[Index], outer: Element
) -> Element | Partial:
    """The adjoint of a reader by name; in a Jacobian, the derivative of the root by it."""
    if state.root is None:
        return Element(state.network.adjoint_name(name), *indices)
    return Partial(outer, Element(name, *indices), total=True)


def _apply(derivation: Derivation, rule: Rule, network: Network) -> Derivation:
    after = rule.rewrite(derivation.result, network)
    if after == derivation.result:
        return derivation
    return derivation.then(Step(rule.name, derivation.result, after, rule.reason))


# --------------------------------------------------------------------------------------------
# What is written out, and what keeps its name
# --------------------------------------------------------------------------------------------


def _written_out(derivation: Derivation, state: _State, tensor: Tensor) -> Derivation:
    """Replace names of adjoints by what they stand for, where that is how one would write it.

    An adjoint that is used only once needs no name. One that is used more often keeps it, unless
    writing it out makes the result shorter (softmax with cross-entropy becomes yhat - y).
    In a Jacobian nothing keeps a name.
    """
    tried: set[str] = {tensor.name}
    while (name := _next_adjoint(derivation.result, state, tried, tensor.name)) is not None:
        tried.add(name)
        known = state.derivations[name]
        written = _simplified(_inlined(derivation, known, state), state.network)
        if _needs_no_name(known, state) or size(written.result) < size(derivation.result):
            derivation = written
    return derivation


def _next_adjoint(whole: Expression, state: _State, tried: set[str], wrt: str) -> str | None:
    """The adjoint nearest to the tensor that has not been considered yet."""
    present = {_adjoint_of(factor, state) for term in whole.terms for factor in term.factors}
    waiting = present - tried - {None}
    for name in reversed(state.derivations) if waiting else ():
        if name in waiting and _is_candidate(state.derivations[name], state, wrt):
            return name
    return None


def _adjoint_of(factor: object, state: _State) -> str | None:
    """The tensor whose adjoint a factor is."""
    if isinstance(factor, Partial) and factor.total:
        return str(factor.args[1].tensor)
    return state.owners.get(factor.tensor) if isinstance(factor, Element) else None


def _adjoint_owners(network: Network) -> dict[str, str]:
    return {
        network.adjoint_name(tensor.name): tensor.name
        for tensor in network.tensors
        if tensor.kind not in ("label", "loss", "adjoint")
    }


def _is_candidate(known: Derivation, state: _State, wrt: str) -> bool:
    """Never an adjoint that stands in its own formula; else one that needs no name, or whose
    tensor enters only pointwise equations, where writing out may cancel something."""
    if any(_adjoint_of(f, state) == known.wrt for t in known.result.terms for f in t.factors):
        return False
    if _needs_no_name(known, state):
        return True
    if state.network.by_name[wrt].kind == "auxiliary":
        return False
    return all(not term.bound for term in known.result.terms) and not any(
        term.bound for term in state.network.equation_of[known.wrt].rhs.terms
    )


def _needs_no_name(known: Derivation, state: _State) -> bool:
    if state.root is not None:
        return True
    tensor = state.network.by_name[known.wrt]
    constant = not any(elements_in(f) for t in known.result.terms for f in t.factors)
    return tensor.kind == "auxiliary" or constant or _uses(known.wrt, state.network) == 1


def _uses(name: str, network: Network) -> int:
    """In how many adjoints the adjoint of this tensor stands: one for each tensor it reads."""
    equation = network.equation_of[name]
    return sum(1 for read in sorted(reads(equation)) if network.by_name[read].kind != "label")


def _inlined(derivation: Derivation, known: Derivation, state: _State) -> Derivation:
    before = derivation.result
    after = expression(*(piece for t in before.terms for piece in _write_out(t, known, state)))
    name = state.network.adjoint_name(known.wrt)
    step = Step("insert", before, after, f"{name} is known from an earlier derivation")
    return _apply(derivation.then(step), CONTRACT, state.network)


def _write_out(term: Term, known: Derivation, state: _State) -> Iterator[Term]:
    for position, factor in enumerate(term.factors):
        if _adjoint_of(factor, state) == known.wrt:
            value = _placed(known, factor)
            for piece in replace_factor(term, position, value):
                yield from _write_out(piece, known, state)
            return
    yield term


def _placed(known: Derivation, factor: Element | Partial) -> Expression:
    """The result of a derivation under the index names of the place where it is inserted."""
    if isinstance(factor, Partial):
        written = (*factor.args[0].indices, *factor.args[1].indices)
    else:
        written = factor.indices
    replacement = dict(zip(known.indices, written, strict=True))
    taken = {index.name for index in known.indices}
    terms = (rename_apart(term, taken) for term in known.result.terms)
    return expression(*(substitute(term, replacement) for term in terms))


def _simplified(derivation: Derivation, network: Network) -> Derivation:
    """Names of quotients, facts about labels, cancelling; f' through f where that is shorter."""
    for rule in (NAME_DEFINITIONS, USE_LABEL_SUMS, CANCEL):
        derivation = _apply(derivation, rule, network)
    derivation = _shorter(derivation, network)
    tidy = merge_like_terms(orient_differences(derivation.result, network), network)
    if tidy == derivation.result:
        return derivation
    return derivation.then(Step("tidy", derivation.result, tidy, "one sign convention"))


def _shorter(derivation: Derivation, network: Network) -> Derivation:
    """f' written through f when something then cancels."""
    through = _apply(derivation, THROUGH_OUTPUT, network)
    if through is derivation:
        return derivation
    through = _apply(through, CANCEL, network)
    return through if size(through.result) < size(derivation.result) else derivation
