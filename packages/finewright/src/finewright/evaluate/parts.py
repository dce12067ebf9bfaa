"""Scores apart for rows that are nearly like a training row, and for new ones."""

from collections.abc import Collection, Mapping, Sequence

from finewright.evaluate.measured import Measured, differences
from finewright.evaluate.score import ScoreOptions, part_of
from finewright.schema.evaluate import Sample, ScoredRows


def parts_of(
    measured: Sequence[Measured],
    repeated: Mapping[str, Collection[int]],
    pairs: Sequence[tuple[str, str]],
    options: ScoreOptions,
) -> tuple[ScoredRows, ...]:
    """Both parts of every set that was compared with the training rows; `repeated` are places in it."""
    found = []
    for data, places in repeated.items():
        of_set = [each for each in measured if each.data == data]
        if not of_set:
            continue
        everyone = range(len(of_set[0].samples))
        found.append(_part(of_set, sorted(places), pairs, options, kind="repeated"))
        new = sorted(set(everyone).difference(places))
        found.append(_part(of_set, new, pairs, options, kind="new"))
    return tuple(found)


def with_repeated(
    measured: Sequence[Measured], repeated: Mapping[str, Collection[int]]
) -> list[Sample]:
    """All samples in their order, each saying whether its row repeats a training row."""
    known = {data: frozenset(places) for data, places in repeated.items()}
    return [
        sample.model_copy(update={"repeated": i in known[each.data]})
        if each.data in known
        else sample
        for each in measured
        for i, sample in enumerate(each.samples)
    ]


def _part(
    measured: Sequence[Measured],
    places: Sequence[int],
    pairs: Sequence[tuple[str, str]],
    options: ScoreOptions,
    *,
    kind: str,
) -> ScoredRows:
    data = measured[0].data
    if not places:
        return ScoredRows.model_validate({"data": data, "kind": kind, "rows": 0})
    of_part = [
        each._replace(scored=part_of(each.scored, places, options), samples=()) for each in measured
    ]
    return ScoredRows.model_validate(
        {
            "data": data,
            "kind": kind,
            "rows": len(places),
            "scores": [score for each in of_part for score in each.scored.scores],
            "differences": differences(of_part, pairs, options),
        }
    )
