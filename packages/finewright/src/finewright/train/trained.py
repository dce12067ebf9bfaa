"""The base model of a run that is used again, where neither it nor what was trained of it has changed."""

from pathlib import Path

from finewright.errors import StoreError
from finewright.lm.sources import LocalBase, locate_in
from finewright.schema.train import Candidate
from finewright.store.atomic import sha256_file
from finewright.store.rundir import RunDir
from finewright.store.speclock import lock_of


def check_result_files(run: RunDir, candidate: Candidate) -> None:
    """Raise StoreError where a file of the candidate's result is another one than at the training."""
    for artifact in candidate.artifacts:
        path = run.root / artifact.path
        if artifact.kind != "adapter":
            continue
        if not path.is_file() or sha256_file(path) != artifact.sha256:
            what = "changed since it was trained" if path.is_file() else "missing"
            raise StoreError(
                f"{path}: {what}",
                hint=f"`finewright up {run.root}` trains it again, `verify` lists all changes",
            )


def find_trained_base(run: RunDir, candidate: Candidate) -> LocalBase:
    """The base that the candidate was trained on, with the adapter's files checked against their digests.

    Raises StoreError where a file of the adapter, or the base, is another one than at the training."""
    check_result_files(run, candidate)
    root = Path(lock_of(run).root)
    base = locate_in(run, candidate.base_model, root, commit=candidate.base_revision)
    if base.sha256 != candidate.base_sha256:
        raise StoreError(
            f"{run.root}: the base model {base.name} has changed since this run trained on it",
            hint="put the old one back, or train again",
        )
    return base
