"""Rows whose label, preference or answer is not theirs, as far as the other rows of the set teach it."""
