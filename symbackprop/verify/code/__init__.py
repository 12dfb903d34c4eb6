"""Judging hand-written NumPy backward passes.

Owns: `judge_code`. Refuses: running the code, unless it is asked to.
"""

from symbackprop.verify.code.judge import judge_code

__all__ = ["judge_code"]
