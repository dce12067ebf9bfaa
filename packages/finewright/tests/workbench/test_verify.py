"""`verify` of a whole run: who signed it, and whether its scores are what its answers give."""

import hashlib
import json
import shutil
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from finewright.report.of_runs import verify_page
from finewright.store.manifest import read_manifest, sign_stage, write_manifest
from finewright.store.rundir import RunDir
from finewright.store.signing import own_key
from finewright.workbench.runs import verify
from finewright.workbench.trust import trust_key

KEPT = Path(__file__).parents[1] / "golden" / "kept" / "2026-11-27-tiny-293e"


@pytest.fixture
def run(tmp_path: Path) -> RunDir:
    """A run of an earlier version, which signed nothing."""
    return RunDir(Path(shutil.copytree(KEPT, tmp_path / KEPT.name)))


@pytest.fixture
def as_another_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    return lambda: monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "another"))


def sign_all(run: RunDir) -> None:
    manifest = read_manifest(run)
    for stage in manifest.stages:
        manifest = sign_stage(manifest, stage)
    write_manifest(run, manifest)


def forge_a_score(run: RunDir) -> None:
    """A better score, and a manifest that fits it."""
    path = run.root / "evaluate" / "report.json"
    path.write_text(path.read_text().replace('"value": 0.5,', '"value": 0.95,'))
    record = json.loads(run.manifest.read_text())
    for row in record["artifacts"]:
        content = (run.root / row["path"]).read_bytes()
        row |= {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
    run.manifest.write_text(json.dumps(record))


def claim(run: RunDir) -> str:
    return verify_page(verify(run.root)).answer


def test_a_run_of_an_earlier_version_passes_and_is_called_unsigned(run: RunDir) -> None:
    report = verify(run.root)
    assert report.passed
    assert report.scores == 14
    assert [signer.whose for signer in report.signers] == ["unsigned"]
    assert any("nobody signed run, data" in p.message for p in report.problems)
    assert claim(run).endswith("14 figures counted again from the answers; unsigned")


def test_it_says_whose_key_signed(run: RunDir, as_another_user: Callable[[], None]) -> None:
    sign_all(run)
    assert claim(run).endswith("signed by your own key")
    key = own_key()
    as_another_user()
    report = verify(run.root)
    assert report.passed
    assert f"signed by an unknown key ({key[:16]}...)" in claim(run)
    assert any(f"finewright trust key {key} NAME" in p.hint for p in report.problems)
    trust_key(key, "Anna of the lab", date(2026, 12, 1))
    assert f"signed by Anna of the lab (known key {key[:16]}...)" in claim(run)


@pytest.mark.parametrize("signs_again", [False, True])
def test_a_forged_score_is_found_whoever_signs_the_forgery(
    signs_again: bool, run: RunDir, as_another_user: Callable[[], None]
) -> None:
    forge_a_score(run)
    if signs_again:
        sign_all(run)
        as_another_user()
    report = verify(run.root)
    assert not report.passed
    assert any(
        "0.9500" in p.message and "answers give 0.5000" in p.message for p in report.problems
    )
    assert "this run is not what was recorded" in claim(run)


def test_a_measurement_whose_report_is_taken_away_does_not_pass(run: RunDir) -> None:
    record = json.loads(run.manifest.read_text())
    record["artifacts"] = [r for r in record["artifacts"] if r["path"] != "evaluate/report.json"]
    run.manifest.write_text(json.dumps(record))
    (run.root / "evaluate" / "report.json").unlink()
    report = verify(run.root)
    assert not report.passed
    assert [p.file for p in report.problems if p.level == "error"] == ["evaluate/report.json"]
