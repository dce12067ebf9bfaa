"""Which base models clients may train, and where their files and jobs are kept."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from finewright.errors import ModelError
from finewright.lm.sources import absolute_name, check_name, locate
from finewright.store.atomic import os_errors
from finewright.store.rundir import is_run, open_run
from finewright.store.speclock import lock_of
from finewright.workbench.systems import candidate_of
from finewright_serve.jobs.files import FileFolder
from finewright_serve.jobs.folder import JobFolder
from finewright_serve.jobs.limits import JobLimits
from finewright_serve.jobs.queue import JobQueue, advancing
from finewright_serve.jobs.routes import JobsApi
from finewright_serve.jobs.tuned import TunedModels
from finewright_serve.local import LocalModels
from finewright_serve.model_ids import model_id
from finewright_serve.spec import JobsSpec, ServedTarget, ServeSpec

if TYPE_CHECKING:
    from finewright.lm.chat import Chat


_SHARE_OF_MEMORY = 0.75
"""What a job may write to, as the spec says by default: the rest is the server's."""


class _Base(NamedTuple):
    id: str
    name: str


def keep_private(folder: Path) -> None:
    """From here on the process and its jobs write what their own user alone can read; folders that an earlier
    version left open to others are closed to them."""
    os.umask(0o077)
    for name in ("files", "jobs", "runs"):
        if (folder / name).is_dir():
            with os_errors(folder):
                (folder / name).chmod(0o700)


@contextmanager
def jobs_of(
    targets: Sequence[ServedTarget], spec: ServeSpec, folder: Path, local: LocalModels
) -> Iterator[JobsApi]:
    """What files and jobs stand on; as long as the block lasts, jobs that wait are started.

    Raises ModelError for a base of the spec that is none, DataError where another server has the folder."""
    api = _api_of(targets, spec, folder, local)
    if not spec.jobs.at_once:
        yield api
        return
    with api.folder.led():
        api.files.tidy()
        with advancing(api.queue):
            yield api


def _api_of(
    targets: Sequence[ServedTarget], spec: ServeSpec, folder: Path, local: LocalModels
) -> JobsApi:
    root = folder.resolve()
    jobs = JobFolder(root)
    found = [base for target in targets for base in _of_target(target)]
    here = frozenset(base.name for base in found)
    for name in spec.jobs.trainable:
        check_name(name, Path.cwd())
        found.append(_Base(model_id(name), absolute_name(name, Path.cwd())))
    return JobsApi(
        files=FileFolder(root / "files"),
        queue=JobQueue(jobs, spec.jobs.at_once, _limits_of(spec.jobs)),
        tuned=TunedModels(
            jobs,
            engine=lambda: local.engine,
            read=lambda run, name: local.read(ServedTarget(target=str(run), id=name)),
            at_once=spec.at_once,
            most_loaded=spec.jobs.loaded,
        ),
        bases=dict(reversed(found)),
        file_bytes=spec.jobs.file_bytes,
        chat_of=lambda name: _chat_of(name) if name in here else None,
    )


def _limits_of(spec: JobsSpec) -> JobLimits:
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    memory = spec.memory_gib * 2**30 if spec.memory_gib else _SHARE_OF_MEMORY * machine
    return JobLimits(spec.processes, int(memory), spec.hours * 3600)


@lru_cache(maxsize=4)
def _chat_of(name: str) -> "Chat":
    from finewright.lm.load_chat import load_chat

    return load_chat(locate(name, Path.cwd()))


def _of_target(target: ServedTarget) -> Iterator[_Base]:
    """The base of a served run, or the base model itself; none of what answers elsewhere."""
    if target.kind == "remote":
        return
    if is_run(target.target):
        run = open_run(Path(target.target))
        name = candidate_of(run, "").base_model
        yield _Base(model_id(name), absolute_name(name, Path(lock_of(run).root)))
        return
    try:
        check_name(target.target, Path.cwd())
    except ModelError:
        return
    yield _Base(target.id or model_id(target.target), absolute_name(target.target, Path.cwd()))
