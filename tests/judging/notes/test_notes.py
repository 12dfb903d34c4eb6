"""The judge of notes: right formulas verified, wrong ones refuted with the reason, in pairs.

A right formula and its nearest wrong one stand side by side. The corpora of the benchmark are
sampled here; `make bench-verify` judges all of them.
"""

from __future__ import annotations

import random
import tomllib
from pathlib import Path

import pytest

import symbackprop as sbp
from symbackprop.judging.report import Claim, FileReport, Report
from tests.bench_verify import MAP, WRONG, seed_text
from tests.carried import derivations
from tests.rewrites import rewrites
from tests.slips import NOTES, chosen, slipped_text

pytestmark = pytest.mark.slow

KNOWN = sorted([*NOTES.glob("*.md"), *NOTES.glob("*.tex")])

ROWS = """```toml symbackprop
name = "rows"
input = 2
loss = "cross_entropy"
reduction = "sum"
[[layers]]
type = "dense"
units = 5
activation = "sigmoid"
[[layers]]
type = "dense"
units = 3
activation = "softmax"
```

$$z^1 = x W^1 + b^1$$

$$h^1 = \\sigma(z^1)$$

$$z^2 = h^1 W^2 + b^2$$

$$\\hat{y} = softmax(z^2)$$

$$L = -\\sum_k y_k \\log \\hat{y}_k$$

$$\\delta^2 = \\frac{\\partial L}{\\partial z^2} = \\hat{y} - y$$

"""


def judged(folder: Path, text: str, suffix: str = ".md", net: str | None = None) -> Report:
    path = folder / f"note{suffix}"
    path.write_text(text, encoding="utf-8")
    return sbp.verify(path, net)


def last(folder: Path, formula: str, before: str = "") -> Claim:
    """The verdict on one more formula of the note."""
    report = judged(folder, f"{ROWS}{before}\n\n$$\n{formula}\n$$\n")
    return report.claims[-1]


PAIRS = [
    (
        r"\frac{\partial L}{\partial h^1} = \delta^2 (W^2)^T",
        r"\frac{\partial L}{\partial h^1} = \delta^2 W^2",
        "transpose",
    ),
    (
        r"\frac{\partial L}{\partial W^2} = (h^1)^T \delta^2",
        r"\frac{\partial L}{\partial W^2} = \delta^2 (h^1)^T",
        "order",
    ),
    (
        r"\frac{\partial L}{\partial W^1} = x^T \frac{\partial L}{\partial z^1}",
        r"\frac{\partial L}{\partial W^1} = x^T \frac{\partial L}{\partial z^2}",
        "layer",
    ),
    (
        r"\delta^1 = \delta^2 (W^2)^T \odot \sigma'(z^1)",
        r"\delta^1 = \delta^2 (W^2)^T",
        "derivative-missing",
    ),
    (
        r"\delta^1 = \delta^2 (W^2)^T \odot \sigma'(z^1)",
        r"\delta^1 = \delta^2 (W^2)^T \odot \sigma'(h^1)",
        "derivative-argument",
    ),
    (
        r"\delta^1 = \delta^2 (W^2)^T \odot h^1 \odot (1 - h^1)",
        r"\delta^1 = \delta^2 (W^2)^T \odot h^1 \odot (1 + h^1)",
        "sign",
    ),
    (
        r"\frac{\partial \hat{y}_i}{\partial z^2_j} = \hat{y}_i (\delta_{ij} - \hat{y}_j)",
        r"\frac{\partial \hat{y}_i}{\partial z^2_j} = \hat{y}_i (\delta_{ij} - \hat{y}_i)",
        "index",
    ),
    (
        r"\frac{\partial L}{\partial h^1_j} = \sum_k \delta^2_k w^2_{jk}",
        r"\frac{\partial L}{\partial h^1_j} = \sum_k \delta^2_k w^2_{kj}",
        "index",
    ),
    (
        r"\frac{\partial L}{\partial b^2} = \delta^2",
        r"\frac{\partial L}{\partial b^2} = 2 \delta^2",
        "constant",
    ),
    (
        r"\frac{\partial L}{\partial z^1} = "
        r"\frac{\partial L}{\partial h^1} \frac{\partial h^1}{\partial z^1}",
        r"\frac{\partial L}{\partial z^1} = "
        r"\frac{\partial h^1}{\partial z^1} \frac{\partial L}{\partial h^1}",
        "order",
    ),
]


@pytest.mark.parametrize(("right", "wrong", "slip"), PAIRS)
def test_a_right_formula_is_verified_and_its_nearest_wrong_one_explained(
    tmp_path: Path, right: str, wrong: str, slip: str
) -> None:
    assert last(tmp_path, right).status == "verified"
    found = last(tmp_path, wrong)
    assert found.status == "refuted"
    offered = [found.slip, *(other[0] for other in found.others[:1])]
    assert slip in offered
    assert last(tmp_path, found.suggestion).status == "verified"


@pytest.mark.parametrize(
    ("activation", "name"),
    [
        ("leaky_relu", r"\operatorname{lrelu}"),
        ("leaky_relu", r"\operatorname{LeakyReLU}"),
        ("relu", r"\operatorname{ReLU}"),
        ("softplus", r"\operatorname{softplus}"),
        ("tanh", r"\operatorname{Tanh}"),
    ],
)
def test_a_missing_derivative_is_named_whatever_the_activation_is_called(
    tmp_path: Path, activation: str, name: str
) -> None:
    """An f for f', as people copy it; and no factor at all."""
    layer = '[[layers]]\ntype = "dense"\nunits = '
    net = sbp.loads(
        f'input = 3\nloss = "squared_error"\n{layer}4\nactivation = "{activation}"\n{layer}2\n'
    )
    right = rf"\delta^{{1}} = (\delta^{{2}} {{W^{{2}}}}^\top) \circ {name}'(z^{{1}})"
    copied, bare = right.replace("'", ""), r"\delta^{1} = \delta^{2} {W^{2}}^\top"
    lines = [rf"h^{{1}} = {name}(z^{{1}})", right, copied, bare]
    path = tmp_path / "note.md"
    path.write_text("\n\n".join(f"$$\n{line}\n$$" for line in lines), encoding="utf-8")
    found = sbp.verify(path, net).claims
    assert [claim.method for claim in found[:2]] == ["proved", "proved"]
    assert [claim.slip for claim in found] == ["", "", "derivative-missing", "derivative-missing"]
    assert found[2].suggestion == right


@pytest.mark.parametrize(
    "formula",
    [
        r"\frac{\partial L}{\partial z^2_k} = \sum_{i \neq k} y_i \hat{y}_k - y_k (1 - \hat{y}_k)",
        r"\sigma'(z) = \sigma(z) (1 - \sigma(z))",
        r"\frac{\partial h^1}{\partial z^1} = \sigma'(z^1)",
        r"\frac{\partial z^2}{\partial h^1} = (W^2)^T",
        r"\frac{\partial z^2}{\partial b^2} = I",
        r"\frac{\partial L}{\partial W^2_{jk}} = h^1_j \delta^2_k",
        r"x \odot (1 - x) = x - x \odot x",
    ],
)
def test_forms_that_people_took_for_errors_are_not_refuted(tmp_path: Path, formula: str) -> None:
    assert last(tmp_path, formula).status in ("verified", "undecided")


def test_a_formula_that_is_not_understood_is_undecided_with_its_reason(tmp_path: Path) -> None:
    found = last(tmp_path, r"\frac{\partial L}{\partial \Omega^7} = \aleph")
    assert found.status == "undecided"
    assert found.cause


def test_a_layer_mark_that_is_left_out_is_remarked(tmp_path: Path) -> None:
    found = last(tmp_path, r"\frac{\partial L}{\partial W^2} = (h)^T \delta^2")
    assert found.status == "verified"
    assert "the layer mark is left out: read as" in found.sentence
    assert "h^1" in found.sentence
    wrong = last(tmp_path, r"\frac{\partial L}{\partial W^2} = -(h)^T \delta^2")
    assert (wrong.status, wrong.sentence) == (
        "undecided",
        "h has no layer mark, and none makes it true",
    )


def test_a_layer_mark_that_is_missing_beside_others_of_its_letter_is_a_slip(tmp_path: Path) -> None:
    found = last(tmp_path, r"h^1 \odot h = h^1 \odot h^1")
    assert (found.status, found.method, found.slip) == ("refuted", "ill-formed", "ill-formed")
    assert "h^1" in found.suggestion


def test_values_cannot_see_the_operators_variable_but_structure_does(tmp_path: Path) -> None:
    operators = (
        r"\frac{\partial h^1}{\partial z^1_1} = \begin{bmatrix} "
        r"\frac{\partial}{\partial z^1_1} \sigma(z^1_1) \\ "
        r"\frac{\partial}{\partial z^1_%s} \sigma(z^1_%s) \\ "
        r"\frac{\partial}{\partial z^1_1} \sigma(z^1_3) \\ "
        r"\frac{\partial}{\partial z^1_1} \sigma(z^1_4) \\ "
        r"\frac{\partial}{\partial z^1_1} \sigma(z^1_5) \end{bmatrix}"
    )
    assert last(tmp_path, operators % (1, 2)).status == "verified"
    found = last(tmp_path, operators % (2, 1))
    assert (found.status, found.method) == ("refuted", "structure")


def test_a_line_that_follows_from_a_false_line_is_consistent(tmp_path: Path) -> None:
    text = ROWS + (
        "$$\n\\delta^1 = \\delta^2 (W^2)^T\n$$\n\n"
        "$$\n\\frac{\\partial L}{\\partial W^1} = x^T (\\delta^2 (W^2)^T)\n$$\n"
    )
    report = judged(tmp_path, text)
    cause, follower = report.claims[-2:]
    assert (cause.status, cause.consistent) == ("refuted", False)
    assert (follower.status, follower.consistent) == ("refuted", True)
    assert follower.follows_from == (cause.line,)


def test_a_statement_for_all_layers_is_refuted_with_the_layers_where_it_fails(
    tmp_path: Path,
) -> None:
    right = r"\frac{\partial L}{\partial W^l} = (h^{l-1})^T \delta^l"
    assert last(tmp_path, right).status == "verified"
    assert (
        last(tmp_path, r"\frac{\partial L}{\partial W^l} = (h^{l})^T \delta^l").status == "refuted"
    )
    ranged = r"h^l = \sigma(z^l), \quad l = 1, 2"
    found = last(tmp_path, ranged)
    assert found.status in ("verified", "undecided")


def test_proofs_hold_for_all_sizes_and_name_their_facts(tmp_path: Path) -> None:
    found = last(tmp_path, r"\frac{\partial L}{\partial z^2} = \hat{y} - y")
    assert (found.status, found.method) == ("verified", "proved")
    assert found.facts == ("rows of y sum to 1",)


def test_notes_without_a_network_say_what_to_do(tmp_path: Path) -> None:
    report = judged(tmp_path, "$$a = b$$\n")
    assert "--spec" in report.files[0].problem


# --------------------------------------------------------------------------------------------
# Corpora
# --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", KNOWN, ids=lambda p: p.name)
def test_no_equation_of_a_right_note_is_refuted(path: Path) -> None:
    report = sbp.verify(path)
    assert [c.latex for c in report.claims if c.status == "refuted"] == []
    labels = tomllib.loads(path.with_suffix(".labels.toml").read_text(encoding="utf-8"))
    lines = {claim.line for claim in report.claims}
    assert {formula["line"] for formula in labels["formula"]} <= lines


def test_the_seed_is_judged_as_it_was_labelled(tmp_path: Path) -> None:
    report = judged(tmp_path, seed_text(), net="four-layer")
    entries = tomllib.loads(MAP.read_text(encoding="utf-8"))["formula"]
    places = {entry["line"]: entry["ordinal"] for entry in entries}
    assert {places[c.line] for c in report.claims if c.status == "refuted"} == WRONG
    assert all(c.slip for c in report.claims if c.status == "refuted")
    assert not [c for c in report.claims if c.status == "undecided"]


def test_slips_of_the_corpus_are_refuted(tmp_path: Path) -> None:
    slips = random.Random(5).sample(list(chosen()), 16)
    missed = []
    for slip in slips:
        rows = range(slip.line, slip.line + slip.slipped.count("\n") + 1)
        report = judged(tmp_path, slipped_text(slip), Path(slip.note).suffix)
        if not any(c.line in rows and c.status == "refuted" for c in report.claims):
            missed.append((slip.note, slip.line, slip.slipped))
    assert missed == []


def test_equivalent_rewrites_are_not_refuted(tmp_path: Path) -> None:
    cases = random.Random(6).sample(list(rewrites()), 16)
    wrong = []
    for note, text, line, kind in cases:
        report = judged(tmp_path, text, Path(note).suffix)
        wrong += [(note, kind, c.latex) for c in report.claims if c.status == "refuted"]
        del line
    assert wrong == []


@pytest.mark.parametrize("kind", ["1/m moved", "letters", "sides exchanged", "σ'"])
def test_a_reading_survives_a_rewrite_of_one_line(kind: str, tmp_path: Path) -> None:
    cases = [case for case in rewrites() if case[3] == kind]
    for note, text, _, _ in random.Random(8).sample(cases, min(3, len(cases))):
        report = judged(tmp_path, text, Path(note).suffix)
        assert [c.latex for c in report.claims if c.status == "refuted"] == []


def test_one_early_slip_is_one_root_cause(tmp_path: Path) -> None:
    for derivation in random.Random(7).sample(list(derivations()), 5):
        report = judged(tmp_path, derivation.text)
        roots = [c.line for c in report.claims if c.status == "refuted" and not c.consistent]
        assert roots == [derivation.slip]


def test_the_same_note_gives_the_same_report(tmp_path: Path) -> None:
    slip = next(iter(chosen()))
    text = slipped_text(slip)
    first = judged(tmp_path, text, Path(slip.note).suffix).as_json()
    assert judged(tmp_path, text, Path(slip.note).suffix).as_json() == first


def test_files_and_reports_keep_their_texts(tmp_path: Path) -> None:
    report = judged(tmp_path, ROWS)
    assert isinstance(report.files[0], FileReport)
    assert report.ok
    assert report.settings["samples"] == "rows"


def test_a_sum_that_the_note_names_has_the_sizes_of_its_definition(tmp_path: Path) -> None:
    """s^2 sums three exponentials; the formula with it names no entry by number."""
    named = "$$s^2 = \\sum_{p=1}^{3} \\exp(z_p^2)$$"
    right = last(tmp_path, r"\hat{y}_i = \frac{\exp(z_i^2)}{s^2}", named)
    assert right.status == "verified"
    wrong = last(tmp_path, r"\hat{y}_i = \frac{z_i^2}{s^2}", named)
    assert wrong.status == "refuted"


def test_a_column_beside_ones_of_any_length_is_no_jacobian(tmp_path: Path) -> None:
    assert last(tmp_path, r"z^1 = x^T \mathbf{1}^T").status == "refuted"


BATCH = f"""{ROWS}
## A batch

$$L = -\\sum_{{n=1}}^{{N}} \\sum_{{k=1}}^{{3}} y_{{nk}} \\log \\hat{{y}}_{{nk}}$$

$$Z^1 = X W^1 + \\mathbf{{1}} b^1$$

$$H^1 = \\sigma(Z^1)$$

$$\\delta^2 = \\hat{{Y}} - Y$$

$$\\frac{{\\partial L}}{{\\partial W^2}} = H^{{1\\top}} \\delta^2$$

$$\\frac{{\\partial L}}{{\\partial W^1}} = X^{{\\top}} \\delta^1$$

"""


@pytest.mark.parametrize(
    ("prose", "status"),
    [
        ("For one sample the gradient of the bias is the error term,", "verified"),
        ("For a batch the gradient of the bias is the error term,", "refuted"),
        ("The number of a sample left out, the gradient of the bias is", "refuted"),
    ],
)
def test_one_sentence_on_one_sample_within_a_batch_is_read_so(
    tmp_path: Path, prose: str, status: str
) -> None:
    bias = r"\frac{\partial L}{\partial b^2}"
    entry = r"\frac{\partial L}{\partial b^2_k} = \sum_{n=1}^{N} \delta^2_{nk}"
    summed = f"All samples share the bias:\n\n$$\n{entry}\n$$\n"
    report = judged(tmp_path, f"{BATCH}{prose}\n\n$$\n{bias} = \\delta^2\n$$\n\n{summed}")
    assert [c.status for c in report.claims[-2:]] == [status, "verified"]


def test_a_formula_with_the_number_of_samples_is_of_a_batch_wherever_it_stands(
    tmp_path: Path,
) -> None:
    right = r"L = -\sum_{n=1}^{N} \sum_{k=1}^{3} y_{nk} \log \hat{y}_{nk}"
    after = r"""

$$\frac{\partial L}{\partial b^2} = \delta^2$$

$$\frac{\partial L}{\partial b^1} = \delta^1$$

$$\frac{\partial L}{\partial x} = \delta^1 (W^1)^T$$
"""
    for formula, true in ((right, True), (right.replace("-", ""), False)):
        report = judged(tmp_path, f"{ROWS}$${formula}$${after}")
        assert [c.status == "verified" for c in report.claims[-4:]] == [true, True, True, True]


BELOW = ROWS.replace("^1", "_1").replace("^2", "_2")


def test_entries_of_data_that_also_stand_bare_are_no_layers(tmp_path: Path) -> None:
    entries = r"\delta_2 = \begin{bmatrix} \hat{y}_1 - y_1 & \hat{y}_2 - y_2 & ENTRY \end{bmatrix}"
    entries = f"$$\\delta_1 = (\\delta_2 W_2^T) \\odot \\sigma'(z_1)$$\n\n$${entries}$$"
    for last_entry, status in ((r"\hat{y}_3 - y_3", "verified"), (r"\hat{y}_3 - y_2", "refuted")):
        report = judged(tmp_path, BELOW + entries.replace("ENTRY", last_entry))
        assert [c.status for c in report.claims] == ["verified"] * 7 + [status]
        assert report.settings["layer"] == "_l"


def test_layers_below_are_seen_beside_a_letter_with_many_indices(tmp_path: Path) -> None:
    many = "$$q_{11} = 2 q_{12}$$\n\n$$\\delta_l = (\\delta_{l+1} W_{l+1}^T) \\odot \\sigma'(z_l)$$"
    report = judged(tmp_path, BELOW + many)
    assert report.settings["layer"] == "_l"
    assert report.claims[-1].status == "verified"


PATTERN = """
$$\\delta^l = (\\delta^{l+1} (W^{l+1})^T) \\odot f'(z^l)$$

$$\\frac{\\partial L}{\\partial W^l} = (h^{l-1})^T \\delta^l$$
"""


def test_a_capital_in_the_place_of_l_is_the_number_of_layers(tmp_path: Path) -> None:
    """Without it the first formula would be one for all layers."""
    for formula, status in ((r"\delta^D = \hat{y} - y", "verified"), ("z^D = z^1", "refuted")):
        report = judged(tmp_path, f"{ROWS}{PATTERN}\n$${formula}$$\n")
        assert report.settings["letters"]["D"] == "number of layers"
        assert report.claims[-1].status == status


SIGMOID = (
    ROWS.replace('"cross_entropy"', '"squared_error"')
    .replace('"softmax"', '"sigmoid"')
    .replace(r"softmax(z^2)", r"\sigma(z^2)")
    .partition("$$L =")[0]
)


def test_a_g_that_a_true_line_explains_may_be_the_gradient_of_the_output(tmp_path: Path) -> None:
    right, wrong = (rf"$$\delta^D = G \odot {f}(z^D)$$" for f in ("f'", "f"))
    for formulas, states in (
        (right, ["verified"]),
        (f"{right}\n\n{wrong}", ["verified", "refuted"]),
        (wrong, ["undecided"]),  # nothing else says what G is
    ):
        report = judged(tmp_path, f"{SIGMOID}{PATTERN}\n{formulas}\n")
        assert [c.status for c in report.claims[-len(states) :]] == states


def test_a_letter_that_makes_hardly_a_line_true_is_not_known(tmp_path: Path) -> None:
    """The steps q_1, q_2, ... are numbered elsewhere; no line is false because of what they are."""
    steps = "".join(f"$$q_{{{n + 1}}} = 2 q_{{{n}}}$$\n\n" for n in range(1, 5))
    report = judged(tmp_path, ROWS + steps + r"$$\frac{\partial L}{\partial b^2_1} = 2 q_5$$")
    assert {c.status for c in report.claims[-5:]} == {"undecided"}
    assert "q" not in report.settings["letters"]


ONE_LAYER = """```toml symbackprop
name = "one"
input = 3
loss = "binary_cross_entropy"
reduction = "sum"
[[layers]]
type = "dense"
units = 1
activation = "sigmoid"
```

$$z = x w + b$$

$$a = FUNCTION(z)$$

$$L = - y \\log a - (1-y) \\log(1-a)$$

"""


@pytest.mark.parametrize("function", [r"\sigma", "f", "g", r"\phi", "s"])
def test_a_function_of_two_letters_is_not_the_output_itself(tmp_path: Path, function: str) -> None:
    """The output may be written f(x), then x is what it depends on; here f is the activation."""
    note = ONE_LAYER + "$$a = FUNCTION(x)$$"
    report = judged(tmp_path, note.replace("FUNCTION", function))
    assert [c.status for c in report.claims] == ["verified"] * 3 + ["refuted"]
    assert report.claims[-1].suggestion == f"a = {function}(z)"


def test_the_name_of_an_indexed_sum_is_read_by_its_own_definition(tmp_path: Path) -> None:
    """s^2 is of one sample, s_n^2 of sample n; both are in the note."""
    one = (
        r"$$s^2 = \sum_{p=1}^{3} \exp(z_p^2)$$" + "\n\n" + r"$$\hat y_i = \frac{\exp(z_i^2)}{s^2}$$"
    )
    many = r"$$s_n^2 = \sum_{p=1}^{3} \exp(z_{np}^2)$$"
    for entry, status in ((r"\exp(z_{ni}^2)", "verified"), ("z_{ni}^2", "refuted")):
        formula = rf"$$\hat y_{{ni}} = \frac{{{entry}}}{{s_n^2}}$$"
        report = judged(tmp_path, f"{BATCH}{one}\n\n{many}\n\n{formula}\n")
        assert report.claims[-1].status == status
