"""Embedders: texts to vectors, by word vectors, a packaged or local model, or an endpoint."""
