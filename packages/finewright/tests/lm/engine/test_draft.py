"""A draft changes no token, and is asked only where that is quicker."""

import random

import pytest

import tiny
from finewright.errors import ModelError
from finewright.lm.engine.draft import DraftGuesses, DraftPace, refuse_other_vocabulary
from finewright.lm.engine.engine import EngineLimits, GenerationEngine
from finewright.lm.engine.forward import BLOCK, Piece
from finewright.lm.engine.ready import ready_forward
from finewright.lm.engine.requests import GenerationRequest, TokenSampling
from finewright.lm.engine.torch_forward import TorchForward
from finewright.lm.model import LM

pytestmark = pytest.mark.torch


class AlwaysWanted(DraftPace):
    """Guesses whatever they cost."""

    wants_guess = True  # type: ignore[assignment]

    def learn(self, **step: object) -> None:
        pass


def lm_of(seed: int) -> LM:
    return LM(tiny.tiny_model("llama", seed=seed).requires_grad_(False), {})


def draft_of(seed: int, num_blocks: int = 40) -> DraftGuesses:
    draft = DraftGuesses(TorchForward(lm_of(seed), num_blocks), tiny.VOCAB)
    draft.pace = AlwaysWanted()
    return draft


def written(requests: list[GenerationRequest], draft: DraftGuesses | None) -> tuple[list, int]:
    """(Answers, steps); requests come one after the other, some beside another."""
    limits = EngineLimits(tiny.VOCAB, guess_up_to=1, draft=draft)
    engine = GenerationEngine(ready_forward(lm_of(0), 200).forward, limits)
    found: dict[int, list[int]] = {}
    steps = 0
    for at, request in enumerate(requests):
        number = engine.add(request)
        while engine.has_work and not (at % 3 == 0 and len(found.get(number, ())) > 4):
            for part in engine.step():
                found.setdefault(part.request, []).extend(part.tokens)
            steps += 1
    while engine.has_work:
        for part in engine.step():
            found.setdefault(part.request, []).extend(part.tokens)
        steps += 1
    return [found[number] for number in sorted(found)], steps


def random_requests(seed: int) -> list[GenerationRequest]:
    rng = random.Random(seed)  # noqa: S311 - no secret
    head = rng.choices(range(3, tiny.VOCAB), k=20)
    return [
        GenerationRequest(
            (
                *head[: rng.randrange(1, 20)],
                *rng.choices(range(3, tiny.VOCAB), k=rng.choice((1, 9))),
            ),
            rng.randrange(1, 40),
            TokenSampling(rng.choice((0.0, 0.0, 0.8)), seed=rng.randrange(99)),
        )
        for _ in range(12)
    ]


@pytest.mark.parametrize("seed", [0, 1])
def test_answers_are_those_without_a_draft(seed: int) -> None:
    """With the model itself as draft, which is right, and another, which is wrong."""
    requests = random_requests(seed)
    plain, steps = written(requests, None)
    same, fewer = written(requests, draft_of(0))
    other, more = written(requests, draft_of(7))
    assert plain == same == other
    assert fewer < 0.7 * steps
    assert fewer < more <= steps


def test_a_guess_is_what_the_draft_writes_whatever_text_it_read_before() -> None:
    draft, alone = draft_of(0), TorchForward(lm_of(0), 40)
    rng = random.Random(3)  # noqa: S311 - no secret
    for length in (5, 40, 12, 300, 301):
        tokens = rng.choices(range(3, tiny.VOCAB), k=length)
        guess = draft.guess(tokens, 3)
        while not guess:  # a long text is read in several steps
            guess = draft.guess(tokens, 3)
        ids = [*tokens]
        for _ in range(3):
            logits = alone.step([Piece(tuple(ids), 0, tuple(range(40)), None, 1)])
            ids.append(int(logits[0].argmax()))
        assert list(guess) == ids[length:]


def test_no_guess_goes_beyond_the_room_or_what_may_follow() -> None:
    draft = draft_of(0, num_blocks=2)
    assert len(draft.guess([5] * 9, 2)) == 2
    assert draft.guess([5] * 9, 0) == ()
    assert len(draft.guess([5] * (2 * BLOCK - 3), 8)) == 3
    assert draft.guess([5] * (2 * BLOCK - 2), 8) == ()


@pytest.mark.parametrize(("num_tokens", "is_quicker"), [(1, False), (3, True)])
def test_guesses_are_made_where_they_are_measured_to_be_quicker(
    num_tokens: int, is_quicker: bool
) -> None:
    """A step with a guess takes twice as long, and gives so many tokens."""
    pace, guessed = DraftPace(), []
    for _ in range(2000):
        guessed.append(pace.wants_guess)
        pace.learn(
            is_guessed=guessed[-1],
            seconds=2.0 if guessed[-1] else 1.0,
            num_tokens=num_tokens if guessed[-1] else 1,
        )
    share = sum(guessed) / len(guessed)
    assert share > 0.95 if is_quicker else share < 0.05


def test_a_draft_that_is_no_use_any_more_is_noticed() -> None:
    pace, late = DraftPace(), []
    for at in range(2000):
        is_guessed = pace.wants_guess
        held = 4 if at < 600 else 1
        pace.learn(is_guessed=is_guessed, seconds=2.0 if is_guessed else 1.0, num_tokens=held)
        late += [is_guessed] if at > 1000 else []
    assert sum(late) / len(late) < 0.1


def test_a_draft_of_another_vocabulary_is_refused_in_one_line() -> None:
    ours, other = tiny.tiny_tokenizer(), tiny.tiny_tokenizer()
    refuse_other_vocabulary("small", other, ours)
    other.add_tokens(["<extra>"])
    with pytest.raises(ModelError, match="draft model small: its vocabulary is not the model's"):
        refuse_other_vocabulary("small", other, ours)
