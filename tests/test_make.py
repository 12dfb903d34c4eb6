"""The targets of the Makefile, as somebody finds them who has just cloned."""

from __future__ import annotations

import re
import shutil
import subprocess

import pytest

from tests.places import ROOT

MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
def test_help_has_a_line_for_every_target() -> None:
    done = subprocess.run(
        ["make", "--no-print-directory", "help"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    listed = dict(re.findall(r"^make (\S+) +(\S.*)$", done.stdout, re.MULTILINE))
    (targets,) = re.findall(r"^\.PHONY: (.+)$", MAKEFILE, re.MULTILINE)
    assert list(listed) == targets.split()


def test_the_readme_says_where_the_command_is_and_how_long_tests_take() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert "`.venv/bin/symbackprop`" in readme
    assert re.search(r"`make test` takes about \w+ minutes", readme)
    assert "`make test-quick` a minute and a half" in readme
