"""A tiny run that was trained, with a file of answers, for all tests of dossiers."""

import json
import shutil
from datetime import date
from pathlib import Path
from typing import Any

import pytest

import tiny_run
from cli.conftest import Finewright
from finewright.store.rundir import open_run
from finewright.store.speclock import lock_of
from finewright_trust.comply.dossier import read_answers, write_dossier

ANSWERS = """\
name: tiny
comply:
  roles: [provider, modifier]
  regimes: [eu-ai-act, owasp-aisvs]
  system: {uses: [recruitment], eu_market: true, on_market: 2027-12-15, profiles_people: true, sme: false}
  texts: {intended_purpose: "To sort applications, ünder supervision."}
  evidence:
    R10.17: [{file: quality.txt, by: Ada Lovelace, day: 2026-12-01}]
    R03: [{text: a course for all staff}]
"""


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_run.trained(tmp_path_factory.mktemp("documented"), "{type: lora, r: 4}")


@pytest.fixture(scope="session")
def dossier(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dossier of the run by these answers, to be looked at alone."""
    folder = tmp_path_factory.mktemp("dossier")
    (folder / "answers.yaml").write_text(ANSWERS, encoding="utf-8")
    (folder / "quality.txt").write_text("the handbook")
    run = open_run(trained)
    answers = read_answers(folder / "answers.yaml", lock_of(run))
    write_dossier(run, lock_of(run), answers, date(2026, 12, 5), folder / "made")
    return folder / "made"


@pytest.fixture
def run(trained: Path, project: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the run in the project, beside a file of answers and what they name."""
    monkeypatch.setenv("FINEWRIGHT_TODAY", "2026-12-05")
    (project / "answers.yaml").write_text(ANSWERS, encoding="utf-8")
    (project / "quality.txt").write_text("the handbook")
    return Path(shutil.copytree(trained, project / "runs" / trained.name))


@pytest.fixture(scope="session")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the run lies with the dossier that is made in it once."""
    return tmp_path_factory.mktemp("kept")


@pytest.fixture
def report(run: Path, finewright: Finewright, kept: Path) -> dict[str, Any]:
    """Of the dossier in the run."""
    if not (kept / "report.json").exists():
        result = finewright("comply", str(run), "--answers", "answers.yaml", "--json")
        assert result.code == 0, result.err
        shutil.copytree(run, kept / run.name)
        (kept / "report.json").write_text(result.out, encoding="utf-8")
    else:
        shutil.rmtree(run)
        shutil.copytree(kept / run.name, run)
    found: dict[str, Any] = json.loads((kept / "report.json").read_text(encoding="utf-8"))
    return found
