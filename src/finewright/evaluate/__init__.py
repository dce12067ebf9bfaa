"""Scores with intervals: scorers, statistics, and the comparison of systems on the same rows."""
