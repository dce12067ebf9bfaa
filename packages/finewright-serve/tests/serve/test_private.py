"""What a real server writes is its own user's alone, and its log says who asked."""

import json

import httpx
import pytest

from e2e.processes import start, wait_until
from finewright_serve.gateway.keys import StoredKeys
from serve.serving import Serving

pytestmark = pytest.mark.torch
ROW = b'{"prompt": "Q", "completion": "A"}\n'


def test_uploads_and_their_folders_are_for_one_user(serving: Serving) -> None:
    file = serving.client.files.create(file=("rows.jsonl", ROW), purpose="fine-tune")
    root = serving.folder / "serve"
    found = [path for path in (root / "files", *(root / "files").rglob("*")) if path.exists()]
    open_to_others = [path for path in found if path.stat().st_mode & 0o077]
    names = {path.name for path in found}
    serving.client.files.delete(file.id)
    assert {file.id, "rows.jsonl", "file.json"} <= names
    assert open_to_others == []


def test_the_log_has_the_address_of_the_connection_and_believes_no_header(serving: Serving) -> None:
    headers = {**serving.headers, "X-Forwarded-For": "6.6.6.6"}
    found = httpx.get(f"{serving.url}/models/nothing", headers=headers)
    number = found.headers["x-request-id"]
    wait_until(lambda: number in serving.shown)  # the log is written by a thread of its own
    line = next(line for line in serving.shown.splitlines() if number in line)
    assert ", from 127.0.0.1, " in line
    assert "6.6.6.6" not in line


def test_a_key_is_made_for_a_project(serving: Serving) -> None:
    arguments = ("serve", "--spec", "serve.yaml", "--new-key", "train", "--project")
    made = start((*arguments, "blue"), folder=serving.folder)
    assert made.code(60) == 0
    path = serving.folder / "serve" / "keys.json"
    key = StoredKeys.model_validate(json.loads(path.read_text())).keys[-1]
    assert (key.role, key.project, key.owner) == ("train", "blue", "blue")
    wrong = start((*arguments, "../blue"), folder=serving.folder)
    assert wrong.code(60) == 2
    assert "project" in wrong.shown
    assert "Traceback" not in wrong.shown
