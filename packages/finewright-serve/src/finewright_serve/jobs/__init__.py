"""Files and fine-tuning jobs as OpenAI's HTTP API has them, kept in folders that outlive the server."""
