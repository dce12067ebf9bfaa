"""Training methods: which batches to learn from, and the loss on one batch."""
