"""The arms of an experiment: which model answers, what is put before its question, and its exams."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, NamedTuple

from finewright.compare.asking import SystemAnswers
from finewright.evaluate.arms import (
    gold_of,
    order_by_chance,
    question_of,
    with_examples,
    with_passages,
    with_task,
    without_quotes,
)
from finewright.evaluate.score import ScoredSet, ScoreOptions, options_of, scores_answers
from finewright.judge.statistics import mean_interval
from finewright.schema.evaluate import EvaluateSpec
from finewright.schema.rows import Row
from finewright_advice.measure.ask import BASE, ArmQuestions
from finewright_advice.measure.facts import Edit, edit
from finewright_advice.measure.library import Library, Shelf
from finewright_advice.measure.rows import ExperimentRows
from finewright_advice.schema.measure import GEPA, TUNED, WITH_PASSAGES, Arm, MeasureSpec
from finewright_advice.schema.measure_report import Latency, RowShare, ShotsTried

if TYPE_CHECKING:
    from finewright.lm.chat import Chat

TEST, UNANSWERABLE = "test", "unanswerable"
BEFORE, AFTER, KEPT = "facts-before", "facts-after", "facts-kept"


class Exam(NamedTuple):
    """A set of questions, and the index that passages for them come from."""

    rows: tuple[Row, ...]
    shelf: Shelf | None


@dataclass(frozen=True, slots=True)
class Criterion:
    """When a request is solved, and how intervals are made."""

    metric: str
    at_least: float
    evaluate: EvaluateSpec

    @property
    def options(self) -> ScoreOptions:
        """How intervals are made."""
        return options_of(self.evaluate)

    @property
    def needed(self) -> tuple[str, ...]:
        """What must be scored while a row's tools are at hand."""
        return (self.metric,) if scores_answers(self.metric) else ()

    def score(self, answers: SystemAnswers, metrics: Sequence[str]) -> ScoredSet:
        """The answers proper: quotes of passages are no part of what is compared."""
        return answers.score(metrics, self.options, without_quotes)

    def judge_rows(self, answers: SystemAnswers) -> list[bool]:
        """Row by row."""
        rows = self.score(answers, (self.metric,)).per_row
        return [row[self.metric] >= self.at_least for row in rows]

    def share(self, flags: Sequence[bool]) -> RowShare:
        """The share of rows with its interval (Wilson's)."""
        values = [float(flag) for flag in flags]
        interval = mean_interval(values, **asdict(self.options))
        return RowShare(
            value=sum(values) / len(values), low=interval.low, high=interval.high, n=len(values)
        )


@dataclass(frozen=True, slots=True)
class Exams:
    """All that the arms are asked, by name, and the facts that were changed."""

    by_name: dict[str, Exam]
    edit: Edit
    removed: tuple[str, ...]

    def of(self, arm: Arm) -> dict[str, Exam]:
        """What this arm is asked: without passages nobody can tell what is unanswerable."""
        return {
            name: exam
            for name, exam in self.by_name.items()
            if name != UNANSWERABLE or arm in WITH_PASSAGES
        }


def examples_of(rows: ExperimentRows, spec: MeasureSpec) -> list[Row]:
    """The training rows that examples are taken from, the first first."""
    return order_by_chance(rows.train, spec.seed, "examples")[: max(spec.shots)]


def _of_facts(found: Edit, library: Library) -> dict[str, Exam]:
    if not found.changes:
        return {}
    changed, rows = library.change(found.documents), tuple(each.row for each in found.changes)
    exams = {BEFORE: Exam(rows, library.shelf), AFTER: Exam(rows, changed)}
    return {**exams, KEPT: Exam(found.unchanged, changed)} if found.unchanged else exams


def exams_of(rows: ExperimentRows, spec: MeasureSpec, library: Library | None) -> Exams:
    """The held-out rows; facts of training rows before and after their documents changed; held-out rows
    without their documents. What is no example is asked, so that no prompt holds its own answer."""
    exams = {TEST: Exam(rows.test, library.shelf if library else None)}
    if library is None:
        return Exams(exams, Edit((), {}, ()), ())
    return _with_library(exams, rows, spec, library)


def _with_library(
    exams: dict[str, Exam], rows: ExperimentRows, spec: MeasureSpec, library: Library
) -> Exams:
    shown = {id(row) for row in examples_of(rows, spec)}
    texts = {id: document.text for id, document in library.documents.items()}
    candidates = [row for row in rows.train if id(row) not in shown]
    found = edit(candidates, texts, spec.facts, spec.seed)
    exams |= _of_facts(found, library)
    answerable = [row for row in rows.test if _has_documents(row, library)]
    chosen = order_by_chance(answerable, spec.seed, UNANSWERABLE)[: spec.unanswerable]
    removed = tuple(sorted({id for row in chosen for id in gold_of(row)}))
    if chosen:
        exams[UNANSWERABLE] = Exam(tuple(chosen), library.reduce(removed))
    return Exams(exams, found, removed)


def _has_documents(row: Row, library: Library) -> bool:
    gold = gold_of(row)
    return bool(gold) and all(id in library.documents for id in gold)


@dataclass(frozen=True, slots=True)
class ArmAnswers:
    """What an arm said in each exam, and how long one request took."""

    arm: Arm
    given: dict[str, SystemAnswers]
    latency: Latency


class Prompts(NamedTuple):
    """What was chosen on the development rows: the examples of `k-shot`, the instructions of `gepa`."""

    examples: Sequence[Row] = ()
    instructions: str = ""


def sit_all(
    exams: Exams, prompts: Prompts, spec: MeasureSpec, asking: ArmQuestions
) -> list[ArmAnswers]:
    """Ask each arm everything, and then time them in turns. A model is loaded only for what is not logged."""
    from finewright_advice.compare.latency import latency_of

    given = {arm: _sit(arm, exams, prompts, asking) for arm in spec.ordered}
    test = exams.by_name[TEST]
    rows = order_by_chance(test.rows, spec.seed, "latency")[: spec.latency_rows]
    systems = [
        asking.system(
            arm, _model_of(arm), "times", preparing(arm, test.shelf, prompts, asking.models.chat)
        )
        for arm in spec.ordered
    ]
    times = asking.times(systems, rows)
    return [
        ArmAnswers(arm, given[arm], latency_of(times[arm], searches=arm in WITH_PASSAGES))
        for arm in spec.ordered
    ]


def _sit(
    arm: Arm, exams: Exams, prompts: Prompts, asking: ArmQuestions
) -> dict[str, SystemAnswers]:
    given = {}
    for name, exam in exams.of(arm).items():
        prepare = preparing(arm, exam.shelf, prompts, asking.models.chat)
        metrics = None if name == TEST else asking.needed
        given[name] = asking.answers(
            arm, _model_of(arm), name, exam.rows, prepare=prepare, metrics=metrics
        )
    return given


def _model_of(arm: Arm) -> str:
    return arm if arm in TUNED else BASE


def ask_test(arm: Arm, model: str, exams: Exams, asking: ArmQuestions) -> SystemAnswers:
    """The held-out rows as this arm is asked, answered by another model than its own."""
    exam = exams.by_name[TEST]
    prepare = preparing(arm, exam.shelf, Prompts(), asking.models.chat)
    return asking.answers(model, model, TEST, exam.rows, prepare=prepare, metrics=asking.needed)


def preparing(
    arm: Arm, shelf: Shelf | None, prompts: Prompts, chat: "Chat"
) -> Callable[[Row], Row]:
    """What an arm puts before a question."""
    if arm == "k-shot":
        return lambda row: with_examples(row, prompts.examples)
    if arm == GEPA and (text := prompts.instructions):
        return lambda row: with_task(chat, row, text, [text])
    if arm in WITH_PASSAGES:
        assert shelf is not None
        return lambda row: with_passages(row, shelf.passages(question_of(row)))
    return lambda row: row


def try_shots(
    rows: ExperimentRows, spec: MeasureSpec, criterion: Criterion, asking: ArmQuestions
) -> tuple[ShotsTried, ...]:
    """Each number of examples on the development rows, which are in no other set."""
    tried = []
    for shots in spec.shots:
        examples = examples_of(rows, spec)[:shots]
        prepare = preparing("k-shot", None, Prompts(examples), asking.models.chat)
        given = asking.answers(
            f"{shots}-shot",
            BASE,
            "development rows",
            rows.dev,
            prepare=prepare,
            metrics=asking.needed,
        )
        tried.append(ShotsTried(shots=shots, solved=criterion.share(criterion.judge_rows(given))))
    return tuple(tried)


def best_shots(tried: Sequence[ShotsTried]) -> int:
    """The number that solves most; of equals the smaller, which costs less to read."""
    return max(tried, key=lambda one: (one.solved.value, -one.shots)).shots
