"""PiSSA: PEFT's start and PEFT's gradients, over a base that stays as it is."""

from pathlib import Path

import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from torch import Tensor, nn

import tiny
from finewright.lm.adapters import pissa
from finewright.lm.adapters.files import read_adapter_spec
from finewright.lm.adapters.kinds import (
    adapter_tensors,
    add_adapter,
    load_adapter,
    save_adapter,
    set_adapter_tensors,
)
from finewright.lm.adapters.lora import LoraLinear
from finewright.lm.batch import pack
from finewright.lm.model import LM
from finewright.schema.adapter import LoraSpec
from referee import assert_close, assert_gradients_close, drawn

pytestmark = pytest.mark.torch

ROWS = tiny.random_rows((15, 4, 1, 9))
R, ALPHA = 3, 12
KINDS = [{}, {"use_rslora": True}, {"use_dora": True}, {"use_dora": True, "use_rslora": True}]
every_kind = pytest.mark.parametrize("kind", KINDS, ids=str)


def spec_of(**fields: object) -> LoraSpec:
    return LoraSpec(**{"r": R, "alpha": ALPHA, "init": "pissa", **fields})


def fresh(family: str = "llama", **fields: object) -> LM:
    model = tiny.tiny_model(family)
    return LM(model, add_adapter(model, spec_of(**fields), seed=0))


def moved(family: str = "llama", **fields: object) -> LM:
    """As training leaves it: A, B and magnitudes are others, the start is not."""
    lm = fresh(family, **fields)
    generator = torch.Generator().manual_seed(1)
    for name, tensor in lm.tensors_to_keep().items():
        if "start" not in name:
            tensor.add_(0.1 * torch.randn(tensor.shape, generator=generator))
    return lm


def logits(lm: LM) -> Tensor:
    return lm.logits(lm.compute_states(pack(ROWS)))


@torch.no_grad()
def alone(model: nn.Module) -> Tensor:
    return torch.cat([model(torch.tensor([row.input_ids])).logits[0] for row in ROWS])


@every_kind
@pytest.mark.parametrize("family", ["qwen2", "phi3"])
def test_start_logits_and_gradients_are_those_of_peft(family: str, kind: dict[str, bool]) -> None:
    config = LoraConfig(
        r=R,
        lora_alpha=ALPHA,
        target_modules="all-linear",
        task_type="CAUSAL_LM",
        init_lora_weights="pissa",
        **kind,
    )
    twin = get_peft_model(tiny.tiny_model(family), config).eval()
    theirs = {
        name.removeprefix("base_model.model.").replace(".default", "").removesuffix(".weight"): p
        for name, p in twin.named_parameters()
        if p.requires_grad
    }
    lm = moved(family, **kind)
    ours = {
        f"{path}.{name}": parameter
        for path, part in lm.adapters.items()
        for name, parameter in part.named_parameters()
        if parameter.requires_grad
    }
    assert ours.keys() == theirs.keys()
    for path, part in lm.adapters.items():
        assert isinstance(part, LoraLinear)
        assert part.start_a is not None
        assert_close(part.start_a, theirs[f"{path}.lora_A"].detach(), rel=1e-4)
    for name, parameter in ours.items():
        theirs[name].data.copy_(parameter.data)

    found, true = (
        logits(lm),
        torch.cat([twin(torch.tensor([row.input_ids])).logits[0] for row in ROWS]),
    )
    counts = drawn(len(true), seed=6)
    (found.log_softmax(-1)[:, 7] * counts).sum().backward()
    (true.log_softmax(-1)[:, 7] * counts).sum().backward()

    assert_close(found, true, rel=1e-4)
    grads = ({name: p.grad for name, p in each.items()} for each in (ours, theirs))
    assert_gradients_close(*grads, rel=1e-3)


@pytest.mark.parametrize("quantization", ["none", "nf4", "int8"])
@every_kind
def test_a_fresh_one_is_the_base_bit_by_bit(kind: dict[str, bool], quantization: str) -> None:
    lm = fresh("qwen2", quantization=quantization, **kind)
    with torch.no_grad():
        found = logits(lm)
    with lm.reference():
        assert torch.equal(logits(lm), found)
    if quantization == "none":
        assert_close(found, alone(tiny.tiny_model("qwen2")))


def test_switched_off_it_gives_the_base_after_training_too() -> None:
    lm = moved()
    assert not torch.allclose(logits(lm), alone(tiny.tiny_model("llama")), atol=1e-2)
    with lm.reference():
        assert_close(logits(lm), alone(tiny.tiny_model("llama")))


@every_kind
@pytest.mark.parametrize("family", ["phi3", "mixtral"])
def test_it_is_stored_as_an_ordinary_adapter_of_the_unmodified_base(
    family: str, kind: dict[str, bool], tmp_path: Path
) -> None:
    spec = spec_of(target_modules=("o_proj",), **kind)
    lm = moved(family, target_modules=("o_proj",), **kind)
    save_adapter(tmp_path, lm.model, lm.adapters, spec, base=tiny.base_of(tmp_path))

    read = read_adapter_spec(tmp_path)
    model = tiny.tiny_model(family)
    again = LM(model, load_adapter(model, tmp_path))
    peft = PeftModel.from_pretrained(tiny.tiny_model(family), tmp_path).eval()

    assert isinstance(read, LoraSpec)
    assert (read.init, read.r) == ("kaiming", R * (4 if spec.use_rslora else 2))
    with torch.no_grad():
        assert_close(logits(again), logits(lm))
        assert_close(alone(peft), logits(lm), rel=2e-5)
    ours, theirs = lm.tensors_to_store(), again.tensors_to_store()
    assert all(torch.equal(theirs[name], tensor) for name, tensor in ours.items())


@every_kind
def test_a_checkpoint_brings_it_back_bit_by_bit(kind: dict[str, bool]) -> None:
    lm, again = moved(**kind), fresh(**kind)
    with torch.no_grad():
        before = logits(again)  # what is remembered of the factors must not outlive them
        set_adapter_tensors(again.adapters, lm.tensors_to_keep(), origin="checkpoint")
        assert not torch.equal(logits(again), before)
        assert torch.equal(logits(again), logits(lm))


def test_a_narrow_weight_is_filled_up_with_ordinary_factors() -> None:
    """qwen2_moe has a gate of one row."""
    lm = fresh("qwen2_moe")
    part = lm.adapters["model.layers.0.mlp.shared_expert_gate"]
    assert isinstance(part, LoraLinear)
    assert part.lora_A.shape == (R, 32)
    assert (part.lora_A.norm(dim=1) > 0).all()
    assert part.lora_B[:, 1:].abs().max() == 0


def test_large_weights_get_their_directions_by_iteration(monkeypatch: pytest.MonkeyPatch) -> None:
    weight = drawn(60, 6, seed=0) @ drawn(6, 90, seed=1) + 0.05 * drawn(60, 90, seed=2)
    start = pissa.LowRankFactors(torch.zeros(4, 90), torch.zeros(60, 4))
    exact = pissa.first_factors(start, weight, 2.0, torch.Generator().manual_seed(0))
    monkeypatch.setattr(pissa, "_EXACT_UP_TO", 10)
    found = pissa.first_factors(start, weight, 2.0, torch.Generator().manual_seed(0))
    assert_close(found.b @ found.a, exact.b @ exact.a, rel=1e-4)
    u, s, v = torch.linalg.svd(weight)
    assert_close(2.0 * exact.b @ exact.a, u[:, :4] * s[:4] @ v[:4], rel=1e-4)


def test_dropout_drops_the_change_alone() -> None:
    lm = fresh(dropout=0.5)
    lm.model.train()
    learning = logits(lm)
    lm.model.eval()
    assert torch.equal(logits(lm), learning)  # nothing has changed yet
    assert len(adapter_tensors(lm.adapters)) == 4 * len(lm.adapters)
