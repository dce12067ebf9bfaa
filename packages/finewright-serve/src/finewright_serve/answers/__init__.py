"""Answers that follow a grammar, token by token."""
