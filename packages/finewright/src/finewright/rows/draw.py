"""A part of many rows, drawn by chance and a seed, that looks like the whole."""

import hashlib
from collections.abc import Sequence
from typing import NamedTuple

from finewright.judge.labels import labels_of
from finewright.rows.texts import answer_text
from finewright.schema.rows import Row

_STEPS = 2**64


class DrawnRows(NamedTuple):
    """The rows in the order of the file, and whether each label among the answers has its share of them."""

    rows: tuple[Row, ...]
    is_stratified: bool


class DrawnPlaces(NamedTuple):
    """The places in rising order, and whether each label has its share of them."""

    places: tuple[int, ...]
    is_stratified: bool


def draw_rows(rows: Sequence[Row], count: int, seed: int) -> DrawnRows:
    """`count` of the rows, as `draw_places` draws them by their answers; all where there are no more."""
    answers = [answer_text(row).strip() for row in rows]
    drawn = draw_places([row.id for row in rows], answers, count, seed)
    return DrawnRows(tuple(rows[i] for i in drawn.places), drawn.is_stratified)


def draw_places(keys: Sequence[str], answers: Sequence[str], count: int, seed: int) -> DrawnPlaces:
    """Places of `count` items, each drawn with the same chance; all where there are no more.

    Where the answers are labels, every label gets its share, rounded up or down: systematic sampling of the
    items in the order of their labels (Madow and Madow 1944), so a mean over what is drawn is unbiased, and
    no label is lost whose share is one item or more. The same keys and seed draw the same, wherever a file
    lies."""
    if len(keys) <= count:
        return DrawnPlaces(tuple(range(len(keys))), is_stratified=False)
    chances = [_chance(f"{seed}:{key}:{i}") for i, key in enumerate(keys)]
    order = sorted(range(len(keys)), key=chances.__getitem__)
    if not labels_of(answers):
        return DrawnPlaces(tuple(sorted(order[:count])), is_stratified=False)
    # Labels too stand in an order of chance, so that the file's order decides over none of them.
    label_order = {label: _chance(f"{seed}:label:{label}") for label in set(answers)}
    order.sort(key=lambda i: label_order[answers[i]])
    step = len(order) / count
    start = step * _chance(f"{seed}:start")
    chosen = {order[min(int(start + k * step), len(order) - 1)] for k in range(count)}
    return DrawnPlaces(tuple(sorted(chosen)), is_stratified=True)


def _chance(text: str) -> float:
    """A number in [0, 1) that is even over texts."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") / _STEPS
