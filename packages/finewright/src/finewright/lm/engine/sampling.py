"""The next token of each row of logits, by each row's own wishes and random numbers.

A row draws one uniform number and takes the token at which its distribution's running sum passes it. So an
answer's tokens hang on its own logits and seed alone, not on what else is in the batch; where rounding of
another batch size moves a logit, a token can differ only if its number lies within that of a border.

The highest of each row of logits, which is all that greedy answers need of them."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random
from typing import NamedTuple

import torch
from torch import Tensor

from finewright.lm.engine.requests import TokenLogprob, TokenSampling

_PART = 256  # logits of which the highest is found at once


class HighestLogits(NamedTuple):
    """Of rows of logits (N, V): the highest (N,), NaN in a row that has a NaN, and the first token that has
    it (N,)."""

    values: Tensor
    tokens: Tensor


# Tokens that are looked at where a nucleus is wanted; a row whose nucleus is larger is sorted whole.
_CANDIDATES = 256
_COLDEST = 1e-6  # below it, a quotient of logits is no float32 number
_NOT_FINITE = "the model's logits are not finite"
_NOTHING = "no token is allowed"


@dataclass(slots=True)
class RowSampling:
    """A row's wishes and their state: its random numbers, and the tokens of prompt and answer."""

    wishes: TokenSampling
    random: Random
    prompt: frozenset[int] = frozenset()
    written: Counter[int] = field(default_factory=Counter)
    last: int = 0
    """The token before the next one."""

    @classmethod
    def of(cls, wishes: TokenSampling, answer: int, prompt: Sequence[int]) -> "RowSampling":
        """Of an answer's number; each has its own random numbers."""
        seen = frozenset(prompt) if wishes.repetition_penalty != 1 else frozenset()
        random = Random(f"{wishes.seed}/{answer}")  # noqa: S311 - no secret
        return cls(wishes, random, seen, last=prompt[-1] if prompt else 0)

    def add(self, token: int) -> None:
        """A token was written."""
        self.written[token] += 1
        self.last = token

    @property
    def is_plain(self) -> bool:
        """Whether the likeliest token is taken, whatever was written."""
        return not (self.wishes.temperature or self.weighs)

    @property
    def weighs(self) -> bool:
        """Whether some logits are changed before a token is chosen."""
        w = self.wishes
        penalties = w.presence_penalty, w.frequency_penalty
        is_biased = bool(w.logit_bias) or w.watermark is not None
        return w.repetition_penalty != 1 or any(penalties) or is_biased

    def weigh(self, logits: Tensor) -> None:
        """Change a row of logits (V,), in place."""
        w = self.wishes
        if w.repetition_penalty != 1 and (seen := self.prompt | self.written.keys()):
            at = _ids(seen, logits)
            old = logits[at]
            logits[at] = torch.where(
                old > 0, old / w.repetition_penalty, old * w.repetition_penalty
            )
        if self.written and (w.presence_penalty or w.frequency_penalty):
            counts = torch.tensor(list(self.written.values()), device=logits.device)
            logits[_ids(self.written, logits)] -= w.presence_penalty + w.frequency_penalty * counts
        if w.logit_bias:
            bias = torch.tensor(list(w.logit_bias.values()), device=logits.device)
            logits[_ids(w.logit_bias, logits)] += bias
        if w.watermark is not None:
            green = w.watermark.green(self.last, len(logits)).to(logits.device)
            logits += w.watermark.bias * green


class ChosenToken(NamedTuple):
    """A token, or why there is none."""

    token: int
    error: str = ""


def likeliest_of(highest: HighestLogits) -> list[ChosenToken]:
    """The next token of rows of which nothing but the likeliest is wanted."""
    rows = zip(highest.tokens.tolist(), highest.values.isfinite().tolist(), strict=True)
    return [ChosenToken(token, "" if is_finite else _NOT_FINITE) for token, is_finite in rows]


def choose(
    logits: Tensor, rows: Sequence[RowSampling], allowed: Sequence[Tensor | None]
) -> list[ChosenToken]:
    """The next token of each row; logits (B, V) are not changed. `allowed` (V,) are those that may come."""
    highest, likeliest = highest_of(logits)
    errors = ["" if each else _NOT_FINITE for each in highest.isfinite().tolist()]
    if any(row.weighs for row in rows) or any(mask is not None for mask in allowed):
        logits = _weigh(logits, rows, allowed)
        highest, likeliest = highest_of(logits)
        for i, is_finite in enumerate(highest.isfinite().tolist()):
            errors[i] = errors[i] or ("" if is_finite else _NOTHING)
    tokens = likeliest.tolist()
    drawn = [i for i, row in enumerate(rows) if row.wishes.temperature and not errors[i]]
    if drawn:
        some = logits if len(drawn) == len(rows) else logits[drawn]
        found = _draw(some, [rows[i] for i in drawn])
        for i, token in zip(drawn, found, strict=True):
            tokens[i] = token
    return [ChosenToken(*pair) for pair in zip(tokens, errors, strict=True)]


def _weigh(logits: Tensor, rows: Sequence[RowSampling], allowed: Sequence[Tensor | None]) -> Tensor:
    """A copy in which every row has its penalties and biases, and none of what it may not write."""
    logits = logits.clone()
    for i, (row, mask) in enumerate(zip(rows, allowed, strict=True)):
        if row.weighs:
            row.weigh(logits[i])
        if mask is not None:
            logits[i].masked_fill_(~mask.to(logits.device), float("-inf"))
    return logits


def logp_of(logits: Tensor, token: int, temperature: float) -> float:
    """log p of a token under softmax(logits / temperature), of a row of logits (V,)."""
    heated = logits.float() / temperature
    return float(heated[token] - heated.logsumexp(-1))


def logprobs_of(logits: Tensor, token: int, num_likeliest: int) -> TokenLogprob:
    """Of a row of logits (V,)."""
    logps = logits.log_softmax(-1)
    top = logps.topk(min(num_likeliest, len(logps)))
    return TokenLogprob(
        float(logps[token]), tuple(zip(top.indices.tolist(), top.values.tolist(), strict=True))
    )


def _draw(logits: Tensor, rows: Sequence[RowSampling]) -> list[int]:
    device = logits.device
    heat = torch.tensor([row.wishes.temperature for row in rows], device=device)
    heat = heat.clamp(min=_COLDEST)
    logits = logits - logits.amax(-1, keepdim=True)
    numbers = [row.random.random() for row in rows]
    p = (logits / heat[:, None]).softmax(-1)
    cut = [i for i, row in enumerate(rows) if _cuts(row.wishes)]
    whole = sorted({*range(len(rows))} - {*cut})
    found = [0] * len(rows)
    if whole:
        u = torch.tensor([numbers[i] for i in whole], device=device, dtype=torch.float64)
        tokens = _find_passing(p if not cut else p[whole], u).tolist()
        for i, token in zip(whole, tokens, strict=True):
            found[i] = token
    for i in cut:
        found[i] = _of_a_nucleus(p[i], rows[i].wishes, numbers[i])
    return found


def _cuts(wishes: TokenSampling) -> bool:
    return wishes.top_p < 1 or wishes.top_k > 0 or wishes.min_p > 0


def _find_passing(p: Tensor, u: Tensor) -> Tensor:
    """Where the running sum of p (B, n) passes the share u (B,) of it, (B,)."""
    sums = p.cumsum(-1, dtype=torch.float64)
    at = torch.searchsorted(sums, (u * sums[:, -1])[:, None], right=True).squeeze(-1)
    return at.clamp(max=p.shape[-1] - 1)


def _of_a_nucleus(p: Tensor, wishes: TokenSampling, u: float) -> int:
    """A token of p (V,) by top-k (Fan et al. 2018, arXiv:1805.04833), then the fewest that reach top-p
    (Holtzman et al. 2020, arXiv:1904.09751), and min-p (Nguyen et al. 2024, arXiv:2407.01082)."""
    size = min(_CANDIDATES, len(p))
    kept, order = _keep_nucleus(p, wishes, size)
    if bool(kept[-1] > 0) and size < len(p):
        kept, order = _keep_nucleus(p, wishes, len(p))
    draw = torch.tensor([u], device=p.device, dtype=torch.float64)
    return int(order[_find_passing(kept[None], draw)])


def _keep_nucleus(p: Tensor, wishes: TokenSampling, size: int) -> tuple[Tensor, Tensor]:
    """The likeliest tokens, in order, with zero for those outside the nucleus."""
    ordered, order = p.topk(size)
    if wishes.top_k:
        ordered[wishes.top_k :] = 0.0
    whole = ordered.sum() if wishes.top_k else 1.0
    before = ordered.cumsum(-1) - ordered
    outside = (before >= wishes.top_p * whole) | (ordered < wishes.min_p * ordered[0])
    if wishes.top_p == 1:
        outside = ordered < wishes.min_p * ordered[0]
    return ordered.masked_fill(outside, 0.0), order


def _ids(tokens: object, logits: Tensor) -> Tensor:
    return torch.tensor(list(tokens), dtype=torch.long, device=logits.device)  # type: ignore[call-overload]


def highest_of(logits: Tensor) -> HighestLogits:
    """`logits.max(-1)` of (N, V), whose kernel on a CPU takes one number at a time: first which part of a row
    has it, by a kernel that takes sixteen, then where in that part."""
    size, width = _PART, logits.shape[-1]
    if width < size:
        return HighestLogits(*logits.max(-1))
    whole = width // size * size
    parts = logits[:, :whole].reshape(len(logits), whole // size, size).amax(-1)
    if whole < width:
        parts = torch.cat([parts, logits[:, whole:].amax(-1, keepdim=True)], 1)
    highest, part = parts.max(-1)
    start = (part * size).clamp(max=width - size)
    window = logits.gather(1, start[:, None] + torch.arange(size, device=logits.device))
    return HighestLogits(highest, start + window.argmax(-1))
