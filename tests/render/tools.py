"""The renderers that readers use, as functions that return what they complain about.

Owns: running KaTeX, MathJax and pdfLaTeX, and saying whether they are installed. Refuses:
judging our documents; that is `test_rendering`. Wrong if a tool that is not there, or that
crashes, is taken for one that found nothing.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterable
from pathlib import Path

import pytest

HERE = Path(__file__).parent
REQUIRE_ALL = "SYMBACKPROP_REQUIRE_ALL"
WIDEST_OVERFULL_POINTS = 1.0
SECONDS = 300

Formula = tuple[str, bool]
"""The LaTeX between the dollars, and whether it is displayed."""


def require(condition: bool, reason: str) -> None:
    """Skip the test when a tool is missing, or fail it where everything is required."""
    if condition:
        return
    if os.environ.get(REQUIRE_ALL) == "1":
        pytest.fail(f"{reason}, and {REQUIRE_ALL}=1", pytrace=False)
    pytest.skip(reason)


def katex_errors(formulas: Iterable[Formula]) -> list[str]:
    """What KaTeX, in strict mode, does not parse; one line a formula."""
    return _node_errors("katex", "check_katex.mjs", formulas)


def mathjax_errors(formulas: Iterable[Formula]) -> list[str]:
    """What MathJax does not parse; one line a formula."""
    return _node_errors("mathjax-full", "check_mathjax.mjs", formulas)


def latex_errors(tex_path: str | os.PathLike[str]) -> list[str]:
    """Errors, undefined references, missing glyphs and overfull boxes of a LaTeX document."""
    require(shutil.which("pdflatex") is not None, "pdflatex is not installed")
    path = Path(tex_path).resolve()
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(2):  # the second run knows the references of the first
            run = _pdflatex(path, Path(folder))
            if run.returncode != 0:
                break
        log = Path(folder, path.stem + ".log")
        text = log.read_text(encoding="utf-8", errors="replace") if log.exists() else run.stdout
    return log_errors(text) or ([f"pdflatex: exit code {run.returncode}"] * (run.returncode != 0))


def log_errors(log: str) -> list[str]:
    """The lines of a LaTeX log that a reader of the document would notice."""
    return [line for line in log.splitlines() if _is_noticeable(line)]


def _is_noticeable(line: str) -> bool:
    if overfull := re.match(r"Overfull \\hbox \(([0-9.]+)pt too wide\)", line):
        return float(overfull.group(1)) > WIDEST_OVERFULL_POINTS
    undefined = "LaTeX Warning" in line and "undefined" in line
    return line.startswith(("!", "Missing character")) or undefined


def _pdflatex(path: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    command = [
        "pdflatex",
        "-no-shell-escape",
        "-halt-on-error",
        "-interaction=nonstopmode",
        f"-output-directory={folder}",
        str(path),
    ]
    # Log lines are cut at 79 columns otherwise.
    environment = {**os.environ, "max_print_line": "10000"}
    return subprocess.run(
        command,
        cwd=path.parent,
        env=environment,
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        timeout=SECONDS,
        check=False,
    )


def _node_errors(package: str, script: str, formulas: Iterable[Formula]) -> list[str]:
    require(shutil.which("node") is not None, "node is not installed")
    installed = (HERE / "node_modules" / package / "package.json").is_file()
    require(installed, f"{package} is not installed (npm ci in tests/render)")
    entries = [{"tex": tex, "display": display} for tex, display in formulas]
    run = subprocess.run(
        ["node", script],
        cwd=HERE,
        input=json.dumps(entries),
        capture_output=True,
        encoding="utf-8",
        timeout=SECONDS,
        check=False,
    )
    if run.returncode not in (0, 1) or not run.stdout:
        raise RuntimeError(f"{script} broke: {run.stderr}")
    return [f"{bad['tex']}: {bad['reason']}" for bad in json.loads(run.stdout)]
