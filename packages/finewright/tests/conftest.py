"""The models that heavy tests run on are tiny."""

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from transformers import PreTrainedModel, PreTrainedTokenizerFast


@pytest.fixture(autouse=True)
def _as_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """As where finewright came from an index: in a clone, hints name the packs that lie beside it."""
    monkeypatch.setattr("finewright.plugins._PACKS_HERE", Path("nowhere"))


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
