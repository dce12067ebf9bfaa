"""Rows that train a model to answer from passages."""
