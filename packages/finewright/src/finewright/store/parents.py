"""The runs that a run builds on, found again wherever they lie."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from finewright.errors import FinewrightError, StoreError
from finewright.schema.common import Artifact
from finewright.schema.parents import ParentRun
from finewright.store.manifest import read_manifest
from finewright.store.rundir import RunDir, open_run
from finewright.store.runs import list_runs

_CONFIGS = ("adapter_config.json", "config.json", "model.safetensors.index.json")


class Ancestor(NamedTuple):
    """A run that one builds on, `depth` steps back; `run` is None where its folder is not found."""

    depth: int
    record: ParentRun
    run: RunDir | None


def walk_records(records: Iterable[ParentRun]) -> Iterator[Ancestor]:
    """The same of a run that is not begun, from what its spec names."""
    for record in records:
        run = open_run(Path(record.path))
        yield Ancestor(1, record, run)
        yield from walk_parents(run, 2)


def walk_parents(
    run: RunDir, depth: int = 1, seen: frozenset[str] = frozenset()
) -> Iterator[Ancestor]:
    """Every run that this one builds on, each parent before its own parents.

    Raises StoreError where the records lead in a circle, or one of them is damaged."""
    manifest = read_manifest(run)
    seen |= {manifest.key}
    for record in manifest.parents or ():
        if record.key in seen:
            raise StoreError(
                f"{run.root}: its parents lead back to itself, by {record.run}",
                hint="a manifest was changed; restore it from a copy",
            )
        found = find_parent(record, run)
        yield Ancestor(depth, record, found)
        if found is not None:
            yield from walk_parents(found, depth + 1, seen)


def find_parent(record: ParentRun, child: RunDir) -> RunDir | None:
    """The folder of the recorded run: where it lay, or beside the child under any name."""
    beside = child.root.resolve().parent
    for path in (Path(record.path), beside / record.run, *(r.root for r in list_runs(beside))):
        try:
            run = open_run(path)
            if read_manifest(run).key == record.key:
                return run
        except FinewrightError:
            continue
    return None


def digest_of_result(sha256_of: Mapping[str, str]) -> str:
    """The digest of a training's result: of its weights and config, file name -> sha256."""
    total = hashlib.sha256()
    for name, sha256 in sorted(sha256_of.items()):
        if name.endswith(".safetensors") or name in _CONFIGS:
            total.update(f"{name}\0{sha256}\n".encode())
    return total.hexdigest()


def files_of_result(artifacts: Iterable[Artifact]) -> dict[str, str]:
    """File name -> recorded digest, of a candidate's result."""
    return {Path(each.path).name: each.sha256 for each in artifacts if each.kind == "adapter"}
