"""The network of one sample, one scalar operation at a time.

Owns: the walk over the network's equations at its own sizes, and what one operation is. Every
node is one product, sum, difference, power, quotient, change of sign or function of one number;
equal operations are one node.
Refuses: more than `LARGEST` operations (`operations_of` is None), and derivatives beyond that of a
single operation.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, assert_never

from sympy import Add, Dummy, Expr, Mul, Pow, S, sympify

from symbackprop.calculus.terms import Applied, Delta, Element, Expression, Term, text
from symbackprop.document.desk import Desk
from symbackprop.document.plain import Call, Negative, Over, Power, Sum, Times, Tree, tree_of
from symbackprop.networks.network import Network

LARGEST = 60

Kind = Literal["product", "sum", "difference", "negative", "power", "quotient", "function"]


@dataclass(frozen=True)
class Operation:
    """name = inputs joined by one operator. An input is an entry of a tensor, the name of another
    operation, a number, or an indicator."""

    name: str
    kind: Kind
    inputs: tuple[Expr, ...]
    function: str = ""
    exponent: int = 1

    @property
    def element(self) -> Element:
        return Element(self.name)

    @property
    def expression(self) -> Expr:
        match self.kind:
            case "product":
                return Mul(*self.inputs)
            case "sum":
                return Add(*self.inputs)
            case "difference":
                return self.inputs[0] - self.inputs[1]
            case "negative":
                return -self.inputs[0]
            case "power":
                return Pow(self.inputs[0], self.exponent)
            case "quotient":
                return self.inputs[0] / self.inputs[1]
            case "function":
                return Applied(self.function, 0, self.inputs[0])
            case _:
                assert_never(self.kind)

    def tree(self, parts: Sequence[Tree]) -> Tree:
        """The operation with these trees as its inputs."""
        match self.kind:
            case "product":
                return Times(tuple(parts))
            case "sum":
                return Sum(tuple(parts))
            case "difference":
                return Sum((parts[0], Negative(parts[1])))
            case "negative":
                return Negative(parts[0])
            case "power":
                return Power(parts[0], self.exponent)
            case "quotient":
                return Over(parts[0], parts[1])
            case "function":
                return Call(self.function, (parts[0],))
            case _:
                assert_never(self.kind)


def local_derivative(operation: Operation, wrt: Expr) -> Expr:
    """The derivative of this one operation by one of its inputs, by SymPy."""
    indicators = {delta: Dummy() for delta in operation.expression.atoms(Delta)}
    back = {dummy: delta for delta, dummy in indicators.items()}
    return operation.expression.xreplace(indicators).diff(wrt).xreplace(back)


@dataclass(frozen=True)
class OperationGraph:
    """Operations in an order in which they can be computed; the last one is the loss.

    `entries`: which node each computed entry of the network is. `labels`: names of tensors that
    hold targets.
    """

    operations: tuple[Operation, ...]
    entries: Mapping[Element, Expr]
    network: Network

    @property
    def last(self) -> Operation:
        return self.operations[-1]

    def operation(self, quantity: Expr) -> Operation | None:
        return self._by_element.get(quantity)

    @property
    def _by_element(self) -> dict[Expr, Operation]:
        return {operation.element: operation for operation in self.operations}

    def uses(self, quantity: Expr) -> tuple[Operation, ...]:
        """The operations that a quantity enters."""
        return tuple(o for o in self.operations if quantity in o.inputs)

    @property
    def indicators(self) -> tuple[Delta, ...]:
        """Indicators of a class, for targets that are whole numbers."""
        found = {i for o in self.operations for i in o.inputs if isinstance(i, Delta)}
        return tuple(sorted(found, key=text))

    def leaves(self, *kinds: str) -> tuple[Element, ...]:
        """Entries of given tensors that some operation reads, in the order of the network."""
        read = {i for o in self.operations for i in o.inputs if isinstance(i, Element)}
        read |= {element for delta in self.indicators for element in delta.atoms(Element)}
        known = {e: t.kind for e in read if (t := self.network.by_name.get(e.tensor)) is not None}
        order = {tensor.name: place for place, tensor in enumerate(self.network.tensors)}
        found = [entry for entry in read if known.get(entry) in kinds]
        return tuple(sorted(found, key=lambda e: (order[e.tensor], *map(int, e.indices))))

    def nested(self, quantity: Expr, stop: frozenset[Expr] = frozenset()) -> Tree:
        """The quantity as one formula of leaves and of what is in `stop`."""
        operation = None if quantity in stop else self.operation(quantity)
        if operation is None:
            return tree_of(quantity, self.network)
        return operation.tree([self.nested(part, stop) for part in operation.inputs])

    def shown(self, operation: Operation) -> Tree:
        """The one operation, its inputs by name."""
        return operation.tree([tree_of(part, self.network) for part in operation.inputs])


def operations_of(desk: Desk) -> OperationGraph | None:
    """The graph of the network of one sample; None where sizes are unknown or it is too large."""
    if not desk.own:
        return None
    walk = _Walk(desk)
    for equation in desk.network.equations:
        for place in desk.places(equation.target):
            rhs = desk.at(equation.rhs, equation.indices, place)
            walk.entries[Element(equation.target, *place)] = walk.total(rhs)
            if len(walk.operations) > LARGEST:
                return None
    return OperationGraph(tuple(walk.operations), dict(walk.entries), desk.network)


# --------------------------------------------------------------------------------------------
# The walk
# --------------------------------------------------------------------------------------------


@dataclass
class _Walk:
    desk: Desk
    operations: list[Operation] = field(default_factory=list)
    entries: dict[Element, Expr] = field(default_factory=dict)

    def total(self, whole: Expression) -> Expr:
        """A sum of terms: a scale that all share is applied once, at the end."""
        scales = [self._number(term) for term in whole.terms]
        if len(set(scales)) == 1:
            return self._scaled(scales[0], self._sum([(S.One, term) for term in whole.terms]))
        ordered = sorted(zip(scales, whole.terms, strict=True), key=lambda pair: bool(pair[0] < 0))
        return self._sum(ordered)

    def _number(self, term: Term) -> Expr:
        return term.coefficient.subs(self.desk.sizes)

    def _sum(self, terms: Sequence[tuple[Expr, Term]]) -> Expr:
        parts = [(scale, self._product(term.factors)) for scale, term in terms]
        return self._signed(parts)

    def _signed(self, parts: Sequence[tuple[Expr, Expr]]) -> Expr:
        """The sum of scaled quantities, from left to right."""
        scale, first = parts[0]
        result = self._scaled(scale, first)
        for scale, part in parts[1:]:
            if scale < 0:
                result = self._node("difference", (result, self._scaled(-scale, part)))
            else:
                result = self._node("sum", (result, self._scaled(scale, part)))
        return result

    def _scaled(self, scale: Expr, quantity: Expr) -> Expr:
        if scale == 1:
            return quantity
        if quantity.is_Number:
            return sympify(scale * quantity)
        if scale == -1:
            return self._node("negative", (quantity,))
        return self._node("product", (scale, quantity))

    def _product(self, factors: Sequence[Expr]) -> Expr:
        """Parameters and labels first, what is divided by last."""
        above = [factor for factor in factors if not _is_below(factor)]
        below = [1 / factor for factor in factors if _is_below(factor)]
        ordered = sorted(above, key=lambda factor: (self._rank(factor), text(factor)))
        result = self._multiplied(ordered)
        return self._node("quotient", (result, self._multiplied(below))) if below else result

    def _multiplied(self, factors: Sequence[Expr]) -> Expr:
        operands = [self.quantity(factor) for factor in factors] or [S.One]
        result = operands[0]
        for operand in operands[1:]:
            result = self._node("product", (result, operand))
        return result

    def _rank(self, factor: Expr) -> int:
        if isinstance(factor, Delta):
            return 0
        if isinstance(factor, Element):
            kind = self.desk.network.by_name[factor.tensor].kind
            return 0 if kind in ("parameter", "label") else 1
        return 1

    def quantity(self, expr: Expr) -> Expr:
        """The node or leaf that a scalar expression is."""
        if isinstance(expr, Element):
            return self.entries.get(expr, expr)
        if expr.is_Number or isinstance(expr, Delta):
            return expr
        if isinstance(expr, Applied):
            assert expr.order == 0
            return self._node("function", (self.quantity(expr.argument),), expr.function)
        if expr.is_Pow and expr.exp.is_Integer and expr.exp > 0:
            return self._node("power", (self.quantity(expr.base),), exponent=int(expr.exp))
        if expr.is_Add:
            return self._addition(expr)
        return self._product(Mul.make_args(expr))

    def _addition(self, expr: Expr) -> Expr:
        pairs = [part.as_coeff_Mul() for part in expr.args]
        ordered = sorted(pairs, key=lambda pair: (bool(pair[0] < 0), text(pair[1])))
        return self._signed([(scale, self.quantity(part)) for scale, part in ordered])

    def _node(
        self, kind: Kind, inputs: tuple[Expr, ...], function: str = "", exponent: int = 1
    ) -> Element:
        for known in self.operations:
            if (known.kind, known.inputs, known.function, known.exponent) == (
                kind,
                inputs,
                function,
                exponent,
            ):
                return known.element
        name = f"node{len(self.operations) + 1}"
        self.operations.append(Operation(name, kind, inputs, function, exponent))
        return self.operations[-1].element


def _is_below(factor: Expr) -> bool:
    return bool(factor.is_Pow and factor.exp.is_negative)
