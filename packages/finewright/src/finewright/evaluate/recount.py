"""The scores of a report counted once more, from the answers that samples.jsonl keeps.

Covered: a score, a difference or an interval that the answers do not give, whoever signed it. Not covered:
answers that were themselves made up; perplexity and bits_per_byte, and the row scores of metrics of whole
answers, for which a sample keeps too little (the mean over the rows is counted); scores by part of a set."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, TypeAlias

from finewright.errors import FinewrightError
from finewright.evaluate.measured import Measured, differences
from finewright.evaluate.samples import read_samples, row_of_sample
from finewright.evaluate.score import ScoredSet, ScoreOptions, is_known, options_of, score_answers
from finewright.schema.common import Problem
from finewright.schema.evaluate import (
    LOSS_METRICS,
    Difference,
    EvaluateReport,
    EvaluateSpec,
    Sample,
    Score,
)
from finewright.store.atomic import read_json

_Key: TypeAlias = tuple[str, str]  # system and data

_UNCOUNTED = frozenset(LOSS_METRICS)
# Values are sums of the same numbers in the same order; only their rounding may differ.
_SAME_VALUE = 1e-9
# Intervals and p-values are drawn: ten times the 0.2 points to which `evaluate.resamples` keeps them steady.
_SAME_INTERVAL = 0.02


class Recount(NamedTuple):
    """How many scores and differences were counted, and what is wrong with them or could not be counted."""

    scores: int
    problems: list[Problem]


def recount_folder(folder: Path, spec: EvaluateSpec) -> Recount:
    """The report of a folder against the samples beside it."""
    try:
        report = read_json(folder / "report.json", EvaluateReport, hint="run the stage again")
    except FinewrightError as error:
        return Recount(0, [_problem("report.json", str(error).splitlines()[0])])
    path = folder / "samples.jsonl"
    if not path.is_file():
        return Recount(
            0, [_problem("samples.jsonl", "there are scores, and no answers beside them")]
        )
    try:
        samples = read_samples(path)
        options = options_of(spec.model_copy(update={"confidence": report.confidence}))
        return recount(report, samples, options)
    except (FinewrightError, ValueError) as error:
        first = str(error).splitlines()[0]
        return Recount(
            0, [_problem("samples.jsonl", f"the scores cannot be counted again: {first}")]
        )


def recount(report: EvaluateReport, samples: Sequence[Sample], options: ScoreOptions) -> Recount:
    """Every score and difference of a report, from the answers."""
    metrics = dict.fromkeys(score.metric for score in report.scores)
    countable = {name for name in metrics if name not in _UNCOUNTED and is_known(name)}
    sets: dict[_Key, list[Sample]] = defaultdict(list)
    for sample in samples:
        scores = {name: value for name, value in sample.scores.items() if name in countable}
        sets[sample.system, sample.data].append(sample.model_copy(update={"scores": scores}))
    wanted: dict[_Key, list[str]] = defaultdict(list)
    for score in report.scores:
        if score.metric in countable:
            wanted[score.system, score.data].append(score.metric)
    counted = {
        key: score_answers(*key, names, [row_of_sample(s) for s in sets[key]], options)
        for key, names in wanted.items()
    }
    said = [each for each in report.differences if each.metric in countable]
    problems = [
        *map(_report_unchecked, (name for name in metrics if name not in countable)),
        *_left_out(samples, report),
        *_row_problems(sets, counted),
        *_score_problems(report.scores, counted),
        *_difference_problems(said, counted, options),
    ]
    return Recount(sum(map(len, wanted.values())) + len(said), problems)


def _left_out(samples: Sequence[Sample], report: EvaluateReport) -> Iterator[Problem]:
    """What the answers were scored by, and the report does not show."""
    said = {(score.system, score.data, score.metric) for score in report.scores}
    found = {(s.system, s.data, metric) for s in samples for metric in s.scores}
    for system, data, metric in sorted(found - said):
        yield _problem("report.json", f"{metric} of {system}, {data}: was measured and is left out")


def _row_problems(
    sets: Mapping[_Key, Sequence[Sample]], counted: Mapping[_Key, ScoredSet]
) -> Iterator[Problem]:
    """The first row of a set whose own scores its answer does not give."""
    for key, scored in counted.items():
        for sample, found in zip(sets[key], scored.per_row, strict=True):
            said = {name: sample.scores.get(name) for name in found}
            if any(_differs(said[name], value, _SAME_VALUE) for name, value in found.items()):
                what = f"row {sample.row} of {key[0]}, {key[1]}"
                yield _problem(
                    "samples.jsonl", f"{what}: says {said}, and its answer gives {found}"
                )
                break


def _score_problems(
    scores: Sequence[Score], counted: Mapping[_Key, ScoredSet]
) -> Iterator[Problem]:
    by_metric = {
        (key, found.metric): found for key, scored in counted.items() for found in scored.scores
    }
    for score in scores:
        found = by_metric.get(((score.system, score.data), score.metric))
        if found is not None and _is_other(score, found):
            yield _otherwise(f"{score.metric} of {score.system}, {score.data}", score, found)


def _difference_problems(
    said: Sequence[Difference],
    counted: Mapping[_Key, ScoredSet],
    options: ScoreOptions,
) -> Iterator[Problem]:
    measured = [Measured(*key, scored, ()) for key, scored in counted.items()]
    pairs = list(dict.fromkeys((each.system, each.against) for each in said))
    found = {
        (each.system, each.against, each.data, each.metric): each
        for each in differences(measured, pairs, options)
    }
    for each in said:
        what = f"{each.metric} of {each.system} against {each.against}, {each.data}"
        other = found.get((each.system, each.against, each.data, each.metric))
        if other is None:
            yield _problem("report.json", f"{what}: there are no answers that give it")
        elif _is_other(each, other) or _differs(each.p_value, other.p_value, _SAME_INTERVAL):
            yield _otherwise(what, each, other)


def _is_other(said: Score | Difference, found: Score | Difference) -> bool:
    return (
        said.n != found.n
        or _differs(said.value, found.value, _SAME_VALUE)
        or _differs(said.low, found.low, _SAME_INTERVAL)
        or _differs(said.high, found.high, _SAME_INTERVAL)
    )


def _differs(said: float | None, found: float, by: float) -> bool:
    return said is None or not abs(said - found) <= by  # NaN is never near


def _otherwise(what: str, said: Score | Difference, found: Score | Difference) -> Problem:
    return _problem(
        "report.json", f"{what}: {_figures(said)} is said, and the answers give {_figures(found)}"
    )


def _figures(of: Score | Difference) -> str:
    drawn = f", p {of.p_value:.4f}" if isinstance(of, Difference) else ""
    return f"{of.value:.4f} ({of.low:.4f} to {of.high:.4f}, n {of.n}{drawn})"


def _report_unchecked(metric: str) -> Problem:
    why = "samples keep no losses" if metric in _UNCOUNTED else "its package is not installed here"
    message = f"cannot be checked: {metric}: {why}"
    return Problem(level="warning", file="report.json", message=message)


def _problem(file: str, message: str) -> Problem:
    return Problem(
        level="error",
        file=file,
        message=message,
        hint="do not use the figure; ask whoever made the run, or run the stage again",
    )
