"""What does not belong in data or a model, looked for and reported with its evidence."""
