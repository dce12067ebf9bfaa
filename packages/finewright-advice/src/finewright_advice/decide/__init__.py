"""Whether to prompt, retrieve, fine-tune or combine, why, and what would change the answer."""
