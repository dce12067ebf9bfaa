"""GPT-2's Conv1D, whose weight lies the other way round, takes adapters as a linear does, and as in PEFT."""

import json
from pathlib import Path

import pytest
import torch
from peft import PeftModel
from transformers import GPT2Config, GPT2LMHeadModel

import tiny
from finewright.lm.adapters.kinds import add_adapter, load_adapter, save_adapter
from finewright.lm.adapters.lora import LoraLinear
from finewright.lm.efficacy import merge_error
from finewright.lm.example import EncodedRow
from finewright.lm.model import LM
from finewright.schema.adapter import AdapterSpec, IA3Spec, LoraSpec

pytestmark = pytest.mark.torch

CONFIG = GPT2Config(
    vocab_size=320, n_embd=32, n_layer=2, n_head=4, n_positions=64, bos_token_id=1, eos_token_id=2
)
IDS = tuple(range(20, 32))
SPECS = {
    "lora": LoraSpec(r=4),
    "dora": LoraSpec(r=4, use_dora=True),
    "pissa": LoraSpec(r=4, init="pissa"),
    "some": LoraSpec(r=4, target_modules=("attn.c_proj",)),
    "ia3": IA3Spec(target_modules=("c_attn", "mlp.c_proj"), feedforward_modules=("mlp.c_proj",)),
}


def gpt2() -> GPT2LMHeadModel:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return GPT2LMHeadModel(CONFIG).eval()


def adapted(spec: AdapterSpec) -> LM:
    model = gpt2()
    lm = LM(model, add_adapter(model, spec, seed=0))
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in lm.parameters():
            parameter.add_(0.05 * torch.randn(parameter.shape, generator=generator))
    return lm


def logps(lm: LM) -> torch.Tensor:
    row = EncodedRow(IDS, (False, *(True,) * (len(IDS) - 1)))
    with torch.no_grad():
        return lm.token_logps(lm.pack([[row]]))


@pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)
def test_a_stored_adapter_is_the_same_in_peft_and_here(spec: AdapterSpec, tmp_path: Path) -> None:
    lm = adapted(spec)
    save_adapter(tmp_path, lm.model, lm.adapters, spec, base=tiny.base_of(tmp_path))
    peft = PeftModel.from_pretrained(gpt2(), tmp_path).eval()
    with torch.no_grad():
        all_of_them = peft(torch.tensor([IDS])).logits[0, :-1].log_softmax(-1)
        base = gpt2()(torch.tensor([IDS])).logits[0, :-1].log_softmax(-1)
    picked = torch.tensor(IDS[1:])[:, None]
    assert torch.allclose(logps(lm), all_of_them.gather(1, picked)[:, 0], atol=1e-5)
    assert not torch.allclose(logps(lm), base.gather(1, picked)[:, 0], atol=1e-3)
    assert json.loads((tmp_path / "adapter_config.json").read_text())["fan_in_fan_out"]
    model = gpt2()
    assert torch.equal(logps(LM(model, load_adapter(model, tmp_path))), logps(lm))


def test_the_base_comes_back_and_the_merged_weight_computes_the_same() -> None:
    lm = adapted(LoraSpec(r=4))
    with lm.reference():
        off = logps(lm)
    assert torch.allclose(off, logps(LM(gpt2(), {})), atol=1e-6)
    parts = [part for part in lm.adapters.values() if isinstance(part, LoraLinear)]
    assert len(parts) == 8
    assert max(map(merge_error, parts)) < 1e-5
