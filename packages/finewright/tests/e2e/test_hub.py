"""A model of the hub, out of a cache like the hub's own: a change upstream is a new run, and an old run keeps
what it was trained on."""

import json
from pathlib import Path
from shutil import copytree

import pytest

from cli.conftest import Finewright, finewright  # noqa: F401 - in this process, whose hub cache can be set

from .conftest import write_spec

pytestmark = pytest.mark.torch

OLD, NEW = "a" * 40, "b" * 40


def test_a_change_upstream_is_a_new_run_and_the_old_one_keeps_its_base(
    project: Path,
    runs: Path,
    finewright: Finewright,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cache = project / "hub" / "models--org--tiny"
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(cache.parent))
    monkeypatch.chdir(project)
    copytree(project / "base", cache / "snapshots" / OLD)
    copytree(project / "base", cache / "snapshots" / NEW)
    (cache / "snapshots" / NEW / "README.txt").write_text("another state of the model")
    (cache / "refs").mkdir()
    (cache / "refs" / "main").write_text(OLD)
    write_spec(project, models="org/tiny")

    first = finewright("up", "spec.yaml")
    assert first.code == 0, first.err
    (old,) = runs.iterdir()
    (cache / "refs" / "main").write_text(NEW)
    second = finewright("up", "spec.yaml")
    assert second.code == 0, second.err

    (new,) = set(runs.iterdir()) - {old}
    kept = {run: json.loads((run / "train" / "report.json").read_text()) for run in (old, new)}
    revisions = [kept[run]["candidates"][0]["base_revision"] for run in (old, new)]
    assert revisions == [OLD, NEW]
    # what it was trained on is loaded, not what the name stands for today
    asked = finewright("evaluate", str(old), "--data", "test.jsonl", "--json")
    assert (asked.code, asked.err) == (0, "")
