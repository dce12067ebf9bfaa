"""An index of documents in a schema of PostgreSQL, with pgvector."""
