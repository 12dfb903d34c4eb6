"""NumPy code -> index equations: a function is read over symbolic arrays, never run."""
