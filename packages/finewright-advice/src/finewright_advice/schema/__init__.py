"""What experiments are asked for, and what they report."""
