"""The parts of `benchmarks/door.py`, a module each: `bars(sets)` gives what it measured."""

from typing import NamedTuple


class Bar(NamedTuple):
    """A figure, the limit it has to keep, and on which rows it was measured."""

    name: str
    figure: float
    limit: float
    at_most: bool = False
    on: str = ""

    @property
    def is_met(self) -> bool:
        """Does the figure keep the limit?"""
        return self.figure <= self.limit if self.at_most else self.figure >= self.limit
