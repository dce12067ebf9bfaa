"""Scores with intervals: scorers, and the comparison of systems on the same rows."""
