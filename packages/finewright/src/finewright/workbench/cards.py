"""The README.md of every result of a run, written anew whenever more is known of it."""

from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version

from pydantic import BaseModel

from finewright.feature import feature_stages
from finewright.plugins import load
from finewright.report.layouts import page_of
from finewright.report.model_card import CardOf, model_card
from finewright.schema.data import DataReport
from finewright.schema.evaluate import EvaluateReport
from finewright.schema.lock import Lock
from finewright.schema.run import DAY
from finewright.schema.train import TrainReport
from finewright.store.atomic import write_text
from finewright.store.manifest import CARD, cover, describe, read_manifest
from finewright.store.rundir import RunDir

_NAME = "README.md"
_LIBRARIES = ("torch", "transformers", "peft")


def write_cards(run: RunDir, lock: Lock) -> None:
    """A card in each result's folder, with what the run's reports say by now; unchanged ones are left alone.

    Only the holder of the run's lock may call this."""
    if not run.report_path("train").is_file():
        return
    trained = run.read_report("train", TrainReport)
    data = run.read_report("data", DataReport)
    is_measured = is_behind_training(run, "evaluate")
    measured = run.read_report("evaluate", EvaluateReport) if is_measured else None
    parents = {parent.name: parent for parent in read_manifest(run).parents or ()}
    looked_at = [page_of(report) for report in _reports_behind_training(run)]
    for candidate in trained.candidates:
        text = model_card(
            CardOf(
                run=lock.spec.name,
                candidate=candidate,
                settings=lock.candidates[candidate.base_model],
                data=data,
                base=candidate.base_origin,
                revision=candidate.base_revision,
                license=candidate.base_license,
                evaluate=measured,
                several=len(trained.candidates) > 1,
                versions=_versions(),
                parent=parents.get(candidate.base_model),
                day=str(lock.spec.chat_template.get(DAY, "")),
                looked_at=looked_at,
            )
        )
        path = run.root / candidate.adapter / _NAME
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            write_text(path, text)
            cover(run, "train", describe(run, path, CARD))


def is_behind_training(run: RunDir, stage: str) -> bool:
    """Whether the stage looked at what was trained last."""
    stages = read_manifest(run).stages
    trained, ended = stages.get("train"), stages.get(stage)
    return bool(trained and ended and ended.finished >= trained.finished)


def _reports_behind_training(run: RunDir) -> Iterator[BaseModel]:
    """What stages of features that read the training found of it."""
    for name, stage in feature_stages().items():
        if "train" in stage.reads and is_behind_training(run, name):
            yield run.read_report(name, load(stage.report))


def _versions() -> dict[str, str]:
    found = {}
    for name in _LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
