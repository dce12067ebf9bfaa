"""POST /v1/commands/NAME: who may, which commands, and nothing outside of the folder."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from finewright.errors import DataError
from finewright.feature import EFFECTS
from finewright.table import commands
from finewright_serve.commands_api import CommandsApi, route_name
from finewright_serve.gateway.admission import Admission
from finewright_serve.gateway.app import app_of
from finewright_serve.gateway.gateway import Gateway
from finewright_serve.gateway.keys import KeyRing, make_key
from finewright_serve.gateway.measures import Measures
from finewright_serve.run import _commands
from finewright_serve.spec import ServeSpec

ROWS = '{"prompt": "Q", "completion": "A"}\nnot JSON\n'
SPEC = "name: bot\nbase_models: [smollm2-135m-instruct]\ndata: {sources: [{path: rows.jsonl}]}\n"
HIDDEN = '{"prompt": "the secret", "completion": "A"}\n'


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """The folder, beside a file that nobody may read."""
    folder = tmp_path / "work"
    folder.mkdir()
    (folder / "rows.jsonl").write_text(ROWS)
    (folder / "spec.yaml").write_text(SPEC)
    (tmp_path / "secret.jsonl").write_text(HIDDEN)
    (folder / "link.jsonl").symlink_to(tmp_path / "secret.jsonl")
    return folder


class Client:
    def __init__(self, client: TestClient, keys: dict[str, str]) -> None:
        self.client, self.keys = client, keys

    def post(self, name: str, given: dict[str, Any], role: str = "user", query: str = "") -> Any:
        headers = {"Authorization": f"Bearer {self.keys[role]}"}
        return self.client.post(f"/v1/commands/{name}{query}", json=given, headers=headers)


def _client(work: Path, routes: Any) -> TestClient:
    admission = Admission(1, 1)
    gateway = Gateway([], admission, Measures(admission))
    return TestClient(app_of(gateway, KeyRing(work.parent / "keys.json"), routes))


@pytest.fixture
def client(work: Path) -> Iterator[Client]:
    roles = ("user", "train", "admin")
    keys = {role: make_key(work.parent / "keys.json", role, "today") for role in roles}
    with _client(work, CommandsApi(work, 60).routes()) as found:
        yield Client(found, keys)


def test_a_command_answers_with_its_brief_or_its_whole_report(client: Client) -> None:
    brief = client.post("data-check", {"path": "rows.jsonl"})
    assert brief.status_code == 200, brief.text
    assert (brief.json()["passed"], brief.json()["problems"]["error"]) == (False, 1)
    whole = client.post("data-check", {"path": "rows.jsonl"}, query="?full=true").json()
    assert [problem["row"] for problem in whole["problems"]] == [2]


def test_an_unknown_option_or_command_is_the_line_of_the_command_line(client: Client) -> None:
    found = client.post("data-check", {"path": "rows.jsonl", "pth": 1})
    assert found.status_code == 400
    message = found.json()["error"]["message"]
    assert message.startswith("data check: pth: no such option (its options: ")
    found = client.post("data-chek", {})
    assert (found.status_code, found.json()["error"]["code"]) == (404, "command_not_found")


def test_what_writes_is_for_admins_also_by_an_option(client: Client, work: Path) -> None:
    given = {"path": "rows.jsonl", "fix": "new.jsonl"}
    for role in ("user", "train"):
        assert client.post("data-check", given, role).status_code == 403
    assert not (work / "new.jsonl").exists()
    assert client.post("data-check", given, "admin").status_code == 200
    assert (work / "new.jsonl").read_text().count("\n") == 1


@pytest.mark.parametrize("role", ["user", "admin"])
def test_what_spends_publishes_talks_or_trusts_is_not_offered(client: Client, role: str) -> None:
    for _, command in commands().values():
        if EFFECTS.index(command.effect) >= EFFECTS.index("spends") or command.is_by_hand:
            found = client.post(route_name(command), {}, role)
            assert found.status_code in (403, 404), command.name
    assert client.post("cost", {"spec": "spec.yaml", "calibrate": True}, role).status_code == 403


@pytest.mark.parametrize(
    "given",
    [
        {"path": "{outside}/secret.jsonl"},
        {"path": "../secret.jsonl"},
        {"path": "sub/../../secret.jsonl"},
        {"path": "link.jsonl"},
        {"path": "~/secret.jsonl"},
        {"path": "hub:org/name"},
        {"path": "https://example.org/rows.jsonl"},
    ],
)
@pytest.mark.parametrize("role", ["user", "admin"])
def test_no_path_leads_out(client: Client, work: Path, role: str, given: dict[str, str]) -> None:
    given = {name: text.format(outside=work.parent) for name, text in given.items()}
    found = client.post("data-show", given, role)
    assert (found.status_code, found.json()["error"]["code"]) == (400, "path_outside")


@pytest.mark.parametrize(
    "override",
    [
        "data.sources.0.path={outside}/secret.jsonl",
        "data.sources.0.path=../secret.jsonl",
        'data.sources.0.path="../secret.jsonl"',
        'data.sources.0.path="\\x2e./secret.jsonl"',
        "data.sources=[{{path: ../secret.jsonl}}]",
        "data.sources=[{{path: link.jsonl}}]",
        "data={{sources: [{{path: hub:org/name}}]}}",
    ],
)
def test_no_override_leads_out(client: Client, work: Path, override: str) -> None:
    given = {"spec": "spec.yaml", "overrides": [override.format(outside=work.parent)]}
    found = client.post("check", given)
    assert (found.status_code, found.json()["error"]["code"]) == (400, "path_outside")


def test_no_spec_leads_out(client: Client, work: Path) -> None:
    text = SPEC.replace("rows.jsonl", f"{work.parent}/secret.jsonl")
    (work / "spec.yaml").write_text(text)
    found = client.post("check", {"spec": "spec.yaml"}, "admin", "?full=true")
    assert "secret.jsonl: permission denied" in found.text
    assert "the secret" not in found.text


def test_a_command_that_takes_too_long_is_ended(work: Path) -> None:
    key = make_key(work.parent / "keys.json", "user", "today")
    with _client(work, CommandsApi(work, 0.05).routes()) as client:
        found = Client(client, {"user": key}).post("data-check", {"path": "rows.jsonl"})
    assert found.status_code == 504
    assert "ended after 0.05 s" in found.json()["error"]["message"]


def test_the_route_is_closed_unless_the_spec_names_a_folder(work: Path) -> None:
    assert _commands(ServeSpec(), work) == ()
    assert len(_commands(ServeSpec(commands="work"), work.parent)) == 1
    for commands_folder, folder in ((".", "serve"), ("work", "work/serve"), ("work", ".")):
        with pytest.raises(DataError, match="keys and files of clients lie in"):
            _commands(ServeSpec(commands=commands_folder, folder=folder), work.parent)
    with pytest.raises(DataError, match="there is no such folder"):
        _commands(ServeSpec(commands="nowhere"), work)


@pytest.mark.parametrize(
    "code",
    [
        "open('{outside}/secret.jsonl')",
        "open('../secret.jsonl')",
        "open('link.jsonl')",
        "__import__('os').listdir('..')",
        "__import__('os').rename('rows.jsonl', '../moved.jsonl')",
        "__import__('sqlite3').connect('../some.sqlite')",
        "__import__('socket').create_connection(('127.0.0.1', 9))",
        "open('/proc/self/root{outside}/secret.jsonl')",
    ],
)
def test_python_opens_nothing_outside_once_it_is_confined(work: Path, code: str) -> None:
    code = code.format(outside=work.parent)
    start = (
        "import sqlite3, socket; from pathlib import Path; from finewright_serve"
        ".one_command import confine; confine(Path.cwd()); open('rows.jsonl').close();"
    )
    environ = {"TMPDIR": str(work)}
    found = subprocess.run(
        [sys.executable, "-c", start + code],
        cwd=work,
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode == 1
    assert found.stderr.splitlines()[-1].startswith("PermissionError: ")
