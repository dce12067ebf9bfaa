"""Attacks on a run or a served address: what they reach, how often, and what mends it."""
