"""An answers log: a JSON line for each row that a system answered, so that nothing is asked twice."""

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from pydantic import ValidationError

from finewright.errors import StoreError
from finewright.schema.common import Model
from finewright.schema.evaluate import Sample
from finewright.store.appended import append, appending
from finewright.store.atomic import os_errors


class AnswerKey(NamedTuple):
    """Who was asked, what, and how: a digest of each."""

    system: str
    row: str
    settings: str


class Reply(Model):
    """An answer, what it took, and what else the system says of the row.

    `nll` is the loss of the expected answer's `expected_tokens`, where perplexity is asked for; a reply of a
    batch took its share of the batch's `milliseconds`."""

    sample: Sample
    prompt_tokens: int | None = None
    nll: float | None = None
    expected_tokens: int | None = None
    milliseconds: float | None = None


class _Line(Model):
    """A reply with its key."""

    system: str
    row: str
    settings: str
    reply: Reply


class AnswersLog:
    """The log in a file, which is made with the first reply.

    A last line that a kill cut is no reply, and the next one takes its place. Of two replies to the same
    question the later one counts. Raises StoreError for a line that is none of ours."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._replies = _read(path) if path.is_file() else {}

    def __contains__(self, key: AnswerKey) -> bool:
        return key in self._replies

    def __getitem__(self, key: AnswerKey) -> Reply:
        return self._replies[key]

    def add(self, replies: Iterable[tuple[AnswerKey, Reply]]) -> None:
        """Add some; they are on the disk when this returns."""
        fresh = dict(replies)
        lines = [
            f"{_Line(**key._asdict(), reply=reply).model_dump_json()}\n".encode()
            for key, reply in fresh.items()
        ]
        with appending(self._path) as file:
            file.seek(0)
            file.truncate(file.read().rfind(b"\n") + 1)
            append(file, lines)
        self._replies |= fresh


def _read(path: Path) -> dict[AnswerKey, Reply]:
    with os_errors(path):
        *whole, _ = path.read_bytes().split(b"\n")
    found = {}
    for number, line in enumerate(whole, 1):
        try:
            logged = _Line.model_validate_json(line)
        except ValidationError as error:
            what = error.errors()[0]["msg"]
            raise StoreError(
                f"{path}:{number}: is no reply: {what}", hint="delete the line; it is asked again"
            ) from None
        found[AnswerKey(logged.system, logged.row, logged.settings)] = logged.reply
    return found
