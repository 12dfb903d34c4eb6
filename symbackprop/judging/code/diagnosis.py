"""What the slip on a wrong line is: the change of that line which makes everything right.

Owns: trying the edits in the author's text, ranking those that work, the corrected line and the
patch. Refuses: a diagnosis that was not tried; what is said here was read again and came out right.
Would be wrong if an edit were accepted at one point only.
"""

from __future__ import annotations

import ast
import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from symbackprop.judging.code.edits import (
    WORDS,
    Context,
    Edit,
    Known,
    Span,
    cheaper,
    edits,
    of_statement,
    span,
)
from symbackprop.judging.code.marks import Session
from symbackprop.judging.code.prepared import prepared, script_of
from symbackprop.judging.code.roots import Root
from symbackprop.judging.code.truth import EXACTLY, factor_between
from symbackprop.networks import names
from symbackprop.tracing.numbers.budget import Share
from symbackprop.tracing.numbers.modules import definitions, syntax_tree
from symbackprop.tracing.numbers.reading import SCRIPT, Closure, Fault, Place, Reader

MOST_TRIED = 1500
MOST_FOUND = 6


@dataclass(frozen=True)
class Finding:
    """An edit that works: where, the corrected line, and the whole text after it."""

    edit: Edit
    line: int
    column: int
    length: int
    suggestion: str
    patched: str


@dataclass
class Diagnoser:
    """Tries edits of a source. `fills` of the other roots are kept while one root is studied."""

    source: str
    path: str
    session: Session
    share: Share
    ignored: frozenset[str] = frozenset()
    lines: list[bytes] = field(init=False)
    number: int = field(init=False)
    tried: int = 0
    parents: dict[Span, ast.AST] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.lines = [line.encode() for line in self.source.split("\n")]
        own = self.session.function
        tree = syntax_tree(self.source)
        places = [(d.node.lineno, d.node.col_offset) for d in definitions(tree)]
        is_script = own.name == SCRIPT
        self.number = 0 if is_script else places.index((own.lineno, own.col_offset))

    def explain(self, root: Root, others: Mapping[Place, Any]) -> list[Finding]:
        """The edits that mend a root, best first."""
        self.tried = 0
        is_first = True
        for group in self._statements(root):
            found: list[Finding] = []
            if is_first:
                found += self._moved(group[0], root, others)
            is_first = False
            for statement, node in group:
                if statement is not group[0][0] and self.share.is_used_up:
                    break
                found += map(self._likelier, self._of(statement, node, root, others))
            if found:
                return _ranked(found)
        return []

    # ---- where to look -----------------------------------------------------------------------

    def _statements(self, root: Root) -> Iterator[list[tuple[ast.stmt, ast.expr]]]:
        """The root's own statement and the helpers it calls; then what it reads."""
        own = self._statement_at(root)
        if own is None:
            return
        statement, node = own
        yield [own, *self._called(node)]
        feeding = list(self._feeding(statement, node))
        if feeding:
            yield feeding

    def _functions(self) -> list[ast.FunctionDef]:
        session = self.session
        known = [session.function, *session.module.helpers.values(), *session.methods.values()]
        return list(dict.fromkeys(known))

    def _statement_at(self, root: Root) -> tuple[ast.stmt, ast.expr] | None:
        for function in self._functions():
            for statement in ast.walk(function):
                if not isinstance(
                    statement, (ast.Assign, ast.AugAssign, ast.AnnAssign, ast.Return, ast.Expr)
                ):
                    continue
                end = statement.end_lineno or statement.lineno
                if not statement.lineno <= root.line <= end or statement.value is None:
                    continue
                return statement, _part_at(statement.value, root)
        return None

    def _called(self, node: ast.expr) -> Iterator[tuple[ast.stmt, ast.expr]]:
        """Statements of the helpers that an expression calls."""
        names = {
            n.func.id if isinstance(n.func, ast.Name) else n.func.attr
            for n in ast.walk(node)
            if isinstance(n, ast.Call) and isinstance(n.func, (ast.Name, ast.Attribute))
        }
        helpers = {**self.session.module.helpers, **self.session.methods}
        for name in sorted(names & set(helpers)):
            for statement in ast.walk(helpers[name]):
                match statement:
                    case (
                        ast.Assign(value=ast.expr() as value)
                        | ast.AugAssign(value=ast.expr() as value)
                        | ast.Return(value=ast.expr() as value)
                    ):
                        yield statement, value

    def _feeding(self, statement: ast.stmt, node: ast.expr) -> Iterator[tuple[ast.stmt, ast.expr]]:
        """Statements that store what an expression reads, the nearest first."""
        wanted = {n.id for n in ast.walk(node) if isinstance(n, ast.Name)}
        before = [
            s
            for s in ast.walk(self.session.function)
            if isinstance(s, (ast.Assign, ast.AugAssign)) and s.lineno < statement.lineno
        ]
        for candidate in sorted(before, key=lambda s: -s.lineno):
            targets = candidate.targets if isinstance(candidate, ast.Assign) else [candidate.target]
            stored = {n.id for t in targets for n in ast.walk(t) if isinstance(n, ast.Name)}
            if stored & wanted:
                yield candidate, candidate.value

    def _likelier(self, finding: Finding) -> Finding:
        """An edit by which a helper comes to read an argument that it ignores is the likelier."""
        for helper in self.session.module.helpers.values():
            if helper.lineno <= finding.line <= (helper.end_lineno or helper.lineno):
                used = {n.id for n in ast.walk(helper) if isinstance(n, ast.Name)}
                ignored = {a.arg for a in helper.args.args} - used
                new = set(WORDS.findall(finding.suggestion))
                if ignored & new:
                    return replace(finding, edit=cheaper(finding.edit, finding.edit.cost - 0.5))
        return finding

    # ---- statements in another order ---------------------------------------------------------

    def _moved(
        self, own: tuple[ast.stmt, ast.expr], root: Root, others: Mapping[Place, Any]
    ) -> Iterator[Finding]:
        """What the line reads was changed too early, or is set too late."""
        statement, node = own
        pairs = [p for f in self._functions() for b in _blocks(f) for p in _pairs(b, statement)]
        read, stored = _texts_read(node), _texts_stored(statement)
        for mine, other in pairs:
            is_earlier = other.lineno < mine.lineno
            first, last = (other, mine) if is_earlier else (mine, other)
            if is_earlier and (shared := sorted(_texts_stored(other) & read)):
                said = f"{shared[0]} is changed in line {other.lineno}, and that value is used "
                said += f"here; the value before is meant: move line {other.lineno} behind"
            elif not is_earlier and (shared := sorted(_texts_stored(other) & read)):
                said = f"{shared[0]} is used before line {other.lineno} sets it: move this behind"
            elif not is_earlier and (shared := sorted(_texts_read(other) & stored)):
                said = f"line {other.lineno} uses {shared[0]} after line {mine.lineno} has changed "
                said += f"it; the value before is meant: move line {mine.lineno} behind"
            else:
                continue
            place = statement if is_earlier else other
            edit = Edit("wrong-variable", said, ((_whole(place), ""),), 0.8)
            kept = {_shifted(p, first, last): fill for p, fill in others.items()}
            text = self._behind(first, last)
            if self._works(text, root, kept):
                yield self._move_found(edit, (first, last), text)

    def _behind(self, first: ast.stmt, last: ast.stmt) -> str:
        """The source with one statement moved behind a later one."""
        start, end = first.lineno - 1, first.end_lineno or first.lineno
        stop = last.end_lineno or last.lineno
        lines = self.lines
        moved = [*lines[:start], *lines[end:stop], *lines[start:end], *lines[stop:]]
        return b"\n".join(moved).decode()

    def _move_found(self, edit: Edit, pair: tuple[ast.stmt, ast.stmt], text: str) -> Finding:
        (line, column, last, end), _ = edit.changes[0]
        width = end - column if line == last else 1
        first, second = map(self.segment, pair)
        suggestion = " ".join(f"{second}; {first}".split())
        return Finding(edit, line, column, max(width, 1), suggestion, text)

    # ---- trying ------------------------------------------------------------------------------

    def _of(
        self, statement: ast.stmt, node: ast.expr, root: Root, others: Mapping[Place, Any]
    ) -> Iterator[Finding]:
        context = self._context(statement, node, root)
        candidates = [*edits(node, context), *of_statement(statement, self._spans(statement))]
        for target in _masks(statement):
            candidates += edits(target, context)
        self.parents = _parents(statement)
        seen: set[str] = set()
        count = 0
        for edit in sorted(candidates, key=lambda e: e.cost):
            if self.tried >= MOST_TRIED or self.share.is_used_up or count >= MOST_FOUND:
                return
            text = self.spliced(edit)
            if text in seen:
                continue
            seen.add(text)
            self.tried += 1
            if self._works(text, root, others):
                count += 1
                yield self._finding(edit, text)

    def _spans(self, statement: ast.stmt) -> dict[str, Span]:
        """Where the sign of an assignment stands."""
        if isinstance(statement, ast.Assign) and len(statement.targets) == 1:
            target = statement.targets[0]
            line = (target.end_lineno or target.lineno) - 1
            place = self.lines[line].find(b"=", target.end_col_offset or 0)
            return {"op": (line + 1, place, line + 1, place + 1)} if place >= 0 else {}
        if not isinstance(statement, ast.AugAssign):
            return {}
        target = statement.target
        line = (target.end_lineno or target.lineno) - 1
        text = self.lines[line]
        start = target.end_col_offset or 0
        place = text.find(b"=", start) - 1
        if place < start:
            return {}
        return {"op": (line + 1, place, line + 1, place + 2)}

    def spliced(self, edit: Edit) -> str:
        """The source after an edit."""
        lines = list(self.lines)
        for (first, start, last, end), text in sorted(edit.changes, reverse=True):
            head, tail = lines[first - 1][:start], lines[last - 1][end:]
            text = self._in_place((first, start, last, end), text, head, tail)
            lines[first - 1 : last] = [head + text.encode() + tail]
        return b"\n".join(lines).decode()

    def _in_place(self, where: Span, text: str, head: bytes, tail: bytes) -> str:
        """The text with parentheses where its new place needs them, and none twice."""
        is_wrapped = head.rstrip().endswith(b"(") and tail.lstrip().startswith(b")")
        before = head.rstrip()[:-1].rstrip()[-1:]
        is_call = is_wrapped and (before.isalnum() or before in (b"_", b")", b"]"))
        if is_wrapped and not is_call:
            return _bare(text)
        parent = self.parents.get(where)
        return f"({text})" if parent is not None and _is_loose(text, parent, where) else text

    def _works(self, text: str, root: Root, others: Mapping[Place, Any]) -> bool:
        session = self._edited(text)
        if session is None:
            return False
        moved = {place: fill for place, fill in others.items() if place[0] != root.line}
        numbers = dict.fromkeys((self.session.point, 0, *self.session.numbers))
        return all(session.returns_right(n, moved, self.ignored) for n in numbers)

    def _edited(self, text: str) -> Session | None:
        try:
            tree = syntax_tree(text)
        except (SyntaxError, ValueError):
            return None
        if self.session.function.name == SCRIPT:
            script = script_of(tree, self.session.subject.depth)
            if script is None:
                return None
            module = self.session.module.again(tree, ())
            own = replace(self.session, module=module, naming=self.session.names)
            return replace(own, function=prepared(script, {}))
        found = definitions(tree)[self.number :][:1]
        if not found or found[0].node.name != self.session.function.name:
            return None
        return replace(
            self.session,
            module=self.session.module.again(tree, found[0].around),
            function=prepared(found[0].node, found[0].methods),
            methods=found[0].methods,
            naming=self.session.names,
        )

    def _finding(self, edit: Edit, text: str) -> Finding:
        (first, start, last, end), _ = min(edit.changes)
        new = text.split("\n")
        width = end - start if first == last else max(len(self.lines[first - 1]) - start, 1)
        return Finding(edit, first, start, max(width, 1), new[first - 1].strip(), text)

    def patch(self, finding: Finding) -> str:
        """A unified diff from the source to the corrected text."""
        old = self.source.splitlines(keepends=True)
        new = finding.patched.splitlines(keepends=True)
        made = difflib.unified_diff(old, new, self.path, self.path, n=1)
        return "".join(line if line.endswith("\n") else f"{line}\n" for line in made)

    # ---- what is known at the line -----------------------------------------------------------

    def _context(self, statement: ast.stmt, node: ast.expr, root: Root) -> Context:
        session, number = self.session, self.session.point
        probe = frozenset((statement.lineno,))
        reader = Reader(session.module, probe=probe, budget=session.budget)
        try:
            arguments = session.scope(number)
            trail = reader.run(session.function, arguments)
            scope = trail.seen.get(statement.lineno, {})
        except Fault:
            scope = {}
        truth = session.truth(number)
        values: dict[int, Any] = {}

        def value(part: ast.expr) -> Any:
            if id(part) not in values:
                values[id(part)] = self._value(part, scope)
            return values[id(part)]

        atoms = list(self._atoms(scope))
        functions, derivatives = self._helpers(scope, atoms)
        slopes = list(self._slopes(atoms, scope, derivatives, functions))
        return Context(
            self.segment,
            value,
            atoms,
            slopes,
            list(self._upstream(atoms, scope)),
            functions,
            derivatives,
            self._counts(atoms, scope),
            session.names,
            truth,
            root.meaning,
            session.subject.activation(session.subject.depth) == "softmax"
            and root.meaning == names.gradient(names.total(session.subject.depth)),
            session.module.numpy,
            root.fault is not None or (root.mark is not None and not self._has_its_shape(root)),
        )

    def _has_its_shape(self, root: Root) -> bool:
        truth = self.session.truth(self.session.point)
        wanted = self.session.layout.of(root.meaning or "", truth)
        assert root.mark is not None
        return wanted is not None and np.shape(wanted) == np.shape(root.mark.value)

    def segment(self, node: ast.expr | ast.stmt) -> str:
        """The text of an expression; the standard library goes through the whole source for it."""
        first, last = node.lineno, node.end_lineno or node.lineno
        lines = self.lines[first - 1 : last]
        if not lines or not hasattr(node, "end_col_offset"):
            return ast.unparse(node)
        lines[-1] = lines[-1][: node.end_col_offset]
        lines[0] = lines[0][node.col_offset :]
        return b"\n".join(lines).decode() or ast.unparse(node)

    def _value(self, node: ast.expr, scope: Mapping[str, Any]) -> Any:
        try:
            with np.errstate(all="ignore"):
                reader = Reader(self.session.module, budget=self.session.budget)
                found = reader.value(node, dict(scope))
        except (Fault, RecursionError):
            return None
        return found if isinstance(found, (np.ndarray, np.generic, int, float)) else None

    def _parsed(self, text: str, scope: Mapping[str, Any]) -> Any:
        return self._value(ast.parse(text, mode="eval").body, scope)

    def _atoms(self, scope: Mapping[str, Any]) -> Iterator[Known]:
        """Every name and entry that the function mentions, with its value at the line."""
        seen: dict[str, ast.expr] = {}
        for node in ast.walk(self.session.function):
            if isinstance(node, (ast.Name, ast.Subscript)) or (
                isinstance(node, ast.Attribute)
                and isinstance(node.value, ast.Name)
                and node.value.id == "self"
            ):
                if isinstance(node, ast.Subscript) and ast.unparse(node.value).endswith("shape"):
                    continue
                loaded = _loaded(node)
                seen.setdefault(self.segment(node), loaded)
        for name in scope:
            seen.setdefault(name, ast.Name(name, ast.Load(), lineno=1, col_offset=0))
        for text in [t for t in seen if t[-1:].isdigit() or t.endswith(('"]', "']"))]:
            for other in _next_names(text):
                seen.setdefault(other, ast.parse(other, mode="eval").body)
        for text, node in seen.items():
            value = self._value(node, scope)
            if value is None or isinstance(value, bool):
                continue
            yield Known(text, value, *self._known(value))

    def _known(self, value: Any) -> tuple[str | None, float]:
        truth = self.session.truth(self.session.point)
        if np.ndim(value) == 0:
            return None, 1.0
        _, found, factor, _ = self.session.compared(value, None, truth)
        return found, factor.value(truth)

    def _helpers(
        self, scope: Mapping[str, Any], atoms: Sequence[Known]
    ) -> tuple[list[str], frozenset[str]]:
        """Functions of one argument; those that give f' of something."""
        found: list[str] = []
        derivatives = set()
        known = {**self.session.module.helpers, **self.session.methods}
        local = {n: v.node for n, v in scope.items() if isinstance(v, Closure)}
        lambdas = {
            n: v for n, v in self.session.module.assigned.items() if isinstance(v, ast.Lambda)
        }
        truth = self.session.truth(self.session.point)
        for name, node in {**known, **local, **lambdas}.items():
            arguments = [a.arg for a in node.args.args if a.arg != "self"]
            if len(arguments) - len(node.args.defaults) > 1 or not arguments:
                continue
            if node is self.session.function:
                continue
            found.append(name)
            prefix = "self." if name in self.session.methods else ""
            for atom in atoms:
                if atom.meaning and atom.meaning[0] in "zh":
                    layer = names.layer_of(atom.meaning)
                    value = self._parsed(f"{prefix}{name}({atom.text})", scope)
                    right = self.session.slope(layer, truth)
                    if right is not None and factor_between(value, right, truth) == EXACTLY:
                        derivatives.add(name)
        return found, frozenset(derivatives)

    def _slopes(
        self,
        atoms: Sequence[Known],
        scope: Mapping[str, Any],
        derivatives: frozenset[str],
        functions: Sequence[str],
    ) -> Iterator[Known]:
        """f' of each layer in the author's names: his helper first, then a formula."""
        truth = self.session.truth(self.session.point)
        for atom in atoms:
            if not atom.meaning or atom.meaning[0] not in "zh" or atom.factor != 1.0:
                continue
            layer = names.layer_of(atom.meaning)
            right = self.session.slope(layer, truth)
            if right is None:
                continue
            if np.ndim(atom.value) < right.ndim and not self.session.layout.is_one:
                right = self.session.one_sample(right, 0, atom.meaning)
            texts = [f"{name}({atom.text})" for name in sorted(derivatives)]
            called = [f"{name}({atom.text})" for name in functions if name not in derivatives]
            for text in [atom.text, *called]:
                forms = ("{0} * (1 - {0})", "1 - {0} ** 2", "{0} > 0")
                texts += [form.format(text) for form in forms]
            for text in texts:
                value = self._parsed(text, scope)
                if factor_between(value, right, truth) == EXACTLY:
                    yield Known(text, value, f"f'{layer}")

    def _upstream(self, atoms: Sequence[Known], scope: Mapping[str, Any]) -> Iterator[Known]:
        """dL/dh of each layer in the author's names: a name for it, or delta times W."""
        for atom in atoms:
            if atom.meaning and names.is_gradient(atom.meaning):
                yield atom
        yield from self._output_errors(atoms, scope)
        deltas = [a for a in atoms if a.meaning and names.is_gradient(a.meaning, "z")]
        weights = [a for a in atoms if a.meaning and a.meaning[0] == "W"]
        for delta in deltas:
            for weight in weights:
                assert delta.meaning is not None
                assert weight.meaning is not None
                if delta.meaning[3:] != weight.meaning[1:]:
                    continue
                for text in (
                    f"({delta.text} @ {weight.text}.T)",
                    f"({weight.text}.T @ {delta.text})",
                    f"({delta.text} @ {weight.text})",
                    f"({weight.text} @ {delta.text})",
                ):
                    value = self._parsed(text, scope)
                    if value is not None and np.ndim(value):
                        meaning, factor = self._known(value)
                        if meaning and names.is_gradient(meaning, "h"):
                            yield Known(text, value, meaning, factor)

    def _output_errors(self, atoms: Sequence[Known], scope: Mapping[str, Any]) -> Iterator[Known]:
        """dL/dyhat of a squared error: the output less the label."""
        last = names.output(self.session.subject.depth)
        pairs = [(o, y) for o in atoms for y in atoms if (o.meaning, y.meaning) == (last, "y")]
        for out, label in pairs:
            text = f"({out.text} - {label.text})"
            value = self._parsed(text, scope)
            if value is not None and np.ndim(value):
                meaning, factor = self._known(value)
                if meaning == names.gradient(last):
                    yield Known(text, value, meaning, factor)

    def _counts(self, atoms: Sequence[Known], scope: Mapping[str, Any]) -> list[str]:
        """Texts for N: a name that has that value, or a shape."""
        samples = self.session.truth(self.session.point).samples
        found = [
            a.text
            for a in atoms
            if np.ndim(a.value) == 0
            and int(a.value) == samples
            and a.text.isidentifier()
            and isinstance(a.value, (int, np.integer))
        ]
        axis = 1 if self.session.layout.samples == "columns" else 0
        for atom in atoms:
            if atom.meaning in ("x", "y") and np.ndim(atom.value) == 2:
                found.append(f"{atom.text}.shape[{axis}]")
        return found[:3]


def _masks(statement: ast.stmt) -> list[ast.expr]:
    """Conditions in what is assigned to: `dz[z <= 0] = 0`."""
    targets = statement.targets if isinstance(statement, ast.Assign) else []
    return [
        t.slice
        for t in targets
        if isinstance(t, ast.Subscript) and isinstance(t.slice, ast.Compare)
    ]


def _blocks(function: ast.FunctionDef) -> Iterator[list[ast.stmt]]:
    """The lists of statements in a function."""
    for node in ast.walk(function):
        if isinstance(node, (ast.FunctionDef, ast.For, ast.While, ast.If, ast.With)):
            yield node.body
        if isinstance(node, (ast.For, ast.While, ast.If)):
            yield node.orelse


def _texts_read(node: ast.AST) -> set[str]:
    """Names and entries as texts."""
    return {
        ast.unparse(n)
        for n in ast.walk(node)
        if isinstance(n, (ast.Name, ast.Subscript, ast.Attribute))
    }


def _pairs(block: Sequence[ast.stmt], statement: ast.stmt) -> Iterator[tuple[ast.stmt, ast.stmt]]:
    """The part of a block that a statement is or stands in, with each other part."""
    for mine in block:
        if mine.lineno <= statement.lineno <= (mine.end_lineno or mine.lineno):
            yield from ((mine, s) for s in block if s is not mine and not _is_return(s))


def _is_return(statement: ast.stmt) -> bool:
    return isinstance(statement, (ast.Return, ast.FunctionDef))


def _texts_stored(statement: ast.stmt) -> set[str]:
    """What assignments store to; of `dz[z < 0] = 0` the name too."""
    targets: list[ast.expr] = []
    for node in ast.walk(statement):
        if isinstance(node, ast.Assign):
            targets += node.targets
        elif isinstance(node, ast.AugAssign):
            targets.append(node.target)
    found: set[str] = set()
    for target in targets:
        for part in target.elts if isinstance(target, ast.Tuple) else [target]:
            found.add(ast.unparse(part))
            if isinstance(part, ast.Subscript) and isinstance(part.value, ast.Name):
                found.add(part.value.id)
    return found


def _whole(statement: ast.stmt) -> Span:
    last = statement.end_lineno or statement.lineno
    return (statement.lineno, statement.col_offset, last, statement.end_col_offset or 0)


def _shifted(place: Place, first: ast.stmt, last: ast.stmt) -> Place:
    """Where a place is once one statement stands behind a later one."""
    line, column, occurrence = place
    start, end = first.lineno, first.end_lineno or first.lineno
    stop = last.end_lineno or last.lineno
    if start <= line <= end:
        line += stop - end
    elif end < line <= stop:
        line -= end - start + 1
    return (line, column, occurrence)


def _next_names(text: str) -> Iterator[str]:
    """`W1`, `W3` for `W2`; `params["W1"]`, … for `params["W2"]`."""
    found = re.fullmatch(r"(.*[A-Za-z_])(\d)([\"']\])?", text)
    if found:
        for digit in (int(found[2]) - 1, int(found[2]) + 1):
            if 0 <= digit <= 9:
                yield f"{found[1]}{digit}{found[3] or ''}"


def _parents(statement: ast.stmt) -> dict[Span, ast.AST]:
    found: dict[Span, ast.AST] = {}
    for node in ast.walk(statement):
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.expr) and hasattr(child, "lineno"):
                found[span(child)] = node
    return found


_LEVELS: Mapping[type[ast.operator], int] = {
    ast.Add: 1,
    ast.Sub: 1,
    ast.Mult: 2,
    ast.Div: 2,
    ast.MatMult: 2,
    ast.Pow: 4,
}


def _bare(text: str) -> str:
    """A text without parentheses around the whole."""
    try:
        inside = ast.parse(text[1:-1], mode="eval").body if text[:1] == "(" else None
    except SyntaxError:
        return text
    is_whole = inside is not None and text.endswith(")")
    same_ = is_whole and ast.dump(ast.parse(text, mode="eval").body) == ast.dump(inside)  # type: ignore[arg-type]
    return text[1:-1] if same_ else text


def _is_loose(text: str, parent: ast.AST, where: Span) -> bool:
    """Whether a text would come apart in its new place."""
    try:
        node = ast.parse(text, mode="eval").body
    except SyntaxError:
        return False
    if text.startswith("(") and _bare(text) != text:
        return False
    compound = isinstance(node, (ast.BinOp, ast.UnaryOp, ast.Compare, ast.IfExp, ast.BoolOp))
    if not compound:
        return False
    match parent:
        case ast.Attribute() | ast.Subscript():
            return True
        case ast.UnaryOp():
            return isinstance(node, (ast.BinOp, ast.Compare)) and not (
                isinstance(node, ast.BinOp) and _LEVELS.get(type(node.op), 0) > 1
            )
        case ast.BinOp(op=op, right=right):
            own = _LEVELS.get(type(node.op), 0) if isinstance(node, ast.BinOp) else 0
            if isinstance(node, ast.UnaryOp):
                own = 3
            outer = _LEVELS.get(type(op), 0)
            return own < outer or (own == outer and span(right) == where)
        case ast.Compare():
            return not isinstance(node, ast.BinOp)
    return False


def _loaded(node: ast.expr) -> ast.expr:
    match node:
        case ast.Name(id=name):
            return ast.copy_location(ast.Name(name, ast.Load()), node)
        case ast.Subscript(value=owner, slice=index):
            return ast.copy_location(ast.Subscript(owner, index, ast.Load()), node)
    return node


def _part_at(value: ast.expr, root: Root) -> ast.expr:
    """The entry of a dict or tuple that is written at the root's place; else the whole."""
    parts: Sequence[ast.expr | None] = ()
    match value:
        case ast.Dict(values=values):
            parts = values
        case ast.Tuple(elts=values) | ast.List(elts=values):
            parts = values
    for part in parts:
        if part is not None and (part.lineno, part.col_offset) == root.site:
            return part
        if part is not None:
            inside = _part_at(part, root)
            if inside is not part:
                return inside
    return value


def _ranked(found: Sequence[Finding]) -> list[Finding]:
    """By cost; of the findings with one slug and one suggestion the first."""
    kept: dict[str, Finding] = {}
    for finding in sorted(found, key=lambda f: f.edit.cost):
        kept.setdefault(finding.suggestion, finding)
    return list(kept.values())
