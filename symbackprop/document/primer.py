"""A little calculus, for any document: the derivative, the chain rule, and why two paths add.

Owns: the functions on which every line is tried, and the exact comparison of the sides. A rule
that holds for all functions is checked on two choices of polynomials and fractions that have
little in common, with SymPy's derivative and a limit by cancelling, at fractions; a line of an
example is checked on that example.
Refuses: proofs. A line with "approximately" is checked to first order: the difference of its
sides, over epsilon, goes to 0 with epsilon.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sympy import Expr, Lambda, Rational, Symbol

from symbackprop.calculus.terms import Element, single
from symbackprop.document.blocks import (
    Aside,
    Block,
    Chain,
    Check,
    Display,
    Heading,
    Line,
    Maths,
    Paragraph,
)
from symbackprop.document.desk import UncheckedEquation
from symbackprop.document.formulas import Plain
from symbackprop.document.plain import (
    Call,
    Lesson,
    Limit,
    Negative,
    Num,
    Over,
    Power,
    Slope,
    Sum,
    Times,
    Tree,
    Var,
    exact_number,
    show_tree,
    tree_of,
)
from symbackprop.networks.network import Equation, Network, Tensor
from symbackprop.writing.latex import Typesetting

TITLE = "A little calculus"
CHAIN_RULE = "The chain rule"
TWO_PATHS = "Two paths add"


def primer() -> Iterator[Block]:
    """For a reader who knows functions and sums; the rest of a document refers to its titles."""
    yield Heading(2, (TITLE,))
    yield Paragraph(
        (
            "Everything that follows rests on three ideas: what a derivative is, how derivatives of"
            " nested functions multiply, and why the effects of two paths add. Whoever knows them"
            " can go on to the next section.",
        )
    )
    yield _say(
        "In this section ",
        *_listed(Var("f"), G, H, Var("p"), Var("r"), Var("s"), X, Y),
        " stand for any functions and variables, not for those of the network.",
    )
    yield from _derivative()
    yield from _chain_rule()
    yield from _two_paths()


# --------------------------------------------------------------------------------------------
# Functions to try the rules on
# --------------------------------------------------------------------------------------------

_x, _g, _h, _e = (Symbol(name) for name in ("x", "g", "h", "epsilon"))


def _nested(outer: Expr, inner: Expr, x: Rational) -> Lesson:
    """y = f(g(x))."""
    return Lesson(
        (("f", Lambda(_g, outer)), ("g", Lambda(_x, inner))),
        (("g", inner), ("y", outer)),
        (("x", x), ("epsilon", Rational(1, 10))),
    )


def _meeting(outer: Expr, left: Expr, right: Expr, x: Rational) -> Lesson:
    """y = f(g(x), h(x))."""
    return Lesson(
        (
            ("f", Lambda((_g, _h), outer)),
            ("g", Lambda(_x, left)),
            ("h", Lambda(_x, right)),
        ),
        (("g", left), ("h", right), ("f", outer), ("y", outer)),
        (("x", x), ("epsilon", Rational(1, 10))),
    )


def _alone(function: Expr, x: Rational) -> Lesson:
    """y = f(x)."""
    return Lesson(
        (("f", Lambda(_x, function)),),
        (("y", function),),
        (("x", x), ("epsilon", Rational(1, 1000))),
    )


DOUBLE = (_alone(2 * _x, Rational(1)),)
SQUARE = (_alone(_x**2, Rational(3)),)
ANY = (_alone(_x**3 - 4 * _x, Rational(7, 3)), _alone(1 / (1 + _x**2), Rational(-2, 5)))
THREE_TWO = (_nested(2 * _g, 3 * _x, Rational(5)),)
ANY_NESTED = (
    _nested(_g**2 + 5 * _g, _x**3 - 4 * _x, Rational(7, 3)),
    _nested(1 / (1 + _g), 2 * _x**2, Rational(-2, 5)),
)
VEHICLES = (
    Lesson(
        (),
        (("r", 4 * Symbol("p")), ("s", 2 * Symbol("r"))),
        (("p", Rational(1)),),
    ),
)
ANY_MEETING = (
    _meeting(_g**2 + 5 * _g * _h - _h, _x**3 - _x, 1 / (1 + _x**2), Rational(7, 3)),
    _meeting(_g / _h, 2 * _x + 1, _x**2 + 3, Rational(-2, 5)),
)
PRODUCT = (_meeting(_g * _h, _x**2, 3 * _x, Rational(2)),)


# --------------------------------------------------------------------------------------------
# Checked lines
# --------------------------------------------------------------------------------------------


def equal(lessons: Sequence[Lesson], *sides: Tree) -> Chain:
    """side = side = ..., compared exactly in every lesson.

    Raises: UncheckedEquation when two sides differ.
    """
    for lesson in lessons:
        reference = exact_number(sides[0], lesson)
        for place, side in enumerate(sides[1:], start=2):
            if exact_number(side, lesson) != reference:
                raise _refused(place, side)
    return _chain(lessons, sides, "=", "")


def nearly(lessons: Sequence[Lesson], left: Tree, right: Tree) -> Chain:
    """left is right up to a difference that, divided by epsilon, goes to 0 with epsilon.

    Raises: UncheckedEquation when it does not.
    """
    for lesson in lessons:
        difference = Over(Sum((left, Negative(right))), E)
        if exact_number(Limit("epsilon", difference), lesson) != 0:
            raise _refused(2, right)
    return _chain(lessons, (left, right), r"\approx", ", to first order in epsilon")


def _refused(place: int, side: Tree) -> UncheckedEquation:
    shown = show_tree(side, SETTING)
    return UncheckedEquation(f"side {place} of an equation differs from the first: {shown}")


def _chain(lessons: Sequence[Lesson], sides: Sequence[Tree], relation: str, how: str) -> Chain:
    tried = "; ".join(
        ", ".join(f"{name} = {definition}" for name, definition in lesson.quantities)
        for lesson in lessons
    )
    formulas = tuple(Plain(side, lessons=tuple(lessons)) for side in sides)
    return Chain(formulas, SETTING, Check("exact", f"for {tried}{how}"), relation)


def _setting() -> Typesetting:
    """Letters of a lesson are no tensors; the printer only needs some network."""
    x, y = Tensor("x", (), "input", letter="x"), Tensor("L", (), "loss", letter="y")
    return Typesetting(Network("calculus", (x, y), (Equation("L", (), single(Element("x"))),), "L"))


SETTING = _setting()


def _maths(tree: Tree) -> Maths:
    return Maths(Plain(tree, lessons=DOUBLE), SETTING)


def _display(chain: Chain, *rules: str) -> Display:
    return Display(chain, rules)


def _say(*parts: object) -> Paragraph:
    """A paragraph; a tree stands for its formula."""
    line: Line = tuple(
        part if isinstance(part, (str, Chain)) else _maths(part)  # type: ignore[arg-type]
        for part in parts
    )
    return Paragraph(line)


def _listed(*trees: Tree) -> Iterator[Tree | str]:
    """a, b and c."""
    for place, tree in enumerate(trees):
        if place:
            yield " and " if place == len(trees) - 1 else ", "
        yield tree


# --------------------------------------------------------------------------------------------
# The sections
# --------------------------------------------------------------------------------------------

X, Y, G, H, E = Var("x"), Var("y"), Var("g"), Var("h"), Var("epsilon")


def _of(function: str, *arguments: Tree) -> Call:
    return Call(function, arguments)


def _plus(left: Tree, right: Tree) -> Sum:
    return Sum((left, right))


def _minus(left: Tree, right: Tree) -> Sum:
    return Sum((left, Negative(right)))


def _dot(*parts: Tree) -> Times:
    return Times(parts, dot=True)


def _derivative() -> Iterator[Block]:
    one, step, moved = Num("1"), Num("0.001"), Num("1.001")
    yield Heading(3, ("What a derivative is",))
    yield _say(
        "A derivative answers one question: if the input of a function is nudged a little, how many"
        " times as much does its output move? Take the function that doubles its input, ",
        equal(DOUBLE, _of("f", X), Times((Num("2"), X))),
        ", and nudge the input from 1 to 1.001:",
    )
    yield _display(equal(DOUBLE, _of("f", one), _dot(Num("2"), one), Num("2")))
    nudged = _of("f", _plus(one, step))
    yield _display(equal(DOUBLE, nudged, _dot(Num("2"), moved), Num("2.002")))
    difference = _minus(nudged, _of("f", one))
    yield _say("The output has moved by the difference of the two:")
    yield _display(equal(DOUBLE, difference, _minus(Num("2.002"), Num("2")), Num("0.002")))
    yield _say("This is twice the nudge:")
    yield _display(equal(DOUBLE, Over(difference, step), Over(Num("0.002"), step), Num("2")))
    yield _say(
        "The derivative of this function is 2. For a function whose graph is a straight line the"
        " size of the nudge does not matter. For a curve it does, a little; so one lets the nudge"
        " shrink and asks which number the ratio comes closer and closer to. That number is called"
        " the limit. The nudge is written ",
        E,
        " (epsilon), the usual letter for something small. With ",
        equal(ANY, Y, _of("f", X)),
        " for the output, the limit is the derivative of ",
        Y,
        " by ",
        X,
        ":",
    )
    moved_x = _plus(X, E)
    ratio = Over(_minus(_of("f", moved_x), _of("f", X)), E)
    yield _display(equal(ANY, Slope("y", "x"), Limit("epsilon", ratio)))
    yield _say("For the doubling:")
    two = Num("2")
    yield _display(
        equal(
            DOUBLE,
            Slope("y", "x"),
            Limit("epsilon", Over(_minus(Times((two, moved_x)), Times((two, X))), E)),
            Limit("epsilon", Over(Times((two, E)), E)),
            two,
        )
    )
    square = Power(X, 2)
    yield _say(
        "For a curve, ",
        equal(SQUARE, Y, square),
        ", the ratio still contains the nudge, and in the limit the nudge is gone:",
    )
    expanded = Sum((square, Times((two, X, E)), Power(E, 2)))
    yield _display(
        equal(
            SQUARE,
            Slope("y", "x"),
            Limit("epsilon", Over(_minus(Power(moved_x, 2), square), E)),
            Limit("epsilon", Over(_minus(expanded, square), E)),
            Limit("epsilon", _plus(Times((two, X)), E)),
            Times((two, X)),
        )
    )
    yield _say(
        "Read the other way round, the derivative tells what a small nudge does: the output moves"
        " by about the derivative times the nudge. The derivative is the one at ",
        X,
        ", before the nudge. The sign of “about” is a wavy equals sign:",
    )
    yield _display(nearly(ANY, _minus(_of("f", moved_x), _of("f", X)), _dot(Slope("y", "x"), E)))
    yield _say(
        "What is left out is so small that, even divided by the nudge, it disappears in the limit.",
    )


def _chain_rule() -> Iterator[Block]:
    yield Heading(3, (CHAIN_RULE,))
    yield _say(
        "Let ",
        Y,
        " be computed in two stages: first ",
        G,
        " from ",
        X,
        ", then ",
        Y,
        " from ",
        G,
        ", so that ",
        equal(ANY_NESTED, Y, _of("f", _of("g", X))),
        ". Suppose ",
        G,
        " moves 3 times as much as ",
        X,
        ", and ",
        Y,
        " moves 2 times as much as ",
        G,
        ":",
    )
    slope_g, slope_y = Slope("g", "x"), Slope("y", "g")
    yield _display(equal(THREE_TWO, slope_g, Num("3")))
    yield _display(equal(THREE_TWO, slope_y, Num("2")))
    yield _say(
        "A nudge of ",
        X,
        " is first made 3 times as large, and the result is made 2 times as large. The two factors"
        " multiply, and that is the chain rule:",
    )
    yield _display(
        equal(
            THREE_TWO, Slope("y", "x"), _dot(slope_g, slope_y), _dot(Num("3"), Num("2")), Num("6")
        ),
        "chain rule",
    )
    yield _say(
        "Nothing in the first line depended on the numbers being 3 and 2: ",
        equal(ANY_NESTED, Slope("y", "x"), _dot(slope_g, slope_y)),
        " holds for any two functions, one inside the other.",
    )
    yield _say(
        "Speeds behave in the same way. A bicycle is four times as fast as a walker, and a car is"
        " twice as fast as the bicycle. While the walker goes one metre, the bicycle goes four, and"
        " the car goes twice as far as that. With ",
        *_listed(Var("p"), Var("r"), Var("s")),
        " for the metres that walker, bicycle and car have gone:",
    )
    yield _display(
        equal(
            VEHICLES,
            Slope("s", "p"),
            _dot(Slope("r", "p"), Slope("s", "r")),
            _dot(Num("4"), Num("2")),
            Num("8"),
        ),
        "chain rule",
    )


def _two_paths() -> Iterator[Block]:
    yield Heading(3, (TWO_PATHS,))
    yield _say(
        "Now let ",
        X,
        " enter twice: both ",
        G,
        " and ",
        H,
        " are computed from ",
        X,
        ", and the output needs both, ",
        equal(ANY_MEETING, Y, _of("f", _of("g", X), _of("h", X))),
        ". How much the output moves when ",
        G,
        " alone is nudged and ",
        H,
        " is held fixed is called a partial derivative and written with a round ",
        "letter d, ",
        Slope("f", "g", curly=True),
        "; in the same way ",
        Slope("f", "h", curly=True),
        " nudges ",
        H,
        " alone. The rule is:",
    )
    rule = _plus(*_paths())
    yield _display(equal(ANY_MEETING, Slope("y", "x"), rule), "two paths")
    yield _say(
        "Why does one add? Nudge ",
        X,
        " by ",
        E,
        " and follow it. All derivatives below are those before the nudge. Along the first path, ",
        G,
        " moves, and moves the output while ",
        H,
        " stays where it was:",
    )
    yield from _followed()
    yield Heading(4, ("An example, computed twice",))
    yield from _example()
    yield Aside("How these lines were checked", (_say(*_tried()),))


def _tried() -> Iterator[object]:
    """On which functions the general rules were computed."""
    yield "Both sides of every line above were computed in exact fractions; where the sign is wavy,"
    yield " the difference of the sides, divided by the nudge, was shown by calculation to vanish"
    yield " in the limit. The lines that hold for any function were computed for two choices each:"
    yield " the definition for "
    yield from _choices(ANY)
    yield "; the chain rule for "
    yield from _choices(ANY_NESTED)
    yield "; the two paths for "
    yield from _choices(ANY_MEETING)
    yield ". That is a test and no proof; the argument above is what convinces."


def _choices(lessons: Sequence[Lesson]) -> Iterator[object]:
    for place, lesson in enumerate(lessons):
        yield ", and for " if place else ""
        inner = [(name, whole) for name, whole in lesson.quantities if name not in ("f", "y")]
        outer = [(name, whole) for name, whole in lesson.quantities if name == "y"]
        for count, (name, whole) in enumerate((*outer, *inner)):
            yield ("", " with ", " and ")[count]
            yield equal((lesson,), Var(name), tree_of(whole, SETTING.network))


def _paths() -> tuple[Tree, Tree]:
    """The products along the two paths."""
    return (
        _dot(Slope("g", "x"), Slope("f", "g", curly=True)),
        _dot(Slope("h", "x"), Slope("f", "h", curly=True)),
    )


def _followed() -> Iterator[Block]:
    """The epsilon argument: one path, the other, both, and the limit."""
    moved = _plus(X, E)
    start = _of("f", _of("g", X), _of("h", X))
    through_g = _of("f", _of("g", moved), _of("h", X))
    through_h = _of("f", _of("g", X), _of("h", moved))
    through_both = _of("f", _of("g", moved), _of("h", moved))
    move_g, move_h = (_dot(Slope(name, "x"), E) for name in ("g", "h"))
    by_g = _dot(_group(move_g), Slope("f", "g", curly=True))
    by_h = _dot(_group(move_h), Slope("f", "h", curly=True))
    yield _display(nearly(ANY_MEETING, _minus(_of("g", moved), _of("g", X)), move_g))
    yield _display(nearly(ANY_MEETING, _minus(through_g, start), by_g))
    yield _say("Along the second path, ", H, " moves, and ", G, " stays:")
    yield _display(nearly(ANY_MEETING, _minus(_of("h", moved), _of("h", X)), move_h))
    yield _display(nearly(ANY_MEETING, _minus(through_h, start), by_h))
    yield _say(
        "In truth both move at once, and each adds its own share. When ",
        G,
        " has moved a little, the share of ",
        H,
        " is a little different, but that difference is small even beside ",
        E,
        ". So the output moves by the sum of the two shares:",
    )
    yield _display(nearly(ANY_MEETING, _minus(through_both, start), _plus(by_g, by_h)))
    yield _say("The nudge is a common factor:")
    bracket = _plus(*_paths())
    yield _display(equal(ANY_MEETING, _plus(by_g, by_h), Times((E, bracket))))
    yield _say(
        "Divide by the nudge and let it shrink, as in the definition of the derivative, and the"
        " rule appears:",
    )
    yield _display(
        equal(
            ANY_MEETING,
            Slope("y", "x"),
            Limit("epsilon", Over(_minus(through_both, start), E)),
            bracket,
        )
    )
    yield _say("With three paths or more it is the same: one product for each path, and their sum.")


def _group(tree: Tree) -> Tree:
    """Parentheses that only guide the eye: an addition with one addend."""
    return Sum((tree,))


def _example() -> Iterator[Block]:
    two, three = Num("2"), Num("3")
    square, triple = Power(X, 2), Times((three, X))
    yield _say(
        "Let ",
        equal(PRODUCT, G, square),
        ", ",
        equal(PRODUCT, H, triple),
        " and ",
        equal(PRODUCT, Y, _of("f", G, H), Times((G, H))),
        ". The four derivatives are:",
    )
    yield _display(equal(PRODUCT, Slope("g", "x"), Times((two, X))))
    yield _display(equal(PRODUCT, Slope("h", "x"), three))
    yield _display(equal(PRODUCT, Slope("f", "g", curly=True), H, triple))
    yield _display(equal(PRODUCT, Slope("f", "h", curly=True), G, square))
    yield _say("With these, the rule gives:")
    nine = Times((Num("9"), square))
    yield _display(
        equal(
            PRODUCT,
            Slope("y", "x"),
            _plus(*_paths()),
            _plus(_dot(Times((two, X)), triple), _dot(three, square)),
            _plus(Times((Num("6"), square)), Times((three, square))),
            nine,
        ),
        "two paths",
    )
    yield _say(
        "Or insert ",
        G,
        " and ",
        H,
        " first: ",
        equal(PRODUCT, Y, _dot(square, triple), Times((three, Power(X, 3)))),
        ". At ",
        equal(PRODUCT, X, two),
        " the rule says ",
        equal(PRODUCT, nine, _dot(Num("9"), Num("4")), Num("36")),
        ". A nudge of 0.001 confirms it: the ratio is near 36, and comes nearer as the nudge"
        " shrinks:",
    )
    yield _display(
        equal(
            PRODUCT,
            Over(
                _minus(_dot(three, Power(Num("2.001"), 3)), _dot(three, Power(two, 3))),
                Num("0.001"),
            ),
            Num("36.018003"),
        )
    )
