"""The answer of a decision in words, and what speaks for and against each arm."""

from collections.abc import Iterator, Mapping, Sequence

from finewright.report.cells import apart, share
from finewright_advice.decide.arms import Arm, Figures
from finewright_advice.decide.criteria import CRITERIA, Utilities
from finewright_advice.decide.results import RankedArm, RuleFinding
from finewright_advice.decide.spec import UNKNOWN, DecideSpec
from finewright_advice.schema.money import Criterion

CLEAR = 0.6
"""Below this share of wins the answer is not clear enough to act on."""
_STRONG = 3
_NOTABLE = 0.02


def answer_of(ranked: Sequence[RankedArm], none_share: float) -> str:
    """The first arm and how often it wins; where that is too seldom, what else might, or that no arm does."""
    first, best = ranked[0], oftenest(ranked)
    if first.win_share >= CLEAR:
        return f"{first.arm}: wins in {share(first.win_share)} of the samples"
    if best != first:
        return f"too close, measure: {oftener(first, best)}"
    others = [row for row in ranked[1:] if row.win_share > 0]
    rivals = sorted(others, key=lambda row: -row.win_share)[:2]
    own, *theirs = _shares([first, *rivals])
    rest = "".join(f", {row.arm} {their}" for row, their in zip(rivals, theirs, strict=True))
    if none_share > max((row.win_share for row in rivals), default=0.0):
        rest += f", and in {share(none_share)} no option is left"
    return f"too close, measure: {first.arm} wins in {own} of the samples{rest}"


def licence_of(arm: Arm, licence: str | None) -> str:
    """The licence of an arm's model in a word or two; empty where no language model answers."""
    if licence is not None:
        return licence
    return "its provider's terms" if arm.is_language_model else ""


def describe_first(figures: Figures, first: RankedArm) -> str:
    """What the first choice is, with its licence."""
    whose = f"; licence: {first.licence}" if first.licence else ""
    return f"that is {'; '.join(figures.how)}{whose}" if figures.how else ""


def oftenest(ranked: Sequence[RankedArm]) -> RankedArm:
    """The arm that wins most draws; of those that win as many, the first."""
    return max(ranked, key=lambda row: row.win_share)


def list_unnamed(spec: DecideSpec, ranked: Sequence[RankedArm]) -> Iterator[tuple[str, str]]:
    """What was measured and is taken for a model that nobody named, of the first two arms, and the mend."""
    for row in ranked[:2]:
        key = "api_model" if row.host == "api" else "base_model"
        if row.model and row.method in spec.measured_quality and getattr(spec, key) == UNKNOWN:
            yield (
                f"{row.arm}: the quality that you measured is taken for {row.model} too, which may not be"
                " the model that you measured",
                f"name yours in {key}",
            )


def oftener(first: RankedArm, best: RankedArm) -> str:
    """What it means that another arm wins more draws than the first of the ranking."""
    mine, other = _shares([first, best])
    return (
        f"{first.arm} is first where all that is unknown is at its middle, and {best.arm} wins more of the"
        f" draws in which it varies ({other} against {mine}): take {first.arm} if the middles are right, and"
        f" {best.arm} if nobody knows"
    )


def _shares(rows: Sequence[RankedArm]) -> list[str]:
    return [f"{each} %" for each in apart(*(100 * row.win_share for row in rows), least=1)]


def reasons(
    arm: Arm, of: Utilities, weights: Mapping[Criterion, float], found: Sequence[RuleFinding]
) -> list[str]:
    """What an arm gains and lacks most by, and what the gates say of it."""
    order = sorted(CRITERIA, key=lambda name: -weights[name] * of[name])
    lost = sorted(CRITERIA, key=lambda name: -weights[name] * (1 - of[name]))
    gained = ", ".join(_product(name, weights, of[name]) for name in order[:_STRONG])
    missed = ", ".join(
        _product(name, weights, 1 - of[name])
        for name in lost[:_STRONG]
        if weights[name] * (1 - of[name]) > _NOTABLE
    )
    reasons = [f"gains most by {gained}"]
    if missed:
        reasons.append(f"lacks most by {missed}")
    return reasons + [
        f"{finding.rule}, {finding.effect}: {finding.reason}"
        for finding in found
        if arm.name in finding.arms
    ]


def _product(name: Criterion, weights: Mapping[Criterion, float], utility: float) -> str:
    return f"{name} ({utility:.2f} x {weights[name]:.2f} = {utility * weights[name]:.2f})"
