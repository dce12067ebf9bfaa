"""An index of documents in Qdrant: a folder, or a collection of a server."""
