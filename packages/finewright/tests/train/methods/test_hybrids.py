"""Hybrids of Mamba and attention learn what transformers' own model learns with W + s B A for its weights."""

import copy
import sys
from collections.abc import Callable, Sequence

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call
from transformers import PreTrainedModel
from updates import Update, assert_same, method_of, pairs, update_of

import referee
import tiny
from finewright.errors import ModelError
from finewright.estimate.families import UNADAPTED
from finewright.lm.adapters.linears import linear_paths
from finewright.lm.adapters.lora import add_lora
from finewright.lm.example import EncodedRow, Example
from finewright.lm.model import LM
from finewright.schema.adapter import LoraSpec
from finewright.schema.methods import DPOSpec, SFTSpec
from finewright.schema.train import TrainSettings

pytestmark = pytest.mark.torch

every_hybrid = pytest.mark.parametrize("family", tiny.MAMBA_HYBRIDS)
SPECS = (SFTSpec(), DPOSpec(beta=0.3))
# Mamba 2 in transformers: one kernel takes the weight of the last projection. Jamba has no such kernel.
FUSED = tuple(family for family in tiny.MAMBA_HYBRIDS if family != "jamba")


def adapted(family: str) -> LM:
    """A model whose adapter does something."""
    model = tiny.tiny_model(family)
    return LM(model, referee.random_adapters(model))


class Merged:
    """The plain model in float64 with merged weights, of which autograd takes the gradients."""

    def __init__(self, lm: LM, family: str) -> None:
        self.model = tiny.tiny_model(family).double()
        self.model.requires_grad_(False)
        self.model.set_experts_implementation("eager")  # no other computes in float64
        self.factors: dict[str, tuple[Tensor, Tensor]] = {}
        self.scales = {path: part.scale for path, part in lm.adapters.items()}
        for path, part in lm.adapters.items():
            self.factors[path] = (
                part.lora_A.detach().double().requires_grad_(),
                part.lora_B.detach().double().requires_grad_(),
            )

    def logps(self, row: EncodedRow, *, base: bool = False) -> Tensor:
        """log p of each learned token."""
        weights = {}
        for path, (a, b) in self.factors.items():
            change = 0.0 if base else self.scales[path] * (b @ a)
            weights[f"{path}.weight"] = self.model.get_submodule(path).weight + change
        given = {"input_ids": torch.tensor([row.input_ids]), "use_cache": False}
        # adapters of layers that share a weight are not shared
        logits = functional_call(self.model, weights, kwargs=given, tie_weights=False).logits[0]
        learned = [t for t in range(1, len(row.input_ids)) if row.trained[t]]
        scores = logits.log_softmax(-1)
        return torch.stack([scores[t - 1, row.input_ids[t]] for t in learned])

    def update(self, loss: Tensor) -> Update:
        loss.backward()
        gradients = {}
        for path, pair in self.factors.items():
            for name, factor in zip("AB", pair, strict=True):
                assert factor.grad is not None
                gradients[f"{path} {name}"] = factor.grad
        return Update(float(loss.detach()), gradients)


def sft(merged: Merged, rows: Sequence[Example]) -> Tensor:
    return -torch.cat([merged.logps(row.sequences[0]) for row in rows]).mean()


def dpo(merged: Merged, rows: Sequence[Example]) -> Tensor:
    losses = []
    for row in rows:
        chosen, rejected = (
            merged.logps(each).sum() - merged.logps(each, base=True).sum().detach()
            for each in row.sequences
        )
        losses.append(-F.logsigmoid(0.3 * (chosen - rejected)))
    return torch.stack(losses).mean()


TRUE: dict[str, Callable[[Merged, Sequence[Example]], Tensor]] = {"sft": sft, "dpo": dpo}


def rows_of(spec: TrainSettings) -> list[Example]:
    rows = pairs("uneven")
    return rows if spec.method == "dpo" else [Example(row.sequences[:1]) for row in rows]


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.method)
@every_hybrid
def test_loss_and_gradient_are_those_of_merged_weights_in_float64(
    family: str, spec: TrainSettings
) -> None:
    lm, rows = adapted(family), rows_of(spec)
    found = update_of(method_of(spec, lm), lm, rows, 30)
    merged = Merged(lm, family)
    assert_same(found, merged.update(TRUE[spec.method](merged, rows)))


@every_hybrid
def test_a_layer_that_is_computed_again_gives_the_same_gradient(family: str) -> None:
    lm, again = adapted(family), adapted(family)
    again.recompute()
    found, true = (
        update_of(method_of(SFTSpec(), m), m, rows_of(SFTSpec()), 30) for m in (again, lm)
    )
    assert_same(found, true)


@every_hybrid
def test_all_linears_have_adapters_but_those_that_nobody_would_hear(family: str) -> None:
    model = tiny.tiny_model(family)
    without = UNADAPTED.get(family, {})
    linears = linear_paths(model)
    adapters = add_lora(model, LoraSpec(), seed=0)
    assert list(adapters) == [path for path in linears if not without.keys() & set(path.split("."))]


@pytest.mark.parametrize(
    ("family", "name"), [(family, name) for family in UNADAPTED for name in UNADAPTED[family]]
)
def test_a_layer_that_nobody_would_hear_is_refused_by_name(family: str, name: str) -> None:
    model = tiny.tiny_model(family)
    path = next(path for path in linear_paths(model) if name in path.split("."))
    with pytest.raises(ModelError) as refused:
        add_lora(model, LoraSpec(target_modules=[path]), seed=0)
    assert str(refused.value) == f"{path}: {UNADAPTED[family][name]}"


def fused(zxbcdt: Tensor, *_: object, outproj_weight: Tensor, **options: object) -> Tensor:
    """A kernel that is installed: it computes with the weight of the last projection."""
    inner = zxbcdt[..., : outproj_weight.shape[1]]
    return inner @ outproj_weight.T


@pytest.mark.parametrize("family", FUSED)
def test_every_adapter_gets_its_gradient_where_a_fused_kernel_is_installed(
    family: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kernels need a GPU; what stands for them takes the projection's weight as they do."""
    lm, true = adapted(family), adapted(family)
    wanted = update_of(method_of(SFTSpec(), true), true, rows_of(SFTSpec()), None)
    modelling = sys.modules[type(lm.model).__module__]
    monkeypatch.setattr(modelling, "mamba2_split_conv1d_scan_combined", fused)
    assert plain_differs(tiny.tiny_model(family))
    assert_same(update_of(method_of(SFTSpec(), lm), lm, rows_of(SFTSpec()), None), wanted)


def plain_differs(model: PreTrainedModel) -> bool:
    """Does the plain model in training take the kernel?"""
    ids = torch.tensor([[5, 6, 7, 8]])
    with torch.no_grad():
        learning, asked = (
            model.train(mode)(input_ids=ids, use_cache=False).logits for mode in (True, False)
        )
    return not torch.allclose(learning, asked)


class ReadsPast(nn.Module):
    """A module that computes with the weight of another."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: Tensor) -> Tensor:
        return x @ self.inner.weight.T


def test_a_family_that_computes_past_an_adapter_is_refused() -> None:
    """Whatever the table of such layers does not know."""
    model = tiny.tiny_model("llama")
    place = model.model.layers[1].mlp
    place.down_proj = ReadsPast(copy.deepcopy(place.down_proj))
    with pytest.raises(ModelError, match=r"down_proj\.inner: this family computes with the weight"):
        LM(model, add_lora(model, LoraSpec(), seed=0))
