"""One sentence from all arms: which to take, and how sure that is."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from finewright.report.cells import p_words, percent, share
from finewright_advice.judge.pairwise import Pair
from finewright_advice.schema.measure import ARMS, Arm
from finewright_advice.schema.measure_report import Power, Recommendation, RowShare


class Standing(NamedTuple):
    """An arm's success, its chance of being best, and what a solved request costs (None: it solves none)."""

    arm: Arm
    solved: RowShare
    p_best: float
    cost_per_solved: float | None
    cost_text: str


def recommend(
    standings: Sequence[Standing], pairs: Sequence[Pair], power: Power, alpha: float
) -> Recommendation:
    """The arm that solves most if it is significantly better than every other, else the cheapest of those
    that are not significantly worse than it.

    Not significantly worse is not the same as equal: the sentence says what the rows could have shown."""
    best = max(standings, key=lambda s: (s.solved.value, -ARMS.index(s.arm)))
    if not best.solved.value:
        return _none_works(best, power)
    p_values = _against(best.arm, pairs)
    equals = [s for s in standings if s.arm == best.arm or p_values[s.arm] >= alpha]
    if len(equals) == 1:
        return _better(best, max(p_values.values()), alpha)
    return _cheapest(equals, best, power)


def _against(arm: Arm, pairs: Sequence[Pair]) -> Mapping[str, float]:
    """Holm's p-value of each other arm against this one."""
    found = {pair.against: pair.p_holm for pair in pairs if pair.system == arm}
    return found | {pair.system: pair.p_holm for pair in pairs if pair.against == arm}


def _none_works(best: Standing, power: Power) -> Recommendation:
    sentence = (
        f"No option solved any of the {power.rows} rows (the share that each solves is below "
        f"{share(best.solved.high)}): look at the answers, the criterion and a larger model first."
    )
    return Recommendation(arm=best.arm, kind="none works", p_best=best.p_best, sentence=sentence)


def _better(best: Standing, largest: float, alpha: float) -> Recommendation:
    sentence = (
        f"Take {best.arm}: it solves {percent(best.solved)}, significantly more than every other option "
        f"(largest {p_words(largest)} after Holm's correction, level {alpha:g}), at {best.cost_text}; "
        f"it is the best in {share(best.p_best)} of the resamples."
    )
    return Recommendation(arm=best.arm, kind="better", p_best=best.p_best, sentence=sentence)


def _cheapest(equals: Sequence[Standing], best: Standing, power: Power) -> Recommendation:
    chosen = min(
        (s for s in equals if s.cost_per_solved is not None),
        key=lambda s: (s.cost_per_solved or 0.0, ARMS.index(s.arm)),
    )
    names = _join_names([standing.arm for standing in equals])
    shown = (
        f"these rows show {100 * power.detectable:.0f} points and more"
        if power.detectable
        else "so few rows show next to nothing"
    )
    sentence = (
        f"No significant difference between {names} on {power.rows} rows ({shown}), so take the cheapest: "
        f"{chosen.arm}, which solves {percent(chosen.solved)} at {chosen.cost_text}; "
        f"{best.arm} is the best in {share(best.p_best)} of the resamples, "
        f"{chosen.arm} in {share(chosen.p_best)}."
        if chosen.arm != best.arm
        else f"No significant difference between {names} on {power.rows} rows ({shown}); {chosen.arm} is the "
        f"cheapest of them and solves the most: {percent(chosen.solved)} at {chosen.cost_text}, the best in "
        f"{share(chosen.p_best)} of the resamples."
    )
    return Recommendation(
        arm=chosen.arm,
        kind="cheapest of equals",
        p_best=chosen.p_best,
        equals=tuple(standing.arm for standing in equals),
        sentence=sentence,
    )


def _join_names(names: Sequence[str]) -> str:
    return f"{', '.join(names[:-1])} and {names[-1]}"
