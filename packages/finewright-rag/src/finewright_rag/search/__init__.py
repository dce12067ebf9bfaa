"""Passages found by words and by meaning, and how well."""
