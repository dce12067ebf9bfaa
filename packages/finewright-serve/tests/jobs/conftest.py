"""The routes of files and jobs in this process, with keys of each role, over folders of the test's own."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from starlette.testclient import TestClient

from finewright_serve.gateway.admission import Admission
from finewright_serve.gateway.app import app_of
from finewright_serve.gateway.gateway import Gateway
from finewright_serve.gateway.keys import KeyRing, make_key
from finewright_serve.gateway.measures import Measures
from finewright_serve.jobs.files import FileFolder
from finewright_serve.jobs.folder import JobFolder
from finewright_serve.jobs.queue import JobQueue
from finewright_serve.jobs.routes import JobsApi, job_routes
from finewright_serve.jobs.tuned import TunedModels

FILE_BYTES = 20_000
CHAT = {
    "messages": [{"role": "user", "content": "Q"}, {"role": "assistant", "content": "A"}],
}
PAIR = {"prompt": "Q", "chosen": "A", "rejected": "B"}


def lines(*rows: dict[str, Any]) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


class Api(NamedTuple):
    """A client with a key that may train, and what it talks to."""

    client: TestClient
    training: JobsApi
    keys: dict[str, str]

    def upload(self, content: bytes = lines(CHAT), name: str = "rows.jsonl") -> str:
        given = {"file": (name, content), "purpose": (None, "fine-tune")}
        found = self.client.post("/v1/files", files=given)
        assert found.status_code == 200, found.text
        return str(found.json()["id"])

    def create(self, **body: Any) -> Any:
        return self.client.post("/v1/fine_tuning/jobs", json={"model": "base", **body})

    def made(self, **body: Any) -> dict[str, Any]:
        found = self.create(training_file=self.upload(), **body)
        assert found.status_code == 200, found.text
        return dict(found.json())


def unread(folder: JobFolder) -> TunedModels:
    """The results of jobs, of which none is loaded."""

    def refuse(*_: object) -> Any:
        pytest.fail("something was loaded")

    return TunedModels(folder, engine=refuse, read=refuse, at_once=1, most_loaded=1)


@pytest.fixture
def api(tmp_path: Path) -> Iterator[Api]:
    keys = {
        role: make_key(tmp_path / "keys.json", role, "today") for role in ("user", "train", "admin")
    }
    folder = JobFolder(tmp_path / "serve")
    training = JobsApi(
        files=FileFolder(tmp_path / "serve" / "files"),
        queue=JobQueue(folder, 0),
        tuned=unread(folder),
        bases={"base": str(tmp_path / "base")},
        file_bytes=FILE_BYTES,
    )
    admission = Admission(1, 1)
    gateway = Gateway([training.tuned], admission, Measures(admission))
    app = app_of(gateway, KeyRing(tmp_path / "keys.json"), job_routes(training))
    headers = {"Authorization": f"Bearer {keys['train']}"}
    with TestClient(app, headers=headers) as client:
        yield Api(client, training, keys)
