"""Personal data and secrets: what is found where people write it, and what only looks like it."""

from collections.abc import Iterator
from pathlib import Path

from bars import Bar
from door_parts.privacy import ids, keys, people, phones


def bars(sets: Path) -> Iterator[Bar]:
    """The bars of each kind of data."""
    yield from keys.bars()
    yield from ids.bars()
    yield from phones.bars()
    yield from people.bars()
