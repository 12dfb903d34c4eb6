"""The symbol of one entry of a tensor: `W3_2_1`, in LaTeX W^{3}_{2,1}."""

from __future__ import annotations

from typing import Any, TypeAlias

from sympy import Symbol, latex

Position: TypeAlias = tuple[int, ...]


class Entry(Symbol):
    r"""A SymPy symbol whose name is the tensor's and the position, counted from 1.

    >>> Entry.of("W3", (1, 0), real=True), latex(Entry.of("W3", (1, 0)))
    (W3_2_1, 'W^{3}_{2,1}')
    """

    @classmethod
    def of(cls, stem: str, position: Position, **assumptions: bool) -> Entry:
        return cls("_".join((stem, *(str(place + 1) for place in position))), **assumptions)

    def _latex(self, printer: Any) -> str:
        stem, *places = self.name.rstrip("_").split("_")
        below = f"_{{{','.join(places)}}}" if places else ""
        return letter_latex(stem) + below


def letter_latex(name: str) -> str:
    r"""A tensor's name in LaTeX, its number as a superscript.

    >>> letter_latex("W3"), letter_latex("yhat")
    ('W^{3}', '\\hat{y}')
    """
    letter = name.rstrip("0123456789")
    number = name.removeprefix(letter)
    return latex(Symbol(letter)) + (f"^{{{number}}}" if number else "")


def without(position: Position, axis: int) -> Position:
    """The position with this axis left out; negative axes count from the end."""
    place = axis % len(position) if position else 0
    return position[:place] + position[place + 1 :]
