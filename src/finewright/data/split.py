"""The held-out share of the rows: the same rows every time, and no row on both sides."""

import hashlib
from collections.abc import Sequence
from typing import NamedTuple

from finewright.schema.rows import Row

_STEPS = 2**64


class Split(NamedTuple):
    """The rows to train on and the rows held out, each in the order of the file."""

    train: tuple[Row, ...]
    eval: tuple[Row, ...]


def split(rows: Sequence[Row], eval_fraction: float, seed: int) -> Split:
    """Hold out about `eval_fraction` of the rows; something is left to train on.

    A row's side depends on its content and the seed alone, so rows that are added later move no
    other, and equal rows stay together. The share is met on average, not exactly."""
    places = {row.id: _place(row.id, seed) for row in rows}
    held_out = {row_id for row_id, place in places.items() if place < eval_fraction}
    if places and len(held_out) == len(places):
        held_out.remove(max(places, key=lambda row_id: (places[row_id], row_id)))
    return Split(
        tuple(row for row in rows if row.id not in held_out),
        tuple(row for row in rows if row.id in held_out),
    )


def _place(row_id: str, seed: int) -> float:
    """A number in [0, 1) that is even over ids."""
    digest = hashlib.sha256(f"{seed}:{row_id}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / _STEPS
