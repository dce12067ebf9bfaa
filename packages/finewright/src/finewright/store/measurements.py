"""Earlier measurements of a run, kept as evidence when its spec asks for another: `measurements/KEY/`."""

import shutil
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import NamedTuple

from finewright.schema.common import Artifact, without
from finewright.store.atomic import os_errors, replace_dir
from finewright.store.manifest import (
    FinishedStage,
    ManifestRow,
    is_signed_by,
    read_manifest,
    sign_stage,
    write_manifest,
)
from finewright.store.rundir import RunDir
from finewright.store.signing import own_key

_FOLDER = "measurements"
_BEGINNING, _STAGE = "run", "evaluate"
_SHOWN = 8


class StoredMeasurement(NamedTuple):
    """An earlier measurement: its folder in the run, and when it was made."""

    path: str
    finished: FinishedStage


def keep_measurement(run: RunDir) -> str:
    """Put what the evaluate stage made into a folder of its own, with the lock that it was made by.

    Returns the folder's path in the run, or nothing where nothing is measured yet.

    The files keep their bytes and their rows in the manifest, and the stage is no longer finished. Only the
    holder of the run's lock may call this."""
    manifest = read_manifest(run)
    finished = manifest.stages.get(_STAGE)
    if finished is None:
        return ""
    folder = f"{_FOLDER}/{finished.key[:_SHOWN]}"
    made = [row for row in manifest.artifacts if row.stage == _STAGE]
    lock = next(row for row in manifest.artifacts if row.path == run.spec_lock.name)
    _copy(run, folder, (*made, lock))
    others = [row for row in manifest.artifacts if row.stage not in (_STAGE, folder)]
    kept = [_move_row(row, folder) for row in (*made, lock)]
    stages = without(manifest.stages, (_STAGE,))
    moved = finished.model_copy(update={"signature": None})
    update = {"stages": {**stages, folder: moved}, "artifacts": (*others, *kept)}
    changed = manifest.model_copy(update=update)
    # What another key signed, or none, is not this user's to sign under its other name.
    is_own = is_signed_by(manifest, _STAGE, own_key())
    write_manifest(run, sign_stage(changed, folder) if is_own else changed)
    _remove(run, made)
    return folder


def _remove(run: RunDir, rows: Sequence[ManifestRow]) -> None:
    with os_errors(run.root):
        for row in rows:
            (run.root / row.path).unlink(missing_ok=True)


def _copy(run: RunDir, folder: str, rows: Sequence[ManifestRow]) -> None:
    with os_errors(run.root):
        (run.root / _FOLDER).mkdir(exist_ok=True)
        with replace_dir(run.root / folder) as new:
            for row in rows:
                shutil.copyfile(run.root / row.path, new / PurePosixPath(row.path).name)


def list_measurements(run: RunDir) -> list[StoredMeasurement]:
    """Every earlier measurement, oldest first, but for one that has been made again and is the run's own."""
    stages = read_manifest(run).stages
    own = stages[_STAGE].key if _STAGE in stages else ""
    found = [
        StoredMeasurement(name, finished)
        for name, finished in stages.items()
        if name.startswith(f"{_FOLDER}/") and finished.key != own
    ]
    return sorted(found, key=lambda kept: kept.finished.finished)


def record_spec(run: RunDir, described: tuple[Artifact, ...]) -> None:
    """Put other rows of the spec and its lock into the manifest. Only for the holder of the run's lock.

    With them is signed how the run began, which another key's holder knows and this user does not: where they
    signed it, or nobody did, nobody has signed it afterwards."""
    manifest = read_manifest(run)
    is_own = is_signed_by(manifest, _BEGINNING, own_key())
    changed = {artifact.path: artifact for artifact in described}
    rows = tuple(
        row.model_copy(update=changed[row.path].model_dump()) if row.path in changed else row
        for row in manifest.artifacts
    )
    begun = manifest.stages[_BEGINNING].model_copy(update={"signature": None})
    update = {"stages": {**manifest.stages, _BEGINNING: begun}, "artifacts": rows}
    changed_manifest = manifest.model_copy(update=update)
    write_manifest(run, sign_stage(changed_manifest, _BEGINNING) if is_own else changed_manifest)


def _move_row(row: ManifestRow, folder: str) -> ManifestRow:
    path = f"{folder}/{PurePosixPath(row.path).name}"
    return row.model_copy(update={"path": path, "stage": folder})
