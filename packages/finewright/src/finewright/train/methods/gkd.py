"""Generalised knowledge distillation (Agarwal et al. 2024, arXiv:2306.13649): on the student's own answers.

A step learns with probability lmbda from answers that the student samples, else from those of the rows; in
both the loss is the divergence of the student's whole distribution from the teacher's at each token of the
answer (`distill.divergence`), and no gradient goes through the sampling. A prompt without an answer is always
answered by the student. Held-out rows are looked at with their own answers."""

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, cast

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from finewright.lm.batch import split
from finewright.lm.example import EncodedRow, Example
from finewright.lm.generate import Sampling, generate
from finewright.lm.model import LM
from finewright.schema.methods import GKDSpec
from finewright.train.methods.distill import divergence, num_tokens
from finewright.train.methods.setup import OnPacked, Stateless
from finewright.train.rollouts import places_of_prompts, row_of_answer

_TOKENS_AT_ONCE = 128
"""Two models' logits of 128 tokens of 150,000 in float32, and what is made of them: 0.5 GB."""


@dataclass(frozen=True, slots=True)
class JudgedAnswers(OnPacked):
    """Packed answers, the teacher's states of their tokens (N, d), and what was worth a look."""

    taught: Tensor
    metrics: dict[str, float]


class _Sampled(NamedTuple):
    """Answers of the student, and what is worth a look in them."""

    rows: list[EncodedRow]
    metrics: dict[str, float]


class GKD(Stateless):
    """Learn from the teacher what to say next after what one says oneself."""

    spec: GKDSpec
    teacher: LM

    def prepare(self, lm: LM, steps: Iterator[Sequence[Example]], max_tokens: int | None) -> None:
        """The teacher, which stays in memory."""
        assert self.setup.teacher is not None
        self.teacher = self.setup.teacher()

    def updates(
        self, lm: LM, rows: Sequence[Example], max_tokens: int | None, seed: int
    ) -> Iterator[Sequence[JudgedAnswers]]:
        """One update on answers: the student's, or the rows' own."""
        is_training = lm.model.training
        samples = is_training and random.Random(seed).random() < self.spec.lmbda  # noqa: S311 - no secret
        ranks = self.setup.ranks
        prompts = [_prompt(row) for row in rows]
        own = {place: rows[place] for place in places_of_prompts(prompts, ranks)}
        given = [] if samples else [row for row in own.values() if row.num_trained]
        to_answer = [p for p, row in own.items() if samples or not row.num_trained]
        answers = [sequence for row in given for sequence in row.sequences]
        found = self._answer(lm, {place: prompts[place] for place in to_answer}, seed)
        answers += found.rows
        metrics = {"on_policy": float(samples)} if is_training else {}
        metrics |= ranks.mean(found.metrics, len(found.rows))
        yield [
            self._taught(lm, part, metrics)
            for part in split([Example((row,)) for row in answers], max_tokens)
        ]

    def loss(self, lm: LM, batch: JudgedAnswers) -> tuple[Tensor, dict[str, float]]:
        """Mean over the tokens of the answers."""
        states = lm.compute_states(batch.packed)[batch.packed.sources]
        given = (torch.split(each, _TOKENS_AT_ONCE) for each in (states, batch.taught))
        losses = [
            checkpoint(self._divergence, lm, *part, use_reentrant=False)
            for part in zip(*given, strict=True)
        ]
        return torch.cat(cast("list[Tensor]", losses)).mean(), batch.metrics

    def weight(self, batch: JudgedAnswers) -> float:
        """The tokens of its answers."""
        return float(batch.num_trained)

    def _divergence(self, lm: LM, states: Tensor, taught: Tensor) -> Tensor:
        size = min(num_tokens(lm), num_tokens(self.teacher))
        with torch.no_grad():
            teacher = self.teacher.logits(taught)[:, :size].float().log_softmax(-1)
        student = lm.logits(states)[:, :size].float().log_softmax(-1)
        return divergence(teacher, student, self.spec.beta)

    @torch.no_grad()
    def _taught(self, lm: LM, part: Sequence[Example], metrics: dict[str, float]) -> JudgedAnswers:
        groups = [row.sequences for row in part]
        batch = self.teacher.pack(groups)
        states = self.teacher.compute_states(batch)[batch.sources]
        return JudgedAnswers(lm.pack(groups), states, metrics)

    def _answer(self, lm: LM, prompts: Mapping[int, EncodedRow], seed: int) -> _Sampled:
        """The student's answers to prompts by their place in the step, sampled without dropout; its mode is
        put back."""
        if not prompts:
            return _Sampled([], {})
        assert self.setup.chat is not None
        spec, training = self.spec, lm.model.training
        sampling = Sampling(
            max_new_tokens=spec.max_new_tokens,
            temperature=spec.temperature,
            top_p=spec.top_p,
            seed=seed,
        )
        each = range(spec.num_generations)
        repeated = [prompt for prompt in prompts.values() for _ in each]
        lm.model.eval()
        found = generate(
            lm,
            [p.input_ids for p in repeated],
            stop_ids=self.setup.chat.stop_ids,
            sampling=sampling,
            numbers=[place * spec.num_generations + k for place in prompts for k in each],
        )
        lm.model.train(training)
        metrics = {
            "length": sum(len(one.ids) for one in found) / len(found),
            "stopped": sum(one.stopped for one in found) / len(found),
        }
        return _Sampled(list(map(row_of_answer, repeated, found)), metrics)


def _prompt(row: Example) -> EncodedRow:
    """What the row asks: all before its last answer."""
    sequence = row.sequences[-1]
    if not row.num_trained:
        return sequence
    last = max(t for t, learned in enumerate(sequence.trained) if learned)
    first = last
    while first and sequence.trained[first - 1]:
        first -= 1
    return EncodedRow(sequence.input_ids[:first], (False,) * first, sequence.row_id)
