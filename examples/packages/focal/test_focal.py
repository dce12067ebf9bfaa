"""The suite of training methods, on the focal loss."""

from collections.abc import Callable

import pytest
from finewright_focal.settings import FocalSpec
from transformers import LlamaConfig, LlamaForCausalLM

from finewright.conformance.method import MadeMethod, MethodConformance
from finewright.sdk import LM, EncodedRow, Example, LoraSpec, add_adapter
from finewright.train.methods.setup import Setup, method_of

SMALL = LlamaConfig(
    vocab_size=64, hidden_size=16, intermediate_size=32, num_hidden_layers=1, num_attention_heads=2
)


class TestFocal(MethodConformance):
    @pytest.fixture
    def spec(self) -> FocalSpec:
        adapter = LoraSpec(r=2, dropout=0.1)
        return FocalSpec(adapter=adapter, max_steps=3, batch_size=2, learning_rate=1e-3)

    @pytest.fixture
    def rows(self) -> list[Example]:
        trained = (False, False, True, True)
        return [Example((EncodedRow((n, 9, 5, n), trained, str(n)),)) for n in range(10, 16)]

    @pytest.fixture
    def made(self) -> Callable[[FocalSpec], MadeMethod]:
        weights = LlamaForCausalLM(SMALL).state_dict()

        def fresh(spec: FocalSpec) -> MadeMethod:
            model = LlamaForCausalLM(SMALL)
            model.load_state_dict(weights)
            lm = LM(model.eval(), add_adapter(model, spec.adapter, seed=spec.seed))
            return lm, method_of(spec, Setup(lm))

        return fresh
