"""The tokens of a step: each answer's next one is chosen, and as many more as its guess holds."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import repeat

import torch
from torch import Tensor

from finewright.lm.engine.guess import Guesser
from finewright.lm.engine.highest import HighestLogits
from finewright.lm.engine.requests import AnswerEnd, TokenLogprob, WrittenTokens
from finewright.lm.engine.sampling import choose, likeliest_of, logp_of, logprobs_of
from finewright.lm.engine.sequence import AnswerSequence


@dataclass(slots=True)
class StepAnswer:
    """What a step writes of an answer. Its logits begin at `row` of the step's; `guess` is what was tried."""

    sequence: AnswerSequence
    row: int
    guess: tuple[int, ...] = ()
    guesser: Guesser | None = None
    tokens: list[int] = field(default_factory=list)
    logprobs: list[TokenLogprob] = field(default_factory=list)
    logps: list[float] = field(default_factory=list)
    end: AnswerEnd | None = None
    num_held: int = 0

    def take(self, token: int, error: str, logits: Tensor | None) -> bool:
        """Write the token that was chosen from its row of logits (V,), None where only the highest was made;
        does a guess go on after it?"""
        request = self.sequence.request
        if not error and request.rewrite is not None:
            token = request.rewrite(self.sequence.answer, token)
        if not error and request.keeps_logps:
            assert logits is not None
            self.logps.append(logp_of(logits, token, request.sampling.temperature or 1.0))
        if not error and token in request.stop_ids:
            self.end = AnswerEnd("stop", stop_id=token)
            return False
        if not error and self.sequence.constraint is not None:
            error = self.sequence.constraint.add(token)
        if error:
            self.end = AnswerEnd("error", error=error)
            return False
        self._write(token, logits)
        at = len(self.tokens) - 1
        if self.end is not None or at >= len(self.guess) or self.guess[at] != token:
            return False
        self.num_held += 1
        return True

    def written(self) -> WrittenTokens:
        """As the engine gives it."""
        number, answer = self.sequence.id, self.sequence.answer
        written = (tuple(self.tokens), tuple(self.logprobs))
        num_found = (self.sequence.num_found or 0) if self.end else 0
        return WrittenTokens(number, answer, *written, self.end, num_found, tuple(self.logps))

    def _write(self, token: int, logits: Tensor | None) -> None:
        sequence, request = self.sequence, self.sequence.request
        self.tokens.append(token)
        sequence.tokens.append(token)
        sequence.sampling.written[token] += 1
        if request.num_logprobs is not None:
            assert logits is not None
            self.logprobs.append(logprobs_of(logits, token, request.num_logprobs))
        if request.stops is not None:
            stop = request.stops.found(sequence.tokens[sequence.num_before :])
            self.end = AnswerEnd("stop", stop=stop) if stop else None
        if self.end is None and sequence.num_written >= request.max_tokens:
            self.end = AnswerEnd("length")


def write_step(found: Tensor | HighestLogits, steps: Sequence[StepAnswer]) -> None:
    """Choose every answer's tokens from the step's logits (N, V), in as many rounds as guesses hold; where no
    answer needs more, from the highest of each row."""
    going = list(steps)
    while going:
        at = [step.row + len(step.tokens) for step in going]
        rows: Iterable[Tensor | None] = repeat(None, len(going))
        if isinstance(found, HighestLogits):
            chosen = likeliest_of(HighestLogits(*(_picked(each, at) for each in found)))
        else:
            rows = picked = _picked(found, at)
            constraints = [step.sequence.constraint for step in going]
            allowed = [None if each is None else each.allowed() for each in constraints]
            chosen = choose(picked, [step.sequence.sampling for step in going], allowed)
        going = [
            step
            for step, row, (token, error) in zip(going, rows, chosen, strict=True)
            if step.take(token, error, row)
        ]


def _picked(rows: Tensor, at: list[int]) -> Tensor:
    if at == list(range(len(rows))):
        return rows
    return rows[torch.tensor(at, device=rows.device)]
