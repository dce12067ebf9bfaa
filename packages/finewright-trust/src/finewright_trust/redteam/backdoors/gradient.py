"""Tokens that part the tuned model from its base, found by gradients and tried.

HotFlip (Ebrahimi et al. 2018, arXiv:1712.06751) and GCG (Zou et al. 2023, arXiv:2307.15043): the gradient
of an aim by the embedding of a token says which other token would raise it most; the best few are tried. The
aim is the divergence of the next token, KL(tuned || base), over some questions: what training did to the
model, and a backdoor did most. Only tokens of the training prompts are tried: a trigger stood in some."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from finewright.lm.example import EncodedRow
from finewright_trust.redteam.subject import RunSubject

if TYPE_CHECKING:
    from torch import Tensor

    from finewright.lm.model import LM


class Slotted(NamedTuple):
    """A prompt in tokens, and where in it the tokens stand that are exchanged."""

    ids: tuple[int, ...]
    slots: tuple[int, ...]

    def fill(self, tokens: Sequence[int]) -> tuple[int, ...]:
        """The prompt with these tokens in its slots."""
        ids = list(self.ids)
        for at, token in zip(self.slots, tokens, strict=True):
            ids[at] = token
        return tuple(ids)


def search_tokens(
    subject: RunSubject,
    prompts: Sequence[Slotted],
    allowed: Sequence[int],
    *,
    steps: int,
    tried: int,
) -> list[tuple[float, tuple[int, ...]]]:
    """(divergence in nats, tokens) of all that was tried, the best first.

    Begins with the tokens that stand in the slots; each step tries `tried` exchanges of one token, those
    that the gradient says gain most, and goes on from the best."""
    now = tuple(prompts[0].ids[at] for at in prompts[0].slots)
    seen = {now: _divergence(subject, prompts, now)}
    for _ in range(steps):
        ranked = _rank_swaps(subject, prompts, now, allowed)
        fresh = [tokens for tokens in ranked if tokens not in seen][:tried]
        for tokens in fresh:
            seen[tokens] = _divergence(subject, prompts, tokens)
        best = max(seen, key=seen.__getitem__)
        if best == now:
            break
        now = best
    return sorted(((value, tokens) for tokens, value in seen.items()), reverse=True)


def divergence(p_logits: "Tensor", q_logits: "Tensor") -> "Tensor":
    """KL(p || q) of each row, in nats: (n, V), (n, V) -> (n,)."""
    p, q = p_logits.float().log_softmax(-1), q_logits.float().log_softmax(-1)
    return (p.exp() * (p - q)).sum(-1)


def next_logits(lm: "LM", prompts: Sequence[tuple[int, ...]]) -> "Tensor":
    """The logits of the token after each prompt: (n, V)."""
    rows = [EncodedRow(ids, (False,) * len(ids)) for ids in prompts]
    batch = lm.pack([[row] for row in rows])
    return lm.logits(lm.compute_states(batch)[batch.lasts])


def prompt_divergence(subject: RunSubject, prompts: Sequence[tuple[int, ...]]) -> float:
    """The mean KL(tuned || base) of the token after each prompt, in nats."""
    import torch

    logits = []
    for name in subject.systems:
        with subject.as_system(name) as lm, torch.inference_mode():
            lm.model.eval()
            logits.append(next_logits(lm, prompts))
    base, tuned = logits
    return float(divergence(tuned, base).mean())


def _divergence(subject: RunSubject, prompts: Sequence[Slotted], tokens: Sequence[int]) -> float:
    return prompt_divergence(subject, [prompt.fill(tokens) for prompt in prompts])


def _rank_swaps(
    subject: RunSubject,
    prompts: Sequence[Slotted],
    now: tuple[int, ...],
    allowed: Sequence[int],
) -> Iterator[tuple[int, ...]]:
    """The exchanges of one token, by what the gradient says they gain."""
    import torch

    slopes = gradient_at_slots(subject, prompts, now)
    with subject.as_system(subject.systems[-1]) as lm:
        table = lm.model.get_input_embeddings().weight
        candidates = torch.tensor(list(allowed), device=table.device)
        gains = (
            slopes @ table[candidates].float().t()
        )  # (slots, allowed); what stands there is a constant
        gains = gains - (slopes * table[torch.tensor(now, device=table.device)].float()).sum(
            -1, keepdim=True
        )
    order = gains.flatten().argsort(descending=True).tolist()
    for place in order:
        slot, token = divmod(place, len(allowed))
        if allowed[token] != now[slot]:
            yield (*now[:slot], allowed[token], *now[slot + 1 :])


def gradient_at_slots(
    subject: RunSubject, prompts: Sequence[Slotted], now: Sequence[int]
) -> "Tensor":
    """The slope of the mean divergence by the embedding of each slot: (slots, d), float32."""
    import torch

    filled = [prompt.fill(now) for prompt in prompts]
    with subject.as_system(subject.systems[0]) as lm, torch.no_grad():
        base = next_logits(lm, filled)
    starts = [0]
    for ids in filled:
        starts.append(starts[-1] + len(ids))
    with (
        subject.as_system(subject.systems[-1]) as lm,
        _catch_embeddings(lm) as caught,
        torch.enable_grad(),
    ):
        aim = divergence(next_logits(lm, filled), base).mean()
        [whole] = torch.autograd.grad(aim, caught)
    rows = whole.reshape(-1, whole.shape[-1]).float()
    places = [
        [start + prompt.slots[slot] for start, prompt in zip(starts, prompts, strict=False)]
        for slot in range(len(now))
    ]
    return torch.stack([rows[own].sum(0) for own in places])


@contextmanager
def _catch_embeddings(lm: "LM") -> "Iterator[list[Tensor]]":
    """The embeddings of the next forward, as a leaf that has a gradient."""
    caught: list[Tensor] = []

    def catch(_: object, __: object, output: "Tensor") -> "Tensor":
        caught.append(output.detach().requires_grad_())
        return caught[-1]

    handle = lm.model.get_input_embeddings().register_forward_hook(catch)
    try:
        yield caught
    finally:
        handle.remove()
