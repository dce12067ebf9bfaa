"""A model of the hub, out of a cache like the hub's own: a change upstream is a new run, and an old run keeps
what it was trained on."""

import json
import os
import subprocess
import sys
from pathlib import Path
from shutil import copytree

import pytest

from .conftest import write_spec

pytestmark = pytest.mark.torch

OLD, NEW = "a" * 40, "b" * 40


def finewright(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """A process of its own from the start: the hub's library reads where its cache is when it is imported."""
    command = [sys.executable, "-m", "finewright", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_a_change_upstream_is_a_new_run_and_the_old_one_keeps_its_base(
    project: Path, runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = project / "hub" / "models--org--tiny"
    monkeypatch.setenv("HF_HUB_CACHE", str(cache.parent))
    copytree(project / "base", cache / "snapshots" / OLD)
    copytree(project / "base", cache / "snapshots" / NEW)
    (cache / "snapshots" / NEW / "README.txt").write_text("another state of the model")
    (cache / "refs").mkdir()
    (cache / "refs" / "main").write_text(OLD)
    write_spec(project, models="org/tiny")

    first = finewright("up", "spec.yaml", folder=project)
    assert first.returncode == 0, first.stderr
    (old,) = runs.iterdir()
    (cache / "refs" / "main").write_text(NEW)
    second = finewright("up", "spec.yaml", folder=project)
    assert second.returncode == 0, second.stderr

    (new,) = set(runs.iterdir()) - {old}
    kept = {run: json.loads((run / "train" / "report.json").read_text()) for run in (old, new)}
    revisions = [kept[run]["candidates"][0]["base_revision"] for run in (old, new)]
    assert revisions == [OLD, NEW]
    # what it was trained on is loaded, not what the name stands for today
    words = ("evaluate", os.fspath(old), "--data", "test.jsonl", "--json")
    asked = finewright(*words, folder=project)
    assert (asked.returncode, asked.stderr) == (0, "")
