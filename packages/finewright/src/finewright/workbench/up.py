"""`up`: run every stage of a spec whose inputs changed; go on where a run was cut."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from finewright.errors import FinewrightError, Interrupted, StoreError
from finewright.lm.parents import read_parent
from finewright.lm.runtime import require_runtime
from finewright.lm.sources import locate_in, reads_of_files
from finewright.schema.common import Problem
from finewright.schema.label_methods import DecidingSettings
from finewright.schema.load import LoadedSpec, load_spec
from finewright.schema.lock import Lock
from finewright.schema.report import RunReport
from finewright.schema.rows import Row, parse_rows
from finewright.schema.run import RunSpec
from finewright.store import events
from finewright.store.lock import run_lock
from finewright.store.manifest import read_manifest
from finewright.store.rundir import RunDir, open_run
from finewright.store.runs import create_run, find_run
from finewright.store.speclock import lock_of, lock_text
from finewright.store.stage import Emit, StageContext, refuse
from finewright.workbench.cards import write_cards
from finewright.workbench.coherence import faults, nothing_held_out, untaught, writes_answers
from finewright.workbench.duration import say_how_long
from finewright.workbench.prepare import (
    input_digests,
    make_lock,
    missing_files,
    refuse_changed,
    run_key,
)
from finewright.workbench.respec import OnEvent, follow_spec
from finewright.workbench.runs import show
from finewright.workbench.signals import stop_requests
from finewright.workbench.stages import Stage, code_digest, is_current, run_stage, stages
from finewright.workbench.tracking import feed_trackers

__all__ = ["OnEvent", "resume", "up", "up_path"]


_LONG = ("train", "evaluate")


@dataclass(frozen=True, slots=True)
class _Started:
    """A run, its lock, and whether its inputs were seen to be those of the lock just before."""

    run: RunDir
    lock: Lock
    is_seen: bool


def up_path(
    path: Path, overrides: Sequence[str], runs_root: Path, *, on_event: OnEvent, new: bool
) -> RunReport:
    """`up` of a spec file, or `resume` of a run folder, whose spec is locked."""
    if not path.is_dir():
        return up(load_spec(path, overrides), runs_root, on_event=on_event, new=new)
    if overrides or new:
        raise StoreError(
            f"{path}: the spec of a run is locked", hint="change the spec file and run that"
        )
    return resume(path, on_event=on_event)


def up(
    loaded: LoadedSpec,
    runs_root: Path,
    *,
    on_event: OnEvent,
    new: bool = False,
    through: str = "",
) -> RunReport:
    """Run the spec's stages in order, all or up to and including `through`.

    The same data, training and code continue the run they began, unless `new` asks for a fresh one. Where
    only what is measured differs nothing is trained again, and the run keeps both measurements.
    Raises DataError before anything runs where a stage could only fail."""
    _refuse_faults(loaded, through)
    require_runtime()
    inputs = input_digests(loaded)
    key = run_key(loaded, inputs)
    run = None if new else find_run(runs_root, loaded.spec.name, key)
    if run is None:
        on_event("preparing", {"base_models": loaded.spec.base_models})
        lock = make_lock(loaded, inputs)
        now = datetime.now(UTC)
        names, root = loaded.spec.base_models, loaded.path.parent
        parents = [parent for name in names if (parent := read_parent(name, root))]
        text = loaded.text
        run = create_run(runs_root, loaded.spec.name, key, text, lock_text(lock), now, parents)
    else:
        follow_spec(run, loaded, inputs, on_event)
    return _go_on(run, on_event, through, is_seen=True)


def resume(run_path: Path, *, on_event: OnEvent, through: str = "") -> RunReport:
    """Run the stages of an existing run that are not fresh.

    Raises StoreError where such a stage would read a file or a base model that has changed since."""
    return _go_on(open_run(run_path), on_event, through, is_seen=False)


def _go_on(run: RunDir, on_event: OnEvent, through: str, *, is_seen: bool) -> RunReport:
    lock, manifest = lock_of(run), read_manifest(run)
    if manifest.is_merge:
        raise StoreError(
            f"{run.root}: a merge of two runs has no stage that could be run again",
            hint="finewright runs merge makes it anew",
        )
    if lock.code_sha256 != code_digest():
        raise StoreError(
            f"{run.root}: made by other code of finewright (version {lock.finewright}), and its stages"
            " would not be the same",
            hint="run its spec file again, which starts a new run",
        )
    on_event("run", {"run": str(run.root)})
    with run_lock(run), stop_requests() as should_stop:
        started = _Started(run, lock, is_seen)

        def warn(problem: Problem) -> None:
            events.emit(run, "problem", **problem.model_dump())
            on_event("problem", problem.model_dump())

        with feed_trackers(run, lock, warn) as feed:

            def watch(event_type: str, fields: Mapping[str, Any]) -> None:
                feed(event_type, fields)
                on_event(event_type, fields)

            ran = _run_stages(started, through, should_stop, watch)
    return show(run.root, ran=ran)


def _refuse_faults(loaded: LoadedSpec, through: str) -> None:
    """Raise DataError for all that could only fail later, what weighs most first."""
    found = [*faults(loaded), *missing_files(loaded)]
    if through != "train":
        found += nothing_held_out(loaded.spec, "error")
    refuse([loaded.locate(problem) for problem in dict.fromkeys(found)])


def _holds_out(spec: RunSpec) -> bool:
    return bool(spec.evaluate.data or spec.data.holds_out)


def _run_stages(
    started: _Started, through: str, should_stop: Callable[[], int], on_event: OnEvent
) -> tuple[str, ...]:
    run, lock = started.run, started.lock

    def emit(event_type: str, /, **fields: object) -> None:
        events.emit(run, event_type, **fields)
        on_event(event_type, fields)

    def make_context(key: str) -> StageContext:
        return StageContext(
            spec=lock.spec,
            candidates=lock.candidates,
            root=Path(lock.root),
            run=run,
            key=key,
            emit=emit,
            should_stop=should_stop,
            commits={name: lock.commit_of(name) for name in lock.spec.base_models},
        )

    def is_fresh(stage: Stage) -> bool:
        return is_current(stage, make_context, lock.inputs)

    ran = []
    ahead = _stages(lock, through)
    is_said = False
    for number, stage in enumerate(ahead):
        try:
            _check_stop(stage, run, should_stop)
            _check_inputs(started, stage, is_fresh)
            _check_askable(run, lock, ahead[number:], is_fresh, emit)
            if not is_said and stage.name in _LONG and not is_fresh(stage):
                say_how_long(run, lock, emit, ahead=[each.name for each in ahead[number:]])
                is_said = True
            if run_stage(stage, make_context, lock.inputs):
                ran.append(stage.name)
            write_cards(run, lock)
        except Interrupted as stopped:
            emit("run_interrupted", stage=stage.name, message=str(stopped))
            raise
        except FinewrightError as error:
            emit("stage_failed", stage=stage.name, message=str(error))
            raise
    if ran:
        emit("run_ended")
    return tuple(ran)


def _stages(lock: Lock, through: str) -> list[Stage]:
    """Those that the spec asks for, all or up to and including `through`; a run that `train` began may have
    nothing to measure on."""
    names = [stage.name for stage in stages()]
    last = names.index(through) + 1 if through else len(names)
    named = [stage for stage in stages()[:last] if getattr(lock.spec, stage.name) is not None]
    return [stage for stage in named if stage.name != "evaluate" or _holds_out(lock.spec)]


def _read_measured_rows(run: RunDir) -> list[Row]:
    files = sorted((run.root / "data" / "evaluate").glob("*.jsonl"))
    return [row for file in files for row in parse_rows(file.read_text(encoding="utf-8"))]


def _check_askable(
    run: RunDir,
    lock: Lock,
    ahead: Sequence[Stage],
    is_fresh: Callable[[Stage], bool],
    emit: Emit,
) -> None:
    """Raise DataError, before the training, for held-out rows that fill a base's context, and for those whose
    calls its template cannot hold; emit what would make their scores worth less."""
    both = ahead[:2]
    if [stage.name for stage in both] != ["train", "evaluate"] or all(map(is_fresh, both)):
        return
    _check_labels(run, lock)
    rows = _read_measured_rows(run)
    if not rows or lock.spec.train.on_features:
        return
    require_runtime()
    from finewright.evaluate.baselines.rivals import find_json_task
    from finewright.evaluate.expected import check_thought_bound, unaskable, warn_of_cut
    from finewright.lm.load_chat import chat_of

    settings, warned = lock.spec.evaluate, list[Problem]()
    if is_answered := writes_answers(lock.spec):
        train = parse_rows((run.root / "data" / "train.jsonl").read_text(encoding="utf-8"))
        _, warned = find_json_task(train, settings, Path(lock.root).joinpath)
    for name in lock.spec.base_models:
        base = locate_in(run, name, Path(lock.root), commit=lock.commit_of(name))
        chat = chat_of(base, lock.spec)
        refuse(
            [
                each.model_copy(update={"message": f"{name}: {each.message}"})
                for each in (
                    *check_thought_bound(chat, settings.max_thought_tokens),
                    *unaskable(chat, rows, reads_of_files(base)),
                )
            ]
        )
        if is_answered:
            warned += warn_of_cut(chat, rows, settings.max_new_tokens)
    for problem in dict.fromkeys(warned):
        emit("problem", **problem.model_dump())


def _check_labels(run: RunDir, lock: Lock) -> None:
    """Raise DataError, before the training, for rows that a model of labels cannot learn from, and held-out
    labels that no training row has."""
    settings = lock.spec.train
    if isinstance(settings, DecidingSettings):
        from finewright.labels.rows import check_label_rows

        text = (run.root / "data" / "train.jsonl").read_text(encoding="utf-8")
        train = parse_rows(text)
        refuse(check_label_rows(train, settings))
        for path in sorted((run.root / "data" / "evaluate").glob("*.jsonl")):
            rows = parse_rows(path.read_text(encoding="utf-8"))
            refuse(list(untaught(lock.spec, train, path.stem, rows)))


def _check_inputs(started: _Started, stage: Stage, is_fresh: Callable[[Stage], bool]) -> None:
    """A run that goes on by itself reads what it was begun with, or nothing. Raises StoreError."""
    if not started.is_seen and not is_fresh(stage):
        refuse_changed(started.lock, stage.name, read_manifest(started.run).parents or ())


def _check_stop(stage: Stage, run: RunDir, should_stop: Callable[[], int]) -> None:
    """A stage may have asked its last question before the signal came. Raises Interrupted."""
    if stop := should_stop():
        raise Interrupted(
            f"stopped before the stage {stage.name}; what was done is kept",
            signal_number=stop,
            hint=f"finewright up {run.root} goes on from there",
        )
