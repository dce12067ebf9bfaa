"""A run and its trackers: what they get, and that nothing of theirs reaches the training."""

import json
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import tiny_run
from finewright import plugins
from finewright.errors import DataError
from finewright.schema.load import load_spec
from finewright.schema.trackers import TrackerSpec
from finewright.store import tracker as of_store
from finewright.store.tracker import (
    Delivery,
    TrackedRun,
    TrackedValues,
    TrackerPlugin,
    describe_fault,
)
from finewright.workbench.tracking import check_trackers
from finewright.workbench.up import up

RUN = TrackedRun("a", "key", Path("nowhere"), "", "p")


class Kept:
    """A tracker that keeps what it gets in memory."""

    def __init__(self) -> None:
        self.params: dict[str, str] = {}
        self.records: list[TrackedValues] = []
        self.state = ""

    def log_params(self, params: Mapping[str, str]) -> None:
        self.params |= params

    def log_values(self, records: Sequence[TrackedValues]) -> None:
        self.records += records

    def close(self, state: str) -> None:
        self.state = state


def plugin(opened: Any) -> TrackerPlugin:
    return TrackerPlugin("json", "bridge", opened)


def record(step: int) -> TrackedValues:
    return TrackedValues(0.0, step, {"loss": 1.0 / (1 + step)})


def test_every_record_arrives_in_order_and_the_end_is_told() -> None:
    kept = Kept()
    delivery = Delivery("kept", plugin(lambda _: kept), RUN)
    delivery.offer({"method": "sft"})
    for step in range(2000):
        delivery.offer(record(step))
    assert delivery.end("finished", 10) == 0
    assert (kept.params, kept.state) == ({"method": "sft"}, "finished")
    assert [each.step for each in kept.records] == list(range(2000))


def test_a_tracker_that_hangs_stops_nobody_and_what_it_lacks_is_counted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hangs = threading.Event()
    monkeypatch.setattr(of_store, "_LONGEST_QUEUE", 10)
    delivery = Delivery("hung", plugin(lambda _: hangs.wait()), RUN)
    started = time.perf_counter()
    for step in range(100):
        delivery.offer(record(step))
    assert time.perf_counter() - started < 0.5
    unsent = delivery.end("finished", 0.1)
    assert 89 <= unsent <= 100
    assert delivery.fault == "it took longer than 0.1 s"
    hangs.set()


def test_what_failed_is_counted_and_the_end_does_not_wait_for_another_try() -> None:
    def refuse(_: TrackedRun) -> Kept:
        raise ConnectionError("no route\nto host")

    delivery = Delivery("gone", plugin(refuse), RUN)
    for step in range(50):
        delivery.offer(record(step))
    time.sleep(0.2)
    started = time.perf_counter()
    assert delivery.end("finished", 5) == 50
    assert time.perf_counter() - started < 1
    assert delivery.fault == "no route to host"


def test_no_secret_of_the_environment_is_in_a_message(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "s3cr3t-value")
    assert describe_fault(ValueError("401 for s3cr3t-value\x1b[2J")) == "401 for *** [2J"


@pytest.fixture
def registered(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """Two trackers of this test: one keeps all, the other refuses."""
    kept = Kept()

    def refuse(_: TrackedRun) -> Kept:
        raise PermissionError("401: the token has expired")

    monkeypatch.setattr(of_test := SimpleNamespace(), "kept", kept, raising=False)
    found = {"kept": plugin(lambda _: kept), "expired": plugin(refuse)}
    known = plugins.resolve

    def resolve(kind: plugins.Kind, name: str) -> Any:
        return found[name] if kind == "tracker" and name in found else known(kind, name)

    monkeypatch.setattr(plugins, "resolve", resolve)
    return of_test


@pytest.mark.torch
def test_a_run_is_followed_and_one_that_refuses_is_one_line(
    registered: SimpleNamespace, tmp_path: Path
) -> None:
    run = tiny_run.trained(tmp_path, "{type: lora, r: 2}")
    lines = (run / "train/base/metrics.jsonl").read_text().splitlines()
    steps = [json.loads(line) for line in lines]
    events: list[tuple[str, Mapping[str, Any]]] = []
    loaded = load_spec(tmp_path / "spec.yaml", ["trackers=[kept, expired]"])
    report = up(loaded, tmp_path / "again", on_event=lambda *event: events.append(event))
    kept: Kept = registered.kept
    losses = [r.values["train/loss"] for r in kept.records if "train/loss" in r.values]
    assert losses == [step["loss"] for step in steps]  # the same run without trackers
    assert kept.params["learning_rate"] == "0.01"
    assert kept.state == "finished"
    assert report.evaluate is not None
    figures = kept.records[-1].values
    for score in report.evaluate.scores:
        assert figures[f"evaluate/{score.data}/{score.system}/{score.metric}"] == score.value
    warned = [f["message"] for kind, f in events if kind == "problem" and f["key"] == "trackers"]
    assert warned[0] == ("tracker expired: 401: the token has expired; the run goes on without it")
    assert warned[-1].startswith("tracker expired: ")
    assert warned[-1].endswith(" records of this run were not sent")
    assert len(warned) == 2


def test_a_tracker_that_nobody_knows_is_refused_before_anything_runs(tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text('{"prompt": "a", "completion": "b"}\n' * 8)
    text = tiny_run.SPEC.format(base="smollm2-135m-instruct", adapter="{type: lora}")
    (tmp_path / "spec.yaml").write_text(f"trackers: [mlflov]\n{text}")
    with pytest.raises(DataError, match=r"spec.yaml:1: trackers.0: no tracker named 'mlflov'"):
        up(load_spec(tmp_path / "spec.yaml"), tmp_path / "runs", on_event=tiny_run.nothing)


def test_one_without_an_address_is_refused_before_anything_runs(
    registered: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = plugins.resolve

    def resolve(kind: plugins.Kind, name: str) -> Any:
        return known(kind, name)._replace(address="SOME_URI")

    monkeypatch.setattr(plugins, "resolve", resolve)
    (problem,) = check_trackers([TrackerSpec(name="kept")])
    assert problem.line() == (
        "trackers.0: the tracker 'kept' needs an address"
        " (write {name: kept, uri: http://HOST:PORT}, or set SOME_URI)"
    )
    monkeypatch.setenv("SOME_URI", "http://127.0.0.1:5000")
    assert check_trackers([TrackerSpec(name="kept")]) == []
    assert check_trackers([TrackerSpec(name="kept", uri="http://127.0.0.1:1")]) == []
