"""Preference pairs: the batch of the methods that compare two answers.

Both answers of a pair follow the same prompt, which runs through the model once where it can be shared."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from finewright.lm.batch import sums_of
from finewright.lm.example import Example
from finewright.lm.model import LM
from finewright.train.methods.setup import Offline, OnPacked


@dataclass(frozen=True, slots=True)
class Pairs(OnPacked):
    """P pairs as 2 P sequences, each chosen one before its rejected one; what the base gives them, (2 P,)."""

    reference: Tensor | None = None

    def sums(self, lm: LM) -> tuple[Tensor, Tensor]:
        """Summed log-probabilities of the answers' tokens: (chosen, rejected), (P,) each."""
        return split_pairs(sums_of(lm.token_logps(self.packed), self.packed))

    def lengths(self) -> tuple[Tensor, Tensor]:
        """Tokens of the answers: (chosen, rejected), (P,) each."""
        ones = torch.ones_like(self.packed.targets, dtype=torch.float32)
        return split_pairs(sums_of(ones, self.packed))


class Paired(Offline):
    """A method over pairs; in a mean every pair counts alike."""

    def batch(self, lm: LM, rows: Sequence[Example]) -> Pairs:
        """The pairs' sequences, with their prompts shared."""
        return Pairs(lm.pack([row.sequences for row in rows]))

    def weight(self, batch: Pairs) -> float:
        """Its pairs."""
        return batch.packed.num_sequences / 2


def split_pairs(values: Tensor) -> tuple[Tensor, Tensor]:
    """Values of sequences (2 P,) as those of the chosen ones and those of the rejected ones."""
    return values[0::2], values[1::2]


def mean_of_each(**values: Tensor) -> Mapping[str, float]:
    """Means of these tensors, for the log."""
    return {name: float(value.detach().float().mean()) for name, value in values.items()}
