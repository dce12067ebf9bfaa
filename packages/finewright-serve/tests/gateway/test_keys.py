"""Keys: what they may do, how long, and that nothing shows them."""

import json
import logging
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from starlette.testclient import TestClient

from finewright.errors import DataError
from finewright_serve.gateway.admission import Admission
from finewright_serve.gateway.app import app_of
from finewright_serve.gateway.errors import ApiError
from finewright_serve.gateway.gateway import Gateway
from finewright_serve.gateway.keys import (
    KeyGrant,
    KeyRing,
    add_key,
    expiry_of,
    make_key,
    read_keys,
    revoke_key,
    rotate_key,
    time_of,
)
from finewright_serve.gateway.measures import Measures
from finewright_serve.gateway.question import AnswerPiece, ScoredToken
from gateway.test_responses import LAST, Scripted

CHAT = "/v1/chat/completions"
BODY = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}
OTHERS = tuple(ScoredToken(t, t.encode(), -3.14159) for t in "abcde")
SCORED = AnswerPiece(content="a", scores=(ScoredToken("a", b"a", -0.123456, OTHERS),))


def client_of(path: Path, key: str, pieces: Sequence[AnswerPiece] = (LAST,)) -> TestClient:
    admission = Admission(4, 9)
    gateway = Gateway([Scripted(list(pieces))], admission, Measures(admission))
    app = app_of(gateway, KeyRing(path))
    return TestClient(app, headers={"Authorization": f"Bearer {key}"})


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "keys.json"


def test_a_key_does_what_its_scopes_say_and_no_more(path: Path) -> None:
    client = client_of(path, add_key(path, KeyGrant("admin", scopes=("answers",)), "today"))
    statuses = {
        route: client.post(route, json=BODY).status_code
        for route in (CHAT, "/v1/embeddings", "/v1/files", "/v1/commands/x")
    }
    expected = {CHAT: 200, "/v1/embeddings": 403, "/v1/files": 403, "/v1/commands/x": 403}
    assert statuses == expected
    assert client.get("/metrics").json()["error"]["code"] == "missing_scope"
    assert client.get("/v1/models").status_code == 200


def test_a_key_asks_the_models_that_its_patterns_name(path: Path) -> None:
    def found(*models: str) -> tuple[int, int]:
        client = client_of(path, add_key(path, KeyGrant(models=models), "today"))
        return client.post(CHAT, json=BODY).status_code, len(
            client.get("/v1/models").json()["data"]
        )

    assert found() == found("m") == found("x", "m*") == (200, 1)
    assert found("m:*") == found("M") == (404, 0)


def test_log_probabilities_are_five_with_two_decimals_where_the_scope_is_there(path: Path) -> None:
    def asked(scopes: tuple[str, ...] | None, top: int) -> tuple[int, object]:
        key = add_key(path, KeyGrant(scopes=scopes), "today")  # type: ignore[arg-type] # scopes
        body = BODY | {"logprobs": True, "top_logprobs": top}
        found = client_of(path, key, [SCORED, LAST]).post(CHAT, json=body)
        if found.status_code != 200:
            return found.status_code, found.json()["error"]["param"]
        (token,) = found.json()["choices"][0]["logprobs"]["content"]
        return token["logprob"], [each["logprob"] for each in token["top_logprobs"]]

    assert asked(("answers",), 1) == (403, "logprobs")
    assert asked(("answers", "logprobs"), 6) == (400, "logprobs")
    assert asked(("answers", "logprobs"), 5) == (-0.12, [-3.14] * 5)
    assert asked(None, 6) == (-0.123456, [-3.14159] * 5), "a key without scopes sees what it saw"


def test_logit_bias_needs_the_scope_too(path: Path) -> None:
    client = client_of(path, add_key(path, KeyGrant(scopes=("answers",)), "today"))
    found = client.post(CHAT, json=BODY | {"logit_bias": {"1": 5}}).json()
    assert found["error"]["param"] == "logit_bias"


def test_a_rotated_key_stays_itself_and_its_old_secret_holds_for_the_overlap(path: Path) -> None:
    first = add_key(path, KeyGrant("train", models=("m",), name="bot"), "today")
    (before,) = read_keys(path)
    now = time.time()
    second = rotate_key(path, before.id, "1h", now)
    third = rotate_key(path, before.id, "30m", now)
    (after,) = read_keys(path)
    assert after.model_copy(update={"sha256": before.sha256, "old": ()}) == before
    for at, opens in ((0, [first, second, third]), (1900, [first, third]), (3700, [third])):
        ring = KeyRing(path, now=lambda at=at: now + at)  # type: ignore[misc] # the default binds
        for secret in (first, second, third):
            if secret in opens:
                assert ring.owner(f"Bearer {secret}").id == before.id
            else:
                with pytest.raises(ApiError, match="expired"):
                    ring.owner(f"Bearer {secret}")


def test_a_revoked_key_and_its_old_secrets_are_refused_within_a_second(path: Path) -> None:
    first = make_key(path, "user", "today")
    number = read_keys(path)[0].id
    second = rotate_key(path, number, "24h", time.time())
    ring = KeyRing(path)
    assert ring.owner(f"Bearer {first}").id == ring.owner(f"Bearer {second}").id == number
    begun = time.monotonic()
    revoke_key(path, number, time.time())
    for secret in (first, second):
        with suppress(ApiError):
            while time.monotonic() - begun < 1:
                ring.owner(f"Bearer {secret}")
        with pytest.raises(ApiError, match="revoked"):
            ring.owner(f"Bearer {secret}")
        assert time.monotonic() - begun < 1
    assert ring.ids() == []


def test_a_key_ends_when_it_was_said(path: Path) -> None:
    now = 1_800_000_000.0
    key = add_key(path, KeyGrant(expires=expiry_of("90d", now)), "today")
    assert KeyRing(path, now=lambda: now + 90 * 86400 - 1).owner(f"Bearer {key}")
    with pytest.raises(ApiError, match="expired"):
        KeyRing(path, now=lambda: now + 90 * 86400).owner(f"Bearer {key}")
    assert time_of(expiry_of("2100-01-31", now)) == 4_105_036_800  # UTC, whatever the zone here
    for wrong in ("soon", "90", "2001-01-01"):
        with pytest.raises(DataError, match=wrong):
            expiry_of(wrong, now)


def test_keys_that_are_made_at_once_are_all_kept(path: Path) -> None:
    def make(_: int) -> str:
        while True:
            try:
                return make_key(path, "user", "today")
            except DataError:  # another one is at it
                time.sleep(0.001)

    with ThreadPoolExecutor(8) as pool:
        made = set(pool.map(make, range(24)))
    assert len(made) == len(read_keys(path)) == 24


def test_a_file_that_is_damaged_meanwhile_opens_nothing_and_is_said(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    key = make_key(path, "user", "today")
    client = client_of(path, key)
    path.write_text('{"keys": [{"id"')
    found = client.get("/v1/models")
    assert (found.status_code, "Traceback" in caplog.text) == (503, False)
    assert str(path) not in found.text
    assert str(path) in caplog.text


def test_the_file_and_the_log_have_no_key_that_opens(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "finewright_serve")
    key = make_key(path, "user", "today")
    second = rotate_key(path, read_keys(path)[0].id, "1h", time.time())
    for secret in (key, second, key[:-1] + "x"):
        client = client_of(path, secret)
        for where in (CHAT, f"/v1/models/{secret}", f"/{secret}?key={secret}"):
            client.post(where, json=BODY | {"model": secret, "user": secret})
            client.get(where)
    logged = [r.getMessage() for r in caplog.records if r.name.startswith("finewright")]
    shown = "".join([path.read_text(), *logged])
    assert shown.count("POST") == 9
    assert not [secret for secret in (key, second) if secret[3:] in shown]
    for each in json.loads(path.read_text())["keys"]:
        with pytest.raises(ApiError):
            KeyRing(path).owner(f"Bearer {each['sha256']}")


def test_the_same_lines_run_whichever_part_of_a_key_is_wrong(path: Path) -> None:
    """No clock: a line that runs for one and not for the other is what a clock could tell."""
    key = make_key(path, "user", "today")
    ring = KeyRing(path)
    ring.owner(f"Bearer {key}")  # the file is read
    wrong = ["xx-" + key[3:], "fw-" + "A" * (len(key) - 3), key[:-4] + "AAAA", key[:-1] + "x"]
    first, *others = [_lines_run(ring, each) for each in wrong]
    assert len(first) > 5
    assert all(each == first for each in others)
    assert _lines_run(ring, key) != first


def _lines_run(ring: KeyRing, key: str) -> list[tuple[str, int]]:
    """The lines of Python that looking up a key runs, in order."""
    lines: list[tuple[str, int]] = []

    def trace(frame: FrameType, event: str, _: object) -> Callable[..., Any]:
        if event == "line":
            lines.append((frame.f_code.co_filename, frame.f_lineno))
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        with suppress(ApiError):
            ring.owner(f"Bearer {key}")
    finally:
        sys.settrace(before)
    return lines
