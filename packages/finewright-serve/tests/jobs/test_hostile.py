"""Whatever is posted to create a job is answered in OpenAI's form, and no state is half-written."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from e2e.processes import wait_until
from finewright.errors import DataError
from finewright_serve.jobs.folder import JobFolder
from finewright_serve.jobs.queue import JobQueue, advancing
from finewright_serve.jobs.request import METHOD_TYPES

from .conftest import CHAT, PAIR, Api, lines

KEYS = (
    "method",
    "hyperparameters",
    "seed",
    "suffix",
    "metadata",
    "integrations",
    "validation_file",
)
WORDS = st.sampled_from(
    ["supervised", "dpo", "reinforcement", "ppo", "reward", "type", "grader", "rewards", "n_epochs", "auto",
     "hyperparameters", "learning_rate_multiplier", "eq", "string_check"]
)  # fmt: skip
NUMBERS = st.integers() | st.just(10**400) | st.floats(allow_nan=False, allow_infinity=False)
JSON = st.recursive(
    st.none() | st.booleans() | NUMBERS | WORDS | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(WORDS | st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=12,
)
METHODS = WORDS.flatmap(lambda kind: st.fixed_dictionaries({"type": st.just(kind), kind: JSON}))


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=st.dictionaries(st.sampled_from(KEYS), JSON | METHODS, max_size=4))
def test_no_body_is_a_fault_of_the_server(api: Api, body: dict[str, Any]) -> None:
    found = api.create(**{"training_file": "file-x", **body})
    assert found.status_code == 400, found.text
    assert found.json()["error"].keys() == {"message", "type", "param", "code"}


GRADER = {
    "type": "string_check", "name": "same", "operation": "eq",
    "input": "{{sample.output_text}}", "reference": "{{item.answer}}",
}  # fmt: skip
REWARDED = ("reinforcement", "ppo")


def chosen(kind: str, part: str) -> dict[str, Any]:
    """A method with all its keys."""
    worth = {"grader": GRADER, "rewards": ["exact", {"function": "valid_json", "weight": 2}]}
    given = {"hyperparameters": {"n_epochs": 1, "adapter": {"type": "lora", "r": 4}}}
    own = {**given, "response_format": None, **({part: worth[part]} if kind in REWARDED else {})}
    return {"type": kind, kind: own}


def places(value: Any, here: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every key and every item in the value."""
    inner = value.items() if isinstance(value, dict) else enumerate(value)
    found = []
    for key, each in inner:
        found += [
            (*here, key),
            *(places(each, (*here, key)) if each and isinstance(each, dict | list) else []),
        ]
    return found


def with_nulls(value: Any, nulls: set[tuple[Any, ...]], here: tuple[Any, ...] = ()) -> Any:
    if here in nulls:
        return None
    if isinstance(value, dict):
        return {key: with_nulls(each, nulls, (*here, key)) for key, each in value.items()}
    if isinstance(value, list):
        return [with_nulls(each, nulls, (*here, i)) for i, each in enumerate(value)]
    return value


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    kind=st.sampled_from([*METHOD_TYPES]),
    part=st.sampled_from(["grader", "rewards"]),
    data=st.data(),
)
def test_null_anywhere_is_no_fault_of_the_server(
    api: Api, kind: str, part: str, data: st.DataObject
) -> None:
    file = api.upload(lines(CHAT if kind == "supervised" else PAIR))
    body = {
        "training_file": file, "validation_file": None, "method": chosen(kind, part), "seed": 1,
        "suffix": "s", "metadata": {"a": "b"}, "integrations": None, "hyperparameters": None,
    }  # fmt: skip
    nulls = data.draw(st.sets(st.sampled_from(places(body)), max_size=3))
    found = api.create(**with_nulls(body, nulls))
    assert found.status_code in (200, 400), found.text
    if not nulls:
        assert found.status_code == 200, found.text
    if found.status_code == 200:  # a hundred may wait
        api.client.post(f"/v1/fine_tuning/jobs/{found.json()['id']}/cancel")


@pytest.mark.parametrize("number", ["1e400", "1" + "0" * 400])
@pytest.mark.parametrize(
    ("kind", "own", "param"),
    [
        ("dpo", '"hyperparameters": {"beta": %s}', "hyperparameters.beta"),
        ("dpo", '"hyperparameters": {"minutes": %s}', "hyperparameters.minutes"),
        ("dpo", '"hyperparameters": {"max_length": %s}', "hyperparameters.max_length"),
        ("ppo", '"rewards": [{"function": "exact", "weight": %s}]', "rewards"),
    ],
)
def test_a_number_that_no_float_holds_is_refused_by_its_key(
    api: Api, kind: str, own: str, param: str, number: str
) -> None:
    file = api.upload(lines(PAIR))
    method = f'{{"type": "{kind}", "{kind}": {{{own % number}}}}}'
    body = f'{{"model": "base", "training_file": "{file}", "method": {method}}}'
    headers = {"Content-Type": "application/json"}
    found = api.client.post("/v1/fine_tuning/jobs", content=body, headers=headers)
    assert found.status_code == 400, found.text
    assert found.json()["error"]["param"].startswith(f"method.{kind}.{param}")


@pytest.mark.parametrize("kind", [*METHOD_TYPES])
@pytest.mark.parametrize("own", [(), (None,), ({},), ({"hyperparameters": None},)])
def test_a_method_without_an_object_of_its_own_has_the_defaults(
    api: Api, kind: str, own: tuple[Any, ...]
) -> None:
    file = api.upload(lines(CHAT if kind == "supervised" else PAIR))
    method = {"type": kind, **dict(zip([kind], own, strict=False))}
    found = api.create(training_file=file, method=method)
    assert found.status_code == (400 if kind in REWARDED else 200), found.text


@pytest.mark.parametrize("odd", [[], False, 0, ""])
def test_what_is_no_object_is_no_empty_one(api: Api, odd: object) -> None:
    file = api.upload()
    for body in (
        {"method": {"type": "supervised", "supervised": odd}},
        {"method": {"type": "supervised", "supervised": {"hyperparameters": odd}}},
    ):
        assert api.create(training_file=file, **body).status_code == 400


@pytest.mark.parametrize("name", ["job.json", "state.json"])
def test_a_damaged_record_names_no_place_of_the_machine(api: Api, name: str) -> None:
    job = api.made()["id"]
    (api.training.folder.path(job) / name).write_text("{")
    fresh = JobFolder(api.training.folder.root)
    api.training.queue.folder = fresh
    found = api.client.get(f"/v1/fine_tuning/jobs/{job}")
    assert found.status_code == 500
    assert str(fresh.root) not in found.text


def test_a_damaged_record_stops_no_other_job(api: Api) -> None:
    damaged, other = api.made()["id"], api.made()["id"]
    (api.training.folder.path(damaged) / "state.json").write_text("{")
    api.training.queue.most_running = 1
    api.training.queue.advance()
    assert api.training.folder.state(other).status == "running"
    process = api.training.folder.process(other)
    assert process is not None
    os.kill(process, signal.SIGKILL)

    def is_settled() -> bool:
        api.training.queue.advance()
        return api.training.folder.written(other).status == "failed"

    wait_until(is_settled)
    wait_until(lambda: api.training.queue.advance() is None and not api.training.queue._children)
    assert api.client.get("/v1/models").json()["data"] == []


@pytest.mark.parametrize("name", ["job.json", "state.json"])
def test_a_damaged_record_hides_no_other_and_stops_no_creation(api: Api, name: str) -> None:
    other = api.made()["id"]
    kept, torn = api.upload(), api.upload()
    damaged = api.create(
        training_file=api.upload(lines(PAIR)), method={"type": "reward", "reward": {}}
    ).json()["id"]
    (api.training.folder.path(damaged) / name).write_text("{")
    (api.training.files.root / torn / "file.json").write_text("{")
    api.training.queue.folder = JobFolder(api.training.folder.root)
    page = api.client.get("/v1/fine_tuning/jobs", params={"limit": 1}).json()
    assert ([job["id"] for job in page["data"]], page["has_more"]) == ([other], False)
    listed = {file["id"] for file in api.client.get("/v1/files").json()["data"]}
    assert kept in listed
    assert torn not in listed
    ppo = {"type": "ppo", "ppo": {"rewards": ["exact"]}}
    prompts = api.upload(lines({"prompt": "Q", "answer": "A"}))
    assert api.create(training_file=prompts, method=ppo).status_code == 200


def test_a_job_that_cannot_start_fails_alone(api: Api) -> None:
    stuck, other = api.made()["id"], api.made()["id"]
    folder, queue = api.training.folder, api.training.queue
    (folder.path(stuck) / "alive.lock").mkdir()
    queue.most_running = 1
    queue.advance()
    failure = folder.state(stuck).failure
    assert failure is not None
    assert failure.code == "not_started"
    assert str(folder.root) not in failure.message
    queue.advance()
    process = folder.process(other)
    assert process is not None
    os.kill(process, signal.SIGKILL)
    wait_until(lambda: queue.advance() is None and not queue._children)


def test_a_process_that_ends_before_its_signal_stops_nothing(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as gone:
        gone.wait()
    job = api.training.folder.job(api.made()["id"])
    folder = api.training.folder
    folder.change(job.id, lambda state: state.model_copy(update={"status": "running"}))
    monkeypatch.setattr(JobFolder, "is_alive", lambda *_: True)
    monkeypatch.setattr(JobFolder, "process", lambda *_: gone.pid)
    once = api.training.queue.cancel(job)
    assert once.wish == "cancel"
    assert api.training.queue.cancel(job) == once, "a second wish is no second event"


def test_a_mistake_of_ours_does_not_end_the_queue(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []

    def broken(_: JobQueue) -> None:
        calls.append(1)
        raise RuntimeError("odd")

    monkeypatch.setattr(JobQueue, "advance", broken)
    monkeypatch.setattr("finewright_serve.jobs.queue._PAUSE_SECONDS", 0.01)
    with advancing(api.training.queue):
        wait_until(lambda: len(calls) > 1)


def test_a_folder_has_one_server(tmp_path: Path) -> None:
    folder = JobFolder(tmp_path / "serve")
    with (
        folder.led(),
        pytest.raises(DataError, match="serve: another finewright server uses"),
        JobFolder(tmp_path / "serve").led(),
    ):
        pytest.fail("there were two")
    with folder.led():
        assert os.listdir(folder.root) == ["server.lock"]  # noqa: PTH208


def test_what_a_kill_left_of_an_upload_is_cleared(api: Api) -> None:
    kept = api.upload()
    torn = api.training.files.root / f".{kept}.0123abcd.tmp"
    torn.mkdir()
    (torn / "rows.jsonl").write_text(json.dumps({}))
    young = torn.with_name(torn.name.replace("0123", "4567"))
    young.mkdir()
    os.utime(torn, (0, 0))
    assert [file.id for file in api.training.files.all()] == [kept]
    api.training.files.tidy()
    found = {path.name for path in api.training.files.root.iterdir()}
    assert found == {kept, young.name}, "a job may be writing the young one"
