"""SFT's loss is that of transformers and of TRL, however its rows are laid out."""

from pathlib import Path

import pytest
import torch
import trl_twins
from trl import SFTConfig, SFTTrainer
from updates import LAYOUTS, WAYS, adapted, assert_same, drawn, method_of, pairs, update_of

from finewright.lm.example import EncodedRow, Example
from finewright.schema.methods import SFTSpec

pytestmark = pytest.mark.torch


def conversations(shape: str) -> list[Example]:
    """The chosen answers, and one conversation with two turns that are learned."""
    rows = [Example(row.sequences[:1]) for row in pairs(shape)]
    ids = drawn(torch.Generator().manual_seed(3), 11)
    turns = EncodedRow(ids, tuple(t in (3, 4, 8, 9, 10) for t in range(11)))
    return [*rows, Example((turns,))] if shape == "uneven" else rows


def collated(trainer: SFTTrainer, rows: list[Example]) -> dict[str, torch.Tensor]:
    def labels(row: EncodedRow) -> list[int]:
        return [i if t else -100 for i, t in zip(row.input_ids, row.trained, strict=True)]

    sequences = [row.sequences[0] for row in rows]
    examples = [{"input_ids": list(s.input_ids), "labels": labels(s)} for s in sequences]
    return dict(trainer.data_collator(examples))


@pytest.mark.parametrize(("way", "shape"), LAYOUTS)
def test_loss_and_gradient_are_those_of_trl(way: str, shape: str, tmp_path: Path) -> None:
    lm, rows = adapted(way), conversations(shape)
    trainer = trl_twins.trainer_of(SFTTrainer, SFTConfig, lm, tmp_path)
    true = trl_twins.update_of(trainer, lm, collated(trainer, rows))
    assert_same(update_of(method_of(SFTSpec(), lm), lm, rows, WAYS[way]), true)
