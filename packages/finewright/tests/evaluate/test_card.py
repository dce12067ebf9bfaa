"""The classifier's line of a score card is the classifier's alone, whatever the model beside it did."""

import pytest

from finewright.evaluate.answered import AnsweredRow
from finewright.evaluate.baselines.card import label_card
from finewright.evaluate.baselines.label_task import label_task
from finewright.evaluate.measured import Measured, RowSet, Settings
from finewright.evaluate.score import ScoreOptions, score_answers
from finewright.judge.answer import Answer, Call
from finewright.judge.calls import Due
from finewright.schema.evaluate import CallSaid, Sample
from finewright.schema.rows import Row

pytestmark = pytest.mark.torch
METRICS = ("exact_match", "tool_calls")
OPTIONS = ScoreOptions(confidence=0.95, resamples=100, seed=0)


def row(asked: str, answer: str, number: int) -> Row:
    turns = ({"role": "user", "content": asked}, {"role": "assistant", "content": answer})
    return Row(f"{asked} {number}", turns, None, "rows.jsonl", number)


def test_the_classifier_is_not_scored_by_the_calls_and_thoughts_of_the_tuned_model() -> None:
    words = {"fee": "charged", "lost": "gone"}
    train = [row(f"card {w} {i}", name, i) for i in range(10) for name, w in words.items()]
    held_out = [row("it is gone", "lost", 1), row("it is charged", "fee", 2)]
    task = label_task(train)
    assert task is not None
    said = Answer("", "hm", (Call("f", {}),), fault="a thought that never closes")
    answered = [
        AnsweredRow(r.row, name, "", said=said, due=Due(Answer(name)))
        for r, name in zip(held_out, ("lost", "fee"), strict=True)
    ]
    scored = score_answers("tuned", "eval", METRICS, answered, OPTIONS)
    assert [score.value for score in scored.scores] == [0, 0]
    samples = tuple(
        Sample(
            system="tuned",
            data="eval",
            row=each.row,
            prompt="it",
            expected=each.expected,
            answer="",
            stopped=False,
            scores=scores,
            thoughts="hm",
            calls=(CallSaid(name="f", arguments={}),),
            tools_undeclared=("f",),
            fault="a thought that never closes",
            num_tokens=9,
            num_thought_tokens=5,
        )
        for each, scores in zip(answered, scored.per_row, strict=True)
    )
    tuned = Measured("tuned", "eval", scored, samples)
    settings = Settings(METRICS, 8, 2, OPTIONS)
    (found,) = label_card(task, [RowSet("eval", held_out)], [tuned], settings).measured
    assert [(s.metric, s.value) for s in found.scored.scores] == [
        ("exact_match", 1),
        ("tool_calls", 1),
    ]
    for sample in found.samples:
        assert (sample.thoughts, sample.calls, sample.fault, sample.tools_undeclared) == (
            "",
            (),
            "",
            (),
        )
        assert (sample.num_tokens, sample.num_thought_tokens, sample.stopped) == (None, 0, True)
