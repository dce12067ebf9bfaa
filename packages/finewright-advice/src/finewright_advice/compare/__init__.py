"""Ways of asking beside each other: which is best, how fast, at how many rows."""
