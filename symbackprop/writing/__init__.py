"""Equations as text: LaTeX, and in `code` programs."""
