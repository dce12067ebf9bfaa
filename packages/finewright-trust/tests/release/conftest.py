"""A tiny run that was trained and measured, for all tests of releases; each works on a copy."""

import shutil
from pathlib import Path

import pytest

import tiny_run
from finewright.schema.load import load_spec
from finewright.workbench.up import up

POLICY = """\
name: small
release:
  producer: Acme
  rules:
    task: null
    forgetting: null
    redteam: null
    memorisation: null
    backdoor: null
    poison: null
    licences: {deny: [noncommercial]}
"""


@pytest.fixture(scope="session")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a spec, its rows and its run."""
    folder = tmp_path_factory.mktemp("released")
    tiny_run.trained(folder, "{type: lora, r: 4}")
    up(load_spec(folder / "spec.yaml"), folder / "runs", on_event=tiny_run.nothing)
    return folder


@pytest.fixture
def run(measured: Path, project: Path) -> Path:
    """A copy of the run in the current folder, with a policy that it keeps to beside it."""
    (project / "policy.yaml").write_text(POLICY)
    (found,) = (measured / "runs").iterdir()
    shutil.copytree(found, project / "run")
    return project / "run"
