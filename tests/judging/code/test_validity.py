"""For which arguments and inputs a claim about code holds: at a default only, or on one side of a
condition, is not verified; a term that an argument switches off is not refuted."""

from __future__ import annotations

import pytest

from symbackprop.networks.layers.multilayer import Built
from tests.judging.code.test_unread import built, claim, judged, source, statuses  # noqa: F401


def with_argument(argument: str, lines: str) -> str:
    return source(lines).replace("W2, b2):", f"W2, b2, {argument}):", 1)


@pytest.mark.parametrize(
    ("argument", "lines", "status", "said"),
    [
        ("reg=0.0", "dW1 = dW1 + 0 * reg * W1", "verified", ""),
        ("reg=0.0", "dW1 = dW1 + reg * W1", "undecided", "holds for reg = 0, not for reg = 0.37"),
        ("reg=0", "dW1 = dW1 + reg * dW1", "undecided", "holds for reg = 0, not for reg = 0.37"),
        ("reg=0.7", "dW1 = dW1 + reg * W1", "undecided", "holds for reg = 0, not for reg = 0.37"),
        ("reg=0.7", "dW1 = 2 * dW1 + reg * 0", "refuted", ""),
        ("reg=0.7", "dW1 = 2 * dW1 + reg * W1", "refuted", ""),
        ("lr=1", "dW1 = lr * dW1", "undecided", "holds for lr = 1, not for lr = 0.0625"),
        ("lr=1", "dW1 = (W1 - (W1 - lr * dW1)) / lr", "verified", ""),
        ("scale=1", "dW1 = dW1 * scale", "undecided", "holds for scale = 1, not for scale = 0.37"),
        ("scale=1", "dW1 = dW1 * scale / scale", "verified", ""),
        ("eps=0", "dW1 = dW1 / (1 + eps)", "undecided", "holds for eps = 0, not for eps = 0.37"),
        ("eps=1e-12", "dW1 = dW1 / (1 + eps)", "verified", ""),
        ("u=0, r=1", "dW1 = r * dW1 + u", "undecided", "holds for u = 0 and r = 1"),
        ("u=0, r=1", "dW1 = dW1 + u\nprint(r)", "undecided", "holds for u = 0, not for u = 0.37"),
        ("axis=0", "dW1 = np.flip(np.flip(dW1, axis), axis)", "verified", ""),
        ("axis=0", "dW1 = np.flip(dW1, axis)", "refuted", ""),
        ("mean=True", "if not mean: dW1 = dW1 * n", "verified", "for mean = True"),
        ("mean=True", "if mean: dW1 = dW1 * n", "refuted", ""),
        ("flag=0", "if flag: dW1 = dW1 * n", "undecided", "holds for flag = 0"),
        ("mask=None", "if mask is not None: dW1 = dW1 * mask", "verified", ""),
        ("mask=None", "if mask is None: dW1 = -dW1", "refuted", ""),
    ],
)
def test_a_claim_holds_for_more_than_the_default(
    argument: str,
    lines: str,
    status: str,
    said: str,
    built: tuple[Built, Built],  # noqa: F811
) -> None:
    report = judged(with_argument(argument, lines), built)
    found = claim(report, "W1")
    assert (found.status, said in found.sentence) == (status, True), found
    assert statuses(report)["W2"] == "verified"


def test_a_slip_beside_a_right_penalty_is_found(built: tuple[Built, Built]) -> None:  # noqa: F811
    lines = "dW1 = dW1 + reg * W1\ndW2 = dW2 + reg * W2\ndb2 = db2 / n"
    found = statuses(judged(with_argument("reg=0.1", lines), built))
    assert {found["W1"], found["W2"]} == {"undecided"}
    assert {found["b1"], found["b2"]} == {"verified", "refuted"}


def test_what_holds_for_any_number_is_proved(built: tuple[Built, Built]) -> None:  # noqa: F811
    report = judged(with_argument("c=0.5", "dW1 = dW1 * (1 + c) - c * dW1"), built)
    assert claim(report, "W1").method == "proved"


@pytest.mark.parametrize(
    ("lines", "status", "said"),
    [
        ("dW1 = np.clip(dW1, -1, 1)", "undecided", "leaves all as it is at every point"),
        ("dW1 = dW1.clip(-5, 5)", "undecided", "leaves all as it is at every point"),
        ("q = np.clip(dW1, -1, 1)", "verified", ""),
        ("dW1 = np.clip(dW1, -1e6, 1e6)", "verified", ""),
        ("dW1 = np.minimum(dW1, 5)", "undecided", "takes the first at every point"),
        ("s = np.linalg.norm(dW1)\nif s > 5: dW1 = dW1 * 5 / s", "undecided", "s > 5 is false"),
        ("s = np.linalg.norm(dW1)\nif s > 5: print(s)", "verified", ""),
        ("dW1[np.abs(dW1) > 3] = 3", "undecided", "np.abs(dW1) > 3 is false at every point"),
        ("dW1[np.abs(dW1) > 3] *= 1", "verified", ""),
        ("dW1 = x.T @ (dz1 * (z1 > -40))", "undecided", "z1 > -40 is true at every point"),
        ("assert np.all(yhat > 0)", "verified", ""),
        ("while dW1.max() > 100: dW1 = dW1 * 0.5", "undecided", "dW1.max() > 100 is false"),
        ("while dW1.max() > 100: print(dW1)", "verified", ""),
        ("dW1 = np.where(z1.T[:1] > 0, 1, 1)[0, 0] * dW1", "verified", ""),
    ],
)
def test_what_hangs_on_a_condition_that_was_not_met_is_not_verified(
    lines: str,
    status: str,
    said: str,
    built: tuple[Built, Built],  # noqa: F811
) -> None:
    report = judged(source(lines), built)
    found = claim(report, "W1")
    assert (found.status, said in found.sentence) == (status, True), found
    assert statuses(report)["W2"] == "verified"


@pytest.mark.parametrize(
    ("lines", "status"),
    [
        ("if n == 1: dW1 = np.outer(x[0], dz1[0])", "verified"),
        ("if n == 1: dW1 = 2 * dW1", "refuted"),
        ("if n == W2.shape[1]: dW1 = dW1 + 0", "verified"),
        ("if n == W2.shape[1]: dW1 = -dW1", "refuted"),
        ("if n == 0: raise ValueError('no samples')", "verified"),
        ("if n > 5000: dW1 = -dW1", "undecided"),
        ("if x.shape[1] == 1: dW1 = 2 * dW1", "undecided"),
        (
            "dW1 = 0 * dW1\nfor i in range(min(n, len(y))): dW1 += np.outer(x[i], dz1[i])",
            "verified",
        ),
        ("dW1 = 0 * dW1\nfor i in range(min(n, 10)): dW1 += np.outer(x[i], dz1[i])", "refuted"),
        ("dW1 = x[:n].T @ dz1[:n]", "verified"),
        ("dW1 = x[:8].T @ dz1[:8]", "refuted"),
    ],
)
def test_both_sides_of_a_comparison_of_sizes_are_judged(
    lines: str,
    status: str,
    built: tuple[Built, Built],  # noqa: F811
) -> None:
    report = judged(source(lines), built)
    assert claim(report, "W1").status == status
    assert statuses(report)["W2"] == "verified"


@pytest.mark.parametrize(
    ("line", "status"),
    [
        ("dW1 = dW1 + reg * W1", "undecided"),
        ("dW1 = dW1 + 2 * reg * W1", "refuted"),
        ("dW1 = dW1 + reg * dW1", "refuted"),
    ],
)
def test_a_gradient_is_that_of_the_penalty_which_is_returned(
    line: str,
    status: str,
    built: tuple[Built, Built],  # noqa: F811
) -> None:
    lines = f"L = -np.sum(y * np.log(yhat)) / n + reg / 2 * np.sum(W1 * W1)\n{line}"
    text = with_argument("reg=0.0", lines).replace("return {", "return L, {")
    assert claim(judged(text, built), "W1").status == status
