"""No dropout acts but the spec's, whatever a config brings."""

import pytest
import torch
from transformers import (
    AutoModelForCausalLM,
    BloomConfig,
    FalconConfig,
    GPT2Config,
    GPTNeoXConfig,
    LlamaConfig,
    OPTConfig,
    Phi3Config,
    PhimoeConfig,
    PreTrainedConfig,
    SeedOssConfig,
    Starcoder2Config,
)

import tiny
from finewright.lm.adapters.lora import add_lora
from finewright.lm.batch import pack
from finewright.lm.model import LM
from finewright.schema.adapter import LoraSpec

pytestmark = pytest.mark.torch

SIZES = tiny._SIZES
SHARE = 0.4
GPT = {"vocab_size": tiny.VOCAB, "n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 64}
CONFIGS: dict[str, PreTrainedConfig] = {
    "seed_oss": SeedOssConfig(**SIZES, head_dim=8, attention_dropout=SHARE, residual_dropout=SHARE),
    "llama": LlamaConfig(**SIZES, attention_dropout=SHARE),
    "gpt2": GPT2Config(**GPT, resid_pdrop=SHARE, embd_pdrop=SHARE, attn_pdrop=SHARE),
    "opt": OPTConfig(
        **SIZES,
        ffn_dim=48,
        word_embed_proj_dim=32,
        dropout=SHARE,
        attention_dropout=SHARE,
        layerdrop=SHARE,
    ),
    "phi3": Phi3Config(**SIZES, resid_pdrop=SHARE, embd_pdrop=SHARE, attention_dropout=SHARE),
    "gpt_neox": GPTNeoXConfig(**SIZES, hidden_dropout=SHARE, attention_dropout=SHARE),
    "bloom": BloomConfig(
        vocab_size=tiny.VOCAB,
        hidden_size=32,
        n_layer=2,
        n_head=4,
        hidden_dropout=SHARE,
        attention_dropout=SHARE,
    ),
    # reads the shares in its config at every forward
    "falcon": FalconConfig(**SIZES, hidden_dropout=SHARE, attention_dropout=SHARE),
    "starcoder2": Starcoder2Config(
        **SIZES, residual_dropout=SHARE, embedding_dropout=SHARE, attention_dropout=SHARE
    ),
    # noise on the experts' inputs and on their router's
    "phimoe": PhimoeConfig(
        **SIZES,
        num_local_experts=4,
        attention_dropout=SHARE,
        input_jitter_noise=SHARE,
        router_jitter_noise=SHARE,
    ),
}
IDS = torch.tensor([[5, 9, 40, 77, 12, 8, 31]])


def model_of(family: str):
    torch.manual_seed(0)
    return AutoModelForCausalLM.from_config(CONFIGS[family], dtype=torch.float32)


def logits_of(model) -> torch.Tensor:
    with torch.no_grad():
        return model(input_ids=IDS, use_cache=False).logits


@pytest.mark.parametrize("family", CONFIGS)
def test_a_model_in_training_computes_what_it_computes_without(family: str) -> None:
    plain = model_of(family).train()
    assert not torch.allclose(logits_of(plain), logits_of(plain.eval()))  # its dropout does act
    lm = LM(model_of(family), {})
    assert torch.equal(logits_of(lm.model.train()), logits_of(lm.model.eval()))


def test_the_specs_own_dropout_acts() -> None:
    model = model_of("seed_oss")
    lm = LM(model, add_lora(model, LoraSpec(dropout=SHARE), seed=0))
    batch = pack(tiny.random_rows([9]))
    with torch.no_grad():
        for part in lm.adapters.values():
            part.lora_B.normal_()
        lm.model.train()
        assert not torch.equal(lm.token_logps(batch), lm.token_logps(batch))
        lm.model.eval()
        assert torch.equal(lm.token_logps(batch), lm.token_logps(batch))
