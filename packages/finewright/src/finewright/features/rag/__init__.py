"""The commands of `rag`: index, search, ask, evaluate."""
