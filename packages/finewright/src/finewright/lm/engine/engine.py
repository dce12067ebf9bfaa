"""The generation engine: one loop in which requests join, are computed together and leave.

    engine = GenerationEngine(forward, EngineLimits(...))
    engine.load("run-7", read_weights(folder, model))      # any time; unload(key) when none uses it
    number = engine.add(GenerationRequest(prompt, max_tokens=64, adapter="run-7"))
    while engine.has_work:
        for written in engine.step():                      # one forward; written.request == number
            ...
    engine.cancel(number)                                  # any time between steps

Nothing here is asynchronous and nothing is locked: one thread calls it. A step is a forward of at most
`max_step_tokens` tokens: first one token (or a guess, see guess.py) of every running answer, then cuts of
prompts, so that a long prompt never holds up running answers. `add` raises DataError for a request that
cannot be answered; one that fails on the way ends with an error of its own, and the others never notice.

Memory is the forward's blocks and no more (see schedule.py). An answer whose blocks were taken away is
computed again, to the same tokens: its random numbers stay where they were. Blocks that sequences have alike
are computed once, also within a step (see blocks.py); answers to one prompt begin with one computation of
it.

The tokens of a step: each answer's next one is chosen, and as many more as its guess holds."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import count, repeat
from time import perf_counter

import torch
from torch import Tensor

from finewright.errors import DataError
from finewright.lm.engine.blocks import ZERO, BlockPool
from finewright.lm.engine.draft import DraftGuesses
from finewright.lm.engine.forward import BLOCK, Forward
from finewright.lm.engine.guess import Guesser
from finewright.lm.engine.requests import AnswerEnd, GenerationRequest, TokenLogprob, WrittenTokens
from finewright.lm.engine.sampling import (
    HighestLogits,
    RowSampling,
    choose,
    likeliest_of,
    logp_of,
    logprobs_of,
)
from finewright.lm.engine.schedule import StepCut, StepSchedule
from finewright.lm.engine.schemas import Grammar, Grammars
from finewright.lm.engine.sequence import AnswerSequence
from finewright.lm.engine.weights import AdapterWeights


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

    def to_written(self) -> WrittenTokens:
        """As the engine gives it."""
        number, answer = self.sequence.id, self.sequence.answer
        written = (tuple(self.tokens), tuple(self.logprobs))
        num_found = (self.sequence.num_found or 0) if self.end else 0
        return WrittenTokens(number, answer, *written, self.end, num_found, tuple(self.logps))

    def _write(self, token: int, logits: Tensor | None) -> None:
        sequence, request = self.sequence, self.sequence.request
        self.tokens.append(token)
        sequence.tokens.append(token)
        sequence.sampling.add(token)
        if request.num_logprobs is not None:
            assert logits is not None
            self.logprobs.append(logprobs_of(logits, token, request.num_logprobs))
        if request.stops is not None:
            stop = request.stops.find(sequence.tokens[sequence.num_before :])
            self.end = AnswerEnd("stop", stop=stop) if stop else None
        if self.end is None and sequence.num_written >= request.max_tokens:
            self.end = AnswerEnd("length")


@dataclass(frozen=True, slots=True)
class EngineLimits:
    """`context` are the most tokens that the model reads and writes together, None where nobody knows; tokens
    are below `vocab_size`. With `max_beside`, the most tokens of prompts in a step beside running answers,
    steps are kept short (see schedule.py). `grammars` are needed for answers of a form. Guesses are made
    while at most `guess_up_to` answers run, where `draft` is one by it too."""

    vocab_size: int
    context: int | None = None
    max_running: int = 64
    max_step_tokens: int = 2048
    max_beside: int = 0
    guess_up_to: int = 0
    grammars: Grammars | None = None
    draft: DraftGuesses | None = None


class GenerationEngine:
    """See the module. `own` is the key of an adapter that the forward has loaded already."""

    def __init__(self, forward: Forward, limits: EngineLimits, *, own: str | None = None) -> None:
        self._forward, self._limits = forward, limits
        self._pool = BlockPool(forward.num_blocks, partial(forward.copy_block, ZERO))
        self._schedule = StepSchedule(
            self._pool,
            limits.max_running,
            limits.max_step_tokens,
            limits.guess_up_to,
            limits.max_beside,
            limits.draft,
        )
        self._numbers, self._versions = count(), count(1)
        self._loaded: dict[str | None, int] = {None: 0, own: 0}

    @property
    def has_work(self) -> bool:
        """Whether there is a request that has not ended."""
        return any(True for _ in self._schedule)

    def load(self, key: str, adapter: AdapterWeights) -> None:
        """Make an adapter known. Raises DataError where the key is taken, ModelError where it misfits."""
        if key in self._loaded:
            raise DataError(f"adapter {key!r} is loaded already")
        self._forward.load(key, adapter)
        self._loaded[key] = next(self._versions)

    def unload(self, key: str) -> None:
        """Forget an adapter. Raises DataError where it is unknown, or where a request uses it."""
        if key not in self._loaded:
            raise DataError(f"adapter {key!r} is not loaded")
        if any(each.request.adapter == key for each in self._schedule):
            raise DataError(f"adapter {key!r} is in use", hint="cancel its requests first")
        self._forward.unload(key)
        del self._loaded[key]

    def compile(self, grammar: Grammar, salt: str = "") -> None:
        """Make a grammar ready for requests of the salt, from any thread, so that no step waits for it.
        Raises DataError as `add`."""
        if self._limits.grammars is not None:
            self._limits.grammars.begin(grammar, salt)

    def add(self, request: GenerationRequest) -> int:
        """Take a request up; its number. Raises DataError for one that cannot be answered."""
        self._refuse_odd(request)
        self._refuse_long(request)
        number = next(self._numbers)
        first, *others = self._sequences(number, request)
        first.others = others
        self._schedule.waiting.append(first)
        return number

    def cancel(self, number: int) -> None:
        """Stop a request, at whatever point; nothing more comes of it."""
        for sequence in [each for each in self._schedule if each.id == number]:
            if sequence in self._schedule.waiting:
                self._schedule.waiting.remove(sequence)
            else:
                self._schedule.leave(sequence)

    def renew(self) -> None:
        """The model's weights have changed: nothing computed before is found again. No request may run."""
        assert not self.has_work
        self._pool.forget()

    def step(self) -> list[WrittenTokens]:
        """Compute a step; what was written in it."""
        started = perf_counter()
        cuts = self._schedule.cuts()
        if not cuts:
            return []
        try:
            found = self._compute(cuts)
        except BaseException:
            self._pool.forget()  # blocks may be found that were never computed
            raise
        steps: list[StepAnswer] = []
        row = 0
        for cut in cuts:
            num_logits = cut.num_logits
            cut.sequence.num_cached += cut.size
            if num_logits:
                steps.append(StepAnswer(cut.sequence, row, cut.guess, cut.guesser))
                steps += [StepAnswer(other, row) for other in self._fork(cut.sequence)]
            row += num_logits
        write_step(found, steps)
        for step in steps:
            self._settle(step)
        if self._limits.draft is not None and len(cuts) == len(steps) == 1:
            self._time(self._limits.draft, cuts[0], steps[0], perf_counter() - started)
        return [step.to_written() for step in steps]

    def _compute(self, cuts: Sequence[StepCut]) -> Tensor | HighestLogits:
        pieces = [cut.piece() for cut in cuts]
        if any(cut.sequence.needs_logits for cut in cuts if cut.num_logits):
            return self._forward.step(pieces)
        return self._forward.highest(pieces)

    def _refuse_odd(self, request: GenerationRequest) -> None:
        size, bias = self._limits.vocab_size, request.sampling.logit_bias
        if request.adapter not in self._loaded:
            raise DataError(f"adapter {request.adapter!r} is not loaded")
        if not request.prompt:
            raise DataError("the prompt is empty")
        if min(request.prompt) < 0 or max(request.prompt) >= size:
            raise DataError("the prompt has a token beyond the vocabulary")
        if any(not 0 <= token < size for token in bias):
            raise DataError("logit_bias has a token beyond the vocabulary")
        if request.max_tokens < 1 or request.num_answers < 1:
            raise DataError("max_tokens and num_answers must be 1 at least")
        if request.stops is not None and not (request.stops.texts and all(request.stops.texts)):
            raise DataError("a stop text is empty")
        request.sampling.refuse_odd()

    def _refuse_long(self, request: GenerationRequest) -> None:
        length, context = len(request.prompt), self._limits.context
        room = self._pool.total * BLOCK - self._forward.num_virtual(request.adapter)
        sizes = f"the prompt has {length} tokens and the answer up to {request.max_tokens}"
        if context is not None and length + request.max_tokens > context:
            raise DataError(f"{sizes}, and this model reads and writes {context} together")
        if length + request.max_tokens > room:
            raise DataError(f"{sizes}, and the cache has room for {room}")

    def _sequences(self, number: int, request: GenerationRequest) -> Iterator[AnswerSequence]:
        virtual, grammars = self._forward.num_virtual(request.adapter), self._limits.grammars
        if request.grammar is not None and grammars is None:
            raise DataError("answers of a form need a tokenizer")
        for answer in range(request.num_answers):
            constraint = None
            if grammars is not None and request.grammar is not None:
                constraint = grammars.begin(request.grammar, request.salt)
            yield AnswerSequence(
                number,
                answer,
                request,
                [0] * virtual + list(request.prompt),
                virtual + len(request.prompt),
                RowSampling.of(request.sampling, answer, request.prompt),
                (request.salt, request.adapter, self._loaded[request.adapter]),
                constraint,
            )

    def _fork(self, first: AnswerSequence) -> Iterator[AnswerSequence]:
        """The other answers to a prompt that has been computed; those without room begin anew, later."""
        others, first.others = first.others, []
        full, rest = divmod(first.num_cached, BLOCK)
        for other in others:
            if rest and not self._pool.num_free:
                self._schedule.waiting.appendleft(other)
                continue
            other.blocks = first.blocks[:full]
            self._pool.share(other.blocks)
            if rest:
                other.blocks.append(self._pool.take())
                self._forward.copy_block(first.blocks[full], other.blocks[full])
            other.num_cached, other.num_kept = first.num_cached, full
            self._schedule.join(other)
            yield other

    def _time(self, draft: DraftGuesses, cut: StepCut, step: StepAnswer, seconds: float) -> None:
        """Let the draft know what a step of one answer took with its guess, or without any."""
        if cut.size == 1 and cut.guesser in (draft, None):
            is_guessed, num_tokens = cut.guesser is draft, max(1, len(step.tokens))
            draft.pace.learn(is_guessed=is_guessed, seconds=seconds, num_tokens=num_tokens)

    def _settle(self, step: StepAnswer) -> None:
        """Count what is in the cache, and let an answer that has ended leave."""
        sequence = step.sequence
        sequence.num_cached += step.num_held
        if step.guesser is not None:
            step.guesser.learn(len(step.guess), step.num_held)
        if step.end is None:
            sequence.keep(self._pool, sequence.num_cached)
            return
        failed = step.end.reason == "error"
        if failed:
            self._pool.forget()  # what failed may lie in blocks that others would find
        self._schedule.leave(sequence, failed=failed)


def write_step(found: Tensor | HighestLogits, steps: Sequence[StepAnswer]) -> None:
    """Choose every answer's tokens from the step's logits (N, V), in as many rounds as guesses hold; where no
    answer needs more, from the highest of each row."""
    going = list(steps)
    while going:
        at = [step.row + len(step.tokens) for step in going]
        rows: Iterable[Tensor | None] = repeat(None, len(going))
        if isinstance(found, HighestLogits):
            chosen = likeliest_of(HighestLogits(*(_pick_rows(each, at) for each in found)))
        else:
            rows = picked = _pick_rows(found, at)
            constraints = [step.sequence.constraint for step in going]
            allowed = [None if each is None else each.allow() for each in constraints]
            chosen = choose(picked, [step.sequence.sampling for step in going], allowed)
        going = [
            step
            for step, row, (token, error) in zip(going, rows, chosen, strict=True)
            if step.take(token, error, row)
        ]


def _pick_rows(rows: Tensor, at: list[int]) -> Tensor:
    if at == list(range(len(rows))):
        return rows
    return rows[torch.tensor(at, device=rows.device)]
