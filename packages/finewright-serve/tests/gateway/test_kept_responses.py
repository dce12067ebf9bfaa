"""Responses that are kept: who may go on from them, and how long."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from finewright.errors import DataError
from finewright_serve.gateway.admission import Admission
from finewright_serve.gateway.app import app_of
from finewright_serve.gateway.gateway import Gateway
from finewright_serve.gateway.kept_responses import ResponseStore
from finewright_serve.gateway.keys import KeyGrant, KeyRing, add_key
from finewright_serve.gateway.measures import Measures
from finewright_serve.gateway.question import AnswerPiece, CalledTool
from gateway.test_responses import LAST, USAGE, Scripted

ANSWER = (AnswerPiece(content="Rome"), LAST)
DAY = 86400.0


class Kept:
    """A server that keeps responses, with a clock that a test sets."""

    def __init__(self, folder: Path, megabytes: int = 1) -> None:
        self.now, self.engine = 0.0, Scripted(ANSWER)
        path = folder / "keys.json"
        grants = {
            "a": KeyGrant(project="a", groups=("hr",)),
            "a, without a group": KeyGrant(project="a"),
            "a, of other models": KeyGrant(project="a", groups=("hr",), models=("other*",)),
            "b": KeyGrant(project="b", groups=("hr",)),
            "b, admin": KeyGrant(project="b", role="admin", groups=("hr",)),
        }
        self.keys = {name: add_key(path, grant, "2026-12-02") for name, grant in grants.items()}
        self.store = ResponseStore(folder / "kept.sqlite", 30, megabytes, lambda: self.now)
        admission = Admission(4, 1)
        gateway = Gateway([self.engine], admission, Measures(admission))
        self.client = TestClient(app_of(gateway, KeyRing(path), kept=self.store))

    def ask(self, key: str = "a", **body: object) -> Any:
        return self.send("POST", key=key, json={"model": "m", "input": "Where?", **body})

    def send(self, method: str, name: str = "", *, key: str = "a", **more: Any) -> Any:
        headers = {"Authorization": f"Bearer {self.keys[key]}"}
        url = f"/v1/responses/{name}" if name else "/v1/responses"
        return self.client.request(method, url, headers=headers, **more)

    def messages(self) -> list[tuple[str, str]]:
        """What the engine was asked last."""
        return [(m["role"], m["content"]) for m in self.engine.questions[-1].messages or ()]


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Kept]:
    found = Kept(tmp_path)
    yield found
    found.store.close()


def test_a_response_goes_on_from_those_before_it(kept: Kept) -> None:
    first = kept.ask(instructions="Be brief.").json()
    second = kept.ask(input="Sure?", previous_response_id=first["id"], store=True).json()
    kept.ask(input="Really?", previous_response_id=second["id"])
    said = [("user", "Where?"), ("assistant", "Rome"), ("user", "Sure?"), ("assistant", "Rome")]
    assert kept.messages() == [*said, ("user", "Really?")]  # instructions are of one request
    assert (second["previous_response_id"], second["store"]) == (first["id"], True)
    assert kept.send("GET", second["id"]).json() == second


def test_the_end_of_a_stream_is_what_is_kept(kept: Kept) -> None:
    lines = kept.ask(stream=True).text.splitlines()
    events = [json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data")]
    last = events[-1]["response"]
    assert (last["status"], last["store"]) == ("completed", True)
    assert kept.send("GET", last["id"]).json() == last


def test_what_is_not_to_be_kept_is_not(kept: Kept) -> None:
    found = kept.ask(store=False).json()
    assert found["store"] is False
    assert kept.send("GET", found["id"]).status_code == 404


@pytest.mark.parametrize("key", ["a, without a group", "a, of other models", "b", "b, admin"])
def test_nobody_else_sees_it_or_goes_on_from_it(kept: Kept, key: str) -> None:
    name = kept.ask().json()["id"]
    refused = kept.send("GET", name, key=key)
    assert (refused.status_code, refused.json()["error"]["code"]) == (404, "response_not_found")
    unknown = kept.send("GET", "resp_" + "0" * 40, key=key).json()["error"]["message"]
    assert refused.json()["error"]["message"].replace(name, "") == unknown.replace(
        "resp_" + "0" * 40, ""
    )
    assert kept.send("DELETE", name, key=key).status_code == 404
    assert kept.ask(key, previous_response_id=name).status_code == 404
    assert kept.send("GET", name).status_code == 200


def test_what_is_deleted_is_gone_from_what_follows_too(kept: Kept, tmp_path: Path) -> None:
    first = kept.ask(input="a secret word").json()
    second = kept.ask(previous_response_id=first["id"]).json()
    gone = {"id": first["id"], "object": "response", "deleted": True}
    assert kept.send("DELETE", first["id"]).json() == gone
    refused = kept.ask(previous_response_id=second["id"])
    assert (refused.status_code, refused.json()["error"]["param"]) == (404, "previous_response_id")
    assert all(b"a secret word" not in path.read_bytes() for path in tmp_path.iterdir())


def test_results_answer_calls_of_the_response_before(kept: Kept) -> None:
    call = CalledTool("look", "{}")
    kept.engine.pieces = [AnswerPiece(calls=(call,), finish="tool_calls", usage=USAGE)]
    first = kept.ask().json()
    result = {"type": "function_call_output", "output": "found"}
    known = {**result, "call_id": first["output"][0]["call_id"]}
    kept.ask(input=[known], previous_response_id=first["id"])
    assert kept.messages()[-1] == ("tool", "found")
    refused = kept.ask(input=[{**result, "call_id": "x"}], previous_response_id=first["id"])
    assert refused.json()["error"]["param"] == "input.0.call_id"


def test_age_and_size_have_limits(kept: Kept) -> None:
    old = kept.ask().json()["id"]
    kept.now = 29 * DAY
    large = [kept.ask(input="a" * 400_000).json()["id"] for _ in range(3)]
    others = kept.ask("b").json()["id"]
    found = [kept.send("GET", name).status_code for name in (old, *large)]
    assert found == [404, 404, 200, 200]  # two of 0.4 MB are below 1 MB
    assert kept.ask(input="a" * 1_000_001).json()["store"] is False
    kept.now = 60 * DAY
    assert kept.send("GET", large[-1]).status_code == 404
    assert kept.send("GET", others, key="b").status_code == 404


def test_a_file_of_something_else_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "kept.sqlite"
    path.write_text("no base, but words " * 100)
    with pytest.raises(DataError, match="cannot be used"):
        ResponseStore(path, 30, 1)
