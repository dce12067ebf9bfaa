"""The suite that an index of another package must pass."""
