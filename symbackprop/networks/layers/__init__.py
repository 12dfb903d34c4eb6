"""The catalogue: what a network can be built from, as records and forward equations."""
