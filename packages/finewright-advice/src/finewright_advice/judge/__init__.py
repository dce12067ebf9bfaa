"""The statistics of choices: power, pairwise wins, drift."""
