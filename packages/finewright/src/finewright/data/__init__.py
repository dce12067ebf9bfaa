"""The data door: read, validate, split, and fetch the sets that finewright can build."""
