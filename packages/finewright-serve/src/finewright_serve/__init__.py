"""Models behind OpenAI's HTTP API."""
