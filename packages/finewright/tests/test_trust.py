"""What a user trusts is said by that user alone, is kept for that user alone, and covers exactly one code."""

import os
import shutil
from datetime import date
from pathlib import Path

import pytest

from finewright import trust
from finewright.errors import FinewrightError, StoreError
from finewright.workbench.trust import distrust, list_trusted, trust_code, trust_key

DAY = date(2026, 12, 1)


@pytest.fixture
def code(tmp_path: Path) -> Path:
    path = tmp_path / "rewards.py"
    path.write_text("def f(answer, row):\n    return 1.0\n")
    return path


def refusal(path: Path) -> trust.Refusal | None:
    digest = trust.code_digest(path)
    return trust.code_refusal(path, digest, f"sha256:{digest}", pin="consent: x")


def test_code_runs_from_the_day_on_which_it_is_trusted_until_it_is_not(code: Path) -> None:
    assert refusal(code)
    trust_code(code, DAY)
    assert refusal(code) is None
    assert [(t.kind, t.what) for t in list_trusted().trusted] == [("code", str(code))]
    distrust(str(code))
    assert refusal(code)
    assert list_trusted().trusted == ()


def test_trust_is_in_the_bytes_and_not_in_the_place(code: Path, tmp_path: Path) -> None:
    trust_code(code, DAY)
    elsewhere = tmp_path / "run" / "other.py"
    elsewhere.parent.mkdir()
    shutil.copy(code, elsewhere)
    assert refusal(elsewhere) is None
    code.write_text(code.read_text() + "\n")
    assert refusal(code)


def test_the_file_is_for_its_user_alone(code: Path) -> None:
    trust_code(code, DAY)
    path = trust.own_file("trusted")
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("mode", [0o770, 0o707, 0o722])
def test_what_others_may_write_says_nothing(code: Path, mode: int) -> None:
    trust_code(code, DAY)
    trust.own_file("trusted").parent.chmod(mode)
    with pytest.raises(StoreError, match="others can write here"):
        refusal(code)


def test_a_file_of_another_user_says_nothing(code: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trust_code(code, DAY)
    owner = os.geteuid() or 1
    os.chown(trust.own_file("trusted"), owner, -1) if not os.geteuid() else None
    monkeypatch.setattr(os, "geteuid", lambda: owner + 1)
    with pytest.raises(StoreError, match="others can write here"):
        refusal(code)


def test_a_line_that_is_none_of_ours_is_named(code: Path) -> None:
    trust_code(code, DAY)
    path = trust.own_file("trusted")
    path.write_text(path.read_text() + "code everything\n")
    with pytest.raises(StoreError, match=r"trusted:2: is none of its lines"):
        refusal(code)


def test_a_name_cannot_smuggle_a_second_line(code: Path) -> None:
    digest = trust.code_digest(code)
    trust_key("ab" * 32, f"Anna\ncode {digest} 2026-12-01 x", DAY)
    assert [each.kind for each in trust.read_trusted()] == ["key"]


@pytest.mark.parametrize(
    ("key", "name", "said"),
    [("ab", "Anna", "no public key"), ("g" * 64, "Anna", "no public key"), ("a" * 64, " ", "name")],
)
def test_what_is_no_key_is_refused(key: str, name: str, said: str) -> None:
    with pytest.raises(FinewrightError, match=said):
        trust_key(key, name, DAY)


def test_what_brings_no_code_needs_no_trust(tmp_path: Path) -> None:
    for path, said in ((tmp_path / "x.py", "no such"), (tmp_path, "is no model folder")):
        with pytest.raises(FinewrightError, match=said):
            trust_code(path, DAY)
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(FinewrightError, match="no Python file here"):
        trust_code(tmp_path, DAY)
