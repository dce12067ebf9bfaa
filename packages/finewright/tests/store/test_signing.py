"""Signatures of runs: by the user's own key, over what each stage made, checked with no secret."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from finewright import trust
from finewright.errors import StoreError
from finewright.schema.common import Artifact
from finewright.store.manifest import (
    CARD,
    cover,
    describe,
    read_manifest,
    record_stage,
    signers,
    verify,
    write_manifest,
)
from finewright.store.measurements import keep_measurement, record_spec
from finewright.store.rundir import RunDir
from finewright.store.signing import is_signed, own_key, sign

from .conftest import NOW


def made(run: RunDir, path: str, content: bytes, kind: str = "rows") -> Artifact:
    (run.root / path).parent.mkdir(parents=True, exist_ok=True)
    (run.root / path).write_bytes(content)
    return describe(run, run.root / path, kind)


@pytest.fixture
def finished(run: RunDir) -> RunDir:
    record_stage(run, "train", "k1", [made(run, "train/w.bin", bytes(345678))], NOW)
    record_stage(run, "evaluate", "k2", [made(run, "evaluate/report.json", b"{}")], NOW)
    cover(run, "train", made(run, "train/README.md", b"# card", CARD))
    return run


@pytest.fixture
def as_another_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    return lambda: monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "another"))


def errors(run: RunDir) -> list[str]:
    return [problem.line() for problem in verify(run) if problem.level == "error"]


def change(run: RunDir, old: str, new: str) -> None:
    text = run.manifest.read_text()
    assert old in text
    run.manifest.write_text(text.replace(old, new))


def test_a_signature_is_ed25519_and_the_key_is_the_users_alone() -> None:
    signature = sign(b"content")
    assert signature is not None
    path = trust.own_file("signing.pem")
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    private = load_pem_private_key(path.read_bytes(), password=None)
    assert private.public_key().public_bytes_raw().hex() == signature.key == own_key()
    key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(signature.key))
    key.verify(bytes.fromhex(signature.value), b"content")
    assert is_signed(b"content", signature)
    assert not is_signed(b"Content", signature)


def test_every_part_of_a_run_is_signed_by_its_user(finished: RunDir) -> None:
    assert errors(finished) == []
    parts = ["run", "train", "evaluate", "train/README.md"]
    assert signers(read_manifest(finished)) == {own_key(): parts}


def test_the_key_lies_in_no_run(finished: RunDir) -> None:
    secret = trust.own_file("signing.pem").read_bytes().splitlines()[1]
    files = [path for path in finished.root.rglob("*") if path.is_file()]
    assert not [path for path in files if secret in path.read_bytes()]


@pytest.mark.parametrize(
    "path", ["train/w.bin", "evaluate/report.json", "train/README.md", "env.json"]
)
def test_a_forged_file_with_a_recomputed_manifest_is_found_where_the_signature_stays(
    path: str, finished: RunDir
) -> None:
    before = describe(finished, finished.root / path, "x")
    (finished.root / path).write_bytes(b"forged")
    after = describe(finished, finished.root / path, "x")
    change(finished, before.sha256, after.sha256)
    change(finished, f'"bytes": {before.bytes}', f'"bytes": {after.bytes}')
    (line,) = errors(finished)
    assert f"is not what the key {own_key()} signed" in line


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"key": "k1"', '"key": "k9"'),
        ("2026-11-24T09:30:00Z", "2026-11-24T09:30:01Z"),
        ('"kind": "rows"', '"kind": "row"'),
        ('"stage": "train"', '"stage": "evaluate"'),
    ],
)
def test_nothing_that_the_manifest_says_may_change(old: str, new: str, finished: RunDir) -> None:
    change(finished, old, new)
    assert any("signed" in line for line in errors(finished))


def test_a_row_that_was_taken_out_is_missed(finished: RunDir) -> None:
    manifest = read_manifest(finished)
    rows = tuple(row for row in manifest.artifacts if row.path != "train/w.bin")
    write_manifest(finished, manifest.model_copy(update={"artifacts": rows}))
    assert any("manifest.json: train: " in line for line in errors(finished))


def test_a_stage_of_another_run_does_not_fit(finished: RunDir) -> None:
    change(finished, f'"key": "{read_manifest(finished).key}"', '"key": "another"')
    assert len(errors(finished)) == 4


def test_another_user_sees_whose_it_is_and_signs_only_what_that_user_makes(
    finished: RunDir, as_another_user: Callable[[], None]
) -> None:
    first = own_key()
    as_another_user()
    assert own_key() == ""  # who only verifies makes no key
    assert errors(finished) == []
    record_stage(finished, "evaluate", "k3", [made(finished, "evaluate/report.json", b"[]")], NOW)
    assert errors(finished) == []
    assert own_key() not in {"", first}
    assert signers(read_manifest(finished)) == {
        first: ["run", "train", "train/README.md"],
        own_key(): ["evaluate"],
    }


def test_what_another_key_signed_is_not_signed_anew_when_it_is_moved(
    finished: RunDir, as_another_user: Callable[[], None]
) -> None:
    as_another_user()
    sign(b"makes a key")
    folder = keep_measurement(finished)
    assert folder in signers(read_manifest(finished))[""]


def test_ones_own_measurement_stays_signed_when_it_is_moved(finished: RunDir) -> None:
    folder = keep_measurement(finished)
    assert folder in signers(read_manifest(finished))[own_key()]
    assert errors(finished) == []


def test_the_beginning_that_another_key_signed_is_not_signed_with_another_spec(
    finished: RunDir, as_another_user: Callable[[], None]
) -> None:
    first = own_key()
    finished.spec.write_text("name: other\n")
    record_spec(finished, (describe(finished, finished.spec, "spec"),))
    assert "run" in signers(read_manifest(finished))[first]
    as_another_user()
    sign(b"makes a key")
    finished.spec.write_text("name: another\n")
    record_spec(finished, (describe(finished, finished.spec, "spec"),))
    assert signers(read_manifest(finished))[""] == ["run"]
    assert own_key() not in signers(read_manifest(finished))
    assert errors(finished) == []


def test_a_run_without_signatures_is_as_readable_as_it_was(finished: RunDir) -> None:
    record = json.loads(finished.manifest.read_text())
    for part in (*record["stages"].values(), *record["artifacts"]):
        part.pop("signature", None)
    finished.manifest.write_text(json.dumps(record))
    assert errors(finished) == []
    assert set(signers(read_manifest(finished))) == {""}
    record_stage(finished, "evaluate", "k2", [], NOW + timedelta(hours=1))
    assert signers(read_manifest(finished))[own_key()] == ["evaluate"]


def test_without_a_place_for_a_key_a_run_is_made_all_the_same(
    run: RunDir, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "file"))
    record_stage(run, "train", "k1", [], NOW)
    assert signers(read_manifest(run))[""] == ["train"]


def test_a_damaged_key_is_one_line_and_is_not_replaced() -> None:
    sign(b"makes a key")
    path = trust.own_file("signing.pem")
    path.write_text("-----BEGIN PRIVATE KEY-----\n")
    with pytest.raises(StoreError, match="is no Ed25519 key that can be read") as caught:
        sign(b"again")
    assert "\n" not in str(caught.value)
    assert path.read_text() == "-----BEGIN PRIVATE KEY-----\n"


def test_processes_that_begin_at_once_share_one_key(tmp_path: Path) -> None:
    code = "from finewright.store.signing import sign; print(sign(b'x').key)"
    environment = {**os.environ, "XDG_CONFIG_HOME": str(tmp_path)}
    started = [
        subprocess.Popen(
            [sys.executable, "-c", code], env=environment, stdout=subprocess.PIPE, text=True
        )
        for _ in range(4)
    ]
    keys = {process.communicate()[0] for process in started}
    assert len(keys) == 1
    assert len(keys.pop().strip()) == 64
