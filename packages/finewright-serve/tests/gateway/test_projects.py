"""What belongs to a project is there for its keys alone."""

from pathlib import Path

import pytest
from starlette.testclient import TestClient

from finewright_serve.gateway.admission import Admission
from finewright_serve.gateway.app import app_of
from finewright_serve.gateway.gateway import Gateway
from finewright_serve.gateway.keys import KeyRing, StoredKeys, make_key
from finewright_serve.gateway.measures import Measures
from finewright_serve.gateway.question import GatewayQuestion, ServedModel
from gateway.test_responses import LAST, Scripted

PERSONA = "You are the house's secret persona."
BODY = {"messages": [{"role": "user", "content": "Hi"}]}


class House(Scripted):
    """A model of the house with a system prompt, one that a project's job made, one of an old job."""

    def __init__(self) -> None:
        super().__init__([LAST])
        self.asked: list[GatewayQuestion] = []

    def models(self) -> list[ServedModel]:
        made = ServedModel("ft:made", "native", system_prompt=PERSONA, owner="blue")
        old = ServedModel("ft:old", "native", owner=None)
        return [ServedModel("m", "native", system_prompt=PERSONA), made, old]


@pytest.fixture
def clients(tmp_path: Path) -> dict[str, TestClient]:
    path = tmp_path / "keys.json"
    made = {
        "admin": make_key(path, "admin", "today"),
        "blue": make_key(path, "user", "today", "blue"),
        "blue too": make_key(path, "train", "today", "blue"),
        "own": make_key(path, "user", "today"),
    }
    admission = Admission(1, 1)
    app = app_of(Gateway([House()], admission, Measures(admission)), KeyRing(path))
    return {
        name: TestClient(app, headers={"Authorization": f"Bearer {key}"})
        for name, key in made.items()
    }


def test_a_tuned_model_is_listed_and_answers_for_its_project_and_admins(
    clients: dict[str, TestClient],
) -> None:
    def found(name: str) -> tuple[list[str], list[int]]:
        client = clients[name]
        listed = [each["id"] for each in client.get("/v1/models").json()["data"]]
        statuses = []
        for model in ("ft:made", "ft:old"):
            asked = client.post("/v1/chat/completions", json={"model": model, **BODY})
            shown = client.get(f"/v1/models/{model}").status_code
            assert shown == asked.status_code
            statuses.append(shown)
        return listed, statuses

    assert found("admin") == (["m", "ft:made", "ft:old"], [200, 200])
    assert found("blue") == found("blue too") == (["m", "ft:made"], [200, 404])
    assert found("own") == (["m"], [404, 404])


def test_a_system_prompt_is_shown_to_admins_alone(clients: dict[str, TestClient]) -> None:
    shows = [name for name, client in clients.items() if PERSONA in client.get("/v1/models").text]
    shows_one = [name for name in clients if PERSONA in clients[name].get("/v1/models/m").text]
    assert (shows, shows_one) == (["admin"], ["admin"])


def test_a_key_of_a_file_without_projects_is_a_project_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    old = '{"keys": [{"id": "0a1b2c3d", "sha256": "x", "role": "train", "created": "2026-11-27"}]}'
    path.write_text(old)
    (key,) = StoredKeys.model_validate_json(path.read_text()).keys
    assert key.owner == "0a1b2c3d"
    make_key(path, "train", "today")
    assert len({each.owner for each in StoredKeys.model_validate_json(path.read_text()).keys}) == 2
