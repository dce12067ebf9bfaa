"""The held-out share of the rows: the same rows every time, and no row on both sides."""

import hashlib
from collections.abc import Sequence
from typing import NamedTuple

from finewright.data.prompts import is_known_by_prompt, prompt_key
from finewright.schema.rows import Row

_STEPS = 2**64


class Split(NamedTuple):
    """The rows to train on and the rows held out, each in the order of the file."""

    train: tuple[Row, ...]
    eval: tuple[Row, ...]


def split(rows: Sequence[Row], eval_fraction: float, seed: int) -> Split:
    """Hold out about `eval_fraction` of the rows; something is left to train on.

    A row's side depends on its content and the seed alone, so rows that are added later move no
    other, and equal rows stay together, as do pairs, labelled answers and prompts that ask the
    same. The share is met on average, not exactly."""
    keys = [prompt_key(row) if is_known_by_prompt(row) else row.id for row in rows]
    places = {key: _place(key, seed) for key in keys}
    held_out = {key for key, place in places.items() if place < eval_fraction}
    if places and len(held_out) == len(places):
        held_out.remove(max(places, key=lambda key: (places[key], key)))
    return Split(
        tuple(row for row, key in zip(rows, keys, strict=True) if key not in held_out),
        tuple(row for row, key in zip(rows, keys, strict=True) if key in held_out),
    )


def _place(key: str, seed: int) -> float:
    """A number in [0, 1) that is even over keys."""
    digest = hashlib.sha256(f"{seed}:{key}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / _STEPS
