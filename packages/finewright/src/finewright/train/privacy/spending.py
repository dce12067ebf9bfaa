"""What a private training has spent by its end, and what an attack with canaries proves of it."""

import json
from collections.abc import Sequence
from pathlib import Path

import torch

from finewright.lm.batch import split
from finewright.lm.chat import Chat
from finewright.lm.encode import encode_row
from finewright.lm.model import LM
from finewright.schema.canaries import CANARY_SOURCE, Canary
from finewright.schema.differential_privacy import PrivacySpent
from finewright.schema.rows import Row
from finewright.train.privacy.audit import prove_epsilon, refuse_contradiction
from finewright.train.privacy.planned import account_spending
from finewright.train.training import Training

_BATCH_TOKENS = 1024


def find_spending(training: Training, steps: int) -> PrivacySpent | None:
    """What so many steps spent, audited where canaries were placed; None without `train.privacy`.

    Raises StageError where the audit proves more than was accounted for."""
    work, private = training.work, training.work.private
    if private is None or work.spec.privacy is None:
        return None
    planned = private.spent
    mechanism = private.mechanism._replace(steps=steps)
    spent = account_spending(
        work.spec.privacy, mechanism, planned.delta, planned.units, planned.rows_left_out
    )
    if canaries := _canaries(work.context.run.root / "data" / "canaries.json"):
        scores = canary_scores(training.lm, work.chat, canaries)
        proven = prove_epsilon(scores, [each.is_in for each in canaries], spent.delta)
        refuse_contradiction(proven, spent.epsilon)
        update = {"audited": proven, "audit_canaries": len(canaries)}
        spent = spent.model_copy(update=update)
    return spent


def _canaries(path: Path) -> list[Canary]:
    """Those that the data stage wrote; none where none were asked for."""
    if not path.is_file():
        return []
    found = json.loads(path.read_text(encoding="utf-8"))["canaries"]
    return [Canary.model_validate(each) for each in found]


def _row(canary: Canary) -> Row:
    question = {"role": "user", "content": canary.prompt}
    answer = {"role": "assistant", "content": canary.answer}
    return Row("", (question, answer), None, CANARY_SOURCE, canary.number)


@torch.no_grad()
def canary_scores(lm: LM, chat: Chat, canaries: Sequence[Canary]) -> list[float]:
    """How much likelier each canary's answer is to the model than to its base, in nats."""
    lm.model.eval()
    rows = [encode_row(chat, _row(each)) for each in canaries]
    numbers = {id(row): number for number, row in enumerate(rows)}
    scores = [0.0] * len(rows)
    for part in split(rows, _BATCH_TOKENS):
        batch = lm.pack([[row] for row in part])
        gained = lm.token_logps(batch)
        with lm.reference():
            gained = gained - lm.token_logps(batch)
        sums = torch.zeros(len(part), device=lm.device).index_add(0, batch.sequence_of, gained)
        for row, score in zip(part, sums.tolist(), strict=True):
            scores[numbers[id(row)]] = score
    return scores
