"""No adapter: every weight of the model learns, and a copy of the model is what is stored."""

import shutil
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor
from transformers import PreTrainedModel

from finewright.lm.adapters.part import AdapterPart
from finewright.lm.fast.linear import state_of
from finewright.lm.rust_errors import rust_os_errors
from finewright.lm.sharded import let_go_of_others


class WholeModel(AdapterPart):
    """All weights of a model. Once one has moved, nothing gives the base model back."""

    def __init__(self, model: PreTrainedModel) -> None:
        super().__init__()
        self._models = (model,)  # in no module list: the parameters are the model's
        self.begin()

    def begin(self) -> None:
        """Only from here on a weight counts as moved: in shards they are other tensors."""
        self._first = self._states()

    def tensors(self) -> dict[str, Tensor]:
        """Every weight, under the model's names; those that are tied once, those in shards as such."""
        (model,) = self._models
        let_go_of_others(model)
        return {name: parameter.detach() for name, parameter in model.named_parameters()}

    def why_no_base(self) -> str:
        """Training has begun."""
        return "" if self._states() == self._first else "every weight learns, and some have moved"

    def _states(self) -> list[tuple[int, int]]:
        (model,) = self._models
        return [state_of(parameter) for parameter in model.parameters()]


def train_all(model: PreTrainedModel, *, device: torch.device | None = None) -> WholeModel:
    """Let every weight of the model learn, in its own number format."""
    if device is not None:
        model.to(device)
    model.requires_grad_(True)
    return WholeModel(model)


def save_whole(
    folder: Path,
    model: PreTrainedModel,
    base_folder: Path,
    weights: Mapping[str, Tensor] | None = None,
) -> None:
    """The model as transformers stores it, with the code of a family that brings its own; `weights` are its
    own, gathered, where it has them in shards. Raises OSError."""
    with rust_os_errors():
        model.save_pretrained(folder, state_dict=None if weights is None else dict(weights))
    for path in base_folder.glob("*.py"):
        shutil.copy2(path, folder / path.name)
