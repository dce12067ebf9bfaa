"""`migrate openai`: from a hosted fine-tune to an open model."""
