"""Models that turn texts into vectors: packaged, in a folder, behind an endpoint."""
