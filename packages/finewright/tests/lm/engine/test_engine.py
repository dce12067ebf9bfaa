"""Requests that come and go get the answers that they get alone, and no block is lost."""

import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache

import pytest
import torch
from kinds import learned

import tiny
from finewright.errors import DataError
from finewright.lm.engine.engine import EngineLimits, GenerationEngine
from finewright.lm.engine.forward import BLOCK
from finewright.lm.engine.ready import ready_forward, say_slow
from finewright.lm.engine.requests import (
    AnswerEnd,
    GenerationRequest,
    TokenSampling,
    WrittenTokens,
)
from finewright.lm.engine.schedule import StepCut
from finewright.lm.engine.stops import StopTexts
from finewright.lm.engine.torch_forward import TorchForward
from finewright.lm.engine.weights import AdapterWeights, LowRankDelta
from finewright.lm.model import LM

pytestmark = pytest.mark.torch
KEYS = (None, "lora", "ia3", "prompt")
CONTEXT = 200
Limits = Callable[..., EngineLimits]


@cache
def base() -> LM:
    return LM(tiny.tiny_model("llama").requires_grad_(False), {})


def engine_of(num_blocks: int = 200, *, native: bool = False, **limits: object) -> GenerationEngine:
    """Over a llama with an adapter of each of KEYS."""
    lm = LM(tiny.tiny_model("llama").requires_grad_(False), {})
    given = EngineLimits(vocab_size=tiny.VOCAB, context=CONTEXT, **limits)
    forward = ready_forward(lm, num_blocks).forward if native else TorchForward(lm, num_blocks)
    engine = GenerationEngine(forward, given)
    for kind in KEYS[1:]:
        engine.load(kind, weights(kind))
    return engine


@cache
def weights(kind: str, seed: int = 2) -> AdapterWeights:
    return learned("llama", kind, seed)


quiet_engine = cache(engine_of)


def finish(engine: GenerationEngine) -> list[WrittenTokens]:
    found = []
    while engine.has_work:
        found += engine.step()
    return found


def answers(written: Sequence[WrittenTokens]) -> dict[tuple[int, int], tuple[int, ...]]:
    found: dict[tuple[int, int], tuple[int, ...]] = {}
    for each in written:
        key = each.request, each.answer
        found[key] = found.get(key, ()) + each.tokens
    return found


def alone(request: GenerationRequest, *, native: bool = False) -> dict[int, tuple[int, ...]]:
    engine = quiet_engine(native=native)
    engine.renew()
    engine.add(request)
    return {answer: tokens for (_, answer), tokens in answers(finish(engine)).items()}


def random_request(
    rng: random.Random, heads: Sequence[tuple[int, ...]], owners: str = "a"
) -> GenerationRequest:
    """Begins as others do, and is long or short."""
    tail = tuple(rng.randrange(3, tiny.VOCAB) for _ in range(rng.choice((1, 3, 18, 40))))
    sampling = TokenSampling(
        temperature=rng.choice((0.0, 0.9)),
        top_p=rng.choice((1.0, 0.8)),
        top_k=rng.choice((0, 20)),
        repetition_penalty=rng.choice((1.0, 1.2)),
        presence_penalty=rng.choice((0.0, 0.4)),
        seed=rng.randrange(100),
    )
    return GenerationRequest(
        (*rng.choice(heads), *tail)[: rng.choice((1, 500))],
        rng.randrange(1, 12),
        sampling,
        rng.choice(KEYS),
        rng.choice((1, 1, 3)),
        frozenset(rng.sample(range(3, tiny.VOCAB), 6)),
        owner=rng.choice(owners),
    )


@pytest.mark.parametrize("native", [False, True])
@pytest.mark.parametrize("owners", ["a", "abc"])
@pytest.mark.parametrize(("seed", "num_blocks"), [(0, 18), (1, 18), (2, 60)])
def test_each_answer_is_the_one_it_gets_alone(
    seed: int, num_blocks: int, owners: str, native: bool
) -> None:
    """Joins, leaves, cancels and too long prompts at random, with too few blocks for all."""
    rng = random.Random(seed)  # noqa: S311 - no secret
    heads = [(), *(row.input_ids for row in tiny.random_rows([16, 37, 64], seed=1))]
    guess_up_to = 3 * (seed % 2)
    engine = engine_of(
        num_blocks, native=native, max_running=8, max_step_tokens=48, guess_up_to=guess_up_to
    )
    free, asked, cancelled, written = engine._pool.num_free, {}, set(), []
    for _ in range(40):
        if rng.random() < 0.6:
            request = random_request(rng, heads, owners)
            asked[engine.add(request)] = request
        if rng.random() < 0.1:
            with pytest.raises(DataError, match="reads and writes"):
                engine.add(GenerationRequest((5,) * CONTEXT, 1))
        if asked and rng.random() < 0.15:
            cancelled.add(rng.choice(list(asked)))
            engine.cancel(max(cancelled))
        written += engine.step()
    written += finish(engine)
    assert engine._pool.num_free == free
    found = answers(written)
    assert all(each.end is None or each.end.reason != "error" for each in written)
    for number in asked.keys() - cancelled:
        mine = {answer: tokens for (n, answer), tokens in found.items() if n == number}
        assert mine == alone(asked[number], native=native), asked[number]


def test_answers_to_one_prompt_differ_and_cost_one_computation() -> None:
    engine, computed = engine_of(), []
    step = engine._forward.step
    engine._forward.step = lambda pieces: (
        computed.append(sum(len(p.token_ids) for p in pieces)) or step(pieces)
    )
    prompt = tiny.random_rows([BLOCK + 5])[0].input_ids
    engine.add(GenerationRequest(prompt, 8, TokenSampling(temperature=1.0, seed=3), num_answers=4))
    found = answers(finish(engine))
    assert len(set(found.values())) == 4
    assert computed == [len(prompt), *[4] * 7]
    engine.add(GenerationRequest(prompt, 1))  # what is whole is found again
    finish(engine)
    assert computed[-1] == 5


def test_requests_that_begin_alike_share_blocks_within_a_step() -> None:
    engine, computed = engine_of(), []
    step = engine._forward.step
    engine._forward.step = lambda pieces: (
        computed.append([len(p.token_ids) for p in pieces]) or step(pieces)
    )
    head = tiny.random_rows([2 * BLOCK])[0].input_ids
    for last, key in ((7, None), (8, None), (9, "lora")):
        engine.add(GenerationRequest((*head, last), 1, adapter=key))
    found = answers(finish(engine))
    assert computed == [[2 * BLOCK + 1, 1, 2 * BLOCK + 1]]
    for number, (last, key) in enumerate(((7, None), (8, None), (9, "lora"))):
        assert found[number, 0] == alone(GenerationRequest((*head, last), 1, adapter=key))[0]


def test_an_adapter_that_is_loaded_anew_finds_nothing_of_the_old() -> None:
    engine = engine_of()
    prompt = tiny.random_rows([2 * BLOCK])[0].input_ids
    request = GenerationRequest(prompt, 6, adapter="lora")
    engine.add(request)
    before = answers(finish(engine))[0, 0]
    engine.unload("lora")
    with pytest.raises(DataError, match="adapter 'lora' is not loaded"):
        engine.add(request)
    engine.load("lora", weights("lora", seed=9))
    engine.add(request)
    other = answers(finish(engine))[1, 0]
    assert before == alone(request)[0]
    assert other != before
    fresh = engine_of()
    fresh.unload("lora")
    fresh.load("lora", weights("lora", seed=9))
    fresh.add(request)
    assert answers(finish(fresh))[0, 0] == other


def test_an_adapter_in_use_stays() -> None:
    engine = engine_of()
    number = engine.add(GenerationRequest((5, 6), 9, adapter="lora"))
    with pytest.raises(DataError, match="in use"):
        engine.unload("lora")
    engine.cancel(number)
    engine.unload("lora")
    with pytest.raises(DataError, match="is loaded already"):
        engine.load("ia3", AdapterWeights())


def test_two_thousand_joins_leave_no_block_and_no_wrong_neighbour() -> None:
    """A few dozen requests again and again, cancelled at any time, among prompts that are too long."""
    rng = random.Random(3)  # noqa: S311 - no secret
    heads = [(), *(row.input_ids for row in tiny.random_rows([16, 37, 64], seed=1))]
    requests = [random_request(rng, heads) for _ in range(40)]
    true = [alone(request, native=True) for request in requests]
    engine = engine_of(40, native=True, max_running=24, max_step_tokens=256)
    free = engine._pool.num_free
    asked: dict[int, int] = {}
    cancelled: set[int] = set()
    written: list[WrittenTokens] = []
    while len(asked) < 2000:
        for _ in range(rng.randrange(5)):
            i = rng.randrange(len(requests))
            asked[engine.add(requests[i])] = i
        if rng.random() < 0.2:
            cancelled.add(rng.choice(list(asked)[-30:]))
            engine.cancel(max(cancelled))
            with pytest.raises(DataError, match="reads and writes"):
                engine.add(GenerationRequest((5,) * CONTEXT, 1))
        written += engine.step()
    written += finish(engine)
    assert engine._pool.num_free == free
    found: dict[int, dict[int, tuple[int, ...]]] = {}
    for (number, answer), tokens in answers(written).items():
        found.setdefault(number, {})[answer] = tokens
    for number, i in asked.items():
        assert number in cancelled or found[number] == true[i], requests[i]


def test_numbers_that_are_none_end_one_request_alone() -> None:
    """Whose blocks then serve others, that notice nothing."""
    engine = engine_of(num_blocks=9)
    a, b = torch.full((2, 32), float("nan")), torch.ones(32, 2)
    engine.load(
        "broken", AdapterWeights({"model.layers.0.self_attn.o_proj": LowRankDelta(a, b, 1)})
    )
    prompt = tiny.random_rows([20])[0].input_ids
    good, long = GenerationRequest(prompt, 8), GenerationRequest(prompt * 3, 20)
    engine.add(replace(good, adapter="broken"))
    engine.add(good)
    written = finish(engine)
    assert [each.end for each in written if each.request == 0] == [
        AnswerEnd("error", error="the model's logits are not finite")
    ]
    assert answers(written)[1, 0] == alone(good)[0]
    engine.add(replace(long, adapter="broken"))
    engine._schedule.max_tokens = 30
    engine.step()
    engine.cancel(2)  # half computed
    engine.add(long)
    assert answers(finish(engine))[3, 0] == alone(long)[0]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"prompt": ()}, "the prompt is empty"),
        ({"prompt": (5, tiny.VOCAB)}, "beyond the vocabulary"),
        ({"adapter": "nobody"}, "adapter 'nobody' is not loaded"),
        ({"max_tokens": 0}, "must be 1 at least"),
        ({"prompt": (5,) * 199, "max_tokens": 2}, "reads and writes 200 together"),
        ({"prompt": (5,) * 150, "max_tokens": 20}, "the cache has room for 144"),
        ({"sampling": TokenSampling(top_p=0.0)}, "top_p: 0.0 is out of range"),
        ({"sampling": TokenSampling(temperature=float("nan"))}, "temperature: nan is out of range"),
        ({"sampling": TokenSampling(logit_bias={900: 1.0})}, "logit_bias has a token beyond"),
        ({"stops": StopTexts(("",), str)}, "a stop text is empty"),
    ],
)
def test_a_request_that_cannot_be_answered_is_refused(change: dict, message: str) -> None:
    engine = engine_of(num_blocks=10)
    with pytest.raises(DataError, match=message):
        engine.add(replace(GenerationRequest((5, 6), 4), **change))
    assert not engine.has_work


def test_a_long_prompt_does_not_hold_up_running_answers() -> None:
    engine = engine_of(max_step_tokens=16)
    engine.add(GenerationRequest((5, 6, 7), 12))
    engine.step()
    engine.add(GenerationRequest(tuple(range(3, 103)), 2))
    seen = [{each.request for each in engine.step()} for _ in range(5)]
    assert seen == [{0}] * 5


def test_guesses_change_no_token_and_save_steps() -> None:
    """A model that repeats itself is soon guessed."""
    request, steps, found = GenerationRequest((9, 8, 7) * 6, 60), [], []
    for guess_up_to in (0, 1):
        engine = engine_of(guess_up_to=guess_up_to)
        engine.add(request)
        written = []
        while engine.has_work:
            written.append(engine.step())
        steps.append(len(written))
        found.append(answers([each for step in written for each in step])[0, 0])
    assert found[0] == found[1]
    assert steps[1] < steps[0]


def test_a_stop_text_is_found_over_the_borders_of_tokens() -> None:
    tokenizer = tiny.tiny_tokenizer()
    engine = engine_of()
    free = alone(GenerationRequest((5, 6, 7), 20))[0]
    text = tokenizer.decode(free[4:7])
    stop = text[1:-1]
    engine.add(
        GenerationRequest((5, 6, 7), 20, stops=StopTexts((stop, "never\n"), tokenizer.decode))
    )
    written = finish(engine)
    assert written[-1].end == AnswerEnd("stop", stop=stop)
    found = answers(written)[0, 0]
    assert found == free[: len(found)]
    assert stop in tokenizer.decode(found)
    assert stop not in tokenizer.decode(found[:-1])


def test_the_log_says_once_that_a_model_is_answered_more_slowly(caplog) -> None:
    lm = LM(tiny.tiny_model("mixtral").requires_grad_(False), {})
    say_slow.cache_clear()  # another test of this process may have met the reason
    for _ in range(2):
        assert isinstance(ready_forward(lm, 4).forward, TorchForward)
    (said,) = caplog.messages
    assert said == f"slower than it could be: {lm.slow_answers}"
    assert "by torch" in said
    assert "MixtralForCausalLM" in said
    assert lm.slow_answers in lm.slow_paths()
    assert base().slow_answers == ""


def test_log_probabilities_are_the_models_own() -> None:
    engine = engine_of()
    sampling = TokenSampling(temperature=1.3, top_k=5, repetition_penalty=1.5)
    engine.add(GenerationRequest((5, 6, 7), 4, sampling, num_logprobs=3))
    written = finish(engine)
    ids = [5, 6, 7, *answers(written)[0, 0]]
    with torch.no_grad():
        true = base().model(torch.tensor([ids])).logits[0].log_softmax(-1)
    for at, each in enumerate(written):
        ((logp, likeliest),) = each.logprobs
        row = true[2 + at]
        assert logp == pytest.approx(float(row[each.tokens[0]]), abs=1e-4)
        assert [token for token, _ in likeliest] == row.topk(3).indices.tolist()
        assert [p for _, p in likeliest] == pytest.approx(row.topk(3).values.tolist(), abs=1e-4)


def test_a_question_does_not_wait_for_the_book_before_it() -> None:
    book = GenerationRequest(tuple(3 + i % 200 for i in range(170)), 4)
    question = GenerationRequest((5, 6, 7), 12)
    engine = engine_of(max_step_tokens=32, max_beside=20)
    numbers = [engine.add(book), engine.add(question)]
    steps: list[set[int]] = []
    written: list[WrittenTokens] = []
    while engine.has_work:
        found = engine.step()
        written += found
        steps.append({each.request for each in found})
    first = [next(i for i, who in enumerate(steps) if number in who) for number in numbers]
    assert first[1] <= 1 < first[0]
    # from its first token on it writes one in every step, while the book is read beside it
    assert all(numbers[1] in who for who in steps[first[1] : first[1] + 12])
    given = answers(written)
    assert [given[number, 0] for number in numbers] == [alone(book)[0], alone(question)[0]]


def test_what_was_computed_is_found_by_requests_of_the_same_salt_alone() -> None:
    engine = engine_of()
    prompt = tuple(range(3, 3 + 3 * BLOCK + 1))

    def found(salt: str) -> int:
        engine.add(GenerationRequest(prompt, 2, salt=salt))
        return finish(engine)[-1].num_found

    assert [found(salt) for salt in ("a", "a", "b", "b", "", "")] == [0, 48, 0, 48, 0, 48]


def steps_of(engine: GenerationEngine, request: GenerationRequest) -> tuple[int, int, list[int]]:
    """Steps until its answer has ended, the longest of them in tokens, and the answer."""
    number, sizes, written = engine.add(request), list[int](), list[int]()
    cuts = engine._schedule.cuts

    def counted() -> list[StepCut]:
        found = cuts()
        sizes.append(sum(cut.size for cut in found if cut.sequence.id != number))
        return found

    engine._schedule.__class__.cuts, before = (lambda _: counted()), engine._schedule.__class__.cuts
    try:
        while True:
            for each in engine.step():
                written += each.tokens if each.request == number else ()
                if each.request == number and each.end:
                    return len(sizes), max(sizes), written
    finally:
        engine._schedule.__class__.cuts = before


@pytest.mark.parametrize(
    ("prompt", "max_tokens", "num_answers"), [(20, 100, 1), (190, 1, 1), (60, 60, 3)]
)
def test_a_short_question_takes_no_more_steps_beside_an_owner_who_takes_all(
    prompt: int, max_tokens: int, num_answers: int
) -> None:
    """Too few blocks for what one owner wants, and no free place: the other's question begins at once, and
    all of the first one's takes at most four rows of its steps."""
    engine = engine_of(40, max_running=8, max_step_tokens=64)
    asked = GenerationRequest(tuple(range(3, 23)), 12, owner="b")
    alone = steps_of(engine, asked)
    rng = random.Random(3)  # noqa: S311 - no secret
    for _ in range(20):
        words = tuple(rng.randrange(3, tiny.VOCAB) for _ in range(prompt))
        engine.add(GenerationRequest(words, max_tokens, num_answers=num_answers, owner="a"))
    for _ in range(6):
        engine.step()
    beside = steps_of(engine, replace(asked, salt="b"))
    assert beside[0] <= alone[0] + 1
    assert beside[1] <= 4
    assert beside[2] == alone[2]
    finish(engine)
    assert engine._pool.num_free == engine._pool.total


def test_owners_who_both_want_all_get_alike() -> None:
    engine = engine_of(200, max_running=8, max_step_tokens=64)
    rng = random.Random(4)  # noqa: S311 - no secret
    for number in range(60):
        words = tuple(rng.randrange(3, tiny.VOCAB) for _ in range(100))
        engine.add(GenerationRequest(words, 30, owner="ab"[number % 2]))
    written: dict[str, int] = {"a": 0, "b": 0}
    for _ in range(300):
        for each in engine.step():
            written["ab"[each.request % 2]] += len(each.tokens)
    assert min(written.values()) > 0.7 * max(written.values())


def test_two_prompts_without_room_beside_each_other_both_end() -> None:
    """Each of two owners wants more than half of the blocks: none puts the other off for ever."""
    engine = engine_of(num_blocks=14, max_running=8, max_step_tokens=16)
    prompts = {owner: tuple(range(at, at + 45)) * 3 for at, owner in ((3, "a"), (4, "b"))}
    wanted = [
        GenerationRequest(words[:130], 12, owner=owner, salt=owner)
        for owner, words in prompts.items()
    ]
    for request in wanted:
        engine.add(request)
    written = [each for _ in range(400) for each in engine.step()]
    assert not engine.has_work
    found = answers(written)
    assert [found[number, 0] for number in range(2)] == [alone(each)[0] for each in wanted]


@pytest.mark.parametrize("num_blocks", [9, 10, 12])
def test_an_answer_put_off_for_its_owners_own_is_read_once_it_joins_again(num_blocks: int) -> None:
    """Answers of each of two owners grow until there is no room for all of one owner's."""
    engine = engine_of(num_blocks, max_running=8)
    free = engine._pool.num_free
    wanted = [
        GenerationRequest(tuple(range(3 + n, 23 + n)), 70, owner="ab"[n % 2], salt=str(n))
        for n in range(6)
    ]
    for request in wanted:
        engine.add(request)
    written = [each for _ in range(2000) for each in engine.step()]
    assert not engine.has_work
    assert engine._pool.num_free == free
    found = answers(written)
    assert [found[number, 0] for number in range(6)] == [alone(each)[0] for each in wanted]


def test_what_was_put_off_once_does_not_keep_later_questions_waiting() -> None:
    """Prompts that gave way to one question join again; the next question need not wait for all of them."""
    engine = engine_of(26, max_running=8, max_step_tokens=16)
    rng = random.Random(5)  # noqa: S311 - no secret
    for _ in range(30):
        words = tuple(rng.choices(range(3, tiny.VOCAB), k=190))
        engine.add(GenerationRequest(words, 1, owner="a"))
    asked = GenerationRequest(tuple(range(3, 23)), 12, owner="b")
    took = []
    for number in range(13):
        for _ in range(3):
            engine.step()
        took.append(steps_of(engine, replace(asked, salt=str(number)))[0])
    assert max(took) <= took[0] + 1, took


def test_several_prompts_beside_another_owner_take_a_step_of_bounded_work(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Tokens far into a prompt cost more, so that fewer of them are read in a step that others wait for."""
    monkeypatch.setattr(
        "finewright.lm.engine.schedule._AS_DEAR", 64
    )  # as if prompts were 16 times as long
    engine = engine_of(200, max_running=8, max_step_tokens=512, max_beside=256)
    engine.add(GenerationRequest((5, 6), 1, owner="b"))
    finish(engine)
    for number in range(8):
        engine.add(GenerationRequest(tuple(range(3, 153)), 1, owner="a", salt=str(number)))
    while engine.has_work:
        cuts = engine._schedule.cuts()
        assert sum(cut.cost for cut in cuts) <= 128 + BLOCK * 3
        for cut in cuts:
            is_last = cut.num_logits > 0
            cut.sequence.num_cached += cut.size
            if is_last:
                engine._schedule.leave(cut.sequence)
