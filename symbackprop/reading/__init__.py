"""Reading what people write: formulas in LaTeX, and the passages of notes that hold them."""
