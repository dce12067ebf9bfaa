"""Closed formulas, torch-free: model shapes, memory, time, money and energy."""
