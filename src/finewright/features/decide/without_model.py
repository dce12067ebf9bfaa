"""The arms without a language model: a classifier over embeddings, and a fixed rule.

A classifier is a small sentence encoder and a linear head, on processors alone (SetFit, Tunstall et al. 2022,
arXiv:2209.11055); a rule is a pattern, a table or a list of words. Both run on one small machine."""

import math
from collections.abc import Mapping

from finewright.estimate.money import HOURS_A_MONTH, MachineSteps, exact, product, total
from finewright.features.decide.arms import NOTHING, Arm, Figures, Machines
from finewright.features.decide.case import Case
from finewright.features.decide.work import WorkToDo
from finewright.schema.cost import Range

_ENCODER_PARAMETERS = 22.7e6
"""Of all-MiniLM-L6-v2."""
_MONTH_SECONDS = HOURS_A_MONTH * 3600
_RULE_MS = Range(low=0.1, median=1.0, high=5.0)
_ENOUGH_LABELS = 200.0
_CONTEXT = 512
_MINUTES_AN_HOUR = 60.0


def without_model(arm: Arm, case: Case, work: WorkToDo, taken: Mapping[str, Range]) -> Figures:
    """What such an arm takes; a rule reads any text, a classifier its first 512 tokens."""
    answer, most = _RULE_MS, math.inf
    hours = taken[f"{arm.method}_hours"]
    if arm.method == "classifier":
        answer = _encoded_ms(case, taken["cpu_gflops"])
        most = 1000 / answer.median
        missing = max(0.0, _ENOUGH_LABELS - (work.pairs(arm) or case.labelled_pairs))
        hours = total(hours, product(work.labelling_minutes, missing / _MINUTES_AN_HOUR))
    peak = case.requests_per_month / _MONTH_SECONDS * taken["peak_over_mean"].median
    num = 1 if math.isinf(most) else max(1, math.ceil(peak / most))
    month = product(taken["small_machine_usd"], num)
    carries = exact(min(most, 1e6) * _MONTH_SECONDS / taken["peak_over_mean"].median)
    return Figures(
        once_usd=NOTHING,
        month_usd=month,
        latency_ms=answer,
        update_days=taken["prompt_days"],
        effort_hours=hours,
        fixed_month_usd=month,
        request_usd=NOTHING,
        place="own" if case.on_premise_only or case.hardware else "rented",
        model="a linear head on MiniLM" if arm.method == "classifier" else "a rule",
        context_tokens=10**9,
        pairs=work.pairs(arm),
        machines=Machines(MachineSteps(taken["small_machine_usd"], carries), math.inf),
        how=(f"no language model; {num} small machine{'' if num == 1 else 's'} without a GPU",),
    )


def _encoded_ms(case: Case, gflops: Range) -> Range:
    """2 FLOP for each parameter and token, at the speed that a few cores reach."""
    flop = 2 * _ENCODER_PARAMETERS * min(case.prompt_tokens, _CONTEXT)
    return Range(
        low=1000 * flop / (gflops.high * 1e9),
        median=1000 * flop / (gflops.median * 1e9),
        high=1000 * flop / (gflops.low * 1e9),
    )
