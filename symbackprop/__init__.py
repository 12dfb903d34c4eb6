"""One network file: a checked derivation of its gradients, and code that is proven equal to it.

Importing the package is cheap: SymPy is read when the first name that needs it is used.

>>> import symbackprop as sbp
>>> sbp.derive(sbp.load("four-layer")).gradients["W3"].numpy
'h2.T @ delta3'
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from symbackprop.api import (
        Derivation,
        ExplicitNet,
        Gradient,
        Net,
        check,
        derive,
        derive_depth,
        explicit,
        load,
        loads,
        render,
        verify,
    )
    from symbackprop.errors import (
        ArrayError,
        OutputError,
        ShapeError,
        SpecError,
        SymbackpropError,
        SymbolError,
        UnsupportedError,
        UsageError,
    )

    __version__: str

__all__ = [
    "ArrayError",
    "Derivation",
    "ExplicitNet",
    "Gradient",
    "Net",
    "OutputError",
    "ShapeError",
    "SpecError",
    "SymbackpropError",
    "SymbolError",
    "UnsupportedError",
    "UsageError",
    "check",
    "derive",
    "derive_depth",
    "explicit",
    "load",
    "loads",
    "render",
    "verify",
]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("symbackprop")
    if name not in __all__:
        raise AttributeError(f"module 'symbackprop' has no attribute {name!r}")
    from importlib import import_module

    room = "errors" if name.endswith("Error") else "api"
    value = getattr(import_module(f"symbackprop.{room}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, "__version__"})
