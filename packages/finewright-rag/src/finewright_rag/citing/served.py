"""An index as a server asks it: passages for whoever may see them, and what of an answer they prove."""

import re
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from finewright.errors import DataError
from finewright.judge.quotes import stands_in_passages
from finewright.schema.passages import AnswerProof, Citation, FoundPassages, Passage
from finewright_rag.citing.citations import quotes
from finewright_rag.indexing.target import OpenIndex, open_target
from finewright_rag.raft.evidence import sentences
from finewright_rag.search.retrieve import find
from finewright_rag.stores.open import open_index, path_in

_FEWEST_WORDS = 5
"""A sentence of an answer that is not quoted is cited from so many words on: shorter ones stand in texts that
the answer is not from. RAFT's quotes have 6 words and more; ours."""


class ServedIndex:
    """An open index that several threads may ask, one after the other.

    What `rag index` changes is seen by the next question. An index that is replaced by another file, or whose
    server went away, is opened again."""

    def __init__(self, opened: OpenIndex) -> None:
        self._opened, self._index = opened, opened.index
        self._file = self._read_file()
        self._lock = threading.Lock()
        self.place = opened.target.place
        self.is_calibrated = opened.index.about.calibration is not None

    def find(self, question: str, groups: Sequence[str]) -> FoundPassages:
        """For somebody of these groups. Raises DataError where the index cannot be read, or is another by
        now."""
        with self._lock:
            if self._read_file() != self._file:
                self._open_again()
            try:
                return self._find(question, groups)
            except DataError:
                self._open_again()
                return self._find(question, groups)

    def prove(self, answer: str, passages: Sequence[Passage]) -> AnswerProof:
        """See `prove`."""
        return prove(answer, passages)

    def close(self) -> None:
        """Let go of the index, if it is not the one that it was given."""
        if self._index is not self._opened.index:
            self._index.close()

    def _find(self, question: str, groups: Sequence[str]) -> FoundPassages:
        limit, access = self._opened.target.spec.results, frozenset(groups)
        found = find(self._index, self._opened.embedder, question, limit=limit, access=access)
        return FoundPassages(tuple(hit.passage for hit in found.hits), found.has_answer)

    def _open_again(self) -> None:
        target = self._opened.target
        fresh = open_index(target.spec.index, target.resolve)
        self.close()
        self._index, self._file = fresh, self._read_file()

    def _read_file(self) -> tuple[int, int] | None:
        """Which file the index is; None where it is no file."""
        target = self._opened.target
        path = target.resolve(path_in(target.spec.index))
        if not path.is_file():
            return None
        found = path.stat()
        return found.st_dev, found.st_ino


@contextmanager
def open_served(target: str, folder: Path) -> Iterator[ServedIndex]:
    """The index of a spec with `rag`, or the one at `target`, whose path starts from `folder`.

    Raises DataError as `open_target`."""
    with open_target(target, folder=folder) as opened:
        served = ServedIndex(opened)
        try:
            yield served
        finally:
            served.close()


def prove(answer: str, passages: Sequence[Passage]) -> AnswerProof:
    """What of the answer stands word for word in a passage, each span once, in the order of the answer.

    Quotes that stand where they are said to, and sentences of five words and more that are a passage's own,
    quoted or not. Of several passages that hold it: one that is cited beside it, else the first. Not covered:
    whether it answers the question."""
    texts = [passage.chunk.text for passage in passages]
    quoted = quotes(answer, texts)
    spans: dict[str, Sequence[int]] = {
        each.text: [n for n in each.cited if n in each.found] or each.found
        for each in quoted
        if each.is_verified
    }
    for sentence in dict.fromkeys(sentences(answer)):
        if len(sentence.split()) >= _FEWEST_WORDS and not any(sentence in each for each in spans):
            found = [n for n, text in enumerate(texts, 1) if stands_in_passages(sentence, [text])]
            spans |= {sentence: found} if found else {}
    cited = (_citation(answer, text, passages[numbers[0] - 1]) for text, numbers in spans.items())
    in_order = sorted(filter(None, cited), key=lambda each: each.answer_start)
    return AnswerProof(tuple(in_order), sum(not each.is_verified for each in quoted))


def _citation(answer: str, text: str, passage: Passage) -> Citation | None:
    """None where the answer has it in other characters than it was read in, as in RAFT's marks."""
    here, there = _place(text, answer), _place(text, passage.chunk.text)
    if here is None:
        return None
    start = passage.chunk.start
    place = (start + there[0], start + there[1]) if there else (start, passage.chunk.end)
    return Citation(passage, answer[slice(*here)], *place, *here)


def _place(words: str, text: str) -> tuple[int, int] | None:
    found = re.search(r"\s+".join(map(re.escape, words.split())), text)
    return found.span() if found else None
