"""manifest.json: what each stage made, from what, and whether it is all still there unchanged."""

import os
from collections.abc import Collection, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from pydantic import AwareDatetime, field_validator

from finewright import __version__
from finewright.schema.common import Artifact, Model, Problem
from finewright.store import atomic

if TYPE_CHECKING:
    from finewright.store.rundir import RunDir

CARD = "card"
"""A file that tells of a result, and decides nothing."""
METRICS = "metrics.jsonl"
"""What training says of each step, and goes on from where it was interrupted."""
_RUN_STAGE = "run"
_UNCOVERED = {"events.jsonl", "run.lock", "manifest.json"}


class ManifestRow(Artifact):
    """An artifact, the stage that made it, and the digests of what it was made from."""

    stage: str
    inputs: tuple[str, ...] = ()

    @field_validator("path")
    @classmethod
    def _inside_the_run(cls, path: str) -> str:
        pure = PurePosixPath(path)
        if pure.is_absolute() or ".." in pure.parts:
            raise ValueError(f"{path} leads out of the run folder")
        return path


class FinishedStage(Model):
    """A stage that ended well: its freshness key and when."""

    key: str
    finished: AwareDatetime


class Manifest(Model):
    """The whole of manifest.json."""

    finewright: str
    key: str
    stages: dict[str, FinishedStage]
    artifacts: tuple[ManifestRow, ...]

    @field_validator("stages")
    @classmethod
    def _has_a_beginning(cls, stages: dict[str, FinishedStage]) -> dict[str, FinishedStage]:
        if _RUN_STAGE not in stages:
            raise ValueError("it does not say when the run was made")
        return stages

    @property
    def created(self) -> datetime:
        """When the run folder was made."""
        return self.stages[_RUN_STAGE].finished


def read_manifest(run: "RunDir") -> Manifest:
    """The manifest of a run; StoreError when it is damaged."""
    hint = "restore it from a copy, or start a new run"
    return atomic.read_json(run.manifest, Manifest, hint=hint)


def describe(run: "RunDir", path: Path, kind: str) -> Artifact:
    """The manifest's view of a file of the run: relative path, digest and size at this moment."""
    with atomic.os_errors(path):
        size = path.stat().st_size
    relative = path.relative_to(run.root).as_posix()
    return Artifact(path=relative, kind=kind, sha256=atomic.sha256_file(path), bytes=size)


def start_manifest(run: "RunDir", key: str, now: datetime) -> None:
    """Write the first manifest, which covers the spec, its lock and the environment."""
    named = ((run.spec, "spec"), (run.spec_lock, "spec_lock"), (run.env, "environment"))
    rows = tuple(_row(describe(run, path, kind), _RUN_STAGE) for path, kind in named)
    stages = {_RUN_STAGE: FinishedStage(key=key, finished=now.astimezone(UTC))}
    write_manifest(run, Manifest(finewright=__version__, key=key, stages=stages, artifacts=rows))


def record_stage(
    run: "RunDir",
    stage: str,
    key: str,
    artifacts: Sequence[Artifact],
    now: datetime,
    *,
    inputs: Sequence[str] = (),
) -> None:
    """Note that a stage ended well, replacing what an earlier run of it left in the manifest.

    The stage's report.json is covered even when it is not among `artifacts`. `inputs` are the
    digests of what the stage read. Only the holder of the run's lock may call this."""
    before = read_manifest(run)
    rows = [row for row in before.artifacts if row.stage != stage]
    rows += [_row(artifact, stage, inputs) for artifact in _with_report(run, stage, artifacts)]
    finished = FinishedStage(key=key, finished=now.astimezone(UTC))
    update = {
        "finewright": __version__,
        "stages": {**before.stages, stage: finished},
        "artifacts": tuple(rows),
    }
    write_manifest(run, before.model_copy(update=update))


def cover(run: "RunDir", stage: str, artifact: Artifact) -> None:
    """Note a file beside those of a finished stage, in the place of what stood there under its path.

    Only the holder of the run's lock may call this."""
    before = read_manifest(run)
    rows = [row for row in before.artifacts if row.path != artifact.path]
    write_manifest(run, before.model_copy(update={"artifacts": (*rows, _row(artifact, stage))}))


def is_fresh(run: "RunDir", stage: str, key: str) -> bool:
    """The stage finished with this key, and each of its files is there with the recorded digest.

    But for cards, which say what is known by now and are written anew as more is."""
    manifest = read_manifest(run)
    finished = manifest.stages.get(stage)
    if finished is None or finished.key != key:
        return False
    rows = (row for row in manifest.artifacts if row.stage == stage and row.kind != CARD)
    return not any(problem for row in rows for problem in _check(run, row))


def verify(run: "RunDir") -> list[Problem]:
    """Every file that is missing or differs from its digest, and every file no row covers.

    Does not notice a manifest that was rewritten to match changed files."""
    manifest = read_manifest(run)
    rows, finished = manifest.artifacts, manifest.stages.keys()
    problems = [problem for row in rows for problem in _check(run, row)]
    covered = {row.path for row in rows}
    loose = sorted(
        path for path in _files(run.root) if path not in covered and _counts(path, finished)
    )
    return problems + [_uncovered(path) for path in loose]


def _row(artifact: Artifact, stage: str, inputs: Sequence[str] = ()) -> ManifestRow:
    return ManifestRow(**artifact.model_dump(), stage=stage, inputs=tuple(inputs))


def _with_report(run: "RunDir", stage: str, artifacts: Sequence[Artifact]) -> list[Artifact]:
    path = run.report_path(stage)
    named = {artifact.path for artifact in artifacts}
    if not path.is_file() or path.relative_to(run.root).as_posix() in named:
        return list(artifacts)
    return [*artifacts, describe(run, path, "report")]


def write_manifest(run: "RunDir", manifest: Manifest) -> None:
    """Put the manifest in place whole. Only the holder of the run's lock may call this."""
    atomic.write_json(run.manifest, manifest.model_dump(mode="json"))


def _check(run: "RunDir", row: ManifestRow) -> Iterator[Problem]:
    path = run.root / row.path
    again = "" if "/" in row.stage else f"run the stage {row.stage!r} again, or "
    hint = f"{again}restore the file from a copy"
    if not path.is_file():
        yield Problem(level="error", file=row.path, message="missing", hint=hint)
        return
    found = atomic.sha256_file(path)
    if found != row.sha256:
        message = f"changed: recorded sha256 {row.sha256}, found {found}"
        yield Problem(level="error", file=row.path, message=message, hint=hint)


def _uncovered(path: str) -> Problem:
    return Problem(
        level="warning",
        file=path,
        message="no manifest row covers it",
        hint="move it out of the run folder if it is not yours to prove",
    )


def _files(root: Path) -> Iterator[str]:
    for folder, folders, files in os.walk(root):
        links = [name for name in folders if Path(folder, name).is_symlink()]
        for name in (*files, *links):
            yield Path(folder, name).relative_to(root).as_posix()


def _counts(path: str, finished: Collection[str]) -> bool:
    """Is it a file that a row should cover? What a stage that has not finished goes on from is not yet."""
    parts = PurePosixPath(path).parts
    temporary = any(part.endswith(".tmp") for part in parts)
    is_begun = parts[-1] == METRICS and parts[0] not in finished
    return (
        path not in _UNCOVERED
        and "checkpoints" not in parts[:-1]
        and not temporary
        and not is_begun
    )
