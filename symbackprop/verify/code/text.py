"""The text of a Python file from its bytes, as Python itself takes them.

Owns: byte order marks, the coding cookie, line ends; the files that stand beside one.
Refuses: what Python refuses, and whatever is no ordinary file of bounded size.
"""

from __future__ import annotations

import io
import os
import tokenize
from collections.abc import Callable

MOST_BYTES = 2_000_000


def decoded(data: bytes | None) -> str | None:
    """The text with `\\n` as line end; None where it is no text in the encoding that it names.

    >>> decoded(b"# coding: latin-1\\r\\nn = '\\xe9'\\r\\n")
    "# coding: latin-1\\nn = 'é'\\n"
    """
    if data is None:
        return None
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
        return with_plain_ends(data.decode(encoding))
    except (SyntaxError, UnicodeDecodeError, LookupError):
        return None


def with_plain_ends(text: str) -> str:
    """Lines that end as Python counts them, without a byte order mark."""
    return text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")


def beside(path: str) -> Callable[[str], str | None]:
    """Files that stand beside one, by the names under which it imports them."""

    def read(module: str) -> str | None:
        parts = module.split(".")
        if not all(part.isidentifier() for part in parts):
            return None
        return decoded(read_bytes(os.path.join(os.path.dirname(path), *parts) + ".py"))

    return read


def read_bytes(path: str) -> bytes | None:
    """What an ordinary file of bounded size holds; None where there is none."""
    try:
        if not os.path.isfile(path) or os.path.getsize(path) > MOST_BYTES:
            return None
        with open(path, "rb") as file:
            return file.read(MOST_BYTES)
    except (OSError, ValueError):
        return None
