"""The cheapest next step that could change or settle the answer."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from finewright.schema.cost import Range
from finewright_advice.decide.arms import Arm, Figures
from finewright_advice.decide.case import Case
from finewright_advice.decide.results import Experiment, RankedArm, Swing
from finewright_advice.estimate.money import HOURS_A_MONTH, exact, product, total
from finewright_advice.judge.pairwise import DIFFERENCE, DISCORDANT, rows_needed

_LOOKED_AT = 50
# A share within 5 points at 95 %: 0.25 (1.96 / 0.05)^2.
_ROWS_ALONE = 385
_MINUTES_A_CASE = 2.0
_MINUTES_AN_HOUR = 60.0
_MS_AN_HOUR = 3.6e6
_GAPS = frozenset({"behaviour_gap", "knowledge_gap"})


class Field(NamedTuple):
    """What is known when the next step is chosen."""

    case: Case
    figures: Mapping[Arm, Figures]
    ranking: Sequence[RankedArm]
    swings: Sequence[Swing]
    is_close: bool


def next_experiment(field: Field) -> Experiment | None:
    """The cheapest step first: an input that is unknown and flips the answer, then the two best arms.

    None where no arm is left. Labelling of test rows that do not exist yet is counted in hours."""
    if not field.ranking:
        return None
    deciding = [swing.key for swing in field.swings if swing.is_unknown and swing.flips]
    if not _GAPS.isdisjoint(deciding) or not field.case.stated >= _GAPS:
        return _look_at_failures(field, deciding)
    if to_find := next((key for key in deciding if key in _WAYS_TO_FIND), ""):
        return _find_out(to_find)
    first, *rivals = arms = [Arm(row.method, row.host) for row in field.ranking[:2]]
    if field.is_close and rivals:
        return _compare(field, arms, "their scores are too close for priors to decide")
    if first.is_tuned:
        return _slope(field, first)
    return _compare(field, arms, "numbers of your own replace the priors that the ranking rests on")


def _look_at_failures(field: Field, deciding: Sequence[str]) -> Experiment:
    arm = next(
        (Arm(r.method, r.host) for r in field.ranking if r.method == "prompt"),
        Arm("prompt", "self-hosted" if field.case.on_premise_only else "api"),
    )
    decides = " and ".join(key for key in deciding if key in _GAPS)
    return Experiment(
        what=f"prompt {field.figures[arm].model} with {_LOOKED_AT} real questions and sort its failures into"
        " `did not know` and `did not do`",
        why=f"{decides} is unknown and decides the answer"
        if decides
        else "the gaps are not measured",
        command="finewright evaluate BASE_MODEL --data QUESTIONS.jsonl",
        usd=_asking(field.figures[arm], _LOOKED_AT),
        hours=_hours(_LOOKED_AT),
        rows=_LOOKED_AT,
    )


_WAYS_TO_FIND = {
    "fact_half_life_days": "look up in the documents' history how many changed within a month",
    "corpus_tokens": "count the documents' tokens: `finewright data documents FOLDER` tells",
    "labelled_pairs": "count the question and answer pairs that somebody has checked",
    "requests_per_month": "count a week's questions in the channel where they are asked today",
    "tokens_in": "take the median length of ten real prompts",
    "tokens_out": "take the median length of ten good answers",
    "latency_p95_ms": "ask ten users how long they would wait",
    "once_budget_usd": "ask who pays what may be spent before the first answer",
    "month_budget_usd": "ask who pays what a month may cost",
    "effort_hours": "ask how many hours of people's work there are",
    "citations": "ask the users whether an answer must name its source",
    "per_document_access": "ask whether every user may see every document",
    "erasure_duty": "ask the data protection officer whether documents may have to be erased",
    "on_premise_only": "ask security whether questions may leave your machines",
    "data_class": "ask the documents' owner for their class",
}


def _find_out(key: str) -> Experiment:
    return Experiment(
        what=_WAYS_TO_FIND[key],
        why=f"{key} is unknown and decides the answer",
        command="",
        usd=exact(0.0),
        hours=Range(low=0.1, median=0.5, high=2.0),
        rows=0,
    )


def _compare(field: Field, arms: Sequence[Arm], why: str) -> Experiment:
    rows = rows_needed(DIFFERENCE, DISCORDANT) if len(arms) > 1 else _ROWS_ALONE
    asking_usd = [_asking(field.figures[arm], rows) for arm in arms]
    trained = [field.figures[arm].run_usd for arm in arms if arm.is_tuned]
    names = " and ".join(f"`{arm.name}`" for arm in arms)
    shows = f"a difference of {100 * DIFFERENCE:g} points where a fifth of the answers differ"
    if len(arms) == 1:
        shows = f"its success to {100 * DIFFERENCE:g} points"
    return Experiment(
        what=f"measure {names} on {rows} held-out rows; so many show {shows}",
        why=why,
        command="finewright decide --measure RUN_SPEC   # a run spec with `measure: {}`: docs/measure.md",
        usd=total(*asking_usd, *trained),
        hours=_hours(rows),
        rows=rows,
    )


def _slope(field: Field, arm: Arm) -> Experiment:
    figures = field.figures[arm]
    return Experiment(
        what="fine-tune on 25, 50 and 100 % of the pairs and look at the slope; stop if it is flat",
        why="whether more pairs are worth their labelling is seen before they are labelled",
        command="finewright up SPEC",
        # 0.25 + 0.5 + 1 of a run.
        usd=product(figures.run_usd, 1.75),
        hours=_hours(_LOOKED_AT),
        rows=int(field.case.labelled_pairs),
    )


def _asking(figures: Figures, rows: int) -> Range:
    """What so many answers cost, one after the other: tokens at an API, or the machine's hours."""
    hour = product(figures.fixed_month_usd, 1 / HOURS_A_MONTH)
    hours = product(figures.latency_ms, rows / _MS_AN_HOUR)
    return total(product(figures.request_usd, float(rows)), product(hour, hours))


def _hours(rows: int) -> Range:
    """A look at each row."""
    hours = rows * _MINUTES_A_CASE / _MINUTES_AN_HOUR
    return Range(low=hours / 2, median=hours, high=2 * hours)
