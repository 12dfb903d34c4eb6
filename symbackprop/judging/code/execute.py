"""Judging by running the code, where its author asks for it.

Owns: the process that runs a function on generic arrays in every layout, its time limit, and the
claims about what it returned. Refuses: running anything in this process, and intermediates, which
a running function does not show.
Would be wrong if code ran without being asked for; only `judge_code(..., execute=True)` does it.
"""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any

import numpy as np

from symbackprop.judging.code.layout import layouts
from symbackprop.judging.code.marks import Mark, Reading, Session
from symbackprop.judging.code.search import Subjects, mentions_batch
from symbackprop.judging.report import Claim, FileReport
from symbackprop.tracing.numbers.modules import Module
from symbackprop.tracing.numbers.reading import SCRIPT, Bundle, Fault, Instance, Trail
from symbackprop.tracing.numbers.unknown import Unknown

SECONDS = 30.0
SAID = "the code was run"
_RUNNER = """
import json, sys
import numpy as np
given = json.load(sys.stdin)
space = {"__name__": "judged"}
stdout, sys.stdout = sys.stdout, sys.stderr
def arrays(v):
    if isinstance(v, dict) and "array" in v:
        return np.array(v["array"], dtype=v["dtype"]).reshape(v["shape"])
    if isinstance(v, dict):
        return {k: arrays(p) for k, p in v["dict"].items()}
    return [arrays(p) for p in v] if isinstance(v, list) else v
def plain(v):
    if isinstance(v, (np.ndarray, np.generic)):
        v = np.asarray(v)
        if v.dtype.kind not in "bif":
            return None
        return {"array": v.ravel().tolist(), "shape": list(v.shape), "dtype": str(v.dtype)}
    if isinstance(v, dict):
        return {"dict": {str(k): plain(p) for k, p in v.items()}}
    if isinstance(v, (list, tuple)):
        return {"list": [plain(p) for p in v], "tuple": isinstance(v, tuple)}
    return v if isinstance(v, (int, float, str, bool)) or v is None else None
exec(compile(given["source"], given["path"], "exec"), space)
function = space[given["function"]]
results = []
for call in given["calls"]:
    try:
        with np.errstate(all="ignore"):
            results.append({"value": plain(function(**{k: arrays(v) for k, v in call.items()}))})
    except BaseException as problem:
        trace, line = problem.__traceback__, 0
        while trace is not None:
            if trace.tb_frame.f_code.co_filename == given["path"]:
                line = trace.tb_lineno
            trace = trace.tb_next
        results.append({"fault": f"{type(problem).__name__}: {problem}", "line": line})
json.dump(results, stdout)
"""


def executed(
    source: str,
    function: str,
    path: str,
    module: Module,
    node: ast.FunctionDef,
    methods: Mapping[str, ast.FunctionDef],
    subjects: Subjects,
) -> FileReport:
    """The returned gradients, by running the function; `sentence` says that it was run."""
    if methods or module.parent is not None or node.name in ("<lambda>", SCRIPT):
        reason = f"{function} is no function at the top of its file; no other is run"
        return FileReport(path, (), {}, source, reason)
    sessions = list(_sessions(module, node, subjects))
    calls, kept = [], []
    problem = ""
    for session in sessions:
        try:
            sent = [_sent(session, number) for number in (0, *session.numbers)]
        except Fault as fault:
            problem = f"line {fault.line}: {fault.reason}"
            continue
        calls += sent
        kept.append(session)
    if not kept:
        return FileReport(path, (), {}, source, problem)
    answers = _run(source, node.name, path, calls)
    if isinstance(answers, str):
        return FileReport(path, (), {}, source, answers)
    return _report(source, path, kept, answers)


def _sessions(module: Module, node: ast.FunctionDef, subjects: Subjects) -> list[Session]:
    parameters = subjects.batch.network.of_kind("parameter")
    has_bias = any(t.letter == "b" for t in parameters)
    found = []
    for layout in layouts(has_bias, not mentions_batch(node)):
        subject = subjects.one if layout.is_one else subjects.batch
        found.append(Session(module, node, subject, layout))
    if subjects.batch.built.sizes:
        found += [replace(s, layout=replace(s.layout, sizes="file")) for s in found]
    return found


def _sent(session: Session, number: int) -> dict[str, Any]:
    """The arguments of one call as JSON."""
    used = session.used_arguments()
    given = session.arguments(number)
    return {
        name: _plain(value, used.get(name), session.subject.depth) for name, value in given.items()
    }


def _plain(value: Any, used: Any, depth: int) -> Any:
    if isinstance(value, Bundle):
        keys = list(used) if isinstance(used, Bundle) else []
        own = [f"{letter}{layer}" for layer in range(1, depth + 1) for letter in "Wb"]
        if keys and set(keys) <= set(own):  # such a dict may be counted: it has all of them
            keys = [key for key in own if value.find(key) is not None]
        return {"dict": {key: _plain(value.find(key), used.get(key), depth) for key in keys}}
    if isinstance(value, (np.ndarray, np.generic)):
        array = np.asarray(value)
        return {"array": array.ravel().tolist(), "shape": array.shape, "dtype": str(array.dtype)}
    if isinstance(value, list):
        return [_plain(part, None, depth) for part in value]
    if isinstance(value, Instance):
        raise Fault("an object cannot be handed to another process")
    if isinstance(value, Unknown):
        raise Fault.of(value)
    return value


def _run(
    source: str, function: str, path: str, calls: Sequence[Mapping[str, Any]]
) -> list[Any] | str:
    sent = json.dumps({"source": source, "function": function, "path": path, "calls": calls})
    try:
        done = subprocess.run(
            [sys.executable, "-I", "-c", _RUNNER],
            input=sent,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"{SAID} and did not end within {SECONDS:g} seconds"
    try:
        answers: list[Any] = json.loads(done.stdout)
    except ValueError:
        last = done.stderr.strip().splitlines()[-1:] or ["no output"]
        return f"{SAID} and failed: {last[0][:200]}"
    return answers


def _report(
    source: str, path: str, sessions: Sequence[Session], answers: Sequence[Any]
) -> FileReport:
    best: tuple[int, Session, list[Reading]] | None = None
    faults = []
    waiting = iter(answers)
    for session in sessions:
        readings = []
        numbers = (0, *session.numbers)
        for number, answer in zip(numbers, islice(waiting, len(numbers)), strict=True):
            if "fault" in answer:
                faults.append((answer["line"], answer["fault"]))
                continue
            trail = Trail(returned=_value(answer["value"]), return_node=_return(session.function))
            readings.append(session.marked(trail, session.truth(number)))
        if len(readings) == len(numbers):
            score = min(reading.score for reading in readings)
            if best is None or score > best[0]:
                best = (score, session, readings)
    if best is None:
        line, reason = faults[0]
        return FileReport(path, (), {}, source, f"line {line}: {SAID}: {reason}")
    _, session, readings = best
    claims = tuple(_claims(path, session, readings))
    if not claims:
        return FileReport(path, (), {}, source, f"{SAID}; it returns no gradient known by its name")
    settings = {**session.layout.settings, "reduction": session.subject.reduction, "run": True}
    return FileReport(path, claims, settings, source)


def _value(sent: Any) -> Any:
    if isinstance(sent, dict) and "array" in sent:
        return np.array(sent["array"], dtype=sent["dtype"]).reshape(sent["shape"])
    if isinstance(sent, dict) and "dict" in sent:
        return {key: _value(part) for key, part in sent["dict"].items()}
    if isinstance(sent, dict) and "list" in sent:
        parts = [_value(part) for part in sent["list"]]
        return tuple(parts) if sent["tuple"] else parts
    return sent


def _return(function: ast.FunctionDef) -> ast.Return | None:
    """The last return statement, which names what is returned."""
    found = [n for n in ast.walk(function) if isinstance(n, ast.Return) and n.value is not None]
    return max(found, key=lambda n: n.lineno) if found else None


def _claims(path: str, session: Session, readings: Sequence[Reading]) -> list[Claim]:
    made = []
    for place, mark in enumerate(readings[0].returned):
        twins = [r.returned[place] for r in readings if place < len(r.returned)]
        ok = all(m.ok for m in twins)
        line, column = mark.line, mark.column + 1
        claim = Claim(path, line, column, mark.length, "refuted", name=mark.name, sentence=SAID)
        claim = replace(claim, method="executed")
        if not ok:
            made.append(_refuted(claim, session, readings, twins))
        elif session.unmet:
            made.append(replace(claim, status="undecided", method="", sentence=session.unmet))
        else:
            made.append(replace(claim, status="verified"))
    return made


def _refuted(
    claim: Claim, session: Session, readings: Sequence[Reading], twins: Sequence[Mark]
) -> Claim:
    number = next(i for i, m in enumerate(twins) if not m.ok)
    mark, truth = twins[number], readings[number].truth
    wanted = session.layout.of(str(mark.meaning), truth)
    names = [t.name for t in session.subject.network.of_kind("input", "label", "parameter")]
    values = {name: session.layout.of(name, truth) for name in names}
    shown: dict[str, Any] = {
        "sizes": dict(truth.sizes),
        "values": {name: value.tolist() for name, value in values.items() if value is not None},
    }
    assert wanted is not None
    if np.shape(wanted) != np.shape(mark.value):
        shown |= {"entry": [], "left": list(np.shape(mark.value)), "right": list(np.shape(wanted))}
    else:
        gap = np.abs(np.asarray(mark.value, dtype=float) - np.asarray(wanted, dtype=float))
        entry = np.unravel_index(int(np.argmax(np.nan_to_num(gap, nan=np.inf))), gap.shape)
        left, right = (float(np.asarray(side)[entry]) for side in (mark.value, wanted))
        shown |= {"entry": [int(i) + 1 for i in entry], "left": left, "right": right}
    said = f"{SAID}: {mark.name} is wrong"
    if mark.found == mark.meaning and not mark.factor.is_one:
        said += f", {mark.factor.text} times the gradient"
    return replace(claim, counterexample=shown, sentence=said)
