"""A run is loaded into a server that goes on, answers, and is let go."""

import asyncio
import gc
import weakref
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from finewright.errors import ModelError
from finewright_serve.gateway.admission import Admission
from finewright_serve.gateway.app import app_of
from finewright_serve.gateway.gateway import Gateway
from finewright_serve.gateway.keys import KeyRing, make_key
from finewright_serve.gateway.measures import Measures
from finewright_serve.gateway.native import NativeEngine
from finewright_serve.jobs.folder import JobFolder
from finewright_serve.loading import RunLoading
from finewright_serve.local import LocalModels
from finewright_serve.spec import ServedTarget
from jobs.conftest import unread
from jobs.test_routes import TRAVERSALS
from tiny_run import trained

pytestmark = pytest.mark.torch

ASKED = [{"role": "user", "content": "the red 1"}]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return trained(tmp_path_factory.mktemp("loaded"), "{type: lora, r: 4, alpha: 8}")


@pytest.fixture
def keys(tmp_path: Path) -> dict[str, dict[str, str]]:
    made = {role: make_key(tmp_path / "keys.json", role, "today") for role in ("train", "admin")}
    return {role: {"Authorization": f"Bearer {key}"} for role, key in made.items()}


@pytest.fixture
def client(run: Path, tmp_path: Path, keys: object) -> Iterator[TestClient]:
    admission, tuned = Admission(1, 1), unread(JobFolder(tmp_path / "serve"))
    gateway = Gateway([tuned], admission, Measures(admission))
    loading = RunLoading(gateway, LocalModels(40, 2), tuned, run.parent)
    app = app_of(gateway, KeyRing(tmp_path / "keys.json"), loading.routes())
    with TestClient(app) as found:
        yield found


def test_a_run_is_served_until_it_is_let_go(
    client: TestClient, run: Path, keys: dict[str, dict[str, str]]
) -> None:
    client.headers = keys["admin"]
    body = {"model": f"base:{run.name}", "messages": ASKED, "max_tokens": 4}

    def asked() -> int:
        return int(client.post("/v1/chat/completions", json=body).status_code)

    assert asked() == 404
    found = client.post("/v1/models", json={"run": run.name})
    assert (found.status_code, found.json()["id"]) == (200, body["model"]), found.text
    assert str(run.parent) not in found.text
    assert asked() == 200
    assert (
        client.post("/v1/models", json={"run": run.name}).json()["error"]["code"] == "model_exists"
    )
    assert client.post("/v1/models", json={"run": run.name, "id": "second"}).status_code == 200
    listed = {model["id"] for model in client.get("/v1/models").json()["data"]}
    assert listed == {body["model"], "second"}
    assert client.delete(f"/v1/models/{body['model']}").json()["deleted"]
    assert asked() == 404
    gone = client.delete(f"/v1/models/{body['model']}")
    assert (gone.status_code, gone.json()["error"]["code"]) == (404, "model_not_found")


@pytest.mark.parametrize("name", [*TRAVERSALS, "nobody", "", "a/b", "."])
def test_a_run_is_a_name_and_no_path(
    client: TestClient, keys: dict[str, dict[str, str]], name: str
) -> None:
    found = client.post("/v1/models", json={"run": name}, headers=keys["admin"])
    assert found.status_code in (400, 404)


def test_only_an_admin_loads_and_lets_go(
    client: TestClient, keys: dict[str, dict[str, str]]
) -> None:
    for method, path in (("POST", "/v1/models"), ("DELETE", "/v1/models/x")):
        found = client.request(method, path, json={"run": "x"}, headers=keys["train"])
        assert found.status_code == 403


def test_a_name_that_is_taken_is_refused_before_anything_is_read(
    client: TestClient,
    run: Path,
    keys: dict[str, dict[str, str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    client.headers = keys["admin"]
    assert client.post("/v1/models", json={"run": run.name, "id": "mine"}).status_code == 200
    monkeypatch.setattr(LocalModels, "read", lambda *_: pytest.fail("a model was read"))
    found = client.post("/v1/models", json={"run": run.name, "id": "mine"})
    assert (found.status_code, found.json()["error"]["code"]) == (409, "model_exists")


def test_why_a_run_cannot_be_served_is_in_the_log_alone(
    client: TestClient,
    run: Path,
    keys: dict[str, dict[str, str]],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def refuse(*_: object) -> None:
        raise ModelError(f"{run}: its adapter does not fit")

    monkeypatch.setattr(NativeEngine, "load", refuse)
    found = client.post("/v1/models", json={"run": run.name}, headers=keys["admin"])
    assert found.json()["error"]["code"] == "model_not_loaded"
    assert "does not fit" not in found.text
    assert f"{run}: its adapter does not fit" in caplog.text


def test_a_base_model_is_read_once_and_leaves_with_the_last_that_needs_it(run: Path) -> None:
    local = LocalModels(40, 2)
    targets = [ServedTarget(target=str(run), id=name) for name in ("one", "two")]
    with ThreadPoolExecutor(2) as threads:
        models = list(threads.map(local.read, targets))
    base = weakref.ref(models[0].loaded.lm)
    assert base() is models[1].loaded.lm
    asyncio.run(local.engine.load(models.pop()))
    models.clear()
    gc.collect()
    assert base() is not None
    asyncio.run(local.engine.unload("two"))
    gc.collect()
    assert base() is None
