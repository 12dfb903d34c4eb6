"""NumPy code at numbers: a function is read over arrays of numbers, never run."""
