"""NumPy code -> index equations, and the proof that code computes what was derived.

Owns: `trace`, which reads one function; `prove_source`, which compares what it computes with a
network's equations and derivations.
"""

from symbackprop.tracer.arrays import ShapeClash, SymbolicArray, TraceError
from symbackprop.tracer.prove import prove_source, trace
from symbackprop.tracer.values import Assignment, Object, Traced

__all__ = [
    "Assignment",
    "Object",
    "ShapeClash",
    "SymbolicArray",
    "TraceError",
    "Traced",
    "prove_source",
    "trace",
]
