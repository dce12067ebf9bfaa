"""Generation gives the tokens that transformers' own generate gives, only many prompts at once."""

from collections.abc import Callable, Set
from functools import cache

import pytest
import torch
from transformers import GenerationConfig, PreTrainedModel

import tiny
from finewright.lm.generate import Generation, Sampling, generate, stream
from finewright.lm.model import LM

pytestmark = pytest.mark.torch

Model = Callable[[str], PreTrainedModel]
NEW = 16
PROMPTS = [row.input_ids for row in tiny.random_rows([11, 3, 1, 7, 9, 2], seed=4)]


@cache
def endless(family: str, prompt: tuple[int, ...]) -> tuple[int, ...]:
    """What transformers' own generate answers where nothing ends it."""
    config = GenerationConfig(
        max_new_tokens=NEW,
        do_sample=False,
        eos_token_id=tiny.VOCAB,  # None would mean the model's own
        pad_token_id=0,
        bos_token_id=1,
    )
    ids = torch.tensor([prompt])
    model = tiny.tiny_model(family)
    out = model.generate(ids, attention_mask=torch.ones_like(ids), generation_config=config)
    return tuple(out[0, len(prompt) :].tolist())


def transformers_own(family: str, prompt: tuple[int, ...], stop_ids: Set[int]) -> Generation:
    """Its greedy answer up to the first token that ends it."""
    new = endless(family, prompt)
    at = next((i for i, token in enumerate(new) if token in stop_ids), None)
    return Generation(new[:at], None if at is None else new[at])


@pytest.mark.parametrize("family", [*tiny.ALL_FAMILIES, *tiny.HYBRIDS])
def test_prompts_that_begin_alike_or_are_the_same_change_no_answer(
    family: str, tiny_model: Model
) -> None:
    """What they share is longer than the sliding window, and computed once."""
    lm = LM(tiny_model(family), {})
    common = PROMPTS[0] + PROMPTS[3]
    prompts = [common + PROMPTS[4], common, common + PROMPTS[1], common, common + PROMPTS[4][:1]]
    sampling = Sampling(max_new_tokens=NEW)
    found = generate(lm, prompts, stop_ids=frozenset(), sampling=sampling)
    assert found == [transformers_own(family, p, frozenset()) for p in prompts]


def some_stop_ids(family: str) -> frozenset[int]:
    """Tokens that end some answers early, others late and others not at all."""
    free = [endless(family, p) for p in PROMPTS]
    return frozenset({free[0][0], free[1][4], free[3][9]})


@pytest.mark.parametrize("family", [*tiny.ALL_FAMILIES, *tiny.HYBRIDS])
def test_rows_that_end_leave_and_the_others_go_on_unmixed(family: str, tiny_model: Model) -> None:
    lm = LM(tiny_model(family), {})
    stop_ids = some_stop_ids(family)
    sampling = Sampling(max_new_tokens=NEW)
    found = generate(lm, PROMPTS, stop_ids=stop_ids, sampling=sampling)
    assert found == [transformers_own(family, p, stop_ids) for p in PROMPTS]
    assert len({len(answer.ids) for answer in found}) > 2
    assert any(answer.stopped for answer in found)
    assert not any(token in stop_ids for answer in found for token in answer.ids)


@pytest.mark.parametrize("family", ["llama", "gemma3_text"])
@pytest.mark.parametrize("temperature", [0.0, 0.8])
def test_a_stream_gives_the_tokens_of_generate(
    family: str, temperature: float, tiny_model: Model
) -> None:
    lm = LM(tiny_model(family), {})
    stop_ids = some_stop_ids(family)
    sampling = Sampling(max_new_tokens=NEW, temperature=temperature, seed=3)
    for prompt in PROMPTS:
        (answer,) = generate(lm, [prompt], stop_ids=stop_ids, sampling=sampling)
        streamed = tuple(stream(lm, prompt, stop_ids=stop_ids, sampling=sampling))
        assert streamed == answer.ids


def test_an_answer_that_ends_at_once_is_empty(tiny_model: Model) -> None:
    first = endless("llama", PROMPTS[0])[0]
    (answer,) = generate(
        LM(tiny_model("llama"), {}),
        PROMPTS[:1],
        stop_ids=frozenset({first}),
        sampling=Sampling(max_new_tokens=NEW),
    )
    assert answer == Generation((), first)
    assert answer.stopped


def sampled(lm: LM, **fields: float) -> list[tuple[int, ...]]:
    sampling = Sampling(**{"max_new_tokens": NEW, "temperature": 1.0, **fields})
    return [a.ids for a in generate(lm, PROMPTS, stop_ids=frozenset(), sampling=sampling)]


def test_sampling_follows_its_seed_alone(tiny_model: Model) -> None:
    lm = LM(tiny_model("llama"), {})
    torch.manual_seed(1)
    first = sampled(lm, seed=5)
    torch.manual_seed(2)
    assert sampled(lm, seed=5) == first
    assert sampled(lm, seed=6) != first


def test_a_tiny_nucleus_or_temperature_is_greedy(tiny_model: Model) -> None:
    lm = LM(tiny_model("llama"), {})
    greedy = sampled(lm, temperature=0.0)
    assert sampled(lm, top_p=1e-6) == greedy
    assert sampled(lm, temperature=1e-4) == greedy


def test_a_nucleus_holds_the_fewest_tokens_that_reach_top_p(tiny_model: Model) -> None:
    model, top_p = tiny_model("llama"), 0.4
    prompt = PROMPTS[0]
    p, order = model(torch.tensor([prompt])).logits[0, -1].softmax(-1).sort(descending=True)
    lm = LM(model, {})
    size = int((p.cumsum(0) < top_p).sum()) + 1
    nucleus = set(order[:size].tolist())
    seen = set()
    for seed in range(80):
        sampling = Sampling(max_new_tokens=1, temperature=1.0, top_p=top_p, seed=seed)
        (answer,) = generate(lm, [prompt], stop_ids=frozenset(), sampling=sampling)
        seen.update(answer.ids)
    assert seen <= nucleus
    assert len(seen) > min(size, 20) / 2


def test_sampled_tokens_have_the_models_distribution(tiny_model: Model) -> None:
    """The share of the likeliest token in 400 draws is within 4 standard errors of its probability."""
    model, draws, temperature = tiny_model("llama"), 400, 0.7
    prompt = PROMPTS[0]
    with torch.no_grad():
        p = (model(torch.tensor([prompt])).logits[0, -1] / temperature).softmax(-1)
    likeliest, true = int(p.argmax()), float(p.max())
    sampling = Sampling(max_new_tokens=1, temperature=temperature, seed=1)
    answers = generate(LM(model, {}), [prompt] * draws, stop_ids=frozenset(), sampling=sampling)
    share = sum(answer.ids == (likeliest,) for answer in answers) / draws
    assert share == pytest.approx(true, abs=4 * (true * (1 - true) / draws) ** 0.5)
