"""The loop is a plain transformers training loop, only written once and reproducible."""

import copy
import math
from collections.abc import Callable, Sequence

import pytest
import torch
from peft import LoraConfig, get_peft_model
from torch import Tensor, nn
from transformers import PreTrainedModel

import tiny
from finewright.lm.adapters.kinds import adapter_tensors
from finewright.lm.adapters.lora import add_lora
from finewright.lm.example import EncodedRow, Example
from finewright.lm.model import LM
from finewright.schema.adapter import LoraSpec
from finewright.schema.methods import SFTSpec
from finewright.train.loop import TrainStep, measure_held_out_loss, train
from finewright.train.methods.setup import Setup
from finewright.train.methods.sft import SFT
from finewright.train.optimizer import Optimizer
from finewright.train.schedule import schedule_of
from finewright.train.state import make_optimizer

pytestmark = pytest.mark.torch

Model = Callable[[str], PreTrainedModel]
ROWS = tiny.random_rows([9, 4, 14, 7, 3, 11, 5], prompt=2)
EXAMPLES = [Example((row,)) for row in ROWS]
LORA = LoraSpec(r=4, alpha=8)


def spec_of(**fields: object) -> SFTSpec:
    defaults = {"learning_rate": 0.01, "batch_size": 3, "epochs": 2, "adapter": LORA}
    return SFTSpec(**{**defaults, **fields})


def lm_of(model: PreTrainedModel, spec: SFTSpec) -> LM:
    return LM(model, add_lora(model, spec.adapter, seed=spec.seed))


def sft(lm: LM) -> SFT:
    return SFT(SFTSpec(), Setup(lm))


def run(lm: LM, spec: SFTSpec) -> list[TrainStep]:
    optimizer = make_optimizer(lm, sft(lm), weight_decay=spec.weight_decay)
    schedule = schedule_of(spec, [row.num_tokens for row in ROWS])
    return list(train(lm, sft(lm), EXAMPLES, schedule, optimizer, max_grad_norm=spec.max_grad_norm))


def measured_loss(lm: LM, *, batch_size: int) -> float:
    return measure_held_out_loss(lm, sft(lm), EXAMPLES, batch_size=batch_size, max_tokens=None)[0]


def padded(rows: Sequence[EncodedRow]) -> dict[str, Tensor]:
    """The rows as transformers takes them: right-padded, with -100 where nothing is learned."""
    longest = max(len(row.input_ids) for row in rows)
    blanks = [longest - len(row.input_ids) for row in rows]
    ids = [[*row.input_ids, *[0] * n] for row, n in zip(rows, blanks, strict=True)]
    mask = [[*[1] * len(row.input_ids), *[0] * n] for row, n in zip(rows, blanks, strict=True)]
    labels = [
        [i if learned else -100 for i, learned in zip(row.input_ids, row.trained, strict=True)]
        + [-100] * n
        for row, n in zip(rows, blanks, strict=True)
    ]
    names = ("input_ids", "attention_mask", "labels")
    return {n: torch.tensor(v) for n, v in zip(names, (ids, mask, labels), strict=True)}


def peft_twin(model: PreTrainedModel, lm: LM) -> nn.Module:
    config = LoraConfig(
        r=LORA.r, lora_alpha=LORA.alpha, target_modules=sorted(lm.adapters), task_type="CAUSAL_LM"
    )
    twin = get_peft_model(model, config)
    for path, adapter in lm.adapters.items():
        layer = twin.base_model.model.get_submodule(path)
        layer.lora_A["default"].weight.data.copy_(adapter.lora_A.data)
        layer.lora_B["default"].weight.data.copy_(adapter.lora_B.data)
    return twin


@pytest.mark.parametrize("family", ["llama", "mistral", "gemma3_text"])
def test_the_loss_is_that_of_transformers_on_the_padded_batch(
    family: str, tiny_model: Model
) -> None:
    batch = sft(lm := LM(tiny_model(family), {})).batch(lm, EXAMPLES)
    with torch.no_grad():
        loss, _ = sft(lm).loss(lm, batch)
        true = tiny_model(family)(**padded(ROWS)).loss
    assert loss.item() == pytest.approx(true.item(), rel=1e-5)


@pytest.mark.parametrize("weight_decay", [0.0, 0.1])
def test_a_run_is_that_of_a_plain_loop_over_peft(weight_decay: float, tiny_model: Model) -> None:
    spec = spec_of(max_steps=6, weight_decay=weight_decay, max_grad_norm=0.5, warmup_ratio=0.3)
    schedule = schedule_of(spec, [row.num_tokens for row in ROWS])
    lm = lm_of(tiny_model("llama"), spec)
    twin = peft_twin(tiny_model("llama"), lm)
    trained = [p for p in twin.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=0.0, weight_decay=weight_decay)

    steps = run(lm, spec)
    for number, step in enumerate(steps):
        (rows,) = schedule.batches_of(number)
        optimizer.param_groups[0]["lr"] = schedule.learning_rate_at(number)
        loss = twin(**padded([ROWS[i] for i in rows])).loss
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(trained, 0.5)
        optimizer.step()
        optimizer.zero_grad()
        assert step.loss == pytest.approx(loss.item(), rel=1e-4)
        assert step.grad_norm == pytest.approx(norm.item(), rel=1e-3)

    assert steps[-1].loss < steps[0].loss
    assert [step.step for step in steps] == [1, 2, 3, 4, 5, 6]


def test_uneven_parts_add_up_to_the_gradient_of_one_batch(tiny_model: Model) -> None:
    """Plain gradient descent of one step, so that the adapter moves by the gradient itself."""
    moved = []
    for parts in (
        {"batch_size": 7},
        {"batch_size": 3, "gradient_accumulation": 3},
        {"batch_size": 7, "micro_batch_tokens": 16},
        {"batch_tokens": 60},
    ):
        chosen = {"learning_rate": 0.01, "adapter": LORA, "epochs": 1, "warmup_ratio": 0.0}
        spec = SFTSpec(**chosen, **parts)
        lm = lm_of(tiny_model("llama"), spec)
        before = [p.detach().clone() for p in lm.parameters()]
        descent = Optimizer(lm.parameters(), weight_decay=0.0)
        descent.adamw = torch.optim.SGD(lm.parameters(), lr=0.0)
        schedule = schedule_of(spec, [row.num_tokens for row in ROWS])
        limits = {"max_grad_norm": math.inf, "micro_batch_tokens": spec.micro_batch_tokens}
        (step,) = train(lm, sft(lm), EXAMPLES, schedule, descent, **limits)
        deltas = [p.detach() - b for p, b in zip(lm.parameters(), before, strict=True)]
        moved.append((step, torch.cat([delta.flatten() for delta in deltas])))

    (whole, delta), *others = moved
    for split, delta_of_parts in others:
        assert split.loss == pytest.approx(whole.loss, rel=1e-6)
        assert split.grad_norm == pytest.approx(whole.grad_norm, rel=1e-6)
        assert (delta_of_parts - delta).abs().max() <= 1e-6 * delta.abs().max() + 1e-9
        assert split.trained_tokens == whole.trained_tokens == sum(row.num_trained for row in ROWS)
        assert split.tokens == whole.tokens == sum(len(row.input_ids) for row in ROWS)


@pytest.mark.parametrize("family", tiny.FAMILIES)
def test_the_adapter_moves_and_the_base_does_not(family: str, tiny_model: Model) -> None:
    model = tiny_model(family)
    base = {name: p.detach().clone() for name, p in model.named_parameters()}
    spec = spec_of(max_steps=3)
    lm = lm_of(model, spec)
    before = copy.deepcopy(adapter_tensors(lm.adapters))

    run(lm, spec)

    after = adapter_tensors(lm.adapters)
    assert not [name for name in after if torch.equal(after[name], before[name])]
    for name, parameter in model.named_parameters():
        if "lora_" not in name:
            assert torch.equal(parameter, base[name.replace(".base.", ".")])


@pytest.mark.parametrize("dropout", [0.0, 0.3])
def test_two_runs_with_one_seed_are_bitwise_the_same(dropout: float, tiny_model: Model) -> None:
    spec = spec_of(adapter=LoraSpec(r=4, dropout=dropout), seed=5)
    outcomes = []
    for noise in (1, 2):
        torch.manual_seed(noise)
        lm = lm_of(tiny_model("llama"), spec)
        losses = [(step.loss, step.grad_norm) for step in run(lm, spec)]
        outcomes.append((losses, adapter_tensors(lm.adapters)))
    (losses, adapter), (losses_again, adapter_again) = outcomes
    assert losses_again == losses
    assert all(torch.equal(adapter_again[name], adapter[name]) for name in adapter)


def test_dropout_is_on_while_training_and_off_while_measuring(tiny_model: Model) -> None:
    losses = {}
    for dropout in (0.0, 0.5):
        spec = spec_of(adapter=LoraSpec(r=4, dropout=dropout), max_steps=4)
        lm = lm_of(tiny_model("llama"), spec)
        losses[dropout] = run(lm, spec)[-1].loss
        measured = [measured_loss(lm, batch_size=3) for _ in range(2)]
        assert measured[0] == measured[1]
    assert losses[0.0] != losses[0.5]


def test_the_mean_loss_weighs_tokens_not_batches(tiny_model: Model) -> None:
    lm = LM(tiny_model("llama"), {})
    with torch.no_grad():
        true = tiny_model("llama")(**padded(ROWS)).loss.item()
    for batch_size in (1, 3, 7):
        assert measured_loss(lm, batch_size=batch_size) == pytest.approx(true, rel=1e-5)


def test_a_loss_that_is_not_finite_ends_the_run_before_the_adapter_is_touched(
    tiny_model: Model,
) -> None:
    spec = spec_of()
    lm = lm_of(tiny_model("llama"), spec)
    lm.adapters["model.layers.1.mlp.down_proj"].lora_B.data[0, 0] = math.nan
    before = copy.deepcopy(adapter_tensors(lm.adapters))
    with pytest.raises(FloatingPointError, match="step 1: loss nan"):
        run(lm, spec)
    after = adapter_tensors(lm.adapters)
    assert all(torch.equal(after[n].nan_to_num(), before[n].nan_to_num()) for n in after)


@pytest.mark.parametrize("family", ["llama", "gemma3_text", "mixtral"])
def test_lean_memory_gives_the_same_gradients_and_keeps_less(
    family: str, tiny_model: Model
) -> None:
    kept, grads = [], []
    for lean in (False, True):
        lm = lm_of(tiny_model(family), spec_of())
        lm.model.train()
        if lean:
            lm.recompute()
        batch = sft(lm).batch(lm, EXAMPLES)
        sizes: list[int] = []
        with torch.autograd.graph.saved_tensors_hooks(
            lambda t, sizes=sizes: (sizes.append(t.numel()), t)[1], lambda t: t
        ):
            loss, _ = sft(lm).loss(lm, batch)
        loss.backward()
        kept.append(sum(sizes))
        grads.append(torch.cat([p.grad.flatten() for p in lm.parameters()]))
    assert torch.allclose(grads[0], grads[1], atol=1e-6)
    assert kept[1] < kept[0] / 4
