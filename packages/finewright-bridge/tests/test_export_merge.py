"""A merged model, saved and read by plain transformers, computes what base and adapter did."""

from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, PreTrainedModel

import tiny
from finewright.errors import ModelError
from finewright.lm.adapters.kinds import add_adapter
from finewright.lm.model import LM
from finewright.schema.adapter import AdapterSpec, IA3Spec, LoraSpec
from finewright_bridge.export.write import merge, save_merged

pytestmark = pytest.mark.torch

IDS = torch.tensor([[5, 9, 33, 40, 50, 60, 70]])
LORA = LoraSpec(r=4)
IA3 = IA3Spec(target_modules=("k_proj", "down_proj"), feedforward_modules=("down_proj",))
SHARES_A_WEIGHT = "zamba2"  # between layers
HYBRIDS = [family for family in tiny.HYBRIDS if family != SHARES_A_WEIGHT]
CASES: dict[str, tuple[str, AdapterSpec]] = {
    **{family: (family, LORA) for family in (*tiny.ALL_FAMILIES, *HYBRIDS)},
    "dora": ("llama", LoraSpec(r=4, use_dora=True)),
    "pissa": ("llama", LoraSpec(r=4, init="pissa")),
    "ia3": ("llama", IA3),
}


def adapted(family: str, spec: AdapterSpec) -> LM:
    model = tiny.tiny_model(family)
    lm = LM(model, add_adapter(model, spec, seed=0))
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in lm.parameters():
            parameter.add_(0.05 * torch.randn(parameter.shape, generator=generator))
    return lm


@torch.no_grad()
def logits(model: PreTrainedModel) -> torch.Tensor:
    found: torch.Tensor = model(IDS).logits.float()
    return found


@pytest.mark.parametrize(("family", "spec"), CASES.values(), ids=CASES)
def test_it_computes_the_same(family: str, spec: AdapterSpec, tmp_path: Path) -> None:
    lm = adapted(family, spec)
    before = logits(lm.model)
    save_merged(tmp_path / "merged", merge(lm), tmp_path)
    merged = AutoModelForCausalLM.from_pretrained(tmp_path / "merged").eval()
    assert not torch.allclose(before, logits(tiny.tiny_model(family)), atol=1e-3)
    torch.testing.assert_close(logits(merged), before, atol=2e-5, rtol=1e-4)


def test_adapters_of_layers_that_share_a_weight_are_not_merged() -> None:
    with pytest.raises(ModelError, match="keeps one weight for several layers") as refused:
        merge(adapted(SHARES_A_WEIGHT, LORA))
    assert refused.value.hint == "export it with --to hub-folder"


def test_a_weight_that_f16_cannot_hold_is_refused(tmp_path: Path) -> None:
    lm = adapted("llama", LORA)
    with torch.no_grad():
        lm.model.get_input_embeddings().weight[7, 3] = 70_000.0
    with pytest.raises(ModelError, match=r"f16 cannot hold 7e\+04, a weight of model.embed_tokens"):
        save_merged(tmp_path / "merged", merge(lm), tmp_path, "float16")
