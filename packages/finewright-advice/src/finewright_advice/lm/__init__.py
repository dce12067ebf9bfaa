"""A training step followed without its numbers, and timed by parts."""
