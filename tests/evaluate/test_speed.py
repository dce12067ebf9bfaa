"""Times of answers, by a clock that the test turns."""

from itertools import count

import pytest

import tiny
from finewright.evaluate.answers import question_of
from finewright.evaluate.speed import Timing, speed_of, time_answers
from finewright.lm.generate import Sampling, generate
from finewright.lm.model import LM
from finewright.schema.rows import Row

pytestmark = pytest.mark.torch


def test_percentiles_and_speed_by_hand() -> None:
    found = speed_of([Timing(0.1, 1.1, 11), Timing(0.3, 0.3, 1), Timing(0.2, 0.7, 6)])
    assert found.answers == 3
    assert found.first_token_ms_p50 == pytest.approx(200)
    assert found.first_token_ms_p95 == pytest.approx(
        290
    )  # 0.9 of the way from the second to the third
    assert found.answer_ms_p50 == pytest.approx(700)
    assert found.answer_ms_mean == pytest.approx(700)
    assert found.tokens_per_answer == 6
    assert found.tokens_per_second == pytest.approx(15 / 1.5)


def test_answers_without_tokens_have_no_speed() -> None:
    assert speed_of([Timing(0.1, 0.1, 0)]).tokens_per_second == 0


def test_each_answer_is_timed_by_itself_after_one_that_is_not() -> None:
    chat = tiny.tiny_chat()
    lm = LM(tiny.tiny_model("llama"), {})
    rows = [
        Row(
            "i",
            ({"role": "user", "content": q}, {"role": "assistant", "content": "A"}),
            None,
            "f",
            1,
        )
        for q in ("one", "two of them")
    ]
    questions = [question_of(chat, row) for row in rows]
    ticks = count()
    found = list(
        time_answers(lm, chat, questions, max_new_tokens=5, clock=lambda: float(next(ticks)))
    )
    made = [
        generate(lm, [q.prompt_ids], stop_ids=chat.stop_ids, sampling=Sampling(max_new_tokens=5))[0]
        for q in questions
    ]
    # The clock is read at the start, at each token, and at the end.
    assert [timing.tokens for timing in found] == [len(generation.ids) for generation in made]
    assert [timing.whole for timing in found] == [timing.tokens + 1 for timing in found]
    assert all(timing.first == 1 for timing in found)
