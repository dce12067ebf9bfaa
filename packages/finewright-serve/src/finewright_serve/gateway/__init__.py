"""OpenAI's HTTP API in front of engines: requests in, answers out, nothing else let through."""
