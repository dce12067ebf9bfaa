"""From what all arms said to the report: shares, tests, cost, frontiers, probes, the recommendation."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from finewright.compare.asking import SystemAnswers
from finewright.evaluate.arms import without_quotes
from finewright.judge.quotes import abstains
from finewright.judge.statistics import PairedDifference, compare_pairs
from finewright.schema.catalog import API
from finewright.schema.evaluate import Difference
from finewright_advice.compare.best_arm import Standing
from finewright_advice.estimate.money import api_request, own_hardware_run
from finewright_advice.judge.pairwise import (
    DIFFERENCE,
    DISCORDANT,
    Pair,
    detectable,
    pairwise,
    rows_needed,
)
from finewright_advice.judge.pareto import ParetoPoint, chances_of_best, frontier
from finewright_advice.measure.arms import (
    AFTER,
    BEFORE,
    KEPT,
    TEST,
    UNANSWERABLE,
    ArmAnswers,
    Criterion,
)
from finewright_advice.measure.facts import Change, says
from finewright_advice.schema.measure import GEPA, TUNED, Arm, MeasureSpec
from finewright_advice.schema.measure_report import (
    Abstention,
    ArmReport,
    FactProbe,
    FoundPrompt,
    PairTest,
    Power,
    RequestCost,
    RequestTokens,
    RowShare,
    TrainedArm,
)

SOLVED = "solved"
_SECONDS_AN_HOUR = 3600.0


@dataclass(frozen=True, slots=True)
class Judge:
    """What the arms' answers are judged by, and what they are reckoned with."""

    spec: MeasureSpec
    criterion: Criterion
    metrics: tuple[str, ...]
    api: API | None

    def difference(self, ours: Sequence[bool], theirs: Sequence[bool]) -> PairedDifference:
        """Paired by row, with its interval."""
        both = ([float(flag) for flag in flags] for flags in (ours, theirs))
        return compare_pairs(*both, **asdict(self.criterion.options))


def power_of(num_rows: int) -> Power:
    """What so many held-out rows can show, which is known before anything is asked."""
    return Power(
        rows=num_rows,
        difference=DIFFERENCE,
        discordant=DISCORDANT,
        rows_needed=rows_needed(DIFFERENCE, DISCORDANT),
        detectable=detectable(num_rows, DISCORDANT),
    )


def arm_reports(
    answers: Sequence[ArmAnswers],
    trainings: Mapping[Arm, TrainedArm],
    prompt: FoundPrompt | None,
    shots: int,
    judge: Judge,
) -> tuple[ArmReport, ...]:
    """Each arm on the held-out rows, and whether another is as cheap and as good."""
    solved: dict[str, list[bool]] = {
        a.arm: judge.criterion.judge_rows(a.given[TEST]) for a in answers
    }
    shares = {arm: judge.criterion.share(flags) for arm, flags in solved.items()}
    resamples, seed = judge.criterion.evaluate.resamples, judge.criterion.evaluate.seed
    chances = chances_of_best(solved, resamples=resamples, seed=seed)
    seconds: dict[Arm, float] = {arm: training.seconds for arm, training in trainings.items()}
    seconds |= {GEPA: prompt.seconds} if prompt else {}
    costs = {a.arm: _cost(a, shares[a.arm], seconds.get(a.arm, 0.0), judge) for a in answers}
    by_cost = frontier({arm: ParetoPoint(c.seconds, shares[arm].value) for arm, c in costs.items()})
    by_latency = frontier({a.arm: ParetoPoint(a.latency.p50, shares[a.arm].value) for a in answers})
    return tuple(
        ArmReport(
            arm=a.arm,
            shots=shots if a.arm == "k-shot" else 0,
            scores=tuple(judge.criterion.score(a.given[TEST], judge.metrics).scores),
            solved=shares[a.arm],
            p_best=chances[a.arm],
            latency=a.latency,
            tokens=_tokens(a.given[TEST]),
            cost=costs[a.arm],
            training=trainings.get(a.arm),
            is_cost_frontier=a.arm in by_cost,
            is_latency_frontier=a.arm in by_latency,
        )
        for a in answers
    )


def _tokens(given: SystemAnswers) -> RequestTokens:
    answers = given.answers
    return RequestTokens(
        prompt=_mean([answer.prompt_tokens or 0 for answer in answers]),
        answer=_mean([answer.sample.num_tokens or 0 for answer in answers]),
    )


def _cost(answers: ArmAnswers, share: RowShare, trained: float, judge: Judge) -> RequestCost:
    """`trained`: the seconds of what was made before the first request."""
    seconds = answers.latency.mean / 1000 + trained / judge.spec.requests
    usd = None
    if judge.spec.hardware is not None:
        usd = own_hardware_run(judge.spec.hardware, seconds / _SECONDS_AN_HOUR).median
    api = None
    if judge.api is not None and answers.arm not in TUNED:
        tokens = _tokens(answers.given[TEST])
        api = api_request(judge.api, tokens.prompt, tokens.answer)
    return RequestCost(
        training_seconds=trained,
        seconds=seconds,
        seconds_per_solved=_per(seconds, share),
        usd=usd,
        usd_per_solved=None if usd is None else _per(usd, share),
        api_usd=api,
    )


def _per(cost: float, share: RowShare) -> float | None:
    return cost / share.value if share.value else None


def pair_tests(answers: Sequence[ArmAnswers], judge: Judge) -> tuple[PairTest, ...]:
    """Every arm against every earlier one on the held-out rows."""
    solved: dict[str, list[bool]] = {
        a.arm: judge.criterion.judge_rows(a.given[TEST]) for a in answers
    }
    arms: dict[str, Arm] = {a.arm: a.arm for a in answers}
    return tuple(
        PairTest(
            arm=arms[pair.system],
            against=arms[pair.against],
            difference=difference_of(
                pair.system,
                pair.against,
                judge.difference(solved[pair.system], solved[pair.against]),
            ),
            won=pair.won,
            lost=pair.lost,
            p_value=pair.p_value,
            p_holm=pair.p_holm,
        )
        for pair in pairwise(solved)
    )


def difference_of(system: str, against: str, found: PairedDifference) -> Difference:
    """A paired difference of solved rows, as reports tell it."""
    return Difference(system=system, against=against, data=TEST, metric=SOLVED, **found._asdict())


def standings_of(arms: Sequence[ArmReport]) -> list[Standing]:
    """The arms as the recommendation weighs them: by seconds, which the dollars follow."""
    return [
        Standing(
            arm=arm.arm,
            solved=arm.solved,
            p_best=arm.p_best,
            cost_per_solved=arm.cost.seconds_per_solved,
            cost_text=cost_text(arm.cost),
        )
        for arm in arms
    ]


def cost_text(cost: RequestCost) -> str:
    """What a solved request costs, in words."""
    if cost.usd_per_solved is not None:
        return f"${1000 * cost.usd_per_solved:.2g} a thousand solved requests"
    if cost.seconds_per_solved is not None:
        return f"{cost.seconds_per_solved:.2g} s of this machine a solved request"
    return "no solved request at any cost"


def pairs_of(tests: Sequence[PairTest]) -> list[Pair]:
    """The tests as the recommendation reads them."""
    return [Pair(t.arm, t.against, t.won, t.lost, t.p_value, t.p_holm) for t in tests]


def _says(answers: ArmAnswers, changes: Sequence[Change]) -> list[tuple[bool, bool]]:
    """Of each changed fact, whether the answer says the new one, and whether the old one."""
    said = [without_quotes(sample.answer) for sample in answers.given[AFTER].samples]
    return [
        (says(answer, change.new), says(answer, change.old))
        for answer, change in zip(said, changes, strict=True)
    ]


def fact_probe(answers: ArmAnswers, changes: Sequence[Change], judge: Judge) -> FactProbe | None:
    """Who follows changed facts; None where none was changed, or nothing was left unchanged."""
    if AFTER not in answers.given or KEPT not in answers.given:
        return None
    pairs = _says(answers, changes)
    share, solved = judge.criterion.share, judge.criterion.judge_rows
    return FactProbe(
        arm=answers.arm,
        known_before=share(solved(answers.given[BEFORE])),
        follows_new=share([new and not old for new, old in pairs]),
        gives_old=share([old and not new for new, old in pairs]),
        kept=share(solved(answers.given[KEPT])),
    )


def abstention(answers: ArmAnswers, judge: Judge) -> Abstention | None:
    """Whether an arm says that the passages do not hold the answer, when they do not and when they do."""
    if UNANSWERABLE not in answers.given:
        return None
    share = judge.criterion.share
    by_exam = {name: answers.given[name] for name in (UNANSWERABLE, TEST)}
    said = {name: [abstains(s.answer) for s in given.samples] for name, given in by_exam.items()}
    return Abstention(
        arm=answers.arm, unanswerable=share(said[UNANSWERABLE]), answerable=share(said[TEST])
    )


def _mean(values: Sequence[int]) -> float:
    return sum(values) / len(values)
