"""What is said before the weights are loaded is what the loaded model says."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from transformers import PreTrainedModel

import tiny
from finewright.lm.foresight import slow_paths_ahead
from finewright.lm.lora import add_lora
from finewright.lm.model import LM
from finewright.lm.sources import BaseModel
from finewright.schema.adapter import LoraSpec

pytestmark = pytest.mark.torch

Model = Callable[[str], PreTrainedModel]


def stored(family: str, folder: Path) -> BaseModel:
    """The folder of a model whose weights are not there."""
    tiny.tiny_model(family).config.save_pretrained(folder)
    return BaseModel(family, folder, "", "unknown")


@pytest.mark.parametrize("family", [*tiny.ALL_FAMILIES, "lfm2"])
@pytest.mark.parametrize("spec", [LoraSpec(), LoraSpec(dropout=0.1), LoraSpec(use_dora=True)])
def test_it_says_what_the_loaded_model_will_say(
    family: str, spec: LoraSpec, tmp_path: Path
) -> None:
    model = tiny.tiny_model(family)
    loaded = LM(model, add_lora(model, spec, seed=0)).slow_paths()
    assert set(slow_paths_ahead(stored(family, tmp_path), spec, "fp32")) == set(loaded)


def test_widths_that_the_kernel_cannot_take_are_seen_in_bfloat16(tmp_path: Path) -> None:
    model = tiny.tiny_model("llama").bfloat16()
    loaded = LM(model, add_lora(model, LoraSpec(), seed=0)).slow_paths()
    assert slow_paths_ahead(stored("llama", tmp_path), LoraSpec(), "bf16") == loaded


def test_a_model_without_a_readable_config_is_not_known(tmp_path: Path) -> None:
    (said,) = slow_paths_ahead(BaseModel("odd", tmp_path, "", "unknown"), LoraSpec(), "fp32")
    assert said.startswith("not known before the weights are loaded, because ")


def test_random_numbers_go_on_as_if_nothing_had_been_drawn(tmp_path: Path) -> None:
    base = stored("llama", tmp_path)
    torch.manual_seed(1)
    wanted = torch.rand(3)
    torch.manual_seed(1)
    slow_paths_ahead(base, LoraSpec(), "fp32")
    assert torch.equal(torch.rand(3), wanted)
