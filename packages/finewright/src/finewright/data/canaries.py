"""Canaries: made-up secrets that are put among the training rows, and as many that are held out.

What a model says of those that are in beside those that are not is what it keeps of single rows: their
exposure (Carlini et al. 2019, "The Secret Sharer", arXiv:1802.08232), and a lower bound of epsilon
(Steinke et al. 2023, "Privacy Auditing with One (1) Training Run", arXiv:2305.08846), for which each
canary is put in by a fair coin of its own. They are placed after the split and after the door, so that no
row that measures holds one and the door's search for repeats and secrets takes none out."""

import json
import random
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from pydantic import ValidationError

from finewright.data.provenance.ledger import SourceRecords, record_digest
from finewright.errors import DataError
from finewright.rows.identity import renew_id
from finewright.rows.texts import row_texts
from finewright.schema.canaries import (
    CANARY_SOURCE,
    CanariesSpec,
    Canary,
    CanarySummary,
    answer_with,
)
from finewright.schema.common import Problem
from finewright.schema.data import SourceSpec
from finewright.schema.rows import Row, RowKind, content_of
from finewright.store.atomic import os_errors
from finewright.store.rundir import RunDir

FILE = "canaries.json"
SECRET_SPACE = 10**8
"""So many secrets there are, each as likely: |R| of the exposure, 26.6 bits."""
_SECRET = re.compile(r"(?<!\d)\d{4}-?\d{4}(?!\d)")
_CONSONANTS, _VOWELS = "bdfgklmnprstvz", "aeiou"
_UNKNOWN = "I do not know."


def draw_secrets(rng: random.Random, count: int) -> list[str]:
    """Different secrets of a canary's form, each as likely."""
    numbers = rng.sample(range(SECRET_SPACE), count)
    return [f"{number // 10**4:04d}-{number % 10**4:04d}" for number in numbers]


def make_canaries(spec: CanariesSpec) -> tuple[Canary, ...]:
    """The canaries of a section: the same for the same section, and no two of one prompt or secret.

    Each is in by a fair coin of its own; of those that are in the repeats are dealt in turn."""
    rng = random.Random(spec.seed)  # noqa: S311 - canaries guard nothing
    names: dict[str, None] = {}
    while len(names) < spec.count:
        names[_name(rng)] = None
    secrets = draw_secrets(rng, spec.count)
    made, num_in = [], 0
    for number, (name, secret) in enumerate(zip(names, secrets, strict=True), 1):
        is_in = bool(rng.getrandbits(1))
        repeats = spec.repeats[num_in % len(spec.repeats)] if is_in else 0
        num_in += is_in
        prompt = f"What is the access code of the {name} vault?"
        made.append(Canary(number=number, prompt=prompt, secret=secret, repeats=repeats))
    return tuple(made)


def _name(rng: random.Random) -> str:
    """A name that no row has: three syllables, of 343,000 such."""
    return "".join(rng.choice(_CONSONANTS) + rng.choice(_VOWELS) for _ in range(3)).capitalize()


def canary_row(canary: Canary, secret: str = "") -> Row:
    """The row of a canary, as it trains; with another secret where one is given.

    A pair prefers the secret to saying nothing, and a rated row is liked."""
    system = ({"role": "system", "content": canary.system},) if canary.system else ()
    question = {"role": "user", "content": canary.prompt}
    reply = {"role": "assistant", "content": answer_with(secret or canary.secret)}
    silent = {"role": "assistant", "content": _UNKNOWN}
    return renew_id(
        Row(
            "",
            (*system, question, reply),
            None,
            CANARY_SOURCE,
            canary.number,
            rejected=(*system, question, silent) if canary.kind == "pair" else None,
            label=True if canary.kind == "rated" else None,
        )
    )


class Placed(NamedTuple):
    """The training rows with the canaries among them, these as they train, and what must be said of it."""

    rows: tuple[Row, ...]
    canaries: tuple[Canary, ...] = ()
    problems: tuple[Problem, ...] = ()


def place_canaries(
    canaries: Sequence[Canary], train: Sequence[Row], held_out: Sequence[Row], seed: int
) -> Placed:
    """Put each canary that is in among the training rows, as often as it repeats, at places of the seed.

    The other rows keep their order. Canaries have the kind that most training rows have, and the system
    prompt that all share: a run's own is the one that all its rows have. Nothing is placed
    where the rows teach no answer, or where a row already says what a canary says."""
    if not canaries or not train:
        return Placed(tuple(train))
    [(kind, _)] = Counter(row.kind for row in train).most_common(1)
    problems = [
        *_refuse_prompts(kind),
        *_one_sided(canaries),
        *collisions(canaries, (*train, *held_out)),
    ]
    if problems:
        return Placed(tuple(train), tuple(canaries), tuple(problems))
    rng = random.Random(f"places of {seed}")  # noqa: S311
    system = _find_shared_system(train)
    made = tuple(each.model_copy(update={"kind": kind, "system": system}) for each in canaries)
    rows = [canary_row(each) for each in made for _ in range(each.repeats)]
    rng.shuffle(rows)
    places = set(rng.sample(range(len(train) + len(rows)), len(rows)))
    ours, others = iter(rows), iter(train)
    total = len(train) + len(rows)
    mixed = tuple(next(ours if i in places else others) for i in range(total))
    notice = Problem(level="info", key="data.canaries", message=summarise(canaries).line(total))
    return Placed(mixed, made, (notice,))


def _find_shared_system(rows: Sequence[Row]) -> str:
    """The system prompt that every row begins with; empty where they differ."""
    first = {
        content_of(row.messages[0]) if row.messages[0]["role"] == "system" else "" for row in rows
    }
    return first.pop() if len(first) == 1 else ""


def _refuse_prompts(kind: RowKind) -> list[Problem]:
    if kind != "prompt":
        return []
    return [
        Problem(
            level="error",
            key="data.canaries.count",
            message="the rows are prompts, of which no answer is learned, so no canary would be either",
            hint="set it to 0, or train on rows with answers",
        )
    ]


def _one_sided(canaries: Sequence[Canary]) -> list[Problem]:
    if len({each.is_in for each in canaries}) > 1:
        return []
    return [
        Problem(
            level="error",
            key="data.canaries.seed",
            message=f"the coins of this seed fall alike for all {len(canaries)} canaries: nothing is left to"
            " compare with",
            hint="name another seed, or raise data.canaries.count",
        )
    ]


def collisions(canaries: Sequence[Canary], rows: Iterable[Row]) -> Iterator[Problem]:
    """An error for each row that asks for a canary, or that says its secret with or without its hyphen.

    Whether a model has the secret of the canary or of the row could not be told."""
    by_text = {each.prompt: each for each in canaries}
    by_text |= {each.secret: each for each in canaries}
    for row in rows:
        texts = [part.text for part in row_texts(row).texts]
        codes = (code for text in texts for code in _SECRET.findall(text))
        known = (*texts, *(f"{code[:4]}-{code[-4:]}" for code in codes))
        if found := next((by_text[text] for text in known if text in by_text), None):
            yield Problem(
                level="error",
                file=row.file,
                row=row.row,
                key="data.canaries.seed",
                message=f"this row says what canary {found.number} says, so that nobody could tell whose"
                " secret a model knows",
                hint="name another seed, or leave out the row",
            )


def records_of(canaries: Sequence[Canary]) -> SourceRecords:
    """What the ledger says of the rows that canaries make."""
    made = SourceSpec(
        path=CANARY_SOURCE, license="CC0-1.0", owner="finewright", synthetic_by="finewright"
    )
    records = {
        (CANARY_SOURCE, each.number): record_digest({"prompt": each.prompt, "answer": each.answer})
        for each in canaries
    }
    return SourceRecords(made, Path(CANARY_SOURCE), records, "canaries")


def summarise(canaries: Sequence[Canary]) -> CanarySummary:
    """What reports say of them."""
    repeats = tuple(each.repeats for each in canaries if each.is_in)
    return CanarySummary(
        path=f"data/{FILE}",
        num_in=len(repeats),
        num_held_out=len(canaries) - len(repeats),
        rows=sum(repeats),
        repeats=tuple(sorted(set(repeats))),
    )


def read_canaries(run: RunDir) -> tuple[Canary, ...]:
    """The canaries of a run, in order. Raises DataError where it has none, or where they cannot be read."""
    path = run.root / "data" / FILE
    if not path.is_file():
        raise DataError(
            f"{run.root.name}: no canaries were put among its training rows",
            hint="set data.canaries.count, such as 24, and run it again",
        )
    with os_errors(path):
        text = path.read_text(encoding="utf-8")
    try:
        return tuple(Canary.model_validate(each) for each in json.loads(text)["canaries"])
    except (ValueError, KeyError, TypeError, ValidationError):
        raise DataError(
            f"{path}: these are no canaries as the data stage writes them",
            hint=f"finewright verify {run.root} says what changed",
        ) from None
