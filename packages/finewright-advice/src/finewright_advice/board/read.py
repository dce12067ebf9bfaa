"""What runs and experiments measured, read for a board.

Digests are compared first: a run that was changed since its stages ended is refused."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from finewright.data.provenance.licences import classes_of
from finewright.errors import SpecError, StoreError
from finewright.schema.common import Problem
from finewright.schema.data import DataReport
from finewright.schema.evaluate import BASE, TUNED, EvaluateReport, Score
from finewright.schema.train import Candidate, TrainReport
from finewright.store import manifest
from finewright.store.atomic import read_json
from finewright.store.rundir import RunDir, is_run, open_run
from finewright.store.speclock import lock_of
from finewright_advice.board.report import BoardReport, BoardRow, BoardTraining
from finewright_advice.schema.measure import Arm
from finewright_advice.schema.measure_report import MeasureReport

_SYSTEM_OF: dict[Arm, str] = {
    "0-shot": BASE,
    "k-shot": f"{BASE} + examples",
    "gepa": f"{BASE} + instructions",
    "rag": f"{BASE} + passages",
    "ft": TUNED,
    "rag+ft": f"{TUNED} + passages",
}
"""An experiment's options by the names that score cards have for the same."""


class _Entry(NamedTuple):
    """What one folder brings."""

    rows: tuple[BoardRow, ...]
    trainings: tuple[BoardTraining, ...]
    confidence: float


def read_board(folders: Sequence[Path]) -> BoardReport:
    """The scores of these runs and experiments, and their trainings.

    Raises StoreError for a folder that is neither, is unfinished or has changed, SpecError for one that is
    named twice, or where intervals are at different levels."""
    places = [folder.resolve() for folder in folders]
    pairs = zip(folders, places, strict=True)
    twice = next((folder for folder, place in pairs if places.count(place) > 1), None)
    if twice is not None:
        raise SpecError(f"{twice}: is named twice", hint="name each run once")
    entries = [_read(folder) for folder in folders]
    levels = {entry.confidence for entry in entries}
    if len(levels) > 1:
        named = ", ".join(f"{f}: {e.confidence:g}" for f, e in zip(folders, entries, strict=True))
        raise SpecError(
            f"intervals are at different levels ({named}), and do not compare",
            hint="measure with one `evaluate.confidence`",
        )
    rows = tuple(row for entry in entries for row in entry.rows)
    trainings = tuple(each for entry in entries for each in entry.trainings)
    return BoardReport(
        systems=_order(rows),
        rows=rows,
        trainings=trainings,
        confidence=levels.pop(),
        problems=tuple(_cautions(trainings)),
    )


def _read(folder: Path) -> _Entry:
    if is_run(folder):
        return _read_run(folder)
    report = folder / "report.json"
    if folder.name.startswith("measure-"):
        if not report.is_file():
            hint = "`finewright decide --measure` with its spec goes on with it"
            raise StoreError(f"{folder}: the experiment has not finished", hint=hint)
        return _read_experiment(folder, report)
    open_run(folder)  # raises, and says what is missing
    raise AssertionError(folder)


def _read_run(folder: Path) -> _Entry:
    run = _open_unchanged(folder)
    name = lock_of(run).spec.name
    report = run.read_report("evaluate", EvaluateReport)
    trained = run.read_report("train", TrainReport).candidates
    rows: dict[tuple[str, str, str], BoardRow] = {}
    for score in report.scores:
        for model, system in _split(score.system, trained):
            key = model, score.data, score.metric
            row = rows.setdefault(key, _make_row(name, key, score.n))
            row.scores[system] = score
    return _Entry(tuple(rows.values()), tuple(_trainings(run, name)), report.confidence)


def _read_experiment(folder: Path, path: Path) -> _Entry:
    report = read_json(path, MeasureReport, hint="run `finewright decide --measure` again")
    rows: dict[str, BoardRow] = {}
    for arm in report.arms:
        system, data = _SYSTEM_OF[arm.arm], arm.scores[0].data
        share = arm.solved.model_dump()
        solved = Score(system=system, data=data, metric=report.solved_by, **share)
        for score in (solved, *arm.scores):
            key = report.base_model, data, score.metric
            row = rows.setdefault(score.metric, _make_row(report.name, key, score.n))
            row.scores[system] = score
    used = {arm.training.run for arm in report.arms if arm.training}
    runs = [_open_unchanged(folder / run) for run in sorted(used)]
    trainings = tuple(each for run in runs for each in _trainings(run, report.name))
    return _Entry(tuple(rows.values()), trainings, report.confidence)


def _make_row(task: str, key: tuple[str, str, str], n: int) -> BoardRow:
    base_model, data, metric = key
    return BoardRow(task=task, base_model=base_model, data=data, metric=metric, n=n, scores={})


def _open_unchanged(folder: Path) -> RunDir:
    run = open_run(folder)
    errors = [each for each in manifest.verify(run) if each.level == "error"]
    if errors:
        raise StoreError(
            f"{folder}: {errors[0].line()}", hint=f"`finewright verify {folder}` says all of it"
        )
    return run


def _split(system: str, trained: Sequence[Candidate]) -> list[tuple[str, str]]:
    """The base model, and the system without its name, which a run of several models puts first; what is no
    model's, a bag of words, stands beside each."""
    if len(trained) == 1:
        return [(trained[0].base_model, system)]
    models = [candidate.base_model for candidate in trained]
    owners = [model for model in models if system.startswith(f"{model} ")]
    if not owners:
        return [(model, system) for model in models]
    owner = max(owners, key=len)
    return [(owner, system.removeprefix(f"{owner} "))]


def _trainings(run: RunDir, task: str) -> Iterator[BoardTraining]:
    data = run.read_report("data", DataReport)
    licenses = data.ledger.licenses if data.ledger else {}
    finished = manifest.read_manifest(run).stages["train"].finished.date().isoformat()
    settings = lock_of(run).candidates
    for each in run.read_report("train", TrainReport).candidates:
        yield BoardTraining(
            task=task,
            run=str(run.root),
            base_model=each.base_model,
            base_license=each.base_license,
            licenses=licenses,
            copyleft=tuple(name for name in licenses if "copyleft" in classes_of(name)),
            minutes=each.seconds / 60,
            seed=settings[each.base_model].seed,
            finished=finished,
        )


def _order(rows: Sequence[BoardRow]) -> tuple[str, ...]:
    """The systems: the base as it is, its helped ones, others, then the tuned."""
    found = dict.fromkeys(system for row in rows for system in row.scores)
    return tuple(sorted(found, key=lambda s: (s.startswith(TUNED), not s.startswith(BASE))))


def _cautions(trainings: Sequence[BoardTraining]) -> Iterator[Problem]:
    for each in trainings:
        for name in each.copyleft:
            yield Problem(
                level="warning",
                key="data.sources",
                message=f"{each.task}: {each.licenses[name]:,} training rows are under {name},"
                " a copyleft licence",
                hint="ask counsel before the model leaves the house; the sets of finewright-web3 leave such"
                " rows out unless --include-copyleft",
            )
