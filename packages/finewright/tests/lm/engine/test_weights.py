"""An adapter's tensors are the same from its folder and from the model that it stands on."""

from pathlib import Path

import pytest
import torch
from kinds import SPECS, adapted, stored
from torch import Tensor

import tiny
from finewright.errors import ModelError
from finewright.lm.engine.weights import AdapterWeights, LowRankDelta, read_weights, weights_of

pytestmark = pytest.mark.torch


def tensors(weights: AdapterWeights) -> dict[str, Tensor | float | bool | None]:
    found = {"embeddings": weights.embeddings, "states": weights.states}
    for path, delta in weights.linears.items():
        names = ("a", "b", "scale", "magnitude") if isinstance(delta, LowRankDelta) else ()
        names = names or ("factors", "at_input")
        found |= {f"{path} {name}": getattr(delta, name) for name in names}
    return found


@pytest.mark.parametrize("kind", SPECS)
def test_a_folder_has_the_tensors_of_the_model(kind: str, tmp_path: Path) -> None:
    lm = adapted("qwen3", kind)
    own = tensors(weights_of(lm.adapters))
    read = tensors(read_weights(stored(lm, kind, tmp_path), tiny.tiny_model("qwen3")))
    assert own.keys() == read.keys()
    for name, true in own.items():
        if isinstance(true, Tensor):
            assert torch.equal(read[name], true), name
        else:
            assert read[name] == true, name


def test_an_adapter_of_another_model_is_refused(tmp_path: Path) -> None:
    folder = stored(adapted("qwen3", "lora"), "lora", tmp_path)
    with pytest.raises(ModelError, match="does not fit this base model"):
        read_weights(folder, tiny.tiny_model("phi3"))
