"""Networks as forward equations: tensors, their names, the catalogue of layers, network files."""
