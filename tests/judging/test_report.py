"""How a report reads: as text, as JSON, for GitHub and in Jupyter; and the commands around it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from symbackprop import api, cli
from symbackprop.judging.printing.causes import causes
from symbackprop.judging.printing.github import as_github
from symbackprop.judging.printing.json import as_json
from symbackprop.judging.printing.layout import width, wrapped
from symbackprop.judging.printing.markdown import as_markdown
from symbackprop.judging.printing.shown import Judgement
from symbackprop.judging.printing.source import excerpt, source_lines
from symbackprop.judging.printing.text import as_text
from symbackprop.judging.report import Claim, FileReport, Report, Status

TEXT = """# Notes

$$
\\delta^2 = \\delta^3 W^{3\\top}
$$

so $\\frac{\\partial L}{\\partial W^2} = h^{1\\top} \\delta^2$.
$$
\\delta^1 = \\delta^2 W^{2\\top}
$$
"""

FALSE = Claim(
    "notes.md", 4, 1, 29, "refuted", "numeric",
    latex=r"\delta^2 = \delta^3 W^{3\top}",
    derived=r"\left(\delta^3 W^{3\top}\right) \circ \sigma'(z^2)",
    counterexample={"entry": (0, 2), "left": 0.1 + 0.2, "right": -0.3, "sizes": {"N": 3}},
    slip="derivative-missing",
    sentence=r"the factor \sigma'(z^2) is missing",
    suggestion=r"\delta^2 = \left(\delta^3 W^{3\top}\right) \circ \sigma'(z^2)",
    spot=(4, 12, 18),
)  # fmt: skip
FOLLOWS = Claim(
    "notes.md", 7, 5, 55, "refuted", "numeric", latex="b", consistent=True, follows_from=(4,)
)
AGAIN = Claim("notes.md", 9, 1, 29, "refuted", "numeric", slip="derivative-missing", same_as=4)
FINE = Claim("notes.md", 11, 2, 5, "verified", "proved", latex="a = b", facts=("sums to one",))
OPEN = Claim("notes.md", 12, 1, 3, "undecided", latex="q = 1", sentence="what q is was not said")


def report(*claims: Claim, text: str = TEXT, **settings: Any) -> Report:
    return Report((FileReport("notes.md", claims, settings, text),))


# --- text --------------------------------------------------------------------------------------


def test_a_cause_is_shown_with_its_line_what_is_right_and_why() -> None:
    text = as_text(report(FALSE, FOLLOWS, AGAIN, FINE, OPEN, samples="rows", letters={"h": "a"}))
    wanted = r"""
notes.md:4:1: refuted: the activation's derivative is missing [derivative-missing]
     4 | \delta^2 = \delta^3 W^{3\top}
       |            ^^^^^^^^^^^^^^^^^^
  cause      the factor \sigma'(z^2) is missing
  write      \delta^2 = \left(\delta^3 W^{3\top}\right) \circ \sigma'(z^2)
  differs    entry (0, 2): left 0.3, right -0.3, where N = 3
  again      the same slip in line 9
  then       line 7 follows correctly from it

notes.md: undecided
  line 12: what q is was not said

settings found
  samples  rows
  letters  h = a

1 verified, 3 refuted (1 root cause), 0 definitions, 1 undecided
slips: derivative-missing 2
`symbackprop explain derivative-missing` says more
"""
    assert text == wanted.strip("\n")


def test_verified_claims_are_listed_only_when_asked() -> None:
    assert "a = b" not in as_text(report(FINE))
    assert "11:2 ✓ verified   proved     a = b  (uses sums to one)" in as_text(
        report(FINE), verbose=True
    )


def test_undecided_claims_are_put_together_by_reason() -> None:
    claims = [replace(OPEN, line=line) for line in range(1, 60)]
    other = replace(OPEN, line=70, sentence="another")
    text = " ".join(as_text(report(*claims, other)).split())
    assert text.count("what q is was not said") == 1
    assert "19, 20 and 39 more: what" in text
    assert "line 70: another" in text


def test_the_second_of_two_causes_does_not_get_the_followers_of_the_first() -> None:
    second = replace(FALSE, line=9)
    later = replace(FOLLOWS, line=20, follows_from=(9,))
    latest = replace(FOLLOWS, line=21, follows_from=(20, 4))
    found = causes([FALSE, second, FOLLOWS, later, latest])
    assert [[claim.line for claim in cause.followers] for cause in found] == [[7, 21], [20, 21]]


def test_no_refuted_claim_is_lost_whatever_the_cross_references() -> None:
    lost = replace(FOLLOWS, follows_from=(99,))
    itself = replace(FOLLOWS, line=5, follows_from=(5,))
    nowhere = replace(AGAIN, same_as=98)
    found = causes([lost, itself, nowhere])
    assert [cause.claim for cause in found] == [lost, itself, nowhere]
    assert "correctly from line 99" in as_text(report(lost, itself, nowhere))


def test_a_thousand_lines_that_follow_from_each_other_are_no_deep_recursion() -> None:
    chain = [replace(FOLLOWS, line=n, follows_from=(n - 1,)) for n in range(5, 5000)]
    (cause,) = causes([FALSE, *chain])
    assert len(cause.followers) == 4995


def test_colour_only_when_asked() -> None:
    plain = as_text(report(FALSE, OPEN, FINE, a=1))
    painted = as_text(report(FALSE, OPEN, FINE, a=1), colour=True)
    assert "\x1b" not in plain
    assert re.sub(r"\x1b\[[\d;]+m", "", painted) == plain


def test_several_files_have_their_settings_apart_and_a_problem_is_named() -> None:
    both = Report(
        (
            FileReport("a.md", (replace(FALSE, file="a.md"),), {"samples": "rows"}, TEXT),
            FileReport("b.md", (), {"samples": "columns"}),
            FileReport("c\n.md", (), problem="not a text\x1b[2J"),
        )
    )
    text = as_text(both)
    assert "settings found of a.md\n  samples  rows" in text
    assert "settings found of b.md\n  samples  columns" in text
    assert "c\\n.md: not a text\\x1b[2J" in text


def test_an_empty_report_says_so() -> None:
    assert as_text(Report(())) == "0 verified, 0 refuted, 0 definitions, 0 undecided"
    assert as_markdown(Report(())) == "**0 verified, 0 refuted, 0 definitions, 0 undecided**"
    assert json.loads(as_json(Report(())))["claims"] == []


def test_str_is_the_text_and_jupyter_shows_markdown() -> None:
    assert str(Judgement(report(FALSE).files)) == as_text(report(FALSE))
    shown = Judgement(report(FALSE, FOLLOWS, OPEN, samples="rows").files)._repr_markdown_()
    assert r"right $\delta^2 = \left(\delta^3 W^{3\top}\right) \circ \sigma'(z^2)$" in shown
    assert r"claimed `\delta^2 = \delta^3 W^{3\top}`" in shown
    assert "| samples | rows |" in shown


# --- the source line ---------------------------------------------------------------------------


def shown(line: str, column: int, length: int, limit: int = 60) -> tuple[str, str]:
    claim = Claim("n.md", 1, column, length, "refuted")
    found = excerpt([line], claim, limit)
    assert found
    return found.line, found.carets


def under(line: str, carets: str) -> str:
    """What stands above the carets, by columns."""
    cells = [c for character in line for c in [character] + [""] * (width(character) - 1)]
    return "".join(cells[carets.index("^") : len(carets)])


@pytest.mark.parametrize(
    ("line", "spot"),
    [
        ("a = b + c", "b"),
        ("\t\ta = b", "a = b"),
        ("层层 $c = d$", "c = d"),
        ("e\u0301 = spot", "spot"),
        ("x" * 500 + "spot" + "y" * 500, "spot"),
        ("层" * 500 + "spot" + "层" * 500, "spot"),
        ("\t" * 300 + "spot", "spot"),
        ("\x1b[2J spot", "spot"),
    ],
)
def test_the_carets_stand_below_the_spot(line: str, spot: str) -> None:
    quoted, carets = shown(line, line.index(spot) + 1, len(spot))
    assert under(quoted.replace("e\u0301", "é"), carets) == spot
    assert quoted.isprintable()
    assert width(quoted) <= 60


def test_a_spot_without_a_place_shows_the_line_or_nothing() -> None:
    line = "a = b"
    assert excerpt([line], Claim("n", 0, 0, 0, "refuted")) is None
    assert excerpt([line], Claim("n", 7, 1, 1, "refuted")) is None
    assert excerpt([], Claim("n", 1, 1, 1, "refuted")) is None
    found = excerpt([line], Claim("n", 1, 0, 0, "refuted"))
    assert found
    assert (found.line, found.carets) == (line, "")


def test_a_line_end_of_any_system_ends_a_line_and_a_form_feed_does_not() -> None:
    assert source_lines("a\r\nb\rc\nd\x0ce\u2028f") == ["a", "b", "c", "d\x0ce\u2028f"]


def test_a_line_of_ten_million_characters_is_quick() -> None:
    line = "x" * 10_000_000
    quoted, carets = shown(line, 9_000_000, 2_000_000)
    assert width(quoted) <= 60
    assert len(carets) <= 60


@given(st.text(), st.integers(-3, 200), st.integers(-3, 200), st.integers(8, 90))
def test_no_excerpt_is_wider_than_asked_for(
    line: str, column: int, length: int, limit: int
) -> None:
    found = excerpt(
        [line.replace("\n", "").replace("\r", "")], Claim("n", 1, column, length, "refuted"), limit
    )
    if found:
        assert width(found.line) <= limit
        assert width(found.carets) <= limit
        assert found.line.isprintable()


@given(st.text(alphabet="ab 层é\u0301", max_size=200), st.integers(6, 40))
def test_wrapping_loses_nothing_and_keeps_the_width(text: str, limit: int) -> None:
    lines = wrapped(text, limit, first="- ", indent="  ")
    assert all(width(line) <= limit for line in lines)
    assert "".join("".join(lines)[2:].split()) == "".join(text.split())


# --- hostile notes -----------------------------------------------------------------------------

HOSTILE = (
    "\x1b[2J\x1b]0;owned\x07",
    "a\n::error file=x::owned\r\n::set-output name=a::b",
    "<script>alert(1)</script><img src=x onerror=alert(1)>",
    "`` ` ``` **bold** [link](javascript:alert(1)) $x$ | a |\n\n# head",
    "\u202egnp.exe\u2028::warning::x\x85::error::y\x0b",
    "word " * 5000,
    "W" * 50_000,
    "\ud800 lone",
    "100% %0A::error::z, a:b",
    "⟧ ⟦ ✗",
    "",
)


def hostile(text: str, **more: Any) -> Claim:
    return Claim(
        text, 1, 1, len(text), "refuted", latex=text, name=text[:5], derived=text, slip=text,
        counterexample={"entry": [text], "left": text, "right": [text], "sizes": {text: 1}},
        sentence=text, suggestion=text + "!", claimed=text, others=((text, text, text),),
        facts=(text,), **more,
    )  # fmt: skip


def hostile_report(text: str) -> Report:
    claims = (
        hostile(text),
        hostile(text, spot=(1, 3, 4)),
        replace(hostile(text), status="undecided"),
        replace(hostile(text), line=-5, column=-1),
        replace(hostile(text), status="verified"),
    )
    settings = {text: text, "nested": {text: [text, {text: None}]}}
    return Report((FileReport(text, claims, settings, text, text), FileReport("b", (), settings)))


@pytest.mark.parametrize("text", HOSTILE)
def test_no_note_steers_the_terminal(text: str) -> None:
    for line in as_text(hostile_report(text), verbose=True).split("\n"):
        assert line.isprintable()


@pytest.mark.parametrize("text", HOSTILE)
def test_long_texts_stay_within_the_width_where_the_path_is_short(text: str) -> None:
    claims = tuple(replace(claim, file="n.md") for claim in hostile_report(text).claims)
    file = FileReport("n.md", claims, {text: text}, text)
    lines = as_text(Report((file,)), verbose=True).split("\n")
    assert max(map(width, lines)) <= 100
    assert len(lines) < 400


@pytest.mark.parametrize("text", HOSTILE)
def test_no_note_begins_a_workflow_command(text: str) -> None:
    lines = as_github(hostile_report(text)).split("\n")
    for line in lines[:-1]:
        assert line.isprintable()
        head, _, message = line.removeprefix("::").partition("::")
        level, _, properties = head.partition(" ")
        assert level in ("error", "warning", "notice")
        keys = [part.partition("=")[0] for part in properties.split(",")]
        assert keys in (
            ["file", "line", "col", "endColumn", "title"],
            ["file", "line", "col", "title"],
            ["file", "title"],
        )
        assert not re.search("%(?!25|0A)", message)
    assert not lines[-1].startswith("::")


@pytest.mark.parametrize("text", HOSTILE)
def test_no_note_becomes_html_or_a_link_in_jupyter(text: str) -> None:
    shown = as_markdown(hostile_report(text))
    outside = re.sub(r"(`+)(?!`).*?(?<!`)\1(?!`)", "", shown)
    assert "<" not in outside
    assert "](" not in outside
    assert "\x1b" not in shown
    assert "\n# " not in shown


@pytest.mark.parametrize("text", HOSTILE)
def test_json_is_ascii_and_strict_whatever_the_note_says(text: str) -> None:
    written = as_json(hostile_report(text))
    assert written.isascii()
    assert len(json.loads(written)["claims"]) == 5


# --- JSON and GitHub ---------------------------------------------------------------------------


def test_json_has_the_promised_keys_in_order_and_is_stable() -> None:
    written = as_json(report(FALSE, replace(FALSE, name="dW1", latex=""), samples="rows"))
    read = json.loads(written)
    assert list(read)[:3] == ["claims", "settings", "summary"]
    assert list(read["claims"][0])[:12] == [
        "file", "line", "column", "latex", "status", "method", "derived", "counterexample",
        "cause", "suggestion", "consistent", "follows_from",
    ]  # fmt: skip
    assert list(read["claims"][1])[3] == "name"
    assert read["claims"][0]["cause"] == (r"derivative-missing: the factor \sigma'(z^2) is missing")
    assert read["settings"] == {"samples": "rows"}
    assert read["summary"] == {"verified": 0, "refuted": 2, "definition": 0, "undecided": 0}
    assert written == as_json(report(FALSE, replace(FALSE, name="dW1", latex=""), samples="rows"))


def test_json_takes_what_numpy_leaves_and_has_no_nan() -> None:
    point: dict[Any, Any] = {
        "x": np.array([[1.0, np.nan]]), "n": np.int64(3), "f": np.float32(0.5), "inf": -np.inf,
        "z": 1 + 2j, "b": np.bool_(True), ("k", 1): {2, 1},
    }  # fmt: skip
    read = json.loads(
        as_json(report(replace(FALSE, counterexample=point))),
        parse_constant=lambda name: pytest.fail(name),
    )
    assert read["claims"][0]["counterexample"] == {
        "x": [[1.0, "nan"]], "n": 3, "f": 0.5, "inf": "-inf", "z": "(1+2j)", "b": True,
        "('k', 1)": ["1", "2"],
    }  # fmt: skip


def test_github_marks_causes_before_what_follows() -> None:
    lines = as_github(report(FOLLOWS, OPEN, FALSE, AGAIN, FINE)).split("\n")
    assert [line.partition(" ")[0] for line in lines] == [
        "::error", "::error", "::error", "::notice", "1",
    ]  # fmt: skip
    lines = as_github(report(FALSE, FOLLOWS, OPEN)).split("\n")
    assert [line.partition(" ")[0] for line in lines[:-1]] == ["::error", "::notice", "::notice"]
    assert lines[0].startswith("::error file=notes.md,line=4,col=12,endColumn=30,title=the act")
    assert "file=notes.md,line=7,col=5" in lines[2]


def test_github_warns_of_what_is_undecided_where_that_fails() -> None:
    assert as_github(report(OPEN), strict=True).startswith("::warning ")
    assert as_github(report(OPEN)).startswith("::notice ")


def test_github_gets_the_file_of_a_function_without_the_function() -> None:
    assert "file=a.py,line" in as_github(report(replace(FALSE, file="a.py::backward")))


# --- the commands ------------------------------------------------------------------------------


def judged(monkeypatch: pytest.MonkeyPatch, result: Report) -> list[tuple[Any, ...]]:
    """`verify` answers with `result`; what it was asked."""
    asked: list[tuple[Any, ...]] = []

    def verify(what: Sequence[str], net: Any = None, **more: Any) -> Report:
        asked.append((list(what), net, more["execute"]))
        more["progress"](1, 2, "x\x1b[2J" * 100)
        return result

    monkeypatch.setattr(api, "verify", verify)
    return asked


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)


def run(*arguments: str) -> int:
    try:
        return cli.main(arguments)
    except SystemExit as leaving:
        return int(leaving.code or 0)


@pytest.mark.parametrize(
    ("claims", "code", "strict"),
    [
        ([FINE], 0, 0),
        ([FINE, OPEN], 0, 1),
        ([OPEN], 0, 1),
        ([FALSE, FINE], 1, 1),
        ([], 2, 2),
    ],
)
def test_the_exit_code_says_whether_anything_was_refuted(
    claims: list[Claim], code: int, strict: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    judged(monkeypatch, report(*claims))
    assert run("verify", "notes.md") == code
    assert run("verify", "notes.md", "--strict") == strict
    assert run("verify", "notes.md", "--strict", "--report", "json") == strict


def test_a_file_that_cannot_be_judged_exits_2_and_the_others_are_reported(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = FileReport("b.md", (), problem="no text")
    judged(monkeypatch, Report((*report(FALSE).files, bad)))
    assert run("verify", "notes.md", "b.md") == 2
    out, err = capsys.readouterr()
    assert "notes.md:4:1: refuted" in out
    assert "symbackprop: b.md: no text" in err


def test_notes_without_formulas_say_what_was_expected(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    judged(monkeypatch, report())
    assert run("verify", "notes.md") == 2
    assert "found no formula to judge, expected equations between $" in capsys.readouterr().err


def test_what_is_asked_for_arrives_and_the_network_is_loaded(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = judged(monkeypatch, report(FINE))
    assert run("verify", "a.md", "b.py::backward", "--spec", "line", "--execute") == 0
    ((paths, net, execute),) = asked
    assert (paths, net.name, execute) == (["a.md", "b.py::backward"], "line", True)
    assert "\x1b" not in "".join(capsys.readouterr())


def test_reports_go_to_stdout_alone(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    judged(monkeypatch, report(FALSE))
    for kind, begin in (("text", "notes.md:4:1: "), ("json", "{"), ("github", "::error ")):
        assert run("verify", "n.md", "--report", kind) == 1
        out, err = capsys.readouterr()
        assert out.startswith(begin)
        assert err == ""


@pytest.mark.parametrize(
    ("variables", "coloured"),
    [
        ({}, False),
        ({"FORCE_COLOR": "1"}, True),
        ({"FORCE_COLOR": "0"}, False),
        ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, False),
        ({"FORCE_COLOR": "1", "NO_COLOR": ""}, True),
    ],
)
def test_colour_follows_the_environment(
    variables: dict[str, str],
    coloured: bool,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    judged(monkeypatch, report(FALSE))
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    run("verify", "n.md")
    assert ("\x1b" in capsys.readouterr().out) == coloured


@pytest.mark.parametrize(
    "arguments",
    [
        ["verify"],
        ["verify", "n.md", "--report", "html"],
        ["verify", "n.md", "--spec"],
        ["verify", "n.md", "--annotate"],
        ["verify", "n.md", "--strct"],
        ["explain", "sign", "order"],
    ],
)
def test_bad_usage_exits_2_with_the_usage_on_stderr(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(*arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("usage: ")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--spec", "four-layr"], "did you mean"),
        (["--spec", "no/such.toml"], "no/such.toml"),
        (["--annotate", ""], "not a path"),
        (["--annotate", "no/such/n.md"], "there is no directory no/such"),
        (["--annotate", "n\0"], "not a path"),
    ],
)
def test_a_bad_spec_or_place_exits_2_before_anything_is_judged(
    arguments: list[str],
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    asked = judged(monkeypatch, report(FALSE))
    assert run("verify", "n.md", *arguments) == 2
    out, err = capsys.readouterr()
    assert (out, asked) == ("", [])
    assert message in err
    assert "Traceback" not in err


def test_annotated_notes_are_written_beside_the_report(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("a/n.md", "b/n.md"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_text("old")
    judged(monkeypatch, report(FALSE))
    monkeypatch.setattr(api, "annotate", lambda _: {"a/n.md": "A ✗\r\n", "b/n.md": "B"})
    assert run("verify", "a", "b", "--annotate", "out/") == 1
    assert (tmp_path / "out/a/n.md").read_bytes() == "A ✗\r\n".encode()
    assert (tmp_path / "out/b/n.md").read_text() == "B"
    assert capsys.readouterr().err == "wrote out/a/n.md\nwrote out/b/n.md\n"
    assert run("verify", "a", "b", "--annotate", "one.md") == 2
    assert "found the file one.md for 2 notes, expected a directory; write one.md/" in (
        capsys.readouterr().err
    )


def test_annotated_notes_never_replace_the_notes(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "n.md").write_text("old")
    judged(monkeypatch, report(FALSE))
    monkeypatch.setattr(api, "annotate", lambda _: {"n.md": "new"})
    for place in ("n.md", "./", "."):
        assert run("verify", "n.md", "--annotate", place) == 2
        assert "it is an input; write n.out.md" in capsys.readouterr().err
    assert (tmp_path / "n.md").read_text() == "old"
    assert run("verify", "n.md", "--annotate", "n.annotated.md") == 1
    assert (tmp_path / "n.annotated.md").read_text() == "new"


def test_explain_shows_a_slip_lists_all_and_names_the_nearest(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run("explain") == 0
    assert "batch-sum" in capsys.readouterr().out
    assert run("explain", "batch-sum") == 0
    assert "db3 = delta3.sum(axis=0)" in capsys.readouterr().out
    assert run("explain", "bach-sum") == 2
    assert "did you mean `batch-sum`" in capsys.readouterr().err


def test_help_and_explain_do_not_import_sympy_and_print_in_any_encoding() -> None:
    for arguments in (["verify", "--help"], ["explain"], ["explain", "sign"]):
        code = (
            "import sys\nfrom symbackprop.cli import main\n"
            f"try: main({arguments!r})\nexcept SystemExit: pass\n"
            "assert 'sympy' not in sys.modules\nassert 'numpy' not in sys.modules"
        )
        done = subprocess.run(
            [sys.executable, "-X", "utf8=0", "-c", code],
            capture_output=True, check=False, env={"PYTHONIOENCODING": "ascii"},
        )  # fmt: skip
        assert done.returncode == 0, done.stderr


def test_every_status_has_a_mark() -> None:
    statuses: tuple[Status, ...] = ("verified", "refuted", "definition", "undecided")
    claims = [replace(FINE, status=status) for status in statuses]
    text = as_text(report(*claims), verbose=True)
    assert all(f"{mark} {status}" in text for mark, status in zip("✓✗≔?", statuses, strict=True))
