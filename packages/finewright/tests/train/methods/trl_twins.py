"""The same model, adapter and rows in TRL's trainers."""

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import datasets
import torch
from peft import LoraConfig
from torch import Tensor, nn
from transformers import PreTrainedModel
from updates import Update

import referee
import tiny
from finewright.lm.example import EncodedRow, Example
from finewright.lm.model import LM

datasets.disable_progress_bars()
_PAIR = {"prompt": "hi", "chosen": " you", "rejected": " me"}
ROWS = {
    "SFTTrainer": {"prompt": "hi", "completion": " you"},
    "DPOTrainer": _PAIR,
    "CPOTrainer": _PAIR,
    "ORPOTrainer": _PAIR,
    "RewardTrainer": _PAIR,
    "KTOTrainer": {"prompt": "hi", "completion": " you", "label": True},
    "GRPOTrainer": {"prompt": "hi"},
}


def trainer_of(
    kind: type,
    config: type,
    lm: LM,
    folder: Path,
    *,
    model: PreTrainedModel | None = None,
    arguments: Mapping[str, Any] | None = None,
    **settings: Any,
) -> Any:
    """A trainer of TRL's over the base with PEFT's adapter in it, which has our adapter's weights.

    Its own rows are not used: batches are fed by hand."""
    with warnings.catch_warnings():  # TRL 1.16 calls things by names that transformers 5.23 gave up
        warnings.simplefilter("ignore")
        adapter = LoraConfig(
            r=referee.RANK, lora_alpha=referee.ALPHA, target_modules=sorted(lm.adapters)
        )
        trainer = kind(
            tiny.tiny_model("llama") if model is None else model,
            args=config(
                output_dir=str(folder),
                report_to="none",
                use_cpu=True,
                bf16=False,
                gradient_checkpointing=False,
                per_device_train_batch_size=8,
                **settings,
            ),
            train_dataset=datasets.Dataset.from_list([ROWS[kind.__name__]] * 8),
            processing_class=tiny.tiny_tokenizer(),
            peft_config=adapter,
            **(arguments or {}),
        )
    trainer.current_gradient_accumulation_steps = 1
    follow(trainer, lm)
    trainer.model.train()
    return trainer


def follow(trainer: Any, lm: LM) -> None:
    """Take over the adapter as it is by now."""
    for layer, adapter in _layers(trainer, lm).values():
        layer.lora_A["default"].weight.data.copy_(adapter.lora_A.data)
        layer.lora_B["default"].weight.data.copy_(adapter.lora_B.data)


def update_of(trainer: Any, lm: LM, batch: Mapping[str, Any]) -> Update:
    """The update of a batch of TRL's."""
    trainer.model.zero_grad()
    loss = trainer.compute_loss(trainer.model, dict(batch))
    loss.backward()
    layers = {path: layer for path, (layer, _) in _layers(trainer, lm).items()}
    return Update(float(loss.detach()), referee.peft_gradients(layers))


def _layers(trainer: Any, lm: LM) -> dict[str, tuple[nn.Module, Any]]:
    inside = trainer.model.base_model.model
    return {path: (inside.get_submodule(path), adapter) for path, adapter in lm.adapters.items()}


def parts_of(row: EncodedRow) -> tuple[list[int], list[int]]:
    """A row's prompt and its answer."""
    start = row.trained.index(True)
    return list(row.input_ids[:start]), list(row.input_ids[start:])


def preferences(rows: Sequence[Example]) -> list[dict[str, list[int]]]:
    """Pairs as TRL's collators take them."""
    found = []
    for row in rows:
        (prompt, chosen), (_, rejected) = map(parts_of, row.sequences)
        found.append({"prompt_ids": prompt, "chosen_ids": chosen, "rejected_ids": rejected})
    return found


def padded(rows: Sequence[Sequence[int]], filler: int = 0, *, left: bool = False) -> Tensor:
    """The rows as one tensor."""
    longest = max(map(len, rows))
    fill = [[filler] * (longest - len(row)) for row in rows]
    pairs = zip(fill, rows, strict=True)
    return torch.tensor([[*f, *row] if left else [*row, *f] for f, row in pairs])
