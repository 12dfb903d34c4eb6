"""Faults injected into each rule of the engine, and the test that catches each.

`python -m tests.faults` copies the package and its tests into a temporary folder, applies one
fault there, runs the tests named with it until the first failure, and writes
docs/injected-faults.md. It ends with 1 if a fault goes unnoticed.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tests.places import ROOT

TABLE = ROOT / "docs" / "injected-faults.md"
# what a failing test looks like matters here, not its smallest example
CONFTEST = """
from hypothesis import Phase, settings

settings.register_profile("faults", phases=[Phase.generate], derandomize=True, database=None)
settings.load_profile("faults")
"""


@dataclass(frozen=True)
class Fault:
    """In `room`, `old` (which stands there once) becomes `new`; `tests` should notice."""

    room: str
    what: str
    old: str
    new: str
    tests: tuple[str, ...]

    @property
    def path(self) -> Path:
        return Path("symbackprop", *self.room.split("/")).with_suffix(".py")


TERMS = ("calculus/test_terms",)
ORDER = ("calculus/test_order",)
NORMALFORM = ("derivation/test_normalform",)
RULES = ("derivation/test_rules",)
DERIVE = ("derivation/test_sweep",)
FORMS = ("derivation/test_matrixform",)
LATEX = ("writing/test_latex",)
LAYERS = ("networks/test_layers",)
DEPTH = ("derivation/test_depth",)

FAULTS = (
    # --- index calculus
    Fault(
        "calculus/terms",
        "contraction: the range guard is lost",
        "(*replaced.factors, guard))",
        "replaced.factors)",
        TERMS,
    ),
    Fault(
        "calculus/terms",
        "contraction: a shift is solved with the wrong sign",
        "return expand(-rest * coefficient)",
        "return expand(rest * coefficient)",
        TERMS,
    ),
    Fault(
        "calculus/terms",
        "contraction: a stride is solved as if it were 1",
        "if coefficient not in (S.One, S.NegativeOne) or",
        "if coefficient == 0 or",
        TERMS,
    ),
    Fault(
        "calculus/terms",
        "contraction: a sum that nothing reads counts once instead of its extent",
        "scale = Mul(term.coefficient, *(index.axis.extent for index in idle))",
        "scale = term.coefficient",
        TERMS,
    ),
    Fault(
        "calculus/terms",
        "renaming apart: no bound name ever steps aside",
        "if index.name in forbidden]",
        "if index.name in ()]",
        TERMS,
    ),
    Fault(
        "calculus/terms",
        "replacing a factor: its bound names are captured",
        "apart = rename_apart(piece, taken)",
        "apart = piece",
        TERMS,
    ),
    Fault(
        "calculus/terms",
        "multiplying: bound names of the second factor are captured",
        "apart = rename_apart(right, taken | {index.name for index in bound})",
        "apart = right",
        TERMS,
    ),
    Fault(
        "calculus/terms",
        "substitution: the extent of a ragged axis does not follow",
        "axis = target.axis.substitute(full)",
        "axis = target.axis",
        TERMS,
    ),
    Fault(
        "calculus/terms",
        "fresh ragged indices: the extent keeps the old layer",
        "fresh(Index(index.name, index.axis.substitute(moved)), used)",
        "fresh(index, used)",
        TERMS,
    ),
    Fault(
        "calculus/terms",
        "product: a repeated factor counts once",
        "powers[base] = powers.get(base, S.Zero) + exponent",
        "powers[base] = exponent",
        TERMS,
    ),
    Fault(
        "calculus/terms",
        "guard: an index of another start counts as inside",
        "return bool(argument.axis.start == start and argument.axis.extent == extent)",
        "return bool(argument.axis.extent == extent)",
        TERMS,
    ),
    Fault(
        "calculus/canonical",
        "canonical form: like terms do not add",
        "scale = expand(Add(*coefficients))",
        "scale = expand(coefficients[0])",
        TERMS,
    ),
    Fault(
        "calculus/canonical",
        "canonical form: a sign is lost in a denominator",
        "content, primitive = -content, expand(-primitive)",
        "content, primitive = content, expand(-primitive)",
        TERMS,
    ),
    Fault(
        "calculus/terms",
        "scalar chain rule: the inner derivative is lost",
        "self.order + 1, self.argument) * inner",
        "self.order + 1, self.argument)",
        TERMS,
    ),
    Fault(
        "calculus/canonical",
        "canonical form: which sign a denominator has rests on names",
        'Tree("±", either, commutes=True)',
        'Tree("±", either)',
        TERMS,
    ),
    # --- the canonical order
    Fault(
        "calculus/order",
        "pictures: the order of parts never counts",
        "if part.commutes:",
        "if True:",
        ORDER,
    ),
    Fault(
        "calculus/order",
        "search: the first leaf wins instead of the smallest",
        "if here > self.trace[depth]:",
        "if here != self.trace[depth]:",
        ORDER,
    ),
    Fault(
        "calculus/order",
        "search: members that look alike are taken for twins",
        "return _pictures(trees, names) == _pictures(trees, exchanged)",
        "return True",
        ORDER,
    ),
    # --- forms
    Fault(
        "derivation/normalform/naming",
        "renaming: the names of a sum inside stay",
        "return sum_atom(data[1], data[0])",
        "return Atom(what.kind, *data)",
        NORMALFORM,
    ),
    Fault(
        "derivation/normalform/naming",
        "bound names: an extent keeps the old layer",
        "variable(names[what], renamed(what.data[2], found), what.data[1])",
        "variable(names[what], what.data[2], what.data[1])",
        NORMALFORM,
    ),
    Fault(
        "derivation/normalform/operations",
        "contraction: a ragged range keeps the layer that was removed",
        "variable(b.data[0], self.substituted(b.data[2], put), b.data[1])",
        "b",
        NORMALFORM,
    ),
    Fault(
        "derivation/normalform/operations",
        "contraction: names decide which index goes",
        "return min(choices, key=lambda choice: [named_key(part, names) for part in choice[:2]])",
        "return choices[0]",
        NORMALFORM,
    ),
    # --- rules
    Fault(
        "derivation/rules",
        "derivative of an equation: a delta is missing",
        "(slope, *deltas)",
        "(slope, *deltas[:-1])",
        RULES,
    ),
    Fault(
        "derivation/rules",
        "derivative of an equation: the other factors are missing",
        "pieces.extend(replace_factor(placed, position, whole))",
        "pieces.extend(whole.terms)",
        RULES,
    ),
    Fault(
        "derivation/rules",
        "derivative of an equation: indices in the wrong order (a transpose)",
        "zip(element.indices, entry.indices, strict=True)",
        "zip(element.indices, entry.indices[::-1], strict=True)",
        RULES,
    ),
    Fault(
        "derivation/rules",
        "derivative of an equation: its sums are not renamed apart",
        "substitute(rename_apart(term, taken), renaming)",
        "substitute(term, renaming)",
        (*RULES, *DERIVE),
    ),
    Fault(
        "derivation/rules",
        "derivative of an equation: only the first place that reads the tensor",
        "        for position, factor in enumerate(placed.factors):\n",
        "        for position, factor in list(enumerate(placed.factors))[:1]:\n",
        RULES,
    ),
    Fault(
        "derivation/rules",
        "taking derivatives: a term without one is dropped",
        "            pieces.append(term)\n            continue\n",
        "            continue\n",
        RULES,
    ),
    Fault(
        "derivation/rules",
        "dropping guards: the range is not compared",
        "if written == argument and ranged.start == start and ranged.extent == extent:",
        "if written == argument:",
        RULES,
    ),
    Fault(
        "derivation/rules",
        "dropping guards: a divisor counts as a read",
        "factor.is_Pow and factor.exp.is_positive else factor",
        "factor.is_Pow else factor",
        RULES,
    ),
    Fault(
        "derivation/rules",
        "naming a quotient: part of it is enough",
        "return bool(present * exponent > 0 and abs(present) >= abs(exponent))",
        "return bool(present != 0)",
        RULES,
    ),
    Fault(
        "derivation/rules",
        "naming a quotient: the denominator stays",
        "rest = (Pow(part, -1) for part in wanted)",
        "rest = (Pow(part, -1) for part in wanted[:1])",
        RULES,
    ),
    Fault(
        "derivation/rules",
        "naming: an index may leave its axis",
        "return pattern.axis.substitute(binding).holds(written) and bool(",
        "return bool(",
        RULES,
    ),
    Fault(
        "derivation/rules",
        "naming: one variable stands for two indices",
        "binding.setdefault(pattern, written) == written",
        "binding.setdefault(pattern, written) is not None",
        RULES,
    ),
    Fault(
        "derivation/rules",
        "labels sum to one: used without the fact",
        "if len(holders) == 1 and _sums_to_one(holders[0], index, network):",
        "if len(holders) == 1 and isinstance(holders[0], Element):",
        RULES,
    ),
    Fault(
        "derivation/rules",
        "labels sum to one: along any axis",
        "factor.indices[fact.axis] == index",
        "index in factor.indices",
        RULES,
    ),
    Fault(
        "derivation/rules",
        "labels sum to one: although another factor reads the index",
        "if len(holders) == 1 and _sums_to_one",
        "if holders and _sums_to_one",
        RULES,
    ),
    Fault(
        "derivation/rules",
        "cancelling: a term is missing",
        "total = Add(*(as_scalar(term) for term in plain))",
        "total = Add(*(as_scalar(term) for term in plain[1:]))",
        RULES,
    ),
    Fault(
        "derivation/rules",
        "cancelling: the denominator goes up",
        "1 / sympy_factor(denominator)",
        "sympy_factor(denominator)",
        RULES,
    ),
    Fault(
        "derivation/rules",
        "f' through f: the second derivative is taken for the first",
        "    if atom.order != 1:\n        return None\n",
        "",
        RULES,
    ),
    Fault(
        "derivation/rules",
        "one sign convention: the sign is lost",
        "return (S.NegativeOne**exponent,",
        "return (S.One,",
        RULES,
    ),
    Fault(
        "derivation/rules",
        "like terms: one coefficient replaces the other",
        "sums[key] = sums.get(key, S.Zero) + term.coefficient",
        "sums[key] = term.coefficient",
        RULES,
    ),
    # --- scalar functions
    Fault(
        "calculus/scalars",
        "sigma' = h (1 + h)",
        "through=Lambda((H, Z), H * (1 - H))",
        "through=Lambda((H, Z), H * (1 + H))",
        LAYERS,
    ),
    Fault(
        "calculus/scalars",
        "tanh' = 1 - h",
        "through=Lambda((H, Z), 1 - H**2)",
        "through=Lambda((H, Z), 1 - H)",
        LAYERS,
    ),
    Fault(
        "calculus/scalars",
        "log' with the wrong sign",
        "through=Lambda((H, Z), 1 / Z)",
        "through=Lambda((H, Z), -1 / Z)",
        LAYERS,
    ),
    # --- layers and losses
    Fault(
        "networks/layers/losses",
        "cross-entropy with the wrong sign",
        '    return expression(product(-1, (), (y, Applied("log", 0, yhat))))',
        '    return expression(product(1, (), (y, Applied("log", 0, yhat))))',
        LAYERS,
    ),
    Fault(
        "networks/layers/losses",
        "mean over entries instead of samples",
        "return 1 / samples",
        "return 1 / Mul(*yhat.shape)",
        LAYERS,
    ),
    Fault(
        "networks/layers/activations",
        "softmax divided by its sum twice",
        "total.entry**-1",
        "total.entry**-2",
        LAYERS,
    ),
    # --- the sweep
    Fault(
        "derivation/sweep",
        "chain rule: only the first path",
        "_path(state, equation, outer, entry) for equation in readers)",
        "_path(state, equation, outer, entry) for equation in readers[:1])",
        DERIVE,
    ),
    Fault(
        "derivation/sweep",
        "chain rule: an adjoint is used before all contributions have arrived",
        "if equation.target in state.above\n",
        "if equation.target in (*state.derivations, state.goal.name)\n",
        DERIVE,
    ),
    Fault(
        "derivation/sweep",
        "chain rule: the names of the reader are not made fresh",
        "renamed = all_fresh(equation.indices, taken)",
        "renamed = equation.indices",
        DERIVE,
    ),
    Fault(
        "derivation/sweep",
        "chain rule: not summed over the entries of the reader",
        "return product(1, renamed, (_adjoint_entry(",
        "return product(1, renamed[:-1], (_adjoint_entry(",
        DERIVE,
    ),
    Fault(
        "derivation/sweep",
        "Jacobian: both sides share their index names",
        "*all_fresh(tensor.indices, taken))",
        "*tensor.indices)",
        DERIVE,
    ),
    Fault(
        "derivation/sweep",
        "Jacobian: a recurrence is cut after one step",
        "if network.is_recurrent and any(_in_a_circle(network, name) for name in computed):",
        "if False:",
        DERIVE,
    ),
    Fault(
        "derivation/sweep",
        "inserting an adjoint: its indices in the wrong order",
        "replacement = dict(zip(known.indices, written, strict=True))",
        "replacement = dict(zip(known.indices, written[::-1], strict=True))",
        DERIVE,
    ),
    Fault(
        "derivation/sweep",
        "inserting an adjoint: it never happens",
        "if _needs_no_name(known, state) or size(written.result) < size(derivation.result):",
        "if False:",
        DERIVE,
    ),
    Fault(
        "derivation/sweep",
        "inserting an adjoint: every name is written out",
        'return tensor.kind == "auxiliary" or constant or _uses(known.wrt, state.network) == 1',
        "return True",
        DERIVE,
    ),
    # --- matrix algebra
    Fault(
        "derivation/matrixform/reading",
        "matrix product in the wrong order",
        "matmul((left, *middle, right))",
        "matmul((right, *middle, left))",
        FORMS,
    ),
    Fault(
        "derivation/matrixform/reading",
        "matrix product: a factor is not transposed",
        "right = two if two.row == index else transpose(two)",
        "right = two",
        FORMS,
    ),
    Fault(
        "derivation/matrixform/reading",
        "matrix product: weights on the inner index are lost",
        "middle = (Diag(index, index, hadamard(weights)),) if weights else ()",
        "middle: tuple[Node, ...] = ()",
        FORMS,
    ),
    Fault(
        "derivation/matrixform/nodes",
        "transposing a product keeps its order",
        "for part in turned.parts[::-1]",
        "for part in turned.parts",
        FORMS,
    ),
    Fault(
        "derivation/matrixform/nodes",
        "transposing a letter does nothing",
        "return replace(turned, transposed=not turned.transposed)",
        "return turned",
        FORMS,
    ),
    Fault(
        "derivation/matrixform/reading",
        "entrywise product: one side is not transposed",
        "aligned = node if node.row == other.row else transpose(node)",
        "aligned = node",
        FORMS,
    ),
    Fault(
        "derivation/matrixform/nodes",
        "entrywise quotient: the denominator is lost",
        "below.append(piece.denominator)",
        "pass",
        FORMS,
    ),
    Fault(
        "derivation/matrixform/reading",
        "common scale: applied twice",
        "scaled(term.coefficient / scale, inner)",
        "scaled(term.coefficient, inner)",
        FORMS,
    ),
    Fault(
        "derivation/matrixform/reading",
        "common factor: lost",
        "body = hadamard((body, shared) if _is_slope(shared) else (shared, body))",
        "pass",
        FORMS,
    ),
    Fault(
        "derivation/matrixform/nodes",
        "columns: letters are not turned",
        "return letters_turned(transpose(node))",
        "return transpose(node)",
        FORMS,
    ),
    Fault(
        "derivation/matrixform/sympy_matrices",
        "SymPy form: the scale is lost",
        "return node.coefficient.subs(sizes) * to_sympy(node.inner, sizes)",
        "return to_sympy(node.inner, sizes)",
        FORMS,
    ),
    # --- LaTeX
    Fault(
        "writing/latex",
        "signs are turned",
        "{'-' if negative else '+'}",
        "{'+' if negative else '-'}",
        LATEX,
    ),
    Fault(
        "writing/latex",
        "columns: indices of an entry are not swapped",
        "[:: -1 if self.columns else 1]",
        "",
        LATEX,
    ),
    Fault(
        "writing/latex",
        "a transposition is not printed",
        'r"\\top" if node.transposed else ""',
        '""',
        LATEX,
    ),
    Fault(
        "writing/latex",
        "delta is numbered from the wrong end",
        "layer = self.notation.delta_number(layer, self.depth)",
        "layer = self.depth + 1 - self.notation.delta_number(layer, self.depth)",
        LATEX,
    ),
    # --- interpreter, network, depth
    Fault(
        "derivation/evaluate",
        "a read outside a tensor gives its nearest entry",
        "array[chosen] * inside.astype(int)",
        "array[chosen]",
        TERMS,
    ),
    Fault(
        "networks/network",
        "axes of different extent may meet",
        "if isinstance(written, Index) and not written.axis",
        "if False and not written.axis",
        DERIVE,
    ),
    Fault(
        "derivation/depth",
        "the weights of layer l read layer l instead of l - 1",
        'Element("h", l - 1, n, j)',
        'Element("h", l, n, j)',
        DEPTH,
    ),
    Fault(
        "derivation/depth",
        "the last layer keeps a layer behind it",
        "beyond = DEPTH + 1",
        "beyond = DEPTH + 2",
        DEPTH,
    ),
)


@dataclass(frozen=True)
class Outcome:
    """The test that failed first, or None where the fault went unnoticed."""

    fault: Fault
    caught_by: str | None


def faulty_source(fault: Fault, root: Path = ROOT) -> str:
    """The room's text with the fault in it; an error where the place is gone or not unique."""
    text = (root / fault.path).read_text(encoding="utf-8")
    if text.count(fault.old) != 1:
        raise ValueError(
            f"{fault.path}: found {text.count(fault.old)} times, expected once: {fault.old!r}"
        )
    return text.replace(fault.old, fault.new)


def run(fault: Fault) -> Outcome:
    """Inject one fault into a copy and run its tests until one fails."""
    with tempfile.TemporaryDirectory(prefix="symbackprop-fault-") as folder:
        copy = Path(folder)
        for name in ("symbackprop", "tests"):
            ignored = shutil.ignore_patterns("__pycache__", "node_modules")
            shutil.copytree(ROOT / name, copy / name, ignore=ignored)
        shutil.copy(ROOT / "pyproject.toml", copy)
        (copy / "symbackprop" / "__init__.py").touch()
        (copy / "conftest.py").write_text(CONFTEST, encoding="utf-8")
        (copy / fault.path).write_text(faulty_source(fault), encoding="utf-8")
        return Outcome(fault, first_failure(copy, fault.tests))


def first_failure(copy: Path, tests: Sequence[str]) -> str | None:
    files = [f"tests/{name}.py" for name in tests]
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "--tb=no"]
    environment = {**os.environ, "PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [*command, *files], cwd=copy, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode == 0:
        return None
    found = re.search(r"^FAILED tests/(\S+?)(?:\[| - |$)", done.stdout, re.MULTILINE)
    if found is None:
        raise RuntimeError(f"no test failed, but pytest did:\n{done.stdout}\n{done.stderr}")
    return found.group(1)


def table(outcomes: Sequence[Outcome]) -> str:
    """The document."""
    head = (
        "# Injected faults\n\n"
        "Each line is a fault put into one rule of the engine, and the first test that failed.\n"
        "Written by `python -m tests.faults`; the faults stand in `tests/faults.py`.\n\n"
        "| room | fault | caught by |\n|---|---|---|\n"
    )
    rows = (
        f"| `{outcome.fault.room}` | {outcome.fault.what} | "
        f"{f'`{outcome.caught_by}`' if outcome.caught_by else '**nothing**'} |\n"
        for outcome in outcomes
    )
    return head + "".join(rows)


def main(wanted: Sequence[str]) -> int:
    """All faults, or those of the rooms named."""
    chosen = [fault for fault in FAULTS if not wanted or fault.room in wanted]
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        outcomes = []
        for outcome in pool.map(run, chosen):
            outcomes.append(outcome)
            print(f"{outcome.fault.room}: {outcome.fault.what}: {outcome.caught_by}", flush=True)
    if not wanted:
        TABLE.write_text(table(outcomes), encoding="utf-8")
    return 0 if all(outcome.caught_by for outcome in outcomes) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
