"""`rag evaluate` of answers: a model answers known questions from the passages that are found for them."""

import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from finewright.compare.local import LoadedModel
from finewright.errors import DataError, Interrupted
from finewright.evaluate.arms import without_quotes
from finewright.evaluate.scorers import token_f1
from finewright.judge.quotes import abstains, heading, numbers_absent
from finewright.judge.statistics import mean_interval
from finewright.judge.text import exact_match
from finewright.rows.texts import draw_places
from finewright.schema.common import Artifact
from finewright.schema.rows import Row
from finewright.store.atomic import sha256_file, write_text
from finewright.workbench.outputs import check_outputs
from finewright.workbench.signals import stop_requests
from finewright.workbench.systems import check_target, load_talker
from finewright_rag.ask import Answerer, ModelAnswer, answer_to_show, messages_of, overlong
from finewright_rag.citing.citations import quotes
from finewright_rag.citing.proof import Sources
from finewright_rag.evaluate import evaluate_rag
from finewright_rag.indexing.target import OpenIndex, question_file
from finewright_rag.indexing.update import OnEvent
from finewright_rag.results import AnswerSample, AnswersReport, Estimate, RagEvaluation
from finewright_rag.search.question_file import read_questions
from finewright_rag.search.questions import Question
from finewright_rag.search.retrieve import Hit

if TYPE_CHECKING:
    from finewright.evaluate.answers import HeldOutQuestion

CONFIDENCE, _RESAMPLES, _SEED = 0.95, 2000, 0
_AT_ONCE = 8
"""Prompts with passages are long: more at once would need gigabytes."""
_MOST_SHOWN = 60
"""Characters of a question that an error is about."""


class KnownQuestions(NamedTuple):
    """Questions whose answers are known, what they are called in reports, and which were drawn of more."""

    name: str
    questions: Sequence[Question]
    drawn: str = ""


class Answering(NamedTuple):
    """Who answers, how many of the questions, and the new file for every answer, if any."""

    answerer: Answerer
    limit: int | None = None
    samples: Path | None = None


def evaluate(
    opened: OpenIndex,
    asking: Answering,
    *,
    questions: str = "",
    on_event: OnEvent = lambda *_: None,
) -> RagEvaluation:
    """Measure the search and, if `asking` names a model, its answers to questions drawn by a seed.

    Without a file of questions, the spec's or `questions`, they are made of the documents, and no answer is
    known. Raises DataError for what is wrong with them, or with the model, before anything is measured."""
    if not asking.answerer.model:
        if asking.limit or asking.samples:
            what = "--answers" if asking.limit else "--samples"
            raise DataError(f"{what} is of a model's answers", hint="name it: --model NAME")
        return RagEvaluation(search=evaluate_rag(opened, questions=questions))
    check_target(asking.answerer.model, base_model=asking.answerer.base_model)
    check_outputs([asking.samples], [])
    known = _read_known(opened, questions, asking.limit)
    report = evaluate_rag(opened, questions=questions)
    return RagEvaluation(search=report, answers=answers(opened, known, asking, on_event))


def answers(
    opened: OpenIndex, known: KnownQuestions, asking: Answering, on_event: OnEvent
) -> AnswersReport:
    """What the model makes of the questions, each with its `completion`, asked as the owner.

    Raises DataError, before the model is asked any, where one with its passages is longer than it reads."""
    answerer, _, samples = asking
    questions = known.questions
    owner = Sources(opened, None)
    found = [owner.find(question.prompt).hits for question in questions]
    talker = load_talker(answerer.model, base_model=answerer.base_model)
    prompts = [_prompt(talker, *each) for each in zip(questions, found, strict=True)]
    _check_lengths(talker, known, prompts, answerer.max_new_tokens)
    said = _ask_model(talker, prompts, answerer.max_new_tokens, on_event)
    judged = list(map(sample_of, questions, found, said))
    if samples:
        write_text(samples, "".join(f"{each.model_dump_json()}\n" for each in judged))
    return AnswersReport(
        index=opened.target.place,
        questions=known.name,
        model=answerer.model,
        results=opened.target.spec.results,
        confidence=CONFIDENCE,
        max_new_tokens=answerer.max_new_tokens,
        num_cut=sum(each.is_cut for each in judged),
        drawn=known.drawn,
        measures=dict(_estimates(judged)),
        samples=_artifact(samples) if samples else None,
    )


def sample_of(question: Question, hits: Sequence[Hit], said: ModelAnswer) -> AnswerSample:
    """The answer with all that can be measured of it."""
    answer, is_cut = said
    texts = [hit.passage.chunk.text for hit in hits]
    documents = tuple(dict.fromkeys(hit.passage.document for hit in hits))
    names = [heading(hit.passage) for hit in hits]
    plain, quoted = without_quotes(answer), quotes(answer, texts)
    is_found = bool(set(documents) & set(question.gold))
    measures = {
        "exact_match": exact_match(plain, question.completion),
        "token_f1": token_f1(plain, question.completion),
        "quotes": float(bool(quoted)),
        "numbers_absent": float(bool(numbers_absent(answer, [*texts, *names, question.prompt]))),
    }
    if quoted:
        measures["quotes_verified"] = sum(q.is_verified for q in quoted) / len(quoted)
    if question.gold:
        measures["found"] = float(is_found)
        measures["abstains_found" if is_found else "abstains_missing"] = float(abstains(answer))
    return AnswerSample(
        prompt=question.prompt,
        gold=question.gold,
        expected=question.completion,
        answer=answer,
        is_cut=is_cut,
        documents=documents,
        measures=measures,
    )


def _read_known(opened: OpenIndex, questions: str, limit: int | None) -> KnownQuestions:
    target = opened.target
    path = question_file(target, questions)
    if path is None:
        raise DataError(
            "there are no questions with answers to judge a model's by",
            hint="--questions FILE.jsonl of `prompt`, `gold` and `completion`, or `questions` in the spec",
        )
    every = read_questions(path, opened.index.digests())
    judged = [question for question in every if question.completion]
    if not judged:
        raise DataError(
            f"{path}: no question has a `completion`, so there is nothing to judge answers by",
            hint="add them, or leave --model out and measure the search alone",
        )
    return _draw_questions(path.name, judged, limit)


def _draw_questions(name: str, judged: Sequence[Question], limit: int | None) -> KnownQuestions:
    if limit is None or limit >= len(judged):
        return KnownQuestions(name, judged)
    prompts = [question.prompt for question in judged]
    drawn = draw_places(prompts, [question.completion for question in judged], limit, _SEED)
    sampling = f"{limit:,} of {len(judged):,} questions, sampled by seed {_SEED}"
    sampling += ", stratified by answer" if drawn.is_stratified else ""
    return KnownQuestions(name, [judged[i] for i in drawn.places], sampling)


def _check_lengths(
    talker: LoadedModel,
    known: KnownQuestions,
    prompts: Sequence["HeldOutQuestion"],
    max_new_tokens: int,
) -> None:
    """Raise DataError for the longest prompt if it is too long: where it fits, all do."""
    lengths = [len(prompt.prompt_ids) for prompt in prompts]
    longest = max(lengths)
    if what := overlong(talker, longest, max_new_tokens):
        question = known.questions[lengths.index(longest)].prompt
        question_start = textwrap.shorten(question, _MOST_SHOWN, placeholder=" ...")
        hint = "fewer `results` in the spec, a shorter question, or fewer --max-new-tokens"
        raise DataError(f"{known.name}: {question_start!r}: {what}", hint=hint)


def _ask_model(
    talker: LoadedModel,
    prompts: Sequence["HeldOutQuestion"],
    max_new_tokens: int,
    on_event: OnEvent,
) -> list[ModelAnswer]:
    from finewright.evaluate.answers import answer_all

    talker.lm.model.eval()
    said = [ModelAnswer("")] * len(prompts)
    fields = {"system": talker.name, "data": "questions", "total": len(prompts)}
    answered = answer_all(
        talker.lm, talker.chat, prompts, max_new_tokens=max_new_tokens, batch_size=_AT_ONCE
    )
    with stop_requests() as should_stop:
        for done, (number, response) in enumerate(answered, 1):
            said[number] = answer_to_show(response.answer)
            on_event("progress", {**fields, "done": done})
            if stop := should_stop():
                raise Interrupted("stopped while asking", signal_number=stop)
    return said


def _prompt(talker: LoadedModel, question: Question, hits: Sequence[Hit]) -> "HeldOutQuestion":
    from finewright.evaluate.answers import question_of

    messages = messages_of(talker, question.prompt, hits)
    expected = {"role": "assistant", "content": question.completion}
    return question_of(talker.chat, Row("", (*messages, expected), None, "", 0))


def _estimates(judged: Sequence[AnswerSample]) -> Iterator[tuple[str, Estimate]]:
    for name in dict.fromkeys(name for each in judged for name in each.measures):
        values = [each.measures[name] for each in judged if name in each.measures]
        low, high = mean_interval(values, confidence=CONFIDENCE, resamples=_RESAMPLES, seed=_SEED)
        mean = sum(values) / len(values)
        yield name, Estimate(value=mean, low=low, high=high, n=len(values))


def _artifact(path: Path) -> Artifact:
    size = path.stat().st_size
    return Artifact(path=str(path), kind="samples", sha256=sha256_file(path), bytes=size)
