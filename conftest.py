"""Every test of every package runs offline with an empty home and cache, on models that are tiny."""

import gc
import os
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from transformers import PreTrainedModel, PreTrainedTokenizerFast

# Tiny matrices are slower on several threads; torch reads this when it is first imported.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# The day of all that is dated, in the processes that tests start too: no test's outcome is the calendar's.
os.environ["FINEWRIGHT_TODAY"] = "2026-11-28"
gc.disable()  # of what is imported and collected nothing goes, and a quarter of the time went into looking
settings.register_profile("finewright", deadline=None, derandomize=True)
settings.load_profile("finewright")

_homes = count()
MARKS = ("slow", "torch")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The files that run models come first: at the end the short ones keep every worker busy."""
    marked = {
        name: {item.path for item in items if item.get_closest_marker(name)} for name in MARKS
    }
    items.sort(key=lambda item: [item.path not in marked[name] for name in MARKS])


def pytest_collection_finish() -> None:
    """What was imported and collected stays to the end: the garbage collector need not look at it again."""
    gc.enable()
    gc.freeze()


@pytest.fixture(autouse=True, scope="session")
def _disk_without_waits() -> Iterator[None]:
    """No test cuts the power: fsync, 3 to 10 ms of a disk each of some thousand times, waits for nothing."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", os.fstat)
        yield


@pytest.fixture(scope="session")
def built_kernels(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where all tests, workers and later sessions have the engine's kernels, which a compiler needs seconds
    for."""
    cache: pytest.Cache | None = getattr(pytestconfig, "cache", None)  # -p no:cacheprovider
    folder = cache.mkdir("kernels") if cache else tmp_path_factory.mktemp("kernels")
    folder.chmod(0o700)
    if not (folder / "mac.key").exists():
        (folder / "mac.key").write_bytes(bytes(32))
        (folder / "mac.key").chmod(0o600)
    return folder


@pytest.fixture(autouse=True)
def _own_home(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
    built_kernels: Path,
) -> None:
    """No test sees the user's home, cache or network, except those that say so by their mark."""
    if request.node.get_closest_marker("network") or request.node.get_closest_marker("slow"):
        return
    home = tmp_path_factory.getbasetemp() / f"home-{next(_homes)}"  # made by who writes there
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("XDG_CACHE_HOME", str(home / ".cache"))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    cache = home / ".cache" / "finewright"
    monkeypatch.setenv("FINEWRIGHT_CACHE", str(cache))
    monkeypatch.setenv("FINEWRIGHT_OFFLINE", "1")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    if request.node.get_closest_marker("torch"):
        cache.mkdir(parents=True)
        (cache / "kernels").symlink_to(built_kernels)
        trust = home / ".config" / "finewright" / "trust"
        trust.mkdir(parents=True, mode=0o700)
        (trust / "mac.key").symlink_to(built_kernels / "mac.key")  # the one they were built by


@pytest.fixture(autouse=True)
def _one_thread(request: pytest.FixtureRequest) -> None:
    """A training leaves its process with a thread a core, which wait for each other over tiny matrices."""
    if request.node.get_closest_marker("torch"):
        import torch

        torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def _as_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """As where finewright came from an index: in a clone, hints name the packages that lie beside it."""
    monkeypatch.setattr("finewright.plugins._PACKAGES_HERE", Path("nowhere"))


@pytest.fixture(scope="session")
def tiny_model() -> "Callable[[str], PreTrainedModel]":
    """family -> a fresh random two-layer model of it, the same each time."""
    import tiny

    return tiny.tiny_model


@pytest.fixture
def tiny_tokenizer() -> "PreTrainedTokenizerFast":
    """A small byte-level BPE with the ChatML template."""
    import tiny

    return tiny.tiny_tokenizer()


@pytest.fixture
def tiny_folder(tmp_path: Path) -> Path:
    """A llama with its tokenizer, saved as a folder that can be a base model."""
    import tiny

    folder = tmp_path / "tiny-llama"
    tiny.tiny_model("llama").save_pretrained(folder)
    tiny.tiny_tokenizer().save_pretrained(folder)
    return folder
