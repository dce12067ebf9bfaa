"""events.jsonl: what happened in a run, append-only, and the state that follows from it."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal, NamedTuple

from finewright.errors import StoreError
from finewright.store.actor import read_actor
from finewright.store.atomic import append_line, os_errors
from finewright.store.lock import holder
from finewright.store.rundir import RunDir

State = Literal["finished", "running", "interrupted", "failed", "new"]

_AFTER: Mapping[str, State] = {
    "stage_started": "interrupted",
    "stage_ended": "interrupted",
    "stage_failed": "failed",
    "run_interrupted": "interrupted",
    "run_ended": "finished",
}
_OWN = {"time", "type", "actor"}


@dataclass(frozen=True, slots=True)
class Event:
    """One line of the log: ISO time in UTC, a type, what else was said, and who did it (an `Actor` as JSON;
    empty in runs that were made before it was kept)."""

    time: str
    type: str
    fields: Mapping[str, object]
    actor: Mapping[str, object] = field(default_factory=dict)


class EventLog(NamedTuple):
    """The events in order, and how many lines a kill or a full disk tore."""

    events: tuple[Event, ...]
    num_torn: int


def emit(run: RunDir, event_type: str, /, **fields: object) -> None:
    """Append one event in a single write; it survives a kill of this process, not a power cut.

    NaN and infinities become the texts "nan", "inf" and "-inf", which JSON can carry."""
    if taken := _OWN & fields.keys():
        raise StoreError(f"{run.events}: an event's own keys cannot be fields: {sorted(taken)}")
    time = datetime.now(UTC).isoformat(timespec="milliseconds")
    actor = read_actor().model_dump(exclude_none=True)
    said = {name: _sayable(value) for name, value in fields.items()}
    record = {"time": time, "type": event_type, "actor": actor, **said}
    try:
        line = json.dumps(record, ensure_ascii=False).encode("utf-8", "backslashreplace")
    except TypeError as error:
        raise StoreError(f"{run.events}: event {event_type!r} is not JSON: {error}") from None
    append_line(run.events, line + b"\n")


def read_events(run: RunDir) -> EventLog:
    """All whole events; a torn line is counted, not raised."""
    if not run.events.exists():
        return EventLog((), 0)
    with os_errors(run.events):
        lines = [line for line in run.events.read_bytes().split(b"\n") if line.strip()]
    events = tuple(event for line in lines if (event := _parse(line)))
    return EventLog(events, len(lines) - len(events))


def state(run: RunDir) -> State:
    """Running while a living process holds the lock, else what the last stage or run event says.

    A run whose process was killed has no closing event and no holder: it is interrupted."""
    if holder(run) is not None:
        return "running"
    types = (event.type for event in reversed(read_events(run).events))
    return next((_AFTER[event_type] for event_type in types if event_type in _AFTER), "new")


def _parse(line: bytes) -> Event | None:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(record, dict):
        return None
    time, event_type = record.pop("time", None), record.pop("type", None)
    if not isinstance(time, str) or not isinstance(event_type, str):
        return None
    actor = record.pop("actor", {})
    return Event(time, event_type, record, actor if isinstance(actor, dict) else {})


def _sayable(value: object) -> object:
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, Mapping):
        return {key: _sayable(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_sayable(part) for part in value]
    return value
