"""Every test runs offline with an empty home and cache; the models that heavy tests run on are tiny."""

import os
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
settings.register_profile("finewright", deadline=None, derandomize=True)
settings.load_profile("finewright")

_homes = count()


@pytest.fixture(autouse=True)
def _own_home(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """No test sees the user's home, cache or network, except those that say so by their mark."""
    if request.node.get_closest_marker("network") or request.node.get_closest_marker("slow"):
        return
    home = tmp_path_factory.getbasetemp() / f"home-{next(_homes)}"  # made by who writes there
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("XDG_CACHE_HOME", str(home / ".cache"))
    monkeypatch.setenv("FINEWRIGHT_CACHE", str(home / ".cache" / "finewright"))
    monkeypatch.setenv("FINEWRIGHT_OFFLINE", "1")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


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
