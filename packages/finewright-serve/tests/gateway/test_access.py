"""What the log says of requests."""

import logging
from pathlib import Path
from urllib.parse import quote

import pytest
from starlette.testclient import TestClient

from finewright_serve.gateway.access import AnsweredRequest
from finewright_serve.gateway.admission import Admission
from finewright_serve.gateway.app import app_of
from finewright_serve.gateway.errors import ApiError
from finewright_serve.gateway.gateway import Gateway
from finewright_serve.gateway.keys import KeyRing, make_key
from finewright_serve.gateway.measures import Measures
from finewright_serve.run import open_to
from gateway.test_gateway import Failing
from gateway.test_responses import LAST, Scripted

PRIVATE = "my private words\nERROR forged"


@pytest.fixture
def client() -> TestClient:
    admission = Admission(1, 1)
    return TestClient(app_of(Gateway([], admission, Measures(admission)), None))


def test_a_refused_request_is_one_line_by_its_id_without_what_was_said(
    client: TestClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "finewright_serve")
    body = {"model": PRIVATE, "messages": [{"role": "user", "content": PRIVATE}]}
    found = client.post("/v1/chat/completions", json=body)
    client.get(f"/{quote(PRIVATE)}")
    client.get("/healthz")
    first, second = caplog.records
    line = first.getMessage()
    number = found.headers["x-request-id"]
    assert line.startswith(
        f"{number} POST /v1/chat/completions: 404 model_not_found, key none, from testclient, "
    )
    assert "GET other: 404 not_found_error, " in second.getMessage()
    assert "private" not in caplog.text


def test_a_request_without_a_key_is_counted_at_its_route(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "finewright_serve")
    make_key(tmp_path / "keys.json", "user", "2026-11-27")
    admission = Admission(1, 1)
    gateway = Gateway([], admission, Measures(admission))
    client = TestClient(app_of(gateway, KeyRing(tmp_path / "keys.json")))
    for path in ("/v1/models", "/v1/models/a/b", "/nothing"):
        assert client.get(path).status_code == 401
    lines = [record.getMessage() for record in caplog.records]
    routes = ("/v1/models", "/v1/models/{model:path}", "other")
    for line, route in zip(lines, routes, strict=True):
        assert f" GET {route}: 401 invalid_api_key, key none" in line
    assert b'route="/v1/models",status="401"' in gateway.measures.text()


@pytest.mark.parametrize(
    ("error", "code", "level"),
    [
        (ApiError("late", status=504, code="timeout"), "timeout", "WARNING"),
        (ZeroDivisionError(PRIVATE), "server_error", "ERROR"),
    ],
)
def test_an_answer_that_breaks_off_is_in_the_log_though_its_status_is_200(
    error: Exception, code: str, level: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "finewright_serve.gateway.access")
    admission = Admission(1, 1)
    app = app_of(Gateway([Failing(error)], admission, Measures(admission)), None)
    body = {"model": "m", "messages": [{"role": "user", "content": "a"}], "stream": True}
    assert TestClient(app).post("/v1/chat/completions", json=body).status_code == 200
    (record,) = (each for each in caplog.records if each.name == "finewright_serve.gateway.access")
    assert f": 200 broken off: {code}, key none" in record.getMessage()
    assert record.levelname == level


@pytest.mark.parametrize(
    ("status", "level"),
    [(200, logging.DEBUG), (404, logging.INFO), (499, logging.INFO), (503, logging.WARNING),
     (500, logging.ERROR), (502, logging.ERROR)],
)  # fmt: skip
def test_the_level_says_whose_fault_it_is(status: int, level: int) -> None:
    assert AnsweredRequest("GET", "/x", status, "", "", 0.1).level == level


ORIGIN = "https://app.example.com"


@pytest.mark.parametrize(("opened", "origin"), [((ORIGIN,), ORIGIN), (("*",), "*"), ((), None)])
def test_browsers_let_pages_of_the_named_origins_ask(
    opened: tuple[str, ...], origin: str | None
) -> None:
    admission = Admission(4, 9)
    gateway = Gateway([Scripted([LAST])], admission, Measures(admission))
    client = TestClient(open_to(app_of(gateway, None), opened))
    asks = {"Origin": ORIGIN, "Access-Control-Request-Method": "POST"}
    asked = client.options(
        "/v1/chat/completions",
        headers=asks | {"Access-Control-Request-Headers": "authorization,content-type"},
    )
    assert asked.headers.get("access-control-allow-origin") == origin
    body = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}
    found = client.post("/v1/chat/completions", json=body, headers={"Origin": ORIGIN})
    assert found.headers.get("access-control-allow-origin") == origin
    assert ("access-control-allow-credentials" in found.headers) is False
    if origin:
        assert "x-request-id" in found.headers["access-control-expose-headers"]
        assert "authorization" in asked.headers["access-control-allow-headers"].lower()
    other = client.post(
        "/v1/chat/completions", json=body, headers={"Origin": "https://evil.example"}
    )
    assert other.headers.get("access-control-allow-origin") == ("*" if origin == "*" else None)
