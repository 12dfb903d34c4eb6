"""A note as its own network: what its forward equations and its loss determine."""
