"""No adapter: every weight of the model learns, and a copy of the model is what is stored."""

import shutil
from pathlib import Path

import torch
from torch import Tensor
from transformers import PreTrainedModel

from finewright.lm.adapters.part import AdapterPart
from finewright.lm.fast.linear import state_of
from finewright.lm.rust_errors import rust_os_errors


class WholeModel(AdapterPart):
    """All weights of a model. Once one has moved, nothing gives the base model back."""

    def __init__(self, model: PreTrainedModel) -> None:
        super().__init__()
        self._parameters_of = dict(
            model.named_parameters()
        )  # in no module list: they are the model's
        self._first = self._states()

    def tensors(self) -> dict[str, Tensor]:
        """Every weight, under the model's names; those that are tied once."""
        return {name: parameter.detach() for name, parameter in self._parameters_of.items()}

    def why_no_base(self) -> str:
        """Training has begun."""
        return "" if self._states() == self._first else "every weight learns, and some have moved"

    def _states(self) -> list[tuple[int, int]]:
        return [state_of(parameter) for parameter in self._parameters_of.values()]


def train_all(model: PreTrainedModel, *, device: torch.device | None = None) -> WholeModel:
    """Let every weight of the model learn, in its own number format."""
    if device is not None:
        model.to(device)
    model.requires_grad_(True)
    return WholeModel(model)


def save_whole(folder: Path, model: PreTrainedModel, base_folder: Path) -> None:
    """The model as transformers stores it, with the code of a family that brings its own. Raises OSError."""
    with rust_os_errors():
        model.save_pretrained(folder)
    for path in base_folder.glob("*.py"):
        shutil.copy2(path, folder / path.name)
