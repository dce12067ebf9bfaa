"""A run is a folder: its named files and reports."""

from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel

from finewright.errors import StoreError
from finewright.store import atomic

Report = TypeVar("Report", bound=BaseModel)

_NEEDED = ("spec.yaml", "spec.lock.yaml", "manifest.json")


@dataclass(frozen=True, slots=True)
class RunDir:
    """The paths of one run, and its reports."""

    root: Path

    @property
    def spec(self) -> Path:
        """The spec as written."""
        return self.root / "spec.yaml"

    @property
    def spec_lock(self) -> Path:
        """The spec with every default resolved, and the digests of its inputs."""
        return self.root / "spec.lock.yaml"

    @property
    def manifest(self) -> Path:
        """One row per artifact, and the keys of the finished stages."""
        return self.root / "manifest.json"

    @property
    def events(self) -> Path:
        """What happened, append-only."""
        return self.root / "events.jsonl"

    @property
    def env(self) -> Path:
        """The machine and the package versions at creation."""
        return self.root / "env.json"

    @property
    def lock(self) -> Path:
        """Held by the one writer."""
        return self.root / "run.lock"

    def stage_dir(self, stage: str) -> Path:
        """The folder of a stage, made when missing."""
        folder = self.root / stage
        with atomic.os_errors(folder):
            folder.mkdir(exist_ok=True)
        return folder

    def report_path(self, stage: str) -> Path:
        """Where a stage's report lies or will lie."""
        return self.root / stage / "report.json"

    def read_report(self, stage: str, model: type[Report]) -> Report:
        """The report of a finished stage."""
        path = self.report_path(stage)
        if not path.is_file():
            raise StoreError(
                f"{path}: no such report; the stage {stage!r} has not finished in this run",
                hint="`finewright up` runs the missing stages",
            )
        return atomic.read_json(path, model, hint=f"run the stage {stage!r} again")

    def write_report(self, stage: str, report: BaseModel) -> Path:
        """Put a stage's report in place whole; returns where."""
        path = self.stage_dir(stage) / "report.json"
        atomic.write_json(path, report.model_dump(mode="json"))
        return path


def is_run(path: str | Path) -> bool:
    """Whether a run's folder lies there; `open_run` says whether it is whole."""
    return RunDir(Path(path)).manifest.is_file()


def open_run(path: Path) -> RunDir:
    """The run at `path`; StoreError when it is no run folder, saying what is missing."""
    hint = "a run folder looks like runs/2026-11-24-support-bot-7f3a; `finewright runs list` lists them"
    if not path.is_dir():
        what = "is a file, not a run folder" if path.exists() else "no such run folder"
        raise StoreError(f"{path}: {what}", hint=hint)
    missing = [name for name in _NEEDED if not (path / name).is_file()]
    if missing:
        raise StoreError(f"{path}: is no run folder; it lacks {', '.join(missing)}", hint=hint)
    return RunDir(path)
