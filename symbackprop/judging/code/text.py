"""The text of a Python file from its bytes, as Python itself takes them.

Owns: byte order marks, the coding cookie, line ends; the files that stand beside one.
Refuses: what Python refuses, and whatever is no ordinary file of bounded size.
"""

from __future__ import annotations

import io
import os
import tokenize
from collections.abc import Callable

from symbackprop.errors import InputError
from symbackprop.files import plain_text, read_bytes

MOST_BYTES = 2_000_000


def text_of(path: str) -> str:
    """The text of a Python file. Raises: InputError with the reason."""
    data = read_bytes(path, MOST_BYTES)
    text = None if b"\0" in data else decoded(data)
    if text is None:
        plain_text(path, data)
        raise InputError(path, "no text in the encoding that it names")
    return text


def text_if_any(path: str) -> str | None:
    """The same, None where it cannot be had."""
    try:
        return text_of(path)
    except InputError:
        return None


def decoded(data: bytes) -> str | None:
    """The text with `\\n` as line end; None where it is no text in the encoding that it names.

    >>> decoded(b"# coding: latin-1\\r\\nn = '\\xe9'\\r\\n")
    "# coding: latin-1\\nn = 'é'\\n"
    """
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
        return text_if_any(os.path.join(os.path.dirname(path), *parts) + ".py")

    return read
