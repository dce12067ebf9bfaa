"""Answers from passages, with what is proved of them."""
