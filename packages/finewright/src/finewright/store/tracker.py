"""What a tracker is, and how a run feeds one without waiting for it.

Each tracker has a thread and a bounded queue of its own. Whoever trains puts a record into the queue or,
where that is full, counts it as not sent; nothing that a tracker does or fails to do reaches the training."""

import os
import queue
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, Protocol

# A record is some hundred bytes: at most a few MB for each tracker.
_LONGEST_QUEUE = 10_000
_BATCH = 500  # MLflow takes up to 1,000 values in one call; a record has several
_LOOK_S = 0.1  # how late the end of a run may be seen
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 1.0, 60.0
_LONGEST_REASON = 200
_SECRETS = ("KEY", "TOKEN", "PASSWORD", "SECRET")
_SHORTEST_SECRET = 6  # shorter values, such as `true`, are no credentials


class TrackedRun(NamedTuple):
    """The run that is tracked: its folder's name and its key, which is the same when it goes on; where to
    send (`uri`, resolved; empty for the tracker's own default below `folder`) and under which project."""

    name: str
    key: str
    folder: Path
    uri: str
    project: str


class TrackedValues(NamedTuple):
    """Figures of one moment: seconds since 1970, and the step they belong to."""

    time: float
    step: int
    values: Mapping[str, float]


class Tracker(Protocol):
    """A connection to a place that keeps figures of runs. May raise anything; is used by one thread."""

    def log_params(self, params: Mapping[str, str]) -> None:
        """Keep what the run was made with. May come again with the same values."""
        ...

    def log_values(self, records: Sequence[TrackedValues]) -> None:
        """Keep figures, in their order. A step may come again, where a run went on from a checkpoint."""
        ...

    def close(self, state: str) -> None:
        """End: `finished`, `failed` or `interrupted`, after which the run may go on."""
        ...


class TrackerPlugin(NamedTuple):
    """A tracker by name: the library that it needs, the extra that installs it, and what opens it.

    `address` is the variable of the environment with its address, for one that has no place of its own and so
    needs it there or as `uri`. `open` may wait and raise; the same run opened again is the same run there."""

    library: str
    extra: str
    open: Callable[[TrackedRun], Tracker]
    address: str = ""


@dataclass(slots=True)
class Delivery:
    """One tracker's queue and thread. `fault` is why it is not reached, in one line."""

    name: str
    plugin: TrackerPlugin
    run: TrackedRun
    fault: str = ""
    unsent: int = 0
    sent: int = 0
    _queue: "queue.Queue[Mapping[str, str] | TrackedValues]" = field(
        default_factory=lambda: queue.Queue(_LONGEST_QUEUE)
    )
    _ends: threading.Event = field(default_factory=threading.Event)
    _state: str = "interrupted"
    _thread: threading.Thread | None = None

    def offer(self, record: Mapping[str, str] | TrackedValues) -> None:
        """Send it when there is time; never waits."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._deliver, daemon=True)
            self._thread.start()
        try:
            self._queue.put_nowait(record)
        except queue.Full:
            self.unsent += 1

    def end(self, state: str, timeout_s: float) -> int:
        """Give the tracker so long for what waits, and return how many records were not sent."""
        self._state = state
        self._ends.set()
        if self._thread is not None:
            self._thread.join(timeout_s)
            if self._thread.is_alive() and not self.fault:
                self.fault = f"it took longer than {timeout_s:g} s"
        return self.unsent + self._queue.qsize()

    def _deliver(self) -> None:
        tracker: Tracker | None = None
        pause = _FIRST_PAUSE_S
        while not (self._ends.is_set() and self._queue.empty()):
            batch = self._take()
            if not batch:
                continue
            try:
                tracker = tracker or self.plugin.open(self.run)
                _send(tracker, batch)
                self.sent += len(batch)
                pause = _FIRST_PAUSE_S
            except Exception as error:  # whatever the tracker's library raises
                self.fault = describe_fault(error)
                self.unsent += len(batch)
                if self._ends.wait(pause):  # nobody waits for a tracker that fails
                    break
                pause = min(2 * pause, _LONGEST_PAUSE_S)
        if tracker is not None:
            try:
                tracker.close(self._state)
            except Exception as error:
                self.fault = describe_fault(error)

    def _take(self) -> list[Mapping[str, str] | TrackedValues]:
        """What waits, as soon as something does."""
        batch: list[Mapping[str, str] | TrackedValues] = []
        with suppress(queue.Empty):
            batch.append(self._queue.get(timeout=_LOOK_S))
            while len(batch) < _BATCH:
                batch.append(self._queue.get_nowait())
        return batch


def _send(tracker: Tracker, batch: Sequence[Mapping[str, str] | TrackedValues]) -> None:
    for each in batch:
        if not isinstance(each, TrackedValues):
            tracker.log_params(each)
    if values := [each for each in batch if isinstance(each, TrackedValues)]:
        tracker.log_values(values)


def describe_fault(error: Exception) -> str:
    """One line without control characters, and without what the environment keeps secret."""
    text = str(error) or type(error).__name__
    for name, value in os.environ.items():
        if len(value) >= _SHORTEST_SECRET and any(word in name.upper() for word in _SECRETS):
            text = text.replace(value, "***")
    plain = "".join(character if character.isprintable() else " " for character in text)
    return " ".join(plain.split())[:_LONGEST_REASON]


def now() -> float:
    """Seconds since 1970."""
    return time.time()
