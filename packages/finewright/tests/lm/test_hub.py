"""Models of the hub: named by branch, tag or commit, loaded by commit, from a cache like the hub's own."""

import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from finewright.errors import ModelError
from finewright.lm.hub import HubName, hub_name, is_cached
from finewright.lm.sources import base_digest, folder_digest, locate

pytestmark = pytest.mark.torch

OLD, NEW = "0123456789abcdef" * 2 + "01234567", "fedcba9876543210" * 2 + "fedcba98"


class HubCache:
    """The hub's cache: commits of one model, and what its branches and tags were taken for last."""

    def __init__(self, root: Path, base: Path) -> None:
        self.root, self.base = root / "models--org--model", base

    def add(self, commit: str, number: float) -> Path:
        """A commit whose norm has this number in it."""
        folder = self.root / "snapshots" / commit
        shutil.copytree(self.base, folder)
        weights = load_file(folder / "model.safetensors")
        weights["model.norm.weight"] = torch.full_like(weights["model.norm.weight"], number)
        save_file(weights, folder / "model.safetensors", {"format": "pt"})
        return folder

    def point(self, revision: str, commit: str) -> None:
        """Let a branch or tag be that commit."""
        note = self.root / "refs" / revision
        note.parent.mkdir(parents=True, exist_ok=True)
        note.write_text(commit)


@pytest.fixture
def hub(tmp_path: Path, tiny_folder: Path, monkeypatch: pytest.MonkeyPatch) -> HubCache:
    folder = tmp_path / "hub"
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(folder))
    cache = HubCache(folder, tiny_folder)
    cache.add(OLD, 1.0)
    cache.add(NEW, 2.0)
    cache.point("main", OLD)
    cache.point("v2", NEW)
    return cache


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("org/model", HubName("org/model", "main")),
        ("org/model@v2", HubName("org/model", "v2")),
        (f"org/model@{OLD}", HubName("org/model", OLD)),
        ("org/model@refs/pr/1", HubName("org/model", "refs/pr/1")),
        ("org/model@", None),
        ("org/model@../x", None),
        ("org/model@v2/../../x", None),
        ("model", None),
    ],
)
def test_a_name_may_say_which_revision(name: str, parts: HubName | None) -> None:
    assert hub_name(name) == parts


@pytest.mark.parametrize(
    ("name", "commit"),
    [("org/model", OLD), ("org/model@v2", NEW), (f"org/model@{NEW}", NEW)],
)
def test_a_model_is_loaded_by_the_commit_that_its_name_stands_for(
    name: str, commit: str, hub: HubCache
) -> None:
    base = locate(name, Path("elsewhere"))

    assert (base.name, base.revision) == (name, commit)
    assert base.folder == hub.root / "snapshots" / commit
    assert base.sha256 == folder_digest(base.folder)


def test_a_change_upstream_changes_the_digest(hub: HubCache) -> None:
    before = base_digest("org/model", Path())
    hub.point("main", NEW)

    assert before == f"hub:org/model@{OLD}"
    assert base_digest("org/model", Path()) == f"hub:org/model@{NEW}"
    assert base_digest("org/model@v2", Path()) == f"hub:org/model@{NEW}"


def test_a_run_keeps_the_commit_that_it_was_begun_with(hub: HubCache) -> None:
    hub.point("main", NEW)

    assert locate("org/model", Path(), commit=OLD).revision == OLD


def test_a_revision_that_is_not_here_is_one_clear_error_offline(hub: HubCache) -> None:
    with pytest.raises(ModelError) as caught:
        base_digest("org/model@v3", Path())

    assert str(caught.value) == (
        "base model 'org/model@v3' is not on this machine and FINEWRIGHT_OFFLINE or HF_HUB_OFFLINE is set"
    )


def test_a_hub_that_cannot_be_reached_is_one_clear_error(
    hub: HubCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("FINEWRIGHT_OFFLINE")
    monkeypatch.delenv("HF_HUB_OFFLINE")
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")

    assert base_digest("org/model", Path()) == f"hub:org/model@{OLD}"  # what the cache knows
    with pytest.raises(ModelError, match="is not on this machine and the hub cannot be reached"):
        base_digest("org/other", Path())


def test_a_model_that_was_fetched_by_its_commit_alone_is_here(hub: HubCache) -> None:
    """The hub's library writes no branch's note then."""
    shutil.rmtree(hub.root / "refs")
    assert is_cached("org/model")
    assert not is_cached("org/other")
