"""Who goes on and who wins: systems that answered the same rows, ranked by one metric with its uncertainty.

A claim is made only where the rows bear it. A system is dropped from a ladder when the paired interval of its
difference from the best lies below 0; a winner is called when the best beats every other by a paired test,
corrected for their number (Holm 1979)."""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from finewright.evaluate.score import ScoreOptions
from finewright.judge.statistics import holm, sign_flip
from finewright.report.cells import p_words, points
from finewright.schema.evaluate import Difference, Score
from finewright_advice.compare.comparison import Comparison, describe_score
from finewright_advice.schema.bakeoff_report import Duel


class Fate(NamedTuple):
    """What becomes of a system after a rung, and why; `difference` is it minus the best."""

    system: str
    score: Score
    difference: Difference | None
    is_dropped: bool
    why: str


class Burden(NamedTuple):
    """What a system takes: its parameters, and milliseconds for each of the same questions."""

    parameters: int
    answer_ms: Sequence[float]
    is_of_busy_machine: bool = False

    @property
    def mean_ms(self) -> float:
        """Of one answer."""
        return sum(self.answer_ms) / len(self.answer_ms)


class LadderVerdict(NamedTuple):
    """The winner, or "" where there is none; which one to take; and both in a sentence."""

    winner: str
    choice: str
    sentence: str


def ladder(num_models: int, eta: int, rungs: int | None) -> list[float]:
    """The share of the whole training that each rung takes: eta^-(R-1), ..., 1/eta, 1.

    Successive halving (Jamieson & Talwalkar 2016, arXiv:1502.07943). Without a number of rungs there are so
    many that two models reach the last: R = 1 + floor(log_eta(n / 2))."""
    if rungs is None:
        rungs, left = 1, num_models // eta
        while left >= 2:  # noqa: PLR2004 - it takes two to compare
            rungs, left = rungs + 1, left // eta
    return [float(eta) ** (rung + 1 - rungs) for rung in range(rungs)]


def fates(rung: Comparison, eta: int) -> list[Fate]:
    """What becomes of each system, best first: the best one in eta (rounded up) go on, and so does every
    other that is not shown to be worse than the best.

    Shown means that the whole paired interval of the difference lies below 0; it is not corrected for the
    number of systems, as a good one that is dropped by chance costs more than one that goes on."""
    ranked = rung.rank()
    best, num_sure = ranked[0], math.ceil(len(ranked) / eta)
    found = []
    for rank, name in enumerate(ranked):
        difference = rung.difference(name, best) if rank else None
        dropped = difference is not None and rank >= num_sure and difference.high < 0
        why = _why(rank, num_sure, best, difference, is_dropped=dropped)
        found.append(Fate(name, rung.score(name), difference, dropped, why))
    return found


def duels(last: Comparison) -> list[Duel]:
    """The best system against each other one, in the order of their scores."""
    best, *others = last.rank()
    found = [last.difference(best, other) for other in others]
    adjusted = holm([difference.p_value for difference in found])
    return [
        Duel(difference=difference, p_adjusted=p, is_significant=p <= last.level)
        for difference, p in zip(found, adjusted, strict=True)
    ]


def verdict(
    best: Score, found: Sequence[Duel], burdens: Mapping[str, Burden], options: ScoreOptions
) -> LadderVerdict:
    """Who wins, or which is the cheapest of those that the rows cannot tell apart.

    The cheapest is the fastest on this machine where the times of the same answers show it (sign-flip test of
    the paired differences); of those that are as fast, the one with the fewest parameters."""
    if not found:
        said = f"{best.system} wins: every other model was worse on the development rows"
        return LadderVerdict(best.system, best.system, f"{said}. It scores {describe_score(best)}.")
    if all(duel.is_significant for duel in found):
        nearest = min(found, key=lambda duel: duel.difference.value)
        said = f"{best.system} wins: {describe_score(best)}, {_gap(nearest)}."
        return LadderVerdict(best.system, best.system, said)
    return _settle_by_cost(
        best, [duel for duel in found if not duel.is_significant], burdens, options
    )


def _settle_by_cost(
    best: Score, alike: Sequence[Duel], burdens: Mapping[str, Burden], options: ScoreOptions
) -> LadderVerdict:
    names = [best.system, *(duel.difference.against for duel in alike)]
    choice, why = _cheapest({name: burdens[name] for name in names}, options)
    between = f"{', '.join(names[:-1])} and {names[-1]}"
    gaps = "; ".join(f"{best.system} has {_gap(duel)}" for duel in alike)
    also = ", which scores highest as well" if choice == best.system else ""
    wide = max((duel.difference.high - duel.difference.low) / 2 for duel in alike)
    return LadderVerdict(
        "",
        choice,
        f"No significant difference in {best.metric} between {between} on {best.n} rows ({gaps}): take the"
        f" cheaper, {choice}{also} ({why}). With {best.n} rows, differences below"
        f" about {100 * wide:.1f} points cannot be seen.",
    )


def _as_fast(burdens: Mapping[str, Burden], fastest: str, options: ScoreOptions) -> list[str]:
    """The fastest, and those that no difference is shown of."""
    least = burdens[fastest]
    return [
        name
        for name, burden in burdens.items()
        if name == fastest or not _is_slower(burden, least, options)
    ]


def _cheapest(burdens: Mapping[str, Burden], options: ScoreOptions) -> tuple[str, str]:
    """Its name, and why in a few words. Times of a busy machine decide nothing: others made them."""
    times = ", ".join(f"{name} {each.mean_ms:,.0f}" for name, each in burdens.items())
    fastest = min(burdens, key=lambda name: burdens[name].mean_ms)
    busy = any(each.is_of_busy_machine for each in burdens.values())
    as_fast = [*burdens] if busy else _as_fast(burdens, fastest, options)
    if len(as_fast) == 1:
        return fastest, f"ms an answer: {times}"
    choice = min(as_fast, key=lambda name: (burdens[name].parameters, burdens[name].mean_ms))
    sizes = ", ".join(f"{name} {burdens[name].parameters / 1e6:,.0f}" for name in as_fast)
    if busy:
        return (
            choice,
            f"million parameters: {sizes}; timed on a busy machine, which decides nothing",
        )
    return choice, f"million parameters: {sizes}; ms an answer, no difference shown: {times}"


def _is_slower(ours: Burden, theirs: Burden, options: ScoreOptions) -> bool:
    gaps = [mine - other for mine, other in zip(ours.answer_ms, theirs.answer_ms, strict=True)]
    return sign_flip(gaps, resamples=options.resamples, seed=options.seed) <= 1 - options.confidence


def _why(
    rank: int, num_sure: int, best: str, difference: Difference | None, *, is_dropped: bool
) -> str:
    if difference is None:
        return "goes on: the best of the rung"
    if is_dropped:
        return f"dropped: worse than {best}"
    return (
        f"goes on: {'among the best' if rank < num_sure else f'not shown to be worse than {best}'}"
    )


def _gap(duel: Duel) -> str:
    gap, p = points(duel.difference), p_words(duel.p_adjusted)
    return f"{gap} against {duel.difference.against}, {p}"
