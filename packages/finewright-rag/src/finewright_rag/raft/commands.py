"""The command `finewright data raft`: its options, and the one call that it is."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel

from finewright.feature import Session
from finewright.schema.options import CommandOptions, Flag, argument, option


class RaftOptions(CommandOptions):
    """Which questions, from which documents, and how rows are made of them."""

    questions: Annotated[Path, argument("QUESTIONS")] = option(
        ..., "JSONL of `prompt`, `completion` and `gold`, ids of documents."
    )
    target: Annotated[str, argument("SPEC|INDEX")] = option(..., "A spec with `rag`, or an index.")
    out: Path = option(..., "Where the rows go, JSONL.")
    distractors: int = option(4, "Passages a row that do not answer.", ge=1, le=20)
    gold_share: float = option(
        0.8, "Of answerable rows, how many show what answers them.", ge=0, le=1
    )
    unanswerable_share: float = option(0.15, "Of all rows, how many are to say so.", ge=0, le=0.9)
    base_model: str = option(
        "smollm2-135m-instruct", "The model whose tokens are counted; empty: none are."
    )
    max_tokens: int = option(1024, "Longer rows get fewer distractors.", ge=64)
    seed: int = option(0, "Of what is drawn for each row.")
    embedder: str = option("", "That of the index; default: as it says.")
    groups: Annotated[tuple[str, ...], Flag("--group")] = option(
        (), "Show this group's documents too; repeatable. Default: none's."
    )
    all: bool = option(False, "Show the documents of all groups.")


def raft(options: RaftOptions, session: Session) -> BaseModel:
    """Rows that train to answer from passages."""
    from finewright.schema.raft import RaftSpec
    from finewright_rag.indexing.target import access_of
    from finewright_rag.raft.run import raft as run

    o = options
    return run(
        o.questions,
        o.target,
        o.out,
        spec=RaftSpec(**{name: getattr(o, name) for name in RaftSpec.model_fields}),
        embedder=o.embedder,
        access=access_of(o.groups, is_owner=o.all),
        on_progress=_counted(session),
    )


def _counted(session: Session) -> Callable[[int, int], None]:
    return lambda done, total: session.on_event("raft", {"done": done, "total": total})
