"""The parts of `redteam.py`."""
