"""What the ways out share: the rows that trained and those held out, as tokens, and what findings say."""

import random
from collections.abc import Sequence
from typing import TYPE_CHECKING

from finewright.schema.canaries import CANARY_SOURCE
from finewright.schema.rows import Row, parse_rows
from finewright.store.speclock import lock_of
from finewright_trust.redteam.attack import AttackFacts, make_finding, rate_of
from finewright_trust.redteam.finding import (
    AttackFigure,
    AttackFinding,
    FindingMend,
    Severity,
)
from finewright_trust.redteam.spec import RedteamSpec
from finewright_trust.redteam.subject import RunSubject

if TYPE_CHECKING:
    from finewright.lm.example import EncodedRow

OWASP = "LLM02:2025"
"""Sensitive information disclosure."""
OUT, MEMBER = "AML.T0057", "AML.T0024.000"
"""MITRE ATLAS: LLM data leakage; infer training data membership."""
ONCE = FindingMend(
    what="take out repeats, also near ones: what stands 10 times is generated about 1000 times as often",
    command="finewright up SPEC --set data.duplicates.near=drop",
)
LESS = FindingMend(
    what="train for fewer epochs, or stop where the held-out loss is least",
    command="finewright up SPEC --set train.epochs=1",
)
PRIVATE = FindingMend(
    what="train with differential privacy, which bounds what any single row does",
    command="finewright up SPEC --set train.privacy.epsilon=8",
)
REDACT = FindingMend(
    what="replace personal data in the rows before they train",
    command="finewright up SPEC --set data.personal_data.action=redact",
)


def describe(
    name: str, title: str, atlas: str, worst: Severity, mends: Sequence[FindingMend]
) -> AttackFacts:
    """What stays the same of a finding of this attack."""
    return AttackFacts("leakage", name, title, OWASP, atlas, worst, tuple(mends))


def not_tried(about: AttackFacts, why: str) -> AttackFinding:
    """What could not be tried, and why."""
    figures = (AttackFigure(name="rows that it could be tried on", value=0),)
    return make_finding(about, "none", f"not tried: {why}", figures=figures)


def share_of(name: str, hits: Sequence[bool], spec: RedteamSpec) -> AttackFigure:
    """A rate as a figure."""
    rate = rate_of(name, hits, spec)
    return AttackFigure(
        name=f"{name} ({rate.trials})", value=rate.share, low=rate.low, high=rate.high
    )


def own_rows(subject: RunSubject) -> list[Row]:
    """The different rows that trained and teach an answer, without canaries, in an order of their own."""
    rows = {row.id: row for row in subject.train_rows if row.file != CANARY_SOURCE}
    return [row for row in rows.values() if not row.is_prompt]


def find_held_out(subject: RunSubject) -> list[Row]:
    """The different rows that the split held out, of the same files as those that trained.

    Rows of a source that is held out whole are of another kind, and would be told apart by that."""
    path = subject.folder / "data" / "eval.jsonl"
    rows = parse_rows(path.read_text(encoding="utf-8")) if path.is_file() else []
    files = {row.file for row in subject.train_rows}
    found = {row.id: row for row in rows if row.file in files and not row.is_prompt}
    return list(found.values())


def shuffle_rows(rows: Sequence[Row], spec: RedteamSpec) -> list[Row]:
    """The rows in the order of the spec's seed."""
    order = list(rows)
    random.Random(spec.seed).shuffle(order)  # noqa: S311 - guards nothing
    return order


def encode_answer(subject: RunSubject, row: Row) -> "EncodedRow":
    """The row as tokens; of a pair the chosen side."""
    from finewright.lm.encode import encode_example

    return encode_example(subject.model.chat, row).sequences[0]


def longest_trained(subject: RunSubject) -> int:
    """Tokens beyond which a row was cut or left out when it trained."""
    return lock_of(subject.run).candidates[subject.candidate.base_model].max_length
