"""The `cost` section of the spec, and what a run will need: memory, time and money."""

from finewright.schema.common import Model


class Range(Model):
    """A figure that is not known exactly: what to expect, and how low and high it may be."""

    low: float
    median: float
    high: float
