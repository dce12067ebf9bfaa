"""A trained model as files that others run: merged weights, GGUF, GGUF adapters."""
