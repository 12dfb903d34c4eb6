"""Index expressions over a network as forms.

Owns: `Algebra`, which reads expressions, writes entries out by their equations, and knows the
facts about labels.
Refuses: verdicts. A form that is zero is a proof; a form that is not zero proves nothing.
Would be wrong if: an element were written out where its index may leave its axis, or a fact were
used without being asked for, or without being recorded.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fractions import Fraction

from sympy import Expr, Piecewise, Symbol, cosh, exp, log, sinh, tanh
from sympy.core.numbers import Exp1

from symbackprop.calculus.canonical import named_by_place
from symbackprop.calculus.scalars import Z, cases_of
from symbackprop.calculus.terms import Applied, Delta, Element, Expression, Guard, Index
from symbackprop.derivation.normalform.forms import (
    ONE,
    Atom,
    Exponent,
    Form,
    Mono,
    NoNormalForm,
    atom,
    number,
    only_atom,
    total,
    variable,
)
from symbackprop.derivation.normalform.naming import renamed
from symbackprop.derivation.normalform.operations import Operations
from symbackprop.networks.network import CountsClasses, Network, SumsToOne


class Algebra(Operations):
    """Builds forms over one network.

    `cut`: tensors that stay elements; every other one with an equation (or an entry in
    `definitions`) is written out. `facts`: whether label rows may be taken to sum to 1; the facts
    that were used are in `used`. `hyperbolic`: tanh is written through exp.
    """

    def __init__(
        self,
        network: Network,
        cut: Iterable[str] = (),
        definitions: Mapping[str, tuple[tuple[Index, ...], Expression]] | None = None,
        facts: bool = False,
        hyperbolic: bool = False,
    ) -> None:
        super().__init__(hyperbolic)
        self.network = network
        self.cut = frozenset(cut)
        self.facts = facts
        self.used: set[str] = set()
        self.locals: dict[str, tuple[tuple[Atom, ...], Form]] = {}
        self._written = {e.target: (e.indices, e.rhs) for e in network.equations}
        self._written.update(definitions or {})
        self._known: dict[str, Form] = {}
        self._open: set[str] = set()
        self._classes = {
            t.name: fact.axis
            for t in network.tensors
            for fact in t.facts
            if isinstance(fact, CountsClasses)
        }
        self._shares = {
            t.name: fact.axis % len(t.indices)
            for t in network.tensors
            for fact in t.facts
            if isinstance(fact, SumsToOne)
        }

    # ---- reading index expressions -----------------------------------------------------------

    def read(self, whole: Expression) -> Form:
        return total(
            self.summed(
                self._product(term.coefficient, *term.factors),
                [self.index(index) for index in term.bound],
            )
            for term in map(named_by_place, whole.terms)
        )

    def _product(self, *factors: Expr) -> Form:
        result = ONE
        for factor in factors:
            result = result * self.scalar(factor)
        return result

    def index(self, index: Index) -> Atom:
        return variable(index.name, self.scalar(index.axis.extent), index.axis.start)

    def scalar(self, node: Expr, argument: Form | None = None) -> Form:
        """A SymPy scalar as a form; `argument` stands for the variable of a definition."""
        match node:
            case Index():
                return atom(self.index(node))
            case Element():
                return self.element(node.tensor, tuple(map(self.scalar, node.indices)))
            case Delta():
                return self.delta(self.scalar(node.args[0]) - self.scalar(node.args[1]))
            case Guard():
                inside, start, extent = map(self.scalar, node.args)
                return self.guard(inside, start, extent)
            case Applied():
                return self.applied(node.function, node.order, self.scalar(node.argument))
        if argument is not None and node == Z:
            return argument
        if isinstance(node, Symbol):
            return atom(Atom("dim", node.name))
        if node.is_Rational:
            return number(Fraction(int(node.p), int(node.q)))
        if node.is_Add:
            return total(self.scalar(part, argument) for part in node.args)
        if node.is_Mul:
            result = ONE
            for part in node.args:
                result = result * self.scalar(part, argument)
            return result
        return self._function_node(node, argument)

    def _function_node(self, node: Expr, argument: Form | None) -> Form:
        if node.is_Pow and not isinstance(node.base, Exp1) and node.exp.is_Rational:
            base = self.scalar(node.base, argument)
            return self.power(base, Fraction(int(node.exp.p), int(node.exp.q)))
        if isinstance(node, Piecewise):
            return self._piecewise(node, argument)
        known = {exp: self.exp, log: self.log, tanh: self.tanh, cosh: self.cosh, sinh: self.sinh}
        for kind, build in known.items():
            if isinstance(node, kind):
                return build(self.scalar(node.args[0], argument))
        raise NoNormalForm(f"the normal form does not know {type(node).__name__}")

    def _piecewise(self, node: Piecewise, argument: Form | None) -> Form:
        rows, otherwise = cases_of(node)
        found = self.scalar(otherwise, argument)
        for condition, value in reversed(rows):
            side = self.scalar(condition.variable, argument) - number(condition.bound)
            holds = self.compared(side, condition.relation)
            found = self.where(holds, self.scalar(value, argument), found)
        return found

    def applied(self, name: str, order: int, argument: Form) -> Form:
        definition = self.network.functions[name].value(Z, order)
        return self.cases(argument, lambda form: self.scalar(definition, form))

    # ---- elements ----------------------------------------------------------------------------

    def element(self, tensor: str, arguments: tuple[Form, ...]) -> Form:
        """An entry, written out where the tensor is not cut and the index stays on its axis."""
        if tensor in self.locals:
            return self._local(tensor, arguments)
        plain = atom(Atom("el", tensor, arguments))
        if tensor in self.cut or tensor not in self._written or tensor in self._open:
            return plain
        indices, _ = self._written[tensor]
        variables = [self.index(index) for index in indices]
        if not all(self.stays(a, v) for a, v in zip(arguments, variables, strict=True)):
            return plain
        return self.substituted(
            self.definition(tensor), dict(zip(variables, arguments, strict=True))
        )

    def _local(self, name: str, arguments: tuple[Form, ...]) -> Form:
        variables, form = self.locals[name]
        if name not in self._known:
            self._known[name] = self.rebuilt(form)
        renaming = self.all_fresh(variables)
        values = dict(zip(renaming.values(), arguments, strict=True))
        return self.substituted(renamed(self._known[name], renaming), values)

    def definition(self, tensor: str) -> Form:
        """The right side of a tensor's equation, under that equation's own indices."""
        if tensor not in self._known:
            self._open.add(tensor)  # a recurrence reads itself; it stays an element
            try:
                self._known[tensor] = self.read(self._written[tensor][1])
            finally:
                self._open.discard(tensor)
        return self._known[tensor]

    def stays(self, argument: Form, axis: Atom) -> bool:
        only = only_atom(argument)
        if only is None:
            return False
        if only.kind == "var":
            return bool(only.data[1:] == axis.data[1:])
        if only.kind == "el" and only.data[0] in self._classes:
            extent = self.scalar(self._classes[only.data[0]].extent)
            return bool(extent == axis.data[2] and axis.data[1] == 0)
        return False

    # ---- facts -----------------------------------------------------------------------------------

    def with_facts(self, mono: Mono, binders: tuple[Atom, ...]) -> tuple[Mono, tuple[Atom, ...]]:
        if not self.facts:
            return mono, binders
        for binder in binders:
            holders = [p for p in mono if binder in p[0].variables]
            if len(holders) == 1 and self._is_share(holders[0], binder):
                self.used.add(f"rows of {holders[0][0].data[0]} sum to 1")
                rest = tuple(p for p in mono if p != holders[0])
                return self.with_facts(rest, tuple(b for b in binders if b != binder))
        return mono, binders

    def _is_share(self, part: tuple[Atom, Exponent], binder: Atom) -> bool:
        what, exponent = part
        if what.kind != "el" or exponent != 1 or what.data[0] not in self._shares:
            return False
        place = self._shares[what.data[0]]
        return all(
            (only_atom(argument) == binder) == (position == place)
            and (position == place or binder not in argument.variables)
            for position, argument in enumerate(what.data[1])
        )
