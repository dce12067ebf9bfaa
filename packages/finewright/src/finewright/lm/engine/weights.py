"""An adapter as tensors beside a base model that it does not change, so that many can be there at once."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor
from transformers import PreTrainedModel

from finewright.errors import ModelError
from finewright.lm.adapters import files
from finewright.lm.adapters.ia3 import IA3Linear, targets_of
from finewright.lm.adapters.linears import linear_paths
from finewright.lm.adapters.lora import LoraLinear
from finewright.lm.adapters.part import ROOT, Parts
from finewright.lm.adapters.prefix import Prefix
from finewright.lm.adapters.prompt import SoftPrompt
from finewright.schema.adapter import IA3Spec, LoraSpec

_PREFIX = "base_model.model."


@dataclass(frozen=True, slots=True)
class LowRankDelta:
    """y = x W^T + s (x A^T) B^T (+ b), float32 A (r, d_in) and B (d_out, r).

    With DoRA's `magnitude` m (d_out,): y = m / |W + s B A| * (x W^T + s (x A^T) B^T) (+ b)."""

    a: Tensor
    b: Tensor
    scale: float
    magnitude: Tensor | None = None


@dataclass(frozen=True, slots=True)
class RescaledFeatures:
    """(IA)3's factors of a linear's output, bias included, (d_out,), or of its input, (d_in,)."""

    factors: Tensor
    at_input: bool


LinearDelta = LowRankDelta | RescaledFeatures


@dataclass(frozen=True, slots=True)
class AdapterWeights:
    """What an adapter changes: linears by path, or n virtual tokens before each sequence.

    `embeddings` (n, d) take the place of what the embedding gives the placeholders (prompt tuning); `states`
    (n, 2 layers x kv_heads x head_dim), of each layer its keys, then its values, that of the keys and values
    which the model makes of them (prefix tuning)."""

    linears: Mapping[str, LinearDelta] = field(default_factory=dict)
    embeddings: Tensor | None = None
    states: Tensor | None = None

    @property
    def num_virtual(self) -> int:
        """n."""
        virtual = self.embeddings if self.embeddings is not None else self.states
        return 0 if virtual is None else len(virtual)


def read_weights(folder: Path, model: PreTrainedModel) -> AdapterWeights:
    """The adapter in a PEFT folder, for a base model. Raises ModelError where it does not fit."""
    spec, tensors = files.read_adapter_spec(folder), files.read_tensors(folder)
    if "prompt_embeddings" in tensors:
        learned = tensors["prompt_embeddings"].float()
        if spec.type == "prompt":
            return AdapterWeights(embeddings=learned)
        return AdapterWeights(states=learned)
    by_path: dict[str, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        path, _, kind = name.removeprefix(_PREFIX).rpartition(".")
        if kind == "weight":
            path, _, kind = path.rpartition(".")
        by_path.setdefault(path, {})[kind] = tensor.float()
    _refuse_strange(folder, model, by_path)
    if isinstance(spec, IA3Spec):
        inputs = targets_of(model, spec).feedforward
        return AdapterWeights(
            {
                path: RescaledFeatures(found["ia3_l"].flatten(), path in inputs)
                for path, found in by_path.items()
            }
        )
    assert isinstance(spec, LoraSpec)
    scale = spec.alpha / (spec.r**0.5 if spec.use_rslora else spec.r)
    return AdapterWeights(
        {
            path: LowRankDelta(
                found["lora_A"], found["lora_B"], scale, found.get("lora_magnitude_vector")
            )
            for path, found in by_path.items()
        }
    )


@torch.no_grad()
def weights_of(parts: Parts) -> AdapterWeights:
    """Copies of the tensors of an adapter that stands on a model. Of a whole model there are none."""
    root = parts.get(ROOT)
    if isinstance(root, SoftPrompt):
        return AdapterWeights(embeddings=root.learned.detach().clone())
    if isinstance(root, Prefix):
        return AdapterWeights(states=root.learned.detach().clone())
    found: dict[str, LinearDelta] = {}
    for path, part in parts.items():
        if isinstance(part, LoraLinear):
            a, b = (factor.detach().clone() for factor in part.factors())
            magnitude = part.tensors().get("lora_magnitude_vector")
            found[path] = LowRankDelta(
                a, b, part.scale, None if magnitude is None else magnitude.clone()
            )
        elif isinstance(part, IA3Linear):
            found[path] = RescaledFeatures(part.ia3_l.detach().flatten().clone(), part.feedforward)
    return AdapterWeights(found)


def _refuse_strange(folder: Path, model: PreTrainedModel, paths: Mapping[str, object]) -> None:
    linears = set(linear_paths(model))
    if odd := next((path for path in paths if path not in linears), None):
        raise ModelError(
            f"{folder / files.WEIGHTS_FILE}: the adapter does not fit this base model: {odd}"
        )
