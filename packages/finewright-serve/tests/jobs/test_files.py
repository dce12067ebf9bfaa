"""Uploads: what is kept, what is refused with its line, and how much of it."""

import asyncio
import gzip
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from starlette.requests import Request

from finewright_serve.gateway.errors import ApiError
from finewright_serve.jobs.uploads import upload_of

from .conftest import CHAT, FILE_BYTES, PAIR, Api, lines


def error_of(found: Any) -> dict[str, Any]:
    return dict(found.json()["error"])


def test_a_file_is_kept_listed_given_back_and_deleted(api: Api) -> None:
    first = api.upload(lines(CHAT, CHAT), "../../etc/my rows.jsonl")
    second = api.upload(lines(PAIR))
    found = api.client.get(f"/v1/files/{first}").json()
    assert (found["filename"], found["bytes"]) == ("my rows.jsonl", len(lines(CHAT, CHAT)))
    assert api.client.get(f"/v1/files/{first}/content").content == lines(CHAT, CHAT)
    assert api.training.files.find(first).types == {"messages": 2}
    listed = api.client.get("/v1/files").json()
    assert [file["id"] for file in listed["data"]] == [second, first]
    page = api.client.get("/v1/files", params={"limit": 1, "order": "asc"}).json()
    assert ([file["id"] for file in page["data"]], page["has_more"]) == ([first], True)
    deleted = api.client.delete(f"/v1/files/{first}").json()
    assert deleted == {"id": first, "object": "file", "deleted": True}
    assert api.client.get(f"/v1/files/{first}").status_code == 404
    assert [path.name for path in api.training.files.root.iterdir()] == [second]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "rows.jsonl: the file is empty"),
        (b"not json\n", "rows.jsonl:1: broken JSON"),
        (lines(CHAT, {"messages": [{"role": "root", "content": ""}]}), "rows.jsonl:2: messages[0].role"),
        (lines(CHAT) + b"\n[1, 2]\n", "rows.jsonl:3: "),
        (b'[{"prompt": "Q", "completion": "A"}]', "not JSONL"),
        (b"prompt,completion\nQ,A\n", "rows.jsonl:1: broken JSON"),
        (gzip.compress(lines(CHAT), mtime=0), "packing"),
        (b"\xff\xfe{}\n", "rows.jsonl: broken UTF-16 text"),
        (b"PAR1" + b"\0" * 100, "not JSONL"),
        (b"\x80\x04\x95" + b"\0" * 100, "rows.jsonl"),
        (lines({**CHAT, "images": ["x.png"]}), "rows.jsonl:1: images"),
    ],
)  # fmt: skip
def test_rows_that_cannot_train_are_refused_by_their_line(
    api: Api, content: bytes, says: str
) -> None:
    given = {"file": ("rows.jsonl", content), "purpose": (None, "fine-tune")}
    found = api.client.post("/v1/files", files=given)
    assert (found.status_code, error_of(found)["code"]) == (400, "invalid_file")
    assert says in error_of(found)["message"].splitlines()[0]
    assert str(api.training.files.root) not in found.text
    assert list(api.training.files.root.iterdir()) == []


@pytest.mark.parametrize(
    ("given", "status", "says"),
    [
        ({"file": ("f", lines(CHAT)), "purpose": (None, "batch")}, 400, "purpose"),
        ({"file": ("f", lines(CHAT))}, 400, "one file and its purpose"),
        ({"purpose": (None, "fine-tune")}, 400, "one file and its purpose"),
        (
            {"file": ("f", b"{}"), "purpose": (None, "fine-tune"), "expires_after[seconds]": (None, "9")},
            400, "expires_after",
        ),
        ({"file": ("f", lines(CHAT)), "purpose": (None, "fine-tune"), "url": (None, "x")}, 400, "url"),
        ({"file": ("f", b" " * (FILE_BYTES + 70_000)), "purpose": (None, "fine-tune")}, 413, "larger"),
    ],
)  # fmt: skip
def test_an_odd_upload_is_an_error_object(
    api: Api, given: dict[str, Any], status: int, says: str
) -> None:
    found = api.client.post("/v1/files", files=given)
    assert found.status_code == status
    assert says in error_of(found)["message"]
    assert not api.training.files.all()


def posted(receive: Callable[[], Awaitable[Any]]) -> Request:
    kind = (b"content-type", b"multipart/form-data; boundary=x")
    return Request({"type": "http", "method": "POST", "headers": [kind]}, receive)


@pytest.mark.parametrize(("pause", "status"), [(0.0, 413), (9.0, 408), (0.02, 408)])
def test_a_body_without_end_is_bounded_in_bytes_and_time(pause: float, status: int) -> None:
    head = b'--x\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n\r\n'
    parts = iter([head, *[b" " * 10] * 100_000])

    async def receive() -> dict[str, Any]:
        await asyncio.sleep(pause)
        return {"type": "http.request", "body": next(parts), "more_body": True}

    async def upload() -> None:
        async with upload_of(posted(receive), most_bytes=100, idle_seconds=0.2, seconds=0.5):
            pytest.fail("it was taken")

    with pytest.raises(ApiError) as error:
        asyncio.run(upload())
    assert error.value.status == status


@pytest.mark.parametrize(
    ("content", "kind", "status"),
    [
        (b"{}", "application/json", 415),
        (b"", "", 415),
        (b"--x", "multipart/form-data", 400),
        (b"--x\r\nnonsense", "multipart/form-data; boundary=x", 400),
        (b"--x\r\n" * 100, "multipart/form-data; boundary=x", 400),
        (
            b'--x\r\nContent-Disposition: form-data; name="purpose"\r\n\r\n' + b"a" * 30_000,
            "multipart/form-data; boundary=x", 400,
        ),
        (b"--x--", "multipart/form-data; boundary=" + "x" * 5000, 400),
    ],
)  # fmt: skip
def test_what_is_no_form_is_refused(api: Api, content: bytes, kind: str, status: int) -> None:
    found = api.client.post("/v1/files", content=content, headers={"Content-Type": kind})
    assert found.status_code == status
    assert error_of(found)["type"] == "invalid_request_error"


def test_a_job_keeps_its_rows_when_the_file_is_deleted(api: Api, tmp_path: Path) -> None:
    number = api.upload(lines(CHAT, CHAT))
    job = api.create(training_file=number).json()
    api.client.delete(f"/v1/files/{number}")
    kept = api.training.folder.path(job["id"]) / "train.jsonl"
    assert kept.read_bytes() == lines(CHAT, CHAT)
