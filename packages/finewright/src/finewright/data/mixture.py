"""How much of each source trains: `weight`, how often its rows are taken, or `share`, its part of all rows.

What is taken more than once is taken whole so often, and the rest is drawn by the seed, every label with its
share; so of two rows of a source none is taken more than once more than the other. A share is met to the
row: of n rows of the sources without one and shares that sum to S, all are n / (1 - S)."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import chain, repeat
from typing import NamedTuple

from finewright.rows.texts import answer_text, draw_places
from finewright.schema.common import Problem
from finewright.schema.data import DataSpec, SourceShare, SourceSpec
from finewright.schema.rows import Row


class Mixed(NamedTuple):
    """The rows that train, how many are of each source, how many are left out, and what is said."""

    rows: tuple[Row, ...]
    shares: tuple[SourceShare, ...]
    num_left_out: int
    problems: tuple[Problem, ...]


def mix(rows: Sequence[Row], spec: DataSpec, source_of: Callable[[Row], SourceSpec]) -> Mixed:
    """The rows of each source as often as the spec says; as they are where it says nothing.

    Each keeps its place in the order of the rows, its repeats behind it."""
    if not any(source.is_mixed for source in spec.sources):
        return Mixed(tuple(rows), (), 0, ())
    places: dict[str, list[int]] = {source.path: [] for source in spec.sources}
    for place, row in enumerate(rows):
        places[source_of(row).path].append(place)
    there = {path: len(own) for path, own in places.items()}
    counts = _count(spec, there)
    times = Counter(
        place
        for path, own in places.items()
        for place in _take(own, rows, counts.get(path, 0), spec.shuffle_seed)
    )
    taken = tuple(row for place, row in enumerate(rows) for _ in range(times[place]))
    shares = tuple(_describe(spec, there, counts, len(taken)))
    left_out = sum(not times[place] for place in range(len(rows)))
    return Mixed(taken, shares, left_out, tuple(_tell(spec, shares)))


def _count(spec: DataSpec, there: dict[str, int]) -> dict[str, int]:
    """Path -> rows to take. Sources of which nothing trains have none."""
    training = [source for source in spec.sources if not source.held_out]
    counts = {s.path: round(s.weight * there[s.path]) for s in training if s.share is None}
    shares = {source.path: source.share for source in training if source.share is not None}
    whole = sum(counts.values()) / (1 - sum(shares.values()))
    # One whose rows are all refused has none to repeat; `_tell` says so.
    return counts | {p: round(share * whole) if there[p] else 0 for p, share in shares.items()}


def _take(places: Sequence[int], rows: Sequence[Row], count: int, seed: int) -> Iterator[int]:
    """So many of the places in `rows`, all of them before any a second time."""
    if not count:
        return
    times, rest = divmod(count, len(places))
    yield from chain.from_iterable(repeat(places, times))
    if rest:
        own = [rows[place] for place in places]
        answers = [answer_text(row).strip() for row in own]
        drawn = draw_places([row.id for row in own], answers, rest, seed)
        yield from (places[i] for i in drawn.places)


def _describe(
    spec: DataSpec, there: dict[str, int], counts: dict[str, int], total: int
) -> Iterator[SourceShare]:
    for source in spec.sources:
        if not source.held_out:
            path, taken = source.path, counts[source.path]
            share = taken / total if total else 0.0
            yield SourceShare(source=path, rows=there[path], taken=taken, share=share)


def _tell(spec: DataSpec, shares: Sequence[SourceShare]) -> Iterator[Problem]:
    total = sum(each.taken for each in shares)
    for each in shares:
        number = next(i for i, s in enumerate(spec.sources) if s.path == each.source)
        key = f"data.sources.{number}.{'weight' if spec.sources[number].share is None else 'share'}"
        if not each.taken:
            message = f"none of the {each.rows} rows of {each.source} would train"
            hint = "raise it, or leave the source out"
            yield Problem(level="error", key=key, message=message, hint=hint)
            continue
        times, rest = divmod(each.taken, each.rows)
        how = f"each {times} times" if times > 1 else ""
        if rest and times:
            how = f"each {times} or {times + 1} times"
        message = (
            f"{each.source}: {each.taken:,} of the {total:,} rows that train ({each.share:.2%}),"
            f" from {each.rows:,}{', ' * bool(how)}{how}"
        )
        yield Problem(level="info", key=key, message=message)
