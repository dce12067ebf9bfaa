"""The held-out share of the rows: the same rows every time, and no row on both sides."""

import hashlib
import json
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from finewright.guard.duplicates.layout import join_pairs
from finewright.rows.identity import is_known_by_prompt, prompt_key
from finewright.schema.common import Problem
from finewright.schema.rows import Row

_STEPS = 2**64


class Split(NamedTuple):
    """The rows to train on and the rows held out, each in the order of the file."""

    train: tuple[Row, ...]
    eval: tuple[Row, ...]


class Groups(NamedTuple):
    """A name of the group of each row, and what is wrong with the column that says it."""

    names: tuple[str, ...]
    problems: tuple[Problem, ...]


def split(
    rows: Sequence[Row],
    eval_fraction: float,
    seed: int,
    *,
    groups: Sequence[str] | None = None,
    near: Iterable[tuple[int, int]] = (),
) -> Split:
    """Hold out about `eval_fraction` of the rows; something is left to train on.

    A row's side depends on its content and the seed alone, so rows that are added later move no
    other, and equal rows stay together, as do pairs, labelled answers and prompts that ask the
    same. The share is met on average, not exactly.

    Rows of one name in `groups`, and pairs of places in `near`, stay together as well; the side is then
    that of the group of their first row. A row that is added moves others only where it joins two
    groups into one."""
    searched = [row.searched for row in rows]
    keys = [prompt_key(row) if is_known_by_prompt(row) else row.id for row in searched]
    pairs = list(near)
    if groups is not None or pairs:
        keys = _join_ties(keys, groups, pairs)
    places = {key: _place(key, seed) for key in keys}
    held_out = {key for key, place in places.items() if place < eval_fraction}
    if places and len(held_out) == len(places):
        held_out.remove(max(places, key=lambda key: (places[key], key)))
    apart: dict[bool, list[Row]] = {False: [], True: []}
    for row, key in zip(rows, keys, strict=True):
        apart[key in held_out].append(row)
    return Split(tuple(apart[False]), tuple(apart[True]))


def groups_by(rows: Sequence[Row], column: str) -> Groups:
    """The group of each row: the value of its column, which may be a key in one, such as `meta.customer`.

    Rows without a value are an error: nobody can say on which side they may be."""
    values = [_find_value(row.searched, column) for row in rows]
    missing = [row for row, value in zip(rows, values, strict=True) if value is None]
    names = tuple(
        json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
        for value in values
    )
    return Groups(names, (_missing(rows, missing, column),) if missing else ())


def _join_ties(
    keys: Sequence[str], groups: Sequence[str] | None, near: Sequence[tuple[int, int]]
) -> list[str]:
    """For each row the group, or else the key, of the first row that it is tied to."""
    names = keys if groups is None else [f"group:{name}" for name in groups]
    ties = list(near)
    for marks in (keys, names):
        first: dict[str, int] = {}
        ties += [(first.setdefault(mark, i), i) for i, mark in enumerate(marks)]
    return [names[root] for root in join_pairs(len(keys), ties)]


def _find_value(row: Row, column: str) -> object:
    """The value at a column or, where no column is called so, at a path of keys; None if there is none."""
    if column in row.columns:
        return row.columns[column]
    value: object = row.columns
    for key in column.split("."):
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _missing(rows: Sequence[Row], missing: Sequence[Row], column: str) -> Problem:
    there = sorted({name for row in rows for name in row.columns})
    return Problem(
        level="error",
        file=missing[0].file,
        row=missing[0].row,
        key="data.group_by",
        message=f"{len(missing)} of {len(rows)} rows have no {column!r}, this one first",
        hint=f"the columns are {', '.join(there)}" if there else "the rows have no such columns",
    )


def _place(key: str, seed: int) -> float:
    """A number in [0, 1) that is even over keys."""
    digest = hashlib.sha256(f"{seed}:{key}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / _STEPS
