"""Sampled answers as rows to learn from, with what they are worth; KL to the base."""

from collections.abc import Sequence

import pytest
import torch

import referee
import tiny
from finewright.lm.chat import Chat
from finewright.lm.example import EncodedRow, Example
from finewright.lm.model import LM
from finewright.schema.methods import GRPOSpec
from finewright.train.rewards import PolicyAnswer, Reward, Rewards
from finewright.train.rollouts import (
    Rollouts,
    kl_to_base,
    logps_before,
    logps_of_base,
    roll_out,
    sampler_distance,
)

pytestmark = pytest.mark.torch

STOPS = frozenset(range(3, 60))
SPEC = GRPOSpec(rewards=("valid_json",), num_generations=3, max_new_tokens=5, temperature=0.9)


def prompt(length: int, seed: int) -> Example:
    (row,) = tiny.random_rows([length], seed=seed, prompt=length)
    messages = ({"role": "user", "content": f"question {seed}"},)
    return Example((row,), columns={"answer": seed}, messages=messages)


ROWS = [prompt(6, 1), prompt(3, 2), prompt(8, 3), prompt(5, 4)]


def adapted() -> LM:
    model = tiny.tiny_model("llama")
    return LM(model, referee.random_adapters(model, dropout=0.5))


def chat() -> Chat:
    return Chat(tiny.tiny_tokenizer(), STOPS)


def rewarded(seen: list[PolicyAnswer]) -> Rewards:
    def judge(answers: Sequence[PolicyAnswer]) -> list[float]:
        seen.extend(answers)
        return [float(number) for number in range(len(answers))]

    return Rewards((Reward("rank", 0.5, judge),))


def rolled(lm: LM, *, seed: int = 7, seen: list[PolicyAnswer] | None = None) -> Rollouts:
    return roll_out(lm, chat(), rewarded([] if seen is None else seen), ROWS, SPEC, seed)


def test_every_prompt_has_its_answers_and_each_answer_its_reward() -> None:
    found = rolled(adapted())
    assert torch.equal(found.rewards(), 0.5 * torch.arange(12).view(4, 3))
    for rollout, row in zip(found.rollouts, ROWS, strict=True):
        asked = row.sequences[0]
        for answer in rollout.rows:
            assert answer.input_ids[: asked.num_tokens] == asked.input_ids
            assert answer.trained == tuple(t >= asked.num_tokens for t in range(answer.num_tokens))
            assert 1 <= answer.num_trained <= 5


def test_an_answer_is_learned_through_its_stop_token() -> None:
    answers = [a for rollout in rolled(adapted()).rollouts for a in rollout.rows]
    ended = [a for a in answers if a.input_ids[-1] in STOPS]
    assert ended
    for answer in answers:
        written = [i for i, t in zip(answer.input_ids, answer.trained, strict=True) if t]
        assert not STOPS.intersection(written[:-1])
        assert answer in ended or len(written) == 5


def test_rewards_see_the_text_without_its_end_and_the_row() -> None:
    seen: list[PolicyAnswer] = []
    found = rolled(adapted(), seen=seen)
    answers = [a for rollout in found.rollouts for a in rollout.rows]
    assert [a.messages for a in seen] == [row.messages for row in ROWS for _ in range(3)]
    assert [a.columns["answer"] for a in seen] == [1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 4]
    for judged, answer in zip(seen, answers, strict=True):
        ids = [i for i, t in zip(answer.input_ids, answer.trained, strict=True) if t]
        assert judged.stopped is (ids[-1] in STOPS)
        text = chat().tokenizer.decode([i for i in ids if i not in STOPS], skip_special_tokens=True)
        assert judged.text == text


def test_what_is_sampled_depends_on_the_seed_alone() -> None:
    lm = adapted()
    torch.manual_seed(1)
    first = rolled(lm)
    torch.manual_seed(2)
    assert rolled(lm) == first
    assert rolled(lm, seed=8) != first


@pytest.mark.parametrize("training", [True, False])
def test_sampling_is_without_dropout_and_puts_the_mode_back(training: bool) -> None:
    lm = adapted()
    first = rolled(lm)
    lm.model.train(training)
    assert rolled(lm) == first
    assert lm.model.training is training


def test_metrics_are_means_over_all_answers() -> None:
    found = rolled(adapted())
    answers = [a for rollout in found.rollouts for a in rollout.rows]
    stopped = [a.input_ids[-1] in STOPS for a in answers]
    lengths = [a.num_trained - end for a, end in zip(answers, stopped, strict=True)]
    assert found.metrics == pytest.approx(
        {
            "reward/rank": 5.5,
            "reward": 2.75,
            "reward_std": 0.5,
            "length": sum(lengths) / 12,
            "stopped": sum(stopped) / 12,
            **{"thought_length": 0.0, "unreadable": 0.0},
        }
    )


def test_the_answers_to_a_prompt_stay_together() -> None:
    found = rolled(adapted())
    parts = found.parts(60)
    assert len(parts) > 1
    assert {id(r) for part in parts for r in part} == {id(r) for r in found.rollouts}
    assert all(len(part) == 1 or sum(r.num_tokens for r in part) <= 60 for part in parts)


@pytest.mark.parametrize("temperature", [1.0, 0.7])
def test_log_p_of_policy_and_base_are_by_the_definition(temperature: float) -> None:
    model = tiny.tiny_model("llama")
    lm = LM(model, referee.random_adapters(model))
    rows = [answer for rollout in rolled(lm).rollouts for answer in rollout.rows]
    batch = lm.pack([[row] for row in rows])
    twin = tiny.tiny_model("llama")
    found = logps_of_base(lm, batch, temperature)
    assert torch.allclose(found, _logps(twin, rows, temperature), atol=1e-5)
    referee.peft_layers(twin, lm.adapters)
    before = logps_before(lm, batch, temperature)
    assert torch.allclose(before, _logps(twin, rows, temperature), atol=1e-5)
    assert not before.requires_grad
    assert not torch.allclose(before, found, atol=1e-2)


@torch.no_grad()
def _logps(model: torch.nn.Module, rows: list[EncodedRow], temperature: float) -> torch.Tensor:
    found = []
    for row in rows:
        logits = model(input_ids=torch.tensor([row.input_ids]), use_cache=False).logits[0]
        scores = (logits / temperature).log_softmax(-1)
        learned = [t for t in range(1, row.num_tokens) if row.trained[t]]
        found += [scores[t - 1, row.input_ids[t]] for t in learned]
    return torch.stack(found)


def test_the_estimate_of_kl_is_never_below_zero_and_right_on_average() -> None:
    """Over a whole vocabulary: sum p k3 = KL(p || q)."""
    generator = torch.Generator().manual_seed(0)
    p, q = torch.randn(2, 50, generator=generator, dtype=torch.float64).log_softmax(-1)
    estimates = kl_to_base(p, q)
    assert estimates.min() >= 0
    assert (p.exp() * estimates).sum().item() == pytest.approx((p.exp() * (p - q)).sum().item())
    assert torch.equal(kl_to_base(p, p), torch.zeros(50, dtype=torch.float64))


@pytest.mark.parametrize("family", ["llama", "bamba"])
def test_the_samplers_log_p_are_those_of_transformers_at_the_temperature(family: str) -> None:
    """Of each answer's tokens with its end, by the engine (llama) and by padded rows (bamba)."""
    plain = tiny.tiny_model(family).double()
    found = rolled(LM(tiny.tiny_model(family), {}))
    assert any(row.input_ids[-1] in STOPS for rollout in found.rollouts for row in rollout.rows)
    for rollout in found.rollouts:
        for row, sampled in zip(rollout.rows, rollout.sampled, strict=True):
            ids, asked = torch.tensor([row.input_ids]), row.num_tokens - row.num_trained
            with torch.no_grad():
                logits = plain(input_ids=ids, use_cache=False).logits[0, asked - 1 : -1]
            true = (logits / SPEC.temperature).log_softmax(-1).gather(-1, ids[0, asked:, None])
            assert sampled == pytest.approx(true.flatten().tolist(), abs=1e-4)


def test_k1_and_k2_are_schulmans() -> None:
    """d = -0.5 and 0.2: k1 = (0.5 - 0.2) / 2, k2 = (0.25 + 0.04) / 4."""
    found = sampler_distance(torch.tensor([-1.0, -2.0]), torch.tensor([-1.5, -1.8]))
    assert found == pytest.approx({"sampler_k1": 0.15, "sampler_k2": 0.0725})
