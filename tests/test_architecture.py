"""Modules stand above each other: none imports itself through others, not even for a type.

The linter watches rooms; this looks at the modules in them.
"""

from __future__ import annotations

from collections.abc import Mapping

import grimp


def circle(imports: Mapping[str, frozenset[str]]) -> list[str]:
    """Modules each of which imports the next, and the last the first; none where there are none.

    >>> circle({"a": frozenset("bc"), "b": frozenset("c"), "c": frozenset("d"), "d": frozenset()})
    []
    >>> circle({"a": frozenset("b"), "b": frozenset("c"), "c": frozenset("bd"), "d": frozenset()})
    ['b', 'c']
    """
    left = set(imports)
    while free := {name for name in left if not imports[name] & left}:
        left -= free
    path: list[str] = []
    following = min(left, default="")
    while following and following not in path:
        path.append(following)
        following = min(imports[following] & left)
    return path[path.index(following) :] if path else []


def test_no_module_imports_itself_through_others() -> None:
    graph = grimp.build_graph("symbackprop", cache_dir=None)
    imports = {
        name: frozenset(graph.find_modules_directly_imported_by(name)) for name in graph.modules
    }
    assert len(imports) > 150
    assert circle(imports) == []
