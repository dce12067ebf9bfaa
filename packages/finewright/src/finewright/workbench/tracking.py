"""A run's events as trackers get them: its settings, the figures of each step, and the score card."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from finewright import plugins
from finewright.errors import FinewrightError, Interrupted, MissingExtra, SpecError
from finewright.schema.common import Problem
from finewright.schema.evaluate import EvaluateReport
from finewright.schema.lock import Lock
from finewright.schema.trackers import TrackerSpec
from finewright.store.manifest import read_manifest
from finewright.store.rundir import RunDir
from finewright.store.tracker import Delivery, TrackedRun, TrackedValues, TrackerPlugin, now

# A local server answers in milliseconds; whoever waits at the end of a run waits no longer than this.
_LAST_S = 20.0
_NOT_FIGURES = frozenset({"steps", "step"})
Feed = Callable[[str, Mapping[str, Any]], None]  # Any: an event's fields
Warn = Callable[[Problem], None]


def check_trackers(specs: Sequence[TrackerSpec]) -> list[Problem]:
    """An error for each tracker that nobody knows or whose library is not installed."""
    problems = []
    for i, spec in enumerate(specs):
        try:
            _find(spec)
        except FinewrightError as error:
            key = f"trackers.{i}"
            problems.append(Problem(level="error", key=key, message=str(error), hint=error.hint))
    return problems


def _find(spec: TrackerSpec) -> TrackerPlugin:
    plugin: TrackerPlugin = plugins.resolve("tracker", spec.name)
    if find_spec(plugin.library) is None:
        raise MissingExtra(
            f"the tracker {spec.name!r} needs {plugin.library}, which is not installed",
            hint=plugins.install_command(plugin.extra),
        )
    if plugin.address and not (spec.uri or os.environ.get(plugin.address)):
        raise SpecError(
            f"the tracker {spec.name!r} needs an address",
            hint=f"write {{name: {spec.name}, uri: http://HOST:PORT}}, or set {plugin.address}",
        )
    return plugin


@contextmanager
def feed_trackers(run: RunDir, lock: Lock, warn: Warn) -> Iterator[Feed]:
    """What takes each event of the run as it is written. Its trackers are told in the background; what they
    fail at is said once, by `warn`, and at the end how much they did not get. Raises nothing of theirs."""
    trackers = _Trackers(
        run, lock, warn, [_deliver(spec, run, lock) for spec in lock.spec.trackers]
    )
    trackers.offer(_params(lock))
    state = "failed"
    try:
        yield trackers.feed
        state = "finished"
    except (Interrupted, KeyboardInterrupt):
        state = "interrupted"
        raise
    finally:
        trackers.end(state)


@dataclass(frozen=True, slots=True)
class _Trackers:
    run: RunDir
    lock: Lock
    warn: Warn
    deliveries: Sequence[Delivery]
    warned: set[str] = field(default_factory=set)

    def offer(self, record: Mapping[str, str] | TrackedValues) -> None:
        """To each of them."""
        for each in self.deliveries:
            each.offer(record)

    def feed(self, event_type: str, fields: Mapping[str, Any]) -> None:
        """Send what an event has for trackers, and say of each once that it fails."""
        if not self.deliveries:
            return
        for record in _records(self.run, self.lock, event_type, fields):
            self.offer(record)
        for each in self.deliveries:
            if each.fault and each.name not in self.warned:
                self.warned.add(each.name)
                self.warn(_problem(each, f"{each.fault}; the run goes on without it"))

    def end(self, state: str) -> None:
        """Wait a little for what is on its way, and say what did not arrive."""
        for each in self.deliveries:
            if unsent := each.end(state, _LAST_S):
                why = "" if each.name in self.warned else f": {each.fault or 'its queue was full'}"
                self.warn(_problem(each, f"{unsent} records of this run were not sent{why}"))
            elif each.fault and each.name not in self.warned:
                self.warn(_problem(each, each.fault))


def _problem(delivery: Delivery, what: str) -> Problem:
    return Problem(
        level="warning",
        key="trackers",
        message=f"tracker {delivery.name}: {what}",
        hint="nothing is lost: the run folder has every figure",
    )


def _deliver(spec: TrackerSpec, run: RunDir, lock: Lock) -> Delivery:
    uri = spec.uri
    if uri and "://" not in uri:
        uri = str((Path(lock.root) / Path(uri).expanduser()).resolve())
    tracked = TrackedRun(
        run.root.resolve().name,
        read_manifest(run).key,
        run.root.resolve().parents[1] / "trackers" / spec.name / run.root.resolve().name,
        uri,
        spec.project or lock.spec.name,
    )
    return Delivery(spec.name, _find(spec), tracked)


def _params(lock: Lock) -> dict[str, str]:
    """The train settings with nothing left open, of each base model, and what names the run's inputs."""
    found = {"name": lock.spec.name, "finewright": lock.finewright}
    for model, settings in lock.candidates.items():
        prefix = "" if len(lock.candidates) == 1 else f"{model}/"
        found[f"{prefix}base_model"] = model
        for key, value in _flat(settings.model_dump(mode="json")):
            found[f"{prefix}{key}"] = str(value)
    return found | {f"sha256/{key}": digest for key, digest in lock.inputs.items()}


def _flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _records(
    run: RunDir, lock: Lock, event_type: str, fields: Mapping[str, Any]
) -> Iterator[TrackedValues]:
    if event_type == "metric":
        prefix = "" if len(lock.candidates) == 1 else f"{fields['base_model']}/"
        step = {**fields, **fields.get("metrics", {})}
        values = {
            f"{prefix}train/{name}": float(value)
            for name, value in step.items()
            if name not in _NOT_FIGURES
            and isinstance(value, int | float)
            and not isinstance(value, bool)
        }
        yield TrackedValues(now(), int(fields["step"]), values)
    elif event_type == "stage_ended" and fields.get("stage") == "evaluate":
        values = {}
        for score in run.read_report("evaluate", EvaluateReport).scores:
            name = f"evaluate/{score.data}/{score.system}/{score.metric}"
            values |= {name: score.value, f"{name}/low": score.low, f"{name}/high": score.high}
        yield TrackedValues(now(), 0, values)
