"""Is a new model as good as an old one? Non-inferiority with a margin that was stated beforehand.

The new model is non-inferior when the one-sided lower bound of (new - old), on the same rows, is above
-margin (Blackwelder 1982, "Proving the null hypothesis in clinical trials"). Not covered: what the golden
set does not ask."""

import math
from collections.abc import Sequence
from dataclasses import replace
from statistics import NormalDist
from typing import NamedTuple

from finewright.errors import DataError
from finewright.evaluate.score import Answered, Scored, ScoreOptions, compare, score_answers
from finewright.judge.statistics import bonett_price, wilson
from finewright.judge.text import exact_match
from finewright.schema.evaluate import Score
from finewright.schema.migrate import Bound, Stated, Verdict

_POWER = 0.8
NEEDS_PROBABILITIES = ("perplexity", "preference_accuracy")


class Answers(NamedTuple):
    """A golden row's answers; `expected` is None where the right one is not known."""

    row: int
    expected: str | None
    old: str
    new: str
    base: str


class Judged(NamedTuple):
    """The verdict, and the sentence that says it."""

    verdict: Verdict
    sentence: str


def against_expected(
    answers: Sequence[Answers], stated: Stated, options: ScoreOptions
) -> tuple[Bound, ...]:
    """Old and new model against the right answers, metric by metric; none where no answer is known."""
    known = [a for a in answers if a.expected is not None]
    if not known:
        return ()
    old, new, base = (
        score_answers(name, "golden", stated.metrics, _answered(known, name), options)
        for name in ("old", "new", "base")
    )
    differences = compare(new, old, options)
    # The lower end of a two-sided interval at 2c - 1 is the one-sided bound at c.
    one_sided = compare(new, old, replace(options, confidence=2 * stated.confidence - 1))
    return tuple(
        Bound(
            old=old.scores[i],
            new=new.scores[i],
            base=base.scores[i],
            difference=difference,
            bound=_bound(metric, old, new, one_sided[i].low, stated.confidence),
            rows_needed=_rows_needed(metric, old, new, stated),
        )
        for i, (metric, difference) in enumerate(zip(stated.metrics, differences, strict=True))
    )


def agreement(
    answers: Sequence[Answers], stated: Stated, options: ScoreOptions
) -> tuple[Score, ...]:
    """The new model's answers measured as if the old model's were the right ones."""
    told = [Answered(a.row, a.old, a.new) for a in answers]
    metrics = tuple(dict.fromkeys(("exact_match", *stated.metrics)))
    return tuple(score_answers("new", "golden", metrics, told, options).scores)


def agreement_bound(answers: Sequence[Answers], confidence: float) -> float:
    """One-sided lower bound (Wilson) of the share of rows that both models answer the same."""
    same = sum(int(exact_match(a.new, a.old)) for a in answers)
    return wilson(same, len(answers), confidence=2 * confidence - 1).low


def judged(bounds: Sequence[Bound], agreed: float, stated: Stated, rows: int) -> Judged:
    """By the right answers where they are known. Where not, by agreement: where two models answer all but a
    share of prompts alike, no measure of an answer in [0, 1] can differ by more than that share.

    On fewer rows than could show it, it is open: resampling equal differences gives a bound of no width."""
    points, level = f"{100 * stated.margin:g} points", f"{100 * stated.confidence:g} %"
    counted = bounds[0].difference.n if bounds else rows
    if few := too_few(counted, stated, by_agreement=not bounds):
        return Judged("open", f"Parity is not proved, as the rows are too few to tell: {few}.")
    if not bounds:
        told = (
            f"the share of the {rows} prompts with the same answer is at least {100 * agreed:.1f} %"
            f" (one-sided {level})"
        )
        if agreed >= 1 - stated.margin:
            return Judged(
                "parity", f"Parity is proved: {told}, so nothing differs by over {points}."
            )
        return Judged(
            "open",
            f"Parity is not proved: {told}, and no right answers are known by which to tell who errs"
            " where they differ.",
        )
    first = bounds[0]
    n, value = first.difference.n, 100 * first.difference.value
    gap = f"{stated.metric} of the new model minus the old one's is {value:+.1f} points"
    told = (
        f"{gap}, at least {100 * first.bound:+.1f} (one-sided {level}, n = {n}), and the margin is"
        f" {points}"
    )
    if first.bound > -stated.margin:
        return Judged("parity", f"Parity is proved: {told}.")
    if first.difference.high < -stated.margin:
        most = f"at most {100 * first.difference.high:+.1f} (n = {n}), and the margin is {points}"
        return Judged("worse", f"The new model is worse: {gap}, {most}.")
    more = f"; about {first.rows_needed} rows would be enough for models that are equal"
    return Judged("open", f"Parity is not proved: {told}{more if first.rows_needed else ''}.")


def rows_at_least(margin: float, confidence: float) -> int:
    """With fewer rows not even two models that never differ are shown to be within the margin: the bound of
    no wins and no losses (Bonett & Price 2012) is -z sqrt(2) / (n + 2)."""
    z = NormalDist().inv_cdf(confidence)
    return math.floor(z * math.sqrt(2) / margin - 2) + 1


def rows_to_agree(margin: float, confidence: float) -> int:
    """`rows_at_least` where agreement decides: Wilson's bound of n equal answers in n is n / (n + z^2)."""
    z = NormalDist().inv_cdf(confidence)
    return math.ceil(z * z * (1 - margin) / margin)


def too_few(rows: int, stated: Stated, *, by_agreement: bool) -> str:
    """What so few rows cannot show, and how many could; empty where there are as many."""
    least = rows_to_agree if by_agreement else rows_at_least
    needed = least(stated.margin, stated.confidence)
    if rows >= needed:
        return ""
    return (
        f"{rows} golden row{'' if rows == 1 else 's'} cannot show parity within"
        f" {100 * stated.margin:g} points, even of models that always agree: {needed} could"
    )


def _bound(metric: str, old: Scored, new: Scored, resampled: float, confidence: float) -> float:
    """For scores of 0 and 1 the bound of Bonett & Price, which resampling undercuts on few rows."""
    pairs = [(n.get(metric), o.get(metric)) for n, o in zip(new.per_row, old.per_row, strict=True)]
    if any(value not in (0.0, 1.0) for pair in pairs for value in pair):
        return resampled
    won = sum(1 for n, o in pairs if (n or 0) > (o or 0))
    lost = sum(1 for n, o in pairs if (n or 0) < (o or 0))
    return bonett_price(won, lost, len(pairs), 2 * confidence - 1).low


def _rows_needed(metric: str, old: Scored, new: Scored, stated: Stated) -> int | None:
    """((z_confidence + z_power) s / margin)^2, s the standard deviation of the rows' differences."""
    pairs = [(n.get(metric), o.get(metric)) for n, o in zip(new.per_row, old.per_row, strict=True)]
    if any(value is None for pair in pairs for value in pair):
        return None
    gaps = [(n or 0.0) - (o or 0.0) for n, o in pairs]
    mean = math.fsum(gaps) / len(gaps)
    variance = math.fsum((gap - mean) ** 2 for gap in gaps) / len(gaps)
    z = NormalDist().inv_cdf(stated.confidence) + NormalDist().inv_cdf(_POWER)
    return math.ceil(z * z * variance / stated.margin**2) or None


def _answered(answers: Sequence[Answers], name: str) -> list[Answered]:
    texts = {"old": [a.old for a in answers], "new": [a.new for a in answers]}
    texts["base"] = [a.base for a in answers]
    told = zip(answers, texts[name], strict=True)
    return [Answered(a.row, a.expected or "", text) for a, text in told]


def check_measurable(metrics: Sequence[str]) -> None:
    """Raise DataError for a metric that recorded answers cannot be measured by."""
    for name in metrics:
        if name in NEEDS_PROBABILITIES:
            raise DataError(f"{name} needs the old model's probabilities, which nobody recorded")
