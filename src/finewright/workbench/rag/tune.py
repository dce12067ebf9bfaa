"""How much words and vectors count on an index: tried on questions made of its documents."""

import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from finewright.rag.build import build_index
from finewright.rag.index import FORMAT, About, Document, Embedder, Index
from finewright.rag.open import create_index
from finewright.rag.questions import Made, Question, made_questions
from finewright.rag.trial import ask_all
from finewright.rag.tune import FEWEST, Tuned, tuned
from finewright.schema.rag_report import RagTuneReport, WeightsTried


def tune_rag(
    index: Index, embedder: Embedder | None, documents: Iterable[Document]
) -> RagTuneReport:
    """Ask the documents about themselves, choose the weights by the answers, and let the index remember them.

    The trial is an index of its own in the temporary folder, of a part of many documents, where the
    sentences that are asked are taken out; it is a SQLite file whatever holds `index`. Without vectors, or
    with too few questions, the weights stay as they are. The same documents give the same weights."""
    if embedder is None:
        return _kept(index, "words alone: the index has no vectors", [])
    made = made_questions(documents)
    if len(made.questions) < FEWEST:
        why = f"not tuned: {len(made.questions)} questions can be made of the documents, {FEWEST} are needed"
        return _kept(index, why, made.questions)
    with trial_index(made, embedder, index.about.chunk_chars) as scratch:
        found = tuned(ask_all(scratch, embedder, made.questions))
    index.remember(found.weights)
    return RagTuneReport(
        weights=dict(found.weights),
        why=f"tuned on {len(made.questions)} questions made of the documents",
        questions=_by_kind(made.questions),
        tried=tried(found),
    )


@contextmanager
def trial_index(made: Made, embedder: Embedder | None, chunk_chars: int) -> Iterator[Index]:
    """An index of what the questions are asked of, deleted at the end."""
    about = About(
        FORMAT,
        embedder.id if embedder else "",
        embedder.dimensions if embedder else 0,
        chunk_chars,
        {"lexical": 1.0},
    )
    with (
        tempfile.TemporaryDirectory(prefix="finewright-") as folder,
        closing(create_index("trial.sqlite", Path(folder).joinpath, about)) as index,
    ):
        build_index(index, embedder, made.documents, chunk_chars)
        yield index


def tried(found: Tuned) -> tuple[WeightsTried, ...]:
    """What was tried, as reports tell it: from words alone to vectors alone."""
    return tuple(
        WeightsTried(weights=dict(each.weights), mrr=each.mrr, recall_at_1=each.recall_at_1)
        for each in sorted(found.tried, key=lambda each: _share(each.weights))
    )


def _share(weights: Mapping[str, float]) -> float:
    return weights["dense"] / (weights["lexical"] + weights["dense"])


def _kept(index: Index, why: str, questions: Sequence[Question]) -> RagTuneReport:
    weights = dict(index.about.weights)
    return RagTuneReport(weights=weights, why=why, questions=_by_kind(questions))


def _by_kind(questions: Sequence[Question]) -> dict[str, int]:
    return dict(Counter(question.kind for question in questions))
