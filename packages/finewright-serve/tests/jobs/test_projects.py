"""Files and jobs are there for the project of the key that brought them, and for admins."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from finewright_serve.gateway.keys import make_key
from finewright_serve.jobs.job import JobState
from finewright_serve.jobs.limits import JobLimits, processes_of
from finewright_serve.jobs.queue import JobQueue

from .conftest import Api


def client_of(api: Api, role: str = "train", project: str = "") -> TestClient:
    path = api.training.folder.root.parent / "keys.json"
    time.sleep(0.6)  # the ring looks at its file twice a second
    key = make_key(path, role, "today", project)  # type: ignore[arg-type] # a role
    return TestClient(api.client.app, headers={"Authorization": f"Bearer {key}"})


def test_nobody_else_sees_uses_or_deletes_them(api: Api) -> None:
    file, job = api.upload(), api.made()["id"]
    stranger = client_of(api)
    one = f"/v1/fine_tuning/jobs/{job}"
    for method, path in (
        ("GET", f"/v1/files/{file}"),
        ("GET", f"/v1/files/{file}/content"),
        ("DELETE", f"/v1/files/{file}"),
        ("GET", one),
        ("POST", f"{one}/cancel"),
        ("POST", f"{one}/pause"),
        ("POST", f"{one}/resume"),
        ("GET", f"{one}/events"),
        ("GET", f"{one}/checkpoints"),
    ):
        found, unknown = (
            stranger.request(method, each)
            for each in (path, path.replace(file, "file-" + "a" * 24).replace(job, "ftjob-" + "a" * 24))
        )  # fmt: skip
        assert found.status_code == unknown.status_code == 404, path
        assert found.json()["error"]["code"] == unknown.json()["error"]["code"]
    for path in ("/v1/files", "/v1/fine_tuning/jobs"):
        assert stranger.get(path).json()["data"] == []
        assert len(api.client.get(path).json()["data"]) > 0
    body = {"model": "base", "training_file": file}
    assert stranger.post("/v1/fine_tuning/jobs", json=body).status_code == 400
    assert api.client.get(one).json()["status"] == "queued"


def test_keys_of_one_project_share_and_admins_see_all(api: Api) -> None:
    first, second = client_of(api, project="blue"), client_of(api, project="blue")
    admin = TestClient(api.client.app, headers={"Authorization": f"Bearer {api.keys['admin']}"})
    given = {"file": ("rows.jsonl", b'{"prompt": "Q", "completion": "A"}\n')}
    file = first.post("/v1/files", files={**given, "purpose": (None, "fine-tune")}).json()["id"]
    assert second.get(f"/v1/files/{file}").status_code == 200
    assert admin.get(f"/v1/files/{file}").status_code == 200
    assert api.client.get(f"/v1/files/{file}").status_code == 404
    assert second.delete(f"/v1/files/{file}").json()["deleted"]


def test_what_an_older_version_kept_without_a_project_is_the_admins(api: Api) -> None:
    file = api.upload()
    record = api.training.files.root / file / "file.json"
    old = json.loads(record.read_text())
    del old["project"]
    record.write_text(json.dumps(old))
    admin = {"Authorization": f"Bearer {api.keys['admin']}"}
    assert api.client.get(f"/v1/files/{file}").status_code == 404
    assert api.client.get(f"/v1/files/{file}", headers=admin).status_code == 200


def test_threads_that_no_machine_has_are_refused_when_the_job_is_made(api: Api) -> None:
    found = api.create(training_file=api.upload(), hyperparameters={"threads": 10**9})
    error = found.json()["error"]
    assert (found.status_code, error["param"]) == (
        400,
        "method.supervised.hyperparameters.threads",
    )
    assert f"this machine has {os.cpu_count()} cores" in error["message"]
    assert api.training.folder.ids() == []


@pytest.mark.parametrize(
    ("pattern", "status", "says"),
    [
        ("(a+)+$", 200, ""),  # matched in linear time
        ("(?=a)b", 400, "look-around is not matched in bounded time"),
        (r"(a)\1", 400, "a back reference is not matched in bounded time"),
        ("(", 400, "not a regular expression"),
        ("a" * 3000, 400, "a pattern of 3000 characters"),
    ],
)
def test_a_pattern_that_cannot_be_matched_in_time_is_refused_when_the_job_is_made(
    api: Api, pattern: str, status: int, says: str
) -> None:
    ppo = {"type": "ppo", "ppo": {"rewards": [f"regex:{pattern}"]}}
    found = api.create(training_file=api.upload(), method=ppo)
    assert (found.status_code, says in found.text) == (status, True)
    if status == 400:
        assert found.json()["error"]["param"] == "method.ppo.rewards.0"


def test_projects_take_turns(api: Api) -> None:
    mine = [api.made()["id"] for _ in range(3)]
    other = client_of(api)
    given = {"file": ("rows.jsonl", b'{"prompt": "Q", "completion": "A"}\n')}
    file = other.post("/v1/files", files={**given, "purpose": (None, "fine-tune")}).json()["id"]
    body = {"model": "base", "training_file": file}
    theirs = other.post("/v1/fine_tuning/jobs", json=body).json()["id"]
    queue = JobQueue(api.training.folder, 1)
    assert queue._turns([*mine, theirs], []) == [mine[0], theirs, *mine[1:]]
    assert queue._turns([*mine[1:], theirs], [mine[0]]) == [theirs, *mine[1:]]


@pytest.fixture
def hungry(api: Api) -> Iterator[str]:
    """A job whose process is a shell with children, in the place of training."""
    number = str(api.made()["id"])
    alive = api.training.folder.take_alive(number)
    assert alive is not None
    process = subprocess.Popen(
        ["sh", "-c", "for i in 1 2 3 4 5; do sleep 600 & done; wait"],
        pass_fds=(alive,), start_new_session=True,
    )  # fmt: skip
    os.pwrite(alive, f"{process.pid}\n".encode(), 0)
    os.close(alive)
    deadline = time.monotonic() + 20
    while len(processes_of(process.pid)) < 6 and time.monotonic() < deadline:
        time.sleep(0.05)
    api.training.folder.change(
        number, lambda state: state.at(time.time(), "the job is running", status="running")
    )
    yield number
    for each in processes_of(process.pid):
        with suppress(ProcessLookupError):
            os.kill(each, signal.SIGKILL)
    process.wait()


def settled(api: Api, number: str, limits: JobLimits) -> JobState:
    queue = JobQueue(api.training.folder, 0, limits)
    deadline = time.monotonic() + 20
    while api.training.folder.is_alive(number) and time.monotonic() < deadline:
        queue.advance()
        time.sleep(0.05)
    queue.advance()
    return api.training.folder.state(number)


@pytest.mark.parametrize(
    ("limits", "code"),
    [(JobLimits(processes=3), "too_many_processes"), (JobLimits(seconds=0.0), "time_limit")],
)
def test_a_job_that_takes_too_much_is_ended_and_says_why(
    api: Api, hungry: str, limits: JobLimits, code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("finewright_serve.jobs.queue._PATIENCE_SECONDS", 0.2)
    state = settled(api, hungry, limits)
    assert (state.status, state.failure and state.failure.code) == ("failed", code)


def test_a_job_writes_to_no_more_memory_than_it_may() -> None:
    work = "from finewright_serve.jobs.limits import JobLimits as L; L(1, 2**28, 9).bind(); bytes(2**29)"
    ended = subprocess.run(
        [sys.executable, "-c", work], capture_output=True, text=True, check=False
    )
    assert ended.stderr.endswith("MemoryError\n")
    work = work.replace("2**29", "2**20")
    assert subprocess.run([sys.executable, "-c", work], check=False).returncode == 0


def test_limits_are_told_to_the_next_process_as_they_are(tmp_path: Path) -> None:
    limits = JobLimits(7, 2**33, 90.5)
    assert JobLimits.read(str(limits)) == limits
