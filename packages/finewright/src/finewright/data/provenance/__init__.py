"""Under which licence a row may be used, where it came from, and the proof of both."""
