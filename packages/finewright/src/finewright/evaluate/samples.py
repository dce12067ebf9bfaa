"""An answer as it is recorded in samples.jsonl, scored anew from there, and counted."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from finewright.evaluate.answered import AnsweredRow
from finewright.evaluate.score import PREFERENCE, scores_answers
from finewright.judge.answer import Answer, Call, calls_text
from finewright.judge.calls import Due
from finewright.schema.evaluate import AnswerCounts, CallSaid, Sample
from finewright.store.atomic import os_errors


def parse_samples(text: str) -> list[Sample]:
    """The lines of samples.jsonl. Only a newline ends one: answers may hold other separators of lines."""
    return [Sample.model_validate_json(line) for line in text.split("\n") if line]


def read_samples(path: Path) -> list[Sample]:
    """The answers of a file. Raises StoreError where it cannot be read, ValueError for a bad line."""
    with os_errors(path):
        return parse_samples(path.read_text(encoding="utf-8"))


def samples_text(samples: Sequence[Sample]) -> str:
    """samples.jsonl: one line per row and system."""
    return "".join(sample.model_dump_json() + "\n" for sample in samples)


def row_of_sample(sample: Sample) -> AnsweredRow:
    """A recorded answer as it is scored. Scores of whole answers stay as they were: a sample has no tools."""
    due = Answer(sample.expected, calls=_calls(sample.expected_calls))
    said = Answer(
        sample.answer, sample.thoughts, _calls(sample.calls), sample.stopped, sample.fault
    )
    known = {name: value for name, value in sample.scores.items() if scores_answers(name)}
    return AnsweredRow(
        sample.row,
        sample.expected,
        sample.answer,
        preferred=sample.scores.get(PREFERENCE),
        said=said,
        due=Due(due),
        known=known,
    )


def text_of_sample(sample: Sample) -> str:
    """What an answer says, as text: its calls where it makes any, whether or not one was due."""
    return calls_text(_calls(sample.calls)) or sample.answer


def with_text(answered: AnsweredRow, text: str) -> AnsweredRow:
    """The same with another text for what was said."""
    said = replace(answered.said, content=text) if answered.said else None
    return replace(answered, answer=text, said=said)


def record_calls(answer: Answer) -> tuple[CallSaid, ...]:
    """An answer's calls as a sample has them."""
    return tuple(CallSaid(name=call.name, arguments=call.arguments) for call in answer.calls)


def answer_counts(system: str, data: str, samples: Sequence[Sample]) -> AnswerCounts:
    """What the answers are made of."""
    thinking = sum(bool(s.thoughts or s.num_thought_tokens) for s in samples)
    thought = sum(s.num_thought_tokens for s in samples)
    written = sum(s.num_tokens or 0 for s in samples)
    faults = [f"row {s.row}: {s.fault}" for s in samples if s.fault]
    return AnswerCounts(
        system=system,
        data=data,
        n=len(samples),
        ended=sum(s.stopped for s in samples),
        thinking=thinking,
        thought_tokens_mean=thought / max(thinking, 1),
        thought_share=_share(thought, written),
        thoughts_cut=sum(s.thought_cut for s in samples),
        calls=sum(len(s.calls) for s in samples),
        undeclared_calls=sum(len(s.tools_undeclared) for s in samples),
        faults=len(faults),
        first_fault=next(iter(faults), ""),
    )


def _share(thought: int, written: int) -> float:
    return min(thought / written, 1.0) if written else 0.0


def _calls(recorded: Sequence[CallSaid]) -> tuple[Call, ...]:
    return tuple(Call(call.name, call.arguments) for call in recorded)
