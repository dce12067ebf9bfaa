"""How much words and vectors count on an index, and when it has no answer: tried on questions.

Made questions with half of their words exchanged, so that they share less with their documents."""

import re
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from hashlib import sha256
from pathlib import Path
from random import Random
from typing import NamedTuple

from finewright.lm.embedders.embedder import Embedder
from finewright.schema.passages import Document
from finewright_rag.indexing.build import build_index
from finewright_rag.schema.evaluate_report import CalibrationSeen, RagTuneReport, WeightsTried
from finewright_rag.search.calibration import Calibration, calibrate
from finewright_rag.search.coverage import PassageEvidence
from finewright_rag.search.questions import MadeQuestions, Question, make_questions
from finewright_rag.search.retrieve import RankingWeights
from finewright_rag.search.tune import FEWEST, IndexTrial, Tuned, ask_all, tune_weights
from finewright_rag.stores.foreign import EVERYDAY, nonsense
from finewright_rag.stores.index import FORMAT, About, Index
from finewright_rag.stores.open import create_index

SHARE = 0.5
"""Of the longer words: coverage by words is then about that of questions that people ask in their own."""


_LONGER = re.compile(r"\w{4}")


_FEWEST = 4


def tune_rag(
    index: Index,
    embedder: Embedder | None,
    documents: Iterable[Document],
    questions: Sequence[Question] = (),
) -> RagTuneReport:
    """Choose the weights, and when to say that no document has this, and let the index remember both.

    `questions` are those that people asked, their right documents known: one half of them chooses, so that
    the other can be measured. With fewer than 60 the documents are asked about themselves. That trial is an
    index of its own in the temporary folder, of a part of many documents, where the sentences that are asked
    are taken out; it is a SQLite file whatever holds `index`. With too few questions of either kind all
    stays as it is. The same documents and questions give the same."""
    own = tuning_half(questions)
    if len(own) >= FEWEST:
        return _remember(index, embedder, _tune_on_own(index, embedder, own))
    made = make_questions(documents)
    if len(made.questions) < FEWEST:
        given = f"{FEWEST} questions are needed, and the documents give {len(made.questions)}"
        why = f"not tuned: {given}; write {2 * FEWEST} of your own (`rag.questions`)"
        return _keep_weights(index, why, made.questions)
    with trial_index(made, embedder, index.about.chunk_chars) as scratch:
        return _remember(index, embedder, tune_on_made(scratch, embedder, made.questions, index))


def digest_of(question: Question) -> str:
    """What an index remembers of a question that tuned it."""
    return sha256(question.prompt.encode("utf-8", "replace")).hexdigest()[:16]


def tuning_half(questions: Sequence[Question]) -> list[Question]:
    """Every second question by its digest, whatever their order."""
    by_digest = {digest_of(question): question for question in questions}
    return [by_digest[digest] for digest in sorted(by_digest)[::2]]


class WeightChoice(NamedTuple):
    """What was chosen, on which questions, and what to call them."""

    found: Tuned
    calibration: Calibration
    questions: Sequence[Question]
    why: str


def _tune_on_own(index: Index, embedder: Embedder | None, own: Sequence[Question]) -> WeightChoice:
    trial = ask_all(index, embedder, own)
    line = calibrate(
        _evidence(trial), _foreign(index, embedder), tuned_on=list(map(digest_of, own))
    )
    why = f"tuned on {len(own)} of your questions"
    return WeightChoice(tune_weights(trial, are_own=True), line, own, why)


def tune_on_made(
    scratch: Index, embedder: Embedder | None, questions: Sequence[Question], whole: Index
) -> WeightChoice:
    """What questions made of the documents of `scratch` choose. Questions that the documents do not answer
    are asked of the `whole` index: the more it has, the more is like them."""
    trial = ask_all(scratch, embedder, questions)
    return WeightChoice(
        tune_weights(trial),
        calibrate(
            _evidence(ask_all(scratch, embedder, hard_questions(questions))),
            _foreign(whole, embedder),
        ),
        questions,
        f"tuned on {len(questions)} questions made of the documents",
    )


def hard_questions(questions: Sequence[Question]) -> list[Question]:
    """Made questions with half of their words exchanged, no names among them if there are others enough."""
    free = harder([question for question in questions if question.kind != "name"])
    return free if len(free) >= FEWEST else harder(questions) or list(questions)


def _evidence(trial: IndexTrial) -> list[PassageEvidence]:
    return [each.evidence for each in trial.answered]


def _foreign(index: Index, embedder: Embedder | None) -> list[PassageEvidence]:
    """Without vectors nonsense alone: by words, everyday questions are too like what people ask."""
    texts = (*EVERYDAY, *nonsense()) if embedder else nonsense()
    return _evidence(ask_all(index, embedder, [Question(text, ()) for text in texts]))


def _remember(index: Index, embedder: Embedder | None, choice: WeightChoice) -> RagTuneReport:
    weights = choice.found.weights if embedder else RankingWeights({"lexical": 1.0})
    index.remember(weights.own, weights.other, choice.calibration)
    why = choice.why if embedder else "words alone: the index has no vectors"
    return RagTuneReport(
        weights=dict(weights.own),
        other_weights=dict(weights.other) if weights.other else None,
        why=why,
        questions=_by_kind(choice.questions),
        tried=list_tried(choice.found) if embedder else (),
        calibration=show_calibration(choice.calibration),
    )


def show_calibration(calibration: Calibration | None) -> CalibrationSeen | None:
    """The calibration as reports tell it."""
    if calibration is None:
        return None
    return CalibrationSeen(
        num_questions=calibration.num_questions,
        refused=calibration.refused,
        foreign_caught=calibration.caught,
    )


@contextmanager
def trial_index(
    made: MadeQuestions, embedder: Embedder | None, chunk_chars: int
) -> Iterator[Index]:
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


def list_tried(found: Tuned) -> tuple[WeightsTried, ...]:
    """What was tried, as reports tell it: from words alone to vectors alone."""
    return tuple(
        WeightsTried(weights=dict(each.weights), mrr=each.mrr, recall_at_1=each.recall_at_1)
        for each in sorted(found.tried, key=lambda each: _share(each.weights))
    )


def _share(weights: Mapping[str, float]) -> float:
    return weights["dense"] / (weights["lexical"] + weights["dense"])


def _keep_weights(index: Index, why: str, questions: Sequence[Question]) -> RagTuneReport:
    weights, other = dict(index.about.weights), index.about.other_weights
    index.remember(weights, other, index.about.calibration)
    return RagTuneReport(
        weights=weights,
        other_weights=dict(other) if other else None,
        why=why,
        questions=_by_kind(questions),
        calibration=show_calibration(index.about.calibration),
    )


def _by_kind(questions: Sequence[Question]) -> dict[str, int]:
    return dict(Counter(question.kind for question in questions))


def harder(questions: Sequence[Question], *, seed: int = 0) -> list[Question]:
    """The questions with about half of their longer words exchanged for words of the others.

    What is left of the subject stands among words that have nothing to do with it, as where someone does not
    know the documents' terms; a real paraphrase has words that mean the same instead, which helps vectors
    and which no rule can make. A question of fewer than four words, or without spaces, is left out."""
    pool = [word for q in questions for word in q.prompt.split() if _LONGER.search(word)]
    rng = Random(seed)  # noqa: S311 - no secret
    found = []
    for question in questions:
        words = question.prompt.split()
        if len(words) >= _FEWEST:
            changed = (_exchange_word(word, pool, rng) for word in words)
            found.append(question._replace(prompt=" ".join(changed)))
    return found


def _exchange_word(word: str, pool: Sequence[str], rng: Random) -> str:
    is_due = _LONGER.search(word) and rng.random() < SHARE
    return rng.choice(pool) if is_due else word
