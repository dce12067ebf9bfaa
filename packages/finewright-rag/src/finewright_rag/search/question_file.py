"""Questions with known right documents, out of a JSONL file."""

from collections.abc import Collection
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from finewright.errors import DataError
from finewright.rows.containers.found import ReadRow, file_problem
from finewright.rows.read import records
from finewright.schema.common import errors_of
from finewright.schema.listing import Listing
from finewright_rag.search.questions import Question

_MUST = {
    "prompt": "must be the text of a question",
    "gold": "must be a list of the ids of the documents that answer it, at least one",
    "completion": "must be text",
}


class _Record(BaseModel):
    """A line of the file; other keys are passed over."""

    model_config = ConfigDict(strict=True)

    prompt: Annotated[str, Field(pattern=r"\S")]
    gold: Annotated[list[str], Field(min_length=1)]
    completion: str | None = None


def _refuse(listing: Listing) -> None:
    if wrong := [problem.line() for problem in errors_of(listing.problems())]:
        raise DataError("\n".join(wrong))


def read_questions(path: Path, known: Collection[str]) -> list[Question]:
    """The questions of the file, in order.

    Raises DataError, with a line for each mistake: a line that cannot be read, one without `prompt` or
    `gold`, an id that is not `known` of any document, a file without questions."""
    if not path.is_file():
        raise DataError(
            f"{path}: there is no such file", hint="name a JSONL of `prompt` and `gold`"
        )
    listing = Listing()
    questions = []
    for found in records(path):
        if not isinstance(found, ReadRow):
            listing.add(found)
        elif question := _question(found, known, listing):
            questions.append(question)
    _refuse(listing)
    if not questions:
        raise DataError(
            f"{path}: no questions", hint='a line is {"prompt": ..., "gold": [ID, ...]}'
        )
    return questions


def _question(row: ReadRow, known: Collection[str], listing: Listing) -> Question | None:
    try:
        record = _Record.model_validate(row.data)
    except ValidationError as error:
        key = str(error.errors()[0]["loc"][0])
        listing.add(file_problem(row.file, f"`{key}` {_MUST[key]}", "", row.row))
        return None
    gold = tuple(dict.fromkeys(record.gold))
    for id in gold:
        if id not in known:
            hint = "name documents by the ids that the index has, as `rag search` shows them"
            listing.add(
                file_problem(
                    row.file, f"`gold` names {id!r}, and no document has that id", hint, row.row
                )
            )
            return None
    return Question(record.prompt, gold, record.completion or "")
