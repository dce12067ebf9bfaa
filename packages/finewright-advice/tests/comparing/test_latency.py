"""Requests by a clock that the test turns: the search, the first token, the end."""

from itertools import count

import pytest

import tiny
from finewright.evaluate.answers import HeldOutQuestion, question_of
from finewright.lm.generate import Sampling, generate
from finewright.lm.model import LM
from finewright.schema.rows import Row
from finewright_advice.compare.latency import Timing, latency_of, speed_of, time_requests

pytestmark = pytest.mark.torch

THREE = [Timing(1, 100, 1100, 11), Timing(3, 300, 300, 1), Timing(2, 200, 700, 6)]


def asked(text: str) -> Row:
    turns = ({"role": "user", "content": text}, {"role": "assistant", "content": "A"})
    return Row("i", turns, None, "f", 1)


def test_each_request_is_timed_from_its_beginning_after_one_that_is_not() -> None:
    chat, lm = tiny.tiny_chat(), LM(tiny.tiny_model("llama"), {})
    questions = [question_of(chat, asked(text)) for text in ("one", "two of them")]
    prepared: list[HeldOutQuestion] = []

    def prepare(question: HeldOutQuestion) -> HeldOutQuestion:
        prepared.append(question)
        return question

    ticks = count()
    found = list(
        time_requests(
            lm,
            chat,
            [lambda q=question: prepare(q) for question in questions],
            max_new_tokens=5,
            clock=lambda: float(next(ticks)),
        )
    )
    made = [
        generate(lm, [q.prompt_ids], stop_ids=chat.stop_ids, sampling=Sampling(max_new_tokens=5))[0]
        for q in questions
    ]
    assert prepared == [questions[0], *questions]
    # The clock is read at the start, when all is ready, at the first token and at the end.
    assert [(t.prepared, t.first_token, t.whole) for t in found] == [(1000, 2000, 3000)] * 2
    assert [timing.tokens for timing in found] == [len(generation.ids) for generation in made]


def test_latency_lies_between_the_requests() -> None:
    found = latency_of(THREE, searches=True)
    assert (found.n, found.search_p50, found.ttft_p50, found.p50) == (3, 2, 200, 700)
    assert (found.p95, found.mean) == (pytest.approx(1060), 700)
    assert latency_of(THREE, searches=False).search_p50 == 0


def test_speed_by_hand() -> None:
    found = speed_of(THREE)
    assert found.answers == 3
    assert found.first_token_ms_p50 == pytest.approx(200)
    # 0.9 of the way from the second to the third
    assert found.first_token_ms_p95 == pytest.approx(290)
    assert found.answer_ms_p50 == pytest.approx(700)
    assert found.answer_ms_mean == pytest.approx(700)
    assert found.answer_ms == (1100, 300, 700)
    assert found.tokens_per_answer == 6
    assert found.tokens_per_second == pytest.approx(15 / 1.5)


def test_answers_without_tokens_have_no_speed() -> None:
    assert speed_of([Timing(0, 100, 100, 0)]).tokens_per_second == 0
