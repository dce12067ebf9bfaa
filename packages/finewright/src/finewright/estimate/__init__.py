"""Closed formulas, torch-free: model shapes, memory, time and money."""
