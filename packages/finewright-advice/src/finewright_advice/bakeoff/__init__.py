"""Base models compete on the same rows, and the worse ones are dropped on the way."""
