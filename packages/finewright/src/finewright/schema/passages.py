"""Documents and passages of them, and who may see which."""

from dataclasses import dataclass
from typing import NamedTuple

Access = frozenset[str] | None
"""The groups of who asks. A document without groups is everyone's, another is seen with one of its own;
None is the owner, who sees all."""


@dataclass(frozen=True, slots=True)
class Document:
    """A document as it is indexed; `sha256` is of what an answer may quote and who may see it."""

    id: str
    text: str
    title: str = ""
    source: str = ""
    license: str = "unknown"
    groups: tuple[str, ...] = ()
    sha256: str = ""


@dataclass(frozen=True, slots=True)
class Chunk:
    """A stretch of a document: `text` is `document.text[start:end]`, `number` its place from 0."""

    number: int
    text: str
    heading_path: tuple[str, ...]
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Passage:
    """A chunk with what an answer needs to cite it."""

    chunk_id: int
    document: str
    title: str
    source: str
    license: str
    chunk: Chunk


class Citation(NamedTuple):
    """Words of an answer that stand in a passage: `quote` is characters `answer_start` to `answer_end` of the
    answer, and `start` to `end` of the passage's document."""

    passage: Passage
    quote: str
    start: int
    end: int
    answer_start: int
    answer_end: int


class FoundPassages(NamedTuple):
    """The passages that suit a question, the best first, and whether one is likely to answer it: None where
    the index is not calibrated."""

    passages: tuple[Passage, ...]
    has_answer: bool | None


class AnswerProof(NamedTuple):
    """What of an answer stands in its passages, in the order of the answer; and the number of quotes that
    stand in none, or not in the one that is cited for them."""

    citations: tuple[Citation, ...]
    num_not_found: int


class Counts(NamedTuple):
    """What the index holds."""

    documents: int
    chunks: int
