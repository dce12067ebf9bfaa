"""One model against another on the same rows: no worse on the whole, and worse in no part.

On the whole the one-sided bound of the difference has to lie above the margin (`evaluate.non_inferior`). In
a part, a set or its rows that repeat none that trained, rows are few: it is worse where the paired test says
so, its p-value adjusted for all parts and metrics by Holm."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Literal, TypeAlias

from finewright.evaluate.non_inferior import lower_bounds
from finewright.evaluate.samples import row_of_sample
from finewright.evaluate.score import (
    ScoredSet,
    ScoreOptions,
    alike_metrics,
    compare,
    is_known,
    score_answers,
)
from finewright.judge.bounds import rows_without_loss
from finewright.judge.statistics import holm
from finewright.schema.common import Model
from finewright.schema.evaluate import Sample

ALL = "all rows"
UNCOUNTED = frozenset({"perplexity"})
"""Samples keep no losses, so these cannot be compared from them."""
_Places: TypeAlias = Mapping[str, Sequence[int]]


class ComparedPart(Model):
    """A metric on all rows or on a part of them; shares of 1, `difference` is ours - theirs.

    `bound` is the one-sided lower bound, of all rows alone. `open`: neither no worse nor worse is shown."""

    part: str
    metric: str
    rows: int
    ours: float
    theirs: float
    difference: float
    low: float
    high: float
    p_value: float
    bound: float | None = None
    verdict: Literal["no worse", "worse", "open"]
    says: str = ""


def compare_answers(
    ours: Sequence[Sample],
    theirs: Sequence[Sample],
    metrics: Sequence[str],
    options: ScoreOptions,
    margin: float,
) -> list[ComparedPart]:
    """Every metric on all rows, then on each part. Both answer the same rows, in the same order.

    Leaves out metrics of which no row has a score. Raises ValueError where the rows are others."""
    countable = [name for name in metrics if name not in UNCOUNTED and is_known(name)]
    whole = [*_compare_all(ours, theirs, countable, options, margin)]
    parts = [
        each
        for name, places in _parts_of(ours).items()
        for each in _differences(
            [ours[i] for i in places], [theirs[i] for i in places], name, countable, options
        )
    ]
    adjusted = holm([each.p_value for each in parts])
    return whole + [
        each.model_copy(update={"verdict": "worse", "says": f"p {p:.2g} among {len(parts)} tests"})
        if each.difference < 0 and p < 1 - options.confidence
        else each
        for each, p in zip(parts, adjusted, strict=True)
    ]


def _compare_all(
    ours: Sequence[Sample],
    theirs: Sequence[Sample],
    metrics: Sequence[str],
    options: ScoreOptions,
    margin: float,
) -> Iterator[ComparedPart]:
    scored, against = _scored(ours, metrics, options), _scored(theirs, metrics, options)
    bounds = lower_bounds(*alike_metrics(scored, against), options)
    found = _differences(ours, theirs, ALL, metrics, options)
    for each, bound in zip(found, bounds, strict=True):
        points = f"{100 * bound:+.1f} points at least, the margin is {100 * margin:g}"
        if bound > -margin:
            yield each.model_copy(update={"bound": bound, "says": points})
            continue
        verdict = "worse" if each.high < 0 else "open"
        needed = rows_without_loss(margin, options.confidence) if margin else 0
        few = f"; {needed} rows could show it" if each.rows < needed else ""
        update = {"bound": bound, "verdict": verdict, "says": f"{points}{few}"}
        yield each.model_copy(update=update)


def _differences(
    ours: Sequence[Sample],
    theirs: Sequence[Sample],
    part: str,
    metrics: Sequence[str],
    options: ScoreOptions,
) -> list[ComparedPart]:
    scored, against = alike_metrics(
        _scored(ours, metrics, options), _scored(theirs, metrics, options)
    )
    values = zip(scored.scores, against.scores, compare(scored, against, options), strict=True)
    return [
        ComparedPart(
            part=part,
            metric=found.metric,
            rows=found.n,
            ours=mine.value,
            theirs=other.value,
            difference=found.value,
            low=found.low,
            high=found.high,
            p_value=found.p_value,
            verdict="no worse",
        )
        for mine, other, found in values
    ]


def _scored(samples: Sequence[Sample], metrics: Sequence[str], options: ScoreOptions) -> ScoredSet:
    """The metrics that any of the rows has a score of."""
    had = {name for sample in samples for name in sample.scores}
    names = [name for name in metrics if name in had or name == "macro_f1"]
    return score_answers(
        samples[0].system, ALL, names, [row_of_sample(each) for each in samples], options
    )


def _parts_of(samples: Sequence[Sample]) -> _Places:
    """The sets, where there are several, and of each the rows that repeat none that trained, if some do."""
    parts: dict[str, list[int]] = defaultdict(list)
    sets = {sample.data for sample in samples}
    for place, sample in enumerate(samples):
        if len(sets) > 1:
            parts[sample.data].append(place)
        if sample.repeated is False:
            parts[f"{sample.data}, new rows"].append(place)
    whole = {name: sum(sample.data == name for sample in samples) for name in sets}
    return {
        name: places
        for name, places in parts.items()
        if name in sets or len(places) < whole[name.removesuffix(", new rows")]
    }
