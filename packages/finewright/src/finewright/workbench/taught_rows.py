"""A teacher's answers as rows to train on: what `predict --rows` writes."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from finewright.errors import DataError
from finewright.rows.containers.lines import jsonl_at
from finewright.schema.common import Problem
from finewright.schema.predict import Prediction
from finewright.schema.rows import Row, with_system
from finewright.store.rundir import is_run, open_run
from finewright.workbench.systems import system_prompt_of


def refuse_taken(path: Path) -> None:
    """Raise DataError where the rows cannot be written to this path."""
    if path.exists():
        raise DataError(f"{path}: already there", hint="name another file with --rows")
    if not path.parent.is_dir():
        raise DataError(f"{path.parent}: there is no such folder", hint="make it first")


def write_taught_rows(
    path: Path, rows: Sequence[Row], said: Sequence[Prediction], teacher: str, sha256: str
) -> Iterator[Problem]:
    """A conversation for each whole answer, with the teacher's name and digest as columns; how many answers
    are left out is told, and to whom the rows must be ascribed."""
    system = system_prompt_of(open_run(Path(teacher))) if is_run(teacher) else ""
    kept = [each for each in zip(rows, said, strict=True) if _is_whole(each[1])]
    with jsonl_at(path) as write:
        for row, answer in kept:
            turns = with_system(row.prompt, system)
            tools = {"tools": list(row.tools)} if row.tools else {}
            made = {"teacher": teacher, "teacher_sha256": sha256}
            write({"messages": [*turns, _turn(answer)], **tools, **made})
    if left_out := len(said) - len(kept):
        yield Problem(
            level="warning",
            message=f"{left_out} of {len(said)} answers are no rows: they were cut, empty or not read whole",
            hint="raise --max-new-tokens under another --out, or look at them",
        )
    yield Problem(
        level="info",
        message=f"{len(kept)} rows are in {path}",
        hint=f"in data.sources give them synthetic_by: {teacher}; the licence is that of the model's output",
    )


def _is_whole(answer: Prediction) -> bool:
    return answer.ended and not answer.fault and bool(answer.answer.strip() or answer.calls)


def _turn(answer: Prediction) -> dict[str, Any]:  # Any: free JSON
    turn: dict[str, Any] = {"role": "assistant", "content": answer.answer}
    if answer.thoughts:
        turn["reasoning_content"] = answer.thoughts
    if answer.calls:
        turn["tool_calls"] = [{"type": "function", "function": call} for call in answer.calls]
    return turn
