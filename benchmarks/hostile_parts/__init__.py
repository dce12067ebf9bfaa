"""The parts of `benchmarks/hostile.py`, a module each: `bars(folder, small)` gives what it measured there.

`folder` is an empty folder of the part's own. With `small` it tries the least that still means something,
in some seconds. A module without `bars` is what others are made of."""
