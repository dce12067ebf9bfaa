"""The documents of an experiment, as finewright-rag opens them: an index, and others made of it."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from finewright.feature import OnEvent, load_offered
from finewright.schema.common import Problem
from finewright.schema.load import LoadedSpec
from finewright.schema.passages import Counts, Document, Passage
from finewright.schema.raft import RaftQuestion, RaftRow, RaftSpec
from finewright.schema.rag import RagSpec


class Shelf(Protocol):
    """An open index and how it is searched."""

    @property
    def results(self) -> int:
        """How many passages an answer has, unless another limit is given."""

    def passages(self, question: str, limit: int | None = None) -> list[Passage]:
        """The passages that suit the question, the best first."""


class RaftMaker(Protocol):
    """Makes rows of questions one at a time; `dropped` counts those that become none, by reason."""

    dropped: Counter[str]

    def row(self, question: RaftQuestion) -> RaftRow | str:
        """The row, or why there is none."""


class Library(Protocol):
    """The whole index, its documents by id, and how others are made of it."""

    @property
    def spec(self) -> RagSpec:
        """What the spec says of documents and index."""

    @property
    def shelf(self) -> Shelf:
        """The whole index."""

    @property
    def documents(self) -> Mapping[str, Document]:
        """By id."""

    @property
    def problems(self) -> tuple[Problem, ...]:
        """What is wrong with documents."""

    def change(self, texts: Mapping[str, str]) -> Shelf:
        """The index after these documents were edited and indexed again."""

    def reduce(self, ids: Sequence[str]) -> Shelf:
        """The index without these documents."""

    def raft(self, spec: RaftSpec) -> RaftMaker:
        """What makes rows of questions and the whole index."""

    def counts(self) -> Counts:
        """Of the whole index."""


def open_library(loaded: LoadedSpec, folder: Path, on_event: OnEvent) -> Library:
    """Index the spec's documents in the folder, unless they are, and open them.

    Raises DataError for documents that cannot be read, with nothing indexed, and MissingExtra."""
    library: Library = load_offered("rag", "library")(loaded, folder, on_event)
    return library
