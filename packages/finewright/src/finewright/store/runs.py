"""The runs of a folder: made whole, found by name and key, listed."""

import errno
import re
from collections.abc import Sequence
from datetime import datetime
from itertools import count
from pathlib import Path

from finewright.errors import StoreError
from finewright.schema.parents import ParentRun
from finewright.store import atomic
from finewright.store.environment import environment
from finewright.store.manifest import read_manifest, start_manifest
from finewright.store.rundir import RunDir, is_run

_DATE = r"\d{4}-\d{2}-\d{2}"
_GROUP = re.compile(r"(bakeoff|tune|measure)-.+-[0-9a-f]{8}$")
_DATED = re.compile(f"{_DATE}-")
RUN_NAME = re.compile(rf"{_DATE}-(?P<spec>.+)-[0-9a-f]{{4}}(-\d+)?")
"""What `create_run` names a folder: day, spec, beginning of the key, and a number where that is taken."""
_TAKEN = {errno.EEXIST, errno.ENOTEMPTY, errno.ENOTDIR}


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
    named = [(run, RUN_NAME.fullmatch(run.root.name)) for run in list_runs(runs_root)]
    runs = [run for run, match in named if match and match["spec"] == name]
    return next((run for run in reversed(runs) if "train" in read_manifest(run).stages), None)


def list_runs(runs_root: Path) -> list[RunDir]:
    """The run folders, oldest first; one whose manifest is damaged counts by its folder's date."""
    if not runs_root.is_dir():
        return []
    with atomic.os_errors(runs_root):
        folders = [path for path in runs_root.iterdir() if _DATED.match(path.name)]
        runs = [RunDir(path) for path in folders if is_run(path)]
    return sorted(runs, key=_creation_order)


def groups(runs_root: Path) -> list[Path]:
    """The folders of bake-offs, searches and experiments, by name; each keeps its runs below `runs/`."""
    if not runs_root.is_dir():
        return []
    with atomic.os_errors(runs_root):
        return sorted(p for p in runs_root.iterdir() if _GROUP.match(p.name) and p.is_dir())


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
