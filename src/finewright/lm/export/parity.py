"""The same prompts through a training's own model and through what was exported of it.

Greedy answers are compared token by token. Where two answers part, it matters how: if the export's token is
nearly as likely to the model itself, rounding decided; if it is far below, the export is another model."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch

from finewright.lm.batch import EncodedRow, pack
from finewright.lm.generate import Sampling, generate
from finewright.lm.model import LM


class Prompt(NamedTuple):
    """A prompt as tokens, and as the text that they are."""

    ids: tuple[int, ...]
    text: str


@dataclass(frozen=True, slots=True)
class GreedyAnswer:
    """A greedy answer; `logps` are of its tokens, None where nobody gave one for each."""

    ids: tuple[int, ...]
    ended: bool
    logps: tuple[float, ...] | None = None


@dataclass(frozen=True, slots=True)
class Distances:
    """How far an export's answers are from the model's own.

    `same` of `prompts` answers have the same tokens and the same end. `gap_max`: the farthest that a token of
    the export lies below the model's own choice, in nats. `logp_mean` and `logp_max`: absolute differences of
    `compared` tokens' log-probabilities, nats."""

    prompts: int
    same: int
    ended_otherwise: int
    gap_max: float
    logp_mean: float
    logp_max: float
    compared: int


@torch.inference_mode()
def own_answers(
    lm: LM, prompts: Sequence[Prompt], stop_ids: frozenset[int], max_new_tokens: int
) -> list[GreedyAnswer]:
    """The model's own greedy answers."""
    made = generate(
        lm,
        [prompt.ids for prompt in prompts],
        stop_ids=stop_ids,
        sampling=Sampling(max_new_tokens),
    )
    return [GreedyAnswer(each.ids, each.stopped) for each in made]


@torch.inference_mode()
def distances(
    lm: LM,
    prompts: Sequence[Prompt],
    own: Sequence[GreedyAnswer],
    theirs: Sequence[GreedyAnswer],
) -> Distances:
    """The export's answers under the model itself: each token in the place where the export chose it."""
    same = ended_otherwise = 0
    gaps, differences = [0.0], []
    for prompt, ours, other in zip(prompts, own, theirs, strict=True):
        is_same = ours.ids == other.ids
        same += is_same and ours.ended == other.ended
        ended_otherwise += is_same and ours.ended != other.ended
        if not other.ids:
            continue
        logps, gap = _under(lm, prompt.ids, other.ids)
        gaps.append(gap)
        if other.logps is not None:
            pairs = zip(logps, other.logps, strict=True)
            differences += [abs(a - b) for a, b in pairs]
    return Distances(
        prompts=len(prompts),
        same=same,
        ended_otherwise=ended_otherwise,
        gap_max=max(gaps),
        logp_mean=sum(differences) / max(1, len(differences)),
        logp_max=max(differences, default=0.0),
        compared=len(differences),
    )


def _under(lm: LM, prompt: tuple[int, ...], ids: tuple[int, ...]) -> tuple[list[float], float]:
    """log p of the answer's tokens under the model, and how far the worst lies below the best there."""
    row = EncodedRow((*prompt, *ids), (False,) * len(prompt) + (True,) * len(ids), "answer")
    batch = pack([row], lm.device)
    scores = lm.logits(lm.hidden(batch)[batch.sources]).float().log_softmax(-1)
    own = scores.gather(-1, batch.targets[:, None]).squeeze(-1)
    return own.tolist(), float((scores.max(-1).values - own).max())
