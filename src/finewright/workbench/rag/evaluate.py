"""`rag evaluate`: how well an index finds the right documents, by words, by vectors and by both."""

import time
from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path
from statistics import median
from typing import NamedTuple

from finewright.errors import DataError
from finewright.rag.index import Embedder, Index
from finewright.rag.metrics import CONFIDENCE, METRICS, difference, estimates
from finewright.rag.questions import Made, Question, made_questions
from finewright.rag.retrieve import search
from finewright.rag.trial import Trial, ask_all
from finewright.rag.tune import FEWEST, tuned
from finewright.schema.common import Problem
from finewright.schema.evaluate import Difference, Score
from finewright.schema.rag_report import CALLED, DECIDES, RagEvaluateReport
from finewright.workbench.rag.documents import find_documents
from finewright.workbench.rag.questions import read_questions
from finewright.workbench.rag.target import Opened
from finewright.workbench.rag.tune import trial_index

_TIMED = 50

PARTS: Mapping[str, Mapping[str, float]] = {
    "lexical": {"lexical": 1.0, "dense": 0.0},
    "dense": {"lexical": 0.0, "dense": 1.0},
    "equal": {"lexical": 1.0, "dense": 1.0},
}
"""What the tuned weights are measured against."""


class _Asked(NamedTuple):
    """Questions that were asked, the weights to measure, and what chose these."""

    name: str
    trial: Trial
    weights: Mapping[str, float]
    tuned_on: str


def evaluate_rag(opened: Opened, *, questions: str = "") -> RagEvaluateReport:
    """Measure the index on questions whose right documents are known: a JSONL, or the spec's.

    Without any, questions are made of the spec's documents: weights are tuned on one half and measured on the
    other, on an index of its own. Raises DataError for a file that is wrong, and where none can be made."""
    named = questions or opened.asked.spec.questions
    asked = _asked_of_file(opened, named) if named else _asked_of_documents(opened)
    systems = _systems(opened.embedder, asked.weights)
    rows = {name: asked.trial.measured_with(weights) for name, weights in systems.items()}
    report = RagEvaluateReport(
        index=opened.asked.place,
        questions=asked.name,
        n=len(asked.trial.answered),
        fewest=FEWEST,
        confidence=CONFIDENCE,
        weights={name: dict(weights) for name, weights in systems.items()},
        tuned_on=asked.tuned_on,
        scores=tuple(score for name in systems for score in _scores(name, asked.name, rows[name])),
        differences=tuple(_differences(asked.name, rows)),
        query_ms=_query_ms(opened.index, opened.embedder, asked),
    )
    return report.model_copy(update={"problems": _problems(report)})


def _asked_of_file(opened: Opened, named: str) -> _Asked:
    index, embedder, asked = opened.index, opened.embedder, opened.asked
    # What is named on the command line lies where one stands, what the spec names beside it.
    path = asked.resolve(named) if named == asked.spec.questions else Path(named)
    questions = read_questions(path, index.digests())
    trial = ask_all(index, embedder, questions)
    return _Asked(path.name, trial, index.about.weights, "what the index remembers")


def _asked_of_documents(opened: Opened) -> _Asked:
    index, embedder, (spec, resolve) = opened.index, opened.embedder, opened.asked
    if spec.documents == (spec.index,):
        hint = "--questions FILE.jsonl, or name the spec, whose documents they can be made of"
        raise DataError(f"{opened.asked.place}: there are no questions to ask", hint=hint)
    made = made_questions(find_documents(spec.documents, resolve).read())
    halves = _halves(made)
    if min(map(len, halves)) < FEWEST:
        what = f"only {len(made.questions)} questions can be made of the documents"
        raise DataError(what, hint=f"{2 * FEWEST} are needed; write a JSONL of `prompt` and `gold`")
    with trial_index(made, embedder, index.about.chunk_chars) as scratch:
        weights = tuned(ask_all(scratch, embedder, halves[0])).weights
        trial = ask_all(scratch, embedder, halves[1])
    return _Asked("made of the documents", trial, weights, "the other half of these questions")


def _halves(made: Made) -> tuple[list[Question], list[Question]]:
    """Questions on every second document that has any, and the others: none is on both sides."""
    names = list(dict.fromkeys(question.gold for question in made.questions))
    first = set(names[::2])
    return (
        [question for question in made.questions if question.gold in first],
        [question for question in made.questions if question.gold not in first],
    )


def _systems(
    embedder: Embedder | None, weights: Mapping[str, float]
) -> dict[str, Mapping[str, float]]:
    if embedder is None:
        return {"lexical": PARTS["lexical"], "tuned": {"lexical": 1.0}}
    return {**PARTS, "tuned": weights}


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


def _query_ms(index: Index, embedder: Embedder | None, asked: _Asked) -> float:
    """The median time of a search for 5 passages, the question's vector included, of the first questions."""
    times = []
    for each in islice(asked.trial.answered, _TIMED):
        begun = time.perf_counter()
        search(index, embedder, each.question.prompt, limit=5, weights=asked.weights)
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
