"""Letting go of mapped weights: the memory falls, and no number is ever lost."""

import platform
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from finewright.lm.adapters.linears import target_paths
from finewright.lm.adapters.lora import add_lora
from finewright.lm.fast import library
from finewright.lm.fast.library import let_go
from finewright.lm.load import load_model
from finewright.lm.sources import LocalBase
from finewright.schema.adapter import LoraSpec

pytestmark = [
    pytest.mark.torch,
    pytest.mark.skipif(platform.system() != "Linux", reason="pages are let go on Linux only"),
]
PAGE, ENTRY, PRESENT = 4096, 8, 1 << 63
NUMBERS = 64 * PAGE // 4


@pytest.fixture
def weights(tmp_path: Path) -> Iterator[dict[str, Tensor]]:
    """Two tensors of 64 pages of one mapped file."""
    made = {name: torch.arange(NUMBERS, dtype=torch.float32) for name in ("one", "two")}
    save_file(made, tmp_path / "weights.safetensors")
    with safe_open(tmp_path / "weights.safetensors", "pt") as file:
        yield {name: file.get_slice(name)[...] for name in made}


def pages_here(tensor: Tensor) -> int:
    """The tensor's whole pages that are in the process's memory."""
    first, last = -(-tensor.data_ptr() // PAGE), (tensor.data_ptr() + tensor.nbytes) // PAGE
    with Path("/proc/self/pagemap").open("rb") as file:
        file.seek(first * ENTRY)
        told = file.read((last - first) * ENTRY)
    entries = [int.from_bytes(told[i : i + ENTRY], "little") for i in range(0, len(told), ENTRY)]
    return sum(bool(entry & PRESENT) for entry in entries)


def test_a_weight_that_was_read_leaves_memory_and_keeps_its_numbers(
    weights: dict[str, Tensor],
) -> None:
    one, two = weights.values()
    assert one.sum() == two.sum()
    assert pages_here(one) >= 60
    assert let_go(one) >= 60 * PAGE
    assert pages_here(one) == 0
    assert pages_here(two) >= 60
    assert torch.equal(one, torch.arange(NUMBERS, dtype=torch.float32))


def test_a_weight_that_was_written_to_stays(weights: dict[str, Tensor]) -> None:
    weights["one"][5000] = -7
    assert let_go(weights["one"]) == 0
    assert weights["one"][5000] == -7


def test_numbers_that_no_file_has_stay() -> None:
    made = torch.ones(NUMBERS)
    assert let_go(made) == 0
    assert (made == 1).all()


def test_less_than_a_page_is_left_alone(weights: dict[str, Tensor]) -> None:
    assert let_go(weights["one"][:100]) == 0


def test_nothing_is_let_go_where_the_system_tells_nothing(
    weights: dict[str, Tensor], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(library, "_PAGEMAP", tmp_path / "missing")
    assert let_go(weights["one"]) == 0


@pytest.fixture
def base(tmp_path: Path) -> LocalBase:
    """A llama in float32, whose 14 M linear weights are most of it."""
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        vocab_size=320,
        hidden_size=512,
        intermediate_size=1536,
        num_hidden_layers=4,
        num_attention_heads=4,
    )
    LlamaForCausalLM(config).save_pretrained(tmp_path)
    return LocalBase("base", tmp_path, "", "unknown")


@pytest.mark.parametrize("kind", ["none", "nf4", "int8"])
def test_a_loaded_model_lets_its_original_weights_go(kind: str, base: LocalBase) -> None:
    model = load_model(base, dtype="fp32", place=False)
    paths = target_paths(model, "all-linear")
    originals = [model.get_submodule(path).weight.detach() for path in paths]
    pages = sum(original.nbytes for original in originals) // PAGE
    add_lora(model, LoraSpec(r=2, alpha=4, quantization=kind), seed=0)
    # the system maps a few pages around each one that is read, so a neighbour brings some back
    assert sum(map(pages_here, originals)) <= 0.1 * pages


def own_bytes() -> int:
    """The process's memory that is no file's."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon")) * 1024


@pytest.mark.parametrize(("kind", "share"), [("nf4", 0.26), ("int8", 0.5)])
def test_packing_gives_memory_back_where_loading_had_to_convert(
    kind: str, share: float, base: LocalBase
) -> None:
    model = load_model(base, dtype="bf16", place=False)
    paths = target_paths(model, "all-linear")
    linears = sum(model.get_submodule(path).weight.nbytes for path in paths)
    before = own_bytes()
    adapters = add_lora(model, LoraSpec(r=2, alpha=4, quantization=kind), seed=0)
    assert len(adapters) == len(paths)
    assert before - own_bytes() >= 0.8 * (1 - share) * linears
