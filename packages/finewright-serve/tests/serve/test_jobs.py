"""Jobs of a real server through the official client, across kills of the server and of a job's process."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import openai
import pytest

from e2e.processes import wait_until
from finewright_serve.jobs.folder import JobFolder
from jobs.conftest import unread
from serve.serving import Serving, save_base, started, stop

pytestmark = pytest.mark.torch

WORDS = ("red", "blue", "green", "white")
STEPS, SAVE_STEPS = 24, 3
METHOD = {
    "type": "supervised",
    "supervised": {
        "hyperparameters": {
            "batch_size": 4, "learning_rate_multiplier": 4.0, "max_steps": STEPS, "save_steps": SAVE_STEPS,
            "threads": 1, "prove_elsewhere": False,
        }
    },
}  # fmt: skip


def begun(folder: Path, key: str = "", model: str = "./base") -> Serving:
    found = started(folder, model)
    return found._replace(key=key or found.key)


def killed(server: Serving) -> None:
    server.process.send(signal.SIGKILL)
    assert server.process.code(30) == -signal.SIGKILL


@pytest.fixture
def folder(
    tmp_path: Path, _own_home: None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Path]:
    save_base(tmp_path)
    yield tmp_path
    for path in tmp_path.glob("serve/jobs/*/alive.lock"):
        state = json.loads((path.parent / "state.json").read_text())
        if state["status"] == "running" and (text := path.read_text().strip()):
            os.kill(int(text), signal.SIGKILL)


def rows(number: int) -> bytes:
    found = []
    for i in range(number):
        word = WORDS[i % len(WORDS)]
        turns = [("user", f"the {word} {i}"), ("assistant", f"answer {word}")]
        found.append({"messages": [{"role": role, "content": text} for role, text in turns]})
    return "".join(json.dumps(row) + "\n" for row in found).encode()


def num_steps(folder: Path, job: str) -> int:
    """The steps that the job's run has logged, as its folder says without any server."""
    paths = list(folder.glob(f"serve/runs/*-{job[-8:]}-*/events.jsonl"))
    return sum(b'"metric"' in line for path in paths for line in path.read_bytes().splitlines())


def status_on_disk(folder: Path, job: str) -> str:
    return str(json.loads((folder / "serve/jobs" / job / "state.json").read_text())["status"])


def adapter_of(folder: Path, job: str) -> bytes:
    (path,) = folder.glob(f"serve/runs/*-{job[-8:]}-*/train/*/adapter/adapter_model.safetensors")
    return path.read_bytes()


def poll(get: Callable[[], Any], *statuses: str) -> Any:
    """Asked 20 times a second: the job needs the cores that questions and answers would take."""
    wait_until(lambda: get().status in statuses, every_seconds=0.05)
    return get()


def test_jobs_outlive_the_server_and_a_killed_one_goes_on_exactly(folder: Path) -> None:
    server = begun(folder)
    whole, cut, dropped = queued(server.client)
    assert server.client.fine_tuning.jobs.cancel(dropped).status == "cancelled"
    wait_until(lambda: num_steps(folder, whole) >= 1, every_seconds=0.02)
    killed(server)

    # Without a server the job ends well, and its process starts the next.
    wait_until(lambda: status_on_disk(folder, whole) == "succeeded", every_seconds=0.02)
    wait_until(lambda: num_steps(folder, cut) >= SAVE_STEPS + 1, every_seconds=0.01)
    os.kill(int((folder / "serve/jobs" / cut / "alive.lock").read_text()), signal.SIGKILL)

    server = begun(folder, server.key)
    jobs, asked = server.client.fine_tuning.jobs, time.monotonic()
    poll(lambda: jobs.retrieve(cut), "failed")  # seen within a second of the process's end
    found = {job.id: job for job in jobs.list()}
    assert time.monotonic() - asked < 20
    statuses = [found[job].status for job in (whole, cut, dropped)]
    assert statuses == ["succeeded", "failed", "cancelled"]
    assert found[cut].error.code == "process_ended"
    assert "resume goes on from its last checkpoint" in found[cut].error.message
    jobs.resume(cut)
    resumed = poll(lambda: jobs.retrieve(cut), "succeeded", "failed")
    assert (resumed.status, resumed.trained_tokens) == ("succeeded", found[whole].trained_tokens)
    assert adapter_of(folder, cut) == adapter_of(folder, whole)
    check_records(server.client, resumed)
    check_answers(server.client, resumed.fine_tuned_model)
    assert server.client.models.delete(resumed.fine_tuned_model).deleted
    stop(server)

    after_a_restart = unread(JobFolder(folder / "serve")).models()
    assert [model.id for model in after_a_restart] == [found[whole].fine_tuned_model]


def queued(client: Any) -> tuple[str, str, str]:
    """Three jobs of the same wish, of which one runs."""
    train = client.files.create(file=("rows.jsonl", rows(16)), purpose="fine-tune")
    valid = client.files.create(file=("valid.jsonl", rows(3)), purpose="fine-tune")
    wish = {"training_file": train.id, "validation_file": valid.id, "method": METHOD, "seed": 5}
    jobs = client.fine_tuning.jobs
    found = [jobs.create(model="base", **wish, suffix=name).id for name in ("whole", "cut", "no")]
    assert [jobs.retrieve(job).status for job in found] == ["running", "queued", "queued"]
    return found[0], found[1], found[2]


def check_records(client: Any, job: Any) -> None:
    """Events, checkpoints and the result file of a job that was cut say what happened."""
    events = client.fine_tuning.jobs.list_events(job.id, limit=100).data
    assert any(re.fullmatch(r"goes on from step [1-9]\d*", event.message) for event in events)
    metrics = [event.data for event in events if event.type == "metrics"]
    assert metrics[0]["step"] == metrics[0]["total_steps"] == STEPS
    assert metrics[0]["valid_loss"] < metrics[-1]["train_loss"]
    checkpoints = client.fine_tuning.jobs.checkpoints.list(job.id).data
    assert [(c.step_number, c.fine_tuned_model_checkpoint) for c in checkpoints] == [
        (STEPS, job.fine_tuned_model),
        (STEPS - SAVE_STEPS, None),
    ]
    assert checkpoints[0].metrics.valid_loss == metrics[0]["valid_loss"]
    table = client.files.content(job.result_files[0]).text.splitlines()
    assert (len(table), table[0].split(",")[:2]) == (STEPS + 1, ["step", "train_loss"])


def check_answers(client: Any, model: str) -> None:
    """The tuned model answers as it learned, whole and as a stream."""
    asked = {
        "model": model,
        "messages": [{"role": "user", "content": "the red 0"}],
        "max_tokens": 8,
    }
    whole = client.chat.completions.create(**asked).choices[0].message.content
    pieces = client.chat.completions.create(**asked, stream=True)
    assert "".join(piece.choices[0].delta.content or "" for piece in pieces) == whole
    assert whole.startswith("answer")


def test_a_running_job_is_paused_and_rows_that_are_too_long_are_refused(folder: Path) -> None:
    server = begun(folder)
    jobs = server.client.fine_tuning.jobs
    file = server.client.files.create(file=("rows.jsonl", rows(16)), purpose="fine-tune")

    def create(**hyperparameters: Any) -> str:
        usual = METHOD["supervised"]["hyperparameters"]
        given = {"hyperparameters": {**usual, **hyperparameters}}
        method = {"type": "supervised", "supervised": given}
        return str(jobs.create(model="base", training_file=file.id, method=method).id)

    job = create(max_steps=4000)
    wait_until(lambda: num_steps(folder, job) >= 4)
    assert jobs.retrieve(job).estimated_finish > time.time() - 60
    jobs.pause(job)
    poll(lambda: jobs.retrieve(job), "paused")
    before = num_steps(folder, job)
    jobs.resume(job)
    wait_until(lambda: num_steps(folder, job) > before)
    jobs.cancel(job)
    assert poll(lambda: jobs.retrieve(job), "cancelled").finished_at
    with pytest.raises(openai.BadRequestError, match=r"rows\.jsonl:1") as refused:
        create(max_length=4)
    assert str(folder) not in str(refused.value)
    stop(server)


def test_the_example_goes_from_a_file_to_an_answer(folder: Path) -> None:
    (folder / "rows.jsonl").write_bytes(rows(8))
    server = begun(folder)
    example = Path(__file__).parents[4] / "examples" / "jobs.py"
    said = subprocess.run(
        [sys.executable, str(example), "rows.jsonl", "base"],
        cwd=folder,
        env=os.environ
        | {"OPENAI_BASE_URL": str(server.client.base_url), "OPENAI_API_KEY": server.key},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    stop(server)
    assert said.returncode == 0, said.stderr
    assert "succeeded: " in said.stdout


@pytest.mark.slow
@pytest.mark.network
def test_smollm2_learns_by_the_official_client_across_a_kill_of_the_server(tmp_path: Path) -> None:
    name, examples = "smollm2-135m-instruct", Path(__file__).parents[4] / "examples" / "migrate"
    unseen = (examples / "validation.jsonl").read_bytes().splitlines(keepends=True)[:4]
    server = begun(tmp_path, model=name)
    parts = {
        "train.jsonl": (examples / "train.jsonl").read_bytes(),
        "valid.jsonl": b"".join(unseen),
    }
    train, valid = (
        server.client.files.create(file=part, purpose="fine-tune").id for part in parts.items()
    )
    steps = {"max_steps": 8, "batch_size": 2, "eval_interval": 8, "learning_rate_multiplier": 4.0}
    given = {"hyperparameters": {**steps, "prove_elsewhere": False}}
    job = server.client.fine_tuning.jobs.create(
        model=name, training_file=train, validation_file=valid, suffix="transactions", seed=1,
        method={"type": "supervised", "supervised": given},
    ).id  # fmt: skip
    wait_until(lambda: num_steps(tmp_path, job) >= 2, every_seconds=0.05)
    killed(server)
    wait_until(lambda: num_steps(tmp_path, job) >= 4, every_seconds=0.05)

    server = begun(tmp_path, server.key, name)
    jobs, end = server.client.fine_tuning.jobs, time.monotonic() + 600
    while (found := jobs.retrieve(job)).status == "running" and time.monotonic() < end:
        time.sleep(0.2)
    assert found.status == "succeeded", found.error
    metrics = [event.data for event in jobs.list_events(job, limit=100) if event.type == "metrics"]
    assert metrics[0]["valid_loss"] < 0.5 * metrics[-1]["train_loss"]
    has_learned = {}
    for model in (name, found.fine_tuned_model):
        asked = {
            "model": model,
            "messages": json.loads(unseen[0])["messages"][:2],
            "max_tokens": 48,
        }
        pieces = server.client.chat.completions.create(**asked, stream=True)
        said = "".join(piece.choices[0].delta.content or "" for piece in pieces)
        has_learned[model] = said.startswith('{"intent":"')
    assert has_learned == {name: False, found.fine_tuned_model: True}
    stop(server)
