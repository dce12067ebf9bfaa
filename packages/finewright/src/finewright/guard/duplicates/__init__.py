"""Rows that say the same: exactly, in nearly the same words, or in other words."""
