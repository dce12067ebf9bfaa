"""What the commands of `rag` report."""
