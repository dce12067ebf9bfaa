"""The command `finewright data raft`: its options, and the one call that it is.

What `data raft` shows."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel

from finewright.feature import Session
from finewright.report.blocks import Page, Table, lines, section
from finewright.report.cells import list_counts
from finewright.schema.options import CommandOptions, Flag, argument, option
from finewright.schema.raft import RaftReport

_RAFT_KINDS = {
    "with_gold": "the answer's passage is there, and quoted",
    "from_memory": "distractors alone, answered all the same",
    "unanswerable": "distractors alone, and the answer says so",
}


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
        on_progress=_count_to(session),
    )


def _count_to(session: Session) -> Callable[[int, int], None]:
    return lambda done, total: session.on_event("raft", {"done": done, "total": total})


def raft_page(report: RaftReport) -> Page:
    """The rows with documents that were written, by kind."""
    left_out = f", {list_counts(report.rows_dropped)}" if report.rows_dropped else ""
    written = f"{report.rows_written} rows written to {report.out}"
    kinds = [(kind, str(count), _RAFT_KINDS[kind]) for kind, count in sorted(report.kinds.items())]
    has_rows = bool(report.out)
    return Page(
        subject="data",
        title=f"{report.rows_in} questions",
        answer=(written if has_rows else "none becomes a row, so nothing was written") + left_out,
        problems=report.problems,
        sections=[
            *section("", Table(("rows", "count", ""), kinds if has_rows else [])),
            *section("", lines(*(_raft_details(report) if has_rows else ()))),
        ],
    )


def _raft_details(report: RaftReport) -> Iterator[str]:
    mean = report.distractors_written / report.rows_written
    passed = list_counts(report.distractors_passed)
    yield f"distractors: {mean:.1f} a row" + (f"; found and not taken: {passed}" if passed else "")
    if fewer := list_counts(report.rows_with_fewer):
        yield f"rows with fewer distractors: {fewer}"
    yield f"licences: {list_counts(report.licenses)}"
    if groups := "all groups" if report.groups is None else ", ".join(report.groups):
        yield f"from documents of everyone and of {groups}"
