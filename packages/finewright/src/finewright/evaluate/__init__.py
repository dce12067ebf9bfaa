"""What an answer is worth: scorers, scores with intervals, baselines, and what a score does not show."""
