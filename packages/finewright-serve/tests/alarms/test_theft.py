"""The alarm of theft at a gateway, what becomes of the key, and the webhook."""

import asyncio
import base64
import hashlib
import hmac
import json
import logging
import threading
import time
from collections.abc import Iterator, Sequence
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from starlette.testclient import TestClient

from finewright.errors import DataError
from finewright_serve.audit.log import AuditLog
from finewright_serve.gateway.admission import Admission
from finewright_serve.gateway.app import Audit, app_of
from finewright_serve.gateway.errors import ApiError
from finewright_serve.gateway.gateway import Gateway
from finewright_serve.gateway.keys import KeyRing, make_key
from finewright_serve.gateway.measures import Measures
from finewright_serve.gateway.question import GatewayQuestion, GuardDecision
from finewright_serve.gateway.steps import AnswerRecord, QuestionCaller, TokenUsage
from finewright_serve.watch.alarms import Alarms, AlarmStep, Webhook, webhook_of
from finewright_serve.watch.drift import WINDOW, HarmlessWindows
from finewright_serve.watch.spec import AlarmsSpec, TheftSpec
from finewright_serve.watch.theft import TheftStep
from gateway.test_responses import LAST, Scripted

CHAT = "/v1/chat/completions"
NAME = "A_SECRET"
SECRET = b"0123456789abcdef01234567"


class Lengths:
    """A text as its length and its first letter."""

    id, dimensions, num_cut = "lengths", 2, 0

    def queries(self, texts: Sequence[str]) -> "np.ndarray":
        return np.array([[len(t), ord(t[0])] for t in texts], np.float32)

    documents = queries


class Place:
    """A gateway that watches, with two keys."""

    def __init__(
        self, folder: Path, action: str, audit: AuditLog | None = None, **more: Any
    ) -> None:
        path = folder / "keys.json"
        self.keys = [make_key(path, "user", "today") for _ in "ab"]
        rng = np.random.default_rng(0)
        harmless = [f"{'ab'[rng.integers(2)]}{'x' * rng.integers(20)}" for _ in range(60 * WINDOW)]
        means = HarmlessWindows.of(Lengths().queries(harmless), "lengths")
        admission = Admission(4, 9)
        measures = Measures(admission)
        self.alarms = Alarms(audit, None, measures)
        spec = TheftSpec(reference="-", action=action, **more)
        step = TheftStep(spec, means, Lengths(), self.alarms, folder / "theft.json")
        self.step, self.ring = step, KeyRing(path)
        gateway = Gateway([Scripted([LAST])], admission, measures, steps=[step])
        shown = Audit(audit) if audit else None
        self.client = TestClient(app_of(gateway, self.ring, audit=shown))
        self.measures = measures

    def steal(self, num: int) -> int:
        """Ask otherwise, so often; how many were let through."""
        key = self.ring.owner(f"Bearer {self.keys[0]}").id
        asked = GatewayQuestion("m", ({"role": "user", "content": "z" * 60},))

        async def ask() -> int:
            for number in range(num):
                try:
                    await self.step.before(asked, QuestionCaller(key, "user", CHAT))
                except ApiError:
                    return number
            return num

        return asyncio.run(ask())

    def ask(self, text: str, key: int = 0, **more: Any) -> Any:
        body = {"model": "m", "messages": [{"role": "user", "content": text}], **more}
        headers = {"Authorization": f"Bearer {self.keys[key]}"}
        return self.client.post(CHAT, json=body, headers=headers)


def test_a_key_that_asks_otherwise_is_blocked_and_others_are_not(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    audit = AuditLog(tmp_path / "audit.jsonl", every=1000, seconds=60)
    place = Place(tmp_path, "block", audit)
    assert place.steal(200) == 149
    refused = place.ask("z")
    assert refused.json()["error"]["code"] == "key_held"
    assert "ask who runs this server" in refused.json()["error"]["message"]
    assert place.ask("axx", key=1).status_code == 200
    text = place.measures.text().decode()
    assert 'kind="theft"} 1.0' in text
    assert "ALARM theft" in caplog.text
    audit.close()
    lines = [json.loads(line) for line in (tmp_path / "audit.jsonl").read_text().splitlines()]
    (alarm,) = [line for line in lines if line["kind"] == "alarm"]
    assert (alarm["alarm"], "zzz" in str(alarm)) == ("theft", False)
    # a restart lets no held key in
    again = Place(tmp_path, "block")
    again.keys = place.keys
    assert [again.ask("axx", key=key).status_code for key in (0, 1)] == [403, 200]


def test_an_alarm_that_only_logs_and_a_key_that_is_left_out_go_on(tmp_path: Path) -> None:
    place = Place(tmp_path, "log")
    assert place.steal(200) == 200
    assert 'kind="theft"} 1.0' in place.measures.text().decode()
    own = place.ring.owner(f"Bearer {place.keys[0]}").id
    left_out = Place(tmp_path, "block", except_keys=(own,))
    left_out.keys = place.keys
    assert left_out.steal(200) == 200


def test_a_slowed_key_gets_one_answer_in_its_time(tmp_path: Path) -> None:
    place = Place(tmp_path, "slow", seconds=0.05)
    place.steal(150)
    begun = time.monotonic()
    for _ in range(5):
        assert place.ask("z").status_code == 200
    assert time.monotonic() - begun >= 4 * 0.05
    slower = Place(tmp_path, "slow", seconds=61)
    slower.keys = place.keys
    assert slower.ask("z").status_code == 200
    assert slower.ask("z").headers["retry-after"] == "61"


def test_token_ids_hide_no_question(tmp_path: Path) -> None:
    place = Place(tmp_path, "log")
    headers = {"Authorization": f"Bearer {place.keys[0]}"}
    found = place.client.post(
        "/v1/completions", json={"model": "m", "prompt": [5, 6]}, headers=headers
    )
    assert (found.status_code, found.json()["error"]["param"]) == (400, "prompt")


def test_a_guard_that_fails_rings_once_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    step = AlarmStep(Alarms())
    failed = AnswerRecord(
        "500", TokenUsage(), 1.0, (GuardDecision("deny", "input", "failed", "x"),)
    )
    caller = QuestionCaller("k", "user", CHAT)

    async def twice() -> None:
        await step.after(GatewayQuestion("m"), caller, failed)
        await step.after(GatewayQuestion("m"), caller, failed)
        await step.after(GatewayQuestion("m"), caller, AnswerRecord("done", TokenUsage(), 1.0))

    asyncio.run(twice())
    assert caplog.text.count("ALARM guard_failed, key k: failed: deny") == 1


class Receiver(HTTPServer):
    """Takes alarms, after it has refused so many."""

    def __init__(self, refuses: int) -> None:
        self.taken: list[tuple[dict[str, str], bytes]] = []
        self.refuses = refuses
        super().__init__(("127.0.0.1", 0), _Take)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/hook"


class _Take(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        server = self.server
        assert isinstance(server, Receiver)
        body = self.rfile.read(int(self.headers["content-length"]))
        server.refuses -= 1
        self.send_response(503 if server.refuses >= 0 else 204)
        self.end_headers()
        if server.refuses < 0:
            server.taken.append(({k.lower(): v for k, v in self.headers.items()}, body))

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("finewright_serve.watch.alarms._AGAIN_SECONDS", (0.01, 0.01, 0.01))


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    server = Receiver(2)
    yield server
    server.shutdown()
    server.server_close()


@pytest.mark.usefixtures("soon")
def test_the_webhook_is_signed_as_standard_webhooks_have_it(receiver: Receiver) -> None:
    hook = Webhook(receiver.url, SECRET)
    asyncio.run(Alarms(None, hook).ring("theft", QuestionCaller("k", "user", CHAT, "p"), "odd"))
    while not receiver.taken:
        time.sleep(0.01)
    hook.close()
    ((headers, body),) = receiver.taken
    told = json.loads(body)
    assert {name: told[name] for name in ("type", "key", "project", "what")} == {
        "type": "alarm.theft", "key": "k", "project": "p", "what": "odd",
    }  # fmt: skip
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    expected = base64.b64encode(hmac.new(SECRET, signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{expected}"
    assert abs(time.time() - int(headers["webhook-timestamp"])) < 60


@pytest.mark.usefixtures("soon")
def test_a_webhook_that_is_away_is_said_once_and_holds_nobody_up(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.ERROR, "finewright_serve")
    hook = Webhook("http://127.0.0.1:9/hook", SECRET)
    begun = time.monotonic()
    for number in range(130):
        asyncio.run(Alarms(None, hook).ring("theft", QuestionCaller(str(number), "user", ""), "o"))
    assert time.monotonic() - begun < 3
    hook.close()
    assert caplog.text.count("the webhook does not take alarms: ConnectError") == 1


def test_a_webhook_without_a_secret_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    spec = AlarmsSpec(webhook="https://x.example/hook", secret_env=NAME)
    monkeypatch.setenv("A_SECRET", "short")
    with pytest.raises(DataError, match="A_SECRET has no secret of 24 bytes"):
        webhook_of(spec)
    monkeypatch.setenv("A_SECRET", "whsec_" + base64.b64encode(SECRET).decode())
    webhook_of(spec).close()
    with pytest.raises(ValueError, match="unencrypted"):
        AlarmsSpec(webhook="http://x.example/hook", secret_env=NAME)
