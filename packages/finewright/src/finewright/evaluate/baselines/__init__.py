"""What a tuned model must beat: its base that is told the labels, and a classifier on words alone."""
