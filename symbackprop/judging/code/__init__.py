"""Judging hand-written NumPy backward passes, read and not run unless that is asked for."""
