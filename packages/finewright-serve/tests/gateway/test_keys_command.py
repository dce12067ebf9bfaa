"""`finewright keys`, as it is typed."""

import json
from pathlib import Path

import pytest

from cli.conftest import Finewright
from finewright_serve.gateway.errors import ApiError
from finewright_serve.gateway.keys import KeyRing


def test_a_key_is_shown_once_listed_rotated_and_revoked(
    finewright: Finewright, tmp_path: Path
) -> None:
    folder = str(tmp_path / "here")
    made = finewright(
        "keys", "create", "--folder", folder, "--name", "web", "--expires", "90d",
        "--requests-per-minute", "60",
    )  # fmt: skip
    ring = KeyRing(tmp_path / "here" / "keys.json")
    owner = ring.owner(f"Bearer {made.out.strip()}")
    listed = finewright("keys", "list", "--folder", folder, "--json")
    (row,) = json.loads(listed.out)["keys"]
    assert (row["id"], row["name"], row["limits"]) == (owner.id, "web", {"requests_per_minute": 60})
    second = finewright("keys", "rotate", owner.id, "--folder", folder, "--overlap", "1h")
    finewright("keys", "revoke", owner.id, "--folder", folder)
    for key in (made.out, second.out):
        with pytest.raises(ApiError, match="revoked"):
            KeyRing(ring.path).owner(f"Bearer {key.strip()}")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["revoke", "nothing"], "keys.json: there is no such file"),
        (["create", "--model", ""], "--model: an empty id is no model"),
        (["create", "--scope", "jobs"], "--scope jobs: the role user may not do that"),
        (["create", "--name", "a\nb"], "a name is at most 100 letters and signs on one line"),
        (["create", "--project", "a b"], "a project is 1 to 64 letters, digits, dots, hyphens"),
        (["create", "--expires", "soon"], "--expires soon: neither a time such as 90d nor a day"),
    ],
)
def test_what_is_wrong_is_said_in_a_line(
    finewright: Finewright, tmp_path: Path, arguments: list[str], said: str
) -> None:
    found = finewright("keys", *arguments, "--folder", str(tmp_path / "here"))
    assert found.code == 2
    assert said in found.err
    assert "Traceback" not in found.err
    assert not (tmp_path / "here").exists()
