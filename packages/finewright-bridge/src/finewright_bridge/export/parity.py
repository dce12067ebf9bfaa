"""The same prompts through a training's own model and through what was exported of it.

Greedy answers are compared token by token. Where two answers part, it matters how: if the export's token is
nearly as likely to the model itself, rounding decided; if it is far below, the export is another model. How
near that is, is measured on the answers that are the same: where log-probabilities lie at most d apart there,
two tokens less than 2 d apart may change places.

What is asked of a run's model and of its export: prompts of the run's own rows."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import torch

from finewright.errors import DataError
from finewright.lm.batch import pack
from finewright.lm.example import EncodedRow
from finewright.lm.generate import Sampling, generate
from finewright.lm.model import LM
from finewright.rows.texts import draw_rows
from finewright.schema.common import without
from finewright.schema.rows import Row, parse_rows
from finewright.schema.run import DAY
from finewright.store.atomic import os_errors
from finewright.store.rundir import RunDir

if TYPE_CHECKING:
    from finewright.lm.chat import Chat


@dataclass(frozen=True, slots=True)
class ParityPrompts:
    """Prompts, and the conversations that they are, as an OpenAI request has them; `left_out` rows spell
    control tokens in their contents, which other programs read as such whatever the model is."""

    prompts: "Sequence[Prompt]"
    conversations: Sequence[dict[str, Any]]
    left_out: int


class Prompt(NamedTuple):
    """A prompt as tokens, and as the text that they are."""

    ids: tuple[int, ...]
    text: str


@dataclass(frozen=True, slots=True)
class GreedyAnswer:
    """A greedy answer with the token that ended it, or None; `logps` are of `tokens`, None where nobody gave
    one for each."""

    ids: tuple[int, ...]
    stop_id: int | None
    logps: tuple[float, ...] | None = None

    @property
    def tokens(self) -> tuple[int, ...]:
        """All that was chosen: an end is a choice too."""
        return self.ids if self.stop_id is None else (*self.ids, self.stop_id)


@dataclass(frozen=True, slots=True)
class Distances:
    """How far an export's answers are from the model's own.

    `same` of `prompts` answers have the same tokens and the same end; `ties` others part where no token of
    the export lies more than `rounding` below the model's own choice: twice the largest difference of the
    same answers' log-probabilities, nats. `gap_max`: the farthest that a token of the export, the one that
    ends it included, lies below the model's own choice; infinite where an answer breaks off before its time.
    `logp_mean` and `logp_max`: absolute differences of `compared` tokens' log-probabilities."""

    prompts: int
    same: int
    ties: int
    rounding: float
    gap_max: float
    logp_mean: float
    logp_max: float
    compared: int


@torch.inference_mode()
def own_answers(
    lm: LM, prompts: Sequence[Prompt], stop_ids: frozenset[int], max_new_tokens: int
) -> list[GreedyAnswer]:
    """The model's own greedy answers, with the log-probabilities of their tokens."""
    sampling = Sampling(max_new_tokens)
    made = generate(lm, [prompt.ids for prompt in prompts], stop_ids=stop_ids, sampling=sampling)
    found = []
    for prompt, each in zip(prompts, made, strict=True):
        answer = GreedyAnswer(each.ids, each.stop_id)
        logps, _ = _under(lm, prompt.ids, answer.tokens)
        found.append(GreedyAnswer(each.ids, each.stop_id, tuple(logps)))
    return found


@torch.inference_mode()
def distances(
    lm: LM,
    prompts: Sequence[Prompt],
    own: Sequence[GreedyAnswer],
    theirs: Sequence[GreedyAnswer],
    max_new_tokens: int,
) -> Distances:
    """The export's answers under the model itself: each token in the place where the export chose it."""
    gaps, parted, differences, of_same = [0.0], list[float](), list[float](), list[float]()
    for prompt, ours, other in zip(prompts, own, theirs, strict=True):
        found, gap = _compare_answer(lm, prompt, other, max_new_tokens)
        gaps.append(gap)
        differences += found
        if ours.tokens == other.tokens:
            of_same += found
        else:
            parted.append(gap)
    rounding = 2 * max(of_same, default=0.0)
    return Distances(
        prompts=len(prompts),
        same=len(prompts) - len(parted),
        ties=sum(gap <= rounding for gap in parted),
        rounding=rounding,
        gap_max=max(gaps),
        logp_mean=sum(differences) / max(1, len(differences)),
        logp_max=max(differences, default=0.0),
        compared=len(differences),
    )


def _compare_answer(
    lm: LM, prompt: Prompt, answer: GreedyAnswer, max_new_tokens: int
) -> tuple[list[float], float]:
    """How far each log-probability of an answer is from the model's, and its farthest token from the best."""
    breaks_off = answer.stop_id is None and len(answer.ids) < max_new_tokens
    if not answer.tokens:
        return [], math.inf if breaks_off else 0.0
    logps, gap = _under(lm, prompt.ids, answer.tokens)
    pairs = () if answer.logps is None else zip(logps, answer.logps, strict=True)
    return [abs(a - b) for a, b in pairs], math.inf if breaks_off else gap


def _under(lm: LM, prompt: tuple[int, ...], ids: tuple[int, ...]) -> tuple[list[float], float]:
    """log p of the answer's tokens under the model, and how far the worst lies below the best there."""
    row = EncodedRow((*prompt, *ids), (False,) * len(prompt) + (True,) * len(ids), "answer")
    batch = pack([row], lm.device)
    scores = lm.logits(lm.compute_states(batch)[batch.sources]).float().log_softmax(-1)
    own = scores.gather(-1, batch.targets[:, None]).squeeze(-1)
    return own.tolist(), float((scores.max(-1).values - own).max())


def prompts_of(run: RunDir, chat: "Chat", number: int) -> ParityPrompts:
    """Rows that were held out first, then rows that were trained on; drawn by a fixed seed."""
    from finewright_bridge.export.folder import of_the_day

    given, chat = without(chat.options, (DAY,)), of_the_day(chat)
    switches = {"chat_template_kwargs": given} if given else {}
    prompts, conversations, left_out = [], [], 0
    for row in _read_prompt_rows(run, number):
        shown = chat.prompt(row.prompt, row.tools)
        ids = tuple(chat.tokens(shown).ids)
        if ids != as_text(chat, shown.text):
            left_out += 1
            continue
        prompts.append(Prompt(ids, shown.text))
        tools = {"tools": list(row.tools)} if row.tools else {}
        messages = [{k: v for k, v in turn.items() if k != "weight"} for turn in row.prompt]
        conversations.append({"messages": messages, **tools, **switches})
    if not prompts:
        raise DataError(f"{run.root}: none of its rows asks anything that could be compared")
    return ParityPrompts(prompts, conversations, left_out)


def as_text(chat: "Chat", text: str) -> tuple[int, ...]:
    """The tokens of a text in which control tokens are what they spell, as every server cuts it."""
    ids: list[int] = chat.tokenizer(text, add_special_tokens=False)["input_ids"]
    return tuple(ids)


def _read_prompt_rows(run: RunDir, number: int) -> list[Row]:
    rows: list[Row] = []
    for name in ("eval.jsonl", "train.jsonl"):
        path = run.root / "data" / name
        if path.is_file() and len(rows) < number:
            with os_errors(path):
                found = parse_rows(path.read_text(encoding="utf-8"))
            asking = [row for row in found if row.prompt]
            rows += draw_rows(asking, number - len(rows), 0).rows
    return rows
