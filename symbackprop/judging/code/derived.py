"""The right NumPy expression of a gradient, in the names and the layout of somebody's code.

Owns: the usual forms (`dW2 = h1.T @ dz2`, as rows or as columns), filled with the author's names,
and the generated expression with those names. Refuses: a text that was not tried; each has the
right value where it would stand, at two points.
Would be wrong if a name were used that does not have its value yet.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from symbackprop.judging.code.edits import Known
from symbackprop.judging.code.marks import Fill, Session
from symbackprop.judging.code.truth import same
from symbackprop.networks import names
from symbackprop.tracing.numbers.budget import COMPARED
from symbackprop.tracing.numbers.reading import Fault, Place, Reader
from symbackprop.writing.code.numpy_backend import expression_of

FORMS: Mapping[str, tuple[str, ...]] = {
    names.gradient("W"): (
        "{before}.T @ {delta}",
        "{delta}.T @ {before}",
        "{delta} @ {before}.T",
        "{before} @ {delta}.T",
        "np.outer({before}, {delta})",
        "np.outer({delta}, {before})",
    ),
    names.gradient("b"): (
        "{delta}",
        "{delta}.sum(axis=0)",
        "{delta}.sum(axis=0, keepdims=True)",
        "{delta}.sum(axis=1, keepdims=True)",
        "{delta}.sum(axis=1)",
    ),
    names.gradient("h"): (
        "{next} @ {weights}.T",
        "{weights}.T @ {next}",
        "{next} @ {weights}",
        "{weights} @ {next}",
    ),
    names.gradient("z"): (
        "{upstream} * {h} * (1 - {h})",
        "{upstream} * (1 - {h}**2)",
        "{upstream} * ({z} > 0)",
        "{upstream} * ({h} > 0)",
        "{upstream}",
    ),
}
PRODUCTS = (
    "({next} @ {weights}.T)",
    "({weights}.T @ {next})",
    "({next} @ {weights})",
    "({weights} @ {next})",
)


@dataclass
class Deriver:
    """Texts by line and meaning. `fills` put the roots right, so that what follows is too."""

    session: Session
    fills: Mapping[Place, Fill]
    lines: frozenset[int]
    _scopes: dict[int, Mapping[int, Mapping[str, Any]]] = field(default_factory=dict)
    _compared: dict[Any, tuple[str | None, float]] = field(default_factory=dict)

    def text(self, meaning: str, line: int) -> str:
        """The expression that gives a tensor at a line; empty where none is found."""
        if not names.is_gradient(meaning):
            return ""
        known = self._known(line)
        if not known:
            return ""
        for text in self._candidates(meaning, known):
            if all(self._is_right(text, meaning, line, number) for number in self._points):
                return text
        return ""

    @property
    def _points(self) -> list[int]:
        return [self.session.point, self.session.point + 1]

    def _known(self, line: int) -> dict[str, list[Known]]:
        """The names at a line by what they are, exactly or by a factor."""
        session, number = self.session, self._points[0]
        truth = session.truth(number)
        found: dict[str, list[Known]] = {}
        for name, value in self._scope(line, number).items():
            for text, part in _parts(name, value):
                key = (part.shape, part.tobytes())
                if key not in self._compared:
                    session.budget.spend(COMPARED)
                    _, meaning, factor, sample = session.compared(part, None, truth)
                    named = None if sample is not None else meaning
                    self._compared[key] = (named, factor.value(truth))
                named, size = self._compared[key]
                if named is not None:
                    found.setdefault(named, []).append(Known(text, part, named, size))
            if type(value) is int and value == truth.samples:
                found.setdefault("N", []).append(Known(name, value, "N"))
        return found

    def _scope(self, line: int, number: int) -> Mapping[str, Any]:
        if number not in self._scopes:
            try:
                seen = self.session.read(number, self.fills, probe=self.lines, brief=True)
            except Fault:
                self._scopes[number] = {}
            else:
                self._scopes[number] = seen.trail.seen
        return self._scopes[number].get(line, {})

    def _candidates(self, meaning: str, known: Mapping[str, Sequence[Known]]) -> Iterator[str]:
        yield from self._usual(meaning, known)
        generated = self._generated(meaning, known)
        if generated:
            yield generated

    def _usual(self, meaning: str, known: Mapping[str, Sequence[Known]]) -> Iterator[str]:
        kind, layer = meaning[:3], int(meaning[3:] or 0) if meaning[3:].isdigit() else 0
        if not layer:
            return
        before = names.output(layer - 1)
        roles = {
            "before": before,
            "delta": names.gradient(names.total(layer)),
            "next": names.gradient(names.total(layer + 1)),
            "weights": names.weight(layer + 1),
            "upstream": names.gradient(names.output(layer)),
            "h": names.output(layer),
            "z": names.total(layer),
        }
        for form in _forms(kind):
            yield from self._filled(form, roles, known)

    def _filled(
        self, form: str, roles: Mapping[str, str], known: Mapping[str, Sequence[Known]]
    ) -> Iterator[str]:
        """A form with the first names that are exact, then with others and the factor 1/N."""
        used = re.findall(r"\{(\w+)\}", form)
        given: dict[str, str] = {}
        scale = 1.0
        for role in used:
            choice = sorted(
                known.get(roles[role], ()), key=lambda k: (k.factor != 1.0, len(k.text))
            )
            if not choice:
                return
            given[role] = choice[0].text
            scale *= choice[0].factor if role not in ("h", "z") else 1.0
        text = form.format(**given)
        yield text
        samples = self.session.truth(self.session.point).samples
        for count in (k.text for k in known.get("N", ())):
            if abs(scale - samples) < 1e-9:
                yield f"{text} / {count}"

    def _generated(self, meaning: str, known: Mapping[str, Sequence[Known]]) -> str:
        """The expression of the code generator, with the author's names."""
        subject = self.session.subject
        name = subject.meanings.get(names.bare(meaning), "")
        derivation = subject.swept.derivations.get(name)
        if derivation is None:
            return ""
        text = expression_of(derivation, subject.swept.extended)
        if text is None:
            return ""
        mine = {other: m for m, other in subject.meanings.items()}
        words = set(re.findall(r"[A-Za-z_]\w*", text))
        renamed = {}
        for word in sorted(words & set(mine)):
            exact = [k.text for k in known.get(mine[word], ()) if k.factor == 1.0]
            if not exact:
                return ""
            renamed[word] = exact[0]
        return re.sub(r"[A-Za-z_]\w*", lambda m: renamed.get(m[0], m[0]), text)

    def _is_right(self, text: str, meaning: str, line: int, number: int) -> bool:
        session = self.session
        wanted = session.layout.of(meaning, session.truth(number))
        scope = dict(self._scope(line, number))
        reader = Reader(session.module, budget=session.budget)
        try:
            with np.errstate(all="ignore"):
                value = reader.value(ast.parse(text, mode="eval").body, scope)
        except (Fault, SyntaxError, RecursionError):
            return False
        is_number = isinstance(value, (np.ndarray, np.generic, float, int))
        return is_number and wanted is not None and same(value, wanted)


def _forms(kind: str) -> Iterator[str]:
    yield from FORMS.get(kind, ())
    if kind == names.gradient("z"):
        for product in PRODUCTS:
            for form in FORMS[kind]:
                yield form.replace("{upstream}", product)


def _parts(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    """A name, and the entries of a dict of arrays."""
    if isinstance(value, np.ndarray):
        yield name, value
    elif isinstance(value, dict):
        for key, part in value.items():
            if isinstance(key, str) and isinstance(part, np.ndarray):
                yield f'{name}["{key}"]', part
