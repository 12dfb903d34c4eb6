"""The command line: what it writes and prints, where, and with which exit code."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import time
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from symbackprop import api, cli, files
from symbackprop.document.dialects import DIALECTS, Dialect, formats
from symbackprop.errors import OutputError
from symbackprop.proving.crosscheck import Report, Row

EXAMPLES = ("line", "linear-chain", "two-three-one", "four-layer")


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def run(*arguments: str) -> int:
    """The exit code, as the shell would see it."""
    try:
        return cli.main(arguments)
    except SystemExit as leaving:
        return int(leaving.code or 0)


def python(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *arguments], capture_output=True, text=True, check=False)


# --- general -----------------------------------------------------------------------------------


def test_help_and_version_and_init_do_not_import_sympy() -> None:
    for arguments in (["--help"], ["--version"], ["init"], ["init", "line"], ["derive", "-h"]):
        code = (
            "import sys\nfrom symbackprop.cli import main\n"
            f"try: main({arguments!r})\nexcept SystemExit: pass\n"
            "assert 'sympy' not in sys.modules"
        )
        done = python("-c", code)
        assert done.returncode == 0, done.stderr


def test_the_package_runs_as_a_module() -> None:
    done = python("-m", "symbackprop", "--version")
    assert done.returncode == 0
    assert done.stdout.startswith("symbackprop 0.")


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["derve", "line"],
        ["derive"],
        ["derive", "line", "--samples-as", "row"],
        ["derive", "line", "--layer", "^k"],
        ["derive", "line", "--detail", "some"],
        ["derive", "line", "--form", "md"],
        ["export", "line"],
        ["export", "line", "-o", "g.py", "--backend", "torch"],
    ],
)
def test_bad_usage_exits_2_with_the_usage_on_stderr(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(*arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("usage: ")


@pytest.mark.parametrize("command", ["derive", "export", "check"])
def test_a_bad_file_exits_2_with_every_fault_and_writes_nothing(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "bad.toml").write_text('input = 0\nloss = "crossentropy"\n[[layers]]\nunits = 2\n')
    output = ["-o", "g.py"] if command == "export" else []
    assert run(command, "bad.toml", *output) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "bad.toml:1: input: found 0" in err
    assert "bad.toml:2: " in err
    assert "did you mean `cross_entropy`" in err
    assert "Traceback" not in err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bad.toml"]


@pytest.mark.parametrize("spec", ["four-layr", ".", "no/such.toml", "", "a\nb", "\0"])
def test_a_spec_that_is_no_file_exits_2(spec: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("check", spec) == 2
    err = capsys.readouterr().err
    assert err.startswith("symbackprop: ")
    assert "Traceback" not in err


def test_an_interrupt_exits_130(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(api, "load", interrupted)
    assert run("check", "line") == 130
    assert capsys.readouterr().err == "symbackprop: interrupted\n"


def test_a_full_disk_is_no_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device", "g.py")

    monkeypatch.setattr(files, "write_all", full)
    assert run("export", "line", "-o", "g.py") == 2
    assert capsys.readouterr().err.endswith("symbackprop: g.py: no space left on device\n")


def test_a_reader_that_stops_early_is_no_error() -> None:
    done = subprocess.run(
        f"{sys.executable} -m symbackprop init four-layer | head -n 1",
        shell=True, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.stderr == ""


# --- derive ------------------------------------------------------------------------------------


def test_derive_writes_every_format_into_output_by_default(tmp_path: Path) -> None:
    assert run("derive", "line") == 0
    wanted = {f"line.{format}" for format in cli.DEFAULT_FORMATS if format in formats()}
    assert {path.name for path in (tmp_path / "output").iterdir()} == wanted


def test_derive_writes_into_an_existing_directory_or_one_that_ends_in_a_slash(
    tmp_path: Path,
) -> None:
    (tmp_path / "there").mkdir()
    assert run("derive", "line", "-o", "there", "--format", "md") == 0
    assert run("derive", "line", "-o", "new/deep/", "--format", "tex,md") == 0
    assert [path.name for path in (tmp_path / "there").iterdir()] == ["line.md"]
    assert sorted(path.name for path in (tmp_path / "new/deep").iterdir()) == [
        "line.md", "line.tex",
    ]  # fmt: skip


def test_the_suffix_of_a_file_chooses_the_format(tmp_path: Path) -> None:
    assert run("derive", "line", "-o", "mine.tex") == 0
    assert "\\documentclass" in (tmp_path / "mine.tex").read_text()
    assert run("derive", "line", "-o", "notes.txt", "--format", "md") == 0
    assert (tmp_path / "notes.txt").read_text().startswith("# ")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--format", "html"], "found 'html', expected some of md, tex"),
        (["--format", "md,mdx"], "found 'mdx', expected some of md, tex"),
        (["--format", ""], "found '', expected some of md, tex"),
        (["-o", "x.html"], "found suffix .html, expected one of .md, .tex"),
        (["-o", "x"], "found no suffix, expected one of .md, .tex"),
        (["-o", "x.md", "--format", "tex"], "found suffix .md, expected .tex"),
        (["-o", "x.md", "--format", "md,tex"], "expected a directory; write x.md/"),
        (["-o", "no/x.md"], "cannot write no/x.md: there is no directory no"),
        (["-o", "line.toml/x.md"], "line.toml is a file, not a directory"),
        (["-o", "line.toml/"], "line.toml is a file, not a directory"),
        (["-o", ""], "not a path"),
        (["-o", "/dev/null", "--format", "md"], "not an ordinary file"),
    ],
)
def test_a_place_that_cannot_be_written_exits_2_before_anything_is(
    arguments: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "line.toml").write_text("")
    assert run("derive", "line", *arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert message in err
    assert [path.name for path in tmp_path.iterdir()] == ["line.toml"]


def test_nothing_is_written_when_one_of_several_files_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "out" / "line.tex").mkdir(parents=True)
    assert run("derive", "line", "-o", "out/", "--format", "md,tex") == 2
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["line.tex"]


def test_notation_options_override_the_file(tmp_path: Path) -> None:
    assert run("derive", "two-three-one", "-o", "rows.md") == 0
    options = ("--samples-as", "columns", "--layer", "^[l]")
    assert run("derive", "two-three-one", "-o", "columns.md", *options) == 0
    assert "{[2]}" not in (tmp_path / "rows.md").read_text()
    assert "{[2]}" in (tmp_path / "columns.md").read_text()


@pytest.mark.slow
def test_deriving_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    for place in ("a/", "b/"):
        done = python("-m", "symbackprop", "derive", "two-three-one", "-o", place)
        assert done.returncode == 0, done.stderr
    for path in (tmp_path / "a").iterdir():
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes()


def test_json_is_the_whole_record(tmp_path: Path) -> None:
    assert run("derive", "line", "-o", "line.json") == 0
    record = json.loads((tmp_path / "line.json").read_text())
    assert {"network", "gradients", "jacobians", "checks"} <= set(record)
    assert [gradient["name"] for gradient in record["gradients"]] == ["W1", "b1", "x"]


def test_help_names_the_formats_that_are_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("derive", "--help") == 0
    assert ",".join(formats()) in capsys.readouterr().out


ASCIIDOC = Dialect(
    template="document.adoc.j2",
    words=lambda text: text.replace("|", "{vbar}"),
    formula=lambda latex: latex,
    inline=lambda formula: f"stem:[{formula}]",
    code=lambda text: f"`+{text}+`",
    strong=lambda words: f"*{words}*",
)
TEMPLATE = """= {{ title }}
{% for block in blocks if block.kind in ("heading", "display") %}
{% if block.kind == "heading" %}

{{ "=" * block.level }} {{ block.text }}
{% else %}

[stem]
++++
{{ block.maths }}
++++
{% endif %}
{% endfor %}
"""


def test_a_format_is_one_row_and_one_template(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("derive", "line", "--format", "docx") == 2
    assert "expected some of md, tex" in capsys.readouterr().err
    (tmp_path / ASCIIDOC.template).write_text(TEMPLATE)
    printer = import_module("symbackprop.document.render")
    monkeypatch.setattr(printer, "_template_folders", lambda: [str(tmp_path)])
    monkeypatch.setitem(DIALECTS, "adoc", ASCIIDOC)
    assert run("derive", "--help") == 0
    assert "md,tex,adoc,json" in capsys.readouterr().out
    assert run("derive", "line", "-o", "out/", "--format", "adoc") == 0
    assert run("derive", "line", "-o", "line.adoc") == 0
    text = (tmp_path / "line.adoc").read_text("utf-8")
    assert text == (tmp_path / "out" / "line.adoc").read_text("utf-8")
    assert text.startswith("= ")
    assert "\n== The network\n" in text
    assert "++++\n\\frac{\\partial" in text


# --- export ------------------------------------------------------------------------------------


def test_the_exported_module_stands_alone(tmp_path: Path) -> None:
    assert run("export", "four-layer", "-o", "grads.py") == 0
    code = (
        "import sys, numpy as np, grads\n"
        "assert not any(m.startswith(('symbackprop', 'sympy')) for m in sys.modules)\n"
        "shapes = dict(W1=(2, 2), b1=2, W2=(2, 4), b2=4, W3=(4, 3), b3=3)\n"
        "params = {name: np.ones(shape) for name, shape in shapes.items()}\n"
        "loss, found = grads.loss_and_gradients(params, np.ones((3, 2)), np.eye(3))\n"
        "print(sorted(found), loss.shape)"
    )
    done = python("-c", code)
    assert done.stdout == "['W1', 'W2', 'W3', 'b1', 'b2', 'b3'] ()\n", done.stderr


def test_exporting_over_a_file_replaces_it_whole_and_keeps_its_mode(tmp_path: Path) -> None:
    target = tmp_path / "grads.py"
    target.write_text("# long\n" * 10_000)
    target.chmod(0o640)
    assert run("export", "line", "-o", "grads.py") == 0
    assert "# long" not in target.read_text()
    assert stat.S_IMODE(target.stat().st_mode) == 0o640
    assert [path.name for path in tmp_path.iterdir()] == ["grads.py"]


def test_exporting_onto_a_directory_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("export", "line", "-o", str(tmp_path)) == 2
    assert "a directory of this name stands in the way" in capsys.readouterr().err


# --- check -------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("name", EXAMPLES)
def test_check_prints_a_table_and_exits_0(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("check", name) == 0
    out = capsys.readouterr().out
    assert out.startswith(f"{name}: every gradient against every oracle\n")
    assert "dL/dW1" in out
    assert "DISAGREES" not in out
    assert "comparisons agree" in out


def test_check_exits_1_when_something_disagrees(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = (
        Row("W1", "complex step", "numeric", "< 1e-10", "disagrees"),
        Row("b1", "complex step", "numeric", "< 1e-10", "agrees"),
    )
    monkeypatch.setattr(api, "check", lambda *_, **__: Report("line", rows))
    assert run("check", "line") == 1
    out = capsys.readouterr().out
    assert "DISAGREES" in out
    assert "1 of 2 comparisons disagree" in out


# --- init --------------------------------------------------------------------------------------


def test_init_lists_the_examples(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("init") == 0
    out = capsys.readouterr().out
    assert [line.split()[0] for line in out.splitlines()[2:]] == list(EXAMPLES)


@pytest.mark.parametrize("name", EXAMPLES)
def test_init_prints_a_file_that_derives(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("init", name) == 0
    (tmp_path / "mine.toml").write_text(capsys.readouterr().out)
    assert run("export", "mine.toml", "-o", "grads.py") == 0


def test_init_of_an_unknown_example_names_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("init", "four-layr") == 2
    assert "did you mean `four-layer`" in capsys.readouterr().err


# --- progress ----------------------------------------------------------------------------------


def test_what_takes_over_a_second_says_so_on_stderr_in_plain_lines(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(cli, "PATIENCE", 0.02)
    with cli._progress("first") as notify:
        time.sleep(0.1)
        notify("second")
    out, err = capsys.readouterr()
    assert out == ""
    assert err == "symbackprop: first ...\nsymbackprop: second ...\n"


def test_what_is_quick_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with cli._progress("first") as notify:
        notify("second")
    assert capsys.readouterr().err == ""


# --- writing files -----------------------------------------------------------------------------


def test_a_failure_between_two_files_leaves_no_temporary_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = files._Target.prepare

    def second_fails(target: files._Target, content: files.Content) -> None:
        if target.path.name == "b":
            raise OutputError(str(target.path), "no space left on device")
        made(target, content)

    monkeypatch.setattr(files._Target, "prepare", second_fails)
    with pytest.raises(OutputError):
        files.write_all({tmp_path / "a": "1", tmp_path / "b": "2"})
    assert list(tmp_path.iterdir()) == []


def test_writing_through_a_link_keeps_the_link(tmp_path: Path) -> None:
    (tmp_path / "real").write_text("old")
    (tmp_path / "link").symlink_to("real")
    files.write_all({tmp_path / "link": b"new"})
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_text() == "new"


def test_a_new_file_has_the_mode_that_the_mask_gives(tmp_path: Path) -> None:
    mask = os.umask(0o027)
    try:
        files.write_all({tmp_path / "a": "1"})
    finally:
        os.umask(mask)
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o640


def test_a_file_that_may_not_be_written_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a").write_text("kept")
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(OutputError, match="permission denied"):
        files.write_all({tmp_path / "a": "1"})
    assert (tmp_path / "a").read_text() == "kept"
