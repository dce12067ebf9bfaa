"""A reward model out of its run, as a reward for another one."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch

from finewright.errors import DataError, StoreError
from finewright.lm.chat import Chat, Rendered
from finewright.lm.encode import encode_row
from finewright.lm.example import EncodedRow
from finewright.lm.load import load_lm
from finewright.lm.load_chat import chat_of
from finewright.lm.marks import CONTENT
from finewright.lm.model import LM
from finewright.lm.score_head import load_head, scores
from finewright.schema.rows import Row
from finewright.store.rundir import open_run
from finewright.store.speclock import lock_of
from finewright.train.rewards import PolicyAnswer, rating_candidate, turn_of_answer
from finewright.train.trained import find_trained_base

_AT_ONCE = 16


def load_reward_model(path: Path) -> Callable[[Sequence[PolicyAnswer]], list[float]]:
    """What gives answers the run's rewards. Raises StoreError when the run trained no reward model, or its
    files or its base have changed."""
    run = open_run(path)
    candidate = rating_candidate(run)
    base, lock = find_trained_base(run, candidate), lock_of(run)
    consent = lock.spec.remote_code.get(base.name, "")
    dtype = lock.candidates[base.name].dtype
    assert dtype != "auto"
    folder = run.root / candidate.adapter
    lm = load_lm(base, folder, dtype=dtype, consent=consent)
    head = load_head(folder, lm.device)
    if head is None:
        raise StoreError(f"{folder}: the reward model's head is missing", hint="train it again")
    chat = chat_of(base, lock.spec)
    lm.model.eval()
    return lambda answers: _rate(lm, head, chat, answers)


@torch.inference_mode()
def _rate(
    lm: LM, head: torch.nn.Linear, chat: Chat, answers: Sequence[PolicyAnswer]
) -> list[float]:
    """The head's number for each answer in its conversation."""
    rated: list[float] = []
    for start in range(0, len(answers), _AT_ONCE):
        some = answers[start : start + _AT_ONCE]
        batch = lm.pack([[tokens_to_rate(chat, answer)] for answer in some])
        rated += scores(lm, head, batch).tolist()
    return rated


def tokens_to_rate(chat: Chat, answer: PolicyAnswer) -> EncodedRow:
    """The conversation with the answer as the reward model reads it.

    A policy writes anything, so marks of thoughts that a template would take for its own (`a</think>b`) are
    read as the characters they are. Raises DataError where the template has no words for calls."""
    turn = turn_of_answer(answer)
    try:
        return encode_row(chat, _conversation(answer, turn))
    except DataError:
        if turn.get("tool_calls"):
            raise
    row = _conversation(answer, {**turn, "content": CONTENT})
    rendered, content = chat.render_learned(row.messages, row.tools), str(turn["content"])
    before, _, after = rendered.text.rpartition(CONTENT)
    inside = range(len(before) + 1, len(before) + len(content))
    text, breaks = f"{before}{content}{after}", (*(rendered.breaks or ()), *inside)
    ids = tuple(chat.tokens(Rendered(text, (), breaks)).ids)
    return EncodedRow(ids, (True,) * len(ids))


def _conversation(answer: PolicyAnswer, turn: dict[str, Any]) -> Row:
    tools = tuple(map(dict, answer.tools)) if answer.tools else None
    return Row("", (*map(dict, answer.messages), turn), tools, "", 0)
