"""The libraries that gradients are written for, by name.

Owns: which there are. A new library is a file with its record (`backend`) and a row here.
"""

from __future__ import annotations

from symbackprop.errors import unknown_name
from symbackprop.writing.code.backend import NUMPY, Backend

BACKENDS: dict[str, Backend] = {backend.name: backend for backend in (NUMPY,)}


def backend_named(name: str) -> Backend:
    """Raises: UsageError naming those that are there."""
    if name not in BACKENDS:
        raise unknown_name("backend", name, BACKENDS)
    return BACKENDS[name]
