"""How long answers take when they are asked for one by one, as people ask."""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from finewright.evaluate.answers import Question
from finewright.lm.chat import Chat
from finewright.lm.generate import Sampling, stream
from finewright.lm.model import LM
from finewright.schema.bakeoff_report import Speed


class Timing(NamedTuple):
    """Seconds from the question to the first token and to the end, and how many tokens there were."""

    first: float
    whole: float
    tokens: int


def time_answers(
    lm: LM,
    chat: Chat,
    questions: Sequence[Question],
    *,
    max_new_tokens: int,
    clock: Callable[[], float],
) -> Iterator[Timing]:
    """Answer each question greedily by itself, and say how long it took; the first is asked once before,
    untimed. Tokenising the question and loading the model are not in it."""
    sampling = Sampling(max_new_tokens=max_new_tokens)
    lm.model.eval()
    for number, question in enumerate((questions[0], *questions)):
        started = clock()
        moments = [
            clock()
            for _ in stream(lm, question.prompt_ids, stop_ids=chat.stop_ids, sampling=sampling)
        ]
        ended = clock()
        if number:
            first = moments[0] if moments else ended
            yield Timing(first - started, ended - started, len(moments))


def speed_of(timings: Sequence[Timing]) -> Speed:
    """The percentiles of the timings (linear between ranks), and the speed after the first token of all
    answers together."""
    import numpy as np

    first = np.array([timing.first for timing in timings]) * 1000
    whole = np.array([timing.whole for timing in timings]) * 1000
    tokens = sum(timing.tokens for timing in timings)
    later = sum(max(0, timing.tokens - 1) for timing in timings)
    decoding = sum(timing.whole - timing.first for timing in timings)
    return Speed(
        answers=len(timings),
        first_token_ms_p50=float(np.quantile(first, 0.5)),
        first_token_ms_p95=float(np.quantile(first, 0.95)),
        answer_ms_p50=float(np.quantile(whole, 0.5)),
        answer_ms_p95=float(np.quantile(whole, 0.95)),
        answer_ms_mean=float(whole.mean()),
        answer_ms=tuple(round(float(each), 1) for each in whole),
        tokens_per_answer=tokens / len(timings),
        tokens_per_second=later / decoding if later else 0.0,
    )
