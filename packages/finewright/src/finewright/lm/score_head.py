"""A linear head on the last hidden state of a sequence: a reward model's one number, or one of each label.

Stored where transformers' sequence classifiers have it, as `score.weight` beside the adapter's weights."""

from pathlib import Path

import torch
from safetensors import safe_open
from torch import Tensor, nn

from finewright.lm.batch import PackedBatch
from finewright.lm.model import LM

NAME = "score.weight"


def new_head(lm: LM, seed: int) -> nn.Linear:
    """A fresh head for the model, in float32; normal with deviation 1 / sqrt(d + 1), as Stiennon et al. 2020
    (arXiv:2009.01325) start it."""
    width = lm.model.config.get_text_config().hidden_size
    head = nn.Linear(width, 1, bias=False, device=lm.device)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        head.weight.copy_(torch.randn(1, width, generator=generator) / (width + 1) ** 0.5)
    return head


def new_label_head(lm: LM, num_labels: int) -> nn.Linear:
    """A head over labels, in float32 and all zero: every label is as likely as any other."""
    width = lm.model.config.get_text_config().hidden_size
    head = nn.Linear(width, num_labels, bias=False, device=lm.device)
    nn.init.zeros_(head.weight)
    return head


def load_head(folder: Path, device: torch.device) -> nn.Linear | None:
    """The head that is stored in a folder, or None when it holds a language model."""
    for path in sorted(folder.glob("*.safetensors")):
        with safe_open(path, framework="pt") as file:
            for name in file.keys():  # noqa: SIM118 - not a dict
                if name == NAME or name.endswith(f".{NAME}"):
                    weight = file.get_tensor(name).float().to(device)
                    head = nn.Linear(weight.shape[1], weight.shape[0], bias=False, device="meta")
                    head.weight = nn.Parameter(weight, requires_grad=False)
                    return head
    return None


def scores(lm: LM, head: nn.Linear, batch: PackedBatch) -> Tensor:
    """The head's number for each sequence, at its last token, (B,); of several labels (B, K)."""
    values: Tensor = head(lm.compute_states(batch)[batch.lasts].float()).squeeze(-1)
    return values
