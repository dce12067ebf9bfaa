"""Each place that a run can be launched at, a file each: it writes text and needs nobody's client."""
