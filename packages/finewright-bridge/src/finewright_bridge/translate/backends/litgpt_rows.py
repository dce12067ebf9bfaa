"""Rows that are tokens, as a data module of LitGPT's: it is copied into the process of LitGPT, and imports
nothing of finewright, which that environment need not have."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from litgpt.data import DataModule, get_sft_collate_fn
from litgpt.prompts import Default, PromptStyle
from torch.utils.data import DataLoader


@dataclass
class Tokens(DataModule):  # type: ignore[misc] # LitGPT is not installed where this is checked
    """Rows of `input_ids` and `labels` in a JSONL file, in its order; LitGPT looks at the first one too."""

    path: Path
    prompt_style: PromptStyle = field(default_factory=Default, init=False, repr=False)
    rows: list[dict[str, Any]] = field(default_factory=list, init=False, repr=False)
    batch_size: int = field(default=1, init=False, repr=False)

    def __post_init__(self) -> None:
        super().__init__()

    def connect(
        self, tokenizer: Any = None, batch_size: int = 1, max_seq_length: Any = None
    ) -> None:
        """Takes the batch size; rows are tokens, and as long as they are."""
        self.batch_size = batch_size

    def setup(self, stage: str = "") -> None:
        """Read the rows."""
        with Path(self.path).open(encoding="utf-8") as file:
            self.rows = [_tensors(json.loads(line)) for line in file]

    def train_dataloader(self) -> Any:
        """All rows, in order."""
        return self._loader(self.rows)

    def val_dataloader(self) -> Any:
        """The first row: LitGPT checks its settings on some."""
        return self._loader(self.rows[:1])

    def _loader(self, rows: list[dict[str, Any]]) -> Any:
        collate = get_sft_collate_fn(max_seq_length=-1, ignore_index=-100)
        return DataLoader(rows, batch_size=self.batch_size, shuffle=False, collate_fn=collate)  # type: ignore[arg-type]


def _tensors(row: dict[str, list[int]]) -> dict[str, Any]:
    count = len(row["input_ids"])
    counts = {"raw": count, "raw_plus_prompt_template": count}
    return {
        "input_ids": torch.tensor(row["input_ids"]),
        "labels": torch.tensor(row["labels"]),
        "token_counts": counts,
    }
