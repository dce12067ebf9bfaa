"""Who may do what, ids that are no ids, URLs that nobody fetches, and lists by pages."""

import asyncio
import json
import socket
import threading
from dataclasses import replace
from itertools import product
from typing import Any

import pytest
from starlette.applications import Starlette

from finewright_serve.gateway.steps import QuestionCaller
from finewright_serve.jobs.routes import job_routes

from .conftest import Api

JOB = "ftjob-" + "a" * 24
ROUTES = [
    ("POST", "/v1/files"),
    ("GET", "/v1/files"),
    ("GET", "/v1/files/file-x"),
    ("GET", "/v1/files/file-x/content"),
    ("DELETE", "/v1/files/file-x"),
    ("POST", "/v1/fine_tuning/jobs"),
    ("GET", "/v1/fine_tuning/jobs"),
    ("GET", f"/v1/fine_tuning/jobs/{JOB}"),
    ("POST", f"/v1/fine_tuning/jobs/{JOB}/cancel"),
    ("POST", f"/v1/fine_tuning/jobs/{JOB}/pause"),
    ("POST", f"/v1/fine_tuning/jobs/{JOB}/resume"),
    ("GET", f"/v1/fine_tuning/jobs/{JOB}/events"),
    ("GET", f"/v1/fine_tuning/jobs/{JOB}/checkpoints"),
]


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_a_key_that_only_asks_may_not_train(api: Api, method: str, path: str) -> None:
    def status(role: str) -> int:
        headers = {"Authorization": f"Bearer {api.keys[role]}"}
        return int(api.client.request(method, path, headers=headers).status_code)

    may_not = [role for role in ("user", "train", "admin") if status(role) == 403]
    assert may_not == ["user"]
    assert api.client.request(method, path, headers={"Authorization": "x"}).status_code == 401


DOTS = ["..", "%2e%2e", "..%2f..", "..%5c..", "....//", "%252e%252e", "..;", ".%00.", "~", "*"]
ENDS = ["/keys.json", "%2fkeys.json", "%5ckeys.json", "%00", "/../../keys.json", "%0a"]
TRAVERSALS = [f"{dots}{end}" for dots, end in product(DOTS, ENDS)]


@pytest.mark.parametrize("payload", TRAVERSALS)
def test_an_id_is_never_a_path(api: Api, payload: str) -> None:
    secret = api.training.folder.root / "keys.json"
    secret.parent.mkdir(exist_ok=True)
    secret.write_text("the secret")
    before = sorted(secret.parents[1].rglob("*"))
    good = "file-" + "a" * 23
    for path in (
        f"/v1/files/{payload}",
        f"/v1/files/{payload}/content",
        f"/v1/files/{good}{payload}/content",
        f"/v1/fine_tuning/jobs/{payload}",
        f"/v1/fine_tuning/jobs/{payload}/events",
    ):
        found = api.client.get(path)
        assert found.status_code in (400, 404, 405), path
        assert "the secret" not in found.text
    for body in ({"training_file": payload}, {"training_file": "x", "model": payload}):
        assert api.create(**body).status_code == 400
    assert api.client.delete(f"/v1/files/{payload}").status_code in (404, 405)
    assert sorted(secret.parents[1].rglob("*")) == before


HOSTS = [
    "127.0.0.1", "localhost", "0.0.0.0", "[::1]", "[::]", "169.254.169.254", "10.0.0.1",  # noqa: S104
    "172.16.0.1", "192.168.0.1", "100.64.0.1", "2130706433", "0x7f000001", "0177.0.0.1", "127.1", "0",
    "[::ffff:127.0.0.1]", "[fe80::1]", "[fd00::1]", "127.0.0.1.nip.io", "localtest.me", "instance-data",
    "kubernetes.default.svc", "consul.service.consul", "metadata.google.internal", "user@127.0.0.1",
    "127.0.0.1#@example.org", "127.0.0.1%00", "127.0.0.1:22", "127.0.0.1:6379", "[::1]:2375", "0.0.0.0:80",
    "①②⑦.⓪.⓪.①", "example.org@169.254.169.254", "fd00:ec2::254", "192.0.0.192", "100.100.100.200",
    "host.docker.internal", "gateway.internal", "localhost.localdomain", "spoofed.burpcollaborator.net",
]  # fmt: skip
assert len(HOSTS) == 40


@pytest.mark.parametrize("host", HOSTS)
def test_no_url_is_fetched(api: Api, host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        pytest.fail("somebody connected")

    number = api.upload()
    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    for scheme in ("http", "gopher", "file", "hub"):
        url = f"{scheme}://{host}/x"
        grader = {"type": "endpoint", "url": url, "name": "x"}
        wandb = {"type": "wandb", "wandb": {"project": url}}
        methods = [
            ("reinforcement", {"grader": grader}),
            ("ppo", {"rewards": [f"reward_model:{url}"]}),
            ("supervised", {"hyperparameters": {"base_url": url}}),
        ]
        wishes: list[dict[str, Any]] = [
            {"training_file": url},
            {"training_file": number, "validation_file": url},
            {"training_file": number, "model": url},
            {"training_file": number, "integrations": [wandb]},
            *({"training_file": number, "method": {"type": k, k: m}} for k, m in methods),
        ]
        assert [api.create(**wish).status_code for wish in wishes] == [400] * len(wishes)
    # A text that is only shown may be one.
    assert api.create(training_file=number, metadata={"home": f"http://{host}/"}).status_code == 200


def test_jobs_are_listed_by_pages_and_by_their_metadata(api: Api) -> None:
    ids = [api.made(metadata={"number": str(i)})["id"] for i in range(3)][::-1]
    first = api.client.get("/v1/fine_tuning/jobs", params={"limit": 2}).json()
    assert ([job["id"] for job in first["data"]], first["has_more"]) == (ids[:2], True)
    more = api.client.get("/v1/fine_tuning/jobs", params={"after": ids[1]}).json()
    assert ([job["id"] for job in more["data"]], more["has_more"]) == (ids[2:], False)
    found = api.client.get("/v1/fine_tuning/jobs", params={"metadata[number]": "2"}).json()
    assert [job["id"] for job in found["data"]] == ids[:1]
    for query in (
        {"limit": 0},
        {"limit": "x"},
        {"limit": "0" * 8 + "10"},
        {"limit": "1" + "0" * 8 + "1"},
        {"limit": 101},
        {"after": "../x"},
    ):
        assert api.client.get("/v1/fine_tuning/jobs", params=query).status_code == 400


def test_a_job_that_waits_is_paused_resumed_and_cancelled(api: Api) -> None:
    job = api.made(suffix="My-bot_v1.2", seed=7)
    assert (job["status"], job["seed"], job["fine_tuned_model"]) == ("queued", 7, None)

    def after(change: str) -> tuple[int, str]:
        found = api.client.post(f"/v1/fine_tuning/jobs/{job['id']}/{change}")
        now = api.client.get(f"/v1/fine_tuning/jobs/{job['id']}").json()
        return found.status_code, now["status"]

    assert after("pause") == (200, "paused")
    assert after("pause") == (400, "paused")
    assert after("resume") == (200, "queued")
    assert after("resume") == (400, "queued")
    assert after("cancel") == (200, "cancelled")
    assert after("cancel") == after("pause") == after("resume") == (400, "cancelled")
    events = api.client.get(f"/v1/fine_tuning/jobs/{job['id']}/events", params={"limit": 2}).json()
    assert [event["message"] for event in events["data"]] == [
        "the job is cancelled",
        "the job is resumed",
    ]
    rest = api.client.get(
        f"/v1/fine_tuning/jobs/{job['id']}/events", params={"after": events["last_id"]}
    ).json()
    assert len({event["id"] for event in (*events["data"], *rest["data"])}) == 4
    assert not rest["has_more"]


def test_a_hundred_jobs_may_wait(api: Api) -> None:
    number = api.upload()
    assert {api.create(training_file=number).status_code for _ in range(100)} == {200}
    found = api.create(training_file=number)
    assert (found.status_code, found.headers["retry-after"]) == (429, "60")


def test_a_client_that_leaves_while_its_rows_are_read_gets_no_job(api: Api) -> None:
    is_read, has_left = threading.Event(), threading.Event()

    def chat_of(base: str) -> None:
        is_read.set()
        assert has_left.wait(10)

    app = Starlette(routes=job_routes(replace(api.training, chat_of=chat_of)))
    wish = json.dumps({"model": "base", "training_file": api.upload()}).encode()
    messages = [{"type": "http.request", "body": wish}]

    async def receive() -> dict[str, Any]:
        if messages:
            return messages.pop()
        await asyncio.to_thread(is_read.wait, 10)
        return {"type": "http.disconnect"}

    async def send(message: object) -> None:
        pass

    async def asked() -> None:
        headers = [(b"content-type", b"application/json")]
        state = {"asker": QuestionCaller("key", "admin", "")}
        where = {"path": "/v1/fine_tuning/jobs", "query_string": b"", "method": "POST"}
        await app({"type": "http", "headers": headers, "state": state, **where}, receive, send)
        has_left.set()

    asyncio.run(asked())  # and wait for its threads
    assert is_read.is_set()
    assert api.training.folder.ids() == []


def test_the_lock_is_the_owners_alone_and_no_program(api: Api) -> None:
    api.made()
    mode = (api.training.folder.root / "jobs.lock").stat().st_mode
    assert mode & 0o777 == 0o600
