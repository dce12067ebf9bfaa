"""Every task is judged once, verdict by verdict into a file; a second call goes on where one was cut."""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from textwrap import shorten
from typing import Literal

from finewright.catalog.prices import api_named, prices
from finewright.errors import DataError, FinewrightError, Interrupted, StageError
from finewright.evaluate.samples import read_samples
from finewright.judge.statistics import compare_pairs, mcnemar, mean_interval
from finewright.schema.common import Artifact, Model, Problem
from finewright.schema.evaluate import Difference, Sample, Score
from finewright.store.appended import append, appending, claim, keep_batches
from finewright.store.atomic import sha256_file
from finewright.workbench.signals import stop_requests
from finewright_advice.estimate.money import api_request
from finewright_advice.judging.judges import AnswerJudge, Verdict, load_judge
from finewright_advice.judging.marks import (
    agreement_of,
    corrected_mean,
    read_marks,
    side_won,
    write_sheet,
)
from finewright_advice.judging.report import Duels, JudgeReport, SheetReport, SystemMarks
from finewright_advice.judging.tasks import (
    LOST,
    MARKS,
    TIE,
    WON,
    Selection,
    Task,
    rows_by_system,
    tasks_of,
)

OnProgress = Callable[[str, str, int, int], None]
CONFIDENCE, RESAMPLES = 0.95, 2000  # EvaluateSpec's own
# A judge whose every tenth answer is no verdict is not one: what it leaves out may be what it dislikes.
_MOST_NONSENSE = 0.1
_WORTH = {WON: 1.0, TIE: 0.5, LOST: 0.0} | {mark: (int(mark) - 1) / 4 for mark in MARKS}
_SHOWN = 200  # characters of a rubric in the report; its digest stands beside the verdicts
SAMPLES = "evaluate/samples.jsonl"


class JudgeSettings(Model):
    """What a file of verdicts is of."""

    judge: str
    rubric_sha256: str
    samples_sha256: str
    selection: Selection


class JudgedAnswer(Model):
    """One verdict: an option or how the answer did, None for nonsense; `worth` is in [0, 1]."""

    id: str
    row: int
    system: str
    verdict: str | None
    worth: float | None
    turned: bool = False
    reasons: tuple[str, ...] = ()
    tokens_in: int = 0
    tokens_out: int = 0


@dataclass(frozen=True, slots=True)
class Judging:
    """Whose answers, by which rubric and judge, and where the verdicts go."""

    target: Path
    selection: Selection
    out: Path
    by: str
    rubric: str
    marks: Path | None = None


def read_answers(target: Path) -> tuple[Path, list[Sample]]:
    """The file of answers that a run or a path means, and them. Raises DataError where there is none."""
    path = target / SAMPLES if target.is_dir() else target
    if not path.is_file():
        hint = "finewright up, or evaluate with --samples, writes them"
        raise DataError(f"{path}: no answers", hint=hint)
    try:
        return path, read_samples(path)
    except ValueError as error:
        first = str(error).splitlines()[0]
        raise DataError(f"{path}: is no file of answers: {first}") from None


def make_sheet(target: Path, selection: Selection, out: Path) -> SheetReport:
    """A sheet of the answers for people to mark. Raises DataError for a file that is there already."""
    samples = read_answers(target)[1]
    tasks = tasks_of(samples, selection)
    if out.exists():
        raise DataError(f"{out}: already there", hint="name another file with --sheet")
    write_sheet(tasks, out)
    return SheetReport(
        out=out,
        rows=len(tasks),
        marks=", ".join(tasks[0].options),
        problems=tuple(_unshared(samples, tasks)),
    )


def judge_answers(
    request: Judging, *, load: Callable[[str], AnswerJudge] = load_judge, on_progress: OnProgress
) -> JudgeReport:
    """Judge every task and report. Raises DataError before a model is loaded for what cannot be judged, and
    StageError for a judge that answers nonsense."""
    path, samples = read_answers(request.target)
    tasks = tasks_of(samples, request.selection)
    marks = read_marks(request.marks, tasks) if request.marks else {}
    settings = JudgeSettings(
        judge=request.by,
        rubric_sha256=hashlib.sha256(request.rubric.encode()).hexdigest(),
        samples_sha256=sha256_file(path),
        selection=request.selection,
    )
    claim(request.out, settings)
    judged = _judge_all(request, tasks, load, on_progress)
    report = _report(request, tasks, judged, marks)
    unshared = _unshared(samples, tasks)
    return report.model_copy(update={"problems": (*report.problems, *unshared)})


def _judge_all(
    request: Judging,
    tasks: Sequence[Task],
    load: Callable[[str], AnswerJudge],
    on_progress: OnProgress,
) -> list[JudgedAnswer]:
    data = tasks[0].sample.data
    with appending(request.out) as file, stop_requests() as should_stop:
        lines = keep_batches(file, 1, len(tasks))
        judge = load(request.by) if len(lines) < len(tasks) else None
        while judge is not None and len(lines) < len(tasks):
            on_progress(request.by, data, len(lines), len(tasks))
            if stop := should_stop():
                hint = "the same command goes on from there"
                raise Interrupted("stopped while judging", signal_number=stop, hint=hint)
            found = _judge(judge, tasks[len(lines)], request.rubric)
            line = found.model_dump_json().encode() + b"\n"
            append(file, [line])
            lines.append(line)
    on_progress(request.by, data, len(lines), len(tasks))
    judged = [JudgedAnswer.model_validate_json(line) for line in lines]
    if [each.id for each in judged] != [task.id for task in tasks]:
        raise DataError(
            f"{request.out}: its lines are not of these answers", hint="name another --out"
        )
    return judged


def _judge(judge: AnswerJudge, task: Task, rubric: str) -> JudgedAnswer:
    verdicts = [judge.choose(task.messages(rubric), task.options)]
    if task.other is not None:
        verdicts.append(judge.choose(task.messages(rubric, turned=True), task.options))
        verdict, turned = _both_orders([v.option for v in verdicts])
        worth = None if verdict is None else _WORTH[verdict]
    else:
        verdict, turned, worth = verdicts[0].option, False, _worth_of(verdicts[0])
    return JudgedAnswer(
        id=task.id,
        row=task.sample.row,
        system=task.sample.system,
        verdict=verdict,
        worth=worth,
        turned=turned,
        reasons=tuple(v.reason for v in verdicts if v.reason),
        tokens_in=sum(v.tokens_in for v in verdicts),
        tokens_out=sum(v.tokens_out for v in verdicts),
    )


def _both_orders(options: Sequence[str | None]) -> tuple[str | None, bool]:
    """How the first answer did, and whether the order of the two changed it, which makes it a tie."""
    straight, turned = options
    if straight is None or turned is None:
        return None, False
    found = {side_won(straight, turned=False), side_won(turned, turned=True)}
    return (found.pop(), False) if len(found) == 1 else (TIE, True)


def _worth_of(verdict: Verdict) -> float | None:
    """The mean of the marks by their probabilities (G-Eval, section 3)."""
    if verdict.option is None:
        return None
    return sum(share * _WORTH[mark] for mark, share in verdict.shares.items())


def _report(
    request: Judging,
    tasks: Sequence[Task],
    judged: Sequence[JudgedAnswer],
    marks: Mapping[str, str],
) -> JudgeReport:
    nonsense = sum(each.verdict is None for each in judged)
    if nonsense > _MOST_NONSENSE * len(judged):
        reason = next((r for j in judged if j.verdict is None for r in j.reasons), "")
        raise StageError(
            f"{request.by}: {nonsense} of {len(judged)} answers of the judge are no verdict"
            + (f", such as {reason[:80]!r}" if reason else ""),
            hint=f"another judge, with another --out; what it said is in {request.out}",
        )
    verdicts = {each.id: each.verdict for each in judged if each.verdict is not None}
    seed = request.selection.seed
    agreement = agreement_of(verdicts, marks, seed=seed)
    tokens = (sum(j.tokens_in for j in judged), sum(j.tokens_out for j in judged))
    out = request.out
    duels = request.selection.against
    return JudgeReport(
        judge=request.by,
        data=tasks[0].sample.data,
        rubric=shorten(request.rubric, _SHOWN, placeholder=" ..."),
        marks=() if duels else tuple(_marks(judged, tasks[0].sample.data, marks, seed)),
        differences=() if duels else tuple(_differences(judged, tasks[0].sample.data, seed)),
        duels=tuple(_duels(judged, duels)) if duels else (),
        agreement=agreement,
        num_marks=len(marks),
        num_judged=len(judged),
        nonsense=nonsense,
        tokens_in=tokens[0],
        tokens_out=tokens[1],
        usd=_price(request.by, *tokens),
        out=Artifact(
            path=str(out), kind="verdicts", sha256=sha256_file(out), bytes=out.stat().st_size
        ),
        problems=tuple(_problems(request, nonsense, len(judged), has_marks=bool(marks))),
    )


def _unshared(samples: Sequence[Sample], tasks: Sequence[Task]) -> Iterator[Problem]:
    """A warning where some questions have no answer of one of the systems, as only shared ones are judged."""
    systems = dict.fromkeys(
        side.system for each in tasks for side in (each.sample, each.other) if side
    )
    rows = rows_by_system(samples, tasks[0].sample.data, [*systems])
    questions, shared = set.union(*rows.values()), set.intersection(*rows.values())
    if count := len(questions - shared):
        yield Problem(
            level="warning",
            key="judge",
            message=f"{count} of {len(questions)} questions have no answer of every one of {', '.join(rows)},"
            " and are left out",
        )


def _by_system(judged: Sequence[JudgedAnswer]) -> dict[str, dict[int, JudgedAnswer]]:
    found: dict[str, dict[int, JudgedAnswer]] = {}
    for each in judged:
        if each.worth is not None:
            found.setdefault(each.system, {})[each.row] = each
    return found


def _worths(judged: Mapping[int, JudgedAnswer], rows: Sequence[int]) -> list[float]:
    return [each.worth for each in map(judged.__getitem__, rows) if each.worth is not None]


def _marks(
    judged: Sequence[JudgedAnswer], data: str, marks: Mapping[str, str], seed: int
) -> list[SystemMarks]:
    found = []
    for system, own in _by_system(judged).items():
        values = _worths(own, list(own))
        ends = mean_interval(values, confidence=CONFIDENCE, resamples=RESAMPLES, seed=seed)
        named = {"system": system, "data": data, "metric": "judge"}
        mean = sum(values) / len(values)
        score = Score(**named, value=mean, low=ends.low, high=ends.high, n=len(values))
        people = {e.id: _WORTH[marks[e.id]] for e in own.values() if e.id in marks}
        by_id = {e.id: e.worth for e in own.values() if e.worth is not None}
        corrected = corrected_mean(by_id, people)
        found.append(SystemMarks(judged=score, corrected=_score(named, corrected, len(people))))
    return found


def _score(
    named: dict[str, str], found: tuple[float, tuple[float, float]] | None, n: int
) -> Score | None:
    if found is None:
        return None
    mean, (low, high) = found
    return Score(**named, value=mean, low=low, high=high, n=n)


def _differences(judged: Sequence[JudgedAnswer], data: str, seed: int) -> list[Difference]:
    """The first system against each other one, on the questions that both have a verdict on."""
    (first, ours), *others = _by_system(judged).items()
    found = []
    for name, theirs in others:
        rows = [row for row in ours if row in theirs]
        if not rows:
            continue
        pair = compare_pairs(
            _worths(ours, rows),
            _worths(theirs, rows),
            confidence=CONFIDENCE,
            resamples=RESAMPLES,
            seed=seed,
        )
        of = {"system": first, "against": name, "data": data, "metric": "judge"}
        found.append(
            Difference(
                **of, value=pair.value, low=pair.low, high=pair.high, p_value=pair.p_value, n=pair.n
            )
        )
    return found


def _duels(judged: Sequence[JudgedAnswer], against: str) -> list[Duels]:
    found = []
    for system, own in _by_system(judged).items():
        verdicts = [each.verdict for each in own.values()]
        won, lost = verdicts.count(WON), verdicts.count(LOST)
        found.append(
            Duels(
                system=system,
                against=against,
                won=won,
                lost=lost,
                tied=verdicts.count(TIE),
                turned=sum(each.turned for each in own.values()),
                p_value=mcnemar(won, lost),
            )
        )
    return found


def _price(by: str, tokens_in: int, tokens_out: int) -> float | None:
    """What the tokens cost by the catalog, where an endpoint's model is in it."""
    model = by.partition("#")[2]
    try:
        return (
            api_request(api_named(prices(), model), tokens_in, tokens_out).median if model else None
        )
    except FinewrightError:
        return None


def _problems(request: Judging, nonsense: int, num_all: int, *, has_marks: bool) -> list[Problem]:
    def problem(level: Literal["info", "warning"], message: str, hint: str = "") -> Problem:
        return Problem(level=level, key="judge", message=message, hint=hint)

    found = []
    if not has_marks:
        hint = "finewright judge ... --sheet marks.csv, fill it, then --marks marks.csv"
        found.append(problem("warning", "nobody has checked this judge", hint))
    if nonsense:
        found.append(
            problem("warning", f"{nonsense} of {num_all} answers were no verdict and are left out")
        )
    if "://" in request.by:
        found.append(
            problem("info", f"questions and answers were sent to {request.by.partition('#')[0]}")
        )
    return found
