"""How long the rest of a run will take, said before it trains: by past runs, or by answers that are timed."""

import math
from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from itertools import takewhile
from pathlib import Path
from time import perf_counter
from typing import NamedTuple

from finewright.evaluate.score import PREFERENCE
from finewright.lm import runtime
from finewright.lm.sources import locate_in, num_parameters
from finewright.schema.evaluate import TUNED, EvaluateReport
from finewright.schema.lock import Lock
from finewright.schema.rows import Row, parse_rows
from finewright.schema.train import TrainSettings
from finewright.store.atomic import os_errors
from finewright.store.events import read_events
from finewright.store.rundir import RunDir
from finewright.store.speclock import lock_of
from finewright.store.stage import Emit
from finewright.workbench.past import Past, past_runs

_SECONDS = 4.0
# How far what was timed or took place once may be off.
_LEAST, _MOST = 0.8, 1.4
_LONG = 600  # seconds of measuring, from which it is said what shortens them
_CLOSING = ("stage_ended", "stage_failed", "run_interrupted")


class DurationRange(NamedTuple):
    """Seconds, at least and at most, as far as anybody can say."""

    low: float
    high: float


class _Measuring(NamedTuple):
    span: DurationRange
    basis: str


def say_how_long(run: RunDir, lock: Lock, emit: Emit, *, ahead: Collection[str]) -> None:
    """Emit `duration` with what is known of the training and of the measuring that are ahead, in seconds.

    Where no past run tells how long answers take, some are timed with the base model, which takes a few
    seconds and loads it. Not covered: what neither a past run nor answers tell, such as the first training
    of its kind, of which the third step tells more."""
    if lock.spec.train.on_features:
        return  # seconds
    fields: dict[str, object] = {}
    if "train" in ahead and (training := _training(run, lock)):
        fields["training"] = training
    talks = not lock.spec.train.decides  # a decision takes one forward, and no answer
    if "evaluate" in ahead and talks and (measuring := _measuring(run, lock, emit)):
        fields["measuring"], fields["basis"] = measuring
    if fields:
        emit("duration", **fields)


def _training(run: RunDir, lock: Lock) -> DurationRange | None:
    """Of all candidates; None where one of them has neither minutes nor a past."""
    found = [_of_candidate(run, lock, name) for name in lock.spec.base_models]
    known = list(filter(None, found))
    if len(known) < len(found):
        return None
    return DurationRange(sum(span.low for span in known), sum(span.high for span in known))


def _of_candidate(run: RunDir, lock: Lock, name: str) -> DurationRange | None:
    settings, launch = lock.candidates[name], lock.spec.launch
    past_of = past_runs(run.root.parent, name, settings, launch=launch)
    known = list(filter(None, (_like(run, settings, past) for past in past_of)))
    most = math.inf if settings.minutes is None else 60 * settings.minutes
    if not known:
        return None if math.isinf(most) else DurationRange(0.0, most)
    low, high = min(span.low for span in known), max(span.high for span in known)
    return DurationRange(min(low, most), min(high, most))


def _like(run: RunDir, settings: TrainSettings, past: Past) -> DurationRange | None:
    """The same seconds for each byte of a row that is trained on."""
    if settings.batch_tokens or past.settings.batch_tokens:
        return None
    ours, theirs = _training_rows(run), _training_rows(past.run)
    per_step = settings.batch_size * settings.gradient_accumulation
    past_step = past.settings.batch_size * past.settings.gradient_accumulation
    passes = settings.epochs
    if settings.max_steps is not None:
        passes = settings.max_steps * per_step / ours.num_rows
    past_passes = past.candidate.steps * past_step / theirs.num_rows
    ratio = ours.num_bytes * passes / (theirs.num_bytes * past_passes)
    return DurationRange(
        _LEAST * ratio * past.candidate.seconds, _MOST * ratio * past.candidate.seconds
    )


class _TrainingRows(NamedTuple):
    num_bytes: int
    num_rows: int


def _training_rows(run: RunDir) -> _TrainingRows:
    path = run.root / "data" / "train.jsonl"
    with os_errors(path):
        content = path.read_bytes()
    return _TrainingRows(len(content), max(1, content.count(b"\n")))


def _measuring(run: RunDir, lock: Lock, emit: Emit) -> _Measuring | None:
    if set(lock.spec.evaluate.metric_names) == {PREFERENCE}:
        return None  # nothing is answered
    runtime.require_runtime()
    rows = _read_held_out(run)
    for past in _find_measured_alike(run, lock):
        seconds = _seconds_of_stage(past, "evaluate")
        answers = past.read_report("evaluate", EvaluateReport).answers
        if seconds and (known := sum(each.n for each in answers)):
            num_answers = len(rows) * len(_systems(run, lock)) * len(lock.spec.base_models)
            whole = seconds * num_answers / known
            return _Measuring(
                DurationRange(_LEAST * whole, _MOST * whole), f"as {past.root.name} took"
            )
    return _time_answers(run, lock, rows, emit)


def _read_held_out(run: RunDir) -> list[Row]:
    """The rows that are answered, which documents are not."""
    files = sorted((run.root / "data" / "evaluate").glob("*.jsonl"))
    rows = (row for file in files for row in parse_rows(file.read_text(encoding="utf-8")))
    return [row for row in rows if not row.is_text]


def _find_measured_alike(run: RunDir, lock: Lock) -> Iterator[RunDir]:
    """Measured runs of the same name, base models and length of answers, the newest first."""
    settings = lock.spec.evaluate
    name = lock.spec.base_models[0]
    for past in past_runs(run.root.parent, name, lock.candidates[name], launch=lock.spec.launch):
        if not past.run.report_path("evaluate").is_file():
            continue
        other = lock_of(past.run).spec
        same = (other.name, other.base_models, other.evaluate.max_new_tokens)
        if same == (lock.spec.name, lock.spec.base_models, settings.max_new_tokens):
            yield past.run


class _Attempt(NamedTuple):
    """One go at a stage, from its start to the last that is heard of it."""

    key: object
    began: datetime
    latest: datetime
    last_event: str = "stage_started"

    @property
    def seconds(self) -> float:
        return (self.latest - self.began).total_seconds()


def _seconds_of_stage(run: RunDir, stage: str) -> float:
    """Of all attempts that made the last result: one goes on from the answers of those before it. 0 where the
    last has not ended."""
    attempts = _attempts(run, stage)
    if not attempts or attempts[-1].last_event != "stage_ended":
        return 0.0
    *before, last = attempts
    same = takewhile(lambda each: each.last_event != "stage_ended", reversed(before))
    return last.seconds + sum(each.seconds for each in same if each.key == last.key)


def _attempts(run: RunDir, stage: str) -> list[_Attempt]:
    found: list[_Attempt] = []
    for event in read_events(run).events:
        if event.fields.get("stage") != stage:
            continue
        time = datetime.fromisoformat(event.time)
        if event.type == "stage_started":
            found.append(_Attempt(event.fields.get("key"), time, time))
        elif found and found[-1].last_event not in _CLOSING:
            found[-1] = found[-1]._replace(latest=time, last_event=event.type)
    return found


def _systems(run: RunDir, lock: Lock) -> list[str]:
    """Who will answer, of each candidate."""
    from finewright.evaluate.baselines.rivals import list_systems

    path = run.root / "data" / "train.jsonl"
    rows = parse_rows(path.read_text("utf-8")) if path.is_file() else []
    return list_systems(lock.spec.evaluate, rows, Path(lock.root).joinpath)


def _time_answers(run: RunDir, lock: Lock, rows: Sequence[Row], emit: Emit) -> _Measuring | None:
    """By the first base model; others in proportion to their parameters."""
    if not rows:
        return None
    from finewright.evaluate.pace import answer_pace
    from finewright.lm.load import load_lm
    from finewright.lm.load_chat import load_chat

    spec, name = lock.spec, lock.spec.base_models[0]
    emit("calibrating_answers", seconds=_SECONDS)
    root = Path(lock.root)
    bases = [locate_in(run, each, root, commit=lock.commit_of(each)) for each in spec.base_models]
    consent, dtype = spec.remote_code.get(name, ""), lock.candidates[name].dtype
    assert dtype != "auto"
    chat = load_chat(bases[0], consent=consent, options=spec.chat_template)
    began = perf_counter()
    lm = load_lm(bases[0], None, dtype=dtype, consent=consent)
    loading = perf_counter() - began
    settings = spec.evaluate
    pace = answer_pace(
        lm,
        chat,
        rows,
        max_new_tokens=settings.max_new_tokens,
        batch_size=settings.batch_size,
        seconds=_SECONDS,
        clock=perf_counter,
    )
    del lm
    runtime.forget_peak(give_back=True)
    systems = _systems(run, lock)
    longest = pace.longest if pace.has_ended else settings.max_new_tokens
    low = sum(pace.seconds(len(rows), _tokens(pace.expected, pace.longest, s)) for s in systems)
    high = sum(pace.seconds(len(rows), _tokens(pace.expected, longest, s)) for s in systems)
    sizes = [num_parameters(base.folder) for base in bases]
    scale = sum(sizes) / sizes[0]
    span = DurationRange(scale * _LEAST * low, scale * (loading + _MOST * high))
    basis = f"{len(rows)} rows x {len(systems)} systems, by answers that were timed"
    if span.high > _LONG:
        basis += "; fewer by evaluate.data[].limit and evaluate.compare_with"
    return _Measuring(span, basis)


def _tokens(expected: int, longest: int, system: str) -> int:
    """A tuned model answers as its rows do; the base as it did, and as far as it may."""
    return expected if system.startswith(TUNED) else longest
