"""SymPy's own objects: they are the forms of the textbooks, and what SymPy differentiates whole."""

from __future__ import annotations

import contextlib
import io
import re
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from sympy import (
    Eq,
    ImmutableDenseNDimArray,
    KroneckerDelta,
    Matrix,
    Piecewise,
    Rational,
    diag,
    exp,
    eye,
    latex,
    log,
    ones,
)

import symbackprop as sbp
from symbackprop.calculus.terms import Element, expression, product
from symbackprop.document.sympy_says import said
from symbackprop.networks.layers.multilayer import SAMPLES, Built
from symbackprop.networks.network import Tensor
from symbackprop.proving.crosscheck import model_of
from symbackprop.witnesses import reference
from symbackprop.witnesses.concrete import explicit as plain_network
from symbackprop.witnesses.effort import effort
from symbackprop.witnesses.explicit import ExplicitNet
from symbackprop.witnesses.letterforms import LetterMatrix
from tests.places import ROOT
from tests.sample_networks import CASES, Case, I, applied, network

Array = npt.NDArray[Any]
OUTPUT = ROOT / "output"
EXAMPLES = ("line", "linear-chain", "two-three-one", "four-layer")


@cache
def net_of(name: str, samples: int) -> ExplicitNet:
    return sbp.explicit(name, N=samples)


def perceptron(widths: tuple[int | str, ...], *activations: str, **words: Any) -> str:
    """The text of a network file."""
    words = {"loss": "squared_error", "name": "net", **words}
    top = [
        f"{key} = {repr(value).lower() if value is True else repr(value)}"
        for key, value in words.items()
    ]
    layers = [
        f'[[layers]]\ntype = "dense"\nunits = {width!r}\nactivation = "{activation}"'
        for width, activation in zip(widths[1:], activations, strict=True)
    ]
    return "\n".join([f"input = {widths[0]!r}", *top, *layers])


# --- the forms of the textbooks ---------------------------------------------------------------


@pytest.mark.parametrize("samples", [1, 3])
def test_jacobian_through_weights_is_the_transposed_weights(samples: int) -> None:
    e = net_of("four-layer", samples)
    found = e.jacobian("z3", "h2")
    assert found == e["W3"].T
    assert found != e["W3"][:3, :]
    assert found.form == "W3.T"
    assert str(found).startswith("W3.T = Matrix([\n[W3_1_1, W3_2_1, W3_3_1, W3_4_1],")


@pytest.mark.parametrize("sample", [1, 2])
def test_softmax_jacobian_is_diag_minus_outer_product(sample: int) -> None:
    e = net_of("four-layer", 2)
    row = e["yhat"][sample - 1, :]
    found = e.jacobian("yhat", "z3", sample=sample)
    assert found == diag(*row) - row.T * row
    assert found.form == f"diag(*yhat_{sample}) - yhat_{sample}.T*yhat_{sample}"


@pytest.mark.parametrize("samples", [1, 3])
def test_error_at_the_output_is_output_minus_label(samples: int) -> None:
    e = net_of("four-layer", samples)
    found = e.gradient("z3")
    assert found == e["yhat"] - e["y"]
    assert found.form == "yhat - y"
    assert list(found.facts) == [Eq(sum(e["y"][n, :]), 1) for n in range(samples)]
    assert e.facts == found.facts


def test_without_the_fact_the_sum_of_the_labels_stays() -> None:
    e = net_of("four-layer", 2)
    found = e.gradient("z3", facts=False)
    total = e["y"] * ones(3, 3)
    assert found == e["yhat"].multiply_elementwise(total) - e["y"]
    assert found.facts == ()
    assert found != e.gradient("z3")
    assert e.gradient("yhat").facts == ()


def test_labels_of_which_nothing_is_known_give_no_fact() -> None:
    text = perceptron((2, 3), "softmax", loss="cross_entropy", labels="any", reduction="sum")
    e = sbp.explicit(sbp.loads(text), N=1)
    assert e.facts == ()
    assert e.gradient("z1") == e.gradient("z1", facts=False)
    assert e.gradient("z1")[0, 0] == e["yhat"][0, 0] * sum(e["y"]) - e["y"][0, 0]


def test_whole_number_labels_are_one_for_one_class() -> None:
    text = perceptron((2, 3), "softmax", loss="cross_entropy", labels="integer", reduction="sum")
    e = sbp.explicit(sbp.loads(text), N=1)
    (label,) = e["y"]
    assert list(e.gradient("z1")) == [e["yhat"][0, k] - KroneckerDelta(k, label) for k in range(3)]
    with pytest.raises(sbp.UsageError, match="whole-number labels"):
        e.gradient("y")


def test_sigmoid_cancels_against_binary_cross_entropy() -> None:
    text = perceptron((2, 2), "sigmoid", loss="binary_cross_entropy", reduction="sum")
    e = sbp.explicit(sbp.loads(text), N=2)
    assert e.gradient("z1") == e["yhat"] - e["y"]
    assert e.gradient("z1").form == "yhat - y"
    assert e.facts == e.gradient("z1").facts == ()


def test_sum_of_a_softmax_is_never_left_in_a_derivative() -> None:
    e = net_of("four-layer", 1)
    total = sum(exp(z) for z in e["z3"])
    assert e.jacobian("s3", "z3") == e["yhat"] * total


def test_activation_jacobian_is_a_diagonal_of_slopes_through_the_output() -> None:
    e = net_of("four-layer", 1)
    assert e.jacobian("h2", "z2") == diag(*(h * (1 - h) for h in e["h2"]))


def test_layers_multiply_as_textbooks_say() -> None:
    e = net_of("four-layer", 3)
    delta3, h2 = e.gradient("z3"), e["h2"]
    delta2 = (delta3 * e["W3"].T).multiply_elementwise(h2).multiply_elementwise(ones(3, 4) - h2)
    assert e.gradient("W3") == h2.T * delta3
    assert e.gradient("W3").form == "h2.T*(yhat - y)"
    assert e.gradient("b3") == ones(1, 3) * delta3
    assert e.gradient("b3").form == "ones(1, 3)*(yhat - y)"
    assert e.gradient("h2").form == "(yhat - y)*W3.T"
    assert e.gradient("z2") == delta2
    assert e.gradient("W2") == e["h1"].T * delta2
    assert e.gradient("W2").form == ""


def test_scale_of_the_loss_stands_in_front() -> None:
    e = net_of("linear-chain", 3)
    assert e.gradient("yhat").form == "2*(yhat - y)/3"
    assert e.gradient("yhat") == 2 * (e["yhat"] - e["y"]) / 3
    assert e.gradient("W3").form == "2*z2.T*(yhat - y)/3"


def test_jacobian_of_a_tensor_by_itself_is_the_identity() -> None:
    found = net_of("four-layer", 3).jacobian("z2", "z2")
    assert (found, found.form) == (eye(4), "eye(4)")


def test_jacobian_of_all_samples_has_a_block_for_each() -> None:
    e = net_of("four-layer", 2)
    weights = e["W3"].T
    assert e.jacobian("z3", "h2", sample=None) == diag(weights, weights)
    assert e.jacobian("z3", "W3", sample=2).shape == (3, 12)


def test_a_network_of_one_sample_has_rows() -> None:
    e = sbp.explicit(sbp.derive("four-layer", samples=1))
    assert repr(e) == "ExplicitNet('four-layer')"
    assert e["x"].shape == (1, 2)
    assert e.gradient("z3") == e["yhat"] - e["y"]
    assert e.jacobian("yhat", "z3").form == "diag(*yhat) - yhat.T*yhat"


# --- against SymPy's derivative of the whole --------------------------------------------------

ACTIVATIONS = ("sigmoid", "tanh", "relu", "leaky_relu", "softplus", "softmax", "identity")
LAST = (
    ("softmax", {"loss": "cross_entropy"}),
    ("softmax", {"loss": "cross_entropy", "labels": "integer"}),
    ("softmax", {"loss": "cross_entropy", "labels": "any"}),
    ("sigmoid", {"loss": "binary_cross_entropy", "reduction": "mean_elements"}),
    ("softplus", {"loss": "squared_error", "half": True}),
    ("tanh", {"loss": "none"}),
)


def compared(e: ExplicitNet, names: list[str]) -> None:
    """Each derivative in letters, and put into given entries, is that of the composed loss."""
    plain = plain_network(e.network, e.sizes)
    values = plain.values(seed=4)
    for name in names:
        whole = plain.numeric(plain.jacobian(e.network.loss, name, direct=True), values)
        for facts in (True, False):
            found = e.gradient(name, facts=facts)
            assert not {s.name for s in found.free_symbols} & auxiliary(e)
            numbers = np.ravel(plain.numeric(found, values))
            assert max(abs(numbers - np.ravel(whole))) < 1e-25, (name, facts)


def auxiliary(e: ExplicitNet) -> set[str]:
    return {s.name for t in e.network.of_kind("auxiliary") for s in e[t.name]}


def differentiable(e: ExplicitNet) -> list[str]:
    return [t.name for t in e.network.of_kind("parameter", "input", "intermediate")]


@pytest.mark.parametrize("name", EXAMPLES)
def test_gradients_of_every_example_are_those_of_the_whole_loss(name: str) -> None:
    e = net_of(name, 1)
    for tensor in differentiable(e):
        assert isinstance(e.gradient(tensor), Matrix)
        assert e.gradient(tensor).shape == e[tensor].shape
    compared(e, [t.name for t in e.network.of_kind("parameter", "input")])


@pytest.mark.slow
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize(("last", "words"), LAST)
def test_letters_stand_for_what_they_say(activation: str, last: str, words: dict[str, Any]) -> None:
    e = sbp.explicit(sbp.loads(perceptron((2, 2, 2), activation, last, **words)), N=2)
    compared(e, ["W1", "b2", "z1"])


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_networks_that_no_layer_ships(case: Case) -> None:
    sizes = {symbol.name: size for symbol, size in case.small.items()}
    e = sbp.explicit(case.network, **sizes)
    compared(e, [t.name for t in case.network.of_kind("parameter", "intermediate")])
    for tensor in case.network.of_kind("parameter"):
        whole = isinstance(e.gradient(tensor.name), ImmutableDenseNDimArray)
        assert whole == (len(tensor.indices) > 2)


def test_copies_and_zeros_lend_their_names_to_nothing() -> None:
    x, q = Tensor("x", (I,), "input"), Tensor("q", (I,), "intermediate")
    h = Tensor("h", (I,), "intermediate")
    shifted = expression(product(1, (), (Element("x", I - 1),)))
    e = sbp.explicit(network("shift", (x,), ((q, shifted), (h, applied("relu", q))), h), I=3)
    first, second, _ = e["q"]
    assert list(e.definition("q")) == [0, *list(e["x"])[:2]]
    assert e.jacobian("h", "q")[0, 0] == Piecewise((1, first > 0), (0, True))
    assert e.jacobian("h", "x")[1, 0] == Piecewise((1, second > 0), (0, True))
    compared(e, ["x", "q"])


def test_written_out_is_in_given_entries_and_the_same() -> None:
    e = net_of("two-three-one", 2)
    given = {s for name in ("x", "y", "W1", "W2") for s in e[name]}
    for name in ("W1", "h1"):
        whole, named = e.gradient(name, written_out=True), e.gradient(name)
        assert whole.free_symbols <= given
        assert not named.free_symbols <= given
        point = {s: Rational(k + 2, 7) for k, s in enumerate(sorted(given, key=str))}
        difference = (whole - e.written_out(named)).subs(point).evalf(30)
        assert max(map(abs, difference)) < 1e-25
    assert e.loss.free_symbols == given
    assert e.jacobian("yhat", "W1", written_out=True).free_symbols <= given


def test_loss_is_one_sympy_expression_that_can_be_differentiated_by_hand() -> None:
    e = net_of("line", 2)
    (slope,), (shift,) = e["W1"], e["b1"]
    assert e.loss.expand() == (slope * sum(e["x"]) + 2 * shift).expand()
    assert e.loss.diff(slope) == e.gradient("W1")[0, 0] == sum(e["x"])


def test_definition_shows_the_equation_of_each_entry() -> None:
    e = net_of("four-layer", 2)
    assert e.definition("z3") == e["h2"] * e["W3"] + Matrix([e["b3"], e["b3"]])
    with pytest.raises(sbp.UsageError, match="given"):
        e.definition("x")


# --- matrices that people go on with ----------------------------------------------------------


def test_symbols_print_in_latex_with_layer_and_position() -> None:
    e = net_of("four-layer", 2)
    assert latex(e["W1"][0, 1]) == "W^{1}_{1,2}"
    assert latex(e["yhat"][1, 2]) == r"\hat{y}_{2,3}"
    assert (
        latex(e["b3"])
        == r"\left[\begin{matrix}b^{3}_{1} & b^{3}_{2} & b^{3}_{3}\end{matrix}\right]"
    )
    shown = e.jacobian("z3", "h2")._repr_latex_()
    assert shown.startswith(r"$\displaystyle {W^{3}}^{\top} = \left[\begin{matrix}W^{3}_{1,1}")


def test_results_are_sympy_matrices_like_any_other() -> None:
    e = net_of("four-layer", 1)
    found = e.gradient("z3")
    label, output = e["y"][0, 0], e["yhat"][0, 0]
    assert isinstance(found, Matrix)
    assert found.subs({label: 1, output: Rational(1, 4)})[0, 0] == Rational(-3, 4)
    assert found.diff(output) == Matrix([[1, 0, 0]])
    assert latex(found).startswith(r"\left[\begin{matrix}- y_{1,1} + \hat{y}_{1,1} &")
    assert str(found.T).startswith("Matrix([")


def test_a_form_is_only_said_of_what_it_is() -> None:
    e = net_of("four-layer", 1)
    found = e.gradient("z3")
    found[0, 1] = log(2)
    assert found.form == ""
    assert str(found).startswith("Matrix([")
    transposed = LetterMatrix(e["W3"].T[:, :])
    transposed.letters = e["W3"].letters
    assert transposed.form == "W3.T"


# --- numbers ----------------------------------------------------------------------------------


@pytest.mark.parametrize("modules", ["numpy", "math", "mpmath"])
@pytest.mark.parametrize("name", EXAMPLES)
def test_lambdified_gradients_are_those_of_the_code_and_of_the_reference(
    name: str, modules: str
) -> None:
    net = sbp.load(name)
    params = net.parameters(seed=5)
    x, y = net.sample(seed=6)
    found = sbp.explicit(net, N=len(x)).lambdify(modules)(params, x, y)
    _, derived = sbp.derive(net).function()(params, x, y)
    assert net.architecture is not None
    by_hand = reference.gradients(model_of(net.architecture), params, x, y)
    assert list(found) == list(derived)
    for tensor, gradient in found.items():
        assert gradient.shape == derived[tensor].shape
        assert gradient.dtype == (object if modules == "mpmath" else np.float64)
        for expected in (derived[tensor], by_hand[tensor]):
            assert np.max(np.abs(gradient - expected)) < 1e-12


def test_lambdify_takes_other_tensors_and_labels_that_do_not_add_up_to_one() -> None:
    net = sbp.load("four-layer")
    x, y = net.sample()
    assert y is not None
    params, e = net.parameters(), net_of("four-layer", 3)
    found = e.lambdify(wrt=("x", "z3"))(params, x, 3 * y)
    assert {name: array.shape for name, array in found.items()} == {"x": (3, 2), "z3": (3, 3)}
    yhat = reference.forward(model_of_four(), params, x)["yhat"]
    assert np.allclose(found["z3"], 3 * y.sum(axis=1, keepdims=True) * yhat - 3 * y, atol=1e-12)


def model_of_four() -> reference.Model:
    architecture = sbp.load("four-layer").architecture
    assert architecture is not None
    return model_of(architecture)


def test_lambdify_reads_several_inputs_and_whole_number_labels() -> None:
    text = perceptron((2, 3), "softmax", loss="cross_entropy", labels="integer")
    net = sbp.loads(text)
    x, y = net.sample()
    params = net.parameters()
    _, derived = sbp.derive(net).function()(params, x, y)
    for modules in ("numpy", "math", "mpmath"):
        found = sbp.explicit(net, N=len(x)).lambdify(modules)(params, x, y)
        assert np.max(np.abs(found["W1"] - derived["W1"])) < 1e-12
    bilinear = next(case for case in CASES if case.name == "bilinear")
    e = sbp.explicit(bilinear.network, **{s.name: n for s, n in bilinear.small.items()})
    rng = np.random.default_rng(1)
    arrays = {name: rng.standard_normal(e[name].shape) for name in ("x", "u", "g", "A")}
    given = {"x": arrays["x"], "u": arrays["u"], "g": arrays["g"]}
    (gradient,) = e.lambdify()({"A": arrays["A"]}, given).values()
    z = np.einsum("ni,ijk,nj->nk", arrays["x"], arrays["A"], arrays["u"])
    by_hand = np.einsum("nk,ni,nj->ijk", 2 * arrays["g"] * z, arrays["x"], arrays["u"])
    assert np.allclose(gradient, by_hand, rtol=1e-12)


def test_arrays_that_do_not_fit_are_refused() -> None:
    net = sbp.load("four-layer")
    x, y = net.sample()
    f = net_of("four-layer", 2).lambdify()
    with pytest.raises(sbp.ArrayError, match=r"array x: found shape \(3, 2\), expected shape"):
        f(net.parameters(), x, y)
    with pytest.raises(sbp.UsageError, match="did you mean `numpy`"):
        net_of("four-layer", 2).lambdify("nump")


# --- sizes ------------------------------------------------------------------------------------


def test_a_size_that_is_missing_is_named_as_a_keyword() -> None:
    with pytest.raises(sbp.UsageError, match=r"size N of four-layer.*explicit\(\.\.\., N=2\)"):
        sbp.explicit("four-layer")
    net = sbp.loads(perceptron(("d", "hidden", 1), "tanh", "identity"))
    with pytest.raises(sbp.UsageError, match=r"size d of net.*explicit\(\.\.\., d=2, hidden=2\)"):
        sbp.explicit(net, N=1)
    assert sbp.explicit(net, N=1, d=2, hidden=3)["W1"].shape == (2, 3)


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"N": 0}, "N: found 0, expected a whole number from 1"),
        ({"N": True}, "N: found True"),
        ({"N": 2.0}, r"N: found 2\.0"),
        ({"N": 2, "d1": 3}, r"found d1=3, expected N=\.\.\."),
        ({"n": 2}, r"found n=2, expected N=\.\.\."),
    ],
)
def test_sizes_are_whole_numbers_for_what_is_open(sizes: dict[str, Any], message: str) -> None:
    with pytest.raises(sbp.UsageError, match=message):
        sbp.explicit("four-layer", **sizes)


def test_unknown_names_and_samples_are_refused() -> None:
    e = net_of("four-layer", 2)
    asks: list[Callable[[], Any]] = [
        lambda: e["w3"],
        lambda: e.gradient("w3"),
        lambda: e.jacobian("z3", "w3"),
    ]
    for ask in asks:
        with pytest.raises(sbp.UsageError, match="tensor: found 'w3'"):
            ask()
    with pytest.raises(sbp.UsageError, match="sample: found 3, expected 1 to 2"):
        e.jacobian("z3", "h2", sample=3)
    with pytest.raises(sbp.UsageError, match="explicit: found int"):
        sbp.explicit(3)  # type: ignore[arg-type]


def test_what_takes_too_long_is_refused_with_the_largest_size_that_does_not() -> None:
    with pytest.raises(
        sbp.UnsupportedError, match=r"with N = 1000: about 78,000 products"
    ) as fault:
        sbp.explicit("four-layer", N=1000)
    found = re.search(r"use N <= (\d+), or derive\(\.\.\.\)\.function\(\)", str(fault.value))
    assert found is not None
    largest, built = int(found[1]), sbp.load("four-layer").batch
    assert sbp.explicit("four-layer", N=largest).sizes[SAMPLES] == largest
    assert not effort(built.network, {**built.sizes, SAMPLES: largest + 1}).is_bearable


def test_a_network_that_is_too_large_for_any_batch_says_so() -> None:
    net = sbp.loads(perceptron((300, 500, 10), "relu", "softmax", loss="cross_entropy"))
    with pytest.raises(sbp.UnsupportedError, match="use a smaller network, or derive"):
        sbp.explicit(net, N=1)


def test_effort_counts_the_products_of_every_entry() -> None:
    e = net_of("four-layer", 3)
    plain = plain_network(e.network, e.sizes)
    reads = sum(
        len(plain.entry(equation.target, place).free_symbols)
        for equation in e.network.equations
        for place in plain.symbols(equation.target)
    )
    assert effort(e.network, e.sizes).products == pytest.approx(reads, rel=0.5)


def test_writing_out_is_refused_where_it_would_take_minutes() -> None:
    net = sbp.loads(perceptron((6, 6, 6, 6), "tanh", "tanh", "softmax", loss="cross_entropy"))
    e = sbp.explicit(net, N=2)
    assert e.gradient("W1").shape == (6, 6)
    with pytest.raises(sbp.UnsupportedError, match=r"operations.*leave out written_out"):
        e.gradient("W1", written_out=True)


def test_the_witness_imports_nothing_of_the_derivation() -> None:
    code = (
        "import sys, symbackprop.witnesses.explicit; "
        "print([m for m in ('derive', 'rules', 'matrixform', 'evaluate', 'tracer')"
        " if 'symbackprop.' + m in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


# --- the end of a document --------------------------------------------------------------------

OTHERS = {
    "symbolic": perceptron(
        ("d", "h", "k"), "tanh", "softmax", loss="cross_entropy", name="symbolic"
    ),
    "binary": perceptron((2, 3, 1), "relu", "sigmoid", loss="binary_cross_entropy", name="binary"),
    "classes": perceptron(
        (2, 5), "softmax", loss="cross_entropy", labels="integer", name="classes"
    ),
    "one-layer": perceptron((3, 2), "softplus", name="one-layer", half=True),
}


def listing(text: str, begin: str, end: str) -> str:
    """The program text of the section."""
    section = text.partition("SymPy says the same")[2].partition(begin)[2]
    return section.partition(end)[0]


def printed(code: str) -> str:
    with contextlib.redirect_stdout(io.StringIO()) as out:
        exec(code, {})
    return out.getvalue()


@pytest.mark.slow
@pytest.mark.parametrize("name", [*EXAMPLES, *OTHERS])
def test_lines_of_the_document_print_what_stands_below_them(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    if name in OTHERS:
        (tmp_path / f"{name}.toml").write_text(OTHERS[name], encoding="utf-8")
    derivation = sbp.derive(sbp.load(name if name in EXAMPLES else f"{name}.toml"))
    document = derivation.document("summary")
    markdown, tex = str(sbp.render(document, "md")), str(sbp.render(document, "tex"))
    code = listing(markdown, "```python\n", "\n```")
    assert code == listing(tex, "\\begin{verbatim}\n", "\n\\end{verbatim}")
    comments = [line[2:] for line in code.splitlines() if line.startswith("# ")]
    assert printed(code).splitlines() == comments
    assert max(map(len, code.splitlines())) <= 92
    assert "True" in comments
    assert "False" not in comments
    if name in EXAMPLES:
        assert code in (OUTPUT / f"{name}.md").read_text("utf-8")
    told = derivation.record()["sympy"]
    assert told["left_out"] is None
    rows = [row for line in told["lines"] for row in (line["code"], *line["output"].splitlines())]
    shown = [line.removeprefix("# ") for line in code.splitlines()]
    assert [*filter(None, rows)] == [*filter(None, shown)]


def test_lines_of_the_shipped_document_are_the_forms_of_the_textbook() -> None:
    net = sbp.load("four-layer")
    code = said(net.batch, net.address).text
    for line in (
        'e = sbp.explicit("four-layer", N=1)',
        'print(e.jacobian("z3", "h2") == e["W3"].T)\n# True',
        'print(e.jacobian("yhat", "z3") == diag(*e["yhat"]) - e["yhat"].T * e["yhat"])\n# True',
        'print(e.gradient("z3") == e["yhat"] - e["y"])\n# True',
        'print(e.gradient("W3") == e["h2"].T * e.gradient("z3"))\n# True',
    ):
        assert line in code


def test_a_file_that_bears_the_name_of_an_example_is_read_as_a_file() -> None:
    text = perceptron((2, 3), "tanh", name="four-layer")
    assert sbp.loads(text).address == "four-layer.toml"
    assert sbp.load("four-layer").address == "four-layer"


def test_a_network_too_large_for_the_page_says_why_it_has_no_lines() -> None:
    net = sbp.loads(perceptron((300, 500, 10), "relu", "softmax", loss="cross_entropy"))
    found = said(net.batch, net.address)
    assert (found.lines, found.reason) == ((), effort_text(net))
    page = sbp.render(sbp.derive(net).document("summary"), "md")
    assert f"For this one that would take {effort_text(net)}, too many for this page" in page
    by_hand = Built(CASES[0].network, {})
    assert said(by_hand, "").reason == "equations written by hand"


def effort_text(net: sbp.Net) -> str:
    return str(effort(net.batch.network, {**net.batch.sizes, SAMPLES: 1}))
