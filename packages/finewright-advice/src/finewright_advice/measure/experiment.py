"""`decide --measure`: what prompting, retrieval and fine-tuning make of one base model on the same rows.

What a learning curve says about more rows.

What training took: general questions, asked of the base model and of what was made of it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from finewright.catalog.prices import api_named, prices
from finewright.catalog.prices import digest as digest_of_prices
from finewright.compare.asking import RowAnswer
from finewright.errors import DataError
from finewright.evaluate.answered import AnsweredRow
from finewright.evaluate.arms import order_by_chance, question_of
from finewright.evaluate.score import column_of, compare, options_of, score_answers
from finewright.feature import load_offered
from finewright.judge.statistics import PairedDifference
from finewright.lm import runtime
from finewright.report import cells
from finewright.schema.common import Problem
from finewright.schema.load import LoadedSpec
from finewright.schema.rag import RagSpec
from finewright.schema.rows import Row
from finewright.store.answers import AnswersLog
from finewright.store.atomic import os_errors, write_json, write_text
from finewright.store.keys import digest
from finewright.store.lock import run_lock
from finewright.store.rundir import RunDir
from finewright.workbench.prepare import input_digests, spec_key
from finewright.workbench.up import OnEvent
from finewright_advice.compare.best_arm import recommend
from finewright_advice.measure.arms import (
    KEPT,
    TEST,
    UNANSWERABLE,
    ArmAnswers,
    Criterion,
    Exams,
    Prompts,
    ask_test,
    best_shots,
    examples_of,
    exams_of,
    sit_all,
    try_shots,
)
from finewright_advice.measure.ask import BASE, ArmQuestions, Models
from finewright_advice.measure.assemble import (
    Judge,
    abstention,
    arm_reports,
    difference_of,
    fact_probe,
    pair_tests,
    pairs_of,
    power_of,
    standings_of,
)
from finewright_advice.measure.baselines import baselines, cautions, train
from finewright_advice.measure.check import check_section, refuse_unreadable
from finewright_advice.measure.gepa import find_prompt
from finewright_advice.measure.library import Library, open_library
from finewright_advice.measure.raft import raft_rows, retrieval
from finewright_advice.measure.rows import (
    ExperimentRows,
    check_gold,
    experiment_rows,
    require_column,
)
from finewright_advice.schema.measure import GEPA, TUNED, WITH_PASSAGES, Arm, MeasureSpec
from finewright_advice.schema.measure_report import (
    Changed,
    CurvePoint,
    Forgetting,
    FoundPrompt,
    GainCurve,
    MeasureReport,
    Power,
    ShotsTried,
    TrainedArm,
)

GENERAL = "general questions"


_METRICS = ("mentions", "perplexity")


WORTH = 0.02
"""Two points: what is surely less than that is called flat."""


_WHOLE_CURVE = 1.0


@dataclass(slots=True)
class _Experiment:
    """One experiment as it goes: its folder, its rows, and what was trained so far."""

    loaded: LoadedSpec
    spec: MeasureSpec
    rows: ExperimentRows
    judge: Judge
    library: Library | None
    asking: ArmQuestions
    trainings: dict[str, TrainedArm] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)


def measure(
    loaded: LoadedSpec,
    runs_root: Path,
    *,
    on_event: OnEvent,
    user_prices: Path | None = None,
) -> MeasureReport:
    """Run the spec's experiment in a folder below `runs_root`, or go on with it where it was cut.

    The same spec, rows, documents and code go on in the same folder; answers and trainings that are whole are
    taken from there. What so many rows can show is told before anything is asked. Raises SpecError, DataError
    or UnknownPlugin before a model is loaded where the experiment could say nothing."""
    spec, criterion = check_section(loaded)
    runtime.require_runtime()
    catalog = prices(user_prices)
    api = api_named(catalog, spec.api_model) if spec.api_model else None
    rows = experiment_rows(loaded, spec)
    require_column(column_of(criterion.metric), rows)
    documents = _documents(loaded) if WITH_PASSAGES & set(spec.arms) else []
    if documents:
        check_gold(rows, {id for id, _ in documents})
    models = Models(loaded)
    refuse_unreadable(models.chat, rows, spec, loaded.spec.train)
    power = power_of(len(rows.test))
    on_event("problem", {"level": "info", "message": _power_text(power, rows)})
    folder = _folder(loaded, rows, documents, runs_root)
    on_event("run", {"run": str(folder)})
    judge = Judge(spec, criterion, loaded.spec.evaluate.metric_names, api)
    with run_lock(RunDir(folder)):
        library = open_library(loaded, folder, on_event) if documents else None
        log = AnswersLog(folder / "answers.jsonl", RowAnswer)
        asking = ArmQuestions(folder, models, log, on_event, criterion.needed)
        experiment = _Experiment(loaded, spec, rows, judge, library, asking)
        report = _run(experiment, power, digest_of_prices(catalog) if api else "")
        write_json(folder / "report.json", report.model_dump(mode="json"))
    return report


def _folder(
    loaded: LoadedSpec, rows: ExperimentRows, documents: list[list[str]], runs_root: Path
) -> Path:
    """The folder of this experiment, made where it is not there yet."""
    key = digest(spec_key(loaded, input_digests(loaded)), rows.sha256, documents)
    folder = runs_root / f"measure-{loaded.spec.name}-{key[:8]}"
    with os_errors(folder):
        (folder / "runs").mkdir(parents=True, exist_ok=True)
    write_text(folder / "spec.yaml", loaded.text)
    return folder


def _documents(loaded: LoadedSpec) -> list[list[str]]:
    """The id and digest of every document. Raises DataError where none can be read."""
    rag = loaded.spec.section("rag", RagSpec)
    assert rag is not None
    found = load_offered("rag", "documents")(rag.documents, loaded.resolve)
    documents = [[document.id, document.sha256] for document in found.read()]
    if not documents:
        raise DataError("\n".join(problem.line() for problem in found.listing.problems()))
    return documents


def _power_text(power: Power, rows: ExperimentRows) -> str:
    shown = (
        f"they show {100 * power.detectable:.0f} points and more"
        if power.detectable
        else "they are too few to show any"
    )
    points, discordant = 100 * power.difference, 100 * power.discordant
    return (
        f"{power.rows} held-out rows: a difference of {points:g} points needs {power.rows_needed} where "
        f"{discordant:g} % of the answers differ; {shown} (80 % power, 5 % level). {len(rows.train)} rows "
        f"train, {len(rows.dev)} choose the examples"
    )


class _Chosen(NamedTuple):
    """What the development rows chose, and what was tried on them."""

    prompts: Prompts
    shots: tuple[ShotsTried, ...]
    prompt: FoundPrompt | None


def _choose(ex: _Experiment) -> _Chosen:
    given = (ex.rows, ex.spec, ex.judge.criterion, ex.asking)
    shots = try_shots(*given) if "k-shot" in ex.spec.arms else ()
    prompt = find_prompt(*given) if GEPA in ex.spec.arms else None
    examples = examples_of(ex.rows, ex.spec)[: best_shots(shots) if shots else 0]
    return _Chosen(Prompts(examples, prompt.instructions if prompt else ""), shots, prompt)


def _run(ex: _Experiment, power: Power, prices_version: str) -> MeasureReport:
    exams = exams_of(ex.rows, ex.spec, ex.library)
    chosen = _choose(ex)
    tuned = [arm for arm in ex.spec.ordered if arm in TUNED]
    for arm in tuned:
        _train_arm(ex, arm, arm, ex.rows.train)
    answers = sit_all(exams, chosen.prompts, ex.spec, ex.asking)
    shots = len(chosen.prompts.examples)
    arms = arm_reports(answers, _of_arms(ex, tuned), chosen.prompt, shots, ex.judge)
    pairs = pair_tests(answers, ex.judge)
    to_beat = baselines(ex.rows, answers, ex.judge, ex.asking)
    probes = [fact_probe(each, exams.edit.changes, ex.judge) for each in answers]
    abstentions = [abstention(each, ex.judge) for each in answers]
    recommendation = recommend(standings_of(arms), pairs_of(pairs), power, ex.spec.alpha)
    spec = ex.loaded.spec
    return MeasureReport(
        name=spec.name,
        folder=str(ex.asking.folder),
        base_model=spec.base_models[0],
        solved_by=_describe_criterion(ex.judge.criterion),
        confidence=spec.evaluate.confidence,
        alpha=ex.spec.alpha,
        rows_train=len(ex.rows.train),
        rows_dev=len(ex.rows.dev),
        rows_test=len(ex.rows.test),
        requests=ex.spec.requests,
        power=power,
        decontaminated=ex.rows.decontaminated,
        arms=arms,
        pairs=pairs,
        baselines=to_beat,
        shots=chosen.shots,
        prompt=chosen.prompt,
        retrieval=ex.library and retrieval(ex.rows, ex.library, ex.judge.criterion, ex.asking),
        curve=_curve(ex, answers, exams),
        facts=tuple(filter(None, probes)),
        changed=tuple(_list_changes(exams)),
        abstention=tuple(filter(None, abstentions)),
        forgetting=forgetting(tuned, ex.rows.general, ex.asking),
        prices=prices_version,
        recommendation=recommendation,
        problems=(
            *(draw.problem() for draw in ex.rows.draws),
            *(ex.library.problems if ex.library else ()),
            *ex.problems,
            *cautions(to_beat, spec.evaluate.confidence),
            *_untold(ex, exams),
        ),
    )


def _train_arm(ex: _Experiment, arm: Arm, name: str, rows: Sequence[Row]) -> None:
    """Train the arm on the rows; `rag+ft` on those that can be given passages."""
    if arm == "ft":
        _train(ex, name, rows)
        return
    assert ex.library is not None
    made = raft_rows(rows, ex.library, ex.spec, ex.asking.models.chat)
    ex.problems += made.problems if name == arm else ()
    _train(ex, name, made.rows, max(made.max_length, ex.loaded.spec.train.max_length))


def _train(ex: _Experiment, name: str, rows: Sequence[Row], max_length: int | None = None) -> None:
    ex.asking.models.let_go()
    trained = train(
        ex.loaded,
        ex.asking.folder,
        name.replace("+", "-"),
        rows,
        max_length=max_length,
        on_event=ex.asking.on_event,
    )
    ex.trainings[name] = trained.training
    ex.asking.models.runs[name] = trained.run


def _of_arms(ex: _Experiment, tuned: Sequence[Arm]) -> dict[Arm, TrainedArm]:
    return {arm: ex.trainings[arm] for arm in tuned}


def _curve(ex: _Experiment, answers: Sequence[ArmAnswers], exams: Exams) -> GainCurve | None:
    """The arm trained on parts of the rows, each part within the next; None where no part is asked for."""
    whole = next((a for a in answers if a.arm == ex.spec.curve_of), None)
    if whole is None or not ex.spec.curve:
        return None
    solved = ex.judge.criterion.judge_rows
    flags = {_WHOLE_CURVE: solved(whole.given[TEST])}
    sizes = {_WHOLE_CURVE: ex.trainings[whole.arm].rows}
    for share in ex.spec.curve:
        name = f"{whole.arm}-{100 * share:g}"
        part = order_by_chance(ex.rows.train, ex.spec.seed, "curve")[
            : max(1, round(share * len(ex.rows.train)))
        ]
        _train_arm(ex, whole.arm, name, part)
        given = ask_test(whole.arm, name, exams, ex.asking)
        flags[share], sizes[share] = solved(given), ex.trainings[name].rows
    last = max(ex.spec.curve)
    gain = ex.judge.difference(flags[_WHOLE_CURVE], flags[last])
    points = tuple(
        CurvePoint(share=share, rows=sizes[share], solved=ex.judge.criterion.share(flags[share]))
        for share in sorted(flags)
    )
    difference = difference_of("all rows", f"{last:.0%} of the rows", gain)
    return GainCurve(arm=whole.arm, points=points, gain=difference, reading=reading(gain, last))


def _list_changes(exams: Exams) -> list[Changed]:
    return [
        Changed(
            question=question_of(change.row),
            old=change.old,
            new=change.new,
            documents=change.documents,
        )
        for change in exams.edit.changes
    ]


def _describe_criterion(criterion: Criterion) -> str:
    return f"{criterion.metric} at least {criterion.at_least:g}"


def _untold(ex: _Experiment, exams: Exams) -> list[Problem]:
    """Probes that were asked for and could not be held."""
    found: list[Problem] = []
    if ex.library is None:
        return found
    for key, is_set, is_held, what in (
        ("facts", ex.spec.facts, KEPT in exams.by_name, "changed"),
        ("unanswerable", ex.spec.unanswerable, UNANSWERABLE in exams.by_name, "made unanswerable"),
    ):
        if is_set and not is_held:
            message = (
                f"nothing could be {what}: rows need `gold`, ids of documents of rag.documents"
            )
            hint = "add the column, or set the key to 0"
            found.append(Problem(level="warning", key=f"measure.{key}", message=message, hint=hint))
    return found


def reading(gain: PairedDifference, share: float) -> str:
    """Whether more rows are worth their labelling, by the paired gain from `share` of the rows to all of
    them.

    It looks at the last stretch alone, and at one training each: another seed moves it too."""
    said = f"from {cells.share(share)} to all of the rows {cells.points(gain)}"
    if gain.low > 0:
        return f"more rows are worth it: {said}"
    if gain.high < WORTH:
        return f"more rows like these are not worth it: {said}"
    return f"whether more rows are worth it is not settled: {said}"


def forgetting(
    systems: Sequence[str], rows: Sequence[Row], asking: ArmQuestions
) -> tuple[Forgetting, ...]:
    """Each system's share of right answers and its perplexity on the expected ones, the base first.

    An answer is right when it holds the expected words, in whatever case. The change is to the base."""
    options = options_of(asking.models.loaded.spec.evaluate)
    found = {}
    for name in (BASE, *systems):
        answers = asking.answers(f"general-{name}", name, "general", rows, metrics=("perplexity",))
        lower = [_lower(answer) for answer in answers.answers]
        found[name] = score_answers(answers.system, GENERAL, _METRICS, lower, options)
    return tuple(
        Forgetting(
            system=name,
            score=scored.scores[0],
            perplexity=scored.scores[1],
            change=None if name == BASE else compare(scored, found[BASE], options)[0],
        )
        for name, scored in found.items()
    )


def _lower(answer: RowAnswer) -> AnsweredRow:
    sample = answer.sample
    expected, text = sample.expected.casefold(), sample.answer.casefold()
    return AnsweredRow(sample.row, expected, text, answer.nll, answer.expected_tokens)
