"""The audit: what stands in it, that no change of it stays unseen, and that a kill loses nothing."""

import asyncio
import errno
import hashlib
import json
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from cli.conftest import Finewright
from finewright.errors import DataError, FinewrightError
from finewright.store import signing
from finewright_serve.audit.chain import head_path, older_path, older_paths
from finewright_serve.audit.log import AuditLog, Rotation
from finewright_serve.gateway.admission import Admission
from finewright_serve.gateway.app import Audit, app_of
from finewright_serve.gateway.gateway import Gateway
from finewright_serve.gateway.keys import KeyRing, make_key
from finewright_serve.gateway.measures import Measures
from finewright_serve.gateway.question import AnswerPiece, GuardDecision
from gateway.test_gateway import Deciding
from gateway.test_responses import LAST, Scripted

CHAT = "/v1/chat/completions"
PRIVATE = "my private words"
BODY = {"model": "m", "messages": [{"role": "user", "content": PRIVATE}]}


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "serve").mkdir()
    return tmp_path / "serve" / "audit.jsonl"


def fill(path: Path, num: int, every: int = 4) -> list[bytes]:
    """A log of so many requests, closed in order; its lines."""
    log = AuditLog(path, every=every, seconds=60)

    async def add() -> None:
        for number in range(num):
            await log.append({"kind": "request", "request": number})

    asyncio.run(add())
    log.close()
    return path.read_bytes().splitlines(keepends=True)


def verdict(finewright: Finewright, path: Path, *more: str) -> tuple[int, int]:
    """The exit code, and the first broken line."""
    found = finewright("audit", "verify", "--folder", str(path.parent), *more, "--json")
    return found.code, json.loads(found.out)["broken"]


def test_a_line_is_of_a_request_and_has_no_word_of_it(path: Path) -> None:
    key = make_key(path.with_name("keys.json"), "user", "today")
    log = AuditLog(path, every=100, seconds=60)
    admission = Admission(4, 9)
    pieces = [AnswerPiece(content=PRIVATE), LAST]
    gateway = Gateway([Scripted(pieces)], admission, Measures(admission), steps=[Deciding()])
    ring = KeyRing(path.with_name("keys.json"))
    client = TestClient(app_of(gateway, ring, audit=Audit(log)))
    headers = {"Authorization": f"Bearer {key}"}
    found = client.post(CHAT, json=BODY, headers=headers)
    client.post(CHAT, json=BODY | {"stream": True}, headers=headers)
    client.post(CHAT, json=BODY)
    client.get("/healthz")
    client.get("/metrics", headers=headers)
    log.close()
    text = path.read_text()
    assert PRIVATE not in text
    assert key[3:] not in text
    lines = [json.loads(line) for line in text.splitlines()]
    assert [line["kind"] for line in lines] == ["begin", "head", *["request"] * 3, "head"]
    whole, streamed, refused = lines[2:5]
    assert whole["request"] == found.headers["x-request-id"]
    assert (whole["key"], whole["model"], whole["status"]) == (ring.ids()[0], "m", 200)
    assert (whole["prompt_tokens"], whole["answer_tokens"]) == (5, 3)
    decided = GuardDecision("injection", "input", "log", "hijack")
    assert [GuardDecision(**each) for each in whole["decisions"]] == [decided]
    answer = [[{"content": PRIVATE, "thoughts": "", "calls": []}]]
    asked = [[BODY["messages"]]]
    for name, said in (("question", asked), ("answer", answer)):
        canonical = json.dumps(said, sort_keys=True, separators=(",", ":")).encode()
        assert whole[f"{name}_sha256"] == hashlib.sha256(canonical).hexdigest()
        assert streamed[f"{name}_sha256"] == whole[f"{name}_sha256"]
    assert (refused["status"], refused["code"], refused["key"]) == (401, "invalid_api_key", "")
    assert "model" not in refused


def test_words_are_there_where_they_are_asked_for(path: Path) -> None:
    log = AuditLog(path, every=100, seconds=60)
    admission = Admission(4, 9)
    gateway = Gateway(
        [Scripted([AnswerPiece(content="yes"), LAST])], admission, Measures(admission)
    )
    TestClient(app_of(gateway, None, audit=Audit(log, has_words=True))).post(CHAT, json=BODY)
    log.close()
    line = json.loads(path.read_text().splitlines()[2])
    assert line["question"] == [BODY["messages"]]
    assert line["answer"] == [{"content": "yes", "thoughts": "", "calls": []}]


def changed(line: bytes) -> bytes:
    return line.replace(b'"request":4', b'"request":5')


def rehashed(line: bytes) -> bytes:
    """Changed by who knows the form."""
    body = changed(line)[:-76] + b"}"
    return body[:-1] + b',"hash":"%s"}\n' % hashlib.sha256(body).hexdigest().encode()


# 1 begin, 2 head, 3-6 requests 0-3, 7 head, 8-11 requests 4-7, 12 head, 13-14 requests 8-9, 15 head
EDITS: dict[str, tuple[Callable[[list[bytes]], list[bytes]], int]] = {
    "flip": (lambda ls: [*ls[:7], changed(ls[7]), *ls[8:]], 8),
    "flip and hash": (lambda ls: [*ls[:7], rehashed(ls[7]), *ls[8:]], 9),
    "delete": (lambda ls: [*ls[:7], *ls[8:]], 8),
    "reorder": (lambda ls: [*ls[:7], ls[8], ls[7], *ls[9:]], 8),
    "add": (lambda ls: [*ls[:8], ls[7], *ls[8:]], 9),
    "cut the begin": (lambda ls: ls[3:], 1),
    "cut the end": (lambda ls: ls[:-2], 14),
    "cut all but a line": (lambda ls: ls[:1], 2),
    "cut within a line": (lambda ls: [*ls[:13], ls[13][:40]], 14),
    "cut the line feed": (lambda ls: [*ls[:14], ls[14][:-1]], 15),
    "empty": (lambda _: [], 1),
}


@pytest.mark.parametrize("edit", EDITS)
def test_the_first_broken_line_is_named(finewright: Finewright, path: Path, edit: str) -> None:
    lines = fill(path, 10)
    assert len(lines) == 15
    assert verdict(finewright, path) == (0, 0)
    change, broken = EDITS[edit]
    path.write_bytes(b"".join(change(lines)))
    assert verdict(finewright, path) == (2, broken)


def test_every_bit_counts(finewright: Finewright, path: Path) -> None:
    lines = fill(path, 6)
    content = b"".join(lines)
    ends = [sum(map(len, lines[: i + 1])) for i in range(len(lines))]
    for at in range(3, len(content), 97):
        path.write_bytes(content[:at] + bytes([content[at] ^ 4]) + content[at + 1 :])
        line = next(i for i, end in enumerate(ends, 1) if at < end)
        assert verdict(finewright, path) == (2, line), at


def test_one_who_writes_the_whole_chain_anew_signs_it_with_another_key(
    finewright: Finewright, path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(path, 3)
    own = signing.own_key()
    path.unlink()
    head_path(path).unlink()
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "thief"))
    fill(path, 3)
    other = signing.own_key()
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    assert other != own
    assert verdict(finewright, path) == (2, 0)
    assert verdict(finewright, path, "--key", other) == (0, 0)


def test_a_head_that_is_missing_or_older_does_not_hide_a_cut(
    finewright: Finewright, path: Path
) -> None:
    lines = fill(path, 10)
    head_path(path).unlink()
    assert verdict(finewright, path)[0] == 2
    head_path(path).write_bytes(lines[1].replace(b'"n":2', b'"n":9'))
    found = finewright("audit", "verify", "--folder", str(path.parent))
    assert found.code == 2
    assert "audit.head.json" in found.err


def test_a_part_is_exported_with_the_head_that_signs_it(
    finewright: Finewright, path: Path, tmp_path: Path
) -> None:
    lines = fill(path, 10)
    at = json.loads(lines[8])["at"]
    out = tmp_path / "part.jsonl"
    arguments = ("--folder", str(path.parent), "--since", at, "--out", str(out))
    assert finewright("audit", "export", *arguments).code == 0
    part = out.read_bytes()
    assert b"".join(lines).endswith(part)
    assert lines[8] in part
    assert verdict(finewright, path, "--file", str(out), "--part") == (0, 0)
    assert verdict(finewright, path, "--file", str(out))[1] == 1
    out.write_bytes(part.replace(b'"request":9', b'"request":8'))
    assert verdict(finewright, path, "--file", str(out), "--part")[0] == 2
    other = ("--out", str(tmp_path / "other.jsonl"))
    nothing = finewright("audit", "export", *arguments[:2], "--until", "2001-01-01", *other)
    assert (nothing.code, "no line is of that time" in nothing.err) == (2, True)


WRITER = """
import asyncio, sys
from pathlib import Path
from finewright_serve.audit.log import AuditLog
log = AuditLog(Path(sys.argv[1]), every=7, seconds=60)
async def add(name):
    for number in range(int(sys.argv[2])):
        await log.append({"kind": "request", "request": f"{name}-{number}"})
        print(f"{name}-{number}", flush=True)
async def all():
    await asyncio.gather(*(add(f"{sys.argv[3]}{i}") for i in range(4)))
asyncio.run(all())
log.close()
"""


def writing(path: Path, num: int, name: str) -> "subprocess.Popen[str]":
    argv = [sys.executable, "-c", WRITER, str(path), str(num), name]
    return subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)


def test_eight_writers_in_two_processes_keep_one_chain(finewright: Finewright, path: Path) -> None:
    writers = [writing(path, 25, name) for name in "ab"]
    for each in writers:
        each.communicate()
    assert [each.returncode for each in writers] == [0, 0]
    assert verdict(finewright, path) == (0, 0)
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    names = {line["request"] for line in lines if line["kind"] == "request"}
    assert names == {f"{who}{i}-{n}" for who in "ab" for i in range(4) for n in range(25)}


def test_a_kill_loses_no_accepted_line_and_the_next_start_goes_on(
    finewright: Finewright, path: Path
) -> None:
    writer = writing(path, 100_000, "a")
    assert writer.stdout is not None
    accepted = [writer.stdout.readline() for _ in range(300)]
    writer.send_signal(signal.SIGKILL)
    accepted += writer.communicate()[0].splitlines(keepends=True)
    names = {json.loads(line).get("request") for line in path.read_bytes().splitlines()}
    assert {line.strip() for line in accepted if line.endswith("\n")} <= names
    with path.open("ab") as file:
        file.write(b'{"n":99999,"torn')
    assert verdict(finewright, path)[0] == 2
    before = path.read_bytes().count(b"\n")
    fill(path, 1)
    assert verdict(finewright, path) == (0, 0)
    begun = json.loads(path.read_bytes().splitlines()[before])
    assert (begun["kind"], begun["torn_bytes"]) == ("begin", 16)


def test_a_server_does_not_start_over_an_audit_that_was_cut(path: Path) -> None:
    lines = fill(path, 10)
    path.write_bytes(b"".join(lines[:-3]))
    with pytest.raises(DataError, match="it ends with line 12, and 15 were signed"):
        AuditLog(path, every=4, seconds=60)


@pytest.fixture
def full_disk(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[bool]]:
    """Nothing can be written while its item is true."""
    is_full, write = [False], os.write

    def tried(descriptor: int, content: bytes) -> int:
        if is_full[0] and b'"prev"' in bytes(content):
            write(descriptor, bytes(content)[:10])
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(descriptor, content)

    monkeypatch.setattr(os, "write", tried)
    yield is_full
    is_full[0] = False


def test_nobody_is_answered_while_it_cannot_be_written_and_no_line_is_lost(
    finewright: Finewright, path: Path, full_disk: list[bool], caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr("finewright_serve.audit.log._AGAIN_SECONDS", 0.02)
    monkeypatch.setattr("finewright_serve.audit.log._MOST_WAITING_SECONDS", 0.05)
    caplog.set_level(logging.WARNING, "finewright_serve")
    log = AuditLog(path, every=100, seconds=60)
    admission = Admission(4, 9)
    gateway = Gateway([Scripted([LAST])], admission, Measures(admission))
    client = TestClient(app_of(gateway, None, audit=Audit(log)), raise_server_exceptions=False)
    full_disk[0] = True
    with pytest.raises(FinewrightError, match="cannot be written"):
        asyncio.run(log.append({"kind": "request", "request": "held"}))
    found = client.post(CHAT, json=BODY)
    assert (found.status_code, found.json()["error"]["code"]) == (503, "audit_unavailable")
    full_disk[0] = False
    monkeypatch.setattr("finewright_serve.audit.log._MOST_WAITING_SECONDS", 30)
    while log.fault:
        time.sleep(0.01)
    assert client.post(CHAT, json=BODY).status_code == 200
    log.close()
    assert "the audit cannot be written, and nobody is answered" in caplog.text
    assert '"request":"held"' in path.read_text()
    assert verdict(finewright, path) == (0, 0)


def rotating(path: Path, num: int, most_bytes: int) -> list[Path]:
    """Requests in files of so many bytes; the files, the oldest first."""
    log = AuditLog(path, every=4, seconds=60, rotation=Rotation(most_bytes=most_bytes))

    async def add() -> None:
        for number in range(num):
            await log.append({"kind": "request", "request": number})

    asyncio.run(add())
    log.close()
    return [*older_paths(path), path]


def test_the_chain_goes_on_over_files(finewright: Finewright, path: Path, tmp_path: Path) -> None:
    files = rotating(path, 30, 2000)
    files = rotating(path, 5, 2000)
    assert len(files) > 3
    assert verdict(finewright, path) == (0, 0)
    lines = [json.loads(line) for file in files for line in file.read_bytes().splitlines()]
    assert [line["n"] for line in lines] == [*range(1, len(lines) + 1)]
    requests = [line["request"] for line in lines if line["kind"] == "request"]
    assert requests == [*range(30), *range(5)]
    for file in files[:-1]:  # each ends with a head, and is named by its first line
        assert json.loads(file.read_bytes().splitlines()[-1])["kind"] == "head"
        assert json.loads(file.read_bytes().splitlines()[0])["n"] == int(file.name.split(".")[1])
    since = next(line["at"] for line in lines if line.get("request") == 10)
    out = tmp_path / "part.jsonl"
    arguments = ("--folder", str(path.parent), "--since", since, "--out", str(out))
    assert finewright("audit", "export", *arguments).code == 0
    assert b'"request":29' in out.read_bytes()
    first = files[0].read_bytes().count(b"\n")
    files[0].rename(tmp_path / files[0].name)
    assert verdict(finewright, path)[0] == 2
    assert verdict(finewright, path, "--part") == (0, 0)  # the others, up to the head beside them
    broken = files[1].read_bytes().replace(b'"request":', b'"Request":', 1)
    files[1].write_bytes(broken)
    assert verdict(finewright, path, "--part")[0] == 2
    assert first > 2


def test_a_day_has_a_file_of_its_own(
    finewright: Finewright, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for day in ("2026-12-01", "2026-12-01", "2026-12-02"):
        monkeypatch.setattr("finewright_serve.audit.log._now", lambda day=day: f"{day}T10:00:00")
        AuditLog(path, every=4, seconds=60, rotation=Rotation(is_daily=True)).close()
    (older,) = older_paths(path)
    assert (b"12-02" in older.read_bytes(), b"12-01" in path.read_bytes()) == (False, False)
    assert verdict(finewright, path) == (0, 0)


def test_two_processes_rotate_one_audit(finewright: Finewright, path: Path) -> None:
    script = WRITER.replace("seconds=60", "seconds=60, rotation=Rotation(most_bytes=3000)")
    script = script.replace("import AuditLog", "import AuditLog, Rotation")
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", script, str(path), "25", name], stdout=subprocess.PIPE
        )
        for name in "ab"
    ]
    for each in writers:
        each.communicate()
    assert [each.returncode for each in writers] == [0, 0]
    assert verdict(finewright, path) == (0, 0)
    files = [*older_paths(path), path]
    assert len(files) > 5
    assert sum(file.read_bytes().count(b'"kind":"request"') for file in files) == 200


def test_a_kill_between_two_files_goes_on_where_the_last_one_ended(
    finewright: Finewright, path: Path
) -> None:
    last = len(fill(path, 5))
    path.rename(older_path(path, 1))
    begun = fill(path, 1)
    assert json.loads(begun[0])["n"] == last + 1
    assert verdict(finewright, path) == (0, 0)
