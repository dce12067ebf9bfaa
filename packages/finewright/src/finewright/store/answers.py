"""An answers log: a JSON line for each row that a system answered, so that nothing is asked twice."""

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import BinaryIO, Generic, NamedTuple, TypeVar

from pydantic import BaseModel

from finewright.errors import StoreError
from finewright.store.appended import append, appending, drop_torn_line
from finewright.store.atomic import os_errors

Reply = TypeVar("Reply", bound=BaseModel)


class AnswerKey(NamedTuple):
    """Who was asked, what, and how: a digest of each."""

    system: str
    row: str
    settings: str


class AnswersLog(Generic[Reply]):
    """The log in a file, which is made with the first reply; `kind` is what a reply is.

    A last line that a kill cut is no reply, and the next one takes its place. Of two replies to the same
    question the later one counts. Raises StoreError for a line that is none of ours."""

    def __init__(self, path: Path, kind: type[Reply], file: BinaryIO | None = None) -> None:
        self._path, self._file = path, file
        self._replies = dict(_read(path, kind)) if path.is_file() else {}

    @classmethod
    @contextmanager
    def hold(cls, path: Path, kind: type[Reply], *, hint: str) -> Iterator["AnswersLog[Reply]"]:
        """The log, for this process alone until the block ends: DataError with the hint at once where another
        has it. Without a reply it leaves no file."""
        with appending(path, hint=hint) as file:
            try:
                yield cls(path, kind, file)
            finally:
                if path.is_file() and not path.stat().st_size:
                    path.unlink()

    def __contains__(self, key: AnswerKey) -> bool:
        return key in self._replies

    def __getitem__(self, key: AnswerKey) -> Reply:
        return self._replies[key]

    def add(self, replies: Iterable[tuple[AnswerKey, Reply]]) -> None:
        """Add some; they are on the disk when this returns."""
        fresh = dict(replies)
        with nullcontext(self._file) if self._file else appending(self._path) as file:
            drop_torn_line(file)
            append(file, [_line(key, reply) for key, reply in fresh.items()])
        self._replies |= fresh

    def remove(self) -> None:
        """Delete the file, once what it holds is elsewhere."""
        self._path.unlink(missing_ok=True)


def _line(key: AnswerKey, reply: BaseModel) -> bytes:
    line = {**key._asdict(), "reply": reply.model_dump(mode="json")}
    return f"{json.dumps(line, ensure_ascii=False)}\n".encode("utf-8", "surrogatepass")


def _read(path: Path, kind: type[Reply]) -> Iterator[tuple[AnswerKey, Reply]]:
    with os_errors(path):
        *whole, _ = path.read_bytes().split(b"\n")
    for number, line in enumerate(whole, 1):
        try:
            found = json.loads(line)
            key = AnswerKey(*(found[name] for name in AnswerKey._fields))
            yield key, kind.model_validate(found["reply"])
        except (ValueError, KeyError, TypeError):
            raise StoreError(
                f"{path}:{number}: is no answer", hint="delete the line; the row is asked again"
            ) from None
