"""Whatever adapter is trained, a method's gradient is the slope of its loss."""

import pytest
import torch
from pydantic import TypeAdapter
from updates import judged, method_of, pairs, updates_of

import tiny
from finewright.lm.adapters.kinds import add_adapter
from finewright.lm.model import LM
from finewright.schema.adapter import AdapterSpec
from finewright.schema.methods import DPOSpec, KTOSpec, RewardModelSpec, SFTSpec
from finewright.schema.train import TrainSettings
from finewright.train.loop import Method

pytestmark = pytest.mark.torch

# DoRA's is not: its paper takes the norms as constants (arXiv:2402.09353, section 4.3).
ADAPTERS = {
    "lora": {"type": "lora", "r": 4},
    "rslora": {"type": "lora", "r": 4, "use_rslora": True},
    "pissa": {"type": "lora", "r": 4, "init": "pissa"},
    "ia3": {"type": "ia3"},
    "prompt": {"type": "prompt", "num_virtual_tokens": 3},
    "prefix": {"type": "prefix", "num_virtual_tokens": 3},
    "none": {"type": "none"},
}
SPECS = [SFTSpec(), DPOSpec(beta=0.3), KTOSpec(beta=0.3), RewardModelSpec()]


def adapted(kind: str) -> LM:
    """An adapter that has learned something at random."""
    spec = TypeAdapter(AdapterSpec).validate_python(ADAPTERS[kind])
    model = tiny.tiny_model("llama")
    return LM(model, add_adapter(model, spec, seed=0))


def stir(lm: LM) -> None:
    generator = torch.Generator().manual_seed(3)
    for parameter in lm.parameters():
        noise = torch.randn(parameter.shape, generator=generator)
        parameter.data += 0.02 * noise


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.method)
@pytest.mark.parametrize("kind", ADAPTERS)
def test_the_gradient_is_the_slope_of_the_loss(kind: str, spec: TrainSettings) -> None:
    lm = adapted(kind)
    method = method_of(spec, lm)
    rows = judged("uneven") if spec.method == "kto" else pairs("uneven")
    method.prepare(lm, iter([rows]), None)  # from the base as it was
    stir(lm)
    (batches,) = updates_of(method, lm, rows, 60)
    parameters = [*lm.parameters(), *method.parameters()]
    loss_of(method, lm, batches).backward()
    # a reward model has no use for the head of the language model
    slopes = [torch.zeros_like(p) if p.grad is None else p.grad for p in parameters]
    length = torch.stack([slope.norm() for slope in slopes]).norm()

    def moved(by: float) -> float:
        with torch.no_grad():
            for parameter, slope in zip(parameters, slopes, strict=True):
                parameter.add_(slope, alpha=by / float(length))
            return float(loss_of(method, lm, batches))

    ahead, behind = moved(1e-3), moved(-2e-3)
    assert (ahead - behind) / 2e-3 == pytest.approx(float(length), rel=5e-3)


def loss_of(method: Method, lm: LM, batches: list[object]) -> torch.Tensor:
    total = sum(method.weight(batch) for batch in batches)
    parts = [method.loss(lm, batch)[0] * (method.weight(batch) / total) for batch in batches]
    return torch.stack(parts).sum()
