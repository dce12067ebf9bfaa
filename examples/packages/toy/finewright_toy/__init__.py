"""A feature that counts."""
