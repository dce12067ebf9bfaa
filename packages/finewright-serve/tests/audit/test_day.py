"""A day of a server, summed up from its audit."""

import asyncio
import json
from pathlib import Path

import pytest

from cli.conftest import Finewright
from finewright_serve.audit.log import AuditLog, Rotation
from finewright_serve.gateway.keys import KeyGrant, KeyLimits, add_key, read_keys

REQUEST = {"kind": "request", "route": "/v1/chat/completions", "status": 200, "code": ""}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two days: one request on the first, six and an alarm on the second, in files of their own."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    found = tmp_path / "serve"
    limits = KeyLimits(requests_per_day=10, tokens_per_day=1000)
    add_key(found / "keys.json", KeyGrant(name="web", limits=limits), "today")
    (key,) = read_keys(found / "keys.json")
    blocked = {"guard": "deny", "side": "input", "action": "block", "what": "denied", "number": 1}
    own = {**REQUEST, "key": key.id, "prompt_tokens": 30, "answer_tokens": 20}
    days = {
        "2026-12-01": [own],
        "2026-12-02": [
            own, own, own,
            {**REQUEST, "key": key.id, "status": 400, "code": "content_filter", "decisions": [blocked]},
            {**REQUEST, "key": "", "status": 401, "code": "invalid_api_key"},
            {**REQUEST, "key": "", "status": 404},
            {"kind": "alarm", "key": key.id, "alarm": "theft", "what": "odd"},
        ],
    }  # fmt: skip
    for day, lines in days.items():
        monkeypatch.setattr(
            "finewright_serve.audit.log._now", lambda day=day: f"{day}T10:00:00+00:00"
        )
        log = AuditLog(
            found / "audit.jsonl", every=99, seconds=60, rotation=Rotation(is_daily=True)
        )

        async def add(log: AuditLog = log, lines: list[dict[str, object]] = lines) -> None:
            for line in lines:
                await log.append(line)

        asyncio.run(add())
        log.close()
    return found


def test_a_day_is_counted_by_key_refusal_guard_and_alarm(
    finewright: Finewright, folder: Path
) -> None:
    arguments = ("audit", "day", "--folder", str(folder), "--day", "2026-12-02")
    found = json.loads(finewright(*arguments, "--json").out)
    assert (found["requests"], found["tokens"]) == (6, 150)
    own, nobody = found["keys"]
    assert (own["name"], own["requests"], own["refused"], own["alarms"]) == ("web", 4, 1, 1)
    assert own["shares"] == {"requests_per_day": 0.4, "tokens_per_day": 0.15}
    assert (nobody["key"], nobody["requests"], nobody["refused"]) == ("", 2, 2)
    assert found["refusals"] == {"content_filter": 1, "invalid_api_key": 1, "404": 1}
    assert found["guards"] == {"deny, input: block": 1}
    assert found["statuses"] == {"200": 3, "400": 1, "401": 1, "404": 1}
    shown = finewright(*arguments).out
    assert "theft: odd" in shown
    assert "40% of requests_per_day" in shown
    before = json.loads(finewright(*arguments[:-1], "2026-12-01", "--json").out)
    assert (before["requests"], before["alarms"]) == (1, [])


def test_what_cannot_be_summed_up_is_said_in_a_line(finewright: Finewright, folder: Path) -> None:
    arguments = ("audit", "day", "--folder", str(folder))
    wrong = finewright(*arguments, "--day", "soon")
    assert (wrong.code, "--day soon: is no day" in wrong.err) == (2, True)
    path = folder / "audit.jsonl"
    path.write_bytes(path.read_bytes().replace(b'"status":401', b'"status":200'))
    broken = finewright(*arguments)
    assert (broken.code, "it was changed" in broken.err) == (2, True)
    missing = finewright("audit", "day", "--folder", str(folder / "no"))
    assert (missing.code, "Traceback" in missing.err) == (2, False)
