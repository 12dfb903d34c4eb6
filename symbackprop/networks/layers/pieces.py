"""What a layer contributes to a network: tensors and forward equations, nothing else."""

from __future__ import annotations

from dataclasses import dataclass

from symbackprop.networks.network import Equation, Tensor


@dataclass(frozen=True)
class Piece:
    """Tensors and equations of one layer; the last tensor is its output."""

    tensors: tuple[Tensor, ...]
    equations: tuple[Equation, ...]

    @property
    def output(self) -> Tensor:
        return self.tensors[-1]
