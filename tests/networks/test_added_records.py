"""An activation and a loss that nobody has heard of: a record, and the hand-written one beside it.

Each is registered for one test only, as its author would add it: in `scalars`, among the words of
network files, and in `reference`. Everything else must know them from there.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sympy import Expr, Lambda, Piecewise, Rational, exp, log, sqrt

import symbackprop as sbp
from symbackprop import cli
from symbackprop.calculus import scalars
from symbackprop.calculus.scalars import ScalarFunction, Z
from symbackprop.calculus.terms import Applied, Expression, expression, product
from symbackprop.document.losses import usual
from symbackprop.networks.layers import activations, losses
from symbackprop.networks.layers.activations import pointwise
from symbackprop.networks.layers.losses import Loss
from symbackprop.proving import crosscheck
from symbackprop.witnesses import reference
from symbackprop.writing.code.numpy_backend import compile_source

Array = Any


def network(hidden: str, last: str = "identity", loss: str = "squared_error", **more: str) -> str:
    """The text of a network file; `units` sizes of both layers, further keys at the top."""
    units = more.pop("units", "3 2").split()
    top = "".join(f"{key} = {value}\n" for key, value in more.items())
    layers = "".join(
        f'[[layers]]\ntype = "dense"\nunits = {size}\nactivation = "{name}"\n'
        for size, name in zip(units, (hidden, last), strict=True)
    )
    return f'name = "added"\ninput = {units[-1]}\nloss = "{loss}"\n{top}{layers}'


def verdicts(path: Path, net: sbp.Net, text: str, function: str = "") -> dict[str, Any]:
    path.write_text(textwrap.dedent(text), encoding="utf-8")
    report = sbp.verify(f"{path}::{function}" if function else str(path), net)
    return {claim.latex or claim.name: claim for claim in report.claims}


def claims(path: Path, net: sbp.Net, *formulas: str) -> list[Any]:
    """What is said of each of the formulas, which stand in one note."""
    found = verdicts(path, net, "\n\n".join(f"$$\n{formula}\n$$" for formula in formulas))
    return [found[formula] for formula in formulas]


def is_complete(report: crosscheck.Report) -> bool:
    """Every oracle agrees, and every line of the code is proved."""
    proofs = {row.kind for row in report.rows if row.oracle == "proof of the code"}
    return report.ok and not report.undecided and proofs == {"proved"}


# --- an activation ----------------------------------------------------------------------------


@dataclass(frozen=True)
class Added:
    """A record, the hand-written function, and its slope as somebody writes it in code, from z1
    and h1; beside it one that is wrong."""

    record: ScalarFunction
    hand: reference.Activation
    value: str
    slope: str


def _bent(z: Array) -> Array:
    return np.where(z.real > 0.25, 2 * z, np.exp(np.where(z.real > 0.25, 0, z)) - 1)


def _logistic(z: Array) -> Array:
    return 1 / (1 + np.exp(-z))


GLIDE = Added(
    ScalarFunction(
        "glide",
        Lambda(Z, Z / (1 + exp(-Z))),
        r"\operatorname{glide}",
        words="gliding function",
        spellings=("Glide",),
    ),
    reference.Activation(
        lambda z: z * _logistic(z),
        lambda z, h, g: g * (_logistic(z) + h * (1 - _logistic(z))),
    ),
    "z1 / (1 + np.exp(-z1))",
    "(1 + np.exp(-z1) * (1 + z1)) / (1 + np.exp(-z1)) ** 2",
)
BENT = Added(
    ScalarFunction(
        "bent",
        Lambda(Z, Piecewise((2 * Z, Rational(1, 4) < Z), (exp(Z) - 1, True))),
        r"\xi",
        kink=Rational(1, 4),
    ),
    reference.Activation(_bent, lambda z, h, g: g * np.where(z.real > 0.25, 2, np.exp(z))),
    "np.where(z1 > 0.25, 2 * z1, np.exp(z1) - 1)",
    "np.where(z1 > 0.25, 2, np.exp(z1))",
)


@pytest.fixture(params=[GLIDE, BENT], ids=lambda added: added.record.name)
def added(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Added:
    found: Added = request.param
    name = found.record.name
    monkeypatch.setitem(scalars.FUNCTIONS, name, found.record)
    monkeypatch.setitem(activations.ACTIVATIONS, name, pointwise(name))
    monkeypatch.setitem(reference.ACTIVATIONS, name, found.hand)
    return found


def test_an_added_activation_is_derived_checked_and_exported(added: Added, tmp_path: Path) -> None:
    name = added.record.name
    path, out = tmp_path / "net.toml", tmp_path / "grads.py"
    path.write_text(network(name, name), encoding="utf-8")
    d = sbp.derive(sbp.load(str(path)))
    assert is_complete(sbp.check(d))
    assert cli.main(["export", str(path), "-o", str(out)]) == 0
    params, (x, y) = d.net.parameters(), d.net.sample()
    _, found = compile_source(out.read_text(encoding="utf-8"))(params, x, y)
    model = reference.Model((name, name), "squared_error")
    for tensor, gradient in reference.gradients(model, params, x, y).items():
        if tensor in found:
            np.testing.assert_allclose(found[tensor], gradient, rtol=1e-10, err_msg=tensor)


def test_an_added_activation_is_a_word_of_network_files(added: Added) -> None:
    name = added.record.name
    with pytest.raises(sbp.SpecError, match=f"softplus, softmax.*, {name}; did you mean `{name}`"):
        sbp.loads(network(f"{name}s"))
    assert sbp.derive_depth(name).activation == name
    letter = added.record.letter
    symbols = f"[notation]\nsymbols = {{ h = '{letter}' }}\n"
    with pytest.raises(sbp.SpecError, match=f"write the {added.record.in_words} so|a symbol of"):
        sbp.loads(network(name) + symbols)


@pytest.mark.slow
@pytest.mark.parametrize("units", ["3 2", "1 1"])
def test_documents_say_what_an_added_activation_is(added: Added, units: str) -> None:
    record = added.record
    page = sbp.derive(sbp.loads(network(record.name, units=units))).document()
    for text in (sbp.render(page, form) for form in ("md", "tex")):
        assert isinstance(text, str)
        assert f"The activation of layer 1 is the {record.in_words}." in text
        assert rf"{record.letter}'\left(z\right)" in text
        assert ("At z = 1/4 the function has a kink" in text) == (record.kink is not None)
        assert "the value of the second line is used there" in text or record.kink is None


@pytest.mark.slow
def test_documents_with_an_added_activation_are_read_back(added: Added, tmp_path: Path) -> None:
    net = sbp.loads(network(added.record.name))
    text = sbp.render(sbp.derive(net).document(), "md")
    assert isinstance(text, str)
    (tmp_path / "page.md").write_text(text, encoding="utf-8")
    report = sbp.verify(str(tmp_path / "page.md"), net)
    assert [claim.latex for claim in report.claims if claim.status == "refuted"] == []
    assert any(added.record.letter in claim.latex for claim in report.claims)


def test_notes_call_an_added_activation_by_its_names(added: Added, tmp_path: Path) -> None:
    net = sbp.loads(network(added.record.name))
    letter = added.record.letter
    for name in (letter, *(rf"\operatorname{{{word}}}" for word in added.record.spellings)):
        right, wrong, bare = (
            rf"\delta^{{1}} = (\delta^{{2}} {{W^{{2}}}}^\top) \circ {name}'(z^{{1}})",
            rf"\delta^{{1}} = (\delta^{{2}} {{W^{{2}}}}^\top) \circ {name}(z^{{1}})",
            r"\delta^{1} = \delta^{2} {W^{2}}^\top",
        )
        start = rf"h^{{1}} = {name}(z^{{1}})"
        found = claims(tmp_path / "n.md", net, start, right, wrong, bare)
        assert [c.status for c in found] == ["verified", "verified", "refuted", "refuted"]
        assert all(claim.method == "proved" for claim in found[:2])
        assert all(claim.cause.startswith("derivative-missing") for claim in found[2:])
        assert found[2].suggestion == right


CODE = """
    import numpy as np

    def backward(x, y, W1, b1, W2, b2):
        z1 = x @ W1 + b1
        h1 = {value}
        delta2 = 2 * (h1 @ W2 + b2 - y) / len(x)
        delta1 = (delta2 @ W2.T) * ({slope})
        dW1 = {sign}x.T @ delta1
        return {{"W1": dW1, "b1": delta1.sum(0), "W2": h1.T @ delta2, "b2": delta2.sum(0)}}
"""


def test_code_by_hand_is_judged_under_an_added_activation(added: Added, tmp_path: Path) -> None:
    net = sbp.loads(network(added.record.name))
    for sign, status in (("", "verified"), ("-", "refuted")):
        text = CODE.format(value=added.value, slope=added.slope, sign=sign)
        found = verdicts(tmp_path / "c.py", net, text, "backward")
        assert found["W1"].status == status
        assert (found["b1"].status, found["b1"].method) == ("verified", "proved")


# --- a loss -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class AddedLoss:
    """A record with the function in it, the hand-written loss, its slope in code, and what a note
    says of the derivative by an entry of the output: right, and wrong."""

    name: str
    record: Loss
    hand: reference.Loss
    slope: str
    right: str
    wrong: str
    inside: ScalarFunction | None = None


def _dent(residual: Array) -> Array:
    far = np.where(residual.real > 0, residual, -residual) - 0.125
    return np.where(np.abs(residual.real) > 0.25, far, 2 * residual * residual)


def _applied(name: str) -> Callable[[Expr, Expr], Expression]:
    return lambda yhat, y: expression(product(1, (), (Applied(name, 0, yhat - y),)))


def _fourth_power(yhat: Expr, y: Expr) -> Expression:
    return expression(product(1, (), ((yhat - y) ** 4,)))


QUARTER = Rational(1, 4)
DENT_OF_Z = Piecewise(
    (Z - QUARTER / 2, Z > QUARTER), (-Z - QUARTER / 2, -QUARTER > Z), (2 * Z**2, True)
)
DENT = AddedLoss(
    "dent",
    Loss(_applied("dent"), ""),
    reference.Loss(
        lambda yhat, y: _dent(yhat - y).sum(),
        lambda yhat, y: np.where(np.abs(yhat - y) > 0.25, np.sign(yhat - y), 4 * (yhat - y)),
    ),
    "np.where(np.abs(r) > 0.25, np.sign(r), 4 * r)",
    r"\operatorname{dent}'(\hat{y}_{nk} - y_{nk})",
    r"4 (\hat{y}_{nk} - y_{nk})",
    ScalarFunction("dent", Lambda(Z, DENT_OF_Z), r"\operatorname{dent}"),
)
HOLLOW = AddedLoss(
    "hollow",
    Loss(_applied("hollow"), ""),
    reference.Loss(
        lambda yhat, y: (np.log(1 + np.exp(yhat - y)) - (yhat - y) / 2).sum(),
        lambda yhat, y: _logistic(yhat - y) - 0.5,
    ),
    "1 / (1 + np.exp(-r)) - 0.5",
    r"\left(\frac{1}{1 + \exp(y_{nk} - \hat{y}_{nk})} - \frac{1}{2}\right)",
    r"\left(\frac{1}{1 + \exp(\hat{y}_{nk} - y_{nk})} - \frac{1}{2}\right)",
    ScalarFunction("hollow", Lambda(Z, log(1 + exp(Z)) - Z / 2), r"\operatorname{hollow}"),
)
FOURTH = AddedLoss(
    "fourth_power",
    Loss(
        _fourth_power,
        "",
        halves=True,
        words="fourth power",
        says="This punishes what is far off.",
        fits="fits nothing in particular.",
        usual=(("identity", False), ("tanh", True)),
    ),
    reference.Loss(
        lambda yhat, y: ((yhat - y) ** 4).sum(),
        lambda yhat, y: 4 * (yhat - y) ** 3,
        halves=True,
    ),
    "4 * r ** 3",
    r"4 (\hat{y}_{nk} - y_{nk})^3",
    r"4 (\hat{y}_{nk} - y_{nk})^2",
)
ALL_LOSSES = (DENT, HOLLOW, FOURTH)


@pytest.fixture(params=ALL_LOSSES, ids=lambda added: added.name)
def loss(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> AddedLoss:
    found: AddedLoss = request.param
    monkeypatch.setitem(losses.LOSSES, found.name, found.record)
    monkeypatch.setitem(reference.LOSSES, found.name, found.hand)
    if found.inside is not None:
        monkeypatch.setitem(scalars.FUNCTIONS, found.inside.name, found.inside)
    return found


@pytest.mark.slow
def test_an_added_loss_is_derived_checked_and_exported(loss: AddedLoss, tmp_path: Path) -> None:
    path, out = tmp_path / "net.toml", tmp_path / "grads.py"
    path.write_text(network("tanh", "sigmoid", loss.name), encoding="utf-8")
    d = sbp.derive(sbp.load(str(path)))
    assert is_complete(sbp.check(d))
    assert cli.main(["export", str(path), "-o", str(out)]) == 0
    params, (x, y) = d.net.parameters(), d.net.sample()
    total, found = compile_source(out.read_text(encoding="utf-8"))(params, x, y)
    model = reference.Model(("tanh", "sigmoid"), loss.name)
    assert total == pytest.approx(reference.loss(model, params, x, y), rel=1e-10)
    gradients = reference.gradients(model, params, x, y)
    for tensor in params:
        np.testing.assert_allclose(found[tensor], gradients[tensor], rtol=1e-10, err_msg=tensor)


def test_an_added_loss_is_a_word_of_network_files(loss: AddedLoss) -> None:
    with pytest.raises(sbp.SpecError, match=f"none, {loss.name}; did you mean `{loss.name}`"):
        sbp.loads(network("tanh", loss=f"{loss.name}s"))
    halved = network("tanh", loss=loss.name, half="true")
    if loss.record.halves:
        assert sbp.derive(sbp.loads(halved)).gradients["W1"].latex
    else:
        with pytest.raises(sbp.SpecError, match=f"{loss.name} has no factor 1/2"):
            sbp.loads(halved)


@pytest.mark.slow
@pytest.mark.parametrize("last", ["identity", "sigmoid", "softmax"])
def test_documents_say_what_an_added_loss_is(loss: AddedLoss, last: str) -> None:
    page = sbp.derive(sbp.loads(network("tanh", last, loss.name))).document()
    for text in (sbp.render(page, form) for form in ("md", "tex")):
        assert isinstance(text, str)
        inside = loss.inside
        if inside is not None:
            assert f"The function in this loss is the {inside.in_words}." in text
            assert text.count(rf"{inside.letter}\left(z\right)") == 2  # there, and in the outlook
        assert loss.record.says in text
        assert ("Fourth power" in text) == bool(loss.record.words)
        assert "f\\left(\\hat{y}" not in text


@pytest.mark.slow
def test_a_loss_stands_in_every_comparison_of_losses_that_it_is_usual_in(loss: AddedLoss) -> None:
    page = sbp.render(sbp.derive("four-layer").document(), "md")
    assert isinstance(page, str)
    assert ("fourth power, identity" in page) == bool(loss.record.usual)
    assert ("half fourth power, tanh" in page) == bool(loss.record.usual)
    assert ("Fourth power** fits nothing" in page) == bool(loss.record.fits)
    order = [choice.loss for choice in usual()]
    assert order[-1] == "none"
    assert order.index("squared_error") < order.index("cross_entropy")


@pytest.mark.slow
def test_documents_with_an_added_loss_are_read_back(loss: AddedLoss, tmp_path: Path) -> None:
    net = sbp.loads(network("tanh", "identity", loss.name))
    text = sbp.render(sbp.derive(net).document(), "md")
    assert isinstance(text, str)
    (tmp_path / "page.md").write_text(text, encoding="utf-8")
    report = sbp.verify(str(tmp_path / "page.md"), net)
    assert [claim.latex for claim in report.claims if claim.status == "refuted"] == []


def test_notes_are_judged_under_an_added_loss(loss: AddedLoss, tmp_path: Path) -> None:
    net = sbp.loads(network("tanh", "identity", loss.name))
    left = r"\frac{\partial L}{\partial \hat{y}_{nk}} = \frac{1}{N} "
    right, wrong = claims(tmp_path / "n.md", net, left + loss.right, left + loss.wrong)
    assert (right.status, right.method) == ("verified", "proved")
    assert wrong.status == "refuted"


LOSS_CODE = """
    import numpy as np

    def backward(x, y, W1, b1, W2, b2):
        h1 = np.tanh(x @ W1 + b1)
        r = h1 @ W2 + b2 - y
        delta2 = {sign}({slope}) / len(x)
        delta1 = delta2 @ W2.T * (1 - h1 ** 2)
        dW1, db1, dW2, db2 = x.T @ delta1, delta1.sum(0), h1.T @ delta2, delta2.sum(0)
        return {{"W1": dW1, "b1": db1, "W2": dW2, "b2": db2}}
"""


@pytest.mark.slow
def test_code_by_hand_is_judged_under_an_added_loss(loss: AddedLoss, tmp_path: Path) -> None:
    net = sbp.loads(network("tanh", "identity", loss.name))
    for sign, status in (("", "verified"), ("-", "refuted")):
        text = LOSS_CODE.format(slope=loss.slope, sign=sign)
        found = verdicts(tmp_path / "c.py", net, text, "backward")
        assert found["W2"].status == found["b1"].status == status


@pytest.mark.slow
def test_a_loss_without_a_normal_form_is_checked_in_numbers(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """1 + (yhat - y)^2 is not known to be positive: no proof, but no crash either."""
    root = ScalarFunction("root", Lambda(Z, sqrt(1 + Z**2) - 1), r"\operatorname{root}")
    by_hand = reference.Loss(
        lambda yhat, y: (np.sqrt(1 + (yhat - y) ** 2) - 1).sum(),
        lambda yhat, y: (yhat - y) / np.sqrt(1 + (yhat - y) ** 2),
    )
    monkeypatch.setitem(scalars.FUNCTIONS, "root", root)
    monkeypatch.setitem(losses.LOSSES, "root", Loss(_applied("root"), ""))
    monkeypatch.setitem(reference.LOSSES, "root", by_hand)
    net = sbp.loads(network("tanh", "identity", "root"))
    d = sbp.derive(net)
    assert sbp.check(d).ok
    assert "could not be proved" in str(sbp.render(d.document(), "md"))
    for slope, status in (("r / np.sqrt(1 + r ** 2)", "verified"), ("r", "refuted")):
        text = LOSS_CODE.format(slope=slope, sign="")
        assert verdicts(tmp_path / "c.py", net, text, "backward")["W2"].status == status


# --- what frameworks are told -----------------------------------------------------------------


@pytest.mark.parametrize("name", [*losses.LOSSES, *(added.name for added in ALL_LOSSES)])
def test_frameworks_are_told_the_loss_of_the_hand_written_network(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before: a loss that was not on the list was the sum of the outputs."""
    for added in ALL_LOSSES:
        monkeypatch.setitem(losses.LOSSES, added.name, added.record)
        monkeypatch.setitem(reference.LOSSES, added.name, added.hand)
        if added.inside is not None:
            monkeypatch.setitem(scalars.FUNCTIONS, added.inside.name, added.inside)
    last = losses.LOSSES[name].needs or "softplus"
    half = "true" if losses.LOSSES[name].halves else "false"
    net = sbp.loads(network("leaky_relu", last, name, half=half, reduction='"mean_elements"'))
    assert net.architecture is not None
    params, (x, y) = net.parameters(), net.sample()
    told = crosscheck._objective(np, net.architecture, {**params, "x": x}, y)
    model = crosscheck.model_of(net.architecture)
    assert told == pytest.approx(reference.loss(model, params, x, y), rel=1e-12)
