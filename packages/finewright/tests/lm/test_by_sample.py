"""Gradients by sample, against a loop over the samples, one backward each."""

from collections.abc import Sequence

import pytest
import torch
from torch import Tensor

import referee
import tiny
from finewright.errors import ModelError
from finewright.lm.adapters.lora import add_lora
from finewright.lm.batch import PackedBatch
from finewright.lm.by_sample import gradients_by_sample, norms_by_sample, refuse_mixed
from finewright.lm.example import EncodedRow
from finewright.lm.fast.factors import (
    Factors,
    Operands,
    SampleGradients,
    SampleNorms,
    Samples,
    product_norm,
    using,
)
from finewright.lm.fast.linear import lora_linear
from finewright.lm.model import LM
from finewright.schema.adapter import LoraSpec

pytestmark = pytest.mark.torch

LENGTHS = (5, 9, 70, 3)
# Each feeds all of its tokens through every adapter that `all-linear` puts on it.
FAMILIES = (*tiny.ALL_FAMILIES, *tiny.HYBRIDS)
Groups = Sequence[Sequence[EncodedRow]]


def lm_of(family: str, **spec: object) -> LM:
    model = tiny.tiny_model(family)
    if not spec:
        return LM(model, referee.random_adapters(model))
    return LM(model, add_lora(model, LoraSpec(r=4, **spec), seed=1))


def alone() -> Groups:
    return [[row] for row in tiny.random_rows(LENGTHS)]


def loss_of(lm: LM, batch: PackedBatch) -> Tensor:
    return -lm.token_logps(batch).sum()


def one_by_one(lm: LM, groups: Groups) -> list[dict[Tensor, Tensor]]:
    """parameter -> gradient of each group's own backward."""
    found = []
    for group in groups:
        loss_of(lm, lm.pack([group])).backward()
        found.append({p: p.grad for p in lm.parameters()})
        for p in lm.parameters():
            p.grad = None
    return found


def assert_those_of_a_loop(lm: LM, groups: Groups) -> None:
    true = one_by_one(lm, groups)
    batch = lm.pack(groups)
    found = gradients_by_sample(lm, batch, [len(g) for g in groups], lambda: loss_of(lm, batch))
    assert set(found.of) == set(lm.parameters())
    for n, of_sample in enumerate(true):
        whole = torch.stack([g.square().sum() for g in of_sample.values()]).sum().sqrt()
        assert whole > 0
        apart = [(found.of[p][n] - g).norm() / whole for p, g in of_sample.items()]
        assert torch.stack(apart).norm() <= 1e-4
        assert abs(found.squared_norms()[n].sqrt() / whole - 1) <= 1e-4


@pytest.mark.parametrize("family", FAMILIES)
def test_gradients_of_packed_rows_are_those_of_a_loop(family: str) -> None:
    assert_those_of_a_loop(lm_of(family), alone())
    refuse_mixed(lm_of(family))


def test_a_layer_that_sees_rows_in_another_order_is_refused() -> None:
    lm = lm_of("llama")
    linear = lm.model.get_submodule("model.layers.0.self_attn.o_proj")
    own = linear.forward
    linear.forward = lambda x: own(x.flip(1)).flip(1)
    with pytest.raises(ModelError, match="beside other rows than alone"):
        refuse_mixed(lm)


@pytest.mark.parametrize("family", ["llama", "falcon_h1"])
def test_of_rows_that_share_a_prompt_too(family: str) -> None:
    assert_those_of_a_loop(lm_of(family), tiny.shared_prompts())


@pytest.mark.parametrize("quantization", ["nf4", "int8"])
def test_over_a_quantised_base_too(quantization: str) -> None:
    assert_those_of_a_loop_with_b(lm_of("llama", quantization=quantization))


def assert_those_of_a_loop_with_b(lm: LM) -> None:
    generator = torch.Generator().manual_seed(2)
    for p in lm.parameters():
        p.data.normal_(std=0.1, generator=generator)
    assert_those_of_a_loop(lm, alone())


def test_layers_that_are_computed_again_give_the_same() -> None:
    lm = lm_of("llama")
    lm.recompute()
    assert_those_of_a_loop(lm, alone())


def test_norms_need_no_gradient() -> None:
    lm = lm_of("qwen3")
    groups = [*alone(), [tiny.random_rows([3], seed=9)[0]]]
    batch, counts = lm.pack(groups), [1] * len(groups)
    kept = gradients_by_sample(lm, batch, counts, lambda: loss_of(lm, batch))
    norms = norms_by_sample(lm, batch, counts, lambda: loss_of(lm, batch))
    referee.assert_close(norms, kept.squared_norms().sqrt(), rel=1e-4)


@pytest.mark.parametrize("count", [1, 3, 40])
def test_a_products_norm_is_known_without_the_product(count: int) -> None:
    low, wide = referee.drawn(count, 4, seed=1), referee.drawn(count, 24, seed=2)
    referee.assert_close(product_norm(low, wide), (low.T @ wide).square().sum())


@pytest.mark.parametrize("count", [1, 7, 8, 9, 31, 52])
def test_a_samples_own_tokens_alone_count_in_bfloat16(count: int) -> None:
    """Widths that the kernels take, of a sample in the middle of a row."""
    wide, dy, low, d_low = (
        referee.drawn(100, width, seed=n).bfloat16() for n, width in enumerate((96, 64, 16, 16))
    )
    kept = SampleGradients([0, 20, 20 + count, 100])
    factors = Factors(torch.zeros(16, 96), torch.zeros(64, 16))
    tokens = slice(20, 20 + count)
    kept.take(1, factors, Operands(dy, wide, low, d_low, 0.5).of(tokens))
    found = [kept.of[factor][1] for factor in factors]
    referee.assert_close(found[0], d_low[tokens].float().T @ wide[tokens].float(), rel=1e-2)
    referee.assert_close(found[1], 0.5 * dy[tokens].float().T @ low[tokens].float(), rel=1e-2)


def test_a_weighted_sum_is_the_plain_gradient_of_the_weighted_loss() -> None:
    lm, groups = lm_of("phi3"), alone()
    weights = torch.tensor([0.5, 2.0, 0.0, 1.5])
    batch = lm.pack(groups)
    found = gradients_by_sample(lm, batch, [1] * len(groups), lambda: loss_of(lm, batch))
    (-(lm.token_logps(batch) * weights[batch.sequence_of]).sum()).backward()
    for p, summed in found.weighted_sum(weights).items():
        referee.assert_close(summed, p.grad, rel=1e-4)


@pytest.mark.parametrize(
    "spec", [{"use_dora": True}, {"dropout": 0.5}, {"init": "pissa"}], ids=lambda s: next(iter(s))
)
def test_other_kinds_of_lora_are_refused(spec: dict[str, object]) -> None:
    lm = lm_of("llama", **spec)
    lm.model.train()
    batch = lm.pack(alone())
    with pytest.raises(ModelError, match="cannot be told apart by rows"):
        gradients_by_sample(lm, batch, [1] * 4, lambda: loss_of(lm, batch))
    assert all(p.grad is None for p in lm.parameters())


def twice(samples: Samples) -> Tensor:
    """A loss in which two layers share one adapter; its A."""
    lora_a, lora_b = (referee.drawn(*shape, seed=n) for n, shape in enumerate([(2, 6), (6, 2)]))
    lora_a.requires_grad_()
    lora_b.requires_grad_()
    weight = torch.cat((referee.drawn(6, 6, seed=3), lora_b.detach()), 1)
    x = referee.drawn(samples.bounds[-1], 6, seed=4)
    with using(samples):
        for _ in range(2):
            x = lora_linear(x, weight, None, lora_a, lora_b, 1.0)
        x.square().sum().backward()
    return lora_a


def test_gradients_of_a_shared_adapter_add_up() -> None:
    kept, both = SampleGradients([0, 2, 5]), SampleGradients([0, 5])
    of_samples, of_all = kept.of[twice(kept)], both.of[twice(both)]
    referee.assert_close(of_samples.sum(0), of_all[0])


def test_norms_of_a_shared_adapter_are_refused() -> None:
    with pytest.raises(ModelError, match="share an adapter"):
        twice(SampleNorms([0, 2, 5]))


def test_rows_one_by_one_that_are_computed_again_are_refused() -> None:
    lm = lm_of("lfm2")
    lm.recompute()
    batch = lm.pack(alone())
    with pytest.raises(ModelError, match="other tokens than those of the row") as refused:
        gradients_by_sample(lm, batch, [1] * 4, lambda: loss_of(lm, batch))
    assert "train.memory" in refused.value.hint
