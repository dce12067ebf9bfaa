"""The rows of `erc-standards`: documents, questions with the sentence that answers them, and questions that
nothing answers.

Whole standards are held out: no question to train on is of one that is tested on. Others are not among the
documents at all, so that questions on them have no answer. A mixed-up question puts what one standard says
of a function to another standard, whose text does not have the function's name."""

import json
from collections.abc import Iterator, Sequence
from importlib.resources import files

from finewright.sdk import (
    Content,
    Fetched,
    JsonRow,
    Model,
    PackagedSet,
    SetContent,
    add_source,
    default,
    digest,
    name_files,
)
from finewright_web3.standards.questions import StandardQuestion, make_questions
from finewright_web3.standards.texts import LICENSE, Standard, read_standard

ABSTENTION = "The passages do not hold the answer."
"""As `data raft` and `rag ask` have it."""

_WRITTEN = "written.jsonl"


class StandardsSettings(Model):
    """Which standards are held out, and how many questions a standard has."""

    held_out: tuple[int, ...] = default(
        (2612, 2981, 3643, 4337, 5192, 6551, 7943),
        "Standards that are tested on",
        "security tokens, accounts, and a few of the most used others",
    )
    absent: tuple[int, ...] = default(
        (1363, 3156, 5267, 7674, 7818),
        "Standards that are asked about and are no documents",
        "subjects near those of others, so that passages are found",
    )
    most_of_a_standard: int = default(
        30, "Most questions of one standard", "a long text would be most of the set", ge=1
    )
    mixed_share: float = default(
        0.8,
        "Share of the questions on something by name that are put to another standard too",
        "as many as there are of each standard that is tested",
        ge=0,
        le=1,
    )
    seed: int = default(0, "Seed of the order", "any fixed number repeats the set")


def content(fetched: Sequence[Fetched], packaged: PackagedSet) -> SetContent:
    """Documents and questions of the archive's standards, and those that were written by hand."""
    settings = StandardsSettings()
    package = fetched[0]
    every = sorted(
        (read_standard(path, text) for path, text in package.texts()), key=lambda one: one.number
    )
    shelf = [standard for standard in every if standard.number not in settings.absent]
    origin = (packaged.license, package.source)
    questions = sorted(
        make_questions(every), key=lambda one: digest(f"{settings.seed}:{one.prompt}")
    )
    kept = list(_at_most(questions, settings.most_of_a_standard))
    sides: dict[str, list[StandardQuestion]] = {"train": [], "test": [], "absent": []}
    for question in kept:
        sides[_side(question.standard, settings)].append(question)
    mixed = {
        side: list(_mixed_up(sides[side], _of_side(shelf, side, settings), settings))
        for side in ("train", "test")
    }
    absent = [_unanswerable(question.prompt, "absent") for question in sides["absent"]]
    written = [json.loads(line) for line in _written_lines()]
    rows = {
        "documents": [_document(standard, origin) for standard in shelf],
        "questions_train": [_answered(question, origin) for question in sides["train"]],
        "questions_test": [_answered(question, origin) for question in sides["test"]],
        "questions_written": list(_written(written, shelf, origin)),
        "unanswerable_train": mixed["train"],
        "unanswerable_test": [*mixed["test"], *absent, *_off_subject(written)],
    }
    dropped = {
        f"question over {settings.most_of_a_standard} of its standard": len(questions) - len(kept)
    }
    return SetContent(
        Content(name_files(rows), settings, {why: n for why, n in dropped.items() if n})
    )


def _at_most(questions: Sequence[StandardQuestion], most: int) -> Iterator[StandardQuestion]:
    counts: dict[int, int] = {}
    for question in questions:
        number = question.standard.number
        counts[number] = counts.get(number, 0) + 1
        if counts[number] <= most:
            yield question


def _side(standard: Standard, settings: StandardsSettings) -> str:
    if standard.number in settings.absent:
        return "absent"
    return "test" if standard.number in settings.held_out else "train"


def _of_side(
    shelf: Sequence[Standard], side: str, settings: StandardsSettings
) -> Sequence[Standard]:
    return [standard for standard in shelf if _side(standard, settings) == side]


def _document(standard: Standard, origin: tuple[str, str]) -> JsonRow:
    title = f"{standard.name} {standard.title}"
    row = {"id": standard.id, "title": title, "text": standard.text}
    return add_source(row, *origin, standard.path)


def _answered(question: StandardQuestion, origin: tuple[str, str]) -> JsonRow:
    standard = question.standard
    row = {
        "prompt": question.prompt,
        "completion": question.answer,
        "gold": [standard.id],
        "section": " > ".join(question.headings),
    }
    return add_source(row, *origin, standard.path)


def _mixed_up(
    questions: Sequence[StandardQuestion], others: Sequence[Standard], settings: StandardsSettings
) -> Iterator[JsonRow]:
    """Questions that say a name, put to a standard that does not have it."""
    for question in questions:
        number = int(digest(f"{settings.seed} mixed {question.prompt}"), 16)
        wrong = [
            standard
            for standard in others
            if standard.id != question.standard.id
            and not any(name.lower() in standard.text.lower() for name in question.names)
        ]
        if not question.names or not wrong or number % 1000 >= 1000 * settings.mixed_share:
            continue
        put_to = wrong[number % len(wrong)]
        row = _unanswerable(f"In {put_to.name}, {question.bare}?", "mixed_up")
        yield row | {"put_to": put_to.id, "belongs_to": question.standard.id}


def _unanswerable(prompt: str, kind: str) -> JsonRow:
    row = {"prompt": prompt, "completion": ABSTENTION, "gold": [], "kind": kind}
    return row | {"license": LICENSE}


def _written_lines() -> Sequence[str]:
    text = files("finewright_web3.standards").joinpath(_WRITTEN).read_text(encoding="utf-8")
    return text.splitlines()


def _written(
    lines: Sequence[JsonRow], shelf: Sequence[Standard], origin: tuple[str, str]
) -> Iterator[JsonRow]:
    by_number = {standard.number: standard for standard in shelf}
    for line in lines:
        standard = by_number.get(line["standard"])
        if standard is not None:
            row = {"prompt": line["prompt"], "completion": line["quote"], "gold": [standard.id]}
            yield add_source(row, *origin, standard.path)


def _off_subject(lines: Sequence[JsonRow]) -> Iterator[JsonRow]:
    """What support is asked and no standard says."""
    return (
        _unanswerable(line["prompt"], "off_subject") for line in lines if line["standard"] is None
    )
