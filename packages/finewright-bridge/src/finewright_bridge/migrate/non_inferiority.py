"""Is a new model as good as an old one? Non-inferiority with a margin that was stated beforehand.

The new model is non-inferior when the one-sided lower bound of (new - old), on the same rows, is above
-margin (Blackwelder 1982, "Proving the null hypothesis in clinical trials"). The bound is Gaffke's, which
resampling undercuts where few rows lose much; benchmarks/parity.py measures both. Not covered: what the
golden set does not ask."""

import math
from collections.abc import Sequence
from dataclasses import replace
from statistics import NormalDist
from typing import NamedTuple

from finewright.errors import DataError
from finewright.evaluate.answered import AnsweredRow
from finewright.evaluate.non_inferior import both_scores, lower_bounds
from finewright.evaluate.score import (
    CORPUS_METRICS,
    ScoredSet,
    ScoreOptions,
    compare,
    score_answers,
    scores_answers,
)
from finewright.judge.bounds import rows_without_loss, share_at_least
from finewright.judge.text import exact_match
from finewright.schema.evaluate import Score
from finewright_bridge.migrate.report import Bound, ParityTerms, Verdict

_POWER = 0.8
NEEDS_PROBABILITIES = ("perplexity", "preference_accuracy")


class GoldenAnswers(NamedTuple):
    """A golden row's answers; `expected` is None where the right one is not known."""

    row: int
    expected: str | None
    old: str
    new: str
    base: str


class ParityVerdict(NamedTuple):
    """The verdict, and the sentence that says it."""

    verdict: Verdict
    sentence: str


def against_expected(
    answers: Sequence[GoldenAnswers], stated: ParityTerms, options: ScoreOptions
) -> tuple[Bound, ...]:
    """Old and new model against the right answers, metric by metric; none where no answer is known."""
    known = [a for a in answers if a.expected is not None]
    if not known:
        return ()
    old, new, base = (
        score_answers(name, "golden", stated.metrics, _answers_of(known, name), options)
        for name in ("old", "new", "base")
    )
    differences = compare(new, old, options)
    bounds = lower_bounds(new, old, replace(options, confidence=stated.confidence))
    return tuple(
        Bound(
            old=old.scores[i],
            new=new.scores[i],
            base=base.scores[i],
            difference=difference,
            bound=bounds[i],
            rows_needed=_rows_needed(metric, old, new, stated),
        )
        for i, (metric, difference) in enumerate(zip(stated.metrics, differences, strict=True))
    )


def agreement(
    answers: Sequence[GoldenAnswers], stated: ParityTerms, options: ScoreOptions
) -> tuple[Score, ...]:
    """The new model's answers measured as if the old model's were the right ones."""
    rows = [AnsweredRow(a.row, a.old, a.new) for a in answers]
    metrics = tuple(dict.fromkeys(("exact_match", *stated.metrics)))
    return tuple(score_answers("new", "golden", metrics, rows, options).scores)


def agreement_bound(answers: Sequence[GoldenAnswers], confidence: float) -> float:
    """One-sided lower bound (Clopper-Pearson) of the share of rows that both models answer the same."""
    same = sum(int(exact_match(a.new, a.old)) for a in answers)
    return share_at_least(same, len(answers), confidence=confidence)


def judge_parity(
    bounds: Sequence[Bound], agreed: float, stated: ParityTerms, rows: int
) -> ParityVerdict:
    """By the right answers where they are known. Where not, by agreement: where two models answer all but a
    share of prompts alike, no measure of an answer in [0, 1] can differ by more than that share.

    On fewer rows than could show it, it is open, and how many could is said."""
    points, level = f"{100 * stated.margin:g} points", f"{100 * stated.confidence:g} %"
    counted = bounds[0].difference.n if bounds else rows
    if few := too_few(counted, stated):
        return ParityVerdict(
            "open", f"Parity is not proved, as the rows are too few to tell: {few}."
        )
    if not bounds:
        evidence = (
            f"the share of the {rows} prompts with the same answer is at least {100 * agreed:.1f} %"
            f" (one-sided {level})"
        )
        if agreed >= 1 - stated.margin:
            return ParityVerdict(
                "parity", f"Parity is proved: {evidence}, so nothing differs by over {points}."
            )
        return ParityVerdict(
            "open",
            f"Parity is not proved: {evidence}, and no right answers are known by which to tell who errs"
            " where they differ.",
        )
    first = bounds[0]
    n, value = first.difference.n, 100 * first.difference.value
    gap = f"{stated.metric} of the new model minus the old one's is {value:+.1f} points"
    evidence = (
        f"{gap}, at least {100 * first.bound:+.1f} (one-sided {level}, n = {n}), and the margin is"
        f" {points}"
    )
    if first.bound > -stated.margin:
        return ParityVerdict("parity", f"Parity is proved: {evidence}.")
    if first.difference.high < -stated.margin:
        most = f"at most {100 * first.difference.high:+.1f} (n = {n}), and the margin is {points}"
        return ParityVerdict("worse", f"The new model is worse: {gap}, {most}.")
    more = f"; about {first.rows_needed} rows would be enough for models that are equal"
    return ParityVerdict(
        "open", f"Parity is not proved: {evidence}{more if first.rows_needed else ''}."
    )


def too_few(rows: int, stated: ParityTerms) -> str:
    """What so few rows cannot show, and how many could; empty where there are as many."""
    needed = rows_without_loss(stated.margin, stated.confidence)
    if rows >= needed:
        return ""
    return (
        f"{rows} golden row{'' if rows == 1 else 's'} cannot show parity within"
        f" {100 * stated.margin:g} points, even of models that always agree: {needed} could"
    )


def _rows_needed(metric: str, old: ScoredSet, new: ScoredSet, stated: ParityTerms) -> int | None:
    """The fewest n at which models that are equal, and scatter as these, are shown to be so 4 times in 5:
    margin >= 1/n + z_c sqrt(s^2/n + 1/n^2) + z_p s / sqrt(n), the normal approximation of the bound, s the
    standard deviation of the rows' differences."""
    if metric in CORPUS_METRICS:
        return None
    gaps = [ours - theirs for ours, theirs in both_scores(metric, new, old)]
    mean = math.fsum(gaps) / len(gaps)
    variance = math.fsum((gap - mean) ** 2 for gap in gaps) / len(gaps)
    z_bound, z_power = (NormalDist().inv_cdf(each) for each in (stated.confidence, _POWER))
    n = rows_without_loss(stated.margin, stated.confidence)
    while (
        1 / n + z_bound * math.sqrt(variance / n + 1 / n**2) + z_power * math.sqrt(variance / n)
        > stated.margin
    ):
        n += max(1, n // 200)
    return n


def _answers_of(answers: Sequence[GoldenAnswers], name: str) -> list[AnsweredRow]:
    texts = {"old": [a.old for a in answers], "new": [a.new for a in answers]}
    texts["base"] = [a.base for a in answers]
    pairs = zip(answers, texts[name], strict=True)
    return [AnsweredRow(a.row, a.expected or "", text) for a, text in pairs]


def check_measurable(metrics: Sequence[str]) -> None:
    """Raise DataError for a metric that recorded answers cannot be measured by."""
    for name in metrics:
        if name in NEEDS_PROBABILITIES:
            raise DataError(f"{name} needs the old model's probabilities, which nobody recorded")
        if scores_answers(name):
            raise DataError(
                f"{name} is of whole answers, and recorded ones are compared as texts",
                hint="exact_match compares all calls of an answer, json_f1 part by part",
            )
