"""The engine's tricks, one file each: formula, memory argument, and when it steps aside."""
