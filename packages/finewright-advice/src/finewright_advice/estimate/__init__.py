"""Memory, time and money of training and serving, by closed formulas."""
