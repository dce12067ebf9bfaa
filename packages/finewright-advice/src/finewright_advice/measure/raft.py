"""The rows that `rag+ft` is trained on: the training rows with passages, as `data raft` makes them.

How often the right document is among the passages: what an arm with passages can know at most."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from finewright.errors import DataError
from finewright.evaluate.arms import answer_of, gold_of, question_of
from finewright.judge.quotes import abstains
from finewright.schema.common import Model, Problem
from finewright.schema.raft import RaftQuestion, RaftSpec
from finewright.schema.rows import Message, Row
from finewright.store.atomic import read_json, write_json
from finewright_advice.measure.arms import Criterion
from finewright_advice.measure.ask import ArmQuestions
from finewright_advice.measure.library import Library
from finewright_advice.measure.rows import ExperimentRows
from finewright_advice.schema.measure import MeasureSpec
from finewright_advice.schema.measure_report import Retrieval

if TYPE_CHECKING:
    from finewright.lm.chat import Chat


class _Found(Model):
    flags: tuple[bool, ...]


_ROUNDED_TO = 64
_NO_LIMIT = 1 << 20


class RaftRows(NamedTuple):
    """The rows with passages, how long the longest is in tokens, and what was left out."""

    rows: list[Row]
    max_length: int
    problems: tuple[Problem, ...]


def raft_rows(rows: Sequence[Row], library: Library, spec: MeasureSpec, chat: "Chat") -> RaftRows:
    """Each training row with as many passages as a prompt has, and an answer that quotes.

    A row becomes none where its documents do not hold its answer; such are counted. Raises DataError where
    none is left."""
    shelf = library.shelf
    made = library.raft(
        RaftSpec(
            distractors=min(20, max(1, shelf.results - 1)),
            gold_share=spec.raft.gold_share,
            unanswerable_share=spec.raft.unanswerable_share,
            max_tokens=_NO_LIMIT,
            seed=spec.seed,
        ),
    )
    found: list[Row] = []
    dropped: Counter[str] = Counter()
    for row in rows:
        if not gold_of(row) and not abstains(answer_of(row)):
            dropped["no_gold"] += 1
            continue
        question = RaftQuestion(question_of(row), answer_of(row), gold_of(row))
        result = made.row(question)
        if not isinstance(result, str):
            found.append(replace(row, messages=(*_before(row), *result["messages"])))
    dropped += made.dropped
    if not found:
        raise DataError(
            "rag+ft: no training row can be given passages: " + _list_counts(dropped),
            hint="each needs `gold`, the ids of the documents that hold its answer; or leave the option out",
        )
    longest = max(
        len(chat.tokens(chat.render_learned(row.messages, row.tools)).ids) for row in found
    )
    problems = (_left_out(dropped, len(rows)),) if dropped else ()
    return RaftRows(found, -(-longest // _ROUNDED_TO) * _ROUNDED_TO, problems)


def _before(row: Row) -> tuple[Message, ...]:
    """What stands before the question: a system prompt, earlier turns."""
    last = max(i for i, message in enumerate(row.messages) if message["role"] == "user")
    return row.messages[:last]


def _left_out(dropped: Counter[str], num_rows: int) -> Problem:
    return Problem(
        level="warning",
        key="measure.arms",
        message=f"rag+ft is trained on {num_rows - dropped.total()} of {num_rows} rows:"
        f" {_list_counts(dropped)}",
    )


def _list_counts(dropped: Counter[str]) -> str:
    return ", ".join(f"{count} {reason}" for reason, count in dropped.items())


def retrieval(
    rows: ExperimentRows, library: Library, criterion: Criterion, asking: ArmQuestions
) -> Retrieval | None:
    """The share of held-out questions with one of their documents among the passages; None where no question
    says which those are."""
    with_gold = [row for row in rows.test if gold_of(row)]
    if not with_gold:
        return None
    shelf, path = library.shelf, asking.folder / "retrieval.json"
    if not path.is_file():
        flags = tuple(
            any(passage.document in gold_of(row) for passage in shelf.passages(question_of(row)))
            for row in with_gold
        )
        write_json(path, _Found(flags=flags).model_dump(mode="json"))
    flags = read_json(path, _Found, hint="remove the file; it is made again").flags
    counts = library.counts()
    return Retrieval(
        found=criterion.share(flags),
        passages=shelf.results,
        documents=counts.documents,
        chunks=counts.chunks,
        embedder=library.spec.embedder,
    )
