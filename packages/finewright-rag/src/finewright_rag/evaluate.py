"""`rag evaluate`: how well an index finds the right documents, by words, by vectors and by both."""

import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby, islice
from pathlib import Path
from statistics import fmean, median
from typing import NamedTuple

from finewright.errors import DataError
from finewright.lm.embedders.embedder import Embedder
from finewright.schema.common import Problem
from finewright.schema.evaluate import Difference, Score
from finewright_rag.indexing.documents import find_documents
from finewright_rag.indexing.target import OpenIndex
from finewright_rag.schema.evaluate_report import CALLED, DECIDES, RagEvaluateReport
from finewright_rag.search.calibration import Calibration
from finewright_rag.search.metrics import CONFIDENCE, METRICS, difference, estimates
from finewright_rag.search.question_file import read_questions
from finewright_rag.search.questions import MadeQuestions, Question, make_questions
from finewright_rag.search.retrieve import RankingWeights, search
from finewright_rag.search.tune import FEWEST, IndexTrial, ask_all
from finewright_rag.search.tuning import digest_of, hard_questions, trial_index, tune_on_made
from finewright_rag.stores.index import Index

_TIMED = 50

PARTS: Mapping[str, Mapping[str, float]] = {
    "lexical": {"lexical": 1.0, "dense": 0.0},
    "dense": {"lexical": 0.0, "dense": 1.0},
    "equal": {"lexical": 1.0, "dense": 1.0},
}
"""What the tuned weights are measured against."""


class _QuestionSet(NamedTuple):
    """Questions that were asked, the weights to measure, what chose these, and when there is no answer.

    `hard` are made questions with half of their words exchanged; `num_left_out` tuned the index."""

    name: str
    trial: IndexTrial
    weights: RankingWeights
    calibration: Calibration | None
    tuned_on: str
    hard: IndexTrial | None = None
    num_left_out: int = 0


def _hard_scores(hard: IndexTrial | None, systems: Mapping[str, RankingWeights]) -> Iterator[Score]:
    """Where questions are made: of those with half of their words exchanged."""
    if hard is None or not hard.answered:
        return
    for name, weights in systems.items():
        yield from _scores(name, "half of their words exchanged", hard.measure_with(weights))


def evaluate_rag(opened: OpenIndex, *, questions: str = "") -> RagEvaluateReport:
    """Measure the index on questions whose right documents are known: a JSONL, or the spec's.

    Without any, questions are made of the spec's documents: weights are tuned on one half and measured on the
    other, on an index of its own. Raises DataError for a file that is wrong, and where none can be made."""
    named = questions or opened.target.spec.questions
    question_set = _set_of_file(opened, named) if named else _set_of_documents(opened)
    systems = _systems(opened.embedder, question_set.weights)
    rows = {name: question_set.trial.measure_with(weights) for name, weights in systems.items()}
    report = RagEvaluateReport(
        index=opened.target.place,
        questions=question_set.name,
        n=len(question_set.trial.answered),
        fewest=FEWEST,
        confidence=CONFIDENCE,
        weights={name: dict(weights.own) for name, weights in systems.items()},
        other_weights=dict(question_set.weights.other) if question_set.weights.other else None,
        tuned_on=question_set.tuned_on,
        scores=tuple(
            score for name in systems for score in _scores(name, question_set.name, rows[name])
        ),
        differences=tuple(_differences(question_set.name, rows)),
        query_ms=_query_ms(opened.index, opened.embedder, question_set.trial),
        are_made=question_set.hard is not None,
        num_left_out=question_set.num_left_out,
        hard_scores=tuple(_hard_scores(question_set.hard, systems)),
        refused=_share_refused(question_set),
    )
    return report.model_copy(update={"problems": _problems(report)})


def _set_of_file(opened: OpenIndex, named: str) -> _QuestionSet:
    index, embedder, target = opened.index, opened.embedder, opened.target
    # What is named on the command line lies where one stands, what the spec names beside it.
    path = target.resolve(named) if named == target.spec.questions else Path(named)
    questions = read_questions(path, index.digests())
    about = index.about
    tuned_on = set(about.calibration.tuned_on) if about.calibration else set()
    fresh = [question for question in questions if digest_of(question) not in tuned_on]
    if not fresh:
        what = f"{path}: each of its questions tuned the index, and none is left to measure it by"
        raise DataError(what, hint="name a file of others with --questions")
    num_left_out = len(questions) - len(fresh)
    return _QuestionSet(
        path.name,
        ask_all(index, embedder, fresh),
        _weights(embedder, RankingWeights(about.weights, about.other_weights)),
        about.calibration if bool(embedder) == bool(about.embedder) else None,
        "the other half of these questions" if num_left_out else "what the index remembers",
        num_left_out=num_left_out,
    )


def _set_of_documents(opened: OpenIndex) -> _QuestionSet:
    index, embedder, (spec, resolve) = opened.index, opened.embedder, opened.target
    if spec.documents == (spec.index,):
        hint = "--questions FILE.jsonl, or name the spec, whose documents they can be made of"
        raise DataError(f"{opened.target.place}: there are no questions to ask", hint=hint)
    made = make_questions(find_documents(spec.documents, resolve).read())
    halves = _halves(made)
    if min(map(len, halves)) < FEWEST:
        given = " and ".join(str(len(half)) for half in halves)
        what = (
            f"{2 * FEWEST} questions are needed, half of them on other documents than the rest,"
            f" and the documents give {given}"
        )
        hint = "write a JSONL of `prompt` and `gold`, and name it with --questions"
        raise DataError(what, hint=hint)
    with trial_index(made, embedder, index.about.chunk_chars) as scratch:
        choice = tune_on_made(scratch, embedder, halves[0], index)
        trial = ask_all(scratch, embedder, halves[1])
        hard = ask_all(scratch, embedder, hard_questions(halves[1]))
    return _QuestionSet(
        "made of the documents",
        trial,
        _weights(embedder, choice.found.weights),
        choice.calibration,
        "the other half of these questions",
        hard,
    )


def _weights(embedder: Embedder | None, weights: RankingWeights) -> RankingWeights:
    return weights if embedder else RankingWeights({"lexical": 1.0})


def _share_refused(question_set: _QuestionSet) -> float | None:
    if question_set.calibration is None:
        return None
    evidence = [each.evidence for each in question_set.trial.answered]
    return fmean(not question_set.calibration.has_answer(each) for each in evidence)


def _halves(made: MadeQuestions) -> tuple[list[Question], list[Question]]:
    """The questions on some documents and on the others, about as many of each kind: no document is on both
    sides."""
    halves: tuple[list[Question], list[Question]] = ([], [])
    counts: tuple[Counter[str], Counter[str]] = (Counter(), Counter())
    for _, of_document in groupby(made.questions, key=lambda question: question.gold):
        questions = list(of_document)
        kind = questions[0].kind
        side = min((0, 1), key=lambda i: (counts[i][kind], len(halves[i])))
        halves[side].extend(questions)
        counts[side][kind] += len(questions)
    return halves


def _systems(embedder: Embedder | None, weights: RankingWeights) -> dict[str, RankingWeights]:
    parts = PARTS if embedder else {"lexical": PARTS["lexical"]}
    return {**{name: RankingWeights(part) for name, part in parts.items()}, "tuned": weights}


def _scores(system: str, data: str, rows: Sequence[Mapping[str, float]]) -> list[Score]:
    return [
        Score(
            system=system,
            data=data,
            metric=metric,
            value=found.value,
            low=found.interval.low,
            high=found.interval.high,
            n=found.n,
        )
        for metric, found in estimates(rows).items()
    ]


def _differences(data: str, rows: Mapping[str, Sequence[Mapping[str, float]]]) -> list[Difference]:
    return [
        Difference(
            system="tuned",
            against=against,
            data=data,
            metric=metric,
            **difference(rows["tuned"], rows[against], metric)._asdict(),
        )
        for against in rows
        if against != "tuned"
        for metric in METRICS
    ]


def _query_ms(index: Index, embedder: Embedder | None, trial: IndexTrial) -> float:
    """The median time of a search for 5 passages, the question's vector included, of the first questions."""
    times = []
    for each in islice(trial.answered, _TIMED):
        begun = time.perf_counter()
        search(index, embedder, each.question.prompt, limit=5)
        times.append(time.perf_counter() - begun)
    return 1000 * median(times)


def _problems(report: RagEvaluateReport) -> tuple[Problem, ...]:
    if report.passed:
        return ()
    found = report.worse[0]
    what = (
        f"the tuned weights have {100 * -found.value:.1f} points less of {DECIDES} on these questions than "
        f"{CALLED[found.against]} alone (p = {found.p_value:.2g})"
    )
    return (Problem(level="warning", message=what, hint="questions may differ from the documents"),)
