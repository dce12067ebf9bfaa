"""What a run's own records say of a candidate: read once, for all rules. A stage counts that looked at what
was trained last."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from finewright.errors import StoreError
from finewright.evaluate.samples import read_samples
from finewright.schema.common import Problem, errors_of
from finewright.schema.data import DataReport
from finewright.schema.evaluate import BASE, LINEAR, TUNED, EvaluateReport, Sample
from finewright.schema.export import ExportReport
from finewright.schema.lock import Lock
from finewright.schema.train import Candidate, TrainSettings
from finewright.store.atomic import os_errors, read_json
from finewright.store.manifest import CARD, Manifest, read_manifest
from finewright.store.rundir import RunDir, open_run
from finewright.store.speclock import lock_of
from finewright.workbench.cards import is_behind_training
from finewright_trust.redteam.finding import RedteamReport

EXPORT_REPORT = "export.json"


@dataclass(frozen=True)
class RunEvidence:
    """A candidate of a run, and what was found of it. `exports`: folders that `finewright export` wrote."""

    run: RunDir
    lock: Lock
    manifest: Manifest
    candidate: Candidate
    data: DataReport
    evaluate: EvaluateReport | None
    redteam: RedteamReport | None
    exports: Sequence[Path]

    @property
    def prefix(self) -> str:
        """What stands before the names of its systems, in a run of several base models."""
        return f"{self.candidate.base_model} " if len(self.lock.spec.base_models) > 1 else ""

    @property
    def settings(self) -> TrainSettings:
        """As the candidate was trained."""
        return self.lock.candidates[self.candidate.base_model]

    @property
    def adapter(self) -> Path:
        """What was trained."""
        return self.run.root / self.candidate.adapter

    @cached_property
    def faults(self) -> list[Problem]:
        """What is not as the run's manifest and its recorded answers say."""
        from finewright.workbench.runs import verify

        return errors_of(verify(self.run.root).problems)

    @property
    def rival(self) -> str:
        """What it may be no worse than: its base, or the bag of words where no base knows the labels."""
        return BASE if self.settings.writes_text else LINEAR

    def samples(self) -> tuple[list[Sample], list[Sample]]:
        """The recorded answers of the tuned model and of its rival to the same rows."""
        theirs = LINEAR if self.rival == LINEAR else f"{self.prefix}{self.rival}"
        found = samples_of_run(self.run)
        first, second = (
            [s for s in found if s.system == name] for name in (f"{self.prefix}{TUNED}", theirs)
        )
        return first, second

    def contents(self) -> dict[str, Path]:
        """Path in a bundle -> the file, of what is decided about: weights, spec, reports, cards, exports."""
        return dict(self._contents())

    def _contents(self) -> Iterator[tuple[str, Path]]:
        for path in _files(self.adapter):
            yield f"model/{path.relative_to(self.adapter).as_posix()}", path
        for row in self.manifest.artifacts:
            is_of_model = row.stage == "train" and row.kind == CARD
            if row.stage in self._stages() and row.kind in _PAPERS and not is_of_model:
                yield f"run/{row.path}", self.run.root / row.path
        for number, folder in enumerate(self.exports, 1):
            for path in _files(folder):
                yield f"exports/{number}-{folder.name}/{path.relative_to(folder).as_posix()}", path

    def _stages(self) -> tuple[str, ...]:
        looked = {"evaluate": self.evaluate, "redteam": self.redteam}
        later = [name for name, report in looked.items() if report]
        if is_behind_training(self.run, "comply"):
            later.append("comply")
        return ("run", "data", "train", *later)


_PAPERS = frozenset({"spec", "spec_lock", "environment", "report", "ledger", CARD})
"""Kinds of files that go into a bundle: none of them holds a row of the data."""


def read_evidence(path: Path, base_model: str, exports: Sequence[Path]) -> RunEvidence:
    """The records of a run. Raises StoreError where it was not trained, or is damaged."""
    from finewright.workbench.systems import candidate_of

    run = open_run(path)
    if not run.report_path("train").is_file():
        hint = f"finewright up {path} goes on with it"
        raise StoreError(
            f"{path}: the stage train is not done, so there is no model yet", hint=hint
        )
    candidate = candidate_of(run, base_model)
    looked_at = {name: is_behind_training(run, name) for name in ("evaluate", "redteam")}
    return RunEvidence(
        run=run,
        lock=lock_of(run),
        manifest=read_manifest(run),
        candidate=candidate,
        data=run.read_report("data", DataReport),
        evaluate=run.read_report("evaluate", EvaluateReport) if looked_at["evaluate"] else None,
        redteam=run.read_report("redteam", RedteamReport) if looked_at["redteam"] else None,
        exports=exports,
    )


def samples_of_run(run: RunDir) -> list[Sample]:
    """Every recorded answer. Raises StoreError where there are none."""
    return read_samples(run.root / "evaluate" / "samples.jsonl")


def read_export(folder: Path) -> ExportReport:
    """What an export says of itself. Raises StoreError for a folder that is none."""
    path = folder / EXPORT_REPORT
    hint = "name a folder that `finewright export` wrote"
    return read_json(path, ExportReport, hint=hint)


def _files(folder: Path) -> list[Path]:
    with os_errors(folder):
        return sorted(path for path in folder.rglob("*") if path.is_file())
