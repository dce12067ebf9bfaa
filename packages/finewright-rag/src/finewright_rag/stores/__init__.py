"""Where an index is kept: a file, PostgreSQL, Qdrant."""
