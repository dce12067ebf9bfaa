"""What is said before the weights are loaded is what the loaded model says."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from transformers import PreTrainedModel

import tiny
from finewright.lm.adapters.kinds import add_adapter
from finewright.lm.foresight import refusal_ahead, slow_paths_ahead
from finewright.lm.model import LM
from finewright.lm.sources import LocalBase
from finewright.schema.adapter import (
    AdapterSpec,
    FullSpec,
    IA3Spec,
    LoraSpec,
    PrefixSpec,
    PromptSpec,
)

pytestmark = pytest.mark.torch

Model = Callable[[str], PreTrainedModel]


def stored(family: str, folder: Path) -> LocalBase:
    """The folder of a model whose weights are not there."""
    tiny.tiny_model(family).config.save_pretrained(folder)
    return LocalBase(family, folder, "", "unknown")


@pytest.mark.parametrize(
    ("family", "spec"),
    [
        *((family, LoraSpec()) for family in (*tiny.ALL_FAMILIES, *tiny.HYBRIDS)),
        *((family, LoraSpec(dropout=0.1)) for family in ("llama", "gemma2", "mixtral")),
        *((family, LoraSpec(use_dora=True)) for family in ("llama", "gemma2", "mixtral")),
    ],
)
def test_it_says_what_the_loaded_model_will_say(
    family: str, spec: LoraSpec, tmp_path: Path
) -> None:
    model = tiny.tiny_model(family)
    loaded = LM(model, add_adapter(model, spec, seed=0)).slow_paths()
    assert set(slow_paths_ahead(stored(family, tmp_path), spec, "fp32")) == set(loaded)


@pytest.mark.parametrize("spec", [IA3Spec(), PromptSpec(), FullSpec()], ids=str)
@pytest.mark.parametrize("family", ["gemma2", "deepseek_v3"])
def test_it_says_so_of_other_adapters(family: str, spec: AdapterSpec, tmp_path: Path) -> None:
    model = tiny.tiny_model(family)
    loaded = LM(model, add_adapter(model, spec, seed=0)).slow_paths()
    assert set(slow_paths_ahead(stored(family, tmp_path), spec, "fp32")) == set(loaded)


def test_widths_that_the_kernel_cannot_take_are_seen_in_bfloat16(tmp_path: Path) -> None:
    model = tiny.tiny_model("llama").bfloat16()
    loaded = LM(model, add_adapter(model, LoraSpec(), seed=0)).slow_paths()
    assert slow_paths_ahead(stored("llama", tmp_path), LoraSpec(), "bf16") == loaded


def test_a_model_without_a_readable_config_is_not_known(tmp_path: Path) -> None:
    (said,) = slow_paths_ahead(LocalBase("odd", tmp_path, "", "unknown"), LoraSpec(), "fp32")
    assert said.startswith("not known before the weights are loaded, because ")


@pytest.mark.parametrize(
    ("family", "spec", "said"),
    [
        (
            "deepseek_v3",
            PrefixSpec(),
            "prefix tuning is not possible, because its layers keep a latent",
        ),
        ("lfm2", PrefixSpec(), "prefix tuning is not possible, because it has layers of conv"),
        ("llama", IA3Spec(target_modules=("qkv_proj",)), "no linear layer is named 'qkv_proj'"),
        ("phi3", LoraSpec(target_modules=("q_proj",)), "no linear layer is named 'q_proj'"),
        ("llama", LoraSpec(r=60_000), "no targeted layer can have a rank above"),
    ],
    ids=str,
)
def test_an_adapter_that_does_not_fit_is_refused_before_the_weights_are_there(
    family: str, spec: AdapterSpec, said: str, tmp_path: Path
) -> None:
    refusal = refusal_ahead(stored(family, tmp_path), spec)
    assert refusal is not None
    assert said in str(refusal)


@pytest.mark.parametrize(
    "spec", [LoraSpec(init="pissa"), IA3Spec(), PrefixSpec(), PromptSpec(), FullSpec()], ids=str
)
def test_an_adapter_that_fits_is_not_refused(spec: AdapterSpec, tmp_path: Path) -> None:
    assert refusal_ahead(stored("llama", tmp_path), spec) is None


def test_of_a_model_that_is_not_known_nothing_is_said(tmp_path: Path) -> None:
    assert refusal_ahead(LocalBase("odd", tmp_path, "", "unknown"), PrefixSpec()) is None


def test_random_numbers_go_on_as_if_nothing_had_been_drawn(tmp_path: Path) -> None:
    base = stored("llama", tmp_path)
    torch.manual_seed(1)
    wanted = torch.rand(3)
    torch.manual_seed(1)
    slow_paths_ahead(base, LoraSpec(), "fp32")
    assert torch.equal(torch.rand(3), wanted)
