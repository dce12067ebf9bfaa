"""A run is a folder: its named files, how it is made whole, found and opened."""

import errno
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import count
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel

from finewright.errors import StoreError
from finewright.schema.parents import ParentRun
from finewright.store import atomic
from finewright.store.environment import environment
from finewright.store.manifest import read_manifest, start_manifest

Report = TypeVar("Report", bound=BaseModel)

_DATE = r"\d{4}-\d{2}-\d{2}"
_GROUP = re.compile(r"(bakeoff|tune|measure)-.+-[0-9a-f]{8}$")
_DATED = re.compile(f"{_DATE}-")
_NEEDED = ("spec.yaml", "spec.lock.yaml", "manifest.json")
_TAKEN = {errno.EEXIST, errno.ENOTEMPTY, errno.ENOTDIR}


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


def create_run(  # noqa: PLR0913, PLR0917 - what a run is begun with
    runs_root: Path,
    name: str,
    key: str,
    spec_text: str,
    lock_text: str,
    now: datetime,
    parents: Sequence[ParentRun] = (),
) -> RunDir:
    """A new run folder that appears whole under its final name; never touches an existing one.

    A second run of the same name and key on one day ends in `-2`, the next in `-3`."""
    with atomic.os_errors(runs_root):
        runs_root.mkdir(parents=True, exist_ok=True)
    stem = f"{now:%Y-%m-%d}-{name}-{key[:4]}"
    with atomic.scratch_dir(runs_root / stem) as scratch:
        draft = RunDir(scratch)
        atomic.write_text(draft.spec, spec_text)
        atomic.write_text(draft.spec_lock, lock_text)
        atomic.write_json(draft.env, environment())
        start_manifest(draft, key, now, parents)
        return RunDir(_claim(scratch, runs_root / stem))


def find_run(runs_root: Path, name: str, key: str) -> RunDir | None:
    """The newest run of that name whose manifest holds the whole key."""
    same = re.compile(rf"{_DATE}-{re.escape(name)}-{re.escape(key[:4])}(-\d+)?")
    runs = [run for run in list_runs(runs_root) if same.fullmatch(run.root.name)]
    return next((run for run in reversed(runs) if read_manifest(run).key == key), None)


def find_newest_trained(runs_root: Path, name: str) -> RunDir | None:
    """The newest run of a spec's name that has trained."""
    same = re.compile(rf"{_DATE}-{re.escape(name)}-[0-9a-f]{{4}}(-\d+)?")
    runs = [run for run in list_runs(runs_root) if same.fullmatch(run.root.name)]
    return next((run for run in reversed(runs) if "train" in read_manifest(run).stages), None)


def list_runs(runs_root: Path) -> list[RunDir]:
    """The run folders, oldest first; one whose manifest is damaged counts by its folder's date."""
    if not runs_root.is_dir():
        return []
    with atomic.os_errors(runs_root):
        folders = [path for path in runs_root.iterdir() if _DATED.match(path.name)]
        runs = [RunDir(path) for path in folders if (path / "manifest.json").is_file()]
    return sorted(runs, key=_creation_order)


def groups(runs_root: Path) -> list[Path]:
    """The folders of bake-offs, searches and experiments, by name; each keeps its runs below `runs/`."""
    if not runs_root.is_dir():
        return []
    with atomic.os_errors(runs_root):
        return sorted(p for p in runs_root.iterdir() if _GROUP.match(p.name) and p.is_dir())


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


def _claim(scratch: Path, wanted: Path) -> Path:
    # Renaming onto a folder that holds files fails, so whoever loses a race takes the next number.
    for number in count(1):
        target = wanted if number == 1 else wanted.with_name(f"{wanted.name}-{number}")
        try:
            return scratch.rename(target)
        except OSError as error:
            if error.errno not in _TAKEN:
                raise
    raise AssertionError


def _creation_order(run: RunDir) -> tuple[str, str]:
    try:
        created = read_manifest(run).created.isoformat()
    except StoreError:
        created = run.root.name[:10]
    return created, run.root.name
