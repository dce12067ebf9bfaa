"""manifest.json: what each stage made, from what, and whether it is all still there unchanged."""

import os
from collections.abc import Collection, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Literal

from pydantic import AwareDatetime, field_validator

from finewright import __version__
from finewright.schema.common import Artifact, Model, Problem, without
from finewright.schema.parents import ParentRun
from finewright.store import atomic
from finewright.store.actor import Actor, read_actor
from finewright.store.keys import digest
from finewright.store.rundir import RunDir
from finewright.store.signing import Signature, is_signed, sign

CARD = "card"
"""A file that tells of a result, and decides nothing."""
METRICS = "metrics.jsonl"
"""What training says of each step, and goes on from where it was interrupted."""
REFERENCES = "references.json"
TAUGHT = "teacher.safetensors"
"""What training knows of its rows under the base, and goes on with."""
PACE = "pace.json"
"""The steps that fit into the time that training has: it decides nothing more once training has ended."""
_RUN_STAGE = "run"
_UNCOVERED = {"events.jsonl", "run.lock", "manifest.json"}


class ManifestRow(Artifact):
    """An artifact, the stage that made it, and the digests of what it was made from. A card is signed by
    itself and says who wrote it, since it is written anew as more is known; all else is signed with its
    stage, and made by the stage's actor."""

    stage: str
    inputs: tuple[str, ...] = ()
    actor: Actor | None = None
    signature: Signature | None = None

    @field_validator("path")
    @classmethod
    def _inside_the_run(cls, path: str) -> str:
        pure = PurePosixPath(path)
        if pure.is_absolute() or ".." in pure.parts:
            raise ValueError(f"{path} leads out of the run folder")
        return path


class FinishedStage(Model):
    """A stage that ended well: its freshness key, when and by whom, signed with the digests of what it made.
    Runs that were made before the actor was kept have none."""

    key: str
    finished: AwareDatetime
    actor: Actor | None = None
    signature: Signature | None = None


class Manifest(Model):
    """The whole of manifest.json; `format` is that of the run folder: docs/run-1.schema.json. `parents` are
    the runs that this one builds on, where it builds on some; they are signed with its beginning."""

    format: Literal["run-1"] = "run-1"
    finewright: str
    key: str
    stages: dict[str, FinishedStage]
    artifacts: tuple[ManifestRow, ...]
    parents: tuple[ParentRun, ...] | None = None

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

    @property
    def is_merge(self) -> bool:
        """Whether the run is a merge of two, which has a result and no rows of its own."""
        return "train" in self.stages and "data" not in self.stages


def read_manifest(run: RunDir) -> Manifest:
    """The manifest of a run; StoreError when it is damaged."""
    hint = "restore it from a copy, or start a new run"
    return atomic.read_json(run.manifest, Manifest, hint=hint)


def describe(run: RunDir, path: Path, kind: str) -> Artifact:
    """The manifest's view of a file of the run: relative path, digest and size at this moment."""
    with atomic.os_errors(path):
        size = path.stat().st_size
    relative = path.relative_to(run.root).as_posix()
    return Artifact(path=relative, kind=kind, sha256=atomic.sha256_file(path), bytes=size)


def start_manifest(run: RunDir, key: str, now: datetime, parents: Sequence[ParentRun] = ()) -> None:
    """Write the first manifest, which covers the spec, its lock and the environment."""
    named = ((run.spec, "spec"), (run.spec_lock, "spec_lock"), (run.env, "environment"))
    rows = tuple(_row_of_artifact(describe(run, path, kind), _RUN_STAGE) for path, kind in named)
    stages = {_RUN_STAGE: _finish(key, now)}
    manifest = Manifest(
        finewright=__version__,
        key=key,
        stages=stages,
        artifacts=rows,
        parents=tuple(parents) or None,
    )
    write_manifest(run, sign_stage(manifest, _RUN_STAGE))


def record_stage(
    run: RunDir,
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
    rows += [
        _row_of_artifact(artifact, stage, inputs)
        for artifact in _with_report(run, stage, artifacts)
    ]
    update = {
        "finewright": __version__,
        "stages": {**before.stages, stage: _finish(key, now)},
        "artifacts": tuple(rows),
    }
    write_manifest(run, sign_stage(before.model_copy(update=update), stage))


def cover(run: RunDir, stage: str, artifact: Artifact) -> None:
    """Note a card beside the files of a finished stage, in the place of what stood there under its path.

    Only the holder of the run's lock may call this."""
    before = read_manifest(run)
    rows = [row for row in before.artifacts if row.path != artifact.path]
    row = _row_of_artifact(artifact, stage).model_copy(update={"actor": read_actor()})
    card = _sign_card(before, row)
    write_manifest(run, before.model_copy(update={"artifacts": (*rows, card)}))


def is_fresh(run: RunDir, stage: str, key: str) -> bool:
    """The stage finished with this key, and each of its files is there with the recorded digest.

    But for cards, which say what is known by now and are written anew as more is."""
    manifest = read_manifest(run)
    finished = manifest.stages.get(stage)
    if finished is None or finished.key != key:
        return False
    rows = (row for row in manifest.artifacts if row.stage == stage and row.kind != CARD)
    return not any(problem for row in rows for problem in _check(run, row))


def verify(run: RunDir) -> list[Problem]:
    """Every file that is missing or differs from its digest, every file no row covers, and every signature
    that does not fit what the manifest says.

    Does not notice a manifest that was rewritten to match changed files and signed by another key, or by
    none: `signers` says whose it is. Nor a stage that was put back as the same run had it before."""
    manifest = read_manifest(run)
    rows, finished = manifest.artifacts, manifest.stages.keys()
    problems = [problem for row in rows for problem in _check(run, row)]
    covered = {row.path for row in rows}
    loose = sorted(
        path for path in _files(run.root) if path not in covered and _counts(path, finished)
    )
    return problems + [_report_uncovered(path) for path in loose] + list(_find_forged(manifest))


def sign_stage(manifest: Manifest, stage: str) -> Manifest:
    """The manifest with what it says of that stage signed by this user."""
    finished = manifest.stages[stage].model_copy(
        update={"signature": sign(_content_of_stage(manifest, stage))}
    )
    rows = tuple(
        _sign_card(manifest, row) if row.stage == stage and row.kind == CARD else row
        for row in manifest.artifacts
    )
    stages = {**manifest.stages, stage: finished}
    return manifest.model_copy(update={"stages": stages, "artifacts": rows})


def signers(manifest: Manifest) -> dict[str, list[str]]:
    """Public key -> the stages and cards that it signed; "" is the key of what nobody signed."""
    found: dict[str, list[str]] = {}
    for name, _, signature in _signatures(manifest):
        found.setdefault(signature.key if signature else "", []).append(name)
    return found


def is_signed_by(manifest: Manifest, stage: str, key: str) -> bool:
    """Whether this key stands behind what the manifest says of the stage."""
    signature = manifest.stages[stage].signature
    if signature is None or signature.key != key:
        return False
    return is_signed(_content_of_stage(manifest, stage), signature)


def _signatures(manifest: Manifest) -> Iterator[tuple[str, bytes, Signature | None]]:
    """What is signed by itself: its name, what is signed, and the signature."""
    for name, finished in manifest.stages.items():
        yield name, _content_of_stage(manifest, name), finished.signature
    for row in manifest.artifacts:
        if row.kind == CARD:
            yield row.path, _content_of_card(manifest, row), row.signature


def _find_forged(manifest: Manifest) -> Iterator[Problem]:
    for name, said, signature in _signatures(manifest):
        if signature is not None and not is_signed(said, signature):
            yield Problem(
                level="error",
                file="manifest.json",
                key=name,
                message=f"it is not what the key {signature.key} signed",
                hint="take the run from its owner once more",
            )


def _content_of_stage(manifest: Manifest, stage: str) -> bytes:
    """What the signature of a stage is of; the run's key and beginning say of which run it is."""
    rows = (row for row in manifest.artifacts if row.stage == stage and row.kind != CARD)
    made = sorted(map(_signed_part, rows), key=lambda row: str(row["path"]))
    parents = [manifest.parents] if manifest.parents and stage == _RUN_STAGE else []
    finished = _signed_part(manifest.stages[stage])
    return _of_run(manifest, "stage", stage, finished, made, *parents)


def _content_of_card(manifest: Manifest, row: ManifestRow) -> bytes:
    return _of_run(manifest, "card", _signed_part(row))


def _signed_part(entry: ManifestRow | FinishedStage) -> dict[str, object]:
    """What of it is signed. One without an actor is signed as it was before there were any, so that the
    signatures of older runs hold."""
    content = entry.model_copy(update={"signature": None}).model_dump(mode="json")
    return without(content, ("actor",) if entry.actor is None else ())


def _of_run(manifest: Manifest, *said: object) -> bytes:
    what = digest(manifest.key, manifest.created.isoformat(), *said)
    return f"finewright manifest 1 {what}".encode()


def _sign_card(manifest: Manifest, row: ManifestRow) -> ManifestRow:
    return row.model_copy(update={"signature": sign(_content_of_card(manifest, row))})


def _finish(key: str, now: datetime) -> FinishedStage:
    return FinishedStage(key=key, finished=now.astimezone(UTC), actor=read_actor())


def _row_of_artifact(artifact: Artifact, stage: str, inputs: Sequence[str] = ()) -> ManifestRow:
    return ManifestRow(**artifact.model_dump(), stage=stage, inputs=tuple(inputs))


def _with_report(run: RunDir, stage: str, artifacts: Sequence[Artifact]) -> list[Artifact]:
    path = run.report_path(stage)
    named = {artifact.path for artifact in artifacts}
    if not path.is_file() or path.relative_to(run.root).as_posix() in named:
        return list(artifacts)
    return [*artifacts, describe(run, path, "report")]


def write_manifest(run: RunDir, manifest: Manifest) -> None:
    """Put the manifest in place whole. Only the holder of the run's lock may call this."""
    atomic.write_json(run.manifest, manifest.model_dump(mode="json", exclude_none=True))


def _check(run: RunDir, row: ManifestRow) -> Iterator[Problem]:
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


def _report_uncovered(path: str) -> Problem:
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
    """Whether it is a file that a row should cover. What a stage that has not finished goes on from is not
    yet."""
    parts = PurePosixPath(path).parts
    temporary = any(part.endswith(".tmp") for part in parts)
    is_begun = parts[-1] in (METRICS, REFERENCES, TAUGHT) and parts[0] not in finished
    return (
        path not in _UNCOVERED
        and "checkpoints" not in parts[:-1]
        and not temporary
        and not is_begun
        and not (parts[0] == "train" and parts[-1] == PACE)
    )
