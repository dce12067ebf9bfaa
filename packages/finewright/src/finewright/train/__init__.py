"""One loop, its methods, and the checkpoints that let a run be cut at any step."""
