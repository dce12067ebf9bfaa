"""What a bake-off and a search of settings have in common: a folder of runs on the same rows, and scores.

Each run is an ordinary one under `runs/` of the contest's folder, so it can be shown, verified and used, is
never trained twice, and goes on where it was cut. What chooses between runs are the rows that
`data.eval_fraction` holds out; the rows of `evaluate.data` are asked only once everything is chosen."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from finewright.compare.asking import RowAnswer, read_answers_of_samples
from finewright.compare.local import LocalModel
from finewright.data.gather import measure_held_out_share
from finewright.errors import SpecError
from finewright.evaluate.samples import read_samples
from finewright.evaluate.score import ScoreOptions, check_metrics, options_of
from finewright.rows.texts import draw_rows
from finewright.schema.common import Problem
from finewright.schema.data import DataReport
from finewright.schema.evaluate import BASE, BASE_WITH_LABELS, LINEAR, TUNED, Sample
from finewright.schema.load import LoadedSpec, change_spec
from finewright.schema.nodes import Tree
from finewright.schema.report import RunReport
from finewright.schema.rows import Row, parse_rows
from finewright.schema.run import RunSpec
from finewright.schema.train import Candidate
from finewright.store.answers import AnswersLog
from finewright.store.atomic import os_errors, write_text
from finewright.store.keys import digest
from finewright.store.rundir import RunDir
from finewright.store.runs import list_runs
from finewright.store.stage import refuse
from finewright.workbench.plan import plan
from finewright.workbench.prepare import input_digests, spec_key
from finewright.workbench.signals import goes_on, watch_for_stop
from finewright.workbench.systems import load_system
from finewright.workbench.up import OnEvent, resume, up
from finewright_advice.compare.comparison import Comparison, compare

HELD_OUT = "held-out rows"
DEVELOPMENT = "development rows"
# What an entry keeps of the spec: what decides the training and its measure.
_OF_A_RUN = {
    "version",
    "name",
    "base_models",
    "remote_code",
    "chat_template",
    "data",
    "train",
    "evaluate",
}


@dataclass(frozen=True, slots=True)
class Contest:
    """A folder, the spec that all runs in it vary, the metric that decides, and who is told of events."""

    folder: Path
    loaded: LoadedSpec
    metric: str
    development_rows: int | None
    on_event: OnEvent

    @property
    def options(self) -> ScoreOptions:
        """How intervals are made."""
        return options_of(self.loaded.spec.evaluate)

    @property
    def metrics(self) -> tuple[str, ...]:
        """What is told of the held-out rows: every metric that answers have."""
        return tuple(m for m in self.loaded.spec.evaluate.metric_names if m != "perplexity")

    def say(self, what: str) -> None:
        """Tell whoever watches what comes next."""
        self.on_event("contest", {"what": what})

    def report_answered(self, system: str, data: str, done: int, total: int) -> None:
        """Tell whoever watches how many rows a system has answered."""
        self.on_event("progress", {"system": system, "data": data, "done": done, "total": total})


@dataclass(frozen=True, slots=True)
class ContestRun:
    """A run of a contest that is trained, and what its stages said."""

    spec: LoadedSpec
    run: RunDir
    data: DataReport
    trained: Candidate

    @property
    def base_model(self) -> str:
        """The one base model of the run."""
        return self.trained.base_model

    @property
    def title(self) -> str:
        """Its name in the contest: the base model, and who trained it where that was not finewright."""
        return self.trained.title


def check_contest(loaded: LoadedSpec, kind: str, metric: str) -> str:
    """The metric that decides. Raises SpecError or UnknownPlugin where a contest could say nothing."""
    spec = loaded.spec
    check_metrics(spec.evaluate.metric_names)
    for key, wrong, hint in _wrongs(spec, kind, metric):
        raise SpecError(f"{loaded.path}: {key}: {wrong}", hint=hint)
    return metric or spec.evaluate.metric_names[0]


def _wrongs(spec: RunSpec, kind: str, metric: str) -> list[tuple[str, str, str]]:
    """(key, what is wrong, mend), the gravest first."""
    metrics = spec.evaluate.metric_names
    found = []
    if not spec.train.gives_answers:
        what = "a reward model gives no answers, and answers are what is compared"
        found.append(("train.method", what, "name a method that trains a model to answer"))
    if metric and metric not in metrics:
        what = f"{metric!r} is not among evaluate.metrics"
        found.append((f"{kind}.metric", what, f"name one of {', '.join(metrics)}, or add it there"))
    if (metric or metrics[0]) == "perplexity":
        what = "perplexity is by token, and models cut text into different ones"
        found.append((f"{kind}.metric", what, "name a metric of the answers"))
    return found + _missing_rows(spec)


def _missing_rows(spec: RunSpec) -> list[tuple[str, str, str]]:
    found = []
    if not spec.data.eval_fraction:
        what = "no rows are held out of training, and something must choose"
        found.append(("data.eval_fraction", what, "set it, such as 0.1"))
    if not spec.evaluate.data:
        what = (
            "there are no rows that chose nothing, and only those can tell how good the chosen is"
        )
        found.append(("evaluate.data", what, "name a file of held-out rows"))
    return found


def open_contest(
    loaded: LoadedSpec, kind: str, root: Path, parts: Sequence[object], *, on_event: OnEvent
) -> Path:
    """The folder of this contest, made where it is not there yet; the same spec, inputs, code and `parts`
    go on in the one they began.

    Raises DataError, before it is made, for a model that cannot read the rows: they are too long for it, or
    its chat template refuses them."""
    alone = change_spec(loaded, {}, without=_others(loaded))
    key = digest(spec_key(alone, input_digests(alone)), *parts)
    folder = root / f"{kind}-{loaded.spec.name}-{key[:8]}"
    if not list_runs(folder / "runs"):
        on_event("contest", {"what": "reading the rows as each model reads them"})
        refuse(_unreadable(alone))
    with os_errors(folder):
        (folder / "runs").mkdir(parents=True, exist_ok=True)
    write_text(folder / "spec.yaml", loaded.text)
    on_event("contest", {"what": f"{kind} folder: {folder}"})
    return folder


def _unreadable(loaded: LoadedSpec) -> list[Problem]:
    planned = plan(loaded)
    return [
        *planned.problems,
        *(
            problem.model_copy(update={"message": f"{each.base_model}: {problem.message}"})
            for each in planned.candidates
            for problem in each.problems
        ),
    ]


def vary_spec(contest: Contest, values: Mapping[str, Tree], *, where: str = "") -> LoadedSpec:
    """The contest's spec as that of one run, with these values at dotted keys. Raises SpecError."""
    return change_spec(contest.loaded, values, without=_others(contest.loaded), where=where)


def train(contest: Contest, spec: LoadedSpec, *, on_event: OnEvent | None = None) -> ContestRun:
    """The run of this spec, trained; it is trained now where it is not yet."""
    watch = on_event or contest.on_event
    with goes_on():
        report = up(spec, contest.folder / "runs", on_event=watch, through="train")
    return _entry(spec, report)


def development(contest: Contest, entries: Sequence[ContestRun]) -> Comparison:
    """The runs' tuned models on the development rows, by their titles. Answers are asked for once."""
    rows = development_rows(contest, entries[0])
    systems = [system_of(entry) for entry in entries]
    from finewright.evaluate.measured import RowSet, settings_of

    spec = contest.loaded.spec.evaluate.model_copy(update={"metrics": contest.metrics})
    log = AnswersLog(contest.folder / "answers.jsonl", RowAnswer)
    row_set = RowSet(DEVELOPMENT, rows)
    with watch_for_stop(contest.report_answered) as watch:
        return compare(systems, row_set, settings_of(spec), contest.metric, log, watch)


def development_rows(contest: Contest, entry: ContestRun) -> list[Row]:
    """The rows that choose: those held out of training, or as many of them as the spec says, drawn."""
    path = entry.run.root / "data" / "eval.jsonl"
    with os_errors(path):
        rows = measure_held_out_share(parse_rows(path.read_text(encoding="utf-8"))).rows
    if not rows:
        raise SpecError(
            f"{contest.loaded.path}: data.eval_fraction: no row that it holds out says what is expected",
            hint="raise it, or train on rows with answers",
        )
    most = contest.development_rows or len(rows)
    return list(draw_rows(rows, most, contest.loaded.spec.evaluate.seed).rows)


class HeldOut(NamedTuple):
    """A tuned model's answers to the rows that chose nothing, and those beside it that answered them all, by
    their names in a score card."""

    samples: list[Sample]
    systems: Comparison


def measure_held_out(contest: Contest, entry: ContestRun, name: str) -> HeldOut:
    """The run's tuned model, called by this name, its base and a bag of words; the run's evaluate stage is
    run where it has not been yet."""
    with goes_on():
        report = resume(entry.run.root, on_event=contest.on_event).evaluate
    assert report is not None
    assert report.samples is not None
    samples: dict[str, list[Sample]] = {}
    for sample in read_samples(entry.run.root / report.samples.path):
        samples.setdefault(sample.system, []).append(sample)
    untuned = f"{name} untuned"
    names = {TUNED: name, BASE: untuned, BASE_WITH_LABELS: untuned, LINEAR: LINEAR}
    scored = {
        system: read_answers_of_samples(names[system], HELD_OUT, answers).score(
            contest.metrics, contest.options
        )
        for system, answers in samples.items()
        if system in names and len(answers) == len(samples[TUNED])
    }
    return HeldOut(samples[TUNED], Comparison(scored, contest.metric, contest.options))


def of_data(entry: ContestRun) -> Iterator[Problem]:
    """What the data door warns of, which is true of every run, and which held-out rows were drawn."""
    yield from (problem for problem in entry.data.problems if problem.level != "info")
    yield from (draw.problem() for draw in entry.data.draws)


def system_of(entry: ContestRun) -> LocalModel:
    """The run's tuned model, by its title."""
    adapter = [a.sha256 for a in entry.trained.artifacts if a.kind == "adapter"]
    key = digest(entry.trained.base_sha256, adapter)
    return LocalModel(entry.title, key, lambda: load_system(str(entry.run.root)))


def _entry(spec: LoadedSpec, report: RunReport) -> ContestRun:
    assert report.train is not None
    assert report.data is not None
    run = RunDir(Path(report.summary.run))
    return ContestRun(spec, run, report.data, report.train.candidates[0])


def _others(loaded: LoadedSpec) -> list[str]:
    """The sections that are no business of a run's."""
    return [key for key in loaded.data if key not in _OF_A_RUN]
