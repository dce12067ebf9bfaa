"""The parts of `benchmarks/door.py`, a module each: `bars(sets)` gives what it measured."""
