"""A guard of training rows: an answer may not have long stretches of protected rows word for word (Carlini et
al. 2023, "Quantifying memorization": 50 tokens in a row).

The rows are read at the start into a set of hashes: about 100 bytes for each word of them. Not covered: the
same said in other words, and stretches that are shorter."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated

from pydantic import Field

from finewright.errors import DataError
from finewright.rows.containers.found import ReadRow
from finewright.rows.read import records
from finewright.rows.texts import leaves
from finewright.schema.common import Model, default
from finewright_serve.guards.guard import Finding, GuardFolder, GuardPlugin, PlainGuard, TextPlace
from finewright_serve.guards.stretches import Stretches

_WORD_LENGTH = 16
"""Characters of a word with what is around it, for the window."""


class VerbatimSettings(Model):
    """Which rows, and how long a stretch."""

    rows: tuple[Annotated[str, Field(min_length=1)], ...] = Field(
        min_length=1,
        description="Files of rows that no answer may repeat, such as runs/x/data/train.jsonl",
    )
    words: int = default(
        25,
        "Words in a row that count",
        "about half of the 50 tokens of the literature are words",
        ge=5,
        le=200,
    )


class Verbatim(PlainGuard):
    """The guard."""

    def __init__(self, settings: VerbatimSettings, folder: GuardFolder) -> None:
        """Raises DataError for a file that cannot be read, or none of whose rows is long enough."""
        self._known = Stretches(
            (text for name in settings.rows for text in _texts(folder.root / name)), settings.words
        )
        if not len(self._known):
            raise DataError(
                f"rows: no text in them has {settings.words} words", hint="set words to fewer"
            )
        self.window = settings.words * _WORD_LENGTH

    def find(self, text: str, place: TextPlace) -> Sequence[Finding]:
        """Each stretch."""
        return [Finding(start, end, "training row") for start, end in self._known.spans(text)]


def _texts(path: Path) -> Iterator[str]:
    for found in records(path):
        if not isinstance(found, ReadRow):
            raise DataError(found.line())
        yield from (text for _, text in leaves("", found.data))


GUARD = GuardPlugin(VerbatimSettings, Verbatim, {"output": frozenset({"block", "redact", "log"})})
