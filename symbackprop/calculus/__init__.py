"""Index expressions: terms, their canonical order, scalar functions; none knows a network."""
