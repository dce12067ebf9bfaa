import json
import math
import os
import pwd
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from finewright.errors import StoreError
from finewright.store.events import State, emit, read_events, state
from finewright.store.lock import run_lock
from finewright.store.rundir import RunDir


def types(run: RunDir) -> list[str]:
    return [event.type for event in read_events(run).events]


def test_an_event_is_one_json_line_with_utc_time_type_and_fields(run: RunDir) -> None:
    emit(run, "metric", step=1, loss=0.5, text="ä\nb")
    (line,) = run.events.read_text(encoding="utf-8").splitlines()
    record = json.loads(line)
    time = datetime.fromisoformat(record.pop("time"))
    assert time.utcoffset() == timedelta(0)
    assert abs(datetime.now(UTC) - time) < timedelta(minutes=1)
    assert record.pop("actor")["user"] == pwd.getpwuid(os.geteuid()).pw_name
    assert record == {"type": "metric", "step": 1, "loss": 0.5, "text": "ä\nb"}


def test_events_are_read_back_in_order(run: RunDir) -> None:
    emit(run, "stage_started", stage="data")
    emit(run, "stage_ended", stage="data", rows={"kept": [1, 2]})
    started, ended = read_events(run).events
    assert (started.type, started.fields) == ("stage_started", {"stage": "data"})
    assert (ended.type, ended.fields) == (
        "stage_ended",
        {"stage": "data", "rows": {"kept": [1, 2]}},
    )
    assert started.time <= ended.time


@pytest.mark.parametrize(
    ("value", "text"), [(math.nan, "nan"), (math.inf, "inf"), (-math.inf, "-inf")]
)
def test_numbers_that_json_lacks_are_kept_as_text(run: RunDir, value: float, text: str) -> None:
    emit(run, "metric", loss=value, more={"x": [value]})
    (event,) = read_events(run).events
    assert event.fields == {"loss": text, "more": {"x": [text]}}


@pytest.mark.parametrize("fields", [{"time": "x"}, {"type": "x"}, {"actor": "x"}])
def test_an_events_own_keys_cannot_be_fields(run: RunDir, fields: dict[str, object]) -> None:
    with pytest.raises(StoreError, match="own keys"):
        emit(run, "metric", **fields)
    assert not run.events.exists()


def test_a_value_that_is_not_json_is_refused(run: RunDir) -> None:
    with pytest.raises(StoreError, match="event 'metric' is not JSON"):
        emit(run, "metric", path=Path("x"))
    assert not run.events.exists()


def test_a_run_without_a_log_has_no_events(run: RunDir) -> None:
    assert read_events(run) == ((), 0)


@pytest.mark.parametrize(
    "torn", [b'{"time": "2026', b"\xff\xfe", b"[" * 100_000, b"7", b'{"a": 1}']
)
def test_a_torn_last_line_is_counted_not_raised(run: RunDir, torn: bytes) -> None:
    emit(run, "stage_started")
    with run.events.open("ab") as file:
        file.write(torn)
    log = read_events(run)
    assert [event.type for event in log.events] == ["stage_started"]
    assert log.num_torn == 1


def test_an_event_after_a_torn_line_is_not_torn_too(run: RunDir) -> None:
    emit(run, "stage_started")
    with run.events.open("ab") as file:
        file.write(b'{"time": "2026')
    emit(run, "stage_ended")
    assert types(run) == ["stage_started", "stage_ended"]
    assert read_events(run).num_torn == 1


def test_events_from_many_threads_are_all_whole(run: RunDir) -> None:
    def work(thread: int) -> None:
        for step in range(50):
            emit(run, "metric", thread=thread, step=step, pad="x" * 500)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    log = read_events(run)
    seen = {(event.fields["thread"], event.fields["step"]) for event in log.events}
    assert (len(log.events), len(seen), log.num_torn) == (200, 200, 0)


def test_a_full_disk_is_a_store_error(run: RunDir) -> None:
    run.events.symlink_to("/dev/full")
    with pytest.raises(StoreError, match=r"events\.jsonl: the disk is full"):
        emit(run, "metric")


def test_a_partly_written_line_is_a_full_disk(run: RunDir, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.write", lambda _, content: len(content) - 1)
    with pytest.raises(StoreError, match="the disk is full"):
        emit(run, "metric")


@pytest.mark.parametrize(
    ("happened", "expected"),
    [
        ([], "new"),
        (["log"], "new"),
        (["stage_started"], "interrupted"),
        (["stage_started", "metric"], "interrupted"),
        (["stage_started", "stage_ended"], "interrupted"),
        (["stage_started", "stage_failed"], "failed"),
        (["stage_started", "run_interrupted"], "interrupted"),
        (["stage_started", "stage_ended", "run_ended"], "finished"),
        (["stage_started", "stage_ended", "run_ended", "log"], "finished"),
        (
            ["stage_started", "stage_failed", "stage_started", "stage_ended", "run_ended"],
            "finished",
        ),
        (["run_ended", "stage_started"], "interrupted"),
    ],
)
def test_the_state_follows_from_the_events(
    run: RunDir, happened: list[str], expected: State
) -> None:
    for event_type in happened:
        emit(run, event_type)
    assert state(run) == expected


def test_a_run_is_running_while_its_lock_is_held(run: RunDir) -> None:
    emit(run, "stage_started")
    with run_lock(run):
        assert state(run) == "running"
    assert state(run) == "interrupted"


def test_a_torn_end_leaves_the_state_before_it(run: RunDir) -> None:
    emit(run, "stage_failed")
    with run.events.open("ab") as file:
        file.write(b'{"time": "2026-11-24", "type": "run_en')
    assert state(run) == "failed"
