"""A run in the place of a base model: `runs/x`, `runs/x:candidate`, or `runs/NAME`, the newest of a spec.

What one starts from is the model under the run's adapter with that adapter on it, or the whole model that
the run trained. A copy of the adapter is kept in the folder of the run that builds on it."""

import shutil
from pathlib import Path
from typing import Any, NamedTuple

from finewright.catalog.models import read_packaged_models
from finewright.errors import ModelError, suggest
from finewright.schema.parents import ParentRun
from finewright.schema.train import Candidate, TrainReport
from finewright.schema.train_section import settings_of
from finewright.store.atomic import os_errors, replace_dir, sha256_file
from finewright.store.manifest import read_manifest
from finewright.store.parents import digest_of_result, files_of_result
from finewright.store.rundir import RunDir, is_run, open_run
from finewright.store.runs import RUN_NAME, find_newest_trained, list_runs
from finewright.store.speclock import lock_of

_PARENT = "parent"
_ADAPTER_FILES = ("adapter_config.json", "adapter_model.safetensors")


class _Named(NamedTuple):
    run: RunDir
    candidate: str


def find_named_run(name: str, root: Path) -> _Named | None:
    """The run that a base model's name means, and the candidate it names; None for any other name.

    Raises ModelError for a name that none of the runs in that folder has."""
    head, _, candidate = name.partition(":")
    for path, of_run in ((root / Path(name).expanduser(), ""), (root / head, candidate)):
        if is_run(path) and not (path / "config.json").is_file():
            return _Named(open_run(path), of_run)
    if "/" not in head or (root / head).exists():
        return None
    folder, wanted = (root / head).parent, Path(head).name
    if newest := find_newest_trained(folder, wanted):
        return _Named(newest, candidate)
    if names := [run.root.name for run in list_runs(folder)]:
        specs = [match["spec"] for each in names if (match := RUN_NAME.fullmatch(each))]
        raise ModelError(
            f"{name}: no run in {folder} has this name, and no spec of this name has trained there",
            hint=suggest(wanted, [*specs, *names], "finewright runs list shows them"),
        )
    return None


def read_parent(name: str, root: Path) -> ParentRun | None:
    """What is recorded of the run that a base model's name means; None where it means no run.

    Raises ModelError or StoreError where the run cannot be gone on from."""
    named = find_named_run(name, root)
    if named is None:
        return None
    run, manifest = named.run, read_manifest(named.run)
    if "train" not in manifest.stages:
        raise ModelError(
            f"{name}: this run has trained nothing yet", hint=f"finewright up {run.root}"
        )
    candidate = _pick(name, run, named.candidate)
    _check_result(name, run, candidate)
    lock = lock_of(run)
    adapter = lock.candidates[candidate.base_model].adapter
    below = next((p for p in manifest.parents or () if p.name == candidate.base_model), None)
    return ParentRun(
        name=name,
        run=run.root.resolve().name,
        path=str(run.root.resolve()),
        key=manifest.key,
        candidate=candidate.base_model,
        adapter="dora" if getattr(adapter, "use_dora", False) else adapter.type,
        adapter_sha256=digest_of_result(files_of_result(candidate.artifacts)),
        manifest_sha256=sha256_file(run.manifest),
        **_model_below(candidate, below, Path(lock.root)),
    )


def _pick(name: str, run: RunDir, wanted: str) -> Candidate:
    candidates = run.read_report("train", TrainReport).candidates
    found = [each for each in candidates if wanted in ("", each.base_model)]
    if len(found) != 1:
        names = ", ".join(f"{name.partition(':')[0]}:{each.base_model}" for each in candidates)
        raise ModelError(f"{name}: this run trained {len(candidates)} models", hint=f"name {names}")
    if not settings_of(found[0].method).gives_answers:
        raise ModelError(
            f"{name}: a reward model rates answers and gives none, so no training goes on from it",
            hint="let one learn from it: train.rewards with function reward_model:RUN",
        )
    if not settings_of(found[0].method).writes_text:
        raise ModelError(
            f"{name}: a model of labels is no language model, so no training goes on from it",
            hint="name the base model or the features that it was trained on",
        )
    return found[0]


def _check_result(name: str, run: RunDir, candidate: Candidate) -> None:
    for artifact in candidate.artifacts:
        path = run.root / artifact.path
        if artifact.kind == "adapter" and not (
            path.is_file() and sha256_file(path) == artifact.sha256
        ):
            what = "has changed since it was trained" if path.is_file() else "is missing"
            raise ModelError(
                f"{name}: {artifact.path} {what}", hint=f"`finewright verify {run.root}` lists all"
            )


def _model_below(candidate: Candidate, below: ParentRun | None, root: Path) -> dict[str, Any]:
    """The model that carries the candidate's adapter: of one that built on an adapter, the one under that."""
    if below is not None and below.adapter != "none":
        return {key: getattr(below, key) for key in ("base_model", "base_sha256", "base_revision")}
    return {
        "base_model": f"{below.path}:{below.candidate}"
        if below is not None
        else _absolute(candidate.base_model, root),
        "base_sha256": candidate.base_sha256,
        "base_revision": candidate.base_revision,
    }


def _absolute(name: str, root: Path) -> str:
    path = root / Path(name).expanduser()
    return name if name in read_packaged_models() or not path.exists() else str(path.resolve())


def result_folder(run: RunDir, candidate: str) -> Path:
    """Where the run keeps what it trained of the base model."""
    candidates = run.read_report("train", TrainReport).candidates
    return run.root / next(each.adapter for each in candidates if each.base_model == candidate)


def keep_adapter(adapter: Path, folder: Path) -> Path:
    """Copy the parent's adapter into the folder of the candidate that builds on it; returns where."""
    target = folder / _PARENT
    with os_errors(target), replace_dir(target) as new:
        for name in _ADAPTER_FILES:
            shutil.copyfile(adapter / name, new / name)
    return target


def find_kept(record: ParentRun, run: RunDir) -> Path | None:
    """The copy of the parent's adapter in the run that builds on it, where it is whole."""
    for folder in sorted((run.root / "train").glob(f"*/{_PARENT}")):
        files = {path.name: sha256_file(path) for path in folder.iterdir()}
        if digest_of_result(files) == record.adapter_sha256:
            return folder
    return None
