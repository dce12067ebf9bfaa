"""Kahneman-Tversky optimisation (Ethayarajh et al. 2024, arXiv:2402.01306), from single answers.

With r = log p(y | x) - log p_ref(y | x), and z the mean of r over answers to other prompts of the step,
not below 0 and without gradient:

    liked      w_d (1 - sigmoid(beta (r - z)))
    disliked   w_u (1 - sigmoid(beta (z - r)))

The other answers are the step's own, each moved on to the next prompt and cut at `max_length`."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from finewright.lm.batch import split, sums_of
from finewright.lm.example import EncodedRow, Example
from finewright.lm.model import LM
from finewright.schema.methods import KTOSpec
from finewright.train.methods.setup import Offline, OnPacked
from finewright.train.references import Group


@dataclass(frozen=True, slots=True)
class KTOAnswers(OnPacked):
    """B answers with their labels (B,), what the base gives them (B,), and z of their step."""

    liked: Tensor
    reference: Tensor
    baseline: float


class KTO(Offline):
    """Raise liked answers over the others' mean, and push disliked ones below it."""

    spec: KTOSpec

    def prepare(self, lm: LM, steps: Iterator[Sequence[Example]], max_tokens: int | None) -> None:
        """What the base gives to every answer, and to every answer at the next prompt."""
        # apart from each other, as `updates` runs them
        groups = (
            part
            for rows in steps
            for part in ([row.sequences for row in rows], move_on(rows, self.spec.max_length))
        )
        self.setup.references.compute(lm, groups, max_tokens)

    def updates(
        self, lm: LM, rows: Sequence[Example], max_tokens: int | None, seed: int
    ) -> Iterator[Sequence[KTOAnswers]]:
        """This rank's rows at once, in parts that share the one z of all ranks."""
        places = self.setup.ranks.places(rows)
        baseline = self._baseline(lm, rows, places, max_tokens)
        own = [rows[place] for place in places]
        yield [self._batch(lm, part, baseline) for part in split(own, max_tokens)]

    def loss(self, lm: LM, batch: KTOAnswers) -> tuple[Tensor, dict[str, float]]:
        """Mean over the answers."""
        ratios = sums_of(lm.token_logps(batch.packed), batch.packed) - batch.reference
        signs = torch.where(batch.liked, 1.0, -1.0)
        weights = torch.where(batch.liked, self.spec.desirable_weight, self.spec.undesirable_weight)
        gains = self.spec.beta * signs * (ratios - batch.baseline)
        loss = (weights * (1 - gains.sigmoid())).mean()
        metrics = {"kl": batch.baseline, "accuracy": float((gains > 0).float().mean())}
        for name, chosen in (("rewards_chosen", batch.liked), ("rewards_rejected", ~batch.liked)):
            if bool(chosen.any()):
                metrics[name] = float(self.spec.beta * ratios.detach()[chosen].mean())
        return loss, metrics

    def weight(self, batch: KTOAnswers) -> float:
        """Its answers."""
        return float(batch.packed.num_sequences)

    def _batch(self, lm: LM, rows: Sequence[Example], baseline: float) -> KTOAnswers:
        groups = [row.sequences for row in rows]
        liked = torch.tensor([bool(row.label) for row in rows], device=lm.device)
        reference = self.setup.references.of(groups, lm.device)
        return KTOAnswers(lm.pack(groups), liked, reference, baseline)

    @torch.no_grad()
    def _baseline(
        self, lm: LM, rows: Sequence[Example], places: Sequence[int], max_tokens: int | None
    ) -> float:
        """z: how far the policy has moved from the base on answers to other prompts, of which this rank
        takes those of its places."""
        total, others = 0.0, move_on(rows, self.spec.max_length)
        own = [Example(others[place]) for place in places if others]
        for part in self.setup.ranks.each_pass(lm, split(own, max_tokens)):
            groups = [row.sequences for row in part]
            batch = lm.pack(groups)
            sums = sums_of(lm.token_logps(batch), batch)
            total += float((sums - self.setup.references.of(groups, lm.device)).sum())
        return max(0.0, self.setup.ranks.sum(total) / len(others)) if others else 0.0


def move_on(rows: Sequence[Example], max_length: int) -> list[Group]:
    """Each answer at the prompt of the row after it, of at most so many tokens together; none when there is a
    single row."""
    if len(rows) == 1:
        return []
    sequences = [row.sequences[0] for row in rows]
    return [
        (_join(after, answer, max_length),)
        for answer, after in zip(sequences, [*sequences[1:], sequences[0]], strict=True)
    ]


def _join(prompt: EncodedRow, answer: EncodedRow, max_length: int) -> EncodedRow:
    end, start = (row.trained.index(True) for row in (prompt, answer))
    return EncodedRow(
        (prompt.input_ids[:end] + answer.input_ids[start:])[:max_length],
        (prompt.trained[:end] + answer.trained[start:])[:max_length],
    )
