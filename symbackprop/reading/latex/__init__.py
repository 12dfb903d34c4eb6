"""Formulas in LaTeX -> syntax with places; a grammar of our own, and no meaning."""
