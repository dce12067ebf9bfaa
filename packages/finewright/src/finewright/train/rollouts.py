"""Answers that a policy samples to learn from, and what they are worth."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch

from finewright.judge.answer import Answer, text_to_compare
from finewright.lm.answers.reader import answer_of_tokens
from finewright.lm.batch import PackedBatch, split
from finewright.lm.chat import Chat
from finewright.lm.example import EncodedRow, Example
from finewright.lm.generate import Generation, Sampling, generate
from finewright.lm.model import LM
from finewright.schema.methods import OnlineSettings
from finewright.schema.rewards import CALLS_COLUMN
from finewright.train.ranks import ALONE, Ranks
from finewright.train.rewards import PolicyAnswer, Rewards, read_expected_calls

_PROMPT_END = 64
"""Tokens of a prompt, more than a turn's header and the opening of a thought take."""


@dataclass(frozen=True, slots=True)
class Rollout:
    """One prompt with its G answers as rows that can be trained, and the reward of each; `sampled` are the
    log-probabilities with which the sampler chose each one's tokens."""

    rows: tuple[EncodedRow, ...]
    rewards: tuple[float, ...]
    sampled: tuple[tuple[float, ...], ...]

    @property
    def num_tokens(self) -> int:
        """All tokens of all answers with their prompt."""
        return sum(row.num_tokens for row in self.rows)


@dataclass(frozen=True, slots=True)
class Rollouts:
    """The rollouts of a step, and what is worth a look in them."""

    rollouts: tuple[Rollout, ...]
    metrics: dict[str, float]

    def parts(self, max_tokens: int | None) -> list[list[Rollout]]:
        """The rollouts in parts of at most `max_tokens`; a prompt's answers stay together."""
        return split(self.rollouts, max_tokens)

    def rewards(self) -> torch.Tensor:
        """(prompts, G)."""
        return torch.tensor([rollout.rewards for rollout in self.rollouts])


def _by_prompt(
    trained: Sequence[EncodedRow],
    totals: Sequence[float],
    sampled: Sequence[tuple[float, ...]],
    size: int,
) -> tuple[Rollout, ...]:
    """The answers and what they are worth, in groups of `size`: those to one prompt."""
    groups = [slice(i, i + size) for i in range(0, len(trained), size)]
    return tuple(
        Rollout(tuple(trained[each]), tuple(totals[each]), tuple(sampled[each])) for each in groups
    )


def roll_out(  # noqa: PLR0913 - what is asked, by name
    lm: LM,
    chat: Chat,
    rewards: Rewards,
    rows: Sequence[Example],
    spec: OnlineSettings,
    seed: int,
    *,
    ranks: Ranks = ALONE,
) -> Rollouts:
    """Sample `num_generations` answers to each of this rank's prompts and reward them; the metrics are over
    those of all ranks. The model's mode is put back."""
    places = places_of_prompts([row.sequences[0] for row in rows], ranks)
    made = _answer(lm, chat, rewards, {place: rows[place] for place in places}, spec, seed)
    num_answers = sum(len(rollout.rows) for rollout in made.rollouts)
    return Rollouts(made.rollouts, ranks.mean(made.metrics, num_answers))


def places_of_prompts(prompts: Sequence[EncodedRow], ranks: Ranks) -> list[int]:
    """The places of this rank's prompts. Those that are alike stay together, as `generate` answers them by
    one sequence of random numbers."""
    alike: dict[tuple[int, ...], list[int]] = {}
    for place, prompt in enumerate(prompts):
        alike.setdefault(prompt.input_ids, []).append(place)
    groups = list(alike.values())
    sized = [Example(tuple(prompts[place] for place in group)) for group in groups]
    return sorted(place for own in ranks.places(sized) for place in groups[own])


def _answer(
    lm: LM,
    chat: Chat,
    rewards: Rewards,
    rows: Mapping[int, Example],
    spec: OnlineSettings,
    seed: int,
) -> Rollouts:
    """Of prompts by their place in the step."""
    if not rows:
        return Rollouts((), {})
    sampling = Sampling(
        max_new_tokens=spec.max_new_tokens,
        temperature=spec.temperature,
        top_p=spec.top_p,
        seed=seed,
        keeps_logps=True,
    )
    each = range(spec.num_generations)
    examples = [row for row in rows.values() for _ in each]
    prompts = [row.sequences[0] for row in examples]
    training = lm.model.training
    lm.model.eval()
    found = generate(
        lm,
        [prompt.input_ids for prompt in prompts],
        stop_ids=chat.stop_ids,
        sampling=sampling,
        numbers=[place * spec.num_generations + k for place in rows for k in each],
    )
    lm.model.train(training)
    said = [_read_generation(chat, *pair) for pair in zip(examples, found, strict=True)]
    scored = rewards.score([_answer_to_judge(*pair) for pair in zip(said, examples, strict=True)])
    trained = [row_of_answer(prompt, g) for prompt, g in zip(prompts, found, strict=True)]
    sampled = [g.logps for g in found]
    rollouts = _by_prompt(trained, scored.totals, sampled, spec.num_generations)
    made = Rollouts(rollouts, {})
    return Rollouts(
        rollouts, {**scored.means, **_metrics_of(made.rewards(), found), **_thoughts(chat, said)}
    )


def _read_generation(chat: Chat, row: Example, generation: Generation) -> Answer:
    """The generation read by the template's marks; the prompt's end shows whether it opened a thought."""
    prompt = chat.tokenizer.decode(row.sequences[0].input_ids[-_PROMPT_END:])
    tools = row.tools if row.tools or not row.columns.get(CALLS_COLUMN) else ()
    return answer_of_tokens(
        chat, generation.ids, prompt=prompt, tools=tools, ended=generation.stopped
    )


def _answer_to_judge(answer: Answer, row: Example) -> PolicyAnswer:
    """What rewards see of an answer to a prompt. Raises StageError for expected calls that cannot be read."""
    due = Answer("", calls=read_expected_calls(row.columns.get(CALLS_COLUMN)))
    text = text_to_compare(answer, due)
    return PolicyAnswer(text, row.messages, row.columns, answer.ended, answer, row.tools)


def _thoughts(chat: Chat, said: Sequence[Answer]) -> dict[str, float]:
    """Tokens of thought on average, and the share of answers that cannot be read whole."""
    lengths = [
        len(chat.tokenizer(answer.thoughts, add_special_tokens=False)["input_ids"])
        for answer in said
    ]
    return {
        "thought_length": sum(lengths) / len(said),
        "unreadable": sum(bool(answer.fault) for answer in said) / len(said),
    }


def row_of_answer(prompt: EncodedRow, generation: Generation) -> EncodedRow:
    """The answer is learned through its stop token, where the model wrote one."""
    stop = () if generation.stop_id is None else (generation.stop_id,)
    answer = (*generation.ids, *stop)
    return EncodedRow(
        (*prompt.input_ids, *answer),
        (False,) * prompt.num_tokens + (True,) * len(answer),
        prompt.row_id,
    )


def _metrics_of(rewards: torch.Tensor, found: Sequence[Generation]) -> dict[str, float]:
    spread = rewards.std(1).mean() if rewards.shape[1] > 1 else torch.zeros(())
    return {
        "reward": float(rewards.mean()),
        "reward_std": float(spread),
        "length": sum(len(g.ids) for g in found) / len(found),
        "stopped": sum(g.stopped for g in found) / len(found),
    }


@torch.no_grad()
def logps_before(lm: LM, batch: PackedBatch, temperature: float) -> torch.Tensor:
    """log p of the batch's learned tokens under the policy as it is, (N,)."""
    return lm.token_logps(batch, temperature)


@torch.no_grad()
def logps_of_base(lm: LM, batch: PackedBatch, temperature: float) -> torch.Tensor:
    """log p of the batch's learned tokens under the base, (N,)."""
    with lm.reference():
        return lm.token_logps(batch, temperature)


def logps_of_sampler(rollouts: Sequence[Rollout], device: torch.device) -> torch.Tensor:
    """The sampler's log p of the learned tokens of these, packed in their order, (N,)."""
    logps = [logp for rollout in rollouts for each in rollout.sampled for logp in each]
    return torch.tensor(logps, device=device)


def sampler_distance(sampled: torch.Tensor, trained: torch.Tensor) -> dict[str, float]:
    """Schulman's k1 and k2 of KL(sampler || trainer), nats a token, of sampled tokens' log p (N,) by both.

    With d = log p_trainer - log p_sampler, k1 is the mean of -d, which may be below zero, and k2 that of
    d^2 / 2 (http://joschu.net/blog/kl-approx.html). Both are 0 where sampler and trainer compute alike."""
    difference = trained.float() - sampled
    return {
        "sampler_k1": float(-difference.mean()),
        "sampler_k2": float((difference**2 / 2).mean()),
    }


def kl_to_base(logps: torch.Tensor, base: torch.Tensor) -> torch.Tensor:
    """Schulman's estimator of KL(policy || base) from the policy's own tokens, each >= 0; shapes (N,).

    exp(d) - d - 1 with d = log p_base - log p (http://joschu.net/blog/kl-approx.html)."""
    difference = base - logps
    return difference.exp() - difference - 1
