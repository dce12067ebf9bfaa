"""Documents become chunks in an index, and stay up to date."""
