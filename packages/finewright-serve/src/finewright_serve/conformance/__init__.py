"""The suites that an engine of another package must pass."""
