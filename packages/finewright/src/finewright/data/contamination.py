"""Rows that measure and are known from training: the same, asked before, near, asked nearly so, of one
template, or with common runs of words.

Runs: Brown et al. 2020 (GPT-3, appendix C). A held-out row's words are known where they stand in a run of N
words that is also in a training row. N is the 5th percentile of the held-out rows' lengths, at least 8 and at
most 13. Runs in more than ten training rows and other held-out rows are boilerplate and count for nothing.
GPT-3 called a row contaminated by a single run; here it is one when half of its words are known, and the
share is told. A row of fewer than 24 words needs as many as two runs have, or, where answers are no labels,
four fifths of its words: one run is the way to ask for something, as "I want to book a table for" or "what is
the total number of"."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from finewright.data.templates import of_known_templates
from finewright.judge.labels import labels_of
from finewright.rows.identity import prompt_key
from finewright.rows.texts import answer_text
from finewright.schema.common import Problem
from finewright.schema.duplicates import ContaminationReport, LeakedRow, LeakKind
from finewright.schema.rows import Row

if TYPE_CHECKING:
    from finewright.data.overlap import Overlap

_MUCH, _NEARLY_ALL = 0.5, 0.8
_SHORT, _FEWEST_RUNS = 24, 2
_SAYS: dict[LeakKind, str] = {
    "same": "are also trained on",
    "prompt": "ask what is also trained on",
    "near": "say nearly the same as a training row",
    "question": "ask nearly what is also trained on",
    "template": "are a training row with other values",
    "overlap": "have half of their words in runs that are trained on",
}
_OUT = "take them out of one of the two"
_HINTS: dict[LeakKind, str] = {
    "template": "they measure what was learned by heart; measure rows of other kinds too"
}


class Contamination(NamedTuple):
    """What was found, and the warnings to give."""

    report: ContaminationReport
    problems: tuple[Problem, ...]


def contamination(
    train: Sequence[Row], name: str, held_out: Sequence[Row], *, similarity: float = 0.8
) -> Contamination:
    """Which rows of the held-out set `name` are known from the training rows.

    Each counts once, under the first of: the same row, the same question, near (as
    `duplicates.alike` says, whatever the system prompt), nearly the same question (as `duplicates.questions`
    says; where answers are labels, beyond what the set has by nature), of one template (as `templates` says),
    overlapping. Not covered: free paraphrases, translations."""
    # numpy is loaded only when something is measured.
    import finewright.guard.duplicates.words  # noqa: F401 - says what is missing where numpy is
    from finewright.data.overlap import near_rows, overlaps
    from finewright.data.questions import QuestionLeaks, find_leaked_questions

    known = {**_alike(train, held_out)}
    for i, (of, share) in near_rows(train, held_out, similarity).items():
        known.setdefault(i, _Known("near", of, share))
    questions = QuestionLeaks({}, 0)
    if similarity < 1:
        questions = find_leaked_questions(train, held_out, known.keys(), similarity)
    for i, (of, share) in questions.leaked.items():
        known.setdefault(i, _Known("question", of, share))
    for i, of in of_known_templates(train, held_out).items():
        known.setdefault(i, _Known("template", of, 1.0))
    repeated = tuple(sorted(known))
    runs = overlaps(train, held_out)
    most_usual = 1.0 if labels_of(map(answer_text, train)) else _NEARLY_ALL
    for i, run in enumerate(runs.rows):
        if run.share >= _MUCH and not (run.share <= most_usual and _is_way_to_ask(run)):
            known.setdefault(i, _Known("overlap", run.of, run.share))
    found = dict(sorted(known.items()))
    report = ContaminationReport(
        name=name,
        rows=len(held_out),
        rows_train=len(train),
        ngram=runs.length,
        found=dict(Counter(leak.kind for leak in found.values())),
        mean_share=round(sum(run.share for run in runs.rows) / max(1, len(held_out)), 4),
        repeated=repeated,
        examples=tuple(_examples(train, held_out, found, runs.rows)),
    )
    problems = [*_problems(report), *_usual(report, questions.num_usual)]
    return Contamination(report, tuple(problems))


def _is_way_to_ask(run: "Overlap") -> bool:
    """Whether the known words of a short row are fewer than two runs have."""
    return run.num_words < _SHORT and run.share * run.num_words < _FEWEST_RUNS * run.length


class _Known(NamedTuple):
    kind: LeakKind
    of: int
    share: float


def _alike(train: Sequence[Row], held_out: Sequence[Row]) -> dict[int, _Known]:
    ids = {row.id: i for i, row in reversed(list(enumerate(train)))}
    first_of_prompt = {
        prompt_key(row): i for i, row in reversed(list(enumerate(train))) if row.prompt
    }
    found = {}
    for i, row in enumerate(held_out):
        if row.id in ids:
            found[i] = _Known("same", ids[row.id], 1.0)
        elif row.prompt and prompt_key(row) in first_of_prompt:
            found[i] = _Known("prompt", first_of_prompt[prompt_key(row)], 1.0)
    return found


def _examples(
    train: Sequence[Row],
    held_out: Sequence[Row],
    found: dict[int, _Known],
    runs: Sequence["Overlap"],
) -> Iterator[LeakedRow]:
    for i, leak in found.items():
        yield LeakedRow(
            kind=leak.kind,
            file=held_out[i].file,
            row=held_out[i].row,
            of_file=train[leak.of].file,
            of_row=train[leak.of].row,
            share=round(leak.share, 4),
            ngrams=runs[i].evidence(held_out[i]),
        )


def _usual(report: ContaminationReport, num: int) -> Iterator[Problem]:
    """Short questions with labels are alike by nature."""
    if not num:
        return
    alike = "ask nearly what is trained on, as training rows do among each other"
    among = report.found.get("question", 0)
    message = f"{num} of {report.rows} rows of {report.name} {alike}: they are not called leaks"
    if among:
        message = f"about {num} of {among} rows of {report.name} would {alike} in any split"
    hint = "where rows were made from each other, data.group_by keeps them on one side"
    yield Problem(level="info", key="evaluate.data", message=message, hint=hint)


def _problems(report: ContaminationReport) -> Iterator[Problem]:
    for kind, says in _SAYS.items():
        first = next((leak for leak in report.examples if leak.kind == kind), None)
        if first:
            yield Problem(
                level="warning",
                file=first.file,
                row=first.row,
                message=f"{report.found[kind]} of {report.rows} rows of {report.name} {says},"
                f" this one first, from {first.of_file}:{first.of_row}",
                hint=_HINTS.get(kind, _OUT),
            )
