"""The computation graph of one sample, backpropagation on it, and what follows for training.

Owns: letters for nodes, the order of the steps, and the words. The derivative of each operation is
SymPy's, the chain rule multiplies them along the graph; every line is compared with a complex step
through the operations (`desk.chain`), and the parameters' derivatives with the matrix results.
Refuses: a network that is not given in numbers, or has more than `operators.LARGEST` operations.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from sympy import Add, Expr, S, factor_terms

from symbackprop.calculus.scalars import FUNCTIONS
from symbackprop.calculus.terms import (
    Applied,
    Element,
    Expression,
    Index,
    Partial,
    Term,
    product,
    single,
)
from symbackprop.derivation.evaluate import Point, evaluate, forward
from symbackprop.document.blocks import (
    Block,
    Chain,
    Check,
    Display,
    Heading,
    Inline,
    Line,
    Paragraph,
    Strong,
    Table,
)
from symbackprop.document.desk import Desk, UncheckedEquation
from symbackprop.document.formulas import (
    Derivative,
    Formula,
    Grid,
    Name,
    Of,
    Plain,
    entry,
    slope,
    value,
)
from symbackprop.document.operators import (
    LARGEST,
    Operation,
    OperationGraph,
    local_derivative,
    operations_of,
)
from symbackprop.document.plain import (
    Atom,
    Negative,
    Over,
    Power,
    Sum,
    Times,
    Tree,
    replaced,
    show_tree,
    size,
    tree_of,
)
from symbackprop.document.primer import CHAIN_RULE, TWO_PATHS
from symbackprop.document.scene import Scene, scene_of
from symbackprop.networks.network import Equation, Network, Tensor
from symbackprop.networks.roles import layers_of
from symbackprop.notation import DEFAULT_SYMBOLS
from symbackprop.writing.latex import Typesetting

GOAL = "goal"
EXAMPLE = "example"
RATE = "rate"
LONGEST_RESULT = 8
LONGEST_LINE = 20
NAMED_BY_FORMULA = 2
MANY_INPUTS = 1
ROWS_OF_A_PAGE = 30


def has_graph(desk_one: Desk) -> bool:
    """Whether the network of one sample is given in numbers and small enough to draw."""
    return operations_of(desk_one) is not None


def graph(desk_one: Desk, desk_batch: Desk) -> Iterator[Block]:
    """The graph of one sample, its backward pass step by step, the cost, and the update."""
    operations = operations_of(desk_one)
    if operations is None:
        yield from _no_graph(desk_one)
        return
    page = _page(desk_one, operations)
    yield from _forward(page)
    steps = _steps(page)
    yield from _backward(page, steps)
    yield from _collected(page, steps)
    if any(tensor.kind == "label" for tensor in desk_one.network.tensors):
        batch = _batch(page, desk_batch)
        yield from _cost(page, batch)
        yield from _update(batch.desk, Element(desk_batch.network.loss))
    else:
        yield from _update_of_output(page)


def _no_graph(desk: Desk) -> Iterator[Block]:
    if not desk.own:
        return
    yield Heading(2, ("The computation graph",))
    yield Paragraph(
        (
            f"With every product and every sum as a node of its own, this network has more than"
            f" {LARGEST} nodes, too many to follow one by one. The matrix formulas do the same,"
            " many nodes at once.",
        )
    )


# --------------------------------------------------------------------------------------------
# The desk on which nodes have names
# --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Page:
    """The graph beside a desk whose network has one further number for each operation, and one
    for what is differentiated (`GOAL`). `original` is the desk of the network as it was."""

    desk: Desk
    original: Desk
    graph: OperationGraph
    lettered: bool

    @property
    def setting(self) -> Typesetting:
        return self.desk.setting

    @property
    def goal(self) -> Element:
        return Element(GOAL)

    def plain(self, tree: Tree | Expr, stacked: bool = False) -> Plain:
        whole = tree_of(tree, self.desk.network) if isinstance(tree, Expr) else tree
        return Plain(whole, stacked=stacked)

    def maths(self, tree: Tree | Expr) -> Inline:
        return self.desk.maths(self.plain(tree))

    def chain(self, *sides: Tree | Expr) -> Chain:
        return self.desk.chain(*map(self.plain, sides))

    def slope(self, quantity: Expr) -> Partial:
        """d goal / d quantity."""
        return Partial(self.goal, quantity, total=True)

    def computes(self, operation: Operation) -> Inline:
        """C = w x, or, where nodes are called by their formulas, just the formula."""
        if self.lettered:
            return self.chain(operation.element, self.graph.shown(operation))
        return self.maths(self.graph.nested(operation.element))

    def named(self, quantity: Expr) -> Inline:
        """A quantity in a sentence."""
        if self.lettered or self.graph.operation(quantity) is None:
            return self.maths(quantity)
        return self.maths(self.graph.nested(quantity))


def _page(desk: Desk, operations: OperationGraph) -> _Page:
    lettered = len(operations.operations) > NAMED_BY_FORMULA
    if lettered:
        letters = _letters(desk, len(operations.operations))
    else:
        letters = [
            rf"\left({show_tree(operations.nested(o.element), desk.setting)}\right)"
            for o in operations.operations
        ]
    nodes = tuple(
        Tensor(operation.name, (), "intermediate", letter=letter)
        for operation, letter in zip(operations.operations, letters, strict=True)
    )
    is_output = not operations.leaves("label") and len(desk.places("yhat")) == 1
    goal = Tensor(GOAL, (), "intermediate", letter="yhat" if is_output else "L")
    equations = tuple(
        Equation(operation.name, (), single(operation.expression))
        for operation in operations.operations
    )
    last = Equation(GOAL, (), single(operations.last.element))
    extended = _extended(desk, (*nodes, goal), (*equations, last))
    return _Page(extended, desk, operations, lettered)


def _extended(
    desk: Desk, tensors: tuple[Tensor, ...], equations: tuple[Equation, ...], first: bool = True
) -> Desk:
    """The desk with further tensors, computed before the others or (`first` False) after them."""
    network = _with(desk.network, tensors, equations, first)
    full = _with(desk.setting.network, tensors, equations, first)
    own = tuple(_scene(scene, tensors, equations, first) for scene in desk.own)
    if first:  # the operations are those of the network's own sizes
        return Desk(network, replace(desk.setting, network=full), own, own)
    generic = tuple(_scene(scene, tensors, equations, first) for scene in desk.generic)
    return Desk(network, replace(desk.setting, network=full), generic, own)


def _with(
    network: Network, tensors: tuple[Tensor, ...], equations: tuple[Equation, ...], first: bool
) -> Network:
    ordered = (*equations, *network.equations) if first else (*network.equations, *equations)
    return replace(network, tensors=(*network.tensors, *tensors), equations=ordered)


def _scene(
    scene: Scene, tensors: tuple[Tensor, ...], equations: tuple[Equation, ...], first: bool
) -> Scene:
    network = _with(scene.network, tensors, equations, first)
    point = Point(network, scene.point.values, scene.point.sizes, scene.point.arithmetic)
    for equation in equations:
        computed = evaluate(equation.rhs, equation.indices, point)
        point = point.with_values({equation.target: computed})
    return Scene(network, point)


STEMS = "qvpuwrst"


def _letters(desk: Desk, count: int) -> list[str]:
    """A name for each node: one letter that the network does not use, and the node's number."""
    notation = desk.setting.notation
    used = {*DEFAULT_SYMBOLS, *(notation.symbol(letter) for letter in DEFAULT_SYMBOLS)}
    used |= {str(symbol) for symbol in desk.sizes}
    stem = next(letter for letter in STEMS if letter not in used)
    return [f"{stem}_{{{number}}}" for number in range(1, count + 1)]


# --------------------------------------------------------------------------------------------
# Forward
# --------------------------------------------------------------------------------------------


def _forward(page: _Page) -> Iterator[Block]:
    yield Heading(2, ("The computation graph",))
    yield Paragraph(
        (
            "A computer evaluates the network for one sample by one small operation after the"
            f" other, here {_operators(page)}. Let each operation be a node, and let an arrow lead"
            " to it from each number that it uses. The result is the computation graph. It begins"
            " with numbers that are not computed but given, its leaves: ",
            *_leaves(page),
            ".",
        )
    )
    yield from _weight_indices(page)
    yield from _indicators(page)
    yield Paragraph(_naming(page))
    yield from _node_table(page)
    yield from _nested(page)
    yield from _loss(page)


def _leaves(page: _Page) -> Line:
    inputs, labels = page.graph.leaves("input"), page.graph.leaves("label")
    parameters = page.graph.leaves("parameter")
    line: list[Inline] = [f"the {_number_of('input', inputs)} ", *_listed(page, inputs)]
    if labels:
        line += [f", the {_number_of('target', labels)} ", *_listed(page, labels)]
    line += [f", and the {_number_of('parameter', parameters)} ", *_listed(page, parameters)]
    return tuple(line)


def _operators(page: _Page) -> str:
    """Every operator that is used: a product or a sum of two numbers, or the square of one."""
    two: list[str] = []
    one: list[str] = []
    for operation in page.graph.operations:
        if operation.kind in ("product", "sum", "difference", "quotient"):
            found, named = two, f"a {operation.kind}"
        else:
            found, named = one, _with_article(operation)
        if named not in found:
            found.append(named)
    pairs = f"{_joined(two, 'or')} of two numbers" if two else ""
    singles = f"{_joined(one, 'or')} of one number" if one else ""
    return ", or ".join(part for part in (pairs, singles) if part)


def _joined(words: Sequence[str], last: str = "and") -> str:
    return f" {last} ".join(part for part in (", ".join(words[:-1]), *words[-1:]) if part)


def _weight_indices(page: _Page) -> Iterator[Block]:
    """What the numbers at a weight and at a bias say, and why some have none."""
    leaves = page.graph.leaves("parameter")
    shown = [leaf for leaf in leaves if not _is_only_one(page, leaf)]
    weights = [leaf for leaf in shown if len(leaf.indices) == 2]
    if not weights:
        return
    weight = next((w for w in weights if len(set(w.indices)) == 2), weights[0])
    source, target = (int(place) + 1 for place in weight.indices)
    layer = page.desk.tensor(weight.tensor).layer or 1
    before = f"entry {source} of the input" if layer == 1 else f"unit {source} of layer {layer - 1}"
    line: list[Inline] = [
        "The numbers below a weight say what it connects: ",
        page.maths(weight),
        f" leads from {before} to unit {target} of layer {layer}.",
    ]
    biases = [leaf for leaf in shown if len(leaf.indices) == 1]
    if biases:
        unit = int(biases[-1].indices[0]) + 1
        layer = page.desk.tensor(biases[-1].tensor).layer or 1
        line += [
            " The number below a bias is that of its unit: ",
            page.maths(biases[-1]),
            f" belongs to unit {unit} of layer {layer}.",
        ]
    alone = [leaf for leaf in leaves if _is_only_one(page, leaf)]
    if alone:
        line += [
            " Where a layer has only one weight or only one bias, no number is needed: ",
            *_listed(page, alone),
            f" {'has' if len(alone) == 1 else 'have'} none.",
        ]
    yield Paragraph(tuple(line))


def _is_only_one(page: _Page, leaf: Element) -> bool:
    return len(page.original.places(leaf.tensor)) == 1


def _indicators(page: _Page) -> Iterator[Block]:
    for indicator in page.graph.indicators[:1]:
        yield Paragraph(
            (
                "The target is the number of a class, counted from 0. The indicator ",
                page.maths(indicator),
                " is 1 when the target is this class, and 0 otherwise.",
            )
        )


def _listed(page: _Page, quantities: Sequence[Expr]) -> Iterator[Inline]:
    for place, quantity in enumerate(quantities):
        if place:
            yield " and " if place == len(quantities) - 1 else ", "
        yield page.named(quantity)


def _naming(page: _Page) -> Line:
    number = _count(len(page.graph.operations))
    if not page.lettered:
        return (
            f"There {'is one node' if number == 'one' else f'are {number} nodes'}, called by what",
            " they compute. In the order of computation:",
        )
    first, *_, last = page.graph.operations
    return (
        f"There are {number} nodes, ",
        page.maths(first.element),
        " to ",
        page.maths(last.element),
        ". Each stands for one number, and they are numbered in the order of computation, so each"
        " node uses only given numbers and nodes above it:",
    )


def _node_table(page: _Page) -> Iterator[Table]:
    also = {
        node: written for written, node in page.graph.entries.items() if _is_kept(page, written)
    }
    rows = tuple(
        (
            (page.computes(operation),),
            (_operator(operation),),
            tuple(_listed(page, operation.inputs)),
            _also(page, operation, also.get(operation.element)),
        )
        for operation in page.graph.operations
    )
    header: tuple[Line, ...] = (("node",), ("operator",), ("inputs",), ("elsewhere called",))
    for start in range(0, len(rows), ROWS_OF_A_PAGE):
        yield Table(header, rows[start : start + ROWS_OF_A_PAGE])


def _is_kept(page: _Page, written: Element) -> bool:
    return page.original.tensor(written.tensor).kind == "intermediate"


def _also(page: _Page, operation: Operation, written: Element | None) -> Line:
    if operation is page.graph.last and _has_loss_node(page):
        return (page.maths(page.goal),)
    if written is None:
        return ("",)
    page.chain(operation.element, written)
    return (page.maths(written),)


def _has_loss_node(page: _Page) -> bool:
    """Whether what is differentiated is another number than the output."""
    return bool(page.graph.leaves("label")) or len(_outputs(page)) > 1


def _operator(operation: Operation) -> str:
    match operation.kind:
        case "power":
            return "square" if operation.exponent == 2 else f"power {operation.exponent}"
        case "negative":
            return "change of sign"
        case "function":
            return FUNCTIONS[operation.function].in_short
        case _:
            return operation.kind


def _with_article(operation: Operation) -> str:
    bare = operation.kind == "function" and not FUNCTIONS[operation.function].article
    return f"{'' if bare else 'the '}{_operator(operation)}"


def _nested(page: _Page) -> Iterator[Block]:
    """Each output as one formula of inputs and parameters, where a line can hold it."""
    outputs = _outputs(page)
    trees = [page.graph.nested(page.graph.entries[output]) for output in outputs]
    if max(map(_longest, trees)) > LONGEST_LINE:
        yield Paragraph(
            (
                "Put into one another, the nodes make one long formula of inputs and parameters,"
                " too long for a line. The table is the same formula in pieces that can be read.",
            )
        )
        return
    parameters = len(page.graph.leaves("parameter"))
    yield Paragraph(
        (
            "Put into one another, the nodes are one formula. The network is a function of its ",
            f"{_number_of('input', page.graph.leaves('input'))} and of its {_count(parameters)}"
            f" parameter{'s' * (parameters > 1)}:",
        )
    )
    for output, tree in zip(outputs, trees, strict=True):
        stacked = size(tree) > LONGEST_LINE // 2
        yield page.desk.display(page.plain(output), page.plain(tree, stacked))


def _longest(tree: Tree) -> int:
    """Letters on the longest line, when a sum is broken at its plus signs."""
    if not isinstance(tree, Sum):
        return size(tree)
    return max(_longest(part) if isinstance(part, Sum) else size(part) for part in tree.parts)


def _outputs(page: _Page) -> list[Element]:
    return [Element("yhat", *place) for place in page.original.places("yhat")]


def _loss(page: _Page) -> Iterator[Block]:
    if not page.graph.leaves("label"):
        yield from _no_target(page)
        return
    many = len(_outputs(page)) > 1
    yield Paragraph(
        (
            f"At the end the {'outputs are' if many else 'output is'} compared with the"
            f" {_number_of('target', page.graph.leaves('label'))}. The last node is the loss of"
            " this one sample, ",
            page.maths(page.goal),
            ": the smaller it is, the better the network did.",
        )
    )
    tree = _loss_tree(page)
    yield page.desk.display(page.plain(page.goal), page.plain(tree))
    for square, other in _squared_differences(tree)[:1]:
        yield Paragraph(
            (
                "Some books subtract the other way round. That is the same loss, because a number"
                " and its negative have the same square: ",
                page.chain(square, other),
                ".",
            )
        )


def _no_target(page: _Page) -> Iterator[Block]:
    """What is differentiated where nothing is learned."""
    goal = page.maths(page.goal)
    if len(_outputs(page)) == 1:
        yield Paragraph(
            (
                "There is no target to compare ",
                goal,
                " with: ",
                goal,
                " itself is what is differentiated.",
            )
        )
        return
    yield Paragraph(
        (
            "There are no targets to compare the outputs with: what is differentiated is their"
            " sum, the last node, which is called ",
            goal,
            ":",
        )
    )
    yield page.desk.display(page.plain(page.goal), page.plain(_loss_tree(page)))


def _squared_differences(tree: Tree) -> list[tuple[Tree, Tree]]:
    """Squares of a difference, from left to right, each beside the one subtracted the other way."""
    match tree:
        case Power(base=Sum(parts=(first, Negative(inner=second))), exponent=2):
            return [(tree, Power(Sum((second, Negative(first))), 2))]
        case Negative():
            return _squared_differences(tree.inner)
        case Sum() | Times():
            return [found for part in tree.parts for found in _squared_differences(part)]
        case Over():
            return [*_squared_differences(tree.above), *_squared_differences(tree.below)]
        case _:
            return []


def _loss_tree(page: _Page) -> Tree:
    """The loss in terms of outputs and targets."""
    nodes = {page.graph.entries[output]: output for output in _outputs(page)}
    return replaced(page.graph.nested(page.graph.last.element, frozenset(nodes)), nodes)


# --------------------------------------------------------------------------------------------
# Backward
# --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Step:
    """The derivative of one quantity: the sides of its line, the rule that leads to each, and the
    result, or its name where that is shorter."""

    number: int
    quantity: Expr
    users: tuple[Operation, ...]
    sides: tuple[Tree, ...]
    rules: tuple[str, ...]
    result: Expr


Steps = Mapping[Expr, _Step]


def _steps(page: _Page) -> Steps:
    """All steps in order."""
    found: dict[Expr, _Step] = {}
    for number, quantity in enumerate(_order(page.graph), start=1):
        found[quantity] = _step(page, number, quantity, found)
    return found


def _backward(page: _Page, steps: Steps) -> Iterator[Block]:
    goal = page.maths(page.goal)
    yield Heading(2, ("Backpropagation, node by node",))
    yield Paragraph(
        (
            "Now the question is how ",
            goal,
            " changes when one of the numbers in the graph is nudged. Since ",
            goal,
            " depends on many numbers, the derivative is written with the round letter d. ",
            page.maths(page.slope(page.graph.operations[0].element)),
            " means: nudge ",
            page.named(page.graph.operations[0].element),
            ", let every node computed from it follow, and hold all other numbers fixed. ",
            *_local_slope(page),
        )
    )
    yield Paragraph(
        (
            "The graph is walked from the end to the beginning. A number acts on ",
            goal,
            " only through the nodes that use it, and the derivatives by these nodes are known"
            f" when its turn comes. Each step uses the chain rule (section “{CHAIN_RULE}”): the"
            " derivative of the next node by this number, times the derivative of ",
            goal,
            " by the next node. If a number enters several nodes, one such product is formed for"
            f" each, and they are added (section “{TWO_PATHS}”). {_where_paths_meet(steps)}",
        )
    )
    for step in steps.values():
        yield Paragraph(_introduction(page, step, steps))
        yield page.desk.display(*map(page.plain, step.sides), rules=step.rules)
        yield from _remark(page, step.quantity)
    yield from _not_needed(page, steps)


def _local_slope(page: _Page) -> Line:
    """What the derivative of one node by its input means, on the last node with a node below."""
    found = [
        (operation, part)
        for operation in reversed(page.graph.operations)
        for part in operation.inputs
        if page.graph.operation(part) is not None
    ]
    if not found:
        return ()
    operation, part = found[0]
    return (
        "With a node above the fraction bar and one of its inputs below it, as in ",
        page.maths(Partial(operation.element, part)),
        ", it is the derivative of this one operation: a nudge of this input, while the other"
        " input, if there is one, is held fixed.",
    )


def _where_paths_meet(steps: Steps) -> str:
    meeting = [str(step.number) for step in steps.values() if len(step.users) > 1]
    if not meeting:
        return "In this graph that does not happen."
    return f"That happens in step{'s' * (len(meeting) > 1)} {_joined(meeting)}."


def _order(operations: OperationGraph) -> list[Expr]:
    """Nodes from the last to the first, each leaf as soon as all that use it are done."""
    wanted = set(operations.leaves("parameter"))
    if len(operations.leaves("input")) <= MANY_INPUTS:
        wanted |= set(operations.leaves("input"))
    found: list[Expr] = []
    for operation in reversed(operations.operations):
        found.append(operation.element)
        for leaf in reversed(operation.inputs) if operation.kind == "sum" else operation.inputs:
            done = all(user.element in found for user in operations.uses(leaf))
            if leaf in wanted and done and leaf not in found:
                found.append(leaf)
    return found


def _step(page: _Page, number: int, quantity: Expr, known: Steps) -> _Step:
    """goal = chain rule = with both derivatives put in = simplified."""
    users = page.graph.uses(quantity)
    if not users:
        sides = (Atom(page.slope(quantity)), tree_of(S.One, page.desk.network))
        return _Step(number, quantity, users, sides, (), S.One)
    raw = [local_derivative(user, quantity) for user in users]
    local = [_through_value(page, user, found) for user, found in zip(users, raw, strict=True)]
    names = [page.slope(user.element) for user in users]
    values = [known[user.element].result for user in users]
    result = factor_terms(Add(*(a * b for a, b in zip(local, values, strict=True))))
    short = _is_short(page, result)
    onward = values if short else names
    partials = [Partial(user.element, quantity) for user in users]
    lines: list[tuple[Tree, str]] = [
        (_paths(page, partials, names), _chain_rule(users)),
        (_paths(page, raw, onward), "insert what is known"),
        (_paths(page, local, onward), "slope from the value"),
    ]
    if any(_is_elementary(page, derivative) for derivative in raw):
        lines[1:3] = [(lines[2][0], lines[1][1])]
    if short:
        lines.append((tree_of(result, page.desk.network), "simplify"))
    kept = _without_repeats(page, Atom(page.slope(quantity)), lines)
    return _Step(number, quantity, users, *kept, result if short else page.slope(quantity))


def _is_short(page: _Page, result: Expr) -> bool:
    """Whether a result is written out from here on. A sum with a derivative among its addends
    keeps its name: written out it would only be longer."""
    unfinished = any(part.has(Partial) for part in result.atoms(Add))
    return not unfinished and size(tree_of(result, page.desk.network)) <= LONGEST_RESULT


def _is_elementary(page: _Page, derivative: Expr) -> bool:
    """Whether f' is written out at once (exp, log) and has no sign of its own."""
    functions = page.desk.network.functions
    return any(functions[applied.function].elementary for applied in derivative.atoms(Applied))


def _chain_rule(users: Sequence[Operation]) -> str:
    return "chain rule" if len(users) == 1 else f"chain rule, {_count(len(users))} paths"


def _without_repeats(
    page: _Page, first: Tree, lines: Sequence[tuple[Tree, str]]
) -> tuple[tuple[Tree, ...], tuple[str, ...]]:
    """A side that shows the same as the one before is left out, and its rule with it."""

    def shown(side: Tree) -> str:
        return show_tree(side, page.setting).replace(r"\cdot ", "")

    sides, rules = [first], []
    for side, rule in lines:
        if shown(side) != shown(sides[-1]):
            sides.append(side)
            rules.append(rule)
    return tuple(sides), tuple(rules)


def _paths(page: _Page, local: Sequence[Expr], onward: Sequence[Expr]) -> Tree:
    """One product for each path, added."""
    network = page.desk.network
    products = tuple(
        Times((tree_of(a, network), tree_of(b, network)), dot=True)
        for a, b in zip(local, onward, strict=True)
    )
    return products[0] if len(products) == 1 else Sum(products)


def _through_value(page: _Page, operation: Operation, derivative: Expr) -> Expr:
    """f' written with the value that the node has already computed, where that is known."""
    functions = page.desk.network.functions
    found = {}
    for applied in derivative.atoms(Applied):
        if applied.order == 1:
            written = functions[applied.function].slope(applied.argument, operation.element)
            found[applied] = applied if written is None else written
    return derivative.xreplace(found)


def _introduction(page: _Page, step: _Step, steps: Steps) -> Line:
    """Where the number goes, and the derivative of each node that it enters."""
    start: Line = (Strong(f"Step {step.number}:"), " ", page.named(step.quantity), ". ")
    if not step.users:
        return (*start, *_because_equal(page))
    return (
        *start,
        *_entered(page, step.users),
        *_reasons(page, step, steps),
        *_where_known(page, step.users, steps),
    )


def _because_equal(page: _Page) -> Line:
    goal = page.maths(page.goal)
    return (
        "This is the last node, and ",
        goal,
        " is nothing else than this node. When it grows by a small amount, ",
        goal,
        " grows by the same amount, because they are equal:",
    )


def _entered(page: _Page, users: Sequence[Operation]) -> Iterator[Inline]:
    if len(users) == 1:
        yield from ("It enters one node, ", page.computes(users[0]), ". ")
        return
    number = _count(len(users))
    yield f"It enters {number} nodes, "
    for place, user in enumerate(users):
        if place:
            yield " and " if place == len(users) - 1 else ", "
        yield page.computes(user)
    yield f". Its effects through the {number} nodes add (section “{TWO_PATHS}”). "


def _reasons(page: _Page, step: _Step, steps: Steps) -> Iterator[Inline]:
    """One sentence for each kind of operation that the number enters; where an earlier step has
    given the reason, its number."""
    said: set[str] = set()
    for user in step.users:
        kind = _kind(user, step.quantity)
        if kind in said:
            continue
        said.add(kind)
        before = _said_before(step, steps, kind)
        if user.kind == "product":
            yield from _product_reason(page, step, before)
        elif before:
            yield f"{_again(user, step.quantity)} as in step {before}. "
        else:
            yield from (*_reason(page, user, step.quantity), " ")


def _kind(operation: Operation, quantity: Expr) -> str:
    """Operations of one kind have the same reason; two inputs of one may differ."""
    second = operation.kind in ("difference", "quotient") and quantity != operation.inputs[0]
    return f"{operation.kind} {operation.function} {operation.exponent} {second}"


def _said_before(step: _Step, steps: Steps, kind: str) -> int | None:
    """The first earlier step with an operation of this kind."""
    return next(
        (
            earlier.number
            for earlier in steps.values()
            if earlier.number < step.number
            and any(_kind(user, earlier.quantity) == kind for user in earlier.users)
        ),
        None,
    )


def _product_reason(page: _Page, step: _Step, before: int | None) -> Iterator[Inline]:
    if before:
        yield f"For a product, as in step {before}, the factor is the other number, here "
    else:
        yield "In a product, a change of one factor is multiplied by the other, here by "
    for place, user in enumerate(user for user in step.users if user.kind == "product"):
        if place:
            yield " and " if before else " and by "
        others = [part for part in user.inputs if part != step.quantity]
        yield page.named(others[0] if others else step.quantity)
    yield ". "


def _again(operation: Operation, quantity: Expr) -> str:
    """The short form of `_reason`, up to the number of the step that has the long one."""
    match operation.kind:
        case "sum":
            return "For a sum, the factor is 1,"
        case "difference" if quantity == operation.inputs[0]:
            return "For the first part of a difference, the factor is 1,"
        case "difference":
            return "For what is subtracted, the factor is minus 1,"
        case "negative":
            return "For a change of sign, the factor is minus 1,"
        case "quotient":
            return "A quotient is differentiated"
        case "function":
            return f"The slope of {_with_article(operation)} is found"
        case _:
            return f"The {_operator(operation)} is differentiated"


def _where_known(page: _Page, users: Sequence[Operation], steps: Steps) -> Iterator[Inline]:
    for place, user in enumerate(users):
        if place:
            yield " and "
        yield page.maths(page.slope(user.element))
        yield f" is known from step {steps[user.element].number}"
    yield ":"


def _reason(page: _Page, operation: Operation, quantity: Expr) -> Line:
    """The derivative of one operation by one input, in words."""
    match operation.kind:
        case "sum":
            return (
                "A sum grows exactly as much as one of its parts when only that part changes: the"
                " factor is 1.",
            )
        case "difference" if quantity == operation.inputs[0]:
            return (
                "A difference grows exactly as much as its first part when only that part changes:"
                " the factor is 1.",
            )
        case "difference":
            return (
                "What is subtracted makes the result smaller as it grows: the factor is minus 1.",
            )
        case "negative":
            return ("A change of sign turns every change around: the factor is minus 1.",)
        case "power" if operation.exponent == 2:
            return ("The derivative of a square is twice the number that is squared.",)
        case "power":
            return ("The derivative of a power is the exponent times the next lower power.",)
        case "quotient" if quantity == operation.inputs[0]:
            return (
                "To divide by ",
                page.named(operation.inputs[1]),
                " is to multiply by 1 over it.",
            )
        case "quotient":
            return (
                "In a quotient, the derivative by what stands below is minus what stands above,"
                " over the square of what stands below.",
            )
        case "function":
            return (FUNCTIONS[operation.function].slope_words,)
        case _:
            raise AssertionError(operation.kind)


def _remark(page: _Page, quantity: Expr) -> Iterator[Block]:
    if quantity in page.graph.leaves("input"):
        yield Paragraph(
            (
                "This derivative is right, but nothing needs it: ",
                page.named(quantity),
                " is the input of the network. It is given and not computed from parameters, so no"
                " further derivative is built from this one.",
            )
        )


def _not_needed(page: _Page, steps: Steps) -> Iterator[Block]:
    left = [leaf for leaf in page.graph.leaves("input", "label") if leaf not in steps]
    if not left:
        return
    yield Paragraph(
        (
            f"No step is needed for {'the number' if len(left) == 1 else 'the numbers'} ",
            *_listed(page, left),
            f": {'it is' if len(left) == 1 else 'they are'} given with the sample, and nobody"
            f" changes {'it' if len(left) == 1 else 'them'}.",
        )
    )


# --------------------------------------------------------------------------------------------
# The parameters
# --------------------------------------------------------------------------------------------


def _collected(page: _Page, steps: Steps) -> Iterator[Block]:
    yield Heading(2, ("What the parameters have collected",))
    rows = tuple(
        (
            (page.maths(parameter),),
            (page.chain(steps[parameter].sides[0], steps[parameter].sides[-1]),),
            (f"{steps[parameter].number}",),
        )
        for parameter in page.graph.leaves("parameter")
    )
    yield Table((("parameter",), ("derivative",), ("step",)), rows)
    yield from _matrices(page)


def _matrices(page: _Page) -> Iterator[Block]:
    """The same derivatives from the matrix formulas: always compared, and shown where the document
    has a section on matrices."""
    lines = [_as_matrix(page, p) for p in page.original.network.of_kind("parameter")]
    if all(scene_value.size == 1 for scene_value in page.original.own[0].values.values()):
        return
    error_terms = _has_error_terms(page)
    yield Paragraph(
        (
            "The backward pass by matrices, explained below, finds the same numbers, a layer at a"
            " time"
            + (
                ". What is called an error term there consists of derivatives by nodes of the"
                " graph:"
                if error_terms
                else ":"
            ),
        )
    )
    if error_terms:
        yield from _error_terms(page)
        yield Paragraph(("The formulas found there agree with the steps:",))
    yield from lines


def _has_error_terms(page: _Page) -> bool:
    results = [
        page.original.sweep[p.name].result for p in page.original.network.of_kind("parameter")
    ]
    return any("delta" in str(result) for result in results)


def _error_terms(page: _Page) -> Iterator[Block]:
    for layer in layers_of(page.original.network):
        nodes = tuple(
            page.plain(page.slope(page.graph.entries[Element(layer.total, *place)]))
            for place in page.original.places(layer.total)
        )
        side: Formula = nodes[0] if len(nodes) == 1 else Grid((nodes,))
        yield page.desk.display(
            Name(layer.delta),
            Derivative(page.original.network.loss, layer.total),
            side,
        )


def _as_matrix(page: _Page, parameter: Tensor) -> Display:
    derivation = page.original.sweep[parameter.name]
    places = page.original.places(parameter.name)
    if len(places) == 1:
        whole = page.original.at(derivation.result, derivation.indices, places[0])
        return page.desk.display(
            page.plain(page.slope(Element(parameter.name, *places[0]))), Of(whole)
        )
    rows = sorted({place[:-1] for place in places})
    grid = Grid(
        tuple(
            tuple(
                page.plain(page.slope(Element(parameter.name, *place)))
                for place in places
                if place[:-1] == row
            )
            for row in rows
        )
    )
    return page.desk.display(grid, page.original.matrix(derivation))


# --------------------------------------------------------------------------------------------
# From one sample to all
# --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Batch:
    """The network of many samples, with the loss of each one as a tensor (`EXAMPLE`)."""

    desk: Desk
    sample: Index
    scale: Expr


def _batch(page: _Page, desk: Desk) -> _Batch:
    loss = desk.network.equation_of[desk.network.loss].rhs
    alone = page.original.network.equation_of[page.original.network.loss].rhs
    scale = loss.terms[0].coefficient / alone.terms[0].coefficient
    sample = next(i for i in loss.terms[0].bound if i.axis.role == "sample")
    if scale not in (1, 1 / sample.axis.extent):
        raise UncheckedEquation("the cost is neither the sum nor the mean of losses of one sample")
    summands = Expression(
        tuple(
            Term(
                term.coefficient / scale,
                tuple(index for index in term.bound if index != sample),
                term.factors,
            )
            for term in loss.terms
        )
    )
    tensor = Tensor(EXAMPLE, (sample,), "intermediate", letter=_example_letter(page, desk))
    rate = Tensor(RATE, (), "input", letter=_rate_letter(desk))
    equation = Equation(EXAMPLE, (sample,), summands)
    if not desk.own:  # more samples than are written out: three will do to check on
        sizes = {**page.original.sizes, sample.axis.extent: 3}
        desk = replace(desk, own=(scene_of(desk.network, sizes, seed=2),))
    extended = _extended(_rated(desk, rate), (tensor,), (equation,), first=False)
    found = _Batch(extended, sample, scale)
    _same_as_alone(page, found)
    return found


def _example_letter(page: _Page, desk: Desk) -> str:
    """The letter of one sample's loss, in braces so that it is not made lower case; another one
    than that of the cost."""
    cost = desk.setting.notation.symbol("L")
    letter = page.setting.notation.symbol("L")
    if letter == cost:
        letter = "L" if "L" not in _all_symbols(desk) else r"\ell"
    return letter if len(letter) > 1 else f"{{{letter}}}"


def _rate_letter(desk: Desk) -> str:
    letters = (r"\alpha", r"\eta", r"\varepsilon", r"\lambda", r"\rho")
    return next(letter for letter in letters if letter not in _all_symbols(desk))


def _all_symbols(desk: Desk) -> set[str]:
    return {desk.setting.notation.symbol(letter) for letter in DEFAULT_SYMBOLS}


def _rated(desk: Desk, rate: Tensor) -> Desk:
    """The desk with the learning rate as one more given number."""
    extended = _extended(desk, (rate,), (), first=False)
    scenes = [
        tuple(replace(s, point=s.point.with_values({RATE: np.asarray(0.1)})) for s in kept)
        for kept in (extended.generic, extended.own)
    ]
    return replace(extended, generic=scenes[0], own=scenes[1])


def _same_as_alone(page: _Page, batch: _Batch) -> None:
    """The loss of each sample is what the network of one sample gives for it.

    Raises: UncheckedEquation where it is not.
    """
    (scene,) = batch.desk.own
    network = page.original.network
    given = {t.name: scene.values[t.name] for t in network.of_kind("parameter")}
    sizes = page.original.own[0].point.sizes
    for place, expected in enumerate(scene.values[EXAMPLE]):
        row = {t.name: scene.values[t.name][place] for t in network.of_kind("input", "label")}
        alone = forward(Point(network, {**given, **row}, sizes))
        if abs(alone.values[network.loss] - expected) > 1e-10 * (1 + abs(expected)):
            raise UncheckedEquation("the loss of a sample differs from the loss in the batch")


def _cost(page: _Page, batch: _Batch) -> Iterator[Block]:
    desk, sample = batch.desk, batch.sample
    loss = Element(desk.network.loss)
    one = Element(EXAMPLE, sample)
    mean = batch.scale != 1
    count = desk.maths(Of(single(sample.axis.extent)))
    yield Heading(2, ("From one sample to all",))
    yield Paragraph(
        (
            "So far there was one sample. Now there are ",
            count,
            ". Sample number ",
            desk.maths(Of(single(sample), (sample,))),
            f" has its own {_number_of('input', page.graph.leaves('input'))}, its own"
            f" {_number_of('output', _outputs(page))}, its own"
            f" {_number_of('target', page.graph.leaves('label'))} and its own loss:",
        )
    )
    tree = replaced(_loss_tree(page), _with_sample(page, sample))
    yield desk.display(Of(single(one), (sample,)), Plain(tree, (sample,)))
    yield Paragraph(
        (
            "The loss of the batch, ",
            desk.maths(Of(single(loss))),
            f", is the {'mean' if mean else 'sum'} of these losses, often called the cost. It is a"
            " function of the parameters alone, because all samples are given",
            *_other_letter(page, batch),
            ":",
        )
    )
    total = Of(Expression((_summed(batch, one),)))
    yield desk.display(Of(single(loss)), total)
    yield Paragraph(
        (
            "The derivative of a sum is the sum of the derivatives"
            + (", and a constant factor stays where it is. " if mean else ". ")
            + "So the derivative of the loss of the batch by a parameter is the "
            + ("mean" if mean else "sum")
            + " of what the steps above give for each sample",
            *_any_unit(page, desk),
            ":",
        )
    )
    for parameter in desk.network.of_kind("parameter"):
        by = Partial(one, parameter.entry, total=True)
        yield desk.display(
            slope(loss, parameter.entry),
            Of(Expression((_summed(batch, by),)), parameter.indices),
        )


def _other_letter(page: _Page, batch: _Batch) -> Line:
    """Where the loss of one sample and that of the batch have the same letter."""
    one, many = (d.setting.notation.symbol("L") for d in (page.original, batch.desk))
    if one != many:
        return ()
    return (
        ". In this section and the next, ",
        batch.desk.maths(Of(single(Element(batch.desk.network.loss)))),
        " stands for it, and the loss of one sample is written ",
        batch.desk.maths(Of(single(Element(EXAMPLE, batch.sample)), (batch.sample,))),
    )


def _number_of(noun: str, found: Sequence[Expr]) -> str:
    return noun + "s" * (len(found) > 1)


def _any_unit(page: _Page, desk: Desk) -> Line:
    """What a letter below a parameter means, on the first parameter that has one."""
    many = [p for p in desk.network.of_kind("parameter") if len(page.original.places(p.name)) > 1]
    if not many:
        return ()
    return (
        ". A letter below a parameter, as in ",
        desk.maths(Of(single(many[0].entry), many[0].indices)),
        ", stands for every number that is possible in its place, so that one line holds for all"
        " of them",
    )


def _with_sample(page: _Page, sample: Index) -> dict[Expr, Expr]:
    """Entries of one sample's outputs and targets as those of sample n."""
    entries = [*_outputs(page), *page.graph.leaves("label")]
    return {e: Element(e.tensor, sample, *e.indices) for e in entries}


def _summed(batch: _Batch, factor: Expr) -> Term:
    term = product(batch.scale, (batch.sample,), (factor,))
    assert term is not None
    return term


# --------------------------------------------------------------------------------------------
# The update
# --------------------------------------------------------------------------------------------


def _update(desk: Desk, goal: Element) -> Iterator[Block]:
    rate = desk.maths(entry(RATE))
    what = desk.maths(Of(single(goal)))
    yield Heading(2, ("One step downhill",))
    yield Paragraph(
        (
            "A positive derivative says that ",
            what,
            " grows when the parameter grows, a negative one that it shrinks. So each parameter is"
            " moved a little in the direction opposite to the sign of its derivative. The new"
            " value, on the left of the arrow, is"
            " computed from the old one:",
        )
    )
    for parameter in desk.network.of_kind("parameter"):
        yield _descent(desk, goal, parameter)
    yield Paragraph(
        (
            "The number ",
            rate,
            " is the step size, also called the learning rate: a small positive number, chosen by"
            " hand. All derivatives are computed before any parameter is changed. Then the"
            " new parameters take the place of the old ones, and everything starts again, as long"
            " as ",
            what,
            " gets smaller. If the step is too long, it can jump past the lowest place; if it is"
            " very short, learning takes long. Where one arrives depends on where one began: it"
            " may be a valley that is not the deepest one.",
        )
    )


def _update_of_output(page: _Page) -> Iterator[Block]:
    """Where there is no loss, the same step makes the output smaller."""
    rate = Tensor(RATE, (), "input", letter=_rate_letter(page.original))
    desk = _rated(page.desk, rate)
    goal = Element(GOAL)
    yield Heading(2, ("What the derivatives are for",))
    yield Paragraph(
        (
            "They say how to make ",
            page.maths(goal),
            " smaller: move each parameter a little against its derivative. The new value, on"
            " the left of the arrow, is computed from the old one",
            *_any_unit(page, page.original),
            ":",
        )
    )
    for parameter in page.original.network.of_kind("parameter"):
        yield _descent(desk, goal, parameter)
    yield Paragraph(
        (
            "The number ",
            desk.maths(entry(RATE)),
            " is the step size, also called the learning rate: a small positive number, chosen by"
            " hand. Nothing says when to stop, because no target says how large ",
            page.maths(goal),
            " should be.",
        )
    )


def _descent(desk: Desk, goal: Element, parameter: Tensor) -> Display:
    """w <- w - alpha dJ/dw: a definition, not an equation."""
    sides = (
        Plain(Atom(parameter.entry), parameter.indices),
        Plain(
            Sum(
                (
                    Atom(parameter.entry),
                    Negative(
                        Times(
                            (Atom(Element(RATE)), Atom(Partial(goal, parameter.entry, total=True)))
                        )
                    ),
                )
            ),
            parameter.indices,
        ),
    )
    for scene in desk.own:
        old, new = (value(side, scene) for side in sides)
        if old.shape != new.shape or not np.all(np.isfinite(new)):
            raise UncheckedEquation(f"the update of {parameter.name} cannot be computed")
    return Display(Chain(sides, desk.setting, Check("definition"), r"\leftarrow"))


def _count(number: int) -> str:
    words = (
        "no one two three four five six seven eight nine ten eleven twelve thirteen fourteen"
        " fifteen sixteen seventeen eighteen nineteen twenty"
    ).split()
    return words[number] if number < len(words) else str(number)
